#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Multi-user precoding, scheduling and traffic against closed forms."""

import os
import tempfile
import unittest
from unittest import mock

import numpy as np
from gnuradio import csifeedback
from gnuradio.csifeedback import downlink
from gnuradio.csifeedback.downlink import Cell, Ftp, FullBuffer
from gnuradio.csifeedback.experiments import eigenvectors, throughput

rng = np.random.default_rng(1)


def gaussian(*shape):
    return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)


def static(rates, bandwidth=1e6, **options):
    """A Cell of UEs whose channels are orthogonal and do not change, each with so many bit/s alone."""
    users = len(rates)
    power = (2 ** (np.asarray(rates) / bandwidth) - 1) * 10 ** (downlink.GAP_DB / 10)
    g = np.zeros((users, 1, 1, users), complex)
    g[np.arange(users), 0, 0, np.arange(users)] = np.sqrt(power)
    return Cell(g[:, :, :, None], g, bandwidth, **options)


class Precoders(unittest.TestCase):

    def test_orthogonal_users(self):
        """Perfect CSI of orthogonal users: maximum ratio, and the SINR |h|^2 / (K noise)."""
        q = np.linalg.qr(gaussian(5, 8, 3))[0].conj().swapaxes(1, 2)
        g = q * np.array([1, 3, 0.2])[:, None]
        w = downlink.regularized_zero_forcing(g, 0.1)
        np.testing.assert_allclose(w, q.conj().swapaxes(1, 2) / np.sqrt(3), atol=1e-9)
        np.testing.assert_allclose(downlink.sinr(g[:, :, None], w, 0.1),
                                   np.tile(np.array([1, 9, 0.04]) / 0.3, (5, 1)), rtol=1e-6)

    def test_limits(self):
        """Without noise zero-forcing, with very much maximum ratio; powers."""
        g = gaussian(4, 3, 6)
        for noise in (0, 0.3, 1e9):
            w = downlink.regularized_zero_forcing(g, noise)
            np.testing.assert_allclose(np.linalg.norm(w, axis=1), 3**-0.5, rtol=1e-9)
            if noise == 0:
                product = g @ w
                np.testing.assert_allclose(product * (1 - np.eye(3)), 0, atol=1e-6)
            if noise == 1e9:
                np.testing.assert_allclose(
                    w, (g / np.linalg.norm(g, axis=2, keepdims=True)).conj().swapaxes(1, 2)
                    / 3**0.5, atol=1e-6)
        # At the noise that there is, a larger sum of rates than either.
        h = gaussian(200, 4, 4)
        rates = [np.log2(1 + downlink.sinr(h[:, :, None], downlink.regularized_zero_forcing(
            h, noise))).sum(axis=1).mean() for noise in (0, 1, 1e9)]
        self.assertGreater(rates[1], max(rates[0], rates[2]) + 0.3)
        # UEs with the same channel, and without one.
        self.assertTrue(np.isfinite(downlink.regularized_zero_forcing(
            np.ones((2, 4), complex), 0)).all())
        self.assertTrue((downlink.regularized_zero_forcing(np.zeros((2, 4), complex)) == 0).all())

    def test_sinr(self):
        """Against the definition, UE by UE."""
        h, w = gaussian(2, 3, 2, 5), gaussian(2, 5, 3)
        found = downlink.sinr(h, w, 0.7)
        for s in range(2):
            for k in range(3):
                received = h[s, k] @ w[s]
                r = 0.7 * np.eye(2) + sum(np.outer(received[:, j], received[:, j].conj())
                                          for j in range(3) if j != k)
                x = received[:, k]
                self.assertAlmostEqual(found[s, k], (x.conj() @ np.linalg.inv(r) @ x).real, places=9)

    def test_promise(self):
        """What the scheduler expects is what UEs with one antenna get if the reports are true."""
        g = gaussian(7, 3, 8)
        promised = downlink._promised(g @ g.conj().swapaxes(1, 2))
        np.testing.assert_allclose(promised, downlink.sinr(
            g[:, :, None], downlink.regularized_zero_forcing(g)), rtol=1e-8)

    def test_reports(self):
        """A perfect report: the channel of a UE with one antenna but for its phase; the SINR in
        steps of the CQI."""
        h = 10 * gaussian(4, 5, 1, 6)
        w = h[:, :, 0].conj()
        exact = downlink.reported_sinr(h, w, None)
        np.testing.assert_allclose(np.log2(1 + exact), np.log2(
            1 + np.linalg.norm(h[:, :, 0], axis=2)**2).mean(axis=1))
        decibel = 10 * np.log10(downlink.reported_sinr(h, 3j * w, 2.0))
        np.testing.assert_allclose(decibel, 2 * np.floor(5 * np.log10(exact)), atol=1e-9)
        g = downlink.effective_channel(w[:, 0], exact)
        np.testing.assert_allclose(np.linalg.norm(g, axis=1) ** 2, exact)
        np.testing.assert_allclose(
            np.abs(np.sum(g * w[:, 0], axis=1)),
            np.sqrt(exact) * np.linalg.norm(w[:, 0], axis=1))


