#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Files under attack: concurrent writers, kills, full disks, links, and files that somebody sent."""

import contextlib
import errno
import io
import itertools
import json
import os
import pathlib
import pickle
import random
import re
import resource
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
import zipfile
import zlib
from unittest import mock

import h5py
import numpy as np
from scipy.io import savemat

from common import Opener, small_disk
from gnuradio import blocks, csifeedback, gr
from gnuradio.csifeedback import files
from gnuradio.csifeedback.data import interchange, matlab, sigmf
from gnuradio.csifeedback.cli import common
from gnuradio.csifeedback.cli import dataset as cli
from gnuradio.csifeedback.data.dataset import Dataset, DatasetWriter
from gnuradio.csifeedback.model import Model, read_model
from gnuradio.csifeedback.training import checkpoint, run

APPS = os.environ["CSIFEEDBACK_APPS"]
SMALL = ("generate", "--channel", "cdl-a", "--nc", 64, "--na", 8, "--nt", 4)
ATTRIBUTES = {"domain": "Ha", "nc": 16, "na": 4, "nt": 3, "precursor": 1, "align": 0,
              "spacing_hz": 15e3, "sample_interval_s": 0.0, "channel": "test",
              "command": "none"}


def start(program, *arguments, **options):
    return subprocess.Popen([os.path.join(APPS, "csifeedback_" + program), *map(str, arguments)],
                            stdout=options.pop("stdout", subprocess.PIPE), stderr=subprocess.PIPE,
                            text=True, **options)


