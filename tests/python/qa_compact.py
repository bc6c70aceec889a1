#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Compact feedback frames through framers, links and deframers."""

import json
import unittest

import numpy as np
import pmt
from gnuradio import csifeedback
from gnuradio.csifeedback import evaluation
from gnuradio.csifeedback.channels import model_channel
from gnuradio.csifeedback.link.base_station import Cell
from gnuradio.csifeedback.link.compact_frames import CompactFrames
from gnuradio.csifeedback.link.parameters import ParameterError
from gnuradio.csifeedback.link.report_format import ReportFormat

from common import Messages, make_deframer, make_framer, metadata, pdu, run_program, values

KLT = "cost2100-indoor-klt"


class Compact(unittest.TestCase):

    def setUp(self):
        self.model = csifeedback.model_file(KLT)
        # 31 values of 3 bits: 93 bits, no whole number of bytes.
        self.quantizer = csifeedback.lloyd_max_quantizer(self.model, 31, 3)
        self.level = np.random.default_rng(4).integers(0, 8, (20, 31)).astype(np.int16)

    def framer(self, compact, **options):
        return make_framer(self.quantizer, compact.ue_id, compact=compact, **options)

    def deframer(self, compact, **options):
        return make_deframer(self.quantizer, compact=compact, **options)

    def frames(self, compact, first=5000, count=20, gain_db=-10.06, **options):
        return Messages(self.framer(compact, **options)).run(
            [pdu(self.level[i], frame=first + i, gain_db=gain_db) for i in range(count)], count)

    def test_round_trip(self):
        for checksum, bits in (("crc24", 55), ("crc16", 47), ("crc11", 42), ("none", 31)):
            c = csifeedback.compact_configuration(9, 3, checksum)
            self.assertEqual((c.overhead_bits(), c.checksum, c.number, c.ue_id),
                             (bits, checksum, 9, 3))
            frames = self.frames(c)
            self.assertEqual({len(values(m, np.uint8)) for m in frames}, {(93 + bits) // 8 + 1})
            out = Messages(self.deframer(c)).run(frames, 20)
            np.testing.assert_array_equal([values(m, np.int16) for m in out], self.level)
            found = metadata(out[0])
            self.assertEqual({k: found[k] for k in ("ue_id", "codec_id", "model_id", "code_size",
                                                    "gain_db", "frame_bits")},
                             {"ue_id": 3, "codec_id": 1, "model_id": 77, "code_size": 31,
                              "gain_db": -10.0, "frame_bits": 93 + bits})
            self.assertNotIn("residual_energy_db", found)
            # 10 bits of 5000, and counted on from there.
            self.assertEqual([metadata(m)["frame"] for m in out],
                             list(range(5000 % 1024, 5000 % 1024 + 20)))

    def test_bits_sent(self):
        c = csifeedback.compact_configuration(1, 2, "crc16", residual_energy=True)
        block = self.framer(c, key=bytes(range(16)))
        out = Messages(block).run([pdu(self.level[0], frame=1, residual_energy_db=-20.0)], 1)
        self.assertEqual(block.bits_sent(), 93 + 47 + 8 + 64)
        receiver = self.deframer(c, max_age=100, key=bytes(range(16)))
        receiver.to_basic_block()._post(pmt.intern("tick"), pmt.from_uint64(1025))
        self.assertEqual(Messages(receiver).run(out, 0), [])
        self.assertEqual(receiver.counts()["bad_signature"], 1)
        receiver.to_basic_block()._post(pmt.intern("tick"), pmt.from_uint64(2))
        found = metadata(Messages(receiver).run(out, 1)[0])
        self.assertEqual((found["residual_energy_db"], found["frame_bits"]), (-20.0, 212))

    def test_gains(self):
        c = csifeedback.compact_configuration(min_gain_db=-20, gain_bits=8)
        self.assertEqual(c.max_gain_db(), -20 + 255 / 8)
        block = self.framer(c)
        out = Messages(block).run([pdu(self.level[0], frame=i, gain_db=g) for i, g in enumerate(
            (-20.1, -20.05, 3.3, 11.9, 12.0, np.nan, np.inf))], 3)
        self.assertEqual(block.discarded(), 4)
        out = Messages(self.deframer(c)).run(out, 3)
        self.assertEqual([metadata(m)["gain_db"] for m in out], [-20, 3.25, 11.875])
        fixed = csifeedback.compact_configuration(min_gain_db=-3, gain_bits=0)
        out = Messages(self.deframer(fixed)).run(self.frames(fixed, gain_db=33), 20)
        self.assertEqual(metadata(out[0])["gain_db"], -3)

    def test_several_ues_and_other_frames(self):
        a, b = (csifeedback.compact_configuration(n, 100 + n) for n in (0, 255))
        full = Messages(make_framer(self.quantizer, 5)).run(
            [pdu(self.level[0], frame=9)], 1)
        messages = self.frames(a, count=2) + full + self.frames(b, count=3) \
            + self.frames(csifeedback.compact_configuration(7), count=1)
        block = self.deframer([a, b])
        out = Messages(block).run(messages, 6)
        self.assertEqual([metadata(m)["ue_id"] for m in out], [100] * 2 + [5] + [355] * 3)
        self.assertEqual({k: n for k, n in block.counts().items() if n},
                         {"ok": 6, "unknown_configuration": 1})
        # Without configurations they are something else.
        block = make_deframer(self.quantizer)
        self.assertEqual(Messages(block).run(self.frames(a, count=2), 0), [])

    def test_bit_errors(self):
        """What comes through a bad link is right."""
        c = csifeedback.compact_configuration(3, 1, "crc16")
        link = csifeedback.feedback_link(0.003, seed=5)
        count = 400
        sent = Messages(self.framer(c)).run(
            [pdu(self.level[i % 20], frame=i) for i in range(count)], count)
        block = self.deframer(c)
        out = Messages(block).run(Messages(link).run(sent, count), int(0.4 * count))
        # 141 bits each.
        self.assertAlmostEqual(len(out) / count, 0.997**141, delta=0.12)
        self.assertGreater(block.counts()["bad_crc"], 50)
        for message in out:
            np.testing.assert_array_equal(values(message, np.int16),
                                          self.level[metadata(message)["frame"] % 20])

    def test_reports(self):
        def make(kind):
            return getattr(csifeedback, f"report_{kind}_from_model")(KLT, "lloyd-max", 31, 3)

        c = csifeedback.compact_configuration(1, 4, "crc24")
        encoder, decoder = make("encoder"), make("decoder")
        framer = csifeedback.report_framer(encoder, 4, compact=c)
        bits = np.random.default_rng(6).integers(0, 256, 12).astype(np.uint8)
        bits[-1] &= 0xf8
        out = Messages(framer).run([pdu(bits, frame=7, report_bits=93, gain_db=1.0)], 1)
        self.assertEqual(framer.bits_sent(), 55 + 93)
        out = Messages(csifeedback.report_deframer(decoder, compact=[c])).run(out, 1)
        np.testing.assert_array_equal(values(out[0], np.uint8), bits)
        self.assertEqual((metadata(out[0])["report_bits"], metadata(out[0])["gain_db"]), (93, 1.0))

    def test_functions(self):
        c = csifeedback.compact_configuration(5)
        frame = csifeedback.pack_compact_frame(c, 600, c.gain_to_code(8.0), bytes([0b10110010]), 7)
        self.assertEqual(frame.hex(), "30596301667edb72")
        self.assertEqual(csifeedback.unpack_compact_frame(c, frame),
                         (csifeedback.frame_status.ok, 600, 384, bytes([0b10110010]), 7, 0))
        self.assertEqual(csifeedback.unpack_compact_frame(c, frame[:-1] + b"\0")[0],
                         csifeedback.frame_status.bad_length)
        self.assertEqual(csifeedback.unpack_compact_frame(c, b"\x31" + frame[1:])[0],
                         csifeedback.frame_status.bad_version)

    def test_parameters(self):
        c = csifeedback.compact_configuration
        for make, text in (
                (lambda: c(checksum="crc32"), "checksum is crc32, allowed is none, crc11"),
                (lambda: c(number_bits=11), "number_bits is 11, allowed is 8 to 10"),
                (lambda: c(gain_bits=13), "gain_bits is 13"),
                (lambda: c(min_gain_db=np.nan), "min_gain_db is nan"),
                (lambda: make_framer(self.quantizer, 3, compact=c(ue_id=4)),
                 "ue_id with this compact configuration is 3, allowed is 4"),
                (lambda: self.deframer(c(ue_id=4), ue_id=5), "ue_id of a configuration is 4"),
                (lambda: self.deframer(c(number_bits=8), max_age=256),
                 "max_age . max_lead with a compact configuration is 256"),
                (lambda: csifeedback.pack_compact_frame(c(), 0, 0, b"x", 9),
                 "payload_bits is 9")):
            with self.assertRaisesRegex(ValueError, text):
                make()


class CompactCell(unittest.TestCase):
    """What a base station takes for CSI of compact frames, message by message."""

    NOW = 1_000_000
    KEYS = {1: b"the secret of UE one", 700: b"the secret of UE seven hundred"}
    COMPACT = CompactFrames((5, 6), "crc16")

    @classmethod
    def setUpClass(cls):
        cls.codec = evaluation.Codec("cdl-c-300x2-klt")
        cls.frame = csifeedback.csirs_frame(nt=2, **csifeedback.csirs_frame.preset(5, 15))
        cls.reports = ReportFormat("1/4", "lloyd-max", 5)
        cls.encoder = cls.reports.encoder(cls.codec)
        cls.channel = model_channel(cls.codec.model)

    def cell(self, compact=COMPACT, **options):
        self.now = self.NOW
        return Cell(self.codec, self.reports, [1, 700], self.frame, lambda: self.now, 100,
                    compact=compact, **options)

    def message(self, frame, index=0, compact=COMPACT, sample=0, key=None, **changes):
        """A frame of the first or the second UE; changes: of the configuration."""
        given = {"number": compact.numbers[index], "ue_id": (1, 700)[index],
                 "checksum": compact.checksum, "number_bits": compact.number_bits,
                 "residual_energy": compact.residual_energy}
        c = csifeedback.compact_configuration(**{**given, **changes})
        framer = csifeedback.report_framer(self.encoder, c.ue_id, 0, key or b"", c)
        ha = self.channel.generate_truncated(sample, self.codec.model.na,
                                             self.codec.model.precursor)[0]
        report, count, gain = self.encoder.encode(ha)[:3]
        out = Messages(framer).run([pdu(report, frame=frame, report_bits=int(count),
                                        gain_db=float(gain), residual_energy_db=-20.0)], 1)
        return values(out[0], np.uint8).tobytes()

    def refuse(self, cell, message, reason):
        before, known = cell.refused[reason], [u.frame for u in cell.ues.values()]
        self.assertIsNone(cell.receive(message))
        self.assertEqual(cell.refused[reason], before + 1, (reason, cell.refused))
        self.assertEqual([u.frame for u in cell.ues.values()], known)

    def test_accepts(self):
        cell = self.cell()
        self.assertEqual(cell.receive(self.message(self.NOW - 3, sample=5)), 1)
        self.assertEqual(cell.receive(self.message(self.NOW - 1, 1)), 700)
        self.assertEqual(cell.ues[1].frame, self.NOW - 3)
        self.assertIsNone(cell.ues[1].residual_energy_db)
        h = self.channel.generate(5)
        self.assertLess(np.sum(abs(cell.ues[1].h() - h)**2), 10**-1.3 * np.sum(abs(h)**2))
        self.assertEqual(sum(cell.refused.values()), 0)
        telling = CompactFrames((5, 6), residual_energy=True)
        cell = self.cell(telling)
        cell.receive(self.message(self.NOW, compact=telling))
        self.assertEqual(cell.ues[1].residual_energy_db, -20)

    def test_refuses(self):
        """What is old, replayed, of the future, damaged, or of another configuration."""
        cell = self.cell()
        first = self.message(self.NOW - 2)
        self.assertEqual(cell.receive(first), 1)
        for message, reason in (
                (first, "replayed"), (self.message(self.NOW - 5), "replayed"),
                (self.message(self.NOW - 101), "stale"), (self.message(self.NOW + 1), "stale"),
                (self.message(self.NOW - 900), "stale"), (self.message(self.NOW + 900), "stale"),
                (self.message(self.NOW, checksum="crc24"), "bad_crc"),
                (self.message(self.NOW, checksum="none"), "bad_crc"),
                (self.message(self.NOW, number=9), "unknown_configuration"),
                (self.message(self.NOW, number_bits=8), "bad_length"),
                (first[:1], "too_short"), (first + b"\0", "bad_length"), (first[:-1], "bad_crc"),
                (b"\x30\x50" + bytes(400) + b"\x80", "bad_crc")):
            self.refuse(cell, message, reason)
        # A UE of other codecs has other lengths, with a checksum that is right.
        other = ReportFormat("1/4", "lloyd-max", 4).encoder(self.codec)
        self.encoder, own = other, self.encoder
        try:
            self.refuse(cell, self.message(self.NOW), "bad_length")
        finally:
            self.encoder = own
        # Without a key nothing tells a frame from one of 1024 frames later.
        self.now += 1024
        self.assertEqual(cell.receive(first), 1)
        # Without its configuration it is no frame.
        cell = self.cell(None)
        self.assertIsNone(cell.receive(first))

    def test_keys(self):
        cell = self.cell(keys=self.KEYS)
        plain = self.message(self.NOW - 1)
        signed = self.message(self.NOW - 1, key=self.KEYS[1])
        self.assertEqual(len(signed), len(plain) + 8)
        self.assertIsNone(cell.receive(plain))
        self.refuse(cell, self.message(self.NOW - 1, key=self.KEYS[700]), "bad_signature")
        # No UE can sign as another.
        self.refuse(cell, self.message(self.NOW - 1, 1, key=self.KEYS[1]), "bad_signature")
        self.assertEqual(cell.receive(signed), 1)
        self.refuse(cell, signed, "replayed")
        self.assertEqual(cell.receive(self.message(self.NOW - 1, 1, key=self.KEYS[700])), 700)
        self.now += 1024
        self.refuse(cell, signed, "bad_signature")

    def test_changed_bits(self):
        """No frame with one or two wrong bits is taken, nor one that is cut."""
        for compact in (self.COMPACT, CompactFrames((5, 6), "crc11")):
            cell = self.cell(compact)
            good = self.message(self.NOW, compact=compact)
            rng = np.random.default_rng(7)
            for i in range(8 * len(good)):
                bad = np.unpackbits(np.frombuffer(good, np.uint8))
                bad[[i, rng.integers(bad.size)]] ^= 1
                if (np.packbits(bad).tobytes() != good):
                    self.assertIsNone(cell.receive(np.packbits(bad).tobytes()), i)
            for n in range(len(good)):
                self.assertIsNone(cell.receive(good[:n]), n)
            self.assertEqual(cell.receive(good), 1)

    def test_parameters(self):
        for make, text in (
                (lambda: CompactFrames(checksum="crc32").configurations([1]),
                 "checksum is crc32, allowed is crc24, crc16, crc11, none"),
                (lambda: CompactFrames(number_bits=7).configurations([1]), "number_bits is 7"),
                (lambda: CompactFrames(gain_bits=13).configurations([1]), "gain_bits is 13"),
                (lambda: CompactFrames(min_gain_db=np.inf).configurations([1]),
                 "min_gain_db is inf"),
                (lambda: CompactFrames((256,)).configurations([1]),
                 "compact is 256, allowed is 0 to 255"),
                (lambda: CompactFrames((1, 1)).configurations([1, 2]),
                 "compact is 1,1, allowed is a number of its own for each UE, 2 in all"),
                (lambda: CompactFrames((1,)).configurations([1, 2]), "compact is 1, allowed"),
                (lambda: CompactFrames().configurations([1, 256]), "compact: UE 256 is above 255"),
                (lambda: CompactFrames(number_bits=9).check_age(512),
                 "max_age is 512, allowed is 0 to 511")):
            with self.assertRaisesRegex(ParameterError, text):
                make()
        for gain_bits in range(13):
            top = 255 - ((1 << gain_bits) - 1) // 8
            made = CompactFrames(gain_bits=gain_bits, min_gain_db=top).configurations([7, 255])
            self.assertEqual([(c.number, c.ue_id) for c in made], [(7, 7), (255, 255)])


class CompactSimulation(unittest.TestCase):

    def figures(self, *options):
        done = run_program("sim", "--codec", KLT, "--samples", 200, "--first", 1000000, "--ratio",
                           "1/32", "--bits", 3, "--json", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_sim(self):
        """The chain with compact frames: the same CSI in fewer bits, also late and with errors."""
        full, compact = self.figures(), self.figures("--compact", "--checksum", "crc16")
        self.assertEqual(full["matched"], compact["matched"])
        self.assertEqual(full["bits_per_csi"] - compact["bits_per_csi"], 136 - 47)
        self.assertAlmostEqual(full["nmse_db"], compact["nmse_db"], delta=0.02)
        late = self.figures("--compact", 200, "--delay", 40, "--number-bits", 8, "--ber", 2e-3)
        # 55 - 2 + 192 bits; four standard deviations.
        self.assertAlmostEqual(late["frames"]["ok"], 160 * 0.998**245, delta=25)
        self.assertGreater(late["frames"]["bad_crc"], 20)
        self.assertGreater(late["matched"], 0)
        self.assertGreaterEqual(late["age"], 0)


if __name__ == "__main__":
    unittest.main()
