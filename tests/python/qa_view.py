#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What csifeedback_view shows of the two ends."""

import contextlib
import json
import os
import subprocess
import tempfile
import time
import unittest

import numpy as np
from gnuradio import analog, blocks, gr
from gnuradio.csifeedback.link import pictures, view
from common import run_program as call
from programs import APPS, CODEC, EndsTest, free_port, wait_for


def figure():
    from matplotlib.figure import Figure
    return Figure(figsize=(8, 8))


def children(pid):
    """Numbers of the programs that a program started."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return file.read().split()


def running(pid):
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")")[1].split()[0] != "Z"
    return False


def within(seconds, condition):
    """Whether a condition comes true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


class PicturesTest(unittest.TestCase):

    def test_matrix(self):
        h = np.array([[1, 2j], [0, -1]], np.complex64)
        expected = 10 * np.log10(np.array([[1, 4], [1e-6 * 1.5, 1]]) / 1.5)
        np.testing.assert_allclose(pictures.matrix_db(h), expected, atol=0.051)
        self.assertTrue((np.array(pictures.matrix_db(np.zeros((3, 2)))) == -60).all())

    def test_large_matrix(self):
        """Neighbours give one row, each row once; the mean power stays."""
        rng = np.random.default_rng(1)
        h = rng.normal(size=(300, 8)) + 1j * rng.normal(size=(300, 8))
        shown = 10**(np.array(pictures.matrix_db(h)) / 10)
        self.assertEqual(shown.shape, (64, 8))
        first = [i * 300 // 64 for i in range(65)]
        power = abs(h)**2 / np.mean(abs(h)**2)
        for i, row in enumerate(shown):
            expected = power[first[i]:first[i + 1]].mean(axis=0)
            np.testing.assert_allclose(row, expected, rtol=0.012, atol=2e-6)

    def test_spectrum(self):
        """A tone is where it belongs, and 0 dB."""
        flowgraph = gr.top_block()
        source = analog.sig_source_c(256e3, analog.GR_COS_WAVE, -40e3, 1)
        head = blocks.head(gr.sizeof_gr_complex, 1 << 20)
        flowgraph.connect(source, head, blocks.null_sink(gr.sizeof_gr_complex))
        spectrum = pictures.Spectrum(flowgraph, head, 256e3)
        flowgraph.run()
        found = spectrum.figures()
        hz = found["first_hz"] + found["step_hz"] * np.arange(len(found["db"]))
        self.assertEqual(hz[np.argmax(found["db"])], -40e3)
        self.assertLess(np.sort(found["db"])[100], max(found["db"]) - 50)


class ViewTest(unittest.TestCase):

    def line(self, seconds, **changes):
        ue = {"nmse_db": -10.0 - seconds, "gain_db": 8.0, "precoded_db": None,
              "residual_energy_db": None, "age": 1.0, "bits_per_s": 1000.0 * seconds, "per_s": 5.0}
        return {"seconds": seconds, "end": False, "frame": 7, "ues": {"1": ue},
                "refused": {"bad_crc": 10 * seconds}, **changes}

    def test_curves(self):
        shown = view.View(figure(), "bs", history_s=3)
        for seconds in range(1, 7):
            shown.take(self.line(seconds))
        curves = shown._panels["quality"].curves
        self.assertEqual(list(curves["UE 1 NMSE"].points), [(s, -10.0 - s) for s in (3, 4, 5, 6)])
        self.assertNotIn("UE 1 measured", curves)
        self.assertEqual(shown._panels["losses"].curves["bad_crc"].points[-1], (6, 10.0))
        self.assertEqual(shown._panels["bits"].curves["UE 1"].points[-1], (6, 6.0))
        shown.draw()
        title = shown._figure._suptitle.get_text()
        self.assertEqual(title, "bs: frame 7")
        # The last line has means of the whole run: no point of a curve.
        shown.take(self.line(7, end=True))
        self.assertEqual(shown._panels["bits"].curves["UE 1"].points[-1], (6, 6.0))

    def test_other_lines(self):
        """What is no line of an end is counted, and the next one is shown."""
        shown = view.View(figure())
        for bad in ({}, {"seconds": "x"}, {"seconds": 1}, {"seconds": 1, "ues": 3},
                    {"seconds": 1, "ues": {"1": {}}, "refused": {}, "frame": 1}):
            shown.take(bad)
        self.assertEqual((shown.lines, shown.refused), (0, 5))
        shown.draw()
        shown.take(self.line(1))
        self.assertEqual(shown.lines, 1)
        shown.draw()
        with self.assertRaisesRegex(ValueError, "history_s is 0, allowed is above 0"):
            view.View(figure(), history_s=0)


class ProgramTest(EndsTest):

    def test_two_ends(self):
        """Both ends write pictures, which become a PNG; a window takes them as they come."""
        air, feedback = (f"zmq://127.0.0.1:{free_port()}" for _ in range(2))
        common = ("--codec", CODEC, "--air", air, "--feedback", feedback, "--pictures")
        bs = self.start("bs", *common, "--rate", 0.2, "--view")
        self.assertTrue(within(60, lambda: children(bs.process.pid)), "no window")
        window = children(bs.process.pid)[0]
        ue = self.start("ue", *common)
        wait_for(ue, lambda line: "matrices" in line and line["sent"] > 10)
        wait_for(bs, lambda line: "true" in line["ues"]["1"].get("matrices", {}))
        self.assertEqual([end.interrupt()[0] for end in (ue, bs)], [0, 0])
        self.assertTrue(within(60, lambda: not running(window)), "the window stays open")
        line = next(line for line in bs.lines if "true" in line["ues"]["1"].get("matrices", {}))
        shown = line["ues"]["1"]["matrices"]
        true, fed_back = (np.array(shown[name]) for name in ("true", "fed_back"))
        self.assertEqual(true.shape, (64, 2))
        self.assertGreater(np.corrcoef(true.flat, fed_back.flat)[0, 1], 0.5)
        self.assertGreater(line["ues"]["1"]["bits_per_s"], 0)
        self.assertEqual(len(ue.lines[-1]["spectrum"]["db"]), 256)
        with tempfile.TemporaryDirectory() as directory:
            names = []
            for name, end in (("bs", bs), ("ue", ue)):
                names.append(os.path.join(directory, name))
                with open(names[-1], "w") as file:
                    file.write("no JSON\n" + "".join(json.dumps(x) + "\n" for x in end.lines))
            png = os.path.join(directory, "view.png")
            done = call("view", *names, "--save", png)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            from matplotlib import image
            pixels = image.imread(png)
            self.assertEqual(pixels.shape[:2], (800, 1600))
            self.assertGreater(len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)), 100)
            done = call("view", names[0], "--save", png)
            self.assertEqual(done.returncode, 2)
            self.assertIn("--overwrite", done.stderr)

    def test_errors(self):
        env = {k: v for k, v in os.environ.items()
               if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
        for arguments, text in ((["missing.jsonl"], "missing.jsonl: no such file"),
                                (["--history", "0"], "--history is 0, allowed is above 0"),
                                ([], "there is no display for a window, give --save FILE.png")):
            done = subprocess.run([os.path.join(APPS, "csifeedback_view"), *arguments], env=env,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (2, f"csifeedback_view: {text}\n"))

    def test_no_samples(self):
        """A UE that nobody sends to ends with another code than 0, and says why."""
        ue = self.start("ue", "--codec", CODEC, "--air", f"zmq://127.0.0.1:{free_port()}",
                        "--feedback", f"zmq://127.0.0.1:{free_port()}", "--duration", 1)
        code, error = ue.end()
        self.assertEqual(code, 1)
        self.assertIn("csifeedback_ue: no sample came from zmq://127.0.0.1:", error)


if __name__ == "__main__":
    unittest.main()
