#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Domain W: eigenvectors of subbands as data sets, models and reports."""

import importlib.util
import json
import os
import shutil
import tempfile
import unittest
from unittest import mock

import numpy as np
from common import run_program
from gnuradio import csifeedback
from gnuradio.csifeedback.data.dataset import Dataset
from gnuradio.csifeedback.data.panels import PanelDrops, ScenarioDrops
from gnuradio.csifeedback import layers
from gnuradio.csifeedback.eigenvectors import (EQUAL, Pair, aligned, best_split, layer_bits, layers_of,
                                               orthogonal, similarity, vectors, water_filling)
from gnuradio.csifeedback.experiments import eigenvectors as experiment
from gnuradio.csifeedback.experiments import sweep

#: (2, 2) elements of two polarizations, 6 subbands
PANEL = ("--n1", 2, "--n2", 2, "--nc", 24, "--subbands", 6)

#: a codec of codewords, not linear to the module: the first values of the matrix
PLAIN = """
from gnuradio.csifeedback import Codec
import numpy as np

class Plain(Codec):
    name, number, title, rows, nt, code_size, precursor = "plain", 201, "plain", 6, 8, 48, 0

    def encode_array(self, h):
        x = h.reshape(len(h), -1)[:, :24]
        return np.concatenate([x.real, x.imag], 1)

    def decode_array(self, s):
        h = np.zeros((len(s), 48), np.complex64)
        h[:, :24] = s[:, :24] + 1j * s[:, 24:]
        return h.reshape(-1, 6, 8)

    def can_send(self, code_size):
        return code_size == 48
"""


class Phases(unittest.TestCase):

    def test_aligned(self):
        rng = np.random.default_rng(1)
        v = rng.standard_normal((30, 5, 8)) + 1j * rng.standard_normal((30, 5, 8))
        v /= np.linalg.norm(v, axis=2, keepdims=True)
        w = aligned(v)
        np.testing.assert_allclose(np.abs(np.sum(v.conj() * w, axis=2)), 1, atol=1e-5)
        # No phase of a single subband makes the sum larger.
        before = np.linalg.norm(w.sum(axis=1), axis=1)
        for t in range(5):
            for turn in np.exp(2j * np.pi * np.arange(1, 12) / 12):
                other = w.copy()
                other[:, t] *= turn
                self.assertTrue((np.linalg.norm(other.sum(axis=1), axis=1) < before + 1e-4).all())
        largest = np.take_along_axis(w.sum(axis=1), np.argmax(np.abs(w.sum(axis=1)), axis=1)[:, None],
                                     axis=1)
        np.testing.assert_allclose(largest.imag, 0, atol=1e-5)
        self.assertTrue((largest.real > 0).all())
        # Where the subbands are alike, W does not depend on the phases that come in.
        one = np.repeat(v[:, :1], 5, axis=1)
        turned = one * np.exp(2j * np.pi * rng.random((30, 5, 1)))
        np.testing.assert_allclose(aligned(turned), aligned(one), atol=1e-4)
        np.testing.assert_array_equal(aligned(np.zeros((2, 5, 8))), 0)


class Shares(unittest.TestCase):

    def test_layer_bits(self):
        for rank in (1, 2, 3, 4):
            for total in (0, 17, 240, 8191):
                for split in range(8):
                    bits = layer_bits(rank, total, split)
                    self.assertEqual((len(bits), sum(bits)), (rank, total))
        self.assertEqual(layer_bits(4, 400, EQUAL), [100] * 4)
        self.assertEqual(layer_bits(2, 200, 5), [70, 130])
        self.assertEqual(layer_bits(3, 300, 0), [120, 100, 80])

    def test_water_filling(self):
        """Rates of Gaussian values: twice the sum of half the logarithm of power over a common error."""
        power = np.array([[64.0, 16, 1e-9, 0], [16, 16, 16, 4]])
        # An error of 4: 2 + 1 bits, and 1 + 1 + 1 + 0.
        np.testing.assert_allclose(water_filling(power, 6), [3, 3], atol=1e-6)
        # An error of 1: the fourth value of the second layer counts.
        np.testing.assert_allclose(water_filling(power, 12), [5, 7], atol=1e-6)
        self.assertEqual(best_split(power, 6), EQUAL)
        self.assertEqual(best_split(power, 12), EQUAL + 2)
        self.assertEqual(best_split(power[::-1], 12), EQUAL - 2)
        np.testing.assert_allclose(water_filling(np.zeros((2, 3)), 5), 0, atol=1e-6)


class Layers(unittest.TestCase):

    def test_orthogonal(self):
        """Nearer to eigenvectors than layers with errors of their own; zeros and layers that are alike stay."""
        rng = np.random.default_rng(3)

        def normal(*shape):
            return rng.standard_normal(shape) + 1j * rng.standard_normal(shape)

        v = np.linalg.qr(normal(50, 6, 8, 3))[0].astype(np.complex64)
        w = (v * 3 + 0.5 * normal(50, 6, 8, 3)).astype(np.complex64)
        found = orthogonal(w)
        np.testing.assert_allclose(found.conj().swapaxes(2, 3) @ found, np.broadcast_to(np.eye(3), (50, 6, 3, 3)),
                                   atol=1e-5)
        self.assertGreater(csifeedback.sgcs(v, found).mean(), csifeedback.sgcs(v, w).mean() + 0.01)
        np.testing.assert_allclose(orthogonal(v), v, atol=1e-5)
        alike = np.repeat(w[..., :1], 2, axis=3)
        unit = alike / np.linalg.norm(alike, axis=2, keepdims=True)
        np.testing.assert_allclose(orthogonal(alike), unit, atol=1e-6)
        alike[..., 1] = 0
        np.testing.assert_allclose(orthogonal(alike)[..., 0], unit[..., 0], atol=1e-6)
        self.assertFalse(orthogonal(alike)[..., 1].any())


