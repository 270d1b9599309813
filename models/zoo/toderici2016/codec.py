"""The codecs of Toderici et al. 2016: a cell and a way to put the picture together.

    b_t = B(E_t(g_{t-1} r_{t-1}));  x_t = D_t(b_t) / g_{t-1} + gamma x_{t-1};  r_t = x - x_t

with x_0 = 0 and g_0 = 1 (equations 1 and 2, section 3.3). One-shot: gamma 0, every iteration paints
the whole picture. Additive: gamma 1, it paints what is missing. Residual scaling: gamma 1, and what
is missing is enlarged by g_t = G(x_t), which the decoder computes from the picture as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.zoo.toderici2016.network import PAPER, SMALL, TILE, Widths, halves

GAMMA = {"one-shot": 0.0, "additive": 1.0, "scaling": 1.0}


@dataclass(frozen=True)
class Config:
    """Cell (the encoder's, where the decoder has another), reconstruction, widths, iterations."""

    cell: str
    reconstruction: str
    widths: Widths
    encoder_cell: str | None = None
    gain_width: int = 32
    iterations: int = 16


class Gain(nn.Module):
    """Picture [N, 3, H, W] -> how much its residual is enlarged, over 1, [N, 1, H, W].

    H and W are multiples of 32.
    Five convolutions of stride 2, ELU after each, plus 2: one number for 32x32 pixels, repeated.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        channels = [3, width, width, width, width, 1]
        self.convs = nn.ModuleList(
            nn.Conv2d(inputs, outputs, 3, 2, 1) for inputs, outputs in pairwise(channels)
        )

    def forward(self, picture: Tensor) -> Tensor:
        """The gain of the next iteration."""
        x = picture
        for conv in self.convs:
            x = functional.elu(conv(x))
        return functional.interpolate(x + 2, scale_factor=32.0)  # nearest: each number 32x32 times


class Codec(nn.Module):
    """Both halves, run for as many iterations as asked for."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = halves(
            config.encoder_cell or config.cell, config.cell, config.widths
        )
        self.gamma = GAMMA[config.reconstruction]
        self.gain = Gain(config.gain_width) if config.reconstruction == "scaling" else None

    def forward(self, x: Tensor, iterations: int) -> tuple[list[Tensor], list[Tensor]]:
        """[N, 3, H, W] in [-0.9, 0.9] -> the picture and the bits after each iteration."""
        encoder_states = self.encoder.start(len(x), *x.shape[2:])
        decoder_states = self.decoder.start(len(x), *x.shape[2:])
        picture, gain = torch.zeros_like(x), x.new_ones(1)
        pictures, codes = [], []
        for _ in range(iterations):
            bits, encoder_states = self.encoder(gain * (x - picture), encoder_states)
            predicted, decoder_states = self.decoder(bits, decoder_states)
            picture, gain = self.next_picture(predicted, picture, gain)
            pictures.append(picture)
            codes.append(bits)
        return pictures, codes

    def decode(self, codes: list[Tensor]) -> list[Tensor]:
        """Bits [N, 32, h, w] of each iteration, 0 where one is missing -> the pictures."""
        count, _, rows, columns = codes[0].shape
        size = TILE * rows, TILE * columns
        states = self.decoder.start(count, *size)
        picture, gain = codes[0].new_zeros(count, 3, *size), codes[0].new_ones(1)
        pictures = []
        for bits in codes:
            predicted, states = self.decoder(bits, states)
            picture, gain = self.next_picture(predicted, picture, gain)
            pictures.append(picture)
        return pictures

    def next_picture(
        self, predicted: Tensor, picture: Tensor, gain: Tensor
    ) -> tuple[Tensor, Tensor]:
        """x_t and g_t from D_t(b_t), x_{t-1} and g_{t-1}: what both sides compute."""
        picture = predicted / gain + self.gamma * picture
        return picture, gain if self.gain is None else self.gain(picture)


def configs(cell: str, reconstruction: str, encoder_cell: str | None = None) -> dict[str, Config]:
    """A pair in the paper's widths and in those that two CPU cores train and serve."""
    return {
        "paper": Config(cell, reconstruction, PAPER, encoder_cell),
        "small": Config(cell, reconstruction, SMALL, encoder_cell, gain_width=16),
    }
