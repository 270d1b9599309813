"""The networks around the coefficients of `photo`: analysis before coding, synthesis after.

    cell        the 3 x 64 coefficients of 8x8 pixels: the low-pass picture of level 3 and the
                details of levels 3, 2, 1; each in units of how precisely it is known
    analysis    cells -> an addition and a gain a coefficient; the sum is divided by the gain
    synthesis   known cells, and how precisely bands are known -> cells times gain plus addition

Both begin as the identity: an untrained pair is the closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.photo.layers import Depthwise, Pointwise

LEVELS = 3
"""Levels of the wavelet within a cell."""
CELL = 8
COEFFICIENTS = 3 * CELL * CELL
LOW = 3
"""The first coefficients of a cell: those of the low-pass picture; they have no gain."""
LARGEST_GAIN = 1.5
"""A gain is exp(g), |g| at most that."""
TOLD = 3 * (1 + 3 * LEVELS)
"""How precisely a picture is known: the plane reached of each band of a cell."""
HIDDEN = 32


@dataclass(frozen=True)
class Shape:
    """Channels, channels between the two 1x1 convolutions of a block, blocks.

    What an ablation goes without: one of both networks, being told how precisely a picture is
    known, gains.
    """

    width: int = 128
    wide: int = 256
    blocks: int = 4
    analysis: bool = True
    synthesis: bool = True
    told: bool = True
    gains: bool = True


SHAPES = {
    "full": Shape(),
    "narrow": Shape(96, 192),
    "half": Shape(64, 128),
    "quarter": Shape(32, 64),
    "tiny": Shape(8, 8, 1),
    "no-analysis": Shape(analysis=False),
    "no-synthesis": Shape(synthesis=False),
    "blind": Shape(told=False),
    "additive": Shape(gains=False),
}


class Block(nn.Module):
    """Looks around in each channel, then mixes channels: [N, C, h, w] -> the same.

    Depthwise convolution and inverted bottleneck: Sandler et al. 2018, Liu et al. 2022; gains that
    depend on what is told: Perez et al. 2018.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width, wide = shape.width, shape.wide
        self.around = Depthwise(width)
        self.widen = Pointwise(width, wide)
        self.narrow = Pointwise(wide, width)

    def forward(self, h: Tensor, gain: Tensor | None) -> Tensor:
        """``gain`` [N, wide, 1, 1]."""
        widened = self.widen(self.around(h))
        if gain is not None:
            widened = widened * gain
        found: Tensor = self.narrow(torch.relu(widened))
        return h + found


class CellNetwork(nn.Module):
    """[N, 192, h, w] in units, and [N, told] -> additions and gains, each [N, 192, h, w]."""

    def __init__(self, shape: Shape, told: int = 0) -> None:
        super().__init__()
        self.shape = shape
        self.enter = Pointwise(2 * COEFFICIENTS, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.blocks))
        self.leave = Pointwise(shape.width, 2 * COEFFICIENTS - LOW)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.get_parameter("bias"))
        self.told: nn.Sequential | None = None
        if told:
            last = nn.Linear(HIDDEN, shape.blocks * shape.wide)
            nn.init.zeros_(last.weight)
            nn.init.ones_(last.bias)
            self.told = nn.Sequential(nn.Linear(told, HIDDEN), nn.ReLU(), last)

    def forward(self, cells: Tensor, told: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Gains are positive; those of the low-pass picture are 1."""
        size = torch.log1p(cells.abs())
        h = self.enter(torch.cat((torch.copysign(size, cells), size), 1))
        gains: list[Tensor] | list[None] = [None] * len(self.blocks)
        if self.told is not None and told is not None:
            gains = list(self.told(told)[:, :, None, None].chunk(len(self.blocks), 1))
        for block, gain in zip(self.blocks, gains, strict=True):
            h = block(h, gain)
        addition, g = self.leave(h).split((COEFFICIENTS, COEFFICIENTS - LOW), 1)
        if not self.shape.gains:
            return addition, torch.ones_like(addition)
        gain = torch.exp(LARGEST_GAIN * torch.tanh(g / LARGEST_GAIN))
        return addition, functional.pad(gain, (0, 0, 0, 0, LOW, 0), value=1.0)


class Networks(nn.Module):
    """What is trained together."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.analysis = CellNetwork(shape)
        self.synthesis = CellNetwork(shape, TOLD if shape.told else 0)

    def forward(self, planes: Tensor, _: int) -> Tensor:
        """Both on float [N, 3, H, W] cut into cells: what a picture computes."""
        cells = functional.pixel_unshuffle(planes, CELL)
        return self.known(self.analysed(cells), cells.new_zeros(len(cells), TOLD))

    def analysed(self, cells: Tensor) -> Tensor:
        """What is coded in place of ``cells`` [N, 192, h, w], both in steps."""
        if not self.shape.analysis:
            return cells
        addition, gain = self.analysis(cells)
        return (cells + addition) / gain

    def known(self, cells: Tensor, told: Tensor) -> Tensor:
        """What ``cells`` [N, 192, h, w], in units of what is known of each, stand for."""
        if not self.shape.synthesis:
            return cells
        addition, gain = self.synthesis(cells, told)
        return cells * gain + addition


def to_cells(low: Tensor, details: list[Tensor]) -> Tensor:
    """[N, 3, h, w] and details of levels 1, 2, 3, [N, 3, 3, ..] -> [N, 192, h, w]."""
    parts = [low]
    for level in range(LEVELS, 0, -1):
        parts.append(functional.pixel_unshuffle(details[level - 1].flatten(1, 2), 2 ** (3 - level)))
    return torch.cat(parts, 1)


def from_cells(cells: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The inverse."""
    low, *parts = cells.split([LOW, *(9 * 4 ** (LEVELS - n) for n in range(LEVELS, 0, -1))], 1)
    details = [
        functional.pixel_shuffle(part, 2**n).unflatten(1, (3, 3)) for n, part in enumerate(parts)
    ]
    return low, details[::-1]
