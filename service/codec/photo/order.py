"""Where everything of a photo stands: bands, blocks, and the passes in the order of the stream.

    band         level 1 (finest) .. L, orientation: 0 low-pass (level L alone), 1 horizontal detail,
                 2 vertical, 3 diagonal; the same for the three channels
    block        8x8 coefficients of a band; a pass visits 64x64 of them after another, dispersed
    group        which tables a pass uses: channel, orientation, plane against the band's usual size

All is a function of width and height and of the codec's static tables.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
BLOCK = 8
BORDER = 2
"""Zeros around each band, so that every neighbour has a place."""
SUPERBLOCK = 8
"""Blocks a side that a pass visits one after the other."""
SHORTEST = 8
"""Splitting ends when the short side has fewer samples."""
RANKS = 10
ORIENTS = 3
GROUPS = 3 * ORIENTS * RANKS
LOW_RANK = -4


class Grid(NamedTuple):
    """A size's geometry.

    ``bands`` int32 [B, 11]: level, orientation, offset, stride, height, width, parent, first and
    end of its ``blocks``, offset and stride of its flags. ``blocks`` int32 [N, 2]: top, left.
    ``passes`` int32 [P, 4]: channel, band, plane, kind; ``groups`` int32 [P].
    ``coefficients``, ``actives``: places of one channel.
    """

    bands: Ints
    blocks: Ints
    passes: Ints
    groups: Ints
    coefficients: int
    actives: int


def levels_of(height: int, width: int) -> int:
    """How many times a picture is split: until its short side has fewer than 8 samples."""
    short, levels = min(height, width), 0
    while short >= SHORTEST:
        short = (short + 1) // 2
        levels += 1
    return levels


def sizes_of(height: int, width: int, levels: int) -> list[tuple[int, int]]:
    """Height and width of the low-pass picture after 0 .. ``levels`` splits."""
    sizes = [(height, width)]
    for _ in range(levels):
        height, width = (height + 1) // 2, (width + 1) // 2
        sizes.append((height, width))
    return sizes


def _visits(rows: int, columns: int) -> list[tuple[int, int]]:
    """Blocks of a band in their order: superblocks dispersed, row by row within one."""
    bits = max(-(-rows // SUPERBLOCK), -(-columns // SUPERBLOCK), 1).bit_length()

    def key(y: int, x: int) -> int:
        code = 0
        for bit in range(bits):  # lowest bits first: neighbours come last
            code = code << 2 | ((y >> bit & 1) ^ (x >> bit & 1)) << 1 | (y >> bit & 1)
        return code

    supers = [
        (y, x) for y in range(-(-rows // SUPERBLOCK)) for x in range(-(-columns // SUPERBLOCK))
    ]
    supers.sort(key=lambda at: key(*at))
    return [
        (y, x)
        for sy, sx in supers
        for y in range(sy * SUPERBLOCK, min((sy + 1) * SUPERBLOCK, rows))
        for x in range(sx * SUPERBLOCK, min((sx + 1) * SUPERBLOCK, columns))
    ]


def bands_of(height: int, width: int) -> tuple[Ints, Ints, int, int]:
    """Bands, blocks, places of a channel's coefficients, places of its flags."""
    levels = levels_of(height, width)
    sizes = sizes_of(height, width, levels)
    bands: list[list[int]] = []
    blocks: list[tuple[int, int]] = []
    offset, flags = 0, 0

    def add(level: int, orient: int, rows: int, columns: int, parent: int) -> None:
        nonlocal offset, flags
        first = len(blocks)
        down, across = -(-rows // BLOCK), -(-columns // BLOCK)
        blocks.extend((y * BLOCK, x * BLOCK) for y, x in _visits(down, across))
        stride = columns + 2 * BORDER
        flags += 1
        bands.append(
            [level, orient, offset, stride, rows, columns, parent, first, len(blocks)]
            + [flags, across + 2]
        )
        offset += stride * (rows + 2 * BORDER)
        flags += (down + 2) * (across + 2)

    add(levels, 0, *sizes[levels], -1)
    for level in range(levels, 0, -1):
        (rows, columns), (low_rows, low_columns) = sizes[level - 1], sizes[level]
        before = len(bands) - 3
        for orient, size in enumerate(
            (
                (low_rows, columns - low_columns),
                (rows - low_rows, low_columns),
                (rows - low_rows, columns - low_columns),
            ),
            1,
        ):
            add(level, orient, *size, 0 if level == levels else before + orient - 1)
    return (
        np.array(bands, np.int32),
        np.array(blocks, np.int32).reshape(-1, 2),
        offset,
        flags,
    )
