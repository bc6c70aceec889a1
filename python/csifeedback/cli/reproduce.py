#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_reproduce: a table or figure of the Csi-L2O or the MLCF paper, made anew, a measurement of
the manual, or both papers on one page (papers).

Data sets, models and results are kept in the output directory: what is there already is not made again,
so that an interrupted run goes on where it was.
"""

import argparse
import os
import sys
from typing import Any, Dict, List, Sequence

from ..experiments import (bits, csi_l2o, csi_l2o_bench, eigenvectors, mlcf, mlcf_verdicts, papers,
                           path_borders, path_models, real_signals, sites, sweep, throughput,
                           ue_operations)
from ..experiments.comparison import PICTURES
from ..files import check_place, whole_file, write_csv
from ..progress import Progress
from .common import (Parser, add_sweep_arguments, check_seed, format_table, print_json,
                     warn_renamed)

#: experiments of modules with (function, title, default of --samples) by name, and draw(); with KEEPS
#: the function takes the directory for data sets and models, the others make none; with SWEEPS it takes
#: train, store and cluster too; tables(rows) of a module is Markdown
DIRECT: Dict[str, Any] = {name: (module, *what)
                          for module in (real_signals, bits, ue_operations, path_borders, path_models,
                                         sites, eigenvectors, throughput)
                          for name, what in module.EXPERIMENTS.items()}
#: test drops or frames of each experiment, unless asked for others
SAMPLES: Dict[str, int] = {
    **{name: 2000 for name in csi_l2o.EXPERIMENTS}, **{name: 500 for name in mlcf.EXPERIMENTS},
    **{name: what[3] for name, what in DIRECT.items()}, "papers": 2000}
TITLES: Dict[str, str] = {
    **{name: e.title for name, e in csi_l2o.EXPERIMENTS.items()},
    **{name: e[1] for name, e in mlcf.EXPERIMENTS.items()},
    **{name: what[2] for name, what in DIRECT.items()},
    "papers": "all tables and figures of both papers on one page"}


def element(name: str) -> str:
    """The name of a kind of BS elements."""
    if name == "directive":
        warn_renamed("--element directive", "--element sector")
        return "sector"
    return name


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        prog="csifeedback_reproduce", description=__doc__.split("\n\n", 1)[0], epilog="; ".join(
            f"{name}: {what}" for name, what in TITLES.items()))
    parser.add_argument("experiment", choices=sorted(TITLES), metavar="EXPERIMENT",
                        help=", ".join(sorted(TITLES)))
    parser.add_argument("-o", "--output", default="reproduced", metavar="DIR",
                        help="directory for data sets, models, results, the table (CSV) and the "
                             "figure (PNG) (default: reproduced); of one experiment of Csi-L2O also the "
                             "name of the picture, which ends in " + ", ".join(PICTURES))
    parser.add_argument("--element", type=element, choices=("sector", "isotropic"),
                        default="sector",
                        help="BS elements in MLCF's experiments: the sector pattern of TR 38.901, "
                             "Table 7.3-1, without which the printed figures are out of reach, or "
                             "isotropic (default: sector)")
    parser.add_argument("--samples", type=int, metavar="N",
                        help="test matrices, or frames per point (default: 500 of MLCF, 2000 of "
                             "Csi-L2O; " + ", ".join(f"{SAMPLES[name]} for {name}"
                                                     for name in DIRECT) + ")")
    parser.add_argument("--seed", type=int, default=1,
                        help="of Csi-L2O's test drops (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the table as JSON alone")
    add_sweep_arguments(parser)
    group = parser.add_argument_group("papers")
    group.add_argument("--page", nargs="+", metavar="FILE",
                       help="the page, Markdown or, if it ends in .html, HTML; pictures are written "
                            "into images/papers beside it (default: DIR/papers.md)")
    group.add_argument("--mlcf-samples", type=int, default=500, metavar="N",
                       help="test matrices of MLCF's experiments (default: 500)")
    group.add_argument("--only", nargs="+", metavar="EXPERIMENT",
                       choices=sorted([*csi_l2o.EXPERIMENTS, *mlcf_verdicts.VERDICTS]),
                       help="these tables and figures alone")
    group.add_argument("--train", action="store_true",
                       help="first train the networks whose weights are not shipped, into "
                            "DIR/models; needs PyTorch and --budget-minutes each; for codebooks: "
                            "train anew the models that are shipped, too")
    group.add_argument("--budget-minutes", type=float, default=10, metavar="X",
                       help="processor minutes of each training (default: 10)")
    args = parser.parse_args(argv)
    check_seed("--seed", args.seed)
    if args.samples is None:
        args.samples = SAMPLES[args.experiment]
    for option in ("samples", "mlcf_samples"):
        if getattr(args, option) < 2:
            raise ValueError(f"--{option.replace('_', '-')} is {getattr(args, option)}, allowed is 2 "
                             "or more")
    if not args.budget_minutes > 0:
        raise ValueError(f"--budget-minutes is {args.budget_minutes}, allowed is more than 0")
    return args


def bench_of(args: argparse.Namespace, directory: str, progress: Any = None) -> csi_l2o_bench.Bench:
    """What measures Csi-L2O's tables and figures; results and models are in the directory."""
    return csi_l2o_bench.Bench(
        args.samples, args.seed, sweep.Store(args.results or os.path.join(directory, "results")),
        args.cluster, os.path.join(directory, "models"), progress)


