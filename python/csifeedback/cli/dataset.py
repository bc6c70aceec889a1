#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_dataset: makes, imports, exports and inspects data sets of channel matrices."""

import argparse
import json
import os
import shlex
import sys
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..arrays import array_attributes, array_text
from ..channels import NAMES, SCENARIOS
from ..conditions import warn_conjugate, warn_swapped
from ..data import eigenvectors, generate as generation
from ..data import listing
from ..data.composed import null_carriers, parse_carriers, value_range
from ..data.dataset import Dataset, align_matrices, block_samples, counted, left_out
from ..data.generate import GRID, GROUPS, MODEL, PRECURSOR, check_range
from ..data.interchange import (AXES, CSINET_KEYS, CSINET_OFFSET, UNPACKED_BYTES,
                                UNPACKED_RATIO, FileSet, Matrices, Options, Selection, check_offset,
                                check_signs, csinet_layout, export_csinet, export_matrices,
                                likely_axes, real_parts)
from ..data.listing import kind_of
from ..data.summary import draw, statistics
from ..files import check_output
from ..renamed import CHANNEL_PARAMETERS
from .common import (LineParser, Parser, add_overwrite_argument, format_table, new_options,
                     print_json)

#: Options that had another name in the last release.
RENAMED = {old.replace("_", "-"): new.replace("_", "-")
           for old, new in CHANNEL_PARAMETERS.items()}

#: Parameters of `eigenvectors`: title, options.
EIGENVECTORS = (("with --profile or --channel", eigenvectors.DROPS), ("with --profile", eigenvectors.CDL),
                ("with --channel", eigenvectors.OF_SCENARIOS))
#: How the help names values of a type.
METAVARS = {int: "N", float: "X", str: "NAME"}

#: What a program is told beside what decides the file's content.
NOT_CONTENT = ("main", "output", "threads", "overwrite", "json", "max_gb")


