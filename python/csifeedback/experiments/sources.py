#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Where the test channels of experiments come from."""

import dataclasses
import functools
from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np

from .. import conditions
from .. import csifeedback_python as core
from ..arrays import array_text, plane_of
from ..channels import make_channel, model_channel
from ..data.dataset import Dataset, align_matrices
from ..data.panels import drops_of, make_drops
from ..evaluation import SUBBANDS, Evaluator, sent_gain, trained_on
from ..progress import Progress

#: First sample of a channel model that tests take: far beyond those of training sets, which
#: begin at 0, so that the same seed never gives the same sample to both.
FIRST = 1_000_000
#: of channels of planar arrays: 52 resource blocks
BANDWIDTH_HZ = 52 * 180e3
#: First sample that validation takes, of the same channel model: neither of the training nor of
#: the test.
VALIDATION_FIRST = 900_000


@dataclasses.dataclass(frozen=True)
class Source:
    """Which matrices an experiment takes. FIRST and VALIDATION_FIRST are the default numbers of
    the first test and validation matrix of a channel model."""

    dataset: Optional[str] = None  #: path of a data set
    channel: Optional[str] = None  #: name of a channel model, see channels.NAMES
    samples: Optional[int] = None  #: matrices (default: 2000, or the whole data set)
    first: Optional[int] = None    #: number of the first one (default: FIRST, 0 of a data set)
    seed: int = 1                  #: of the channel model
    align: bool = False            #: align whole matrices of the data set, as receivers do
    drop_bad: bool = False         #: leave out matrices of the data set that are zero

    @functools.cached_property
    def data(self) -> Optional[Dataset]:
        """What the data set says of itself: opened once, and closed; None of a channel model."""
        if not self.dataset:
            return None
        with Dataset(self.dataset, self.align, self.drop_bad) as data:
            return data


def channel_of(source: Source, model: Any,
               whole: bool = False) -> Tuple[core.channel_model, int, int]:
    """(channel model, number of matrices, number of the first) of the source.

    whole: whole matrices are needed, whatever the model takes.
    """
    if source.samples is not None and source.samples < 1:
        raise ValueError(f"--samples is {source.samples}, allowed is 1 or more")
    if source.first is not None and source.first < 0:
        raise ValueError(f"--first is {source.first}, allowed is 0 or more")
    if not 0 <= source.seed < 1 << 64:
        raise ValueError(f"--seed is {source.seed}, allowed is 0 to {(1 << 64) - 1}")
    if source.align and not source.dataset:
        raise ValueError("--align is for the matrices of --dataset; channel models have a parameter "
                         "of their own (csifeedback_dataset generate --align)")
    of_w = model.text("matrices") == "W"
    nr = getattr(model, "nr", 1)
    if of_w and source.data is None:
        raise ValueError(f"{model.path} takes eigenvectors W (domain W): give --dataset, one of "
                         f"csifeedback_dataset eigenvectors, or the codec eigenvectors:model={model.path}")
    if source.data is not None:
        if of_w != (source.data.domain == "W"):
            raise ValueError(f"{source.dataset}: holds matrices {source.data.domain}, the model is for "
                             + ("W" if of_w else f"others ({trained_on(model)})"))
        source.data.check_zeros()
        channel = core.dataset_channel(source.dataset, source.drop_bad)
        available = int(channel.samples())
        if nr > 1:
            if source.data.nr != nr:
                raise ValueError(f"{source.dataset}: has UEs with {source.data.nr} antennas, the codec is "
                                 f"for {nr}")
            if source.align or source.drop_bad:
                raise ValueError("--align and --drop-bad are for codecs of UEs with one antenna, this one "
                                 f"is for {nr}")
            channel, available = core.receive_antennas(channel, nr), available // nr
        if channel.nt() != model.nt:
            raise ValueError(f"{source.dataset}: has matrices of {channel.nt()} antennas, the model "
                             f"is for {model.nt} ({trained_on(model)})")
        if whole or model.domain == "H":
            source.data.check_whole()
        if model.domain == "H" and channel.nc() != model.nc:
            raise ValueError(f"{source.dataset}: has matrices of {channel.nc() // nr} subcarriers, the "
                             f"model is for {model.nc // nr} ({trained_on(model)})")
        first = source.first or 0
        left = available - first
        if left < 1 or (source.samples or 1) > left:
            raise ValueError(f"{source.dataset}: has {available} "
                             f"{'matrices' if nr == 1 else f'UEs with {nr} antennas'}, asked for are "
                             f"{source.samples or 1} from number {first} on")
        return channel, source.samples or left, first
    if nr > 1:
        return _panel(source, model), source.samples or 2000, \
            FIRST if source.first is None else source.first
    if model.domain == "Ha" and plane_of(model):
        return _plane(source, model), source.samples or 2000, \
            FIRST if source.first is None else source.first
    # Codecs in Python without model file may leave nc open.
    sizes = {"nt": model.nt, **({"nc": model.nc} if model.nc else {})}
    channel = (make_channel(source.channel, seed=source.seed, **sizes) if source.channel
               else model_channel(model, seed=source.seed))
    return channel, source.samples or 2000, FIRST if source.first is None else source.first


def _panel(source: Source, model: Any) -> core.channel_model:
    """The channel model of UEs with several antennas and a planar array, at 10 MHz."""
    if not source.channel or not model.array:
        raise ValueError(f"the codec is for UEs with {model.nr} antennas: give --dataset, one of "
                         "csifeedback_dataset generate --nr, or --channel with a codebook")
    rows = model.nc // model.nr
    return make_drops(source.channel, n1=model.array[0], n2=model.array[1], nr=model.nr, nc=rows,
                      spacing_hz=BANDWIDTH_HZ / rows, seed=source.seed).model()


