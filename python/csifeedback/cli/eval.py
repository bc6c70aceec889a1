#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_eval: codecs x ratios x bits x iterations on one data set, as table and figure."""

import argparse
import csv
<<<<<<< HEAD
import itertools
=======
import math
import os
>>>>>>> h-issue2
import sys

from .. import evaluation
from .common import Progress, check_place, format_table, print_json, whole_file
from .sources import add_source_arguments, test_matrices

COLUMNS = ("codec", "ratio", "code_size", "quantizer", "bits", "payload_bits", "frame_bits",
           "noise_snr_db", "iterations", "nmse_db", "nmse_db_low", "nmse_db_high", "nmse_whole_db", "rho",
           "samples", "encode_us", "decode_us")

PICTURES = (".png", ".pdf", ".svg")


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="csifeedback_eval", description=__doc__,
        epilog="NMSE is the mean of ||H-H^||^2/||H||^2 in dB, with its 95 %% interval, against "
               "the delay rows kept; 'whole' is against the whole channel. Bits are those of a "
               "codeword (payload) and of the frame that carries it, header, gain and checksum "
               "included.")
    parser.add_argument("--codec", action="append", required=True, metavar="MODEL[:DECODER[,..]]",
                        help="model file or name of a shipped model, with a decoder (linear, "
                             "ista, fista or l2o) and its options, e.g. "
                             "cost2100-indoor-klt:fista,iterations=100; may be repeated")
    add_source_arguments(parser)
    parser.add_argument("--ratios", nargs="+", default=["1/4", "1/8", "1/16", "1/32", "1/64"],
                        metavar="R", help="compression ratios M / (2 Na Nt)")
    parser.add_argument("--bits", nargs="+", type=int, default=[0], metavar="B",
                        help="bits for each value of the codeword, 0: unquantized (default: 0)")
    parser.add_argument("--quantizer", nargs="+", default=["lloyd-max"],
                        choices=evaluation.QUANTIZERS, help="default: lloyd-max")
    parser.add_argument("--snr", nargs="+", type=float, metavar="DB",
                        help="SNR of the CSI that the UE sees, in dB (default: no noise)")
    parser.add_argument("--iterations", nargs="+", type=int, metavar="T",
                        help="iterations of ista, fista and l2o (default: as the codec says, or as "
                             "it was trained)")
    parser.add_argument("--complexity", action="store_true",
                        help="instead of the table of errors: multiply-adds of the encoder and of "
                             "every part of the decoder for one matrix")
    parser.add_argument("--rho-samples", type=int, default=500, metavar="N",
                        help="matrices of which rho is computed (default: 500)")
    parser.add_argument("--csv", metavar="FILE", help="write the table as CSV")
    parser.add_argument("--plot", metavar="FILE",
                        help="draw NMSE against ratio and against bits (PNG, PDF or SVG)")
    parser.add_argument("--json", action="store_true", help="print the table as JSON alone")
    return parser.parse_args(argv)


def evaluate(args):
    """All rows of the table, in order."""
    codecs = [evaluation.Codec(spec) for spec in args.codec]
    if args.iterations and min(args.iterations) < 1:
        raise ValueError(f"--iterations has {min(args.iterations)}, allowed is 1 or more")
    ha, energy_lost, nc, precursor = test_matrices(args, codecs[0].model)
    evaluator = evaluation.Evaluator(ha, energy_lost, nc, precursor, args.rho_samples)
    cases = []
    for codec in codecs:
        longest = codec.encoder(0).code_size()
        for ratio in args.ratios:
            size = codec.code_size(ratio)
            if size > longest:
                raise ValueError(f"ratio is {ratio}, {codec.spec} has codewords of up to "
                                 f"{longest} values")
            for bits, snr, iterations in itertools.product(
                    args.bits, args.snr or [None],
                    args.iterations if args.iterations and codec.iterative else [None]):
                for kind in (args.quantizer if bits else [None]):
                    cases.append((codec, size, kind, bits, snr, iterations))
    progress = Progress("evaluation", len(cases))
    rows = []
    for codec, size, kind, bits, snr, iterations in cases:
        row = evaluator.run(codec, size, kind, bits, snr, args.seed, iterations)
        row["noise_snr_db"] = snr
        rows.append(row)
        progress.update(len(rows))
    return rows


