#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Makes data sets of channel models, and writes data sets block by block."""

import os
import shlex
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, Tuple

import numpy as np

from .. import csifeedback_python as core
from ..channels import make_channel
from ..progress import Progress
from . import panels
from .dataset import Dataset, DatasetWriter, align_matrices, block_samples

#: Parameters of the channel models: name, type (None: yes or no), help.
GRID = (
    ("nc", int, "subcarriers, rows of H (default: 1024)"),
    ("nt", int, "antenna ports of the BS, columns of H (default: 32)"),
    ("spacing_hz", float, "distance of two subcarriers (default: 19531.25)"),
    ("antenna_spacing", float, "of the BS array, in wavelengths (default: 0.5)"),
)
MODEL = (
    ("seed", int, "of all random numbers (default: 1)"),
    ("slots_per_drop", int, "samples of one drop: 1, or a track of a moving UE (default: 1)"),
    ("sample_interval_s", float, "time between two samples of a track (default: 0.001)"),
    ("speed_mps", float, "speed of the UE (default: 1 for COST 2100, 0 for others)"),
    ("align", None, "move the earliest path within 20 dB of the strongest to delay zero; of planar "
                    "arrays that of the matrix of each antenna, as a receiver finds it (default: yes, "
                    "of planar arrays with --whole no)"),
    ("receiver_aligned", None, "the earliest path is the one that angular_delay finds in the "
                               "matrix, as a receiver does; for codecs that work on measured "
                               "channels (default: no, the exact ray)"),
    ("normalize", None, "scale the path powers of every sample to a sum of 1 (default: yes for "
                        "COST 2100, no for others)"),
)
COST2100 = (
    ("area_m", float, "side of the square in which the UE is (default: 20 indoor, 400 outdoor)"),
)
STANDARD = (
    ("carrier_hz", float, "of the Doppler shift, and of the tables of scenarios (default: 3.5e9)"),
    ("sector_element", None, "BS elements with the sector pattern of TR 38.901, Table 7.3-1 "
                             "(default: isotropic for CDL, yes for scenarios)"),
)
CDL = (
    ("delay_spread_s", float, "RMS delay spread (default: 1e-7)"),
    ("max_delay_spread_s", float, "draw the delay spread of every drop, log-uniform up to this "
                                  "(default: 0, the same for all)"),
    ("travel_azimuth_deg", float, "direction of travel (default: 0)"),
    ("travel_zenith_deg", float, "direction of travel, 0 to 180 (default: 90)"),
    ("angle_span_deg", float, "turn the mean azimuths of every drop by up to half of this "
                              "either way, 0 to 360 (default: 0)"),
)
SCENARIO = (
    ("isd_m", float, "distance of two sites (default: the scenario's)"),
    ("bs_height_m", float, "height of the BS (default: the scenario's)"),
    ("indoor_share", float, "part of the UEs in buildings, 0 to 1 (default: the scenario's)"),
    ("high_loss_share", float, "part of the buildings with high penetration loss, 0 to 1 "
                               "(default: 0.5)"),
    ("penetration", str, "of walls: low-high, or single-frequency (TR 38.901, Table 7.4.3-3: uma and umi "
                         "below 6 GHz) (default: low-high)"),
    ("path_loss", None, "matrices with path loss and shadowing (default: no)"),
    ("condition", str, "of propagation: any, los or nlos for all UEs (default: any)"),
    ("release", int, "of TR 38.901, 16 (v16.1) or 19 (v19.2) (default: 16)"),
)
#: Of both, but CDL with planar arrays alone.
TILT = (
    ("downtilt_deg", float, "of the BS array, of scenarios 0 to 90, of planar arrays of CDL -90 to 90 "
                            "(default: the scenario's, 0 of CDL)"),
)
#: Of the arrays in place of nt and antenna_spacing.
PANEL = (
    *panels.ARRAYS,
    ("nr", int, "antennas of the UE: as many matrices of each, one behind the other (default: 1)"),
)
#: Those of some channel models alone: title, start of the models' names, parameters.
GROUPS = (
    ("COST 2100 only", ("cost2100-",), COST2100),
    ("CDL and scenarios (uma, umi, rma, inh-open, inh-mixed) only",
     ("cdl-", "uma", "umi", "rma", "inh-"), STANDARD),
    ("CDL only", ("cdl-",), CDL),
    ("scenarios only", ("uma", "umi", "rma", "inh-"), SCENARIO),
    ("scenarios, and planar arrays of CDL", ("cdl-", "uma", "umi", "rma", "inh-"), TILT),
    ("planar arrays, of CDL and scenarios", ("cdl-", "uma", "umi", "rma", "inh-"), PANEL),
    ("planar arrays of CDL only", ("cdl-",), panels.OF_ANGLES),
)
#: Rows before delay zero that generate() keeps by default.
PRECURSOR = 4


