#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""csifeedback_ue: receives pilots, measures the channel and feeds it back to csifeedback_bs."""

import argparse
import json
import os
import time

import numpy as np
import pmt
from gnuradio import blocks, gr

from .. import csifeedback_python as core
from .. import evaluation, sigmf
from ..link import messages, transport
from ..pdus import guarded, read_pdu
from ..precoded import MeasurePrecoded
from ..dataset import DatasetWriter
from . import ends
from ..files import check_place
from .common import format_table

INTERPOLATORS = {"linear": core.linear_interpolator, "dft": core.dft_interpolator,
                 "lmmse": core.lmmse_interpolator}
#: Matrices that are written to a data set at once.
RECORD_BLOCK = 32
#: Samples that the source may be ahead.
LONG_BUFFER = 1 << 17
#: Gains of precoded pilots that make a report.
REPORT_GAINS = 10


def parse(argv):
    parser = argparse.ArgumentParser(prog="csifeedback_ue", description=__doc__)
    parser.add_argument("--air", default="zmq://127.0.0.1:5550", metavar="ADDRESS",
                        help="where samples come from: zmq://HOST:PORT of csifeedback_bs, "
                             "file:PATH of a SigMF recording, uhd:ARGS, soapy:ARGS (default: "
                             "%(default)s)")
    parser.add_argument("--feedback", default="zmq://127.0.0.1:5560", metavar="ADDRESS",
                        help="where feedback goes: zmq://HOST:PORT, udp://HOST:PORT or none "
                             "(default: %(default)s)")
    parser.add_argument("--ue-id", type=int, default=1, metavar="N", help="0 to 65535 (default: 1)")
    parser.add_argument("--interpolator", default="lmmse", choices=sorted(INTERPOLATORS),
                        help="(default: lmmse)")
    parser.add_argument("--precoded", type=int, nargs="?", const=0, metavar="I",
                        help="measure the precoded pilots of csifeedback_bs --precoded and report "
                             "their gain; I: place of this UE in --ue-id of the BS, 0 to 3 "
                             "(default: 0)")
    ends.add_codec_arguments(parser, False)
    parser.add_argument("--key", metavar="FILE",
                        help="the secret of this UE, which the BS knows: feedback is signed with it")
    ends.add_frame_arguments(parser)
    ends.add_radio_arguments(parser)
    group = parser.add_argument_group("recording")
    group.add_argument("--ports", type=int, metavar="N",
                       help="antenna ports of the BS, without a codec: measure, feed back nothing")
    group.add_argument("--record", metavar="FILE",
                       help="write the measured matrices H to a data set; the same command "
                            "continues one that was interrupted")
    group.add_argument("--record-samples", type=int, default=20000, metavar="N",
                       help="matrices of the data set; the program ends with the last one "
                            "(default: %(default)s)")
    group.add_argument("--na", type=int, default=32, metavar="N",
                       help="delay rows that codecs are to keep, noted in the data set (default: "
                            "%(default)s)")
    group.add_argument("--precursor", type=int, default=8, metavar="N",
                       help="rows of these before delay zero (default: %(default)s)")
    group.add_argument("--overwrite", action="store_true", help="replace a data set that is there")
    group.add_argument("--record-air", metavar="PATH",
                       help="write the received samples to PATH.sigmf-data and PATH.sigmf-meta")
    ends.add_run_arguments(parser)
    parser.add_argument("--profile", action="store_true",
                        help="say at the end how much time of a processor each block took (GNU "
                             "Radio's performance counters)")
    return parser.parse_args(argv)


def profile(flowgraph_blocks, processor_s, signal_s):
    """Where the time of processors went: a dictionary for each block and for the rest, which is
    messages, the scheduler and this program."""
    rows = []
    for block in flowgraph_blocks:
        seconds = getattr(block, "gateway", block).pc_work_time_total() * 1e-9
        rows.append({"block": block.name(), "processor_s": seconds})
    rows.append({"block": "rest", "processor_s": max(0.0, processor_s
                                                     - sum(r["processor_s"] for r in rows))})
    for row in rows:
        row["share"] = row["processor_s"] / processor_s
        row["real_time"] = signal_s / row["processor_s"] if row["processor_s"] else None
    return sorted(rows, key=lambda row: -row["processor_s"])


