#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_eval: codecs x ratios x bits x iterations on one data set, as table and figure."""

import argparse
import math
import os
import sys
from typing import Any, Dict, List, Sequence

from .. import evaluation
from ..data.dataset import Dataset
from ..experiments import comparison, path_models, sweep
from ..files import check_output, write_csv
from . import ends
from .common import (Parser, add_overwrite_argument, add_sweep_arguments, format_table,
                     print_json)
from .sources import add_source_arguments, source_of


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="csifeedback_eval", description=__doc__,
        epilog="NMSE is the mean of ||H-H^||^2/||H||^2 in dB, with its 95 %% interval, against "
               "the delay rows kept; 'whole' is against the full-band channel. Reports of precoders "
               "(type1, type2, etype2) have no NMSE. SGCS is the mean over the subbands of "
               "|v^H w|^2 of the dominant eigenvectors of the true and the reported channel, beside "
               "it the 5 %% point of the matrices. Bits are those of a "
               "codeword (payload) and of the frame that carries it, header, gain and checksum "
               "included; with --compact also of a compact frame, whose resolution gains then have.")
    parser.add_argument("--codec", action="append", required=True, metavar="MODEL[:DECODER[,..]]",
                        help="model file or name of a shipped model, with a decoder (linear, "
                             "ista, fista, l2o or mlcf) and its options, e.g. "
                             "cost2100-indoor-klt:fista,iterations=100; may be repeated")
    add_source_arguments(parser)
    parser.add_argument("--ratios", nargs="+", default=["1/4", "1/8", "1/16", "1/32", "1/64"],
                        metavar="R", help="compression ratios M / (2 Na Nt)")
    parser.add_argument("--bits", nargs="+", type=int, default=[0], metavar="B",
                        help="bits for each value of the codeword, 0: unquantized (default: 0)")
    parser.add_argument("--quantizer", nargs="+", choices=evaluation.REPORTS,
                        help="default: lloyd-max; with --budget: all of them. entropy is an entropy "
                             "coder in place of a quantizer and needs --budget")
    parser.add_argument("--budget", nargs="+", type=int, metavar="BITS",
                        help="instead of ratios and bits for each value: reports of at most so "
                             "many bits. For a codec with codewords the best pair of code size and "
                             "quantizer or entropy coder is found on other matrices (validation)")
    parser.add_argument("--validation-samples", type=int, default=600, metavar="N",
                        help="matrices on which --budget chooses (default: 600; of a data set its "
                             "first ones, at most a fifth)")
    ends.add_compact_arguments(parser)
    parser.add_argument("--count", choices=tuple(comparison.COUNTS), default="report",
                        help="bits on the x axis of --plot: of the report, of the whole "
                             "feedback frame, or of the compact one (default: report)")
    parser.add_argument("--snr", nargs="+", type=float, metavar="DB",
                        help="SNR of the CSI that the UE sees, in dB (default: no noise)")
    parser.add_argument("--iterations", nargs="+", type=int, metavar="T",
                        help="iterations of ista, fista and l2o (default: as the codec says, or as "
                             "it was trained)")
    parser.add_argument("--complexity", action="store_true",
                        help="instead of the table of errors: multiply-adds of the encoder and of "
                             "every part of the decoder for one matrix")
    parser.add_argument("--unmeasured", action="store_true",
                        help="instead of the table: matrices H of --dataset with more subcarriers or "
                             "antennas than the model of a codec of paths. The UE measures those of the "
                             "model, subcarriers in the middle and the first antennas, and the BS rebuilds "
                             "all; NMSE of each part. Needs --budget")
    group = parser.add_argument_group("spectral efficiency")
    group.add_argument("--spectral-efficiency", type=int, metavar="K",
                       help="also the spectral efficiency of a downlink to groups of K users that "
                            "is precoded with each codec's CSI, beside perfect CSI and one DFT "
                            "beam per user")
    group.add_argument("--se-snr", nargs=3, type=float, default=[0, 30, 5],
                       metavar=("LOW", "HIGH", "STEP"),
                       help="at these SNRs, transmit power over noise with channels of unit mean "
                            "power, in dB (default: 0 30 5)")
    group.add_argument("--precoding", default="zero-forcing",
                       choices=("zero-forcing", "regularized-zero-forcing", "maximum-ratio"),
                       help="default: zero-forcing")
    parser.add_argument("--rho-samples", type=int, default=500, metavar="N",
                        help="matrices of which rho and SGCS are computed (default: 500)")
    parser.add_argument("--subbands", type=int, default=evaluation.SUBBANDS, metavar="N",
                        help="of SGCS (default: %(default)s)")
    add_sweep_arguments(parser)
    parser.add_argument("--csv", metavar="FILE", help="write the table as CSV")
    parser.add_argument("--plot", metavar="FILE",
                        help="draw NMSE against ratio and against bits (PNG, PDF or SVG)")
    add_overwrite_argument(parser, "a table or picture")
    parser.add_argument("--json", action="store_true", help="print the table as JSON alone")
    args = parser.parse_args(argv)
    if args.quantizer is None:
        args.quantizer = list(evaluation.REPORTS) if args.budget else ["lloyd-max"]
    if "entropy" in args.quantizer and not args.budget:
        raise ValueError("--quantizer is entropy, allowed without --budget is "
                         + ", ".join(evaluation.QUANTIZERS))
    return args