class Schedulers(unittest.TestCase):

    def test_one_stream(self):
        """Static channels: every UE has the same share of the time, in turn and proportionally
        fair."""
        rates = np.array([1e6, 2e6, 5e6, 3e6])
        for scheduler in downlink.SCHEDULERS:
            result = static(rates, streams=1, scheduler=scheduler).run(FullBuffer(10))
            np.testing.assert_allclose(result.upt, rates / 4, rtol=0.02)
            self.assertEqual((result.utilization, result.streams), (1, 1))
            self.assertAlmostEqual(result.cell_bps, result.upt.sum())

    def test_equal_statistics(self):
        """Of UEs with the same statistics each gets the same; with fading, proportionally fair
        more than in turn, as much as the best of the UEs at each time."""
        h = gaussian(4, 400, 1, 1, 1)
        g = h[:, :, :, 0]
        alone = downlink.efficiency(np.abs(g[:, :, 0, 0]) ** 2)
        found = {}
        for scheduler in downlink.SCHEDULERS:
            result = Cell(h, g, 1.0, 1.0, streams=1, delay=0, scheduler=scheduler, memory_s=200).run(
                FullBuffer(4000))
            found[scheduler] = result.cell_bps
            np.testing.assert_allclose(result.upt, result.upt.mean(), rtol=0.15)
        self.assertAlmostEqual(found["fixed"] / alone.mean(), 1, delta=0.03)
        self.assertAlmostEqual(found["proportional-fair"] / alone.max(axis=0).mean(), 1, delta=0.04)

    def test_streams(self):
        """Orthogonal UEs at once, each with its share of the power; UEs with the same channel one
        after the other."""
        cell = static([3e6] * 4, streams=4)
        result = cell.run(FullBuffer(1))
        power = (2**3 - 1) * 10 ** (downlink.GAP_DB / 10)
        np.testing.assert_allclose(result.upt, 1e6 * downlink.efficiency(power / 4), rtol=1e-6)
        self.assertEqual(result.streams, 4)
        g = np.tile(gaussian(1, 1, 2, 6), (3, 1, 1, 1))
        result = Cell(g[:, :, :, None], g, 1.0, 1.0, streams=3, memory_s=20).run(FullBuffer(300))
        self.assertEqual(result.streams, 1)

    def test_age_and_loss(self):
        """Older reports serve worse; without any new one those of the first step serve."""
        t = np.arange(40)
        f = rng.uniform(0, 0.02, (4, 1, 1, 1, 6, 8))
        c = gaussian(4, 1, 3, 1, 6, 8)
        h = 3 * np.sum(c * np.exp(2j * np.pi * f * t[:, None, None, None, None]), axis=4)
        g = h[:, :, :, 0]
        rates = [Cell(h, g, 1.0, 1.0, delay=delay, loss=loss, memory_s=10).run(
            FullBuffer(200)).cell_bps for delay, loss in ((0, 0), (3, 0), (8, 0), (0, 0.8), (0, 1))]
        self.assertGreater(rates[0], rates[1] + 0.1)
        self.assertGreater(rates[1], rates[2] + 0.1)
        self.assertGreater(rates[0], rates[3] + 0.1)
        old = np.repeat(g[:, :1], 40, axis=1)
        stuck = Cell(h, old, 1.0, 1.0, delay=0, memory_s=10).run(FullBuffer(200)).cell_bps
        self.assertAlmostEqual(rates[4], stuck, places=6)

    def test_refused(self):
        h = gaussian(2, 3, 1, 1, 4)
        g = h[:, :, :, 0]
        for options, text in (({"streams": 5}, "streams is 5, allowed is 1 to 4"),
                              ({"delay": -1}, "delay is -1"), ({"loss": 1.5}, "loss is 1.5"),
                              ({"scheduler": "none"}, "scheduler is none"),
                              ({"memory_s": 0.0}, "memory_s is 0.0"),
                              ({"bandwidth_hz": float("nan")}, "bandwidth_hz is nan")):
            with self.assertRaisesRegex(ValueError, text):
                Cell(h, g, **options)
        with self.assertRaisesRegex(ValueError, "reports has the shape"):
            Cell(h, g[:1])
        for traffic, text in ((FullBuffer(0), "seconds is 0"), (Ftp(0), "files_per_s is 0"),
                              (Ftp(1, files=0), "files is 0"), (Ftp(1, -5), "file_bits is -5")):
            with self.assertRaisesRegex(ValueError, text):
                Cell(h, g).run(traffic)


