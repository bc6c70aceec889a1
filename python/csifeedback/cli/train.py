#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_train: trains a codec on a data set and writes a model file."""

import argparse
import contextlib
import os
import shlex

from .. import csifeedback_python as core
from ..dataset import Dataset
from ..codecs import open_codec
from ..evaluation import Evaluator
from ..files import Lock, check_place
from ..model import read_model
from ..training import find_trainer, takes_whole, trainers
from .common import Parser, check_seed, format_table, print_json

RATIOS = ("1/4", "1/8", "1/16", "1/32", "1/64")


def parse(argv):
    """The arguments, and the module that trains the codec that they name."""
    parser = Parser(prog="csifeedback_train", description=__doc__)
    # The options depend on the codec, so that one is looked for first.
    first = argparse.ArgumentParser(add_help=False)
    for one in (first, parser):
        one.add_argument("--codec", required=one is parser, metavar="CODEC",
                         help=", ".join(sorted(trainers())) + ", or a codec in Python, "
                              "MODULE:CLASS or FILE.py:CLASS")
        one.add_argument("--trainer", metavar="FILE.py",
                         help="trains the codec in place of this package's trainer: a module "
                              "with functions add_arguments(parser) and train(args, data)")
    parser.add_argument("--dataset", required=True, metavar="FILE",
                        help="training set, from csifeedback_dataset")
    parser.add_argument("--test", metavar="FILE",
                        help="another data set, on which the model is measured when it is done")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="model file")
    parser.add_argument("--seed", type=int, default=1, help="of all random numbers (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON alone")
    early = first.parse_known_args(argv)[0]
    trainer = None
    if early.codec:
        trainer = find_trainer(early.codec, early.trainer)
        trainer.add_arguments(parser.add_argument_group(f"options of {early.codec}"))
    return parser.parse_args(argv), trainer


def measure(path, test):
    """NMSE of the model's own decoders at each ratio, without quantization."""
    if core.model_file(path).domain == "H":
        evaluator = Evaluator(None, None, test.nc, 0, h=test.whole_matrices())
    else:
        evaluator = Evaluator(test.angular_delay(), test.energy_lost, test.nc, test.precursor)
    figures = []
    for name in core.decoder_variants(core.model_file(path)):
        codec = open_codec(f"{path}:{name}")
        longest = codec.encoder(0).code_size()
        sizes = [m for m in (codec.code_size(r) for r in RATIOS)
                 if m <= longest and codec.sends(m)]
        figures += [{**evaluator.run(codec, m), "decoder": name} for m in sizes]
    return figures


def command_of(argv):
    """The command, as model files have it."""
    return "csifeedback_train " + shlex.join(argv)


def made_by(path, argv):
    """Whether a model file was made by these arguments of the data set as it is now."""
    attributes = read_model(path).attributes
    with Dataset(parse(argv)[0].dataset) as data:
        return (attributes.get("command"), attributes.get("dataset_fingerprint")) \
            == (command_of(argv), data.fingerprint())


def main(argv):
    args, trainer = parse(argv)
    # Before hours of training, not after.
    check_place(args.output)
    check_seed("--seed", args.seed)
    # Of the processes of a distributed run the first one writes.
    first = os.environ.get("RANK", "0") == "0"
    with Lock(args.output) if first else contextlib.nullcontext():
        return train(args, trainer, argv)


def train(args, trainer, argv):
    """Trains a codec, writes its model and prints the figures."""
    whole = takes_whole(args.codec)

    def checked(path):
        """A data set that the codec can be trained and measured on, and the rows that count."""
        data = Dataset(path)
        if whole:
            data.check_whole()
        return data, data.nc if whole else data.na

    data, rows = checked(args.dataset)
    if args.test:
        test, test_rows = checked(args.test)
        with test:
            if (test_rows, test.nt) != (rows, data.nt):
                raise ValueError(f"--test {args.test} has matrices of {test_rows} x {test.nt}, the "
                                 f"training set of {rows} x {data.nt}")
    with data:
        model = trainer.train(args, data)
        if model is None:  # another process of a distributed run writes it
            return 0
        model.attributes = {
            "nc": data.nc, "na": data.na, "nt": data.nt, "precursor": data.precursor,
            "align": data.align, "channel": data.channel, "parameters": data.parameters,
            "samples": len(data), "seed": args.seed,
            "command": command_of(argv), "dataset_command": data.command,
            "dataset_fingerprint": data.fingerprint(),
            **model.attributes}
    figures = []
    model.write(args.output)
    if args.test:
        with Dataset(args.test) as test:
            figures = measure(args.output, test)
            model.attributes["nmse"] = [
                {k: f[k] for k in ("ratio", "decoder", "nmse_db", "nmse_db_low", "nmse_db_high",
                                   "nmse_whole_db", "rho", "samples")} for f in figures]
            model.attributes["test_command"] = test.command
            model.write(args.output)
    if hasattr(trainer, "finish"):
        trainer.finish(args, model)
    if args.json:
        print_json({"model": args.output, "model_id": model.model_id(), "figures": figures})
        return 0
    print(f"{args.output}: {args.codec}, model id {model.model_id()}, "
          f"{os.path.getsize(args.output) / 1e6:.1f} MB")
    if figures:
        print(format_table(
            ["decoder", "ratio", "M", "NMSE dB", "95 % interval", "against whole H", "rho"],
            [[f["decoder"], f["ratio"], f["code_size"], f"{f['nmse_db']:.2f}",
              f"{f['nmse_db_low']:.2f} to {f['nmse_db_high']:.2f}", f"{f['nmse_whole_db']:.2f}",
              f"{f['rho']:.4f}"] for f in figures]))
    return 0


