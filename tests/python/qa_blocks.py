#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Every block as a stream block and as a PDU block, and what it does with bad input."""

import pathlib
import unittest

import numpy as np
import pmt
from gnuradio import blocks, csifeedback, gr
from gnuradio.csifeedback import codecs, layers
from gnuradio.csifeedback.evaluation import subband_rows

from common import (Messages, make_deframer, make_framer, metadata, numbered, pdu, random_complex,
                    stream, tag, values)

KLT = "cost2100-indoor-klt"
NA = NT = 32
N = NA * NT


def indoor(count, first=2_000_000):
    """Ha of the channel that the model is for."""
    channel = csifeedback.cost2100_channel("indoor", seed=5)
    return csifeedback.generate_channels(channel, first, count, NA, 4)[0]


class AngularDelay(unittest.TestCase):

    def test_transform(self):
        nc, nt, na, precursor = 96, 5, 12, 3
        h = random_complex(np.random.default_rng(1), 7, nc, nt)
        (ha, lost), _ = stream(csifeedback.angular_delay(
            csifeedback.csi_shape("Ha", na, nt, nc, precursor)),
                               [h.reshape(7, -1)], [(np.complex64, na * nt), (np.float32, 1)])
        whole = np.fft.fft(np.fft.ifft(h, axis=1, norm="ortho"), axis=2, norm="ortho")
        expected = np.roll(whole, precursor, axis=1)[:, :na]
        np.testing.assert_allclose(ha.reshape(expected.shape), expected, atol=2e-6)
        energy = np.sum(np.abs(whole) ** 2, axis=(1, 2))
        np.testing.assert_allclose(
            lost[:, 0], 1 - np.sum(np.abs(expected) ** 2, axis=(1, 2)) / energy, atol=1e-6)

    def test_inverse(self):
        nc, nt, na = 64, 3, 10
        ha = random_complex(np.random.default_rng(2), 4, na, nt)
        transform = csifeedback.angular_delay_transform(nc, nt, na, 4)
        expected = transform.inverse(ha)
        (h,), _ = stream(csifeedback.angular_delay_inverse(transform),
                         [ha.reshape(4, -1)], [(np.complex64, nc * nt)])
        np.testing.assert_array_equal(h.reshape(expected.shape), expected)
        block = csifeedback.angular_delay_inverse(transform)
        out = Messages(block).run([pdu(ha[1], frame=9), pdu(ha[0, :2])], 1)
        self.assertEqual(len(out), 1)
        self.assertEqual(metadata(out[0])["frame"], 9)
        np.testing.assert_array_equal(values(out[0], np.complex64), expected[1].ravel())
        self.assertEqual(block.discarded(), 1)

    def test_a_bad_matrix_spoils_no_mean(self):
        nc, nt, na = 64, 2, 8
        h = random_complex(np.random.default_rng(3), 5, nc, nt)
        shape = csifeedback.csi_shape("Ha", na, nt, nc, 4)
        good = csifeedback.angular_delay(shape)
        stream(good, [h.reshape(5, -1)], [(np.complex64, na * nt)])
        with_bad = np.insert(h, 2, np.nan, axis=0)
        bad = csifeedback.angular_delay(shape)
        (ha,), _ = stream(bad, [with_bad.reshape(6, -1)], [(np.complex64, na * nt)])
        self.assertEqual(len(ha), 6)
        self.assertAlmostEqual(bad.energy_lost(), good.energy_lost(), places=12)

    def test_numbers_give_the_same(self):
        """The form of earlier releases."""
        nc, nt, na = 64, 2, 8
        h = random_complex(np.random.default_rng(4), 5, nc, nt)
        shape = csifeedback.csi_shape("Ha", na, nt, nc, 3)
        with self.assertWarns(DeprecationWarning):
            old = csifeedback.angular_delay(nc, nt, na, 3, True, 30)
        ha = [stream(block, [h.reshape(5, -1)], [(np.complex64, na * nt)])[0][0]
              for block in (old, csifeedback.angular_delay(shape, True, 30))]
        np.testing.assert_array_equal(*ha)
        with self.assertWarns(DeprecationWarning):
            old = csifeedback.angular_delay_inverse(nc, nt, na, 3)
        back = [stream(block, [ha[0]], [(np.complex64, nc * nt)])[0][0]
                for block in (old, csifeedback.angular_delay_inverse(shape))]
        np.testing.assert_array_equal(*back)

    def test_parameters(self):
        shape = csifeedback.csi_shape
        for make, text in (
                (lambda: csifeedback.angular_delay(shape("H", 64, 2)),
                 "domain of the shape is H, allowed is Ha"),
                (lambda: csifeedback.angular_delay(shape("Ha", 8, 2)),
                 "nc of the shape is 0, allowed is 8 to 65536"),
                (lambda: csifeedback.angular_delay_inverse(shape("Ha", 8, 2, 64)),
                 "precursor of the shape is -1, allowed is 0 to 7"),
                (lambda: csifeedback.angular_delay(shape("Ha", 8, 2, 64, 4), True, 0),
                 "threshold_db is 0")):
            with self.assertRaisesRegex(ValueError, text):
                make()
        with self.assertRaises(TypeError):
            csifeedback.angular_delay(KLT)


