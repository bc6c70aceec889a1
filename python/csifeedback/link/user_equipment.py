#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The user equipment: receives pilots, measures the channel and feeds it back."""

import copy
import json
import os
import threading
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import pmt
from gnuradio import blocks, gr

from .. import csifeedback_python as core
from .. import evaluation
from ..arrays import Array, array_attributes
from ..codecs import OpenCodec
from ..data import sigmf
from ..data.dataset import DatasetWriter
from ..pdus import guarded, read_pdu
from ..precoded import MeasurePrecoded
from . import messages
from .antennas import StackAntennas, SumOfGains, next_port
from .compact_frames import CompactFrames
from .flowgraph import RecordingSource, Runner, SampleSource, Watch, enlarge_buffer
from .parameters import ParameterError, check_range, refuse
from .pictures import Spectrum, matrix_db
from .pilots import Pilots, check_codec, period_s
from .radio import Radio
from .report_format import ReportFormat
from .transport import FeedbackSender, SampleReceiver, parse_address

#: Interpolators of the channel between pilots, by name.
INTERPOLATORS = {"linear": core.linear_interpolator, "dft": core.dft_interpolator,
                 "lmmse": core.lmmse_interpolator}
#: Matrices that are written to a data set at once.
_RECORD_BLOCK = 32
#: Samples that the source may be ahead.
_LONG_BUFFER = 1 << 17
#: frames of a recording without pilots in which those of its conjugate are looked for
_FRAMES_TRIED = 50
#: Gains of precoded pilots that make a report.
_REPORT_GAINS = 10


def _profile(flowgraph_blocks, processor_s, signal_s):
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
    """Takes the estimates: figures of them, and a data set if there is one to be written. Message
    port `pdus` (in): channel_estimator's.

    frame: csirs_frame. writer: DatasetWriter or None. several: whether the UE has several antennas, whose
    matrices add() takes. frames, missed: numbers of frames. frame: the last one's number, None before it.
    at: time.monotonic() then. h: the last one, complex64 (nc, nt), None before it. error: what ended the
    data set.
    """

    def __init__(self, frame: core.csirs_frame, writer: Optional[DatasetWriter] = None,
                 several: bool = False) -> None:
        gr.basic_block.__init__(self, "estimates", None, None)
        self._shape = (frame.nc(), frame.nt())
        self._writer, self._several = writer, several
        self._block: List[np.ndarray] = []
        self.frames = self.missed = 0
        self.frame: Optional[int] = None
        self.error: Optional[Exception] = None
        self.at = time.monotonic()
        self.h: Optional[np.ndarray] = None
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
        self.h = h.reshape(self._shape)
        self._snr += metadata["snr_db"]
        self._offset += metadata["offset_hz"]
        self._seen += 1
        if not self._several:
            self.add([self.h])

    def add(self, matrices: Sequence[np.ndarray]) -> None:
        """Adds matrices (nc, nt) of a frame to the data set, if there is one to be written."""
        if self._writer and not self.recorded:
            self._block.extend(matrices)
            if len(self._block) >= _RECORD_BLOCK:
                self.flush()

    def flush(self) -> None:
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
    def recorded(self) -> bool:
        """Whether the data set has all its matrices."""
        return self._writer is not None and \
            self._writer.done + len(self._block) >= self._writer.samples

    def means(self) -> Tuple[Optional[float], Optional[float]]:
        """(SNR in dB, carrier offset in Hz) since the last call, None without frames."""
        n, self._seen = self._seen, 0
        snr, self._snr = self._snr, 0.0
        offset, self._offset = self._offset, 0.0
        return (snr / n, offset / n) if n else (None, None)


class RecordAntennas(gr.sync_block):
    """Puts the matrices of StackAntennas into a data set, those of the antennas one behind the other.

    monitor: Monitor, which writes. nr, nc, nt: antennas, subcarriers, ports.
    """

    def __init__(self, monitor: Monitor, nr: int, nc: int, nt: int) -> None:
        gr.sync_block.__init__(self, "record antennas", [(np.complex64, nc * nr * nt)], None)
        self._monitor, self._shape = monitor, (nc, nr, nt)

    def work(self, input_items: List[np.ndarray], _: Any) -> int:
        for item in input_items[0]:
            self._monitor.add([h.copy() for h in item.reshape(self._shape).swapaxes(0, 1)])
        return len(input_items[0])


