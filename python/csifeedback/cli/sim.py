#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_sim: the whole chain through a GNU Radio flowgraph.

Channel model, 2D-DFT, encoder, quantizer, feedback frames over an imperfect link, decoder and
metrics, each the block that GRC offers.
"""

import argparse
from typing import Sequence

from .. import evaluation, layers
from ..experiments.sources import (channel_of, check_gains, has_rows_alone, validation_matrices,
                                   warn_source)
from ..progress import Progress
from ..simulation import Loopback
from . import ends
from .common import Parser, check_seed, print_json
from .sources import add_source_arguments, source_of


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="csifeedback_sim", description=__doc__)
    parser.add_argument("--codec", required=True, metavar="MODEL[:DECODER[,..]]",
                        help="as in csifeedback_eval")
    add_source_arguments(parser)
    parser.add_argument("--ratio", default="1/16", help="compression ratio (default: 1/16)")
    parser.add_argument("--bits", type=int, default=6, metavar="B",
                        help="bits for each value of the codeword, 1 to 10 (default: 6)")
    parser.add_argument("--quantizer", default="lloyd-max", choices=evaluation.QUANTIZERS)
    parser.add_argument("--budget", type=int, metavar="BITS",
                        help="instead of ratio, bits and quantizer: reports of at most so many "
                             "bits, chosen as in csifeedback_eval")
    ends.add_compact_arguments(parser)
    parser.add_argument("--ber", type=float, default=0, metavar="P",
                        help="bit error rate of the feedback link (default: 0)")
    parser.add_argument("--erasures", type=float, default=0, metavar="P",
                        help="share of feedback frames that get lost (default: 0)")
    parser.add_argument("--burst", type=float, default=0, metavar="N",
                        help="mean number of frames lost in a row, >= 1; 0: independent")
    parser.add_argument("--delay", type=int, default=0, metavar="D",
                        help="delay of the link in frames (default: 0)")
    parser.add_argument("--link-seed", type=int, default=1, help="of the link (default: 1)")
    parser.add_argument("--truncated", action="store_true",
                        help="let the source give the delay rows at once instead of whole "
                             "matrices: faster, but angular_delay is left out")
    parser.add_argument("--subbands", type=int, default=evaluation.SUBBANDS, metavar="N3",
                        help="over which SGCS is the mean, 0: no SGCS (default: "
                             f"{evaluation.SUBBANDS})")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON alone")
    return parser.parse_args(argv)


@ends.option_names()
def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    compact = ends.compact_frames(args)
    check_seed("--link-seed", args.link_seed)
    codec = evaluation.Codec(args.codec)
    source = source_of(args)
    channel, count, first = channel_of(source, codec.model)
    domain = codec.model.domain
    if args.truncated and domain == "H":
        raise ValueError(f"--truncated: codec {codec.spec} takes full-band matrices")
    if args.align and (domain == "H" or args.truncated):
        raise ValueError("--align is for full-band matrices and Ha-domain codecs, "
                         + ("--truncated gives delay rows" if args.truncated else
                            f"codec {codec.spec} takes full-band matrices"))
    warn_source(source, [codec.model])
    check_gains(source)
    if not 0 <= args.subbands <= 65536:
        raise ValueError(f"--subbands is {args.subbands}, allowed is 0 to 65536")
    truncated = args.truncated or has_rows_alone(source)
    if args.budget is not None and not 1 <= args.budget <= 65535:
        raise ValueError(f"--budget is {args.budget}, allowed is 1 to 65535")
    if args.budget:
        choice = None
        if not codec.has_reports:
            validation, _ = validation_matrices(source, [codec.model], 600)
            choice, _ = evaluation.choose_report(codec, validation, args.budget)
        encoder, decoder = choice.report_pair(codec) if choice else codec.own_reports()
        quantizer, budget = None, args.budget
        how = {"budget": budget, **evaluation.choice_names(choice)}
        text = f"{budget} bits" + (f" ({choice})" if choice else "")
    elif not codec.has_codewords:
        raise ValueError(f"codec {codec.spec} has no codewords, only reports: give --budget")
    else:
        size = codec.code_size(args.ratio)
        quantizer, budget = codec.quantizer(args.quantizer, size, args.bits), 0
        encoder, decoder = codec.encoder(size), codec.decoder(size)
        how = {"ratio": args.ratio, "code_size": size, "bits": args.bits,
               "quantizer": args.quantizer}
        text = f"ratio {args.ratio} (M = {size}), {args.quantizer}, {args.bits} bits"
    flowgraph = Loopback(
        channel, encoder, decoder, quantizer, count, codec.model.na,
        codec.model.precursor, first,
        {"bit_error_rate": args.ber, "erasure_rate": args.erasures,
         "mean_burst_length": args.burst, "delay": args.delay, "seed": args.link_seed},
        whole=not truncated, domain=domain, budget=budget, align=args.align,
        compact=compact and compact.configurations([1])[0],
        subbands=args.subbands if codec.nr == 1 else 0,
        scores=layers.of_codec(codec, args.subbands or evaluation.SUBBANDS))
    progress = Progress("frames", count)
    seconds = flowgraph.run_to_end(progress.update)
    figures = flowgraph.figures()
    if codec.is_precoder:  # without phase and gain, an error is of nothing
        figures.update({name: None for name in figures if name.startswith("nmse")})
    payload = quantizer.total_bits() if quantizer else \
        flowgraph.encoder.bits() / max(1, flowgraph.encoder.reports())
    figures.update(codec=codec.label, **how, payload_bits=payload, seconds=seconds,
                   frames_per_second=figures["truths"] / seconds)
    if args.json:
        print_json(figures)
        return 0
    lost = {k: v for k, v in figures["frames"].items() if v and k != "ok"}
    print(f"{codec.label}, {text}")
    print("NMSE      " + (
        f"{figures['nmse_db']:.2f} dB (95 %: {figures['nmse_db_low']:.2f} to "
        f"{figures['nmse_db_high']:.2f})" if figures["nmse_db"] is not None else
        "- (reports of a precoder)") + f" over {figures['matched']} matrices")
    if domain == "Ha" and "nmse_whole_db" in figures:
        print(f"          {figures['nmse_whole_db']:.2f} dB against the full-band channel; truncation to "
              f"{codec.model.na} delay rows alone loses {100 * figures['energy_lost']:.2f} %")
    if codec.nr > 1:
        for name, values in layers.describe(figures):
            print(f"{name:<9} {values}")
    else:
        print(f"rho       {figures['rho']:.4f}")
    if "sgcs" in figures and codec.nr == 1:
        print(f"SGCS      {figures['sgcs']:.4f} (95 %: +-{figures['sgcs_half_width']:.4f}), 5 % point "
              f"{figures['sgcs_5']:.4f}, {args.subbands} subbands")
    print(f"feedback  {figures['bits_per_csi']:.0f} bits for each CSI as sent, "
          f"{payload:g} of them {'codeword' if quantizer else 'report'}")
    print(f"link      {figures['frames_sent']} frames sent, {figures['frames_erased']} lost, "
          f"{figures['bit_errors']} bit errors, {figures['frames']['ok']} delivered"
          + "".join(f", {v} discarded: {k}" for k, v in lost.items())
          + (f", {figures['framer_discarded']} not sent: gain out of range"
             if figures["framer_discarded"] else ""))
    print(f"CSI held  {figures['frames_held']} times, mean age {figures['age']:.2f} frames")
    print(f"speed     {figures['frames_per_second']:.0f} matrices/s, decoder "
          f"{figures['decode_us']:.0f} us each")
    return 0
