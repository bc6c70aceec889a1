#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Codecs on ray-traced sites: with the models of other channels, and trained on another part of the site.

The paths come from trace_site.py, a file SITE.npz for each site. Every file is cut in two by the UEs' place,
west and east of the median: training is on the west, tests are in the east.
"""

import dataclasses
import glob
import json
import os
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np

from .. import csifeedback_python as core
from .. import evaluation
from ..data.dataset import Dataset
from ..data.generate import PRECURSOR, write
from ..files import subplots, write_figure
from ..training import run
from . import bits

#: most bits of a report
BUDGETS = (64, 128, 256, 512)
NC, NA, NT, SPACING_HZ = 1024, 32, 32, 19531.25
#: an earlier path is the first one unless it is weaker than the strongest by more than this, in dB
FIRST_PATH_DB = 20.0
#: channels whose models are carried over, by the beginning of the models' names
CHANNELS = {channel.models: channel for channel in bits.CHANNELS[:3]}
#: matrices on which the pairs of codecs with codewords are chosen, of the model's own channel
VALIDATION = 60
ENTROPY = evaluation.ReportChoice(0, "entropy", 0)
#: codecs that are trained on the site
TRAINED = ("path", "local-klt")


@dataclasses.dataclass(frozen=True)
class Site:
    """Paths of UEs, as trace_site.py describes them."""

    name: str
    start: np.ndarray
    delay_s: np.ndarray
    gain: np.ndarray
    cosine: np.ndarray
    position: np.ndarray
    settings: Dict[str, Any]

    def __len__(self) -> int:
        return len(self.position)

    def part(self, east: bool) -> np.ndarray:
        """Numbers of the UEs of one half."""
        x = self.position[:, 0]
        return np.flatnonzero((x > np.median(x)) == east)

    def matrices(self, ues: Any, nc: int = NC, nt: int = NT,
                 spacing_hz: float = SPACING_HZ) -> np.ndarray:
        """H of the UEs with these numbers (k,), complex64 (k, nc, nt), scaled to a mean power of 1, the
        first path that is not much weaker than the strongest at delay zero. Antennas are half a wavelength
        apart."""
        frequency = np.arange(nc) * spacing_hz
        found = np.empty((len(ues), nc, nt), np.complex64)
        for h, ue in zip(found, ues):
            some = slice(self.start[ue], self.start[ue + 1])
            gain, delay = self.gain[some].astype(complex), self.delay_s[some].astype(float)
            power = np.abs(gain)
            delay = delay - delay[power >= power.max() * 10 ** (-FIRST_PATH_DB / 20)].min()
            # One turn for each subcarrier, one for each antenna.
            ramp = np.exp(-2j * np.pi * frequency[:, None] * delay)
            steering = np.exp(1j * np.pi * self.cosine[some].astype(float)[:, None] * np.arange(nt))
            h[:] = (ramp * gain) @ steering
            h /= np.sqrt(np.mean(np.abs(h) ** 2))
        return found

    def effective_paths(self) -> np.ndarray:
        """For each UE the number of equally strong paths with the same spread of powers."""
        power = np.abs(self.gain) ** 2
        total = np.add.reduceat(power, self.start[:-1])
        return total ** 2 / np.add.reduceat(power ** 2, self.start[:-1])


def read_site(path: str) -> Site:
    """The paths in a file of trace_site.py. Raises ValueError if it is none."""
    name = os.path.basename(path).removesuffix(".npz")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in ("start", "delay_s", "gain", "cosine", "position")}
            settings = json.loads(str(file["settings"]))
    except (KeyError, OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: is no file of trace_site.py: {error}") from None
    start, count = arrays["start"], len(arrays["delay_s"])
    if not (len(start) == len(arrays["position"]) + 1 and start[0] == 0 and start[-1] == count
            and np.all(np.diff(start) > 0) and len(arrays["gain"]) == len(arrays["cosine"]) == count):
        raise ValueError(f"{path}: the arrays do not fit together")
    return Site(name, settings=settings, **arrays)


def dataset(site: Site, ues: Any, path: str) -> None:
    """Writes Ha of these UEs as a data set, unless it is there."""
    transform = core.angular_delay_transform(NC, NT, NA, PRECURSOR)

    def make(begin: int, count: int) -> Tuple[np.ndarray, np.ndarray, np.ndarray]:
        h = site.matrices(ues[begin:begin + count])
        ha, lost, _ = transform.forward(h)
        return ha, np.sum(np.abs(h) ** 2, axis=(1, 2)), lost

    write(path, len(ues), {
        "domain": "Ha", "nc": NC, "na": NA, "nt": NT, "precursor": PRECURSOR, "align": 1,
        "spacing_hz": SPACING_HZ, "sample_interval_s": 0.0,
        "command": f"trace_site.py {json.dumps(site.settings)}"}, make)


def models_of(site: Site, directory: str) -> Dict[str, str]:
    """Trains what can be trained in a minute on the west of the site; {codec: model file}."""
    data = os.path.join(directory, f"{site.name}-west.h5")
    dataset(site, site.part(False), data)
    models = {}
    for codec in TRAINED:
        models[codec] = os.path.join(directory, f"{site.name}-{codec}.h5")
        argv = ["--codec", codec, "--dataset", data, "-o", models[codec]]
        if not os.path.exists(models[codec]) or not run.made_by(models[codec], argv):
            run.train([*argv, "--overwrite"])
    return models


def choices(codec: Any, channel: bits.Channel, budgets: Sequence[int]) -> Dict[int, Any]:
    """For each budget the pair of code size and quantizer or entropy coder that is best on the channel
    of the model."""
    matrices = channel.matrices(bits.VALIDATION_FIRST, VALIDATION)
    evaluator = evaluation.Evaluator(*matrices, NC, PRECURSOR, 0)
    return {budget: evaluation.choose_report(codec, evaluator, budget)[0] for budget in budgets}


def measure(samples: int, progress: Callable[[int, int], None], directory: str,
            budgets: Sequence[int] = BUDGETS,
            carried: Sequence[str] = ("path", "local-klt", "csi-l2o")) -> List[Dict[str, Any]]:
    """A row for each site, codec, model and budget: NMSE in dB against the delay rows and against the
    whole channel, with its 95 % interval. samples: most test matrices of a site."""
    files = sorted(glob.glob(os.path.join(directory, "*.npz")))
    if not files:
        raise ValueError(f"{directory} has no .npz file: make one of each site with "
                         f"{os.path.join(os.path.dirname(__file__), 'trace_site.py')}, see docs/path.md")
    chosen: Dict[str, Any] = {}
    rows: List[Dict[str, Any]] = []
    done, steps = 0, len(files) * (len(CHANNELS) * len(carried) + len(TRAINED) + 2)
    for path in files:
        site = read_site(path)
        ues = site.part(True)[:samples]
        own = models_of(site, directory)
        data = os.path.join(directory, f"{site.name}-east.h5")
        dataset(site, site.part(True), data)
        with Dataset(data) as test:
            n = len(ues)
            ha, lost = test.read_truncated(0, n), test.energy_lost[:n]
        cut = evaluation.Evaluator(ha, lost, NC, PRECURSOR, 0)
        whole = evaluation.Evaluator(None, None, NC, 0, 0, site.matrices(ues))
        tasks = [(f"{models}-{name}", name, models) for models in CHANNELS for name in carried]
        tasks += [("universal-path", "path", "all three"),
                  ("cost2100-outdoor-path-whole", "path-whole", "cost2100-outdoor")]
        tasks += [(model, name, "the west of the site") for name, model in own.items()]
        for spec, name, trained in tasks:
            codec = evaluation.Codec(spec)
            if name == "csi-l2o" and spec not in chosen:
                chosen[spec] = choices(codec, CHANNELS[trained], budgets)
            for budget in budgets:
                choice = chosen[spec][budget] if name == "csi-l2o" else \
                    ENTROPY if name == "local-klt" else None
                row = (whole if name == "path-whole" else cut).run_budget(codec, budget, choice)
                rows.append({"site": site.name, "codec": name, "trained": trained, "budget": budget,
                             **{key: row[key] for key in ("nmse_db", "nmse_db_low", "nmse_db_high",
                                                          "nmse_whole_db", "samples")}})
            done += 1
            progress(done, steps)
    return rows


def draw(path: str, rows: List[Dict[str, Any]], _: str = "") -> None:
    """NMSE against bits, a panel for each site."""
    sites = list(dict.fromkeys(r["site"] for r in rows))
    figure, axes = subplots(1, len(sites), 5.2 * len(sites), 4.6)
    for axis, site in zip(axes[0], sites):
        lines: Dict[Tuple[str, str], List[Dict[str, Any]]] = {}
        for r in rows:
            if r["site"] == site and r["codec"] != "path-whole":
                lines.setdefault((r["codec"], r["trained"]), []).append(r)
        names = list(dict.fromkeys(codec for codec, _ in lines))
        trained = list(dict.fromkeys(t for _, t in lines))
        for (codec, t), some in lines.items():
            axis.plot([r["budget"] for r in some], [r["nmse_db"] for r in some], linewidth=1, markersize=4,
                      color=f"C{names.index(codec)}", marker="os^D"[names.index(codec) % 4],
                      linestyle=("-", "--", ":", "-.", (0, (1, 3)))[trained.index(t) % 5],
                      label=f"{codec}, {t}")
        axis.set_xscale("log", base=2)
        budgets = sorted({r["budget"] for r in rows})
        axis.set_xticks(budgets, [str(b) for b in budgets])
        axis.set_xlabel("bits of a report")
        axis.set_ylabel("NMSE in dB")
        axis.set_title(site, fontsize=10)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=6)
    write_figure(figure, path, 110)


#: the functions take the directory of the sites' files
KEEPS = True
#: name -> function of (samples, progress, directory), title, default of --samples
EXPERIMENTS = {"sites": (measure, "Every codec on ray-traced sites", 500)}