def add_output_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the commands that write a data set."""
    parser.add_argument("-o", "--output", required=True, metavar="FILE",
                        help="data set; it is FILE.part until it is whole, and the same command "
                             "continues one that was interrupted")
    add_overwrite_argument(parser, "a data set, finished or not,")
    parser.add_argument("--json", action="store_true", help="print a summary as JSON alone")


def add_cut_arguments(parser: argparse.ArgumentParser, na: Optional[int],
                      precursor: Optional[int]) -> None:
    """Options of the delay rows."""
    parser.add_argument("--na", type=int, metavar="N",
                        help=f"delay rows of Ha to keep (default: {na}, or nc if that is less)")
    parser.add_argument("--precursor", type=int, metavar="P", default=precursor,
                        help="rows of these before delay zero (default: %(default)s)")


def add_generate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(main=generate)
    parser.add_argument("--channel", required=True, choices=NAMES, help="channel model")
    parser.add_argument("--samples", type=int, required=True, metavar="N",
                        help="number of matrices, with --nr of UEs")
    parser.add_argument("--first", type=int, default=0, metavar="I",
                        help="number of the first one: other samples of the same seed, for a "
                             "test set (default: 0)")
    parser.add_argument("--whole", action="store_true",
                        help="store H, all subcarriers, and not Ha, the first delay rows")
    add_cut_arguments(parser, 32, PRECURSOR)
    parser.add_argument("--threads", type=int, default=0, metavar="N",
                        help="1 to 256 (default: as many as the machine has processors); the "
                             "file is the same whatever their number")
    add_output_arguments(parser)
    add_option_groups(parser, (("grid", GRID), ("channel", MODEL),
                               *((title, options) for title, _, options in GROUPS)))


def add_option_groups(parser: argparse.ArgumentParser, groups: Any) -> None:
    """Options of (title, ((name, type or None for yes or no, help), ...))."""
    for title, options in groups:
        group = parser.add_argument_group(title)
        for name, kind, text in options:
            flag = "--" + name.replace("_", "-")
            if kind is None:
                group.add_argument(flag, action=argparse.BooleanOptionalAction, help=text)
            else:
                group.add_argument(flag, type=kind, metavar=METAVARS[kind], help=text)


def canonical_command(args: argparse.Namespace, parser: argparse.ArgumentParser) -> str:
    """The command with the options that decide the content of its output alone."""
    words = ["csifeedback_dataset", args.command]
    for action in parser._actions:
        value = getattr(args, action.dest, None)
        if action.dest in NOT_CONTENT or value == action.default or value is None:
            continue
        if isinstance(value, list):  # of files; the text of an attribute is limited
            words += action.option_strings[-1:]
            words += value if len(value) <= 10 else [*value[:10], f"... ({len(value)} files)"]
        elif not action.option_strings:
            words.append(str(value))
        elif isinstance(value, bool):
            words.append(action.option_strings[0 if value else 1])
        else:
            words += [action.option_strings[-1], str(value)]
    return shlex.join(words)


def report(args: argparse.Namespace, summary: Dict[str, Any]) -> None:
    """Says what was written."""
    if args.json:
        print_json(summary)
        return
    lost = summary["energy_lost"]
    print(f"{summary['file']}: {summary['samples']} matrices {summary['domain']} of "
          f"{summary['rows']} x {summary['nt']}"
          + (f", {100 * lost:.2f} % of the energy lost" if lost else "")
          + (f", {summary['samples_per_s']:.0f}/s" if summary["new_samples"]
             else ", was complete"))


def generate(args: argparse.Namespace, _: str) -> None:
    """Makes a data set from a channel model."""
    report(args, generation.generate(
        args.output, args.channel, args.samples, args.first, args.whole, args.na, args.precursor,
        args.threads, args.overwrite,
        **{name: getattr(args, name)
           for options in (GRID, MODEL, *(group for _, _, group in GROUPS))
           for name, _, _ in options}))


def add_eigenvectors_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(main=make_eigenvectors)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--profile", nargs="+", choices=tuple("ABCDE"), metavar="A..E",
                        help="drops of CDL-A to E between a dual-polarized planar array and a UE "
                             "with several antennas; of several profiles in turn")
    source.add_argument("--channel", choices=SCENARIOS, help="UEs of a scenario, with the same arrays")
    source.add_argument("--dataset", metavar="FILE",
                        help="whole matrices H of a data set, NR of them one behind the other are the "
                             "antennas of a UE")
    parser.add_argument("--subbands", type=int, default=13, metavar="N",
                        help="N3, rows of W (default: %(default)s)")
    parser.add_argument("--layers", type=int, default=1, metavar="V",
                        help="eigenvectors of each drop, a matrix W each, the strongest first; up to NR "
                             "(default: 1)")
    parser.add_argument("--samples", type=int, metavar="N",
                        help="drops (needed without --dataset; default: the whole data set)")
    parser.add_argument("--first", type=int, default=0, metavar="I",
                        help="number of the first drop (default: 0)")
    parser.add_argument("--nr", type=int, default=None, metavar="NR",
                        help="antennas of the UE (default: 4, with --dataset those of the file)")
    parser.add_argument("--plane", action="store_true",
                        help="state the planar array, so that codecs see W behind the 3-D DFT (default: the "
                             "ports are a line)")
    parser.add_argument("--together", action="store_true",
                        help="the V layers of a drop as one matrix W, layer after layer, for a model that reports "
                             "all at once")
    add_output_arguments(parser)
    add_option_groups(parser, EIGENVECTORS)


def make_eigenvectors(args: argparse.Namespace, command: str) -> None:
    """Makes a data set of eigenvectors W, for codecs that report them."""
    given = {name: getattr(args, name) for _, options in EIGENVECTORS for name, _, _ in options
             if getattr(args, name) is not None}
    if args.dataset:
        if given:
            raise ValueError(f"--{next(iter(given)).replace('_', '-')} is given without --profile or "
                             "--channel")
        summary = eigenvectors.of_dataset(
            args.output, args.dataset, args.subbands, args.layers, args.samples, args.first,
            args.nr, command, args.overwrite, args.plane, args.together)
    else:
        if args.samples is None:
            raise ValueError(f"--{'profile' if args.profile else 'channel'} needs --samples")
        drops = eigenvectors.drops_of(args.profile, args.channel, nr=4 if args.nr is None else args.nr,
                                      **given)
        summary = eigenvectors.of_drops(args.output, drops, args.samples, args.subbands, args.layers,
                                        args.first, command, args.overwrite, args.plane, args.together)
    report(args, summary)


def add_format_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that say what a file does not say itself."""
    parser.add_argument("--raw", metavar="TYPE",
                        help="the file has numbers alone, as of GNU Radio's File Sink: complex64, float32, "
                             "int16 .., or a type of SigMF such as cf32_le, ci16_be; --shape says how many")
    parser.add_argument("--shape", metavar="N,N,..",
                        help="shape of a vector of numbers, of a file with --raw or a column of a table; the "
                             "last axis counts fastest, n is as many as there are: n,64,4")
    parser.add_argument("--columns", metavar="A:B,..",
                        help="columns of a table (CSV) to take, numbered from 0, as --carriers has them")
    parser.add_argument("--chip", metavar="NAME",
                        help="of a capture of nexmon whose packets do not say it: 4339, 43455c0, 4358 or "
                             "4366c0")


