#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What message handlers of blocks in Python share with those in C++: nothing that arrives at a
message port is trusted, and no exception leaves a handler."""

import functools
from typing import Callable

from .csifeedback_python import read_pdu  # noqa: F401

#: Good messages in a row that end a burst of bad ones.
BURST = 100


def guarded(handler: Callable[..., None]) -> Callable[..., None]:
    """A message handler, a method of a block, that no exception leaves.

    GNU Radio would end the block's thread, and with it the flowgraph. The first exception of a
    burst goes to the block's log.
    """
    good = BURST

    @functools.wraps(handler)
    def call(self, message):
        nonlocal good
        try:
            handler(self, message)
            good += 1
        except Exception as error:  # pylint: disable=broad-except
            if good >= BURST:
                self.logger.error(f"discarding a message: {type(error).__name__}: {error}")
            good = 0
    return call
