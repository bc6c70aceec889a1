#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""TransNet (Cui, Guo and Song, 2022), with attention over the tokens of one matrix."""

import math
from typing import Dict, Sequence

import torch
from torch import nn
from torch.nn import functional

from .network import Network

#: values of a token, heads of attention, width of the feed-forward layers, uses of each layer
TOKEN, HEADS, FEED_FORWARD, REPEATS = 64, 2, 2048, 2


class Attention(nn.Module):
    """Multi-head attention of each matrix's tokens (B, tokens, TOKEN) to its own tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.heads, self.scale = TOKEN, HEADS, math.sqrt(HEADS / TOKEN)
        self.into = nn.Linear(TOKEN, 3 * TOKEN)
        self.out = nn.Linear(TOKEN, TOKEN)

    def forward(self, x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        w, b = self.into.weight, self.into.bias
        q = self.split(functional.linear(x, w[:self.token], b[:self.token]))
        k, v = functional.linear(memory, w[self.token:], b[self.token:]).chunk(2, dim=-1)
        weights = torch.softmax(q @ self.split(k).transpose(2, 3) * self.scale, dim=-1)
        return self.out((weights @ self.split(v)).transpose(1, 2).reshape(x.shape))

    def split(self, x: torch.Tensor) -> torch.Tensor:
        """(B, tokens, TOKEN) -> (B, heads, tokens, TOKEN / heads)"""
        return x.reshape(-1, x.shape[1], self.heads, self.token // self.heads).transpose(1, 2)


class FeedForward(nn.Module):
    """TOKEN -> FEED_FORWARD -> TOKEN for every token."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(TOKEN, FEED_FORWARD)
        self.second = nn.Linear(FEED_FORWARD, TOKEN)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(x)))


class EncoderLayer(nn.Module):
    """Attention and feed-forward layer, each followed by skip connection and normalization."""

    def __init__(self) -> None:
        super().__init__()
        self.attention, self.feed_forward = Attention(), FeedForward()
        self.norms = nn.ModuleList([nn.LayerNorm(TOKEN) for _ in range(2)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norms[0](x + self.attention(x, x))
        return self.norms[1](x + self.feed_forward(x))


class DecoderLayer(nn.Module):
    """The same with a second attention, to the tokens that the dense layer has made of the
    codeword."""

    def __init__(self) -> None:
        super().__init__()
        self.attention, self.cross, self.feed_forward = Attention(), Attention(), FeedForward()
        self.norms = nn.ModuleList([nn.LayerNorm(TOKEN) for _ in range(3)])

    def forward(self, x: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
        x = self.norms[0](x + self.attention(x, x))
        x = self.norms[1](x + self.cross(x, memory))
        return self.norms[2](x + self.feed_forward(x))


class TransNet(Network):
    """TransNet: 2 na nt values as tokens of 64, one encoder layer used twice, dense 2 na nt -> M;
    dense M -> 2 na nt, one decoder layer used twice, normalization.

    The layer normalization at the end gives each token a fixed power for each of its 64 places, so
    the scale of the data matters: the network works on h_vec / scale. The authors' data correspond
    to a scale of sqrt(na nt) = 32. The last weights begin at 1 / scale, so that the first output has
    about the power of h_vec. With the authors' 32, or with learning rates of 2e-3, trainings of a
    minute collapsed to a constant; 8 and 6e-4 did not.

    A token is two rows of Re(Ha) or of Im(Ha) where nt is 32. The authors' program gives its
    attention tensors (batch, tokens, 64) where it expects (tokens, batch, 64): it attends over the
    batch, and a codeword depends on whose channels are computed beside it. Here attention is
    over the tokens of one matrix.

    Parameters at 1/8 of 32 x 32: encoder 805,696, decoder 824,384. Csi-L2O's Table II prints 0.789 M
    for the encoder, all but the projections of the attention (12,480 + 4,160), and Table III 1.315 M
    for the decoder, all but these (33,280), with both dense layers. Both tables leave out the
    operations of attention.

    The published recipe: Adam with 1e-4, batch 200, MSE, 400 or 1000 epochs of 100,000.
    """

    codec = "transnet"
    options = {"scale": 8.0}
    recipe = {"learning_rate": 6e-4, "batch": 200}

    def __init__(self, na: int, nt: int, code_sizes: Sequence[int], scale: float = 8.0) -> None:
        super().__init__(na, nt, code_sizes)
        if not 0 < scale <= 1e6:
            raise ValueError(f"scale is {scale}, allowed is more than 0, up to 1e6")
        self.scale = float(scale)
        if self.size % TOKEN:
            raise ValueError(f"transnet takes matrices with a multiple of {TOKEN // 2} elements, "
                             f"{na} x {nt} has {na * nt}")
        self.token, self.tokens, self.repeats = TOKEN, self.size // TOKEN, REPEATS
        self.encoder_layer = EncoderLayer()
        self.encoder_dense = nn.Linear(self.size, self.code_size)
        self.decoder_dense = nn.Linear(self.code_size, self.size)
        self.decoder_layer = DecoderLayer()
        self.last = nn.LayerNorm(TOKEN)
        for value in self.parameters():
            if value.dim() > 1:
                nn.init.xavier_uniform_(value)
        nn.init.constant_(self.last.weight, 1 / self.scale)
        for module in self.modules():
            if isinstance(module, Attention):
                nn.init.zeros_(module.into.bias)
                nn.init.zeros_(module.out.bias)

    @torch.jit.export
    def encode(self, h: torch.Tensor, code_size: int = 0) -> torch.Tensor:
        x = (h / self.scale).reshape(-1, self.tokens, self.token)
        for _ in range(self.repeats):
            x = self.encoder_layer(x)
        return self.encoder_dense(x.flatten(1)).float()

    @torch.jit.export
    def decode(self, s: torch.Tensor) -> torch.Tensor:
        memory = self.decoder_dense(s).reshape(-1, self.tokens, self.token)
        x = memory
        for _ in range(self.repeats):
            x = self.decoder_layer(x, memory)
        return self.last(x).float().flatten(1) * self.scale

    def multiply_adds(self, code_size: int = 0) -> Dict[str, int]:
        dense = self.size * self.code_size
        attention = self.tokens * 4 * TOKEN**2 + 2 * self.tokens**2 * TOKEN
        feed_forward = self.tokens * 2 * TOKEN * FEED_FORWARD
        return {"encoder": REPEATS * (attention + feed_forward) + dense,
                "decoder": REPEATS * (2 * attention + feed_forward) + dense}
