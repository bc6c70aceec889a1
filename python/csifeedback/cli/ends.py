#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What csifeedback_ue and csifeedback_bs share: options, addresses, feedback sockets, running."""

import contextlib
import hashlib
import hmac
import json
import os
import re
import signal
import socket
import struct
import threading
import time
import zlib

import numpy as np
import zmq
from gnuradio import gr

from .. import csifeedback_python as core
from .. import evaluation
from .common import print_json

#: Largest message that is looked at, in bytes: no feedback frame comes near it.
LARGEST_MESSAGE = 1 << 16
#: Message of samples, likewise.
LARGEST_SAMPLES = 1 << 24
#: Messages that wait in a feedback socket at most.
QUEUE = 64
#: Samples that wait for a slow UE at most, in messages of some thousand.
AIR_QUEUE = 256
#: A queue of samples that has not been empty for so long is thrown away.
LONGEST_BACKLOG_S = 1
#: A block whose thread has ended is taken to have failed when nothing has flowed for so long.
FAILURE_S = 3
#: Bytes that --key adds to a feedback frame.
TAG_BYTES = 8
#: First byte of a report; a feedback frame begins with its version, 1 or 2, in four bits.
REPORT = 0xf0


def add_frame_arguments(parser):
    """Options of the pilots, which both ends have to give alike."""
    group = parser.add_argument_group("pilots, the same at both ends")
    group.add_argument("--bandwidth", type=int, default=5, metavar="MHZ",
                       help="NR carrier: 5, 10, 15, 20, 25, 30, 40, 50, ... (default: 5: 7.68 "
                            "Msample/s)")
    group.add_argument("--spacing", type=int, default=15, metavar="KHZ",
                       help="of subcarriers: 15, 30 or 60 (default: 15)")
    group.add_argument("--period", type=float, default=5, metavar="MS",
                       help="time from frame to frame in ms; 0: one after the other (default: 5)")
    group.add_argument("--comb", type=int, default=4, metavar="N",
                       help="port groups side by side in frequency (default: 4)")
    group.add_argument("--cdm-frequency", type=int, default=1, metavar="N",
                       help="subcarriers of a cover code: 1, 2 or 4 (default: 1)")
    group.add_argument("--cdm-time", type=int, default=2, metavar="N",
                       help="symbols of a cover code: 1, 2, 4 or 8 (default: 2)")
    group.add_argument("--cell-id", type=int, default=0, metavar="N", help="0 to 1023 (default: 0)")
    group.add_argument("--slot", type=int, default=0, metavar="N",
                       help="slot number of the pilot sequence (default: 0)")


def frame_parameters(args, nt):
    """Keyword arguments of csirs_frame."""
    if not 0 <= args.period <= 1000:
        raise ValueError(f"--period is {args.period:g}, allowed is 0 to 1000")
    parameters = {"nt": nt, **core.csirs_frame.preset(args.bandwidth, args.spacing),
                  "comb": args.comb, "cdm_frequency": args.cdm_frequency,
                  "cdm_time": args.cdm_time, "cell_id": args.cell_id, "slot": args.slot}
    if args.period:
        frame = core.csirs_frame(**parameters)
        gap = round(args.period * 1e-3 * frame.sample_rate()) - frame.frame_length()
        if gap < 0:
            raise ValueError(
                f"--period is {args.period:g}, the frame of {nt} ports is "
                f"{1e3 * frame.frame_length() / frame.sample_rate():.2f} ms long")
        parameters["gap"] = gap
    return parameters


def period_s(frame):
    """Time from frame to frame."""
    return frame.frame_length() / frame.sample_rate()


def add_codec_arguments(parser, required):
    """Options of the codec, which both ends have to give alike."""
    group = parser.add_argument_group("codec, the same at both ends")
    group.add_argument("--codec", required=required, metavar="MODEL[:DECODER[,..]]",
                       help="as in csifeedback_eval, for example cdl-c-300x8-klt; it fixes the "
                            "number of ports")
    group.add_argument("--ratio", default="1/8", help="compression ratio (default: 1/8)")
    group.add_argument("--bits", type=int, default=6, metavar="B",
                       help="bits for each value of the codeword, 1 to 10 (default: 6)")
    group.add_argument("--quantizer", default="lloyd-max", choices=evaluation.QUANTIZERS)
    group.add_argument("--key", metavar="FILE",
                       help="a secret of both ends: feedback frames are signed with it, and others "
                            "are refused")


