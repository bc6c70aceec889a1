#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Sweeps: points that are computed one by one here, or by the workers of a Dask cluster, and kept.

A point is a pure task: the name of a function of this package, its arguments as JSON, and the files
that it reads, with their SHA-256. Its result is JSON too. A result is kept under the SHA-256 of all
of these and of the module's version, so that a sweep that was interrupted, killed or extended
computes only what is missing, and a model file that changed is measured again.
"""

import contextlib
import dataclasses
import functools
import hashlib
import importlib
import inspect
import json
import os
import re
import socket
import threading
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from .. import csifeedback_python as core
from ..codecs import open_codec
from ..files import whole_file
from ..progress import keeps

#: Where the functions of points are: modules of this package.
PACKAGE = __package__.rpartition(".")[0]
#: Seconds that a scheduler has to answer.
CONNECT_TIMEOUT_S = 30
#: Workers that may die in turn while they compute a point, before the point counts as their killer.
RETRIES = 10


@functools.lru_cache(4096)
def _digest(path: str, size: int, modified: int) -> str:
    """SHA-256 of a file; size and modified time only tell whether it was read before."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def digest_of(path: str) -> str:
    """SHA-256 of a file, in hexadecimal."""
    found = os.stat(path)
    return _digest(os.path.realpath(path), found.st_size, found.st_mtime_ns)


def files_of(spec: str) -> List[str]:
    """The files that decide what a codec computes: its model, its Python source, its network; not
    those of this package, which the version stands for."""
    codec = open_codec(spec)
    paths = {path for path in re.split("[:,=]", spec) if os.path.isfile(path)}
    for path in list(paths):
        if path.endswith(".onnx"):
            paths.add(path[:-5] + "-decoder.onnx")
    paths.add(getattr(codec.model, "path", "") or "")
    if hasattr(codec, "codec") and not type(codec.codec).__module__.startswith(PACKAGE + "."):
        with contextlib.suppress(TypeError, OSError):
            paths.add(inspect.getfile(type(codec.codec)))
    return sorted(path for path in paths if os.path.isfile(path))


def digests_of(codecs: Iterable[str], paths: Iterable[str] = ()) -> Tuple[str, ...]:
    """SHA-256 of the files of codecs and of other files, sorted."""
    found = {path for spec in codecs for path in files_of(spec)} | set(paths)
    return tuple(sorted(map(digest_of, found)))


@dataclasses.dataclass(frozen=True)
class Point:
    """A task of a sweep; `point_of` makes one.

    task: "module:function" in this package. arguments: JSON of a dictionary. codecs: as a command
    line names them; paths: of other files that it reads; digests: SHA-256 of all their files.
    version: of the module.
    """

    task: str
    arguments: str
    codecs: Tuple[str, ...]
    paths: Tuple[str, ...]
    digests: Tuple[str, ...]
    version: str

    @property
    def key(self) -> str:
        """What the result is kept under: a hash of all but the places of the files."""
        text = json.dumps([self.task, self.arguments, self.digests, self.version])
        return hashlib.sha256(text.encode()).hexdigest()

    def __str__(self) -> str:
        return f"{self.task} {self.arguments}"


def point_of(task: str, arguments: Dict[str, Any], codecs: Iterable[str] = (),
             paths: Iterable[str] = ()) -> Point:
    """A Point. codecs: as a command line names them; their files count, beside `paths`."""
    codecs, paths = tuple(sorted(set(codecs))), tuple(sorted(set(paths)))
    return Point(task, json.dumps(arguments, sort_keys=True), codecs, paths,
                 digests_of(codecs, paths), core.__version__)


#: Points are computed one at a time in a process: what they share is not made for threads.
_ONE = threading.Lock()


def compute(point: Point) -> Any:
    """The result of a point, computed in this process.

    Raises ValueError if the module here has another version, or a file is not here or another one.
    """
    if point.version != core.__version__:
        raise ValueError(f"a worker has version {core.__version__} of the module, the sweep "
                         f"{point.version}")
    # A worker may find another model of the same name, or none; a serial run, one that was trained meanwhile.
    missing = [path for path in point.paths if not os.path.isfile(path)]
    if missing:
        raise ValueError("files of the sweep are not here: " + ", ".join(missing))
    if digests_of(point.codecs, point.paths) != point.digests:
        raise ValueError("files of the sweep have changed since it began, or a worker has others: "
                         + ", ".join(point.codecs + point.paths))
    module, _, function = point.task.partition(":")
    work = getattr(importlib.import_module(f"{PACKAGE}.{module}"), function)
    with _ONE:
        result = work(json.loads(point.arguments))
    # As it is when it has been kept.
    return json.loads(json.dumps(result))


