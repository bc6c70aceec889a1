#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The learned codecs that the papers compare with: networks, trainer, model files."""

import csv
import glob
import json
import os
import signal
import sys
import tempfile
import unittest
from fractions import Fraction

import h5py
import numpy as np
import torch
from common import run_program
from gnuradio import csifeedback
from gnuradio.csifeedback.channels import make_channel, model_channel
from gnuradio.csifeedback.cli import train
from gnuradio.csifeedback.data.dataset import Dataset
from gnuradio.csifeedback.evaluation import Evaluator
from gnuradio.csifeedback.model import Model, read_model
from gnuradio.csifeedback.training import linear, normalized
from gnuradio.csifeedback.training import network as networks
from gnuradio.csifeedback.training import network_training as training

#: small matrices for what does not depend on the size
NA, NT = 8, 16


def small(codec, **options):
    """A network for NA x NT matrices."""
    sizes = [8, 16, 32, 64] if codec in networks.MULTI_RATE else [32]
    if codec in ("fista-net", "tilista"):
        options = {"phases" if codec == "fista-net" else "layers": 3, **options}
    torch.manual_seed(1)
    return networks.make(codec, NA, NT, sizes, **options)


def used(network):
    """The network with statistics of its normalizations that are not those of the start."""
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network.loss(matrices(64), matrices(64))
    return network.eval()


def matrices(count, seed=3):
    """h_vec of random matrices, float (count, 2 NA NT)."""
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(count, 2 * NA * NT, generator=generator)
    return h * (NA * NT / h.square().sum(1, keepdim=True)).sqrt()


def parameters(module):
    return sum(p.numel() for p in module.parameters())


