#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Which room may import which: the programs import the library, and not the other way round."""

import ast
import pathlib
import re
import unittest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = SOURCE / "python" / "csifeedback"
#: What the modules of a room import beside their own room and the package's top level, "".
ALLOWED = {
    "cli": {"experiments", "link", "training", "data"},
    "experiments": {"link", "training", "data"},
    "link": {"data"},
    "training": {"data"},
    "data": set(),
    "bindings": set(),
    "": set(),
}
#: Directories of lib/ -> those whose headers they may include.
LIBRARIES = {"core": {"core"}, "blocks": {"core", "blocks"}, "torch": {"torch"}, "onnx": {"onnx"}}
#: Public headers in which a block is, or what needs GNU Radio.
BLOCK_HEADERS = {path.name for path in (SOURCE / "include/gnuradio/csifeedback").glob("*.h")
                 if re.search(r"#include <(gnuradio/(?!csifeedback)|pmt)", path.read_text())}


def room_of(name):
    """The room of a module or name such as `data.dataset.Dataset`."""
    first = name.split(".")[0]
    return first if (PACKAGE / first).is_dir() else ""


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


def wrong_imports(path):
    """What a file of the package imports and may not."""
    here = path.relative_to(PACKAGE).parts
    room = here[0] if len(here) > 1 else ""
    return [name for name in imports(path)
            if room_of(name) not in ALLOWED[room] | {room, ""}]


def wrong_includes(path):
    """What a C++ file of lib/core or lib/blocks includes and may not."""
    place = path.relative_to(SOURCE / "lib").parts[0]
    wrong = []
    for sign, name in re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', path.read_text(),
                                 re.MULTILINE):
        if sign == '"':
            homes = {home for home in ("core", "blocks")
                     if (SOURCE / "lib" / home / name).exists()}
            if (path.parent / name).exists():
                homes.add(place)
            if homes and not homes & LIBRARIES[place]:
                wrong.append(name)
        elif place == "core":
            inside = name.startswith("gnuradio/csifeedback/")
            if name.startswith("pmt/") or name.startswith("gnuradio/") and not inside or \
                    inside and name.split("/")[-1] in BLOCK_HEADERS:
                wrong.append(name)
    return wrong


def without_hints(path):
    """Public functions and methods of a file that lack the type of a parameter or of the result."""
    found = []

    def visit(body):
        for node in body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                visit(node.body)
            elif isinstance(node, ast.FunctionDef) and (
                    node.name == "__init__" or not node.name.startswith("_")):
                given = node.args
                every = [*given.posonlyargs, *given.args, *given.kwonlyargs,
                         *filter(None, (given.vararg, given.kwarg))]
                if node.returns is None or any(a.annotation is None and a.arg not in ("self", "cls")
                                               for a in every):
                    found.append(node.name)

    visit(ast.parse(path.read_text()).body)
    return found


class LayersTest(unittest.TestCase):

    def test_hints(self):
        """Public functions say their types."""
        found = {str(path.relative_to(PACKAGE)): without_hints(path)
                 for path in sorted(PACKAGE.rglob("*.py"))}
        self.assertGreater(len(found), 50)
        self.assertEqual({path: names for path, names in found.items() if names}, {})

    def test_python(self):
        found = {str(path.relative_to(PACKAGE)): wrong_imports(path)
                 for path in sorted(PACKAGE.rglob("*.py"))}
        self.assertGreater(len(found), 50)
        self.assertEqual({path: names for path, names in found.items() if names}, {})
        # Every room has its line above.
        self.assertEqual({p.name for p in PACKAGE.iterdir()
                          if p.is_dir() and p.name != "__pycache__"} - set(ALLOWED), set())

    def test_cpp(self):
        files = [path for place in LIBRARIES for kind in ("*.cc", "*.h")
                 for path in sorted((SOURCE / "lib" / place).rglob(kind))]
        found = {str(path.relative_to(SOURCE)): wrong_includes(path) for path in files}
        self.assertGreater(len(found), 100)
        self.assertGreater(len(BLOCK_HEADERS), 20)
        self.assertEqual({path: names for path, names in found.items() if names}, {})

    def test_programs_only_parse_and_print(self):
        """No program imports another one, draws, or computes with arrays."""
        shared = {"common", "ends", "sources"}
        programs = {p.stem for p in (PACKAGE / "cli").glob("*.py")} - shared - {"__init__"}
        self.assertGreater(len(programs), 8)
        for path in sorted((PACKAGE / "cli").glob("*.py")):
            with self.subTest(path.name):
                self.assertEqual({name for name in imports(path) if name.startswith("cli.")
                                  and name.split(".")[1] in programs}, set())
                self.assertNotRegex(path.read_text(), r"import (numpy|matplotlib|torch|h5py)|"
                                                      r"from (matplotlib|torch|scipy)")


if __name__ == "__main__":
    unittest.main()
