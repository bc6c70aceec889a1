#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Tables of entropy-coded reports, for any codec with codewords that are a linear transform.

Reports of the training set are made with the tables so far, their symbols are counted, and the
counts become frequencies. The first tables are those of Laplacian values of the expected size.
"""

from typing import Any, Dict

import numpy as np

from .. import csifeedback_python as core
from ..data.dataset import Dataset
from ..model import Model, read_model
from ..progress import Progress

#: Sizes of tables.
TABLES = core.entropy_report_encoder.table_sizes()
#: bits of the reports that are counted, and the share of the matrices for each
BUDGETS = ((24, 1), (32, 1), (48, 1), (64, 1), (96, 1), (128, 1), (192, 1), (256, 1), (384, 0.7),
           (512, 0.7), (768, 0.5), (1024, 0.4), (1536, 0.3), (2048, 0.3), (4096, 0.2))
#: levels in an octave
LEVELS = 8
#: largest sum of a table of frequencies
TOTAL = 1 << 15
SAMPLES, ROUNDS = 1000, 3


def takes(model: Model) -> bool:
    """Whether a trained model can have such tables: codewords with quantizers, of matrices Ha."""
    return "quantizer/std" in model.arrays and model.attributes.get("domain", "Ha") == "Ha"


def frequencies(counts: np.ndarray) -> np.ndarray:
    """Whole numbers of 1 and more in proportion to counts, with a sum of at most 65536 over the
    last axis; all symbols get a little."""
    counts = np.asarray(counts, float)
    symbols = counts.shape[-1]
    p = counts + 0.05
    p /= p.sum(-1, keepdims=True)
    return np.maximum(np.rint(p * (TOTAL - symbols)), 1)


def levels(variance: np.ndarray, unit: float) -> np.ndarray:
    """Expected sizes of values of this variance above the unit, in eighths of an octave; float16,
    which holds these whole numbers."""
    size = np.sqrt(np.maximum(np.asarray(variance, float), 1e-12)) / unit
    return np.rint(LEVELS * np.log2(size)).clip(-300, 300).astype(np.float16)


def laplacian() -> np.ndarray:
    """Frequencies (rates, classes, contexts, symbols) of values of the expected size."""
    t = TABLES
    result = np.empty((t["classes"], t["symbols"]))
    for c in range(t["classes"]):
        low = max(((c - t["unit_class"]) >> 1) - 1, 0)
        rate = np.sqrt(2) / 2 ** ((c - t["unit_class"]) / 2)
        edges = np.append((np.arange(1, t["symbols"]) << low) - 0.4, np.inf)
        below = 1 - np.exp(-rate * edges)
        result[c] = np.diff(below, prepend=0)
    table = frequencies(1000 * result)
    return np.tile(table[None, :, None], (t["rates"], 1, t["contexts"], 1))


def first_tables(model: Model) -> Dict[str, np.ndarray]:
    """The group `entropy` of a model to begin with."""
    t = TABLES
    arrays: "Dict[str, Any]" = {
        "steps": np.ones((t["sizes"], t["steps"])),
        "magnitudes": laplacian(),
        "shift": np.full((t["classes"], t["shifts"]), 0.05)}
    if "encoder/rows_variance" in model.arrays:
        rows: Any = model.arrays["encoder/rows_variance"]
        columns: Any = model.arrays["encoder/columns_variance"]
        unit = float(np.sqrt(rows.max() * columns.max() / 2))
        # Their product is the power, half of which is that of the real part.
        arrays["rows_level"] = levels(rows / np.sqrt(2), 1)
        arrays["columns_level"] = levels(columns / np.sqrt(2), unit)
        arrays.update(rows=np.ones((1, len(rows))), columns=np.ones((1, len(columns))))
    else:
        power: Any = np.square(np.asarray(model.arrays["quantizer/std"], float))
        if len(power) % 2:
            power = np.append(power, power[-1])
        power = power.reshape(-1, 2).mean(1)
        unit = float(np.sqrt(power.max()))
        arrays["level"] = levels(power, unit)
    arrays["unit"] = np.array([unit])
    return {f"entropy/{name}": array for name, array in arrays.items()}


def fit(model: Model, counts: Dict[str, np.ndarray]) -> Dict[str, np.ndarray]:
    """Tables of the counts of a round."""
    t = TABLES
    arrays = {}
    steps = counts["steps"].reshape(t["sizes"], t["steps"])
    # Steps next to each other, and sizes, are alike.
    for axis, share in ((1, 0.5), (0, 0.2)):
        spread = steps.copy()
        inner, outer = [slice(None)] * 2, [slice(None)] * 2
        inner[axis], outer[axis] = slice(1, None), slice(None, -1)
        spread[tuple(inner)] += share * steps[tuple(outer)]
        spread[tuple(outer)] += share * steps[tuple(inner)]
        steps = spread
    arrays["steps"] = frequencies(steps)
    m = counts["magnitudes"].reshape(t["rates"], t["classes"], t["contexts"], t["symbols"])
    # Tables with few counts lean on those of all rates, and on the Laplacian.
    start = laplacian()
    of_all = m.sum(0, keepdims=True)
    prior = of_all + 10 * start / start.sum(-1, keepdims=True)
    arrays["magnitudes"] = frequencies(m + 30 * prior / prior.sum(-1, keepdims=True))
    often = counts["often"].reshape(t["classes"], t["shifts"])
    below = counts["below"].reshape(t["classes"], t["shifts"])
    arrays["shift"] = ((below + 20 * 0.05) / (often + 20)).clip(-0.3, 0.4)
    for side in ("rows", "columns"):
        if f"entropy/{side}" in model.arrays:
            arrays[side] = frequencies(counts[side] + 1)[None]
    return {f"entropy/{name}": array for name, array in arrays.items()}


def total(encoder: Any, matrices: np.ndarray, progress: Any, done: int) -> Dict[str, np.ndarray]:
    """Counts over reports of all BUDGETS."""
    result: "Dict[str, np.ndarray]" = {}
    for number, (budget, share) in enumerate(BUDGETS):
        counts = encoder.count(matrices[:max(1, round(share * len(matrices)))], budget)
        for name, array in counts.items():
            if len(array):
                result[name] = result.get(name, 0) + array
        progress.update(done + number + 1)
    if "magnitudes" not in result:
        raise ValueError("no report of the training set has a value that is not zero")
    return result


def add_tables(model: Model, sizes: Dict[str, Any], matrices: np.ndarray,
               rounds: int = ROUNDS) -> None:
    """Gives a trained model the tables of its entropy-coded reports, group `entropy`.

    sizes: the attributes nc, na, nt and precursor. matrices: complex (n, na, nt), of the training
    set.
    """
    model.arrays = {name: array for name, array in model.arrays.items()
                    if not name.startswith("entropy/")}
    model.arrays.update(first_tables(model))
    progress = Progress("entropy coder", rounds * len(BUDGETS))
    for number in range(rounds):
        encoder = core.entropy_report_encoder(model.opened(sizes))
        counts = total(encoder, matrices, progress, number * len(BUDGETS))
        model.arrays.update(fit(model, counts))


def tables_of(path: str, data: Dataset, samples: int = SAMPLES, rounds: int = ROUNDS) -> Model:
    """The model in a file with tables that are made from a data set; all else stays as it is."""
    model = read_model(path)
    if not takes(model):
        raise ValueError(f"{path}: codec {model.attributes['codec']} has no codewords of matrices "
                         "Ha with quantizers, entropy-coded reports need them")
    if "encoder/W" not in model.arrays and "encoder/W_complex" not in model.arrays \
            and "encoder/rows_variance" not in model.arrays:
        raise ValueError(f"{path}: codec {model.attributes['codec']} is not linear, entropy-coded "
                         "reports need that")
    add_tables(model, {}, data.read_truncated(0, min(samples, len(data))), rounds)
    # Files of earlier releases have numbers that are computed in another way.
    return Model(model.attributes, model.arrays, core.model_file(path).model_id)
