#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""Errors that name a parameter, its value and what is allowed."""

from typing import Any, NoReturn


class ParameterError(ValueError):
    """A parameter that cannot be used.

    name: of the parameter, as in the signature. problem: the rest of the sentence, which begins
    with a space. Command-line programs put their own name of the option before it.
    """

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(name + problem)
        self.name, self.problem = name, problem


def refuse(name: str, value: Any, allowed: str) -> NoReturn:
    """Raises ParameterError."""
    raise ParameterError(name, f" is {value}, allowed is {allowed}")


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Raises ParameterError unless low <= value <= high; NaN never is."""
    if not low <= value <= high:
        refuse(name, f"{value:g}" if isinstance(value, float) else value, f"{low} to {high}")
