#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Path codecs: counts the symbols of reports, for the tables of the entropy coder.

The search for paths needs no training. Reports of the training set are made with the tables so
far, their symbols are counted, and the tables become what makes these symbols likely; two or
three rounds are enough. The frequency of a cell is the sum of a prior and of weights around the
paths before it. Both are found by maximum likelihood: a sum of weights over a sum of weights,
which a minorization (as in EM) increases step by step.

With --calibrate the gain and phase of each antenna are found too: alternately the paths of reports of
few bits, which cannot take in what is not of paths, and for each antenna the complex factor of least
squares between them and the CSI.
"""

import argparse
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from .. import csifeedback_python as core
from ..arrays import array_attributes, array_text
from ..data.dataset import Dataset
from ..model import Model
from ..progress import Progress

#: the codecs that it trains
CODECS = ("path", "path-whole")

#: Sizes of tables.
TABLES = core.path_report_decoder.table_sizes()
#: bits of the reports that are counted, and the share of the training set for each
BUDGETS = ((24, 1), (32, 1), (48, 1), (64, 1), (96, 1), (128, 1), (192, 1), (256, 1), (384, 0.5),
           (512, 0.5), (768, 0.3), (1024, 0.2), (1536, 0.1), (2048, 0.1), (4096, 0.05))
#: bits of the reports that calibrate, and most passes with each
CALIBRATION = ((64, 12), (128, 12), (256, 12))
#: share of a symbol that the cyclic prefix of OFDM takes: 9/128 of LTE and NR, normal prefix
CYCLIC_PREFIX = 9 / 128
#: largest weight in a table, and the largest sum of the weights around a path
MAX_WEIGHT, MAX_NEAR = 65535, TABLES["max_near"]
#: largest number of float16
MAX_HALF = 65504
GROUP, A, B, RESOLUTION, DELAY, ANGLE, ROW, COLUMN, LEVEL = range(9)
FINE_BITS = TABLES["delay_bits"], TABLES["angle_bits"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this codec."""
    add = parser.add_argument
    add("--train-samples", type=int, metavar="N", default=1000,
        help="matrices to count on, at most; fewer of them for large reports (default: 1000)")
    add("--also", nargs="+", metavar="FILE", default=[],
        help="further training sets of the same sizes; --train-samples counts for each")
    add("--rounds", type=int, metavar="N", default=3,
        help="passes of encoding and counting, 1 to 20 (default: 3)")
    add("--margin", type=int, metavar="R",
        help="rows beyond those of Ha at each end where paths may be, whose leakage is in Ha; 0 to "
             "16 (default: 2, of path-whole 0)")
    add("--window", type=int, metavar="R",
        help="of path-whole: delay rows in which paths may be (default: the cyclic prefix, 9/128 of "
             "the subcarriers, and the rows before delay zero, to a multiple of 8)")
    add("--window-precursor", type=int, metavar="R", default=8,
        help="of path-whole: how many of them are before delay zero (default: 8)")
    add("--calibrate", action="store_true",
        help="find gain and phase of each antenna, relative to the mean of all; phases that a shift of "
             "all angles explains are left out")


class Shape:
    """Sizes that follow from those of the matrices."""

    def __init__(self, nc: int, na: int, nt: int, margin: int) -> None:
        self.na, self.nt, self.is_ring = na, nt, na == nc
        self.margin = 0 if self.is_ring else margin
        self.rows = na + 2 * self.margin

    def fine(self, axis: int) -> Iterator[Tuple[int, int, int]]:
        """(bits, symbols, reach) of each table of fractions; a table of `bits` is for more too."""
        most = FINE_BITS[axis]
        for bits in range(1, most + 2):
            symbols = 1 << bits if bits <= most else (1 << most) + 1
            yield bits, symbols, 3 << min(bits, most) >> 1


