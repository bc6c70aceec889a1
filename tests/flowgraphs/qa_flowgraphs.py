#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The flowgraphs that ship: compiled by grcc and run."""

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
import time
import unittest

from gnuradio import csifeedback
from gnuradio.csifeedback import evaluation
from gnuradio.csifeedback.simulation import Loopback
from grc_tools import FLOWGRAPHS

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

#: Drives csi_loopback as a user would: moves its sliders and looks at its figures.
GUI_SCRIPT = textwrap.dedent("""
    import json, sys, threading, time
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
            time.sleep(0.5)  # what is under way arrives
            tb.metrics.reset()
            received = tb.hold.received()
            time.sleep(2)
            phases.append({"phase": phase, "received": tb.hold.received() - received,
                           "dropped": tb.framer.dropped() + tb.bs_dequantizer.dropped()
                           + tb.deframer.counts()["unknown_quantizer"], **tb.metrics.report()})
        application.quit()

    tb.start()
    tb.show()
    threading.Thread(target=use).start()
    application.exec_()
    tb.monitor.qwidget().grab()
    pair, errors = tb.monitor.state()
    tb.stop()
    tb.wait()
    print(json.dumps({"phases": phases, "shown": pair[0], "errors": errors}))
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
                                text=True, timeout=120, check=False)
        cls.compiled = result.returncode, result.stdout + result.stderr

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def command(self, name, *arguments):
        return [sys.executable, "-B", str(self.directory / f"{name}.py"), *map(str, arguments)]

    def run_to_end(self, name, *arguments):
        result = subprocess.run(self.command(name, *arguments), capture_output=True, text=True,
                                timeout=60, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        return figures(result.stdout)

    def test_compiled(self):
        self.assertEqual(self.compiled[0], 0, self.compiled[1])
        self.assertEqual({path.stem for path in FLOWGRAPHS},
                         {"csi_loopback", "csi_loopback_headless", "csi_ue", "csi_bs",
                          "mlcf_loopback", "mlcf_loopback_headless", "csi_radio", "radio_ue",
                          "radio_bs"})
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

    def test_mlcf(self):
        """MLCF on whole matrices: the same as the evaluation without a flowgraph."""
        codec = evaluation.Codec("cdl-a-mlcf")
        channel = csifeedback.cdl_channel(
            "A", 48, 32, 180e3, delay_spread_s=300e-9, speed_mps=30 / 3.6, angle_span_deg=120,
            directive_element=True)
        h = csifeedback.generate_channels(channel, 1000, 200)[0]
        expected = evaluation.Evaluator(None, 0, 48, 0, h=h).run(codec, 6 * 32, "lloyd-max", 5)
        found = self.run_to_end("mlcf_loopback_headless", "--count", 200, "--first", 1000,
                                "--bits", 5)
        self.assertEqual(int(found["matched"]), 200)
        self.assertAlmostEqual(float(found["nmse_db"]), expected["nmse_db"], delta=0.01)
        self.assertAlmostEqual(float(found["rho"]), expected["rho"], delta=1e-4)
        # A byte for the mismatch.
        self.assertEqual(float(found["bits_per_csi"]), 144 + 5 * 6 * 32)

    def test_radio(self):
        """Pilots through the radio channel: nearly all frames come to an estimate."""
        found = self.run_to_end("csi_radio", "--count", 120, "--snr-db", 20)
        self.assertGreaterEqual(int(found["truths"]), 119)
        self.assertGreaterEqual(int(found["matched"]), 115)
        self.assertGreater(float(found["rho"]), 0.999)

    def test_ends(self):
        """UE and BS as two processes; every frame of the UE arrives."""
        address = f"ipc://{self.directory}/uplink"
        count = 150
        bs = subprocess.Popen(self.command("csi_bs", "--address", address),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            time.sleep(2)
            self.run_to_end("csi_ue", "--address", address, "--count", count, "--rate", 100)
            time.sleep(1)
            bs.send_signal(signal.SIGINT)
            output, errors = bs.communicate(timeout=20)
        finally:
            bs.kill()
        self.assertEqual(bs.returncode, 0, errors)
        found = figures(output)
        self.assertIn(f"'ok': {count}", found["frames"])
        self.assertEqual(int(found["matched"]), count)
        expected = self.run_to_end("csi_loopback_headless", "--count", count)
        self.assertAlmostEqual(float(found["nmse_db"]), float(expected["nmse_db"]), delta=0.01)

    def test_radio_ends(self):
        """Pilots from one process to another, and CSI back."""
        with socket.socket() as one, socket.socket(type=socket.SOCK_DGRAM) as other:
            one.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.1", 0))
            ports = ("--air-port", one.getsockname()[1],
                     "--feedback-port", other.getsockname()[1])
        both = [subprocess.Popen(self.command(name, *ports, *more), stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
                for name, more in (("radio_bs", ("--speed", 0.3)), ("radio_ue", ()))]
        try:
            time.sleep(6)
            for process in reversed(both):
                process.send_signal(signal.SIGINT)
                output, errors = process.communicate(timeout=20)
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
                                capture_output=True, text=True, timeout=60, check=False)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("bits is 11, allowed is 1 to 10", result.stderr)

    def test_gui(self):
        result = subprocess.run([sys.executable, "-B", "-c", GUI_SCRIPT], cwd=self.directory,
                                capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        report = json.loads(result.stdout.splitlines()[-1])
        start, coarse, errors, again, lost = report["phases"]
        self.assertEqual(start["bits_per_csi"], 136 + 5 * 256)
        self.assertEqual(start["dropped"], 0)
        self.assertGreater(start["matched"], 50)  # 50 a second, with room for a busy machine
        self.assertLess(start["nmse_db"], -10)
        # Other bits while it runs: at most what was under way between two blocks is dropped.
        self.assertEqual(coarse["bits_per_csi"], 136 + 2 * 256)
        self.assertLess(coarse["dropped"], 10)
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
