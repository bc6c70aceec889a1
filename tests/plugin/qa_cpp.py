#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""A codec of a C++ plug-in in all programs and in a flowgraph, and plug-ins that are broken."""

import os
import shutil
import subprocess
import sys
import unittest

from outside import HERE, PLUGINS, PORTS_2, Outside

CODEC = PLUGINS / "cpp" / "strongest_cells.so"
BROKEN = PLUGINS / "broken"
TRAINER = HERE / "cpp" / "strongest_cells.py"
#: prints the names of the codecs that do not belong to the module: plug-ins have private numbers
NAMES = """from gnuradio import csifeedback
print(*(name for name in csifeedback.codec_names()
        if csifeedback.describe_codec(name)["number"] >= 128))"""
#: a plug-in that cannot be loaded -> what the line says of it
FAULTS = {
    "clashing_number": "codec clashing-number: number is 200, which is that of codec "
                       "strongest-cells",
    "clashing_name": "decoder strongest-cells: there is a decoder of this name already",
    "taken_range": "codec taken-range: number is 17, allowed is 128 to 255",
    "half_clash": "codec klt: there is a codec of this name already",
    "other_version": "is for version 9 of the interface, this library has version 2",
    "other_library": "is linked with another copy of this library",
    "throws": "no license for this machine",
    "throws_number": "threw something that is no std::exception",
    "no_plugin": "is no plug-in: it lacks CSIFEEDBACK_CODEC_PLUGIN",
    "needs_symbol": "undefined symbol",
}


def run(code, **variables):
    return subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True,
                          timeout=60, env={**os.environ, **variables})


class Loading(unittest.TestCase):

    def codecs(self, places):
        """Codecs beyond those of the module, and stderr, with this CSIFEEDBACK_CODECS."""
        done = run(NAMES, CSIFEEDBACK_CODECS=places)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.split(), done.stderr

    def test_files_and_directories(self):
        self.assertEqual(self.codecs(""), ([], ""))
        self.assertEqual(self.codecs(f"{CODEC}"), (["strongest-cells"], ""))
        self.assertEqual(self.codecs(f"{CODEC.parent}"), (["strongest-cells"], ""))
        # Twice the same file is once; parts that are empty are none.
        self.assertEqual(self.codecs(f":{CODEC}::{CODEC.parent}:"), (["strongest-cells"], ""))
        found, error = self.codecs(f"{CODEC}:{BROKEN / 'uses_registry.so'}")
        self.assertEqual((found, error), (["strongest-cells", "uses-registry"], ""))

    def test_installed_directory(self):
        directory = PLUGINS / "prefix" / "lib" / "gr-csifeedback" / "codecs"
        directory.mkdir(parents=True, exist_ok=True)
        self.addCleanup(shutil.rmtree, directory)
        shutil.copy(CODEC, directory)
        self.assertEqual(self.codecs(""), (["strongest-cells"], ""))

    def test_broken(self):
        """Each costs one line on stderr, and the others are loaded."""
        for name, text in FAULTS.items():
            with self.subTest(name):
                found, error = self.codecs(f"{CODEC}:{BROKEN / name}.so")
                self.assertEqual(found, ["strongest-cells"])
                self.assertEqual(error.count("\n"), 1, error)
                self.assertTrue(error.startswith(f"codec plug-in {BROKEN / name}.so: "), error)
                self.assertIn(text, error)

    def test_directory_of_broken_ones(self):
        found, error = self.codecs(f"{CODEC}:{BROKEN}")
        self.assertEqual(found, ["strongest-cells", "makes-null", "uses-registry",
                                 "fails-later"])
        self.assertEqual(error.count("\n"), len(FAULTS), error)

    def test_no_library(self):
        for content in (b"", b"#!/bin/sh\necho codec\n", b"\x7fELF\x02\x01\x01" + bytes(100)):
            path = PLUGINS / "no_library.so"
            path.write_bytes(content)
            self.addCleanup(path.unlink, missing_ok=True)
            found, error = self.codecs(f"{path}:{CODEC}")
            self.assertEqual(found, ["strongest-cells"])
            self.assertEqual(error.count("\n"), 1, error)
            self.assertIn(f"codec plug-in {path}: ", error)
        found, error = self.codecs(f"/nowhere/codec.so:{CODEC}")
        self.assertEqual(found, ["strongest-cells"])
        self.assertEqual(error, "codec plug-in /nowhere/codec.so: there is no such file\n")

    def test_load_codecs(self):
        """The same from Python, as ValueError; what was there stays as it is."""
        done = run(f"""
from gnuradio import csifeedback
before = csifeedback.codec_names()
for name in {list(FAULTS)!r}:
    if name.startswith("clashing"):
        continue
    try:
        csifeedback.load_codecs(f"{BROKEN}/{{name}}.so")
    except ValueError as error:
        print(name, str(error).count("\\n"), csifeedback.codec_names() == before)
csifeedback.load_codecs("{CODEC}")
csifeedback.load_codecs("{CODEC}")
print(csifeedback.describe_codec("strongest-cells"))
""")
        self.assertEqual(done.returncode, 0, done.stderr)
        *lines, described = done.stdout.splitlines()
        self.assertEqual(lines, [f"{name} 0 True" for name in FAULTS
                                 if not name.startswith("clashing")])
        self.assertIn("'number': 200", described)


