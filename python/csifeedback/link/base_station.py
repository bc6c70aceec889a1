#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The base station: sends pilots, takes feedback of UEs for what it is worth, and precodes with
it."""

import collections
import threading
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
import pmt
from gnuradio import blocks, channels, gr

from .. import csifeedback_python as core
from .. import downlink, evaluation, layers, ofdm
from ..codecs import QUANTIZERS, OpenCodec
from ..data import sigmf
from ..data.dataset import Dataset
from ..channels import make_channel, model_channel
from ..pdus import guarded, read_pdu
from ..precoded import SendPrecoded
from . import messages
from .antennas import array_of, channels_of, codec_of_each
from .compact_frames import CompactFrames
from .flowgraph import Runner, SampleSink, Watch, enlarge_buffer, unfinished
from .parameters import ParameterError, check_range, refuse
from .pictures import matrix_db
from .pilots import Pilots, check_codec, period_s
from .radio import Radio
from .report_format import ReportFormat
from .transport import FeedbackReceiver, SamplePublisher, parse_address

#: Reasons to refuse a message: those of core.feedback_receiver, and of decoders.
REASONS = tuple(name for name in core.frame_status.__members__ if name != "ok") + (
    "not_finite", "decoder_failed")
#: UEs with a channel model at most.
MAX_SIMULATED_UES = 4
#: Samples in the buffers around a block in Python.
_LONG_BUFFER = 1 << 14


def _kind(quantizer: int, bits: int) -> str:
    """What the fields of a frame's header mean."""
    if quantizer < len(QUANTIZERS):
        return f"quantizer {QUANTIZERS[quantizer]} of {bits} bits"
    return f"reports of type {quantizer}"


def truth_port(number: int) -> str:
    """The message port of mimo_channel with the true matrices of its receiving antenna `number`."""
    return f"truth{number}" if number else "truth"


class Truth(gr.basic_block):
    """The last true matrices of one UE that mimo_channel sent. Message port `truth` (in), of a UE with nr
    antennas also `truth1` to `truth{nr - 1}`.

    shape: (nc nr, nt), row k nr + a is antenna a on subcarrier k. history: how many frames are known.
    """

    def __init__(self, shape: Tuple[int, int], history: int, nr: int = 1) -> None:
        gr.basic_block.__init__(self, "truth", None, None)
        self._known: Dict[int, np.ndarray] = collections.OrderedDict()
        self._parts: Dict[int, Dict[int, np.ndarray]] = collections.OrderedDict()
        self._shape, self._history, self._nr = shape, history, nr
        self._lock = threading.Lock()
        # GNU Radio calls handlers by their names.
        for antenna, handler in enumerate((self.take, self.take_1, self.take_2, self.take_3)[:nr]):
            port = pmt.intern(truth_port(antenna))
            self.message_port_register_in(port)
            self.set_msg_handler(port, handler)

    @guarded
    def take(self, message: Any) -> None:
        """Takes a PDU of H of the first antenna with the key frame; anything else is left out."""
        self._take(0, message)

    @guarded
    def take_1(self, message: Any) -> None:
        """The same of the second antenna."""
        self._take(1, message)

    @guarded
    def take_2(self, message: Any) -> None:
        """The same of the third antenna."""
        self._take(2, message)

    @guarded
    def take_3(self, message: Any) -> None:
        """The same of the fourth antenna."""
        self._take(3, message)

    def _take(self, antenna, message):
        metadata, h = read_pdu(message, np.complex64) or (None, None)
        frame = metadata.get("frame") if metadata else None
        rows = self._shape[0] // self._nr
        if h is None or not isinstance(frame, int) or h.size != rows * self._shape[1]:
            return
        with self._lock:
            parts = self._parts.setdefault(frame, {})
            parts[antenna] = h.reshape(rows, 1, self._shape[1])
            while len(self._parts) > self._history:
                self._parts.pop(next(iter(self._parts)))
            if len(parts) < self._nr:
                return
            self._known[frame] = np.concatenate(
                [parts[a] for a in range(self._nr)], axis=1).reshape(self._shape)
            self._parts.pop(frame, None)
            while len(self._known) > self._history:
                self._known.pop(next(iter(self._known)))

    def newest(self) -> Optional[int]:
        """The frame that is in the air, None before the first."""
        with self._lock:
            return next(reversed(self._known), None)

    def get(self, frame: int) -> Optional[np.ndarray]:
        """H of a frame, complex64 (nc nr, nt), or None."""
        with self._lock:
            h = self._known.get(frame)
        return h if h is not None and h.any() else None


