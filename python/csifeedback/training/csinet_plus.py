#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""SM-CsiNet+ and PM-CsiNet+ (Guo, Wen, Jin and Li, 2020): CsiNet+ for several ratios.

One encoder serves all ratios, each has a decoder of its own. The loss is the sum of the errors at
all ratios. The authors weigh the terms so that they are of like size; here each is divided by its
own value of the moment, which makes the sum that of the logarithms.

Ranges: the data are centred at zero where theirs are in [0, 1]. The sigmoid after the decoder's
first convolution and the tanh in the RefineNet units are `bounded`, and the ReLU after each skip
connection, which cuts at 0 of [0, 1], cuts at -sqrt(na nt).

start_from: "xavier", as published, or "components": convolutions hand on what they get, the dense
layers are the channel's principal components and back, and the RefineNet units change nothing at
first. See `CsiNetPlus.start`.
"""

from typing import Dict, List, Sequence

import torch
from torch import nn

from .network import (Components, ConvBn, Network, bounded, checked_start, leaky, pass_through,
                      range_of, relative_error, xavier)


class RefineNetPlus(nn.Module):
    """7x7, 5x5 and 3x3 convolutions 2 -> 8 -> 16 -> 2 with a skip connection."""

    def __init__(self, limit: float) -> None:
        super().__init__()
        self.limit = float(limit)
        self.first = ConvBn(2, 8, 7)
        self.second = ConvBn(8, 16, 5)
        self.third = ConvBn(16, 2, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        change = self.third(leaky(self.second(leaky(self.first(x)))))
        return (x + bounded(change.float(), self.limit)).clamp(min=-self.limit)

    def weights(self) -> int:
        return sum(layer.weights() for layer in (self.first, self.second, self.third))


class DecoderPlus(nn.Module):
    """CsiNet+'s decoder: dense M -> 2 na nt, 7x7 convolution, five RefineNet units."""

    def __init__(self, na: int, nt: int, code_size: int) -> None:
        super().__init__()
        self.na, self.nt, self.limit = int(na), int(nt), float(range_of(na, nt))
        self.dense = nn.Linear(code_size, 2 * na * nt)
        self.first = ConvBn(2, 2, 7)
        self.refine = nn.Sequential(*[RefineNetPlus(self.limit) for _ in range(5)])

    def forward(self, s: torch.Tensor) -> torch.Tensor:
        x = self.first(self.dense(s).reshape(-1, 2, self.na, self.nt))
        return self.refine(bounded(x.float(), self.limit)).flatten(1)

    def multiply_adds(self) -> int:
        convolutions = self.first.weights() + sum(unit.weights() for unit in self.refine)
        return self.dense.weight.numel() + self.na * self.nt * convolutions


