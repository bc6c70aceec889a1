#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Makes data sets of the domain W: eigenvectors of the subbands of channels, see `..eigenvectors`."""

import json
from typing import Any, Callable, Dict, Optional, Sequence, Tuple

import numpy as np

from .. import csifeedback_python as core
from ..eigenvectors import vectors
from . import generate
from .dataset import Dataset
from .generate import check_range

#: delay spreads that panel drops are drawn from, between the smallest and the largest one
SPREADS = 16
#: Parameters of the panel channel: name, type (None: yes or no), help.
PANEL = (
    ("n1", int, "columns of the BS array (default: 4)"),
    ("n2", int, "its rows (default: 4)"),
    ("nc", int, "subcarriers or resource blocks of H (default: 52)"),
    ("spacing_hz", float, "their distance (default: 180000)"),
    ("delay_spread_s", float, "RMS delay spread (default: 1e-7)"),
    ("max_delay_spread_s", float, f"draw one of {SPREADS} delay spreads for every drop, log-uniform up "
                                  "to this (default: 0, the same for all)"),
    ("angle_span_deg", float, "turn the mean azimuths of every drop by up to half of this either "
                              "way, 0 to 360 (default: 0)"),
    ("sector_element", None, "BS elements with the sector pattern of TR 38.901, Table 7.3-1 "
                             "(default: yes)"),
    ("seed", int, "of all random numbers (default: 1)"),
)


class PanelDrops:
    """Drops of `cdl_panel_channel` of several profiles in turn.

    profiles: letters A to E. max_delay_spread_s: if it is not 0, each drop has one of SPREADS delay
    spreads from delay_spread_s to this one, log-uniform. parameters: others of cdl_panel_channel,
    with elements of sectors unless sector_element is False.
    Raises ValueError if a parameter is out of range.
    """

    def __init__(self, profiles: Sequence[str], max_delay_spread_s: float = 0.0,
                 **parameters: Any) -> None:
        if not profiles:
            raise ValueError("profiles is empty, allowed are letters A to E")
        self.profiles = list(profiles)
        self.parameters: Dict[str, Any] = {
            "sector_element": True, "nr": 4, "nc": 52, "spacing_hz": 180e3, "delay_spread_s": 100e-9,
            "seed": 1, **parameters}
        least = self.parameters["delay_spread_s"]
        spreads = [least]
        if max_delay_spread_s:
            check_range("max_delay_spread_s", max_delay_spread_s, max(least, 1e-12), 1e-3)
            spreads = np.geomspace(max(least, 1e-12), max_delay_spread_s, SPREADS).tolist()
        self._channels = [
            core.cdl_panel_channel(profile, **{**self.parameters, "delay_spread_s": spread})
            for spread in spreads for profile in profiles]
        self.ports = self._channels[0].ports()
        self.nr, self.nc, self.seed = (int(self.parameters[name]) for name in ("nr", "nc", "seed"))
        self.spacing_hz = float(self.parameters["spacing_hz"])
        self.parameters["max_delay_spread_s"] = max_delay_spread_s

    def channels(self, first: int, count: int) -> np.ndarray:
        """Drops [first, first + count), complex64 (count, nc, nr, ports): drop i is of profile i
        modulo their number."""
        n = len(self._channels)
        return np.concatenate([self._channels[i % n].generate(i, 1)
                               for i in range(first, first + count)])

    def track(self, index: int, displacement: np.ndarray) -> np.ndarray:
        """Drop `index` while its UE moves: displacement (n, 2) along x and y in wavelengths; complex64
        (n, nc, nr, ports)."""
        return self._channels[index % len(self._channels)].track(index, displacement)


def of_panels(path: str, profiles: Sequence[str], samples: int, subbands: int = 13,
              layers: int = 1, first: int = 0, command: str = "", overwrite: bool = False,
              **parameters: Any) -> Dict[str, Any]:
    """Makes a data set W of drops of panel channels; sample i is layer i modulo `layers`.

    path: data set. profiles: letters A to E. samples: drops. subbands: N3. layers: of each drop.
    first: number of the first drop. command: for the file. parameters: of PanelDrops.
    Returns a summary, see generate.write(). Raises ValueError if a parameter is out of range.
    """
    drops = PanelDrops(profiles, **parameters)
    check_range("--samples", samples, 1, 1 << 28)
    check_range("--first", first, 0, (1 << 63) - 1 - samples)
    return _write(path, drops.channels, first, samples, subbands, layers, drops.nr, {
        "nc": drops.nc, "nt": drops.ports, "spacing_hz": drops.spacing_hz,
        "channel": "cdl-panel", "seed": drops.seed, "first": first, "command": command,
        "parameters": {"profiles": drops.profiles, **drops.parameters}}, overwrite)


def of_dataset(path: str, source: str, subbands: int = 13, layers: int = 1,
               samples: Optional[int] = None, first: int = 0, nr: int = 1, command: str = "",
               overwrite: bool = False) -> Dict[str, Any]:
    """Makes a data set W of the whole matrices of another one, of which nr one behind the other are
    those of the antennas of a UE: that is a drop. Others as of of_panels()."""
    with Dataset(source) as data:
        data.check_whole()
        if data.domain != "H":
            raise ValueError(f"{source}: holds matrices {data.domain}, allowed are those of H")
        check_range("--nr", nr, 1, 64)
        available = len(data) // nr - first
        count = available if samples is None else samples
        if first < 0 or not 1 <= count <= available:
            raise ValueError(f"{source}: has {len(data) // nr} drops of {nr} matrices, asked for are "
                             f"{count} from number {first} on")

        def channels(begin: int, number: int) -> np.ndarray:
            h = data.read(begin * nr, number * nr)
            return h.reshape(number, nr, data.nc, data.nt).swapaxes(1, 2)

        return _write(path, channels, first, count, subbands, layers, nr, {
            "nc": data.nc, "nt": data.nt, "spacing_hz": data.spacing_hz, "channel": data.channel,
            "parameters": {"dataset": data.fingerprint(), "nr": nr},
            "command": command}, overwrite)


def _write(path: str, channels: Callable[[int, int], np.ndarray], first: int, drops: int,
           subbands: int, layers: int, nr: int, about: Dict[str, Any], overwrite: bool
           ) -> Dict[str, Any]:
    """Writes W of drops. about: what the file says, with nc, nt and spacing_hz of H."""
    nc = about["nc"]
    check_range("--subbands", subbands, 1, nc)
    spacing = about["spacing_hz"] * nc / subbands
    check_range("--layers", layers, 1, min(nr, about["nt"]))
    attributes = {
        **about, "domain": "W", "nc": subbands, "na": subbands, "precursor": 0, "align": 0,
        "spacing_hz": spacing, "sample_interval_s": 0.0,
        "parameters": json.dumps({"spacing_hz": spacing, "layers": layers,
                                  "channels": about["parameters"]})}

    def make(begin: int, number: int) -> Tuple[np.ndarray, ...]:
        # Blocks may begin and end within a drop.
        low, high = begin // layers, -(-(begin + number) // layers)
        w = vectors(channels(first + low, high - low), subbands, layers)
        skip = begin - low * layers
        return (w.reshape(-1, *w.shape[2:])[skip:skip + number],)

    return generate.write(path, drops * layers, attributes, make, overwrite)
