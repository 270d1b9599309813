"""Whether a shipped recurrent codec of photos does in ONNX Runtime what it does in torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from models.training.data import to_network
from service.codec.recurrent.codec import to_rgb
from service.quality.psnr import psnr

if TYPE_CHECKING:
    from models.export.full_resolution import Codec
    from service.codec.pixels import Pixels
    from service.codec.recurrent.full_resolution import FullResolutionCodec


@dataclass(frozen=True)
class Agreement:
    """Of pictures that both encode: bits, streams and decibels; of one stream: pixels.

    ``pixels`` is the largest difference, of 255, between what both paint of the same bits.
    """

    pictures: int
    identical_streams: int
    first_bits: float
    bits: float
    psnr_torch: float
    psnr_service: float
    pixels: int

    def __str__(self) -> str:
        return (
            f"first iteration's bits {100 * self.first_bits:.4f} % equal, all bits"
            f" {100 * self.bits:.3f} %, identical streams {self.identical_streams} of"
            f" {self.pictures}; mean PSNR {self.psnr_torch:.4f} and {self.psnr_service:.4f} dB;"
            f" one stream's pictures differ by at most {self.pixels} of 255"
        )


@torch.no_grad()
def compare(
    model: Codec, codec: FullResolutionCodec, pictures: Pixels, painted: int = 4
) -> tuple[Agreement, Pixels]:
    """Encode uint8 [N, H, W, 3] with both, and paint the service's first bits with both.

    Sides are multiples of 32 pixels, so that nothing is filled up. Also what the service paints
    after each iteration, [T, N, H, W, 3].
    """
    model.eval()
    same, theirs, ours = [], [], []
    apart = 0
    for number, picture in enumerate(pictures):
        shown, codes = model(to_network(torch.from_numpy(picture[None])), codec.iterations)
        steps = [(bits, to_rgb(one)[0]) for bits, one in codec.steps(picture)]
        bits = [torch.from_numpy(one) for one, _ in steps]
        same.append([float((a == b).float().mean()) for a, b in zip(bits, codes, strict=True)])
        theirs.append(to_rgb(shown[-1].numpy())[0])
        ours.append([rgb for _, rgb in steps])
        if number < painted:
            again = np.stack([to_rgb(one.numpy())[0] for one in model.decode(bits)])
            apart = max(apart, int(np.abs(again.astype(int) - np.stack(ours[-1])).max()))
    equal, by_iteration = np.array(same), np.stack(ours, 1)
    found = Agreement(
        len(pictures),
        int((equal == 1).all(1).sum()),
        round(float(equal[:, 0].mean()), 6),
        round(float(equal.mean()), 6),
        round(float(psnr(pictures, np.stack(theirs)).mean()), 4),
        round(float(psnr(pictures, by_iteration[-1]).mean()), 4),
        apart,
    )
    return found, by_iteration
