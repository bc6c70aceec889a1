#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Domain W: the dominant eigenvectors of the subbands, as matrices that codecs take.

What a BS needs to precode is for each layer one vector of ports in each subband: W, subbands x
ports, of which neither the phases of the rows nor the norm matter. A data set of W is trained on
as one of whole matrices with as many rows as subbands and no row cut off, so that all codecs of
matrices Ha learn from it. A report of W leaves out the gain, and its UE is free to choose the
phases: it takes those of what its own decoder makes of the report, and encodes again (`report`).

`open_codec("eigenvectors:model=cdl-w.h5,rows=52")` makes such a model a codec of whole matrices H, as
the codebooks of TS 38.214 are, for UEs with one antenna.
"""

from typing import Any, Dict, Optional, Tuple

import numpy as np

from . import csifeedback_python as core
from .codecs import Codec, RegisteredCodec, ReportDecoder, ReportEncoder

#: passes of the phase alignment, which converges within them
PASSES = 10


def aligned(v: np.ndarray) -> np.ndarray:
    """Eigenvectors (n, subbands, ports) with the phases that fix W: those of the largest norm of the
    sum over the subbands, whose largest entry is real and positive. Zeros stay zeros."""
    v = np.asarray(v, np.complex64)
    gram = v @ v.conj().transpose(0, 2, 1)
    y = np.linalg.eigh(gram)[1][:, :, -1:]
    for _ in range(PASSES):
        y = np.exp(1j * np.angle(gram @ y))
    w = v * y.conj()
    total = w.sum(axis=1)
    largest = np.take_along_axis(total, np.argmax(np.abs(total), axis=1)[:, None], axis=1)
    return (w * np.exp(-1j * np.angle(largest))[:, :, None]).astype(np.complex64)


def similarity(v: np.ndarray, w: np.ndarray) -> np.ndarray:
    """SGCS of eigenvectors and precoders (n, subbands, ports), (n,)."""
    return core.sgcs(v[..., None], np.ascontiguousarray(w)[..., None])[:, 0]


class Pair:
    """Report encoder and decoder of a model of W, as ones of matrices W and not Ha."""

    def __init__(self, encoder: core.report_encoder, decoder: core.report_decoder) -> None:
        self.encoder, self.decoder = encoder, decoder
        self._transform = core.angular_delay_transform(encoder.rows(), encoder.nt(),
                                                       encoder.rows(), 0)

    def encode(self, w: np.ndarray, budget: int) -> Tuple[np.ndarray, np.ndarray]:
        """(bits, counts) of matrices W (n, subbands, ports)."""
        return self.encoder.encode(
            self._transform.forward(np.ascontiguousarray(w, np.complex64))[0], budget)[:2]

    def decode(self, bits: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """What the BS makes of them."""
        return self._transform.inverse(self.decoder.decode(bits, counts))

    def report(self, v: np.ndarray, budget: int, rounds: int = 3
               ) -> Tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Reports of eigenvectors of any phases, at most `budget` bits each.

        v: (n, subbands, ports). rounds: after the first report so many more, each of the vectors
        with the phases that the BS would get; the best one counts.
        Returns (bits, counts, W of the BS, SGCS (n,)).
        """
        w = aligned(v)
        best: Any = None
        for _ in range(rounds + 1):
            bits, counts = self.encode(w, budget)
            found = self.decode(bits, counts)
            score = similarity(v, found)
            if best is None:
                best = bits, counts, found, score
            else:
                better = score > best[3]
                for old, new in zip(best, (bits, counts, found, score)):
                    old[better] = new[better]
            product = np.sum(v.conj() * found, axis=2, keepdims=True)
            w = np.where(product == 0, w, v * np.exp(1j * np.angle(product)))
        return best


