#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Codecs in the files of trained networks: TorchScript, FILE.pt, and ONNX, FILE.onnx.

The encoder takes float matrices (n, 2, rows, nt), real and imaginary parts, each scaled to mean
|h|^2 = 1, and gives codewords (n, M); the decoder takes these and gives matrices likewise. A file
states its sizes as "rows=32,nt=32,.."; the names are those of `network_info` in C++. What runs a
file is in C++ where that is built (libtorch, ONNX Runtime), else the library's Python package. Either
way loading a file executes what is in it: load only files that you trust.

`csifeedback_train --codec FILE.pt --dataset .. -o FILE.h5` measures the codewords for quantizers; the
model file that it writes names the network's file, which lies beside it.
"""

import argparse
import importlib
import io
import os
import sys
from typing import Any, Callable, Dict, Optional, Tuple, Type

import numpy as np

from . import csifeedback_python as core
from .arrays import array_attributes
from .codecs import Codec, _options
from .files import whole_file
from .model import Model

HALVES = ("encoder", "decoder")
#: what a file may state, see `network_info`
STATED = ("name", "title", "number", "model_id", "domain", "rows", "nt", "nc", "precursor",
          "n1", "n2", "polarizations", "code_size", "nested", "part", "decoder")
#: array of a model file: checksums of the network's file and of that of its decoder, 0: none
CHECKSUM = "network/checksum"


def _text(stated):
    """name=value,.. of a dictionary."""
    for name, value in stated.items():
        if "," in str(value) or "=" in str(value):
            raise ValueError(f"{name} is {value!r}, allowed is text without comma and =")
    return ",".join(f"{name}={int(value) if isinstance(value, bool) else value}"
                    for name, value in stated.items())


def _checksum(path):
    with open(path, "rb") as file:
        return core.crc24a(file.read())


class NetworkFile(Codec):
    """Base of codecs in files: one of a file (see `of_file`), or of a model file that names one.

    options: what the file does not state, or is to be in place of what it states.
    """

    #: the file; None: the one that the model file names
    file = ""
    #: its name ends so
    suffix = ""

    @classmethod
    def of_file(cls, path: str, options: Dict[str, str]) -> "Type[NetworkFile]":
        """A class for one file, which has the domain and names that the file states.

        options: {name: text} of the command line.
        """
        if not os.path.isfile(path):
            raise ValueError(f"{path}: there is no such file")
        own = {k: v for k, v in options.items() if k != "model"}
        info = core.read_network_info(path, cls.number, [cls.stated(path), _text(own)])
        return type(cls.__name__, (cls,), {"file": path, "domain": info["domain"]})

    @staticmethod
    def library() -> Any:
        """The component in C++ that runs such files, None if it cannot be had."""
        raise NotImplementedError

    @classmethod
    def load(cls, path: str) -> Tuple[Any, str]:
        """(what the Python package makes of a file, what the file states as text); ValueError."""
        raise NotImplementedError

    @classmethod
    def method(cls, loaded: Any, half: str,
               only: bool) -> Optional[Callable[[np.ndarray], np.ndarray]]:
        """A function of arrays that does a half, "encoder" or "decoder", in what `load` made; None if
        it has none. only: what may be either is this half."""
        raise NotImplementedError

    @classmethod
    def stated(cls, path: str) -> str:
        """What a file states, as text."""
        library = cls.library()
        return library.stated(path) if library else cls.load(path)[1]

    @classmethod
    def open_network(cls, path: str, options: str, defaults: str) -> core.network:
        """The core.network of a file; options go before what it states, that before defaults."""
        library = cls.library()
        if library:
            return library.open_network(path, options, defaults)
        return cls.open_in_python(path, options, defaults)

    @classmethod
    def open_in_python(cls, path: str, options: str, defaults: str) -> core.network:
        """The network run by the Python package, on one thread."""
        loaded, stated = cls.load(path)
        texts = [defaults, stated, options]
        info = core.read_network_info(path, cls.number, texts)
        halves = {half: cls.method(loaded, half, info["part"] == half) for half in HALVES}
        if not any(halves.values()):
            raise ValueError(f"{path} does not state which part it is: part=encoder or part=decoder")

        def run(half, x):
            if halves[half] is None:  # the decoder's own file, which a UE has not
                other = cls._decoder_path(path, info["decoder"])
                halves[half] = cls.method(cls.load(other)[0], half, True)
                if halves[half] is None:
                    raise ValueError(f"{other} has no decoder")
            return halves[half](x)

        return core.make_network(path, cls.number, texts, [
            half for half, work in halves.items()
            if work is not None or half == "decoder" and info["decoder"]], run)

    def __init__(self, model: Optional[core.model_file] = None, **options: str) -> None:
        path = self.file
        if not path:
            if model is None:
                raise ValueError(f"codec {self.name} needs a file")
            # Beside the model file, wherever that is: a model file is no reason to open others.
            stated = _options(model.path, model.text("network_options"))
            for what, name in (("network_file", model.text("network_file")),
                               ("network_options", stated.get("decoder", self.suffix))):
                if name != os.path.basename(name) or not name.endswith(self.suffix):
                    raise ValueError(f"{model.path}: attribute '{what}' names {name!r}, allowed is "
                                     f"the name of a {self.suffix} file beside it")
            path = os.path.join(os.path.dirname(model.path), model.text("network_file"))
            if not os.path.isfile(path):
                raise ValueError(f"{model.path}: the file of its network, {path}, is missing")
            options = {**stated, **options}
        elif model is None:
            model = self._beside(path)
        defaults = {} if model is None else {
            "domain": model.domain, "rows": model.na, "nt": model.nt,
            **({} if model.domain == "H" else {"nc": model.nc, "precursor": model.precursor}),
            **array_attributes(model.array)}
        self.network = self.open_network(path, _text(options), _text(
            {name: value for name, value in defaults.items() if value}))
        info = self.network.info()
        if model is not None and (model.domain, model.na, model.nt) != (
                info["domain"], info["rows"], info["nt"]):
            raise ValueError(
                f"{path} takes {info['rows']} x {info['nt']} matrices {info['domain']}, but "
                f"{model.path} is for {model.na} x {model.nt} matrices {model.domain}")
        super().__init__(model)
        if model is not None and model.has(CHECKSUM):
            self._check(path, info["decoder"], model)
        if model is None:
            for name in ("rows", "nt", "nc", "precursor", "array"):
                setattr(self, name, info[name])
            self.model_id = _checksum(path) & 0xffff if info["model_id"] < 0 else info["model_id"]
        self.domain, self.code_size = info["domain"], info["code_size"]
        self.title = info["title"] or (
            info["name"] if info["name"] != "network"
            else os.path.splitext(os.path.basename(path))[0])

    @classmethod
    def _beside(cls, path):
        """The model file beside a network's file that belongs to it, None if there is none."""
        name = os.path.splitext(path)[0] + ".h5"
        if not os.path.isfile(name):
            return None
        model = core.model_file(name)
        return model if model.codec == cls.name else None

    @staticmethod
    def _decoder_path(path, decoder):
        return os.path.join(os.path.dirname(path), decoder) if decoder else None

    @classmethod
    def _checksums(cls, path, decoder):
        other = cls._decoder_path(path, decoder)
        return [_checksum(path), _checksum(other) if other and os.path.isfile(other) else 0]

    def _check(self, path, decoder, model):
        """ValueError if a file is not the one whose codewords were measured."""
        measured = model.read(CHECKSUM)
        found = self._checksums(path, decoder)
        # A file of the decoder alone is the second one of the pair.
        own = measured[1:] if self.network.info()["part"] == "decoder" and measured[1] else measured
        for name, a, b in zip((path, self._decoder_path(path, decoder)), own, found):
            if b and int(a) != b:
                raise ValueError(f"{name} is not the file that {model.path} was made for: run "
                                 "csifeedback_train again")

    def _checked(self, code_size):
        size = super()._checked(code_size)
        if not self.network.can_send(size):
            raise ValueError(f"code_size is {code_size}, codec {self.title} has codewords of "
                             f"{self.code_size} values")
        return size

    def encoder(self, code_size: int = 0) -> core.encoder:
        return self.network.encoder(self._checked(code_size), self.model_id)

    def decoder(self, code_size: int = 0) -> core.decoder:
        return self.network.decoder(self._checked(code_size), self.model_id)

    def can_send(self, code_size: int) -> bool:
        return self.network.can_send(code_size)

    @classmethod
    def train(cls, args: argparse.Namespace, data: Any) -> Model:
        """Nothing is trained: the model file says whose quantizers it has."""
        options = _options(cls.name, args.codec_options)
        directory = os.path.dirname(os.path.abspath(args.output))
        if directory != os.path.dirname(os.path.abspath(cls.file)):
            raise ValueError(f"-o {args.output}: has to lie beside {cls.file}")
        info = core.read_network_info(cls.file, cls.number,
                                      [cls.stated(cls.file), args.codec_options])
        return Model({"codec": cls.name, "network_file": os.path.basename(cls.file),
                      "network_options": _text(options)},
                     {CHECKSUM: np.array(cls._checksums(cls.file, info["decoder"]))})


