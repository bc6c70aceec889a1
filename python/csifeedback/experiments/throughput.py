#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Throughput of a cell against bits: PMI codebooks, and the local KLT of eigenvectors at the bits of
enhanced Type II reports.

UEs with four antennas move at 3 km/h through channels of CDL-A to E around a BS with a dual-polarized
array, at 10 MHz (52 resource blocks) and 2 GHz. Each reports the dominant eigenvector of each subband
and a wideband CQI every 5 ms; the BS serves up to eight at once. No other cells.
"""

import dataclasses
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from ..downlink import Cell, Ftp, FullBuffer, Result, effective_channel, reported_sinr
from ..eigenvectors import vectors
from ..files import subplots, write_figure
from . import eigenvectors
from .bits import compact_bits
from .codebooks import codebooks

#: UEs of the cell, steps of their tracks, of STEP_S each, in wavelengths
USERS, STEPS, STEP_S, MOVED = 24, 40, 5e-3, 0.028
#: mean SNR that a port alone brings at an antenna of a UE, in dB: drawn between these
SNR_DB = -15.0, 10.0
STREAMS = 8
BANDWIDTH_HZ = 52 * 180e3
#: bits of the CQI beside each PMI, and its resolution in dB
CQI_BITS, CQI_DB = 4, 2.0
#: seconds with full buffers; offered traffic relative to what the cell serves then with perfect CSI
SECONDS, LOADS = 2.0, (0.05, 0.15, 0.3)
SETUP = eigenvectors.Setup(4, 4, 13, shipped=eigenvectors.SHIPPED)
#: enhanced Type II of these combinations, and the local KLT at their bits
COMBINATIONS = ("pc1", "pc2", "pc4", "pc6")
LOCAL_KLT = "local-klt"


@dataclasses.dataclass(frozen=True)
class Condition:
    """What a BS knows: delay of the reports in steps, SNR of the UEs' channel estimates."""

    delay: int = 1
    csi_snr_db: Optional[float] = None

    @property
    def title(self) -> str:
        return f"{self.delay * STEP_S * 1e3:.0f} ms, " + (
            "exact CSI" if self.csi_snr_db is None else f"CSI at {self.csi_snr_db:g} dB")


#: with the first one all codecs and loads, with the others COMBINATIONS[::2], full buffers and most load
CONDITIONS = Condition(), Condition(delay=4), Condition(csi_snr_db=10.0)


