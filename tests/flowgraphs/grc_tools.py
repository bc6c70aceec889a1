#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""GRC's own platform, for tests."""

import importlib.util
import pathlib

from gnuradio import gr
from gnuradio.grc.core.platform import Platform

SOURCE = pathlib.Path(__file__).resolve().parents[2]
#: Flowgraphs that need a part of GNU Radio which not every installation has.
NEEDS = {"over_the_air_uhd": "uhd", "over_the_air_soapy": "soapy"}
FLOWGRAPHS = sorted(
    path for path in (SOURCE / "apps" / "flowgraphs").glob("*.grc")
    if path.stem not in NEEDS or importlib.util.find_spec(f"gnuradio.{NEEDS[path.stem]}"))
BLOCK_FILES = sorted((SOURCE / "grc").glob("*.block.yml"))


def make_platform():
    """The platform with all blocks, those of GNU Radio included."""
    platform = Platform(name="GNU Radio Companion Compiler", prefs=gr.prefs(), version=gr.version(),
                        version_parts=(gr.major_version(), gr.api_version(), gr.minor_version()))
    platform.build_library()
    return platform


class Graph:
    """A flowgraph in the making. generate: no_gui or qt_gui."""

    def __init__(self, platform, generate="no_gui"):
        self.platform = platform
        self.graph = platform.make_flow_graph()
        options = self.graph.options_block
        options.params["id"].value = "test_graph"
        options.params["generate_options"].value = generate

    def add(self, key, name, **parameters):
        block = self.platform.make_block(self.graph, key)
        block.params["id"].value = name
        for parameter, value in parameters.items():
            block.params[parameter].value = str(value)
        self.graph.blocks.append(block)
        self.graph.rewrite()
        return block

    def connect(self, source, sink):
        self.graph.connect(source, sink)

    def terminate(self, block):
        """Connects the ports of a block that need a connection to null blocks."""
        for port in [p for p in block.sources if not p.optional]:
            null = self.add("blocks_null_sink", f"sink_{port.key}", type=port.dtype, vlen=port.vlen)
            self.connect(port, null.sinks[0])
        for port in [p for p in block.sinks if not p.optional]:
            null = self.add("blocks_null_source", f"source_{port.key}", type=port.dtype,
                            vlen=port.vlen)
            self.connect(null.sources[0], port)

    def errors(self):
        """All error messages, as GRC shows them."""
        self.graph.rewrite()
        self.graph.validate()
        return [f"{element}: {message}" for element, message in self.graph.iter_error_messages()]

    def generate(self, directory):
        """Writes the program; returns its path."""
        generator = self.platform.Generator(self.graph, str(directory))
        generator.write()
        return pathlib.Path(generator.file_path)