class TorchScript(NetworkFile):
    """Codecs in TorchScript files, run by libtorch."""

    name = "torchscript"
    number = 254
    title = "TorchScript"
    help = "A TorchScript file."
    suffix = ".pt"

    @staticmethod
    def library() -> Any:
        library = _component("csifeedback_torch")
        # Beside another PyTorch that is loaded already its own cannot be.
        other = sys.modules.get("torch")
        if library and other is not None and not other.__version__.startswith(
                library.library_version()):
            return None
        return library

    @classmethod
    def load(cls, path: str) -> Tuple[Any, str]:
        try:
            import torch
        except ImportError:
            raise ValueError(f"{path}: TorchScript files need gnuradio-csifeedback-torch or PyTorch, "
                             "and neither is installed: apt install python3-torch") from None
        files = {"csifeedback": ""}
        try:
            module = torch.jit.load(path, "cpu", files).eval()
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"{path}: is no TorchScript file, or not for PyTorch "
                             f"{torch.__version__}: {str(error).splitlines()[0]}") from None
        attributes = {name: getattr(module, name) for name in STATED if isinstance(
            getattr(module, name, None), (bool, int, str))}
        stated: Any = files["csifeedback"]
        text = stated.decode() if isinstance(stated, bytes) else stated
        return module, ",".join(filter(None, (_text(attributes), text.strip())))

    @classmethod
    def method(cls, module: Any, half: str,
               only: bool) -> Optional[Callable[[np.ndarray], np.ndarray]]:
        import torch
        name = {"encoder": "encode", "decoder": "decode"}[half]
        if name not in module._c._method_names():
            if not only or "forward" not in module._c._method_names():
                return None
            name = "forward"
        work = getattr(module, name)

        def run(x):
            torch.set_num_threads(1)
            # As written, as gnuradio-csifeedback-torch runs it: the fuser of Debian 13's PyTorch (2.6)
            # can hang on products and convolutions.
            with torch.inference_mode(), torch.jit.optimized_execution(False):
                result = work(torch.from_numpy(x.copy()))
                if not isinstance(result, torch.Tensor):
                    raise ValueError(f"the {half} gives no tensor")
                if result.is_complex():
                    raise ValueError(f"the {half} gives complex values, allowed are real ones")
                return result.float().numpy()
        return run