def comparison_of(args: argparse.Namespace) -> comparison.Comparison:
    """The Comparison that the options name."""
    compact = ends.compact_frames(args)
    return comparison.Comparison(
        args.codec, source_of(args), args.ratios, args.bits, args.quantizer, args.snr,
        args.iterations, args.budget, args.validation_samples, args.rho_samples, args.subbands,
        args.spectral_efficiency,
        snr_values(*args.se_snr) if args.spectral_efficiency else (), args.precoding,
        compact and compact.configurations([1])[0])


def snr_values(low: float, high: float, step: float) -> List[float]:
    """LOW, LOW + STEP ... HIGH."""
    if not (step > 0 and low <= high and math.isfinite(high - low)):
        raise ValueError(f"--se-snr is {low:g} {high:g} {step:g}, allowed is LOW <= HIGH and "
                         "STEP > 0")
    count = math.floor((high - low) / step + 1e-9) + 1
    if count > 1000:
        raise ValueError(f"--se-snr gives {count} values, allowed is up to 1000")
    return [low + i * step for i in range(count)]


def efficiency_table(rows: Sequence[Dict[str, Any]]) -> str:
    """Spectral efficiency of the rows as text."""
    rows = [r for r in rows if "se" in r]
    noisy = any(r.get("noise_snr_db") is not None for r in rows)
    header = ["codec", "ratio", "quantizer", "B"] + ["SNR of the CSI"] * noisy
    header += [f"{snr:g} dB" for snr in rows[0]["se_snr_db"]]
    return (f"spectral efficiency of {rows[0]['users']} users in bit/s/Hz, by SNR\n"
            + format_table(header, [
                [r["codec"], r.get("ratio", "-"), r.get("quantizer", "-"), r.get("bits") or "-",
                 *["-" if r.get("noise_snr_db") is None else r["noise_snr_db"]] * noisy,
                 *(f"{x:.2f}" for x in r["se"])] for r in rows]))


def unmeasured(args: argparse.Namespace) -> List[Dict[str, Any]]:
    """The rows of --unmeasured."""
    if not args.dataset or not args.budget:
        raise ValueError("--unmeasured needs --dataset and --budget")
    first = args.first or 0
    with Dataset(args.dataset, args.align, args.drop_bad) as data:
        data.check_whole()
        count = len(data) - first if args.samples is None else args.samples
        if not (first >= 0 and 1 <= count <= len(data) - first):
            raise ValueError(f"{args.dataset} has {len(data)} matrices, --first and --samples ask for {count} "
                             f"from {first} on")
        h = data.read(first, count)
    return [row for codec in args.codec
            for row in path_models.unmeasured_of(evaluation.Codec(codec), h, args.budget)]


def unmeasured_table(rows: Sequence[Dict[str, Any]]) -> str:
    """The rows of --unmeasured as text."""
    names = ("measured_db", "subcarriers_db", "antennas_db", "all_db")
    return format_table(
        ["codec", "bits", "measured dB", "other subcarriers", "other antennas", "all"],
        [[r["codec"], r["budget"], *("-" if r[name] is None else f"{r[name]:.2f}" for name in names)]
         for r in rows])


def table(rows: Sequence[Dict[str, Any]]) -> str:
    """The rows of codecs as text."""
    rows = [r for r in rows if "nmse_db" in r or "missing" in r]
    noisy = any(r.get("noise_snr_db") is not None for r in rows)
    header = ["codec", "model", "ratio", "M", "quantizer", "B", "report bits", "frame bits"]
    compact = any("compact_bits" in r for r in rows)
    header += ["compact"] * compact
    header += ["SNR dB"] * noisy
    counted = any(r.get("iterations") is not None for r in rows)
    header += ["iterations"] * counted
    operations = any(r.get("encoder_operations") for r in rows)
    header += ["NMSE dB", "95 % interval", "whole dB", "rho", "SGCS", "5 %"]
    header += ["encoder MMAC"] * operations
    header += ["encode us", "decode us"]
    lines = []
    for r in rows:
        if "missing" in r:
            line = [r["codec"], r["model"], r.get("ratio") or f"{r['budget']} bits"]
            lines.append(line + ["-"] * (len(header) - len(line)))
            continue
        line = [r["codec"], r["model"], r["ratio"] or "-", r["code_size"] or "-", r["quantizer"],
                "-" if not r["bits"] or r.get("budget") == r["bits"] else r["bits"],
                r["payload_bits"], r["frame_bits"] or "-"]
        line += [r.get("compact_bits", "-")] * compact
        line += [r["noise_snr_db"]] * noisy
        line += [r["iterations"] or "-"] * counted
        line += ["-"] * 3 if r["nmse_db"] is None else [
            f"{r['nmse_db']:.2f}", f"{r['nmse_db_low']:.2f} to {r['nmse_db_high']:.2f}",
            f"{r['nmse_whole_db']:.2f}"]
        line += ["-" if r["rho"] is None else f"{r['rho']:.4f}", f"{r['sgcs']:.4f}",
                 f"{r['sgcs_5']:.4f}"]
        line += [f"{r['encoder_operations'] / 1e6:.3f}" if r.get("encoder_operations") else "-"] \
            * operations
        line += [f"{r['encode_us']:.0f}", f"{r['decode_us']:.0f}"]
        lines.append(line)
    return format_table(header, lines)