def check_range(name: str, value: float, low: float, high: float) -> None:
    """ValueError unless low <= value <= high."""
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}, allowed is {low} to {high}")


def generate_command(channel: str, samples: int, first: int = 0, whole: bool = False,
                     na: "int | None" = None, precursor: int = PRECURSOR,
                     **parameters: Any) -> str:
    """The command of csifeedback_dataset that makes a data set: it says what is in the file."""
    words = ["csifeedback_dataset", "generate", "--channel", channel, "--samples", samples]
    words += ["--first", first] * (first != 0) + ["--whole"] * whole
    words += ["--na", na] * (na is not None)
    words += ["--precursor", precursor] * (precursor != PRECURSOR)
    for name, kind, _ in (*GRID, *MODEL, *(o for _, _, group in GROUPS for o in group)):
        value = parameters.get(name)
        if value is None:
            continue
        flag = name.replace("_", "-")
        if kind is None:
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", kind(value)]
    return shlex.join(map(str, words))


def check_parameters(channel: str, parameters: Dict[str, Any]) -> None:
    """ValueError for a parameter that this channel model does not have."""
    for _, models, options in GROUPS:
        for name, _, _ in () if channel.startswith(models) else options:
            if parameters.get(name) is not None:
                raise ValueError(f"--{name.replace('_', '-')} is no parameter of the channel "
                                 f"{channel}")


