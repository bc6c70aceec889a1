#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Long work: what is shown of it, and how it is interrupted."""

import contextlib
import os
import signal
import sys
import threading
import time
from typing import Any, Iterator, List


class Progress:
    """A line on stderr with the share done and the time left, at most five times a second.

    Where stderr is no terminal a line is written every ten seconds.
    """

    def __init__(self, what: str, total: int, first: int = 0) -> None:
        """first: what was done before, and not in this run."""
        self._what, self._total = what, total
        self._terminal = sys.stderr.isatty()
        self._start = self._last = time.monotonic()
        self._first = self._done = first

    def update(self, done: int, note: str = "") -> None:
        """Shows that `done` of the total are done, and a note on how it goes."""
        now = time.monotonic()
        if done == self._done or (now - self._last < (0.2 if self._terminal else 10)
                                  and done < self._total):
            return
        self._last, self._done = now, done
        elapsed = now - self._start
        here = done - self._first
        left = elapsed / here * (self._total - done) if here else float("nan")
        text = (f"{self._what}: {done} of {self._total} ({100 * done / self._total:.0f} %), "
                f"{elapsed:.0f} s, {left:.0f} s left" + (f", {note}" if note else ""))
        if self._terminal:
            print(f"\r{text}\x1b[K", end="\n" if done >= self._total else "",
                  file=sys.stderr, flush=True)
        elif elapsed > 10:
            print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def held_interrupts() -> Iterator[Any]:
    """Ctrl-C makes the list that this gives true; only a second one interrupts at once. Outside the
    main thread, as in a worker of a cluster, Ctrl-C is not ours and the list stays empty."""
    came: Any = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def handle(*_):
        if came:
            raise KeyboardInterrupt
        came.append(True)

    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, previous)


_kept: List[str] = []


def keeps(path: str) -> None:
    """Notes a file or directory from which the work goes on after an interruption."""
    if path not in _kept:
        _kept.append(path)


def kept() -> List[str]:
    """What keeps() noted and is there."""
    return [path for path in _kept if os.path.lexists(path)]
