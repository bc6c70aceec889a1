#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Codecs in Python as a user writes them; nothing here belongs to gr-csifeedback."""

import numpy as np
from gnuradio import csifeedback
from gnuradio.csifeedback.model import Model


class FirstRows(csifeedback.Codec):
    """Sends the delay rows from delay zero on as they are: nothing to train. Option `scale`: of
    the codeword."""

    name = "toy-first-rows"
    number = 220
    title = "first rows"
    code_size = 512  # 8 rows of 32 complex values

    def __init__(self, model=None, scale="1", **options):
        super().__init__(model, **options)
        self.scale = float(scale)
        self.code_size = 2 * self.rows * self.nt // 4
        self.cells = slice(self.precursor * self.nt,
                           self.precursor * self.nt + self.code_size // 2)

    def encode_array(self, h):
        sent = np.ascontiguousarray(h.reshape(len(h), -1)[:, self.cells])
        return self.scale * sent.view(np.float32)

    def decode_array(self, s):
        h = np.zeros((len(s), self.rows * self.nt), np.complex64)
        h[:, self.cells] = np.ascontiguousarray(s).view(np.complex64) / self.scale
        return h.reshape(-1, self.rows, self.nt)


class MeanPower(csifeedback.Codec):
    """Sends the cells that are strongest in its training set, which the model file has."""

    name = "toy-mean-power"
    number = 221
    code_size = 512

    @classmethod
    def add_arguments(cls, parser):
        parser.add_argument("--cells", type=int, default=256, metavar="K",
                            help="cells that are sent (default: 256)")

    @classmethod
    def train(cls, args, data):
        power = np.zeros(data.na * data.nt)
        for ha in data.chunks("Ha"):
            power += np.sum(np.abs(ha.reshape(len(ha), -1)) ** 2, axis=0)
        return Model({}, {"encoder/cells": np.argsort(-power)[:args.cells]})

    def __init__(self, model=None, **options):
        super().__init__(model, **options)
        if model is None:
            raise ValueError("codec toy-mean-power needs a model file, ,model=FILE")
        self.cells = model.read("encoder/cells").astype(int)
        self.code_size = 2 * len(self.cells)

    def encode_array(self, h):
        s = h.reshape(len(h), -1)[:, self.cells]
        sent = np.sum(np.abs(s) ** 2, axis=1)
        residual = 10 * np.log10(np.maximum(1e-10, 1 - sent / (self.rows * self.nt)))
        return np.ascontiguousarray(s).view(np.float32), residual

    def decode_array(self, s):
        h = np.zeros((len(s), self.rows * self.nt), np.complex64)
        h[:, self.cells] = s.view(np.complex64)
        return h.reshape(-1, self.rows, self.nt)


class SignReport(csifeedback.Codec):
    """A report in bits: the signs of the strongest row."""

    name = "toy-signs"
    number = 222
    report_bits = (1, 69)

    def encode_bits(self, h, budget):
        row = int(np.argmax(np.sum(np.abs(h) ** 2, axis=1)))
        bits = [row >> k & 1 for k in range(5)]
        return np.concatenate([bits, h[row].real > 0, h[row].imag > 0])[:budget]

    def decode_bits(self, bits):
        padded = np.zeros(69, int)
        padded[:len(bits)] = bits
        h = np.zeros((self.rows, self.nt), np.complex64)
        row = sum(int(b) << k for k, b in enumerate(padded[:5]))
        signs = 2 * padded[5:].reshape(2, 32) - 1
        h[row] = signs[0] + 1j * signs[1]
        return h * np.sqrt(self.rows / 2)


class Failing(FirstRows):
    """Raises for some matrices and codewords, option `every`: each so-many-th call."""

    name = "toy-failing"
    number = 223

    def __init__(self, model=None, every="3", where="encoder", **options):
        super().__init__(model, **options)
        self.every, self.where, self.calls = int(every), where, 0

    def _fail(self, where):
        self.calls += where == self.where
        if where == self.where and self.calls % self.every == 0:
            raise ArithmeticError(f"call {self.calls}")

    def encode_array(self, h):
        self._fail("encoder")
        return super().encode_array(h)

    def decode_array(self, s):
        self._fail("decoder")
        return super().decode_array(s)


class Wrong(FirstRows):
    """Results that are none, by the option `how`."""

    name = "toy-wrong"
    number = 224

    def __init__(self, model=None, how="shape", **options):
        super().__init__(model, **options)
        self.how = how

    def encode_array(self, h):
        s = super().encode_array(h)
        return {"shape": s[:, 1:], "complex": s + 0j, "nan": s * np.nan, "none": None,
                "text": "abc", "exit": s}[self.how]


class ClashingNumber(FirstRows):
    """Takes the number of another one."""

    name = "toy-clash"
    number = FirstRows.number


class ClashingName(FirstRows):
    """Takes the name of a codec of the module."""

    name = "klt"
    number = 225


class NoCodec:
    """Is not derived from Codec."""
