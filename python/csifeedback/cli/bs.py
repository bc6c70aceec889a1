#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_bs: sends pilots, takes the feedback of csifeedback_ue and precodes with it."""

import argparse
import collections
import hmac
import sys
import threading
import time

import numpy as np
import pmt
from gnuradio import blocks, channels, gr

from .. import csifeedback_python as core
from .. import evaluation, ofdm, sigmf
from ..channels import NAMES, make_channel, model_channel
from ..link import connections, messages, transport
from ..pdus import guarded, read_pdu
from ..precoded import SendPrecoded
from . import ends
from ..files import check_place
from .common import check_seed

#: Reasons to refuse a message: those of the frame format, and of the BS.
STATUS = tuple(name for name in core.frame_status.__members__ if name != "ok")
#: Samples in the buffers around a block in Python.
LONG_BUFFER = 1 << 14
REASONS = STATUS + ("bad_signature", "unknown_ue", "stale", "replayed", "not_finite",
                    "decoder_failed")


def parse(argv):
    parser = argparse.ArgumentParser(prog="csifeedback_bs", description=__doc__)
    parser.add_argument("--air", default="zmq://127.0.0.1:5550", metavar="ADDRESS",
                        help="where samples go: zmq://HOST:PORT of this machine (a second UE has "
                             "the next port), file:PATH for a SigMF recording of what the UE "
                             "receives, uhd:ARGS, soapy:ARGS (default: %(default)s)")
    parser.add_argument("--feedback", default="zmq://127.0.0.1:5560", metavar="ADDRESS",
                        help="where feedback comes: zmq://HOST:PORT or udp://HOST:PORT of this "
                             "machine (default: %(default)s)")
    parser.add_argument("--ue-id", default="1", metavar="N[,N..]",
                        help="numbers of the UEs; with zmq: the first has the port of --air, the "
                             "second the next, up to 4 (default: 1)")
    parser.add_argument("--max-age", type=int, default=100, metavar="FRAMES",
                        help="CSI older than that is refused, and not used, 0 to 32767 (default: "
                             "100)")
    parser.add_argument("--power", type=float, default=1, metavar="P",
                        help="mean power of a port's samples (default: 1; radios: 0.1 or less, so "
                             "that no peak is above 1)")
    parser.add_argument("--first", type=int, metavar="N",
                        help="number of the first frame (default: from the clock, so that a BS "
                             "that begins anew does not repeat numbers)")
    parser.add_argument("--downlink-snr", type=float, default=10, metavar="DB",
                        help="for the rate that several UEs get together (default: 10)")
    parser.add_argument("--precoded", action="store_true",
                        help="send a symbol with the precoder of each UE behind every frame, and "
                             "show the gain that csifeedback_ue --precoded measures")
    ends.add_codec_arguments(parser, True)
    parser.add_argument("--key", action="append", default=[], metavar="[N=]FILE",
                        help="the secret of UE number N, once for each UE: only feedback that is "
                             "signed with it is taken; a single UE needs no number")
    ends.add_frame_arguments(parser)
    ends.add_radio_arguments(parser)
    group = parser.add_argument_group("channel (zmq:, file:)")
    one = group.add_mutually_exclusive_group()
    one.add_argument("--channel", choices=NAMES,
                     help="channel model (default: the one that the codec was trained on)")
    one.add_argument("--dataset", metavar="FILE", help="replay the matrices H of a data set")
    group.add_argument("--snr", type=float, default=20, metavar="DB",
                       help="power of a port's samples over the noise; from 300 on no noise "
                            "(default: 20)")
    group.add_argument("--speed", type=float, default=1, metavar="MPS",
                       help="of the UEs (default: 1)")
    group.add_argument("--drop", type=int, default=200, metavar="FRAMES",
                       help="frames until a UE jumps to another place (default: 200)")
    group.add_argument("--offset-hz", type=float, default=0, metavar="HZ",
                       help="carrier offset of the UEs (default: 0)")
    group.add_argument("--offset-ppm", type=float, default=0, metavar="X",
                       help="sampling offset of the UEs (default: 0)")
    group.add_argument("--seed", type=int, default=1, help="of channels and noise (default: 1)")
    group.add_argument("--rate", type=float, default=1, metavar="X",
                       help="samples are sent at X times real time at most; 0: as fast as the "
                            "machine can, for file: (default: 1)")
    ends.add_run_arguments(parser)
    return parser.parse_args(argv)


