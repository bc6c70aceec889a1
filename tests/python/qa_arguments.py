#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What users hand over: paths, names, arrays, gains."""

import contextlib
import io
import json
import os
import pathlib
import tempfile
import unittest

import numpy as np
from gnuradio import csifeedback
from gnuradio.csifeedback import codecs, evaluation
from gnuradio.csifeedback.cli import common
from gnuradio.csifeedback.data import generate, interchange, sigmf
from gnuradio.csifeedback.data.dataset import Dataset
from gnuradio.csifeedback.model import Model, read_model

MODELS = pathlib.Path(os.environ["CSIFEEDBACK_MODELS"])
KLT = "cost2100-indoor-klt"


class Arguments(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def test_paths(self):
        """A pathlib.Path is taken wherever a file name is."""
        model = MODELS / (KLT + ".h5")
        self.assertEqual(csifeedback.model_file(model).codec, "klt")
        self.assertEqual(csifeedback.model_file(os.fsencode(model)).codec, "klt")
        self.assertEqual(read_model(model).attributes["codec"], "klt")
        for of in (codecs.open_codec, evaluation.Codec):
            self.assertEqual(of(model).model.codec, "klt")
        self.assertEqual(csifeedback.encoder_from_model(model, 128).code_size(), 128)
        self.assertEqual(csifeedback.decoder_from_model(model, 128, "linear").code_size(), 128)
        data = self.directory / "data.h5"
        made = generate.generate(data, "cdl-a", 3, nc=64, nt=4)
        self.assertEqual(made["file"], str(data))
        self.assertEqual(len(Dataset(data)), 3)
        self.assertEqual(csifeedback.dataset_file(data).samples(), 3)
        self.assertEqual(csifeedback.dataset_channel(data).samples(), 3)
        with interchange.ArrayFile(data) as file:
            self.assertIn("Ha", file.names)
        with Dataset(data) as opened:
            interchange.export_csinet(opened, self.directory / "ht.mat")
        Model({"codec": "klt"}, {"encoder/W": np.zeros((2, 4))}).write(self.directory / "m.h5")
        frame = csifeedback.csirs_frame(nt=2)
        sigmf.Recorder(self.directory / "air", frame, {}).close()
        self.assertTrue((self.directory / "air.sigmf-data").exists())
        self.assertEqual(sigmf.base(self.directory / "air.sigmf-meta"), str(self.directory / "air"))
        csifeedback.checked_file_sink(self.directory / "samples")
        with self.assertRaisesRegex(ValueError, "none.so"):
            csifeedback.load_codecs(self.directory / "none.so")
        with self.assertRaises(TypeError):
            csifeedback.model_file(3)

    def test_names_of_channels(self):
        """The names of the programs are those of the channel models too."""
        for name in ("cdl-b", "CDL-B", "b", "B"):
            self.assertEqual(csifeedback.cdl_channel(name).name(), "cdl-b")
        for name in ("indoor", "cost2100-indoor"):
            self.assertEqual(csifeedback.cost2100_channel(name).name(), "cost2100-indoor")
        for name in ("", "cdl-", "cdl-f", "AB", "cdl"):
            with self.assertRaisesRegex(ValueError, "profile is"):
                csifeedback.cdl_channel(name)

    def test_misspelt_models(self):
        for wrong in ("cost2100-indor-klt", "cost2100-indoor-ktl"):
            for of in (csifeedback.model_file, codecs.open_codec):
                with self.assertRaisesRegex(ValueError, f"is it '{KLT}'\\?$"):
                    of(wrong)
        with self.assertRaises(ValueError) as caught:
            csifeedback.model_file("something else")
        self.assertNotIn("is it", str(caught.exception))

    def test_real_arrays(self):
        """Real and imaginary parts side by side are no complex matrices."""
        encoder = csifeedback.encoder_from_model(KLT, 128)
        report = csifeedback.report_encoder_from_model(KLT)
        rng = np.random.default_rng(1)
        for shape in ((2, 32, 32), (5, 2, 32, 32), (2, 2048), (2048,)):
            for dtype in (np.float32, np.float64, np.int16):
                x = (100 * rng.standard_normal(shape)).astype(dtype)
                for encode in (encoder.encode, report.encode):
                    with self.assertRaisesRegex(ValueError, r"real and imaginary parts; allowed .*1j"):
                        encode(x)
        # What the message says.
        x = rng.standard_normal((5, 2048))
        parts = x.reshape(-1, 2, 32, 32)
        h = parts[..., 0, :, :] + 1j * parts[..., 1, :, :]
        self.assertEqual(encoder.encode(h)[0].shape, (5, 128))
        # Complex matrices two at a time, and real matrices of other shapes.
        self.assertEqual(encoder.encode(h[:2])[0].shape, (2, 128))
        self.assertEqual(encoder.encode(h.real[:3])[0].shape, (3, 128))
        np.testing.assert_array_equal(encoder.encode(h[0].tolist())[0], encoder.encode(h[0])[0])
        for nothing in ("text", None, [[1, 2], [3]]):
            with self.assertRaises(ValueError):
                encoder.encode(nothing)

    def test_json(self):
        """Numbers of NumPy of any kind are numbers of JSON, and what is not finite is null."""
        value = {"a": np.float32(0.5), "b": [np.int64(3), np.bool_(True)], "c": np.arange(2),
                 "d": np.float64(np.inf), "e": np.array([np.nan, 1], np.float32)}
        with contextlib.redirect_stdout(io.StringIO()) as out:
            common.print_json(value)
        self.assertEqual(json.loads(out.getvalue()), {
            "a": 0.5, "b": [3, True], "c": [0, 1], "d": None, "e": [None, 1]})

    def test_gains(self):
        """Gains that no matrix of floats has are refused, not made infinite."""
        decoder = csifeedback.decoder_from_model(KLT, 128)
        s = np.ones(128, np.float32)
        for gain in (1e9, 781, -1001, np.nan, np.inf):
            with self.assertRaisesRegex(ValueError, "gain_db is .*allowed is -1000 to 780"):
                decoder.decode(s, gain)
        self.assertTrue(np.isfinite(decoder.decode(s, 600)).all())


if __name__ == "__main__":
    unittest.main()