def layer_table(rows: Sequence[Dict[str, Any]]) -> str:
    """Ranks, SGCS by layer and spectral efficiency of codecs of UEs with several antennas, as text."""
    rows = [r for r in rows if "rank_share" in r]
    most = max(len(r["sgcs_layers"]) for r in rows)
    header = ["codec", "report bits", *(f"rank {k}" for k in range(1, most + 1)),
              *(f"SGCS {k}" for k in range(1, most + 1)), "SNR dB", "bit/s/Hz", "perfect"]
    lines = []
    for r in rows:
        shares = [f"{100 * x:.0f} %" for x in r["rank_share"][1:]]
        means = ["-" if x is None else f"{x:.4f}" for x in r["sgcs_layers"]]
        lines.append([r["codec"], r["payload_bits"],
                      *(x for some in (shares, means) for x in some + ["-"] * (most - len(some))),
                      f"{r['se_layers_snr_db']:g}", f"{r['se_layers']:.2f}",
                      f"{r['se_layers_perfect']:.2f}"])
    return "layers, with equal power\n" + format_table(header, lines)


@ends.option_names()
def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    if args.complexity:
        rows = comparison.complexity(comparison_of(args))
        if args.json:
            print_json(rows)
        else:
            # Those that some codec has, in the order in which they come; the sum is the last.
            parts = list(dict.fromkeys(k for r in rows for k in r if r[k] and k not in (
                "codec", "ratio", "code_size", "decoder", "missing"))) + ["decoder"]
            print(format_table(
                ["codec", "ratio", "M", *(f"{p.replace('_', ' ')}, MMAC" for p in parts)],
                [[r["codec"], r["ratio"], r.get("code_size", "-"),
                  *("-" if "missing" in r else f"{r.get(p, 0) / 1e6:.3f}" for p in parts)]
                 for r in rows]))
        return 0
    for path in (args.csv, args.plot):
        if path:
            check_output(path, args.overwrite)
    if args.plot and os.path.splitext(args.plot)[1].lower() not in comparison.PICTURES:
        raise ValueError(f"--plot is {args.plot}, allowed are names that end in "
                         + ", ".join(comparison.PICTURES))
    for snr in args.snr or ():
        if not math.isfinite(snr):
            raise ValueError(f"--snr is {snr}, allowed is any finite number")
    if args.count == "compact" and args.compact is None:
        raise ValueError("--count is compact, which needs --compact")
    for budget in args.budget or ():
        if not 1 <= budget <= 65535:
            raise ValueError(f"--budget has {budget}, allowed is 1 to 65535")
    if args.unmeasured:
        rows = unmeasured(args)
        if args.json:
            print_json(rows)
        else:
            print(unmeasured_table(rows))
        if args.csv:
            write_csv(args.csv, rows, list(rows[0]))
            print(f"written: {args.csv}", file=sys.stderr)
        return 0
    if args.validation_samples < 1:
        raise ValueError(f"--validation-samples is {args.validation_samples}, allowed is 1 or more")
    if args.rho_samples < 0:
        raise ValueError(f"--rho-samples is {args.rho_samples}, allowed is 0 or more")
    if not 1 <= args.subbands <= 65536:
        raise ValueError(f"--subbands is {args.subbands}, allowed is 1 to 65536")
    if args.spectral_efficiency is not None:
        if not 1 <= args.spectral_efficiency <= 64:
            raise ValueError(f"--spectral-efficiency is {args.spectral_efficiency}, allowed is 1 "
                             "to 64")
        snr_values(*args.se_snr)
    rows = comparison.evaluate(comparison_of(args), sweep.Store(args.results), args.cluster)
    # First of all: it is not lost where a file cannot be written.
    if args.json:
        print_json(rows)
    else:
        print(table(rows))
        if any("rank_share" in r for r in rows):
            print("\n" + layer_table(rows))
        if args.spectral_efficiency:
            print("\n" + efficiency_table(rows))
    sys.stdout.flush()
    if args.csv:
        comparison.write_table(args.csv, rows)
        print(f"written: {args.csv}", file=sys.stderr)
    if args.plot:
        comparison.draw(args.plot, rows, args.dataset or args.channel, args.count)
        print(f"written: {args.plot}", file=sys.stderr)
    return 0
