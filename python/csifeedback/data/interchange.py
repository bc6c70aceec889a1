#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Channel matrices in files of other programs, with named axes."""

import contextlib
import difflib
import functools
import glob
import io
import math
import os
import re
import shutil
import sys
import tempfile
import zipfile
import zlib
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import h5py
import numpy as np

from .. import hdf5
from ..arrays import array_attributes, array_text
from ..files import whole_file
from .composed import (INTERLEAVED, PARTS, Field, Interleaved, Joined, Parts, RealParts, Reshaped,
                       Shaped, has_negative, stacked, value_range)
from .dataset import block_samples
from .matlab import MatFile, MatFile4, full
from .readers import raw, renew, text, wifi
from .readers.base import Arrays, limit
from .readers.tensors import is_torch, read_tensors
from .sigmf import base, read_samples

#: What an axis of an array may be called, and what it is.
AXES = {"sample": "sample", "n": "sample", "user": "sample", "slot": "sample", "symbol": "sample",
        "rx": "sample",
        "subcarrier": "subcarrier", "nc": "subcarrier", "delay": "delay", "na": "delay",
        "frame": "sample", "packet": "sample", "time": "sample", "batch": "sample", "cell": "sample",
        "row": "row",
        "antenna": "antenna", "polarization": "polarization", "horizontal": "horizontal",
        "vertical": "vertical", "angle": "angle", "nt": "nt",
        "reim": "reim"}


#: Axes of a plane of antennas, in the order in which its ports are numbered.
PLANE = ("polarization", "horizontal", "vertical")

#: bytes that an array may have when it is unpacked, whatever the size of its file ...
UNPACKED_BYTES = 1 << 30
#: ... and how many times the size of its file
UNPACKED_RATIO = 8
#: bytes of an array that are said beforehand
ANNOUNCED_BYTES = 1 << 26
#: cells of an array that are read
MAX_CELLS = 100_000
#: bytes at the beginning of an .npy member that its header has to end in
HEADER_BYTES = 1 << 16


class Options(NamedTuple):
    """What a person says of a file that does not say it itself.

    raw: type of the numbers of a file without a header, as readers.raw.datatype() takes it. shape: of a
    vector, in which one number may be -1. columns: of a table, as parse_numbers() takes them. degrees:
    of phases; None: not known. chip: of a capture of nexmon, of readers.wifi.CHIP_FORMATS.
    """

    raw: Optional[str] = None
    shape: Optional[Tuple[int, ...]] = None
    columns: Optional[str] = None
    degrees: Optional[bool] = None
    chip: Optional[str] = None


