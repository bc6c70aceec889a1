#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Codecs in ONNX files: by ONNX Runtime in C++ where that was built, else by its Python package.

Debian has no such package, so that the tests run in a virtual environment of their own; where none
can be made they are skipped, with the reason.
"""

import contextlib
import importlib.util
import io
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import unittest

import numpy as np

INSIDE = "CSIFEEDBACK_ONNX_TEST"


def run_inside():
    """Runs this file in a new environment with ONNX Runtime; the reason if there is none."""
    with tempfile.TemporaryDirectory() as directory:
        for command, failed in (
                ([sys.executable, "-m", "venv", "--system-site-packages", directory],
                 "no virtual environment"),
                ([os.path.join(directory, "bin", "python"), "-m", "pip", "install", "--quiet",
                  "--only-binary", ":all:", "--retries", "0", "--timeout", "10", "onnxruntime"],
                 "ONNX Runtime cannot be had")):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                lines = (done.stdout + done.stderr).strip().splitlines() or [""]
                return f"{failed}: {lines[-1]}"
        done = subprocess.run([os.path.join(directory, "bin", "python"), "-B", *sys.argv],
                              env={**os.environ, INSIDE: "1"})
        sys.exit(done.returncode)


WHY_NOT = ""
if INSIDE in os.environ:
    # Programs have an interpreter of their own in their first line.
    os.environ["PYTHONPATH"] += os.pathsep + sysconfig.get_path("purelib")
elif __name__ == "__main__":
    if not any(importlib.util.find_spec(name) for name in (
            "onnxruntime", "gnuradio.csifeedback.csifeedback_onnx")):
        WHY_NOT = run_inside()

import torch  # noqa: E402
from gnuradio import csifeedback  # noqa: E402
from gnuradio.csifeedback import open_codec  # noqa: E402
from gnuradio.csifeedback.cli import train  # noqa: E402
from gnuradio.csifeedback.network_files import Onnx, save_onnx  # noqa: E402

from common import run_program  # noqa: E402
from qa_export import channels, error, parts  # noqa: E402
from qa_torch import Half, Linear, Net, NT, Place, ROWS, SIZE, SIZES, matrices  # noqa: E402


def onnx(module, example, dynamic=True):
    """The bytes of an ONNX model."""
    data = io.BytesIO()
    torch.onnx.export(module.eval(), (example,), data, opset_version=13, input_names=["x"],
                      output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}} if dynamic else None)
    return data.getvalue()


@unittest.skipIf(WHY_NOT, WHY_NOT)
class OnnxFiles(Place):

    def save(self, net, dynamic=True, **stated):
        """ue.onnx and bs.onnx of a network, for batches of any size or of one."""
        n = 3 if dynamic else 1
        save_onnx(onnx(Half(net, False), torch.zeros(n, SIZE), dynamic), self.path("bs.onnx"),
                  part="decoder", **stated)
        save_onnx(onnx(Half(net, True), torch.zeros(n, 2, ROWS, NT), dynamic),
                  self.path("ue.onnx"), part="encoder", decoder="bs.onnx", **stated)
        return self.path("ue.onnx")

    def check(self, path, net):
        codec, h = open_codec(path), matrices(70)
        encoder, decoder = codec.encoder(0), codec.decoder(0)
        with torch.no_grad():
            s = net.eval().encode(torch.from_numpy(parts(h))).numpy()
            expected = net.decode(torch.from_numpy(s)).numpy()
        self.assertLess(error(encoder.encode(h)[0], s), 1e-5)
        self.assertLess(error([encoder.encode(x)[0] for x in h], s), 1e-5)
        self.assertLess(error(parts(decoder.decode(s)), expected), 1e-5)
        self.assertLess(error(parts(np.stack([decoder.decode(x) for x in s])), expected), 1e-5)
        return codec

    def test_two_files(self):
        net = Net()
        codec = self.check(self.save(net, **SIZES, title="small net"), net)
        self.assertEqual((codec.label, codec.model.nc, codec.model.precursor,
                          codec.encoder(0).codec_id()), ("small net", 32, 2, 253))
        os.remove(self.path("bs.onnx"))
        codec = open_codec(self.path("ue.onnx"))
        codec.encoder(0)
        with self.assertRaisesRegex(ValueError, "bs.onnx"):
            codec.decoder(0)

    def test_python_route(self):
        if Onnx.library() is None:
            self.skipTest("it is the only one here")
        if importlib.util.find_spec("onnxruntime") is None:
            self.skipTest("onnxruntime is not installed")
        library = Onnx.__dict__["library"]
        self.addCleanup(setattr, Onnx, "library", library)
        Onnx.library = staticmethod(lambda: None)
        net = Net()
        self.check(self.save(net, **SIZES), net)

    def test_sizes_are_in_the_graph(self):
        """A file that states nothing else: rows, nt and which half it is show in the shapes."""
        net = Net()
        with open(self.path("bs.onnx"), "wb") as file:
            file.write(onnx(Half(net, False), torch.zeros(3, SIZE)))
        with open(self.path("ue.onnx"), "wb") as file:
            file.write(onnx(Half(net, True), torch.zeros(3, 2, ROWS, NT)))
        self.check(self.path("ue.onnx") + ",decoder=bs.onnx", net)

    def test_graphs_for_one_matrix(self):
        """Exported without free dimensions they run matrix by matrix."""
        net = Net()
        self.check(self.save(net, False, **SIZES), net)

    def test_refused_with_the_reason(self):
        class Encoder(torch.nn.Module):
            def __init__(self, flaw):
                super().__init__()
                self.linear = Linear(8, flaw)

            def forward(self, x):
                return self.linear.encode(x)

        h = torch.zeros(3, 2, ROWS, NT)
        for flaw, text in (("batch", "mixes the samples of a batch"),
                           ("attention", "mixes the samples of a batch"),
                           ("shape", "makes (1, 8, 1)"), ("nan", "values that are not finite")):
            with self.subTest(flaw):
                save_onnx(onnx(Encoder(flaw), h), self.path("net.onnx"), part="encoder", **SIZES)
                self.refused(text, self.path("net.onnx"))
        with open(self.path("text.onnx"), "w") as file:
            file.write("no model")
        self.refused("text.onnx: is no ONNX file", self.path("text.onnx"))

    def test_export(self):
        """1,000 channels to 1e-4, in ONNX Runtime."""
        for spec, ratio, count in (("cost2100-indoor-klt", "1/16", 1000),
                                   ("cost2100-indoor-csi-l2o", "1/16", 1000),
                                   ("cost2100-indoor-transnet-16", "1/16", 50)):
            with self.subTest(spec):
                with contextlib.redirect_stdout(io.StringIO()):
                    train.main(["export", spec, "--to", "onnx", "-o", self.path("net.onnx"),
                                "--ratio", ratio, "--overwrite"])
                codec, again = open_codec(spec), open_codec(self.path("net.onnx"))
                size = codec.code_size(ratio)
                h = channels(count)
                s = codec.encoder(size).encode(h)[0]
                self.assertLess(error(again.encoder(size).encode(h)[0], s), 1e-4)
                self.assertLess(error(parts(again.decoder(size).decode(s)),
                                      parts(codec.decoder(size).decode(s))), 1e-4)

    def test_programs(self):
        done = run_program("train", "export", "cost2100-indoor-klt", "--to", "onnx", "-o",
                           self.path("klt.onnx"), "--ratio", "1/16")
        self.assertEqual(done.returncode, 0, done.stderr)
        for name, first in (("train.h5", 0), ("test.h5", 100000)):
            done = run_program("dataset", "generate", "--channel", "cost2100-indoor", "--samples", 100,
                               "--first", first, "-o", self.path(name))
            self.assertEqual(done.returncode, 0, done.stderr)
        done = run_program("train", "--codec", "klt.onnx", "--dataset", "train.h5", "-o", "klt.h5",
                           cwd=self.directory)
        self.assertEqual(done.returncode, 0, done.stderr)
        figures = []
        for codec in ("klt.onnx", "cost2100-indoor-klt"):
            done = run_program("sim", "--codec", codec, "--dataset", "test.h5", "--ratio", "1/16",
                               "--json", cwd=self.directory)
            self.assertEqual(done.returncode, 0, done.stderr)
            figures.append(json.loads(done.stdout))
        self.assertEqual(figures[0]["matched"], 100)
        self.assertAlmostEqual(figures[0]["nmse_db"], figures[1]["nmse_db"], delta=0.5)

    def test_in_a_flowgraph(self):
        from common import stream
        net = Net()
        encoder = csifeedback.encoder_from_model(self.save(net, **SIZES), 0)
        h = matrices(50)
        (s, _), _ = stream(csifeedback.csi_encoder(encoder), [h.reshape(50, -1)],
                           [(np.float32, SIZE), (np.float32, 1)])
        with torch.no_grad():
            self.assertLess(error(s, net.eval().encode(torch.from_numpy(parts(h)))), 1e-5)


if __name__ == "__main__":
    unittest.main()
