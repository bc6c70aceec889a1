#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Planar, dual-polarized arrays: the 3-D DFT, data sets, models and the programs that know them."""

import json
import os
import tempfile
import unittest

import h5py
import numpy as np
from gnuradio import blocks, csifeedback, gr
from gnuradio.csifeedback import arrays, conditions, evaluation
from gnuradio.csifeedback.codecs import open_codec
from gnuradio.csifeedback.data.dataset import Dataset, align_matrices
from gnuradio.csifeedback.data.panels import make_drops

from common import run_program
from programs import EndsTest, free_port, wait_for

NC, NA, PRECURSOR, PLANE = 52, 16, 4, (4, 2, 2)
NT = 16
GRID = ("--nc", NC, "--spacing-hz", 180e3, "--n1", PLANE[0], "--n2", PLANE[1])


def noise(*shape, seed=1):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def transformed(h, plane, na, precursor):
    """Ha of H (n, nc, ports) with numpy.fft."""
    n1, n2, polarizations = plane
    rows = np.fft.ifft(h.astype(np.complex128), axis=1, norm="ortho")[:, np.arange(-precursor, na - precursor)]
    beams = np.fft.fft2(rows.reshape(len(h), na, polarizations, n1, n2), norm="ortho")
    return beams.reshape(rows.shape)


class Transform(unittest.TestCase):

    def test_against_numpy(self):
        for nc, na, precursor, plane in ((52, 16, 4, (4, 4, 2)), (31, 9, 8, (3, 2, 2)), (106, 20, 4, (16, 1, 2)),
                                         (48, 48, 2, (1, 6, 1)), (17, 5, 0, (5, 3, 1))):
            h = noise(3, nc, int(np.prod(plane)))
            shape = csifeedback.csi_shape("Ha", na, h.shape[2], nc, precursor, plane)
            transform = csifeedback.angular_delay_transform(shape)
            self.assertEqual((shape.array, transform.array()), (plane, plane))
            ha, lost, _ = transform.forward(h)
            np.testing.assert_allclose(ha, transformed(h, plane, na, precursor), atol=2e-5)
            back = transform.inverse(ha)
            np.testing.assert_allclose(
                lost, np.square(np.abs(h - back)).sum((1, 2)) / np.square(np.abs(h)).sum((1, 2)), atol=1e-5)
            if na == nc:
                np.testing.assert_allclose(back, h, atol=1e-5)

    def test_a_line_is_what_it_was(self):
        h = noise(4, 64, 12)
        old = csifeedback.angular_delay_transform(64, 12, 16, 4)
        for array in (None, (12, 1, 1)):
            new = csifeedback.angular_delay_transform(csifeedback.csi_shape("Ha", 16, 12, 64, 4, array))
            np.testing.assert_array_equal(new.forward(h)[0], old.forward(h)[0])
            self.assertEqual(new.array(), (12, 1, 1))

    def test_refused(self):
        for array, text in (((4, 4, 1), "array is 4 x 4 ports of 1 polarization, allowed is n1 n2 polarizations "
                                        "= nt = 32"),
                            ((4, 2, 4), "polarizations of the array is 4, allowed is 1 to 2"),
                            ((4, 8), r"array is \(4, 8\), allowed is None"), ("plane", "array is 'plane'")):
            with self.assertRaisesRegex(ValueError, text):
                csifeedback.csi_shape("Ha", 8, 32, 64, 4, array)

    def test_blocks(self):
        """The blocks take the array from the shape."""
        h = noise(5, NC, NT)
        shape = csifeedback.csi_shape("Ha", NA, NT, NC, PRECURSOR, PLANE)
        flowgraph = gr.top_block()
        source = blocks.vector_source_c(h.ravel().tolist(), False, NC * NT)
        forward, inverse = csifeedback.angular_delay(shape), csifeedback.angular_delay_inverse(shape)
        found, back = blocks.vector_sink_c(NA * NT), blocks.vector_sink_c(NC * NT)
        flowgraph.connect(source, forward, found)
        flowgraph.connect(forward, inverse, back)
        flowgraph.run()
        expected = csifeedback.angular_delay_transform(shape)
        ha = expected.forward(h)[0]
        np.testing.assert_array_equal(np.reshape(found.data(), (5, NA, NT)).astype(np.complex64), ha)
        np.testing.assert_array_equal(np.reshape(back.data(), (5, NC, NT)).astype(np.complex64),
                                      expected.inverse(ha))


