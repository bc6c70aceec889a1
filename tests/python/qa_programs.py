#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The command-line programs as a user calls them: figures, files, and clear errors."""

import csv
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest

APPS = os.environ["CSIFEEDBACK_APPS"]
KLT = "cost2100-indoor-klt"


def call(program, *arguments, **options):
    """Runs a program to its end; its completed process."""
    return subprocess.run([os.path.join(APPS, "csifeedback_" + program), *map(str, arguments)],
                          capture_output=True, text=True, timeout=300, **options)


class Programs(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def path(self, name):
        return os.path.join(self.directory, name)

    def succeed(self, *arguments, **options):
        done = call(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def refuse(self, text, *arguments, **options):
        """Exit code 2, and the last line on stderr says what is wrong; no traceback."""
        done = call(*arguments, **options)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertIn(text, done.stderr.strip().splitlines()[-1])
        self.assertEqual(done.stdout, "")

    def test_help(self):
        for program in ("dataset", "train", "eval", "sim", "bench"):
            self.assertIn("usage: csifeedback_" + program, self.succeed(program, "--help").stdout)

    def test_eval_and_sim_agree(self):
        """The same codec on the same samples, by objects and by a flowgraph: 0.01 dB."""
        common = ("--codec", KLT, "--samples", 200, "--seed", 3, "--json")
        for bits, kind in ((6, "lloyd-max"), (3, "allocated")):
            rows = json.loads(self.succeed("eval", *common, "--ratios", "1/16", "--bits", bits,
                                           "--quantizer", kind).stdout)
            figures = json.loads(self.succeed("sim", *common, "--ratio", "1/16", "--bits", bits,
                                              "--quantizer", kind).stdout)
            self.assertEqual(len(rows), 1)
            self.assertEqual(figures["matched"], 200)
            self.assertAlmostEqual(figures["nmse_db"], rows[0]["nmse_db"], delta=0.01)
            self.assertAlmostEqual(figures["nmse_whole_db"], rows[0]["nmse_whole_db"], delta=0.01)
            self.assertAlmostEqual(figures["rho"], rows[0]["rho"], places=4)
            self.assertEqual(figures["bits_per_csi"], rows[0]["frame_bits"])

    def test_eval_files(self):
        self.succeed("eval", "--codec", KLT, "--codec", KLT + ":fista,iterations=5",
                     "--samples", 40, "--ratios", "1/16", "1/64", "--bits", 0, 2, 6,
                     "--snr", 10, 20, "--csv", self.path("t.csv"), "--plot", self.path("t.png"))
        with open(self.path("t.csv"), newline="") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), 2 * 2 * 3 * 2)
        # More bits, a larger codeword or less noise never hurt by more than chance.
        nmse = {(r["codec"], r["ratio"], r["bits"], r["noise_snr_db"]): float(r["nmse_db"])
                for r in rows}
        self.assertLess(nmse["KLT", "1/16", "6", "20.0"], nmse["KLT", "1/64", "6", "20.0"])
        self.assertLess(nmse["KLT", "1/16", "6", "20.0"], nmse["KLT", "1/16", "2", "20.0"])
        self.assertLess(nmse["KLT", "1/16", "6", "20.0"], nmse["KLT", "1/16", "6", "10.0"])
        with open(self.path("t.png"), "rb") as file:
            self.assertEqual(file.read(8), b"\x89PNG\r\n\x1a\n")
        self.assertEqual(sorted(os.listdir(self.directory)), ["t.csv", "t.png"])

    def test_bad_use(self):
        self.refuse("cost2100-indor", "eval", "--codec", "cost2100-indor")
        self.refuse("ratio is 1/3000", "eval", "--codec", KLT, "--ratios", "1/3000",
                    "--samples", 2)
        self.refuse("ratio is 1/2", "eval", "--codec", KLT, "--ratios", "1/2", "--samples", 2)
        self.refuse("ratio is x", "sim", "--codec", KLT, "--ratio", "x", "--samples", 2)
        self.refuse("bits is 11", "sim", "--codec", KLT, "--bits", 11, "--samples", 2)
        self.refuse("--samples is 0", "sim", "--codec", KLT, "--samples", 0)
        self.refuse("bit_error_rate is 0.7", "sim", "--codec", KLT, "--ber", 0.7, "--samples", 2)
        self.refuse("decoder is mmse", "sim", "--codec", KLT + ":mmse", "--samples", 2)
        self.refuse("gamma", "eval", "--codec", KLT + ":fista,gamma=3", "--samples", 2)
        self.refuse("no.h5", "sim", "--codec", KLT, "--dataset", self.path("no.h5"))
        self.refuse("invalid choice", "eval", "--codec", KLT, "--channel", "cdl-f")

    def test_files_that_are_no_models(self):
        text = self.path("text.h5")
        with open(text, "w") as file:
            file.write("no model\n" * 100)
        self.refuse("is no HDF5 file", "sim", "--codec", text)
        self.refuse(self.directory, "sim", "--codec", self.directory + "/")
        with open(os.path.join(os.environ["CSIFEEDBACK_MODELS"], KLT + ".h5"), "rb") as file:
            data = file.read()
        with open(self.path("cut.h5"), "wb") as file:
            file.write(data[:len(data) // 2])
        self.refuse("cut.h5", "sim", "--codec", self.path("cut.h5"), "--samples", 2)
        secret = self.path("secret.h5")
        with open(secret, "wb") as file:
            file.write(data)
        os.chmod(secret, 0)
        if os.geteuid() != 0:
            self.refuse("Permission denied", "sim", "--codec", secret)

    def test_disk_full(self):
        """A table that cannot be written whole leaves the one before it as it was."""
        old = self.path("t.csv")
        with open(old, "w") as file:
            file.write("old\n")

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

        self.refuse("File too large", "eval", "--codec", KLT, "--samples", 5, "--csv", old,
                    preexec_fn=limit)
        with open(old) as file:
            self.assertEqual(file.read(), "old\n")
        self.assertEqual(os.listdir(self.directory), ["t.csv"])
        self.refuse("does not exist", "eval", "--codec", KLT, "--samples", 5, "--csv",
                    self.path("none/t.csv"))

    def test_ctrl_c(self):
        for arguments in (("sim", "--codec", KLT, "--samples", 1_000_000),
                          ("eval", "--codec", KLT, "--samples", 1_000_000, "--csv",
                           self.path("t.csv"))):
            process = subprocess.Popen(
                [os.path.join(APPS, "csifeedback_" + arguments[0]), *map(str, arguments[1:])],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            time.sleep(4)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=20)
            self.assertEqual(process.returncode, 130, errors)
            self.assertIn("interrupted", errors)
            self.assertNotIn("Traceback", errors)
        self.assertEqual(os.listdir(self.directory), [])

    def test_demo(self):
        done = subprocess.run(
            [sys.executable, "-m", "gnuradio.csifeedback.cli.demo", "--samples", "20", "--output",
             self.directory, "--json"], capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        table = json.loads(done.stdout)
        self.assertEqual(sorted(os.listdir(self.directory)), ["matrices.png", "nmse.png"])
        for row in table["rows"]:
            self.assertEqual(row["matched"], 20)
        klt = [r["nmse_db"] for r in table["rows"] if r["codec"] == "KLT"]
        self.assertLess(klt[0], -20)
        self.assertGreater(table["lossy_link"]["frames_erased"], 0)

    def test_pipe_that_closes(self):
        command = f"'{APPS}/csifeedback_eval' --codec {KLT} --samples 5 | head -n 1"
        done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
        self.assertNotIn("Traceback", done.stderr)
        self.assertIn("codec", done.stdout)


if __name__ == "__main__":
    unittest.main()
