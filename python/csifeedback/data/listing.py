#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What is in files of other programs, and how it is imported; what models there are."""

import json
import math
import os
import shlex
from typing import Any, Dict, List, Optional

import h5py
import numpy as np

from .. import csifeedback_python as core
from .composed import PARTS, words_of
from .interchange import CSINET_KEYS, ArrayFile, Options, complex_fields, likely_axes

#: bytes of an array that are looked at for its range and mean
LOOKED_AT = 1 << 28


def kind_of(path: str) -> str:
    """"dataset", "model", or "arrays" of a file of another program; of a damaged HDF5 file
    "dataset", whose reader says what is wrong."""
    with open(path, "rb") as file:
        if file.read(8) != b"\x89HDF\r\n\x1a\n":
            return "arrays"
    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get("format", "")
            is_other = len(file) > 0
    except (OSError, ValueError, RuntimeError, TypeError):
        return "dataset"
    if text == "gr-csifeedback model":
        return "model"
    return "arrays" if text == "" and is_other else "dataset"


def array_facts(array: Any) -> Dict[str, Any]:
    """Type, shape, and of the finite numbers least, most and mean, of complex ones, compounds that are such
    too, those of their magnitude, in the first 256 MB."""
    shape = [int(n) for n in array.shape]
    facts: Dict[str, Any] = {"type": "compound" if array.dtype.names else str(array.dtype),
                             "shape": shape}
    if array.dtype.names:
        facts["fields"] = list(array.dtype.names)
        try:
            kind, first, second = complex_fields(array.dtype)
        except ValueError:
            return facts
    if not math.prod(shape):
        return facts
    rows = max(1, LOOKED_AT // max(1, array.dtype.itemsize * math.prod(shape[1:])))
    index = (slice(0, rows),) + (slice(None),) * (len(shape) - 1) if shape else ()
    x = np.asarray(array[index])
    if x.dtype.names:
        x = x[first].astype(np.float64) if kind == "polar" else np.hypot(x[first], x[second], dtype=np.float64)
    x = np.abs(x) if x.dtype.kind == "c" else x.astype(np.float64)
    total = x.size
    x = x[np.isfinite(x)]
    if x.size < total:
        facts["not_finite"] = total - x.size
    if x.size:
        facts.update(least=float(x.min()), most=float(x.max()), mean=float(x.mean()))
    return facts


def describe_arrays(path: str, options: Options = Options()) -> Dict[str, Dict[str, Any]]:
    """name -> array_facts() of each array in a file that is no data set; `error` where it cannot be
    read, `import`: options of csifeedback_dataset import that may fit, `axes` and `notes` where the format
    says them. options: as of ArrayFile. Raises ValueError."""
    found: Dict[str, Dict[str, Any]] = {}
    arrays: Dict[str, Any] = {}
    with ArrayFile(path, options=options) as file:
        for name, shape in file.listing():
            found[name] = {"shape": [int(n) for n in shape]}
            try:
                arrays[name] = file.array(name)
                found[name] = array_facts(arrays[name])
            except ValueError as error:
                found[name]["error"] = str(error).removeprefix(f"{file.path}: ").removeprefix(
                    "cannot be read: ")
            if name in file.axes:
                found[name]["axes"] = file.axes[name]
            notes = list(file.notes.get(name, []))
            if "not_finite" in found[name]:
                notes.append(f"{found[name]['not_finite']} numbers are NaN or infinite; --drop-bad leaves out their "
                             "matrices")
            if notes:
                found[name]["notes"] = notes
        for name, array in arrays.items():
            if name in file.axes:
                text: Optional[str] = "(none)" if name == file.default else f"--key {shlex.quote(name)}"
            else:
                text = proposed(name, array, arrays)
            if text:
                found[name]["import"] = text
    return found


def proposed(name: str, array: Any, others: Dict[str, Any]) -> Optional[str]:
    """Options of an import that may fit an array of a file with others, or None."""
    key = f"--key {shlex.quote(name)} " if name and len(others) > 1 else ""
    is_real = array.dtype.kind in "fiu" and not array.dtype.names
    if name.rpartition("/")[2] == CSINET_KEYS[not is_real] and len(array.shape) == 2:
        return key.strip() or "(none)"
    if is_real and 2 not in array.shape:
        # Real and imaginary part, or amplitude and phase, in two arrays.
        partner = _partner(name, array, others)
        if partner is None:
            return None
        options = likely_axes(array.shape, np.dtype(np.complex64))
        other, kind = partner
        option = "--phase" if kind == "polar" else "--imag"
        return f"{key}{option} {shlex.quote(other)} {options[0]}" if options else None
    options = likely_axes(array.shape, array.dtype)
    return key + options[0] if options else None


def _partner(name, array, others):
    """(name, kind) of the array with the other part of complex numbers, or None."""
    for kind, first, second in PARTS:
        if set(first) & set(words_of(name)):
            for other, its in others.items():
                if other != name and set(second) & set(words_of(other)) and its.shape == array.shape:
                    return other, kind
    return None


def axes_note(path: str) -> str:
    """What is to be known about the order of the axes in a file, or ""."""
    with open(path, "rb") as file:
        head = file.read(8)
    if head.startswith(b"MATLAB"):
        return "axes are in MATLAB's order (size(x)); h5py shows them in reverse"
    if head == b"\x89HDF\r\n\x1a\n":
        return "axes are in the order of the file, as Python and C have them: what MATLAB (h5write) or " \
               "Julia wrote has its axes in reverse"
    return ""


def model_names() -> Dict[str, str]:
    """name -> path of the models that are found by name; the first directory counts."""
    found: Dict[str, str] = {}
    for directory in core.model_directories():
        if os.path.isdir(directory):
            for name in sorted(os.listdir(directory)):
                if name.endswith(".h5"):
                    found.setdefault(name[:-3], os.path.join(directory, name))
    return found


def describe_model(name: str) -> Dict[str, Any]:
    """What a model file says of itself, by its name or path. Raises ValueError."""
    model = core.model_file(name)
    arrays: Dict[str, Any] = {}
    with h5py.File(model.path, "r") as file:
        file.visititems(lambda key, thing: arrays.__setitem__(key, list(thing.shape))
                        if isinstance(thing, h5py.Dataset) else None)
        numbers = {key: int(file.attrs[key]) if key in file.attrs else None
                   for key in ("code_size", "samples")}
    nmse: List[Any] = json.loads(model.text("nmse") or "[]")
    return {"name": os.path.basename(model.path).removesuffix(".h5"), "path": model.path,
            "codec": model.codec, "model_id": model.model_id, "domain": model.domain,
            "rows": model.na, "nt": model.nt, "array": model.array, "nc": model.nc, "precursor": model.precursor,
            **numbers, "channel": model.text("channel"),
            "command": model.text("command"),
            "dataset_command": model.text("dataset_command"), "nmse": nmse, "arrays": arrays}