class Networks(unittest.TestCase):

    def test_shapes_and_gradients(self):
        """Codewords and matrices have their shapes, and every weight has a gradient."""
        h = matrices(4)
        for codec in networks.SYSTEMS:
            with self.subTest(codec):
                network = small(codec)
                network.loss(h, h).backward()
                for name, value in network.named_parameters():
                    self.assertIsNotNone(value.grad, name)
                    self.assertGreater(float(value.grad.abs().sum()), 0, name)
                network.eval()
                for size in (0, *network.code_sizes):
                    s = network.encode(h, size)
                    self.assertEqual(s.shape, (4, size or network.code_size))
                    self.assertEqual(network.decode(s).shape, h.shape)

    def test_a_matrix_is_coded_by_itself(self):
        """Its codeword and estimate are the same alone and in a batch of others."""
        h = matrices(9)
        for codec in networks.SYSTEMS:
            with self.subTest(codec), torch.no_grad():
                network = used(small(codec))
                for size in network.code_sizes:
                    s = network.encode(h, size)
                    estimate = network.decode(s)
                    scale = float(s.abs().max())
                    for i in (0, 4, 8):
                        alone = network.encode(h[i:i + 1], size)
                        torch.testing.assert_close(alone[0], s[i], rtol=1e-4, atol=1e-5 * scale)
                        torch.testing.assert_close(network.decode(s[i:i + 1])[0], estimate[i],
                                                   rtol=1e-3, atol=1e-4)

    def test_attention_over_the_batch_would_be_found(self):
        """What the public program of TransNet does fails the test above."""
        network = used(small("transnet"))
        attention = type(network.encoder_layer.attention)
        proper = attention.forward
        attention.forward = lambda self, x, memory: proper(
            self, x.transpose(0, 1), memory.transpose(0, 1)).transpose(0, 1)
        try:
            with torch.no_grad():
                h = matrices(9)
                apart = (network.encode(h[:1]) - network.encode(h)[:1]).abs().max()
        finally:
            attention.forward = proper
        self.assertGreater(float(apart), 1e-2)

    def test_torchscript_computes_the_same(self):
        h = matrices(3)
        with tempfile.TemporaryDirectory() as directory:
            for codec in networks.SYSTEMS:
                with self.subTest(codec), torch.no_grad():
                    network = used(small(codec))
                    path = os.path.join(directory, "network.pt")
                    torch.jit.script(network).save(path)
                    loaded = torch.jit.load(path)
                    for size in network.code_sizes:
                        s = network.encode(h, size)
                        torch.testing.assert_close(loaded.encode(h, size), s)
                        torch.testing.assert_close(loaded.decode(s), network.decode(s))

    def test_counts_are_those_of_the_papers(self):
        def made(codec, sizes, na=32, nt=32, **options):
            return networks.make(codec, na, nt, sizes, **options)

        # CsiNet: Keras' own count; and Csi-L2O's Tables II and III, which leave out biases and
        # normalization.
        self.assertEqual(parameters(made("csinet", [512])), 2103116)
        for size, encoder, decoder in ((256, 0.524, 0.527), (128, 0.262, 0.265),
                                       (64, 0.131, 0.134), (32, 0.066, 0.069)):
            network = made("csinet", [size])
            weights = {"encoder": 0, "decoder": 0}
            for name, value in network.named_parameters():
                if value.dim() > 1:
                    weights["encoder" if name.startswith("encoder") else "decoder"] += \
                        value.numel()
            self.assertEqual(round(weights["encoder"] / 1e6, 3), encoder)
            self.assertEqual(round(weights["decoder"] / 1e6, 3), decoder)
            operations = network.multiply_adds()
            self.assertEqual(round(operations["encoder"] / 1e6, 3),
                             {256: 0.561, 128: 0.299, 64: 0.168, 32: 0.102}[size])
        # NR-CsiNet: MLCF's Table II, with half of the delay rows.
        for size, count in ((96, 593294), (192, 1183310), (384, 2363342)):
            self.assertEqual(parameters(made("nr-csinet", [2 * size], 24)), count)
        # CLNet: its README.
        for size, count in ((512, 2102), (256, 1053), (128, 528.7), (64, 266.5), (32, 135.4)):
            self.assertAlmostEqual(parameters(made("clnet", [size])) / 1e3, count, delta=0.5)
        # TransNet: Csi-L2O's tables, which leave out the projections of the attention and count
        # both dense layers to the decoder.
        for size, encoder, decoder in ((256, 0.789, 1.315), (128, 0.526, 0.791),
                                       (64, 0.395, 0.530), (32, 0.330, 0.398)):
            network = made("transnet", [size])
            first = parameters(network.encoder_layer) \
                - parameters(network.encoder_layer.attention)
            dense = parameters(network.encoder_dense)
            # Printed without rounding.
            self.assertEqual((first + dense) // 1000, round(1000 * encoder))
            layer = network.decoder_layer
            second = parameters(layer) - parameters(layer.attention) - parameters(layer.cross) \
                + parameters(network.last) + parameters(network.decoder_dense)
            self.assertAlmostEqual((second + dense - size) / 1e6, decoder, delta=1.1e-3)
        # FISTA-Net: its README, where 81 biases a phase count that are not used.
        for size, count, operations in ((512, 1.09, 74.7), (256, 0.56, 53.7), (128, 0.30, 43.3),
                                        (64, 0.17, 38.0), (32, 0.10, 35.4)):
            network = made("fista-net", [size])
            self.assertEqual(round((parameters(network) + 81 * 20) / 1e6, 2), count)
            # The first gradient step starts at zero, which saves one product.
            self.assertAlmostEqual(
                (network.multiply_adds()["decoder"] + 2048 * size) / 1e6, operations, delta=0.06)
        # TiLISTA: Csi-L2O's Table III.
        for size in (512, 128, 32):
            network = made("tilista", [size])
            self.assertEqual(round((parameters(network) - size * 2048) / 1e6, 3), 0.033)
        # SM- and PM-CsiNet+: Csi-L2O's Table V; 1.649 there is 1.049 with a wrong digit.
        for codec, count in (("sm-csinet-plus", 1221968), ("pm-csinet-plus", 1049488)):
            network = made(codec, [64, 128, 256, 512])
            self.assertEqual(parameters(network) - parameters(network.decoders), count)
            self.assertEqual(round(parameters(network.decoders[0].dense) / 1e3), 133)

    def test_prefixes(self):
        """Shorter codewords of PM-CsiNet+ are beginnings, those of SM-CsiNet+ are not."""
        h = matrices(2)
        for codec, same in (("pm-csinet-plus", True), ("sm-csinet-plus", False)):
            network = small(codec).eval()
            with torch.no_grad():
                whole, part = network.encode(h), network.encode(h, 16)
            self.assertEqual(torch.equal(part, whole[:, :16]), same)

    def test_fista_net_is_its_formula(self):
        """One phase by plain operations in double precision."""
        network = used(small("fista-net", phases=1)).double()
        h = matrices(2).double()
        with torch.no_grad():
            s = network.encode(h)
            torch.testing.assert_close(s, h @ network.w.t())
            phase = network.layers[0]
            x = (network.steps[0] * (s @ network.w)).reshape(2, 2, NA, NT)
            u = torch.nn.functional.conv2d(x, phase.into.weight, padding=1)
            f, g = ([layer.weight[:, :, 0, 0] for layer in layers]
                    for layers in (phase.forward_layers, phase.inverse_layers))
            z = torch.einsum("ij,bjyx->biyx", f[1], torch.relu(
                torch.einsum("ij,bjyx->biyx", f[0], u)))
            mean = z.abs().mean((2, 3))
            limit = (mean * torch.sigmoid(phase.excite(torch.relu(phase.norm(
                phase.squeeze(mean))))))[:, :, None, None]
            z = torch.sign(z) * torch.relu(z.abs() - limit)
            v = torch.einsum("ij,bjyx->biyx", g[1], torch.relu(
                torch.einsum("ij,bjyx->biyx", g[0], z)))
            expected = x + torch.nn.functional.conv2d(v, phase.out.weight, padding=1)
            torch.testing.assert_close(network.layers[0](x, False)[0], x + (
                expected - x).float().double(), rtol=1e-5, atol=1e-5)

    def test_tilista_works_in_the_spatial_domain(self):
        """`spatial` is the inverse DFT over the angles of each delay row."""
        network = small("tilista")
        h = matrices(2)
        ha = torch.complex(h[:, :NA * NT], h[:, NA * NT:]).reshape(2, NA, NT)
        rows = network.spatial(h)
        expected = torch.fft.ifft(ha, dim=2, norm="ortho")
        torch.testing.assert_close(torch.complex(rows[..., :NT], rows[..., NT:]), expected,
                                   rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(network.angular(rows), h, rtol=1e-4, atol=1e-4)

    def test_components(self):
        """Principal components of real channels, and orthonormal rows that hold their energy."""
        channel = make_channel("cost2100-indoor", nt=NT)
        ha = normalized(csifeedback.generate_channels(channel, 0, 300, NA, 2)[0]).reshape(300, -1)
        h = torch.from_numpy(np.concatenate([ha.real, ha.imag], 1))
        components = networks.Components.of(h)
        values, u = np.linalg.eigh(linear.covariance([ha.reshape(-1, NA, NT)], NA * NT, 300))
        np.testing.assert_allclose(components.values, values[::-1], atol=1e-4 * values[-1])
        strongest = components.vectors[0].numpy()
        self.assertAlmostEqual(abs(np.vdot(u[:, -1], strongest)), 1, places=4)
        w = components.coloured_rows(32)
        torch.testing.assert_close(w @ w.t(), torch.eye(32), rtol=0, atol=1e-5)
        kept = float((h @ w.t()).square().sum() / h.square().sum())
        self.assertGreater(kept, 2 * 32 / (2 * NA * NT))

    def test_start_from_components(self):
        """Networks with dense layers begin as a KLT behind LeakyReLUs: better than random ones, which
        are no better than zero; codewords of all lengths are the products of the same rows."""
        channel = make_channel("cost2100-indoor", nt=NT)
        ha = normalized(csifeedback.generate_channels(channel, 0, 500, NA, 2)[0]).reshape(500, -1)
        h = torch.from_numpy(np.concatenate([ha.real, ha.imag], 1))
        components = networks.Components.of(h)
        rows = components.rows(32)
        torch.testing.assert_close(rows @ rows.t(), torch.eye(32), rtol=0, atol=1e-5)
        # Two real values for each of the 16 strongest components.
        kept = (h @ rows.t()).square().sum() / h.square().sum()
        self.assertAlmostEqual(float(kept), float(components.values[:16].sum()
                                                  / components.values.sum()), places=4)
        for codec in ("csinet", "nr-csinet", "clnet", "sm-csinet-plus", "pm-csinet-plus"):
            with self.subTest(codec):
                losses = []
                for start_from in ("xavier", "components"):
                    network = small(codec, start_from=start_from)
                    self.assertEqual(network.settings(), {"start_from": start_from})
                    network.start(components)
                    # With the statistics of this batch.
                    network.train()
                    with torch.no_grad():
                        losses.append(10 * np.log10(float(networks.relative_error(
                            network.decode(network.encode(h)), h))))
                self.assertGreater(losses[0], -0.5)
                self.assertLess(losses[1], -1.5)
                if codec in networks.MULTI_RATE:
                    with torch.no_grad():
                        features = network.features(h)
                        for size, s in zip(network.code_sizes, network.codewords(h)):
                            torch.testing.assert_close(s, features @ components.rows(size).t(),
                                                       rtol=1e-4, atol=1e-4)
        with self.assertRaisesRegex(ValueError, "start_from is zeros, allowed is xavier or comp"):
            small("clnet", start_from="zeros")

    def test_bad_networks(self):
        for arguments, text in (
                (("csinet", NA, NT, [8, 16]), "codewords of one length"),
                (("transnet", 3, 5, [4]), "multiple of 32"),
                (("fista-net", NA, NT, [8]), "phases is 0")):
            options = {"phases": 0} if "phases" in text else {}
            with self.assertRaisesRegex(ValueError, text):
                networks.make(*arguments, **options)
        with self.assertRaisesRegex(ValueError, "no option layers"):
            networks.make("csinet", NA, NT, [8], layers=2)


class Files(unittest.TestCase):

    def write(self, network, path):
        Model({"nc": 64, "na": NA, "nt": NT, "precursor": 2, **networks.attributes(network)},
              networks.arrays(network)).write(path)

    def test_a_file_gives_the_network_back(self):
        """Weights are float16 in the file, and the network of the file codes as well."""
        h = matrices(5)
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "model.h5")
            for codec in networks.SYSTEMS:
                with self.subTest(codec), torch.no_grad():
                    network = used(small(codec))
                    self.write(network, path)
                    # Two bytes a weight, and what HDF5 needs for each array.
                    self.assertLess(os.path.getsize(path), 2 * parameters(network) + 20000
                                    + 1200 * len(networks.arrays(network)))
                    loaded = networks.load_network(path)
                    self.assertFalse(loaded.training)
                    self.assertEqual(loaded.settings(), network.settings())
                    with h5py.File(path, "r") as file:
                        file["network"].visititems(lambda name, item: self.assertTrue(
                            not isinstance(item, h5py.Dataset) or item.dtype == np.float16, name))
                    expected = network.decode(network.encode(h))
                    got = loaded.decode(loaded.encode(h))
                    self.assertLess(float((got - expected).square().sum()
                                          / expected.square().sum()), 1e-4)
                    # What is read and written again keeps its type.
                    again = os.path.join(directory, "again.h5")
                    read_model(path).write(again)
                    self.assertLess(os.path.getsize(again), 1.1 * os.path.getsize(path))
                    torch.testing.assert_close(networks.load_network(again).encode(h),
                                               loaded.encode(h), rtol=0, atol=0)

    def test_bad_files(self):
        network = small("tilista")
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "model.h5")

            def change(text, edit):
                self.write(network, path)
                with h5py.File(path, "r+") as file:
                    edit(file)
                with self.assertRaisesRegex(ValueError, text) as caught:
                    networks.load_network(path)
                self.assertIn("model.h5", str(caught.exception))

            def replace(file, name, value):
                del file[name]
                file[name] = value

            change("no array 'network/w'", lambda f: f.__delitem__("network/w"))
            change("has shape", lambda f: replace(f, "network/w", np.zeros((3, 4), np.float16)))
            change("not finite", lambda f: replace(
                f, "network/w", np.full((32, 2 * NA * NT), np.inf, np.float16)))
            change("does not describe", lambda f: f.attrs.__setitem__("network", "nonsense"))
            change("does not describe", lambda f: f.attrs.__setitem__(
                "network", json.dumps({"code_sizes": [32], "layers": "many"})))
            change("does not describe", lambda f: f.attrs.__setitem__(
                "network", json.dumps({"code_sizes": [10**12]})))
            change("is a model of the codec klt", lambda f: f.attrs.__setitem__("codec", "klt"))
        with torch.no_grad():
            network.w[0, 0] = 1e6
        with self.assertRaisesRegex(ValueError, "weight w is .* too large for float16"):
            networks.arrays(network)