class Truth(gr.basic_block):
    """The last true matrices of one UE that mimo_channel sent."""

    def __init__(self, shape, history):
        gr.basic_block.__init__(self, "truth", None, None)
        self._known = collections.OrderedDict()
        self._shape, self._history = shape, history
        self._lock = threading.Lock()
        self.message_port_register_in(pmt.intern("truth"))
        self.set_msg_handler(pmt.intern("truth"), self.take)

    @guarded
    def take(self, message):
        """Takes a PDU of H with the key frame; anything else is left out."""
        metadata, h = read_pdu(message, np.complex64) or ({}, None)
        frame = metadata.get("frame")
        if not isinstance(frame, int) or h.size != self._shape[0] * self._shape[1]:
            return
        with self._lock:
            self._known[frame] = h.reshape(self._shape)
            while len(self._known) > self._history:
                self._known.popitem(last=False)

    def newest(self):
        """The frame that is in the air, None before the first."""
        with self._lock:
            return next(reversed(self._known), None)

    def get(self, frame):
        """H of a frame, or None."""
        with self._lock:
            h = self._known.get(frame)
        return h if h is not None and h.any() else None


class UeState:
    """What the BS knows of one UE: its decoder's state, its CSI, its figures."""

    def __init__(self, decoder, transform):
        self.decoder = decoder
        self._transform = transform
        self.frame = None  # number of the CSI at hand
        self.reported = None  # that of the last report on precoded pilots
        self.residual_energy_db = None
        self.received = 0
        self._matrix = None
        self.reset()

    def reset(self):
        """Begins the figures anew."""
        self.count = 0
        self.ages = []
        self.nmse, self.rho, self.gain, self.heard = [], [], [], []

    def accept(self, frame, matrix, residual_energy_db, age):
        self.frame, self._matrix, self.residual_energy_db = frame, matrix, residual_energy_db
        self.received += 1
        self.count += 1
        self.ages.append(age)

    def h(self):
        """H of the CSI at hand, complex64 (nc, nt)."""
        return self._transform.inverse(self._matrix) if self._transform else self._matrix


