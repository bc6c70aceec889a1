#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The demo: channels of a standard model, compressed, quantized, fed back over an imperfect
link and reconstructed by a GNU Radio flowgraph, on the shipped models."""

import os
import sys

import numpy as np

from .. import evaluation
from ..channels import model_channel
from ..files import write_figure
from ..simulation import Loopback
from ..progress import Progress
from .common import Parser, format_table, print_json, run

RATIOS = ("1/4", "1/8", "1/16", "1/32", "1/64")
MODEL = "cost2100-indoor-csi-l2o"
LINEAR = "cost2100-indoor-klt"
BASELINE = "cost2100-indoor-orthonormal:fista,iterations=20"
BITS = 6
# Beyond all samples that the shipped models were trained and measured on.
FIRST = 1_000_000


def simulate(codec, ratio, quantizer_kind, count, link=None, window=64):
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


def draw_matrices(path, codec, quantizer_kind, indices):
    """|Ha| true and as the BS reconstructs it, side by side."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    channel = model_channel(codec.model)
    true = np.stack([channel.generate_truncated(FIRST + i, codec.model.na,
                                                codec.model.precursor)[0] for i in indices])
    columns = [("true", true)]
    for ratio in ("1/4", "1/16", "1/64"):
        size = codec.code_size(ratio)
        quantizer = codec.quantizer(quantizer_kind, size, BITS)
        s, gain = codec.encoder(size).encode(true)
        estimate = codec.decoder(size).decode(quantizer.dequantize(quantizer.quantize(s)), gain)
        errors = evaluation.core.squared_error_ratio(true, estimate)
        columns.append((f"{ratio}, {quantizer.total_bits()} bits", estimate, errors))
    figure, axes = plt.subplots(len(indices), len(columns),
                                figsize=(2.6 * len(columns), 2.6 * len(indices)),
                                squeeze=False, constrained_layout=True)
    for row in range(len(indices)):
        top = np.max(np.abs(true[row]))
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
    figure.suptitle(f"{codec.model.text('channel')}, {codec.label}, {quantizer_kind}")
    write_figure(figure, path, 110)
    plt.close(figure)


def draw_figures(path, rows):
    """NMSE against compression ratio and against the bits that were sent."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), constrained_layout=True)
    groups = {}
    for r in rows:
        groups.setdefault((r["codec"], r["quantizer"]), []).append(r)
    for (name, quantizer), group in groups.items():
        y = [r["nmse_db"] for r in group]
        for axis, x in ((axes[0], [r["code_size"] for r in group]),
                        (axes[1], [r["bits_per_csi"] for r in group])):
            axis.plot(x, y, "o-", markersize=4, linewidth=1, label=f"{name}, {quantizer}")
    axes[0].set_xlabel("compression ratio")
    axes[1].set_xlabel("bits for each CSI as sent (header, gain and checksum included)")
    for axis in axes:
        axis.set_xscale("log", base=2)
        axis.set_ylabel("NMSE in dB")
        axis.grid(alpha=0.3)
    first = rows[:len(RATIOS)]
    axes[0].set_xticks([r["code_size"] for r in first], [r["ratio"] for r in first])
    axes[1].set_xticks([r["bits_per_csi"] for r in first],
                       [f"{r['bits_per_csi']:.0f}" for r in first])
    axes[1].legend(fontsize=8)
    write_figure(figure, path, 110)
    plt.close(figure)


def main(argv):
    parser = Parser(prog="apps/demo", description=__doc__)
    parser.add_argument("--samples", type=int, default=300, metavar="N",
                        help="channel matrices for each row of the table (default: 300)")
    parser.add_argument("--output", default="out", metavar="DIRECTORY",
                        help="where the pictures go (default: out)")
    parser.add_argument("--json", action="store_true", help="print the table as JSON alone")
    args = parser.parse_args(argv)
    if not 2 <= args.samples <= 1_000_000:
        raise ValueError(f"--samples is {args.samples}, allowed is 2 to 1000000")
    os.makedirs(args.output, exist_ok=True)

    codec, linear, baseline = (evaluation.Codec(name) for name in (MODEL, LINEAR, BASELINE))
    runs = [(codec, "lloyd-max", r) for r in RATIOS] + [(linear, "allocated", r) for r in RATIOS]
    runs += [(baseline, "lloyd-max", r) for r in RATIOS]
    progress = Progress("flowgraph runs", len(runs) + 1)
    rows = []
    for one, kind, ratio in runs:
        rows.append(simulate(one, ratio, kind, args.samples))
        progress.update(len(rows))
    lossy = simulate(codec, "1/16", "allocated", args.samples,
                     {"bit_error_rate": 1e-4, "erasure_rate": 0.1, "mean_burst_length": 2,
                      "seed": 1})
    progress.update(len(rows) + 1)
    pictures = [os.path.join(args.output, name) for name in ("matrices.png", "nmse.png")]

    def draw():
        # Last of all: the table is not lost where a picture cannot be written.
        sys.stdout.flush()
        draw_matrices(pictures[0], codec, "allocated", (0, 1, 2))
        draw_figures(pictures[1], rows)

    if args.json:
        print_json({"rows": rows, "lossy_link": lossy, "pictures": pictures})
        draw()
        return 0
    by_ratio = {r["ratio"]: r for r in rows if r["codec"] == linear.label}
    print(f"\n{codec.model.text('channel')}: {args.samples} unseen channels of "
          f"{codec.model.nc} subcarriers x {codec.model.nt} antennas, {codec.model.na} delay rows "
          f"kept ({100 * rows[0]['energy_lost']:.2f} % of the energy lost)\n")
    print(format_table(
        ["codec", "quantizer", "ratio", "codeword bits", "sent bits", "NMSE dB", "whole dB", "rho",
         "us/CSI", "KLT: NMSE dB", "rho", "us/CSI"],
        [[r["codec"], r["quantizer"], r["ratio"], r["payload_bits"],
          round(r["bits_per_csi"]), f"{r['nmse_db']:.2f}", f"{r['nmse_whole_db']:.2f}",
          f"{r['rho']:.4f}", f"{r['decode_us']:.0f}",
          f"{by_ratio[r['ratio']]['nmse_db']:.2f}", f"{by_ratio[r['ratio']]['rho']:.4f}",
          f"{by_ratio[r['ratio']]['decode_us']:.0f}"]
         for r in rows if r["codec"] != linear.label]))
    print(f"\nKLT: the best linear codec, trained on the same channels, with the same number of bits, "
          "allocated\nFISTA: random orthonormal projection, 20 iterations; needs no training\n"
          "us/CSI: time of one decoding in the flowgraph")
    frames = lossy["frames"]
    print(f"lossy link (bit errors 1e-4, 10 % of frames lost in bursts), ratio 1/16: "
          f"{lossy['frames_sent']} frames sent, {lossy['frames_erased']} lost, "
          f"{frames['bad_crc']} discarded by checksum, {frames['ok']} delivered;\n"
          f"last CSI held {lossy['frames_held']} times, mean age {lossy['age']:.2f} frames, "
          f"NMSE of what the BS has at hand {lossy['nmse_db']:.2f} dB "
          "(drops are independent: a held CSI is of another channel)")
    draw()
    print("\npictures: " + ", ".join(pictures))
    return 0


if __name__ == "__main__":
    sys.argv[0] = "apps/demo"
    run(main)
