#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Linear codecs: KLT (principal components) and random projections.

The channel's phase is uniform, so that its covariance is circular: the real KLT of
[Re h; Im h] has pairs of equal eigenvalues and is that of the complex covariance
E{h h^H}, whose estimate from the same samples is better and whose vectors take half the
room.

Two more KLTs take whole matrices H and know less of them: klt-columns sees the column of one
antenna alone, klt-cells takes the DFT over the antennas for their KLT.
"""

import argparse
import functools
from typing import Dict, Iterable, Tuple

import numpy as np

from ..data.dataset import Dataset
from ..progress import Progress
from ..model import Model
from . import quantizers, takes_whole

#: the codecs that it trains
CODECS = ("klt", "gaussian", "orthonormal", "klt-columns", "klt-cells")
#: they get tables of entropy-coded reports
ENTROPY_REPORTS = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of these codecs."""
    parser.add_argument("--code-size", type=int, metavar="M", default=0,
                        help="length of the longest codeword (default: the ratio 1/4); klt-columns "
                             "rounds it down to whole components of all antennas")
    parser.add_argument("--entry-bits", type=int, metavar="B", default=6,
                        help="Lloyd-Max tables for every entry up to B bits, 0 to 10 (default: 6)")
    parser.add_argument("--no-basis", action="store_true",
                        help="random projections: leave out the covariance that "
                             "linear_decoder needs (FISTA alone then)")


def normalize(ha: np.ndarray) -> np.ndarray:
    """Matrices (n, na, nt) scaled to a squared Frobenius norm of na nt, as vectors."""
    x = ha.reshape(len(ha), -1)
    power = np.mean(np.abs(x) ** 2, axis=1, keepdims=True)
    if not np.all(np.isfinite(power)) or not np.all(power > 0):
        raise ValueError("the data set has a matrix that is all zero or not finite")
    return (x / np.sqrt(power)).astype(np.complex64)


def covariance(chunks: Iterable[np.ndarray], n: int, total: int) -> np.ndarray:
    """E{x x^H} of normalized matrices that come in chunks (m, na, nt)."""
    sum_ = np.zeros((n, n), np.complex128)
    count = 0
    progress = Progress("covariance", total)
    for ha in chunks:
        x = normalize(ha)
        sum_ += x.T @ x.conj()
        count += len(x)
        progress.update(count)
    return sum_ / count


def principal_components(c: np.ndarray, count: int) -> Tuple[np.ndarray, np.ndarray, float]:
    """The leading eigenvectors, as rows, with their eigenvalues and the sum of all."""
    values, vectors = np.linalg.eigh(c)
    return _with_phase(vectors[:, ::-1][:, :count].T), values[::-1][:count], float(np.sum(values))


def _with_phase(u):
    """An eigenvector's phase is free: make its largest element real, for the same file whatever
    LAPACK is at hand."""
    largest = np.take_along_axis(u, np.argmax(np.abs(u), axis=1)[:, None], axis=1)
    return (u * (np.abs(largest) / largest)).astype(np.complex64)


def matrix_components(chunks: Iterable[np.ndarray], n: int, total: int,
                      count: int) -> Tuple[np.ndarray, np.ndarray, float]:
    """principal_components() of the covariance of `total` normalized matrices that come in chunks.

    Fewer matrices than their n values are decomposed themselves, and not their covariance. Behind
    the components that they span come orthonormal vectors of variance zero.
    """
    if total >= n:
        return principal_components(covariance(chunks, n, total), count)
    x = np.concatenate([normalize(ha) for ha in chunks]).astype(np.complex128) / np.sqrt(total)
    _, scale, rows = np.linalg.svd(x, full_matrices=False)
    values = np.zeros(max(count, total))
    values[:total] = scale**2
    rank = int(np.count_nonzero(values > n * np.finfo(float).eps * values[0]))
    u = rows[:min(rank, count)]
    if len(u) < count:
        rng = np.random.default_rng(1)
        shape = (count - len(u), n)
        rest = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
        u = np.concatenate([u, np.linalg.qr((rest - rest @ u.conj().T @ u).T)[0].T])
    return _with_phase(u), values[:count], float(np.sum(values))


def mmse_statistics(u: np.ndarray, values: np.ndarray, trace: float) -> Dict[str, np.ndarray]:
    """What a linear MMSE decoder needs, as the arrays of a model file: components u (k, n),
    their variances, and the same one for all other directions, from the sum of all."""
    pairs, n = u.shape
    # Variance of a real coefficient is half that of the complex one.
    floor = max(0.0, (trace - float(np.sum(values))) / max(1, n - pairs)) / 2
    return {"decoder/basis": u, "decoder/variance": np.maximum(np.repeat(values / 2, 2), floor),
            "decoder/floor": np.array([floor])}


def real_rows(u: np.ndarray) -> np.ndarray:
    """Complex vectors u as the rows of W: [Re u, Im u] and [-Im u, Re u] in turn."""
    pairs = np.stack([np.hstack([u.real, u.imag]), np.hstack([-u.imag, u.real])], axis=1)
    return pairs.reshape(2 * len(u), -1)


def codewords(chunks: Iterable[np.ndarray], w: np.ndarray, total: int) -> np.ndarray:
    """s = W [Re x; Im x] of normalized matrices, float32 (n, M)."""
    result = []
    progress = Progress("codewords", total)
    for ha in chunks:
        x = normalize(ha)
        result.append(np.hstack([x.real, x.imag]) @ w.T)
        progress.update(sum(len(s) for s in result))
    return np.concatenate(result)


