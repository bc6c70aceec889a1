#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What a codec does to CSI, computed without a flowgraph.

The same objects and the same rounding as in the blocks: a flowgraph on the same matrices
gives the same figures.
"""

import time
from fractions import Fraction

import numpy as np

from . import csifeedback_python as core
from .codecs import QUANTIZERS, open_codec  # noqa: F401

#: header, gain and checksum of a feedback frame, in bits; one byte more where the encoder tells
#: its mismatch
FRAME_OVERHEAD_BITS = 8 * core.feedback_overhead_bytes

#: what a command line names, see codecs.open_codec
Codec = open_codec
#: a quantizer object of a model, a name, a code size and bits per value
make_quantizer = core.make_quantizer


def trained_on(model):
    """What a model file says of its training, in a few words."""
    return (f"codec {model.codec}, trained on {model.text('channel') or 'imported channels'} with "
            f"{model.nc} subcarriers and {model.nt} antennas")


def to_db(x):
    return float(10 * np.log10(x)) if x > 0 else float("-inf") if x == 0 else float("nan")


def summary(ratios):
    """Mean of ||H-H^||^2/||H||^2 in dB with its 95 % interval."""
    mean = float(np.mean(ratios))
    half = 1.96 * float(np.std(ratios, ddof=1)) / np.sqrt(len(ratios)) if len(ratios) > 1 \
        else float("inf")
    return {"nmse_db": to_db(mean), "nmse_db_low": to_db(max(0.0, mean - half)),
            "nmse_db_high": to_db(mean + half)}


def strongest_beam(h):
    """What a BS knows of H, complex (k, nc, nt), that is told the one DFT beam, the same on all
    subcarriers, that receives the most power: a matrix of rows conjugate to it."""
    beams = np.fft.fft(np.eye(h.shape[2]), norm="ortho")
    best = np.argmax(np.sum(np.abs(h @ beams) ** 2, axis=1), axis=1)
    return np.broadcast_to(beams[:, best].T.conj()[:, None], h.shape)


class Evaluator:
    """Test matrices Ha (n, na, nt), with what the cut to na rows lost of each, and whole ones
    H (n, nc, nt) of the same channels; None what no codec takes."""

    def __init__(self, ha, energy_lost, nc, precursor, rho_samples=500, h=None):
        def contiguous(x):
            return None if x is None else np.ascontiguousarray(x, np.complex64)

        self.ha, self.energy_lost, self.h = contiguous(ha), energy_lost, contiguous(h)
        if ha is not None:
            _, na, nt = self.ha.shape
            self._transform = core.angular_delay_transform(nc, nt, na, precursor)
        self._rho_samples = min(rho_samples, len(h if ha is None else ha))

    def _spectra(self, domain, matrices):
        """H of matrices in either domain."""
        return matrices if domain == "H" else self._transform.inverse(matrices)

    def rho(self, domain, estimate):
        """Mean cosine similarity over all subcarriers, of the first rho_samples matrices, to the
        true ones of that domain."""
        truth = self.h if domain == "H" else self.ha
        total = 0.0
        for i in range(self._rho_samples):
            total += float(core.cosine_similarity(self._spectra(domain, truth[i]),
                                                  self._spectra(domain, estimate[i])))
        return total / self._rho_samples if self._rho_samples else float("nan")

    def efficiency(self, se, estimate):
        """Spectral efficiency of a core.spectral_efficiency, in bit/s/Hz: mean over groups of
        users and half width of its 95 % interval, each an array with a value for each SNR.

        estimate: function of indices that gives what the BS knows of these H. Of G groups of K
        users, user k of group g has matrix k G + g, so that the neighbouring matrices of a track
        are not those of two users.
        """
        groups = len(self.h) // se.users()
        if groups < 1:
            raise ValueError(f"users is {se.users()}, allowed is up to the number of matrices, "
                             f"{len(self.h)}")
        values = np.empty((groups, len(se.snr_db())))
        for g in range(groups):
            index = g + groups * np.arange(se.users())
            values[g] = se.compute(self.h[index], estimate(index))
        half = 1.96 * np.std(values, axis=0, ddof=1) / np.sqrt(groups) if groups > 1 \
            else np.full(values.shape[1], np.inf)
        return values.mean(axis=0), half

    def efficiency_figures(self, se, estimate):
        """The same as part of a row of figures."""
        mean, half = self.efficiency(se, estimate)
        return {"users": se.users(), "se_snr_db": se.snr_db(), "se": mean.tolist(),
                "se_half_width": half.tolist()}

    def baselines(self, se):
        """Rows of figures for what needs no codec: perfect CSI, and one DFT beam a user."""
        bits = int(np.ceil(np.log2(self.h.shape[2])))
        return [{"codec": name, "payload_bits": payload, "samples": len(self.h),
                 **self.efficiency_figures(se, estimate)}
                for name, payload, estimate in (
                    ("perfect CSI", None, lambda index: self.h[index]),
                    ("DFT beam", bits, lambda index: strongest_beam(self.h[index])))]

    def run(self, codec, code_size, quantizer_kind=None, bits=0, noise_snr_db=None, seed=1,
            iterations=None, se=None):
        """Figures of one codec at one ratio and number of bits, 0 for unquantized values.

        noise_snr_db: complex Gaussian noise on the UE's matrices; errors are still against
        the true ones. iterations: of the decoder, in place of those that the codec names.
        se: core.spectral_efficiency, whose figures come beside.
        """
        domain = codec.model.domain
        truth, lost = (self.h, 0) if domain == "H" else (self.ha, self.energy_lost)
        if truth is None:
            raise ValueError(f"codec {codec.spec} takes matrices {domain}, the data are without")
        if (codec.model.na, codec.model.nt) != truth.shape[1:]:
            raise ValueError(f"codec {codec.spec} is for {codec.model.na} x {codec.model.nt} "
                             f"matrices ({trained_on(codec.model)}), the data are "
                             f"{truth.shape[1]} x {truth.shape[2]}")
        encoder, decoder = codec.encoder(code_size), codec.decoder(code_size, iterations)
        seen = truth
        if noise_snr_db is not None:
            rng = np.random.default_rng(seed)
            power = np.mean(np.abs(truth) ** 2, axis=(1, 2), keepdims=True)
            scale = np.sqrt(power / 2 * 10 ** (-noise_snr_db / 10))
            seen = (truth + scale * (rng.standard_normal(truth.shape)
                                     + 1j * rng.standard_normal(truth.shape))
                    ).astype(np.complex64)
        start = time.perf_counter()
        s, gain_db, residual = encoder.encode(seen, with_residual_energy=True)
        encode_time = (time.perf_counter() - start) / len(seen)
        payload = 32 * code_size
        overhead = FRAME_OVERHEAD_BITS + 8 * bool(np.isfinite(residual).any())
        if bits:
            quantizer = codec.quantizer(quantizer_kind, code_size, bits)
            s = quantizer.dequantize(quantizer.quantize(s))
            gain_db = np.array([core.gain_from_code(core.gain_to_code(g)) for g in gain_db])
            payload = quantizer.total_bits()
        start = time.perf_counter()
        estimate = decoder.decode(s, gain_db)
        decode_time = (time.perf_counter() - start) / len(seen)
        ratios = core.squared_error_ratio(truth, estimate)
        whole = ratios * (1 - lost) + lost
        return {
            "codec": codec.label, "decoder": codec.decoder_name,
            "ratio": str(Fraction(code_size, 2 * codec.model.na * codec.model.nt)),
            "code_size": code_size,
            "iterations": iterations,
            "quantizer": quantizer_kind if bits else "none", "bits": bits,
            "payload_bits": payload,
            "frame_bits": 8 * -(-payload // 8) + overhead if bits else None,
            **summary(ratios),
            "nmse_whole_db": summary(whole)["nmse_db"],
            "rho": self.rho(domain, estimate),
            "samples": len(ratios),
            "encode_us": 1e6 * encode_time, "decode_us": 1e6 * decode_time,
            **(self.efficiency_figures(
                se, lambda index: self._spectra(domain, estimate[index])) if se else {}),
        }


def complexity(codec, code_size, iterations=None):
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
