#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Codecs x ratios x bits x iterations on the same matrices, as table and figure."""

import dataclasses
import itertools
from typing import Any, Dict, List, Optional, Sequence

from .. import csifeedback_python as core
from .. import evaluation
from ..files import write_csv, write_figure
from ..progress import Progress
from .sources import Source, test_matrices, validation_matrices

COLUMNS = ("codec", "model", "budget", "ratio", "code_size", "quantizer", "bits", "payload_bits",
           "frame_bits", "noise_snr_db", "iterations", "nmse_db", "nmse_db_low", "nmse_db_high",
           "nmse_whole_db", "rho", "samples", "encode_us", "decode_us")

#: in place of a list of values: the codec's own
NONE: "list[Any]" = [None]

PICTURES = (".png", ".pdf", ".svg")


@dataclasses.dataclass
class Comparison:
    """Which codecs are compared, and at what: the options of csifeedback_eval."""

    codecs: Sequence[str]  #: MODEL[:DECODER[,NAME=VALUE]], see codecs.open_codec
    source: Source = Source()
    ratios: Sequence[str] = ("1/4", "1/8", "1/16", "1/32", "1/64")
    bits: Sequence[int] = (0,)  #: per value; 0: not quantized
    quantizers: Sequence[str] = ("lloyd-max",)
    snr: Optional[Sequence[float]] = None  #: of the CSI that the UE sees, in dB
    iterations: Optional[Sequence[int]] = None
    budgets: Optional[Sequence[int]] = None  #: bits of a report, in place of ratios and bits
    validation_samples: int = 600  #: on which the pairs for the budgets are chosen
    rho_samples: int = 500
    users: Optional[int] = None  #: of each group, for the spectral efficiency
    se_snr_db: Sequence[float] = ()
    precoding: str = "zero-forcing"  #: or "maximum-ratio"


def evaluate(what: Comparison) -> List[Dict[str, Any]]:
    """All rows of the table, in order: each what Evaluator.run() returns."""
    codecs = [evaluation.Codec(spec) for spec in what.codecs]
    if what.iterations and min(what.iterations) < 1:
        raise ValueError(f"--iterations has {min(what.iterations)}, allowed is 1 or more")
    models = [codec.model for codec in codecs]
    validation, skip = None, 0
    if what.budgets and not all(codec.has_reports for codec in codecs):
        validation, skip = validation_matrices(what.source, models, what.validation_samples)
    evaluator = test_matrices(what.source, models, whole=bool(what.users),
                              rho_samples=what.rho_samples, skip=skip)
    se = None
    if what.users:
        se = core.spectral_efficiency(what.users, *evaluator.h.shape[1:],
                                      what.se_snr_db, what.precoding)
    if what.budgets:
        rows = _evaluate_budgets(what, codecs, validation, evaluator, se)
        return rows + (evaluator.baselines(se) if se else [])
    cases = []
    for codec in codecs:
        if not codec.has_codewords:
            raise ValueError(f"codec {codec.spec} has no codewords, only reports: give --budget")
        longest = codec.encoder(0).code_size()
        for ratio in what.ratios:
            size = codec.code_size(ratio)
            if size > longest:
                raise ValueError(f"ratio is {ratio}, {codec.spec} has codewords of up to "
                                 f"{longest} values")
            for bits, snr, iterations in itertools.product(
                    what.bits, what.snr or NONE,
                    what.iterations if what.iterations and codec.iterative else NONE):
                for kind in (what.quantizers if bits else NONE):
                    cases.append((codec, size, kind, bits, snr, iterations))
    progress = Progress("evaluation", len(cases))
    rows = []
    for codec, size, kind, bits, snr, iterations in cases:
        row = evaluator.run(codec, size, kind, bits, snr, what.source.seed, iterations, se)
        row["noise_snr_db"] = snr
        rows.append(row)
        progress.update(len(rows))
    return rows + (evaluator.baselines(se) if se else [])


def _evaluate_budgets(what, codecs, validation, evaluator, se):
    """Rows of the table for --budget."""
    snrs = what.snr or [None]
    progress = Progress("evaluation", len(codecs) * len(what.budgets) * (1 + len(snrs)))
    rows = []
    for done, (codec, budget) in enumerate(itertools.product(codecs, what.budgets)):
        choice = None
        if not codec.has_reports:
            choice, _ = evaluation.choose_report(codec, validation, budget, what.quantizers)
        for number, snr in enumerate(snrs):
            row = evaluator.run_budget(codec, budget, choice, snr, what.source.seed, se)
            row["noise_snr_db"] = snr
            rows.append(row)
            progress.update(done * (1 + len(snrs)) + number + 2)
    return rows


