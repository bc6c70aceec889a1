#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Precoded pilots: what the UE receives of a precoder, over the air.

In the gap behind each pilot frame, one symbol after its end, there is a symbol for each UE,
sent with the maximum-ratio precoder of the CSI that the BS has of it. All ports together have
the power of one port. The UE compares what it receives with the mean power of its H: what one
port alone with that power would have brought.
"""

import collections
from typing import Any, Callable

import numpy as np
import pmt
from gnuradio import gr

from . import csifeedback_python as core
from .pdus import guarded, read_pdu

#: Received samples that MeasurePrecoded keeps until the estimate of their frame is there.
KEPT = 1 << 21


def sequence(frame: Any, index: int) -> np.ndarray:
    """What the symbol of UE `index` carries on each subcarrier: QPSK, complex (nc,)."""
    c = np.asarray(core.gold_sequence(0x5ca1e + index, 2 * frame.nc()), int)
    return ((1 - 2 * c[::2]) + 1j * (1 - 2 * c[1::2])) / np.sqrt(2)


def symbol_length(frame: Any) -> int:
    return frame.fft_size() + frame.cp_length()


def first_sample(frame: Any, index: int) -> int:
    """Where the symbol of UE `index` begins in a frame."""
    return (frame.symbols() + 1 + index) * symbol_length(frame)


def check_gap(frame: Any, ues: Any) -> None:
    """ValueError if the gap of the frame has no room for the symbols of so many UEs."""
    needed = first_sample(frame, ues) + symbol_length(frame)
    if frame.frame_length() < needed:
        raise ValueError(f"precoded pilots of {ues} UEs need frames of "
                         f"{1e3 * needed / frame.sample_rate():.2f} ms, the period is "
                         f"{1e3 * frame.frame_length() / frame.sample_rate():.2f} ms")


def bins(frame: Any) -> np.ndarray:
    """Where the subcarriers are in a DFT."""
    return (np.arange(frame.nc()) - frame.nc() // 2) % frame.fft_size()


class SendPrecoded(gr.sync_block):
    """Adds the precoded symbols to the ports' samples, which have the tag `frame`.

    set_weights() gives a UE's precoder; without one, its symbol is silent.
    """

    def __init__(self, frame: Any, ues: Any) -> None:
        check_gap(frame, ues)
        gr.sync_block.__init__(self, "precoded pilots", [np.complex64] * frame.nt(),
                               [np.complex64] * frame.nt())
        self.set_tag_propagation_policy(gr.TPP_ONE_TO_ONE)
        self._frame, self._key = frame, pmt.intern("frame")
        self._length = symbol_length(frame)
        self._first = first_sample(frame, 0)
        self._sequences = [sequence(frame, i) for i in range(ues)]
        # For the DFT scaled by 1 / fft_size that receivers take.
        self._amplitude = np.sqrt(frame.power() / frame.nc()) * frame.fft_size()
        self._symbols = [None] * ues
        self._pending: Any = collections.deque()

    def set_weights(self, index: int, w: np.ndarray) -> None:
        """w: complex (nc, nt), the norm of each row 1, or None."""
        if w is None:
            self._symbols[index] = None
            return
        grid = np.zeros((w.shape[1], self._frame.fft_size()), complex)
        grid[:, bins(self._frame)] = (w * self._sequences[index][:, None]).T
        body = (self._amplitude * np.fft.ifft(grid, axis=1)).astype(np.complex64)
        self._symbols[index] = np.concatenate([body[:, -self._frame.cp_length():], body], axis=1)

    def work(self, input_items: Any, output_items: Any) -> int:
        n = len(output_items[0])
        for x, y in zip(input_items, output_items):
            y[:] = x[:n]
        begin = self.nitems_written(0)
        for tag in self.get_tags_in_window(0, 0, n, self._key):
            self._pending.append([tag.offset + self._first, None])
        end = begin + n
        while self._pending and self._pending[0][0] < end:
            entry = self._pending[0]
            at, symbols = entry
            if symbols is None:
                # What is sent is what is known now.
                symbols = entry[1] = [
                    s if s is not None else np.zeros((len(output_items), self._length),
                                                     np.complex64) for s in self._symbols]
            last = at
            for symbol in symbols:
                low, high = max(last, begin), min(last + self._length, end)
                if low < high:
                    for y, x in zip(output_items, symbol):
                        y[low - begin:high - begin] += x[low - last:high - last]
                last += self._length
            if last > end:
                break
            self._pending.popleft()
        return n


class MeasurePrecoded(gr.sync_block):
    """The power gain of the precoded symbol of one UE.

    Input 0: the samples that csi_sync has. Message port `pdus` (in): channel_estimator's.
    found(frame, gain): called with each measured gain, a ratio of powers.
    """

    def __init__(self, frame: Any, index: int, found: Callable[..., None]) -> None:
        check_gap(frame, index + 1)
        gr.sync_block.__init__(self, "measure precoded pilots", [np.complex64], None)
        self._frame, self._found = frame, found
        self._first = first_sample(frame, index) + frame.cp_length() - frame.cp_length() // 4
        self._bins, self._sequence = bins(frame), sequence(frame, index)
        self._ring = np.zeros(KEPT, np.complex64)
        self._seen = 0
        self._waiting: Any = collections.deque(maxlen=256)  # (metadata, H)
        self.message_port_register_in(pmt.intern("pdus"))
        self.set_msg_handler(pmt.intern("pdus"), self.take)

    @guarded
    def take(self, message: Any) -> None:
        """Takes an estimate."""
        pair: Any = read_pdu(message, np.complex64) or ({}, None)
        metadata, h = pair
        if not all(0 <= metadata.get(name, -1) < 2**53 for name in ("start", "frame", "noise")) \
                or not np.isfinite(metadata.get("offset_hz", np.nan)) \
                or h.size != self._frame.nc() * self._frame.nt():
            return
        self._waiting.append((metadata, h))
        self._measure()

    def work(self, input_items: Any, output_items: Any) -> int:
        x = input_items[0][:KEPT]
        at = self._seen % KEPT
        head = min(len(x), KEPT - at)
        self._ring[at:at + head] = x[:head]
        self._ring[:len(x) - head] = x[head:]
        self._seen += len(x)
        self._measure()
        return len(x)

    def _measure(self):
        size = self._frame.fft_size()
        while self._waiting:
            metadata, h = self._waiting[0]
            begin = metadata["start"] + self._first
            if begin + size > self._seen:
                return
            self._waiting.popleft()
            if begin < self._seen - KEPT:
                continue
            n = np.arange(size)
            x = self._ring[(begin + n) % KEPT] * np.exp(
                -2j * np.pi * n * metadata["offset_hz"] / self._frame.sample_rate())
            y = np.fft.fft(x)[self._bins] / size
            received = np.mean(np.abs(y)**2)
            # Silent, or another's: a precoded symbol of ours is smooth over the subcarriers.
            z = y * self._sequence.conj()
            likeness = np.abs(np.vdot(z[:-1], z[1:])) / max(np.vdot(z, z).real, 1e-300)
            if not received > 2 * metadata["noise"] or likeness < 0.3:
                continue
            alone = np.mean(np.abs(h)**2) * self._frame.power() / self._frame.nc()
            self._found(metadata["frame"], (received - metadata["noise"]) / alone)
