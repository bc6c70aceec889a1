#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The flowgraphs that ship: compiled by grcc and run."""

import ast
import json
import math
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import unittest

import numpy as np
import pmt
import zmq
from gnuradio import csifeedback
from gnuradio.csifeedback import evaluation, layers, ofdm
from gnuradio.csifeedback.data.dataset import align_matrices
from gnuradio.csifeedback.simulation import Loopback
from grc_tools import FLOWGRAPHS, NEEDS

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

#: For the scripts: waits for what has to come, and for what was sent before to be at its end.
WAITS = textwrap.dedent("""
    import time

    def wait_for(what, condition):
        end = time.monotonic() + 240
        while not condition():
            if time.monotonic() > end:
                raise RuntimeError(f"{what}: did not come")
            time.sleep(0.01)

    def settle(tb, frames):
        # So many more are sent, and all that came before them has reached csi_hold.
        sent = tb.framer.frames() + frames
        wait_for("frames", lambda: tb.framer.frames() >= sent)
        wait_for("deframer", lambda: sum(tb.deframer.counts().values()) + tb.link.erased() >= sent)
        taken = tb.deframer.counts()["ok"]
        wait_for("hold", lambda: tb.hold.received() + tb.hold.discarded()
                 + tb.bs_dequantizer.discarded() + tb.bs_decoder.discarded() >= taken)
""")

#: For scripts of windows: shows one while use() drives it in a thread, and passes on what that raises.
WINDOW = textwrap.dedent("""
    import threading

    def run_window(application, tb, use):
        failed = []

        def use_and_quit():
            try:
                use()
            except Exception as error:
                failed.append(error)
            finally:
                application.quit()

        tb.start()
        tb.show()
        threading.Thread(target=use_and_quit).start()
        application.exec_()
        tb.monitor.qwidget().grab()
        tb.stop()
        tb.wait()
        if failed:
            raise failed[0]
""")

#: Drives csi_loopback as a user would: moves its sliders and looks at its figures.
GUI_SCRIPT = WAITS + WINDOW + textwrap.dedent("""
    import json
    from PyQt5 import Qt
    from csi_loopback import csi_loopback

    application = Qt.QApplication([])
    tb = csi_loopback()
    phases = []

    def use():
        for phase, change in (("start", lambda: None), ("2 bits", lambda: tb.set_bits(2)),
                              ("errors", lambda: tb.set_bit_error_rate(0.5)),
                              ("again", lambda: tb.set_bit_error_rate(0)),
                              ("lost", lambda: tb.set_erasure_rate(1))):
            change()
            settle(tb, 10)
            tb.metrics.reset()
            received = tb.hold.received()
            if phase in ("errors", "lost"):
                settle(tb, 100)
            else:
                # Of csi_hold's, some are of older CSI.
                wait_for("frames", lambda: tb.hold.received() > received + 60)
                wait_for("figures", lambda: tb.metrics.report()["matched"] > 60)
            phases.append({"phase": phase, "received": tb.hold.received() - received,
                           "discarded": tb.framer.discarded() + tb.bs_dequantizer.discarded()
                           + tb.deframer.counts()["unknown_quantizer"], **tb.metrics.report()})
        wait_for("pairs", lambda: len(tb.monitor.state()[1]) > 100)

    run_window(application, tb, use)
    pair, errors = tb.monitor.state()
    print(json.dumps({"phases": phases, "shown": pair[0], "errors": errors}))
""")

