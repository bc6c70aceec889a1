#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Names that changed since the last release. They work for one more release, with a warning."""

import functools
import importlib
import importlib.abc
import importlib.machinery
import sys
import warnings
from typing import Any, Callable, Dict

from . import csifeedback_python as core

#: Parameters of channel models: old name to new one. Data sets and model files of earlier releases
#: have the old ones.
CHANNEL_PARAMETERS = {"delay_spread_max_s": "max_delay_spread_s",
                      "directive_element": "sector_element",
                      "align_received": "receiver_aligned"}
#: Blocks and functions of the package.
PACKAGE = {"feedback_channel": "feedback_link", "mismatch_to_code": "residual_energy_to_code",
           "mismatch_from_code": "residual_energy_from_code"}
#: Modules of the package.
MODULES = {"dataset": "data.dataset", "interchange": "data.interchange", "matlab": "data.matlab",
           "sigmf": "data.sigmf", "learned": "training.learned",
           "cli.reproduce_ofdm": "experiments.real_signals"}
#: Blocks with a method dropped(), now discarded().
DISCARDING = ("angular_delay_inverse", "channel_estimator", "csi_decoder", "csi_dequantizer",
              "csi_encoder", "csi_hold", "csi_import", "csi_quantizer", "feedback_framer")


def warn(old: str, new: str, stacklevel: int = 3) -> None:
    """Says that a name is going away; stacklevel as in warnings.warn(), seen from the caller."""
    warnings.warn(f"{old} is now {new}; the old name will be removed in the next release",
                  DeprecationWarning, stacklevel=stacklevel)


def renamed_parameters(function: Callable[..., Any], names: Dict[str, str]) -> Callable[..., Any]:
    """The function, which also takes the old names of its keyword arguments."""

    @functools.wraps(function)
    def call(*args, **parameters):
        for old in names.keys() & parameters.keys():
            warn(f"{function.__name__}(): {old}", names[old])
            parameters[names[old]] = parameters.pop(old)
        return function(*args, **parameters)

    return call


class _OldModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds modules by their old names: they are the new ones."""

    def find_spec(self, fullname, path=None, target=None):
        package, _, name = fullname.partition(f"{__package__}.")
        if package or name not in MODULES:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec):
        old = spec.name[len(__package__) + 1:]
        module = importlib.import_module(f"{__package__}.{MODULES[old]}")
        # The import system is about to put the old name's in its place.
        self._spec = module.__spec__
        warn(spec.name, module.__name__)
        return module

    def exec_module(self, module):
        module.__spec__ = self._spec


def _dropped(self):
    """The old name of discarded()."""
    warn(f"{type(self).__name__}.dropped()", "discarded()")
    return self.discarded()


def _get_mismatch(self):
    """The old name of residual_energy."""
    warn("feedback_header.mismatch", "residual_energy")
    return self.residual_energy


def _set_mismatch(self, value):
    warn("feedback_header.mismatch", "residual_energy")
    self.residual_energy = value


def install(package: Dict[str, Any]) -> None:
    """Puts the old names into the name space of the package."""
    for name in DISCARDING:
        getattr(core, name).dropped = _dropped
    core.feedback_header.mismatch = property(_get_mismatch, _set_mismatch)
    for name in ("cdl_channel", "cost2100_channel"):
        package[name] = renamed_parameters(getattr(core, name), CHANNEL_PARAMETERS)

    def get(name):
        if name not in PACKAGE:
            raise AttributeError(f"module {package['__name__']!r} has no attribute {name!r}")
        warn(f"{package['__name__']}.{name}", PACKAGE[name])
        return package[PACKAGE[name]]

    package["__getattr__"] = get
    sys.meta_path.append(_OldModules())
