#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Entropy-coded reports: the bit stream by another decoder, figures, tables, programs and blocks."""

import json
import os
import sys
import tempfile
import unittest

import numpy as np
from common import run_program
from gnuradio import blocks, csifeedback, gr
from gnuradio.csifeedback import channels, evaluation
from gnuradio.csifeedback.experiments import bits
from gnuradio.csifeedback.model import read_model

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracles"))
import entropy_report_oracle as oracle  # noqa: E402

MODEL = "cost2100-outdoor-local-klt"


def drops(name, count, first=5 * 10**6):
    """Ha of drops that no model was trained on, scaled as encoders do."""
    channel = channels.model_channel(csifeedback.model_file(name))
    ha = csifeedback.generate_channels(channel, first, count, 32, 4)[0]
    return ha / np.sqrt(np.mean(np.abs(ha) ** 2, axis=(1, 2), keepdims=True))


def nmse_db(ha, encoder, decoder, budget):
    bits, counts, gain_db = encoder.encode(ha, budget)
    assert np.all(counts <= budget)
    found = decoder.decode(bits, counts, gain_db)
    return 10 * np.log10(np.mean(csifeedback.squared_error_ratio(ha, found)))


class BitStream(unittest.TestCase):

    def test_another_decoder_finds_the_same(self):
        for name in (MODEL, "cdl-a-random-klt"):
            model = csifeedback.model_file(name)
            ha = drops(name, 4)
            encoder = csifeedback.entropy_report_encoder(model)
            decoder = csifeedback.entropy_report_decoder(model)
            for budget in (17, 64, 300, 2000):
                bits, counts, gain_db = encoder.encode(ha, budget)
                found = decoder.decode(bits, counts)
                for row, count, h in zip(bits, counts, found):
                    size = -(-count // 8)
                    other = oracle.decode(model, row[:size], int(count))
                    np.testing.assert_allclose(other, h, atol=2e-5 * np.max(np.abs(h)))
                    self.assertEqual(row[size:].any(), False)


class Figures(unittest.TestCase):

    def test_more_bits_are_better_and_ahead_of_quantizers(self):
        for name, at_128 in (("cost2100-indoor", -10), ("cost2100-outdoor", -6.6),
                             ("cdl-a-random", -5.6)):
            name += "-local-klt"
            ha = drops(name, 300)
            codec = evaluation.Codec(name)
            pair = codec.entropy_encoder(), codec.entropy_decoder()
            db = [nmse_db(ha, *pair, budget) for budget in (24, 64, 128, 256, 512, 1024, 4096)]
            self.assertTrue(np.all(np.diff(db) < -0.7), db)
            self.assertLess(db[2], at_128)
            evaluator = evaluation.Evaluator(ha, np.zeros(len(ha)), 1024, 4, 0)
            for budget, mine in ((128, db[2]), (512, db[4])):
                choice, other = evaluation.choose_report(codec, evaluator, budget,
                                                         evaluation.QUANTIZERS)
                self.assertLess(mine, other - 0.7, (name, budget, choice))

    def test_linear_codecs(self):
        ha = drops("cost2100-indoor-klt", 200)
        evaluator = evaluation.Evaluator(ha, np.zeros(len(ha)), 1024, 4, 0)
        for name, size, gain in (("cost2100-indoor-klt", 0, 2), ("cost2100-indoor-csi-l2o", 128, 0.5)):
            codec = evaluation.Codec(name)
            mine = nmse_db(ha, codec.entropy_encoder(size), codec.entropy_decoder(size), 512)
            # Csi-L2O's "predictive" quantizer, which knows how entries depend on each other, is ahead.
            kinds = [kind for kind in evaluation.QUANTIZERS if kind != "predictive"]
            other = evaluation.choose_report(codec, evaluator, 512, kinds)[1]
            self.assertLess(mine, other - gain, name)

    def test_more_bits_are_no_worse_for_csi_l2o(self):
        """Lengths of which its decoder was trained are tried for every budget, and a report of fewer bits is
        taken where none of more is better."""
        codec = evaluation.Codec("cost2100-indoor-csi-l2o")
        for budget, size in ((192, 64), (384, 64), (384, 128), (768, 128)):
            self.assertIn(evaluation.ReportChoice(size, "entropy", 0),
                          evaluation.report_choices(codec, budget, ("entropy",)))
        series, bits.SERIES = bits.SERIES, (("csi-l2o", ("entropy",)),)
        self.addCleanup(setattr, bits, "SERIES", series)
        rows = [row["nmse_db"] for row in bits.measure(
            20, lambda done, of: None, bits.CHANNELS[:1], (128, 192, 256, 384), (None,), 30, 50)
            if row.get("how")]
        self.assertEqual(len(rows), 4)
        self.assertLess(np.max(np.diff(rows)), 0.1)

    def test_operations_are_counted(self):
        """Transforms by the sizes, trials of steps by the matrix: more bits take more."""
        for name, transform in (("cost2100-indoor-klt", 2048 * 512),
                                ("cost2100-indoor-local-klt", 4 * 32 * 32 * 64)):
            encoder = csifeedback.report_encoder_from_model(name, "entropy")
            found = []
            for budget in (64, 512):
                before = encoder.operations()
                encoder.encode(drops(name, 1), budget)
                found.append({k: n - before[k] for k, n in encoder.operations().items()})
            self.assertEqual(found[0].keys(), {"transform", "quantization"})
            self.assertGreaterEqual(found[0]["transform"], transform)
            self.assertGreater(found[1]["quantization"], 1.3 * found[0]["quantization"])
            self.assertGreater(found[0]["quantization"], 1000)


class Programs(unittest.TestCase):

    def test_training_makes_the_tables_and_a_command_adds_them(self):
        with tempfile.TemporaryDirectory() as directory:
            def path(name):
                return os.path.join(directory, name)

            run_program("dataset", "generate", "--channel", "cost2100-outdoor", "--nt", 8, "--nc", 128,
                        "--spacing-hz", 156250, "--na", 16, "--samples", 300, "-o", path("train.h5"))
            for codec, options in (("local-klt", ("--row-patches", 4, "--column-patches", 4)),
                                   ("klt", ())):
                done = run_program("train", "--codec", codec, "--dataset", path("train.h5"),
                                   "--entry-bits", 0, *options, "-o", path(f"{codec}.h5"))
                self.assertEqual(done.returncode, 0, done.stderr)
                whole = read_model(path(f"{codec}.h5"))
                self.assertIn("entropy/magnitudes", whole.arrays)
                # Without them, and added again: the same, and the same number of the model.
                bare = {k: v for k, v in whole.arrays.items() if not k.startswith("entropy/")}
                type(whole)(whole.attributes, bare).write(path(f"{codec}-bare.h5"))
                with self.assertRaisesRegex(ValueError, "csifeedback_train tables"):
                    csifeedback.report_encoder_from_model(path(f"{codec}-bare.h5"), "entropy")
                done = run_program("train", "tables", path(f"{codec}-bare.h5"), "--dataset",
                                   path("train.h5"), "-o", path(f"{codec}-again.h5"))
                self.assertEqual(done.returncode, 0, done.stderr)
                again = read_model(path(f"{codec}-again.h5"))
                self.assertEqual(again.model_id(), whole.model_id())
                self.assertEqual(set(again.arrays), set(whole.arrays))
                for name, array in whole.arrays.items():
                    np.testing.assert_array_equal(array, again.arrays[name], name)
                flat = type(whole)(whole.attributes, dict(whole.arrays))
                flat.arrays["entropy/magnitudes"] = np.ones_like(
                    whole.arrays["entropy/magnitudes"])
                ha = csifeedback.generate_channels(channels.model_channel(
                    csifeedback.model_file(path(f"{codec}.h5"))), 10**6, 100, 16, 4)[0]
                trained, equal = (nmse_db(ha, csifeedback.entropy_report_encoder(m),
                                          csifeedback.entropy_report_decoder(m), 128)
                                  for m in (whole.opened({}), flat.opened({})))
                self.assertLess(trained, equal - 1)
            failed = run_program("train", "tables", "cost2100-indoor-mlcf", "--dataset",
                                 path("train.h5"), "-o", path("x.h5"))
            self.assertEqual(failed.returncode, 2)
            failed = run_program("train", "tables", path(f"{codec}.h5"), "--dataset", path("train.h5"),
                                 "--rounds", 0, "-o", path("x.h5"))
            self.assertIn("--rounds is 0", failed.stderr)

    def test_eval_takes_it_where_it_is_best(self):
        out = json.loads(run_program(
            "eval", "--codec", MODEL, "--budget", 200, "--samples", 60, "--validation-samples", 60,
            "--rho-samples", 2, "--json").stdout)
        self.assertEqual((out[0]["quantizer"], out[0]["bits"], out[0]["code_size"]),
                         ("entropy", None, None))
        self.assertLessEqual(out[0]["payload_bits"], 200)
        failed = run_program("eval", "--codec", MODEL, "--quantizer", "entropy", "--bits", 4)
        self.assertEqual(failed.returncode, 2)
        self.assertIn("--quantizer is entropy", failed.stderr)

    def test_through_a_link(self):
        figures = json.loads(run_program(
            "sim", "--codec", MODEL, "--budget", 200, "--samples", 100, "--truncated", "--ber", 1e-4,
            "--json").stdout)
        self.assertEqual((figures["quantizer"], figures["matched"]), ("entropy", 100))
        self.assertLess(figures["nmse_db"], -5)


class Chain(unittest.TestCase):

    def test_blocks_have_the_results_of_the_objects(self):
        ha = drops(MODEL, 20)
        flowgraph = gr.top_block()
        source = blocks.vector_source_c(ha.ravel().tolist(), False, 1024)
        made = [f(MODEL, "entropy") for f in (csifeedback.report_encoder_from_model,
                                              csifeedback.report_decoder_from_model)]
        one = csifeedback.csi_report_encoder(made[0], 200)
        other = csifeedback.csi_report_decoder(made[1], 200)
        out = blocks.vector_sink_c(1024)
        flowgraph.connect(source, one, other, out)
        flowgraph.connect((one, 1), (other, 1))
        flowgraph.run()
        encoder, decoder = evaluation.ReportChoice(0, "entropy", 0).report_pair(
            evaluation.Codec(MODEL))
        bits, counts, gain_db = encoder.encode(ha, 200)
        np.testing.assert_array_equal(np.array(out.data(), np.complex64).reshape(-1, 32, 32),
                                      decoder.decode(bits, counts, gain_db))

    def test_other_bits_are_as_before(self):
        """The number of the model is that of the release without tables."""
        for name, model_id in (("cost2100-indoor-klt", 22946), (MODEL, 21456)):
            encoder = csifeedback.report_encoder_from_model(name, "allocated", 64, 3)
            self.assertEqual(encoder.model_id(), model_id)
            entropy = csifeedback.report_encoder_from_model(name, "entropy")
            self.assertNotEqual(entropy.model_id(), model_id)
            self.assertEqual(entropy.model_id(), csifeedback.report_decoder_from_model(
                name, "entropy").model_id())


if __name__ == "__main__":
    unittest.main()
