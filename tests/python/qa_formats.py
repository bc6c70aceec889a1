#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_dataset import of files that have no arrays with names: tables, tensors, numbers alone, CSI
of Wi-Fi receivers and of channel sounders. The files are made here, bit by bit where their format has
bits; what is read is compared with what they were made of."""

import gzip
import hashlib
import io
import json
import pickle
import struct
import tarfile
import unittest
import zipfile

import h5py
import numpy as np
from gnuradio import blocks, gr
from gnuradio.csifeedback.data import sigmf
from gnuradio.csifeedback.link.user_equipment import UserEquipment
from qa_readers import AXES, TestCase, random_complex


class Interleaved(TestCase):

    def test_axes(self):
        """Real and imaginary parts in any axis, by turns or one after the other."""
        h = self.h
        pairs = np.stack([h.real, h.imag], -1)
        for axis, axes in ((0, "n/{},nc,nt"), (1, "n,nc/{},nt"), (2, "n,nc,nt/{}")):
            turns = np.moveaxis(pairs, -1, axis + 1)
            shape = list(h.shape)
            shape[axis] *= 2
            for order, array in (("iq", turns), ("qi", np.flip(turns, axis + 1)),
                                 ("reim", np.moveaxis(pairs, -1, axis))):
                path = self.save("x.npy", array.reshape(shape))
                self.check(h, path, "--axes", axes.format(order))
                self.check(h[1:3], path, "--axes", axes.format(order), "--first", 1, "--samples", 2)
        # Of one sample in the file, integers, and a part of the subcarriers.
        x = np.stack([np.round(100 * h[0].real), np.round(100 * h[0].imag)], 1).reshape(128, 4)
        path = self.save("i.npy", x.astype(np.int16))
        expected = (np.round(100 * h[:1].real) + 1j * np.round(100 * h[:1].imag)).astype(np.complex64)
        self.check(expected[:, 6:9], path, "--axes", "nc/iq,nt", "--carriers", "6:9")
        rows = self.save("r.npy", pairs.reshape(5, -1))
        self.check(h, rows, "--axes", "n,nc,nt/iq", "--reshape", "64,8")

    def test_refused(self):
        self.refuse("the axis with /iq has the length 5", self.save("o.npy", np.ones((5, 5))), "--axes",
                    "n,nc/iq")
        self.refuse("has /iq, but the numbers are complex64", self.save("h.npy", self.h[..., 0]), "--axes",
                    "n,nc/iq")
        self.refuse("allowed behind / is iq, qi, reim", self.save("x.npy", np.ones((5, 6))), "--axes",
                    "n,nc/ri")


class Raw(TestCase):

    def write(self, name, data):
        (self.directory / name).write_bytes(data)
        return self.path(name)

    def test_types(self):
        h = np.round(50 * self.h)
        turns = np.stack([h.real, h.imag], -1)
        for name, numbers in (("complex64", h.astype("<c8")), ("cf32_le", h.astype("<c8")),
                              ("cf64_be", h.astype(">c16")), ("ci16", turns.astype("<i2")),
                              ("sc16", turns.astype("<i2")), ("ci16_be", turns.astype(">i2")),
                              ("ci8", np.clip(turns, -128, 127).astype("i1")),
                              ("ci32_le", turns.astype("<i4")),
                              ("cu8", (np.clip(turns, -128, 127) + 128).astype("u1")),
                              ("cu16_be", (turns + 32768).astype(">u2"))):
            path = self.write("x.bin", numbers.tobytes())
            expected = h if "8" not in name[2:3] else np.clip(h.real, -128, 127) + 1j * np.clip(
                h.imag, -128, 127)
            self.check(expected.astype(np.complex64), path, *AXES, "--raw", name, "--shape", "n,64,4")
        for name, kind in (("float32", "<f4"), ("int16", "<i2"), ("short", "<i2"), ("ri16_be", ">i2")):
            path = self.write("x.bin", turns.astype(kind).tobytes())
            self.check(h, path, "--axes", "n,nc,nt,reim", "--raw", name, "--shape", "-1,64,4,2")
            self.check(h, path, "--axes", "n,nc,nt/iq", "--raw", name, "--shape", "5,64,8")
        self.check(h[:, ::-1], self.write("x.bin", h.astype("<c8").tobytes()), *AXES, "--raw", "complex",
                   "--shape=n,64,4", "--carriers", "::-1")

    def test_refused(self):
        data = self.h.tobytes()
        path = self.write("x.bin", data)
        raw = (path, *AXES, "--raw")
        self.refuse("--raw TYPE and --shape say", self.write("y.bin", data), *AXES)
        self.refuse("--raw is given without --shape", *raw, "cf32")
        self.refuse(r"--shape is n,63,4, which does not fit 1280 numbers", *raw, "cf32", "--shape",
                    "n,63,4")
        self.refuse(r"--shape is 6,64,4", *raw, "cf32", "--shape", "6,64,4")
        self.refuse("--shape is a,4, allowed", *raw, "cf32", "--shape", "a,4")
        self.refuse("type of numbers is cf33", *raw, "cf33", "--shape", "n,64,4")
        self.refuse("type of numbers is ci8_be", *raw, "ci8_be", "--shape", "n,64,4")
        self.refuse("the array is real", path, *AXES, "--raw", "float32", "--shape", "n,64,4")
        self.refuse("10239 bytes, which is no multiple of the 8 bytes", self.write("z.bin", data[:-1]), *AXES,
                    "--raw", "cf32", "--shape", "n,64,4")
        self.refuse("is empty", self.write("e.bin", b""), *AXES)
        self.refuse("a vector of 1280 numbers needs --shape", self.save("v.npy", self.h.ravel()))
        # Integers or the other byte order are no floats.
        whole = np.round(100 * np.stack([self.h.real, self.h.imag], -1))
        for numbers in (whole.astype("<i2"), self.h.astype(">c8")):
            self.refuse("% of the numbers are implausible", self.write("w.bin", numbers.tobytes()), *AXES,
                        "--raw", "cf32_le", "--shape", f"n,{64},{2 if numbers.itemsize == 2 else 4}")


class Tables(TestCase):

    def write(self, text, name="x.csv"):
        (self.directory / name).write_text(text)
        return self.path(name)

    def test_complex_text(self):
        h = self.h[:, :, 0]
        for form, text in (("np", "\n".join(",".join(str(complex(x)) for x in row) for row in h)),
                           ("matlab", "\n".join("\t".join(f"{x.real:.9g}{x.imag:+.9g}i" for x in row)
                                                for row in h)),
                           ("spaces", "\n".join("  ".join(
                               f"{x.real:.9g} {'-' if x.imag < 0 else '+'} {abs(x.imag):.9g}i" for x in row)
                               for row in h)),
                           ("pairs", "% made by a program\n" + "\n".join(
                               ";".join(f"({x.real:.9g},{x.imag:.9g})" for x in row) for row in h)),
                           ("header", "\n".join([",".join(f"h{i}" for i in range(64))] + [
                               ",".join(f"{x.real:.9g}{x.imag:+.9g}j" for x in row) for row in h])),
                           ("pandas", "\n".join(["," + ",".join(map(str, range(64)))] + [
                               f"{i}," + ",".join(f"({x.real:.9g}{x.imag:+.9g}j)" for x in row)
                               for i, row in enumerate(h)]))):
            with self.subTest(form):
                self.check(h[:, :, None], self.write(text + "\n"), "--axes", "n,nc")
        np.savetxt(self.path("s.txt"), h)
        self.check(h[:, :, None], self.path("s.txt"), "--axes", "n,nc")
        # A column of zeros among complex ones is one of them.
        z = h.copy()
        z[:, 0] = 0
        names = ",".join(f"h{i}" for i in range(64))
        text = "\n".join([names] + [",".join(str(complex(x)) for x in row) for row in z])
        self.check(z[:, :, None], self.write(text), "--axes", "n,nc")

    def test_columns(self):
        """Real and imaginary part, or amplitude and phase, in columns with names."""
        h = self.h[:, :, 0]
        flat = h.ravel()
        shape = ("--shape", "n,64", "--axes", "n,nc")
        for names, a, b in ((("real", "imag"), flat.real, flat.imag), (("I", "Q"), flat.real, flat.imag),
                            (("im", "re"), flat.imag, flat.real), (("r", "i"), flat.real, flat.imag),
                            (("amplitude", "phase"), np.abs(flat), np.angle(flat)),
                            (("phase_deg", "mag"), np.degrees(np.angle(flat)), np.abs(flat))):
            text = f"time,{names[0]},{names[1]}\n" + "\n".join(
                f"{i},{x:.9g},{y:.9g}" for i, (x, y) in enumerate(zip(a, b)))
            if names[0] != "time":
                # A column that says nothing of the place is an array of its own.
                text = text.replace("time", "rssi", 1)
            self.check(h[:, :, None], self.write(text), *shape)
        parts = np.stack([h.real, h.imag], -1).reshape(5, -1)
        wide = ",".join(f"re_{i},im_{i}" for i in range(64)) + "\n"
        text = wide + "\n".join(",".join(f"{x:.9g}" for x in row) for row in parts)
        self.check(h[:, :, None], self.write(text), "--axes", "n,nc")
        text = "\n".join(",".join(f"{x:.9g}" for x in row) for row in parts)
        self.check(h[:, :, None], self.write(text), "--axes", "n,nc/iq")
        timed = "\n".join(f"{i},-40," + line for i, line in enumerate(text.split("\n")))
        self.check(h[:, :, None], self.write(timed), "--axes", "n,nc/iq", "--columns", "2:")
        real = self.write("\n".join(",".join(f"{x:.9g}" for x in row) for row in h.real), "re.csv")
        imag = self.write("\n".join(",".join(f"{x:.9g}" for x in row) for row in h.imag), "im.csv")
        self.check(h[:, :, None], real, "--imag", imag, "--axes", "n,nc")

    def test_places(self):
        """Columns such as sample and antenna say where a number belongs, whatever the order of lines."""
        lines = [f"{s},{a},{k - 32},{self.h[s, k, a].real:.9g},{self.h[s, k, a].imag:.9g}"
                 for s in range(5) for k in range(64) for a in range(4)]
        head = "sample,antenna,subcarrier,re,im"
        order = np.random.default_rng(3).permutation(len(lines))
        path = self.write("\n".join([head] + [lines[i] for i in order]))
        found, err = self.read(path)
        np.testing.assert_allclose(found, self.h, atol=1e-6)
        self.assertIn("the axes are sample,antenna,subcarrier", err)
        self.refuse("1279 lines have a number, 5 x 4 x 64 of sample, antenna, subcarrier need 1280",
                    self.write("\n".join([head] + lines[1:])))
        self.refuse("line 1282 has the same sample, antenna, subcarrier as one before",
                    self.write("\n".join([head, *lines, lines[3]])))

    def test_refused(self):
        for text, error in (("1,2\n3\n", "line 2 has 1 columns, the first one has 2"),
                            ("1,2\n3,x\n", "line 2: 'x' is no number"), ("1,2\n3,,\n", "line 2"),
                            ("# only\n", "without a table"), ("a text\nof two lines\n", "without a table|columns"),
                            ("0,5;1,5\n", "decimals have a point"),
                            ("re_1,im_2\n1,2\n", "are no pairs")):
            self.refuse(error, self.write(text), "--axes", "n,nc")
        amplitude, phase = self.save("a.npy", np.ones((5, 64))), self.save("p.npy", np.full((5, 64), 90.0))
        self.refuse("more than one turn: --degrees or --radians", amplitude, "--phase", phase, "--axes", "n,nc")
        self.check(np.full((5, 64, 1), 1j, np.complex64), amplitude, "--phase", phase, "--axes", "n,nc",
                   "--degrees")
        self.check(np.full((5, 64, 1), np.exp(90j), np.complex64), amplitude, "--phase", phase, "--axes",
                   "n,nc", "--radians")
        self.refuse("the amplitudes are -1 to -1, allowed are numbers from 0 on",
                    self.save("d.npy", -np.ones((5, 64))), "--phase", phase, "--axes", "n,nc", "--degrees")
        text = "amp,phase\n" + "\n".join(f"1,{x}" for x in range(0, 360, 5))
        self.refuse("more than one turn", self.write(text), "--shape", "n,8", "--axes", "n,nc")
        self.assertEqual(self.read(self.write(text), "--shape", "n,8", "--axes", "n,nc",
                                   "--degrees")[0].shape, (9, 8, 1))

    def test_many_of_different_lengths(self):
        h = self.h[:, :, 0]
        for i, part in enumerate((h[:2], h[2:])):
            np.savetxt(self.path(f"t{i}.csv"), part, delimiter=",")
        self.check(h[:, :, None], self.path("t*.csv"), "--axes", "n,nc")
        self.check(h[1:4, :, None], self.path("t*.csv"), "--axes", "n,nc", "--first", 1, "--samples", 3)


def torch_file(path, pickled, storages, order=None):
    """What torch.save writes, without PyTorch."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        for name, data in storages.items():
            archive.writestr(f"archive/data/{name}", data)
        if order:
            archive.writestr("archive/byteorder", order)
    return str(path)


