#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Latency and throughput of codecs beside NumPy and PyTorch, and of reports, on one thread.

Each operation runs with one matrix per call and with a batch of them. This module encodes and
decodes the matrices of a batch one by one, and its times have the normalization and the gain
in them; those of the others are the product with W or its adjoint alone, or the FISTA
iterations. All get the same channels, of the COST 2100 indoor model, and what they return is
compared. Reports are encoded to bits and decoded from them, quantizer and packing included. Runs
alternate; times are medians, and a speed-up is the median of the quotients of
neighbouring runs, with its quartiles. Time is the processor time of the thread.
"""

import os
import platform
import re
import tempfile
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .. import csifeedback_python as core
from .. import evaluation
from ..codecs import OpenCodec
from ..data.generate import generate
from ..model import read_model
from ..progress import Progress
from ..simulation import Loopback

try:
    import torch
except ImportError:
    torch = None

#: Largest difference of two results, relative to the largest value.
TOLERANCE = 1e-4


def complex_rows(model: core.model_file, code_size: int) -> Optional[np.ndarray]:
    """The rows u of W as complex vectors, None for a real W; s = u^* h in turn Re and Im."""
    if not model.has("encoder/W_complex") or code_size % 2:
        return None
    u = model.read("encoder/W_complex")[:code_size // 2]
    return np.ascontiguousarray(u[..., 0] + 1j * u[..., 1], np.complex64)


def real_rows(model: core.model_file, code_size: int) -> np.ndarray:
    """W, float32 (M, 2 na nt)."""
    if not model.has("encoder/W_complex"):
        return np.ascontiguousarray(model.read("encoder/W")[:code_size])
    u = model.read("encoder/W_complex")[:(code_size + 1) // 2]
    w = np.empty((2 * len(u), 2 * u.shape[1]), np.float32)
    w[0::2] = np.concatenate([u[..., 0], u[..., 1]], axis=1)
    w[1::2] = np.concatenate([-u[..., 1], u[..., 0]], axis=1)
    return np.ascontiguousarray(w[:code_size])


class NumpyProducts:
    """s = A h and h = A^H s, A real or complex, for a vector or rows of vectors."""

    name = "NumPy"

    def __init__(self, matrix: np.ndarray) -> None:
        self.a = np.conj(matrix)
        self.adjoint = np.ascontiguousarray(self.a.conj().T)

    def array(self, x: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(x)

    def encode(self, h: np.ndarray) -> np.ndarray:
        return self.a @ h if h.ndim == 1 else h @ self.a.T

    def decode(self, s: np.ndarray) -> np.ndarray:
        return self.adjoint @ s if s.ndim == 1 else s @ self.adjoint.T

    def fista(self, s: np.ndarray, iterations: int, weight: float, norm: float) -> np.ndarray:
        """FISTA as in ista_decoder, for one codeword; soft thresholds act on real values."""
        correlation = self.decode(s)
        threshold = np.float32(weight * np.abs(correlation.view(np.float32)).max() / norm)
        h = before = np.zeros_like(correlation)
        t, momentum = 1.0, 0.0
        for _ in range(iterations):
            y = h + momentum * (h - before)
            y -= self.decode(self.encode(y) - s) / norm
            before, h = h, np.empty_like(y)
            values = y.view(np.float32)
            np.subtract(values, np.clip(values, -threshold, threshold), out=h.view(np.float32))
            t, last = (1 + np.sqrt(1 + 4 * t * t)) / 2, t
            momentum = (last - 1) / t
        return h


class NumpyColumns:
    """s = C [Re H; Im H] and its adjoint, C (d, 2 na) the same for every antenna."""

    name = "NumPy"

    def __init__(self, matrix: np.ndarray, nt: int, code_size: int) -> None:
        self.c, self.nt, self.code_size = matrix[:-(-code_size // nt)], nt, code_size

    def array(self, x: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(x)

    def encode(self, h: np.ndarray) -> np.ndarray:
        s = self.c @ h.reshape(*h.shape[:-1], -1, self.nt)
        return s.reshape(*h.shape[:-1], -1)[..., :self.code_size]

    def decode(self, s: np.ndarray) -> np.ndarray:
        whole = np.zeros((*s.shape[:-1], len(self.c) * self.nt), np.float32)
        whole[..., :self.code_size] = s
        h = self.c.T @ whole.reshape(*s.shape[:-1], -1, self.nt)
        return h.reshape(*s.shape[:-1], -1)


class NumpyPatches:
    """The local KLT, of complex matrices in rows."""

    name = "NumPy"

    def __init__(self, model: core.model_file, code_size: int) -> None:
        self.sides = []
        noise = model.read("encoder/noise")[np.argmin(np.abs(np.log(
            model.read("encoder/rates") / code_size)))]
        for side in ("rows", "columns"):
            basis = model.read(f"encoder/{side}_basis")
            u = np.ascontiguousarray(basis[..., 0] + 1j * basis[..., 1], np.complex64)
            variance = model.read(f"encoder/{side}_variance")
            inverse = (u.transpose(0, 2, 1) / (variance + noise)[:, None]) @ u.conj()
            self.sides.append((u, variance, np.ascontiguousarray(inverse.reshape(len(u), -1)),
                               np.log(variance + noise).sum(axis=1)))
        self.na, self.nt = (s[0].shape[1] for s in self.sides)
        self.row_bits, column_bits = ((len(s[0]) - 1).bit_length() for s in self.sides)
        self.bits = self.row_bits + column_bits
        self.amplitude = model.read("encoder/amplitude")[0]
        self.code_size = code_size

    def array(self, x: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(x)

    def order(self, p: np.ndarray, q: np.ndarray) -> np.ndarray:
        power = self.sides[0][1][p][:, :, None] * self.sides[1][1][q][:, None]
        count = -(-(self.code_size - self.bits) // 2)
        return np.argsort(-power.reshape(len(power), -1), axis=1, kind="stable")[:, :count]

    def encode(self, h: np.ndarray) -> np.ndarray:
        x = h.reshape(-1, self.na, self.nt)
        chosen = []
        for (_, _, inverse, logarithm), c in zip(
                self.sides, (x @ x.conj().transpose(0, 2, 1) / self.nt,
                             x.transpose(0, 2, 1) @ x.conj() / self.na)):
            score = (c.reshape(len(c), -1) @ inverse.conj().T).real + logarithm
            chosen.append(np.argmin(score, axis=1))
        p, q = chosen
        z = self.sides[0][0][p].conj() @ x @ self.sides[1][0][q].conj().transpose(0, 2, 1)
        cells = np.take_along_axis(z.reshape(len(z), -1), self.order(p, q), axis=1)
        both = p | q << self.row_bits
        signs = (both[:, None] >> np.arange(self.bits) & 1) * 2 - 1
        return np.hstack([signs * self.amplitude, cells.view(np.float32)])[
            :, :self.code_size].astype(np.float32).reshape(*h.shape[:-1], -1)

    def decode(self, s: np.ndarray) -> np.ndarray:
        s = s.reshape(-1, self.code_size)
        both = (s[:, :self.bits] > 0) @ (1 << np.arange(self.bits))
        p, q = both & (1 << self.row_bits) - 1, both >> self.row_bits
        z = np.zeros((len(s), self.na * self.nt), np.complex64)
        cells = s[:, self.bits:]
        cells = np.pad(cells, ((0, 0), (0, cells.shape[1] % 2)))
        np.put_along_axis(z, self.order(p, q), np.ascontiguousarray(cells).view(np.complex64),
                          axis=1)
        return (self.sides[0][0][p].transpose(0, 2, 1) @ z.reshape(-1, self.na, self.nt)
                @ self.sides[1][0][q]).reshape(len(s), -1)


class TorchProducts:
    """The same with PyTorch, A real."""

    name = "PyTorch mv"

    def __init__(self, matrix: np.ndarray) -> None:
        self.a = torch.from_numpy(matrix)
        self.adjoint = self.a.T.contiguous()

    def array(self, x: np.ndarray) -> "torch.Tensor":
        return torch.from_numpy(np.ascontiguousarray(x))

    def encode(self, h: "torch.Tensor") -> "torch.Tensor":
        return self.a.mv(h) if h.ndim == 1 else h @ self.a.T

    def decode(self, s: "torch.Tensor") -> "torch.Tensor":
        return self.adjoint.mv(s) if s.ndim == 1 else s @ self.adjoint.T

    def fista(self, s: "torch.Tensor", iterations: int, weight: float,
              norm: float) -> "torch.Tensor":
        threshold = float(weight * self.decode(s).abs().max() / norm)
        h = before = torch.zeros(self.a.shape[1])
        t, momentum = 1.0, 0.0
        for _ in range(iterations):
            y = h + momentum * (h - before)
            y -= self.decode(self.encode(y) - s) / norm
            before, h = h, torch.nn.functional.softshrink(y, threshold)
            t, last = (1 + np.sqrt(1 + 4 * t * t)) / 2, t
            momentum = (last - 1) / t
        return h


def l2o_profile(codec: OpenCodec) -> str:
    """The profile in the model file that the decoder uses."""
    usual = "realtime" if codec.model.has("l2o/realtime/p") else codec.model.codec
    return codec.options.get("profile", usual)


class TorchL2o:
    """The decoder of Csi-L2O as it is trained."""

    def __init__(self, codec: OpenCodec, size: int) -> None:
        from ..training import l2o_network as network
        model = codec.model
        arrays = read_model(model.path).arrays
        self._decoder = network.Decoder.of_model(arrays, l2o_profile(codec), model.na, model.nt)
        if size not in self._decoder.rates:
            raise ValueError(f"codec {codec.spec}: is trained for codewords of "
                             f"{', '.join(map(str, self._decoder.rates))} values, not {size}")
        self._rate = self._decoder.rates.index(size)
        encoder = network.Encoder(
            arrays.get("encoder/W_complex", arrays.get("encoder/W")), model.na, model.nt)
        with torch.no_grad():
            self._w = encoder.matrix(size).contiguous()
            self._norm = encoder.lipschitz([size])[0]
            self._start = None
            if self._decoder.start == "mmse":
                self._start = network.MmseStart(
                    arrays["decoder/basis"], arrays["decoder/variance"],
                    arrays["decoder/floor"][0], model.na, model.nt)
                self._start.update(encoder.matrix(encoder.code_size))
        self._shape = model.na, model.nt

    def decode(self, s: "torch.Tensor") -> "torch.Tensor":
        """Codewords (n, M) -> rows (n, 2 na nt)."""
        with torch.no_grad():
            x0 = self._decoder.first(self._w, s, self._norm, self._start)
            return self._decoder(self._w, s, x0, self._rate, self._norm)[0]

    def real(self, rows: "torch.Tensor") -> np.ndarray:
        """What decode() returned, as [Re, Im]."""
        na, nt = self._shape
        return rows.numpy().reshape(-1, na, 2, nt).transpose(0, 2, 1, 3).reshape(len(rows), -1)


def csinet_encoder(na: int, nt: int, size: int) -> Any:
    """The encoder of CsiNet (Wen, Shih and Jin, 2018), with random weights."""
    nn = torch.nn
    return nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.BatchNorm2d(2), nn.LeakyReLU(0.3),
                         nn.Flatten(), nn.Linear(2 * na * nt, size)).eval()


class TorchLinear(TorchProducts):
    """As a network does it: a Linear layer, for a batch of shape (1, n) or larger."""

    name = "PyTorch Linear"

    def encode(self, h: "torch.Tensor") -> "torch.Tensor":
        return torch.nn.functional.linear(h.reshape(-1, self.a.shape[1]), self.a)

    def decode(self, s: "torch.Tensor") -> "torch.Tensor":
        return torch.nn.functional.linear(s.reshape(-1, self.a.shape[0]), self.adjoint)


def seconds_a_call(call: Callable[[], Any], count: int) -> float:
    # Of this thread alone: other programs on the machine disturb it less.
    start = time.thread_time()
    for _ in range(count):
        call()
    return (time.thread_time() - start) / count


def beside(calls: Sequence[Callable[[], Any]], repeats: int,
           progress: Callable[[], None]) -> Tuple[np.ndarray, np.ndarray]:
    """Median seconds of each call, and the quotients of each by the first: quartiles."""
    counts = [max(1, int(0.005 / min(seconds_a_call(call, 3) for _ in range(3))))
              for call in calls]
    times = np.empty((repeats, len(calls)))
    for row in times:
        for i, (call, count) in enumerate(zip(calls, counts)):
            call()
            row[i] = seconds_a_call(call, count)
        progress()
    quotients = np.percentile(times / times[:, :1], [50, 25, 75], axis=0)
    return np.median(times, axis=0), quotients.T


def to_real(x: np.ndarray) -> np.ndarray:
    """Complex vectors in rows as [Re, Im]; real ones as they are."""
    x = np.asarray(x)
    return np.concatenate([x.real, x.imag], axis=-1) if np.iscomplexobj(x) else x


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference, relative to the largest value."""
    return float(np.abs(ours - theirs).max() / np.abs(ours).max())