def format_options(args: argparse.Namespace) -> Options:
    """The options of add_format_arguments(), and of the phases if there are any."""
    shape = None
    if args.shape is not None:
        try:
            shape = tuple(-1 if n.strip() in ("n", "-1") else int(n) for n in args.shape.split(","))
        except ValueError:
            raise ValueError(f"--shape is {args.shape}, allowed are numbers such as n,64,4") from None
    elif args.raw is not None and args.command == "import":
        raise ValueError("--raw is given without --shape, for example n,64,4")
    degrees = True if getattr(args, "degrees", False) else \
        False if getattr(args, "radians", False) else None
    return Options(args.raw, shape, args.columns, degrees, args.chip)


def add_import_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(main=import_matrices)
    parser.add_argument("file", metavar="FILE", nargs="+",
                        help=".mat (any version), .npy, .npz, HDF5, .pt, CSV, SigMF, CSI of ESP32 (text), nexmon "
                             "(pcap), the Intel 5300 (.dat) or RENEW, or with --raw numbers alone. "
                             "Several, or a pattern in quotes, are taken one behind the other: each is a "
                             "sample if no axis is called sample")
    parser.add_argument("--key", metavar="NAME",
                        help="array in the file (default: HT, the only one that there is, or the CSI of a "
                             "format for CSI). "
                             "NAME.FIELD and NAME{2} are in structures and cells of MATLAB files, NAME "
                             "all cells")
    two = parser.add_mutually_exclusive_group()
    two.add_argument("--imag", metavar="NAME|FILE",
                     help="the array is the real part; the imaginary part is this one of the same "
                          "file, or that of another file")
    two.add_argument("--phase", metavar="NAME|FILE",
                     help="the array is the amplitude; the phase is this one likewise, in radians if it is "
                          "within one turn")
    unit = parser.add_mutually_exclusive_group()
    unit.add_argument("--degrees", action="store_true", help="phases are in degrees")
    unit.add_argument("--radians", action="store_true", help="phases are in radians")
    add_format_arguments(parser)
    parser.add_argument("--axes", metavar="A,A,..",
                        help="what each axis of the array is: " + ", ".join(AXES) + ". Several "
                             "may be samples, or antennas of one column, the last one counts "
                             "fastest; horizontal, vertical and polarization are those of a plane; "
                             "reim has real and imaginary part, and so has an axis with /iq (by "
                             "turns), /qi (imaginary first) or /reim (first all real parts) behind its "
                             "name, such as subcarrier/iq. The arrays HT and "
                             "HF_all of the CsiNet family need none: HT has the axes "
                             "sample,reim,angle,delay reshaped to 2,32,32 with offset 0.5")
    parser.add_argument("--array", metavar="N1,N2,P",
                        help="antennas or angles on one axis are those of a plane of N1 columns, N2 rows "
                             "and P polarizations, numbered by polarization, column and row (default: a "
                             "line, or as the axes say)")
    parser.add_argument("--csinet", action="store_true",
                        help="the array has the form of HT or HF_all, whatever its name is")
    parser.add_argument("--reshape", metavar="N,N,..",
                        help="with --axes: what a row of an array (n, columns) is reshaped to")
    parser.add_argument("--offset", type=float, metavar="X",
                        help="subtract this from all real numbers, which have to lie around it "
                             "(default: 0.5 for HT, else 0)")
    parser.add_argument("--carriers", metavar="A:B,..",
                        help="subcarriers of H to take, in this order, numbered from 0, as slices: "
                             "6:32,33:59 leaves out the guard bands and DC of 64, 31:5:-1 counts down")
    parser.add_argument("--fft-order", action="store_true",
                        help="subcarriers come as an FFT has them, DC first: put them in ascending "
                             "order, before --carriers")
    parser.add_argument("--domain", choices=("H", "Ha"),
                        help="what the matrices are, where the axis 'row' does not tell")
    parser.add_argument("--first", type=int, default=0, metavar="I",
                        help="number of the first matrix to take (default: 0)")
    parser.add_argument("--samples", type=int, metavar="N",
                        help="matrices to take (default: all that follow)")
    parser.add_argument("--nt", type=int, default=32, metavar="N",
                        help="antennas, of a CsiNet file (default: 32)")
    parser.add_argument("--nc", type=int, default=1024, metavar="N",
                        help="subcarriers of the full-band channel that Ha was made from "
                             "(default: 1024)")
    add_cut_arguments(parser, 32, 0)
    parser.add_argument("--align", action="store_true",
                        help="move the earliest path of every matrix H to delay zero, as receivers "
                             "do; of delay rows Ha: say that it is there already")
    parser.add_argument("--drop-bad", action="store_true",
                        help="leave out matrices that are zero or have values that are not finite, "
                             "and say which")
    parser.add_argument("--spacing-hz", type=float, default=0.0, metavar="X",
                        help="distance of two subcarriers (default: not known)")
    parser.add_argument("--sample-interval-s", type=float, default=0.0, metavar="X",
                        help="time between two samples (default: they are independent)")
    parser.add_argument("--name", default="imported", help="of the channel (default: imported)")
    parser.add_argument("--max-gb", type=float, default=UNPACKED_BYTES / 1e9, metavar="X",
                        help="refuse an array that is larger than X GB when it is unpacked, and "
                             f"{UNPACKED_RATIO} times as large as the file (default: %(default).3g)")
    add_output_arguments(parser)


