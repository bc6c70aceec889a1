#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The tables and figures of the MLCF paper, made anew, and what goes beyond it.

Data sets and models are kept in the output directory: what is there already is not made again,
so that an interrupted run goes on where it was.
"""

import csv
import os
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np

from .. import csifeedback_python as core
from .. import evaluation
from ..data.dataset import Dataset, DatasetWriter
from ..data.generate import generate
from ..files import subplots, write_figure
from ..training import run
from . import printed

#: Table I
CHANNEL: Dict[str, Any] = {
    "channel": "cdl-a", "delay_spread_s": 300e-9, "carrier_hz": 3.5e9, "speed_mps": 30 / 3.6,
    "sample_interval_s": 1e-3, "nc": 48, "na": 48, "precursor": 0, "spacing_hz": 180e3,
    "whole": True}
#: half width of the random directions of new drops, in degrees
ROTATED: Dict[str, Any] = {"angle_span_deg": 120}


class Bench:
    """Makes what an experiment needs, once."""

    def __init__(self, directory: str, element: str, samples: int) -> None:
        self.directory, self.samples = directory, samples
        self.element = element
        os.makedirs(directory, exist_ok=True)

    def path(self, name: str) -> str:
        return os.path.join(self.directory, f"{self.element}-{name}")

    def dataset(self, name: str, count: int, channel: Dict[str, Any] = CHANNEL,
                **options: Any) -> str:
        path = self.path(name + ".h5")
        element = {"sector_element": True} if channel is CHANNEL and \
            self.element == "sector" else {}
        # Makes nothing anew, and refuses what is another data set.
        generate(path, samples=count, **{**channel, **element, **options})
        return path

    def history(self, split: str, nt: int = 32, columns: int = 4000) -> Tuple[str, str]:
        """Paths of the training set, of whole slots, and of the test set."""
        slots = columns // nt
        name = f"{nt}-{slots}"
        if split == "rotated":
            return (self.dataset(f"rotated-{name}", slots, nt=nt, **ROTATED),
                    self.dataset(f"rotated-test-{nt}", self.samples, nt=nt, first=10**6,
                                 **ROTATED))
        if split == "between":
            both = self.dataset(f"track-{nt}-{2 * slots}", 2 * slots, nt=nt,
                                slots_per_drop=2 * slots)
            even, odd = (self.slots(both, slice(first, None, 2), f"{part}-{name}")
                         for first, part in ((0, "even"), (1, "odd")))
            return even, odd
        return (self.dataset(f"track-{name}", slots, nt=nt, slots_per_drop=slots),
                self.dataset(f"test-{nt}", self.samples, nt=nt, first=10**6))

    def slots(self, path: str, which: Any, name: str) -> str:
        """Some matrices of a data set, as one of its own."""
        new = self.path(name + ".h5")
        with Dataset(path) as data:
            h = data.read(0, len(data))[which]
            attributes = {k: getattr(data, k) for k in ("nc", "na", "nt", "precursor", "align",
                                                        "spacing_hz", "sample_interval_s")}
            attributes.update(align=int(data.align), domain="H", channel=data.channel,
                              parameters=data.parameters,
                              command=f"{data.command} | {which.start}::{which.step}")
        with DatasetWriter(new, len(h), attributes) as writer:
            if writer.done < len(h):
                writer.append(h[writer.done:])
        return new

    def model(self, codec: str, history: str, *options: Any) -> str:
        """Path of a trained model."""
        words = [str(o) for o in options]
        name = "_".join([codec, os.path.basename(history)[:-3].split("-", 1)[1],
                         *(o.lstrip("-") for o in words)])
        path = self.path(name + ".h5")
        arguments = ["--codec", codec, "--dataset", history, "-o", path, "--entry-bits", "0",
                     *words]
        # The name of a file does not say what is in it.
        if not os.path.exists(path):
            run.train(arguments)
        elif not run.made_by(path, arguments):
            run.train([*arguments, "--overwrite"])
        return path


def evaluator(path: str) -> evaluation.Evaluator:
    """An Evaluator of both domains for a data set of whole matrices."""
    with Dataset(path) as data:
        return evaluation.Evaluator(data.angular_delay(), np.zeros(len(data)), data.nc,
                                    data.precursor, rho_samples=200, h=data.read(0, len(data)))


def figures(test: evaluation.Evaluator, path: str, d: int, **options: Any) -> Dict[str, Any]:
    """A row of figures of a model with d values per column."""
    codec = evaluation.Codec(path)
    size = d * codec.model.nt
    row = test.run(codec, min(size, codec.encoder(0).code_size()), **options)
    return {"d": d, **{k: row[k] for k in ("nmse_db", "nmse_db_low", "nmse_db_high", "rho")},
            **({"se": row["se"], "se_snr_db": row["se_snr_db"]} if "se" in row else {})}


def cost(path: str, d: int) -> Dict[str, float]:
    """Floats of a model that UE and BS need for d values per column, and MFLOP of both; a
    multiply-add is two."""
    codec = evaluation.Codec(path)
    model = codec.model
    if model.codec == "mlcf":
        rows = len(model.read("encoder/D_H")) + len(model.read(f"decoder/D_H_{d}"))
        parameters = rows * (2 * model.na + d)
    elif model.codec == "klt-columns":
        parameters = d * 2 * model.na
    else:
        parameters = d * model.nt * model.na * model.nt
    parts = evaluation.complexity(codec, d * model.nt)
    return {"parameters": parameters, "mflop": 2e-6 * (parts["encoder"] + parts["decoder"])}


#: delay rows that the networks of Table II keep, as their printed parameter counts show
KEPT_ROWS = 24


def truncation(test: evaluation.Evaluator, precursor: int) -> Dict[str, float]:
    """The error of keeping KEPT_ROWS delay rows of H, `precursor` of them before delay zero, and
    nothing else."""
    cut = core.angular_delay_transform(*test.h.shape[1:], KEPT_ROWS, precursor, False)
    return evaluation.summary(cut.forward(test.h)[1])


LINEAR = (("KLT of columns", "klt-columns"), ("KLT x DFT cells", "klt-cells"), ("KLT", "klt"))
DIMENSIONS = (6, 12, 24)


def table_2(bench: Bench, progress: Callable[[int, int], None]) -> List[Dict[str, Any]]:
    rows = [{"codec": f"{name} (paper)", "split": "not said", "d": d, "nmse_db": v[0], "rho": v[1],
             "parameters": v[2], "mflop": v[3]}
            for name, of_d in printed.MLCF_TABLE_2.items() for d, v in of_d.items()]
    rows += [{"codec": name, "split": "no weights for this channel", "d": d}
             for name in printed.MLCF_TABLE_2 if name != "MLCF" for d in DIMENSIONS]
    splits = ("new", "between", "rotated")
    for number, split in enumerate(splits):
        history, test_path = bench.history(split)
        test = evaluator(test_path)
        rows += [{"codec": f"{KEPT_ROWS} delay rows, {p} before zero", "split": split, "d": d,
                  **truncation(test, p)} for p in (0, 2, 4) for d in DIMENSIONS]
        for name, codec, options in (
                ("MLCF, PCA", "mlcf", ("--embedding", "pca")),
                ("MLCF, LLE", "mlcf", ("--embedding", "lle", "--embedding-neighbours", 100)),
                *((name, codec, ("--code-size", 24 * 32)) for name, codec in LINEAR)):
            path = bench.model(codec, history, *options)
            rows += [{"codec": name, "split": split, **figures(test, path, d), **cost(path, d)}
                     for d in DIMENSIONS]
        progress(number + 1, len(splits))
    return rows


def figure_2(bench: Bench, progress: Callable[[int, int], None]) -> List[Dict[str, Any]]:
    rows = []
    counts = (800, 1600, 2400, 3200, 4000, 5600, 8000)
    for number, columns in enumerate(counts):
        history, test_path = bench.history("new", columns=columns)
        test = evaluator(test_path)
        common = ("--columns", columns, "--lambda", 0.05, "--neighbours", 80, "--dimensions", 6, 12)
        for name, codec, options in (
                ("MLCF", "mlcf", common), ("MLCF, random landmarks", "mlcf",
                                           (*common, "--iterations", 0)),
                ("KLT of columns", "klt-columns", ("--code-size", 12 * 32))):
            path = bench.model(codec, history, *options)
            rows += [{"codec": name, "columns": columns, **figures(test, path, d)}
                     for d in (6, 12)]
        progress(number + 1, len(counts))
    return rows


def figure_3(bench: Bench, progress: Callable[[int, int], None]) -> List[Dict[str, Any]]:
    rows = []
    counts = (20, 50, 100, 150, 200, 300, 400)
    for number, (nt, k) in enumerate((nt, k) for nt in (32, 64) for k in counts):
        history, test_path = bench.history("new", nt)
        path = bench.model("mlcf", history, "--landmarks", 600, "--neighbours", k, "--dimensions",
                           6, "--iterations", 3)
        rows.append({"codec": "MLCF", "nt": nt, "k": k, **figures(evaluator(test_path), path, 6)})
        progress(number + 1, 2 * len(counts))
    return rows


def figure_4(bench: Bench, progress: Callable[[int, int], None]) -> List[Dict[str, Any]]:
    history, _ = bench.history("new")
    path = bench.model("mlcf", history, "--iterations", 60)
    with open(path + ".csv", newline="") as file:
        rows = [{"pair": r["pair"], "iteration": int(r["iteration"]),
                 "objective": float(r["objective"])} for r in csv.DictReader(file)]
    progress(1, 1)
    return rows


def figure_5(bench: Bench, progress: Callable[[int, int], None]) -> List[Dict[str, Any]]:
    rows = []
    history, test_path = bench.history("new")
    test = evaluator(test_path)
    models = [("MLCF", bench.model("mlcf", history)),
              ("KLT of columns", bench.model("klt-columns", history, "--code-size", 24 * 32)),
              ("KLT x DFT cells", bench.model("klt-cells", history, "--code-size", 24 * 32))]
    bits = (0, *range(1, 11))
    for number, (name, path) in enumerate(models):
        for b in bits:
            for kind in (("uniform", "lloyd-max", "allocated") if b else ("none",)):
                rows.append({"codec": name, "quantizer": kind, "bits": b,
                             **figures(test, path, 6, quantizer_kind=kind, bits=b)})
        progress(number + 1, len(models))
    return rows


def figure_6(bench: Bench, progress: Callable[[int, int], None]) -> List[Dict[str, Any]]:
    rows = []
    history, test_path = bench.history("new")
    test = evaluator(test_path)
    models = [("MLCF, lambda 0.05", bench.model("mlcf", history, "--lambda", 0.05)),
              ("MLCF, lambda 0.001", bench.model("mlcf", history)),
              ("KLT of columns", bench.model("klt-columns", history, "--code-size", 24 * 32)),
              ("KLT x DFT cells", bench.model("klt-cells", history, "--code-size", 24 * 32))]
    for number, (name, path) in enumerate(models):
        rows += [{"codec": name, "snr_db": snr, **figures(test, path, 12, noise_snr_db=snr)}
                 for snr in (5, 10, 15, 20, 25, 30)]
        progress(number + 1, len(models))
    return rows


def figure_7(bench: Bench, progress: Callable[[int, int], None]) -> List[Dict[str, Any]]:
    rows = []
    users = 4
    history, test_path = bench.history("rotated")
    test = evaluator(test_path)
    se = core.spectral_efficiency(users, 48, 32, list(range(0, 31, 5)))
    names = [("MLCF", "mlcf", ())] + [(name, codec, ("--code-size", 24 * 32))
                                      for name, codec in LINEAR[:2]]
    for number, (name, codec, options) in enumerate(names):
        path = bench.model(codec, history, *options)
        row = figures(test, path, 6, quantizer_kind="uniform", bits=4, se=se)
        rows += [{"codec": name, "bits": 4, "snr_db": snr, "se": value}
                 for snr, value in zip(row["se_snr_db"], row["se"])]
        progress(number + 1, len(names))
    for row in test.baselines(se):
        rows += [{"codec": row["codec"], "bits": row["payload_bits"], "snr_db": snr, "se": value}
                 for snr, value in zip(row["se_snr_db"], row["se"])]
    return rows


def picture(bench: Bench, progress: Callable[[int, int], None]) -> List[Dict[str, Any]]:
    """The embedding and its landmarks, and errors along a track that begins as the history."""
    slots = 125
    track = bench.dataset(f"track-32-{4 * slots}", 4 * slots, slots_per_drop=4 * slots)
    history = bench.slots(track, slice(slots), f"start-32-{slots}")
    rows = []
    test = evaluator(track)
    size = ("--code-size", 6 * 32)
    models = [("MLCF", bench.model("mlcf", history, "--dimensions", 6)),
              *((name, bench.model(codec, history, *size)) for name, codec in LINEAR)]
    for number, (name, path) in enumerate(models):
        codec = evaluation.Codec(path)
        m = min(6 * 32, codec.encoder(0).code_size())
        truth = test.h if codec.model.domain == "H" else test.ha
        s, gain_db = codec.encoder(m).encode(truth)
        error = core.squared_error_ratio(truth, codec.decoder(m).decode(s, gain_db))
        rows += [{"codec": name, "slot": t, "error_db": evaluation.to_db(e)}
                 for t, e in enumerate(error)]
        if name == "MLCF":
            y = s[:slots].reshape(slots, 6, 32)[:, :2].transpose(0, 2, 1).reshape(-1, 2)
            rows += [{"codec": "embedding", "y1": a, "y2": b} for a, b in y.tolist()]
            rows += [{"codec": "landmarks", "y1": a, "y2": b}
                     for a, b in codec.model.read("encoder/D_L")[:, :2].tolist()]
        progress(number + 1, len(models))
    return rows


#: channels with independent drops, on the same grid or with 20 MHz
DROPS: "dict[str, dict]" = {
    "cdl-a-random": {**CHANNEL, **ROTATED, "delay_spread_s": 30e-9, "max_delay_spread_s": 300e-9},
    **{name: {"channel": name, "nc": 48, "na": 48, "precursor": 0, "spacing_hz": 20e6 / 48,
              "whole": True} for name in ("cost2100-indoor", "cost2100-outdoor")},
}


def patches(bench: Bench, progress: Callable[[int, int], None]) -> List[Dict[str, Any]]:
    rows = []
    for number, (channel, options) in enumerate(DROPS.items()):
        history = bench.dataset(f"{channel}-train", 20000, channel=options)
        test = evaluator(bench.dataset(f"{channel}-test", bench.samples, channel=options,
                                       first=10**6))
        size = ("--code-size", 24 * 32)
        for name, codec, more in (("MLCF", "mlcf", ()), *((n, c, size) for n, c in LINEAR),
                                  ("local KLT", "local-klt", size)):
            path = bench.model(codec, history, *more)
            rows += [{"codec": name, "channel": channel, "d": d, **figures(test, path, d)}
                     for d in DIMENSIONS]
        progress(number + 1, len(DROPS))
    return rows


#: name -> (function, what it is, x, y, what makes a line, what the paper says)
EXPERIMENTS = {
    "mlcf-table-2": (table_2, "Table II: NMSE and rho at gamma = 1/16, 1/8, 1/4 (d = 6, 12, 24)",
                     "d", "nmse_db", ("codec", "split"),
                     "MLCF ahead of three networks, of which only the printed figures are here"),
    "mlcf-figure-2": (figure_2, "Fig. 2: NMSE against the number of columns N", "columns",
                      "nmse_db", ("codec", "d"),
                      "falls with N and levels off; learned landmarks ahead of random ones"),
    "mlcf-figure-3": (figure_3, "Fig. 3: NMSE against the number of neighbours k, d = 6", "k",
                      "nmse_db", ("codec", "nt"),
                      "falls up to k = 400; 64 antennas worse than 32"),
    "mlcf-figure-4": (figure_4, "Fig. 4: objective (16) / N against iterations", "iteration",
                      "objective", ("pair",), "falls monotonically and converges"),
    "mlcf-figure-5": (figure_5, "Fig. 5: NMSE against bits per value, d = 6", "bits", "nmse_db",
                      ("codec", "quantizer"), "10 bits are not far from no quantization"),
    "mlcf-figure-6": (figure_6, "Fig. 6: NMSE against the SNR of the estimate, d = 12", "snr_db",
                      "nmse_db", ("codec",), "MLCF ahead of the networks at every SNR"),
    "mlcf-figure-7": (figure_7, "Fig. 7: spectral efficiency, eigen zero-forcing, d = 6, 4 bits",
                      "snr_db", "se", ("codec",), "MLCF close to perfect CSI"),
    "mlcf-picture": (picture, "The embedding in 2-D with its landmarks, and errors along a track "
                     "of which the first quarter is the history, d = 6", "slot", "error_db",
                     ("codec",), "-"),
    "patches": (patches, "Beyond the paper: patches with coordinates of their own (local KLT), "
                "20000 drops", "d", "nmse_db", ("codec", "channel"), "-"),
}


def label(key: str, value: Any) -> str:
    """Of a line or a panel."""
    return f"{key} {value}" if key in ("d", "nt", "pair") else str(value)


def draw_lines(axis: Any, rows: Sequence[Dict[str, Any]], experiment: str,
               keys: Sequence[str]) -> None:
    """A line for each combination of keys."""
    _, _, x, y, _, _ = EXPERIMENTS[experiment]
    lines: Dict[str, List[Dict[str, Any]]] = {}
    for row in rows:
        if y in row and (row[x] or x != "bits"):
            lines.setdefault(", ".join(label(k, row[k]) for k in keys), []).append(row)
    for number, (name, line) in enumerate(lines.items()):
        axis.plot([r[x] for r in line], [r[y] for r in line], label=name, linewidth=1,
                  marker="os^Dvx*P"[number % 8] if len(line) < 100 else None, markersize=4,
                  linestyle=":" if "paper" in name else "-")
    axis.set_xlabel({"d": "values per column, d", "columns": "columns of the history, N",
                     "k": "neighbours, k", "bits": "bits per value", "snr_db": "SNR in dB",
                     "slot": "slot of 1 ms"}.get(x, x))
    axis.set_ylabel({"nmse_db": "NMSE in dB", "se": "bit/s/Hz",
                     "error_db": "squared error in dB"}.get(y, y))
    if y == "objective":
        axis.set_yscale("log")
    if y.endswith("_db"):
        # The KLT of whole matrices knows those of its history exactly.
        axis.set_ylim(bottom=max(-60, axis.get_ylim()[0]))
    axis.grid(alpha=0.3)
    axis.legend(fontsize=7)


def draw(path: str, rows: Sequence[Dict[str, Any]], experiment: str) -> None:
    """The rows as lines; a panel for each split, channel or quantizer; and clouds of points."""
    _, title, x, _, keys, _ = EXPERIMENTS[experiment]
    clouds: Dict[str, List[Any]] = {}
    panels: Dict[Any, List[Dict[str, Any]]] = {}
    by: Any = keys[-1] if keys[-1] in ("split", "channel", "quantizer") else None
    for row in rows:
        if "y1" in row:
            clouds.setdefault(row["codec"], []).append((row["y1"], row["y2"]))
        elif "paper" not in row.get("codec", "") and row.get(by) != "none" \
                and EXPERIMENTS[experiment][3] in row:
            panels.setdefault(row.get(by), []).append(row)
    for row in rows:
        if "paper" in row.get("codec", ""):
            for panel in panels.values():
                panel.append(row)
    count = len(panels) + bool(clouds)
    figure, axes = subplots(1, count, 3 + 4 * count, 4.6)
    for (name, cloud), style in zip(clouds.items(), ({"s": 2, "alpha": 0.4}, {"s": 12})):
        axes[0, 0].scatter(*np.transpose(cloud), label=name, **style)
        axes[0, 0].set_xlabel("y1")
        axes[0, 0].set_ylabel("y2")
        axes[0, 0].legend(fontsize=8)
    for axis, (name, panel) in zip(axes[0, bool(clouds):], panels.items()):
        draw_lines(axis, panel, experiment, [k for k in keys if k != by])
        if name:
            axis.set_title(name, fontsize=9)
    figure.suptitle(title, fontsize=10)
    write_figure(figure, path, 110)
