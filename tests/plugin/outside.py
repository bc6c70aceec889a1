#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What the tests of codecs from outside share: the installed programs, each in all its uses."""

import json
import os
import pathlib
import sys
import tempfile
import unittest

from gnuradio import csifeedback

HERE = pathlib.Path(__file__).parent
sys.path.append(str(HERE.parent / "python"))
PLUGINS = pathlib.Path(os.environ["CSIFEEDBACK_PLUGINS"])
#: matrices of the two ends below: two ports, 5 MHz
PORTS_2 = ("--channel", "cdl-c", "--nc", 300, "--nt", 2, "--spacing-hz", 15e3, "--precursor", 8,
           "--receiver-aligned", "--delay-spread-s", 3e-8, "--max-delay-spread-s", 3e-7)


class Outside(unittest.TestCase):
    """Runs programs in a directory that goes with the test, with environment variables."""

    variables = {}

    @classmethod
    def setUpClass(cls):
        # The module as installed, not that of the source or build tree.
        assert csifeedback.__file__.startswith(str(PLUGINS)), csifeedback.__file__

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def environment(self):
        return {**os.environ, **{k: str(v) for k, v in self.variables.items()}}

    def call(self, program, *arguments):
        from common import run_program
        return run_program(program, *arguments, variables=self.environment(), cwd=self.directory)

    def succeed(self, *arguments):
        done = self.call(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def figures(self, *arguments):
        return json.loads(self.succeed(*arguments, "--json"))

    def refuse(self, text, *arguments):
        """Exit code 2, and the last line on stderr says what is wrong; no traceback."""
        done = self.call(*arguments)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertIn(text, done.stderr.strip().splitlines()[-1])

    def generate(self, path, samples, *channel):
        self.succeed("dataset", "generate", *channel, "--samples", samples, "-o", path)

    def both_ends(self, codec, ratio):
        """Runs csifeedback_bs and csifeedback_ue until the BS has CSI; its line with it."""
        from programs import End, free_port, wait_for
        air, back = free_port(), free_port()
        common = ("--codec", codec, "--ratio", ratio, "--air", f"zmq://127.0.0.1:{air}",
                  "--feedback", f"zmq://127.0.0.1:{back}")
        options = {"env": self.environment(), "cwd": self.directory}
        ends = [End("bs", *common, "--rate", 0.25, **options), End("ue", *common, **options)]
        try:
            def good(line):
                ue = line["ues"]["1"]
                return ue["fresh"] and ue.get("nmse_db") is not None
            wait_for(ends[0], good, 60)
            line = [line for line in ends[0].lines if good(line)][-1]
        except AssertionError:
            for end in ends:
                end.process.kill()
                print(end.end())
            raise
        for end in ends:
            code, error = end.interrupt()
            self.assertEqual(code, 0, error)
            self.assertNotIn("Traceback", error)
        return line["ues"]["1"]