class Files(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.mkdtemp()
        cls.train, cls.test, cls.h = (os.path.join(cls.directory, name)
                                      for name in ("train.h5", "test.h5", "h.h5"))
        for path, first, samples in ((cls.train, 0, 400), (cls.test, 10**6, 60)):
            done = run_program("dataset", "eigenvectors", "--profile", "A", "C", *PANEL, "--layers",
                               2, "--samples", samples, "--first", first, "-o", path)
            assert done.returncode == 0, done.stderr
        # A linear array, whose halves stand for the polarizations of (4, 1).
        run_program("dataset", "generate", "--channel", "cdl-c", "--whole", "--nt", 8, "--nc", 24,
                    "--spacing-hz", 180e3, "--samples", 400, "-o", cls.h)
        cls.models = {}
        for codec, options in (("klt", ["--entry-bits", 0]), ("path", ["--train-samples", 150]),
                               ("local-klt", ["--entry-bits", 0, "--row-patches", 4,
                                              "--column-patches", 4])):
            path = cls.models[codec] = os.path.join(cls.directory, f"{codec}.h5")
            done = run_program("train", "--codec", codec, "--dataset", cls.train, "--test", cls.test,
                               "-o", path, *options)
            assert done.returncode == 0, done.stderr
            assert "warning" not in done.stderr, done.stderr

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.directory)

    def test_data_set(self):
        with Dataset(self.test) as data:
            self.assertEqual((data.domain, data.whole, data.nc, data.na, data.nt, data.precursor),
                             ("W", True, 6, 6, 8, 0))
            self.assertEqual((len(data), data.first, data.channel), (120, 10**6, "cdl-panel"))
            self.assertIn("eigenvectors --profile A C --subbands 6 --layers 2", data.command)
            w = data.whole_matrices()
            np.testing.assert_allclose(data.energy, 6, rtol=1e-4)
        for drop in (0, 1, 59):  # profiles in turn, layer by layer
            channel = csifeedback.cdl_panel_channel("AC"[drop % 2], 2, 2, 4, 24, sector_element=True)
            v = csifeedback.subband_eigenvectors(channel.generate(10**6 + drop, 1)[0], 6, 2)
            for layer in range(2):
                np.testing.assert_allclose(similarity(
                    v[None, :, :, layer], w[2 * drop + layer][None]), 1, atol=1e-4)
        facts = json.loads(run_program("dataset", "inspect", self.test, "--json").stdout)
        self.assertEqual((facts["domain"], facts["samples"]), ("W", 120))

    def test_of_data_set(self):
        """Several matrices one behind the other are the antennas of a UE; a file that was cut off
        goes on as it would have been."""
        path = os.path.join(self.directory, "of-h.h5")
        done = run_program("dataset", "eigenvectors", "--dataset", self.h, "--nr", 2, "--layers", 2,
                           "--subbands", 6, "--first", 10, "--samples", 5, "-o", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        with Dataset(self.h) as data, Dataset(path) as found:
            h = data.read(20, 10).reshape(5, 2, 24, 8).swapaxes(1, 2)
            v = csifeedback.subband_eigenvectors(np.ascontiguousarray(h), 6, 2)
            w = found.whole_matrices().reshape(5, 2, 6, 8)
        for layer in range(2):
            np.testing.assert_allclose(similarity(np.ascontiguousarray(v[..., layer]),
                                                  w[:, layer]), 1, atol=1e-4)

    def test_plane(self):
        """With --plane codecs see W behind the 3-D DFT, in reports too; the matrices are the same."""
        line, plane, model, other, refused = (os.path.join(self.directory, name) for name in (
            "line.h5", "plane.h5", "plane-klt.h5", "plane-of.h5", "no.h5"))
        options = ("--profile", "C", *PANEL, "--layers", 1, "--samples", 60)
        for command in (("dataset", "eigenvectors", *options, "-o", line),
                        ("dataset", "eigenvectors", *options, "--plane", "-o", plane),
                        ("train", "--codec", "klt", "--dataset", plane, "--entry-bits", 0, "-o", model)):
            done = run_program(*command)
            self.assertEqual(done.returncode, 0, done.stderr)
        with Dataset(line) as one, Dataset(plane) as two:
            w = one.whole_matrices()
            np.testing.assert_array_equal(w, two.whole_matrices())
            self.assertEqual((one.array, two.array), ((8, 1, 1), (2, 2, 2)))
            rows = np.fft.ifft(w, axis=1, norm="ortho")
            beams = np.fft.fft2(rows.reshape(-1, 6, 2, 2, 2), norm="ortho").reshape(rows.shape)
            np.testing.assert_allclose(two.angular_delay(), beams, atol=1e-5)
        codec = csifeedback.open_codec(model)
        self.assertEqual(codec.array, (2, 2, 2))
        pair = Pair(*codec.report_pair("entropy"))
        np.testing.assert_allclose(pair.transformed(w), beams, atol=1e-5)
        self.assertGreater(pair.report(w, 256)[3].mean(), 0.95)
        # Of a data set of H that states the panel, or does not.
        h = os.path.join(self.directory, "plane-h.h5")
        for command in (("generate", "--channel", "cdl-c", "--n1", 2, "--n2", 2, "--nr", 2, "--nc", 24,
                         "--whole", "--samples", 3, "-o", h),
                        ("eigenvectors", "--dataset", h, "--subbands", 6, "--plane", "-o", other)):
            done = run_program("dataset", *command)
            self.assertEqual(done.returncode, 0, done.stderr)
        with Dataset(other) as data:
            self.assertEqual(data.array, (2, 2, 2))
        done = run_program("dataset", "eigenvectors", "--dataset", self.h, "--nr", 2, "--subbands", 6, "--plane",
                           "-o", refused)
        self.assertEqual(done.returncode, 2)
        self.assertIn("states no planar array, --plane needs one", done.stderr)

    def test_scenarios(self):
        """Eigenvectors of the UEs of a scenario, the same from a data set of their antennas."""
        direct, h, of_h = (os.path.join(self.directory, name)
                           for name in ("umi.h5", "umi-h.h5", "umi-of-h.h5"))
        options = ("--channel", "umi", "--n1", 2, "--n2", 1, "--nr", 3, "--nc", 12, "--spacing-hz", 180e3,
                   "--condition", "nlos", "--release", 19, "--rows-per-port", 2, "--spacing2", 1,
                   "--electrical-downtilt-deg", 6, "--first", 7, "--samples", 9)
        for command in (("eigenvectors", *options, "--subbands", 4, "--layers", 2, "-o", direct),
                        ("generate", *options, "--whole", "-o", h),
                        ("eigenvectors", "--dataset", h, "--subbands", 4, "--layers", 2, "-o", of_h)):
            done = run_program("dataset", *command)
            self.assertEqual(done.returncode, 0, done.stderr)
        panel = csifeedback.scenario_panel_channel(
            "umi", 2, 1, 3, 12, 180e3, condition="nlos", release=19, rows_per_port=2, spacing2=1.0,
            electrical_downtilt_deg=6.0)
        expected = panel.generate(7, 9)
        with Dataset(h) as data:
            self.assertEqual((data.nr, len(data), data.domain, data.nt, data.first, data.channel),
                             (3, 27, "H", 4, 7, "umi-panel"))
            matrices = data.whole_matrices()
        np.testing.assert_array_equal(matrices.reshape(9, 3, 12, 4).swapaxes(1, 2), expected)
        facts = json.loads(run_program("dataset", "inspect", h, "--json").stdout)
        self.assertEqual(facts["nr"], 3)
        with Dataset(direct) as one, Dataset(of_h) as other:
            self.assertEqual((one.channel, one.nr), ("umi-panel", 1))
            w = one.whole_matrices()
            np.testing.assert_array_equal(w, other.whole_matrices())
        v = csifeedback.subband_eigenvectors(expected[2], 4, 2)
        np.testing.assert_allclose(similarity(v[None, :, :, 1], w[5][None]), 1, atol=1e-4)
        for arguments, text in (
                (["--channel", "umi", "--n1", 2, "--na", 2000], "--na is 2000"),
                (["--channel", "umi", "--nr", 2, "--nt", 8, "--whole"], "--nt is no parameter"),
                (["--channel", "cdl-a", "--nr", 2, "--normalize"], "--normalize is no parameter"),
                (["--channel", "cost2100-indoor", "--nr", 2, "--whole"], "--nr is no parameter"),
                (["--channel", "cdl-a", "--nr", 65, "--whole"], "nr is 65"),
                (["--channel", "umi", "--condition", "fair"], "condition is fair")):
            done = run_program("dataset", "generate", *arguments, "--samples", 2, "-o",
                               os.path.join(self.directory, "bad.h5"))
            self.assertEqual(done.returncode, 2)
            self.assertIn(text, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_refused(self):
        for arguments, text in (
                (["--profile", "A", "--layers", 5, "--samples", 2], "--layers is 5"),
                (["--profile", "A"], "needs --samples"),
                (["--channel", "uma"], "--channel needs --samples"),
                (["--channel", "uma", "--samples", 2, "--delay-spread-s", 1e-7],
                 "--delay-spread-s is no parameter of the channel uma"),
                (["--profile", "A", "--samples", 2, "--isd-m", 100], "--isd-m is no parameter"),
                (["--channel", "uma", "--samples", 2, "--release", 17], "release is 17"),
                (["--profile", "A", "--samples", 2, "--subbands", 60], "--subbands is 60"),
                (["--profile", "A", "--samples", 2, "--max-delay-spread-s", 1e-9],
                 "max_delay_spread_s is 1e-09"),
                (["--dataset", self.h, "--n1", 2], "--n1 is given without --profile"),
                (["--dataset", self.h, "--first", 400], "asked for are"),
                (["--dataset", self.test], "holds matrices W")):
            done = run_program("dataset", "eigenvectors", *arguments, "-o",
                               os.path.join(self.directory, "bad.h5"))
            self.assertEqual(done.returncode, 2)
            self.assertIn(text, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1)
        klt = self.models["klt"]
        for command, text in (
                (["eval", "--codec", klt, "--budget", 64, "--dataset", self.h], "holds matrices H"),
                (["eval", "--codec", klt, "--budget", 64], "eigenvectors:model="),
                (["ue", "--codec", klt], "eigenvectors:model="),
                (["eval", "--codec", "cdl-c-300x8-klt", "--budget", 64, "--dataset", self.test],
                 "holds matrices W"),
                (["eval", "--codec", "eigenvectors", "--budget", 64, "--dataset", self.h],
                 "needs a model of the domain W"),
                (["eval", "--codec", "eigenvectors:model=cdl-c-300x8-klt", "--budget", 64,
                  "--dataset", self.h], "allowed is one of the domain W"),
                (["eval", "--codec", f"eigenvectors:model={klt},rows=5", "--budget", 64,
                  "--dataset", self.h], "rows is 5")):
            done = run_program(*command)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn(text, done.stderr)

    def test_reports(self):
        """More bits and the free choice of phases make reports better, with every codec."""
        with Dataset(self.test) as data:
            w = data.whole_matrices()
        rng = np.random.default_rng(2)
        v = (w * np.exp(2j * np.pi * rng.random((*w.shape[:2], 1)))).astype(np.complex64)
        for name, path in self.models.items():
            codec = csifeedback.open_codec(path)
            pair = Pair(*(codec.own_reports() if codec.has_reports
                          else (codec.entropy_encoder(), codec.entropy_decoder())))
            scores = []
            for budget, rounds in ((20, 3), (32, 0), (32, 3), (90, 3)):
                bits, counts, found, score = pair.report(v, budget, rounds)
                self.assertLessEqual(counts.max(), budget)
                np.testing.assert_array_equal(found, pair.decode(bits, counts))
                np.testing.assert_allclose(score, similarity(v, found), atol=1e-6)
                scores.append(score.mean())
            self.assertLess(1 - scores[1], 0.8 * (1 - scores[0]), name)
            self.assertLess(1 - scores[2], 0.99 * (1 - scores[1]), name)
            self.assertLess(1 - scores[3], 0.5 * (1 - scores[2]), name)
            self.assertGreater(scores[3], 0.9, name)

    def test_programs(self):
        done = run_program("eval", "--codec", self.models["klt"], "--codec", self.models["path"],
                           "--budget", 32, 90, "--dataset", self.test, "--json")
        rows = json.loads(done.stdout)
        self.assertNotIn("warning", done.stderr)
        self.assertEqual(len(rows), 4)
        for few, many in (rows[:2], rows[2:]):
            self.assertLess(1 - many["sgcs"], 0.5 * (1 - few["sgcs"]))
            self.assertLess(many["nmse_db"], few["nmse_db"])
        # Beside a codebook, of whole matrices H: one antenna, 24 resource blocks.
        spec = f"eigenvectors:model={self.models['local-klt']},rows=24"
        other = "etype2:n1=2,n2=2,rows=24,subbands=6,param_combination=2"
        rows = json.loads(run_program("eval", "--codec", spec, "--codec", other, "--budget", 90,
                                      "--dataset", self.h, "--samples", 60, "--json").stdout)
        self.assertEqual(rows[0]["codec"], "local KLT of W")
        self.assertIsNone(rows[0]["nmse_db"])
        self.assertGreater(rows[0]["sgcs"], 0.5)
        figures = json.loads(run_program(
            "sim", "--codec", spec, "--budget", 90, "--dataset", self.h, "--samples", 60,
            "--json").stdout)
        self.assertEqual((figures["matched"], figures["frames"]["ok"]), (60, 60))
        self.assertAlmostEqual(figures["rho"], rows[0]["rho"], delta=1e-4)

    def test_quantized_codewords(self):
        """A codec of codewords without entropy-coded reports: a quantizer makes reports of W of them; with
        more bits the one that is chosen is better."""
        source = os.path.join(self.directory, "plain.py")
        with open(source, "w") as file:
            file.write(PLAIN)
        path = os.path.join(self.directory, "plain.h5")
        done = run_program("train", "--codec", f"{source}:Plain", "--dataset", self.train, "-o", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        codec = csifeedback.open_codec(f"{source}:Plain,model={path}")
        with Dataset(self.train) as data, Dataset(self.test) as test:
            validation, w = data.whole_matrices()[:60], test.whole_matrices()
        reporter = experiment.Reporter(codec, lambda: validation)
        self.assertIsNone(reporter.pair(3))
        scores = []
        for budget in (24, 96):
            bits, found = experiment.report(reporter, w[..., None], budget)
            self.assertLessEqual(bits, budget)
            scores.append(similarity(w, np.ascontiguousarray(found[..., 0])).mean())
        self.assertGreater(scores[1], scores[0] + 0.05)
        self.assertIs(reporter.pair(24), reporter.pair(24))
        # As a codec of H: the quantizer is an option.
        codec = csifeedback.open_codec(
            f"eigenvectors:model={self.models['klt']},rows=24,quantizer=lloyd-max,bits=3,code_size=24")
        encoder, decoder = codec.own_reports()
        self.assertEqual(encoder.max_bits(), 72)
        with Dataset(self.h) as data:
            h = data.read(0, 40)
        bits, counts, gain_db = encoder.encode(h, 80)
        self.assertTrue((counts == 72).all())
        v, found = (csifeedback.subband_eigenvectors(np.ascontiguousarray(x)[:, :, None], 6)
                    for x in (h, decoder.decode(bits, counts, gain_db)))
        self.assertGreater(csifeedback.sgcs(v, found).mean(), 0.6)
        for options, error in (("quantizer=some", "quantizer is some"), ("bits=11", "bits is 11"),
                               ("code_size=999", "code_size is 999")):
            with self.assertRaisesRegex(ValueError, error):
                csifeedback.open_codec(f"eigenvectors:model={self.models['klt']},{options}")

    def test_layers(self):
        """Reports of several layers: rank, shares of the bits by water-filling, the BS gets what the UE chose;
        an equal split is worse."""
        h = PanelDrops("AC", n1=2, n2=2, nr=3, nc=24).channels(10**6, 12)
        for name in ("klt", "local-klt", "path"):
            codec = csifeedback.open_codec(
                f"eigenvectors:model={self.models[name]},rows=24,nr=3,ranks=1-3,snr_db=15")
            self.assertEqual((codec.nr, list(codec.ranks), codec.array, codec.model.na),
                             (3, [1, 2, 3], (2, 2, 2), 72))
            reports = codec.codec._layer_reports()
            self.assertEqual(reports.min_bits, 2 + reports.pair.encoder.min_bits())
            v = csifeedback.subband_eigenvectors(h, 6, 3)
            gains = []
            for rank in (2, 3):
                for one in v:
                    bits, w = reports.encode(one, rank, 140)
                    self.assertEqual(len(bits), 140)
                    np.testing.assert_allclose(reports.decode(bits), w, atol=1e-6)
                    counts = layer_bits(rank, 135, EQUAL)
                    alike = orthogonal(np.stack([reports.pair.report(
                        np.ascontiguousarray(one[None, :, :, k]), count)[2][0]
                        for k, count in enumerate(counts)], axis=2))
                    gains.append(csifeedback.sgcs(one[..., :rank], w).mean()
                                 - csifeedback.sgcs(one[..., :rank], alike).mean())
            self.assertGreater(min(gains), -1e-5, name)
            self.assertGreater(np.mean(gains), 2e-4, name)
            self.assertIsNone(reports.encode(v[0], 3, 3 * reports.pair.encoder.min_bits() + 4))
            encoder, decoder = codec.own_reports()
            stacked = np.ascontiguousarray(h.reshape(12, 72, 8))
            bits, counts, gain_db = encoder.encode(stacked, 150)
            self.assertTrue((counts == 150).all())
            w = layers.precoders(decoder.decode(bits, counts, gain_db), 3)
            ranks = layers.ranks(w)
            self.assertEqual([codec.ranks[b[0] >> 6] for b in bits], ranks.tolist())
            scores = layers.Scores(3, 6, 15, 3)
            scores.add(stacked, decoder.decode(bits, counts, gain_db))
            figures = scores.figures()
            self.assertGreater(figures["se_layers"], 0.85 * figures["se_layers_perfect"], name)
            self.assertGreater(figures["sgcs_layers"][0], 0.85, name)
            # Too few bits for the best rank: a lower one.
            bits, counts, gain_db = encoder.encode(stacked, encoder.min_bits())
            w = layers.precoders(decoder.decode(bits, counts, gain_db), 3)
            self.assertLessEqual(layers.ranks(w).max(), 1)
        rng = np.random.default_rng(4)
        for count in range(1, 40):
            found = decoder.decode(rng.integers(0, 256, (20, 5)).astype(np.uint8),
                                   np.full(20, count, np.int32))
            self.assertTrue(np.isfinite(found).all())
        self.assertFalse(decoder.decode(np.full((1, 5), 255, np.uint8), np.array([40], np.int32)).any())

    def test_together(self):
        """Both layers as one matrix: data set, model, reports, programs; better than each layer apart."""
        train, model = (os.path.join(self.directory, name) for name in ("both.h5", "both-local-klt.h5"))
        done = run_program("dataset", "eigenvectors", "--profile", "A", "C", *PANEL, "--layers", 2, "--together",
                           "--samples", 400, "-o", train)
        self.assertEqual(done.returncode, 0, done.stderr)
        with Dataset(train) as both, Dataset(self.train) as apart:
            self.assertEqual((len(both), both.nc, both.na, both.nt, both.domain), (400, 12, 12, 8, "W"))
            w, v = both.whole_matrices(), apart.whole_matrices()
        # The same eigenvectors, each row with a phase of its own.
        np.testing.assert_allclose(np.abs(np.sum(w.reshape(800, 6, 8).conj() * v, axis=2)), 1, atol=1e-4)
        done = run_program("train", "--codec", "local-klt", "--dataset", train, "-o", model, "--entry-bits", 0,
                           "--row-patches", 4, "--column-patches", 4)
        self.assertEqual(done.returncode, 0, done.stderr)
        spec = f"eigenvectors:model={self.models['local-klt']},rows=24,nr=3,ranks=1-3,snr_db=15"
        codec = csifeedback.open_codec(f"{spec},together={model}")
        self.assertNotEqual(codec.codec.model_id, csifeedback.open_codec(spec).codec.model_id)
        reports, apart = (x.codec._layer_reports() for x in (codec, csifeedback.open_codec(spec)))
        h = PanelDrops("AC", n1=2, n2=2, nr=3, nc=24).channels(10**6, 30)
        v = csifeedback.subband_eigenvectors(h, 6, 3)
        gains = []
        for one in v:
            for rank in (1, 2, 3):
                bits, found = reports.encode(one, rank, 60)
                self.assertEqual((len(bits), found.shape), (60, (6, 8, rank)))
                np.testing.assert_allclose(reports.decode(bits), found, atol=1e-6)
                if rank != 2:
                    np.testing.assert_array_equal(bits, apart.encode(one, rank, 60)[0])
            both, each = (np.ascontiguousarray(r.encode(one, 2, 60)[1]) for r in (reports, apart))
            gains.append(csifeedback.sgcs(one[..., :2], both) - csifeedback.sgcs(one[..., :2], each))
        mean, half = experiment.mean_of(np.mean(gains, axis=1))
        self.assertGreater(mean - half, 0)
        encoder, decoder = codec.own_reports()
        stacked = np.ascontiguousarray(h.reshape(30, 72, 8))
        found = layers.precoders(decoder.decode(*encoder.encode(stacked, 150)), 3)
        self.assertIn(2, layers.ranks(found))
        rng = np.random.default_rng(4)
        for count in range(1, 40):
            self.assertTrue(np.isfinite(decoder.decode(rng.integers(0, 256, (20, 5)).astype(np.uint8),
                                                       np.full(20, count, np.int32))).all())
        for options, error in (
                (f"eigenvectors:model={model},rows=24", "of 2 layers together"),
                (f"{spec},together={self.models['klt']}", "6 x 8 with 1 layer,"),
                (f"{spec},together=cdl-c-300x8-klt", "with 1 layer,"),
                (f"{spec.replace('1-3', '1')},together={model}", "allowed are the ranks 1 to 1")):
            with self.assertRaisesRegex(ValueError, error):
                csifeedback.open_codec(options)
        done = run_program("dataset", "eigenvectors", "--profile", "A", *PANEL, "--together", "--samples", 4,
                           "-o", train, "--overwrite")
        self.assertIn("--layers is 1, allowed is 2 to 4", done.stderr)

    def test_layers_in_programs(self):
        """csifeedback_eval and csifeedback_sim, on a data set of panels."""
        path = os.path.join(self.directory, "panels.h5")
        run_program("dataset", "generate", "--channel", "cdl-a", "--n1", 2, "--n2", 2, "--nr", 2, "--nc", 24,
                    "--whole", "--samples", 30, "-o", path)
        arguments = ("--codec", f"eigenvectors:model={self.models['local-klt']},rows=24,nr=2", "--budget",
                     120, "--dataset", path, "--subbands", 6, "--json")
        (row,) = json.loads(run_program("eval", *arguments).stdout)
        out = json.loads(run_program("sim", *arguments).stdout)
        for name in ("rank_share", "sgcs_layers", "se_layers"):
            np.testing.assert_allclose(out[name], row[name], rtol=1e-4)
        self.assertGreater(row["sgcs_layers"][0], 0.85)

    def test_bad_bits(self):
        codec = csifeedback.open_codec(f"eigenvectors:model={self.models['local-klt']},rows=24")
        encoder, decoder = codec.own_reports()
        self.assertEqual((encoder.domain(), encoder.rows(), encoder.nt()), ("H", 24, 8))
        rng = np.random.default_rng(3)
        bits = rng.integers(0, 256, (50, 20)).astype(np.uint8)
        found = decoder.decode(bits, rng.integers(1, 160, 50).astype(np.int32))
        self.assertTrue(np.isfinite(found).all())
        norm = np.linalg.norm(found, axis=2)
        self.assertTrue(((np.abs(norm - np.sqrt(8)) < 1e-3) | (norm == 0)).all())


class Shipped(unittest.TestCase):

    def test_beside_etype2(self):
        """The shipped models are ahead of eType II at its bits, on channels that they did not see."""
        for name, drops in (
                ("eigenvectors-uma", ScenarioDrops("uma", n1=4, n2=4, seed=7)),
                ("eigenvectors-cdl", PanelDrops("ABCDE", n1=4, n2=4, angle_span_deg=120.0, seed=7))):
            h = drops.channels(10**6, 25)
            for rank, name in ((1, name), (2, f"{name}-together")):
                codec = csifeedback.open_codec(name)
                self.assertEqual(layers_of(codec.model), rank)
                pair = Pair(codec.entropy_encoder(), codec.entropy_decoder())
                v = vectors(h, 13, rank)
                w = np.ascontiguousarray(v.reshape(25, -1, 32))
                book = csifeedback.etype2_codebook(4, 4, 13, 1, [rank])
                pmis = [book.select(one, rank) for one in h]
                bits = min(book.count_bits() + book.part2_bits(rank, book.count(pmi)) for pmi in pmis)
                counts, found = pair.report(w, bits)[1:3]
                self.assertLessEqual(counts.max(), bits)
                theirs = np.moveaxis(np.stack([book.precoder(pmi) for pmi in pmis]), 3, 1)
                theirs = similarity(w, theirs.reshape(w.shape))
                gain = similarity(w, found) - theirs
                print(f"{name}: {bits} bits, SGCS {np.mean(theirs):.3f} {np.mean(gain):+.3f}")
                self.assertGreater(np.mean(gain), 0.03)

    @unittest.skipIf(importlib.util.find_spec("torch") is None, "without PyTorch")
    def test_learned(self):
        """Csi-L2O and CsiNet give eigenvectors back that they did not see."""
        v = vectors(PanelDrops("ABCDE", n1=4, n2=4, angle_span_deg=120.0, seed=7).channels(
            10**6, 50), 13, 1)[:, 0]
        transform = csifeedback.angular_delay_transform(13, 32, 13, 0)
        for name, least in (("eigenvectors-cdl-csi-l2o", 0.98), ("eigenvectors-cdl-csinet", 0.8)):
            codec = csifeedback.open_codec(name)
            ha = transform.forward(aligned(v))[0]
            found = codec.decoder(0).decode(codec.encoder(0).encode(ha)[0])
            sgcs = np.mean(similarity(v, transform.inverse(found.reshape(ha.shape))))
            print(f"{name}: SGCS {sgcs:.3f}")
            self.assertGreater(sgcs, least)


class Experiment(unittest.TestCase):

    def test_efficiency(self):
        """Against the definition, drop by drop; the eigenvectors are the best precoders."""
        rng = np.random.default_rng(4)
        h, w = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
                for shape in ((3, 8, 2, 8), (3, 4, 8, 2)))
        found = experiment.efficiency(h, w)
        for one, v, value in zip(h, w / np.linalg.norm(w, axis=2, keepdims=True), found):
            one = one / np.sqrt(np.mean(np.abs(one) ** 2))
            expected = [np.log2(np.linalg.det(np.eye(2) + 5 * a @ v[k // 2] @ (a @ v[k // 2]).conj().T
                                              ).real) for k, a in enumerate(one)]
            self.assertAlmostEqual(value, np.mean(expected), places=5)
        best = experiment.efficiency(h[:, ::2], csifeedback.subband_eigenvectors(
            np.ascontiguousarray(h[:, ::2], np.complex64), 4, 2))
        self.assertTrue((best > experiment.efficiency(h[:, ::2], w)).all())

    def test_rows(self):
        """A small set-up: all codebooks, and a codec of W at the bits of each eType II."""
        setup = experiment.Setup(4, 4, 4, nr=2, parameters={})
        with tempfile.TemporaryDirectory() as directory, \
                mock.patch.multiple(experiment, TRAINING=150, TRAINING_OF_PATCHES=150, PROFILES="AC",
                                    CODECS=("klt", "local-klt"), PATCHES=("4", "4")):
            steps = []
            store = sweep.Store(os.path.join(directory, "results"))
            rows = experiment.measure(6, lambda *step: steps.append(step), directory, [setup],
                                      store=store)
            self.assertEqual(steps, [(done, 7) for done in range(1, 8)])
            picture = os.path.join(directory, "p.png")
            experiment.draw(picture, rows)
            self.assertGreater(os.path.getsize(picture), 1000)
            # What was measured is found, and nothing is trained again.
            with mock.patch.object(experiment, "point", side_effect=AssertionError), \
                    mock.patch.object(experiment.run, "train", side_effect=AssertionError):
                again = experiment.measure(6, lambda done, of: None, directory, [setup],
                                           store=sweep.Store(store.directory))
                self.assertEqual(again, rows)
                with self.assertRaises(AssertionError):
                    experiment.measure(5, lambda done, of: None, directory, [setup], store=store)
        for profile in ("CDL-A", "CDL-C"):
            for rank in (1, 2):
                some = [r for r in rows if (r["profile"], r["rank"]) == (profile, rank)]
                perfect = some[0]
                self.assertEqual((perfect["codec"], perfect["bits"]), ("perfect eigenvectors", None))
                self.assertAlmostEqual(perfect[f"sgcs_{rank}"], 1, places=4)
                books = {r["codec"]: r for r in some if r["codec"].startswith("eType")}
                self.assertEqual(len(books), 8 if rank == 1 else 6)
                klt = [r for r in some if r["codec"] == "KLT" and r["beside"] in books]
                self.assertGreater(len(klt), 3)
                together = [r for r in some if r["codec"] == "local KLT, layers together" and r["beside"] in books]
                self.assertEqual(len(together), 0 if rank == 1 else 6)
                for r in klt + together:
                    book = books[r["beside"]]
                    self.assertLessEqual(r["bits"], book["bits"])
                    for layer in range(1, rank + 1):
                        self.assertAlmostEqual(r[f"gain_{layer}"], r[f"sgcs_{layer}"]
                                               - book[f"sgcs_{layer}"], places=6)
                    self.assertLess(r["se"], perfect["se"] + 1e-6)
                for r in together:
                    apart = next(x for x in some if (x["codec"], x.get("beside")) == ("local KLT", r["beside"]))
                    self.assertGreater(r["sgcs_2"], apart["sgcs_2"])
                self.assertEqual(["sgcs_1" in r for r in some if r["codec"].startswith("Type I ")],
                                 [rank == 1] * 2)
        self.assertEqual(len([r for r in rows if r.get("beside") == "98 bits"]), 10)
        # The tables of the manual: gains, and SGCS beside each eType II.
        with mock.patch.object(experiment, "CODECS", ()):
            text = experiment.tables(rows)
        row = next(r for r in rows if (r["codec"], r["profile"], r["rank"]) == ("eType II pc4", "CDL-C", 1))
        lines = [line.split(" | ") for line in text.splitlines() if "eType II pc4 |" in line]
        self.assertEqual([line[-1] for line in lines], [f"{row['sgcs_1']:.3f} |"])
        gains = [r["gain_2"] for r in rows if (r["codec"], r["profile"]) == ("KLT", "CDL-A")
                 and "gain_2" in r]
        self.assertIn(f"| 2, 2 | KLT | {min(gains):+.3f} to {max(gains):+.3f} |", text)
        self.assertEqual(text.count("98 bits:"), 1)

    def test_profiles(self):
        """The drops of each profile are those of all profiles in turn, of numbers that no training has."""
        setup = experiment.Setup(2, 2, 4, nr=2)
        every = setup.panels().channels(experiment.FIRST, 15)
        for number, profile in enumerate(setup.profiles):
            np.testing.assert_array_equal(setup.test(3, profile), every[number::5])

    def test_scenario(self):
        """UEs of UMa in place of CDL; the test has those of another cell, and NLOS alone."""
        setup = experiment.Setup(8, 2, 4, nr=2, ranks=(1,), scenario="uma")
        self.assertEqual(setup.profiles, ("UMa", "UMa NLOS, outdoors"))
        tests = {profile: setup.test(5, profile) for profile in setup.profiles}
        outdoors = csifeedback.scenario_panel_channel(
            "uma", 8, 2, 2, seed=2, condition="nlos", indoor_share=0.0)
        np.testing.assert_array_equal(tests["UMa NLOS, outdoors"], outdoors.generate(0, 5))
        self.assertFalse((tests["UMa"] == setup.panels().channels(0, 5)).all())
        with tempfile.TemporaryDirectory() as directory, \
                mock.patch.multiple(experiment, TRAINING=150, CODECS=("klt",)):
            rows = experiment.measure(4, lambda done, of: self.assertLessEqual(done, of), directory,
                                      [setup])
        self.assertEqual({r["profile"] for r in rows}, set(tests))
        self.assertTrue(any(r["codec"] == "KLT" for r in rows))

    def test_patches(self):
        """A line of columns has more patches over the ports, and learns them from more drops."""
        line, plane = experiment.Setup(16, 1, 8), experiment.Setup(4, 4, 8)
        self.assertEqual(line.options("local-klt")[3::2], ("16", "512", "40000"))
        self.assertEqual(line.options("local-klt-together")[3::2], ("16", "256", "10000"))
        self.assertEqual(plane.options("local-klt")[3::2], ("32", "16", "20000"))
        self.assertEqual(plane.options("local-klt-together")[3::2], ("32", "16", "10000"))
        self.assertEqual([setup.drops(codec) for setup in (line, plane)
                          for codec in ("klt", "local-klt", "local-klt-together")],
                         [2500, 20000, 10000, 2500, 10000, 10000])
        made = []

        def train(arguments):
            made.append(arguments)

        with tempfile.TemporaryDirectory() as directory, \
                mock.patch.multiple(experiment, TRAINING=20, TRAINING_OF_PATCHES=30), \
                mock.patch.object(experiment.run, "train", train):
            for codec in ("klt", "local-klt", "local-klt-together"):
                experiment.model_of(experiment.Setup(8, 1, 4, nr=2), directory, codec)
            sizes = []
            for arguments in made:
                with Dataset(arguments[arguments.index("--dataset") + 1]) as data:
                    sizes.append((len(data), data.nc))
        self.assertEqual(sizes, [(40, 4), (120, 4), (30, 8)])

    def test_networks(self):
        """Networks are measured on all arrays, N3 and UMa, for the published figures alone not; those that are
        not shipped are trained for a shorter time."""
        of = [setup for setup in experiment.SETUPS if setup.networks]
        self.assertEqual({(s.n1, s.n2, s.subbands, s.scenario) for s in of},
                         {(4, 4, 13, ""), (4, 4, 8, ""), (16, 1, 13, ""), (16, 1, 8, ""), (4, 4, 13, "uma")})
        for setup in of:
            self.assertEqual(setup.codecs,
                             ("klt", "local-klt", "path", "local-klt-together", "csi-l2o", "csinet"))
        self.assertEqual(of[0].options("csinet")[-1], "8")
        self.assertEqual(of[1].options("csinet")[-1], "1.5")
        self.assertEqual(experiment.Setup(4, 4, 8).codecs, ("klt", "local-klt", "path", "local-klt-together"))
        self.assertEqual(experiment.Setup(4, 4, 8, ranks=(1,)).codecs, ("klt", "local-klt", "path"))


if __name__ == "__main__":
    unittest.main()
