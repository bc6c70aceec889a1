#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Tables in text files (CSV): real and imaginary part, amplitude and phase, complex numbers."""

import csv
import re
from typing import Any, Dict, List, Optional

import numpy as np

from ..composed import PARTS, check_polar, parse_numbers, words_of
from .base import Arrays

#: bytes at the beginning that tell what a text is
HEAD_BYTES = 1 << 16
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:nan|inf)"
_REAL = re.compile(rf"\s*({_NUMBER})\s*", re.IGNORECASE)
_COMPLEX = re.compile(rf"\s*\(?\s*({_NUMBER})\s*(?:([+-])\s*({_NUMBER})\s*\*?\s*[ijIJ])\s*\)?\s*",
                      re.IGNORECASE)
_IMAGINARY = re.compile(rf"\s*\(?\s*({_NUMBER})\s*\*?\s*[ijIJ]\s*\)?\s*", re.IGNORECASE)
_PAIR = re.compile(rf"\s*\(\s*({_NUMBER})\s*,\s*({_NUMBER})\s*\)\s*", re.IGNORECASE)


def head_text(path: str) -> Optional[str]:
    """The beginning of a file if it is text, else None."""
    with open(path, "rb") as file:
        head = file.read(HEAD_BYTES)
    if not head or b"\0" in head:
        return None
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:
            return None
        text = head[:error.start].decode("utf-8-sig")
    return text if all(c.isprintable() or c in "\r\n\t\f\x1b" for c in text) else None


def number_of(cell: str) -> Any:
    """A cell of a table as float or complex: 1.5, 1+2j, (1-2i), 3j, (1,2). Raises ValueError."""
    found = _REAL.fullmatch(cell)
    if found:
        return float(found[1])
    found = _COMPLEX.fullmatch(cell)
    if found:
        sign = -1.0 if found[2] == "-" else 1.0
        return complex(float(found[1]), sign * float(found[3]))
    found = _IMAGINARY.fullmatch(cell)
    if found:
        return complex(0.0, float(found[1]))
    found = _PAIR.fullmatch(cell)
    if found:
        return complex(float(found[1]), float(found[2]))
    raise ValueError(f"'{cell[:40]}' is no number")


