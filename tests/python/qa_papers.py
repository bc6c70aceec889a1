#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_reproduce: tables and figures of the papers, their verdicts, the page of both."""

import contextlib
import glob
import io
import json
import os
import re
import tempfile
import unittest
from unittest import mock

from gnuradio.csifeedback.cli import reproduce
from gnuradio.csifeedback.experiments import (costs, csi_l2o, csi_l2o_bench, mlcf, mlcf_verdicts,
                                              papers, printed, sweep, verdict)

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
#: what models/ took, with 18 MB more
MODELS_LIMIT_BYTES = 71_200_000 + 18_000_000
MEASURED = ("csi-l2o-figure-3", "csi-l2o-figure-4", "csi-l2o-figure-5", "csi-l2o-figure-6",
            "csi-l2o-figure-7", "csi-l2o-table-4")
COUNTED = {"csi-l2o-table-1", "csi-l2o-table-2", "csi-l2o-table-3", "csi-l2o-table-5"}
try:
    import torch  # noqa: F401
except ImportError:
    torch = None


def run(*arguments):
    """What csifeedback_reproduce writes to stdout."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        status = reproduce.main([str(a) for a in arguments])
    assert status == 0
    return out.getvalue()


def row(nmse_db, half=0.1, **others):
    return {"nmse_db": nmse_db, "nmse_db_low": nmse_db - half, "nmse_db_high": nmse_db + half, **others}


@unittest.skipUnless(torch, "PyTorch is not installed")
class CsiL2o(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        # Experiments have points in common.
        results = tempfile.TemporaryDirectory()
        cls.addClassCleanup(results.cleanup)
        cls.results = results.name

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def rows(self, name):
        """Rows of an experiment with two drops; there are a table, a picture and verdicts."""
        found = json.loads(run(name, "--samples", 2, "--json", "-o", self.directory, "--results",
                               self.results))
        picture = os.path.join(self.directory, name + ".png")
        with open(picture, "rb") as file:
            self.assertEqual(file.read(8), b"\x89PNG\r\n\x1a\n")
        self.assertGreater(os.path.getsize(picture), 5000)
        self.assertTrue(os.path.exists(picture[:-4] + ".csv"))
        self.assertTrue(found["claims"])
        for claim in found["claims"]:
            self.assertIn(claim["verdict"], ("holds", "does not hold", "not decided"))
            self.assertTrue(claim["evidence"])
        return found["rows"]

    def test_all_are_there(self):
        self.assertEqual(set(csi_l2o.EXPERIMENTS), {*MEASURED, *COUNTED})

    def test_measured(self):
        """The paper's numbers are those of the data module; ours come of the drops: the same give
        the same, others give others."""
        same, others = (csi_l2o_bench.Bench(2, seed) for seed in (1, 2))
        for name in MEASURED:
            rows = self.rows(name)
            if name == "csi-l2o-figure-3":
                first = rows[0]["angle"]
                self.assertNotEqual(first, csi_l2o.figure_3(others).rows[0]["angle"])
                self.assertEqual(first, csi_l2o.figure_3(same).rows[0]["angle"])
                continue
            for r in rows:
                if name in ("csi-l2o-figure-4", "csi-l2o-table-4"):
                    self.assertEqual(r["paper_db"], printed.nmse_db(
                        csi_l2o_bench.printed_name(r["method"]), "indoor",
                        int(r["ratio"].partition("/")[2]), r["bits"]))
            measured = [r for r in rows if r["origin"] == "measured"]
            self.assertGreater(len(measured), len(rows) // 4)
            r = [r for r in measured if r["method"] == "Csi-L2O, realtime"][-1]
            spec = same.spec(r["method"], "indoor", 16) if "ratio" not in r else r["model"]
            wanted = csi_l2o_bench.Wanted(
                spec, r.get("scenario", "indoor"), int(r.get("ratio", "1/16").partition("/")[2]),
                r.get("bits", 0), r.get("iterations"))
            self.assertEqual(same.measure([wanted])[wanted]["nmse_db"], r["nmse_db"])
            self.assertNotEqual(others.measure([wanted])[wanted]["nmse_db"], r["nmse_db"])

    def test_printed_numbers_in_text(self):
        """Every printed number of Table IV stands in the table."""
        text = run("csi-l2o-table-4", "--samples", 2, "-o", self.directory, "--results", self.results)
        shown = 0
        for ratio, part in zip((4, 8, 16, 32), text.split("\n1/")[1:]):
            for cells in (re.split("  +", line) for line in part.splitlines()):
                if cells[1:2] == ["paper"]:
                    self.assertEqual(cells[2:], [csi_l2o_bench.number_text(printed.nmse_db(
                        csi_l2o_bench.printed_name(cells[0]), "indoor", ratio, b)) for b in printed.BITS])
                    shown += 1
        self.assertGreaterEqual(shown, 24)

    def test_counted(self):
        """Printed counts are those of the module, ours those of the networks; almost all agree."""
        for name, paper in (("csi-l2o-table-2", printed.ENCODER_COSTS),
                            ("csi-l2o-table-3", printed.DECODER_COSTS)):
            rows = self.rows(name)
            agree = 0
            for r in rows:
                if r["paper_mflop"] is None:
                    continue
                of = paper[csi_l2o_bench.printed_name(r["method"])][int(r["ratio"].partition("/")[2])]
                self.assertEqual((r["paper_mflop"], r["paper_mparameters"]), tuple(of))
                agree += abs(r["mflop"] - of[0]) < 0.005
                self.assertGreaterEqual(r["mflop_all"], r["mflop"] - 1e-9)
            self.assertGreaterEqual(agree, len([r for r in rows if r["paper_mflop"]]) - 2)
        rows = {r["method"]: r for r in self.rows("csi-l2o-table-5")}
        self.assertEqual(rows["SM-CsiNet+"]["paper_mflop"], 1.638)
        self.assertAlmostEqual(rows["SM-CsiNet+"]["mflop"], 1.638, delta=0.001)
        self.assertAlmostEqual(rows["PM-CsiNet+"]["mflop"], 1.466, delta=0.001)
        rows = self.rows("csi-l2o-table-1")
        self.assertEqual({(r["method"], r["side"], r["formula"]) for r in rows},
                         set(printed.COMPLEXITY))

    def test_counts_follow_the_network(self):
        """A count is one of a network, not of the paper: another length gives another."""
        for method in ("CsiNet", "TransNet", "TiLISTA"):
            a, b = costs.costs(method, 16), costs.costs(method, 8)
            self.assertEqual(b["encoder"] - a["encoder"], 128 * 2048)
            self.assertEqual(b["encoder_all"] - a["encoder_all"], 128 * 2048)

    def test_picture_by_name(self):
        path = os.path.join(self.directory, "sparse.svg")
        run("csi-l2o-figure-3", "--samples", 2, "-o", path)
        with open(path) as file:
            self.assertIn("<svg", file.read())
        self.assertTrue(os.path.exists(path[:-4] + ".csv"))

    def test_bad_use(self):
        for text, *arguments in (
                ("--samples is 1", "csi-l2o-figure-3", "--samples", "1"),
                ("--mlcf-samples is 0", "papers", "--mlcf-samples", "0"),
                ("--budget-minutes is", "papers", "--budget-minutes", "-1"),
                ("--seed is -1", "papers", "--seed", "-1"),
                ("does not exist", "csi-l2o-figure-3", "-o", "/nowhere/x.png")):
            with self.assertRaisesRegex(ValueError, re.escape(text)):
                reproduce.main(arguments)

    def test_page(self):
        """The page has every table with its command and its picture; a second run computes
        nothing; HTML if the name says so."""
        page = os.path.join(self.directory, "papers.md")
        only = ["csi-l2o-figure-3", "csi-l2o-table-5", "csi-l2o-figure-7"]
        arguments = ["papers", "--samples", 2, "--only", *only, "-o", self.directory, "--page", page]
        run(*arguments)
        with open(page) as file:
            text = file.read()
        for name in only:
            end = "" if name in COUNTED else " --samples 2"
            self.assertIn(f"`csifeedback_reproduce {name}{end}`", text)
            self.assertIn(f"(images/papers/{name}.png)", text)
            self.assertTrue(os.path.exists(
                os.path.join(self.directory, "images", "papers", name + ".png")))
        self.assertIn("--samples 2", text.splitlines()[2])
        results = sorted(glob.glob(os.path.join(self.directory, "results", "*.json")))
        self.assertGreater(len(results), 10)
        times = [os.stat(path).st_mtime_ns for path in results]
        html = os.path.join(self.directory, "papers.html")
        run(*arguments[:-1], page, html)
        with open(page) as file:
            self.assertEqual(file.read(), text)
        self.assertEqual([os.stat(path).st_mtime_ns for path in results], times)
        with open(html) as file:
            self.assertEqual(file.read().count("<img"), len(only))

    def test_training_list(self):
        """What --train trains is what has no weights, and no more once it is there."""
        bench = csi_l2o_bench.Bench(trained=self.directory)
        wanted = papers.untrained(bench)
        self.assertIn(("csinet", "indoor", 4), wanted)
        self.assertNotIn(("ms4l2o", "outdoor", 0), wanted)
        self.assertIn(("sm-csinet-plus", "indoor", 0), wanted)
        self.assertNotIn(("csinet", "indoor", 16), wanted)
        models = os.environ["CSIFEEDBACK_MODELS"]
        os.link(os.path.join(models, "cost2100-indoor-csinet-16.h5"),
                os.path.join(self.directory, "cost2100-indoor-csinet-4.h5")) \
            if os.stat(models).st_dev == os.stat(self.directory).st_dev else \
            os.symlink(os.path.abspath(os.path.join(models, "cost2100-indoor-csinet-16.h5")),
                       os.path.join(self.directory, "cost2100-indoor-csinet-4.h5"))
        self.assertNotIn(("csinet", "indoor", 4), papers.untrained(bench))

    def test_train(self):
        """What --train has trained takes the committed result's place."""
        wanted = [("csinet", "indoor", 64)]
        with mock.patch.object(papers, "untrained", lambda bench: wanted), \
                mock.patch.object(papers, "TRAINING_SAMPLES", 300):
            run("papers", "--train", "--budget-minutes", 0.02, "--samples", 2, "--only",
                "csi-l2o-figure-7", "-o", self.directory, "--results", self.results)
        bench = csi_l2o_bench.Bench(2, trained=os.path.join(self.directory, "models"))
        row, = csi_l2o_bench.nmse_rows(bench, ["CsiNet"], "indoor", [64])
        self.assertEqual(row["origin"], "measured")
        self.assertEqual(row["model"], os.path.join(self.directory, "models",
                                                    "cost2100-indoor-csinet-64.h5"))


