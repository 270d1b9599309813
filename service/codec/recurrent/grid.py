"""Where the bits of a picture of any size lie, in which order they are sent, what size fits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from service.codec.geometry import Size
from service.codec.pixels import Pixels

TILE = 16
"""A position of the bits stands for 16x16 pixels."""
GRIDS = 8
"""Orders that are kept: one of 1,800 positions takes 15 kB."""


@dataclass(frozen=True, slots=True)
class BitGrid:
    """Rows and columns of positions, over a picture that its last row and column fill up."""

    rows: int
    columns: int

    @classmethod
    def over(cls, size: Size, block: int) -> BitGrid:
        """Of whole blocks of ``block`` pixels a side, a multiple of ``TILE``."""
        of_block = block // TILE
        return cls(-(-size.height // block) * of_block, -(-size.width // block) * of_block)

    @property
    def positions(self) -> int:
        """How many."""
        return self.rows * self.columns

    @property
    def pixels(self) -> int:
        """What the networks compute."""
        return self.positions * TILE * TILE

    def filled(self, picture: Pixels) -> Pixels:
        """A picture with its last row and column repeated."""
        height, width = picture.shape[:2]
        more = (0, TILE * self.rows - height), (0, TILE * self.columns - width), (0, 0)
        return np.pad(picture, more, mode="edge")


@lru_cache(GRIDS)
def order_of(grid: BitGrid) -> NDArray[np.int64]:
    """Which position is told k-th, of one channel: as in an ordered dither, over all the picture.

    That of the least square of a power of two, without what lies beside the picture: FORMAT.md,
    "Recurrent streams of any size".
    """
    levels = max(grid.rows - 1, grid.columns - 1, 0).bit_length()
    k = np.arange(1 << 2 * levels)
    x = y = np.zeros_like(k)
    for level in range(levels):  # the lowest two bits of k are the coarsest split
        pair = k >> 2 * level & 3
        x = x | (pair & 1) << (levels - 1 - level)
        y = y | ((pair ^ pair >> 1) & 1) << (levels - 1 - level)
    inside = (x < grid.columns) & (y < grid.rows)
    return (y * grid.columns + x)[inside]


def shrunk_size(size: Size, block: int, pixel_limit: int) -> Size:
    """The largest of this shape whose whole blocks have no more pixels than that."""
    low, high = 1, max(size.width, size.height)
    while low < high:
        side = (low + high + 1) // 2
        if BitGrid.over(size.within(side), block).pixels <= pixel_limit:
            low = side
        else:
            high = side - 1
    return size.within(low)
