#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Settings of Sphinx; docs/api/build runs it."""

import os
import re

from gnuradio import csifeedback

project = "gr-csifeedback"
copyright = "2026 gr-csifeedback authors"
version = release = csifeedback.__version__
extensions = ["sphinx.ext.autodoc", "breathe"]
html_theme = "alabaster"
html_theme_options = {"description": "CSI feedback for FDD massive MIMO", "page_width": "1100px"}
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}
nitpicky = False

autodoc_default_options = {"members": True, "show-inheritance": True, "member-order": "bysource"}
autodoc_mock_imports = ["PyQt5"]
autodoc_typehints = "description"
# Names of pybind11 are long; users write these.
SHORT = re.compile(r"gnuradio\.csifeedback\.csifeedback_python\.|gnuradio\.gr\.gr_python\.")

breathe_projects = {"csifeedback": os.environ["CSIFEEDBACK_DOXYGEN"]}
breathe_default_project = "csifeedback"
breathe_domain_by_extension = {"h": "cpp"}


def plain_text(app, what, name, obj, options, lines):
    """Docstrings are plain text: nothing in them is markup but titles with a line below."""
    result = []
    for number, line in enumerate(lines):
        below = lines[number + 1] if number + 1 < len(lines) else ""
        if re.fullmatch(r"-{3,}", line.strip()) and result:
            continue
        escaped = re.sub(r"([\\*`|_])", r"\\\1", line)
        if re.fullmatch(r"-{3,}", below.strip()) and line.strip():
            result += [f"**{escaped.strip()}**", ""]
        else:
            result.append(escaped)
    # Indentation within a paragraph means nothing; a deeper one belongs to the line before it.
    lines[:] = result


def short_signature(app, what, name, obj, options, signature, returns):
    return (SHORT.sub("", signature or ""), SHORT.sub("", returns or "") or None)


def setup(app):
    app.connect("autodoc-process-docstring", plain_text)
    app.connect("autodoc-process-signature", short_signature)
