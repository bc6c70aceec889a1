#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Training of Csi-L2O and MS4L2O: the networks against plain formulas, and the program on a
small set of channels, from the data set to the evaluation of the trained codec."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import types
import unittest

import h5py
import numpy as np
import torch
from common import Opener, command_of, environment, run_here, run_program, small_disk
from gnuradio import csifeedback
from gnuradio.csifeedback import evaluation
from gnuradio.csifeedback.data.dataset import Dataset
from gnuradio.csifeedback.model import read_model
from gnuradio.csifeedback.training import run as train
from gnuradio.csifeedback.training import csi_l2o, linear, quantizers
from gnuradio.csifeedback.training import l2o_network as network
from gnuradio.csifeedback.training.graphs import graph_of
from gnuradio.csifeedback.training.network import load_network
from programs import free_port

#: what torchrun of PyTorch 1.13 needs under Python 3.11
DEBIAN = ("--redirects", 1, "--tee", 1)


def lacks_libuv():
    """Whether PyTorch was built without libuv, and its launcher asks for it all the same, as in
    Debian 13."""
    try:
        torch.distributed.TCPStore("127.0.0.1", 0, 1, True)
    except RuntimeError as error:
        return "libuv" in str(error)
    return False


LACKS_LIBUV = lacks_libuv()
#: options of a run that takes a few seconds
SMALL = ("--rates", "1/16", "1/8", "1/4", "--iterations", 3, "--transform", 32,
         "--report", 20, "--validation-samples", 100, "--entry-bits", 2)