def vectors(h: np.ndarray, subbands: int, layers: int = 1) -> np.ndarray:
    """W of channels: complex64 (n, layers, subbands, ports), phases as of aligned().

    h: complex (n, rows, nr, ports), nr >= layers.
    """
    v = np.moveaxis(core.subband_eigenvectors(np.ascontiguousarray(h, np.complex64), subbands,
                                              layers), 3, 1)
    return aligned(v.reshape(-1, *v.shape[2:])).reshape(v.shape)


class Eigenvectors(Codec):
    """Reports of a model of W as a codec of whole matrices H, for UEs with one antenna.

    model: of a codec with reports of its own or entropy-coded ones, trained on a data set of W.
    options: rows of H (subcarriers or resource blocks; 1024) and rounds of Pair.report (3).
    """

    name, number, title = "eigenvectors", 249, "eigenvectors"
    help = "Dominant eigenvectors of the subbands, reported with a model of the domain W."
    domain = "H"
    precursor = 0
    is_precoder = True

    def __init__(self, model: Optional[core.model_file] = None, rows: str = "1024",
                 rounds: str = "3", **options: str) -> None:
        if model is None:
            raise ValueError(f"codec {self.name} needs a model of the domain W, as in "
                             f"{self.name}:model=FILE,rows=52")
        if model.text("matrices") != "W":
            raise ValueError(f"model is {model.path}, trained on matrices {model.domain}, allowed is "
                             "one of the domain W")
        super().__init__(None, **options)
        self._codec = RegisteredCodec(model.path, model, "")
        if not (self._codec.has_reports or self._codec.has_entropy_reports):
            raise ValueError(f"model is {model.path}, allowed is one with reports: csifeedback_train "
                             "tables makes entropy-coded ones")
        self._subbands, self.nt, self.model_id = model.nc, model.nt, model.model_id
        self.rows = self.nc = _number("rows", rows, model.nc, 65536)
        self._rounds = _number("rounds", rounds, 0, 100)
        self.title = f"{self._codec.label} of W"
        encoder = self._pair().encoder
        self.report_bits = (encoder.min_bits(), encoder.max_bits())

    def _pair(self) -> Pair:
        return Pair(*(self._codec.own_reports() if self._codec.has_reports else
                      (self._codec.entropy_encoder(), self._codec.entropy_decoder())))

    def _attributes(self) -> Dict[str, Any]:
        return {"name": self.name, "codec_id": self.number, "model_id": self.model_id,
                "domain": "H", "rows": self.rows, "nt": self.nt, "nc": self.rows, "precursor": 0,
                "max_bits": self.report_bits[1]}

    def report_encoder(self) -> ReportEncoder:
        """The UE half."""
        pair, subbands, rounds = self._pair(), self._subbands, self._rounds

        class Half(ReportEncoder):
            def encode_bits(self, h: np.ndarray, budget: int) -> np.ndarray:
                v = core.subband_eigenvectors(np.ascontiguousarray(h)[:, None], subbands)
                bits, counts = pair.report(v[None, :, :, 0], budget, rounds)[:2]
                return np.unpackbits(bits[0], count=int(counts[0]))

        return Half(**self._attributes(), min_bits=self.report_bits[0])

    def report_decoder(self) -> ReportDecoder:
        """The BS half. Row k of its matrices is the conjugate precoder of subband
        floor(k subbands / rows), with the norm sqrt(ports)."""
        pair, nt = self._pair(), self.nt
        subband = np.arange(self.rows) * self._subbands // self.rows

        class Half(ReportDecoder):
            def decode_bits(self, bits: np.ndarray) -> np.ndarray:
                w = pair.decode(np.packbits(bits)[None], np.array([len(bits)], np.int32))[0]
                norm = np.linalg.norm(w, axis=1, keepdims=True)
                w = np.sqrt(nt) * w / np.where(norm > 0, norm, 1)
                return w.conj()[subband]

        return Half(**self._attributes())


def _number(name: str, text: str, least: int, most: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise ValueError(f"{name} is {text}, allowed is {least} to {most}")
    return value