class Shapes(unittest.TestCase):
    """What objects say of the matrices that they know."""

    def shape(self, *arguments, **options):
        s = csifeedback.csi_shape(*arguments, **options)
        return s.domain, s.rows, s.nt, s.nc, s.precursor

    def test_objects(self):
        directory = pathlib.Path(__file__).resolve().parents[1] / "core" / "data"
        model = csifeedback.model_file(KLT)
        whole = csifeedback.model_file(str(directory / "mlcf_small.h5"))
        expected = ("Ha", model.na, model.nt, model.nc, model.precursor)
        of_h = ("H", whole.nc, whole.nt, whole.nc, 0)
        quantizer = csifeedback.lloyd_max_quantizer(model, 8, 4)
        halves = csifeedback.linear_encoder(model, 8), csifeedback.linear_decoder(model, 8)
        for thing, found in (
                (model, expected), (whole, of_h), (halves[0], expected), (halves[1], expected),
                (csifeedback.quantized_report_encoder(halves[0], quantizer), expected),
                (csifeedback.quantized_report_decoder(halves[1], quantizer), expected),
                (csifeedback.mlcf_encoder(whole), of_h), (csifeedback.mlcf_decoder(whole), of_h),
                (csifeedback.csirs_frame(nt=2), ("H", 300, 2, 300, 0)),
                (csifeedback.cdl_channel("C", nc=48, nt=4), ("H", 48, 4, 48, 0)),
                (csifeedback.angular_delay_transform(64, 2, 8, 3), ("Ha", 8, 2, 64, 3)),
                (csifeedback.csi_shape("Ha", 8, 2, 64), ("Ha", 8, 2, 64, -1)),
                (csifeedback.Encoder(rows=8, nt=2, code_size=1, nc=48, precursor=2),
                 ("Ha", 8, 2, 48, 2)),
                (numbered("Decoder", 5), ("Ha", 8, 2, 0, -1))):
            with self.subTest(thing):
                self.assertEqual(self.shape(thing), found)
                csifeedback.csi_spectral_efficiency(1, csifeedback.csi_shape(thing, found[3] or 9),
                                                    [0])
                if found[3]:
                    csifeedback.csi_metrics(thing)
                if found[0] == "Ha":
                    self.assertEqual(self.shape(thing, nc=500)[3], 500)

    def test_shipped_models(self):
        """Every codec hands on what its model says."""
        for path in sorted((pathlib.Path(__file__).resolve().parents[2] / "models").glob("*.h5")):
            # What is not trained has no linear decoder.
            codec = codecs.open_codec(str(path) + ":fista" * ("orthonormal" in path.name))
            model = codec.model
            expected = (model.domain, model.na, model.nt, model.nc, model.precursor)
            for half in codec.own_reports() if codec.has_reports else (codec.encoder(0),
                                                                       codec.decoder(0)):
                self.assertEqual(self.shape(half), expected, path)

    def test_parameters(self):
        for arguments, text in (
                (("X", 8, 2), "domain is X, allowed is Ha or H"), (("Ha", 0, 2), "rows is 0"),
                (("Ha", 8, 0), "nt is 0"), (("Ha", 8, 2, 7), "nc is 7, allowed is 8 to 65536"),
                (("Ha", 8, 2, 64, 8), "precursor is 8, allowed is -1 to 7"),
                (("H", 8, 2, 9), "nc is 9, allowed is 8 to 8"),
                (("H", 8, 2, 8, 1), "precursor is 1")):
            with self.assertRaisesRegex(ValueError, text):
                csifeedback.csi_shape(*arguments)
        with self.assertRaisesRegex(TypeError, "is no object that knows its sizes"):
            csifeedback.csi_shape(17)
        with self.assertRaises((TypeError, ValueError)):
            csifeedback.csi_metrics(None)


class Codec(unittest.TestCase):

    def setUp(self):
        self.model = csifeedback.model_file(KLT)
        self.encoder = csifeedback.linear_encoder(self.model, 128)
        self.ha = indoor(20)

    def test_encoder_stream(self):
        expected, gain = self.encoder.encode(self.ha)
        (s, gain_db), _ = stream(csifeedback.csi_encoder(self.encoder), [self.ha.reshape(20, N)],
                                 [(np.float32, 128), (np.float32, 1)])
        np.testing.assert_array_equal(s, expected)
        np.testing.assert_array_equal(gain_db[:, 0], gain)

    def test_encoder_drops_bad_matrices_and_keeps_the_numbering(self):
        x = self.ha.copy()
        x[3] = 0
        x[4, 5, 6] = np.nan
        x[10, 0, 0] = np.inf
        good = [i for i in range(20) if i not in (3, 4, 10)]
        block = csifeedback.csi_encoder(self.encoder)
        tags = [tag(0, "frame", pmt.from_uint64(1000)), tag(4, "note", pmt.intern("four")),
                tag(15, "frame", pmt.from_uint64(5000))]
        (s,), out_tags = stream(block, [x.reshape(20, N)], [(np.float32, 128)], tags)
        np.testing.assert_array_equal(s, self.encoder.encode(self.ha[good])[0])
        self.assertEqual(block.discarded(), 3)
        numbers = {t.offset: pmt.to_uint64(t.value) for t in out_tags
                   if pmt.symbol_to_string(t.key) == "frame"}
        frame, at = None, []
        for i in range(len(good)):
            frame = numbers.get(i, None if frame is None else frame + 1)
            at.append(frame)
        self.assertEqual(at, [1000 + i if i < 15 else 4985 + i for i in good])
        # What hangs on a discarded item moves to the next one.
        self.assertIn((3, "four"), [(t.offset, pmt.symbol_to_string(t.value)) for t in out_tags
                                    if pmt.symbol_to_string(t.key) == "note"])

    def test_encoder_pdus(self):
        block = csifeedback.csi_encoder(self.encoder)
        expected, gain = self.encoder.encode(self.ha[:2])
        nan = np.full(N, np.nan, np.complex64)
        out = Messages(block).run(
            [pdu(self.ha[0], frame=7), pdu(nan, frame=8), pmt.intern("nonsense"),
             pdu(self.ha[1].ravel()[1:], frame=8), pdu(self.ha[1], frame=9)], 2)
        self.assertEqual([metadata(m)["frame"] for m in out], [7, 9])
        np.testing.assert_array_equal([values(m, np.float32) for m in out], expected)
        np.testing.assert_allclose([metadata(m)["gain_db"] for m in out], gain, atol=1e-6)
        self.assertEqual(block.discarded(), 3)

    def test_decoder_stream_and_pdus(self):
        s, gain = self.encoder.encode(self.ha)
        decoder = csifeedback.linear_decoder(self.model, 128)
        expected = decoder.decode(s, gain)
        block = csifeedback.csi_decoder(csifeedback.linear_decoder(self.model, 128))
        (ha,), _ = stream(block, [s, gain], [(np.complex64, N)])
        np.testing.assert_array_equal(ha.reshape(expected.shape), expected)
        self.assertEqual(block.decoded(), 20)
        self.assertGreater(block.mean_time(), 0)
        out = Messages(csifeedback.csi_decoder(decoder)).run(
            [pdu(s[2], frame=1, gain_db=float(gain[2])),
             pdu(s[3, :64], frame=2, gain_db=float(gain[3]))], 2)
        np.testing.assert_array_equal(values(out[0], np.complex64), expected[2].ravel())
        # A shorter codeword is that of a smaller ratio.
        np.testing.assert_array_equal(values(out[1], np.complex64),
                                      decoder.decode(s[3, :64], gain[3]).ravel())

    def test_decoder_bad_codewords(self):
        s, gain = self.encoder.encode(self.ha[:3])
        s[1, 5] = np.inf
        block = csifeedback.csi_decoder(csifeedback.linear_decoder(self.model, 128))
        (ha,), _ = stream(block, [s, gain], [(np.complex64, N)])
        # A stream keeps its pace: a bad codeword gives zeros.
        self.assertTrue(np.all(ha[1] == 0))
        self.assertTrue(np.all(np.any(ha[[0, 2]] != 0, axis=1)))
        self.assertEqual(block.discarded(), 1)
        block = csifeedback.csi_decoder(csifeedback.linear_decoder(self.model, 128))
        out = Messages(block).run(
            [pdu(s[1], frame=1), pdu(np.zeros(129, np.float32), frame=2), pmt.PMT_NIL,
             pdu(s[0].astype(np.complex64), frame=3), pdu(s[0], frame=4, gain_db=np.nan),
             pdu(s[2], frame=5)], 1)
        self.assertEqual([metadata(m)["frame"] for m in out], [5])
        self.assertEqual(block.discarded(), 5)

    def test_wrong_vlen_is_refused_when_connected(self):
        flowgraph = gr.top_block()
        from gnuradio import blocks
        source = blocks.vector_source_c([0] * 100, False, 100)
        with self.assertRaisesRegex((ValueError, RuntimeError), "itemsize|item"):
            flowgraph.connect(source, csifeedback.csi_encoder(self.encoder))

    def test_none_is_refused(self):
        for make, name in ((csifeedback.csi_encoder, "encoder"),
                           (csifeedback.csi_decoder, "decoder"),
                           (csifeedback.csi_quantizer, "quantizer"),
                           (csifeedback.csi_dequantizer, "quantizer"),
                           (csifeedback.channel_source, "model")):
            with self.assertRaisesRegex(ValueError, f"{name} is null"):
                make(None)

    def test_wrong_model_for_the_shape(self):
        other = csifeedback.linear_encoder_from_matrix(
            np.eye(4, 2 * 16 * 8, dtype=np.float32), 16, 8)
        with self.assertRaisesRegex(ValueError, "Ha"):
            other.encode(self.ha)