class UeState:
    """What the base station knows of one UE: its decoder's state, its CSI, its figures.

    decoder: of this UE alone. transform: angular_delay_transform of codecs of Ha, or None. scores():
    makes layers.Scores of UEs with several antennas, or None. nr: antennas. is_precoder: whether its CSI
    is a precoder.
    """

    def __init__(self, decoder: core.report_decoder,
                 transform: Optional[core.angular_delay_transform],
                 scores: Callable[[], Optional[layers.Scores]] = lambda: None, nr: int = 1,
                 is_precoder: bool = False) -> None:
        self.decoder, self.nr, self.is_precoder = decoder, nr, is_precoder
        self._transform = transform
        self._new_scores = scores
        self.frame: Optional[int] = None  # number of the CSI at hand
        self.residual_energy_db: Optional[float] = None
        self.received = 0
        self.bits_received = 0
        self._matrix: Any = None
        self.reset()

    def reset(self) -> None:
        """Begins the figures anew."""
        self.count = 0
        self.bits = 0
        self.ages: List[int] = []
        self.nmse: List[float] = []
        self.rho: List[float] = []
        self.gain: List[float] = []
        self.heard: List[float] = []
        self.scores = self._new_scores()

    def accept(self, frame: int, matrix: np.ndarray, residual_energy_db: Optional[float],
               age: int, bits: int) -> None:
        """Takes CSI: number of its frame, matrix as decoded, the encoder's residual energy in dB or
        None, frames since it was in the air, bits of the message."""
        self.frame, self._matrix, self.residual_energy_db = frame, matrix, residual_energy_db
        self.received += 1
        self.count += 1
        self.bits += bits
        self.bits_received += bits
        self.ages.append(age)

    def h(self) -> np.ndarray:
        """H of the CSI at hand, complex64 (nc nr, nt)."""
        return self._transform.inverse(self._matrix) if self._transform else self._matrix


