#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""A literal Algorithm 1 of MLCF in double precision, for test_mlcf_learner.cc.

Written from eqs. (16), (19), (21), (22) and (24) of the paper, one landmark and one sample at a
time; it knows nothing of the C++ code. To what the paper says it adds 1e-6 of the mean of the
diagonal to the matrix of eq. (22), the weights for the former neighbours, of which a sample keeps
whichever has the lower value, and 1e-10 of the mean of the diagonal in eq. (24).

FILE is an HDF5 file with a group for each case:

    samples      n x dim, k, lambda, mu; landmarks_0, index_0, weight_0: where it begins
    objective    (16) divided by n: at the beginning, and after each iteration
    landmarks    after the last iteration, y, and their images by eq. (24)

Usage: mlcf_learner_oracle.py FILE
"""

import argparse

import h5py
import numpy as np

CASES = {
    # name: n, dim, landmarks, k, lambda, mu, iterations
    "plain": (60, 6, 12, 4, 1e-3, 1e-3, 5),
    "wide": (40, 3, 10, 7, 1e-2, 1e-2, 4),  # more neighbours than dimensions
    "no_norms": (50, 5, 9, 3, 0.1, 0.0, 4),
    "heavy": (50, 4, 8, 4, 1.0, 0.5, 4),
}


def weights(x, d, chosen, lam, mu_g):
    """Eq. (22): the weights of the landmarks `chosen` (columns of d)."""
    e = np.ones(len(chosen))
    difference = np.outer(x, e) - d[:, chosen]
    r = difference.T @ difference
    a = r + lam * np.diag(np.diag(r)) + np.diag(mu_g[chosen])
    a += 1e-6 * np.trace(r) / len(chosen) * np.eye(len(chosen))
    w = np.linalg.solve(a, e)
    return w / np.sum(w)


def sample_value(x, d, w, lam, mu_g):
    """A sample's part of (16), with the norms of W's rows as the bound of Lemma 2 has them."""
    return (np.sum((x - d @ w) ** 2)
            + lam * sum(w[j] ** 2 * np.sum((x - d[:, j]) ** 2) for j in range(len(w)))
            + np.sum(mu_g * w**2))


def nearest(x, d, k):
    distance = [np.sum((x - d[:, j]) ** 2) for j in range(d.shape[1])]
    return sorted(sorted(range(len(distance)), key=lambda j: (distance[j], j))[:k])


def full(chosen, w, count):
    column = np.zeros(count)
    column[chosen] = w
    return column


def objective(x, d, w, lam, mu):
    value = sum(sample_value(x[:, i], d, w[:, i], lam, np.zeros(len(w)))
                for i in range(x.shape[1]))
    return (value + mu * sum(np.linalg.norm(row) for row in w)) / x.shape[1]


def iterate(x, d, w, support, k, lam, mu):
    """One iteration: new d, w and support."""
    count, n = w.shape
    mu_g = np.array([mu / (2 * max(1e-6, np.linalg.norm(row))) for row in w])
    d = d.copy()
    for j in range(count):
        row = w[j]
        if not np.any(row):
            continue
        e = x - d @ w + np.outer(d[:, j], row)
        d[:, j] = (e @ row + lam * x @ row**2) / ((1 + lam) * row @ row)
    new_w, new_support = np.zeros_like(w), []
    for i in range(n):
        options = []
        chosen = nearest(x[:, i], d, k)
        options.append((full(chosen, weights(x[:, i], d, chosen, lam, mu_g), count), chosen))
        if chosen != support[i]:
            former = support[i]
            options.append((full(former, weights(x[:, i], d, former, lam, mu_g), count), former))
        options.append((w[:, i], support[i]))
        values = [sample_value(x[:, i], d, option[0], lam, mu_g) for option in options]
        new_w[:, i], chosen = options[int(np.argmin(values))]
        new_support.append(chosen)
    return d, new_w, new_support


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    args = parser.parse_args()
    with h5py.File(args.file, "w", libver="earliest") as file:
        file.attrs["format"] = "gr-csifeedback model"
        file.attrs["format_version"] = 1
        file.attrs["codec"] = "oracle"
        for name in ("nc", "na", "nt", "precursor", "model_id"):
            file.attrs[name] = 1 if name != "precursor" else 0
        for number, (name, case) in enumerate(CASES.items()):
            n, dim, count, k, lam, mu, iterations = case
            lam, mu = float(np.float32(lam)), float(np.float32(mu))
            rng = np.random.default_rng(number)
            # A bent surface, with a little noise.
            u = rng.uniform(-1, 1, (2, n))
            x = rng.standard_normal((dim, 5)) @ np.stack([*u, *u**2, u[0] * u[1]])
            x = (x + 0.05 * rng.standard_normal((dim, n))).astype(np.float32).astype(float)
            d = x[:, rng.permutation(n)[:count]].copy()
            support = [nearest(x[:, i], d, k) for i in range(n)]
            w = np.stack([full(s, weights(x[:, i], d, s, lam, np.zeros(count)), count)
                          for i, s in enumerate(support)], axis=1)
            w = w.astype(np.float32).astype(float)
            arrays = {"samples": x.T, "parameters": [k, lam, mu], "landmarks_0": d.T,
                      "index_0": support,
                      "weight_0": [w[s, i] for i, s in enumerate(support)]}
            values = [objective(x, d, w, lam, mu)]
            for _ in range(iterations):
                d, w, support = iterate(x, d, w, support, k, lam, mu)
                values.append(objective(x, d, w, lam, mu))
            y = np.cos(3 * u[0]) + u[1]
            y = np.stack([y, u[0]]).astype(np.float32).astype(float)
            a = w @ w.T
            a += 1e-10 * np.mean(np.diag(a)) * np.eye(count)
            arrays.update(objective=values, landmarks=d.T, y=y.T,
                          images=(y @ w.T @ np.linalg.inv(a)).T)
            for key, array in arrays.items():
                file[f"{name}/{key}"] = np.asarray(array, np.float32)


if __name__ == "__main__":
    main()
