#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What a paper claims, and whether the numbers of an experiment bear it out."""

import dataclasses
from typing import Any, Dict, Iterable, Optional

Row = Dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Claim:
    """text: what the paper says. holds: None where the numbers do not decide it. evidence: the
    numbers."""

    text: str
    holds: Optional[bool]
    evidence: str

    @property
    def word(self) -> str:
        return {True: "holds", False: "does not hold", None: "not decided"}[self.holds]

    def __str__(self) -> str:
        return f"{self.word}: {self.text} ({self.evidence})"


def lower(a: Row, b: Row) -> Optional[bool]:
    """Whether the NMSE of row a is below that of row b; None if their 95 % intervals overlap."""
    if a["nmse_db_high"] < b["nmse_db_low"]:
        return True
    return False if a["nmse_db_low"] > b["nmse_db_high"] else None


def every(values: Iterable[Optional[bool]]) -> Optional[bool]:
    """False if one is False, else None if one is None or there is none, else True."""
    values = list(values)
    if False in values:
        return False
    return None if None in values or not values else True
