#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Codecs by name, and codecs in Python.

`open_codec()` finds the codec that a command line names. A codec in Python is a class derived
from `Codec`, or from `Encoder`, `Decoder`, `ReportEncoder`, `ReportDecoder`, whose objects go
into the blocks wherever those of C++ do.
"""

import argparse
import contextlib
import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
import traceback
import types
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Dict, Optional, Sequence, Tuple, Type, Union

import numpy as np

from . import csifeedback_python as core
from .arrays import Array, plane_of

if TYPE_CHECKING:
    from .model import Model

#: Entry points of installed packages: codec name -> class derived from Codec.
ENTRY_POINTS = "gr_csifeedback.codecs"
#: Codec numbers of feedback frames that are free for everybody's use.
PRIVATE_NUMBERS = (128, 255)
#: Codecs of this package in Python, which need PyTorch: module `learned`.
LEARNED = ("csinet", "nr-csinet", "clnet", "transnet", "fista-net", "tilista",
           "sm-csinet-plus", "pm-csinet-plus")
#: PMI codebooks of TS 38.214, without model files: module `codebooks`.
CODEBOOKS = ("type1", "type2", "etype2")
#: Codec of precoders with a model of the domain W: module `eigenvectors`.
EIGENVECTORS = "eigenvectors"
#: Codecs of this package in the files of networks, which another library runs: module
#: `network_files`. End of the file's name -> codec name.
NETWORK_FILES = {".pt": "torchscript", ".onnx": "onnx"}
#: Quantizers of codewords, by name.
QUANTIZERS = ("uniform", "lloyd-max", "lloyd-max-per-entry", "allocated", "predictive")
#: What makes reports of codewords: a quantizer, or an entropy coder.
REPORTS = (*QUANTIZERS, "entropy")


class _Part(core.codec_part):
    """What all halves of a codec say of themselves."""

    #: short name, for messages
    name = ""
    #: number of the codec in a feedback frame, 128 to 255
    codec_id = 255
    #: number of the trained model in a feedback frame, 0 to 65535
    model_id = 0
    #: matrices that it takes: "Ha" (truncated angular-delay matrices) or "H" (full-band ones)
    domain = "Ha"
    #: their rows: delay rows, or subcarriers
    rows = 0
    #: antenna ports, their columns
    nt = 0
    #: M, values of the longest codeword; 0 for reports
    code_size = 0
    #: subcarriers of the full-band matrix, 0: any (domain "Ha")
    nc = 0
    #: rows that are kept before delay zero, -1: not stated (domain "Ha")
    precursor = -1
    #: (N1, N2, polarizations) of the antenna ports, None: a line
    array: Optional[Array] = None

    def __init__(self, **attributes):
        """attributes: those above, where the class has not set them."""
        core.codec_part.__init__(self)
        for key, value in attributes.items():
            if key.startswith("_") or not hasattr(type(self), key):
                raise TypeError(f"{type(self).__name__} has no attribute {key}")
            setattr(self, key, value)


class Encoder(_Part):
    """The UE half of a codec with codewords. Derive, set the attributes, override encode_array."""

    def encode_array(self, h: np.ndarray) -> Union[np.ndarray, Tuple[np.ndarray, np.ndarray]]:
        """Encodes matrices.

        h: complex64 (n, rows, nt), each with mean |h|^2 = 1 (the gain is sent beside it).
        Returns float (n, code_size), of which shorter codewords take the first values; or a tuple
        of that and of the residual energies in dB, float (n,).
        """
        raise NotImplementedError


class Decoder(_Part):
    """The BS half of a codec with codewords. Derive, set the attributes, override decode_array."""

    def decode_array(self, s: np.ndarray) -> np.ndarray:
        """Decodes codewords.

        s: float32 (n, code_size); shorter codewords are filled with zeros.
        Returns complex (n, rows, nt), in the scale of the encoder's input.
        """
        raise NotImplementedError


class ReportEncoder(_Part):
    """The UE half of a codec with reports in bits. Override encode_bits."""

    #: fewest and most bits of a report
    min_bits, max_bits = 1, 65535

    def encode_bits(self, h: np.ndarray, budget: int) -> np.ndarray:
        """Encodes one matrix.

        h: complex64 (rows, nt) with mean |h|^2 = 1. budget: min_bits to max_bits.
        Returns at least 1 and at most `budget` bits, an array of 0 and 1.
        """
        raise NotImplementedError


class ReportDecoder(_Part):
    """The BS half of a codec with reports in bits. Override decode_bits."""

    max_bits = 65535

    def decode_bits(self, bits: np.ndarray) -> np.ndarray:
        """Decodes one report.

        bits: uint8 (n,) of 0 and 1, any n from 1 to max_bits and any values: links make errors.
        Returns complex (rows, nt), finite.
        """
        raise NotImplementedError


class Codec:
    """A codec in Python, both halves in one class.

    Derive, set the attributes, and override encode_array and decode_array, or encode_bits and
    decode_bits (as in Encoder, Decoder, ReportEncoder and ReportDecoder), or the methods that
    make such objects. Programs find it by "MODULE:CLASS", by "FILE.py:CLASS", or by the name of
    an entry point of the group "gr_csifeedback.codecs", each with ",option=value" behind it.

    model: a model file that belongs to it, as core.model_file; None: none. options: those of the
    command line, as text.
    """

    #: short name: lower-case letters, digits and hyphens
    name = ""
    #: number in a feedback frame, 128 to 255
    number = 255
    #: name for tables and legends
    title = ""
    #: one sentence
    help = ""
    #: "Ha" or "H"
    domain = "Ha"
    #: delay rows (domain "Ha") or subcarriers ("H")
    rows = 32
    #: antenna ports
    nt = 32
    #: subcarriers, 0: any (domain "Ha")
    nc = 0
    #: rows that are kept before delay zero (domain "Ha")
    precursor = 4
    #: M of the longest codeword; 0: only reports
    code_size = 0
    #: fewest and most bits of a report; (0, 0): only codewords
    report_bits = (0, 0)
    #: number of the trained model in a feedback frame, 0 to 65535
    model_id = 0
    #: whether the BS gets a precoder in place of the channel: rows have its direction, but neither
    #: its phase nor its gain, so that programs leave out NMSE
    is_precoder = False
    #: antennas of the UE: with several, `rows` counts one of each subcarrier for each antenna, and
    #: matrices are those of `layers`
    nr = 1
    #: ranks of its reports, with several antennas
    ranks: Sequence[int] = (1,)
    #: SNR at an antenna of the UE for rank and CQI, in dB
    snr_db = 10.0
    #: (N1, N2, polarizations) of the antenna ports, None: a line, or not stated
    array: Optional[Array] = None

    def __init__(self, model: Optional[core.model_file] = None, **options: str) -> None:
        if options:
            raise ValueError(f"codec {self.name} has no option {next(iter(options))}")
        self.model = model
        if model is not None:
            self.rows, self.nt, self.nc = model.na, model.nt, model.nc
            self.precursor, self.model_id = model.precursor, model.model_id
            self.array = plane_of(model)

    def encoder(self, code_size: int = 0) -> Union[Encoder, core.encoder]:
        """The UE half for codewords of code_size values, 0: the longest: an Encoder, or a core.encoder
        of C++."""
        return _Half(Encoder, self, self._checked(code_size))

    def decoder(self, code_size: int = 0) -> Union[Decoder, core.decoder]:
        """The BS half."""
        return _Half(Decoder, self, self._checked(code_size))

    def report_encoder(self) -> Union[ReportEncoder, core.report_encoder]:
        """The UE half in bits."""
        return _Half(ReportEncoder, self, 0)

    def report_decoder(self) -> Union[ReportDecoder, core.report_decoder]:
        """The BS half in bits."""
        return _Half(ReportDecoder, self, 0)

    def can_send(self, code_size: int) -> bool:
        """Whether codewords of this length, up to the longest, are any that the encoder makes."""
        return True

    def operations(self, code_size: int) -> Tuple[Dict[str, int], Dict[str, int]]:
        """(multiply-adds of the encoder, of the decoder) by part, two dictionaries."""
        return {}, {}

    def quantizer(self, kind: str, code_size: int, bits: int) -> core.quantizer:
        """A quantizer object for codewords; the model's, where it has one."""
        if self.model is None or not self.model.has("quantizer/std"):
            raise ValueError(f"codec {self.name} has no quantizers: let csifeedback_train measure "
                             "its codewords, and name the model file that it writes")
        return core.make_quantizer(self.model, kind, code_size, bits)

    @classmethod
    def add_arguments(cls, parser: argparse._ActionsContainer) -> None:
        """Adds what train() takes to csifeedback_train's options."""

    @classmethod
    def train(cls, args: argparse.Namespace, data: Any) -> "Model":
        """Trains it on a dataset.Dataset; returns a model.Model with what the codec reads from its
        model file, without the quantizers, which csifeedback_train measures. Unless overridden:
        an empty one, for codecs that need no training here."""
        from .model import Model
        return Model({}, {})

    def _checked(self, code_size):
        if not self.code_size:
            raise ValueError(f"codec {self.name} has no codewords, only reports")
        if not 0 <= code_size <= self.code_size:
            raise ValueError(f"code_size is {code_size}, codec {self.name} has codewords of up to "
                             f"{self.code_size} values")
        return code_size or self.code_size