class Cell:
    """The BS without its radio: from messages to CSI and precoders.

    Trusts nothing: a message becomes CSI only if checksum (and signature), model, quantizer and
    length are right, the UE is known, and the frame is newer than the last one of this UE, and at
    most max_age frames older than the one in the air.

    codec, size, quantizer: as at the UE. ues: their numbers. frame: csirs_frame. now: function
    that gives the number of the frame that is being sent. keys: a dictionary with the key of each
    UE, or None for feedback without signatures. truths: a Truth for each UE, or none.
    """

    def __init__(self, codec, size, quantizer, ues, frame, now, max_age=100, keys=None, truths=(),
                 downlink_snr_db=10):
        model = codec.model
        self._quantizer, self._now, self._max_age = quantizer, now, max_age
        self._keys = keys or {}
        self._shape = (frame.nc(), frame.nt())
        self._truths = dict(zip(ues, truths))
        self._snr = 10 ** (downlink_snr_db / 10)
        transform = core.angular_delay_transform(frame.nc(), frame.nt(), model.na,
                                                 model.precursor) if model.domain == "Ha" else None
        self.ues = {ue: UeState(codec.decoder(size), transform) for ue in ues}
        first = next(iter(self.ues.values())).decoder
        self._ids = (first.codec_id(), first.model_id())
        self._precoders = {}
        self._rates = []
        self._lock = threading.Lock()
        self._scored = dict.fromkeys(ues, 0.0)
        self._logger = gr.logger("csifeedback_bs")
        self._failing = False
        self.messages = 0
        self.refused = collections.Counter({reason: 0 for reason in REASONS})

    def receive(self, message):
        """Takes a message of any bytes. Returns the number of the UE whose CSI it is, or None if
        it was refused."""
        with self._lock:
            self.messages += 1
            if message[:1] == bytes([messages.REPORT]):
                reason, ue = self._take_report(message), None
            else:
                reason, ue = self._take(message)
            if reason:
                self.refused[reason] += 1
            elif ue is not None and self._truths:
                self._score(ue)
            return ue

    def _split(self, message):
        """The message without its signature, and that."""
        return (message[:-messages.TAG_BYTES], message[-messages.TAG_BYTES:]) if self._keys \
            else (message, None)

    def _number(self, low):
        """The number of a frame in the past: 16 bits tell the last 65536."""
        now = self._now()
        return now - (now - low) % 0x10000

    def _is_signed(self, ue, message, tag, number):
        return not self._keys or hmac.compare_digest(
            tag, messages.signature(self._keys[ue], message, number))

    def _take_report(self, message):
        message, tag = self._split(message)
        report = messages.unpack_report(message)
        if not report:
            return "bad_crc"
        ue, low, gain = report
        number = self._number(low)
        state = self.ues.get(ue)
        if state is None:
            return "unknown_ue"
        if not self._is_signed(ue, message, tag, number):
            return "bad_signature"
        if self._now() - number > self._max_age:
            return "stale"
        if state.reported is not None and number <= state.reported:
            return "replayed"
        state.reported = number
        state.heard.append(gain)
        return None

    def _take(self, message):
        message, tag = self._split(message)
        status, header, payload = core.unpack_frame(message)
        if status != core.frame_status.ok:
            return status.name, None
        q = self._quantizer
        if (header.codec_id, header.model_id) != self._ids:
            return "unknown_model", None
        if header.quantizer_type != q.type_id() or header.bits != q.bits():
            return "unknown_quantizer", None
        if not 1 <= header.code_size <= q.code_size():
            return "bad_code_size", None
        if len(payload) != (q.total_bits(header.code_size) + 7) // 8:
            return "bad_length", None
        number = self._number(header.frame_number)
        state = self.ues.get(header.ue_id)
        if state is None:
            return "unknown_ue", None
        if not self._is_signed(header.ue_id, message, tag, number):
            return "bad_signature", None
        if self._now() - number > self._max_age:
            return "stale", None
        if state.frame is not None and number <= state.frame:
            return "replayed", None
        s = q.dequantize(q.unpack(payload, header.code_size))
        try:
            matrix = state.decoder.decode(s, core.gain_from_code(header.gain))
        except core.CodecError as error:
            if not self._failing:  # once for several in a row
                self._logger.warn(f"discarding CSI that the decoder failed on: {error}")
            self._failing = True
            return "decoder_failed", None
        self._failing = False
        if not np.isfinite(matrix).all():
            return "not_finite", None
        residual_energy_db = core.residual_energy_from_code(header.residual_energy) \
            if header.version == 2 else None
        state.accept(number, matrix, residual_energy_db, self._age(number))
        return None, header.ue_id

    def _age(self, number):
        """Frames since this one was in the air."""
        newest = [truth.newest() for truth in self._truths.values()]
        return max(0, (newest[0] if newest and newest[0] is not None else self._now()) - number)

    def is_fresh(self, state):
        return state.frame is not None and self._now() - state.frame <= self._max_age

    def precoders(self):
        """(UEs with fresh CSI, weights complex64 (nc, K, nt)): maximum ratio for one UE, zero-
        forcing for several."""
        fresh = [ue for ue, state in self.ues.items() if self.is_fresh(state)]
        if not fresh:
            return fresh, None
        return fresh, self._precode([self.ues[ue].h() for ue in fresh])

    def maximum_ratio(self, ue):
        """Weights complex64 (nc, nt) for one UE, None without fresh CSI."""
        with self._lock:
            state = self.ues[ue]
            return self._precode([state.h()])[:, 0] if self.is_fresh(state) else None

    def _precode(self, matrices):
        users = len(matrices)
        if users not in self._precoders:
            self._precoders[users] = core.precoder(
                users, self._shape[1], "zero-forcing" if users > 1 else "maximum-ratio")
        return self._precoders[users].compute(np.stack(matrices, axis=1))

    def _score(self, ue):
        """Compares the CSI of a UE with the truth, at most 20 times a second."""
        if time.monotonic() < self._scored[ue] + 0.05:
            return
        self._scored[ue] = time.monotonic()
        state = self.ues[ue]
        truth = self._truths[ue].get(state.frame)
        if truth is not None:
            state.nmse.append(ofdm.aligned_nmse(state.h(), truth))
            state.rho.append(ofdm.rho(state.h(), truth))
        # What the precoders of the CSI at hand do in the channels of now.
        newest = self._truths[ue].newest()
        fresh, w = self.precoders()
        now = [self._truths[u].get(newest) for u in fresh]
        if not fresh or any(h is None for h in now):
            return
        for u, h, vectors in zip(fresh, now, np.moveaxis(w, 1, 0)):
            power = np.abs(np.sum(h * vectors, axis=1))**2
            self.ues[u].gain.append(np.mean(power) / np.mean(np.abs(h)**2))
        if len(fresh) > 1:
            self._rates.append([self._rate(now, w), self._rate(now, self._precode(now))])

    def _rate(self, matrices, w):
        """bit/s/Hz of all UEs together, docs/conventions.md."""
        h = np.stack(matrices, axis=1)
        h = h / np.sqrt(np.mean(np.abs(h)**2, axis=(0, 2), keepdims=True))
        power = np.abs(h @ np.swapaxes(w, 1, 2))**2 * self._snr / h.shape[1]
        own = np.einsum("kuu->ku", power)
        return float(np.mean(np.sum(np.log2(1 + own / (1 + power.sum(axis=2) - own)), axis=1)))

    def figures(self, seconds):
        """Figures since the last reset, as a dictionary."""
        with self._lock:
            ues = {}
            for ue, state in self.ues.items():
                def mean(values, decibel=True):
                    if not values:
                        return None
                    return evaluation.to_db(np.mean(values)) if decibel else float(np.mean(values))
                ues[ue] = {
                    "fresh": self.is_fresh(state), "received": state.received,
                    "per_s": state.count / seconds if seconds else 0.0, "frame": state.frame,
                    "age_now": None if state.frame is None else self._age(state.frame),
                    "age": mean(state.ages, False), "age_max": max(state.ages, default=None),
                    "residual_energy_db": state.residual_energy_db, "nmse_db": mean(state.nmse),
                    "rho": mean(state.rho, False), "gain_db": mean(state.gain),
                    "precoded_db": mean(state.heard)}
            rates = np.mean(self._rates, axis=0).tolist() if self._rates else None
            return {"frame": self._now(), "messages": self.messages,
                    "refused": {k: v for k, v in self.refused.items() if v},
                    "rate": rates and {"reconstructed": rates[0], "perfect": rates[1]},
                    "ues": ues}

    def reset(self):
        with self._lock:
            for state in self.ues.values():
                state.reset()
            self._rates.clear()


