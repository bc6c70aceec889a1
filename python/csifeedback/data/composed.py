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
import math
import re
from typing import Any, Callable, List, Optional, Sequence, Tuple

import numpy as np

#: What the two parts of complex numbers are called, in lower case: fields of a compound, columns of a
#: table, arrays of a file.
REAL, IMAGINARY = ("r", "re", "real"), ("i", "im", "imag", "imaginary")
MAGNITUDE = ("magnitude", "mag", "amplitude", "amp", "abs", "absolute")
PHASE = ("phase", "ph", "pha", "angle", "arg", "argument")
#: (kind, names of the first part, names of the second part)
PARTS = (("parts", REAL, IMAGINARY), ("parts", ("i",), ("q",)), ("polar", MAGNITUDE, PHASE))


def words_of(name: str) -> List[str]:
    """The words of a name in lower case, without numbers: H_re[3] has h and re, area has one word."""
    return re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())


class Parts:
    """A complex array of two real ones.

    first, second: real and imaginary part; with polar: amplitude and phase, in degrees or in radians;
    None: in radians if they are within one turn. Raises ValueError if they do not fit together, or are no
    amplitudes and phases, which takes reading them.
    """

    def __init__(self, first: Any, second: Any, polar: bool = False,
                 degrees: Optional[bool] = False) -> None:
        if tuple(first.shape) != tuple(second.shape):
            raise ValueError(f"the two arrays have the shapes {tuple(first.shape)} and "
                             f"{tuple(second.shape)}, allowed is one shape")
        for array in (first, second):
            if array.dtype.names or array.dtype.kind not in "fiu":
                raise ValueError(f"the two arrays are {first.dtype} and {second.dtype}, allowed are "
                                 "real numbers")
        self._first, self._second, self.polar = first, second, polar
        self.is_unsigned = "u" in (first.dtype.kind, second.dtype.kind)
        self._scale = np.pi / 180 if degrees else 1.0
        self.shape, self.dtype = tuple(first.shape), np.dtype(np.complex128)
        #: what amplitudes and phases were taken for
        self.said = ""
        if polar:
            ranges = value_range(first)[:2], value_range(second)[:2]
            check_polar(*ranges, degrees)
            self.said = ("the amplitudes are {:.4g} to {:.4g}, the phases {:.4g} to {:.4g} ".format(
                *ranges[0], *ranges[1]) + ("degrees" if degrees else "radians"))

    def __getitem__(self, index: Tuple[slice, ...]) -> np.ndarray:
        first, second = (np.asarray(array[index], np.float64)
                         for array in (self._first, self._second))
        if self.polar:
            return first * np.exp(1j * self._scale * second)
        return first + 1j * second


class Field:
    """One field of an array of compounds."""

    def __init__(self, array: Any, name: str) -> None:
        self._array, self._name = array, name
        self.shape, self.dtype = tuple(array.shape), array.dtype[name]

    def __getitem__(self, index: Tuple[slice, ...]) -> np.ndarray:
        return np.asarray(self._array[index])[self._name]


class RealParts:
    """The parts of complex numbers as a real array with one more axis, of two: real parts (or a field), and
    imaginary parts (or another one)."""

    def __init__(self, array: Any, fields: Sequence[str] = ()) -> None:
        self._array, self._fields = array, fields
        self.shape, self.dtype = (*array.shape, 2), np.dtype(np.float64)

    def __getitem__(self, index: Tuple[slice, ...]) -> np.ndarray:
        x = np.asarray(self._array[index[:-1]])
        parts = [x[name] for name in self._fields] if self._fields else [x.real, x.imag]
        return np.stack(parts, -1)[(..., index[-1])]


