#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""SGCS and spectral efficiency against bits: the PMI codebooks of TS 38.214, and codecs of eigenvectors
W beside them.

Channels are CDL-A to E, or UEs of UMa, between dual-polarized arrays and a UE with several antennas, at
10 MHz (52 resource blocks). The codecs are trained on drops of all five profiles, of other numbers than
those of the test, or on UEs of another cell of UMa; each report has the bits that an enhanced Type II
report has in the mean on the profile, so that a row and the one before it cost the same.
"""

import dataclasses
import os
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np

from .. import csifeedback_python as core
from ..codecs import open_codec
from ..data import eigenvectors as drops
from ..data.panels import PanelDrops, ScenarioDrops
from ..eigenvectors import Pair, vectors
from ..files import write_figure
from ..training import run
from .codebooks import codebooks

#: the first drop of the test; those of the training begin at 0
FIRST = 5_000_000
PROFILES = "ABCDE"
#: SNR of the spectral efficiency, with channels of unit mean power
SNR_DB = 10.0
#: drops of a training set, of each of which two layers are taken
TRAINING = 2500
CODECS: Tuple[str, ...] = ("klt", "local-klt", "path")
#: patches over the subbands and over the ports, of the local KLT: a line of 16 columns resolves angles
#: finer than four columns do
PATCHES, PATCHES_OF_LINES = ("16", "16"), ("4", "128")
#: bits of the published mixture of KLTs, and its SGCS on CDL-A to E
PUBLISHED = 98, (0.981, 0.891, 0.968, 0.977, 0.966)

RANDOM = {"delay_spread_s": 30e-9, "max_delay_spread_s": 300e-9, "angle_span_deg": 120.0}


@dataclasses.dataclass(frozen=True)
class Setup:
    """Channels, and what is reported of them."""

    n1: int
    n2: int
    subbands: int
    nr: int = 4
    ranks: Tuple[int, ...] = (1, 2)
    parameters: Dict[str, Any] = dataclasses.field(default_factory=lambda: RANDOM)
    scenario: str = ""  #: in place of CDL

    @property
    def name(self) -> str:
        kind = self.scenario or ("random" if self.parameters is RANDOM else "own")
        return f"{self.n1}x{self.n2}-{self.subbands}-{self.nr}-{kind}"

    @property
    def title(self) -> str:
        return (f"({self.n1}, {self.n2}), N3 = {self.subbands}, {self.nr} antennas, "
                + ("of all places of a cell" if self.scenario
                   else "random angles and delay spreads" if self.parameters is RANDOM
                   else "the profile's angles, 100 ns"))

    def options(self, codec: str) -> Sequence[str]:
        """What the training of a codec is told beside data set and file."""
        rows, columns = PATCHES_OF_LINES if self.n2 == 1 else PATCHES
        return {"klt": ("--entry-bits", "0"), "path": (), "local-klt": (
            "--entry-bits", "0", "--row-patches", rows, "--column-patches", columns)}[codec]

    def panels(self, **changes: Any) -> Any:
        """Channels of the training. changes: of their parameters."""
        arrays = {"n1": self.n1, "n2": self.n2, "nr": self.nr}
        if self.scenario:
            return ScenarioDrops(self.scenario, **{**arrays, **changes})
        return PanelDrops(PROFILES, **{**arrays, **self.parameters, **changes})

    def tests(self, samples: int) -> Dict[str, np.ndarray]:
        """Channels of the test, complex64 (samples, rows, nr, ports), by their name."""
        if self.scenario:
            return {self.scenario.upper().replace("MA", "Ma"): self.panels(seed=2).channels(0, samples),
                    self.scenario.upper().replace("MA", "Ma") + " NLOS, outdoors": self.panels(
                        seed=2, condition="nlos", indoor_share=0.0).channels(0, samples)}
        h = self.panels().channels(FIRST, samples * len(PROFILES))
        return {f"CDL-{profile}": h[number::len(PROFILES)]
                for number, profile in enumerate(PROFILES)}


#: the last one is that of the published figures
SETUPS = (Setup(4, 4, 13), Setup(4, 4, 8), Setup(16, 1, 13), Setup(16, 1, 8),
          Setup(4, 4, 13, scenario="uma"), Setup(4, 4, 8, 2, (1,), {}))


def efficiency(h: np.ndarray, w: np.ndarray, snr_db: float = SNR_DB) -> np.ndarray:
    """Spectral efficiency in bit/s/Hz of drops (n,): the mean over the rows of
    log2 det(I + snr / rank (h w)^H h w), with mean |h|^2 = 1 and columns of w of unit norm.

    h: (n, rows, nr, ports). w: (n, subbands, ports, rank).
    """
    rows, subbands, rank = h.shape[1], w.shape[1], w.shape[3]
    w = w / np.maximum(np.linalg.norm(w, axis=2, keepdims=True), 1e-30)
    received = h @ w[:, np.arange(rows) * subbands // rows]
    power = np.mean(np.abs(h) ** 2, axis=(1, 2, 3))[:, None, None, None]
    gram = received.conj().swapaxes(2, 3) @ received / power
    return np.mean(np.linalg.slogdet(
        np.eye(rank) + 10 ** (snr_db / 10) / rank * gram)[1], axis=1) / np.log(2)


def mean_of(values: np.ndarray) -> Tuple[float, float]:
    """Mean, and half of its 95 % interval."""
    return float(np.mean(values)), 1.96 * float(np.std(values, ddof=1)) / np.sqrt(len(values))


class Test:
    """Drops of a profile of a setup, with their eigenvectors."""

    def __init__(self, setup: Setup, h: np.ndarray, rank: int) -> None:
        self.setup, self.h, self.rank = setup, h, rank
        self.v = np.moveaxis(vectors(h, setup.subbands, rank), 1, 3)

    def row(self, codec: str, bits: float, w: np.ndarray, beside: Any = None, ordered: bool = True
            ) -> Dict[str, Any]:
        """Figures of precoders w (n, subbands, ports, rank). beside: SGCS (n, rank) that they are
        compared with, drop by drop. ordered: whether layers are those of the eigenvectors."""
        s = core.sgcs(self.v, np.ascontiguousarray(w, np.complex64))
        row: Dict[str, Any] = {"rank": self.rank, "codec": codec,
                               "bits": round(bits, 1) if bits else None}
        for layer in range(self.rank if ordered else 0):
            mean, half = mean_of(s[:, layer])
            row.update({f"sgcs_{layer + 1}": mean, f"sgcs_{layer + 1}_half": half,
                        f"sgcs_{layer + 1}_5": core.percentile(s[:, layer], 5)})
            if beside is not None:
                mean, half = mean_of(s[:, layer] - beside[:, layer])
                row.update({f"gain_{layer + 1}": mean, f"gain_{layer + 1}_half": half})
        row["se"], row["se_half"] = mean_of(efficiency(self.h, w))
        row["samples"] = len(self.h)
        return row


def report(pair: Pair, v: np.ndarray, budget: int) -> Tuple[float, np.ndarray]:
    """(mean bits, W of the BS) of reports of all layers v (n, subbands, ports, rank), which share
    `budget` bits equally."""
    bits, found = 0.0, np.empty_like(v)
    rank = v.shape[3]
    for layer in range(rank):
        counts, found[..., layer] = pair.report(np.ascontiguousarray(v[..., layer]),
                                                budget // rank)[1:3]
        bits += float(np.mean(counts))
    return bits, found


def models(setup: Setup, directory: str, codecs: Sequence[str] = ()
           ) -> Dict[str, Tuple[str, Pair]]:
    """{codec: (label, Pair)} trained on drops of the setup; data set and models are kept. codecs: some of
    CODECS, none: all."""
    path = os.path.join(directory, f"w-{setup.name}.h5")
    drops.of_drops(path, setup.panels(), TRAINING, setup.subbands, 2)
    found = {}
    for codec in codecs or CODECS:
        model = os.path.join(directory, f"{codec}-{setup.name}.h5")
        arguments = ["--codec", codec, "--dataset", path, "-o", model, *setup.options(codec)]
        if not os.path.exists(model) or not run.made_by(model, arguments):
            run.train([*arguments, "--overwrite"])
        opened = open_codec(model)
        found[codec] = opened.label, Pair(*(
            opened.own_reports() if opened.has_reports
            else (opened.entropy_encoder(), opened.entropy_decoder())))
    return found


def rows_of(test: Test, trained: Dict[str, Tuple[str, Pair]]) -> List[Dict[str, Any]]:
    """All rows of a profile and rank."""
    setup, rank = test.setup, test.rank
    rows = [test.row("perfect eigenvectors", 0, test.v)]
    for label, codebook in codebooks(setup.n1, setup.n2, setup.subbands, rank, True):
        pmis = [codebook.select(one, rank) for one in test.h]
        w = np.stack([codebook.precoder(p) for p in pmis])
        bits = codebook.count_bits() + float(np.mean(
            [codebook.part2_bits(rank, codebook.count(p)) for p in pmis]))
        # Layers of Type I have no order like that of eigenvectors.
        rows.append(test.row(label, bits, w, ordered=rank == 1 or not label.startswith("Type I ")))
        if not label.startswith("eType II"):
            continue
        beside = core.sgcs(test.v, w)
        for name, pair in trained.values():
            if bits >= rank * pair.encoder.min_bits():
                rows.append({**test.row(name, *report(pair, test.v, int(bits)), beside),
                             "beside": label})
    return rows


def published_rows(test: Test, trained: Dict[str, Tuple[str, Pair]]) -> List[Dict[str, Any]]:
    """Rows at the bits of the published mixture of KLTs."""
    bits, _ = PUBLISHED
    return [{**test.row(name, *report(pair, test.v, bits)), "beside": f"{bits} bits"}
            for name, pair in trained.values()]


def measure(samples: int, progress: Callable[[int, int], None], directory: str,
            setups: Sequence[Setup] = SETUPS) -> List[Dict[str, Any]]:
    """All rows. samples: drops of a profile. directory: of data sets and models."""
    rows = []
    steps, done = sum((len(s.ranks) + 1) * (2 if s.scenario else len(PROFILES)) for s in setups), 0
    for setup in setups:
        trained = models(setup, directory)
        for profile, h in setup.tests(samples).items():
            for rank in setup.ranks:
                test = Test(setup, h, rank)
                found = rows_of(test, trained)
                if setup.parameters is not RANDOM:
                    found += published_rows(test, trained)
                rows += [{"setup": setup.title, "profile": profile, **row} for row in found]
                done += 1
                progress(done, steps)
            done += 1
            progress(done, steps)
    return rows


def draw(path: str, rows: List[Dict[str, Any]], _: str = "") -> None:
    """SGCS of the first layer against bits, rank 1: a row of panels a setup, one a profile."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    setups, profiles = (list(dict.fromkeys(r[name] for r in rows)) for name in ("setup", "profile"))
    figure, axes = plt.subplots(len(setups), len(profiles), squeeze=False, sharey="row",
                                figsize=(3.4 * len(profiles), 3 * len(setups)),
                                constrained_layout=True)
    for line, setup in zip(axes, setups):
        for axis, profile in zip(line, profiles):
            some = [r for r in rows if (r["setup"], r["profile"], r["rank"]) == (setup, profile, 1)
                    and r["bits"]]
            groups: "dict[str, list]" = {}
            for r in some:
                groups.setdefault(r["codec"].split(" pc")[0].split(" L=")[0].split(" mode")[0],
                                  []).append(r)
            for number, (name, group) in enumerate(groups.items()):
                group.sort(key=lambda r: r["bits"])
                own = "Type" not in name
                axis.errorbar([r["bits"] for r in group], [r["sgcs_1"] for r in group],
                              [r["sgcs_1_half"] for r in group], label=name, markersize=3,
                              capsize=2, linewidth=1, color=f"C{number}",
                              marker="os^Dvx"[number % 6], linestyle="-" if own else "--")
            axis.set_xscale("log", base=2)
            axis.set_xticks([32, 64, 128, 256], ["32", "64", "128", "256"])
            axis.set_title(", ".join([profile, *setup.split(", ")[:3]])
                           + (", own angles" if "profile" in setup else ""), fontsize=8)
            axis.grid(alpha=0.3)
        line[0].set_ylabel("SGCS, rank 1")
    axes[0][0].legend(fontsize=7)
    for axis in axes[-1]:
        axis.set_xlabel("bits of a report")
    write_figure(figure, path, 100)
    plt.close(figure)


#: name -> function of (samples, progress, directory), title, default of --samples
EXPERIMENTS = {"codebooks": (measure, "PMI codebooks and codecs of eigenvectors at equal bits", 100)}
#: measure() keeps data sets and models in the directory that it is given
KEEPS = True