def flat_tables(shape: Shape) -> Dict[str, np.ndarray]:
    """Tables to begin with: all alike."""
    t = TABLES
    arrays = {
        "steps": np.ones((t["sizes"], t["steps"])),
        "tops": np.ones((t["sizes"], t["tops"])),
        "counts": np.ones((t["octaves"], t["orders"], t["classes"], t["befores"], t["counts"])),
        "excess": np.ones((t["classes"], t["excesses"])),
        "cells": np.full((t["levels"], shape.rows, shape.nt), 16.0),
        "near": np.ones((2 * shape.rows - 1, shape.nt))}
    for axis, name in enumerate(("delay", "angle")):
        rows = 1 if axis else shape.rows
        tables = list(shape.fine(axis))
        for bits, symbols, _ in tables:
            arrays[f"{name}_{bits}"] = np.ones((rows, symbols))
        arrays[f"{name}_near"] = np.zeros((len(tables), tables[-1][2] + 1))
    return {f"encoder/{name}": array for name, array in arrays.items()}


def frequencies(counts: np.ndarray, blur: Sequence[float] = ()) -> np.ndarray:
    """A table of frequencies whose sum is at most 65536, of counts and a little for all. blur: how
    much of its neighbours' counts an entry takes, along the last axes."""
    counts = np.asarray(counts, float)
    for axis, share in enumerate(reversed(blur)):
        axis = counts.ndim - 1 - axis
        spread = counts.copy()
        inner = [slice(None)] * counts.ndim
        outer = list(inner)
        inner[axis], outer[axis] = slice(1, None), slice(None, -1)
        spread[tuple(inner)] += share * counts[tuple(outer)]
        spread[tuple(outer)] += share * counts[tuple(inner)]
        counts = spread
    symbols = counts.shape[-1]
    p = counts + 0.02 + 0.002 * counts.sum(-1, keepdims=True) / symbols
    p /= p.sum(-1, keepdims=True)
    return np.maximum(np.floor(p * (60000 - symbols)), 1)


class Reports:
    """What is coded in all reports of a round."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        t = TABLES
        self.steps = np.zeros((t["sizes"], t["steps"]))
        self.tops = np.zeros((t["sizes"], t["tops"]))
        self.counts = np.zeros((t["octaves"], t["orders"], t["classes"], t["befores"], t["counts"]))
        self._paths: List[np.ndarray] = []
        self._lengths: List[int] = []

    def add(self, head: Tuple[int, int, int], counts: np.ndarray, paths: np.ndarray) -> None:
        """One report, as path_report_decoder.read() has it."""
        if not len(paths):
            return
        size, step, top = head
        self.steps[size, step] += 1
        self.tops[size, top] += 1
        np.add.at(self.counts.reshape(-1, TABLES["counts"]), tuple(counts.T), 1)
        self._paths.append(paths)
        self._lengths.append(len(paths))

    def close(self) -> None:
        """To arrays over all paths."""
        if not self._paths:
            raise ValueError("no path was found in the training set")
        self.starts = np.cumsum([0] + self._lengths)
        self.paths = np.concatenate(self._paths).astype(np.int64)
        self.rows, self.columns, self.level = self.paths.T[ROW:LEVEL + 1]
        # Numbers of the rows, where those of the margin are negative.
        self.delay_rows = self.rows - self.shape.margin


def count_headers(reports: Reports) -> Dict[str, np.ndarray]:
    """Tables of steps, strongest groups, numbers of paths in groups and classes of gains."""
    t = TABLES
    p = reports.paths
    above = np.log2(p[:, A] ** 2 + p[:, B] ** 2 + 0.5).astype(int) - p[:, GROUP]
    below = (p[:, GROUP] - t["lowest_group"]) // t["group_classes"]
    excess = np.zeros((t["classes"], t["excesses"]))
    np.add.at(excess, (np.minimum(below, t["classes"] - 1), np.minimum(above, t["excesses"] - 1)), 1)
    # Contexts that are rare lean on those of all sizes.
    counts = reports.counts
    of_all = counts.sum(axis=0, keepdims=True)
    of_more = counts.sum(axis=(0, 3), keepdims=True)
    for mean, share in ((of_more, 3), (of_all, 5)):
        counts = counts + share * mean / np.maximum(mean.sum(-1, keepdims=True), 1)

    def with_neighbours(table):
        """Report sizes next to each other are alike."""
        return table + 0.2 * (np.roll(table, 1, axis=0) + np.roll(table, -1, axis=0))

    return {"encoder/steps": frequencies(with_neighbours(reports.steps), (0.3,)),
            "encoder/tops": frequencies(with_neighbours(reports.tops), (0.1,)),
            "encoder/counts": frequencies(counts, (0.1,)), "encoder/excess": frequencies(excess)}


def pairs(reports: Reports, with_group: bool, limit: float,
          rng: np.random.Generator) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(i, j): paths, and those that were there when each was coded: all of earlier groups, and with
    with_group the others of its own. At most about `limit` pairs, of some of the reports."""
    sizes = np.diff(reports.starts)
    order = rng.permutation(len(sizes))
    kept = order[np.cumsum(sizes[order].astype(np.int64) ** 2) <= limit]
    groups = reports.paths[:, GROUP]
    first, second = [], []
    for r in kept:
        a, b = reports.starts[r], reports.starts[r + 1]
        g = groups[a:b]
        there = g[None, :] >= g[:, None] if with_group else g[None, :] > g[:, None]
        np.fill_diagonal(there, False)
        i, j = np.nonzero(there)
        first.append(i + a)
        second.append(j + a)
    chosen = np.zeros(len(groups), bool)
    for r in kept:
        chosen[reports.starts[r]:reports.starts[r + 1]] = True
    return np.flatnonzero(chosen), np.concatenate(first), np.concatenate(second)