def _Half(kind, codec, code_size):
    """An object of the class `kind` whose work a Codec does."""
    name = {Encoder: "encode_array", Decoder: "decode_array", ReportEncoder: "encode_bits",
            ReportDecoder: "decode_bits"}[kind]
    work = getattr(codec, name, None)
    if work is None:
        raise ValueError(f"codec {codec.name} has no method {name}")
    whole = codec.code_size

    def encode_array(self, h):
        result = work(h)
        if isinstance(result, tuple):
            return result[0][:, :code_size], result[1]
        return result[:, :code_size]

    def decode_array(self, s):
        padded = np.zeros((len(s), whole), np.float32)
        padded[:, :code_size] = s
        return work(padded)

    methods = {}
    if kind is Encoder and code_size < whole:
        methods = {name: encode_array}
    elif kind is Decoder and code_size < whole:
        methods = {name: decode_array}
    else:
        methods = {name: lambda self, *a: work(*a)}
    attributes = {"name": codec.name, "codec_id": codec.number, "model_id": codec.model_id,
                  "domain": codec.domain, "rows": codec.rows, "nt": codec.nt,
                  "code_size": code_size, "nc": codec.nc,
                  # The usual number is too large for small matrices.
                  "precursor": min(codec.precursor, codec.rows - 1), "array": codec.array}
    if not code_size:
        if not codec.report_bits[1]:
            raise ValueError(f"codec {codec.name} has no reports")
        attributes["max_bits"] = codec.report_bits[1]
        if kind is ReportEncoder:
            attributes["min_bits"] = codec.report_bits[0]
    return type(type(codec).__name__ + kind.__name__, (kind,), methods)(**attributes)


