"""Encoder and decoder of Mentzer et al. 2018, figure 4: stride 8, groups of residual units.

Batch normalisation follows every convolution, that of the bottleneck and of the colours too. In
use it is affine on both sides (evaluation mode). Our own: the last normalisation of a residual
unit starts at 0, so that a network of any depth starts as a shallow one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

MEAN = (121.854, 113.589, 100.637)
VARIANCE = (4746.38, 4454.14, 4812.23)
"""Of red, green and blue, 0 to 255, over the paper's training photos."""
STRIDE = 8
UNITS = 3


@dataclass(frozen=True)
class Config:
    """Widths of the autoencoder and of all that learns with it.

    ``first`` channels at half the size, ``width`` at a quarter, ``groups`` of three residual units;
    ``bottleneck`` channels K, ``centres`` L; importance ``heads``, one a rate, 0 for no map;
    ``context`` is the width of the context model.
    """

    first: int = 64
    width: int = 128
    groups: int = 5
    bottleneck: int = 32
    centres: int = 6
    heads: int = 1
    context: int = 24


CONFIGS = {"paper": Config(), "small": Config(first=32, width=64, groups=2)}


class BatchNorm(nn.Module):
    """Normalisation by a batch's statistics while training, by those that moved with them in use.

    As ``nn.BatchNorm2d`` of decay .9, but that it counts no batches: a call a layer for nothing.
    """

    running_mean: Tensor
    running_var: Tensor
    momentum = 0.1

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = (nn.Parameter(f(channels)) for f in (torch.ones, torch.zeros))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """[N, channels, H, W] -> the same shape."""
        statistics = self.running_mean, self.running_var
        learned = self.weight, self.bias
        return functional.batch_norm(x, *statistics, *learned, self.training, self.momentum, 1e-5)


class Normalised(nn.Module):
    """A convolution (``transposed``: one that enlarges by its stride) and batch normalisation."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, transposed: bool = False
    ) -> None:
        super().__init__()
        pad = kernel // 2
        self.conv: nn.Module = (
            nn.ConvTranspose2d(inputs, outputs, kernel, stride, pad, stride - 1, bias=False)
            if transposed
            else nn.Conv2d(inputs, outputs, kernel, stride, pad, bias=False)
        )
        self.norm = BatchNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H / stride, W / stride], or times it."""
        shown: Tensor = self.norm(self.conv(x))
        return shown


class ResidualUnit(nn.Module):
    """Two 3x3 convolutions and a skip; ReLU after the first alone, or (``linear``) nowhere."""

    def __init__(self, width: int, linear: bool = False) -> None:
        super().__init__()
        self.linear = linear
        self.first, self.second = Normalised(width, width, 3), Normalised(width, width, 3)
        nn.init.zeros_(self.second.norm.weight)

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H, W] -> the same shape."""
        inner = self.first(x)
        moved: Tensor = self.second(inner if self.linear else functional.relu(inner))
        return x + moved


class Body(nn.Module):
    """Groups of three residual units, each with a skip, one more unit, and a skip around all."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.groups = nn.ModuleList(
            nn.Sequential(*(ResidualUnit(width) for _ in range(UNITS))) for _ in range(groups)
        )
        self.last = ResidualUnit(width, linear=True)

    def forward(self, x: Tensor) -> Tensor:
        """[N, width, H, W] -> the same shape."""
        inner = x
        for group in self.groups:
            inner = inner + group(inner)
        moved: Tensor = self.last(inner)
        return x + moved


class Encoder(nn.Module):
    """Photo [N, 3, H, W] in 0..255, sides multiples of 8 -> [N, K + heads, H / 8, W / 8].

    The first ``heads`` channels are the importance maps before their sigmoid, then comes z.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.first = Normalised(3, config.first, 5, 2)
        self.second = Normalised(config.first, config.width, 5, 2)
        self.body = Body(config.width, config.groups)
        self.bottleneck = Normalised(config.width, config.heads + config.bottleneck, 5, 2)
        colour_buffers(self)

    def forward(self, photo: Tensor) -> Tensor:
        """What is quantised, not yet masked."""
        x = (photo - self.mean) / self.deviation
        x = functional.relu(self.first(x))  # [N, first, H / 2, W / 2]
        x = functional.relu(self.second(x))  # [N, width, H / 4, W / 4]
        found: Tensor = self.bottleneck(self.body(x))
        return found


class Decoder(nn.Module):
    """Values of centres [N, K, H / 8, W / 8] -> photo [N, 3, H, W], not yet clipped to 0..255."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.first = Normalised(config.bottleneck, config.width, 3, 2, transposed=True)
        self.body = Body(config.width, config.groups)
        self.second = Normalised(config.width, config.first, 5, 2, transposed=True)
        self.colours = Normalised(config.first, 3, 5, 2, transposed=True)
        colour_buffers(self)

    def features(self, values: Tensor) -> Tensor:
        """All but the last layer: [N, first, H / 2, W / 2]."""
        x = functional.relu(self.first(values))  # [N, width, H / 4, W / 4]
        return functional.relu(self.second(self.body(x)))

    def paint(self, features: Tensor) -> Tensor:
        """The last layer, which wants 32 bits whatever those before compute in."""
        shown: Tensor = self.colours(features) * self.deviation + self.mean
        return shown

    def forward(self, values: Tensor) -> Tensor:
        """Both."""
        return self.paint(self.features(values))


def colour_buffers(half: nn.Module) -> None:
    """Mean and standard deviation of the colours, [1, 3, 1, 1]: constants, not weights."""
    for name, values in (("mean", MEAN), ("deviation", [v**0.5 for v in VARIANCE])):
        half.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1), persistent=False)
