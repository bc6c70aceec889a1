#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Pictures of the experiments of `csi_l2o`, like those of the paper."""

import math
from fractions import Fraction
from typing import Any, Sequence

import numpy as np

from .. import csifeedback_python as core
from ..channels import make_channel
from ..files import subplots, write_figure
from .csi_l2o_bench import COMMITTED, SCENARIOS, STEPS, Bench, Result
from .sources import FIRST
from .verdict import Row

#: drops that Fig. 3 shows of each scenario
DRAWN = 3

MARKERS = "os^DvhpP<>"


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
    figure, axes = subplots(1, 1, 7.6, 4.4)
    axis = axes[0, 0]
    _lines(axis, result.rows, "ratio")
    axis.set_xticks([2, 3, 4, 5, 6], ["1/4", "1/8", "1/16", "1/32", "1/64"])
    axis.set_xlabel("compression ratio")
    _legend(axis)
    write_figure(figure, path, 90)


def draw_bits(path: str, result: Result, bench: Bench) -> None:
    ratios = list(dict.fromkeys(r["ratio"] for r in result.rows))
    figure, axes = subplots(1, len(ratios), 13, 4.2)
    for axis, ratio in zip(axes[0], ratios):
        # No quantization stands at the right end.
        rows = [{**r, "place": r["bits"] or 7} for r in result.rows if r["ratio"] == ratio]
        rows.sort(key=lambda r: r["place"])
        _lines(axis, rows, "place")
        axis.set_xticks([3, 4, 5, 6, 7], ["3", "4", "5", "6", "none"])
        axis.set_xlabel("bits per value")
        axis.set_title(ratio, fontsize=10)
    _legend(axes[0, -1])
    write_figure(figure, path, 90)


def draw_iterations(path: str, result: Result, bench: Bench) -> None:
    figure, axes = subplots(1, 1, 7.6, 4.4)
    axis = axes[0, 0]
    _lines(axis, [r for r in result.rows if r["iterations"]], "iterations")
    for number, r in enumerate(r for r in result.rows if not r["iterations"]):
        axis.axhline(r["nmse_db"], color=f"C{9 - number}", linestyle="--", linewidth=1,
                     label=r["method"])
    axis.set_xticks(range(0, STEPS[-1] + 1, 2))
    axis.set_xlabel("iterations")
    _legend(axis)
    write_figure(figure, path, 90)


def draw_costs(path: str, result: Result, bench: Bench) -> None:
    """Operations and parameters, on logarithmic scales: printed, counted alike, all."""
    rows = [r for r in result.rows if r.get("ratio", "1/16") == "1/16"]
    figure, axes = subplots(1, 2, 10, 3.8)
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
    write_figure(figure, path, 90)


def draw_orders(path: str, result: Result, bench: Bench) -> None:
    figure, axes = subplots(1, 2, 10, 4)
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
    write_figure(figure, path, 90)


def draw_channels(path: str, result: Result, bench: Bench) -> None:
    """|Ha| of a few test drops in shades of gray, as Fig. 3(a)."""
    model = core.model_file(str(bench.model("csi-l2o", "indoor")))
    figure, axes = subplots(2, DRAWN, 7.5, 5)
    for line, scenario in zip(axes, SCENARIOS):
        channel = make_channel(f"cost2100-{scenario}", seed=bench.seed, nt=model.nt, nc=model.nc)
        ha = core.generate_channels(channel, FIRST, DRAWN, model.na, model.precursor)[0]
        for number, (axis, h) in enumerate(zip(line, np.abs(ha))):
            axis.imshow(h / h.max(), cmap="gray_r", aspect="auto")
            axis.set_title(f"{scenario}, drop {number + 1}", fontsize=8)
            axis.set_xlabel("angle", fontsize=8)
            axis.set_ylabel("delay", fontsize=8)
            axis.tick_params(labelsize=7)
    write_figure(figure, path, 90)
