"""The convolutional / deconvolutional residual encoder: Toderici et al. 2015, section 3.5.

    b_t = B(E_t(r_{t-1}));  x_t = x_{t-1} + D_t(b_t);  r_t = r_{t-1} - D_t(b_t)

Every step predicts the RESIDUAL of the one before; the picture is the sum of what they predict.
Weights are shared by all steps (``stages`` 1) or each step has its own (``stages`` = steps).

Our reading, where the paper leaves it to a figure: three 3x3 convolutions with strides 2, 2, 1 and
tanh after each, 2 bits at each of 8x8 positions, the same mirrored, a 1x1 convolution to RGB, tanh
on what a step predicts. The paper prints the residual as prediction minus input; taken literally
the sum of the stages would alternate in sign.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.zoo.layers import StepBinarizer, StepConv
from models.zoo.progressive import Progressive

SIDE = 32
GRID = 8


@dataclass(frozen=True)
class Config:
    """Widths of the three layers of each half, bits a position and step, steps, sets of weights."""

    widths: tuple[int, int, int]
    stages: int
    bits: int = 2
    iterations: int = 8

    @property
    def bits_shape(self) -> tuple[int, int, int]:
        """Bits of one step: channels, rows, columns."""
        return self.bits, GRID, GRID


SHARED = {
    "paper": Config((64, 256, 512), stages=1),
    "small": Config((24, 48, 72), stages=1),
}
DISTINCT = {
    "paper": Config((64, 256, 512), stages=8),
    "small": Config((24, 48, 72), stages=8),
}


class Encoder(nn.Module):
    """[N, 3, 32, 32] residual -> [N, bits, 8, 8] of -1 and +1."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        first, second, third = config.widths
        self.conv1 = StepConv(config.stages, 3, first, 3, 2)  # [N, first, 16, 16]
        self.conv2 = StepConv(config.stages, first, second, 3, 2)  # [N, second, 8, 8]
        self.conv3 = StepConv(config.stages, second, third, 3)  # [N, third, 8, 8]
        self.binarizer = StepBinarizer(config.stages, third, config.bits)

    def start(self, batch: int) -> list[Tensor]:
        """The number of the step, [N, 1]."""
        return [self.conv1.weight.new_zeros(batch, 1)]

    def forward(self, residual: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One step: its bits."""
        (step,) = states
        x = torch.tanh(self.conv1(residual, step))
        x = torch.tanh(self.conv2(x, step))
        x = torch.tanh(self.conv3(x, step))
        return self.binarizer(x, step), [step + 1]


class Decoder(nn.Module):
    """[N, bits, 8, 8] -> [N, 3, 32, 32], the sum of what the steps predicted."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        first, second, third = config.widths
        self.deconv3 = StepConv(config.stages, config.bits, third, 3)  # [N, third, 8, 8]
        self.deconv2 = StepConv(config.stages, third, second, 3, 2, True)  # [N, second, 16, 16]
        self.deconv1 = StepConv(config.stages, second, first, 3, 2, True)  # [N, first, 32, 32]
        self.to_rgb = StepConv(config.stages, first, 3, 1)

    def start(self, batch: int) -> list[Tensor]:
        """The number of the step, [N, 1], and the picture so far, [N, 3, 32, 32]."""
        weight = self.to_rgb.weight
        return [weight.new_zeros(batch, 1), weight.new_zeros(batch, 3, SIDE, SIDE)]

    def forward(self, bits: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One step: the picture so far."""
        step, picture = states
        x = torch.tanh(self.deconv3(bits, step))
        x = torch.tanh(self.deconv2(x, step))
        x = torch.tanh(self.deconv1(x, step))
        picture = picture + torch.tanh(self.to_rgb(x, step).float())
        return picture, [step + 1, picture]


class ConvResidualCodec(Progressive):
    """The convolutional / deconvolutional residual encoder."""

    def __init__(self, config: Config) -> None:
        super().__init__(Encoder(config), Decoder(config))
        self.config = config
