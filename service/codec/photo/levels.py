"""What prefixes of a photo are worth: at which lengths, at which resolution, by which measures.

A synthesis network computes on all pixels, whatever resolution is measured. So of a large photo it
corrects the middle of some prefixes; what that is worth, in dB, is taken to hold everywhere, and to
lie evenly between them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.codec.geometry import Size
from service.codec.interface import Level
from service.codec.photo import order
from service.codec.photo.cells import CELL, Tile
from service.codec.pixels import Pixels
from service.quality.ms_ssim import MS_SSIM_SIDE, ms_ssim
from service.quality.psnr import psnr
from service.quality.ssim import BLOCK, block_ssim

Gain = NDArray[np.float64]
NOTHING: Gain = np.zeros(3)
SHORTEST_BYTES = 128
COUNT = 16
LONG_SIDE = 512
"""Pixels: a larger photo is measured as the low-pass picture that has at least so many."""
CORRECTED_BPP = (0.1, 0.4)
"""The first prefixes of so much, and the whole, are what a network corrects of a large photo."""
LARGE_PIXELS = 2**18
"""A photo of more is measured while it is written, and corrected in part."""
ALIGNED = order.BLOCK
AROUND = 8
"""Cells around what is measured that are corrected too: the outermost have no neighbours."""
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


def corrected_from(size: Size) -> list[int]:
    """Lengths of a large photo from which on a network corrects the next prefix."""
    return [int(bpp * size.pixels / 8) for bpp in CORRECTED_BPP]


class Part(NamedTuple):
    """The middle of a photo: cells that are measured, those that are corrected for it, splits."""

    measured: Tile
    corrected: Tile
    splits: int

    def of(self, picture: Pixels) -> Pixels:
        """Its pixels in the whole picture."""
        return self._cut(picture, self.measured.top, self.measured.left)

    def inner(self, corrected: Pixels) -> Pixels:
        """Its pixels in what was corrected."""
        top, left = self.corrected.top, self.corrected.left
        return self._cut(corrected, self.measured.top - top, self.measured.left - left)

    def _cut(self, picture: Pixels, top: int, left: int) -> Pixels:
        side = CELL >> self.splits
        rows, columns = self.measured.rows, self.measured.columns
        return np.ascontiguousarray(
            picture[side * top : side * (top + rows), side * left : side * (left + columns)]
        )


def part_of(size: Size, splits: int) -> Part:
    """A third of each side, or what MS-SSIM takes; and what lies around."""
    least = -(-MS_SSIM_SIDE // (CELL >> splits))
    measured, corrected = [], []
    for cells in (size.height // CELL, size.width // CELL):
        length = min(cells, max(cells // 3, least))
        first = (cells - length) // 2
        low, high = max(0, first - AROUND) // ALIGNED * ALIGNED, min(cells, first + length + AROUND)
        measured.append((first, length))
        corrected.append((low, high - low))
    tiles = [
        Tile(top, left, rows, columns) for (top, rows), (left, columns) in (measured, corrected)
    ]
    return Part(tiles[0], tiles[1], splits)


def gain(better: Level, without: Level) -> Gain:
    """By how many dB PSNR, SSIM and MS-SSIM are better: [3]."""
    return _decibels(better) - _decibels(without)


def corrected(found: Sequence[Level], gains: Mapping[int, Gain]) -> tuple[Level, ...]:
    """Levels measured without a network, and what it adds to some of them, ascending."""
    if not gains:
        return tuple(found)
    places = [found[n].bytes for n in gains]
    known = np.stack(list(gains.values()))
    made = []
    for level in found:
        more = [np.interp(level.bytes, places, column) for column in known.T]
        psnr, ssim, msssim = (_decibels(level) + more).tolist()
        scales = None if level.msssim is None else _likeness(msssim)
        made.append(replace(level, psnr=psnr, ssim=_likeness(ssim), msssim=scales))
    return tuple(made)


def _decibels(level: Level) -> Gain:
    """PSNR, SSIM and MS-SSIM (0 where there is none) in dB."""
    unlike = [1 - level.ssim, 1.0 if level.msssim is None else 1 - level.msssim]
    return np.array([level.psnr, *(-10 * np.log10(np.maximum(unlike, LEAST_UNLIKE)))])


def _likeness(decibels: float) -> float:
    return float(1 - 10 ** (-decibels / 10))
