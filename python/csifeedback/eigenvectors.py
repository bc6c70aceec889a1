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
the codebooks of TS 38.214 are, with nr=4 for UEs with four antennas, which report up to four layers.

A data set may also have the layers of a drop together, as one matrix (layers subbands) x ports: layer
after layer (`stacked`). A model of such matrices reports all layers at once.
"""

import zlib
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from . import csifeedback_python as core
from . import layers
from .arrays import Array
from .codecs import REPORTS, Codec, OpenCodec, ReportDecoder, ReportEncoder, open_codec
from .conditions import parameters_of

#: bits of the field that says how layers share the bits of a report, and the value for all alike
SPLIT_BITS, EQUAL = 3, 2
#: layers whose smallest singular value is not larger do not span as many dimensions as there are
DEPENDENT = 1e-2
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
        self._transform = core.angular_delay_transform(core.csi_shape(
            "Ha", encoder.rows(), encoder.nt(), encoder.rows(), 0, encoder.array()))

    def encode(self, w: np.ndarray, budget: int) -> Tuple[np.ndarray, np.ndarray]:
        """(bits, counts) of matrices W (n, subbands, ports)."""
        return self.encoder.encode(self.transformed(w), budget)[:2]

    def transformed(self, w: np.ndarray) -> np.ndarray:
        """Matrices W (n, subbands, ports) as the model has them, of domain Ha."""
        return self._transform.forward(np.ascontiguousarray(w, np.complex64))[0]

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


def stacked(v: np.ndarray) -> np.ndarray:
    """Eigenvectors (n, layers, subbands, ports) as one matrix W a drop, layer after layer, with the phases of
    aligned(): (n, layers subbands, ports)."""
    return aligned(v.reshape(len(v), -1, v.shape[3]))


def orthogonal(w: np.ndarray) -> np.ndarray:
    """Precoders (..., ports, layers) with orthonormal layers, the nearest ones to W with layers of norm 1, as
    eigenvectors are: W = U S V^H becomes U V^H. Where layers are zero or nearly the same they stay as they are."""
    norm = np.linalg.norm(w, axis=-2, keepdims=True)
    unit = w / np.where(norm > 0, norm, 1)
    u, s, vh = np.linalg.svd(unit, full_matrices=False)
    return np.where(s[..., -1:, None] > DEPENDENT, u @ vh, unit).astype(np.complex64)


def layers_of(model: Any) -> int:
    """Layers that the matrices W of a model_file have together: 1 if each is a matrix of its own."""
    parameters = parameters_of(model.text("parameters"))
    return int(parameters["layers"]) if parameters.get("together") else 1


def layer_bits(rank: int, total: int, split: int) -> List[int]:
    """Bits of the layers of a report, whose sum is `total`. split: 0 to 7: the shares go along a straight
    line from 1 + 0.2 - 0.1 split of an equal share for the first layer to 1 - 0.2 + 0.1 split for the
    last one; 2: all alike."""
    x = 2 * np.arange(rank) / (rank - 1) - 1 if rank > 1 else np.zeros(1)
    ends = np.rint(total * np.cumsum(1 + 0.1 * (split - EQUAL) * x) / rank).astype(int)
    return np.diff(np.append(0, ends)).tolist()


def water_filling(power: np.ndarray, bits: float) -> np.ndarray:
    """Bits (layers,) of Gaussian values of these powers (layers, M), real, in sum `bits`, for the least error:
    those above a common error get half of log2(power / error) (reverse water-filling)."""
    low, high = -60.0, float(np.log2(max(power.max(), 1e-15)))
    for _ in range(50):
        error = (low + high) / 2
        rates = 0.5 * np.maximum(np.log2(np.maximum(power, 1e-30)) - error, 0).sum(axis=1)
        low, high = (error, high) if rates.sum() > bits else (low, error)
    return rates


def best_split(power: np.ndarray, bits: int) -> int:
    """The `split` of layer_bits() that is nearest to water-filling over powers (layers, M)."""
    rates = water_filling(power, bits)
    rank = len(rates)
    x = 2 * np.arange(rank) / (rank - 1) - 1
    tilt = rank * float(rates @ x) / max(float(rates.sum()), 1e-9) / float(x @ x)
    return int(np.clip(round(tilt / 0.1) + EQUAL, 0, (1 << SPLIT_BITS) - 1))


class LayerReports:
    """Reports of several layers: rank, how the bits are shared, and a report of each layer.

    RI has as many bits as the allowed ranks need; with a rank above 1, SPLIT_BITS bits say the split of
    layer_bits(); the report of each layer is filled up with zeros to its bits, so that a report always
    has all bits of its budget. The UE tries the split of water-filling over the powers of the layers'
    values, those beside it and an equal one, and sends the report of the largest SGCS. With a model of
    that many layers together, RI is followed by its report, without a split. The BS makes the layers of
    each subband orthogonal, which costs no bits.

    pair: of a model of W. powers(w): squares of values, real (M,), of W (subbands, ports). ranks: allowed
    ones, ascending. rounds: of Pair.report. together: layers -> pair of a model of so many.
    """

    def __init__(self, pair: Pair, powers: Callable[[np.ndarray], np.ndarray], ranks: Sequence[int],
                 rounds: int = 3, together: Optional[Dict[int, Pair]] = None) -> None:
        self.pair, self.ranks, self._together = pair, list(ranks), together or {}
        self._powers, self._rounds = powers, rounds
        self._ri_bits = (len(self.ranks) - 1).bit_length()
        limits = []
        for rank in self.ranks:
            of_rank, reports = self._pair_of(rank)
            limits.append([self._header(rank) + reports * bits for bits in (
                of_rank.encoder.min_bits(), of_rank.encoder.max_bits())])
        self.min_bits, self.max_bits = limits[0][0], min(65535, max(most for _, most in limits))

    def _pair_of(self, rank: int) -> Tuple[Pair, int]:
        """The pair for the reports of a rank, and how many of its reports there are."""
        return (self._together[rank], 1) if rank in self._together else (self.pair, rank)

    def _header(self, rank: int) -> int:
        return self._ri_bits + SPLIT_BITS * (self._pair_of(rank)[1] > 1)

    def encode(self, v: np.ndarray, rank: int, budget: int
               ) -> Optional[Tuple[np.ndarray, np.ndarray]]:
        """(bits (budget,) of 0 and 1, W of the BS (subbands, ports, rank)) of eigenvectors v (subbands, ports,
        rank or more); None if there are too few bits for the rank."""
        v = np.ascontiguousarray(v, np.complex64)
        total = min(budget, self.max_bits) - self._header(rank)
        pair, reports = self._pair_of(rank)
        # (1, reports, rows, ports)
        w = np.ascontiguousarray(np.moveaxis(v[..., :rank], 2, 0)).reshape(1, reports, -1, v.shape[1])
        splits = {EQUAL}
        if reports > 1:
            near = best_split(np.stack([self._powers(aligned(w[:, layer])[0])
                                        for layer in range(reports)]), total)
            splits |= {split for split in (near - 1, near, near + 1) if 0 <= split < 1 << SPLIT_BITS}
        best: Any = None
        for split in sorted(splits):
            counts = layer_bits(reports, total, split)
            if min(counts) < pair.encoder.min_bits():
                continue
            parts = [pair.report(w[:, number], count, self._rounds)
                     for number, count in enumerate(counts)]
            found = self._layers([part[2][0] for part in parts], rank)
            score = float(core.sgcs(v[..., :rank], found).mean())
            if best is None or score > best[0]:
                best = score, split, counts, parts, found
        if best is None:
            return None
        _, split, counts, parts, found = best
        bits = [_fields(self.ranks.index(rank), self._ri_bits)]
        if reports > 1:
            bits.append(_fields(split, SPLIT_BITS))
        for count, part in zip(counts, parts):
            used = int(part[1][0])
            bits += [np.unpackbits(part[0][0], count=used), np.zeros(count - used, np.uint8)]
        return np.concatenate(bits), found

    @staticmethod
    def _layers(parts: Sequence[np.ndarray], rank: int) -> np.ndarray:
        """W (subbands, ports, rank) of decoded reports."""
        w = np.concatenate(parts)
        w = np.moveaxis(w.reshape(rank, -1, w.shape[1]), 0, 2)
        return np.ascontiguousarray(orthogonal(w) if rank > 1 else w)

    def choose(self, h: np.ndarray, budget: int, snr_db: float) -> np.ndarray:
        """The bits for a channel h (rows, nr, ports): of the rank that has the largest spectral efficiency
        with perfect eigenvectors, or of the next lower one, if the reported precoder has more."""
        rows, subbands = len(h), self.pair.encoder.rows()
        v = core.subband_eigenvectors(np.ascontiguousarray(h, np.complex64), subbands, self.ranks[-1])
        subband = np.arange(rows) * subbands // rows

        def efficiency(w: np.ndarray) -> float:
            norm = np.linalg.norm(w, axis=1, keepdims=True)
            w = w / np.where(norm > 0, norm, 1) / np.sqrt(w.shape[2])
            return float(layers.efficiency(h[None], w[subband][None], snr_db)[0])

        ideal = [efficiency(v[:, :, :rank]) for rank in self.ranks]
        at = int(np.argmax(ideal))
        best: Any = None
        # Lower ones where the bits are too few.
        for rank in self.ranks[at::-1]:
            found = self.encode(v, rank, budget)
            if found is None:
                continue
            score = efficiency(found[1])
            if best is None or score > best[0]:
                best = score, found[0]
            if rank < self.ranks[at]:
                break
        if best is None:
            raise ValueError(f"budget is {budget}, allowed is {self.min_bits} or more")
        return best[1]

    def decode(self, bits: np.ndarray) -> Optional[np.ndarray]:
        """W (subbands, ports, rank) of bits of 0 and 1, None if they are no report."""
        index = _number_of(bits[:self._ri_bits])
        if len(bits) < self._ri_bits or index >= len(self.ranks):
            return None
        rank = self.ranks[index]
        pair, reports = self._pair_of(rank)
        total = len(bits) - self._header(rank)
        split = _number_of(bits[self._ri_bits:self._header(rank)]) if reports > 1 else EQUAL
        counts = layer_bits(reports, max(total, 0), split)
        if min(counts) < pair.encoder.min_bits():
            return None
        parts, at = [], self._header(rank)
        for count in counts:
            parts.append(pair.decode(np.packbits(bits[at:at + count])[None],
                                     np.array([count], np.int32))[0])
            at += count
        return self._layers(parts, rank)


def _fields(value: int, count: int) -> np.ndarray:
    """A number as so many bits of 0 and 1, the most significant one first."""
    return np.array([value >> k & 1 for k in reversed(range(count))], np.uint8)


def _number_of(bits: np.ndarray) -> int:
    return int("".join(map(str, bits.tolist())) or "0", 2)


class Eigenvectors(Codec):
    """Reports of a model of W as a codec of whole matrices H.

    model: trained on a data set of W. options: rows of H (subcarriers or resource blocks; 1024) and
    rounds of Pair.report (3). For codecs without reports of their own also quantizer, one of REPORTS
    (entropy, if the model has the tables, else lloyd-max), code_size (0: the longest) and bits per value
    (4); reports with a quantizer all have the same length. nr: antennas of the UE (1); with several, the
    matrices are those of `layers` and reports those of LayerReports. ranks that it may report, such as
    1-2 or 2 (all up to nr and 4); snr_db of the UE, by which it chooses the rank (10). together: a model of
    several layers together, for reports of so many.
    """

    name, number, title = "eigenvectors", 249, "eigenvectors"
    help = "Dominant eigenvectors of the subbands, reported with a model of the domain W."
    domain = "H"
    precursor = 0
    is_precoder = True

    def __init__(self, model: Optional[core.model_file] = None, rows: str = "1024",
                 rounds: str = "3", quantizer: str = "", code_size: str = "0", bits: str = "4",
                 nr: str = "1", ranks: str = "", snr_db: str = "10", together: str = "",
                 **options: str) -> None:
        if model is None:
            raise ValueError(f"codec {self.name} needs a model of the domain W, as in "
                             f"{self.name}:model=FILE,rows=52")
        if model.text("matrices") != "W":
            raise ValueError(f"model is {model.path}, trained on matrices {model.domain}, allowed is "
                             "one of the domain W")
        if layers_of(model) > 1:
            raise ValueError(f"model is {model.path}, of {layers_of(model)} layers together, allowed is one "
                             f"of single layers; the other is for together={model.path}")
        super().__init__(None, **options)
        self._codec = open_codec(model.path)
        if quantizer not in ("", *REPORTS):
            raise ValueError(f"quantizer is {quantizer}, allowed is {', '.join(REPORTS)}")
        self._report = (quantizer or ("entropy" if self._codec.has_entropy_reports else "lloyd-max"),
                        _number("code_size", code_size, 0, 2 * model.nc * model.nt),
                        _number("bits", bits, 1, 10))
        self._subbands, self.nt, self.model_id = model.nc, model.nt, model.model_id
        self.nr = _number("nr", nr, 1, 64)
        self.ranks = layers.allowed_ranks(self.nr, ranks)
        try:
            self.snr_db = float(snr_db)
        except ValueError:
            raise ValueError(f"snr_db is {snr_db}, allowed is a number") from None
        self.rows = self.nc = self.nr * _number("rows", rows, model.nc, 65536 // self.nr)
        self._rounds = _number("rounds", rounds, 0, 100)
        self.title = f"{self._codec.label} of W"
        self.array = _array_of(model)
        reports: Any = self._pair(self._codec).encoder
        self.report_bits = (reports.min_bits(), reports.max_bits())
        self._together = self._open_together(together) if together else {}
        if self.nr > 1:
            reports = self._layer_reports()
            self.report_bits = (reports.min_bits, reports.max_bits)
            # Other bits than those of UEs with one antenna.
            others = (codec.model.model_id for codec in self._together.values())
            self.model_id = (self.model_id ^ zlib.crc32(
                repr((self.nr, self.ranks, *others)).encode())) & 0xffff

    def _open_together(self, spec: str) -> Dict[int, OpenCodec]:
        """Number of layers -> the codec of a model of so many together."""
        codec = open_codec(spec)
        model = codec.model
        count = layers_of(model)
        if count < 2 or (model.nc, model.nt) != (count * self._subbands, self.nt):
            raise ValueError(
                f"together is {spec}, of matrices of {model.nc} x {model.nt} with {count} layer"
                f"{'s' if count > 1 else ''}, allowed is a model of several layers together of {self._subbands} "
                f"x {self.nt}")
        if count not in self.ranks:
            raise ValueError(f"together is {spec}, of {count} layers, allowed are the ranks "
                             f"{self.ranks[0]} to {self.ranks[-1]}")
        return {count: codec}

    def _pair(self, codec: OpenCodec) -> Pair:
        return Pair(*codec.report_pair(*self._report))

    def _layer_reports(self) -> LayerReports:
        """Reports of several layers; of codecs with codewords the powers are those of their values, of others
        those of the entries of the transformed W."""
        pair = self._pair(self._codec)
        encoder = self._codec.encoder(0) if self._codec.has_codewords else None

        def powers(w: np.ndarray) -> np.ndarray:
            ha = pair.transformed(w[None])
            if encoder is None:
                return np.concatenate([ha.real, ha.imag]).ravel() ** 2
            return np.asarray(encoder.encode(ha)[0][0], np.float64) ** 2

        together = {count: self._pair(codec) for count, codec in self._together.items()}
        return LayerReports(pair, powers, self.ranks, self._rounds, together)

    def _attributes(self) -> Dict[str, Any]:
        return {"name": self.name, "codec_id": self.number, "model_id": self.model_id,
                "domain": "H", "rows": self.rows, "nt": self.nt, "nc": self.rows, "precursor": 0,
                "max_bits": self.report_bits[1]}

    def report_encoder(self) -> ReportEncoder:
        """The UE half."""
        if self.nr > 1:
            return self._layer_encoder()
        pair, subbands, rounds = self._pair(self._codec), self._subbands, self._rounds

        class Half(ReportEncoder):
            def encode_bits(self, h: np.ndarray, budget: int) -> np.ndarray:
                v = core.subband_eigenvectors(np.ascontiguousarray(h)[:, None], subbands)
                bits, counts = pair.report(v[None, :, :, 0], budget, rounds)[:2]
                return np.unpackbits(bits[0], count=int(counts[0]))

        return Half(**self._attributes(), min_bits=self.report_bits[0])

    def report_decoder(self) -> ReportDecoder:
        """The BS half. Row k of its matrices is the conjugate precoder of subband
        floor(k subbands / rows), with the norm sqrt(ports); with several antennas see `layers`."""
        if self.nr > 1:
            return self._layer_decoder()
        pair, nt = self._pair(self._codec), self.nt
        subband = np.arange(self.rows) * self._subbands // self.rows

        class Half(ReportDecoder):
            def decode_bits(self, bits: np.ndarray) -> np.ndarray:
                w = pair.decode(np.packbits(bits)[None], np.array([len(bits)], np.int32))[0]
                norm = np.linalg.norm(w, axis=1, keepdims=True)
                w = np.sqrt(nt) * w / np.where(norm > 0, norm, 1)
                return w.conj()[subband]

        return Half(**self._attributes())

    def _layer_encoder(self) -> ReportEncoder:
        reports, nr, snr_db = self._layer_reports(), self.nr, self.snr_db

        class Half(ReportEncoder):
            def encode_bits(self, h: np.ndarray, budget: int) -> np.ndarray:
                return reports.choose(layers.channels(h[None], nr)[0], budget, snr_db)

        return Half(**self._attributes(), min_bits=self.report_bits[0])

    def _layer_decoder(self) -> ReportDecoder:
        reports, nr, nt, rows = self._layer_reports(), self.nr, self.nt, self.rows // self.nr
        subband = np.arange(rows) * self._subbands // rows

        class Half(ReportDecoder):
            def decode_bits(self, bits: np.ndarray) -> np.ndarray:
                found = np.zeros((rows, nr, nt), np.complex64)
                decoded = reports.decode(bits)
                if decoded is not None:
                    norm = np.linalg.norm(decoded, axis=1, keepdims=True)
                    w = np.sqrt(nt / decoded.shape[2]) * decoded / np.where(norm > 0, norm, 1)
                    found[:, :w.shape[2]] = w.conj().swapaxes(1, 2)[subband]
                return found.reshape(rows * nr, nt)

        return Half(**self._attributes())


def _array_of(model: core.model_file) -> Optional[Array]:
    """(n1, n2, 2) of the panels that a model was trained on, if it says so."""
    try:
        channels = parameters_of(model.text("parameters"))["channels"]
        array = int(channels["n1"]), int(channels["n2"]), 2
    except (ValueError, KeyError, TypeError):
        return None
    return array if 2 * array[0] * array[1] == model.nt else None


def _number(name: str, text: str, least: int, most: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise ValueError(f"{name} is {text}, allowed is {least} to {most}")
    return value
