#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Where the test channels of csifeedback_eval and csifeedback_sim come from."""

import numpy as np

from .. import csifeedback_python as core
from ..channels import NAMES, make_channel, model_channel
from ..evaluation import trained_on
from .common import Progress, check_seed

#: First sample of a channel model that tests take: far beyond those of training sets, which
#: begin at 0, so that the same seed never gives the same sample to both.
FIRST = 1_000_000


def add_source_arguments(parser):
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


def channel_of(args, model):
    """(channel model, number of matrices, number of the first) that the options name."""
    if args.samples is not None and args.samples < 1:
        raise ValueError(f"--samples is {args.samples}, allowed is 1 or more")
    if args.first is not None and args.first < 0:
        raise ValueError(f"--first is {args.first}, allowed is 0 or more")
    check_seed("--seed", args.seed)
    if args.dataset:
        channel = core.dataset_channel(args.dataset)
        if channel.nt() != model.nt:
            raise ValueError(f"{args.dataset}: has matrices of {channel.nt()} antennas, the model "
                             f"is for {model.nt} ({trained_on(model)})")
        first = args.first or 0
        available = channel.samples() - first
        if available < 1 or (args.samples or 1) > available:
            raise ValueError(f"{args.dataset}: has {channel.samples()} matrices, asked for are "
                             f"{args.samples or 1} from number {first} on")
        return channel, args.samples or available, first
    sizes = {"nc": model.nc, "nt": model.nt}
    channel = (make_channel(args.channel, seed=args.seed, **sizes) if args.channel
               else model_channel(model, seed=args.seed))
    return channel, args.samples or 2000, FIRST if args.first is None else args.first


def test_matrices(args, model):
    """Ha (n, na, nt) for a model, the energy that the cut lost of each, nc and precursor."""
    channel, count, first = channel_of(args, model)
    progress = Progress("channels", count)
    matrices, lost = [], []
    for start in range(0, count, 500):
        step = min(500, count - start)
        ha, _, energy_lost = core.generate_channels(channel, first + start, step, model.na,
                                                    model.precursor)
        matrices.append(ha)
        lost.append(energy_lost)
        progress.update(start + step)
    return np.concatenate(matrices), np.concatenate(lost), channel.nc(), model.precursor
