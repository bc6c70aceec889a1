#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Trained codecs as graphs of PyTorch, for files that other programs run.

`graph_of` makes a Graph of any codec that one can express, `write_torchscript` and `write_onnx`
write it. What they write, `codecs.open_codec` opens; see `network_files` for the arrays.
"""

import contextlib
import io
import math
import os
import warnings
from typing import Any, Dict, Optional, Tuple

import numpy as np

try:
    import torch
except ImportError:
    raise ValueError("codecs are exported with PyTorch, which is not installed: "
                     "apt install python3-torch libopenblas0-pthread") from None
from torch import nn

from .. import csifeedback_python as core
from .. import network_files
from ..arrays import array_attributes
from ..codecs import open_codec
from ..model import read_model
from . import l2o_network, normalized
from .network import Network

#: largest relative error of an item that a graph may have
TOLERANCE = 1e-4
#: matrices that are tried for that, and those of a call
TRIALS, BATCH = 64, 512


def _lipschitz(w):
    """||W||_2^2."""
    return float(torch.linalg.eigvalsh(w.double() @ w.double().t())[-1])


class Matrix(nn.Module):
    """y = x A^T."""

    def __init__(self, a: torch.Tensor) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.from_numpy(np.ascontiguousarray(a, np.float32)), False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.mm(x, self.a.t())


class L2o(nn.Module):
    """The learned decoder of Csi-L2O or MS4L2O for one code size, codewords to h_vec.

    start: linear estimate that it begins with, codeword to h_vec. decoder: l2o_network.Decoder
    whose step parameters at the number `rate` are those of the code size.
    """

    def __init__(self, w: torch.Tensor, start: Any, decoder: Any, rate: int,
                 iterations: int) -> None:
        super().__init__()
        self.decoder, self.start, self.rate, self.iterations = decoder, start, rate, iterations
        # Rows of matrices, as the decoder works on them.
        rows = np.asarray(w, np.float32).reshape(len(w), 2, decoder.na, decoder.nt)
        self.w = nn.Parameter(torch.from_numpy(np.ascontiguousarray(
            rows.transpose(0, 2, 1, 3)).reshape(len(w), -1)), False)
        self.lipschitz = _lipschitz(self.w)

    def forward(self, s: torch.Tensor) -> torch.Tensor:
        na, nt = self.decoder.na, self.decoder.nt
        if self.start is None:
            x = torch.mm(s, self.w) / self.lipschitz * (self.decoder.start == "adjoint")
        else:
            x = self.start(s).reshape(-1, 2, na, nt).transpose(1, 2).reshape(-1, 2 * na * nt)
        x, _ = self.decoder(self.w, s, x, self.rate, self.lipschitz, self.iterations)
        x = x.reshape(-1, na, 2, nt).transpose(1, 2).reshape(-1, 2 * na * nt)
        # The best estimate of nothing is zero.
        return x * (s.abs().amax(1, keepdim=True) > 0)


class Ista(nn.Module):
    """The decoders ISTA and FISTA (accelerate), codewords to h_vec; see ista_decoder."""

    def __init__(self, w: torch.Tensor, accelerate: bool, iterations: int, weight: float) -> None:
        super().__init__()
        self.w = Matrix(w).a
        self.accelerate, self.iterations, self.weight = accelerate, iterations, weight
        self.lipschitz = _lipschitz(self.w)

    def forward(self, s: torch.Tensor) -> torch.Tensor:
        first = torch.mm(s, self.w)
        threshold = first.abs().amax(1, keepdim=True) * (self.weight / self.lipschitz)
        x = before = torch.zeros_like(first)
        t, momentum = 1.0, 0.0
        for number in range(self.iterations):
            y = x + momentum * (x - before) if momentum else x
            gradient = torch.mm(torch.mm(y, self.w.t()) - s, self.w) if number else -first
            u = y - gradient / self.lipschitz
            before, x = x, torch.sign(u) * torch.relu(u.abs() - threshold)
            if self.accelerate:
                after = (1 + math.sqrt(1 + 4 * t * t)) / 2
                t, momentum = after, (t - 1) / after
        return x


class NetworkHalf(nn.Module):
    """A half of a learned codec, see training.network."""

    def __init__(self, network: Any, code_size: int) -> None:
        super().__init__()
        self.network, self.code_size = network, code_size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network.encode(x, self.code_size) if self.code_size else self.network.decode(x)


class _Encode(nn.Module):

    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, h):
        return self.encoder(h.flatten(1))


class _Decode(nn.Module):

    def __init__(self, decoder, rows, nt):
        super().__init__()
        self.decoder, self.rows, self.nt = decoder, rows, nt

    def forward(self, s):
        return self.decoder(s).reshape(-1, 2, self.rows, self.nt)


class Graph:
    """A codec for one code size.

    encoder: module of h_vec (n, 2 rows nt) to codewords (n, M); decoder: of codewords to h_vec.
    stated: what its file states, see `network_info`. encode is then a module of matrices
    (n, 2, rows, nt), decode one that gives them.
    """

    def __init__(self, encoder: Optional[nn.Module], decoder: Optional[nn.Module], rows: int,
                 nt: int, stated: Dict[str, Any]) -> None:
        self.encode, self.decode = _Encode(encoder).eval(), _Decode(decoder, rows, nt).eval()
        self.rows, self.nt, self.stated = rows, nt, stated

    def half(self, name: str) -> Tuple[nn.Module, torch.Tensor]:
        """(module, an input of it) of "encoder" or "decoder"."""
        if name == "encoder":
            return self.encode, torch.full((3, 2, self.rows, self.nt), 0.5)
        return self.decode, torch.full((3, self.stated["code_size"]), 0.5)


class _Both(nn.Module):
    """The recorded halves as methods of one module."""

    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    @torch.jit.export
    def encode(self, h: torch.Tensor) -> torch.Tensor:
        return self.encoder(h)

    @torch.jit.export
    def decode(self, s: torch.Tensor) -> torch.Tensor:
        return self.decoder(s)


def _parts(h):
    """Complex matrices as h_vec, float32 (n, 2 rows nt)."""
    flat = np.asarray(h).reshape(len(h), -1)
    return np.concatenate([flat.real, flat.imag], 1).astype(np.float32)


def _encoder_matrix(encoder):
    """W (M, 2 rows nt) of an encoder, taking it for linear: its codewords of single elements."""
    n = encoder.rows() * encoder.nt()
    columns = []
    for begin in range(0, 2 * n, BATCH):
        at = np.arange(begin, min(begin + BATCH, 2 * n))
        h = np.zeros((len(at), n), np.complex64)
        h[np.arange(len(at)), at % n] = np.where(at < n, 1, 1j)
        # They are scaled to mean |h|^2 = 1.
        columns.append(encoder.encode(h.reshape(-1, encoder.rows(), encoder.nt()))[0] / np.sqrt(n))
    return np.concatenate(columns).T


def _decoder_matrix(decoder):
    """(2 rows nt, M) of a decoder, taking it for linear."""
    m = decoder.code_size()
    return np.concatenate([_parts(decoder.decode(np.eye(m, dtype=np.float32)[i:i + BATCH]))
                           for i in range(0, m, BATCH)]).T


def error(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest relative error of an item."""
    norms = np.linalg.norm(expected, axis=1)
    return float(np.max(np.linalg.norm(found - expected, axis=1) / np.maximum(norms, 1e-30)))