class Quantizers(unittest.TestCase):

    def test_round_trip(self):
        model = csifeedback.model_file(KLT)
        correlated = csifeedback.model_file("cost2100-indoor-csi-l2o")
        s = csifeedback.linear_encoder(model, 64).encode(indoor(10))[0]
        for quantizer in (csifeedback.uniform_quantizer(model, 64, 3),
                          csifeedback.lloyd_max_quantizer(model, 64, 5, True),
                          csifeedback.allocated_quantizer(model, 64, 200),
                          csifeedback.predictive_quantizer(correlated, 64, 200)):
            expected = quantizer.quantize(s)
            (level,), _ = stream(csifeedback.csi_quantizer(quantizer), [s], [(np.int16, 64)])
            np.testing.assert_array_equal(level, expected)
            (s_hat,), _ = stream(csifeedback.csi_dequantizer(quantizer), [level],
                                 [(np.float32, 64)])
            np.testing.assert_array_equal(s_hat, quantizer.dequantize(expected))
            out = Messages(csifeedback.csi_quantizer(quantizer)).run([pdu(s[1], frame=3)], 1)
            np.testing.assert_array_equal(values(out[0], np.int16), expected[1])
            out = Messages(csifeedback.csi_dequantizer(quantizer)).run(out, 1)
            self.assertEqual(metadata(out[0])["frame"], 3)
            np.testing.assert_array_equal(values(out[0], np.float32), s_hat[1])

    def test_hostile_levels(self):
        quantizer = csifeedback.lloyd_max_quantizer(csifeedback.model_file(KLT), 8, 2)
        block = csifeedback.csi_dequantizer(quantizer)
        out = Messages(block).run(
            [pdu(np.array([-32768, 32767, 4, -1, 0, 1, 2, 3], np.int16)),
             pdu(np.zeros(9, np.int16)), pdu(np.zeros(8, np.float32)), pmt.from_long(3)], 1)
        self.assertEqual(len(out), 1)
        self.assertTrue(np.all(np.isfinite(values(out[0], np.float32))))
        self.assertEqual(block.discarded(), 3)

    def test_parameters(self):
        model = csifeedback.model_file(KLT)
        for make, text in (
                (lambda: csifeedback.uniform_quantizer(model, 64, 0), "bits is 0"),
                (lambda: csifeedback.lloyd_max_quantizer(model, 64, 11), "bits is 11"),
                (lambda: csifeedback.uniform_quantizer(model, 9999, 3), "code_size is 9999"),
                (lambda: csifeedback.allocated_quantizer(model, 8, 81), "total_bits is 81"),
                (lambda: csifeedback.predictive_quantizer(model, 8, 8), "quantizer/prediction"),
                (lambda: csifeedback.linear_encoder(model, 9999), "code_size is 9999"),
                (lambda: csifeedback.ista_decoder(model, 64, iterations=0), "iterations is 0"),
                (lambda: csifeedback.ista_decoder(model, 64, lambda_=-1), "lambda is -1")):
            with self.assertRaisesRegex(ValueError, text):
                make()


