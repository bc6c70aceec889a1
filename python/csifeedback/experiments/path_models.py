#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What models of paths are worth beyond what they were made for: the universal model and the
receiver-aligned ones beside those of one channel, H on subcarriers and antennas that were not measured, and
arrays with errors, calibrated.
"""

from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np

from .. import csifeedback_python as core
from .. import evaluation
from ..channels import make_channel, model_channel
from ..codecs import OpenCodec
from ..files import subplots, write_figure
from ..model import Model, read_model
from ..training import path as trainer
from .bits import CHANNELS, Channel
from .sources import FIRST

#: most bits of a report
BUDGETS = (64, 256, 1024)
UNMEASURED_BUDGETS = (256, 1024)
NC, NT, SPACING_HZ = 1024, 32, 19531.25
WHOLE = "cost2100-outdoor-path-whole"
#: subcarriers beyond each end, and ranges of antennas, in which the error is said
BEYOND = (64, 128, 256, 512)
CALIBRATION_BUDGETS = (128, 256, 512)
#: matrices for the calibration, rms errors of an antenna's gain in dB and phase in degrees, and their seed
CALIBRATION_SAMPLES, GAIN_DB, PHASE_DEG, ARRAY_SEED = 200, 0.5, 5.0, 3
ANTENNAS = ((0, 32), (32, 33), (32, 34), (32, 36), (32, 40), (32, 48), (32, 64), (0, 64))


def models(samples: int, progress: Callable[[int, int], None],
           channels: Sequence[Channel] = CHANNELS[:3], budgets: Sequence[int] = BUDGETS) -> List[Dict[str, Any]]:
    """NMSE of each channel, with exact delays and aligned by a receiver, with the model of the same matrices,
    with that of the other alignment, and with the universal one."""
    rows: List[Dict[str, Any]] = []
    steps = 2 * len(channels) * 3 * len(budgets)
    for channel in channels:
        for end, aligned in (("", "exact delays"), ("-air", "aligned by a receiver")):
            own = evaluation.Codec(f"{channel.models}{end}-path")
            ha, _, lost = core.generate_channels(model_channel(own.model), FIRST, samples, own.model.na,
                                                 own.model.precursor)
            test = evaluation.Evaluator(ha, lost, NC, own.model.precursor, 0)
            for spec in (f"{channel.models}-path", f"{channel.models}-air-path", "universal-path"):
                codec = evaluation.Codec(spec)
                for budget in budgets:
                    row = test.run_budget(codec, budget)
                    rows.append({"channel": channel.title, "matrices": aligned, "model": spec, "budget": budget,
                                 **{key: row[key] for key in ("nmse_db", "nmse_db_low", "nmse_db_high",
                                                              "samples")}})
                    progress(len(rows), steps)
    return rows


def error_db(truth: np.ndarray, found: np.ndarray) -> float:
    """NMSE in dB of matrices (n, k, l): the mean of the ratios."""
    return evaluation.to_db(float(np.mean(
        np.sum(np.abs(truth - found) ** 2, axis=(1, 2)) / np.sum(np.abs(truth) ** 2, axis=(1, 2)))))


def responses(decoder: Any, bits: np.ndarray, counts: np.ndarray, gain_db: np.ndarray,
              subcarriers: np.ndarray, antennas: np.ndarray) -> np.ndarray:
    """H of reports on these subcarriers and antennas, complex64 (n, k, l)."""
    return np.array([decoder.response(row, count, subcarriers, antennas, gain)
                     for row, count, gain in zip(bits, counts, gain_db)], np.complex64)


def unmeasured_of(codec: OpenCodec, h: np.ndarray, budgets: Sequence[int]) -> List[Dict[str, Any]]:
    """NMSE in dB where the UE measures a part of H (n, nc, nt): the subcarriers of the codec's model in the
    middle, and its antennas from the first one on. A row for each budget, None where everything is measured.
    ValueError if the codec has no paths or H has nothing more than the model."""
    model = codec.model
    try:
        decoder = core.path_report_decoder(model)
    except (TypeError, ValueError) as error:
        raise ValueError(f"--unmeasured is for codecs of paths, not for {codec.spec}: {error}") from None
    encoder = codec.own_reports()[0]
    nc, nt = h.shape[1:]
    if nc < model.nc or nt < model.nt or (nc, nt) == (model.nc, model.nt):
        raise ValueError(f"--unmeasured needs matrices of more than the {model.nc} subcarriers and {model.nt} "
                         f"antennas of {codec.spec}, and no fewer of either; these have {nc} and {nt}")
    first = (nc - model.nc) // 2
    inside = np.zeros(nc, bool)
    inside[first:first + model.nc] = True
    measured = np.ascontiguousarray(h[:, inside, :model.nt])
    if model.domain == "Ha":
        measured = core.angular_delay_transform(model.nc, model.nt, model.na, model.precursor).forward(measured)[0]
    rows = []
    for budget in budgets:
        bits, counts, gain_db = encoder.encode(measured, budget)
        found = responses(decoder, bits, counts, gain_db, np.arange(nc) - first, np.arange(nt))
        parts = {"measured_db": (inside, slice(0, model.nt)), "subcarriers_db": (~inside, slice(0, model.nt)),
                 "antennas_db": (inside, slice(model.nt, nt)), "all_db": (slice(None), slice(None))}
        rows.append({"codec": codec.spec, "budget": budget, "bits": float(np.mean(counts)), "samples": len(h),
                     "nc": nc, "nt": nt, **{
                         name: error_db(h[:, rows_][:, :, columns], found[:, rows_][:, :, columns])
                         if h[:, rows_][:, :, columns].size else None
                         for name, (rows_, columns) in parts.items()}})
    return rows


def unmeasured(samples: int, progress: Callable[[int, int], None],
               channels: Sequence[Channel] = CHANNELS[:3],
               budgets: Sequence[int] = UNMEASURED_BUDGETS) -> List[Dict[str, Any]]:
    """NMSE where nothing was measured. Measured are NC subcarriers of 2 NC, those in the middle, and NT
    antennas of 2 NT, the first ones; of a grid twice as dense every second subcarrier."""
    model = core.model_file(WHOLE)
    encoder, decoder = core.path_report_encoder(model), core.path_report_decoder(model)
    rows: List[Dict[str, Any]] = []
    first = NC // 2
    for channel in channels:
        sizes: Dict[str, Any] = {"nt": 2 * NT, "nc": 2 * NC}
        wide, dense = (core.generate_channels(make_channel(
            channel.name, **channel.parameters, **sizes, spacing_hz=spacing), FIRST, samples)[0]
            for spacing in (SPACING_HZ, SPACING_HZ / 2))
        for budget in budgets:
            values: Dict[str, float] = {}

            def rebuilt(h: np.ndarray, subcarriers: np.ndarray, antennas: np.ndarray) -> np.ndarray:
                bits, counts, gain_db = encoder.encode(np.ascontiguousarray(h), budget)
                return responses(decoder, bits, counts, gain_db, subcarriers, antennas)

            inside = slice(first, first + NC)
            found = rebuilt(wide[:, inside, :NT], np.arange(2 * NC) - first, np.arange(2 * NT))
            values["measured"] = error_db(wide[:, inside, :NT], found[:, inside, :NT])
            for count in BEYOND:
                outside = np.r_[first - count:first, first + NC:first + NC + count]
                values[f"beyond_{count}"] = error_db(wide[:, outside, :NT], found[:, outside, :NT])
            for low, high in ANTENNAS:
                values[f"antennas_{low + 1}_{high}"] = error_db(wide[:, inside, low:high],
                                                                found[:, inside, low:high])
            del found
            found = rebuilt(dense[:, ::2, :NT], np.arange(0, NC, 0.5), np.arange(NT))
            for name, part in (("dense_measured", slice(0, None, 2)), ("dense_between", slice(1, None, 2))):
                values[name] = error_db(dense[:, part, :NT], found[:, part])
            rows.append({"channel": channel.title, "budget": budget, **values, "samples": samples})
            progress(len(rows), len(channels) * len(budgets))
    return rows


def array_with_errors(gain_db: float, phase_deg: float, seed: int) -> np.ndarray:
    """Responses of NT antennas with these rms errors, complex (NT,)."""
    rng = np.random.default_rng(seed)
    return 10 ** (gain_db / 20 * rng.standard_normal(NT)) \
        * np.exp(1j * np.deg2rad(phase_deg) * rng.standard_normal(NT))


def seen_through(ha: np.ndarray, response: np.ndarray) -> np.ndarray:
    """Ha (n, na, nt) of a line of antennas with these responses."""
    return np.fft.fft(np.fft.ifft(ha, axis=2, norm="ortho") * response, axis=2, norm="ortho").astype(np.complex64)


def calibration(samples: int, progress: Callable[[int, int], None], channels: Sequence[Channel] = CHANNELS[:3],
                budgets: Sequence[int] = CALIBRATION_BUDGETS,
                calibrated_on: int = CALIBRATION_SAMPLES) -> List[Dict[str, Any]]:
    """NMSE through an array with errors, before and after calibration with matrices of the training set, beside
    that of an array without errors."""
    rows: List[Dict[str, Any]] = []
    response = array_with_errors(GAIN_DB, PHASE_DEG, ARRAY_SEED)
    for channel in channels:
        own = core.model_file(f"{channel.models}-path")
        tables = read_model(own.path)

        def model_with(found: np.ndarray) -> Any:
            return Model(tables.attributes, {**tables.arrays, **trainer.response_array(found)}).opened({})

        found = trainer.calibrate(seen_through(channel.matrices(0, calibrated_on)[0], response), model_with)
        ha, _ = channel.matrices(FIRST, samples)
        for array, model, matrices in (("without errors", own, ha),
                                       ("with errors", own, seen_through(ha, response)),
                                       ("with errors, calibrated", model_with(found), seen_through(ha, response))):
            encoder, decoder = core.path_report_encoder(model), core.path_report_decoder(model)
            for budget in budgets:
                decoded = decoder.decode(*encoder.encode(matrices, budget))
                rows.append({"channel": channel.title, "array": array, "budget": budget,
                             "nmse_db": error_db(matrices, decoded), "samples": samples})
                progress(len(rows), len(channels) * 3 * len(budgets))
    return rows


def draw(path: str, rows: List[Dict[str, Any]], experiment: str = "") -> None:
    """NMSE by bits of each model; or by the distance from what was measured."""
    channels = list(dict.fromkeys(r["channel"] for r in rows))
    figure, axes = subplots(1, len(channels), 4.6 * len(channels), 4)
    for axis, channel in zip(axes[0], channels):
        lines: Dict[str, Tuple[List[float], List[float]]] = {}
        for r in (r for r in rows if r["channel"] == channel):
            if experiment == "path-unmeasured":
                for count in BEYOND:
                    x, y = lines.setdefault(f"subcarriers beyond, {r['budget']} bits", ([], []))
                    x.append(2 * count / NC)
                    y.append(r[f"beyond_{count}"])
                for low, high in ANTENNAS[1:-1]:
                    x, y = lines.setdefault(f"antennas beyond, {r['budget']} bits", ([], []))
                    x.append((high - low) / NT)
                    y.append(r[f"antennas_{low + 1}_{high}"])
            else:
                label = r["array"] if experiment == "path-calibration" else f"{r['matrices']}, {r['model']}"
                x, y = lines.setdefault(label, ([], []))
                x.append(r["budget"])
                y.append(r["nmse_db"])
        for label, (x, y) in lines.items():
            axis.plot(x, y, "o-", markersize=4, linewidth=1, label=label)
        axis.set_xscale("log", base=2)
        axis.set_xlabel("part of what was measured" if experiment == "path-unmeasured" else "bits of a report")
        axis.set_ylabel("NMSE in dB")
        axis.set_title(channel, fontsize=10)
        axis.grid(alpha=0.3)
        axis.legend(fontsize=6)
    write_figure(figure, path, 110)


#: name -> function of (samples, progress), title, default of --samples
EXPERIMENTS = {
    "path-models": (models, "Models of paths of one channel, of all and of receiver-aligned matrices", 1000),
    "path-calibration": (calibration, "Paths through an array with errors, before and after calibration", 500),
    "path-unmeasured": (unmeasured, "Paths on subcarriers and antennas that were not measured", 60)}
