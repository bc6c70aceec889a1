#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The path codec in Python: training of its tables, objects, programs, blocks and frames."""

import json
import os
import tempfile
import unittest

import numpy as np
from common import run_program
from gnuradio import blocks, csifeedback, gr
from gnuradio.csifeedback import channels, evaluation
from gnuradio.csifeedback.data.dataset import Dataset
from gnuradio.csifeedback.link.report_format import ReportFormat
from gnuradio.csifeedback.model import Model, read_model
from gnuradio.csifeedback.experiments import bits, path_models, trainings, ue_operations
from gnuradio.csifeedback.training import path as trainer
from gnuradio.csifeedback.training import run

MODEL = "cost2100-indoor-path"
WHOLE = "cost2100-outdoor-path-whole"


def drops(name, count, first=5 * 10**6):
    """Ha of drops that no model was trained on."""
    channel = channels.model_channel(csifeedback.model_file(name))
    return csifeedback.generate_channels(channel, first, count, 32, 4)[0]


def nmse_db(ha, encoder, decoder, budget):
    bits, counts, gain_db = encoder.encode(ha, budget)
    found = decoder.decode(bits, counts, gain_db)
    return 10 * np.log10(np.mean(csifeedback.squared_error_ratio(ha, found)))


class Training(unittest.TestCase):

    def test_tables_save_bits(self):
        """Of a small training set, against equal frequencies; and the model says its figures."""
        with tempfile.TemporaryDirectory() as directory:
            train, test, model = (os.path.join(directory, n) for n in
                                  ("train.h5", "test.h5", "model.h5"))
            for name, count, first in ((train, 150, 0), (test, 100, 10**6)):
                run_program("dataset", "generate", "--channel", "cost2100-indoor", "--samples", count,
                            "--first", first, "-o", name)
            out = json.loads(run_program(
                "train", "--codec", "path", "--dataset", train, "--test", test, "--rounds", 2,
                "--calibrate", "--json", "-o", model).stdout)
            self.assertEqual([f["budget"] for f in out["figures"]], [64, 128, 256, 512, 1024])
            file = csifeedback.model_file(model)
            self.assertEqual((file.codec, file.model_id), ("path", out["model_id"]))
            # Of an array without errors calibration finds none.
            np.testing.assert_allclose(file.read("encoder/array"), np.tile([1, 0], (32, 1)),
                                       atol=0.02)
            ha = drops(MODEL, 100)
            flat = Model({"codec": "path", "nc": 1024, "na": 32, "nt": 32, "precursor": 4},
                         trainer.flat_tables(trainer.Shape(1024, 32, 32, 2))).opened({})
            for budget, better in ((64, 1.5), (256, 3)):
                trained, equal = (nmse_db(ha, csifeedback.path_report_encoder(m),
                                          csifeedback.path_report_decoder(m), budget)
                                  for m in (file, flat))
                self.assertLess(trained, equal - better)

    def test_calibration_recovers_what_array_errors_cost(self):
        """At least 80 % of the loss, in dB, of 0.5 dB and 5 degrees rms: here nearly all."""
        response = path_models.array_with_errors(0.5, 5, 3)

        def through_array(ha):
            return path_models.seen_through(ha, response)

        tables = read_model(csifeedback.model_file(MODEL).path)

        def model_with(found):
            return Model(tables.attributes,
                         {**tables.arrays, **trainer.response_array(found)}).opened({})

        found = trainer.calibrate(through_array(drops(MODEL, 200, 0)), model_with)
        self.assertAlmostEqual(np.mean(np.abs(found) ** 2), 1, places=5)
        ha = drops(MODEL, 120)
        seen = through_array(ha)
        ideal, calibrated = csifeedback.model_file(MODEL), model_with(found)
        for budget in (128, 256, 512):
            clean, lossy, again = (nmse_db(h, csifeedback.path_report_encoder(m),
                                           csifeedback.path_report_decoder(m), budget)
                                   for h, m in ((ha, ideal), (seen, ideal), (seen, calibrated)))
            self.assertGreater(lossy - clean, 1)
            self.assertLess(again, clean + 0.2 * (lossy - clean), budget)

    def test_whole_matrices(self):
        """A model of H, of a data set of H; and what it is told that does not fit."""
        with tempfile.TemporaryDirectory() as directory:
            data, model, cut = (os.path.join(directory, n) for n in
                                ("train.h5", "model.h5", "cut.h5"))
            sizes = ("--channel", "cdl-a", "--nc", 128, "--nt", 8, "--na", 16, "--precursor", 2)
            run_program("dataset", "generate", *sizes, "--samples", 60, "--whole", "-o", data)
            run_program("dataset", "generate", *sizes, "--samples", 20, "-o", cut)
            common = ("train", "--codec", "path-whole", "--dataset", data, "-o", model)
            out = json.loads(run_program(*common, "--test", data, "--rounds", 1, "--json").stdout)
            self.assertEqual(len(out["figures"]), 5)
            file = csifeedback.model_file(model)
            self.assertEqual((file.codec, file.domain, file.na, file.precursor),
                             ("path-whole", "H", 128, 0))
            # The cyclic prefix, 9 rows, and 8 rows before delay zero.
            self.assertEqual(file.read("encoder/window").tolist(), [24, 8])
            for name, value in (("--window", 8), ("--window", 129), ("--window-precursor", 128)):
                failed = run_program(*common, "--overwrite", name, value)
                self.assertEqual(failed.returncode, 2)
                self.assertIn(f"{name} is {value}", failed.stderr)
            failed = run_program("train", "--codec", "path-whole", "--dataset", cut, "-o", model,
                                 "--overwrite")
            self.assertIn("whole matrices", failed.stderr)

    def test_several_training_sets(self):
        """Of two channels: as the model says, and better for the second one than without it."""
        with tempfile.TemporaryDirectory() as directory:
            one, two, small, model = (os.path.join(directory, n) for n in
                                      ("one.h5", "two.h5", "small.h5", "model.h5"))
            for name, channel in ((one, "cost2100-indoor"), (two, "cost2100-outdoor")):
                run_program("dataset", "generate", "--channel", channel, "--samples", 80, "-o", name)
            run_program("dataset", "generate", "--channel", "cdl-a", "--nt", 8, "--samples", 10, "-o",
                        small)
            common = ("train", "--codec", "path", "--rounds", 2, "--dataset", one, "-o", model,
                      "--overwrite", "--json")
            ha = drops("cost2100-outdoor-path", 100)
            found = []
            for further in ((), ("--also", two)):
                self.assertEqual(run_program(*common, *further).returncode, 0)
                file = csifeedback.model_file(model)
                found.append(nmse_db(ha, csifeedback.path_report_encoder(file),
                                     csifeedback.path_report_decoder(file), 128))
            self.assertLess(found[1], found[0] - 0.5)
            attributes = read_model(model).attributes
            self.assertEqual((attributes["channel"], attributes["parameters"]),
                             ("", ""))
            self.assertEqual(int(attributes["samples"]), 160)
            self.assertIn("outdoor", attributes["dataset_command"])
            # The further sets count where a model is asked whether it is still the one.
            argv = ["--codec", "path", "--rounds", "1", "--dataset", one, "-o", model, "--also", two]
            self.assertEqual(run_program("train", *argv, "--overwrite").returncode, 0)
            self.assertTrue(run.made_by(model, argv))
            files = trainings.point(argv).paths
            self.assertEqual(files, (one, two))
            run_program("dataset", "generate", "--channel", "cost2100-outdoor", "--samples", 40,
                        "--overwrite", "-o", two)
            self.assertFalse(run.made_by(model, argv))
            failed = run_program(*common, "--also", two, small)
            self.assertEqual(failed.returncode, 2)
            self.assertIn("--also " + small + " has nc 1024, nt 8", failed.stderr)

    def test_sets_are_mixed(self):
        """Large reports are counted on the first matrices alone, which are of all sets."""
        sets = [np.full((n, 1, 1), k) for k, n in enumerate((30, 60, 10))]
        found = trainer.mixed(sets)[:, 0, 0]
        for first in (10, 20, 100):
            np.testing.assert_allclose(np.bincount(found[:first], minlength=3) / first,
                                       (0.3, 0.6, 0.1), atol=0.06)

    def test_tables_in_half_precision(self):
        """Whole numbers within 0.05 %, none of them zero or infinite."""
        table = np.array([1, 2, 2047, 2049, 59999, 65535.0])
        found = trainer.stored({"encoder/cells": table})["encoder/cells"]
        self.assertEqual(found.dtype, np.float16)
        np.testing.assert_array_equal(found, np.rint(found))
        np.testing.assert_allclose(found.astype(float), table, rtol=2 ** -11)

    def test_bad_arguments_are_refused(self):
        with tempfile.TemporaryDirectory() as directory:
            data = os.path.join(directory, "train.h5")
            run_program("dataset", "generate", "--channel", "cost2100-indoor", "--samples", 20,
                        "-o", data)
            for name, value in (("--rounds", 0), ("--margin", 17), ("--train-samples", 9)):
                failed = run_program("train", "--codec", "path", "--dataset", data, name, value,
                                     "-o", os.path.join(directory, "model.h5"))
                self.assertEqual(failed.returncode, 2)
                self.assertIn(f"{name} is {value}", failed.stderr)


