"""The whole system: photo -> symbols, their bits, photo."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.zoo.mentzer2018 import importance
from models.zoo.mentzer2018.autoencoder import Config, Decoder, Encoder
from models.zoo.mentzer2018.context import ContextModel
from models.zoo.mentzer2018.quantiser import Quantiser


@dataclass(frozen=True)
class Coded:
    """A batch as it is coded: all [N, K, H / 8, W / 8], ``soft`` with L more.

    ``mask`` is ceil(m), all ones without a map; ``values`` are centres.
    """

    mask: Tensor
    values: Tensor
    symbols: Tensor
    soft: Tensor


class Codec(nn.Module):
    """Autoencoder, centres and context model."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.encoder, self.decoder = Encoder(config), Decoder(config)
        self.quantiser = Quantiser(config.centres)
        self.context = ContextModel(config.context, config.centres)

    def forward(self, photo: Tensor, head: int = 0) -> tuple[Tensor, Coded, Tensor]:
        """[N, 3, H, W] in 0..255 -> the photo that comes back, its code, bits of every symbol."""
        coded = self.code(self.encoder(photo), head)
        return self.decoder(coded.values), coded, self.bits(coded.values)

    def code(self, found: Tensor, head: int = 0) -> Coded:
        """What the encoder found, [N, heads + K, h, w] -> masked and quantised, in 32 bits.

        ``head`` says by which importance map; ignored where there is none.
        """
        maps, z = found.float().split([self.config.heads, self.config.bottleneck], 1)
        whole = torch.ones_like(z)
        if self.config.heads:
            whole = importance.rounded_up(importance.mask(maps[:, head], z.shape[1]))
        values, symbols, soft = self.quantiser(z * whole)
        return Coded(whole, values, symbols, soft)

    def bits(self, values: Tensor) -> Tensor:
        """Values [N, K, h, w] -> bits of every symbol, [N, K, L, h, w]."""
        bits: Tensor = self.context(values, self.quantiser.centres[0])
        return bits

    def decode(self, symbols: Tensor) -> Tensor:
        """Symbols [N, K, h, w] -> photo, float [N, 3, 8 h, 8 w] in 0..255."""
        shown: Tensor = self.decoder(self.quantiser.values(symbols))
        return shown.clamp(0, 255)

    def picture_parameters(self) -> list[nn.Parameter]:
        """Weights of the autoencoder and the centres."""
        parts = (self.encoder, self.decoder, self.quantiser)
        return [p for part in parts for p in part.parameters()]
