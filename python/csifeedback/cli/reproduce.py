#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_reproduce: a table or figure of the MLCF paper, made anew, or a measurement of the
manual.

Data sets and models are kept in the output directory: what is there already is not made again,
so that an interrupted run goes on where it was.
"""

import os
import sys

from ..experiments import mlcf, real_signals
from ..files import write_csv
from ..progress import Progress
from .common import Parser, format_table, print_json, warn_renamed


def element(name):
    """The name of a kind of BS elements."""
    if name == "directive":
        warn_renamed("--element directive", "--element sector")
        return "sector"
    return name


def parse(argv):
    every = {**mlcf.EXPERIMENTS, **real_signals.EXPERIMENTS}
    parser = Parser(
        prog="csifeedback_reproduce", description=__doc__.split("\n\n", 1)[0], epilog="; ".join(
            f"{name}: {what}" for name, (_, what, *_) in every.items()))
    parser.add_argument("experiment", choices=sorted(every), metavar="EXPERIMENT",
                        help=", ".join(sorted(every)))
    parser.add_argument("-o", "--output", default="reproduced", metavar="DIR",
                        help="directory for data sets, models, the table (CSV) and the figure "
                             "(PNG) (default: reproduced)")
    parser.add_argument("--element", type=element, choices=("sector", "isotropic"),
                        default="sector",
                        help="BS elements: the sector pattern of TR 38.901, Table 7.3-1, without "
                             "which the printed figures are out of reach, or isotropic (default: "
                             "sector)")
    parser.add_argument("--samples", type=int, metavar="N",
                        help="test matrices, or frames per point (default: 500; " + ", ".join(
                            f"{e[2]} for {name}"
                            for name, e in real_signals.EXPERIMENTS.items()) + ")")
    parser.add_argument("--json", action="store_true", help="print the table as JSON alone")
    return parser.parse_args(argv)


def main(argv):
    args = parse(argv)
    on_air = real_signals.EXPERIMENTS.get(args.experiment)
    if args.samples is None:
        args.samples = on_air[2] if on_air else 500
    if args.samples < 2:
        raise ValueError(f"--samples is {args.samples}, allowed is 2 or more")
    shown = Progress(args.experiment, 100)

    def progress(done, of):
        shown.update(round(100 * done / of))

    if on_air:
        function, title = on_air[:2]
        os.makedirs(args.output, exist_ok=True)
        base = os.path.join(args.output, args.experiment)
        rows = function(args.samples, progress)
        paint = real_signals.draw
    else:
        function, title, _, _, _, claim = mlcf.EXPERIMENTS[args.experiment]
        bench = mlcf.Bench(args.output, args.element, args.samples)
        base = bench.path(args.experiment)
        rows = function(bench, progress)
        paint = mlcf.draw
    names = list(dict.fromkeys(k for row in rows for k in row if k != "se_snr_db"))
    if args.json:
        print_json(rows)
    else:
        print(title)
        if args.experiment != "patches" and not on_air:
            print(f"channel: CDL-A, 300 ns, 48 resource blocks, {args.element} BS elements\n"
                  f"the paper: {claim}")
        print()
        if args.experiment == "mlcf-picture":
            rows_shown = [r for r in rows if r.get("slot", 1) % 50 == 0]
        else:
            rows_shown = rows
        print(format_table(names, [["-" if row.get(n) is None else f"{row[n]:.4g}"
                                    if isinstance(row[n], float) else row[n] for n in names]
                                   for row in rows_shown]))
    sys.stdout.flush()
    write_csv(base + ".csv", rows, names)
    paint(base + ".png", rows, args.experiment)
    print(f"written: {base}.csv, {base}.png", file=sys.stderr)
    return 0
