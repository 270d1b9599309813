"""The convolutional / deconvolutional LSTM compressor: Toderici et al. 2015, section 3.6.

    r_0 = x;  b_t = B(E_t(r_{t-1}));  x_t = D_t(b_t);  r_t = x - x_t          (equations 1, 7)

Every iteration predicts the IMAGE from the states and its 128 new bits; the residual is taken
against the original. RGB is mapped to [-0.9, 0.9] (section 3). The paper leaves widths and kernels
to a figure; `paper` is our reading of it, `small` what two CPU cores train and serve.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.zoo.layers import Binarizer, ConvLSTM, DeconvLSTM, State
from models.zoo.progressive import Progressive

SIDE = 32
GRID = 8


@dataclass(frozen=True)
class Config:
    """Widths of the three layers of each half, bits a position and iteration, iterations."""

    widths: tuple[int, int, int]
    bits: int = 2
    iterations: int = 16

    @property
    def bits_shape(self) -> tuple[int, int, int]:
        """Bits of one iteration: channels, rows, columns."""
        return self.bits, GRID, GRID


CONFIGS = {
    "paper": Config((64, 256, 512)),
    "small": Config((16, 32, 64)),
}


class Encoder(nn.Module):
    """[N, 3, 32, 32] residual -> [N, bits, 8, 8] of -1 and +1."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        first, second, third = config.widths
        self.conv = nn.Conv2d(3, first, 3, 2, 1)  # [N, first, 16, 16]
        self.lstm2 = ConvLSTM(first, second, 2)  # [N, second, 8, 8]
        self.lstm3 = ConvLSTM(second, third, 1)  # [N, third, 8, 8]
        self.binarizer = Binarizer(third, config.bits)

    def start(self, batch: int) -> list[Tensor]:
        """Zero states h2, c2, h3, c3."""
        weight = self.conv.weight
        shapes = [self.lstm2.state_shape(16, 16)] * 2 + [self.lstm3.state_shape(GRID, GRID)] * 2
        return [weight.new_zeros(batch, *shape) for shape in shapes]

    def forward(self, residual: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One iteration: bits and the new states."""
        h2, c2, h3, c3 = states
        x = torch.tanh(self.conv(residual))
        h2, c2 = self.lstm2(x, (h2, c2))
        h3, c3 = self.lstm3(h2, (h3, c3))
        return self.binarizer(h3), [h2, c2, h3, c3]


class Decoder(nn.Module):
    """[N, bits, 8, 8] -> [N, 3, 32, 32] in (-1, 1)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        first, second, third = config.widths
        self.lstm3 = DeconvLSTM(config.bits, third, 1)  # [N, third, 8, 8]
        self.lstm2 = DeconvLSTM(third, second, 2)  # [N, second, 16, 16]
        self.deconv = nn.ConvTranspose2d(second, first, 3, 2, 1, output_padding=1)  # 32 x 32
        self.to_rgb = nn.Conv2d(first, 3, 1)

    def start(self, batch: int) -> list[Tensor]:
        """Zero states h3, c3, h2, c2."""
        weight = self.to_rgb.weight
        shapes = [self.lstm3.state_shape(GRID, GRID)] * 2 + [self.lstm2.state_shape(GRID, GRID)] * 2
        return [weight.new_zeros(batch, *shape) for shape in shapes]

    def forward(self, bits: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One iteration: the image so far and the new states."""
        h3, c3, h2, c2 = states
        h3, c3 = self.lstm3(bits, (h3, c3))
        h2, c2 = self.lstm2(h3, (h2, c2))
        x = torch.tanh(self.deconv(h2))
        return torch.tanh(self.to_rgb(x)), [h3, c3, h2, c2]


class ConvLSTMCodec(Progressive):
    """The convolutional / deconvolutional LSTM compressor."""

    def __init__(self, config: Config) -> None:
        super().__init__(Encoder(config), Decoder(config))
        self.config = config


__all__ = ["CONFIGS", "Config", "ConvLSTMCodec", "State"]
