#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What may import what: the programs import the library, and not the other way round."""

import ast
import pathlib
import unittest

PACKAGE = pathlib.Path(__file__).resolve().parents[2] / "python" / "csifeedback"


def imports(path):
    """Full names of what a file of the package imports from the package, such as `cli.common`."""
    here = list(path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = here[:len(here) + 1 - node.level] if node.level else []
            module = (node.module or "").split(".") if node.module else []
            if not node.level:
                if module[:2] != ["gnuradio", "csifeedback"]:
                    continue
                module = module[2:]
            for name in node.names:
                yield ".".join([*base, *module, name.name])
        elif isinstance(node, ast.Import):
            for name in node.names:
                if name.name.startswith("gnuradio.csifeedback."):
                    yield name.name.partition("csifeedback.")[2]


class LayersTest(unittest.TestCase):

    def test_library(self):
        checked = 0
        for path in PACKAGE.rglob("*.py"):
            room = path.relative_to(PACKAGE).parts[0]
            if room == "cli":
                continue
            checked += 1
            for name in imports(path):
                self.assertNotEqual(name.split(".")[0], "cli", f"{path} imports {name}")
                if room not in ("link", "experiments"):
                    self.assertNotEqual(name.split(".")[0], "link", f"{path} imports {name}")
        self.assertGreater(checked, 20)


if __name__ == "__main__":
    unittest.main()
