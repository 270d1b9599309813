"""The fully connected LSTM, one bit a step, on grey patches of 8x8: the appendix of Toderici et al.
2015.

The network of section 3.4 (``fc_lstm``), limited in what it says and what it sees, so that one can
look at what a bit means: the first bits of a patch are a tree of pictures, each step doubling them.

    b_t = B(E_t(r_{t-1})), one bit;  x_t = D_t(b_t);  r_t = x - x_t

Our reading: layers and widths of ``fc_lstm``; grey is the mean of R, G and B, in [-0.9, 0.9].
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.zoo import fc_lstm
from models.zoo.full_resolution import System
from models.zoo.patches import GRID, PATCH


@dataclass(frozen=True)
class Config(fc_lstm.Config):
    """Width of the layers, bits a patch and step, steps."""

    bits: int = 1
    iterations: int = 16

    @property
    def samples(self) -> int:
        """Grey numbers of a patch."""
        return PATCH * PATCH


CONFIGS = {"paper": Config(512), "small": Config(128)}


class Codec(fc_lstm.FCLSTMCodec):
    """[N, 1, 32, 32] in [-0.9, 0.9] -> the grey picture and the bits [N, 1, 4, 4] of each step."""


@torch.no_grad()
def tree(codec: Codec, depth: int) -> list[Tensor]:
    """What every string of 1 to ``depth`` bits paints: for each length t, [2 ** t, 8, 8].

    Strings are in the order of the numbers that they spell, -1 before +1: those that begin alike
    stand side by side.
    """
    count = 2**depth
    strings = torch.arange(count)[:, None] >> torch.arange(depth - 1, -1, -1) & 1
    states, painted = codec.decoder.start(count), []
    for step in range(depth):
        bits = (strings[:, step] * 2.0 - 1).view(count, 1, 1, 1).expand(-1, 1, GRID, GRID)
        pictures, states = codec.decoder(bits, states)
        painted.append(pictures[:: count >> step + 1, 0, :PATCH, :PATCH])
    return painted


SYSTEM = System(
    "Toderici et al. 2015, Variable Rate Image Compression with Recurrent Neural Networks, "
    "appendix",
    CONFIGS,
    Codec,
    {"4": 4, "8": 8, "16": 16},
)
"""Figures after so many bits of a patch."""


def grey(planes: Tensor) -> Tensor:
    """[N, 3, H, W] -> [N, 1, H, W]."""
    return planes.mean(dim=1, keepdim=True)
