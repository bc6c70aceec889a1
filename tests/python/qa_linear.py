#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Principal components of few large matrices: through the small side, and the same."""

import time
import unittest

import numpy as np
from gnuradio.csifeedback.training import linear


def matrices(seed, count, rows, nt):
    rng = np.random.default_rng(seed)
    h = rng.standard_normal((count, rows, nt)) + 1j * rng.standard_normal((count, rows, nt))
    return (h * 0.8 ** np.arange(nt)).astype(np.complex64)


class Linear(unittest.TestCase):

    def test_same_components(self):
        """As those of the covariance, with other directions of variance zero behind them."""
        h = matrices(1, 40, 16, 16)
        expected, values, trace = linear.principal_components(linear.covariance([h], 256, 40), 60)
        u, found, total = linear.matrix_components([h[:25], h[25:]], 256, 40, 60)
        np.testing.assert_allclose(u[:39], expected[:39], atol=1e-5)
        np.testing.assert_allclose(found, values, atol=1e-5)
        self.assertAlmostEqual(total, trace, places=4)
        np.testing.assert_allclose(u @ u.conj().T, np.eye(60), atol=1e-5)
        self.assertEqual(u.dtype, np.complex64)

    def test_same_matrix_again(self):
        """Matrices of rank one: one component, the rest orthonormal."""
        h = np.repeat(matrices(2, 1, 8, 8), 10, axis=0)
        u, values, total = linear.matrix_components([h], 64, 10, 5)
        np.testing.assert_allclose(values, [64, 0, 0, 0, 0], atol=1e-4)
        np.testing.assert_allclose(u @ u.conj().T, np.eye(5), atol=1e-5)
        self.assertAlmostEqual(abs(u[0] @ h[0].ravel().conj()) / np.linalg.norm(h[0]), 1, places=5)

    def test_time(self):
        """4096 values from 40 samples: minutes of processor time by their covariance."""
        h = matrices(3, 40, 64, 64)
        start = time.process_time()
        u, values, _ = linear.matrix_components([h], 4096, 40, 20)
        self.assertLess(time.process_time() - start, 10)
        np.testing.assert_allclose(
            np.sum(values), np.mean(np.sum(np.abs(linear.normalize(h) @ u.conj().T) ** 2, axis=1)),
            rtol=1e-4)


if __name__ == "__main__":
    unittest.main()