#: Drives path_loopback: moves the slider of the bits and looks at the paths that are shown.
PATH_GUI_SCRIPT = WAITS + WINDOW + textwrap.dedent("""
    import json
    from PyQt5 import Qt
    from path_loopback import path_loopback

    application = Qt.QApplication([])
    tb = path_loopback()
    phases = []

    def use():
        for budget in (512, 64):
            tb.set_budget(budget)
            # What was under way with other bits has gone through.
            sent = tb.framer.frames() + 20
            wait_for("frames", lambda: tb.framer.frames() >= sent and tb.hold.received() >= sent - 5)
            tb.metrics.reset()
            wait_for("figures", lambda: tb.metrics.report()["matched"] > 30)
            wait_for("paths", lambda: tb.monitor.paths() is not None)
            report = tb.metrics.report()
            delays, angles, gains = tb.monitor.paths()
            phases.append({"nmse_db": report["nmse_db"], "paths": len(delays),
                           "delays": [float(min(delays)), float(max(delays))],
                           "angles": [float(min(angles)), float(max(angles))]})

    run_window(application, tb, use)
    print(json.dumps(phases))
""")

#: Drives csi_ofdm_loopback, which shows the error of the CSI after the best phase and delay.
OFDM_GUI_SCRIPT = WAITS + WINDOW + textwrap.dedent("""
    import json
    from PyQt5 import Qt
    from csi_ofdm_loopback import csi_ofdm_loopback

    application = Qt.QApplication([])
    tb = csi_ofdm_loopback()
    phases = []

    def use():
        for phase, change in (("start", lambda: None), ("noise", lambda: tb.set_snr_db(-5)),
                              ("offset", lambda: (tb.set_snr_db(20), tb.set_offset_hz(-40e3))),
                              ("errors", lambda: tb.set_bit_error_rate(5e-3)),
                              ("lost", lambda: (tb.set_bit_error_rate(0),
                                                tb.set_erasure_rate(1)))):
            change()
            settle(tb, 40)
            tb.metrics.reset()
            tb.estimate_metrics.reset()
            received, lost = tb.hold.received(), tb.deframer.counts()["bad_crc"]
            if phase == "errors":
                wait_for("errors", lambda: tb.deframer.counts()["bad_crc"] > lost + 60)
            elif phase == "lost":
                settle(tb, 100)
            else:
                wait_for("frames", lambda: tb.hold.received() > received + 60)
                for metrics in (tb.estimate_metrics, tb.metrics):
                    wait_for("figures", lambda: metrics.report()["matched"] > 60)
            phases.append({"phase": phase, "received": tb.hold.received() - received,
                           "bad_crc": tb.deframer.counts()["bad_crc"] - lost,
                           "rho": tb.metrics.report()["rho"],
                           "estimate_rho": tb.estimate_metrics.report()["rho"],
                           "errors": tb.monitor.state()[1][-50:],
                           "spectrum": tb.spectrum.nitems_read(0),
                           "figures": [tb.figures.nitems_read(i) for i in range(2)]})

    run_window(application, tb, use)
    print(json.dumps(phases))
""")

