#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Peers that keep ZMTP's rules only as far as it hurts. SECURITY.md lists what they tried."""

import itertools
import socket
import struct
import threading
import time

GREETING = (b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"NULL".ljust(20, b"\0")).ljust(64, b"\0")
BLOCK = bytes(1 << 16)


def frame(body, flags=0):
    if len(body) > 255:
        return struct.pack(">BQ", flags | 2, len(body)) + body
    return bytes((flags, len(body))) + body


def command(name, data=b""):
    return frame(bytes((len(name),)) + name + data, 4)


def ready(kind):
    return command(b"READY", b"\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind)


def streams():
    """name -> function of a number from 0 on: the bytes that a peer sends next, after a proper
    handshake."""
    part = frame(BLOCK, 1)
    small = frame(bytes(200), 1) * 200
    large = struct.pack(">BQ", 2, 16 << 20)
    return {
        "multipart": lambda i: part,
        "multipart of small parts": lambda i: small,
        "messages of 16 MiB": lambda i: large if i % 257 == 0 else BLOCK,
        "one message without end": lambda i: struct.pack(">BQ", 2, 1 << 62) if i == 0 else BLOCK,
        "empty messages": lambda i: frame(b"") * 20000,
        "messages of random length": lambda i: frame(bytes(11 + i % 250)) * 200,
        "pings": lambda i: command(b"PING", bytes(18)) * 1000,
        "one long command": lambda i: struct.pack(">BQ", 6, 1 << 30) if i == 0 else BLOCK,
        "subscriptions": lambda i: b"".join(frame(b"\1" + struct.pack(">QQ", i, k) * 8)
                                            for k in range(500)),
        "subscription commands": lambda i: b"".join(
            command(b"SUBSCRIBE", struct.pack(">QQ", i, k) * 8) for k in range(500)),
        "long subscriptions": lambda i: frame(b"\1" + BLOCK),
        "no frames": lambda i: b"\xff" * 65536,
    }


def feed(sock, kind, stream, end, read=False):
    """Sends a stream until a time, or the other side closes the connection."""
    sock.settimeout(0.2)
    data, i = memoryview(GREETING + ready(kind)), 0
    while time.monotonic() < end:
        try:
            data = data[sock.send(data):]
            if read:
                sock.recv(1 << 16)
        except socket.timeout:
            continue
        except OSError:
            return
        if not data:
            data, i = memoryview(stream(i)), i + 1


def repeat(host, port, kind, stream, end):
    """Connects and feeds, again and again."""
    while time.monotonic() < end:
        try:
            with socket.create_connection((host, port), 1) as sock:
                feed(sock, kind, stream, end)
        except OSError:
            time.sleep(0.01)


def attack(host, port, kind, name, seconds, peers=4):
    """Peers that send the stream of this name to a listening port."""
    end = time.monotonic() + seconds
    threads = [threading.Thread(target=repeat, args=(host, port, kind, streams()[name], end))
               for _ in range(peers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def crowd(host, port, greeting, seconds, limit=400):
    """Connections without end, of which the last `limit` are kept; greeting: sent on each. Returns
    how many there were."""
    end, held = time.monotonic() + seconds, []
    count = 0
    while time.monotonic() < end:
        try:
            sock = socket.create_connection((host, port), 0.5)
            sock.sendall(greeting)
            held.append(sock)
            count += 1
        except OSError:
            time.sleep(0.001)
        if len(held) > limit:
            held.pop(0).close()
    for sock in held:
        sock.close()
    return count


class Listener:
    """A port whose peers get a stream instead of what they expect: a hostile base station."""

    def __init__(self, kind, name):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._kind, self._stream = kind, streams()[name]
        self._end = float("inf")
        self.accepted = 0
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._feed, args=(sock,), daemon=True).start()

    def _feed(self, sock):
        with sock:
            feed(sock, self._kind, self._stream, time.monotonic() + 60)

    def close(self):
        self._socket.close()


def names():
    return list(itertools.chain(streams()))