def check_codec(codec, frame):
    """ValueError unless the codec fits the matrices that the pilots measure."""
    model = codec.model
    if model.nt != frame.nt():
        raise ValueError(f"codec {codec.spec} is for {model.nt} ports, the pilots are those of "
                         f"{frame.nt()} ({evaluation.trained_on(model)})")
    if model.domain == "H" and model.nc != frame.nc():
        raise ValueError(f"codec {codec.spec} is for {model.nc} subcarriers, the pilots have "
                         f"{frame.nc()} ({evaluation.trained_on(model)})")
    # Delay rows are 1 / bandwidth long: nothing else of a codec of Ha depends on nc.
    try:
        spacing = float(json.loads(model.text("parameters"))["spacing_hz"])
    except (ValueError, KeyError, TypeError):
        spacing = frame.spacing_hz() if model.nc != frame.nc() else 0
    bandwidth = frame.nc() * frame.spacing_hz()
    if spacing and not 0.9 < model.nc * spacing / bandwidth < 1.1:
        raise ValueError(f"codec {codec.spec} is for {model.nc * spacing / 1e6:g} MHz, the pilots "
                         f"have {bandwidth / 1e6:g} MHz ({evaluation.trained_on(model)})")


def read_key(path):
    """The secret in a file, None without one."""
    if path is None:
        return None
    with open(path, "rb") as file:
        key = file.read(1 << 16).strip()
    if len(key) < 16:
        raise ValueError(f"--key {path}: has {len(key)} bytes, at least 16 are needed")
    return key


def signature(key, message, number):
    """The bytes that sign a feedback frame: they know the whole number of the frame, of which
    the frame has 16 bits, so that none of an earlier round of the numbers passes."""
    return hmac.new(key, message + (number % (1 << 32)).to_bytes(4, "big"),
                    hashlib.sha256).digest()[:TAG_BYTES]


def pack_report(ue_id, frame, gain):
    """A message on the gain of precoded pilots, a ratio of powers: docs/ends.md."""
    body = struct.pack(">BHHH", REPORT, ue_id, frame % 0x10000,
                       core.gain_to_code(float(10 * np.log10(gain))))
    return body + struct.pack(">I", zlib.crc32(body))


def unpack_report(message):
    """(ue_id, 16 bits of the frame number, gain), or None if it is none."""
    if len(message) != 11 or zlib.crc32(message[:7]) != int.from_bytes(message[7:], "big"):
        return None
    kind, ue_id, frame, code = struct.unpack(">BHHH", message[:7])
    return (ue_id, frame, 10 ** (core.gain_from_code(code) / 10)) if kind == REPORT else None


def full_number(low, now):
    """The frame number of 16 bits that is nearest to a known number."""
    return now + (low - now + 0x8000) % 0x10000 - 0x8000


def add_run_arguments(parser):
    """Options of the end and the output."""
    parser.add_argument("--count", type=int, metavar="N", help="end after so many frames")
    parser.add_argument("--duration", type=float, metavar="S", help="end after so many seconds")
    parser.add_argument("--json", action="store_true",
                        help="a line of JSON a second on stdout instead of text")


def check_run_arguments(args):
    for name in ("count", "duration"):
        value = getattr(args, name)
        if value is not None and not 0 < value < 1e12:
            raise ValueError(f"--{name} is {value:g}, allowed is more than 0")


def add_radio_arguments(parser):
    """Options of uhd: and soapy:."""
    group = parser.add_argument_group("radio (uhd:, soapy:)")
    group.add_argument("--frequency", type=float, metavar="HZ", help="of the carrier")
    group.add_argument("--gain", type=float, metavar="DB", help="(default: the device's)")
    group.add_argument("--antenna", metavar="NAME",
                       help="of all channels, or one for each, with commas between them")
    group.add_argument("--clock-source", metavar="NAME",
                       help="for example external (default: the device's)")
    group.add_argument("--channels", metavar="N,N,..",
                       help="channels of the device (default: 0, 1, ..)")