def of_subbands(h: np.ndarray, subbands: int) -> np.ndarray:
    """The middle row of each subband of h (users, steps, rows, nr, ports)."""
    return h[:, :, (2 * np.arange(subbands) + 1) * h.shape[2] // (2 * subbands)]


class Pool:
    """UEs on their tracks. h: (users, steps, rows, nr, ports), scaled for a noise of 1; a row of each
    subband: subband_h."""

    def __init__(self, setup: eigenvectors.Setup, users: int, steps: int, seed: int = 1) -> None:
        rng = np.random.default_rng(seed)
        panels, moved = setup.panels(), MOVED * np.arange(steps)[:, None]
        tracks = []
        for user in range(users):
            angle, snr_db = rng.uniform(0, 2 * np.pi), rng.uniform(*SNR_DB)
            h = panels.track(eigenvectors.FIRST + user,
                             moved * [np.cos(angle), np.sin(angle)])
            tracks.append(h * np.float32(np.sqrt(10 ** (snr_db / 10) / np.mean(np.abs(h) ** 2))))
        self.h = np.array(tracks)
        self.subband_h = of_subbands(self.h, setup.subbands)

    def estimates(self, snr_db: Optional[float], seed: int = 2) -> np.ndarray:
        """h as the UEs see it, with errors of so many dB below the mean power of each."""
        if snr_db is None:
            return self.h
        rng = np.random.default_rng(seed)
        power = np.mean(np.abs(self.h) ** 2, axis=(1, 2, 3, 4), keepdims=True)
        noise = rng.standard_normal((*self.h.shape, 2), np.float32) @ np.array([1, 1j], np.complex64)
        return self.h + np.float32(np.sqrt(power / 2 / 10 ** (snr_db / 10))) * noise


def precoders(estimates: np.ndarray, setup: eigenvectors.Setup, reporter: eigenvectors.Reporter,
              combinations: Sequence[str], with_type1: bool = True
              ) -> Iterator[Tuple[str, Optional[str], float, np.ndarray]]:
    """(codec, the codec that it is beside, bits of a PMI, W (users, steps, subbands, ports)) of the
    reports of these channels. reporter: of a model of W."""
    shape = (*estimates.shape[:2], setup.subbands, estimates.shape[4])
    flat = np.ascontiguousarray(estimates.reshape(-1, *estimates.shape[2:]))
    v = vectors(flat, setup.subbands, 1)[:, 0]
    yield "perfect eigenvectors", None, 0.0, v.reshape(shape)
    for name, codebook in codebooks(setup.n1, setup.n2, setup.subbands, 1):
        if not (with_type1 and name == "Type I mode 1") \
                and name not in [f"eType II {c}" for c in combinations]:
            continue
        pmis = [codebook.select(one, 1) for one in flat]
        w = np.stack([codebook.precoder(p)[:, :, 0] for p in pmis])
        bits = codebook.count_bits() + float(np.mean(
            [codebook.part2_bits(1, codebook.count(p)) for p in pmis]))
        yield name, None, bits, w.reshape(shape)
        found = eigenvectors.report(reporter, v[..., None], int(bits)) \
            if name.startswith("eType II") else None
        if found:
            yield reporter.label, name, found[0], found[1].reshape(shape)


def gain(ours: np.ndarray, other: np.ndarray, percent: Optional[float], seed: int = 3
         ) -> Tuple[float, float, float]:
    """Gain in per cent of mean or percentile of UPT over the same files (n,), and its 95 % interval, by
    bootstrap over the files."""
    def figure(x: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.mean(x, axis) if percent is None else np.percentile(x, percent, axis)

    index = np.random.default_rng(seed).integers(len(ours), size=(400, len(ours)))
    ratios = 100 * (figure(ours[index]) / figure(other[index]) - 1)
    return (float(100 * (figure(ours) / figure(other) - 1)), float(np.percentile(ratios, 2.5)),
            float(np.percentile(ratios, 97.5)))


def row_of(condition: Condition, traffic: str, codec: str, beside: Optional[str], bits: float,
           result: Result, other: Optional[Result]) -> Dict[str, Any]:
    """A line of the table. other: result of the codec that this one is beside."""
    all_bits = compact_bits(bits + CQI_BITS) if bits else None
    row = {"reports": condition.title, "traffic": traffic, "codec": codec, "beside": beside,
           "bits": round(bits + CQI_BITS, 1) if bits else None,
           "all_bits": all_bits and round(all_bits, 1), **result.summary()}
    if other is not None:
        for name, percent in (("gain", None), ("gain_5", 5)):
            row[name], row[f"{name}_low"], row[f"{name}_high"] = gain(result.upt, other.upt, percent)
    return row


def measure(samples: int, progress: Callable[[int, int], None], directory: str,
            setup: eigenvectors.Setup = SETUP, users: int = USERS, steps: int = STEPS,
            seconds: float = SECONDS, combinations: Sequence[str] = COMBINATIONS,
            conditions: Sequence[Condition] = CONDITIONS) -> List[Dict[str, Any]]:
    """All rows. samples: files of each load. directory: of data set and model."""
    (reporter,) = eigenvectors.reporters(setup, [eigenvectors.model_of(setup, directory, LOCAL_KLT)])
    pool = Pool(setup, users, steps)
    rows = []
    done, of = 0, 2 + 2 * len(combinations) + (len(conditions) - 1) * (
        1 + 2 * len(combinations[::2]))
    capacity = 0.0
    for number, condition in enumerate(conditions):
        estimates = pool.estimates(condition.csi_snr_db)
        seen = of_subbands(estimates, setup.subbands)
        results: Dict[Tuple[str, str], Result] = {}
        for codec, beside, bits, w in precoders(
                estimates, setup, reporter, combinations if number == 0 else combinations[::2],
                number == 0):
            # CQI of the estimated channel.
            ratio = reported_sinr(seen, w, CQI_DB)
            g = effective_channel(w, np.broadcast_to(ratio[..., None], w.shape[:3]))
            cell = Cell(pool.subband_h, g, BANDWIDTH_HZ, STEP_S, min(STREAMS, w.shape[3]),
                        condition.delay)
            full = cell.run(FullBuffer(seconds))
            if number == 0 and codec == "perfect eigenvectors":
                capacity = full.cell_bps
            loads = LOADS if number == 0 else LOADS[-1:]
            for traffic, result in (("full buffer", full), *(
                    (f"FTP, load {load:g}", cell.run(Ftp(load * capacity / 4e6, files=samples)))
                    for load in loads)):
                results[codec if beside is None else f"{codec} {beside}", traffic] = result
                rows.append(row_of(condition, traffic, codec, beside, bits, result,
                                   results.get((beside, traffic)) if beside else None))
            done += 1
            progress(done, of)
    return rows


def draw(path: str, rows: List[Dict[str, Any]], _: str = "") -> None:
    """Mean and 5 % UPT against the bits of a report, a column of panels a traffic."""
    first = [r for r in rows if r["reports"] == rows[0]["reports"]]
    traffics = list(dict.fromkeys(r["traffic"] for r in first))
    figure, axes = subplots(2, len(traffics), 3.4 * len(traffics), 6)
    for column, traffic in zip(axes.T, traffics):
        for axis, name, what in zip(column, ("upt_mbps", "upt_5_mbps"), ("mean", "5 % point")):
            some = [r for r in first if r["traffic"] == traffic]
            for number, kind in enumerate(("Type I", "eType II", "local KLT")):
                line = [r for r in some if r["bits"] and r["codec"].split(" mode")[0].split(" pc")[0]
                        == kind]
                axis.plot([r["bits"] for r in line], [r[name] for r in line], label=kind,
                          marker="os^"[number], markersize=4, linewidth=1, color=f"C{number}",
                          linestyle="-" if kind == "local KLT" else "--")
            axis.axhline(next(r[name] for r in some if not r["bits"]), color="black", linewidth=1,
                         linestyle=":", label="perfect eigenvectors")
            axis.set_title(f"{traffic}, {what}", fontsize=9)
            axis.grid(alpha=0.3)
    for axis in axes[:, 0]:
        axis.set_ylabel("UPT in Mbit/s")
    for axis in axes[-1]:
        axis.set_xlabel("bits of a report")
    axes[0][0].legend(fontsize=7)
    write_figure(figure, path, 100)


#: name -> function of (samples, progress, directory), title, default of --samples
EXPERIMENTS = {"throughput": (measure, "Throughput of a cell against bits of its reports", 300)}
#: measure() keeps data sets and models in the directory that it is given
KEEPS = True
