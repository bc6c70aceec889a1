#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The two ends as programs: feedback that cannot be trusted, kills and restarts, recordings."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import numpy as np
import pmt
import zmq
from gnuradio import analog, blocks, csifeedback, gr
from gnuradio.csifeedback import evaluation, ofdm
from gnuradio.csifeedback.data import sigmf
from gnuradio.csifeedback.channels import model_channel
from gnuradio.csifeedback.data.dataset import Dataset
from gnuradio.csifeedback.link import base_station, messages, transport
from gnuradio.csifeedback.link.antennas import StackAntennas, SumOfGains
from gnuradio.csifeedback.link.flowgraph import Runner, SampleSource, Watch
from gnuradio.csifeedback.link.pilots import Pilots
from gnuradio.csifeedback.link.report_format import ReportFormat
from gnuradio.csifeedback.link.user_equipment import UserEquipment
from gnuradio.csifeedback.precoded import MeasurePrecoded, SendPrecoded
from common import run_program as call
from programs import CODEC, EndsTest, free_port, wait_for

NOW = 1_000_000


def signature(key, message, number):
    return csifeedback.feedback_signer(key).sign(message, number)


class CellTest(unittest.TestCase):
    """What the BS takes for CSI, message by message."""

    @classmethod
    def setUpClass(cls):
        cls.codec = evaluation.Codec(CODEC)
        cls.frame = csifeedback.csirs_frame(nt=2, **csifeedback.csirs_frame.preset(5, 15))
        cls.size = cls.codec.code_size("1/4")
        cls.quantizer = evaluation.make_quantizer(cls.codec.model, "lloyd-max", cls.size, 6)
        cls.reports = ReportFormat("1/4", "lloyd-max", 6)
        cls.channel = model_channel(cls.codec.model)
        cls.encoder = cls.codec.encoder(cls.size)

    def cell(self, **options):
        self.now = NOW
        return base_station.Cell(self.codec, self.reports, [1, 7], self.frame,
                                 lambda: self.now, 100, **options)

    def message(self, number, ue=1, sample=0, **changes):
        """A feedback frame."""
        ha = self.channel.generate_truncated(sample, self.codec.model.na,
                                             self.codec.model.precursor)[0]
        s, gain = self.encoder.encode(ha)
        h = csifeedback.feedback_header()
        h.quantizer_type, h.bits = self.quantizer.type_id(), self.quantizer.bits()
        h.ue_id, h.frame_number = ue, number % 65536
        h.codec_id, h.model_id = self.encoder.codec_id(), self.encoder.model_id()
        h.code_size, h.gain = self.size, csifeedback.gain_to_code(float(gain))
        for name, value in changes.items():
            setattr(h, name, value)
        return bytes(csifeedback.pack_frame(h, self.quantizer.pack(self.quantizer.quantize(s))))

    def test_accepts(self):
        cell = self.cell()
        self.assertEqual(cell.receive(self.message(NOW - 3, sample=5)), 1)
        self.assertEqual(cell.receive(self.message(NOW - 1, ue=7)), 7)
        state = cell.ues[1]
        self.assertEqual(state.frame, NOW - 3)
        h = self.channel.generate(5)
        self.assertLess(np.sum(abs(state.h() - h)**2), 10**-1.3 * np.sum(abs(h)**2))
        self.assertEqual(sum(cell.refused.values()), 0)
        figures = cell.figures(1.0)
        self.assertTrue(figures["ues"][1]["fresh"])
        self.assertEqual(figures["ues"][1]["age"], 3)
        fresh, w = cell.precoders()
        self.assertEqual(fresh, [1, 7])
        # Zero-forcing: neither UE hears what is for the other.
        heard = np.einsum("kn,kn->k", state.h(), w[:, 1])
        self.assertLess(np.max(abs(heard)), 1e-4 * np.max(abs(state.h())))

    def test_old_new_and_replayed(self):
        """CSI becomes old with time; no frame of the past or of the future is fresh."""
        cell = self.cell()
        first = self.message(NOW - 2)
        self.assertEqual(cell.receive(first), 1)
        for message, reason in ((first, "replayed"), (self.message(NOW - 5), "replayed"),
                                (self.message(NOW - 101), "stale"),
                                (self.message(NOW + 1), "stale"),
                                (self.message(NOW + 30000), "stale"),
                                (self.message(NOW - 30000), "stale")):
            before = cell.refused[reason]
            self.assertIsNone(cell.receive(message))
            self.assertEqual(cell.refused[reason], before + 1, reason)
        self.assertEqual(cell.ues[1].frame, NOW - 2)
        self.now += 98
        self.assertTrue(cell.is_fresh(cell.ues[1]))
        self.now += 1
        self.assertFalse(cell.is_fresh(cell.ues[1]))
        self.assertFalse(cell.figures(1.0)["ues"][1]["fresh"])
        self.assertEqual(cell.precoders(), ([], None))
        self.assertIsNone(cell.receive(first))

    def test_refuses(self):
        cell = self.cell()
        good = self.message(NOW)
        for message, reason in (
                (b"", "too_short"), (good[:10], "too_short"), (good[:-1], "bad_crc"),
                (good + b"\0", "bad_length"), (good + b"\1", "bad_crc"),
                (b"\x11" * 65536, "bad_crc"), (bytes(65536), "bad_version"),
                (self.message(NOW, model_id=1), "unknown_model"),
                (self.message(NOW, codec_id=3), "unknown_model"),
                (self.message(NOW, bits=5), "unknown_quantizer"),
                (self.message(NOW, quantizer_type=0), "unknown_quantizer"),
                (self.message(NOW, code_size=0), "bad_code_size"),
                (self.message(NOW, code_size=60000), "bad_code_size"),
                (self.message(NOW, code_size=3), "bad_length"),
                (self.message(NOW, ue=2), "unknown_ue")):
            before = cell.refused[reason]
            self.assertIsNone(cell.receive(message))
            self.assertEqual(cell.refused[reason], before + 1, reason)
        self.assertEqual(cell.precoders(), ([], None))
        # Where the ends are set up differently, what both have: the last frame of each kind.
        number = self.encoder.model_id()
        self.assertEqual(cell.figures(1.0)["mismatches"], {
            "unknown_model": f"UE 1 sends codec 3 with model {number}, this end has codec "
                             f"{self.encoder.codec_id()} with model {number}",
            "unknown_quantizer": "UE 1 sends quantizer uniform of 6 bits, this end has quantizer "
                                 "lloyd-max of 6 bits",
            "unknown_ue": "UE 2 sends frames, this end has UE 1, 7"})

    def test_fuzz(self):
        """20000 messages with some bytes changed: not one is taken for CSI."""
        rng = np.random.default_rng(4)
        cell = self.cell()
        good = np.frombuffer(self.message(NOW), np.uint8)
        for i in range(20000):
            bad = good.copy()
            place = rng.integers(good.size, size=rng.integers(1, 6))
            bad[place] ^= rng.integers(1, 256, size=place.size).astype(np.uint8)
            if (bad == good).all():
                continue
            self.assertIsNone(cell.receive(bad[:rng.integers(good.size + 1) if i % 4 == 0
                                               else None].tobytes()))
        self.assertIsNone(cell.ues[1].frame)
        self.assertEqual(cell.receive(good.tobytes()), 1)

    def test_key(self):
        """With a key only signed frames count, and none of an earlier round of 65536."""
        key = b"sixteen bytes or more"
        cell = self.cell(keys={1: key, 7: b"the other UE's own secret"})
        plain = self.message(NOW - 1)
        self.assertIsNone(cell.receive(plain))
        self.assertIsNone(cell.receive(plain + signature(b"another key of 24 bytes", plain, NOW - 1)))
        self.assertEqual(cell.refused["bad_signature"], 1)
        signed = plain + signature(key, plain, NOW - 1)
        self.assertEqual(cell.receive(signed), 1)
        self.now += 65536
        self.assertIsNone(cell.receive(signed))
        self.assertEqual(cell.refused["bad_signature"], 2)
        # No UE can sign as another.
        other = self.message(self.now - 1, ue=7)
        for secret, expected in ((key, None), (b"the other UE's own secret", 7)):
            self.assertEqual(cell.receive(other + signature(secret, other, self.now - 1)),
                             expected)
        self.assertEqual(cell.refused["bad_signature"], 3)
        # Without a key nothing tells it from a new one: docs/ends.md says so.
        open_cell = self.cell()
        self.now += 65536
        self.assertEqual(open_cell.receive(plain), 1)

    def test_key_files(self):
        """Keys are what is in their files, byte by byte; careless ones are refused."""
        rng = np.random.default_rng(9)
        with tempfile.TemporaryDirectory() as directory:
            def write(key, name="key", mode=0o600):
                path = os.path.join(directory, name)
                with open(path, "wb") as file:
                    file.write(key)
                os.chmod(path, mode)
                return path

            def read(path):
                return messages.read_key(path)

            # Spaces and line ends are bytes like others.
            for i in range(3000):
                key = rng.bytes(16)
                if i < 300:
                    key = b"\r\n \t\0"[i % 5:i % 5 + 1] + key + b" \n"[i % 2:i % 2 + 1]
                self.assertEqual(read(write(key)), key)
            self.assertEqual(read(write(b"correct horse battery\n")), b"correct horse battery\n")
            self.assertEqual(len(read(write(rng.bytes(1 << 16)))), 1 << 16)
            for key, text in ((b"", "has 0 bytes"), (b"fifteen letters", "has 15 bytes"),
                              (rng.bytes((1 << 16) + 1), "has more than 65536"),
                              (b"a" * 32, "guess"), (bytes(32), "guess"), (b"abcde" * 8, "guess"),
                              (bytes(range(32)), "guess"), (bytes(range(60, 20, -2)), "guess")):
                with self.assertRaisesRegex(ValueError, "^key .*" + text):
                    read(write(key))
            good = rng.bytes(32)
            for mode in (0o644, 0o640, 0o604, 0o620, 0o602, 0o660):
                with self.assertRaisesRegex(ValueError, f"mode {mode:04o}.*chmod 600 .*key"):
                    read(write(good, mode=mode))
            for mode in (0o600, 0o400, 0o700):
                self.assertEqual(read(write(good, mode=mode)), good)

            one, two = write(good, "one"), write(rng.bytes(32), "two")
            same = write(good, "a=b")
            keys = messages.read_keys([f"7={two}", f"1={one}"], [1, 7])
            self.assertEqual(sorted(keys), [1, 7])
            self.assertEqual(keys[1], good)
            self.assertEqual(messages.read_keys([same], [7]), {7: good})
            self.assertEqual(messages.read_keys([], [1, 7]), {})
            for texts, text in (([one], "sign as another"), ([f"1={one}"], "UE 7 has no key"),
                                ([f"1={one}", f"7={same}"], "the same key"),
                                ([f"1={one}", f"1={two}"], "two keys"),
                                ([f"1={one}", f"2={two}"], "no UE 2, allowed is 1, 7")):
                with self.assertRaisesRegex(ValueError, "^key.*" + text):
                    messages.read_keys(texts, [1, 7])

    def test_reports(self):
        """Gains of precoded pilots: as little trusted as CSI."""
        cell = self.cell()
        good = messages.pack_report(1, NOW - 1, 2.0)
        self.assertIsNone(cell.receive(good))
        self.assertAlmostEqual(cell.figures(1)["ues"][1]["precoded_db"], 10 * np.log10(2),
                               delta=1 / 256)
        bad = [(good, "replayed"), (good[:-1], "bad_crc"), (good + b"x", "bad_crc"),
               (messages.pack_report(3, NOW, 2.0), "unknown_ue"),
               (messages.pack_report(1, NOW + 5, 2.0), "stale"),
               (messages.pack_report(1, NOW - 101, 2.0), "stale")]
        for i in range(8 * len(good)):
            changed = bytearray(messages.pack_report(1, NOW, 2.0))
            changed[i // 8] ^= 1 << i % 8
            # Without its first byte's value it is no report: a feedback frame, and a bad one.
            bad.append((bytes(changed), "bad_crc" if i >= 8 else None))
        for message, reason in bad:
            before = cell.refused[reason]
            count = sum(cell.refused.values())
            self.assertIsNone(cell.receive(message))
            self.assertEqual(sum(cell.refused.values()), count + 1)
            if reason:
                self.assertEqual(cell.refused[reason], before + 1, reason)
        self.assertEqual(len(cell.ues[1].heard), 1)
        signed = self.cell(keys=dict.fromkeys((1, 7), b"sixteen bytes or more"))
        signed.receive(good)
        self.assertEqual(len(signed.ues[1].heard), 0)
        signed.receive(good + signature(b"sixteen bytes or more", good, NOW - 1))
        self.assertEqual(len(signed.ues[1].heard), 1)


class PrecodedTest(unittest.TestCase):
    """The gain of precoded symbols in a flat channel, against |h w|^2 / mean |h|^2."""

    def gains(self, h, weights, index):
        """What UE `index` measures; weights: w of each UE, or None."""
        parameters = csifeedback.csirs_frame.preset(5, 15)
        frame = csifeedback.csirs_frame(nt=len(h), gap=4000, **parameters)
        found = []
        flowgraph = gr.top_block()
        source = csifeedback.csirs_source(frame, 30)
        send = SendPrecoded(frame, len(weights))
        for i, w in enumerate(weights):
            send.set_weights(i, w if w is None else np.tile(w, (frame.nc(), 1)))
        measure = MeasurePrecoded(frame, index, lambda number, gain: found.append(gain))
        sync = csifeedback.csi_sync(frame)
        estimator = csifeedback.channel_estimator(csifeedback.linear_interpolator(frame))
        add = blocks.add_cc()
        for n, x in enumerate(h):
            gain = blocks.multiply_const_cc(complex(x))
            flowgraph.connect((source, n), (send, n), gain, (add, n))
        noise = analog.fastnoise_source_c(analog.GR_GAUSSIAN, 0.01, 7, 1 << 16)
        flowgraph.connect(noise, (add, len(h)))
        flowgraph.connect(add, sync, estimator)
        flowgraph.connect(add, measure)
        flowgraph.msg_connect(estimator, "pdus", measure, "pdus")
        flowgraph.run()
        return found

    def test_gain(self):
        rng = np.random.default_rng(2)
        for nt in (2, 4):
            h = rng.standard_normal(nt) + 1j * rng.standard_normal(nt)
            best = h.conj() / np.linalg.norm(h)
            other = rng.standard_normal(nt) + 1j * rng.standard_normal(nt)
            other /= np.linalg.norm(other)
            for w in (best, other):
                for index in (0, 1):
                    weights = [None, None]
                    weights[index] = w
                    found = self.gains(h, weights, index)
                    # Estimates and samples come by different ways: some samples pass before them.
                    self.assertGreaterEqual(len(found), 15)
                    expected = abs(h @ w)**2 / np.mean(abs(h)**2)
                    self.assertAlmostEqual(np.mean(found) / expected, 1, delta=0.02)
            # Another UE's symbol, or none, is no gain.
            self.assertEqual(self.gains(h, [best, None], 1), [])
            # Nothing is received of a precoder that is orthogonal to the channel.
            null = other - best * np.vdot(best, other)
            self.assertEqual(self.gains(h, [null / np.linalg.norm(null)], 0), [])

    def test_power(self):
        """All ports of a precoded symbol together have the power of one."""
        frame = csifeedback.csirs_frame(nt=2, power=0.3, gap=4000,
                                        **csifeedback.csirs_frame.preset(5, 15))
        send = SendPrecoded(frame, 1)
        rng = np.random.default_rng(5)
        w = rng.standard_normal((frame.nc(), 2)) + 1j * rng.standard_normal((frame.nc(), 2))
        send.set_weights(0, w / np.linalg.norm(w, axis=1, keepdims=True))
        body = send._symbols[0][:, frame.cp_length():]
        self.assertAlmostEqual(np.sum(np.mean(abs(body)**2, axis=1)), 0.3, delta=1e-3)

    def test_gap(self):
        frame = csifeedback.csirs_frame(nt=2, gap=1000, **csifeedback.csirs_frame.preset(5, 15))
        for make in (lambda: SendPrecoded(frame, 1), lambda: MeasurePrecoded(frame, 0, print)):
            with self.assertRaisesRegex(ValueError, "the period is"):
                make()


class SampleSourceTest(unittest.TestCase):

    def test_bad_messages(self):
        """Messages that are no samples are left out, and do not end the source."""
        rng = np.random.default_rng(8)
        x = (rng.standard_normal(50000) + 1j * rng.standard_normal(50000)).astype(np.complex64)
        with zmq.Context() as context, context.socket(zmq.XPUB) as publisher:
            port = publisher.bind_to_random_port("tcp://127.0.0.1")
            source = SampleSource(transport.SampleReceiver(f"zmq://127.0.0.1:{port}"))
            sink = blocks.vector_sink_c()
            head = blocks.head(gr.sizeof_gr_complex, x.size)
            flowgraph = gr.top_block()
            flowgraph.connect(source, head, sink)
            flowgraph.start()
            self.assertTrue(publisher.poll(60000))
            self.assertEqual(publisher.recv(), b"\1")  # the subscription
            for part in np.array_split(x, 20):
                publisher.send(rng.bytes(7))
                publisher.send(b"")
                publisher.send_multipart([bytes(8), bytes(8)])
                publisher.send(part.tobytes())
            end = time.monotonic() + 60
            while len(sink.data()) < x.size and time.monotonic() < end:
                time.sleep(0.05)
            flowgraph.stop()
            flowgraph.wait()
        np.testing.assert_array_equal(sink.data(), x)
        self.assertEqual(source.refused, 40)

    def test_backlog(self):
        """A UE that is too slow leaves samples out, and does not fall behind ever more."""
        with zmq.Context() as context, context.socket(zmq.PUB) as publisher:
            port = publisher.bind_to_random_port("tcp://127.0.0.1")
            source = SampleSource(transport.SampleReceiver(f"zmq://127.0.0.1:{port}"))
            sink = blocks.vector_sink_c()
            throttle = blocks.throttle(gr.sizeof_gr_complex, 100e3)
            flowgraph = gr.top_block()
            flowgraph.connect(source, throttle, sink)
            flowgraph.start()
            # 200 messages of 1000 samples come a second, 100 go.
            count = 900
            begin = time.monotonic()
            for i in range(count):
                publisher.send(np.full(1000, i, np.complex64).tobytes())
                time.sleep(max(0, begin + (i + 1) / 200 - time.monotonic()))
            last = sink.data()[-1].real
            flowgraph.stop()
            flowgraph.wait()
        self.assertGreater(source.skipped, 100)
        # Without it: count / 2.
        self.assertGreater(last, count - 300)


class FailingSource(gr.sync_block):
    """Gives samples until it raises (raises=True) or falls silent."""

    def __init__(self, raises):
        gr.sync_block.__init__(self, "failing", None, [np.complex64])
        self.calls, self.raises = 0, raises

    def work(self, _, output_items):
        self.calls += 1
        if self.calls > 5:
            if self.raises:
                raise RuntimeError("the device is gone")
            time.sleep(0.1)
            return 0
        output_items[0][:] = 0
        return len(output_items[0])


class RunnerTest(unittest.TestCase):

    def test_block_that_raises(self):
        """Ends the program, which a source without samples does not."""
        for raises in (True, False):
            source, sink = FailingSource(raises), blocks.null_sink(gr.sizeof_gr_complex)
            flowgraph = gr.top_block()
            flowgraph.connect(source, sink)
            shown = []
            runner = Runner(flowgraph, lambda seconds, last: shown.append((seconds, last)),
                            Watch([source, sink], lambda: source.nitems_written(0)),
                            duration=90 if raises else 6)
            if raises:
                with self.assertRaisesRegex(ValueError, "the block failing ended with an error"):
                    runner.run()
                self.assertLess(shown[-1][0], 60)
            else:
                runner.run()
                self.assertGreater(shown[-1][0], 5.9)
            self.assertTrue(shown[-1][1])
            self.assertFalse(runner.ended)


class LibraryTest(unittest.TestCase):

    def test_both(self):
        """Base station and UE as objects of one process."""
        codec = evaluation.Codec(CODEC)
        reports = ReportFormat("1/4", "lloyd-max", 6)
        air, feedback = (f"zmq://127.0.0.1:{free_port()}" for _ in range(2))
        pilots = Pilots(period_ms=20)
        key = {1: os.urandom(32)}
        station = base_station.BaseStation(codec, reports, pilots, address=air,
                                           feedback=feedback, keys=key, first=70000)
        ue = UserEquipment(codec, reports, pilots, address=air, feedback=feedback,
                           key=key[1])
        self.assertAlmostEqual(station.period_s, 20e-3, delta=1e-6)
        lines, stopped = {station: [], ue: []}, threading.Event()
        threads = [threading.Thread(target=end.run, args=(lambda *line, end=end:
                                                          lines[end].append(line),),
                                    kwargs={"stopped": stopped}) for end in lines]
        for thread in threads:
            thread.start()
        end = time.monotonic() + 60
        while time.monotonic() < end and not any(
                figures["ues"][1]["per_s"] > 10 for figures, _ in lines[station]):
            time.sleep(0.1)
        stopped.set()
        for thread in threads:
            thread.join(60)
        self.assertTrue(lines[station][-1][1] and lines[ue][-1][1])
        figures = lines[station][-1][0]
        self.assertGreater(figures["ues"][1]["received"], 10)
        self.assertEqual(figures["refused"], {})
        self.assertGreater(figures["ues"][1]["rho"], 0.9)
        self.assertGreater(lines[ue][-1][0]["sent"], 10)


class SilenceTest(EndsTest):

    def test_nobody_there(self):
        """A UE without a BS, and a BS whose samples nobody takes, go on for ever."""
        common = ("--codec", CODEC, "--precoded", "--duration", 6)
        self.start("ue", *common, "--air", f"zmq://127.0.0.1:{free_port()}")
        self.start("ue", "--ports", 2, "--duration", 6, "--air", f"zmq://127.0.0.1:{free_port()}")
        self.start("bs", *common, "--air", f"zmq://127.0.0.1:{free_port()}", "--rate", 0.1,
                   "--feedback", f"zmq://127.0.0.1:{free_port()}")
        for end, expected in zip(self.running, (1, 1, 0)):  # 1: not a single sample
            code, error = end.end()
            self.assertEqual(code, expected, error)
            self.assertGreater(end.lines[-1]["seconds"], 5.9)


class ErrorsTest(unittest.TestCase):

    def refuse(self, text, *arguments):
        done = call(*arguments)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertIn(text, done.stderr.strip().splitlines()[-1])

    def test_bad_use(self):
        common = ("--codec", CODEC)
        with zmq.Context() as context, context.socket(zmq.PULL) as taken:
            port = taken.bind_to_random_port("tcp://*")
            self.refuse("in use", "bs", *common, "--feedback", f"zmq://*:{port}")
            self.refuse("in use", "bs", *common, "--feedback", f"zmq://*:{free_port()}",
                        "--air", f"zmq://*:{port}")
        self.refuse("subcarriers", "ue", *common, "--bandwidth", 20)
        self.refuse("expected a path", "ue", *common, "--air", "file:")
        self.refuse("allowed is zmq://", "ue", *common, "--air", "tcp://127.0.0.1:1")
        self.refuse("--period", "bs", *common, "--period", 0.1)
        free = ("--air", f"zmq://127.0.0.1:{free_port()}")
        for program, option, value, expected in (
                ("bs", "--max-age", -1, "-1, allowed is 0 to 32767"),
                ("bs", "--drop", 0, "0, allowed is 1 to"),
                ("bs", "--rate", "nan", "nan, allowed is"),
                ("bs", "--seed", -1, "-1, allowed is 0 to"),
                ("bs", "--ue-id", "1,1", "1,1, allowed is different numbers"),
                ("bs", "--ue-id", 70000, "70000, allowed is 0 to 65535"),
                ("bs", "--cell-id", 10**11, "100000000000, allowed is"),
                ("bs", "--bandwidth", 10**11, "100000000000, allowed is"),
                ("ue", "--slot", -10**11, "-100000000000, allowed is"),
                ("ue", "--ue-id", -1, "-1, allowed is 0 to 65535"),
                ("ue", "--precoded", 16, "16, allowed is 0 to 15"),
                ("ue", "--compact", 256, "256, allowed is 0 to 255"),
                ("ue", "--compact", "1,2", "1,2, allowed is a number of its own for each UE, 1 "),
                ("bs", "--compact", "x", "x, allowed is numbers of 0 to 255")):
            self.refuse(f"{option} is {expected}", program, *common, *free, option, value)
        for program, options, expected in (
                ("ue", ("--checksum", "crc16"), "--checksum: is for compact frames, give "),
                ("ue", ("--compact", "--number-bits", 11), "--number-bits is 11, allowed is 8 to"),
                ("ue", ("--compact", "--min-gain", "nan"), "--min-gain is nan, allowed is -256 to"),
                ("ue", ("--compact", "--ue-id", 300), "--compact: UE 300 is above 255"),
                ("bs", ("--compact", "--max-age", 1024),
                 "--max-age is 1024, allowed is 0 to 1023 with compact frames")):
            self.refuse(expected, program, *common, *free, *options)
        self.refuse("--ports is 65, allowed is 1 to 64", "ue", "--ports", 65)
        self.refuse("--key /dev/null: has 0 bytes", "ue", *common, "--key", "/dev/null")
        self.refuse("--key /dev/null: has 0 bytes", "bs", *common, "--key", "/dev/null")
        self.refuse("port of 1 to 65535", "bs", *common, "--ue-id",
                    "1,2", "--air", "zmq://127.0.0.1:65535", "--feedback",
                    f"zmq://127.0.0.1:{free_port()}")

    def test_radios(self):
        """No device, or no driver: one clear line, beside what a driver logs by itself."""
        for air in ("uhd:addr=192.0.2.1", "soapy:driver=none"):
            done = call("ue", "--codec", CODEC, "--air", air, "--frequency", "1e9")
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertNotIn("Traceback", done.stderr)
            # UHD logs from a thread of its own, on a machine without a network behind our line.
            ours = [line for line in done.stderr.splitlines() if "csifeedback_ue: " in line]
            self.assertEqual(len(ours), 1, done.stderr)
            self.assertIn("--air " + air, ours[0])
        self.refuse("--frequency", "ue", "--codec", CODEC, "--air", "uhd:")


class RecordingTest(unittest.TestCase):
    """SigMF and data sets, against the channel model itself."""

    @classmethod
    def setUpClass(cls):
        cls._directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls._directory.cleanup)
        cls.directory = cls._directory.name
        cls.air = os.path.join(cls.directory, "air")
        done = call("bs", "--codec", CODEC, "--air", "file:" + cls.air, "--rate", 0, "--count", 80,
                    "--first", 1000, "--snr", 30, "--drop", 20,
                    "--feedback", f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}")
        assert done.returncode == 0, done.stderr
        period = 5e-3
        cls.channel = model_channel(evaluation.Codec(CODEC).model, slots_per_drop=20, speed_mps=1,
                                    sample_interval_s=period, seed=1)

    def path(self, name):
        return os.path.join(self.directory, name)

    def copy(self, name, change=lambda x: x, **meta):
        """A copy of the recording with other samples or another meta file."""
        samples = np.fromfile(self.air + ".sigmf-data", np.complex64)
        change(samples).tofile(self.path(name) + ".sigmf-data")
        with open(self.air + ".sigmf-meta") as file:
            text = json.load(file)
        for key, value in meta.items():
            key = key.replace("_", ":", 1)
            if value is None:
                del text["global"][key]
            else:
                text["global"][key] = value
        with open(self.path(name) + ".sigmf-meta", "w") as file:
            json.dump(text, file)
        return self.path(name)

    def measure(self, air, count, *options):
        """(H of the first `count` frames that a UE finds, its last figures)."""
        data = self.path(f"data-{time.monotonic_ns()}.h5")
        done = call("ue", "--ports", 2, "--air", "file:" + air, "--record", data,
                    "--record-samples", count, "--json", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        with Dataset(data if os.path.exists(data) else data + ".part") as file:
            return file.whole_matrices() if len(file) else [], \
                json.loads(done.stdout.splitlines()[-1])

    def errors(self, matrices, numbers):
        return [ofdm.aligned_nmse(h, self.channel.generate(n)) for h, n in zip(matrices, numbers)]

    def test_replay(self):
        """All frames are found and measured right."""
        matrices, figures = self.measure(self.air, 80)
        self.assertEqual((figures["frames"], figures["missed"]), (80, 0))
        self.assertLess(np.max(self.errors(matrices, range(1000, 1080))), 10**-2.5)

    def test_overwrite(self):
        """A recording that is there stays, at both ends, unless --overwrite is given."""
        air = self.path("once")
        bs = ("bs", "--codec", CODEC, "--air", "file:" + air, "--rate", 0, "--count", 2, "--feedback",
              f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}")
        ue = ("ue", "--ports", 2, "--air", "file:" + self.air, "--count", 2, "--record-air", air)
        for command in (bs, ue):
            for suffix in (".sigmf-data", ".sigmf-meta"):
                for name in (".sigmf-data", ".sigmf-meta"):
                    pathlib.Path(air + name).unlink(missing_ok=True)
                pathlib.Path(air + suffix).write_text("mine")
                done = call(*command)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertRegex(done.stderr, rf"^csifeedback_..: {air}{suffix}: exists; .*"
                                              r"\(--overwrite\)\n$")
                self.assertEqual(pathlib.Path(air + suffix).read_text(), "mine")
            self.assertEqual(call(*command, "--overwrite").returncode, 0)
            sigmf.Recording(air)

    def test_conjugate(self):
        """A recording whose I and Q are swapped has no pilots, and that is said."""
        swapped = self.copy("swapped", lambda x: x.imag + 1j * x.real.astype(np.complex64))
        conjugate = self.copy("conjugate", np.conj)
        noise = self.copy("noise", lambda x: np.random.default_rng(1).permutation(x))
        for air, found in ((swapped, True), (conjugate, True), (noise, False)):
            done = call("ue", "--ports", 2, "--air", "file:" + air, "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            figures = json.loads(done.stdout.splitlines()[-1])
            self.assertEqual(figures["frames"], 0)
            self.assertEqual(bool(figures["hint"]), found)
        self.assertIn("I and Q are swapped", call("ue", "--ports", 2, "--air", "file:" + swapped).stdout)
        self.assertNotIn("hint", json.loads(call("ue", "--ports", 2, "--air", "file:" + self.air,
                                                 "--json").stdout.splitlines()[-1]))

    def test_profile(self):
        """The blocks' times add up to that of the program."""
        command = ("ue", "--codec", CODEC, "--air", "file:" + self.air, "--feedback", "none",
                   "--profile")
        figures = json.loads(call(*command, "--json").stdout.splitlines()[-1])
        rows = {row["block"]: row for row in figures["profile"]}
        self.assertLessEqual({"csi_sync", "csi_channel_estimator", "csi_angular_delay",
                              "csi_report_encoder", "rest"}, set(rows))
        total = figures["signal_s"] / figures["real_time_per_core"]
        self.assertAlmostEqual(sum(row["processor_s"] for row in rows.values()), total,
                               delta=1e-6)
        self.assertGreater(rows["csi_sync"]["processor_s"], 0)
        self.assertLess(rows["csi_sync"]["share"], 1)
        self.assertAlmostEqual(rows["csi_sync"]["real_time"] * rows["csi_sync"]["processor_s"],
                               figures["signal_s"])
        self.assertRegex(call(*command).stdout, r"(?m)^csi_sync +\d")

    def test_record_air(self):
        """A recording of a recording is the same, and not one of itself."""
        command = ("ue", "--ports", 2, "--air", "file:" + self.air, "--record-air")
        self.assertEqual(call(*command, self.path("again")).returncode, 0)
        np.testing.assert_array_equal(np.fromfile(self.path("again.sigmf-data"), np.uint8),
                                      np.fromfile(self.air + ".sigmf-data", np.uint8))
        done = call(*command, self.air + ".sigmf-meta")
        self.assertEqual(done.returncode, 2)
        self.assertIn("replays", done.stderr.splitlines()[-1])

    def test_wrong_meta(self):
        for name, value in (("core_sample_rate", 1e6), ("csi_nt", 4), ("csi_cell_id", 3),
                            ("core_datatype", "rf32_le"), ("csi_comb", "x"),
                            ("core_sample_rate", None)):
            air = self.copy("wrong", **{name: value})
            done = call("ue", "--codec", CODEC, "--air", "file:" + air, "--feedback", "none")
            self.assertEqual(done.returncode, 2, name)
            self.assertNotIn("Traceback", done.stderr)
            self.assertIn("wrong", done.stderr.splitlines()[-1])

    def test_wrong_types(self):
        """Fields of other types and numbers without a meaning: one line that names the field, its
        value and what is allowed. tests/fuzz has many more."""
        whole = [f"csi:{name}" for name, allowed in sigmf.PARAMETERS.items()
                 if allowed and isinstance(allowed[0], int)] + ["csi:hash", "core:num_channels"]
        cases = [(field, value) for field in whole
                 for value in ("1e999", "-1e999", "1e300", "2.5", '"4"', "true", "null", "[4]",
                               '{"a": 4}', "-1", "4294967296")]
        cases += [(field, value) for field in ("core:sample_rate", "csi:spacing_hz")
                  for value in ("0", "-15000", "1e999", '"15000"', "null", "[]", "false")]
        cases += [(field, value) for field in ("core:datatype", "csi:cover")
                  for value in ("[]", '["cf32_le"]', '{"cf32_le": 8}', "8", "null", '"other"')]
        cases += [("core:metadata_only", "true"), ("core:trailing_bytes", "-8"), ("core:trailing_bytes", "2.5"),
                  ("core:dataset", '"../other.bin"'), ("core:dataset", '""'), ("core:dataset", "4"),
                  ("core:extensions", "4")]
        self.copy("typed")
        with open(self.path("typed.sigmf-meta")) as file:
            text = json.load(file)
        for field, value in cases:
            changed = {**text, "global": {**text["global"], field: "@@"}}
            with open(self.path("typed.sigmf-meta"), "w") as file:
                file.write(json.dumps(changed).replace('"@@"', value))
            with self.assertRaises(ValueError) as caught:
                sigmf.Recording(self.path("typed"))
            self.assertRegex(str(caught.exception), rf"^[^\n]*typed.sigmf-meta: {field} is "
                             r"[^\n]*, allowed is [^\n]+$")
        for content, expected in (
                ("[]", "the file is"), ("4", "the file is"), ("{}", "no field global"),
                ('{"global": 4}', "global is 4"), ("{", "no SigMF metadata"),
                ('{"global": {"core:sample_rate": NaN}}', "NaN is no JSON"),
                ("[" * 100000, "no SigMF metadata"), ("\xff", "no SigMF metadata")):
            with open(self.path("typed.sigmf-meta"), "w", encoding="latin1") as file:
                file.write(content)
            with self.assertRaisesRegex(ValueError, expected):
                sigmf.Recording(self.path("typed"))
            done = call("ue", "--codec", CODEC, "--air", "file:" + self.path("typed"))
            self.assertEqual(done.returncode, 2)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_damaged_samples(self):
        """A gap, zeros, NaN, a burst of noise: what is found is right, and nothing else is."""
        length = 38400
        rng = np.random.default_rng(3)

        def damage(x):
            x[10 * length + 700:10 * length + 1500] = 0
            x[20 * length + 900:20 * length + 950] = np.nan
            x[30 * length:30 * length + 3000] = 1e4 * rng.standard_normal(3000)
            # 100 samples are lost amid the pilots.
            return np.delete(x, slice(40 * length + 2000, 40 * length + 2100))

        matrices, figures = self.measure(self.copy("damaged", damage), 80)
        self.assertGreaterEqual(len(matrices), 70)
        self.assertLess(len(matrices), 80)
        # Each belongs to one frame, in ascending order.
        number = 1000
        for h in matrices:
            while number < 1080 and ofdm.aligned_nmse(h, self.channel.generate(number)) > 10**-2.5:
                number += 1
            self.assertLess(number, 1080)
            number += 1

    def test_wrong_cell(self):
        """The pilots of another cell, or of another number of ports, are no CSI."""
        gone = {f"csi_{name}": None for name in ("cell_id", "hash", "nt")}
        air = self.copy("bare", **gone)
        for options in (("--ports", 2, "--cell-id", 7), ("--ports", 4), ("--ports", 2,
                                                                         "--comb", 2)):
            if "--comb" in options:
                air = self.copy("bare", csi_comb=None, **gone)
            done = call("ue", "--air", "file:" + air, "--json", *options)
            figures = json.loads(done.stdout.splitlines()[-1])
            self.assertEqual(figures["frames"], 0)
            self.assertGreater(figures["sync"]["unknown"] + figures["sync"]["bad_headers"], 50)

    def test_resume_and_train(self):
        """A data set that two runs made, and a codec that was trained on it."""
        data, model = self.path("own.h5"), self.path("own-klt.h5")
        command = ("ue", "--ports", 2, "--air", "file:" + self.air, "--record", data,
                   "--record-samples", 120)
        for expected in (80, 120):
            done = call(*command, "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout.splitlines()[-1])["recorded"], expected)
        self.assertTrue(os.path.exists(data))
        done = call("train", "--codec", "klt", "--dataset", data, "-o", model)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = call("ue", "--codec", model, "--air", "file:" + self.air, "--feedback", "none")
        self.assertEqual(done.returncode, 0, done.stderr)


def attack(scheme, host, port):
    """Packets of random bytes, of all sizes, in the middle of a run."""
    rng = np.random.default_rng(1)
    if scheme == "udp":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for size in list(rng.integers(0, 200, 500)) + [9000, 65000]:
                s.sendto(rng.bytes(size), (host, port))
        return
    with zmq.Context() as context, context.socket(zmq.PUSH) as s:
        s.connect(f"tcp://{host}:{port}")
        for size in rng.integers(0, 200, 500):
            s.send(rng.bytes(size))
        s.send_multipart([b"a", b"b"])
        s.send(bytes(10_000_000))
        s.setsockopt(zmq.LINGER, 1000)
    # No ZMQ at all.
    with socket.create_connection((host, port)) as s:
        s.sendall(rng.bytes(1000))


class RelayLink:
    """The way from the UE to the BS, through this process: needs no rights. What is sent while it
    is cut waits, as TCP makes it wait; datagrams are lost."""

    host = "127.0.0.1"
    prefixes = {"ue": (), "bs": ()}

    def __init__(self):
        self._up, self._closed = threading.Event(), threading.Event()
        self._up.set()
        self._sockets = []

    def address(self, port, kind):
        """Where the UE finds a port of the BS."""
        near = socket.socket(socket.AF_INET, kind)
        near.bind((self.host, 0))
        self._sockets.append(near)
        if kind == socket.SOCK_DGRAM:
            self._begin(self._pump_datagrams, near, port)
        else:
            near.listen()
            self._begin(self._accept, near, port)
        return f"{self.host}:{near.getsockname()[1]}"

    def down(self):
        self._up.clear()

    def up(self):
        self._up.set()

    def attack(self, scheme, port):
        attack(scheme, self.host, port)

    def close(self):
        self._closed.set()
        self._up.set()
        for one in self._sockets:
            try:
                one.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in it
            except OSError:
                pass
            one.close()

    @staticmethod
    def _begin(function, *arguments):
        threading.Thread(target=function, args=arguments, daemon=True).start()

    def _accept(self, listener, port):
        while True:
            try:
                near, _ = listener.accept()
                self._up.wait()
                far = socket.create_connection((self.host, port))
            except ConnectionError:  # no BS there
                near.close()
                continue
            except OSError:
                return
            self._sockets += near, far
            self._begin(self._pump, near, far)
            self._begin(self._pump, far, near)

    def _pump(self, source, sink):
        try:
            while data := source.recv(1 << 16):
                self._up.wait()
                sink.sendall(data)
        except OSError:
            pass
        self._up.wait()
        for one in (source, sink):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _pump_datagrams(self, near, port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
            while not self._closed.is_set():
                try:
                    data = near.recv(1 << 16)
                    if data and self._up.is_set():
                        far.sendto(data, (self.host, port))
                except OSError:
                    pass


class NamespaceLink:
    """A link between two network namespaces: a virtual cable that is pulled. OSError without the
    rights to make it, or without `ip`."""

    host = "198.51.100.1"  # of a block for examples

    def __init__(self):
        if not shutil.which("ip"):
            raise OSError("there is no program ip")
        self._names = {name: f"csifeedback-{name}-{os.getpid()}" for name in ("bs", "ue")}
        self.prefixes = {name: ("ip", "netns", "exec", space)
                         for name, space in self._names.items()}
        try:
            for space in self._names.values():
                self._ip("netns", "add", space)
            self._ip("-n", self._names["bs"], "link", "add", "cable", "type", "veth", "peer",
                     "name", "cable", "netns", self._names["ue"])
            for number, space in enumerate(self._names.values(), 1):
                self._ip("-n", space, "address", "add", f"198.51.100.{number}/24", "dev", "cable")
                self._ip("-n", space, "link", "set", "cable", "up")
        except OSError:
            self.close()
            raise

    @staticmethod
    def _ip(*arguments):
        done = subprocess.run(("ip", *arguments), capture_output=True, text=True, timeout=20)
        if done.returncode:
            raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")

    def address(self, port, _):
        return f"{self.host}:{port}"

    def down(self):
        self._ip("-n", self._names["bs"], "link", "set", "cable", "down")

    def up(self):
        self._ip("-n", self._names["bs"], "link", "set", "cable", "up")

    def attack(self, scheme, port):
        subprocess.run((*self.prefixes["ue"], sys.executable, os.path.abspath(__file__), "attack",
                        scheme, self.host, str(port)), check=True, timeout=60)

    def close(self):
        for space in self._names.values():
            try:
                self._ip("netns", "delete", space)
            except OSError:
                pass


class PathTest(EndsTest):

    def test_reports_of_paths(self):
        """32 ports in 20 MHz, and reports of 256 bits in the frames."""
        air, back = free_port(), free_port()
        common = ("--codec", "cost2100-outdoor-path", "--budget", 256, "--bandwidth", 20, "--air",
                  f"zmq://127.0.0.1:{air}", "--feedback", f"zmq://127.0.0.1:{back}")
        station = self.start("bs", *common, "--channel", "cost2100-outdoor", "--rate", 0.02,
                             "--max-age", 30000)
        ue = self.start("ue", *common)

        def measured(line):
            return line["ues"]["1"]["received"] >= 3 and line["ues"]["1"]["nmse_db"] is not None

        wait_for(station, measured)
        figures = next(filter(measured, station.lines))["ues"]["1"]
        self.assertTrue(figures["fresh"])
        self.assertLess(figures["nmse_db"], -4)
        self.assertGreater(figures["rho"], 0.8)
        self.assertEqual(station.lines[-1]["refused"], {})
        wait_for(ue, lambda line: line["sent"] >= 3)
        self.assertEqual(ue.lines[-1]["frame_bits"], 136 + 256)


class PrecodingTest(EndsTest):

    def gains(self, station):
        """Figures of the first UE once the gain of precoding has been computed and measured anew; both
        must be about the same."""
        def measured(line):
            figures = line["ues"]["1"]
            return figures["per_s"] > 1 and None not in (figures["precoded_db"], figures["gain_db"])

        wait_for(station, measured)
        seen = len(station.lines)
        wait_for(station, lambda line: measured(line) and len(station.lines) > seen)
        figures = [line["ues"]["1"] for line in station.lines if measured(line)][-1]
        self.assertEqual(station.lines[-1]["refused"], {})
        self.assertAlmostEqual(figures["precoded_db"], figures["gain_db"], delta=1)
        return figures


class CodebooksTest(PrecodingTest):

    def test_closed_loop(self):
        """The BS precodes with the PMI that the UE reports, and the UE measures the gain over one of
        the eight ports: what the BS computes from the true channel, more with eType II than with
        Type I."""
        gains = {}
        for spec, budget in (("type1:rows=300,n1=4,n2=1", 50),
                             ("etype2:rows=300,n1=4,n2=1,param_combination=4", 250)):
            common = ("--codec", spec, "--budget", budget, "--precoded", "--air",
                      f"zmq://127.0.0.1:{free_port()}", "--feedback",
                      f"zmq://127.0.0.1:{free_port()}")
            station = self.start("bs", *common, "--channel", "cdl-c", "--speed", 0.1, "--rate", 0.1,
                                 "--max-age", 1000)
            ue = self.start("ue", *common)
            figures = self.gains(station)
            self.assertIsNone(figures["nmse_db"])
            gains[spec.split(":")[0]] = figures["precoded_db"]
            for end in (ue, station):
                code, error = end.interrupt()
                self.assertEqual(code, 0, error)
        # The eigenvector of each subband has at most 9 dB.
        self.assertGreater(gains["etype2"], 7)
        self.assertLess(gains["etype2"], 9.5)
        self.assertGreater(gains["type1"], 3)
        self.assertLess(gains["type1"], gains["etype2"] - 0.7)


class AntennasTest(PrecodingTest):

    def test_stack(self):
        """Matrices of the same frame are joined; those of frames that an antenna missed are left out."""
        flowgraph = gr.top_block()
        stack = StackAntennas(2, 3, 2)
        frames = ((5, 6, 7, 9, 10, 20), (6, 7, 8, 9, 20, 21))
        for antenna, numbers in enumerate(frames):
            tags = [gr.tag_utils.python_to_tag((at, pmt.intern("frame"), pmt.from_uint64(number)))
                    for at, number in enumerate(numbers) if at == 0 or number != numbers[at - 1] + 1]
            items = np.array([[100 * antenna + number + 1j * k for k in range(6)] for number in numbers])
            source = blocks.vector_source_c(items.ravel().tolist(), False, 6, tags)
            flowgraph.connect(source, (stack, antenna))
        sink = blocks.vector_sink_c(12)
        flowgraph.connect(stack, sink)
        flowgraph.run()
        found = np.array(sink.data()).reshape(-1, 3, 2, 2)
        self.assertEqual(found[:, 0, 0, 0].real.tolist(), [6, 7, 9, 20])
        np.testing.assert_array_equal(found[:, :, 1] - found[:, :, 0], 100)
        np.testing.assert_array_equal(found[0].imag, [[[0, 1]] * 2, [[2, 3]] * 2, [[4, 5]] * 2])
        self.assertEqual([(tag.offset, pmt.to_uint64(tag.value)) for tag in sink.tags()],
                         [(0, 6), (2, 9), (3, 20)])
        self.assertEqual(stack.incomplete, 3)

    def test_sum_of_gains(self):
        found = []
        total = SumOfGains(lambda frame, gain: found.append((frame, gain)))
        for frame in range(10):
            for gain in (1.0, 0.5):
                total.add(frame, gain)
        self.assertEqual(found, [(0, 1.5), (1, 1.5)])

    def test_closed_loop(self):
        """A UE with two antennas chooses the rank; the BS precodes its layers, and the gain of both layers
        at both antennas is what the UE measures."""
        port = free_port(count=2)
        common = ("--codec", "etype2:rows=300,n1=2,n2=2,param_combination=4,nr=2", "--precoded", "--air",
                  f"zmq://127.0.0.1:{port}", "--feedback", f"zmq://127.0.0.1:{free_port()}")
        station = self.start("bs", *common, "--channel", "cdl-c", "--speed", 0.1, "--rate", 0.1,
                             "--max-age", 1000, "--downlink-snr", 20)
        ue = self.start("ue", *common)
        figures = self.gains(station)
        self.assertEqual(figures["rank_share"], [0, 0, 1])
        self.assertGreater(figures["sgcs_layers"][0], 0.9)
        self.assertGreater(figures["sgcs_layers"][1], 0.85)
        self.assertGreater(figures["se_layers"], 0.9 * figures["se_layers_perfect"])
        self.assertEqual(figures["se_layers_snr_db"], 20)
        self.assertIsNone(figures["rho"])
        for end in (ue, station):
            code, error = end.interrupt()
            self.assertEqual(code, 0, error)

    def test_several_ues(self):
        """Three UEs at one BS, with two, one and two antennas, codecs, ranks, keys and bits of their own: each
        gets its own channel, its layers are precoded, and one goes on without the others."""
        specs = {3: "etype2:rows=300,n1=2,n2=2,param_combination=4,nr=2",
                 9: "type1:rows=300,n1=2,n2=2",
                 12: "etype2:rows=300,n1=2,n2=2,param_combination=2,nr=2,ranks=1"}
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        keys = {number: os.path.join(directory.name, f"key{number}") for number in specs}
        for path in keys.values():
            with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
                file.write(os.urandom(32))
        port, back = free_port(count=5), f"zmq://127.0.0.1:{free_port()}"
        station = self.start(
            "bs", "--air", f"zmq://127.0.0.1:{port}", "--feedback", back, "--ue-id", "3,9,12", "--precoded",
            "--channel", "cdl-c", "--speed", 0.1, "--rate", 0.05, "--max-age", 1000, "--downlink-snr", 20,
            *(x for number in specs for x in ("--codec", f"{number}={specs[number]}",
                                              "--key", f"{number}={keys[number]}")))
        # Antennas and layers of the UEs before.
        ues = {number: self.start("ue", "--codec", specs[number], "--ue-id", number, "--feedback", back, "--key",
                                  keys[number], "--air", f"zmq://127.0.0.1:{port + antennas}", "--precoded",
                                  layers, *options)
               for number, antennas, layers, options in ((3, 0, 0, ()), (9, 2, 2, ()),
                                                         (12, 3, 3, ("--budget", 60)))}

        def measured(line):
            return line["rate"] is not None and all(
                ue["per_s"] > 1 and None not in (ue["precoded_db"], ue["gain_db"])
                for ue in line["ues"].values())

        wait_for(station, measured)
        seen = len(station.lines)
        wait_for(station, lambda line: measured(line) and len(station.lines) > seen + 1)
        line = [line for line in station.lines if measured(line)][-1]
        self.assertEqual(line["refused"], {})
        for ue in line["ues"].values():
            self.assertAlmostEqual(ue["precoded_db"], ue["gain_db"], delta=1)
        self.assertEqual(line["ues"]["3"]["rank_share"], [0, 0, 1])
        self.assertEqual(line["ues"]["12"]["rank_share"], [0, 1])
        # Each against the truth of its own channel.
        self.assertGreater(line["ues"]["3"]["sgcs_layers"][0], 0.9)
        self.assertGreater(line["ues"]["3"]["sgcs_layers"][1], 0.85)
        self.assertGreater(line["ues"]["12"]["sgcs_layers"][0], 0.8)
        self.assertGreater(line["ues"]["9"]["rho"], 0.6)
        self.assertNotIn("sgcs_layers", line["ues"]["9"])
        self.assertGreater(line["rate"]["reconstructed"], 0.3 * line["rate"]["perfect"])
        self.assertLess(line["rate"]["reconstructed"], line["rate"]["perfect"])
        ues[3].kill()
        wait_for(station, lambda line: line["ues"]["3"]["per_s"] == 0 and line["ues"]["12"]["per_s"] > 1)
        # Under the number of another with the own key, or with the codec of another, nothing is accepted.
        false = self.start("ue", "--codec", specs[12], "--ue-id", 3, "--feedback", back, "--key", keys[12],
                           "--air", f"zmq://127.0.0.1:{port}")
        wait_for(station, lambda line: line["refused"].get("unknown_model", 0) > 2)
        self.assertIn("UE 3 sends codec", station.lines[-1]["mismatches"]["unknown_model"])
        false.kill()
        false = self.start("ue", "--codec", specs[3], "--ue-id", 3, "--feedback", back, "--key", keys[12],
                           "--air", f"zmq://127.0.0.1:{port}")
        wait_for(station, lambda line: line["refused"].get("bad_signature", 0) > 2)
        false.kill()
        for end in (ues[9], ues[12], station):
            code, error = end.interrupt()
            self.assertEqual(code, 0, error)
            self.assertNotIn("Traceback", error)
        # 60 bits in whole bytes, header and checksum, the signature; without the budget up to 91.
        self.assertLessEqual(ues[12].lines[-1]["frame_bits"], 64 + 136 + 64)

    def test_recordings(self):
        """Two UEs with two antennas each in one recording: a UE replays its own channels, records samples and
        matrices of both antennas, and a codec that replays the same reports them."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)

        def path(name):
            return os.path.join(directory.name, name)

        spec, frames = "etype2:rows=300,n1=2,n2=2,nr=2", 12
        done = call("bs", "--codec", spec, "--ue-id", "1,2", "--channel", "cdl-c", "--air", "file:" + path("air"),
                    "--rate", 0, "--count", frames, "--first", 0, "--snr", 30, "--drop", 3,
                    "--feedback", f"udp://127.0.0.1:{free_port(socket.SOCK_DGRAM)}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sigmf.Samples(path("air")).channels, 4)
        codec = evaluation.Codec(spec)
        frame = csifeedback.csirs_frame(**Pilots().parameters(8))
        models = base_station.Air(channel="cdl-c", frames_per_drop=3).models(codec, frame, 2)
        for ue in (0, 1):
            data, again = path(f"h{ue}.h5"), path(f"again{ue}")
            done = call("ue", "--ports", 8, "--nr", 2, "--air", "file:" + path("air"), "--air-channel", 2 * ue,
                        "--record", data, "--record-samples", 2 * frames, "--record-air", again, "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout.splitlines()[-1])["recorded"], 2 * frames)
            with Dataset(data) as file:
                self.assertEqual((file.nr, len(file)), (2, 2 * frames))
                for i, h in enumerate(file.whole_matrices()):
                    self.assertLess(ofdm.aligned_nmse(h, models[2 * ue + i % 2].generate(i // 2)), 10**-2.5)
            both = sigmf.Recording(again, count=2)
            whole = sigmf.Samples(path("air"))
            self.assertEqual(both.channels, 2)
            for antenna in (0, 1):
                x = both.read(0, both.samples, antenna)
                # The program ends with the last matrix.
                self.assertGreater(len(x), (frames - 1) * frame.frame_length())
                np.testing.assert_array_equal(x, whole.read(0, len(x), 2 * ue + antenna))
            done = call("ue", "--codec", spec, "--air", "file:" + again, "--feedback", "none", "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertGreaterEqual(json.loads(done.stdout.splitlines()[-1])["frames"], frames - 1)
        for arguments, text in (
                (("--codec", spec), "which one is replayed, or the first of 2"),
                (("--codec", spec, "--air-channel", 3), "--air-channel is 3, allowed is 0 to 2"),
                (("--codec", spec.replace("nr=2", "nr=4"), "--air-channel", 1), "is 1, allowed is 0 to 0"),
                (("--codec", spec, "--nr", 2, "--air-channel", 0), "--nr is for --ports"),
                (("--ports", 8, "--nr", 5), "--nr is 5, allowed is 1 to 4"),
                (("--ports", 8, "--nr", 2, "--air-channel", 0, "--record", path("odd.h5"), "--record-samples", 3),
                 "--record-samples is 3, allowed is a multiple of the 2 antennas")):
            done = call("ue", "--air", "file:" + path("air"), "--feedback", "none", *arguments)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn(text, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        # A recording of fewer antennas than the UE has.
        done = call("ue", "--codec", spec.replace("nr=2", "nr=3"), "--air", "file:" + path("again0"))
        self.assertIn("core:num_channels is 2, the UE has 3 antennas", done.stderr)

    def test_refused(self):
        spec = "etype2:rows=300,n1=2,n2=2,nr=2"
        codec = evaluation.Codec(spec)
        several = ("bs", "--channel", "cdl-c", "--ue-id", "1,2", "--codec")
        for arguments, text in (
                ((*several, "1=" + spec), "--codec: UE 2 has none, allowed is N=CODEC"),
                ((*several, spec, "--codec", "3=" + spec), "there is no UE 3, allowed is 1, 2"),
                ((*several, spec, "--codec", spec), "is the second without the number of a UE"),
                ((*several, "1=" + spec, "--codec", "1=" + spec), "UE 1 has two codecs"),
                ((*several, spec, "--codec", "2=type1:rows=300,n1=2,n2=1"), "measure the same ports"),
                ((*several, spec, "--codec", "2=" + spec.replace("n1=2,n2=2", "n1=4,n2=1")),
                 "is for an array of 4 x 1"),
                (("bs", "--codec", spec.replace("nr=2", "nr=5"), "--channel", "cdl-c"), "allowed is up to 4"),
                (("bs", "--codec", spec), "give --channel or --dataset"),
                (("bs", "--codec", spec, "--channel", "cost2100-indoor"), "allowed with a planar array"),
                (("ue", "--codec", spec.replace("300", "52")), "is for 52 subcarriers, the pilots have 300")):
            done = call(*arguments)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn(text, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        # A data set of panels: each antenna has its own matrices.
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "h.h5")
            call("dataset", "generate", "--channel", "umi", "--n1", 2, "--n2", 2, "--nr", 2, "--nc",
                 300, "--spacing-hz", 15e3, "--whole", "--samples", 3, "-o", path)
            frame = csifeedback.csirs_frame(**Pilots().parameters(8))
            models = base_station.Air(dataset=path).models(codec, frame, 1)
            with Dataset(path) as data:
                h = data.whole_matrices()
            for antenna, model in enumerate(models):
                np.testing.assert_array_equal(model.generate(2), h[4 + antenna])
            # A UE with one antenna beside it has the first one.
            mixed = [codec, evaluation.Codec("type1:rows=300,n1=2,n2=2")]
            models = base_station.Air(dataset=path).models(mixed, frame, 2)
            self.assertEqual(len(models), 3)
            # The second of two begins in the middle of the three places.
            np.testing.assert_array_equal(models[0].generate(2), h[4])
            np.testing.assert_array_equal(models[2].generate(1), h[4])
            np.testing.assert_array_equal(models[2].generate(2), h[0])
            # UEs with one antenna each: no two have the same matrix at a time.
            models = base_station.Air(dataset=path).models(mixed[1], frame, 3)
            for frame_number in (0, 4, 1000000007):
                for ue, model in enumerate(models):
                    np.testing.assert_array_equal(model.generate(frame_number), h[(frame_number + 2 * ue) % 6])


class TwoUesTest(EndsTest):

    def test_two(self):
        """Two UEs of one BS: each feeds back its own channel with its own key in compact frames,
        zero-forcing serves both, and one goes on without the other."""
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        keys = {number: os.path.join(directory.name, f"key{number}") for number in (3, 9)}
        for path in keys.values():
            with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
                file.write(os.urandom(32))
        while True:  # the UEs listen to two ports in succession
            air = free_port()
            with socket.socket() as s:
                if air < 65535 and s.connect_ex(("127.0.0.1", air + 1)) != 0:
                    break
        back = free_port()
        feedback = ("--feedback", f"zmq://127.0.0.1:{back}")
        station = self.start("bs", "--codec", CODEC, "--air", f"zmq://127.0.0.1:{air}", *feedback,
                             "--ue-id", "3,9", "--rate", 0.25, "--max-age", 60, "--precoded",
                             "--compact", "5,200", "--checksum", "crc16",
                             *(x for number in keys for x in ("--key", f"{number}={keys[number]}")))
        ues = {number: self.start("ue", "--codec", CODEC, "--ue-id", number, *feedback, "--air",
                                  f"zmq://127.0.0.1:{air + index}", "--precoded", index,
                                  "--key", keys[number], "--compact", (5, 200)[index],
                                  "--checksum", "crc16")
               for index, number in enumerate((3, 9))}

        def all_fresh(line):
            return all(ue["fresh"] and ue["per_s"] > 10 and ue["precoded_db"] is not None
                       for ue in line["ues"].values()) and line["rate"] is not None

        wait_for(station, all_fresh)
        time.sleep(2)
        wait_for(station, all_fresh)
        line = [line for line in station.lines if all_fresh(line)][-1]
        self.assertEqual(sorted(line["ues"]), ["3", "9"])
        for ue in line["ues"].values():
            # Each is compared with the truth of its own channel.
            self.assertGreater(ue["rho"], 0.9)
        self.assertGreater(line["rate"]["reconstructed"], 0.5 * line["rate"]["perfect"])
        # Under the number of the other and with the own key nothing is accepted.
        self.assertEqual(line["refused"], {})
        ues[9].kill()
        wait_for(station, lambda line: not line["ues"]["9"]["fresh"])
        false = self.start("ue", "--codec", CODEC, "--ue-id", 9, *feedback, "--air",
                           f"zmq://127.0.0.1:{air + 1}", "--key", keys[3], "--compact", 200,
                           "--checksum", "crc16")
        wait_for(station, lambda line: line["refused"].get("bad_signature", 0) > 10)
        false.kill()
        seen = len(station.lines)
        for _ in range(2):
            wait_for(station, lambda line: line["ues"]["3"]["fresh"]
                     and line["ues"]["3"]["per_s"] > 10)
        for line in station.lines[seen:]:
            self.assertFalse(line["ues"]["9"]["fresh"])
        # Values of 6 bits, header and checksum of 47, the signature.
        size = evaluation.Codec(CODEC).code_size("1/8")
        self.assertEqual(ues[3].lines[-1]["frame_bits"], 6 * size + 47 + 64)
        for end in (ues[3], station):
            code, error = end.interrupt()
            self.assertEqual(code, 0, error)
            self.assertNotIn("Traceback", error)


class SoakTest(EndsTest):
    """Two processes, killed and begun anew in either order, among hostile packets, on a link that
    is cut."""

    def start(self, program, *arguments):
        return super().start(program, *arguments, prefix=self.link.prefixes[program])

    wait = staticmethod(wait_for)

    def commands(self, scheme, link):
        """(command of the BS, that of the UE, port of the feedback)."""
        self.link = link
        self.addCleanup(link.close)
        kind = socket.SOCK_DGRAM if scheme == "udp" else socket.SOCK_STREAM
        air, back = free_port(), free_port(kind)
        return ("bs", "--codec", CODEC, "--air", f"zmq://{link.host}:{air}", "--feedback",
                f"{scheme}://{link.host}:{back}", "--precoded", "--rate", 0.25, "--max-age", 40), \
            ("ue", "--codec", CODEC, "--air", "zmq://" + link.address(air, socket.SOCK_STREAM),
             "--feedback", f"{scheme}://" + link.address(back, kind), "--precoded"), back

    @staticmethod
    def fresh(line):
        ue = line["ues"]["1"]
        return ue["fresh"] and ue["per_s"] > 10

    @staticmethod
    def none(line):
        return not line["ues"]["1"]["fresh"]

    def cut(self, station, ue, seconds):
        """Cuts the link; nothing is CSI, and nothing received, until it is there again."""
        self.link.down()
        begin = time.monotonic()
        if seconds > 3:
            self.wait(station, self.none)
            self.wait(ue, lambda line: line["frames_per_s"] == 0)
        seen = len(station.lines), len(ue.lines)
        time.sleep(max(0, begin + seconds - time.monotonic()))
        if seconds > 3:
            self.assertTrue(all(self.none(line) for line in station.lines[seen[0]:]))
            self.assertTrue(all(line["frames_per_s"] == 0 for line in ue.lines[seen[1]:]))
        self.link.up()

    def soak(self, scheme):
        bs_command, ue_command, back = self.commands(scheme, RelayLink())
        fresh, none = self.fresh, self.none
        times = {}
        ue = self.start(*ue_command)  # before the BS
        station = self.start(*bs_command)
        times["start"] = self.wait(station, fresh)
        memory = station.memory_mb(), ue.memory_mb()

        ue.kill()
        self.wait(station, none)
        lines = len(station.lines)
        self.link.attack(scheme, back)
        self.wait(station, lambda line: True)
        self.wait(station, lambda line: True)
        # What came while there was no UE was not taken for CSI.
        self.assertTrue(all(none(line) for line in station.lines[lines:]))
        ue = self.start(*ue_command)
        times["UE killed"] = self.wait(station, fresh)

        station.kill()
        station = self.start(*bs_command)
        times["BS killed"] = self.wait(station, fresh)

        # A UE that sleeps sends CSI of old frames when it wakes up.
        ue.process.send_signal(signal.SIGSTOP)
        self.wait(station, none)
        ue.process.send_signal(signal.SIGCONT)
        times["UE stopped"] = self.wait(station, fresh)

        # For longer than connections live, and not.
        for seconds in (5, 1.5):
            self.cut(station, ue, seconds)
            times[f"link cut for {seconds} s"] = self.wait(station, fresh)

        for line in station.lines:
            age = line["ues"]["1"]["age_max"]
            self.assertLessEqual(0 if age is None else age, 40)
        self.assertLess(station.memory_mb(), memory[0] + 60)
        self.assertLess(ue.memory_mb(), memory[1] + 60)
        figures = station.lines[-1]["ues"]["1"]
        self.assertGreater(figures["rho"], 0.8)
        for end in (ue, station):
            code, error = end.interrupt()
            self.assertEqual(code, 0, error)
            self.assertNotIn("Traceback", error)
            self.assertTrue(end.lines[-1]["end"])
        # Two ports bring 3 dB at most, less where the UE jumps and the CSI is late.
        gain = station.lines[-1]["ues"]["1"]["precoded_db"]
        self.assertGreater(gain, 1)
        self.assertLess(gain, 3.2)
        print(scheme, {name: f"{seconds:.1f} s" for name, seconds in times.items()}, flush=True)

    @unittest.skipUnless(os.environ.get("CSIFEEDBACK_SOAK_MINUTES"),
                         "CSIFEEDBACK_SOAK_MINUTES is not set")
    def test_long(self):
        """CSIFEEDBACK_SOAK_MINUTES minutes with kills, stops and cuts at random."""
        rng = np.random.default_rng(6)
        try:
            link = NamespaceLink()
        except OSError as error:
            print(f"no network namespaces ({error}): the link is cut in a relay", flush=True)
            link = RelayLink()
        bs_command, ue_command, back = self.commands("zmq", link)
        begin = time.monotonic()
        end = begin + 60 * float(os.environ["CSIFEEDBACK_SOAK_MINUTES"])
        station, ue = self.start(*bs_command), self.start(*ue_command)
        self.wait(station, self.fresh)
        recoveries, memory, growth, life = {}, {}, [0.0, 0.0], 0.0
        while time.monotonic() < end:
            time.sleep(rng.uniform(1, 10))
            for one in (station, ue):
                age = time.monotonic() - one.begin
                life = max(life, age)
                # In all its life, and once all buffers have been used.
                for late in range(1 + (age > 60)):
                    first = memory.setdefault((one, late), one.memory_mb())
                    growth[late] = max(growth[late], one.memory_mb() - first)
            what = str(rng.choice(["UE killed", "BS killed", "UE stopped", "BS stopped",
                                   "hostile packets", "link cut"], p=[.1, .1, .2, .2, .2, .2]))
            if what == "hostile packets":
                link.attack("zmq", back)
            elif what == "link cut":
                self.cut(station, ue, rng.uniform(0.5, 12))
            elif what.endswith("stopped"):
                one = ue if what == "UE stopped" else station
                one.process.send_signal(signal.SIGSTOP)
                time.sleep(rng.uniform(0.5, 6))
                one.process.send_signal(signal.SIGCONT)
            elif what == "UE killed":
                ue.kill()
                self.wait(station, self.none)
                seen = len(station.lines)
                time.sleep(rng.uniform(0, 4))
                self.assertTrue(all(self.none(line) for line in station.lines[seen:]))
                ue = self.start(*ue_command)
            else:
                station.kill()
                time.sleep(rng.uniform(0, 4))
                station = self.start(*bs_command)
            seconds = self.wait(station, self.fresh)
            recoveries.setdefault(what, []).append(seconds)
            print(f"{time.monotonic() - begin:6.0f} s: {what}, CSI is back after {seconds:.1f} s; "
                  f"{station.memory_mb():.0f} MB and {ue.memory_mb():.0f} MB", flush=True)
            self.assertTrue(all((line["ues"]["1"]["age_max"] or 0) <= 40
                                for line in station.lines))
        print("\n| event | times | mean | longest |\n|---|---|---|---|")
        for what, s in sorted(recoveries.items()):
            print(f"| {what} | {len(s)} | {np.mean(s):.1f} s | {max(s):.1f} s |")
        print(f"{sum(map(len, recoveries.values()))} events; memory grew by {growth[0]:.1f} MB at "
              f"most, by {growth[1]:.1f} MB after the first minute of a program, the oldest of "
              f"which was {life:.0f} s old", flush=True)
        self.assertLess(growth[0], 60)

    def test_zmq(self):
        self.soak("zmq")

    def test_udp(self):
        self.soak("udp")


if __name__ == "__main__":
    if sys.argv[1:2] == ["attack"]:
        attack(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        unittest.main()