#: name -> class, of codecs in Python that were found
_classes: "Dict[str, Any]" = {}


def register(cls: Type[Codec]) -> Type[Codec]:
    """Makes a class derived from Codec known by its name, also to C++ (`encoder_from_model`, the
    blocks "CSI Encoder from Model" and "CSI Decoder from Model"). A class decorator.

    Raises ValueError if the name or number is taken or not allowed.
    """
    if not (isinstance(cls, type) and issubclass(cls, Codec)):
        raise TypeError(f"{cls!r} is not derived from csifeedback.Codec")
    known = _classes.get(cls.name)
    if known is not None and _place(known) == _place(cls):
        _classes[cls.name] = cls  # the same class, loaded once more
        return cls

    def make(method):
        return lambda model, *size: getattr(_classes[cls.name](model), method)(*size)

    words, bits = cls.code_size or _overrides(cls, "encoder"), \
        cls.report_bits[1] or _overrides(cls, "report_encoder")
    core.register_codec(
        cls.name, cls.number, cls.title or cls.name, cls.domain, cls.help,
        *([make("encoder"), make("decoder")] if words else [None, None]),
        *([make("report_encoder"), make("report_decoder")] if bits else [None, None]))
    _classes[cls.name] = cls
    return cls


def _overrides(cls, method):
    return getattr(cls, method) is not getattr(Codec, method)


def _place(cls):
    """Where a class comes from: the same file and name is the same class."""
    module = sys.modules.get(cls.__module__)
    return getattr(module, "__file__", cls.__module__), cls.__qualname__


