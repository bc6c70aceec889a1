#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Statistics of UMa, UMi, RMa and InH beside an independent implementation, Sionna 2.2 (`pip install
sionna-no-rt`).

Each UE is of a cell of its own, so that all of them are independent; Sionna has the same places, heights and
buildings, and draws all else itself. A line is a quantity of a scenario and state: both means and the
difference over its standard error, which is normal where the two agree.

    python3 -m gnuradio.csifeedback.experiments.scenario_statistics --ues 1000 -o statistics.csv
"""

import argparse
import csv
import sys
from typing import Any, Dict, List, Sequence

import numpy as np

from .. import csifeedback_python as core

#: scenario, release of TR 38.901
CASES = (("uma", 16), ("uma", 19), ("umi", 16), ("umi", 19), ("rma", 16), ("inh-open", 16),
         ("inh-mixed", 16))
VERSIONS = {16: "16.1", 19: "19.2"}
CARRIER_HZ = 6.5e9  #: from 6 GHz on Sionna too has the walls of Tables 7.4.3-1 and 7.4.3-2
#: delays of the parts of the strongest clusters, in cluster delay spreads, and their rays: Table 7.5-5
SUB_CLUSTERS = ((1.28, (8, 9, 10, 11, 16, 17)), (2.56, (12, 13, 14, 15)))
HIGH_LOSS_SHARE = 0.0  #: Sionna has one kind of buildings a model


def lg(x: Any) -> np.ndarray:
    """Decadic logarithm, of nothing smaller than 1e-30."""
    return np.log10(np.maximum(np.asarray(x, float), 1e-30))


def spread(values: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """RMS spreads of values (n, rays) weighted by powers."""
    total = powers.sum(axis=1)
    mean = (powers * values).sum(axis=1) / total
    return np.sqrt(np.maximum((powers * values ** 2).sum(axis=1) / total - mean ** 2, 0))


def circular(degrees: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """Circular standard deviations of azimuths (n, rays) in degrees."""
    mean = (powers * np.exp(1j * np.deg2rad(degrees))).sum(axis=1) / powers.sum(axis=1)
    return np.rad2deg(np.sqrt(-2 * np.log(np.minimum(np.abs(mean), 1 - 1e-12))))


def spreads(delay_s: np.ndarray, power: np.ndarray, aod: np.ndarray, zod: np.ndarray, aoa: np.ndarray,
            zoa: np.ndarray) -> Dict[str, np.ndarray]:
    """Spreads of the rays (n, rays) of UEs, angles in degrees."""
    return {"delays": spread(delay_s, power), "rays_asd": circular(aod, power),
            "rays_asa": circular(aoa, power), "rays_zsd": spread(zod, power),
            "rays_zsa": spread(zoa, power)}


def ours(scenario: str, release: int, count: int, first_seed: int = 1) -> Dict[str, np.ndarray]:
    """Quantities of UEs (count,), one of each of so many cells."""
    found: Dict[str, List[Any]] = {}
    for seed in range(first_seed, first_seed + count):
        channel = core.scenario_channel(
            scenario, nc=4, nt=2, carrier_hz=CARRIER_HZ, sector_element=False, downtilt_deg=0.0,
            high_loss_share=HIGH_LOSS_SHARE, release=release, align=False, seed=seed)
        rays = core.scenario_rays(channel, 0).T[:, None]
        for name, value in core.scenario_link(channel, 0).items():
            found.setdefault(name, []).append(value)
        for name, values in spreads(*rays).items():
            found.setdefault(name, []).append(values[0])
    return {name: np.array(values) for name, values in found.items()}


def theirs(scenario: str, release: int, places: Dict[str, np.ndarray], seed: int) -> Dict[str, np.ndarray]:
    """The same of Sionna, at these places."""
    import torch
    import sionna.phy
    from sionna.phy.channel import tr38901

    sionna.phy.config.seed = seed
    array = tr38901.PanelArray(
        num_rows_per_panel=1, num_cols_per_panel=1, polarization="single", polarization_type="V",
        antenna_pattern="omni", carrier_frequency=CARRIER_HZ)
    common: Dict[str, Any] = {"ut_array": array, "bs_array": array, "direction": "downlink",
                              "spec_version": VERSIONS[release]}
    if scenario.startswith("inh-"):
        model = tr38901.InH(CARRIER_HZ, indoor_scenario=scenario[len("inh-"):], **common)
    elif scenario == "rma":
        model = tr38901.RMa(CARRIER_HZ, **common)
    else:
        model = {"uma": tr38901.UMa, "umi": tr38901.UMi}[scenario](CARRIER_HZ, "low", **common)
    n = len(places["x_m"])
    height = {"uma": 25.0, "umi": 10.0, "rma": 35.0}.get(scenario, 3.0)
    tensor = torch.tensor
    zeros = torch.zeros((n, 1, 3))
    indoor = places["indoor"] | scenario.startswith("inh-")
    options = {}
    if scenario == "rma":
        options["in_car"] = tensor(places["car"])[:, None]
    model.set_topology(
        tensor(np.stack([places["x_m"], places["y_m"], places["height_m"]], 1)[:, None],
               dtype=torch.float32),
        tensor(np.tile([0, 0, height], (n, 1, 1)), dtype=torch.float32), zeros, zeros, zeros,
        tensor(indoor)[:, None], **options)
    lsp, state = model._lsp, model._scenario
    rays = model._ray_sampler(lsp)

    def flat(x: Any) -> np.ndarray:
        return x.detach().numpy().reshape(n, -1).astype(float)

    def one(x: Any) -> np.ndarray:
        return flat(x)[:, 0]

    los, k = flat(state.los)[:, 0] > 0, one(lsp.k_factor)
    powers = flat(rays.powers)
    aod, zod, aoa, zoa = (np.rad2deg(x.detach().numpy().reshape(n, powers.shape[1], -1).astype(float))
                          for x in (rays.aod, rays.zod, rays.aoa, rays.zoa))
    # The direct path, and the rays of the two strongest clusters in three parts of other delays, as the
    # coefficients are made of them.
    of_rays = np.repeat((powers / np.where(los, 1 + k, 1)[:, None])[:, :, None] / aod.shape[2],
                        aod.shape[2], axis=2)
    delays = np.repeat(flat(rays.delays)[:, :, None], aod.shape[2], axis=2)
    floor = one(state.get_param("cDS")) * 1e-9
    strongest = np.argsort(-powers, axis=1)[:, :2]
    for part, numbers in SUB_CLUSTERS:
        for column in strongest.T:
            for number in numbers:
                delays[np.arange(n), column, number] += part * floor
    d2d = np.hypot(places["x_m"], places["y_m"])
    zenith = np.rad2deg(np.arctan2(d2d, places["height_m"] - height))
    azimuth = np.rad2deg(np.arctan2(places["y_m"], places["x_m"]))

    def with_direct(first: Any, others: np.ndarray) -> np.ndarray:
        return np.concatenate([np.broadcast_to(first, n)[:, None], others.reshape(n, -1)], axis=1)

    found = spreads(with_direct(0.0, delays), with_direct(np.where(los, k / (1 + k), 0), of_rays),
                    with_direct(azimuth, aod), with_direct(zenith, zod),
                    with_direct(azimuth + 180, aoa), with_direct(180 - zenith, zoa))
    return {
        "los": flat(state.outdoor_los)[:, 0] > 0, "path_loss_db": one(lsp.pathloss),
        "shadowing_db": 10 * lg(one(lsp.sf)), "k_db": np.where(los, 10 * lg(k), 0),
        "delay_spread_s": one(lsp.ds), "asd_deg": one(lsp.asd), "asa_deg": one(lsp.asa),
        "zsd_deg": one(lsp.zsd), "zsa_deg": one(lsp.zsa), "clusters": (powers > 0).sum(axis=1),
        **found}


#: quantity -> (title, function of a source)
QUANTITIES = {
    "coupling loss, dB": lambda d: d["shadowing_db"] - d["path_loss_db"],
    "path loss, dB": lambda d: d["path_loss_db"],
    "shadowing, dB": lambda d: d["shadowing_db"],
    "K, dB": lambda d: d["k_db"],
    "lg DS": lambda d: lg(d["delay_spread_s"]),
    "lg ASD": lambda d: lg(d["asd_deg"]), "lg ASA": lambda d: lg(d["asa_deg"]),
    "lg ZSD": lambda d: lg(d["zsd_deg"]), "lg ZSA": lambda d: lg(d["zsa_deg"]),
    "clusters": lambda d: np.asarray(d["clusters"], float),
    "lg DS of rays": lambda d: lg(d["delays"]),
    "lg ASD of rays": lambda d: lg(d["rays_asd"]), "lg ASA of rays": lambda d: lg(d["rays_asa"]),
    "lg ZSD of rays": lambda d: lg(d["rays_zsd"]), "lg ZSA of rays": lambda d: lg(d["rays_zsa"]),
}


def compare(scenario: str, release: int, a: Dict[str, np.ndarray], b: Dict[str, np.ndarray]
            ) -> List[Dict[str, Any]]:
    """Lines of a scenario: means and standard deviations of both sources."""
    indoor = a["indoor"]
    rows = []

    def line(state: str, quantity: str, x: np.ndarray, y: np.ndarray) -> None:
        def z(x: np.ndarray, y: np.ndarray) -> float:
            error = np.sqrt(np.var(x) / len(x) + np.var(y) / len(y))
            return float((np.mean(x) - np.mean(y)) / error) if error > 0 else 0.0

        rows.append({"scenario": scenario, "release": release, "state": state, "quantity": quantity,
                     "ues": len(x), "mean": np.mean(x), "sionna_mean": np.mean(y), "z_mean": z(x, y),
                     "std": np.std(x), "sionna_std": np.std(y),
                     "z_std": z((x - np.mean(x)) ** 2, (y - np.mean(y)) ** 2)})

    line("all", "LOS probability", a["los"].astype(float), b["los"].astype(float))
    for state, mine, other in (("LOS", a["los"] & ~indoor, b["los"] & ~indoor),
                               ("NLOS", ~a["los"] & ~indoor, ~b["los"] & ~indoor),
                               ("O2I", indoor, indoor)):
        if min(mine.sum(), other.sum()) < 30:
            continue
        for quantity, function in QUANTITIES.items():
            if quantity != "K, dB" or state == "LOS":
                line(state, quantity, function(a)[mine], function(b)[other])
    return rows


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ues", type=int, default=1000, metavar="N", help="of a scenario (default: 1000)")
    parser.add_argument("--seed", type=int, default=1, help="of both sources (default: 1)")
    parser.add_argument("-o", "--output", required=True, metavar="FILE", help="table, CSV")
    args = parser.parse_args(argv)
    rows = []
    for scenario, release in CASES:
        a = ours(scenario, release, args.ues, args.seed)
        rows += compare(scenario, release, a, theirs(scenario, release, a, args.seed))
        print(f"{scenario}, release {release}", file=sys.stderr)
    with open(args.output, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()}
                         for row in rows)
    for kind in ("z_mean", "z_std"):
        z = np.array([row[kind] for row in rows])
        print(f"{kind}: {len(z)} comparisons, RMS {np.sqrt(np.mean(z ** 2)):.2f}, "
              f"largest {np.max(np.abs(z)):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