class Totals:
    """Means of the figures of all seconds, weighted by what each had."""

    def __init__(self):
        self._ues = collections.defaultdict(lambda: collections.defaultdict(list))

    def add(self, figures):
        for ue, values in figures["ues"].items():
            for name in ("age", "nmse_db", "rho", "gain_db", "precoded_db"):
                if values[name] is not None:
                    x = values[name]
                    self._ues[ue][name].append(10 ** (x / 10) if name.endswith("_db") else x)

    def apply(self, figures, seconds):
        for ue, values in figures["ues"].items():
            values["per_s"] = values["received"] / seconds if seconds else 0.0
            for name, some in self._ues[ue].items():
                mean = float(np.mean(some))
                values[name] = evaluation.to_db(mean) if name.endswith("_db") else mean


def describe(figures, period):
    """The figures as a line of text."""
    parts = []
    for ue, v in figures["ues"].items():
        if not v["fresh"]:
            parts.append(f"UE {ue}: no CSI" + ("" if v["frame"] is None else
                         f" for {(figures['frame'] - v['frame']) * period:.1f} s"))
            continue
        text = f"UE {ue}: {v['per_s']:.0f}/s"
        if v["age"] is not None:
            text += f", age {v['age']:.1f} frames ({1e3 * v['age'] * period:.0f} ms)"
        if v["nmse_db"] is not None:
            text += f", NMSE {v['nmse_db']:.1f} dB, rho {v['rho']:.3f}"
        if v["gain_db"] is not None:
            text += f", gain {v['gain_db']:.1f} dB"
        if v["precoded_db"] is not None:
            text += f", measured {v['precoded_db']:.1f} dB"
        if v["residual_energy_db"] is not None:
            text += f", residual energy {v['residual_energy_db']:.1f} dB"
        parts.append(text)
    text = f"frame {figures['frame']}; " + "; ".join(parts)
    if figures["rate"]:
        text += "; {reconstructed:.1f} of {perfect:.1f} bit/s/Hz".format(**figures["rate"])
    if figures["refused"]:
        text += "; refused " + ", ".join(f"{n} {k}" for k, n in figures["refused"].items())
    return text


