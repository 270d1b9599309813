"""The fully connected residual encoder: Toderici et al. 2015, section 3.3.

    b_t = B(E_t(r_{t-1}));  x_t = x_{t-1} + D_t(b_t);  r_t = r_{t-1} - D_t(b_t)

Each 8x8 patch is coded alone. Every step predicts the RESIDUAL of the one before; the picture is
the sum of what they predict. Weights are shared by all steps (``stages`` 1) or each step has its
own (``stages`` = steps). Patches are the positions of a 4x4 grid (``patches``).

Our reading, where the paper's figure is lost: three layers a half, the projection to bits and the
one to RGB counted, tanh after each. The text spends 8 bits a patch and step, the captions of its
figures 4; ``bits`` is a setting. Eight are 16 bytes a step, as in the convolutional systems.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.zoo.layers import StepBinarizer, StepConv
from models.zoo.patches import GRID, SAMPLES, SIDE, apart, together
from models.zoo.progressive import Progressive


@dataclass(frozen=True)
class Config:
    """Width of the layers, bits a patch and step, steps, sets of weights."""

    width: int
    stages: int
    bits: int = 8
    iterations: int = 8

    @property
    def bits_shape(self) -> tuple[int, int, int]:
        """Bits of one step: channels, rows, columns."""
        return self.bits, GRID, GRID


SHARED = {
    "paper": Config(512, stages=1),
    "small": Config(128, stages=1),
}
DISTINCT = {
    "paper": Config(512, stages=8),
    "small": Config(128, stages=8),
}


class Encoder(nn.Module):
    """[N, 3, 32, 32] residual -> [N, bits, 4, 4] of -1 and +1."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.width
        self.full1 = StepConv(config.stages, SAMPLES, width, 1)
        self.full2 = StepConv(config.stages, width, width, 1)
        self.binarizer = StepBinarizer(config.stages, width, config.bits)

    def start(self, batch: int) -> list[Tensor]:
        """The number of the step, [N, 1]."""
        return [self.full1.weight.new_zeros(batch, 1)]

    def forward(self, residual: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One step: its bits."""
        (step,) = states
        x = apart(residual)  # [N, 192, 4, 4]
        x = torch.tanh(self.full1(x, step))  # [N, width, 4, 4]
        x = torch.tanh(self.full2(x, step))
        return self.binarizer(x, step), [step + 1]


class Decoder(nn.Module):
    """[N, bits, 4, 4] -> [N, 3, 32, 32], the sum of what the steps predicted."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.width
        self.full2 = StepConv(config.stages, config.bits, width, 1)
        self.full1 = StepConv(config.stages, width, width, 1)
        self.to_rgb = StepConv(config.stages, width, SAMPLES, 1)

    def start(self, batch: int) -> list[Tensor]:
        """The number of the step, [N, 1], and the picture so far, [N, 3, 32, 32]."""
        weight = self.to_rgb.weight
        return [weight.new_zeros(batch, 1), weight.new_zeros(batch, 3, SIDE, SIDE)]

    def forward(self, bits: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One step: the picture so far."""
        step, picture = states
        x = torch.tanh(self.full2(bits, step))  # [N, width, 4, 4]
        x = torch.tanh(self.full1(x, step))
        x = torch.tanh(self.to_rgb(x, step).float())  # [N, 192, 4, 4]
        picture = picture + together(x)
        return picture, [step + 1, picture]


class FCResidualCodec(Progressive):
    """The fully connected residual encoder."""

    def __init__(self, config: Config) -> None:
        super().__init__(Encoder(config), Decoder(config))
        self.config = config