class Traffic(unittest.TestCase):

    def test_low_load(self):
        """One file at a time: it has the cell for itself."""
        rates = np.array([1e6, 4e6])
        result = static(rates, streams=2).run(Ftp(0.001, 1.234e6, 30))
        of = np.random.default_rng((1, 2))
        of.exponential(1000, 30)
        np.testing.assert_allclose(result.upt, rates[of.integers(2, size=30)], rtol=1e-6)
        self.assertLess(result.utilization, 0.01)
        self.assertEqual(result.streams, 1)

    def test_processor_sharing(self):
        """UEs served in turn share the cell: files of a queue M/D/1 with processor sharing take
        (bits / rate) / (1 - load) in the mean, and the cell is busy for that part of the time."""
        for load, seeds in ((0.3, 3), (0.6, 4)):
            times, busy = [], []
            for seed in range(seeds):
                result = static([1e6] * 40, streams=1, step_s=0.01).run(
                    Ftp(load * 1e6 / 2e5, 2e5, 250, seed))
                times.append(np.mean(2e5 / result.upt))
                busy.append(result.utilization)
            self.assertAlmostEqual(np.mean(times) / (0.2 / (1 - load)), 1, delta=0.15)
            self.assertAlmostEqual(np.mean(busy) / load, 1, delta=0.1)

    def test_loads(self):
        """More traffic, less throughput of each; the same arrivals whatever the reports are."""
        h = 4 * gaussian(12, 5, 2, 2, 8)
        v = csifeedback.subband_eigenvectors(np.ascontiguousarray(
            h.reshape(60, 2, 2, 8), np.complex64), 2, 1)[..., 0].reshape(12, 5, 2, 8)
        blurred = v + 0.2 * gaussian(*v.shape)
        means = []
        for w in (v, blurred):
            cell = Cell(h, downlink.effective_channel(w, np.repeat(
                downlink.reported_sinr(h, w)[..., None], 2, axis=2)), 1e6, delay=0)
            means.append([cell.run(Ftp(load, 1e6, 80)).summary() for load in (1, 4, 8)])
        for rows in means:
            self.assertGreater(rows[0]["upt_mbps"], rows[1]["upt_mbps"])
            self.assertGreater(rows[1]["upt_mbps"], rows[2]["upt_mbps"])
            self.assertGreater(rows[2]["utilization"], rows[0]["utilization"])
            for row in rows:
                self.assertLess(row["upt_5_mbps"], row["upt_mbps"])
        for good, bad in zip(*means):
            self.assertGreater(good["upt_mbps"], bad["upt_mbps"])


