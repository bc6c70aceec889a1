#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Makes data sets of the domain W: eigenvectors of the subbands of channels, see `..eigenvectors`."""

import json
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

import numpy as np

from ..arrays import array_attributes
from ..eigenvectors import stacked, vectors
from . import generate
from .dataset import Dataset
from .generate import SCENARIO, TILT, check_range
from .panels import ARRAYS, OF_ANGLES, SPREADS, Drops, PanelDrops, ScenarioDrops

#: Parameters of both kinds of drops: name, type (None: yes or no), help.
DROPS = (
    *ARRAYS,
    *TILT,
    ("nc", int, "subcarriers or resource blocks of H (default: 52)"),
    ("spacing_hz", float, "their distance (default: 180000)"),
    ("sector_element", None, "BS elements with the sector pattern of TR 38.901, Table 7.3-1 "
                             "(default: yes)"),
    ("seed", int, "of all random numbers (default: 1)"),
)
#: Those of CDL alone.
CDL = (
    ("delay_spread_s", float, "RMS delay spread (default: 1e-7)"),
    ("max_delay_spread_s", float, f"draw one of {SPREADS} delay spreads for every drop, log-uniform up "
                                  "to this (default: 0, the same for all)"),
    ("angle_span_deg", float, "turn the mean azimuths of every drop by up to half of this either "
                              "way, 0 to 360 (default: 0)"),
    *OF_ANGLES,
)
#: Those of scenarios alone.
OF_SCENARIOS = (("carrier_hz", float, "carrier (default: 3.5e9)"),
                *(option for option in SCENARIO if option[0] != "path_loss"))


def drops_of(profiles: Optional[Sequence[str]], scenario: Optional[str], **parameters: Any) -> Drops:
    """PanelDrops of profiles, or ScenarioDrops. Raises ValueError for a parameter of the other kind."""
    others = [name for name, _, _ in (CDL if scenario else OF_SCENARIOS)]
    for name in others:
        if name in parameters:
            raise ValueError(f"--{name.replace('_', '-')} is no parameter of the "
                             + (f"channel {scenario}" if scenario else "profiles"))
    return ScenarioDrops(scenario, **parameters) if scenario else PanelDrops(profiles or (), **parameters)


def of_drops(path: str, drops: Drops, samples: int, subbands: int = 13,
             layers: int = 1, first: int = 0, command: str = "", overwrite: bool = False,
             plane: bool = False, together: bool = False) -> Dict[str, Any]:
    """Makes a data set W of drops; sample i is layer i modulo `layers`, or with `together` all of drop i.

    path: data set. samples: drops. subbands: N3. layers: of each drop. first: number of the first drop.
    command: for the file. plane: whether it states the panel, so that codecs see W behind the 3-D DFT; else
    the ports are a line. together: the layers of a drop as one matrix, layer after layer. Returns a summary,
    see generate.write(). Raises ValueError if a parameter is out of range.
    """
    check_range("--samples", samples, 1, 1 << 28)
    check_range("--first", first, 0, (1 << 63) - 1 - samples)
    return _write(path, drops.channels, first, samples, subbands, layers, drops.nr, {
        "nc": drops.nc, "nt": drops.ports, "spacing_hz": drops.spacing_hz,
        "channel": drops.name, "seed": drops.seed, "first": first, "command": command,
        "parameters": drops.about, **(array_attributes(drops.array) if plane else {})}, overwrite, together)


def of_dataset(path: str, source: str, subbands: int = 13, layers: int = 1,
               samples: Optional[int] = None, first: int = 0, nr: Optional[int] = None,
               command: str = "", overwrite: bool = False, plane: bool = False,
               together: bool = False) -> Dict[str, Any]:
    """Makes a data set W of the whole matrices of another one, of which nr (default: as the file says) one
    behind the other are those of the antennas of a UE: that is a drop. Others as of of_drops()."""
    with Dataset(source) as data:
        data.check_whole()
        if data.domain != "H":
            raise ValueError(f"{source}: holds matrices {data.domain}, allowed are those of H")
        antennas: int = data.nr if nr is None else nr
        check_range("--nr", antennas, 1, 64)
        available = len(data) // antennas - first
        count = available if samples is None else samples
        if first < 0 or not 1 <= count <= available:
            raise ValueError(f"{source}: has {len(data) // antennas} drops of {antennas} matrices, asked for are "
                             f"{count} from number {first} on")

        def channels(begin: int, number: int) -> np.ndarray:
            h = data.read(begin * antennas, number * antennas)
            return h.reshape(number, antennas, data.nc, data.nt).swapaxes(1, 2)

        array = array_attributes(data.array)
        if plane and not array:
            raise ValueError(f"{source}: states no planar array, --plane needs one")
        return _write(path, channels, first, count, subbands, layers, antennas, {
            **(array if plane else {}), "nc": data.nc, "nt": data.nt, "spacing_hz": data.spacing_hz,
            "channel": data.channel,
            "parameters": {"dataset": data.fingerprint(), "nr": antennas},
            "command": command}, overwrite, together)


def _write(path: str, channels: Callable[[int, int], np.ndarray], first: int, drops: int,
           subbands: int, layers: int, nr: int, about: Dict[str, Any], overwrite: bool,
           together: bool) -> Dict[str, Any]:
    """Writes W of drops. about: what the file says, with nc, nt and spacing_hz of H."""
    nc = about["nc"]
    check_range("--subbands", subbands, 1, nc)
    spacing = about["spacing_hz"] * nc / subbands
    check_range("--layers", layers, 2 if together else 1, min(nr, about["nt"]))
    # Layers of a matrix, matrices of a drop.
    stack, each = (layers, 1) if together else (1, layers)
    rows = stack * subbands
    attributes = {
        **about, "domain": "W", "nc": rows, "na": rows, "precursor": 0, "align": 0,
        "spacing_hz": spacing, "sample_interval_s": 0.0,
        "parameters": json.dumps({"spacing_hz": spacing, "layers": layers,
                                  **({"together": True} if together else {}),
                                  "channels": about["parameters"]})}

    def make(begin: int, number: int) -> Tuple[np.ndarray, ...]:
        # Blocks may begin and end within a drop.
        low, high = begin // each, -(-(begin + number) // each)
        # H of many drops would be large.
        w = np.concatenate([vectors(channels(first + i, min(500, high - i)), subbands, layers)
                            for i in range(low, high, 500)])
        w = stacked(w) if together else w.reshape(-1, *w.shape[2:])
        skip = begin - low * each
        return (w[skip:skip + number],)

    return generate.write(path, drops * each, attributes, make, overwrite)
