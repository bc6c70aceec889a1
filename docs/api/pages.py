#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Writes the pages of the reference: what the package has is what the reference has."""

import importlib
import os
import pathlib
import pkgutil
import sys
from xml.etree import ElementTree

from gnuradio import csifeedback

PACKAGE = "gnuradio.csifeedback"
#: pages of modules: title, what is on it, modules and packages
MODULES = (
    ("Codecs", "Codecs in Python, and how any codec is opened.",
     ("codecs", "network_files")),
    ("Data", "Channels, data sets, model files, recordings.", ("channels", "data", "model")),
    ("Evaluation", "Errors, quantizers, reports, and the chain as a flowgraph.",
     ("evaluation", "simulation", "ofdm", "experiments")),
    ("Training", "Trainers of the codecs.", ("training",)),
    ("The two ends", "UE and BS.", ("link", "precoded", "pdus")),
)


def heading(text, line="="):
    return f"{text}\n{line * len(text)}\n\n"


def modules(name):
    """A module, or those of a package."""
    full = f"{PACKAGE}.{name}"
    module = importlib.import_module(full)
    return [full] + [f"{full}.{info.name}" for info in
                     pkgutil.iter_modules(getattr(module, "__path__", []))]


def is_block(value):
    return isinstance(value, type) and hasattr(value, "to_basic_block")


def bound():
    """Names of the package that come from the bindings: blocks, other classes, functions."""
    names = {name: value for name, value in vars(csifeedback).items()
             if not name.startswith("_")
             and getattr(value, "__module__", "").startswith(f"{PACKAGE}.csifeedback_python")}
    blocks = [n for n, v in names.items() if is_block(v)]
    classes = [n for n, v in names.items() if isinstance(v, type) and n not in blocks]
    functions = [n for n, v in names.items() if callable(v) and not isinstance(v, type)]
    return sorted(blocks), sorted(classes), sorted(functions)


def cpp(xml):
    """Classes, functions and types of the namespace, from Doxygen's XML."""
    space = "gr::csifeedback::"
    names = {}
    for compound in ElementTree.parse(xml / "index.xml").getroot():
        name = compound.findtext("name")
        if compound.get("kind") in ("class", "struct") and name.startswith(space) \
                and "::" not in name[len(space):]:
            names[name] = compound.get("kind")
    page = "".join(heading(name[len(space):], "-") + f".. doxygen{kind}:: {name}\n   :members:\n\n"
                   for name, kind in sorted(names.items()))
    page += heading("Functions, types and constants", "-")
    members = ElementTree.parse(xml / "namespacegr_1_1csifeedback.xml").getroot()
    for member in members.iter("memberdef"):
        name = member.findtext("name")
        if member.get("kind") == "function":
            name += member.findtext("argsstring")
        page += f".. doxygen{member.get('kind')}:: {space}{name}\n\n"
    return page


def write(directory):
    pages = {}
    blocks, classes, functions = bound()
    pages["blocks"] = heading("Blocks") + "".join(
        f".. autoclass:: {PACKAGE}.{name}\n   :no-show-inheritance:\n\n" for name in blocks)
    pages["objects"] = heading("Objects and functions in C++") + "".join(
        f".. autoclass:: {PACKAGE}.{name}\n\n" for name in classes) + "".join(
        f".. autofunction:: {PACKAGE}.{name}\n\n" for name in functions)
    for title, text, names in MODULES:
        page = heading(title) + text + "\n\n"
        for name in (full for one in names for full in modules(one)):
            page += heading(name[len(PACKAGE) + 1:], "-") + f".. automodule:: {name}\n\n"
        pages[title.lower().replace(" ", "_")] = page
    pages["cpp"] = heading("C++") + cpp(pathlib.Path(os.environ["CSIFEEDBACK_DOXYGEN"]))
    pages["index"] = heading("gr-csifeedback") + (
        "The reference of the Python and C++ interfaces. The manual is in docs/.\n\n"
        ".. toctree::\n   :maxdepth: 2\n\n" + "".join(f"   {name}\n" for name in pages))
    for name, text in pages.items():
        (directory / f"{name}.rst").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(pathlib.Path(sys.argv[1]))