class Global:
    """A name that a pickle has; only its name is ever written."""

    def __init__(self, module, name):
        self.__module__, self.__qualname__ = module, name


class Call:
    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments


def pickled(thing):
    """A pickle of version 2 that names what Global and Call say."""
    out = io.BytesIO()

    def put(x):
        if isinstance(x, Global):
            out.write(f"c{x.__module__}\n{x.__qualname__}\n".encode())
        elif isinstance(x, Call):
            put(x.function)
            put(tuple(x.arguments))
            out.write(b"R")
        elif isinstance(x, bytes):  # a persistent id
            put(pickle.loads(x))
            out.write(b"Q")
        elif isinstance(x, tuple):
            out.write(b"(")
            for y in x:
                put(y)
            out.write(b"t")
        elif isinstance(x, dict):
            out.write(b"}(")
            for k, v in x.items():
                put(k)
                put(v)
            out.write(b"u")
        elif isinstance(x, Storage):
            put(("storage", Global("torch", x.kind), x.key, "cpu", x.count))
            out.write(b"Q")
        else:
            out.write(pickle.dumps(x, 2)[2:-1])

    out.write(b"\x80\x02")
    put(thing)
    out.write(b".")
    return out.getvalue()


class Storage:
    def __init__(self, kind, key, count):
        self.kind, self.key, self.count = kind, key, count


