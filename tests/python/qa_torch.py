#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Codecs in TorchScript files: loaded, checked, in flowgraphs, in all programs."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import h5py
import numpy as np
import torch
from gnuradio import csifeedback
from gnuradio.csifeedback import open_codec
from gnuradio.csifeedback.network_files import TorchScript, save_torchscript

from common import run_program, stream
from programs import End, free_port, wait_for

HAVE_LIBRARY = importlib.util.find_spec("gnuradio.csifeedback.csifeedback_torch") is not None
ROWS, NT, SIZE = 8, 4, 24
SIZES = {"rows": ROWS, "nt": NT, "nc": 32, "precursor": 2}


class Net(torch.nn.Module):
    """A convolution, normalization and dense layers, with weights from the seed."""

    def __init__(self, rows=ROWS, nt=NT, size=SIZE, seed=1):
        super().__init__()
        torch.manual_seed(seed)
        self.shape = (-1, 2, rows, nt)
        self.conv = torch.nn.Conv2d(2, 2, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(2)
        self.down, self.up = torch.nn.Linear(2 * rows * nt, size), torch.nn.Linear(size, 2 * rows * nt)
        self.norm.running_mean += 0.3

    @torch.jit.export
    def encode(self, h: torch.Tensor) -> torch.Tensor:
        return self.down(torch.relu(self.norm(self.conv(h))).flatten(1))

    @torch.jit.export
    def decode(self, s: torch.Tensor) -> torch.Tensor:
        return self.conv(self.up(s).reshape(self.shape))


class Half(torch.nn.Module):
    """One half of a Net as `forward`."""

    def __init__(self, net, encoder):
        super().__init__()
        self.net, self.encoder = net, encoder

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net.encode(x) if self.encoder else self.net.decode(x)


class Linear(torch.nn.Module):
    """The first values of each matrix; `flaw` says what is wrong with it."""

    def __init__(self, size, flaw=""):
        super().__init__()
        self.size, self.flaw = size, flaw

    @torch.jit.export
    def encode(self, h: torch.Tensor) -> torch.Tensor:
        s = h.flatten(1)[:, :self.size]
        if self.flaw == "batch":
            s = s - s.mean(0, keepdim=True)
        if self.flaw == "attention":
            s = torch.softmax(s @ s.t(), 1) @ s
        if self.flaw == "noise":
            s = s + 0.1 * torch.randn_like(s)
        if self.flaw == "shape":
            s = s.reshape(-1, self.size, 1)
        if self.flaw == "complex":
            return torch.complex(s, s)
        if self.flaw == "nan":
            s = s * float("nan")
        if self.flaw == "raises":
            raise ValueError("no such matrix")
        return s

    @torch.jit.export
    def decode(self, s: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(s, (0, 64 - self.size)).reshape(-1, 2, 8, 4)


def matrices(count, rows=ROWS, nt=NT):
    rng = np.random.default_rng(5)
    h = rng.standard_normal((count, rows, nt, 2)) @ [1, 1j]
    return (h / np.sqrt(np.mean(np.abs(h)**2, axis=(1, 2), keepdims=True))).astype(np.complex64)


def parts(h):
    return torch.from_numpy(np.stack([h.real, h.imag], 1))


def error(a, b):
    """Largest relative error of an item."""
    a, b = (np.asarray(x).reshape(len(x), -1) for x in (a, b))
    return float(np.max(np.linalg.norm(a - b, axis=1) / np.linalg.norm(b, axis=1)))


class Place(unittest.TestCase):
    """A directory that goes with the test."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def path(self, name):
        return os.path.join(self.directory, name)

    def saved(self, module, name="net.pt", **stated):
        save_torchscript(module.eval(), self.path(name), **stated)
        return self.path(name)

    def refused(self, text, spec):
        with self.assertRaises(ValueError) as caught:
            codec = open_codec(spec)
            codec.encoder(0)
            codec.decoder(0)
        self.assertIn(text, str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))

    def check(self, codec, net, count=70):
        """Encoder and decoder give what the network gives, in batches and alone."""
        encoder, decoder, h = codec.encoder(0), codec.decoder(0), matrices(count)
        s, _ = encoder.encode(h)
        with torch.no_grad():
            expected = net.eval().encode(parts(h)).numpy()
            again = net.decode(torch.from_numpy(expected)).numpy()
        self.assertLess(error(s, expected), 1e-5)
        self.assertLess(error([encoder.encode(x)[0] for x in h], s), 1e-5)
        found = decoder.decode(expected)
        self.assertLess(error(parts(found), again), 1e-5)
        self.assertLess(error([decoder.decode(x) for x in expected], found), 1e-5)


class Loading(Place):

    def test_component_is_here(self):
        """Where libtorch's headers are, the component was built."""
        if not os.path.isdir("/usr/include/torch"):
            self.skipTest("libtorch-dev is not installed")
        self.assertTrue(HAVE_LIBRARY)
        self.assertIsNotNone(TorchScript.library())

    def test_both_methods(self):
        net = Net()
        path = self.saved(net, **SIZES, title="small net")
        codec = open_codec(path)
        self.assertEqual((codec.label, codec.model.domain, codec.model.na, codec.model.nt,
                          codec.model.nc, codec.model.precursor),
                         ("small net", "Ha", ROWS, NT, 32, 2))
        self.assertEqual((codec.encoder(0).code_size(), codec.encoder(0).codec_id()), (SIZE, 254))
        self.check(codec, net)

    def test_python_route(self):
        """Without the component PyTorch's Python package runs the files."""
        net = Net()
        path = self.saved(net, **SIZES)
        original = TorchScript.__dict__["library"]
        TorchScript.library = staticmethod(lambda: None)
        try:
            self.check(open_codec(path), net)
            self.refused("mixes the samples of a batch", self.saved(
                Linear(8, "batch"), "batch.pt", **SIZES))
            self.refused("gives complex values", self.saved(
                Linear(8, "complex"), "complex.pt", **SIZES))
        finally:
            TorchScript.library = original

    def test_two_files(self):
        net = Net()
        self.saved(Half(net, False), "bs.pt", **SIZES, part="decoder", code_size=SIZE)
        ue = self.saved(Half(net, True), "ue.pt", **SIZES, part="encoder", decoder="bs.pt")
        self.check(open_codec(ue), net)
        # Each end needs its own file alone.
        found = open_codec(self.path("bs.pt")).decoder(0)
        h = matrices(3)
        s = open_codec(ue).encoder(0).encode(h)[0]
        self.assertLess(error(found.decode(s), open_codec(ue).decoder(0).decode(s)), 1e-6)
        os.remove(self.path("bs.pt"))
        self.assertLess(error(open_codec(ue).encoder(0).encode(h)[0], s), 1e-6)
        with self.assertRaisesRegex(ValueError, "bs.pt"):
            open_codec(ue).decoder(0)

    def test_what_is_stated(self):
        """In the file, as attributes of the module, or behind the name; the last has precedence."""
        module = torch.jit.script(Linear(8))
        torch.jit.save(module, self.path("bare.pt"))
        self.refused("does not state rows", self.path("bare.pt"))
        codec = open_codec(self.path("bare.pt") + ",rows=8,nt=4,title=bare,number=200")
        self.assertEqual((codec.label, codec.encoder(0).codec_id()), ("bare", 200))
        net = Linear(8)
        net.rows, net.nt, net.title = 8, 4, "attributes"
        torch.jit.save(torch.jit.script(net), self.path("attributes.pt"))
        self.assertEqual(open_codec(self.path("attributes.pt")).label, "attributes")
        path = self.saved(Linear(8), rows=4, nt=4)
        self.refused("decoder makes (1, 2, 8, 4)", path)
        self.assertEqual(open_codec(path + ",rows=8").encoder(0).rows(), 8)
        whole = open_codec(self.path("bare.pt") + ",rows=8,nt=4,domain=H")
        self.assertEqual((whole.model.domain, whole.model.nc), ("H", 8))
        with self.assertRaisesRegex(ValueError, "rows is '0'"):
            save_torchscript(Linear(8), self.path("no.pt"), rows=0, nt=4)

    def test_nested(self):
        path = self.saved(Linear(8), **SIZES, nested=True)
        codec, h = open_codec(path), matrices(3)
        np.testing.assert_allclose(codec.encoder(3).encode(h)[0], h.real[:, 0, :3], rtol=1e-5)
        self.assertEqual(np.count_nonzero(codec.decoder(3).decode(np.ones((1, 3)))), 3)
        with self.assertRaisesRegex(ValueError, "code_size is 3"):
            open_codec(self.saved(Linear(8), "whole.pt", **SIZES)).encoder(3)

    def test_refused_with_the_reason(self):
        for flaw, text in (("batch", "mixes the samples of a batch"),
                           ("attention", "mixes the samples of a batch"),
                           ("noise", "gives other values when it is run again"),
                           ("shape", "makes (1, 8, 1)"), ("complex", "gives complex values"),
                           ("nan", "values that are not finite"), ("raises", "no such matrix")):
            with self.subTest(flaw):
                self.refused(text, self.saved(Linear(8, flaw), flaw + ".pt", **SIZES))
        with open(self.path("text.pt"), "w") as file:
            file.write("no archive")
        self.refused("text.pt: is no TorchScript file", self.path("text.pt"))
        self.refused("there is no such file", self.path("none.pt"))
        torch.save(Linear(8).state_dict(), self.path("weights.pt"))
        self.refused("weights.pt: is no TorchScript file", self.path("weights.pt"))
        torch.jit.save(torch.jit.script(torch.nn.Identity()), self.path("forward.pt"))
        self.refused("part=encoder or part=decoder", self.path("forward.pt") + ",rows=8,nt=4")

    def test_training_mode_is_left(self):
        """A file that was saved in training mode runs in evaluation mode."""
        net = Net().train()
        torch.jit.save(torch.jit.script(net), self.path("training.pt"))
        self.check(open_codec(self.path("training.pt") + ",rows=8,nt=4"), net)


@unittest.skipUnless(HAVE_LIBRARY, "gnuradio-csifeedback-torch was not built")
class Library(Place):

    def test_objects(self):
        """torch_encoder and torch_decoder themselves."""
        from gnuradio.csifeedback import csifeedback_torch
        path, net = self.saved(Net()), Net().eval()
        encoder = csifeedback_torch.torch_encoder(path, "rows=8,nt=4", SIZE, 7)
        decoder = csifeedback_torch.torch_decoder(path, "rows=8,nt=4")
        self.assertEqual((encoder.model_id(), encoder.code_size(), decoder.model_id()), (7, SIZE, 0))
        h = matrices(5)
        with torch.no_grad():
            expected = net.encode(parts(h)).numpy()
        self.assertLess(error(encoder.encode(h)[0], expected), 1e-5)

    def test_nothing_is_loaded_unless_it_is_used(self):
        done = subprocess.run([sys.executable, "-B", "-c", """
from gnuradio import csifeedback
csifeedback.encoder_from_model("cost2100-indoor-klt")
print("libtorch" in open("/proc/self/maps").read())
"""], capture_output=True, text=True)
        self.assertEqual(done.stdout.split(), ["False"], done.stderr)

    def test_one_thread(self):
        """A half works on the thread that calls it, whatever PyTorch and its BLAS would take."""
        path = self.saved(Net(32, 32, 512), rows=32, nt=32)
        environment = {k: v for k, v in os.environ.items()
                       if k not in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        done = subprocess.run([sys.executable, "-B", "-c", f"""
import os
import numpy as np
from gnuradio.csifeedback import csifeedback_torch
encoder = csifeedback_torch.torch_encoder("{path}")
rng = np.random.default_rng(1)
h = (rng.standard_normal((640, 32, 32, 2)) @ [1, 1j]).astype(np.complex64)
def used():
    # Processor time of each thread, in ticks of 10 ms.
    times = {{}}
    for task in os.listdir("/proc/self/task"):
        fields = open(f"/proc/self/task/{{task}}/stat").read().rsplit(")")[1].split()
        times[task] = int(fields[11]) + int(fields[12])
    return times
before = used()
for _ in range(20):
    encoder.encode(h)
after = used()
own = str(os.getpid())
print(after[own] - before[own], sum(t - before.get(k, 0) for k, t in after.items() if k != own))
"""], capture_output=True, text=True,
                              env={**environment, "OMP_NUM_THREADS": "4", "OPENBLAS_NUM_THREADS": "4"})
        self.assertEqual(done.returncode, 0, done.stderr)
        own, others = map(int, done.stdout.split())
        self.assertGreater(own, 10)
        self.assertLessEqual(others, 1)


class InFlowgraphs(Place):

    def test_blocks(self):
        net = Net()
        path, h = self.saved(net, **SIZES), matrices(100)
        encode = csifeedback.csi_encoder(csifeedback.encoder_from_model(path, 0))
        decode = csifeedback.csi_decoder(csifeedback.decoder_from_model(path, 0))
        (s, gains), _ = stream(encode, [h.reshape(100, -1)], [(np.float32, SIZE), (np.float32, 1)])
        (found,), _ = stream(decode, [s, gains], [(np.complex64, ROWS * NT)])
        with torch.no_grad():
            expected = net.encode(parts(h))
            again = net.decode(expected).numpy()
        self.assertLess(error(s, expected.numpy()), 1e-5)
        self.assertLess(error(parts(found.reshape(h.shape)), again), 1e-5)
        self.assertEqual((encode.discarded(), decode.discarded()), (0, 0))

    def test_errors_cost_their_matrix(self):
        """What a network raises is logged and counted, and the flowgraph goes on."""
        h = matrices(60)
        h[:, 0, 0] = 0.1
        encoder = csifeedback.encoder_from_model(self.saved(Rarely(), "rarely.pt", **SIZES), 0)
        h[::7] *= 0
        h[::7, 0, 0] = 1
        encode = csifeedback.csi_encoder(encoder)
        (s, _), _ = stream(encode, [h.reshape(60, -1)], [(np.float32, 8), (np.float32, 1)])
        self.assertEqual((len(s), encode.discarded()), (51, 9))


class Rarely(Linear):
    """Fails on matrices whose whole energy is in the first element."""

    def __init__(self):
        super().__init__(8)

    @torch.jit.export
    def encode(self, h: torch.Tensor) -> torch.Tensor:
        if bool((h[:, 0, 0, 0] > 5.5).any()):
            raise ValueError("too large")
        return h.flatten(1)[:, :8]


class InPrograms(Place):
    """FILE.pt where a model's name goes."""

    CHANNEL = ("--channel", "cdl-c", "--nc", 300, "--nt", 2, "--spacing-hz", 15e3, "--precursor",
               8, "--receiver-aligned", "--delay-spread-s", 3e-8, "--max-delay-spread-s", 3e-7)

    def run_program(self, *arguments):
        done = run_program(*arguments, cwd=self.directory)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        return json.loads(done.stdout)

    def test_programs(self):
        for name, first in (("train.h5", 0), ("test.h5", 100000)):
            done = run_program("dataset", "generate", *self.CHANNEL, "--samples", 60, "--first",
                               first, "-o", self.path(name))
            self.assertEqual(done.returncode, 0, done.stderr)
        # Rows 8 to 15 of 32, both ports.
        module = FirstRows()
        self.saved(module, "rows.pt", rows=32, nt=2, nc=300, precursor=8, title="rows")
        without = run_program("eval", "--codec", "rows.pt", "--dataset", "test.h5", "--bits", 6,
                              "--ratios", "1/4", cwd=self.directory)
        self.assertEqual(without.returncode, 2)
        self.assertIn("csifeedback_train", without.stderr.splitlines()[-1])
        trained = self.run_program("train", "--codec", "rows.pt", "--dataset", "train.h5", "--test",
                                   "test.h5", "-o", "rows.h5", "--json")
        self.assertEqual([f["ratio"] for f in trained["figures"]], ["1/4"])
        rows = {}
        for codec in ("rows.pt", "rows.h5"):  # by either file
            rows[codec], = self.run_program("eval", "--codec", codec, "--dataset", "test.h5",
                                            "--bits", 6, "--ratios", "1/4", "--json")
        self.assertEqual(rows["rows.pt"]["codec"], "rows")
        self.assertEqual(rows["rows.pt"]["nmse_db"], rows["rows.h5"]["nmse_db"])
        self.assertLess(rows["rows.pt"]["nmse_db"], -1)
        figures = self.run_program("sim", "--codec", "rows.pt", "--dataset", "test.h5", "--ratio",
                                   "1/4", "--bits", 6, "--json")
        self.assertEqual(figures["matched"], 60)
        self.assertAlmostEqual(figures["nmse_db"], rows["rows.pt"]["nmse_db"], delta=0.01)
        self.ends("rows.pt")
        # A model file from elsewhere opens what lies beside it, and nothing else.
        for attribute, value in (("network_file", "../rows.pt"), ("network_file", "/tmp/rows.pt"),
                                 ("network_options", "decoder=/tmp/rows.pt")):
            shutil.copy(self.path("rows.h5"), self.path("foreign.h5"))
            with h5py.File(self.path("foreign.h5"), "r+") as file:
                file.attrs[attribute] = value
            foreign = run_program("eval", "--codec", "foreign.h5", "--dataset", "test.h5",
                                  cwd=self.directory)
            self.assertEqual(foreign.returncode, 2)
            self.assertIn(f"attribute '{attribute}' names", foreign.stderr.splitlines()[-1])
        # Another network in the place of the one that was measured.
        self.saved(FirstRows(2.0), "rows.pt", rows=32, nt=2, nc=300, precursor=8, title="rows")
        other = run_program("eval", "--codec", "rows.h5", "--dataset", "test.h5", "--ratios", "1/4",
                            cwd=self.directory)
        self.assertEqual(other.returncode, 2)
        self.assertIn("is not the file that", other.stderr.splitlines()[-1])

    def ends(self, codec):
        air, back = free_port(), free_port()
        common = ("--codec", codec, "--ratio", "1/4", "--air", f"zmq://127.0.0.1:{air}",
                  "--feedback", f"zmq://127.0.0.1:{back}")
        ends = [End("bs", *common, "--rate", 0.25, cwd=self.directory),
                End("ue", *common, cwd=self.directory)]
        try:
            wait_for(ends[0], lambda line: line["ues"]["1"]["fresh"]
                     and (line["ues"]["1"].get("nmse_db") or 0) < -1, 60)
        finally:
            ended = [end.interrupt() for end in ends]
        for code, text in ended:
            self.assertEqual(code, 0, text)


class FirstRows(torch.nn.Module):
    """Delay rows 8 to 15 of 32 x 2 matrices."""

    def __init__(self, scale: float = 1.0):
        super().__init__()
        self.scale = scale

    @torch.jit.export
    def encode(self, h: torch.Tensor) -> torch.Tensor:
        return self.scale * h[:, :, 8:16].flatten(1)

    @torch.jit.export
    def decode(self, s: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.pad(s.reshape(-1, 2, 8, 2) / self.scale, (0, 0, 8, 16))


if __name__ == "__main__":
    unittest.main()