def find_class(name: str) -> Optional[Type[Codec]]:
    """The class of "MODULE:CLASS", "FILE.py:CLASS", of an entry point or a network's file, "FILE.pt"
    or "FILE.onnx" with options behind commas, registered; None if the name is none of these."""
    name = os.fspath(name)
    head, _, options = name.partition(",")
    kind = NETWORK_FILES.get(os.path.splitext(head)[1])
    if kind:
        base = _classes.get(kind) or _entry_point(kind)
        return base.of_file(head, _options(name, options))
    module, colon, cls = name.rpartition(":")
    if not colon:
        return _classes.get(name) or _entry_point(name)
    if module.endswith(".py"):
        if not os.path.isfile(module):
            raise ValueError(f"codec {name}: there is no file {module}")
        with _one_line(name):
            loaded = load_file(module)
    else:
        try:
            if importlib.util.find_spec(module) is None:
                return None
        except (ImportError, ValueError):
            return None
        with _one_line(name):
            loaded = importlib.import_module(module)
    try:
        found = getattr(loaded, cls)
    except AttributeError:
        raise ValueError(f"codec {name}: {module} has no class {cls}") from None
    if not (isinstance(found, type) and issubclass(found, Codec)):
        raise ValueError(f"codec {name}: {cls} is not derived from csifeedback.Codec")
    return register(found)


def load_file(path: str) -> types.ModuleType:
    """The module in a Python file, which need not be on the path; the same one each time."""
    path = os.path.realpath(path)
    stem = os.path.splitext(os.path.basename(path))[0]
    name = f"_csifeedback_{stem}_{hashlib.sha256(path.encode()).hexdigest()[:8]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ValueError(f"{path} is no file with a module")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def _entry_point(name):
    if name in LEARNED:
        return register(importlib.import_module(
            ".training.learned", __package__).CLASSES[name])
    if name in NETWORK_FILES.values():
        return register(importlib.import_module(".network_files", __package__).CLASSES[name])
    if name in CODEBOOKS:
        return register(importlib.import_module(".codebooks", __package__).CLASSES[name])
    if name == EIGENVECTORS:
        return register(importlib.import_module(".eigenvectors", __package__).Eigenvectors)
    for point in importlib.metadata.entry_points().get(ENTRY_POINTS, ()) \
            if sys.version_info < (3, 12) else importlib.metadata.entry_points(group=ENTRY_POINTS):
        if point.name == name:
            with _one_line(f"{name}, entry point {point.value}"):
                return register(point.load())
    return None


@contextlib.contextmanager
def _one_line(codec):
    """Makes errors in somebody's code one line with the codec, and all but ValueError with their
    place."""
    try:
        yield
    except ValueError as error:
        if str(error).startswith("codec "):
            raise
        raise ValueError(f"codec {codec}: {error}") from None
    except Exception as error:
        place = ""
        if isinstance(error, SyntaxError):
            place = f" ({os.path.basename(error.filename or '')}:{error.lineno})"
            error = SyntaxError(error.msg)
        elif error.__traceback__.tb_next is not None:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            place = f" ({os.path.basename(frame.filename)}:{frame.lineno})"
        text = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"codec {codec}: {text}{place}") from None


