#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Recordings of received pilot frames as SigMF: NAME.sigmf-data and NAME.sigmf-meta.

docs/ends.md describes the namespace `csi`, which says what the pilots look like.
"""

import datetime
import functools
import hashlib
import json
import os
import tarfile
from typing import Any, Optional

import numpy as np

from .. import csifeedback_python as core
from ..files import Lock, check_output, check_place, whole_file
from .composed import Joined
from .readers import raw
from .readers.base import Arrays

#: core:datatype of complex samples
DATATYPES = ("cf32_le", "cf32_be", "cf64_le", "cf64_be", "ci32_le", "ci32_be", "ci16_le", "ci16_be",
             "cu32_le", "cu32_be", "cu16_le", "cu16_be", "ci8", "cu8")
#: Parameters of csirs_frame that are in the namespace `csi`: the least and greatest whole number,
#: None for a number above 0 that need not be whole, or the texts that are allowed. csirs_frame says
#: which of them fit together.
PARAMETERS = {"nt": (1, 64), "fft_size": (64, 8192), "cp_length": (1, 4096), "nc": (24, 8192),
              "spacing_hz": None, "comb": (1, 16), "cdm_frequency": (1, 4), "cdm_time": (1, 8),
              "cover": ("dft", "walsh"), "cell_id": (0, 1023), "slot": (0, 159),
              "gap": (0, 10000000)}
#: Longest .sigmf-meta that is read, in bytes.
MAX_META_BYTES = 1 << 24
#: Most bytes or samples that a field may say.
MAX_BYTES = 1 << 50


def base(path: str) -> str:
    """The path without .sigmf-meta or .sigmf-data."""
    path = os.fspath(path)
    for extension in (".sigmf-meta", ".sigmf-data", ".sigmf"):
        if path.endswith(extension):
            return path[:-len(extension)]
    return path


def write_meta(path: str, frame: Any, parameters: Any, frequency_hz: Optional[float] = None,
               description: str = "", channels: int = 1) -> None:
    """Writes the .sigmf-meta of a recording of cf32_le samples.

    frame: csirs_frame; parameters: the keyword arguments that it was made of. channels: whose samples come
    by turns.
    """
    capture = {"core:sample_start": 0,
               "core:datetime": datetime.datetime.now(datetime.timezone.utc)
               .strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
    if frequency_hz:
        capture["core:frequency"] = frequency_hz
    defaults = {"comb": 4, "cdm_frequency": 1, "cdm_time": 2, "cover": "walsh", "cell_id": 0,
                "slot": 0, "gap": 0}
    values = {**defaults, **parameters, "nt": frame.nt(), "nc": frame.nc(),
              "fft_size": frame.fft_size(), "cp_length": frame.cp_length(),
              "spacing_hz": frame.spacing_hz()}
    meta = {
        "global": {
            "core:version": "1.0.0", "core:datatype": "cf32_le", "core:num_channels": channels,
            "core:sample_rate": frame.sample_rate(), "core:recorder": "gr-csifeedback",
            "core:description": description,
            "core:extensions": [{"name": "csi", "version": "1.0.0", "optional": True}],
            **{f"csi:{name}": values[name] for name in PARAMETERS}, "csi:hash": frame.hash()},
        "captures": [capture], "annotations": []}
    with whole_file(base(path) + ".sigmf-meta", text=True) as file:
        json.dump(meta, file, indent=1)
        file.write("\n")


def _shown(value):
    """A JSON value as text of bounded length."""
    try:
        text = json.dumps(value)
    except RecursionError:
        text = "nested too deeply"
    return text if len(text) <= 60 else text[:57] + "..."


class _Fields:
    """The fields of an object of SigMF metadata. Its methods raise ValueError, which names the
    field, its value and what is allowed.

    name: of the object, for errors. values: the object.
    """

    def __init__(self, name, values):
        if not isinstance(values, dict):
            raise ValueError(f"{name} is {_shown(values)}, allowed is an object")
        self._values = values

    def __contains__(self, name):
        return name in self._values

    def _get(self, name, *default):
        if name not in self._values and not default:
            raise ValueError(f"has no field {name}")
        return self._values.get(name, *default)

    @staticmethod
    def refuse(name, value, allowed):
        """Raises ValueError of a field."""
        raise ValueError(f"{name} is {_shown(value)}, allowed is {allowed}")

    def whole(self, name, low, high, *default):
        """A whole number; 4.0 is one, true and "4" are none."""
        value = self._get(name, *default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) \
                or not low <= value <= high or value != int(value):
            self.refuse(name, value, f"a whole number of {low} to {high}" if low != high else low)
        return int(value)

    def positive(self, name):
        """A finite number above 0."""
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) \
                or not 0 < value <= 1e12:
            self.refuse(name, value, "a number above 0, at most 1e12")
        return float(value)

    def one_of(self, name, allowed):
        """One of some texts."""
        value = self._get(name)
        if not isinstance(value, str) or value not in allowed:
            self.refuse(name, value, " or ".join(allowed))
        return value

    def text(self, name):
        """A text."""
        value = self._get(name)
        if not isinstance(value, str):
            self.refuse(name, value, "a text")
        return value

    def flag(self, name, default):
        """true or false."""
        value = self._get(name, default)
        if not isinstance(value, bool):
            self.refuse(name, value, "true or false")
        return value

    def object(self, name):
        """The fields of an object."""
        return _Fields(name, self._get(name))

    def objects(self, name):
        """The fields of each object in a list, which may be missing."""
        value = self._get(name, [])
        if not isinstance(value, list):
            self.refuse(name, value, "a list of objects")
        return [_Fields(f"{name}[{i}]", x) for i, x in enumerate(value)]


def _not_json(text):
    raise ValueError(f"{text} is no JSON")


def _parse(text):
    """The fields of a .sigmf-meta. Raises ValueError."""
    if len(text) > MAX_META_BYTES:
        raise ValueError(f"is no SigMF metadata: has more than {MAX_META_BYTES} bytes")
    try:
        meta = json.loads(text, parse_constant=_not_json)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is no SigMF metadata: {error}") from None
    return _Fields("the file", meta)


class Recorder:
    """A recording that is being made: a lock on its name, the metadata, and a block for the samples.

    path: as for write_meta, whose other arguments follow. overwrite: replaces a recording that is
    there. sink: block that writes complex samples; those of several channels come by turns. A second
    recorder of the same name is a ValueError.
    """

    def __init__(self, path: str, *meta: Any, overwrite: bool = False, **more: Any) -> None:
        self.data = base(path) + ".sigmf-data"
        check_place(self.data)
        self._lock = Lock(self.data)
        try:
            for name in (self.data, base(path) + ".sigmf-meta"):
                check_output(name, overwrite)
            write_meta(path, *meta, **more)
            self.sink = core.checked_file_sink(self.data)
        except BaseException:
            self._lock.release()
            raise
        # Whoever runs the flowgraph says what went wrong, once.
        self.sink.set_log_level("off")

    def failed(self) -> bool:
        """Whether samples were lost."""
        return bool(self.sink.error())

    def close(self) -> None:
        """To be called when the flowgraph has ended. OSError if samples were lost, on a full disk
        for example; those before are kept."""
        error = self.sink.finish()
        self._lock.release()
        if error:
            raise OSError(error)


class Samples:
    """The samples of a recording or an archive (.sigmf), opened for reading; they stay in the file.

    path: with or without an extension. meta_path: path of the metadata, or of the archive. data: path of the
    file that has the samples (NAME.sigmf-data, or the file beside the metadata that core:dataset names), from byte
    `offset` on, with headers of captures between them (core:header_bytes) and `left_bytes` behind them that make
    no sample. is_plain: whether it has nothing else. datatype: one of
    DATATYPES. channels: samples of several channels come by turns. samples: their number in each channel.

    Raises ValueError, which names the file and the field with its value, if the samples cannot be read, and
    OSError.
    """

    def __init__(self, path: str) -> None:
        path = os.fspath(path)
        self.offset = 0
        if path.endswith(".sigmf") and (os.path.isfile(path)
                                        or not os.path.exists(base(path) + ".sigmf-meta")):
            self.meta_path = self.data = path
            try:
                text, name, self.offset, size = _in_archive(path)
            except (tarfile.TarError, EOFError, ValueError) as error:
                raise ValueError(f"{path}: is no archive of SigMF: {error}") from None
        else:
            self.meta_path, self.data = base(path) + ".sigmf-meta", base(path) + ".sigmf-data"
            with open(self.meta_path, "rb") as file:
                text = file.read(MAX_META_BYTES + 1)
            name, size = os.path.basename(self.data), None
        try:
            fields = _parse(text)
            self._read(fields)
            if "core:dataset" in (told := fields.object("global")):
                self._find(told, name, size is not None)
        except ValueError as error:
            raise ValueError(f"{self.meta_path}: {error}") from None
        self.size = os.path.getsize(self.data) if size is None else size
        self._dtype = raw.datatype(self.datatype)
        try:
            pieces, self.left_bytes = self._pieces()
        except ValueError as error:
            raise ValueError(f"{self.meta_path}: {error}") from None
        self.samples = sum(count for _, count in pieces)
        if not self.samples:
            raise ValueError(f"{self.data}: is empty")
        self.is_plain = pieces == [(0, self.samples)] and not self._trailing
        #: (samples, channels)
        self.array: Any = _mapped(self.data, self._dtype, pieces, self.channels)
        part = self._dtype[0] if self._dtype.names else self._dtype
        self._zero = raw.zero_of(self._dtype)
        self._scale = 1.0 if part.kind in "fc" else 2.0 ** (8 * part.itemsize - 1)

    def read(self, first: int, count: int, channel: int = 0) -> np.ndarray:
        """Samples [first, first + count) of a channel, complex64; integers from -1 to 1."""
        x = self.array[first:first + count, channel:channel + 1][:, 0]
        if not self._dtype.names:
            return x.astype(np.complex64)
        out = np.empty(len(x), np.complex64)
        for parts, name in ((out.real, "r"), (out.imag, "i")):
            parts[:] = (x[name].astype(np.float64) - self._zero) / self._scale
        return out

    def _read(self, meta):
        fields = meta.object("global")
        self.datatype = fields.one_of("core:datatype", DATATYPES)
        self.channels = fields.whole("core:num_channels", 1, 1024, 1)
        self._trailing = fields.whole("core:trailing_bytes", 0, MAX_BYTES, 0)
        if fields.flag("core:metadata_only", False):
            raise ValueError("core:metadata_only is true, allowed is false: the recording was distributed without "
                             "its samples")
        self.hash_text = fields.text("core:sha512") if "core:sha512" in fields else None
        self._captures = [(capture.whole("core:sample_start", 0, MAX_BYTES, 0),
                           capture.whole("core:header_bytes", 0, MAX_BYTES, 0))
                          for capture in meta.objects("captures")]
        meta.objects("annotations")
        for extension in fields.objects("core:extensions"):
            if not extension.flag("optional", False):
                extension.one_of("name", ("csi",))

    def _find(self, fields, name, archived):
        """Finds the samples by core:dataset; without it they are in the file `name`. Raises ValueError."""
        if archived:
            fields.one_of("core:dataset", (name,))
            return
        found = fields.text("core:dataset")
        path = os.path.join(os.path.dirname(self.meta_path), found)
        if "/" in found or "\\" in found or not found.isprintable() or not (found == name or os.path.isfile(path)):
            fields.refuse("core:dataset", found, "the name of a file in the same directory")
        self.data = path

    def _pieces(self):
        """([(first byte, samples)] between the headers of the captures, bytes that are left). Raises
        ValueError."""
        item = self._dtype.itemsize * self.channels
        pieces, at, end = [], self.offset, self.offset + self.size - self._trailing
        captures = sorted([(0, 0), *self._captures])
        for i, (start, header) in enumerate(captures):
            at += header
            last = i + 1 == len(captures)
            count = max(0, end - at) // item if last else captures[i + 1][0] - start
            if at + count * item > end:
                raise ValueError(f"{len(self._captures)} captures, their core:header_bytes and "
                                 f"core:trailing_bytes need more than the {self.size} bytes of the samples")
            if count:
                # Captures without headers divide nothing.
                if pieces and not header:
                    pieces[-1] = pieces[-1][0], pieces[-1][1] + count
                else:
                    pieces.append((at, count))
            at += count * item
        return pieces, end - at

    def check_hash(self) -> None:
        """ValueError if the samples are not those that the metadata were made for."""
        if self.hash_text is None:
            return
        found, left = hashlib.sha512(), self.size
        with open(self.data, "rb") as file:
            file.seek(self.offset)
            while left and (block := file.read(min(left, 1 << 20))):
                found.update(block)
                left -= len(block)
        if found.hexdigest() != self.hash_text.lower():
            raise ValueError(f"{self.meta_path}: core:sha512 is another one than that of the samples")


def _mapped(path, dtype, pieces, channels):
    """The samples of a file (n, channels); pieces: [(first byte, samples)]."""
    arrays: Any = [np.memmap(path, dtype, "r", at, (count, channels)) for at, count in pieces]
    return arrays[0] if len(arrays) == 1 else Joined(
        [functools.partial(_same, one) for one in arrays], [one.shape for one in arrays], dtype, 0)


def _same(array):
    return array


class _Single:
    """The only channel of an array (n, 1) as a vector."""

    def __init__(self, array):
        self._array, self.shape, self.dtype = array, array.shape[:1], array.dtype

    def __getitem__(self, index):
        rows = index[0] if isinstance(index, tuple) else index
        return self._array[rows, 0:1][:, 0]


def _in_archive(path):
    """(metadata, file name of the samples, their offset and bytes) in an archive, of which nothing is unpacked."""
    with open(path, "rb") as file:
        if file.read(6).startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ")):
            raise ValueError("it is compressed; SigMF has plain tar files, so unpack it first")
    with tarfile.open(path, "r:") as archive:
        found = {}
        for member in archive:
            for extension in (".sigmf-meta", ".sigmf-data"):
                if member.name.endswith(extension):
                    if not member.isreg() or member.issparse():
                        raise ValueError(f"{member.name} is no file")
                    if extension in found:
                        raise ValueError("has several recordings; take one of them out of it")
                    found[extension] = member
        for extension in (".sigmf-meta", ".sigmf-data"):
            if extension not in found:
                raise ValueError(f"has no *{extension}")
        meta, data = found[".sigmf-meta"], found[".sigmf-data"]
        if data.offset_data + data.size > os.path.getsize(path):
            raise ValueError("is truncated")
        text: Any = archive.extractfile(meta)
        return text.read(MAX_META_BYTES + 1), os.path.basename(data.name), data.offset_data, data.size


def read_samples(path: str) -> Arrays:
    """The samples of a recording as array "": (n,), of several channels (n, channels). Integers stay as
    they are, from unsigned ones half of their range is subtracted. Raises ValueError."""
    samples = Samples(path)
    if samples.left_bytes:
        item = samples.array.dtype.itemsize * samples.channels
        raise ValueError(f"{samples.data}: has {samples.size} bytes, which is no multiple of the {item} bytes of "
                         f"{samples.channels} x {samples.datatype}")
    samples.check_hash()
    dtype = samples.array.dtype
    raw.check_floats(samples.array[:1 << 12, :], samples.datatype)
    array: Any = samples.array if samples.channels > 1 else \
        samples.array[:, 0] if isinstance(samples.array, np.ndarray) else _Single(samples.array)
    if raw.zero_of(dtype):
        array = raw.Centred(array, raw.zero_of(dtype))
    found = Arrays()
    found.in_memory = False
    found.add("", array)
    found.default = ""
    return found


class Recording(Samples):
    """A recording of pilots, opened for reading.

    path: as of Samples. channel: which of several channels is replayed, or the first one. count: how many
    are replayed. sample_rate: in samples/s. parameters: keyword arguments of csirs_frame, {} without the
    namespace `csi`.

    Raises ValueError, which names the file and the field with its value, if it is none that can be
    replayed, and OSError if it cannot be read.
    """

    def __init__(self, path: str, channel: Optional[int] = None, count: int = 1) -> None:
        super().__init__(path)
        if self.channels < count:
            raise ValueError(f"{self.meta_path}: core:num_channels is {self.channels}, the UE has {count} "
                             "antennas")
        if channel is None and self.channels > count:
            raise ValueError(f"{self.meta_path}: core:num_channels is {self.channels}: --air-channel says which "
                             "one is replayed" + (f", or the first of {count}" if count > 1 else ""))
        self.channel, self.count = channel or 0, count
        if not 0 <= self.channel <= self.channels - count:
            raise ValueError(f"{self.meta_path}: --air-channel is {channel}, allowed is 0 to "
                             f"{self.channels - count}")

    def _read(self, meta):
        super()._read(meta)
        fields = meta.object("global")
        self.sample_rate = fields.positive("core:sample_rate")
        self.parameters = {}
        for name, allowed in PARAMETERS.items():
            field = f"csi:{name}"
            if field not in fields:
                continue
            if allowed is None:
                self.parameters[name] = fields.positive(field)
            elif isinstance(allowed[0], str):
                self.parameters[name] = fields.one_of(field, allowed)
            else:
                self.parameters[name] = fields.whole(field, *allowed)
        self._hash = fields.whole("csi:hash", 0, 65535) if "csi:hash" in fields else None

    def frame(self, parameters: Any) -> Any:
        """The csirs_frame of the recording; `parameters` where the file does not say. Raises
        ValueError."""
        try:
            frame = core.csirs_frame(**{**parameters, **self.parameters})
        except ValueError as error:
            raise ValueError(f"{self.meta_path}: {error}") from None
        if self._hash is not None and self._hash != frame.hash():
            raise ValueError(f"{self.meta_path}: csi:hash is {self._hash}, that of the "
                             f"parameters is {frame.hash()}")
        if abs(self.sample_rate / frame.sample_rate() - 1) > 1e-4:
            raise ValueError(f"{self.meta_path}: core:sample_rate is "
                             f"{self.sample_rate:g}, the pilots need {frame.sample_rate():g}")
        return frame
