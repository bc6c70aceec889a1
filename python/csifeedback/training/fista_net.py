#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""FISTA-Net (Guo, Wang, Li and Xue, 2022)."""

from typing import Dict, Sequence, Tuple

import torch
from torch import nn

from .network import Components, Network, checked_start, full_precision, relative_error

#: channels of the transforms
CHANNELS = 16


def pointwise() -> nn.Module:
    """A 1x1 convolution."""
    return nn.Conv2d(CHANNELS, CHANNELS, 1, bias=False)


class Phase(nn.Module):
    """What follows a gradient step: a transform, a threshold and the transform's inverse.

    No convolution has a bias: the authors' program makes some, but does not use them. norm: whether
    the network that computes the thresholds has a batch normalization.
    """

    def __init__(self, norm: bool = True) -> None:
        super().__init__()
        self.into = nn.Conv2d(2, CHANNELS, 3, padding=1, bias=False)
        self.forward_layers = nn.ModuleList([pointwise() for _ in range(2)])
        self.inverse_layers = nn.ModuleList([pointwise() for _ in range(2)])
        self.out = nn.Conv2d(CHANNELS, 2, 3, padding=1, bias=False)
        self.squeeze = nn.Linear(CHANNELS, CHANNELS // 4)
        self.norm = nn.BatchNorm1d(CHANNELS // 4) if norm else nn.Identity()
        self.excite = nn.Linear(CHANNELS // 4, CHANNELS)
        for layer in (self.into, *self.forward_layers, *self.inverse_layers, self.out):
            nn.init.xavier_uniform_(layer.weight)
        for layer in (self.squeeze, self.excite):
            nn.init.kaiming_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    @torch.no_grad()
    def copy_from(self, other: "Phase") -> None:
        """Takes over the weights of a trained phase; this one has no normalization, which becomes a
        part of the layer before it."""
        state = {k: v.clone() for k, v in other.state_dict().items() if not k.startswith("norm.")}
        if isinstance(other.norm, nn.BatchNorm1d):
            scale = other.norm.weight / torch.sqrt(other.norm.running_var + other.norm.eps)
            state["squeeze.weight"] *= scale[:, None]
            state["squeeze.bias"] = other.norm.bias + scale * (
                other.squeeze.bias - other.norm.running_mean)
        self.load_state_dict(state)

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        """F of (B, CHANNELS, rows, columns)."""
        for number, layer in enumerate(self.forward_layers):
            x = layer(torch.relu(x) if number > 0 else x)
        return x

    def inverse(self, z: torch.Tensor) -> torch.Tensor:
        """F~, which the symmetry loss makes the inverse of F."""
        for number, layer in enumerate(self.inverse_layers):
            z = layer(torch.relu(z) if number > 0 else z)
        return z

    def forward(self, x: torch.Tensor, symmetry: bool) -> Tuple[torch.Tensor, torch.Tensor]:
        """x (B, 2, rows, columns) -> the same after transform, threshold and inverse, and the
        mean square of F~(F(x)) - x; zero unless symmetry is wanted."""
        u = self.into(x)
        z = self.transform(u)
        # A threshold for each channel: a part of its mean magnitude.
        mean = z.abs().mean((2, 3))
        part = self.excite(torch.relu(self.norm(self.squeeze(mean))))
        limit = (mean * torch.sigmoid(part)).unsqueeze(2).unsqueeze(3)
        v = self.inverse(z - torch.maximum(torch.minimum(z, limit), -limit))
        error = torch.zeros([], device=x.device)
        if symmetry:
            error = (self.inverse(z) - u).float().square().mean()
        return x + self.out(v).float(), error

    def weights(self) -> int:
        """Multiply-adds for an element of the matrix."""
        layers = [self.into, *self.forward_layers, *self.inverse_layers, self.out]
        return sum(layer.weight.numel() for layer in layers)


class FistaNet(Network):
    """FISTA-Net: s = W h with a learned W, and FISTA unrolled to 20 phases with W^T.

    Each phase has a step, a momentum, a transform F of 3x3 and 1x1 convolutions of 16 channels
    with an inverse F~, and a threshold for each channel that a small network computes from mean
    magnitudes. Phases share W alone. x is zero at first.

    The loss is the authors': the error of the result, 0.01 times those of all phases before, and
    0.01 times the sum of the errors F~(F(x)) - x.

    Their program flattens (2, 32, 32) and takes it as (32, 32, 2), so that its convolutions see
    values that are no neighbours; here they see Re(Ha) and Im(Ha) as two channels.

    1,083,736 parameters at 1/4 of 32 x 32; with 1,620 biases that the authors' program makes and
    does not use these are the printed 1.09, 0.56, 0.30, 0.17 and 0.10 M.

    start_from: "xavier", as published, with steps of 0.01; or "components": W are random combinations
    of the channel's principal components with orthonormal rows, and steps are 1, which trains
    much faster. The published recipe: Adam with 1e-4, batch 100, 300 epochs of 100,000.
    """

    codec = "fista-net"
    options = {"phases": 20, "start_from": "components"}
    recipe = {"learning_rate": 3e-3, "batch": 200}
    rate_factors = {"steps": 5.0, "momenta": 5.0, "w": 0.25}

    def __init__(self, na: int, nt: int, code_sizes: Sequence[int], phases: int = 20,
                 start_from: str = "components") -> None:
        super().__init__(na, nt, code_sizes)
        if not 1 <= phases <= 1000:
            raise ValueError(f"phases is {phases}, allowed is 1 to 1000")
        self.phases, self.start_from = int(phases), checked_start(start_from)
        self.w = nn.Parameter(torch.empty(self.code_size, self.size))
        nn.init.xavier_uniform_(self.w)
        self.steps = nn.Parameter(torch.full((phases,), 0.01))
        self.momenta = nn.Parameter(torch.full((phases,), 0.01))
        self.layers = nn.ModuleList([Phase() for _ in range(phases)])

    @torch.no_grad()
    def start(self, components: Components) -> None:
        if self.start_from == "components":
            self.w.copy_(components.coloured_rows(self.code_size))
            self.steps.fill_(1.0)
            # Nearly plain gradient steps, rather than random changes, to begin with.
            for phase in self.layers:
                phase.out.weight.mul_(0.1)

    @torch.jit.export
    def encode(self, h: torch.Tensor, code_size: int = 0) -> torch.Tensor:
        return torch.mm(h, self.w.t())

    @torch.jit.export
    def decode(self, s: torch.Tensor) -> torch.Tensor:
        x = torch.zeros(s.shape[0], self.size, device=s.device)
        before = x
        for number, phase in enumerate(self.layers):
            now, _ = phase(self.descend(number, s, x, before), False)
            before, x = x, now.flatten(1)
        return x

    def descend(self, number: int, s: torch.Tensor, x: torch.Tensor,
                before: torch.Tensor) -> torch.Tensor:
        """The momentum and gradient step of a phase, (B, 2, na, nt)."""
        if number == 0:
            u = self.steps[0] * torch.mm(s, self.w)
        else:
            y = x + self.momenta[number] * (x - before)
            u = y - self.steps[number] * torch.mm(torch.mm(y, self.w.t()) - s, self.w)
        return u.reshape(-1, 2, self.na, self.nt)

    def loss(self, h: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        with full_precision(h):
            s = self.encode(seen)
        x = before = torch.zeros_like(h)
        total = 0.0
        for number, phase in enumerate(self.layers):
            with full_precision(h):
                u = self.descend(number, s, x, before)
            now, error = phase(u, True)
            before, x = x, now.flatten(1)
            weight = 1.0 if number + 1 == self.phases else 0.01
            # The error of the transforms relative to the power of h_vec, like the others.
            total = total + weight * relative_error(x, h) + 0.02 * error
        return total

    def compile_parts(self) -> None:
        # All phases are alike: one is compiled, for all.
        for phase in self.layers:
            phase.compile()

    def multiply_adds(self, code_size: int = 0) -> Dict[str, int]:
        gradient = 2 * self.size * self.code_size
        transforms = sum(phase.weights() for phase in self.layers) * self.na * self.nt
        thresholds = self.phases * 2 * CHANNELS * (CHANNELS // 4)
        return {"encoder": self.size * self.code_size,
                "decoder": self.phases * gradient - gradient // 2 + transforms + thresholds}