class Trainer(unittest.TestCase):

    def test_draws(self):
        """Every matrix once an epoch, the same for the same seed."""
        draws = training.Draws(70, 4, 5)
        index = np.concatenate([draws.block(b)[0].ravel() for b in range(7)])
        for epoch in range(len(index) // 70):
            self.assertEqual(sorted(index[70 * epoch:70 * (epoch + 1)]), list(range(70)))
        again = training.Draws(70, 4, 5)
        np.testing.assert_array_equal(again.block(3)[0], draws.block(3)[0])
        np.testing.assert_array_equal(again.block(3)[1], draws.block(3)[1])
        self.assertFalse(np.array_equal(training.Draws(70, 4, 6).block(3)[0], draws.block(3)[0]))

    def test_schedule(self):
        schedule = training.Schedule(100, 10.0)
        self.assertEqual(schedule.share(50, 1), 0.5)
        self.assertEqual(schedule.share(50, 9), 0.9)
        self.assertEqual(schedule.share(500, 9), 1)
        factors = [schedule.factor(x) for x in np.linspace(0, 1, 101)]
        self.assertAlmostEqual(max(factors), 1, places=2)
        self.assertAlmostEqual(factors[-1], training.LAST_RATE)
        self.assertEqual(sorted(factors[3:], reverse=True), factors[3:])

    def test_turned(self):
        h = matrices(3)
        phase = torch.tensor([0.3, -1.0, 3.0])
        n = NA * NT
        expected = torch.complex(h[:, :n], h[:, n:]) * torch.exp(1j * phase)[:, None]
        got = training.turned(h, phase)
        torch.testing.assert_close(torch.complex(got[:, :n], got[:, n:]), expected,
                                   rtol=1e-5, atol=1e-5)

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        for name, count, first in (("train.h5", 400, 0), ("test.h5", 50, 1000000)):
            done = run_program("dataset", "generate", "--channel", "cost2100-indoor", "--nc",
                               256, "--spacing-hz", 20e6 / 256, "--nt", NT, "--na", NA,
                               "--precursor", 2, "--samples", count, "--first", first,
                               "-o", os.path.join(cls.directory.name, name))
            if done.returncode:
                raise RuntimeError(done.stderr)

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    def train(self, *arguments):
        """csifeedback_train in this process, which has PyTorch already."""
        return train.main([str(a) for a in ("--dataset", self.path("train.h5"), "--device", "cpu",
                                            *arguments)])

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def test_training_lowers_the_error(self):
        """A few seconds each; every codec beats its untrained self by the margin stated here."""
        margins = {"csinet": 0.7, "nr-csinet": 0.7, "clnet": 0.1, "transnet": 5,
                   "fista-net": 0.7, "tilista": 0.7, "sm-csinet-plus": 0.1,
                   "pm-csinet-plus": 0.1}
        channel = make_channel("cost2100-indoor", nt=NT, nc=256, spacing_hz=20e6 / 256)
        ha = normalized(csifeedback.generate_channels(channel, 0, 1000, NA, 2)[0])
        ha = ha.reshape(len(ha), -1)
        h = torch.from_numpy(np.concatenate([ha.real, ha.imag], 1))
        for codec, margin in margins.items():
            with self.subTest(codec):
                network = small(codec)
                network.start(networks.Components.of(h))
                steps = 50 if codec in networks.MULTI_RATE else 100
                run = training.Run(network, h[:900], h[900:], training.Schedule(steps), 16, 3e-3,
                                   reports=2)
                run.train()
                first, last = [np.mean([c[k] for k in c if k.startswith("nmse")])
                               for c in (run.curve[0], run.curve[-1])]
                self.assertLess(last, first - margin)
                # The network has the best state.
                self.assertAlmostEqual(np.mean(run.validate()), run.best, places=4)

    def test_program(self):
        """From the data set to the model file, its curve and its error on other channels."""
        model = self.path("model.h5")
        self.train("--codec", "fista-net", "--ratio", "1/8", "--option", "phases=2", "--steps", 100,
                   "--batch", 16, "--reports", 2, "--test", self.path("test.h5"), "-o", model)
        attributes = read_model(model).attributes
        figures = json.loads(attributes["nmse"])
        self.assertEqual([f["ratio"] for f in figures], ["1/8"])
        self.assertLess(figures[0]["nmse_db"], -3)
        network = networks.load_network(model)
        self.assertEqual(network.settings()["phases"], 2)
        self.assertIn("--option phases=2", attributes["command"])
        self.assertEqual((attributes["seed"], attributes["steps"], attributes["batch"]),
                         (1, 100, 16))
        with open(model + ".csv") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([int(r["step"]) for r in rows], [0, 50, 100])
        self.assertEqual(json.loads(attributes["curve"])[-1]["step"], 100)
        # The figure of the program is that of the network of the file.
        ratios = training.errors(network, vectors(self.path("test.h5")))
        self.assertAlmostEqual(10 * np.log10(float(ratios.mean())), figures[0]["nmse_db"],
                               places=3)

    def test_codec_in_the_chain(self):
        """Models are codecs like any other: evaluated, quantized, from their file alone."""
        for codec, sizes in (("tilista", [32]), ("pm-csinet-plus", [16, 32]),
                             ("sm-csinet-plus", [16, 32])):
            with self.subTest(codec):
                model = self.path(codec + ".h5")
                self.train("--codec", codec, "--ratio", *[f"{m}/256" for m in sizes], "--steps",
                           50, "--batch", 8, "--reports", 1, "-o", model)
                opened = csifeedback.open_codec(model)
                self.assertEqual(opened.label, opened.codec.title)
                self.assertEqual([m for m in range(1, 65) if opened.sends(m)], sizes)
                with Dataset(self.path("test.h5")) as data:
                    evaluator = Evaluator(data.angular_delay(), data.energy_lost, data.nc,
                                          data.precursor, rho_samples=5)
                network = networks.load_network(model)
                for size in sizes:
                    row = evaluator.run(opened, size)
                    ratios = training.errors(network, vectors(self.path("test.h5")), size)
                    self.assertAlmostEqual(row["nmse_db"], 10 * np.log10(float(ratios.mean())),
                                           places=2)
                    # Tables of this length, or its beginning of the longest one's.
                    coarse = evaluator.run(opened, size, "lloyd-max", 5)["nmse_db"]
                    self.assertLess(abs(coarse - row["nmse_db"]), 1)
                    arrays = read_model(model).arrays
                    group = "quantizer/16/" if (codec, size) == ("sm-csinet-plus", 16) else "quantizer/"
                    s = network.encode(vectors(self.path("train.h5")), size).detach().numpy()
                    np.testing.assert_allclose(arrays[group + "std"][:size],
                                               np.sqrt(np.mean(s ** 2, axis=0)), rtol=0.2)
                    self.assertEqual("quantizer/16/std" in arrays, codec == "sm-csinet-plus")
                with self.assertRaisesRegex(ValueError, "allowed for .* is "):
                    opened.encoder(17)
                encoder, decoder = opened.operations(sizes[-1])
                self.assertEqual({**encoder, **decoder}, network.multiply_adds(sizes[-1]))

    def test_resume(self):
        """Interrupted and continued is the same as in one piece, bit for bit."""
        outputs = [self.path(name) for name in ("whole.h5", "cut.h5")]

        def arguments(output, steps=600):
            return ["--codec", "csinet", "--ratio", "1/8", "--steps", steps, "--batch", 16,
                    "--reports", 3, "--seed", 4, "-o", output]

        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        self.addCleanup(torch.set_num_threads, threads)
        self.train(*arguments(outputs[0]))

        # Ctrl-C after the second block of steps.
        advance = training.Run.advance

        def interrupted(run):
            advance(run)
            if run.step == 100:
                os.kill(os.getpid(), signal.SIGINT)

        training.Run.advance = interrupted
        try:
            with self.assertRaises(KeyboardInterrupt):
                self.train(*arguments(outputs[1]))
        finally:
            training.Run.advance = advance
        self.assertFalse(os.path.exists(outputs[1]))
        # A checkpoint is arrays and JSON: nothing in it is executed.
        with np.load(outputs[1] + ".checkpoint", allow_pickle=False) as file:
            self.assertEqual(json.loads(str(file["values"]))["step"], 100)
        self.train(*arguments(outputs[1]))
        first, second = (read_model(path) for path in outputs)
        for name, array in first.arrays.items():
            np.testing.assert_array_equal(second.arrays[name], array, name)
        with self.assertRaisesRegex(ValueError, "with other options"):
            self.train(*arguments(outputs[0], 700))
        with open(outputs[0] + ".checkpoint", "wb") as file:
            file.write(b"\x80\x04nonsense")
        with self.assertRaisesRegex(ValueError, "is no checkpoint"):
            self.train(*arguments(outputs[0]))

    def test_bad_options(self):
        for codec, options, text in (
                ("csinet", ["--ratio", "1/0"], "--ratio is 1/0"),
                ("csinet", ["--ratio", "1/4", "1/8"], "--ratio has 2 ratios"),
                ("csinet", ["--option", "phases=2"], "allowed for csinet is start_from"),
                ("fista-net", ["--option", "phases=x"], "phases=x is no whole number"),
                ("transnet", ["--option", "scale=x"], "scale=x is no number"),
                ("csinet", ["--budget-minutes", "-1"], "--budget-minutes is -1"),
                ("csinet", ["--batch", "1000"], "--batch is 1000, allowed is 1 to"),
                ("csinet", ["--precision", "bfloat16"], "--precision is bfloat16"),
                ("csinet", ["--device", "nowhere"], "--device is nowhere")):
            with self.subTest(text), self.assertRaisesRegex(ValueError, text):
                self.train("--codec", codec, "-o", self.path("bad.h5"), *options)


class Shipped(unittest.TestCase):

    def test_shipped_models(self):
        """Each has on 100 drops about the error that its file states for 10,000."""
        names = sorted(os.path.basename(p)[:-3] for p in
                       glob.glob(os.path.join(os.environ["CSIFEEDBACK_MODELS"], "*.h5")))
        h = {}
        found = size = 0
        for name in names:
            model = csifeedback.model_file(name)
            # Eigenvectors have no error to state; tests of eigenvectors measure these models.
            if model.codec not in networks.SYSTEMS or model.text("matrices") == "W":
                continue
            found += 1
            size += os.path.getsize(model.path)
            with self.subTest(name):
                scenario = model.text("channel")
                if scenario not in h:
                    channel = model_channel(model)
                    ha = normalized(csifeedback.generate_channels(
                        channel, 1000000, 100, 32, 4)[0]).reshape(100, -1)
                    h[scenario] = torch.from_numpy(np.concatenate([ha.real, ha.imag], 1))
                network = networks.load_network(name)
                stated = {round(network.size * Fraction(row["ratio"])): row["nmse_db"]
                          for row in json.loads(model.text("nmse"))}
                self.assertEqual(sorted(stated), network.code_sizes)
                for code_size, nmse_db in stated.items():
                    ratios = training.errors(network, h[scenario], code_size).numpy()
                    low, high = (np.mean(ratios) + side * 4 * np.std(ratios) / 10
                                 for side in (-1, 1))
                    self.assertLess(low, 10 ** (nmse_db / 10))
                    self.assertGreater(high, 10 ** (nmse_db / 10))
        self.assertGreaterEqual(found, 20)
        self.assertLess(size, 30e6)


def vectors(path):
    """h_vec of all matrices of a data set, float (N, 2 na nt)."""
    with Dataset(path) as data:
        ha = normalized(data.angular_delay())
    flat = ha.reshape(len(ha), -1)
    return torch.from_numpy(np.concatenate([flat.real, flat.imag], 1))


@unittest.skipUnless(os.environ.get("CSIFEEDBACK_LONG_TESTS"), "two minutes a codec")
class LongTraining(unittest.TestCase):
    """Two minutes of training on 32 x 32 matrices: better by the margins in dB stated here."""

    MARGINS = {"csinet": 5, "nr-csinet": 5, "clnet": 2, "transnet": 15, "fista-net": 5,
               "tilista": 3, "sm-csinet-plus": 1, "pm-csinet-plus": 1}

    def test_all(self):
        channel = make_channel("cost2100-indoor")
        ha = normalized(csifeedback.generate_channels(channel, 0, 20000, 32, 4)[0])
        ha = ha.reshape(len(ha), -1)
        h = torch.from_numpy(np.concatenate([ha.real, ha.imag], 1).astype(np.float16))
        for codec, margin in self.MARGINS.items():
            with self.subTest(codec):
                torch.manual_seed(1)
                sizes = [64, 128, 256, 512] if codec in networks.MULTI_RATE else [128]
                network = networks.make(codec, 32, 32, sizes)
                network.start(networks.Components.of(h))
                run = training.Run(network, h[:19000], h[19000:], training.Schedule(seconds=120),
                                   32, network.recipe["learning_rate"], reports=4)
                run.train()
                first, last = [np.mean([c[k] for k in c if k.startswith("nmse")])
                               for c in (run.curve[0], run.curve[-1])]
                print(f"{codec}: {first:.2f} to {last:.2f} dB in {run.step} steps",
                      file=sys.stderr)
                self.assertLess(last, first - margin)


if __name__ == "__main__":
    unittest.main()
