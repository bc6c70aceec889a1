#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Arrays that are made of several: two real ones, one of each file, the cells of a MATLAB array.

What is here has `shape` and `dtype` and is indexed with a tuple of slices, like an array that stays
in its file.
"""

import functools
from typing import Any, Callable, Optional, Sequence, Tuple

import numpy as np


class Parts:
    """A complex array of two real ones.

    first, second: real and imaginary part; with polar: amplitude and phase in radians, with degrees
    in degrees. Raises ValueError if they do not fit together.
    """

    def __init__(self, first: Any, second: Any, polar: bool = False, degrees: bool = False) -> None:
        if tuple(first.shape) != tuple(second.shape):
            raise ValueError(f"the two arrays have the shapes {tuple(first.shape)} and "
                             f"{tuple(second.shape)}, allowed is one shape")
        for array in (first, second):
            if array.dtype.names or array.dtype.kind not in "fiu":
                raise ValueError(f"the two arrays are {first.dtype} and {second.dtype}, allowed are "
                                 "real numbers")
        self._first, self._second, self._polar = first, second, polar
        self._scale = np.pi / 180 if degrees else 1.0
        self.shape, self.dtype = tuple(first.shape), np.dtype(np.complex128)

    def __getitem__(self, index: Tuple[slice, ...]) -> np.ndarray:
        first, second = (np.asarray(array[index], np.float64)
                         for array in (self._first, self._second))
        if self._polar:
            return first * np.exp(1j * self._scale * second)
        return first + 1j * second


class Joined:
    """Arrays of one shape and type, one behind the other.

    openers: functions that return them, called whenever an array is read. shape, dtype: of each.
    axis: along which they are joined; None: they are stacked along a new first axis.
    """

    def __init__(self, openers: Sequence[Callable[[], Any]], shape: Sequence[int], dtype: Any,
                 axis: Optional[int] = None) -> None:
        self._openers, self.dtype = openers, dtype
        self._axis, self._is_new = axis or 0, axis is None
        shape = tuple(int(n) for n in shape)
        each = (1, *shape) if axis is None else shape
        self._each = each[self._axis]
        self.shape = tuple(n * len(openers) if i == self._axis else n for i, n in enumerate(each))

    def __getitem__(self, index: Tuple[slice, ...]) -> np.ndarray:
        first, last, step = index[self._axis].indices(self.shape[self._axis])
        if step != 1:
            raise ValueError(f"the step is {step}, allowed is 1")
        found = []
        for number in range(first // self._each, -(-last // self._each)):
            begin = number * self._each
            part = slice(max(first, begin) - begin, min(last, begin + self._each) - begin)
            inner = tuple(part if i == self._axis else one for i, one in enumerate(index))
            array = self._openers[number]()
            found.append(np.asarray(array[inner[1:]])[None] if self._is_new
                         else np.asarray(array[inner]))
        if not found:
            return np.empty([len(range(*one.indices(n))) for one, n in zip(index, self.shape)],
                            self.dtype)
        return np.concatenate(found, axis=self._axis)


def stacked(arrays: Sequence[Any], what: str) -> Any:
    """Arrays as one with a new first axis; the array itself if it is the only one. Raises ValueError
    if they are not alike; what: what they are of."""
    first = arrays[0]
    if len(arrays) == 1:
        return first
    for number, array in enumerate(arrays):
        if (tuple(array.shape), array.dtype) != (tuple(first.shape), first.dtype):
            raise ValueError(f"{what}: number 1 is {first.dtype} of shape {tuple(first.shape)}, number "
                             f"{number + 1} is {array.dtype} of shape {tuple(array.shape)}; one of them "
                             "is read by its number in braces")
    return Joined([functools.partial(_same, a) for a in arrays], first.shape, first.dtype)


def _same(array):
    return array


def null_carriers(matrices: Any, count: int = 100) -> Optional[str]:
    """What to say about the subcarriers that are the same in the first `count` Matrices H, or None:
    null and DC carriers, which no receiver measures."""
    if matrices.domain != "H" or len(matrices) < 2:
        return None
    x = matrices.read(0, min(len(matrices), count))
    same = (x == x[:1]).all(axis=(0, 2))
    if same.all() or not same.any():
        return None
    return (f"the subcarriers {as_carriers(np.flatnonzero(same))} are the same in all matrices, as "
            f"null and DC carriers are; --carriers {as_carriers(np.flatnonzero(~same))} leaves them out")


def parse_carriers(text: str, count: int) -> np.ndarray:
    """Numbers of subcarriers: "6:32,33:59" are 6 to 31 and 33 to 58 of those numbered from 0, in this
    order; parts are as slices of Python, "31:5:-1" counts down. count: subcarriers that there are.
    Raises ValueError."""
    allowed = f"allowed are parts such as 6:32 or 7 of 0 to {count - 1}, each number once"
    numbers = []
    try:
        for part in text.split(","):
            bounds = [int(n) if n.strip() else None for n in part.split(":")]
            if len(bounds) > 3 or any(n is not None and abs(n) > count for n in bounds[:2]):
                raise ValueError
            if len(bounds) == 1:
                numbers.append(range(count)[bounds[0]])  # type: ignore[index]
            else:
                numbers += range(count)[slice(*bounds)]
    except (ValueError, IndexError, TypeError):
        raise ValueError(f"--carriers has '{part}', {allowed}") from None
    if not numbers or len(set(numbers)) < len(numbers):
        raise ValueError(f"--carriers is {text}, {allowed}")
    return np.array(numbers)


def as_carriers(numbers: Sequence[int]) -> str:
    """The same as text, ascending numbers in ranges: "6:32,33:59"."""
    ranges: Any = []
    for n in numbers:
        if ranges and ranges[-1][1] == n:
            ranges[-1][1] = n + 1
        else:
            ranges.append([n, n + 1])
    return ",".join(f"{a}:{b}" for a, b in ranges)
