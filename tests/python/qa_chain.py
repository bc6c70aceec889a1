#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The whole chain as a flowgraph, against the same objects called one after the other."""

import unittest

import numpy as np
from gnuradio import csifeedback
from gnuradio.csifeedback import channels, evaluation
from gnuradio.csifeedback.simulation import Loopback

FIRST = 1_000_000
COUNT = 250


class Chain(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.codec = evaluation.Codec("cost2100-indoor-klt")
        cls.fista = evaluation.Codec("cost2100-indoor-orthonormal:fista,iterations=20")
        cls.channel = channels.model_channel(cls.codec.model)
        cls.ha, _, cls.lost = csifeedback.generate_channels(cls.channel, FIRST, COUNT, 32, 4)
        cls.evaluator = evaluation.Evaluator(cls.ha, cls.lost, 1024, 4)

    def loopback(self, codec, size, kind="lloyd-max", bits=6, count=COUNT, whole=False, **link):
        quantizer = evaluation.make_quantizer(codec.model, kind, size, bits)
        flowgraph = Loopback(self.channel, codec.encoder(size), codec.decoder(size), quantizer,
                             count, 32, 4, FIRST, link, whole)
        flowgraph.run_to_end()
        return flowgraph.figures()

    def test_flowgraph_agrees_with_evaluation(self):
        for codec, size, kind, bits in ((self.codec, 512, "lloyd-max", 6),
                                        (self.codec, 128, "allocated", 4),
                                        (self.codec, 32, "uniform", 3),
                                        (self.fista, 128, "lloyd-max", 5)):
            with self.subTest(codec=codec.label, size=size, kind=kind):
                figures = self.loopback(codec, size, kind, bits)
                expected = self.evaluator.run(codec, size, kind, bits)
                self.assertEqual(figures["matched"], COUNT)
                for key in ("nmse_db", "nmse_db_low", "nmse_db_high"):
                    self.assertAlmostEqual(figures[key], expected[key], delta=0.01)
                self.assertAlmostEqual(figures["rho"], expected["rho"], places=4)
                self.assertEqual(figures["bits_per_csi"], expected["frame_bits"])
                self.assertEqual(figures["bits_sent"], COUNT * expected["frame_bits"])

    def test_whole_matrices(self):
        figures = self.loopback(self.codec, 128, count=60, whole=True)
        evaluator = evaluation.Evaluator(self.ha[:60], self.lost[:60], 1024, 4)
        expected = evaluator.run(self.codec, 128, "lloyd-max", 6)
        self.assertEqual(figures["matched"], 60)
        self.assertAlmostEqual(figures["nmse_db"], expected["nmse_db"], delta=0.01)
        self.assertAlmostEqual(figures["nmse_whole_db"], expected["nmse_whole_db"], delta=0.01)
        self.assertAlmostEqual(figures["rho"], expected["rho"], places=4)
        # The cosine similarity with the channel itself, cut rows included.
        h = csifeedback.generate_channels(self.channel, FIRST, 60)[0]
        quantizer = evaluation.make_quantizer(self.codec.model, "lloyd-max", 128, 6)
        s, gain = self.codec.encoder(128).encode(self.ha[:60])
        estimate = self.codec.decoder(128).decode(quantizer.dequantize(quantizer.quantize(s)),
                                                  gain)
        h_hat = csifeedback.angular_delay_transform(1024, 32, 32, 4).inverse(estimate)
        rho = np.mean(np.abs(np.sum(h_hat * h.conj(), axis=2))
                      / np.linalg.norm(h, axis=2) / np.linalg.norm(h_hat, axis=2))
        self.assertAlmostEqual(figures["rho_whole"], rho, places=4)
        self.assertAlmostEqual(figures["energy_lost"], float(np.mean(self.lost[:60])), places=5)

    def test_lost_frames(self):
        link = dict(erasure_rate=0.2, mean_burst_length=3, seed=5)
        figures = self.loopback(self.codec, 64, **link)
        self.assertEqual(figures["frames_sent"], COUNT)
        self.assertGreater(figures["frames_erased"], 0)
        self.assertEqual(figures["frames"]["ok"], COUNT - figures["frames_erased"])
        # What the BS has at hand at every frame, from the model of the link alone.
        model = csifeedback.link_model(0, **link)
        quantizer = evaluation.make_quantizer(self.codec.model, "lloyd-max", 64, 6)
        s, gain = self.codec.encoder(64).encode(self.ha)
        gain = [csifeedback.gain_from_code(csifeedback.gain_to_code(g)) for g in gain]
        estimate = self.codec.decoder(64).decode(quantizer.dequantize(quantizer.quantize(s)),
                                                 np.array(gain))
        frame = bytes(17 + (quantizer.total_bits() + 7) // 8)
        last, errors, ages = None, [], []
        arrived = [model.transmit(frame) is not None for _ in range(COUNT)]
        for i in range(COUNT - arrived[::-1].index(True)):
            if arrived[i]:
                last = i
            if last is not None:
                ages.append(i - last)
                errors.append(np.sum(np.abs(self.ha[i] - estimate[last]) ** 2, dtype=np.float64)
                              / np.sum(np.abs(self.ha[i]) ** 2, dtype=np.float64))
        self.assertEqual(figures["matched"], len(errors))
        self.assertAlmostEqual(figures["age"], np.mean(ages), places=9)
        self.assertEqual(figures["held"], np.count_nonzero(ages))
        self.assertAlmostEqual(figures["nmse_db"], 10 * np.log10(np.mean(errors)), delta=0.01)

    def test_bit_errors_are_caught_by_the_checksum(self):
        figures = self.loopback(self.codec, 64, bit_error_rate=1e-3)
        self.assertGreater(figures["frames"]["bad_crc"], 0)
        self.assertEqual(figures["frames"]["ok"] + figures["frames"]["bad_crc"], COUNT)
        # Frames of 520 bits; four standard deviations of the binomial distribution.
        p = 1 - (1 - 1e-3) ** 520
        self.assertLess(abs(figures["frames"]["bad_crc"] - p * COUNT),
                        4 * np.sqrt(p * (1 - p) * COUNT))

    def test_all_frames_lost(self):
        figures = self.loopback(self.codec, 64, count=5, erasure_rate=1.0)
        self.assertEqual(figures["matched"], 0)
        self.assertEqual(figures["truths"], 5)

    def test_wrong_model_at_the_bs(self):
        """Codewords of one model never reach the decoder of another."""
        other = evaluation.Codec("cost2100-outdoor-klt")
        quantizer = evaluation.make_quantizer(self.codec.model, "lloyd-max", 64, 6)
        flowgraph = Loopback(self.channel, self.codec.encoder(64), other.decoder(64), quantizer,
                             5, 32, 4, FIRST, whole=False)
        flowgraph.run_to_end()
        figures = flowgraph.figures()
        self.assertEqual(figures["frames"]["unknown_model"], 5)
        self.assertEqual(figures["matched"], 0)


if __name__ == "__main__":
    unittest.main()