class OpenCodec:
    """A codec with a model and a decoder, as a command line names it.

    spec: its text. model: the model_file, or what a codec in Python says in place of one.
    label: name for tables and legends. decoder_name, options: of the decoder, options that were
    given. iterative: whether the decoder has iterations, whose number is free. has_codewords,
    has_reports: what it can send. is_precoder: whether the BS gets a precoder in place of the
    channel, without phase and gain, of which NMSE says nothing. nr: antennas of the UE; with several also
    ranks, snr_db and array, see Codec.
    """

    spec = label = decoder_name = ""
    model: Any = None
    options: Dict[str, Any] = {}
    iterative = False
    has_codewords = True
    has_reports = False
    is_precoder = False
    nr = 1
    ranks: Sequence[int] = (1,)
    snr_db = 10.0
    array: Optional[Array] = None

    def code_size(self, ratio: Union[str, Fraction]) -> int:
        """M for a compression ratio M / (2 na nt), a Fraction or text such as 1/16."""
        try:
            size = Fraction(ratio) * 2 * self.model.na * self.model.nt
        except (ValueError, ZeroDivisionError):
            raise ValueError(f"ratio is {ratio}, allowed is a fraction such as 1/16") from None
        if size < 1 or size.denominator != 1:
            raise ValueError(f"ratio is {ratio}, which gives a codeword of {float(size):g} values "
                             f"for {self.model.na} x {self.model.nt} matrices")
        return int(size)

    def encoder(self, code_size: int) -> core.encoder:
        """The encoder for codewords of code_size values, 0: the longest."""
        raise NotImplementedError

    def decoder(self, code_size: int, iterations: Optional[int] = None) -> core.decoder:
        """The decoder object; iterations: in place of those of the specification."""
        raise NotImplementedError

    def all_options(self) -> Dict[str, str]:
        """{name: text} of all options of the decoder, those that were not given with their defaults."""
        return dict(self.options)

    def own_reports(self) -> Tuple[core.report_encoder, core.report_decoder]:
        """Report encoder and decoder of a codec that has its own."""
        raise NotImplementedError

    def sends(self, code_size: int) -> bool:
        """Whether codewords of this length, up to the longest, are any that the encoder makes."""
        raise NotImplementedError

    def quantizer(self, kind: str, code_size: int, bits: int) -> core.quantizer:
        """A quantizer object for its codewords."""
        raise NotImplementedError

    def operations(self, code_size: int,
                   iterations: Optional[int] = None) -> Tuple[Dict[str, int], Dict[str, int]]:
        """(multiply-adds of the encoder, of the decoder) by part, two dictionaries."""
        raise NotImplementedError

    def report_pair(self, quantizer_kind: str = "lloyd-max", code_size: int = 0,
                    bits: int = 4) -> Tuple[core.report_encoder, core.report_decoder]:
        """(report encoder, report decoder): its own, or of codewords of code_size values (0: the
        longest) and one of REPORTS, a quantizer with so many bits per value."""
        if quantizer_kind not in REPORTS:
            raise ValueError(f"quantizer is {quantizer_kind}, allowed is {', '.join(REPORTS)}; options of "
                             "a codec stand behind its name: NAME,option=value")
        if self.has_reports:
            return self.own_reports()
        if quantizer_kind == "entropy":
            return self.entropy_encoder(code_size), self.entropy_decoder(code_size)
        size = code_size or self.encoder(0).code_size()
        quantizer = self.quantizer(quantizer_kind, size, bits)
        return (core.quantized_report_encoder(self.encoder(size), quantizer),
                core.quantized_report_decoder(self.decoder(size), quantizer))

    @property
    def has_entropy_reports(self) -> bool:
        """Whether its model has the tables of entropy-coded reports."""
        return self.model.has("entropy/magnitudes")

    def entropy_encoder(self, code_size: int = 0) -> core.report_encoder:
        """The encoder of entropy-coded reports of codewords of code_size values, 0: all."""
        raise ValueError(f"codec {self.spec} has no entropy-coded reports")

    def entropy_decoder(self, code_size: int = 0) -> core.report_decoder:
        """The decoder likewise."""
        raise ValueError(f"codec {self.spec} has no entropy-coded reports")


