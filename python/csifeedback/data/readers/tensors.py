#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Tensors in files of torch.save, read without PyTorch.

Such a file is a ZIP archive of a pickle, which says what the tensors are, and of their numbers. A pickle
can name any function of Python and have it called; `weights_only` of PyTorch keeps it from that, but not
in all versions (CVE-2025-32434). Here nothing that a file names is ever imported: a few names stand for
functions of this module, all others end the reading.
"""

import collections
import io
import math
import pickle
import re
import zipfile
from typing import Any, Dict

import numpy as np

from .base import Arrays, limit

#: bytes of the pickle, without the numbers
MAX_PICKLE_BYTES = 1 << 24
#: torch's storage class -> type of its numbers
STORAGES = {"FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2", "ComplexFloatStorage": "c8",
            "ComplexDoubleStorage": "c16", "CharStorage": "i1", "ByteStorage": "u1", "ShortStorage": "i2",
            "IntStorage": "i4", "LongStorage": "i8", "BFloat16Storage": "bf16", "BoolStorage": "?"}
DTYPES = {"float32": "f4", "float64": "f8", "float16": "f2", "complex64": "c8", "complex128": "c16",
          "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4",
          "int64": "i8", "uint64": "u8", "bfloat16": "bf16", "bool": "?"}


class _Kind:
    """What stands for a class or a type of torch in a pickle."""

    def __init__(self, code):
        self.code = code


class _Storage:
    """The numbers of one or more tensors."""

    def __init__(self, key, code, count):
        self.key, self.code, self.count = key, code, count


class _Tensor:
    """What a pickle says of a tensor."""

    def __init__(self, storage, offset, size, stride, conjugate=False, negative=False, code=None):
        size, stride = tuple(size), tuple(stride)
        whole = [offset, *size, *stride]
        if not isinstance(storage, _Storage) or len(size) != len(stride) or len(size) > 32 or \
                any(type(n) is not int or n < 0 for n in whole):
            raise pickle.UnpicklingError("a tensor has no storage or an improper shape")
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride
        self.conjugate, self.negative, self.code = conjugate, negative, code or storage.code


def _rebuild(storage, offset, size, stride, _gradient=False, _hooks=None, metadata=None):
    metadata = metadata or {}
    unknown = set(metadata) - {"conj", "neg"}
    if unknown:
        raise pickle.UnpicklingError(f"a tensor has the property {sorted(map(str, unknown))[0]}, which is "
                                     "not known")
    return _Tensor(storage, offset, size, stride, bool(metadata.get("conj")), bool(metadata.get("neg")))


def _rebuild_typed(storage, offset, size, stride, _gradient=False, _hooks=None, kind=None, metadata=None):
    tensor = _rebuild(storage, offset, size, stride, metadata=metadata)
    if not isinstance(kind, _Kind):
        raise pickle.UnpicklingError("a tensor has no type")
    tensor.code = kind.code
    return tensor


def _rebuild_parameter(tensor, *_):
    return tensor


class _Unpickler(pickle.Unpickler):
    """Tensors, numbers, texts, lists and dictionaries; every other name ends it."""

    FUNCTIONS = {"torch._utils._rebuild_tensor_v2": _rebuild, "torch._utils._rebuild_tensor": _rebuild,
                 "torch._utils._rebuild_tensor_v3": _rebuild_typed,
                 "torch._utils._rebuild_parameter": _rebuild_parameter,
                 "collections.OrderedDict": collections.OrderedDict, "torch.Size": tuple}

    def find_class(self, module: str, name: str) -> Any:
        full = f"{module}.{name}"
        if full in self.FUNCTIONS:
            return self.FUNCTIONS[full]
        if module in ("torch", "torch.storage") and name in STORAGES:
            return _Kind(STORAGES[name])
        if full == "torch.storage.UntypedStorage":
            return _Kind("u1")
        if module == "torch" and name in DTYPES:
            return _Kind(DTYPES[name])
        raise pickle.UnpicklingError(f"has {full}, allowed are tensors alone: torch.save a tensor or a "
                                     "dictionary of tensors, for example {'H': h.detach().cpu()}")

    def persistent_load(self, pid: Any) -> Any:
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or \
                not isinstance(pid[1], _Kind) or not isinstance(pid[2], str) or type(pid[4]) is not int:
            raise pickle.UnpicklingError("a storage is improper")
        return _Storage(pid[2], pid[1].code, pid[4])


def is_torch(names: Any) -> bool:
    """Whether the members of a ZIP archive are those of torch.save."""
    return any(re.fullmatch(r"[^/]*/data\.pkl", name) for name in names)


def read_tensors(path: str, most: int) -> Arrays:
    """The tensors in a file of torch.save: one is called "", those of dictionaries and lists by their
    keys and numbers, with points between them. most: bytes that may be unpacked. Raises ValueError."""
    with zipfile.ZipFile(path) as archive:
        pickled = next(n for n in archive.namelist() if re.fullmatch(r"[^/]*/data\.pkl", n))
        prefix = pickled[:-len("data.pkl")]
        if prefix + "constants.pkl" in archive.namelist():
            raise ValueError("is a TorchScript program, no tensors")
        info = archive.getinfo(pickled)
        if info.file_size > MAX_PICKLE_BYTES:
            raise ValueError(f"the pickle has {info.file_size} bytes, allowed are {MAX_PICKLE_BYTES}")
        order = "<"
        if prefix + "byteorder" in archive.namelist():
            order = {b"little": "<", b"big": ">"}[archive.read(prefix + "byteorder")[:8]]
        thing = _Unpickler(io.BytesIO(archive.read(pickled))).load()
        tensors: Dict[str, _Tensor] = {}
        _collect(thing, "", tensors, 0)
        if not tensors:
            raise ValueError("has no tensors")
        found = Arrays()
        for name, tensor in tensors.items():
            found.add(name, _array(archive, prefix, order, tensor, most))
    return found


def _collect(thing, name, tensors, depth):
    if isinstance(thing, _Tensor):
        tensors[name] = thing
    elif depth < 16 and isinstance(thing, (dict, list, tuple)):
        items = thing.items() if isinstance(thing, dict) else enumerate(thing)
        for key, value in items:
            _collect(value, f"{name}.{key}" if name else str(key), tensors, depth + 1)
            if len(tensors) > 100_000:
                raise ValueError("has more than 100000 tensors")


def _array(archive, prefix, order, tensor, most):
    """The numbers of a tensor."""
    width = 2 if tensor.code == "bf16" else np.dtype(tensor.code).itemsize
    member = f"{prefix}data/{tensor.storage.key}"
    if member not in archive.namelist():
        raise ValueError(f"the archive has no {member}")
    limit(archive.getinfo(member).file_size, most, "a tensor")
    data = archive.read(member)
    last = tensor.offset + sum((n - 1) * s for n, s in zip(tensor.size, tensor.stride))
    if 0 not in tensor.size and (last + 1) * width > len(data):
        raise ValueError(f"a tensor of shape {tensor.size} goes beyond its {len(data)} bytes")
    if math.prod(tensor.size) * width > max(most, len(data)):
        raise ValueError(f"a tensor of shape {tensor.size} has more bytes than allowed (--max-gb)")
    if tensor.code == "bf16":
        flat = (np.frombuffer(data, order + "u2").astype(np.uint32) << 16).view(np.float32)
    else:
        flat = np.frombuffer(data, np.dtype(tensor.code).newbyteorder(order), len(data) // width)
    array = np.lib.stride_tricks.as_strided(
        flat[tensor.offset:], tensor.size, [s * flat.itemsize for s in tensor.stride], writeable=False) \
        if 0 not in tensor.size else np.empty(tensor.size, flat.dtype)
    array = np.array(array)
    if tensor.conjugate:
        array = array.conj()
    return -array if tensor.negative else array
