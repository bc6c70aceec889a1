#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Recordings of RENEW's and Argos' channel sounder in HDF5: CSI of the pilots in Pilot_Samples.

The format is that of RENEWLab's Sounder (group Data with attributes) and of Argos' logs (attributes of
the file): int16, I and Q by turns, dimensions frame, cell, user, antenna, sample.
"""

from typing import Any

import numpy as np

#: the long training field of IEEE 802.11a, subcarriers -26 to 26
LTS = np.array([1, 1, -1, -1, 1, 1, -1, 1, -1, 1, 1, 1, 1, 1, 1, -1, -1, 1, 1, -1, 1, -1, 1, 1, 1, 1, 0,
                1, -1, -1, 1, 1, -1, 1, -1, 1, -1, -1, -1, -1, -1, 1, 1, -1, -1, 1, -1, 1, -1, 1, 1, 1, 1])
NAME = "Pilot_Samples"
FULL_SCALE = 32768.0


class PilotCsi:
    """CSI of the pilots, computed when it is read: complex64 (frame, cell, user, antenna, subcarrier), the
    used subcarriers in ascending order.

    samples: the array Pilot_Samples; attributes: of its file. Each pilot is a cyclic prefix and one or more
    training symbols between zeros. The FFT window begins a quarter of the prefix before the nominal end of
    the prefix, which the result does not show, so that an error of the timing turns phases linearly over
    the subcarriers and does nothing else. Raises ValueError if the pilots are not known, or not there.
    """

    def __init__(self, samples: Any, attributes: Any) -> None:
        self._samples = samples
        if "samples_per_user" in attributes:
            self._argos(attributes)
        else:
            self._renew(attributes)
        self._used = np.flatnonzero(np.abs(self._pilot) > 1e-6)
        self.shape = (*self._outer, len(self._used))
        self.dtype = np.dtype(np.complex64)
        self._check()

    def _argos(self, attributes):
        """A log of Argos: (frame, antenna, sample of one user after the other, I and Q)."""
        shape = tuple(int(n) for n in self._samples.shape)
        each, users = (_number(attributes, name) for name in ("samples_per_user", "num_mob_ant"))
        # Behind the users there is one of noise alone.
        if len(shape) != 4 or shape[3] != 2 or each is None or users is None or each < 47 + 128 or \
                users < 1 or shape[2] != (users + 1) * each:
            raise ValueError(f"has the shape {shape}, expected is (frames, antennas, {users} users and noise "
                             f"of {each} samples each, 2)")
        self._users, self._fft, self._back, self._starts = users, 64, 0, [47, 47 + 64]
        self._pilot = _long_training()
        self._outer = (shape[0], 1, users, shape[1])
        self._is_argos, self._prefix = True, 32

    def _renew(self, attributes):
        """A recording of RENEW's Sounder: (frame, cell, user, antenna, I and Q by turns)."""
        fft, cp, before, after = (_number(attributes, name) for name in (
            "FFT_SIZE", "CP_LEN", "PREFIX_LEN", "POSTFIX_LEN"))
        for name, value in (("FFT_SIZE", fft), ("CP_LEN", cp), ("PREFIX_LEN", before),
                            ("POSTFIX_LEN", after)):
            if value is None:
                raise ValueError(f"has no attribute {name}, without which the pilots are not found")
        shape = tuple(int(n) for n in self._samples.shape)
        if len(shape) != 5 or shape[4] % 2 or self._samples.dtype.kind != "i":
            raise ValueError(f"has the shape {shape} of {self._samples.dtype}, expected are 5 axes of "
                             "integers, I and Q by turns in the last one")
        count = shape[4] // 2
        symbols = (count - before - after) // (fft + cp)
        if not 8 <= fft <= 8192 or not 0 <= cp < fft or min(before, after) < 0 or symbols < 1:
            raise ValueError(f"has {count} samples a pilot for an FFT of {fft}, a prefix of {cp} and zeros "
                             f"of {before} and {after} samples")
        self._fft, self._back, self._prefix = fft, cp // 4, cp
        self._starts = [before + cp - self._back + i * (fft + cp) for i in range(symbols)]
        self._pilot = _pilot_of(attributes, fft)
        self._outer, self._is_argos = shape[:4], False

    def _check(self):
        """ValueError if the delays of the first matrices are anywhere: no pilots where they should be."""
        if self._prefix < 4:
            return
        x = self[(slice(0, 16),) + (slice(None),) * 4].reshape(-1, len(self._used))
        x = x[np.any(x, axis=1)]
        if not len(x):
            raise ValueError("has no pilots in its first frames, the samples are zero")
        full = np.zeros((len(x), self._fft), complex)
        full[:, self._used] = x
        taps = np.square(np.abs(np.fft.ifft(full, axis=1)))
        span = min(2 * self._prefix, self._fft // 2)
        sums = np.cumsum(np.concatenate([taps, taps[:, :span]], axis=1), axis=1)
        best = (sums[:, span:] - sums[:, :-span]).max(axis=1) / taps.sum(axis=1)
        even = span / self._fft
        at = int(np.argmax((taps / taps.sum(axis=1, keepdims=True)).sum(axis=0)))
        at -= self._fft if at > self._fft // 2 else 0
        if np.percentile(best, 90) < even + 0.4 * (1 - even) or abs(at) > self._prefix:
            raise ValueError(f"has no pilots where its attributes say: {100 * np.percentile(best, 90):.0f} % of "
                             f"the energy are within {span} samples of delay, most of it at {at}, expected is "
                             f"{-self._prefix} to {self._prefix} (was the timing of the recording off?)")

    def _complex(self, frames):
        """Samples of some frames, complex64 (frame, cell, user, antenna, sample)."""
        if not self._is_argos:
            x = np.asarray(self._samples[(frames,) + (slice(None),) * 4], np.float32)
            return (x[..., 0::2] + 1j * x[..., 1::2]) / FULL_SCALE
        x = np.asarray(self._samples[(frames,) + (slice(None),) * 3], np.float32)
        x = ((x[..., 0] + 1j * x[..., 1]) / FULL_SCALE).reshape(*x.shape[:2], self._users + 1, -1)
        return x[:, :, :-1].transpose(0, 2, 1, 3)[:, None]

    def __getitem__(self, index: Any) -> np.ndarray:
        x = self._complex(index[0])
        y = sum(np.fft.fft(x[..., s:s + self._fft], axis=-1) for s in self._starts) / len(self._starts)
        y = np.fft.fftshift(y, axes=-1)[..., self._used]
        k = self._used - self._fft // 2
        y = y * (np.exp(2j * np.pi * k * self._back / self._fft) / self._pilot[self._used])
        return y.astype(np.complex64)[(slice(None), *index[1:])]


def _number(attributes: Any, name: str) -> Any:
    """A whole number in the attributes, or None."""
    value = np.ravel(attributes[name]) if name in attributes else ()
    return int(value[0]) if len(value) and np.issubdtype(value.dtype, np.number) else None


def _long_training():
    pilot = np.zeros(64, complex)
    pilot[6:59] = LTS
    return pilot


def _pilot_of(attributes, fft):
    """Values of the pilot's subcarriers in ascending order. Raises ValueError."""
    pilot = attributes.get("OFDM_PILOT_F")
    if pilot is not None and np.size(pilot) == 2 * fft:
        values = np.ravel(np.asarray(pilot, np.float64))
        values = values[0::2] + 1j * values[1::2]
        # Some recordings have DC first: unused, and its neighbour is used.
        zero = np.abs(values) < 1e-6
        if zero[0] and not zero[1] and zero[fft // 2]:
            return np.fft.fftshift(values)
        if zero[0] and zero[1] or not zero[0] and zero[fft // 2]:
            return values
        raise ValueError("does not say by its pilots (OFDM_PILOT_F) which subcarrier comes first")
    kind = attributes.get("PILOT_SEQ_TYPE", b"")
    kind = np.ravel(kind)[0] if np.size(kind) else b""
    kind = kind.decode("latin-1") if isinstance(kind, bytes) else str(kind)
    if fft == 64 and kind.startswith("lts"):
        return _long_training()
    raise ValueError(f"has pilots of the kind '{kind}' with {fft} subcarriers, whose values (OFDM_PILOT_F) are "
                     "not in the file")