def fit_cells(reports: Reports, rng: np.random.Generator,
              iterations: int = 30) -> Tuple[np.ndarray, np.ndarray]:
    """Priors of cells and weights around paths, real numbers."""
    shape = reports.shape
    rows, nt, levels = shape.rows, shape.nt, TABLES["levels"]
    own, i, j = pairs(reports, True, 6e6, rng)
    cell, column, level = reports.rows, reports.columns, reports.level
    flat_cell = (level * rows + cell) * nt + column
    offset = (cell[i] - cell[j] + rows - 1) * nt + (column[i] - column[j]) % nt
    # What of the weights around a path is in rows that there are.
    row_of = np.arange(rows)

    prior = np.ones((levels, rows, nt)) / (rows * nt)
    near = np.full((2 * rows - 1, nt), 0.2 / (rows * nt))
    near[rows - 2:rows + 1, (-1, 0, 1)] += 0.02
    for _ in range(iterations):
        near_rows = near.sum(1)
        # Sum of the weights around a path in row r over the rows that there are.
        reach = np.array([near_rows[rows - 1 - r:2 * rows - 1 - r].sum() for r in row_of])
        total = np.zeros(len(cell))
        total[own] = prior.sum((1, 2))[level[own]]
        np.add.at(total, i, reach[cell[j]])
        weight = np.zeros(len(cell))
        weight[own] = prior.ravel()[flat_cell[own]]
        near_weight = near.ravel()[offset]
        np.add.at(weight, i, near_weight)
        inverse = np.zeros(len(cell))
        inverse[own] = 1 / total[own]
        share = np.bincount(flat_cell[own], prior.ravel()[flat_cell[own]] / weight[own],
                            prior.size).reshape(prior.shape)
        scale = np.bincount(level[own], inverse[own], levels)
        near_share = np.bincount(offset, near_weight / weight[i], near.size).reshape(near.shape)
        # How often a weight was in a sum: for paths in row r there are offsets -r to rows - 1 - r.
        by_row = np.bincount(cell[j], inverse[i], rows)
        often = np.zeros(2 * rows - 1)
        for r in row_of:
            often[rows - 1 - r:2 * rows - 1 - r] += by_row[r]
        # A little for all cells, so that nothing is impossible: as of paths that were coded when
        # no other was there.
        masses = prior.sum((1, 2))
        extra = 0.02 * share.sum((1, 2)) + 0.02 * rows * nt
        prior = (share + (extra / (rows * nt))[:, None, None]) \
            / (scale + extra / masses)[:, None, None]
        near = near_share / np.maximum(often, 1e-9)[:, None] + 1e-12
    # A level without paths is like the one before it.
    for k in range(1, levels):
        if not scale[k]:
            prior[k] = prior[k - 1]
    return prior, near


