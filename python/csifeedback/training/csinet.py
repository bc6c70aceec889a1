#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""CsiNet (Wen, Shih and Jin, 2018) and NR-CsiNet (Zimaglia et al., 2020)."""

from typing import Dict, Sequence

import torch
from torch import nn

from .network import (Components, ConvBn, Network, bounded, checked_start, leaky, pass_through,
                      range_of, xavier)


class RefineNet(nn.Module):
    """3x3 convolutions 2 -> 8 -> 16 -> 2 with a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.first = ConvBn(2, 8, 3, bias=True)
        self.second = ConvBn(8, 16, 3, bias=True)
        self.third = ConvBn(16, 2, 3, bias=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return leaky(x + self.third(leaky(self.second(leaky(self.first(x))))))

    def weights(self) -> int:
        return sum(layer.weights() for layer in (self.first, self.second, self.third))


class CsiNet(Network):
    """CsiNet as in its authors' Keras program.

    Encoder: 3x3 convolution 2 -> 2, flat, dense 2 na nt -> M. Decoder: dense M -> 2 na nt, two
    RefineNet units, 3x3 convolution 2 -> 2, sigmoid; here `bounded`, the sigmoid after an affine
    map. 2,103,116 parameters at 1/4 of 32 x 32 (Csi-L2O's Tables II and III count weights alone,
    without biases and normalization: 0.524 M and 0.527 M at 1/8).

    start_from: "xavier", as published, or "components": convolutions hand on what they get, the dense
    layers are the channel's principal components and back, and the RefineNet units change nothing
    at first. The published recipe: Adam with 1e-3, batch 200, MSE, 1000 epochs of 100,000.
    """

    codec = "csinet"
    options = {"start_from": "components"}
    units = 2

    def __init__(self, na: int, nt: int, code_sizes: Sequence[int],
                 start_from: str = "components") -> None:
        super().__init__(na, nt, code_sizes)
        self.start_from = checked_start(start_from)
        self.limit = range_of(na, nt)
        self.encoder_conv = ConvBn(2, 2, 3, bias=True)
        self.encoder_dense = nn.Linear(self.size, self.code_size)
        self.decoder_dense = nn.Linear(self.code_size, self.size)
        self.refine = nn.Sequential(*[RefineNet() for _ in range(self.units)])
        self.last = nn.Conv2d(2, 2, 3, padding=1)
        xavier(self)

    @torch.no_grad()
    def start(self, components: Components) -> None:
        if self.start_from != "components":
            return
        rows = components.rows(self.code_size)
        pass_through(self.encoder_conv)
        self.encoder_dense.weight.copy_(rows)
        # The standard deviation of an element of h_vec, which the encoder's normalization removes.
        self.decoder_dense.weight.copy_(0.5 ** 0.5 * rows.t())
        for unit in self.refine:
            unit.third.bn.weight.zero_()
        nn.init.dirac_(self.last.weight)

    @torch.jit.export
    def encode(self, h: torch.Tensor, code_size: int = 0) -> torch.Tensor:
        x = leaky(self.encoder_conv(h.reshape(-1, 2, self.na, self.nt)))
        return self.encoder_dense(x.flatten(1)).float()

    @torch.jit.export
    def decode(self, s: torch.Tensor) -> torch.Tensor:
        x = self.decoder_dense(s).reshape(-1, 2, self.na, self.nt)
        return bounded(self.last(self.refine(x)).float().flatten(1), self.limit)

    def multiply_adds(self, code_size: int = 0) -> Dict[str, int]:
        pixels, dense = self.na * self.nt, self.size * self.code_size
        convolutions = sum(unit.weights() for unit in self.refine) + self.last.weight.numel()
        return {"encoder": pixels * self.encoder_conv.weights() + dense,
                "decoder": pixels * convolutions + dense}


class NrCsiNet(CsiNet):
    """NR-CsiNet, as far as it is known: CsiNet with one RefineNet unit in place of two.

    Its authors published no program. The parameter counts that MLCF's Table II prints for it,
    593.3 K, 1.183 M and 2.363 M at 1/16, 1/8 and 1/4, are to all digits those of this network with
    24 x 32 matrices (593,294, 1,183,310 and 2,363,342), half of the 48 resource blocks. What it
    does beyond that is not known; the operations printed there, 3.28 M at 1/16, are more than this
    network's.
    """

    codec = "nr-csinet"
    units = 1
