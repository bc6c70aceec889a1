#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_dataset import: subcarriers, two arrays, many files, structures and cells, panels; and
what inspect and models say of files."""

import contextlib
import io
import json
import os
import pathlib
import shlex
import tempfile
import unittest

import h5py
import numpy as np
from gnuradio.csifeedback.cli import dataset as cli
from gnuradio.csifeedback.data import composed, interchange, matlab
from gnuradio.csifeedback.data.dataset import Dataset
from scipy.io import savemat

AXES = ("--axes", "sample,subcarrier,antenna")


def random_complex(seed, *shape):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


class TestCase(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.h = random_complex(1, 5, 64, 4)

    def path(self, name):
        return str(self.directory / name)

    def run_here(self, *arguments):
        """(stdout, stderr) of csifeedback_dataset."""
        with contextlib.redirect_stdout(io.StringIO()) as out, \
                contextlib.redirect_stderr(io.StringIO()) as err:
            cli.main([str(a) for a in arguments])
        return out.getvalue(), err.getvalue()

    def read(self, *arguments):
        """(matrices of an import, what it said on stderr)."""
        _, err = self.run_here("import", *arguments, "--overwrite", "-o", self.path("out.h5"))
        with Dataset(self.path("out.h5")) as data:
            return data.read(0, len(data)), err

    def check(self, expected, *arguments):
        found, _ = self.read(*arguments)
        self.assertEqual(found.shape, expected.shape)
        np.testing.assert_allclose(found, expected, atol=2e-6)

    def refuse(self, text, *arguments):
        with self.assertRaisesRegex(ValueError, text):
            self.run_here("import", *arguments, "-o", self.path("none.h5"))
        self.assertFalse(os.path.exists(self.path("none.h5")))

    def save(self, name, array):
        np.save(self.path(name), array)
        return self.path(name)

    def mat73(self, name, make):
        """A MATLAB file of version 7.3; make(file) fills it."""
        with h5py.File(self.path(name), "w", userblock_size=512) as file:
            make(file)
        with open(self.path(name), "r+b") as file:
            file.write(b"MATLAB 7.3 MAT-file")
        return self.path(name)


class Carriers(TestCase):

    def test_choice_and_order(self):
        path = self.save("h.npy", self.h)
        used = [*range(6, 32), *range(33, 59)]
        self.check(self.h[:, used], path, *AXES, "--carriers", "6:32,33:59")
        self.check(self.h[:, ::-1], path, *AXES, "--carriers", "::-1")
        self.check(self.h[:, [7, 3, 63]], path, *AXES, "--carriers", "7,3,-1")
        shifted = np.fft.fftshift(self.h, axes=1)
        self.check(shifted, path, *AXES, "--fft-order")
        self.check(shifted[:, used], path, *AXES, "--fft-order", "--carriers", "6:32,33:59")
        # The axis of the subcarriers may be anywhere.
        path = self.save("t.npy", self.h.transpose(1, 2, 0))
        self.check(self.h[:, used], path, "--axes", "nc,nt,n", "--carriers", "6:32,33:59")
        path = self.save("r.npy", self.h.reshape(5, -1))
        self.check(self.h[:, used], path, *AXES, "--reshape", "64,4", "--carriers", "6:32,33:59")

    def test_refused(self):
        path = self.save("h.npy", self.h)
        for wrong in ("64", "0:65", "a", "1:2:3:4", "", "5,5", "3:3", "0:4,2", "-65", "1:9:0"):
            self.refuse(r"--carriers (has|is) .*0 to 63", path, *AXES, "--carriers", wrong)
        for option in (("--carriers", "1:5"), ("--fft-order",)):
            self.refuse("subcarriers are those of H", path, "--axes", "n,na,nt", *option)

    def test_null_carriers_are_said(self):
        h = self.h.copy()
        h[:, :6], h[:, 32], h[:, 59:] = 0, 1, 0
        path = self.save("z.npy", h)
        _, err = self.read(path, *AXES)
        self.assertIn("the subcarriers 0:6,32:33,59:64 are the same in all matrices", err)
        option = err[err.index("--carriers"):].split()[:2]
        self.assertEqual(option[1], "6:32,33:59")
        self.assertNotIn("note", self.read(path, *AXES, *option)[1])
        self.assertNotIn("note", self.read(self.save("h.npy", self.h), *AXES)[1])
        # One matrix again and again has no such carriers.
        self.assertNotIn("note", self.read(self.save("s.npy", self.h[[0, 0, 0]]), *AXES)[1])

    def test_as_text(self):
        for numbers in ([0], [3, 4, 5, 9], [*range(6, 32), *range(33, 59)]):
            text = composed.as_carriers(numbers)
            np.testing.assert_array_equal(composed.parse_carriers(text, 64), numbers)


class TwoArrays(TestCase):

    def test_parts(self):
        path = self.path("p.npz")
        np.savez(path, H_re=self.h.real, H_im=self.h.imag, amp=np.abs(self.h),
                 phase=np.angle(self.h), deg=np.degrees(np.angle(self.h)), few=self.h.imag[:3])
        self.check(self.h, path, *AXES, "--key", "H_re", "--imag", "H_im")
        self.check(self.h, path, *AXES, "--key", "amp", "--phase", "phase")
        self.check(self.h, path, *AXES, "--key", "amp", "--phase", "deg", "--degrees")
        self.check(self.h[:, 8:16], path, *AXES, "--key", "H_re", "--imag", "H_im", "--carriers", "8:16")
        self.refuse("--imag is few: the two arrays have the shapes", path, *AXES, "--key", "H_re",
                    "--imag", "few")
        self.refuse("--imag is H_mi: .*is it 'H_im'", path, *AXES, "--key", "H_re", "--imag", "H_mi")
        self.refuse("--degrees is given without --phase", path, *AXES, "--key", "H_re", "--degrees")
        self.refuse("--imag is given without --axes", path, "--key", "H_re", "--imag", "H_im")

    def test_files(self):
        real, imag = self.save("re.npy", self.h.real), self.save("im.npy", self.h.imag)
        self.check(self.h, real, *AXES, "--imag", imag)
        self.refuse("allowed are real numbers", self.save("h.npy", self.h), *AXES, "--imag", imag)
        self.refuse("--imag is .*re.npy: it is the same array", real, *AXES, "--imag", real)
        self.refuse("the array has no name, asked for is 'nowhere.npy'; nor is there a file of this name",
                    real, *AXES, "--imag", "nowhere.npy")
        # A data set says which of both files it is of.
        first = self.path("first.h5")
        self.run_here("import", real, *AXES, "--imag", imag, "-o", first)
        self.save("im.npy", 2 * self.h.imag)
        with self.assertRaisesRegex(ValueError, "differs in parameters"):
            self.run_here("import", real, *AXES, "--imag", imag, "-o", first)
        # What is read is not replaced.
        for name in (real, imag):
            before = os.path.getsize(name)
            with self.assertRaisesRegex(ValueError, "which is read"):
                self.run_here("import", real, *AXES, "--imag", imag, "--overwrite", "-o", name)
            self.assertEqual(os.path.getsize(name), before)

    def test_shifted_and_unsigned(self):
        """Two arrays, and compounds, are looked at as one real array is."""
        re, im = (np.round(20 * x + 128).astype(np.uint8) for x in (self.h.real, self.h.imag))
        expected = (re - 128.0 + 1j * (im - 128.0)).astype(np.complex64)
        compound = np.zeros(re.shape, [("Q", "u1"), ("I", "u1")])
        compound["I"], compound["Q"] = re, im
        parts = self.save("re.npy", re), *AXES, "--imag", self.save("im.npy", im)
        for arguments in (parts, (self.save("c.npy", compound), *AXES)):
            self.refuse("without sign: --offset says what to subtract", *arguments)
            self.check(expected, *arguments, "--offset", 128)
        shifted = self.save("shifted.npy", self.h / 20 + (0.5 + 0.5j))
        self.assertIn("no real or imaginary part is negative", self.read(shifted, *AXES)[1])
        found, err = self.read(shifted, *AXES, "--offset", 0.5)
        np.testing.assert_allclose(found, self.h / 20, atol=1e-6)
        self.assertEqual(err, "")

    def test_compounds_of_amplitude_and_phase(self):
        polar = np.zeros(self.h.shape, [("magnitude", "f4"), ("phase", "f4")])
        polar["magnitude"], polar["phase"] = np.abs(self.h), np.angle(self.h)
        self.check(self.h, self.save("rad.npy", polar), *AXES)
        self.refuse("the numbers are amplitudes and phases", self.path("rad.npy"), *AXES, "--offset", 1)
        polar["phase"] = np.degrees(polar["phase"])
        self.refuse("more than one turn", self.save("deg.npy", polar), *AXES)
        found, _ = self.read(self.path("deg.npy"), *AXES, "--degrees")
        np.testing.assert_allclose(found, self.h, atol=1e-5)
        polar["magnitude"] = 20 * np.log10(polar["magnitude"])
        self.refuse("values in dB are no amplitudes", self.save("db.npy", polar), *AXES, "--degrees")

    def test_what_is_said(self):
        """Ranges of amplitudes and phases, a conjugate channel, and rows that were never filled."""
        amplitude, phase = self.save("a.npy", np.abs(self.h)), self.save("p.npy", np.angle(self.h))
        self.assertRegex(self.read(amplitude, *AXES, "--phase", phase)[1],
                         r"the amplitudes are 0\.\d+ to \d\.\d+, the phases -3\.1\d+ to 3\.1\d+ radians")
        taps = random_complex(2, 5, 8, 4)
        h = np.fft.fft(taps, 64, axis=1).astype(np.complex64)
        wrong = self.read(self.save("wrong.npy", h.conj()), *AXES, "--na", 16)[1]
        self.assertRegex(wrong, "8\\d.\\d % of the energy .* of the conjugate 0.0 %.*try the conjugate")
        self.assertEqual(self.read(self.save("right.npy", h), *AXES, "--na", 16)[1], "")
        many = np.tile(self.h, (4, 1, 1))
        shifted = np.stack([many.real, many.imag], -1) / 100 + 0.5
        shifted[3] = 0
        self.refuse("sample 3 is zero", self.save("never.npy", shifted), AXES[0], AXES[1] + ",reim",
                    "--offset", 0.5)

    def test_empty(self):
        self.refuse("--shape is n,0,4", self.save("v.npy", self.h.ravel()), *AXES, "--shape", "n,0,4")
        out, _ = self.run_here("inspect", self.save("scalar.npy", np.float32(1)))
        self.assertIn("scalar.npy", out)
        # Compounds have a range, that of their magnitude.
        pairs = np.zeros((3, 4), [("im", "i2"), ("re", "i2")])
        pairs["re"], pairs["im"] = -3, 4
        out, _ = self.run_here("inspect", self.save("pairs.npy", pairs), "--json")
        array, = json.loads(out)["arrays"].values()
        self.assertEqual((array["least"], array["most"], array["mean"]), (5, 5, 5))


class Columns(TestCase):
    """Tables whose columns have numbers in their names."""

    def table(self, names, rows):
        with open(self.path("t.csv"), "w") as file:
            file.write("\n".join([",".join(names), *(",".join(row) for row in rows)]) + "\n")
        return self.path("t.csv")

    def test_order(self):
        """That of the numbers, not that of the text, which is said."""
        h = self.h[:, :12, :1]
        order = sorted(range(12), key=str)
        real = self.table([f"{part}_{i}" for i in order for part in ("real", "imag")],
                          [[f"{x:.7g}" for i in order for x in (row[i, 0].real, row[i, 0].imag)] for row in h])
        found, err = self.read(real, "--axes", "n,nc")
        np.testing.assert_allclose(found, h, atol=1e-6)
        self.assertIn("in the order of the numbers in their names, real_0 first", err)
        texts = [[f"{row[i, 0].real:.7g}{row[i, 0].imag:+.7g}j" for i in order] for row in h]
        found, err = self.read(self.table([f"csi{i}" for i in order], texts), "--axes", "n,nc")
        np.testing.assert_allclose(found, h, atol=1e-6)
        self.assertIn("csi0 first", err)

    def test_header_of_numbers(self):
        """Subcarriers and frequencies at equal distances are a header, not a sample."""
        h = self.h[:, :12, :1]
        texts = [[f"{x.real:.7g}{x.imag:+.7g}j" for x in row[:, 0]] for row in h]
        for numbers in (range(-6, 6), [2.409e9 + 312500 * i for i in range(12)]):
            self.check(h, self.table([f"{n:.12g}" for n in numbers], texts), "--axes", "n,nc")


class ArrayTypes(TestCase):

    def test_pairs(self):
        """Elements of HDF5 that are arrays of two themselves have one more axis, which has a name."""
        for kind, chunks in (("f4", None), ("f2", (2, 32, 4)), ("i2", None)):
            h = np.round(100 * self.h) if kind == "i2" else self.h
            with h5py.File(self.path("pairs.h5"), "w") as file:
                array = file.create_dataset("H", h.shape, np.dtype((kind, (2,))), chunks=chunks,
                                            compression="gzip" if chunks else None)
                array[...] = np.stack([h.real, h.imag], -1)
            found, _ = self.read(self.path("pairs.h5"), "--axes", "sample,subcarrier,antenna,reim")
            np.testing.assert_allclose(found, h, rtol=1e-2 if kind == "f2" else 1e-6, atol=2e-3)
            self.refuse("needs --axes, for example --axes sample,subcarrier,antenna,reim", self.path("pairs.h5"))
            text, _ = self.run_here("inspect", self.path("pairs.h5"))
            self.assertRegex(text, r"(?m)^H +5 x 64 x 4 x 2 +(float|int)")


class Proposals(TestCase):

    def test_axes(self):
        for shape, dtype, expected in (
                ((40, 256), "c8", "--axes sample,subcarrier or --axes subcarrier,antenna or"),
                ((64, 4), "c8", "--axes subcarrier,antenna or --axes sample,subcarrier or"),
                ((20, 192), "f4", "--axes sample,subcarrier/iq or --axes sample,subcarrier/reim;")):
            path = self.save("x.npy", np.ones(shape, dtype))
            self.refuse("needs --axes, for example " + expected, path)
        self.refuse("amplitudes need their phases too .--phase.", self.save("x.npy", np.ones((20, 192))))
        x = random_complex(2, 40, 64)
        self.check(x[:, :, None], self.save("x.npy", x), "--axes", "sample,subcarrier")
        pairs = np.stack([x.real, x.imag], -1).reshape(40, 128)
        self.check(x[:, :, None], self.save("x.npy", pairs), "--axes", "sample,subcarrier/iq")

    def test_offset_is_exact(self):
        x = np.random.default_rng(3).integers(0, 256, (50, 2048)).astype(np.uint8)
        x[0, :2] = 0, 255
        x[:, 1::2] = 255 - x[:, 0::2]
        savemat(self.path("x.mat"), {"HT": x})
        self.refuse(r"0 to 255 with mean 127.5 .*for example --offset 127.5$", self.path("x.mat"))

    def test_swapped_axes_are_said(self):
        """A channel of few delays and many angles, imported with its axes swapped."""
        rng = np.random.default_rng(4)
        h = np.zeros((30, 64, 32), np.complex64)
        for i in range(30):
            for _ in range(12):
                delay = np.exp(-2j * np.pi * rng.uniform(0, 4) / 64 * np.arange(64))
                h[i] += np.outer(delay, np.exp(2j * np.pi * rng.uniform() * np.arange(32)))
        path = self.save("h.npy", h)
        for axes, said in (("n,nc,nt", False), ("n,nt,nc", True)):
            _, err = self.read(path, "--axes", axes)
            self.assertEqual("subcarriers and antennas look swapped: the energy is in the last" in err, said, err)


class ManyFiles(TestCase):

    def test_one_sample_each(self):
        paths = [self.save(f"csi{i}.npy", self.h[i - 8]) for i in range(8, 13)]
        self.check(self.h, *paths, "--axes", "nc,nt")
        self.check(self.h[[2, 0]], paths[2], paths[0], "--axes", "nc,nt")
        # In the order of their numbers: 8, 9, 10.
        self.check(self.h, self.path("csi*.npy"), "--axes", "nc,nt")
        with h5py.File(self.path("out.h5")) as file:
            self.assertEqual(json.loads(file.attrs["parameters"])["files"], 5)
        self.check(self.h[1:4], self.path("csi*.npy"), "--axes", "nc,nt", "--first", 1, "--samples", 3)

    def test_several_samples_each(self):
        for i, part in enumerate((self.h[:2], self.h[2:4])):
            self.save(f"a{i}.npy", part.transpose(1, 0, 2))
        self.check(self.h[:4], self.path("a*.npy"), "--axes", "nc,n,nt")
        self.check(self.h[1:3], self.path("a*.npy"), "--axes", "nc,n,nt", "--first", 1, "--samples", 2)
        for i in range(3):
            np.savez(self.path(f"p{i}.npz"), re=self.h[i].real, im=self.h[i].imag)
        self.check(self.h[:3], self.path("p*.npz"), "--axes", "nc,nt", "--key", "re", "--imag", "im")

    def test_refused(self):
        one, other = self.save("a.npy", self.h[0]), self.save("b.npy", self.h[0, :9])
        self.refuse(r"b.npy: '' is complex64 of shape \(9, 4\), that of", one, other, "--axes", "nc,nt")
        self.refuse("no file has such a name", self.path("c*.npy"), "--axes", "nc,nt")
        with self.assertRaises(FileNotFoundError):
            self.read(one, self.path("none.npy"), "--axes", "nc,nt")

    def test_long_commands(self):
        """The text of an attribute is limited, the number of files is not."""
        paths = [self.save("a.npy", self.h[0])] * 3000
        self.read(*paths, "--axes", "nc,nt")
        with Dataset(self.path("out.h5")) as data:
            self.assertEqual(len(data), 3000)
            self.assertIn("... (3000 files)", data.command)


class Nested(TestCase):
    """Structures and cells of MATLAB files."""

    def check_all(self, path):
        self.check(self.h, path, *AXES, "--key", "channel.H")
        self.check(self.h[:, :, :2], path, *AXES, "--key", "channel.more.G")
        self.check(self.h, path, *AXES, "--key", "cells")
        self.check(self.h[[2]], path, "--axes", "nc,nt", "--key", "cells{3}")
        self.refuse("has no array 'channel.F'.*channel[./]H", path, *AXES, "--key", "channel.F")
        self.refuse("is it 'channel[./]H'", path, *AXES, "--key", "chanel.H")

    def test_version_5(self):
        cells = np.empty((1, 5), object)
        users = np.empty((1, 5), [("H", object), ("id", object)])
        odd = np.empty((1, 2), object)
        for i in range(5):
            cells[0, i] = self.h[i]
            users[0, i] = (self.h[i], float(i))
        odd[0, 0], odd[0, 1] = self.h[0], self.h[0, :3]
        for packed in (True, False):
            path = self.path("a.mat")
            savemat(path, {"channel": {"H": self.h, "name": "x", "more": {"G": self.h[:, :, :2]}},
                           "cells": cells, "users": users, "odd": odd}, do_compression=packed)
            self.check_all(path)
            # A field of several structures is one sample each.
            self.check(self.h, path, *AXES, "--key", "users.H")
            self.check(self.h[[1]], path, "--axes", "nc,nt", "--key", "users(2).H")
            self.refuse("'channel' has several arrays: channel.H, channel.more.G; --key says which",
                        path, *AXES, "--key", "channel")
            self.refuse("'odd': number 1 is complex128 of shape .*number 2", path, *AXES, "--key", "odd")
            with interchange.ArrayFile(path) as file:
                self.assertEqual(dict(file.listing()), {
                    "channel.H": (5, 64, 4), "channel.more.G": (5, 64, 2), "cells": (5, 64, 4),
                    "users.H": (5, 64, 4), "users.id": (5, 1, 1), "odd": (2, 64, 4)})

    def test_version_73(self):
        def make(file, own=True):
            group = file.create_group("channel")
            group["H"] = self.h.transpose(2, 1, 0)
            group.create_group("more")["G"] = self.h[:, :, :2].transpose(2, 1, 0)
            references = file.create_group("#refs#")
            cells = file.create_dataset("cells", (5, 1), h5py.ref_dtype)
            for i in range(5):
                references[str(i)] = self.h[i].T
                cells[i, 0] = references[str(i)].ref

        self.check_all(self.mat73("a.mat", make))

    def test_cells_elsewhere(self):
        """References to what is in other files are not followed."""
        with open(self.path("secret"), "wb") as file:
            file.write(b"\0" * 8 * 64 * 4)

        def make(file):
            references = file.create_group("#refs#")
            references.create_dataset("a", (4, 64), np.float64,
                                      external=[(self.path("secret"), 0, h5py.h5f.UNLIMITED)])
            cells = file.create_dataset("cells", (1, 1), h5py.ref_dtype)
            cells[0, 0] = references["a"].ref

        self.refuse("takes its content from other files", self.mat73("a.mat", make), "--axes", "nc,nt",
                    "--key", "cells")

    def test_damaged(self):
        """A file that is cut or changed anywhere is refused in one line, or read; nothing else."""
        cells = np.empty((1, 2), object)
        cells[0, 0] = cells[0, 1] = self.h[0, :4]
        path = self.path("a.mat")
        savemat(path, {"channel": {"H": self.h[:2, :4], "cells": cells}}, do_compression=False)
        good = pathlib.Path(path).read_bytes()
        rng = np.random.default_rng(5)
        for _ in range(300):
            data = bytearray(good)
            at = rng.integers(128, min(len(data), 700))
            data[at] = rng.integers(256)
            if rng.random() < 0.3:
                del data[rng.integers(200, len(data)):]
            pathlib.Path(path).write_bytes(data)
            for key in ("channel.H", "channel.cells"):
                with contextlib.suppress(ValueError), interchange.ArrayFile(path) as file:
                    np.asarray(file.array(key)[(slice(None),) * 3])

    def test_bounds(self):
        """Neither deep structures nor many cells take more than they should."""
        deep = {"H": self.h[0]}
        for _ in range(matlab.MAX_DEPTH + 1):
            deep = {"a": deep}
        savemat(self.path("deep.mat"), deep)
        self.refuse("nested more than", self.path("deep.mat"), "--axes", "nc,nt", "--key", "a.a.H")
        savemat(self.path("large.mat"), {"s": {"H": np.zeros((3000, 3000))}}, do_compression=True)
        self.refuse("unpacks to .*--max-gb", self.path("large.mat"), "--axes", "nc,nt", "--key", "s.H",
                    "--max-gb", 0.01)


class Sparse(TestCase):
    """Sparse arrays of MATLAB files are full ones, with zeros."""

    def setUp(self):
        super().setUp()
        self.sparse = self.h[:, :, 0] * (np.random.default_rng(1).random((5, 64)) < 0.3)
        self.sparse[0, 0] = 0

    def check_sparse(self, path, key="H"):
        self.check(self.sparse[:, :, None], path, "--key", key, "--axes", "n,nc")

    def test_version_5(self):
        from scipy.sparse import csc_matrix
        for packed in (True, False):
            savemat(self.path("s.mat"), {"H": csc_matrix(self.sparse), "s": {"G": csc_matrix(self.sparse)},
                                         "real": csc_matrix(self.sparse.real), "none": csc_matrix((5, 64))},
                    do_compression=packed)
            self.check_sparse(self.path("s.mat"))
            self.check_sparse(self.path("s.mat"), "s.G")
            with interchange.ArrayFile(self.path("s.mat")) as file:
                np.testing.assert_array_equal(file.array("real"), self.sparse.real)
                np.testing.assert_array_equal(file.array("none"), np.zeros((5, 64)))
            text, _ = self.run_here("inspect", self.path("s.mat"))
            self.assertRegex(text, r"(?m)^H +5 x 64 +complex128")
        savemat(self.path("l.mat"), {"H": csc_matrix((100_000, 100_000))})
        self.refuse("unpacks to 80 GB, allowed is", self.path("l.mat"), "--key", "H", "--axes", "n,nc")

    def test_version_4(self):
        from scipy.sparse import coo_matrix
        savemat(self.path("s.mat"), {"H": coo_matrix(self.sparse)}, format="4")
        self.check_sparse(self.path("s.mat"))

    def test_version_73(self):
        def make(file):
            group = file.create_group("H")
            group.attrs["MATLAB_sparse"] = np.uint64(5)
            columns, rows = np.nonzero(self.sparse.T)
            group["ir"] = rows.astype(np.uint64)
            group["jc"] = np.searchsorted(columns, np.arange(65)).astype(np.uint64)
            numbers = self.sparse[rows, columns]
            data = np.empty(len(rows), [("real", "f8"), ("imag", "f8")])
            data["real"], data["imag"] = numbers.real, numbers.imag
            group["data"] = data

        self.check_sparse(self.mat73("s.mat", make))

    def test_damaged(self):
        from scipy.sparse import csc_matrix
        savemat(self.path("s.mat"), {"H": csc_matrix(self.sparse)}, do_compression=False)
        good = pathlib.Path(self.path("s.mat")).read_bytes()
        rng = np.random.default_rng(2)
        for _ in range(300):
            data = bytearray(good)
            data[rng.integers(128, 1600)] = rng.integers(256)
            pathlib.Path(self.path("s.mat")).write_bytes(data)
            with contextlib.suppress(ValueError), interchange.ArrayFile(self.path("s.mat")) as file:
                np.asarray(file.array("H"))


class Panels(TestCase):

    def test_antenna_axes(self):
        u = random_complex(2, 5, 2, 16, 2, 2, 3)
        path = self.save("u.npy", u)
        self.check(u.reshape(10, 16, 12), path, "--axes", "user,rx,nc,polarization,antenna,antenna")
        path = self.save("t.npy", u.transpose(5, 2, 3, 0, 4, 1))
        self.check(u.transpose(0, 1, 2, 5, 3, 4).reshape(10, 16, 12), path, "--axes",
                   "antenna,nc,polarization,user,antenna,rx")
        self.refuse("axes of a panel are not transformed", self.save("a.npy", u[:, 0]), "--axes",
                    "n,na,antenna,antenna,antenna")
        self.refuse("expected is one of antenna, angle, nt", self.save("b.npy", u[:, 0, :, 0]), "--axes",
                    "n,nc,antenna,angle")

    def test_no_antenna_axis(self):
        self.check(self.h[:, :, :1], self.save("s.npy", self.h[:, :, 0]), "--axes", "n,nc")


class Export(TestCase):

    def test_matrices(self):
        """What is exported as it is comes back as it is, in every form."""
        self.read(self.save("h.npy", self.h), *AXES)
        os.rename(self.path("out.h5"), self.path("data.h5"))
        for name in ("x.npy", "x.npz", "x.mat", "x.h5"):
            self.run_here("export", self.path("data.h5"), "--matrices", "-o", self.path(name))
            options = {"x.npz": ("--key", "H"), "x.mat": ("--key", "H"),
                       "x.h5": ("--key", "H_re", "--imag", "H_im")}.get(name, ())
            found, _ = self.read(self.path(name), *AXES, *options)
            np.testing.assert_array_equal(found, self.h)
        with h5py.File(self.path("x.h5")) as file:
            self.assertEqual((file["H_re"].dtype, file["precursor"][()]), (np.float32, 0))
            np.testing.assert_array_equal(file["H_im"][:], self.h.imag)
        self.read(self.save("ha.npy", self.h), "--axes", "n,na,nt")
        os.rename(self.path("out.h5"), self.path("rows.h5"))
        self.run_here("export", self.path("rows.h5"), "--matrices", "-o", self.path("rows.npz"))
        with np.load(self.path("rows.npz")) as file:
            np.testing.assert_array_equal(file["Ha"], self.h)
        with self.assertRaisesRegex(ValueError, "allowed is .mat, .npz, .npy, .h5"):
            self.run_here("export", self.path("data.h5"), "--matrices", "-o", self.path("x.csv"))


class Listing(TestCase):

    def test_inspect(self):
        """Every array that import reads, with a command that works as it stands."""
        path = self.path("a.npz")
        np.savez(path, H=self.h, H_re=self.h.real, H_im=self.h.imag, rssi=np.arange(5.0),
                 names=np.array(["a", "b"]))
        found = json.loads(self.run_here("inspect", path, "--json")[0])["arrays"]
        self.assertEqual(set(found), {"H", "H_re", "H_im", "rssi", "names"})
        h = found["H"]
        self.assertEqual((h["type"], h["shape"]), ("complex64", [5, 64, 4]))
        np.testing.assert_allclose([h["least"], h["most"], h["mean"]],
                                   [f(np.abs(self.h)) for f in (np.min, np.max, np.mean)], rtol=1e-5)
        self.assertAlmostEqual(found["rssi"]["mean"], 2)
        self.assertIn("no numbers", found["names"]["error"])
        for name in ("H", "H_re"):
            self.check(self.h, path, *shlex.split(found[name]["import"]))
        self.assertNotIn("import", found["rssi"])
        text = self.run_here("inspect", path)[0]
        self.assertRegex(text, r"(?m)^H +5 x 64 x 4 +complex64 +\d")
        self.assertIn(f"csifeedback_dataset import {path} --key H --axes sample,subcarrier,antenna -o",
                      text)

    def test_inspect_says_what_is_not_finite(self):
        h = self.h.copy()
        h[1, 2, 3], h[4, 0, 0] = np.nan, np.inf
        text, _ = self.run_here("inspect", self.save("h.npy", h))
        self.assertIn("array: 2 numbers are NaN or infinite; --drop-bad leaves out their matrices", text)
        self.assertNotIn("NaN", self.run_here("inspect", self.save("h.npy", self.h))[0])

    def test_inspect_other_files(self):
        savemat(self.path("s.mat"), {"channel": {"H": self.h, "snr": 3.0}})
        found = json.loads(self.run_here("inspect", self.path("s.mat"), "--json")[0])["arrays"]
        self.assertEqual(set(found), {"channel.H", "channel.snr"})
        self.check(self.h, self.path("s.mat"), *shlex.split(found["channel.H"]["import"]))
        with h5py.File(self.path("x.h5"), "w") as file:
            file["H"] = self.h
        self.assertIn("MATLAB (h5write) or Julia wrote", self.run_here("inspect", self.path("x.h5"))[0])
        self.mat73("y.mat", lambda file: file.create_dataset("H", data=self.h))
        self.assertIn("MATLAB's order", self.run_here("inspect", self.path("y.mat"))[0])

    def test_models(self):
        text = self.run_here("models")[0]
        self.assertRegex(text, r"(?m)^cost2100-indoor-klt +klt +Ha 32 x 32 +512 +cost2100-indoor$")
        names = {m["name"] for m in json.loads(self.run_here("models", "--json")[0])}
        self.assertEqual(names, {name[:-3] for name in os.listdir(os.environ["CSIFEEDBACK_MODELS"])
                                 if name.endswith(".h5")})
        text, _ = self.run_here("models", "cost2100-indoor-klt")
        for line in ("codec        klt, model id", "codewords    up to 512 values",
                     "trained on   50000 matrices, cost2100-indoor", "encoder/W_complex (256, 1024)"):
            self.assertIn(line, text)
        self.assertRegex(text, r"linear +1/16 +-1\d\.\d\d")
        path = os.path.join(os.environ["CSIFEEDBACK_MODELS"], "cost2100-indoor-klt.h5")
        self.assertEqual(self.run_here("inspect", path)[0], text)
        with self.assertRaisesRegex(ValueError, "is it 'cost2100-indoor-klt'"):
            self.run_here("models", "cost2100-indor-klt")


if __name__ == "__main__":
    unittest.main()
