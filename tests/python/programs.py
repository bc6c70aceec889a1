#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What the tests of csifeedback_ue and csifeedback_bs share: programs that run."""

import contextlib
import glob
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
import unittest

APPS = os.environ["CSIFEEDBACK_APPS"]
CODEC = "cdl-c-300x2-klt"


def free_port(kind=socket.SOCK_STREAM, count=1):
    """A port that nobody has, and that no connection of another program gets meanwhile; count: nor any of
    so many from it on."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        first, last = map(int, file.read().split())
    while True:
        port = random.randint(10000, 65000)
        if first < port + count and port <= last:
            continue
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for number in range(count):
                stack.enter_context(socket.socket(socket.AF_INET, kind)).bind(("127.0.0.1", port + number))
            return port


class End:
    """A program that runs, and the lines of JSON that it writes.

    prefix: command that begins it, for example `ip netns exec NAME`. env: its environment
    variables (default: those of this process). options: of Popen.
    """

    def __init__(self, program, *arguments, prefix=(), env=None, **options):
        self.lines = []
        self.begin = time.monotonic()
        self.process = subprocess.Popen(
            [*prefix, os.path.join(APPS, "csifeedback_" + program), *map(str, arguments), "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**(os.environ if env is None else env), "PYTHONFAULTHANDLER": "1"}, **options)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def memory_mb(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024

    def _threads(self):
        text = ""
        for task in sorted(glob.glob(f"/proc/{self.process.pid}/task/*")):
            for name in ("comm", "wchan", "syscall"):
                with contextlib.suppress(OSError), open(f"{task}/{name}") as file:
                    text += file.read().strip() + "; "
            text += "\n"
        return text

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self):
        """Waits for the end; exit code and stderr. Raises AssertionError with what the threads do
        if it does not come."""
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            threads = self._threads()
            self.process.send_signal(signal.SIGABRT)  # tells where Python is
            self.process.wait()
            raise AssertionError("the program does not end\n" + threads
                                 + self.process.stderr.read()) from None
        self._thread.join(60)
        error = self.process.stderr.read()
        self.process.stderr.close()
        self.process.stdout.close()
        return self.process.returncode, error


class EndsTest(unittest.TestCase):
    """Ends that run at most as long as the test."""

    def setUp(self):
        self.running = []
        self.addCleanup(lambda: [end.kill() for end in self.running
                                 if end.process.poll() is None])

    def start(self, program, *arguments, prefix=()):
        self.running.append(End(program, *arguments, prefix=prefix))
        return self.running[-1]


def wait_for(end, condition, seconds=60):
    """Waits for a line of an end, from now on, that meets a condition; the time it took. Raises
    AssertionError if none comes, or the program ends."""
    begin, seen = time.monotonic(), len(end.lines)
    while time.monotonic() < begin + seconds:
        if any(condition(line) for line in end.lines[seen:]):
            return time.monotonic() - begin
        if end.process.poll() is not None:
            raise AssertionError("the program ended")
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s; last: {end.lines[-1:]}")
