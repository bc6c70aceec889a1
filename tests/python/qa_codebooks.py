#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""PMI codebooks in Python: objects, metrics, codecs by name, programs."""

import csv
import json
import os
import tempfile
import unittest

import numpy as np
from common import run_program
from gnuradio import blocks, csifeedback, gr
from gnuradio.csifeedback import downlink, evaluation, layers
from gnuradio.csifeedback.data.dataset import Dataset


def waves(seed, n1, n2, rows, nr, paths=5, count=None):
    """Channels of plane waves to dual-polarized arrays, (rows, nr, 2 n1 n2) or (count, ..)."""
    rng = np.random.default_rng(seed)
    h = np.zeros((count or 1, rows, nr, 2, n1, n2), complex)
    for one in h:
        for _ in range(paths):
            delay, u1, u2 = 2 * rng.random(), rng.random(), rng.random()
            gain = rng.standard_normal((nr, 2)) + 1j * rng.standard_normal((nr, 2))
            phase = (delay * np.arange(rows)[:, None, None, None, None] / rows
                     + u1 * np.arange(n1)[:, None] + u2 * np.arange(n2))
            one += gain[None, :, :, None, None] * np.exp(-2j * np.pi * phase)
    h = h.reshape(*h.shape[:3], -1).astype(np.complex64)
    return h if count else h[0]


def eigenvectors(h, subbands, rank):
    """The same as csifeedback.subband_eigenvectors of one channel, by NumPy."""
    parts = np.array_split(np.arange(len(h)), subbands)
    return np.stack([np.linalg.svd(h[part].reshape(-1, h.shape[-1]))[2][:rank].conj().T
                     for part in parts])


def similarity(v, w):
    """SGCS of each layer by NumPy."""
    product = np.abs(np.sum(v.conj() * w, axis=1)) ** 2
    return np.mean(product / np.sum(np.abs(v) ** 2, 1) / np.sum(np.abs(w) ** 2, 1), axis=0)