class Mismatch(unittest.TestCase):
    """An encoder that tells how well a matrix fits, and what becomes of that on the way."""

    MODEL = str(pathlib.Path(__file__).parents[1] / "core" / "data" / "mlcf_small.h5")

    def setUp(self):
        self.model = csifeedback.model_file(self.MODEL)
        na, nt = self.model.na, self.model.nt
        rows = self.model.read("oracle/h").reshape(-1, 2 * na, nt)
        self.h = (rows[:, :na] + 1j * rows[:, na:]).astype(np.complex64)
        self.encoder = csifeedback.mlcf_encoder(self.model)
        self.m = self.encoder.code_size()
        self.quantizer = csifeedback.lloyd_max_quantizer(self.model, 0, 8)
        self.expected = 10 * np.log10(self.model.read("oracle/mismatch"))

    def framer(self):
        return csifeedback.feedback_framer(self.quantizer, self.encoder, 3)

    def check_frames(self, frames):
        """The frames are those of version 2, and the BS finds everything in them."""
        count = len(self.h)
        s, gain = csifeedback.mlcf_encoder(self.model).encode(self.h)
        level = self.quantizer.quantize(s)
        for i, frame in enumerate(frames):
            raw = bytes(values(frame, np.uint8))
            self.assertEqual(len(raw), 18 + self.m)
            self.assertEqual(raw[0] >> 4, 2)
            self.assertEqual(raw[5], 6)
            self.assertEqual(raw[14], round(4 * (self.expected[i] + 60)))
        out = Messages(csifeedback.feedback_deframer(
            self.quantizer, csifeedback.mlcf_decoder(self.model))).run(frames, count)
        np.testing.assert_array_equal([values(m, np.int16) for m in out], level)
        np.testing.assert_allclose([metadata(m)["residual_energy_db"] for m in out], self.expected,
                                   atol=0.1251)
        self.assertEqual(metadata(out[0])["frame_bits"], 8 * (18 + self.m))
        out = Messages(csifeedback.csi_dequantizer(self.quantizer)).run(out, count)
        decoder = csifeedback.mlcf_decoder(self.model)
        out = Messages(csifeedback.csi_decoder(decoder)).run(out, count)
        np.testing.assert_allclose([metadata(m)["residual_energy_db"] for m in out], self.expected,
                                   atol=0.1251)
        found = np.stack([values(m, np.complex64).reshape(self.h.shape[1:]) for m in out])
        # The gain is rounded to 1/128 dB.
        np.testing.assert_allclose(found, decoder.decode(self.quantizer.dequantize(level), gain),
                                   rtol=1e-3, atol=1e-3)

    def test_pdus(self):
        count = len(self.h)
        out = Messages(csifeedback.csi_encoder(self.encoder)).run(
            [pdu(h, frame=i) for i, h in enumerate(self.h)], count)
        np.testing.assert_allclose([metadata(m)["residual_energy_db"] for m in out], self.expected,
                                   atol=1e-3)
        out = Messages(csifeedback.csi_quantizer(self.quantizer)).run(out, count)
        framer = self.framer()
        self.check_frames(Messages(framer).run(out, count))
        self.assertEqual(framer.bits_sent(), count * 8 * (18 + self.m))

    def test_stream(self):
        from gnuradio import blocks
        flowgraph = gr.top_block()
        n = self.h[0].size
        source = blocks.vector_source_c(self.h.ravel().tolist(), False, n)
        encoder, store = csifeedback.csi_encoder(self.encoder), blocks.message_debug()
        quantizer, framer = csifeedback.csi_quantizer(self.quantizer), self.framer()
        flowgraph.connect(source, encoder, quantizer, framer)
        flowgraph.connect((encoder, 1), (framer, 1))
        flowgraph.msg_connect(framer, "pdus", store, "store")
        flowgraph.run()
        self.assertEqual(framer.frames(), len(self.h))
        self.check_frames([store.get_message(i) for i in range(len(self.h))])

    def test_encoders_without_one_send_frames_of_version_1(self):
        model = csifeedback.model_file(KLT)
        encoder = csifeedback.linear_encoder(model, 32)
        self.assertTrue(np.isnan(encoder.encode(indoor(1)[0], with_residual_energy=True)[2]))
        out = Messages(csifeedback.csi_encoder(encoder)).run([pdu(indoor(1)[0], frame=0)], 1)
        self.assertNotIn("residual_energy_db", metadata(out[0]))
        quantizer = csifeedback.lloyd_max_quantizer(model, 32, 4)
        out = Messages(csifeedback.csi_quantizer(quantizer)).run(out, 1)
        out = Messages(make_framer(quantizer)).run(out, 1)
        self.assertEqual(values(out[0], np.uint8)[0] >> 4, 1)
        self.assertEqual(len(values(out[0], np.uint8)), 17 + 16)
        out = Messages(make_deframer(quantizer)).run(out, 1)
        self.assertNotIn("residual_energy_db", metadata(out[0]))

    def test_a_strange_channel_stands_out(self):
        rng = np.random.default_rng(5)
        _, _, residual = self.encoder.encode(random_complex(rng, *self.h.shape[1:]),
                                             with_residual_energy=True)
        self.assertGreater(residual, np.max(self.expected) + 3)


