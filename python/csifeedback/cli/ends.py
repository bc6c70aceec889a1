#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What csifeedback_ue and csifeedback_bs share: options, running, output."""

import argparse
import contextlib
import functools
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from .. import evaluation
from ..codecs import OpenCodec
from ..link.compact_frames import CHECKSUMS, CompactFrames
from ..link.flowgraph import unfinished
from ..link.parameters import ParameterError
from ..link.pilots import Pilots
from ..link.report_format import ReportFormat
from ..link.radio import Radio
from .common import print_json, to_json


def add_frame_arguments(parser: argparse.ArgumentParser) -> None:
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


def pilots(args: argparse.Namespace) -> Pilots:
    """The Pilots of add_frame_arguments()."""
    return Pilots(args.bandwidth, args.spacing, args.period, args.comb, args.cdm_frequency,
                  args.cdm_time, args.cell_id, args.slot)


def add_codec_arguments(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """Options of the codec, which both ends have to give alike. several: whether each UE may have a codec
    of its own, then --codec is needed."""
    group = parser.add_argument_group("codec, the same at both ends")
    group.add_argument("--codec", required=several, action="append" if several else "store",
                       metavar="[N=]MODEL[:DECODER[,..]]" if several else "MODEL[:DECODER[,..]]",
                       help="as in csifeedback_eval, for example cdl-c-300x8-klt; it fixes the "
                            "number of ports" + ("; N=: of UE number N, once for each" if several else ""))
    group.add_argument("--ratio", help="compression ratio (default: 1/8; with --quantizer entropy "
                                       "all values)")
    group.add_argument("--bits", type=int, default=6, metavar="B",
                       help="bits for each value of the codeword, 1 to 10 (default: 6)")
    group.add_argument("--quantizer", default="lloyd-max", choices=evaluation.REPORTS,
                       help="entropy: an entropy coder in place of a quantizer (default: lloyd-max)")
    group.add_argument("--budget", type=int, metavar="BITS",
                       help="of codecs with reports of their own, in place of these three, and with "
                            "--quantizer entropy, in place of --bits: most bits of a report "
                            "(default: as many as it can have)")


def codecs(texts: Sequence[str], ues: Sequence[int]) -> List[OpenCodec]:
    """The codec of each UE. texts: "N=CODEC" of UE number N, or "CODEC" of all others. ues: their numbers.
    Raises ValueError."""
    specs: Dict[Optional[int], str] = {}
    for text in texts:
        match = re.fullmatch(r"(\d+)=(.*)", text, re.DOTALL)
        ue, spec = (int(match[1]), match[2]) if match else (None, text)
        if ue is not None and ue not in ues:
            raise ParameterError("codec", f" {text}: there is no UE {ue}, allowed is "
                                 + ", ".join(map(str, ues)))
        if ue in specs:
            raise ParameterError("codec", f" {text}: " + ("is the second without the number of a UE"
                                                          if ue is None else f"UE {ue} has two codecs"))
        specs[ue] = spec
    opened: Dict[str, OpenCodec] = {}
    found = []
    for ue in ues:
        if ue not in specs and None not in specs:
            raise ParameterError("codec", f": UE {ue} has none, allowed is N=CODEC for each UE N, or one for "
                                 "all")
        spec = specs.get(ue, specs.get(None, ""))
        if spec not in opened:
            opened[spec] = evaluation.Codec(spec)
        found.append(opened[spec])
    return found


def report_format(args: argparse.Namespace) -> ReportFormat:
    """The ReportFormat of add_codec_arguments()."""
    ratio = args.ratio or ("" if args.quantizer == "entropy" else "1/8")
    return ReportFormat(ratio, args.quantizer, args.bits, args.budget)


def numbers(option: str, text: str, allowed: str) -> Tuple[int, ...]:
    """The numbers in a list with commas; option, allowed: for the error."""
    try:
        return tuple(int(n) for n in text.split(","))
    except ValueError:
        raise ValueError(f"--{option} is {text}, allowed is {allowed}") from None


def add_compact_arguments(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """Options of compact feedback frames, which both ends have to give alike. several: whether
    there may be several UEs."""
    group = parser.add_argument_group("compact feedback frames, the same at both ends")
    group.add_argument("--compact", nargs="?", const="", metavar="N[,N..]" if several else "N",
                       help="send 31 to 55 bits beside the report in place of 136: the number of a "
                            "configuration, 0 to 255, stands for UE, codec, model and bits. N: "
                            "this number" + (", one for each UE" if several else "")
                            + " (default: the number of the UE)")
    group.add_argument("--checksum", choices=list(CHECKSUMS), help="(default: crc24)")
    group.add_argument("--number-bits", type=int, metavar="N",
                       help="bits of the frame number that are sent, 8 to 10 (default: 10)")
    group.add_argument("--gain-bits", type=int, metavar="N",
                       help="bits of the gain in steps of 1/8 dB, 0 to 12; 0: it is always that of "
                            "--min-gain (default: 9)")
    group.add_argument("--min-gain", type=float, metavar="DB",
                       help="smallest gain that can be sent; CSI with another one is discarded "
                            "(default: -40: up to 23.875 dB with 9 bits)")
    group.add_argument("--residual-energy", action="store_true", default=None,
                       help="send the residual energy, 8 bits more, for encoders that report it")


def compact_frames(args: argparse.Namespace) -> Optional[CompactFrames]:
    """The CompactFrames of add_compact_arguments(), or None."""
    options = {"checksum": args.checksum, "number_bits": args.number_bits,
               "gain_bits": args.gain_bits, "min_gain_db": args.min_gain,
               "residual_energy": args.residual_energy}
    options = {name: value for name, value in options.items() if value is not None}
    if args.compact is None:
        for name in options:
            raise ParameterError(name, ": is for compact frames, give --compact as well")
        return None
    return CompactFrames(numbers("compact", args.compact, "numbers of 0 to 255, such as 1,2")
                         if args.compact else (), **options)


def add_run_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the end and the output."""
    parser.add_argument("--count", type=int, metavar="N", help="end after so many frames")
    parser.add_argument("--duration", type=float, metavar="S", help="end after so many seconds")
    parser.add_argument("--json", action="store_true",
                        help="a line of JSON a second on stdout instead of text")
    parser.add_argument("--pictures", action="store_true",
                        help="with --json: |H| and the spectrum too, for csifeedback_view")
    parser.add_argument("--view", action="store_true", help="show all in a window (csifeedback_view)")


def pictures(args: argparse.Namespace) -> bool:
    """Whether the options of add_run_arguments() ask for pictures."""
    return bool(args.view or (args.pictures and args.json))


def check_run_arguments(args: argparse.Namespace) -> None:
    for name in ("count", "duration"):
        value = getattr(args, name)
        if value is not None and not 0 < value < 1e12:
            raise ValueError(f"--{name} is {value:g}, allowed is more than 0")


def add_radio_arguments(parser: argparse.ArgumentParser) -> None:
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


def radio(args: argparse.Namespace) -> Radio:
    """The Radio of add_radio_arguments()."""
    return Radio(args.frequency, args.gain, args.antenna, args.clock_source, args.channels)


def option_names(**options: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Decorator of a program's main(): errors name the options, not the parameters of the library.

    options: parameter = option without dashes, where that is not the same.
    """
    options = {"bandwidth_mhz": "bandwidth", "spacing_khz": "spacing", "period_ms": "period",
               "min_gain_db": "min-gain",
               **options}

    def decorate(main):
        @functools.wraps(main)
        def call(argv):
            try:
                return main(argv)
            except ParameterError as error:
                name = options.get(error.name, error.name.replace("_", "-"))
                raise ValueError(f"--{name}{error.problem}") from None
        return call
    return decorate


class Stop:
    """What a threading.Event does, for signal handlers: these interrupt the main thread anywhere,
    also where it holds the lock that an Event has inside."""

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set

    def wait(self, seconds: float) -> bool:
        """Waits so long, or until it is set, which is found 20 times a second."""
        until = time.monotonic() + seconds
        while not self._set and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.05))
        return self._set