def import_matrices(args: argparse.Namespace, command: str) -> None:
    """Makes a data set from an array in a file of another program."""
    check_range("--max-gb", args.max_gb, 0, 1e9)
    with FileSet(args.file, int(1e9 * args.max_gb), format_options(args)) as file:
        args.file = file.name
        key = args.key
        if key is None:
            key = CSINET_KEYS[0] if file.default is None else file.default
            if key not in file.names and len(file.names) > 1:
                raise ValueError(f"{args.file}: has several arrays: {', '.join(file.names)}; --key says which")
        axes = file.axes(key)
        if args.fft_order and args.axes is None and axes is not None:
            raise ValueError(f"--fft-order: {args.file}: {key}: the subcarriers are in ascending order")
        if args.axes is None and axes is not None and not args.csinet:
            args.axes = axes
            print(f"note: {args.file}: {key}: the axes are {axes}", file=sys.stderr)
        for text in file.notes(key):
            print(f"note: {args.file}: {key}: {text}", file=sys.stderr)
        array, args.axes = file.complex_array(key, args.axes, args.imag, args.phase)
        for option in ("degrees", "radians"):
            if getattr(args, option) and not file.has_phases and not getattr(array, "polar", False):
                raise ValueError(f"--{option} is given without --phase")
        if getattr(array, "polar", False):
            print(f"note: {args.file}: {array.said}", file=sys.stderr)
        for path in (*file.paths, *([file.other] if file.other else [])):
            if os.path.exists(args.output) and os.path.samefile(path, args.output):
                raise ValueError(f"-o is {args.output}, which is read")
        try:
            matrices = _named(args, key, array)
        except ValueError as error:
            raise ValueError(f"{args.file}: {key or 'array'}: {error}") from None
        text = null_carriers(matrices) if args.carriers is None else None
        if text:
            print(f"note: {args.file}: {text}", file=sys.stderr)
        check_range("--first", args.first, 0, max(0, len(matrices) - 1))
        available = len(matrices) - args.first
        samples = available if args.samples is None else args.samples
        if not 1 <= samples <= available:
            raise ValueError(f"{args.file}: has {len(matrices)} matrices, asked for are "
                             f"{samples} from number {args.first} on")
        chosen = Selection(matrices, args.first, samples, args.drop_bad)
        if len(chosen.left_out):
            print(left_out(args.file, chosen.left_out, samples, "zero or not finite"),
                  file=sys.stderr)
        is_whole = matrices.domain == "H"
        nc = matrices.rows if is_whole else args.nc
        na = args.na if is_whole else matrices.rows
        if na is None:
            na = min(32, nc)
        elif not is_whole and args.na not in (None, na):
            raise ValueError(f"--na is {args.na}, the matrices have {na} rows")
        check_range("subcarriers (--nc)", nc, na, 65536)
        check_range("antennas", matrices.nt, 1, 1024)
        check_range("--na", na, 1, nc)
        check_range("--precursor", args.precursor, 0, na - 1)
        check_range("--spacing-hz", args.spacing_hz, 0, 1e12)
        check_range("--sample-interval-s", args.sample_interval_s, 0, 1e6)
        attributes = {
            "domain": matrices.domain, "nc": nc, "na": na, "nt": matrices.nt,
            "precursor": args.precursor, **array_attributes(matrices.array), "align": int(args.align),
            "spacing_hz": args.spacing_hz, "sample_interval_s": args.sample_interval_s,
            # The name of a file does not say what is in it.
            "channel": args.name, "parameters": json.dumps(file.fingerprint()),
            "command": command}
        if args.align and not is_whole:
            print(f"note: {args.file}: the delay rows stay as they are; --align says that their "
                  "earliest path is at delay zero", file=sys.stderr)

        def make(first, count):
            try:
                x = chosen.read(first, count)
            except ValueError as error:
                try:
                    bad = Selection(matrices, args.first, samples, True).left_out
                except ValueError as every:
                    raise ValueError(f"{args.file}: {error}; {every}") from None
                raise ValueError(f"{args.file}: {error}; " + (
                    f"{counted(bad, samples, ' are zero or not finite:')}; " if len(bad) > 1 else "")
                    + "--drop-bad leaves such matrices out") from None
            return (align_matrices(x) if args.align and is_whole else x,)

        report(args, generation.write(args.output, len(chosen), attributes, make, args.overwrite))
        with Dataset(args.output) as data:
            some = min(len(data), 100, block_samples(data.rows, data.nt))
            warn_swapped(args.output, data.read_truncated(0, some), data.whole)
            if data.whole:
                warn_conjugate(args.output, data.read(0, some), na, args.precursor)
        if not args.json:
            print(f"Ha: {na} delay rows, {args.precursor} of them "
                  "before delay zero (--precursor; 4 in data sets of csifeedback_dataset generate "
                  "and in shipped models)")


