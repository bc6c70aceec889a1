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
"""

import numpy as np

from ..cli.common import Progress
from ..model import Model
from . import quantizers


def add_arguments(parser):
    """Options of these codecs."""
    parser.add_argument("--code-size", type=int, metavar="M", default=0,
                        help="length of the longest codeword (default: the ratio 1/4)")
    parser.add_argument("--entry-bits", type=int, metavar="B", default=6,
                        help="Lloyd-Max tables for every entry up to B bits, 0 to 10 (default: 6)")
    parser.add_argument("--no-basis", action="store_true",
                        help="random projections: leave out the covariance that "
                             "linear_decoder needs (FISTA alone then)")


def normalize(ha):
    """Matrices (n, na, nt) scaled to a squared Frobenius norm of na nt, as vectors."""
    x = ha.reshape(len(ha), -1)
    power = np.mean(np.abs(x) ** 2, axis=1, keepdims=True)
    if not np.all(np.isfinite(power)) or not np.all(power > 0):
        raise ValueError("the data set has a matrix that is all zero or not finite")
    return (x / np.sqrt(power)).astype(np.complex64)


def covariance(chunks, n, total):
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


def principal_components(c, count):
    """The leading eigenvectors, as rows, with their eigenvalues and the sum of all."""
    values, vectors = np.linalg.eigh(c)
    u = vectors[:, ::-1][:, :count].T
    # An eigenvector's phase is free: make its largest element real, for the same file
    # whatever LAPACK is at hand.
    largest = np.take_along_axis(u, np.argmax(np.abs(u), axis=1)[:, None], axis=1)
    u = u * (np.abs(largest) / largest)
    return u.astype(np.complex64), values[::-1][:count], float(np.sum(values))


def mmse_statistics(u, values, trace):
    """What a linear MMSE decoder needs, as the arrays of a model file: components u (k, n),
    their variances, and the same one for all other directions, from the sum of all."""
    pairs, n = u.shape
    # Variance of a real coefficient is half that of the complex one.
    floor = max(0.0, (trace - float(np.sum(values))) / max(1, n - pairs)) / 2
    return {"decoder/basis": u, "decoder/variance": np.maximum(np.repeat(values / 2, 2), floor),
            "decoder/floor": np.array([floor])}


def real_rows(u):
    """Complex vectors u as the rows of W: [Re u, Im u] and [-Im u, Re u] in turn."""
    pairs = np.stack([np.hstack([u.real, u.imag]), np.hstack([-u.imag, u.real])], axis=1)
    return pairs.reshape(2 * len(u), -1)


def codewords(chunks, w, total):
    """s = W [Re x; Im x] of normalized matrices, float32 (n, M)."""
    result = []
    progress = Progress("codewords", total)
    for ha in chunks:
        x = normalize(ha)
        result.append(np.hstack([x.real, x.imag]) @ w.T)
        progress.update(sum(len(s) for s in result))
    return np.concatenate(result)


def train(args, data):
    """Trains args.codec on a Dataset; returns a Model without its measured NMSE."""
    n = data.na * data.nt
    size = args.code_size or max(2, 2 * n // 4)
    if not 2 <= size <= 2 * n or size % 2:
        raise ValueError(f"--code-size is {size}, allowed are even numbers from 2 to {2 * n}")
    if not 0 <= args.entry_bits <= quantizers.LARGEST_BITS:
        raise ValueError(f"--entry-bits is {args.entry_bits}, allowed is 0 to "
                         f"{quantizers.LARGEST_BITS}")
    arrays = {}
    pairs = size // 2
    if args.codec == "klt" or not args.no_basis:
        u, values, trace = principal_components(
            covariance(data.chunks(), n, len(data)), pairs)
    rng = np.random.default_rng(args.seed)
    if args.codec == "klt":
        arrays["encoder/W_complex"] = u
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
    s = codewords(data.chunks(), w.astype(np.float32), len(data))
    progress = Progress("quantizers", 100)
    tables = quantizers.fit(s, args.entry_bits, lambda share: progress.update(round(100 * share)))
    arrays.update({f"quantizer/{name}": table for name, table in tables.items()})
    attributes = {"codec": args.codec, "code_size": size}
    return Model(attributes, arrays)