class InPrograms(Outside):
    """Train, eval, sim, a flowgraph and the two ends."""

    variables = {"CSIFEEDBACK_CODECS": CODEC.parent}

    def train(self, *channel):
        self.generate("train.h5", 600, *channel)
        self.generate("test.h5", 100, *channel, "--first", 1000000)
        return self.figures("train", "--codec", "strongest-cells", "--trainer", TRAINER,
                            "--dataset", "train.h5", "--test", "test.h5", "-o", "cells.h5")

    def test_programs(self):
        trained = self.train("--channel", "cost2100-indoor")
        self.assertEqual([f["ratio"] for f in trained["figures"]],
                         ["1/4", "1/8", "1/16", "1/32", "1/64"])
        common = ("--dataset", "test.h5", "--bits", 6)
        rows = self.figures("eval", "--codec", "cells.h5", "--codec",
                            "cells.h5:strongest-cells,gain=0.9", "--ratios", "1/4", "1/16",
                            *common)
        self.assertEqual([r["codec"] for r in rows], 4 * ["strongest cells"])
        self.assertLess(rows[0]["nmse_db"], -6)
        self.assertLess(rows[0]["nmse_db"], rows[1]["nmse_db"])
        # The option makes a difference: the decoder is another one.
        self.assertNotAlmostEqual(rows[0]["nmse_db"], rows[2]["nmse_db"], places=2)
        self.assertLess(trained["figures"][0]["nmse_db"], rows[0]["nmse_db"])
        figures = self.figures("sim", "--codec", "cells.h5", "--ratio", "1/16", *common)
        self.assertEqual(figures["matched"], 100)
        self.assertAlmostEqual(figures["nmse_db"], rows[1]["nmse_db"], delta=0.01)
        self.refuse("has no option size", "eval", "--codec", "cells.h5:strongest-cells,size=2",
                    *common)
        self.refuse("option gain is '3', allowed is a number from 0 to 2", "eval", "--codec",
                    "cells.h5:strongest-cells,gain=3", *common)
        # Odd lengths are none that it sends.
        budget = self.figures("eval", "--codec", "cells.h5", "--dataset", "test.h5", "--budget",
                              100, "--validation-samples", 50)
        self.assertEqual(budget[0]["code_size"] % 2, 0)
        # Without the plug-in: one line, which names the codecs that there are.
        self.variables = {}
        self.refuse("codec is strongest-cells, allowed is klt", "eval", "--codec", "cells.h5",
                    *common)

    def test_flowgraph(self):
        self.train("--channel", "cost2100-indoor")
        done = run(f"""
import numpy as np
from gnuradio import blocks, csifeedback, gr
model = csifeedback.model_file("{self.directory}/cells.h5")
encoder = csifeedback.encoder_from_model(model, 128)
decoder = csifeedback.decoder_from_model(model, 128, "strongest-cells,gain=1")
h = csifeedback.generate_channels(csifeedback.cost2100_channel("indoor"), 0, 50, 32)[0]
flowgraph = gr.top_block()
source = blocks.vector_source_c(h.ravel().tolist(), False, 1024)
encode, decode = csifeedback.csi_encoder(encoder), csifeedback.csi_decoder(decoder)
sink = blocks.vector_sink_c(1024)
flowgraph.connect(source, encode, decode, sink)
flowgraph.connect((encode, 1), (decode, 1))
flowgraph.run()
found = np.array(sink.data()).reshape(h.shape)
print(10 * np.log10(np.mean(csifeedback.squared_error_ratio(h, found.astype(np.complex64)))))
""", CSIFEEDBACK_CODECS=str(CODEC))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLess(float(done.stdout), -4)

    def test_ends(self):
        self.train(*PORTS_2)
        ue = self.both_ends("cells.h5", "1/4")
        self.assertLess(ue["nmse_db"], -5)

    def test_fails_later(self):
        """An encoder that throws is one line of a program."""
        self.variables = {"CSIFEEDBACK_CODECS": BROKEN}
        trainer = self.directory / "trainer.py"
        for codec, text in (("fails-later", "fails-later: no license"),
                            ("makes-null", "codec makes-null made no encoder")):
            trainer.write_text(f"""
from gnuradio.csifeedback.model import Model
def add_arguments(parser): pass
def train(args, data): return Model({{"codec": "{codec}"}}, {{}})
""")
            self.generate("test.h5", 20, "--channel", "cost2100-indoor")
            self.succeed("train", "--codec", codec, "--trainer", trainer, "--dataset", "test.h5",
                         "-o", "model.h5", "--overwrite")
            self.refuse(text, "eval", "--codec", "model.h5", "--dataset", "test.h5", "--ratios",
                        "1/256")
        self.variables = {**self.variables, "BROKEN_PLUGIN_REFUSES": "1"}
        trainer.write_text(trainer.read_text().replace("makes-null", "fails-later"))
        self.succeed("train", "--codec", "fails-later", "--trainer", trainer, "--dataset",
                     "test.h5", "-o", "model.h5", "--overwrite")
        self.refuse("codec fails-later cannot make its encoder: no license for this machine",
                    "eval", "--codec", "model.h5", "--dataset", "test.h5", "--ratios", "1/256")


if __name__ == "__main__":
    unittest.main()
