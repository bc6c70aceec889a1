#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What base station and user equipment send each other: feedback messages and samples.

Addresses are zmq://HOST:PORT and udp://HOST:PORT. The peers of zmq may be sockets of libzmq too,
such as those of GNU Radio's ZMQ blocks: PUSH for feedback, SUB and PUB for samples. SECURITY.md
says what a peer can do.
"""

import collections
import contextlib
import errno
import itertools
import re
import socket
import threading
import time
from typing import Any, Deque, Iterator, Optional, Sequence, Tuple

import numpy as np

from . import connections, zmtp
from .parameters import ParameterError, refuse

#: Longest feedback message in bytes.
MAX_MESSAGE = 1 << 16
#: Shortest one, a report.
MIN_MESSAGE = 11
#: Connections of a FeedbackReceiver at most.
MAX_FEEDBACK_PEERS = 32
#: Connections of a SamplePublisher at most.
MAX_SAMPLE_PEERS = 16
#: Feedback messages that wait in a FeedbackSender at most.
MAX_QUEUE = 64
#: Bytes of samples that a SamplePublisher keeps at most, for all slow peers together.
MAX_BACKLOG = 8 << 20
#: Samples of a published message at most.
MESSAGE_SAMPLES = 8192
#: A SampleReceiver whose samples have waited for so long skips them.
MAX_DELAY_S = 1
#: Messages a second of all peers together that have not sent any that was accepted.
MAX_UNPROVEN_PER_S = 5000
#: For so long after an accepted message a peer is not closed in favour of another.
PROVEN_S = 10

_ROUND_MESSAGES = 8  # of a peer that is not proven
_READ_BYTES = 1 << 18  # of samples
_SKIP_S = 0.1  # long enough for all that can wait here and at the publisher
_SAMPLE_BYTES = 8


def parse_address(name: str, text: str, schemes: Sequence[str]) -> Tuple[str, Any]:
    """Splits an address.

    name: of the parameter that has it, for errors. schemes: those that are allowed. Returns
    (scheme, rest), and (scheme, (host, port)) of zmq and udp. Raises ParameterError.
    """
    scheme, colon, rest = text.partition(":")
    if not colon or scheme not in schemes:
        refuse(name, text, ", ".join(
            f"{s}://HOST:PORT" if s in ("zmq", "udp") else f"{s}:PATH" if s == "file"
            else f"{s}:ARGS" for s in schemes))
    if scheme not in ("zmq", "udp"):
        if scheme == "file" and not rest:
            raise ParameterError(name, f" is {text}, expected a path behind file:")
        return scheme, rest
    match = re.fullmatch(r"//(\[[0-9a-fA-F:]+\]|[\w.*-]+):(\d{1,5})", rest)
    if not match or not 1 <= int(match[2]) <= 65535:
        refuse(name, text, f"{scheme}://HOST:PORT with a port of 1 to 65535")
    return scheme, (match[1], int(match[2]))


@contextlib.contextmanager
def _address_errors(name, text):
    """Makes ParameterErrors of addresses that cannot be had."""
    try:
        yield
    except OSError as error:
        hint = "; is another csifeedback_bs running?" if error.errno == errno.EADDRINUSE else ""
        raise ParameterError(
            name, f" {text}: {(error.strerror or str(error)).lower()}{hint}") from None


class FeedbackSender:
    """Sends feedback messages to a FeedbackReceiver or a PULL socket. Never waits: what cannot be
    sent now is discarded, since CSI does not get better by waiting.

    text: zmq://HOST:PORT or udp://HOST:PORT. name: of the parameter that has it, for errors. Raises
    ParameterError.
    """

    def __init__(self, text: str, name: str = "feedback") -> None:
        scheme, (host, port) = parse_address(name, text, ("zmq", "udp"))
        #: numbers of messages
        self.sent = self.discarded = 0
        with _address_errors(name, text):
            self._sender: "_ZmqSender | _UdpSender" = (
                _ZmqSender(host, port) if scheme == "zmq" else _UdpSender(host, port))

    def send(self, message: bytes) -> None:
        """Sends bytes, at most MAX_MESSAGE of them."""
        if self._sender.send(message):
            self.sent += 1
        else:  # nobody there, or a full queue
            self.discarded += 1

    def close(self) -> None:
        """Closes the connection."""
        self._sender.close()


class _UdpSender:
    def __init__(self, host, port):
        family, address = connections.resolve(host, port, socket.SOCK_DGRAM)
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.connect(address)

    def send(self, message):
        try:
            self._socket.send(message)
        except OSError:
            return False
        return True

    def close(self):
        self._socket.close()


class _ZmqSender:
    def __init__(self, host, port):
        self._client = connections.Client(
            host, port, lambda: zmtp.Session(b"PUSH", lambda length: False),
            memoryview(bytearray(4096)))
        self._queue = collections.deque()
        self._blocked = self._closed = False
        self._wake, self._awake = socket.socketpair()
        self._wake.setblocking(False)
        self._awake.setblocking(False)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def send(self, message):
        with self._client.lock:
            connection = self._client.connection
            if not connection or not connection.session.ready or len(self._queue) >= MAX_QUEUE:
                return False
            self._queue.append(zmtp.frame(message))
            if not self._blocked:
                try:
                    self._blocked = not connection.flush(self._next)
                except OSError:  # which the thread finds too
                    return False
                if self._blocked:
                    self._wake_up()
            return True

    def _next(self):
        return self._queue.popleft() if self._queue else None

    def _wake_up(self):
        with contextlib.suppress(BlockingIOError):
            self._wake.send(b"x")

    def _run(self):
        client, before = self._client, None
        while not self._closed:
            received = client.wait(1, self._blocked, self._awake)
            with contextlib.suppress(BlockingIOError):
                self._awake.recv(64)
            with client.guard():
                connection = client.connection
                if connection is not before:
                    before = connection
                    self._queue.clear()
                    self._blocked = False
                if received:
                    for _ in connection.receive():
                        pass
                if connection:
                    self._blocked = not connection.flush(self._next)
        client.close()

    def close(self):
        self._closed = True
        self._wake_up()
        self._thread.join(5)
        self._wake.close()
        self._awake.close()


class FeedbackReceiver:
    """Receives feedback messages.

    text: zmq://HOST:PORT or udp://HOST:PORT of this machine, `*` for all of its IPv4 addresses.
    name: of the parameter that has it, for errors. Raises ParameterError.

    Peers of zmq whose messages have been accepted go before others when there are too many, see
    accept().
    """

    def __init__(self, text: str, name: str = "feedback") -> None:
        scheme, (host, port) = parse_address(name, text, ("zmq", "udp"))
        with _address_errors(name, text):
            self._receiver: "_ZmqReceiver | _UdpReceiver" = (
                _ZmqReceiver(host, port) if scheme == "zmq" else _UdpReceiver(host, port))

    def receive(self, seconds: float) -> Optional[bytes]:
        """One message as bytes, or None if none came in this time."""
        return self._receiver.receive(seconds)

    def accept(self) -> None:
        """Says that the last message was a good one."""
        self._receiver.accept()

    @property
    def refused(self) -> int:
        """Number of connections that broke the protocol."""
        return self._receiver.refused

    def close(self) -> None:
        """Closes the socket and all connections."""
        self._receiver.close()


class _UdpReceiver:
    refused = 0

    def __init__(self, host, port):
        self._socket = connections.bind(host, port, socket.SOCK_DGRAM)

    def receive(self, seconds):
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(MAX_MESSAGE)
        except (TimeoutError, BlockingIOError, ConnectionError):
            return None

    def accept(self):
        pass

    def close(self):
        self._socket.close()


class _Sender:
    """What a _ZmqReceiver notes of a connection."""

    def __init__(self):
        self.messages = None  # iterator over what was received and is not taken yet
        self.partial = bytearray()  # a message that is not complete
        self.accepted_at = float("-inf")

    def is_proven(self):
        return time.monotonic() < self.accepted_at + PROVEN_S


class _ZmqReceiver:
    """In rounds: all that proven peers sent, then a few messages of each of the others."""

    def __init__(self, host, port):
        self._server = connections.Server(
            host, port,
            lambda: zmtp.Session(b"PULL", lambda size: MIN_MESSAGE <= size <= MAX_MESSAGE),
            _Sender, MAX_FEEDBACK_PEERS, lambda peer: peer.note.is_proven(), 1 << 16, 1 << 14)
        self._allowed, self._at = 0.0, time.monotonic()  # messages of peers that are not proven
        self._end, self._last = 0.0, None
        self._messages = self._run()

    @property
    def refused(self):
        return self._server.refused

    def receive(self, seconds):
        self._end = time.monotonic() + seconds
        for message in self._messages:
            if message is not None or time.monotonic() >= self._end:
                return message

    def accept(self):
        self._last.note.accepted_at = time.monotonic()

    def close(self):
        self._server.close()

    def _run(self):
        """Without end: messages, and None after each round."""
        waiting = []
        while True:
            for peer in self._server.wait(0 if waiting else self._end - time.monotonic()):
                if not peer.note.messages:
                    peer.note.messages = self._read(peer)
            waiting = [peer for peer in self._server.peers if peer.note.messages]
            proven = [peer for peer in waiting if peer.note.is_proven()]
            for peer in proven:
                yield from self._take(peer, None)
            now = time.monotonic()
            self._allowed = min(self._allowed + (now - self._at) * MAX_UNPROVEN_PER_S,
                                0.1 * MAX_UNPROVEN_PER_S)
            self._at = now
            if self._allowed > 0:
                for peer in waiting:
                    if peer not in proven:
                        self._allowed -= 1
                        yield from self._take(peer, _ROUND_MESSAGES)
            elif not proven:
                time.sleep(0.005)
            waiting = [peer for peer in waiting if peer.note.messages]
            yield None

    def _take(self, peer, limit):
        for message in itertools.islice(peer.note.messages, limit):
            self._allowed -= limit is not None
            self._last = peer
            yield message

    def _read(self, peer):
        """The messages in what there is to receive from a peer."""
        note = peer.note
        with self._server.guard(peer):
            for piece, end in peer.receive():
                note.partial += piece
                if end:
                    message = bytes(note.partial)
                    note.partial.clear()
                    yield message
            self._server.send(peer)
        note.messages = None


class _Subscriber:
    """What a SamplePublisher notes of a connection."""

    def __init__(self):
        self.cursor = None  # number of the next message
        self.lost_at = float("-inf")


class SamplePublisher:
    """Sends samples to every SampleReceiver and every SUB socket without a filter that connects.

    text: zmq://HOST:PORT of this machine, `*` for all of its IPv4 addresses. name: of the parameter
    that has it, for errors. Raises ParameterError.

    A peer that is too slow loses samples; nobody waits for it.
    """

    def __init__(self, text: str, name: str = "air") -> None:
        _, (host, port) = parse_address(name, text, ("zmq",))
        with _address_errors(name, text):
            self._server = connections.Server(
                host, port, lambda: zmtp.Session(b"PUB", lambda size: size <= 256), _Subscriber,
                MAX_SAMPLE_PEERS, self._keeps_up, 1 << 14, 1 << 19)
        # The last messages, of which the first one has the number _first.
        self._frames: Deque[bytes] = collections.deque()
        self._first, self._bytes = 0, 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def publish(self, samples: np.ndarray) -> None:
        """Sends samples, complex64 (n,)."""
        data = memoryview(np.ascontiguousarray(samples, np.complex64).view(np.uint8))
        server = self._server
        with server.lock:
            subscribers = [peer for peer in server.peers if peer.session.subscriptions]
            if not subscribers:
                self._discard(len(self._frames))
                return
            step = _SAMPLE_BYTES * MESSAGE_SAMPLES
            for begin in range(0, len(data), step):
                message = zmtp.frame(bytes(data[begin:begin + step]))
                self._frames.append(message)
                self._bytes += len(message)
                for peer in subscribers:
                    self._send(peer)
            needed = min((peer.note.cursor for peer in server.peers
                          if peer.note.cursor is not None), default=self._first)
            self._discard(needed - self._first)
            while self._bytes > MAX_BACKLOG:
                self._discard(1)

    def _discard(self, count):
        for _ in range(count):
            self._bytes -= len(self._frames.popleft())
            self._first += 1

    def _send(self, peer):
        if peer in self._server.peers:
            with self._server.guard(peer):
                self._server.send(peer, lambda: self._next(peer))

    def _next(self, peer):
        """The next message for a peer, or None."""
        note, end = peer.note, self._first + len(self._frames)
        if not peer.session.subscriptions:
            note.cursor = None
            return None
        if note.cursor is None:
            note.cursor = end
        elif note.cursor < self._first:
            note.cursor, note.lost_at = end, time.monotonic()
        if note.cursor == end:
            return None
        note.cursor += 1
        return self._frames[note.cursor - 1 - self._first]

    @staticmethod
    def _keeps_up(peer):
        return peer.session.subscriptions and time.monotonic() > peer.note.lost_at + PROVEN_S

    def _run(self):
        server = self._server
        while not self._closed:
            for peer in server.wait(1):
                with server.lock:
                    with server.guard(peer):
                        for _ in peer.receive():
                            pass
                    self._send(peer)

    def close(self) -> None:
        """Closes the socket and all connections."""
        self._closed = True
        self._thread.join(5)
        self._server.close()


class SampleReceiver:
    """Receives the samples of a SamplePublisher or a PUB socket, such as GNU Radio's ZMQ PUB Sink.
    Needs the same memory whatever comes.

    text: zmq://HOST:PORT of the publisher, which need not be there yet. name: of the parameter that
    has it, for errors. Raises ParameterError.
    """

    def __init__(self, text: str, name: str = "air") -> None:
        _, (host, port) = parse_address(name, text, ("zmq",))
        with _address_errors(name, text):
            self._client = connections.Client(
                host, port,
                lambda: zmtp.Session(b"SUB", lambda size: size % _SAMPLE_BYTES == 0, strict=False),
                memoryview(bytearray(_READ_BYTES)))
        self._connection: Optional[connections.Connection] = None
        self._refused = 0
        self._empty_at = time.monotonic()
        #: messages that were left out to catch up
        self.skipped = 0
        self._begin()

    def _begin(self) -> None:
        # What was received and is not read yet, and the part of it that is next.
        self._pieces: Iterator[Tuple[memoryview, bool]] = iter(())
        self._piece = memoryview(b"")
        self._rest = b""  # bytes of a sample that is not complete
        self._inside = False  # whether more pieces of the message are to come
        self._omits = False  # whether these are left out

    @property
    def refused(self) -> int:
        """Messages that were no samples."""
        return self._refused + (self._connection.session.refused if self._connection else 0)

    def read(self, samples: np.ndarray, seconds: float) -> int:
        """Fills an array complex64 (n,) with what has come, from its begin; returns the number of
        samples, 0 if none came in this time."""
        begin = time.monotonic()
        if begin > self._empty_at + MAX_DELAY_S:
            self._skip()
        out = memoryview(samples.view(np.uint8))
        size = len(self._rest)
        out[:size] = self._rest
        while True:
            size = self._copy(out, size)
            if size == len(out):
                break
            left = begin + seconds - time.monotonic()
            there = self._client.wait(left if size < _SAMPLE_BYTES else 0)
            if self._client.connection is not self._connection:
                self._change()
                size -= size % _SAMPLE_BYTES
            if not there:
                self._empty_at = time.monotonic()
            if left <= 0 or not there and size >= _SAMPLE_BYTES:
                break
            if there and self._connection:
                with self._client.guard():
                    self._pieces = self._connection.receive()
        self._rest = bytes(out[size - size % _SAMPLE_BYTES:size])
        return size // _SAMPLE_BYTES

    def _change(self):
        if self._connection:
            self._refused += self._connection.session.refused
        self._connection = self._client.connection
        self._begin()

    def _copy(self, out, size):
        """Copies what was received behind the first `size` bytes; returns the new size."""
        with self._client.guard():
            while size < len(out):
                if not self._piece:
                    piece, end = next(self._pieces, (None, None))
                    if piece is None:
                        break
                    self._inside = not end
                    if not self._omits:
                        self._piece = piece
                    self._omits &= self._inside
                n = min(len(self._piece), len(out) - size)
                out[size:size + n] = self._piece[:n]
                self._piece = self._piece[n:]
                size += n
        return size

    def _skip(self):
        """Leaves out what waits: samples that are late give CSI that is old, for ever if this end
        is no faster than the other."""
        until = time.monotonic() + _SKIP_S
        with self._client.guard():
            while time.monotonic() < until:
                for _, end in self._pieces:
                    self._inside = not end
                    self.skipped += end
                if not self._connection or self._connection is not self._client.connection:
                    break
                self._pieces = self._connection.receive()
        self._piece, self._rest, self._omits = memoryview(b""), b"", self._inside
        self._empty_at = time.monotonic()

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()