def _blocks(array, block_bytes=1 << 26):
    """The finite numbers of a real array, as float64, block by block."""
    shape = tuple(array.shape)
    rows = max(1, block_bytes // max(1, array.dtype.itemsize * math.prod(shape[1:])))
    for first in range(0, shape[0], rows) if shape else (None,):
        index = () if first is None else (slice(first, first + rows),) + (slice(None),) * (len(shape) - 1)
        x = np.asarray(array[index], np.float64)
        yield x[np.isfinite(x)]


def has_negative(array: Any) -> bool:
    """Whether a number of a real array is negative; reads no more of it than this takes."""
    return any(x.size and x.min() < 0 for x in _blocks(array))


def value_range(array: Any, block_bytes: int = 1 << 26) -> Tuple[float, float, float, float]:
    """(least, most, mean, standard deviation) of the finite numbers of a real array, which is read
    in blocks; (0, 0, 0, 0) if there are none."""
    least, most, count, total, squares = math.inf, -math.inf, 0, 0.0, 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        for x in _blocks(array, block_bytes):
            if x.size:
                least, most = min(least, x.min()), max(most, x.max())
                count, total, squares = count + x.size, total + x.sum(), squares + np.square(x).sum()
    if not count:
        return 0.0, 0.0, 0.0, 0.0
    mean = total / count
    return float(least), float(most), float(mean), math.sqrt(max(0.0, squares / count - mean * mean))


def check_polar(amplitudes: Tuple[float, float], phases: Tuple[float, float],
                degrees: Optional[bool]) -> None:
    """ValueError if ranges (least, most) are not those of amplitudes and phases; degrees: None: not
    known."""
    if amplitudes[0] < 0:
        raise ValueError(f"the amplitudes are {amplitudes[0]:.4g} to {amplitudes[1]:.4g}, allowed are "
                         "numbers from 0 on; values in dB are no amplitudes")
    if degrees is None and max(-phases[0], phases[1]) > 2 * math.pi + 1e-3:
        raise ValueError(f"the phases are {phases[0]:.4g} to {phases[1]:.4g}, more than one turn: --degrees or "
                         "--radians says what they are")


class Reshaped:
    """An array (n, columns) whose rows are reshaped. Raises ValueError if they cannot be."""

    def __init__(self, array: Any, shape: Sequence[int]) -> None:
        have = tuple(int(n) for n in array.shape)
        if len(have) != 2 or have[1] != math.prod(shape):
            raise ValueError(f"the array has shape {have}, which cannot be reshaped to "
                             f"(n, {', '.join(map(str, shape))})")
        self._array, self._rows = array, tuple(shape)
        self.shape, self.dtype = (have[0], *shape), array.dtype

    def __getitem__(self, index: Tuple[slice, ...]) -> np.ndarray:
        x = np.asarray(self._array[index[0], :])
        return x.reshape(len(x), *self._rows)[(slice(None), *index[1:])]


class Shaped:
    """A vector as an array of some shape, the last axis counts fastest.

    shape: one of its numbers may be -1, which is then what is left. Raises ValueError if it does not fit.
    """

    def __init__(self, array: Any, shape: Sequence[int]) -> None:
        have = tuple(int(n) for n in array.shape)
        count, known = math.prod(have), max(1, math.prod(n for n in shape if n != -1))
        if count != max(have, default=1):
            raise ValueError(f"--shape is for vectors, the array has shape {have}; --reshape is for rows")
        if list(shape).count(-1) > 1 or any(n < 1 and n != -1 for n in shape) or count % known or \
                (-1 not in shape and count != known):
            said = ",".join("n" if n == -1 else str(n) for n in shape)
            raise ValueError(f"--shape is {said}, which does not fit {count} numbers"
                             + (f" ({count} = {count // known} x {known} + {count % known})"
                                if count % known else ""))
        self.shape = tuple(count // known if n == -1 else int(n) for n in shape)
        self.dtype, self._array = array.dtype, array
        self._long = have.index(count) if count > 1 else 0
        self._dimensions = len(have)

    def __getitem__(self, index: Tuple[slice, ...]) -> np.ndarray:
        each = math.prod(self.shape[1:])
        first, last, _ = index[0].indices(self.shape[0])
        flat = [slice(None)] * self._dimensions
        flat[self._long] = slice(first * each, max(first, last) * each)
        x = np.asarray(self._array[tuple(flat)])
        return x.reshape(-1, *self.shape[1:])[(slice(None), *index[1:])]


#: order of real and imaginary parts in an axis that has both -> what it is
INTERLEAVED = {"iq": "I and Q by turns", "qi": "Q and I by turns",
               "reim": "all real parts, then all imaginary parts"}


class Interleaved:
    """A complex array of a real one, one axis of which has both parts.

    order: of INTERLEAVED. Raises ValueError if the numbers are not real, or an odd number.
    """

    def __init__(self, array: Any, axis: int, order: str) -> None:
        shape = [int(n) for n in array.shape]
        if array.dtype.names or array.dtype.kind not in "fiu":
            raise ValueError(f"an axis has /{order}, but the numbers are {array.dtype}, not real")
        if shape[axis] % 2:
            raise ValueError(f"the axis with /{order} has the length {shape[axis]}, allowed is an even one")
        shape[axis] //= 2
        self._array, self._axis, self._order = array, axis, order
        self.shape, self.dtype = tuple(shape), np.dtype(np.complex128)

    def __getitem__(self, index: Tuple[slice, ...]) -> np.ndarray:
        half = self.shape[self._axis]
        first, last, _ = index[self._axis].indices(half)

        def read(begin, end):
            return np.asarray(self._array[tuple(slice(begin, end) if i == self._axis else one
                                                for i, one in enumerate(index))], np.float64)

        if self._order == "reim":
            return read(first, last) + 1j * read(half + first, half + last)
        x = np.moveaxis(read(2 * first, 2 * last), self._axis, -1)
        one, two = x[..., 0::2], x[..., 1::2]
        return np.moveaxis(two + 1j * one if self._order == "qi" else one + 1j * two, -1, self._axis)


class Joined:
    """Arrays of one type, one behind the other, alike but for their length along one axis.

    openers: functions that return them, called whenever an array is read. shapes: of each. dtype: of
    all. axis: along which they are joined; None: they are stacked along a new first axis.
    """

    def __init__(self, openers: Sequence[Callable[[], Any]], shapes: Sequence[Sequence[int]], dtype: Any,
                 axis: Optional[int] = None) -> None:
        self._openers, self.dtype = openers, dtype
        self._axis, self._is_new = axis or 0, axis is None
        each = [(1, *shape) if axis is None else tuple(shape) for shape in shapes]
        self._ends = np.cumsum([shape[self._axis] for shape in each])
        self.shape = tuple(int(self._ends[-1]) if i == self._axis else int(n)
                           for i, n in enumerate(each[0]))

    def __getitem__(self, index: Tuple[slice, ...]) -> np.ndarray:
        first, last, step = index[self._axis].indices(self.shape[self._axis])
        if step != 1:
            raise ValueError(f"the step is {step}, allowed is 1")
        found = []
        number = int(np.searchsorted(self._ends, first, "right"))
        while first < last:
            begin = int(self._ends[number - 1]) if number else 0
            end = min(last, int(self._ends[number]))
            part = slice(first - begin, end - begin)
            inner = tuple(part if i == self._axis else one for i, one in enumerate(index))
            if end > first:
                array = self._openers[number]()
                found.append(np.asarray(array[inner[1:]])[None] if self._is_new
                             else np.asarray(array[inner]))
            first, number = end, number + 1
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
    return Joined([functools.partial(_same, a) for a in arrays], [first.shape] * len(arrays), first.dtype)


def _same(array):
    return array


def null_carriers(matrices: Any, count: int = 100) -> Optional[str]:
    """What to say about the subcarriers that are the same, or not finite, in the first `count`
    Matrices H, or None: null and DC carriers, which no receiver measures."""
    if matrices.domain != "H" or len(matrices) < 2:
        return None
    x = matrices.read(0, min(len(matrices), count))
    lost = ~np.isfinite(x).any(axis=(0, 2))
    same = (x == x[:1]).all(axis=(0, 2)) | lost
    if same.all() or not same.any():
        return None
    return (f"the subcarriers {as_carriers(np.flatnonzero(same))} are the same"
            f"{', or not finite,' if lost.any() else ''} in all matrices, as "
            f"null and DC carriers are; --carriers {as_carriers(np.flatnonzero(~same))} leaves them out")


def parse_numbers(option: str, text: str, count: int) -> np.ndarray:
    """Numbers of subcarriers or columns: "6:32,33:59" are 6 to 31 and 33 to 58 of those numbered from 0,
    in this order; parts are as slices of Python, "31:5:-1" counts down. option: what they are given
    with. count: how many there are. Raises ValueError."""
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
        raise ValueError(f"{option} has '{part}', {allowed}") from None
    if not numbers or len(set(numbers)) < len(numbers):
        raise ValueError(f"{option} is {text}, {allowed}")
    return np.array(numbers)


def parse_carriers(text: str, count: int) -> np.ndarray:
    """parse_numbers() of --carriers."""
    return parse_numbers("--carriers", text, count)


def as_carriers(numbers: Sequence[int]) -> str:
    """The same as text, ascending numbers in ranges: "6:32,33:59"."""
    ranges: Any = []
    for n in numbers:
        if ranges and ranges[-1][1] == n:
            ranges[-1][1] = n + 1
        else:
            ranges.append([n, n + 1])
    return ",".join(f"{a}:{b}" for a, b in ranges)
