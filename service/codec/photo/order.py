"""Where everything of a photo stands: bands, blocks, and the passes in the order of the stream.

    band         level 1 (finest) .. L, orientation: 0 low-pass (level L alone), 1 detail across,
                 2 down, 3 diagonal; the same for the three channels
    block        8x8 coefficients of a band; a pass visits 64x64 of them after another, dispersed
    pass         (channel, band, plane, kind), most squared error a bit first, in one static order
    group        which tables a pass uses: channel, orientation, plane against the band's usual size

All is a function of width, height, order and the codec's static tables. Integers alone.
"""

from __future__ import annotations

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
LONGEST = 16
"""But goes on while the long side is so many times the short one, or twice that of one sample."""
RANKS = 10
LOWEST_RANK = -4
"""Of a group: planes so far under the band's usual size share one."""
ORIENTS = 3
KIND_OF = (0, 1, 1, 2)
"""Horizontal and vertical detail share tables; one is read with rows and columns exchanged."""
GROUPS = 3 * ORIENTS * RANKS
DEEPEST = 6
"""The last level that tables know; a deeper one is as this with magnitudes doubled a level."""
PLANES = 16
"""Planes that tables know."""
TOP = 8
"""A band's first plane is ``TOP`` + its level: no sample of 8 bits reaches higher."""
OCTAVE = 64
"""Slopes are log2 of squared error a bit, in 64ths."""
SIGNIFICANCE, REFINEMENT = 0, 1

LEVEL, ORIENT, OFFSET, STRIDE, ROWS, COLUMNS, PARENT, FIRST, END, FLAGS_AT, FLAGS_STRIDE = range(11)
"""Columns of ``Grid.bands``."""


class Grid(NamedTuple):
    """A size's geometry.

    ``bands`` int32 [B, 11]: level, orientation, offset, stride, rows, columns, parent, first and
    end of its ``blocks``, offset and stride of its flags. ``blocks`` int32 [N, 2]: top, left.
    ``passes`` int32 [P, 4]: channel, band, plane, kind; ``groups`` int32 [P].
    ``coefficients``, ``flags``: places of one channel.
    """

    bands: Ints
    blocks: Ints
    passes: Ints
    groups: Ints
    coefficients: int
    flags: int

    def of(self, channel: int) -> slice:
        """Where a channel's coefficients lie."""
        return slice(channel * self.coefficients, (channel + 1) * self.coefficients)


def levels_of(height: int, width: int) -> int:
    """How many times a picture is split: until its short side has fewer than 8 samples.

    Very long ones are split on; a side of one sample is left as it is.
    """
    short, long, levels = min(height, width), max(height, width), 0
    while short >= SHORTEST or long >= LONGEST * max(short, 2):
        short, long = (short + 1) // 2, (long + 1) // 2
        levels += 1
    return levels


def sizes_of(height: int, width: int, levels: int) -> list[tuple[int, int]]:
    """Height and width of the low-pass picture after 0 .. ``levels`` splits."""
    sizes = [(height, width)]
    for _ in range(levels):
        height, width = (height + 1) // 2, (width + 1) // 2
        sizes.append((height, width))
    return sizes


def grid_of(height: int, width: int, slopes: NDArray[np.int16], usual: NDArray[np.int8]) -> Grid:
    """The geometry of a size, with the passes that ``slopes`` order and ``usual`` group.

    ``slopes`` int16 [3, 4, DEEPEST, PLANES, 2]: by channel, orientation, level - 1, plane, kind.
    ``usual`` int8 [3, 3, DEEPEST]: log2 of a band's mean magnitude, in steps.
    """
    levels = levels_of(height, width)
    sizes = sizes_of(height, width, levels)
    rows: list[tuple[int, ...]] = []
    blocks: list[Ints] = []
    offset, flags, first = 0, 0, 0

    def add(level: int, orient: int, height: int, width: int, parent: int) -> None:
        nonlocal offset, flags, first
        down, across = -(-height // BLOCK), -(-width // BLOCK)
        visits = _visits(down, across) * BLOCK
        blocks.append(visits)
        stride, end, at = width + 2 * BORDER, first + len(visits), flags + 1
        rows.append(
            (level, orient, offset, stride, height, width, parent, first, end, at, across + 2)
        )
        offset += stride * (height + 2 * BORDER)
        flags += 1 + (down + 2) * (across + 2)  # the first: whether anything of it was found
        first = end

    add(levels, 0, *sizes[levels], -1)
    for level in range(levels, 0, -1):
        (height, width), (low_height, low_width) = sizes[level - 1], sizes[level]
        above = len(rows) - 3
        high_height, high_width = height - low_height, width - low_width
        for orient, size in (
            (1, (low_height, high_width)),
            (2, (high_height, low_width)),
            (3, (high_height, high_width)),
        ):
            add(level, orient, *size, 0 if level == levels else above + orient - 1)
    bands = np.array(rows, np.int32)
    passes = _passes(bands, slopes)
    return Grid(bands, np.concatenate(blocks), passes, _groups(bands, passes, usual), offset, flags)


def _visits(down: int, across: int) -> Ints:
    """Blocks of a band in their order, int32 [N, 2]: superblocks dispersed, rows within one."""
    y, x = (part.ravel() for part in np.indices((down, across), np.int32))
    high_y, high_x = y // SUPERBLOCK, x // SUPERBLOCK
    code = np.zeros(y.shape, np.int64)
    for bit in range(16):  # neighbours differ in their lowest bit: it decides most
        odd = high_y >> bit & 1
        differs = odd ^ high_x >> bit & 1 ^ (bit == 0)
        code = code << 2 | differs << 1 | odd
    return np.stack((y, x), 1)[np.lexsort((x, y, code))].astype(np.int32)


def _passes(bands: Ints, slopes: NDArray[np.int16]) -> Ints:
    """All passes, most useful first; a band's own from its first plane down."""
    keyed: list[tuple[int, int, tuple[int, int, int, int]]] = []
    for band, (level, orient) in enumerate(bands[:, : ORIENT + 1].tolist()):
        deeper = level - DEEPEST if orient == 0 else max(0, level - DEEPEST)
        for channel in range(3):
            known = slopes[channel, orient, min(level, DEEPEST) - 1 if orient else DEEPEST - 1]
            last = 1 << 20
            for plane in range(TOP + level, -1, -1):
                at = min(max(plane - deeper, 0), PLANES - 1)
                beyond = 2 * OCTAVE * (plane - at)
                for kind in (SIGNIFICANCE, REFINEMENT):
                    last = min(last - 1, int(known[at, kind]) + beyond)
                    keyed.append((-last, len(keyed), (channel, band, plane, kind)))
    keyed.sort()
    return np.array([one for _, _, one in keyed], np.int32)


def _groups(bands: Ints, passes: Ints, usual: NDArray[np.int8]) -> Ints:
    channel, band, plane, _ = passes.T
    level, orient = bands[band, LEVEL], np.array(KIND_OF, np.int32)[bands[band, ORIENT]]
    known = np.clip(level, 1, DEEPEST) - 1
    size = usual[channel, orient, known].astype(np.int32) + np.maximum(level - DEEPEST, 0)
    rank = np.clip(plane - size - LOWEST_RANK, 0, RANKS - 1)
    groups: Ints = ((channel * ORIENTS + orient) * RANKS + rank).astype(np.int32)
    return groups
