#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_train: trains a codec on a data set and writes a model file."""

import os

from ..training import run
from .common import Parser, format_table, print_json


def main(argv):
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
        print(format_table(
            ["decoder", "ratio", "M", "NMSE dB", "95 % interval", "against whole H", "rho"],
            [[f["decoder"], f["ratio"], f["code_size"], f"{f['nmse_db']:.2f}",
              f"{f['nmse_db_low']:.2f} to {f['nmse_db_high']:.2f}", f"{f['nmse_whole_db']:.2f}",
              f"{f['rho']:.4f}"] for f in figures]))
    return 0
