#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Compact feedback frames: what UE and BS configure once."""

from dataclasses import dataclass
from typing import List, Sequence

from .. import csifeedback_python as core
from .parameters import ParameterError, check_range, refuse

#: Checksums by name, and their bits.
CHECKSUMS = {"crc24": 24, "crc16": 16, "crc11": 11, "none": 0}


@dataclass(frozen=True)
class CompactFrames:
    """The configuration of compact feedback frames, the same at both ends.

    numbers: of the configurations, 0 to 255, one for each UE in the order of the base station's
    ue_ids; none: each UE's own number. checksum: one of CHECKSUMS. number_bits: bits of the frame
    number that are sent, 8 to 10. gain_bits: bits of the gain, 0 to 12, in steps of 1/8 dB; 0: the
    gain is always min_gain_db. min_gain_db: smallest gain that can be sent, -256 to 255 dB.
    residual_energy: whether frames carry the encoder's residual energy.
    """

    numbers: tuple = ()
    checksum: str = "crc24"
    number_bits: int = 10
    gain_bits: int = 9
    min_gain_db: float = -40.0
    residual_energy: bool = False

    def configurations(self, ue_ids: Sequence[int]) -> List[core.compact_configuration]:
        """A core.compact_configuration for each of the UEs. Raises ParameterError."""
        if self.checksum not in CHECKSUMS:
            refuse("checksum", self.checksum, ", ".join(CHECKSUMS))
        check_range("number_bits", self.number_bits, 8, 10)
        check_range("gain_bits", self.gain_bits, 0, 12)
        top = 255 - ((1 << self.gain_bits) - 1) // 8
        check_range("min_gain_db", self.min_gain_db, -256, top)
        return [core.compact_configuration(
            number, ue, self.checksum, self.number_bits, self.gain_bits, self.min_gain_db,
            self.residual_energy) for number, ue in zip(self._numbers(ue_ids), ue_ids)]

    def check_age(self, max_age: int) -> None:
        """Raises ParameterError if the frame number is too short to tell ages up to max_age."""
        if max_age >= 1 << self.number_bits:
            refuse("max_age", max_age,
                   f"0 to {(1 << self.number_bits) - 1} with compact frames, which carry "
                   f"{self.number_bits} bits of the frame number")

    def _numbers(self, ue_ids):
        numbers = tuple(self.numbers)
        if not numbers:
            large = [ue for ue in ue_ids if ue > 255]
            if large:
                raise ParameterError("compact", f": UE {large[0]} is above 255, give the number of "
                                     "its configuration, 0 to 255")
            return tuple(ue_ids)
        for number in numbers:
            check_range("compact", number, 0, 255)
        if len(numbers) != len(ue_ids) or len(set(numbers)) != len(numbers):
            refuse("compact", ",".join(map(str, numbers)),
                   f"a number of its own for each UE, {len(ue_ids)} in all")
        return numbers