class Onnx(NetworkFile):
    """Codecs in ONNX files, run by ONNX Runtime: an encoder, which names the file of its decoder."""

    name = "onnx"
    number = 253
    title = "ONNX"
    help = "An ONNX file."
    suffix = ".onnx"

    @staticmethod
    def library() -> Any:
        return _component("csifeedback_onnx")

    @classmethod
    def load(cls, path: str) -> Tuple[Any, str]:
        try:
            import onnxruntime
        except ImportError:
            raise ValueError(f"{path}: ONNX files need gnuradio-csifeedback-onnx or the package "
                             "onnxruntime, and neither is installed: pip install onnxruntime") from None
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
        except Exception as error:  # each has a class of its own, derived from RuntimeError or not
            raise ValueError(f"{path}: is no ONNX file, or not for ONNX Runtime "
                             f"{onnxruntime.__version__}: {str(error).splitlines()[0]}") from None
        (given,), (gives, *_) = cls._one_input(path, session), session.get_outputs()
        text = session.get_modelmeta().custom_metadata_map.get("csifeedback", "").strip()
        return session, ",".join(filter(None, (_of_shapes(given.shape, gives.shape), text)))

    @staticmethod
    def _one_input(path, session):
        inputs = session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)":
            raise ValueError(f"{path}: has the inputs " + ", ".join(
                f"{i.name} {i.type}" for i in inputs) + ", allowed is one, tensor(float)")
        return inputs

    @classmethod
    def method(cls, session: Any, half: str,
               only: bool) -> Optional[Callable[[np.ndarray], np.ndarray]]:
        if not only:
            return None
        name = session.get_inputs()[0].name
        return lambda x: session.run(None, {name: x})[0]