def channels(model: core.model_file, count: int, first: int = 0) -> np.ndarray:
    """Matrices of the COST 2100 indoor model for a codec's model, complex64 (count, na, nt)."""
    na, nt = model.na, model.nt
    whole = model.domain == "H"
    ha = core.generate_channels(
        core.cost2100_channel("indoor", nc=na if whole else max(1024, na), nt=nt),
        first=first, count=count, na=0 if whole else na)[0].reshape(count, na, nt)
    ha /= np.sqrt(np.mean(np.abs(ha) ** 2, axis=(1, 2), keepdims=True))
    return ha


@dataclass(frozen=True)
class ReportKind:
    """Reports that are measured, and the codewords beside them.

    ratio: compression ratio that was asked for, None: a budget was. code_size: values of the
    codeword, None: there is none. quantizer: how these are quantized, or "own". budget: most bits
    of a report, 0: as many as it can have. encoder, decoder: report encoder and decoder.
    """

    ratio: str | None
    code_size: int | None
    quantizer: str
    budget: int
    encoder: core.report_encoder
    decoder: core.report_decoder


def report_kinds(codec: OpenCodec, ratio: str, quantizer: str, bits: int,
                 budgets: Optional[Sequence[int]] = None) -> List[ReportKind]:
    """The ReportKinds of a codec: one of its own ones or of the codeword of this ratio and
    quantizer; with budgets, in bits, one for each, of codewords those that choose_report() finds."""
    if codec.has_reports:
        return [ReportKind(None, None, "own", budget, *codec.own_reports())
                for budget in budgets or [0]]
    if not budgets:
        choices = [(evaluation.ReportChoice(codec.code_size(ratio), quantizer, bits), 0)]
    else:
        few = channels(codec.model, 120, 1 << 20)
        whole = codec.model.domain == "H"
        validation = evaluation.Evaluator(None if whole else few, None, codec.model.nc,
                                          codec.model.precursor, 0, few if whole else None)
        choices = [(evaluation.choose_report(codec, validation, budget)[0], budget)
                   for budget in budgets]
    longest = codec.encoder(0).code_size()
    return [ReportKind(None if budget else ratio, choice.code_size or longest,
                       choice.quantizer + f", {choice.bits}" * bool(choice.bits), budget,
                       *choice.report_pair(codec))
            for choice, budget in choices]