class Verdicts(unittest.TestCase):

    def test_lower(self):
        self.assertIs(verdict.lower(row(-10), row(-5)), True)
        self.assertIs(verdict.lower(row(-5), row(-10)), False)
        self.assertIsNone(verdict.lower(row(-10), row(-10.1)))
        self.assertIs(verdict.every([True, False, None]), False)
        self.assertIsNone(verdict.every([True, None]))
        self.assertIsNone(verdict.every([]))
        self.assertIs(verdict.every([True]), True)

    def test_behind(self):
        """A verdict follows the numbers, and is none over a system that was trained too little."""
        def judged(own, other, name="TiLISTA"):
            return csi_l2o.behind([row(own, method="ours", ratio="1/4"),
                                   row(other, method=name, ratio="1/4")], "ours", [name])

        self.assertIs(judged(-20, -10)[0], True)
        self.assertIs(judged(-10, -20)[0], False)
        self.assertIn("behind TiLISTA by 10.00 dB at 1/4", judged(-10, -20)[1])
        self.assertIsNone(judged(-10, -10)[0])
        self.assertIsNone(judged(-20, -10, "CsiNet")[0])
        self.assertIs(judged(-10, -20, "CsiNet")[0], False)

    def test_agreement(self):
        def claim(here):
            return csi_l2o.agreement([{"method": "X", "paper_mflop": 1.0, "mflop": here,
                                       "paper_mparameters": None, "mparameters": 0}])

        self.assertTrue(claim(1.0).holds)
        self.assertFalse(claim(1.5).holds)
        self.assertIn("1.000 printed, 1.500 here", claim(1.5).evidence)

    def test_mlcf(self):
        """Verdicts on figures of MLCF change with the rows."""
        def rows(values):
            return [row(v, codec=c, snr_db=s) for c in ("MLCF, lambda 0.05", "KLT of columns")
                    for s, v in zip((5, 10), values)]

        self.assertTrue(mlcf_verdicts.figure_6(rows((-10, -20)))[0].holds)
        self.assertFalse(mlcf_verdicts.figure_6(rows((-20, -10)))[0].holds)
        falling = [{"pair": "a", "objective": x} for x in (4, 2, 1, 1, 1)]
        self.assertEqual([c.holds for c in mlcf_verdicts.figure_4(falling)], [True, True])
        self.assertEqual([c.holds for c in mlcf_verdicts.figure_4(falling[::-1])], [False, False])
        self.assertEqual(set(mlcf_verdicts.VERDICTS),
                         {n for n in mlcf.EXPERIMENTS if re.match("mlcf-(table|figure)", n)})

    def test_mlcf_table(self):
        some = [row(-10, codec="MLCF", d=6, split="new"), {"codec": "CLNet", "d": 6, "split": "-"}]
        table = papers.mlcf_table("mlcf-table-2", some)
        self.assertEqual(table.rows, [["MLCF", "new", "-10.00 ±0.10"], ["CLNet", "-", "-"]])


