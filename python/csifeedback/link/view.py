#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The figures of the two ends as pictures: matrices, the spectrum, and curves over time."""

import collections
import contextlib
import json
import math
import os
import queue
import sys
import threading
import time
from typing import (Any, Deque, Dict, Iterator, List, Mapping, Optional, Sequence, TextIO,
                    Tuple)

import numpy as np

from ..files import write_figure

#: Ends in one window at most.
MAX_ENDS = 4
#: Seconds between two pictures at least, and between two looks at a file that grows.
_PERIOD_S, _POLL_S = 0.2, 0.2
#: What follows the last line of a file.
_END = None


class _Curve:
    """Points of a curve: seconds and values, those without a value are gaps."""

    def __init__(self, history_s: float) -> None:
        self._history_s = history_s
        self.points: Deque[Tuple[float, float]] = collections.deque()

    def add(self, seconds: float, value: Optional[float]) -> None:
        while self.points and self.points[0][0] < seconds - self._history_s:
            self.points.popleft()
        self.points.append((seconds, math.nan if value is None else value))


class _Panel:
    """Curves over time with one title and unit."""

    def __init__(self, title: str, unit: str, history_s: float) -> None:
        self.title, self.unit, self._history_s = title, unit, history_s
        self.curves: Dict[str, _Curve] = {}

    def add(self, name: str, seconds: float, value: Optional[float]) -> None:
        if name not in self.curves:
            if value is None:
                return
            self.curves[name] = _Curve(self._history_s)
        self.curves[name].add(seconds, value)

    def draw(self, axes: Any) -> None:
        axes.clear()
        last = []
        for name, curve in self.curves.items():
            x, y = np.array(curve.points).T
            now = "" if math.isnan(y[-1]) else f" {y[-1]:.4g}"
            axes.plot(x, y, label=f"{name}{now}", linewidth=1.5,
                      marker="." if len(x) < 30 else None)
            last.append(x[-1])
        axes.set_title(self.title, fontsize="medium")
        axes.set_ylabel(self.unit)
        axes.set_xlabel("s")
        if last:
            axes.set_xlim(max(0, max(last) - self._history_s), max(max(last), 1))
            axes.legend(fontsize="small", ncol=2)
        axes.grid(True, alpha=0.3)


def _image(axes: Any, matrix: Optional[List[List[float]]], title: str, span_db: float = 30) -> None:
    axes.clear()
    axes.set_title(title, fontsize="medium")
    axes.set_xlabel("antenna port")
    axes.set_ylabel("subcarrier")
    axes.set_xticks([])
    axes.set_yticks([])
    if matrix:
        # In dB over the mean: the same colours in both pictures.
        axes.imshow(np.array(matrix), aspect="auto", interpolation="nearest", vmin=10 - span_db,
                    vmax=10)