class Networks(unittest.TestCase):

    def setUp(self):
        torch.manual_seed(1)
        self.rng = np.random.default_rng(1)

    def complex(self, *shape):
        return (self.rng.standard_normal(shape)
                + 1j * self.rng.standard_normal(shape)).astype(np.complex64)

    def test_encoder_is_the_product_with_w(self):
        """Codewords are those of linear_encoder, for complex and for real W."""
        ha = self.complex(5, 3, 4)
        h = network.rows_of(torch.from_numpy(ha))
        stacked = np.hstack([ha.reshape(5, -1).real, ha.reshape(5, -1).imag])
        for w, rows in ((self.complex(6, 12), None), (self.rng.standard_normal((7, 24)), None)):
            rows = linear.real_rows(w) if np.iscomplexobj(w) else w
            encoder = network.Encoder(w, 3, 4)
            for m in (1, 2, 5, 6):
                s = (h @ encoder.matrix(m).t()).detach().numpy()
                np.testing.assert_allclose(s, stacked @ rows[:m].T, rtol=1e-4, atol=1e-5)

    def test_orthonormal_rows_span_the_same(self):
        for w in (self.complex(4, 12), self.rng.standard_normal((5, 24))):
            encoder = network.Encoder(w, 3, 4)
            size = encoder.code_size
            before = encoder.matrix(size).detach().clone()
            encoder.orthonormalize()
            after = encoder.matrix(size).detach()
            np.testing.assert_allclose(after @ after.t(), np.eye(size), atol=1e-5)
            for m in range(2, size + 1, 2):
                inside = (before[:m] @ after[:m].t()) @ after[:m]
                np.testing.assert_allclose(inside, before[:m], atol=1e-4)
            np.testing.assert_allclose(encoder.lipschitz([2, size]), 1, atol=1e-5)

    def test_principal_rows(self):
        """Values of a codeword are uncorrelated within a ratio's own; the ratios stay the same."""
        h = self.complex(2000, 12) @ self.complex(12, 12)
        w = np.linalg.qr(self.complex(12, 6))[0].T.astype(np.complex64)
        stacked = np.hstack([h.real, h.imag])
        sizes = [4, 8]
        turned = csi_l2o.principal_rows(w, stacked @ linear.real_rows(w).T, sizes)
        np.testing.assert_allclose(turned @ turned.conj().T, np.eye(6), atol=1e-5)
        s = stacked @ linear.real_rows(turned).T
        c = s[:, ::2] + 1j * s[:, 1::2]
        covariance = c.T @ c.conj() / len(c)
        for first, last in ((0, 2), (2, 4), (4, 6)):
            block = covariance[first:last, first:last]
            self.assertLess(abs(block[0, 1]), 1e-4 * abs(block[0, 0]))
            self.assertGreaterEqual(block[0, 0].real, block[1, 1].real)
            # The same space as before.
            inside = turned[first:last] @ w[first:last].conj().T
            np.testing.assert_allclose(inside @ inside.conj().T, np.eye(2), atol=1e-5)
        before = h @ w.T.conj()
        self.assertGreater(abs(np.vdot(before[:, 0], before[:, 1])) / 2000, 1e-2)

    def test_lstm_is_that_of_pytorch(self):
        for layers in (1, 2, 3):
            cell = network.ElementLstm(6, layers)
            torch.nn.init.normal_(cell.heads_weight)
            reference = torch.nn.LSTM(2, 6, layers)
            with torch.no_grad():
                for k in range(layers):
                    inputs = 6 if k else 2
                    getattr(reference, f"weight_ih_l{k}").copy_(cell.weights[k][:, :inputs])
                    getattr(reference, f"weight_hh_l{k}").copy_(cell.weights[k][:, inputs:])
                    getattr(reference, f"bias_ih_l{k}").copy_(cell.biases[k].flatten())
                    getattr(reference, f"bias_hh_l{k}").zero_()
            steps = torch.randn(4, 2, 10)
            expected, _ = reference(steps.transpose(1, 2))
            state = quick_state = cell.start(torch.zeros(10))
            gradients = []
            for t in range(4):
                heads, state = cell(steps[t].clone(), state)
                c = torch.relu(expected[t] @ cell.mlp_weight.t() + cell.mlp_bias.flatten())
                plain = (c @ cell.heads_weight.t() + cell.heads_bias.flatten()).t()
                torch.testing.assert_close(heads, plain, rtol=1e-4, atol=1e-5)
                with torch.no_grad():
                    quick, quick_state = cell(steps[t].clone(), quick_state)
                torch.testing.assert_close(quick, plain, rtol=1e-4, atol=1e-5)
            # The same gradient, though the gates are computed anew for it.
            for value in (heads, plain):
                cell.zero_grad()
                reference.zero_grad()
                (value ** 2).sum().backward(retain_graph=True)
                gradients.append(cell.weights[0].grad.clone() if value is heads else torch.cat(
                    [reference.weight_ih_l0.grad, reference.weight_hh_l0.grad], 1))
            torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)

    def test_start_is_the_linear_mmse_estimate(self):
        """Against the formula, in double precision."""
        basis = np.linalg.qr(self.complex(12, 4))[0].T
        variance, floor = np.array([5, 5, 3, 3, 2, 2, 1, 1.]), 0.2
        rows = linear.real_rows(basis).astype(float)
        r = floor * np.eye(24) + rows.T @ np.diag(variance - floor) @ rows
        encoder = network.Encoder(self.complex(3, 12), 3, 4)
        start = network.MmseStart(basis, variance, floor, 3, 4)
        start.update(encoder.matrix(6))
        w = linear.real_rows(encoder.arrays()["encoder/W_complex"]).astype(float)
        ha = self.complex(2, 3, 4)
        stacked = np.hstack([ha.reshape(2, -1).real, ha.reshape(2, -1).imag])
        for m in (2, 4, 6):
            s = stacked @ w[:m].T
            expected = s @ np.linalg.solve(w[:m] @ r @ w[:m].T, w[:m] @ r)
            expected = (expected[:, :12] + 1j * expected[:, 12:]).reshape(2, 3, 4)
            got = start(torch.from_numpy(s.astype(np.float32)))
            np.testing.assert_allclose(
                got, network.rows_of(torch.from_numpy(expected)), rtol=1e-3, atol=1e-4)

    def test_start_of_few_training_matrices(self):
        """Codewords of 20 values where 3 matrices were seen: what these span is estimated."""
        basis = np.linalg.qr(self.complex(64, 3))[0].T
        start = network.MmseStart(basis, np.array([5, 5, 3, 3, 1, 1.]), 0.0, 8, 8)
        encoder = network.Encoder(self.complex(100, 64), 8, 8)
        w = encoder.matrix(200).detach()
        start.update(w)
        w = w[:20]
        ha = network.rows_of(torch.from_numpy((self.complex(4, 3) @ basis).reshape(4, 8, 8)
                                              .astype(np.complex64)))
        np.testing.assert_allclose(start(ha @ w.t()), ha, rtol=1e-2, atol=1e-2)

    def test_soft_threshold(self):
        z = torch.randn(40, dtype=torch.double, requires_grad=True)
        t = torch.tensor(0.5, dtype=torch.double, requires_grad=True)
        out = network.SoftThreshold.apply(z, t)
        plain = torch.sign(z) * torch.relu(z.abs() - t)
        torch.testing.assert_close(out, plain)
        weight = torch.randn(40, dtype=torch.double)
        for a, b in zip(torch.autograd.grad((weight * out).sum(), (z, t)),
                        torch.autograd.grad((weight * plain).sum(), (z, t))):
            torch.testing.assert_close(a, b)
        z = torch.randn(6, 5, 8, dtype=torch.double, requires_grad=True)
        t = torch.rand(5, 1, dtype=torch.double, requires_grad=True)
        self.assertTrue(torch.autograd.gradcheck(network.soft_threshold, (z, t)))
        rows = network.Transform(4, (16,))
        thresholds, u = torch.rand(5), torch.randn(10, 8)
        for row, threshold in enumerate(thresholds):
            torch.testing.assert_close(rows(u, thresholds, 0)[row::5],
                                       rows(u[row::5], threshold, 0))

    def test_transform_begins_as_a_tight_frame(self):
        """f_i(f_t(u)) = u, with and without hidden layers, and sparser than u for one path."""
        for sizes in ((64,), (32, 32, 64), (40, 32, 64)):
            transform = network.Transform(8, sizes, noise=0)
            u = torch.randn(20, 16)
            torch.testing.assert_close(transform(u, 0.0, 0), u, rtol=1e-4, atol=1e-5)
            kept = transform(u, 0.0, 5) - u
            self.assertGreater(float(kept.norm()), 0.1)
        for sizes in ((15,), (14,), (31, 64), (63,)):
            with self.assertRaisesRegex(ValueError, "--transform is"):
                network.Transform(8, sizes)

    def test_ms4l2o_without_an_lstm_is_ista(self):
        decoder = network.Decoder(3, 4, (6,), 4, sizes=(), start="zeros", gate=False, consistency=False,
                                  activations=("identity", "identity", "identity"))
        with torch.no_grad():
            decoder.p.fill_(1)
            decoder.a.fill_(0)
            decoder.theta.fill_(-1)
        w = torch.randn(6, 24)
        norm = float(torch.linalg.matrix_norm(w, 2) ** 2)
        s = torch.randn(2, 6)
        x = torch.zeros(2, 24)
        result, iterates = decoder(w, s, x, 0, norm)
        threshold = float(np.log1p(np.exp(-1))) / norm
        for iterate in iterates:
            u = x - (x @ w.t() - s) @ w / norm
            x = torch.sign(u) * torch.relu(u.abs() - threshold)
            torch.testing.assert_close(iterate.detach(), x, rtol=1e-4, atol=1e-5)
        self.assertGreater(float((x == 0).sum()), 0)
        torch.testing.assert_close(result, iterates[-1])

    def test_a_dictionary_becomes_a_network(self):
        """--start-from: the paper's transform takes over a dictionary as it is."""
        dictionary = network.Decoder(3, 8, (4, 8), 2, sizes=(32,))
        with torch.no_grad():
            for layer in (*dictionary.transforms[0].forward_layers,
                          *dictionary.transforms[0].inverse_layers):
                layer.bias.normal_(std=0.1)
        arrays = dictionary.arrays("p")
        paper = network.Decoder(3, 8, (4, 8), 3, hidden=3, sizes=(32, 32, 32))
        paper.begin_with(lambda name: arrays.get(f"l2o/p/{name}"))
        u = torch.randn(7, 16)
        close = (paper.transforms[0](u, 0.1, 0) - dictionary.transforms[0](u, 0.1, 0)).norm()
        self.assertLess(float(close / u.norm()), 0.05)
        self.assertEqual(paper.p.shape, (2, 3))
        torch.testing.assert_close(paper.p[:, 2], dictionary.p[:, 1])

    def test_graded_iterations(self):
        """Gradients of the last iterations alone; the result is that of all."""
        torch.manual_seed(2)
        for hidden in (0, 3):
            decoder = network.Decoder(3, 8, (8,), 6, hidden=hidden, layers=1)
            if hidden:
                torch.nn.init.normal_(decoder.lstm.heads_weight, std=0.1)
            w, s, x0 = torch.randn(8, 48) / 7, torch.randn(5, 8), torch.randn(5, 48)
            whole, all_iterates = decoder(w, s, x0, 0)
            result, iterates = decoder(w, s, x0, 0, graded=2)
            torch.testing.assert_close(result, whole)
            self.assertEqual(len(iterates), 2)
            torch.testing.assert_close(iterates, all_iterates[-2:])
            (result ** 2).sum().backward()
            self.assertEqual(decoder.p.grad[0, :4].abs().max(), 0)
            self.assertGreater(decoder.p.grad[0, 4:].abs().min(), 0)

    def test_tied_steps(self):
        """One column for all iterations, which files have for each of them."""
        decoder = network.Decoder(3, 8, (4, 8), 5, tied_steps=True)
        self.assertEqual(decoder.p.shape, (2, 1))
        torch.nn.init.normal_(decoder.gamma)
        arrays = decoder.arrays("x")
        self.assertEqual(arrays["l2o/x/gamma"].shape, (2, 5))
        again = network.Decoder.of_model(arrays, "x", 3, 8)
        w, s, x0 = torch.randn(8, 48) / 7, torch.randn(5, 8), torch.randn(5, 48)
        for count in (3, 5, 9):
            torch.testing.assert_close(decoder(w, s, x0, 1, iterations=count)[0],
                                       again(w, s, x0, 1, iterations=count)[0])
        tied = network.Decoder(3, 8, (4, 8), 4, tied_steps=True)
        again.gamma.data[:, -1] = 0.7
        arrays = again.arrays("x")
        tied.begin_with(lambda name: arrays.get(f"l2o/x/{name}"))
        torch.testing.assert_close(tied.gamma.data, torch.full((2, 1), 0.7))

    def test_row_steps(self):
        """Step parameters by delay row begin as those of all rows, and go into a file and back."""
        plain = network.Decoder(3, 8, (4, 8), 4)
        for name in network.STEPS:
            torch.nn.init.normal_(getattr(plain, name))
        arrays = plain.arrays("x")
        rows = network.Decoder(3, 8, (4, 8), 4, row_steps=True)
        rows.begin_with(lambda name: arrays.get(f"l2o/x/{name}"))
        self.assertEqual(rows.p.shape, (2, 4, 3))
        w, s, x0 = torch.randn(8, 48) / 7, torch.randn(5, 8), torch.randn(5, 48)
        torch.testing.assert_close(rows(w, s, x0, 1)[0], plain(w, s, x0, 1)[0])
        for name in network.STEPS:
            torch.nn.init.normal_(getattr(rows, name))
        arrays = rows.arrays("y")
        self.assertEqual(arrays["l2o/y/theta"].shape, (2, 12))
        again = network.Decoder.of_model(arrays, "y", 3, 8)
        self.assertTrue(again.row_steps)
        torch.testing.assert_close(again(w, s, x0, 1)[0], rows(w, s, x0, 1)[0], rtol=0, atol=0)
        # Of other numbers of rows the last one is repeated.
        more = network.Decoder(5, 8, (4, 8), 4, row_steps=True)
        more.begin_with(lambda name: arrays.get(f"l2o/y/{name}"))
        torch.testing.assert_close(more.gamma[:, :, :3], rows.gamma)
        torch.testing.assert_close(more.gamma[:, :, 4], rows.gamma[:, :, 2])

    def test_model_arrays_and_back(self):
        for options in ({"hidden": 3, "layers": 2, "sizes": (32, 32, 32), "top_g": 7},
                        {"sizes": (32,), "untied": True, "start": "adjoint"},
                        {"sizes": (32,), "row_steps": True},
                        {"sizes": (32,), "row_steps": True, "hidden": 2, "tied_steps": True},
                        {"sizes": (32,), "row_steps": True, "convolutions": 2},
                        {"hidden": 2, "layers": 1, "sizes": (), "start": "zeros", "gate": False,
                         "activations": ("sigmoid", "identity", "2sigmoid")}):
            decoder = network.Decoder(3, 8, (4, 8), 3, **options)
            with torch.no_grad():
                for value in decoder.parameters():
                    value.normal_(std=0.2)
            again = network.Decoder.of_model(decoder.arrays("x"), "x", 3, 8)
            w, s, x0 = torch.randn(8, 48) / 7, torch.randn(5, 8), torch.randn(5, 48)
            torch.testing.assert_close(decoder(w, s, x0, 1)[0], again(w, s, x0, 1)[0],
                                       rtol=0, atol=0)
        with self.assertRaisesRegex(ValueError, "no decoder y"):
            network.Decoder.of_model(decoder.arrays("x"), "y", 3, 8)