class Channels(unittest.TestCase):

    def test_of_one_antenna(self):
        """A panel channel as a channel model knows its array, aligns, and gives Ha."""
        for drops in (make_drops("cdl-c", n1=4, n2=2, nr=2, nc=NC, seed=3),
                      make_drops("umi", n1=4, n2=2, nr=2, nc=NC, seed=3)):
            h = np.ascontiguousarray(drops.channels(7, 3)[:, :, 1])
            for align in (False, True):
                model = drops.model(1, align=align)
                self.assertEqual((model.array(), csifeedback.csi_shape(model).array), (PLANE, PLANE))
                self.assertEqual(json.loads(model.parameters())["align"], align)
                expected = align_matrices(h) if align else h
                np.testing.assert_allclose(csifeedback.generate_channels(model, 7, 3)[0], expected, atol=1e-5)
                ha, _, lost = csifeedback.generate_channels(model, 7, 3, NA, PRECURSOR)
                np.testing.assert_allclose(ha, transformed(expected, PLANE, NA, PRECURSOR), atol=1e-4)
                np.testing.assert_allclose(
                    1 - np.square(np.abs(ha)).sum((1, 2)) / np.square(np.abs(h)).sum((1, 2)), lost, atol=1e-5)
        # All antennas have one phase ramp.
        whole = csifeedback.generate_channels(make_drops("umi", n1=4, n2=2, nr=2, nc=NC, seed=3).model(
            align=True), 7, 1)[0][0].reshape(NC, -1)
        np.testing.assert_allclose(whole, align_matrices(drops.channels(7, 1).reshape(1, NC, -1))[0], atol=1e-5)
        with self.assertRaisesRegex(ValueError, "several receive antennas"):
            csifeedback.generate_channels(drops.model(), 7, 1, NA, PRECURSOR)


