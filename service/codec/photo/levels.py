"""What prefixes of a photo are worth: at which lengths, at which resolution, by which measures.

A synthesis network computes on all pixels, whatever resolution is measured. So of a large photo it
corrects some prefixes, and what that is worth is taken to lie evenly (in dB, and in the logarithm
of the length) between them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

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


CORRECTED = (11, 13, 15)
"""Which prefixes a network corrects of a photo that has more than ``CORRECTED_PIXELS``."""
CORRECTED_PIXELS = 2**18
LEAST_UNLIKE = 1e-6
"""Of 1 - SSIM: what is still told from nothing."""


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


def corrected_of(cuts: Sequence[int], size: Size) -> Collection[int]:
    """Which of the cuts a network corrects: all of them, where a photo is small."""
    if size.pixels <= CORRECTED_PIXELS or len(cuts) < COUNT:
        return range(len(cuts))
    return CORRECTED


def corrected(found: Sequence[Level], both: Mapping[int, tuple[Level, Level]]) -> tuple[Level, ...]:
    """Levels of which ``both``, with a network and without, were measured at some cuts.

    The others were measured without; what a network adds begins at 0 with the first.
    """
    if not both:
        return tuple(found)
    at = [0, *both] if 0 not in both else list(both)
    places = np.log([found[n].bytes for n in at])
    gains = np.zeros((len(at), 3))
    for row, n in enumerate(at):
        if n in both:
            gains[row] = _decibels(both[n][0]) - _decibels(both[n][1])
    made = []
    for n, level in enumerate(found):
        if n in both:
            made.append(level)
            continue
        gain = [np.interp(np.log(level.bytes), places, column) for column in gains.T]
        psnr, ssim, msssim = (_decibels(level) + gain).tolist()
        scales = None if level.msssim is None else _likeness(msssim)
        made.append(replace(level, psnr=psnr, ssim=_likeness(ssim), msssim=scales))
    return tuple(made)


def _decibels(level: Level) -> np.ndarray:
    """PSNR, SSIM and MS-SSIM (0 where there is none) in dB."""
    unlike = [1 - level.ssim, 1.0 if level.msssim is None else 1 - level.msssim]
    return np.array([level.psnr, *(-10 * np.log10(np.maximum(unlike, LEAST_UNLIKE)))])


def _likeness(decibels: float) -> float:
    return float(1 - 10 ** (-decibels / 10))