def _named(args, key, array):
    """The Matrices that the options find in an array."""
    is_real = array.dtype.kind in "fiu"
    try:
        plane = args.array and tuple(int(n) for n in args.array.split(","))
    except ValueError:
        raise ValueError(f"--array is {args.array}, allowed are numbers such as 4,4,2") from None
    is_polar = getattr(array, "polar", False)
    if args.offset is not None:
        if is_polar:
            raise ValueError(f"--offset is {args.offset:g}, the numbers are amplitudes and phases")
        check_range("--offset", args.offset, -1e30, 1e30)
    if args.axes is None:
        for name in ("reshape", "domain", "carriers", "imag", "phase"):
            if getattr(args, name) is not None:
                raise ValueError(f"--{name} is given without --axes")
        if not args.csinet and key.rpartition("/")[2] != CSINET_KEYS[not is_real]:
            options = likely_axes(array.shape, array.dtype)
            if len(array.shape) == 1:
                raise ValueError(f"a vector of {array.shape[0]} numbers needs --shape, for example n,64,4, and "
                                 "--axes")
            raise ValueError(
                f"what the axes are is not known: {array.dtype} of shape "
                f"{tuple(int(n) for n in array.shape)} needs --axes"
                + (", for example " + " or ".join(options) if options else
                   (", and one of them with real and imaginary part (subcarrier/iq if they take turns)"
                    if is_real else ""))
                + ("; no number is negative: amplitudes need their phases too (--phase)"
                   if is_real and value_range(array)[0] >= 0 else "")
                + f"; only {' and '.join(CSINET_KEYS)} need none (--csinet: it is one of these)")
        layout = {**csinet_layout(array, args.nt), "plane": plane}
        if is_real:
            layout["offset"] = CSINET_OFFSET if args.offset is None else args.offset
            check_offset(array, layout["offset"], args.offset is None)
        return Matrices(array, **layout)
    if args.csinet:
        raise ValueError("--csinet is given together with --axes")
    try:
        reshape = args.reshape and tuple(int(n) for n in args.reshape.split(","))
    except ValueError:
        raise ValueError(f"--reshape is {args.reshape}, allowed are numbers such as 2,32,32"
                         ) from None
    # HT is shifted whoever names its axes.
    is_ht = is_real and key.rpartition("/")[2] == CSINET_KEYS[0] and args.offset is None
    offset = CSINET_OFFSET if is_ht else args.offset
    matrices = Matrices(
        array, args.axes.split(","), reshape, offset or 0.0, args.domain,
        None if args.carriers is None else lambda count: parse_carriers(args.carriers, count),
        args.fft_order, plane)
    if offset is not None:
        check_offset(real_parts(array), offset, is_ht)
    elif not is_polar:
        text = check_signs(array)
        if text:
            print(f"note: {args.file}: {text}", file=sys.stderr)
    return matrices


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(main=export)
    parser.add_argument("file", metavar="FILE", help="data set")
    parser.add_argument("-o", "--output", required=True, metavar="FILE",
                        help="file to write: .mat, .npz or .npy, with --matrices also .h5")
    parser.add_argument("--matrices", action="store_true",
                        help="write the matrices as they are, a complex array H or Ha (n, rows, nt); "
                             "in .h5 its real and imaginary part, H_re and H_im")
    add_overwrite_argument(parser, "a file")


