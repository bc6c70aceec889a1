#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_ue: receives pilots, measures the channel and feeds it back to csifeedback_bs."""


import argparse
import sys
from typing import Any, Dict, Sequence

from .. import evaluation
from ..link import messages
from ..link.user_equipment import INTERPOLATORS, MatrixRecording, UserEquipment
from . import ends
from .common import Parser, add_overwrite_argument, format_table


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="csifeedback_ue", description=__doc__)
    parser.add_argument("--air", default="zmq://127.0.0.1:5550", metavar="ADDRESS",
                        help="where samples come from: zmq://HOST:PORT of csifeedback_bs, "
                             "file:PATH of a SigMF recording or archive, uhd:ARGS, soapy:ARGS (default: "
                             "%(default)s)")
    parser.add_argument("--air-channel", type=int, metavar="N",
                        help="which channel of a recording with several is replayed, from 0; of a UE "
                             "with several antennas, that of the first one")
    parser.add_argument("--feedback", default="zmq://127.0.0.1:5560", metavar="ADDRESS",
                        help="where feedback goes: zmq://HOST:PORT, udp://HOST:PORT or none "
                             "(default: %(default)s)")
    parser.add_argument("--ue-id", type=int, default=1, metavar="N", help="0 to 65535 (default: 1)")
    parser.add_argument("--interpolator", default="lmmse", choices=sorted(INTERPOLATORS),
                        help="(default: lmmse)")
    parser.add_argument("--precoded", type=int, nargs="?", const=0, metavar="I",
                        help="measure the precoded pilots of csifeedback_bs --precoded and report "
                             "their gain; I: layers of the UEs before this one in --ue-id of the BS, one "
                             "of each with one antenna, 0 to 15 (default: 0)")
    ends.add_codec_arguments(parser)
    ends.add_compact_arguments(parser)
    parser.add_argument("--key", metavar="FILE",
                        help="the secret of this UE, which the BS knows: feedback is signed with "
                             "it")
    ends.add_frame_arguments(parser)
    ends.add_radio_arguments(parser)
    group = parser.add_argument_group("recording")
    group.add_argument("--ports", type=int, metavar="N",
                       help="antenna ports of the BS, without a codec: measure, feed back nothing")
    group.add_argument("--nr", type=int, metavar="N",
                       help="antennas of this UE with --ports, 1 to 4 (default: 1)")
    group.add_argument("--record", metavar="FILE",
                       help="write the measured matrices H to a data set; the same command "
                            "continues one that was interrupted")
    group.add_argument("--record-samples", type=int, default=20000, metavar="N",
                       help="matrices of the data set, one for each antenna; the program ends with the "
                            "last one (default: %(default)s)")
    group.add_argument("--na", type=int, default=32, metavar="N",
                       help="delay rows that codecs are to keep, noted in the data set (default: "
                            "%(default)s)")
    group.add_argument("--precursor", type=int, default=8, metavar="N",
                       help="rows of these before delay zero (default: %(default)s)")
    add_overwrite_argument(group, "a data set or recording")
    group.add_argument("--record-air", metavar="PATH",
                       help="write the received samples to PATH.sigmf-data and PATH.sigmf-meta")
    ends.add_run_arguments(parser)
    parser.add_argument("--profile", action="store_true",
                        help="say at the end how much time of a processor each block took (GNU "
                             "Radio's performance counters)")
    return parser.parse_args(argv)


def describe(figures: Dict[str, Any], last: bool, ue: Any) -> str:
    """The figures as a line of text."""
    silent = figures["silent_s"]
    if figures["frame"] is None or (silent > 1 and not last):
        text = f"no pilots for {silent:.0f} s"
        if not figures["signal_s"]:
            text += ", no samples"
        elif figures["frame"] is None and not last:
            text += (" in the samples (is the BS sending with the same --bandwidth, --spacing, "
                     "--comb, --cdm-time, --cdm-frequency, --cell-id and --slot, and is the carrier "
                     "within 4 subcarriers?)")
    else:
        text = f"frame {figures['frame']}, {figures['frames_per_s']:.0f}/s"
        if figures["snr_db"] is not None:
            text += (f", SNR {figures['snr_db']:.1f} dB, carrier offset "
                     f"{figures['offset_hz']:.0f} Hz")
    if figures["precoded_db"] is not None:
        text += f", precoded gain {figures['precoded_db']:.1f} dB"
    text += f", missed {figures['missed']}"
    wrong = {name: n for name, n in figures["sync"].items() if n}
    if wrong:
        text += ", refused " + ", ".join(f"{n} {name}" for name, n in wrong.items())
    if ue.sender:
        text += f"; {figures['sent']} sent"
        if figures["frame_bits"]:
            text += f" of {figures['frame_bits']:.0f} bits"
        if figures["discarded"]:
            text += f", {figures['discarded']} discarded: no BS"
        if figures["not_framed"]:
            text += f", {figures['not_framed']} not sent: gain out of range"
    if figures.get("hint"):
        text += f"; {figures['hint']}"
    if ue.writer:
        text += f"; {figures['recorded']} of {ue.writer.samples} recorded"
    text += (f"; {figures['real_time']:.2f} of real time, "
             f"{figures['real_time_per_core']:.2f} per core")
    if "profile" in figures:
        text += "\n\n" + format_table(
            ("block", "processor s", "%", "times real time"),
            [(r["block"], f"{r['processor_s']:.2f}", f"{100 * r['share']:.0f}",
              f"{r['real_time']:.1f}" if r["real_time"] else "-") for r in figures["profile"]])
    return text


@ends.option_names(nt="ports")
def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    ends.check_run_arguments(args)
    if bool(args.codec) == (args.ports is not None):
        raise ValueError("give either --codec, or --ports to measure without feedback")
    if args.codec and args.nr is not None:
        raise ValueError("--nr is for --ports, a codec has its own number of antennas")
    codec = evaluation.Codec(args.codec) if args.codec else None
    ue = UserEquipment(
        codec, ends.report_format(args), ends.pilots(args), nt=args.ports,
        nr=1 if args.nr is None else args.nr, address=args.air,
        feedback=None if args.feedback == "none" else args.feedback, ue_id=args.ue_id,
        key=messages.read_key(args.key) if args.key else None,
        compact=ends.compact_frames(args), interpolator=args.interpolator,
        precoded=args.precoded, recording=args.record and MatrixRecording(
            args.record, args.record_samples, args.na, args.precursor, args.overwrite),
        record_air=args.record_air, radio=ends.radio(args), profile=args.profile,
        overwrite=args.overwrite, pictures=ends.pictures(args), air_channel=args.air_channel)
    ends.run(ue, args, lambda figures, last: describe(figures, last, ue), count=args.count)
    if not ue.samples():
        print(f"csifeedback_ue: no sample came from {args.air}", file=sys.stderr)
        return 1
    return 0
