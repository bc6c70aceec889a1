#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The connections between the ends: peers of libzmq, hostile ones, crowds, and bounded memory."""

import contextlib
import select
import socket
import threading
import time
import unittest

import hostile
import numpy as np
import zmq
from gnuradio.csifeedback.link import connections, transport, zmtp
from programs import CODEC, EndsTest, free_port, wait_for

#: Memory that either program may need for all hostile peers together: SECURITY.md.
BOUND_MB = 32


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def in_parallel(function, arguments):
    """Calls a function with each of the arguments, in threads."""
    threads = [threading.Thread(target=function, args=(argument,)) for argument in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class SessionTest(unittest.TestCase):
    """The protocol, byte by byte."""

    greeting = hostile.GREETING + hostile.ready(b"PUSH")

    def session(self, wants=lambda size: 5 <= size <= 70000, **options):
        return zmtp.Session(b"PULL", wants, **options)

    def messages(self, session, pieces):
        found, partial = [], b""
        for piece in pieces:
            for part, end in session.receive(piece):
                partial += part
                if end:
                    found.append(partial)
                    partial = b""
        return found

    def test_any_cut(self):
        """The same messages, wherever the stream is cut."""
        rng = np.random.default_rng(1)
        sent = [rng.bytes(n) for n in (5, 255, 256, 70000, 17)]
        stream = self.greeting + hostile.command(b"PING", b"\0\0abc") + \
            b"".join(map(hostile.frame, sent))
        for step in (1, 2, 3, 64, 1000, len(stream)):
            session = self.session()
            self.assertEqual(self.messages(session, [stream[i:i + step] for i in
                                                     range(0, len(stream), step)]), sent)
            self.assertTrue(session.ready)
            self.assertIn(hostile.command(b"PONG", b"abc"), bytes(session.outgoing))
        for cut in range(len(self.greeting) + 30):
            self.assertEqual(self.messages(self.session(), [stream[:cut], stream[cut:]]), sent)

    def test_skips(self):
        """Without `strict` bad messages are left out, and nothing of them is kept."""
        session = self.session(strict=False)
        stream = self.greeting + b"".join((
            hostile.frame(b"first"), hostile.frame(b"part of", 1), hostile.frame(b"the same"),
            hostile.frame(b""), hostile.frame(bytes(70001)), hostile.frame(b"second")))
        self.assertEqual(self.messages(session, [stream]), [b"first", b"second"])
        self.assertEqual(session.refused, 3)

    def test_empty(self):
        self.assertEqual(self.messages(self.session(lambda size: True),
                                       [self.greeting, hostile.frame(b""), hostile.frame(b"x")]),
                         [b"", b"x"])

    def test_refuses(self):
        good = self.greeting
        bad = {
            "another protocol": b"GET / HTTP/1.1\r\n" * 5,
            "ZMTP 2": b"\xff" + bytes(8) + b"\x7f\x01" + bytes(53),
            "another mechanism": good.replace(b"NULL", b"PLAIN"[:4]),
            "a partner that does not fit": hostile.GREETING + hostile.ready(b"SUB"),
            "no type": hostile.GREETING + hostile.command(b"READY"),
            "a cut READY": hostile.GREETING + hostile.command(
                b"READY", b"\x0bSocket-Type\0\0\0\x09PUSH"),
            "an error": hostile.GREETING + hostile.command(b"ERROR", b"\3bad"),
            "a message before READY": hostile.GREETING + hostile.frame(b"hello"),
            "a reserved flag": good + b"\x08\x05hello",
            "a command of several parts": good + b"\x05\x05\x04PING",
            "a length of 64 bits": good + b"\x02" + b"\xff" * 8,
            "a long command": good + b"\x06" + (1025).to_bytes(8, "big"),
            "several parts": good + hostile.frame(b"hello", 1),
            "too short": good + hostile.frame(b"hell"),
            "too long": good + b"\x02" + (70001).to_bytes(8, "big"),
            "too many commands": good + hostile.command(b"PING", bytes(2)) * 40,
            "too many unknown commands": good + hostile.command(b"") * 40,
        }
        for name, stream in bad.items():
            with self.subTest(name), self.assertRaises(zmtp.ProtocolError):
                self.messages(self.session(), [stream])

    def test_subscriptions(self):
        session = zmtp.Session(b"PUB", lambda size: size <= 256)
        start = hostile.GREETING + hostile.ready(b"SUB")
        for data, expected in (
                (start, 0), (hostile.frame(b"\1"), 1), (hostile.frame(b"\1topic"), 1),
                (hostile.command(b"SUBSCRIBE"), 2), (hostile.frame(b"\0"), 1),
                (hostile.command(b"CANCEL"), 0), (hostile.frame(b"\0"), 0),
                (hostile.frame(b""), 0)):
            self.messages(session, [data])
            self.assertEqual(session.subscriptions, expected)

    def test_fuzz(self):
        """Whatever comes, ProtocolError is the only exception, and little is kept."""
        rng = np.random.default_rng(2)
        good = self.greeting + hostile.frame(b"hello") + hostile.command(b"PING", bytes(5)) + \
            hostile.frame(bytes(300))
        ends = 0
        for i in range(20000):
            data = bytearray(good)
            for _ in range(rng.integers(1, 6)):
                at = rng.integers(len(data))
                if rng.integers(3):
                    data[at] = rng.integers(256)
                elif rng.integers(2):
                    del data[at:at + rng.integers(1, 20)]
                else:
                    data[at:at] = rng.bytes(rng.integers(1, 20))
            session = zmtp.Session((b"PULL", b"PUB", b"SUB", b"PUSH")[i % 4],
                                   lambda size: size < 100, strict=bool(i & 4))
            try:
                self.messages(session, [data[:len(data) // 2], data[len(data) // 2:]])
            except zmtp.ProtocolError:
                ends += 1
            self.assertLessEqual(len(session._kept), zmtp.MAX_COMMAND)
            self.assertLessEqual(len(session.outgoing), zmtp.MAX_REPLIES)
        self.assertGreater(ends, 5000)


class PeersTest(unittest.TestCase):
    """Sockets of libzmq at the other side."""

    def setUp(self):
        self.context = zmq.Context()
        self.addCleanup(self.context.destroy, 0)

    def socket(self, kind, **options):
        made = self.context.socket(kind)
        for name, value in options.items():
            made.setsockopt(getattr(zmq, name), value)
        made.setsockopt(zmq.RCVTIMEO, 5000)
        self.addCleanup(made.close)
        return made

    def test_push(self):
        """PUSH to FeedbackReceiver, with heartbeats and pauses that are longer than these."""
        port = free_port()
        receiver = transport.FeedbackReceiver(f"zmq://127.0.0.1:{port}")
        self.addCleanup(receiver.close)
        push = self.socket(zmq.PUSH, HEARTBEAT_IVL=300)
        push.connect(f"tcp://127.0.0.1:{port}")
        sent = [bytes([i]) * n for i, n in enumerate((11, 200, 255, 256, 5000, 1 << 16))]
        for message in sent:
            push.send(message)
        self.assertEqual([receiver.receive(5) for _ in sent], sent)
        self.assertIsNone(receiver.receive(5.5))
        push.send(sent[1])
        self.assertEqual(receiver.receive(5), sent[1])
        self.assertEqual(receiver.refused, 0)

    def test_pull(self):
        """FeedbackSender to PULL, which begins later and anew."""
        port = free_port()
        sender = transport.FeedbackSender(f"zmq://127.0.0.1:{port}")
        self.addCleanup(sender.close)
        sender.send(bytes(20))
        self.assertEqual((sender.sent, sender.discarded), (0, 1))
        for _ in range(2):
            with self.socket(zmq.PULL, LINGER=0) as pull:
                pull.bind(f"tcp://127.0.0.1:{port}")

                def arrives():
                    sender.send(b"x" * 300)
                    return pull.poll(20)

                self.assertTrue(wait_until(arrives))
                self.assertEqual(pull.recv(), b"x" * 300)
                time.sleep(5)  # longer than heartbeats
                while pull.poll(0):
                    pull.recv()
                sent = sender.sent
                sender.send(b"y" * 300)
                self.assertEqual(sender.sent, sent + 1)
                self.assertEqual(pull.recv(), b"y" * 300)
            self.assertTrue(wait_until(lambda: sender.send(bytes(20)) or sender.discarded > 5))

    def test_samples(self):
        """One SamplePublisher for SampleReceiver and SUB, and a PUB for SampleReceiver."""
        rng = np.random.default_rng(3)
        x = (rng.standard_normal(50000) + 1j * rng.standard_normal(50000)).astype(np.complex64)
        port = free_port()
        publisher = transport.SamplePublisher(f"zmq://127.0.0.1:{port}")
        self.addCleanup(publisher.close)
        sub = self.socket(zmq.SUB, SUBSCRIBE=b"", HEARTBEAT_IVL=300)
        sub.connect(f"tcp://127.0.0.1:{port}")
        topic = self.socket(zmq.SUB, SUBSCRIBE=b"topic", RCVTIMEO=200)
        topic.connect(f"tcp://127.0.0.1:{port}")
        pub = self.socket(zmq.PUB)
        other = pub.bind_to_random_port("tcp://127.0.0.1")
        receivers = [transport.SampleReceiver(f"zmq://127.0.0.1:{p}") for p in (port, other)]
        for receiver in receivers:
            self.addCleanup(receiver.close)
        for begin, end in ((0, 40000), (40000, 40001), (40001, 50000)):
            if begin < 40001:  # longer than heartbeats
                pause = time.monotonic() + 5.5 * (begin > 0) + 0.5
                while time.monotonic() < pause:
                    for receiver in receivers:
                        self.assertEqual(receiver.read(np.empty(8, np.complex64), 0.1), 0)
            publisher.publish(x[begin:end])
            pub.send(x[begin:end])
            for receiver in receivers:
                self.check(receiver, x[begin:end], rng)
            got = b""
            while len(got) < 8 * (end - begin):
                got += sub.recv()
            self.assertEqual(got, x[begin:end].tobytes())
        topic.setsockopt(zmq.RCVTIMEO, 100)
        with self.assertRaises(zmq.Again):
            topic.recv()

    def check(self, receiver, expected, rng):
        """Reads in pieces of any size."""
        found, end = [], time.monotonic() + 60
        while sum(map(len, found)) < len(expected):
            self.assertLess(time.monotonic(), end)
            part = np.empty(rng.integers(1, 9000), np.complex64)
            found.append(part[:receiver.read(part, 0.1)])
        np.testing.assert_array_equal(np.concatenate(found), expected)

    def test_begun_anew(self):
        """A receiver finds its publisher again, and a cut message costs no alignment."""
        port = free_port()
        receiver = transport.SampleReceiver(f"zmq://127.0.0.1:{port}")
        self.addCleanup(receiver.close)
        x = np.arange(5000).astype(np.complex64)
        for cut in (3, 8, 4003):
            with socket.create_server(("127.0.0.1", port)) as server:
                server.settimeout(60)
                sent = threading.Event()
                thread = threading.Thread(target=self.read, args=(receiver, cut // 8, sent))
                thread.start()
                peer, _ = server.accept()
                with peer:
                    peer.sendall(hostile.GREETING + hostile.ready(b"PUB")
                                 + hostile.frame(x.tobytes())[:9 + cut])
                sent.set()
                thread.join()
                self.assertEqual(self.found, cut // 8)
        publisher = transport.SamplePublisher(f"zmq://127.0.0.1:{port}")
        self.addCleanup(publisher.close)
        self.assertTrue(wait_until(lambda: receiver.read(np.empty(9, np.complex64), 0.1) or any(
            peer.session.subscriptions for peer in publisher._server.peers)))
        publisher.publish(x)
        self.check(receiver, x, np.random.default_rng(1))

    def read(self, receiver, expected, sent):
        """Reads until as many samples as expected have come, and what comes beyond them."""
        self.found, end = 0, time.monotonic() + 60
        while time.monotonic() < end and not (sent.is_set() and self.found >= expected):
            self.found += receiver.read(np.empty(100, np.complex64), 0.05)
        for _ in range(4):
            self.found += receiver.read(np.empty(100, np.complex64), 0.05)


class ClientTest(unittest.TestCase):

    def test_its_own_port(self):
        """A connection that TCP makes to its own port, as nobody listens there, is given up."""
        port = free_port()
        client = connections.Client("127.0.0.1", port,
                                    lambda: zmtp.Session(b"PUSH", lambda size: False),
                                    memoryview(bytearray(64)))
        self.addCleanup(client.close)
        own = client._opening = socket.socket()
        own.bind(("127.0.0.1", port))
        own.connect(("127.0.0.1", port))
        self.assertEqual(own.getsockname(), own.getpeername())
        client._finish(select.POLLOUT)
        self.assertIsNone(client.connection)
        self.assertEqual(own.fileno(), -1)


class CrowdTest(unittest.TestCase):
    """More connections than there is room for."""

    def send(self, receiver, sender):
        """Whether a message of this sender arrives; every genuine one is accepted."""
        end, name = time.monotonic() + 60, b"genuine %016x" % id(sender)
        while time.monotonic() < end:
            sender.send(name)
            message = receiver.receive(0.02)
            while message is not None:
                if message.startswith(b"genuine"):
                    receiver.accept()
                if message == name:
                    return True
                message = receiver.receive(0)
        return False

    def test_feedback(self):
        """A peer whose messages count stays, and a new one gets in, whatever crowd comes."""
        address = f"zmq://127.0.0.1:{free_port()}"
        port = int(address.rpartition(":")[2])
        for greeting in (b"", hostile.GREETING + hostile.ready(b"PUSH"),
                         hostile.GREETING + hostile.ready(b"PUSH") + hostile.frame(b"forged" * 9)):
            with contextlib.closing(transport.FeedbackReceiver(address)) as receiver, \
                    contextlib.closing(transport.FeedbackSender(address)) as old:
                self.assertTrue(self.send(receiver, old))
                # A peer that loses its place connects anew.
                place = old._sender._client.connection
                thread = threading.Thread(target=hostile.crowd,
                                          args=("127.0.0.1", port, greeting, 3))
                thread.start()
                end = time.monotonic() + 0.5
                while time.monotonic() < end:
                    receiver.receive(0.05)
                self.assertTrue(self.send(receiver, old))
                self.assertIs(old._sender._client.connection, place)
                with contextlib.closing(transport.FeedbackSender(address)) as new:
                    self.assertTrue(self.send(receiver, new))
                    other = new._sender._client.connection
                    self.assertTrue(self.send(receiver, old))
                    self.assertTrue(self.send(receiver, new))
                    self.assertIs(old._sender._client.connection, place)
                    self.assertIs(new._sender._client.connection, other)
                self.assertLessEqual(len(receiver._receiver._server.peers),
                                     transport.MAX_FEEDBACK_PEERS)
                thread.join()

    def test_hosts(self):
        """A crowd from one host does not cost another host its place."""
        note = iter(range(1000))
        server = connections.Server("127.0.0.1", free_port(),
                                    lambda: zmtp.Session(b"PULL", lambda size: True),
                                    lambda: next(note), 8, lambda peer: False, 4096, 4096)
        self.addCleanup(server.close)
        port = server._listener.getsockname()[1]
        sockets = [socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.2", 0))]
        self.assertTrue(wait_until(lambda: server.wait(0.01) or server.peers))
        for _ in range(100):
            sockets.append(socket.create_connection(("127.0.0.1", port)))
            server.wait(0.01)
        self.assertEqual(len(server.peers), 8)
        self.assertIn("127.0.0.2", [peer.host for peer in server.peers])
        for s in sockets:
            s.close()

    def test_flood(self):
        """A receiver that leaves late messages out comes back from a flood of bad ones."""
        listener = hostile.Listener(b"PUB", "multipart of small parts")
        self.addCleanup(listener.close)
        receiver = transport.SampleReceiver(f"zmq://127.0.0.1:{listener.port}")
        self.addCleanup(receiver.close)
        buffer = np.empty(1000, np.complex64)
        self.assertTrue(wait_until(lambda: receiver.read(buffer, 0.1) or receiver.refused))
        for _ in range(5):
            receiver._empty_at = float("-inf")
            begin = time.monotonic()
            self.assertEqual(receiver.read(buffer, 0.25), 0)
            self.assertLess(time.monotonic() - begin, 60)
        # All its parts are one message.
        self.assertEqual(receiver.refused, 1)

    def test_slow_subscribers(self):
        """Peers that do not read cost a bounded backlog, and the others lose nothing."""
        port = free_port()
        publisher = transport.SamplePublisher(f"zmq://127.0.0.1:{port}")
        self.addCleanup(publisher.close)
        receiver = transport.SampleReceiver(f"zmq://127.0.0.1:{port}")
        self.addCleanup(receiver.close)
        slow = []
        for _ in range(transport.MAX_SAMPLE_PEERS - 1):
            s = socket.create_connection(("127.0.0.1", port))
            self.addCleanup(s.close)
            s.sendall(hostile.GREETING + hostile.ready(b"SUB") + hostile.frame(b"\1"))
            slow.append(s)
        buffer = np.empty(1 << 17, np.complex64)
        self.assertTrue(wait_until(lambda: receiver.read(buffer, 0.01) or sum(
            p.session.subscriptions for p in publisher._server.peers) == len(slow) + 1))
        sent, got = 0, 0
        for _ in range(1000):
            publisher.publish(np.full(8192, 1 + 1j, np.complex64))
            sent += 8192
            while got < sent:
                n = receiver.read(buffer, 60)
                self.assertGreater(n, 0)
                got += n
        self.assertLessEqual(publisher._bytes, transport.MAX_BACKLOG)
        self.assertEqual(got, sent)


class HostileTest(EndsTest):
    """Memory and service of the programs among peers that do their worst. libzmq, which they had
    before, needed 1300 MB for 3 s of parts without end."""

    def grows(self, end, function):
        """How much memory a program takes at most while a function runs, in MB."""
        first, most, done = end.memory_mb(), [0.0], threading.Event()

        def watch():
            while not done.wait(0.02):
                most[0] = max(most[0], end.memory_mb() - first)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            function()
        finally:
            done.set()
            thread.join()
        return most[0]

    def test_base_station(self):
        air, back = free_port(), free_port()
        addresses = ("--air", f"zmq://127.0.0.1:{air}", "--feedback", f"zmq://127.0.0.1:{back}")
        station = self.start("bs", "--codec", CODEC, *addresses, "--rate", 0.25)
        ue = self.start("ue", "--codec", CODEC, *addresses)

        def served(line):
            return line["ues"]["1"]["fresh"] and line["ues"]["1"]["per_s"] > 10

        wait_for(station, served)
        time.sleep(2)
        kinds = {back: b"PUSH", air: b"SUB"}
        attacks = {name: lambda port, name=name: hostile.attack(
            "127.0.0.1", port, kinds[port], name, 1) for name in hostile.names()}
        for name, parts in (("silent", 0), ("greet", 2), ("subscribe", 3)):
            def crowd(port, parts=parts):
                greeting = [hostile.GREETING, hostile.ready(kinds[port]), hostile.frame(b"\1")]
                hostile.crowd("127.0.0.1", port, b"".join(greeting[:parts]), 1)

            attacks[name] = crowd
        first = station.memory_mb()
        for name, function in attacks.items():
            growth = self.grows(station, lambda: in_parallel(function, kinds))
            self.assertLess(growth, BOUND_MB, name)
            wait_for(station, served)
        self.assertLess(station.memory_mb() - first, BOUND_MB)
        # A UE that comes among them is served too.
        ue.kill()
        thread = threading.Thread(target=in_parallel, args=(
            lambda name: hostile.attack("127.0.0.1", back, b"PUSH", name, 6, 8),
            ("messages of random length", "multipart")))
        thread.start()
        wait_for(station, lambda line: not line["ues"]["1"]["fresh"])
        ue = self.start("ue", "--codec", CODEC, *addresses)
        wait_for(station, served)
        thread.join()
        for end in (ue, station):
            code, error = end.interrupt()
            self.assertEqual(code, 0, error)
            self.assertNotIn("Traceback", error)

    def test_user_equipment(self):
        """Base stations that send anything to either connection of a UE."""
        for name in hostile.names():
            air, back = hostile.Listener(b"PUB", name), hostile.Listener(b"PULL", name)
            ue = self.start("ue", "--codec", CODEC, "--air", f"zmq://127.0.0.1:{air.port}",
                            "--feedback", f"zmq://127.0.0.1:{back.port}")
            self.assertTrue(wait_until(lambda: air.accepted and back.accepted and ue.lines), name)
            self.assertLess(self.grows(ue, lambda: time.sleep(1)), BOUND_MB, name)
            code, error = ue.interrupt()
            # 1: not a single sample came. Some of them send what may be samples.
            self.assertEqual(code, 0 if ue.lines[-1]["signal_s"] else 1, error)
            self.assertNotIn("Traceback", error)
            air.close()
            back.close()


if __name__ == "__main__":
    unittest.main()