def tensor(kind, key, shape, strides, offset=0, *more):
    return Call(Global("torch._utils", "_rebuild_tensor_v2"), Storage(kind, key, 0), offset, shape, strides,
                False, Call(Global("collections", "OrderedDict")), *more)


class Tensors(TestCase):

    def test_pytorch(self):
        """What PyTorch itself writes, where it is."""
        try:
            import torch
        except ImportError:
            self.skipTest("no PyTorch")
        h = torch.from_numpy(self.h)
        path = self.path("h.pt")
        torch.save(h, path)
        self.check(self.h, path, *AXES)
        torch.save({"data": {"H": h.permute(2, 0, 1)[1:]}, "snr": 3.0,
                    "w": torch.nn.Parameter(h.real.clone())}, path)
        self.check(self.h[:, :, 1:], path, "--key", "data.H", "--axes", "nt,n,nc")
        torch.save([h.to(torch.complex128), h.real.clone()], path)
        self.check(self.h, path, "--key", "0", *AXES)
        torch.save({"re": h.real.bfloat16(), "im": h.imag.half()}, path)
        rounded = h.real.bfloat16().float().numpy() + 1j * h.imag.half().float().numpy()
        self.check(rounded.astype(np.complex64), path, "--key", "re", *AXES, "--imag", "im")
        torch.save(torch.nn.Linear(3, 4), path)
        self.refuse("allowed are tensors alone", path, *AXES)
        torch.save(h.resolve_conj(), path, _use_new_zipfile_serialization=False)
        self.refuse("before version 1.6", path, *AXES)

    def test_layout(self):
        data = {"0": self.h.tobytes()}
        strides = (256, 4, 1)
        path = self.directory / "t.pt"
        self.check(self.h, torch_file(path, pickled(tensor("ComplexFloatStorage", "0", (5, 64, 4), strides)),
                                      data), *AXES)
        self.check(self.h[1:3, ::2], torch_file(path, pickled(
            {"H": tensor("ComplexFloatStorage", "0", (2, 32, 4), (256, 8, 1), 256)}), data), *AXES)
        # The conjugate is a property in files of PyTorch 2.
        lazy = tensor("ComplexFloatStorage", "0", (5, 64, 4), strides, 0, {"conj": True})
        self.check(self.h.conj(), torch_file(path, pickled(lazy), data), *AXES)
        swapped = {"0": self.h.astype(">c8").tobytes()}
        self.check(self.h, torch_file(path, pickled(tensor("ComplexFloatStorage", "0", (5, 64, 4), strides)),
                                      swapped, "big"), *AXES)

    def test_nothing_is_executed(self):
        mark = self.path("executed")

        class Evil:
            def __reduce__(self):
                return open, (mark, "w")

        path = self.directory / "e.pt"
        for thing in (pickle.dumps(Evil()), pickle.dumps({"H": Evil()}, 2),
                      pickled(Call(Global("torch.storage", "_load_from_bytes"), 3)),
                      pickled(Call(Global("builtins", "exec"), "1")),
                      pickled(Call(Global("numpy.core.multiarray", "_reconstruct"), 1))):
            self.refuse("allowed are tensors alone", torch_file(path, thing, {}), *AXES)
        self.assertFalse((self.directory / "executed").exists())

    def test_damaged(self):
        path = self.directory / "d.pt"
        data = {"0": self.h.tobytes()}
        for thing, error in ((tensor("ComplexFloatStorage", "0", (5, 64, 5), (320, 5, 1)), "goes beyond"),
                             (tensor("ComplexFloatStorage", "1", (5, 64, 4), (256, 4, 1)), "has no archive/data/1"),
                             (tensor("ComplexFloatStorage", "0", (1 << 20, 1 << 20), (0, 0)), "more bytes"),
                             (tensor("ComplexFloatStorage", "0", (-5, 64), (256, 4)), "improper shape"),
                             (tensor("ComplexFloatStorage", "0", (5, 64, 4), (256, 4, 1), 0, {"x": 1}),
                              "property x"), ({"a": 3}, "has no tensors")):
            self.refuse(error, torch_file(path, pickled(thing), data), *AXES)
        good = torch_file(path, pickled(tensor("ComplexFloatStorage", "0", (5, 64, 4), (256, 4, 1))), data)
        whole = path.read_bytes()
        for at in range(0, len(whole), 997):
            path.write_bytes(whole[:at])
            self.refuse("d.pt: ", good, *AXES)