class Monitor(gr.basic_block):
    """Takes the estimates: figures of them, and a data set if there is one to be written.

    writer: DatasetWriter or None.
    """

    def __init__(self, frame, writer=None):
        gr.basic_block.__init__(self, "estimates", None, None)
        self._shape = (frame.nc(), frame.nt())
        self._writer, self._block = writer, []
        self.frames = self.missed = 0
        self.frame = None
        self.error = None
        self.at = time.monotonic()
        self._snr = self._offset = 0.0
        self._seen = 0
        self.message_port_register_in(pmt.intern("pdus"))
        self.set_msg_handler(pmt.intern("pdus"), self._handle)

    @guarded
    def _handle(self, message):
        metadata, h = read_pdu(message, np.complex64) or ({}, None)
        if h is None or h.size != self._shape[0] * self._shape[1] or not all(
                np.isfinite(metadata.get(name, np.nan)) for name in
                ("frame", "snr_db", "offset_hz")):
            return
        frame = metadata["frame"]
        # Beyond that the BS has begun anew.
        if self.frame is not None and 0 < frame - self.frame < 1000:
            self.missed += frame - self.frame - 1
        self.frame, self.at = frame, time.monotonic()
        self.frames += 1
        self._snr += metadata["snr_db"]
        self._offset += metadata["offset_hz"]
        self._seen += 1
        if self._writer and not self.recorded:
            self._block.append(h.reshape(self._shape))
            if len(self._block) >= RECORD_BLOCK:
                self.flush()

    def flush(self):
        """Writes what is left to the data set."""
        if not (self._writer and self._block):
            return
        block = self._block[:self._writer.samples - self._writer.done]
        self._block = []
        try:
            self._writer.append(np.stack(block))
        except (OSError, ValueError) as error:
            self.error, self._writer = error, None

    @property
    def recorded(self):
        """Whether the data set has all its matrices."""
        return bool(self._writer) and \
            self._writer.done + len(self._block) >= self._writer.samples

    def means(self):
        """(SNR in dB, carrier offset in Hz) since the last call, None without frames."""
        n, self._seen = self._seen, 0
        snr, self._snr = self._snr, 0.0
        offset, self._offset = self._offset, 0.0
        return (snr / n, offset / n) if n else (None, None)


class Feedback(gr.basic_block):
    """Sends the feedback frames that come as PDUs of bytes."""

    def __init__(self, sender, monitor, key=None):
        gr.basic_block.__init__(self, "feedback", None, None)
        self._sender, self._monitor, self._key = sender, monitor, key
        self.message_port_register_in(pmt.intern("pdus"))
        self.set_msg_handler(pmt.intern("pdus"), self._handle)

    @guarded
    def _handle(self, message):
        pdu = read_pdu(message, np.uint8)
        if pdu is None:
            return
        frame = pdu[1].tobytes()
        if self._key:
            low = int.from_bytes(frame[3:5], "big")
            number = messages.full_number(low, self._monitor.frame or 0)
            frame += messages.signature(self._key, frame, number)
        self._sender.send(frame)


class Reports:
    """Collects the gains of precoded pilots, and reports their mean to the BS."""

    def __init__(self, sender, ue_id, key=None):
        self._sender, self._ue_id, self._key = sender, ue_id, key
        self._gains, self.shown = [], []

    def found(self, frame, gain):
        self._gains.append(gain)
        self.shown.append(gain)
        if len(self._gains) >= REPORT_GAINS:
            message = messages.pack_report(self._ue_id, frame, np.mean(self._gains))
            self._gains.clear()
            if self._key:
                message += messages.signature(self._key, message, frame)
            if self._sender:
                self._sender.send(message)

    def mean(self):
        """In dB since the last call, or None."""
        shown, self.shown = self.shown, []
        return evaluation.to_db(np.mean(shown)) if shown else None


class Ue(gr.top_block):
    """The UE: samples -> csi_sync -> channel_estimator -> angular_delay -> csi_encoder ->
    csi_quantizer -> feedback_framer -> socket.

    source: block of received samples. codec: None: measures only.
    """

    def __init__(self, source, frame, interpolator, codec, size, quantizer, ue_id, monitor,
                 feedback, sink=None, precoded=None):
        super().__init__("csifeedback_ue")
        # In the order of the flow; connect() needs the blocks to outlive it.
        self.sync = core.csi_sync(frame)
        self.estimator = core.channel_estimator(interpolator)
        self.connect(source, self.sync, self.estimator)
        self.msg_connect(self.estimator, "pdus", monitor, "pdus")
        if sink:
            self.connect(source, sink)
        if precoded:
            self.connect(source, precoded)
            self.msg_connect(self.estimator, "pdus", precoded, "pdus")
        self._keep = (monitor, feedback, precoded)
        #: Those that samples and matrices flow through.
        self.blocks = [b for b in (self.sync, self.estimator, sink, precoded) if b]
        if not codec:
            return
        encoder = codec.encoder(size)
        self.encoder = core.csi_encoder(encoder)
        self.quantizer = core.csi_quantizer(quantizer)
        self.framer = core.feedback_framer(quantizer, encoder.codec_id(), encoder.model_id(), ue_id)
        if codec.model.domain == "Ha":
            self.transform = core.angular_delay(frame.nc(), frame.nt(), codec.model.na,
                                                codec.model.precursor, True)
            self.connect(self.estimator, self.transform, self.encoder)
            self.blocks.append(self.transform)
        else:
            self.connect(self.estimator, self.encoder)
        self.connect((self.encoder, 0), self.quantizer, (self.framer, 0))
        self.connect((self.encoder, 1), (self.framer, 1))
        if feedback:
            self.msg_connect(self.framer, "pdus", feedback, "pdus")
        self.blocks += [self.encoder, self.quantizer, self.framer]


