#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What the blocks of GNU Radio Companion need."""

from typing import Any, Callable


def for_grc(make: Callable[..., Any], *arguments: Any) -> Any:
    """make(*arguments), for the `value` of a variable block.

    The companion evaluates variables in an order in which it does not see a variable that a text
    parameter names, so that the first time it may have the name in place of the text. It then
    evaluates all of them once more, and errors that remain are shown in the block's properties; but of
    those of the first time it logs a traceback, unless they are of type TypeError.

    Raises TypeError with the message of any error in `make`.
    """
    try:
        return make(*arguments)
    except Exception as error:
        raise TypeError(str(error)) from error