class Esp32(TestCase):

    COLUMNS = "type,id,mac,rssi,rate,sig_mode,mcs,bandwidth,smoothing,not_sounding,aggregation,stbc," \
        "fec_coding,sgi,noise_floor,ampdu_cnt,channel,secondary_channel,local_timestamp,ant,sig_len," \
        "rx_state,len,first_word,data"

    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(7)
        self.x = rng.integers(-100, 100, (6, 128)) + 1j * rng.integers(-100, 100, (6, 128))

    def line(self, values, mode=0, bandwidth=0, stbc=0, second=0, first_word=0, length=None):
        """A line of esp-csi: imaginary part first."""
        numbers = [int(n) for v in values for n in (v.imag, v.real)]
        return (f"CSI_DATA,1,aa:bb:cc:dd:ee:ff,-40,11,{mode},7,{bandwidth},1,1,0,{stbc},0,0,-90,0,6,{second},"
                f"123,0,100,0,{length or len(numbers)},{first_word},\"[{','.join(map(str, numbers))}]\"")

    def write(self, *lines, header=True):
        (self.directory / "e.csv").write_text("\n".join(([self.COLUMNS] if header else []) + list(lines)) + "\n")
        return self.path("e.csv")

    def test_legacy(self):
        """128 bytes: subcarriers 0 to 31, then -32 to -1, imaginary part first."""
        x = self.x[:, :64]
        lines = [self.line(np.fft.ifftshift(row)) for row in x]
        for header in (True, False):
            found, err = self.read(self.write(*lines, header=header))
            np.testing.assert_array_equal(found, x[:, :, None])
        self.assertIn("subcarriers -32 to 31, in ascending order", err)
        self.assertIn("--carriers 6:32,33:59", err)
        self.check(x[:, [*range(6, 32), *range(33, 59)], None].astype(np.complex64), self.path("e.csv"),
                   "--carriers", "6:32,33:59")
        # Text of a terminal around the lines, and a damaged one.
        noise = ["I (300) boot: csi_recv", "\x1b[0m" + lines[0], *lines[1:], lines[0][:300]]
        found, err = self.read(self.write(*noise))
        np.testing.assert_array_equal(found, x[:, :, None])
        self.assertIn("left out 1 lines that are damaged", err)

    def test_tool(self):
        """ESP32-CSI-Tool: 26 columns, numbers with spaces between them."""
        lines = []
        for row in self.x[:, :64]:
            numbers = [int(n) for v in np.fft.ifftshift(row) for n in (v.imag, v.real)]
            lines.append("CSI_DATA,STA,AA:BB:CC:DD:EE:FF,-40,11,0,0,0,0,0,0,0,0,0,-90,0,6,0,123,0,100,0,1,1.5,"
                         f"128,[{' '.join(map(str, numbers))} ]")
        found, _ = self.read(self.write(*lines, header=False))
        np.testing.assert_array_equal(found, self.x[:, :64, None])

    def test_ht(self):
        """HT packets have both training fields; where their subcarriers are depends on the channel."""
        legacy, ht = self.x[:, :64], self.x[:, ::-1]
        rows = [self.line([*np.fft.ifftshift(a), *np.fft.ifftshift(b[:64])], 1) for a, b in zip(legacy, ht)]
        self.refuse("has several arrays: lltf, ht_ltf; --key says which", self.write(*rows))
        self.check(legacy[:, :, None].astype(np.complex64), self.path("e.csv"), "--key", "lltf")
        self.check(ht[:, :64, None].astype(np.complex64), self.path("e.csv"), "--key", "ht_ltf")
        # 40 MHz, secondary channel below: LLTF is 0 to 63, HT-LTF 0 to 63 and -64 to -1.
        rows = [self.line([*a, *np.fft.ifftshift(b)], 1, 1, 0, 2) for a, b in zip(legacy, ht)]
        self.check(legacy[:, :, None].astype(np.complex64), self.write(*rows), "--key", "lltf")
        self.check(ht[:, :, None].astype(np.complex64), self.path("e.csv"), "--key", "ht_ltf")
        # The same with STBC: 121 subcarriers, twice.
        b = ht[:, :121]
        wire = np.concatenate([b[:, 60:], b[:, :60]], 1)
        rows = [self.line([*a, *w, *w[::-1]], 1, 1, 1, 1) for a, w in zip(legacy, wire)]
        self.check(b[:, :, None].astype(np.complex64), self.write(*rows), "--key", "ht_ltf")

    def test_refused(self):
        self.refuse("packet of 130 bytes, secondary channel 0, sig_mode 0.*expected are 128",
                    self.write(self.line(self.x[0, :65])))
        self.refuse("no combination of ESP-IDF's table", self.write(self.line(self.x[0, :64], 1, 1)))
        self.refuse("has no line CSI_DATA with CSI", self.write(self.line(self.x[0, :64], length=384)))
        short = "CSI_DATA,1,aa:bb:cc:dd:ee:ff,-40,11,-90,0,0,6,123,100,0,234,0,\"[" + ",".join(["1"] * 234) + ']"'
        self.refuse("packet of 234 bytes of a chip that does not say its signal mode",
                    self.write(short, header=False))
        _, err = self.read(self.write(self.line(self.x[0, :64], first_word=1)))
        self.assertIn("of 1 packets the first two values", err)


