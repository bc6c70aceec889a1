#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Local KLT: the channel's manifold as patches, each with principal components of its own.

The phases of the paths are uniform, so that all that tells one part of the manifold from
another is in the covariances of a matrix over its rows (where its energy is in delay) and
over its columns (where in angle). Each side gets its own patches, by Gaussian likelihood; a
pair of them makes a separable basis.
"""

import argparse
import os
import tempfile
from typing import Callable, Dict, List, Tuple

import numpy as np

from .. import csifeedback_python as core
from ..data.dataset import Dataset
from ..progress import Progress
from ..model import Model
from . import linear, quantizers

#: the codecs that it trains
CODECS = ("local-klt",)
#: they get tables of entropy-coded reports
ENTROPY_REPORTS = True
#: noise with which an encoder may choose its patch; for each length of codewords the best
NOISES = (1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this codec."""
    add = parser.add_argument
    add("--row-patches", type=int, metavar="P", default=64,
        help="bases over the rows of Ha, a power of 2 up to 4096 (default: 64)")
    add("--column-patches", type=int, metavar="Q", default=64,
        help="bases over its columns, likewise (default: 64)")
    add("--noise", type=float, metavar="X", default=0.03,
        help="what the patches that are learned need not tell apart: variance, 1 is the mean power "
             "of an entry. More is better for small codewords, less for large ones (default: 0.03)")
    add("--train-samples", type=int, metavar="N", default=20000,
        help="matrices to learn from, at most (default: 20000)")
    add("--iterations", type=int, metavar="N", default=30,
        help="passes of assignment and update (default: 30)")
    add("--code-size", type=int, metavar="M", default=0,
        help="length of the longest codeword (default: the ratio 1/4)")
    add("--entry-bits", type=int, metavar="B", default=6,
        help="Lloyd-Max tables for every entry up to B bits, 0 to 10 (default: 6)")


def real_parts(s: np.ndarray) -> np.ndarray:
    """Hermitian matrices (n, k, k) as vectors [Re, Im] whose products are traces of products."""
    flat = s.reshape(len(s), -1)
    return np.concatenate([flat.real, flat.imag], axis=1).astype(np.float32)


def patches(s: np.ndarray, count: int, noise: float, iterations: int, rng: np.random.Generator,
            progress: Callable[[float], None] = lambda share: None) -> np.ndarray:
    """Covariances (count, k, k) of the patches to which samples of covariance s belong.

    s: complex (n, k, k). Every pass gives each sample to the patch under which it is most
    likely, of Gaussians of these covariances with added `noise`.
    """
    n, k, _ = s.shape
    flat = real_parts(s)
    whole = s.mean(axis=0)
    unit = np.eye(k)

    def near(sample):
        return 0.7 * sample + 0.3 * whole

    own = np.array([near(s[i]) for i in rng.choice(n, count, replace=False)])
    before = None
    for number in range(iterations):
        total = own + noise * unit
        score = flat @ real_parts(np.linalg.inv(total)).T \
            + np.linalg.slogdet(total)[1].astype(np.float32)
        label = np.argmin(score, axis=1)
        if before is not None and np.array_equal(label, before):
            break
        before = label
        for p in range(count):
            members = label == p
            # A patch nobody belongs to begins anew elsewhere. The rest of the whole keeps
            # directions that its own samples lack in order.
            own[p] = s[members].mean(axis=0) + 1e-3 * whole if members.any() \
                else near(s[rng.integers(n)])
        progress((number + 1) / iterations)
    return own


