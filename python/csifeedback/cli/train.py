#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_train: trains a codec on a data set and writes a model file.

`csifeedback_train export` writes a trained codec as a TorchScript or ONNX file; `csifeedback_train sweep`
trains several codecs at several ratios, on a cluster where there is one; `csifeedback_train tables` gives a
model the tables of entropy-coded reports.
"""

import json
import os
from typing import Sequence

from ..data.dataset import Dataset
from ..experiments import sweep, trainings
from ..files import check_output
from ..network_files import SUFFIXES
from ..progress import Progress
from ..training import run
from .common import (Parser, add_overwrite_argument, add_sweep_arguments, format_table,
                     print_json)


def main(argv: Sequence[str]) -> int:
    if argv[:1] == ["export"]:
        return export(argv[1:])
    if argv[:1] == ["sweep"]:
        return train_sweep(argv[1:])
    if argv[:1] == ["tables"]:
        return tables(argv[1:])
    parser = Parser(prog="csifeedback_train", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures as JSON alone")
    args, trainer = run.parse(argv, parser)
    trained = run.train(argv, args, trainer)
    if trained is None:  # another process of a distributed run writes the model
        return 0
    model, figures = trained
    if args.json:
        print_json({"model": args.output, "model_id": model.model_id(), "figures": figures})
        return 0
    print(f"{args.output}: {args.codec}, model id {model.model_id()}, "
          f"{os.path.getsize(args.output) / 1e6:.1f} MB")
    if figures:
        reports = "budget" in figures[0]
        print(format_table(
            (["bits"] if reports else ["decoder", "ratio", "M"])
            + ["NMSE dB", "95 % interval", "against whole H", "rho"],
            [([f["budget"]] if reports else [f["decoder"], f["ratio"], f["code_size"]])
             + [f"{f['nmse_db']:.2f}", f"{f['nmse_db_low']:.2f} to {f['nmse_db_high']:.2f}",
                f"{f['nmse_whole_db']:.2f}", f"{f['rho']:.4f}"] for f in figures]))
    return 0


def train_sweep(argv: Sequence[str]) -> int:
    """Trains several codecs at several compression ratios, a model file each.

    What is trained is kept: a sweep that was interrupted, killed or extended goes on. Options that are
    not listed here go to every training, for example --budget-minutes 60.
    """
    parser = Parser(prog="csifeedback_train sweep", description=train_sweep.__doc__,
                    allow_abbrev=False)
    parser.add_argument("--codec", nargs="+", required=True, metavar="CODEC",
                        help="codecs, as csifeedback_train takes them")
    parser.add_argument("--ratio", nargs="+", metavar="R",
                        help="compression ratios, for example 1/4 1/16; codecs with one model for all "
                             "ratios are trained once (default: as each codec has it)")
    parser.add_argument("--dataset", required=True, metavar="FILE", help="training set")
    parser.add_argument("-o", "--output", required=True, metavar="DIR",
                        help="directory of the models, CODEC-RATIO.h5, for example csinet-16.h5; made if "
                             "it is not there")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON alone")
    add_sweep_arguments(parser)
    args, options = parser.parse_known_args(argv)
    commands = trainings.commands(args.codec, args.ratio, os.path.abspath(args.dataset),
                                  os.path.abspath(args.output), options)
    for command in commands:
        run.parse(command)  # bad options, before any training
    os.makedirs(args.output, exist_ok=True)
    progress = Progress("trainings", len(commands))
    found = trainings.train(
        commands, sweep.Store(args.results or os.path.join(args.output, "results")), args.cluster,
        progress.update)
    if args.json:
        print_json(found)
        return 0
    print(format_table(["model", "model id", "NMSE dB on --test"], [
        [result["model"], result["model_id"], ", ".join(
            f"{f['nmse_db']:.2f}" for f in json.loads(result["figures"] or "[]")) or "-"]
        for result in found]))
    return 0


def export(argv: Sequence[str]) -> int:
    """Writes a trained codec as a file for PyTorch or ONNX Runtime.

    The file holds the codec for one compression ratio, without quantizers, which csifeedback_train
    --codec FILE measures. TorchScript is one file with the methods encode and decode; ONNX is two,
    FILE.onnx with the encoder and FILE-decoder.onnx. Tensors are float: matrices (n, 2, rows, nt),
    real and imaginary parts, each scaled to mean |h|^2 = 1, and codewords (n, M).
    """
    parser = Parser(prog="csifeedback_train export", description=export.__doc__)
    parser.add_argument("codec", metavar="MODEL[:DECODER[,..]]", help="as in csifeedback_eval")
    parser.add_argument("--to", required=True, choices=tuple(SUFFIXES.values()))
    parser.add_argument("-o", "--output", required=True, metavar="FILE")
    parser.add_argument("--ratio", help="compression ratio, for example 1/16 (default: that of the "
                                        "longest codewords)")
    add_overwrite_argument(parser, "a file")
    parser.add_argument("--json", action="store_true", help="print what was written as JSON alone")
    args = parser.parse_args(argv)
    suffix = next(end for end, name in SUFFIXES.items() if name == args.to)
    if not args.output.endswith(suffix):
        raise ValueError(f"-o is {args.output}, allowed for {args.to} is a name that ends with "
                         f"{suffix}")
    from ..training import graphs  # needs PyTorch
    files = [args.output]
    if args.to == "onnx":
        files.append(graphs.decoder_path(args.output))
    for path in files:
        check_output(path, args.overwrite)
    graph = graphs.graph_of(args.codec, args.ratio)
    if args.to == "onnx":
        graphs.write_onnx(graph, args.output)
    else:
        graphs.write_torchscript(graph, args.output)
    if args.json:
        print_json({"files": files, **graph.stated})
        return 0
    print(", ".join(f"{file} ({os.path.getsize(file) / 1e6:.1f} MB)" for file in files)
          + f": {graph.stated['title']}, {graph.rows} x {graph.nt} matrices "
          f"{graph.stated['domain']} to {graph.stated['code_size']} values")
    return 0


def tables(argv: Sequence[str]) -> int:
    """Gives a trained model the tables of entropy-coded reports.

    For models of linear codecs and the local KLT that were trained without. All else in the file
    stays as it is, and so do the bits of all other reports.
    """
    from ..training import entropy
    parser = Parser(prog="csifeedback_train tables", description=tables.__doc__)
    parser.add_argument("model", metavar="MODEL", help="model file or name of a shipped model")
    parser.add_argument("--dataset", required=True, metavar="FILE",
                        help="training set, from csifeedback_dataset")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="model file")
    parser.add_argument("--samples", type=int, default=entropy.SAMPLES, metavar="N",
                        help=f"matrices to count on, at most (default: {entropy.SAMPLES})")
    parser.add_argument("--rounds", type=int, default=entropy.ROUNDS, metavar="N",
                        help=f"passes of encoding and counting, 1 to 20 (default: {entropy.ROUNDS})")
    add_overwrite_argument(parser, "a model")
    args = parser.parse_args(argv)
    if args.samples < 1:
        raise ValueError(f"--samples is {args.samples}, allowed is 1 or more")
    if not 1 <= args.rounds <= 20:
        raise ValueError(f"--rounds is {args.rounds}, allowed is 1 to 20")
    check_output(args.output, args.overwrite)
    with Dataset(args.dataset) as data:
        model = entropy.tables_of(args.model, data, args.samples, args.rounds)
    model.write(args.output)
    print(f"{args.output}: {model.attributes['codec']}, model id {model.model_id()}, "
          f"{os.path.getsize(args.output) / 1e6:.1f} MB")
    return 0