def end(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def random_complex(seed, *shape):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


class TestCase(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def path(self, name):
        return str(self.directory / name)

    def names(self):
        return sorted(os.listdir(self.directory))

    def run_app(self, program, *arguments):
        code, out, err = end(start(program, *arguments))
        self.assertEqual(code, 0, err)
        return out

    def run_here(self, *arguments):
        """(exit code, stderr) of csifeedback_dataset in this process, which is faster."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), \
                mock.patch("sys.argv", ["csifeedback_dataset", *map(str, arguments)]):
            try:
                common.run(cli.main)
            except SystemExit as status:
                return status.code, err.getvalue()

    def refuse(self, text, program, *arguments, last=False, here=False, **options):
        """The one line on stderr of a run that is refused. last: others may come before it. here:
        in this process."""
        if here:
            code, err = self.run_here(*arguments)
        else:
            code, _, err = end(start(program, *arguments, **options))
        self.assertEqual(code, 2, err)
        self.assertNotIn("Traceback", err)
        lines = err.splitlines()
        if not last:
            self.assertEqual(len(lines), 1, err)
        self.assertIn(text, lines[-1])
        return lines[-1]

    def write(self, name, matrices, **attributes):
        with DatasetWriter(self.path(name), len(matrices), {**ATTRIBUTES, **attributes}) as writer:
            writer.append(matrices)
        return self.path(name)

    def small_disk(self, size):
        return small_disk(self, self.path("disk"), size)


class TestLock(TestCase):
    def test_one_at_a_time(self):
        with files.Lock(self.path("x")):
            for _ in range(2):
                with self.assertRaisesRegex(ValueError, "x: is being written by another process"):
                    files.Lock(self.path("x"))
            # The same file by another name of its directory.
            os.symlink(self.directory, self.path("link"))
            with self.assertRaisesRegex(ValueError, "is being written"):
                files.Lock(self.path("link/x"))
            files.Lock(self.path("y")).release()
        with files.Lock(self.path("x")) as lock:
            lock.release()
            lock.release()
        self.assertEqual(self.names(), ["link"])

    def test_among_threads(self):
        """The file of the lock comes and goes, but never has two owners."""
        owners, most, had = 0, 0, 0
        guard = threading.Lock()
        stop = time.monotonic() + 1.5

        def work():
            nonlocal owners, most, had
            while time.monotonic() < stop:
                try:
                    lock = files.Lock(self.path("x"))
                except ValueError:
                    continue
                with guard:
                    owners, had = owners + 1, had + 1
                    most = max(most, owners)
                with guard:
                    owners -= 1
                lock.release()

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(most, 1)
        self.assertGreater(had, 100)
        self.assertEqual(self.names(), [])

    def test_after_a_kill(self):
        code = ("import os, signal, sys\n"
                "from gnuradio.csifeedback.files import Lock\n"
                f"lock = Lock({self.path('x')!r})\n"
                "os.kill(os.getpid(), signal.SIGKILL)\n")
        subprocess.run([sys.executable, "-c", code])
        self.assertEqual(self.names(), [".x.lock"])
        files.Lock(self.path("x")).release()
        self.assertEqual(self.names(), [])

    def test_error_that_nobody_catches(self):
        code = f"from gnuradio.csifeedback.files import Lock\nx = Lock({self.path('x')!r})\n1 / 0"
        subprocess.run([sys.executable, "-c", code], capture_output=True)
        self.assertEqual(self.names(), [])


class TestWriters(TestCase):
    """Several writers of one data set."""

    SAMPLES = 4000

    def generate(self, *options):
        return start("dataset", *SMALL, "--samples", self.SAMPLES, "-o", self.path("x.h5"), *options)

    def wait_for(self, process, condition):
        while process.poll() is None and not condition():
            time.sleep(0.002)

    def has_begun(self):
        with contextlib.suppress(ValueError), Dataset(self.path("x.h5.part")) as data:
            return len(data) > 0
        return False

    def is_whole(self):
        """Whether the finished data set has all that it says."""
        with Dataset(self.path("x.h5")) as data:
            matrices = data.angular_delay()
            return len(matrices) == self.SAMPLES and bool(np.all(np.any(matrices, axis=(1, 2))))

    def test_overwrite_during_the_first(self):
        """The second begins anew while the first writes, and is killed when it could have done
        harm; both at any time."""
        rng = random.Random(1)
        for attempt in range(4):
            first = self.generate("--overwrite")
            self.wait_for(first, self.has_begun)
            time.sleep(0.1 * rng.random())
            second = self.generate("--overwrite")
            code, _, err = end(first)
            self.assertEqual(code, 0, err)
            second.kill()
            code, _, err = end(second)
            if code == 2:
                self.assertRegex(err, r"^csifeedback_dataset: .*x\.h5: is being written by another "
                                      r"process\n$")
            # One that came to its turn when the first was done has begun to overwrite.
            if code == 2 or os.path.exists(self.path("x.h5")):
                self.assertTrue(self.is_whole())

    def test_at_the_same_instant(self):
        for _ in range(4):
            both = [self.generate("--overwrite") for _ in range(2)]
            results = [end(process) for process in both]
            self.assertIn(0, [code for code, _, _ in results], results)
            for code, _, err in results:
                if code:
                    self.assertRegex(err, r"^csifeedback_dataset: .*x\.h5: is being written by "
                                          r"another process\n$")
            self.assertTrue(self.is_whole())
            self.assertEqual(self.names(), ["x.h5"])

    def test_kills(self):
        """Whatever is killed when, the name belongs to a whole data set or to none."""
        rng = random.Random(2)
        for _ in range(6):
            process = self.generate(*rng.choice([(), ("--overwrite",)]))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.4 + 1.2 * rng.random())
            process.kill()
            end(process)
            if os.path.exists(self.path("x.h5")):
                self.assertTrue(self.is_whole())
        end(self.generate())
        self.assertTrue(self.is_whole())
        self.assertEqual(self.names(), ["x.h5"])

    def half(self):
        with DatasetWriter(self.path("a.h5"), 10, ATTRIBUTES) as writer:
            writer.append(random_complex(1, 6, 4, 3))

    def test_half_a_data_set_under_the_name_of_a_whole_one(self):
        self.half()
        os.rename(self.path("a.h5.part"), self.path("a.h5"))
        with self.assertRaisesRegex(ValueError, r"a\.h5: is unfinished: it has 6 of 10 samples"):
            Dataset(self.path("a.h5"))
        with self.assertRaisesRegex(ValueError, r"a\.h5: has 6 of 10 samples, but the name of a "
                                                "finished data set"):
            DatasetWriter(self.path("a.h5"), 10, ATTRIBUTES)
        # And one that says of itself that it is whole.
        with h5py.File(self.path("a.h5"), "r+") as file:
            file.attrs.modify("samples", np.int64(11))
        for call in (lambda: Dataset(self.path("a.h5")),
                     lambda: DatasetWriter(self.path("a.h5"), 10, ATTRIBUTES)):
            with self.assertRaisesRegex(ValueError, "11"):
                call()
        self.assertEqual(self.names(), ["a.h5"])

    def test_a_data_set_that_was_cut(self):
        path = self.write("a.h5", random_complex(1, 200, 4, 3))
        os.truncate(path, os.path.getsize(path) - 1000)
        with self.assertRaisesRegex(ValueError, r"a\.h5: "):
            DatasetWriter(path, 200, ATTRIBUTES)

    def test_names_that_change_hands(self):
        """What is renamed in the end is what was written."""
        matrices = random_complex(2, 10, 4, 3)
        for change, text in (
                (lambda: os.remove(self.path("a.h5.part")), "was removed or replaced"),
                (lambda: os.replace(self.path("other"), self.path("a.h5.part")),
                 "was removed or replaced"),
                (lambda: os.replace(self.path("other"), self.path("a.h5")),
                 "was made by another program meanwhile")):
            (self.directory / "other").write_text("another's")
            with self.assertRaisesRegex(OSError, text):
                with DatasetWriter(self.path("a.h5"), 10, ATTRIBUTES, overwrite=True) as writer:
                    writer.append(matrices)
                    change()
            if os.path.exists(self.path("a.h5")):
                self.assertEqual((self.directory / "a.h5").read_text(), "another's")
        self.assertNotIn(".a.h5.lock", self.names())

    def test_import_of_a_file_that_has_changed(self):
        """The same command on another file of the same name continues nothing."""
        command = ("import", self.path("x.npy"), "--axes", "n,na,nt", "-o", self.path("x.h5"))
        np.save(self.path("x.npy"), random_complex(3, 5, 8, 4))
        self.run_app("dataset", *command)
        self.assertIn("was complete", self.run_app("dataset", *command))
        np.save(self.path("x.npy"), random_complex(4, 5, 8, 4))
        self.refuse("exists and is another data set", "dataset", *command)

    def train(self, data, *options):
        return ("train", "--codec", "mlcf", "--dataset", data, "-o", self.path("m.h5"),
                "--landmarks", 40, "--neighbours", 5, "--dimensions", 2, "--columns", 300,
                "--entry-bits", 0, *options)

    def test_training(self):
        """Two trainings of one model, and one that goes on with other data of the same name."""
        for seed in (1, 2):
            self.run_app("dataset", *SMALL, "--whole", "--samples", 200, "--seed", seed, "-o",
                         self.path(f"{seed}.h5"))
        os.rename(self.path("1.h5"), self.path("data.h5"))
        arguments = self.train(self.path("data.h5"), "--iterations", 10**6)
        first = start(*arguments)
        self.wait_for(first, lambda: os.path.exists(self.path(".m.h5.lock")))
        line = self.refuse("m.h5: is being written by another process", *arguments, "--overwrite")
        self.assertTrue(line.startswith("csifeedback_train: "))
        time.sleep(2)
        first.send_signal(signal.SIGINT)
        self.assertEqual(end(first)[0], 130)
        self.assertTrue(os.path.exists(self.path("m.h5.checkpoint")))
        os.replace(self.path("2.h5"), self.path("data.h5"))
        self.refuse("m.h5.checkpoint: is of a run with other options or other data", *arguments,
                    last=True)

    def test_recordings(self):
        frame = csifeedback.csirs_frame(nt=2)
        recorder = sigmf.Recorder(self.path("a"), frame, {})
        with self.assertRaisesRegex(ValueError, "a.sigmf-data: is being written"):
            sigmf.Recorder(self.path("a"), frame, {})
        os.replace(self.path("a.sigmf-meta"), self.path("a.sigmf-data"))
        with self.assertRaisesRegex(OSError, "was removed or replaced by another program"):
            recorder.close()
        self.assertEqual(self.names(), ["a.sigmf-data"])


class TestOverwrite(TestCase):
    """No program replaces a file unless it is told to."""

    TRAINER = """
        import os
        import numpy as np
        from gnuradio.csifeedback.model import Model
        from gnuradio.csifeedback.training.checkpoint import checkpoint_of
        CHECKPOINTS = {checkpoints}

        def add_arguments(parser):
            {own}

        def outputs(args):
            return [args.output + ".more"]

        def train(args, data):
            return Model({{"codec": "strongest-rows"}}, {{"encoder/W": np.zeros((2, 4))}})

        def finish(args, model):
            for path in (checkpoint_of(args.output), *outputs(args)):
                open(path, "w").close()
    """

    def check(self, name, program, *arguments):
        """A run that writes the file `name` is refused while that is there."""
        mine = pathlib.Path(self.path(name))
        mine.write_text("mine")
        self.refuse(f"{name}: exists; remove it, choose another file name, or overwrite it "
                    "(--overwrite)", program, *arguments)
        self.assertEqual(mine.read_text(), "mine")
        self.run_app(program, *arguments, "--overwrite")
        self.assertNotEqual(mine.read_bytes(), b"mine")

    def test_programs(self):
        data = self.write("d.h5", random_complex(1, 60, 4, 3))
        self.check("m.h5", "train", "--codec", "klt", "--dataset", data, "-o", self.path("m.h5"),
                   "--entry-bits", 0)
        with h5py.File(self.path("m.h5")) as file:
            self.assertNotIn("--overwrite", file.attrs["command"])
        self.check("t.csv", "eval", "--codec", self.path("m.h5"), "--dataset", data, "--ratios",
                   "1/4", "--csv", self.path("t.csv"))
        self.check("x.npy", "dataset", "export", data, "-o", self.path("x.npy"))
        self.check("d.png", "dataset", "inspect", data, "--plot", self.path("d.png"))

    def trainer(self, name, checkpoints=True, own="pass"):
        pathlib.Path(self.path(name)).write_text(textwrap.dedent(self.TRAINER).format(
            checkpoints=checkpoints, own=own))
        return self.path(name)

    def train(self, trainer, *options):
        args = ["--codec", "klt", "--trainer", trainer, "--dataset", self.path("d.h5"), "-o",
                self.path("m.h5"), *options]
        return run.train(args)

    def test_trainings(self):
        """One that goes on from its checkpoint replaces its own outputs, no other one does."""
        self.write("d.h5", random_complex(1, 60, 4, 3))
        trainer = self.trainer("a.py")
        self.train(trainer)
        self.assertTrue(os.path.exists(self.path("m.h5.checkpoint")))
        self.train(trainer)
        os.remove(self.path("m.h5.checkpoint"))
        for name in ("m.h5", "m.h5.more"):
            with self.assertRaisesRegex(ValueError, re.escape(self.path(name)) + ": exists"):
                self.train(trainer)
            os.remove(self.path(name))
        self.train(trainer)
        # The checkpoint of another codec is none of a trainer that has none.
        with self.assertRaisesRegex(ValueError, "m.h5: exists"):
            self.train(self.trainer("b.py", checkpoints=False))
        self.train(self.path("b.py"), "--overwrite")
        # A trainer that has an option of this name.
        self.train(self.trainer("c.py", False,
                                "parser.add_argument('--overwrite', action='store_true')"),
                   "--overwrite")


class TestWholeFile(TestCase):
    def outputs(self):
        """Each kind of writer, as a function of the path."""
        data = self.write("data.h5", random_complex(1, 20, 4, 3))
        model = Model({"codec": "klt"}, {"encoder/W": np.zeros((2, 4))})

        def dataset(path):
            with DatasetWriter(path, 2, ATTRIBUTES, overwrite=True) as writer:
                writer.append(random_complex(1, 2, 4, 3))

        def figure(path):
            from matplotlib.figure import Figure
            files.write_figure(Figure(), path, 50)

        def export(path):
            with Dataset(data) as open_data:
                interchange.export_csinet(open_data, path)

        def recording(path):
            sigmf.Recorder(path[:-len(".sigmf-data")], csifeedback.csirs_frame(nt=2), {}).close()

        return {"a.csv": lambda path: files.write_csv(path, [{"x": 1}], ["x"]),
                "a.h5": dataset, "m.h5": model.write, "a.png": figure, "a.svg": figure,
                "a.npy": export, "a.npz": export, "a.mat": export,
                "a.checkpoint": lambda path: checkpoint.save(path, "", {}, {"x": np.zeros(3)}),
                "a.sigmf-data": recording}

    def test_no_output_follows_a_link(self):
        for name, write in self.outputs().items():
            for target in ("victim", "absent"):
                victim = self.directory / "victim"
                victim.write_text("precious")
                os.symlink(self.path(target), self.path(name))
                with self.assertRaisesRegex(ValueError, f"{name}: is a symbolic link", msg=name):
                    write(self.path(name))
                self.assertEqual(victim.read_text(), "precious")
                self.assertFalse(os.path.lexists(self.path("absent")), name)
                self.assertEqual(os.readlink(self.path(name)), self.path(target))
                os.remove(self.path(name))
            self.assertEqual([n for n in self.names() if n.startswith(".")], [])

    def test_no_device_is_replaced(self):
        for name, write in self.outputs().items():
            os.mkfifo(self.path(name))
            with self.assertRaisesRegex(ValueError, f"{name}: is no regular file", msg=name):
                write(self.path(name))
            self.assertTrue(pathlib.Path(self.path(name)).is_fifo())
            os.remove(self.path(name))

    def test_outputs_of_programs(self):
        """Before the work, not after it."""
        os.symlink(self.path("victim"), self.path("t.csv"))
        os.mkfifo(self.path("fifo"))
        work = ("eval", "--codec", "cost2100-indoor-klt", "--samples", 10**9)
        self.refuse("t.csv: is a symbolic link", *work, "--csv", self.path("t.csv"))
        self.refuse("fifo: is no regular file", *work, "--csv", self.path("fifo"))
        os.symlink(self.path("victim"), self.path("x.h5.part"))
        self.refuse("x.h5.part: is a symbolic link", "dataset", *SMALL, "--samples", 10, "-o",
                    self.path("x.h5"))
        self.assertFalse(os.path.lexists(self.path("victim")))

    def test_links_under_temporary_names(self):
        """Whoever knows the process number and the output's name cannot send it elsewhere."""
        victim = self.directory / "victim"
        victim.write_text("precious")
        for stem in ("a", "a.csv", "x.h5", "x"):
            for name in (f".{stem}.{os.getpid()}.part.csv", f".{stem}.{os.getpid()}.part",
                         f".{stem}.h5.{os.getpid()}.part", f".x.h5.{os.getpid()}.part"):
                with contextlib.suppress(FileExistsError):
                    os.symlink(victim, self.path(name))
        os.symlink(victim, self.path(".y.h5.lock"))
        files.write_csv(self.path("a.csv"), [{"x": 1}], ["x"])
        self.write("x.h5", random_complex(1, 2, 4, 3))
        with self.assertRaisesRegex(OSError, "y.h5: cannot be locked with .y.h5.lock"):
            self.write("y.h5", random_complex(1, 2, 4, 3))
        self.assertEqual(victim.read_text(), "precious")
        self.assertEqual((self.directory / "a.csv").read_bytes(), b"x\r\n1\r\n")

    @contextlib.contextmanager
    def no_unnamed_files(self):
        """As on a file system without them."""
        real = os.open

        def fake(path, flags, *arguments, **options):
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "Operation not supported")
            return real(path, flags, *arguments, **options)

        with mock.patch("os.open", fake):
            yield

    def test_whole_or_absent(self):
        for context in (contextlib.nullcontext, self.no_unnamed_files):
            (self.directory / "a").write_text("old")
            with context(), self.assertRaises(KeyError):
                with files.whole_file(self.path("a")) as file:
                    file.write(b"half")
                    raise KeyError
            self.assertEqual((self.directory / "a").read_text(), "old")
            self.assertEqual(self.names(), ["a"])
            with context():
                with files.whole_file(self.path("a")) as file:
                    file.write(b"new")
                    file.flush()
                    names = self.names()
                    self.assertEqual((self.directory / "a").read_text(), "old")
            if context is contextlib.nullcontext:
                self.assertEqual(names, ["a"])
            else:
                # A name that nobody can guess.
                self.assertRegex(names[0], r"^\.[0-9a-f]{24}\.part$")
            self.assertEqual((self.directory / "a").read_text(), "new")
            self.assertEqual(self.names(), ["a"])

    def test_rights_are_those_of_new_files(self):
        for mask in (0o022, 0o077):
            before = os.umask(mask)
            try:
                for context in (contextlib.nullcontext, self.no_unnamed_files):
                    with context(), files.whole_file(self.path("a")) as file:
                        file.write(b"x")
                    self.assertEqual(os.stat(self.path("a")).st_mode & 0o777, 0o666 & ~mask)
            finally:
                os.umask(before)

    def test_on_the_disk_before_it_has_its_name(self):
        """A power failure leaves the old file or the new one."""
        calls = []
        for name in ("fsync", "replace"):
            real = getattr(os, name)
            patch = mock.patch(f"os.{name}", side_effect=lambda *a, _name=name, _real=real, **k: (
                calls.append(_name), _real(*a, **k)))
            patch.start()
            self.addCleanup(patch.stop)
        files.write_csv(self.path("a.csv"), [], ["x"])
        self.assertEqual(calls, ["fsync", "replace", "fsync"])

    def test_killed_on_the_way(self):
        for line in ("files.whole_file(path)", "files.whole_file(path, text=True)"):
            code = ("import os, signal\n"
                    "from gnuradio.csifeedback import files\n"
                    f"path = {self.path('a')!r}\n"
                    f"with {line} as file:\n"
                    "    os.kill(os.getpid(), signal.SIGKILL)\n")
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
            self.assertEqual(done.returncode, -signal.SIGKILL, done.stderr)
            self.assertEqual(self.names(), [])


class TestFullDisk(TestCase):
    def refuse_here(self, *arguments, **options):
        return self.refuse("No space left on device", *arguments, **options)

    def test_exports(self):
        """Neither a signal nor a traceback nor a file."""
        data = self.write("data.h5", random_complex(1, 200, 64, 32), na=64, nt=32, nc=64)
        for extension in ("npy", "npz", "mat"):
            with self.small_disk(1 << 20) as disk:
                path = f"{disk}/a.{extension}"
                line = self.refuse_here("dataset", "export", data, "-o", path)
                self.assertIn(path, line)
                self.assertEqual(os.listdir(disk), [])

    def test_everything_else_that_is_written(self):
        data = self.path("data.h5")
        self.run_app("dataset", *SMALL, "--whole", "--samples", 3000, "-o", data)
        np.save(self.path("x.npy"), random_complex(1, 3000, 8, 4))
        for name, *arguments in (
                ("x.h5", "dataset", "import", self.path("x.npy"), "--axes", "n,na,nt", "-o"),
                ("g.h5", "dataset", *SMALL, "--samples", 3000, "-o"),
                ("p.png", "dataset", "inspect", data, "--plot"),
                ("m.h5", "train", "--codec", "klt", "--entry-bits", 6, "--dataset", data, "-o"),
                ("l.h5", "train", "--codec", "mlcf", "--landmarks", 100, "--columns", 1000,
                 "--neighbours", 10, "--dimensions", 4, "--iterations", 1, "--dataset", data, "-o"),
                ("t.png", "eval", "--codec", "cost2100-indoor-klt", "--samples", 3, "--plot")):
            with self.small_disk(4096) as disk:
                line = self.refuse_here(*arguments, f"{disk}/{name}", last=True)
                self.assertIn(f"{disk}/{name}", line)
                # The training curve is small enough.
                self.assertEqual(set(os.listdir(disk)) - {"l.h5.csv"}, set())

    def test_stdout(self):
        np.save(self.path("x.npy"), np.zeros((2, 3)))
        with open("/dev/full", "w") as full:
            for options in ((), ("--json",)):
                self.refuse_here("dataset", "inspect", self.path("x.npy"), *options, stdout=full)

    def recording(self, path, count):
        """What csifeedback_bs sends in `count` frames."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
        return ("bs", "--codec", "cdl-c-300x2-klt", "--feedback", f"zmq://127.0.0.1:{port}", "--air",
                "file:" + path, "--rate", 0, "--count", count, "--first", 0)

    def test_recordings_of_the_bs(self):
        with self.small_disk(1 << 20) as disk:
            line = self.refuse_here(*self.recording(f"{disk}/air", 200))
            self.assertRegex(line, r"disk/air\.sigmf-data: No space left on device after \d+ items")
            samples = int(line.split(" after ")[1].split()[0])
            # What was kept can be replayed.
            self.assertGreater(samples, 100_000)
            self.assertEqual(sigmf.Recording(f"{disk}/air").samples, samples)
            self.assertEqual(sorted(os.listdir(disk)), ["air.sigmf-data", "air.sigmf-meta"])
        self.run_app(*self.recording(self.path("air"), 10))

    def test_recordings_of_the_ue(self):
        air = self.path("air")
        self.run_app(*self.recording(air, 30))
        measure = ("ue", "--ports", 2, "--feedback", "none", "--air", "file:" + air)
        # With room for all: the same bytes.
        self.run_app(*measure, "--record-air", self.path("copy"))
        self.assertEqual(pathlib.Path(air + ".sigmf-data").read_bytes(),
                         (self.directory / "copy.sigmf-data").read_bytes())
        for name, size, *options in (("copy.sigmf-data", 1 << 20, "--record-air"),
                                     ("h.h5", 1 << 16, "--record-samples", 25, "--record")):
            with self.small_disk(size) as disk:
                path = f"{disk}/{name}"
                self.assertIn(path, self.refuse_here(*measure, *options, path))

    def test_sink(self):
        """What is in the file is what the sink says, also in a flowgraph of somebody else."""
        for size in (1, 8, 12):
            with self.small_disk(1 << 16) as disk:
                sink = csifeedback.checked_file_sink(f"{disk}/x", size)
                sink.set_log_level("off")
                flowgraph = gr.top_block()
                flowgraph.connect(blocks.vector_source_b(list(range(251)), True),
                                  blocks.stream_to_vector(1, size), sink) if size > 1 else \
                    flowgraph.connect(blocks.vector_source_b(list(range(251)), True), sink)
                flowgraph.run()  # ends by itself
                self.assertRegex(sink.finish(), f"^{disk}/x: No space left on device after "
                                                f"{sink.recorded()} items; they are kept$")
                content = pathlib.Path(f"{disk}/x").read_bytes()
                self.assertEqual(len(content), size * sink.recorded())
                self.assertGreater(len(content), (1 << 16) - 2 * 4096)
                self.assertEqual(content, bytes(i % 251 for i in range(len(content))))


class TestCheckpoint(TestCase):
    def refused(self, content, text="is no checkpoint"):
        path = self.path("m.h5.checkpoint")
        pathlib.Path(path).write_bytes(content)
        with self.assertRaises(ValueError) as caught:
            checkpoint.load(path, "settings")
        self.assertTrue(str(caught.exception).startswith(path + ": "), caught.exception)
        self.assertIn(text, str(caught.exception))
        self.assertIn("--overwrite begins anew", str(caught.exception))
        self.assertFalse(os.path.exists(self.path("executed")))

    def npz(self, **arrays):
        file = io.BytesIO()
        np.savez(file, **arrays)
        return file.getvalue()

    def test_round_trip(self):
        path = self.path("c")
        arrays = {"a/b": random_complex(1, 3, 4), "c": np.float32(7), "d": np.arange(4)}
        values = {"step": 3, "best": -12.345678901234567, "curve": [{"x": 0.1}]}
        checkpoint.save(path, "settings", values, arrays)
        found_values, found = checkpoint.load(path, "settings")
        self.assertEqual(found_values, values)
        self.assertEqual(sorted(found), sorted(arrays))
        for name, array in arrays.items():
            np.testing.assert_array_equal(found[name], array)
            self.assertEqual(found[name].dtype, array.dtype)
        with self.assertRaisesRegex(ValueError, "other options or other data"):
            checkpoint.load(path, "other")

    def test_nothing_is_executed(self):
        opener = Opener(self.path("executed"))
        self.refused(pickle.dumps({"settings": opener}))
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps({"settings": opener}))
            archive.writestr("archive/version", "3")
        self.refused(zipped.getvalue(), "was made by an earlier version, and executes code")
        objects = io.BytesIO()
        np.savez(objects, settings="settings", values="{}",
                 **{"array/x": np.array([opener], object)})
        self.refused(objects.getvalue())

    def test_damaged(self):
        good = self.npz(settings="settings", values="{}", **{"array/x": np.zeros(300)})
        for size in (0, 1, 10, 100, len(good) // 2, len(good) - 1):
            self.refused(good[:size])
        self.refused(self.npz(settings="settings"))
        self.refused(self.npz(settings="settings", values="{"))
        self.refused(self.npz(settings="settings", values="[" * 100_000))
        packed = io.BytesIO()
        np.savez_compressed(packed, settings="settings", values="{}", x=np.zeros(10**7))
        self.refused(packed.getvalue(), "compressed")
        rng = random.Random(1)
        for _ in range(300):
            bad = bytearray(good)
            for _ in range(rng.randint(1, 8)):
                bad[rng.randrange(len(bad))] = rng.randrange(256)
            (self.directory / "c").write_bytes(bad)
            with contextlib.suppress(ValueError):
                checkpoint.load(self.path("c"), "settings")
        os.remove(self.path("m.h5.checkpoint"))
        os.mkfifo(self.path("m.h5.checkpoint"))
        with self.assertRaisesRegex(ValueError, "is no regular file"):
            checkpoint.load(self.path("m.h5.checkpoint"), "settings")


class TestForeignHdf5(TestCase):
    """HDF5 files that show other files of this machine."""

    def setUp(self):
        super().setUp()
        self.secret = random_complex(9, 5, 8, 4)
        (self.directory / "secret.bin").write_bytes(self.secret.tobytes())
        with h5py.File(self.path("secret.h5"), "w") as file:
            file["x"] = self.secret
            file.create_dataset("grows", data=self.secret, maxshape=(None, 8, 4))

    def external(self, file):
        settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        settings.set_external(self.path("secret.bin").encode(), 0, self.secret.nbytes)
        h5py.h5d.create(file.id, b"x", h5py.h5t.py_create(self.secret.dtype),
                        h5py.h5s.create_simple(self.secret.shape), settings)

    def virtual(self, file, name=None):
        layout = h5py.VirtualLayout(self.secret.shape, self.secret.dtype)
        layout[:] = h5py.VirtualSource(name or self.path("secret.h5"), "x", self.secret.shape)
        file.create_virtual_dataset("x", layout)

    def virtual_of_another_size(self, file):
        layout = h5py.VirtualLayout(self.secret.shape, self.secret.dtype, (None, 8, 4))
        source = h5py.VirtualSource(self.path("secret.h5"), "grows", self.secret.shape,
                                    maxshape=(None, 8, 4))
        layout[:h5py.h5s.UNLIMITED] = source[:h5py.h5s.UNLIMITED]
        file.create_virtual_dataset("x", layout)

    def cases(self):
        def group(file):
            file["g"] = h5py.ExternalLink(self.path("secret.h5"), "/")

        return (("a.h5", "x", self.external), ("b.h5", "x", self.virtual),
                ("c.h5", "x", lambda f: self.virtual(f, "secret.h5")),
                ("d.h5", "x", self.virtual_of_another_size),
                ("e.h5", "x", lambda f: f.__setitem__(
                    "x", h5py.ExternalLink(self.path("secret.h5"), "x"))),
                ("f.h5", "x", lambda f: (
                    f.__setitem__("y", h5py.ExternalLink(self.path("secret.h5"), "x")),
                    f.__setitem__("x", h5py.SoftLink("/y")))),
                ("g.h5", "g/x", group))

    def test_import_and_inspect(self):
        for name, key, make in self.cases():
            for header in ("", "MATLAB 7.3 MAT-file"):
                path = self.path(header[:6] + name)
                with h5py.File(path, "w", userblock_size=512 if header else 0) as file:
                    make(file)
                    file["own"] = self.secret
                if header:
                    with open(path, "r+b") as file:
                        file.write(header.encode())
                line = self.refuse("cannot be read", "dataset", "import", path, "--key", key,
                                   "--axes", "n,na,nt", "-o", self.path("out.h5"), here=True)
                self.assertRegex(line, "is a link, which is not followed|takes its content from "
                                       "other files")
                self.assertFalse(os.path.exists(self.path("out.h5")))
                if not header and make is not self.external:
                    self.assertNotIn("MATLAB", line)
                with interchange.ArrayFile(path) as found:
                    self.assertEqual(list(found.names), ["own"])
                # The array beside it is taken.
                self.assertEqual(self.run_here(
                    "import", path, "--key", "own", "--axes", "nt,na,n" if header else "n,na,nt",
                    "--overwrite", "-o", self.path("own.h5")), (0, ""))

    def test_nothing_is_opened(self):
        """Not even to ask for its size: a FIFO would wait for ever."""
        os.remove(self.path("secret.h5"))
        os.mkfifo(self.path("secret.h5"))
        for name, key, make in self.cases():
            with h5py.File(self.path(name), "w") as file, contextlib.suppress(OSError):
                make(file)
            process = start("dataset", "import", self.path(name), "--key", key, "--axes",
                            "n,na,nt", "-o", self.path("out.h5"))
            out, err = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 2, err)

    def test_data_sets(self):
        """One that is in the way, or was begun."""
        attributes = {**ATTRIBUTES, "na": 8, "nt": 4, "nc": 8}
        good = self.path("good.h5")
        self.write("good.h5", self.secret, **attributes)
        for name, key, make in self.cases()[:-1]:
            for target in (name, name + ".part"):
                with h5py.File(good) as source, h5py.File(self.path(target), "w",
                                                          libver="earliest") as file:
                    for key, value in source.attrs.items():
                        file.attrs[key] = value
                    for array in ("energy", "energy_lost"):
                        file[array] = source[array][:]
                    make(file)
                    file.move("x", "Ha")
                before = pathlib.Path(self.path(target)).read_bytes()
                with self.assertRaises(ValueError) as caught:
                    DatasetWriter(self.path(name), 5, attributes)
                self.assertRegex(str(caught.exception), "link|other files")
                self.assertEqual(pathlib.Path(self.path(target)).read_bytes(), before)
                with self.assertRaises(ValueError):
                    Dataset(self.path(target))
                os.remove(self.path(target))


def packed_zeros(size):
    """A zlib stream of `size` zeros, without the time that packing them takes."""
    block = 1 << 24
    pack = zlib.compressobj(9, wbits=-15)
    piece = pack.compress(bytes(block)) + pack.flush(zlib.Z_FULL_FLUSH)
    return b"\x78\xda" + piece * (size // block) + zlib.compress(bytes(size % block))[2:-4] \
        + struct.pack(">I", size % 65521 << 16 | 1)


class TestBombs(TestCase):
    """Small files that unpack to much."""

    SIZE = 1_500_000_000

    def mat(self, name, element):
        head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM"
        path = self.path(name)
        pathlib.Path(path).write_bytes(head + struct.pack("<II", 15, len(element)) + element)
        return path

    def matrix_header(self, rows, columns, size, kind=6, order="<", name=b"HT"):
        return struct.pack(order + "II II II II ii HH4s II", 14, size + 48, 6, 8, kind, 0, 5, 8,
                           rows, columns, *((1, len(name)) if order == "<" else (len(name), 1)),
                           name.ljust(4, b"\0"), 9, size)

    def peak_mb(self, *arguments, text, limit=400):
        """Refuses a run that may not take much memory."""
        line = self.refuse(text, "dataset", *arguments, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_DATA, (limit << 20, limit << 20)), env={
                **os.environ, "OPENBLAS_NUM_THREADS": "1"})
        return line

    def packed(self, header, size):
        pack = zlib.compressobj(9)
        head = pack.compress(header) + pack.flush(zlib.Z_FULL_FLUSH)
        sums = zlib.adler32(header)
        low = sums & 0xffff
        return head + packed_zeros(size)[2:-4] + struct.pack(
            ">I", ((sums >> 16) + size * low) % 65521 << 16 | low)

    def test_mat_that_says_so(self):
        rows = self.SIZE // 2048 // 8
        size = rows * 2048 * 8
        path = self.mat("a.mat", self.packed(self.matrix_header(rows, 2048, size), size))
        self.assertLess(os.path.getsize(path), 2 << 20)
        self.peak_mb("import", path, "-o", self.path("out.h5"),
                     text="the array 'HT' unpacks to 1.5 GB, allowed is 1.07 GB (--max-gb)")
        self.assertEqual(json.loads(self.run_app("dataset", "inspect", path, "--json"))["arrays"]["HT"]["shape"],
                         [rows, 2048])

    def test_mat_that_says_less(self):
        """More than is declared is never unpacked."""
        for shape, size in (((4, 2048), self.SIZE // 16 * 16), ((4, 2048), 2 * 4 * 2048 * 8)):
            path = self.mat("a.mat", self.packed(self.matrix_header(*shape, size), self.SIZE))
            self.peak_mb("import", path, "-o", self.path("out.h5"),
                         text=f"an array has a part of {size} bytes, where {4 * 2048 * 8} are")
        # A header that never ends.
        path = self.mat("b.mat", packed_zeros(self.SIZE))
        self.peak_mb("import", path, "-o", self.path("out.h5"), text="an element has the type 0")
        many = struct.pack("<II II II II", 14, 1 << 30, 6, 8, 6, 0, 5, 1 << 30)
        path = self.mat("c.mat", self.packed(many, self.SIZE))
        self.peak_mb("import", path, "-o", self.path("out.h5"), text="an array has a part of")

    def test_limit_can_be_raised(self):
        """And what is large is said beforehand."""
        rows = 10_000
        size = rows * 2048 * 8
        numbers = np.tile([0.4, 0.6], size // 16).tobytes()
        path = self.mat("a.mat", zlib.compress(self.matrix_header(rows, 2048, size) + numbers, 1))
        common = ("dataset", "import", path, "--samples", 3, "-o", self.path("out.h5"))
        self.refuse("unpacks to 0.164 GB, allowed is 0.1 GB", *common, "--max-gb", 0.1)
        code, out, err = end(start(*common, "--max-gb", 0.2))
        self.assertEqual(code, 0, err)
        self.assertEqual(err, f"{path}: 'HT' unpacks to 0.164 GB\n")
        self.refuse("--max-gb is -1", *common, "--max-gb", -1)
        # The limit is no part of what decides the content.
        self.assertIn("was complete", self.run_app(*common, "--max-gb", 0.3))

    def test_npz(self):
        path = self.path("a.npz")
        head = io.BytesIO()
        rows = self.SIZE // 2048 // 8 // 64 * 64
        np.lib.format.write_array_header_1_0(
            head, {"descr": "<f8", "fortran_order": False, "shape": (rows, 2048)})
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, \
                archive.open("HT.npy", "w", force_zip64=True) as member:
            member.write(head.getvalue())
            for _ in range(rows // 64):
                member.write(bytes(64 * 2048 * 8))
        self.assertLess(os.path.getsize(path), 2 << 20)
        self.peak_mb("import", path, "-o", self.path("out.h5"),
                     text="the array 'HT' unpacks to 1.5 GB")
        # The header alone, of any length.
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, \
                archive.open("HT.npy", "w", force_zip64=True) as member:
            member.write(b"\x93NUMPY\2\0" + struct.pack("<I", 1 << 30))
            for _ in range(64):
                member.write(b" " * (1 << 24))
        self.peak_mb("import", path, "-o", self.path("out.h5"), text="cannot be read")

    def test_hdf5(self):
        path = self.path("a.h5")
        # Nothing is stored at all, and everything is declared.
        with h5py.File(path, "w") as file:
            file.create_dataset("x", (10**9, 1024, 32), np.complex64, chunks=(1, 1024, 32))
        self.peak_mb("import", path, "--axes", "n,nc,nt", "-o", self.path("out.h5"),
                     text="unpacks to 2.62e+05 GB", limit=700)
        # A piece that unpacks to more than it should.
        for bomb in (self.SIZE, 300_000):
            with h5py.File(path, "w") as file:
                array = file.create_dataset("x", (4, 64, 32), np.complex64, chunks=(1, 64, 32),
                                            compression="gzip")
                array[:] = 1
                array.id.write_direct_chunk((2, 0, 0), packed_zeros(bomb))
            arguments = ("import", path, "--axes", "n,nc,nt", "--max-gb", 0.0001, "-o",
                         self.path("out.h5"), "--overwrite")
            self.peak_mb(*arguments, text="unpacks to more than its 16384 bytes", limit=700)
        # A filter that HDF5 would look for in a plugin, and deflate twice.
        for filters, text in ((((305, h5py.h5z.FLAG_OPTIONAL, ()),), "filter 305"),
                              (((1, h5py.h5z.FLAG_OPTIONAL, (4,)),) * 2, "packed more than once")):
            with h5py.File(path, "w") as file:
                settings = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
                settings.set_chunk((4, 8, 4))
                for code, flags, values in filters:
                    settings.set_filter(code, flags, values)
                h5py.h5d.create(file.id, b"x", h5py.h5t.py_create(np.dtype(np.complex64)),
                                h5py.h5s.create_simple((4, 8, 4)), settings)
            self.refuse(text, "dataset", "import", path, "--axes", "n,nc,nt", "-o",
                        self.path("out.h5"))
        self.assertFalse(os.path.exists(self.path("out.h5")))


class TestMatlab(TestCase):
    def test_is_what_scipy_writes(self):
        rng = np.random.default_rng(1)
        arrays = {"a": rng.random((3, 4, 5)), "complex": random_complex(1, 3, 4),
                  "c": np.arange(12, dtype=np.int16).reshape(3, 4), "one": np.array([[7]], np.uint8),
                  "empty": np.zeros((0, 3)), "long": rng.random((700, 900)),
                  "text": np.array(["a", "b"]), "cells": np.array([1, "x"], object),
                  "truth": np.array([[True]])}
        for packed in (False, True):
            savemat(self.path("a.mat"), arrays, do_compression=packed)
            file = matlab.MatFile(self.path("a.mat"))
            self.assertEqual(list(file.shapes), list(arrays))
            for name, array in itertools.islice(arrays.items(), 6):
                self.assertEqual(file.shapes[name], array.shape)
                found = file.array(name)
                np.testing.assert_array_equal(found[tuple(slice(None) for _ in array.shape)], array)
            for name, text in (("text", "characters"), ("cells", "cells"), ("truth", "logical")):
                with self.assertRaisesRegex(ValueError, f"'{name}' has no numbers but {text}"):
                    file.array(name)

    def test_version_4(self):
        rng = np.random.default_rng(1)
        arrays = {"a": rng.random((3, 5)), "b": random_complex(1, 3, 4).astype(np.complex64),
                  "c": np.arange(12, dtype=np.int16).reshape(3, 4), "empty": np.zeros((0, 3)),
                  "text": np.array(["ab"])}
        savemat(self.path("a.mat"), arrays, format="4")
        file = matlab.MatFile4(self.path("a.mat"))
        self.assertEqual(list(file.shapes), list(arrays))
        for name in ("a", "b", "c", "empty"):
            np.testing.assert_array_equal(file.array(name)[:, :], arrays[name])
        with self.assertRaisesRegex(ValueError, "'text' has no numbers but characters"):
            file.array("text")
        with interchange.ArrayFile(self.path("a.mat")) as found:
            np.testing.assert_array_equal(found.array("a"), arrays["a"])
        values = np.arange(6.0).reshape(3, 2)
        pathlib.Path(self.path("b.mat")).write_bytes(
            struct.pack(">5i", 1000, 3, 2, 0, 3) + b"HT\0" + values.T.astype(">f8").tobytes())
        np.testing.assert_array_equal(matlab.MatFile4(self.path("b.mat")).array("HT"), values)

    def test_big_endian(self):
        values = np.arange(6.0).reshape(3, 2)
        data = struct.pack(">II II II II ii HH4s II", 14, 48 + 48, 6, 8, 6, 0, 5, 8, 3, 2, 2, 1,
                           b"HT\0\0", 9, 48) + values.T.astype(">f8").tobytes()
        pathlib.Path(self.path("a.mat")).write_bytes(b"MATLAB 5.0".ljust(124) + b"\1\0MI" + data)
        np.testing.assert_array_equal(matlab.MatFile(self.path("a.mat")).array("HT"), values)

    def test_damaged(self):
        """Refused in one way, whatever is wrong."""
        savemat(self.path("a.mat"), {"HT": np.ones((3, 4)), "z": random_complex(1, 2, 2)})
        plain = pathlib.Path(self.path("a.mat")).read_bytes()
        goods = [plain]
        for options in ({"do_compression": True}, {"format": "4"}):
            savemat(self.path("a.mat"), {"HT": np.ones((3, 400))}, **options)
            goods.append(pathlib.Path(self.path("a.mat")).read_bytes())
        rng = random.Random(1)
        for good in goods:
            for _ in range(1000):
                bad = bytearray(good[:rng.choice([len(good), rng.randint(1, len(good))])])
                for _ in range(rng.randint(0, 6)):
                    bad[rng.randrange(len(bad))] = rng.choice([0, 1, 255, rng.randrange(256)])
                pathlib.Path(self.path("b.mat")).write_bytes(bad)
                with contextlib.suppress(ValueError, OSError):
                    with interchange.ArrayFile(self.path("b.mat")) as file:
                        for name in file.names:
                            with contextlib.suppress(ValueError):
                                np.asarray(file.array(name)[(slice(None),) * 2])


class TestReadModel(TestCase):
    def test_fingerprint(self):
        """Changes with every array, those that only the BS has too."""
        arrays = {name: np.ones((2, 4), np.float32) for name in ("encoder/W", "decoder/basis")}
        prints = {Model({}, arrays).fingerprint()}
        for name in arrays:
            prints.add(Model({}, {**arrays, name: 2 * arrays[name]}).fingerprint())
        self.assertEqual(len(prints), 3)
        Model({"codec": "klt", "nc": 4, "na": 2, "nt": 2, "precursor": 0}, arrays).write(
            self.path("m.h5"))
        self.assertEqual(read_model(self.path("m.h5")).model_id(), Model({}, arrays).model_id())


if __name__ == "__main__":
    unittest.main()
