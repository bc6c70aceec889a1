#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Makes the docstrings of the blocks out of docs/blocks.md: block_help.py blocks.md OUTPUT.py"""

import pathlib
import re
import sys
import textwrap

WIDTH = 88


def plain(text):
    """Markdown of a table's cell or a paragraph as plain text."""
    text = re.sub(r"!\[[^]]*\]\([^)]*\)", "", text)
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"\s+", " ", text.replace("\\|", "|").replace("`", "").replace("**", "")).strip()


def rows(section):
    """(name, text) of the lines of the tables, as Markdown."""
    found = []
    for line in section.splitlines():
        cells = re.split(r"(?<!\\)\|", line.strip())
        if len(cells) == 4 and cells[1].strip().strip("-"):
            found.append((cells[1].strip(), cells[2].strip()))
    return found


def kind(name):
    """The part of a docstring in which a line of a table belongs."""
    if re.match(r"(inputs?|outputs?)\b", name):
        return "Ports"
    if name.startswith("message"):
        return "Messages"
    return "Methods" if name.split(",")[0].strip("` ").endswith("()") else "Parameters"


def entry(name, text):
    return "\n".join([plain(name)] + textwrap.wrap(plain(text), WIDTH, initial_indent="    ",
                                                   subsequent_indent="    "))


def docstrings(manual):
    """{block: docstring}"""
    keys = {}
    for name, *cells in re.findall(r"^\| (`[^|]*`) \| ([^|]*) \| ([^|]*) \| ((?:[^|]|\\\|)*) \|$",
                                   manual.partition("### Tags and PDU keys")[2]
                                   .partition("\n## ")[0], re.MULTILINE):
        for key in re.findall(r"`(\w+)`", name):
            keys[key] = cells
    found, before = {}, []
    for heading, section in re.findall(r"^### (\w+)\n(.*?)(?=^###? |\Z)", manual,
                                       re.MULTILINE | re.DOTALL):
        table = rows(section)
        if any(name == "the rest" for name, _ in table):
            table = [row for row in table if row[0] != "the rest"] + \
                [row for row in before if kind(row[0]) != "Ports"
                 and row[0] not in {name for name, _ in table}]
            table = [row for row in before if kind(row[0]) == "Ports"] + table
        before = table
        prose = [p for p in re.split(r"\n\s*\n", section) if p.strip() and not p.startswith("|")]
        parts = ["\n".join(textwrap.wrap(plain(p), WIDTH)) for p in prose if plain(p)]
        for title in ("Ports", "Messages", "Parameters", "Methods"):
            entries = [entry(*row) for row in table if kind(row[0]) == title]
            if entries:
                parts.append("\n".join([title, "-" * len(title), *entries]))
        here = "\n".join(f"{name} {text}" for name, text in table
                         if kind(name) in ("Ports", "Messages"))
        used = [name for name in re.findall(r"`(\w+)`", here) if name in keys]
        if used:
            title = "Tags and PDU keys"
            parts.append("\n".join([title, "-" * len(title)] + [
                entry(name, "{0}, {1}: {2}".format(*keys[name])) for name in dict.fromkeys(used)]))
        found[heading] = "\n\n".join(parts) + "\n"
    return found


if __name__ == "__main__":
    source, output = map(pathlib.Path, sys.argv[1:])
    texts = docstrings(source.read_text(encoding="utf-8"))
    lines = ['"""Docstrings of the blocks, made of docs/blocks.md."""', "", "BLOCKS = {"]
    lines += [f"    {name!r}: {text!r}," for name, text in texts.items()]
    output.write_text("\n".join([*lines, "}", ""]), encoding="utf-8")
