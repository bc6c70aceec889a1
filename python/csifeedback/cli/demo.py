#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The demo: channels of a standard model, compressed, quantized, fed back over an imperfect
link and reconstructed by a GNU Radio flowgraph, on the shipped models."""

import os
import sys
from typing import Sequence

from ..experiments import demo
from ..progress import Progress
from .common import Parser, format_table, print_json, run


def main(argv: Sequence[str]) -> int:
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

    shown = Progress("flowgraph runs", demo.RUNS)
    rows, lossy, equal = demo.run(args.samples, lambda done, _: shown.update(done))
    codec, linear, _ = demo.codecs()
    pictures = [os.path.join(args.output, name) for name in ("matrices.png", "nmse.png")]

    def draw():
        # Last of all: the table is not lost where a picture cannot be written.
        sys.stdout.flush()
        demo.draw_matrices(pictures[0], codec, "allocated", (0, 1, 2))
        demo.draw_figures(pictures[1], rows, equal)

    if args.json:
        print_json({"rows": rows, "lossy_link": lossy, "equal_bits": equal, "pictures": pictures})
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
    print("\nKLT: the best linear codec, trained on the same channels, with the same number of "
          "bits, allocated\nFISTA: random orthonormal projection, 20 iterations; needs no training\n"
          "us/CSI: time of one decoding in the flowgraph")
    by_budget = {(r["budget"], r["codec"]): r for r in equal}
    names = list(dict.fromkeys(r["codec"] for r in equal))
    print("\nat equal bits, entropy-coded: each path's delay, angle and gain, or the codeword\n")
    print(format_table(
        ["bits", *(f"{name}: {what}" for name in names for what in ("NMSE dB", "rho"))],
        [[budget, *(text for name in names for row in [by_budget[budget, name]]
                    for text in (f"{row['nmse_db']:.2f}", f"{row['rho']:.4f}"))]
         for budget in demo.BUDGETS]) + "\n")
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