class Feedback(gr.basic_block):
    """Sends feedback frames. Message port `pdus` (in): feedback_framer's.

    sender: FeedbackSender.
    """

    def __init__(self, sender: FeedbackSender) -> None:
        gr.basic_block.__init__(self, "feedback", None, None)
        self._sender = sender
        self.message_port_register_in(pmt.intern("pdus"))
        self.set_msg_handler(pmt.intern("pdus"), self._handle)

    @guarded
    def _handle(self, message):
        pdu = read_pdu(message, np.uint8)
        if pdu is not None:
            self._sender.send(pdu[1].tobytes())


class Reports:
    """Collects the gains of precoded pilots, and reports their mean to the base station.

    sender: FeedbackSender, or None. ue_id: number of this UE. key: bytes to sign with, None: no
    signature.
    """

    def __init__(self, sender: Optional[FeedbackSender], ue_id: int, key: Optional[bytes] = None) -> None:
        self._sender, self._ue_id = sender, ue_id
        self._signer = core.feedback_signer(key) if key else None
        self._gains: List[float] = []
        self.shown: List[float] = []

    def found(self, frame: int, gain: float) -> None:
        """Takes a gain, a ratio of powers, and the number of its frame."""
        self._gains.append(gain)
        self.shown.append(gain)
        if len(self._gains) >= _REPORT_GAINS:
            message = messages.pack_report(self._ue_id, frame,
                                           float(np.mean(self._gains)))
            self._gains.clear()
            if self._signer:
                message += self._signer.sign(message, frame)
            if self._sender:
                self._sender.send(message)

    def mean(self) -> Optional[float]:
        """In dB since the last call, or None."""
        shown, self.shown = self.shown, []
        return evaluation.to_db(float(np.mean(shown))) if shown else None


@dataclass(frozen=True)
class MatrixRecording:
    """A data set of the measured matrices H.

    path: file name. samples: number of matrices, with the last of which the UE ends; 1 to 2^28, a multiple
    of the UE's antennas. na:
    delay rows that codecs are to keep, noted in the data set. precursor: rows of these before delay
    zero. overwrite: whether to replace a data set that is there.
    """

    path: str
    samples: int = 20000
    na: int = 32
    precursor: int = 8
    overwrite: bool = False

    def writer(self, frame: core.csirs_frame, interpolator: str, nr: int = 1,
               array: Optional[Array] = None) -> DatasetWriter:
        """The DatasetWriter. frame: csirs_frame. interpolator: its name. nr: antennas. array: of the ports,
        see ..arrays. Raises ValueError."""
        check_range("na", self.na, 1, frame.nc())
        check_range("precursor", self.precursor, 0, self.na - 1)
        check_range("record_samples", self.samples, 1, 1 << 28)
        if self.samples % nr:
            refuse("record_samples", self.samples, f"a multiple of the {nr} antennas")
        antennas = {"nr": nr} if nr > 1 else {}
        return DatasetWriter(self.path, self.samples, {
            "domain": "H", "nc": frame.nc(), "na": self.na, "nt": frame.nt(),
            "precursor": self.precursor, **array_attributes(array), "align": 1,
            "spacing_hz": frame.spacing_hz(),
            "sample_interval_s": period_s(frame), "channel": "measured",
            "parameters": json.dumps({"spacing_hz": frame.spacing_hz(),
                                      "interpolator": interpolator}),
            "command": f"csifeedback_ue --record FILE --ports {frame.nt()}"
                       + (f" --nr {nr}" if nr > 1 else ""), **antennas}, self.overwrite)


