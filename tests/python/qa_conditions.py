#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Data that are not what a model was trained on are told, and can be aligned."""

import json
import os
import tempfile
import unittest

import numpy as np
from gnuradio import csifeedback
from gnuradio.csifeedback import conditions
from gnuradio.csifeedback.conditions import Conditions
from gnuradio.csifeedback.data.dataset import Dataset, DatasetWriter

from common import run_program

KLT = "cost2100-indoor-air-local-klt"
NC, NT, NA, COUNT = 1024, 32, 32, 150


def call(program, *arguments):
    """(exit code, stdout, stderr) of a program."""
    done = run_program(program, *arguments)
    return done.returncode, done.stdout, done.stderr


class Differences(unittest.TestCase):

    def test_texts(self):
        model = Conditions(True, 4, 20e6, "cost2100-indoor")
        self.assertEqual(conditions.differences(Conditions(), model), [])
        self.assertEqual(conditions.differences(model, Conditions()), [])
        self.assertEqual(conditions.differences(Conditions(True, None, 20.001e6, "imported"), model),
                         [])
        for data, text in ((Conditions(align=False), "absolute"),
                           (Conditions(precursor=0), "before delay zero are 0, the model's 4"),
                           (Conditions(bandwidth_hz=10e6), "10 MHz, the model's 20 MHz"),
                           (Conditions(channel="cdl-a"), "is cdl-a, .*on cost2100-indoor")):
            found = conditions.differences(data, model)
            self.assertEqual(len(found), 1)
            self.assertRegex(found[0], text)

    def test_swapped(self):
        channel = csifeedback.cost2100_channel("indoor", seed=5)
        ha = csifeedback.generate_channels(channel, 0, 200, 32, 0)[0]
        self.assertFalse(conditions.looks_swapped(ha))
        self.assertTrue(conditions.looks_swapped(ha.transpose(0, 2, 1)))
        self.assertFalse(conditions.looks_swapped(np.zeros((3, 32, 32))))
        h = csifeedback.generate_channels(channel, 0, 200)[0][:, ::32]
        transform = csifeedback.angular_delay_transform(32, 32, 32, 0)
        for swapped in (False, True):
            x = np.ascontiguousarray(h.transpose(0, 2, 1)) if swapped else h
            self.assertEqual(conditions.looks_swapped(transform.forward(x)[0], True), swapped)


