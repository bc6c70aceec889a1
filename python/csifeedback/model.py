#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Writing model files, and changing them; `model_file` reads them for use. docs/files.md describes
the format."""

import json
import os
import tempfile
import zlib
from typing import Any, Dict, Optional

import h5py
import numpy as np

from . import csifeedback_python as core
from .files import whole_file


class Model:
    """A trained model on its way to a file.

    attributes: what the file says of itself (codec, nc, na, nt, precursor, channel, ...).
    arrays: name -> float32, complex64 or float16 array, for example "encoder/W"; those of other
    types become float32.
    model_id: None: that of the arrays; a part of a model has that of the whole.
    """

    def __init__(self, attributes: Dict[str, Any], arrays: Dict[str, Any],
                 model_id: Optional[int] = None) -> None:
        self.attributes, self.arrays = dict(attributes), dict(arrays)
        self._model_id = model_id

    def half(self, side: str) -> "Model":
        """What one side of the link needs, "ue" or "bs", as a Model with this one's number."""
        groups = ("encoder/" if side == "ue" else "decoder/", "quantizer/", "entropy/")
        return Model(self.attributes, {name: array for name, array in self.arrays.items()
                                       if name.startswith(groups)}, self.model_id())

    def model_id(self) -> int:
        """16 bits of a checksum over what UE and BS have to agree on."""
        if self._model_id is not None:
            return self._model_id
        crc = self._checksum(("encoder/", "quantizer/", "network/"))
        return (crc ^ crc >> 16) & 0xffff

    def fingerprint(self) -> Any:
        """A number that differs, but by chance, where any array differs."""
        return self._checksum(("",))

    def _checksum(self, prefixes):
        crc = 0
        for name in sorted(self.arrays):
            if name.startswith(prefixes):
                crc = zlib.crc32(np.ascontiguousarray(self.arrays[name]).tobytes(), crc)
        return crc

    def opened(self, attributes: Dict[str, Any]) -> Any:
        """This model with more attributes as a core.model_file, though it is in no file yet."""
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "model.h5")
            Model({**attributes, **self.attributes}, self.arrays, self._model_id).write(path)
            return core.model_file(path)

    def write(self, path: str) -> None:
        """Writes the file under a temporary name and renames it."""
        # Made in memory: HDF5 does not get over a disk that is full.
        with h5py.File("model", "w", libver="earliest", driver="core",
                       backing_store=False) as file:
            file.attrs["format"] = "gr-csifeedback model"
            file.attrs["format_version"] = 1
            file.attrs["model_id"] = self.model_id()
            for name, value in self.attributes.items():
                file.attrs[name] = json.dumps(value) if isinstance(value, (dict, list)) else value
            for name, array in self.arrays.items():
                kind = (np.complex64 if np.iscomplexobj(array)
                        else np.float16 if np.asarray(array).dtype == np.float16
                        else np.float32)
                file.create_dataset(name, data=np.ascontiguousarray(array, kind))
            file.flush()
            image = file.id.get_file_image()
        with whole_file(path) as file:
            file.write(image)


def read_model(path: str) -> Model:
    """A Model with all that is in a model file, named as for core.model_file.

    Complex arrays are complex64, others float32, or float16 where the file has that. Raises
    ValueError, which names the file, if it is no model.
    """
    # Refuses what is damaged, before the HDF5 library, which trusts files, opens it.
    checked = core.model_file(path)
    arrays = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            array = checked.read(name)
            if item.dtype.kind in "cV":
                array = array[..., 0] + 1j * array[..., 1]
            elif item.dtype == np.float16:
                array = array.astype(np.float16)
            arrays[name] = array

    with h5py.File(checked.path, "r") as file:
        file.visititems(visit)
        attributes = {k: v for k, v in file.attrs.items()
                      if k not in ("format", "format_version", "model_id")}
    # The number of a half is that of the whole, which the BS cannot compute.
    half = not any(name.startswith("encoder/") for name in arrays)
    return Model(attributes, arrays, checked.model_id if half else None)