class UserEquipment:
    """A UE as a whole: samples -> csi_sync -> channel_estimator -> angular_delay ->
    csi_report_encoder -> report_framer -> socket.

    codec: evaluation.Codec, None: measures only, nt says for how many antenna ports, nr with how many
    antennas, 1 to 4. reports: ReportFormat. pilots: Pilots. All three as at the base station. address: where
    samples come from: zmq://HOST:PORT of a base station, file:PATH of a SigMF recording, uhd:ARGS, soapy:ARGS.
    feedback: zmq://HOST:PORT or udp://HOST:PORT of a base station, None: there is none. ue_id: 0 to
    65535. key: secret that feedback is signed with, None: it is not signed. compact: CompactFrames
    with at most the number of this UE, as at the base station; None: frames that name codec and
    model. interpolator: one of INTERPOLATORS. precoded: to measure the gain of this UE's precoded pilots,
    number of the first of them, 0 to 15: how many layers the UEs before it in the base station's list have;
    None: not. recording: MatrixRecording,
    or None. record_air: path of a SigMF recording of the received samples, or None. radio: Radio.
    profile: whether the last figures say how much time of a processor each block took. overwrite:
    whether record_air may replace a recording that is there. pictures: whether figures() has |H| as it
    was measured and the spectrum of the samples. air_channel: which channel of a recording with several
    is replayed, from 0; of a UE with several antennas, that of the first one.

    A UE with nr antennas has nr streams of samples: of a base station those of nr ports from PORT on, of a
    radio or a recording those of nr channels.

    Opens files and devices when it is made; run() begins to receive. Raises ValueError, and OSError
    for files.
    """

    def __init__(self, codec: Optional[OpenCodec] = None, reports: ReportFormat = ReportFormat(),
                 pilots: Pilots = Pilots(), *, nt: Optional[int] = None, nr: int = 1,
                 address: str = "zmq://127.0.0.1:5550",
                 feedback: Optional[str] = "zmq://127.0.0.1:5560", ue_id: int = 1,
                 key: Optional[bytes] = None, compact: Optional[CompactFrames] = None,
                 interpolator: str = "lmmse", precoded: Optional[int] = None,
                 recording: Optional[MatrixRecording] = None, record_air: Optional[str] = None,
                 radio: Radio = Radio(), profile: bool = False,
                 overwrite: bool = False, pictures: bool = False,
                 air_channel: Optional[int] = None) -> None:
        check_range("ue_id", ue_id, 0, 65535)
        if interpolator not in INTERPOLATORS:
            refuse("interpolator", interpolator, ", ".join(INTERPOLATORS))
        if precoded is not None:
            check_range("precoded", precoded, 0, 15)
        check_range("nr", nr, 1, 4)
        configuration = compact.configurations([ue_id])[0] if compact else None
        if profile:
            os.environ["GR_CONF_PERFCOUNTERS_ON"] = "True"
        self._profile, self._address, self._recording = profile, address, None
        self._air_channel = air_channel
        #: antennas
        self._nr = codec.nr if codec else nr
        parameters = self._make_source(address, pilots, codec.model.nt if codec else nt, codec,
                                       radio)
        frame = self.frame
        if codec:
            check_codec(codec, frame)
        if record_air:
            self._check_record_air(record_air)
        #: the FeedbackSender, or None
        self.sender = FeedbackSender(feedback) if codec and feedback else None
        #: the DatasetWriter, or None
        self.writer = recording.writer(frame, interpolator, self._nr, codec.array if codec else None) \
            if recording else None
        self._monitor = Monitor(frame, self.writer, self._nr > 1)
        self._recorder = sigmf.Recorder(
            record_air, frame, parameters, radio.frequency_hz,
            "pilots received by csifeedback_ue", self._nr, overwrite=overwrite) if record_air else None
        self._reports = Reports(self.sender, ue_id, key)
        measures: List[List[MeasurePrecoded]] = [[] for _ in range(self._nr)]
        if precoded is not None and codec and self._nr > 1:
            total = SumOfGains(self._reports.found)
            measures = [[MeasurePrecoded(frame, precoded + layer, total.add) for layer in range(max(codec.ranks))]
                        for _ in range(self._nr)]
        elif precoded is not None:
            measures[0] = [MeasurePrecoded(frame, precoded, self._reports.found)]
        self.flowgraph = self._connect(INTERPOLATORS[interpolator], measures)
        self._spectrum = Spectrum(self.flowgraph, self._sources[-1], frame.sample_rate()) \
            if pictures else None
        self._framer = self._connect_codec(codec, reports, ue_id, key, configuration) \
            if codec else None
        self._cpu = self._first_cpu = time.process_time()
        self._frames, self._seconds, self._samples = 0, 0.0, 0

    def _make_source(self, address, pilots, nt, codec, radio):
        """Makes the blocks of the samples and the csirs_frame; returns its parameters."""
        scheme, rest = parse_address("air", address, ("zmq", "file", "uhd", "soapy"))
        parameters = pilots.parameters(nt)
        if scheme == "file":
            recording = sigmf.Recording(rest, self._air_channel, self._nr)
            ports = recording.parameters.get("nt", nt)
            if ports != nt:
                raise ParameterError("air", f" {address}: was recorded with {ports} ports, "
                                     f"{'codec ' + codec.spec if codec else '--ports'} is for {nt}")
            self.frame = recording.frame(parameters)
            parameters.update(recording.parameters)
            self._sources, self._others = self._file_source(recording), []
            self._recording = recording
            return parameters
        self.frame = core.csirs_frame(**parameters)
        self._sources = [SampleSource(SampleReceiver(address)) if scheme == "zmq" else
                         radio.make("air", address, self.frame.sample_rate(), self._nr, False)]
        self._others = [SampleSource(SampleReceiver(next_port(rest, antenna)))
                        for antenna in range(1, self._nr)] if scheme == "zmq" else []
        return parameters

    @staticmethod
    def _file_source(recording):
        """Blocks, in a chain, that give the samples of a sigmf.Recording."""
        if recording.channels == 1 and recording.is_plain:
            if recording.datatype == "cf32_le":
                return [blocks.file_source(gr.sizeof_gr_complex, recording.data)]
            if recording.datatype == "ci16_le":
                return [blocks.file_source(gr.sizeof_short, recording.data),
                        blocks.interleaved_short_to_complex(False, False, 32768.0)]
        return [RecordingSource(recording)]

    def _hint(self):
        """Why there may be no pilots in the recording, or None: whether they are in its conjugate."""
        flowgraph, sync = gr.top_block("conjugate"), core.csi_sync(self.frame)
        # A few frames tell; at the end of a short recording there may be none that is whole.
        head = blocks.head(gr.sizeof_gr_complex, int(_FRAMES_TRIED * period_s(self.frame)
                                                     * self.frame.sample_rate()))
        sink = blocks.null_sink(sync.output_signature().sizeof_stream_item(0))
        one = copy.copy(self._recording)
        one.count = 1
        chain = [*self._file_source(one), head, blocks.conjugate_cc(), sync, sink]
        flowgraph.connect(*chain)
        flowgraph.run()
        return "there are pilots in the conjugate of the recording: its I and Q are swapped (try the " \
               "conjugate)" if sync.frames() else None

    def _check_record_air(self, path):
        data = sigmf.base(path) + ".sigmf-data"
        if self._address.startswith("file:") and os.path.exists(data) and \
                os.path.samefile(data, sigmf.base(self._address[5:]) + ".sigmf-data"):
            raise ParameterError("record_air", f" {path}: is what --air replays")

    def _connect(self, interpolator, measures):
        """The flowgraph up to the matrices H. measures: those of each antenna."""
        flowgraph, frame = gr.top_block("csifeedback_ue"), self.frame
        sink = self._recorder and self._recorder.sink
        # Those that samples and matrices flow through; connect() needs them to outlive it.
        self._blocks = [b for b in (*self._sources, *self._others, sink) if b]
        for one, next_ in zip(self._sources, self._sources[1:]):
            flowgraph.connect(one, next_)
        # A recording has the samples of several antennas by turns.
        turns = sink
        if sink and self._nr > 1:
            turns = blocks.interleave(gr.sizeof_gr_complex)
            flowgraph.connect(turns, sink)
        estimators = []
        for antenna in range(self._nr):
            # A radio has a stream for each antenna.
            source, port = (self._others[antenna - 1], 0) if antenna and self._others \
                else (self._sources[-1], antenna)
            if not port:
                enlarge_buffer(source, _LONG_BUFFER)
            sync = core.csi_sync(frame)
            estimators.append(core.channel_estimator(interpolator(frame)))
            flowgraph.connect((source, port), sync, estimators[-1])
            self._blocks += [sync, estimators[-1], *measures[antenna]]
            for measure in measures[antenna]:
                flowgraph.connect((source, port), measure)
                flowgraph.msg_connect(estimators[-1], "pdus", measure, "pdus")
            if sink:
                flowgraph.connect((source, port), (turns, antenna))
            if antenna == 0:
                self._sync = sync
        flowgraph.msg_connect(estimators[0], "pdus", self._monitor, "pdus")
        #: what has the matrices of all antennas
        self._estimator = estimators[0]
        if self._nr > 1:
            self._estimator = StackAntennas(self._nr, frame.nc(), frame.nt())
            for antenna, estimator in enumerate(estimators):
                flowgraph.connect(estimator, (self._estimator, antenna))
            self._blocks.append(self._estimator)
            if self.writer:
                record = RecordAntennas(self._monitor, self._nr, frame.nc(), frame.nt())
                flowgraph.connect(self._estimator, record)
                self._blocks.append(record)
        return flowgraph

    def _connect_codec(self, codec, reports, ue_id, key, configuration):
        """From the matrices to feedback; returns the framer."""
        flowgraph, frame, last = self.flowgraph, self.frame, self._estimator
        encoder = reports.encoder(codec)
        if codec.model.domain == "Ha":
            transform = core.angular_delay(
                core.csi_shape("Ha", codec.model.na, frame.nt(), frame.nc(),
                               codec.model.precursor, codec.array), True)
            flowgraph.connect(last, transform)
            last = transform
            self._blocks.append(transform)
        budget = reports.budget or 0
        report_encoder = core.csi_report_encoder(encoder, budget)
        framer = core.report_framer(encoder, ue_id, budget, key or b"", configuration)
        flowgraph.connect(last, report_encoder)
        for port in (0, 1):
            flowgraph.connect((report_encoder, port), (framer, port))
        self._blocks += [report_encoder, framer]
        if self.sender:
            self._feedback = Feedback(self.sender)
            flowgraph.msg_connect(framer, "pdus", self._feedback, "pdus")
        return framer

    def run(self, show: Callable[[Dict[str, Any], bool], None], count: Optional[int] = None,
            duration: Optional[float] = None, stopped: Optional[threading.Event] = None) -> None:
        """Receives until a recording ends, a data set is complete, for so many frames, or for a
        time.

        show(figures, last): called once per second and at the end with what figures() says. count:
        number of frames, None: no limit. duration: in s, above 0, None: no limit. stopped:
        threading.Event that ends it, None: none. Raises ValueError and OSError.
        """
        def show_figures(seconds, last):
            show(self.figures(seconds, last), last)
            if self._monitor.recorded or self._monitor.error or \
                    (self._recorder and self._recorder.failed()):
                runner.stopped.set()

        runner = Runner(self.flowgraph, show_figures,
                        Watch(self._blocks, lambda: self._sync.nitems_read(0)),
                        lambda: self._monitor.frames, count, duration, stopped)
        try:
            runner.run()
        finally:
            if self.writer:
                self.writer.close()
            if self.sender:
                self.sender.close()
            if self._recorder:
                self._recorder.close()
        if self._monitor.error:
            raise self._monitor.error
        if runner.ended and not self._address.startswith("file:"):
            raise ParameterError("air", f" {self._address}: the stream of samples ended")

    def samples(self) -> int:
        """How many samples have come."""
        return int(self._sync.nitems_read(0))

    def figures(self, seconds: float, last: bool) -> Dict[str, Any]:
        """Figures since the last call, as a dictionary; at the end those of the whole run.

        seconds: since the start. last: whether it is the end.
        """
        monitor, sync, sender = self._monitor, self._sync, self.sender
        samples, cpu = sync.nitems_read(0), time.process_time()
        rate = self.frame.sample_rate()
        if last:
            monitor.flush()
            new, passed, used = monitor.frames, seconds, cpu - self._first_cpu
            signal_s = samples / rate
        else:
            new, passed = monitor.frames - self._frames, seconds - self._seconds
            used, signal_s = cpu - self._cpu, (samples - self._samples) / rate
        self._frames, self._seconds = monitor.frames, seconds
        self._samples, self._cpu = samples, cpu
        snr, offset = monitor.means()
        figures = {
            "seconds": seconds, "frame": monitor.frame, "frames": monitor.frames,
            "frames_per_s": new / passed if passed else 0.0, "missed": monitor.missed,
            "silent_s": time.monotonic() - monitor.at, "snr_db": snr, "offset_hz": offset,
            "sync": {"unknown": sync.unknown(), "bad_headers": sync.bad_headers(),
                     "broken": sync.broken(), "bad_samples": sync.bad_samples(),
                     "bad_messages": getattr(self._sources[0], "refused", 0),
                     "late_messages": getattr(self._sources[0], "skipped", 0)},
            "precoded_db": self._reports.mean(),
            "signal_s": samples / rate, "real_time": signal_s / passed if passed else 0.0,
            # Signal processed in a second of one processor.
            "real_time_per_core": signal_s / used if used else 0.0,
            "sent": sender.sent if sender else 0, "discarded": sender.discarded if sender else 0,
            "frame_bits": self._framer.bits_sent() / self._framer.frames()
            if self._framer and self._framer.frames() else None,
            "not_framed": self._framer.discarded() if self._framer else 0,
            "recorded": self.writer.done if self.writer else 0}
        if self._spectrum:
            figures["spectrum"] = self._spectrum.figures()
            if monitor.h is not None:
                figures["matrices"] = {"frame": monitor.frame, "measured": matrix_db(monitor.h)}
        if last and not monitor.frames and self._recording:
            figures["hint"] = self._hint()
        if last and self._profile:
            figures["profile"] = _profile(self._blocks, used, signal_s)
        return figures
