#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""MATLAB files before version 7.3: the arrays of numbers in them.

Names and numbers are those of "MAT-File Format" of The MathWorks. scipy reads such files too, but
damaged ones crash it, and it unpacks whatever a compressed one holds, a thousand times its size,
before anybody knows how much that is. Here a header is unpacked first, and never more than it
declares.
"""

import math
import os
import re
import struct
import tempfile
import zlib
from typing import Any

import numpy as np

MATRIX, COMPRESSED, INT8, INT32, UINT32 = 14, 15, 1, 5, 6
#: data type of the file -> that of NumPy
TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8",
         13: "u8"}
#: class of an array of numbers -> the data type that holds each of them
NUMBERS = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8",
           15: "u8"}
#: class of another array -> what it has
OTHERS = {1: "cells", 2: "structures", 3: "objects", 4: "characters"}
CELLS, STRUCTURES, SPARSE = 1, 2, 5
COMPLEX, LOGICAL = 0x800, 0x200
#: how deep structures may be nested, and how many arrays may be in one
MAX_DEPTH, MAX_NESTED = 16, 100_000
BLOCK_BYTES = 1 << 20


def _steps(key):
    """[(name, index or None)] of NAME{2}.FIELD(3)."""
    steps = []
    for part in key.split("."):
        found = re.fullmatch(r"(\w+)(?:[{(](\d+)[})])?", part)
        if not found:
            raise ValueError(f"the key is {key}, expected is NAME.FIELD or NAME{{2}}")
        steps.append((found[1], int(found[2]) if found[2] else None))
    return steps


class _Element:
    """Reads an element of a file from its beginning, unpacked if it is compressed."""

    def __init__(self, path, order, at, size, packed):
        self._file = open(path, "rb")
        self._file.seek(at)
        self._order, self._left, self._at = order, size, 0
        self._zlib = zlib.decompressobj() if packed else None
        self._waiting = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def blocks(self, size):
        """Yields the next `size` bytes, in parts of moderate size."""
        while size > 0:
            most = min(size, BLOCK_BYTES)
            data = self._waiting or self._file.read(min(self._left, BLOCK_BYTES))
            if not self._waiting:
                self._left -= len(data)
            is_end = not data
            if self._zlib:
                data = self._zlib.decompress(data, most)
                self._waiting = self._zlib.unconsumed_tail
                is_end = is_end or self._zlib.eof
            else:
                data, self._waiting = data[:most], data[most:]
            if not data and is_end:
                raise ValueError("an array is truncated")
            size -= len(data)
            self._at += len(data)
            yield data

    def read(self, size):
        """The next `size` bytes."""
        return b"".join(self.blocks(size))

    def numbers(self, code, count):
        return struct.unpack(f"{self._order}{count}{code}",
                             self.read(count * struct.calcsize(code)))

    def part(self, most):
        """(data type, bytes) of the part that begins here, which has up to `most` bytes."""
        kind, = self.numbers("I", 1)
        # Few bytes come in the second half of the tag.
        size = kind >> 16
        kind &= 0xffff
        if not size:
            size, = self.numbers("I", 1)
        if size > most:
            raise ValueError(f"an array has a part of {size} bytes, where {most} are allowed")
        return kind, size

    def end_part(self):
        self.read(-self._at % 8)

    def tell(self):
        """Bytes that have been read."""
        return self._at

    def skip_to(self, at):
        """Goes on at a byte that is not behind."""
        for _ in self.blocks(at - self._at):
            pass


class MatFile:
    """The arrays of a file, for reading; nothing is unpacked but headers.

    shapes: name -> shape, of all arrays. Raises ValueError if it is no such file or damaged.
    """

    def __init__(self, path: str) -> None:
        self.path = os.fspath(path)
        self._arrays = {}
        with open(self.path, "rb") as file:
            head = file.read(128)
            self._order: Any = {b"IM": "<", b"MI": ">"}.get(head[126:])
            if self._order is None:
                raise ValueError("no MATLAB file of version 5")
            end = file.seek(0, os.SEEK_END)
            at = 128
            while at + 8 <= end:
                file.seek(at)
                kind, size = struct.unpack(self._order + "II", file.read(8))
                if at + 8 + size > end:
                    raise ValueError("the file is truncated")
                if kind == COMPRESSED:
                    place = (at + 8, size, True)
                elif kind == MATRIX:
                    place = (at, 8 + size, False)
                else:
                    raise ValueError(f"an element has the type {kind}, allowed is {MATRIX} and "
                                     f"{COMPRESSED}")
                at += 8 + size
                with _Element(self.path, self._order, *place) as element:
                    array = self._header(element)
                # What belongs to functions and objects has no name or no shape.
                if array and array[0]:
                    self._arrays[array[0]] = (*array[1:], place)
        self.shapes = {name: array[0] for name, array in self._arrays.items()}

    @staticmethod
    def _header(element):
        """(name, shape, class, flags) of the array at the beginning of an element, or None."""
        kind, _ = element.part(1 << 32)
        if kind != MATRIX:
            raise ValueError(f"an element has the type {kind}, allowed is {MATRIX}")
        return MatFile._header_behind_tag(element)

    @staticmethod
    def _header_behind_tag(element):
        if element.part(8) != (UINT32, 8):
            raise ValueError("an array has no flags")
        flags, _ = element.numbers("I", 2)
        if flags & 0xff not in NUMBERS and flags & 0xff not in OTHERS and flags & 0xff != SPARSE:
            return None
        kind, size = element.part(4 * 32)
        if kind != INT32 or size % 4:
            raise ValueError("an array has no dimensions")
        shape = element.numbers("i", size // 4)
        if min(shape, default=-1) < 0:
            raise ValueError(f"an array has the shape {shape}")
        element.end_part()
        kind, size = element.part(255)
        name = element.read(size).decode("latin-1")
        element.end_part()
        return name, shape, flags & 0xff, flags

    def nested(self, key: str) -> Any:
        """Arrays of numbers inside a structure or cells: [(name, shape, where)], in their order.

        key: NAME.FIELD or NAME{2}, as MATLAB has it; indices that are missing stand for all.
        Headers alone are kept; `nested_array` reads. [] if there is no such thing.
        """
        wanted = _steps(key)
        top = wanted[0][0]
        if top not in self._arrays or self._arrays[top][1] not in (CELLS, STRUCTURES):
            return []
        found: Any = []
        with _Element(self.path, self._order, *self._arrays[top][-1]) as element:
            self._visit(element, [(top, None)], found)
        return [(steps, shape, place) for steps, shape, *place in found
                if len(steps) >= len(wanted) and all(
                    name == other and (index is None or index == number)
                    for (name, index), (other, number) in zip(wanted, steps))]

    def _visit(self, element, steps, found):
        """Lists the arrays of numbers in the matrix that begins here."""
        if len(steps) > MAX_DEPTH:
            raise ValueError(f"structures are nested more than {MAX_DEPTH} deep")
        begin = element.tell()
        kind, size = element.part(1 << 40)
        end = element.tell() + size
        if kind != MATRIX:
            raise ValueError(f"an element has the type {kind}, allowed is {MATRIX}")
        header = self._header_behind_tag(element) if size else None
        if header:
            _, shape, of, flags = header
            fields: Any = [None]
            if of == STRUCTURES:
                element.part(4)
                width, = element.numbers("i", 1)
                element.end_part()
                _, size = element.part(1 << 20)
                names = element.read(size)
                element.end_part()
                if not 0 < width <= 64:
                    raise ValueError(f"a structure has fields of {width} letters")
                fields = [names[i:i + width].split(b"\0")[0].decode("latin-1")
                          for i in range(0, len(names), width)]
            if of in (CELLS, STRUCTURES):
                count = math.prod(shape)
                for number in range(1, count + 1):
                    name = steps[-1][0]
                    here = [*steps[:-1], (name, number if count > 1 or of == CELLS else None)]
                    for field in fields:
                        self._visit(element, here if field is None else [*here, (field, None)], found)
            elif (of in NUMBERS or of == SPARSE) and not flags & LOGICAL:
                found.append((steps, shape, of, flags, begin))
                if len(found) > MAX_NESTED:
                    raise ValueError(f"there are more than {MAX_NESTED} arrays in a structure")
        element.skip_to(end)
        element.end_part()

    def unpacked(self, key: str) -> Any:
        """A temporary file with all of the structure or cells, which `nested_array` reads from."""
        file = tempfile.TemporaryFile()
        with _Element(self.path, self._order, *self._arrays[_steps(key)[0][0]][-1]) as element:
            _, size = element.part(1 << 40)
            file.write(b"\0" * 8)
            for block in element.blocks(size):
                file.write(block)
        file.flush()
        return file

    def nested_size(self, key: str) -> int:
        """Bytes of `unpacked`, as the header says."""
        with _Element(self.path, self._order, *self._arrays[_steps(key)[0][0]][-1]) as element:
            return element.part(1 << 40)[1]

    def nested_array(self, file: Any, place: Any) -> Any:
        """An array that `nested` found, in memory."""
        of, flags, begin = place
        path = f"/proc/self/fd/{file.fileno()}"
        with _Element(path, self._order, begin, os.fstat(file.fileno()).st_size, False) as element:
            shape = self._header(element)[1]
            parts = []
            if of == SPARSE:
                return self._sparse(element, shape, flags,
                                    lambda: element.read(-(begin + element.tell()) % 8))
            for _ in range(2 if flags & COMPLEX else 1):
                kind, size = element.part(math.prod(shape) * int(NUMBERS[of][1]))
                dtype = np.dtype(self._order + TYPES.get(kind, "V1"))
                if kind not in TYPES or size != math.prod(shape) * dtype.itemsize:
                    raise ValueError(f"an array has {size} bytes of the type {kind} for the shape "
                                     f"{shape}")
                parts.append(np.frombuffer(element.read(size), dtype).reshape(shape, order="F"))
                # Within the structure: multiples of 8 from its beginning.
                element.read(-(begin + element.tell()) % 8)
        return parts[0] if len(parts) == 1 else _Complex(*parts)

    def declared(self, name: str) -> int:
        """Bytes of an array of numbers, as its header says."""
        shape, kind, flags, _ = self._arrays[name]
        if kind == SPARSE and not flags & LOGICAL:
            return math.prod(shape) * (16 if flags & COMPLEX else 8)
        if kind not in NUMBERS or flags & LOGICAL:
            raise ValueError(f"the array '{name}' has no numbers but "
                             + OTHERS.get(kind, "logical values"))
        return math.prod(shape) * int(NUMBERS[kind][1]) * (2 if flags & COMPLEX else 1)

    def array(self, name: str) -> Any:
        """An array of numbers, or what can be indexed as one; it is in a temporary file."""
        declared = self.declared(name)
        shape, of, flags, place = self._arrays[name]
        parts = 2 if flags & COMPLEX else 1
        arrays = []
        with _Element(self.path, self._order, *place) as element:
            self._header(element)
            if of == SPARSE:
                return self._sparse(element, shape, flags, element.end_part)
            for _ in range(parts):
                kind, size = element.part(declared // parts)
                dtype = np.dtype(self._order + TYPES.get(kind, "V1"))
                if kind not in TYPES or size != math.prod(shape) * dtype.itemsize:
                    raise ValueError(f"'{name}' has {size} bytes of the type {kind} for the shape "
                                     f"{shape}")
                with tempfile.TemporaryFile() as file:
                    for block in element.blocks(size):
                        file.write(block)
                    file.flush()
                    arrays.append(np.memmap(file, dtype, "r", shape=shape, order="F")
                                  if size else np.empty(shape, dtype))
                element.end_part()
        return arrays[0] if parts == 1 else _Complex(*arrays)

    def _sparse(self, element, shape, flags, end_part):
        """A sparse array, whose rows, beginnings of columns and numbers follow, as a full one."""
        if len(shape) != 2:
            raise ValueError(f"a sparse array has the shape {shape}")
        found = []
        for _ in range(4 if flags & COMPLEX else 3):
            kind, size = element.part(1 << 32)
            dtype = np.dtype(self._order + TYPES.get(kind, "V1"))
            if kind not in TYPES or size % dtype.itemsize:
                raise ValueError(f"a sparse array has {size} bytes of the type {kind}")
            found.append(np.frombuffer(element.read(size), dtype))
            end_part()
        rows, begins, *numbers = found
        return full(shape, rows, begins, numbers[0] if len(numbers) == 1 else numbers[0] + 1j * numbers[1])


def full(shape: Any, rows: np.ndarray, begins: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """A sparse array (rows, columns) as a full one; the numbers of column j are begins[j] to
    begins[j + 1] - 1, in the rows that `rows` has there. Raises ValueError."""
    begins = begins.astype(np.int64)
    count = int(begins[-1]) if len(begins) else 0
    if len(begins) != shape[1] + 1 or begins[0] != 0 or np.any(np.diff(begins) < 0) or \
            count > min(len(rows), len(numbers)):
        raise ValueError("a sparse array has improper columns")
    rows = rows[:count].astype(np.int64)
    if len(rows) and not 0 <= rows.min() <= rows.max() < shape[0]:
        raise ValueError("a sparse array has improper rows")
    out = np.zeros(shape, np.result_type(numbers.dtype.newbyteorder("="), np.float64))
    out[rows, np.repeat(np.arange(shape[1]), np.diff(begins))] = numbers[:count]
    return out


class MatFile4:
    """The same for files of version 4 (`save -v4`), which are not compressed.

    shapes: name -> shape, of all arrays. Raises ValueError if it is no such file or damaged.
    """

    #: third digit of the type -> that of NumPy
    TYPES = ("f8", "f4", "i4", "i2", "u2", "u1")
    #: last digit -> what the array has
    KINDS = ("numbers", "characters", "sparse array")

    def __init__(self, path: str) -> None:
        self.path = os.fspath(path)
        self._arrays = {}
        with open(self.path, "rb") as file:
            end = file.seek(0, os.SEEK_END)
            at = 0
            while at < end:
                file.seek(at)
                head = file.read(20)
                if len(head) < 20:
                    raise ValueError("the file is truncated")
                # The first digit is the byte order; a number below 10,000 shows it.
                order = "<" if struct.unpack("<i", head[:4])[0] in range(10_000) else ">"
                kind, rows, columns, is_complex, length = struct.unpack(order + "5i", head)
                digits = divmod(kind, 1000)
                number, what = digits[1] // 10 % 10, digits[1] % 10
                if digits[0] != (order == ">") or digits[1] >= 100 or number >= len(self.TYPES) \
                        or what >= len(self.KINDS) or is_complex not in (0, 1) \
                        or not 1 <= length <= 256 or rows < 0 or columns < 0:
                    raise ValueError("no MATLAB file of version 4")
                name = file.read(length).rstrip(b"\0").decode("latin-1")
                dtype = np.dtype(order + self.TYPES[number])
                data = at + 20 + length
                at = data + rows * columns * dtype.itemsize * (1 + is_complex)
                if at > end:
                    raise ValueError("the file is truncated")
                self._arrays[name] = (rows, columns), dtype, is_complex, what, data
        if not self._arrays:
            raise ValueError("the file is empty")
        self.shapes = {name: self._sparse_shape(name) if array[3] == 2 else array[0]
                       for name, array in self._arrays.items()}

    def _entries(self, name):
        """The lines of a sparse array: row, column, real part and imaginary part, numbered from 1; the
        last one has the shape."""
        (lines, columns), dtype, _, _, data = self._arrays[name]
        if lines < 1 or columns not in (3, 4):
            raise ValueError(f"the sparse array '{name}' has the shape ({lines}, {columns})")
        return np.memmap(self.path, dtype, "r", data, (lines, columns), "F")

    def _sparse_shape(self, name):
        shape = self._entries(name)[-1, :2]
        if not np.array_equal(shape, np.clip(np.round(shape), 0, 1 << 31)):
            raise ValueError(f"the sparse array '{name}' has the shape {tuple(shape)}")
        return tuple(int(n) for n in shape)

    def declared(self, name: str) -> int:
        """Bytes of an array of numbers."""
        shape, dtype, is_complex, what, _ = self._arrays[name]
        return math.prod(self.shapes[name]) * 16 if what == 2 else \
            math.prod(shape) * dtype.itemsize * (1 + is_complex)

    def array(self, name: str) -> Any:
        """An array of numbers, or what can be indexed as one; it stays in the file."""
        shape, dtype, is_complex, what, data = self._arrays[name]
        if what == 2:
            entries = self._entries(name)[:-1].astype(np.float64)
            order = np.lexsort(entries[:, :2].T)
            at = entries[order, :2] - 1
            rows, columns = self.shapes[name]
            if len(at) and not (at.min() >= 0 and at[:, 0].max() < rows and at[:, 1].max() < columns):
                raise ValueError(f"the sparse array '{name}' has improper rows or columns")
            numbers = entries[order, 2] + (1j * entries[order, 3] if entries.shape[1] == 4 else 0)
            begins: Any = np.searchsorted(at[:, 1], np.arange(columns + 1))
            return full((rows, columns), at[:, 0], begins, numbers)
        if what:
            raise ValueError(f"the array '{name}' has no numbers but {self.KINDS[what]}")
        size = math.prod(shape) * dtype.itemsize
        parts = [np.memmap(self.path, dtype, "r", data + i * size, shape, "F")
                 if size else np.empty(shape, dtype) for i in range(1 + is_complex)]
        return _Complex(*parts) if is_complex else parts[0]


class _Complex:
    """A complex array in two parts."""

    def __init__(self, real, imag):
        self._real, self._imag = real, imag
        self.shape, self.dtype = real.shape, np.dtype(np.complex128)

    def __getitem__(self, index):
        return self._real[index] + 1j * self._imag[index]
