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
from gnuradio.csifeedback.link.report_format import ReportFormat
from gnuradio.csifeedback.model import Model, read_model
from gnuradio.csifeedback.training import path as trainer

MODEL = "cost2100-indoor-path"


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
                "--json", "-o", model).stdout)
            self.assertEqual([f["budget"] for f in out["figures"]], [64, 128, 256, 512, 1024])
            file = csifeedback.model_file(model)
            self.assertEqual((file.codec, file.model_id), ("path", out["model_id"]))
            ha = drops(MODEL, 100)
            flat = Model({"codec": "path", "nc": 1024, "na": 32, "nt": 32, "precursor": 4},
                         trainer.flat_tables(trainer.Shape(1024, 32, 32, 2))).opened({})
            for budget, better in ((64, 1.5), (256, 3)):
                trained, equal = (nmse_db(ha, csifeedback.path_report_encoder(m),
                                          csifeedback.path_report_decoder(m), budget)
                                  for m in (file, flat))
                self.assertLess(trained, equal - better)

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
        for name in ("cost2100-indoor", "cost2100-outdoor", "cdl-a-random"):
            codec = evaluation.Codec(name + "-path")
            ha = drops(name + "-path", 300)
            said = {row["budget"]: row for row in json.loads(codec.model.text("nmse"))}
            for budget in (64, 256):
                self.assertAlmostEqual(nmse_db(ha, *codec.own_reports(), budget),
                                       said[budget]["nmse_db"], delta=0.7)


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
