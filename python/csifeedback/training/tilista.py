#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""TiLISTA (Wang, Chen, Yin and Wang, 2020), as far as it is known."""

import math
from typing import Dict, Sequence

import torch
from torch import nn
from torch.nn import functional

from .network import Components, Network, checked_start, full_precision, relative_error

#: outputs of the sparse auto-encoder for 2 nt inputs, relative to these
WIDTH = 4


class TiLista(Network):
    """TiLISTA: s = W h with a learned W, and ISTA unrolled to 10 layers in a learned sparse domain.

    A layer is a gradient step, a linear sparse auto-encoder with a soft threshold between encoder
    and decoder, x' = D(soft(E(x - step W^T (W x - s)))). Layers have their own step and threshold
    and share W, E and D. E and D work on single delay rows in the spatial domain: the row's
    inverse DFT over the angles, [Re, Im] over the antennas.

    No program is public and its paper was not at hand. What is certain is what Csi-L2O says of it:
    a learned projection at the UE, 10 layers, a sparse auto-encoder in the spatial domain, and
    0.033 M parameters in the decoder at every ratio with as many operations in a layer (Table III,
    counted for one row). 2 x 64 x 256 = 32,768 weights, 64 being a delay row and 256 the width
    of Csi-L2O's own transform, are exactly that; the 20 steps and thresholds come on top.

    The loss is the error of the result and 0.01 times that of the auto-encoder, as in Csi-L2O.

    start_from: as in `FistaNet`.
    """

    codec = "tilista"
    options = {"layers": 10, "start_from": "components"}
    recipe = {"learning_rate": 3e-3, "batch": 200}
    rate_factors = {"steps": 5.0, "thresholds": 5.0, "w": 0.25}

    def __init__(self, na: int, nt: int, code_sizes: Sequence[int], layers: int = 10,
                 start_from: str = "components") -> None:
        super().__init__(na, nt, code_sizes)
        if not 1 <= layers <= 1000:
            raise ValueError(f"layers is {layers}, allowed is 1 to 1000")
        self.layers, self.start_from = int(layers), checked_start(start_from)
        self.w = nn.Parameter(torch.empty(self.code_size, self.size))
        nn.init.xavier_uniform_(self.w)
        self.steps = nn.Parameter(torch.full((layers,), 0.1))
        # What softplus makes 0.05 of.
        self.thresholds = nn.Parameter(torch.full((layers,), -3.0))
        self.sparse = nn.Linear(2 * nt, WIDTH * 2 * nt, bias=False)
        self.dense = nn.Linear(WIDTH * 2 * nt, 2 * nt, bias=False)
        # A tight frame: D E is the identity.
        frame = torch.linalg.qr(torch.randn(WIDTH * 2 * nt, 2 * nt))[0]
        with torch.no_grad():
            self.sparse.weight.copy_(frame)
            self.dense.weight.copy_(frame.t())
        angles = 2 * math.pi / nt * torch.outer(torch.arange(nt), torch.arange(nt)).float()
        cosine, sine = torch.cos(angles) / math.sqrt(nt), torch.sin(angles) / math.sqrt(nt)
        # [Re, Im] over angles times this is [Re, Im] over antennas, and back with its transpose.
        self.register_buffer("antennas", torch.cat(
            [torch.cat([cosine, sine], 1), torch.cat([-sine, cosine], 1)]), persistent=False)

    @torch.no_grad()
    def start(self, components: Components) -> None:
        if self.start_from == "components":
            self.w.copy_(components.coloured_rows(self.code_size))
            self.steps.fill_(1.0)

    @torch.jit.export
    def encode(self, h: torch.Tensor, code_size: int = 0) -> torch.Tensor:
        return torch.mm(h, self.w.t())

    def spatial(self, x: torch.Tensor) -> torch.Tensor:
        """Delay rows [Re, Im] over antennas, (B, na, 2 nt), of x (B, 2 na nt)."""
        rows = x.reshape(-1, 2, self.na, self.nt).transpose(1, 2)
        return torch.mm(rows.reshape(-1, 2 * self.nt), self.antennas).reshape(
            -1, self.na, 2 * self.nt)

    def angular(self, rows: torch.Tensor) -> torch.Tensor:
        """The inverse of `spatial`."""
        x = torch.mm(rows.reshape(-1, 2 * self.nt), self.antennas.t()).reshape(
            -1, self.na, 2, self.nt)
        return x.transpose(1, 2).reshape(-1, self.size)

    @torch.jit.export
    def decode(self, s: torch.Tensor) -> torch.Tensor:
        x = torch.zeros(s.shape[0], self.size, device=s.device)
        for number in range(self.layers):
            u = x - self.steps[number] * torch.mm(torch.mm(x, self.w.t()) - s, self.w)
            z = self.sparse(self.spatial(u))
            limit = functional.softplus(self.thresholds[number])
            z = torch.sign(z) * torch.relu(z.abs() - limit)
            x = self.angular(self.dense(z)).float()
        return x

    def loss(self, h: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        with full_precision(h):
            return self._loss(h, seen)

    def _loss(self, h, seen):
        own = self.angular(self.dense(self.sparse(self.spatial(h))))
        return super().loss(h, seen) + 0.01 * relative_error(own, h)

    def multiply_adds(self, code_size: int = 0) -> Dict[str, int]:
        product = self.size * self.code_size
        rows = self.na * (self.sparse.weight.numel() + self.dense.weight.numel())
        # The DFT over the antennas can be part of the linear layers once they are trained.
        return {"encoder": product, "decoder": self.layers * (2 * product + rows)}