class Cell:
    """The base station without its radio: from messages to CSI and precoders.

    Trusts nothing: a message becomes CSI only if core.feedback_receiver takes it (checksum, model,
    quantizer and length are right, the UE is known, the signature is its own, the frame is at most
    max_age frames older than the one in the air and newer than the last one of this UE), and if the
    decoder makes finite numbers of it.

    codec, reports (ReportFormat): as at the UE; a sequence of codecs has one for each UE. ues: their
    numbers. frame: csirs_frame. now(): number of
    the frame that is being sent. max_age: in frames. keys: a dictionary with the key of each UE, or
    None for feedback without signatures. truths: a Truth for each UE, or none. downlink_snr_db: for
    the rate of several UEs. compact: CompactFrames to take as well, None: none.

    ues: number of a UE -> UeState. messages: how many came. refused: reason of REASONS -> how many
    were refused for it. mismatches: of these, those where the ends are set up differently -> what the
    last one had, and what this end has. Its methods may be called by several threads.
    """

    def __init__(self, codec: Union[OpenCodec, Sequence[OpenCodec]], reports: ReportFormat,
                 ues: Sequence[int], frame: core.csirs_frame, now: Callable[[], int], max_age: int = 100,
                 keys: Optional[Mapping[int, bytes]] = None, truths: Sequence[Truth] = (),
                 downlink_snr_db: float = 10, compact: Optional[CompactFrames] = None) -> None:
        each = codec_of_each(codec, len(ues))
        self._now, self._max_age = now, max_age
        self._shape = (frame.nc(), frame.nt())
        self._truths = dict(zip(ues, truths))
        self._snr_db, self._snr = downlink_snr_db, 10 ** (downlink_snr_db / 10)
        self.ues = {ue: self._state(one, reports) for ue, one in zip(ues, each)}
        self._has_layers = any(one.nr > 1 for one in each)
        # UEs with the same codec have one receiver.
        groups: Dict[int, List[int]] = {}
        for ue, one in zip(ues, each):
            groups.setdefault(id(one), []).append(ue)
        self._receivers = [core.feedback_receiver(self.ues[some[0]].decoder, some, max_age)
                           for some in groups.values()]
        for some, receiver in zip(groups.values(), self._receivers):
            for ue in some:
                if keys and ue in keys:
                    receiver.set_key(ue, keys[ue])
        if compact:
            of_ue = dict(zip(ues, compact.configurations(list(ues))))
            for some, receiver in zip(groups.values(), self._receivers):
                for ue in some:
                    receiver.add_configuration(of_ue[ue])
        # Versions of frames that carry a residual energy.
        self._telling = {2, 3} if compact and compact.residual_energy else {2}
        self._precoders: Dict[int, Any] = {}
        self._rates: List[float] = []
        self._lock = threading.Lock()
        self._scored = dict.fromkeys(ues, 0.0)
        self._logger = gr.logger("csifeedback_bs")
        self._failing = False
        self._reports = reports
        self.mismatches: Dict[str, str] = {}
        self.messages = 0
        self.refused = collections.Counter({reason: 0 for reason in REASONS})

    def _state(self, codec, reports):
        """The UeState of a UE with this codec."""
        model = codec.model
        nc, nt = self._shape
        transform = core.angular_delay_transform(core.csi_shape(
            "Ha", model.na, nt, nc, model.precursor, codec.array)) if model.domain == "Ha" else None

        def scores():
            return layers.Scores(codec.nr, evaluation.SUBBANDS, self._snr_db, max(codec.ranks)) \
                if codec.nr > 1 else None

        return UeState(reports.decoder(codec), transform, scores, codec.nr, codec.is_precoder)

    def receive(self, message: bytes) -> Optional[int]:
        """Takes a message of any bytes. Returns the number of the UE whose CSI it is, or None if
        it was refused."""
        with self._lock:
            self.messages += 1
            now = self._now()
            for receiver in self._receivers:
                receiver.set_now(now)
            if message[:1] == bytes([messages.REPORT]):
                reason, ue = self._take_report(message), None
            else:
                reason, ue = self._take(message)
            if reason:
                self.refused[reason] += 1
            elif ue is not None and self._truths:
                self._score(ue)
            return ue

    def _take_report(self, message):
        end = len(message) - self._receivers[0].signature_bytes()
        report = messages.unpack_report(message[:max(0, end)])
        if not report:
            return "bad_crc"
        ue, low, gain = report
        for receiver in self._receivers:
            status, _ = receiver.admit(messages.REPORT_KIND, ue, low, message)
            if status != core.frame_status.unknown_ue:
                break
        if status != core.frame_status.ok:
            return status.name
        self.ues[ue].heard.append(gain)
        return None

    def _take(self, message):
        # That of another codec does not know the UE, and remembers nothing of the message.
        for receiver in self._receivers:
            status, header, number, payload = receiver.receive(message)
            if status not in (core.frame_status.unknown_ue, core.frame_status.unknown_configuration):
                break
        if status != core.frame_status.ok:
            self._compare(status.name, header)
            return status.name, None
        state = self.ues[header.ue_id]
        try:
            matrix = state.decoder.decode(np.frombuffer(payload, np.uint8),
                                          state.decoder.frame_bits(header.code_size),
                                          core.gain_from_code(header.gain))
        except core.CodecError as error:
            if not self._failing:  # once for several in a row
                self._logger.warn(f"discarding CSI that the decoder failed on: {error}")
            self._failing = True
            return "decoder_failed", None
        self._failing = False
        if not np.isfinite(matrix).all():
            return "not_finite", None
        residual_energy_db = core.residual_energy_from_code(header.residual_energy) \
            if header.version in self._telling else None
        state.accept(number, matrix, residual_energy_db, self._age(number), 8 * len(message))
        return None, header.ue_id

    def _compare(self, reason, header):
        """Says how a frame is other than those of this end, if that is why it is refused."""
        here = self.ues.get(header.ue_id, next(iter(self.ues.values()))).decoder
        sides = {
            "unknown_ue": lambda: ("frames", "UE " + ", ".join(map(str, self.ues))),
            "unknown_model": lambda: (
                f"codec {header.codec_id} with model {header.model_id}",
                f"codec {here.codec_id()} with model {here.model_id()}"),
            "unknown_quantizer": lambda: (
                _kind(header.quantizer_type, header.bits), self._reports.kind())}
        if reason in sides:
            there, own = sides[reason]()
            self.mismatches[reason] = f"UE {header.ue_id} sends {there}, this end has {own}"

    def _age(self, number):
        """Frames since this one was in the air."""
        newest = [truth.newest() for truth in self._truths.values()]
        return max(0, (newest[0] if newest and newest[0] is not None else self._now()) - number)

    def is_fresh(self, state: UeState) -> bool:
        """Whether the CSI of a UeState is not older than max_age."""
        return state.frame is not None and self._now() - state.frame <= self._max_age

    def precoders(self) -> Tuple[List[int], Optional[np.ndarray]]:
        """(UEs with fresh CSI, weights complex64 (nc, K, nt)): maximum ratio for one UE, zero-
        forcing for several. With UEs that have several antennas: a UE comes once for each layer of its
        report, and zero-forcing is regularized for the noise at downlink_snr_db."""
        fresh = [ue for ue, state in self.ues.items() if self.is_fresh(state)]
        if not fresh:
            return fresh, None
        if not self._has_layers:
            return fresh, self._precode([self.ues[ue].h() for ue in fresh])
        found = [layers.precoders(self.ues[ue].h()[None], self.ues[ue].nr)[0] for ue in fresh]
        return self._precode_layers(fresh, found)

    def maximum_ratio(self, ue: int) -> Optional[np.ndarray]:
        """Weights complex64 (nc, nt) for one UE, None without fresh CSI."""
        with self._lock:
            state = self.ues[ue]
            return self._precode([state.h()])[:, 0] if self.is_fresh(state) else None

    def layer_weights(self, ue: int) -> Optional[np.ndarray]:
        """Weights complex64 (nc, nt, nr) of the layers of a UE with several antennas, whose Frobenius norm is 1
        and which are zero from the rank on; None without fresh CSI."""
        with self._lock:
            state = self.ues[ue]
            return layers.precoders(state.h()[None], state.nr)[0] if self.is_fresh(state) else None

    def _precode_layers(self, ues, found):
        """(UE of each stream, weights (nc, K, nt)) for precoders (nc, nt, layers) of each UE, layers that
        are not used being zero."""
        streams = [(ue, w[:, :, layer]) for ue, w in zip(ues, found) for layer in range(w.shape[2])
                   if w[:, :, layer].any()]
        if not streams:
            return [], None
        # A stream of its own, from all ports in phase, has the power of all of them.
        known = downlink.effective_channel(np.stack([w for _, w in streams], axis=1), float(self._shape[1]))
        w = downlink.regularized_zero_forcing(known, 1 / self._snr)
        w = np.sqrt(len(streams)) * np.swapaxes(w, 1, 2)
        return [ue for ue, _ in streams], w.astype(np.complex64)

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
        if self._has_layers:
            self._score_layers(ue, state, truth)
            return
        if truth is not None:
            if not state.is_precoder:
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

    def _score_layers(self, ue, state, truth):
        """The same where UEs have several antennas. The gain of a UE is the power of all its antennas and
        layers if it is served alone."""
        found = state.h()[None]
        if truth is not None and state.scores:
            state.scores.add(truth[None], found)
        elif truth is not None:
            if not state.is_precoder:
                state.nmse.append(ofdm.aligned_nmse(state.h(), truth))
            state.rho.append(ofdm.rho(state.h(), truth))
        newest = self._truths[ue].newest()
        now = self._truths[ue].get(newest)
        if now is not None and self.is_fresh(state):
            h, w = layers.channels(now[None], state.nr)[0], layers.precoders(found, state.nr)[0]
            power = np.mean(np.sum(np.abs(h @ w)**2, axis=2), axis=0)
            alone = np.mean(np.abs(h)**2, axis=(0, 2))
            state.gain.append(np.sum(power / np.where(alone > 0, alone, 1)))
        self._rate_layers(newest)

    def _rate_layers(self, newest):
        """Rates of all UEs with fresh CSI together, with their reports and with eigenvectors of as many
        layers."""
        fresh = [u for u, s in self.ues.items() if self.is_fresh(s)]
        now = {u: self._truths[u].get(newest) for u in fresh}
        if len(fresh) < 2 or any(h is None for h in now.values()):
            return
        streams, w = self.precoders()
        if not streams:
            return
        h = {u: layers.channels(x[None], self.ues[u].nr)[0] for u, x in now.items()}
        best = [layers.eigenvectors(h[u][None], min(evaluation.SUBBANDS, self._shape[0]),
                                    streams.count(u))[0] for u in fresh if u in streams]
        perfect, v = self._precode_layers([u for u in fresh if u in streams], best)
        self._rates.append([self._layer_rate(h, streams, w), self._layer_rate(h, perfect, v)])

    def _layer_rate(self, h, streams, w):
        """bit/s/Hz of all streams together behind MMSE receivers. h: (nc, nr, nt) of each UE. w: (nc, K, nt)."""
        most = max(self.ues[u].nr for u in streams)
        received = np.zeros((self._shape[0], len(streams), most, self._shape[1]), np.complex64)
        for k, u in enumerate(streams):
            received[:, k, :self.ues[u].nr] = h[u] / np.sqrt(max(np.mean(np.abs(h[u])**2), 1e-30))
        ratio = downlink.sinr(received, np.swapaxes(w, 1, 2) / np.sqrt(len(streams)), 1 / self._snr)
        return float(np.mean(np.sum(np.log2(1 + ratio), axis=1)))

    def _rate(self, matrices, w):
        """bit/s/Hz of all UEs together, docs/conventions.md."""
        h = np.stack(matrices, axis=1)
        h = h / np.sqrt(np.mean(np.abs(h)**2, axis=(0, 2), keepdims=True))
        power = np.abs(h @ np.swapaxes(w, 1, 2))**2 * self._snr / h.shape[1]
        own = np.einsum("kuu->ku", power)
        return float(np.mean(np.sum(np.log2(1 + own / (1 + power.sum(axis=2) - own)), axis=1)))

    def figures(self, seconds: float) -> Dict[str, Any]:
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
                    "bits_received": state.bits_received,
                    "per_s": state.count / seconds if seconds else 0.0,
                    "bits_per_s": state.bits / seconds if seconds else 0.0, "frame": state.frame,
                    "age_now": None if state.frame is None else self._age(state.frame),
                    "age": mean(state.ages, False), "age_max": max(state.ages, default=None),
                    "residual_energy_db": state.residual_energy_db, "nmse_db": mean(state.nmse),
                    "rho": mean(state.rho, False), "gain_db": mean(state.gain),
                    "precoded_db": mean(state.heard),
                    **(state.scores.figures() if state.scores else {})}
            rates = np.mean(self._rates, axis=0).tolist() if self._rates else None
            return {"frame": self._now(), "messages": self.messages,
                    "refused": {k: v for k, v in self.refused.items() if v},
                    "mismatches": dict(self.mismatches),
                    "rate": rates and {"reconstructed": rates[0], "perfect": rates[1]},
                    "ues": ues}

    def matrices(self) -> Dict[int, Dict[str, Any]]:
        """Pictures of the fresh CSI of each UE: fed_back and, where it is known, true, |H| as of
        pictures.matrix_db()."""
        with self._lock:
            found: Dict[int, Dict[str, Any]] = {}
            for ue, state in self.ues.items():
                if state.frame is None or not self.is_fresh(state):
                    continue
                found[ue] = {"frame": state.frame, "fed_back": matrix_db(state.h())}
                truth = self._truths[ue].get(state.frame) if ue in self._truths else None
                if truth is not None:
                    found[ue]["true"] = matrix_db(truth)
            return found

    def reset(self) -> None:
        """Begins the figures anew; what is known of the UEs stays."""
        with self._lock:
            for state in self.ues.values():
                state.reset()
            self._rates.clear()


