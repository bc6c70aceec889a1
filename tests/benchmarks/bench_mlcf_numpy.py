#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Times of mlcf_encoder and mlcf_decoder beside NumPy, one CSI at a time, one thread.

In the sizes of the paper: 400 landmarks of 48 subcarriers, 50 neighbours, 32 antennas. The
matrices are of a few paths, as are the landmarks. NumPy does all antennas at once, in float32,
with the products of the landmarks with each other stored: distances and R by one matrix product
and sums, argpartition, np.linalg.solve for all systems, one einsum. Both must agree. They run in
turn in this process; every figure is the best of the repetitions, every ratio the median of the
quotients of neighbours.

    PYTHONPATH=build/test_modules tests/benchmarks/bench_mlcf_numpy.py [--repeats N]
"""

import argparse
import os
import statistics
import tempfile
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import h5py
import numpy as np
from gnuradio import csifeedback

NF, NT, LANDMARKS, K, LAMBDA, D = 48, 32, 400, 50, 1e-3, 24
DIMENSIONS = (6, 12, 24)


def channels(rng, count):
    """Matrices of eight paths, [Re H; Im H], (count, 2 NF, NT), unit power."""
    gain = rng.standard_normal((count, 1, 1, 8, 2)) @ [1, 1j]
    delay, angle = rng.uniform(0, 0.1, (2, count, 1, 1, 8))
    f, n = np.arange(NF)[:, None, None], np.arange(NT)[None, :, None]
    h = (gain * np.exp(-2j * np.pi * (f * delay + n * angle))).sum(axis=-1)
    h /= np.sqrt(np.mean(np.abs(h) ** 2, axis=(1, 2), keepdims=True))
    return np.concatenate([h.real, h.imag], axis=1).astype(np.float32)


class Mapping:
    """Landmarks (L, dim) and their images (L, image_dim), eqs. (33) and (34)."""

    def __init__(self, landmarks, images):
        self.landmarks, self.images = landmarks, images
        self.gram = landmarks @ landmarks.T
        self.norms = np.ascontiguousarray(np.diag(self.gram))
        self.diagonal = np.arange(K)
        self.ones = np.ones((NT, K, 1), np.float32)

    def __call__(self, x, residual=False):
        """x: (dim, NT). Returns (image_dim, NT), and the sum of the squared residuals."""
        products = x.T @ self.landmarks.T
        norm = np.einsum("cn,cn->n", x, x)
        distance = norm[:, None] - 2 * products + self.norms
        index = np.argpartition(distance, K - 1, axis=1)[:, :K]
        near = np.take_along_axis(products, index, axis=1)
        r = self.gram[index[:, :, None], index[:, None, :]]
        r -= near[:, :, None]
        r -= near[:, None, :]
        r += norm[:, None, None]
        own = r[:, self.diagonal, self.diagonal]
        r[:, self.diagonal, self.diagonal] += LAMBDA * own + 1e-6 * own.mean(axis=1)[:, None]
        w = np.linalg.solve(r, self.ones)[:, :, 0]
        w /= w.sum(axis=1, keepdims=True)
        images = np.matmul(w[:, None, :], self.images[index])[:, 0].T
        if not residual:
            return images, 0
        difference = x.T - np.matmul(w[:, None, :], self.landmarks[index])[:, 0]
        return images, float((difference ** 2).sum())


def write_model(path, pairs):
    with h5py.File(path, "w", libver="earliest") as file:
        file.attrs.update({"format": "gr-csifeedback model", "format_version": 1,
                           "codec": "mlcf", "domain": "H", "model_id": 1, "nc": NF, "na": NF,
                           "nt": NT, "precursor": 0, "align": 0})
        file["encoder/D_H"], file["encoder/D_L"] = pairs[0]
        file["decoder/dimensions"] = np.float32(DIMENSIONS)
        for d in DIMENSIONS:
            file[f"decoder/D_H_{d}"] = pairs[1][0]
            file[f"decoder/D_L_{d}"] = pairs[1][1][:, :d]
        for group in "encoder", "decoder":
            file[group + "/neighbours"] = np.float32([K])
            file[group + "/lambda"] = np.float32([LAMBDA])


def compare(name, ours, numpy, repeats):
    times = []
    for _ in range(repeats):
        pair = []
        for run in ours, numpy:
            start = time.perf_counter()
            run()
            pair.append(time.perf_counter() - start)
        times.append(pair)
    best = [1e6 * min(t) for t in zip(*times)]
    ratio = statistics.median(b / a for a, b in times)
    print(f"{name:16} {best[0]:8.1f} us   NumPy {best[1]:8.1f} us   ratio {ratio:.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=300)
    repeats = parser.parse_args().repeats
    rng = np.random.default_rng(1)
    columns = np.concatenate(list(channels(rng, 200).swapaxes(1, 2)))
    chosen = columns[rng.permutation(len(columns))[:2 * LANDMARKS]]
    basis = np.linalg.svd(columns, full_matrices=False)[2][:D].T
    pairs = [(x, np.ascontiguousarray(x @ basis)) for x in np.split(chosen, 2)]
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "mlcf.h5")
        write_model(path, pairs)
        model = csifeedback.model_file(path)
    h = channels(rng, 1)[0]
    matrix = h[:NF] + 1j * h[NF:]
    scaled = h * np.sqrt(NF * NT / (h ** 2).sum())
    for d in DIMENSIONS:
        encoder = csifeedback.mlcf_encoder(model, d * NT)
        forward = Mapping(pairs[0][0], np.ascontiguousarray(pairs[0][1][:, :d]))
        s, gain, residual_db = encoder.encode(matrix, with_residual_energy=True)
        y, residual = forward(scaled, True)
        error = np.linalg.norm(s - y.ravel()) / np.linalg.norm(y)
        assert error < 1e-3, error
        assert abs(10 ** (residual_db / 10) * NF * NT / residual - 1) < 1e-2
        decoder = csifeedback.mlcf_decoder(model, d * NT)
        back = Mapping(np.ascontiguousarray(pairs[1][1][:, :d]), pairs[1][0])
        s = s.reshape(d, NT)
        x, _ = back(s)
        found = decoder.decode(s.ravel(), 0.0)
        error = np.linalg.norm(found - x[:NF] - 1j * x[NF:]) / np.linalg.norm(x)
        assert error < 2e-2, error
        compare(f"encode, d = {d}", lambda: encoder.encode(matrix),
                lambda: forward(scaled, True), repeats)
        compare(f"decode, d = {d}", lambda: decoder.decode(s.ravel(), 0.0),
                lambda: back(s), repeats)


if __name__ == "__main__":
    main()
