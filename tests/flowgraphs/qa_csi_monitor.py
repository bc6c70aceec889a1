#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The monitor shows the right matrices, side by side, in the right colours."""

import os
import time
import unittest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np  # noqa: E402
import pmt  # noqa: E402
from gnuradio import blocks, csifeedback, gr  # noqa: E402
from gnuradio.csifeedback.csi_monitor import COLOURS, csi_monitor, to_image  # noqa: E402
from PyQt5 import QtWidgets  # noqa: E402

NA, NT = 8, 4


def pdu(frame, matrix, **more):
    metadata = pmt.to_pmt(more)
    if frame is not None:
        metadata = pmt.dict_add(pmt.make_dict() if not more else metadata, pmt.intern("frame"),
                                pmt.from_uint64(frame))
    return pmt.cons(metadata, pmt.init_c32vector(matrix.size, matrix.ravel().tolist()))


class TestMonitor(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.application = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])

    def run_monitor(self, truths, early, late, pairs, **parameters):
        """The monitor after these matrices, which are numbered from 100 on and come again and
        again, and messages before and after the first of them, once it has so many pairs."""
        tag = gr.tag_t()
        tag.offset, tag.key, tag.value = 0, pmt.intern("frame"), pmt.from_uint64(100)
        source = blocks.vector_source_c(truths.ravel().tolist(), True, NA * NT, [tag])
        throttle = blocks.throttle(8 * NA * NT, 100)
        throttle.set_max_output_buffer(16)
        monitor = csi_monitor(NA, NT, **parameters)
        flowgraph = gr.top_block()
        flowgraph.connect(source, throttle, monitor)
        for message in early:
            monitor.to_basic_block()._post(pmt.intern("pdus"), message)
        flowgraph.start()
        self.wait(lambda: monitor.nitems_read(0) >= len(truths))
        for message in late:
            monitor.to_basic_block()._post(pmt.intern("pdus"), message)
        self.wait(lambda: len(monitor.state()[1]) >= pairs)
        flowgraph.stop()
        flowgraph.wait()
        return monitor

    def wait(self, condition):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)

    def test_pairs(self):
        """Truth and reconstruction meet by frame number; what fits nowhere is left out."""
        rng = np.random.default_rng(1)
        h = (rng.standard_normal((5, NA, NT)) + 1j * rng.standard_normal((5, NA, NT))
             ).astype(np.complex64)
        bad = [pmt.intern("no PDU"), pdu(None, h[0]), pdu(101, h[0][:2]), pdu(999, h[0]),
               pmt.cons(pmt.make_dict(), pmt.init_f32vector(2, [0, 0]))]
        monitor = self.run_monitor(h, [*bad, pdu(101, 0.9 * h[1], frame_bits=300)],
                                   [*bad, pdu(103, 1.1 * h[3], age=2)], 2)
        (frame, truth, estimate, age), errors = monitor.state()
        self.assertEqual((frame, age), (103, 2))
        np.testing.assert_array_equal(truth, h[3])
        np.testing.assert_allclose(estimate, 1.1 * h[3], rtol=1e-6)
        np.testing.assert_allclose(errors, [-20, -20], atol=1e-3)  # 0.1^2
        figures = monitor.figures()
        self.assertAlmostEqual(figures["nmse_db"], -20, 3)
        self.assertAlmostEqual(figures["rho"], 1, 5)
        self.assertEqual((figures["age"], figures["bits"]), (1, 300))
        self.assertAlmostEqual(figures["lost"], 2 / 3)  # of 101, 102 and 103 the first is new
        # Numbers of Python: those of NumPy 2 are no JSON.
        self.assertEqual({type(error) for error in errors}, {float})

    def test_align(self):
        """With align the error is the same for any common phase and delay."""
        rng = np.random.default_rng(2)
        h = (rng.standard_normal((1, NA, NT)) + 1j * rng.standard_normal((1, NA, NT))
             ).astype(np.complex64)
        turned = (0.9 * h[0] * np.exp(1j * (2 + 0.3 * np.arange(NA)))[:, None]
                  ).astype(np.complex64)
        for align, low, high in ((True, -20.01, -19.99), (False, -5, 10)):
            with self.subTest(align=align):
                monitor = self.run_monitor(h, [pdu(100, turned)], [], 1, domain="H", align=align)
                error, = monitor.state()[1]
                self.assertGreater(error, low)
                self.assertLess(error, high)
        with self.assertRaisesRegex(ValueError, "align is True with domain Ha"):
            csi_monitor(NA, NT, align=True)

    def test_colours(self):
        """10 log10 |.|^2 from the peak down to the span; below it the darkest colour."""
        image = to_image(np.array([[1, 0.1, 0.01, 0.001, 0]]), 1, 40)
        np.testing.assert_array_equal(image[0], COLOURS[[255, 128, 0, 0, 0]])
        # Lightness rises all the way, so that colours can be read in grey as well.
        self.assertTrue((np.diff((COLOURS @ [0.2126, 0.7152, 0.0722])[::8]) > 0).all())

    def test_picture(self):
        """A single strong value is a bright cell in its place of both pictures, and the other
        cells are dark."""
        h = np.zeros((1, NA, NT), np.complex64)
        h[0, 2, 1] = 1
        monitor = self.run_monitor(h, [], [pdu(100, h[0])], 1)
        widget = monitor.qwidget()
        widget.resize(800, 600)
        image = widget.grab().toImage()
        bright, dark = (tuple(int(c) for c in COLOURS[i]) for i in (255, 0))
        pixels = np.array([[image.pixelColor(x, y).getRgb()[:3] for x in range(image.width())]
                           for y in range(image.height())])
        is_bright = (pixels == bright).all(axis=2)
        is_dark = (pixels == dark).all(axis=2)
        columns = np.flatnonzero(is_dark.any(axis=0))
        rows = np.flatnonzero(is_dark.sum(axis=1) > 100)  # the scale of colours has few
        left, right = columns[0], columns[np.flatnonzero(np.diff(columns) > 1)[0]]
        top, height, width = rows[0], rows[-1] - rows[0] + 1, right - left + 1
        found = np.argwhere(is_bright[:, left:right + 1])
        centre = (found.min(axis=0) + found.max(axis=0)) / 2
        self.assertAlmostEqual((centre[0] - top) / height, 2.5 / NA, delta=0.02)
        self.assertAlmostEqual(centre[1] / width, 1.5 / NT, delta=0.02)
        self.assertAlmostEqual(len(found) / (height * width), 1 / (NA * NT), delta=0.005)
        # The second picture is the first one again, and the plot of the error stays clear.
        second = np.argwhere(is_bright[:, right + 2:right + 2 + width + 40])
        self.assertEqual(len(second), len(found))

    def test_paths(self):
        """The paths of a report are drawn where they are; reports that fit nothing are left out."""
        row, column = 11, 20
        h = np.zeros((32, 32), np.complex64)
        h[row, column] = 1
        encoder = csifeedback.report_encoder_from_model("cost2100-indoor-path")
        bits, count, _ = encoder.encode(h, 128)

        def report(frame, octets, used):
            metadata = pmt.dict_add(pmt.make_dict(), pmt.intern("frame"), pmt.from_uint64(frame))
            metadata = pmt.dict_add(metadata, pmt.intern("report_bits"), pmt.from_long(used))
            return pmt.cons(metadata, pmt.init_u8vector(len(octets), octets.tolist()))

        monitor = csi_monitor(32, 32, path_model="cost2100-indoor-path")
        tag = gr.tag_t()
        tag.offset, tag.key, tag.value = 0, pmt.intern("frame"), pmt.from_uint64(100)
        source = blocks.vector_source_c(h.ravel().tolist(), False, 1024, [tag])
        for port, message in (("reports", report(100, bits, 8 * len(bits) + 1)),
                              ("reports", report(7, bits, int(count))),
                              ("reports", pmt.intern("no PDU")),
                              ("reports", report(100, bits, int(count))), ("pdus", pdu(100, h))):
            monitor.to_basic_block()._post(pmt.intern(port), message)
        flowgraph = gr.top_block()
        flowgraph.connect(source, monitor)
        flowgraph.start()
        self.wait(lambda: monitor.state()[0] is not None and monitor.paths() is not None)
        flowgraph.wait()
        delays, angles, gains = monitor.paths()
        strongest = np.argmax(np.abs(gains))
        self.assertAlmostEqual(delays[strongest], row, delta=0.2)
        self.assertAlmostEqual(angles[strongest], column, delta=0.2)
        widget = monitor.qwidget()
        widget.resize(800, 600)
        image = widget.grab().toImage()
        white = np.argwhere([[min(image.pixelColor(x, y).getRgb()[:3]) > 240
                              and max(image.pixelColor(x - 12, y).getRgb()[:3]) < 240
                              for x in range(12, image.width())] for y in range(image.height())])
        self.assertGreater(len(white), 0)
        with self.assertRaisesRegex(ValueError, "path_model is cost2100-indoor-path, for 32 x 32"):
            csi_monitor(8, 4, path_model="cost2100-indoor-path")

    def test_errors(self):
        for name, value in (("na", 0), ("nt", 0), ("history", 1), ("span_db", 0),
                            ("update_time", 0)):
            with self.subTest(name), self.assertRaisesRegex(ValueError, f"{name} is {value}, allowed"):
                csi_monitor(**{"na": NA, "nt": NT, name: value})


if __name__ == "__main__":
    unittest.main()
