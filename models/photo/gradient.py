"""What a slope along corrected cells is along the cells that a synthesis network was given.

The service has no autograd: forward and backward are written out, for a graph, and held to autograd
by a test. The way back through a convolution is the transposed one, with the same weights.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.photo.networks import COEFFICIENTS, LARGEST_GAIN, LOW, Block, CellNetwork
from models.photo.stages import plain


class Gradient(nn.Module):
    """Of one synthesis network."""

    def __init__(self, network: CellNetwork) -> None:
        super().__init__()
        assert network.told is not None
        self.told = network.told
        self.enter, self.leave = plain(network.enter), plain(network.leave)
        blocks = [block for block in network.blocks if isinstance(block, Block)]
        self.around, self.widen, self.narrow = (
            nn.ModuleList(plain(getattr(block, name)) for block in blocks)
            for name in ("around", "widen", "narrow")
        )

    def forward(self, cells: Tensor, told: Tensor, slope: Tensor) -> Tensor:
        """``cells`` and ``slope`` [N, 192, h, w], in units; ``told`` [N, numbers]."""
        size = torch.log1p(cells.abs())
        h = self.enter(torch.cat((cells.sign() * size, size), 1))
        gains = self.told(told)[:, :, None, None].chunk(len(self.widen), 1)
        widened = []
        for around, widen, narrow, gain in self._blocks(gains):
            widened.append(widen(around(h)) * gain)
            h = h + narrow(torch.relu(widened[-1]))
        _, g = self.leave(h).split((COEFFICIENTS, COEFFICIENTS - LOW), 1)
        bounded = torch.tanh(g / LARGEST_GAIN)
        fine_gain = torch.exp(LARGEST_GAIN * bounded)
        low_slope, fine_slope = slope.split((LOW, COEFFICIENTS - LOW), 1)
        _, fine = cells.split((LOW, COEFFICIENTS - LOW), 1)
        of_g = fine_slope * fine * fine_gain * (1 - bounded * bounded)
        back = _through(self.leave, torch.cat((slope, of_g), 1))
        for (around, widen, narrow, gain), middle in reversed(
            list(zip(self._blocks(gains), widened, strict=True))
        ):
            inside = _through(narrow, back) * (middle > 0) * gain
            back = back + _through(around, _through(widen, inside))
        signed, plain_size = _through(self.enter, back).chunk(2, 1)
        direct = torch.cat((low_slope, fine_slope * fine_gain), 1)
        return direct + (signed + cells.sign() * plain_size) / (1 + cells.abs())

    def _blocks(self, gains: tuple[Tensor, ...]) -> list[tuple[nn.Module, ...]]:
        return list(zip(self.around, self.widen, self.narrow, gains, strict=True))


def _through(conv: nn.Module, slope: Tensor) -> Tensor:
    """Back through a convolution."""
    assert isinstance(conv, nn.Conv2d)
    back: Tensor = functional.conv_transpose2d(
        slope, conv.weight, padding=conv.padding, groups=conv.groups
    )
    return back
