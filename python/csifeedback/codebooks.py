#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""PMI codebooks of 3GPP TS 38.214 as codecs: reports in bits, without model files.

`open_codec("etype2:param_combination=6,n1=4,n2=4,rows=52")` and the programs find them by name. They
take whole matrices H whose columns are ports in 3GPP's order; with nr antennas at the UE those of
`layers`, with a row for each antenna of each subcarrier. The UE chooses the rank. The matrix that a
report becomes has the direction of the channel in each subband, not its phase and gain: SGCS and
spectral efficiency say how good it is, NMSE does not.
"""

import zlib
from typing import Any, Dict

from . import csifeedback_python as core
from .codecs import Codec
from .layers import allowed_ranks

CQI = ("none", "wideband", "subband")


class Codebook(Codec):
    """A codec of a PMI codebook.

    options: rows of H (subcarriers or resource blocks; 1024), n1 and n2 of the array (16 and 1:
    32 ports), subbands (13), cqi ("none", "wideband" or "subband"; none), snr_db of the UE for rank and
    CQI (10), nr antennas of the UE (1), ranks that it may report, such as 1-2 or 2 (all up to nr), and
    those of the codebook.
    """

    domain = "H"
    precursor = 0
    is_precoder = True
    #: name -> default of all options
    defaults: Dict[str, Any] = {"rows": 1024, "n1": 16, "n2": 1, "subbands": 13, "cqi": "none",
                                "snr_db": 10.0, "nr": 1, "ranks": ""}
    #: highest rank of the codebook
    highest_rank = 4

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
        self.nr, self.snr_db = values["nr"], values["snr_db"]
        if not 1 <= self.nr <= 64:
            raise ValueError(f"codec {self.name}: nr is {self.nr}, allowed is 1 to 64")
        self.ranks = allowed_ranks(self.nr, values.pop("ranks"), self._highest_rank(values))
        self.array = values["n1"], values["n2"], 2
        self._values = values
        self._snr_db = values["snr_db"]
        # UE and BS with different options do not understand each other. Those with one antenna have the
        # number that they had before there were others.
        known = {name: value for name, value in values.items() if name != "nr" or value != 1}
        if self.nr > 1:
            known["ranks"] = self.ranks
        self.model_id = zlib.crc32(repr(sorted(known.items())).encode()) & 0xffff
        self.rows = self.nc = values["rows"] * self.nr
        encoder = self.report_encoder()
        self.nt = encoder.nt()
        self.report_bits = (encoder.min_bits(), encoder.max_bits())

    def _highest_rank(self, values: Dict[str, Any]) -> int:
        """Of these options."""
        return max(1, min(self.highest_rank, 2 * values["n1"] * values["n2"]))

    def codebook(self) -> Any:
        """The pmi_codebook."""
        raise NotImplementedError

    def format(self) -> Any:
        """The csi_report_format, with a codebook of its own."""
        return core.csi_report_format(self.codebook(), self._values["cqi"])

    def report_encoder(self) -> Any:
        """The UE half."""
        return core.pmi_report_encoder(self.format(), self._values["rows"], self._snr_db, self.number,
                                       self.model_id, self.nr)

    def report_decoder(self) -> Any:
        """The BS half."""
        return core.pmi_report_decoder(self.format(), self._values["rows"], self.number,
                                       self.model_id, self.nr)


class Type1(Codebook):
    """Type I single panel: options also mode, the codebookMode (1)."""

    name, number, title = "type1", 251, "Type I"
    help = "PMI codebook Type I single panel of TS 38.214."
    defaults = {**Codebook.defaults, "mode": 1}
    highest_rank = 8

    def __init__(self, model: Any = None, **options: str) -> None:
        super().__init__(model, **options)
        self.title = f"Type I mode {self._values['mode']}"

    def codebook(self) -> Any:
        v = self._values
        return core.type1_codebook(v["n1"], v["n2"], v["subbands"], v["mode"], self.ranks,
                                   v["snr_db"])


class Type2(Codebook):
    """Type II of Release 15: options also beams, L (4), phase_alphabet, N_PSK (8), and
    subband_amplitude (1)."""

    name, number, title = "type2", 250, "Type II"
    help = "PMI codebook Type II of TS 38.214, Release 15."
    highest_rank = 2
    defaults = {**Codebook.defaults, "beams": 4, "phase_alphabet": 8, "subband_amplitude": 1}

    def __init__(self, model: Any = None, **options: str) -> None:
        super().__init__(model, **options)
        v = self._values
        self.title = f"Type II L={v['beams']} {v['phase_alphabet']}PSK" + \
            ("" if v["subband_amplitude"] else " phases")

    def codebook(self) -> Any:
        v = self._values
        return core.type2_codebook(v["n1"], v["n2"], v["subbands"], v["beams"],
                                   v["phase_alphabet"], bool(v["subband_amplitude"]), self.ranks)


class Etype2(Codebook):
    """Enhanced Type II: options also param_combination (6) and per_cqi, R (1); subbands is N3."""

    name, number, title = "etype2", 252, "eType II"
    help = "Enhanced Type II PMI codebook of TS 38.214."
    defaults = {**Codebook.defaults, "param_combination": 6, "per_cqi": 1}

    def __init__(self, model: Any = None, **options: str) -> None:
        super().__init__(model, **options)
        self.title = f"eType II pc{self._values['param_combination']}"

    def _highest_rank(self, values: Dict[str, Any]) -> int:
        # Combinations 7 and 8 are for rank 1.
        return super()._highest_rank(values) if values["param_combination"] < 7 else 1

    def codebook(self) -> Any:
        v = self._values
        return core.etype2_codebook(v["n1"], v["n2"], v["subbands"], v["param_combination"],
                                    self.ranks, v["per_cqi"])


#: name -> class
CLASSES = {cls.name: cls for cls in (Type1, Type2, Etype2)}
