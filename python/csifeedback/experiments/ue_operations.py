#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What a report costs the UE: NMSE against multiply-adds of the encoder at equal bits.

Those of paths and of entropy coders depend on the matrix and are counted while they run: with the
search, the trials of quantizer steps and patches, and the coder's tables. Others are those of the
registry; the rounding by a quantizer is not counted.
"""

from typing import Any, Callable, Dict, List, Sequence, Tuple

from .. import evaluation
from ..codecs import QUANTIZERS
from ..files import subplots, write_figure
from . import bits
from .sources import FIRST, VALIDATION_FIRST

#: most bits of a report
BUDGETS = (128, 256, 512, 1024)
#: matrices on which the pairs of code size and quantizer are chosen
VALIDATION = 60
#: codec with its options, what makes its reports (() its own ones), and name in tables
SERIES: Sequence[Tuple[str, Sequence[str], str]] = (
    ("path", (), "paths"), ("path,fast=1", (), "paths, fast"),
    ("local-klt", ("entropy",), "local KLT, entropy-coded"), ("local-klt", QUANTIZERS, "local KLT, quantizer"),
    ("klt", ("entropy",), "KLT, entropy-coded"), ("klt", QUANTIZERS, "KLT, quantizer"),
    ("csi-l2o", (*QUANTIZERS, "entropy"), "Csi-L2O"),
    ("csinet-16", QUANTIZERS, "CsiNet"), ("clnet-16", QUANTIZERS, "CLNet"),
    ("pm-csinet-plus", QUANTIZERS, "PM-CsiNet+"), ("sm-csinet-plus", QUANTIZERS, "SM-CsiNet+"),
    ("transnet-16", QUANTIZERS, "TransNet"), ("nr-csinet-16", QUANTIZERS, "NR-CsiNet"),
    ("fista-net-16", QUANTIZERS, "FISTA-Net"), ("tilista-16", QUANTIZERS, "TiLISTA"))


def measure(samples: int, progress: Callable[[int, int], None],
            channels: Sequence[bits.Channel] = bits.CHANNELS[:3], budgets: Sequence[int] = BUDGETS,
            series: Sequence[Tuple[str, Sequence[str], str]] = SERIES,
            validation: int = VALIDATION) -> List[Dict[str, Any]]:
    """A row for each channel, codec and budget; codecs without a model for the channel, or a quantizer for
    the budget, have none."""
    rows: List[Dict[str, Any]] = []
    done = 0
    for channel in channels:
        test = evaluation.Evaluator(*channel.matrices(FIRST, samples), 1024, 4, 0)
        chosen_on = evaluation.Evaluator(*channel.matrices(VALIDATION_FIRST, validation), 1024, 4, 0)
        for name, kinds, title in series:
            try:
                codec = evaluation.Codec(f"{channel.models}-{name}")
            except ValueError:  # no such model
                done += len(budgets)
                continue
            for budget in budgets:
                done += 1
                progress(done, len(channels) * len(series) * len(budgets))
                try:
                    choice = evaluation.choose_report(codec, chosen_on, budget, kinds)[0] if kinds else None
                except ValueError:  # nothing fits
                    continue
                row = test.run_budget(codec, budget, choice)
                rows.append({"channel": channel.title, "codec": title, "budget": budget,
                             "how": bits.how(choice), **{key: row[key] for key in (
                                 "nmse_db", "nmse_db_low", "nmse_db_high", "encoder_operations", "samples")}})
    return rows


def draw(path: str, rows: List[Dict[str, Any]], _: str = "") -> None:
    """NMSE against multiply-adds: a row of panels for each channel, a panel for each budget."""
    channels = list(dict.fromkeys(r["channel"] for r in rows))
    budgets = sorted({r["budget"] for r in rows})
    codecs = list(dict.fromkeys(r["codec"] for r in rows))
    figure, axes = subplots(len(channels), len(budgets), 3.4 * len(budgets), 3.3 * len(channels),
                            sharex=True, sharey="row")
    for line, channel in zip(axes, channels):
        for axis, budget in zip(line, budgets):
            for r in rows:
                if (r["channel"], r["budget"]) == (channel, budget) and r["encoder_operations"]:
                    number = codecs.index(r["codec"])
                    axis.plot(r["encoder_operations"] / 1e6, r["nmse_db"], "os^DvP*"[number % 7],
                              color=f"C{number % 10}", label=r["codec"])
            axis.set_xscale("log")
            axis.set_title(f"{channel},\n{budget} bits", fontsize=8)
            axis.grid(alpha=0.3)
        line[0].set_ylabel("NMSE in dB")
    for axis in axes[-1]:
        axis.set_xlabel("million multiply-adds of the UE")
    handles: Dict[str, Any] = {}
    for axis in axes.flat:
        for handle, label in zip(*axis.get_legend_handles_labels()):
            handles.setdefault(label, handle)
    axes[0][-1].legend(list(handles.values()), list(handles), loc="upper left", bbox_to_anchor=(1, 1),
                       fontsize=8)
    write_figure(figure, path, 110)


#: name -> function of (samples, progress), title, default of --samples
EXPERIMENTS = {"ue-operations": (measure, "NMSE against operations of the UE at equal bits", 300)}
