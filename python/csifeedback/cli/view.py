#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_view: shows what csifeedback_bs and csifeedback_ue write with --json --pictures."""

import argparse
import contextlib
import json
import os
import queue
import sys
import threading
import time
from typing import Any, Iterator, List, Sequence, TextIO, Tuple

from ..files import check_output, write_figure
from ..link.view import View
from .common import Parser, add_overwrite_argument

#: Seconds between two pictures at least, and between two looks at a file that grows.
_PERIOD_S, _POLL_S = 0.2, 0.2
_END = None


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(prog="csifeedback_view", description=__doc__)
    parser.add_argument("files", nargs="*", default=["-"], metavar="FILE",
                        help="lines of JSON of one end each, from files that may grow, FIFOs or - for "
                             "stdin; up to 4 (default: -)")
    parser.add_argument("--title", action="append", default=[], metavar="TEXT",
                        help="above the figures of an end, once for each (default: the name of the "
                             "file)")
    parser.add_argument("--history", type=float, default=120, metavar="S",
                        help="what curves show (default: 120)")
    parser.add_argument("--save", metavar="FILE.png",
                        help="no window: draw what is there up to the end of the lines into a file")
    parser.add_argument("--close", action="store_true",
                        help="close the window at the end of the lines")
    add_overwrite_argument(parser, "the file of --save")
    return parser.parse_args(argv)


def _lines(name: str, grows: bool) -> Iterator[str]:
    """Whole lines of a file; grows: go on at its end, for ever."""
    opened: Any = contextlib.nullcontext(sys.stdin) if name == "-" else open(name)
    with opened as file:
        grows = grows and os.path.isfile(name)
        yield from _whole(file, grows)


def _whole(file: TextIO, grows: bool) -> Iterator[str]:
    rest = ""
    while True:
        rest += file.readline()
        if rest.endswith("\n"):
            yield rest
            rest = ""
        elif not grows and not file.readline():
            return
        else:
            time.sleep(_POLL_S)


def _read(index: int, name: str, grows: bool, found: "queue.Queue[Tuple[int, Any]]") -> None:
    """Puts (index, dictionary) for each line into a queue, and (index, _END)."""
    try:
        for line in _lines(name, grows):
            with contextlib.suppress(ValueError):
                value = json.loads(line)
                if isinstance(value, dict):
                    found.put((index, value))
    except OSError as error:
        print(f"csifeedback_view: {error}", file=sys.stderr)
    found.put((index, _END))


def _take(views: List[View], found: "queue.Queue[Tuple[int, Any]]", wait: bool) -> int:
    """Gives the views what was found; returns how many files came to their end. wait: until all did."""
    ended = 0
    with contextlib.suppress(queue.Empty):
        while not wait or ended < len(views):
            index, line = found.get(wait)
            if line is _END:
                ended += 1
            else:
                views[index].take(line)
    return ended


def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    if not 1 <= len(args.files) <= 4:
        raise ValueError(f"FILE: there are {len(args.files)}, allowed are 1 to 4")
    if not args.history > 0:
        raise ValueError(f"--history is {args.history:g}, allowed is above 0")
    for name in args.files:
        if name != "-" and not os.path.exists(name):
            raise ValueError(f"{name}: no such file")
    if args.save:
        check_output(args.save, args.overwrite)
    import matplotlib
    if args.save:
        matplotlib.use("Agg")
    elif not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))):
        raise ValueError("there is no display for a window, give --save FILE.png")
    from matplotlib import pyplot as plt
    count = len(args.files)
    figure = plt.figure(figsize=(8 * min(count, 2), 8), layout="constrained")
    parts = [figure] if count == 1 else figure.subfigures(
        (count + 1) // 2, 2).flat[:count]
    titles = args.title + [("stdin" if f == "-" else os.path.basename(f))
                           for f in args.files[len(args.title):]]
    views = [View(part, title, args.history) for part, title in zip(parts, titles)]
    found: "queue.Queue[Tuple[int, Any]]" = queue.Queue()
    for index, name in enumerate(args.files):
        threading.Thread(target=_read, args=(index, name, not args.save, found), daemon=True).start()
    if args.save:
        _take(views, found, True)
        for view in views:
            view.draw()
        write_figure(figure, args.save, 100)
        return 0
    figure.canvas.manager.set_window_title("CSI feedback: " + ", ".join(titles))

    ended: List[bool] = []

    def update():
        before = sum(view.lines for view in views)
        ended.extend([True] * _take(views, found, False))
        if args.close and len(ended) == count:
            plt.close(figure)
            return
        if sum(view.lines for view in views) != before:
            for view in views:
                view.draw()
            figure.canvas.draw_idle()

    for view in views:
        view.draw()
    timer = figure.canvas.new_timer(interval=int(1000 * _PERIOD_S))
    timer.add_callback(update)
    timer.start()
    plt.show()
    return 0
