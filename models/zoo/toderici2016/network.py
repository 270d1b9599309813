"""Encoder and decoder of Toderici et al. 2016, figure 1: convolutions, recurrent layers, 32 bits.

A position of the bits stands for 16x16 pixels, so an iteration costs 1/8 bit a pixel. Sizes are
free, in multiples of 16. The figure gives widths, kernels and strides; our reading: tanh after the
first layer of each half, and input kernels of 3x3 throughout (which is what the supports that
Johnston et al. 2017 print come to).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.zoo.layers import DECIDED, Binarizer
from models.zoo.toderici2016.cells import CELLS, Cell, start_weights

TILE = 16
BITS = 32


@dataclass(frozen=True)
class Widths:
    """Channels of the four layers of the encoder and of the five of the decoder."""

    encoder: tuple[int, int, int, int]
    decoder: tuple[int, int, int, int, int]


PAPER = Widths((64, 256, 512, 512), (512, 512, 512, 256, 128))
SMALL = Widths((16, 64, 128, 128), (128, 128, 128, 64, 32))


class Half(nn.Module):
    """What both halves share: their recurrent layers' states as one flat list."""

    cells: nn.ModuleList
    scales: tuple[int, ...]

    def start(self, batch: int, height: int, width: int) -> list[Tensor]:
        """Zero states for pictures of this size."""
        states = []
        for cell, scale in zip(self.cells, self.scales, strict=True):
            states += cast(Cell, cell).start(batch, height // scale, width // scale)
        return states

    def through(self, layer: int, x: Tensor, states: list[Tensor]) -> Tensor:
        """One recurrent layer: its output; its new states replace the old ones in the list."""
        cell = cast(Cell, self.cells[layer])
        own = slice(layer * cell.states, (layer + 1) * cell.states)
        output: Tensor
        output, states[own] = cell(x, states[own])
        return output


class Encoder(Half):
    """Residual [N, 3, H, W] -> bits [N, 32, H / 16, W / 16] of -1 and +1."""

    scales = 2, 4, 8

    def __init__(self, cell: str, widths: Widths) -> None:
        super().__init__()
        first, *others = widths.encoder
        self.conv = nn.Conv2d(3, first, 3, 2, 1)  # [N, 64, H / 2, W / 2]
        kind = CELLS[cell]
        self.cells = nn.ModuleList(
            kind(inputs, width, kernel=3, stride=2, hidden=1)
            for inputs, width in zip(widths.encoder, others, strict=False)
        )
        self.binarizer = Binarizer(widths.encoder[-1], BITS)

    def features(self, residual: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One iteration but for its bits, [N, 512, H / 16, W / 16], and the new states."""
        states = list(states)
        x = torch.tanh(self.conv(residual))
        x = self.through(0, x, states)  # [N, 256, H / 4, W / 4]
        x = self.through(1, x, states)  # [N, 512, H / 8, W / 8]
        x = self.through(2, x, states)  # [N, 512, H / 16, W / 16]
        return x, states

    def forward(self, residual: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One iteration: bits and the new states."""
        x, states = self.features(residual, states)
        return self.binarizer(x), states


class Decoder(Half):
    """Bits [N, 32, H / 16, W / 16] -> what they say of the picture, [N, 3, H, W] in (-1, 1)."""

    scales = 16, 8, 4, 2

    def __init__(self, cell: str, widths: Widths) -> None:
        super().__init__()
        first, *others = widths.decoder
        self.conv = nn.Conv2d(BITS, first, 1)  # [N, 512, H / 16, W / 16]
        kind = CELLS[cell]
        inputs = [first, *(width // 4 for width in others)]
        self.cells = nn.ModuleList(
            kind(of, width, kernel=3, stride=1, hidden=hidden)
            for of, width, hidden in zip(inputs, others, (1, 1, 3, 3), strict=False)
        )
        self.to_rgb = nn.Conv2d(inputs[-1], 3, 1)

    def features(self, bits: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One iteration but for its picture, [N, 32, H, W], and the new states."""
        states = list(states)
        x = torch.tanh(self.conv(bits))
        for layer in range(4):  # [N, 512, H / 16, W / 16]; 512 at 1/8, 256 at 1/4, 128 at 1/2
            x = functional.pixel_shuffle(self.through(layer, x, states), 2)
        return x, states

    def forward(self, bits: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One iteration: its output and the new states."""
        x, states = self.features(bits, states)
        return torch.tanh(self.to_rgb(x)), states


def halves(encoder_cell: str, decoder_cell: str, widths: Widths) -> tuple[Encoder, Decoder]:
    """Both, with the weights that a training starts from."""
    encoder, decoder = Encoder(encoder_cell, widths), Decoder(decoder_cell, widths)
    for half in (encoder, decoder):
        start_weights(half)
    with torch.no_grad():
        encoder.binarizer.project.weight.mul_(DECIDED)
    return encoder, decoder
