#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What the two ends show beside their figures: matrices and the spectrum, small enough for a line of
JSON a second."""

from typing import Any, Dict, List, Sequence

import numpy as np
from gnuradio import blocks, gr
from gnuradio.fft import logpwrfft

#: Rows and columns of a matrix in a picture at most.
MAX_SIDE = 64
#: Values of a spectrum.
SPECTRUM_SIZE = 256
#: Values below the strongest by more than this are shown as this.
FLOOR_DB = 60.0


def _joined(power: np.ndarray, axis: int) -> np.ndarray:
    """Means of neighbours along an axis, at most MAX_SIDE of them."""
    size = power.shape[axis]
    if size <= MAX_SIDE:
        return power
    first = np.arange(MAX_SIDE) * size // MAX_SIDE
    counts = np.diff(np.append(first, size))
    shape = [-1 if i == axis else 1 for i in range(power.ndim)]
    return np.add.reduceat(power, first, axis) / counts.reshape(shape)


def matrix_db(h: np.ndarray) -> List[List[float]]:
    """|H| of a complex matrix (nc, nt) in dB over its mean power, -60 at least, in steps of 0.1 dB.

    Sides of more than 64 are shown by the mean power of neighbours. A matrix of zeros gives -60
    everywhere.
    """
    power = np.abs(np.asarray(h, np.complex128))**2
    mean = power.mean()
    power = _joined(_joined(power, 0), 1) / (mean if mean > 0 else 1)
    level = 10 * np.log10(np.maximum(power, 10**(-FLOOR_DB / 10)))
    rows: List[List[float]] = np.round(level, 1).tolist()
    return rows


class Spectrum:
    """The mean spectrum of a stream of samples, from a few hundred of them ten times a second.

    flowgraph: top_block. source: the block whose output 0 it looks at. sample_rate: in Hz.
    """

    def __init__(self, flowgraph: gr.top_block, source: gr.basic_block, sample_rate: float) -> None:
        self._rate = sample_rate
        self._fft = logpwrfft.logpwrfft_c(sample_rate, SPECTRUM_SIZE, 2, 50, 0.05, True)
        self._probe = blocks.probe_signal_vf(SPECTRUM_SIZE)
        flowgraph.connect(source, self._fft, self._probe)

    def figures(self) -> Dict[str, Any]:
        """first_hz, step_hz: frequencies. db: SPECTRUM_SIZE powers in dB, from the lowest frequency to
        the highest, in steps of 0.1 dB."""
        level: Sequence[float] = np.round(np.fft.fftshift(self._probe.level()), 1).tolist()
        step = self._rate / SPECTRUM_SIZE
        return {"first_hz": -self._rate / 2, "step_hz": step, "db": level}
