#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Codecs x ratios x bits x iterations on the same matrices, as table and figure."""

import dataclasses
import functools
import itertools
import json
import sys
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .. import csifeedback_python as core
from .. import evaluation
from ..codecs import open_codec
from ..files import subplots, write_csv, write_figure
from ..progress import Progress
from . import sweep
from .sources import Source, test_matrices, validation_matrices, warn_source

COLUMNS = ("codec", "model", "budget", "ratio", "code_size", "quantizer", "bits", "payload_bits",
           "frame_bits", "noise_snr_db", "iterations", "nmse_db", "nmse_db_low", "nmse_db_high",
           "nmse_whole_db", "rho", "sgcs", "sgcs_low", "sgcs_high", "sgcs_5", "samples",
           "encoder_operations", "encode_us", "decode_us")
#: columns of codecs of UEs with several antennas
LAYER_COLUMNS = ("rank_share", "sgcs_layers", "sgcs_layers_5", "se_layers", "se_layers_perfect",
                 "se_layers_snr_db")

#: in place of a list of values: the codec's own
NONE: "list[Any]" = [None]

#: Which bits figures are drawn against: name in the table, and in words.
COUNTS = {"report": ("payload_bits", "bits of a report"),
          "frame": ("frame_bits", "bits of a feedback frame"),
          "compact": ("compact_bits", "bits of a compact feedback frame")}

#: what a compact_configuration is made of
COMPACT = ("number", "ue_id", "checksum", "number_bits", "gain_bits", "min_gain_db",
           "residual_energy")

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
    rho_samples: int = 500  #: of rho and SGCS
    subbands: int = evaluation.SUBBANDS  #: of SGCS
    users: Optional[int] = None  #: of each group, for the spectral efficiency
    se_snr_db: Sequence[float] = ()
    precoding: str = "zero-forcing"  #: or another one of core.precoder
    compact: Optional[core.compact_configuration] = None  #: of compact frames; None: full ones


@functools.lru_cache(2)
def _evaluator(text: str, digests: Tuple[str, ...]) -> Tuple[Any, Any]:
    """(Evaluator of the test matrices, of the validation matrices or None) of the JSON of a
    dictionary that `_data` made. digests: of the files of its codecs and of the data set."""
    data = json.loads(text)
    source = Source(**data["source"])
    models = [open_codec(spec).model for spec in data["codecs"]]
    validation, skip = None, 0
    if data["validation_samples"]:
        validation, skip = validation_matrices(source, models, data["validation_samples"])
    return test_matrices(source, models, data["whole"], data["rho_samples"], skip,
                         data["subbands"]), validation


@functools.lru_cache(4)
def _codec(spec: str, digests: Tuple[str, ...]) -> Any:
    """The codec; digests: of its files. It keeps its decoders, which take a while to make."""
    codec: Any = open_codec(spec)
    codec.decoder = functools.lru_cache(8)(codec.decoder)
    return codec


def opened(arguments: Dict[str, Any]) -> Tuple[Any, Any, Any]:
    """(test matrices, validation matrices or None, core.spectral_efficiency or None) of a point."""
    data = arguments["data"]
    paths = [data["source"]["dataset"]] if data["source"]["dataset"] else []
    evaluator, validation = _evaluator(json.dumps(data, sort_keys=True),
                                       sweep.digests_of(data["codecs"], paths))
    efficiency = arguments["efficiency"]
    se = None
    if efficiency:
        # All codecs of a table are for UEs with as many antennas as the first one.
        nr = open_codec(data["codecs"][0]).nr
        rows, nt = evaluator.h.shape[1:]
        se = core.spectral_efficiency(efficiency["users"], rows // nr, nt, efficiency["snr_db"],
                                      efficiency["precoding"], nr=nr)
    compact = arguments.get("compact")
    evaluator.compact = core.compact_configuration(**compact) if compact else None
    return evaluator, validation, se


