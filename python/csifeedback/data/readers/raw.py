#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Numbers without a header: files of GNU Radio's File Sink, and the samples of SigMF recordings."""

import os
import re
from typing import Any

import numpy as np

from .base import Arrays

#: other names of types of SigMF: NumPy's, those of GNU Radio's File Sink and of UHD
NAMES = {"complex64": "cf32", "complex128": "cf64", "float16": "rf16", "float32": "rf32",
         "float64": "rf64", "int8": "ri8", "int16": "ri16", "int32": "ri32", "uint8": "ru8",
         "uint16": "ru16", "uint32": "ru32", "complex": "cf32", "float": "rf32", "int": "ri32",
         "short": "ri16", "byte": "ri8", "fc32": "cf32", "fc64": "cf64", "sc8": "ci8", "sc16": "ci16"}
_TYPE = re.compile(r"([cr])(f16|f32|f64|i8|i16|i32|u8|u16|u32)(_le|_be)?")
ALLOWED = "cf32, ci16, ci8 or another type of SigMF with _le or _be, or complex64, float32, int16 .."


def datatype(text: str) -> np.dtype:
    """The type of numbers that are named as in SigMF (cf32_le, ci16_be, ri8), or as in NAMES; without a
    byte order little-endian. Complex integers are compounds (r, i). Raises ValueError."""
    found = _TYPE.fullmatch(NAMES.get(text, text))
    if not found or (found[2] in ("i8", "u8")) and found[3]:
        raise ValueError(f"type of numbers is {text}, allowed is {ALLOWED}")
    kind, bits = found[2][0], int(found[2][1:])
    part = np.dtype(f"{'>' if found[3] == '_be' else '<'}{kind}{bits // 8}")
    if found[1] == "r":
        return part
    if part.kind == "f" and bits > 16:
        return np.dtype(f"{part.byteorder if part.byteorder != '=' else '<'}c{bits // 4}")
    return np.dtype([("r", part), ("i", part)])


def zero_of(dtype: Any) -> float:
    """What stands for zero: half of the range of unsigned numbers, as SigMF has it."""
    part = dtype[0] if dtype.names else dtype
    return float(1 << (8 * part.itemsize - 1)) if part.kind == "u" else 0.0


class Centred:
    """Unsigned complex numbers around zero, as floats."""

    def __init__(self, array: Any, zero: float) -> None:
        self._array, self._zero = array, zero
        self.shape = array.shape
        self.dtype = np.dtype(np.complex64 if array.dtype.names else np.float32)

    def __getitem__(self, index: Any) -> np.ndarray:
        x = self._array[index]
        if not x.dtype.names:
            return x.astype(np.float32) - np.float32(self._zero)
        return ((x["r"].astype(np.float32) - self._zero)
                + 1j * (x["i"].astype(np.float32) - self._zero)).astype(np.complex64)


def read_raw(path: str, text: str) -> Arrays:
    """The numbers of a file as one array "" (n,), which stays in the file. text: their type, as
    datatype() takes it. Raises ValueError if the size is no multiple, or floats are none."""
    dtype = datatype(text)
    size = os.path.getsize(path)
    if not size or size % dtype.itemsize:
        raise ValueError(f"has {size} bytes, which is no multiple of the {dtype.itemsize} bytes of {text}")
    array: Any = np.memmap(path, dtype, "r")
    check_floats(array[:1 << 16], text)
    zero = zero_of(dtype)
    found = Arrays()
    found.in_memory = False
    if zero and dtype.names:
        found.add("", Centred(array, zero), None, f"{zero:g} was subtracted from the unsigned numbers")
    else:
        found.add("", array)
    found.default = ""
    return found


def check_floats(x: np.ndarray, text: str) -> None:
    """ValueError if floats are what integers or another byte order look like: sizes all over the range."""
    part = x.dtype[0] if x.dtype.names else x.dtype
    if part.kind not in "fc" or not x.size:
        return
    parts = x.view(part if x.dtype.names else x.real.dtype)
    parts = parts.reshape(-1)
    with np.errstate(all="ignore"):
        sizes = np.abs(parts[parts != 0].astype(np.float64))
        odd = ~np.isfinite(sizes) | (sizes > 1e15) | (sizes < 1e-25)
    if sizes.size and np.mean(odd) > 0.02:
        known = sizes[np.isfinite(sizes)]
        found = f"magnitudes of {known.min():.3g} to {known.max():.3g}" if known.size else "none is finite"
        raise ValueError(f"{100 * np.mean(odd):.0f} % of the numbers are implausible as {text} ({found}): "
                         "choose another type or byte order")
