#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_dataset: makes, imports, exports and inspects data sets of channel matrices."""

import argparse
import shlex
import time

from .. import csifeedback_python as core
from ..channels import NAMES, make_channel
from ..dataset import Dataset, DatasetWriter, block_samples
from .common import Progress, print_json

#: Parameters of the channel models: name, type (None: yes or no), help.
GRID = (
    ("nc", int, "subcarriers, rows of H (default: 1024)"),
    ("nt", int, "antenna ports of the BS, columns of H (default: 32)"),
    ("spacing_hz", float, "distance of two subcarriers (default: 19531.25)"),
    ("antenna_spacing", float, "of the BS array, in wavelengths (default: 0.5)"),
)
MODEL = (
    ("seed", int, "of all random numbers (default: 1)"),
    ("slots_per_drop", int, "samples of one drop: 1, or a track of a moving UE (default: 1)"),
    ("sample_interval_s", float, "time between two samples of a track (default: 0.001)"),
    ("speed_mps", float, "speed of the UE (default: 1 for COST 2100, 0 for CDL)"),
    ("align", None, "move the earliest path within 20 dB of the strongest to delay zero "
                    "(default: yes)"),
    ("normalize", None, "scale the path powers of every sample to a sum of 1 (default: yes for "
                        "COST 2100, no for CDL)"),
)
COST2100 = (
    ("area_m", float, "side of the square in which the UE is (default: 20 indoor, 400 outdoor)"),
)
CDL = (
    ("carrier_hz", float, "for the Doppler shift (default: 3.5e9)"),
    ("delay_spread_s", float, "RMS delay spread (default: 1e-7)"),
    ("delay_spread_max_s", float, "draw the delay spread of every drop, log-uniform up to this "
                                  "(default: 0, all have the same)"),
    ("travel_azimuth_deg", float, "direction of travel (default: 0)"),
    ("travel_zenith_deg", float, "direction of travel, 0 to 180 (default: 90)"),
    ("angle_span_deg", float, "turn the mean azimuths of every drop by up to half of this "
                              "either way, 0 to 360 (default: 0)"),
    ("directive_element", None, "BS elements with the pattern of TR 38.901, Table 7.3-1 "
                                "(default: isotropic)"),
)

#: What a program is told beside what decides the file's content.
NOT_CONTENT = ("main", "output", "threads", "overwrite", "json")


def add_output_arguments(parser):
    """Options of the commands that write a data set."""
    parser.add_argument("-o", "--output", required=True, metavar="FILE",
                        help="data set; it is FILE.part until it is whole, and the same command "
                             "continues one that was interrupted")
    parser.add_argument("--overwrite", action="store_true",
                        help="replace a data set that is there, finished or not")
    parser.add_argument("--json", action="store_true", help="print a summary as JSON alone")


def add_cut_arguments(parser, na, precursor):
    """Options of the delay rows."""
    parser.add_argument("--na", type=int, metavar="N",
                        help=f"delay rows of Ha to keep (default: {na}, or nc if that is less)")
    parser.add_argument("--precursor", type=int, metavar="P", default=precursor,
                        help="rows of these before delay zero (default: %(default)s)")


def add_generate_arguments(parser):
    parser.set_defaults(main=generate)
    parser.add_argument("--channel", required=True, choices=NAMES, help="channel model")
    parser.add_argument("--samples", type=int, required=True, metavar="N",
                        help="number of matrices")
    parser.add_argument("--first", type=int, default=0, metavar="I",
                        help="number of the first one: other samples of the same seed, for a "
                             "test set (default: 0)")
    parser.add_argument("--whole", action="store_true",
                        help="store H, all subcarriers, and not Ha, the first delay rows")
    add_cut_arguments(parser, 32, 4)
    parser.add_argument("--threads", type=int, default=0, metavar="N",
                        help="1 to 256 (default: as many as the machine has processors); the "
                             "file is the same whatever their number")
    add_output_arguments(parser)
    for title, options in (("grid", GRID), ("channel", MODEL), ("COST 2100 only", COST2100),
                           ("CDL only", CDL)):
        group = parser.add_argument_group(title)
        for name, kind, text in options:
            flag = "--" + name.replace("_", "-")
            if kind is None:
                group.add_argument(flag, action=argparse.BooleanOptionalAction, help=text)
            else:
                group.add_argument(flag, type=kind, metavar="X" if kind is float else "N",
                                   help=text)