#: figures of layers.Scores of which the mean of all seconds is said
LAYER_FIGURES = ("rank_share", "sgcs_layers", "sgcs_layers_5", "se_layers", "se_layers_perfect",
                 "se_layers_snr_db")


def _mean_known(some: List[np.ndarray]) -> Any:
    """Mean of arrays without what is not a number in each; None where it is one in none."""
    values = np.array(some)
    known = np.isfinite(values)
    mean = np.where(known, values, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known.any(axis=0), mean, None).tolist()


class Totals:
    """Means of the figures of all seconds."""

    def __init__(self) -> None:
        self._ues: Dict[Any, Dict[str, List[Any]]] = collections.defaultdict(
            lambda: collections.defaultdict(list))

    def add(self, figures: Dict[str, Any]) -> None:
        """Takes Cell.figures() of a second."""
        for ue, values in figures["ues"].items():
            for name in ("age", "nmse_db", "rho", "gain_db", "precoded_db"):
                if values[name] is not None:
                    x = values[name]
                    self._ues[ue][name].append(10 ** (x / 10) if name.endswith("_db") else x)
            for name in LAYER_FIGURES:
                if name in values:
                    self._ues[ue][name].append(np.array(values[name], float))

    def apply(self, figures: Dict[str, Any], seconds: float) -> None:
        """Puts the means of the whole run, which took so many seconds, into figures."""
        for ue, values in figures["ues"].items():
            values["per_s"] = values["received"] / seconds if seconds else 0.0
            values["bits_per_s"] = values["bits_received"] / seconds if seconds else 0.0
            for name, some in self._ues[ue].items():
                if name in LAYER_FIGURES:
                    values[name] = _mean_known(some)
                    continue
                mean = float(np.mean(some))
                values[name] = evaluation.to_db(mean) if name.endswith("_db") else mean