#: Runs over_the_air_uhd or over_the_air_soapy with radios that are none: what the BS's sink gets
#: comes to the UE's source through a channel of one tap a port, with noise, over ZMQ.
RADIO_SCRIPT = WAITS + textwrap.dedent("""
    import importlib, json, os, signal, sys, threading
    from gnuradio import blocks, csifeedback, gr, zeromq

    name, address, port, rate = sys.argv[1:]
    rate, settings = float(rate), {}

    class Radio(gr.hier_block2):
        def __init__(self, inputs, outputs):
            super().__init__("radio", gr.io_signature(inputs, inputs, 8),
                             gr.io_signature(outputs, outputs, 8))
            self.settings = settings.setdefault("bs" if inputs else "ue", {})

        def get_samp_rate(self, *channel):
            return rate

        get_sample_rate = get_samp_rate

    def setter(method):
        def keep(self, *values):
            self.settings.setdefault(method, []).append(values)
        return keep

    for method in ("samp_rate", "sample_rate", "center_freq", "frequency", "gain", "antenna",
                   "bandwidth", "clock_source", "rx_agc", "frequency_correction", "dc_offset",
                   "iq_balance", "dc_offset_mode", "gain_mode"):
        setattr(Radio, "set_" + method, setter("set_" + method))

    class Sink(Radio):
        def __init__(self, *arguments):
            super().__init__(2, 0)
            self.settings["arguments"] = [str(a) for a in arguments]
            channel = csifeedback.mimo_channel_from_taps(
                [[[1, 0.3j], [0.5j, 0.2]]], 300, 15e3, rate, 20, 0.01)
            throttle = blocks.throttle(8, 0.3 * rate)
            self.connect((self, 0), (channel, 0))
            self.connect((self, 1), (channel, 1))
            self.connect(channel, throttle, zeromq.pub_sink(8, 1, address, 100, False, 64))

    class Source(Radio):
        def __init__(self, *arguments):
            super().__init__(0, 1)
            self.settings["arguments"] = [str(a) for a in arguments]
            self.connect(zeromq.sub_source(8, 1, address, 100, False, 64), self)

    if name == "over_the_air_uhd":
        from gnuradio import uhd
        uhd.usrp_sink, uhd.usrp_source = Sink, Source
    else:
        from gnuradio import soapy
        soapy.sink, soapy.source = Sink, Source
    sys.argv = [name, "--feedback-port", port, "--frequency", "1e9", "--bs-gain", "7"]
    module = importlib.import_module(name)

    def watched(*arguments, **options):
        tb = getattr(module, name)(*arguments, **options)

        def watch():
            try:
                wait_for("figures", lambda: tb.metrics.report()["matched"] > 60)
            finally:
                os.kill(os.getpid(), signal.SIGINT)

        threading.Thread(target=watch, daemon=True).start()
        return tb

    try:
        module.main(watched)
    finally:
        print(json.dumps(settings, default=str))
""")

#: Runs csi_bs until it has judged so many frames, and says how far it is.
BS_SCRIPT = WAITS + textwrap.dedent("""
    import os, signal, sys, threading
    import csi_bs

    address, *counts = sys.argv[1:]
    sys.argv = ["csi_bs", "--address", address]

    class Watched(csi_bs.csi_bs):
        def start(self, *arguments):
            super().start(*arguments)
            threading.Thread(target=self.watch, daemon=True).start()

        def watch(self):
            try:
                print("runs", flush=True)
                wait_for("frames of the UE", lambda: self.judged() >= int(counts[0]))
                wait_for("figures", lambda: self.metrics.report()["matched"] >= int(counts[0]))
                print("has those of the UE", flush=True)
                wait_for("other frames", lambda: self.judged() >= int(counts[1]))
            finally:
                os.kill(os.getpid(), signal.SIGINT)

        def judged(self):
            return sum(self.deframer.counts().values())

    csi_bs.main(Watched)
""")


def figures(output):
    """The figures that a flowgraph printed, as a dictionary."""
    return {name: value for name, value in re.findall(r"^(\w+) +(\S.*)$", output, re.M)}


