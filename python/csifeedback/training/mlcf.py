#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Training of MLCF: landmarks of the columns of whole matrices H, Algorithm 1 of the paper.

X are the columns of matrices that are spread evenly over the data set, Y their embedding. The
compression pair D_H, D_L comes of the landmarks of X, and a reconstruction pair for each number
of dimensions d' of the landmarks of the first d' dimensions of Y.

The state of a run is in OUTPUT.checkpoint (after Ctrl-C too), from where the same command goes on;
OUTPUT.csv has the objective, eq. (16) divided by the number of columns, by iteration.
"""

import argparse
import json
import os
import sys
import time
import zlib
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from .. import csifeedback_python as core
from ..data.dataset import Dataset
from ..files import write_csv
from ..model import Model
from ..progress import Progress, held_interrupts
from . import checkpoint, linear, quantizers

#: the codecs that it trains
CODECS = ("mlcf",)
CHECKPOINTS = True
#: matrices at most that the quantizers are fitted to
QUANTIZER_MATRICES = 2000
#: a history should have this many independent matrices for every independent column
MIN_DIVERSITY = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this codec."""
    add = parser.add_argument
    add("--landmarks", type=int, default=400, metavar="L",
        help="landmarks of each pair of dictionaries (default: 400)")
    add("--neighbours", type=int, default=50, metavar="K",
        help="nearest landmarks that a column is put together of (default: 50)")
    add("--dimensions", type=int, nargs="+", default=[6, 12, 24], metavar="D",
        help="values that are sent of a column; a reconstruction pair is made for each of these, "
             "and the codeword has the largest (default: 6 12 24)")
    add("--columns", type=int, default=4000, metavar="N",
        help="columns that are trained on, all those of a matrix together (default: 4000)")
    add("--lambda", dest="lambda_", type=float, default=1e-3, metavar="X",
        help="weight of the distances of the landmarks in eqs. (16), (22) and (33) (default: 1e-3)")
    add("--mu", type=float, default=1e-3, metavar="X",
        help="weight of the norms of the landmarks' weights in eq. (16) (default: 1e-3)")
    add("--embedding", choices=("pca", "lle", "ltsa"), default="pca",
        help="how Y is made of X (default: pca)")
    add("--embedding-neighbours", type=int, default=100, metavar="N",
        help="neighbours of a column for lle and ltsa (default: 100)")
    add("--scaling", choices=("common", "unit"), default="common",
        help="of Y: one factor, which makes the mean variance 1, or one for each dimension, which "
             "makes every variance 1 (default: common); those of lle and ltsa are all alike")
    add("--iterations", type=int, default=12, metavar="N",
        help="iterations at most for each pair, 0: landmarks stay random columns (default: 12)")
    add("--tolerance", type=float, default=0.0, metavar="X",
        help="end with an iteration that lowers the objective by less than this part of it "
             "(default: 0, never)")
    add("--entry-bits", type=int, metavar="B", default=6,
        help="Lloyd-Max tables for every entry up to B bits, 0 to 10 (default: 6)")
    add("--threads", type=int, default=0, metavar="N",
        help="1 to 256 (default: as many as the machine has processors); the model is the same "
             "whatever their number")
    add("--ue-output", metavar="FILE", help="also write what the UE needs to a file of its own")
    add("--bs-output", metavar="FILE", help="also write what the BS needs to a file of its own")