class RegisteredCodec(OpenCodec):
    """A model file whose codec is in the registry: "MODEL[:DECODER[,name=value]..]"."""

    def __init__(self, spec: str, model: core.model_file, text: str) -> None:
        self.spec, self.model = spec, model
        self._codec = core.describe_codec(model.codec)
        self.array = plane_of(model)
        self.has_codewords, self.has_reports = (
            self._codec["has_codewords"], self._codec["has_reports"])
        if not self.has_codewords:
            self.label, self.decoder_name, self.options = self._codec["title"], "", {}
            self._report_options = text.lstrip(",")
            return
        try:
            parsed = core.parse_decoder(model.codec, text)
        except ValueError as error:
            raise ValueError(f"codec {spec}: {error}") from None
        self.label, self.decoder_name = parsed["label"], parsed["decoder"]
        self.options = parsed["options"]
        self._defaults = {o["name"]: o["fallback"] for o in parsed["all_options"]}
        self.iterative = "iterations" in self._defaults
        self._report_options = ""

    def all_options(self) -> Dict[str, str]:
        """{name: text} of all options of the decoder, those that were not given with their defaults."""
        return {**self._defaults, **self.options}

    def _text(self, iterations=None):
        options = dict(self.options)
        if iterations is not None:
            options["iterations"] = iterations
        return ",".join([self.decoder_name, *(f"{k}={v}" for k, v in options.items())])

    def encoder(self, code_size: int) -> core.encoder:
        """The encoder for codewords of code_size values, 0: the longest."""
        return core.encoder_from_model(self.model, code_size)

    def decoder(self, code_size: int, iterations: Optional[int] = None) -> core.decoder:
        """The decoder object; iterations: in place of those of the specification."""
        return core.decoder_from_model(self.model, code_size, self._text(iterations))

    def own_reports(self) -> Tuple[core.report_encoder, core.report_decoder]:
        """Report encoder and decoder of a codec that has its own."""
        return (core.report_encoder_from_model(self.model, self._report_options),
                core.report_decoder_from_model(self.model, self._report_options))

    def entropy_encoder(self, code_size: int = 0) -> core.report_encoder:
        """The encoder of entropy-coded reports of codewords of code_size values, 0: all."""
        return core.entropy_report_encoder(self.model, code_size)

    def entropy_decoder(self, code_size: int = 0) -> core.report_decoder:
        """The decoder likewise."""
        return core.entropy_report_decoder(self.model, code_size, self._text())

    def sends(self, code_size: int) -> bool:
        """Whether codewords of this length, up to the longest, are any that the encoder makes."""
        return core.can_send(self.model, code_size)

    def quantizer(self, kind: str, code_size: int, bits: int) -> core.quantizer:
        """A quantizer object for its codewords."""
        return core.make_quantizer(self.model, kind, code_size, bits)

    def operations(self, code_size: int,
                   iterations: Optional[int] = None) -> Tuple[Dict[str, int], Dict[str, int]]:
        """(multiply-adds of the encoder, of the decoder) by part, two dictionaries."""
        return core.operation_counts(self.model, code_size, self._text(iterations))


class PythonCodec(OpenCodec):
    """A codec in Python: "MODULE:CLASS", "FILE.py:CLASS" or an entry point, with options."""

    decoder_name = ""

    def __init__(self, spec: str, cls: Any, options: Dict[str, Any]) -> None:
        self.spec, self.options = spec, dict(options)
        path = options.pop("model", None)
        with _one_line(spec):
            self.codec = cls(core.model_file(path) if path else None, **options)
        self.model = self.codec.model or _Sizes(self.codec)
        self.label = self.codec.title or self.codec.name
        self.has_codewords = bool(self.codec.code_size)
        self.has_reports = bool(self.codec.report_bits[1])
        self.is_precoder = bool(self.codec.is_precoder)
        for name in ("nr", "ranks", "snr_db", "array"):
            setattr(self, name, getattr(self.codec, name))
        for name in ("rows", "nt"):
            if getattr(self.codec, name) < 1:
                raise ValueError(f"codec {spec}: {name} is {getattr(self.codec, name)}, allowed "
                                 "is 1 or more")

    def encoder(self, code_size: int) -> core.encoder:
        """The encoder for codewords of code_size values, 0: the longest."""
        return core.encoder(self.codec.encoder(code_size))

    def decoder(self, code_size: int, iterations: Optional[int] = None) -> core.decoder:
        """The decoder object."""
        return core.decoder(self.codec.decoder(code_size))

    def own_reports(self) -> Tuple[core.report_encoder, core.report_decoder]:
        """Report encoder and decoder of a codec that has its own."""
        return (core.report_encoder(self.codec.report_encoder()),
                core.report_decoder(self.codec.report_decoder()))

    def sends(self, code_size: int) -> bool:
        """Whether codewords of this length, up to the longest, are any that the encoder makes."""
        return self.codec.can_send(code_size)

    def quantizer(self, kind: str, code_size: int, bits: int) -> core.quantizer:
        """A quantizer object for its codewords."""
        if kind not in QUANTIZERS:
            raise ValueError(f"quantizer is {kind}, allowed is " + ", ".join(QUANTIZERS))
        return self.codec.quantizer(kind, code_size, bits)

    def operations(self, code_size: int,
                   iterations: Optional[int] = None) -> Tuple[Dict[str, int], Dict[str, int]]:
        """(multiply-adds of the encoder, of the decoder) by part, two dictionaries."""
        return self.codec.operations(code_size)


class _Sizes:
    """What a codec in Python without model file says of itself, as a model_file does."""

    def __init__(self, codec):
        self.codec, self.domain, self.model_id = codec.name, codec.domain, codec.model_id
        self.nc, self.na, self.nt, self.precursor = (
            codec.nc or (codec.rows if codec.domain == "H" else 0), codec.rows, codec.nt,
            codec.precursor if codec.domain == "Ha" else 0)
        self.nr, self.array = codec.nr, codec.array
        self.path = None

    def text(self, name):
        return ""

    def has(self, name):
        return False

    def read(self, name):
        raise ValueError(f"codec {self.codec} has no model file, and no array {name}")


