#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The files that commands of the manual read and that no command before them has written: recordings
as other programs write them, made by the writers of tests/python, and data sets."""

import os
import pathlib
import re
import subprocess
import sys
from typing import Callable, Dict

import numpy as np
from scipy.io import savemat

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "python"))
import qa_formats  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
H = qa_formats.random_complex(1, 8, 64, 4)


def writer(kind, directory):
    """One of qa_formats' test cases, which writes into a directory."""
    case = kind()
    case.setUp()
    case.doCleanups()
    case.directory = directory
    return case


def columns(*parts):
    """Lines of a table."""
    return "\n".join(",".join(str(x) for x in row) for row in zip(*parts)) + "\n"


def long_table(directory):
    parts = H[:, :, 0].ravel()
    (directory / "long.csv").write_text("re,im\n" + columns(parts.real, parts.imag))


def tables(directory):
    """amplitude.csv, phase.csv: a line a sample."""
    for name, values in (("amplitude", np.abs(H[:, :, 0])), ("phase", np.angle(H[:, :, 0], deg=True))):
        (directory / f"{name}.csv").write_text("\n".join(",".join(map(str, row)) for row in values) + "\n")


def wide_table(directory):
    rows = np.ascontiguousarray(H[:, :, 0]).view(np.float32)
    (directory / "wide.csv").write_text("\n".join(f"{i},-40," + ",".join(map(str, row))
                                                  for i, row in enumerate(rows)) + "\n")


def tensors(directory):
    import torch
    torch.save({"H": torch.from_numpy(H)}, directory / "h.pt")
    parts = torch.rand(8, 2, 32, 32)
    torch.save({"train": {"H": 0.5 + 0.01 * (parts - 0.5)}}, directory / "all.pt")


def esp32(directory, ht=False):
    case = writer(qa_formats.Esp32, directory)
    rows = [[*row[:64], *row[64:]] for row in case.x] if ht else case.x[:, :64]
    pathlib.Path(case.write(*(case.line(row, int(ht)) for row in rows))).rename(directory / "capture.csv")


def nexmon(directory):
    case = writer(qa_formats.Nexmon, directory)
    x = np.random.default_rng(1).integers(-2000, 2000, (4, 256, 2)).astype("<i2")
    case.write([case.packet(row.tobytes(), i) for i, row in enumerate(x)], name="csi.pcap")


def nexmon_cores(directory):
    """Two cores and three streams of a chip that sends packed floats."""
    case = writer(qa_formats.Nexmon, directory)
    words = np.random.default_rng(1).integers(0, 1 << 24, (4, 2, 3, 256)).astype("<u4")
    case.write([case.packet(words[f, c, s].tobytes(), f, c, s, chip=0x6a)
                for f in range(4) for c in range(2) for s in range(3)], name="csi.pcap")


def intel(directory):
    case = writer(qa_formats.Intel, directory)
    case.write(*(case.record(a, 0b100100) for a in case.csi(4, 2, 3)))


def renew(directory):
    case = writer(qa_formats.Renew, directory)
    case.write(case.channel, case.pilot, name="trace.hdf5")


def recordings(directory):
    case = writer(qa_formats.SigMf, directory)
    data = H.tobytes()
    case.write("h", "cf32_le", data)
    case.write("h", "cf32_le", data, channels=4, archive=True)


def csinet_files(directory):
    """HT and HF_all of the data sets of CsiNet."""
    rng = np.random.default_rng(2)
    savemat(directory / "DATA_Htrainin.mat", {"HT": 0.5 + 0.01 * rng.standard_normal((20, 2048))})
    h = qa_formats.random_complex(3, 20, 32, 125)
    savemat(directory / "DATA_HtestFin_all.mat", {"HF_all": h.reshape(20, -1)})


def own_script(directory):
    page = (ROOT / "docs" / "own-codec.md").read_text(encoding="utf-8")
    (directory / "train_csinet.py").write_text(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0])


def first_rows(directory):
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (directory / "first_rows.py").write_text(
        next(text for text in re.findall(r"```\n(.*?)```", page, re.DOTALL) if "class FirstRows" in text))


