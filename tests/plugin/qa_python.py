#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Codecs in Python from a directory of their own: in all programs, in flowgraphs, and broken."""

import json
import os
import subprocess
import sys
import time
import unittest

import numpy as np
from gnuradio import blocks, csifeedback, gr
from gnuradio.csifeedback.codecs import open_codec

from outside import HERE, PORTS_2, Outside

DIRECTORY = HERE / "python"
FILE = DIRECTORY / "toy_codec.py"


def channels(count):
    return csifeedback.generate_channels(
        csifeedback.cost2100_channel("indoor"), 0, count, 32)[0]


def through(h, encoder, decoder):
    """Matrices through csi_encoder and csi_decoder in a flowgraph: what comes out, the blocks."""
    n = h[0].size
    flowgraph = gr.top_block()
    source = blocks.vector_source_c(h.ravel().tolist(), False, n)
    encode, decode = csifeedback.csi_encoder(encoder), csifeedback.csi_decoder(decoder)
    sink = blocks.vector_sink_c(n)
    flowgraph.connect(source, encode, decode, sink)
    flowgraph.connect((encode, 1), (decode, 1))
    flowgraph.run()
    return np.array(sink.data(), np.complex64).reshape(-1, *h.shape[1:]), encode, decode


class Names(Outside):
    """What a codec in Python can be called by, and what is said of names that are none."""

    def eval(self, codec):
        return ("eval", "--codec", codec, "--channel", "cost2100-indoor", "--samples", 20, "--ratios",
                "1/16")

    def test_names(self):
        expected = self.figures(*self.eval(f"{FILE}:FirstRows"))[0]
        self.assertEqual(expected["codec"], "first rows")
        self.assertLess(expected["nmse_db"], -1)
        self.variables = {"PYTHONPATH": f"{DIRECTORY}:{os.environ['PYTHONPATH']}"}
        for name in ("toy_codec:FirstRows", "toy-first-rows", "toy-first-rows,scale=0.5"):
            row = self.figures(*self.eval(name))[0]
            self.assertAlmostEqual(row["nmse_db"], expected["nmse_db"], places=5, msg=name)

    def test_errors(self):
        for name, text in (
                (f"{FILE}:Nothing", "toy_codec.py has no class Nothing"),
                (f"{FILE}:NoCodec", "NoCodec is not derived from csifeedback.Codec"),
                ("./none.py:FirstRows", "there is no file ./none.py"),
                (f"{FILE}:FirstRows,size=3", "codec toy-first-rows has no option size"),
                (f"{FILE}:FirstRows,size", "size is no option, expected name=value"),
                (f"{FILE}:ClashingName", "codec klt: there is a codec of this name already"),
                (f"{FILE}:MeanPower", "needs a model file"),
                (f"{FILE}:MeanPower,model=none.h5", "none.h5"),
                ("toy_codec:FirstRows", "model 'toy_codec' is neither a file")):
            self.refuse(text, *self.eval(name))
        self.variables = {"PYTHONPATH": f"{DIRECTORY}:{os.environ['PYTHONPATH']}"}
        self.refuse("codec toy-missing, entry point toy_codec:Missing: AttributeError",
                    *self.eval("toy-missing"))
        (self.directory / "broken.py").write_text("import numpy as np\nraise_this = 1 / 0\n")
        self.refuse("codec broken.py:Any: ZeroDivisionError: division by zero (broken.py:2)",
                    *self.eval("broken.py:Any"))
        (self.directory / "wrong.py").write_text("import numpy as np\nclass 1:\n")
        self.refuse("codec wrong.py:Any: SyntaxError: invalid syntax (wrong.py:2)",
                    *self.eval("wrong.py:Any"))
        self.refuse(f"codec {FILE}:Failing,every=x: invalid literal for int()",
                    *self.eval(f"{FILE}:Failing,every=x"))

    def test_clash(self):
        """The number of another one is refused, and the name can then be given another number."""
        done = subprocess.run([sys.executable, "-B", "-c", f"""
import sys
sys.path.append("{DIRECTORY}")
import toy_codec
from gnuradio import csifeedback
from gnuradio.csifeedback.codecs import open_codec, register
open_codec("toy_codec:FirstRows")
try:
    open_codec("toy_codec:ClashingNumber")
except ValueError as error:
    print(error)
toy_codec.ClashingNumber.number = 226
register(toy_codec.ClashingNumber)
print(csifeedback.describe_codec("toy-clash")["number"])
open_codec("{FILE}:FirstRows")  # the same class in the same file, loaded once more
"""], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines(), [
            "codec toy-clash: number is 220, which is that of codec toy-first-rows", "226"])


