"""Priming and diffusion: Johnston et al. 2017, sections 3.2 and 3.3, on the one-shot GRU network.

A state sees further the more often it is computed. k-priming runs the encoder k times on the
picture before its first bits, which are dropped, and the decoder k times on the first bits, of
which only the states are kept. k-diffusion does so before every iteration. Neither costs a bit.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from models.zoo.toderici2016.network import PAPER, SMALL, TILE, Decoder, Encoder, Widths, halves


@dataclass(frozen=True)
class Config:
    """Widths, extra runs before the first iteration (k_p) and before each other one (k_d)."""

    widths: Widths
    priming: int = 0
    diffusion: int = 0
    iterations: int = 16

    def extra(self, iteration: int) -> int:
        """Runs of each half that iteration (from 0) has beyond the one that counts."""
        return self.diffusion if iteration else max(self.priming, self.diffusion)


class Codec(nn.Module):
    """Both halves, run for as many iterations as asked for."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = halves("gru", "gru", config.widths)

    def forward(self, x: Tensor, iterations: int) -> tuple[list[Tensor], list[Tensor]]:
        """[N, 3, H, W] in [-0.9, 0.9] -> the picture and the bits after each iteration."""
        encoder_states = self.encoder.start(len(x), *x.shape[2:])
        decoder_states = self.decoder.start(len(x), *x.shape[2:])
        residual, pictures, codes = x, [], []
        for iteration in range(iterations):
            extra = self.config.extra(iteration)
            encoder_states = diffused(self.encoder, residual, encoder_states, extra)
            bits, encoder_states = self.encoder(residual, encoder_states)
            decoder_states = diffused(self.decoder, bits, decoder_states, extra)
            picture, decoder_states = self.decoder(bits, decoder_states)
            residual = x - picture
            pictures.append(picture)
            codes.append(bits)
        return pictures, codes

    def decode(self, codes: list[Tensor]) -> list[Tensor]:
        """Bits [N, 32, h, w] of each iteration, 0 where one is missing -> the pictures."""
        rows, columns = codes[0].shape[2:]
        states = self.decoder.start(len(codes[0]), TILE * rows, TILE * columns)
        pictures = []
        for iteration, bits in enumerate(codes):
            states = diffused(self.decoder, bits, states, self.config.extra(iteration))
            picture, states = self.decoder(bits, states)
            pictures.append(picture)
        return pictures


def diffused(
    half: Encoder | Decoder, value: Tensor, states: list[Tensor], times: int
) -> list[Tensor]:
    """The states after so many runs on one value, whose results are dropped."""
    for _ in range(times):
        _, states = half.features(value, states)
    return states


def configs(priming: int = 0, diffusion: int = 0) -> dict[str, Config]:
    """The paper's widths, and those that two CPU cores train and serve."""
    return {
        "paper": Config(PAPER, priming, diffusion),
        "small": Config(SMALL, priming, diffusion),
    }
