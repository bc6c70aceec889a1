#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_bench: latency and throughput of codecs beside NumPy and PyTorch, and of reports, on
one thread.

Each operation runs with one matrix per call and with a batch of them. This module encodes and
decodes the matrices of a batch one by one, and its times have the normalization and the gain
in them; those of the others are the product with W or its adjoint alone, or the FISTA
iterations. All get the same channels, of the COST 2100 indoor model, and what they return is
compared. Reports are encoded to bits and decoded from them, quantizer and packing included; MMAC
are millions of multiply-adds of the encoder, where they depend on the matrix the mean. Runs
alternate; times are medians, and a speed-up is the median of the quotients of
neighbouring runs, with its quartiles. Time is the processor time of the thread.
"""

import argparse
from typing import Sequence

from .. import evaluation
from ..experiments import speed
from .common import Parser, format_table, print_json


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="csifeedback_bench", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codec", action="append", metavar="MODEL[:DECODER[,..]]",
                        help="as in csifeedback_eval, may be repeated (default: "
                             "cost2100-indoor-klt, cost2100-indoor-orthonormal:fista and "
                             "cost2100-indoor-csi-l2o)")
    parser.add_argument("--flowgraph", type=int, metavar="N",
                        help="instead: run N matrices through the whole chain as a flowgraph, and "
                             "say how many users at 1000 CSI per second a core serves")
    parser.add_argument("--ratio", default="1/16", help="compression ratio (default: 1/16)")
    parser.add_argument("--bits", type=int, default=6, metavar="B",
                        help="bits for each value of the codeword in a report, 1 to 10 (default: "
                             "6)")
    parser.add_argument("--quantizer", default="lloyd-max", choices=evaluation.QUANTIZERS,
                        help="of reports (default: lloyd-max)")
    parser.add_argument("--budget", type=int, nargs="+", metavar="BITS",
                        help="instead of ratio, bits and quantizer: reports of at most so many "
                             "bits, chosen as in csifeedback_eval; for codecs with reports of "
                             "their own too")
    parser.add_argument("--batch", type=int, default=64, metavar="N",
                        help="matrices of a batch (default: 64)")
    parser.add_argument("--repeats", type=int, default=51, metavar="N",
                        help="runs of each operation (default: 51)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON alone")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    for name, value in (("--batch", args.batch), ("--repeats", args.repeats),
                        ("--flowgraph", args.flowgraph or 1)):
        if value < 1:
            raise ValueError(f"{name} is {value}, allowed is 1 or more")
    for budget in args.budget or ():
        if not 1 <= budget <= 65535:
            raise ValueError(f"--budget has {budget}, allowed is 1 to 65535")
    speed.one_thread()
    results = []
    codecs = args.codec or ["cost2100-indoor-klt", "cost2100-indoor-orthonormal:fista",
                            "cost2100-indoor-csi-l2o"]
    if args.flowgraph:
        rows = [speed.flowgraph(codec, codec.code_size(args.ratio), args.flowgraph)
                for codec in map(evaluation.Codec, codecs)]
        if args.json:
            print_json({"machine": speed.machine(), "flowgraphs": rows})
        else:
            print(format_table(
                ["codec", "us of processor time a CSI", "CSI/s", "users at 1000 CSI/s a core",
                 "decoder us"],
                [[r["codec"], round(r["us_a_csi"], 1), round(r["csi_per_second"]),
                  r["users_at_1000_csi_per_second"], round(r["decode_us"], 1)] for r in rows]))
        return 0
    for codec in map(evaluation.Codec, codecs):
        for kind in speed.report_kinds(codec, args.ratio, args.quantizer, args.bits,
                                       args.budget):
            results += speed.compare(codec, kind, args.batch, args.repeats)
    description = speed.machine()
    agree = all(r["difference"] <= speed.TOLERANCE for r in results)
    if args.json:
        print_json({"machine": description, "results": results})
    else:
        print(", ".join(f"{k}: {v}" for k, v in description.items()))
        print(format_table(
            ["codec", "M", "report bits", "operation", "MMAC", "matrices per call", "by",
             "us per matrix", "matrices/s", "our speed-up", "quartiles", "difference"],
            [[r["codec"], r["code_size"] or "-",
              "-" if r["report_bits"] is None else f"{r['report_bits']:.0f}", r["operation"],
              "-" if r["multiply_adds"] is None else f"{r['multiply_adds'] / 1e6:.3f}",
              r["matrices_a_call"], r["by"], round(r["us"], 2),
              round(r["matrices_per_second"]), round(r["our_speedup"], 2),
              f"{r['our_speedup_low']:.2f} to {r['our_speedup_high']:.2f}",
              f"{r['difference']:.0e}"] for r in results]))
    if not agree:
        raise ValueError(f"results differ by more than {speed.TOLERANCE:g}")
    return 0
