"""What prefixes of a photo are worth: at which lengths, at which resolution, by which measures."""

from __future__ import annotations

import numpy as np

from service.codec.geometry import Size
from service.codec.interface import Level
from service.codec.pixels import Pixels
from service.quality.ms_ssim import MS_SSIM_SIDE, ms_ssim
from service.quality.psnr import psnr
from service.quality.ssim import BLOCK, block_ssim

SHORTEST_BYTES = 128
COUNT = 16
LONG_SIDE = 512
"""Pixels: a larger photo is measured as the low-pass picture that has at least so many."""


def splits_of(size: Size) -> int:
    """How many times a photo is split before it is measured."""
    width, height, splits = size.width, size.height, 0
    while True:
        width, height = (width + 1) // 2, (height + 1) // 2
        if max(width, height) < LONG_SIDE or min(width, height) < MS_SSIM_SIDE:
            return splits
        splits += 1


def cuts_of(length_bytes: int, least_bytes: int) -> list[int]:
    """Lengths on a geometric grid from 128 bytes to the whole stream, ascending."""
    first = min(max(SHORTEST_BYTES, least_bytes), length_bytes)
    return sorted({round(cut) for cut in np.geomspace(first, length_bytes, COUNT)})


def level(length_bytes: int, wanted: Pixels, shown: Pixels) -> Level:
    """One prefix. A picture too small for a whole block counts as one block of its mean error."""
    a, b = wanted[None], shown[None]
    height, width = wanted.shape[:2]
    if min(height, width) < BLOCK:
        pad = ((0, 0), (0, max(0, BLOCK - height)), (0, max(0, BLOCK - width)), (0, 0))
        similar = block_ssim(np.pad(a, pad, mode="edge"), np.pad(b, pad, mode="edge"))
    else:
        similar = block_ssim(a, b)
    scales = ms_ssim(a, b) if min(height, width) >= MS_SSIM_SIDE else [None]
    return Level(
        length_bytes,
        float(similar[0]),
        float(psnr(a, b)[0]),
        None if scales[0] is None else float(scales[0]),
    )
