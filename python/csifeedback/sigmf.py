#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Recordings of received pilot frames as SigMF: NAME.sigmf-data and NAME.sigmf-meta.

docs/ends.md describes the namespace `csi`, which says what the pilots look like.
"""

import datetime
import json
import os

from . import csifeedback_python as core
from .files import whole_file

#: core:datatype -> bytes of a sample
DATATYPES = {"cf32_le": 8, "ci16_le": 4}
#: parameters of csirs_frame that are in the namespace `csi`, with their types
PARAMETERS = {"nt": int, "fft_size": int, "cp_length": int, "nc": int, "spacing_hz": float,
              "comb": int, "cdm_frequency": int, "cdm_time": int, "cover": str, "cell_id": int,
              "slot": int, "gap": int}


def base(path):
    """The path without .sigmf-meta or .sigmf-data."""
    for extension in (".sigmf-meta", ".sigmf-data", ".sigmf"):
        if path.endswith(extension):
            return path[:-len(extension)]
    return path


def write_meta(path, frame, parameters, frequency_hz=None, description=""):
    """Writes the .sigmf-meta of a recording of cf32_le samples.

    frame: csirs_frame; parameters: the keyword arguments that it was made of.
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
            "core:version": "1.0.0", "core:datatype": "cf32_le", "core:num_channels": 1,
            "core:sample_rate": frame.sample_rate(), "core:recorder": "gr-csifeedback",
            "core:description": description,
            "core:extensions": [{"name": "csi", "version": "1.0.0", "optional": True}],
            **{f"csi:{name}": values[name] for name in PARAMETERS}, "csi:hash": frame.hash()},
        "captures": [capture], "annotations": []}
    with whole_file(base(path) + ".sigmf-meta") as temporary, open(temporary, "w") as file:
        json.dump(meta, file, indent=1)
        file.write("\n")


class Recording:
    """A recording, opened for reading.

    data: path of the samples; datatype: cf32_le or ci16_le; sample_rate; samples: their number.
    parameters: keyword arguments of csirs_frame, {} without the namespace `csi`.

    Raises ValueError, which names the file, if it is none that can be replayed.
    """

    def __init__(self, path):
        self.data = base(path) + ".sigmf-data"
        meta_path = base(path) + ".sigmf-meta"
        with open(meta_path, "rb") as file:
            text = file.read(1 << 24)
        try:
            meta = json.loads(text)["global"]
            self.datatype = meta["core:datatype"]
            self.sample_rate = float(meta["core:sample_rate"])
            channels = int(meta.get("core:num_channels", 1))
            self.parameters = {name: kind(meta[f"csi:{name}"])
                               for name, kind in PARAMETERS.items() if f"csi:{name}" in meta}
            self._hash = meta.get("csi:hash")
        except KeyError as error:
            raise ValueError(f"{meta_path}: has no field {error}") from None
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"{meta_path}: is no SigMF metadata: {error}") from None
        if self.datatype not in DATATYPES:
            raise ValueError(f"{meta_path}: core:datatype is {self.datatype}, allowed is "
                             + ", ".join(DATATYPES))
        if channels != 1:
            raise ValueError(f"{meta_path}: core:num_channels is {channels}, allowed is 1")
        size = os.path.getsize(self.data)
        self.samples = size // DATATYPES[self.datatype]
        if not self.samples:
            raise ValueError(f"{self.data}: is empty")

    def frame(self, parameters):
        """The csirs_frame of the recording; `parameters` where the file does not say."""
        try:
            frame = core.csirs_frame(**{**parameters, **self.parameters})
        except (ValueError, TypeError) as error:
            raise ValueError(f"{base(self.data)}.sigmf-meta: {error}") from None
        if self._hash is not None and self._hash != frame.hash():
            raise ValueError(f"{base(self.data)}.sigmf-meta: csi:hash is {self._hash}, that of the "
                             f"parameters is {frame.hash()}")
        if abs(self.sample_rate / frame.sample_rate() - 1) > 1e-4:
            raise ValueError(f"{base(self.data)}.sigmf-meta: core:sample_rate is "
                             f"{self.sample_rate:g}, the pilots need {frame.sample_rate():g}")
        return frame
