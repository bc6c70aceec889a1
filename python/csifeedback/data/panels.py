#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Channels between dual-polarized planar arrays and UEs with several antennas, for data sets: CDL, and the
scenarios UMa, UMi, RMa and InH."""

import json
from typing import Any, Dict, Sequence, Union

import numpy as np

from .. import csifeedback_python as core
from ..arrays import Array, array_attributes
from ..channels import SCENARIOS

#: delay spreads that drops are drawn from, between the smallest and the largest one
SPREADS = 16
#: Parameters of the arrays: name, type, help.
ARRAYS = (
    ("n1", int, "columns of a planar BS array of two polarizations: 2 N1 N2 ports"),
    ("n2", int, "its rows"),
    ("spacing1", float, "distance of its columns in wavelengths (default: 0.5)"),
    ("spacing2", float, "distance of its rows of ports in wavelengths (default: 0.5)"),
    ("rows_per_port", int, "rows of elements of each port (default: 1)"),
    ("electrical_downtilt_deg", float, "to where the rows of a port point together (default: 0)"),
)
#: Parameters of panels of CDL alone, TR 38.901, 7.7.5.1 and 7.1.3.
OF_ANGLES = (
    ("asd_deg", float, "scale all azimuths of departure to this RMS spread (default: as in the profile)"),
    ("asa_deg", float, "likewise azimuths of arrival"),
    ("zsd_deg", float, "likewise zeniths of departure"),
    ("zsa_deg", float, "likewise zeniths of arrival"),
    ("bearing_deg", float, "azimuth to which the BS array looks (default: 0)"),
    ("ue_bearing_deg", float, "azimuth to which the UE's array looks (default: 0)"),
)
#: What panels take of the parameters of a channel model, beside ARRAYS and nr.
OF_CDL = ("nc", "spacing_hz", "seed", "delay_spread_s", "max_delay_spread_s", "angle_span_deg",
          "sector_element", "downtilt_deg", *(name for name, _, _ in OF_ANGLES))
OF_SCENARIOS = ("nc", "spacing_hz", "seed", "carrier_hz", "sector_element", "isd_m", "bs_height_m",
                "indoor_share", "high_loss_share", "penetration", "downtilt_deg", "path_loss", "release", "condition",
                "speed_mps", "slots_per_drop", "sample_interval_s")


class PanelDrops:
    """Drops of `cdl_panel_channel` of several profiles in turn.

    profiles: letters A to E. max_delay_spread_s: if it is not 0, each drop has one of SPREADS delay
    spreads from delay_spread_s to this one, log-uniform. parameters: others of cdl_panel_channel,
    with elements of sectors unless sector_element is False.
    Raises ValueError if a parameter is out of range.
    """

    #: of data sets
    name = "cdl-panel"
    sample_interval_s = 0.0

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
            if not max(least, 1e-12) <= max_delay_spread_s <= 1e-3:
                raise ValueError(f"max_delay_spread_s is {max_delay_spread_s}, allowed is "
                                 f"{max(least, 1e-12)} to 0.001")
            spreads = np.geomspace(max(least, 1e-12), max_delay_spread_s, SPREADS).tolist()
        self._channels = [
            core.cdl_panel_channel(profile, **{**self.parameters, "delay_spread_s": spread})
            for spread in spreads for profile in profiles]
        self.ports = self._channels[0].ports()
        self.array = _array(self._channels[0])
        self.nr, self.nc, self.seed = (int(self.parameters[name]) for name in ("nr", "nc", "seed"))
        self.spacing_hz = float(self.parameters["spacing_hz"])
        self.parameters["max_delay_spread_s"] = max_delay_spread_s
        #: what data sets say of the channels
        self.about = {"profiles": self.profiles, **self.parameters}

    def channels(self, first: int, count: int) -> np.ndarray:
        """Drops [first, first + count), complex64 (count, nc, nr, ports): drop i is of profile i
        modulo their number."""
        n = len(self._channels)
        return np.concatenate([self._channels[i % n].generate(i, 1)
                               for i in range(first, first + count)])

    def model(self, antenna: int = -1, **options: Any) -> core.channel_model:
        """The drops of a single profile and delay spread as a channel model, see core.receive_antennas."""
        if len(self._channels) > 1:
            raise ValueError(f"profiles has {len(self._channels)} channels, allowed is one")
        return core.receive_antennas(self._channels[0], antenna, **options)

    def track(self, index: int, displacement: np.ndarray) -> np.ndarray:
        """Drop `index` while its UE moves: displacement (n, 2) along x and y in wavelengths; complex64
        (n, nc, nr, ports)."""
        return self._channels[index % len(self._channels)].track(index, displacement)


class ScenarioDrops:
    """UEs of a scenario, of `scenario_panel_channel`.

    scenario: one of SCENARIOS. parameters: others of scenario_panel_channel.
    Raises ValueError if a parameter is out of range.
    """

    def __init__(self, scenario: str, **parameters: Any) -> None:
        self.parameters: Dict[str, Any] = {"nr": 4, "nc": 52, "spacing_hz": 180e3, "seed": 1,
                                           **parameters}
        self._channel = core.scenario_panel_channel(scenario, **self.parameters)
        self.name = f"{scenario}-panel"
        self.ports = self._channel.ports()
        self.array = _array(self._channel)
        self.nr, self.nc, self.seed = (int(self.parameters[name]) for name in ("nr", "nc", "seed"))
        self.spacing_hz = float(self.parameters["spacing_hz"])
        self.sample_interval_s = float(self.parameters.get("sample_interval_s", 1e-3)) \
            if self.parameters.get("slots_per_drop", 1) > 1 else 0.0
        self.about = {"scenario": scenario, **self.parameters}

    def channels(self, first: int, count: int) -> np.ndarray:
        """Samples [first, first + count), complex64 (count, nc, nr, ports)."""
        return self._channel.generate(first, count)

    def model(self, antenna: int = -1, **options: Any) -> core.channel_model:
        """The UEs as a channel model, see core.receive_antennas."""
        return core.receive_antennas(self._channel, antenna, **options)

    def link(self, index: int) -> Dict[str, Any]:
        """Large-scale parameters of the UE of a sample."""
        return self._channel.link(index)


def _array(channel: Any) -> Array:
    """(N1, N2, polarizations) of a panel channel."""
    return core.receive_antennas(channel).array()


Drops = Union[PanelDrops, ScenarioDrops]


def make_drops(channel: str, **parameters: Any) -> Drops:
    """Drops of a channel by its name, cdl-a to cdl-e or one of SCENARIOS. Raises ValueError for others, and
    for a parameter that it does not have."""
    if channel not in SCENARIOS and not channel.startswith("cdl-"):
        raise ValueError(f"channel is {channel}, allowed with a planar array are cdl-a to cdl-e, "
                         + ", ".join(SCENARIOS))
    allowed = {"nr", *(name for name, _, _ in ARRAYS),
               *(OF_SCENARIOS if channel in SCENARIOS else OF_CDL)}
    for name in parameters:
        if name not in allowed:
            raise ValueError(f"--{name.replace('_', '-')} is no parameter of the channel {channel} "
                             "with a planar array")
    if channel in SCENARIOS:
        return ScenarioDrops(channel, **parameters)
    return PanelDrops(channel[-1].upper(), **parameters)


def drops_of(channel: str, text: str, **changes: Any) -> Drops:
    """Drops of a data set of panels, or of a model trained on it, by its channel and parameters, with some
    changes. Raises ValueError if they are none."""
    try:
        about = json.loads(text)
        profiles, scenario = about.pop("profiles", None), about.pop("scenario", None)
        if channel == "cdl-panel" and profiles:
            return PanelDrops(profiles, **{**about, **changes})
        if channel == f"{scenario}-panel":
            return ScenarioDrops(scenario, **{**about, **changes})
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"the parameters of channel {channel} are not those of drops of panels: {error}"
                         ) from None
    raise ValueError(f"channel {channel} is none of planar arrays")


def antennas(drops: Drops, first: int, count: int) -> np.ndarray:
    """Matrices of single antennas of the UEs, one behind the other: complex64 (count, nc, ports), of which
    number i is antenna i modulo nr of drop i / nr."""
    low, high = first // drops.nr, -(-(first + count) // drops.nr)
    h = drops.channels(low, high - low).swapaxes(1, 2)
    h = h.reshape(-1, drops.nc, drops.ports)
    skip = first - low * drops.nr
    return np.ascontiguousarray(h[skip:skip + count])


def attributes(drops: Drops) -> Dict[str, Any]:
    """What a data set of matrices H, not aligned, says of drops."""
    return {"nc": drops.nc, "na": drops.nc, "nt": drops.ports, "nr": drops.nr, "precursor": 0,
            **array_attributes(drops.array), "align": 0, "spacing_hz": drops.spacing_hz, "channel": drops.name,
            "sample_interval_s": drops.sample_interval_s if drops.nr == 1 else 0.0,
            "parameters": json.dumps(drops.about), "seed": drops.seed}
