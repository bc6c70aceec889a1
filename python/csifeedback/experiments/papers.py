#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Both papers on one page: every table and figure with its numbers, verdicts, command and picture."""

import dataclasses
import html
import math
import os
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from .. import csifeedback_python as core
from ..codecs import open_codec
from ..data.generate import generate
from ..files import check_place, whole_file
from . import costs, csi_l2o, csi_l2o_bench, mlcf, mlcf_verdicts, printed, sweep, trainings
from .csi_l2o_bench import Result, Table
from .verdict import Claim, Row

#: iterations that a table of Fig. 4 of MLCF has
SHOWN = (0, 1, 2, 4, 6, 12, 24, 60)
#: pictures of the page lie in this folder beside it
PICTURES = os.path.join("images", "papers")
#: training sets that --train takes
TRAINING_SAMPLES = 100_000


@dataclasses.dataclass
class Section:
    """A table or figure on the page."""

    name: str
    title: str
    result: Result
    options: str = ""

    @property
    def command(self) -> str:
        return f"csifeedback_reproduce {self.name}{self.options}"


def mlcf_table(experiment: str, rows: Sequence[Row]) -> Table:
    """The rows of an experiment of `mlcf`: a line for each combination of keys, a column for each
    value of x."""
    _, _, x, y, keys, _ = mlcf.EXPERIMENTS[experiment]
    columns = list(dict.fromkeys(r[x] for r in rows if r.get(x) is not None))
    if experiment == "mlcf-figure-4":
        columns = [c for c in columns if c in SHOWN]
    lines: Dict[Tuple[str, ...], Dict[Any, Row]] = {}
    for row in rows:
        lines.setdefault(tuple(str(row.get(k, "")) for k in keys), {})[row[x]] = row

    def text(row: Optional[Row]) -> str:
        value = (row or {}).get(y)
        if row is None or value is None:
            return "-"
        if y == "objective":
            return f"{value:.3g}"
        half = (row["nmse_db_high"] - row["nmse_db_low"]) / 2 if "nmse_db_low" in row else math.inf
        return f"{value:.2f}" + (f" ±{half:.2f}" if y == "nmse_db" and math.isfinite(half) else "")

    heads = {"bits": "B = ", "d": "d = ", "columns": "N = ", "k": "k = ", "iteration": ""}
    header = [*keys, *(("none" if x == "bits" and not c else f"{heads.get(x, '')}{c:g}")
                       + (" dB" if x == "snr_db" else "") for c in columns)]
    return Table(header, [[*line, *(text(of.get(c)) for c in columns)]
                          for line, of in lines.items()])


def mlcf_point(arguments: Dict[str, Any]) -> List[Row]:
    """The rows of an experiment of `mlcf`."""
    bench = mlcf.Bench(arguments["directory"], arguments["element"], arguments["samples"])
    return mlcf.EXPERIMENTS[arguments["experiment"]][0](bench, lambda done, of: None)


def mlcf_result(experiment: str, rows: Sequence[Row], element: str, samples: int) -> Result:
    """The same as a Result, with the verdicts."""
    claim = mlcf.EXPERIMENTS[experiment][5]
    return Result(list(rows), [mlcf_table(experiment, rows)],
                  mlcf_verdicts.VERDICTS[experiment](rows), [
        f"CDL-A, 300 ns, 48 resource blocks, {element} BS elements; {samples} test matrices; the "
        "models are trained by the command", f"the paper: {claim}"])


def untrained(bench: csi_l2o_bench.Bench) -> List[Tuple[str, str, int]]:
    """(codec, scenario, ratio) of the networks of Csi-L2O's figures that have no weights; ratio 0: one
    model for several ratios, which may have no weights for some."""
    def lacks(codec: str, scenario: str, ratio: int) -> bool:
        model = bench.model(codec, scenario, ratio or None)
        return model is None or (codec in costs.MULTI_RATE.values() and not all(
            open_codec(model).sends(m) for m in costs.MULTI_RATE_SIZES))

    wanted = [(codec, scenario, ratio) for scenario in csi_l2o_bench.SCENARIOS
              for codec in csi_l2o_bench.NETWORKS.values() for ratio in printed.RATIOS]
    wanted += [("ms4l2o", scenario, 0) for scenario in csi_l2o_bench.SCENARIOS]
    wanted += [(codec, "indoor", 0) for codec in costs.MULTI_RATE.values()]
    return [point for point in wanted if lacks(*point)]