class Experiment(unittest.TestCase):

    def test_rows(self):
        """A small cell: files and full buffers, older and noisy CSI; picture."""
        setup = eigenvectors.Setup(4, 4, 4, nr=2, parameters={"nc": 8})
        conditions = (throughput.Condition(), throughput.Condition(4, 5.0))
        with tempfile.TemporaryDirectory() as directory, \
                mock.patch.multiple(eigenvectors, TRAINING=150, PROFILES="AC"), \
                mock.patch.object(throughput, "LOCAL_KLT", "klt"):
            rows = throughput.measure(20, lambda done, of: self.assertLessEqual(done, of), directory,
                                      setup, 6, 8, 0.2, ("pc1", "pc2"), conditions)
            picture = os.path.join(directory, "p.png")
            throughput.draw(picture, rows)
            self.assertGreater(os.path.getsize(picture), 1000)
        self.assertEqual(len(rows), 6 * 4 + 3 * 2)
        self.assertEqual(list(dict.fromkeys(r["reports"] for r in rows)),
                         ["5 ms, exact CSI", "20 ms, CSI at 5 dB"])
        for first, traffic in zip(rows[:4], ("full buffer", *(
                f"FTP, load {load:g}" for load in throughput.LOADS))):
            self.assertEqual((first["traffic"], first["codec"], first["bits"]),
                             (traffic, "perfect eigenvectors", None))
            some = [r for r in rows[:24] if r["traffic"] == traffic]
            self.assertEqual([r["beside"] for r in some],
                             [None, None, None, "eType II pc1", None, "eType II pc2"])
            for book, ours in zip(some[2::2], some[3::2]):
                self.assertLessEqual(ours["bits"], book["bits"])
                self.assertAlmostEqual(ours["gain"],
                                       100 * (ours["upt_mbps"] / book["upt_mbps"] - 1))
                self.assertTrue(ours["gain_low"] <= ours["gain"] + 1e-9
                                and ours["gain"] <= ours["gain_high"] + 1e-9)
                self.assertGreater(book["all_bits"], book["bits"])
        utilization = [r["utilization"] for r in rows[1:4]]
        self.assertEqual(utilization, sorted(utilization))
        # What the UEs know with more noise and later serves less.
        self.assertLess(rows[24]["cell_mbps"], rows[0]["cell_mbps"])

    def test_tracks(self):
        """UEs of drops that move: at the first place the channel of the drop, behind half a
        wavelength along y the second pair of antennas sees what the first one saw."""
        panels = eigenvectors.Setup(2, 2, 8, parameters={"nc": 16}).panels()
        track = panels.track(7, np.array([[0, 0], [0, -0.5]]))
        np.testing.assert_array_equal(track[0], panels.channels(7, 1)[0])
        np.testing.assert_allclose(track[1, :, 2:], track[0, :, :2], atol=1e-5)
        channel = csifeedback.cdl_panel_channel("A", 2, 2)
        for bad, text in ((np.zeros(2), "two columns"), (np.full((1, 2), np.nan), "not finite")):
            with self.assertRaisesRegex(ValueError, text):
                channel.track(1, bad)

    def test_errors_of_estimates(self):
        """Errors have the power that they are asked for, relative to each UE's mean power."""
        pool = throughput.Pool(eigenvectors.Setup(2, 2, 8, parameters={"nc": 16}), 3, 4)
        for h, seen in zip(pool.h, pool.estimates(7.0)):
            self.assertAlmostEqual(10 * np.log10(np.mean(np.abs(h) ** 2)
                                                 / np.mean(np.abs(seen - h) ** 2)), 7, delta=0.4)
        self.assertEqual(pool.subband_h.shape, (3, 4, 8, 4, 8))


if __name__ == "__main__":
    unittest.main()