def samples_of(array, *axes):
    """Random values with so many entries an axis, in a file of NumPy's."""
    return lambda directory: np.save(directory / array, qa_formats.random_complex(4, *axes))


#: A regular expression of a command -> what makes its files.
FILES: Dict[str, Callable[[pathlib.Path], object]] = {
    r" h\.bin ": lambda d: H.tofile(d / "h.bin"),
    r" h\.s16 ": lambda d: np.round(1000 * H.view(np.float32)).astype("<i2").tofile(d / "h.s16"),
    r" h\.f32 ": lambda d: H.tofile(d / "h.f32"),
    r" h\.sigmf": recordings,
    r" h\.csv ": lambda d: (d / "h.csv").write_text(
        "\n".join(",".join(f"{v.real}{v.imag:+}i" for v in row) for row in H[:, :, 0]) + "\n"),
    r" wide\.csv ": wide_table,
    r" long\.csv ": long_table,
    r" amplitude\.csv ": tables,
    r"\.pt --(axes|key)": tensors,
    r" capture\.csv --carriers": esp32,
    r" capture\.csv --key ht_ltf": lambda d: esp32(d, True),
    r" csi\.pcap --carriers": nexmon,
    r" csi\.pcap --chip": nexmon_cores,
    r" log\.dat ": intel,
    r" trace\.hdf5 ": renew,
    r" csi\.bin ": lambda d: qa_formats.random_complex(5, 8, 52).tofile(d / "csi.bin"),
    r" csi\.txt ": lambda d: (d / "csi.txt").write_text("".join(
        "#[" + " ".join(f"{v.real:.4f}{v.imag:+.4f}i" for v in row) + "]\n"
        for row in qa_formats.random_complex(5, 8, 52))),
    r"h\.npy --axes batch,": samples_of("h.npy", 6, 1, 1, 1, 4, 2, 64),
    r"h\.npy --axes user,": samples_of("h.npy", 6, 1, 4, 64),
    r" deepmimo\.mat ": lambda d: savemat(d / "deepmimo.mat", {
        "user": {"channel": qa_formats.random_complex(6, 6, 1, 4, 64)}}),
    r" h\.mat ": lambda d: savemat(d / "h.mat", {"H": qa_formats.random_complex(6, 1, 4, 64, 6)}),
    r" DATA_H": csinet_files,
    r" field\.npy ": samples_of("field.npy", 8, 4, 64),
    r" rays\.mat ": lambda d: savemat(d / "rays.mat", {
        "H": np.random.default_rng(3).standard_normal((3, 2, 4, 64, 2))}),
    r" wifi\.npy ": samples_of("wifi.npy", 8, 64, 2),
    r" parts\.npz ": lambda d: np.savez(d / "parts.npz", H_re=H.real, H_im=H.imag),
    r" 'csi\*\.npy' ": lambda d: [np.save(d / f"csi{i}.npy", H[i]) for i in range(3)],
    r" sim\.mat ": lambda d: savemat(d / "sim.mat", {
        "channel": {"H": qa_formats.random_complex(6, 64, 4, 2, 6)}}),
    r"train_csinet\.py": own_script,
    r"first_rows\.py": first_rows,
    r"ue2\.key": lambda d: ((d / "ue2.key").write_bytes(os.urandom(32)), (d / "ue2.key").chmod(0o600)),
}
#: Part of a data set's name -> its channel.
CHANNELS = {"indoor": "cost2100-indoor", "outdoor": "cost2100-outdoor", "cdl": "cdl-c"}


def make(command: str, directory: pathlib.Path) -> None:
    """Makes what a command reads and nothing has written."""
    for what, maker in FILES.items():
        if re.search(what, command):
            maker(directory)
    for _, names in re.findall(r"--(dataset|test|also)((?: [\w.-]+\.h5)+)", command):
        for name in names.split():
            if not (directory / name).exists():
                channel = next((c for part, c in CHANNELS.items() if part in name), "cost2100-indoor")
                first = ["--first", "1000000"] if "test" in name else []
                subprocess.run(["csifeedback_dataset", "generate", "--channel", channel, "--samples", "300",
                                *first, "-o", name], cwd=directory, check=True, capture_output=True)