class Programs(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        for name, options in (("rows", ()), ("whole", ("--whole", "--align")), ("uma", ("--whole",))):
            cls.run_well("dataset", "generate", "--channel", "uma" if name == "uma" else "cdl-c", *GRID,
                         "--samples", 150, "--na", NA, "--nr", 2, *options, "-o", cls.path(name + ".h5"))
        # The same channels, whose ports are said to be a line.
        cls.run_well("dataset", "export", cls.path("whole.h5"), "--matrices", "-o", cls.path("whole.npz"))
        cls.run_well("dataset", "import", cls.path("whole.npz"), "--key", "H", "--axes",
                     "sample,subcarrier,antenna", "--na", NA, "--precursor", PRECURSOR,
                     "--spacing-hz", 180e3, "-o", cls.path("line.h5"))
        cls.run_well("train", "--codec", "klt", "--dataset", cls.path("rows.h5"), "-o", cls.path("klt.h5"))
        cls.run_well("train", "--codec", "klt", "--dataset", cls.path("line.h5"), "-o", cls.path("line-klt.h5"))

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder.name, name)

    @staticmethod
    def run_well(program, *arguments):
        done = run_program(program, *arguments)
        if done.returncode:
            raise AssertionError(f"{program} {arguments}: {done.stderr}")
        return done

    def test_angles(self):
        """Scaled angles and turned arrays come from the command line to the channel model, and into what the
        file says of itself."""
        options = {"asd_deg": 5.0, "asa_deg": 40.0, "zsd_deg": 2.0, "zsa_deg": 8.0, "bearing_deg": 20.0,
                   "downtilt_deg": -6.0, "ue_bearing_deg": 30.0}
        flags = [x for name, value in options.items() for x in ("--" + name.replace("_", "-"), value)]
        panel = csifeedback.cdl_panel_channel("C", 4, 2, nr=2, nc=NC, spacing_hz=180e3, sector_element=True,
                                              **options)
        expected = panel.generate(3, 2)
        self.assertGreater(np.abs(expected - csifeedback.cdl_panel_channel(
            "C", 4, 2, nr=2, nc=NC, spacing_hz=180e3, sector_element=True).generate(3, 2)).max(), 0.1)
        path, w = self.path("angles.h5"), self.path("angles-w.h5")
        self.run_well("dataset", "generate", "--channel", "cdl-c", *GRID, "--nr", 2, "--whole", "--first", 3,
                      "--samples", 2, "--sector-element", *flags, "-o", path)
        self.run_well("dataset", "eigenvectors", "--profile", "C", *GRID, "--nr", 2, "--subbands", 13, "--first", 3,
                      "--samples", 2, *flags, "-o", w)
        with Dataset(path) as data:
            np.testing.assert_array_equal(
                data.whole_matrices(), expected.swapaxes(1, 2).reshape(4, NC, NT))
            self.assertEqual({name: json.loads(data.parameters)[name] for name in options}, options)
        with Dataset(w) as data:
            v = csifeedback.subband_eigenvectors(expected, 13, 1)
            np.testing.assert_allclose(csifeedback.sgcs(v, data.whole_matrices()[..., None]), 1, atol=1e-4)
        for channel, option in (("umi", "--asd-deg"), ("cost2100-indoor", "--downtilt-deg")):
            self.assertIn(f"{option} is no parameter of the channel {channel}", self.refused(
                "dataset", "generate", "--channel", channel, option, 5, "--samples", 2, "-o", self.path("no.h5")))
        self.assertIn("asd_deg is -1", self.refused(
            "dataset", "generate", "--channel", "cdl-a", "--asd-deg", -1, "--samples", 2, "-o", self.path("no.h5")))

    def refused(self, program, *arguments):
        done = run_program(program, *arguments)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        return done.stderr

    def test_data_sets(self):
        """Ha of a panel is the 3-D DFT of the aligned matrix of each antenna."""
        h = make_drops("cdl-c", n1=4, n2=2, nr=2, nc=NC, spacing_hz=180e3).channels(0, 150)
        h = align_matrices(np.ascontiguousarray(h.swapaxes(1, 2).reshape(300, NC, NT)))
        with Dataset(self.path("rows.h5")) as rows, Dataset(self.path("whole.h5")) as whole, \
                Dataset(self.path("line.h5")) as line:
            self.assertEqual((rows.array, whole.array, line.array), (PLANE, PLANE, (NT, 1, 1)))
            self.assertEqual((rows.domain, rows.nr, rows.na, rows.precursor, rows.align, len(rows)),
                             ("Ha", 2, NA, PRECURSOR, True, 300))
            np.testing.assert_array_equal(whole.whole_matrices(), h)
            expected = transformed(h, PLANE, NA, PRECURSOR)
            np.testing.assert_allclose(rows.angular_delay(), expected, atol=1e-4)
            np.testing.assert_allclose(whole.angular_delay(), expected, atol=1e-4)
            np.testing.assert_allclose(line.angular_delay(), transformed(h, (NT, 1, 1), NA, PRECURSOR), atol=1e-4)
            np.testing.assert_allclose(rows.energy, np.square(np.abs(h)).sum((1, 2)), rtol=1e-4)
            np.testing.assert_allclose(
                rows.energy_lost, 1 - np.square(np.abs(expected)).sum((1, 2)) / rows.energy, atol=1e-4)
            self.assertNotEqual(rows.fingerprint(), line.fingerprint())
        facts = json.loads(self.run_well("dataset", "inspect", self.path("rows.h5"), "--json").stdout)
        self.assertEqual(facts["array"], list(PLANE))
        self.assertIn("4 x 2 ports of 2 polarizations",
                      self.run_well("dataset", "inspect", self.path("rows.h5")).stdout)
        self.assertIn("a line of 16 ports", self.run_well("dataset", "inspect", self.path("line.h5")).stdout)

    def test_import(self):
        """Axes of a plane are transformed one by one, in any order; --array says what one axis is."""
        h = noise(6, NC, 2, 4, 2)  # polarization, horizontal, vertical
        flat = h.reshape(6, NC, NT)
        delays = np.fft.ifft(h, axis=1, norm="ortho")[:, :NA].astype(np.complex64)
        np.save(self.path("h.npy"), h.transpose(0, 3, 4, 2, 1))
        np.save(self.path("delays.npy"), delays.transpose(4, 1, 2, 0, 3))
        np.save(self.path("flat.npy"), delays.reshape(6, NA, NT))
        np.save(self.path("beams.npy"), transformed(flat, PLANE, NA, 0).astype(np.complex64))
        for name, options in (
                ("h", ("--axes", "n,horizontal,vertical,polarization,nc", "--na", NA)),
                ("delays", ("--axes", "vertical,delay,polarization,sample,horizontal", "--nc", NC)),
                ("flat", ("--axes", "sample,delay,antenna", "--array", "4,2,2", "--nc", NC)),
                ("beams", ("--axes", "sample,delay,angle", "--array", "4,2,2", "--nc", NC))):
            with self.subTest(name):
                output = self.path(f"imported-{name}.h5")
                self.run_well("dataset", "import", self.path(name + ".npy"), *options, "-o", output)
                with Dataset(output) as data:
                    self.assertEqual(data.array, PLANE)
                    np.testing.assert_allclose(data.angular_delay(), transformed(flat, PLANE, NA, 0), atol=1e-4)
                with h5py.File(output) as file:
                    self.assertEqual([file.attrs[k] for k in ("n1", "n2", "polarizations")], list(PLANE))
        for name, options, text in (
                ("flat", ("--axes", "sample,delay,antenna", "--array", "4,2,1"), "allowed is N1,N2,P"),
                ("flat", ("--axes", "sample,delay,antenna", "--array", "4,b"), "--array is 4,b"),
                ("delays", ("--axes", "vertical,delay,polarization,sample,horizontal", "--array", "8,1,2"),
                 "the axes are those of 4 x 2 ports"),
                ("delays", ("--axes", "antenna,delay,polarization,sample,horizontal"), "beside horizontal"),
                ("delays", ("--axes", "vertical,delay,horizontal,sample,horizontal"), "one called horizontal"),
                ("delays", ("--axes", "antenna,delay,antenna,sample,antenna"), "several axes of a panel")):
            self.assertIn(text, self.refused("dataset", "import", self.path(name + ".npy"), *options, "--nc", NC,
                                             "-o", self.path("bad.h5")))
        # Merged antenna axes are those of a line, as ever.
        self.run_well("dataset", "import", self.path("h.npy"), "--axes", "n,antenna,antenna,polarization,nc",
                      "-o", self.path("merged.h5"))
        with Dataset(self.path("merged.h5")) as data:
            self.assertEqual(data.array, (NT, 1, 1))
        # What is exported can be imported.
        self.run_well("dataset", "export", self.path("imported-beams.h5"), "--matrices", "-o",
                      self.path("back.npz"))
        with np.load(self.path("back.npz")) as file:
            self.assertEqual([int(file[k]) for k in ("n1", "n2", "polarizations")], list(PLANE))

    def test_model(self):
        """A model knows the array of its data; so do the objects made of it."""
        model = csifeedback.model_file(self.path("klt.h5"))
        self.assertEqual((model.array, arrays.plane_of(model)), (PLANE, PLANE))
        codec = open_codec(self.path("klt.h5"))
        self.assertEqual(codec.array, PLANE)
        for thing in (model, codec.encoder(0), codec.decoder(16), csifeedback.quantized_report_encoder(
                codec.encoder(16), codec.quantizer("uniform", 16, 4))):
            self.assertEqual(csifeedback.csi_shape(thing).array, PLANE)
        self.assertIsNone(open_codec(self.path("line-klt.h5")).array)
        self.assertIn("4 x 2 ports of 2 polarizations",
                      self.run_well("dataset", "models", self.path("klt.h5")).stdout)
        self.assertEqual(conditions.of_model(model).channel, "cdl-c-panel")

    def test_python_codec(self):
        """Codecs in Python have the array of their model, or state one."""
        class Halves(csifeedback.Encoder):
            name, rows, nt, code_size, array = "halves", NA, NT, 8, PLANE

        self.assertEqual(csifeedback.csi_shape(csifeedback.encoder(Halves())).array, PLANE)
        Halves.array = (4, 4, 2)
        with self.assertRaisesRegex(ValueError, "halves: array is 4 x 4 ports of 2 polarizations"):
            csifeedback.encoder(Halves())

    def test_eval(self):
        """The same figures from delay rows, full-band matrices and the channel model of the array."""
        def figures(*arguments):
            done = self.run_well("eval", "--codec", self.path("klt.h5"), "--ratios", "1/8", "--bits", 6,
                                 "--json", *arguments)
            return json.loads(done.stdout)[0], done.stderr

        rows, said = figures("--dataset", self.path("rows.h5"))
        self.assertNotIn("warning", said)
        whole, said = figures("--dataset", self.path("whole.h5"))
        self.assertNotIn("warning", said)
        self.assertAlmostEqual(rows["nmse_db"], whole["nmse_db"], delta=1e-3)
        # Of matrices said to be a line, the codec gets those that it was trained on all the same.
        line, said = figures("--dataset", self.path("line.h5"))
        self.assertIn("ports are a line of 16 ports, the model's 4 x 2 ports of 2 polarizations", said)
        self.assertEqual(said.count("warning"), 1)
        self.assertAlmostEqual(line["nmse_db"], whole["nmse_db"], delta=1e-3)
        self.assertAlmostEqual(line["rho"], whole["rho"], delta=1e-5)
        trained, said = figures("--samples", 200)
        self.assertNotIn("warning", said)
        named, said = figures("--samples", 200, "--channel", "cdl-c")
        self.assertNotIn("warning", said)
        self.assertAlmostEqual(named["nmse_db"], trained["nmse_db"], delta=1e-6)
        self.assertLess(trained["nmse_db"], -10)
        self.assertGreater(trained["rho"], 0.95)
        self.assertIn("the channel is uma-panel, the model was trained on cdl-c-panel",
                      figures("--samples", 20, "--channel", "uma")[1])
        # Codecs of both arrays beside each other: the KLT of full covariance does not depend on it.
        both = json.loads(self.run_well(
            "eval", "--codec", self.path("klt.h5"), "--codec", self.path("line-klt.h5"), "--ratios",
            "1/16", "--bits", 0, "--dataset", self.path("whole.h5"), "--json").stdout)
        self.assertAlmostEqual(both[0]["nmse_db"], both[1]["nmse_db"], delta=0.2)

    def test_sim(self):
        """A flowgraph gives the figures of the evaluation."""
        expected = json.loads(self.run_well(
            "eval", "--codec", self.path("klt.h5"), "--ratios", "1/8", "--bits", 6, "--samples", 100, "--channel",
            "cdl-c", "--json").stdout)[0]
        for options in ((), ("--truncated",)):
            done = self.run_well("sim", "--codec", self.path("klt.h5"), "--ratio", "1/8", "--samples", 100,
                                 "--channel", "cdl-c", "--json", *options)
            found = json.loads(done.stdout)
            self.assertAlmostEqual(found["nmse_db"], expected["nmse_db"], delta=0.01)
            self.assertAlmostEqual(found["rho"], expected["rho"], delta=1e-4)
            self.assertNotIn("warning", done.stderr)
        self.assertIn("delay rows of a line of 16 ports, the codec takes those of 4 x 2 ports",
                      run_program("sim", "--codec", self.path("klt.h5"), "--ratio", "1/8", "--truncated",
                                  "--dataset", self.path("line.h5")).stderr)

    def test_mismatch_of_rows(self):
        """Training and test sets of other arrays are told; a model takes delay rows of another array turned."""
        done = self.run_well("train", "--codec", "klt", "--dataset", self.path("line.h5"), "--test",
                             self.path("rows.h5"), "-o", self.path("told.h5"))
        self.assertIn("ports are 4 x 2 ports of 2 polarizations, the model's a line of 16 ports", done.stderr)
        rows = evaluation.Evaluator(transformed(noise(4, NC, NT), PLANE, NA, PRECURSOR), np.zeros(4), NC, PRECURSOR,
                                    array=PLANE)
        truth = rows.matrices(open_codec(self.path("line-klt.h5")))[1]
        np.testing.assert_allclose(truth, transformed(noise(4, NC, NT), (NT, 1, 1), NA, PRECURSOR), atol=1e-4)

    def test_refusals(self):
        """Codecs whose paths have one angle need a line."""
        for name in ("rows.h5", "whole.h5"):
            self.assertIn("has 4 x 2 ports of 2 polarizations, the codec path needs a line", self.refused(
                "train", "--codec", "path", "--dataset", self.path(name), "-o", self.path("path.h5")))
        self.run_well("train", "--codec", "path", "--dataset", self.path("line.h5"), "--rounds", 1, "-o",
                      self.path("path.h5"))
        with h5py.File(self.path("path.h5"), "r+") as file:
            file.attrs.update(zip(("n1", "n2", "polarizations"), PLANE))
        model = csifeedback.model_file(self.path("path.h5"))
        for make in (csifeedback.report_encoder_from_model, csifeedback.report_decoder_from_model):
            with self.assertRaisesRegex(ValueError, "array of the model is 4 x 2 ports of 2 polarizations, allowed "
                                                    "is a line of ports"):
                make(model)


