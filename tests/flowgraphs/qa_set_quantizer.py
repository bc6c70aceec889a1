#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Another quantizer in a running chain, as a slider in GRC sets it."""

import random
import time
import unittest

import numpy as np
import pmt
from gnuradio import blocks, csifeedback, gr

M = 128
COUNT = 4000


def wait_for(condition):
    end = time.monotonic() + 60
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)


class Codewords(gr.sync_block):
    """Gives the rows of s again and again until it is told to give no more, without an end."""

    def __init__(self, s):
        gr.sync_block.__init__(self, "codewords", None, [(np.float32, s.shape[1])])
        self.s, self.at, self.going = s, 0, True

    def work(self, _, output_items):
        if not self.going:
            time.sleep(0.01)
            return 0
        output_items[0][:] = self.s[np.arange(self.at, self.at + len(output_items[0])) % len(self.s)]
        self.at += len(output_items[0])
        return len(output_items[0])


class TestSetQuantizer(unittest.TestCase):
    def setUp(self):
        self.model = csifeedback.model_file("cost2100-indoor-klt")
        self.quantizers = {b: csifeedback.lloyd_max_quantizer(self.model, M, b)
                           for b in range(1, 11)}

    def chain(self):
        q = self.quantizers[10]
        return [csifeedback.csi_quantizer(q),
                csifeedback.feedback_framer(q, csifeedback.linear_encoder(self.model, M)),
                csifeedback.feedback_deframer(q, csifeedback.linear_decoder(self.model, M)),
                csifeedback.csi_dequantizer(q)]

    def test_never_mixed(self):
        """Each codeword that arrives was quantized, framed and mapped back by one quantizer;
        each one that does not was counted."""
        rng = np.random.default_rng(1)
        s = rng.standard_normal((COUNT, M)).astype(np.float32)
        quantizer, framer, deframer, dequantizer = self.chain()
        source = Codewords(s)
        throttle = blocks.throttle(4 * M, 4000)
        throttle.set_max_output_buffer(16)
        sink = blocks.message_debug()
        flowgraph = gr.top_block()
        flowgraph.connect(source, throttle, quantizer, (framer, 0))
        for one, following in ((framer, deframer), (deframer, dequantizer)):
            flowgraph.msg_connect(one, "pdus", following, "pdus")
        flowgraph.msg_connect(dequantizer, "pdus", sink, "store")
        flowgraph.start()
        order = [quantizer, framer, deframer, dequantizer]
        shuffle = random.Random(1)
        for _ in range(50):
            bits = shuffle.randint(1, 10)
            shuffle.shuffle(order)
            for block in order:
                block.set_quantizer(self.quantizers[bits])
                time.sleep(0.0005)
            # Some codewords come through once all have the same one.
            before = sink.num_messages()
            wait_for(lambda: sink.num_messages() >= before + 20)  # noqa: B023
            self.assertGreaterEqual(sink.num_messages(), before + 20)
        source.going = False

        def gone():
            return (framer.discarded() + deframer.counts()["unknown_quantizer"]
                    + dequantizer.discarded())

        # A flowgraph that ends by itself may lose the last messages.
        wait_for(lambda: sink.num_messages() + gone() >= source.at)
        flowgraph.stop()
        flowgraph.wait()

        seen = set()
        for i in range(sink.num_messages()):
            message = sink.get_message(i)
            metadata = pmt.to_python(pmt.car(message))
            bits = (metadata["frame_bits"] - 128) // M
            seen.add(bits)
            q = self.quantizers[bits]
            np.testing.assert_array_equal(
                np.array(pmt.f32vector_elements(pmt.cdr(message)), np.float32),
                q.dequantize(q.quantize(s[metadata["frame"] % COUNT])))
        self.assertGreater(len(seen), 5)
        self.assertEqual(sink.num_messages() + gone(), source.at)

    def test_pdus(self):
        """PDUs say which quantizer made them; those of another one are discarded."""
        quantizer, framer, _, dequantizer = self.chain()
        sink = blocks.message_debug()
        flowgraph = gr.top_block()
        flowgraph.msg_connect(quantizer, "pdus", sink, "store")
        flowgraph.start()
        pdu = pmt.cons(pmt.make_dict(), pmt.init_f32vector(M, [0.1] * M))
        quantizer.to_basic_block()._post(pmt.intern("pdus"), pdu)
        wait_for(sink.num_messages)
        flowgraph.stop()
        flowgraph.wait()
        levels = sink.get_message(0)
        q = self.quantizers[10]
        self.assertEqual(pmt.to_python(pmt.car(levels)),
                         {"quantizer": q.type_id() * 65536 + q.bits()})

        levels = pmt.cons(pmt.dict_add(pmt.car(levels), pmt.intern("frame"), pmt.from_uint64(3)),
                          pmt.cdr(levels))
        unlabelled = pmt.cons(pmt.dict_delete(pmt.car(levels), pmt.intern("quantizer")),
                              pmt.cdr(levels))
        for block in (framer, dequantizer):
            with self.subTest(block.name()):
                sink = blocks.message_debug()
                flowgraph = gr.top_block()
                flowgraph.msg_connect(block, "pdus", sink, "store")
                flowgraph.start()
                for handled, (expected, number, message) in enumerate((
                        (1, 10, levels), (1, 9, levels), (2, 9, unlabelled))):
                    block.set_quantizer(self.quantizers[number])
                    block.to_basic_block()._post(pmt.intern("pdus"), message)
                    wait_for(lambda: sink.num_messages() + block.discarded() > handled)
                    self.assertEqual(sink.num_messages(), expected)
                flowgraph.stop()
                flowgraph.wait()
                self.assertEqual(block.discarded(), 1)

    def test_errors(self):
        for block in self.chain():
            with self.subTest(block.name()):
                with self.assertRaisesRegex(ValueError, "quantizer is null"):
                    block.set_quantizer(None)
                with self.assertRaisesRegex(ValueError, "is 64, allowed is 128"):
                    block.set_quantizer(csifeedback.lloyd_max_quantizer(self.model, 64, 4))


if __name__ == "__main__":
    unittest.main()
