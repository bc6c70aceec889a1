#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Codes of a range coder in big-integer arithmetic, for test_range_coder.cc.

Written from the description in lib/core/report/range_coder.h. The low end of the interval is one
integer of any length, so there are no carries, no pending bytes and no bytes that are written too
early; the decoder compares whole integers as well.

Writes a text file. A line of each case has

    NAME SYMBOLS BITS HEX

and is followed by SYMBOLS lines "BEGIN COUNT TOTAL"; the code has BITS bits, HEX fills them up to
whole bytes ("-": none).

Usage: range_coder_oracle.py FILE
"""

import argparse
import random


def encode(symbols):
    """(number of bits, value of these bits) of a list of (begin, count, total)."""
    low, size, shifted = 0, 2**32 - 1, 0
    for begin, count, total in symbols:
        unit = size // total
        low += unit * begin
        size = size - unit * begin if begin + count == total else unit * count
        while size < 2**24:
            low, size, shifted = low * 256, size * 256, shifted + 8
    # As few bits as possible of a number in [low, low + size).
    for zeros in range(32, -1, -1):
        value = -(-low // 2**zeros)
        if value * 2**zeros < low + size:
            return shifted + 32 - zeros, value


def decode(bits, value, symbols):
    """The parts [begin, begin + count) that the decoder finds; symbols tells the alphabet: each
    total is cut into the symbol that was sent and what is below and above."""
    size, shifted, low = 2**32 - 1, 0, 0
    found = []
    for begin, count, total in symbols:
        # The code as an integer with 32 bits behind what was shifted.
        length = 32 + shifted
        code = value << (length - bits) if length >= bits else value >> (bits - length)
        unit = size // total
        at = min((code - low) // unit, total - 1)
        for b, c in ((0, begin), (begin, count), (begin + count, total - begin - count)):
            if b <= at < b + c:
                found.append((b, c))
                low += unit * b
                size = size - unit * b if b + c == total else unit * c
                break
        while size < 2**24:
            low, size, shifted = low * 256, size * 256, shifted + 8
    return found


def cases(rng):
    """(name, symbols)."""
    yield "empty", []
    yield "certain", [(0, 7, 7)] * 50
    yield "one-bit", [(1, 1, 2)]
    yield "first", [(0, 1, 65536)] * 9
    yield "last", [(65535, 1, 65536)] * 9
    # All ones and then a carry through all of them, or nearly one.
    for n in (1, 3, 4, 5, 40):
        yield f"carry-{n}", [(255, 1, 256)] * n + [(254, 2, 256), (65535, 1, 65536), (65535, 1, 65536)]
        yield f"no-carry-{n}", [(255, 1, 256)] * n + [(0, 1, 65536)]
    yield "thirds", [(1, 1, 3)] * 100
    for n in range(12):
        symbols = []
        for _ in range(rng.choice((1, 2, 10, 100, 400))):
            total = rng.choice((2, 3, 10, 255, 257, 4096, 40000, 65535, 65536))
            # Rare and likely symbols, at the ends often.
            count = max(1, min(total, round(total * rng.random() ** rng.choice((1, 4, 16)))))
            begin = rng.choice((0, total - count, rng.randrange(total - count + 1)))
            symbols.append((begin, count, total))
        yield f"random-{n}", symbols


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    args = parser.parse_args()
    with open(args.file, "w", encoding="ascii") as file:
        for name, symbols in cases(random.Random(1)):
            bits, value = encode(symbols)
            assert decode(bits, value, symbols) == [(b, c) for b, c, _ in symbols], name
            size = -(-bits // 8)
            text = (value << (8 * size - bits)).to_bytes(size, "big").hex() or "-"
            print(name, len(symbols), bits, text, file=file)
            for symbol in symbols:
                print(*symbol, file=file)


if __name__ == "__main__":
    main()
