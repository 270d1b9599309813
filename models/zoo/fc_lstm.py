"""The fully connected LSTM compressor: Toderici et al. 2015, section 3.4.

    b_t = B(E_t(r_{t-1}));  x_t = D_t(b_t);  r_t = x - x_t

Each 8x8 patch is coded alone. Every iteration predicts the patch ITSELF from the states and its new
bits; the residual is taken against the original. Patches are the positions of a 4x4 grid
(``patches``), so an LSTM is a ``ConvLSTM`` of one pixel.

As the paper has it: one layer and two LSTMs before the bits, two LSTMs and one layer to RGB after
them, all of one width. Our reading: tanh on the first layer and on the last; 8 bits a patch and
iteration (the captions of the paper's figures say 4), 16 bytes an iteration.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.zoo.layers import Binarizer, ConvLSTM
from models.zoo.patches import GRID, SAMPLES, apart, together
from models.zoo.progressive import Progressive


@dataclass(frozen=True)
class Config:
    """Width of the layers, bits a patch and iteration, iterations."""

    width: int
    bits: int = 8
    iterations: int = 8

    @property
    def bits_shape(self) -> tuple[int, int, int]:
        """Bits of one iteration: channels, rows, columns."""
        return self.bits, GRID, GRID

    @property
    def samples(self) -> int:
        """Numbers of a patch."""
        return SAMPLES


CONFIGS = {
    "paper": Config(512),
    "small": Config(128),
}


class Encoder(nn.Module):
    """[N, 3, 32, 32] residual -> [N, bits, 4, 4] of -1 and +1."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.width
        self.full = nn.Conv2d(config.samples, width, 1)
        self.lstm1 = ConvLSTM(width, width, 1, kernel=1)
        self.lstm2 = ConvLSTM(width, width, 1, kernel=1)
        self.binarizer = Binarizer(width, config.bits)

    def start(self, batch: int) -> list[Tensor]:
        """Zero states h1, c1, h2, c2."""
        shape = self.lstm1.state_shape(GRID, GRID)
        return [self.full.weight.new_zeros(batch, *shape) for _ in range(4)]

    def forward(self, residual: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One iteration: bits and the new states."""
        h1, c1, h2, c2 = states
        x = apart(residual)  # [N, 192, 4, 4]
        x = torch.tanh(self.full(x))  # [N, width, 4, 4]
        h1, c1 = self.lstm1(x, (h1, c1))
        h2, c2 = self.lstm2(h1, (h2, c2))
        return self.binarizer(h2), [h1, c1, h2, c2]


class Decoder(nn.Module):
    """[N, bits, 4, 4] -> [N, 3, 32, 32] in (-1, 1)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.width
        self.lstm2 = ConvLSTM(config.bits, width, 1, kernel=1)
        self.lstm1 = ConvLSTM(width, width, 1, kernel=1)
        self.to_rgb = nn.Conv2d(width, config.samples, 1)

    def start(self, batch: int) -> list[Tensor]:
        """Zero states h2, c2, h1, c1."""
        shape = self.lstm1.state_shape(GRID, GRID)
        return [self.to_rgb.weight.new_zeros(batch, *shape) for _ in range(4)]

    def forward(self, bits: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One iteration: the picture so far and the new states."""
        h2, c2, h1, c1 = states
        h2, c2 = self.lstm2(bits, (h2, c2))
        h1, c1 = self.lstm1(h2, (h1, c1))
        x = torch.tanh(self.to_rgb(h1).float())  # [N, 192, 4, 4]
        return together(x), [h2, c2, h1, c1]


class FCLSTMCodec(Progressive):
    """The fully connected LSTM compressor."""

    def __init__(self, config: Config) -> None:
        super().__init__(Encoder(config), Decoder(config))
        self.config = config
