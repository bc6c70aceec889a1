#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Scalar quantizers fitted to the codewords of a training set."""

from typing import Callable, Dict, List, Optional, Tuple

import numpy as np

MAX_BITS = 10


def check_entry_bits(bits: int) -> None:
    """ValueError if --entry-bits is out of range."""
    if not 0 <= bits <= MAX_BITS:
        raise ValueError(f"--entry-bits is {bits}, allowed is 0 to {MAX_BITS}")


class Distribution:
    """Sorted, weighted samples, with the sums that moments over intervals need."""

    def __init__(self, x: np.ndarray, weights: Optional[np.ndarray] = None) -> None:
        """x: samples, any shape; weights: the same shape, or None for equal ones."""
        x = np.asarray(x, np.float64).ravel()
        order = np.argsort(x, kind="stable")
        self.x = x[order]
        w = np.ones_like(x) if weights is None else np.asarray(weights, np.float64).ravel()[order]
        self._w = np.concatenate([[0], np.cumsum(w)])
        self._wx = np.concatenate([[0], np.cumsum(w * self.x)])
        self.energy = float(np.sum(w * self.x**2))
        self.total = float(self._w[-1])

    def cells(self, thresholds: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Weight and first moment of each interval between increasing thresholds."""
        at = np.concatenate([[0], np.searchsorted(self.x, thresholds, side="right"),
                             [len(self.x)]])
        return np.diff(self._w[at]), np.diff(self._wx[at])

    def mse(self, levels: np.ndarray) -> float:
        """Mean squared error of rounding to the nearest of increasing levels."""
        weight, moment = self.cells((levels[1:] + levels[:-1]) / 2)
        return float((self.energy - 2 * np.dot(levels, moment) + np.dot(levels**2, weight))
                     / self.total)

    def quantile(self, p: np.ndarray) -> np.ndarray:
        at = np.searchsorted(self._w, np.asarray(p) * self.total)
        return self.x[np.clip(at - 1, 0, len(self.x) - 1)]


def lloyd_max(distribution: Distribution, bits: int, iterations: int = 300,
              tolerance: float = 1e-7) -> np.ndarray:
    """The 2^bits increasing levels of least mean squared error (Lloyd's algorithm).

    Starts from the quantiles of the density to the power 1/3, which is optimal for many
    levels (Panter and Dite, 1951).
    """
    count = 1 << bits
    edges = distribution.quantile(np.linspace(0, 1, 2049))
    width = np.diff(edges)
    # Density of each of the 2048 cells of equal weight is 1/width; p^(1/3) dx = width^(2/3).
    mass = np.concatenate([[0], np.cumsum(np.maximum(width, 0) ** (2 / 3))])
    if mass[-1] == 0:
        raise ValueError("the codewords of the training set do not vary: nothing to quantize")
    levels = np.interp((np.arange(count) + 0.5) / count * mass[-1], mass, edges)
    levels = _increasing(levels)
    error = np.inf
    for _ in range(iterations):
        weight, moment = distribution.cells((levels[1:] + levels[:-1]) / 2)
        # A cell without samples keeps its level.
        levels = _increasing(np.where(weight > 0, moment / np.maximum(weight, 1e-300), levels))
        new = distribution.mse(levels)
        if error - new <= tolerance * new:
            break
        error = new
    return levels.astype(np.float32)


def _increasing(levels):
    """Levels that also differ after rounding to float32."""
    levels = np.sort(levels)
    least = 4 * np.spacing(np.float32(np.max(np.abs(levels)) + 1e-6))
    for i in np.flatnonzero(np.diff(levels) < least):
        levels[i + 1] = max(levels[i + 1], levels[i] + least)
    return levels


def uniform_range(distribution: Distribution, bits: int) -> float:
    """Half width of 2^bits mid-rise uniform levels of least mean squared error."""
    count = 1 << bits
    unit = (2 * np.arange(count) + 1 - count) / count
    scale = np.sqrt(distribution.energy / distribution.total)
    grid = scale * np.geomspace(0.5, 40, 200)
    errors = [distribution.mse(r * unit) for r in grid]
    best = int(np.argmin(errors))
    fine = np.linspace(grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)], 50)
    return float(fine[int(np.argmin([distribution.mse(r * unit) for r in fine]))])


def _shared_tables(distribution: Distribution, name: str,
                   progress: Optional[Callable[[float], None]] = None) -> Dict[str, np.ndarray]:
    """Lloyd-Max levels NAME_B of 1 to MAX_BITS bits, and NAME_mse, their errors from 0 bits on."""
    tables = [np.zeros(1, np.float32)]
    for bits in range(1, MAX_BITS + 1):
        tables.append(lloyd_max(distribution, bits))
        if progress:
            progress(bits / MAX_BITS)
    arrays = {f"{name}_{bits}": table for bits, table in enumerate(tables) if bits}
    arrays[f"{name}_mse"] = np.float32([distribution.mse(t.astype(np.float64)) for t in tables])
    return arrays


def _weighted(x, std):
    """The Distribution of entries x (n, M) of unit variance, each weighing by its variance. A few
    million samples fix the tables to far more digits than matter."""
    step = max(1, len(x) * x.shape[1] // 4_000_000)
    return Distribution(x[::step], np.broadcast_to(std**2, x.shape)[::step])


def fit_prediction(codewords: np.ndarray, progress: Optional[Callable[[float], None]] = None
                   ) -> Dict[str, np.ndarray]:
    """Tables of the predictive quantizer.

    codewords: float (n, M), those of the training set. Each entry is predicted from those before
    it, with least squared error. Returns a dictionary of the arrays of the group `quantizer`:
    prediction (M (M - 1) / 2), the weights of the entries 0 to i - 1 for i = 1 to M - 1 in turn;
    innovation_std (M), what they do not tell; innovation_B and innovation_mse as global_B and
    global_mse. It is empty if n < 4 M or M = 1: such weights would fit nothing but the training set.
    """
    count, size = codewords.shape
    if size < 2 or count < 4 * size:
        return {}
    covariance = np.zeros((size, size))
    for part in np.array_split(codewords, count // 4096 + 1):
        covariance += part.T.astype(np.float64) @ part
    covariance /= count
    # Entries may be linearly dependent.
    covariance[np.diag_indices(size)] += 1e-7 * np.trace(covariance) / size
    factor = np.linalg.cholesky(covariance)
    std = np.diag(factor)
    # s = L e with a unit diagonal of L, so e = s - (1 - L^-1) s.
    whitening = np.linalg.inv(factor / std)
    rows, columns = np.tril_indices(len(std), -1)
    # What is rounded is the prediction, not the codeword: float16 loses nothing.
    prediction = -whitening[rows, columns].astype(np.float16)
    weights = np.zeros(whitening.shape, np.float32)
    weights[rows, columns] = prediction
    innovations = codewords - codewords @ weights.T
    std = np.maximum(np.sqrt(np.mean(np.square(innovations, dtype=np.float64), axis=0)),
                     1e-4 * std)
    return {"prediction": prediction, "innovation_std": std.astype(np.float32),
            **_shared_tables(_weighted(innovations / std, std), "innovation", progress)}


def fit(codewords: np.ndarray, entry_bits: int = 6,
        progress: Optional[Callable[[float], None]] = None) -> Dict[str, np.ndarray]:
    """All quantizer tables of a model.

    codewords: float (n, M), those of the training set. entry_bits: tables of their own for
    every entry up to this number of bits, 0 for none. progress: called with the share done.
    Returns a dictionary of the arrays of the group `quantizer`.

    Tables are for entries scaled to unit standard deviation. Where one table serves all
    entries, each weighs by its variance: that minimizes the error of the whole codeword.
    """
    std = np.sqrt(np.mean(np.square(codewords, dtype=np.float64), axis=0))
    if not np.all(std > 0):
        raise ValueError("an entry of the codeword is always zero over the training set")
    arrays = {"std": std.astype(np.float32)}
    x = codewords / std
    shared = _weighted(x, std)
    report = progress or (lambda share: None)
    arrays.update(_shared_tables(shared, "global", lambda share: report(0.4 * share)))
    arrays["uniform_range"] = np.float32(
        [0] + [uniform_range(shared, b) for b in range(1, MAX_BITS + 1)])
    entries: List[List[np.ndarray]] = [[] for _ in range(entry_bits + 1)]
    for i in range(x.shape[1]):
        own = Distribution(x[:, i])
        for bits in range(1, entry_bits + 1):
            entries[bits].append(lloyd_max(own, bits, iterations=100))
        report(0.4 + 0.6 * (i + 1) / x.shape[1])
    for bits in range(1, entry_bits + 1):
        arrays[f"entry_{bits}"] = np.array(entries[bits], np.float32)
    return arrays


def for_antennas(tables: Dict[str, np.ndarray], nt: int) -> Dict[str, np.ndarray]:
    """Tables fitted to the d components of single antennas, for codewords s[r nt + n] of the
    components of all nt antennas."""
    return {name: np.repeat(table, nt, axis=0) if name == "std" or name.startswith("entry_")
            else table for name, table in tables.items()}
