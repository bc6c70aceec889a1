#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""CSI feedback for FDD massive MIMO: channel models, codecs, quantizers, feedback links."""

# The bindings take base classes from GNU Radio's own.
from gnuradio import gr as _gr  # noqa: F401

from .csifeedback_python import *  # noqa: F401,F403
from .csifeedback_python import __version__  # noqa: F401
from .codecs import (  # noqa: F401
    Codec, Decoder, Encoder, ReportDecoder, ReportEncoder, decoder_from_model,
    encoder_from_model, open_codec, report_decoder_from_model, report_encoder_from_model)
from .block_help import BLOCKS as _BLOCKS
from .grc import for_grc  # noqa: F401
from .ofdm import load_taps  # noqa: F401
from .renamed import install as _install

for _name, _text in _BLOCKS.items():
    if isinstance(globals().get(_name), type):
        globals()[_name].__doc__ = _text
_install(globals())
