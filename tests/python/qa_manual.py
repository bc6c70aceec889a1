#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The Python in the README and the manual does what they say."""

import argparse
import contextlib
import doctest
import importlib
import io
import os
import re
import shlex
import sys
import unittest
from unittest import mock

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "install"))
import manual_commands  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def text(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def headings(name):
    """The names by which links refer to the headings of a page, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```$", "", text(name), flags=re.MULTILINE | re.DOTALL)
    lines = [re.sub(r"<[^>]*>", "", line) for line in re.findall(r"^#+ +(.*)$", prose, flags=re.MULTILINE)]
    return {re.sub(r"[^\w -]", "", line.replace("`", "").lower()).strip().replace(" ", "-") for line in lines} | set(
        re.findall(r'<a id="([^"]*)">', prose))


def python_of(name):
    """The first block of Python in a file."""
    return re.search(r"```python\n(.*?)```", text(name), re.DOTALL).group(1)


class Parsed(Exception):
    """A program has taken its arguments."""


def take(command):
    """Has a program take the arguments of a command line, and do nothing. Raises Parsed if it does."""
    program, *arguments = shlex.split(command.partition(" > ")[0])
    main = importlib.import_module(f"gnuradio.csifeedback.cli.{program.partition('_')[2]}").main
    parse_args = argparse.ArgumentParser.parse_args

    def stop(parser, *args, **more):
        parse_args(parser, *args, **more)
        raise Parsed

    with mock.patch.object(argparse.ArgumentParser, "parse_args", stop):
        main(arguments)


class Commands(unittest.TestCase):

    def test_taken(self):
        """Programs take every command that a page shows; tests/install/manual_commands.py runs them."""
        commands = [c for page in manual_commands.PAGES for block in manual_commands.blocks(page) for c in block]
        texts = {c: c.text if manual_commands.left_out(c.text) else manual_commands.shortened(c.text)
                 for c in commands}
        programs = {c: text for c, text in texts.items()
                    if text.startswith("csifeedback_")
                    # The codec's own file says what it takes: qa_own_codec and qa_cpp run these.
                    and not re.search(r"train --codec (csinet\.pt|first-cells)", c.text)}
        self.assertGreater(len(programs), 100)
        for command, text in programs.items():
            with self.subTest(str(command)), self.assertRaises(Parsed):
                take(text)

    def test_refused(self):
        for text in ("csifeedback_dataset import x.npy --axis nc,nt -o h.h5", "csifeedback_eval --ratio-x 1/4",
                     "csifeedback_train --codec klt --no-such 1 --dataset x.h5 -o y.h5"):
            with self.subTest(text), self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()):
                take(text)

    def test_left_out(self):
        """What is left out is on some page, and so is what is made shorter."""
        texts = [c.text for page in manual_commands.PAGES for block in manual_commands.blocks(page) for c in block]
        for what in (*manual_commands.LEFT_OUT, *manual_commands.SHORTER):
            self.assertTrue(any(re.search(what, text) for text in texts), what)


class Manual(unittest.TestCase):

    def run_block(self, name):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(python_of(name), name, "exec"), {})
        return float(printed.getvalue().split()[0])

    def test_readme(self):
        # One drop of a model whose mean at 1/16 is -13 dB.
        self.assertLess(self.run_block("README.md"), -5)

    def test_tutorial(self):
        self.assertLess(self.run_block("docs/tutorial.md"), -4)

    def test_reports(self):
        self.assertLess(self.run_block("docs/reports.md"), -10.5)

    def test_codebooks(self):
        # Of three waves: SGCS.
        self.assertGreater(self.run_block("docs/codebooks.md"), 0.8)

    def test_ofdm(self):
        self.assertLess(self.run_block("docs/ofdm.md"), -30)

    def test_frame_example(self):
        name = "docs/frames.md"
        examples = "\n".join(re.findall(r"```python\n(.*?)```", text(name), re.DOTALL))
        example = doctest.DocTestParser().get_doctest(examples, {}, name, name, 0)
        result = doctest.DocTestRunner().run(example)
        self.assertEqual(result.failed, 0)
        self.assertGreater(result.attempted, 7)

    def test_core_example(self):
        """What the manual shows is what test_core.sh builds and runs."""
        page, place = text("docs/core.md"), os.path.join("tests", "install", "core")
        self.assertIn("```cpp\n" + text(os.path.join(place, "example.cc")) + "```", page)
        cmake = re.search(r"```cmake\n(.*?)```", page, re.DOTALL).group(1)
        self.assertTrue(text(os.path.join(place, "CMakeLists.txt")).startswith(cmake))

    def test_links(self):
        """Every file and heading that a page of the manual refers to is there."""
        pages = ["README.md", "CONTRIBUTING.md", "SECURITY.md"] + [
            os.path.join("docs", n) for n in os.listdir(os.path.join(ROOT, "docs"))
            if n.endswith(".md")]
        for page in pages:
            # In code, ](...) is no link.
            prose = re.sub(r"^```.*?^```$", "", text(page), flags=re.MULTILINE | re.DOTALL)
            for target, heading in re.findall(r"\]\(([^)#]*)(?:#([^)]*))?\)", prose):
                if "://" in target:
                    continue
                path = os.path.join(os.path.dirname(page), target) if target else page
                self.assertTrue(os.path.exists(os.path.join(ROOT, path)), f"{page}: {target}")
                if heading and path.endswith(".md"):
                    self.assertIn(heading, headings(path), f"{page}: {target}#{heading}")


if __name__ == "__main__":
    unittest.main()