@dataclass(frozen=True)
class Air:
    """What is between the base station and its UEs where no radio is: a channel model for each UE.

    channel: name of the model, as of channels.make_channel(), None: the one that the codec was
    trained on. dataset: path of a data set whose matrices H are replayed, in place of a model: UE k of K
    (0, 1 ..) begins k / K of the matrices later, so that no two have the same one at a time. snr_db: power
    of a port's samples over the noise, from 300 on no noise. speed_mps: of the UEs.
    frames_per_drop: frames until a UE jumps to another place. offset_hz: carrier offset of the UEs.
    offset_ppm: their sampling offset. seed: of channels and noise. rate: samples are sent at so
    many times real time at most, 0 to 1000; 0: as fast as the machine can.
    """

    channel: "str | None" = None
    dataset: "str | None" = None
    snr_db: float = 20.0
    speed_mps: float = 1.0
    frames_per_drop: int = 200
    offset_hz: float = 0.0
    offset_ppm: float = 0.0
    seed: int = 1
    rate: float = 1.0

    def check(self) -> None:
        """Raises ParameterError."""
        check_range("rate", self.rate, 0, 1000)
        check_range("frames_per_drop", self.frames_per_drop, 1, (1 << 31) - 1)
        check_range("seed", self.seed, 0, (1 << 64) - 1)

    def models(self, codec: Union[OpenCodec, Sequence[OpenCodec]], frame: core.csirs_frame,
               count: int) -> List[core.channel_model]:
        """A channel model for each antenna of `count` UEs, one UE behind the other. codec: Codec of all, or
        a sequence of one for each. frame: csirs_frame. Raises ValueError."""
        codecs = codec_of_each(codec, count)
        several = any(one.nr > 1 for one in codecs)
        if self.dataset:
            model = core.dataset_channel(self.dataset)
            if (model.nc(), model.nt()) != (frame.nc(), frame.nt()):
                raise ValueError(f"{self.dataset}: has matrices of {model.nc()} x {model.nt()}, "
                                 f"the pilots are for {frame.nc()} x {frame.nt()}")
            with Dataset(self.dataset) as data:
                nr = data.nr if several else 1
            for one in codecs:
                if one.nr not in (1, nr):
                    raise ValueError(f"{self.dataset}: has UEs with {nr} antennas, codec {one.spec} is for "
                                     f"{one.nr}")
            # Each UE begins at another part of the data set.
            places = model.samples() // nr
            return [core.receive_antennas(model, nr, antenna, k * places // count)
                    for k, one in enumerate(codecs) for antenna in range(one.nr)]
        if several or any(one.array and one.model.domain == "Ha" for one in codecs):
            for one in codecs:
                if not self.channel and (one.nr > 1 or not one.model.text("channel")):
                    raise ValueError(f"codec {one.spec} names no channel that it was trained on: give --channel "
                                     "or --dataset")
            array = array_of(codecs)
            return [model for k, one in enumerate(codecs) for model in channels_of(
                array, one.nr, self.channel, self.frames_per_drop, self.speed_mps, period_s(frame),
                model=one.model, nc=frame.nc(), spacing_hz=frame.spacing_hz(), seed=self.seed + k)]
        result = []
        for k, one in enumerate(codecs):
            parameters = dict(nc=frame.nc(), nt=frame.nt(), spacing_hz=frame.spacing_hz(),
                              seed=self.seed + k, slots_per_drop=self.frames_per_drop,
                              sample_interval_s=period_s(frame), speed_mps=self.speed_mps,
                              # Whatever the codec was trained on: delays do not jump in the air.
                              receiver_aligned=False)
            result.append(make_channel(self.channel, **parameters) if self.channel
                          else model_channel(one.model, **parameters))
        return result

    def offsets(self, frame: core.csirs_frame) -> Any:
        """A block with the carrier and sampling offsets, None without these."""
        if not self.offset_hz and not self.offset_ppm:
            return None
        return channels.channel_model(frequency_offset=self.offset_hz / frame.sample_rate(),
                                      epsilon=1 + 1e-6 * self.offset_ppm)


class BaseStation:
    """A base station as a whole: csirs_source -> channel model -> one stream for each UE, or ->
    radio with nt channels; and feedback -> Cell.

    codec: evaluation.Codec of all UEs, or a sequence with that of each. reports: ReportFormat. Both as at
    the UEs. pilots: Pilots. address: where samples go: zmq://HOST:PORT of this machine (the second UE has
    the next port, and so on), file:PATH for a SigMF recording of what the UEs receive, a channel for each
    of their antennas, uhd:ARGS, soapy:ARGS.
    feedback: zmq://HOST:PORT or udp://HOST:PORT of this machine, where feedback comes. ue_ids:
    numbers of the UEs, 0 to 65535, up to MAX_SIMULATED_UES without a radio. keys: a dictionary with
    the key of each UE, None: feedback is not signed. compact: CompactFrames to take beside frames
    that name codec and model, as at the UEs; None: none. max_age: frames after which CSI is refused
    and not used any more, 0 to 32767, with compact frames below 256 to 1024. power: mean power of a
    port's samples. first: number of the first frame, None: from the clock, so that numbers do not
    repeat. count: frames to send, 0: no end. downlink_snr_db: for the rate that several UEs get
    together. precoded: whether to send a symbol with the precoder of each UE behind every frame.
    air: Air. radio: Radio. overwrite: whether file:PATH may replace a recording that is there.
    pictures: whether figures() has |H| of each UE as it was fed back and, with a channel model, as it
    is.

    The UE of a codec for nr antennas, up to 4, has nr streams, on nr consecutive ports behind those of the
    UEs before it. Its precoded symbols are those of its layers, likewise behind those of the UEs before it.

    Listens and opens devices when it is made; run() begins to send. Raises ValueError.
    """

    def __init__(self, codec: Union[OpenCodec, Sequence[OpenCodec]],
                 reports: ReportFormat = ReportFormat(), pilots: Pilots = Pilots(), *,
                 address: str = "zmq://127.0.0.1:5550",
                 feedback: str = "zmq://127.0.0.1:5560", ue_ids: Sequence[int] = (1,),
                 keys: Optional[Mapping[int, bytes]] = None,
                 compact: Optional[CompactFrames] = None, max_age: int = 100, power: float = 1.0,
                 first: Optional[int] = None, count: int = 0, downlink_snr_db: float = 10.0,
                 precoded: bool = False, air: Air = Air(), radio: Radio = Radio(),
                 overwrite: bool = False, pictures: bool = False) -> None:
        ue_ids = list(ue_ids)
        for ue in ue_ids:
            check_range("ue_ids", ue, 0, 65535)
        if not ue_ids or len(set(ue_ids)) != len(ue_ids):
            refuse("ue_ids", ",".join(map(str, ue_ids)), "different numbers of 0 to 65535")
        check_range("max_age", max_age, 0, 32767)
        if compact:
            compact.check_age(max_age)
            compact.configurations(ue_ids)
        air.check()
        codecs = codec_of_each(codec, len(ue_ids))
        parameters = {**pilots.parameters(codecs[0].model.nt), "power": power}
        self.frame = frame = core.csirs_frame(**parameters)
        for one in codecs:
            check_codec(one, frame)
        #: time from frame to frame in s
        self.period_s = period_s(frame)
        # The same numbers never come twice, whenever a base station begins anew.
        first = int(time.time() / self.period_s) if first is None else first
        first %= 1 << 32
        scheme, _ = parse_address("air", address, ("zmq", "file", "uhd", "soapy"))
        truths = []
        #: each with the receiving antennas of one UE, or of all
        air_channels: List[core.mimo_channel] = []
        self._antennas = [one.nr for one in codecs]
        if scheme in ("zmq", "file"):
            if len(ue_ids) > MAX_SIMULATED_UES:
                raise ParameterError("ue_ids", f" has {len(ue_ids)} UEs, allowed are "
                                     f"{MAX_SIMULATED_UES} with a channel model")
            models = air.models(codecs, frame, len(ue_ids))
            # A block has four receiving antennas at most.
            ends = [len(models)] if len(models) <= 4 else np.cumsum(self._antennas).tolist()
            air_channels = [core.mimo_channel(models[first:end], frame.sample_rate(), snr_db=air.snr_db,
                                              signal_power=power, seed=(air.seed + first) % (1 << 64))
                            for first, end in zip([0, *ends], ends)]
            truths = [Truth((frame.nc() * nr, frame.nt()), max_age + 64, nr) for nr in self._antennas]
        #: layers of each UE, each with a precoded symbol
        self._layers = [max(one.ranks) if one.nr > 1 else 1 for one in codecs]
        self._precoded = SendPrecoded(frame, sum(self._layers)) if precoded else None
        self._receiver = FeedbackReceiver(feedback)
        self._recorder = None
        sinks = self._make_sinks(address, parameters, sum(self._antennas), radio, overwrite)
        self._source = core.csirs_source(frame, count, first)
        self.flowgraph = self._connect(sinks, air_channels, truths, air)
        #: the Cell
        self.cell = Cell(codecs, reports, ue_ids, frame,
                         lambda: first + self._source.frames(), max_age, keys, truths,
                         downlink_snr_db, compact)
        self._blocks = [b for b in (self._source, self._precoded, *air_channels, *sinks) if b]
        self._totals, self._seconds, self._pictures = Totals(), 0.0, pictures

    def _make_sinks(self, address, parameters, count, radio, overwrite):
        """Where the samples of each UE's antennas go, or the radio as the only entry."""
        frame = self.frame
        scheme, rest = parse_address("air", address, ("zmq", "file", "uhd", "soapy"))
        if scheme == "file":
            self._recorder = sigmf.Recorder(rest, frame, parameters, radio.frequency_hz,
                                            "pilots of csifeedback_bs", count, overwrite=overwrite)
            return [self._recorder.sink]
        if scheme == "zmq":
            host, port = rest
            return [SampleSink(SamplePublisher(f"zmq://{host}:{port + k}")) for k in range(count)]
        return [radio.make("air", address, frame.sample_rate(), frame.nt(), True)]

    def _connect(self, sinks, air_channels, truths, air):
        flowgraph, source = gr.top_block("csifeedback_bs"), self._source
        # connect() needs the blocks to outlive it.
        self._keep = [air_channels, truths, sinks]
        if self._precoded:
            enlarge_buffer(source, _LONG_BUFFER)
            enlarge_buffer(self._precoded, _LONG_BUFFER)
        for n in range(self.frame.nt()):
            last = source
            if self._precoded:
                last = self._precoded
                flowgraph.connect((source, n), (last, n))
            for channel in air_channels or sinks:
                flowgraph.connect((last, n), (channel, n))
        if not air_channels:
            return flowgraph
        entries = [(sink, 0) for sink in sinks]
        if self._recorder and sum(self._antennas) > 1:
            # A recording has the samples of its channels by turns.
            turns = blocks.interleave(gr.sizeof_gr_complex)
            flowgraph.connect(turns, sinks[0])
            entries = [(turns, k) for k in range(sum(self._antennas))]
        antennas = [(truth, antenna) for truth, nr in zip(truths, self._antennas) for antenna in range(nr)]
        counts = [len(antennas)] if len(air_channels) == 1 else self._antennas
        outputs = [(channel, k) for channel, nr in zip(air_channels, counts) for k in range(nr)]
        for (channel, k), entry, (truth, antenna) in zip(outputs, entries, antennas):
            chain = [(channel, k), air.offsets(self.frame), blocks.throttle(
                gr.sizeof_gr_complex, air.rate * self.frame.sample_rate()) if air.rate else None]
            flowgraph.connect(*[block for block in chain if block], entry)
            flowgraph.msg_connect(channel, truth_port(k), truth, truth_port(antenna))
        return flowgraph

    def run(self, show: Callable[[Dict[str, Any], bool], None], duration: Optional[float] = None,
            stopped: Optional[threading.Event] = None) -> None:
        """Sends and listens until `count` frames have been sent, or for a time.

        show(figures, last): called once per second and at the end with what figures() says. duration:
        in s, above 0, None: no limit. stopped: threading.Event that ends it, None: none. Raises
        OSError if a recording lost samples.
        """
        runner = Runner(
            self.flowgraph, lambda seconds, last: show(self.figures(seconds, last), last),
            Watch(self._blocks, lambda: self._source.nitems_written(0)), duration=duration,
            stopped=stopped)
        listener = threading.Thread(target=self._listen, args=(runner.stopped,), daemon=True)
        listener.start()
        try:
            runner.run()
        finally:
            runner.stopped.set()
            listener.join(5)
            if listener.is_alive():
                unfinished.set()
            if self._recorder:
                self._recorder.close()

    def _listen(self, stopped):
        while not stopped.is_set():
            message = self._receiver.receive(0.2)
            ue = None if message is None else self.cell.receive(message)
            if ue is not None:
                self._receiver.accept()
            if self._precoded:
                self._precode(ue)
        self._receiver.close()

    def _precode(self, changed):
        """Gives the UEs' precoders to the block that sends with them; changed: UE with new CSI."""
        first = 0
        for (ue, state), count in zip(self.cell.ues.items(), self._layers):
            if ue == changed or not self.cell.is_fresh(state):
                for layer, w in enumerate(self._weights(ue, state, count)):
                    self._precoded.set_weights(first + layer, w)
            first += count

    def _weights(self, ue, state, count):
        """Weights (nc, nt) of each of the layers of a UE, None of those without any."""
        if state.nr == 1:
            return [self.cell.maximum_ratio(ue)]
        w = self.cell.layer_weights(ue)
        return [w[:, :, layer] if w is not None and w[:, :, layer].any() else None for layer in range(count)]

    def figures(self, seconds: float, last: bool) -> Dict[str, Any]:
        """Figures since the last call, as a dictionary; at the end those of the whole run.

        seconds: since the start. last: whether it is the end.
        """
        figures = self.cell.figures(seconds - self._seconds)
        self._seconds = seconds
        if self._pictures:
            for ue, matrices in self.cell.matrices().items():
                figures["ues"][ue]["matrices"] = matrices
        self.cell.reset()
        if self._receiver.refused:
            figures["refused"]["bad_connections"] = self._receiver.refused
        self._totals.add(figures)
        if last:
            self._totals.apply(figures, seconds)
        return {"seconds": seconds, "frames": self._source.frames(), **figures}
