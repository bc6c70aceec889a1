#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""A decoder of entropy-coded reports, for qa_entropy.py.

Written from docs/reports.md: lists and dictionaries in place of grids, a range decoder of
big integers, and floating point numbers only for what symbols stand for.
"""

import math

import numpy as np

CONTEXT_LIMITS = (1, 2, 4, 7, 12, 20, 32)


class RangeDecoder:
    """Symbols of a code, an integer of `count` bits with zeros behind it."""

    def __init__(self, bits, count):
        self.code, self.count = int.from_bytes(bytes(bits), "big") >> (-count % 8), count
        self.low, self.size, self.shifted = 0, 2**32 - 1, 0

    def symbol(self, frequencies):
        total = sum(frequencies)
        unit = self.size // total
        length = 32 + self.shifted
        code = self.code << (length - self.count) if length >= self.count \
            else self.code >> (self.count - length)
        at, begin = min((code - self.low) // unit, total - 1), 0
        for number, frequency in enumerate(frequencies):
            if at < begin + frequency:
                break
            begin += frequency
        self.low += unit * begin
        self.size = self.size - unit * begin if begin + frequency == total else unit * frequency
        while self.size < 2**24:
            self.low, self.size, self.shifted = self.low * 256, self.size * 256, self.shifted + 8
        return number

    def bits(self, count):
        value = 0
        for _ in range(count):
            value = 2 * value + self.symbol([1, 1])
        return value


def tables(model, name):
    return model.read(f"entropy/{name}").astype(int)


def size_class(bits):
    return min(max(math.floor(2 * math.log2(bits) + 1e-9) - 8, 0), 17)


def coefficients(model, bits, count):
    """(row patch, column patch, {(row, column): complex number}) of a report."""
    coder = RangeDecoder(bits, count)
    size = size_class(count)
    rate = 0 if size < 6 else 1 if size < 10 else 2
    step = coder.symbol(tables(model, "steps")[size].tolist())
    p = q = 0
    if model.has("entropy/rows"):
        p = coder.symbol(tables(model, "rows")[0].tolist())
        q = coder.symbol(tables(model, "columns")[0].tolist())
        level = tables(model, "rows_level")[p][:, None] + tables(model, "columns_level")[q]
    else:
        level = tables(model, "level")[None]
    width = 4 * model.read("entropy/unit")[0] * 2 ** (-step / 4)
    magnitudes, shift = tables(model, "magnitudes")[rate], model.read("entropy/shift")
    near, found = {}, {}
    for k in range(level.shape[0]):
        for j in range(level.shape[1]):
            # Half octaves of the expected size in steps, 10: as large as a step.
            c = min((level[k, j] + 2 * step + 26) // 4, 27)
            if c < 0:
                continue
            around = (2 * near.get((k, j - 1), 0) + near.get((k, j - 2), 0)
                      + 2 * near.get((k - 1, j), 0) + near.get((k - 2, j), 0))
            low = max((c - 10) // 2 - 1, 0)
            values, real = [], 0
            for part in range(2):
                context = sum(around + 4 * min(real, 8) * part >= n for n in CONTEXT_LIMITS)
                m = coder.symbol(magnitudes[c, context].tolist())
                if m == 11:
                    length = 1
                    while length < 17 and coder.bits(1):
                        length += 1
                    m += (1 << (length - 1) | coder.bits(length - 1)) - 1
                if low:
                    m = m << low | coder.symbol([1] * (1 << low))
                sign = -1 if m and coder.bits(1) else 1
                values.append(sign * width * (m - shift[c, min(m, 3) - 1]) if m else 0)
                if not part:
                    real = m
            near[k, j] = min(real + m, 8)
            found[k, j] = complex(*values)
    return p, q, found


def decode(model, bits, count):
    """The matrix of a report of a local KLT or a KLT, in the scale of the encoder."""
    p, q, found = coefficients(model, bits, count)
    if model.has("entropy/rows"):
        x = np.zeros((model.na, model.nt), complex)
        for at, value in found.items():
            x[at] = value
        u, w = (model.read(f"encoder/{side}_basis")[n] for side, n in (("rows", p), ("columns", q)))
        return (u[..., 0] + 1j * u[..., 1]).T @ x @ (w[..., 0] + 1j * w[..., 1])
    u = model.read("encoder/W_complex")
    u = u[..., 0] + 1j * u[..., 1]
    # The real and imaginary parts of u^H x are neighbours.
    return sum(value * u[j] for (_, j), value in found.items()).reshape(model.na, model.nt)
