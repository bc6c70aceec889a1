#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Ray-traced sites: the files, the matrices that their paths make, and codecs on them."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import numpy as np
from gnuradio import csifeedback
from gnuradio.csifeedback import evaluation
from gnuradio.csifeedback.data.dataset import Dataset
from gnuradio.csifeedback.experiments import sites

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")


def site(name):
    return sites.read_site(os.path.join(DATA, f"{name}.npz"))


class Files(unittest.TestCase):

    def test_matrices_are_sums_of_plane_waves(self):
        one = site("canyon")
        ue = int(np.argmax(np.diff(one.start)))
        h = one.matrices([ue, 0], 48, 5, 60e3)[0]
        some = slice(one.start[ue], one.start[ue + 1])
        gain, delay = one.gain[some], one.delay_s[some]
        strong = np.abs(gain) > 0.1 * np.abs(gain).max()
        truth = np.zeros((48, 5), complex)
        for g, t, c in zip(gain, delay - delay[strong].min(), one.cosine[some]):
            for k in range(48):
                for m in range(5):
                    truth[k, m] += g * np.exp(1j * np.pi * (m * c - 2 * k * 60e3 * t))
        truth /= np.sqrt(np.mean(np.abs(truth) ** 2))
        np.testing.assert_allclose(h, truth, atol=1e-4)

    def test_halves_and_data_set(self):
        one = site("munich")
        west, east = one.part(False), one.part(True)
        self.assertEqual(sorted([*west, *east]), list(range(100)))
        self.assertLess(one.position[west, 0].max(), one.position[east, 0].min())
        self.assertTrue(np.all(one.effective_paths() >= 1 - 1e-4))
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "east.h5")
            sites.dataset(one, east[:4], path)
            with Dataset(path) as data:
                self.assertEqual((len(data), data.na, data.nt, data.precursor), (4, 32, 32, 4))
                transform = csifeedback.angular_delay_transform(1024, 32, 32, 4)
                ha, lost, _ = transform.forward(one.matrices(east[:4]))
                np.testing.assert_array_equal(data.angular_delay(), ha)
                np.testing.assert_allclose(data.energy_lost, lost, atol=1e-6)
                self.assertIn("munich", data.command)

    def test_other_files_are_refused(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "bad.npz")
            with open(path, "wb") as file:
                file.write(b"no zip")
            with self.assertRaisesRegex(ValueError, "bad.npz: is no file of trace_site.py"):
                sites.read_site(path)
            with np.load(os.path.join(DATA, "canyon.npz")) as file:
                arrays = dict(file)
            for name, array in (("gain", arrays["gain"][1:]), ("start", arrays["start"][::-1])):
                np.savez(path, **{**arrays, name: array})
                with self.assertRaisesRegex(ValueError, "do not fit together"):
                    sites.read_site(path)
            with self.assertRaisesRegex(ValueError, "no .npz file"):
                sites.measure(10, lambda done, of: None, tempfile.mkdtemp(dir=directory))

    def test_tracer_says_its_options_without_sionna(self):
        script = os.path.join(os.path.dirname(sites.__file__), "trace_site.py")
        done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True,
                              check=True)
        self.assertIn("--scattering", done.stdout)


class Codecs(unittest.TestCase):

    def test_outdoor_model_on_sites_that_it_has_not_seen(self):
        for name, most in (("canyon", (-11, -20, -30)), ("munich", (-10, -19, -28))):
            one = site(name)
            ha, lost, _ = csifeedback.angular_delay_transform(1024, 32, 32, 4).forward(
                one.matrices(np.arange(100)))
            evaluator = evaluation.Evaluator(ha, lost, 1024, 4, 0)
            for budget, db in zip((64, 128, 256), most):
                paths = evaluator.run_budget(evaluation.Codec("cost2100-outdoor-path"), budget)
                klt = evaluator.run_budget(evaluation.Codec("cost2100-outdoor-local-klt"), budget,
                                           sites.ENTROPY)
                self.assertLess(paths["nmse_db"], db, (name, budget))
                self.assertLess(paths["nmse_db"], klt["nmse_db"] - 1.5, (name, budget))

    def test_experiment(self):
        """Models of other channels and those trained on the west, tested in the east."""
        with tempfile.TemporaryDirectory() as directory:
            shutil.copy(os.path.join(DATA, "canyon.npz"), directory)
            trained, sites.TRAINED = sites.TRAINED, ("path",)
            self.addCleanup(setattr, sites, "TRAINED", trained)
            rows = sites.measure(8, lambda done, of: None, directory, (128,), ("path",))
            self.assertEqual([r["trained"] for r in rows], [
                "cost2100-indoor", "cost2100-outdoor", "cdl-a-random", "all three",
                "cost2100-outdoor", "the west of the site"])
            for row in rows:
                self.assertEqual(row["samples"], 8)
                self.assertLess(row["nmse_db"], -10)
            sites.draw(os.path.join(directory, "sites.png"), rows)
            self.assertTrue(os.path.exists(os.path.join(directory, "canyon-path.h5")))


if __name__ == "__main__":
    unittest.main()