def parse_address(option, text, schemes):
    """(scheme, rest), or (scheme, (host, port)) of zmq and udp."""
    scheme, colon, rest = text.partition(":")
    if not colon or scheme not in schemes:
        raise ValueError(f"{option} is {text}, allowed is " + ", ".join(
            f"{s}://HOST:PORT" if s in ("zmq", "udp") else f"{s}:PATH" if s == "file"
            else f"{s}:ARGS" for s in schemes))
    if scheme not in ("zmq", "udp"):
        if scheme == "file" and not rest:
            raise ValueError(f"{option} is {text}, expected a path behind file:")
        return scheme, rest
    match = re.fullmatch(r"//(\[[0-9a-fA-F:]+\]|[\w.*-]+):(\d{1,5})", rest)
    if not match or not 1 <= int(match[2]) <= 65535:
        raise ValueError(f"{option} is {text}, allowed is {scheme}://HOST:PORT with a port of 1 to "
                         "65535")
    return scheme, (match[1], int(match[2]))


def in_use(option, text, error):
    """The ValueError for an address that cannot be had."""
    return ValueError(f"{option} {text}: {str(error).lower()}; is another csifeedback_bs running?")


def connected_socket(kind, where, host, port, options):
    """A ZMQ socket to another program, which it finds again whenever that comes back."""
    made = zmq.Context.instance().socket(kind)
    for option, value in (*options, (zmq.LINGER, 0), (zmq.RECONNECT_IVL, 100),
                          (zmq.RECONNECT_IVL_MAX, 1000),
                          # Ends a connection over a link that is cut.
                          (zmq.HEARTBEAT_IVL, 1000), (zmq.HEARTBEAT_TIMEOUT, 3000)):
        made.setsockopt(option, value)
    try:
        made.connect(f"tcp://{host}:{port}")
    except zmq.ZMQError as error:
        raise ValueError(f"{where}: {error}") from None
    return made


class FeedbackSender:
    """Sends feedback frames over zmq://HOST:PORT or udp://HOST:PORT. Never waits: what cannot be
    sent now is dropped, since CSI does not get better by waiting."""

    def __init__(self, text):
        scheme, (host, port) = parse_address("--feedback", text, ("zmq", "udp"))
        self.sent = self.dropped = 0
        self._zmq = scheme == "zmq"
        if self._zmq:
            self._socket = connected_socket(zmq.PUSH, f"--feedback {text}", host, port,
                                            ((zmq.SNDHWM, QUEUE), (zmq.IMMEDIATE, 1)))
        else:
            try:
                family, _, _, _, address = socket.getaddrinfo(
                    host.strip("[]"), port, type=socket.SOCK_DGRAM)[0]
                self._socket = socket.socket(family, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
                self._socket.connect(address)
            except OSError as error:
                raise ValueError(f"--feedback {text}: {error.strerror}") from None

    def send(self, message):
        try:
            if self._zmq:
                self._socket.send(message, zmq.NOBLOCK)
            else:
                self._socket.send(message)
            self.sent += 1
        except (zmq.Again, OSError):  # nobody there, or a full queue
            self.dropped += 1

    def close(self):
        self._socket.close()


class FeedbackReceiver:
    """Receives what FeedbackSender sends: zmq://HOST:PORT or udp://HOST:PORT of this machine, *
    for all of its addresses."""

    def __init__(self, text):
        scheme, (host, port) = parse_address("--feedback", text, ("zmq", "udp"))
        self._zmq = scheme == "zmq"
        try:
            if self._zmq:
                self._socket = zmq.Context.instance().socket(zmq.PULL)
                self._socket.setsockopt(zmq.LINGER, 0)
                self._socket.setsockopt(zmq.RCVHWM, QUEUE)
                self._socket.setsockopt(zmq.MAXMSGSIZE, LARGEST_MESSAGE)
                self._socket.setsockopt(zmq.HEARTBEAT_IVL, 1000)
                self._socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 3000)
                self._socket.bind(f"tcp://{host}:{port}")
            else:
                family, _, _, _, address = socket.getaddrinfo(
                    "0.0.0.0" if host == "*" else host.strip("[]"), port,
                    type=socket.SOCK_DGRAM)[0]
                self._socket = socket.socket(family, socket.SOCK_DGRAM)
                self._socket.bind(address)
        except (zmq.ZMQError, OSError) as error:
            raise in_use("--feedback", text, error.strerror) from None

    def receive(self, seconds):
        """One message, or None if none came in this time."""
        if self._zmq:
            return self._socket.recv() if self._socket.poll(1000 * seconds) else None
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(LARGEST_MESSAGE)
        except (TimeoutError, BlockingIOError, ConnectionError):
            return None

    def close(self):
        self._socket.close()


