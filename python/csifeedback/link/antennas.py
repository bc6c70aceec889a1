#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""UEs with several antennas: matrices of all antennas, gains of precoded pilots of all layers; several
UEs with codecs of their own."""

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import pmt
from gnuradio import gr

from .. import csifeedback_python as core
from ..arrays import Array
from ..channels import SCENARIOS
from ..data.panels import drops_of, make_drops
from .parameters import ParameterError


class StackAntennas(gr.basic_block):
    """Joins the matrices that the antennas of a UE measure in the same frame.

    Inputs 0 to nr - 1: H (nc x nt) of each antenna, with the tag `frame` of channel_estimator. Output:
    (nc nr) x nt, row k nr + a is antenna a on subcarrier k, with such a tag. Frames that an antenna did not
    measure are left out: incomplete counts their matrices.
    """

    def __init__(self, nr: int, nc: int, nt: int) -> None:
        gr.basic_block.__init__(self, "stack antennas", [(np.complex64, nc * nt)] * nr,
                                [(np.complex64, nc * nr * nt)])
        self.set_tag_propagation_policy(gr.TPP_DONT)
        self._nr, self._nc, self._nt = nr, nc, nt
        self._key = pmt.intern("frame")
        self._next = [0] * nr  #: frame of the next item of each input, unless it has a tag
        self._next_out: Optional[int] = None  #: of the next output without a tag
        self.incomplete = 0

    def forecast(self, noutput_items: int, ninputs: int) -> List[int]:
        return [1] * ninputs

    def _frame(self, port, at):
        for tag in self.get_tags_in_window(port, at, at + 1, self._key):
            self._next[port] = pmt.to_uint64(tag.value)
        return self._next[port]

    def general_work(self, input_items: List[np.ndarray], output_items: List[np.ndarray]) -> int:
        out, at, produced = output_items[0], [0] * self._nr, 0
        while produced < len(out) and all(a < len(x) for a, x in zip(at, input_items)):
            frames = [self._frame(port, a) for port, a in enumerate(at)]
            newest = max(frames)
            late = [port for port, frame in enumerate(frames) if frame < newest]
            for port in late or range(self._nr):
                if not late:
                    out[produced].reshape(self._nc, self._nr, self._nt)[:, port] = \
                        input_items[port][at[port]].reshape(self._nc, self._nt)
                at[port] += 1
                self._next[port] += 1
            self.incomplete += len(late)
            if late:
                continue
            if newest != self._next_out:
                self.add_item_tag(0, self.nitems_written(0) + produced, self._key,
                                  pmt.from_uint64(newest))
            self._next_out = newest + 1
            produced += 1
        for port, count in enumerate(at):
            self.consume(port, count)
        return produced


class SumOfGains:
    """Adds up the gains of precoded pilots of the antennas and layers of a UE, frame by frame.

    found(frame, gain): called with the sum of a frame when a later one begins.
    """

    def __init__(self, found: Callable[[int, float], None]) -> None:
        self._found = found
        self._sums: Dict[int, float] = {}

    def add(self, frame: int, gain: float) -> None:
        """Takes the gain of one antenna and layer."""
        self._sums[frame] = self._sums.get(frame, 0.0) + gain
        # The antennas are some frames apart.
        while len(self._sums) > 8:
            first = next(iter(self._sums))
            self._found(first, self._sums.pop(first))


def next_port(place: Tuple[str, int], number: int) -> str:
    """The address zmq://HOST:PORT of the samples of antenna `number`."""
    host, port = place
    return f"zmq://{host}:{port + number}"


def codec_of_each(codec: Any, ues: int) -> List[Any]:
    """The codec of each UE: one that all have, or a sequence with that of each. ValueError unless they are
    for the same number of ports, and for up to four antennas."""
    each = list(codec) if isinstance(codec, (list, tuple)) else [codec] * ues
    if len(each) != ues:
        raise ParameterError("codec", f": {len(each)} are given, allowed is one, or one for each of the {ues} "
                             "UEs")
    for one in each:
        if one.nr > 4:
            raise ValueError(f"codec {one.spec} is for UEs with {one.nr} antennas, allowed is up to 4")
        if one.model.nt != each[0].model.nt:
            raise ValueError(f"codec {one.spec} is for {one.model.nt} ports, codec {each[0].spec} for "
                             f"{each[0].model.nt}: UEs of the same BS measure the same ports")
    return each


def array_of(codecs: Sequence[Any]) -> Array:
    """The planar array of codecs; those that state none fit any. ValueError if there is
    none, or more than one."""
    stated = [codec for codec in codecs if codec.array]
    if not stated:
        raise ValueError(f"codec {codecs[0].spec} has no planar array: give --dataset")
    for codec in stated:
        if tuple(codec.array) != tuple(stated[0].array):
            raise ValueError(f"codec {codec.spec} is for an array of {codec.array[0]} x {codec.array[1]}, codec "
                             f"{stated[0].spec} for {stated[0].array[0]} x {stated[0].array[1]}")
    return stated[0].array


def channels_of(array: Array, nr: int, name: Optional[str], frames_per_drop: int, speed_mps: float,
                interval_s: float, carrier_hz: float = 3.5e9, model: Any = None,
                **parameters: Any) -> List[core.channel_model]:
    """A channel model of each of the nr antennas of a UE at a planar array. name: cdl-a to cdl-e or a
    scenario; None: the channel that `model` was trained on. parameters: nc, spacing_hz, seed."""
    trained = "" if name else model.text("channel")
    if name in SCENARIOS or trained.removesuffix("-panel") in SCENARIOS:
        parameters.update(carrier_hz=carrier_hz, speed_mps=speed_mps, slots_per_drop=frames_per_drop,
                          sample_interval_s=interval_s)
        moving: Dict[str, Any] = {}
    else:
        moving = {"samples_per_drop": frames_per_drop,
                  "step_wavelengths": speed_mps * interval_s * carrier_hz / 299792458.0}
    parameters.update(n1=array[0], n2=array[1], nr=nr)
    drops = make_drops(name, **parameters) if name else \
        drops_of(trained, model.text("parameters"), **parameters)
    return [drops.model(antenna, **moving) for antenna in range(nr)]
