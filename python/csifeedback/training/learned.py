#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The learned codecs that the papers compare with, as codecs in Python (they need PyTorch).

A model file names its codec, so that `open_codec("cost2100-indoor-fista-net-16")`, the programs and
the blocks "CSI Encoder from Model" and "CSI Decoder from Model" find these classes by themselves.
"""

import json
from typing import Any, Dict, Optional, Tuple

import numpy as np

from .. import csifeedback_python as core
from ..codecs import Codec, Decoder, Encoder

#: matrices that a network codes at a time
BATCH = 250


class LearnedCodec(Codec):
    """A network of a model file, see training.network."""

    def __init__(self, model: Optional[core.model_file] = None, **options: str) -> None:
        super().__init__(model, **options)
        if model is None:
            raise ValueError(f"codec {self.name} needs a model file")
        # The network itself, and PyTorch, once it codes something.
        self._network: Any = None
        try:
            self.code_sizes = sorted(int(m) for m in json.loads(model.text("network"))
                                     ["code_sizes"])
            self.code_size = self.code_sizes[-1]
        except (ValueError, KeyError, TypeError, IndexError):
            raise ValueError(f"{model.path}: attribute 'network' does not describe a network"
                             ) from None

    @property
    def network(self) -> Any:
        """The network, in eval mode."""
        if self._network is None:
            try:
                import torch
            except ImportError:
                raise ValueError(f"codec {self.name} needs PyTorch, which is not installed: "
                                 "apt install python3-torch libopenblas0-pthread") from None
            from .network import load_network
            self._torch = torch
            self._network = load_network(self.model)
            self._network.to(memory_format=torch.channels_last)
        return self._network

    def can_send(self, code_size: int) -> bool:
        return code_size in self.code_sizes

    def _checked(self, code_size):
        size = super()._checked(code_size)
        if size not in self.code_sizes:
            raise ValueError(f"code_size is {code_size}, allowed for {self.model.path} is "
                             + ", ".join(map(str, self.code_sizes)))
        return size

    def _attributes(self, code_size):
        return {"name": self.name, "codec_id": self.number, "model_id": self.model_id,
                "domain": self.domain, "rows": self.rows, "nt": self.nt, "code_size": code_size,
                "nc": self.nc, "precursor": self.precursor, "array": self.array}

    def encoder(self, code_size: int = 0) -> Encoder:
        size = self._checked(code_size)
        codec = self

        class Half(Encoder):
            def encode_array(self, h):
                flat = h.reshape(len(h), -1)
                real = np.concatenate([flat.real, flat.imag], 1)
                return codec._run(lambda network, part: network.encode(part, size), real)

        return Half(**self._attributes(size))

    def decoder(self, code_size: int = 0) -> Decoder:
        size = self._checked(code_size)
        codec = self

        class Half(Decoder):
            def decode_array(self, s):
                h = codec._run(lambda network, part: network.decode(part), s)
                re, im = np.split(h, 2, axis=1)
                return (re + 1j * im).reshape(len(s), codec.rows, codec.nt)

        return Half(**self._attributes(size))

    def _run(self, work, x):
        network = self.network
        with self._torch.no_grad():
            parts = self._torch.from_numpy(np.ascontiguousarray(x, np.float32)).split(BATCH)
            return np.concatenate([work(network, part).numpy() for part in parts])

    def operations(self, code_size: int) -> Tuple[Dict[str, int], Dict[str, int]]:
        counts = self.network.multiply_adds(code_size)
        return {"encoder": counts["encoder"]}, {"decoder": counts["decoder"]}


def _class(name, number, title, text):
    return type(title.replace("-", "").replace("+", "Plus"), (LearnedCodec,),
                {"name": name, "number": number, "title": title, "help": text,
                 "__module__": __name__})


CLASSES = {cls.name: cls for cls in (
    _class("csinet", 240, "CsiNet", "Convolutions and dense layers (Wen et al., 2018)."),
    _class("nr-csinet", 241, "NR-CsiNet", "CsiNet with one RefineNet unit (Zimaglia et al., "
           "2020)."),
    _class("clnet", 242, "CLNet", "Convolutions with attention (Ji and Li, 2021)."),
    _class("transnet", 243, "TransNet", "Attention over tokens (Cui et al., 2022)."),
    _class("fista-net", 244, "FISTA-Net", "Learned W, unrolled FISTA (Guo et al., 2022)."),
    _class("tilista", 245, "TiLISTA", "Learned W, unrolled ISTA in a learned sparse domain (Wang et "
           "al., 2020)."),
    _class("sm-csinet-plus", 246, "SM-CsiNet+", "CsiNet+ for several ratios, in series (Guo et "
           "al., 2020)."),
    _class("pm-csinet-plus", 247, "PM-CsiNet+", "CsiNet+ for several ratios, by prefixes (Guo et "
           "al., 2020)."))}