class SampleSource(gr.sync_block):
    """Samples of a ZMQ PUB Sink. ZMQ SUB Source ends for good with the first message of a wrong
    length; here such a message is refused and counted."""

    def __init__(self, text, host, port):
        gr.sync_block.__init__(self, "samples", None, [np.complex64])
        self._socket = connected_socket(zmq.SUB, f"--air {text}", host, port,
                                        ((zmq.RCVHWM, AIR_QUEUE),
                                         (zmq.MAXMSGSIZE, LARGEST_SAMPLES), (zmq.SUBSCRIBE, b"")))
        self._rest = np.empty(0, np.complex64)
        self._empty_at = time.monotonic()
        #: messages that were no samples, and those that were left out to catch up
        self.refused = self.skipped = 0

    def work(self, _, output_items):
        out = output_items[0]
        while not self._rest.size:
            if not self._socket.poll(0):
                self._empty_at = time.monotonic()
                # The scheduler waits for a moment after a call without output.
                if not self._socket.poll(250):
                    return 0
            elif time.monotonic() > self._empty_at + LONGEST_BACKLOG_S:
                self._skip()
            message = self._socket.recv_multipart()
            if len(message) > 1 or len(message[0]) % 8:
                self.refused += 1
                if self.refused % 100 == 0:  # lets the flowgraph stop
                    return 0
            else:
                self._rest = np.frombuffer(message[0], np.complex64)
        n = min(len(out), self._rest.size)
        out[:n] = self._rest[:n]
        self._rest = self._rest[n:]
        return n

    def _skip(self):
        """Leaves out what waits: samples that are late give CSI that is old, for ever if this end
        is no faster than the other."""
        while self._socket.poll(0):
            self._socket.recv_multipart()
            self.skipped += 1
            if self.skipped % (4 * AIR_QUEUE) == 0:
                break
        self._empty_at = time.monotonic()

    def stop(self):
        self._socket.close()
        return True


@contextlib.contextmanager
def radio_errors(option, text):
    """Makes ValueErrors of what the drivers raise."""
    try:
        yield
    except ImportError as error:
        module = "gr-" + text.partition(":")[0]
        raise ValueError(f"{option} {text}: GNU Radio is without {module} ({error})") from None
    except (RuntimeError, LookupError, TypeError, ValueError) as error:
        # UHD's messages go over several lines.
        raise ValueError(f"{option} {text}: " + " ".join(str(error).split())) from None


def make_radio(option, text, args, rate, nt, transmit):
    """A source (transmit: a sink) block of UHD or SoapySDR."""
    scheme, device = parse_address(option, text, ("uhd", "soapy"))
    if not args.frequency or args.frequency <= 0:
        raise ValueError(f"{option} {text}: needs --frequency, the carrier in Hz")
    try:
        channels = [int(c) for c in args.channels.split(",")] if args.channels else list(range(nt))
    except ValueError:
        raise ValueError(f"--channels is {args.channels}, allowed are numbers such as 0,1"
                         ) from None
    antennas = args.antenna.split(",") if args.antenna else [None]
    antennas = antennas * nt if len(antennas) == 1 else antennas
    for name, values in (("channels", channels), ("antenna", antennas)):
        if len(values) != nt:
            raise ValueError(f"--{name} has {len(values)} entries, there are {nt} ports")
    with radio_errors(option, text):
        if scheme == "uhd":
            from gnuradio import uhd
            stream = uhd.stream_args(cpu_format="fc32", channels=channels)
            block = (uhd.usrp_sink if transmit else uhd.usrp_source)(device, stream)
            if args.clock_source:
                block.set_clock_source(args.clock_source)
                block.set_time_source(args.clock_source)
            block.set_samp_rate(rate)
            actual = block.get_samp_rate()
            if nt > 1:
                block.set_time_unknown_pps(uhd.time_spec(0.0))
        else:
            from gnuradio import soapy
            block = (soapy.sink if transmit else soapy.source)(
                device if "=" in device else f"driver={device}", "fc32", nt, "", "",
                [""] * nt, [""] * nt)
            if args.clock_source:
                block.set_clock_source(args.clock_source)
            channels = list(range(nt))
            for channel in channels:
                block.set_sample_rate(channel, rate)
            actual = block.get_sample_rate(0)
        if abs(actual / rate - 1) > 1e-5:
            raise ValueError(f"the device offers {actual / 1e6:g} Msample/s, the pilots need "
                             f"{rate / 1e6:g}")
        for number, antenna in enumerate(antennas):
            if scheme == "uhd":
                block.set_center_freq(args.frequency, number)
            else:
                block.set_frequency(number, args.frequency)
            if args.gain is not None:
                if scheme == "uhd":
                    block.set_gain(args.gain, number)
                else:
                    block.set_gain(number, args.gain)
            if antenna:
                block.set_antenna(*((antenna, number) if scheme == "uhd" else (number, antenna)))
    return block


