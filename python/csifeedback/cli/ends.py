#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What csifeedback_ue and csifeedback_bs share: options, addresses, feedback sockets, running."""

import contextlib
import json
import os
import signal
import threading
import time

import numpy as np
from gnuradio import gr

from .. import csifeedback_python as core
from .. import evaluation
from ..link.transport import MESSAGE_SAMPLES, parse_address
from .common import print_json

#: A block whose thread has ended is taken to have failed when nothing has flowed for so long.
FAILURE_S = 3


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


class SampleSource(gr.sync_block):
    """Samples of a SamplePublisher or a ZMQ PUB Sink. ZMQ SUB Source ends for good with the first
    message of a wrong length; here such a message is refused and counted.

    receiver: SampleReceiver, which ends with the block.
    """

    def __init__(self, receiver):
        gr.sync_block.__init__(self, "samples", None, [np.complex64])
        self._receiver = receiver

    @property
    def refused(self):
        """Messages that were no samples."""
        return self._receiver.refused

    @property
    def skipped(self):
        """Messages that were left out to catch up."""
        return self._receiver.skipped

    def work(self, _, output_items):
        # The scheduler waits for a moment after a call without output.
        return self._receiver.read(output_items[0], 0.25)

    def stop(self):
        self._receiver.close()
        return True


class SampleSink(gr.sync_block):
    """Sends samples to all who connect.

    publisher: SamplePublisher, which ends with the block.
    """

    def __init__(self, publisher):
        gr.sync_block.__init__(self, "publisher", [np.complex64], None)
        # A call costs as much as some thousand samples.
        self.set_output_multiple(MESSAGE_SAMPLES)
        self._publisher = publisher

    def work(self, input_items, _):
        self._publisher.publish(input_items[0])
        return len(input_items[0])

    def stop(self):
        self._publisher.close()
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
