#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The command-line programs as a user calls them: figures, files, and clear errors."""

import contextlib
import csv
import io
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import h5py
import numpy as np
from common import command_of, run_program
from gnuradio import csifeedback
from gnuradio.csifeedback import evaluation
from gnuradio.csifeedback.cli import dataset, sim
from gnuradio.csifeedback.experiments import sources, speed

APPS = os.environ["CSIFEEDBACK_APPS"]
KLT = "cost2100-indoor-klt"
L2O = "cost2100-indoor-csi-l2o"


class Programs(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def path(self, name):
        return os.path.join(self.directory, name)

    def succeed(self, *arguments, **options):
        done = run_program(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def refuse(self, text, *arguments, **options):
        """Exit code 2, and the last line on stderr says what is wrong; no traceback."""
        done = run_program(*arguments, **options)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertIn(text, done.stderr.strip().splitlines()[-1])
        self.assertEqual(done.stdout, "")

    def test_help(self):
        for program in ("dataset", "train", "eval", "sim", "bench", "reproduce", "ue", "bs"):
            self.assertIn("usage: csifeedback_" + program, self.succeed(program, "--help").stdout)
            self.assertEqual(self.succeed(program, "--version").stdout,
                             f"csifeedback_{program} {csifeedback.__version__}\n")
        self.assertRegex(csifeedback.__version__, r"^\d+\.\d+\.\d+$")

    def test_eval_and_sim_agree(self):
        """The same codec on the same samples, by objects and by a flowgraph: 0.01 dB."""
        common = ("--codec", KLT, "--samples", 200, "--seed", 3, "--json")
        for bits, kind, *compact in ((6, "lloyd-max"), (3, "allocated"),
                                     (3, "allocated", "--compact", "--checksum", "crc16")):
            rows = json.loads(self.succeed("eval", *common, "--ratios", "1/16", "--bits", bits,
                                           "--quantizer", kind, *compact).stdout)
            figures = json.loads(self.succeed("sim", *common, "--ratio", "1/16", "--bits", bits,
                                              "--quantizer", kind, *compact).stdout)
            self.assertEqual(len(rows), 1)
            self.assertEqual(figures["matched"], 200)
            self.assertAlmostEqual(figures["nmse_db"], rows[0]["nmse_db"], delta=0.01)
            self.assertAlmostEqual(figures["nmse_whole_db"], rows[0]["nmse_whole_db"], delta=0.01)
            self.assertAlmostEqual(figures["rho"], rows[0]["rho"], places=4)
            self.assertEqual(figures["bits_per_csi"],
                             rows[0]["compact_bits" if compact else "frame_bits"])
            self.assertEqual(rows[0]["frame_bits"], rows[0]["payload_bits"] + 136)
            self.assertEqual(rows[0].get("compact_bits"),
                             rows[0]["payload_bits"] + 47 if compact else None)

    def test_eval_compact_frames(self):
        """Budgets in compact frames: the tables and the figure count both kinds."""
        table = self.path("t.csv")
        common = ("eval", "--codec", KLT, "--samples", 40, "--validation-samples", 20, "--budget",
                  64, "--quantizer", "allocated", "--compact")
        done = self.succeed(*common, "--csv", table, "--plot", self.path("t.png"), "--count",
                            "compact")
        with open(table) as file:
            row, = csv.DictReader(file)
        self.assertEqual([int(row[c]) for c in ("payload_bits", "frame_bits", "compact_bits")],
                         [64, 64 + 136, 64 + 55])
        self.assertRegex(done.stdout, r"frame bits +compact .*\n.*\n.* 64 +200 +119 ")
        self.refuse("a feedback frame carries -40.0625 to -38.06 dB: scale the data, or choose "
                    "--gain-bits and --min-gain", *common, "--gain-bits", 4)
        self.refuse("--count is compact, which needs --compact", *common[:-1], "--count", "compact")
        self.refuse("--number-bits is 11, allowed is 8 to 10", *common, "--number-bits", 11)

    def test_data_set_is_opened_once(self):
        data = self.make_dataset("d.h5", 20, 32, 32)
        with unittest.mock.patch.object(sources, "Dataset", wraps=sources.Dataset) as opened, \
                contextlib.redirect_stdout(io.StringIO()) as output:
            sim.main(["--codec", KLT, "--dataset", data, "--json"])
        self.assertEqual(json.loads(output.getvalue())["matched"], 20)
        self.assertEqual(opened.call_count, 1)

    def test_bench_names(self):
        """A decoder without a name, as those of codecs in files have none, leaves no gap."""
        codec = evaluation.Codec(KLT)
        codec.decoder_name = ""
        self.assertEqual({row[0] for row in speed.operations(codec, 16, 2)}, {"encode", "decode"})

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

    def test_eval_iterations(self):
        """Ten iterations are better than one; the KLT has none."""
        rows = json.loads(self.succeed(
            "eval", "--codec", L2O, "--codec", L2O + ":l2o,profile=paper", "--codec", KLT,
            "--samples", 40, "--ratios", "1/16", "--iterations", 1, 10, "--plot",
            self.path("i.png"), "--json").stdout)
        nmse = {(r["codec"], r["iterations"]): r["nmse_db"] for r in rows}
        self.assertEqual(set(nmse), {("Csi-L2O", 1), ("Csi-L2O", 10), ("Csi-L2O paper", 1),
                                     ("Csi-L2O paper", 10), ("KLT", None)})
        self.assertLess(nmse["Csi-L2O", 10], nmse["Csi-L2O", 1] - 3)
        self.assertLess(nmse["Csi-L2O", 10], nmse["KLT", None] - 3)
        self.assertLess(nmse["Csi-L2O paper", 10], nmse["KLT", None] - 2)
        self.assertTrue(os.path.exists(self.path("i.png")))
        self.refuse("--iterations has 0", "eval", "--codec", L2O, "--samples", 2,
                    "--iterations", 0)
        self.refuse("realtime", "eval", "--codec", L2O + ":l2o,profile=slow", "--samples", 2)

    def test_eval_complexity(self):
        """Counted by hand: 32 rows x 16 iterations x 2 x 64 x 256, and so on."""
        rows = json.loads(self.succeed(
            "eval", "--codec", L2O, "--codec", L2O + ":l2o,profile=paper", "--codec",
            KLT + ":fista,iterations=7", "--ratios", "1/16", "--complexity", "--json").stdout)
        product = 128 * 2048
        self.assertEqual({r["encoder"] for r in rows}, {product})
        realtime, paper, fista = rows
        self.assertEqual(realtime["transforms"], 32 * 16 * 2 * 64 * 256)
        self.assertEqual(realtime["decoder"], 32 * 16 * 2 * 64 * 256 + product + 34 * product)
        self.assertEqual(paper["transforms"],
                         32 * 10 * 2 * (64 * 128 + 128 * 128 + 128 * 256))
        self.assertEqual(paper["lstm"], 2048 * 10 * (80 * 22 + 80 * 40 + 20 * 20 + 5 * 20))
        self.assertEqual(paper["gradients"], 2 * 20 * product)
        self.assertEqual(fista["decoder"], 2 * 7 * product)

    def test_bench_flowgraph(self):
        figures = json.loads(self.succeed("bench", "--codec", L2O, "--flowgraph", 100,
                                          "--json").stdout)["flowgraphs"][0]
        self.assertEqual(figures["matched"], 200)
        self.assertLess(figures["nmse_db"], -14)
        # The one is processor time of all blocks, the other elapsed time of one.
        self.assertGreater(min(figures["us_a_csi"], figures["decode_us"]), 1)
        self.refuse("--flowgraph is -1", "bench", "--flowgraph", -1)

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
        self.refuse("csifeedback_dataset: nothere.npy: No such file or directory", "dataset", "import", "nothere.npy",
                    "-o", "x.h5")

    def test_usage_errors_are_one_line(self):
        """They name what was probably meant."""
        for text, program, *command in (
                ("'inpect' .*; is it inspect\\?", dataset, "inpect", "x.h5"),
                ("'cdl-f' .*; is it cdl-[a-e]\\?", dataset, "generate", "--channel", "cdl-f"),
                ("arguments: --dataste; is it --dataset\\?", sim, "--codec", KLT, "--dataste"),
                ("arguments: --axs .*; is it --axes\\?", dataset, "import", "x", "-o", "x.h5", "--axs", "n"),
                ("^csifeedback_sim: .*--help says more", sim, "--samples", "x")):
            with contextlib.redirect_stderr(io.StringIO()) as err, self.assertRaises(SystemExit) as caught:
                program.main(list(command))
            self.assertEqual(caught.exception.code, 2)
            self.assertRegex(err.getvalue(), text)
            self.assertEqual(err.getvalue().count("\n"), 1, err.getvalue())
        for program in ("eval", "sim"):
            self.refuse("--seed is -1, allowed is 0 to", program, "--codec", KLT, "--seed", -1)
        self.refuse("--link-seed is -1, allowed is 0 to", "sim", "--codec", KLT, "--link-seed", -1)
        self.refuse("--snr is nan", "eval", "--codec", KLT, "--snr", "nan")
        self.refuse("--rho-samples is -1", "eval", "--codec", KLT, "--rho-samples", -1)
        self.refuse("delay is -1", "sim", "--codec", KLT, "--delay", -1)
        self.refuse("mean_burst_length is 0.5", "sim", "--codec", KLT, "--burst", 0.5)
        self.refuse("--batch is 0", "bench", "--batch", 0)
        self.refuse("--repeats is 0", "bench", "--repeats", 0)
        self.refuse("model 'no'", "bench", "--codec", "no")
        self.refuse("ratio is 1/3", "bench", "--ratio", "1/3")

    def make_dataset(self, name, samples, na=8, nt=4, *options):
        self.succeed("dataset", "generate", "--channel", "cdl-a", "--nc", 64, "--na", na, "--nt",
                     nt, "--samples", samples, "-o", self.path(name), *options)
        return self.path(name)

    def test_data_of_another_size(self):
        data = self.make_dataset("d.h5", 3)
        for program in ("eval", "sim"):
            self.refuse("d.h5: has matrices of 4 antennas, the model is for 32 (codec klt, "
                        "trained on cost2100-indoor with 1024", program,
                        "--codec", KLT, "--dataset", data)

    def test_train_bad_use(self):
        data = self.make_dataset("d.h5", 500)
        other = self.make_dataset("other.h5", 3, nt=8)
        before = sorted(os.listdir(self.directory))
        common = ("train", "--codec", "klt", "--dataset", data, "-o", self.path("m.h5"))
        for text, *options in (
                ("--code-size is 7, allowed are even numbers from 2 to 64", "--code-size", 7),
                ("--code-size is 66", "--code-size", 66),
                ("--entry-bits is 11, allowed is 0 to 10", "--entry-bits", 11),
                ("--seed is -1, allowed is 0 to", "--seed", -1),
                ("no.h5: cannot be opened: No such file", "--dataset", self.path("no.h5")),
                ("no.h5: cannot be opened: No such file", "--test", self.path("no.h5")),
                ("has matrices of 8 x 8, the training set of 8 x 4", "--test", other),
                ("does not exist", "-o", self.path("none/m.h5")),
                ("is a directory", "-o", self.directory),
                ("codec is pca, trainers are there for", "--codec", "pca")):
            self.refuse(text, *common, *options)
        model = os.path.join(os.environ["CSIFEEDBACK_MODELS"], KLT + ".h5")
        self.refuse("is no gr-csifeedback data set", *common, "--dataset", model)
        self.assertEqual(sorted(os.listdir(self.directory)), before)
        os.chmod(self.directory, 0o555)
        self.addCleanup(os.chmod, self.directory, 0o755)
        self.refuse("m.h5: Permission denied", *common,
                    preexec_fn=lambda: os.geteuid() or os.setuid(65534),
                    variables={"HOME": "/"})

    def test_train_on_matrices_without_content(self):
        for value in (0, float("nan"), float("inf")):
            path = self.make_dataset(f"{value}.h5", 50)
            with h5py.File(path, "r+") as file:
                file["Ha"][7] = value
            self.refuse("not finite", "train", "--codec", "klt", "--dataset", path,
                        "-o", self.path("m.h5"))
            self.assertFalse(os.path.exists(self.path("m.h5")))

    def interrupted(self, *command):
        """Runs a program at a terminal, with Ctrl-C as soon as it shows its progress; its exit code
        and what it wrote there."""
        terminal, inside = os.openpty()
        self.addCleanup(os.close, terminal)
        process = subprocess.Popen(command_of(*command), stdout=subprocess.DEVNULL, stderr=inside)
        os.close(inside)
        self.addCleanup(process.kill)
        text, sent = "", False
        while select.select([terminal], [], [], 60)[0]:
            try:
                text += os.read(terminal, 4096).decode()
            except OSError:  # its end
                break
            if not sent and " of " in text:
                process.send_signal(signal.SIGINT)
                sent = True
        self.assertTrue(sent, text)
        return process.wait(60), text

    def test_train_keeps_the_old_model(self):
        """A full disk or Ctrl-C leaves the model before as it was, and no other file."""
        data = self.make_dataset("d.h5", 3000, 32, 32)
        old = self.path("m.h5")
        with open(old, "w") as file:
            file.write("old\n")
        common = ("--codec", "klt", "--dataset", data, "-o", old, "--overwrite")

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

        # The first file that does not fit: of the KLT a temporary one, which makes its entropy
        # tables, of columns the model itself.
        whole = self.make_dataset("whole.h5", 500, 64, 8, "--whole")
        for codec, data_set, name in (("klt", data, "model.h5"), ("klt-columns", whole, "m.h5")):
            done = run_program("train", *common, "--codec", codec, "--dataset", data_set,
                               preexec_fn=limit)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(f"/{name}: File too large", done.stderr.splitlines()[-1])
            self.assertNotIn("Traceback", done.stderr)
        os.remove(whole)

        # Tables of 2^10 levels for each of 512 entries: takes a while.
        code, errors = self.interrupted("train", *common, "--entry-bits", 10)
        self.assertEqual(code, 130, errors)
        self.assertNotIn("Traceback", errors)
        with open(old) as file:
            self.assertEqual(file.read(), "old\n")
        self.assertEqual(sorted(os.listdir(self.directory)), ["d.h5", "m.h5"])

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

        done = run_program("eval", "--codec", KLT, "--samples", 5, "--csv", old, "--overwrite",
                           preexec_fn=limit)
        self.assertEqual(done.returncode, 2)
        self.assertIn("File too large", done.stderr.splitlines()[-1])
        # The figures themselves are not lost.
        self.assertIn("1/64", done.stdout)
        with open(old) as file:
            self.assertEqual(file.read(), "old\n")
        self.assertEqual(os.listdir(self.directory), ["t.csv"])

    def test_bad_places(self):
        """A file that cannot be written is found before the work, not after it."""
        work = ("eval", "--codec", KLT, "--samples", 10**9)
        self.refuse("does not exist", *work, "--csv", self.path("none/t.csv"))
        self.refuse("is a directory", *work, "--csv", self.directory)
        self.refuse("does not exist", *work, "--plot", self.path("none/t.png"))
        self.refuse("--plot is t.txt, allowed are names that end in .png", *work, "--plot",
                    "t.txt")
        os.chmod(self.directory, 0o555)
        self.addCleanup(os.chmod, self.directory, 0o755)
        # Root may write everywhere, so it becomes nobody.
        self.refuse("t.csv: Permission denied", *work, "--csv", self.path("t.csv"),
                    preexec_fn=lambda: os.geteuid() or os.setuid(65534),
                    variables={"HOME": "/"})
        self.assertEqual(os.listdir(self.directory), [])

    def test_ctrl_c(self):
        for arguments in (("sim", "--codec", KLT, "--samples", 1_000_000),
                          ("eval", "--codec", KLT, "--samples", 1_000_000, "--csv",
                           self.path("t.csv")),
                          ("bench", "--repeats", 1_000_000)):
            code, errors = self.interrupted(*arguments)
            self.assertEqual(code, 130, errors)
            # Nothing is kept of these, and nothing else is claimed.
            self.assertTrue(errors.rstrip().endswith("interrupted"), errors)
            self.assertNotIn("Traceback", errors)
        self.assertEqual(os.listdir(self.directory), [])

    def test_ctrl_c_while_loading(self):
        os.mkdir(self.path("gnuradio"))
        with open(self.path("gnuradio/__init__.py"), "w") as file:
            # Python sees a signal that comes just before it sleeps only when it has slept.
            file.write("import time\nprint('loading', flush=True)\n"
                       "for _ in range(600):\n    time.sleep(0.1)\n")
        for program in ("bench", "bs", "dataset", "eval", "reproduce", "sim", "train", "ue", "view"):
            process = subprocess.Popen(
                command_of(program), text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": self.directory, "PYTHONDONTWRITEBYTECODE": "1"})
            self.assertEqual(process.stdout.readline(), "loading\n")
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
            self.assertEqual((process.returncode, errors), (130, "interrupted\n"), program)

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
        # Paths and the codewords of Csi-L2O in as many bits.
        for path, l2o in zip(table["equal_bits"][::2], table["equal_bits"][1::2]):
            self.assertEqual(path["budget"], l2o["budget"])
            self.assertLessEqual(max(path["payload_bits"], l2o["payload_bits"]), path["budget"])
            self.assertLess(path["nmse_db"], l2o["nmse_db"] - 3)

    def test_reproduce(self):
        """Codecs along a track of which they know the first quarter; what is there is kept."""
        common = ("reproduce", "mlcf-picture", "-o", self.path("r"), "--json")
        rows = json.loads(self.succeed(*common).stdout)
        self.assertEqual({r["codec"] for r in rows},
                         {"MLCF", "embedding", "landmarks", "KLT of columns", "KLT x DFT cells",
                          "KLT"})
        for codec, known, new in (("MLCF", -27, -25), ("KLT of columns", -29, -27),
                                  ("KLT", -60, None)):
            errors = [r["error_db"] for r in rows if r["codec"] == codec]
            self.assertEqual(len(errors), 500)
            self.assertLess(np.mean(errors[:125]), known)
            if new:
                self.assertLess(np.mean(errors[125:]), new)
        for kind in ("csv", "png"):
            self.assertTrue(os.path.exists(self.path(f"r/sector-mlcf-picture.{kind}")))
        times = {name: os.stat(self.path(f"r/{name}")).st_mtime
                 for name in os.listdir(self.path("r")) if name.endswith(".h5")}
        self.assertEqual(len(times), 6)
        self.assertEqual(json.loads(self.succeed(*common).stdout), rows)
        for name, time_ in times.items():
            self.assertEqual(os.stat(self.path(f"r/{name}")).st_mtime, time_)
        self.refuse("--samples is 1", "reproduce", "mlcf-picture", "--samples", 1)

    def test_measurements_of_real_signals(self):
        """Small runs: counts that fit those expected, and least squares at its closed form."""
        rows = json.loads(self.succeed("reproduce", "feedback-errors", "--samples", 3000, "--json",
                                       "-o", self.directory).stdout)
        for row in rows[:-1]:
            self.assertEqual(row["accepted_corrupt"], 0)
            self.assertEqual(round(row["delivered"] * row["frames"]) + row["lost"]
                             + row["discarded"], row["frames"])
            if row["link"] == "bit errors":
                p = row["delivered_expected"]
                self.assertLess(abs(row["delivered"] - p),
                                4 * (p * (1 - p) / row["frames"]) ** 0.5 + 1e-3)
                if 0.1 < p:
                    self.assertAlmostEqual(row["age_mean"], 1 / p - 1, delta=0.15 / p)
        rows = json.loads(self.succeed("reproduce", "ofdm-estimation", "--samples", 8, "--json",
                                       "-o", self.directory).stdout)
        nmse = {(r["estimator"], r["snr_db"]): r["nmse_db"] for r in rows}
        for snr_db in range(10, 41, 5):
            for name in ("LS at the pilots", "LS, linear"):
                self.assertAlmostEqual(nmse[name, snr_db], nmse[name + ": closed form", snr_db],
                                       delta=0.5)
            self.assertLess(nmse["LMMSE, learned", snr_db], nmse["LS, linear", snr_db] - 3)
            # Of eight drops, whose mean energy is not that of all.
            self.assertGreater(nmse["LMMSE, learned", snr_db], nmse["LMMSE: bound", snr_db] - 1.5)
        self.assertEqual(sorted(os.listdir(self.directory)), [
            f"{name}.{end}" for name in ("feedback-errors", "ofdm-estimation")
            for end in ("csv", "png")])
        self.refuse("--samples is 1", "reproduce", "ofdm-offsets", "--samples", 1)

    def test_pipe_that_closes(self):
        command = f"'{APPS}/csifeedback_eval' --codec {KLT} --samples 5 | head -n 1"
        done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=60)
        self.assertNotIn("Traceback", done.stderr)
        self.assertIn("codec", done.stdout)


if __name__ == "__main__":
    unittest.main()
