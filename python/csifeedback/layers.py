#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""UEs with several antennas, and reports of ranks above 1.

The matrix of a UE with nr antennas has a row for each antenna of each subcarrier, (rows nr) x nt: row
k nr + a is antenna a on subcarrier k. A report becomes a matrix of the same size: row k nr + l is the
conjugate precoder of layer l, and rows of layers from the rank on are zero.
"""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import pmt
from gnuradio import gr

from . import csifeedback_python as core
from .pdus import guarded, read_pdu

#: different numbers of frames
FRAMES = 1 << 16


def channels(h: np.ndarray, nr: int) -> np.ndarray:
    """H (n, rows nr, nt) as (n, rows, nr, nt)."""
    return h.reshape(len(h), -1, nr, h.shape[2])


def precoders(found: np.ndarray, nr: int) -> np.ndarray:
    """W (n, rows, nt, nr) of decoded reports (n, rows nr, nt): columns from the rank on are zero, and the
    Frobenius norm of each row's matrix is 1, or 0 where nothing was reported."""
    w = np.swapaxes(channels(found, nr), 2, 3).conj()
    norm = np.linalg.norm(w, axis=(2, 3), keepdims=True)
    return w / np.where(norm > 0, norm, 1)


def ranks(w: np.ndarray) -> np.ndarray:
    """How many layers W (n, rows, nt, nr) have, (n,)."""
    return np.sum(np.any(w != 0, axis=(1, 2)), axis=1)


def efficiency(h: np.ndarray, w: np.ndarray, snr_db: float) -> np.ndarray:
    """Spectral efficiency in bit/s/Hz of drops (n,): the mean over the rows of
    log2 det(I + snr (h w)^H h w), with mean |h|^2 = 1 and a Frobenius norm of w of 1.

    h: (n, rows, nr, nt). w: (n, rows, nt, layers), layers that are not used are zero.
    """
    received = h @ w
    power = np.mean(np.abs(h) ** 2, axis=(1, 2, 3))[:, None, None, None]
    gram = received.conj().swapaxes(2, 3) @ received / np.where(power > 0, power, 1)
    return np.mean(np.linalg.slogdet(
        np.eye(w.shape[3]) + 10 ** (snr_db / 10) * gram)[1], axis=1) / np.log(2)


