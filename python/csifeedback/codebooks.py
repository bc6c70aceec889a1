#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""PMI codebooks of 3GPP TS 38.214 as codecs: reports in bits, without model files.

`open_codec("etype2:param_combination=6,n1=4,n2=4,rows=52")` and the programs find them by name. They
are for UEs with one antenna, rank 1, and take whole matrices H whose columns are ports in 3GPP's
order. The matrix that a report becomes has the direction of the channel in each subband, not its
phase and gain: SGCS, rho and spectral efficiency say how good it is, NMSE does not.
"""

import zlib
from typing import Any, Dict

from . import csifeedback_python as core
from .codecs import Codec

CQI = ("none", "wideband", "subband")


class Codebook(Codec):
    """A codec of a PMI codebook.

    options: rows of H (subcarriers or resource blocks; 1024), n1 and n2 of the array (16 and 1:
    32 ports), subbands (13), cqi ("none", "wideband" or "subband"; none), snr_db of the UE for the
    CQI (10), and those of the codebook.
    """

    domain = "H"
    precursor = 0
    is_precoder = True
    #: name -> default of all options
    defaults: Dict[str, Any] = {"rows": 1024, "n1": 16, "n2": 1, "subbands": 13, "cqi": "none",
                                "snr_db": 10.0}

    def __init__(self, model: Any = None, **options: str) -> None:
        if model is not None:
            raise ValueError(f"codec {self.name} has no model file")
        values = dict(self.defaults)
        for name, text in options.items():
            if name not in values:
                raise ValueError(f"codec {self.name} has no option {name}, allowed is "
                                 + ", ".join(values))
            kind = type(values[name])
            try:
                values[name] = kind(text)
            except ValueError:
                raise ValueError(f"codec {self.name}: {name} is {text}, allowed is a number"
                                 ) from None
        super().__init__()
        self._values = values
        self._snr_db = values["snr_db"]
        # UE and BS with different options do not understand each other.
        self.model_id = zlib.crc32(repr(sorted(values.items())).encode()) & 0xffff
        self.rows = self.nc = values["rows"]
        encoder = self.report_encoder()
        self.nt = encoder.nt()
        self.report_bits = (encoder.min_bits(), encoder.max_bits())

    def codebook(self) -> Any:
        """The pmi_codebook."""
        raise NotImplementedError

    def format(self) -> Any:
        """The csi_report_format, with a codebook of its own."""
        return core.csi_report_format(self.codebook(), self._values["cqi"])

    def report_encoder(self) -> Any:
        """The UE half."""
        return core.pmi_report_encoder(self.format(), self.rows, self._snr_db, self.number,
                                       self.model_id)

    def report_decoder(self) -> Any:
        """The BS half."""
        return core.pmi_report_decoder(self.format(), self.rows, self.number, self.model_id)


class Type1(Codebook):
    """Type I single panel: options also mode, the codebookMode (1)."""

    name, number, title = "type1", 251, "Type I"
    help = "PMI codebook Type I single panel of TS 38.214."
    defaults = {**Codebook.defaults, "mode": 1}

    def __init__(self, model: Any = None, **options: str) -> None:
        super().__init__(model, **options)
        self.title = f"Type I mode {self._values['mode']}"

    def codebook(self) -> Any:
        v = self._values
        return core.type1_codebook(v["n1"], v["n2"], v["subbands"], v["mode"])


class Type2(Codebook):
    """Type II of Release 15: options also beams, L (4), phase_alphabet, N_PSK (8), and
    subband_amplitude (1)."""

    name, number, title = "type2", 250, "Type II"
    help = "PMI codebook Type II of TS 38.214, Release 15."
    defaults = {**Codebook.defaults, "beams": 4, "phase_alphabet": 8, "subband_amplitude": 1}

    def __init__(self, model: Any = None, **options: str) -> None:
        super().__init__(model, **options)
        v = self._values
        self.title = f"Type II L={v['beams']} {v['phase_alphabet']}PSK" + \
            ("" if v["subband_amplitude"] else " phases")

    def codebook(self) -> Any:
        v = self._values
        return core.type2_codebook(v["n1"], v["n2"], v["subbands"], v["beams"],
                                   v["phase_alphabet"], bool(v["subband_amplitude"]))


class Etype2(Codebook):
    """Enhanced Type II: options also param_combination (6) and per_cqi, R (1); subbands is N3."""

    name, number, title = "etype2", 252, "eType II"
    help = "Enhanced Type II PMI codebook of TS 38.214."
    defaults = {**Codebook.defaults, "param_combination": 6, "per_cqi": 1}

    def __init__(self, model: Any = None, **options: str) -> None:
        super().__init__(model, **options)
        self.title = f"eType II pc{self._values['param_combination']}"

    def codebook(self) -> Any:
        v = self._values
        return core.etype2_codebook(v["n1"], v["n2"], v["subbands"], v["param_combination"],
                                    [1], v["per_cqi"])


#: name -> class
CLASSES = {cls.name: cls for cls in (Type1, Type2, Etype2)}
