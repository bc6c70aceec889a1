#!/usr/bin/env python3
#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Traces the paths from an antenna on a roof to UEs in the streets of a scene, with Sionna RT.

Runs by itself, in an environment that has sionna-rt and NumPy and needs neither GNU Radio nor this
module; docs/path.md says how to make one. The paths are plane waves, so that one file serves any
number of antennas, any bandwidth and any number of subcarriers: see experiments/sites.py.

The file (.npz) has, for n UEs with k paths in all:
  start      int64 (n + 1,): UE i has the paths start[i] to start[i + 1] - 1
  delay_s    float32 (k,): behind the UE's first path
  gain       complex64 (k,): at the carrier frequency
  cosine     float32 (k,): of the angle between departure and the array's axis
  position   float32 (n, 3): of the UEs, in m, the array at the origin of x and y
  settings   text, JSON
"""

import argparse
import json
import sys
from typing import Any, Iterator, Sequence, Tuple

import numpy as np

#: height of UEs above the ground, of the array above its roof, and of roofs that are taken, in m
UE_HEIGHT, MAST, ROOFS = 1.5, 3.0, (12.0, 45.0)
#: a roof point is at an edge if the ground is seen so far away from it, in m
EDGE = 6.0
#: what is higher than this above the lowest point is no ground, in m
GROUND = 2.0
#: paths of a UE that are weaker than the strongest by more than this are left out, in dB
WEAKEST_DB = 50.0
#: UEs that are traced at once
BATCH = 50


class Scene:
    """A scene of Sionna RT, seen from above."""

    def __init__(self, name: str, carrier_hz: float, scattering: float) -> None:
        import mitsuba
        import sionna.rt as rt
        self.rt, self.mi = rt, mitsuba
        place = getattr(rt.scene, name, name)
        self.scene = rt.load_scene(place)
        self.scene.frequency = carrier_hz
        self.scene.tx_array = self.scene.rx_array = rt.PlanarArray(
            num_rows=1, num_cols=1, pattern="iso", polarization="V")
        for material in self.scene.radio_materials.values():
            material.scattering_coefficient = scattering
        box = self.scene.mi_scene.bbox()
        self.low, self.high = np.array(box.min).ravel(), np.array(box.max).ravel()
        self.ground = float(self.low[2])

    def height(self, xy: np.ndarray) -> np.ndarray:
        """Heights of the highest surface at points (n, 2), not a number where there is none."""
        mi = self.mi
        x, y = np.ascontiguousarray(xy, np.float32).T
        top = float(self.high[2]) + 10
        ray = mi.Ray3f(mi.Point3f(mi.Float(x), mi.Float(y), mi.Float(np.full(len(x), top, np.float32))),
                       mi.Vector3f(0, 0, -1))
        hit = self.scene.mi_scene.ray_intersect(ray)
        z = np.array(hit.p.z).ravel()
        return np.where(np.array(hit.is_valid()).ravel(), z, np.nan)

    def streets(self, rng: np.random.Generator, count: int, center: np.ndarray,
                radius: float) -> np.ndarray:
        """Points (count, 2) in streets and squares, at random within a radius."""
        found = np.empty((0, 2))
        for _ in range(1000):
            if len(found) >= count:
                return found[:count]
            angle, r = rng.uniform(0, 2 * np.pi, 4 * count), radius * np.sqrt(rng.uniform(0, 1, 4 * count))
            xy = center + np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)
            z = self.height(xy)
            with np.errstate(invalid="ignore"):
                found = np.concatenate([found, xy[z < self.ground + GROUND]])
        raise ValueError(f"--radius is {radius}: there are no streets around")

    def roof(self, rng: np.random.Generator) -> Tuple[np.ndarray, np.ndarray]:
        """(x, y, z) of a roof's edge, and the direction of the edge in the plane."""
        middle, size = (self.low + self.high)[:2] / 2, (self.high - self.low)[:2]
        around = np.arange(16) * 2 * np.pi / 16
        ring = EDGE * np.stack([np.cos(around), np.sin(around)], axis=1)
        for _ in range(100000):
            xy = middle + size * rng.uniform(-0.25, 0.25, 2)
            z = self.height(xy[None])[0] - self.ground
            if not ROOFS[0] <= z <= ROOFS[1]:
                continue
            with np.errstate(invalid="ignore"):
                is_street = self.height(xy + ring) < self.ground + GROUND
            if 3 <= is_street.sum() <= 8:
                out = ring[is_street].mean(axis=0)
                return np.array([*xy, z + self.ground + MAST]), np.array([-out[1], out[0]]) / np.hypot(*out)
        raise ValueError("the scene has no roof of a usual height in its middle; give --bs")

    def trace(self, bs: np.ndarray, points: np.ndarray, args: Any) \
            -> Iterator[Tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """(gain, delay in s, direction of departure (k, 3)) of each UE."""
        rt = self.rt
        for name in list(self.scene.transmitters) + list(self.scene.receivers):
            self.scene.remove(name)
        self.scene.add(rt.Transmitter("bs", position=[float(x) for x in bs]))
        for i, (x, y) in enumerate(points):
            self.scene.add(rt.Receiver(f"ue{i}", position=[float(x), float(y), float(self.ground) + UE_HEIGHT]))
        paths = rt.PathSolver()(
            self.scene, max_depth=args.depth, los=True, specular_reflection=True,
            diffuse_reflection=args.scattering > 0, refraction=False, diffraction=True,
            synthetic_array=True, samples_per_src=args.rays, seed=args.seed)
        a, tau = paths.cir(normalize_delays=False, out_type="numpy")
        # One antenna at each end, one BS, one instant.
        a = np.asarray(a).reshape(len(points), -1)
        tau = np.asarray(tau).reshape(len(points), -1)
        theta, phi = (np.array(x).reshape(len(points), -1) for x in (paths.theta_t, paths.phi_t))
        for g, t, th, ph in zip(a, tau, theta, phi):
            there = (t >= 0) & (np.abs(g) > 0)
            th, ph = th[there], ph[there]
            yield g[there], t[there], np.stack(
                [np.sin(th) * np.cos(ph), np.sin(th) * np.sin(ph), np.cos(th)], axis=1)


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", 1)[0])
    add = parser.add_argument
    add("scene", help="name of a scene that comes with Sionna RT, for example munich or simple_street_canyon, "
                      "or its XML file")
    add("-o", "--output", required=True, metavar="FILE", help="paths, .npz")
    add("--samples", type=int, default=1000, metavar="N", help="UEs with paths (default: %(default)s)")
    add("--bs", nargs=3, type=float, metavar=("X", "Y", "Z"),
        help="the array, in m (default: 3 m above the edge of a roof in the middle, drawn by --seed)")
    add("--axis", type=float, metavar="DEG", help="direction of the array in the plane (default: along the "
                                                  "roof's edge; with --bs 0)")
    add("--radius", type=float, default=250, metavar="M", help="of the UEs around it (default: %(default)s)")
    add("--carrier", type=float, default=3.5e9, metavar="HZ", help="default: 3.5e9")
    add("--scattering", type=float, default=0, metavar="S",
        help="scattering coefficient of all surfaces, 0 to 1; 0: no diffuse paths (default: 0)")
    add("--depth", type=int, default=5, metavar="N", help="most interactions of a path (default: 5)")
    add("--rays", type=int, default=1000000, metavar="N", help="that the BS shoots (default: 1000000)")
    add("--seed", type=int, default=1, help="of the roof, the UEs and the rays (default: 1)")
    args = parser.parse_args(argv)
    rng = np.random.default_rng(args.seed)
    scene = Scene(args.scene, args.carrier, args.scattering)
    if args.bs:
        bs, axis = np.array(args.bs), np.array([1.0, 0.0])
    else:
        bs, axis = scene.roof(rng)
    if args.axis is not None:
        axis = np.array([np.cos(np.deg2rad(args.axis)), np.sin(np.deg2rad(args.axis))])
    print(f"{args.scene}: array at {bs.round(1)}, axis {np.rad2deg(np.arctan2(axis[1], axis[0])):.0f} degrees",
          file=sys.stderr)
    delay: Any = []
    gain: Any = []
    cosine: Any = []
    position: Any = []
    lengths: Any = []
    tried = 0
    while len(lengths) < args.samples:
        if tried > 20 * args.samples + 1000:
            raise SystemExit(f"{args.scene}: of {tried} UEs only {len(lengths)} have paths")
        points = scene.streets(rng, BATCH, bs[:2], args.radius)
        tried += len(points)
        for xy, (g, t, direction) in zip(points, scene.trace(bs, points, args)):
            if not len(g) or len(lengths) == args.samples:
                continue
            strong = np.abs(g) > 10 ** (-WEAKEST_DB / 20) * np.abs(g).max()
            gain.append(g[strong])
            delay.append(t[strong] - t[strong].min())
            cosine.append(direction[strong, :2] @ axis)
            position.append([*(xy - bs[:2]), UE_HEIGHT])
            lengths.append(int(strong.sum()))
        print(f"\r{len(lengths)} of {args.samples} UEs", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    settings = {**vars(args), "bs": [round(float(x), 2) for x in bs],
                "axis": round(float(np.rad2deg(np.arctan2(axis[1], axis[0]))), 2)}
    settings.pop("output")
    np.savez_compressed(
        args.output, start=np.cumsum([0, *lengths]).astype(np.int64),
        delay_s=np.concatenate(delay).astype(np.float32), gain=np.concatenate(gain).astype(np.complex64),
        cosine=np.concatenate(cosine).astype(np.float32), position=np.array(position, np.float32),
        settings=json.dumps(settings))
    print(f"written: {args.output}, {len(lengths)} UEs with {np.mean(lengths):.1f} paths, {tried} tried",
          file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
