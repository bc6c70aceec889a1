#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""CLNet (Ji and Li, 2021)."""

from typing import Dict, Sequence

import torch
from torch import nn

from .network import (Components, ConvBn, Network, checked_start, leaky, pass_through, range_of,
                      xavier)

#: what `ClNet.start` adds to the elements that the blocks see, so that LeakyReLUs cut few
OFFSET = 3.0


class SpatialGate(nn.Module):
    """Scales each element by the sigmoid of a 3x3 convolution over maximum and mean of the
    channels."""

    def __init__(self) -> None:
        super().__init__()
        self.spatial = ConvBn(2, 1, 3)
        self.spatial.bn.momentum = 0.01

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pooled = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], 1)
        return x * torch.sigmoid(self.spatial(pooled))


class Squeeze(nn.Module):
    """Squeeze and excitation: scales each channel by a function of all channels' means."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        self.first = nn.Linear(channels, channels // reduction, bias=False)
        self.second = nn.Linear(channels // reduction, channels, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.sigmoid(self.second(torch.relu(self.first(x.mean((2, 3))))))
        return x * y.unsqueeze(2).unsqueeze(3)


class CrBlock(nn.Module):
    """Two paths of convolutions, of 3x3 and 5x5 elements, and a skip connection."""

    def __init__(self) -> None:
        super().__init__()
        self.path_a = nn.ModuleList([ConvBn(2, 7, 3), ConvBn(7, 7, (1, 3)), ConvBn(7, 7, (3, 1))])
        self.path_b = nn.ModuleList([ConvBn(2, 7, (1, 5)), ConvBn(7, 7, (5, 1))])
        self.join = ConvBn(14, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = x, x
        for number, layer in enumerate(self.path_a):
            a = layer(leaky(a) if number > 0 else a)
        for number, layer in enumerate(self.path_b):
            b = layer(leaky(b) if number > 0 else b)
        return leaky(x + self.join(leaky(torch.cat([a, b], 1))))

    def weights(self) -> int:
        return sum(layer.weights() for layer in [*self.path_a, *self.path_b, self.join])


class ClNet(Network):
    """CLNet as in its authors' program.

    Encoder: one path of 3x3, 1x9 and 9x1 convolutions with a spatial gate, one of a 1x1
    convolution 2 -> 32, their "forged complex" layer, with squeeze and excitation; both joined by
    a 1x1 convolution, dense 2 na nt -> M. Decoder: dense M -> 2 na nt, 5x5 convolution, two
    CrBlocks, hard sigmoid. Centred at zero and with slope one, the hard sigmoid is a limit to
    +- sqrt(na nt), which no element of h_vec exceeds.

    2102, 1053, 528.7, 266.5 and 135.4 K parameters at 1/4 to 1/64 of 32 x 32, as published.
    start_from: "xavier", as published, or "components": the forged layer and the decoder's
    convolution hand on what they get, the dense layers are the channel's principal components and
    back, and the CrBlocks change nothing at first.
    The published recipe: Adam from 2e-3 along a cosine, batch 200, MSE, 1000 epochs of 100,000.
    """

    codec = "clnet"
    options = {"start_from": "components"}
    recipe = {"learning_rate": 2e-3, "batch": 200}

    def __init__(self, na: int, nt: int, code_sizes: Sequence[int],
                 start_from: str = "components") -> None:
        super().__init__(na, nt, code_sizes)
        self.start_from = checked_start(start_from)
        self.limit = float(range_of(na, nt))
        self.path = nn.ModuleList([ConvBn(2, 2, 3), ConvBn(2, 2, (1, 9)), ConvBn(2, 2, (9, 1))])
        self.gate = SpatialGate()
        self.forged = ConvBn(2, 32, 1)
        self.squeeze = Squeeze(32)
        self.join = ConvBn(34, 2, 1)
        self.encoder_dense = nn.Linear(self.size, self.code_size)
        self.decoder_dense = nn.Linear(self.code_size, self.size)
        self.decoder_conv = ConvBn(2, 2, 5)
        self.blocks = nn.Sequential(CrBlock(), CrBlock())
        xavier(self)

    @torch.no_grad()
    def start(self, components: Components) -> None:
        if self.start_from != "components":
            return
        rows = components.rows(self.code_size)
        # leaky(x) - leaky(-x) is 1.3 x: of x and -x, the join can make x again.
        self.join.conv.weight.mul_(0.1)
        for part in (0, 1):
            for sign in (0, 1):
                channel = 2 * part + sign
                self.forged.conv.weight[channel].zero_()
                self.forged.conv.weight[channel, part] = 1 - 2 * sign
                self.join.conv.weight[part, 2 + channel] = 1 - 2 * sign
        self.encoder_dense.weight.copy_(rows)
        self.decoder_dense.weight.copy_(rows.t())
        pass_through(self.decoder_conv)
        # The standard deviation of an element of h_vec.
        self.decoder_conv.bn.weight.fill_(0.5 ** 0.5)
        self.decoder_conv.bn.bias.fill_(OFFSET)
        for block in self.blocks:
            block.join.bn.weight.zero_()
        self.blocks[-1].join.bn.bias.fill_(-OFFSET)

    @torch.jit.export
    def encode(self, h: torch.Tensor, code_size: int = 0) -> torch.Tensor:
        x = h.reshape(-1, 2, self.na, self.nt)
        a = x
        for number, layer in enumerate(self.path):
            a = layer(leaky(a) if number > 0 else a)
        b = self.squeeze(self.forged(x))
        x = leaky(self.join(leaky(torch.cat([self.gate(a), b], 1))))
        return self.encoder_dense(x.flatten(1)).float()

    @torch.jit.export
    def decode(self, s: torch.Tensor) -> torch.Tensor:
        x = self.decoder_dense(s).reshape(-1, 2, self.na, self.nt)
        x = self.blocks(leaky(self.decoder_conv(x)))
        return x.float().flatten(1).clamp(-self.limit, self.limit)

    def multiply_adds(self, code_size: int = 0) -> Dict[str, int]:
        pixels, dense = self.na * self.nt, self.size * self.code_size
        encoder = sum(layer.weights() for layer in
                      [*self.path, self.gate.spatial, self.forged, self.join])
        decoder = self.decoder_conv.weights() + sum(block.weights() for block in self.blocks)
        squeeze = self.squeeze.first.weight.numel() + self.squeeze.second.weight.numel()
        return {"encoder": pixels * encoder + squeeze + dense,
                "decoder": pixels * decoder + dense}
