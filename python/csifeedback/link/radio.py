#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Radios that UHD and SoapySDR drive."""

import contextlib
from dataclasses import dataclass
from typing import Any, List, Optional

from .parameters import ParameterError, refuse
from .transport import parse_address


@dataclass(frozen=True)
class Radio:
    """Settings of a radio, for the addresses uhd:ARGS and soapy:ARGS.

    frequency_hz: of the carrier. gain_db: None: the device's. antenna: name for all channels, or
    one for each with commas between them. clock_source: for example "external", None: the device's.
    channels: numbers of the device's channels with commas between them, None: 0, 1, ...
    """

    frequency_hz: "float | None" = None
    gain_db: "float | None" = None
    antenna: "str | None" = None
    clock_source: "str | None" = None
    channels: "str | None" = None

    def make(self, name: str, text: str, rate: float, nt: int, transmit: bool) -> Any:
        """A source block (transmit: a sink) with nt channels.

        name: of the parameter that has the address, for errors. text: uhd:ARGS or soapy:ARGS.
        rate: in samples/s, which the device has to offer exactly. Raises ValueError.
        """
        scheme, device = parse_address(name, text, ("uhd", "soapy"))
        if not self.frequency_hz or not self.frequency_hz > 0:
            raise ParameterError(name, f" {text}: needs --frequency, the carrier in Hz")
        try:
            channels = [int(c) for c in self.channels.split(",")] if self.channels \
                else list(range(nt))
        except ValueError:
            refuse("channels", self.channels, "numbers such as 0,1")
        antennas: List[Optional[str]] = [*self.antenna.split(",")] if self.antenna else [None]
        antennas = antennas * nt if len(antennas) == 1 else antennas
        for option, size in (("channels", len(channels)), ("antenna", len(antennas))):
            if size != nt:
                raise ParameterError(option, f" has {size} entries, there are {nt} ports")
        with _driver_errors(name, text):
            make = self._make_uhd if scheme == "uhd" else self._make_soapy
            return make(device, rate, channels, antennas, transmit)

    def _make_uhd(self, device, rate, channels, antennas, transmit):
        from gnuradio import uhd
        stream = uhd.stream_args(cpu_format="fc32", channels=channels)
        block = (uhd.usrp_sink if transmit else uhd.usrp_source)(device, stream)
        if self.clock_source:
            block.set_clock_source(self.clock_source)
            block.set_time_source(self.clock_source)
        block.set_samp_rate(rate)
        if len(channels) > 1:
            block.set_time_unknown_pps(uhd.time_spec(0.0))
        _check_rate(block.get_samp_rate(), rate)
        for number, antenna in enumerate(antennas):
            block.set_center_freq(self.frequency_hz, number)
            if self.gain_db is not None:
                block.set_gain(self.gain_db, number)
            if antenna:
                block.set_antenna(antenna, number)
        return block

    def _make_soapy(self, device, rate, channels, antennas, transmit):
        from gnuradio import soapy
        nt = len(channels)
        block = (soapy.sink if transmit else soapy.source)(
            device if "=" in device else f"driver={device}", "fc32", nt, "", "", [""] * nt,
            [""] * nt)
        if self.clock_source:
            block.set_clock_source(self.clock_source)
        for number in range(nt):
            block.set_sample_rate(number, rate)
        _check_rate(block.get_sample_rate(0), rate)
        for number, antenna in enumerate(antennas):
            block.set_frequency(number, self.frequency_hz)
            if self.gain_db is not None:
                block.set_gain(number, self.gain_db)
            if antenna:
                block.set_antenna(number, antenna)
        return block


def _check_rate(actual, rate):
    if abs(actual / rate - 1) > 1e-5:
        raise ValueError(f"the device offers {actual / 1e6:g} Msample/s, the pilots need "
                         f"{rate / 1e6:g}")


@contextlib.contextmanager
def _driver_errors(name, text):
    """Makes ParameterErrors of what the drivers raise."""
    try:
        yield
    except ImportError as error:
        module = "gr-" + text.partition(":")[0]
        raise ParameterError(name, f" {text}: GNU Radio is without {module} ({error})") from None
    except (RuntimeError, LookupError, TypeError, ValueError) as error:
        # UHD's messages go over several lines.
        raise ParameterError(name, f" {text}: " + " ".join(str(error).split())) from None