def _check(args, data):
    """Refuses options that do not fit."""
    args.dimensions = sorted(set(args.dimensions))
    for name, low, high in (("iterations", 0, 10**6), ("entry_bits", 0, quantizers.MAX_BITS),
                            ("threads", 0, 256), ("columns", 3, 1 << 24),
                            ("embedding_neighbours", 1, 1 << 15)):
        value = getattr(args, name)
        if not low <= value <= high:
            raise ValueError(f"--{name.replace('_', '-')} is {value}, allowed is {low} to {high}")
    for option, value, high in (("--lambda", args.lambda_, 1e6), ("--mu", args.mu, 1e6),
                                ("--tolerance", args.tolerance, 1)):
        if not 0 <= value <= high:
            raise ValueError(f"{option} is {value}, allowed is 0 to {high:g}")
    for d in args.dimensions:
        if not 1 <= d < 2 * data.nc:
            raise ValueError(f"--dimensions has {d}, allowed is 1 to {2 * data.nc - 1}, less than "
                             f"the {2 * data.nc} values of a column")
    matrices = min(len(data), max(1, args.columns // data.nt))
    columns = matrices * data.nt
    if not 1 <= args.landmarks <= columns:
        raise ValueError(f"--landmarks is {args.landmarks}, allowed is 1 to {columns}, the number "
                         f"of columns of {matrices} matrices")
    if not 1 <= args.neighbours <= args.landmarks:
        raise ValueError(f"--neighbours is {args.neighbours}, allowed is 1 to {args.landmarks}, "
                         "the number of landmarks")
    if not args.lambda_ and args.neighbours > args.dimensions[0]:
        raise ValueError(f"--lambda is 0, allowed is more than 0: {args.neighbours} landmarks in "
                         f"{args.dimensions[0]} dimensions have no unique weights without it")
    return matrices


def spread_matrices(data: Dataset, count: int) -> np.ndarray:
    """Up to `count` normalized matrices, evenly over the data set, complex64 (count, nc, nt)."""
    numbers = np.unique(np.linspace(0, len(data) - 1, min(count, len(data))).round().astype(int))
    h = np.concatenate([data.read(int(i), 1) for i in numbers])
    return linear.normalize(h).reshape(h.shape)


def columns_of(h: np.ndarray) -> np.ndarray:
    """The columns of matrices (n, nc, nt) as eq. (5) has them: float32 (n nt, 2 nc)."""
    stacked = np.concatenate([h.real, h.imag], axis=1)
    return np.ascontiguousarray(stacked.transpose(0, 2, 1).reshape(-1, stacked.shape[1]))


def _components(rows, error_db=-30):
    """Number of principal components of complex rows that leave this part of their energy."""
    p = np.linalg.eigvalsh(rows @ rows.conj().T)[::-1]
    left = 1 - np.cumsum(p) / np.sum(p)
    return int(np.argmax(left <= 10 ** (error_db / 10))) + 1


def diversity(h: np.ndarray) -> Tuple[int, int]:
    """How many of the matrices (n, nc, nt) all others follow from with an error of -30 dB, and
    how many columns all others follow from.

    Where P paths have independent phases in every matrix, the first number is that of those that
    whole matrices tell apart, and not less than the second one, that of those that columns tell
    apart. The phases of a UE that does not move are always the same: its first number is 1.
    """
    h = h.astype(np.complex128)
    return (_components(h.reshape(len(h), -1)),
            _components(h.transpose(1, 0, 2).reshape(h.shape[1], -1)))


class Run:
    """A training run: the embedding, and one pair of dictionaries after the other.

    A pair is named by its number of dimensions, that of compression "compression".
    """

    def __init__(self, args: argparse.Namespace, data: Dataset) -> None:
        self.args = args
        h = spread_matrices(data, _check(args, data))
        matrices, columns = diversity(h)
        if matrices < MIN_DIVERSITY * columns:
            print(f"warning: {data.path} is not diverse: its {len(h)} matrices follow from "
                  f"{matrices} of them with an error of -30 dB, and their columns from {columns}. "
                  "MLCF may fit this history and fail on other channels: record a longer one, "
                  "while the UE moves", file=sys.stderr)
        self.x = columns_of(h)
        self.fingerprint = data.fingerprint()
        self.pairs = ["compression", *map(str, args.dimensions)]
        self.y = np.empty((0, 0), np.float32)
        self.arrays: Dict[str, np.ndarray] = {}
        self.curve: List[Dict[str, Any]] = []
        self.learner: Any = None
        self.seconds = 0.0

    def embed(self) -> None:
        args = self.args
        y, values = core.mlcf_embedding(args.embedding, self.x, args.dimensions[-1],
                                        args.embedding_neighbours, args.threads)
        std = np.sqrt(np.mean(np.square(y, dtype=np.float64), axis=0))
        if args.scaling == "common":
            std = np.sqrt(np.mean(std**2))
        self.y = (y / std).astype(np.float32)

    def begin(self, pair: str, state: Optional[Tuple[Any, ...]] = None) -> None:
        """Makes the learner of a pair."""
        args = self.args
        samples = self.x if pair == "compression" else self.y[:, :int(pair)]
        self.learner = core.mlcf_learner(samples, args.landmarks, args.neighbours, args.lambda_,
                                         args.mu, args.seed, args.threads)
        if state is not None:
            self.learner.set_state(state)
        else:
            self.note(pair)

    def note(self, pair: str) -> None:
        self.curve.append({"pair": pair, "iteration": self.learner.iterations(),
                           "objective": self.learner.objective(),
                           "seconds": round(self.seconds, 3)})

    def objectives(self, pair: str) -> List[float]:
        return [row["objective"] for row in self.curve if row["pair"] == pair]

    def ended(self, pair: str) -> bool:
        if self.learner.iterations() >= self.args.iterations:
            return True
        last = self.objectives(pair)[-2:]
        return len(last) == 2 and last[0] - last[1] < self.args.tolerance * last[0]

    def finish(self, pair: str) -> None:
        """Takes the arrays of the learner's pair."""
        landmarks = self.learner.landmarks()
        if len(landmarks) < self.args.neighbours:
            raise ValueError(f"only {len(landmarks)} of {self.args.landmarks} --landmarks serve "
                             f"a column, less than --neighbours {self.args.neighbours}")
        if pair == "compression":
            self.arrays["encoder/D_H"] = landmarks
            self.arrays["encoder/D_L"] = self.learner.fit(self.y)
        else:
            self.arrays[f"decoder/D_L_{pair}"] = landmarks
            self.arrays[f"decoder/D_H_{pair}"] = self.learner.fit(self.x)
        self.learner = None

    # Files

    def settings(self) -> str:
        """What a checkpoint must have been made with to be continued."""
        options = {k: v for k, v in vars(self.args).items()
                   if k not in ("output", "test", "json", "threads", "overwrite", "drop_bad", "ue_output",
                                "bs_output", "dataset")}
        return json.dumps({**options, "data": self.fingerprint,
                           "columns_crc": zlib.crc32(self.x.tobytes())}, sort_keys=True)

    def save(self, path: str, pair: str) -> None:
        arrays = {"y": self.y, **{f"model/{name}": array for name, array in self.arrays.items()}}
        if self.learner:
            arrays.update({f"state/{i}": np.asarray(value)
                           for i, value in enumerate(self.learner.state())})
        checkpoint.save(path, self.settings(), {"curve": self.curve, "pair": pair,
                                                "seconds": self.seconds}, arrays)

    def resume(self, path: str) -> str:
        """Goes on from a checkpoint; returns the pair that it stopped in."""
        values, arrays = checkpoint.load(path, self.settings())
        with checkpoint.reading(path):
            pair, self.curve, self.seconds = (values[k] for k in ("pair", "curve", "seconds"))
            if pair not in self.pairs:
                raise ValueError(f"pair is {pair}")
            self.y = arrays["y"]
            self.arrays = {name[len("model/"):]: array for name, array in arrays.items()
                           if name.startswith("model/")}
            if "state/0" in arrays:
                self.begin(pair, (int(arrays["state/0"]),
                                  *(arrays[f"state/{i}"] for i in (1, 2, 3))))
        return pair

    def write_curve(self, path: str) -> None:
        write_csv(path, self.curve, list(self.curve[0]))

    def train(self) -> None:
        args = self.args
        state = checkpoint.checkpoint_of(args.output)
        start = saved = time.monotonic()
        before = 0.0
        at = self.pairs[0]
        with held_interrupts() as interrupted:

            def keep(pair, now=False):
                nonlocal saved
                if now or interrupted or time.monotonic() - saved > 60:
                    self.save(state, pair)
                    saved = time.monotonic()
                if interrupted:
                    raise KeyboardInterrupt

            if os.path.lexists(state) and not args.overwrite:
                at = self.resume(state)
                before = self.seconds
            else:
                self.embed()
            total = max(1, len(self.pairs) * args.iterations)
            progress = Progress("training mlcf", total, len(self.curve))
            for number, pair in enumerate(self.pairs):
                if self.pairs.index(at) > number or self._has(pair):
                    continue
                if not self.learner:
                    self.begin(pair)
                while not self.ended(pair):
                    keep(pair)
                    self.learner.iterate()
                    self.seconds = before + time.monotonic() - start
                    self.note(pair)
                    progress.update(number * args.iterations + self.learner.iterations(),
                                    f"{pair}: objective {self.learner.objective():.4g}")
                self.finish(pair)
                self.write_curve(args.output + ".csv")
                keep(pair, now=True)

    def _has(self, pair):
        return ("encoder/D_H" if pair == "compression" else f"decoder/D_L_{pair}") in self.arrays

    def codewords(self, data: Dataset) -> np.ndarray:
        """The embeddings of columns of the training set, as the encoder computes them."""
        x = columns_of(spread_matrices(data, QUANTIZER_MATRICES))
        return core.mlcf_transfer(self.arrays["encoder/D_H"], self.arrays["encoder/D_L"], x,
                                  self.args.neighbours, self.args.lambda_, self.args.threads)


def train(args: argparse.Namespace, data: Dataset) -> Model:
    """Trains args.codec on a Dataset of whole matrices; returns a Model without its NMSE."""
    run = Run(args, data)
    try:
        run.train()
    except RuntimeError as error:
        # A decomposition that fails, for samples that are too much alike.
        raise ValueError(f"{data.path}: {error}") from None
    arrays = dict(run.arrays)
    for half in ("encoder", "decoder"):
        arrays[f"{half}/neighbours"] = np.array([args.neighbours], np.float32)
        arrays[f"{half}/lambda"] = np.array([args.lambda_], np.float32)
    arrays["decoder/dimensions"] = np.array(args.dimensions, np.float32)
    progress = Progress("quantizers", 100)
    tables = quantizers.fit(run.codewords(data), args.entry_bits,
                            lambda share: progress.update(round(100 * share)))
    tables = quantizers.for_antennas(tables, data.nt)
    arrays.update({f"quantizer/{name}": table for name, table in tables.items()})
    return Model({"codec": args.codec, "code_size": args.dimensions[-1] * data.nt, "domain": "H",
                  "na": data.nc, "precursor": 0, "curve": run.curve}, arrays)


def outputs(args: argparse.Namespace) -> List[str]:
    """What is written beside the model."""
    return [path for path in (args.ue_output, args.bs_output) if path]


def finish(args: argparse.Namespace, model: Model) -> None:
    """Writes the halves of a finished Model that were asked for."""
    for path, half in ((args.ue_output, "ue"), (args.bs_output, "bs")):
        if path:
            model.half(half).write(path)
