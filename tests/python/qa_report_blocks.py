#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csi_report_encoder and csi_report_decoder: streams and PDUs, against the codec objects."""

import unittest

import numpy as np
import pmt
from gnuradio import blocks, csifeedback, gr
from common import Messages, metadata, pdu, values

MODEL = "cost2100-indoor-local-klt"
HOW = (MODEL, "allocated", 64, 4)


def channels(count):
    return csifeedback.generate_channels(
        csifeedback.cost2100_channel("indoor"), 10**6, count, 32)[0]


def encoder():
    return csifeedback.report_encoder_from_model(*HOW)


def decoder():
    return csifeedback.report_decoder_from_model(*HOW)


class Varying(csifeedback.Codec):
    """Reports of as many bits as the first entry says: 5 to 20, all ones."""

    name, number, report_bits, rows, nt = "varying", 203, (1, 24), 2, 2

    def encode_bits(self, h, budget):
        if h[0, 1] == h[1, 0]:
            raise RuntimeError("on purpose")
        return np.ones(min(budget, 5 + int(8 * abs(h[0, 0]))), np.uint8)

    def decode_bits(self, bits):
        return np.full((2, 2), len(bits))


class Reports(unittest.TestCase):
    def stream(self, h, encoder, decoder, budget=0):
        """(bytes, gains, tags of bytes, matrices) of a flowgraph with both blocks."""
        flowgraph = gr.top_block()
        source = blocks.vector_source_c(h.ravel().tolist(), False, h[0].size)
        one = csifeedback.csi_report_encoder(encoder, budget)
        other = csifeedback.csi_report_decoder(decoder, budget)
        size = (one.budget() + 7) // 8
        bits, gain = blocks.vector_sink_b(size), blocks.vector_sink_f()
        out = blocks.vector_sink_c(h[0].size)
        flowgraph.connect(source, one, other, out)
        flowgraph.connect((one, 0), bits)
        flowgraph.connect((one, 1), gain)
        flowgraph.connect((one, 1), (other, 1))
        flowgraph.run()
        self.blocks = one, other
        return (np.array(bits.data(), np.uint8).reshape(-1, size), np.array(gain.data()),
                bits.tags(), np.array(out.data(), np.complex64).reshape(-1, *h.shape[1:]))

    def test_stream_has_the_results_of_the_objects(self):
        h = channels(50)
        for budget in (0, 256, 101):
            bits, gain, tags, found = self.stream(h, encoder(), decoder(), budget)
            expected, count, gain_db = encoder().encode(h, budget)
            np.testing.assert_array_equal(bits, expected)
            np.testing.assert_allclose(gain, gain_db, rtol=1e-6)
            np.testing.assert_array_equal(
                found, decoder().decode(expected, count, gain_db))
            numbers = [pmt.to_long(t.value) for t in tags
                       if pmt.symbol_to_string(t.key) == "report_bits"]
            self.assertEqual(numbers, [count[0]])  # all alike: one tag
            self.assertEqual(self.blocks[0].reports(), 50)
            self.assertEqual(self.blocks[0].bits(), count.sum())
            self.assertEqual(self.blocks[1].decoded(), 50)

    def test_pdus_have_them_too(self):
        h = channels(8)
        out = Messages(csifeedback.csi_report_encoder(encoder(), 200)).run(
            [pdu(x, frame=i) for i, x in enumerate(h)], 8)
        expected, count, gain_db = encoder().encode(h, 200)
        for i, message in enumerate(out):
            used = (count[i] + 7) // 8
            np.testing.assert_array_equal(values(message, np.uint8), expected[i, :used])
            said = metadata(message)
            self.assertEqual((said["frame"], said["report_bits"]), (i, count[i]))
            self.assertAlmostEqual(said["gain_db"], gain_db[i], 4)
        out = Messages(csifeedback.csi_report_decoder(decoder())).run(out, 8)
        found = np.stack([values(m, np.complex64).reshape(32, 32) for m in out])
        np.testing.assert_allclose(found, decoder().decode(expected, count, gain_db), rtol=1e-5)
        self.assertEqual([metadata(m)["frame"] for m in out], list(range(8)))

    def test_reports_of_several_lengths_and_a_codec_that_fails(self):
        rng = np.random.default_rng(4)
        h = (rng.standard_normal((40, 2, 2)) + 1j).astype(np.complex64)
        h[7, 0, 1] = h[7, 1, 0]  # the codec raises
        h[9] = np.nan            # not its business
        coder = Varying()
        bits, _, tags, found = self.stream(h, coder.report_encoder(), coder.report_decoder())
        self.assertEqual(len(found), 38)
        self.assertEqual(self.blocks[0].discarded(), 2)
        good = np.delete(h, (7, 9), axis=0)
        _, count, gain_db = csifeedback.report_encoder(coder.report_encoder()).encode(good)
        scale = 10 ** (gain_db / 20)
        np.testing.assert_allclose(found[:, 0, 0], count * scale, rtol=1e-5)
        for row, n in zip(bits, count):
            np.testing.assert_array_equal(np.unpackbits(row), np.arange(24) < n)
        frames = {t.offset: pmt.to_uint64(t.value) for t in tags
                  if pmt.symbol_to_string(t.key) == "frame"}
        self.assertEqual(frames, {0: 0, 7: 8, 8: 10})

    def test_bad_pdus_are_discarded_and_counted(self):
        block = csifeedback.csi_report_decoder(decoder(), 256)
        good = pdu(np.full(32, 0xa5, np.uint8), frame=3)
        bad = [pdu(np.zeros(3, np.float32)), pmt.mp("text"), pmt.PMT_NIL,
               pdu(np.zeros(4, np.uint8), report_bits=33),
               pdu(np.zeros(4, np.uint8), report_bits=0),
               pdu(np.zeros(40, np.uint8)),
               pdu(np.zeros(4, np.uint8), gain_db=float("nan"))]
        out = Messages(block).run([*bad, good], 1)
        self.assertEqual(len(out), 1)
        self.assertEqual(block.discarded(), len(bad))
        block = csifeedback.csi_report_encoder(encoder())
        self.assertEqual(len(Messages(block).run(
            [pmt.mp("text"), pdu(np.zeros(1024, np.complex64)), pdu(np.ones(9, np.complex64)),
             pdu(channels(1)[0])], 1)), 1)
        self.assertEqual(block.discarded(), 3)

    def test_frames_of_quantized_codewords_are_those_of_the_old_chain(self):
        h = channels(12)
        model = csifeedback.model_file(MODEL)
        quantizer = csifeedback.make_quantizer(model, "allocated", 64, 4)
        level = quantizer.quantize(csifeedback.local_klt_encoder(model, 64).encode(h)[0])
        _, _, gain_db = encoder().encode(h)
        old = csifeedback.feedback_framer(
            quantizer, csifeedback.local_klt_encoder(model, 64), 5)
        expected = Messages(old).run([pdu(x, frame=100 + i, gain_db=float(g)) for i, (x, g) in
                                      enumerate(zip(level, gain_db))], 12)
        object_ = encoder()
        reports = Messages(csifeedback.csi_report_encoder(object_)).run(
            [pdu(x, frame=100 + i) for i, x in enumerate(h)], 12)
        framer = csifeedback.report_framer(object_, 5)
        frames = Messages(framer).run(reports, 12)
        self.assertEqual([bytes(values(m, np.uint8)) for m in frames],
                         [bytes(values(m, np.uint8)) for m in expected])
        self.assertEqual(framer.frames(), 12)
        self.assertEqual(framer.bits_sent(), 12 * (256 + 136))
        # And back: both deframers take them.
        object_ = decoder()
        out = Messages(csifeedback.report_deframer(object_, 5)).run(frames, 12)
        self.assertEqual([metadata(m)["frame"] for m in out], list(range(100, 112)))
        for one, other in zip(out, reports):
            np.testing.assert_array_equal(values(one, np.uint8), values(other, np.uint8))
            self.assertEqual(metadata(one)["report_bits"], 256)
        out = Messages(csifeedback.csi_report_decoder(object_)).run(out, 12)
        found = np.stack([values(m, np.complex64).reshape(32, 32) for m in out])
        bits, count, _ = encoder().encode(h)
        # The gain is rounded to 1/128 dB.
        np.testing.assert_allclose(found, decoder().decode(bits, count, gain_db), rtol=1e-3,
                                   atol=1e-6)
        levels = Messages(csifeedback.feedback_deframer(
            quantizer, csifeedback.local_klt_decoder(model, 64))).run(
            frames, 12)
        np.testing.assert_array_equal([values(m, np.int16) for m in levels], level)

    def test_frames_of_other_reports(self):
        coder = Varying()
        one, other = (csifeedback.report_encoder(coder.report_encoder()),
                      csifeedback.report_decoder(coder.report_decoder()))
        h = (np.arange(1, 9)[:, None, None] * np.array([[1, 2], [3, 4]]) ** 2j
             * np.array([[1, 0.1], [0.2, 0.3]])).astype(np.complex64)
        flowgraph = gr.top_block()
        source = blocks.vector_source_c(h.ravel().tolist(), False, 4)
        encode, frame = csifeedback.csi_report_encoder(one), csifeedback.report_framer(one, 9)
        store = blocks.message_debug()
        flowgraph.connect(source, encode, frame)
        flowgraph.connect((encode, 1), (frame, 1))
        flowgraph.msg_connect(frame, "pdus", store, "store")
        flowgraph.run()
        frames = [store.get_message(i) for i in range(8)]
        _, count, _ = csifeedback.report_encoder(coder.report_encoder()).encode(h)
        for i, message in enumerate(frames):
            raw = bytes(values(message, np.uint8))
            self.assertEqual(len(raw), 17 + (count[i] + 7) // 8)
            self.assertEqual(raw[0] & 15, 14)  # the type of reports
        damaged = bytearray(values(frames[0], np.uint8))
        damaged[12] ^= 1
        deframe = csifeedback.report_deframer(other, 9)
        out = Messages(deframe).run([pdu(np.frombuffer(damaged, np.uint8)), *frames], 8)
        self.assertEqual([metadata(m)["report_bits"] for m in out], list(count))
        self.assertEqual(deframe.counts()["bad_crc"], 1)
        self.assertEqual(deframe.counts()["ok"], 8)

    def test_bad_use(self):
        block = csifeedback.csi_report_encoder(encoder(), 200)
        for call, text in (
                (lambda: csifeedback.csi_report_encoder(None), "encoder is null"),
                (lambda: csifeedback.csi_report_decoder(None), "decoder is null"),
                (lambda: csifeedback.csi_report_encoder(encoder(), -1), "budget is -1"),
                (lambda: csifeedback.csi_report_decoder(decoder(), 70000), "max_bits is 70000"),
                (lambda: block.set_budget(201), "budget is 201, allowed is")):
            with self.assertRaises(ValueError) as caught:
                call()
            self.assertIn(text, str(caught.exception))
        block.set_budget(100)
        self.assertEqual(block.budget(), 100)


if __name__ == "__main__":
    unittest.main()
