#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Channel models by name, with their parameters as keyword arguments or a model's JSON."""

import json
from typing import Any

from . import csifeedback_python as core
from .renamed import CHANNEL_PARAMETERS, renamed_parameters

#: UMa, UMi, RMa and InH
SCENARIOS = ("uma", "umi", "rma", "inh-open", "inh-mixed")
NAMES = ("cost2100-indoor", "cost2100-outdoor", "cost2100-outdoor-nlos",
         "cdl-a", "cdl-b", "cdl-c", "cdl-d", "cdl-e",
         *SCENARIOS)


def make_channel(name: str, **parameters: Any) -> Any:
    """The channel model of this name. Raises ValueError for an unknown name or parameter."""
    if name not in NAMES:
        raise ValueError(f"channel is {name}, allowed is " + ", ".join(NAMES))
    make, kind = (core.cdl_channel, name[-1].upper()) if name.startswith("cdl-") else \
        (core.cost2100_channel, name[len("cost2100-"):]) if name.startswith("cost2100-") else \
        (core.scenario_channel, name)
    try:
        return renamed_parameters(make, CHANNEL_PARAMETERS)(kind, **parameters)
    except TypeError:
        raise ValueError(f"channel {name} does not take all of the parameters "
                         + ", ".join(parameters)) from None


def from_json(name: str, text: str, **changes: Any) -> Any:
    """The channel model that `channel_model.parameters()` described, with some changes."""
    try:
        parameters = json.loads(text)
    except json.JSONDecodeError:
        raise ValueError(f"the parameters of channel {name} are no JSON: {text!r}") from None
    if not isinstance(parameters, dict):
        raise ValueError(f"the parameters of channel {name} are no JSON object: {text!r}")
    fixed = {"model", "scenario"} | ({"carrier_hz"} if name.startswith("cost2100") else set())
    # Files of earlier releases have earlier names.
    parameters = {CHANNEL_PARAMETERS.get(k, k): v for k, v in parameters.items() if k not in fixed}
    return make_channel(name, **{**parameters, **changes})


def model_channel(model: Any, **changes: Any) -> Any:
    """The channel model that a model file was trained on. Raises ValueError if it names none."""
    if not model.text("channel"):
        raise ValueError(f"the model of codec {model.codec} names no channel that it was trained "
                         "on: give --channel or --dataset")
    return from_json(model.text("channel"), model.text("parameters"), **changes)
