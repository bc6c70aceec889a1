#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Arrays of the antenna ports of a BS: (N1, N2, polarizations), columns, rows and polarizations. A line
has one row and one polarization; None stands for one too."""

from typing import Any, Dict, Optional, Tuple

Array = Tuple[int, int, int]


def plane_of(thing: Any) -> Optional[Array]:
    """The array of what has an attribute `array`, such as a model_file or a data set; None of a line."""
    if thing.array is None:
        return None
    n1, n2, polarizations = thing.array
    return None if n2 * polarizations == 1 else (n1, n2, polarizations)


def array_attributes(array: Optional[Array]) -> Dict[str, int]:
    """What the files of data sets and models say of an array: of a line nothing."""
    if array is None or array[1] * array[2] == 1:
        return {}
    return dict(zip(("n1", "n2", "polarizations"), map(int, array)))


def array_text(array: Array) -> str:
    """An array in words: "a line of 32 ports", or "4 x 4 ports of 2 polarizations"."""
    n1, n2, polarizations = array
    if n2 * polarizations == 1:
        return f"a line of {n1} ports"
    return f"{n1} x {n2} ports of {polarizations} polarization" + "s" * (polarizations > 1)