def make_source(args, nt):
    """(blocks of the samples in their order, csirs_frame, its parameters)."""
    scheme, rest = transport.parse_address("--air", args.air, ("zmq", "file", "uhd", "soapy"))
    parameters = ends.frame_parameters(args, nt)
    if scheme == "file":
        recording = sigmf.Recording(rest)
        ports = recording.parameters.get("nt", nt)
        if ports != nt:
            raise ValueError(f"--air {args.air}: was recorded with {ports} ports, "
                             f"{'codec ' + args.codec if args.codec else '--ports'} is for {nt}")
        frame = recording.frame(parameters)
        parameters.update(recording.parameters)
        if recording.datatype == "cf32_le":
            return [blocks.file_source(gr.sizeof_gr_complex, recording.data)], frame, parameters
        return [blocks.file_source(gr.sizeof_short, recording.data),
                blocks.interleaved_short_to_complex(False, False, 32768.0)], frame, parameters
    frame = core.csirs_frame(**parameters)
    if scheme == "zmq":
        source = ends.SampleSource(transport.SampleReceiver(f"--air {args.air}", *rest))
        return [source], frame, parameters
    return [ends.make_radio("--air", args.air, args, frame.sample_rate(), 1, False)], frame, \
        parameters


def make_writer(args, frame):
    """The DatasetWriter that --record asks for, or None."""
    if not args.record:
        return None
    for name, low, high in (("na", 1, frame.nc()), ("precursor", 0, args.na - 1),
                            ("record_samples", 1, 1 << 28)):
        value = getattr(args, name)
        if not low <= value <= high:
            raise ValueError(f"--{name.replace('_', '-')} is {value}, allowed is {low} to {high}")
    return DatasetWriter(args.record, args.record_samples, {
        "domain": "H", "nc": frame.nc(), "na": args.na, "nt": frame.nt(),
        "precursor": args.precursor, "align": 1, "spacing_hz": frame.spacing_hz(),
        "sample_interval_s": ends.period_s(frame), "channel": "measured",
        "parameters": json.dumps({"spacing_hz": frame.spacing_hz(),
                                  "interpolator": args.interpolator}),
        "command": f"csifeedback_ue --record FILE --ports {frame.nt()}"}, args.overwrite)