def report_operations(codec: OpenCodec, kind: ReportKind,
                      batch: int) -> Tuple[List[Any], float, Optional[float]]:
    """What operations() gives, of a ReportKind, the mean bits of a report and the encoder's mean
    multiply-adds, None if they are not counted."""
    encoder, decoder, budget = kind.encoder, kind.decoder, kind.budget
    if budget and budget < encoder.min_bits():
        raise ValueError(f"budget has {budget}, allowed is {encoder.min_bits()} to 65535 with codec "
                         f"{codec.spec}")
    h = channels(codec.model, batch)
    bits, count, gain = encoder.encode(h, budget)
    parts = evaluation.report_operations(codec, encoder, kind.code_size, batch)
    alone = bits[0], int(count[0]), float(gain[0])
    table: List[Any] = [
        ("encode a report", 1, lambda: encoder.encode(h[0], budget), []),
        ("decode a report", 1, lambda: decoder.decode(*alone), []),
        ("encode a report", batch, lambda: encoder.encode(h, budget), []),
        ("decode a report", batch, lambda: decoder.decode(bits, count, gain), [])]
    return (table if batch > 1 else table[:2], float(np.mean(count)),
            sum(parts.values()) if parts else None)


def operations(codec: OpenCodec, size: int, batch: int) -> List[Any]:
    """[(operation, matrices per call, our call, [(alternative, its call, difference)])]"""
    model = codec.model
    na, nt = model.na, model.nt
    matrices = channels(model, batch)
    ha = matrices.reshape(batch, -1)
    encoder, decoder = codec.encoder(size), codec.decoder(size)
    s, gain = encoder.encode(matrices)
    gain[:] = 0
    h_hat = to_real(decoder.decode(s, gain).reshape(batch, -1))

    iterations = int(codec.options.get("iterations", 20))
    weight = float(codec.options.get("lambda", 0.02))
    # (alternative, its inputs to the encoder and to the decoder)
    others: List[Any] = []
    invertible = not model.has("decoder/basis")  # of a KLT, whose rows are principal components
    if model.has("encoder/W_columns"):
        columns = NumpyColumns(model.read("encoder/W_columns"), nt, size)
        others = [(columns.name, columns, to_real(ha), s)]
    elif model.has("encoder/rows_basis"):
        others = [(NumpyPatches.name, NumpyPatches(model, size), ha, s)]
    elif model.has("encoder/W") or model.has("encoder/W_complex"):
        w = real_rows(model, size)
        norm = float(np.linalg.norm(w.astype(float), 2) ** 2)
        others = [("NumPy (real)", NumpyProducts(w), to_real(ha), s)]
        u = complex_rows(model, size)
        if u is not None:
            others.append(("NumPy (complex)", NumpyProducts(u), ha, s.view(np.complex64)))
        if torch:
            others += [(kind.name, kind(w), to_real(ha), s)
                       for kind in (TorchProducts, TorchLinear)]

    # Some codecs have one decoder without a name.
    decode = f"decode, {codec.decoder_name}" if codec.decoder_name else "decode"
    table: List[Any] = []
    calls: List[Any]
    for count in (1, batch):
        part = 0 if count == 1 else slice(None)
        calls = [(name, call, difference(s[part], np.ascontiguousarray(call()).view(np.float32)))
                 for name, products, h, _ in others
                 for call in [lambda p=products, x=products.array(h[part]): p.encode(x)]]
        if torch:
            network = csinet_encoder(na, nt, size)
            image = torch.from_numpy(to_real(ha[:count]).reshape(count, 2, na, nt))

            def run(network=network, image=image):
                with torch.no_grad():
                    return network(image)

            calls.append(("CsiNet encoder", run, 0.0))
        table.append(("encode", count, lambda h=matrices[part]: encoder.encode(h), calls))
        if codec.decoder_name == "fista" and count == 1:
            calls = [(name, lambda p=products, x=products.array(code[0]): p.fista(
                x, iterations, weight, norm)) for name, products, _, code in others
                if not isinstance(products, TorchLinear)]
        elif model.has("encoder/rows_basis") or codec.decoder_name == "linear" and invertible:
            calls = [(name, lambda p=products, x=products.array(code[part]): p.decode(x))
                     for name, products, _, code in others]
        elif codec.decoder_name == "l2o" and torch:
            products = TorchL2o(codec, size)
            code = torch.from_numpy(s[:count])
            error = difference(h_hat[:count], products.real(products.decode(code)))
            table.append((decode, count,
                          lambda x=s[part], g=gain[part]: decoder.decode(x, g),
                          [("PyTorch", lambda p=products, x=code: p.decode(x), error)]))
            continue
        else:
            calls = []
        table.append((
            decode, count,
            lambda x=s[part], g=gain[part]: decoder.decode(x, g),
            [(name, call, difference(h_hat[part], to_real(call()))) for name, call in calls]))
    return table


