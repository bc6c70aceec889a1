#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Training of codecs.

A trainer is a module with a function `add_arguments(parser)` for its options and a function
`train(args, data)` that returns a `model.Model`. The attributes that it gives the model take the
place of the data set's. If it has a function `finish(args, model)`, that is called when the model
is written; `outputs(args)` returns the paths that it writes then. CHECKPOINTS is true if an
interrupted training goes on from `checkpoint.checkpoint_of(args.output)`. With ENTROPY_REPORTS = True
the model gets the tables of `entropy` as well, where it can have them. The trainers of this
package say in a tuple CODECS which codecs they train, by the names in the registry; others are given
as a file or come with a codec in Python.
"""

import argparse
import ast
import functools
import importlib
import pathlib
from typing import Any, Dict, Optional, Type

import numpy as np

from .. import codecs
from .. import csifeedback_python as core
from ..arrays import array_attributes
from ..data.dataset import Dataset
from ..model import Model


@functools.lru_cache(None)
def trainers() -> Dict[str, str]:
    """{codec name: module of this package that trains it}. The modules are not imported: some
    need PyTorch."""
    found = {}
    for path in sorted(pathlib.Path(__file__).parent.glob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "CODECS":
                found.update(dict.fromkeys(ast.literal_eval(node.value), path.stem))
    return found


class MissingModule(ValueError, ImportError):
    """A trainer needs a Python module that is not installed: bad use in a program, and an import that fails
    where trainers are only looked at."""


def find_trainer(codec: str, path: Optional[str] = None) -> Any:
    """The trainer of a codec: of its name, of "MODULE:CLASS", "FILE.py:CLASS" or an entry point,
    or the module in the file `path`. Raises ValueError if there is none."""
    if path is not None:
        module = codecs.load_file(path)
        for name in ("add_arguments", "train"):
            if not hasattr(module, name):
                raise ValueError(f"trainer {path}: has no function {name}")
        return module
    if codec in trainers():
        return importlib.import_module(f".{trainers()[codec]}", __package__)
    cls = codecs.find_class(codec)
    if cls is None:
        raise ValueError(f"codec is {codec}, trainers are there for "
                         + ", ".join(sorted(trainers()))
                         + ", and codecs in Python (MODULE:CLASS or FILE.py:CLASS)")
    return PythonTrainer(cls)


def takes_whole(codec: str) -> bool:
    """Whether a codec of this name takes full-band matrices H."""
    cls = codecs.find_class(codec)
    return (cls.domain if cls else core.describe_codec(codec)["domain"]) == "H"


class PythonTrainer:
    """Trains a codec in Python, and measures its codewords for quantizers."""

    def __init__(self, cls: Type[codecs.Codec]) -> None:
        self._cls = cls

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Options of the codec, and of the quantizers."""
        self._cls.add_arguments(parser)
        parser.add_argument("--codec-options", default="", metavar="K=V,..",
                            help="options of the codec, as behind its name elsewhere")
        parser.add_argument("--entry-bits", type=int, metavar="B", default=0,
                            help="Lloyd-Max tables for every entry up to B bits, 0 to 10 "
                                 "(default: 0)")
        parser.add_argument("--quantizer-samples", type=int, metavar="N", default=10000,
                            help="matrices whose codewords the quantizers are fitted to "
                                 "(default: 10000)")

    def train(self, args: argparse.Namespace, data: Dataset) -> Model:
        """The codec's own training, then its quantizers."""
        from . import quantizers
        quantizers.check_entry_bits(args.entry_bits)
        if args.quantizer_samples < 1:
            raise ValueError(f"--quantizer-samples is {args.quantizer_samples}, allowed is 1 or "
                             "more")
        model = self._cls.train(args, data)
        model.attributes.setdefault("codec", self._cls.name)
        if self._cls.domain == "H":
            model.attributes.update(domain="H", na=data.nc, precursor=0)
        codec = self._cls(model.opened({"nc": data.nc, "na": data.na, "nt": data.nt,
                                        "precursor": data.precursor, **array_attributes(data.array)}),
                          **codecs._options(self._cls.name, args.codec_options))
        if codec.code_size:
            encoder = core.encoder(codec.encoder(0))
            matrices = data.read(0, min(len(data), args.quantizer_samples)) \
                if self._cls.domain == "H" else data.angular_delay()[:args.quantizer_samples]
            tables = quantizers.fit(encoder.encode(matrices)[0], args.entry_bits)
            model.arrays.update({f"quantizer/{k}": table for k, table in tables.items()})
        return model


def normalized(matrices: np.ndarray) -> np.ndarray:
    """Complex matrices (n, rows, nt) with mean |h|^2 = 1 each, as codecs get them."""
    power = np.mean(np.abs(matrices) ** 2, axis=(1, 2), keepdims=True)
    return (matrices / np.sqrt(power)).astype(np.complex64)
