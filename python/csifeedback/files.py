#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Files that are whole or absent."""

import contextlib
import csv
import os
import tempfile


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
