#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Output files: whole or absent, never written through a link, locked where a run takes long.

All writers use these. docs/files.md has the rules.
"""

import contextlib
import csv
import errno
import fcntl
import io
import os
import secrets
import stat
import tempfile
import weakref
from typing import Any, Dict, Iterator, Optional, Sequence, Tuple


def check_place(path: str) -> str:
    """Refuses a path that no file can be written to, before the work and not after it.

    What exists there must be a regular file: links are not followed, and a device is not
    replaced by a file. Returns its directory.
    """
    path = os.fspath(path)
    directory = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(directory):
        raise ValueError(f"{path}: the directory {directory} does not exist")
    if not os.path.basename(path):
        raise ValueError(f"{path} is a directory, expected a file name")
    with contextlib.suppress(FileNotFoundError):
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            raise ValueError(f"{path}: is a symbolic link; outputs do not follow links, name the "
                             "file itself")
        if stat.S_ISDIR(mode):
            raise ValueError(f"{path} is a directory, expected a file name")
        if not stat.S_ISREG(mode):
            raise ValueError(f"{path}: is no regular file, expected a file name")
    try:
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    return directory


#: What to do about an output that is in the way.
ADVICE = "remove it, choose another file name, or overwrite it (--overwrite)"


def check_output(path: str, overwrite: bool = False) -> None:
    """check_place(), which also refuses a file that is there already, unless `overwrite` is set.

    For every output that a user names; what is made anew within a run has check_place() alone.
    """
    check_place(path)
    if not overwrite and os.path.lexists(path):
        raise ValueError(f"{os.fspath(path)}: exists; {ADVICE}")


def same_file(descriptor: int, name: str, directory: Optional[int] = None) -> bool:
    """Whether a name still belongs to an open file.

    directory: descriptor of the directory that the name is in; None: the working directory.
    """
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(found, os.fstat(descriptor))


def sync_directory(path: str) -> None:
    """Brings the names in the directory of a path to the disk, where the file system can."""
    with contextlib.suppress(OSError):
        directory = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


class Lock:
    """Keeps all other writers away from an output, until `release` or the end of the process.

    It is a lock (flock) on a file of its own, .NAME.lock beside the output, because the output
    is renamed, removed and made anew. The file is removed with the lock; where a killed process
    leaves it behind, it locks nothing.

    Raises ValueError if another writer has the output.
    """

    def __init__(self, path: str) -> None:
        self.path = os.fspath(path)
        place, name = os.path.split(os.path.abspath(self.path))
        name = f".{name}.lock"
        directory = os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            while (file := self._acquire(name, directory)) is None:
                pass
        except OSError as error:
            os.close(directory)
            if error.errno in (errno.EAGAIN, errno.EACCES) and error.filename is None:
                raise ValueError(f"{self.path}: is being written by another process") from None
            raise OSError(f"{self.path}: cannot be locked with {name}: {error.strerror}"
                          ) from None
        # Not left behind by an error either.
        self._release = weakref.finalize(self, self._give_back, name, directory, file)

    @staticmethod
    def _acquire(name, directory):
        file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600,
                       dir_fd=directory)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The one who had it may have removed the file in between.
            if same_file(file, name, directory):
                found, file = file, None
                return found
            return None
        finally:
            if file is not None:
                os.close(file)

    @staticmethod
    def _give_back(name, directory, file):
        with contextlib.suppress(FileNotFoundError):
            os.remove(name, dir_fd=directory)
        os.close(file)
        os.close(directory)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.release()

    def release(self) -> None:
        """Gives the output free; may be called more than once."""
        self._release()


class _Output(io.FileIO):
    """A file that keeps its first error and takes no more from then on.

    Libraries that are told of a full disk in the middle of their work abort or print
    tracebacks; `whole_file` raises the error when they are done.
    """

    error = None

    def write(self, data):
        if self.error is None:
            try:
                return super().write(data)
            except OSError as error:
                self.error = error
        size = memoryview(data).nbytes
        self.seek(size, os.SEEK_CUR)
        return size


class WholeFile:
    """A new file that has no name yet, or one that nobody can guess; `commit` names it.

    file: binary file object, to write, read and seek. Used by `whole_file`, and where a file
    lives on after it was named.
    """

    def __init__(self, path: str) -> None:
        self.path = os.fspath(path)
        place = check_place(self.path)
        self._directory: Any = os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._temporary = None
        flags = os.O_RDWR | os.O_CLOEXEC
        try:
            try:
                descriptor = os.open(".", flags | os.O_TMPFILE, 0o666, dir_fd=self._directory)
            except OSError as error:
                # Some file systems have no unnamed files.
                if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT,
                                       errno.EINVAL):
                    raise
                temporary = self._new_name()
                descriptor = os.open(temporary, flags | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW,
                                     0o666, dir_fd=self._directory)
                self._temporary = temporary
        except OSError as error:
            os.close(self._directory)
            raise OSError(f"{self.path}: {error.strerror}") from None
        self._raw = _Output(descriptor, "r+")
        self.file = io.BufferedRandom(self._raw, 1 << 16)

    @staticmethod
    def _new_name():
        return f".{secrets.token_hex(12)}.part"

    def commit(self) -> None:
        """Gives the file its name, in place of what has it, once its content is on the disk.

        Raises OSError, with the path, if that or an earlier write failed.
        """
        self.file.flush()
        self.check()
        try:
            descriptor = self._raw.fileno()
            os.fsync(descriptor)
            if self._temporary is None:
                temporary = self._new_name()
                os.link(f"/proc/self/fd/{descriptor}", temporary, src_dir_fd=self._directory,
                        dst_dir_fd=self._directory, follow_symlinks=True)
                self._temporary = temporary
            os.replace(self._temporary, os.path.basename(self.path), src_dir_fd=self._directory,
                       dst_dir_fd=self._directory)
            self._temporary = None
        except OSError as error:
            raise OSError(f"{self.path}: {error.strerror or error}") from None
        sync_directory(self.path)

    def check(self) -> None:
        """OSError, with the path, if something could not be written."""
        if self._raw.error:
            raise OSError(f"{self.path}: {self._raw.error.strerror}") from None

    def close(self) -> None:
        """Closes the file, which disappears if it has no name."""
        self.file.close()
        if self._temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.remove(self._temporary, dir_fd=self._directory)
            self._temporary = None
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None


@contextlib.contextmanager
def whole_file(path: str, text: bool = False) -> Iterator[Any]:
    """Gives a new file to write to, which becomes `path` unless an error occurs.

    What is at `path` stays as it is until then; a full disk is an OSError with the path. Killed
    in between, the process leaves nothing behind where the file system has unnamed files.

    path: no link, and in a directory that exists. text: the file takes text, in UTF-8.
    """
    whole = WholeFile(path)
    try:
        if text:
            # The file closes with `whole`, after the commit.
            wrapper = io.TextIOWrapper(whole.file, "utf-8", newline="")
            yield wrapper
            wrapper.detach()
        else:
            yield whole.file
        whole.commit()
    except Exception:
        # What a library makes of a full disk says less.
        whole.check()
        raise
    finally:
        whole.close()


def write_csv(path: str, rows: Sequence[Dict[str, Any]], names: Sequence[str]) -> None:
    """Writes the columns `names` of rows, dictionaries, as CSV; what a row lacks stays empty."""
    with whole_file(path, text=True) as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def subplots(rows: int, columns: int, width: float, height: float, **options: Any) -> Tuple[Any, Any]:
    """(Matplotlib figure of this size in inches, its axes (rows, columns)), without a display; options:
    those of Figure.subplots."""
    from matplotlib.figure import Figure
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def write_figure(figure: Any, path: str, dpi: int) -> None:
    """Writes a Matplotlib figure in the format that the extension of path names."""
    with whole_file(path) as file:
        figure.savefig(file, format=os.path.splitext(path)[1][1:] or None, dpi=dpi)
