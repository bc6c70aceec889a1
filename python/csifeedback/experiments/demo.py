#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The runs and pictures of apps/demo, on shipped models."""

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .. import evaluation
from ..channels import model_channel
from ..codecs import OpenCodec
from ..files import subplots, write_figure
from ..simulation import Loopback

RATIOS = ("1/4", "1/8", "1/16", "1/32", "1/64")
MODEL = "cost2100-indoor-csi-l2o"
LINEAR = "cost2100-indoor-klt"
BASELINE = "cost2100-indoor-orthonormal:fista,iterations=20"
PATH = "cost2100-indoor-path"
BITS = 6
#: bits of a report in the comparison of paths with the learned codec
BUDGETS = (128, 256, 512)
# Beyond all samples that the shipped models were trained and measured on.
FIRST = 1_000_000
# Matrices on which the length of codewords for a budget is chosen, and the first of them.
VALIDATION, VALIDATION_FIRST = 60, 500_000
#: runs of the flowgraph
RUNS = 3 * len(RATIOS) + 1 + 2 * len(BUDGETS)


def codecs() -> List[OpenCodec]:
    """The learned codec, the best linear one and the one without training."""
    return [evaluation.Codec(name) for name in (MODEL, LINEAR, BASELINE)]


def simulate(codec: OpenCodec, ratio: str, quantizer_kind: str, count: int,
             link: Optional[Dict[str, Any]] = None, window: int = 64) -> Dict[str, Any]:
    """One run of the flowgraph; its figures."""
    size = codec.code_size(ratio)
    quantizer = codec.quantizer(quantizer_kind, size, BITS)
    flowgraph = Loopback(model_channel(codec.model), codec.encoder(size), codec.decoder(size),
                         quantizer, count, codec.model.na, codec.model.precursor, FIRST, link,
                         window=window)
    flowgraph.run_to_end()
    figures = flowgraph.figures()
    figures.update(codec=codec.label, ratio=ratio, code_size=size, bits=BITS,
                   quantizer=quantizer_kind, payload_bits=quantizer.total_bits())
    return figures


def reports(codec: OpenCodec, budget: int) \
        -> Tuple[Any, Any, Optional[evaluation.ReportChoice]]:
    """(report encoder, report decoder, choice) for so many bits: a codec's own, whose choice is None,
    or those of codewords with the entropy coder."""
    if codec.has_reports:
        return (*codec.own_reports(), None)
    model = codec.model
    some, _, lost = evaluation.core.generate_channels(model_channel(model), VALIDATION_FIRST,
                                                      VALIDATION, model.na, model.precursor)
    choice, _ = evaluation.choose_report(
        codec, evaluation.Evaluator(some, lost, model.nc, model.precursor, 0), budget, ("entropy",))
    return (*choice.report_pair(codec), choice)


def simulate_budget(codec: OpenCodec, budget: int, count: int) -> Dict[str, Any]:
    """The same with reports of at most so many bits."""
    encoder, decoder, choice = reports(codec, budget)
    flowgraph = Loopback(model_channel(codec.model), encoder, decoder, None, count, codec.model.na,
                         codec.model.precursor, FIRST, budget=budget)
    flowgraph.run_to_end()
    return {**flowgraph.figures(), "codec": codec.label, "budget": budget,
            **evaluation.choice_names(choice),
            "payload_bits": flowgraph.encoder.bits() / max(1, flowgraph.encoder.reports())}