class Ends(EndsTest):

    def test_closed_loop(self):
        """UE and BS with a model of a plane: the channel is that of its array, and so are the transforms."""
        with tempfile.TemporaryDirectory() as folder:
            data, model = (os.path.join(folder, name) for name in ("data.h5", "klt.h5"))
            Programs.run_well("dataset", "generate", "--channel", "cdl-c", "--nc", 300, "--spacing-hz", 15e3,
                              "--n1", 2, "--n2", 2, "--na", 16, "--samples", 300, "-o", data)
            Programs.run_well("train", "--codec", "klt", "--dataset", data, "-o", model)
            common = ("--codec", model, "--ratio", "1/8", "--air", f"zmq://127.0.0.1:{free_port()}",
                      "--feedback", f"zmq://127.0.0.1:{free_port()}")
            station = self.start("bs", *common, "--speed", 0.1, "--rate", 0.1)
            seen = os.path.join(folder, "seen.h5")
            ue = self.start("ue", *common, "--record", seen)
            wait_for(station, lambda line: line["ues"]["1"]["received"] > 20)
            for end in (ue, station):
                code, error = end.interrupt()
                self.assertEqual(code, 0, error)
            with Dataset(seen + ".part") as recorded:
                self.assertEqual(recorded.array, (2, 2, 2))
            figures = station.lines[-1]["ues"]["1"]
            self.assertGreater(figures["rho"], 0.98)
            self.assertLess(figures["nmse_db"], -12)


if __name__ == "__main__":
    unittest.main()