class Programs(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        channel = csifeedback.cost2100_channel("indoor", seed=5, align=False)
        h = csifeedback.generate_channels(channel, 0, COUNT)[0]
        cls.write("absolute.h5", h)
        cls.write("tiny.h5", 1e-18 * h)
        ha, lost, _ = csifeedback.angular_delay_transform(NC, NT, NA, 4, True).forward(h)
        with DatasetWriter(cls.path("rows.h5"), COUNT, cls.attributes("Ha", 4, 1)) as writer:
            writer.append(ha, np.sum(np.abs(h) ** 2, axis=(1, 2)), lost)

    @classmethod
    def path(cls, name):
        return os.path.join(cls.directory.name, name)

    @staticmethod
    def attributes(domain, precursor, align):
        return {"domain": domain, "nc": NC, "na": NA, "nt": NT, "precursor": precursor,
                "align": align, "spacing_hz": 19531.25, "sample_interval_s": 0.0,
                "channel": "cost2100-indoor"}

    @classmethod
    def write(cls, name, h):
        with DatasetWriter(cls.path(name), len(h), cls.attributes("H", 0, 0)) as writer:
            writer.append(h)

    def evaluate(self, *arguments):
        code, out, errors = call("eval", "--codec", KLT, "--ratios", "1/16", "--json", *arguments)
        self.assertEqual(code, 0, errors)
        return json.loads(out)[0], errors

    def test_eval_tells_and_aligns(self):
        row, errors = self.evaluate("--dataset", self.path("absolute.h5"))
        self.assertRegex(errors, "warning: .*absolute.h5 is not what " + KLT + " was trained on: "
                         "delays are absolute, of the model's training aligned.*--align aligns")
        aligned, errors = self.evaluate("--dataset", self.path("absolute.h5"), "--align")
        self.assertNotIn("warning", errors)
        self.assertLess(aligned["nmse_db"], row["nmse_db"] - 3)
        rows, errors = self.evaluate("--dataset", self.path("rows.h5"))
        self.assertNotIn("warning", errors)
        self.assertAlmostEqual(aligned["nmse_db"], rows["nmse_db"], delta=0.02)
        with Dataset(self.path("rows.h5")) as data, \
                DatasetWriter(self.path("swapped.h5"), 50, self.attributes("Ha", 4, 0)) as writer:
            writer.append(np.ascontiguousarray(data.read(0, 50).transpose(0, 2, 1)))
        for program, *options in (("eval", "--ratios"), ("sim", "--ratio")):
            code, _, errors = call(program, "--codec", KLT, "--dataset", self.path("swapped.h5"), *options, "1/16",
                                   "--json")
            self.assertEqual(code, 0, errors)
            self.assertRegex(errors, "warning: .*swapped.h5: delay rows and angles look swapped")
        # A single matrix may look so by chance: all of the file count, whatever --samples says.
        with Dataset(self.path("rows.h5")) as data, \
                DatasetWriter(self.path("first.h5"), 50, self.attributes("Ha", 4, 0)) as writer:
            ha = data.read(0, 50)
            ha[0] = ha[0].T
            writer.append(ha)
        for samples in ("1", "50"):
            _, errors = self.evaluate("--dataset", self.path("first.h5"), "--samples", samples)
            self.assertNotIn("swapped", errors)
            # Delay rows cannot be aligned, so no option is proposed that fails.
            self.assertRegex(errors, r"delays are absolute.*\(delay rows cannot be aligned")
        code, _, errors = call("eval", "--codec", KLT, "--dataset", self.path("rows.h5"), "--align")
        self.assertEqual(code, 2)
        self.assertIn("holds 32 delay rows", errors)

    def test_sim_as_eval(self):
        """Also of delay rows, whose file knows what the cut lost."""
        for name, options in (("absolute.h5", ["--align"]), ("rows.h5", [])):
            row, _ = self.evaluate("--dataset", self.path(name), *options, "--bits", 6)
            code, out, errors = call("sim", "--codec", KLT, "--dataset", self.path(name), *options,
                                     "--ratio", "1/16", "--bits", 6, "--json")
            self.assertEqual(code, 0, errors)
            figures = json.loads(out)
            self.assertEqual(figures["matched"], COUNT)
            self.assertAlmostEqual(figures["nmse_db"], row["nmse_db"], delta=0.02)
            self.assertAlmostEqual(figures["nmse_whole_db"], row["nmse_whole_db"], delta=0.1)

    def test_gains_that_no_frame_carries(self):
        for program, *options in (("eval", "--align", "--bits", 6), ("sim", "--align")):
            code, _, errors = call(program, "--codec", KLT, "--dataset", self.path("tiny.h5"),
                                   *options)
            self.assertEqual(code, 2)
            self.assertRegex(errors, "gain of matrix 0 is -3.*a feedback frame carries -256")

    def test_train(self):
        code, out, errors = call("train", "--codec", "klt", "--dataset", self.path("absolute.h5"),
                                 "--align", "--test", self.path("absolute.h5"), "-o",
                                 self.path("klt.h5"), "--json")
        self.assertEqual(code, 0, errors)
        self.assertNotIn("warning", errors)
        with Dataset(self.path("absolute.h5"), True) as data:
            self.assertTrue(data.align)
        model = csifeedback.model_file(self.path("klt.h5"))
        self.assertTrue(conditions.of_model(model).align)
        code, out, errors = call("train", "--codec", "klt", "--dataset", self.path("rows.h5"),
                                 "--test", self.path("absolute.h5"), "-o", self.path("other.h5"))
        self.assertIn("absolute.h5 is not like", errors)


if __name__ == "__main__":
    unittest.main()
