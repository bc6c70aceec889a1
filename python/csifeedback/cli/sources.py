#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Where the test channels of csifeedback_eval and csifeedback_sim come from."""

import argparse

import numpy as np

from .. import csifeedback_python as core
from ..channels import NAMES, make_channel, model_channel
from ..dataset import Dataset
from ..evaluation import Evaluator, trained_on
from ..progress import Progress
from .common import check_seed

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


#: First sample that validation takes, of the same channel model: neither of the training nor of
#: the test.
VALIDATION_FIRST = 900_000


def channel_of(args, model, whole=False):
    """(channel model, number of matrices, number of the first) that the options name.

    whole: whole matrices are needed, whatever the model takes.
    """
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
        if whole or model.domain == "H":
            with Dataset(args.dataset) as data:
                data.check_whole()
        if model.domain == "H" and channel.nc() != model.nc:
            raise ValueError(f"{args.dataset}: has matrices of {channel.nc()} subcarriers, the "
                             f"model is for {model.nc} ({trained_on(model)})")
        first = args.first or 0
        available = channel.samples() - first
        if available < 1 or (args.samples or 1) > available:
            raise ValueError(f"{args.dataset}: has {channel.samples()} matrices, asked for are "
                             f"{args.samples or 1} from number {first} on")
        return channel, args.samples or available, first
    # Codecs in Python without model file may leave nc open.
    sizes = {"nt": model.nt, **({"nc": model.nc} if model.nc else {})}
    channel = (make_channel(args.channel, seed=args.seed, **sizes) if args.channel
               else model_channel(model, seed=args.seed))
    return channel, args.samples or 2000, FIRST if args.first is None else args.first


def validation_matrices(args, models, count):
    """(Evaluator of `count` validation matrices, number of matrices of a data set that they take
    from its begin). Of a channel model they are others than those of training and test."""
    args = argparse.Namespace(**vars(args))
    if args.dataset:
        channel, available, first = channel_of(args, models[0])
        count = min(count, available // 5)
        if count < 1:
            raise ValueError(f"{args.dataset}: has {available} matrices, of which a fifth is for "
                             "validation: at least 5 are needed")
        args.samples, args.first = count, first
        return test_matrices(args, models, rho_samples=0), count
    args.samples, args.first = count, VALIDATION_FIRST
    return test_matrices(args, models, rho_samples=0), 0


def test_matrices(args, models, whole=False, rho_samples=500, skip=0):
    """An Evaluator with the matrices that the options name, in each domain that a model takes.

    models: of all codecs; whole: H is needed in any case. The first model fixes the channel,
    the first one of domain Ha the rows that are kept. skip: matrices of a data set to leave out
    at its begin, since validation has them.
    """
    whole = whole or any(m.domain == "H" for m in models)
    cut = next((m for m in models if m.domain == "Ha"), None)
    channel, count, first = channel_of(args, models[0], whole)
    first, count = first + skip, count - (skip if args.samples is None else 0)
    if args.dataset and first + count > channel.samples():
        raise ValueError(f"{args.dataset}: has {channel.samples()} matrices, of which {skip} are "
                         f"for validation: --samples {count} are too many")
    transform = core.angular_delay_transform(channel.nc(), channel.nt(), cut.na, cut.precursor) \
        if cut and whole else None
    progress = Progress("channels", count)
    blocks = {"h": [], "ha": [], "energy_lost": []}
    for start in range(0, count, 500):
        step = min(500, count - start)
        if whole:
            blocks["h"].append(core.generate_channels(channel, first + start, step)[0])
        if transform:
            ha, lost, _ = transform.forward(blocks["h"][-1])
        elif cut:
            ha, _, lost = core.generate_channels(channel, first + start, step, cut.na,
                                                 cut.precursor)
        if cut:
            blocks["ha"].append(ha)
            blocks["energy_lost"].append(lost)
        progress.update(start + step)
    arrays = {name: np.concatenate(some) if some else None for name, some in blocks.items()}
    return Evaluator(nc=channel.nc(), precursor=cut.precursor if cut else 0,
                     rho_samples=rho_samples, **arrays)