def machine() -> Dict[str, Any]:
    """What the figures depend on."""
    with open("/proc/cpuinfo") as file:
        model = re.search(r"^model name\s*: (.*)$", file.read(), re.MULTILINE)
    with open("/proc/self/maps") as file:
        libraries = set(re.findall(r"/(lib(?:openblas|blas|mkl|blis|cblas)[^/\s]*)$",
                                   file.read(), re.MULTILINE))
    return {"processor": model.group(1) if model else platform.machine(),
            "cores": os.cpu_count(), "python": platform.python_version(),
            "numpy": np.__version__, "torch": torch.__version__ if torch else None,
            "blas": ", ".join(sorted(libraries)) or "none found"}


def flowgraph(codec: OpenCodec, size: int, count: int) -> Dict[str, Any]:
    """Processor time for one CSI of the whole chain, encoder to metrics, as a flowgraph.

    Channels come from a data set of a thousand, so that the time of making them is not in it.
    Starting and stopping cancel out between a short and a long run.
    """
    model = codec.model
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "channels.h5")
        generate(path, model.text("channel") or "cost2100-indoor", 1000, 1000000,
                 model.domain == "H", model.na, model.precursor, nt=model.nt, nc=model.nc)
        channel = core.dataset_channel(path)
        quantizer = codec.quantizer("lloyd-max", size, 6)
        times = []
        for matrices in (100, 100 + count):
            chain = Loopback(channel, codec.encoder(size), codec.decoder(size), quantizer,
                             matrices, model.na, model.precursor, whole=False,
                             # rho over few subcarriers: a measure, and no part of the chain
                             nc=model.na, domain=model.domain)
            start = time.process_time()
            chain.run_to_end()
            times.append(time.process_time() - start)
            figures = chain.figures()
    seconds = (times[1] - times[0]) / count
    return {"codec": codec.label, "us_a_csi": 1e6 * seconds, "csi_per_second": 1 / seconds,
            "users_at_1000_csi_per_second": int(1e-3 / seconds), "matched": figures["matched"],
            "nmse_db": figures["nmse_db"], "decode_us": figures["decode_us"]}


