#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Iterations of MLCF's Algorithm 1 beside vectorized NumPy, in turn in one process.

NumPy computes the plain algorithm in single precision, as fast as was found: eqs. (21), (19) and
(22) without the weights for former neighbours, and the objective (16); R from the Gram matrix or
from the differences, whichever is faster. The times are the best of all repetitions.

    PYTHONPATH=build/test_modules tests/benchmarks/bench_mlcf_learner_numpy.py [--dim 96] [--threads 1]
"""

import argparse
import os
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from gnuradio.csifeedback import csifeedback_python as core

BLOCK = 500


def weights(x, power, d, k, lam, extra, by_gram):
    """Neighbours and weights of all samples, eq. (22)."""
    n = len(x)
    index, w = np.empty((n, k), np.int64), np.empty((n, k), np.float32)
    norm = np.einsum("jr,jr->j", d, d)
    gram = d @ d.T
    diagonal = np.arange(k)
    for at in range(0, n, BLOCK):
        block = x[at:at + BLOCK]
        product = block @ d.T
        near = np.argpartition(norm - 2 * product, k - 1, axis=1)[:, :k]
        if by_gram:
            own = np.take_along_axis(product, near, 1)
            r = gram[near[:, :, None], near[:, None, :]]
            r -= own[:, :, None]
            r -= own[:, None, :]
            r += power[at:at + BLOCK, None, None]
        else:
            difference = block[:, None, :] - d[near]
            r = difference @ difference.transpose(0, 2, 1)
        own = r[:, diagonal, diagonal]
        r[:, diagonal, diagonal] = (1 + lam) * own + extra[near] \
            + 1e-6 * own.mean(1, keepdims=True)
        solution = np.linalg.solve(r, np.ones((len(block), k, 1), np.float32))[..., 0]
        index[at:at + BLOCK] = near
        w[at:at + BLOCK] = solution / solution.sum(1, keepdims=True)
    return index, w


def dense(index, w, count):
    whole = np.zeros((len(w), count), np.float32)
    np.put_along_axis(whole, index, w, 1)
    return whole


def iterate(x, power, d, w, k, lam, mu, by_gram):
    """One iteration; w is n x L."""
    extra = (mu / (2 * np.maximum(1e-6, np.sqrt(np.einsum("ij,ij->j", w, w))))).astype(np.float32)
    a = w.T @ w
    t = (w + lam * w * w).T @ x
    d = d.copy()
    for j in range(len(d)):
        if a[j, j] > 0:
            d[j] = (t[j] - a[j] @ d + a[j, j] * d[j]) / ((1 + lam) * a[j, j])
    index, values = weights(x, power, d, k, lam, extra, by_gram)
    w = dense(index, values, len(d))
    residual = x - w @ d
    square = np.einsum("ij,ij->i", w, w)
    norm = np.einsum("jr,jr->j", d, d)
    distances = power * square - 2 * np.einsum("ij,ij,ij->i", w, w, x @ d.T) + (w * w) @ norm
    objective = np.vdot(residual, residual) + lam * distances.sum() \
        + mu * np.sqrt(np.einsum("ij,ij->j", w, w)).sum()
    return d, w, objective / len(x)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("samples", 4000), ("dim", 96), ("landmarks", 400), ("neighbours", 50),
                        ("threads", 1), ("repeats", 10)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    k, lam, mu = args.neighbours, np.float32(1e-3), np.float32(1e-3)
    rng = np.random.default_rng(1)
    # Spectra that decay as those of channels do.
    scale = 10 ** (-0.05 * np.arange(args.dim))
    x = rng.standard_normal((args.samples, args.dim)) * scale
    turn = np.linalg.qr(rng.standard_normal((args.dim, args.dim)))[0]
    x = (x @ turn / np.sqrt(np.mean(x**2))).astype(np.float32)
    power = np.einsum("ir,ir->i", x, x)

    learner = core.mlcf_learner(x, args.landmarks, k, lam, mu, 1, args.threads)
    _, landmarks, index, values = learner.state()
    d, w = landmarks.astype(np.float32), dense(index, values, args.landmarks)
    times = {"this module": [], "NumPy, Gram": [], "NumPy, differences": []}
    ratios = []
    for _ in range(args.repeats):
        start = time.perf_counter()
        ours = learner.iterate()
        times["this module"].append(time.perf_counter() - start)
        for name, by_gram in (("NumPy, Gram", True), ("NumPy, differences", False)):
            start = time.perf_counter()
            result = iterate(x, power, d, w, k, lam, mu, by_gram)
            times[name].append(time.perf_counter() - start)
        d, w, theirs = result
        ratios.append(min(times["NumPy, Gram"][-1], times["NumPy, differences"][-1])
                      / times["this module"][-1])
    print(f"{args.samples} samples of {args.dim}, {args.landmarks} landmarks, {k} neighbours, "
          f"{args.threads} threads here")
    for name, seconds in times.items():
        print(f"{name:20} {1e3 * min(seconds):8.1f} ms per iteration (best of {args.repeats})")
    best = min(min(times["NumPy, Gram"]), min(times["NumPy, differences"]))
    print(f"faster, best to best {best / min(times['this module']):.1f}, median of the quotients "
          f"of neighbouring runs {np.median(ratios):.1f}")
    print(f"objective after the last iteration: {ours:.6f}, NumPy {theirs:.6f}")


if __name__ == "__main__":
    main()
