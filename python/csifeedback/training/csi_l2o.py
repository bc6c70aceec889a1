#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Training of Csi-L2O and MS4L2O (needs PyTorch: Debian's python3-torch, libopenblas0-pthread).

One encoder W with ordered rows serves every ratio; every training step draws one of the
ratios. W starts as random combinations of the channel's principal components and stays
orthonormal; the decoder starts as plain proximal gradient steps in a tight frame of beams
from the linear MMSE estimate, so that it is no worse than that before training begins.

The state of a run is in OUTPUT.checkpoint (after Ctrl-C too), from where the same command goes on;
OUTPUT.csv has the training curve. Under torchrun (or python3 -m torch.distributed.run) the
batch is divided among the processes, with the same result as in one.
"""

import argparse
import json
import math
import os
import re
import time
from fractions import Fraction
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

try:
    import torch
except ImportError:
    from . import MissingModule
    raise MissingModule("this codec is trained with PyTorch, which is not installed: "
                        "apt install python3-torch libopenblas0-pthread") from None

from .. import csifeedback_python as core
from ..codecs import QUANTIZERS
from ..data.dataset import Dataset
from ..files import write_csv
from ..model import Model, read_model
from ..progress import Progress, held_interrupts
from . import checkpoint, linear, quantizers
from .fista_net import FistaNet
from .l2o_network import (ACTIVATIONS, STARTS, Decoder, Encoder, MmseStart, relative_errors,
                          rows_of)
from .network import load_network

#: the codecs that it trains
CODECS = ("csi-l2o", "ms4l2o")
CHECKPOINTS = True
#: they get tables of entropy-coded reports
ENTROPY_REPORTS = True
#: steps between two times that what depends on W follows it; runs are cut only there
FOLLOW = 20

#: what a checkpoint has beside arrays
PROGRESS = ("step", "best", "stale", "curve", "seconds")

PROFILES = {
    "realtime": {"hidden": 0, "lstm_layers": 2, "iterations": 16, "transform": [256], "top_g": 0,
                 "beta": 0.0, "activations": ["2sigmoid", "tanh", "sigmoid"], "start": "mmse",
                 "consistency": True, "gate": True, "w_start": "coloured", "noise_share": 0.25},
    "paper": {"hidden": 20, "lstm_layers": 2, "iterations": 10, "transform": [128, 128, 256],
              "top_g": 51, "beta": 0.01, "activations": ["2sigmoid", "tanh", "sigmoid"],
              "start": "mmse", "consistency": True, "gate": True, "w_start": "coloured",
              "noise_share": 0.25},
    "ms4l2o": {"hidden": 20, "lstm_layers": 2, "iterations": 10, "transform": [], "top_g": 0,
               "beta": 0.0, "activations": ["2sigmoid", "2sigmoid", "2sigmoid"], "start": "zeros",
               "consistency": False, "gate": False, "w_start": "gaussian", "noise_share": 0.0},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of these codecs."""
    add = parser.add_argument
    add("--profile", choices=sorted(PROFILES), default=None,
        help="preset of the options below, and name of the decoder in the model file (default: "
             "realtime; ms4l2o for that codec)")
    add("--decoder-name", metavar="NAME",
        help="name of the decoder in the model file (default: that of the profile)")
    add("--start-from", metavar="MODEL",
        help="begin with the encoder, the start and the decoder of this model file; its decoders of "
             "other profiles are kept if the encoder is frozen. Of a file for another number of delay "
             "rows the decoder alone is taken, whose parameters do not depend on it")
    add("--freeze-encoder", action="store_true",
        help="train the decoder alone: codewords stay those of --start-from")
    add("--freeze-decoder", action="store_true",
        help="train the encoder alone: the decoder stays that of --start-from")
    add("--freeze-steps", action="store_true",
        help="train the LSTM or the convolutions alone: the transform and the step parameters of the "
             "iterations stay those of --start-from")
    add("--steps", type=int, default=20000, metavar="N",
        help="training steps (default: 20000); 0: none, what the model begins with is written")
    add("--batch", type=int, default=64, metavar="N", help="matrices per step (default: 64)")
    add("--learning-rate", type=float, default=2e-3, metavar="X",
        help="of Adam, falls to 2 %% along a cosine (default: 2e-3)")
    add("--encoder-learning-rate", type=float, default=5e-4, metavar="X",
        help="that of W (default: 5e-4)")
    add("--rates", nargs="+", metavar="R", default=["1/64", "1/32", "1/16", "1/8", "1/4"],
        help="compression ratios that are trained; W has the rows of the largest (default: 1/64 "
             "1/32 1/16 1/8 1/4)")
    add("--rate-weights", type=float, nargs="+", metavar="X",
        help="how often each of --rates is trained, relative to the others (default: all alike)")
    add("--noise-share", type=float, metavar="X",
        help="part of the steps, 0 to 1, in which the encoder sees matrices with white noise and "
             "the decoder learns those without")
    add("--quantizer-bits", type=int, nargs=2, metavar=("LOW", "HIGH"),
        help="train decoders of quantized codewords, with step parameters for each number of bits "
             "per value from LOW to HIGH and a common transform: NAME-LOW to NAME-HIGH in the model "
             "file; needs --freeze-encoder")
    add("--quantizer", choices=QUANTIZERS, default="predictive",
        help="that of --quantizer-bits (default: predictive)")
    add("--snr", type=float, nargs=2, default=[0.0, 30.0], metavar=("LOW", "HIGH"),
        help="of these matrices in dB, uniform, one for every step (default: 0 30)")
    add("--code-size", type=int, default=0, metavar="M",
        help="rows of W, if more than the largest of --rates needs: those beyond are not trained, "
             "but a decoder that was trained at one ratio can be tried with more")
    add("--loss", choices=("log", "mse"), default="log",
        help="log: logarithm of the NMSE, so that all ratios weigh the same; mse: eq. (11) as it "
             "stands (default: log)")
    add("--intermediate", type=float, default=0.02, metavar="X",
        help="weight of the loss after every iteration but the last (default: 0.02), so that "
             "fewer iterations work too")
    add("--beta", type=float, metavar="X",
        help="weight of the sparse transform's own error in eq. (11)")
    add("--hidden", type=int, metavar="H",
        help="hidden size of the element-wise LSTM; 0: none, step parameters alone")
    add("--lstm-layers", type=int, metavar="N", help="layers of the LSTM")
    add("--lstm-share", type=float, metavar="X", default=1.0,
        help="part of a batch whose elements give the LSTM its gradient, 0 to 1: less is faster "
             "(default: 1)")
    add("--lstm-learning-rate", type=float, metavar="X",
        help="that of the LSTM (default: that of --learning-rate)")
    add("--iterations", type=int, metavar="T", help="iterations of the decoder")
    add("--random-iterations", type=int, nargs=2, metavar=("LOW", "HIGH"),
        help="every step trains a number of iterations from LOW to HIGH, drawn anew, so that the "
             "decoder works with any; reports have the errors after HIGH iterations too, and the "
             "state is chosen by the worse ones (default: always --iterations)")
    add("--graded-iterations", type=int, default=0, metavar="N",
        help="only the last N iterations of a step have gradients, which is faster (default: 0, "
             "all)")
    add("--tied-steps", action="store_true",
        help="the same step parameters in all iterations")
    add("--row-steps", action="store_true",
        help="step parameters of its own for every delay row, to which an LSTM adds; always so "
             "where --start-from has them")
    add("--convolutions", type=int, metavar="N",
        help="FISTA steps with convolutions, as in FISTA-Net, that follow the iterations (default: "
             "those of --start-from)")
    add("--convolutions-from", nargs="+", metavar="MODEL", default=[],
        help="begin with the last phases of these trained models of FISTA-Net, one for each of --rates")
    add("--start-decoder", metavar="NAME",
        help="the decoder of --start-from to begin with (default: --decoder-name, or that of the profile)")
    add("--transform", nargs="*", type=int, metavar="N",
        help="outputs of the layers of f_t; none: no transform")
    add("--untied", action="store_true", help="a transform of its own for every iteration")
    add("--top-g", type=int, metavar="G", help="entries that f_t keeps of a row; 0: all")
    add("--activations", nargs=3, choices=sorted(ACTIVATIONS), metavar="NAME",
        help="what makes p, a and b of the raw parameters: " + ", ".join(sorted(ACTIVATIONS)))
    add("--start", choices=sorted(STARTS), help="x at the beginning: zeros, adjoint (W^T s / L) "
                                                "or mmse (the linear MMSE estimate)")
    add("--gate", action=argparse.BooleanOptionalAction, default=None,
        help="learn gamma in x' = u + gamma (v - u); without: x' = v")
    add("--consistency", action=argparse.BooleanOptionalAction, default=None,
        help="end with a step that brings W x back to s")
    add("--w-start", choices=("coloured", "klt", "orthonormal", "gaussian"),
        help="W at the beginning: random combinations of principal components, weighted by their "
             "variance; these themselves; random. gaussian stays as it is, as in the papers' "
             "baselines, unless --learn-gaussian")
    add("--learn-gaussian", action="store_true", help="train a Gaussian W too")
    add("--validation", metavar="FILE",
        help="data set to choose the best state by (default: the end of the training set, 5 %%, "
             "at most 5000 matrices, which are then not trained on)")
    add("--patience", type=int, default=0, metavar="N",
        help="stop when N reports in turn bring no better validation (default: never)")
    add("--report", type=int, default=1000, metavar="N", help="steps between two (default: 1000)")
    add("--validation-samples", type=int, default=1000, metavar="N",
        help="matrices of a report (default: 1000)")
    add("--entry-bits", type=int, metavar="B", default=6,
        help="Lloyd-Max tables for every entry up to B bits, 0 to 10 (default: 6)")
    add("--device", help="cpu, cuda, ... (default: cuda where there is one)")


