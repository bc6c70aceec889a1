#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What blocks do with messages that nobody of good will sends: improper dictionaries, as a socket
can deliver them, and frame numbers that are wrong, forged, repeated or old."""

import struct
import unittest

import numpy as np
import pmt
from gnuradio import csifeedback, gr
from gnuradio.csifeedback.pdus import guarded, read_pdu
from gnuradio.csifeedback.precoded import MeasurePrecoded

from common import Messages, make_deframer, make_framer, metadata, pdu, random_complex, values

KLT = "cost2100-indoor-klt"


def symbol(text):
    """A symbol in the wire format of PMTs."""
    return b"\x02" + struct.pack(">H", len(text)) + text.encode()


NUMBER = b"\x03\x00\x00\x00\x05"


def entry(name):
    """An entry of a dictionary in that format, without what comes behind it."""
    return b"\x09\x07" + symbol(name) + NUMBER


def improper():
    """Things that pmt.is_dict() takes for dictionaries, or that lookups accept."""
    cycle = pmt.to_pmt({"frame": 5})
    return {
        "ends in a symbol": pmt.deserialize_str(entry("frame") + symbol("x")),
        "another key, ends in a symbol": pmt.deserialize_str(entry("other") + symbol("x")),
        "ends in a number": pmt.deserialize_str(entry("a") + entry("frame") + NUMBER),
        "list of pairs": pmt.list1(pmt.cons(pmt.intern("frame"), pmt.from_long(5))),
        "list of numbers": pmt.list2(pmt.from_long(5), pmt.from_long(6)),
        "pair": pmt.cons(pmt.intern("frame"), pmt.from_long(5)),
        "symbol": pmt.intern("frame"),
        "vector": pmt.make_vector(3, cycle),
        "too long": pmt.to_pmt({**{str(i): i for i in range(256)}, "frame": 5}),
    }


class Foreign(unittest.TestCase):

    def check(self, block, good, bad=None, port="pdus", port_out="pdus", expected=1, answer=None):
        """One good message comes through, before and after all improper ones, and nothing else.

        good: payload. bad: dictionaries by name.
        """
        payload = pmt.cdr(pdu(good))
        messages = [pmt.cons(d, payload) for d in (bad or improper()).values()]
        messages = [pdu(good, frame=5)] + messages + [pmt.cons(d, d) for d in improper().values()] \
            + [pmt.PMT_NIL, pmt.PMT_T, pmt.from_long(-7), pmt.intern("x"), pmt.from_double(np.nan),
               pmt.make_vector(2, pmt.PMT_NIL), payload] + [pdu(good, frame=6)]
        out = Messages(block, port, port_out).run(messages, 2 * expected)
        self.assertEqual(len(out), 2 * expected, block.name())

    def test_dictionaries(self):
        self.assertTrue(all(pmt.is_dict(improper()[n]) for n in
                            ("ends in a symbol", "too long")))
        self.assertEqual(len(pmt.to_python(improper()["too long"])), 257)

    def test_blocks_with_codecs(self):
        model = csifeedback.model_file(KLT)
        quantizer = csifeedback.lloyd_max_quantizer(model, 32, 4)
        self.check(csifeedback.csi_encoder(csifeedback.linear_encoder(model, 32)),
                   random_complex(np.random.default_rng(1), 32, 32))
        self.check(csifeedback.csi_decoder(csifeedback.linear_decoder(model, 32)),
                   np.ones(32, np.float32))
        self.check(csifeedback.csi_quantizer(quantizer), np.ones(32, np.float32))
        self.check(csifeedback.csi_dequantizer(quantizer), np.ones(32, np.int16))
        self.check(make_framer(quantizer), np.ones(32, np.int16))
        frame = Messages(make_framer(quantizer)).run(
            [pdu(np.ones(32, np.int16), frame=5)], 1)[0]
        frame = values(frame, np.uint8)
        self.check(make_deframer(quantizer), frame)
        self.check(csifeedback.feedback_link(), frame)

    def test_other_blocks(self):
        x = random_complex(np.random.default_rng(2), 8, 2)
        self.check(csifeedback.csi_hold(), x)
        self.check(csifeedback.csi_import(16), x)
        self.check(csifeedback.angular_delay_inverse(csifeedback.csi_shape("Ha", 8, 2, 16, 4)), x)
        metrics = csifeedback.csi_metrics(csifeedback.csi_shape("H", 8, 2))
        Messages(metrics, "truth", "ack").run([pdu(x, frame=5), pdu(x, frame=6)], 0)
        self.check(metrics, x, port_out="ack")
        self.check(csifeedback.csi_metrics(csifeedback.csi_shape("H", 8, 2)), x, port="truth",
                   port_out="ack", expected=0)
        self.assertEqual(metrics.report()["matched"], 2)
        se = csifeedback.csi_spectral_efficiency(1, csifeedback.csi_shape("H", 8, 2), [10], interval=1)
        Messages(se, "truth", "reports").run([pdu(x, frame=5), pdu(x, frame=6)], 0)
        self.check(se, x, port_out="reports")

    def test_import_takes_the_key_csi(self):
        x = random_complex(np.random.default_rng(3), 8)
        csi = pmt.cdr(pdu(x))
        bad = {}
        for name in ("ends in a symbol", "ends in a number"):
            bad[name] = pmt.dict_add(pmt.make_dict(), pmt.intern("csi"), csi)
            pmt.set_cdr(bad[name], improper()[name])
        self.check(csifeedback.csi_import(8), x, bad)

    def test_hold_tick_and_truth_of_the_metrics(self):
        x = random_complex(np.random.default_rng(4), 3)
        block = csifeedback.csi_hold()
        Messages(block).run([pdu(x, frame=5)], 1)
        ticks = [pmt.cons(d, pmt.PMT_NIL) for d in improper().values()]
        out = Messages(block, "tick").run(ticks + [pmt.from_long(-3), pmt.from_long(6)], 1)
        self.assertEqual(metadata(out[0])["frame"], 6)

    def test_figures_of_the_metrics_stay_finite(self):
        x = random_complex(np.random.default_rng(5), 4, 2)
        block = csifeedback.csi_metrics(csifeedback.csi_shape("H", 4, 2))
        Messages(block, "truth", "ack").run([pdu(x, frame=i) for i in range(6)], 0)
        Messages(block, "pdus", "ack").run(
            [pdu(0.9 * x, frame=i, age=age, frame_bits=bits) for i, (age, bits) in enumerate(
                ((np.nan, 1), (np.inf, np.inf), (-1, -np.inf), (1e300, np.nan), ("x", {}),
                 (4, 100)))], 6)
        report = block.report()
        self.assertEqual((report["matched"], report["held"]), (6, 1))
        self.assertTrue(all(np.isfinite(v) for v in report.values()))
        self.assertEqual(report["age"], 4 / 6)

    def test_read_pdu(self):
        x = random_complex(np.random.default_rng(6), 5)
        found, y = read_pdu(pdu(x, frame=2**40, gain_db=-1.5, more=-3, text="a"), np.complex64)
        self.assertEqual(found, {"frame": 2**40, "gain_db": -1.5, "more": -3})
        np.testing.assert_array_equal(x, y)
        for dtype in (np.int16, np.uint8, np.float32):
            y = np.arange(7).astype(dtype)
            np.testing.assert_array_equal(read_pdu(pdu(y), dtype)[1], y)
            self.assertIsNone(read_pdu(pdu(y), np.complex64))
        for name, bad in improper().items():
            self.assertIsNone(read_pdu(pmt.cons(bad, pmt.cdr(pdu(x))), np.complex64), name)
            self.assertIsNone(read_pdu(bad, np.complex64), name)
        with self.assertRaisesRegex(ValueError, "dtype is float64, allowed is complex64"):
            read_pdu(pdu(x), np.float64)

    def test_a_block_in_python(self):
        frame = csifeedback.csirs_frame(nt=2, gap=10000)
        found = []
        block = MeasurePrecoded(frame, 0, lambda *args: found.append(args))
        size = frame.nc() * frame.nt()
        h = np.ones(size, np.complex64)
        for message in [pmt.cons(d, pmt.cdr(pdu(h))) for d in improper().values()] + [
                pdu(h), pdu(h, start=0, frame=1, noise=0.1, offset_hz=np.inf),
                pdu(h, start=-1, frame=1, noise=0.1, offset_hz=0.0),
                pdu(h, start="x", frame=1, noise=0.1, offset_hz=0.0),
                pdu(h[:-1], start=0, frame=1, noise=0.1, offset_hz=0.0)]:
            block.take(message)
        self.assertEqual((found, len(block._waiting)), ([], 0))

    def test_a_handler_in_python_that_raises(self):
        class Block(gr.basic_block):
            def __init__(self):
                gr.basic_block.__init__(self, "raises", None, None)
                self.taken = 0
                self.message_port_register_in(pmt.intern("pdus"))
                self.message_port_register_out(pmt.intern("pdus"))
                self.set_msg_handler(pmt.intern("pdus"), self.handle)

            @guarded
            def handle(self, message):
                if pmt.is_symbol(message):
                    raise KeyError(message)
                self.taken += 1
                self.message_port_pub(pmt.intern("pdus"), message)

        block = Block()
        out = Messages(block).run([pmt.intern("x"), pmt.from_long(1), pmt.intern("y"),
                                   pmt.from_long(2)], 2)
        self.assertEqual((len(out), block.taken), (2, 2))


class Values(unittest.TestCase):
    """Matrices, gains and codewords near the limits of floats."""

    def setUp(self):
        self.model = csifeedback.model_file(KLT)
        self.encoder = csifeedback.linear_encoder(self.model, 16)
        self.decoder = csifeedback.linear_decoder(self.model, 16)
        self.quantizer = csifeedback.lloyd_max_quantizer(self.model, 16, 6)
        self.h = random_complex(np.random.default_rng(8), 32, 32)

    def test_matrices_of_any_scale(self):
        scales = (1e-20, 1e-12, 1, 1e12, 1e18)
        block = csifeedback.csi_encoder(self.encoder)
        out = Messages(block).run([pdu((self.h * x).astype(np.complex64), frame=i)
                                   for i, x in enumerate(scales)], 5)
        gains = [metadata(m)["gain_db"] for m in out]
        np.testing.assert_allclose(gains, gains[2] + 20 * np.log10(scales), atol=1e-3)
        for message in out:
            np.testing.assert_allclose(values(message, np.float32), values(out[2], np.float32),
                                       atol=1e-4)
        back = Messages(csifeedback.csi_decoder(self.decoder)).run(out, 5)
        unit = values(back[2], np.complex64)
        for message, scale in zip(back, scales):
            np.testing.assert_allclose(values(message, np.complex64) / scale, unit, rtol=1e-3,
                                       atol=1e-4)
        # A feedback frame has -256 to 256 dB.
        framer = make_framer(self.quantizer)
        levels = Messages(csifeedback.csi_quantizer(self.quantizer)).run(out, 5)
        frames = Messages(framer).run(levels, 3)
        self.assertEqual((len(frames), framer.discarded()), (3, 2))

    def test_codewords_and_gains_near_the_largest_float(self):
        block = csifeedback.csi_decoder(self.decoder)
        largest = np.finfo(np.float32).max
        s = np.ones(16, np.float32)
        messages = [pdu(s * x, gain_db=g) for x, g in (
            (1, 0.0), (largest, 0.0), (-1e16, 0.0), (1e15, 0.0), (1e15, 500.0), (1, 780.0), (1, -1000.0),
            (1, 781.0), (1, 1e30), (1, -1e30), (1, np.inf), (1, np.nan), (1, 1e300))]
        out = Messages(block).run(messages, 5)
        self.assertEqual(block.discarded(), 8)
        for message in out:
            self.assertTrue(np.isfinite(values(message, np.complex64)).all())
        with self.assertRaisesRegex(ValueError, "gain_db is nan, allowed is -1000 to 780"):
            self.decoder.decode(s, np.nan)


class Numbers(unittest.TestCase):
    """Wrong frame numbers, in csi_hold, csi_metrics and feedback_deframer."""

    def setUp(self):
        self.x = np.ones(2, np.complex64)
        self.quantizer = csifeedback.lloyd_max_quantizer(csifeedback.model_file(KLT), 4, 4)
        self.level = np.arange(4, dtype=np.int16)
        self.ticks = pmt.intern("tick")

    def frame(self, number, ue_id=1, key=b""):
        framer = make_framer(self.quantizer, ue_id, key)
        return Messages(framer).run([pdu(self.level, frame=number)], 1)[0]

    def frames(self, numbers, **options):
        framer = make_framer(self.quantizer, **options)
        return Messages(framer).run([pdu(self.level, frame=n) for n in numbers], len(numbers))

    def deframer(self, **options):
        return make_deframer(self.quantizer, **options)

    def numbers_out(self, block, messages, expected):
        return [metadata(m)["frame"] for m in Messages(block).run(messages, expected)]

    def test_hold_and_one_wrong_number(self):
        for wrong in (0, 900, 1000 + 1000, 1000 + 32767, 2**32, 2**40, 2**62):
            for at in (0, 50):
                numbers = list(range(1000, 1400))
                numbers.insert(at, wrong)
                block = csifeedback.csi_hold()
                out = self.numbers_out(block, [pdu(self.x, frame=n) for n in numbers], 397)
                self.assertGreaterEqual(len(set(out) & set(range(1000, 1400))), 397, (wrong, at))
                self.assertLessEqual(block.discarded(), 4, (wrong, at))
                self.assertEqual(out[-1], 1399)

    def test_hold_and_a_frame_that_no_number_may_be(self):
        block = csifeedback.csi_hold()
        big = pmt.cons(pmt.dict_add(pmt.make_dict(), pmt.intern("frame"),
                                    pmt.from_uint64(2**64 - 1)), pmt.cdr(pdu(self.x)))
        self.assertEqual(self.numbers_out(block, [pdu(self.x, frame=3), big,
                                                  pdu(self.x, frame=4)], 2), [3, 4])
        self.assertEqual(block.discarded(), 1)

    def test_hold_and_a_wrong_tick(self):
        block = csifeedback.csi_hold()
        self.numbers_out(block, [pdu(self.x, frame=1000)], 1)
        ticks = Messages(block, "tick").run(
            [pmt.from_uint64(n) for n in (1001, 1000 + 32000, 1002, 1003)], 3)
        self.assertEqual([metadata(m)["frame"] for m in ticks], [1001, 1002, 1003])
        self.assertEqual([metadata(m)["age"] for m in ticks], [1, 2, 3])

    def test_hold_takes_csi_that_a_tick_has_passed_by(self):
        block = csifeedback.csi_hold()
        y = 2 * self.x
        self.numbers_out(block, [pdu(self.x, frame=10)], 1)
        Messages(block, "tick").run([pmt.from_uint64(12)], 2)
        self.assertEqual(self.numbers_out(block, [pdu(y, frame=11)], 0), [])
        out = Messages(block, "tick").run([pmt.from_uint64(13)], 1)
        self.assertEqual((metadata(out[0])["frame"], metadata(out[0])["age"]), (13, 2))
        np.testing.assert_array_equal(values(out[0], np.complex64), y)
        self.assertEqual((block.received(), block.discarded()), (2, 0))

    def test_metrics_and_one_wrong_truth(self):
        rng = np.random.default_rng(7)
        h = random_complex(rng, 20, 4, 2)
        block = csifeedback.csi_metrics(csifeedback.csi_shape("H", 4, 2))
        truths = [pdu(h[i], frame=i) for i in range(20)]
        truths.insert(10, pdu(h[0], frame=2**40))
        Messages(block, "truth", "ack").run(truths, 0)
        Messages(block, "pdus", "ack").run([pdu(h[i], frame=i) for i in range(20)], 20)
        # The wrong one took the place of another in the ring.
        self.assertEqual(block.report()["matched"], 19)

    def test_deframer_and_forged_numbers(self):
        """Two forged frames moved the numbers of all that came after them by 65536."""
        numbers = list(range(1000, 1100))
        forged = numbers[:50] + [1050 + 32767, 1050 + 65534 - 65536] + numbers[50:]
        block = self.deframer()
        out = self.numbers_out(block, self.frames(forged), 102)
        self.assertEqual(out[:50] + out[52:], numbers)

    def test_deframer_keeps_the_ues_apart(self):
        a, b = self.frames([40000, 40001]), self.frames([10, 11], ue_id=2)
        out = self.numbers_out(self.deframer(), [a[0], b[0], a[1], b[1]], 4)
        self.assertEqual(out, [40000, 10, 40001, 11])

    def test_deframer_in_order(self):
        block = self.deframer(in_order=True)
        sent = [5, 6, 6, 8, 7, 9, 30000, 10]
        self.assertEqual(self.numbers_out(block, self.frames(sent), 5), [5, 6, 8, 9, 10])
        counts = {k: n for k, n in block.counts().items() if n}
        self.assertEqual(counts, {"ok": 5, "replayed": 2, "unconfirmed": 1})

    def run_with_clock(self, block, steps, expected):
        """steps: ("tick", number), or a frame as a PDU."""
        flowgraph = Messages(block)
        for step in steps:
            if isinstance(step, tuple):
                block.to_basic_block()._post(self.ticks, pmt.from_uint64(step[1]))
            else:
                block.to_basic_block()._post(pmt.intern("pdus"), step)
        return [metadata(m)["frame"] for m in flowgraph.run([], expected)]

    def test_deframer_with_a_clock(self):
        now = 300_000
        frames = self.frames([now - 101, now - 100, now, now, now + 1, now + 30000, now - 1])
        block = self.deframer(max_age=100)
        self.assertEqual(Messages(block).run(frames[2:3], 0), [])
        # The clock counts for frames that came after it, though they have a queue of their own.
        self.assertEqual(self.run_with_clock(block, frames + [("tick", now)], 2), [now - 100, now])
        counts = {k: n for k, n in block.counts().items() if n}
        self.assertEqual(counts, {"ok": 2, "no_clock": 1, "stale": 3, "replayed": 2})
        self.assertEqual(self.run_with_clock(block, [("tick", now + 1), frames[4]], 1), [now + 1])

    def test_deframer_and_signatures(self):
        key, now = bytes(range(16)), 300_000
        block = self.deframer(key=key, max_age=100)
        signed = self.frames([now - 65536, now - 5, now - 5], key=key)
        self.assertEqual(len(values(signed[0], np.uint8)), 17 + 2 + 8)
        forged = [self.frames([now - 4])[0], *self.frames([now - 4, now - 3], key=bytes(16))]
        changed = values(signed[1], np.uint8)
        changed[15] ^= 1
        forged.append(pdu(changed))
        out = self.run_with_clock(block, [("tick", now)] + forged + signed, 1)
        self.assertEqual(out, [now - 5])
        counts = {k: n for k, n in block.counts().items() if n}
        self.assertEqual(counts, {"ok": 1, "bad_signature": 3, "bad_crc": 1, "too_short": 1,
                                  "replayed": 1})

    def test_the_receiver_in_python(self):
        now = 123_456
        receiver = csifeedback.feedback_receiver(self.quantizer, 1, 77, [1], max_age=100)
        signer = csifeedback.feedback_signer(b"0123456789abcdef")
        receiver.set_key(1, b"0123456789abcdef")
        receiver.set_now(now)
        plain = bytes(values(self.frame(now), np.uint8))
        status, header, frame, payload = receiver.receive(plain + signer.sign(plain, now))
        self.assertEqual((status, header.ue_id, frame, payload),
                         (csifeedback.frame_status.ok, 1, now, plain[14:-3]))
        self.assertEqual(receiver.receive(plain + bytes(8))[::2],
                         (csifeedback.frame_status.bad_signature, None))
        report = b"report"
        self.assertEqual(receiver.admit(1, 1, now % 65536, report + signer.sign(report, now)),
                         (csifeedback.frame_status.ok, now))
        self.assertEqual(receiver.admit(1, 2, now % 65536, report),
                         (csifeedback.frame_status.unknown_ue, None))
        self.assertEqual(receiver.signature_bytes(), 8)
        self.assertEqual({k: n for k, n in receiver.counts().items() if n},
                         {"ok": 2, "bad_signature": 1, "unknown_ue": 1})

    def test_sources_have_a_clock(self):
        channel = csifeedback.cost2100_channel("indoor", nc=64, nt=2, seed=1)
        for block, count in ((csifeedback.channel_source(channel, 50, 7), None),
                             (csifeedback.csirs_source(csifeedback.csirs_frame(nt=1), 5, 7), 5)):
            from gnuradio import blocks
            flowgraph, store = gr.top_block(), blocks.message_debug()
            flowgraph.connect(block, blocks.null_sink(block.output_signature()
                                                      .sizeof_stream_item(0)))
            flowgraph.msg_connect(block, "tick", store, "store")
            flowgraph.run()
            numbers = [pmt.to_uint64(store.get_message(i)) for i in range(store.num_messages())]
            self.assertEqual(numbers, sorted(set(numbers)))
            if count:
                self.assertEqual(numbers, list(range(7, 12)))
            else:
                self.assertEqual(numbers[-1], 56)

    def test_parameters(self):
        for make, text in (
                (lambda: self.deframer(max_age=-2), "max_age is -2"),
                (lambda: self.deframer(max_lead=65536), "max_lead is 65536"),
                (lambda: self.deframer(max_age=65535, max_lead=1), "max_age . max_lead is 65536"),
                (lambda: self.deframer(key=b"short"), "length of the key is 5"),
                (lambda: self.frame(1, key=b"short"), "length of the key is 5"),
                (lambda: csifeedback.feedback_receiver(None, 0, 0), "quantizer is null")):
            with self.assertRaisesRegex(ValueError, text):
                make()


if __name__ == "__main__":
    unittest.main()
