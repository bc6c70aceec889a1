#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Small MLCF models with codewords and reconstructions in double precision, for test_mlcf.cc.

Written from MLCF eqs. (33) to (36) and docs/files.md, in plain NumPy; it knows nothing of the
C++ code. Landmarks are the columns of random channels of a few paths, embeddings their
principal components. Each model file holds what encoder and decoder need, and beside it in the
group `oracle`

    h          h_vec of some matrices, row by row
    s          their codewords
    mismatch   their relative residuals
    code       codewords with noise
    m          lengths that they are decoded at
    x_<m>      what those give, as h_vec

Usage: mlcf_oracle.py DIRECTORY
"""

import argparse
import os

import h5py
import numpy as np

CASES = {
    "small": dict(na=12, nt=5, landmarks=40, k=8, lambda_=1e-3, dimensions=(2, 3, 4)),
    "wide": dict(na=16, nt=17, landmarks=48, k=30, lambda_=1e-2, dimensions=(3, 9)),
    "all": dict(na=5, nt=3, landmarks=9, k=9, lambda_=1e-1, dimensions=(4,)),
    "one": dict(na=6, nt=4, landmarks=20, k=1, lambda_=0, dimensions=(1, 2)),
    "free": dict(na=16, nt=7, landmarks=50, k=4, lambda_=0, dimensions=(4, 6)),
}
EPSILON = 1e-6


def channels(rng, count, na, nt):
    """Random matrices of four paths, complex (count, na, nt), unit power for an entry."""
    delay = rng.uniform(0, 0.15, (count, 1, 1, 4))
    angle = rng.uniform(-0.3, 0.3, (count, 1, 1, 4))
    gain = rng.standard_normal((count, 1, 1, 4, 2)) @ [1, 1j]
    f, n = np.arange(na)[:, None, None], np.arange(nt)[None, :, None]
    h = (gain * np.exp(-2j * np.pi * (f * delay + n * angle))).sum(axis=-1)
    return h / np.sqrt(np.mean(np.abs(h) ** 2, axis=(1, 2), keepdims=True))


def stacked(h):
    """[Re H; Im H]."""
    return np.concatenate([h.real, h.imag], axis=-2)


def weights(x, landmarks, k, lambda_):
    """Indices and weights of the k nearest rows of landmarks, eq. (33)."""
    distance = ((landmarks - x) ** 2).sum(axis=1)
    index = np.lexsort((np.arange(len(landmarks)), distance))[:k]
    n = (x - landmarks[index]).T
    r = n.T @ n
    a = r + lambda_ * np.diag(np.diag(r)) + EPSILON * np.trace(r) / k * np.eye(k)
    w = np.linalg.solve(a, np.ones(k))
    return index, w / w.sum()


def mapped(x, landmarks, images, k, lambda_):
    """Eqs. (34) and (36) for the columns of x, and the sum of their squared residuals."""
    result, residual = np.empty((images.shape[1], x.shape[1])), 0
    for n, column in enumerate(x.T):
        index, w = weights(column, landmarks, k, lambda_)
        result[:, n] = images[index].T @ w
        residual += ((column - landmarks[index].T @ w) ** 2).sum()
    return result, residual


def write_case(path, seed, na, nt, landmarks, k, lambda_, dimensions):
    rng = np.random.default_rng(seed)
    d = max(dimensions)
    columns = np.concatenate(list(stacked(channels(rng, 60, na, nt)).swapaxes(1, 2)))
    _, _, basis = np.linalg.svd(columns, full_matrices=False)
    chosen = columns[rng.permutation(len(columns))[:2 * landmarks]].astype(np.float32)
    pairs = [chosen[:landmarks], chosen[landmarks:]]
    embeddings = [(p @ basis[:d].T).astype(np.float32) for p in pairs]
    lambda_ = float(np.float32(lambda_))
    h = np.stack([x.ravel() for x in stacked(channels(rng, 6, na, nt))]).astype(np.float32)
    matrices = h.astype(float).reshape(-1, 2 * na, nt)
    with h5py.File(path, "w", libver="earliest") as file:
        file.attrs.update({"format": "gr-csifeedback model", "format_version": 1,
                           "codec": "mlcf", "domain": "H", "model_id": 4660, "nc": na, "na": na,
                           "nt": nt, "precursor": 0, "align": 0, "code_size": d * nt})

        def array(name, values):
            file.create_dataset(name, data=np.asarray(values, np.float32), track_times=False)

        array("encoder/D_H", pairs[0])
        array("encoder/D_L", embeddings[0])
        array("decoder/dimensions", dimensions)
        for size in dimensions:
            array(f"decoder/D_L_{size}", embeddings[1][:, :size])
            array(f"decoder/D_H_{size}", pairs[1])
        for group in "encoder", "decoder":
            array(group + "/neighbours", [k])
            array(group + "/lambda", [lambda_])

        def double(x):
            return x.astype(float)

        encoded = [mapped(x, double(pairs[0]), double(embeddings[0]), k, lambda_)
                   for x in matrices]
        s = np.stack([y.ravel() for y, _ in encoded])
        array("quantizer/std", s.std(axis=0) + 0.1)
        array("quantizer/global_8", np.linspace(-4, 4, 256))
        array("oracle/h", h)
        array("oracle/s", s)
        array("oracle/mismatch", [r / (x ** 2).sum() for (_, r), x in zip(encoded, matrices)])
        code = (s + 0.1 * rng.standard_normal(s.shape)).astype(np.float32)
        array("oracle/code", code)
        lengths = sorted({1, dimensions[0] * nt - 1, dimensions[-1] * nt} |
                         {size * nt for size in dimensions})
        array("oracle/m", lengths)
        for m in lengths:
            size = max([x for x in dimensions if x * nt <= m], default=dimensions[0])
            values = np.zeros((len(code), size * nt))
            values[:, :min(m, size * nt)] = code[:, :min(m, size * nt)]
            x = [mapped(v.reshape(size, nt), double(embeddings[1][:, :size]), double(pairs[1]),
                        k, lambda_)[0].ravel() for v in values]
            array(f"oracle/x_{m}", x)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    directory = parser.parse_args().directory
    for seed, (name, case) in enumerate(CASES.items()):
        write_case(os.path.join(directory, f"mlcf_{name}.h5"), seed, **case)


if __name__ == "__main__":
    main()