class Codec(unittest.TestCase):

    def test_paths_make_up_the_matrix(self):
        ha = drops(MODEL, 3)
        encoder = csifeedback.path_report_encoder(csifeedback.model_file(MODEL))
        decoder = csifeedback.path_report_decoder(csifeedback.model_file(MODEL))
        bits, counts, gain_db = encoder.encode(ha, 256)
        found = decoder.decode(bits, counts, gain_db)

        def wave(x, period):
            return np.sinc(x) / np.sinc(x / period) * np.exp(1j * np.pi * (period - 1) * x / period)

        at = np.arange(32)
        for row, n, gain, h in zip(bits, counts, gain_db, found):
            delay, angle, g = decoder.paths(row, n, gain)
            self.assertGreater(len(delay), 3)
            made = np.einsum("k,kr,kc->rc", g, wave(at - delay[:, None], 1024),
                             wave(at - angle[:, None], 32).conj())
            np.testing.assert_allclose(made, h, atol=1e-3 * np.max(np.abs(h)))
        with self.assertRaisesRegex(ValueError, "count is 300, allowed is 0 to 256"):
            decoder.paths(bits[0], 300)

    def test_ahead_of_the_others_at_equal_bits(self):
        out = json.loads(run_program(
            "eval", "--codec", MODEL, "--codec", "cost2100-indoor-local-klt", "--budget", 64, 256,
            "--samples", 200, "--validation-samples", 60, "--rho-samples", 10, "--json").stdout)
        figures = {(r["model"], r["budget"]): r for r in out}
        for budget, gain in ((64, 2), (256, 10)):
            mine = figures[MODEL, budget]
            self.assertLessEqual(mine["payload_bits"], budget)
            self.assertLess(mine["nmse_db"],
                            figures["cost2100-indoor-local-klt", budget]["nmse_db"] - gain)

    def test_whole_channel(self):
        """Outdoor the cut to 32 rows is a floor for all codecs of Ha, but none for paths of H."""
        out = json.loads(run_program(
            "eval", "--codec", WHOLE, "--codec", "cost2100-outdoor-path", "--budget", 512, 2048,
            "--samples", 60, "--rho-samples", 10, "--json").stdout)
        figures = {(r["model"], r["budget"]): r for r in out}
        for budget, gain in ((512, 1), (2048, 6)):
            whole, cut = (figures[name, budget] for name in (WHOLE, "cost2100-outdoor-path"))
            self.assertEqual((whole["domain"], cut["domain"]), ("H", "Ha"))
            self.assertEqual(whole["nmse_whole_db"], whole["nmse_db"])
            self.assertLess(whole["nmse_whole_db"], cut["nmse_whole_db"] - gain)

    def test_operations_are_counted(self):
        """In millions: more bits take more, fast takes less, a KLT what the registry says."""
        klt = "cost2100-indoor-klt"
        out = json.loads(run_program(
            "eval", "--codec", MODEL, "--codec", f"{MODEL},fast=1", "--codec", klt, "--budget", 64,
            256, "--samples", 40, "--validation-samples", 12, "--rho-samples", 2, "--quantizer",
            "entropy", "--json").stdout)
        slow, fast, linear = (out[i:i + 2] for i in (0, 2, 4))
        for rows in (slow, fast):
            self.assertGreater(rows[1]["encoder_operations"], 1.5 * rows[0]["encoder_operations"])
        self.assertLess(fast[1]["encoder_operations"], 0.6 * slow[1]["encoder_operations"])
        for row in linear:
            # The product, and the entropy coder's trials.
            product = 2048 * (row["code_size"] or 2 * csifeedback.model_file(klt).read(
                "encoder/W_complex").shape[0])
            self.assertGreater(row["encoder_operations"], product + 1000)
            self.assertLess(row["encoder_operations"], product + 1e6)
        encoder, decoder = evaluation.Codec(MODEL).own_reports()
        self.assertEqual(set(encoder.operations().values()), {0})
        encoder.encode(drops(MODEL, 2), 128)
        self.assertGreater(min(encoder.operations().values()), 0)
        rows = json.loads(run_program("bench", "--codec", MODEL, "--budget", 64, "--batch", 4,
                                      "--repeats", 1, "--json").stdout)["results"]
        self.assertGreater(rows[0]["multiply_adds"], 1e5)
        self.assertIsNone(rows[1]["multiply_adds"])

    def test_borders(self):
        """White Rayleigh fading is the local KLT's, and array errors cost paths most."""
        from gnuradio.csifeedback.experiments import path_borders
        cases = {c.title: c for c in path_borders.CASES}
        rows = path_borders.measure(30, lambda done, of: None, [
            cases[name] for name in ("COST 2100 outdoor", "Rayleigh, white in delay and angle",
                                     "array errors 2 dB, 20 degrees", "spherical waves, 5 m")],
            (256,))
        plain, white, errors, near = rows
        self.assertGreater(plain["gain_db"], 1)
        self.assertLess(white["gain_db"], 0.5)
        self.assertLess(errors["gain_db"], plain["gain_db"])
        self.assertGreater(near["path_nmse_db"], -40)

    def test_errors_against_operations(self):
        """At equal bits paths take fewer multiply-adds than the entropy-coded local KLT, and are better; a
        channel without a model of a codec has no row of it."""
        rows = ue_operations.measure(
            10, lambda done, of: None, bits.CHANNELS[1:2], (256,),
            [s for s in ue_operations.SERIES if s[2] in ("paths", "local KLT, entropy-coded", "TiLISTA")]
            + [("nothing", (), "nothing")], 12)
        found = {row["codec"]: row for row in rows}
        self.assertEqual(set(found), {"paths", "local KLT, entropy-coded", "TiLISTA"})
        paths, klt = found["paths"], found["local KLT, entropy-coded"]
        self.assertLess(paths["nmse_db"], klt["nmse_db"])
        for row in rows:
            self.assertGreater(row["encoder_operations"], 1e5)
        with tempfile.TemporaryDirectory() as directory:
            picture = os.path.join(directory, "picture.png")
            ue_operations.draw(picture, rows)
            self.assertTrue(os.path.getsize(picture))

    def test_models_and_what_was_not_measured(self):
        """The experiments of the manual: which model for which matrices, and H beyond what was measured."""
        rows = path_models.models(20, lambda done, of: None, bits.CHANNELS[2:3], (256,))
        self.assertEqual(len(rows), 6)
        self.assertLess(max(r["nmse_db"] for r in rows), -6)
        rows = path_models.calibration(20, lambda done, of: None, bits.CHANNELS[1:2], (256,), 60)
        clean, lossy, again = (r["nmse_db"] for r in rows)
        self.assertGreater(lossy - clean, 0.2)
        self.assertLess(again, clean + 0.3 * (lossy - clean))
        row = path_models.unmeasured(3, lambda done, of: None, bits.CHANNELS[:1], (256,))[0]
        self.assertAlmostEqual(row["dense_measured"], row["dense_between"], delta=0.1)
        self.assertLess(row["measured"], row["beyond_64"])
        self.assertLess(row["beyond_64"], row["beyond_512"])
        self.assertLess(row["antennas_1_32"], row["antennas_33_64"])

    def test_noise_costs_no_more_than_it_must(self):
        """CSI with noise: the reports are nearer to the truth than what was encoded."""
        codec = evaluation.Codec(f"{MODEL},snr_db=10")
        ha = drops(MODEL, 100)
        encoder, decoder = codec.own_reports()
        bits, counts, gain_db = encoder.encode(evaluation.noisy(ha, 10, 1), 512)
        found = decoder.decode(bits, counts, gain_db)
        self.assertLess(10 * np.log10(np.mean(csifeedback.squared_error_ratio(ha, found))), -17)
        self.assertLess(counts.mean(), 450)  # what is left are no paths

    def test_model_is_read_as_arrays(self):
        """Its counts have more dimensions than any other array."""
        arrays = read_model(csifeedback.model_file("cost2100-indoor-path").path).arrays
        self.assertEqual(arrays["encoder/counts"].ndim, 5)
        self.assertTrue(np.all(arrays["encoder/counts"] >= 0))

    def test_shipped_models_keep_what_they_say(self):
        for name in ("cost2100-indoor", "cost2100-outdoor", "cdl-a-random", "cost2100-indoor-air",
                     "cost2100-outdoor-air", "cdl-a-random-air"):
            codec = evaluation.Codec(name + "-path")
            ha = drops(name + "-path", 300)
            said = {row["budget"]: row for row in json.loads(codec.model.text("nmse"))}
            for budget in (64, 256):
                self.assertAlmostEqual(nmse_db(ha, *codec.own_reports(), budget),
                                       said[budget]["nmse_db"], delta=0.7)

    def test_universal_model(self):
        """One model for all three channels, a little behind the model of each."""
        universal = evaluation.Codec("universal-path")
        for name, most in (("cost2100-indoor", 1.2), ("cost2100-outdoor", 0.4), ("cdl-a-random", 0.35)):
            ha = drops(name + "-path", 150)
            for budget in (64, 256):
                own = nmse_db(ha, *evaluation.Codec(name + "-path").own_reports(), budget)
                self.assertLess(nmse_db(ha, *universal.own_reports(), budget), own + most)

    def test_aligned_by_the_receiver(self):
        """Matrices as receivers align them: their model is ahead of that of the exact delay."""
        channel = csifeedback.model_file("cdl-a-random-air-path")
        ha = csifeedback.generate_channels(channels.model_channel(channel), 5 * 10**6, 150, 32, 4)[0]
        for budget in (64, 256):
            air, exact = (nmse_db(ha, *evaluation.Codec(name).own_reports(), budget)
                          for name in ("cdl-a-random-air-path", "cdl-a-random-path"))
            self.assertLess(air, exact)

    def test_unmeasured_subcarriers_and_antennas(self):
        """response() of where the paths are: what is decoded, and more of it, in the CSI's scale."""
        channel = channels.model_channel(csifeedback.model_file(WHOLE))
        encoder = csifeedback.path_report_encoder(csifeedback.model_file(WHOLE))
        decoder = csifeedback.path_report_decoder(csifeedback.model_file(WHOLE))
        h = csifeedback.generate_channels(channel, 5 * 10**6, 2)[0] * 1e-5
        bits, counts, gain_db = encoder.encode(h, 512)
        found = decoder.decode(bits, counts, gain_db)
        for row, n, gain, one in zip(bits, counts, gain_db, found):
            more = decoder.response(row, n, np.arange(0, 1024, 0.5), np.arange(64), gain)
            self.assertEqual(more.shape, (2048, 64))
            np.testing.assert_allclose(more[::2, :32], one, atol=1e-3 * np.max(np.abs(one)))
        with self.assertRaisesRegex(ValueError, "antennas is inf, allowed is -1e"):
            decoder.response(bits[0], counts[0], [0], [np.inf])
        with self.assertRaisesRegex(ValueError, "count is 600, allowed is 0 to 512"):
            decoder.response(bits[0], 600, [0], [0])

    def test_program_rebuilds_what_was_not_measured(self):
        """csifeedback_eval --unmeasured: a data set with more subcarriers and antennas than the model."""
        with tempfile.TemporaryDirectory() as directory:
            wide, table = (os.path.join(directory, name) for name in ("wide.h5", "table.csv"))
            run_program("dataset", "generate", "--channel", "cost2100-indoor", "--whole", "--nc", "1280",
                        "--nt", "34", "--samples", "4", "--first", "5000000", "-o", wide, check=True)
            done = run_program("eval", "--codec", WHOLE, "--codec", MODEL, "--dataset", wide, "--budget", "256",
                               "512", "--unmeasured", "--json", "--csv", table, check=True)
            rows = json.loads(done.stdout)
            self.assertTrue(os.path.getsize(table))
            self.assertEqual([(r["codec"], r["budget"]) for r in rows],
                             [(codec, budget) for codec in (WHOLE, MODEL) for budget in (256, 512)])
            for row in rows:
                self.assertEqual((row["nc"], row["nt"], row["samples"]), (1280, 34, 4))
                self.assertLess(row["measured_db"], -20)
                self.assertLess(row["subcarriers_db"], -18)
                self.assertLess(row["antennas_db"], -8)
                self.assertLess(row["measured_db"], row["subcarriers_db"])
                self.assertLess(row["measured_db"], row["all_db"])
            # The same numbers by hand.
            with Dataset(wide) as data:
                h = data.read(0, 4)
            encoder, decoder = (make(csifeedback.model_file(WHOLE)) for make in (
                csifeedback.path_report_encoder, csifeedback.path_report_decoder))
            found = path_models.responses(
                decoder, *encoder.encode(np.ascontiguousarray(h[:, 128:1152, :32]), 256),
                np.arange(-128, 1152), np.arange(34))
            self.assertAlmostEqual(rows[0]["all_db"], path_models.error_db(h, found), 3)
            self.assertAlmostEqual(rows[0]["antennas_db"], path_models.error_db(
                h[:, 128:1152, 32:], found[:, 128:1152, 32:]), 3)
            for argv, message in (
                    (["--codec", "cost2100-indoor-klt"], "--unmeasured is for codecs of paths, not for "
                                                         "cost2100-indoor-klt"),
                    (["--codec", WHOLE, "--samples", "9"], "has 4 matrices, --first and --samples ask for 9")):
                done = run_program("eval", *argv, "--dataset", wide, "--budget", "64", "--unmeasured")
                self.assertEqual(done.returncode, 2)
                self.assertIn(message, done.stderr)


