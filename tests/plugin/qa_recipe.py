#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Follows CONTRIBUTING.md's recipe of a codec: its files as they stand there, and its commands."""

import os
import re
import shlex
import subprocess
import unittest

from outside import HERE, PLUGINS, Outside

RECIPE = (HERE.parents[1] / "CONTRIBUTING.md").read_text().partition("\n## A codec")[2]
FENCED = re.compile(r"^```\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


def files():
    """{name: content} of the blocks that follow a paragraph which begins with a file's name."""
    found = {}
    for block in FENCED.finditer(RECIPE):
        before = RECIPE[:block.start()].rstrip().split("\n\n")[-1]
        name = re.match(r"`([\w.]+\.(?:py|cc|txt))`", before)
        if name:
            found[name.group(1)] = block.group(1)
    return found


def commands(section):
    """Lines of the blocks of a section in which commands are."""
    text = re.search(rf"^### {re.escape(section)}\n(.*?)(?=^### |\Z)", RECIPE,
                     re.MULTILINE | re.DOTALL).group(1)
    return [line for block in FENCED.findall(text) for line in block.splitlines()
            if re.match(r"(csifeedback_|cmake -|export )", line)]


class Recipe(Outside):

    def setUp(self):
        super().setUp()
        for name, content in files().items():
            (self.directory / name).write_text(content)
        self.environ = {**os.environ, "CMAKE_PREFIX_PATH": str(PLUGINS / "prefix"),
                        "PATH": f"{PLUGINS / 'prefix' / 'bin'}:{os.environ['PATH']}"}
        if os.path.exists("/usr/bin/ccache"):
            self.environ["CMAKE_CXX_COMPILER_LAUNCHER"] = "ccache"

    def follow(self, section):
        """Runs the commands; what the last one printed."""
        done = None
        for line in commands(section):
            if line.startswith("export "):
                name, _, value = line[7:].partition("=")
                self.environ[name] = value
                continue
            for command in line.split("&&"):
                done = subprocess.run(shlex.split(command), cwd=self.directory, env=self.environ,
                                      capture_output=True, text=True, timeout=300)
                self.assertEqual(done.returncode, 0, f"{command}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def nmse_db(self, table):
        header, _, row = table.splitlines()[:3]
        return float(row[header.index("NMSE dB"):].split()[0])

    def test_files(self):
        self.assertEqual(set(files()), {"first_rows.py", "first_cells.cc", "CMakeLists.txt",
                                        "train_first_cells.py"})

    def test_python(self):
        self.assertEqual(len(commands("In Python")), 1)
        self.assertLess(self.nmse_db(self.follow("In Python")), -0.5)

    def test_cpp(self):
        self.assertEqual(len(commands("In C++")), 5)
        self.assertLess(self.nmse_db(self.follow("In C++")), -0.5)


if __name__ == "__main__":
    unittest.main()