def compare(codec: OpenCodec, kind: ReportKind, batch: int,
            repeats: int) -> List[Dict[str, Any]]:
    """Rows of the table: each operation of a codec by this module and by the alternatives, and
    those of a ReportKind."""
    reports, report_bits, multiply_adds = report_operations(codec, kind, batch)
    table: List[Any] = [(row, None) for row in operations(codec, kind.code_size, batch)] \
        if kind.code_size is not None else []
    table += [(row, report_bits) for row in reports]
    progress = Progress(codec.label, len(table) * repeats)
    done = iter(range(1, len(table) * repeats + 1))
    rows = []
    for (operation, per, ours, others), bits in table:
        times, quotients = beside([ours] + [call for _, call, _ in others], repeats,
                                  lambda: progress.update(next(done)))
        for i, (name, _, error) in enumerate([("this module", None, 0.0)] + others):
            rows.append({
                "codec": codec.label, "ratio": kind.ratio, "code_size": kind.code_size,
                "quantizer": kind.quantizer if bits else None, "report_bits": bits,
                "operation": operation, "matrices_a_call": per, "by": name,
                "multiply_adds": multiply_adds if operation == "encode a report" else None,
                "us": 1e6 * times[i] / per, "matrices_per_second": per / times[i],
                "our_speedup": quotients[i][0], "our_speedup_low": quotients[i][1],
                "our_speedup_high": quotients[i][2], "difference": error})
    return rows


def one_thread() -> None:
    """PyTorch computes on one thread from here on."""
    if torch:
        torch.set_num_threads(1)
