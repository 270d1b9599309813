"""The two networks of the embedded codec: small residual convolutions on a grid of 16x16.

    analysis    photo -> the picture that the transform is given; the decoder never runs it
    synthesis   painted prefix, how precisely it is known -> picture

Both add a correction to what comes in, and begin as the identity.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from service.codec.prefixel.reconstruction import PRECISIONS

MIDDLE, SCALE = 128.0, 64.0
CELL = 12
"""Channels of a cell of 2x2 pixels."""
REACH = 5
"""Side of the kernels that look around in a ``Block``."""
EXPANSION = 2
HIDDEN, TOLD = 24, 12
"""Of the layers through which all others are told how precisely a prefix is known."""


@dataclass(frozen=True)
class Shape:
    """Channels, 3x3 convolutions with a way around them, and ``Block`` after those."""

    width: int
    layers: int = 0
    blocks: int = 0


@dataclass(frozen=True)
class Config:
    """Of both networks; without an ``analysis`` the photo is transformed as it is."""

    synthesis: Shape = Shape(48, blocks=3)
    analysis: Shape | None = Shape(64, layers=2, blocks=3)
    precision: bool = True


CONFIGS = {
    "small": Config(),
    "narrow": Config(synthesis=Shape(28, blocks=3)),
    "wide": Config(synthesis=Shape(80, blocks=3)),
    "dense": Config(synthesis=Shape(44, layers=2)),
    "blind": Config(precision=False),
    "no-analysis": Config(analysis=None),
}


class Block(nn.Module):
    """Looks around in each channel, then mixes channels: h plus what it finds, [N, C, H, W].

    Depthwise convolutions and an inverted bottleneck: Sandler et al. 2018, Liu et al. 2022; gains
    and shifts that depend on what it is told: Perez et al. 2018.
    """

    def __init__(self, width: int, told: int) -> None:
        super().__init__()
        wide = EXPANSION * width
        self.around = nn.Conv2d(width, width, REACH, padding=REACH // 2, groups=width, bias=False)
        self.widen = nn.Conv2d(width, wide, 1)
        self.gains = nn.Linear(told, wide, bias=False) if told else None
        self.steering = nn.Linear(told, wide, bias=False) if told else None
        self.narrow = nn.Conv2d(wide, width, 1)

    def gain(self, told: Tensor | None) -> Tensor | float:
        """What the widened channels are multiplied by: [N, C, 1, 1], or 1."""
        if self.gains is None or told is None:
            return 1.0
        found: Tensor = 1 + self.gains(told)
        return found[:, :, None, None]

    def mixed(self, h: Tensor, told: Tensor | None) -> Tensor:
        """What the rectifier is given."""
        wide = self.widen(self.around(h)) * self.gain(told)
        return _steered(wide, self.steering, told)

    def forward(self, h: Tensor, told: Tensor | None) -> Tensor:
        """[N, C, H, W] and [N, told] -> [N, C, H, W]."""
        found: Tensor = self.narrow(torch.relu(self.mixed(h, told)))
        return h + found


class Correction(nn.Module):
    """A picture plus what convolutions on its 2x2 cells find: float [N, 32, 32, 3], in levels.

    What ``known`` inputs (0: none) say comes through two dense layers to convolutions and blocks.
    """

    def __init__(self, shape: Shape, known: int) -> None:
        super().__init__()
        self.known = known
        told = TOLD if known else 0
        pairs = list(pairwise([CELL, *[shape.width] * (shape.layers + 1), CELL]))
        if known:
            self.told = nn.Sequential(nn.Linear(known, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, TOLD))
        self.convs = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairs)
        self.steering = nn.ModuleList(nn.Linear(told, o, bias=False) for _, o in pairs if told)
        self.blocks = nn.ModuleList(Block(shape.width, told) for _ in range(shape.blocks))
        nothing = [self.convs[-1], *self.steering]
        for block in self.blocks:
            nothing += [part for part in (block.gains, block.steering, block.narrow) if part]
        for conv in self.convs:
            nn.init.zeros_(conv.get_parameter("bias"))
        for part in nothing:
            for parameter in part.parameters():
                nn.init.zeros_(parameter)

    def tell(self, known: Tensor | None) -> Tensor | None:
        """[N, known] -> [N, 12]: what all layers are told."""
        if known is None or not self.known:
            return None
        told: Tensor = self.told(known)
        return told

    def layer(self, n: int, h: Tensor, told: Tensor | None) -> Tensor:
        """Convolution ``n`` and its steering."""
        return _steered(self.convs[n](h), self.steering[n] if self.known else None, told)

    def forward(self, picture: Tensor, known: Tensor | None = None) -> Tensor:
        """Float [N, 32, 32, 3] and [N, known] -> float [N, 32, 32, 3]."""
        planes = ((picture - MIDDLE) / SCALE).permute(0, 3, 1, 2)
        told = self.tell(known)
        last = len(self.convs) - 1
        h = torch.relu(self.layer(0, functional.pixel_unshuffle(planes, 2), told))
        for n in range(1, last):
            h = h + torch.relu(self.layer(n, h, told))
        for block in self.blocks:
            h = block(h, told)
        found = functional.pixel_shuffle(self.layer(last, h, told), 2)
        return picture + SCALE * found.permute(0, 2, 3, 1).float()


def _steered(out: Tensor, steering: nn.Module | None, told: Tensor | None) -> Tensor:
    """[N, C, H, W] with what is ``told`` [N, K] added to each channel."""
    if steering is None or told is None:
        return out
    shift: Tensor = steering(told)
    return out + shift[:, :, None, None]


class Networks(nn.Module):
    """What is trained together; an ``analysis`` of None leaves the photo as it is."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.synthesis = Correction(config.synthesis, known=PRECISIONS if config.precision else 0)
        self.analysis = Correction(config.analysis, known=0) if config.analysis else None

    def forward(self, planes: Tensor, _: int) -> Tensor:
        """Both, one after the other, on float [N, 3, 32, 32]: what a sample computes."""
        known = planes.new_zeros(len(planes), PRECISIONS)
        return self.painted(self.analysed(planes.permute(0, 2, 3, 1)), known)

    def analysed(self, photo: Tensor) -> Tensor:
        """Float [N, 32, 32, 3] -> the same shape."""
        return photo if self.analysis is None else self.analysis(photo)

    def painted(self, picture: Tensor, known: Tensor) -> Tensor:
        """Float [N, 32, 32, 3] and [N, 18] -> float [N, 32, 32, 3]."""
        shown: Tensor = self.synthesis(picture, known if self.config.precision else None)
        return shown
