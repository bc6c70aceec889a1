#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Trains a codec on a data set, writes its model file and measures it."""

import argparse
import contextlib
import os
import shlex
import sys
from fractions import Fraction
from typing import Any, Dict, List, Optional, Sequence, Tuple

from .. import conditions
from .. import csifeedback_python as core
from ..arrays import array_attributes
from ..codecs import open_codec
from ..data.dataset import Dataset
from ..evaluation import Evaluator
from ..files import Lock, check_output
from ..model import Model, read_model
from . import entropy, find_trainer, takes_whole, trainers
from .checkpoint import checkpoint_of

#: Compression ratios at which a model is measured.
RATIOS = ("1/4", "1/8", "1/16", "1/32", "1/64")
#: bits of reports whose errors are measured
BUDGETS = (64, 128, 256, 512, 1024)


def parse(argv: Sequence[str], parser: Optional[argparse.ArgumentParser] = None) \
        -> "Tuple[argparse.Namespace, Any]":
    """The arguments of a training, and the trainer of the codec that they name.

    argv: --codec CODEC --dataset FILE -o FILE and the options of the codec's trainer. parser: gets
    the options (default: a new one).
    """
    if parser is None:
        parser = argparse.ArgumentParser(prog="csifeedback_train")
    # The options depend on the codec, so that one is looked for first.
    first = argparse.ArgumentParser(add_help=False)
    for one in (first, parser):
        one.add_argument("--codec", required=one is parser, metavar="CODEC",
                         help=", ".join(sorted(trainers())) + ", a codec in Python, "
                              "MODULE:CLASS or FILE.py:CLASS, or a network's file, FILE.pt or "
                              "FILE.onnx")
        one.add_argument("--trainer", metavar="FILE.py",
                         help="trains the codec in place of this package's trainer: a module "
                              "with functions add_arguments(parser) and train(args, data)")
    parser.add_argument("--dataset", required=True, metavar="FILE",
                        help="training set, from csifeedback_dataset")
    parser.add_argument("--test", metavar="FILE",
                        help="another data set, on which the model is measured when it is done")
    parser.add_argument("--align", action="store_true",
                        help="move the earliest path of every whole matrix of both data sets to "
                             "delay zero, as receivers do")
    parser.add_argument("--drop-bad", action="store_true",
                        help="leave out matrices of all data sets that are zero, and say which")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="model file")
    parser.add_argument("--seed", type=int, default=1, help="of all random numbers (default: 1)")
    early = first.parse_known_args(argv)[0]
    trainer = None
    if early.codec:
        trainer = find_trainer(early.codec, early.trainer)
        trainer.add_arguments(parser.add_argument_group(f"options of {early.codec}"))
    # Trainers of other people may have one of their own.
    if "--overwrite" not in parser._option_string_actions:
        parser.add_argument("--overwrite", action="store_true",
                            help="replace a model that is there, and begin anew where a training "
                                 "was interrupted")
    return parser.parse_args(argv), trainer


def measure(path: str, test: Dataset) -> List[Dict[str, Any]]:
    """NMSE of the model's own decoders at each ratio, without quantization; of a codec with reports
    alone for some budgets."""
    if core.model_file(path).domain == "H":
        evaluator = Evaluator(None, None, test.nc, 0, h=test.whole_matrices())
    else:
        evaluator = Evaluator(test.angular_delay(), test.energy_lost, test.nc, test.precursor,
                              array=test.array)
    codec = open_codec(path)
    if not codec.has_codewords:
        return [evaluator.run_budget(codec, budget) for budget in BUDGETS]
    figures = []
    for name in core.decoder_variants(core.model_file(path)):
        codec = open_codec(f"{path}:{name}")
        longest = codec.encoder(0).code_size()
        # Of small matrices, not every ratio is a whole number of values.
        values = [2 * codec.model.na * codec.model.nt * Fraction(r) for r in RATIOS]
        sizes = [int(m) for m in values
                 if m.denominator == 1 and m <= longest and codec.sends(int(m))]
        figures += [{**evaluator.run(codec, m), "decoder": name} for m in sizes]
    return figures


def command_of(argv: Sequence[str]) -> str:
    """The command, as model files have it: without --overwrite, which says nothing of the model."""
    return "csifeedback_train " + shlex.join(word for word in argv if word != "--overwrite")