class Chain(unittest.TestCase):

    def test_blocks_have_the_results_of_the_objects(self):
        ha = drops(MODEL, 30)
        encoder, decoder = evaluation.Codec(MODEL).own_reports()
        flowgraph = gr.top_block()
        source = blocks.vector_source_c(ha.ravel().tolist(), False, 1024)
        one = csifeedback.csi_report_encoder(csifeedback.report_encoder_from_model(MODEL), 200)
        other = csifeedback.csi_report_decoder(csifeedback.report_decoder_from_model(MODEL), 200)
        out = blocks.vector_sink_c(1024)
        flowgraph.connect(source, one, other, out)
        flowgraph.connect((one, 1), (other, 1))
        flowgraph.run()
        bits, counts, gain_db = encoder.encode(ha, 200)
        np.testing.assert_array_equal(np.array(out.data(), np.complex64).reshape(-1, 32, 32),
                                      decoder.decode(bits, counts, gain_db))

    def test_block_on_another_grid(self):
        """The BS's block puts out H on carriers and antennas that were not measured."""
        ha = drops(MODEL, 5)
        model = csifeedback.model_file(MODEL)
        encoder, decoder = csifeedback.path_report_encoder(model), csifeedback.path_report_decoder(model)
        carriers, antennas = np.arange(-10, 1030, 2.5), np.arange(40)
        elsewhere = csifeedback.path_report_decoder.on_grid(model, carriers, antennas)
        self.assertEqual((elsewhere.domain(), elsewhere.rows(), elsewhere.nt()), ("H", 416, 40))
        size = carriers.size * antennas.size
        flowgraph = gr.top_block()
        ue = csifeedback.csi_report_encoder(csifeedback.path_report_encoder(model), 200)
        bs = csifeedback.csi_report_decoder(elsewhere, 200)
        out = blocks.vector_sink_c(size)
        flowgraph.connect(blocks.vector_source_c(ha.ravel().tolist(), False, 1024), ue, bs, out)
        flowgraph.connect((ue, 1), (bs, 1))
        flowgraph.run()
        bits, counts, gain_db = encoder.encode(ha, 200)
        expected = [decoder.response(*one, carriers, antennas, gain)
                    for *one, gain in zip(bits, counts, gain_db)]
        found = np.array(out.data(), np.complex64).reshape(-1, carriers.size, antennas.size)
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        with self.assertRaisesRegex(ValueError, "number of antennas is 0, allowed is 1 to 1024"):
            csifeedback.path_report_decoder.on_grid(model, carriers, [])

    def test_frames(self):
        """Through framer, a link with bit errors, deframer and metrics."""
        clean, noisy = (json.loads(run_program(
            "sim", "--codec", MODEL, "--budget", 256, "--samples", 100, "--truncated", "--ber", ber,
            "--json").stdout) for ber in (0, 3e-4))
        self.assertEqual(clean["matched"], 100)
        self.assertLess(clean["nmse_db"], -20)
        self.assertGreater(noisy["bit_errors"], 0)
        self.assertLess(noisy["frames"]["ok"], 100)

    def test_ends_take_it(self):
        codec = evaluation.Codec(MODEL)
        form = ReportFormat(budget=256)
        self.assertLess(nmse_db(drops(MODEL, 100), form.encoder(codec), form.decoder(codec), 256),
                        -20)
        with self.assertRaisesRegex(ValueError, "budget is 8"):
            ReportFormat(budget=8).encoder(codec)


if __name__ == "__main__":
    unittest.main()
