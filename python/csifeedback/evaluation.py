#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What a codec does to CSI, computed without a flowgraph.

The same objects and the same rounding as in the blocks: a flowgraph on the same matrices
gives the same figures.
"""

import os
import time
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from . import csifeedback_python as core
from . import layers
from .arrays import Array, plane_of
from .codecs import QUANTIZERS, REPORTS, open_codec  # noqa: F401

#: header, gain and checksum of a feedback frame, in bits; one byte more where the encoder tells
#: its residual energy
FRAME_OVERHEAD_BITS = 8 * core.feedback_overhead_bytes
#: subbands over which SGCS is the mean, unless asked for others: those of 10 MHz
SUBBANDS = 13
#: matrices of UEs with several antennas that are scored at once
LAYER_BLOCK = 50
#: rows of a subband of which its eigenvector is computed, at most
SUBBAND_ROWS = 8

#: what a command line names, see codecs.open_codec
Codec = open_codec
#: a quantizer object of a model, a name, a code size and bits per value
make_quantizer = core.make_quantizer


def trained_on(model: Any) -> str:
    """What a model file says of its training, in a few words."""
    return (f"codec {model.codec}, trained on {model.text('channel') or 'imported channels'} with "
            f"{model.nc} subcarriers and {model.nt} antennas")


def to_db(x: float) -> float:
    return float(10 * np.log10(x)) if x > 0 else float("-inf") if x == 0 else float("nan")


def summary(ratios: np.ndarray) -> Dict[str, float]:
    """Mean of ||H-H^||^2/||H||^2 in dB with its 95 % interval."""
    mean = float(np.mean(ratios))
    half = 1.96 * float(np.std(ratios, ddof=1)) / np.sqrt(len(ratios)) if len(ratios) > 1 \
        else float("inf")
    return {"nmse_db": to_db(mean), "nmse_db_low": to_db(max(0.0, mean - half)),
            "nmse_db_high": to_db(mean + half)}


def subband_rows(nc: int, subbands: int) -> np.ndarray:
    """Rows of H of which the eigenvectors of its subbands are computed: all of them, or
    SUBBAND_ROWS of each subband, evenly spaced, where all have more. Row k belongs to subband
    floor(k subbands / nc)."""
    if nc < SUBBAND_ROWS * subbands:
        return np.arange(nc)
    first = -(-np.arange(subbands + 1) * nc // subbands)
    return np.concatenate([low + (2 * np.arange(SUBBAND_ROWS) + 1) * (high - low)
                           // (2 * SUBBAND_ROWS) for low, high in zip(first, first[1:])])


def strongest_beam(h: np.ndarray) -> np.ndarray:
    """What a BS knows of H, complex (k, nc, nt), that is told the one DFT beam, the same on all
    subcarriers, that receives the most power: a matrix of rows conjugate to it."""
    beams = np.fft.fft(np.eye(h.shape[2]), norm="ortho")
    best = np.argmax(np.sum(np.abs(h @ beams) ** 2, axis=1), axis=1)
    return np.broadcast_to(beams[:, best].T.conj()[:, None], h.shape)


class Evaluator:
    """Test matrices Ha (n, na, nt), with what the cut to na rows lost of each, and whole ones
    H (n, nc, nt) of the same channels; None what no codec takes.

    array: (N1, N2, polarizations) of the ports that Ha is of, None: a line. Codecs of Ha of another array get
    the matrices that the other transform makes of the same rows.
    rho_samples: matrices, the first ones, of which rho and SGCS are computed. subbands: over which
    SGCS is the mean; of fewer rows each is one.
    compact: core.compact_configuration of frames that gains are sent in, None: full ones.
    """

    compact: Any = None

    def __init__(self, ha: Optional[np.ndarray], energy_lost: Optional[np.ndarray], nc: int,
                 precursor: int, rho_samples: int = 500, h: Optional[np.ndarray] = None,
                 subbands: int = SUBBANDS, array: Optional[Array] = None) -> None:
        def contiguous(x):
            return None if x is None else np.ascontiguousarray(x, np.complex64)

        self.ha: Any = contiguous(ha)
        self.h: Any = contiguous(h)
        self.energy_lost: Any = energy_lost
        if ha is not None:
            _, na, nt = self.ha.shape
            self._shape = core.csi_shape("Ha", na, nt, nc, precursor, array)
            self._transform = core.angular_delay_transform(self._shape)
        self._rho_samples = min(rho_samples, len(self.h if ha is None else self.ha))
        self._subbands = min(subbands, nc)
        self._subband_rows = subband_rows(nc, self._subbands)
        self._vectors: Any = None

    def _turned(self, matrices, of, to):
        """Ha (n, na, nt) of one array as that of another: the same rows, from angles to antennas and to
        the other angles."""
        if of == to:
            return matrices
        _, na, nt = matrices.shape
        before, after = (core.angular_delay_transform(core.csi_shape("Ha", na, nt, na, 0, array))
                         for array in (of, to))
        return after.forward(before.inverse(matrices))[0]

    def _array_of(self, codec):
        """The array of the Ha that a codec takes."""
        return plane_of(codec.model) or (codec.model.nt, 1, 1)

    def _spectra(self, domain, matrices):
        """H of matrices in either domain."""
        return matrices if domain == "H" else self._transform.inverse(matrices)

    def rho(self, domain: str, estimate: np.ndarray) -> Optional[float]:
        """Mean cosine similarity over all subcarriers, of the first rho_samples matrices, to the
        true ones of that domain."""
        return self.likeness(domain, estimate)[0]

    def likeness(self, domain: str, estimate: np.ndarray) -> Tuple[float, np.ndarray]:
        """(rho, SGCS of each) of the first rho_samples matrices.

        SGCS is the mean over the subbands of |v^H w|^2 of the dominant eigenvectors of the true
        subbands, v, and of the estimated ones, w: of whole matrices where they are there, else of
        those of the delay rows. It is 0 where the estimate is.
        """
        truth = self.h if domain == "H" else self.ha
        total, found = 0.0, []
        for i in range(self._rho_samples):
            h = self._spectra(domain, estimate[i])
            total += float(core.cosine_similarity(self._spectra(domain, truth[i]), h))
            found.append(h[self._subband_rows])
        if not found:
            return float("nan"), np.empty(0)
        if self._vectors is None:
            whole, of = ("H", self.h) if self.h is not None else ("Ha", self.ha)
            self._vectors = self._eigenvectors([
                self._spectra(whole, of[i])[self._subband_rows]
                for i in range(self._rho_samples)])
        return total / len(found), core.sgcs(self._vectors, self._eigenvectors(found))[:, 0]

    def _eigenvectors(self, rows):
        """Of the subbands of which these rows (nc or fewer, nt) are."""
        return core.subband_eigenvectors(
            np.ascontiguousarray(rows, np.complex64)[:, :, None], self._subbands)

    def efficiency(self, se: Any, estimate: Callable[[np.ndarray], np.ndarray]) -> Tuple[np.ndarray, np.ndarray]:
        """Spectral efficiency of a core.spectral_efficiency, in bit/s/Hz: mean over groups of
        users and half width of its 95 % interval, each an array with a value for each SNR.

        estimate: function of indices that gives what the BS knows of these H: of users with several
        antennas the conjugate precoders of layers, as layers has them. Of G groups of K
        users, user k of group g has matrix k G + g, so that the neighbouring matrices of a track
        are not those of two users.
        """
        groups = len(self.h) // se.users()
        if groups < 1:
            raise ValueError(f"users is {se.users()}, allowed is up to the number of matrices, "
                             f"{len(self.h)}")
        values = np.empty((groups, len(se.snr_db())))
        shape = (se.users(), se.nc(), *([se.nr()] if se.nr() > 1 else []), se.nt())
        for g in range(groups):
            index = g + groups * np.arange(se.users())
            values[g] = se.compute(self.h[index].reshape(shape), estimate(index).reshape(shape))
        half = 1.96 * np.std(values, axis=0, ddof=1) / np.sqrt(groups) if groups > 1 \
            else np.full(values.shape[1], np.inf)
        return values.mean(axis=0), half

    def efficiency_figures(self, se: Any, estimate: Callable[[np.ndarray], np.ndarray]) -> Dict[str, Any]:
        """The same as part of a row of figures."""
        mean, half = self.efficiency(se, estimate)
        return {"users": se.users(), "se_snr_db": se.snr_db(), "se": mean.tolist(),
                "se_half_width": half.tolist()}

    def baselines(self, se: Any) -> List[Dict[str, Any]]:
        """Rows of figures for what needs no codec: perfect CSI, of users with several antennas the
        eigenvectors of each subcarrier for 1, 2 .. layers, and one DFT beam per user."""
        bits = int(np.ceil(np.log2(self.h.shape[2])))
        nr, nt = se.nr(), se.nt()

        def beam(index):
            """Of one layer."""
            found = strongest_beam(self.h[index]).reshape(len(index), -1, nr, nt).copy()
            found[:, :, 1:] = 0
            return found

        def eigenvectors(rank):
            """Function of indices that gives conjugate eigenvectors of so many layers."""
            def found(index):
                h = self.h[index].reshape(len(index), -1, nr, nt)
                w = np.zeros(h.shape, np.complex64)
                w[:, :, :rank] = layers.eigenvectors(h, h.shape[1], rank).conj().swapaxes(2, 3)
                return w
            return found

        perfect = [("perfect CSI", None, lambda index: self.h[index])] if nr == 1 else [
            (f"perfect CSI, {rank} layer{'s' if rank > 1 else ''}", None, eigenvectors(rank))
            for rank in range(1, min(nr, max(nt // se.users(), 1)) + 1)]
        return [{"codec": name, "payload_bits": payload, "samples": len(self.h),
                 **self.efficiency_figures(se, estimate)}
                for name, payload, estimate in (*perfect, ("DFT beam", bits, beam))]

    def matrices(self, codec: Any) -> Any:
        """(domain, true matrices, energy lost by truncation) that a codec takes; ValueError if the
        data are not for it."""
        domain = codec.model.domain
        truth, lost = (self.h, 0) if domain == "H" else (self.ha, self.energy_lost)
        if truth is None:
            raise ValueError(f"codec {codec.spec} takes matrices {domain}, the data are without")
        if (codec.model.na, codec.model.nt) != truth.shape[1:]:
            raise ValueError(f"codec {codec.spec} is for {codec.model.na} x {codec.model.nt} "
                             f"matrices ({trained_on(codec.model)}), the data are "
                             f"{truth.shape[1]} x {truth.shape[2]}")
        if domain == "Ha":
            truth = self._turned(truth, self._shape.array, self._array_of(codec))
        return domain, truth, lost

    def run(self, codec: Any, code_size: int, quantizer_kind: Optional[str] = None, bits: int = 0,
            noise_snr_db: Optional[float] = None, seed: int = 1, iterations: Optional[int] = None,
            se: Any = None) -> Dict[str, Any]:
        """Figures of one codec at one ratio and number of bits, 0 for unquantized values.

        noise_snr_db: complex Gaussian noise on the UE's matrices; errors are still against
        the true ones. iterations: of the decoder, in place of those that the codec names.
        se: core.spectral_efficiency, whose figures come beside.
        """
        _, truth, lost = self.matrices(codec)
        encoder, decoder = codec.encoder(code_size), codec.decoder(code_size, iterations)
        seen = noisy(truth, noise_snr_db, seed)
        start = time.perf_counter()
        s, gain_db, residual = encoder.encode(seen, with_residual_energy=True)
        encode_time = time.perf_counter() - start
        payload = 32 * code_size
        if bits:
            quantizer = codec.quantizer(quantizer_kind, code_size, bits)
            s = quantizer.dequantize(quantizer.quantize(s))
            gain_db = sent_gain(gain_db, self.compact)
            payload = quantizer.total_bits()
        start = time.perf_counter()
        estimate = decoder.decode(s, gain_db)
        decode_time = time.perf_counter() - start
        return {
            **self._names(codec),
            "ratio": str(Fraction(code_size, 2 * codec.model.na * codec.model.nt)),
            "code_size": code_size,
            "iterations": iterations,
            "quantizer": quantizer_kind if bits else "none", "bits": bits,
            "payload_bits": payload,
            "frame_bits": frame_bits(payload, np.isfinite(residual).any()) if bits else None,
            **(self._compact_bits(payload) if bits else {}),
            **self._errors(codec, truth, lost, estimate, se),
            "encode_us": 1e6 * encode_time / len(seen),
            "decode_us": 1e6 * decode_time / len(seen),
        }

    def run_budget(self, codec: Any, budget: int, choice: "Optional[ReportChoice]" = None,
                   noise_snr_db: Optional[float] = None, seed: int = 1,
                   se: Any = None) -> Dict[str, Any]:
        """Figures of one codec with reports of at most `budget` bits.

        choice: for codecs with codewords, a ReportChoice (see choose_report); None: the codec's
        own reports. Others as in run().
        """
        _, truth, lost = self.matrices(codec)
        encoder, decoder = choice.report_pair(codec) if choice else codec.own_reports()
        seen = noisy(truth, noise_snr_db, seed)
        start = time.perf_counter()
        bits, counts, gain_db = encoder.encode(seen, budget)
        encode_time = time.perf_counter() - start
        start = time.perf_counter()
        estimate = decoder.decode(bits, counts, sent_gain(gain_db, self.compact))
        decode_time = time.perf_counter() - start
        payload = float(np.mean(counts))
        how = choice_names(choice)
        size = how["code_size"]
        operations = report_operations(codec, encoder, size, len(seen))
        return {
            **self._names(codec),
            "ratio": str(Fraction(size, 2 * codec.model.na * codec.model.nt)) if size else None,
            **how,
            "iterations": None,
            "budget": budget,
            "payload_bits": int(payload) if payload == int(payload) else payload,
            "frame_bits": frame_bits(int(np.max(counts))),
            **self._compact_bits(int(np.max(counts))),
            **self._errors(codec, truth, lost, estimate, se),
            "encoder_operations": sum(operations.values()) if operations else None,
            "encode_us": 1e6 * encode_time / len(seen),
            "decode_us": 1e6 * decode_time / len(seen),
        }

    def _compact_bits(self, payload):
        return {"compact_bits": payload + self.compact.overhead_bits()} if self.compact else {}

    @staticmethod
    def missing(codec: Any, reason: Exception, **values: Any) -> Dict[str, Any]:
        """The row of a codec that cannot be run so; values: what was asked for."""
        return {**Evaluator._names(codec), "missing": str(reason), **values}

    @staticmethod
    def _names(codec):
        path = codec.model.path
        return {"codec": codec.label, "decoder": codec.decoder_name, "domain": codec.model.domain,
                "model": os.path.basename(path).removesuffix(".h5") if path else codec.spec}

    def _errors(self, codec, truth, lost, estimate, se):
        domain = codec.model.domain
        ratios = core.squared_error_ratio(truth, estimate)
        whole = ratios * (1 - lost) + lost
        nmse = {**summary(ratios), **{name.replace("nmse", "nmse_whole"): value
                                      for name, value in summary(whole).items()}}
        if codec.is_precoder:  # without phase and gain, an error is of nothing
            nmse = dict.fromkeys(nmse)
        scores = layers.of_codec(codec, self._subbands)
        if se and se.nr() != codec.nr:
            raise ValueError(f"codec {codec.spec} is for UEs with {codec.nr} antennas, the groups of users "
                             f"have {se.nr()} each")
        if scores:
            for i in range(0, self._rho_samples, LAYER_BLOCK):
                end = min(self._rho_samples, i + LAYER_BLOCK)
                scores.add(truth[i:end], estimate[i:end])
            return {**nmse, "rho": None, **scores.similarity(), "samples": len(ratios),
                    **scores.figures(),
                    **(self.efficiency_figures(se, lambda index: estimate[index]) if se else {})}
        if domain == "Ha":
            estimate = self._turned(estimate, self._array_of(codec), self._shape.array)
        rho, similarity = self.likeness(domain, estimate)
        return {
            **nmse,
            "rho": rho,
            **layers.similarity_summary(similarity),
            "samples": len(ratios),
            **(self.efficiency_figures(
                se, lambda index: self._spectra(domain, estimate[index])) if se else {}),
        }


def noisy(truth: np.ndarray, snr_db: Optional[float], seed: int) -> np.ndarray:
    """Matrices (n, rows, nt) with complex Gaussian noise; None: as they are."""
    if snr_db is None:
        return truth
    rng = np.random.default_rng(seed)
    power = np.mean(np.abs(truth) ** 2, axis=(1, 2), keepdims=True)
    scale = np.sqrt(power / 2 * 10 ** (-snr_db / 10))
    return (truth + scale * (rng.standard_normal(truth.shape)
                             + 1j * rng.standard_normal(truth.shape))).astype(np.complex64)


def sent_gain(gain_db: np.ndarray, compact: Any = None) -> np.ndarray:
    """Gains in dB as they come out of a feedback frame, or of a compact one of this
    core.compact_configuration. Raises ValueError if one is beyond what a frame carries; a matrix of
    zeros has none."""
    gain_db = np.asarray(gain_db)
    if compact:
        to_code, from_code = compact.gain_to_code, compact.gain_from_code
        low, high = compact.min_gain_db - 1 / 16, compact.max_gain_db() + 1 / 16
        if not compact.gain_bits:  # the gain is not sent
            low, high = -np.inf, np.inf
    else:
        to_code, from_code = core.gain_to_code, core.gain_from_code
        low, high = from_code(0), from_code(65535)
    bad = np.isfinite(gain_db) & ((gain_db < low) | (gain_db > high))
    if bad.any():
        raise ValueError(f"the gain of matrix {np.argmax(bad)} is {gain_db[np.argmax(bad)]:.1f} dB, "
                         f"a feedback frame carries {low:g} to {high:.2f} dB: scale the data"
                         + (", or choose --gain-bits and --min-gain" if compact else ""))
    return np.array([from_code(to_code(g)) for g in gain_db])


def frame_bits(payload_bits: int, with_residual_energy: bool = False) -> int:
    """Bits of a feedback frame (version 1 or 2) with a payload of so many bits."""
    return 8 * -(-payload_bits // 8) + FRAME_OVERHEAD_BITS + 8 * bool(with_residual_energy)


#: quantizers with a budget for the whole codeword: how they are made, and an array that they need
BUDGETED = {"allocated": (core.allocated_quantizer, "quantizer/std"),
            "predictive": (core.predictive_quantizer, "quantizer/prediction")}


@dataclass(frozen=True)
class ReportChoice:
    """How a codec with codewords makes a report: code_size values, and a quantizer of so many bits
    per value, or with one of BUDGETED of so many for the codeword. quantizer = "entropy":
    an entropy coder for the first code_size values, 0: all; bits is 0."""

    code_size: int
    quantizer: str
    bits: int

    def __str__(self):
        return ", ".join([*[f"M = {self.code_size}"] * bool(self.code_size), self.quantizer,
                          *[f"{self.bits} bits"] * bool(self.bits)])

    def quantizer_object(self, codec: Any) -> Any:
        """The quantizer."""
        if self.quantizer in BUDGETED:
            make, _ = BUDGETED[self.quantizer]
            return make(codec.model, self.code_size, self.bits)
        return codec.quantizer(self.quantizer, self.code_size, self.bits)

    def report_pair(self, codec: Any) -> Tuple[Any, Any]:
        """(report encoder, report decoder)."""
        if self.quantizer == "entropy":
            return codec.entropy_encoder(self.code_size), codec.entropy_decoder(self.code_size)
        quantizer = self.quantizer_object(codec)
        return (core.quantized_report_encoder(codec.encoder(self.code_size), quantizer),
                core.quantized_report_decoder(codec.decoder(self.code_size), quantizer))


def choice_names(choice: Optional[ReportChoice]) -> Dict[str, Any]:
    """What tables call a ReportChoice, or a report of a codec's own, which has None: its code_size,
    quantizer and bits, None where there is no number."""
    if choice is None:
        return {"code_size": None, "quantizer": "own", "bits": None}
    return {"code_size": choice.code_size or None, "quantizer": choice.quantizer,
            "bits": choice.bits or None}


def report_choices(codec: Any, budget: int,
                   kinds: Sequence[str] = REPORTS) -> List[ReportChoice]:
    """All ReportChoices worth trying for a budget in bits: for each quantizer and number of bits
    the longest codeword that fits, and of BUDGETED and "entropy" several lengths, of the latter also
    halves of the longest codeword, for which decoders are trained."""
    longest = codec.encoder(0).code_size()
    halves = [size for size in (longest >> k for k in range(8)) if size and codec.sends(size)]

    def sendable(size):
        size = min(size, longest)
        while size > 0 and not codec.sends(size):
            size -= 1
        return size

    choices: "set[ReportChoice]" = set()
    for kind in kinds:
        if kind == "entropy":
            if codec.has_entropy_reports and budget >= 16:
                lengths = {0}
                # Levels that go with patches are those of all values.
                if codec.model.has("entropy/level"):
                    lengths.update(sendable(round(share * budget)) for share in (0.25, 0.5, 1, 2))
                    lengths.update(size for size in halves if budget / 10 <= size <= 4 * budget)
                choices.update(ReportChoice(size, kind, 0) for size in lengths)
            continue
        if kind in BUDGETED:
            if not codec.model.has(BUDGETED[kind][1]):
                continue
            for share in (0.25, 0.35, 0.5, 0.7, 1, 1.4, 2, 4):
                size = sendable(round(share * budget))
                if size and budget <= 10 * size:
                    choices.add(ReportChoice(size, kind, budget))
            continue
        for bits in range(1, 11):
            size = sendable(budget // bits)
            if size:
                choices.add(ReportChoice(size, kind, bits))
    return sorted(choices, key=lambda c: (c.quantizer, c.bits, c.code_size))


class _Kept:
    """A codec whose objects are made once: encoders, decoders and reports of every code size."""

    def __init__(self, codec: Any) -> None:
        self._codec = codec
        self._made: Dict[Tuple[str, int], Any] = {}

    def __getattr__(self, name: str) -> Any:
        made = getattr(self._codec, name)
        if name not in ("encoder", "decoder", "entropy_encoder", "entropy_decoder"):
            return made

        def keep(code_size: int) -> Any:
            key = name, code_size
            if key not in self._made:
                self._made[key] = made(code_size)
            return self._made[key]

        return keep


def choose_report(codec: Any, validation: "Evaluator", budget: int,
                  kinds: Sequence[str] = REPORTS,
                  finalists: int = 4) -> Tuple[ReportChoice, float]:
    """The ReportChoice of least NMSE for a budget in bits, and its NMSE in dB.

    validation: an Evaluator with matrices that are not those of the test. A sixth of them
    picks `finalists`, all of them the best one. Raises ValueError if nothing fits.
    """
    _, truth, _ = validation.matrices(codec)
    kept = _Kept(codec)

    def error(choice, some):
        try:
            encoder, decoder = choice.report_pair(kept)
        except ValueError:  # the model has no tables for it
            return float("inf")
        bits, counts, gain_db = encoder.encode(some, budget)
        return float(np.mean(core.squared_error_ratio(
            some, decoder.decode(bits, counts, sent_gain(gain_db)))))

    few = truth[:max(1, len(truth) // 6)]
    errors = {c: error(c, few) for c in report_choices(codec, budget, kinds)}
    best = [c for c in sorted(errors, key=errors.__getitem__) if np.isfinite(errors[c])][:finalists]
    if not best:
        raise ValueError(f"codec {codec.spec} has no codeword and quantizer of at most {budget} "
                         "bits")
    errors = {c: error(c, truth) for c in best}
    choice = min(errors, key=errors.__getitem__)
    return choice, to_db(errors[choice])


def report_operations(codec: Any, encoder: Any, code_size: Optional[int],
                      count: int) -> Dict[str, float]:
    """Multiply-adds of a report encoder for one matrix by part; empty if nobody has counted them.

    Where they depend on the matrix, the mean of the `count` matrices that the encoder has encoded;
    else what the registry says of codewords of code_size values (None: the longest).
    """
    parts = encoder.operations()
    if parts:
        return {name: operations / count for name, operations in parts.items()}
    if not codec.has_codewords:
        return {}
    return dict(codec.operations(code_size or codec.encoder(0).code_size())[0])


def complexity(codec: Any, code_size: int, iterations: Optional[int] = None) -> Dict[str, Any]:
    """Multiply-adds for one matrix, of the encoder and of each part of the decoder.

    All of them: each element of the LSTM, each delay row of the transforms, every iteration;
    activations, thresholds and other work without products by weights is not counted. Of f_i
    all of the input counts, though only few of its values are not zero.
    Returns a dictionary, encoder, the parts of the decoder (of Csi-L2O start, gradients,
    transforms, lstm), and decoder: their sum. Where the encoder has parts too, they are there as
    encoder_NAME. Of MLCF the parts are neighbours (distances of all landmarks), products (what
    the matrix R needs beside the stored distances of landmarks), cholesky (with both
    substitutions) and sums; the sums of the encoder are also those of its residual energy.
    """
    encoder, decoder = codec.operations(code_size, iterations)
    parts = {f"encoder_{name}": count for name, count in encoder.items()} \
        if len(encoder) > 1 else {}
    return {"encoder": sum(encoder.values()), **parts, **decoder,
            "decoder": sum(decoder.values())}
