#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_train --codec mlcf on a small set of channels."""

import csv
import json
import os
import signal
import subprocess
import tempfile
import time
import unittest

import numpy as np
from common import command_of, run_here, run_program
from gnuradio import csifeedback
from gnuradio.csifeedback import csifeedback_python as core
from gnuradio.csifeedback.data.dataset import Dataset
from gnuradio.csifeedback.model import read_model
from gnuradio.csifeedback.training import mlcf

NC, NT = 12, 4
#: options of a run of less than a second
SMALL = ("--landmarks", 60, "--neighbours", 12, "--dimensions", 2, 5, "--columns", 600,
         "--iterations", 4, "--entry-bits", 2, "--threads", 1)


class Training(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        channel = ("--channel", "cdl-a", "--nc", NC, "--nt", NT, "--spacing-hz", 180e3,
                   "--delay-spread-s", 5e-7, "--sector-element", "--no-align")
        whole = ("--whole", "--samples", 400)
        for name, options in (
                ("train.h5", whole), ("test.h5", (*whole, "--first", 10**6)),
                ("ha.h5", ("--samples", 200)),
                ("still.h5", (*whole, "--slots-per-drop", 400)),
                ("moving.h5", (*whole, "--slots-per-drop", 400, "--speed-mps", 20))):
            done = run_program("dataset", "generate", *channel, *options, "-o", cls.path(name))
            assert done.returncode == 0, done.stderr

    @classmethod
    def path(cls, name):
        return os.path.join(cls.temporary.name, name)

    def train(self, output, *arguments, dataset="train.h5"):
        done = run_program("train", "--codec", "mlcf", "--dataset", self.path(dataset), "-o",
                           self.path(output), *SMALL, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def refuse(self, text, *arguments, dataset="train.h5"):
        done = run_here("train", "--codec", "mlcf", "--dataset", self.path(dataset), "-o",
                        self.path("refused.h5"), *SMALL, *arguments)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertIn(text, done.stderr.strip().splitlines()[-1])
        self.assertFalse(os.path.exists(self.path("refused.h5")))

    def columns(self, name):
        with Dataset(self.path(name)) as data:
            return mlcf.columns_of(mlcf.spread_matrices(data, len(data)))

    def same_arrays(self, one, other):
        a, b = read_model(self.path(one)).arrays, read_model(self.path(other)).arrays
        self.assertEqual(sorted(a), sorted(b))
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)

    def test_columns_are_those_of_equation_5(self):
        with Dataset(self.path("train.h5")) as data:
            h = data.read(0, len(data))
            x = mlcf.columns_of(mlcf.spread_matrices(data, 5))
        self.assertEqual(x.shape, (5 * NT, 2 * NC))
        for row, i in enumerate((0, 100, 200, 299, 399)):
            own = h[i] / np.sqrt(np.mean(np.abs(h[i]) ** 2))
            for n in range(NT):
                np.testing.assert_allclose(
                    x[row * NT + n], np.concatenate([own[:, n].real, own[:, n].imag]), rtol=1e-5)

    def test_model_compresses_and_reconstructs(self):
        """The model's arrays, with the products of eqs. (34) and (36) in NumPy."""
        self.train("own.h5", "--iterations", 8, "--columns", 1600, "--dimensions", 4, 8)
        model = read_model(self.path("own.h5"))
        arrays, attributes = model.arrays, model.attributes
        self.assertEqual([attributes[k] for k in ("codec", "domain", "nc", "na", "nt", "precursor",
                                                  "code_size")],
                         ["mlcf", "H", NC, NC, NT, 0, 8 * NT])
        np.testing.assert_array_equal(arrays["decoder/dimensions"], [4, 8])
        for half in ("encoder", "decoder"):
            np.testing.assert_array_equal(arrays[f"{half}/neighbours"], [12])
            np.testing.assert_allclose(arrays[f"{half}/lambda"], [1e-3])
        self.assertEqual(arrays["encoder/D_H"].shape[1], 2 * NC)
        self.assertEqual(arrays["encoder/D_L"].shape, (len(arrays["encoder/D_H"]), 8))
        self.assertEqual(csifeedback.model_file(self.path("own.h5")).codec, "mlcf")

        def carry(x, source, target):
            """Eqs. (33) and (34), literally."""
            out = []
            for sample in x.astype(float):
                distance = np.sum((sample - source) ** 2, axis=1)
                near = np.argsort(distance, kind="stable")[:12]
                difference = (sample - source[near]).astype(float)
                r = difference @ difference.T
                r += np.diag(1e-3 * np.diag(r)) + 1e-6 * np.trace(r) / 12 * np.eye(12)
                w = np.linalg.solve(r, np.ones(12))
                out.append(w / np.sum(w) @ target[near])
            return np.array(out)

        x = self.columns("test.h5")[:400]
        y = carry(x, arrays["encoder/D_H"], arrays["encoder/D_L"])
        mean = np.mean(self.columns("train.h5"), axis=0)
        u = np.linalg.svd(self.columns("train.h5") - mean, full_matrices=False)[2]
        before = 1.0
        for d in (4, 8):
            found = carry(y[:, :d], arrays[f"decoder/D_L_{d}"], arrays[f"decoder/D_H_{d}"])
            error = np.sum((found - x) ** 2) / np.sum(x**2)
            linear = np.sum((x - mean - (x - mean) @ u[:d].T @ u[:d]) ** 2) / np.sum(x**2)
            # About what as many principal components leave.
            self.assertLess(error, 1.5 * linear)
            self.assertLess(error, before)
            before = error
        # The core's own way of doing it.
        np.testing.assert_allclose(
            core.mlcf_transfer(arrays["encoder/D_H"], arrays["encoder/D_L"], x, 12), y, atol=1e-3)
        # A quantizer's entries are alike for all antennas, and fit the codewords.
        for name in ("quantizer/std", "quantizer/entry_2"):
            table = arrays[name].reshape(8, NT, -1)
            np.testing.assert_array_equal(table, np.repeat(table[:, :1], NT, axis=1))
        trained = core.mlcf_transfer(arrays["encoder/D_H"], arrays["encoder/D_L"],
                                     self.columns("train.h5"), 12)
        np.testing.assert_allclose(arrays["quantizer/std"][::NT],
                                   np.sqrt(np.mean(trained.astype(float)**2, axis=0)), rtol=1e-4)

    def test_objective_by_iteration(self):
        self.train("curve.h5")
        with open(self.path("curve.h5.csv"), newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([(r["pair"], int(r["iteration"])) for r in rows],
                         [(p, i) for p in ("compression", "2", "5") for i in range(5)])
        for a, b in zip(rows, rows[1:]):
            if a["pair"] == b["pair"]:
                self.assertLess(float(b["objective"]), float(a["objective"]))
        curve = json.loads(read_model(self.path("curve.h5")).attributes["curve"])
        self.assertEqual(len(curve), len(rows))
        self.train("early.h5", "--tolerance", 0.5)
        with open(self.path("early.h5.csv"), newline="") as file:
            self.assertEqual(sum(1 for _ in csv.DictReader(file)), 6)

    def test_without_iterations_landmarks_are_columns(self):
        self.train("random.h5", "--iterations", 0)
        landmarks = read_model(self.path("random.h5")).arrays["encoder/D_H"]
        columns = {x.tobytes() for x in self.columns("train.h5")}
        self.assertTrue(all(x.tobytes() in columns for x in landmarks))

    def test_interrupted_and_continued(self):
        """Ctrl-C keeps the state; the run that goes on from it ends as one without a break."""
        options = ("--iterations", 400, "--columns", 1600, "--landmarks", 150)
        self.train("whole.h5", *options)
        process = subprocess.Popen(
            command_of("train", "--codec", "mlcf", "--dataset", self.path("train.h5"), "-o",
                       self.path("parts.h5"), *SMALL, *options), stderr=subprocess.PIPE, text=True)
        # In the second pair.
        for _ in range(3000):
            if os.path.exists(self.path("parts.h5.csv")) or process.poll() is not None:
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, errors)
        self.assertFalse(os.path.exists(self.path("parts.h5")))
        done = run_program("train", "--codec", "mlcf", "--dataset", self.path("train.h5"), "-o",
                           self.path("parts.h5"), *SMALL, *options, "--mu", 1)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--overwrite", done.stderr)
        self.train("parts.h5", *options, "--threads", 2)
        self.same_arrays("whole.h5", "parts.h5")
        # A finished run has nothing left to do, and another data set is another run.
        self.train("parts.h5", *options)
        self.same_arrays("whole.h5", "parts.h5")
        with open(self.path("broken.h5.checkpoint"), "wb") as file:
            file.write(b"nothing")
        done = run_program("train", "--codec", "mlcf", "--dataset", self.path("train.h5"), "-o",
                           self.path("broken.h5"), *SMALL)
        self.assertEqual(done.returncode, 2)
        self.assertIn("broken.h5.checkpoint: is no checkpoint", done.stderr)

    def test_halves(self):
        self.train("both.h5", "--ue-output", self.path("ue.h5"), "--bs-output",
                   self.path("bs.h5"))
        both = read_model(self.path("both.h5"))
        for name, groups in (("ue.h5", {"encoder", "quantizer"}),
                             ("bs.h5", {"decoder", "quantizer"})):
            half = read_model(self.path(name))
            self.assertEqual({k.split("/")[0] for k in half.arrays}, groups)
            self.assertEqual(csifeedback.model_file(self.path(name)).model_id, both.model_id())
            for key, array in half.arrays.items():
                np.testing.assert_array_equal(array, both.arrays[key])
            self.assertEqual(half.attributes, both.attributes)
            # Read and written again it keeps its number.
            half.write(self.path("again.h5"))
            self.assertEqual(csifeedback.model_file(self.path("again.h5")).model_id,
                             both.model_id())

    def test_embeddings_and_scaling(self):
        for options in (("--embedding", "lle", "--embedding-neighbours", 20),
                        ("--embedding", "ltsa", "--embedding-neighbours", 20),
                        ("--scaling", "unit")):
            self.train("other.h5", "--overwrite", *options)
            std = read_model(self.path("other.h5")).arrays["quantizer/std"]
            np.testing.assert_allclose(std, 1, rtol=0.3)
        self.train("common.h5")
        std = read_model(self.path("common.h5")).arrays["quantizer/std"][::NT]
        self.assertAlmostEqual(float(np.mean(std**2)), 1, delta=0.2)
        self.assertGreater(std[0], 2 * std[-1])

    def test_history_that_is_not_diverse(self):
        with Dataset(self.path("still.h5")) as data:
            still, columns = mlcf.diversity(mlcf.spread_matrices(data, 100))
            self.assertEqual(still, 1)
            self.assertGreater(columns, 1)
        with Dataset(self.path("train.h5")) as data:
            diverse, columns = mlcf.diversity(mlcf.spread_matrices(data, 100))
            self.assertGreaterEqual(diverse, 2 * columns)
        # The rank of matrices of known rank.
        rng = np.random.default_rng(1)
        paths = (rng.standard_normal((5, 7 * 6, 2)) @ [1, 1j]) / np.sqrt(2)
        phases = np.exp(2j * np.pi * rng.random((80, 5)))
        self.assertEqual(mlcf.diversity((phases @ paths).reshape(80, 7, 6))[0], 5)
        done = self.train("still-model.h5", "--dimensions", 2, dataset="still.h5")
        self.assertIn("warning", done.stderr)
        self.assertIn("follow from 1 of them", done.stderr)
        for name in ("train.h5", "moving.h5"):
            self.assertNotIn("warning", self.train("diverse.h5", "--overwrite",
                                                   dataset=name).stderr)

    def test_bad_options(self):
        self.refuse("--whole", dataset="ha.h5")
        self.refuse("--landmarks is 601", "--landmarks", 601)
        self.refuse("--neighbours is 61", "--neighbours", 61)
        self.refuse("--dimensions has 24", "--dimensions", 24)
        self.refuse("--dimensions has 0", "--dimensions", 0, 3)
        self.refuse("--lambda is 0", "--lambda", 0)
        self.refuse("--lambda is -1", "--lambda", -1)
        self.refuse("--mu is nan", "--mu", "nan")
        self.refuse("--tolerance is 2", "--tolerance", 2)
        self.refuse("--iterations is -1", "--iterations", -1)
        self.refuse("--threads is 257", "--threads", 257)
        self.refuse("--entry-bits is 11", "--entry-bits", 11)
        self.refuse("neighbours is 600", "--embedding", "lle", "--embedding-neighbours", 600)
        self.refuse("dimensions is 5", dataset="still.h5")
        self.refuse("nowhere", "--ue-output", self.path("nowhere/ue.h5"))


if __name__ == "__main__":
    unittest.main()
