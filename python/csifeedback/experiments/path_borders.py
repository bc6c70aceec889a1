#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Where paths are not enough: the path codec beside the entropy-coded local KLT on channels with more
paths than bits can name, and on channels that are no sums of plane waves.

Both codecs have the tables of the same channel, COST 2100 outdoor or CDL-A with random angles, and
have seen none of the channels here but the first two.
"""

import dataclasses
from typing import Any, Callable, Dict, List, Sequence

import numpy as np

from .. import csifeedback_python as core
from .. import evaluation
from ..channels import make_channel
from ..files import subplots, write_figure
from .sources import FIRST

#: most bits of a report
BUDGETS = (128, 256, 512)
NC, NA, NT, PRECURSOR = 1024, 32, 32, 4
BANDWIDTH_HZ, CARRIER_HZ, LIGHT_M_S = 20e6, 3.5e9, 299792458.0
#: of near-field channels: scatterers, and rms delay of their other part of the way in s
SCATTERERS, SCATTER_DELAY_S = 6, 150e-9
CDL = {"delay_spread_s": 100e-9, "angle_span_deg": 120.0}
OUTDOOR, RANDOM = "cost2100-outdoor", "cdl-a-random"
#: name of the local KLT's reports
ENTROPY = evaluation.ReportChoice(0, "entropy", 0)


@dataclasses.dataclass(frozen=True)
class Case:
    """Channels, and how the names of the models begin that are tried on them."""

    title: str
    models: str
    matrices: Callable[[int, np.random.Generator], np.ndarray]  #: (count, rng) -> Ha


def drops(name: str, count: int, **parameters: Any) -> np.ndarray:
    """Ha of a channel model, (count, na, nt)."""
    return core.generate_channels(make_channel(name, **parameters), FIRST, count, NA, PRECURSOR)[0]


def white(count: int, rng: np.random.Generator) -> np.ndarray:
    """Rayleigh fading, white in delay and angle."""
    parts = rng.standard_normal((2, count, NA, NT))
    return (parts[0] + 1j * parts[1]).astype(np.complex64)


def through_array(gain_db: float, phase_deg: float) -> Callable[[int, np.random.Generator], np.ndarray]:
    """COST 2100 outdoor through antennas whose gains and phases have these rms errors, of every drop
    others."""
    def matrices(count: int, rng: np.random.Generator) -> np.ndarray:
        response = 10 ** (gain_db / 20 * rng.standard_normal((count, 1, NT))) \
            * np.exp(1j * np.deg2rad(phase_deg) * rng.standard_normal((count, 1, NT)))
        antennas = np.fft.ifft(drops(OUTDOOR, count), axis=2, norm="ortho")
        return np.fft.fft(antennas * response, axis=2, norm="ortho").astype(np.complex64)
    return matrices


def spherical(distance_m: float) -> Callable[[int, np.random.Generator], np.ndarray]:
    """Spherical waves of scatterers at about this distance from a line of antennas half a wavelength
    apart: each antenna has the phase and the delay of its own distance."""
    def matrices(count: int, rng: np.random.Generator) -> np.ndarray:
        place = (np.arange(NT) - (NT - 1) / 2) * LIGHT_M_S / CARRIER_HZ / 2
        shape = (count, SCATTERERS, 1)
        sine = np.sin(np.deg2rad(rng.uniform(-60, 60, shape)))
        near = distance_m * rng.uniform(0.7, 1.3, shape)
        way = np.sqrt(near**2 + place**2 - 2 * near * place * sine)
        delay = rng.exponential(SCATTER_DELAY_S, shape)
        # The first one is there at delay zero.
        delay = delay + (way - distance_m) / LIGHT_M_S
        delay -= delay.min(axis=(1, 2), keepdims=True)
        power = np.exp(-delay.mean(axis=2, keepdims=True) / SCATTER_DELAY_S)
        parts = rng.standard_normal((2, *shape))
        gain = np.sqrt(power) * (parts[0] + 1j * parts[1]) * near / way \
            * np.exp(-2j * np.pi * way * CARRIER_HZ / LIGHT_M_S)
        transform = core.angular_delay_transform(NC, NT, NA, PRECURSOR)
        frequency = np.arange(NC) * BANDWIDTH_HZ / NC
        found = []
        for g, t in zip(gain, delay):
            ramp = np.exp(-2j * np.pi * frequency[:, None, None] * t)
            found.append(transform.forward(np.sum(g * ramp, axis=1).astype(np.complex64))[0])
        return np.array(found)
    return matrices


CASES: Sequence[Case] = (
    Case("COST 2100 outdoor", OUTDOOR, lambda n, _: drops(OUTDOOR, n)),
    Case("CDL-A", RANDOM, lambda n, _: drops("cdl-a", n, **CDL)),
    Case("CDL-B", RANDOM, lambda n, _: drops("cdl-b", n, **CDL)),
    Case("CDL-C", RANDOM, lambda n, _: drops("cdl-c", n, **CDL)),
    Case("Rayleigh, white in delay and angle", RANDOM, white),
    Case("array errors 0.5 dB, 5 degrees", OUTDOOR, through_array(0.5, 5)),
    Case("array errors 1 dB, 10 degrees", OUTDOOR, through_array(1, 10)),
    Case("array errors 2 dB, 20 degrees", OUTDOOR, through_array(2, 20)),
    Case("spherical waves, 30 m", OUTDOOR, spherical(30)),
    Case("spherical waves, 10 m", OUTDOOR, spherical(10)),
    Case("spherical waves, 5 m", OUTDOOR, spherical(5)))


def measure(samples: int, progress: Callable[[int, int], None],
            cases: Sequence[Case] = CASES, budgets: Sequence[int] = BUDGETS) -> List[Dict[str, Any]]:
    """A row for each case and budget: NMSE of both codecs in dB with its 95 % intervals."""
    rows: List[Dict[str, Any]] = []
    for number, case in enumerate(cases):
        ha = case.matrices(samples, np.random.default_rng(number))
        evaluator = evaluation.Evaluator(ha, np.zeros(len(ha)), NC, PRECURSOR, rho_samples=2)
        path, klt = (evaluation.Codec(f"{case.models}-{name}") for name in ("path", "local-klt"))
        for budget in budgets:
            both = {"path": evaluator.run_budget(path, budget),
                    "local_klt": evaluator.run_budget(klt, budget, ENTROPY)}
            rows.append({"channel": case.title, "models": case.models, "budget": budget,
                         **{f"{name}_{key}": row[key] for name, row in both.items()
                            for key in ("nmse_db", "nmse_db_low", "nmse_db_high")},
                         "gain_db": both["local_klt"]["nmse_db"] - both["path"]["nmse_db"],
                         "samples": samples})
            progress(len(rows), len(cases) * len(budgets))
    return rows


def draw(path: str, rows: List[Dict[str, Any]], _: str = "") -> None:
    """How far the path codec is ahead, a bar for each budget."""
    channels = list(dict.fromkeys(r["channel"] for r in rows))
    budgets = sorted({r["budget"] for r in rows})
    figure, ((axis,),) = subplots(1, 1, 9, 0.5 * len(channels) + 1.5)
    height = 0.8 / len(budgets)
    for number, budget in enumerate(budgets):
        y = np.arange(len(channels)) + (number - (len(budgets) - 1) / 2) * height
        gain = {r["channel"]: r["gain_db"] for r in rows if r["budget"] == budget}
        axis.barh(y, [gain.get(c, np.nan) for c in channels], height, label=f"{budget} bits")
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set_yticks(np.arange(len(channels)), channels)
    axis.invert_yaxis()
    axis.set_xlabel("NMSE of the entropy-coded local KLT less that of paths, dB")
    axis.grid(alpha=0.3, axis="x")
    axis.legend(fontsize=8)
    write_figure(figure, path, 110)


#: name -> function of (samples, progress), title, default of --samples
EXPERIMENTS = {"path-borders": (
    measure, "Paths and the local KLT on channels that are no sums of few plane waves", 500)}
