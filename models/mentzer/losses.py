"""What a batch costs: distortion, and the bits that its symbols take.

    d = 100 (1 - MS-SSIM);   L = d + beta max(MC, t),  beta = 10, MC and t in bits a symbol

(section 3.5; the public code's 5000, 500 and rate 8e-5 are the same, fifty times). The context
model learns from the bits of all symbols, masked or not, and from nothing else.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from torch import Tensor

from models.photo.distortion import ms_ssim
from models.zoo.mentzer2018 import rate
from models.zoo.mentzer2018.codec import Codec, Coded

DISTORTION = 100.0
BETA = 10.0
SQUARED = 10.0
"""Weight of the squared error, in parts of the colours' variance, while a training begins: pictures
that have nothing in common have no gradient in MS-SSIM."""
Narrow = AbstractContextManager[object]


@dataclass(frozen=True)
class Costs:
    """Scalars of a batch: d, bits a symbol that the autoencoder pays for, those of all symbols.

    ``start`` is the squared error; ``spent`` has no gradient but to the context model.
    """

    distortion: Tensor
    start: Tensor
    paid: Tensor
    spent: Tensor

    def of_picture(self, target: float | None, begin: float) -> Tensor:
        """What autoencoder and centres minimise; ``target`` in bits a symbol, None for no rate.

        ``begin`` falls from 1 to 0 while the training begins.
        """
        loss = self.distortion + SQUARED * begin * self.start
        return loss if target is None else loss + rate.over_target(self.paid, target, BETA)


def of_pictures(model: Codec, photo: Tensor, narrow: Narrow, head: int = 0) -> tuple[Coded, Tensor]:
    """A batch [N, 3, H, W] in 0..255, coded, and what comes back. ``narrow`` is an autocast."""
    with narrow:
        found = model.encoder(photo)
    coded = model.code(found, head)
    with narrow:
        features = model.decoder.features(coded.values)
    return coded, model.decoder.paint(features.float())


def bits_of(model: Codec, coded: Coded, narrow: Narrow, masked: bool) -> tuple[Tensor, Tensor]:
    """Bits a symbol: paid for (with ``masked`` those of ceil(m) alone, with gradient), and all."""
    with narrow:
        bits = model.bits(coded.values)
    paid = rate.soft(bits, coded.symbols, coded.soft)
    if masked:
        paid = paid * coded.mask
    return paid.mean(), rate.of_symbols(bits, coded.symbols).mean()


def distortion(model: Codec, photo: Tensor, shown: Tensor) -> tuple[Tensor, Tensor]:
    """d, and the squared error in parts of the colours' variance."""
    error = ((photo - shown) / model.encoder.deviation).square().mean()
    whole = DISTORTION * (1 - ms_ssim(photo.contiguous(), shown.contiguous())).mean()
    return whole, error
