#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_view: shows what csifeedback_bs and csifeedback_ue write with --json --pictures."""

import argparse
import os
from typing import Sequence

from ..files import check_output
from ..link.view import MAX_ENDS, save, show
from .common import Parser, add_overwrite_argument


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="csifeedback_view", description=__doc__)
    parser.add_argument("files", nargs="*", default=["-"], metavar="FILE",
                        help="lines of JSON of one end each, from files that may grow, FIFOs or - for "
                             "stdin; up to 4 (default: -)")
    parser.add_argument("--title", action="append", default=[], metavar="TEXT",
                        help="above the figures of an end, once for each (default: the name of the "
                             "file)")
    parser.add_argument("--history", type=float, default=120, metavar="S",
                        help="what curves show (default: 120)")
    parser.add_argument("--save", metavar="FILE.png",
                        help="no window: draw what is there up to the end of the lines into a file")
    parser.add_argument("--close", action="store_true",
                        help="close the window at the end of the lines")
    add_overwrite_argument(parser, "the file of --save")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    if not 1 <= len(args.files) <= MAX_ENDS:
        raise ValueError(f"FILE: there are {len(args.files)}, allowed are 1 to {MAX_ENDS}")
    if not args.history > 0:
        raise ValueError(f"--history is {args.history:g}, allowed is above 0")
    for name in args.files:
        if name != "-" and not os.path.exists(name):
            raise ValueError(f"{name}: no such file")
    titles = args.title + ["stdin" if name == "-" else os.path.basename(name)
                           for name in args.files[len(args.title):]]
    if args.save:
        check_output(args.save, args.overwrite)
        save(args.files, titles, args.save, args.history)
    elif any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))):
        show(args.files, titles, args.history, args.close)
    else:
        raise ValueError("there is no display for a window, give --save FILE.png")
    return 0
