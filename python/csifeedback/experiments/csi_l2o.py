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

import dataclasses
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from .. import evaluation
from ..codecs import open_codec
from . import comparison, costs, printed, sweep
from .csi_l2o_bench import (BESIDE, COMMITTED, COMPARABLE_DB, CONVERGED_DB, ISTA, SCENARIOS, STARVED,
                            STEPS, Bench, Result, Table, Wanted, committed, figures, nmse_rows,
                            printed_name, profiles, ratio_table, remarks, value_text)
from .csi_l2o_pictures import (draw_bits, draw_channels, draw_costs, draw_iterations, draw_orders,
                               draw_ratios)
from .verdict import Claim, Row, every, lower


def listed(words: Sequence[str]) -> str:
    """"a, b and c"."""
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def between(values: Sequence[float]) -> str:
    """"1.02 to 1.29", or one number where both are the same."""
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


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
                texts.setdefault(f"no weights of {other} at ", []).append(ratio)
                continue
            result = lower(own, row)
            if result is False:
                texts.setdefault(f"behind {other} by ", []).append(
                    f"{own['nmse_db'] - row['nmse_db']:.2f} dB at {ratio}")
            elif result is None:
                texts.setdefault(f"within the intervals of {other} at ", []).append(ratio)
            elif other in STARVED:
                # It could be ahead after a longer training.
                result = None
                starved.add(other)
            results.append(result)
    ahead = [other for other in others
             if all((other, r["ratio"]) in of and lower(of[method, r["ratio"]], of[other, r["ratio"]])
                    for r in rows if (method, r["ratio"]) in of)]
    words = [f"ahead of {listed(ahead)} at every ratio"] if ahead else []
    words += [start + listed(ends) for start, ends in texts.items()]
    if starved:
        verb, them = ("are", "them") if len(starved) > 1 else ("is", "it")
        words.append(f"{listed(sorted(starved))} {verb} undertrained, so a lead over {them} decides nothing")
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
            between(found)])
    claims = []
    for (method, side), found in factors.items():
        spread = max(found) / min(found)
        claims.append(Claim(
            f"the operations of {method}'s {side} grow with the codeword as the formula does",
            spread < 1.5, f"{between(found)} times the formula's value from 1/4 to 1/64; an order of "
            "complexity leaves a constant factor open"))
    cheap = {m: [r["multiply_adds"] for r in rows if (r["method"], r["side"]) == (m, "encoder")]
             for m in ("Csi-L2O", "CsiNet", "TransNet")}
    claims.append(Claim(
        "the encoder of Csi-L2O takes fewer operations than those of CsiNet and TransNet",
        all(a < min(b, c) for a, b, c in zip(*cheap.values())),
        f"at 1/16 {cheap['Csi-L2O'][2] / 1e6:.3f} M, compared with {cheap['CsiNet'][2] / 1e6:.3f} M and "
        f"{cheap['TransNet'][2] / 1e6:.3f} M"))
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
                ", ".join(f"{a:.1f} M, TransNet {b:.1f} M, at {r}" for r, (a, b) in zip(ratios, pairs))))
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
                f"{gain:.2f} dB here, where TransNet is undertrained; "
                f"{printed.nmse_db('TransNet', 'indoor', 16) - of[method, '1/16']['nmse_db']:.2f} dB "
                "relative to its printed value, which is for other data"))
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
                + "; TransNet is undertrained"))
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
                "whole": False, "rho_samples": 0, "subbands": evaluation.SUBBANDS,
                "validation_samples": 0}
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
            f"{seven['nmse_db']:.2f} dB; TransNet, undertrained here, has {level['nmse_db']:.2f} dB, and "
            f"{beside:.2f} dB in print"))
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
                            f"{twenty['nmse_db']:.2f}* compared with {ten['nmse_db']:.2f} dB"))
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


#: share of the energy that counts as all of it
SHARE = 0.99


def figure_3(bench: Bench) -> Result:
    """Sparsity of the channels, and the layers of the transform."""
    model = bench.model("csi-l2o", "indoor")
    points = [sweep.point_of("experiments.csi_l2o:sparsity_point", {
        "data": {"source": dataclasses.asdict(bench.source(scenario)), "codecs": [model],
                 "whole": False, "rho_samples": 0, "subbands": evaluation.SUBBANDS,
                 "validation_samples": 0},
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
    """run: makes the result; title; draw(path, result, bench): the picture; measures: whether the
    result depends on the drops."""

    run: Callable[[Bench], Result]
    title: str
    draw: Callable[[str, Result, Bench], None]
    measures: bool = True


EXPERIMENTS: Dict[str, Experiment] = {
    "csi-l2o-figure-3": Experiment(
        figure_3, "Csi-L2O, Fig. 3: channels in the angular-delay domain, and the sparse transform",
        draw_channels),
    "csi-l2o-table-1": Experiment(table_1, "Csi-L2O, Table I: orders of complexity", draw_orders,
                                  False),
    "csi-l2o-figure-4": Experiment(
        figure_4, "Csi-L2O, Fig. 4: NMSE in dB against the compression ratio, indoor", draw_ratios),
    "csi-l2o-figure-5": Experiment(
        figure_5, "Csi-L2O, Fig. 5: NMSE in dB against the compression ratio, outdoor",
        draw_ratios),
    "csi-l2o-table-2": Experiment(
        table_2, "Csi-L2O, Table II: operations and parameters of the encoder", draw_costs, False),
    "csi-l2o-table-3": Experiment(
        table_3, "Csi-L2O, Table III: operations and parameters of the decoder", draw_costs, False),
    "csi-l2o-figure-6": Experiment(
        figure_6, "Csi-L2O, Fig. 6: NMSE in dB against iterations, 1/16 indoor", draw_iterations),
    "csi-l2o-table-4": Experiment(
        table_4, "Csi-L2O, Table IV: NMSE in dB with quantized codewords, indoor", draw_bits),
    "csi-l2o-figure-7": Experiment(
        figure_7, "Csi-L2O, Fig. 7: NMSE in dB of codecs for several ratios, indoor", draw_ratios),
    "csi-l2o-table-5": Experiment(
        table_5, "Csi-L2O, Table V: operations and parameters of encoders for several ratios",
        draw_costs, False),
}
