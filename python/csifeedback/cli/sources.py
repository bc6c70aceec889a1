#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Options of csifeedback_eval and csifeedback_sim that choose the test channels."""

import argparse

from ..channels import NAMES
from ..experiments.sources import FIRST, Source
from .common import add_drop_bad_argument


def add_source_arguments(parser: argparse.ArgumentParser) -> None:
    """Options that choose the matrices."""
    group = parser.add_argument_group("channels")
    one = group.add_mutually_exclusive_group()
    one.add_argument("--dataset", metavar="FILE", help="data set, from csifeedback_dataset")
    one.add_argument("--channel", choices=NAMES,
                     help="channel model (default: the one that the first codec was trained on)")
    group.add_argument("--samples", type=int, metavar="N",
                       help="matrices (default: 2000, or the whole data set)")
    group.add_argument("--first", type=int, default=None, metavar="I",
                       help=f"number of the first one (default: {FIRST} of a channel model, "
                            "0 of a data set)")
    group.add_argument("--seed", type=int, default=1, help="of the channel model (default: 1)")
    group.add_argument("--align", action="store_true",
                       help="move the earliest path of every full-band matrix of the data set to delay "
                            "zero, as receivers do and most models were trained")
    add_drop_bad_argument(group)


def source_of(args: argparse.Namespace) -> Source:
    """The Source that the options name."""
    return Source(args.dataset, args.channel, args.samples, args.first, args.seed,
                  args.align, args.drop_bad)