def make_models(args, codec, frame, count):
    """A channel model for each UE."""
    if args.dataset:
        model = core.dataset_channel(args.dataset)
        if (model.nc(), model.nt()) != (frame.nc(), frame.nt()):
            raise ValueError(f"{args.dataset}: has matrices of {model.nc()} x {model.nt()}, the "
                             f"pilots are for {frame.nc()} x {frame.nt()}")
        return [model] * count
    if args.drop < 1:
        raise ValueError(f"--drop is {args.drop}, allowed is 1 or more")
    result = []
    for k in range(count):
        parameters = dict(nc=frame.nc(), nt=frame.nt(), spacing_hz=frame.spacing_hz(),
                          seed=args.seed + k, slots_per_drop=args.drop,
                          sample_interval_s=ends.period_s(frame), speed_mps=args.speed,
                          # Whatever the codec was trained on: delays do not jump in the air.
                          receiver_aligned=False)
        result.append(make_channel(args.channel, **parameters) if args.channel
                      else model_channel(codec.model, **parameters))
    return result


class Bs(gr.top_block):
    """The BS: csirs_source -> mimo_channel -> one stream a UE, or -> radio with nt channels."""

    def __init__(self, frame, first, count, sinks, channel=None, truths=(), impair=None,
                 rate=0.0, precoded=None):
        super().__init__("csifeedback_bs")
        self.source = core.csirs_source(frame, count, first)
        self._keep = (channel, truths, sinks, precoded)
        if precoded:
            ends.enlarge_buffer(self.source, LONG_BUFFER)
            ends.enlarge_buffer(precoded, LONG_BUFFER)
        for n in range(frame.nt()):
            chain = [(self.source, n), (channel or sinks[0], n)]
            if precoded:
                chain.insert(1, (precoded, n))
            self.connect(*chain)
        if not channel:
            return
        for k, sink in enumerate(sinks):
            chain = [(channel, k)]
            if impair:
                chain.append(impair())
            if rate:
                chain.append(blocks.throttle(gr.sizeof_gr_complex, rate))
            self.connect(*chain, sink)
            if truths:
                self.msg_connect(channel, f"truth{k}" if k else "truth", truths[k], "truth")


def make_sinks(args, frame, parameters, count):
    """Where each UE's samples go, or the radio as the only entry."""
    scheme, rest = transport.parse_address("--air", args.air, ("zmq", "file", "uhd", "soapy"))
    if scheme == "file":
        if count > 1:
            raise ValueError(f"--air {args.air}: records one UE, --ue-id has {count}")
        check_place(sigmf.base(rest) + ".sigmf-data")
        sigmf.write_meta(rest, frame, parameters, args.frequency, "pilots of csifeedback_bs")
        return [blocks.file_sink(gr.sizeof_gr_complex, sigmf.base(rest) + ".sigmf-data")]
    if scheme == "zmq":
        host, port = rest
        if port + count - 1 > 65535:
            raise ValueError(f"--air {args.air}: {count} UEs need ports up to {port + count - 1}, "
                             "allowed is 65535")
        return [ends.SampleSink(transport.SamplePublisher(f"--air zmq://{host}:{port + k}", host,
                                                          port + k)) for k in range(count)]
    return [ends.make_radio("--air", args.air, args, frame.sample_rate(), frame.nt(), True)]


