#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The state of an interrupted training: arrays and JSON in an .npz file, nothing that is executed."""

import contextlib
import json
import os
import zipfile
import zlib
from typing import Any, Dict, Iterator, Mapping, Tuple

import numpy as np

from ..files import whole_file
from ..progress import keeps


def checkpoint_of(output: str) -> str:
    """Path of the checkpoint of a model."""
    return f"{output}.checkpoint"


def save(path: str, settings: str, values: Dict[str, Any],
         arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a checkpoint.

    settings: text, of what the run must have been begun with to be continued. values: what JSON
    can say. arrays: name -> NumPy array.
    """
    texts = {"settings": settings, "values": json.dumps(values)}
    with whole_file(path) as file:
        np.savez(file, **texts, **{f"array/{name}": array for name, array in arrays.items()})
    keeps(path)


def load(path: str, settings: str) -> Tuple[Dict[str, Any], Dict[str, np.ndarray]]:
    """(values, arrays) of a checkpoint. Nothing in it is executed.

    Raises ValueError, which names the file, if it is none, or one of other settings.
    """
    try:
        if not os.path.isfile(path):
            raise ValueError("it is no regular file")
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            if any(m.filename.endswith("/data.pkl") for m in members):
                raise ValueError("it was made by an earlier version, and executes code when it is "
                                 "read")
            # np.savez does not compress.
            if sum(m.file_size for m in members) > os.fstat(file.fileno()).st_size:
                raise ValueError("it is compressed")
            file.seek(0)
            with np.load(file, allow_pickle=False) as found:
                saved = {name: found[name] for name in found.files}
        values = json.loads(str(saved["values"]))
        found_settings = str(saved["settings"])
    except (OSError, ValueError, KeyError, EOFError, RuntimeError, SyntaxError, MemoryError,
            zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path}: is no checkpoint ({error}); --overwrite begins anew") from None
    if found_settings != settings:
        raise ValueError(f"{path}: is of a run with other options or other data; --overwrite "
                         "begins anew")
    return values, {name[len("array/"):]: array for name, array in saved.items()
                    if name.startswith("array/")}


@contextlib.contextmanager
def reading(path: str) -> Iterator[None]:
    """What goes wrong with the content of a checkpoint becomes a ValueError with its name."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        text = " ".join(str(error).split())
        raise ValueError(f"{path}: is damaged ({text}); --overwrite begins anew") from None


def optimizer_arrays(optimizer: Any) -> Dict[str, np.ndarray]:
    """The state of a PyTorch optimizer as {"optimizer/NUMBER/NAME": array}."""
    import torch
    return {f"optimizer/{number}/{name}": torch.as_tensor(value).detach().cpu().numpy()
            for number, values in optimizer.state_dict()["state"].items()
            for name, value in values.items()}


def load_optimizer(optimizer: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """The reverse; other arrays are left alone. ValueError if one has another shape than its
    parameter."""
    import torch
    state = optimizer.state_dict()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for name, array in arrays.items():
        if not name.startswith("optimizer/"):
            continue
        _, number, key = name.split("/")
        if key != "step" and array.shape != tuple(parameters[int(number)].shape):
            raise ValueError(f"{name} has shape {array.shape}")
        state["state"].setdefault(int(number), {})[key] = torch.from_numpy(array)
    optimizer.load_state_dict(state)
