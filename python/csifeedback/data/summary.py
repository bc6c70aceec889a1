#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What is in a data set: figures and a picture."""

from typing import Any, Dict

import numpy as np

from ..files import write_figure
from ..progress import Progress
from .dataset import Dataset


def statistics(data: Dataset) -> Dict[str, Any]:
    """Energy, energy lost by the truncation (each mean, extremes and percentiles) and the mean
    power of each delay row, over all matrices of a data set."""
    power = np.zeros(data.na)
    progress = Progress("reading", len(data))
    done = 0
    for ha in data.chunks():
        power += np.square(np.abs(ha), dtype=np.float64).sum(axis=(0, 2))
        done += len(ha)
        progress.update(done)
    lost = data.energy_lost
    return {
        "energy": {"mean": float(np.mean(data.energy, dtype=np.float64)),
                   "least": float(data.energy.min()), "most": float(data.energy.max())},
        "energy_lost": {"mean": float(np.mean(lost, dtype=np.float64)),
                        "median": float(np.median(lost)),
                        "percentile_95": float(np.percentile(lost, 95)),
                        "most": float(lost.max())},
        "row_power": (power / len(data)).tolist(),
    }


def draw(path: str, data: Dataset, facts: Dict[str, Any]) -> None:
    """Delay profile, energy lost, and |Ha| of the first samples, as a picture.

    facts: what statistics() returns.
    """
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplot_mosaic("PPLL;0123", figsize=(11, 6), constrained_layout=True)
    delays = np.arange(data.na) - data.precursor
    power = np.array(facts["row_power"])
    axes["P"].plot(delays, 10 * np.log10(np.maximum(power, 1e-12 * power.max() or 1e-300)), "o-",
                   markersize=3, linewidth=1)
    axes["P"].set(xlabel="delay row, 1 / bandwidth", ylabel="mean ||Ha row||$^2$ in dB")
    axes["P"].grid(alpha=0.3)
    axes["L"].hist(100 * data.energy_lost, bins=50)
    axes["L"].set(xlabel="energy lost by truncation in %", ylabel="samples")
    ha = next(data.chunks())
    for i in range(4):
        if i < len(ha):
            axes[str(i)].imshow(np.abs(ha[i]), aspect="auto", interpolation="nearest",
                                extent=(-0.5, data.nt - 0.5, delays[-1] + 0.5, delays[0] - 0.5))
            axes[str(i)].set(title=f"|Ha| of sample {i}", xlabel="angle", ylabel="delay row")
        else:
            axes[str(i)].set_axis_off()
    figure.suptitle(f"{data.channel or data.path}, {len(data)} samples")
    write_figure(figure, path, 120)
    plt.close(figure)
