#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_bs: sends pilots, takes the feedback of csifeedback_ue and precodes with it."""

import argparse
import sys
from typing import Any, Dict, Sequence

from .. import layers
from ..channels import NAMES
from ..link import connections, messages
from ..link.base_station import Air, BaseStation
from ..link.transport import parse_address
from . import ends
from .common import Parser, add_overwrite_argument


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="csifeedback_bs", description=__doc__)
    parser.add_argument("--air", default="zmq://127.0.0.1:5550", metavar="ADDRESS",
                        help="where samples go: zmq://HOST:PORT of this machine (a second UE has "
                             "the next port), file:PATH for a SigMF recording of what the UEs "
                             "receive, uhd:ARGS, soapy:ARGS (default: %(default)s)")
    parser.add_argument("--feedback", default="zmq://127.0.0.1:5560", metavar="ADDRESS",
                        help="where feedback comes: zmq://HOST:PORT or udp://HOST:PORT of this "
                             "machine (default: %(default)s)")
    parser.add_argument("--ue-id", default="1", metavar="N[,N..]",
                        help="numbers of the UEs; with zmq: the first has the port of --air, the "
                             "second the next, up to 4 UEs; a UE with several antennas has a port for "
                             "each (default: 1)")
    parser.add_argument("--max-age", type=int, default=100, metavar="FRAMES",
                        help="CSI older than that is refused, and not used, 0 to 32767 (default: "
                             "100)")
    parser.add_argument("--power", type=float, default=1, metavar="P",
                        help="mean power of a port's samples (default: 1; radios: 0.1 or less, so "
                             "that no peak is above 1)")
    parser.add_argument("--first", type=int, metavar="N",
                        help="number of the first frame (default: from the clock, so that a BS "
                             "that begins anew does not repeat numbers)")
    parser.add_argument("--downlink-snr", type=float, default=10, metavar="DB",
                        help="for the rate that several UEs get together (default: 10)")
    parser.add_argument("--precoded", action="store_true",
                        help="send a symbol with the precoder of each UE, or of each of its layers, "
                             "behind every frame, and show the gain that csifeedback_ue --precoded measures")
    ends.add_codec_arguments(parser, True)
    ends.add_compact_arguments(parser, True)
    parser.add_argument("--key", action="append", default=[], metavar="[N=]FILE",
                        help="the secret of UE number N, once for each UE: only feedback that is "
                             "signed with it is taken; a single UE needs no number")
    ends.add_frame_arguments(parser)
    ends.add_radio_arguments(parser)
    group = parser.add_argument_group("channel (zmq:, file:)")
    one = group.add_mutually_exclusive_group()
    one.add_argument("--channel", choices=NAMES,
                     help="channel model (default: the one that the codec was trained on)")
    one.add_argument("--dataset", metavar="FILE",
                     help="replay the matrices H of a data set, each UE from another one on")
    group.add_argument("--snr", type=float, default=20, metavar="DB",
                       help="power of a port's samples over the noise; from 300 on no noise "
                            "(default: 20)")
    group.add_argument("--speed", type=float, default=1, metavar="MPS",
                       help="of the UEs (default: 1)")
    group.add_argument("--drop", type=int, default=200, metavar="FRAMES",
                       help="frames until a UE jumps to another place (default: 200)")
    group.add_argument("--offset-hz", type=float, default=0, metavar="HZ",
                       help="carrier offset of the UEs (default: 0)")
    group.add_argument("--offset-ppm", type=float, default=0, metavar="X",
                       help="sampling offset of the UEs (default: 0)")
    add_overwrite_argument(group, "a recording (file:)")
    group.add_argument("--seed", type=int, default=1, help="of channels and noise (default: 1)")
    group.add_argument("--rate", type=float, default=1, metavar="X",
                       help="samples are sent at X times real time at most; 0: as fast as the "
                            "machine can, for file: (default: 1)")
    ends.add_run_arguments(parser)
    return parser.parse_args(argv)


def describe(figures: Dict[str, Any], period: float) -> str:
    """The figures as a line of text."""
    parts = []
    for ue, v in figures["ues"].items():
        if not v["fresh"]:
            parts.append(f"UE {ue}: no CSI" + ("" if v["frame"] is None else
                         f" for {(figures['frame'] - v['frame']) * period:.1f} s"))
            continue
        text = f"UE {ue}: {v['per_s']:.0f}/s"
        if v["age"] is not None:
            text += f", age {v['age']:.1f} frames ({1e3 * v['age'] * period:.0f} ms)"
        if v["nmse_db"] is not None:
            text += f", NMSE {v['nmse_db']:.1f} dB"
        if v["rho"] is not None:
            text += f", rho {v['rho']:.3f}"
        if v.get("rank_share"):
            text += ", " + ", ".join(f"{name} {values}" for name, values in layers.describe(v))
        if v["gain_db"] is not None:
            text += f", gain {v['gain_db']:.1f} dB"
        if v["precoded_db"] is not None:
            text += f", measured {v['precoded_db']:.1f} dB"
        if v["residual_energy_db"] is not None:
            text += f", residual energy {v['residual_energy_db']:.1f} dB"
        parts.append(text)
    text = f"frame {figures['frame']}; " + "; ".join(parts)
    if figures["rate"]:
        text += "; {reconstructed:.1f} of {perfect:.1f} bit/s/Hz".format(**figures["rate"])
    if figures["refused"]:
        text += "; refused " + ", ".join(
            f"{n} {k}" + (f" ({figures['mismatches'][k]})" if k in figures["mismatches"] else "")
            for k, n in figures["refused"].items())
    return text


@ends.option_names(ue_ids="ue-id", frames_per_drop="drop", speed_mps="speed")
def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    ends.check_run_arguments(args)
    ues = list(ends.numbers("ue-id", args.ue_id,
                            "different numbers of 0 to 65535, such as 1,2"))
    codecs = ends.codecs(args.codec, ues)
    keys = messages.read_keys(args.key, ues)
    _, (host, _) = parse_address("feedback", args.feedback, ("zmq", "udp"))
    if not keys and not connections.is_local(host):
        print(f"--feedback {args.feedback}: without --key whoever reaches this port can pretend to "
              "be a UE", file=sys.stderr)
    station = BaseStation(
        codecs, ends.report_format(args), ends.pilots(args), address=args.air,
        feedback=args.feedback, ue_ids=ues, keys=keys, compact=ends.compact_frames(args),
        max_age=args.max_age, power=args.power, first=args.first, count=args.count or 0,
        downlink_snr_db=args.downlink_snr, precoded=args.precoded,
        air=Air(args.channel, args.dataset, args.snr, args.speed, args.drop, args.offset_hz,
                args.offset_ppm, args.seed, args.rate),
        radio=ends.radio(args), overwrite=args.overwrite, pictures=ends.pictures(args))
    ends.run(station, args, lambda figures, _: describe(figures, station.period_s))
    return 0
