#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The worked example of the manual, docs/own-codec.md: its own commands and code, with less training."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

import yaml

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(SOURCE / "tests" / "python"))
from programs import APPS, End, free_port, wait_for  # noqa: E402

PAGE = (SOURCE / "docs" / "own-codec.md").read_text(encoding="utf-8")
#: What the page says -> what is enough here.
SHORTER = {"--samples 2000 ": "--samples 60 ", "--samples 20000": "--samples 2000",
           "csinet.pt 30": "csinet.pt 12",
           "csifeedback_bench": "csifeedback_bench --repeats 1 --batch 8"}

#: Runs the flowgraph until CSI has arrived, with a bound for machines that are busy.
GUI_SCRIPT = textwrap.dedent("""
    import json, sys, threading, time
    from PyQt5 import Qt
    from csi_loopback import csi_loopback

    application = Qt.QApplication([])
    tb = csi_loopback()

    def use():
        end = time.monotonic() + 60
        while tb.metrics.report()["matched"] < 20 and time.monotonic() < end:
            time.sleep(0.05)
        application.quit()

    tb.start()
    tb.show()
    threading.Thread(target=use).start()
    application.exec_()
    report = tb.metrics.report()
    tb.stop()
    tb.wait()
    print(json.dumps({"codec": tb.encoder.codec_id(), **report}))
""")


def blocks(kind):
    """The blocks of a kind of code in the page."""
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


def commands(text):
    """The lines of a block of commands, shortened."""
    for long, short in SHORTER.items():
        text = text.replace(long, short)
    return [line.split() for line in text.strip().splitlines()]


class OwnCodec(unittest.TestCase):

    def call(self, command, **options):
        program = sys.executable if command[0] == "python3" else os.path.join(APPS, command[0])
        done = subprocess.run([program, *command[1:]], cwd=self.directory, capture_output=True,
                              text=True, timeout=900, **options)
        self.assertEqual(done.returncode, 0, f"{command}\n{done.stderr}")
        return done.stdout

    def test_page(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.directory = pathlib.Path(place.name)
        script, = blocks("python")
        self.assertLessEqual(len(script.splitlines()), 65)
        (self.directory / "train_csinet.py").write_text(script)
        data, train, measure, compare, ends = map(commands, blocks("sh"))
        for command in data:
            self.call(command)
        printed, = (self.call(command) for command in train)
        losses = [float(x) for x in re.findall(r": (-?[\d.]+) dB", printed)]
        self.assertEqual(len(losses), 12)
        self.assertLess(losses[-1], -4)
        for command in measure:
            self.call(command)
        self.check_figures(compare)
        self.check_flowgraph()
        self.check_ends(*ends)

    def check_figures(self, compare):
        rows = json.loads(self.call([*compare[0], "--json"]))
        own = {row["bits"]: row["nmse_db"] for row in rows if row["codec"] == "my CsiNet"}
        others = [row["codec"] for row in rows if row["codec"] != "my CsiNet"]
        self.assertEqual((sorted(own), others), ([0, 4, 6], ["KLT"] * 3))
        self.assertLess(own[0], -3)
        self.assertAlmostEqual(own[6], own[0], delta=0.5)
        self.assertIn("my CsiNet", self.call(compare[1]))
        figures = json.loads(self.call([*compare[2], "--json"]))
        self.assertEqual(figures["matched"], 60)
        self.assertAlmostEqual(figures["nmse_db"], own[6], delta=0.1)

    def check_flowgraph(self):
        """csi_loopback.grc with the three changes of the page."""
        graph = yaml.safe_load((SOURCE / "apps" / "flowgraphs" / "csi_loopback.grc").read_text())
        named = {block["name"]: block for block in graph["blocks"]}
        named["codec"]["parameters"]["value"] = '"csinet.h5"'
        named["code_size"]["parameters"]["value"] = "64"
        named["channel"].update(id="variable_csifeedback_dataset_channel",
                                parameters={"path": "test.h5", "comment": ""})
        changed = self.directory / "csi_loopback.grc"
        changed.write_text(yaml.safe_dump(graph))
        done = subprocess.run([shutil.which("grcc"), "-o", str(self.directory), str(changed)],
                              cwd=self.directory, capture_output=True, text=True, timeout=900)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        figures = json.loads(self.call(["python3", "-c", GUI_SCRIPT]).splitlines()[-1])
        self.assertEqual(figures["codec"], 254)
        self.assertGreaterEqual(figures["matched"], 20)
        self.assertLess(figures["nmse_db"], -2)

    def check_ends(self, bs, ue):
        air, back = free_port(), free_port()
        links = ("--air", f"zmq://127.0.0.1:{air}", "--feedback", f"zmq://127.0.0.1:{back}")
        running = [End(command[0].partition("_")[2], *command[1:], *links, *more, cwd=self.directory)
                   for command, more in ((bs, ("--rate", 0.25)), (ue, ()))]
        try:
            wait_for(running[0], lambda line: line["ues"]["1"]["fresh"]
                     and (line["ues"]["1"].get("nmse_db") or 0) < -1, 60)
        finally:
            ended = [end.interrupt() for end in running]
        for code, text in ended:
            self.assertEqual(code, 0, text)


if __name__ == "__main__":
    unittest.main()
