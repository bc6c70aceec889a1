#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What the fuzzers in Python share: inputs by number, counted failures. README.md of the folder
above says how to use them."""

import argparse
import collections
import os
import shutil
import sys
import tempfile
import time
import traceback

import numpy as np


#: for files, removed at the end
directory = tempfile.mkdtemp(prefix="csifeedback-fuzz-")


def run(name, check):
    """Runs check(rng) for each input, and ends the program: status 1 if one failed.

    check: makes an input of a numpy.random.Generator, and raises AssertionError, or any other
    exception, if it finds a fault; returns a word for the statistics. The seed and the number of
    an input give the generator.
    """
    parser = argparse.ArgumentParser(prog=name, description=sys.modules["__main__"].__doc__)
    parser.add_argument("--inputs", type=int, default=10000, metavar="N")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first one")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    counts, failures, start = collections.Counter(), 0, time.monotonic()
    for number in range(args.first, args.first + args.inputs):
        try:
            counts[check(np.random.default_rng([args.seed, number]))] += 1
        except Exception:
            failures += 1
            print(f"input {number} of seed {args.seed}:", file=sys.stderr)
            traceback.print_exc()
            if failures >= 10:
                break
    print(f"{name}: {sum(counts.values()) + failures} inputs, {time.monotonic() - start:.0f} s, "
          f"{failures} failures; " + ", ".join(f"{n} {k}" for k, n in counts.most_common()))
    sys.stdout.flush()
    shutil.rmtree(directory, ignore_errors=True)
    # GNU Radio's and HDF5's libraries need no tidy end.
    os._exit(1 if failures else 0)