class Nexmon(TestCase):

    def packet(self, data, sequence=0, core=0, stream=0, chip=0x65, mac=b"\1\2\3\4\5\6", place=None):
        payload = struct.pack("<HbB6sHHHH", 0x1111, -50, 0x88, mac, sequence,
                              core | stream << 3 if place is None else place, 0xe02a, chip) + data
        udp = struct.pack(">HHHH", 5500, 5500, 8 + len(payload), 0) + payload
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 1, 17, 0, b"\x0a" * 4, b"\xff" * 4)
        return b"\xff" * 6 + b"NEXMON" + b"\x08\x00" + ip + udp

    def write(self, packets, order="<", name="c.pcap", link=1):
        data = struct.pack(order + "IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, link)
        for packet in packets:
            data += struct.pack(order + "IIII", 1, 2, len(packet), len(packet)) + packet
        (self.directory / name).write_bytes(data)
        return self.path(name)

    def test_int16(self):
        rng = np.random.default_rng(1)
        for width, used in ((64, "4:32,33:61"), (128, "6:63,66:123"), (256, "6:127,130:251")):
            x = rng.integers(-2000, 2000, (4, width, 2)).astype("<i2")
            expected = np.fft.fftshift(x[..., 0] + 1j * x[..., 1], axes=1)[:, :, None].astype(np.complex64)
            for order in "<>":
                path = self.write([self.packet(row.tobytes(), i) for i, row in enumerate(x)]
                                  + [b"\0" * 60, self.packet(x[0].tobytes())[:40]], order)
                found, err = self.read(path)
                np.testing.assert_array_equal(found, expected)
            self.assertIn(f"--carriers {used}", err)
        path = self.write([self.packet(row.tobytes(), i)[14:] for i, row in enumerate(x)], link=101)
        np.testing.assert_array_equal(self.read(path)[0], expected)

    def test_floats(self):
        """Sign, 8 or 11 bits, sign, 8 or 11 bits, exponent of 5 or 6 bits in two's complement."""
        rng = np.random.default_rng(2)
        for chip, size, exponent in ((0x03, 8, 5), (0x6a, 11, 6)):
            real, imag = rng.integers(-(1 << size) + 1, 1 << size, (2, 3, 64))
            power = rng.integers(-(1 << exponent - 1), 1 << exponent - 1, (3, 64))
            packets = []
            for i in range(3):
                words = [int(f"{int(a < 0)}{abs(a):0{size}b}{int(b < 0)}{abs(b):0{size}b}"
                             f"{e & ((1 << exponent) - 1):0{exponent}b}", 2)
                         for a, b, e in zip(real[i], imag[i], power[i])]
                packets.append(self.packet(struct.pack("<64I", *words), i, chip=chip))
            expected = np.fft.fftshift((real + 1j * imag) * 2.0 ** power, axes=1)[:, :, None]
            np.testing.assert_array_equal(self.read(self.write(packets))[0], expected.astype(np.complex64))

    def test_antennas(self):
        """Cores are receive antennas, spatial streams columns; frames without all of them are left out."""
        rng = np.random.default_rng(3)
        x = rng.integers(-2000, 2000, (5, 2, 3, 64, 2)).astype("<i2")
        packets = [self.packet(x[f, c, s].tobytes(), f, c, s)
                   for f in range(5) for c in range(2) for s in range(3) if (f, c, s) != (2, 1, 1)]
        # The same number again, much later, with what was missing the first time.
        packets += [self.packet(x[0, 0, 0].tobytes(), 100 + i, mac=b"abcdef") for i in range(70)]
        packets.append(self.packet(x[2, 1, 1].tobytes(), 2, 1, 1))
        found, err = self.read(self.write(packets))
        whole = x[[0, 1, 3, 4]]
        expected = np.fft.fftshift(whole[..., 0] + 1j * whole[..., 1], axes=3).transpose(0, 1, 3, 2)
        np.testing.assert_array_equal(found, expected.reshape(8, 64, 3))
        self.assertIn("left out 72 frames without all cores and streams", err)
        # Core and stream in the other byte order.
        packets = [self.packet(x[f, c, 0].tobytes(), f, place=c << 8) for f in range(5) for c in range(2)]
        self.assertEqual(self.read(self.write(packets))[0].shape, (10, 64, 1))

    def test_refused(self):
        data = np.ones(128, "<i2").tobytes()
        path = self.write([self.packet(data, chip=0x1234)])
        self.refuse("the chip is 0x1234, known are .*--chip", path)
        self.assertEqual(self.read(path, "--chip", "4339")[0].shape, (1, 64, 1))
        self.refuse("--chip is 4340, allowed is 4339", path, "--chip", "4340")
        self.refuse("has no CSI of nexmon", self.write([b"\0" * 60]))
        self.refuse("pcapng", self.write_bytes(b"\x0a\x0d\x0d\x0a" + b"\0" * 40))
        self.refuse("link type is 105", self.write([self.packet(data)], link=105))
        both = [self.packet(data), self.packet(data + data, 1)]
        self.refuse("has several arrays: csi_64, csi_128; --key", self.write(both))
        self.assertEqual(self.read(self.path("c.pcap"), "--key", "csi_128")[0].shape, (1, 128, 1))

    def write_bytes(self, data):
        (self.directory / "x.pcap").write_bytes(data)
        return self.path("x.pcap")


class Intel(TestCase):

    def record(self, csi, antennas, rssi=(40, 30, 0), noise=-90, agc=35):
        """A record of the CSI Tool: csi complex integers (tx, rx, 30)."""
        ntx, nrx, _ = csi.shape
        bits = ""
        for k in range(30):
            bits += "000"
            for r in range(nrx):
                for t in range(ntx):
                    for part in (csi[t, r, k].real, csi[t, r, k].imag):
                        bits += f"{int(part) & 255:08b}"[::-1]  # the least significant bit first
        bits += "0" * (-len(bits) % 8)
        payload = bytes(int(bits[i:i + 8][::-1], 2) for i in range(0, len(bits), 8))
        body = struct.pack("<IHHBBBBBbBBHH", 1, 1, 0, nrx, ntx, *rssi, noise, agc, antennas, len(payload),
                           0x1c01) + payload
        return struct.pack(">HB", 1 + len(body), 0xbb) + body

    def write(self, *records):
        (self.directory / "log.dat").write_bytes(b"".join(records))
        return self.path("log.dat")

    def csi(self, n, *shape):
        rng = np.random.default_rng(4)
        return rng.integers(-128, 128, (n, *shape, 30)) + 1j * rng.integers(-128, 128, (n, *shape, 30))

    def test_order(self):
        """Receive antennas go where the record says; transmit antennas are the columns."""
        x = self.csi(4, 2, 3)
        other = b"\0\x05\xc1abcd"
        found, err = self.read(self.write(*(self.record(a, 0b100100) + other for a in x)))
        np.testing.assert_array_equal(found, x.transpose(0, 2, 3, 1).reshape(12, 30, 2))
        self.assertIn("unscaled", err)
        self.assertIn("sample,antenna,rx,subcarrier", err)
        # The first row came from antenna C, the second from A, the third from B.
        found, _ = self.read(self.write(*(self.record(a, 0b010010) for a in x)))
        np.testing.assert_array_equal(found, x[:, :, [1, 2, 0]].transpose(0, 2, 3, 1).reshape(12, 30, 2))
        found, err = self.read(self.write(*(self.record(a, 0) for a in x)))
        self.assertIn("4 packets do not say which antennas", err)
        np.testing.assert_array_equal(found, x.transpose(0, 2, 3, 1).reshape(12, 30, 2))
        self.check(x.reshape(8, 3, 30).transpose(0, 2, 1).astype(np.complex64),
                   self.write(*(self.record(a, 0b100100) for a in x)), "--axes", "sample,rx,antenna,nc")

    def test_scaled(self):
        """As get_scaled_csi computes it: signal power of the RSSI over noise and quantization error."""
        x = self.csi(2, 2, 3)
        path = self.write(*(self.record(a, 0b100100) for a in x))
        found, _ = self.read(path, "--key", "scaled")
        for i, a in enumerate(x):
            rss_dbm = 10 * np.log10(10 ** 4.0 + 10 ** 3.0) - 44 - 35
            scale = 10 ** (rss_dbm / 10) / (np.sum(np.abs(a) ** 2) / 30)
            noise = 10 ** -9.0 + scale * 6
            expected = a * np.sqrt(scale / noise) * np.sqrt(2)
            np.testing.assert_allclose(found[3 * i:3 * i + 3], expected.transpose(1, 2, 0), rtol=1e-5)

    def test_sizes(self):
        """Records of several sizes are several arrays, a cut one is left out."""
        one, two = self.csi(1, 1, 1)[0], self.csi(1, 3, 2)[0]
        path = self.write(self.record(one, 0), self.record(two, 0b0100), self.record(one, 0)[:50])
        self.refuse("has several arrays: csi_1x1, scaled_1x1, csi_3x2, scaled_3x2; --key", path)
        found, err = self.read(path, "--key", "csi_3x2")
        np.testing.assert_array_equal(found, two.transpose(1, 2, 0))
        self.assertIn("left out 1 records", err)
        self.refuse("no CSI of the Intel 5300|no known|no file of a known", self.write(b"\0\x04\xc1abc" * 3))
        self.refuse("known format", self.write(b"\0\1\2\3" * 100))


class Renew(TestCase):

    FFT, CP, ZEROS, SYMBOLS = 64, 16, (90, 60), 3

    def write(self, h, pilot, delay=0, name="r.hdf5", shift=True, **attributes):
        """A recording of channels h (frame, cell, user, antenna, 64), ascending subcarriers."""
        x = np.fft.ifft(np.fft.ifftshift(h * pilot, axes=-1), axis=-1)
        symbol = np.concatenate([x[..., -self.CP:], x], -1)
        zeros = [np.zeros((*h.shape[:-1], n)) for n in self.ZEROS]
        y = np.concatenate([zeros[0], *[symbol] * self.SYMBOLS, zeros[1]], -1)
        y = np.roll(y, delay, -1)
        self.scale = 0.5 / np.abs(y).max()
        parts = np.round(32768 * self.scale * np.stack([y.real, y.imag], -1)).astype(np.int16)
        values = pilot if shift else np.fft.ifftshift(pilot)
        with h5py.File(self.path(name), "w") as file:
            data = file.create_group("Data")
            data["Pilot_Samples"] = parts.reshape(*h.shape[:-1], -1)
            data.attrs.update({"FFT_SIZE": [self.FFT], "CP_LEN": [self.CP], "PREFIX_LEN": [self.ZEROS[0]],
                               "POSTFIX_LEN": [self.ZEROS[1]], "PILOT_SEQ_TYPE": np.array([b"zadoff-chu"]),
                               "OFDM_PILOT_F": np.stack([values.real, values.imag], -1).ravel(), **attributes})
        return self.path(name)

    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(5)
        self.pilot = np.exp(2j * np.pi * rng.random(64))
        self.pilot[[0, 1, 2, 3, 32, 61, 62, 63]] = 0
        # Channels of four taps.
        taps = rng.standard_normal((4, 1, 2, 3, 4, 2)) @ [1, 1j]
        k = np.arange(-32, 32)
        self.channel = np.sum(taps[..., None] * np.exp(-2j * np.pi * np.outer(np.arange(4), k) / 64), -2)
        self.used = [*range(4, 32), *range(33, 61)]

    def expected(self):
        return self.scale * self.channel[..., self.used].reshape(8, 3, -1).transpose(0, 2, 1)

    def test_pilots(self):
        for shift in (True, False):
            found, err = self.read(self.write(self.channel, self.pilot, shift=shift))
            np.testing.assert_allclose(found, self.expected(), atol=2e-3 * np.abs(self.expected()).max())
            self.assertIn("estimated from the pilots in Data/Pilot_Samples", err)
        # The samples themselves stay there to be read.
        found, _ = self.read(self.path("r.hdf5"), "--key", "Data/Pilot_Samples", "--axes",
                             "frame,cell,user,antenna,nc/iq")
        self.assertEqual(found.shape, (8, sum(self.ZEROS) + 240, 3))

    def test_refused(self):
        for delay in (33, -30):
            self.refuse("has no pilots where its attributes say", self.write(self.channel, self.pilot, delay))
        noise = np.random.default_rng(6).standard_normal((4, 1, 2, 3, 64, 2)) @ [1, 1j]
        self.refuse("has no pilots where its attributes say", self.write(noise, self.pilot))
        self.refuse("Pilot_Samples has .*zeros of 300", self.write(self.channel, self.pilot, PREFIX_LEN=[300]))
        path = self.write(self.channel, self.pilot)
        with h5py.File(path, "r+") as file:
            del file["Data"].attrs["OFDM_PILOT_F"]
        self.refuse("pilots of the kind 'zadoff-chu' with 64 subcarriers, whose values", path)
        with h5py.File(path, "r+") as file:
            del file["Data"].attrs["CP_LEN"]
        self.refuse("has no attribute CP_LEN", path)

    def test_argos(self):
        """(frame, antenna, samples of one user after the other and of noise, I and Q)."""
        lts = np.zeros(64)
        lts[6:59] = [int(c + "1") for c in "++--++-+-++++++--++-+-++++"] + [0] + [
            int(c + "1") for c in "+--++-+-+-----++--+-+-++++"]
        h = self.channel[:, 0]
        x = np.fft.ifft(np.fft.ifftshift(h * lts, axes=-1), axis=-1)
        one = np.concatenate([np.zeros((4, 2, 3, 15)), x[..., -32:], x, x, np.zeros((4, 2, 3, 49))], -1)
        y = np.concatenate([one[:, 0], one[:, 1], np.zeros((4, 3, 224))], -1)
        scale = 0.5 / np.abs(y).max()
        with h5py.File(self.path("a.hdf5"), "w") as file:
            file["Pilot_Samples"] = np.round(32768 * scale * np.stack([y.real, y.imag], -1)).astype(np.int16)
            file.attrs.update({"samples_per_user": 224, "num_mob_ant": 2})
        found, _ = self.read(self.path("a.hdf5"))
        used = [*range(6, 32), *range(33, 59)]
        expected = scale * h[..., used].reshape(8, 3, -1).transpose(0, 2, 1)
        np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())


