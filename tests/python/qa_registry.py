#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The registry of codecs from Python: nobody else knows codecs by name; codecs, reports and
budgets."""

import csv
import json
import os
import pathlib
import re
import sys
import tempfile
import unittest

import numpy as np
from gnuradio import csifeedback
from gnuradio.csifeedback import evaluation, open_codec
from gnuradio.csifeedback.link.base_station import Cell
from gnuradio.csifeedback.link.report_format import ReportFormat
from common import Messages, pdu, run_program, values

SOURCE = pathlib.Path(__file__).parents[2]
NAMES = "|".join(csifeedback.codec_names())
#: where codecs themselves are, and what reproduces papers about certain ones
HOME = re.compile(r"lib/core/codec/|lib/core/learn/|/training/|/experiments/|cli/reproduce")


class Names(unittest.TestCase):
    def test_nobody_else_compares_names_of_codecs(self):
        compare = re.compile(rf"""((==|!=)\s*|\bin\s*[([{{][^)#\n]*)["']({NAMES})["']|["']({NAMES})["'] *(==|!=)""")
        found = []
        files = [p for folder in ("lib", "python", "include", "grc")
                 for p in (SOURCE / folder).rglob("*")
                 if p.suffix in (".cc", ".h", ".py", ".yml")]
        self.assertGreater(len(files), 150)
        for path in files:
            if HOME.search(path.as_posix()):
                continue
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                if compare.search(line):
                    found.append(f"{path.relative_to(SOURCE)}:{number}: {line.strip()}")
        self.assertEqual(found, [])

    def test_descriptors(self):
        for name in csifeedback.codec_names():
            d = csifeedback.describe_codec(name)
            self.assertIn(d["domain"], ("Ha", "H"))
            self.assertTrue(d["help"].endswith("."), d)
            self.assertTrue(d["decoders"] or d["has_reports"])


class Toy(csifeedback.Codec):
    """The first cells of each matrix."""

    name, number, title, code_size = "toy", 201, "toy codec", 64

    def encode_array(self, h):
        return np.ascontiguousarray(h.reshape(len(h), -1)[:, :32]).view(np.float32)

    def decode_array(self, s):
        h = np.zeros((len(s), 1024), np.complex64)
        h[:, :32] = np.ascontiguousarray(s, np.float32).view(np.complex64)
        return h.reshape(-1, 32, 32)


class OneBitReport(csifeedback.Codec):
    """Reports of one bit for each of the first cells: the sign of its real part."""

    name, number, report_bits, rows, nt = "one-bit", 202, (1, 24), 8, 4
    help = "The signs of the first cells."

    def encode_bits(self, h, budget):
        return (h.ravel()[:budget].real > 0).astype(np.uint8)

    def decode_bits(self, bits):
        h = np.zeros(32, np.complex64)
        h[:len(bits)] = 2.0 * bits - 1
        return h.reshape(8, 4)


def channels(count=20, first=0):
    return csifeedback.generate_channels(
        csifeedback.cost2100_channel("indoor"), first, count, 32)[0]


class Python(unittest.TestCase):
    def test_encoder_and_decoder(self):
        h = channels()
        encoder, decoder = (csifeedback.encoder(Toy().encoder()),
                            csifeedback.decoder(Toy().decoder()))
        self.assertEqual((encoder.name(), encoder.codec_id(), encoder.code_size()),
                         ("toy", 201, 64))
        s, gain, residual = encoder.encode(h, with_residual_energy=True)
        self.assertEqual(s.shape, (20, 64))
        self.assertTrue(np.isnan(residual).all())
        found = decoder.decode(s, gain)
        np.testing.assert_allclose(found[:, 0], h[:, 0], rtol=1e-4, atol=1e-7)
        self.assertEqual(np.abs(found[:, 1:]).max(), 0)
        # Alone as in a batch, and shorter codewords.
        np.testing.assert_array_equal(encoder.encode(h[3])[0], s[3])
        short = csifeedback.encoder(Toy().encoder(16))
        np.testing.assert_array_equal(short.encode(h)[0], s[:, :16])
        part = csifeedback.decoder(Toy().decoder(16)).decode(s[:, :16], gain)
        np.testing.assert_array_equal(part, decoder.decode(s[:, :16], gain))
        np.testing.assert_allclose(part[:, 0, :8], h[:, 0, :8], rtol=1e-4, atol=1e-7)

    def test_reports(self):
        rng = np.random.default_rng(1)
        h = (rng.standard_normal((6, 8, 4)) + 1j * rng.standard_normal((6, 8, 4))
             ).astype(np.complex64)
        codec = OneBitReport()
        encoder, decoder = (csifeedback.report_encoder(codec.report_encoder()),
                            csifeedback.report_decoder(codec.report_decoder()))
        self.assertEqual((encoder.min_bits(), encoder.max_bits()), (1, 24))
        bits, count, _ = encoder.encode(h, 17)
        self.assertEqual(bits.shape, (6, 3))
        np.testing.assert_array_equal(count, np.full(6, 17))
        found = decoder.decode(bits, count)
        np.testing.assert_array_equal(found.reshape(6, -1)[:, :17].real,
                                      np.where(h.reshape(6, -1)[:, :17].real > 0, 1, -1))
        # More than it has is not used; none decodes to zero.
        self.assertEqual(encoder.encode(h[0], 60)[1], 24)
        self.assertEqual(np.abs(decoder.decode(bits[0], 0)).max(), 0)

    def test_errors_name_the_codec_and_the_method(self):
        class Bad(Toy):
            result = None

            def encode_array(self, h):
                return self.result(h)

        bad, h = Bad(), channels(2)
        for result, text in (
                (lambda h: 1 / 0, "toy, encode_array(): ZeroDivisionError: division by zero"),
                (lambda h: np.zeros((len(h), 3)), "gave shape (2, 3), allowed is (2, 64)"),
                (lambda h: np.full((len(h), 64), np.nan), "values that are not finite"),
                (lambda h: "text", "toy, encode_array() gave")):
            bad.result = result
            with self.assertRaises(RuntimeError) as caught:
                csifeedback.encoder(bad.encoder()).encode(h)
            self.assertIn(text, str(caught.exception))
        for attributes, text in (({"number": 300}, "codec_id and model_id are 300"),
                                 ({"rows": 0}, "rows is 0"),
                                 ({"domain": "W"}, "domain is W, allowed is Ha or H")):
            kind = type("Wrong", (Toy,), attributes)
            with self.assertRaises(ValueError) as caught:
                csifeedback.encoder(kind().encoder())
            self.assertIn(text, str(caught.exception))

    def test_an_object_serves_one_block(self):
        encoder = csifeedback.encoder_from_model("cost2100-indoor-klt", 16)
        block = csifeedback.csi_encoder(encoder)
        with self.assertRaises(ValueError) as caught:
            csifeedback.csi_encoder(encoder)
        self.assertIn("belongs to another block", str(caught.exception))
        del block
        csifeedback.csi_encoder(encoder)


class Link(unittest.TestCase):
    """The base station takes reports of a codec's own."""

    def test_cell(self):
        codec = open_codec(f"{__file__}:OneBitReport")
        frame = csifeedback.csirs_frame(nt=4, **csifeedback.csirs_frame.preset(5, 15))
        form = ReportFormat(budget=20)
        cell = Cell(codec, form, [5], frame, lambda: 1000)
        encoder = form.encoder(codec)
        rng = np.random.default_rng(2)
        h = (rng.standard_normal((3, 8, 4)) + 1j).astype(np.complex64)
        reports = Messages(csifeedback.csi_report_encoder(encoder, 20)).run(
            [pdu(x, frame=990 + i) for i, x in enumerate(h)], 3)
        frames = Messages(csifeedback.report_framer(encoder, 5, 20)).run(reports, 3)
        for number, message in enumerate(frames):
            raw = bytes(values(message, np.uint8))
            self.assertIsNone(cell.receive(raw[:12] + bytes([raw[12] ^ 1]) + raw[13:]))
            self.assertEqual(cell.receive(raw), 5)
            self.assertEqual(cell.ues[5].frame, 990 + number)
            found = cell.ues[5]._matrix.ravel()[:20].real
            np.testing.assert_array_equal(np.sign(found), np.sign(h[number].ravel()[:20].real))
        self.assertEqual(cell.refused["bad_crc"], 3)

    def test_budget_is_for_reports(self):
        codec = open_codec("cost2100-indoor-klt")
        with self.assertRaises(ValueError) as caught:
            ReportFormat(budget=100).encoder(codec)
        self.assertIn("budget is 100, codec cost2100-indoor-klt has codewords",
                      str(caught.exception))


class Budget(unittest.TestCase):

    def test_quantizer(self):
        """One that does not exist is refused, also where a codec has reports of its own and needs none."""
        for codec in ("cost2100-indoor-klt", "cost2100-indoor-path"):
            for function in (csifeedback.report_encoder_from_model,
                             csifeedback.report_decoder_from_model):
                with self.assertRaisesRegex(ValueError, "quantizer is fast=1, allowed is uniform"):
                    function(codec, "fast=1")

    def test_choices_fit_and_send(self):
        for name in ("cost2100-indoor-klt", "cost2100-indoor-local-klt", "cdl-a-mlcf"):
            codec = evaluation.Codec(name)
            choices = evaluation.report_choices(codec, 200)
            self.assertGreater(len(choices), 3)
            for choice in choices:
                self.assertTrue(choice == evaluation.ReportChoice(0, "entropy", 0) or
                                codec.sends(choice.code_size))
                try:
                    encoder, _ = choice.report_pair(codec)
                except ValueError:  # no tables for so many bits
                    continue
                if choice.quantizer == "entropy":  # as long as the budget that a call gives
                    ones = np.ones((encoder.na(), encoder.nt()), np.complex64)
                    self.assertLessEqual(encoder.encode(ones, 200)[1], 200)
                else:
                    self.assertLessEqual(encoder.max_bits(), 200)

    def test_eval(self):
        with tempfile.TemporaryDirectory() as directory:
            table = os.path.join(directory, "table.csv")
            done = run_program("eval", "--codec", "cost2100-indoor-klt", "--codec",
                               "cost2100-indoor-local-klt", "--budget", "64", "200", "512",
                               "--samples", "300", "--validation-samples", "60", "--json",
                               "--csv", table, "--plot", os.path.join(directory, "plot.png"))
            self.assertEqual(done.returncode, 0, done.stderr)
            rows = json.loads(done.stdout)
            with open(table) as file:
                self.assertEqual([r["model"] for r in csv.DictReader(file)],
                                 [r["model"] for r in rows])
        self.assertEqual([(r["model"], r["budget"]) for r in rows],
                         [(name, budget) for name in ("cost2100-indoor-klt",
                                                      "cost2100-indoor-local-klt")
                          for budget in (64, 200, 512)])
        for row in rows:
            self.assertLessEqual(row["payload_bits"], row["budget"])
            self.assertEqual(row["frame_bits"], 8 * -(-row["payload_bits"] // 8) + 136)
        for some in (rows[:3], rows[3:]):
            errors = [row["nmse_db"] for row in some]
            self.assertEqual(errors, sorted(errors, reverse=True))
        # What the best pair of a coarse grid had before.
        self.assertLess(rows[1]["nmse_db"], -7.5)

    def test_sim_sends_the_reports_that_eval_chooses(self):
        common = ("--codec", "cost2100-indoor-local-klt", "--budget", "200", "--samples", "300",
                  "--json")
        done = run_program("sim", *common)
        self.assertEqual(done.returncode, 0, done.stderr)
        sim = json.loads(done.stdout)
        done = run_program("eval", *common)
        self.assertEqual(done.returncode, 0, done.stderr)
        row, = json.loads(done.stdout)
        self.assertEqual(sim["matched"], 300)
        for key in ("budget", "code_size", "quantizer", "bits", "payload_bits"):
            self.assertEqual(sim[key], row[key], key)
        # The mean and the longest: entropy-coded reports may be a little shorter.
        self.assertLessEqual(sim["bits_per_csi"], row["frame_bits"])
        self.assertGreater(sim["bits_per_csi"], row["frame_bits"] - 8)
        self.assertAlmostEqual(sim["nmse_db"], row["nmse_db"], delta=1e-3)

    def test_bench(self):
        """Reports of a codec's own, and of codewords beside the codec."""
        common = ("--repeats", 1, "--batch", 3, "--json")
        variables = {"PYTHONPATH": os.pathsep.join(sys.path)}
        done = run_program("bench", "--codec", f"{__file__}:OneBitReport", "--codec",
                           "cost2100-indoor-klt", "--budget", 17, 256, *common,
                           variables=variables)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = json.loads(done.stdout)["results"]
        reports = [(r["code_size"] is None, r["operation"], r["matrices_a_call"],
                    r["report_bits"]) for r in rows if r["report_bits"]]
        operations = [("encode a report", 1), ("decode a report", 1),
                      ("encode a report", 3), ("decode a report", 3)]
        self.assertEqual(reports[:8], [(True, *o, bits) for bits in (17, 24) for o in operations])
        self.assertEqual([r[:3] for r in reports[8:]], [(False, *o) for o in operations] * 2)
        for row in rows:
            self.assertGreater(row["matrices_per_second"], 0)
            if row["report_bits"]:
                self.assertLessEqual(row["report_bits"], 256)
        # Beside the codec, at the length that was chosen.
        self.assertIn("NumPy (complex)", {r["by"] for r in rows})
        done = run_program("bench", "--codec", "cost2100-indoor-klt", "--bits", 3, *common)
        self.assertEqual({r["report_bits"] for r in json.loads(done.stdout)["results"]},
                         {None, 3 * 128})
        done = run_program("bench", "--codec", f"{__file__}:OneBitReport", "--budget", 0, *common,
                           variables=variables)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--budget has 0, allowed is 1 to 65535", done.stderr)

    def test_bad_use(self):
        for text, *options in (
                ("--budget has 0, allowed is 1 to 65535", "--budget", "0"),
                ("--validation-samples is 0", "--budget", "9", "--validation-samples", "0")):
            done = run_program("eval", "--codec", "cost2100-indoor-klt", *options)
            self.assertEqual(done.returncode, 2)
            self.assertIn(text, done.stderr)


if __name__ == "__main__":
    unittest.main()
