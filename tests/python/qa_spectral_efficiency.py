#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Precoders and spectral efficiency against the formulas in NumPy: as objects, and as a block
that takes streams and PDUs."""

import unittest

import numpy as np
import pmt
from gnuradio import csifeedback

from common import Messages, pdu, random_complex, stream, tag

NC, NT, K = 6, 8, 3
SNR = [-5.0, 10.0, 25.0]


def precoder(rows, zero_forcing=True):
    """Columns A^+ of unit norm, or A^H, for the rows of A scaled to unit norm."""
    a = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    w = np.linalg.pinv(a) if zero_forcing else a.conj().T
    return w / np.linalg.norm(w, axis=0)


def efficiency(h, h_hat, zero_forcing=True):
    """bit/s/Hz at each of SNR, of one group (K, NC, NT)."""
    h = h / np.sqrt(np.mean(np.abs(h) ** 2, axis=(1, 2), keepdims=True))
    result = np.zeros(len(SNR))
    for c in range(h.shape[1]):
        power = np.abs(h[:, c] @ precoder(h_hat[:, c], zero_forcing)) ** 2
        for i, snr in enumerate(SNR):
            p = 10 ** (snr / 10) / len(h)
            wanted = np.diag(power)
            result[i] += np.sum(np.log2(1 + p * wanted / (p * (power.sum(1) - wanted) + 1)))
    return result / h.shape[1]


class Objects(unittest.TestCase):

    def setUp(self):
        rng = np.random.default_rng(1)
        self.h = random_complex(rng, 20, K, NC, NT)
        self.h_hat = self.h + 0.3 * random_complex(rng, 20, K, NC, NT)

    def test_precoder(self):
        for kind in ("zero-forcing", "maximum-ratio"):
            w = csifeedback.precoder(K, NT, kind).compute(self.h[:, :, 0])
            self.assertEqual(w.shape, (20, K, NT))
            for rows, mine in zip(self.h[:, :, 0], w):
                expected = precoder(rows.astype(complex), kind == "zero-forcing")
                np.testing.assert_allclose(mine, expected.T, atol=1e-6)
            np.testing.assert_array_equal(
                csifeedback.precoder(K, NT, kind).compute(self.h[3, :, 0]), w[3])
        with self.assertRaisesRegex(ValueError, "h has shape"):
            csifeedback.precoder(K, NT).compute(self.h[0, :2, 0])

    def test_efficiency(self):
        for kind in ("zero-forcing", "maximum-ratio"):
            se = csifeedback.spectral_efficiency(K, NC, NT, SNR, kind)
            expected = [efficiency(a, b, kind == "zero-forcing")
                        for a, b in zip(self.h, self.h_hat)]
            np.testing.assert_allclose(se.compute(self.h, self.h_hat), expected, rtol=1e-5)
            np.testing.assert_allclose(se.compute(self.h[2], self.h_hat[2]), expected[2],
                                       rtol=1e-5)
        # Regularized: a precoder for each SNR, near maximum ratio at low ones, near zero-forcing at
        # high ones, and with perfect CSI in between ahead of both.
        means = {kind: csifeedback.spectral_efficiency(K, NC, NT, [-30, 3, 60], kind).compute(
            self.h, self.h).mean(axis=0) for kind in (
                "zero-forcing", "regularized-zero-forcing", "maximum-ratio")}
        regularized = means["regularized-zero-forcing"]
        np.testing.assert_allclose(regularized[0], means["maximum-ratio"][0], rtol=1e-2)
        np.testing.assert_allclose(regularized[2], means["zero-forcing"][2], rtol=1e-3)
        self.assertGreater(regularized[1], 1.01 * max(means["zero-forcing"][1],
                                                      means["maximum-ratio"][1]))
        alone = csifeedback.spectral_efficiency(K, NC, NT, [3], "regularized-zero-forcing")
        self.assertAlmostEqual(alone.compute(self.h, self.h).mean(), regularized[1], places=6)
        self.h[4, 1] = 0
        with self.assertRaisesRegex(ValueError, "group 4 has a matrix that is all zero"):
            se.compute(self.h, self.h_hat)
        with self.assertRaisesRegex(ValueError, "different shapes"):
            se.compute(self.h, self.h_hat[:3])


def layered_efficiency(h, w):
    """bit/s/Hz at each of SNR, of one group (users, nc, nr, nt) with regularized zero-forcing: w are the
    conjugate precoders of layers, or zero."""
    users, nc, nr, nt = h.shape
    h = h / np.sqrt(np.mean(np.abs(h) ** 2, axis=(1, 2, 3), keepdims=True))
    result = np.zeros(len(SNR))
    for c in range(nc):
        owner, a = zip(*[(k, w[k, c, layer] / np.linalg.norm(w[k, c, layer])) for k in range(users)
                         for layer in range(nr) if w[k, c, layer].any()])
        a = np.array(a)
        for i, snr in enumerate(10 ** (np.array(SNR) / 10)):
            v = a.conj().T @ np.linalg.inv(a @ a.conj().T + len(a) / (snr * nt) * np.eye(len(a)))
            v *= np.sqrt(snr / len(a)) / np.linalg.norm(v, axis=0)
            for own, k in enumerate(owner):
                f = h[k, c] @ v
                rest = np.delete(f, own, axis=1)
                noise = np.eye(nr) + rest @ rest.conj().T
                result[i] += np.log2(1 + (f[:, own].conj() @ np.linalg.solve(noise, f[:, own])).real)
    return result / nc


class Layers(unittest.TestCase):
    """Users with several antennas, which report precoders of layers."""

    NR = 2

    def setUp(self):
        rng = np.random.default_rng(5)
        self.h = random_complex(rng, 12, NC, self.NR, NT)
        self.w = random_complex(rng, 12, NC, self.NR, NT)
        self.w[::2, :, 1] = 0  # every other one reports one layer
        #: eigenvectors of each subcarrier, of as many layers
        self.v = np.linalg.svd(self.h)[2][:, :, :self.NR]
        self.v[::2, :, 1] = 0

    def expected(self, groups, w):
        return np.array([layered_efficiency(self.h[list(g)], w[list(g)]) for g in groups])

    def test_object(self):
        se = csifeedback.spectral_efficiency(K, NC, NT, SNR, "regularized-zero-forcing", nr=self.NR)
        self.assertEqual(se.nr(), self.NR)
        h, w = (x.reshape(4, K, NC, self.NR, NT) for x in (self.h, self.w))
        groups = np.arange(12).reshape(4, K)
        np.testing.assert_allclose(se.compute(h, w), self.expected(groups, self.w), rtol=1e-4)
        np.testing.assert_allclose(se.compute_perfect(h, w), self.expected(groups, self.v), rtol=1e-4)
        with self.assertRaisesRegex(ValueError, "h has shape"):
            se.compute(h[:, :, :, 0], w)

    def test_block(self):
        block = csifeedback.csi_spectral_efficiency(
            K, csifeedback.csi_shape("H", NC * self.NR, NT), SNR, "regularized-zero-forcing", nr=self.NR)
        Messages(block, "truth", "reports").run([pdu(x, frame=i) for i, x in enumerate(self.h)], 0)
        Messages(block, "pdus", "reports").run([pdu(x, frame=i) for i, x in enumerate(self.w)], 0)
        report = block.report()
        self.assertEqual((report["groups"], report["malformed"]), (4, 0))
        groups = np.arange(12).reshape(4, K)
        for name, w in (("reconstructed", self.w), ("perfect", self.v)):
            np.testing.assert_allclose(report[name], self.expected(groups, w).mean(axis=0), rtol=1e-4)

    def test_parameters(self):
        shape = csifeedback.csi_shape("H", 12, 4)
        delays = csifeedback.csi_shape("Ha", 12, 4, 64)
        for users, one, nr, text in (
                (2, shape, 9, "nr is 9, allowed is 1 to 8"),
                (17, shape, 4, "users times nr is 68, allowed is 1 to 64"),
                (2, shape, 5, "rows of the shape is 12, allowed is multiples of nr, 5"),
                (2, delays, 2, "domain of the shape with several antennas is Ha, allowed is H")):
            with self.assertRaisesRegex(ValueError, text):
                csifeedback.csi_spectral_efficiency(users, one, [0], nr=nr)


class Block(unittest.TestCase):

    def setUp(self):
        rng = np.random.default_rng(2)
        self.h = random_complex(rng, 30, NC, NT)
        self.h_hat = self.h + 0.3 * random_complex(rng, 30, NC, NT)

    def make(self, **options):
        return csifeedback.csi_spectral_efficiency(K, csifeedback.csi_shape("H", NC, NT), SNR, **options)

    def check(self, report, groups):
        """groups: index of the matrix of every user of every group."""
        self.assertEqual(report["groups"], len(groups))
        self.assertEqual(report["snr_db"], SNR)
        for name, known in (("reconstructed", self.h_hat), ("perfect", self.h)):
            each = np.array([efficiency(self.h[list(g)], known[list(g)]) for g in groups])
            np.testing.assert_allclose(report[name], each.mean(axis=0), rtol=1e-5)
            if len(groups) > 1:
                half = 1.96 * each.std(axis=0, ddof=1) / np.sqrt(len(groups))
                np.testing.assert_allclose(report[name + "_half_width"], half, rtol=1e-4)

    def messages(self, matrices, indices, ue=None):
        return [pdu(matrices[i], frame=int(i), **({} if ue is None else {"ue_id": ue}))
                for i in indices]

    def test_streams(self):
        block = self.make()
        # 29 items: two of them are no group.
        stream(block, [self.h[:29].reshape(29, -1), self.h_hat[:29].reshape(29, -1)], [])
        report = block.report()
        self.check(report, [range(i, i + K) for i in range(0, 27, K)])
        self.assertEqual(report["truths"], 29)
        self.assertEqual(report["discarded"], 0)
        block.reset()
        self.assertEqual(block.report()["groups"], 0)

    def test_bad_matrices_on_streams(self):
        block = self.make()
        self.h[4, 1, 2] = np.nan
        self.h_hat[10, 0, 0] = np.inf
        self.h[17] = 0
        stream(block, [self.h.reshape(30, -1), self.h_hat.reshape(30, -1)], [])
        report = block.report()
        self.assertEqual(report["discarded"], 3)
        self.check(report, [range(i, i + K) for i in range(0, 30, K) if i not in (3, 9, 15)])

    def test_messages_in_any_order(self):
        block = self.make()
        # Reconstructions before any truth, gaps, strangers, and no PDU at all.
        Messages(block, "pdus", "reports").run(self.messages(self.h_hat, [4, 2, 9]), 0)
        order = np.random.default_rng(3).permutation(30)
        Messages(block, "truth", "reports").run(self.messages(self.h, order), 0)
        self.assertEqual(block.report()["groups"], 1)
        Messages(block, "pdus", "reports").run(
            self.messages(self.h_hat, [11, 20, 0]) + [pmt.intern("x"), pdu(self.h[0, :2], frame=1),
                                                      pdu(self.h[0])], 0)
        report = block.report()
        self.check(report, [(4, 2, 9), (11, 20, 0)])
        self.assertEqual(report["truths"], 30)
        self.assertEqual(report["malformed"], 3)

    def test_ues_of_one_frame(self):
        """K UEs, whose reconstructions come one UE after the other; one is lost."""
        block = self.make(by_frame=True)
        users = {7: range(0, 8), 9: range(8, 16), 12: range(16, 24)}
        for ue, indices in users.items():
            Messages(block, "truth", "reports").run(
                [pdu(self.h[i], frame=f + 70_000, ue_id=ue) for f, i in enumerate(indices)], 0)
        for ue, indices in users.items():
            Messages(block, "pdus", "reports").run(
                [pdu(self.h_hat[i], frame=(f + 70_000) & 0xffff, ue_id=ue)
                 for f, i in enumerate(indices) if (ue, f) != (9, 5)], 0)
        self.check(block.report(), [(f, f + 8, f + 16) for f in range(8) if f != 5])
        self.assertEqual(block.report()["unmatched"], 0)

    def test_forgotten(self):
        block = self.make(history=4)
        Messages(block, "truth", "reports").run(self.messages(self.h, range(10)), 0)
        # The truths 6 to 9 are kept; a pair without a group is given up with its truth.
        Messages(block, "pdus", "reports").run(self.messages(self.h_hat, [6, 7]), 0)
        Messages(block, "truth", "reports").run(self.messages(self.h, [10]), 0)
        self.assertEqual(block.report()["unmatched"], 1)
        Messages(block, "pdus", "reports").run(self.messages(self.h_hat, [9, 8, 2]), 0)
        self.check(block.report(), [(7, 9, 8)])
        Messages(block, "pdus", "reports").run(self.messages(self.h_hat, [20, 21, 22, 23]), 0)
        self.assertEqual(block.report()["unmatched"], 2)

    def test_truths_of_a_stream(self):
        """Reconstructions as PDUs of any UE, matched with items by the tag frame."""
        block = self.make()
        Messages(block, "pdus", "reports").run(
            [pdu(self.h_hat[i], frame=i + 100, ue_id=3) for i in (0, 5, 7, 8)], 0)
        stream(block, [self.h.reshape(30, -1)], [], [tag(0, "frame", pmt.from_uint64(100))])
        self.check(block.report(), [(0, 5, 7)])
        self.assertEqual(block.report()["truths"], 30)

    def test_reports(self):
        block = self.make(interval=2)
        Messages(block, "truth", "reports").run(self.messages(self.h, range(12)), 0)
        out = Messages(block, "pdus", "reports").run(self.messages(self.h_hat, range(12)), 2)
        self.assertEqual([pmt.to_python(m)["groups"] for m in out], [2, 4])
        report = block.report()
        last = pmt.to_python(out[1])
        for name in ("snr_db", "reconstructed", "perfect"):
            np.testing.assert_array_equal(last[name], report[name])

    def test_parameters(self):
        for options, text in (((0, 2, 2, [0]), "users is 0"), ((65, 2, 2, [0]), "users is 65"),
                              ((2, 0, 2, [0]), "rows is 0"), ((2, 2, 0, [0]), "nt is 0"),
                              ((2, 2, 2, []), "number of SNRs is 0"),
                              ((2, 2, 2, [0, 200]), "snr_db is 200"),
                              ((2, 2, 2, [0], "zf"), "type is zf, allowed is zero-forcing"),
                              ((2, 2, 2, [0], "zero-forcing", True, False, 1),
                               "history is 1, allowed is 2 to"),
                              ((2, 2, 2, [0], "zero-forcing", True, False, 8, -1),
                               "interval is -1")):
            with self.assertRaisesRegex(ValueError, text):
                users, nc, nt, *rest = options
                csifeedback.csi_spectral_efficiency(
                    users, csifeedback.csi_shape("H", nc, nt), *rest)


if __name__ == "__main__":
    unittest.main()