class View:
    """Draws the lines of one end into a Matplotlib figure.

    figure: a Figure or SubFigure, at least 600 x 500 pixels. title: above it. history_s: what curves
    show, in s, above 0.

    Lines are what the programs write with --json; which end it is the first one says. What is
    missing in a line is left out.
    """

    def __init__(self, figure: Any, title: str = "", history_s: float = 120) -> None:
        if not history_s > 0:
            raise ValueError(f"history_s is {history_s}, allowed is above 0")
        self._figure, self._title, self._history_s = figure, title, history_s
        self._axes: Optional[Dict[str, Any]] = None
        self._panels: Dict[str, _Panel] = {}
        self._pictures: Dict[str, Any] = {}
        self._previous: Dict[str, float] = {}
        self._status = ""
        self._ended = False
        #: lines that were taken, and those that were none of an end
        self.lines, self.refused = 0, 0

    def _panel(self, key: str, title: str, unit: str) -> _Panel:
        if key not in self._panels:
            self._panels[key] = _Panel(title, unit, self._history_s)
        return self._panels[key]

    def _rate(self, name: str, seconds: float, total: float) -> Optional[float]:
        """How fast a number that grows does: per second since the line before."""
        before, at = self._previous.get(name), self._previous.get("")
        self._previous[name] = total
        return None if before is None or at is None or seconds <= at else \
            max(0.0, total - before) / (seconds - at)

    def take(self, line: Mapping[str, Any]) -> None:
        """Takes a line of figures: a dictionary as of BaseStation.figures() or
        UserEquipment.figures(). One that is none of these is counted."""
        try:
            seconds = float(line["seconds"])
            if line.get("end"):
                self._ended = True  # its figures are means of all
            elif "ues" in line:
                self._take_bs(seconds, line)
            else:
                self._take_ue(seconds, line)
        except (KeyError, TypeError, ValueError, AttributeError):
            self.refused += 1
            return
        self._previous[""] = seconds
        self.lines += 1

    def _take_bs(self, seconds, line):
        quality = self._panel("quality", "CSI at the base station", "dB")
        age = self._panel("age", "age of the CSI when it arrives", "frames")
        bits = self._panel("bits", "feedback that was taken", "kbit/s")
        losses = self._panel("losses", "refused, and CSI that was taken", "per s")
        for ue, v in line["ues"].items():
            name = f"UE {ue}"
            for key, what in (("nmse_db", "NMSE"), ("gain_db", "gain"), ("precoded_db", "measured"),
                              ("residual_energy_db", "residual")):
                quality.add(f"{name} {what}", seconds, v[key])
            age.add(name, seconds, v["age"])
            bits.add(name, seconds, v["bits_per_s"] / 1000)
            losses.add(f"{name} taken", seconds, v["per_s"])
            if "matrices" in v:
                self._pictures = {"ue": ue, **v["matrices"]}
        for reason, count in line["refused"].items():
            losses.add(reason, seconds, self._rate(reason, seconds, count))
        self._status = f"frame {line['frame']}"

    def _take_ue(self, seconds, line):
        quality = self._panel("quality", "pilots", "dB")
        quality.add("SNR", seconds, line["snr_db"])
        quality.add("precoded gain", seconds, line["precoded_db"])
        self._panel("age", "carrier offset", "Hz").add("offset", seconds, line["offset_hz"])
        sent = self._rate("sent", seconds, line["sent"])
        bits = self._panel("bits", "feedback that was sent", "kbit/s")
        if sent is not None and line["frame_bits"]:
            bits.add(f"{line['frame_bits']:.0f} bits a frame,", seconds,
                     sent * line["frame_bits"] / 1000)
        losses = self._panel("losses", "frames", "per s")
        losses.add("found", seconds, line["frames_per_s"])
        losses.add("sent", seconds, sent)
        lost = {name: line[name] for name in ("missed", "discarded", "not_framed")}
        for name, count in {**lost, **line["sync"]}.items():
            rate = self._rate(name, seconds, count)
            losses.add(name, seconds, rate if count else None)
        for name in ("matrices", "spectrum"):
            if name in line:
                self._pictures[name] = line[name]
        self._status = f"frame {line['frame']}" if line["frame"] is not None else "no pilots yet"

    def draw(self) -> None:
        """Draws what was taken."""
        if self._axes is None:
            axes = self._figure.subplots(3, 2)
            self._axes = dict(zip(("left", "right", "quality", "age", "bits", "losses"), axes.flat))
        status = self._status + (", ended" if self._ended else "")
        self._figure.suptitle(f"{self._title}: {status if self.lines else 'waiting for figures'}")
        if "spectrum" in self._pictures:
            self._draw_ue_pictures()
        else:
            shown = self._pictures
            of = f" of UE {shown['ue']}, frame {shown['frame']}" if shown else ""
            _image(self._axes["left"], shown.get("true"),
                   f"true |H|{of}" if "true" in shown or not shown else "true |H|: not known")
            _image(self._axes["right"], shown.get("fed_back"), "|H| as fed back")
        for key, panel in self._panels.items():
            panel.draw(self._axes[key])

    def _draw_ue_pictures(self):
        matrices, spectrum = self._pictures.get("matrices", {}), self._pictures["spectrum"]
        _image(self._axes["left"], matrices.get("measured"),
               f"|H| as measured, frame {matrices['frame']}" if matrices else "|H|: no pilots yet")
        axes = self._axes["right"]
        axes.clear()
        axes.set_title("spectrum of the samples", fontsize="medium")
        level = np.array(spectrum["db"])
        axes.plot((spectrum["first_hz"] + spectrum["step_hz"] * np.arange(level.size)) / 1e6, level,
                  linewidth=1)
        axes.set_xlabel("MHz")
        axes.set_ylabel("dB")
        axes.grid(True, alpha=0.3)