@contextlib.contextmanager
def signals() -> Iterator[Stop]:
    """A Stop that Ctrl-C and SIGTERM set. The second one ends the program at once."""
    stopped = Stop()

    def handle(*_):
        if stopped.is_set():
            os._exit(130)
        stopped.set()

    previous = {number: signal.signal(number, handle)
                for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class Window:
    """csifeedback_view as a process of its own: what is slow in it, or fails, is no matter of the end.
    Closes with the program."""

    def __init__(self) -> None:
        program = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "csifeedback_view")
        self._process = subprocess.Popen(
            [program, "--close", "--title", os.path.basename(sys.argv[0])], stdin=subprocess.PIPE, text=True)
        self._lines: "queue.Queue[str]" = queue.Queue(2)
        threading.Thread(target=self._write, daemon=True).start()

    def show(self, line: str) -> None:
        """Gives it a line of JSON, or leaves it out if the window is behind."""
        with contextlib.suppress(queue.Full):
            self._lines.put_nowait(line)

    def _write(self):
        with contextlib.suppress(OSError):  # it was closed
            while True:
                self._process.stdin.write(self._lines.get() + "\n")
                self._process.stdin.flush()


def run(end: Any, args: argparse.Namespace, describe: Callable[[Dict[str, Any], bool], str],
        **options: Any) -> None:
    """Runs a BaseStation or UserEquipment, and prints a line per second.

    describe(figures, last): the figures as text. options: of its run().
    """
    window = Window() if args.view else None

    def show(figures, last):
        line = {"time": time.time(), "end": last, **figures}
        if window:
            window.show(to_json(line, None))
        if args.json:
            print_json(line, None)
        else:
            print(describe(figures, last), flush=True)

    code = 0
    try:
        with signals() as stopped:
            end.run(show, duration=args.duration, stopped=stopped, **options)
    except (ValueError, OSError) as error:
        if not unfinished.is_set():
            raise
        print(f"{os.path.basename(sys.argv[0])}: {error}", file=sys.stderr)
        code = 2
    if unfinished.is_set():
        # All is written; what still runs would crash in an interpreter that is gone.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