class TestFlowgraphs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.directory = pathlib.Path(cls.temporary.name)
        grcc = shutil.which("grcc")
        result = subprocess.run([grcc, "-o", cls.directory, *FLOWGRAPHS], capture_output=True,
                                text=True, timeout=1500, check=False)
        cls.compiled = result.returncode, result.stdout + result.stderr

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def command(self, name, *arguments):
        return [sys.executable, "-B", str(self.directory / f"{name}.py"), *map(str, arguments)]

    def run_to_end(self, name, *arguments):
        result = subprocess.run(self.command(name, *arguments), capture_output=True, text=True,
                                timeout=300, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        return figures(result.stdout)

    def test_compiled(self):
        self.assertEqual(self.compiled[0], 0, self.compiled[1])
        # Of variables that it evaluates too early, too.
        self.assertNotIn("Traceback", self.compiled[1])
        self.assertEqual({path.stem for path in FLOWGRAPHS} | set(NEEDS),
                         {"csi_loopback", "csi_loopback_headless", "csi_ue", "csi_bs",
                          "mlcf_loopback", "mlcf_loopback_headless", "path_loopback",
                          "path_loopback_headless", "codebook_loopback_headless",
                          "plane_loopback_headless", "csi_radio", "csi_ofdm_loopback",
                          "csi_ofdm_loopback_headless", "radio_ue", "radio_bs",
                          "over_the_air_uhd", "over_the_air_soapy"})
        for path in FLOWGRAPHS:
            self.assertTrue((self.directory / f"{path.stem}.py").exists(), self.compiled[1])

    def test_headless(self):
        """The flowgraph agrees with the same chain put together in Python."""
        model = csifeedback.model_file("cost2100-indoor-klt")
        for link in ({}, {"erasure_rate": 0.2}, {"bit_error_rate": 1e-3}):
            with self.subTest(**link):
                chain = Loopback(csifeedback.cost2100_channel("indoor"),
                                 csifeedback.linear_encoder(model, 128),
                                 csifeedback.linear_decoder(model, 128),
                                 csifeedback.lloyd_max_quantizer(model, 128, 4),
                                 300, model.na, model.precursor, first=1000, link=link)
                chain.run_to_end()
                expected = chain.figures()
                arguments = [a for k, v in link.items() for a in ("--" + k.replace("_", "-"), v)]
                found = self.run_to_end("csi_loopback_headless", "--count", 300, "--first", 1000,
                                        "--bits", 4, *arguments)
                self.assertEqual(int(found["truths"]), 300)
                self.assertEqual(int(found["matched"]), expected["matched"])
                self.assertAlmostEqual(float(found["nmse_db"]), expected["nmse_db"], delta=0.01)
                self.assertAlmostEqual(float(found["rho"]), expected["rho"], delta=1e-4)
                self.assertAlmostEqual(float(found["age"]), expected["age"], delta=1e-9)
                self.assertEqual(float(found["bits_per_csi"]), 136 + 4 * 128)
                if link:
                    self.assertGreater(float(found["age"]), 0.1)

    def test_paths(self):
        """Reports of paths: the same as the objects without a flowgraph."""
        codec = evaluation.Codec("cost2100-outdoor-path")
        ha = csifeedback.generate_channels(csifeedback.cost2100_channel("outdoor"), 1000, 100, 32,
                                           4)[0]
        expected = evaluation.Evaluator(ha, 0, 1024, 4).run_budget(codec, 200)
        found = self.run_to_end("path_loopback_headless", "--count", 100, "--first", 1000,
                                "--budget", 200)
        self.assertEqual(int(found["matched"]), 100)
        self.assertAlmostEqual(float(found["nmse_db"]), expected["nmse_db"], delta=0.01)

    def test_codebook(self):
        """eType II with several layers: the figures of the objects without a flowgraph, and of a short
        budget."""
        spec = "etype2:n1=4,n2=4,rows=52,nr=4,snr_db=12"
        codec = evaluation.Codec(spec)
        panel = csifeedback.cdl_panel_channel("C", 4, 4, nr=4, nc=52, spacing_hz=180e3, angle_span_deg=120,
                                              sector_element=True)
        h = panel.generate(2000, 40).reshape(40, 208, 32)
        encoder, decoder = codec.own_reports()
        for budget in (300, 1200):
            scores = layers.Scores(4, 13, 12, 4)
            scores.add(h, decoder.decode(*encoder.encode(h, budget)))
            expected = scores.figures()
            found = self.run_to_end("codebook_loopback_headless", "--count", 40, "--first", 2000, "--budget",
                                    budget, "--snr-db", 12)
            self.assertEqual(int(found["matched"]), 40)
            np.testing.assert_allclose(ast.literal_eval(found["rank_share"]), expected["rank_share"])
            np.testing.assert_allclose(
                np.array(ast.literal_eval(found["sgcs_layers"]), float),
                np.array(expected["sgcs_layers"], float), atol=1e-5)
            self.assertAlmostEqual(float(found["se"]), expected["se_layers"], places=4)
            self.assertAlmostEqual(float(found["se_perfect"]), expected["se_layers_perfect"], places=4)
            # Feedback frames: header and checksum, and the report in whole bytes.
            self.assertLessEqual(float(found["bits_per_csi"]), 136 + budget + 7)

    def test_plane(self):
        """A dual-polarized plane: the figures of the same channels aligned by NumPy's transform, which
        was tested against numpy.fft, and of the evaluation without a flowgraph."""
        codec = evaluation.Codec("cdl-c-4x2x2-local-klt")
        self.assertEqual(codec.array, (4, 2, 2))
        panel = csifeedback.cdl_panel_channel(
            "C", 4, 2, nr=1, nc=52, spacing_hz=180e3, angle_span_deg=120, sector_element=True)
        h = align_matrices(panel.generate(1000, 200)[:, :, 0])
        model = codec.model
        rows = np.fft.ifft(h, axis=1, norm="ortho")[:, np.arange(model.na) - model.precursor]
        ha = np.fft.fft2(rows.reshape(200, model.na, 2, 4, 2), norm="ortho").reshape(200, model.na, 16)
        expected = evaluation.Evaluator(ha, 0, 52, model.precursor, array=(4, 2, 2)).run(
            codec, model.na * 4, "lloyd-max", 5)
        found = self.run_to_end("plane_loopback_headless", "--count", 200, "--first", 1000, "--bits", 5)
        self.assertEqual(int(found["matched"]), 200)
        self.assertAlmostEqual(float(found["nmse_db"]), expected["nmse_db"], delta=0.01)
        self.assertAlmostEqual(float(found["rho"]), expected["rho"], delta=1e-4)
        self.assertAlmostEqual(float(found["sgcs"]), expected["sgcs"], delta=1e-4)
        # As if the ports were a line it would be another transform.
        self.assertLess(float(found["nmse_db"]), -8)

    def test_mlcf(self):
        """MLCF on whole matrices: the same as the evaluation without a flowgraph."""
        codec = evaluation.Codec("cdl-a-mlcf")
        channel = csifeedback.cdl_channel(
            "A", 48, 32, 180e3, delay_spread_s=300e-9, speed_mps=30 / 3.6, angle_span_deg=120,
            sector_element=True)
        h = csifeedback.generate_channels(channel, 1000, 200)[0]
        expected = evaluation.Evaluator(None, 0, 48, 0, h=h).run(codec, 6 * 32, "lloyd-max", 5)
        found = self.run_to_end("mlcf_loopback_headless", "--count", 200, "--first", 1000,
                                "--bits", 5)
        self.assertEqual(int(found["matched"]), 200)
        self.assertAlmostEqual(float(found["nmse_db"]), expected["nmse_db"], delta=0.01)
        self.assertAlmostEqual(float(found["rho"]), expected["rho"], delta=1e-4)
        # A byte for the residual energy.
        self.assertEqual(float(found["bits_per_csi"]), 144 + 5 * 6 * 32)

    def test_radio(self):
        """Pilots through the radio channel: nearly all frames come to an estimate."""
        found = self.run_to_end("csi_radio", "--count", 120, "--snr-db", 20)
        self.assertGreaterEqual(int(found["truths"]), 119)
        self.assertGreaterEqual(int(found["matched"]), 119)
        self.assertGreater(float(found["rho"]), 0.999)

    def test_ofdm_loopback(self):
        """Pilots to feedback: CSI as good as the codec alone makes it; bad frames are discarded."""
        model = csifeedback.model_file("cdl-c-300x8-klt")
        cdl = csifeedback.cdl_channel(
            "C", 300, 8, 15e3, sample_interval_s=5e-3, speed_mps=1, delay_spread_s=30e-9,
            max_delay_spread_s=300e-9, angle_span_deg=120, slots_per_drop=200)
        h = csifeedback.generate_channels(cdl, 0, 1000)[0]
        codec = csifeedback.linear_encoder(model, 64), csifeedback.linear_decoder(model, 64)
        transform = csifeedback.angular_delay_transform(300, 8, model.na, model.precursor, True)
        rho = []
        for matrix in h:
            s, gain_db = codec[0].encode(transform.forward(matrix)[0])
            rho.append(ofdm.rho(transform.inverse(codec[1].decode(s, gain_db)), matrix))
        found = self.run_to_end("csi_ofdm_loopback_headless", "--count", 1000)
        self.assertGreater(int(found["matched"]), 950)
        self.assertGreater(float(found["estimate_rho"]), 0.9995)
        # Noise and 6 bits cost next to nothing.
        self.assertAlmostEqual(float(found["rho"]), np.mean(rho), delta=2e-3)
        bad = self.run_to_end("csi_ofdm_loopback_headless", "--count", 1000, "--bit-error-rate",
                              1e-3, "--erasure-rate", 0.2, "--offset-hz", -50e3)
        self.assertGreater(float(bad["estimate_rho"]), 0.9995)
        counts = ast.literal_eval(bad["frames"])
        # 136 bits of a frame, and 64 values of 6; four standard deviations.
        frames = 1000 * 0.8 * 0.999**(136 + 64 * 6)
        self.assertAlmostEqual(counts["ok"], frames, delta=70)
        self.assertAlmostEqual(counts["bad_crc"], 800 - frames, delta=70)
        self.assertGreater(float(bad["age"]), 0.5)

    def test_no_radio(self):
        """Without a device a radio flowgraph ends with one line that says so."""
        for name, arguments, words in (
                ("over_the_air_uhd", (), ("No devices found", "uhd_find_devices")),
                ("over_the_air_uhd", ("--bs-device", "serial=none", "--ue-device", "serial=none"),
                 ("No devices found", "--bs-device is 'serial=none'", "uhd_find_devices")),
                ("over_the_air_soapy", ("--bs-driver", "nothing", "--ue-driver", "nothing"),
                 ("no match", "--bs-driver is nothing", "SoapySDRUtil --find"))):
            with self.subTest(name, arguments=arguments):
                self.need(name)
                result = subprocess.run(self.command(name, *arguments), capture_output=True,
                                        text=True, timeout=300, check=False)
                self.assertNotEqual(result.returncode, 0)
                line = result.stderr.strip().splitlines()[-1]
                self.assertTrue(line.startswith(f"{name}: "), result.stderr)
                for word in words:
                    self.assertIn(word, line)
                self.assertNotIn("Traceback", result.stderr)

    def need(self, name):
        """Skips the test where the flowgraph's part of GNU Radio is not installed."""
        if name not in {path.stem for path in FLOWGRAPHS}:
            self.skipTest(f"needs gr-{NEEDS[name]}")

    def run_radio(self, name, rate):
        self.need(name)
        with socket.socket(type=socket.SOCK_DGRAM) as one:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
        return subprocess.run(
            [sys.executable, "-B", "-c", RADIO_SCRIPT, name, f"ipc://{self.directory}/{name}",
             str(port), str(rate)], cwd=self.directory, capture_output=True, text=True, timeout=300,
            check=False)

    def over_the_air(self, name):
        """What the radios were set to, after a run in which CSI came to the BS."""
        result = self.run_radio(name, 7.68e6)
        self.assertEqual(result.returncode, 0, result.stderr)
        found = figures(result.stdout)
        self.assertGreater(int(found["matched"]), 50)
        self.assertGreater(float(found["rho"]), 0.99)
        return json.loads(result.stdout.splitlines()[-1])

    def test_over_the_air_uhd(self):
        """All but the devices: the samples and what the devices are set to."""
        settings = self.over_the_air("over_the_air_uhd")
        for end, channels, gain, antenna in (("bs", 2, 7, "TX/RX"), ("ue", 1, 40, "RX2")):
            radio = settings[end]
            self.assertEqual(radio["set_samp_rate"], [[7.68e6]])
            self.assertEqual(radio["set_clock_source"], [["internal", 0]])
            self.assertEqual(radio["set_center_freq"], [[1e9, n] for n in range(channels)])
            self.assertEqual(radio["set_gain"], [[gain, n] for n in range(channels)])
            self.assertEqual(radio["set_antenna"], [[antenna, n] for n in range(channels)])

    def test_radio_rate(self):
        """A device without the sample rate of the pilots ends the program."""
        for name in NEEDS:
            with self.subTest(name):
                result = self.run_radio(name, 8e6)
                self.assertEqual(result.returncode, 1)
                self.assertIn(f"{name}: the device of --bs-device offers 8 Msample/s, the pilots "
                              "need 7.68", result.stderr)
                self.assertNotIn("Traceback", result.stderr)

    def test_over_the_air_soapy(self):
        settings = self.over_the_air("over_the_air_soapy")
        for end, channels, gain, antenna in (("bs", 2, 7, "BAND1"), ("ue", 1, 40, "LNAW")):
            radio = settings[end]
            self.assertEqual(radio["arguments"][:3], ["driver=lime", "fc32", str(channels)])
            self.assertEqual(radio["set_sample_rate"], [[n, 7.68e6] for n in range(channels)])
            self.assertEqual(radio["set_frequency"], [[n, 1e9] for n in range(channels)])
            self.assertEqual(radio["set_gain"], [[n, gain] for n in range(channels)])
            self.assertEqual(radio["set_antenna"], [[n, antenna] for n in range(channels)])

    def send_again(self, address, numbers):
        """Sends frames with these numbers to the BS, as somebody else would."""
        model = csifeedback.model_file("cost2100-indoor-klt")
        quantizer = csifeedback.lloyd_max_quantizer(model, 128, 6)
        header = csifeedback.feedback_header()
        header.quantizer_type, header.bits = quantizer.type_id(), quantizer.bits()
        header.codec_id, header.model_id = 1, csifeedback.linear_encoder(model, 128).model_id()
        header.ue_id, header.code_size = 1, 128
        with zmq.Context() as context, context.socket(zmq.PUSH) as sender:
            sender.connect(address)
            for number in numbers:
                header.frame_number = number % 65536
                frame = csifeedback.pack_frame(header, bytes(96))
                sender.send(pmt.serialize_str(
                    pmt.cons(pmt.PMT_NIL, pmt.init_u8vector(len(frame), list(frame)))))

    def test_ends(self):
        """UE and BS as two processes; every frame of the UE arrives, and none that is old."""
        address = f"ipc://{self.directory}/uplink"
        count = 150
        bs = subprocess.Popen([sys.executable, "-B", "-c", BS_SCRIPT, address, str(count),
                               str(count + 5)], cwd=self.directory,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            self.assertEqual(bs.stdout.readline(), "runs\n")
            self.run_to_end("csi_ue", "--address", address, "--count", count, "--rate", 100)
            self.assertEqual(bs.stdout.readline(), "has those of the UE\n")
            self.send_again(address, [5, count - 1, count + 5000, 40000, -7])
            output, errors = bs.communicate(timeout=1500)
        finally:
            bs.kill()
        self.assertEqual(bs.returncode, 0, errors)
        found = figures(output)
        counts = {k: n for k, n in ast.literal_eval(found["frames"]).items() if n}
        self.assertEqual(counts, {"ok": count, "replayed": 2, "stale": 3})
        self.assertEqual(int(found["matched"]), count)
        expected = self.run_to_end("csi_loopback_headless", "--count", count)
        self.assertAlmostEqual(float(found["nmse_db"]), float(expected["nmse_db"]), delta=0.01)

    def test_radio_ends(self):
        """Pilots from one process to another, and CSI back in compact frames."""
        with socket.socket() as one, socket.socket(type=socket.SOCK_DGRAM) as other:
            one.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.1", 0))
            air, back = (s.getsockname()[1] for s in (one, other))
        # What the UE sends comes here first.
        relay = socket.socket(type=socket.SOCK_DGRAM)
        self.addCleanup(relay.close)
        relay.bind(("127.0.0.1", 0))
        relay.settimeout(60)
        both = [subprocess.Popen(self.command(name, "--air-port", air, "--compact", 5,
                                              "--feedback-port", *more),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 stdin=subprocess.PIPE, text=True)
                for name, more in (("radio_bs", (back, "--speed", 0.3)),
                                   ("radio_ue", (relay.getsockname()[1],)))]
        try:
            for _ in range(150):
                relay.sendto(relay.recv(1 << 16), ("127.0.0.1", back))
            for process in reversed(both):
                process.send_signal(signal.SIGINT)
                output, errors = process.communicate(timeout=300)
                self.assertEqual(process.returncode, 0, errors)
        finally:
            for process in both:
                process.kill()
        found = figures(output)
        self.assertGreater(int(found["matched"]), 50)
        self.assertGreater(float(found["rho"]), 0.95)

    def test_bad_use(self):
        """A wrong value ends the program with an error that names it."""
        result = subprocess.run(self.command("csi_loopback_headless", "--bits", 11),
                                capture_output=True, text=True, timeout=300, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("bits is 11, allowed is 1 to 10", result.stderr)

    def run_gui(self, script):
        result = subprocess.run([sys.executable, "-B", "-c", script], cwd=self.directory,
                                capture_output=True, text=True, timeout=1500, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        return json.loads(result.stdout.splitlines()[-1])

    def test_ofdm_gui(self):
        phases = self.run_gui(OFDM_GUI_SCRIPT)
        start, noise, offset, errors, lost = phases
        self.assertGreater(start["received"], 50)
        self.assertGreater(start["estimate_rho"], 0.999)
        self.assertGreater(start["rho"], 0.95)
        self.assertLess(max(start["errors"]), -6)
        self.assertLess(noise["estimate_rho"], start["estimate_rho"])
        self.assertGreater(offset["received"], 50)
        self.assertGreater(offset["estimate_rho"], 0.999)
        self.assertGreater(errors["bad_crc"], 50)
        self.assertEqual(lost["received"], 0)
        # Every plot is fed all the time.
        for before, after in zip(phases, phases[1:4]):
            self.assertGreater(after["spectrum"], before["spectrum"])
            self.assertGreater(after["figures"][0], before["figures"][0])
        self.assertGreater(start["figures"][1], 0)

    def test_path_gui(self):
        fine, coarse = self.run_gui(PATH_GUI_SCRIPT)
        self.assertLess(fine["nmse_db"], coarse["nmse_db"] - 3)
        self.assertGreater(fine["paths"], coarse["paths"])
        for phase in (fine, coarse):
            self.assertGreater(phase["paths"], 0)
            self.assertGreater(phase["delays"][0], -3)
            self.assertLess(phase["delays"][1], 35)
            self.assertGreaterEqual(phase["angles"][0], 0)
            self.assertLessEqual(phase["angles"][1], 32)

    def test_gui(self):
        report = self.run_gui(GUI_SCRIPT)
        start, coarse, errors, again, lost = report["phases"]
        self.assertEqual(start["bits_per_csi"], 136 + 5 * 256)
        self.assertEqual(start["discarded"], 0)
        self.assertGreater(start["matched"], 50)
        self.assertLess(start["nmse_db"], -10)
        # Other bits while it runs: at most what was under way between two blocks is discarded.
        self.assertEqual(coarse["bits_per_csi"], 136 + 2 * 256)
        self.assertLess(coarse["discarded"], 10)
        self.assertGreater(coarse["matched"], 50)
        self.assertGreater(coarse["nmse_db"], start["nmse_db"] + 1)
        # A frame with half of its bits wrong passes its checksum once in 2^24 times.
        self.assertEqual(errors["received"], 0)
        self.assertGreater(again["received"], 50)
        self.assertEqual(lost["received"], 0)
        self.assertGreater(report["shown"], 100)
        self.assertGreater(len(report["errors"]), 100)
        self.assertTrue(all(math.isfinite(e) for e in report["errors"]))


if __name__ == "__main__":
    unittest.main()