def table(rows):
    """The rows as text."""
    noisy = any(r["noise_snr_db"] is not None for r in rows)
    header = ["codec", "ratio", "M", "quantizer", "B", "codeword bits", "frame bits"]
    header += ["SNR dB"] * noisy
    counted = any(r["iterations"] is not None for r in rows)
    header += ["iterations"] * counted
    header += ["NMSE dB", "95 % interval", "whole dB", "rho", "encode us", "decode us"]
    lines = []
    for r in rows:
        line = [r["codec"], r["ratio"], r["code_size"], r["quantizer"], r["bits"] or "-",
                r["payload_bits"], r["frame_bits"] or "-"]
        line += [r["noise_snr_db"]] * noisy
        line += [r["iterations"] or "-"] * counted
        line += [f"{r['nmse_db']:.2f}", f"{r['nmse_db_low']:.2f} to {r['nmse_db_high']:.2f}",
                 f"{r['nmse_whole_db']:.2f}", f"{r['rho']:.4f}", f"{r['encode_us']:.0f}",
                 f"{r['decode_us']:.0f}"]
        lines.append(line)
    return format_table(header, lines)


def write_csv(path, rows):
    """The rows as CSV, one column a figure."""
    with whole_file(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def draw(path, rows, title=""):
    """NMSE against iterations where they vary, else against the compression ratio
    (unquantized) and against the bits of a codeword."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    float_rows = [r for r in rows if not r["bits"]]
    bit_rows = [r for r in rows if r["bits"]]
    panels = [p for p in ((float_rows, "ratio"), (bit_rows, "bits")) if p[0]]
    if len({r["iterations"] for r in rows} - {None}) > 1:
        panels = [(rows, "iterations")]
    figure, axes = plt.subplots(1, len(panels), figsize=(6.2 * len(panels), 4.4), squeeze=False,
                                constrained_layout=True)
    markers = "os^Dvx*P"
    for axis, (some, kind) in zip(axes[0], panels):
        groups = {}
        for r in some:
            name = [r["codec"]]
            if kind == "bits" or r["bits"]:
                name.append(f"{r['quantizer']}, {r['ratio']}")
            elif kind == "iterations":
                name.append(r["ratio"])
            if r["noise_snr_db"] is not None:
                name.append(f"{r['noise_snr_db']:g} dB SNR")
            groups.setdefault(", ".join(name), []).append(r)
        for number, (name, group) in enumerate(groups.items()):
            x = [r[{"ratio": "code_size", "bits": "payload_bits"}.get(kind, kind)]
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
            axis.set_xlabel("bits of a codeword")
        axis.grid(alpha=0.3)
        axis.legend(fontsize=8)
    figure.suptitle(title)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=120)
    plt.close(figure)


def complexity(args):
    """Rows of the table of multiply-adds."""
    rows = []
    for codec in [evaluation.Codec(spec) for spec in args.codec]:
        for ratio in args.ratios:
            size = codec.code_size(ratio)
            for iterations in args.iterations if args.iterations and codec.iterative else [None]:
                rows.append({"codec": codec.label, "ratio": ratio, "code_size": size,
                             **evaluation.complexity(codec, size, iterations)})
    return rows


def main(argv):
    args = parse(argv)
<<<<<<< HEAD
    if args.complexity:
        rows = complexity(args)
        if args.json:
            print_json(rows)
        else:
            parts = [k for k in rows[0] if k not in ("codec", "ratio", "code_size")]
            print(format_table(
                ["codec", "ratio", "M", *(f"{p.replace('_', ' ')}, MMAC" for p in parts)],
                [[r["codec"], r["ratio"], r["code_size"], *(f"{r[p] / 1e6:.3f}" for p in parts)]
                 for r in rows]))
        return 0
=======
    for path in filter(None, (args.csv, args.plot)):
        check_place(path)
    if args.plot and os.path.splitext(args.plot)[1].lower() not in PICTURES:
        raise ValueError(f"--plot is {args.plot}, allowed are names that end in "
                         + ", ".join(PICTURES))
    for snr in args.snr or ():
        if not math.isfinite(snr):
            raise ValueError(f"--snr is {snr}, allowed is any finite number")
    if args.rho_samples < 0:
        raise ValueError(f"--rho-samples is {args.rho_samples}, allowed is 0 or more")
>>>>>>> h-issue2
    rows = evaluate(args)
    # First of all: it is not lost where a file cannot be written.
    if args.json:
        print_json(rows)
    else:
        print(table(rows))
    sys.stdout.flush()
    if args.csv:
        write_csv(args.csv, rows)
        print(f"written: {args.csv}", file=sys.stderr)
    if args.plot:
        draw(args.plot, rows, args.dataset or args.channel)
        print(f"written: {args.plot}", file=sys.stderr)
    return 0