def _l2o(codec, size, w):
    """The learned decoder of a model file."""
    options, model = dict(codec.options), codec.model
    profile = options.pop("profile", "realtime" if model.has("l2o/realtime/p") else model.codec)
    iterations = int(options.pop("iterations", 0)) or None
    if float(options.pop("tolerance", 0)):
        raise ValueError("tolerance makes the number of iterations depend on the matrix")
    if options.pop("precision", "float32") != "float32":
        raise ValueError("precision is another one than a graph's, float32")
    arrays = read_model(model.path).arrays
    decoder = l2o_network.Decoder.of_model(arrays, profile, model.na, model.nt)
    if size not in decoder.rates:
        raise ValueError(f"its decoder was trained for codewords of "
                         f"{', '.join(map(str, decoder.rates))} values, not {size}")
    start = None
    if decoder.start == "mmse":
        start = Matrix(_decoder_matrix(core.decoder_from_model(model, size, "linear")))
    return L2o(w, start, decoder, decoder.rates.index(size), iterations)


def _ista(codec, size, w):
    """The sparse reconstruction with the options of a codec."""
    options = codec.all_options()
    if float(options["tolerance"]):
        raise ValueError("tolerance makes the number of iterations depend on the matrix")
    if options["warm_start"] != "0":
        raise ValueError("warm_start makes it depend on the matrix before")
    return Ista(w, codec.decoder_name == "fista", int(options["iterations"]),
                float(options["lambda"]))