def _settings(args):
    """The profile's settings with those that were given."""
    args.profile = args.profile or ("ms4l2o" if args.codec == "ms4l2o" else "realtime")
    for name, value in PROFILES[args.profile].items():
        if getattr(args, name, None) is None:
            setattr(args, name, value)
    for name, low, high in (("steps", 0, 10**9), ("batch", 1, 10**5), ("hidden", 0, 1024),
                            ("lstm_layers", 1, 16), ("iterations", 1, 1000),
                            ("graded_iterations", 0, 1000), ("convolutions", 0, 1000), ("top_g", 0, 10**6),
                            ("entry_bits", 0, quantizers.MAX_BITS),
                            ("report", 1, 10**9), ("validation_samples", 2, 10**6)):
        value = getattr(args, name)
        if value is not None and not low <= value <= high:
            raise ValueError(f"--{name.replace('_', '-')} is {value}, allowed is {low} to {high}")
    for name in ("learning_rate", "encoder_learning_rate", "lstm_learning_rate", "beta",
                 "intermediate"):
        value = getattr(args, name)
        if value is not None and not 0 <= value < math.inf:
            raise ValueError(f"--{name.replace('_', '-')} is {value}, allowed is 0 or more")
    if args.lstm_learning_rate is None:
        args.lstm_learning_rate = args.learning_rate
    if args.random_iterations and not 1 <= args.random_iterations[0] <= args.random_iterations[1] \
            <= 1000:
        raise ValueError("--random-iterations is {} {}, allowed are two numbers from 1 to 1000, the "
                         "lower one first".format(*args.random_iterations))
    if not 0 < args.lstm_share <= 1:
        raise ValueError(f"--lstm-share is {args.lstm_share}, allowed is more than 0, up to 1")
    if not 0 <= args.noise_share <= 1:
        raise ValueError(f"--noise-share is {args.noise_share}, allowed is 0 to 1")
    if not -100 <= args.snr[0] <= args.snr[1] <= 200:
        raise ValueError(f"--snr is {args.snr[0]:g} {args.snr[1]:g}, allowed are two numbers from "
                         "-100 to 200, the lower one first")
    for name in ("freeze_encoder", "freeze_decoder", "freeze_steps"):
        if getattr(args, name) and not args.start_from:
            raise ValueError(f"--{name.replace('_', '-')} needs --start-from")
    args.decoder_name = args.decoder_name or args.profile
    if not re.fullmatch("[A-Za-z0-9_-]{1,40}", args.decoder_name):
        raise ValueError(f"--decoder-name is {args.decoder_name}, allowed are 1 to 40 letters, digits, "
                         "- and _")
    if args.quantizer_bits:
        low, high = args.quantizer_bits
        if not 1 <= low <= high <= quantizers.MAX_BITS:
            raise ValueError(f"--quantizer-bits is {low} {high}, allowed are two numbers from 1 to "
                             f"{quantizers.MAX_BITS}, the lower one first")
        if not args.freeze_encoder:
            raise ValueError("--quantizer-bits needs --freeze-encoder: quantizers are made for the "
                             "codewords of a finished encoder")
    if args.freeze_encoder and args.freeze_decoder:
        raise ValueError("--freeze-encoder and --freeze-decoder leave nothing to train")
    if args.freeze_steps and not args.hidden and args.convolutions == 0:
        raise ValueError("--freeze-steps leaves nothing to train with --hidden 0 and --convolutions 0")
    if args.start_decoder and not args.start_from:
        raise ValueError("--start-decoder needs --start-from")
    if args.convolutions_from and not args.convolutions:
        raise ValueError("--convolutions-from needs --convolutions, 1 or more")


