"""Whether networks are worth it for a photo: a part of it coded both ways, compared at equal bytes.

sample       nine pieces of the picture side by side; a small picture as it is
distortion   squared error and 1 - MS-SSIM, the latter more than in training, where errors that
             eyes see had a share of their own
verdict      the mean of its logarithm over cuts: drawings, text and noise are other pictures
             than those of training, and may be better in closed form
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from service.codec.photo import levels
from service.codec.pixels import Pixels

PIECE, PIECES = 96, 3
"""Pixels, and pieces a side."""
CUTS_BPP = (0.15, 0.5, 1.2)
SQUARED, STRUCTURE = 0.45, 2975.0
"""Weights of the squared error and of 1 - MS-SSIM."""
LEAST_ERROR = 0.1
"""Squared error that is no worse than none."""


def sample_of(picture: Pixels) -> Pixels:
    """Pieces spread over uint8 [H, W, 3], in place of the whole."""
    rows, columns = (_spread(length) for length in picture.shape[:2])
    return np.ascontiguousarray(picture[rows][:, columns])


def _spread(length: int) -> np.ndarray:
    if length <= PIECE * PIECES:
        return np.arange(length)
    starts = [(2 * n + 1) * length // (2 * PIECES) - PIECE // 2 for n in range(PIECES)]
    return np.concatenate([np.arange(start, start + PIECE) for start in starts])


def networks_are_better(
    sample: Pixels,
    encode: Callable[[bool, float], bytes],
    decode: Callable[[bytes, Sequence[int]], Iterator[Pixels]],
) -> bool:
    """Compare; ``encode`` makes a stream of the sample, with networks or not, in so many bpp."""
    pixels = sample.shape[0] * sample.shape[1]
    cuts = [max(64, int(bpp * pixels / 8)) for bpp in CUTS_BPP]
    score = {}
    for networks in (False, True):
        stream = encode(networks, CUTS_BPP[-1])
        score[networks] = sum(
            math.log(_distortion(sample, shown)) for shown in decode(stream, cuts)
        )
    return score[True] < score[False]


def _distortion(picture: Pixels, shown: Pixels) -> float:
    found = levels.level(0, picture, shown)
    error = SQUARED * 255**2 / 10 ** (found.psnr / 10) if math.isfinite(found.psnr) else 0.0
    similar = found.ssim if found.msssim is None else found.msssim
    return max(error, LEAST_ERROR) + STRUCTURE * (1 - similar)