def train(bench: csi_l2o_bench.Bench, directory: str, minutes: float,
          progress: Callable[[int], None]) -> None:
    """Trains what `untrained` names, for some processor minutes each, into bench.trained. What is
    there is kept, and an interrupted training goes on from its checkpoint."""
    if bench.trained is None:
        raise ValueError("there is no directory for the models that are trained")
    os.makedirs(bench.trained, exist_ok=True)
    commands = []
    for codec, scenario, ratio in untrained(bench):
        data = os.path.join(directory, f"cost2100-{scenario}-train.h5")
        generate(data, channel=f"cost2100-{scenario}", samples=TRAINING_SAMPLES)
        name = f"cost2100-{scenario}-{codec}" + (f"-{ratio}" if ratio else "") + ".h5"
        # MS4L2O has no budget in minutes: a step takes about a second.
        commands.append(["--codec", codec, "--dataset", data, "-o", os.path.join(bench.trained, name)]
                        + (["--ratio", f"1/{ratio}"] if ratio else [])
                        + (["--steps", str(max(1, round(60 * minutes))), "--batch", "16",
                            "--learning-rate", "1e-2", "--lstm-share", "0.25"] if codec == "ms4l2o" else
                           ["--budget-minutes", f"{minutes:g}"]))
    trainings.train(commands, bench.store, bench.cluster, progress)


def sections(bench: csi_l2o_bench.Bench, directory: str, element: str, mlcf_samples: int,
             only: Optional[Sequence[str]] = None,
             progress: Callable[[str, int, int], None] = lambda *_: None) -> List[Section]:
    """All sections of the page, in the order of the papers.

    directory: of the data sets and models of MLCF's experiments. only: names of experiments; None:
    all. progress: gets the name of the experiment that begins, its number and how many there are.
    """
    names = [n for n in (*csi_l2o.EXPERIMENTS, *mlcf_verdicts.VERDICTS) if only is None or n in only]
    found = []
    for number, name in enumerate(names):
        progress(name, number, len(names))
        if name in csi_l2o.EXPERIMENTS:
            experiment = csi_l2o.EXPERIMENTS[name]
            found.append(Section(name, experiment.title, experiment.run(bench),
                                 f" --samples {bench.samples}" if experiment.measures else ""))
            continue
        point = sweep.point_of("experiments.papers:mlcf_point", {
            "experiment": name, "directory": directory, "element": element,
            "samples": mlcf_samples})
        # Here in any case: the experiments share files that they make.
        rows = sweep.run([point], bench.store)[0]
        found.append(Section(name, "MLCF, " + mlcf.EXPERIMENTS[name][1],
                             mlcf_result(name, rows, element, mlcf_samples),
                             f" --samples {mlcf_samples}"))
    progress("page", len(names), len(names))
    return found


def draw(section: Section, path: str, bench: csi_l2o_bench.Bench) -> None:
    """The picture of a section."""
    if section.name in csi_l2o.EXPERIMENTS:
        csi_l2o.EXPERIMENTS[section.name].draw(path, section.result, bench)
    else:
        mlcf.draw(path, section.result.rows, section.name)


def counts(claims: Sequence[Claim]) -> Dict[str, int]:
    """How many hold, do not hold, are not decided."""
    return {word: sum(c.word == word for c in claims)
            for word in ("holds", "does not hold", "not decided")}


def introduction(bench: csi_l2o_bench.Bench, mlcf_samples: int, command: str) -> List[str]:
    """What stands at the head of the page, a text a paragraph."""
    return [
        f"Made by `{command}` (version {core.__version__}): {bench.samples} test drops of seed "
        f"{bench.seed} for Csi-L2O, {mlcf_samples} for MLCF, that nothing was trained on. Here you find every "
        "table and figure of both papers with our numbers, and whether each claim of the papers holds. The verdicts "
        "are computed from the numbers; \"not decided\" means that 95 % intervals overlap, or that a system was "
        "undertrained, which leaves the verdict open.",
        "Values are NMSE in dB (mean of the ratios, against the kept delay rows) with half the 95 % interval. *: from "
        "a committed table, not measured now. -: no value. The data differ from those of the papers: COST 2100 drops "
        "of this module for Csi-L2O, CDL-A for MLCF.",
        f"The papers: {printed.CSI_L2O}. {printed.MLCF}."]