def _lines(path):
    """Yields (number, line) of the lines that are no comments."""
    with open(path, newline="", encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            line = line.strip("\r\n")
            if line.strip() and not line.lstrip().startswith(("#", "%", "//")) \
                    or line.lstrip().startswith("#["):
                yield number, line


def _splitter(line):
    """A function that splits lines like this one into cells."""
    if line.lstrip().startswith("#["):  # a vector, as GNU Radio prints it
        return lambda text: text.strip()[2:].rstrip("]").split()
    for delimiter in ("\t", ";", ","):
        if delimiter in re.sub(r"\([^()]*\)", "", line):
            if delimiter == "," and "(" in line:
                return lambda text: re.split(r",(?![^()]*\))", text)
            return lambda text: next(csv.reader([text], delimiter=delimiter, skipinitialspace=True))
    return lambda text: re.sub(r"\s*([+-])\s+", r"\1", text).split() if _spaced(text) else text.split()


def _spaced(text):
    """Whether complex numbers of a line have spaces around their sign."""
    return re.search(r"\d\s+[+-]\s+[\d.]", text) is not None


def _is_header(cells):
    """Whether cells are names, not numbers: also 0, 1, 2 .. as pandas writes them, behind a name for the
    row that may be empty, and subcarriers or frequencies at equal distances."""
    if len(cells) > 3:
        try:
            steps = np.diff([float(cell) for cell in cells])
        except ValueError:
            steps = np.zeros(1)
        if steps[0] != 0 and np.allclose(steps, steps[0], rtol=1e-6, atol=0):
            return True
    if len(cells) > 2 and [c.strip().strip('"') for c in cells[1:]] in (
            [str(i) for i in range(len(cells) - 1)], [str(i) for i in range(1, len(cells))]):
        return True
    for cell in cells:
        try:
            number_of(cell)
        except ValueError:
            if not re.fullmatch(r"\s*[+-]?\d+,\d+\s*", cell):  # decimals with a comma are no name
                continue
        return False
    return True


def read_table(path: str, axis_names: Dict[str, str], columns: Optional[str] = None,
               degrees: Optional[bool] = None) -> Arrays:
    """The arrays of a table.

    axis_names: what an axis may be called. columns: those to take, as in --carriers, numbered from 0.
    degrees: of phases in columns whose names do not say it; None: in radians if within one turn.

    Without a first line of names the array "" has all cells, real or complex (lines, columns). With one,
    columns with real and imaginary part, or amplitude and phase, are the complex array `csi`, in their
    order; other columns are arrays of their own. If columns such as sample and antenna say where the
    numbers of a line belong, csi has these axes. Raises ValueError.
    """
    names, numbers, is_complex, lines = _read_cells(path, columns)
    found = Arrays()
    if names is None:
        found.add("", numbers)
        found.default = ""
        return found
    csi, taken, notes = _complex_columns(names, numbers, is_complex, degrees)
    index = [i for i, name in enumerate(names)
             if i not in taken and axis_names.get(name.lower(), "reim") != "reim"]
    if csi is None:
        taken = [i for i in range(len(names)) if i not in index]
        # One row of names, such as h0 to h63: a table of what they say.
        if len(taken) > 1 and len({tuple(words_of(names[i])) for i in taken}) == 1:
            taken, notes = _in_order(names, taken)
            csi = numbers[:, taken]
        else:
            taken, index = [], []
    if csi is not None and index and csi.ndim == 1:
        axes = ",".join(names[i].lower() for i in index)
        csi = _placed(csi, [numbers[:, i] for i in index], [names[i] for i in index], lines)
        found.add("csi", csi, axes, *notes)
    elif csi is not None:
        found.add("csi", csi, None, *notes)
        found.default, index = "csi", []
    for i, name in enumerate(names):
        if i not in taken and i not in index:
            found.add(name, numbers[:, i])
    return found


def _read_cells(path, columns):
    """(names or None, numbers (lines, columns), whether a column is complex, line numbers)."""
    names = split = chosen = None
    rows: List[List[Any]] = []
    numbers_of_lines = []
    width = 0
    for number, line in _lines(path):
        if split is None:
            split = _splitter(line)
        cells = split(line)
        if cells and not cells[-1].strip():  # a delimiter at the end
            cells.pop()
        if not width:
            width = len(cells)
            if _is_header(cells) and columns is None and not cells[0].strip():
                columns = "1:"  # the number of the row, as pandas writes it
            chosen = list(range(width)) if columns is None else parse_numbers("--columns", columns, width)
            if _is_header(cells):
                names = [cells[i].strip().strip('"') for i in chosen]
                continue
        if len(cells) != width:
            raise ValueError(f"line {number} has {len(cells)} columns, the first one has {width}")
        try:
            rows.append([number_of(cells[i]) for i in chosen])
        except ValueError as error:
            raise ValueError(f"line {number}: {error}" + (
                "; the names of columns are in the first line" if not rows else "")
                + ("; decimals have a point" if "," in str(error) and ";" in line else "")) from None
        numbers_of_lines.append(number)
    if not rows:
        raise ValueError("is a text without a table of numbers")
    if names is not None and len(set(names)) < len(names):
        raise ValueError("two columns have the same name")
    is_complex = [any(isinstance(row[i], complex) for row in rows) for i in range(len(rows[0]))]
    return names, np.array(rows), is_complex, numbers_of_lines


def _complex_columns(names, numbers, is_complex, degrees):
    """(complex array, its columns, notes) of the columns with two parts, (None, [], []) if there are
    none."""
    if any(is_complex):
        taken = [i for i, one in enumerate(is_complex) if one]
        if len({tuple(words_of(names[i])) for i in taken}) > 1:
            return None, [], []
        taken, notes = _in_order(names, taken)
        csi = numbers[:, taken]
        return csi[:, 0] if csi.shape[1] == 1 else csi, taken, notes
    words = [words_of(name) for name in names]
    for kind, first, second in PARTS:
        one, other = ([i for i, w in enumerate(words) if any(x in of for x in w)]
                      for of in (first, second))
        if not one or len(one) != len(other) or set(one) & set(other):
            continue
        one, notes = _in_order(names, one)
        identity = [[_without(names[i], of) for i in columns]
                    for columns, of in ((one, first), (other, second))]
        if len(set(identity[0])) < len(one) or set(identity[0]) != set(identity[1]):
            raise ValueError(f"the columns {', '.join(names[i] for i in one[:4])} .. and "
                             f"{', '.join(names[i] for i in other[:4])} .. are no pairs; --columns takes "
                             "some of them")
        other = [other[identity[1].index(name)] for name in identity[0]]
        x, y = numbers[:, one], numbers[:, other]
        text = f"{names[one[0]]}, {names[other[0]]}{' ..' if len(one) > 1 else ''} are "
        if kind == "parts":
            csi, text = x + 1j * y, text + "real and imaginary part"
        else:
            said = {w for i in other for w in words[i]}
            if said & {"deg", "degree", "degrees"}:
                degrees = True
            elif said & {"rad", "radian", "radians"}:
                degrees = False
            finite = [(float(np.nanmin(v, initial=0)), float(np.nanmax(v, initial=0))) for v in (x, y)]
            check_polar(finite[0], finite[1], degrees)
            csi = x * np.exp(1j * y * (np.pi / 180 if degrees else 1.0))
            text += f"amplitude and phase in {'degrees' if degrees else 'radians'}"
        return csi[:, 0] if csi.shape[1] == 1 else csi, [*one, *other], [text, *notes]
    return None, [], []


def _in_order(names, columns):
    """(columns in the order of the numbers in their names, what to say of it), where all names have as
    many numbers and the same words."""
    keys = [[float(n) for n in re.findall(r"(?:(?<![a-zA-Z0-9.])-)?\d+(?:\.\d+)?", names[i])] for i in columns]
    if len({(len(key), tuple(words_of(names[i]))) for key, i in zip(keys, columns)}) > 1 or \
            keys == sorted(keys):
        return columns, []
    order = sorted(range(len(columns)), key=keys.__getitem__)
    return [columns[i] for i in order], [
        f"the columns are taken in the order of the numbers in their names, {names[columns[order[0]]]} first"]


def _without(name, words):
    """What is left of a name without one of some words."""
    units = ("deg", "degree", "degrees", "rad", "radian", "radians")
    parts = re.findall(r"[a-z]+|\d+", re.sub(r"([a-z])([A-Z])", r"\1 \2", name).lower())
    return tuple(p for p in parts if p not in words and p not in units)


def _placed(values, indices, names, lines):
    """An array of values by the indices of their lines. Raises ValueError if some are missing."""
    places: List[Any] = []
    shape: List[int] = []
    for name, index in zip(names, indices):
        if np.any(index.imag) or not np.array_equal(index.real, np.round(index.real)):
            raise ValueError(f"the column {name} says which {name} a line is of, but has numbers that are "
                             "not whole")
        known, place = np.unique(index.real, return_inverse=True)
        places.append(place)
        shape.append(len(known))
    flat = np.ravel_multi_index(places, shape)
    known, first, counts = np.unique(flat, return_index=True, return_counts=True)
    if counts.max() > 1:
        at = int(np.flatnonzero(flat == known[np.argmax(counts)])[1])
        raise ValueError(f"line {lines[at]} has the same {', '.join(names)} as one before")
    if len(known) < int(np.prod(shape)):
        raise ValueError(f"{len(known)} lines have a number, {' x '.join(map(str, shape))} of "
                         f"{', '.join(names)} need {int(np.prod(shape))}")
    out = np.empty(int(np.prod(shape)), values.dtype)
    out[flat] = values
    return out.reshape(shape)
