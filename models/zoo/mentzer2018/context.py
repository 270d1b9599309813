"""The context model P: a masked 3D network that says how likely each symbol is (section 3.4).

The volume [K, H, W] of centres' values is scanned a channel after the other, rows, columns. A
distribution sees the 5x9x9 values before its own; around the volume lies the value of centre 0.
A convolution's slice for later channels would be all zero, so a kernel has 2x3x3 weights. Two
slices are two planar convolutions, which is faster than one of volumes.

It is floating point, so no stream that depends on it leaves the process.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

SEEN = 4
"""How far back, up, left and right it sees: a step a convolution."""


class MaskedConv3d(nn.Module):
    """2x3x3: all of the channel before, and of its own what the scan has passed.

    With ``centre`` the place itself too. Nothing is padded: a channel, two rows and two columns
    less come out.
    """

    mask: Tensor

    def __init__(self, inputs: int, outputs: int, centre: bool) -> None:
        super().__init__()
        bound = math.sqrt(6 / (inputs * (13 + centre)))  # weights that are not masked
        self.weight = nn.Parameter(torch.empty(2, outputs, inputs, 3, 3).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(outputs))
        place = torch.arange(9).view(3, 3)
        own = place < (5 if centre else 4)
        seen = torch.stack((torch.ones(3, 3), own.float()))
        self.register_buffer("mask", seen.view(2, 1, 1, 3, 3), persistent=False)

    def forward(self, volume: Tensor) -> Tensor:
        """[N, D, inputs, H, W] -> [N, D - 1, outputs, H - 2, W - 2]."""
        weight = (self.weight * self.mask).flatten(0, 1).to(memory_format=torch.channels_last)
        both = functional.conv2d(volume.flatten(0, 1), weight)
        both = both.contiguous(memory_format=torch.channels_last)
        before, own = both.unflatten(0, volume.shape[:2]).chunk(2, 2)
        out: Tensor = before[:, :-1] + own[:, 1:] + self.bias.view(-1, 1, 1)
        return out


class ContextModel(nn.Module):
    """Convolution, ReLU, a residual unit of two convolutions, and one to the logits."""

    def __init__(self, width: int, centres: int) -> None:
        super().__init__()
        self.first = MaskedConv3d(1, width, centre=False)
        self.inner = MaskedConv3d(width, width, centre=True)
        self.outer = MaskedConv3d(width, width, centre=True)
        self.last = MaskedConv3d(width, centres, centre=True)
        with torch.no_grad():
            self.outer.weight.mul_(0.1)
            self.last.weight.mul_(0.1)

    def forward(self, values: Tensor, around: Tensor) -> Tensor:
        """Values [N, K, H, W] and centre 0's -> bits of every symbol, float32 [N, K, L, H, W]."""
        x = functional.relu(self.first(padded(values, around)[:, :, None]))
        x = x[:, 2:, :, 2:-2, 2:-2] + self.outer(functional.relu(self.inner(x)))
        return torch.log_softmax(self.last(x).float(), 2) / -math.log(2)


def padded(values: Tensor, around: Tensor) -> Tensor:
    """[N, K, H, W] -> [N, K + 4, H + 8, W + 8], with a value before and on all four sides."""
    sides = (SEEN, SEEN, SEEN, SEEN, SEEN, 0)
    return functional.pad(values - around, sides) + around