def bases(covariances: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Eigenvectors as rows (count, k, k), strongest first, and variances of mean 1."""
    vectors, variances = [], []
    for c in covariances:
        u, values, _ = linear.principal_components(c, len(c))
        vectors.append(u)
        variances.append(np.maximum(values, 0) / np.mean(values))
    return np.array(vectors), np.array(variances)


def relative_error(model: core.model_file, size: int, ha: np.ndarray) -> float:
    """Mean of ||H - H^||^2 / ||H||^2 with codewords of a size."""
    s, gain_db = core.local_klt_encoder(model, size).encode(ha)
    return float(np.mean(core.squared_error_ratio(
        ha, core.local_klt_decoder(model, size).decode(s, gain_db))))


def train(args: argparse.Namespace, data: Dataset) -> Model:
    """Trains the codec on a Dataset; returns a Model without its measured NMSE."""
    na, nt = data.na, data.nt
    count = min(args.train_samples, len(data))
    for name in ("row_patches", "column_patches"):
        value = getattr(args, name)
        if not 1 <= value <= 4096 or value & (value - 1):
            raise ValueError(f"--{name.replace('_', '-')} is {value}, allowed is a power of 2 from "
                             "1 to 4096")
        if value > count:
            raise ValueError(f"--{name.replace('_', '-')} is {value}, the training set has "
                             f"{count} matrices")
    if not 0 < args.noise <= 100:
        raise ValueError(f"--noise is {args.noise}, allowed is more than 0, up to 100")
    if args.iterations < 1:
        raise ValueError(f"--iterations is {args.iterations}, allowed is 1 or more")
    quantizers.check_entry_bits(args.entry_bits)
    bits = (args.row_patches * args.column_patches).bit_length() - 1
    size = args.code_size or max(bits + 2, 2 * na * nt // 4)
    if not bits < size <= bits + 2 * na * nt:
        raise ValueError(f"--code-size is {size}, allowed is {bits + 1} to {bits + 2 * na * nt}: "
                         f"{bits} values tell the patch")
    covariances: Dict[str, List[np.ndarray]] = {"rows": [], "columns": []}
    parts = []
    left = count
    for ha in data.chunks():
        x = linear.normalize(ha[:left]).reshape(-1, na, nt)
        covariances["rows"].append(x @ x.conj().transpose(0, 2, 1) / nt)
        covariances["columns"].append(x.transpose(0, 2, 1) @ x.conj() / na)
        parts.append(x)
        left -= len(x)
        if not left:
            break
    matrices = np.concatenate(parts)
    rng = np.random.default_rng(args.seed)
    arrays = {}
    first = []
    for name, number in (("rows", args.row_patches), ("columns", args.column_patches)):
        progress = Progress(f"patches of {name}", 100)
        s = np.concatenate(covariances.pop(name))
        basis, variance = bases(patches(s, number, args.noise, args.iterations, rng,
                                        lambda share: progress.update(round(100 * share))))
        arrays[f"encoder/{name}_basis"], arrays[f"encoder/{name}_variance"] = basis, variance
        first.append(np.mean(variance[:, 0]))
    # About the size of the first coordinate, so that quantizers treat the signs as well.
    arrays["encoder/amplitude"] = np.sqrt([first[0] * first[1]])
    attributes = {"codec": "local-klt", "code_size": size}
    sizes = [size >> k for k in range(5) if size >> k > bits]
    header = {**attributes, "nc": data.nc, "na": na, "nt": nt, "precursor": data.precursor}
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "model.h5")

        def model(noises):
            arrays["encoder/rates"], arrays["encoder/noise"] = np.array(sizes), np.array(noises)
            Model(header, arrays).write(path)
            return core.model_file(path)

        progress = Progress("noise of the choice", len(NOISES))
        errors = []
        for number, noise in enumerate(NOISES):
            file = model([noise] * len(sizes))
            errors.append([relative_error(file, m, matrices[:2000]) for m in sizes])
            progress.update(number + 1)
        encoder = core.local_klt_encoder(
            model([NOISES[i] for i in np.argmin(errors, axis=0)]), size)
        s = encoder.encode(matrices)[0]
    progress = Progress("quantizers", 100)
    tables = quantizers.fit(s, args.entry_bits,
                            lambda share: progress.update(round(100 * share)))
    arrays.update({f"quantizer/{name}": table for name, table in tables.items()})
    return Model(attributes, arrays)