class Objects(unittest.TestCase):

    def test_etype2(self):
        codebook = csifeedback.etype2_codebook(4, 4, 13, 6, [1, 2])
        self.assertEqual((codebook.ports(), codebook.subbands(), codebook.ranks()),
                         (32, 13, [1, 2]))
        self.assertEqual(codebook.part2_bits(2, codebook.max_count(2)), 539)
        self.assertEqual(sum(bits for _, bits in codebook.fields(2, 56)), 539)
        h = waves(1, 4, 4, 13, 2)
        pmi = codebook.select(h, 2)
        self.assertEqual(codebook.check(pmi), "")
        w = codebook.precoder(pmi)
        self.assertEqual(w.shape, (13, 32, 2))
        np.testing.assert_allclose(np.sum(np.abs(w) ** 2, axis=(1, 2)), 1, atol=1e-5)
        v = csifeedback.subband_eigenvectors(h, 13, 2)
        self.assertGreater(csifeedback.sgcs(v, w)[0], 0.7)
        pmi.i12 = 10**6
        self.assertIn("i12", codebook.check(pmi))
        with self.assertRaisesRegex(ValueError, "i12 is 1000000"):
            codebook.precoder(pmi)
        for bad, text in ((h[:12], "rows is 12"), (h[:, :, :31], "shape"), (0 * h, "all zero"),
                          (h * np.nan, "finite")):
            with self.assertRaisesRegex(ValueError, text):
                codebook.select(bad)
        with self.assertRaisesRegex(ValueError, "receive antennas is 1"):
            codebook.select(h[:, :1], 2)
        with self.assertRaisesRegex(ValueError, r"K\^NZ is 57"):
            codebook.part2_bits(2, 57)
        with self.assertRaisesRegex(ValueError, "rank is 3"):
            codebook.fields(3, 20)

    def test_type1(self):
        codebook = csifeedback.type1_codebook(2, 2, 4, mode=1, ranks=[1, 2, 3, 4, 5, 6, 7, 8])
        pmi = csifeedback.pmi()
        pmi.i11, pmi.i12, pmi.i2 = 3, 6, [0, 1, 2, 3]
        w = codebook.precoder(pmi)[:, :, 0]
        beam = np.kron(np.exp(2j * np.pi * 3 * np.arange(2) / 8),
                       np.exp(2j * np.pi * 6 * np.arange(2) / 8))
        for t in range(4):
            np.testing.assert_allclose(w[t], np.append(beam, 1j ** t * beam) / np.sqrt(8),
                                       atol=1e-6)
        for rank in codebook.ranks():
            found = codebook.select(waves(2, 2, 2, 8, 8), rank)
            self.assertEqual(codebook.precoder(found).shape, (4, 8, rank))

    def test_reports(self):
        format = csifeedback.csi_report_format(
            csifeedback.etype2_codebook(4, 4, 13, 4, [1, 2]), "subband")
        report = format.report(waves(3, 4, 4, 26, 2), 20)
        self.assertEqual(len(report.subband_cqi[0]), 13)
        bits, count = format.pack(report)
        self.assertEqual(count, format.total_bits(
            report.precoding.rank, format.codebook().count(report.precoding)))
        back = format.unpack(bits, count)
        self.assertEqual((back.cqi, back.subband_cqi[0], back.groups),
                         (report.cqi, report.subband_cqi[0], 3))
        for name in ("rank", "q1", "q2", "i12", "i16", "i17", "i18", "i23", "i24", "i25"):
            self.assertEqual(getattr(back.precoding, name), getattr(report.precoding, name))
        short, count = format.pack(report, format.max_bits() // 2)
        self.assertLess(format.unpack(short, count).groups, 3)
        with self.assertRaisesRegex(ValueError, "part 1 has"):
            format.unpack(bits, 10)
        with self.assertRaisesRegex(ValueError, "count is 9"):
            format.unpack(np.zeros(1, np.uint8), 9)
        rng = np.random.default_rng(1)
        refused = 0
        for _ in range(200):
            bits = rng.integers(0, 256, format.max_bits() // 8 + 1).astype(np.uint8)
            try:
                format.unpack(bits, format.max_bits())
            except ValueError as error:
                self.assertRegex(str(error), " is | has ")
                refused += 1
        self.assertGreater(refused, 100)

    def test_cqi(self):
        self.assertEqual(csifeedback.cqi(-30), 0)
        self.assertEqual(csifeedback.cqi(60, table=4), 15)
        self.assertAlmostEqual(csifeedback.cqi_efficiency(2)[15], 7.4063, 4)


class Metrics(unittest.TestCase):

    def test_against_numpy(self):
        h = waves(4, 2, 2, 12, 2, count=3)
        v = csifeedback.subband_eigenvectors(h, 4, 2)
        self.assertEqual(v.shape, (3, 4, 8, 2))
        other = np.stack([eigenvectors(one, 4, 2) for one in h])
        rng = np.random.default_rng(5)
        w = rng.standard_normal((3, 4, 8, 2)) + 1j * rng.standard_normal((3, 4, 8, 2))
        np.testing.assert_allclose(csifeedback.sgcs(v, other), 1, atol=1e-3)
        np.testing.assert_allclose(csifeedback.sgcs(v, w),
                                   [similarity(a, b) for a, b in zip(v, w)], atol=1e-5)
        np.testing.assert_allclose(csifeedback.sgcs(v[0], w[0]), similarity(v[0], w[0]), atol=1e-5)
        x = rng.random(101)
        for percent in (0, 5, 50, 99.5, 100):
            self.assertAlmostEqual(csifeedback.percentile(x, percent), np.percentile(x, percent))
        with self.assertRaisesRegex(ValueError, "shapes|shape"):
            csifeedback.sgcs(v, w[:2])


class Panels(unittest.TestCase):

    def test_channel(self):
        channel = csifeedback.cdl_panel_channel("C", 4, 4, nr=2, nc=26, sector_element=True)
        h = channel.generate(10, 40)
        self.assertEqual((h.shape, h.dtype, channel.ports()), ((40, 26, 2, 32), np.complex64, 32))
        np.testing.assert_array_equal(channel.generate(12, 1)[0], h[2])
        with self.assertRaisesRegex(ValueError, "n1 is 0"):
            csifeedback.cdl_panel_channel("C", 0)
        with self.assertRaisesRegex(ValueError, "count is -1"):
            channel.generate(0, -1)

    def test_similarity_is_that_of_others(self):
        """Figures of z3rd3n/codebooks on Sionna's channels: CDL-C, (4, 4), N3 = 8, two receive
        antennas; Type I 0.623, combination 1 0.700, combination 6 0.932, each +- 0.011."""
        channel = csifeedback.cdl_panel_channel("C", 4, 4, nr=2, sector_element=True, seed=5)
        h = channel.generate(0, 150)
        v = csifeedback.subband_eigenvectors(h, 8)
        for codebook, known in ((csifeedback.type1_codebook(4, 4, 8), 0.623),
                                (csifeedback.etype2_codebook(4, 4, 8, 1), 0.700),
                                (csifeedback.etype2_codebook(4, 4, 8, 6), 0.932)):
            w = np.stack([codebook.precoder(codebook.select(one)) for one in h])
            self.assertAlmostEqual(csifeedback.sgcs(v, w).mean(), known, delta=0.035)


class Codecs(unittest.TestCase):

    def test_by_name(self):
        h = waves(6, 16, 1, 52, 1, count=20)[:, :, 0]
        scores = {}
        for spec in ("type1:n1=16,n2=1,rows=52", "type1,rows=52,mode=2",
                     "type2:rows=52", "type2:rows=52,beams=2,phase_alphabet=4,subband_amplitude=0",
                     "etype2:param_combination=1,rows=52", "etype2:param_combination=6,rows=52"):
            encoder, decoder = (f(spec) for f in (csifeedback.report_encoder_from_model,
                                                  csifeedback.report_decoder_from_model))
            self.assertEqual((encoder.domain(), encoder.rows(), encoder.nt()), ("H", 52, 32))
            self.assertEqual(encoder.model_id(), decoder.model_id())
            bits, count, gain_db = encoder.encode(h)
            self.assertLessEqual(count.max(), encoder.max_bits())
            found = decoder.decode(bits, count, gain_db)
            # The power is that of the channel, which the frame carries.
            np.testing.assert_allclose(np.mean(np.abs(found) ** 2, axis=(1, 2)),
                                       np.mean(np.abs(h) ** 2, axis=(1, 2)), rtol=1e-4)
            v = csifeedback.subband_eigenvectors(h[:, :, None], 13)
            w = csifeedback.subband_eigenvectors(found[:, :, None], 13)
            scores[spec] = csifeedback.sgcs(v, w).mean()
        self.assertGreater(scores["etype2:param_combination=6,rows=52"], 0.75)
        self.assertGreater(scores["etype2:param_combination=6,rows=52"],
                           scores["etype2:param_combination=1,rows=52"])
        self.assertGreater(scores["etype2:param_combination=1,rows=52"],
                           scores["type1:n1=16,n2=1,rows=52"])
        self.assertGreater(scores["type2:rows=52"],
                           scores["type2:rows=52,beams=2,phase_alphabet=4,subband_amplitude=0"])

    def test_short_budgets_and_bad_bits(self):
        spec = "etype2:param_combination=6,rows=52"
        codec = csifeedback.open_codec(spec)
        encoder, decoder = codec.report_pair()
        self.assertEqual(codec.label, "eType II pc6")
        h = waves(7, 16, 1, 52, 1, count=10)[:, :, 0]
        before = 0
        for budget in (encoder.min_bits(), 170, encoder.max_bits()):
            bits, count, gain_db = encoder.encode(h, budget)
            self.assertLessEqual(count.max(), budget)
            rho = np.mean([csifeedback.cosine_similarity(a, b)
                           for a, b in zip(h, decoder.decode(bits, count, gain_db))])
            self.assertGreater(rho, before)
            before = rho
        with self.assertRaisesRegex(ValueError, "budget is"):
            encoder.encode(h, encoder.min_bits() - 1)
        rng = np.random.default_rng(8)
        bits = rng.integers(0, 256, (100, 40)).astype(np.uint8)
        found = decoder.decode(bits, rng.integers(0, 320, 100).astype(np.int32))
        self.assertTrue(np.isfinite(found).all())
        self.assertTrue((found == 0).all(axis=(1, 2)).any())

    def test_options(self):
        for spec, text in (("etype2:param_combination=9", "param_combination is 9"),
                           ("etype2:beams=4", "no option beams"),
                           ("etype2:n1=four", "n1 is four"),
                           ("type1:n1=5", r"\(N1, N2\) is \(5, 1\)"),
                           ("type1:mode=3", "mode is 3"),
                           ("type2:beams=5", "beams is 5"),
                           ("type1:rows=12", "rows is 12"),
                           ("type1:mode", "no option"),
                           ("etype2:cqi=all", "cqi is all")):
            with self.assertRaisesRegex(ValueError, text):
                csifeedback.open_codec(spec)
        one, other = (csifeedback.open_codec(f"etype2:param_combination={k}").model.model_id
                      for k in (5, 6))
        self.assertNotEqual(one, other)

    def test_programs(self):
        """csifeedback_eval takes them beside each other."""
        with tempfile.TemporaryDirectory() as directory:
            data = os.path.join(directory, "test.h5")
            run_program("dataset", "generate", "--channel", "cdl-b", "--samples", 60, "--whole",
                        "--nc", 52, "--spacing-hz", 180e3, "-o", data)
            done = run_program("eval", "--codec", "type1:rows=52", "--codec",
                               "etype2:param_combination=4,rows=52", "--budget", 250,
                               "--dataset", data, "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            rows = json.loads(done.stdout)
            self.assertEqual([r["codec"] for r in rows], ["Type I mode 1", "eType II pc4"])
            self.assertGreater(rows[1]["rho"], rows[0]["rho"])
            self.assertEqual(rows[0]["payload_bits"], 6 + 26)
            # A precoder has neither phase nor gain: no NMSE, whatever prints it.
            self.assertEqual({r[name] for r in rows for name in r if "nmse" in name}, {None})
            with Dataset(data) as file:
                h = file.whole_matrices()
            truth = np.stack([eigenvectors(one[:, None], 13, 1) for one in h])
            for row, spec in zip(rows, ("type1:rows=52", "etype2:param_combination=4,rows=52")):
                encoder, decoder = csifeedback.open_codec(spec).report_pair()
                bits, counts, gain_db = encoder.encode(h, 250)
                w = decoder.decode(bits, counts, gain_db)[:, ::4].conj()
                scores = [similarity(v, x[:, :, None])[0] for v, x in zip(truth, w)]
                self.assertAlmostEqual(row["sgcs"], np.mean(scores), delta=1e-3)
                self.assertAlmostEqual(row["sgcs_5"], np.percentile(scores, 5), delta=1e-3)
                self.assertLess(row["sgcs_low"], row["sgcs"])
            table, picture = (os.path.join(directory, name) for name in ("t.csv", "t.png"))
            done = run_program("eval", "--codec", "type1:rows=52", "--budget", 250, "--dataset",
                               data, "--csv", table, "--plot", picture)
            header, _, line = done.stdout.splitlines()
            self.assertRegex(header, "NMSE dB +95 % interval +whole dB +rho +SGCS +5 %")
            self.assertRegex(line, rf" -  +-  +-  +0\.\d+  +{rows[0]['sgcs']:.4f}")
            with open(table, newline="") as file:
                (row,) = csv.DictReader(file)
            self.assertEqual((row["nmse_db"], row["nmse_whole_db"]), ("", ""))
            self.assertAlmostEqual(float(row["sgcs_5"]), rows[0]["sgcs_5"], places=6)
            self.assertGreater(os.path.getsize(picture), 1000)

    def test_similarity_of_codecs_of_delay_rows(self):
        """SGCS of a codec that is no codebook, on 1,024 subcarriers, where a part of the rows
        stands for a subband: against whole matrices, and against all rows."""
        codec = csifeedback.open_codec("cdl-a-random-path")
        channel = csifeedback.cdl_channel("A", max_delay_spread_s=300e-9, angle_span_deg=120.0)
        h = csifeedback.generate_channels(channel, 10**6, 12)[0]
        transform = csifeedback.angular_delay_transform(1024, 32, 32, 4)
        ha, lost, _ = transform.forward(h)
        found = transform.inverse(codec.own_reports()[1].decode(
            *codec.own_reports()[0].encode(ha, 128)))
        for truth in (h, None):
            evaluator = evaluation.Evaluator(ha, lost, 1024, 4, h=truth)
            row = evaluator.run_budget(codec, 128)
            true = transform.inverse(ha) if truth is None else h
            scores = [similarity(eigenvectors(a[:, None], 13, 1), eigenvectors(b[:, None], 13, 1))
                      for a, b in zip(true, found)]
            self.assertAlmostEqual(row["sgcs"], np.mean(scores), delta=2e-3)
            self.assertLess(row["nmse_db"], -3)
        few = evaluation.Evaluator(ha, lost, 1024, 4, rho_samples=0).run_budget(codec, 64)
        self.assertTrue(np.isnan(few["sgcs"]))

    def test_blocks_have_the_results_of_the_objects(self):
        spec = "etype2:param_combination=2,rows=26"
        h = waves(9, 16, 1, 26, 1, count=20)[:, :, 0]
        encoder, decoder = csifeedback.open_codec(spec).report_pair()
        flowgraph = gr.top_block()
        source = blocks.vector_source_c(h.ravel().tolist(), False, 26 * 32)
        one = csifeedback.csi_report_encoder(csifeedback.report_encoder_from_model(spec), 100)
        other = csifeedback.csi_report_decoder(csifeedback.report_decoder_from_model(spec), 100)
        out = blocks.vector_sink_c(26 * 32)
        flowgraph.connect(source, one, other, out)
        flowgraph.connect((one, 1), (other, 1))
        flowgraph.run()
        bits, counts, gain_db = encoder.encode(h, 100)
        np.testing.assert_array_equal(np.array(out.data(), np.complex64).reshape(-1, 26, 32),
                                      decoder.decode(bits, counts, gain_db))

    def test_frames(self):
        """Through framer, a link with bit errors, deframer and metrics."""
        for ber in (0, 2e-4):
            out = json.loads(run_program(
                "sim", "--codec", "etype2:rows=64,param_combination=4", "--channel", "cdl-d",
                "--budget", 200, "--samples", 60, "--ber", ber, "--json").stdout)
            self.assertEqual((out["frames_sent"], out["matched"]), (60, 60))
            if ber == 0:
                self.assertEqual(out["frames"]["ok"], 60)
            self.assertGreater(out["rho"], 0.85)
            self.assertGreater(out["sgcs"], 0.8)
            self.assertLess(out["sgcs_5"], out["sgcs"])
            self.assertIsNone(out["nmse_db"])
            self.assertIsNone(out["nmse_whole_db"])

    def test_similarity_in_the_chain(self):
        """csifeedback_sim has the SGCS of csifeedback_eval, of codecs of H and of delay rows."""
        for spec, channel, how in (
                ("etype2:rows=64,param_combination=2", ("--channel", "cdl-b"), ()),
                ("cdl-a-random-path", (), ("--truncated",))):
            arguments = ("--codec", spec, "--budget", 100, *channel, "--samples", 40, "--first",
                         10**6, "--subbands", 8, "--json")
            out = json.loads(run_program("sim", *how, *arguments).stdout)
            (row,) = json.loads(run_program("eval", *arguments).stdout)
            for name, places in (("sgcs", 4), ("sgcs_5", 1)):
                self.assertAlmostEqual(out[name], row[name], places=places)
        self.assertNotIn("sgcs", json.loads(run_program(
            "sim", "--truncated", *arguments[:-2], 0, "--json").stdout))


def rate_of_two(h, w):
    """bit/s/Hz at 10 dB of two UEs (2, rows, nr, nt) precoded with their layers w (2, rows, nt, layers)."""
    h = h / np.sqrt(np.mean(np.abs(h) ** 2, axis=(1, 2, 3), keepdims=True))
    streams = [(k, w[k, :, :, layer]) for k in (0, 1) for layer in range(w.shape[3]) if w[k, :, :, layer].any()]
    known = downlink.effective_channel(np.stack([v for _, v in streams], axis=1), float(h.shape[3]))
    ratio = downlink.sinr(np.stack([h[k] for k, _ in streams], axis=1),
                          downlink.regularized_zero_forcing(known, 0.1), 0.1)
    return np.mean(np.sum(np.log2(1 + ratio), axis=1))


class Antennas(unittest.TestCase):
    """UEs with several antennas, ranks above 1."""

    def test_channels(self):
        """Matrices of several antennas are those of the panel, of one antenna its part; UEs of a data set
        are made of neighbouring matrices."""
        panel = csifeedback.cdl_panel_channel("C", 2, 2, nr=3, nc=12)
        h = panel.generate(40, 2)
        every = csifeedback.receive_antennas(panel)
        self.assertEqual((every.nc(), every.nt(), every.name()), (36, 8, "cdl-c-panel"))
        self.assertAlmostEqual(every.nc() * every.spacing_hz(), 12 * 180e3)
        np.testing.assert_array_equal(every.generate(41), h[1].reshape(36, 8))
        for antenna in range(3):
            one = csifeedback.receive_antennas(panel, antenna)
            self.assertEqual((one.nc(), one.nt()), (12, 8))
            np.testing.assert_array_equal(one.generate(40), h[0, :, antenna])
        moving = csifeedback.receive_antennas(panel, samples_per_drop=4, step_wavelengths=0.1)
        np.testing.assert_array_equal(moving.generate(4 * 40), every.generate(40))
        np.testing.assert_array_equal(moving.generate(4 * 40 + 3).reshape(12, 3, 8),
                                      panel.track(40, [[3 * 0.1, 0]])[0])
        uma = csifeedback.scenario_panel_channel("uma", 2, 1, 2, 6)
        np.testing.assert_array_equal(csifeedback.receive_antennas(uma).generate(5),
                                      uma.generate(5, 1).reshape(12, 4))
        alone = csifeedback.cdl_channel("A", nc=6, nt=4)
        np.testing.assert_array_equal(
            csifeedback.receive_antennas(alone, 2).generate(7).reshape(6, 2, 4),
            np.stack([alone.generate(14), alone.generate(15)], axis=1))
        for make, error in ((lambda: csifeedback.receive_antennas(panel, 3), "antenna is 3"),
                            (lambda: csifeedback.receive_antennas(alone, 0), "nr is 0"),
                            (lambda: csifeedback.receive_antennas(panel, samples_per_drop=0),
                             "samples_per_drop is 0"),
                            (lambda: every.generate_truncated(0, 8, 2), "full-band")):
            with self.assertRaisesRegex(ValueError, error):
                make()

    def test_reports(self):
        """The rank of the largest rate is in part 1; the BS gets the layers of the PMI, the others zero."""
        h = waves(3, 4, 2, 26, 3, count=30)
        # Some are of rank 1.
        h[:10] = h[:10, :, :1] * np.array([1, 0.5, -1j])[:, None]
        for name in ("etype2", "type1"):
            codec = csifeedback.open_codec(f"{name}:rows=26,n1=4,n2=2,nr=3,cqi=wideband,snr_db=15")
            self.assertEqual((codec.nr, list(codec.ranks), codec.model.na), (3, [1, 2, 3], 78))
            encoder, decoder = codec.own_reports()
            stacked = h.reshape(30, 78, 16)
            bits, counts, gain_db = encoder.encode(stacked, encoder.max_bits())
            found = decoder.decode(bits, counts, gain_db)
            w = layers.precoders(found, 3)
            book = codec.codec.codebook()
            format = csifeedback.csi_report_format(book, "wideband")
            # Encoders see matrices of unit mean power.
            scale = np.sqrt(np.mean(np.abs(h) ** 2, axis=(1, 2, 3)))
            ranks = []
            for one, own, packed, count, size in zip(h, w, bits, counts, scale):
                report = format.report(one / size, 15)
                mine = format.unpack(packed, count)
                self.assertEqual(mine.precoding.rank, report.precoding.rank)
                self.assertEqual(count, len(np.unpackbits(packed, count=int(count))))
                rank = report.precoding.rank
                ranks.append(rank)
                np.testing.assert_allclose(own[::2, :, :rank], book.precoder(mine.precoding), atol=1e-5)
                self.assertFalse(own[..., rank:].any())
            self.assertEqual(ranks[:10], [1] * 10)
            self.assertGreater(max(ranks), 1)
            np.testing.assert_array_equal(layers.ranks(w), ranks)
            # Layers are those of the channel.
            scores = layers.Scores(3, 13, 15, 3)
            scores.add(stacked, found)
            figures = scores.figures()
            self.assertAlmostEqual(figures["rank_share"][1], np.mean(np.array(ranks) == 1))
            self.assertLess(figures["se_layers"], figures["se_layers_perfect"] + 1e-6)
            if name == "etype2":
                self.assertGreater(figures["sgcs_layers"][0], 0.8)

    def test_figures(self):
        """Spectral efficiency and SGCS by layer against their definitions."""
        rng = np.random.default_rng(5)
        h, w = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
                for shape in ((4, 6, 2, 8), (4, 6, 8, 2)))
        w[3, ..., 1] = 0
        w /= np.linalg.norm(w, axis=(2, 3), keepdims=True)
        expected = [np.mean([np.log2(np.linalg.det(np.eye(2) + 10 * a @ b @ (a @ b).conj().T).real)
                             for a, b in zip(one / np.sqrt(np.mean(np.abs(one) ** 2)), v)])
                    for one, v in zip(h, w)]
        np.testing.assert_allclose(layers.efficiency(h, w, 10), expected, rtol=1e-6)
        v = layers.eigenvectors(h, 3, 2)
        w = np.repeat(w[:, ::2], 2, axis=1)
        found = layers.similarities(v, w, 3)
        expected = csifeedback.sgcs(np.ascontiguousarray(v[:, ::2]),
                                    np.ascontiguousarray(w[:, ::2], np.complex64))
        np.testing.assert_allclose(found[:, 0], expected[:, 0], atol=1e-5)
        np.testing.assert_allclose(found[:3, 1], expected[:3, 1], atol=1e-5)
        self.assertTrue(np.isnan(found[3, 1]))
        best = layers.best_efficiency(h, v, 10)
        for rank in (1, 2):
            self.assertTrue((best >= layers.efficiency(h, v[..., :rank] / np.sqrt(rank), 10)).all())

    def test_budget_and_rank(self):
        """With few bits the UE reports fewer layers where that brings more."""
        panel = csifeedback.cdl_panel_channel("C", 4, 4, nr=4, nc=26, spacing_hz=360e3, angle_span_deg=120)
        h = panel.generate(0, 30)
        rows = np.ascontiguousarray(h.reshape(30, 104, 32))

        def figures(ranks, budget):
            codec = csifeedback.open_codec(f"etype2:n1=4,n2=4,rows=26,nr=4,snr_db=20,ranks={ranks}")
            encoder, decoder = codec.own_reports()
            bits, counts, gain_db = encoder.encode(rows, budget)
            self.assertLessEqual(counts.max(), budget)
            w = layers.precoders(decoder.decode(bits, counts, gain_db), 4)
            # Behind MMSE receivers, as the UE computes it.
            power = np.mean(np.abs(h) ** 2, axis=(1, 2, 3))[:, None, None, None]
            ratio = downlink.sinr(np.repeat((h / np.sqrt(power))[:, :, None], 4, axis=2), w, 0.01)
            return layers.ranks(w), np.log2(1 + ratio).mean(axis=1).sum(axis=1)

        ranks, best = figures("1-4", 600)
        self.assertGreater(ranks.mean(), 2.5)
        few, found = figures("1-4", 300)
        self.assertLess(few.mean(), ranks.mean())
        self.assertLessEqual(found.mean(), best.mean() + 1e-9)
        # Better than every fixed rank in each drop: with its own rank it saves two bits of the report.
        for rank in range(1, 5):
            fixed = figures(rank, 298)[1]
            self.assertTrue((found >= 0.999 * fixed).all(), (rank, found, fixed))
            self.assertGreater(found.mean(), 1.02 * fixed.mean())
        format = csifeedback.csi_report_format(csifeedback.etype2_codebook(4, 4, 13, 6, [1, 2, 3, 4]))
        report = format.report(h[0], 20, 300)
        self.assertEqual(report.precoding.rank, few[0])
        with self.assertRaisesRegex(ValueError, "budget is 3, allowed is"):
            format.report(h[0], 20, 3)

    def test_programs(self):
        """Ranks, SGCS by layer and spectral efficiency, from a data set of panels and from a channel."""
        spec = "etype2:param_combination=4,n1=2,n2=2,rows=24,subbands=6,nr=2"
        with tempfile.TemporaryDirectory() as directory:
            path, table = (os.path.join(directory, name) for name in ("h.h5", "t.csv"))
            done = run_program("dataset", "generate", "--channel", "umi", "--n1", 2, "--n2", 2, "--nr", 2,
                               "--nc", 24, "--whole", "--samples", 40, "-o", path)
            self.assertEqual(done.returncode, 0, done.stderr)
            arguments = ("--codec", spec, "--budget", 300, "--dataset", path, "--subbands", 6, "--json")
            (row,) = json.loads(run_program("eval", *arguments, "--csv", table).stdout)
            out = json.loads(run_program("sim", *arguments).stdout)
            with open(table) as file:
                (line,) = csv.DictReader(file)
            self.assertEqual(float(line["se_layers"]), row["se_layers"])
            text = run_program("eval", *arguments[:-1]).stdout
            self.assertIn("rank 2", text)
            groups = json.loads(run_program("eval", *arguments, "--spectral-efficiency", 2, "--se-snr", 10, 10, 1,
                                            "--precoding", "regularized-zero-forcing").stdout)
            with Dataset(path) as data:
                h = data.whole_matrices().reshape(40, 2, 24, 8).swapaxes(1, 2)
            refused = [(["--codec", spec.replace("nr=2", "nr=4")], "UEs with 2 antennas, the codec is for 4"),
                       (["--codec", spec + ",ranks=3"], "ranks is 3, allowed is 1 to 2"),
                       (["--codec", spec, "--codec", "type1:n1=2,n2=2,rows=48,subbands=6",
                         "--spectral-efficiency", 2], "is for UEs with 1 antennas, the groups of users have 2"),
                       (["--codec", spec, "--first", 30, "--samples", 20], "has 40 UEs with 2 antennas")]
            for changes, error in refused:
                done = run_program("eval", "--budget", 300, "--dataset", path, *changes)
                self.assertEqual(done.returncode, 2)
                self.assertIn(error, done.stderr)
        self.assertEqual((out["matched"], out["frames"]["ok"], out["rho"]), (40, 40, None))
        for name in ("rank_share", "sgcs_layers", "sgcs_layers_5", "se_layers", "se_layers_perfect",
                     "sgcs"):
            np.testing.assert_allclose(out[name], row[name], rtol=1e-4)
        codec = csifeedback.open_codec(spec)
        encoder, decoder = codec.own_reports()
        bits, counts, gain_db = encoder.encode(np.ascontiguousarray(h.reshape(40, 48, 8)), 300)
        scores = layers.Scores(2, 6, 10, 2)
        scores.add(h.reshape(40, 48, 8), decoder.decode(bits, counts, gain_db))
        np.testing.assert_allclose(scores.figures()["sgcs_layers"], row["sgcs_layers"], rtol=1e-5)
        # Of two UEs together, matrices i and i + 20.
        self.assertEqual([r["codec"] for r in groups[1:]],
                         ["perfect CSI, 1 layer", "perfect CSI, 2 layers", "DFT beam"])
        w = layers.precoders(decoder.decode(bits, counts, gain_db), 2)
        v = layers.eigenvectors(h, 24, 2)
        for found, vectors in ((groups[0], w), (groups[1], v[..., :1]), (groups[2], v)):
            rates = [rate_of_two(h[[i, i + 20]], vectors[[i, i + 20]]) for i in range(20)]
            self.assertEqual((found["users"], found["se_snr_db"]), (2, [10]))
            self.assertAlmostEqual(found["se"][0], np.mean(rates), places=3)
        # Frames that have numbers beyond 16 bits.
        out = json.loads(run_program(
            "sim", "--codec", spec, "--channel", "cdl-c", "--budget", 300, "--samples", 30, "--first",
            65520, "--json").stdout)
        self.assertEqual(out["matched"], 30)
        self.assertGreater(out["sgcs_layers"][0], 0.85)
        done = run_program("sim", "--codec", spec, "--budget", 300)
        self.assertEqual(done.returncode, 2)
        self.assertIn("give --dataset", done.stderr)


if __name__ == "__main__":
    unittest.main()