def export(args: argparse.Namespace, _: str) -> None:
    """Writes a data set in the form of the CsiNet family, or its matrices as they are."""
    check_output(args.output, args.overwrite)
    with Dataset(args.file) as data:
        if args.matrices:
            export_matrices(data, args.output)
            print(f"{args.output}: {len(data)} matrices {data.domain} of {data.rows} x "
                  f"{data.nt}")
            return
        export_csinet(data, args.output)
        print(f"{args.output}: {len(data)} matrices, HT ({len(data)}, {2 * data.na * data.nt})")


def add_inspect_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(main=inspect)
    parser.add_argument("file", metavar="FILE",
                        help="data set, finished or not, a model, or a file that can be imported")
    add_format_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print all as JSON alone")
    parser.add_argument("--plot", metavar="FILE",
                        help="draw the mean power of the delay rows, some |Ha| and the energy "
                             "lost by truncation (PNG, PDF or SVG)")
    add_overwrite_argument(parser, "a picture")


def inspect(args: argparse.Namespace, _: str) -> None:
    """Says what is in a file, and draws it."""
    if args.plot:
        check_output(args.plot, args.overwrite)
    kind = "arrays" if args.raw else kind_of(args.file)
    if kind == "model" and not args.plot:
        _show_model(args, listing.describe_model(args.file))
        return
    if kind == "arrays":
        _inspect_arrays(args)
        return
    with Dataset(args.file) as data:
        facts = {"file": args.file, "domain": data.domain, "samples": len(data),
                 **{name: getattr(data, name) for name in (
                     "nc", "na", "nt", "array", "nr", "precursor", "align", "spacing_hz", "sample_interval_s",
                     "channel", "parameters", "seed", "first", "command")},
                 **statistics(data)}
        if args.plot:
            draw(args.plot, data, facts)
    if args.json:
        print_json(facts)
        return
    lost = {name: f"{100 * value:.2f} %" for name, value in facts["energy_lost"].items()}
    size = f"{facts['nc']} x {facts['nt']}"
    cut = f"{facts['na']} x {facts['nt']}, {facts['precursor']} rows before delay zero"
    total = sum(facts["row_power"])
    share = [100 * x / total if total else 0.0 for x in facts["row_power"]]
    lines = [
        ("samples", f"{facts['samples']} of {facts['domain']}"),
        ("H", size + (f", {facts['spacing_hz']:g} Hz apart" if facts["spacing_hz"] else "")
         + (f", {facts['nr']} one behind the other are a UE's" if facts["nr"] > 1 else "")),
        ("ports", array_text(facts["array"])),
        ("Ha", cut + (", aligned" if facts["align"] else ", absolute delays")),
        ("time", f"{facts['sample_interval_s']:g} s between samples of a drop"
         if facts["sample_interval_s"] else "independent samples"),
        ("channel", facts["channel"] or "not known"), ("parameters", facts["parameters"] or "-"),
        ("seed, first", f"{facts['seed']}, {facts['first']}"),
        ("command", facts["command"] or "-"),
        ("||H||^2", "mean {mean:.4g}, {least:.4g} to {most:.4g}".format(**facts["energy"])),
        ("energy lost", "mean {mean}, median {median}, 95th percentile {percentile_95}, most "
                        "{most}".format(**lost)),
        ("row power %", " ".join(f"{x:.1f}" for x in share)),
    ]
    for name, text in lines:
        print(f"{name:12} {text}")


