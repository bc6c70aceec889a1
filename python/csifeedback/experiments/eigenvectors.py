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

Each profile and rank of a set-up is a point of a sweep: what was measured before is not measured again.
"""

import dataclasses
import functools
import os
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .. import csifeedback_python as core
from .. import layers
from ..codecs import OpenCodec, open_codec
from ..data import eigenvectors as drops
from ..data.panels import PanelDrops, ScenarioDrops
from ..eigenvectors import Pair, layers_of, orthogonal, vectors
from ..evaluation import QUANTIZERS, Evaluator, choose_report
from ..files import subplots, write_figure
from ..training import run
from . import sweep
from .codebooks import codebooks

#: the first drop of the test; those of the training begin at 0
FIRST = 5_000_000
PROFILES = "ABCDE"
#: SNR of the spectral efficiency, with channels of unit mean power
SNR_DB = 10.0
#: drops of a training set, of each of which two layers are taken; patches of a local KLT take more to learn
TRAINING, TRAINING_OF_PATCHES = 2500, 10000
#: codecs of every set-up
CODECS: Tuple[str, ...] = ("klt", "local-klt", "path")
#: the local KLT once more, of both layers of a drop as one matrix: for rank 2
TOGETHER = "local-klt-together"
#: networks, of set-ups that ask for them
NETWORKS: Tuple[str, ...] = ("csi-l2o", "csinet")
#: models that are shipped: csifeedback_dataset models NAME says how they were trained
SHIPPED = {"local-klt": "eigenvectors-cdl", TOGETHER: "eigenvectors-cdl-together",
           "csi-l2o": "eigenvectors-cdl-csi-l2o", "csinet": "eigenvectors-cdl-csinet"}
SHIPPED_UMA = {"local-klt": "eigenvectors-uma", TOGETHER: "eigenvectors-uma-together"}
#: drops behind those of the training, of which code sizes and quantizers are chosen
VALIDATION = 50
#: patches over the subbands and over the ports, of the local KLT: a line of 16 columns resolves angles
#: finer than four columns do, and of single layers there are twice as many matrices
PATCHES, PATCHES_OF_LINES, TOGETHER_OF_LINES = ("32", "16"), ("16", "512"), ("16", "256")
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
    #: codec -> its shipped model
    shipped: Dict[str, str] = dataclasses.field(default_factory=dict)
    networks: bool = False  #: whether NETWORKS are measured

    @property
    def codecs(self) -> Tuple[str, ...]:
        """The codecs that are measured."""
        together = (TOGETHER,) if "local-klt" in CODECS and 2 in self.ranks else ()
        return (*CODECS, *together, *(NETWORKS if self.networks else ()))

    @property
    def name(self) -> str:
        kind = self.scenario or ("random" if self.parameters == RANDOM else "own")
        return f"{self.n1}x{self.n2}-{self.subbands}-{self.nr}-{kind}"

    @property
    def title(self) -> str:
        return (f"({self.n1}, {self.n2}), N3 = {self.subbands}, {self.nr} antennas, "
                + ("of all places of a cell" if self.scenario
                   else "random angles and delay spreads" if self.parameters == RANDOM
                   else "the profile's angles, 100 ns"))

    def options(self, codec: str) -> Sequence[str]:
        """What the training of a codec is told beside data set and file."""
        if codec in ("local-klt", TOGETHER):
            rows, columns = PATCHES if self.n2 > 1 else \
                TOGETHER_OF_LINES if codec == TOGETHER else PATCHES_OF_LINES
            samples = self.drops(codec) * (1 if codec == TOGETHER else 2)
            return ("--entry-bits", "0", "--row-patches", rows, "--column-patches", columns,
                    "--train-samples", str(samples))
        # Networks that are trained in each run have less time than shipped ones.
        steps, minutes = ("4500", "8") if codec in self.shipped else ("600", "1.5")
        return {"klt": ("--entry-bits", "0"), "path": (), "csi-l2o": (
            "--entry-bits", "0", "--rates", "1/32", "1/16", "1/8", "1/4", "--steps", steps,
            "--report", str(int(steps) // 9)),
            "csinet": ("--ratio", "1/16", "--budget-minutes", minutes)}[codec]

    def drops(self, codec: str) -> int:
        """Drops of the training of a codec."""
        if codec not in ("local-klt", TOGETHER):
            return TRAINING
        return TRAINING_OF_PATCHES * (2 if self.n2 == 1 and codec != TOGETHER else 1)

    def panels(self, **changes: Any) -> Any:
        """Channels of the training. changes: of their parameters."""
        arrays = {"n1": self.n1, "n2": self.n2, "nr": self.nr}
        if self.scenario:
            return ScenarioDrops(self.scenario, **{**arrays, **changes})
        return PanelDrops(PROFILES, **{**arrays, **self.parameters, **changes})

    @property
    def profiles(self) -> Tuple[str, ...]:
        """Names of the channels of the test."""
        if self.scenario:
            title = self.scenario.upper().replace("MA", "Ma")
            return title, title + " NLOS, outdoors"
        return tuple(f"CDL-{profile}" for profile in PROFILES)

    def test(self, samples: int, profile: str) -> np.ndarray:
        """Channels of the test of one of `profiles`, complex64 (samples, rows, nr, ports)."""
        number = self.profiles.index(profile)
        if self.scenario:
            outdoors = {"condition": "nlos", "indoor_share": 0.0} if number else {}
            return self.panels(seed=2, **outdoors).channels(0, samples)
        panels, of = self.panels(), len(PROFILES)
        return np.concatenate([panels.channels(FIRST + number + of * i, 1) for i in range(samples)])


#: the last one is that of the published figures
SETUPS = (Setup(4, 4, 13, shipped=SHIPPED, networks=True), Setup(4, 4, 8, networks=True),
          Setup(16, 1, 13, networks=True), Setup(16, 1, 8, networks=True),
          Setup(4, 4, 13, scenario="uma", shipped=SHIPPED_UMA, networks=True), Setup(4, 4, 8, 2, (1,), {}))


def efficiency(h: np.ndarray, w: np.ndarray, snr_db: float = SNR_DB) -> np.ndarray:
    """Spectral efficiency in bit/s/Hz of drops (n,): the mean over the rows of
    log2 det(I + snr / rank (h w)^H h w), with mean |h|^2 = 1 and columns of w of unit norm.

    h: (n, rows, nr, ports). w: (n, subbands, ports, rank).
    """
    rows, subbands, rank = h.shape[1], w.shape[1], w.shape[3]
    w = w / np.maximum(np.linalg.norm(w, axis=2, keepdims=True), 1e-30) / np.sqrt(rank)
    return layers.efficiency(h, w[:, np.arange(rows) * subbands // rows], snr_db)


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


class Reporter:
    """Reports of a codec of W within any number of bits. layers: that it reports together.

    Of a codec with codewords and a decoder or quantizer that was made for some lengths of them, lengths
    and quantizers are chosen for each number of bits, on validation(): W (n, subbands, ports) that are
    not those of the test.
    """

    def __init__(self, codec: OpenCodec, validation: Callable[[], np.ndarray]) -> None:
        self.codec, self.layers = codec, layers_of(codec.model)
        self.label = codec.label + (", layers together" if self.layers > 1 else "")
        self._validation = validation
        self._choices: Dict[int, Pair] = {}
        self._one: Optional[Pair] = None
        if codec.has_reports or codec.model.codec in CODECS:
            self._one = Pair(*codec.report_pair("entropy"))

    def pair(self, budget: int) -> Optional[Pair]:
        """The pair for reports of at most `budget` bits, None if there is none with so few."""
        if self._one is not None:
            return self._one if budget >= self._one.encoder.min_bits() else None
        if budget not in self._choices:
            kinds = ("entropy",) if self.codec.has_entropy_reports else QUANTIZERS
            try:
                choice = choose_report(self.codec, self._evaluator, budget, kinds)[0]
            except ValueError:
                return None
            self._choices[budget] = Pair(*choice.report_pair(self.codec))
        return self._choices[budget]

    @functools.cached_property
    def _evaluator(self) -> Evaluator:
        w = self._validation()
        rows, ports = w.shape[1:]
        ha = core.angular_delay_transform(rows, ports, rows, 0).forward(w)[0]
        return Evaluator(ha, np.zeros(len(ha)), rows, 0, 0)


def report(reporter: Reporter, v: np.ndarray, budget: int) -> Optional[Tuple[float, np.ndarray]]:
    """(mean bits, W of the BS, layers orthogonal) of reports of all layers v (n, subbands, ports, rank), which
    share `budget` bits equally or are reported together; None if these are too few, or layers are not those
    of the reporter."""
    rank = v.shape[3]
    if reporter.layers not in (1, rank):
        return None
    reports = rank // reporter.layers
    pair = reporter.pair(budget // reports)
    if pair is None:
        return None
    layers_first = np.moveaxis(v, 3, 1)
    w = np.ascontiguousarray(layers_first).reshape(len(v), reports, -1, v.shape[2])
    bits, found = 0.0, np.empty_like(w)
    for number in range(reports):
        counts, found[:, number] = pair.report(w[:, number], budget // reports)[1:3]
        bits += float(np.mean(counts))
    decoded = np.moveaxis(found.reshape(layers_first.shape), 1, 3)
    return bits, orthogonal(decoded) if rank > 1 else decoded


def model_of(setup: Setup, directory: str, codec: str, train: bool = False) -> str:
    """The model of a codec for a set-up: the shipped one, if there is one, unless all are to be trained;
    else one that is trained on drops of the set-up. Data set and model are kept in the directory."""
    if codec in setup.shipped and not train:
        return setup.shipped[codec]
    count = setup.drops(codec)
    together = codec == TOGETHER
    path = os.path.join(directory, f"w-{setup.name}" + ("-together" if together else "")
                        + (f"-{count}.h5" if count != TRAINING else ".h5"))
    drops.of_drops(path, setup.panels(), count, setup.subbands, 2, together=together)
    model = os.path.join(directory, f"{codec}-{setup.name}.h5")
    arguments = ["--codec", "local-klt" if together else codec, "--dataset", path, "-o", model, *setup.options(codec)]
    if not os.path.exists(model) or not run.made_by(model, arguments):
        run.train([*arguments, "--overwrite"])
    return model


def reporters(setup: Setup, specs: Sequence[str]) -> List[Reporter]:
    """Of these models."""
    def validation() -> np.ndarray:
        w = vectors(setup.panels().channels(TRAINING, VALIDATION), setup.subbands, 2)
        return np.ascontiguousarray(w.reshape(-1, *w.shape[2:]))

    return [Reporter(open_codec(spec), validation) for spec in specs]


def rows_of(test: Test, trained: Sequence[Reporter]) -> List[Dict[str, Any]]:
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
        rows += beside_rows(test, trained, int(bits), label, beside)
    return rows


def beside_rows(test: Test, trained: Sequence[Reporter], budget: int, label: str,
                beside: Any = None) -> List[Dict[str, Any]]:
    """Rows of all codecs with a number of bits. label: of what they are compared with; beside: its SGCS
    (n, rank), None: unknown."""
    found = ((reporter.label, report(reporter, test.v, budget)) for reporter in trained)
    return [{**test.row(name, *reports, beside), "beside": label}
            for name, reports in found if reports]


def point(arguments: Dict[str, Any]) -> List[Dict[str, Any]]:
    """Rows of a profile and rank: a task of a sweep."""
    fields: Dict[str, Any] = {**arguments["setup"], "ranks": tuple(arguments["setup"]["ranks"])}
    setup, profile = Setup(**fields), arguments["profile"]
    test = Test(setup, setup.test(arguments["samples"], profile), arguments["rank"])
    trained = reporters(setup, arguments["models"])
    rows = rows_of(test, trained)
    if not setup.scenario and setup.parameters != RANDOM:
        rows += beside_rows(test, trained, PUBLISHED[0], f"{PUBLISHED[0]} bits")
    return [{"setup": setup.title, "profile": profile, **row} for row in rows]


def measure(samples: int, progress: Callable[[int, int], None], directory: str,
            setups: Sequence[Setup] = SETUPS, train: bool = False,
            store: Optional[sweep.Store] = None, cluster: Optional[str] = None
            ) -> List[Dict[str, Any]]:
    """All rows. samples: drops of a profile. directory: of data sets and models. train: also train the
    models that are shipped. store, cluster: as in sweep.run()."""
    trainings = sum(len(setup.codecs) for setup in setups)
    steps = trainings + sum(len(setup.profiles) * len(setup.ranks) for setup in setups)
    points, done = [], 0
    for setup in setups:
        specs = []
        for codec in setup.codecs:
            specs.append(model_of(setup, directory, codec, train))
            done += 1
            progress(done, steps)
        points += [sweep.point_of("experiments.eigenvectors:point", {
            "setup": dataclasses.asdict(setup), "profile": profile, "rank": rank, "samples": samples,
            "models": specs}, codecs=specs) for profile in setup.profiles for rank in setup.ranks]
    return [row for rows in sweep.run(points, store, cluster,
                                      lambda found: progress(trainings + found, steps))
            for row in rows]


def kind_of(codec: str) -> str:
    """The codebook or codec of a row, without its parameters."""
    return codec.split(" pc")[0].split(" L=")[0].split(" mode")[0]


def short(setup: str) -> str:
    """The title of a set-up, as far as pictures and tables need it."""
    return ", ".join(setup.split(", ")[:3]) + (", own angles" if "profile" in setup else "")


def draw(path: str, rows: List[Dict[str, Any]], _: str = "") -> None:
    """SGCS of the first layer against bits, rank 1: a row of panels a setup, one a profile."""
    setups = list(dict.fromkeys(r["setup"] for r in rows))
    kinds = list(dict.fromkeys(kind_of(r["codec"]) for r in rows if r["bits"] and r["rank"] == 1))
    panels = {setup: list(dict.fromkeys(r["profile"] for r in rows if r["setup"] == setup))
              for setup in setups}
    columns = max(map(len, panels.values()))
    figure, axes = subplots(len(setups), columns, 3.4 * columns, 3 * len(setups), sharey="row")
    lines: Dict[str, Any] = {}
    for line, setup in zip(axes, setups):
        for axis in line[len(panels[setup]):]:
            axis.set_axis_off()
        for axis, profile in zip(line, panels[setup]):
            some = [r for r in rows if (r["setup"], r["profile"], r["rank"]) == (setup, profile, 1)
                    and r["bits"]]
            for number, name in enumerate(kinds):
                group = sorted((r for r in some if kind_of(r["codec"]) == name),
                               key=lambda r: r["bits"])
                if not group:
                    continue
                lines[name] = axis.errorbar(
                    [r["bits"] for r in group], [r["sgcs_1"] for r in group],
                    [r["sgcs_1_half"] for r in group], markersize=3, capsize=2, linewidth=1,
                    color=f"C{number}", marker="os^Dvx*P"[number % 8],
                    linestyle="--" if "Type" in name else "-")
            axis.set_xscale("log", base=2)
            axis.set_xticks([32, 64, 128, 256], ["32", "64", "128", "256"])
            axis.set_title(f"{profile}, {short(setup)}", fontsize=8)
            axis.grid(alpha=0.3)
        line[0].set_ylabel("SGCS, rank 1")
    # In the first place without a panel, if there is one.
    free = next((axis for axis in axes.flat if not axis.axison), None)
    (axes[0][0] if free is None else free).legend(
        [lines[name] for name in kinds], kinds, fontsize=7 if free is None else 10,
        loc="best" if free is None else "center")
    figure.supxlabel("bits of a report")
    write_figure(figure, path, 100)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in
                     [header, ["---"] * len(header), *rows]).replace(" --- ", "---")


def _range(values: Sequence[float], form: str) -> str:
    low, high = (format(value, form) for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def tables(rows: List[Dict[str, Any]]) -> str:
    """Tables in Markdown: for each set-up SGCS of rank 1 beside each eType II, of all codecs in the first one
    if it has networks, of the local KLT alone in the others; then the gain of all codecs, and the rows
    beside the published ones."""
    parts: List[str] = []
    gains = []
    published = f"{PUBLISHED[0]} bits"
    for setup in dict.fromkeys(r["setup"] for r in rows):
        here = [r for r in rows if r["setup"] == setup]
        profiles = list(dict.fromkeys(r["profile"] for r in here))
        codecs = list(dict.fromkeys(r["codec"] for r in here if r.get("beside")))

        def cells(codec: str, beside: Optional[str]) -> List[Dict[str, Any]]:
            return [r for r in here if r["rank"] == 1 and r["codec"] == codec
                    and r.get("beside") == beside]

        shown = codecs if len(codecs) > len(CODECS) and not parts else \
            [c for c in codecs if c == "local KLT"]
        lines = []
        for book in dict.fromkeys(r["codec"] for r in here if r["codec"].startswith("eType")):
            some = cells(book, None)
            lines.append([_range([r["bits"] for r in some], ".0f"), book,
                          *(f"{r['sgcs_1']:.3f}" for r in some)])
            lines += [["", codec, *(f"{r['sgcs_1']:.3f}" for r in cells(codec, book))]
                      for codec in shown]
        parts.append(f"{short(setup)}, rank 1:\n\n" + _table(["bits", "codec", *profiles], [
            line for line in lines if len(line) == 2 + len(profiles)]))
        for rank, layer in ((1, 1), (2, 1), (2, 2)):
            for codec in codecs:
                found = [[r[f"gain_{layer}"] for r in here if (r["codec"], r["rank"], r["profile"])
                          == (codec, rank, profile) and f"gain_{layer}" in r] for profile in profiles]
                if all(found):
                    gains.append((profiles, [short(setup), f"{rank}, {layer}", codec,
                                             *(_range(values, "+.3f") for values in found)]))
        if any(r.get("beside") == published for r in here):
            parts.append(f"{short(setup)}, {published}:\n\n" + _table(["codec", *profiles], [
                [codec, *(f"{r['sgcs_1']:.3f}" for r in cells(codec, published))]
                for codec in codecs]))
    for columns in dict.fromkeys(tuple(p) for p, _ in gains):
        parts.append("Gain in SGCS over eType II at equal bits:\n\n" + _table(
            ["array, N3", "rank, layer", "codec", *columns],
            [line for p, line in gains if tuple(p) == columns]))
    return "\n\n".join(parts) + "\n"


#: name -> function of (samples, progress, directory), title, default of --samples
EXPERIMENTS = {"codebooks": (measure, "PMI codebooks and codecs of eigenvectors at equal bits", 100)}
#: measure() keeps data sets and models in the directory that it is given
KEEPS = True
#: and takes train, store and cluster
SWEEPS = True