class Store:
    """Results in a directory, a file KEY.json each.

    directory: made if it is not there; None: results are kept in memory alone.
    """

    def __init__(self, directory: Optional[str]) -> None:
        self.directory = directory
        if directory is not None:
            os.makedirs(directory, exist_ok=True)
            if not os.path.isdir(directory):
                raise ValueError(f"{directory}: is no directory for results")
        self._known: Dict[str, Any] = {}

    def _path(self, key: str) -> str:
        return os.path.join(self.directory or "", key + ".json")

    def find(self, point: Point) -> Tuple[bool, Any]:
        """(whether there is a result, the result). A damaged file is none."""
        key = point.key
        if key not in self._known and self.directory is not None:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError), \
                    open(self._path(key), encoding="utf-8") as file:
                kept = json.load(file)
                if kept["arguments"] == json.loads(point.arguments):
                    self._known[key] = kept["result"]
        return key in self._known, self._known.get(key)

    def keep(self, point: Point, result: Any) -> None:
        """Keeps a result, at once and whole."""
        self._known[point.key] = result
        if self.directory is not None:
            with whole_file(self._path(point.key), text=True) as file:
                json.dump({"task": point.task, "version": point.version,
                           "arguments": json.loads(point.arguments),
                           "files": point.digests,
                           "result": result}, file)
            keeps(self.directory)


def run(points: Sequence[Point], store: Optional[Store] = None, cluster: Optional[str] = None,
        progress: Optional[Callable[[int], None]] = None,
        valid: Callable[[Point, Any], bool] = lambda *_: True) -> List[Any]:
    """The results of points, in order.

    store: where results are kept and found. cluster: None: computed here, one after the other;
    "local": by worker processes, one for each core; else the address of a Dask scheduler, whose
    workers have this module and see the files under the same paths. progress: gets the number of
    points that are done. valid: whether a result that was kept still is one. A point whose worker
    dies is computed by another one.
    """
    kept = store or Store(None)

    def known(point: Point) -> bool:
        there, result = kept.find(point)
        return there and valid(point, result)

    missing = {p.key: p for p in points if not known(p)}
    total = len({p.key for p in points})

    def done(key: str, result: Any) -> None:
        kept.keep(missing.pop(key), result)
        if progress:
            progress(total - len(missing))

    if progress and total > len(missing):
        progress(total - len(missing))
    if cluster is None:
        for point in list(missing.values()):
            done(point.key, compute(point))
    elif missing:
        with _client(cluster) as client:
            _run_on(client, list(missing.values()), done)
    return [kept.find(p)[1] for p in points]


def _run_on(client: Any, points: List[Point], done: Callable[[str, Any], None]) -> None:
    """Has the workers of a distributed.Client compute points; done(key, result) for each."""
    import distributed

    futures = {client.submit(compute, p, key=f"csifeedback-{p.key}", retries=0): p for p in points}
    try:
        for future in distributed.as_completed(futures, loop=client.loop):
            point = futures[future]
            try:
                result = future.result()
            except distributed.scheduler.KilledWorker:
                raise ValueError(f"every worker died that computed the point {point}") from None
            except distributed.client.CancelledError:
                raise OSError("the scheduler of the cluster is gone; what was finished is kept"
                              ) from None
            done(point.key, result)
    finally:
        client.cancel(list(futures), force=True)


@contextlib.contextmanager
def _client(cluster: str) -> Iterator[Any]:
    """A distributed.Client of a cluster, see run()."""
    try:
        import dask
        import distributed
    except ImportError:
        raise ValueError("--cluster needs Dask, which is not installed: apt install "
                         "python3-distributed") from None
    settings = {"distributed.scheduler.allowed-failures": RETRIES,
                "distributed.comm.timeouts.connect": f"{CONNECT_TIMEOUT_S}s"}
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(settings))
        address = cluster
        if cluster == "local":
            address = stack.enter_context(distributed.LocalCluster(
                n_workers=len(os.sched_getaffinity(0)), threads_per_worker=1, processes=True,
                dashboard_address=None, silence_logs="ERROR"))
        else:
            _check_address(cluster)
        try:
            client = stack.enter_context(distributed.Client(address, timeout=CONNECT_TIMEOUT_S,
                                                            set_as_default=False))
        except (OSError, ValueError) as error:
            raise _no_scheduler(cluster, error) from None
        yield client


def _no_scheduler(cluster: str, why: object) -> ValueError:
    return ValueError(f"--cluster is {cluster}: no scheduler answers there ({why}); allowed are local "
                      "and addresses such as tcp://host:8786")


def _check_address(cluster: str) -> None:
    """ValueError if nothing listens at an address; a Client that finds nobody takes a minute to
    give up."""
    scheme, _, place = cluster.rpartition("://")
    host, _, port = place.rpartition(":")
    if scheme not in ("", "tcp", "tls"):
        return
    if not (host and port.isdecimal()):
        raise _no_scheduler(cluster, "it has no host and port")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_TIMEOUT_S).close()
    except (OSError, OverflowError) as error:
        raise _no_scheduler(cluster, error) from None
