#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Sweeps on a Dask cluster: a scheduler and three workers, processes, one of them killed."""

import glob
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from common import run_program
from gnuradio.csifeedback.experiments import sweep
from gnuradio.csifeedback.model import read_model

try:
    import torch  # noqa: F401
except ImportError:
    torch = None
try:
    import distributed  # noqa: F401
except ImportError:
    distributed = None

#: What a sweep of these tests asks for: a fifth of a second a point or more.
SWEEP = ("--codec", "cost2100-indoor-csi-l2o:l2o,profile=paper", "--codec", "cost2100-indoor-klt",
         "--bits", 0, 4, 5, "--samples", 40, "--rho-samples", 10)
BOUND_S = 60


def figures(text):
    """Rows of a table in JSON, without the times that codecs took."""
    return [{k: v for k, v in row.items() if k not in ("encode_us", "decode_us")}
            for row in json.loads(text)]


@unittest.skipUnless(distributed, "Dask is not installed (Debian: python3-distributed)")
class Cluster(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def path(self, name):
        return os.path.join(self.directory, name)

    def wait(self, condition, what):
        end = time.monotonic() + BOUND_S
        while not condition():
            self.assertLess(time.monotonic(), end, f"waited in vain for {what}")
            time.sleep(0.01)

    def process(self, module, *arguments, **environment):
        """A process of Dask, killed when the test is over."""
        with open(self.path(f"{module}.log"), "a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{module}", *map(str, arguments)],
                stdout=log, stderr=log, cwd=self.directory, env={**os.environ, **environment})

        def end():
            process.kill()
            process.wait()

        self.addCleanup(end)
        return process

    def cluster(self, workers, **environment):
        """(address of a scheduler, its worker processes), which have all come. environment: of the
        workers, beside that of this process."""
        file = self.path("scheduler.json")
        self.process("dask_scheduler", "--host", "127.0.0.1", "--port", 0, "--no-dashboard",
                     "--scheduler-file", file)
        self.wait(lambda: os.path.exists(file) and os.path.getsize(file), "the scheduler")
        with open(file) as opened:
            address = json.load(opened)["address"]
        started = [self.process("dask_worker", address, "--no-nanny", "--nthreads", 1, "--no-dashboard",
                                "--local-directory", self.path(""), **environment)
                   for _ in range(workers)]
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=BOUND_S)
        return address, started

    def test_killed_worker(self):
        """The table of a sweep whose worker is killed is that of a serial run, bit for bit; a sweep
        that is extended, or goes on without a cluster, computes only what is new."""
        address, workers = self.cluster(3)
        results = self.path("results")
        arguments = ["eval", *SWEEP, "--ratios", "1/8", "1/16", "--json", "--results", results]
        process = subprocess.Popen(
            [sys.executable, os.path.join(os.environ["CSIFEEDBACK_APPS"], "csifeedback_eval"),
             *map(str, arguments[1:]), "--cluster", address],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

        def count():
            return len(glob.glob(os.path.join(results, "*.json")))

        self.wait(lambda: count() >= 2 or process.poll() is not None, "results")
        workers[0].send_signal(signal.SIGKILL)
        workers[0].wait()
        self.assertLess(count(), 12, "the worker was killed after the work")
        out, errors = process.communicate(timeout=BOUND_S)
        self.assertEqual(process.returncode, 0, errors)
        self.assertEqual(count(), 12)
        serial = run_program(*arguments[:-2])
        self.assertEqual(serial.returncode, 0, serial.stderr)
        self.assertEqual(figures(out), figures(serial.stdout))

        # Two points more, and those that were there as they are.
        times = {path: os.stat(path).st_mtime_ns for path in glob.glob(results + "/*.json")}
        longer = run_program(*arguments, "--codec", "cost2100-indoor-local-klt", "--bits", 0,
                             "--cluster", address)
        self.assertEqual(longer.returncode, 0, longer.stderr)
        self.assertEqual(count(), 12 + 2)
        for path, when in times.items():
            self.assertEqual(os.stat(path).st_mtime_ns, when)
        self.assertEqual([r for r in figures(longer.stdout) if r["codec"] == "KLT"],
                         [r for r in figures(serial.stdout) if r["codec"] == "KLT"
                          and not r["bits"]])

        # A figure of a paper on the same workers.
        figure = ("reproduce", "csi-l2o-figure-3", "--samples", 50, "--json", "-o",
                  self.path("figure"))
        rows = [json.loads(run_program(*figure, "--results", self.path(name), *more).stdout)["rows"]
                for name, more in (("a", ("--cluster", address)), ("b", ()))]
        self.assertEqual(rows[0], rows[1])

    @unittest.skipUnless(torch, "PyTorch is not installed")
    def test_trainings(self):
        """Models of a sweep whose worker is killed are those of a serial one, whose process has another
        number of threads; a second sweep trains what is missing alone."""
        data = self.path("train.h5")
        self.assertEqual(run_program("dataset", "generate", "--channel", "cost2100-indoor", "--nt", 8,
                                     "--nc", 64, "--na", 8, "--samples", 200, "-o",
                                     data).returncode, 0)
        arguments = ["train", "sweep", "--codec", "csinet", "klt", "--ratio", "1/4", "1/8",
                     "--dataset", data, "--json"]
        options = ["--steps", 50, "--batch", 20, "--validation-samples", 20, "--device", "cpu"]
        refused = run_program(*arguments, *options, "-o", self.path("none"))
        self.assertEqual(refused.returncode, 2)  # klt has no steps
        self.assertFalse(os.path.exists(self.path("none")))
        arguments[3:5] = ["csinet", "nr-csinet"]
        address, workers = self.cluster(2, OMP_NUM_THREADS="1")
        process = subprocess.Popen(
            [sys.executable, os.path.join(os.environ["CSIFEEDBACK_APPS"], "csifeedback_train"),
             *map(str, [*arguments[1:], *options, "-o", self.path("a"), "--cluster", address])],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.wait(lambda: os.path.isdir(self.path("a")) and len(os.listdir(self.path("a"))) > 1
                  or process.poll() is not None, "a training")
        workers[0].send_signal(signal.SIGKILL)
        out, errors = process.communicate(timeout=2 * BOUND_S)
        self.assertEqual(process.returncode, 0, errors)
        names = [f"{codec}-{ratio}.h5" for codec in ("csinet", "nr-csinet") for ratio in (4, 8)]
        self.assertEqual([os.path.basename(r["model"]) for r in json.loads(out)], names)

        self.assertEqual(run_program(*arguments, *options, "-o", self.path("b"),
                                     variables={"OMP_NUM_THREADS": "2"}).returncode, 0)
        arrays = [[read_model(self.path(f"{place}/{name}")).arrays for name in names]
                  for place in "ab"]
        for one, other in zip(*arrays):
            self.assertEqual(list(one), list(other))
            for name, values in one.items():
                self.assertTrue((values == other[name]).all(), name)

        os.remove(self.path("b/csinet-8.h5"))
        times = {name: os.stat(self.path(f"b/{name}")).st_mtime_ns for name in names
                 if name != "csinet-8.h5"}
        self.assertEqual(run_program(*arguments, *options, "-o", self.path("b")).returncode, 0)
        self.assertTrue(os.path.exists(self.path("b/csinet-8.h5")))
        for name, when in times.items():
            self.assertEqual(os.stat(self.path(f"b/{name}")).st_mtime_ns, when)

    def test_local(self):
        """A process for each core of this machine."""
        arguments = ("eval", "--codec", "cost2100-indoor-klt", "--ratios", "1/16", "1/32",
                     "--samples", 20, "--json")
        serial, local = run_program(*arguments), run_program(*arguments, "--cluster", "local")
        self.assertEqual(local.returncode, 0, local.stderr)
        self.assertEqual(figures(local.stdout), figures(serial.stdout))

    def test_error_of_a_point(self):
        """An error in a worker is that of a serial run."""
        arguments = ("eval", "--codec", "cost2100-indoor-orthonormal", "--bits", 4, "--quantizer",
                     "lloyd-max-per-entry", "--ratios", "1/16", "--samples", 20)
        done = run_program(*arguments, "--bits", 10, "--cluster", "local")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stderr.strip().splitlines()[-1],
                         run_program(*arguments, "--bits", 10).stderr.strip().splitlines()[-1])


class Errors(unittest.TestCase):

    @unittest.skipUnless(distributed, "Dask is not installed (Debian: python3-distributed)")
    def test_no_scheduler(self):
        for address in ("nowhere", "tcp://127.0.0.1:1", "tcp://127.0.0.1:99999"):
            done = run_program("eval", "--codec", "cost2100-indoor-klt", "--samples", 2, "--ratios",
                               "1/16", "--cluster", address)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertNotIn("Traceback", done.stderr)
            self.assertIn(f"--cluster is {address}", done.stderr.strip().splitlines()[-1])

    def test_files_that_change(self):
        """A point is not computed of another file than the sweep began with."""
        with tempfile.NamedTemporaryFile("wb") as file:
            file.write(b"data")
            file.flush()
            point = sweep.point_of("experiments.trainings:training_point", {"arguments": []}, paths=[file.name])
            file.write(b" and more")
            file.flush()
            with self.assertRaisesRegex(ValueError, f"have changed since it began, .*: {file.name}$"):
                sweep.compute(point)
        with self.assertRaisesRegex(ValueError, f"are not here: {file.name}$"):
            sweep.compute(point)

    def test_results_are_no_directory(self):
        done = run_program("eval", "--codec", "cost2100-indoor-klt", "--samples", 2, "--ratios", "1/16",
                           "--results", __file__)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()