class Training(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        channel = ("--channel", "cdl-c", "--nt", 8, "--nc", 64, "--na", 16, "--spacing-hz", 180e3,
                   "--delay-spread-s", 1e-7, "--angle-span-deg", 120)
        for name, samples, first in (("train", 3000, 0), ("test", 500, 10**6), ("few", 200, 0)):
            done = run_program("dataset", "generate", *channel, "--samples", samples,
                               "--first", first, "-o", cls.path(name + ".h5"))
            assert done.returncode == 0, done.stderr

    @classmethod
    def path(cls, name):
        return os.path.join(cls.temporary.name, name)

    def train(self, output, *arguments, codec="csi-l2o", before=(), **changes):
        done = run_program("train", "--codec", codec, "--dataset", self.path("train.h5"), "-o",
                           self.path(output), *arguments, before=before, variables=changes)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def refuse(self, text, *arguments, codec="csi-l2o"):
        done = run_here("train", "--codec", codec, "--dataset", self.path("train.h5"), "-o",
                        self.path("refused.h5"), *arguments)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertIn(text, done.stderr.strip().splitlines()[-1])
        self.assertFalse(os.path.exists(self.path("refused.h5")))

    def curve(self, name):
        with open(self.path(name + ".csv"), newline="") as file:
            return list(csv.DictReader(file))

    def arrays(self, name):
        return read_model(self.path(name)).arrays

    def same_arrays(self, one, other, prefix="", **tolerance):
        a, b = self.arrays(one), self.arrays(other)
        names = [name for name in a if name.startswith(prefix)]
        self.assertTrue(names)
        for name in names:
            np.testing.assert_allclose(a[name], b[name], err_msg=name, **tolerance)

    def test_three_commands(self):
        """Generate, train, evaluate: ahead of the linear decoder on the same codewords."""
        self.train("own.h5", *SMALL, "--steps", 1500, "--batch", 32, "--learning-rate", 1e-2,
                   "--encoder-learning-rate", 2e-3,
                   "--report", 500, "--test", self.path("test.h5"))
        rows = json.loads(run_program(
            "eval", "--codec", self.path("own.h5"), "--codec", self.path("own.h5") + ":linear",
            "--dataset", self.path("test.h5"), "--ratios", "1/16", "1/8", "1/4", "--json").stdout)
        nmse = {(r["decoder"], r["ratio"]): r["nmse_db"] for r in rows}
        for ratio in ("1/16", "1/8"):
            self.assertLess(nmse["l2o", ratio], nmse["linear", ratio] - 0.2, nmse)
        curve = self.curve("own.h5")
        self.assertEqual(len(curve), 4)
        for m in (16, 32, 64):
            self.assertLess(float(curve[-1][f"nmse_db_{m}"]),
                            float(curve[0][f"nmse_db_{m}"]) - 1)
        # The C++ decoder has the figures of the one that was trained.
        with Dataset(self.path("test.h5")) as data:
            ha = data.angular_delay()
        arrays = self.arrays("own.h5")
        decoder = network.Decoder.of_model(arrays, "realtime", 16, 8)
        encoder = network.Encoder(arrays["encoder/W_complex"], 16, 8)
        start = network.MmseStart(arrays["decoder/basis"], arrays["decoder/variance"],
                                  arrays["decoder/floor"][0], 16, 8)
        start.update(encoder.matrix(64))
        h = network.rows_of(torch.from_numpy(linear.normalize(ha).reshape(ha.shape)))
        for rate, (m, ratio) in enumerate(((16, "1/16"), (32, "1/8"), (64, "1/4"))):
            w = encoder.matrix(m)
            s = h @ w.t()
            with torch.no_grad():
                x, _ = decoder(w, s, start(s), rate)
            error = float(network.relative_errors(x, h).double().mean())
            self.assertAlmostEqual(10 * np.log10(error), nmse["l2o", ratio], delta=0.01)
        figures = json.loads(read_model(self.path("own.h5")).attributes["nmse"])
        for figure in figures:
            if ("l2o", figure["ratio"]) in nmse:
                self.assertAlmostEqual(figure["nmse_db"], nmse["l2o", figure["ratio"]], places=5)

    def test_interrupted_and_continued(self):
        """Ctrl-C keeps the state; the run that goes on from it ends as one without a break."""
        options = (*SMALL, "--steps", 300)
        self.train("whole.h5", *options)
        process = subprocess.Popen(
            command_of("train", "--codec", "csi-l2o", "--dataset", self.path("train.h5"), "-o",
                       self.path("parts.h5"), *options), env=environment(),
            stderr=subprocess.PIPE, text=True)
        for _ in range(600):
            if os.path.exists(self.path("parts.h5.csv")):
                break
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, errors)
        self.assertFalse(os.path.exists(self.path("parts.h5")))
        with np.load(self.path("parts.h5.checkpoint")) as state:
            self.assertLess(json.loads(str(state["values"]))["step"], 300)
        # Another command does not touch the run, and says how to.
        done = run_program("train", "--codec", "csi-l2o", "--dataset", self.path("train.h5"),
                           "-o", self.path("parts.h5"), *SMALL, "--steps", 200)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--overwrite", done.stderr)
        self.train("parts.h5", *options)
        self.same_arrays("whole.h5", "parts.h5", rtol=0, atol=0)

    def test_checkpoints_of_others(self):
        """Nothing is executed that lies beside the output; what is damaged is said to be."""
        path = self.path("refused.h5.checkpoint")
        for save in (torch.save, lambda value, file: torch.save(
                value, file, _use_new_zipfile_serialization=False)):
            save({"settings": Opener(self.path("executed"))}, path)
            self.refuse("refused.h5.checkpoint: is no checkpoint", *SMALL, "--steps", 20)
            self.assertFalse(os.path.exists(self.path("executed")))
        options = (*SMALL, "--steps", 20, "--hidden", 2)
        self.train("good.h5", *options)
        with np.load(self.path("good.h5.checkpoint")) as file:
            good = dict(file)
        for name in good:
            if not name.startswith(("array/", "values")):
                continue
            for bad in ({k: v for k, v in good.items() if k != name} if name == "values" or
                        "best_state" in name else None,
                        {**good, name: np.zeros((1, 2, 3), np.float32)}):
                if bad and (name == "values" or np.prod(good[name].shape) > 1):
                    with open(path, "wb") as file:
                        np.savez(file, **bad)
                    self.assertRaisesRegex(ValueError, "refused.h5.checkpoint: is (no checkpoint|"
                                           "damaged)", self.resume, path, options)
        os.remove(path)

    def run_of(self, options):
        """A Run in this process, before its first step."""
        arguments, _ = train.parse([
            str(x) for x in ("--codec", "csi-l2o", "--dataset", self.path("train.h5"), "-o",
                             self.path("refused.h5"), *options)])
        csi_l2o._settings(arguments)
        with Dataset(arguments.dataset) as data:
            return csi_l2o.Run(arguments, data)

    def resume(self, path, options):
        """What a run does first with its checkpoint, in this process."""
        self.run_of(options).resume(path)

    def test_full_disk(self):
        """One line, also from PyTorch, and no file."""
        with small_disk(self, self.path("disk"), 8192) as disk:
            done = run_program("train", "--codec", "csi-l2o", "--dataset", self.path("train.h5"),
                               "-o", disk + "/m.h5", *SMALL, "--steps", 20)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertRegex(done.stderr, r"^csifeedback_train: .*/m\.h5\.checkpoint: No space left "
                                          r"on device\n$")
            self.assertEqual(os.listdir(disk), ["m.h5.csv"])

    def test_two_processes(self):
        """The batch divided among two processes: the same as in one, up to rounding."""
        options = (*SMALL, "--steps", 40, "--hidden", 2)
        self.train("one.h5", *options)
        # As whoever starts processes by hand does: with PyTorch's variables.
        common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
        processes = [subprocess.Popen(
            command_of("train", "--codec", "csi-l2o", "--dataset", self.path("train.h5"), "-o",
                       self.path("two.h5"), *options), stderr=subprocess.PIPE, text=True,
            stdout=subprocess.DEVNULL, env=environment(**common, RANK=str(rank)))
            for rank in (0, 1)]
        for process in processes:
            _, errors = process.communicate(timeout=300)
            self.assertEqual(process.returncode, 0, errors)
        self.same_training("one.h5", "two.h5")

    @unittest.skipIf(LACKS_LIBUV, "torch.distributed.run needs libuv, this PyTorch is without")
    def test_torchrun(self):
        """The same with PyTorch's own launcher."""
        options = (*SMALL, "--steps", 40, "--hidden", 2)
        self.train("alone.h5", *options)
        self.train("run.h5", *options, before=(
            sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", 2,
            "--master_port", free_port(), *DEBIAN))
        self.same_training("alone.h5", "run.h5")

    def same_training(self, one, other):
        for a, b in zip(self.curve(one), self.curve(other)):
            for name in a:
                if name.startswith("nmse"):
                    self.assertAlmostEqual(float(a[name]), float(b[name]), delta=0.01)
        self.same_arrays(one, other, "l2o/", rtol=0, atol=2e-3)

    def test_weights_of_the_rates(self):
        """A ratio that weighs more gains."""
        options = (*SMALL, "--steps", 300, "--noise-share", 0)
        self.train("alike.h5", *options)
        self.train("weights.h5", *options, "--rate-weights", 50, 1, 1)
        alike, weights = (float(self.curve(name)[-1]["nmse_db_16"])
                          for name in ("alike.h5", "weights.h5"))
        self.assertLess(weights, alike - 0.05)

    def test_noise_of_the_encoder(self):
        """As often, and as strong, as the options say."""
        rng = np.random.default_rng(1)
        batch = np.ones((4, 16, 8), np.complex64)
        run = types.SimpleNamespace(args=types.SimpleNamespace(noise_share=0.3, snr=[0.0, 20.0]))
        power = np.array([np.mean(np.abs(csi_l2o.Run._noisy(run, batch, rng) - batch) ** 2)
                          for _ in range(2000)])
        self.assertAlmostEqual(np.mean(power > 0), 0.3, delta=0.04)
        snr = -10 * np.log10(power[power > 0])
        self.assertAlmostEqual(snr.mean(), 10, delta=1)
        self.assertAlmostEqual(snr.std(), 20 / np.sqrt(12), delta=0.5)

    def test_second_decoder_for_the_same_codewords(self):
        self.train("first.h5", *SMALL, "--steps", 60)
        self.train("second.h5", *SMALL[:4], "--steps", 10, "--profile", "paper", "--transform",
                   32, 32, 32, "--top-g", 8, "--iterations", 3, "--hidden", 4, "--start-from",
                   self.path("first.h5"), "--freeze-encoder", "--report", 5)
        self.train("third.h5", *SMALL[:4], "--steps", 10, "--profile", "paper", "--transform",
                   32, 32, 32, "--top-g", 8, "--iterations", 3, "--hidden", 4, "--start-from",
                   self.path("second.h5"), "--freeze-encoder", "--freeze-steps", "--report", 5,
                   "--learning-rate", 1e-2)
        before, after = self.arrays("second.h5"), self.arrays("third.h5")
        for name, array in after.items():
            if "/lstm_" not in name and "/mlp_" not in name and "/heads_" not in name:
                np.testing.assert_array_equal(array, before[name], err_msg=name)
        model = csifeedback.model_file(self.path("second.h5"))
        self.assertEqual(model.model_id,
                         csifeedback.model_file(self.path("first.h5")).model_id)
        for profile in ("realtime", "paper"):
            self.assertEqual(csifeedback.l2o_decoder(model, 32, profile).code_size(), 32)
        self.same_arrays("first.h5", "second.h5", rtol=0, atol=0)
        with self.assertRaisesRegex(ValueError, "realtime"):
            csifeedback.l2o_decoder(csifeedback.model_file(self.path("first.h5")), 32, "paper")
        history = json.loads(read_model(self.path("second.h5")).attributes["history"])
        self.assertEqual(len(history), 1)
        self.assertIn("first.h5", history[0])

    def test_convolutions(self):
        """Steps of a trained FISTA-Net after the iterations of a trained decoder, and in C++."""
        self.train("first.h5", *SMALL, "--steps", 60)
        self.train("fista.h5", "--ratio", "1/8", "--option", "phases=3", "--steps", 40,
                   codec="fista-net")
        base = (*SMALL[:4], "--transform", 32, "--iterations", 3, "--decoder-name", "conv",
                "--freeze-encoder", "--start-from")
        begin = (*base, self.path("first.h5"), "--freeze-steps", "--convolutions", 2, "--convolutions-from",
                 self.path("fista.h5"), "--noise-share", 0, "--report", 50)
        self.train("begin.h5", *begin, "--steps", 0)
        self.train("conv.h5", *begin, "--steps", 150, "--learning-rate", 1e-2)
        before, after = self.arrays("begin.h5"), self.arrays("conv.h5")
        first = self.arrays("first.h5")
        for name, array in after.items():
            if "/phase_" not in name:
                np.testing.assert_array_equal(array, before[name], err_msg=name)
        np.testing.assert_array_equal(after["l2o/conv/theta"], first["l2o/realtime/theta"])
        network_file = load_network(self.path("fista.h5"))
        np.testing.assert_allclose(before["l2o/conv/phase_steps"][1], network_file.steps.detach()[1:])
        np.testing.assert_allclose(before["l2o/conv/phase_out_weight"][1, 1],
                                   network_file.layers[2].out.weight.detach().flatten())
        curve = self.curve("conv.h5")
        for m in (16, 32, 64):
            self.assertLess(float(curve[-1][f"nmse_db_{m}"]), float(curve[0][f"nmse_db_{m}"]))
        self.assertLess(float(curve[-1]["nmse_db_32"]), float(curve[0]["nmse_db_32"]) - 0.2)
        parts = evaluation.Codec(self.path("conv.h5") + ":l2o,profile=conv").operations(32)[1]
        self.assertEqual(parts["convolutions"], 2 * (16 * 8 * (2 * 16 * 2 * 9 + 4 * 16 * 16) + 2 * 16 * 4))
        # What a file has stays without the option.
        self.train("more.h5", *base, self.path("conv.h5"), "--steps", 0)
        self.same_arrays("conv.h5", "more.h5", "l2o/conv/", rtol=0, atol=0)
        for ratio in ("1/8", "1/4"):
            graph_of(self.path("conv.h5") + ":l2o,profile=conv", ratio)  # equal to C++, or it is refused
        base += (self.path("first.h5"),)
        self.refuse("FISTA-Net of --convolutions-from has 3", *base, "--convolutions", 4,
                    "--convolutions-from", self.path("fista.h5"))
        self.refuse("allowed is fista-net of 16 x 8", *base, "--convolutions", 2,
                    "--convolutions-from", "cost2100-indoor-fista-net-16")
        self.refuse("--start-decoder is x, --start-from has realtime", *base, "--start-decoder", "x")

    def test_random_iterations(self):
        """Trained with random numbers of iterations, more of them do no harm."""
        options = (*SMALL, "--steps", 200, "--learning-rate", 1e-2, "--seed", 3)
        self.train("fixed.h5", *options)
        self.train("random.h5", *options, "--random-iterations", 1, 20, "--intermediate", 1,
                   "--graded-iterations", 4, "--tied-steps")
        last = self.curve("random.h5")[-1]
        for m in (16, 32, 64):
            self.assertLess(float(last[f"nmse_db_{m}_after_20"]),
                            float(last[f"nmse_db_{m}"]) + 0.3)
        for array in ("p", "a", "theta", "gamma"):
            table = self.arrays("random.h5")["l2o/realtime/" + array]
            self.assertEqual(table.shape, (3, 3))
            np.testing.assert_array_equal(table, np.repeat(table[:, :1], 3, 1))
        rows = json.loads(run_program(
            "eval", "--codec", self.path("fixed.h5"), "--codec", self.path("random.h5"),
            "--dataset", self.path("test.h5"), "--ratios", "1/4", "--iterations", 3, 20,
            "--json").stdout)
        rise = {name: [r["nmse_db"] for r in rows if name in r["model"]]
                for name in ("fixed", "random")}
        self.assertGreater(rise["fixed"][1], rise["fixed"][0] + 1, rows)
        self.assertLess(rise["random"][1], rise["random"][0] + 0.3, rows)

    def test_learning_rate_of_the_lstm(self):
        for options, expected in (((), 1e-3), (("--lstm-learning-rate", 1e-2), 1e-2)):
            run = self.run_of((*SMALL, "--steps", 20, "--hidden", 2, "--learning-rate", 1e-3,
                               *options))
            rates = {id(p): rate for group, rate in zip(run.groups, run.rates)
                     for p in group["params"]}
            for name, value in run.decoder.named_parameters():
                self.assertEqual(rates[id(value)], expected if name.startswith("lstm.")
                                 else 1e-3 if "." in name else 5e-3, name)

    def test_decoders_of_quantized_codewords(self):
        """Each is the best one at its number of bits."""
        self.train("plain.h5", *SMALL, "--steps", 300, "--learning-rate", 1e-2)
        self.train("coarse.h5", *SMALL, "--steps", 300, "--learning-rate", 1e-2, "--start-from",
                   self.path("plain.h5"), "--freeze-encoder", "--quantizer-bits", 1, 2,
                   "--decoder-name", "bits")
        model = csifeedback.model_file(self.path("coarse.h5"))
        for bits in (1, 2):
            self.assertEqual(csifeedback.l2o_decoder(model, 32, f"bits-{bits}").code_size(), 32)
        self.same_arrays("plain.h5", "coarse.h5", rtol=0, atol=0)
        rows = json.loads(run_program(
            "eval", *(x for name in ("realtime", "bits-1", "bits-2") for x in (
                "--codec", f"{self.path('coarse.h5')}:l2o,profile={name}")),
            "--dataset", self.path("test.h5"), "--ratios", "1/4", "--bits", 1, 2, "--quantizer",
            "predictive", "--json").stdout)
        nmse = {(r["codec"].removeprefix("Csi-L2O").strip() or "realtime", r["bits"]): r["nmse_db"]
                for r in rows}
        self.assertLess(nmse["bits-1", 1], nmse["realtime", 1] - 0.1, rows)
        self.assertLess(nmse["bits-1", 1], nmse["bits-2", 1] - 0.03, rows)
        self.assertLess(nmse["bits-2", 2], nmse["bits-1", 2] - 0.1, rows)
        self.assertLess(nmse["bits-2", 2], nmse["realtime", 2], rows)
        curve = self.curve("coarse.h5")
        for bits in (1, 2):
            self.assertLess(float(curve[-1][f"nmse_db_64_{bits}_bits"]),
                            float(curve[0][f"nmse_db_64_{bits}_bits"]))
        # The tables of the predictive quantizer want more matrices.
        shutil.copy(self.path("plain.h5"), self.path("old.h5"))
        with h5py.File(self.path("old.h5"), "r+") as file:
            del file["quantizer/prediction"]
        done = run_program("train", "--codec", "csi-l2o", *SMALL, "--start-from", self.path("old.h5"),
                           "--freeze-encoder", "--quantizer-bits", 1, 2, "--dataset", self.path("few.h5"),
                           "-o", self.path("none.h5"))
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("--quantizer is predictive, which needs 256 training matrices", done.stderr)
        self.refuse("--quantizer-bits is 3 2", "--quantizer-bits", 3, 2)
        self.refuse("--quantizer-bits needs --freeze-encoder", "--quantizer-bits", 2, 3)
        self.refuse("--decoder-name is a/b", "--decoder-name", "a/b")

    def test_prediction_of_codewords(self):
        """Weights that take out of an entry what those before tell."""
        rng = np.random.default_rng(5)
        mix = np.tril(rng.standard_normal((6, 6)), -1) * 0.5 + np.eye(6)
        scales = np.array([3, 2, 1, 0.5, 0.3, 0.1])
        s = ((rng.standard_normal((20000, 6)) * scales) @ mix.T).astype(np.float32)
        tables = quantizers.fit_prediction(s)
        expected = (np.eye(6) - np.linalg.inv(mix))[np.tril_indices(6, -1)]
        np.testing.assert_allclose(tables["prediction"], expected, atol=0.05)
        np.testing.assert_allclose(tables["innovation_std"], scales, rtol=0.03)
        self.assertTrue(np.all(np.diff(tables["innovation_mse"]) < 0))
        # Dependent entries are no error; too few codewords have no tables.
        again = quantizers.fit_prediction(np.hstack([s, s[:, :1]]))
        self.assertTrue(all(np.all(np.isfinite(x)) for x in again.values()))
        self.assertEqual(quantizers.fit_prediction(s[:23]), {})

    def test_ms4l2o(self):
        """Random W stays as it is; the learned steps beat the ones that it starts with."""
        options = ("--rates", "1/8", "1/4", "--iterations", 4, "--hidden", 4, "--report", 50,
                   "--steps", 200, "--learning-rate", 1e-2, "--validation-samples", 100, "--entry-bits", 0)
        self.train("ms.h5", *options, codec="ms4l2o")
        curve = self.curve("ms.h5")
        self.assertLess(float(curve[-1]["nmse_db_64"]), float(curve[0]["nmse_db_64"]) - 0.3)
        rng = np.random.default_rng(1)
        np.testing.assert_allclose(self.arrays("ms.h5")["encoder/W"],
                                   rng.standard_normal((64, 256)) / 16, rtol=1e-6)
        rows = json.loads(run_program(
            "eval", "--codec", self.path("ms.h5"), "--dataset", self.path("test.h5"),
            "--ratios", "1/4", "--json").stdout)
        self.assertEqual(rows[0]["codec"], "MS4L2O")
        self.assertAlmostEqual(rows[0]["nmse_db"], float(curve[-1]["nmse_db_64"]), delta=0.5)

    def test_decoder_for_another_number_of_rows(self):
        """--start-from a model of other delay rows: its decoder, as it is, for W of that size."""
        self.train("rows16.h5", *SMALL, "--steps", 300, "--learning-rate", 1e-2)
        few = self.path("rows12.h5")
        self.assertEqual(run_program(
            "dataset", "generate", "--channel", "cdl-c", "--nt", 8, "--nc", 64, "--na", 12,
            "--spacing-hz", 180e3, "--delay-spread-s", 1e-7, "--angle-span-deg", 120, "--samples", 1000,
            "-o", few).returncode, 0)
        start = (*SMALL, "--dataset", few, "--start-from", self.path("rows16.h5"))
        self.train("moved.h5", *start, "--steps", 0)
        self.train("fitted.h5", *start, "--steps", 200, "--freeze-decoder", "--encoder-learning-rate",
                   5e-3)
        for name in ("moved.h5", "fitted.h5"):
            arrays = self.arrays(name)
            self.assertEqual(arrays["encoder/W_complex"].shape, (24, 12 * 8))
            for array, value in self.arrays("rows16.h5").items():
                if array.startswith("l2o/") and not array.endswith("/rates"):
                    np.testing.assert_array_equal(arrays[array], value, array)
        fitted = [float(row["nmse_db_48"]) for row in self.curve("fitted.h5")]
        self.assertLess(fitted[-1], fitted[0] - 0.3)
        done = run_program("train", "--codec", "csi-l2o", *start, "--freeze-encoder", "-o",
                           self.path("refused.h5"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("is for 16 x 8 matrices", done.stderr)

    def test_loss_of_the_paper(self):
        self.train("mse.h5", *SMALL, "--steps", 60, "--loss", "mse", "--beta", 0.01,
                   "--intermediate", 0)
        curve = self.curve("mse.h5")
        self.assertLess(float(curve[-1]["nmse_db_64"]), float(curve[0]["nmse_db_64"]))

    def test_bad_options(self):
        self.refuse("--steps is -1", "--steps", -1)
        self.refuse("--rates has 1/3", "--rates", "1/3")
        self.refuse("--rates has x", "--rates", "x")
        self.refuse("--code-size is 32", "--rates", "1/4", "--code-size", 32)
        self.refuse("--transform is 15", "--transform", 15)
        self.refuse("--top-g is -1", "--top-g", -1)
        self.refuse("--lstm-share is 0", "--lstm-share", 0)
        self.refuse("--noise-share is 1.5", "--noise-share", 1.5)
        self.refuse("--snr is 20 10", "--snr", 20, 10)
        self.refuse("--rate-weights has 2 numbers, --rates 5", "--rate-weights", 1, 2)
        self.refuse("--rate-weights has 0.0", "--rate-weights", 1, 1, 0, 1, 1)
        self.refuse("--freeze-encoder needs --start-from", "--freeze-encoder")
        self.refuse("--freeze-steps needs --start-from", "--freeze-steps")
        self.refuse("--freeze-decoder needs --start-from", "--freeze-decoder")
        self.refuse("--start-decoder needs --start-from", "--start-decoder", "x")
        self.refuse("--convolutions is -1", "--convolutions", -1)
        self.refuse("--convolutions-from needs --convolutions", "--convolutions-from", "x.h5")
        self.refuse("leave nothing to train", "--freeze-decoder", "--freeze-encoder", "--start-from",
                    "cost2100-indoor-csi-l2o")
        self.refuse("--random-iterations is 5 2", "--random-iterations", 5, 2)
        self.refuse("--graded-iterations is -1", "--graded-iterations", -1)
        self.refuse("--lstm-learning-rate is -1", "--lstm-learning-rate", -1)
        self.refuse("--device is nowhere", "--device", "nowhere")
        self.refuse("32 x 32", "--start-from", "cost2100-indoor-klt")
        self.refuse("--learning-rate is -1", "--learning-rate", -1)
        self.refuse("none.h5", "--start-from", self.path("none.h5"))
        self.refuse("none.h5", "--validation", self.path("none.h5"))

    def test_diverging_run_keeps_the_best_state(self):
        self.train("wild.h5", *SMALL, "--steps", 40, "--learning-rate", 100)
        for array in self.arrays("wild.h5").values():
            self.assertTrue(np.all(np.isfinite(array)))


if __name__ == "__main__":
    unittest.main()