class Printed(unittest.TestCase):

    def test_numbers(self):
        """A few, as a reader finds them in the paper."""
        self.assertEqual(printed.nmse_db("Csi-L2O", "indoor", 16), -18.88)
        self.assertEqual(printed.nmse_db("TransNet", "indoor", 8, 4), -12.88)
        self.assertIsNone(printed.nmse_db("TransNet", "outdoor", 8))
        self.assertIsNone(printed.nmse_db("Csi-L2O", "indoor", 32))
        self.assertEqual(printed.DECODER_COSTS["TransNet"][64], (16.966, 0.398))

    def test_falling(self):
        """In Table IV every method gets better with more bits."""
        for (method, ratio, bits), value in printed.QUANTIZED.items():
            if bits > 3:
                self.assertLess(value, printed.QUANTIZED[method, ratio, bits - 1])

    def test_committed_results(self):
        self.assertAlmostEqual(csi_l2o_bench.committed("CsiNet", "indoor", 4)["nmse_db"], -14.561)
        self.assertAlmostEqual(csi_l2o_bench.committed("MS4L2O", "indoor", 4)["nmse_db"], -16.01, delta=.01)
        self.assertIsNone(csi_l2o_bench.committed("SM-CsiNet+", "outdoor", 4))


class Models(unittest.TestCase):

    def test_size(self):
        """The shipped models stay below a limit."""
        sizes = {path: os.path.getsize(path)
                 for path in glob.glob(os.path.join(SOURCE, "models", "*.h5"))}
        self.assertGreater(len(sizes), 40)
        self.assertLessEqual(sum(sizes.values()), MODELS_LIMIT_BYTES,
                             "models/ grew: " + str(sorted(sizes.items(), key=lambda x: -x[1])[:5]))