def show(result: csi_l2o_bench.Result, title: str, about: str) -> None:
    """A result as text."""
    print(f"{title}\n{about}")
    for table in result.tables:
        print(f"\n{table.head}" if table.head else "")
        print(format_table(table.header, table.rows))
    print()
    for claim in result.claims:
        print(claim)
    for note in result.notes:
        print(f"note: {note}")


def reproduce_csi_l2o(args: argparse.Namespace) -> int:
    experiment = csi_l2o.EXPERIMENTS[args.experiment]
    picture = args.output
    if os.path.splitext(picture)[1].lower() in PICTURES:
        directory = os.path.dirname(picture) or "."
        table = os.path.splitext(picture)[0] + ".csv"
    else:
        directory = args.output
        os.makedirs(directory, exist_ok=True)
        picture, table = (os.path.join(directory, f"{args.experiment}.{end}")
                          for end in ("png", "csv"))
    for path in (picture, table):
        check_place(path)
    shown = Progress(args.experiment, 1000)
    bench = bench_of(args, directory,
                     lambda done, of: shown.update(round(1000 * done / max(1, of))))
    result = experiment.run(bench)
    if args.json:
        print_json({"title": experiment.title, "rows": result.rows, "claims": [
            {"claim": c.text, "verdict": c.word, "evidence": c.evidence} for c in result.claims],
            "notes": result.notes})
    else:
        show(result, experiment.title, f"COST 2100, {args.samples} test drops of seed {args.seed}; "
             "±: half the 95 % interval" if experiment.measures else "counted, millions")
    sys.stdout.flush()
    write_csv(table, result.rows, list(dict.fromkeys(k for row in result.rows for k in row)))
    experiment.draw(picture, result, bench)
    print(f"written: {table}, {picture}", file=sys.stderr)
    return 0


def reproduce_papers(args: argparse.Namespace) -> int:
    os.makedirs(args.output, exist_ok=True)
    pages: List[str] = args.page or [os.path.join(args.output, "papers.md")]
    for path in pages:
        check_place(path)
    bench = bench_of(args, args.output)
    if args.train:
        shown = Progress("trainings", len(papers.untrained(bench)))
        papers.train(bench, args.output, args.budget_minutes, shown.update)

    def progress(name: str, number: int, of: int) -> None:
        print(f"{number} of {of} done" + (f", next: {name}" if number < of else ""),
              file=sys.stderr, flush=True)
        part = Progress(name, 1000)
        bench.progress = lambda done, of: part.update(round(1000 * done / max(1, of)))

    found = papers.sections(bench, args.output, args.element, args.mlcf_samples, args.only, progress)
    command = " ".join(["csifeedback_reproduce papers", f"--samples {args.samples}",
                        f"--mlcf-samples {args.mlcf_samples}",
                        *([f"--seed {args.seed}"] if args.seed != 1 else []),
                        *([f"--only {' '.join(args.only)}"] if args.only else [])])
    texts = papers.introduction(bench, args.mlcf_samples, command)
    for path in pages:
        papers.write(path, found, texts, bench)
    if args.json:
        print_json([{"experiment": s.name, "title": s.title, "rows": s.result.rows, "claims": [
            {"claim": c.text, "verdict": c.word, "evidence": c.evidence} for c in s.result.claims]}
            for s in found])
    else:
        words = list(papers.counts([]))
        print(format_table(["", *words], [[s.name, *papers.counts(s.result.claims).values()]
                                          for s in found]))
    sys.stdout.flush()
    print("written: " + ", ".join(pages), file=sys.stderr)
    return 0


def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    if args.experiment == "papers":
        return reproduce_papers(args)
    if args.experiment in csi_l2o.EXPERIMENTS:
        return reproduce_csi_l2o(args)
    direct = DIRECT.get(args.experiment)
    shown = Progress(args.experiment, 100)

    def progress(done, of):
        shown.update(round(100 * done / of))

    function: Any
    paint: Any
    if direct:
        module, function, title = direct[:3]
        os.makedirs(args.output, exist_ok=True)
        base = os.path.join(args.output, args.experiment)
        options = {"train": args.train, "cluster": args.cluster, "store": sweep.Store(
            args.results or os.path.join(args.output, "results"))} \
            if getattr(module, "SWEEPS", False) else {}
        rows = function(args.samples, progress,
                        *[args.output] * getattr(module, "KEEPS", False), **options)
        paint = module.draw
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
        if args.experiment != "patches" and not direct:
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
    written = [base + ".csv", base + ".png"]
    write_csv(written[0], rows, names)
    if direct and hasattr(module, "tables"):
        written.append(base + ".md")
        with whole_file(written[-1], text=True) as file:
            file.write(module.tables(rows))
    if args.experiment in mlcf_verdicts.VERDICTS and not args.json:
        for verdict in mlcf_verdicts.VERDICTS[args.experiment](rows):
            print(verdict)
        sys.stdout.flush()
    paint(written[1], rows, args.experiment)
    print("written: " + ", ".join(written), file=sys.stderr)
    return 0
