#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What all readers of files have in common."""

from typing import Any, Dict, List, Optional, Tuple


class Arrays:
    """The arrays of a file that has been read.

    shapes: name -> shape. axes: name -> what the axes are, as `csifeedback_dataset import --axes` takes
    it, where the format says so. notes: name -> what is to be known about the numbers. default: name of
    the array that is meant if none is named, or None. in_memory: reading an array again is cheap.
    """

    in_memory = True

    def __init__(self) -> None:
        self.arrays: Dict[str, Any] = {}
        self.axes: Dict[str, str] = {}
        self.notes: Dict[str, List[str]] = {}
        self.default: Optional[str] = None

    @property
    def shapes(self) -> Dict[str, Tuple[int, ...]]:
        """name -> shape of all arrays."""
        return {name: tuple(array.shape) for name, array in self.arrays.items()}

    def add(self, name: str, array: Any, axes: Optional[str] = None, *notes: str) -> None:
        """Adds an array; the first one with known axes is the default."""
        self.arrays[name] = array
        self.notes[name] = list(notes)
        if axes is not None:
            self.axes[name] = axes
            self.default = self.default or name

    def array(self, name: str) -> Any:
        """An array, which may stay in the file."""
        return self.arrays[name]


def limit(size: int, most: int, what: str) -> None:
    """ValueError if a file has too many bytes for a reader that keeps all of it in memory."""
    if size > most:
        raise ValueError(f"{what} has {size / 1e9:.3g} GB, allowed is {most / 1e9:.3g} GB (--max-gb)")
