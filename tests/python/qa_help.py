#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""help() of every block describes its parameters, ports, tags, messages and methods."""

import ast
import functools
import inspect
import os
import pathlib
import pydoc
import re
import subprocess
import sys
import tempfile
import unittest

import pmt
from gnuradio import csifeedback
from gnuradio.csifeedback.block_help import BLOCKS

SOURCE = pathlib.Path(__file__).resolve().parents[2]
#: Blocks, as names in the package.
NAMES = sorted(name for name, value in vars(csifeedback).items()
               if isinstance(value, type) and hasattr(value, "to_basic_block"))
SECTION = re.compile(r"^(.+)\n-+\n((?:.+\n)+)", re.MULTILINE)


def sections(name):
    """{title: text} of a docstring."""
    return dict(SECTION.findall(getattr(csifeedback, name).__doc__))


def entries(text):
    """Names that the entries of a section explain."""
    heads = re.findall(r"^(\S.*)$", text, re.MULTILINE)
    return {word for head in heads for word in re.findall(r"\w+", head)}


def parameters(name):
    """Names of the constructor's parameters."""
    signature = getattr(csifeedback, name).__init__.__doc__
    # The first of several; those of earlier releases come behind it.
    signature = signature.partition("\n1. ")[2].partition(") -> None")[0] \
        or signature.rpartition(") -> None")[0]
    inside = signature[signature.index("(") + 1:]
    return re.findall(r"(?:^|, )(\w+): ", inside)[1:]


def each_block(test):
    """A test of one block is run for all of them."""

    @functools.wraps(test)
    def run(self):
        self.assertGreater(len(NAMES), 20)
        for name in NAMES:
            with self.subTest(name):
                test(self, name)

    return run


class HelpTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        """One block of each kind."""
        cls.directory = tempfile.TemporaryDirectory()
        channel = csifeedback.cdl_channel("C", nc=48, nt=2)
        frame = csifeedback.csirs_frame(nt=2)
        encoder = csifeedback.encoder_from_model("cost2100-indoor-klt", 128)
        quantizer = csifeedback.uniform_quantizer(
            csifeedback.model_file("cost2100-indoor-klt"), 128)
        decoder = csifeedback.decoder_from_model("cost2100-indoor-klt", 128)
        shape = csifeedback.csi_shape("Ha", 8, 2, 64, 4)
        arguments = {
            "channel_source": (channel,),
            "angular_delay": (shape,), "angular_delay_inverse": (shape,),
            "csi_encoder": (encoder,),
            "csi_decoder": (decoder,),
            "csi_report_encoder": (csifeedback.report_encoder_from_model("cost2100-indoor-klt"),),
            "csi_report_decoder": (csifeedback.report_decoder_from_model("cost2100-indoor-klt"),),
            "csi_quantizer": (quantizer,), "csi_dequantizer": (quantizer,),
            "feedback_framer": (quantizer, encoder), "feedback_deframer": (quantizer, decoder),
            "report_framer": (csifeedback.report_encoder_from_model("cost2100-indoor-klt"),),
            "report_deframer": (csifeedback.report_decoder_from_model("cost2100-indoor-klt"),),
            "feedback_link": (), "csi_hold": (), "csi_metrics": (shape,),
            "csi_spectral_efficiency": (1, shape, [0.0]),
            "csirs_source": (frame,), "mimo_channel": ([channel], 20e6),
            "csi_sync": (frame,),
            "channel_estimator": (csifeedback.linear_interpolator(frame),),
            "csi_import": (48,),
            "checked_file_sink": (os.path.join(cls.directory.name, "items"),),
        }
        cls.blocks = {name: getattr(csifeedback, name)(*arguments[name]) for name in NAMES}

    @classmethod
    def tearDownClass(cls):
        cls.blocks = None
        cls.directory.cleanup()

    @each_block
    def test_text(self, name):
        """help() shows the text of the manual."""
        shown = pydoc.render_doc(getattr(csifeedback, name), renderer=pydoc.plaintext)
        for line in BLOCKS[name].splitlines():
            self.assertIn(line, shown)

    @each_block
    def test_parameters(self, name):
        if expected := parameters(name):
            self.assertEqual(set(expected) - entries(sections(name)["Parameters"]), set())

    @each_block
    def test_methods(self, name):
        """All methods of a block's own, as method or beside the parameter that they change."""
        own = {n for n, v in vars(getattr(csifeedback, name)).items()
               if not n.startswith("_") and n != "dropped"
               and (inspect.isroutine(v) or isinstance(v, property))}
        self.assertEqual({m for m in own if m + "()" not in BLOCKS[name]}, set())

    @each_block
    def test_messages(self, name):
        block = self.blocks[name]
        text = sections(name).get("Messages", "")
        for ports, way in ((block.message_ports_in(), "in"),
                           (block.message_ports_out(), "out")):
            for port in pmt.to_python(ports) or ():
                if port == "system":
                    continue
                found = re.findall(rf"^message .*\b{port}\b.*\(.*\b{way}\b.*\)$", text,
                                   re.MULTILINE)
                self.assertTrue(found, f"{name}: message {port} ({way})")

    @each_block
    def test_streams(self, name):
        block = self.blocks[name]
        text = sections(name).get("Ports", "")
        for signature, way in ((block.input_signature(), "input"),
                               (block.output_signature(), "output")):
            lines = re.findall(rf"^{way}s? (.*)$", text, re.MULTILINE)
            most = signature.max_streams()
            if most == 0:
                self.assertEqual(lines, [], f"{name}: has no {way}")
                continue
            self.assertTrue(lines, f"{name}: {way}")
            if "to" not in " ".join(lines):
                for port in range(most):
                    self.assertTrue(any(line.startswith(str(port)) for line in lines),
                                    f"{name}: {way} {port}")

    def test_tags(self):
        """What a block's source adds as tag is in its text, and explained."""
        checked = 0
        for name in NAMES:
            source = (SOURCE / "lib/blocks" / f"{name}_impl.cc")
            text = source.read_text() if source.exists() else ""
            added = set(re.findall(r"add_item_tag\((?:[^;]*?)key::(\w+)\(\)", text))
            added |= set(re.findall(r"\badd\(key::(\w+)\(\)", text))
            for key in added:
                checked += 1
                with self.subTest(f"{name}, {key}"):
                    self.assertIn(key, entries(sections(name)["Tags and PDU keys"]))
        self.assertGreater(checked, 4)

    def test_monitor(self):
        text = BLOCKS["csi_monitor"]
        source = (SOURCE / "python/csifeedback/csi_monitor.py").read_text()
        # Read rather than imported: it needs PyQt5.
        init = next(node for node in ast.walk(ast.parse(source))
                    if isinstance(node, ast.FunctionDef) and node.name == "__init__")
        names = {argument.arg for argument in init.args.args} - {"self"}
        self.assertGreater(len(names), 4)
        self.assertEqual(names - entries(dict(SECTION.findall(text))["Parameters"]), set())

    def test_missing_line(self):
        """A line that the manual lacks is missing in the docstring: the check above can fail."""
        manual = (SOURCE / "docs/blocks.md").read_text()
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory)
            (path / "blocks.md").write_text(re.sub(r"(?m)^\| `encoder` \|.*\n", "", manual))
            subprocess.run([sys.executable, SOURCE / "cmake/block_help.py", path / "blocks.md",
                            path / "made.py"], check=True)
            made = {}
            exec((path / "made.py").read_text(), made)
        self.assertNotIn("Parameters", made["BLOCKS"]["csi_encoder"])
        self.assertEqual(made["BLOCKS"]["csi_decoder"], BLOCKS["csi_decoder"])


if __name__ == "__main__":
    unittest.main()
