#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What a codec does to CSI, computed without a flowgraph.

The same objects and the same rounding as in the blocks: a flowgraph on the same matrices
gives the same figures.
"""

import math
import time
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from . import csifeedback_python as core

#: header, gain and checksum of a feedback frame, in bits; one byte more where the encoder tells
#: its mismatch
FRAME_OVERHEAD_BITS = 8 * core.feedback_overhead_bytes

QUANTIZERS = ("uniform", "lloyd-max", "lloyd-max-per-entry", "allocated")
DECODERS = ("linear", "ista", "fista", "l2o", "mlcf", "local-klt")
#: codec of a model -> its name in tables and legends
NAMES = {"klt": "KLT", "gaussian": "Gaussian", "orthonormal": "orthonormal",
         "klt-columns": "KLT of columns", "klt-cells": "KLT x DFT cells",
         "csi-l2o": "Csi-L2O", "ms4l2o": "MS4L2O", "mlcf": "MLCF",
         "local-klt": "local KLT"}


@dataclass
class Codec:
    """A model with a decoder: "MODEL[:DECODER[,name=value]...]" on the command line.

    Options are those of the decoder: noise_variance for linear; iterations, lambda,
    tolerance, warm_start for ista and fista; profile, iterations, tolerance for l2o. The
    decoder is l2o, mlcf or local-klt where the model is for it, else linear.
    """

    spec: str
    model: object = field(init=False)
    decoder_name: str = field(init=False)
    options: dict = field(init=False)

    def __post_init__(self):
        name, _, rest = self.spec.rpartition(":") if ":" in self.spec else (self.spec, "", "")
        self.model = core.model_file(name)
        codec = self.model.codec
        usual = {"csi-l2o": "l2o", "ms4l2o": "l2o"}.get(
            codec, codec if codec in DECODERS else "linear")
        self.decoder_name, *options = (rest or usual).split(",")
        if self.decoder_name not in DECODERS:
            raise ValueError(f"codec {self.spec}: decoder is {self.decoder_name}, allowed is "
                             + ", ".join(DECODERS))
        self.options = {}
        for option in options:
            key, _, value = option.partition("=")
            if key == "profile":
                self.options[key] = value
                continue
            try:
                self.options["lambda_" if key == "lambda" else key] = (
                    int(value) if key == "iterations" else float(value))
            except ValueError:
                raise ValueError(f"codec {self.spec}: {key} is '{value}', which is no number"
                                 ) from None
        if "warm_start" in self.options:
            self.options["warm_start"] = bool(self.options["warm_start"])

    @property
    def label(self):
        """Name for tables and legends."""
        codec = NAMES.get(self.model.codec, self.model.codec)
        if self.decoder_name == "l2o":
            profile = self.options.get("profile", "")
            codec += f" {profile}" if profile and profile != "ms4l2o" else ""
            return codec + (f"-{self.options['iterations']}" if "iterations" in self.options
                            else "")
        if self.decoder_name == "linear":
            return codec if self.model.codec.startswith("klt") else f"{codec} + MMSE"
        if self.decoder_name == self.model.codec:
            return codec
        decoder = self.decoder_name.upper()
        if "iterations" in self.options:
            decoder += f"-{self.options['iterations']}"
        return f"{codec} + {decoder}"

    def encoder(self, code_size):
        if self.model.codec == "mlcf":
            return core.mlcf_encoder(self.model, code_size)
        if self.model.codec == "local-klt":
            return core.local_klt_encoder(self.model, code_size)
        return core.linear_encoder(self.model, code_size)

    def sends(self, code_size):
        """Whether codewords of this length, up to the longest, are any that the encoder makes."""
        if self.model.codec == "mlcf":  # whole dimensions of all antennas
            return code_size % self.model.nt == 0
        if self.model.codec != "local-klt":
            return True
        # The number of the patch comes first.
        patches = math.prod(len(self.model.read(f"encoder/{side}_variance"))
                            for side in ("rows", "columns"))
        return code_size >= patches.bit_length()

    @property
    def iterative(self):
        """Whether the decoder has iterations, whose number is free."""
        return self.decoder_name not in ("linear", "mlcf", "local-klt")

    @property
    def profile(self):
        """Of the decoder l2o: its name in the model file."""
        return self.options.get(
            "profile", "ms4l2o" if self.model.codec == "ms4l2o" else "realtime")

    def decoder(self, code_size, iterations=None):
        """The decoder object; iterations: in place of those of the specification."""
        options = dict(self.options)
        if iterations is not None:
            options["iterations"] = iterations
        try:
            if self.decoder_name == "linear":
                return core.linear_decoder(self.model, code_size, **options)
            if self.decoder_name == "mlcf":
                return core.mlcf_decoder(self.model, code_size, **options)
            if self.decoder_name == "local-klt":
                return core.local_klt_decoder(self.model, code_size, **options)
            if self.decoder_name == "l2o":
                return core.l2o_decoder(self.model, code_size,
                                        **{**options, "profile": self.profile})
            return core.ista_decoder(self.model, code_size,
                                     accelerate=self.decoder_name == "fista", **options)
        except TypeError:
            raise ValueError(f"codec {self.spec}: {self.decoder_name} has no such option among "
                             + ", ".join(self.options)) from None

    def code_size(self, ratio):
        """M for a compression ratio M / (2 na nt), a Fraction or text such as 1/16."""
        try:
            size = Fraction(ratio) * 2 * self.model.na * self.model.nt
        except (ValueError, ZeroDivisionError):
            raise ValueError(f"ratio is {ratio}, allowed is a fraction such as 1/16") from None
        if size < 1 or size.denominator != 1:
            raise ValueError(f"ratio is {ratio}, which gives a codeword of {float(size):g} values "
                             f"for {self.model.na} x {self.model.nt} matrices")
        return int(size)


def make_quantizer(model, kind, code_size, bits):
    """A quantizer object; bits is B for each entry, and M B the budget of "allocated"."""
    if kind == "uniform":
        return core.uniform_quantizer(model, code_size, bits)
    if kind == "lloyd-max":
        return core.lloyd_max_quantizer(model, code_size, bits)
    if kind == "lloyd-max-per-entry":
        return core.lloyd_max_quantizer(model, code_size, bits, per_entry=True)
    if kind == "allocated":
        return core.allocated_quantizer(model, code_size, bits * code_size)
    raise ValueError(f"quantizer is {kind}, allowed is " + ", ".join(QUANTIZERS))


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
        s, gain_db = encoder.encode(seen)
        encode_time = (time.perf_counter() - start) / len(seen)
        payload = 32 * code_size
        overhead = FRAME_OVERHEAD_BITS + 8 * (not np.isnan(encoder.mismatch()))
        if bits:
            quantizer = make_quantizer(codec.model, quantizer_kind, code_size, bits)
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
    Returns a dictionary, encoder, start, gradients, transforms, lstm, and decoder: their sum. Of
    MLCF the parts are neighbours (distances of all landmarks), products (what the matrix R needs
    beside the stored distances of landmarks), cholesky (with both substitutions) and sums of the
    decoder, and the same of the encoder; the sums of the encoder are also those of its mismatch.
    """
    model, m = codec.model, code_size
    if codec.decoder_name == "mlcf":
        return mlcf_complexity(model, m)
    n = 2 * model.na * model.nt
    parts = {"encoder": m * n, "start": 0, "gradients": 0, "transforms": 0, "lstm": 0}
    if model.has("encoder/W_columns"):
        parts["encoder"] = m * 2 * model.na
    if codec.decoder_name == "local-klt":
        na, nt = model.na, model.nt
        parts["transforms"] = 4 * na * nt * (na + nt)
        # Covariances, their likelihoods, and the same transform back.
        parts["encoder"] = 2 * parts["transforms"] + sum(
            2 * k**2 * len(model.read(f"encoder/{side}_variance"))
            for side, k in (("rows", na), ("columns", nt)))
    elif codec.decoder_name == "linear":
        parts["start"] = parts["encoder"]
    elif codec.decoder_name != "l2o":
        count = iterations or codec.options.get("iterations", 20)
        parts["gradients"] = 2 * count * m * n
    else:
        def shape(name):
            name = f"l2o/{codec.profile}/{name}"
            return model.read(name).shape if model.has(name) else None

        count = iterations or codec.options.get("iterations", 0) or shape("p")[1]
        kind = int(model.read(f"l2o/{codec.profile}/start")[0])
        parts["start"] = m * n if kind else 0
        hidden = shape("mlp_weight")
        # Of x and of y, which are the same at first; and the last consistency step.
        gradients = 2 * count - 1 if hidden else count
        if any(model.read(f"l2o/{codec.profile}/consistency")):
            gradients += 1
        parts["gradients"] = 2 * gradients * m * n
        layer = 0
        while shape(f"transform_forward_{layer}_weight"):
            for part in ("forward", "inverse"):
                _, out, into = shape(f"transform_{part}_{layer}_weight")
                parts["transforms"] += count * model.na * out * into
            layer += 1
        layer = 0
        while hidden and shape(f"lstm_{layer}_weight"):
            parts["lstm"] += count * n * int(np.prod(shape(f"lstm_{layer}_weight")))
            layer += 1
        if hidden:
            parts["lstm"] += count * n * (hidden[0] ** 2 + 5 * hidden[0])
    parts["decoder"] = sum(parts.values()) - parts["encoder"]
    return parts


def mlcf_complexity(model, code_size):
    """The same for MLCF."""
    def parts(half, landmarks, dim, results):
        count = model.read(f"{half}/{landmarks}").shape[0]
        k = int(model.read(f"{half}/neighbours")[0])
        return {"neighbours": model.nt * count * dim, "products": model.nt * k * dim,
                "cholesky": model.nt * (k ** 3 // 6 + k * k), "sums": model.nt * k * results}

    values, whole = 2 * model.na, code_size // model.nt
    dimensions = model.read("decoder/dimensions").astype(int)
    d = max([x for x in dimensions if x <= whole], default=dimensions[0])
    # The encoder computes all dimensions, and sends what is asked for.
    encoder = parts("encoder", "D_H", values, values + model.read("encoder/D_L").shape[1])
    decoder = parts("decoder", f"D_L_{d}", d, values)
    return {"encoder": sum(encoder.values()),
            **{f"encoder_{name}": count for name, count in encoder.items()}, **decoder,
            "decoder": sum(decoder.values())}