def _inspect_arrays(args):
    """Lists the arrays of a file that is no data set yet."""
    if args.plot:
        raise ValueError(f"{args.file}: --plot needs a data set, import the file first")
    arrays = listing.describe_arrays(args.file, format_options(args))
    if args.json:
        print_json({"file": args.file, "arrays": arrays})
        return
    print(f"{args.file}: no data set, but `csifeedback_dataset import` reads its arrays")
    rows = []
    for name, facts in arrays.items():
        rows.append([name or "array", " x ".join(map(str, facts["shape"])) or "one number",
                     facts.get("error") or facts["type"] + (
                         f" ({', '.join(facts['fields'])})" if "fields" in facts else ""),
                     *(f"{facts[k]:.4g}" if k in facts else "-" for k in ("least", "most", "mean"))])
    print(format_table(["array", "shape", "type", "least", "most", "mean"], rows))
    if any(facts.get("type", "").startswith("complex") for facts in arrays.values()):
        print("least, most and mean of complex numbers are those of their magnitude")
    for name, facts in arrays.items():
        for text in (["axes: " + facts["axes"]] if "axes" in facts else []) + facts.get("notes", []):
            print(f"{name or 'array'}: {text}")
    note = listing.axes_note(args.file)
    if note:
        print(note)
    for name, facts in arrays.items():
        if "import" in facts:
            options = "" if facts["import"] == "(none)" else facts["import"] + " "
            print(f"{name or 'array'}: {'' if 'axes' in facts else 'if the axes are so: '}csifeedback_dataset import "
                  f"{shlex.quote(args.file)} {options}-o FILE.h5")