class Feedback(unittest.TestCase):

    def setUp(self):
        self.model = csifeedback.model_file(KLT)
        self.quantizer = csifeedback.lloyd_max_quantizer(self.model, 32, 4)
        self.level = np.random.default_rng(4).integers(0, 16, (6, 32)).astype(np.int16)

    def framer(self):
        return make_framer(self.quantizer, 513)

    def deframer(self, ue_id=-1, model_id=77):
        return make_deframer(self.quantizer, ue_id, model_id=model_id)

    def frames(self, first=65534):
        """Six frames as PDUs of bytes."""
        return Messages(self.framer()).run(
            [pdu(x, frame=first + i, gain_db=-10.0) for i, x in enumerate(self.level)], 6)

    def test_a_frame_byte_by_byte(self):
        frame = bytes(values(self.frames()[0], np.uint8))
        # version 1, quantizer; UE 513; frame 65534; codec 1; model 77; 32 values; 4 bits;
        # gain -10 dB = 246 * 128 steps above -256 dB; 16 bytes of levels; CRC24A.
        header = bytes([0x10 | self.quantizer.type_id(), 2, 1, 0xff, 0xfe, 1, 0, 77, 0, 32, 0, 4,
                        *(246 * 128).to_bytes(2, "big")])
        payload = bytes((self.level[0, 0::2] << 4 | self.level[0, 1::2]).astype(np.uint8))
        self.assertEqual(frame[:-3], header + payload)
        crc = 0
        for bit in "".join(f"{b:08b}" for b in header + payload):
            top = crc >> 23 ^ int(bit)
            crc = (crc << 1 & 0xffffff) ^ (0x864cfb if top else 0)
        self.assertEqual(frame[-3:], crc.to_bytes(3, "big"))

    def test_stream_and_pdus_give_the_same_frames(self):
        from gnuradio import blocks
        flowgraph = gr.top_block()
        source = blocks.vector_source_s(self.level.ravel().tolist(), False, 32,
                                        [tag(0, "frame", pmt.from_uint64(65534))])
        gain = blocks.vector_source_f([-10.0] * 6)
        block, store = self.framer(), blocks.message_debug()
        flowgraph.connect(source, (block, 0))
        flowgraph.connect(gain, (block, 1))
        flowgraph.msg_connect(block, "pdus", store, "store")
        flowgraph.run()
        self.assertEqual([bytes(values(store.get_message(i), np.uint8)) for i in range(6)],
                         [bytes(values(m, np.uint8)) for m in self.frames()])
        self.assertEqual(block.frames(), 6)
        self.assertEqual(block.bits_sent(), 6 * 8 * (17 + 16))

    def test_deframer(self):
        out = Messages(self.deframer(513)).run(self.frames(), 6)
        np.testing.assert_array_equal([values(m, np.int16) for m in out], self.level)
        self.assertEqual([metadata(m)["frame"] for m in out], list(range(65534, 65540)))
        self.assertEqual({k: metadata(out[0])[k] for k in
                          ("ue_id", "gain_db", "codec_id", "model_id", "code_size", "frame_bits")},
                         {"ue_id": 513, "gain_db": -10.0, "codec_id": 1, "model_id": 77,
                          "code_size": 32, "frame_bits": 264})

    def test_deframer_counts_what_it_discards(self):
        def changed(change):
            """A frame whose header is changed and whose checksum is right."""
            _, header, payload = csifeedback.unpack_frame(good)
            change(header)
            return np.frombuffer(csifeedback.pack_frame(header, payload), np.uint8)

        good = bytes(values(self.frames()[0], np.uint8))
        flipped = np.frombuffer(good, np.uint8).copy()
        flipped[20] ^= 4
        _, header, payload = csifeedback.unpack_frame(good)
        bad = {
            "too_short": np.frombuffer(good[:16], np.uint8),
            "bad_crc": flipped,
            "bad_version": changed(lambda h: setattr(h, "version", 3)),
            "unknown_model": changed(lambda h: setattr(h, "model_id", 78)),
            "unknown_quantizer": changed(lambda h: setattr(h, "bits", 5)),
            "bad_code_size": changed(lambda h: setattr(h, "code_size", 33)),
            "bad_length": np.frombuffer(csifeedback.pack_frame(header, payload + b"\0"),
                                        np.uint8)}
        block = self.deframer()
        messages = [pdu(x) for x in bad.values()] + [pmt.intern("x"), pdu(self.level[0])]
        out = Messages(block).run(messages + self.frames()[:1], 1)
        self.assertEqual(len(out), 1)
        self.assertEqual({k: n for k, n in block.counts().items() if n},
                         {**{k: 1 for k in bad}, "ok": 1})
        self.assertEqual(block.malformed(), 2)

    def test_deframer_listens_to_its_ue_alone(self):
        block = self.deframer(514)
        self.assertEqual(Messages(block).run(self.frames(), 0), [])
        self.assertEqual({k: n for k, n in block.counts().items() if n}, {"unknown_ue": 6})

    def test_framer_bad_pdus(self):
        block = self.framer()
        out = Messages(block).run(
            [pdu(self.level[0]), pdu(np.zeros(33, np.int16), frame=1),
             pdu(np.zeros(3, np.float32), frame=1), pdu(self.level[0], frame=-4),
             pdu(self.level[0, :5], frame=2)], 1)
        self.assertEqual(len(out), 1)
        self.assertEqual(len(values(out[0], np.uint8)), 17 + 3)
        self.assertEqual(block.discarded(), 4)

    def test_parameters(self):
        for make, text in (
                (lambda: make_framer(self.quantizer, 65536), "ue_id is 65536"),
                (lambda: make_deframer(self.quantizer, -2), "ue_id is -2"),
                (lambda: csifeedback.feedback_framer(self.quantizer, None), "encoder is null"),
                (lambda: csifeedback.feedback_deframer(self.quantizer, None), "decoder is null"),
                (lambda: csifeedback.feedback_framer(None, numbered("Encoder", 8)),
                 "quantizer is null"),
                (lambda: csifeedback.feedback_framer(self.quantizer, numbered("Encoder", 31)),
                 "code_size of the quantizer is 32, allowed is 1 to 31"),
                (lambda: csifeedback.feedback_deframer(self.quantizer, numbered("Decoder", 31)),
                 "code_size of the quantizer is 32, allowed is 1 to 31"),
                (lambda: csifeedback.feedback_link(1.5), "bit_error_rate is 1.5"),
                (lambda: csifeedback.feedback_link(0, 0.5, 0.5), "mean_burst_length is 0.5"),
                (lambda: csifeedback.feedback_link(delay=-1), "delay is -1"),
                (lambda: csifeedback.csi_hold(-1), "max_gap is -1"),
                (lambda: csifeedback.csi_metrics(csifeedback.csi_shape("Ha", 4, 4)),
                 "nc of the shape is 0, allowed is 4 to 65536"),
                (lambda: csifeedback.csi_metrics(csifeedback.csi_shape("H", 4, 4), 0),
                 "history is 0")):
            with self.assertRaisesRegex(ValueError, text):
                make()