def markdown(found: Sequence[Section], texts: Sequence[str]) -> str:
    """The page as Markdown."""

    def cell(text: str) -> str:
        return text.replace("|", "\\|").replace("*", "\\*")

    def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> List[str]:
        return ["| " + " | ".join(map(cell, header)) + " |", "|" + "---|" * len(header),
                *("| " + " | ".join(map(cell, row)) + " |" for row in rows), ""]

    lines = ["# Both papers, table by table", ""]
    for text in texts:
        lines += [text.replace("*:", "\\*:"), ""]
    summary = []
    for section in found:
        number = counts(section.result.claims)
        summary.append([f"[{section.title}](#{section.name})",
                        *(str(number[word]) for word in number)])
    lines += table(["", "claims that hold", "do not hold", "not decided"], summary)
    for section in found:
        lines += [f'## <a id="{section.name}"></a>{section.title}', "",
                  f"`{section.command}`", ""]
        for one in section.result.tables:
            lines += [f"**{one.head}**", ""] if one.head else []
            lines += table(one.header, one.rows)
        lines += [f"- **{c.word}**: {cell(c.text)}: {cell(c.evidence)}" for c in
                  section.result.claims]
        lines += ["", *(f"{cell(note[:1].upper() + note[1:])}.\n" for note in section.result.notes)]
        lines += [f"![{section.title}]({PICTURES.replace(os.sep, '/')}/{section.name}.png)", ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def page(found: Sequence[Section], texts: Sequence[str]) -> str:
    """The same as HTML."""

    def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
        """Of texts that are HTML."""
        return "<table>\n" + "\n".join(
            "<tr>" + "".join(f"<{tag}>{text}</{tag}>" for text in row) + "</tr>"
            for tag, row in (("th", header), *(("td", row) for row in rows))) + "\n</table>"

    def escaped(row: Sequence[str]) -> List[str]:
        return [html.escape(text) for text in row]

    lines = ["<!DOCTYPE html>", '<html lang="en"><head><meta charset="utf-8">',
             "<title>Both papers, table by table</title>",
             "<style>body{font-family:sans-serif;max-width:60em;margin:auto}"
             "table{border-collapse:collapse}td,th{border:1px solid #ccc;padding:2px 6px}"
             "</style></head><body>", "<h1>Both papers, table by table</h1>"]
    lines += [f"<p>{html.escape(text)}</p>" for text in texts]
    lines.append(table(["", "claims that hold", "do not hold", "not decided"], [
        [f'<a href="#{s.name}">{html.escape(s.title)}</a>',
         *map(str, counts(s.result.claims).values())] for s in found]))
    for section in found:
        lines += [f'<h2 id="{section.name}">{html.escape(section.title)}</h2>',
                  f"<p><code>{html.escape(section.command)}</code></p>"]
        for one in section.result.tables:
            lines += [f"<h3>{html.escape(one.head)}</h3>"] if one.head else []
            lines.append(table(escaped(one.header), [escaped(row) for row in one.rows]))
        lines += ["<ul>", *(f"<li><b>{c.word}</b>: {html.escape(c.text)}: {html.escape(c.evidence)}"
                            "</li>" for c in section.result.claims), "</ul>"]
        lines += [f"<p>{html.escape(note[:1].upper() + note[1:])}.</p>"
                  for note in section.result.notes]
        lines.append(f'<p><img src="{PICTURES.replace(os.sep, "/")}/{section.name}.png" '
                     f'alt="{html.escape(section.title)}"></p>')
    return "\n".join([*lines, "</body></html>", ""])


def write(path: str, found: Sequence[Section], texts: Sequence[str],
          bench: csi_l2o_bench.Bench) -> None:
    """Writes the page, as Markdown or, if its name ends in .html, as HTML, and its pictures beside
    it."""
    check_place(path)
    pictures = os.path.join(os.path.dirname(os.path.abspath(path)), PICTURES)
    os.makedirs(pictures, exist_ok=True)
    for section in found:
        draw(section, os.path.join(pictures, section.name + ".png"), bench)
    with whole_file(path, text=True) as file:
        file.write((page if path.endswith(".html") else markdown)(found, texts))
