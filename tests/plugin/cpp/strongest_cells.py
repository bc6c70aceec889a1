#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Trains the codec of strongest_cells.cc: csifeedback_train --codec strongest-cells --trainer this."""

import numpy as np
from gnuradio.csifeedback.model import Model
from gnuradio.csifeedback.training import normalized, quantizers


def add_arguments(parser):
    parser.add_argument("--cells", type=int, metavar="K", default=0,
                        help="cells of the longest codeword (default: a quarter of all)")


def train(args, data):
    count = args.cells or data.na * data.nt // 4
    if not 1 <= count <= data.na * data.nt:
        raise ValueError(f"--cells is {count}, allowed is 1 to {data.na * data.nt}")
    power = sum(np.sum(np.abs(normalized(ha)) ** 2, axis=0) for ha in data.chunks("Ha"))
    cells = np.argsort(-power.ravel(), kind="stable")[:count]
    values = np.concatenate([normalized(ha).reshape(len(ha), -1)[:, cells]
                             for ha in data.chunks("Ha")])
    codewords = np.ascontiguousarray(values).view(np.float32)
    tables = quantizers.fit(codewords, entry_bits=0)
    return Model({"codec": "strongest-cells", "code_size": 2 * count},
                 {"encoder/cells": cells, **{f"quantizer/{k}": v for k, v in tables.items()}})