def main(argv):
    args = parse(argv)
    ends.check_run_arguments(args)
    if not 0 <= args.ue_id <= 65535:
        raise ValueError(f"--ue-id is {args.ue_id}, allowed is 0 to 65535")
    if bool(args.codec) == (args.ports is not None):
        raise ValueError("give either --codec, or --ports to measure without feedback")
    codec = evaluation.Codec(args.codec) if args.codec else None
    sources, frame, parameters = make_source(args, codec.model.nt if codec else args.ports)
    size = quantizer = None
    if codec:
        ends.check_codec(codec, frame)
        size = codec.code_size(args.ratio)
        quantizer = codec.quantizer(args.quantizer, size, args.bits)
    key = messages.read_key(f"--key {args.key}", args.key) if args.key else None
    if args.profile:
        os.environ["GR_CONF_PERFCOUNTERS_ON"] = "True"
    if args.record_air:
        data = sigmf.base(args.record_air) + ".sigmf-data"
        check_place(data)
        if args.air.startswith("file:") and os.path.exists(data) and \
                os.path.samefile(data, sigmf.base(args.air[5:]) + ".sigmf-data"):
            raise ValueError(f"--record-air {args.record_air}: is what --air replays")
    sender = transport.FeedbackSender(args.feedback) if codec and args.feedback != "none" else None
    writer = make_writer(args, frame)
    monitor = Monitor(frame, writer)
    feedback = Feedback(sender, monitor, key) if sender else None
    sink = None
    if args.record_air:
        sigmf.write_meta(args.record_air, frame, parameters, args.frequency,
                         "pilots received by csifeedback_ue")
        sink = blocks.file_sink(gr.sizeof_gr_complex,
                                sigmf.base(args.record_air) + ".sigmf-data")
    reports = Reports(sender, args.ue_id, key)
    precoded = None
    if args.precoded is not None:
        if not 0 <= args.precoded <= 3:
            raise ValueError(f"--precoded is {args.precoded}, allowed is 0 to 3")
        precoded = MeasurePrecoded(frame, args.precoded, reports.found)
    flowgraph = Ue(sources[-1], frame, INTERPOLATORS[args.interpolator](frame), codec, size,
                   quantizer, args.ue_id, monitor, feedback, sink, precoded)
    ends.enlarge_buffer(sources[-1], LONG_BUFFER)
    if len(sources) > 1:
        flowgraph.connect(*sources)
    rate = frame.sample_rate()
    state = {"frames": 0, "seconds": 0.0, "cpu": time.process_time(), "samples": 0}

    def report(seconds, last):
        sync = flowgraph.sync
        samples = sync.nitems_read(0)
        cpu = time.process_time()
        if last:  # the whole run
            monitor.flush()
            new, passed, used = monitor.frames, seconds, cpu - first_cpu
            signal = samples / rate
        else:
            new, passed = monitor.frames - state["frames"], seconds - state["seconds"]
            used, signal = cpu - state["cpu"], (samples - state["samples"]) / rate
        state.update(frames=monitor.frames, seconds=seconds, cpu=cpu, samples=samples)
        snr, offset = monitor.means()
        heard = reports.mean()
        refused = {"unknown": sync.unknown(), "bad_headers": sync.bad_headers(),
                   "broken": sync.broken(), "bad_samples": sync.bad_samples(),
                   "bad_messages": getattr(sources[0], "refused", 0),
                   "late_messages": getattr(sources[0], "skipped", 0)}
        figures = {
            "seconds": seconds, "frame": monitor.frame, "frames": monitor.frames,
            "frames_per_s": new / passed if passed else 0.0, "missed": monitor.missed,
            "snr_db": snr, "offset_hz": offset, "sync": refused,
            "precoded_db": heard,
            "signal_s": samples / rate, "real_time": signal / passed if passed else 0.0,
            # Signal processed in a second of one processor.
            "real_time_per_core": signal / used if used else 0.0,
            "sent": sender.sent if sender else 0, "discarded": sender.discarded if sender else 0,
            "recorded": writer.done if writer else 0}
        silent = time.monotonic() - monitor.at
        if monitor.frame is None or (silent > 1 and not last):
            text = f"no pilots for {silent:.0f} s"
            if samples == 0:
                text += ", no samples"
        else:
            text = f"frame {monitor.frame}, {figures['frames_per_s']:.0f}/s"
            if snr is not None:
                text += f", SNR {snr:.1f} dB, carrier offset {offset:.0f} Hz"
        if heard is not None:
            text += f", precoded gain {heard:.1f} dB"
        text += f", missed {monitor.missed}"
        wrong = {name: n for name, n in refused.items() if n}
        if wrong:
            text += ", refused " + ", ".join(f"{n} {name}" for name, n in wrong.items())
        if sender:
            text += f"; {sender.sent} sent" + (f", {sender.discarded} discarded: no BS"
                                               if sender.discarded else "")
        if writer:
            text += f"; {writer.done} of {writer.samples} recorded"
        text += (f"; {figures['real_time']:.2f} of real time, "
                 f"{figures['real_time_per_core']:.2f} per core")
        if monitor.recorded or monitor.error:
            runner.stopped.set()
        if last and args.profile:
            figures["profile"] = rows = profile(all_blocks, used, signal)
            text += "\n\n" + format_table(
                ("block", "processor s", "%", "times real time"),
                [(r["block"], f"{r['processor_s']:.2f}", f"{100 * r['share']:.0f}",
                  f"{r['real_time']:.1f}" if r["real_time"] else "-") for r in rows])
        return figures, text

    first_cpu = time.process_time()
    all_blocks = [*sources, *flowgraph.blocks]
    watch = ends.Watch(all_blocks, lambda: flowgraph.sync.nitems_read(0))
    runner = ends.Runner(flowgraph, args, lambda: monitor.frames, report, watch)
    try:
        runner.run()
    finally:
        if writer:
            writer.close()
        if sender:
            sender.close()
    if monitor.error:
        raise monitor.error
    if runner.ended and not args.air.startswith("file:"):
        raise ValueError(f"--air {args.air}: the stream of samples ended")
    return 0