def _plane(source: Source, model: Any) -> core.channel_model:
    """The channel model of a planar array and one antenna, as a model of Ha takes it: the one that it was
    trained on, or another of the same bandwidth."""
    n1, n2, polarizations = model.array
    if polarizations != 2:
        raise ValueError(f"the model is for {array_text(model.array)}, channel models of planar arrays have 2: "
                         "give --dataset")
    known = conditions.of_model(model)
    about = {"n1": n1, "n2": n2, "nr": 1, "seed": source.seed}
    if source.channel:
        rows = model.nc or 52
        drops = make_drops(source.channel, **about, nc=rows,
                           spacing_hz=(known.bandwidth_hz or BANDWIDTH_HZ) / rows)
    elif not model.text("channel"):
        raise ValueError("the model names no channel that it was trained on: give --channel or --dataset")
    else:
        drops = drops_of(model.text("channel"), model.text("parameters"), **about)
    return drops.model(align=known.align is not False)


def warn_conditions(source: Source, models: Sequence[Any],
                    channel: core.channel_model) -> None:
    """Says on stderr what the matrices of the source have that the models were not trained on."""
    if source.data is not None:
        source.data.note_zeros()
        conditions.warn(source.data.path, conditions.of_dataset(source.data), models)
    else:
        conditions.warn(f"channel {source.channel or channel.name()}",
                        conditions.of_channel(channel), models)


def warn_source(source: Source, models: Sequence[Any]) -> None:
    """Says on stderr what the matrices of the source have that the models were not trained on, and
    whether their rows and columns look swapped."""
    channel, _, first = channel_of(source, models[0])
    warn_conditions(source, models, channel)
    cut = next((m for m in models if m.domain == "Ha"), None)
    if source.data is not None and cut:
        # Also those beyond --samples: one matrix alone may look so by chance.
        count = min(1000, channel.samples() - first)
        rows = core.generate_channels(channel, first, count, cut.na, cut.precursor)[0]
        conditions.warn_swapped(source.dataset, rows, source.data.whole)


def has_rows_alone(source: Source) -> bool:
    """Whether the matrices are those of a data set of delay rows."""
    return source.data is not None and not source.data.whole


def check_gains(source: Source) -> None:
    """ValueError if a matrix of the data set has a gain that no feedback frame carries."""
    data = source.data
    if data is not None:
        with np.errstate(divide="ignore"):
            sent_gain(10 * np.log10(data.energy.astype(np.float64) / (data.rows * data.nt)))


def validation_matrices(source: Source, models: Sequence[Any], count: int) -> Tuple[Evaluator, int]:
    """(Evaluator of `count` validation matrices, number of matrices of a data set that they take
    from its begin). Of a channel model they are others than those of training and test."""
    if source.dataset:
        channel, available, first = channel_of(source, models[0])
        count = min(count, available // 5)
        if count < 1:
            raise ValueError(f"{source.dataset}: has {available} matrices, of which a fifth is for "
                             "validation: at least 5 are needed")
        source = dataclasses.replace(source, samples=count, first=first)
        return test_matrices(source, models, rho_samples=0), count
    source = dataclasses.replace(source, samples=count, first=VALIDATION_FIRST)
    return test_matrices(source, models, rho_samples=0), 0


def test_matrices(source: Source, models: Sequence[Any], whole: bool = False,
                  rho_samples: int = 500, skip: int = 0, subbands: int = SUBBANDS) -> Evaluator:
    """An Evaluator with the matrices of the source, in each domain that a model takes.

    models: of all codecs; whole: H is needed in any case. The first model fixes the channel,
    the first one of domain Ha the rows that are kept. skip: matrices of a data set to leave out
    at its begin, since validation has them. subbands: of SGCS. What the models were not trained on
    is said by `warn_source`.
    """
    whole = whole or source.align or any(m.domain == "H" for m in models)
    cut = next((m for m in models if m.domain == "Ha"), None)
    channel, count, first = channel_of(source, models[0], whole)
    first, count = first + skip, count - (skip if source.samples is None else 0)
    if source.data is not None:
        nr = getattr(models[0], "nr", 1)
        available = channel.samples() if nr == 1 else len(source.data) // nr
        if first + count > available:
            raise ValueError(f"{source.dataset}: has {available} matrices, of which {skip} are "
                             f"for validation: --samples {count} are too many")
    array = None if cut is None else plane_of(cut) or (cut.nt, 1, 1)
    # The codec says which transform full-band matrices get, whatever the data set says of its ports.
    whole = whole or cut is not None and source.data is not None and source.data.whole \
        and array != channel.array()
    transform = core.angular_delay_transform(core.csi_shape(
        "Ha", cut.na, channel.nt(), channel.nc(), cut.precursor, array)) if cut and whole else None
    progress = Progress("channels", count)
    blocks: Dict[str, List[np.ndarray]] = {"h": [], "ha": [], "energy_lost": []}
    for start in range(0, count, 500):
        step = min(500, count - start)
        if whole:
            h = core.generate_channels(channel, first + start, step)[0]
            blocks["h"].append(align_matrices(h) if source.align else h)
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
                     array=array if transform else channel.array(),
                     rho_samples=rho_samples, subbands=subbands, **arrays)