def canonical_command(args, parser):
    """The command with the options that decide the content of its output alone."""
    words = ["csifeedback_dataset", args.command]
    for action in parser._actions:
        value = getattr(args, action.dest, None)
        if action.dest in NOT_CONTENT or value == action.default or value is None:
            continue
        if not action.option_strings:
            words.append(str(value))
        elif isinstance(value, bool):
            words.append(action.option_strings[0 if value else 1])
        else:
            words += [action.option_strings[-1], str(value)]
    return shlex.join(words)


def model_parameters(args):
    """The parameters of the channel model that the options give."""
    cdl = args.channel.startswith("cdl-")
    parameters = {}
    for options, allowed in ((GRID, True), (MODEL, True), (COST2100, not cdl), (CDL, cdl)):
        for name, _, _ in options:
            value = getattr(args, name)
            if value is None:
                continue
            if not allowed:
                raise ValueError(f"--{name.replace('_', '-')} is no parameter of the channel "
                                 f"{args.channel}")
            parameters[name] = value
    return parameters


def check_range(name, value, low, high):
    """ValueError unless low <= value <= high."""
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}, allowed is {low} to {high}")


def summary(path, seconds, samples):
    """What was written, as dictionary."""
    with Dataset(path) as data:
        return {"file": path, "domain": "H" if data.whole else "Ha", "samples": len(data),
                "rows": data.rows, "nt": data.nt,
                "energy_lost": float(data.energy_lost.mean()) if not data.whole else 0.0,
                "samples_per_s": samples / seconds if samples else None}


def report(args, seconds, samples):
    """Prints what was written: `samples` of them in `seconds`."""
    s = summary(args.output, seconds, samples)
    if args.json:
        print_json(s)
        return
    rate = f", {s['samples_per_s']:.0f}/s" if samples else ", was complete"
    lost = "" if s["domain"] == "H" else f", {100 * s['energy_lost']:.2f} % of the energy lost"
    print(f"{s['file']}: {s['samples']} matrices {s['domain']} of {s['rows']} x {s['nt']}{lost}"
          f"{rate}")


def generate(args, command):
    """Makes a data set from a channel model."""
    seed = 1 if args.seed is None else args.seed
    check_range("--seed", seed, 0, (1 << 63) - 1)
    channel = make_channel(args.channel, **model_parameters(args))
    nc, nt = channel.nc(), channel.nt()
    na = min(32, nc) if args.na is None else args.na
    check_range("--na", na, 1, nc)
    check_range("--precursor", args.precursor, 0, na - 1)
    check_range("--samples", args.samples, 1, 1 << 28)
    check_range("--first", args.first, 0, (1 << 63) - 1 - args.samples)
    check_range("--threads", args.threads, 0, 256)
    align = args.align is not False
    attributes = {
        "domain": "H" if args.whole else "Ha", "nc": nc, "na": na, "nt": nt,
        "precursor": args.precursor, "align": int(align), "spacing_hz": channel.spacing_hz(),
        "sample_interval_s": channel.sample_interval_s(), "channel": channel.name(),
        "parameters": channel.parameters(), "command": command,
        "seed": seed, "first": args.first}
    step = block_samples(nc if args.whole else na, nt)
    start = time.monotonic()
    with DatasetWriter(args.output, args.samples, attributes, args.overwrite) as writer:
        begun = writer.done
        progress = Progress(args.channel, args.samples - begun)
        while writer.done < args.samples:
            writer.append(*core.generate_channels(
                channel, args.first + writer.done, min(step, args.samples - writer.done),
                0 if args.whole else na, args.precursor, args.threads))
            progress.update(writer.done - begun)
    report(args, time.monotonic() - start, args.samples - begun)


def parse(argv):
    """The arguments and the canonical command."""
    parser = argparse.ArgumentParser(prog="csifeedback_dataset", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers = {}
    for name, text, add_arguments in (
            ("generate", "make a data set from a channel model", add_generate_arguments),):
        parsers[name] = commands.add_parser(name, help=text, description=text)
        add_arguments(parsers[name])
    args = parser.parse_args(argv)
    return args, canonical_command(args, parsers[args.command])


def main(argv):
    args, command = parse(argv)
    args.main(args, command)
    return 0
