#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Data set files and csifeedback_dataset: what is written is what is read, whatever happens."""

import contextlib
import io
import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
import tracemalloc
import unittest
from unittest import mock

import h5py
import numpy as np
from scipy.io import loadmat, savemat

from gnuradio import csifeedback
from gnuradio.csifeedback import channels
from gnuradio.csifeedback.cli import common
from gnuradio.csifeedback.cli import dataset as cli
from gnuradio.csifeedback.data.dataset import Dataset, DatasetWriter

APPS = os.environ["CSIFEEDBACK_APPS"]

#: A small data set that takes some seconds, and many blocks.
SMALL = ("--channel", "cdl-a", "--nc", "64", "--na", "8", "--nt", "4")
SAMPLES = 12_000


def start(program, *args, **options):
    return subprocess.Popen([sys.executable, "-B", f"{APPS}/{program}", *map(str, args)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def finish(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def run_here(*args):
    """The same in this process, which is faster."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), \
            mock.patch("sys.argv", ["csifeedback_dataset", *map(str, args)]):
        try:
            common.run(cli.main)
        except SystemExit as end:
            return end.code, out.getvalue(), err.getvalue()


def limit_file_size(size):
    """A preexec_fn: as a disk with this much room for one file."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def unitary_dft(n):
    """exp(-j 2 pi k m / n) / sqrt(n)."""
    k = np.arange(n)
    return np.exp(-2j * np.pi * np.outer(k, k) / n) / np.sqrt(n)


def angular_delay(h, na, precursor=0):
    """Ha of H (n, nc, nt) in double precision, from the definition."""
    nc, nt = h.shape[1:]
    ha = unitary_dft(nc).conj() @ h @ unitary_dft(nt)
    return ha[:, np.arange(-precursor, na - precursor) % nc]


def random_complex(seed, *shape):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


ATTRIBUTES = {"domain": "Ha", "nc": 16, "na": 4, "nt": 3, "precursor": 1, "align": 0,
              "spacing_hz": 15e3, "sample_interval_s": 0.0, "channel": "test",
              "command": "none"}


class TestCase(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def file(self, name):
        return str(self.directory / name)

    def bytes_of(self, name):
        return (self.directory / name).read_bytes()

    def run_app(self, *args, program=None):
        """stdout of a run that succeeds."""
        code, out, err = finish(start(program, *args)) if program else run_here(*args)
        self.assertEqual(code, 0, err)
        return out

    def run_bad(self, *args, **options):
        """The one line on stderr of a run that is refused."""
        code, out, err = (finish(start("csifeedback_dataset", *args, **options)) if options
                          else run_here(*args))
        self.assertEqual((code, out), (2, ""), err)
        lines = err.splitlines()
        self.assertEqual(len(lines), 1, err)
        return lines[0]

    def write(self, name, matrices, **attributes):
        with DatasetWriter(self.file(name), len(matrices), {**ATTRIBUTES, **attributes}) as w:
            w.append(matrices)


class TestFile(TestCase):
    def test_round_trip(self):
        ha = random_complex(1, 10, 4, 3)
        lost = np.linspace(0, 0.5, 10)
        with DatasetWriter(self.file("a.h5"), 10, {**ATTRIBUTES, "seed": 5, "first": 7}) as w:
            w.append(ha[:3], energy_lost=lost[:3])
            w.append(ha[3:], energy_lost=lost[3:])
        with Dataset(self.file("a.h5")) as data:
            self.assertEqual(
                (len(data), data.whole, data.nc, data.na, data.nt, data.precursor, data.align,
                 data.spacing_hz, data.sample_interval_s, data.channel, data.parameters,
                 data.command, data.seed, data.first),
                (10, False, 16, 4, 3, 1, False, 15e3, 0.0, "test", "", "none", 5, 7))
            np.testing.assert_array_equal(data.angular_delay(), ha)
            np.testing.assert_array_equal(data.read(4, 2), ha[4:6])
            np.testing.assert_array_equal(data.energy_lost, lost.astype(np.float32))
            np.testing.assert_allclose(data.energy, np.sum(np.abs(ha)**2, axis=(1, 2)), 1e-6)
        with h5py.File(self.file("a.h5")) as file:
            np.testing.assert_array_equal(file["Ha"], ha)
        self.assertEqual(os.listdir(self.directory), ["a.h5"])

    def test_matrices_larger_than_a_block(self):
        h = random_complex(2, 3, 4096, 256)
        self.write("h.h5", h, domain="H", nc=4096, na=8, nt=256)
        with Dataset(self.file("h.h5")) as data:
            chunks = list(data.chunks())
            self.assertEqual([c.shape for c in chunks], [(2, 8, 256), (1, 8, 256)])

    def test_whole_matrices_are_cut_when_read(self):
        h = random_complex(3, 6, 16, 3)
        self.write("h.h5", h, domain="H")
        with Dataset(self.file("h.h5")) as data:
            expected = angular_delay(h, 4, 1)
            np.testing.assert_allclose(data.angular_delay(), expected, atol=1e-5)
            lost = 1 - np.sum(np.abs(expected)**2, axis=(1, 2)) / np.sum(np.abs(h)**2, (1, 2))
            np.testing.assert_allclose(data.energy_lost, lost, atol=1e-5)
            np.testing.assert_array_equal(data.read(0, 6), h)

    def test_unfinished_file_can_be_read_and_continued(self):
        ha = random_complex(4, 10, 4, 3)
        with DatasetWriter(self.file("a.h5"), 10, ATTRIBUTES) as w:
            w.append(ha[:6])
        with Dataset(self.file("a.h5.part")) as data:
            np.testing.assert_array_equal(data.angular_delay(), ha[:6])
        with DatasetWriter(self.file("a.h5"), 10, ATTRIBUTES) as w:
            self.assertEqual(w.done, 6)
            w.append(ha[6:])
        self.write("b.h5", ha)
        self.assertEqual(self.bytes_of("a.h5"), self.bytes_of("b.h5"))

    def test_other_data_are_never_overwritten(self):
        ha = random_complex(5, 4, 4, 3)
        with DatasetWriter(self.file("a.h5"), 8, ATTRIBUTES) as w:
            w.append(ha)
        for samples, changes in ((8, {"nc": 17}), (9, {}), (8, {"command": "x"}),
                                 (8, {"seed": 1})):
            with self.assertRaisesRegex(ValueError, r"a\.h5\.part: was begun by another command"):
                DatasetWriter(self.file("a.h5"), samples, {**ATTRIBUTES, **changes})
        (self.directory / "text.h5").write_text("precious")
        with self.assertRaisesRegex(ValueError, r"text\.h5: exists and is another data set"):
            DatasetWriter(self.file("text.h5"), 8, ATTRIBUTES)
        self.assertEqual(self.bytes_of("text.h5"), b"precious")
        with DatasetWriter(self.file("a.h5"), 4, ATTRIBUTES, overwrite=True) as w:
            w.append(ha)
        with Dataset(self.file("a.h5")) as data:
            self.assertEqual(len(data), 4)

    def test_two_writers_at_once(self):
        with DatasetWriter(self.file("a.h5"), 8, ATTRIBUTES):
            code = ("import sys\n"
                    "from gnuradio.csifeedback.data.dataset import DatasetWriter\n"
                    "try:\n"
                    f"    DatasetWriter({self.file('a.h5')!r}, 8, {ATTRIBUTES!r})\n"
                    "except ValueError as error:\n"
                    "    print(error)\n")
            out = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True,
                                 check=True).stdout
        self.assertIn("is being written by another process", out)

    def test_bad_matrices(self):
        ha = random_complex(6, 4, 4, 3)
        with DatasetWriter(self.file("a.h5"), 4, ATTRIBUTES) as w:
            for shape in ((5, 4, 3), (1, 3, 4), (4, 3)):
                with self.assertRaisesRegex(ValueError, "matrices has shape"):
                    w.append(np.zeros(shape))
            w.append(ha[:1])
            bad = ha.copy()
            bad[2, 1, 1] = np.nan
            with self.assertRaisesRegex(ValueError, "sample 3 has a value that is not finite"):
                w.append(bad[:3])
            self.assertEqual(w.done, 1)
            with self.assertRaisesRegex(ValueError, "sample 2 has a value .* too large"):
                w.append(np.stack([ha[1], 1e30 * ha[2]]))
            w.append(ha[1:])
        with Dataset(self.file("a.h5")) as data:
            np.testing.assert_array_equal(data.angular_delay(), ha)

    def test_damaged_files(self):
        ha = random_complex(7, 50, 4, 3)
        self.write("a.h5", ha)
        whole = self.bytes_of("a.h5")
        bad = self.directory / "bad.h5"
        for size in (0, 7, 100, 2000, len(whole) - 1):
            bad.write_bytes(whole[:size])
            with self.assertRaisesRegex(ValueError, r"bad\.h5: "):
                Dataset(bad)
        with h5py.File(bad, "w") as file:
            file["Ha"] = ha
        with self.assertRaisesRegex(ValueError, r"bad\.h5: "):
            Dataset(bad)
        with self.assertRaisesRegex(ValueError, "absent.h5: cannot be opened: No such file"):
            Dataset(self.file("absent.h5"))

    def test_replay_by_the_channel_model(self):
        ha = random_complex(8, 5, 4, 3)
        self.write("a.h5", ha)
        channel = csifeedback.dataset_channel(self.file("a.h5"))
        out, energy, lost = csifeedback.generate_channels(channel, 3, 4, 4, 1)
        np.testing.assert_array_equal(out, ha[[3, 4, 0, 1]])
        whole = csifeedback.generate_channels(channel, 0, 5)[0]
        np.testing.assert_allclose(angular_delay(whole, 4, 1), ha, atol=1e-5)


class TestGenerate(TestCase):
    def test_is_the_channel_model(self):
        self.run_app("generate", "--channel", "cost2100-indoor", "--nc", 128, "--nt", 8, "--na", 16,
                     "--precursor", 3, "--seed", 9, "--first", 40, "--samples", 20,
                     "--no-align", "--area-m", 15, "-o", self.file("a.h5"))
        channel = channels.make_channel("cost2100-indoor", nc=128, nt=8, seed=9, align=False,
                                        area_m=15)
        with Dataset(self.file("a.h5")) as data:
            for i, ha in enumerate(data.angular_delay()):
                expected, energy, lost = channel.generate_truncated(40 + i, 16, 3)
                np.testing.assert_array_equal(ha, expected)
                self.assertAlmostEqual(data.energy[i] / energy, 1, places=6)
                self.assertAlmostEqual(data.energy_lost[i], lost, places=6)
            self.assertEqual((data.nc, data.na, data.nt, data.precursor, data.align, data.seed,
                              data.first, data.channel),
                             (128, 16, 8, 3, False, 9, 40, "cost2100-indoor"))
            self.assertEqual(channels.from_json(data.channel, data.parameters).parameters(),
                             channel.parameters())
            self.assertEqual(
                data.command, "csifeedback_dataset generate --channel cost2100-indoor --samples "
                "20 --first 40 --na 16 --precursor 3 --nc 128 --nt 8 --seed 9 --no-align "
                "--area-m 15.0")

    def test_every_parameter_reaches_the_model(self):
        options = {"spacing_hz": 15e3, "antenna_spacing": 0.6, "seed": 3, "slots_per_drop": 4,
                   "sample_interval_s": 2e-3, "speed_mps": 5.0, "carrier_hz": 2e9,
                   "delay_spread_s": 3e-8, "max_delay_spread_s": 3e-7, "travel_azimuth_deg": 20.0,
                   "travel_zenith_deg": 80.0, "angle_span_deg": 90.0, "sector_element": True,
                   "normalize": True, "nc": 32, "nt": 4}
        args = []
        for name, value in options.items():
            args += [f"--{name.replace('_', '-')}"] + [value] * (value is not True)
        self.run_app("generate", "--channel", "cdl-d", "--samples", 8, "--whole", *args,
                     "-o", self.file("a.h5"))
        channel = channels.make_channel("cdl-d", **options)
        with Dataset(self.file("a.h5")) as data:
            self.assertEqual(data.parameters, channel.parameters())
            self.assertEqual(data.sample_interval_s, 2e-3)
            np.testing.assert_array_equal(data.read(0, 8),
                                          [channel.generate(i) for i in range(8)])

    def test_threads_do_not_change_the_bytes(self):
        for threads in (1, 2, 5):
            self.run_app("generate", *SMALL, "--samples", 3000, "--threads", threads,
                         "-o", self.file(f"{threads}.h5"))
            self.assertEqual(self.bytes_of(f"{threads}.h5"), self.bytes_of("1.h5"))

    def interrupted(self, name, how, samples=SAMPLES):
        """Starts a command and sends a signal after its first block; what it had done."""
        process = start("csifeedback_dataset", "generate", *SMALL, "--samples", samples,
                        "-o", self.file(name))
        done = 0
        while not done:
            self.assertIsNone(process.poll(), "was done before it could be interrupted")
            time.sleep(0.005)
            try:
                with Dataset(self.file(name + ".part")) as data:
                    done = len(data)
            except ValueError:
                pass
        process.send_signal(how)
        code, _, err = finish(process)
        self.assertNotIn("Traceback", err)
        self.assertFalse(os.path.exists(self.file(name)))
        with Dataset(self.file(name + ".part")) as data:
            self.assertGreaterEqual(len(data), done)
            self.assertLess(len(data), samples)
            return code, err, len(data)

    def test_interrupted_and_continued(self):
        self.run_app("generate", *SMALL, "--samples", SAMPLES, "-o", self.file("whole.h5"))
        code, err, _ = self.interrupted("a.h5", signal.SIGINT)
        self.assertEqual((code, err), (
            130, f"interrupted; {self.file('a.h5.part')} has what was finished, the same command goes on\n"))
        self.assertEqual(self.interrupted("b.h5", signal.SIGKILL)[0], -signal.SIGKILL)
        line = self.run_bad("generate", *SMALL, "--samples", SAMPLES, "--seed", 2,
                            "-o", self.file("a.h5"))
        self.assertIn("a.h5.part: was begun by another command: csifeedback_dataset generate "
                      "--channel cdl-a", line)
        for name in ("a.h5", "b.h5"):
            before = len(Dataset(self.file(name + ".part")))
            out = json.loads(self.run_app("generate", *SMALL, "--samples", SAMPLES, "--json",
                                          "-o", self.file(name)))
            self.assertEqual(out["new_samples"], SAMPLES - before)
            self.assertEqual(self.bytes_of(name), self.bytes_of("whole.h5"))
        # Once more: there is nothing to do.
        out = self.run_app("generate", *SMALL, "--samples", SAMPLES, "-o", self.file("a.h5"))
        self.assertIn("was complete", out)

    def test_disk_full_from_the_start(self):
        line = self.run_bad("generate", *SMALL, "--samples", SAMPLES, "-o", self.file("a.h5"),
                            preexec_fn=limit_file_size(1 << 20))
        self.assertRegex(line, r"a\.h5: File too large; the data set needs 3\.\d MB")
        self.assertEqual(os.listdir(self.directory), [])

    def test_disk_full_on_the_way(self):
        done = self.interrupted("a.h5", signal.SIGKILL)[2]
        # 256 bytes per sample, and their energies behind all of them.
        line = self.run_bad("generate", *SMALL, "--samples", SAMPLES, "-o", self.file("a.h5"),
                            preexec_fn=limit_file_size(256 * (done + 5000)))
        self.assertIn(f"a.h5.part: File too large after {done} of {SAMPLES} samples; they are kept",
                      line)
        with Dataset(self.file("a.h5.part")) as data:
            self.assertEqual(len(data), done)
        self.run_app("generate", *SMALL, "--samples", SAMPLES, "-o", self.file("a.h5"))
        self.run_app("generate", *SMALL, "--samples", SAMPLES, "-o", self.file("b.h5"))
        self.assertEqual(self.bytes_of("a.h5"), self.bytes_of("b.h5"))

    def test_bad_use(self):
        for text, *options in (
                ("--samples is 0", "--samples", 0),
                ("--samples is -1", "--samples", -1),
                ("--na is 65, allowed is 1 to 64", "--na", 65),
                ("--na is 0", "--na", 0),
                ("--precursor is 8, allowed is 0 to 7", "--precursor", 8),
                ("--threads is 257", "--threads", 257),
                ("--first is -1", "--first", -1),
                ("--seed is -1", "--seed", -1),
                ("--area-m is no parameter of the channel cdl-a", "--area-m", 10),
                ("delay_spread_s", "--delay-spread-s", -1),
                ("nc", "--nc", 0),
                ("nt", "--nt", 100_000),
                ("speed_mps", "--speed-mps", "nan"),
                ("directory", "-o", self.file("absent/a.h5")),
                ("directory", "-o", str(self.directory))):
            line = self.run_bad("generate", *SMALL, "--samples", 10, "-o", self.file("a.h5"),
                                *options)
            self.assertIn(text, line)
        self.assertEqual(os.listdir(self.directory), [])
        for options in ((), ("generate",), ("generate", *SMALL, "-o", "x", "--samples", "many"),
                        ("generate", *SMALL, "--samples", 5),
                        ("generate", "--channel", "cdl-f", "--samples", 5, "-o", "x")):
            code, out, err = run_here(*options)
            self.assertEqual((code, out), (2, ""))
            self.assertIn("csifeedback_dataset", err.splitlines()[-1])

    def test_no_permission(self):
        os.chmod(self.directory, 0o555)
        self.addCleanup(os.chmod, self.directory, 0o755)
        # Root may write everywhere, so it becomes nobody.
        line = self.run_bad("generate", *SMALL, "--samples", 10, "-o", self.file("a.h5"),
                            preexec_fn=lambda: os.geteuid() or os.setuid(65534),
                            env={**os.environ, "HOME": "/"})
        self.assertIn("Permission denied", line)

    def test_trains_a_model_that_can_be_evaluated(self):
        sizes = ("--channel", "cdl-a", "--nc", 256, "--na", 16, "--nt", 8)
        self.run_app("generate", *sizes, "--samples", 2000, "-o", self.file("a.h5"))
        self.run_app("generate", *sizes, "--samples", 300, "--first", 100_000, "--whole",
                     "-o", self.file("t.h5"))
        out = json.loads(self.run_app("--codec", "klt", "--dataset", self.file("a.h5"), "--test",
                                      self.file("t.h5"), "-o", self.file("m.h5"),
                                      "--entry-bits", 0, "--json", program="csifeedback_train"))
        rows = json.loads(self.run_app("--codec", self.file("m.h5"), "--dataset",
                                       self.file("t.h5"), "--ratios", "1/4", "--json",
                                       program="csifeedback_eval"))
        self.assertAlmostEqual(out["figures"][0]["nmse_db"], rows[0]["nmse_db"], places=3)
        self.assertAlmostEqual(out["figures"][0]["nmse_whole_db"], rows[0]["nmse_whole_db"],
                               places=3)


class TestImport(TestCase):
    def imported(self, *args):
        self.run_app("import", *args, "--overwrite", "-o", self.file("out.h5"))
        data = Dataset(self.file("out.h5"))
        return data, data.read(0, len(data))

    def save(self, name, **arrays):
        """The arrays in a file whose extension says how."""
        path = self.file(name)
        kind = name.split(".", 1)[1]
        if kind == "npy":
            np.save(path, *arrays.values())
        elif kind == "npz":
            np.savez_compressed(path, **arrays)
        elif kind == "mat":
            savemat(path, arrays, do_compression=True)
        elif kind == "h5":
            with h5py.File(path, "w") as file:
                for key, array in arrays.items():
                    file[key] = array
        else:
            # As MATLAB does it: a header of 512 bytes, axes in reverse, complex numbers as
            # compounds of real and imag.
            with h5py.File(path, "w", userblock_size=512) as file:
                for key, array in arrays.items():
                    if np.iscomplexobj(array):
                        kind = array.real.dtype
                        pairs = np.empty(array.shape, [("real", kind), ("imag", kind)])
                        pairs["real"], pairs["imag"] = array.real, array.imag
                        array = pairs
                    file.create_dataset(key, data=array.T, chunks=True, compression="gzip")
            with open(path, "r+b") as file:
                file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM")
        return path

    def test_csinet_files(self):
        rng = np.random.default_rng(1)
        ht = rng.random((7, 2048))
        ha = (ht[:, :1024] - 0.5 + 1j * (ht[:, 1024:] - 0.5)).reshape(7, 32, 32)
        expected = ha.transpose(0, 2, 1)
        for name in ("a.mat", "b.v73.mat", "c.npz", "d.npy", "e.h5"):
            for kind in (np.float64, np.float32):
                path = self.save(name, HT=ht.astype(kind))
                data, matrices = self.imported(path, *(["--csinet"] if name == "d.npy" else []))
                np.testing.assert_allclose(matrices, expected, atol=1e-7, err_msg=name)
                self.assertEqual((data.whole, data.nc, data.na, data.nt, data.precursor,
                                  data.align), (False, 1024, 32, 32, 0, False))

    def test_csinet_whole_channel(self):
        hf = random_complex(2, 5, 4000).astype(np.complex128)
        for name in ("a.mat", "b.v73.mat"):
            path = self.save(name, HF_all=hf, other=np.zeros(3))
            data, matrices = self.imported(path, "--key", "HF_all")
            np.testing.assert_array_equal(
                matrices, hf.astype(np.complex64).reshape(5, 32, 125).transpose(0, 2, 1))
            self.assertEqual((data.whole, data.nc, data.nt), (True, 125, 32))

    def test_an_array_without_a_name_is_not_guessed(self):
        """Packets by subcarriers, whose number happens to be a multiple of 32."""
        rng = np.random.default_rng(8)
        for name, array, proposals in (
                ("wifi.npy", random_complex(9, 40, 256),
                 ["--axes sample,subcarrier"]),
                ("wifi.mat", random_complex(9, 40, 64), ["--axes sample,subcarrier"]),
                ("amplitude.npy", rng.random((20, 192)), []),
                ("amplitude.npz", rng.random((20, 128)), []),
                ("pairs.h5", rng.standard_normal((2, 9, 64, 4)),
                 ["--axes reim,sample,subcarrier,antenna", "--axes reim,antenna,subcarrier,sample"]),
                ("octave.mat", random_complex(1, 64, 4, 30),
                 ["--axes sample,antenna,subcarrier", "--axes subcarrier,antenna,sample"])):
            path = self.save(name, csi=array)
            line = self.run_bad("import", path, "-o", self.file("out.h5"))
            self.assertIn("needs --axes", line)
            for proposal in proposals:
                self.assertIn(proposal, line)
                self.imported(path, *proposal.split())
        data, matrices = self.imported(self.save("wifi.npy", csi=random_complex(9, 40, 256)),
                                       "--axes", "sample,subcarrier,antenna", "--reshape", "256,1")
        np.testing.assert_array_equal(matrices[..., 0], random_complex(9, 40, 256))
        self.assertEqual((data.nc, data.nt), (256, 1))

    def test_numbers_without_a_sign(self):
        """Unsigned numbers are shifted by something; floats may be, which is said."""
        x = np.random.default_rng(1).integers(0, 256, (5, 6, 4, 2)).astype(np.uint8)
        path = self.save("bytes.npy", x=x)
        self.assertIn("the numbers are uint8, without sign: --offset says what to subtract, for example "
                      "--offset 127.5", self.run_bad("import", path, "--axes", "n,nc,nt,reim", "-o",
                                                     self.file("bytes.h5")))
        _, matrices = self.imported(path, "--axes", "n,nc,nt,reim", "--offset", "127.5")
        np.testing.assert_allclose(matrices, x[..., 0] - 127.5 + 1j * (x[..., 1] - 127.5), rtol=1e-6)
        for shift, said in ((0.5, True), (0.0, False)):
            floats = self.save("floats.npy", x=x / np.float32(255) - np.float32(0.5 - shift))
            code, _, errors = run_here("import", floats, "--axes", "n,nc,nt,reim", "-o",
                                       self.file(f"floats{shift}.h5"))
            self.assertEqual(code, 0, errors)
            self.assertEqual("no real or imaginary part is negative" in errors, said)

    def test_names_of_arrays(self):
        """HDF5 names may begin with a slash, arrays without elements are no choice, and what is
        misspelt is named."""
        x = random_complex(15, 3, 6, 4)
        path = self.file("names.h5")
        with h5py.File(path, "w") as file:
            file["group/H"], file["nothing"] = x, np.zeros((0, 3))
        for key in ((), ("--key", "group/H"), ("--key", "/group/H")):
            _, matrices = self.imported(path, *key, "--axes", "n,nc,nt")
            np.testing.assert_array_equal(matrices, x)
        self.assertIn("axis is 'subcarier', allowed is", line := self.run_bad(
            "import", path, "--axes", "n,subcarier,nt", "-o", self.file("out.h5")))
        self.assertIn("is it 'subcarrier'?", line)

    def test_broken_npy(self):
        path = self.save("short.npy", x=random_complex(16, 3, 6, 4))
        os.truncate(path, os.path.getsize(path) - 8)
        self.assertIn("short.npy: cannot be read: the file is truncated", self.run_bad(
            "import", path, "--axes", "n,nc,nt", "-o", self.file("out.h5")))
        path = self.file("objects.npy")
        np.save(path, np.array([1, "a"], object), allow_pickle=True)
        self.assertIn("its elements are Python objects, which are not read", self.run_bad(
            "import", path, "--axes", "n,nc", "-o", self.file("out.h5")))

    def test_numbers_lie_around_the_offset(self):
        x = 0.1 * np.random.default_rng(10).standard_normal((30, 2048)).clip(-4, 4)
        for name, array, allowed in (
                ("mean 0", x, 0), ("one side", x + 0.4, 0.4), ("signs", 2 * x, 0),
                ("bytes", np.round(255 * (x + 0.5)).astype(np.uint8), 127.5)):
            path = self.save("a.mat", HT=array)
            line = self.run_bad("import", path, "-o", self.file("out.h5"))
            self.assertRegex(line, r"the numbers are .* with mean .*--offset", name)
            self.assertIn(f"{array.mean():.4g}", line)
            _, matrices = self.imported(path, "--offset", allowed)
            rows = array.astype(float).reshape(30, 2, 32, 32) - allowed
            np.testing.assert_allclose(matrices, (rows[:, 0] + 1j * rows[:, 1]).transpose(0, 2, 1),
                                       atol=1e-5 * np.abs(rows).max())
        axes = ("--axes", "sample,reim,angle,delay", "--reshape", "2,32,32")
        path = self.save("a.mat", HT=x)
        self.assertIn("--offset 0", self.run_bad("import", path, *axes, "--offset", 0.5, "-o",
                                                 self.file("out.h5")))
        self.assertIn("expected were numbers around 0.5", self.run_bad(
            "import", self.save("c.npy", x=random_complex(1, 4, 4)), "--axes", "nc,nt",
            "--offset", 0.5, "-o", self.file("out.h5")))

    def test_fields_of_complex_numbers(self):
        x = random_complex(11, 6, 5, 4).astype(complex)
        parts = {"re": x.real, "im": x.imag}
        polar = {"re": np.abs(x), "im": np.angle(x)}
        for first, second, values in (
                ("r", "i", parts), ("Re", "Im", parts), ("real", "imag", parts),
                ("I", "Q", parts), ("magnitude", "phase", polar), ("Amplitude", "Angle", polar)):
            for names in ((first, second), (second, first)):
                for kind in ("f2", "f4", "f8"):
                    pairs = np.empty(x.shape, [(name, kind) for name in names])
                    pairs[first], pairs[second] = values["re"], values["im"]
                    for name in ("a.npy", "a.npz", "a.h5", "a.v73.mat"):
                        _, matrices = self.imported(self.save(name, x=pairs), "--axes", "n,nc,nt")
                        np.testing.assert_allclose(
                            matrices, x, atol=2e-2 if kind == "f2" else 1e-5,
                            err_msg=f"{name} {names} {kind}")
        counts = np.empty(x.shape, [("Q", np.int16), ("I", np.int16)])
        counts["I"], counts["Q"] = 1000 * x.real, 1000 * x.imag
        _, matrices = self.imported(self.save("a.h5", x=counts), "--axes", "n,nc,nt")
        np.testing.assert_allclose(matrices, 1000 * x, atol=1.5)
        for names in (("time", "rssi"), ("i", "x"), ("re", "phase"), ("a", "b")):
            pairs = np.empty(x.shape, [(name, "f4") for name in names])
            for name in ("a.npy", "a.h5"):
                line = self.run_bad("import", self.save(name, x=pairs), "--axes", "n,nc,nt", "-o",
                                    self.file("out.h5"))
                self.assertRegex(line, "has the fields .*a complex number is")

    def test_bad_matrices_are_named_or_left_out(self):
        x = random_complex(12, 30, 6, 4)
        x[7] = 0
        x[[3, 20], 2, 1] = np.nan, np.inf
        path = self.save("a.npy", x=x)
        self.assertIn("sample 3 has a value that is not finite, or an energy that is too large or too "
                      "small for a float; 3 of 30 matrices are zero or not finite: 3, 7, 20; --drop-bad "
                      "leaves", self.run_bad(
                          "import", path, "--axes", "n,nc,nt", "-o", self.file("out.h5")))
        # Nothing is left that would be in the way of the next try.
        self.assertFalse(os.path.exists(self.file("out.h5.part")))
        code, _, errors = run_here("import", path, "--axes", "n,nc,nt", "--drop-bad", "-o",
                                   self.file("out.h5"))
        self.assertEqual(code, 0, errors)
        tiny = self.save("tiny.npy", x=random_complex(13, 3, 6, 4).astype(complex) * 1e-30)
        self.assertRegex(self.run_bad("import", tiny, "--axes", "n,nc,nt", "-o", self.file("tiny.h5")),
                         "tiny.npy: sample 0 .* too small for a float; all 3 matrices are")
        lost = random_complex(14, 3, 6, 4)
        lost[:, 0] = np.nan
        line = run_here("import", self.save("lost.npy", x=lost), "--axes", "n,nc,nt", "-o",
                        self.file("lost.h5"))[2]
        self.assertIn("0:1 are the same, or not finite, in all matrices", line)
        self.assertIn("--carriers 1:6 leaves them out", line)
        self.assertIn("sample 7 is zero", self.run_bad(
            "import", path, "--axes", "n,nc,nt", "--first", 4, "-o", self.file("four.h5")))
        code, _, errors = run_here("import", path, "--axes", "n,nc,nt", "--drop-bad", "-o",
                                   self.file("some.h5"))
        self.assertEqual(code, 0, errors)
        self.assertIn("left out 3 of 30 matrices, zero or not finite: 3, 7, 20", errors)
        with Dataset(self.file("some.h5")) as data:
            np.testing.assert_array_equal(data.read(0, len(data)), np.delete(x, [3, 7, 20], 0))
        self.assertIn("all 1 matrices are zero", self.run_bad(
            "import", path, "--axes", "n,nc,nt", "--drop-bad", "--first", 7, "--samples", 1, "-o",
            self.file("none.h5")))

    def test_align(self):
        """A path at delay 9.3 rows goes to delay zero; rows that were cut already stay."""
        nc, nt = 64, 4
        h = np.exp(-2j * np.pi * np.outer(np.arange(nc), np.full(nt, 9.3)) / nc)[None]
        path = self.save("h.npy", x=np.repeat(h, 3, axis=0))
        data, matrices = self.imported(path, "--axes", "n,nc,nt", "--na", 16, "--align")
        self.assertTrue(data.align)
        self.assertGreater(np.sum(np.abs(data.angular_delay()[0, 0]) ** 2), 0.99 * nc * nt)
        np.testing.assert_allclose(np.abs(matrices), 1, atol=1e-4)
        path = self.save("ha.npy", x=random_complex(13, 3, 16, 4))
        code, _, errors = run_here("import", path, "--axes", "n,na,nt", "--align", "--overwrite",
                                   "-o", self.file("out.h5"))
        self.assertEqual(code, 0, errors)
        self.assertIn("the delay rows stay as they are", errors)

    def test_a_plane_wave_lands_in_its_cell(self):
        """Delay 5 rows, angle bin 3, in each layout that tells them apart."""
        nc, nt, delay, angle = 64, 8, 5, 3
        h = np.exp(-2j * np.pi * np.outer(np.arange(nc), np.full(nt, delay)) / nc
                   + 2j * np.pi * np.arange(nt) * angle / nt)
        ha = np.zeros((16, nt), complex)
        ha[delay, angle] = np.sqrt(nc * nt)
        beams = unitary_dft(nt)
        for axes, array in (("sample,subcarrier,antenna", h[None]),
                            ("subcarrier,antenna,sample", h[:, :, None]),
                            ("n,nt,nc", h.T[None]),
                            ("subcarrier,angle,sample", (h @ beams)[:, :, None]),
                            ("na,nt", ha),
                            ("angle,delay,n", ha.T[:, :, None]),
                            ("sample,antenna,delay", (ha @ beams.conj()).T[None])):
            data, _ = self.imported(self.save("a.npy", x=array), "--axes", axes, "--nc", nc,
                                    "--na", 16)
            cut = data.angular_delay()
            self.assertEqual(cut.shape, (1, 16, nt), axes)
            np.testing.assert_allclose(cut[0], ha, atol=1e-4, err_msg=axes)

    def test_named_axes(self):
        x = random_complex(3, 2, 3, 5, 4)  # users, slots, antennas, subcarriers
        expected = x.reshape(6, 5, 4).transpose(0, 2, 1)
        pairs = np.stack([x.real, x.imag])
        for axes, array in (("user,slot,antenna,subcarrier", x),
                            ("sample,sample,antenna,subcarrier", np.asfortranarray(x)),
                            ("reim,sample,n,antenna,subcarrier", pairs),
                            ("sample,sample,antenna,subcarrier,reim", np.moveaxis(pairs, 0, -1)),
                            ("subcarrier,sample,sample,antenna", np.moveaxis(x, -1, 0))):
            for name in ("a.npy", "b.npz", "c.h5", "d.mat", "e.v73.mat"):
                path = self.save(name, x=array)
                _, matrices = self.imported(path, "--axes", axes)
                np.testing.assert_array_equal(matrices, expected, (axes, name))
        path = self.save("a.npy", x=x)
        _, matrices = self.imported(path, "--axes", "sample,sample,antenna,row", "--domain", "H",
                                    "--first", 2, "--samples", 3)
        np.testing.assert_array_equal(matrices, expected[2:5])
        data, matrices = self.imported(self.save("f.npy", x=expected.reshape(6, 20)), "--axes",
                                       "sample,na,nt", "--reshape", "4,5", "--align",
                                       "--precursor", 2, "--spacing-hz", 15e3, "--name", "field")
        np.testing.assert_array_equal(matrices, expected)
        self.assertEqual((data.align, data.precursor, data.spacing_hz, data.channel),
                         (True, 2, 15e3, "field"))

    def test_more_than_one_block(self):
        x = random_complex(4, 2500, 8, 4)
        _, matrices = self.imported(self.save("a.v73.mat", x=x), "--axes", "n,nc,nt")
        np.testing.assert_array_equal(matrices, x)

    def test_memory_stays_small(self):
        x = np.ones((500, 1024, 32), np.complex64)
        for name in ("a.npy", "a.npz", "a.v73.mat"):
            path = self.save(name, x=x)
            tracemalloc.start()
            self.imported(path, "--axes", "n,nc,nt", "--samples", "1")
            one = tracemalloc.get_traced_memory()[1]
            tracemalloc.reset_peak()
            run_here("import", path, "--axes", "n,nc,nt", "-o", self.file(name + ".h5"))
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            self.assertLess(peak - one, 0.6 * x.nbytes, name)
            self.assertTrue(os.path.exists(self.file(name + ".h5")))

    def test_bad_axes(self):
        real = self.save("real.npy", x=np.zeros((5, 4, 3, 2)))
        x = self.save("x.npy", x=random_complex(5, 5, 4, 3))
        for path, text, *options in (
                (x, "needs? --axes"),
                (x, "2 axes are named", "--axes", "n,nc"),
                (x, "axis is 'colour', allowed is sample, n, user", "--axes", "n,nc,colour"),
                (x, "expected is one of antenna, angle, nt", "--axes", "nc,antenna,angle"),
                (x, "expected is one of subcarrier, delay, row", "--axes", "n,n,nt"),
                (x, "expected is one of subcarrier, delay, row", "--axes", "nc,na,nt"),
                (x, "'reim' has the length 5 of complex64", "--axes", "reim,nc,nt"),
                (x, "domain is None", "--axes", "n,row,nt"),
                (x, "domain is Ha, the row axis is 'subcarrier'", "--axes", "n,nc,nt",
                 "--domain", "Ha"),
                (x, "cannot be reshaped", "--axes", "n,nc,nt", "--reshape", "2,6"),
                (x, "--reshape is 2,x", "--axes", "n,nc,nt", "--reshape", "2,x"),
                (x, "--reshape is given without --axes", "--reshape", "2,6"),
                (x, "has 5 matrices, asked for are 6", "--axes", "n,nc,nt", "--samples", 6),
                (x, "--first is 5", "--axes", "n,nc,nt", "--first", 5),
                (x, "asked for are 0", "--axes", "n,nc,nt", "--samples", 0),
                (x, "--na is 3, the matrices have 4 rows", "--axes", "n,na,nt", "--na", 3),
                (x, "subcarriers .--nc. is 3", "--axes", "n,na,nt", "--nc", 3),
                (x, "--precursor is 4", "--axes", "n,na,nt", "--precursor", 4),
                (x, "the array has no name, asked for is 'y'", "--axes", "n,na,nt", "--key", "y"),
                (real, "the array is real", "--axes", "n,nc,nt,n"),
                (real, "'reim' has the length 3", "--axes", "n,nc,reim,nt")):
            line = self.run_bad("import", path, *options, "-o", self.file("out.h5"))
            self.assertRegex(line, text)
        self.assertFalse(os.path.exists(self.file("out.h5")))

    def test_bad_files(self):
        ht = np.random.default_rng(6).random((20, 2048))
        nan = ht.copy()
        nan[11, 5] = np.nan
        self.assertIn("sample 11 has a value that is not finite", self.run_bad(
            "import", self.save("nan.npy", HT=nan), "--csinet", "-o", self.file("out.h5")))
        objects = self.file("objects.npy")
        np.save(objects, np.array([{}, None]), allow_pickle=True)
        bad = [objects, self.save("strings.npy", x=np.array(["a", "b"])),
               self.save("text.mat", HT=np.array(["a", "b"])),
               self.save("two.npz", a=ht, b=ht), self.save("empty.npy", HT=ht[:0])]
        for name in ("a.mat", "a.v73.mat", "a.npy", "a.npz"):
            content = pathlib.Path(self.save(name, HT=ht)).read_bytes()
            for share in (0, 0.01, 0.5, 0.99):
                path = self.directory / f"cut{share}.{name}"
                path.write_bytes(content[:int(share * len(content))])
                bad.append(str(path))
        # A header that promises far more than there is.
        huge = self.file("huge.npy")
        with open(huge, "wb") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": "<c16", "fortran_order": False, "shape": (1 << 40, 32, 32)})
        bad.append(huge)
        for path in bad:
            line = self.run_bad("import", path, "-o", self.file("out.h5"))
            self.assertIn(path, line)
        for path in ("absent.mat", "."):
            line = self.run_bad("import", self.file(path), "-o", self.file("out.h5"))
            self.assertIn(str(self.directory), line)


class TestExport(TestCase):
    def test_csinet_form(self):
        h = random_complex(7, 6, 64, 4)
        self.write("h.h5", h, domain="H", nc=64, na=8, nt=4, precursor=0)
        ha = angular_delay(h, 8)
        for name in ("a.mat", "a.npz", "a.npy"):
            self.run_app("export", self.file("h.h5"), "-o", self.file(name))
            path = self.file(name)
            found = loadmat(path) if name == "a.mat" else np.load(path)
            ht = found if name == "a.npy" else found["HT"]
            self.assertEqual((ht.shape, ht.dtype), ((6, 64), np.float32))
            self.assertAlmostEqual(float(np.max(np.abs(ht - 0.5))), 0.5, places=6)
            scale = 0.5 / np.max(np.abs([ha.real, ha.imag]))
            x = ht.reshape(6, 2, 4, 8) - 0.5  # real and imaginary part, angle, delay
            np.testing.assert_allclose((x[:, 0] + 1j * x[:, 1]).transpose(0, 2, 1), scale * ha,
                                       atol=1e-6)
            if name != "a.npy":
                self.assertAlmostEqual(float(found["scale"]) / scale, 1, places=5)
                np.testing.assert_array_equal(found["HF_all"],
                                              h.transpose(0, 2, 1).reshape(6, -1))
            # And back.
            self.run_app("import", path, *(["--csinet"] if name == "a.npy" else ["--key", "HT"]), "--nt", 4,
                         "--nc", 64, "--overwrite", "-o", self.file("back.h5"))
            with Dataset(self.file("back.h5")) as back:
                np.testing.assert_allclose(back.angular_delay(), scale * ha, atol=1e-6)

    def test_bad_use(self):
        self.write("a.h5", random_complex(8, 2, 4, 3))
        self.assertIn("extension is '.txt'", self.run_bad(
            "export", self.file("a.h5"), "-o", self.file("a.txt")))
        self.assertIn("absent.h5", self.run_bad(
            "export", self.file("absent.h5"), "-o", self.file("a.mat")))
        self.assertIn("File too large", self.run_bad(
            "export", self.file("a.h5"), "-o", self.file("a.npy"),
            preexec_fn=limit_file_size(64)))
        self.assertEqual(os.listdir(self.directory), ["a.h5"])


class TestInspect(TestCase):
    def test_figures(self):
        ha = random_complex(9, 30, 4, 3)
        lost = np.random.default_rng(9).random(30) / 4
        with DatasetWriter(self.file("a.h5"), 30, ATTRIBUTES) as w:
            w.append(ha, energy_lost=lost)
        found = json.loads(self.run_app("inspect", self.file("a.h5"), "--json", "--plot",
                                        self.file("a.png")))
        self.assertEqual((found["domain"], found["samples"], found["nc"], found["na"],
                          found["nt"], found["channel"], found["seed"]),
                         ("Ha", 30, 16, 4, 3, "test", None))
        np.testing.assert_allclose(found["row_power"],
                                   np.mean(np.sum(np.abs(ha)**2, axis=2), axis=0), 1e-5)
        self.assertAlmostEqual(found["energy_lost"]["mean"], np.mean(lost), places=6)
        self.assertAlmostEqual(found["energy_lost"]["most"], np.max(lost), places=6)
        self.assertAlmostEqual(found["energy"]["mean"] / np.mean(np.sum(np.abs(ha)**2, (1, 2))),
                               1, places=5)
        self.assertTrue(self.bytes_of("a.png").startswith(b"\x89PNG"))
        text = self.run_app("inspect", self.file("a.h5"))
        for line in ("samples      30 of Ha", "H            16 x 3, 15000 Hz apart",
                     "channel      test"):
            self.assertIn(line + "\n", text)

    def test_other_files(self):
        path = self.file("a.mat")
        savemat(path, {"HT": np.zeros((5, 2048))})
        self.assertEqual(json.loads(self.run_app("inspect", path, "--json")),
                         {"file": path, "arrays": {"HT": {
                             "type": "float64", "shape": [5, 2048], "least": 0.0, "most": 0.0,
                             "mean": 0.0, "import": "(none)"}}})
        self.assertRegex(self.run_app("inspect", path), r"HT +5 x 2048 +float64 +0 +0 +0\n")
        self.assertIn("--plot needs a data set",
                      self.run_bad("inspect", path, "--plot", self.file("a.png")))
        for name, content in (("a.txt", b"text"), ("b.h5", b"\x89HDF\r\n\x1a\n"), ("c", b"")):
            (self.directory / name).write_bytes(content)
            self.assertIn(self.file(name), self.run_bad("inspect", self.file(name)))
        self.assertIn("absent", self.run_bad("inspect", self.file("absent")))
        self.assertIn("Is a directory", self.run_bad("inspect", str(self.directory)))


if __name__ == "__main__":
    unittest.main()