class Store(unittest.TestCase):
    """Results of points in a directory."""

    def test_key(self):
        """A result is another one if the arguments, the file's content or the version differ, and
        the same one wherever the file is."""
        with tempfile.TemporaryDirectory() as directory:
            def point(name, content, **arguments):
                path = os.path.join(directory, name)
                with open(path, "w") as file:
                    file.write(content)
                return sweep.point_of("experiments.x:y", arguments, paths=[path])

            first = point("a", "model", n=1)
            self.assertEqual(first.key, point("b", "model", n=1).key)
            self.assertNotEqual(first.key, point("b", "other", n=1).key)
            self.assertNotEqual(first.key, point("a", "model", n=2).key)

    def test_damaged(self):
        """A damaged or foreign file is no result."""
        with tempfile.TemporaryDirectory() as directory:
            point = sweep.point_of("experiments.x:y", {"n": 1})
            store = sweep.Store(directory)
            store.keep(point, [1.5, float("nan")])
            self.assertEqual(sweep.Store(directory).find(point)[1][0], 1.5)
            path, = glob.glob(os.path.join(directory, "*.json"))
            for text in ("", "{", "[]", '{"arguments": {"n": 2}, "result": 3}'):
                with open(path, "w") as file:
                    file.write(text)
                self.assertEqual(sweep.Store(directory).find(point), (False, None))


if __name__ == "__main__":
    unittest.main()
