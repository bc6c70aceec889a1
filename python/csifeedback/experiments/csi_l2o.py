#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The tables and figures of the Csi-L2O paper, made anew from shipped models.

Errors are measured on drops that nothing was trained on. Where no weights are at hand for a ratio,
the committed table in the package's results/ takes their place and is marked, or a "-" stands with its reason.
The paper's own numbers are in `printed`.
"""

import csv
import dataclasses
import functools
import math
import os
from fractions import Fraction
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .. import csifeedback_python as core
from ..channels import make_channel
from ..codecs import open_codec
from ..files import write_figure
from . import comparison, costs, printed, sweep
from .sources import FIRST, Source
from .verdict import Claim, Row, every, lower

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
        found = self.model(codec, scenario, None if codec in ("klt", "local-klt") else ratio)
        return found


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
                     + ", ".join(lacking) + " (csifeedback_reproduce papers --train trains them)")
    starved = sorted({r["method"] for r in rows} & set(STARVED))
    if starved:
        notes.append(f"{', '.join(starved)}: trained for a minute and a half of a GPU at most, see "
                     "docs/baselines.md. Where they are behind, nothing follows.")
    if scenario == "outdoor":
        notes.append("the paper draws Fig. 5 and prints no number of it")
    return notes


def behind(rows: Sequence[Row], method: str, others: Sequence[str]) -> Tuple[Optional[bool], str]:
    """(whether a method is ahead of all others at every ratio, the evidence in words)."""
    of = {(r["method"], r["ratio"]): r for r in rows if r.get("nmse_db") is not None}
    results: List[Optional[bool]] = []
    texts: Dict[str, List[str]] = {}
    starved = set()
    for other in others:
        for ratio in dict.fromkeys(r["ratio"] for r in rows):
            own, row = of.get((method, ratio)), of.get((other, ratio))
            if own is None:
                continue
            if row is None:
                results.append(None)
                texts.setdefault(f"{other} is missing at ", []).append(ratio)
                continue
            result = lower(own, row)
            if result is False:
                texts.setdefault(f"{other} is ahead by ", []).append(
                    f"{own['nmse_db'] - row['nmse_db']:.2f} dB at {ratio}")
            elif result is None:
                texts.setdefault(f"{other} is level at ", []).append(ratio)
            elif other in STARVED:
                # It could be ahead after a longer training.
                result = None
                starved.add(other)
            results.append(result)
    words = [f"ahead of {other} at every ratio" for other in others
             if all((other, r["ratio"]) in of and lower(of[method, r["ratio"]], of[other, r["ratio"]])
                    for r in rows if (method, r["ratio"]) in of)]
    words += [start + ", ".join(ends) for start, ends in texts.items()]
    if starved:
        words.append("trained too little for a verdict where they are behind: "
                     + ", ".join(sorted(starved)))
    return every(results), "; ".join(words) or "nothing to compare"


# --- Tables I to III and V: complexity

def _model_of(bench: Bench, method: str) -> Optional[str]:
    return ISTA if method == "ISTA" else \
        bench.spec(method, "indoor", 16) if method.startswith("Csi-L2O") else None


def order(formula: printed.Formula, ratio: int, parts: Row) -> Optional[float]:
    """The value of a formula of Table I at 1/ratio, with the sizes of the paper's networks.

    parts: counted operations of what the formula leaves open: C_f, C_LSTM, C_ST and C_ISTA.
    """
    n, m = costs.NA, costs.SIZE // ratio
    nn, d, t = costs.NA * costs.NT, 64, costs.ITERATIONS
    linear = nn * m
    return {
        ("Csi-L2O", "encoder"): linear, ("TiLISTA", "encoder"): linear,
        ("CsiNet", "encoder"): nn * 9 * 2 * 2 + linear,
        ("TransNet", "encoder"): 2 * (2 * n * n * d + n * d * d / 2 + d * nn) + linear,
        ("Csi-L2O", "decoder"): t * (2 * parts["transform"] + parts["lstm"]),
        ("CsiNet", "decoder"): 2 * nn * 9 * (2 * 8 + 8 * 16 + 16 * 2) + linear,
        ("TransNet", "decoder"): 2 * (4 * n * n * d + n * d * d + d * nn) + 2 * linear,
        ("TiLISTA", "decoder"): t * (2 * parts["sparse"] + 2 * costs.SIZE * m),
    }[formula.method, formula.side]


def table_1(bench: Bench) -> Result:
    """The orders of complexity beside counted operations, at 1/4 and 1/64."""
    spec = next((bench.spec(p, "indoor", 16) for p in profiles(bench) if p.endswith("paper")), None)
    # One transform of all delay rows, the LSTM of all elements in one iteration.
    parts: Row = {"transform": costs.NA * (64 * 128 + 128 * 128 + 128 * 256),
                  "lstm": costs.SIZE * costs.lstm_multiply_adds(),
                  "sparse": costs.NA * 64 * 256}
    rows: List[Row] = []
    for formula in printed.COMPLEXITY:
        for ratio in printed.RATIOS:
            counted = costs.costs(formula.method, ratio,
                                  spec if formula.method == "Csi-L2O" else None)
            value = order(formula, ratio, parts)
            rows.append({"method": formula.method, "side": formula.side, "formula": formula.text,
                         "ratio": f"1/{ratio}", "formula_value": value,
                         "multiply_adds": counted[formula.side + "_all"]})
    table = Table(["method", "side", "as printed", "value, 1/4", "counted, 1/4", "value, 1/64",
                   "counted, 1/64", "counted / value"], [])
    factors: Dict[Tuple[str, str], List[float]] = {}
    for formula in printed.COMPLEXITY:
        of = {r["ratio"]: r for r in rows if (r["method"], r["side"]) == formula[:2]}
        factors[formula[:2]] = found = [r["multiply_adds"] / r["formula_value"] for r in of.values()]
        table.rows.append([formula.method, formula.side, formula.text, *(
            f"{of[ratio][k] / 1e6:.3f} M" for ratio in ("1/4", "1/64")
            for k in ("formula_value", "multiply_adds")),
            f"{min(found):.2f} to {max(found):.2f}"])
    claims = []
    for (method, side), found in factors.items():
        spread = max(found) / min(found)
        claims.append(Claim(
            f"the {side} of {method} grows with the codeword as the formula says", spread < 1.5,
            f"operations are {min(found):.2f} to {max(found):.2f} times its value from 1/4 to 1/64, "
            "where an order allows a constant factor"))
    cheap = {m: [r["multiply_adds"] for r in rows if (r["method"], r["side"]) == (m, "encoder")]
             for m in ("Csi-L2O", "CsiNet", "TransNet")}
    claims.append(Claim(
        "the encoder of Csi-L2O takes fewer operations than those of CsiNet and TransNet",
        all(a < min(b, c) for a, b, c in zip(*cheap.values())),
        f"{cheap['Csi-L2O'][2] / 1e6:.3f}, {cheap['CsiNet'][2] / 1e6:.3f} and "
        f"{cheap['TransNet'][2] / 1e6:.3f} M at 1/16"))
    return Result(rows, [table], claims, [
        "values of the formulas with the sizes of the networks here: Na = Nt = 32, T = 10, K = 3, "
        "d = 64, C_f one transform of 32 delay rows, C_LSTM the LSTM of 2048 elements in one "
        "iteration"])


def cost_methods(bench: Bench) -> List[str]:
    return ["ISTA", "MS4L2O", "CsiNet", "TiLISTA", "TransNet", *profiles(bench)]


def cost_rows(bench: Bench, side: str, paper: Dict[str, Dict[int, printed.Cost]]) -> List[Row]:
    rows = []
    for method in cost_methods(bench):
        spec = _model_of(bench, method)
        for ratio in (8, 16, 32, 64):
            counted = costs.costs(method, ratio, spec)
            # The paper's decoder is that of the profile `paper`.
            of = paper[printed_name(method)] if not method.startswith("Csi-L2O") \
                or method.endswith("paper") or side == "encoder" else {}
            rows.append({
                "method": method, "ratio": f"1/{ratio}",
                "paper_mflop": of[ratio][0] if of else None,
                "mflop": counted[side] / 1e6,
                "mflop_all": counted[side + "_all"] / 1e6,
                "paper_mparameters": of[ratio][1] if of else None,
                "mparameters": counted[side + "_parameters"] / 1e6,
                "mparameters_all": counted[side + "_parameters_all"] / 1e6})
    return rows


COUNTS = (("paper_mflop", "paper, FLOPs"), ("mflop", "the same count here"),
          ("mflop_all", "all"), ("paper_mparameters", "paper, parameters"),
          ("mparameters", "the same count here"), ("mparameters_all", "all"))


def cost_table(rows: Sequence[Row]) -> Table:
    """Millions, by method and ratio."""
    first = ("method", "ratio") if "ratio" in rows[0] else ("method",)
    return Table([*first, *(f"{name}, M" for _, name in COUNTS)],
                 [[*(r[k] for k in first), *("-" if r[k] is None else f"{r[k]:.3f}"
                                             for k, _ in COUNTS)] for r in rows])


def agreement(rows: Sequence[Row]) -> Claim:
    """How many printed counts are those of these networks."""
    pairs = [(f"{r['method']}{' ' + r['ratio'] if 'ratio' in r else ''}, {what}", r[p], r[h])
             for r in rows for p, h, what in (("paper_mflop", "mflop", "FLOPs"), (
                 "paper_mparameters", "mparameters", "parameters")) if r[p] is not None]
    equal = [abs(p - h) <= 0.00101 for _, p, h in pairs]
    near = [abs(p - h) <= max(0.00101, 0.02 * p) for _, p, h in pairs]
    others = [f"{name}: {p:.3f} printed, {h:.3f} here" for (name, p, h), ok in zip(pairs, near)
              if not ok]
    return Claim("the printed counts are those of the networks here, counted in the same way",
                 not others, f"{sum(equal)} of {len(pairs)} equal to the last digit, {sum(near)} "
                 "within 2 %" + ("; " + "; ".join(others) if others else ""))


THOP = ("\"the same count\": what thop counts, dense layers, convolutions and normalization of modules; "
        "of iterative decoders one delay row of a transform, and the LSTM of one element in one "
        "iteration")


def _at(rows: Sequence[Row], method: str, ratio: str, key: str) -> float:
    return next(r[key] for r in rows if (r["method"], r["ratio"]) == (method, ratio))


def table_2(bench: Bench) -> Result:
    rows = cost_rows(bench, "encoder", printed.ENCODER_COSTS)
    ours = profiles(bench)[0]
    shares = [(key, 100 * _at(rows, ours, "1/16", key) / _at(rows, "TransNet", "1/16", key))
              for key in ("mflop", "mflop_all")]
    claims = [agreement(rows)]
    for percent in (1.5, 0.15):
        claims.append(Claim(
            f"the encoder of Csi-L2O takes {percent} % of TransNet's FLOPs at 1/16"
            + (" (Section V-C)" if percent == 1.5 else " (introduction)"),
            abs(shares[0][1] - percent) < 0.1 * percent,
            f"{shares[0][1]:.2f} % counted as the paper does, {shares[1][1]:.2f} % of all"))
    least = min(r["mflop_all"] for r in rows if r["ratio"] == "1/16")
    claims.append(Claim("its encoder takes the fewest operations",
                        _at(rows, ours, "1/16", "mflop_all") <= least,
                        f"{_at(rows, ours, '1/16', 'mflop_all'):.3f} M at 1/16, the fewest are "
                        f"{least:.3f} M"))
    return Result(rows, [cost_table(rows)], claims, [
        THOP, "rows of W come in pairs u and j u here: a file has half of its parameters"])


def table_3(bench: Bench) -> Result:
    rows = cost_rows(bench, "decoder", printed.DECODER_COSTS)
    claims = [agreement(rows)]
    ratios = ("1/16", "1/32", "1/64")
    for method in profiles(bench):
        for key, how in (("mflop", "counted as the paper does"), ("mflop_all", "counted in full")):
            pairs = [(_at(rows, method, r, key), _at(rows, "TransNet", r, key)) for r in ratios]
            claims.append(Claim(
                f"the decoder of {method} takes fewer operations than TransNet's at 1/16 and "
                f"shorter, {how}", all(a < b for a, b in pairs),
                ", ".join(f"{a:.1f} against {b:.1f} M at {r}" for r, (a, b) in zip(ratios, pairs))))
    return Result(rows, [cost_table(rows)], claims, [
        THOP, "the paper prints 1.639 for Csi-L2O at 1/16, between 22.125 and 6.396"])


def table_5(bench: Bench) -> Result:
    rows: List[Row] = []
    for method, (flops, parameters) in printed.MULTI_RATE_COSTS.items():
        counted = costs.multi_rate(method) if method in costs.MULTI_RATE else \
            costs.costs(method, 16, _model_of(bench, method))
        rows.append({"method": method, "paper_mflop": flops, "mflop": counted["encoder"] / 1e6,
                     "mflop_all": counted["encoder_all"] / 1e6, "paper_mparameters": parameters,
                     "mparameters": counted["encoder_parameters"] / 1e6,
                     "mparameters_all": counted["encoder_parameters_all"] / 1e6})
    every_ratio = costs.costs("Csi-L2O", 4, _model_of(bench, "Csi-L2O"))
    rows.append({"method": "Csi-L2O, W for all ratios", "paper_mflop": None,
                 "mflop": every_ratio["encoder"] / 1e6,
                 "mflop_all": every_ratio["encoder_all"] / 1e6,
                 "paper_mparameters": None,
                 "mparameters": every_ratio["encoder_parameters"] / 1e6,
                 "mparameters_all": every_ratio["encoder_parameters_all"] / 1e6})
    sm, pm, ours, whole = rows
    return Result(rows, [cost_table(rows)], [
        agreement(rows),
        Claim("Csi-L2O has the fewest operations and parameters",
              all(ours[k] < min(sm[k], pm[k]) for k in ("mflop_all", "mparameters_all")),
              f"{ours['mflop_all']:.3f} M and {ours['mparameters_all']:.3f} M against "
              f"{sm['mflop_all']:.3f}, {pm['mflop_all']:.3f} and {sm['mparameters_all']:.3f}, "
              f"{pm['mparameters_all']:.3f}"),
        Claim("that holds of an encoder that has W for all ratios too, 1/4 to 1/64",
              all(whole[k] < min(sm[k], pm[k]) for k in ("mflop_all", "mparameters_all")),
              f"{whole['mflop_all']:.3f} M and {whole['mparameters_all']:.3f} M")],
        [THOP, "the paper's Csi-L2O has W for 1/16 alone, 128 rows; the others serve 1/4 to 1/32"])


# --- Table IV and Figs. 4, 5 and 7: errors

def paper_methods(bench: Bench, scenario: str) -> List[str]:
    return ["ISTA", "MS4L2O", "CsiNet", "TransNet", "TiLISTA", *profiles(bench, scenario)]


def table_4(bench: Bench) -> Result:
    """NMSE with the Lloyd-Max quantizer, indoor."""
    rows = nmse_rows(bench, paper_methods(bench, "indoor"), "indoor", (4, 8, 16, 32), printed.BITS)
    tables = []
    for ratio in dict.fromkeys(r["ratio"] for r in rows):
        some = [r for r in rows if r["ratio"] == ratio]
        table = ratio_table(some, "bits", head=f"1/{ratio.partition('/')[2]}")
        table.header[2:] = ["not quantized" if h == "0" else f"B = {h}" for h in table.header[2:]]
        tables.append(table)
    claims = []
    of = {(r["method"], r["ratio"], r["bits"]): r for r in rows if r["nmse_db"] is not None}
    falls = [(key, of[key]["nmse_db"] - of[key[0], key[1], key[2] - 1]["nmse_db"])
             for key in of if (key[0], key[1], key[2] - 1) in of and key[2] > 3]
    rising = [f"{m} at {r}, {b} bits: +{by:.2f} dB" for (m, r, b), by in falls if by > 0]
    claims.append(Claim("the error falls with the number of bits", not rising if falls else None,
                        f"{len(falls) - len(rising)} of {len(falls)} steps of one bit"
                        + ("; " + "; ".join(rising) if rising else "")))
    for method in profiles(bench):
        losses = {r: of[method, r, 6]["nmse_db"] - of[method, r, 0]["nmse_db"]
                  for r in ("1/4", "1/8", "1/16", "1/32")}
        claims.append(Claim(
            f"{method}: 6 bits are like no quantization (within {COMPARABLE_DB:g} dB)",
            max(losses.values()) <= COMPARABLE_DB,
            ", ".join(f"{v:.2f} dB at {r}" for r, v in losses.items())))
        loss = of[method, "1/32", 3]["nmse_db"] - of[method, "1/32", 0]["nmse_db"]
        claims.append(Claim(f"{method}: at 1/32 the loss by quantization is marginal at 3 bits",
                            loss <= COMPARABLE_DB, f"{loss:.2f} dB"))
        a, b = of[method, "1/4", 3], of[method, "1/8", 6]
        claims.append(Claim(f"{method}: 1536 bits are better spent as 1/8 with 6 bits than as 1/4 "
                            "with 3", lower(b, a), f"{b['nmse_db']:.2f} against "
                            f"{a['nmse_db']:.2f} dB"))
    return Result(rows, tables, claims, [
        "Lloyd-Max, one table for all values of the codeword, fitted to training codewords",
        "paper: Csi-L2O at 1/16 without quantization is Table IV's TransNet less the 3.88 dB of the "
        "text; its other entries at 1/16 and 1/32 are not in the text at hand", *remarks(rows)])


def ratio_figure(bench: Bench, scenario: str) -> Result:
    rows = nmse_rows(bench, [*paper_methods(bench, scenario), *BESIDE], scenario, printed.RATIOS)
    others = ["ISTA", "MS4L2O", "CsiNet", "TransNet", "TiLISTA"]
    claims = []
    of = {(r["method"], r["ratio"]): r for r in rows if r["nmse_db"] is not None}
    worst = [lower(of[m, r], of["ISTA", r]) for m, r in of if m != "ISTA" and m not in BESIDE]
    claims.append(Claim("ISTA is the worst at every ratio", every(worst),
                        f"{worst.count(True)} of {len(worst)} comparisons"))
    if scenario == "indoor":
        for method in profiles(bench):
            claims.append(Claim(f"{method} is the best of the compared methods at every ratio",
                                *behind(rows, method, others)))
            gain = of["TransNet", "1/16"]["nmse_db"] - of[method, "1/16"]["nmse_db"]
            claims.append(Claim(
                f"{method} is {printed.GAIN_OVER_TRANSNET_DB} dB ahead of TransNet at 1/16",
                None if gain > 0 and "TransNet" in STARVED else gain > 0,
                f"{gain:.2f} dB here, where TransNet is trained too little; "
                f"{printed.nmse_db('TransNet', 'indoor', 16) - of[method, '1/16']['nmse_db']:.2f} dB "
                "beside its printed value, on other data"))
            gains = {r: of["MS4L2O", r]["nmse_db"] - of[method, r]["nmse_db"]
                     for r in ("1/4", "1/8", "1/16", "1/32") if ("MS4L2O", r) in of}
            claims.append(Claim(
                f"{method} is far ahead of MS4L2O, most at long codewords",
                min(gains.values()) > 3 and max(gains, key=lambda r: gains[r]) in ("1/4", "1/8"),
                ", ".join(f"{v:.1f} dB at {r}" for r, v in gains.items())))
    else:
        for method in profiles(bench, scenario):
            claims.append(Claim(
                f"ISTA, MS4L2O, CsiNet and TiLISTA are clearly behind {method}",
                *behind(rows, method, ["ISTA", "MS4L2O", "CsiNet", "TiLISTA"])))
            gaps = {r: of[method, r]["nmse_db"] - of["TransNet", r]["nmse_db"]
                    for r in dict.fromkeys(r["ratio"] for r in rows) if ("TransNet", r) in of}
            claims.append(Claim(
                f"{method} is comparable to TransNet (at most {COMPARABLE_DB:g} dB behind)",
                None if max(gaps.values()) <= COMPARABLE_DB else False,
                ", ".join(f"{v:+.2f} dB at {r}" for r, v in gaps.items())
                + "; TransNet is trained too little"))
    method = profiles(bench, scenario)[0]
    claims.append(Claim(f"beyond the paper: {method} is ahead of FISTA-Net at every ratio",
                        *behind(rows, method, ["FISTA-Net"])))
    claims.append(Claim(f"beyond the paper: {method} is ahead of the local KLT at every ratio",
                        *behind(rows, method, ["local KLT"])))
    return Result(rows, [ratio_table(rows)], claims, remarks(rows, scenario))


def figure_4(bench: Bench) -> Result:
    return ratio_figure(bench, "indoor")


def figure_5(bench: Bench) -> Result:
    return ratio_figure(bench, "outdoor")


def tilista_point(arguments: Dict[str, Any]) -> Row:
    """The row of TiLISTA after some of its layers."""
    evaluator, _, _ = comparison.opened(arguments)
    codec: Any = open_codec(arguments["codec"])
    codec.codec.network.layers = arguments["layers"]
    return evaluator.run(codec, codec.encoder(0).code_size())


def figure_6(bench: Bench) -> Result:
    """NMSE against iterations, 1/16 indoor."""
    methods = {"ISTA": ISTA.partition(",")[0], **{
        p: str(bench.spec(p, "indoor", 16)) for p in profiles(bench)}}
    if ms4l2o := bench.spec("MS4L2O", "indoor", 16):
        methods["MS4L2O"] = ms4l2o
    wanted = {(m, t): Wanted(spec, "indoor", 16, 0, t) for m, spec in methods.items()
              for t in STEPS}
    levels = nmse_rows(bench, ["CsiNet", "TransNet"], "indoor", (16,))
    measured = bench.measure(list(wanted.values()))
    rows = [{"method": m, "iterations": t, "paper_db": None, **figures(measured[w])}
            for (m, t), w in wanted.items()]
    tilista = bench.spec("TiLISTA", "indoor", 16)
    if tilista:
        learned: Any = open_codec(tilista)
        layers = learned.codec.network.layers
        data = {"source": dataclasses.asdict(bench.source("indoor")), "codecs": [tilista],
                "whole": False, "rho_samples": 0, "validation_samples": 0}
        found = bench.run([sweep.point_of("experiments.csi_l2o:tilista_point", {
            "data": data, "efficiency": None, "codec": tilista, "layers": t}, [tilista])
            for t in range(1, layers + 1)])
        rows += [{"method": "TiLISTA", "iterations": t, "paper_db":
                  printed.TILISTA_LAYERS.get(t), **figures(row)}
                 for t, row in zip(range(1, layers + 1), found)]
    twenty = committed("TiLISTA, 20 layers", "indoor", 16)
    rows += [{"iterations": None, **level} for level in levels]
    if twenty:
        rows.append({"method": "TiLISTA, 20 layers", "iterations": 20,
                     "paper_db": printed.TILISTA_LAYERS[20], "origin": COMMITTED, **twenty})
    of = {(r["method"], r["iterations"]): r for r in rows}
    claims = []
    for method in profiles(bench):
        values = {t: of[method, t]["nmse_db"] for t in STEPS}
        after = [v for t, v in values.items() if t >= printed.CONVERGED_AFTER]
        claims.append(Claim(
            f"{method} converges within {printed.CONVERGED_AFTER} iterations (moves by at most "
            f"{CONVERGED_DB} dB from there to {STEPS[-1]})",
            max(after) - min(after) <= CONVERGED_DB,
            f"{min(after):.2f} to {max(after):.2f} dB"))
        seven, level = of[method, printed.AHEAD_OF_TRANSNET_AFTER], of["TransNet", None]
        ahead = lower(seven, level)
        beside = printed.nmse_db("TransNet", "indoor", 16)
        claims.append(Claim(
            f"{method}: {printed.AHEAD_OF_TRANSNET_AFTER} iterations are ahead of TransNet",
            None if ahead and "TransNet" in STARVED else ahead,
            f"{seven['nmse_db']:.2f} against {level['nmse_db']:.2f} dB here, where TransNet is "
            f"trained too little, and its printed {beside:.2f} dB"))
    ista = [of["ISTA", t]["nmse_db"] for t in STEPS]
    best = min(of[m, STEPS[-1]]["nmse_db"] for m in profiles(bench))
    claims.append(Claim("ISTA stays far behind", min(ista) > best + 3,
                        f"{min(ista):.2f} dB at best, Csi-L2O {best:.2f} dB after {STEPS[-1]}"))
    steps = [r["nmse_db"] for r in rows if r["method"] == "TiLISTA"]
    if steps:
        rise = max(0.0, max(b - a for a, b in zip(steps, steps[1:])))
        claims.append(Claim("TiLISTA's error fluctuates from layer to layer", rise > CONVERGED_DB,
                            f"the largest rise is {rise:.2f} dB"))
    if twenty and steps:
        ten = next(r for r in rows if r["method"] == "TiLISTA" and r["iterations"] == 10)
        worse = lower(ten, twenty)
        claims.append(Claim("TiLISTA with 20 layers is worse than with 10", worse is True,
                            f"{twenty['nmse_db']:.2f}* against {ten['nmse_db']:.2f} dB"))
    table = ratio_table([r for r in rows if r["iterations"] in (1, 2, 4, 7, 10, 11, 16, 20)
                         and r["method"] != "TiLISTA, 20 layers"], "iterations")
    table.rows += [[level["method"], "here", value_text(level)] + [""] * (len(table.header) - 3)
                   for level in levels]
    notes = remarks([*rows[:1], *levels, *([rows[-1]] if twenty else [])])
    if "MS4L2O" not in methods:
        notes.append("MS4L2O: no weights are shipped (csifeedback_reproduce papers --train)")
    return Result(rows, [table], claims, notes + [
        "CsiNet and TransNet have no iterations. More iterations than a decoder was trained with take "
        "the parameters of its last one"])


def figure_7(bench: Bench) -> Result:
    """NMSE of the codecs for several ratios, indoor."""
    methods = ["CsiNet", "SM-CsiNet+", "PM-CsiNet+", *profiles(bench)]
    rows = nmse_rows(bench, methods, "indoor", printed.RATIOS)
    single = []
    for ratio in printed.RATIOS:
        found = committed("one ratio", "indoor", ratio)
        single.append({"method": "Csi-L2O, trained at 1/16", "scenario": "indoor",
                       "ratio": f"1/{ratio}", "bits": 0, "paper_db": None,
                       "origin": COMMITTED if found else "no weights are shipped",
                       **(found or {"nmse_db": None})})
    rows += single
    for row in rows:  # only drawn in the paper, but for CsiNet, whose table has others at 1/4
        row["paper_db"] = None
    above = [r for r in rows if r["ratio"] != "1/64"]
    claims = [Claim(f"{method} is the best at ratios above 1/64",
                    *behind(above, method, ["CsiNet", "SM-CsiNet+", "PM-CsiNet+"]))
              for method in ("Csi-L2O, trained at 1/16", profiles(bench)[0])]
    of = {(r["method"], r["ratio"]): r for r in rows if r["nmse_db"] is not None}
    losses = {r["ratio"]: r["nmse_db"] - of[profiles(bench)[0], r["ratio"]]["nmse_db"]
              for r in single if r["nmse_db"] is not None}
    claims.append(Claim(
        "one ratio's training generalizes to the others (at most 3 dB behind one of all ratios)",
        max(losses.values()) <= 3 if losses else None,
        ", ".join(f"{v:+.1f} dB at {r}" for r, v in losses.items())))
    return Result(rows, [ratio_table(rows)], claims, [
        "the paper draws Fig. 7 and prints no number of it", *remarks(rows)])


# --- Fig. 3: the channels

def sparsity_point(arguments: Dict[str, Any]) -> Row:
    """How many entries hold a share of the energy: of a whole matrix, and in a row and a column,
    rows and columns weighted by their energy; means and half widths of their 95 % intervals."""
    evaluator, _, _ = comparison.opened(arguments)
    power = np.abs(evaluator.ha) ** 2
    share = arguments["share"]

    def entries(x: np.ndarray) -> np.ndarray:
        """Fewest entries of the last axis that hold the share of its sum."""
        ordered = np.cumsum(-np.sort(-x, axis=-1), axis=-1)
        return 1 + np.sum(ordered < share * ordered[..., -1:], axis=-1)

    energy = power.sum(axis=(1, 2))
    values = {"matrix": entries(power.reshape(len(power), -1)),
              "delay": np.sum(entries(power.transpose(0, 2, 1)) * power.sum(axis=1), axis=1) / energy,
              "angle": np.sum(entries(power) * power.sum(axis=2), axis=1) / energy}
    return {"samples": len(power), **{
        f"{name}{what}": float(number) for name, x in values.items() for what, number in (
            ("", np.mean(x)), ("_half_width", 1.96 * np.std(x, ddof=1) / np.sqrt(len(x))))}}


#: share of the energy that counts as all of it, and drops that Fig. 3 draws
SHARE, DRAWN = 0.99, 3


def figure_3(bench: Bench) -> Result:
    """Sparsity of the channels, and the layers of the transform."""
    model = bench.model("csi-l2o", "indoor")
    points = [sweep.point_of("experiments.csi_l2o:sparsity_point", {
        "data": {"source": dataclasses.asdict(bench.source(scenario)), "codecs": [model],
                 "whole": False, "rho_samples": 0, "validation_samples": 0},
        "efficiency": None, "share": SHARE}, [str(model)]) for scenario in SCENARIOS]
    rows: List[Row] = [{"scenario": s, **row} for s, row in zip(SCENARIOS, bench.run(points))]

    def text(row: Row, name: str) -> str:
        return f"{row[name]:.1f} ±{row[name + '_half_width']:.1f}"

    table = Table(["scenario", "of 1024 entries", "of 32 in a column (delay)",
                   "of 32 in a row (angle)"],
                  [[r["scenario"], *(text(r, k) for k in ("matrix", "delay", "angle"))]
                   for r in rows], f"entries that hold {100 * SHARE:g} % of the energy")
    layers = Table(["profile", "f_t", "f_i"], [], "layers of the sparse transform, Fig. 3(b)")
    for method in profiles(bench):
        shapes = transform_shapes(str(bench.spec(method, "indoor", 16)))
        layers.rows.append([method, *("-".join(map(str, shapes[k])) for k in ("forward", "inverse"))])
    indoor, outdoor = rows
    paper = [row for row in layers.rows if row[0].endswith(" paper")]
    claims = [
        Claim(f"{r['scenario']}: delays are sparser than angles",
              bool(r["delay"] + r["delay_half_width"] < r["angle"] - r["angle_half_width"]),
              f"{text(r, 'delay')} entries of a column against {text(r, 'angle')} of a row")
        for r in rows]
    for name, where in (("matrix", ""), ("angle", ", over the angles alone")):
        claims.append(Claim("outdoor channels are less sparse than indoor ones" + where,
                            bool(outdoor[name] - outdoor[f"{name}_half_width"]
                                 > indoor[name] + indoor[f"{name}_half_width"]),
                            f"{text(outdoor, name)} against {text(indoor, name)} entries"))
    claims.append(Claim("the transform has the layers 128-128-256 and the reverse",
                        any(row[1:] == ["64-128-128-256", "256-128-128-64"] for row in paper)
                        if paper else None,
                        "; ".join(f"{row[0]}: {row[1]}, {row[2]}" for row in layers.rows)))
    return Result(rows, [table, layers], claims, [
        "the paper's Fig. 3 shows channels and a network and prints no number"])


def transform_shapes(spec: str) -> Dict[str, List[int]]:
    """Widths of the layers of f_t ("forward") and f_i ("inverse") of a profile of Csi-L2O."""
    codec = open_codec(spec)
    prefix = f"l2o/{codec.all_options()['profile']}/transform_"
    widths: Dict[str, List[int]] = {}
    for way in ("forward", "inverse"):
        number = 0
        while codec.model.has(name := f"{prefix}{way}_{number}_weight"):
            shape = codec.model.read(name).shape
            widths.setdefault(way, [shape[2]]).append(shape[1])
            number += 1
    return widths


class Experiment(NamedTuple):
    """run: makes the result; title; draw(path, result, bench): the picture."""

    run: Callable[[Bench], Result]
    title: str
    draw: Callable[[str, Result, Bench], None]


# --- pictures

MARKERS = "os^DvhpP<>"


def _figure(columns: int, rows: int = 1, width: float = 7.6, height: float = 4.4) -> Tuple[Any, Any]:
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    return plt.subplots(rows, columns, figsize=(width, height), squeeze=False,
                        constrained_layout=True)


def _write(figure: Any, path: str) -> None:
    from matplotlib import pyplot as plt
    write_figure(figure, path, 90)
    plt.close(figure)


def _x(row: Row, key: str) -> float:
    return -math.log2(Fraction(row[key])) if key == "ratio" else row[key]


def _lines(axis: Any, rows: Sequence[Row], key: str) -> None:
    """A line a method; hollow marks: committed; crosses and dots: printed in the paper."""
    for number, method in enumerate(dict.fromkeys(r["method"] for r in rows)):
        some = [r for r in rows if r["method"] == method]
        color = f"C{number % 10}"
        here = [r for r in some if r.get("nmse_db") is not None]
        if here:
            x, y = [_x(r, key) for r in here], [r["nmse_db"] for r in here]
            error = [[r["nmse_db"] - r["nmse_db_low"] for r in here],
                     [r["nmse_db_high"] - r["nmse_db"] for r in here]]
            axis.errorbar(x, y, error, color=color, linewidth=1, capsize=2, label=method)
            for r, a, b in zip(here, x, y):
                axis.plot(a, b, MARKERS[number % 10], color=color, markersize=5,
                          fillstyle="none" if r["origin"] == COMMITTED else "full")
        paper = [r for r in some if r.get("paper_db") is not None]
        if paper:
            axis.plot([_x(r, key) for r in paper], [r["paper_db"] for r in paper], ":",
                      marker="x", color=color, linewidth=0.8, markersize=5)
    axis.set_ylabel("NMSE in dB")
    axis.grid(alpha=0.3)


def _legend(axis: Any) -> None:
    axis.plot([], [], "o", fillstyle="none", color="gray", label="committed result")
    axis.plot([], [], ":x", color="gray", label="printed in the paper")
    axis.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1))


def draw_ratios(path: str, result: Result, bench: Bench) -> None:
    figure, axes = _figure(1)
    axis = axes[0, 0]
    _lines(axis, result.rows, "ratio")
    axis.set_xticks([2, 3, 4, 5, 6], ["1/4", "1/8", "1/16", "1/32", "1/64"])
    axis.set_xlabel("compression ratio")
    _legend(axis)
    _write(figure, path)


def draw_bits(path: str, result: Result, bench: Bench) -> None:
    ratios = list(dict.fromkeys(r["ratio"] for r in result.rows))
    figure, axes = _figure(len(ratios), width=13, height=4.2)
    for axis, ratio in zip(axes[0], ratios):
        # No quantization stands at the right end.
        rows = [{**r, "place": r["bits"] or 7} for r in result.rows if r["ratio"] == ratio]
        rows.sort(key=lambda r: r["place"])
        _lines(axis, rows, "place")
        axis.set_xticks([3, 4, 5, 6, 7], ["3", "4", "5", "6", "none"])
        axis.set_xlabel("bits per value")
        axis.set_title(ratio, fontsize=10)
    _legend(axes[0, -1])
    _write(figure, path)


def draw_iterations(path: str, result: Result, bench: Bench) -> None:
    figure, axes = _figure(1)
    axis = axes[0, 0]
    _lines(axis, [r for r in result.rows if r["iterations"]], "iterations")
    for number, r in enumerate(r for r in result.rows if not r["iterations"]):
        axis.axhline(r["nmse_db"], color=f"C{9 - number}", linestyle="--", linewidth=1,
                     label=r["method"])
    axis.set_xticks(range(0, STEPS[-1] + 1, 2))
    axis.set_xlabel("iterations")
    _legend(axis)
    _write(figure, path)


def draw_costs(path: str, result: Result, bench: Bench) -> None:
    """Operations and parameters, on logarithmic scales: printed, counted alike, all."""
    rows = [r for r in result.rows if r.get("ratio", "1/16") == "1/16"]
    figure, axes = _figure(2, width=10, height=3.8)
    place = np.arange(len(rows))
    for axis, keys, title in zip(axes[0], (
            ("paper_mflop", "mflop", "mflop_all"),
            ("paper_mparameters", "mparameters", "mparameters_all")),
            ("multiply-adds", "parameters")):
        for shift, key, label in zip((-0.27, 0, 0.27), keys,
                                     ("paper", "the same count here", "all of them")):
            axis.bar(place + shift, [r[key] or 0 for r in rows], 0.26, label=label)
        axis.set_yscale("log")
        axis.set_ylim(bottom=min(r[key] for r in rows for key in keys if r[key]) / 3)
        axis.set_xticks(place, [r["method"].replace(", ", ",\n") for r in rows], fontsize=7)
        axis.set_ylabel(f"millions of {title}"
                        + (" at 1/16" if "ratio" in rows[0] else ""), fontsize=9)
        axis.grid(alpha=0.3, axis="y")
    axes[0, 0].legend(fontsize=7)
    _write(figure, path)


def draw_orders(path: str, result: Result, bench: Bench) -> None:
    figure, axes = _figure(2, width=10, height=4)
    for axis, side in zip(axes[0], ("encoder", "decoder")):
        for number, method in enumerate(dict.fromkeys(r["method"] for r in result.rows)):
            some = [r for r in result.rows if (r["method"], r["side"]) == (method, side)]
            x = [_x(r, "ratio") for r in some]
            axis.plot(x, [r["multiply_adds"] / 1e6 for r in some], marker=MARKERS[number],
                      color=f"C{number}", label=method, markersize=4, linewidth=1)
            axis.plot(x, [r["formula_value"] / 1e6 for r in some], ":", color=f"C{number}")
        axis.plot([], [], ":", color="gray", label="the printed formula")
        axis.set_yscale("log")
        axis.set_xticks([2, 3, 4, 5, 6], ["1/4", "1/8", "1/16", "1/32", "1/64"])
        axis.set_xlabel("compression ratio")
        axis.set_ylabel(f"{side}: millions of multiply-adds")
        axis.grid(alpha=0.3)
    axes[0, 0].legend(fontsize=7)
    _write(figure, path)


def draw_channels(path: str, result: Result, bench: Bench) -> None:
    """|Ha| of a few test drops in shades of gray, as Fig. 3(a)."""
    model = core.model_file(str(bench.model("csi-l2o", "indoor")))
    figure, axes = _figure(DRAWN, 2, width=7.5, height=5)
    for line, scenario in zip(axes, SCENARIOS):
        channel = make_channel(f"cost2100-{scenario}", seed=bench.seed, nt=model.nt, nc=model.nc)
        ha = core.generate_channels(channel, FIRST, DRAWN, model.na, model.precursor)[0]
        for number, (axis, h) in enumerate(zip(line, np.abs(ha))):
            axis.imshow(h / h.max(), cmap="gray_r", aspect="auto")
            axis.set_title(f"{scenario}, drop {number + 1}", fontsize=8)
            axis.set_xlabel("angle", fontsize=8)
            axis.set_ylabel("delay", fontsize=8)
            axis.tick_params(labelsize=7)
    _write(figure, path)


EXPERIMENTS: Dict[str, Experiment] = {
    "csi-l2o-figure-3": Experiment(
        figure_3, "Csi-L2O, Fig. 3: channels in the angular-delay domain, and the sparse transform",
        draw_channels),
    "csi-l2o-table-1": Experiment(table_1, "Csi-L2O, Table I: orders of complexity", draw_orders),
    "csi-l2o-figure-4": Experiment(
        figure_4, "Csi-L2O, Fig. 4: NMSE in dB against the compression ratio, indoor", draw_ratios),
    "csi-l2o-figure-5": Experiment(
        figure_5, "Csi-L2O, Fig. 5: NMSE in dB against the compression ratio, outdoor",
        draw_ratios),
    "csi-l2o-table-2": Experiment(
        table_2, "Csi-L2O, Table II: operations and parameters of the encoder", draw_costs),
    "csi-l2o-table-3": Experiment(
        table_3, "Csi-L2O, Table III: operations and parameters of the decoder", draw_costs),
    "csi-l2o-figure-6": Experiment(
        figure_6, "Csi-L2O, Fig. 6: NMSE in dB against iterations, 1/16 indoor", draw_iterations),
    "csi-l2o-table-4": Experiment(
        table_4, "Csi-L2O, Table IV: NMSE in dB with quantized codewords, indoor", draw_bits),
    "csi-l2o-figure-7": Experiment(
        figure_7, "Csi-L2O, Fig. 7: NMSE in dB of codecs for several ratios, indoor", draw_ratios),
    "csi-l2o-table-5": Experiment(
        table_5, "Csi-L2O, Table V: operations and parameters of encoders for several ratios",
        draw_costs),
}