def _sizes(args, n):
    """Code sizes of the ratios, ascending."""
    sizes = []
    for ratio in args.rates:
        try:
            size = Fraction(ratio) * 2 * n
        except (ValueError, ZeroDivisionError):
            raise ValueError(f"--rates has {ratio}, allowed are fractions such as 1/16") from None
        if size.denominator != 1 or not 2 <= size <= 2 * n or size % 2:
            raise ValueError(f"--rates has {ratio}, which gives codewords of {float(size):g} "
                             f"values, allowed are even numbers from 2 to {2 * n}")
        sizes.append(int(size))
    return sorted(set(sizes))


def _weights(args, sizes):
    """Probability of each of `sizes`."""
    if args.rate_weights is None:
        return [1 / len(sizes)] * len(sizes)
    if len(args.rate_weights) != len(args.rates) or len(sizes) != len(args.rates):
        raise ValueError(f"--rate-weights has {len(args.rate_weights)} numbers, --rates "
                         f"{len(args.rates)}, {len(sizes)} of them different")
    if not all(0 < x < math.inf for x in args.rate_weights):
        raise ValueError(f"--rate-weights has {min(args.rate_weights)}, allowed is more than 0")
    ascending = sorted(range(len(sizes)), key=lambda i: Fraction(args.rates[i]))
    return [args.rate_weights[i] / sum(args.rate_weights) for i in ascending]


