#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""ZMTP 3, the wire protocol of ZeroMQ, with bounded memory.

libzmq keeps every part of a message until the last part is there, and has no limit on the number
of parts: one peer can fill the memory, before anybody looks at what it sent. A Session keeps at
most one header and one command. Messages pass through it in pieces. Messages of several parts and
messages of a wrong length are skipped while they arrive, or end the connection.

The mechanism is NULL: there is no encryption and no authentication on this level. Peers are
libzmq 4.0 and newer, with sockets of the types PUSH, PULL, PUB, SUB, XPUB and XSUB. The protocol is
specified at https://rfc.zeromq.org/spec/37/.
"""

import struct
import time
from typing import Any, Callable, Iterator, Tuple

#: Longest command that a peer may send, in bytes.
MAX_COMMAND = 1024
#: Commands and subscriptions that a peer may send in a second.
MAX_COMMANDS_PER_S = 32
#: Replies that wait for a peer that does not read them, in bytes.
MAX_REPLIES = 4096
#: Socket type -> types that it may talk to.
PARTNERS = {b"PUSH": (b"PULL",), b"PULL": (b"PUSH",), b"PUB": (b"SUB", b"XSUB"),
            b"SUB": (b"PUB", b"XPUB")}

_MORE, _LONG, _COMMAND = 1, 2, 4
_CALLER = object()
_GREETING = (b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"NULL".ljust(20, b"\0")).ljust(64, b"\0")


class ProtocolError(Exception):
    """The peer does not speak ZMTP 3, or exceeds a limit: close the connection."""


def frame(body: bytes, flags: int = 0) -> bytes:
    """A frame: header and body, as bytes."""
    if len(body) > 255:
        return struct.pack(">BQ", flags | _LONG, len(body)) + body
    return bytes((flags, len(body))) + body


def _command(name, data=b""):
    return frame(bytes((len(name),)) + name + data, _COMMAND)


#: What asks a peer for a sign of life; its first two bytes are a time to live, which is not used.
PING = _command(b"PING", b"\0\0")
#: The subscription to all messages.
SUBSCRIBE_ALL = frame(b"\1")


class Session:
    """One connection to a peer, without its socket.

    kind: socket type of this end, a key of PARTNERS. wants: function of the length of a message in
    bytes that says whether to take it. strict: whether another message, or one of several parts,
    breaks the protocol; without it such messages are skipped and counted.

    The caller sends `outgoing`, whose bytes it removes, and passes to receive() what arrives.
    """

    def __init__(self, kind: bytes, wants: Callable[[int], bool], strict: bool = True) -> None:
        self._kind, self._wants, self._strict = kind, wants, strict
        #: bytes for the peer: greeting and commands, whole frames
        self.outgoing = bytearray(_GREETING)
        #: whether messages may be sent
        self.ready = False
        #: number of subscriptions of the peer to all messages
        self.subscriptions = 0
        #: messages that were skipped
        self.refused = 0
        self._kept = bytearray()  # of the greeting, of a header, of a command
        self._left = len(_GREETING)  # bytes until the end of a body
        #: what takes the body: a function, the caller, or nobody
        self._body: Any = self._greeting
        self._in_message = False  # amid the parts of a message that is skipped
        self._commands, self._count_until = 0, 0.0

    def receive(self, data: memoryview) -> Iterator[Tuple[memoryview, bool]]:
        """Takes bytes. A generator of (piece, end): pieces of the messages that are wanted, views
        of the data, and whether a piece is the last one of its message.

        Raises ProtocolError. The generator has to be exhausted before the next call.
        """
        data = memoryview(data)
        while True:
            if self._left:
                if not data:
                    return
                piece, data = data[:self._left], data[self._left:]
                self._left -= len(piece)
                if self._body is _CALLER:
                    yield piece, not self._left
                elif self._body:
                    self._kept += piece
                    if not self._left:
                        body, self._kept = bytes(self._kept), bytearray()
                        self._body(body)
            else:
                data = self._header(data)
                if data is None:
                    return
                if not self._left and self._body:
                    if self._body is _CALLER:
                        yield memoryview(b""), True
                    else:
                        self._body(b"")

    def _header(self, data):
        """Takes a header; returns the rest, or None if the header is not complete."""
        kept = self._kept
        if not kept:
            kept += data[:1]
            data = data[1:]
        size = 9 if kept and kept[0] & _LONG else 2
        missing = size - len(kept)
        kept += data[:missing]
        if len(kept) < size:
            return None
        flags = kept[0]
        length = int.from_bytes(kept[1:], "big")
        kept.clear()
        if flags > 7 or length >> 63 or flags & _COMMAND and flags & _MORE:
            raise ProtocolError("a frame has an unknown form")
        self._left = length
        if flags & _COMMAND:
            if length > MAX_COMMAND:
                raise ProtocolError(f"a command has {length} bytes, allowed is {MAX_COMMAND}")
            self._body = self._take_command
        elif not self.ready:
            raise ProtocolError("a message comes before the handshake")
        else:
            self._body = self._choose(length, flags & _MORE)
        return data[missing:]

    def _choose(self, length, more):
        """What to do with the body of a part of a message."""
        first, self._in_message = not self._in_message, bool(more)
        if not first:
            return None
        if not more and self._wants(length):
            return self._take_subscription if self._kind == b"PUB" else _CALLER
        if self._strict:
            raise ProtocolError("a message has several parts" if more else
                                f"a message has {length} bytes")
        self.refused += 1
        return None

    def _greeting(self, data):
        if data[0] != 0xff or not data[9] & 1 or data[10] < 3:
            raise ProtocolError("the peer does not speak ZMTP 3")
        if data[12:32].rstrip(b"\0") != b"NULL":
            raise ProtocolError("the peer asks for a security mechanism, allowed is NULL")
        self._reply(_command(b"READY", b"\x0bSocket-Type"
                             + struct.pack(">I", len(self._kind)) + self._kind))

    def _reply(self, data):
        if len(self.outgoing) + len(data) > MAX_REPLIES:
            raise ProtocolError("the peer does not read")
        self.outgoing += data

    def _count_command(self):
        now = time.monotonic()
        if now > self._count_until:
            self._commands, self._count_until = 0, now + 1
        self._commands += 1
        if self._commands > MAX_COMMANDS_PER_S:
            raise ProtocolError("too many commands")

    def _take_command(self, body):
        self._count_command()
        name, data = body[1:1 + body[0]] if body else b"", body[1 + body[0]:] if body else b""
        if not self.ready:
            if name != b"READY":
                raise ProtocolError("the peer refuses the handshake")
            self._take_ready(data)
        elif name == b"PING":
            self._reply(_command(b"PONG", data[2:18]))
        elif name in (b"SUBSCRIBE", b"CANCEL"):
            self._take_subscription((b"\1" if name == b"SUBSCRIBE" else b"\0") + data)

    def _take_ready(self, data):
        kind = None
        while data:
            length = data[0]
            name, size, data = data[1:1 + length], data[1 + length:5 + length], data[5 + length:]
            size = int.from_bytes(size, "big")
            if len(data) < size:
                raise ProtocolError("the handshake has an unknown form")
            if name.lower() == b"socket-type":
                kind = data[:size]
            data = data[size:]
        if kind not in PARTNERS[self._kind]:
            raise ProtocolError("the peer has another type of socket")
        self.ready = True
        if self._kind == b"SUB":
            self._reply(SUBSCRIBE_ALL)

    def _take_subscription(self, body):
        self._count_command()
        # Samples have no topic, so nobody is sent anything who asks for one.
        if self._kind == b"PUB" and body in (b"\0", b"\1"):
            self.subscriptions = max(0, self.subscriptions + (1 if body == b"\1" else -1))
