#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_train export: trained codecs as TorchScript files give what those of C++ give."""

import contextlib
import io
import os
import tempfile
import unittest

import numpy as np
import torch
from gnuradio import csifeedback
from gnuradio.csifeedback import open_codec
from gnuradio.csifeedback.cli import train

from common import run_program


def channels(count, nt=32):
    """Matrices of the COST 2100 indoor model with mean |h|^2 = 1."""
    h = csifeedback.generate_channels(csifeedback.cost2100_channel("indoor", nt=nt), 0, count, 32)[0]
    return h / np.sqrt(np.mean(np.abs(h)**2, axis=(1, 2), keepdims=True))


def parts(h):
    """float32 (n, 2, rows, nt)."""
    return np.stack([h.real, h.imag], 1).astype(np.float32)


def error(found, expected):
    """Largest relative error of an item."""
    found, expected = (np.asarray(x).reshape(len(x), -1) for x in (found, expected))
    return float(np.max(np.linalg.norm(found - expected, axis=1)
                        / np.linalg.norm(expected, axis=1)))


class Export(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def export(self, codec, *options, to="torchscript", output="net.pt"):
        path = os.path.join(self.directory, output)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.assertEqual(train.main(["export", codec, "--to", to, "-o", path, "--overwrite",
                                         *options]), 0)
        return path, printed.getvalue()

    def check(self, spec, count=1000, ratio=None, optimized=True):
        path, printed = self.export(spec, *([] if ratio is None else ["--ratio", ratio]))
        self.assertIn("32 x 32 matrices Ha to", printed)
        codec = open_codec(spec)
        size = codec.encoder(0).code_size() if ratio is None else codec.code_size(ratio)
        h = channels(count)
        s = codec.encoder(size).encode(h)[0]
        expected = parts(codec.decoder(size).decode(s))
        # In PyTorch itself, as anybody would use the file.
        module = torch.jit.load(path)
        with torch.no_grad(), torch.jit.optimized_execution(optimized):
            self.assertLess(error(module.encode(torch.from_numpy(parts(h))), s), 1e-4, spec)
            self.assertLess(error(module.decode(torch.from_numpy(s)), expected), 1e-4, spec)
            zero = module.decode(torch.zeros(1, size))
        self.assertAlmostEqual(float(zero.abs().max()), float(np.abs(parts(
            codec.decoder(size).decode(np.zeros((1, size))))).max()), delta=1e-4)
        # And as a codec, which knows its sizes and channels.
        again = open_codec(path)
        self.assertEqual((again.label, again.model.nc, again.model.precursor, again.model.model_id),
                         (codec.label, codec.model.nc, codec.model.precursor, codec.model.model_id))
        self.assertLess(error(again.encoder(size).encode(h[:100])[0], s[:100]), 1e-4)
        self.assertLess(error(parts(again.decoder(size).decode(s[:100])), expected[:100]), 1e-4)

    def test_klt(self):
        self.check("cost2100-indoor-klt", ratio="1/16")

    def test_csi_l2o(self):
        self.check("cost2100-indoor-csi-l2o")
        self.check("cost2100-indoor-csi-l2o", 200, "1/32")

    def test_csi_l2o_with_steps_by_row(self):
        self.check("cost2100-indoor-csi-l2o:l2o,profile=fast", 100, "1/16")

    def test_csi_l2o_with_lstm(self):
        self.check("cost2100-indoor-csi-l2o:l2o,profile=paper", 12, "1/16")

    def test_sparse(self):
        self.check("cost2100-indoor-orthonormal:fista,iterations=30,lambda=0.01", 200, "1/16")

    def test_learned(self):
        for codec in ("csinet", "clnet", "transnet", "fista-net", "tilista"):
            # Not optimized: the fuser of Debian 13's PyTorch (2.6) hangs on these convolutions.
            self.check(f"cost2100-indoor-{codec}-16", 32, optimized=False)

    def test_same_figures(self):
        """The file in csifeedback_eval."""
        path = os.path.join(self.directory, "net.pt")
        done = run_program("train", "export", "cost2100-indoor-klt", "--to", "torchscript", "-o",
                           path, "--ratio", "1/16")
        self.assertEqual(done.returncode, 0, done.stderr)
        common = ("--channel", "cost2100-indoor", "--samples", 50, "--ratios", "1/16", "--json")
        figures = []
        for codec in ("cost2100-indoor-klt", path):
            done = run_program("eval", "--codec", codec, *common)
            self.assertEqual(done.returncode, 0, done.stderr)
            figures.append(done.stdout)
        ours, theirs = (float(text.split('"nmse_db":')[1].split(",")[0]) for text in figures)
        self.assertAlmostEqual(ours, theirs, places=3)

    def test_refused(self):
        """What no graph can express costs one line."""
        for codec, options, text in (
                ("cost2100-indoor-local-klt", (), "its encoder is neither a matrix nor a network"),
                ("cost2100-indoor-csi-l2o:l2o,tolerance=0.01", (),
                 "tolerance makes the number of iterations depend on the matrix"),
                ("cost2100-indoor-orthonormal:fista,warm_start=1", (),
                 "warm_start makes it depend on the matrix before"),
                ("cost2100-indoor-csi-l2o", ("--ratio", "1/3"), "ratio is 1/3"),
                ("no-such-model", (), "no-such-model")):
            with self.assertRaises(ValueError) as caught:
                self.export(codec, *options)
            self.assertIn(text, str(caught.exception))
            self.assertNotIn("\n", str(caught.exception))
            self.assertEqual(os.listdir(self.directory), [])
        with self.assertRaisesRegex(ValueError, "for torchscript is a name that ends with .pt"):
            self.export("cost2100-indoor-klt", output="net.onnx")


if __name__ == "__main__":
    unittest.main()
