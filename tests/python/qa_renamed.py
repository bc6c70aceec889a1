#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Names of the last release: they work, with a warning, and nothing here uses them any more."""

import contextlib
import importlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import warnings

import h5py
from gnuradio import csifeedback
from gnuradio.csifeedback import channels, renamed
from gnuradio.csifeedback.cli import dataset, reproduce

SOURCE = pathlib.Path(__file__).resolve().parents[2]


class TestRenamed(unittest.TestCase):
    def warns(self, old, new):
        return self.assertWarnsRegex(DeprecationWarning,
                                     f"{re.escape(old)} is now {re.escape(new)}")

    def test_package(self):
        for old, new in renamed.PACKAGE.items():
            with self.warns(old, new) as caught:
                self.assertIs(getattr(csifeedback, old), getattr(csifeedback, new))
            self.assertEqual(caught.filename, __file__)
        with self.assertRaisesRegex(AttributeError, "no attribute 'nothing'"):
            csifeedback.nothing

    def test_channel_parameters(self):
        old = {"delay_spread_max_s": 3e-7, "directive_element": True, "align_received": True}
        new = {renamed.CHANNEL_PARAMETERS[name]: value for name, value in old.items()}
        expected = csifeedback.cdl_channel("C", **new).parameters()
        with self.warns("delay_spread_max_s", "max_delay_spread_s") as caught:
            self.assertEqual(csifeedback.cdl_channel("C", **old).parameters(), expected)
        self.assertEqual(caught.filename, __file__)
        with self.warns("cdl_channel(): directive_element", "sector_element"):
            self.assertEqual(channels.make_channel("cdl-c", **old).parameters(), expected)
        with self.warns("cost2100_channel(): align_received", "receiver_aligned"):
            csifeedback.cost2100_channel("indoor", align_received=True)
        # Files that were written before are no reason for a warning.
        text = json.dumps({**{k: v for k, v in json.loads(expected).items() if k not in new}, **old})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            self.assertEqual(channels.from_json("cdl-c", text).parameters(), expected)
            checked = 0
            for model in sorted(SOURCE.glob("models/c*.h5")):
                with h5py.File(model) as file:
                    if file.attrs["channel"] not in channels.NAMES:  # of a panel
                        continue
                    trained_on = json.loads(file.attrs["parameters"])
                checked += 1
                made = json.loads(channels.model_channel(
                    csifeedback.model_file(str(model))).parameters())
                for name, value in trained_on.items():
                    self.assertEqual(made[renamed.CHANNEL_PARAMETERS.get(name, name)], value, model)
            self.assertGreater(checked, 40)

    def test_discarded(self):
        """All blocks that discard items, and only they, have the old name of the method."""
        blocks = {name: value for name, value in vars(csifeedback).items()
                  if isinstance(value, type) and hasattr(value, "to_basic_block")}
        # Those that came later never had it.
        later = {"csi_report_encoder", "csi_report_decoder", "report_framer"}
        self.assertEqual({n for n, b in blocks.items() if hasattr(b, "discarded")},
                         set(renamed.DISCARDING) | later)
        self.assertEqual({n for n, b in blocks.items() if hasattr(b, "dropped")},
                         set(renamed.DISCARDING))
        block = csifeedback.csi_hold()
        with self.warns("csi_hold.dropped()", "discarded()") as caught:
            self.assertEqual(block.dropped(), 0)
        self.assertEqual(caught.filename, __file__)

    def test_modules(self):
        """Modules by their old names are the new ones, once and in any form of import."""
        for old, new in renamed.MODULES.items():
            path = f"gnuradio.csifeedback.{old}"
            expected = importlib.import_module(f"gnuradio.csifeedback.{new}")
            spec = expected.__spec__
            sys.modules.pop(path, None)
            with self.warns(path, expected.__name__):
                self.assertIs(importlib.import_module(path), expected)
            self.assertIs(expected.__spec__, spec)
        code = "from gnuradio.csifeedback import sigmf\nfrom gnuradio.csifeedback.dataset import Dataset"
        done = subprocess.run([sys.executable, "-W", "error::ImportWarning", "-W", "always", "-c",
                               code], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(re.findall(r"<string>:(\d): DeprecationWarning", done.stderr), ["1", "2"])
        with self.assertRaises(ModuleNotFoundError):
            importlib.import_module("gnuradio.csifeedback.nothing")

    def test_header(self):
        header = csifeedback.feedback_header()
        with self.warns("feedback_header.mismatch", "residual_energy"):
            header.mismatch = 7
        self.assertEqual(header.residual_energy, 7)
        with self.warns("feedback_header.mismatch", "residual_energy"):
            self.assertEqual(header.mismatch, 7)

    def test_numbers(self):
        """Blocks with numbers in place of the objects that know them."""
        model = csifeedback.model_file("cost2100-indoor-klt")
        quantizer = csifeedback.lloyd_max_quantizer(model, 8, 4)
        encoder, decoder = (getattr(csifeedback, f"linear_{half}")(model, 8)
                            for half in ("encoder", "decoder"))
        shape = csifeedback.csi_shape(model)
        # Outputs of the old form, in numbers and in words, and of the new one.
        for name, old, new in (
                ("angular_delay", ((1024, 32, 32, 4, True, 30.0), {}), ((shape, True, 30.0), {})),
                ("angular_delay", ((), {"nc": 1024, "nt": 32, "na": 32}), ((model,), {})),
                ("angular_delay_inverse", ((1024, 32, 32), {}), ((encoder,), {})),
                ("feedback_framer", ((quantizer, 1, model.model_id, 3), {}),
                 ((quantizer, encoder, 3), {})),
                ("feedback_deframer", ((quantizer,), {"codec_id": 1, "model_id": model.model_id}),
                 ((quantizer, decoder), {})),
                ("csi_metrics", ((32, 32, True, 1024, 8, 1), {}), ((decoder, 8, 1), {})),
                ("csi_metrics", ((), {"rows": 32, "nt": 32, "history": 8}),
                 ((csifeedback.csi_shape("H", 32, 32),), {"history": 8})),
                ("csi_spectral_efficiency", ((2, 1024, 32, [0.0]), {}), ((2, model, [0.0]), {}))):
            block = getattr(csifeedback, name)
            text = rf"^{name}\(.*\) is now {name}\(.*\); the old"
            with self.subTest(name), self.assertWarnsRegex(DeprecationWarning, text) as caught:
                one = block(*old[0], **old[1])
            self.assertEqual(caught.filename, __file__)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                other = block(*new[0], **new[1])
            for signature in ("input_signature", "output_signature"):
                # GNU Radio 3.10.12 does not bind sizeof_stream_items(), and crashes if a block without
                # streams is asked for the size of one.
                self.assertEqual(*([ports.max_streams(), *map(ports.sizeof_stream_item, range(ports.max_streams()))]
                                   for ports in (getattr(one, signature)(), getattr(other, signature)())))
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                with self.assertRaises(DeprecationWarning):
                    block(*old[0], **old[1])

    def test_options(self):
        """The commands that models name were given to earlier releases."""
        common = ("generate", "--channel", "cdl-a", "--samples", "2", "--nc", "16", "--na", "8")
        with tempfile.TemporaryDirectory() as directory:
            files = []
            for options, told in (
                    (("--directive-element", "--delay-spread-max-s=2e-7", "--align-received"), 3),
                    (("--sector-element", "--max-delay-spread-s", "2e-7", "--receiver-aligned"), 0)):
                path = os.path.join(directory, f"{told}.h5")
                stderr = io.StringIO()
                with contextlib.redirect_stderr(stderr), contextlib.redirect_stdout(io.StringIO()):
                    dataset.main([*common, *options, "-o", path])
                self.assertEqual(len(re.findall("warning: --[a-z-]* is now --", stderr.getvalue())),
                                 told)
                with h5py.File(path) as file:
                    files.append((file.attrs["command"], file.attrs["parameters"], file["Ha"][()]))
            for old, new in zip(*files):
                self.assertTrue((old == new).all() if hasattr(old, "all") else old == new)
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            self.assertEqual(reproduce.parse(["patches", "--element", "directive"]).element, "sector")
        self.assertIn("--element directive is now --element sector", stderr.getvalue())

    def test_not_used(self):
        """The package, its flowgraphs and its manual use the new names."""
        old = re.compile("|".join([
            *renamed.CHANNEL_PARAMETERS, *(n.replace("_", "-") for n in renamed.CHANNEL_PARAMETERS),
            *(rf"\bcsifeedback_{n}\b|\b{n}\b" for n in renamed.PACKAGE), r"\bdropped\(\)"]))
        # Where the old names are kept.
        keep = {"python/csifeedback/renamed.py", "tests/python/qa_renamed.py", "CHANGELOG.md",
                "tests/flowgraphs/qa_blocks.py", "docs/glossary.md", "docs/blocks.md",
                "grc/csifeedback_feedback_channel.block.yml",
                "grc/variable_csifeedback_cdl_channel.block.yml",
                "grc/variable_csifeedback_cost2100_channel.block.yml"}
        found = []
        for folder in ("include", "lib", "python", "grc", "apps", "docs", "tests"):
            for path in (SOURCE / folder).rglob("*"):
                if path.suffix in (".h", ".cc", ".py", ".yml", ".grc", ".md") and \
                        str(path.relative_to(SOURCE)) not in keep and \
                        old.search(path.read_text(encoding="utf-8")):
                    found.append(str(path))
        self.assertEqual(found, [])


if __name__ == "__main__":
    unittest.main()
