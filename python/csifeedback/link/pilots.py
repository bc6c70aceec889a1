#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The pilots that base station and UE agree on."""

from dataclasses import dataclass
from typing import Any, Dict

from .. import csifeedback_python as core
from .. import evaluation
from ..codecs import OpenCodec
from ..conditions import parameters_of
from .parameters import ParameterError, check_range


@dataclass(frozen=True)
class Pilots:
    """Which pilots are sent and when: the same at both ends.

    bandwidth_mhz: of the NR carrier, 5, 10, 15, 20, 25, 30, 40, 50, ... spacing_khz: of
    subcarriers, 15, 30 or 60. period_ms: time from frame to frame, 0 to 1000; 0: one after the
    other. comb: port groups side by side in frequency. cdm_frequency, cdm_time: subcarriers and
    symbols of a cover code. cell_id: 0 to 1023. slot: of the pilot sequence, 0 to 159.
    """

    bandwidth_mhz: int = 5
    spacing_khz: int = 15
    period_ms: float = 5.0
    comb: int = 4
    cdm_frequency: int = 1
    cdm_time: int = 2
    cell_id: int = 0
    slot: int = 0

    def parameters(self, nt: int) -> Dict[str, Any]:
        """Keyword arguments of core.csirs_frame for nt ports. Raises ValueError."""
        check_range("nt", nt, 1, 64)
        check_range("period_ms", self.period_ms, 0, 1000)
        # csirs_frame knows which of these are allowed, as far as they are ints to it.
        for name in ("bandwidth_mhz", "spacing_khz", "comb", "cdm_frequency", "cdm_time", "cell_id",
                     "slot"):
            check_range(name, getattr(self, name), 0, (1 << 31) - 1)
        parameters = {"nt": nt, **core.csirs_frame.preset(self.bandwidth_mhz, self.spacing_khz),
                      "comb": self.comb, "cdm_frequency": self.cdm_frequency,
                      "cdm_time": self.cdm_time, "cell_id": self.cell_id, "slot": self.slot}
        if self.period_ms:
            frame = core.csirs_frame(**parameters)
            gap = round(self.period_ms * 1e-3 * frame.sample_rate()) - frame.frame_length()
            if gap < 0:
                raise ParameterError(
                    "period_ms", f" is {self.period_ms:g}, the frame of {nt} ports is "
                    f"{1e3 * period_s(frame):.2f} ms long")
            parameters["gap"] = gap
        return parameters


def period_s(frame: core.csirs_frame) -> float:
    """Time from frame to frame of a csirs_frame, in s."""
    return frame.frame_length() / frame.sample_rate()


def check_codec(codec: OpenCodec, frame: core.csirs_frame) -> None:
    """Raises ValueError unless a Codec fits the matrices that the pilots of a csirs_frame
    measure."""
    model = codec.model
    if model.text("matrices") == "W":
        raise ValueError(f"codec {codec.spec} takes eigenvectors W (domain W), pilots give H: name it "
                         f"as eigenvectors:model={codec.spec},rows={frame.nc()}")
    if model.nt != frame.nt():
        raise ValueError(f"codec {codec.spec} is for {model.nt} ports, the pilots are those of "
                         f"{frame.nt()} ({evaluation.trained_on(model)})")
    if model.domain == "H" and model.nc != frame.nc() * codec.nr:
        raise ValueError(f"codec {codec.spec} is for {model.nc // codec.nr} subcarriers, the pilots have "
                         f"{frame.nc()} ({evaluation.trained_on(model)})")
    # Delay rows are 1 / bandwidth long: nothing else of a codec of Ha depends on nc.
    try:
        spacing = float(parameters_of(model.text("parameters"))["spacing_hz"])
    except (ValueError, KeyError, TypeError):
        spacing = frame.spacing_hz() if model.nc != frame.nc() * codec.nr else 0
    bandwidth = frame.nc() * frame.spacing_hz()
    if spacing and not 0.9 < model.nc * spacing / bandwidth < 1.1:
        raise ValueError(f"codec {codec.spec} is for {model.nc * spacing / 1e6:g} MHz, the pilots "
                         f"have {bandwidth / 1e6:g} MHz ({evaluation.trained_on(model)})")