def columns_of(h: np.ndarray) -> np.ndarray:
    """[Re H; Im H] of normalized matrices (n, nc, nt): the column of each antenna, as one of
    2 nc values, float32 (n, 2 nc, nt)."""
    x = normalize(h).reshape(h.shape)
    return np.concatenate([x.real, x.imag], axis=1)


def column_components(data: Dataset, count: int) -> np.ndarray:
    """The leading principal components of the columns of single antennas, as rows (count, 2 nc)."""
    sum_ = np.zeros((2 * data.nc, 2 * data.nc))
    progress = Progress("covariance", len(data))
    done = 0
    for h in data.chunks("H"):
        x = columns_of(h).swapaxes(0, 1).reshape(2 * data.nc, -1)
        sum_ += x @ x.T
        done += len(h)
        progress.update(done)
    return principal_components(sum_ / (done * data.nt), count)[0].real


def cell_vectors(data: Dataset, count: int) -> np.ndarray:
    """Products of a principal component over frequency and a DFT vector over antennas: the
    `count` strongest over the data set, in falling order, complex (count, nc nt)."""
    nc, nt = data.nc, data.nt
    sum_ = np.zeros((nc, nc), np.complex128)
    progress = Progress("covariance over frequency", len(data))
    done = 0
    for h in data.chunks("H"):
        x = normalize(h).reshape(h.shape).swapaxes(0, 1).reshape(nc, -1)
        sum_ += x @ x.conj().T
        done += len(h)
        progress.update(done)
    over_frequency = principal_components(sum_ / (done * nt), nc)[0]
    over_antennas = np.fft.fft(np.eye(nt), norm="ortho")
    power = np.zeros((nc, nt))
    for h in data.chunks("H"):
        x = normalize(h).reshape(h.shape)
        power += np.sum(np.abs(over_frequency.conj() @ x @ over_antennas) ** 2, axis=0)
    strongest = np.argsort(-power.ravel(), kind="stable")[:count]
    f, a = np.unravel_index(strongest, power.shape)
    vectors = over_frequency[f][:, :, None] * over_antennas[:, a].T.conj()[:, None, :]
    return vectors.reshape(count, nc * nt).astype(np.complex64)


def column_codewords(chunks: Iterable[np.ndarray], w: np.ndarray, total: int) -> np.ndarray:
    """The components of each antenna's column, float32 (n nt, d), of whole matrices."""
    result = []
    progress = Progress("codewords", total)
    done = 0
    for h in chunks:
        result.append((w @ columns_of(h)).swapaxes(1, 2).reshape(-1, len(w)))
        done += len(h)
        progress.update(done)
    return np.concatenate(result)


def train(args: argparse.Namespace, data: Dataset) -> Model:
    """Trains args.codec on a Dataset; returns a Model without its measured NMSE."""
    whole = takes_whole(args.codec)
    n = (data.nc if whole else data.na) * data.nt
    size = args.code_size or max(2, 2 * n // 4)
    if args.codec == "klt-columns":
        if not data.nt <= size <= 2 * n:
            raise ValueError(f"--code-size is {size}, allowed is {data.nt} to {2 * n}")
        size -= size % data.nt
    elif not 2 <= size <= 2 * n or size % 2:
        raise ValueError(f"--code-size is {size}, allowed are even numbers from 2 to {2 * n}")
    quantizers.check_entry_bits(args.entry_bits)
    arrays = {}
    pairs = size // 2
    chunks = functools.partial(data.chunks, "H" if whole else "Ha")
    if args.codec == "klt" or not whole and not args.no_basis:
        u, values, trace = matrix_components(chunks(), n, len(data), pairs)
    rng = np.random.default_rng(args.seed)
    if args.codec == "klt":
        arrays["encoder/W_complex"] = u
        w = real_rows(u)
    elif args.codec == "klt-columns":
        w = arrays["encoder/W_columns"] = column_components(data, size // data.nt)
    elif args.codec == "klt-cells":
        arrays["encoder/W_complex"] = u = cell_vectors(data, pairs)
        w = real_rows(u)
    else:
        if args.codec == "gaussian":
            w = rng.standard_normal((size, 2 * n)) / np.sqrt(2 * n)
            arrays["encoder/W"] = w
        else:
            g = rng.standard_normal((n, pairs)) + 1j * rng.standard_normal((n, pairs))
            q = np.linalg.qr(g)[0].T
            arrays["encoder/W_complex"] = q
            w = real_rows(q)
        if not args.no_basis:
            arrays.update(mmse_statistics(u, values, trace))
    make = column_codewords if args.codec == "klt-columns" else codewords
    s = make(chunks(), w.astype(np.float32), len(data))
    progress = Progress("quantizers", 100)
    tables = quantizers.fit(s, args.entry_bits, lambda share: progress.update(round(100 * share)))
    if args.codec == "klt-columns":
        tables = quantizers.for_antennas(tables, data.nt)
    arrays.update({f"quantizer/{name}": table for name, table in tables.items()})
    attributes = {"codec": args.codec, "code_size": size}
    if whole:
        attributes.update(domain="H", na=data.nc, precursor=0)
    return Model(attributes, arrays)