def generate(path: str, channel: str, samples: int, first: int = 0, whole: bool = False,
             na: "int | None" = None, precursor: int = PRECURSOR, threads: int = 0,
             overwrite: bool = False, **parameters: Any) -> Dict[str, Any]:
    """Makes a data set of a channel model, or what is left of one that was interrupted.

    path: data set; it is `path`.part until it is whole. channel: name of the model, see
    channels.NAMES. samples: number of matrices, of panels (n1 and others of PANEL) of UEs, with nr matrices
    each, of which Ha has the DFT of the plane. first: number of the first one. whole: stores H, all
    subcarriers, and not Ha. na: delay rows of Ha (default: 32, or nc if that is less; of whole matrices of
    panels all). precursor: rows of these before delay zero. threads: 0 to 256; the file is the same
    whatever their number. overwrite: replaces a data set that is there. parameters: of the channel model,
    see GRID, MODEL and GROUPS; None leaves the default.

    Returns a summary, see write(). Raises ValueError if a parameter is out of range, or path is
    another data set.
    """
    command = generate_command(channel, samples, first, whole, na, precursor, **parameters)
    check_parameters(channel, parameters)
    given = {k: v for k, v in parameters.items() if v is not None}
    seed = given.get("seed", 1)
    check_range("--seed", seed, 0, (1 << 63) - 1)
    planar = (*PANEL, *panels.OF_ANGLES, *(TILT if channel.startswith("cdl-") else ()))
    if any(name in given for name, _, _ in planar):
        aligned = bool(given.pop("align", not whole))
        drops = panels.make_drops(channel, **{"n1": 4, "n2": 4, "nr": 1, "nc": 1024,
                                              "spacing_hz": 20e6 / 1024, **given})
        rows = min(32, drops.nc) if na is None else na
        check_range("--samples", samples, 1, (1 << 28) // drops.nr)
        check_range("--first", first, 0, (1 << 63) - 1 - samples)
        about = {**panels.attributes(drops), "domain": "H" if whole else "Ha", "align": int(aligned),
                 "command": command, "first": first}
        if na is not None or not whole:
            check_range("--na", rows, 1, drops.nc)
            check_range("--precursor", precursor, 0, rows - 1)
            about.update(na=rows, precursor=precursor)
        if not whole:
            transform = core.angular_delay_transform(core.csi_shape(
                "Ha", rows, drops.ports, drops.nc, precursor, drops.array), aligned)

        def matrices(begin: int, count: int) -> Tuple[np.ndarray, ...]:
            h = panels.antennas(drops, first * drops.nr + begin, count)
            if whole:
                return (align_matrices(h) if aligned else h,)
            energy = np.square(np.abs(h), dtype=np.float64).sum(axis=(1, 2))
            ha, lost, _ = transform.forward(h)
            return ha, energy, lost

        return write(path, samples * drops.nr, about, matrices, overwrite)
    model = make_channel(channel, **given)
    nc = model.nc()
    rows = min(32, nc) if na is None else na
    check_range("--na", rows, 1, nc)
    check_range("--precursor", precursor, 0, rows - 1)
    check_range("--samples", samples, 1, 1 << 28)
    check_range("--first", first, 0, (1 << 63) - 1 - samples)
    check_range("--threads", threads, 0, 256)
    attributes = {
        "domain": "H" if whole else "Ha", "nc": nc, "na": rows, "nt": model.nt(),
        "precursor": precursor, "align": int(given.get("align") is not False),
        "spacing_hz": model.spacing_hz(), "sample_interval_s": model.sample_interval_s(),
        "channel": model.name(), "parameters": model.parameters(), "command": command,
        "seed": seed, "first": first}
    return write(path, samples, attributes, lambda begin, count: core.generate_channels(
        model, first + begin, count, 0 if whole else rows, precursor, threads), overwrite)


def write(path: str, samples: int, attributes: Dict[str, Any],
          make: Callable[[int, int], Tuple[np.ndarray, ...]],
          overwrite: bool = False) -> Dict[str, Any]:
    """Writes a data set.

    make(first, count): the arguments of DatasetWriter.append for these samples; after a ValueError
    nothing is left of the file, since the same command could not go on.

    Returns a summary: file, domain, samples, rows and nt of a matrix, energy_lost (mean; None for
    whole matrices), new_samples that were not there before, and samples_per_s.
    """
    rows = attributes["na" if attributes["domain"] == "Ha" else "nc"]
    step = block_samples(rows, attributes["nt"])
    start = time.monotonic()
    with DatasetWriter(path, samples, attributes, overwrite) as writer, \
            ThreadPoolExecutor(1) as disk:
        begun = made = writer.done
        progress = Progress("samples", samples - begun)
        writing = None
        # A block is written while the next one is made.
        while made < samples:
            try:
                block = make(made, min(step, samples - made))
            except ValueError:
                if writing:
                    writing.result()
                writer.discard()
                raise
            if writing:
                writing.result()
            writing = disk.submit(writer.append, *block)
            made += len(block[0])
            progress.update(made - begun)
        if writing:
            writing.result()
    rate = (samples - begun) / (time.monotonic() - start)
    with Dataset(path) as data:
        lost = None if data.whole else float(np.mean(data.energy_lost))
    return {"file": os.fspath(path), "domain": attributes["domain"], "samples": samples, "rows": rows,
            "nt": attributes["nt"], "energy_lost": lost, "new_samples": samples - begun,
            "samples_per_s": rate}