class Channel(unittest.TestCase):

    def test_delay_and_perfect_link(self):
        block = csifeedback.feedback_link(delay=3)
        frames = [pdu(np.full(40, i, np.uint8), n=i) for i in range(10)]
        out = Messages(block).run(frames, 7)
        self.assertEqual([values(m, np.uint8)[0] for m in out], list(range(7)))
        self.assertEqual([metadata(m)["n"] for m in out], list(range(7)))

    def test_statistics(self):
        count, bits = 4000, 800
        block = csifeedback.feedback_link(0.01, 0.2, 0, 0, 3)
        zeros = pdu(np.zeros(bits // 8, np.uint8))
        link = Messages(block)
        out = link.run([zeros] * count, int(0.7 * count))
        self.assertEqual(block.frames(), count)
        self.assertEqual(len(out), count - block.erased())
        # Four standard deviations of the binomial distributions.
        self.assertLess(abs(block.erased() - 0.2 * count), 4 * np.sqrt(0.16 * count))
        flipped = sum(int(np.unpackbits(values(m, np.uint8)).sum()) for m in out)
        self.assertEqual(flipped, block.bit_errors())
        total = len(out) * bits
        self.assertLess(abs(flipped - 0.01 * total), 4 * np.sqrt(0.01 * 0.99 * total))

    def test_rates_change_while_it_runs(self):
        block = csifeedback.feedback_link()
        frame = pdu(np.zeros(100, np.uint8))
        self.assertEqual(len(Messages(block).run([frame] * 20, 20)), 20)
        block.set_erasure_rate(1)
        self.assertEqual(len(Messages(block).run([frame] * 20, 0)), 0)
        block.set_erasure_rate(0)
        block.set_bit_error_rate(0.5)
        self.assertEqual(len(Messages(block).run([frame] * 20, 20)), 20)
        # Half of 16000 bits; the standard deviation is 63.
        self.assertLess(abs(block.bit_errors() - 8000), 260)
        with self.assertRaisesRegex(ValueError, "erasure_rate is 2"):
            block.set_erasure_rate(2)

    def test_input_is_not_changed(self):
        frame = pdu(np.zeros(100, np.uint8))
        Messages(csifeedback.feedback_link(0.5)).run([frame], 1)
        self.assertFalse(values(frame, np.uint8).any())


class Hold(unittest.TestCase):

    def test_gaps_are_filled_and_aged(self):
        rng = np.random.default_rng(6)
        x = random_complex(rng, 3, 4)
        block = csifeedback.csi_hold()
        out = Messages(block).run(
            [pdu(x[0], frame=5), pdu(x[1], frame=8), pdu(x[2], frame=7), pdu(x[2], frame=9),
             pdu(x[0])], 5)
        self.assertEqual([(metadata(m)["frame"], metadata(m)["age"]) for m in out],
                         [(5, 0), (6, 1), (7, 2), (8, 0), (9, 0)])
        for message, i in zip(out, (0, 0, 0, 1, 2)):
            np.testing.assert_array_equal(values(message, np.complex64), x[i])
        self.assertEqual((block.received(), block.held(), block.discarded()), (3, 2, 2))
        self.assertAlmostEqual(block.mean_age(), 3 / 5)

    def test_long_gaps(self):
        x = np.ones(2, np.complex64)
        out = Messages(csifeedback.csi_hold(3)).run([pdu(x, frame=0), pdu(x, frame=1000)], 5)
        self.assertEqual([metadata(m)["frame"] for m in out], [0, 997, 998, 999, 1000])

    def test_tick(self):
        x = np.ones(2, np.complex64)
        block = csifeedback.csi_hold()
        messages = Messages(block)
        out = messages.run([pdu(x, frame=70_000)], 1)
        ticks = Messages(block, "tick")
        # Feedback frames carry 16 bits of the number.
        out = ticks.run([pmt.from_uint64(70_002), pmt.from_uint64(70_003 & 0xffff)], 3)
        self.assertEqual([(metadata(m)["frame"], metadata(m)["age"]) for m in out],
                         [(70_001, 1), (70_002, 2), (70_003, 3)])


class Metrics(unittest.TestCase):

    def setUp(self):
        rng = np.random.default_rng(7)
        self.h = random_complex(rng, 30, 24, 4)
        self.h_hat = self.h + 0.3 * random_complex(rng, 30, 24, 4)
        ratio = np.sum(np.abs(self.h - self.h_hat) ** 2, axis=(1, 2)) \
            / np.sum(np.abs(self.h) ** 2, axis=(1, 2))
        self.ratio = ratio.astype(np.float64)

    def rho(self, indices):
        h, h_hat = self.h[indices], self.h_hat[indices]
        return np.mean(np.abs(np.sum(h_hat * h.conj(), axis=2))
                       / np.linalg.norm(h, axis=2) / np.linalg.norm(h_hat, axis=2))

    def check(self, report, indices):
        mean = np.mean(self.ratio[indices])
        half = 1.96 * np.std(self.ratio[indices], ddof=1) / np.sqrt(len(indices))
        self.assertEqual(report["matched"], len(indices))
        self.assertAlmostEqual(report["nmse"], mean, places=6)
        self.assertAlmostEqual(report["nmse_db"], 10 * np.log10(mean), places=4)
        self.assertAlmostEqual(report["nmse_half_width"], half, places=5)
        self.assertAlmostEqual(report["rho"], self.rho(indices), places=5)

    def messages(self, indices, offset=0):
        return [pdu(self.h_hat[i], frame=int(i) + offset, age=1, frame_bits=800)
                for i in indices]

    def test_any_order_gaps_and_strangers(self):
        block = csifeedback.csi_metrics(csifeedback.csi_shape("H", 24, 4))
        order = np.random.default_rng(8).permutation(30)
        kept = [i for i in order if i % 4]
        # Half of the reconstructions come before any truth.
        Messages(block, "pdus", "ack").run(self.messages(kept[:10]), 0)
        acks = Messages(block, "truth", "ack").run([pdu(self.h[i], frame=int(i)) for i in order], 10)
        self.assertEqual(sorted(pmt.to_uint64(a) for a in acks), sorted(kept[:10]))
        acks = Messages(block, "pdus", "ack").run(
            self.messages(kept[10:]) + [pdu(self.h_hat[0, :3], frame=0)], 12)
        self.assertEqual(len(acks), len(kept) - 10)
        report = block.report()
        self.check(report, kept)
        self.assertEqual(report["truths"], 30)
        self.assertEqual(report["malformed"], 1)
        self.assertEqual(report["age"], 1)
        self.assertEqual(report["bits_per_csi"], 800)
        block.reset()
        self.assertEqual(block.report()["matched"], 0)

    def test_one_behind_the_other(self):
        """A slow one, and a fast one behind it that ends the flowgraph: both compare all."""
        count, first = 20, 2_000_000
        source = csifeedback.channel_source(csifeedback.cost2100_channel("indoor", seed=5), count,
                                            first, NA, 4, window=64)
        slow = csifeedback.csi_metrics(csifeedback.csi_shape("Ha", NA, NT, 16384))
        fast = csifeedback.csi_metrics(csifeedback.csi_shape("H", NA, NT))
        passed = blocks.message_debug(True)
        flowgraph = gr.top_block()
        flowgraph.connect(source, slow)
        flowgraph.connect(source, fast)
        flowgraph.msg_connect(slow, "pdus", passed, "store")
        flowgraph.msg_connect(slow, "pdus", fast, "pdus")
        flowgraph.msg_connect(fast, "ack", source, "ack")
        h = indoor(count, first)
        messages = [pdu(2 * x, frame=first + i) for i, x in enumerate(h)]
        for message in messages:
            slow._post(pmt.intern("pdus"), message)
        flowgraph.run()
        self.assertEqual(passed.num_messages(), count)
        for i, x in enumerate(h):
            np.testing.assert_array_equal(values(passed.get_message(i), np.complex64),
                                          2 * x.ravel())
        for metrics in (slow, fast):
            self.assertEqual(metrics.report()["matched"], count)
            self.assertAlmostEqual(metrics.report()["nmse"], 1, places=6)

    def test_forgotten_truth(self):
        block = csifeedback.csi_metrics(csifeedback.csi_shape("H", 24, 4), history=8)
        Messages(block, "truth", "ack").run([pdu(self.h[i], frame=i) for i in range(30)], 0)
        Messages(block, "pdus", "ack").run(self.messages(range(18, 30)), 0)
        report = block.report()
        self.assertEqual(report["unmatched"], 4)
        self.check(report, list(range(22, 30)))

    def test_sixteen_bits_of_the_frame_number_suffice(self):
        block = csifeedback.csi_metrics(csifeedback.csi_shape("H", 24, 4))
        first = 3 * 65536 - 10
        Messages(block, "truth", "ack").run([pdu(self.h[i], frame=first + i) for i in range(30)], 0)
        acks = Messages(block, "pdus", "ack").run(
            [pdu(self.h_hat[i], frame=(first + i) & 0xffff, age=1, frame_bits=800)
             for i in range(30)], 30)
        self.check(block.report(), list(range(30)))
        self.assertEqual([pmt.to_uint64(a) for a in acks], [first + i for i in range(30)])

    def test_reports(self):
        block = csifeedback.csi_metrics(csifeedback.csi_shape("H", 24, 4), interval=10)
        Messages(block, "truth", "ack").run([pdu(self.h[i], frame=i) for i in range(30)], 0)
        out = Messages(block, "pdus", "reports").run(self.messages(range(30)), 3)
        self.assertEqual([pmt.to_python(m)["matched"] for m in out], [10, 20, 30])
        self.assertAlmostEqual(pmt.to_python(out[2])["nmse_db"],
                               10 * np.log10(np.mean(self.ratio)), places=4)

    def test_rho_of_delay_rows(self):
        nc, nt, na = 64, 4, 24
        transform = csifeedback.angular_delay_transform(nc, nt, na, 3)
        block = csifeedback.csi_metrics(transform)
        Messages(block, "truth", "ack").run([pdu(self.h[i], frame=i) for i in range(5)], 0)
        Messages(block, "pdus", "ack").run(self.messages(range(5)), 0)
        expected = np.mean(csifeedback.cosine_similarity(transform.inverse(self.h[:5]),
                                                         transform.inverse(self.h_hat[:5])))
        self.assertAlmostEqual(block.report()["rho"], expected, places=5)

    def test_similarity_of_subbands(self):
        """SGCS as the functions compute it: of all rows, of eight of each subband, and of the
        subcarriers of delay rows; its 5 % point."""
        rng = np.random.default_rng(12)
        transform = csifeedback.angular_delay_transform(64, 4, 24, 3)
        for shape, rows, subbands, picked in (
                (csifeedback.csi_shape("H", 24, 4), 24, 6, np.arange(24)),
                (csifeedback.csi_shape("H", 24, 4), 24, 30, np.arange(24)),
                (csifeedback.csi_shape("H", 90, 4), 90, 4, subband_rows(90, 4)),
                (transform, 24, 5, subband_rows(64, 5))):
            h = rng.standard_normal((60, rows, 4)) + 1j * rng.standard_normal((60, rows, 4))
            h_hat = h + rng.uniform(0.2, 2, (60, 1, 1)) * rng.standard_normal(h.shape)
            h, h_hat = (x.astype(np.complex64) for x in (h, h_hat))
            block = csifeedback.csi_metrics(shape, subbands=subbands, interval=60)
            Messages(block, "truth", "ack").run([pdu(x, frame=i) for i, x in enumerate(h)], 0)
            out = Messages(block, "pdus", "reports").run(
                [pdu(x, frame=i) for i, x in enumerate(h_hat)], 1)
            v, w = (csifeedback.subband_eigenvectors(np.ascontiguousarray(
                (transform.inverse(x) if shape is transform else x)[:, picked, None]),
                min(subbands, len(picked))) for x in (h, h_hat))
            similarity = csifeedback.sgcs(v, w)[:, 0]
            report = block.report()
            self.assertAlmostEqual(report["sgcs"], similarity.mean(), places=4)
            self.assertAlmostEqual(report["sgcs_half_width"],
                                   1.96 * similarity.std(ddof=1) / 60**0.5, places=4)
            # Between the values next to the point, as the histogram has it.
            low, high = np.sort(similarity)[[1, 4]]
            self.assertTrue(low - 1e-3 < report["sgcs_5"] < high + 1e-3)
            self.assertEqual(pmt.to_python(out[0])["sgcs_5"], report["sgcs_5"])
            block.reset()
            self.assertNotIn("sgcs", block.report())
        with self.assertRaisesRegex(ValueError, "subbands is -1"):
            csifeedback.csi_metrics(transform, subbands=-1)

    def test_layers(self):
        """Reports of several layers, some of which are lost: the figures of gnuradio.csifeedback.layers."""
        panel = csifeedback.cdl_panel_channel("C", 2, 2, nr=3, nc=24, spacing_hz=360e3, angle_span_deg=120)
        h = panel.generate(0, 50).reshape(50, 72, 8)
        codec = csifeedback.open_codec("etype2:n1=2,n2=2,rows=24,subbands=6,param_combination=4,nr=3,snr_db=15")
        encoder, decoder = codec.own_reports()
        # Short budgets: several ranks.
        parts = [encoder.encode(h[i:i + 1], (encoder.min_bits(), 200, encoder.max_bits())[i % 3]) for i in range(50)]
        found = np.concatenate([decoder.decode(*part) for part in parts])
        found[7] = 0  # nothing was reported
        scores = layers.Scores(3, 6, 15, 3)
        scores.add(h, found)
        expected = scores.figures()
        self.assertGreater(np.count_nonzero(expected["rank_share"]), 2)
        block = csifeedback.csi_metrics(encoder, subbands=6, interval=50, nr=3, snr_db=15)
        Messages(block, "truth", "ack").run([pdu(x, frame=i) for i, x in enumerate(h)], 0)
        out = Messages(block, "pdus", "reports").run(
            [pdu(x, frame=i, frame_bits=100) for i, x in enumerate(found)], 1)
        report = block.report()
        self.assertEqual((report["matched"], report["bits_per_csi"]), (50, 100))
        self.assertNotIn("rho", report)
        self.assertNotIn("nmse_db", report)
        np.testing.assert_allclose(report["rank_share"], expected["rank_share"], atol=1e-12)
        np.testing.assert_allclose(report["sgcs_layers"], expected["sgcs_layers"], atol=1e-5)
        np.testing.assert_allclose(report["sgcs_layers_5"], expected["sgcs_layers_5"], atol=0.05)
        self.assertAlmostEqual(report["se"], expected["se_layers"], places=4)
        self.assertAlmostEqual(report["se_perfect"], expected["se_layers_perfect"], places=4)
        self.assertAlmostEqual(report["sgcs"], scores.similarity()["sgcs"], places=5)
        sent = pmt.to_python(out[0])
        np.testing.assert_allclose(sent["sgcs_layers"], report["sgcs_layers"])
        np.testing.assert_allclose(sent["rank_share"], report["rank_share"])
        self.assertEqual((sent["se"], sent["se_perfect"]), (report["se"], report["se_perfect"]))
        self.assertNotIn("nmse_db", sent)
        block.reset()
        self.assertEqual(block.report()["rank_share"], [0] * 4)
        self.assertEqual(block.report()["sgcs_layers"], [None] * 3)
        # Matrices without a figure.
        truth = h[:3].copy()
        truth[0] = 0
        bad = found[:3].copy()
        bad[1, 0, 0] = np.nan
        Messages(block, "truth", "ack").run([pdu(x, frame=100 + i) for i, x in enumerate(truth)], 0)
        Messages(block, "pdus", "ack").run([pdu(x, frame=100 + i) for i, x in enumerate(bad)], 0)
        self.assertEqual((block.report()["matched"], block.report()["unmatched"]), (1, 2))
        # SE and SGCS of the first layer as streams.
        flowgraph = gr.top_block()
        block = csifeedback.csi_metrics(encoder, subbands=6, nr=3, snr_db=15)
        sinks = [blocks.vector_sink_f(), blocks.vector_sink_f()]
        source = blocks.vector_source_c(h[:20].ravel().tolist(), False, h[0].size)
        flowgraph.connect(source, block)
        for port, sink in enumerate(sinks):
            flowgraph.connect((block, port), sink)
        for i, x in enumerate(found[:20]):
            block._post(pmt.intern("pdus"), pdu(x, frame=i))
        flowgraph.run()
        se = layers.efficiency(layers.channels(h[:20], 3), layers.precoders(found[:20], 3), 15)
        first = layers.similarities(layers.eigenvectors(layers.channels(h[:20], 3), 6, 3),
                                    layers.precoders(found[:20], 3), 6)[:, 0]
        # Those that are compared before the first call are not in the streams.
        shown = np.array([sink.data() for sink in sinks]).T
        self.assertGreater(len(shown), 0)
        expected = np.stack([se, np.nan_to_num(first)], axis=1)
        for pair in shown:
            self.assertLess(np.min(np.max(np.abs(expected - pair), axis=1)), 1e-3)
        for arguments, text in (((encoder, 256, 0, 6, 9), "nr is 9, allowed is 1 to 8"),
                                ((encoder, 256, 0, 6, 5), "multiples of nr, 5"),
                                ((encoder, 256, 0, 6, 3, 200), "snr_db is 200"),
                                ((csifeedback.angular_delay_transform(64, 4, 24, 3), 256, 0, 6, 2),
                                 "domain of the shape with several")):
            with self.assertRaisesRegex(ValueError, text):
                csifeedback.csi_metrics(*arguments)

    def test_bad_matrices_do_not_spoil_the_mean(self):
        block = csifeedback.csi_metrics(csifeedback.csi_shape("H", 24, 4))
        truth = self.h.copy()
        truth[2] = 0
        h_hat = self.h_hat.copy()
        h_hat[4, 1, 1] = np.nan
        Messages(block, "truth", "ack").run([pdu(truth[i], frame=i) for i in range(8)], 0)
        Messages(block, "pdus", "ack").run([pdu(h_hat[i], frame=i) for i in range(8)], 0)
        report = block.report()
        self.check(report, [0, 1, 3, 5, 6, 7])
        self.assertEqual(report["unmatched"], 2)


class Source(unittest.TestCase):

    def test_matrices_and_numbers(self):
        from gnuradio import blocks
        channel = csifeedback.cdl_channel("A", nc=64, nt=4, seed=3)
        for na in (0, 16):
            rows = na or 64
            expected = csifeedback.generate_channels(channel, 100, 5, na, 2)[0]
            source = csifeedback.channel_source(channel, 5, 100, na, 2)
            sink = blocks.vector_sink_c(rows * 4)
            flowgraph = gr.top_block()
            flowgraph.connect(source, sink)
            flowgraph.run()
            np.testing.assert_array_equal(
                np.array(sink.data(), np.complex64).reshape(expected.shape), expected)
            self.assertEqual([(t.offset, pmt.symbol_to_string(t.key), pmt.to_uint64(t.value))
                              for t in sink.tags()], [(0, "frame", 100)])

    def test_parameters(self):
        channel = csifeedback.cdl_channel("A", nc=64, nt=4)
        for arguments, text in (((0, 0, 65), "na is 65"), ((0, 0, 16, 16), "precursor is 16"),
                                ((0, 0, 0, 4, -1), "window is -1")):
            with self.assertRaisesRegex(ValueError, text):
                csifeedback.channel_source(channel, *arguments)


if __name__ == "__main__":
    unittest.main()
