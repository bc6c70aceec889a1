#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""A QT GUI sink that shows true and reconstructed CSI side by side, live.

Not part of `from gnuradio import csifeedback`, so that only those who want it need PyQt5.
"""

import collections
import threading
from typing import Any, Dict, Optional

import numpy as np
import pmt
from gnuradio import gr
from PyQt5 import QtCore, QtGui, QtWidgets

from . import csifeedback_python as core
from . import ofdm
from .pdus import guarded, read_pdu

# Ten points of the colour map viridis (public domain), which is ordered by lightness.
_VIRIDIS = np.array([(68, 1, 84), (72, 40, 120), (62, 74, 137), (49, 104, 142), (38, 130, 142),
                     (31, 158, 137), (53, 183, 121), (109, 205, 89), (180, 222, 44),
                     (253, 231, 37)])
COLOURS = np.stack([np.interp(np.linspace(0, 9, 256), np.arange(10), channel)
                    for channel in _VIRIDIS.T], axis=1).round().astype(np.uint8)

TRUTHS_KEPT = 256
#: Frames of the moving average of the error, and of the figures.
AVERAGED = 25
ERROR_TOP_DB, ERROR_FLOOR_DB = 10, -40
#: radius of the strongest path in pixels
PATH_RADIUS = 9


def to_image(magnitude: np.ndarray, peak: float, span_db: float) -> np.ndarray:
    """RGB colours, uint8 (rows, columns, 3), of magnitudes in dB: `peak` is the brightest
    colour, span_db below it the darkest."""
    with np.errstate(divide="ignore"):
        level = 1 + 20 * np.log10(magnitude / peak) / span_db
    return COLOURS[(255 * np.clip(level, 0, 1)).round().astype(int)]


class csi_monitor(gr.sync_block):
    """Shows |Ha| as it is and as reconstructed, and the error over the last frames.

    Below are NMSE, rho, bits, age and losses over the last 25 frames, and the error of
    each frame with its moving average.

    Input 0: complex, true Ha, na x nt per item; tag `frame` as everywhere. Message port `pdus`:
    reconstructions, PDUs of na x nt complex values with the key `frame` and, if they have them,
    `age` and `frame_bits` or `report_bits`. Each reconstruction is shown beside the truth of the same frame number.

    na, nt: rows (delays) and columns (angles) of Ha, >= 1. span_db: range of the colours below
    the strongest true value, > 0. history: frames of the plot of the error, 2 to 10000.
    update_time: seconds between two pictures, > 0. domain: "Ha", or "H" for whole matrices, with
    subcarriers as rows and antennas as columns; the labels follow it. align: with "H", the common
    phase and delay that a receiver cannot know are taken out before the comparison (ofdm.align()).
    path_model: of the codec `path`, a name or file: message port `reports` takes PDUs of bytes with
    the keys `report_bits` and `frame`, and the paths in each report are drawn over what it
    reconstructs, circles whose radius falls with the gain in dB. Empty: none.
    """

    def __init__(self, na: int, nt: int, span_db: float = 40, history: int = 500,
                 update_time: float = 0.1, domain: str = "Ha", align: bool = False,
                 path_model: str = "") -> None:
        if align and domain != "H":
            raise ValueError(f"csi_monitor: align is {align} with domain {domain}, allowed is "
                             "with H")
        if domain not in ("Ha", "H"):
            raise ValueError(f"csi_monitor: domain is {domain}, allowed is Ha or H")
        for name, value, low, high in (("na", na, 1, 65536), ("nt", nt, 1, 1024),
                                       ("history", history, 2, 10000)):
            if not low <= value <= high:
                raise ValueError(f"csi_monitor: {name} is {value}, allowed is {low} to {high}")
        for name, number in (("span_db", span_db), ("update_time", update_time)):
            if not number > 0:
                raise ValueError(f"csi_monitor: {name} is {number}, allowed is above 0")
        self._path_decoder = self._decoder_of(path_model, domain, na, nt) if path_model else None
        super().__init__(name="csi_monitor", in_sig=[(np.complex64, na * nt)], out_sig=None)
        self._shape = na, nt
        self._align = align
        self._next = 0
        self._lock = threading.Lock()  # of the five below
        self._truths: Any = collections.OrderedDict()  # frame number -> Ha
        self._waiting: Any = collections.OrderedDict()  # frame number -> (Ha^, age, bits)
        self._shown = None  # frame number, Ha, Ha^, age of the last pair
        self._paths: Any = collections.OrderedDict()  # frame number -> delays, angles, gains
        self._errors: Any = collections.deque(maxlen=history)  # in dB
        self._scores: Any = collections.deque(maxlen=AVERAGED)  # ratio, rho, age, bits or None, frame
        self._domain = domain
        self._frame_key = pmt.intern("frame")
        self.message_port_register_in(pmt.intern("pdus"))
        self.set_msg_handler(pmt.intern("pdus"), self._handle)
        self.message_port_register_in(pmt.intern("reports"))
        self.set_msg_handler(pmt.intern("reports"), self._handle_report)
        self._widget = _Widget(self, span_db, history, update_time, domain)

    def qwidget(self) -> Any:
        """The widget, to put into a layout."""
        return self._widget

    def shape(self) -> tuple:
        """(rows, columns) of the matrices."""
        return self._shape

    def state(self) -> tuple:
        """(frame, Ha, Ha^, age in frames) of the last pair or None, and the errors in dB."""
        with self._lock:
            return self._shown, list(self._errors)

    def figures(self) -> Dict[str, Optional[float]]:
        """Means over the last AVERAGED pairs: nmse_db, rho, age in frames, bits of a frame (None: the
        PDUs do not say), and lost, the share of the frames from the first of these pairs to the last
        one for which no CSI of their own came. All None before the first pair."""
        with self._lock:
            scores = list(self._scores)
        if not scores:
            return dict.fromkeys(("nmse_db", "rho", "age", "bits", "lost"))
        ratio, rho, age = (float(np.mean([s[i] for s in scores])) for i in range(3))
        frames, fresh = [s[4] for s in scores], sum(s[2] == 0 for s in scores)
        bits = [s[3] for s in scores if s[3] is not None]
        return {"nmse_db": float(10 * np.log10(max(ratio, 1e-30))), "rho": rho, "age": age,
                "bits": float(np.mean(bits)) if bits else None,
                "lost": max(0.0, 1 - fresh / (1 + max(frames) - min(frames)))}

    def paths(self) -> Optional[tuple]:
        """(delays in rows, angles in columns, gains) of the report that the last pair was made of;
        None if there is none."""
        with self._lock:
            if self._shown is None:
                return None
            frame, _, _, age = self._shown
            return self._paths.get(frame - age)

    @staticmethod
    def _decoder_of(path_model, domain, na, nt):
        model = core.model_file(path_model)
        if domain != "Ha" or (model.na, model.nt) != (na, nt):
            raise ValueError(f"csi_monitor: path_model is {path_model}, for {model.na} x {model.nt} "
                             f"matrices {model.domain}, shown are {na} x {nt} matrices {domain}")
        return core.path_report_decoder(model)

    def work(self, input_items: Any, output_items: Any) -> int:
        items = input_items[0]
        tags = {tag.offset - self.nitems_read(0): pmt.to_uint64(tag.value)
                for tag in self.get_tags_in_window(0, 0, len(items), self._frame_key)
                if pmt.is_uint64(tag.value)}
        with self._lock:
            for i, item in enumerate(items):
                frame = tags.get(i, self._next)
                self._next = frame + 1
                self._truths[frame] = item.reshape(self._shape).copy()
                if len(self._truths) > TRUTHS_KEPT:
                    self._truths.popitem(last=False)
                if frame in self._waiting:
                    self._pair(frame, *self._waiting.pop(frame))
        return len(items)

    @guarded
    def _handle(self, message):
        metadata, values = read_pdu(message, np.complex64) or ({}, None)
        frame, age = metadata.get("frame"), metadata.get("age", 0)
        bits = metadata.get("frame_bits", metadata.get("report_bits"))
        if not isinstance(frame, int) or values.size != self._shape[0] * self._shape[1] \
                or not np.isfinite(values).all():
            return
        values = values.reshape(self._shape)
        with self._lock:
            if frame in self._truths:
                self._pair(frame, values, age, bits)
            else:
                self._waiting[frame] = values, age, bits
                if len(self._waiting) > TRUTHS_KEPT:
                    self._waiting.popitem(last=False)

    @guarded
    def _handle_report(self, message):
        metadata, values = read_pdu(message, np.uint8) or ({}, None)
        frame, bits = metadata.get("frame"), metadata.get("report_bits")
        if self._path_decoder is None or not isinstance(frame, int) \
                or not isinstance(bits, int) or not 0 <= bits <= 8 * values.size:
            return
        paths = self._path_decoder.paths(values, bits)
        with self._lock:
            self._paths[frame] = paths
            if len(self._paths) > TRUTHS_KEPT:
                self._paths.popitem(last=False)

    def _rho(self, h_hat, h):
        """In the frequency domain; of Ha at four points a row. The DFT over the angles is unitary."""
        if self._domain == "Ha":
            h_hat, h = (np.fft.fft(x, 4 * len(h), axis=0) for x in (h_hat, h))
        return ofdm.rho(h_hat, h)

    def _pair(self, frame, h_hat, age, bits):
        h = self._truths[frame]
        energy = np.sum(np.abs(h) ** 2)
        if energy > 0:
            ratio = ofdm.aligned_nmse(h_hat, h) if self._align else \
                np.sum(np.abs(h - h_hat) ** 2) / energy
            self._errors.append(float(10 * np.log10(max(ratio, 1e-30))))
            self._scores.append((float(ratio), self._rho(h_hat, h),
                                 age if isinstance(age, int) else 0,
                                 bits if isinstance(bits, int) else None, frame))
            self._shown = frame, h, h_hat, age


class _Widget(QtWidgets.QWidget):
    """Draws what the block has; lives in the GUI's thread."""

    def __init__(self, block, span_db, history, update_time, domain):
        super().__init__()
        self._block, self._span_db, self._history = block, span_db, history
        self._name = domain
        self._row, self._column = {"Ha": ("delay", "angle"), "H": ("subcarrier", "antenna")}[domain]
        self.setMinimumSize(640, 480)
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self.update)
        self._timer.start(max(1, int(1000 * update_time)))

    def paintEvent(self, _event):
        shown, errors = self._block.state()
        painter = QtGui.QPainter(self)
        text, line = self.palette().windowText().color(), painter.fontMetrics().height()
        painter.setPen(text)
        gap, bar, label = 2 * line, line, painter.fontMetrics().horizontalAdvance("-00 dB ")
        width = (self.width() - 3 * gap - bar - label) // 2
        height = int(0.62 * self.height()) - 3 * line
        left = QtCore.QRect(gap, 2 * line, width, height)
        right = left.translated(width + gap, 0)
        titles = [f"true |{self._name}|", f"|{self._name}| at the base station"]
        if shown:
            frame, h, h_hat, age = shown
            peak = np.abs(h).max()
            self._draw_matrix(painter, left, np.abs(h), peak)
            self._draw_matrix(painter, right, np.abs(h_hat), peak)
            paths = self._block.paths()
            if paths is not None:
                self._draw_paths(painter, right, h.shape, *paths)
                titles[1] += f", {len(paths[0])} paths"
            titles[0] += f", frame {frame}"
            titles[1] += f", error {errors[-1]:.1f} dB" + (f", {age} frames old" if age else "")
        for rect, title in zip((left, right), titles):
            painter.drawText(rect.left(), line, title)
            painter.drawRect(rect)
            rows, columns = self._block.shape()
            below = rect.bottom() + int(1.1 * line)
            painter.drawText(rect.left(), below, "0")
            painter.drawText(rect.left() + rect.width() // 2 - 2 * line, below,
                             f"{self._column} \u2192")
            for text, x, y in ((str(columns - 1), rect.right(), below),
                               ("0", rect.left() - 4, rect.top() + line),
                               (str(rows - 1), rect.left() - 4, rect.bottom())):
                painter.drawText(x - painter.fontMetrics().horizontalAdvance(text), y, text)
        painter.save()
        painter.translate(left.left() - line // 2, left.top() + height)
        painter.rotate(-90)
        rows = f"\u2190 {self._row}"
        painter.drawText((height - painter.fontMetrics().horizontalAdvance(rows)) // 2, 0, rows)
        painter.restore()
        self._draw_scale(painter, QtCore.QRect(right.right() + gap // 2, right.top(), bar, height))
        painter.drawText(left.left(), left.bottom() + int(2.4 * line), self._text())
        top = left.bottom() + 4 * line
        self._draw_errors(painter, errors, QtCore.QRect(
            gap + label, top, self.width() - 2 * gap - label, self.height() - top - line // 2))

    def _text(self):
        """The figures as a line."""
        v = self._block.figures()
        if v["nmse_db"] is None:
            return "no CSI yet"
        text = f"last {AVERAGED} frames: NMSE {v['nmse_db']:.1f} dB, rho {v['rho']:.3f}"
        if v["bits"] is not None:
            text += f", {v['bits']:.0f} bits"
        return text + f", age {v['age']:.1f}, lost {100 * v['lost']:.0f} %"

    def _draw_matrix(self, painter, rect, magnitude, peak):
        rgb = np.ascontiguousarray(to_image(magnitude, peak, self._span_db))
        rows, columns, _ = rgb.shape
        painter.drawImage(rect, QtGui.QImage(rgb.data, columns, rows, 3 * columns,
                                             QtGui.QImage.Format_RGB888))

    def _draw_paths(self, painter, rect, shape, delays, angles, gains):
        """Circles with the middles of the cells as whole numbers; angles are a ring."""
        painter.save()
        painter.setClipRect(rect)
        painter.setRenderHint(QtGui.QPainter.Antialiasing)
        painter.setPen(QtGui.QPen(QtGui.QColor(255, 255, 255), 1.5))
        powers = np.abs(gains) ** 2
        with np.errstate(divide="ignore"):
            levels = 1 + 10 * np.log10(powers / max(powers.max(initial=0), 1e-30)) / self._span_db
        for delay, angle, level in zip(delays, angles, levels):
            y = rect.top() + (delay + 0.5) / shape[0] * rect.height()
            x = rect.left() + (angle + 0.5) % shape[1] / shape[1] * rect.width()
            radius = 2 + (PATH_RADIUS - 2) * max(0.0, level)
            painter.drawEllipse(QtCore.QPointF(x, y), radius, radius)
        painter.restore()

    def _draw_scale(self, painter, rect):
        ramp = np.ascontiguousarray(COLOURS[::-1])
        painter.drawImage(rect, QtGui.QImage(ramp.data, 1, 256, 3, QtGui.QImage.Format_RGB888))
        painter.drawRect(rect)
        for part in (0, 0.5, 1):
            painter.drawText(rect.right() + 4, int(rect.top() + part * rect.height()) + 4,
                             f"{-part * self._span_db:.0f} dB")

    def _draw_errors(self, painter, errors, rect):
        grey = QtGui.QColor(128, 128, 128, 90)
        text = painter.pen()
        painter.drawText(rect.left(), rect.top() - 4,
                         f"error ||H - H^||\u00b2 / ||H||\u00b2 of the last {self._history} frames, "
                         f"and its mean over {AVERAGED}")

        def y(db):
            part = (ERROR_TOP_DB - db) / (ERROR_TOP_DB - ERROR_FLOOR_DB)
            return rect.top() + rect.height() * min(1, max(0, part))

        for db in range(ERROR_TOP_DB, ERROR_FLOOR_DB - 1, -10):
            painter.setPen(grey)
            painter.drawLine(rect.left(), int(y(db)), rect.right(), int(y(db)))
            painter.setPen(text)
            painter.drawText(2 * rect.left() - rect.right() - 4, int(y(db)) - 8,
                             rect.width(), 16,
                             QtCore.Qt.AlignRight | QtCore.Qt.AlignVCenter, f"{db} dB")
        step = rect.width() / (self._history - 1)
        first = rect.right() - step * (len(errors) - 1)
        painter.setRenderHint(QtGui.QPainter.Antialiasing)
        # The mean of the ratios, not of their logarithms.
        ratios = np.concatenate([[0], np.cumsum(10 ** (np.array(errors) / 10))])
        starts = np.maximum(np.arange(len(errors)) - AVERAGED + 1, 0)
        ends = np.arange(1, len(errors) + 1)
        means = 10 * np.log10((ratios[ends] - ratios[starts]) / (ends - starts)) if errors else []
        for values, colour, width in ((errors, QtGui.QColor(31, 119, 180, 110), 1),
                                      (means, QtGui.QColor(214, 90, 20), 2)):
            painter.setPen(QtGui.QPen(colour, width))
            painter.drawPolyline(QtGui.QPolygonF(
                [QtCore.QPointF(first + i * step, y(db)) for i, db in enumerate(values)]))