def complexity(what: Comparison) -> List[Dict[str, Any]]:
    """Rows of the table of multiply-adds."""
    rows = []
    for codec in [evaluation.Codec(spec) for spec in what.codecs]:
        for ratio in what.ratios:
            size = codec.code_size(ratio)
            for iterations in what.iterations if what.iterations and codec.iterative else NONE:
                rows.append({"codec": codec.label, "ratio": ratio, "code_size": size,
                             **evaluation.complexity(codec, size, iterations)})
    return rows


def write_table(path: str, rows: List[Dict[str, Any]]) -> None:
    """The rows as CSV, one column a figure."""
    snrs = rows[0].get("se_snr_db", [])
    at = [f"se_{snr:g}_db" for snr in snrs]
    write_csv(path, [{**r, **dict(zip(at, r.get("se", [])))} for r in rows],
              [*COLUMNS, *["users"] * bool(snrs), *at])


def draw(path: str, rows: List[Dict[str, Any]], title: str = "", count: str = "report") -> None:
    """NMSE against iterations where they vary, else against the compression ratio
    (unquantized) and against the bits of a codeword; and spectral efficiency against SNR."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    efficiency_rows = [r for r in rows if "se" in r]
    rows = [r for r in rows if "nmse_db" in r]
    float_rows = [r for r in rows if not r["bits"] and not r.get("budget")]
    bit_rows = [r for r in rows if r["bits"] or r.get("budget")]
    panels = [p for p in ((float_rows, "ratio"), (bit_rows, "bits")) if p[0]]
    if len({r["iterations"] for r in rows} - {None}) > 1:
        panels = [(rows, "iterations")]
    width = len(panels) + bool(efficiency_rows)
    figure, axes = plt.subplots(1, width, figsize=(6.2 * width, 4.4), squeeze=False,
                                constrained_layout=True)
    markers = "os^Dvx*P"
    for axis, (some, kind) in zip(axes[0], panels):
        groups: "dict[str, list]" = {}
        for r in some:
            parts = [r["codec"]]
            if r.get("budget"):
                pass
            elif kind == "bits" or r["bits"]:
                parts.append(f"{r['quantizer']}, {r['ratio']}")
            elif kind == "iterations":
                parts.append(r["ratio"])
            if r["noise_snr_db"] is not None:
                parts.append(f"{r['noise_snr_db']:g} dB SNR")
            groups.setdefault(", ".join(parts), []).append(r)
        for number, (name, group) in enumerate(groups.items()):
            x = [r[{"ratio": "code_size",
                   "bits": "frame_bits" if count == "frame" else "payload_bits"}.get(kind, kind)]
                 for r in group]
            if None in x:  # a decoder without iterations: a level
                axis.axhline(group[0]["nmse_db"], label=name, color=f"C{number}", linestyle=":")
                continue
            y = [r["nmse_db"] for r in group]
            error = [[r["nmse_db"] - r["nmse_db_low"] for r in group],
                     [r["nmse_db_high"] - r["nmse_db"] for r in group]]
            axis.errorbar(x, y, error, label=name, marker=markers[number % len(markers)],
                          color=f"C{number}", markersize=4, capsize=2, linewidth=1)
        axis.set_ylabel("NMSE in dB")
        if kind != "iterations":
            axis.set_xscale("log", base=2)
        if kind == "ratio":
            sizes = {r["code_size"]: r["ratio"] for r in some}
            axis.set_xticks(list(sizes), [f"{m}\n{ratio}" for m, ratio in sizes.items()])
            axis.set_xlabel("values in the codeword, compression ratio")
        elif kind == "iterations":
            axis.set_xlabel("iterations")
        else:
            axis.set_xlabel("bits of a feedback frame" if count == "frame"
                            else "bits of a report")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    if efficiency_rows:
        draw_efficiency(axes[0][-1], efficiency_rows)
    figure.suptitle(title)
    write_figure(figure, path, 120)
    plt.close(figure)


def draw_efficiency(axis, rows):
    """Spectral efficiency against SNR, one line per row."""
    for number, r in enumerate(rows):
        name = [r["codec"], r.get("ratio")]
        name += [f"{r['bits']} bits, {r['quantizer']}"] if r.get("bits") else []
        if r.get("noise_snr_db") is not None:
            name.append(f"CSI at {r['noise_snr_db']:g} dB SNR")
        style = {"color": "black", "linestyle": "--" if number % 2 else "-"} if "nmse_db" not in r \
            else {"marker": "os^Dvx*P"[number % 8], "markersize": 4, "color": f"C{number}"}
        axis.plot(r["se_snr_db"], r["se"], linewidth=1, label=", ".join(filter(None, name)),
                  **style)
    axis.set_xlabel("SNR in dB")
    axis.set_ylabel(f"spectral efficiency of {rows[0]['users']} users in bit/s/Hz")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
