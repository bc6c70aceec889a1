#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What the command-line programs share: errors, progress, files that are whole or absent."""

import contextlib
import csv
import json
import os
import signal
import sys
import tempfile
import time


def run(main):
    """Runs main(argv) as a program: 0, or 2 and one clear line on bad use, or 130 on Ctrl-C."""
    # GNU Radio logs to stdout, which is for results: from here on it logs to stderr.
    # Not where a caller in the same process has taken stdout for itself.
    if sys.stdout is sys.__stdout__:
        sys.stdout = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("interrupted; what was finished is kept", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of stdout went away, as `| head` does: no error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (ValueError, OSError) as error:
        print(f"{os.path.basename(sys.argv[0])}: {error}", file=sys.stderr)
        sys.exit(2)


class Progress:
    """A line on stderr with the share done and the time left, at most five times a second.

    Where stderr is no terminal a line is written every ten seconds.
    """

    def __init__(self, what, total, first=0):
        """first: what was done before, and not in this run."""
        self._what, self._total = what, total
        self._terminal = sys.stderr.isatty()
        self._start = self._last = time.monotonic()
        self._first = self._done = first

    def update(self, done, note=""):
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


def check_seed(option, value):
    """Refuses a seed that does not fit in 64 bits."""
    if not 0 <= value < 1 << 64:
        raise ValueError(f"{option} is {value}, allowed is 0 to {(1 << 64) - 1}")


def check_place(path):
    """Refuses a path that no file can be written to, before the work and not after it.

    Returns its directory.
    """
    directory = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(directory):
        raise ValueError(f"{path}: the directory {directory} does not exist")
    if os.path.isdir(path):
        raise ValueError(f"{path} is a directory, expected a file name")
    try:
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    return directory


@contextlib.contextmanager
def held_interrupts():
    """Ctrl-C makes the list that this gives true; only a second one interrupts at once."""
    came = []

    def handle(*_):
        if came:
            raise KeyboardInterrupt
        came.append(True)

    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, previous)


@contextlib.contextmanager
def whole_file(path):
    """Gives a temporary name beside path, and renames it to path unless an error occurs."""
    directory = check_place(path)
    # Keeps the extension: matplotlib goes by it.
    stem, extension = os.path.splitext(os.path.basename(path))
    temporary = os.path.join(directory, f".{stem}.{os.getpid()}.part{extension}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        # A full disk comes without a name, and the temporary one says nothing.
        if error.errno is None or error.filename not in (None, temporary):
            raise
        raise OSError(f"{path}: {error.strerror or error}") from None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.remove(temporary)


def write_csv(path, rows, names):
    """Writes the columns `names` of rows, dictionaries, as CSV; what a row lacks stays empty."""
    with whole_file(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def print_json(value, indent=1):
    """Writes a value as JSON to stdout; numbers that are not finite become null.

    indent: None: all on one line.
    """

    def plain(x):
        if isinstance(x, dict):
            return {str(k): plain(v) for k, v in x.items()}
        if isinstance(x, (list, tuple)):
            return [plain(v) for v in x]
        if isinstance(x, float):
            return x if x - x == 0 else None
        return x

    print(json.dumps(plain(value), indent=indent), flush=True)


def format_table(header, rows):
    """Lines of a plain text table, numbers to the right."""
    cells = [[str(c) for c in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    right = [all(not isinstance(row[i], str) for row in rows) if rows else False
             for i in range(len(header))]
    lines = []
    for number, row in enumerate(cells):
        lines.append("  ".join(c.rjust(w) if r else c.ljust(w)
                               for c, w, r in zip(row, widths, right)).rstrip())
        if number == 0:
            lines.append("  ".join("-" * w for w in widths))
    return "\n".join(lines)