def codeword_point(arguments: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The row of a codec at one ratio, quantizer, noise and number of iterations."""
    evaluator, _, se = opened(arguments)
    codec = _codec(arguments["codec"], sweep.digests_of([arguments["codec"]]))
    row = evaluator.run(codec, arguments["code_size"], arguments["quantizer"], arguments["bits"],
                        arguments["snr_db"], arguments["data"]["source"]["seed"],
                        arguments["iterations"], se)
    row["noise_snr_db"] = arguments["snr_db"]
    return [row]


def budget_point(arguments: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The rows of a codec with reports of a budget, one for each noise."""
    evaluator, validation, se = opened(arguments)
    codec = _codec(arguments["codec"], sweep.digests_of([arguments["codec"]]))
    choice = None
    if not codec.has_reports:
        try:
            choice, _ = evaluation.choose_report(codec, validation, arguments["budget"],
                                                 arguments["quantizers"])
        except ValueError as error:
            return [evaluation.Evaluator.missing(codec, error, budget=arguments["budget"])]
    rows = []
    for snr in arguments["snr_db"]:
        row = evaluator.run_budget(codec, arguments["budget"], choice, snr,
                                   arguments["data"]["source"]["seed"], se)
        row["noise_snr_db"] = snr
        rows.append(row)
    return rows


def efficiency_point(arguments: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The rows of spectral efficiency that need no codec."""
    evaluator, _, se = opened(arguments)
    return evaluator.baselines(se)


def points(what: Comparison) -> List[Any]:
    """The points of a comparison, in the order of its rows; Evaluator.missing() in place of those of
    a codec that does not have a ratio. Raises ValueError for what the source cannot do, or if no codec
    has a ratio."""
    codecs = [evaluation.Codec(spec) for spec in what.codecs]
    if what.iterations and min(what.iterations) < 1:
        raise ValueError(f"--iterations has {min(what.iterations)}, allowed is 1 or more")
    # What decides the test matrices: the first model the channel, the first one of domain Ha the
    # rows. So a sweep to which codecs are added later finds its points.
    whole = bool(what.users) or what.source.align or any(c.model.domain == "H" for c in codecs)
    deciding = [codecs[0]] + [c for c in codecs if c.model.domain == "Ha"][:1]
    specs = list(dict.fromkeys(c.spec for c in deciding))
    data = {"source": dataclasses.asdict(what.source), "whole": whole, "codecs": specs,
            "rho_samples": what.rho_samples, "subbands": what.subbands,
            "validation_samples": what.validation_samples if what.budgets and not all(
                c.has_reports for c in codecs) else 0}
    common = {"data": data, "efficiency": {
        "users": what.users, "snr_db": list(what.se_snr_db), "precoding": what.precoding}
        if what.users else None,
        **({"compact": {name: getattr(what.compact, name) for name in COMPACT}}
           if what.compact else {})}
    files = [what.source.dataset] if what.source.dataset else []

    def point(task: str, codec: Any = None, **arguments: Any) -> sweep.Point:
        own = [codec.spec] if codec else []
        return sweep.point_of(f"experiments.comparison:{task}", {
            **common, **arguments, **({"codec": codec.spec} if codec else {})}, specs + own, files)

    found: List[Any] = []
    if what.budgets:
        found = [point("budget_point", codec, budget=budget, quantizers=list(what.quantizers),
                       snr_db=list(what.snr or NONE))
                 for codec, budget in itertools.product(codecs, what.budgets)]
    else:
        for codec in codecs:
            for ratio in what.ratios:
                try:
                    size = _code_size(codec, ratio)
                except ValueError as error:
                    found.append(evaluation.Evaluator.missing(codec, error, ratio=ratio))
                    continue
                for bits, snr, iterations in itertools.product(
                        what.bits, what.snr or NONE,
                        what.iterations if what.iterations and codec.iterative else NONE):
                    found += [point("codeword_point", codec, code_size=size, quantizer=kind,
                                    bits=bits, snr_db=snr, iterations=iterations)
                              for kind in (what.quantizers if bits else NONE)]
    if not any(isinstance(one, sweep.Point) for one in found):
        _check_missing(found)
    return found + ([point("efficiency_point")] if what.users else [])


def evaluate(what: Comparison, store: Optional[sweep.Store] = None,
             cluster: Optional[str] = None) -> List[Dict[str, Any]]:
    """All rows of the table, in order: each what Evaluator.run() returns, or Evaluator.missing() of
    a codec that does not have a ratio or budget, while others do. Raises ValueError if none does.

    store: of results that are there and are kept; cluster: which workers compute, see sweep.run().
    """
    models = [evaluation.Codec(spec).model for spec in what.codecs]
    warn_source(what.source, models)
    found = points(what)
    asked = [point for point in found if isinstance(point, sweep.Point)]
    progress = Progress("evaluation", len(asked))
    results = iter(sweep.run(asked, store, cluster, progress.update))
    rows = [row for point in found
            for row in (next(results) if isinstance(point, sweep.Point) else [point])]
    _check_missing([row for row in rows if "nmse_db" in row or "missing" in row])
    return rows


def _code_size(codec, ratio):
    """Values of a codeword at a ratio. Raises ValueError if the codec has none."""
    if not codec.has_codewords:
        raise ValueError(f"codec {codec.spec} has no codewords, only reports: give --budget")
    size = codec.code_size(ratio)
    longest = codec.encoder(0).code_size()
    if size > longest:
        raise ValueError(f"ratio is {ratio}, {codec.spec} has codewords of up to {longest} values")
    if not codec.sends(size):
        codec.encoder(size)  # says why
        raise ValueError(f"ratio is {ratio}, {codec.spec} has no codewords of {size} values")
    return size


def _check_missing(rows):
    """Says what is missing in the rows of codecs; ValueError if that is all."""
    reasons = [row["missing"] for row in rows if "missing" in row]
    if len(reasons) == len(rows):
        raise ValueError(reasons[0])
    for reason in dict.fromkeys(reasons):
        print(f"left out: {reason}", file=sys.stderr)


def complexity(what: Comparison) -> List[Dict[str, Any]]:
    """Rows of the table of multiply-adds."""
    rows = []
    for codec in [evaluation.Codec(spec) for spec in what.codecs]:
        for ratio in what.ratios:
            try:
                size = _code_size(codec, ratio)
            except ValueError as error:
                rows.append({"codec": codec.label, "ratio": ratio, "missing": str(error)})
                continue
            for iterations in what.iterations if what.iterations and codec.iterative else NONE:
                rows.append({"codec": codec.label, "ratio": ratio, "code_size": size,
                             **evaluation.complexity(codec, size, iterations)})
    _check_missing(rows)
    return rows


def write_table(path: str, rows: List[Dict[str, Any]]) -> None:
    """The rows as CSV, one column a figure."""
    snrs: Any = next((r["se_snr_db"] for r in rows if "se_snr_db" in r), [])
    at = [f"se_{snr:g}_db" for snr in snrs]
    columns = list(COLUMNS)
    if any("compact_bits" in r for r in rows):
        columns.insert(columns.index("frame_bits") + 1, "compact_bits")
    if any("rank_share" in r for r in rows):
        columns += LAYER_COLUMNS
        rows = [{**r, **{name: " ".join("-" if x is None else f"{x:.4f}" for x in r[name])
                         for name in LAYER_COLUMNS[:3] if name in r}} for r in rows]
    write_csv(path, [{**r, **dict(zip(at, r.get("se", [])))} for r in rows],
              [*columns, *["users"] * bool(snrs), *at])


def labels(rows: Sequence[Dict[str, Any]]) -> List[str]:
    """Names of the codecs of the rows for legends: with the model where several have the same."""
    models: "dict[str, set]" = {}
    for r in rows:
        models.setdefault(r["codec"], set()).add(r.get("model"))
    return [f"{r['codec']} ({r['model']})" if len(models[r["codec"]]) > 1 else r["codec"] for r in rows]


def draw(path: str, rows: List[Dict[str, Any]], title: str = "", count: str = "report") -> None:
    """NMSE against iterations where they vary, else against the compression ratio
    (unquantized) and against the bits of a codeword; SGCS against the bits of reports; and spectral
    efficiency against SNR.

    Where codecs of H and of Ha are compared, errors are against the whole channel: those against
    the delay rows alone are not of the same matrices.
    """
    efficiency_rows = [r for r in rows if "se" in r]
    rows = [r for r in rows if "nmse_db" in r]
    for r, label in zip(rows, labels(rows)):
        r["label"] = label
    mixed = len({r["domain"] for r in rows}) > 1
    nmse = "nmse_whole_db" if mixed else "nmse_db"
    float_rows = [r for r in rows if not r["bits"] and not r.get("budget")]
    bit_rows = [r for r in rows if r["bits"] or r.get("budget")]
    report_rows = [r for r in rows if r.get("budget") and r.get("sgcs") is not None]
    panels = [(float_rows, "ratio", nmse), (bit_rows, "bits", nmse), (report_rows, "bits", "sgcs")]
    if len({r["iterations"] for r in rows} - {None}) > 1:
        panels = [(rows, "iterations", nmse)]
    # Reports of precoders have no NMSE.
    panels = [p for p in (([r for r in some if r[y] is not None], kind, y)
                          for some, kind, y in panels) if p[0]]
    width = len(panels) + bool(efficiency_rows)
    figure, axes = subplots(1, width, 6.2 * width, 4.4)
    markers = "os^Dvx*P"
    for axis, (some, kind, y) in zip(axes[0], panels):
        groups: "dict[str, list]" = {}
        for r in some:
            parts = [r["label"]]
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
                   "bits": COUNTS[count][0]}.get(kind, kind)]
                 for r in group]
            if None in x:  # a decoder without iterations: a level
                axis.axhline(group[0][y], label=name, color=f"C{number}", linestyle=":")
                continue
            error = [[r[y] - r[y + "_low"] for r in group], [r[y + "_high"] - r[y] for r in group]]
            axis.errorbar(x, [r[y] for r in group], error, label=name, marker=markers[number % len(markers)],
                          color=f"C{number}", markersize=4, capsize=2, linewidth=1)
        axis.set_ylabel("SGCS" if y == "sgcs" else
                        "NMSE against the whole channel in dB" if mixed else "NMSE in dB")
        if kind != "iterations":
            axis.set_xscale("log", base=2)
        if kind == "ratio":
            # One number of values is another ratio of larger matrices.
            ratios: "dict[int, set]" = {}
            for r in some:
                ratios.setdefault(r["code_size"], set()).add(r["ratio"])
            if all(len(texts) == 1 for texts in ratios.values()) and not mixed:
                axis.set_xticks(list(ratios), [f"{m}\n{min(texts)}" for m, texts in ratios.items()])
                axis.set_xlabel("values in the codeword, compression ratio")
            else:
                axis.set_xticks(list(ratios), list(map(str, ratios)))
                axis.set_xlabel("values in the codeword")
            axis.minorticks_off()
        elif kind == "iterations":
            axis.set_xlabel("iterations")
        else:
            axis.set_xlabel(COUNTS[count][1])
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    if efficiency_rows:
        draw_efficiency(axes[0][-1], efficiency_rows)
    figure.suptitle(title)
    write_figure(figure, path, 120)


def draw_efficiency(axis: Any, rows: Sequence[Dict[str, Any]]) -> None:
    """Spectral efficiency against SNR, one line per row."""
    for number, (r, label) in enumerate(zip(rows, labels(rows))):
        name = [label, r.get("ratio")]
        name += [f"{r['bits']} bits, {r['quantizer']}"] if r.get("bits") else []
        if r.get("noise_snr_db") is not None:
            name.append(f"CSI at {r['noise_snr_db']:g} dB SNR")
        style: Dict[str, Any] = {"marker": "os^Dvx*P"[number % 8], "markersize": 4,
                                 "color": f"C{number}"}
        if "nmse_db" not in r:
            style = {"color": "black", "linestyle": "--" if number % 2 else "-"}
        axis.plot(r["se_snr_db"], r["se"], linewidth=1, label=", ".join(filter(None, name)),
                  **style)
    axis.set_xlabel("SNR in dB")
    axis.set_ylabel(f"spectral efficiency of {rows[0]['users']} users in bit/s/Hz")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
