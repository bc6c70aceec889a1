#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Codecs of whole matrices: KLTs and MLCF, trained, evaluated beside codecs of Ha, and run as a
flowgraph."""

import csv
import json
import os
import shutil
import tempfile
import unittest
from unittest import mock

import h5py
import numpy as np
from common import run_program
from gnuradio import csifeedback
from gnuradio.csifeedback import channels, evaluation
from gnuradio.csifeedback.data.dataset import Dataset
from gnuradio.csifeedback.experiments import comparison
from gnuradio.csifeedback.model import Model
from gnuradio.csifeedback.simulation import Loopback
from gnuradio.csifeedback.training import quantizers

NC, NT, NA = 24, 8, 12
SIZES = ("--channel", "cdl-b", "--nc", NC, "--nt", NT, "--na", NA, "--precursor", 2,
         "--spacing-hz", 360e3)


def nmse_db(h, estimate):
    ratio = np.sum(np.abs(h - estimate) ** 2, axis=(1, 2)) / np.sum(np.abs(h) ** 2, axis=(1, 2))
    return 10 * np.log10(np.mean(ratio))


class Domain(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        for name, *options in (("train", "--samples", 400, "--whole"),
                               ("test", "--samples", 60, "--first", 10**6, "--whole"),
                               ("cut", "--samples", 60, "--first", 10**6),
                               ("other", "--samples", 3, "--whole", "--nc", NC + 2)):
            cls.succeed("dataset", "generate", *SIZES, *options, "-o", cls.path(name))
        for codec in ("klt-columns", "klt-cells", "klt"):
            done = cls.succeed("train", "--codec", codec, "--dataset", cls.path("train"), "--test",
                               cls.path("test"), "--entry-bits", 2, "--json", "-o",
                               cls.path(codec))
            setattr(cls, codec.replace("-", "_"), json.loads(done.stdout)["figures"])
        with Dataset(cls.path("train")) as train, Dataset(cls.path("test")) as test:
            cls.train, cls.test = train.read(0, 400), test.read(0, 60)
            cls.lost = test.energy_lost

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.directory.name, name + ".h5")

    @classmethod
    def succeed(cls, *arguments):
        done = run_program(*arguments)
        if done.returncode:
            raise AssertionError(done.stderr)
        return done

    def refuse(self, text, *arguments):
        done = run_program(*arguments)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertIn(text, done.stderr.strip().splitlines()[-1])

    def normalized(self, h):
        return h / np.sqrt(np.mean(np.abs(h) ** 2, axis=(1, 2), keepdims=True))

    def columns(self, h):
        """[Re; Im] of the columns of single antennas, (2 NC, n NT)."""
        x = np.concatenate([h.real, h.imag], axis=1).astype(float)
        return x.swapaxes(0, 1).reshape(2 * NC, -1)

    def test_model_files(self):
        for codec, domain, na, precursor in (("klt-columns", "H", NC, 0), ("klt-cells", "H", NC, 0),
                                             ("klt", "Ha", NA, 2)):
            model = csifeedback.model_file(self.path(codec))
            self.assertEqual((model.domain, model.na, model.nc, model.precursor),
                             (domain, na, NC, precursor))

    def test_columns_are_principal_components(self):
        """The errors of a PCA of columns by SVD in double precision."""
        vectors = np.linalg.svd(self.columns(self.normalized(self.train)),
                                full_matrices=False)[0]
        gain = np.sqrt(np.mean(np.abs(self.test) ** 2, axis=(1, 2), keepdims=True))
        x = self.columns(self.test / gain)
        for row in self.klt_columns:
            d, rest = divmod(row["code_size"], NT)
            if rest:
                continue
            u = vectors[:, :d]
            y = (u @ (u.T @ x)).reshape(2 * NC, -1, NT).swapaxes(0, 1)
            estimate = (y[:, :NC] + 1j * y[:, NC:]) * gain
            self.assertAlmostEqual(row["nmse_db"], nmse_db(self.test, estimate), delta=0.01)
        self.assertGreaterEqual(len(self.klt_columns), 3)
        # Codewords in order of components, each of all antennas.
        model = csifeedback.model_file(self.path("klt-columns"))
        s, _ = csifeedback.linear_encoder(model, 3 * NT).encode(self.test)
        parts = np.abs(vectors[:, :3].T @ x).reshape(3, -1, NT).swapaxes(0, 1).reshape(-1, 3 * NT)
        np.testing.assert_allclose(np.abs(s), parts, atol=2e-3)
        # All antennas share their tables.
        std = model.read("quantizer/std").reshape(-1, NT)
        np.testing.assert_array_equal(std, np.repeat(std[:, :1], NT, axis=1))
        np.testing.assert_allclose(
            std[:3, 0], np.sqrt(np.mean((vectors[:, :3].T @ self.columns(
                self.normalized(self.train))) ** 2, axis=1)), rtol=1e-4)

    def test_cells_are_the_strongest(self):
        """Eigenvectors over frequency x DFT over antennas, by their mean power."""
        train = self.normalized(self.train).astype(complex)
        c = np.einsum("ikn,iln->kl", train, train.conj())
        v = np.linalg.eigh(c)[1]
        f = np.fft.fft(np.eye(NT), norm="ortho")
        power = np.sum(np.abs(v.conj().T @ train @ f) ** 2, axis=0)
        order = np.argsort(-power.ravel())
        for row in self.klt_cells:
            keep = np.zeros(NC * NT)
            keep[order[:row["code_size"] // 2]] = 1
            cells = v.conj().T @ self.test @ f * keep.reshape(NC, NT)
            estimate = v @ cells @ f.conj().T
            self.assertAlmostEqual(row["nmse_db"], nmse_db(self.test, estimate), delta=0.01)

    def test_both_domains_side_by_side(self):
        rows = json.loads(self.succeed(
            "eval", "--codec", self.path("klt-columns"), "--codec", self.path("klt"), "--codec",
            self.path("klt-cells"), "--dataset", self.path("test"), "--ratios", "1/4",
            "--bits", 0, 5, "--json").stdout)
        columns, _, cut, quantized, cells, _ = rows
        self.assertEqual([r["codec"] for r in rows[::2]],
                         ["KLT of columns", "KLT", "KLT x DFT cells"])
        self.assertAlmostEqual(columns["nmse_db"], self.klt_columns[0]["nmse_db"], places=4)
        self.assertAlmostEqual(cells["rho"], self.klt_cells[0]["rho"], places=5)
        for figure in ("nmse_db", "nmse_whole_db", "rho"):
            self.assertAlmostEqual(cut[figure], self.klt[0][figure], places=3)
        self.assertEqual(columns["nmse_whole_db"], columns["nmse_db"])
        self.assertGreater(quantized["nmse_db"], cut["nmse_db"])
        # In the same units: against the whole channel, by the objects alone.
        model = csifeedback.model_file(self.path("klt"))
        transform = csifeedback.angular_delay_transform(NC, NT, NA, 2)
        s, gain = csifeedback.linear_encoder(model, cut["code_size"]).encode(
            transform.forward(self.test)[0])
        estimate = transform.inverse(csifeedback.linear_decoder(model, len(s[0])).decode(s, gain))
        self.assertAlmostEqual(cut["nmse_whole_db"], nmse_db(self.test, estimate), delta=0.01)
        model = csifeedback.model_file(self.path("klt-columns"))
        s, gain = csifeedback.linear_encoder(model, columns["code_size"]).encode(self.test)
        estimate = csifeedback.linear_decoder(model, len(s[0])).decode(s, gain)
        rho = np.mean(np.abs(np.sum(estimate * self.test.conj(), axis=2))
                      / np.linalg.norm(estimate, axis=2) / np.linalg.norm(self.test, axis=2))
        self.assertAlmostEqual(columns["rho"], rho, places=5)

    def test_flowgraph_agrees_with_evaluation(self):
        codec = evaluation.Codec(self.path("klt-columns"))
        evaluator = evaluation.Evaluator(None, None, NC, 0, h=self.test)
        channel = csifeedback.dataset_channel(self.path("test"))
        for size, kind, bits in ((6 * NT, "lloyd-max", 5), (3 * NT, "allocated", 3)):
            expected = evaluator.run(codec, size, kind, bits)
            flowgraph = Loopback(channel, codec.encoder(size), codec.decoder(size),
                                 evaluation.make_quantizer(codec.model, kind, size, bits), 60,
                                 codec.model.na, codec.model.precursor, domain=codec.model.domain)
            flowgraph.run_to_end()
            figures = flowgraph.figures()
            self.assertIsNone(flowgraph.transform)
            self.assertIsNone(flowgraph.inverse)
            self.assertEqual(figures["matched"], 60)
            self.assertEqual(figures["energy_lost"], 0)
            for key in ("nmse_db", "nmse_db_low", "nmse_db_high", "nmse_whole_db"):
                self.assertAlmostEqual(figures[key], expected[key], delta=0.01)
            for key in ("rho", "rho_whole"):
                self.assertAlmostEqual(figures[key], expected["rho"], places=4)
            self.assertEqual(figures["bits_per_csi"], expected["frame_bits"])

    def test_sim(self):
        common = ("--codec", self.path("klt-cells"), "--dataset", self.path("test"), "--json")
        figures = json.loads(self.succeed("sim", *common, "--ratio", "1/8", "--bits", 4).stdout)
        row = json.loads(self.succeed("eval", *common, "--ratios", "1/8", "--bits", 4).stdout)[0]
        self.assertAlmostEqual(figures["nmse_db"], row["nmse_db"], delta=0.01)
        self.assertAlmostEqual(figures["rho"], row["rho"], places=4)
        # The model says what channel it was trained on.
        done = self.succeed("sim", "--codec", self.path("klt-columns"), "--samples", 20)
        self.assertNotIn("delay rows", done.stdout)

    def test_bench(self):
        figures = json.loads(self.succeed(
            "bench", "--codec", self.path("klt-columns"), "--codec", self.path("klt-cells"),
            "--ratio", "1/16", "--repeats", 1, "--batch", 3, "--json").stdout)
        done = {(r["codec"], r["operation"], r["by"]) for r in figures["results"]}
        self.assertIn(("KLT of columns", "decode, linear", "NumPy"), done)
        self.assertIn(("KLT x DFT cells", "decode, linear", "NumPy (complex)"), done)
        flowgraph = json.loads(self.succeed("bench", "--codec", self.path("klt-columns"), "--ratio",
                                            "1/8", "--flowgraph", 20, "--json").stdout)
        self.assertEqual(flowgraph["flowgraphs"][0]["matched"], 120)

    def test_complexity(self):
        rows = json.loads(self.succeed("eval", "--codec", self.path("klt-columns"), "--codec",
                                       self.path("klt-cells"), "--ratios", "1/8", "--complexity",
                                       "--json").stdout)
        m = 2 * NC * NT // 8
        self.assertEqual([(r["encoder"], r["decoder"]) for r in rows],
                         [(m * 2 * NC,) * 2, (m * 2 * NC * NT,) * 2])

    def test_spectral_efficiency(self):
        """Each codec, perfect CSI and the best beam, by the objects on the same groups."""
        done = self.succeed(
            "eval", "--codec", self.path("klt-columns"), "--codec", self.path("klt"), "--dataset",
            self.path("test"), "--ratios", "1/8", "--spectral-efficiency", 3, "--se-snr", 0, 20,
            10, "--csv", self.path("t") + ".csv", "--plot", self.path("t") + ".png", "--json")
        rows = json.loads(done.stdout)
        self.assertEqual([r["codec"] for r in rows],
                         ["KLT of columns", "KLT", "perfect CSI", "DFT beam"])
        model = csifeedback.model_file(self.path("klt-columns"))
        s, gain = csifeedback.linear_encoder(model, rows[0]["code_size"]).encode(self.test)
        columns = csifeedback.linear_decoder(model, len(s[0])).decode(s, gain)
        model = csifeedback.model_file(self.path("klt"))
        transform = csifeedback.angular_delay_transform(NC, NT, NA, 2)
        s, gain = csifeedback.linear_encoder(model, rows[1]["code_size"]).encode(
            transform.forward(self.test)[0])
        cut = transform.inverse(csifeedback.linear_decoder(model, len(s[0])).decode(s, gain))
        beams = []
        for h in self.test:
            power = [np.linalg.norm(h @ np.exp(-2j * np.pi * np.arange(NT) * a / NT))
                     for a in range(NT)]
            beams.append(np.tile(np.exp(2j * np.pi * np.arange(NT) * np.argmax(power) / NT),
                                 (NC, 1)))
        se = csifeedback.spectral_efficiency(3, NC, NT, [0, 10, 20])
        groups = np.arange(60).reshape(3, 20).T
        for row, estimate in zip(rows, (columns, cut, self.test, np.array(beams))):
            each = se.compute(self.test[groups], estimate[groups])
            self.assertEqual((row["users"], row["se_snr_db"]), (3, [0, 10, 20]))
            np.testing.assert_allclose(row["se"], each.mean(axis=0), rtol=1e-4)
            np.testing.assert_allclose(row["se_half_width"], 1.96 * each.std(axis=0, ddof=1)
                                       / np.sqrt(20), rtol=1e-3)
        self.assertEqual(rows[3]["payload_bits"], 3)
        for row in rows[:2] + rows[3:]:
            self.assertLess(row["se"][2], rows[2]["se"][2])
        with open(self.path("t") + ".csv", newline="") as file:
            table = list(csv.DictReader(file))
        self.assertEqual([float(r["se_20_db"]) for r in table], [r["se"][2] for r in rows])
        self.assertEqual(table[2]["nmse_db"], "")
        self.assertTrue(os.path.exists(self.path("t") + ".png"))
        text = self.succeed("eval", "--codec", self.path("klt"), "--dataset", self.path("test"),
                            "--ratios", "1/8", "--spectral-efficiency", 2, "--precoding",
                            "maximum-ratio").stdout
        self.assertIn("spectral efficiency of 2 users", text)

    def test_without_a_ratio(self):
        """A codec without a ratio is a row of dashes, and does not end the others."""
        command = ("eval", "--codec", self.path("klt-columns"), "--codec", self.path("klt"),
                   "--dataset", self.path("test"), "--ratios", "1/16", "1/128")
        done = self.succeed(*command)
        lines = [line.split() for line in done.stdout.splitlines()[2:]]
        missing = [line for line in lines if "-" in line and "none" not in line]
        self.assertEqual(missing, [["KLT", "klt", "1/128", *["-"] * 13]])
        self.assertEqual(len(lines), 4)
        self.assertIn("left out: ratio is 1/128, which gives a codeword of 1.5 values", done.stderr)
        rows = json.loads(self.succeed(*command, "--complexity", "--json").stdout)
        self.assertEqual([r["ratio"] for r in rows if "missing" in r], ["1/128"])
        self.refuse("ratio is 1/128, which gives", "eval", "--codec", self.path("klt"), "--dataset",
                    self.path("test"), "--ratios", "1/128")
        rows = comparison.evaluate(comparison.Comparison(
            [self.path("klt-columns"), self.path("klt")],
            comparison.Source(self.path("test")), quantizers=["allocated"], budgets=[64, 900]))
        self.assertEqual([(r["codec"], r["budget"]) for r in rows if "missing" in r],
                         [("KLT", 900)])

    def figure(self, rows):
        """What comparison.draw() draws."""
        figures = []
        with mock.patch.object(comparison, "write_figure", lambda figure, *_: figures.append(figure)):
            comparison.draw("", rows)
        return figures[0].axes[0]

    def test_plot_of_both_domains(self):
        """On one axis are errors against the same matrices; each codec has a label of its own."""
        rows = json.loads(self.succeed(
            "eval", "--codec", self.path("klt-columns"), "--codec", self.path("klt"), "--dataset",
            self.path("test"), "--ratios", "1/16", "1/8", "--json").stdout)
        axis = self.figure(rows)
        self.assertIn("whole channel", axis.get_ylabel())
        drawn = {c.get_label(): c.lines[0].get_ydata() for c in axis.containers}
        for codec in ("KLT", "KLT of columns"):
            np.testing.assert_array_equal(
                drawn[codec], [r["nmse_whole_db"] for r in rows if r["codec"] == codec])
        # A number of values is another ratio of larger matrices.
        self.assertNotIn("ratio", axis.get_xlabel())

        one = [r for r in rows if r["codec"] == "KLT"]
        axis = self.figure([*one, *({**r, "model": "mine"} for r in one)])
        self.assertEqual([c.get_label() for c in axis.containers], ["KLT (klt)", "KLT (mine)"])
        np.testing.assert_array_equal(axis.containers[0].lines[0].get_ydata(),
                                      [r["nmse_db"] for r in one])
        self.assertEqual([t.get_text() for t in axis.get_xticklabels()],
                         ["12\n1/16", "24\n1/8"])

    def test_zero_matrices(self):
        """One rule of all programs: counted and named, and left out when asked to."""
        path = self.path("zeros")
        shutil.copy(self.path("test"), path)
        with h5py.File(path, "r+") as file:
            for i in (3, 41):
                file["H"][i] = file["energy"][i] = 0
        programs = (("train", "--codec", "klt", "--entry-bits", 0, "--test", path, "-o",
                     self.path("kept"), "--overwrite"),
                    ("eval", "--codec", self.path("klt"), "--ratios", "1/16"),
                    ("sim", "--codec", self.path("klt"), "--ratio", "1/16", "--bits", 2))
        for program in programs:
            self.refuse("zeros.h5: has 2 of 60 matrices that are zero: 3, 41; --drop-bad leaves "
                        "them out", *program, "--dataset", path)
            done = self.succeed(*program, "--dataset", path, "--drop-bad", "--json")
            self.assertIn("zeros.h5: left out 2 of 60 matrices, zero: 3, 41\n", done.stderr)
            found = json.loads(done.stdout)
            found = found[0] if isinstance(found, list) else found.get("figures", [found])[0]
            self.assertEqual(found.get("samples", found.get("matched")), 58)
        keep = np.delete(np.arange(60), [3, 41])
        with Dataset(path, drop_zero=True) as data:
            np.testing.assert_array_equal(data.zeros, [3, 41])
            np.testing.assert_array_equal(data.whole_matrices(), self.test[keep])
            np.testing.assert_array_equal(data.read(2, 3), self.test[[2, 4, 5]])
            self.assertEqual((len(data), len(data.energy), len(data.energy_lost)), (58, 58, 58))
            with self.assertRaisesRegex(ValueError, "has 58 matrices, asked for are 2 from"):
                data.read(57, 2)
        channel = csifeedback.dataset_channel(path, drop_zero=True)
        self.assertEqual((channel.samples(), csifeedback.dataset_channel(path).samples()), (58, 60))
        np.testing.assert_array_equal(channel.generate(3), self.test[4])
        with h5py.File(path, "r+") as file:
            file["H"][:] = file["energy"][:] = 0
        self.refuse("zeros.h5: all matrices are zero", *programs[1], "--dataset", path, "--drop-bad")

    def test_errors_that_name_whole(self):
        for program, *options in (
                ("eval", "--codec", self.path("klt-columns")),
                ("eval", "--codec", self.path("klt"), "--codec", self.path("klt-cells")),
                ("eval", "--codec", self.path("klt"), "--spectral-efficiency", 2),
                ("sim", "--codec", self.path("klt-columns")),
                ("train", "--codec", "klt-columns", "-o", self.path("none")),
                ("train", "--codec", "klt-cells", "-o", self.path("none"))):
            self.refuse("cut.h5: holds 12 delay rows of each matrix (domain Ha); whole matrices, "
                        "as csifeedback_dataset generate --whole", program, *options, "--dataset",
                        self.path("cut"))
        self.refuse("--whole", "train", "--codec", "klt-cells", "--dataset", self.path("train"),
                    "--test", self.path("cut"), "-o", self.path("none"))
        self.assertFalse(os.path.exists(self.path("none")))

    def test_bad_use(self):
        columns = self.path("klt-columns")
        self.refuse("has matrices of 26 subcarriers, the model is for 24 (codec klt-columns",
                    "sim", "--codec", columns, "--dataset", self.path("other"))
        self.refuse("has matrices of 26 x 8, the training set of 24 x 8", "train", "--codec",
                    "klt-columns", "--dataset", self.path("train"), "--test", self.path("other"),
                    "-o", self.path("none"))
        self.refuse("--truncated", "sim", "--codec", columns, "--truncated")
        self.refuse("decoder is fista, codec klt-columns has linear", "eval", "--codec", columns + ":fista",
                    "--dataset", self.path("test"))
        self.refuse("--code-size is 7, allowed is 8 to 384", "train", "--codec", "klt-columns",
                    "--dataset", self.path("train"), "-o", self.path("none"), "--code-size", 7)
        common = ("eval", "--codec", columns, "--dataset", self.path("test"))
        self.refuse("--spectral-efficiency is 0", *common, "--spectral-efficiency", 0)
        self.refuse("--spectral-efficiency is 65", *common, "--spectral-efficiency", 65)
        self.refuse("users is 61, allowed is up to the number of matrices, 60", *common,
                    "--spectral-efficiency", 61)
        self.refuse("--se-snr is 5 0 1", *common, "--spectral-efficiency", 2, "--se-snr", 5, 0, 1)
        self.refuse("--se-snr is 0 9 0", *common, "--spectral-efficiency", 2, "--se-snr", 0, 9, 0)
        self.refuse("snr_db is 110", *common, "--spectral-efficiency", 2, "--se-snr", 0, 120, 10)
        with h5py.File(self.path("klt-cells"), "r") as file:
            self.assertEqual(file.attrs["domain"], "H")


class Mlcf(unittest.TestCase):
    """A model whose landmarks are columns of a training set, with their principal components."""

    L, K, LAMBDA = 150, 12, 1e-3

    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        channel = csifeedback.cdl_channel("B", nc=NC, nt=NT, spacing_hz=360e3)
        cls.train = csifeedback.generate_channels(channel, 0, 100)[0]
        cls.test = csifeedback.generate_channels(channel, 10**6, 40)[0]
        x = cls.columns(cls.train)[0]
        u = np.linalg.svd(x, full_matrices=False)[0]
        landmarks = x[:, np.random.default_rng(1).permutation(x.shape[1])[:cls.L]].T
        cls.pairs = {d: (landmarks @ u[:, :d], landmarks) for d in (4, 8)}
        arrays = {"encoder/D_H": landmarks, "encoder/D_L": cls.pairs[8][0],
                  "decoder/dimensions": np.array([4, 8])}
        for half in ("encoder", "decoder"):
            arrays[half + "/neighbours"] = np.array([cls.K])
            arrays[half + "/lambda"] = np.array([cls.LAMBDA])
        for d, pair in cls.pairs.items():
            arrays[f"decoder/D_L_{d}"], arrays[f"decoder/D_H_{d}"] = pair
        tables = quantizers.for_antennas(quantizers.fit((u[:, :8].T @ x).T, 3), NT)
        arrays.update({f"quantizer/{name}": table for name, table in tables.items()})
        cls.path = os.path.join(cls.directory.name, "mlcf.h5")
        Model({"codec": "mlcf", "domain": "H", "code_size": 8 * NT, "nc": NC, "na": NC, "nt": NT,
               "precursor": 0, "align": 1, "channel": "cdl-b",
               "parameters": channel.parameters()}, arrays).write(cls.path)
        cls.codec = evaluation.Codec(cls.path)
        cls.evaluator = evaluation.Evaluator(None, None, NC, 0, h=cls.test)

    @classmethod
    def tearDownClass(cls):
        cls.directory.cleanup()

    @staticmethod
    def columns(h):
        """Columns of normalized matrices, (2 NC, n NT), and their gains."""
        gain = np.sqrt(np.mean(np.abs(h) ** 2, axis=(1, 2), keepdims=True))
        x = np.concatenate([(h / gain).real, (h / gain).imag], axis=1).astype(float)
        return x.swapaxes(0, 1).reshape(2 * NC, -1), gain

    def map(self, x, pair):
        """Columns x by their nearest landmarks pair[0], to what pair[1] has of these."""
        y = np.empty((pair[1].shape[1], x.shape[1]))
        for i, one in enumerate(x.T):
            difference = one - pair[0]
            nearest = np.argsort(np.sum(difference ** 2, axis=1))[:self.K]
            r = difference[nearest] @ difference[nearest].T
            a = r + self.LAMBDA * np.diag(np.diag(r)) + 1e-6 * np.mean(np.diag(r)) * np.eye(self.K)
            w = np.linalg.solve(a, np.ones(self.K))
            y[:, i] = pair[1][nearest].T @ w / np.sum(w)
        return y

    def test_evaluation(self):
        """The errors of eqs. (22) and (33) in double precision."""
        self.assertEqual(self.codec.label, "MLCF")
        self.assertFalse(self.codec.iterative)
        x, gain = self.columns(self.test)
        s = self.map(x, (self.pairs[8][1], self.pairs[8][0]))
        for d in (4, 8):
            row = self.evaluator.run(self.codec, d * NT)
            y = self.map(s[:d], self.pairs[d]).reshape(2 * NC, -1, NT).swapaxes(0, 1)
            estimate = (y[:, :NC] + 1j * y[:, NC:]) * gain
            self.assertAlmostEqual(row["nmse_db"], nmse_db(self.test, estimate), delta=0.02)
            self.assertLess(row["nmse_db"], -3)

    def test_flowgraph_agrees_with_evaluation(self):
        channel = channels.model_channel(self.codec.model)
        for d, bits in ((4, 4), (8, 6)):
            size = d * NT
            expected = self.evaluator.run(self.codec, size, "lloyd-max", bits)
            flowgraph = Loopback(channel, self.codec.encoder(size), self.codec.decoder(size),
                                 evaluation.make_quantizer(self.codec.model, "lloyd-max", size,
                                                           bits),
                                 len(self.test), NC, 0, 10**6, domain="H")
            flowgraph.run_to_end()
            figures = flowgraph.figures()
            self.assertEqual(figures["matched"], len(self.test))
            self.assertAlmostEqual(figures["nmse_db"], expected["nmse_db"], delta=0.01)
            self.assertAlmostEqual(figures["rho"], expected["rho"], places=4)
            # With a byte for the encoder's residual energy.
            self.assertEqual(figures["bits_per_csi"], expected["frame_bits"])
            self.assertEqual(expected["frame_bits"], size * bits + 144)

    def test_programs(self):
        row = json.loads(Domain.succeed("eval", "--codec", self.path, "--samples", 30, "--ratios",
                                        "1/6", "1/12", "--spectral-efficiency", 2,
                                        "--json").stdout)[1]
        self.assertEqual((row["codec"], row["code_size"]), ("MLCF", 4 * NT))
        figures = json.loads(Domain.succeed("sim", "--codec", self.path, "--samples", 30, "--ratio",
                                            "1/12", "--bits", 10, "--json").stdout)
        self.assertAlmostEqual(figures["nmse_db"], row["nmse_db"], delta=0.1)
        Domain.succeed("bench", "--codec", self.path, "--ratio", "1/12", "--repeats", 1,
                       "--batch", 2)
        done = run_program("eval", "--codec", self.path, "--samples", 3, "--ratios", "1/64")
        self.assertEqual(done.returncode, 2)
        self.assertIn("multiple of nt", done.stderr)
        done = run_program("eval", "--codec", self.path + ":mlcf,iterations=3", "--samples", 3,
                           "--ratios", "1/12")
        self.assertIn("mlcf has no option iterations", done.stderr)

    def test_complexity(self):
        k, length, values = self.K, self.L, 2 * NC
        for m, d in ((8 * NT, 8), (7 * NT, 4), (NT, 4)):
            parts = evaluation.complexity(self.codec, m)
            solve = k ** 3 // 6 + k * k
            self.assertEqual(parts["encoder_neighbours"], NT * length * values)
            self.assertEqual(parts["encoder"],
                             NT * (length * values + k * values + solve + k * (values + 8)))
            self.assertEqual(parts["neighbours"], NT * length * d)
            self.assertEqual(parts["cholesky"], NT * solve)
            self.assertEqual(parts["decoder"], NT * (length * d + k * d + solve + k * values))
        text = Domain.succeed("eval", "--codec", self.path, "--codec", "cost2100-indoor-klt",
                              "--ratios", "1/16", "--complexity").stdout
        self.assertIn("encoder neighbours, MMAC", text)


if __name__ == "__main__":
    unittest.main()