def ue_numbers(text):
    try:
        ues = [int(n) for n in text.split(",")]
    except ValueError:
        ues = []
    if not ues or len(set(ues)) != len(ues) or not all(0 <= n <= 65535 for n in ues):
        raise ValueError(f"--ue-id is {text}, allowed are different numbers of 0 to 65535, such as "
                         "1,2")
    return ues


def main(argv):
    args = parse(argv)
    ends.check_run_arguments(args)
    ues = ue_numbers(args.ue_id)
    if not 0 <= args.max_age <= 32767:
        raise ValueError(f"--max-age is {args.max_age}, allowed is 0 to 32767")
    if not 0 <= args.rate <= 1000:
        raise ValueError(f"--rate is {args.rate:g}, allowed is 0 to 1000")
    check_seed("--seed", args.seed)
    codec = evaluation.Codec(args.codec)
    parameters = {**ends.frame_parameters(args, codec.model.nt), "power": args.power}
    frame = core.csirs_frame(**parameters)
    ends.check_codec(codec, frame)
    size = codec.code_size(args.ratio)
    quantizer = codec.quantizer(args.quantizer, size, args.bits)
    keys = messages.read_keys("--key", args.key, ues)
    scheme, rest = transport.parse_address("--feedback", args.feedback, ("zmq", "udp"))
    if not keys and not connections.is_local(rest[0]):
        print(f"--feedback {args.feedback}: without --key whoever reaches this port can pretend to be "
              "a UE", file=sys.stderr)
    period = ends.period_s(frame)
    # The same numbers never come twice, whenever a BS begins anew.
    first = int(time.time() / period) if args.first is None else args.first
    first %= 1 << 32
    is_radio = args.air.startswith(("uhd:", "soapy:"))
    channel = impair = None
    truths = []
    if not is_radio:
        if len(ues) > 4:
            raise ValueError(f"--ue-id has {len(ues)} UEs, allowed are 4 with a channel model")
        channel = core.mimo_channel(make_models(args, codec, frame, len(ues)), frame.sample_rate(),
                                    snr_db=args.snr, signal_power=args.power, seed=args.seed)
        truths = [Truth((frame.nc(), frame.nt()), args.max_age + 64) for _ in ues]
        if args.offset_hz or args.offset_ppm:
            def impair():
                return channels.channel_model(
                    frequency_offset=args.offset_hz / frame.sample_rate(),
                    epsilon=1 + 1e-6 * args.offset_ppm)
    precoded = SendPrecoded(frame, len(ues)) if args.precoded else None
    receiver = transport.FeedbackReceiver(args.feedback)
    sinks = make_sinks(args, frame, parameters, len(ues))
    flowgraph = Bs(frame, first, args.count or 0, sinks, channel, truths, impair,
                   args.rate * frame.sample_rate(), precoded)

    def now():
        return first + flowgraph.source.frames()

    cell = Cell(codec, size, quantizer, ues, frame, now, args.max_age, keys, truths,
                args.downlink_snr)
    totals = Totals()
    since = [0.0]

    def report(seconds, last):
        figures = cell.figures(seconds - since[0])
        since[0] = seconds
        cell.reset()
        totals.add(figures)
        if last:
            totals.apply(figures, seconds)
        return {"seconds": seconds, "frames": flowgraph.source.frames(), **figures}, \
            describe(figures, period)

    watch = ends.Watch([b for b in (flowgraph.source, precoded, channel, *sinks) if b],
                       lambda: flowgraph.source.nitems_written(0))
    runner = ends.Runner(flowgraph, args, lambda: 0, report, watch)

    def listen():
        while not runner.stopped.is_set():
            message = receiver.receive(0.2)
            ue = None if message is None else cell.receive(message)
            if ue is not None:
                receiver.accept()
            if not precoded:
                continue
            for index, number in enumerate(ues):
                if ue == number:
                    precoded.set_weights(index, cell.maximum_ratio(number))
                elif not cell.is_fresh(cell.ues[number]):
                    precoded.set_weights(index, None)
        receiver.close()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        runner.run()
    finally:
        runner.stopped.set()
        listener.join(2)
    return 0