def _options(spec, text):
    """{name: value} of "name=value,name=value"."""
    options = {}
    for part in filter(None, text.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            raise ValueError(f"codec {spec}: {part} is no option, expected name=value")
        options[name] = value
    return options


def open_codec(spec: "str | os.PathLike[str]") -> OpenCodec:
    """The OpenCodec that a text, or the path of a file, names.

    "MODEL[:DECODER[,name=value]..]": a model file or the name of a shipped model, with a decoder
    of its codec; "MODULE:CLASS[,name=value]..", "FILE.py:CLASS[,..]" or "NAME[,..]" of an entry
    point: a codec in Python; "FILE.pt[,name=value]..", "FILE.onnx[,..]": a network's file, see
    `network_files`; "type1[:name=value,..]", "type2[:..]", "etype2[:..]": a PMI codebook, see `codebooks`;
    "eigenvectors:model=FILE[,..]": see `eigenvectors`.
    Raises ValueError that says what is wrong.
    """
    spec = os.fspath(spec)
    head, _, rest = spec.partition(",")
    name, colon, decoder = head.rpartition(":")
    if os.path.splitext(head)[1] in NETWORK_FILES:
        return PythonCodec(spec, find_class(spec), _options(spec, rest))
    if (name if colon else head) in (*CODEBOOKS, EIGENVECTORS):
        text = ",".join(filter(None, (decoder if colon else "", rest)))
        return PythonCodec(spec, find_class(name if colon else head), _options(spec, text))
    # A model, with or without decoder, unless it is clearly something in Python.
    if not name.endswith(".py"):
        try:
            model = core.model_file(name if colon else head)
        except ValueError as error:
            cls = find_class(head)
            if cls is None:
                raise error from None
            return PythonCodec(spec, cls, _options(spec, rest))
        known = _classes.get(model.codec) or (
            None if model.codec in core.codec_names() else _entry_point(model.codec))
        text = (decoder if colon else "") + ("," + rest if rest else "")
        if known is not None:
            # The only decoder of a codec in Python has the codec's name.
            options = _options(spec, rest if colon and decoder == model.codec else text)
            return PythonCodec(spec, known, {**options, "model": model.path})
        return RegisteredCodec(spec, model, text)
    return PythonCodec(spec, find_class(head), _options(spec, rest))


def _opened(codec, decoder=""):
    """An OpenCodec of a text, or of a model_file object."""
    if isinstance(codec, core.model_file):
        return RegisteredCodec(codec.path, codec, decoder)
    return open_codec(f"{os.fspath(codec)}:{decoder}" if decoder else codec)


def encoder_from_model(codec: Union[str, core.model_file], code_size: int = 0) -> core.encoder:
    """The encoder object of any codec.

    codec: a text as in open_codec, or a model_file. code_size: M, 0 for the longest codewords.
    """
    return _opened(codec).encoder(code_size)


def decoder_from_model(codec: Union[str, core.model_file], code_size: int = 0,
                       decoder: str = "") -> core.decoder:
    """The decoder object of any codec.

    codec, code_size: as in encoder_from_model. decoder: one of the codec's decoders with its
    options, for example "fista,iterations=100"; empty: the usual one.
    """
    return _opened(codec, decoder).decoder(code_size)


def report_encoder_from_model(codec: Union[str, core.model_file], quantizer: str = "lloyd-max",
                              code_size: int = 0, bits: int = 4) -> core.report_encoder:
    """The report encoder of any codec: its own, or that of its codewords with a quantizer of so
    many bits per value.

    codec, code_size: as in encoder_from_model. quantizer: one of REPORTS; "entropy" makes reports
    of any number of bits, and does not use `bits`.
    """
    return _opened(codec).report_pair(quantizer, code_size, bits)[0]


def report_decoder_from_model(codec: Union[str, core.model_file], quantizer: str = "lloyd-max",
                              code_size: int = 0, bits: int = 4) -> core.report_decoder:
    """The report decoder likewise."""
    return _opened(codec).report_pair(quantizer, code_size, bits)[1]