def eigenvectors(h: np.ndarray, subbands: int, layers: int) -> np.ndarray:
    """Dominant eigenvectors of the subbands of h (n, rows, nr, nt), for each row: (n, rows, nt, layers)."""
    rows = h.shape[1]
    v = core.subband_eigenvectors(np.ascontiguousarray(h, np.complex64), subbands, layers)
    return v[:, np.arange(rows) * subbands // rows]


def best_efficiency(h: np.ndarray, v: np.ndarray, snr_db: float) -> np.ndarray:
    """Spectral efficiency (n,) of the eigenvectors v (n, rows, nt, layers) with equal power, of the best
    number of layers for each drop."""
    return np.max([efficiency(h, v[..., :rank] / np.sqrt(rank), snr_db)
                   for rank in range(1, v.shape[3] + 1)], axis=0)


def similarities(v: np.ndarray, w: np.ndarray, subbands: int) -> np.ndarray:
    """SGCS of each layer, (n, layers), not a number for layers from the rank on; of v and w, both
    (n, rows, nt, layers). The mean over the subbands, each the mean over its rows."""
    product = np.abs(np.sum(v.conj() * w, axis=2)) ** 2
    power = np.sum(np.abs(w) ** 2, axis=2)
    first = -(-np.arange(subbands) * w.shape[1] // subbands)
    ratio = product / np.where(power > 0, power, 1)
    sizes = np.diff(np.append(first, w.shape[1]))[None, :, None]
    found = np.mean(np.add.reduceat(ratio, first, axis=1) / sizes, axis=1)
    found[~np.any(w != 0, axis=(1, 2))] = np.nan
    return found


def similarity_summary(similarity: np.ndarray) -> Dict[str, float]:
    """Mean of SGCS (n,) with its 95 % interval, and its 5 % point; not numbers where n is 0."""
    if not len(similarity):
        return dict.fromkeys(("sgcs", "sgcs_low", "sgcs_high", "sgcs_5"), float("nan"))
    mean = float(np.mean(similarity))
    half = 1.96 * float(np.std(similarity, ddof=1)) / np.sqrt(len(similarity)) \
        if len(similarity) > 1 else float("inf")
    return {"sgcs": mean, "sgcs_low": max(0.0, mean - half), "sgcs_high": min(1.0, mean + half),
            "sgcs_5": core.percentile(similarity, 5)}


class Scores:
    """Figures of the layers of reports, added up.

    nr: antennas of the UE. subbands: of SGCS, at most the subcarriers. snr_db: at a receive antenna, of
    the spectral efficiency. layers: most of a report.
    """

    def __init__(self, nr: int, subbands: int, snr_db: float, layers: int) -> None:
        self.nr, self.subbands, self.snr_db, self.layers = nr, subbands, snr_db, layers
        self._similarity: List[np.ndarray] = []
        self._efficiency: List[np.ndarray] = []
        self._ranks: List[np.ndarray] = []

    def add(self, h: np.ndarray, found: np.ndarray) -> None:
        """Takes true matrices and what reports of them became, both (n, rows nr, nt)."""
        h, w = channels(h, self.nr), precoders(found, self.nr)[..., :self.layers]
        v = eigenvectors(h, min(self.subbands, h.shape[1]), self.layers)
        self._similarity.append(similarities(v, w, min(self.subbands, h.shape[1])))
        self._ranks.append(ranks(w))
        self._efficiency.append(np.stack([efficiency(h, w, self.snr_db),
                                          best_efficiency(h, v, self.snr_db)]))

    def similarity(self) -> Dict[str, float]:
        """SGCS of the first layer, with its 95 % interval and 5 % point; 0 where nothing was reported."""
        first = np.concatenate([x[:, 0] for x in self._similarity]) if self._similarity else np.empty(0)
        return similarity_summary(np.nan_to_num(first))

    def figures(self) -> Dict[str, Any]:
        """rank_share: share of the reports with 0, 1 .. layers; sgcs_layers, sgcs_layers_5: mean and 5 %
        point of SGCS by layer, over the reports that have it, None if none has; se, se_perfect: mean
        spectral efficiency of the reported precoders, and of eigenvectors, at se_layers_snr_db."""
        if not self._ranks:
            return {}
        counts = np.bincount(np.concatenate(self._ranks), minlength=self.layers + 1)
        similarity = np.concatenate(self._similarity)
        some = [column[np.isfinite(column)] for column in similarity.T]
        se, perfect = np.concatenate(self._efficiency, axis=1).mean(axis=1)
        return {"rank_share": (counts / counts.sum()).tolist(),
                "sgcs_layers": [float(x.mean()) if len(x) else None for x in some],
                "sgcs_layers_5": [core.percentile(x, 5) if len(x) else None for x in some],
                "se_layers": float(se), "se_layers_perfect": float(perfect),
                "se_layers_snr_db": self.snr_db}


def describe(figures: Dict[str, Any]) -> List[Tuple[str, str]]:
    """Scores.figures() as lines of text: (name, values)."""
    shares = ", ".join(f"{rank}: {100 * share:.0f} %"
                       for rank, share in enumerate(figures["rank_share"]) if share)
    similarity = ", ".join(
        f"{layer}: {mean:.4f} ({low:.4f})" for layer, (mean, low) in enumerate(zip(
            figures["sgcs_layers"], figures["sgcs_layers_5"]), 1) if mean is not None)
    return [("rank", shares), ("SGCS", f"by layer (5 % point) {similarity}"),
            ("SE", f"{figures['se_layers']:.2f} bit/s/Hz at {figures['se_layers_snr_db']:g} dB, with "
                   f"perfect eigenvectors {figures['se_layers_perfect']:.2f}")]


class LayerMetrics(gr.basic_block):
    """Scores decoded reports of a channel model, and passes them on. Message port `pdus` (in, out): those
    of csi_hold.

    channel: the model that they are of; sample i is frame i, the number of which is sent modulo 2^16.
    scores: Scores. first: number of the first frame.
    """

    def __init__(self, channel: core.channel_model, scores: Scores, first: int = 0) -> None:
        gr.basic_block.__init__(self, "layers", None, None)
        self._channel, self.scores, self._last = channel, scores, first
        self._shape = (1, channel.nc(), channel.nt())
        for register in (self.message_port_register_in, self.message_port_register_out):
            register(pmt.intern("pdus"))
        self.set_msg_handler(pmt.intern("pdus"), self._handle)

    def _handle(self, message):
        self._score(message)
        self.message_port_pub(pmt.intern("pdus"), message)

    @guarded
    def _score(self, message):
        metadata, found = read_pdu(message, np.complex64) or ({}, None)
        if found is None or found.size != self._shape[1] * self._shape[2] or "frame" not in metadata:
            return
        # The nearest one to the last.
        frame = metadata["frame"]
        self._last = max(0, frame + FRAMES * round((self._last - frame) / FRAMES))
        self.scores.add(self._channel.generate(self._last).reshape(self._shape),
                        found.reshape(self._shape))


def of_codec(codec: Any, subbands: int) -> Optional[Scores]:
    """Scores of reports of an OpenCodec, None for one of UEs with one antenna."""
    if codec.nr == 1:
        return None
    return Scores(codec.nr, subbands, codec.snr_db, max(codec.ranks))


def allowed_ranks(nr: int, text: str, most: int = 4) -> Sequence[int]:
    """Ranks of an option: "1-4" or "2"; "": all up to nr and `most`. Raises ValueError."""
    allowed = f"1 to {min(nr, most)}, as 1-2 or 2"
    low, _, high = text.partition("-") if text else ("1", "-", str(min(nr, most)))
    try:
        first, last = int(low), int(high or low)
    except ValueError:
        raise ValueError(f"ranks is {text}, allowed is {allowed}") from None
    if not 1 <= first <= last <= min(nr, most):
        raise ValueError(f"ranks is {text}, allowed is {allowed}")
    return list(range(first, last + 1))