def _of_shapes(given, gives):
    """What the shapes of a graph's input and output say, as text; what is free in them is no
    number."""
    if len(given) == 4:
        sizes = {"part": "encoder", "rows": given[2], "nt": given[3],
                 "code_size": gives[1] if len(gives) == 2 else None}
    elif len(given) == 2 and len(gives) == 4:
        sizes = {"part": "decoder", "code_size": given[1], "rows": gives[2], "nt": gives[3]}
    else:
        return ""
    return _text({k: v for k, v in sizes.items() if isinstance(v, str) and k == "part"
                  or isinstance(v, int) and v > 0})


def _component(name):
    """A module in C++ of this package, None if it was not built or its library is missing."""
    try:
        return importlib.import_module("." + name, __package__)
    except ImportError:
        return None


def save_torchscript(module: Any, path: str, **stated: Any) -> None:
    """Writes a torch.nn.Module or a script of one as a TorchScript file that states what it is.

    module: with methods encode and decode (decorated with torch.jit.export), or with forward and
    part="encoder" or "decoder". stated: rows, nt, and what else `network_info` has.
    """
    import torch
    if not isinstance(module, torch.jit.ScriptModule):
        module = torch.jit.script(module.eval())
    text = _text(stated)
    core.read_network_info(path, TorchScript.number, [text])
    data = io.BytesIO()
    torch.jit.save(module, data, _extra_files={"csifeedback": text})
    with whole_file(path) as file:
        file.write(data.getvalue())


def save_onnx(data: bytes, path: str, **stated: Any) -> None:
    """Writes the bytes of an ONNX model (as torch.onnx.export gives them) as a file that states what it
    is, in the entry "csifeedback" of its metadata.

    stated: part, of an encoder also decoder, the name of the decoder's file beside it; rows, nt, and
    what else `network_info` has.
    """
    text = _text(stated)
    core.read_network_info(path, Onnx.number, [text])
    # Field 14 of ModelProto, metadata_props, with key 1 and value 2. A repeated field goes on
    # at the end of a message.
    entry = _field(1, b"csifeedback") + _field(2, text.encode())
    with whole_file(path) as file:
        file.write(data + _field(14, entry))


def _field(number, value):
    """A field of bytes in a Protocol Buffers message."""
    size = b""
    n = len(value)
    while n > 127:
        size, n = size + bytes([n & 127 | 128]), n >> 7
    return bytes([number << 3 | 2]) + size + bytes([n]) + value


#: codec name -> class
CLASSES = {cls.name: cls for cls in (TorchScript, Onnx)}
#: end of a file's name -> codec name
SUFFIXES = {cls.suffix: name for name, cls in CLASSES.items()}
