#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What the command-line programs share: errors, options, output."""

import argparse
import difflib
import json
import os
import re
import signal
import sys
import threading
from typing import Any, Callable, Iterable, List, Mapping, NoReturn, Optional, Sequence

from .. import csifeedback_python as core
from ..progress import kept


def run(main: Callable[..., Optional[int]]) -> NoReturn:
    """Runs main(argv) as a program: 0, or 2 and one clear line on bad use, or 130 on Ctrl-C, with the
    place of what was kept of the work."""
    # GNU Radio logs to stdout, which is for results: from here on it logs to stderr.
    # Not where a caller in the same process has taken stdout for itself.
    if sys.stdout is sys.__stdout__:
        sys.stdout = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
    try:
        if threading.current_thread() is threading.main_thread():
            # In place of what the program's file has for the time that it takes to load.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        status = main(sys.argv[1:])
        sys.stdout.flush()
        sys.exit(status)
    except KeyboardInterrupt:
        places = kept()
        print("interrupted" + (f"; {', '.join(places)} has what was finished, the same command goes on"
                               if places else ""), file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of stdout went away, as `| head` does: no error of ours.
        _discard_stdout()
        sys.exit(0)
    except (ValueError, OSError, core.CodecError) as error:
        print(f"{os.path.basename(sys.argv[0])}: {_text_of(error)}", file=sys.stderr)
        try:
            sys.stdout.flush()
        except OSError:
            _discard_stdout()
        sys.exit(2)


def _text_of(error):
    """What an exception says: "x.h5: No such file or directory", without the number of the error."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{os.fspath(error.filename)}: {error.strerror}"
    return error


def _discard_stdout():
    """What is left for stdout goes nowhere, or Python would try again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def warn_renamed(old: str, new: str) -> None:
    """Says on stderr that an option goes away."""
    print(f"warning: {old} is now {new}; the old name will be removed in the next release",
          file=sys.stderr)


def new_options(argv: Sequence[str], renamed: Mapping[str, str]) -> List[str]:
    """The arguments with the new names of options, {old: new} without dashes."""
    words = []
    for word in argv:
        option, equals, value = word.partition("=")
        for old, new in renamed.items():
            for dashes in ("--", "--no-"):
                if option == dashes + old:
                    option = dashes + new
                    warn_renamed(dashes + old, option)
        words.append(option + equals + value)
    return words


def check_seed(option: str, value: int) -> None:
    """Refuses a seed that does not fit in 64 bits."""
    if not 0 <= value < 1 << 64:
        raise ValueError(f"{option} is {value}, allowed is 0 to {(1 << 64) - 1}")


class LineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, which names what was probably meant."""

    def error(self, message: str) -> NoReturn:
        found = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)$", message)
        unknown = re.search(r"unrecognized arguments: (-[^ =]+)", message)
        near: List[str] = []
        if found:
            near = difflib.get_close_matches(found[1], re.findall(r"[^', ]+", found[2]), 1)
        elif unknown:
            parsers = [self, *(one for action in self._actions if isinstance(action.choices, dict)
                               for one in action.choices.values())]
            near = difflib.get_close_matches(
                unknown[1], [name for one in parsers for name in one._option_string_actions], 1)
        self.exit(2, f"{self.prog}: {message}" + (f"; is it {near[0]}?" if near else "; --help says more") + "\n")


class Parser(LineParser):
    """A LineParser with the option --version."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_argument("--version", action="version",
                          version=f"%(prog)s {core.__version__}")


def add_sweep_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of programs whose work is a sweep of points, see experiments.sweep."""
    group = parser.add_argument_group("sweep")
    group.add_argument("--results", metavar="DIR",
                       help="keep the result of every point here, and take what is there, so that a "
                            "sweep that was interrupted or extended goes on")
    group.add_argument("--cluster", metavar="ADDRESS",
                       help="have the points computed by a Dask cluster: the address of its scheduler, "
                            "such as tcp://host:8786, or local for a process on each core (default: "
                            "here, one after the other)")


def add_overwrite_argument(parser: Any, what: str) -> None:
    """The option --overwrite of the programs that write files; what: that it replaces."""
    parser.add_argument("--overwrite", action="store_true", help=f"replace {what} that exists")


def add_drop_bad_argument(parser: Any) -> None:
    """The option --drop-bad of the programs that read data sets."""
    parser.add_argument("--drop-bad", action="store_true",
                        help="leave out matrices of a data set that are zero, and say which")


def to_json(value: Any, indent: Optional[int] = 1) -> str:
    """A value as JSON; numbers that are not finite become null.

    indent: None: all on one line.
    """

    def plain(x):
        if isinstance(x, dict):
            return {str(k): plain(v) for k, v in x.items()}
        if isinstance(x, (list, tuple)):
            return [plain(v) for v in x]
        if hasattr(x, "tolist"):  # NumPy's numbers and arrays
            return plain(x.tolist())
        if isinstance(x, float):
            return x if x - x == 0 else None
        return x

    return json.dumps(plain(value), indent=indent)


def print_json(value: Any, indent: Optional[int] = 1) -> None:
    """Writes to_json() to stdout."""
    print(to_json(value, indent), flush=True)


def format_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
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