class InPrograms(Outside):
    """Train, eval, sim and the two ends."""

    def train(self, codec, *options, channel=("--channel", "cost2100-indoor")):
        self.generate("train.h5", 400, *channel)
        self.generate("test.h5", 100, *channel, "--first", 1000000)
        return self.figures("train", "--codec", codec, "--dataset", "train.h5", "--test",
                            "test.h5", "-o", "toy.h5", *options)

    def test_trained(self):
        self.variables = {"PYTHONPATH": f"{DIRECTORY}:{os.environ['PYTHONPATH']}"}
        trained = self.train("toy-mean-power", "--cells", 128)
        self.assertEqual([f["ratio"] for f in trained["figures"]], ["1/8", "1/16", "1/32", "1/64"])
        common = ("--dataset", "test.h5", "--bits", 6)
        # The model file knows its codec, which the entry point names.
        rows = self.figures("eval", "--codec", "toy.h5", "--ratios", "1/8", "1/16", *common)
        self.assertLess(rows[0]["nmse_db"], rows[1]["nmse_db"])
        self.assertLess(rows[0]["nmse_db"], -4)
        figures = self.figures("sim", "--codec", "toy.h5", "--ratio", "1/16", *common)
        self.assertEqual(figures["matched"], 100)
        self.assertAlmostEqual(figures["nmse_db"], rows[1]["nmse_db"], delta=0.01)
        # The residual energy goes with it, and costs its byte.
        self.assertEqual(figures["bits_per_csi"], rows[1]["frame_bits"])
        # Without the entry point: by the class.
        self.variables = {}
        self.refuse("codec is toy-mean-power", "eval", "--codec", "toy.h5", *common)
        again = self.figures("eval", "--codec", f"{FILE}:MeanPower,model=toy.h5", "--ratios",
                             "1/8", *common)
        self.assertAlmostEqual(again[0]["nmse_db"], rows[0]["nmse_db"], places=4)

    def test_without_training(self):
        """csifeedback_train measures its codewords; without that there are no quantizers."""
        common = ("--channel", "cost2100-indoor", "--samples", 50, "--ratios", "1/16", "--bits", 4)
        self.refuse("the model of codec toy-first-rows names no channel", "eval", "--codec",
                    f"{FILE}:FirstRows", "--samples", 5)
        self.refuse("codec toy-first-rows has no quantizers", "eval", "--codec",
                    f"{FILE}:FirstRows", *common)
        self.train(f"{FILE}:FirstRows", "--codec-options", "scale=0.5")
        rows = self.figures("eval", "--codec", f"{FILE}:FirstRows,scale=0.5,model=toy.h5", *common)
        self.assertEqual(rows[0]["payload_bits"], 512)
        self.assertLess(rows[0]["nmse_db"], -1)

    def test_report(self):
        rows = self.figures("eval", "--codec", f"{FILE}:SignReport", "--channel",
                            "cost2100-indoor", "--samples", 200, "--validation-samples", 20, "--budget", 69, 100)
        self.assertEqual([r["payload_bits"] for r in rows], [69, 69])
        self.assertTrue(all(np.isfinite(r["nmse_db"]) for r in rows))

    def test_ends(self):
        self.train(f"{FILE}:FirstRows", channel=PORTS_2)
        ue = self.both_ends(f"{FILE}:FirstRows,model=toy.h5", "1/4")
        self.assertLess(ue["nmse_db"], 0)

    def test_failing(self):
        """Exceptions cost the matrices that they belong to."""
        self.train(f"{FILE}:FirstRows", channel=PORTS_2)
        for where in ("encoder", "decoder"):
            codec = f"{FILE}:Failing,model=toy.h5,every=5,where={where}"
            done = self.call("sim", "--codec", codec, "--dataset", "test.h5", "--ratio", "1/4",
                             "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            figures = json.loads(done.stdout)
            self.assertEqual(figures[f"{where}_discarded"], 20)
            self.assertEqual(figures["truths"], 100)
            self.assertIn("ArithmeticError", done.stderr)
            self.both_ends(codec, "1/4")
        self.refuse("toy-failing, encode_array(): ArithmeticError: call 1 (toy_codec.py:", "eval",
                    "--codec", f"{FILE}:Failing,every=1", "--channel", "cost2100-indoor", "--samples",
                    5)


class InFlowgraphs(unittest.TestCase):

    def codec(self, name):
        return open_codec(f"{FILE}:{name}")

    def test_results(self):
        h = channels(60)
        codec = self.codec("FirstRows")
        found, encode, decode = through(h, codec.encoder(256), codec.decoder(256))
        np.testing.assert_allclose(found[:, 4:8], h[:, 4:8], rtol=1e-5, atol=1e-7)
        found[:, 4:8] = 0
        self.assertEqual(np.abs(found).max(), 0)
        self.assertEqual((encode.discarded(), decode.discarded()), (0, 0))

    def test_exceptions(self):
        """Of the encoder: no item; of the decoder: a zero matrix. Both are counted."""
        h = channels(60)
        codec = self.codec("Failing,every=4")
        found, encode, decode = through(h, codec.encoder(0), codec.decoder(0))
        self.assertEqual((encode.discarded(), decode.discarded()), (15, 0))
        np.testing.assert_allclose(found[:, 4:12],
                                   np.delete(h, np.s_[3::4], axis=0)[:, 4:12],
                                   rtol=1e-5, atol=1e-7)
        codec = self.codec("Failing,every=1,where=decoder")
        found, encode, decode = through(h, codec.encoder(0), codec.decoder(0))
        self.assertEqual((encode.discarded(), decode.discarded()), (0, 60))
        self.assertEqual((len(found), np.abs(found).max()), (60, 0))

    def test_results_that_are_none(self):
        h = channels(10)
        for how, text in (("shape", "gave shape (1, 511), allowed is (1, 512)"),
                          ("complex", "gave complex values, allowed are real ones"),
                          ("nan", "values that are not finite"), ("none", "gave shape ()"),
                          ("text", "allowed is an array of numbers")):
            codec = self.codec(f"Wrong,how={how}")
            with self.assertRaises(csifeedback.CodecError) as caught:
                codec.encoder(0).encode(h[0])
            self.assertIn(text, str(caught.exception))
            found, encode, _ = through(h, codec.encoder(0), codec.decoder(0))
            self.assertEqual((encode.discarded(), len(found)), (10, 0))

    def test_speed(self):
        """A trivial codec takes at most 200 us of processor time a CSI, encoder and decoder with
        the flowgraph around them: 5,000 CSI/s on one core."""
        h = np.tile(channels(50), (40, 1, 1))
        codec = self.codec("FirstRows")
        encoder, decoder = codec.encoder(128), codec.decoder(128)
        flowgraph = gr.top_block()
        source = blocks.vector_source_c(h.ravel().tolist(), False, 1024)
        encode, decode = csifeedback.csi_encoder(encoder), csifeedback.csi_decoder(decoder)
        sink = blocks.null_sink(8 * 1024)
        flowgraph.connect(source, encode, decode, sink)
        flowgraph.connect((encode, 1), (decode, 1))
        begin = time.process_time()
        flowgraph.run()
        used = (time.process_time() - begin) / len(h)
        print(f"{1e6 * used:.0f} us of processor time a CSI", file=sys.stderr)
        self.assertLess(used, 200e-6)


if __name__ == "__main__":
    unittest.main()
