#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What measures the tables and figures of the Csi-L2O paper: codecs at ratios, bits and iterations on
drops that nothing was trained on, and committed results where no weights are shipped.
"""

import csv
import dataclasses
import functools
import os
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

from .. import csifeedback_python as core
from ..codecs import open_codec
from . import comparison, costs, printed, sweep
from .sources import Source
from .verdict import Claim, Row

SCENARIOS = ("indoor", "outdoor")
#: What the paper calls ISTA: 10 iterations and a random W that nothing was learned for.
ISTA = f"cost2100-indoor-orthonormal:ista,iterations={costs.ITERATIONS}"
#: methods of the paper with a network each, and their codecs
NETWORKS = {"CsiNet": "csinet", "TransNet": "transnet", "TiLISTA": "tilista"}
#: those of which the manual says that their training was too short, see docs/baselines.md
STARVED = ("CsiNet", "TransNet", "SM-CsiNet+", "PM-CsiNet+")
#: not in the paper: for comparison
BESIDE = {"FISTA-Net": "fista-net", "local KLT": "local-klt", "KLT": "klt"}
#: name of a method in committed tables
RESULTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "results")
MEASURED, COMMITTED = "measured", "committed"
#: iterations of Fig. 6
STEPS = (*range(1, 13), 14, 16, 18, 20)
#: "comparable", "the same", "converged": errors that differ by no more than this
COMPARABLE_DB, CONVERGED_DB = 1.0, 0.1


@dataclasses.dataclass
class Table:
    """A table to read: texts; `head` says what it is, if there are several."""

    header: List[str]
    rows: List[List[str]]
    head: str = ""


@dataclasses.dataclass
class Result:
    """What an experiment gives: rows of numbers, tables to read, claims, remarks."""

    rows: List[Row]
    tables: List[Table]
    claims: List[Claim]
    notes: List[str]


class Wanted(NamedTuple):
    """A number that is to be measured: a codec as a command line names it, on drops of a scenario."""

    spec: str
    scenario: str
    ratio: int
    bits: int = 0
    iterations: Optional[int] = None


class Bench:
    """Measures what experiments want.

    samples: test drops for each number. seed: of the channel model. store, cluster: see sweep.run().
    trained: directory with models of ratios that are not shipped, named as those are; None: none.
    progress: gets (done, of).
    """

    def __init__(self, samples: int = 2000, seed: int = 1, store: Optional[sweep.Store] = None,
                 cluster: Optional[str] = None, trained: Optional[str] = None,
                 progress: Optional[Callable[[int, int], None]] = None) -> None:
        self.samples, self.seed = samples, seed
        self.store, self.cluster, self.trained = store or sweep.Store(None), cluster, trained
        self.progress = progress

    def source(self, scenario: str) -> Source:
        """The test drops of a scenario."""
        return Source(channel=f"cost2100-{scenario}", samples=self.samples, seed=self.seed)

    def run(self, points: Sequence[sweep.Point]) -> List[Any]:
        """The results of points."""
        return sweep.run(points, self.store, self.cluster, self.progress and (
            lambda done: self.progress(done, len(points))))  # type: ignore[misc]

    def measure(self, wanted: Sequence[Wanted]) -> Dict[Wanted, Row]:
        """A row of figures for each."""
        points = [comparison.points(comparison.Comparison(
            [w.spec], self.source(w.scenario), [f"1/{w.ratio}"], [w.bits],
            iterations=[w.iterations] if w.iterations else None, rho_samples=0))[0]
            for w in wanted]
        return {w: rows[0] for w, rows in zip(wanted, self.run(points))}

    def model(self, codec: str, scenario: str, ratio: Optional[int] = None) -> Optional[str]:
        """The name or path of the model of a codec, or None."""
        name = f"cost2100-{scenario}-{codec}" + (f"-{ratio}" if ratio else "")
        places = [os.path.join(self.trained, name + ".h5")] if self.trained else []
        for place in (*places, name):
            try:
                core.model_file(place)
            except (ValueError, OSError, core.CodecError):
                continue
            return place
        return None

    def spec(self, method: str, scenario: str, ratio: int) -> Optional[str]:
        """What a command line names for a method, or None where there are no weights."""
        if method == "ISTA":
            return ISTA
        if method.startswith("Csi-L2O"):
            model = self.model("csi-l2o", scenario)
            return model and f"{model}:l2o,profile={method.partition(', ')[2] or 'realtime'}"
        if method == "MS4L2O":
            return self.model("ms4l2o", scenario)
        codec = {**NETWORKS, **BESIDE, **costs.MULTI_RATE}[method]
        one_for_all = codec in ("klt", "local-klt", *costs.MULTI_RATE.values())
        model = self.model(codec, scenario, None if one_for_all else ratio)
        return model if model and open_codec(model).sends(costs.SIZE // ratio) else None


def profiles(bench: Bench, scenario: str = "indoor") -> List[str]:
    """The profiles of the shipped Csi-L2O, as methods, but for those of quantized codewords;
    `realtime` comes first."""
    model = bench.model("csi-l2o", scenario)
    if model is None:
        raise ValueError(f"there is no model cost2100-{scenario}-csi-l2o")
    names = [name.partition("profile=")[2] for name in core.decoder_variants(core.model_file(model))]
    return [f"Csi-L2O, {name}" for name in sorted(names, key=lambda n: (n != "realtime", n))
            if not name.startswith("quantized")]


def printed_name(method: str) -> str:
    """The method as the paper calls it."""
    return method.partition(",")[0]


@functools.lru_cache(None)
def _committed(name: str) -> List[Row]:
    path = os.path.join(RESULTS, name)
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def committed(method: str, scenario: str, ratio: int) -> Optional[Row]:
    """The row of a committed table for a method, with the name of its file as "file"; or None."""
    size = costs.SIZE // ratio
    if method == "MS4L2O":
        name = f"csi-l2o-{scenario}.csv"
        found = [r for r in _committed(name) if r["codec"] == "MS4L2O"]
    elif method == "one ratio":
        name = "csi-l2o-indoor-single-rate.csv"
        found = _committed(name) if scenario == "indoor" else []
    else:
        codec = {**NETWORKS, **BESIDE, **costs.MULTI_RATE, "TiLISTA, 20 layers": "tilista20"}.get(
            method)
        name = "baselines.csv"
        found = [r for r in _committed(name) if r["codec"] == codec and r["scenario"] == scenario]
    for row in found:
        if int(row["code_size"]) == size:
            return {**{k: float(row[k]) for k in ("nmse_db", "nmse_db_low", "nmse_db_high")},
                    "samples": int(row.get("samples") or 10000), "file": name}
    return None


def nmse_rows(bench: Bench, methods: Sequence[str], scenario: str, ratios: Sequence[int],
              bits: Sequence[int] = (0,)) -> List[Row]:
    """A row for each method, ratio and number of bits: measured, committed or neither."""
    rows: List[Row] = []
    wanted: Dict[int, Wanted] = {}
    for method in methods:
        for ratio in ratios:
            spec = bench.spec(method, scenario, ratio)
            for b in bits:
                row: Row = {"method": method, "scenario": scenario, "ratio": f"1/{ratio}",
                            "bits": b, "paper_db": printed.nmse_db(
                                printed_name(method), scenario, ratio, b)}
                if spec:
                    wanted[len(rows)] = Wanted(spec, scenario, ratio, b)
                else:
                    found = committed(method, scenario, ratio) if not b else None
                    row.update(origin=COMMITTED if found else "no weights are shipped",
                               **(found or {"nmse_db": None}))
                rows.append(row)
    measured = bench.measure(list(wanted.values()))
    for number, w in wanted.items():
        rows[number].update(figures(measured[w]), model=w.spec)
    return rows


def figures(row: Row) -> Row:
    """What an experiment keeps of a measured row."""
    return {**{k: row[k] for k in ("nmse_db", "nmse_db_low", "nmse_db_high", "samples")},
            "origin": MEASURED}


def value_text(row: Row) -> str:
    """The NMSE of a row with half its 95 % interval, marked if it was not measured now."""
    if row.get("nmse_db") is None:
        return "-"
    half = (row["nmse_db_high"] - row["nmse_db_low"]) / 2
    return f"{row['nmse_db']:.2f} ±{half:.2f}" + ("*" if row["origin"] == COMMITTED else "")


def number_text(value: Optional[float]) -> str:
    return "-" if value is None else f"{value:.2f}"


def ratio_table(rows: Sequence[Row], key: str = "ratio", head: str = "") -> Table:
    """Two lines a method, what the paper prints and what is measured here, a column a ratio."""
    columns = list(dict.fromkeys(r[key] for r in rows))
    table = Table(["method", "", *map(str, columns)], [], head)
    for method in dict.fromkeys(r["method"] for r in rows):
        of = {r[key]: r for r in rows if r["method"] == method}
        if any(r["paper_db"] is not None for r in of.values()):
            table.rows.append([method, "paper", *(number_text(of[c]["paper_db"]) if c in of else "-"
                                                  for c in columns)])
        table.rows.append([method, "here", *(value_text(of[c]) if c in of else "-"
                                             for c in columns)])
    return table


def remarks(rows: Sequence[Row], scenario: str = "") -> List[str]:
    """What has to be said of rows that were not measured."""
    notes = []
    files = sorted({r["file"] for r in rows if r.get("origin") == COMMITTED})
    if files:
        notes.append("* not measured now: no weights are shipped for it; from the committed table "
                     + ", ".join(f"docs/results/{name}" for name in files))
    lacking = sorted({r["method"] for r in rows if r.get("nmse_db") is None})
    if lacking:
        notes.append("-: no weights are shipped, and no result is committed, for some ratios of "
                     + ", ".join(lacking) + "; csifeedback_reproduce papers --train trains what has "
                     "this ratio")
    starved = sorted({r["method"] for r in rows} & set(STARVED))
    if starved:
        notes.append(f"{', '.join(starved)}: trained for a minute and a half of a GPU or half an hour of a "
                     "CPU core at most, see docs/baselines.md. Where they are behind, nothing follows")
    if scenario == "outdoor":
        notes.append("the paper draws Fig. 5 and prints no number of it")
    return notes