class ArrayFile:
    """A file with arrays, recognized by content: .mat of any version, .npy, .npz, HDF5, .pt, tables (CSV),
    SigMF, CSI of ESP32, nexmon, the Intel 5300 and RENEW, or with options.raw numbers alone.

    path: file name. most_bytes: an array that is larger when it is unpacked, and larger than
    UNPACKED_RATIO times the file, is refused before anything is unpacked.

    names: name -> shape; the array of an .npy file is called "". axes: name -> what the axes are, where
    the format says so. notes: name -> what is to be known about the numbers. default: name of the array
    that is meant if none is named, or None. in_memory: arrays have been read.

    Nothing in a file is executed: pickled objects are refused. Nothing outside the file is read: links,
    external storage and virtual data sets of HDF5 are refused. Raises ValueError, which names the file,
    if it is none of these or damaged.
    """

    def __init__(self, path: str, most_bytes: int = UNPACKED_BYTES, options: Options = Options()) -> None:
        self.path = os.fspath(path)
        self._most = max(most_bytes, UNPACKED_RATIO * os.path.getsize(self.path))
        self.axes: Dict[str, str] = {}
        self.notes: Dict[str, List[str]] = {}
        self.default: Optional[str] = None
        self.in_memory = False
        self._renew: Any = None
        with open(self.path, "rb") as file:
            head = file.read(520)
        self._stack = contextlib.ExitStack()
        self._array: Any
        self._mat: Any
        with self._errors():
            if self.path.endswith((".sigmf", ".sigmf-meta", ".sigmf-data")) and options.raw is None:
                self._take(read_samples(self.path))
            elif options.raw is not None:
                self._take(raw.read_raw(self.path, options.raw))
            elif head.startswith(b"\x93NUMPY"):
                self._array = self._numpy
                self.names = {"": self._numpy("").shape}
            elif head.startswith(b"PK") and is_torch(_zip_names(self.path)):
                self._take(read_tensors(self.path, self._most))
            elif head.startswith(b"PK"):
                self._array = self._zipped
                self._headers = _zip_headers(self.path)
                self.names = {name: shape for name, (shape, _, _) in self._headers.items()}
            elif b"\x89HDF\r\n\x1a\n" in (head[:8], head[512:520]):
                self._hdf5 = self._stack.enter_context(h5py.File(self.path, "r"))
                # MATLAB writes its arrays with the axes in reverse.
                self._reverse = head.startswith(b"MATLAB")
                self._array = self._from_hdf5
                self.names = _hdf5_shapes(self._hdf5, self._reverse)
                self._find_pilots()
            elif head.startswith(b"MATLAB"):
                self._mat = MatFile(self.path)
                self._array = self._matlab
                self.names = self._mat.shapes
            elif self.path.endswith(".mat"):
                self._mat = MatFile4(self.path)
                self._array = self._matlab
                self.names = self._mat.shapes
            else:
                self._take(self._other(head, options))

    def _take(self, arrays: Arrays) -> None:
        """Shows what a reader has found."""
        self._array, self.names = arrays.array, arrays.shapes
        self.axes, self.notes = arrays.axes, arrays.notes
        self.default, self.in_memory = arrays.default, arrays.in_memory

    def _other(self, head, options):
        """The Arrays of a file of the formats of `readers`. Raises ValueError."""
        size = os.path.getsize(self.path)
        if not size:
            raise ValueError("is empty")
        if head[:4] in wifi.PCAP_MAGIC or head.startswith(wifi.PCAPNG_MAGIC):
            limit(size, self._most, "a capture")
            return wifi.read_nexmon(self.path, options.chip)
        if wifi.is_intel(head) or self.path.endswith(".dat") and head[2:3] in wifi.INTEL_CODES:
            limit(size, self._most, "a log")
            return wifi.read_intel(self.path)
        beginning = text.head_text(self.path)
        if beginning is not None:
            limit(size, self._most, "a text")
            if wifi.is_esp32(beginning):
                return wifi.read_esp32(self.path)
            return text.read_table(self.path, AXES, options.columns, options.degrees)
        if head.startswith(b"\x80") and b"torch" in head or head[:2] == b"\x80\x02" and self.path.endswith(
                (".pt", ".pth")):
            raise ValueError("is of torch.save before version 1.6, or a pickle, which is not read: save it "
                             "again with a newer PyTorch")
        raise ValueError("no file of a known format (MATLAB, NumPy, HDF5, .pt, CSV, CSI of ESP32, nexmon or "
                         "the Intel 5300); --raw TYPE and --shape say what numbers without a header are")

    def _find_pilots(self):
        """Adds the CSI of the pilots that RENEW and Argos record."""
        for name in ("Data/" + renew.NAME, renew.NAME):
            if name in self.names:
                attributes = self._hdf5["Data" if "/" in name else "/"].attrs
                if not any(key in attributes for key in ("FFT_SIZE", "samples_per_user")):
                    continue
                try:
                    self._renew = renew.PilotCsi(
                        hdf5.Array(hdf5.own_array(self._hdf5, name), self._most), dict(attributes))
                    shape = self._renew.shape
                except ValueError as error:
                    self._renew, shape = ValueError(f"{name} {error}"), ()
                self.names = {"csi": shape, **self.names}
                self.axes["csi"], self.default = "frame,cell,user,antenna,subcarrier", "csi"
                self.notes["csi"] = [f"estimated from the pilots in {name}, delays as the recorder's timing "
                                     "has them"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stack.close()

    def fingerprint(self) -> Dict[str, int]:
        """Size and checksum of the file, as dictionary."""
        crc = size = 0
        with open(self.path, "rb") as file:
            while block := file.read(1 << 20):
                crc, size = zlib.crc32(block, crc), size + len(block)
        return {"file_bytes": size, "file_crc32": crc}

    def array(self, name: str) -> Any:
        """An array, or what can be indexed as one and is read then.

        name: one of `names`; "NAME.FIELD" and "NAME{2}" of structures and cells in MATLAB files. All
        cells together are an array with a new first axis, and so are the fields of several structures.
        """
        if name == "csi" and self._renew is not None:
            if isinstance(self._renew, ValueError):
                raise ValueError(f"{self.path}: {self._renew}")
            return self._renew
        if hasattr(self, "_hdf5"):
            name = name.lstrip("/")
        with self._errors():
            inside = self._inside(name)
        if inside is not None:
            return inside
        if name not in self.names:
            with self._errors():
                if hasattr(self, "_hdf5"):
                    hdf5.own_array(self._hdf5, name)
            names = [key for key, _ in self.listing()]
            if not any(names):
                raise ValueError(f"{self.path}: " + (
                    f"the array has no name, asked for is '{name}'" if names else
                    "has no array of numbers of its own (links, external and virtual ones are not read)"))
            lower = {key.lower(): key for key in names}
            near = ([lower[name.lower()]] if name.lower() in lower
                    else difflib.get_close_matches(name, names, 1))
            raise ValueError(f"{self.path}: has no array '{name}', only " + ", ".join(names)
                             + (f"; is it '{near[0]}'?" if near else ""))
        with self._errors():
            array = self._array(name)
            if array.dtype.names:
                complex_fields(array.dtype)
            elif array.dtype.kind not in "fciu":
                raise ValueError(f"the array '{name}' has no numbers but {array.dtype}")
            return array

    def listing(self) -> List[Tuple[str, Any]]:
        """[(name, shape)] of all arrays of numbers, with those in structures and cells; the cells of
        one array, and the fields of several structures, count as one."""
        found: List[Tuple[str, Any]] = []
        for name, shape in self.names.items():
            if name in self.axes:
                found.append((name, shape))
                continue
            with self._errors():
                inside = self._nested_names(name)
            found += inside or [(name, shape)]
        return found

    def _nested_names(self, name):
        """The same of one structure or cell array; [] if it is none."""
        if isinstance(getattr(self, "_mat", None), MatFile):
            groups: Dict[str, Any] = {}
            for steps, shape, _ in self._mat.nested(name):
                groups.setdefault(".".join(step for step, _ in steps), []).append(shape)
            return [(key, shapes[0] if len(shapes) == 1 else (len(shapes), *shapes[0]))
                    for key, shapes in groups.items()]
        if hasattr(self, "_hdf5"):
            array = hdf5.own_array(self._hdf5, name)
            if array is not None and _has_references(array):
                try:
                    inside = self._inside(name)
                except ValueError:
                    return [(name, self.names[name])]
                return [(name, inside.shape)]
        return []

    def _inside(self, name):
        """The array inside a structure or cells, None if there is none."""
        if isinstance(getattr(self, "_mat", None), MatFile):
            if not re.match(r"\w", name):
                return None
            leaves = self._mat.nested(name) if re.fullmatch(r"[\w.{}()]+", name) else []
            kinds = list(dict.fromkeys(".".join(step for step, _ in steps) for steps, _, _ in leaves))
            if not leaves:
                return None
            if len(kinds) > 1:
                raise ValueError(f"'{name}' has several arrays: {', '.join(kinds)}; --key says which")
            self._unpacks_to(name, self._mat.nested_size(name))
            with self._mat.unpacked(name) as file:
                return stacked([self._mat.nested_array(file, place) for _, _, place in leaves],
                               f"'{name}'")
        if hasattr(self, "_hdf5"):
            return self._inside_hdf5(name)
        return None

    def _inside_hdf5(self, name):
        """Cells of MATLAB 7.3 are references to arrays, fields of structures are in groups."""
        if name in self.names and not _has_references(self._hdf5[name]):
            return None
        plain, _, number = name.replace(")", "}").replace("(", "{").partition("{")
        if name not in self.names:
            plain = plain.replace(".", "/")
            if plain == name or plain not in self.names or number and not number[:-1].isdigit():
                return None
        array = hdf5.own_array(self._hdf5, plain)
        if array is None:
            return None
        if not _has_references(array):
            return None if number else self.array(plain)
        if array.size > MAX_CELLS:
            raise ValueError(f"'{plain}' has {array.size} cells, allowed are {MAX_CELLS}")
        references = array[()].ravel()
        if number:
            if not 1 <= int(number[:-1]) <= len(references):
                raise ValueError(f"'{plain}' has {len(references)} cells")
            references = references[int(number[:-1]) - 1:][:1]
        things = [self._hdf5[reference] for reference in references if reference]
        if not things:
            return None
        for thing in things:
            if not isinstance(thing, h5py.Dataset) or not thing.shape \
                    or hdf5.number_type(thing).kind not in "fciuV":
                raise ValueError(f"'{plain}' has cells that are no arrays of numbers")
            if hdf5.elsewhere(thing):
                raise ValueError(f"array '{plain}' takes its content from other files (external storage "
                                 "or a virtual data set), which are not read")
        self._unpacks_to(name, sum(thing.size * hdf5.number_type(thing).itemsize for thing in things))
        arrays: List[Any] = [hdf5.Array(thing, self._most) for thing in things]
        return stacked([_Reversed(a) for a in arrays] if self._reverse else arrays, f"'{plain}'")

    @contextlib.contextmanager
    def _errors(self):
        """Whatever a library raises for a damaged file becomes a ValueError with its name."""
        try:
            yield
        except Exception as error:
            self._stack.close()
            if isinstance(error, OSError) and error.filename:
                raise
            text = str(error).splitlines()[0] if str(error) else type(error).__name__
            # Some readers name the file, or the one of a pair that is wrong.
            if isinstance(error, ValueError) and text.startswith((f"{self.path}: ", f"{base(self.path)}.")):
                raise ValueError(text) from None
            raise ValueError(f"{self.path}: cannot be read: {text}") from None

    def _unpacks_to(self, name, size):
        """Says that an array of many bytes is coming, or refuses it."""
        if size > self._most:
            raise ValueError(f"the array '{name}' unpacks to {size / 1e9:.3g} GB, allowed is "
                             f"{self._most / 1e9:.3g} GB (--max-gb)")
        if size >= ANNOUNCED_BYTES:
            print(f"{self.path}: '{name}' unpacks to {size / 1e9:.3g} GB", file=sys.stderr)

    def _numpy(self, _, path=None):
        try:
            return np.load(path or self.path, mmap_mode="r", allow_pickle=False)
        except ValueError as error:
            if "mmap length" in str(error):
                raise ValueError("the file is truncated") from None
            if "Python objects" in str(error):
                raise ValueError("its elements are Python objects, which are not read: save numbers alone"
                                 ) from None
            raise

    def _zipped(self, name):
        shape, dtype, size = self._headers[name]
        if dtype.hasobject or math.prod(shape) * dtype.itemsize > size:
            raise ValueError(f"the array '{name}' has {size} bytes for the shape {shape} of {dtype}")
        self._unpacks_to(name, size)
        # Unpacked to a file, so that it need not fit into memory.
        with zipfile.ZipFile(self.path) as archive, tempfile.TemporaryFile() as file:
            with archive.open(name + ".npy") as member:
                shutil.copyfileobj(member, file, 1 << 20)
            file.seek(0)
            return self._numpy(name, f"/proc/self/fd/{file.fileno()}")

    def _from_hdf5(self, name):
        if self._reverse and isinstance(self._hdf5.get(name), h5py.Group):
            return self._sparse(name)
        array = hdf5.own_array(self._hdf5, name)
        self._unpacks_to(name, array.size * hdf5.number_type(array).itemsize)
        array = hdf5.Array(array, self._most)
        return _Reversed(array) if self._reverse else array

    def _sparse(self, name):
        """A sparse array of MATLAB 7.3 as a full one: a group of rows, beginnings of columns and numbers."""
        shape = self.names[name]
        self._unpacks_to(name, math.prod(shape) * 16)
        parts = []
        for part in ("ir", "jc", "data"):
            array = hdf5.own_array(self._hdf5, f"{name}/{part}")
            if array is None and part != "jc":  # of an array without numbers
                parts.append(np.zeros(0))
                continue
            self._unpacks_to(name, array.size * hdf5.number_type(array).itemsize)
            parts.append(np.asarray(hdf5.Array(array, self._most)[:]))
        numbers = parts[2]
        if numbers.dtype.names:
            kind, *fields = complex_fields(numbers.dtype)
            numbers = numbers[fields[0]] + 1j * numbers[fields[1]]
        return full(shape, parts[0], parts[1], numbers)

    def _matlab(self, name):
        self._unpacks_to(name, self._mat.declared(name))
        return self._mat.array(name)


class FileSet:
    """The same array in one file or in many, one behind the other.

    paths: file names, or patterns such as "csi*.npy", whose files are taken in the order of the
    numbers in their names. most_bytes, options: as of ArrayFile, for each file.

    Raises ValueError if there is no such file.
    """

    def __init__(self, paths: Sequence[str], most_bytes: int = UNPACKED_BYTES,
                 options: Options = Options()) -> None:
        self.paths: List[str] = []
        for path in map(os.fspath, paths):
            found = [path] if os.path.exists(path) else sorted(glob.glob(path), key=_natural)
            if not found and glob.has_magic(path):
                raise ValueError(f"{path}: no file has such a name")
            self.paths += found or [path]
        self._most, self._options = most_bytes, options
        self._first = ArrayFile(self.paths[0], most_bytes, options)
        self.names = self._first.names
        #: file of the other part, where complex_array() has read one
        self.other: Optional[str] = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._first.__exit__()

    @property
    def name(self) -> str:
        """What the files are called in messages."""
        return self.paths[0] + (f" and {len(self.paths) - 1} more" if len(self.paths) > 1 else "")

    @property
    def default(self) -> Optional[str]:
        """Name of the array that is meant if none is named; None: there are several."""
        if self._first.default is not None:
            return self._first.default
        # An array without elements is no choice.
        names = [name for name, shape in self.names.items() if 0 not in (shape or ())]
        return names[0] if len(names) == 1 else None

    def axes(self, key: str) -> Optional[str]:
        """What the axes of an array are, where its format says so and nobody reshapes it."""
        return None if self._options.shape else self._first.axes.get(key)

    @property
    def has_phases(self) -> bool:
        """Whether the file may have phases of its own: a table with names."""
        return self._first.in_memory

    def notes(self, key: str) -> List[str]:
        """What is to be known about the numbers of an array."""
        return self._first.notes.get(key, [])

    def array(self, key: str, axis: Optional[int]) -> Any:
        """The array of all files. axis: along which they are joined, and may have different lengths;
        None: a new first one, if there are several files. Raises ValueError if they are not alike."""
        first = _shaped(self._first.array(key), self._options)
        if len(self.paths) == 1:
            return first
        shape, dtype = tuple(first.shape), first.dtype
        shapes = [shape]

        def others(shape):
            return [n for i, n in enumerate(shape) if i != axis]

        for path in self.paths[1:]:
            with ArrayFile(path, self._most, self._options) as file:
                array = _shaped(file.array(key), self._options)
                found = tuple(array.shape)
                for what, own, theirs in (
                        ("axes", self._first.axes.get(key), file.axes.get(key)),
                        ("subcarriers", *([n for n in f.notes.get(key, []) if "subcarrier" in n]
                                          for f in (self._first, file)))):
                    if own != theirs:
                        raise ValueError(f"{path}: '{key}' has other {what} ({theirs or 'not known'}) than "
                                         f"that of {self.paths[0]} ({own or 'not known'})")
                if (len(found), others(found), array.dtype) != (len(shape), others(shape), dtype):
                    raise ValueError(f"{path}: '{key}' is {array.dtype} of shape {found}, "
                                     f"that of {self.paths[0]} {dtype} of shape {shape}")
                shapes.append(found)
        reader = _Reader(key, self._most, self._options)
        return Joined([functools.partial(_Read, reader, path) for path in self.paths], shapes, dtype, axis)

    def complex_array(self, key: str, axes: Optional[str], imag: Optional[str] = None,
                      phase: Optional[str] = None) -> Tuple[Any, Optional[str]]:
        """(array, its axes): of all files, and of two parts where the real part, or the amplitude, has
        its imaginary part or phase in another array.

        axes: names with commas between them, as of one file; None: not known. Several files are joined
        along the outermost samples, or each is a sample if no axis is. imag, phase: name of the other
        array, or path of another file. Raises ValueError.
        """
        axis: Optional[int] = 0
        if axes is not None:
            kinds = [AXES.get(name.partition("/")[0]) for name in axes.split(",")]
            axis = kinds.index("sample") if "sample" in kinds else None
            if axis is None and len(self.paths) > 1:
                axes = "sample," + axes
        array = self.array(key, axis)
        other = imag or phase
        degrees = self._options.degrees
        if other is None:
            if array.dtype.names:
                kind, first, second = complex_fields(array.dtype)
                if kind == "polar":
                    array = Parts(Field(array, first), Field(array, second), True, degrees)
            return array, axes
        is_file = os.path.exists(other)
        try:
            if is_file:
                if len(self.paths) > 1:
                    raise ValueError("of several files, the other array is in each of them")
                with ArrayFile(other, self._most, self._options) as file:
                    name = key if key in file.names or len(file.names) != 1 else next(iter(file.names))
                    if name == key and os.path.samefile(other, self.paths[0]):
                        raise ValueError("it is the same array")
                    self.other = other
                    second = file.array(name)
                    return Parts(array, _shaped(second, self._options), bool(phase), degrees), axes
            if other == key:
                raise ValueError("it is the same array")
            return Parts(array, self.array(other, axis), bool(phase), degrees), axes
        except ValueError as error:
            raise ValueError(f"{'--imag' if imag else '--phase'} is {other}: {error}" + (
                "" if is_file or other in self.names else "; nor is there a file of this name")) from None

    def fingerprint(self) -> Dict[str, int]:
        """Number, size and checksum of the files."""
        found = self._fingerprint()
        if self.other is not None:
            with ArrayFile(self.other, self._most, self._options) as file:
                found.update({f"other_{name}": value for name, value in file.fingerprint().items()})
        return found

    def _fingerprint(self):
        if len(self.paths) == 1:
            return self._first.fingerprint()
        crc = size = 0
        for path in self.paths:
            with open(path, "rb") as file:
                while block := file.read(1 << 20):
                    crc, size = zlib.crc32(block, crc), size + len(block)
        return {"files": len(self.paths), "file_bytes": size, "file_crc32": crc}


def _shaped(array, options):
    """An array in the shape that a person says."""
    return array if options.shape is None else Shaped(array, options.shape)


class _Reader:
    """Reads the same array of files that are open only while they are read; keeps the last one that is
    in memory anyway."""

    def __init__(self, key, most_bytes, options):
        self._key, self._arguments = key, (most_bytes, options)
        self._last = None, None

    def read(self, path, index):
        """Elements of the array of a file."""
        if self._last[0] != path:
            with ArrayFile(path, *self._arguments) as file:
                array = _shaped(file.array(self._key), self._arguments[1])
                if not file.in_memory:
                    return np.array(array[index])
                self._last = path, array
        return np.array(self._last[1][index])


class _Read:
    """An array of a file that is open only while it is read."""

    def __init__(self, reader, path):
        self._reader, self._path = reader, path

    def __getitem__(self, index):
        return self._reader.read(self._path, index)


def _has_references(array):
    """Whether an h5py.Dataset is an array of references to objects, as cells of MATLAB are."""
    if not isinstance(array, h5py.Dataset):
        return False
    kind = array.id.get_type()
    return isinstance(kind, h5py.h5t.TypeReferenceID) and kind.equal(h5py.h5t.STD_REF_OBJ)


def _natural(name):
    """For sorting: csi9 before csi10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


class _Reversed:
    """An HDF5 array with its axes in reverse."""

    def __init__(self, array):
        self._array, self.shape, self.dtype = array, array.shape[::-1], array.dtype

    def __getitem__(self, index):
        return self._array[index[::-1]].transpose()


def _zip_names(path):
    """Names of the members of a ZIP archive."""
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def _zip_headers(path):
    """name -> (shape, type, bytes without the header) of the arrays in an .npz file."""
    headers = {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.filename.endswith(".npy"):
                continue
            with archive.open(info) as member:
                # A header says how long it is, and all of it would be unpacked.
                head = io.BytesIO(member.read(HEADER_BYTES))
            version = np.lib.format.read_magic(head)
            read = (np.lib.format.read_array_header_1_0 if version == (1, 0)
                    else np.lib.format.read_array_header_2_0)
            shape, _, dtype = read(head)
            headers[info.filename[:-4]] = shape, dtype, info.file_size - head.tell()
    return headers


def _hdf5_shapes(file, reverse):
    """name -> shape of the arrays that are in the file itself; links are not followed."""
    shapes = {}

    def visit(name, thing):
        if reverse and isinstance(thing, h5py.Group) and "MATLAB_sparse" in thing.attrs:
            columns = hdf5.own_array(file, name + "/jc")
            if columns is not None and len(columns.shape) == 1:
                shapes[name] = int(thing.attrs["MATLAB_sparse"]), columns.shape[0] - 1
            return
        if name.rpartition("/")[0] in shapes:
            return
        if isinstance(thing, h5py.Dataset) and not hdf5.elsewhere(thing) and thing.shape \
                and not name.startswith("#"):
            kind = hdf5.number_type(thing)
            shapes[name] = (thing.shape + kind.shape)[::-1 if reverse else 1]

    file.visititems(visit)
    return shapes


def complex_fields(dtype: Any) -> Any:
    """(kind, first field, second field) of a compound that is a complex number: kind is "parts" for
    real and imaginary part, or "polar" for magnitude and phase in radians, whatever their order is
    in the compound. Raises ValueError if the names are no such pair or the fields no numbers."""
    names = {name.lower(): name for name in dtype.names}
    if len(names) == len(dtype.names) == 2 and \
            all(dtype[name].kind in "fiu" and not dtype[name].shape for name in dtype.names):
        for kind, first, second in PARTS:
            found = [[names[name] for name in allowed if name in names]
                     for allowed in (first, second)]
            if all(found):
                return kind, found[0][0], found[1][0]
    fields = ", ".join(f"{name} ({dtype[name]})" for name in dtype.names)
    raise ValueError(f"has the fields {fields}; a complex number is (r, i), (re, im), (real, imag), "
                     "(I, Q) or (magnitude, phase)")


class Matrices:
    """Channel matrices in an array with named axes.

    array: of numbers, or of compounds of real and imaginary part, see complex_fields(). axes: the name of each
    axis, from AXES; several may be samples. A name with /iq, /qi or /reim behind it is that of an axis with
    real and imaginary parts, see composed.INTERLEAVED. reshape: what one index of the first axis is
    reshaped to, where the file has matrices as vectors; None: as they are. offset: is
    subtracted from real and imaginary parts. domain: H or Ha, needed for the axis name
    `row` alone. carriers: numbers of the rows of H to take, in their order; None: all. fft_order:
    the rows of H come as an FFT has them, DC first; they are put in ascending order before
    `carriers` counts.

    Axes called horizontal or vertical are those of a plane, which may have polarizations: ports are
    numbered by polarization, horizontal and vertical place, whatever the order of the axes. Other antenna
    axes are put together, the last one counts fastest; without any the matrices have one column. plane:
    (N1, N2, polarizations) of antennas or angles on one axis or several, numbered like ports; None: a
    line, or as the axes say.

    domain, rows, nt: of the matrices. array: (N1, N2, polarizations). A column axis called `antenna`
    (horizontal, vertical) in Ha, or `angle` in H, is transformed by the unitary DFT that lies between the
    two, of a plane one over each of N1 and N2; `nt` means what fits.
    len(): their number.
    """

    def __init__(self, array: Any, axes: Sequence[str], reshape: Optional[Sequence[int]] = None,
                 offset: float = 0.0, domain: Optional[str] = None,
                 carriers: Optional[Callable[[int], np.ndarray]] = None,
                 fft_order: bool = False, plane: Optional[Sequence[int]] = None) -> None:
        self._offset = offset
        if reshape is not None:
            array = Reshaped(array, reshape)
        axes = list(axes)
        if len(axes) == len(array.shape):
            for i, name in enumerate(axes):
                axes[i], _, order = name.partition("/")
                if order and order not in INTERLEAVED:
                    raise ValueError(f"axis is '{name}', allowed behind / is {', '.join(INTERLEAVED)}")
                if order:
                    array = Interleaved(array, i, order)
        self._array = array
        shape = tuple(int(n) for n in array.shape)
        unknown = [name for name in axes if name.partition("/")[0] not in AXES]
        if unknown:
            near = difflib.get_close_matches(unknown[0], AXES, 1)
            raise ValueError(f"axis is '{unknown[0]}', allowed is " + ", ".join(AXES)
                             + (f"; is it '{near[0]}'?" if near else ""))
        if len(axes) != len(shape):
            raise ValueError(f"{len(axes)} axes are named, the array has shape {shape}")
        axes = [AXES[name] for name in axes]

        def one(kinds, needed=True):
            at = [i for i, name in enumerate(axes) if name in kinds]
            if len(at) != 1 and (needed or at):
                raise ValueError(f"axes are {','.join(axes)}, expected is one of "
                                 + ", ".join(kinds))
            return at[0] if at else None

        row = one(("subcarrier", "delay", "row"))
        columns, named = _columns(axes, shape)
        kinds = {axes[i] for i in columns}
        if len(kinds) > 1:
            raise ValueError(f"axes are {','.join(axes)}, expected is one of antenna, angle, nt, or "
                             "several of one kind")
        pair = one(("reim",), needed=False)
        own = {"subcarrier": "H", "delay": "Ha"}.get(axes[row], domain)
        if own is None or domain not in (None, own):
            raise ValueError(f"the domain is {domain}, the row axis is '{axes[row]}'")
        self._beams = {("H", "angle"): np.fft.ifft,
                       ("Ha", "antenna"): np.fft.fft}.get((own, min(kinds, default="nt")))
        self.domain, self.rows = own, shape[row]
        self.nt = int(np.prod([shape[i] for i in columns], dtype=object)) if columns else 1
        self.array = self._array_of(plane, named)
        if self._beams and len(columns) > 1 and plane is None and named is None:
            raise ValueError(f"axes are {','.join(axes)}: several axes of a panel are not transformed "
                             "between antennas and angles, unless they are called horizontal and "
                             "vertical, or the array is given")
        self._carriers: Any = None
        if carriers is not None or fft_order:
            if own != "H":
                raise ValueError("the matrices are delay rows: subcarriers are those of H")
            numbers = np.arange(self.rows)
            if fft_order:
                numbers = np.fft.fftshift(numbers)
            self._carriers = numbers if carriers is None else numbers[carriers(self.rows)]
            self.rows = len(self._carriers)
        is_pairs = array.dtype.kind == "c" or array.dtype.names is not None
        if pair is None and not is_pairs:
            raise ValueError("the array is real: one axis has to be 'reim', real and imaginary "
                             "part")
        if pair is not None and (is_pairs or shape[pair] != 2):
            raise ValueError(f"the axis 'reim' has the length {shape[pair]} of "
                             f"{array.dtype} numbers, allowed is 2 of real ones")
        samples = [i for i, name in enumerate(axes) if name == "sample"]
        if reshape is not None and (not samples or samples[0] != 0):
            raise ValueError("of a reshaped array the first axis is 'sample'")
        self._outer = samples[0] if samples else None
        # Matrices for each index of the outermost sample axis.
        self._inner = max(1, int(np.prod([shape[i] for i in samples[1:]], dtype=object)))
        self._size = int(np.prod([shape[i] for i in samples], dtype=object))
        self._is_real = pair is not None
        self._order = samples + [row, *columns] + [pair] * self._is_real
        self._row_at = len(samples)
        self._ndim = len(array.shape)

    def _array_of(self, plane, named):
        """(N1, N2, polarizations) of what a person and the axes say."""
        found = tuple(map(int, plane or named or (self.nt, 1, 1)))
        if plane is not None and named is not None and found != named:
            raise ValueError(f"the array is {array_text(found)}, the axes are those of "
                             f"{array_text(named)}")
        if len(found) != 3 or min(found) < 1 or found[2] > 2 or math.prod(found) != self.nt:
            raise ValueError(f"the array is {','.join(map(str, found))}, allowed is N1,N2,P with P "
                             f"polarizations, 1 or 2, and the product {self.nt}")
        return found

    def __len__(self):
        return self._size

    def read(self, first: int, count: int) -> np.ndarray:
        """Matrices [first, first + count), complex64 (count, rows, nt)."""
        start = first // self._inner
        index = [slice(None)] * self._ndim
        if self._outer is not None:
            index[self._outer] = slice(start, -(-(first + count) // self._inner))
        with np.errstate(over="ignore", invalid="ignore"):
            return self._matrices(np.asarray(self._array[tuple(index)]), first - start * self._inner, count)

    def _matrices(self, x, first, count):
        """Matrices [first, first + count) of a part of the array."""
        x = x.transpose(self._order)
        if self._carriers is not None:
            x = np.take(x, self._carriers, self._row_at)
        if self._is_real:
            re, im = x[..., 0], x[..., 1]
        elif x.dtype.names:
            re, im = (x[name] for name in complex_fields(x.dtype)[1:])
        else:
            re, im = x.real, x.imag
        matrices = np.empty(re.shape, np.complex64)
        matrices.real, matrices.imag = re - self._offset, im - self._offset
        matrices = matrices.reshape(-1, self.rows, self.nt)[first:first + count]
        if self._offset:
            # Rows of a file that were never filled are zero before they are shifted.
            never = np.complex64(-self._offset * (1 + 1j))
            matrices[(matrices == never).all(axis=(1, 2))] = 0
        if self._beams:
            n1, n2, polarizations = self.array
            if n2 * polarizations > 1:
                for axis in (-2, -1):
                    matrices = self._beams(matrices.reshape(*matrices.shape[:2], polarizations, n1, n2),
                                           axis=axis, norm="ortho").reshape(matrices.shape)
            else:
                matrices = self._beams(matrices, axis=-1, norm="ortho")
            matrices = matrices.astype(np.complex64)
        return matrices


def _columns(axes, shape):
    """(numbers of the axes of antennas, in the order in which they count; array that they are, or None).
    Axes of a plane become antenna axes."""
    if not {"horizontal", "vertical"} & set(axes):
        for i, name in enumerate(axes):
            axes[i] = "antenna" if name == "polarization" else name
        return [i for i, name in enumerate(axes) if name in ("antenna", "angle", "nt")], None
    found = [i for kind in PLANE for i, name in enumerate(axes) if name == kind]
    for kind in PLANE:
        if axes.count(kind) > 1:
            raise ValueError(f"axes are {','.join(axes)}, allowed is one called {kind}")
    others = {"antenna", "angle", "nt"} & set(axes)
    if others:
        raise ValueError(f"axes are {','.join(axes)}: beside horizontal and vertical none is "
                         f"{min(others)}")
    polarizations, n1, n2 = (shape[axes.index(kind)] if kind in axes else 1 for kind in PLANE)
    if polarizations > 2:
        raise ValueError(f"the axis 'polarization' has the length {polarizations}, allowed is 1 or 2")
    for i in found:
        axes[i] = "antenna"
    return found, (n1, n2, polarizations)


def _bad(x):
    """Which matrices (n, rows, nt) are zero, or have values that no data set can have."""
    with np.errstate(over="ignore", invalid="ignore"):
        energy = sum(np.einsum("nij,nij->n", part, part, dtype=np.float64)
                     for part in (x.real, x.imag)).astype(np.float32)
        return ~(energy > 0) | ~np.isfinite(energy)


class Selection:
    """Some of the Matrices of a file.

    first, count: which. drop_bad: leave out matrices that are zero or not finite, which takes
    reading all of them.

    len(): their number; left_out: numbers of those that are not among them. Raises ValueError if
    none is left.
    """

    def __init__(self, matrices: Any, first: int, count: int,
                 drop_bad: bool = False) -> None:
        self._matrices = matrices
        self._numbers: Any = range(first, first + count)
        self.left_out = np.array([], int)
        if drop_bad:
            step = block_samples(matrices.rows, matrices.nt)
            bad = np.concatenate([
                _bad(matrices.read(first + start, min(step, count - start)))
                for start in range(0, count, step)])
            if bad.all():
                raise ValueError(f"all {count} matrices are zero or not finite")
            self._numbers = first + np.flatnonzero(~bad)
            self.left_out = first + np.flatnonzero(bad)

    def __len__(self):
        return len(self._numbers)

    def read(self, first: int, count: int) -> np.ndarray:
        """Selected matrices [first, first + count), complex64 (count, rows, nt). Raises ValueError
        if one is zero or not finite."""
        numbers = self._numbers[first:first + count]
        begin, end = int(numbers[0]), int(numbers[-1]) + 1
        x = self._matrices.read(begin, end - begin)
        if len(x) != len(numbers):
            x = x[numbers - begin]
        bad = _bad(x)
        if bad.any():
            at = int(np.argmax(bad))
            raise ValueError(f"sample {numbers[at]} " + (
                "has a value that is not finite, or an energy that is too large or too small for a float"
                if x[at].any() else "is zero"))
        return x


#: The arrays of a CsiNet file: the real one, which is imported by default, and the complex one.
CSINET_KEYS = "HT", "HF_all"
#: What is subtracted from the real one.
CSINET_OFFSET = 0.5
#: How far the mean of shifted numbers may be from the offset, in standard deviations.
_OFFSET_DEVIATIONS = 0.5


def csinet_layout(array: Any, nt: int) -> Dict[str, Any]:
    """Arguments of Matrices for the two arrays of the CsiNet family (Wen, Shih, Jin, 2018).

    Real, "HT", (n, 2 nt na): real parts, then imaginary parts, [0, 1] with 0 at 0.5, each
    nt angles x na delays. Complex, "HF_all", (n, nt nc): nt antennas x nc subcarriers, the
    whole channel of which rho is computed. The values are not looked at: see check_offset().
    """
    is_whole = array.dtype.kind not in "fiu"
    columns = nt if is_whole else 2 * nt
    if len(array.shape) != 2 or array.shape[1] % columns or array.shape[1] == 0:
        raise ValueError(f"the array has shape {tuple(array.shape)}; in the form of CsiNet it is "
                         f"(n, {columns} x rows) for {nt} antennas, others need --axes")
    rows = array.shape[1] // columns
    if is_whole:
        return {"axes": ("sample", "antenna", "subcarrier"), "reshape": (nt, rows)}
    return {"axes": ("sample", "reim", "angle", "delay"), "reshape": (2, nt, rows),
            "offset": CSINET_OFFSET}


def check_offset(array: Any, offset: float, unit: bool = False) -> None:
    """Raises ValueError if the numbers of a real array do not lie around an offset, with what they
    are and the option that says so.

    unit: they have to be 0 to 1 as well, as in the form of CsiNet.
    """
    least, most, mean, deviation = value_range(array)
    tolerance = 1e-6
    if abs(mean - offset) <= _OFFSET_DEVIATIONS * deviation and \
            (not unit or (least >= -tolerance and most <= 1 + tolerance)):
        return
    expected = f"0 to 1 around {offset:g}" if unit else f"numbers around {offset:g}"
    likely = 0 if abs(mean) <= _OFFSET_DEVIATIONS * deviation else float(f"{mean:.4g}")
    raise ValueError(f"the numbers are {least:.4g} to {most:.4g} with mean {mean:.4g} and standard "
                     f"deviation {deviation:.4g}, expected were {expected}: --offset says what to "
                     f"subtract, for example --offset {likely:g}")


def real_parts(array: Any) -> Any:
    """The real numbers that an array is made of, as an array."""
    if array.dtype.names:
        return RealParts(array, complex_fields(array.dtype)[1:])
    return RealParts(array) if array.dtype.kind == "c" else array


def check_signs(array: Any) -> Optional[str]:
    """What has to be said of real and imaginary parts that nothing is subtracted from: None, or that
    none is negative. Raises ValueError where none can be."""
    kinds = [array.dtype[name] for name in array.dtype.names or ()] or [array.dtype]
    unsigned = next((str(kind) for kind in kinds if kind.kind == "u"), None)
    parts = real_parts(array)
    if unsigned or getattr(array, "is_unsigned", False):
        most = np.iinfo(unsigned).max if unsigned else value_range(parts)[1]
        raise ValueError(f"the numbers are {unsigned or 'unsigned'}, without sign: --offset says what to "
                         f"subtract, for example --offset {most / 2:.10g}")
    if has_negative(parts):
        return None
    least, most, mean, _ = value_range(parts)
    if not most > 0:
        return None
    return (f"no real or imaginary part is negative ({least:.4g} to {most:.4g}, mean {mean:.4g}): if they "
            "are shifted, --offset says by how much")


def likely_axes(shape: Any, dtype: Any) -> List[str]:
    """Options of `csifeedback_dataset import` that may fit an array, best first; none if none do.

    The order of axes cannot be seen in an array: a person has to choose.
    """
    is_real = dtype.kind in "fiu"
    if len(shape) == 2 and not is_real:
        both = ["--axes sample,subcarrier", "--axes subcarrier,antenna"]
        # A few columns are antennas, more are the subcarriers of one antenna.
        return [*(both[::-1] if shape[1] <= 8 < shape[0] else both), "--axes antenna,subcarrier"]
    if len(shape) == 2 and shape[1] % 2 == 0 and shape[1] > 2:
        return ["--axes sample,subcarrier/iq", "--axes sample,subcarrier/reim"]
    places = range(len(shape))
    pairs: List[Any] = [i for i in places if shape[i] == 2] if is_real else [None]
    options: List[Any] = []
    for pair in pairs:
        rest = [i for i in places if i != pair]
        if len(rest) < 2:
            continue
        # Samples are outermost: first in NumPy, last in MATLAB and Julia.
        for samples in sorted({tuple(rest[:-2]), tuple(rest[2:])}):
            one, other = (i for i in rest if i not in samples)
            # More subcarriers than antennas.
            row, column = (one, other) if shape[one] >= shape[other] else (other, one)
            names = {pair: "reim", row: "subcarrier", column: "antenna"}
            options.append((samples != tuple(rest[:-2]),
                            "--axes " + ",".join(names.get(i, "sample") for i in places)))
    return [text for _, text in sorted(options)]


def csinet_vectors(ha: np.ndarray, scale: Any) -> np.ndarray:
    """Ha (k, na, nt) as rows of "HT", float32 (k, 2 nt na): 0.5 + scale Ha."""
    x = ha.transpose(0, 2, 1).reshape(len(ha), -1)
    return (np.hstack([x.real, x.imag]) * scale + 0.5).astype(np.float32)


def export_csinet(data: Any, path: str) -> None:
    """Writes a Dataset in the form of CsiNet, by the extension of path: .mat, .npz or .npy.

    HT as csinet_layout describes it, HT = 0.5 + scale Ha with one scale for all samples;
    .mat and .npz also have `scale` and `precursor`, and if the data set has whole matrices
    HF_all.
    """
    extension = _extension(path, ".mat", ".npz", ".npy")
    n, columns = len(data), 2 * data.na * data.nt
    largest = max(float(np.max(np.abs(ha.view(np.float32)))) for ha in data.chunks())
    scale = 0.5 / largest if largest > 0 else 1.0

    def ht():
        for ha in data.chunks():
            yield csinet_vectors(ha, scale)

    def hf_all():
        for h in data.chunks("H"):
            yield h.transpose(0, 2, 1).reshape(len(h), -1)

    arrays: Dict[str, Any] = {"HT": ((n, columns), np.float32, ht)}
    if data.whole and extension != ".npy":
        arrays["HF_all"] = ((n, data.nc * data.nt), np.complex64, hf_all)
    _write_arrays(path, extension, arrays, {"scale": scale, "precursor": data.precursor})


def export_matrices(data: Any, path: str) -> None:
    """Writes the matrices of a Dataset as they are, by the extension of path: .mat, .npz or .npy with
    a complex array (n, rows, nt) called H or Ha; .h5 with two real ones, H_re and H_im, for programs
    whose HDF5 has no complex numbers, MATLAB's among them. `precursor` is beside them, but in .npy."""
    extension = _extension(path, ".mat", ".npz", ".npy", ".h5")
    name = data.domain
    shape = (len(data), data.rows, data.nt)
    chunks = functools.partial(data.chunks, name)
    arrays: Dict[str, Any] = {name: (shape, np.complex64, chunks)}
    if extension == ".h5":
        arrays = {f"{name}_re": (shape, np.float32, lambda: (x.real for x in chunks())),
                  f"{name}_im": (shape, np.float32, lambda: (x.imag for x in chunks()))}
    _write_arrays(path, extension, arrays, {"precursor": data.precursor, **array_attributes(data.array)})


def _extension(path, *allowed):
    extension = os.path.splitext(path)[1]
    if extension not in allowed:
        raise ValueError(f"{path}: the extension is '{extension}', allowed is {', '.join(allowed)}")
    return extension


def _write_arrays(path, extension, arrays, facts):
    """Writes arrays {name: (shape, type, function that yields blocks)} and numbers to a file; of .npy
    the first array alone."""
    largest = max(math.prod(shape) * np.dtype(dtype).itemsize for shape, dtype, _ in arrays.values())
    if extension == ".mat" and largest >= 1 << 31:
        raise ValueError(f"{path}: an array has {largest} bytes, allowed are less than 2 GiB in "
                         ".mat files; use .npz or .npy")
    with whole_file(path) as file:
        if extension == ".npy":
            _write_npy(file, *next(iter(arrays.values())))
        elif extension == ".h5":
            with h5py.File(file, "w") as hdf5_file:
                for name, (shape, dtype, blocks) in arrays.items():
                    array, at = hdf5_file.create_dataset(name, shape, dtype), 0
                    for block in blocks():
                        array[at:at + len(block)] = block
                        at += len(block)
                for name, value in facts.items():
                    hdf5_file[name] = value
        elif extension == ".npz":
            with zipfile.ZipFile(file, "w") as archive:
                for name, array in arrays.items():
                    with archive.open(name + ".npy", "w", force_zip64=True) as member:
                        _write_npy(member, *array)
                for name, value in facts.items():
                    with archive.open(name + ".npy", "w") as member:
                        np.save(member, value)
        else:
            from scipy.io import savemat
            savemat(file, {**{name: np.concatenate(list(blocks()))
                              for name, (_, _, blocks) in arrays.items()}, **facts})


def _write_npy(file, shape, dtype, blocks):
    """Writes an array in the form of .npy, block by block."""
    np.lib.format.write_array_header_1_0(
        file, {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False,
               "shape": shape})
    for block in blocks():
        file.write(np.ascontiguousarray(block, dtype).data.cast("B"))
