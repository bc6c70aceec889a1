#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""The networks of Csi-L2O (Ma et al., 2024) and MS4L2O (Liu et al., 2023) in PyTorch.

Within training a matrix Ha is a vector of rows, [Re row 0, Im row 0, Re row 1, ...], 2 na nt
floats: the transform f_t works on the 2 nt values of one delay row. Model files and
everything else keep the layout [Re(Ha); Im(Ha)]; `rows_of` and `Encoder.real_rows` are
the only places where the two meet.
"""

import math
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from .fista_net import Phase

#: what turns a raw parameter into the one that is used, by its number in a model file
ACTIVATIONS = {
    "identity": (0, lambda x: x),
    "sigmoid": (1, torch.sigmoid),
    "2sigmoid": (2, lambda x: 2 * torch.sigmoid(x)),
    "tanh": (3, torch.tanh),
}
STARTS = {"zeros": 0, "adjoint": 1, "mmse": 2}
#: the tables of step parameters: rates by iterations
STEPS = ("p", "a", "b", "theta", "gamma")
#: the layers of a convolutional phase by their names in a model file
PHASE_LAYERS = (("into", "into"), ("forward_0", "forward_layers.0"), ("forward_1", "forward_layers.1"),
                ("inverse_0", "inverse_layers.0"), ("inverse_1", "inverse_layers.1"), ("out", "out"),
                ("squeeze", "squeeze"), ("excite", "excite"))
#: elements of an LSTM step at a time: on a CPU what the step needs stays in the cache
LSTM_BLOCK = {"cpu": 8192, "cuda": 1 << 20}


def rows_of(ha: torch.Tensor) -> torch.Tensor:
    """Matrices (B, na, nt) complex as rows (B, 2 na nt)."""
    return torch.cat([ha.real, ha.imag], dim=-1).reshape(len(ha), -1)


def relative_errors(estimate: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """||h^ - h||^2 / ||h||^2 of every row of a batch."""
    return ((estimate - truth) ** 2).sum(1) / (truth**2).sum(1)


class Encoder(nn.Module):
    """The matrix W, eq. (6): s = W h, without bias, with rows that are used by prefixes.

    w: complex (k, na nt), vectors u of which each gives two rows of W, Re and Im of u^H h;
    or real (m, 2 na nt) in the layout [Re; Im].
    """

    def __init__(self, w: np.ndarray, na: int, nt: int) -> None:
        super().__init__()
        self.na, self.nt, self.is_complex = na, nt, np.iscomplexobj(w)
        w = np.stack([w.real, w.imag]) if self.is_complex else w.reshape(len(w), 2, na * nt)
        self.w = nn.Parameter(torch.from_numpy(np.ascontiguousarray(w, np.float32)))

    @property
    def code_size(self) -> int:
        return 2 * self.w.shape[1] if self.is_complex else self.w.shape[0]

    def matrix(self, m: int) -> torch.Tensor:
        """The first m rows of W, (m, 2 na nt), for vectors of rows."""
        if not self.is_complex:
            w = self.w[:m].reshape(m, 2, self.na, self.nt)
            return w.transpose(1, 2).reshape(m, -1)
        re, im = self.w[:, :(m + 1) // 2].reshape(2, -1, self.na, self.nt)
        pairs = torch.stack([torch.cat([re, im], -1), torch.cat([-im, re], -1)], 1)
        return pairs.reshape(2 * len(re), -1)[:m]

    @torch.no_grad()
    def set_rows(self, w: np.ndarray) -> None:
        """Takes over complex vectors u (k, na nt)."""
        self.w.copy_(torch.from_numpy(np.stack([w.real, w.imag])))

    @torch.no_grad()
    def orthonormalize(self) -> None:
        """Makes the rows orthonormal; those of every prefix span what they did before."""
        w = torch.complex(self.w[0], self.w[1]) if self.is_complex \
            else self.w.reshape(len(self.w), -1)
        q, r = torch.linalg.qr(w.conj().transpose(0, 1))
        diagonal = torch.diagonal(r)
        q = (q * (diagonal / diagonal.abs())).conj().transpose(0, 1).contiguous()
        if self.is_complex:
            self.w[0].copy_(q.real)
            self.w[1].copy_(q.imag)
        else:
            self.w.copy_(q.reshape(self.w.shape))

    @torch.no_grad()
    def lipschitz(self, rates: Sequence[int]) -> List[float]:
        """L = ||W||_2^2 of the first m rows, for every m of `rates`."""
        w = self.matrix(max(rates)).double()
        gram = w @ w.t()
        return [float(torch.linalg.eigvalsh(gram[:m, :m])[-1]) for m in rates]

    def arrays(self) -> Dict[str, np.ndarray]:
        """What goes into a model file."""
        w = self.w.detach().cpu().numpy()
        if self.is_complex:
            return {"encoder/W_complex": w[0] + 1j * w[1]}
        return {"encoder/W": w.reshape(len(w), -1)}


class MmseStart:
    """The linear MMSE estimate R W^T (W R W^T)^-1 s for every prefix of W.

    R is the covariance as model files and `linear_decoder` have it: principal components, and
    the same variance in all other directions. With the Cholesky factor L of W R W^T the
    estimate is (L^-1 W R)^T (L^-1 s), whose parts for a prefix are prefixes.
    """

    def __init__(self, basis: np.ndarray, variance: np.ndarray, floor: float, na: int,
                 nt: int) -> None:
        """basis: complex (k, na nt); variance: (2 k,), floor: those of real components."""
        self._basis = Encoder(basis, na, nt)
        self._variance = torch.from_numpy(np.asarray(variance, np.float32) - np.float32(floor))
        self._floor = float(floor)

    def to(self, device: Union[str, torch.device]) -> "MmseStart":
        self._basis.to(device)
        self._variance = self._variance.to(device)
        return self

    @torch.no_grad()
    def update(self, w: torch.Tensor) -> None:
        """Follows a change of W (m, 2 na nt, for vectors of rows)."""
        basis = self._basis.matrix(self._basis.code_size)
        projected = w @ basis.t()
        cross = (projected * self._variance) @ basis + self._floor * w
        # In double precision: of fewer training matrices than values of a codeword it is singular.
        a, b = projected.double(), w.double()
        gram = (a * self._variance.double()) @ a.t() + self._floor * (b @ b.t())
        gram.diagonal().add_(1e-9 * gram.diagonal().mean())
        factor = torch.linalg.cholesky(gram)
        self._innovations = torch.linalg.solve_triangular(
            factor, torch.eye(len(w), dtype=factor.dtype, device=w.device), upper=False).float()
        self._estimate = self._innovations @ cross

    def __call__(self, s):
        m = s.shape[1]
        return (s @ self._innovations[:m, :m].t()) @ self._estimate[:m]


def tanh(x: torch.Tensor) -> torch.Tensor:
    """By the logistic function, which PyTorch computes four times faster on a CPU."""
    return 2 * torch.sigmoid(2 * x) - 1


def soft_threshold(z: torch.Tensor, threshold: Union[float, torch.Tensor]) -> torch.Tensor:
    """sign(z) max(|z| - threshold, 0) for a threshold that is a scalar, or one of a shape that z's is
    broadcast with. Graphs have it as a constant."""
    if torch.jit.is_tracing():
        value = threshold.detach() if isinstance(threshold, torch.Tensor) and threshold.numel() > 1 \
            else float(threshold)
        return torch.sign(z) * torch.relu(z.abs() - value)
    return SoftThreshold.apply(z, threshold)


class SoftThreshold(torch.autograd.Function):
    """soft_threshold() with little memory traffic."""

    @staticmethod
    def forward(ctx: Any, z: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
        if isinstance(threshold, torch.Tensor) and threshold.numel() > 1:
            out = torch.sign(z) * torch.relu(z.abs() - threshold)
        else:
            out = functional.softshrink(z, float(threshold))
        ctx.save_for_backward(out)
        ctx.shape = threshold.shape if isinstance(threshold, torch.Tensor) else ()
        return out

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Tuple[torch.Tensor, Optional[torch.Tensor]]:
        out, = ctx.saved_tensors
        sign = torch.sign(out)
        return (gradient * sign.abs(),
                -(gradient * sign).sum_to_size(ctx.shape) if ctx.needs_input_grad[1] else None)


def largest(z: torch.Tensor, count: int) -> torch.Tensor:
    """Mask of the `count` entries of largest magnitude in every row of z."""
    with torch.no_grad():
        at = torch.topk(z.abs(), count, dim=1, sorted=False).indices
        return torch.zeros_like(z).scatter_(1, at, 1.0)


class Transform(nn.Module):
    """The sparse transform f_t of a delay row and its inverse f_i, section III-C.

    sizes: outputs of the layers of f_t, such as (128, 128, 256); f_i mirrors them. One layer
    alone is linear: a dictionary.

    The start is a tight frame: f_t gives the row at sizes[-1] / 2 angles, of which only
    nt are independent, and f_i inverts that. Hidden layers that are wide enough hand their
    input through as its positive and negative parts; `noise` breaks the symmetry.
    """

    def __init__(self, nt: int, sizes: Sequence[int], noise: float = 0.02) -> None:
        super().__init__()
        width = 2 * nt
        atoms = sizes[-1] // 2
        if sizes[-1] % 2 or atoms < nt or any(size < 2 * width for size in sizes[:-1]):
            raise ValueError(
                f"--transform is {' '.join(map(str, sizes))}, allowed are hidden layers of at "
                f"least {2 * width} and a last layer of at least {width}, even")
        self.forward_layers = nn.ModuleList(
            [nn.Linear(a, b) for a, b in zip((width, *sizes), sizes)])
        self.inverse_layers = nn.ModuleList(
            [nn.Linear(b, a) for a, b in reversed(list(zip((width, *sizes), sizes)))])
        n = np.arange(nt)
        to_antennas = np.exp(2j * np.pi * np.outer(n, n) / nt) / np.sqrt(nt)
        beams = np.exp(-2j * np.pi * np.outer(np.arange(atoms) / atoms, n)) / np.sqrt(atoms)
        frame = beams @ to_antennas
        frame = np.block([[frame.real, -frame.imag], [frame.imag, frame.real]])
        self.set_linear(torch.from_numpy(frame.astype(np.float32)), torch.zeros(2 * atoms),
                        torch.from_numpy(frame.T.astype(np.float32)), torch.zeros(width), noise)

    @torch.no_grad()
    def set_linear(self, analysis: np.ndarray, analysis_bias: np.ndarray, synthesis: np.ndarray,
                   synthesis_bias: np.ndarray, noise: float = 0.0) -> None:
        """Makes f_t(u) = analysis u + bias and f_i(z) = synthesis z + bias."""

        def through(layers, weight, bias, split):
            # split: the layer behind which values go as positive and negative parts.
            for number, layer in enumerate(layers):
                rows, columns = layer.weight.shape
                layer.weight.zero_()
                layer.bias.zero_()
                first, last = number == 0, number == len(layers) - 1
                if first and last:
                    value = weight
                elif first:
                    value = torch.cat([split, -split])
                elif last:
                    value = torch.cat([weight, -weight], 1)
                else:
                    value = torch.eye(rows, columns)
                layer.weight[:value.shape[0], :value.shape[1]] = value
                if last:
                    layer.bias.copy_(bias)
                if noise:
                    layer.weight += noise / math.sqrt(columns) * torch.randn(rows, columns)

        width = analysis.shape[1]
        through(self.forward_layers, analysis, analysis_bias, torch.eye(width))
        if len(self.inverse_layers) == 1:
            through(self.inverse_layers, synthesis, synthesis_bias, None)
        else:
            through(self.inverse_layers, torch.eye(width), synthesis_bias, synthesis)

    def forward(self, u: torch.Tensor, threshold: Union[float, torch.Tensor],
                top_g: int) -> torch.Tensor:
        """f_i(soft(topG(f_t(u)))) of rows (rows, 2 nt). threshold: a number, or (na,), one for each
        of the na rows of every matrix."""
        for layer in self.forward_layers[:-1]:
            u = torch.relu_(layer(u))
        z = self.forward_layers[-1](u)
        if isinstance(threshold, torch.Tensor) and threshold.dim():
            z = soft_threshold(z.reshape(-1, len(threshold), z.shape[1]),
                               threshold[:, None]).reshape(z.shape)
        else:
            z = soft_threshold(z, threshold)
        if 0 < top_g < z.shape[1]:
            z = z * largest(z, top_g)
        for layer in self.inverse_layers[:-1]:
            z = torch.relu_(layer(z))
        return self.inverse_layers[-1](z)


class ElementLstm(nn.Module):
    """The LSTM and MLP of eq. (20), the same for every element of x.

    Tensors are (features, elements), which is several times faster than torch.nn.LSTM on
    millions of sequences of one step.
    """

    HEADS = 5  # p, a, b, b1, b2

    def __init__(self, hidden: int, layers: int) -> None:
        super().__init__()
        self.hidden, self.layers = hidden, layers
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        bound = 1 / math.sqrt(hidden)
        for layer in range(layers):
            inputs = hidden if layer else 2
            self.weights.append(nn.Parameter(
                torch.empty(4 * hidden, inputs + hidden).uniform_(-bound, bound)))
            self.biases.append(nn.Parameter(torch.empty(4 * hidden, 1).uniform_(-bound, bound)))
        self.mlp_weight = nn.Parameter(torch.empty(hidden, hidden).uniform_(-bound, bound))
        self.mlp_bias = nn.Parameter(torch.empty(hidden, 1).uniform_(-bound, bound))
        # Zero: training starts from plain proximal gradient steps.
        self.heads_weight = nn.Parameter(torch.zeros(self.HEADS, hidden))
        self.heads_bias = nn.Parameter(torch.zeros(self.HEADS, 1))

    def named_arrays(self) -> Iterator[Tuple[str, torch.Tensor]]:
        """The parameters by their names in a model file."""
        for number in range(self.layers):
            yield f"lstm_{number}_weight", self.weights[number]
            yield f"lstm_{number}_bias", self.biases[number]
        for name in ("mlp_weight", "mlp_bias", "heads_weight", "heads_bias"):
            yield name, getattr(self, name)

    def start(self, x: torch.Tensor) -> List[torch.Tensor]:
        """The zero state of the elements of x, of each block. Graphs have one block: they are for any
        number of elements."""
        zeros = torch.zeros_like(x).reshape(1, -1).repeat(2 * self.layers * self.hidden, 1)
        if torch.jit.is_tracing():
            return [zeros]
        return list(zeros.split(LSTM_BLOCK.get(x.device.type, 8192), 1))

    def _step(self, inputs, state):
        h = self.hidden
        old = state.split(h)
        new = []
        for layer in range(self.layers):
            joined = torch.cat([inputs, old[2 * layer]])
            gates = torch.addmm(self.biases[layer], self.weights[layer], joined)
            i, f = torch.sigmoid(gates[:2 * h]).split(h)
            cell = f * old[2 * layer + 1] + i * tanh(gates[2 * h:3 * h])
            inputs = torch.sigmoid(gates[3 * h:]) * tanh(cell)
            new += [inputs, cell]
        c = torch.relu(torch.addmm(self.mlp_bias, self.mlp_weight, inputs))
        return torch.addmm(self.heads_bias, self.heads_weight, c), torch.cat(new)

    @torch.no_grad()
    def _quick_step(self, inputs, state):
        """The same where no gradient is wanted: in place, in half the time."""
        h = self.hidden
        new = torch.empty_like(state)
        for layer in range(self.layers):
            here = state[2 * layer * h:2 * (layer + 1) * h]
            joined = torch.cat([inputs, here[:h]])
            gates = torch.addmm(self.biases[layer], self.weights[layer], joined)
            gates[2 * h:3 * h].mul_(2)
            gates.sigmoid_()
            gates[2 * h:3 * h].mul_(2).sub_(1)
            inputs, cell = new[2 * layer * h:2 * (layer + 1) * h].split(h)
            torch.mul(gates[h:2 * h], here[h:], out=cell)
            cell.addcmul_(gates[:h], gates[2 * h:3 * h])
            torch.mul(cell, 2, out=inputs).sigmoid_().mul_(2).sub_(1).mul_(gates[3 * h:])
        c = torch.addmm(self.mlp_bias, self.mlp_weight, inputs).relu_()
        return torch.addmm(self.heads_bias, self.heads_weight, c), new

    def forward(self, inputs: torch.Tensor, state: List[torch.Tensor],
                share: float = 1.0) -> Tuple[torch.Tensor, List[torch.Tensor]]:
        """inputs (2, elements), state -> (5, elements), new state.

        Works block by block and computes the gates anew in the backward pass. share: part of
        the elements, the first ones, that have gradients: as all share the parameters, a part
        of them tells their gradient well enough.
        """
        if torch.jit.is_tracing():
            output, new = self._step(inputs, state[0])
            return output, [new]
        blocks = list(zip(inputs.split(state[0].shape[1], 1), state))
        graded = math.ceil(share * len(blocks)) if torch.is_grad_enabled() else 0
        outputs, states = [], []
        for number, (x, s) in enumerate(blocks):
            if number < graded:
                # checkpoint() wants an input with a gradient, or gives none.
                output, new = checkpoint(self._step, x.requires_grad_(), s)
            else:
                output, new = self._quick_step(x, s)
            outputs.append(output)
            states.append(new)
        return torch.cat(outputs, 1), states


class Phases(nn.Module):
    """What may follow the iterations: FISTA steps with convolutions, as in FISTA-Net, whose transforms
    see neighbouring delay rows and whose thresholds follow the matrix.

    Each of the rates has phases, steps and momenta of its own. The momentum of the first one has no
    effect.
    """

    def __init__(self, na: int, nt: int, rates: int, count: int) -> None:
        super().__init__()
        self.na, self.nt, self.count = na, nt, count
        self.steps = nn.Parameter(torch.ones(rates, count))
        self.momenta = nn.Parameter(torch.zeros(rates, count))
        self.layers = nn.ModuleList([nn.ModuleList([Phase(norm=False) for _ in range(count)])
                                     for _ in range(rates)])
        with torch.no_grad():
            for phases in self.layers:
                for phase in phases:
                    # Nearly plain gradient steps, rather than random changes, to begin with.
                    phase.out.weight.mul_(0.1)

    def forward(self, w: torch.Tensor, s: torch.Tensor, x: torch.Tensor, rate: int,
                lipschitz: float) -> Tuple[torch.Tensor, List[torch.Tensor]]:
        """From x (B, 2 na nt) the result and that of every phase."""
        before, results = x, []
        for number, phase in enumerate(self.layers[rate]):
            y = x + self.momenta[rate, number] * (x - before)
            u = y - self.steps[rate, number] * (torch.mm(torch.mm(y, w.t()) - s, w) / lipschitz)
            image, _ = phase(u.reshape(-1, self.na, 2, self.nt).transpose(1, 2), False)
            before, x = x, image.transpose(1, 2).reshape(x.shape)
            results.append(x)
        return x, results

    @torch.no_grad()
    def take(self, rate: int, network: nn.Module) -> None:
        """Takes over the last phases of a FistaNet for one of the rates."""
        first = network.phases - self.count
        if first < 0:
            raise ValueError(f"--convolutions is {self.count}, a FISTA-Net of --convolutions-from has "
                             f"{network.phases}")
        for own, other in zip(self.layers[rate], network.layers[first:]):
            own.copy_from(other)
        self.steps[rate].copy_(network.steps[first:])
        self.momenta[rate].copy_(network.momenta[first:])

    def named_arrays(self) -> Iterator[Tuple[str, List[List[torch.Tensor]]]]:
        """The parameters of the layers, of every phase of every rate, by their names in a model file."""
        for name, at in PHASE_LAYERS:
            layers = [[phase.get_submodule(at) for phase in phases] for phases in self.layers]
            yield f"phase_{name}_weight", [[layer.weight for layer in row] for row in layers]
            if layers[0][0].bias is not None:
                yield f"phase_{name}_bias", [[layer.bias for layer in row] for row in layers]

    def arrays(self, chosen: Sequence[int]) -> Dict[str, torch.Tensor]:
        """What goes into a model file: rates by phases by parameters."""
        return {"phase_steps": self.steps[list(chosen)], "phase_momenta": self.momenta[list(chosen)],
                **{name: torch.stack([torch.stack([value.flatten() for value in table[rate]])
                                      for rate in chosen])
                   for name, table in self.named_arrays()}}

    @torch.no_grad()
    def begin_with(self, read: Callable[[str], Any], repeats: int) -> None:
        """Takes over those of a model file, for `repeats` times its rates."""
        count = read("phase_steps").shape[1]
        if count != self.count:
            raise ValueError(f"--convolutions is {self.count}, --start-from has {count}")
        for name, parameter in (("phase_steps", self.steps), ("phase_momenta", self.momenta)):
            parameter.copy_(torch.from_numpy(read(name)).repeat(repeats, 1))
        for name, table in self.named_arrays():
            old = torch.from_numpy(read(name)).repeat(repeats, 1, 1)
            for rate, row in enumerate(table):
                for number, value in enumerate(row):
                    value.copy_(old[rate, number].reshape(value.shape))


class Decoder(nn.Module):
    """Csi-L2O's decoder, eqs. (19) and (20), or MS4L2O's where transform is None.

    rates: code sizes, ascending, each with step parameters of its own for every iteration.
    sizes: layers of the transform, or None. untied: a transform for every iteration. tied_steps:
    the same step parameters in all iterations. activations: names for p, a and b. row_steps: step
    parameters of its own for each of the na delay rows, to which an LSTM adds. convolutions: number of
    Phases after the iterations.
    """

    def __init__(self, na: int, nt: int, rates: Sequence[int], iterations: int, hidden: int = 0,
                 layers: int = 2, sizes: Sequence[int] = (256,), top_g: int = 0,
                 untied: bool = False, activations: Sequence[str] = ("2sigmoid", "tanh", "sigmoid"),
                 start: str = "mmse", gate: bool = True, consistency: bool = True,
                 tied_steps: bool = False, row_steps: bool = False, convolutions: int = 0) -> None:
        super().__init__()
        self.row_steps = row_steps
        self.na, self.nt, self.rates, self.iterations = na, nt, tuple(rates), iterations
        self.top_g, self.activations, self.start = top_g, tuple(activations), start
        self.tied_steps = tied_steps
        count = iterations if untied else 1
        self.transforms = nn.ModuleList([Transform(nt, sizes) for _ in range(count)]
                                        if sizes else [])
        self.lstm = ElementLstm(hidden, layers) if hidden else None
        self.phases = Phases(na, nt, len(rates), convolutions) if convolutions else None

        def table(value):
            return nn.Parameter(torch.full((len(rates), 1 if tied_steps else iterations,
                                            *[na] * row_steps), value))

        def raw(name, value):
            # The raw parameter that an activation turns into about this value.
            inverse = {"identity": lambda v: v, "tanh": math.atanh,
                       "sigmoid": lambda v: math.log(v / (1 - v)),
                       "2sigmoid": lambda v: math.log(v / (2 - v))}
            return inverse[name](value)

        self.p = table(raw(activations[0], 0.9))
        self.a = table(raw(activations[1], 0.1))
        self.b = table(raw(activations[2], 0.95))
        self.theta = table(-3.0)
        self.gamma = table(0.3 if gate else 1.0).requires_grad_(gate)
        self.consistency = nn.Parameter(torch.full((len(rates),), float(consistency)),
                                        requires_grad=bool(consistency))

    def first(self, w: torch.Tensor, s: torch.Tensor, lipschitz: float,
              mmse: Optional[MmseStart]) -> torch.Tensor:
        """x at the beginning; mmse: the MmseStart of w, where the decoder has that start."""
        if mmse is not None and self.start == "mmse":
            return mmse(s)
        return torch.mm(s, w) / lipschitz if self.start == "adjoint" else s.new_zeros(len(s), w.shape[1])

    def forward(self, w: torch.Tensor, s: torch.Tensor, x0: torch.Tensor, rate: int,
                lipschitz: float = 1.0, iterations: Optional[int] = None, lstm_share: float = 1.0,
                graded: int = 0) -> Tuple[torch.Tensor, List[torch.Tensor]]:
        """Decodes codewords s (B, m) from the start x0 (B, 2 na nt); w is (m, 2 na nt).

        rate: index of m in `rates`. lstm_share: see ElementLstm. graded: the last iterations,
        which alone have gradients; 0: all. Returns the result and a list of the iterates, with
        `graded` of the last ones, and of the results of the phases.
        """
        x = y = x0
        state = self.lstm.start(x) if self.lstm else None
        count = iterations or self.iterations
        first = max(count - graded, 0) if graded else 0
        if first:
            with torch.no_grad():
                x, y, state, _ = self.iterate(w, s, (x, y, state), rate, lipschitz,
                                              range(first), lstm_share)
        x, _, _, iterates = self.iterate(w, s, (x, y, state), rate, lipschitz,
                                         range(first, count), lstm_share)
        if float(self.consistency[rate]) != 0:
            x = x - self.consistency[rate] * (torch.mm(torch.mm(x, w.t()) - s, w) / lipschitz)
        if self.phases:
            x, results = self.phases(w, s, x, rate, lipschitz)
            iterates = iterates + results
        return x, iterates

    def iterate(self, w: torch.Tensor, s: torch.Tensor, begin: Tuple[Any, Any, Any], rate: int,
                lipschitz: float, numbers: Iterable[int],
                lstm_share: float) -> Tuple[Any, Any, Any, List[torch.Tensor]]:
        """The iterations `numbers` from begin = (x, y, state of the LSTM): x, y, state and the
        list of all x."""
        act = [ACTIVATIONS[name][1] for name in self.activations]
        x, y, state = begin

        def wide(parameter):
            # One value for each element, where there is one for each row.
            return parameter.repeat_interleave(2 * self.nt) if self.row_steps else parameter

        iterates = []
        for t in numbers:
            column = min(t, self.p.shape[1] - 1)
            theta = functional.softplus(self.theta[rate, column])
            gradient_y = torch.mm(torch.mm(y, w.t()) - s, w) / lipschitz
            if self.lstm:
                gradient_x = torch.mm(torch.mm(x, w.t()) - s, w) / lipschitz if t else gradient_y
                inputs = torch.stack([x.detach().flatten(), gradient_x.detach().flatten()])
                heads, state = self.lstm(inputs, state, lstm_share)
                heads = [head.reshape(x.shape) for head in heads]
                p = act[0](wide(self.p[rate, column]) + heads[0])
                a = act[1](wide(self.a[rate, column]) + heads[1])
                b = act[2](wide(self.b[rate, column]) + heads[2])
                u = x - p * gradient_x
                u = u + b * ((y - p * gradient_y) - u) - heads[3]
                offset = heads[4]
            else:
                p = wide(act[0](self.p[rate, column]))
                a = wide(act[1](self.a[rate, column]))
                u = y - p * gradient_y
                offset = 0
            if self.transforms:
                transform = self.transforms[min(t, len(self.transforms) - 1)]
                v = transform(u.reshape(-1, 2 * self.nt), theta, self.top_g).reshape(u.shape)
            else:
                threshold = wide(theta) * p / lipschitz
                v = torch.sign(u) * torch.relu(u.abs() - threshold)
            new = u + wide(self.gamma[rate, column]) * (v - u)
            y = new + a * (new - x) + offset
            x = new
            iterates.append(x)
        return x, y, state, iterates

    def autoencoding(self, h: torch.Tensor) -> List[torch.Tensor]:
        """f_i(f_t(H)) of whole matrices, the second term of the loss (11)."""
        return [t(h.reshape(-1, 2 * self.nt), 0.0, self.top_g).reshape(h.shape)
                for t in self.transforms]

    def arrays(self, profile: str, rates: Optional[Iterable[int]] = None) -> Dict[str, np.ndarray]:
        """What goes into the group l2o/<profile> of a model file; docs/files.md has its format.
        rates: indices of those whose step parameters it has, None: all."""
        chosen = list(range(len(self.rates)) if rates is None else rates)
        values = {name: getattr(self, name)[chosen] for name in (*STEPS, "consistency")}
        # One column for every iteration, also where all are the same, or one for every delay row of
        # every iteration.
        for name in STEPS:
            values[name] = values[name].expand(
                -1, self.iterations, *values[name].shape[2:]).flatten(1)
        if self.row_steps:
            values["rows"] = torch.tensor([self.na])
        if self.phases:
            values.update(self.phases.arrays(chosen))
        values["rates"] = torch.tensor([self.rates[r] for r in chosen])
        values["activation"] = torch.tensor([ACTIVATIONS[name][0] for name in self.activations])
        values["start"] = torch.tensor([STARTS[self.start]])
        values["top_g"] = torch.tensor([self.top_g])
        for part in ("forward", "inverse"):
            stacks = [getattr(t, f"{part}_layers") for t in self.transforms]
            for number, layers in enumerate(zip(*stacks)):
                for what in ("weight", "bias"):
                    values[f"transform_{part}_{number}_{what}"] = torch.stack(
                        [getattr(layer, what) for layer in layers])
        if self.lstm:
            for name, value in self.lstm.named_arrays():
                values[name] = value.flatten() if name.endswith("bias") else value
        return {f"l2o/{profile}/{name}": value.detach().cpu().numpy().astype(np.float32)
                for name, value in values.items()}

    @classmethod
    def of_model(cls, arrays: Mapping[str, np.ndarray], profile: str, na: int,
                 nt: int) -> "Decoder":
        """The decoder of a model file as it is. arrays: those of `model.read_model`.

        Raises ValueError if the file has no such profile.
        """
        group = f"l2o/{profile}/"
        if group + "p" not in arrays:
            raise ValueError(f"the model has no decoder {profile}")

        def numbers(name):
            return [int(x) for x in arrays[group + name]]

        def name_of(table, number):
            return next(k for k, v in table.items() if (v[0] if isinstance(v, tuple) else v)
                        == number)

        transforms = [k for k in arrays if k.startswith(group + "transform_forward")
                      and k.endswith("weight")]
        lstm = [k for k in arrays if k.startswith(group + "lstm") and k.endswith("weight")]
        shapes = [arrays[k].shape for k in sorted(transforms)]
        rows = numbers("rows")[0] if group + "rows" in arrays else 1
        self = cls(na, nt, numbers("rates"), arrays[group + "p"].shape[1] // rows,
                   hidden=len(arrays[lstm[0]]) // 4 if lstm else 0, layers=len(lstm),
                   sizes=[shape[1] for shape in shapes], top_g=numbers("top_g")[0],
                   untied=bool(shapes) and shapes[0][0] > 1,
                   activations=[name_of(ACTIVATIONS, k) for k in numbers("activation")],
                   start=name_of(STARTS, numbers("start")[0]), row_steps=group + "rows" in arrays,
                   convolutions=arrays[group + "phase_steps"].shape[1]
                   if group + "phase_steps" in arrays else 0)
        self.begin_with(lambda name: arrays.get(group + name))
        return self

    @torch.no_grad()
    def begin_with(self, read: Callable[[str], Any]) -> None:
        """Takes over what it can of a trained decoder. read(name) gives an array or None.

        Step parameters beyond the iterations of the other are its last ones, and so are those of
        tied steps, and of rows beyond its rows; a dictionary becomes a transform with hidden layers
        that hand values through.
        """
        for name in STEPS:
            old = torch.from_numpy(read(name))
            rows = read("rows")
            old = old.reshape(len(old), -1, 1 if rows is None else int(rows[0]))
            repeats, rest = divmod(len(self.rates), len(old))
            if rest or self.rates != self.rates[:len(old)] * repeats:
                raise ValueError(f"--start-from has step parameters for {len(old)} rates, "
                                 f"--rates are {len(set(self.rates))}")
            old = old.repeat(repeats, 1, 1)
            last = old.shape[1] - 1
            columns = [last] if self.tied_steps else [min(t, last) for t in range(self.iterations)]
            old = old[:, columns][..., [min(r, old.shape[2] - 1) for r in range(self.na)]]
            getattr(self, name).copy_(old if self.row_steps else old[..., 0])
        self.consistency.copy_(torch.from_numpy(read("consistency")).repeat(repeats))
        if self.phases and read("phase_steps") is not None:
            self.phases.begin_with(read, repeats)
        if self.lstm and read("mlp_weight") is not None:
            for name, value in self.lstm.named_arrays():
                old = read(name)
                if old is None or old.size != value.numel():
                    raise ValueError(f"--start-from has an LSTM of another size ({name})")
                value.copy_(torch.from_numpy(old).reshape(value.shape))
        if not self.transforms or read("transform_forward_0_weight") is None:
            return
        for number, transform in enumerate(self.transforms):
            layers = [*transform.forward_layers, *transform.inverse_layers]
            depth = len(transform.forward_layers)
            names = [f"transform_{part}_{k}" for part in ("forward", "inverse")
                     for k in range(depth)]
            values = [[read(f"{name}_{what}") for what in ("weight", "bias")] for name in names]
            at = min(number, len(values[0][0]) - 1)
            if all(v[0] is not None and v[0].shape[1:] == layer.weight.shape
                   for v, layer in zip(values, layers)):
                for (weight, bias), layer in zip(values, layers):
                    layer.weight.copy_(torch.from_numpy(weight[at]))
                    layer.bias.copy_(torch.from_numpy(bias[at]))
                continue
            linear = [read(f"transform_{part}_0_{what}") for part in ("forward", "inverse")
                      for what in ("weight", "bias")]
            if read("transform_forward_1_weight") is not None or \
                    linear[0].shape[1:] != (layers[depth - 1].weight.shape[0], 2 * self.nt):
                raise ValueError("--start-from has a transform of other sizes")
            transform.set_linear(*[torch.from_numpy(v[at]) for v in linear], noise=0.01)
