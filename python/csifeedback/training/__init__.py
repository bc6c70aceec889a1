#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Training of codecs.

A trainable codec is a module here with a function `add_arguments(parser)` for its options
and a function `train(args, data)` that returns a `model.Model`; it is listed below. The
attributes that it gives the model take the place of the data set's. If it has a function
`finish(args, model)`, that is called when the model is written.
"""

#: codec name -> module that trains it
CODECS = {
    "klt": "linear",
    "gaussian": "linear",
    "orthonormal": "linear",
    "klt-columns": "linear",
    "klt-cells": "linear",
    "local-klt": "local_klt",
    "csi-l2o": "csi_l2o",
    "ms4l2o": "csi_l2o",
    "mlcf": "mlcf",
}

#: those that take whole matrices H, not Ha
WHOLE = ("klt-columns", "klt-cells", "mlcf")