class CsiNetPlus(Network):
    """What SM- and PM-CsiNet+ share: the encoder's two 7x7 convolutions, and the decoders."""

    options = {"start_from": "components"}
    recipe = {"learning_rate": 1e-3, "batch": 200}

    def __init__(self, na: int, nt: int, code_sizes: Sequence[int],
                 start_from: str = "components") -> None:
        super().__init__(na, nt, code_sizes)
        self.start_from = checked_start(start_from)
        self.encoder_first = ConvBn(2, 2, 7)
        self.encoder_second = ConvBn(2, 2, 7)
        self.decoders = nn.ModuleList([DecoderPlus(na, nt, m) for m in self.code_sizes])

    @torch.no_grad()
    def start(self, components: Components) -> None:
        """With start_from=components, the KLT as far as the encoder's LeakyReLUs leave it one.

        Random dense layers between random convolutions send next to nothing at first, and random
        RefineNet units add noise of the channel's own power five times.
        """
        if self.start_from != "components":
            return
        for layer in (self.encoder_first, self.encoder_second):
            pass_through(layer)
        rows = components.rows(self.code_size)
        self.start_dense(rows)
        for size, decoder in zip(self.code_sizes, self.decoders):
            decoder.dense.weight.copy_(rows[:size].t())
            pass_through(decoder.first)
            # The standard deviation of an element of h_vec.
            decoder.first.bn.weight.fill_(0.5 ** 0.5)
            for unit in decoder.refine:
                unit.third.bn.weight.zero_()

    def start_dense(self, rows: torch.Tensor) -> None:
        """Makes the encoder's dense layers send `rows` (M, 2 na nt) times the features."""
        raise NotImplementedError

    def features(self, h: torch.Tensor) -> torch.Tensor:
        """What the dense layers of the encoder take, (B, 2 na nt)."""
        x = leaky(self.encoder_first(h.reshape(-1, 2, self.na, self.nt)))
        return leaky(self.encoder_second(x)).flatten(1)

    @torch.jit.export
    def decode(self, s: torch.Tensor) -> torch.Tensor:
        h = torch.zeros(0, device=s.device)
        for number, decoder in enumerate(self.decoders):
            if s.shape[1] == self.code_sizes[number]:
                h = decoder(s)
        assert h.numel() > 0, "the codeword has none of the lengths that the network sends"
        return h

    def loss(self, h: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        terms = [relative_error(self.decode(s), h) for s in self.codewords(seen)]
        return sum(term / (term.detach() + 1e-12) for term in terms) / len(terms)

    def codewords(self, h: torch.Tensor) -> List[torch.Tensor]:
        """Codewords of all code_sizes."""
        return [self.encode(h, m) for m in self.code_sizes]

    def encoder_weights(self, code_size: int) -> int:
        """Weights of the dense layers that a codeword takes."""
        raise NotImplementedError

    def multiply_adds(self, code_size: int = 0) -> Dict[str, int]:
        size = code_size or self.code_size
        convolutions = self.encoder_first.weights() + self.encoder_second.weights()
        return {"encoder": self.na * self.nt * convolutions + self.encoder_weights(size),
                "decoder": self.decoders[self.code_sizes.index(size)].multiply_adds()}


class SmCsiNetPlus(CsiNetPlus):
    """SM-CsiNet+: a chain of dense layers, 2 na nt -> 512 -> 256 -> 128 -> 64 for the four ratios
    of the paper; the codeword of a ratio is what the next dense layer takes.

    The encoder of 32 x 32 and these ratios has 1,221,968 parameters, 1.222 M in Csi-L2O's Table V.
    """

    codec = "sm-csinet-plus"
    has_prefixes = False

    def __init__(self, na: int, nt: int, code_sizes: Sequence[int],
                 start_from: str = "components") -> None:
        super().__init__(na, nt, code_sizes, start_from)
        inputs = [self.size] + self.code_sizes[:0:-1]
        self.encoder_dense = nn.ModuleList(
            [nn.Linear(i, o) for i, o in zip(inputs, self.code_sizes[::-1])])
        xavier(self)

    def start_dense(self, rows: torch.Tensor) -> None:
        self.encoder_dense[0].weight.copy_(rows)
        for layer in list(self.encoder_dense)[1:]:
            nn.init.eye_(layer.weight)

    @torch.jit.export
    def encode(self, h: torch.Tensor, code_size: int = 0) -> torch.Tensor:
        s = self.features(h)
        done = False
        for layer in self.encoder_dense:
            if not done:
                s = layer(s)
                done = code_size == 0 or s.shape[1] == code_size
        assert done, "the network sends no codewords of this length"
        return s.float()

    def codewords(self, h: torch.Tensor) -> List[torch.Tensor]:
        found = []
        s = self.features(h)
        for layer in self.encoder_dense:
            s = layer(s)
            found.append(s.float())
        return found[::-1]

    def encoder_weights(self, code_size: int) -> int:
        return sum(layer.weight.numel() for layer in self.encoder_dense
                   if layer.out_features >= code_size)


class PmCsiNetPlus(CsiNetPlus):
    """PM-CsiNet+: one dense layer 2 na nt -> 512, shorter codewords are its beginnings.

    The encoder has 1,049,488 parameters; Table V of Csi-L2O prints 1.649 M, which is 1.049 M with
    a wrong digit: its operations, 1.466 M, are those of this network.
    """

    codec = "pm-csinet-plus"

    def __init__(self, na: int, nt: int, code_sizes: Sequence[int],
                 start_from: str = "components") -> None:
        super().__init__(na, nt, code_sizes, start_from)
        self.encoder_dense = nn.Linear(self.size, self.code_sizes[-1])
        xavier(self)

    def start_dense(self, rows: torch.Tensor) -> None:
        self.encoder_dense.weight.copy_(rows)

    @torch.jit.export
    def encode(self, h: torch.Tensor, code_size: int = 0) -> torch.Tensor:
        s = self.encoder_dense(self.features(h)).float()
        return s[:, :code_size] if code_size > 0 else s

    def codewords(self, h: torch.Tensor) -> List[torch.Tensor]:
        s = self.encode(h)
        return [s[:, :m] for m in self.code_sizes]

    def encoder_weights(self, code_size: int) -> int:
        return code_size * self.size
