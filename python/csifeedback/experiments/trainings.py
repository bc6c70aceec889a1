#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Sweeps of trainings: codecs x ratios on one data set, a point each."""

import argparse
import contextlib
import itertools
import os
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence

from ..data.dataset import Dataset
from ..model import read_model
from ..training import find_trainer, run
from . import sweep


def takes_ratio(codec: str) -> bool:
    """Whether the trainer of a codec has an option --ratio."""
    parser = argparse.ArgumentParser(add_help=False)
    find_trainer(codec).add_arguments(parser)
    try:
        parser.parse_known_args(["--ratio", "1/16"])
        return any("--ratio" in action.option_strings for action in parser._actions)
    except SystemExit:
        return False


def commands(codecs: Sequence[str], ratios: Optional[Sequence[str]], dataset: str, output: str,
             options: Sequence[str]) -> List[List[str]]:
    """Arguments of csifeedback_train for each codec and ratio.

    ratios: None: as the trainers have it. output: directory of the models, which are named CODEC.h5 or
    CODEC-RATIO.h5, such as csinet-16.h5. options: of all. Raises ValueError if a codec takes no ratio
    and several are asked for by name.
    """
    found = []
    for codec, ratio in itertools.product(codecs, ratios or [""]):
        if ratio and not takes_ratio(codec):
            if ratio != (ratios or [""])[0]:
                continue  # one model for all ratios
            ratio = ""
        end = "-" + ratio.removeprefix("1/").replace("/", "of") if ratio else ""
        name = os.path.basename(codec).replace(":", "-").replace(",", "-") + end + ".h5"
        found.append(["--codec", codec, "--dataset", dataset, "-o", os.path.join(output, name),
                      *(["--ratio", ratio] if ratio else []), *options])
    outputs = [c[5] for c in found]
    if len(set(outputs)) < len(outputs):
        raise ValueError("a codec and ratio are asked for twice")
    return found


def point(arguments: Sequence[str]) -> sweep.Point:
    """The point of a training. The data sets count by their content; they and the model's directory are
    under the same path for all workers."""
    args = run.parse(arguments)[0]
    files = [path for path in (args.dataset, args.test, *getattr(args, "also", ())) if path]
    for path in files:
        Dataset(path).close()  # ValueError if it is none
    return sweep.point_of("experiments.trainings:training_point",
                          {"arguments": list(arguments)}, paths=files)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch computes on one thread. Sums over several threads round differently for each number of
    them, and a worker need not have as many as a serial run, or as another worker."""
    try:
        import torch
    except ImportError:
        yield
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def training_point(arguments: Dict[str, Any]) -> Dict[str, Any]:
    """Trains, on one thread, from the checkpoint that a killed worker left; what these arguments made
    before is kept."""
    argv = arguments["arguments"]
    path = run.parse(argv)[0].output
    if not (os.path.exists(path) and run.made_by(path, argv)):
        with _one_thread():
            run.train(argv)
    model = read_model(path)
    return {"model": path, "sha256": sweep.digest_of(path), "model_id": model.model_id(),
            "figures": model.attributes.get("nmse")}


def _is_there(_: sweep.Point, result: Any) -> bool:
    return os.path.isfile(result["model"]) and \
        sweep.digest_of(result["model"]) == result["sha256"]


def train(all_arguments: Sequence[Sequence[str]], store: Optional[sweep.Store] = None,
          cluster: Optional[str] = None,
          progress: Optional[Callable[[int], None]] = None) -> List[Dict[str, Any]]:
    """Trains everything that is not there. Returns for each: model, its sha256 and model_id, and the
    figures on --test, as text, or None."""
    return sweep.run([point(arguments) for arguments in all_arguments], store, cluster, progress,
                     _is_there)