#: decoders of the registry that are no matrices: name -> function (codec, code size, W)
DECODERS = {"l2o": _l2o, "ista": _ista, "fista": _ista}


def graph_of(spec: str, ratio: Optional[str] = None) -> Graph:
    """The Graph of a codec that a text names, see open_codec, in evaluation mode.

    ratio: compression ratio, such as 1/16; None: that of the longest codewords. Raises ValueError
    with the reason if there is none.
    """
    codec = open_codec(spec)
    if not codec.has_codewords:
        raise ValueError(f"codec {spec} has no codewords, only reports")
    size = codec.encoder(0).code_size() if ratio is None else codec.code_size(ratio)
    encoder, decoder, model = codec.encoder(size), codec.decoder(size), codec.model
    rows, nt = encoder.rows(), encoder.nt()

    def no_graph(reason):
        raise ValueError(f"codec {spec} cannot be exported: {reason}") from None

    network = getattr(getattr(codec, "codec", None), "network", None)
    if isinstance(network, Network):
        halves = NetworkHalf(network, size), NetworkHalf(network, 0)
    elif isinstance(network, core.network):
        no_graph("it is a network's file already")
    else:
        w = _encoder_matrix(encoder)
        try:
            halves = Matrix(w), DECODERS[codec.decoder_name](codec, size, w) \
                if codec.decoder_name in DECODERS else Matrix(_decoder_matrix(decoder))
        except ValueError as reason:
            no_graph(reason)
    stated = {"title": codec.label.replace(",", ""), "domain": model.domain, "rows": rows, "nt": nt,
              "code_size": size, "model_id": model.model_id}
    if model.domain == "Ha":
        stated.update(nc=model.nc, precursor=model.precursor, **array_attributes(model.array))
    stated = {k: v for k, v in stated.items() if v or k == "model_id"}
    graph = Graph(*halves, rows, nt, stated)
    # What is no matrix shows here.
    h = normalized(np.random.default_rng(1).standard_normal((TRIALS, rows, nt, 2)) @ [1, 1j])
    with torch.no_grad():
        s = encoder.encode(h)[0]
        for what, found, expected in (
                ("encoder", graph.encode(torch.from_numpy(_parts(h)).reshape(-1, 2, rows, nt)), s),
                ("decoder", graph.decode(torch.from_numpy(s)).flatten(1),
                 _parts(decoder.decode(s)))):
            worst = error(found.numpy(), expected)
            if not worst <= TOLERANCE:
                no_graph(f"its {what} is neither a matrix nor a network that this program knows")
    return graph


@contextlib.contextmanager
def _constants():
    """Recording of a graph in which numbers that come of weights are constants, as they should be."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        yield


def write_torchscript(graph: Graph, path: str) -> None:
    """Writes a Graph as a TorchScript file with the methods encode and decode."""
    halves = []
    for name in network_files.HALVES:
        data = io.BytesIO()
        with _constants():
            # Freezing leaves out what a half does not use, such as the other one. A frozen module
            # can be a part of another one after it was read from a file.
            traced = torch.jit.trace(*graph.half(name), check_trace=False)
            torch.jit.save(torch.jit.freeze(traced, optimize_numerics=False), data)
        data.seek(0)
        halves.append(torch.jit.load(data))
    network_files.save_torchscript(_Both(*halves), path, **graph.stated)


def decoder_path(path: str) -> str:
    """Path of the decoder that write_onnx() writes beside the encoder in `path`."""
    return os.path.splitext(path)[0] + "-decoder.onnx"


def write_onnx(graph: Graph, path: str) -> None:
    """Writes a Graph as two ONNX files: the encoder in `path`, the decoder in decoder_path(path)."""
    decoder = decoder_path(path)
    for half, file in (("decoder", decoder), ("encoder", path)):
        texts = {"decoder": os.path.basename(decoder)} if half == "encoder" else {}
        names = ["h", "s"] if half == "encoder" else ["s", "h"]
        data = io.BytesIO()
        with _constants():
            module, example = graph.half(half)
            torch.onnx.export(
                module, (example,), data, opset_version=13,
                input_names=names[:1], output_names=names[1:],
                dynamic_axes={name: {0: "n"} for name in names})
        network_files.save_onnx(data.getvalue(), file, part=half, **texts, **graph.stated)