def add_models_arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(main=models)
    parser.add_argument("model", metavar="NAME", nargs="?",
                        help="name or file of a model, to say all about it (default: list those that "
                             "are found by name)")
    parser.add_argument("--json", action="store_true", help="print all as JSON alone")


def models(args: argparse.Namespace, _: str) -> None:
    """Lists models, or says what is in one."""
    if args.model:
        _show_model(args, listing.describe_model(args.model))
        return
    found = [listing.describe_model(path) for path in listing.model_names().values()]
    if args.json:
        print_json(found)
        return
    print(format_table(
        ["model", "codec", "matrices", "longest codeword", "trained on"],
        [[m["name"], m["codec"], f"{m['domain']} {m['rows']} x {m['nt']}", m["code_size"] or "-",
          m["channel"] or "-"] for m in found]))


def _show_model(args, model):
    if args.json:
        print_json(model)
        return
    size = f"{model['rows']} x {model['nt']}"
    for name, text in (
            ("model", model["path"]), ("codec", f"{model['codec']}, model id {model['model_id']}"),
            ("matrices", f"{model['domain']}, {size}" + (
                f", {model['precursor']} rows before delay zero, of {model['nc']} subcarriers"
                if model["domain"] == "Ha" else "")),
            ("ports", array_text(model["array"])),
            ("codewords", f"up to {model['code_size']} values" if model["code_size"] else "-"),
            ("trained on", f"{model['samples'] or '?'} matrices, {model['channel'] or 'not known'}"),
            ("data set", model["dataset_command"] or "-"), ("command", model["command"] or "-"),
            ("arrays", ", ".join(f"{name} ({', '.join(map(str, shape))})"
                                 for name, shape in model["arrays"].items()))):
        print(f"{name:12} {text}")
    if model["nmse"]:
        print(format_table(["decoder", "ratio or bits", "NMSE dB"], [
            [f.get("decoder") or "-", f.get("ratio") or f"{f.get('budget')} bits",
             f"{f['nmse_db']:.2f}"] for f in model["nmse"]]))


COMMANDS = (
    ("generate", "make a data set from a channel model", add_generate_arguments),
    ("eigenvectors", "make a data set of eigenvectors W of subbands", add_eigenvectors_arguments),
    ("import", "make a data set from files of other programs and receivers", add_import_arguments),
    ("export", "write a data set as the files of CsiNet, or for other programs", add_export_arguments),
    ("inspect", "say what is in a file, and draw it", add_inspect_arguments),
    ("models", "list models, or say what is in one", add_models_arguments),
)


def _joined(argv):
    """The arguments with --shape=-1,64 for --shape -1,64, which would look like an option."""
    words: List[str] = []
    for word in argv:
        if words and words[-1] == "--shape" and word.startswith("-1"):
            words[-1] += "=" + word
        else:
            words.append(word)
    return words


def parse(argv: Sequence[str]) -> Tuple[argparse.Namespace, str]:
    """The arguments and the canonical command."""
    parser = Parser(prog="csifeedback_dataset", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND",
                                     parser_class=LineParser)
    parsers = {}
    for name, text, add_arguments in COMMANDS:
        parsers[name] = commands.add_parser(name, help=text, description=text)
        add_arguments(parsers[name])
    args = parser.parse_args(_joined(new_options(argv, RENAMED)))
    return args, canonical_command(args, parsers[args.command])


def main(argv: Sequence[str]) -> int:
    args, command = parse(argv)
    args.main(args, command)
    return 0