def fit_fine(reports: Reports, axis: int, rng: np.random.Generator,
             iterations: int = 20) -> Tuple[Dict[int, np.ndarray], np.ndarray]:
    """Priors of fractions by bits, and weights by distance."""
    shape = reports.shape
    most = FINE_BITS[axis]
    own, i, j = pairs(reports, False, 3e6, rng)
    position = reports.paths[:, ANGLE if axis else DELAY]
    resolution = reports.paths[:, RESOLUTION]
    where = reports.columns if axis else reports.delay_rows
    ring = shape.nt if axis else shape.na if shape.is_ring else 0
    delay = reports.paths[:, DELAY] / (1 << resolution)
    value = position / (1 << resolution)
    if axis:
        close = np.abs(delay[i] - delay[j]) < 1
        i, j = i[close], j[close]
    priors, nears = {}, []
    for bits, symbols, reach in shape.fine(axis):
        scale = min(bits, most)
        chosen = resolution == bits if bits <= most else resolution > most
        chosen_own = own[chosen[own]]
        mine = chosen[i]
        rest = np.maximum(resolution - most, 0)
        first_step = where * (1 << resolution) - (1 << resolution) // 2
        steps = position - first_step
        if ring:
            steps = np.where(steps < 1 << resolution, steps, steps - (ring << resolution))
        symbol = (steps + ((1 << rest) >> 1)) >> rest
        row = np.zeros(len(where), int) if axis else reports.rows
        rows = 1 if axis else shape.rows
        first = where * (1 << scale) - (1 << scale) // 2
        # Distance of the first symbol to the other path, of each pair.
        distance = first[i[mine]] - np.floor(value[j[mine]] * (1 << scale) + 0.5).astype(np.int64)
        if ring:
            whole_ring = ring << scale
            distance = (distance + whole_ring + whole_ring // 2) % whole_ring - whole_ring // 2
        touches = (distance <= reach) & (distance + symbols - 1 >= -reach)
        a, distance = i[mine][touches], distance[touches]
        # Symbols of both ends have half the width where bits are left.
        shape_of = np.ones(symbols)
        if bits > most:
            shape_of[[0, -1]] = 0.5
        prior = np.tile(shape_of / symbols, (rows, 1))
        near = np.full(reach + 1, 0.05 / symbols)
        if len(chosen_own) > 50:
            flat = row * symbols + symbol
            at = np.abs(distance[:, None] + np.arange(symbols))
            at = np.where(at <= reach, at, reach + 1)
            hit = np.abs(distance + symbol[a])
            near_hit = hit <= reach
            b, hit = a[near_hit], hit[near_hit]
            prior_count = np.bincount(flat[chosen_own], minlength=rows * symbols) \
                .reshape(rows, symbols)
            mean = prior_count.sum(0) + 1.0
            mean = mean / mean.sum()
            for _ in range(iterations):
                extended = np.append(near, 0)
                total, weight, inverse = (np.zeros(len(where)) for _ in range(3))
                total[chosen_own] = prior.sum(1)[row[chosen_own]]
                np.add.at(total, a, extended[at].sum(1))
                weight[chosen_own] = prior.ravel()[flat[chosen_own]]
                np.add.at(weight, b, near[hit])
                inverse[chosen_own] = 1 / total[chosen_own]
                share = np.bincount(flat[chosen_own], prior.ravel()[flat[chosen_own]]
                                    / weight[chosen_own], rows * symbols).reshape(rows, symbols)
                near_share = np.bincount(hit, near[hit] / weight[b], reach + 1)
                often = np.bincount(at.ravel(), np.repeat(inverse[a], symbols),
                                    reach + 2)[:reach + 1]
                scales = np.bincount(row[chosen_own], inverse[chosen_own], rows)
                # A row with few paths leans on all rows.
                prior = (share + 8 * mean + 0.05) / (scales + 8)[:, None]
                near = (near_share + 0.01) / (often + 0.5)
        # The same scale for all: the largest prior of a table is 1 / 8 of the largest weight.
        unit = 8000 / max(prior.max(), near.max() / 7)
        priors[bits] = np.maximum(np.rint(unit * prior), 1)
        nears.append(np.minimum(np.rint(unit * near), MAX_WEIGHT))
    width = max(len(n) for n in nears)
    return priors, np.array([np.pad(n, (0, width - len(n))) for n in nears])


def fit(reports: Reports, rng: np.random.Generator) -> Dict[str, np.ndarray]:
    """All tables."""
    arrays = count_headers(reports)
    prior, near = fit_cells(reports, rng)
    # Less than the largest sum: float16 rounds up as well.
    unit = min(MAX_WEIGHT / prior.max(), MAX_WEIGHT / near.max(), 0.99 * MAX_NEAR / near.sum())
    arrays["encoder/cells"] = np.maximum(np.rint(unit * prior), 1)
    arrays["encoder/near"] = np.rint(unit * near)
    for axis, name in enumerate(("delay", "angle")):
        priors, nears = fit_fine(reports, axis, rng)
        arrays.update({f"encoder/{name}_{bits}": p for bits, p in priors.items()})
        arrays[f"encoder/{name}_near"] = nears
    return arrays


def calibrate(matrices: np.ndarray, model_with: Callable[[np.ndarray], Any]) -> np.ndarray:
    """Complex responses of the antennas, (nt,), of mean power 1, mean phase 0 and no phase ramp.

    matrices: Ha, complex64 (n, na, nt). model_with: the core.model_file of the codec `path` whose
    antennas have these responses.
    """
    nt = matrices.shape[2]
    h = np.fft.ifft(matrices, axis=2, norm="ortho")
    # Drops count alike, whatever their gain.
    h /= np.linalg.norm(h, axis=(1, 2), keepdims=True)
    response = np.ones(nt, complex)
    for budget, passes in CALIBRATION:
        for _ in range(passes):
            model = model_with(response)
            bits, counts, _ = core.path_report_encoder(model).encode(matrices, budget)
            found = core.path_report_decoder(model).decode(bits, counts, 0.0)
            found = np.fft.ifft(found, axis=2, norm="ortho")
            # The gain of least error for each drop: quantization shrinks it.
            energy = np.sum(np.abs(found) ** 2, axis=(1, 2), keepdims=True)
            found *= np.sum(found.conj() * h, axis=(1, 2), keepdims=True) / np.maximum(energy, 1e-30)
            new = response * np.sum(found.conj() * h, axis=(0, 1)) \
                / np.maximum(np.sum(np.abs(found) ** 2, axis=(0, 1)), 1e-30)
            new *= np.exp(-1j * np.angle(np.sum(new[1:] * new[:-1].conj())) * np.arange(nt))
            new *= np.exp(-1j * np.angle(new.sum())) / np.sqrt(np.mean(np.abs(new) ** 2))
            change = float(np.max(np.abs(new - response)))
            response = new
            if change < 1e-3:
                break
    return response


def response_array(response: np.ndarray) -> Dict[str, np.ndarray]:
    """What the model file has of the antennas."""
    return {"encoder/array": np.stack([response.real, response.imag], axis=1).astype(np.float32)}


def window_of(args: argparse.Namespace, data: Dataset) -> Tuple[int, int]:
    """(delay rows, rows before delay zero) in which a model of whole matrices has paths."""
    before = args.window_precursor
    if not 0 <= before < data.nc:
        raise ValueError(f"--window-precursor is {before}, allowed is 0 to {data.nc - 1}")
    rows = args.window
    if rows is None:
        rows = min(data.nc, -(-int(np.ceil(CYCLIC_PREFIX * data.nc) + before) // 8) * 8)
    if not before < rows <= data.nc:
        raise ValueError(f"--window is {rows}, allowed is {before + 1} to {data.nc}")
    return rows, before


def stored(arrays: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Tables as the model file has them: float16, whose 11 bits are more than counts are worth."""
    return {name: np.minimum(array, MAX_HALF).astype(np.float16) for name, array in arrays.items()}


def matrices_of(data: Dataset, count: int, window: Optional[Tuple[int, int]]) -> np.ndarray:
    """The first matrices of a data set, in a window of (rows, rows before delay zero) or, None, Ha."""
    count = min(count, len(data))
    if window is None:
        return data.read_truncated(0, count)
    transform = core.angular_delay_transform(data.nc, data.nt, *window)
    return np.concatenate([transform.forward(data.read(first, min(50, count - first)))[0]
                           for first in range(0, count, 50)])


def other_sets(args: argparse.Namespace, data: Dataset,
               window: Optional[Tuple[int, int]]) -> Tuple[List[np.ndarray], Dict[str, Any]]:
    """The matrices of the further training sets, and what the model says of all sets."""
    if not args.also:
        return [], {}
    names = ["nc", "nt", *(["na", "precursor"] if window is None else [])]
    size = [getattr(data, name) for name in names]
    found, commands, prints, samples = [], [data.command], [], len(data)
    for path in args.also:
        with Dataset(path, args.align, args.drop_bad) as other:
            other.check_zeros()
            other.note_zeros()
            if window is not None:
                other.check_whole()
            if [getattr(other, name) for name in names] != size:
                raise ValueError(f"--also {path} has " + ", ".join(
                    f"{name} {getattr(other, name)}" for name in names) + ", allowed is "
                    + ", ".join(f"{name} {value}" for name, value in zip(names, size)))
            found.append(matrices_of(other, args.train_samples, window))
            commands.append(other.command)
            prints.append(other.fingerprint())
            samples += len(other)
    # No channel model alone has made them.
    return found, {"channel": "", "parameters": "", "samples": samples,
                   "dataset_command": "; ".join(filter(None, commands)),
                   "also_fingerprints": " ".join(prints)}


def mixed(sets: Sequence[np.ndarray]) -> np.ndarray:
    """The matrices of all sets, such that the first ones of the result are of all sets alike."""
    place = np.concatenate([(np.arange(len(s)) + 0.5) / len(s) for s in sets])
    return np.concatenate(sets)[np.argsort(place, kind="stable")]


def train(args: argparse.Namespace, data: Dataset) -> Model:
    """Trains the codec on a Dataset; returns a Model without its measured NMSE."""
    whole = args.codec == "path-whole"
    margin = args.margin if args.margin is not None else 0 if whole else 2
    for name, value, least, most in (("train_samples", args.train_samples, 10, 10**9),
                                     ("rounds", args.rounds, 1, 20), ("margin", margin, 0, 16)):
        if not least <= value <= most:
            raise ValueError(f"--{name.replace('_', '-')} is {value}, allowed is {least} to {most}")
    if not whole and array_attributes(data.array):
        raise ValueError(f"{data.path}: has {array_text(data.array)}, the codec path needs a line: its paths "
                         "have one angle")
    # The rows of a window are as those of Ha; the tables are those of Ha.
    window = window_of(args, data) if whole else None
    rows, precursor = window or (data.na, data.precursor)
    others, attributes = other_sets(args, data, window)
    matrices = mixed([matrices_of(data, args.train_samples, window), *others])
    count = len(matrices)
    shape = Shape(data.nc, rows, data.nt, margin)
    header = {"codec": "path", "nc": data.nc, "na": rows, "nt": data.nt, "precursor": precursor}
    arrays = flat_tables(shape)
    responses: Dict[str, np.ndarray] = {}
    rng = np.random.default_rng(args.seed)
    progress, done = Progress("counting", args.rounds * len(BUDGETS)), 0
    for number in range(args.rounds):
        last = number == args.rounds - 1
        if args.calibrate and last:
            tables = arrays
            responses = response_array(calibrate(matrices, lambda response: Model(
                header, {**tables, **response_array(response)}).opened({})))
        model = Model(header, {**arrays, **responses}).opened({})
        encoder, decoder = core.path_report_encoder(model), core.path_report_decoder(model)
        reports = Reports(shape)
        # All of the training set in the last round alone.
        part = count if last else max(10, min(count, 300 * (1 + len(others))))
        for budget, share in BUDGETS:
            some = matrices[:max(10, int(share * part))]
            bits, counts, _ = encoder.encode(some, budget)
            for row, n in zip(bits, counts):
                reports.add(*decoder.read(row, n))
            done += 1
            progress.update(done)
        reports.close()
        arrays = fit(reports, rng)
    arrays = {**stored(arrays), **responses}
    attributes["codec"] = args.codec
    if not whole:
        return Model(attributes, arrays)
    arrays["encoder/window"] = np.array([rows, precursor], np.float32)
    return Model({**attributes, "domain": "H", "na": data.nc, "precursor": 0}, arrays)
