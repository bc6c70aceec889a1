#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""TCP connections with ZMTP sessions: Server, which others connect to, and Client.

Bounded for peers that have not shown who they are: the number of connections, what is kept for each
of them here and in the kernel, the time for a handshake and the time without a sign of life.
"""

import collections
import contextlib
import errno
import random
import select
import selectors
import socket
import threading
import time
from typing import Any, Callable, Iterable, Iterator, List, Optional, Tuple

from . import zmtp

#: Time for a handshake, time without a sign of life until a peer is asked for one, time to answer.
HANDSHAKE_S, PING_S, ANSWER_S = 3, 1, 3

_PEER_BYTES = 4096  # read at once by a Server
_RETRY_S = 0.1, 1.0  # shortest and longest time between two attempts to connect
_TICK_S = 0.25  # between two looks at the clock


def resolve(host: str, port: int, kind: int) -> Tuple[int, Any]:
    """(family, address) of a host for sockets; `*` is every IPv4 address of this machine.

    host: name or address, IPv6 ones in brackets. Raises OSError.
    """
    family, _, _, _, address = socket.getaddrinfo(
        "0.0.0.0" if host == "*" else host.strip("[]"), port, type=kind)[0]
    return family, address


def is_local(host: str) -> bool:
    """Whether only this machine reaches ports at this host, a name or address as of resolve()."""
    with contextlib.suppress(OSError):
        address = resolve(host, 0, socket.SOCK_STREAM)[1][0]
        return address.startswith("127.") or address == "::1"
    return False


def bind(host: str, port: int, kind: int,
         options: Iterable[Tuple[int, int, int]] = ()) -> socket.socket:
    """A socket that is bound to an address of this machine, and does not block.

    kind: socket.SOCK_STREAM, which listens, or SOCK_DGRAM. options: arguments of setsockopt().
    Raises OSError.
    """
    family, address = resolve(host, port, kind)
    made = socket.socket(family, kind)
    try:
        for option in options:
            made.setsockopt(*option)
        made.bind(address)
        if kind == socket.SOCK_STREAM:
            made.listen(64)
    except OSError:
        made.close()
        raise
    made.setblocking(False)
    return made


class Connection:
    """A TCP connection and its session. Its methods raise OSError or ProtocolError where it cannot
    go on.

    host: address of the peer. buffer: memoryview of what is read at once. note: whatever its owner
    keeps with it.
    """

    def __init__(self, sock: socket.socket, host: str, session: zmtp.Session, buffer: memoryview,
                 note: Any = None) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Ends a connection over a link that is cut while data are under way.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT,  # type: ignore[attr-defined]
                        1000 * ANSWER_S)
        self.socket, self.host, self.session, self.note = sock, host, session, note
        self._buffer = buffer
        self._since = self._heard = self._moved = time.monotonic()
        self._asked: Optional[float] = None
        self._rest = memoryview(b"")

    def receive(self) -> Iterator[Tuple[memoryview, bool]]:
        """What came, pieces of messages as Session.receive() gives them. They hold until the next
        call. Raises BlockingIOError if nothing came."""
        size = self.socket.recv_into(self._buffer)
        if not size:
            raise ConnectionResetError("the peer closed the connection")
        self._heard, self._asked = time.monotonic(), None
        return self.session.receive(self._buffer[:size])

    def flush(self, following: Callable[[], Optional[bytes]] = lambda: None) -> bool:
        """Sends commands, then frames of following() until it returns None. Returns False if the
        peer has to read first."""
        session = self.session
        while True:
            if not self._rest:
                commands = bytes(session.outgoing)
                session.outgoing.clear()
                data = commands or (following() if session.ready else None)
                if not data:
                    return True
                self._rest = memoryview(data)
            try:
                self._rest = self._rest[self.socket.send(self._rest):]
            except BlockingIOError:
                return False
            self._moved = time.monotonic()

    def check(self, now: float) -> None:
        """Asks a silent peer for a sign of life; to be called some times a second, when there is
        nothing to receive."""
        if not self.session.ready:
            if now > self._since + HANDSHAKE_S:
                raise zmtp.ProtocolError("no handshake in time")
        elif self._asked is None:
            if now > self._heard + PING_S:
                self._asked = now
                self.session.outgoing += zmtp.PING
        elif now > max(self._asked, self._moved) + ANSWER_S:
            raise zmtp.ProtocolError("no sign of life")


class Server:
    """Connections that others open.

    host, port: as of bind(). make_session(): a Session. make_note(): Connection.note. limit:
    how many connections there may be; one more takes the place of one that keeps(connection) does
    not protect, a random one of the host that has most of them. receive_bytes, send_bytes: of the
    kernel's buffers of a connection.

    `lock` is held while `peers` changes. Raises OSError if the address cannot be had.
    """

    def __init__(self, host: str, port: int, make_session: Callable[[], zmtp.Session],
                 make_note: Callable[[], Any], limit: int,
                 keeps: Callable[[Connection], bool], receive_bytes: int,
                 send_bytes: int) -> None:
        self._make_session, self._make_note = make_session, make_note
        self._limit, self._keeps = limit, keeps
        # Connections inherit the sizes.
        self._listener = bind(host, port, socket.SOCK_STREAM, (
            (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1),
            (socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes),
            (socket.SOL_SOCKET, socket.SO_SNDBUF, send_bytes)))
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._checked = 0.0
        self.lock = threading.RLock()
        #: the connections
        self.peers: List[Connection] = []
        #: connections that broke the protocol
        self.refused = 0

    def wait(self, seconds: float) -> List[Connection]:
        """Waits up to so many seconds, and accepts connections. Returns those that there is
        something to receive from or that can be sent to."""
        events = self._selector.select(max(0.0, min(seconds, _TICK_S)))
        with self.lock:
            ready = [key.data for key, _ in events if key.data in self.peers]
            if any(key.data is None for key, _ in events):
                self._accept()
            now = time.monotonic()
            if now > self._checked + _TICK_S:
                self._checked = now
                for peer in [peer for peer in self.peers if peer not in ready]:
                    with self.guard(peer):
                        peer.check(now)
                        self.send(peer)
            return ready

    def send(self, peer: Connection,
             following: Callable[[], Optional[bytes]] = lambda: None) -> None:
        """Connection.flush(), and again as soon as the peer reads: wait() returns it then."""
        blocked = not peer.flush(following)
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if blocked else 0)
        if self._selector.get_key(peer.socket).events != events:
            self._selector.modify(peer.socket, events, peer)

    @contextlib.contextmanager
    def guard(self, peer: Connection) -> Iterator[None]:
        """Removes the peer if an OSError or ProtocolError occurs."""
        try:
            yield
        except BlockingIOError:
            pass
        except OSError:
            self.remove(peer)
        except zmtp.ProtocolError:
            self.refused += 1
            self.remove(peer)

    def remove(self, peer: Connection) -> None:
        """Closes a connection."""
        with self.lock:
            if peer in self.peers:
                self.peers.remove(peer)
                self._selector.unregister(peer.socket)
                peer.socket.close()

    def _accept(self):
        for _ in range(self._limit):
            try:
                sock, address = self._listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError:  # out of descriptors
                time.sleep(0.05)
                return
            if len(self.peers) >= self._limit and not self._make_place():
                sock.close()
                continue
            try:
                peer = Connection(sock, address[0], self._make_session(),
                                  memoryview(bytearray(_PEER_BYTES)), self._make_note())
            except OSError:  # it has gone
                sock.close()
                continue
            self.peers.append(peer)
            self._selector.register(sock, selectors.EVENT_READ, peer)
            with self.guard(peer):
                self.send(peer)

    def _make_place(self):
        """Closes a connection; returns False if all of them are to stay."""
        crowd = collections.Counter(peer.host for peer in self.peers)
        others = [peer for peer in self.peers if not self._keeps(peer)]
        if not others:
            return False
        most = max(crowd[peer.host] for peer in others)
        self.remove(random.choice([peer for peer in others if crowd[peer.host] == most]))
        return True

    def close(self) -> None:
        with self.lock:
            for peer in list(self.peers):
                self.remove(peer)
            self._selector.close()
            self._listener.close()


class Client:
    """A connection that this end opens, again and again whenever it is lost.

    host, port: of the peer. make_session(): a Session. buffer: memoryview of what is read at once.
    Raises OSError if there is no such host now; later it is tried again.

    `lock` is held while the connection is used or changes. One thread calls wait(), which alone
    opens and closes connections.
    """

    def __init__(self, host: str, port: int, make_session: Callable[[], zmtp.Session],
                 buffer: memoryview) -> None:
        resolve(host, port, socket.SOCK_STREAM)
        self._host, self._port = host, port
        self._make_session, self._buffer = make_session, buffer
        self._opening: Optional[socket.socket] = None
        self._until = 0.0  # end of its time to connect
        self._next = self._pause = 0.0
        self.lock = threading.RLock()
        #: the Connection, or None
        self.connection: Optional[Connection] = None

    def wait(self, seconds: float, write: bool = False,
             wake: Optional[socket.socket] = None) -> bool:
        """Waits up to so many seconds until there is something to receive, with `write` also until
        something can be sent, or until the socket `wake` can be read from; connects meanwhile.
        Returns whether there may be something to receive."""
        now = time.monotonic()
        if not self.connection and not self._opening:
            if now >= self._next:
                self._open(now)
            else:
                seconds = min(seconds, self._next - now)
        poll = select.poll()
        if wake:
            poll.register(wake, select.POLLIN)
        active = self.connection.socket if self.connection else self._opening
        if active and self._opening:
            poll.register(active, select.POLLOUT)
        elif active:
            poll.register(active, select.POLLIN | (select.POLLOUT if write else 0))
        events = dict(poll.poll(1000 * max(0.0, min(seconds, _TICK_S))))
        event = events.get(active.fileno(), 0) if active else 0
        if self._opening:
            self._finish(event)
        elif self.connection and not event & ~select.POLLOUT:
            with self.guard():
                self.connection.check(time.monotonic())
                self.connection.flush()
        elif self.connection:
            return True
        return False

    @contextlib.contextmanager
    def guard(self) -> Iterator[None]:
        """Holds the lock. Ends the connection if an OSError or ProtocolError occurs, to open
        another one."""
        with self.lock:
            try:
                yield
            except BlockingIOError:
                pass
            except (OSError, zmtp.ProtocolError):
                self._lose()

    def _open(self, now):
        with self.guard():
            family, address = resolve(self._host, self._port, socket.SOCK_STREAM)
            self._opening = socket.socket(family, socket.SOCK_STREAM)
            self._until = now + HANDSHAKE_S
            self._opening.setblocking(False)
            self._opening.connect(address)

    def _finish(self, event):
        if not event:
            if time.monotonic() > self._until:
                self._lose()
            return
        with self.guard():
            error = self._opening.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, "")
            # Without a listener, TCP may take the port itself for this end, and keep the peer from it.
            if self._opening.getsockname() == self._opening.getpeername():
                raise OSError(errno.ECONNREFUSED, "")
            self.connection = Connection(self._opening, self._host, self._make_session(),
                                         self._buffer)
            self._opening = None
            self.connection.flush()

    def _lose(self):
        if self.connection and self.connection.session.ready:
            self._pause = 0.0
        self.close()
        self._pause = min(max(_RETRY_S[0], 2 * self._pause), _RETRY_S[1])
        self._next = time.monotonic() + self._pause

    def close(self) -> None:
        with self.lock:
            for sock in (self.connection.socket if self.connection else None, self._opening):
                if sock:
                    sock.close()
            self.connection = self._opening = None
