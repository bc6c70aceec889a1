#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Whether matrices are what a model was trained on: alignment, delay rows, bandwidth, channel."""

import json
import os
import sys
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

import h5py
import numpy as np

from .arrays import Array, array_text

#: What files are called that nobody has given the name of a channel.
_UNNAMED = ("", "imported")


@dataclass(frozen=True)
class Conditions:
    """What a model or a data set says of its matrices; None where it says nothing.

    align: whether the earliest path is at delay zero. precursor: rows before delay zero, of Ha.
    bandwidth_hz: subcarriers times their distance. channel: name of the channel model.
    array: of the antenna ports, of a codec of Ha.
    """

    align: Optional[bool] = None
    precursor: Optional[int] = None
    bandwidth_hz: Optional[float] = None
    channel: Optional[str] = None
    array: Optional[Array] = None


def _bandwidth(nc, spacing_hz):
    return nc * spacing_hz if nc and spacing_hz and spacing_hz > 0 else None


def of_model(model: Any) -> Any:
    """The Conditions of a core.model_file, or of a codec in Python, which may have none."""
    if not model.path:
        return Conditions()
    parameters = parameters_of(model.text("parameters"))
    with h5py.File(model.path, "r") as file:
        align = file.attrs.get("align")
    return Conditions(
        align=None if align is None else bool(align),
        precursor=model.precursor if model.domain == "Ha" else None,
        bandwidth_hz=_bandwidth(model.nc, parameters.get("spacing_hz")),
        channel=_name(model.text("channel"), parameters),
        array=model.array if model.domain == "Ha" else None)


def of_dataset(data: Any) -> Any:
    """The Conditions of a Dataset. Whole matrices are cut as each model wants it."""
    return Conditions(align=bool(data.align), precursor=None if data.whole else data.precursor,
                      bandwidth_hz=_bandwidth(data.nc, data.spacing_hz),
                      channel=_name(data.channel, parameters_of(data.parameters)), array=data.array)


def of_channel(channel: Any) -> Any:
    """The Conditions of a channel model."""
    parameters = parameters_of(channel.parameters())
    return Conditions(align=parameters.get("align"),
                      bandwidth_hz=_bandwidth(channel.nc(), channel.spacing_hz()),
                      channel=channel.name() or None, array=channel.array())


def _name(channel, parameters):
    """Name of a channel; of drops of one profile with a planar array, that of the profile."""
    profiles = parameters.get("profiles")
    if channel == "cdl-panel" and isinstance(profiles, list) and len(profiles) == 1:
        return f"cdl-{str(profiles[0]).lower()}-panel"
    return channel or None


def parameters_of(text: str) -> Dict[str, Any]:
    """The parameters of a channel that a model or a data set states as JSON, none where it states none."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def named(model: Any) -> str:
    """What a model is called: its file without folder and extension, or its codec."""
    return os.path.basename(model.path).removesuffix(".h5") if model.path else model.codec


def warn(source: Any, found: Any, models: Any) -> None:
    """Says on stderr what differs between data and what each of the models was trained on.

    source: name of the data. found: their Conditions. models: core.model_file or alike.
    """
    said = set()
    for model in models:
        texts = differences(found, of_model(model))
        if texts and named(model) not in said:
            said.add(named(model))
            print(f"warning: {source} is not what {named(model)} was trained on: "
                  + "; ".join(texts)
                  + ("" if not texts[0].startswith("delays are abs") else
                     " (--align aligns them)" if found.precursor is None else
                     " (delay rows cannot be aligned: generate or import the full-band matrices H)"),
                  file=sys.stderr)


def warn_swapped(source: Any, ha: np.ndarray, whole: bool = False) -> None:
    """Says on stderr if rows and columns of Ha (n, na, nt) look swapped; whole: those of the matrices H that
    Ha was made of."""
    if looks_swapped(ha, whole):
        what, where = ("subcarriers and antennas", "last") if whole else ("delay rows and angles", "first")
        print(f"warning: {source}: {what} look swapped: the energy is in the {where} columns of Ha "
              "and spread over all rows; csifeedback_dataset import --axes names them", file=sys.stderr)


def warn_conjugate(source: Any, h: np.ndarray, na: int, precursor: int) -> None:
    """Says on stderr if matrices H (n, nc, nt) look conjugate: the first na delay rows, precursor of them before
    delay zero, have little of the energy, and nearly all of it in the conjugate."""
    power = np.mean(np.square(np.abs(np.fft.ifft(h, axis=1)), dtype=np.float64), axis=(0, 2))
    total, rows = power.sum(), np.arange(na) - precursor
    if not total > 0:
        return
    lost, lost_of_conjugate = (1 - power[of % len(power)].sum() / total for of in (rows, -rows))
    if lost > 0.5 and lost_of_conjugate < 0.1:
        print(f"warning: {source}: {100 * lost:.1f} % of the energy is in delay rows that are cut, of the "
              f"conjugate {100 * lost_of_conjugate:.1f} %: I and Q look swapped (try the conjugate: exchange --key "
              "and --imag, or /iq and /qi)", file=sys.stderr)


def differences(data: Any, model: Any) -> List[str]:
    """What differs between the Conditions of data and of a model, as a list of texts; what one of
    them does not say is not compared."""
    texts = []

    def both(name):
        values = getattr(data, name), getattr(model, name)
        return None if None in values or values[0] == values[1] else values

    if both("align"):
        names = {True: "aligned (earliest path at delay zero)", False: "absolute"}
        texts.append(f"delays are {names[data.align]}, of the model's training "
                     f"{names[model.align]}")
    if values := both("precursor"):
        texts.append("rows before delay zero are {}, the model's {}".format(*values))
    if values := both("array"):
        texts.append("ports are {}, the model's {}".format(*map(array_text, values)))
    if (values := both("bandwidth_hz")) and not np.isclose(values[0], values[1], rtol=1e-3):
        texts.append("bandwidth is {:g} MHz, the model's {:g} MHz".format(
            *(1e-6 * x for x in values)))
    if (values := both("channel")) and not set(values) & set(_UNNAMED):
        texts.append("the channel is {}, the model was trained on {}".format(*values))
    return texts


def looks_swapped(ha: np.ndarray, whole: bool = False) -> bool:
    """Whether rows and columns of Ha (n, na, nt) are likely to be swapped: the energy is in few columns next
    to zero, as delays have it, and all over the rows, as angles have it. whole: Ha was made of matrices H
    with swapped axes; the other direction of the DFT then puts delays into the last columns."""
    power = np.mean(np.square(np.abs(ha), dtype=np.float64), axis=0)
    total = power.sum()
    if not total > 0 or min(power.shape) < 8:
        return False

    def beginning(profile):
        return profile[:max(2, len(profile) // 4)].sum() / total

    columns = power.sum(axis=0)
    if whole:
        columns = np.roll(columns[::-1], 1)
    return beginning(columns) > 0.8 and beginning(power.sum(axis=1)) < 0.5
