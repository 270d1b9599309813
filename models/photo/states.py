"""What a decoder knows of each coefficient where a stream is cut.

    passes       of a size stand in one static order (``service.codec.photo.order``)
    cut          so many whole passes, and of the next so many blocks
    significance the plane down to which a coefficient is known to be zero, or was found
    refinement   the plane down to which one is known that was found above; the same or one higher

So a state is two planes a coefficient, whatever the picture is.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from service.codec.photo.order import (
    BLOCK,
    COLUMNS,
    DEEPEST,
    END,
    FIRST,
    LEVEL,
    OCTAVE,
    ORIENT,
    PLANES,
    ROWS,
    TOP,
    grid_of,
)
from service.codec.photo.tables import Stored
from service.codec.photo.transform import steps_of

Planes = NDArray[np.int8]
Floats = NDArray[np.float32]


class States:
    """A size and an order's weights: steps, passes, and what is known after so many of them."""

    def __init__(self, stored: Stored, order: int, side: int | tuple[int, int]) -> None:
        height, width = (side, side) if isinstance(side, int) else side
        self.grid = grid_of(height, width, stored.slopes[order], stored.usual)
        self.steps = steps_of(stored, order, self.grid)
        self.levels = int(self.grid.bands[0, LEVEL])
        bands = len(self.grid.bands)
        self.low_step = torch.from_numpy(self.steps.sizes)[:, 0, None, None]
        self.detail_steps = [
            torch.from_numpy(self._of_level(self.steps.sizes, n))[..., None, None]
            for n in self._finest_first
        ]
        self.means = [
            np.ascontiguousarray(part.reshape(-1, *part.shape[2:]))
            for part in (self._of_level(self.steps.means, n) for n in (*self._finest_first, 0))
        ]
        reached = np.empty((len(self.grid.passes) + 1, 3, bands, 2), np.int8)
        reached[0] = (TOP + self.grid.bands[:, LEVEL] + 1)[:, None]
        for n, (channel, band, plane, kind) in enumerate(self.grid.passes.tolist()):
            reached[n + 1] = reached[n]
            reached[n + 1, channel, band, kind] = plane
        self.reached = reached
        step = float(stored.step[0]) / 256
        self.exchange = step**2 * 2.0 ** (_slopes(self.grid.bands, self.grid.passes, stored, order))

    @property
    def _finest_first(self) -> range:
        return range(1, self.levels + 1)

    def _of_level(self, table: Floats, level: int) -> Floats:
        """Columns of a table [3, B, ..] that are details of a level, or the low-pass picture."""
        first, count = self._bands_of(level)
        return table[:, first : first + count]

    def _bands_of(self, level: int) -> tuple[int, int]:
        """The first band of a level, and how many it has; 0 is the low-pass picture."""
        return (1 + 3 * (self.levels - level), 3) if level else (0, 1)

    def planes(self, cuts: list[tuple[int, float]]) -> list[Planes]:
        """int8 [N, 3, 3, h, w, 2] of levels 1 .., last [N, 3, 1, h, w, 2] of the low-pass picture.

        A cut is so many whole passes, and the share of the next one's blocks.
        """
        bands = self.grid.bands
        made = []
        for level in (*self._finest_first, 0):
            first, count = self._bands_of(level)
            size = tuple(bands[first, [ROWS, COLUMNS]])
            maps = np.empty((len(cuts), 3, count, *size, 2), np.int8)
            for n, (whole, share) in enumerate(cuts):
                maps[n] = self.reached[whole, :, first : first + count, None, None]
                if whole == len(self.grid.passes):
                    continue
                channel, band, plane, kind = self.grid.passes[whole].tolist()
                if first <= band < first + count:
                    blocks = self.grid.blocks[bands[band, FIRST] : bands[band, END]]
                    part = maps[n, channel, band - first, ..., kind]
                    for top, left in blocks[: int(share * len(blocks))].tolist():
                        part[top : top + BLOCK, left : left + BLOCK] = plane
            made.append(maps)
        return made


def _slopes(
    bands: NDArray[np.int32], passes: NDArray[np.int32], stored: Stored, order: int
) -> NDArray[np.float64]:
    """log2 of the squared error that a bit of each pass saves, in steps; never rising."""
    channel, band, plane, kind = passes.T
    level, orient = bands[band, LEVEL], bands[band, ORIENT]
    deeper = np.where(orient == 0, level - DEEPEST, np.maximum(level - DEEPEST, 0))
    at = np.clip(plane - deeper, 0, PLANES - 1)
    row = np.where(orient == 0, DEEPEST - 1, np.minimum(level, DEEPEST) - 1)
    slope = stored.slopes[order][channel, orient, row, at, kind] / OCTAVE + 2 * (plane - at)
    return np.minimum.accumulate(slope.astype(np.float64))
