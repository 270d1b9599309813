"""What the systems of Toderici et al. 2015 have in common: two halves, run step after step.

    r_0 = x;  b_t = E_t(r_{t-1});  x_t = D_t(b_t);  r_t = x - x_t

x_t is the picture after step t. A decoder that predicts residuals holds the sum of its outputs F_t
as a state, x_t = x_{t-1} + F_t: then r_t = r_{t-1} - F_t, and one loop fits both kinds.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn


class Half(Protocol):
    """An encoder (residual to bits) or a decoder (bits to picture)."""

    def start(self, batch: int) -> list[Tensor]:
        """States before the first step, all zero, each [batch, ...]."""
        ...

    def __call__(self, value: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """One step: its result and the new states."""
        ...


class Progressive(nn.Module):
    """Both halves, run for as many steps as asked for."""

    def __init__(self, encoder: Half, decoder: Half) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def forward(self, x: Tensor, iterations: int) -> tuple[list[Tensor], list[Tensor]]:
        """[N, 3, 32, 32] in [-0.9, 0.9] -> the picture and the bits after each step."""
        encoder_states = self.encoder.start(len(x))
        decoder_states = self.decoder.start(len(x))
        residual, pictures, codes = x, [], []
        for _ in range(iterations):
            bits, encoder_states = self.encoder(residual, encoder_states)
            picture, decoder_states = self.decoder(bits, decoder_states)
            residual = x - picture
            pictures.append(picture)
            codes.append(bits)
        return pictures, codes