class Samples:
    """Normalized matrices of a data set in random order, with a random phase each.

    The channel's phase is uniform, so a turned sample is as likely as the one it comes
    from. A step's batch is a function of the seed and the step alone.
    """

    def __init__(self, data: Dataset, count: int, batch: int, seed: int) -> None:
        self._data, self._count, self._batch, self._seed = data, count, batch, seed
        self._epoch: Optional[int] = None

    def batch(self, step: int, rng: np.random.Generator) -> np.ndarray:
        """The batch of a step, complex64 (batch, na, nt)."""
        chosen = []
        for at in range(step * self._batch, (step + 1) * self._batch):
            epoch, at = divmod(at, self._count)
            if epoch != self._epoch:
                self._epoch = epoch
                self._order = np.random.default_rng([self._seed, epoch]).permutation(self._count)
            chosen.append(self._data.read_truncated(int(self._order[at]), 1))
        ha = np.concatenate(chosen)
        phase = np.exp(2j * np.pi * rng.random((len(ha), 1, 1)))
        return (linear.normalize(ha).reshape(ha.shape) * phase).astype(np.complex64)


def coloured_rows(values: np.ndarray, u: np.ndarray, count: int,
                  rng: np.random.Generator) -> np.ndarray:
    """Random combinations of principal components u (rows) as `count` complex vectors.

    Component i weighs by the root of its standard deviation: a linear decoder would want the
    strong ones alone, a nonlinear one gains more from what many weak ones have in common.
    """
    shape = count, len(values)
    draw = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    rows = (draw * np.maximum(values, 0) ** 0.25) @ u
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def principal_rows(w: np.ndarray, s: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Rows of W turned so that the values of a codeword are uncorrelated within each ratio's own.

    w: complex (k, n), orthonormal rows. s: codewords of these (N, 2 k). sizes: code sizes of the
    ratios, ascending. The rows that a ratio adds to the smaller one span the same space as before,
    so every ratio is as good as before, but what a codeword tells is in fewer of its values: with
    bits allocated by variance 3 bits per value are worth 1 to 2 dB more.
    """
    turned = []
    for first, last in zip([0, *sizes], [*sizes, 2 * len(w)]):
        if first < last:
            c = s[:, first:last:2] + 1j * s[:, first + 1:last:2]
            vectors = np.linalg.eigh(c.T @ c.conj() / len(c))[1][:, ::-1]
            turned.append(vectors.T @ w[first // 2:last // 2])
    return np.concatenate(turned).astype(np.complex64)


def _quantizer_arrays(fits: Sequence[Any], codewords: np.ndarray) -> Dict[str, np.ndarray]:
    """The arrays of a model file that functions of `quantizers` make of codewords."""
    arrays, progress = {}, Progress("quantizers", 100 * len(fits))
    for number, fit in enumerate(fits):
        tables = fit(codewords, lambda share: progress.update(round(100 * (number + share))))
        arrays.update({f"quantizer/{name}": table for name, table in tables.items()})
    return arrays


class Processes:
    """What the processes of a distributed run have to agree on; one process is the rule."""

    def __init__(self) -> None:
        self.size = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        self.local_rank = int(os.environ.get("LOCAL_RANK", "0"))
        if self.size > 1 and not torch.distributed.is_initialized():
            # PyTorch as Debian builds it is without libuv, which it asks for by default.
            os.environ.setdefault("USE_LIBUV", "0")
            torch.distributed.init_process_group(
                "nccl" if torch.cuda.is_available() else "gloo")

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, in place."""
        if self.size > 1:
            torch.distributed.all_reduce(tensor)
        return tensor

    def share(self, batch: torch.Tensor) -> torch.Tensor:
        """This process's part of a batch."""
        return batch[self.rank::self.size]


class Run:
    """A training run."""

    def __init__(self, args: argparse.Namespace, data: Dataset) -> None:
        self.args, self.data = args, data
        self.na, self.nt = data.na, data.nt
        self.n = self.na * self.nt
        self.processes = Processes()
        device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
        if device == "cuda" and self.processes.size > 1:
            device = f"cuda:{self.processes.local_rank}"
        try:
            self.device = torch.device(device)
            torch.zeros(1, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(f"--device is {device}: {error}") from None
        torch.manual_seed(args.seed)
        self.sizes = _sizes(args, self.n)
        self.weights = _weights(args, self.sizes)
        self.rows = args.code_size or self.sizes[-1]
        if self.rows % 2 or not self.sizes[-1] <= self.rows <= 2 * self.n:
            raise ValueError(f"--code-size is {self.rows}, allowed are even numbers from "
                             f"{self.sizes[-1]}, which --rates need, to {2 * self.n}")
        self.count = len(data)
        # Of the files that the run depends on: their names say nothing.
        self.fingerprint = {}
        self._prepare_validation()
        self._prepare_networks()
        self.samples = Samples(data, self.count, args.batch, args.seed)
        self.fingerprint["data"] = data.fingerprint()
        self.step, self.best, self.stale = 0, math.inf, 0
        self.best_state: Dict[str, Any] = {}
        self.curve: List[Dict[str, float]] = []
        self.seconds = 0.0

    def _prepare_validation(self):
        if self.args.validation:
            with Dataset(self.args.validation, drop_zero=self.args.drop_bad) as other:
                other.check_zeros()
                if (other.na, other.nt) != (self.na, self.nt):
                    raise ValueError(f"--validation {self.args.validation} has {other.na} x "
                                     f"{other.nt} matrices, the training set {self.na} x "
                                     f"{self.nt}")
                ha = other.read_truncated(0, min(len(other), self.args.validation_samples))
                self.fingerprint["validation"] = other.fingerprint()
        else:
            held = min(5000, self.count // 20)
            if held < 2:
                raise ValueError(f"the data set has {self.count} matrices, 40 at least are needed")
            self.count -= held
            ha = self.data.read_truncated(self.count, min(held, self.args.validation_samples))
        self.validation = rows_of(torch.from_numpy(linear.normalize(ha).reshape(ha.shape))
                                  ).to(self.device)

    def _chunks(self, limit):
        """Ha of the first `limit` matrices, in arrays."""
        for ha in self.data.chunks():
            yield ha[:limit]
            limit -= len(ha)
            if limit <= 0:
                return

    def _prepare_networks(self):
        args, pairs = self.args, self.rows // 2
        rng = np.random.default_rng(args.seed)
        # Numbers of bits that have step parameters of their own; the decoders' names.
        self.bits = range(args.quantizer_bits[0], args.quantizer_bits[1] + 1) \
            if args.quantizer_bits else [None]
        self.names = [args.decoder_name + (f"-{b}" if b else "") for b in self.bits]
        self.kept = {}
        start = None
        if args.start_from:
            start = file = read_model(args.start_from)
            self.fingerprint["start_from"] = start.fingerprint()
            self.before = start.attributes
            sizes = start.attributes["na"], start.attributes["nt"]
            # The decoder works row by row and element by element: any number of rows will do.
            rows_differ = sizes[0] != self.na
            if sizes[1] != self.nt or (rows_differ and args.freeze_encoder):
                raise ValueError(f"--start-from {args.start_from} is for {sizes[0]} x {sizes[1]} "
                                 f"matrices, the data set has {self.na} x {self.nt}")
            start = start.arrays
        if args.start_from and not rows_differ:
            try:
                w = start["encoder/W_complex" if "encoder/W_complex" in start else "encoder/W"]
                basis, variance, floor = (start[f"decoder/{k}"] for k in
                                          ("basis", "variance", "floor"))
            except KeyError as error:
                raise ValueError(f"--start-from {args.start_from} has no array {error}") from None
            if (2 if np.iscomplexobj(w) else 1) * len(w) != self.rows:
                raise ValueError(f"--start-from {args.start_from} has codewords of another length "
                                 f"than {self.rows}, which --rates or --code-size ask for")
            if args.freeze_encoder:
                self.kept = {k: v for k, v in start.items()
                             if not any(k.startswith(f"l2o/{name}/") for name in self.names)}
        else:
            values, u = np.linalg.eigh(linear.covariance(self._chunks(self.count), self.n,
                                                         self.count))
            values, u = values[::-1], u[:, ::-1].T
            statistics = linear.mmse_statistics(u[:pairs].astype(np.complex64), values[:pairs],
                                                float(np.sum(values)))
            basis, variance, floor = statistics.values()
            if args.w_start == "coloured":
                w = coloured_rows(values, u, pairs, rng)
            elif args.w_start == "klt":
                w = basis
            elif args.w_start == "orthonormal":
                w = rng.standard_normal((pairs, self.n, 2)) @ np.array([1, 1j])
            else:
                w = rng.standard_normal((2 * pairs, 2 * self.n)) / np.sqrt(2 * self.n)
        self.statistics = {"decoder/basis": basis, "decoder/variance": variance,
                           "decoder/floor": floor}
        self.encoder = Encoder(w, self.na, self.nt).to(self.device)
        if args.quantizer_bits:
            if args.quantizer == "predictive" and "quantizer/prediction" not in self.kept:
                # Models of earlier versions have no such tables.
                self.kept.update(_quantizer_arrays([quantizers.fit_prediction], self.codewords()))
                if "quantizer/prediction" not in self.kept:
                    raise ValueError(f"--quantizer is predictive, which needs {4 * self.rows} training matrices "
                                     f"for codewords of {self.rows} values, the data set has {self.count}; "
                                     "others: " + ", ".join(q for q in QUANTIZERS if q != "predictive"))
            model = Model(file.attributes, {**file.arrays, **self.kept}).opened({})
            self.quantizers = [[core.make_quantizer(model, args.quantizer, m, b)
                                for m in self.sizes] for b in self.bits]
        self.fixed = args.freeze_encoder or (
            args.w_start == "gaussian" and not args.learn_gaussian and not args.start_from)
        self.encoder.w.requires_grad_(not self.fixed)
        self.orthonormal = self.encoder.is_complex and not self.fixed
        self.mmse = MmseStart(basis, variance, floor[0], self.na, self.nt).to(self.device)
        if args.start_decoder and f"l2o/{args.start_decoder}/p" not in start:
            raise ValueError(f"--start-decoder is {args.start_decoder}, --start-from has " + ", ".join(
                sorted(k.split("/")[1] for k in start if re.fullmatch("l2o/[^/]*/p", k))))
        wanted = [args.start_decoder] if args.start_decoder else [*self.names, args.profile, *sorted(PROFILES)]
        group = next((f"l2o/{p}/" for p in wanted if args.start_from and f"l2o/{p}/p" in start), None)
        if args.convolutions is None:
            args.convolutions = start[group + "phase_steps"].shape[1] \
                if group and group + "phase_steps" in start else 0
        if args.freeze_steps and not args.hidden and not args.convolutions:
            raise ValueError("--freeze-steps leaves nothing to train with --hidden 0 and no convolutions")
        self.decoder = Decoder(
            self.na, self.nt, self.sizes * len(self.bits), args.iterations, args.hidden, args.lstm_layers,
            tuple(args.transform), args.top_g, args.untied, args.activations, args.start,
            args.gate, args.consistency, args.tied_steps,
            args.row_steps or bool(group and group + "rows" in start), args.convolutions)
        if args.start_from:
            if not group and (rows_differ or args.freeze_decoder):
                raise ValueError(f"--start-from {args.start_from} has no decoder of Csi-L2O or MS4L2O")
            if group:
                self.decoder.begin_with(lambda name: start.get(group + name))
        self._begin_convolutions()
        self.decoder.to(self.device)
        tables, layers, lstm = [], [], []
        for name, value in self.decoder.named_parameters():
            if args.freeze_decoder or (
                    args.freeze_steps and not name.startswith(("lstm.", "phases."))):
                value.requires_grad_(False)
            if value.requires_grad:
                (lstm if name.startswith("lstm.") else layers if "." in name
                 and name not in ("phases.steps", "phases.momenta") else tables).append(value)
        self.groups = [
            {"params": layers, "lr": self.args.learning_rate},
            # A step parameter is one of few: it may move faster than a weight.
            {"params": tables, "lr": 5 * self.args.learning_rate},
        ]
        if lstm:
            self.groups.append({"params": lstm, "lr": self.args.lstm_learning_rate})
        if not self.fixed:
            self.groups.append({"params": [self.encoder.w],
                                "lr": self.args.encoder_learning_rate})
        self.rates = [group["lr"] for group in self.groups]
        self.optimizer = torch.optim.Adam(self.groups)
        self.follow()

    def _begin_convolutions(self):
        """Convolutions begin with those of trained models of FISTA-Net."""
        for name in self.args.convolutions_from:
            network = load_network(name)
            if not isinstance(network, FistaNet) or (network.na, network.nt) != (self.na, self.nt) \
                    or network.code_size not in self.sizes:
                raise ValueError(f"--convolutions-from {name} is a {network.codec} of {network.na} x "
                                 f"{network.nt} and code size {network.code_size}, allowed is fista-net of "
                                 f"{self.na} x {self.nt} and " + ", ".join(map(str, self.sizes)))
            self.fingerprint.setdefault("convolutions_from", []).append(read_model(name).fingerprint())
            for kind in range(len(self.bits)):
                self.decoder.phases.take(kind * len(self.sizes) + self.sizes.index(network.code_size), network)

    def follow(self, changed: bool = True) -> None:
        """What depends on W is made anew after W has changed."""
        if self.orthonormal and changed:
            self.encoder.orthonormalize()
        with torch.no_grad():
            if self.decoder.start == "mmse":
                self.mmse.update(self.encoder.matrix(self.encoder.code_size))
            self.lipschitz = [1.0] * len(self.sizes) if self.orthonormal \
                else self.encoder.lipschitz(self.sizes)

    def quantized(self, s: torch.Tensor, rate: int, kind: int) -> torch.Tensor:
        """Codewords as they come out of the quantizer of self.bits[kind] bits per value."""
        if self.bits[kind] is None:
            return s
        q = self.quantizers[kind][rate]
        return torch.from_numpy(q.dequantize(q.quantize(s.cpu().numpy()))).to(s.device)

    def decode(self, w: torch.Tensor, s: torch.Tensor, rate: int,
               iterations: Optional[int] = None, graded: int = 0,
               kind: int = 0) -> Tuple[torch.Tensor, List[torch.Tensor]]:
        """The decoder's result and iterates. kind: index of self.bits."""
        scale = self.lipschitz[rate]
        s = self.quantized(s, rate, kind)
        x0 = self.decoder.first(w, s, scale, self.mmse)
        return self.decoder(w, s, x0, kind * len(self.sizes) + rate, scale, iterations,
                            self.args.lstm_share, graded)

    def loss(self, h: torch.Tensor, rate: int, seen: torch.Tensor,
             iterations: Optional[int] = None,
             kind: int = 0) -> Tuple[torch.Tensor, Optional[torch.Tensor]]:
        """The loss of a batch and its NMSE; the same in one process and in several.

        seen: what the encoder has of h. iterations: of the decoder, None: --iterations. kind: index
        of self.bits.
        """
        w = self.encoder.matrix(self.sizes[rate])
        s = seen @ w.t()
        x, iterates = self.decode(w, s, rate, iterations, self.args.graded_iterations, kind)
        share = len(h) / self.args.batch

        def term(estimate):
            if self.args.loss == "mse":
                return ((estimate - h) ** 2).sum(1).mean() * share, None
            mean = relative_errors(estimate, h).mean() * share
            # The gradient of the logarithm of the mean over all processes.
            whole = self.processes.sum(mean.detach().clone())
            return mean / whole, whole

        total, nmse = term(x)
        # Not of iterations that stay as they are.
        for iterate in [i for i in iterates[:-1] if i.requires_grad] if self.args.intermediate else []:
            total = total + self.args.intermediate * term(iterate)[0]
        if self.args.beta:
            for own in self.decoder.autoencoding(h):
                total = total + self.args.beta * (
                    ((own - h) ** 2).sum(1).mean() if self.args.loss == "mse"
                    else relative_errors(own, h).mean()) * share
        return total, nmse

    def _noisy(self, batch, rng):
        """What the encoder sees of a batch: white noise is added in some of the steps."""
        if rng.random() >= self.args.noise_share:
            return batch
        # Matrices have unit power for each element.
        scale = math.sqrt(0.5 * 10 ** (-rng.uniform(*self.args.snr) / 10))
        noise = rng.standard_normal((*batch.shape, 2), np.float32).view(np.complex64)[..., 0]
        return batch + np.float32(scale) * noise

    def train_step(self) -> None:
        share = self.step / self.args.steps
        scale = min(1.0, (self.step + 1) / 100) * (
            0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))
        for group, rate in zip(self.optimizer.param_groups, self.rates):
            group["lr"] = scale * rate
        rng = np.random.default_rng([self.args.seed, self.step, 1])
        rate = int(np.searchsorted(np.cumsum(self.weights)[:-1], rng.random(), side="right"))
        batch = self.samples.batch(self.step, rng)
        h, seen = (rows_of(self.processes.share(torch.from_numpy(x))).to(self.device)
                   for x in (batch, self._noisy(batch, rng)))
        iterations = None
        if self.args.random_iterations:
            low, high = self.args.random_iterations
            iterations = int(rng.integers(low, high + 1))
        kind = int(rng.integers(len(self.bits))) if self.args.quantizer_bits else 0
        self.optimizer.zero_grad(set_to_none=True)
        if len(h):
            self.loss(h, rate, seen, iterations, kind)[0].backward()
        parameters = [p for group in self.groups for p in group["params"]]
        if self.processes.size > 1:
            for p in parameters:
                if p.grad is None:
                    p.grad = torch.zeros_like(p)
                self.processes.sum(p.grad)
        norm = torch.nn.utils.clip_grad_norm_(
            [p for p in parameters if p.grad is not None], 1.0)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.step += 1
        if not self.fixed and self.step % FOLLOW == 0:
            self.follow()

    @torch.no_grad()
    def validate(self, iterations: Optional[int] = None) -> List[float]:
        """NMSE in dB over the validation set, for every number of bits at every ratio."""
        figures = []
        for kind in range(len(self.bits)):
            for rate, m in enumerate(self.sizes):
                w = self.encoder.matrix(m)
                errors = [relative_errors(self.decode(w, h @ w.t(), rate, iterations, kind=kind)[0],
                                          h) for h in self.validation.split(250)]
                figures.append(10 * math.log10(float(torch.cat(errors).double().mean())))
        return figures

    def state(self) -> Dict[str, Any]:
        return {"encoder": {k: v.cpu().clone() for k, v in self.encoder.state_dict().items()},
                "decoder": {k: v.cpu().clone() for k, v in self.decoder.state_dict().items()}}

    def load(self, state: Dict[str, Any]) -> None:
        self.encoder.load_state_dict(state["encoder"])
        self.decoder.load_state_dict(state["decoder"])
        self.follow(changed=False)

    def report(self) -> Any:
        self.follow()
        figures = self.validate()
        columns = [f"nmse_db_{m}" + (f"_{b}_bits" if b else "")
                   for b in self.bits for m in self.sizes]
        entry = {"step": self.step, "seconds": round(self.seconds, 1),
                 "learning_rate": self.optimizer.param_groups[0]["lr"],
                 **{name: round(f, 3) for name, f in zip(columns, figures)}}
        worst = figures
        if self.args.random_iterations:
            most = self.args.random_iterations[1]
            late = self.validate(most)
            entry.update({f"{name}_after_{most}": round(f, 3) for name, f in zip(columns, late)})
            worst = [max(pair) for pair in zip(figures, late)]
        mean = sum(w * f for w, f in zip(self.weights * len(self.bits), worst)) / len(self.bits)
        self.curve.append(entry)
        self.stale = self.stale + 1 if mean >= self.best else 0
        if mean < self.best:
            self.best, self.best_state = mean, self.state()
        return figures

    # Files

    def settings(self) -> str:
        """What a checkpoint must have been made with to be continued."""
        options = {k: v for k, v in vars(self.args).items()
                   if k not in ("output", "test", "json", "device", "overwrite", "drop_bad", "dataset",
                                "validation", "start_from", "convolutions_from")}
        return json.dumps({**options, **self.fingerprint}, sort_keys=True)

    def save(self, path: str) -> None:
        if self.processes.rank:
            return
        states = {"state": self.state(), "best_state": self.best_state}
        arrays = {f"{name}/{part}/{k}": v.numpy() for name, parts in states.items()
                  for part, values in parts.items() for k, v in values.items()}
        arrays.update(checkpoint.optimizer_arrays(self.optimizer))
        checkpoint.save(path, self.settings(),
                        {name: getattr(self, name) for name in PROGRESS}, arrays)

    def resume(self, path: str) -> None:
        """Goes on from a checkpoint."""
        values, arrays = checkpoint.load(path, self.settings())
        with checkpoint.reading(path):
            for name in PROGRESS:
                setattr(self, name, type(getattr(self, name))(values[name]))
            found: Dict[str, Any] = {name: {"encoder": {}, "decoder": {}} for name in ("state", "best_state")}
            for name, array in arrays.items():
                kind, part, key = name.split("/", 2)
                if kind != "optimizer":
                    found[kind][part][key] = torch.from_numpy(array)
            self.best_state = found["best_state"]
            self.load(self.best_state)
            self.load(found["state"])
            checkpoint.load_optimizer(self.optimizer, arrays)

    def write_curve(self, path: str) -> None:
        if self.processes.rank or not self.curve:
            return
        write_csv(path, self.curve, list(self.curve[0]))

    def train(self) -> None:
        args = self.args
        state = checkpoint.checkpoint_of(args.output)
        if os.path.lexists(state) and not args.overwrite:
            self.resume(state)
        progress = Progress(f"training {args.codec} {args.profile}", args.steps, self.step)
        if self.step == 0:
            self.report()
        start, before = time.monotonic(), self.seconds
        saved = start
        with held_interrupts() as interrupted:
            while self.step < args.steps:
                self.train_step()
                self.seconds = before + time.monotonic() - start
                progress.update(self.step, f"{self.curve[-1]['step']}: " + " ".join(
                    f"{v:.2f}" for k, v in self.curve[-1].items() if k.startswith("nmse")) + " dB")
                if self.step % args.report == 0 or self.step == args.steps:
                    self.report()
                    self.write_curve(args.output + ".csv")
                    if args.patience and self.stale >= args.patience:
                        break
                if self.step % FOLLOW == 0:
                    if interrupted or time.monotonic() - saved > 120:
                        self.save(state)
                        saved = time.monotonic()
                    if interrupted:
                        raise KeyboardInterrupt
        self.save(state)
        self.load(self.best_state)

    def codewords(self) -> np.ndarray:
        """Codewords of (a part of) the training set, for the quantizers."""
        w = next(iter(self.encoder.arrays().values()))
        rows = linear.real_rows(w) if self.encoder.is_complex else w
        count = min(self.count, 50000)
        return linear.codewords(self._chunks(count), rows, count)


def train(args: argparse.Namespace, data: Dataset) -> Optional[Model]:
    """Trains args.codec on a Dataset; returns a Model without its measured NMSE."""
    _settings(args)
    run = Run(args, data)
    run.train()
    if run.processes.rank:
        return None
    if run.orthonormal:
        rows = run.encoder.arrays()["encoder/W_complex"]
        run.encoder.set_rows(principal_rows(rows, run.codewords(), run.sizes))
    arrays = {**run.statistics, **run.encoder.arrays(), **run.kept}
    if not args.freeze_encoder:
        arrays.update(_quantizer_arrays([
            lambda codewords, progress: quantizers.fit(codewords, args.entry_bits, progress),
            quantizers.fit_prediction], run.codewords()))
    for kind, name in enumerate(run.names):
        first = kind * len(run.sizes)
        arrays.update(run.decoder.arrays(name, range(first, first + len(run.sizes))))
    history = []
    if args.start_from:
        history = [*json.loads(run.before.get("history", "[]")), run.before.get("command", "")]
    return Model({"codec": args.codec, "code_size": run.encoder.code_size, "history": history,
                  "curve": run.curve}, arrays)
