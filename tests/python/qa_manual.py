#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The Python in the README and the manual does what they say."""

import contextlib
import doctest
import io
import os
import re
import unittest

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