def enlarge_buffer(block, samples):
    """Lets a block be so many samples ahead: blocks cost by the call, not by the sample."""
    block.set_log_level("warn")  # or it would tell
    block.set_min_output_buffer(samples)


class Watch:
    """Finds blocks that ended with an exception. GNU Radio logs it and ends the block's thread, but
    neither the flowgraph nor the blocks before and behind.

    blocks: those to look after. progress(): a number that grows as long as samples flow.
    """

    def __init__(self, blocks, progress):
        # GNU Radio names threads so, with a number at the end and cut to 15 letters.
        self._threads = {b.name()[:12]: b.name() for b in blocks}
        self._progress = progress
        self._last, self._at = None, time.monotonic()

    def failed(self):
        """Name of a block whose thread is gone although nothing has flowed for a while, or None. To
        be called while the flowgraph is not at its end."""
        now, progress = time.monotonic(), self._progress()
        if progress != self._last:
            self._last, self._at = progress, now
        if now < self._at + FAILURE_S:
            return None
        running = []
        for thread in os.listdir("/proc/self/task"):
            with contextlib.suppress(OSError), open(f"/proc/self/task/{thread}/comm") as file:
                running.append(file.read())
        return next((name for begin, name in self._threads.items()
                     if not any(thread.startswith(begin) for thread in running)), None)


class Runner:
    """Runs a flowgraph until its end, --count, --duration, Ctrl-C or SIGTERM.

    report(seconds, last): called once a second and at the end, with the time since the
    start; returns (a dictionary for --json, a line of text). watch: ends it if a block fails.
    """

    def __init__(self, flowgraph, args, frames, report, watch):
        self._flowgraph, self._args, self._frames, self._report = flowgraph, args, frames, report
        self._watch = watch
        self.stopped = threading.Event()
        #: whether the flowgraph came to its end by itself
        self.ended = False

    def _show(self, seconds, last):
        figures, text = self._report(seconds, last)
        if self._args.json:
            print_json({"time": time.time(), "end": last, **figures}, None)
        else:
            print(text, flush=True)

    def run(self):
        previous = {s: signal.signal(s, lambda *_: self.stopped.set())
                    for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            self._run()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _run(self):
        done = threading.Event()

        def wait():
            self._flowgraph.wait()
            done.set()

        start = time.monotonic()
        self._flowgraph.start()
        thread = threading.Thread(target=wait, daemon=True)
        thread.start()
        args, shown, failed = self._args, 0, None
        while not self.stopped.wait(0.05):
            seconds = time.monotonic() - start
            if done.is_set():
                self.ended = True
                break
            if (args.duration and seconds >= args.duration) or \
                    (args.count and self._frames() >= args.count):
                break
            if seconds >= shown + 1:
                shown = int(seconds)
                self._show(seconds, False)
                failed = self._watch.failed()
                # Threads are gone at a regular end too.
                if failed and not done.wait(0.5):
                    break
                failed = None
        self.stopped.set()
        self._flowgraph.stop()
        done.wait(5)
        self._show(time.monotonic() - start, True)
        if failed:
            raise ValueError(f"the block {failed} ended with an error, see GNU Radio's message "
                             "above")