def made_by(path: str, argv: Sequence[str]) -> bool:
    """Whether a model file was made by these arguments of the data sets as they are now."""
    attributes = read_model(path).attributes
    args = parse(argv)[0]
    prints = []
    for name in (args.dataset, *getattr(args, "also", ())):
        with Dataset(name, args.align, args.drop_bad) as data:
            prints.append(data.fingerprint())
    return (attributes.get("command"), attributes.get("dataset_fingerprint"),
            attributes.get("also_fingerprints", "")) \
        == (command_of(argv), prints[0], " ".join(prints[1:]))


def train(argv: Sequence[str], args: Optional[argparse.Namespace] = None,
          trainer: Any = None) -> "Optional[Tuple[Model, List[Dict[str, Any]]]]":
    """Trains a codec and writes its model.

    argv: the arguments, as parse() takes them; args, trainer: what it returned, where the caller
    has parsed them.

    Returns the model and the figures of each of its decoders at each ratio on the data set --test;
    None in a process of a distributed run that does not write the model. Raises ValueError for
    arguments out of range, and OSError if the model cannot be written.
    """
    if args is None:
        args, trainer = parse(argv)
    # Before hours of training, not after. A training that goes on writes its own model again.
    goes_on = getattr(trainer, "CHECKPOINTS", False) \
        and os.path.lexists(checkpoint_of(args.output))
    outputs = getattr(trainer, "outputs", lambda args: ())(args)
    for path in (args.output, *outputs):
        check_output(path, args.overwrite or goes_on)
    if not 0 <= args.seed < 1 << 64:
        raise ValueError(f"--seed is {args.seed}, allowed is 0 to {(1 << 64) - 1}")
    # Of the processes of a distributed run the first one writes.
    first = os.environ.get("RANK", "0") == "0"
    lock: Any = Lock(args.output) if first else contextlib.nullcontext()
    with lock:
        return _train(args, trainer, argv)


def _train(args, trainer, argv):
    whole = takes_whole(args.codec)

    def checked(path):
        """A data set that the codec can be trained and measured on, and the rows that count."""
        data = Dataset(path, args.align, args.drop_bad)
        data.check_zeros()
        data.note_zeros()
        if whole:
            data.check_whole()
        elif data.domain != "W":
            conditions.warn_swapped(path, data.read_truncated(0, min(1000, len(data))), data.whole)
        return data, data.nc if whole else data.na

    data, rows = checked(args.dataset)
    if args.test:
        test, test_rows = checked(args.test)
        with test:
            if (test_rows, test.nt) != (rows, data.nt):
                raise ValueError(f"--test {args.test} has matrices of {test_rows} x {test.nt}, the "
                                 f"training set of {rows} x {data.nt}")
            texts = conditions.differences(conditions.of_dataset(test), conditions.of_dataset(data))
            if texts:
                print(f"warning: {args.test} is not like {args.dataset}: " + "; ".join(texts),
                      file=sys.stderr)
    with data:
        model = trainer.train(args, data)
        if model is None:  # another process of a distributed run writes it
            return None
        if getattr(trainer, "ENTROPY_REPORTS", False) and entropy.takes(model):
            entropy.add_tables(
                model, {"nc": data.nc, "na": data.na, "nt": data.nt, "precursor": data.precursor},
                data.read_truncated(0, min(entropy.SAMPLES, len(data))))
        model.attributes = {
            "nc": data.nc, "na": data.na, "nt": data.nt, "precursor": data.precursor,
            **array_attributes(data.array), "align": data.align, "channel": data.channel, "parameters": data.parameters,
            **({"matrices": "W"} if data.domain == "W" else {}),
            "samples": len(data), "seed": args.seed,
            "command": command_of(argv), "dataset_command": data.command,
            "dataset_fingerprint": data.fingerprint(),
            **model.attributes}
    figures = []
    model.write(args.output)
    if args.test:
        with Dataset(args.test, args.align, args.drop_bad) as test:
            figures = measure(args.output, test)
            model.attributes["nmse"] = [
                {k: f[k] for k in ("budget" if "budget" in f else "ratio", "decoder", "nmse_db",
                                   "nmse_db_low", "nmse_db_high", "nmse_whole_db", "rho",
                                   "samples")} for f in figures]
            model.attributes["test_command"] = test.command
            model.write(args.output)
    if hasattr(trainer, "finish"):
        trainer.finish(args, model)
    return model, figures
