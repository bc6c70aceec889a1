#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""What the learned codecs that the papers compare with have in common.

A `Network` is a torch.nn.Module with an encoder and a decoder for h_vec = [Re(Ha); Im(Ha)], row
by row, scaled to a squared norm of na nt. The papers feed [0, 1] data with zero at 0.5; h_vec is
centred at zero instead. What a network does to the range of its output is stated in its own
docstring.

`load_network` makes one of a model file, `graphs` writes one as TorchScript or ONNX. No module of this
file needs anything of the package but PyTorch, until a model file is read.
"""

import importlib
import json
import math
from typing import (Any, Callable, ContextManager, Dict, Optional, Sequence, Tuple, Type,
                    Union)

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .. import csifeedback_python as core

#: codec name -> module and class
SYSTEMS = {
    "csinet": ("csinet", "CsiNet"),
    "nr-csinet": ("csinet", "NrCsiNet"),
    "clnet": ("clnet", "ClNet"),
    "transnet": ("transnet", "TransNet"),
    "fista-net": ("fista_net", "FistaNet"),
    "tilista": ("tilista", "TiLista"),
    "sm-csinet-plus": ("csinet_plus", "SmCsiNetPlus"),
    "pm-csinet-plus": ("csinet_plus", "PmCsiNetPlus"),
}
#: those that serve several ratios with one encoder
MULTI_RATE = ("sm-csinet-plus", "pm-csinet-plus")


class Network(nn.Module):
    """Base of the learned codecs.

    na, nt: delay rows and antennas. code_sizes: codeword lengths that it sends, ascending; all
    but the multi-rate ones have a single one.

    A subclass has

    - `encode(h, code_size)`: float (B, 2 na nt) -> codewords (B, code_size); 0 is the longest;
    - `decode(s)`: codewords (B, M), M one of code_sizes -> float (B, 2 na nt).

    Both work on each matrix by itself: in eval mode a codeword does not depend on what else is
    in the batch. Both are TorchScript methods.
    """

    #: name on the command line and in model files
    codec = ""
    #: options of the constructor beside na, nt and code_sizes, and their defaults
    options: Dict[str, object] = {}
    #: published recipe, as far as it is not the trainer's: learning rate and batch
    recipe = {"learning_rate": 1e-3, "batch": 200}
    #: whether shorter codewords are the beginnings of longer ones
    has_prefixes = True
    #: factor of the learning rate by the beginning of a parameter's name
    rate_factors: Dict[str, float] = {}

    def __init__(self, na: int, nt: int, code_sizes: Sequence[int]) -> None:
        super().__init__()
        self.na, self.nt, self.size = int(na), int(nt), 2 * int(na) * int(nt)
        self.code_sizes = [int(m) for m in code_sizes]

    @property
    def code_size(self) -> int:
        """Length of the longest codeword."""
        return self.code_sizes[-1]

    def settings(self) -> Dict[str, Any]:
        """The options that this network was made with."""
        return {name: getattr(self, name) for name in self.options}

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encode(h, 0))

    def loss(self, h: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """Scalar to minimize for matrices h (B, 2 na nt) of which the encoder has `seen`."""
        return relative_error(self.decode(self.encode(seen, 0)), h)

    def start(self, components: "Components") -> None:
        """Takes what it can of the channel's principal components, a Components, before
        training; networks that start at random alone ignore them."""

    def compile_parts(self) -> None:
        """Compiles what training needs, with PyTorch 2."""
        setattr(self, "loss", torch.compile(self.loss))  # noqa: B010, a method

    def multiply_adds(self, code_size: int = 0) -> Dict[str, int]:
        """Multiply-adds for one matrix: {"encoder": n, "decoder": n}. All products by weights,
        and those of attention; normalization and activations are not counted."""
        raise NotImplementedError


def relative_error(estimate: torch.Tensor, h: torch.Tensor) -> torch.Tensor:
    """Mean over a batch of ||h^ - h||^2 / ||h||^2, where ||h||^2 = na nt: the MSE, scaled."""
    return (estimate.float() - h).square().mean() * 2


def full_precision(x: torch.Tensor) -> ContextManager[Any]:
    """A context without autocast, for products that bfloat16 is too coarse for."""
    return torch.autocast(x.device.type, enabled=False)


def bounded(x: torch.Tensor, limit: float) -> torch.Tensor:
    """limit tanh(x / limit): an affine map of the sigmoid, which the papers end with.

    With 0.5 in the middle of its range, the sigmoid's output is 0.5 + h / (2 limit). An element
    of h_vec is at most sqrt(na nt) = limit. The slope at zero is one, as h_vec has elements
    around one where the papers' data have 1/45 of that.
    """
    return limit * torch.tanh(x / limit)


class ConvBn(nn.Module):
    """A convolution without bias that keeps the size, and batch normalization.

    bias: of the convolution, as Keras has it by default.
    """

    def __init__(self, inputs: int, outputs: int, kernel: Union[int, Tuple[int, int]],
                 bias: bool = False) -> None:
        super().__init__()
        kernel = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        self.conv = nn.Conv2d(inputs, outputs, kernel, bias=bias,
                              padding=((kernel[0] - 1) // 2, (kernel[1] - 1) // 2))
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.conv(x))

    def weights(self) -> int:
        """Weights of the kernel, which are the multiply-adds for an element."""
        return self.conv.weight.numel()


def leaky(x: torch.Tensor) -> torch.Tensor:
    """LeakyReLU with the slope that the CsiNet family has."""
    return functional.leaky_relu(x, 0.3)


class Components:
    """Principal components of a channel, circular as its phase is uniform.

    values: variances, float (n,), descending. vectors: complex (n, n), a component a row.
    """

    def __init__(self, values: torch.Tensor, vectors: torch.Tensor) -> None:
        self.values, self.vectors = values, vectors

    @classmethod
    def of(cls, h: torch.Tensor, limit: int = 50000) -> "Components":
        """Those of h_vec (N, 2 n), of at most `limit` rows, computed where h is."""
        h = h[:limit]
        n = h.shape[1] // 2
        total = torch.zeros(n, n, dtype=torch.complex64, device=h.device)
        for part in h.split(5000):
            x = torch.complex(part[:, :n].float(), part[:, n:].float())
            total += x.t() @ x.conj()
        values, vectors = torch.linalg.eigh((total / len(h)).cpu())
        return cls(values.flip(0).clamp(min=0), vectors.flip(1).t().contiguous())

    def rows(self, size: int) -> torch.Tensor:
        """W (size, 2 n) of the strongest components: the real KLT of h_vec."""
        return self._real(self.vectors[:(size + 1) // 2].conj())[:size].contiguous()

    @staticmethod
    def _real(u):
        """Re and Im of u h, for h_vec = [Re; Im]: (2 rows of u, 2 n)."""
        parts = torch.cat([u.real, -u.imag], 1), torch.cat([u.imag, u.real], 1)
        return torch.stack(parts, 1).reshape(2 * len(u), -1)

    def coloured_rows(self, size: int, generator: Optional[torch.Generator] = None) -> torch.Tensor:
        """W (size, 2 n) with orthonormal rows, random combinations of the components, each by
        the root of its standard deviation: see `csi_l2o.coloured_rows`."""
        pairs = (size + 1) // 2
        draw = torch.complex(*torch.randn(2, pairs, len(self.values), generator=generator))
        rows = (draw * self.values.pow(0.25)) @ self.vectors.conj()
        q, _ = torch.linalg.qr(rows.conj().t())
        return self._real(q.conj().t())[:size].contiguous()


def system(codec: str) -> Type[Network]:
    """The class of a codec of SYSTEMS."""
    module, name = SYSTEMS[codec]
    return getattr(importlib.import_module(f".{module}", __package__), name)


def make(codec: str, na: int, nt: int, code_sizes: Sequence[int], **options: Any) -> Network:
    """A network of SYSTEMS, with random weights of PyTorch's generator.

    Raises ValueError if it has no such option or cannot be for these sizes.
    """
    kind = system(codec)
    unknown = set(options) - set(kind.options)
    if unknown:
        raise ValueError(f"{codec} has no option {', '.join(sorted(unknown))}")
    if codec not in MULTI_RATE and len(code_sizes) != 1:
        raise ValueError(f"{codec} sends codewords of one length, asked for are {len(code_sizes)}")
    sizes = sorted(int(m) for m in code_sizes)
    if not sizes or not 1 <= sizes[0] <= sizes[-1] <= 2 * na * nt or len(set(sizes)) != len(sizes):
        raise ValueError(f"code sizes are {sizes}, allowed are different ones from 1 to "
                         f"{2 * na * nt}")
    return kind(na, nt, sizes, **{**kind.options, **options})


def arrays(network: Network) -> Dict[str, np.ndarray]:
    """The weights as they go into a model file: name -> float16 array, in the group network.

    Counters of batches, which only training needs, are left out. Raises ValueError if a weight is
    beyond the range of float16.
    """
    values = {}
    for name, value in network.state_dict().items():
        if not value.dtype.is_floating_point:
            continue
        half = value.detach().cpu().float().half()
        if not torch.isfinite(half).all():
            raise ValueError(f"the weight {name} is not finite, or too large for float16")
        # HDF5 files of this module have no arrays without a dimension.
        values[f"network/{name}"] = half.reshape(half.shape or (1,)).numpy()
    return values


def attributes(network: Network) -> Dict[str, Any]:
    """What a model file says of a network beside its arrays."""
    return {"codec": network.codec, "code_size": network.code_size,
            "network": json.dumps({"code_sizes": network.code_sizes, **network.settings()})}


def load_arrays(network: Network, read: Callable[[str, Sequence[int]], np.ndarray]) -> Network:
    """Sets the weights. read(name, shape): the array network/name of that shape, float.

    Every weight must be there. What read raises passes through.
    """
    state = network.state_dict()
    for name, value in state.items():
        if value.dtype.is_floating_point:
            array = torch.as_tensor(read(f"network/{name}", tuple(value.shape) or (1,)))
            state[name] = array.to(value).reshape(value.shape)
    network.load_state_dict(state)
    return network


def load_network(model: Union[str, core.model_file]) -> Network:
    """The trained Network of a model file, in eval mode, on the CPU.

    model: a csifeedback.model_file, or the name of one. Nothing in the file is executed; names
    and shapes of its arrays are those of the network that its attributes `codec` and `network`
    describe. Raises ValueError, which names the file, if it is no such model.
    """

    if not isinstance(model, core.model_file):
        model = core.model_file(model)
    if model.codec not in SYSTEMS:
        raise ValueError(f"{model.path}: is a model of the codec {model.codec}, allowed is "
                         + ", ".join(SYSTEMS))
    try:
        options = json.loads(model.text("network"))
        sizes = options.pop("code_sizes")
        network = make(model.codec, model.na, model.nt, sizes, **options)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{model.path}: attribute 'network' does not describe a {model.codec} "
                         f"({error})") from None

    def read(name, shape):
        array = model.read(name)
        if array.shape != shape:
            raise ValueError(f"{model.path}: array '{name}' has shape {array.shape}, expected "
                             f"{shape}")
        return array

    return load_arrays(network, read).eval()


def xavier(module: nn.Module) -> None:
    """Xavier's uniform start of all layers, biases zero."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def checked_start(start_from: str) -> str:
    """The option start_from, "xavier" or "components"; ValueError if it is neither."""
    if start_from not in ("xavier", "components"):
        raise ValueError(f"start_from is {start_from}, allowed is xavier or components")
    return start_from


def pass_through(layer: ConvBn) -> None:
    """Makes a ConvBn hand on its first channels as they are, each scaled to unit variance."""
    nn.init.dirac_(layer.conv.weight)


def range_of(na: int, nt: int) -> float:
    """The largest magnitude that an element of h_vec can have."""
    return math.sqrt(na * nt)