class SigMf(TestCase):

    #: type -> what zero is, and full scale
    TYPES = {"cf32_le": (0, 1), "cf32_be": (0, 1), "cf64_le": (0, 1), "cf64_be": (0, 1), "ci8": (0, 128),
             "ci16_le": (0, 1 << 15), "ci16_be": (0, 1 << 15), "ci32_le": (0, 1 << 31),
             "ci32_be": (0, 1 << 31), "cu8": (128, 128), "cu16_le": (1 << 15, 1 << 15),
             "cu16_be": (1 << 15, 1 << 15), "cu32_le": (1 << 31, 1 << 31)}

    def numbers(self, name, x):
        """Bytes of complex samples between -1 and 1."""
        zero, scale = self.TYPES[name]
        part = np.dtype((">" if name.endswith("_be") else "<") + name[1] + str(int(name[2:].split("_")[0]) // 8))
        parts = np.stack([x.real, x.imag], -1).astype(np.float64)
        if name[1] != "f":
            parts = np.round(parts * 64) * (scale // 64) + zero
        return parts.astype(part).tobytes()

    def write(self, name, datatype, data, channels=1, archive=False, **more):
        fields = {"core:datatype": datatype, "core:version": "1.0.0", "core:sample_rate": 1e6,
                  "core:num_channels": channels, **more}
        meta = json.dumps({"global": fields, "captures": [{"core:sample_start": 0}], "annotations": []})
        files = {f"{name}.sigmf-meta": meta.encode(), f"{name}.sigmf-data": data}
        if not archive:
            for file, content in files.items():
                (self.directory / file).write_bytes(content)
            return self.path(f"{name}.sigmf-meta")
        with tarfile.open(self.path(f"{name}.sigmf"), "w") as tar:
            for file, content in files.items():
                info = tarfile.TarInfo(f"{name}/{file}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return self.path(f"{name}.sigmf")

    def setUp(self):
        super().setUp()
        x = random_complex(9, 5 * 64 * 4)
        self.x = (np.round(64 * x / np.abs(x).max()) / 64).astype(np.complex64)

    @staticmethod
    def replay(recording):
        """The samples that csifeedback_ue gets."""
        sink, flowgraph = blocks.vector_sink_c(), gr.top_block()
        chain = [*UserEquipment._file_source(recording), sink]  # outlives the flowgraph
        flowgraph.connect(*chain)
        flowgraph.run()
        return np.array(sink.data())

    def test_every_type(self):
        """Import has the numbers of the file, a replay those between -1 and 1, for each type."""
        h = self.x.reshape(5, 64, 4)
        for datatype, (_, scale) in self.TYPES.items():
            for archive in (False, True):
                with self.subTest(datatype, archive=archive):
                    path = self.write("r", datatype, self.numbers(datatype, self.x), archive=archive)
                    (self.directory / "r.sigmf-meta").unlink() if archive else None
                    found, _ = self.read(path, *AXES, "--shape", "n,64,4")
                    np.testing.assert_allclose(found, scale * h, rtol=1e-6)
                    recording = sigmf.Recording(path)
                    np.testing.assert_array_equal(recording.read(3, 50), self.x[3:53])
                    np.testing.assert_array_equal(self.replay(recording), self.x)

    def test_channels(self):
        data = self.numbers("ci16_le", self.x)
        path = self.write("c", "ci16_le", data, 4)
        found, _ = self.read(path, "--axes", "nc,antenna")
        np.testing.assert_allclose(found, 32768 * self.x.reshape(1, -1, 4), rtol=1e-6)
        with self.assertRaisesRegex(ValueError, "core:num_channels is 4: --air-channel says which"):
            sigmf.Recording(path)
        with self.assertRaisesRegex(ValueError, "--air-channel is 4, allowed is 0 to 3"):
            sigmf.Recording(path, 4)
        for channel in (0, 3):
            recording = sigmf.Recording(path, channel)
            np.testing.assert_array_equal(self.replay(recording), self.x[channel::4])
        # An archive is what is read where it is named, though another recording of its name lies beside it.
        archive = self.write("c", "ci16_le", data, 4, archive=True)
        self.write("c", "ci16_le", data[:8])
        found, _ = self.read(archive, "--axes", "nc,antenna")
        np.testing.assert_allclose(found, 32768 * self.x.reshape(1, -1, 4), rtol=1e-6)

    def headed(self, captures, trailing=0):
        """A recording with bytes 0xaa as headers. captures: [(first sample, bytes of its header)]."""
        data, item = self.numbers("ci16_le", self.x), 4
        parts = [data[:captures[0][0] * item]]
        for (start, header), (end, _) in zip(captures, [*captures[1:], (len(self.x), 0)]):
            parts += [b"\xaa" * header, data[start * item:end * item]]
        path = self.write("h", "ci16_le", b"".join(parts) + b"\xbb" * trailing, **{"core:trailing_bytes": trailing})
        with open(path) as file:
            meta = json.load(file)
        meta["captures"] = [{"core:sample_start": s, **({"core:header_bytes": h} if h else {})}
                            for s, h in captures]
        with open(path, "w") as file:
            json.dump(meta, file)
        return path

    def test_headers_are_left_out(self):
        """core:header_bytes before the samples of any capture, core:trailing_bytes behind the last."""
        h = 32768 * self.x.reshape(5, 64, 4)
        for captures, trailing in (([(0, 16)], 0), ([(0, 0), (300, 0)], 0),
                                   ([(0, 6), (400, 8), (410, 0), (900, 22)], 0), ([(100, 12)], 0),
                                   ([(0, 0)], 22), ([(0, 4), (1279, 4)], 3)):
            with self.subTest(captures=captures, trailing=trailing):
                path = self.headed(captures, trailing)
                found, _ = self.read(path, *AXES, "--shape", "n,64,4")
                np.testing.assert_allclose(found, h, rtol=1e-6)
                np.testing.assert_array_equal(self.replay(sigmf.Recording(path)), self.x)
                with tarfile.open(self.path("h.sigmf"), "w") as tar:
                    for name in ("h.sigmf-meta", "h.sigmf-data"):
                        tar.add(self.directory / name, f"h/{name}")
                        (self.directory / name).unlink()
                found, _ = self.read(self.path("h.sigmf"), *AXES, "--shape", "n,64,4")
                np.testing.assert_allclose(found, h, rtol=1e-6)
        for captures in ([(0, 0), (5000, 0)], [(0, 1 << 49)]):
            path = self.headed([(0, 0)])
            with open(path) as file:
                meta = json.load(file)
            meta["captures"] = [{"core:sample_start": s, "core:header_bytes": n} for s, n in captures]
            with open(path, "w") as file:
                json.dump(meta, file)
            self.refuse("^[^ ]*h.sigmf-meta: [12] captures, their core:header_bytes .* need more than the 5120 bytes",
                        path, *AXES, "--shape", "n,64,4")

    def test_dataset_of_another_name(self):
        """core:dataset: the samples are in a file of another name and format beside the metadata."""
        data = self.numbers("ci16_le", self.x)
        (self.directory / "radio.iq").write_bytes(b"\xaa" * 12 + data + b"\xbb" * 3)
        path = self.write("d", "ci16_le", b"", **{"core:dataset": "radio.iq", "core:trailing_bytes": 3})
        with open(path) as file:
            meta = json.load(file)
        meta["captures"][0]["core:header_bytes"] = 12
        with open(path, "w") as file:
            json.dump(meta, file)
        (self.directory / "d.sigmf-data").unlink()
        found, _ = self.read(path, *AXES, "--shape", "n,64,4")
        np.testing.assert_allclose(found, 32768 * self.x.reshape(5, 64, 4), rtol=1e-6)
        np.testing.assert_array_equal(self.replay(sigmf.Recording(path)), self.x)
        # An archive has its own; another one would have to be unpacked.
        archive = self.write("d", "ci16_le", data, archive=True, **{"core:dataset": "d.sigmf-data"})
        np.testing.assert_array_equal(self.replay(sigmf.Recording(archive)), self.x)
        archive = self.write("d", "ci16_le", data, archive=True, **{"core:dataset": "radio.iq"})
        self.refuse("d.sigmf: core:dataset is .radio.iq., allowed is d.sigmf-data", archive, *AXES)
        for name in ("../radio.iq", "/etc/passwd", "..", "a\\b", "\ud800", "a\nb", "none.iq", "", "x" * 9999):
            self.refuse("d.sigmf-meta: core:dataset is .*, allowed is the name of a file in the same directory",
                        self.write("d", "ci16_le", data, **{"core:dataset": name}), *AXES)
        self.refuse("core:metadata_only is true, .*without its samples",
                    self.write("d", "ci16_le", data, **{"core:metadata_only": True}), *AXES)

    def test_refused(self):
        data = self.numbers("ci16_le", self.x)
        for datatype in ("rf32_le", "ri16_le", "ci16", "ci8_le", "cf16_le", "ci64_le"):
            self.refuse(f"r.sigmf-meta: core:datatype is .{datatype}., allowed is cf32_le or",
                        self.write("r", datatype, data), *AXES, "--shape", "n,64,4")
        good = hashlib.sha512(data).hexdigest()
        self.read(self.write("r", "ci16_le", data, **{"core:sha512": good}), *AXES, "--shape", "n,64,4")
        self.refuse("core:sha512 is another one", self.write("r", "ci16_le", data[::-1], **{"core:sha512": good}),
                    *AXES, "--shape", "n,64,4")
        self.refuse("no multiple of the 4 bytes", self.write("r", "ci16_le", data[:-1]), *AXES)
        archive = self.write("a", "ci16_le", data, archive=True)
        whole = (self.directory / "a.sigmf").read_bytes()
        for at in range(0, whole.index(data) + len(data), 700):
            (self.directory / "a.sigmf").write_bytes(whole[:at])
            self.refuse("a.sigmf: is no archive of SigMF", archive, *AXES, "--shape", "n,64,4")
        (self.directory / "a.sigmf").write_bytes(gzip.compress(whole))
        self.refuse("^[^ ]*a.sigmf: is no archive of SigMF: it is compressed", archive, *AXES)
        with tarfile.open(archive, "w") as tar:
            link = tarfile.TarInfo("a/a.sigmf-data")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(link)
        self.refuse("a.sigmf-data is no file", archive, *AXES)


class Inspect(TestCase):

    def test_commands(self):
        """What inspect proposes works as it stands."""
        (self.directory / "x.csv").write_text("re,im\n1,2\n3,4\n")
        text, _ = self.run_here("inspect", self.path("x.csv"))
        self.assertRegex(text, r"(?m)^csi +2 +complex128")
        self.assertIn("csi: re, im are real and imaginary part", text)
        (self.directory / "x.bin").write_bytes(self.h.tobytes())
        text, _ = self.run_here("inspect", self.path("x.bin"), "--raw", "cf32")
        self.assertRegex(text, r"(?m)^array +1280 +complex64")


if __name__ == "__main__":
    unittest.main()