def draw_matrices(path: str, codec: OpenCodec, quantizer_kind: str,
                  indices: Sequence[int]) -> None:
    """|Ha| true and as the BS reconstructs it, side by side: from codewords, and from reports of
    equally many bits of this codec and of paths."""
    channel = model_channel(codec.model)
    true = np.stack([channel.generate_truncated(FIRST + i, codec.model.na,
                                                codec.model.precursor)[0] for i in indices])
    columns: List[Tuple[Any, ...]] = [("true", true)]
    for ratio in ("1/4", "1/16"):
        size = codec.code_size(ratio)
        quantizer = codec.quantizer(quantizer_kind, size, BITS)
        s, gain = codec.encoder(size).encode(true)
        estimate = codec.decoder(size).decode(quantizer.dequantize(quantizer.quantize(s)), gain)
        errors = evaluation.core.squared_error_ratio(true, estimate)
        columns.append((f"{ratio}, {quantizer.total_bits()} bits", estimate, errors))
    budget = BUDGETS[len(BUDGETS) // 2]
    for one in (codec, evaluation.Codec(PATH)):
        encoder, decoder, _ = reports(one, budget)
        estimate = decoder.decode(*encoder.encode(true, budget))
        columns.append((f"{one.label}, {budget} bits", estimate,
                        evaluation.core.squared_error_ratio(true, estimate)))
    figure, axes = subplots(len(indices), len(columns), 2.6 * len(columns), 2.6 * len(indices))
    for row in range(len(indices)):
        top = float(np.max(np.abs(true[row])))
        for axis, (title, matrices, *errors) in zip(axes[row], columns):
            level = 20 * np.log10(np.maximum(np.abs(matrices[row]) / top, 1e-6))
            image = axis.imshow(level, vmin=-40, vmax=0, aspect="auto", origin="lower",
                                cmap="viridis")
            if errors:
                title = f"{title}: {evaluation.to_db(errors[0][row]):.1f} dB"
            axis.set_title(title, fontsize=9)
            axis.tick_params(labelsize=7)
        axes[row][0].set_ylabel("delay row", fontsize=8)
    for axis in axes[-1]:
        axis.set_xlabel("angle (DFT beam)", fontsize=8)
    figure.colorbar(image, ax=axes, label="|Ha| in dB of the strongest", shrink=0.7)
    figure.suptitle(f"{codec.model.text('channel')}: {codec.label}, codewords {quantizer_kind} and "
                    f"entropy-coded, and {columns[-1][0].split(',')[0]}")
    write_figure(figure, path, 110)


def draw_figures(path: str, rows: Sequence[Dict[str, Any]],
                 equal: Sequence[Dict[str, Any]]) -> None:
    """NMSE against compression ratio, against the bits that were sent, and of `equal` against the
    bits of a report."""
    figure, (axes,) = subplots(1, 3, 16, 4.2)
    groups: Dict[Tuple[str, str], List[Dict[str, Any]]] = {}
    for r in rows:
        groups.setdefault((r["codec"], r["quantizer"]), []).append(r)
    for (name, quantizer), group in groups.items():
        y = [r["nmse_db"] for r in group]
        for axis, x in ((axes[0], [r["code_size"] for r in group]),
                        (axes[1], [r["bits_per_csi"] for r in group])):
            axis.plot(x, y, "o-", markersize=4, linewidth=1, label=f"{name}, {quantizer}")
    axes[0].set_xlabel("compression ratio")
    for name in dict.fromkeys(r["codec"] for r in equal):
        group = [r for r in equal if r["codec"] == name]
        axes[2].plot([r["budget"] for r in group], [r["nmse_db"] for r in group], "o-",
                     markersize=4, linewidth=1,
                     label=name + ("" if group[0]["quantizer"] == "own" else ", entropy-coded"))
    axes[1].set_xlabel("bits for each CSI as sent (header, gain and checksum included)")
    axes[2].set_xlabel("bits of a report, at most")
    axes[2].legend(fontsize=8)
    for axis in axes:
        axis.set_xscale("log", base=2)
        axis.set_ylabel("NMSE in dB")
        axis.grid(alpha=0.3)
    first = rows[:len(RATIOS)]
    axes[0].set_xticks([r["code_size"] for r in first], [r["ratio"] for r in first])
    axes[1].set_xticks([r["bits_per_csi"] for r in first],
                       [f"{r['bits_per_csi']:.0f}" for r in first])
    axes[2].set_xticks(BUDGETS, [str(budget) for budget in BUDGETS])
    axes[1].legend(fontsize=8)
    write_figure(figure, path, 110)


def run(samples: int, progress: Callable[[int, int], None]) \
        -> Tuple[List[Dict[str, Any]], Dict[str, Any], List[Dict[str, Any]]]:
    """(rows of the table, figures of a run over a lossy link, rows of paths and the learned codec at
    equal bits); progress(done, of) is called after each run of the flowgraph."""
    codec, linear, baseline = codecs()
    runs = [(codec, "lloyd-max", r) for r in RATIOS] + [(linear, "allocated", r) for r in RATIOS]
    runs += [(baseline, "lloyd-max", r) for r in RATIOS]
    rows = []
    for one, kind, ratio in runs:
        rows.append(simulate(one, ratio, kind, samples))
        progress(len(rows), RUNS)
    lossy = simulate(codec, "1/16", "allocated", samples,
                     {"bit_error_rate": 1e-4, "erasure_rate": 0.1, "mean_burst_length": 2,
                      "seed": 1})
    progress(len(rows) + 1, RUNS)
    equal: List[Dict[str, Any]] = []
    for budget in BUDGETS:
        for one in (evaluation.Codec(PATH), codec):
            equal.append(simulate_budget(one, budget, samples))
            progress(len(rows) + 1 + len(equal), RUNS)
    return rows, lossy, equal
