#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""How CSI becomes bits."""

from dataclasses import dataclass

from .. import csifeedback_python as core
from ..codecs import OpenCodec
from .parameters import ParameterError, check_range


@dataclass(frozen=True)
class ReportFormat:
    """How CSI becomes bits: the same at both ends.

    ratio, quantizer, bits: of codecs with codewords: compression ratio M / (2 Na Nt), kind of the
    quantizer, and bits per value, 1 to 10. quantizer "entropy": entropy-coded reports, of all
    values where ratio is empty; bits is not used. budget: of these and of codecs with reports of
    their own: most bits of a report; None: as many as it can have.
    """

    ratio: str = "1/8"
    quantizer: str = "lloyd-max"
    bits: int = 6
    budget: int | None = None

    def encoder(self, codec: OpenCodec) -> core.report_encoder:
        """The report encoder object of an evaluation.Codec. Raises ValueError."""
        if codec.has_reports:
            return self._checked(codec.own_reports()[0])
        if self.quantizer == "entropy":
            return self._checked(codec.entropy_encoder(self._size(codec)))
        return core.quantized_report_encoder(*self._codeword(codec, codec.encoder))

    def decoder(self, codec: OpenCodec) -> core.report_decoder:
        """The report decoder object, a new one at each call. Raises ValueError."""
        if codec.has_reports:
            encoder, decoder = codec.own_reports()
            self._checked(encoder)
            return decoder
        if self.quantizer == "entropy":
            return codec.entropy_decoder(self._size(codec))
        return core.quantized_report_decoder(*self._codeword(codec, codec.decoder))

    def kind(self) -> str:
        """What reports of codecs with codewords are, in words."""
        return f"quantizer {self.quantizer}" + ("" if self.quantizer == "entropy" else
                                                f" of {self.bits} bits")

    def _checked(self, encoder):
        if self.budget is not None:
            check_range("budget", self.budget, encoder.min_bits(), 65535)
        return encoder

    def _size(self, codec):
        return codec.code_size(self.ratio) if self.ratio else 0

    def _codeword(self, codec, make):
        if self.budget is not None:
            raise ParameterError("budget", f" is {self.budget}, codec {codec.spec} has codewords: "
                                 "give its ratio, quantizer and bits per value, or the quantizer "
                                 "entropy")
        size = codec.code_size(self.ratio)
        return make(size), codec.quantizer(self.quantizer, size, self.bits)