def _whole_lines(file: TextIO, grows: bool) -> Iterator[str]:
    """Lines with an end; grows: waits for more at the end of the file, for ever."""
    rest = ""
    while True:
        piece = file.readline()
        rest += piece
        if rest.endswith("\n"):
            yield rest
            rest = ""
        elif not piece and not grows:
            return
        elif not piece:
            time.sleep(_POLL_S)


def _read(index: int, name: str, grows: bool, found: "queue.Queue[Tuple[int, Any]]") -> None:
    """Puts (index, dictionary) for each line into a queue, and (index, _END)."""
    try:
        opened: Any = contextlib.nullcontext(sys.stdin) if name == "-" else open(name)
        with opened as file:
            for line in _whole_lines(file, grows and os.path.isfile(name)):
                with contextlib.suppress(ValueError):
                    value = json.loads(line)
                    if isinstance(value, dict):
                        found.put((index, value))
    except (OSError, ValueError) as error:
        print(f"{name}: {error}", file=sys.stderr)
    found.put((index, _END))


class _Window:
    """A View for each file of lines in one Matplotlib figure. Parameters as of show()."""

    def __init__(self, plt: Any, files: Sequence[str], titles: Sequence[str], history_s: float,
                 grows: bool) -> None:
        count = len(files)
        self.figure = plt.figure(figsize=(8 * min(count, 2), 8), layout="constrained")
        parts = [self.figure] if count == 1 else self.figure.subfigures((count + 1) // 2, 2).flat
        self._views = [View(part, title, history_s) for part, title in zip(parts, titles)]
        self._found: "queue.Queue[Tuple[int, Any]]" = queue.Queue()
        #: files that came to their end
        self.ended = 0
        for index, name in enumerate(files):
            threading.Thread(target=_read, args=(index, name, grows, self._found),
                             daemon=True).start()

    def all_ended(self) -> bool:
        return self.ended == len(self._views)

    def take(self, wait: bool) -> bool:
        """Gives the views what was found; whether that was a line. wait: up to the end of all files."""
        before = sum(view.lines for view in self._views)
        with contextlib.suppress(queue.Empty):
            while not (wait and self.all_ended()):
                index, line = self._found.get(wait)
                if line is _END:
                    self.ended += 1
                else:
                    self._views[index].take(line)
        return sum(view.lines for view in self._views) != before

    def draw(self) -> None:
        for view in self._views:
            view.draw()


def save(files: Sequence[str], titles: Sequence[str], path: str, history_s: float = 120) -> None:
    """Draws the lines of up to MAX_ENDS files into a picture, path. titles: one for each file. "-" is
    stdin. Raises OSError and ValueError."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    window = _Window(plt, files, titles, history_s, False)
    window.take(True)
    window.draw()
    write_figure(window.figure, path, 100)


def show(files: Sequence[str], titles: Sequence[str], history_s: float = 120,
         close: bool = False) -> None:
    """A window that shows the lines of up to MAX_ENDS files as they come, until it is closed.

    files: they may grow, or be FIFOs; "-" is stdin. titles: one for each file. close: whether it
    closes at the end of all files.
    """
    from matplotlib import pyplot as plt
    window = _Window(plt, files, titles, history_s, True)
    window.figure.canvas.manager.set_window_title("CSI feedback: " + ", ".join(titles))

    def update():
        if window.take(False):
            window.draw()
            window.figure.canvas.draw_idle()
        if close and window.all_ended():
            plt.close(window.figure)

    window.draw()
    timer = window.figure.canvas.new_timer(interval=int(1000 * _PERIOD_S))
    timer.add_callback(update)
    timer.start()
    plt.show()
