"""Cells: the coefficients of 8x8 pixels side by side, taken out of a split picture and put back.

    fine    levels 1, 2, 3 as ``wavelet.forward`` leaves them: details in their places, interleaved
    low     the low-pass picture of level 3: a sample is a cell
    cell    192 numbers: 3 of ``low``; of levels 3, 2, 1 in turn 9, 36, 144: channel, orientation,
            row and column within the cell

Each is counted in a unit of its own (``Units``). Where a side is no multiple of 8, the last cells
reach over the picture: what is not there is 0, and nothing of it is put back.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.jit import compiled
from service.codec.photo.order import BLOCK, ORIENTS
from service.codec.photo.transform import DETAILS
from service.codec.photo.wavelet import Plane

Floats = NDArray[np.float32]
LEVELS = 3
CELL = 8
"""Pixels a side."""
CHANNELS = 3
COEFFICIENTS = 192
_FIRST = {3: 3, 2: 12, 1: 48}


class Split(NamedTuple):
    """A picture of which the three finest levels are split off, by channel; finest first."""

    low: list[Plane]
    fine: list[list[Plane]]

    def copy(self) -> Split:
        """With planes of its own."""
        return Split(
            [plane.copy() for plane in self.low],
            [[level.copy() for level in fine] for fine in self.fine],
        )


class Units(NamedTuple):
    """What coefficients are counted in.

    ``low`` float32 [3]; ``fine`` float32 [3, LEVELS, ORIENTS, 2]: of what a pass has not visited
    yet, and of what it has. ``visited`` uint8 [h, w]: the blocks of the one band (``band``:
    channel, level - 1, orientation - 1) of which a pass is under way.
    """

    low: Floats
    fine: Floats
    band: tuple[int, int, int] = (-1, 0, 0)
    visited: NDArray[np.uint8] = np.zeros((1, 1), np.uint8)

    def within(self, part: Tile) -> Units:
        """Those of a part of the cells that begins at multiples of a block's side."""
        places = inside(self.band[1] + 1, part)
        assert places is not None
        top, left = (place.start // 2 // BLOCK for place in places)
        return self._replace(visited=np.ascontiguousarray(self.visited[top:, left:]))


class Tile(NamedTuple):
    """Cells that are worked on together."""

    top: int
    left: int
    rows: int
    columns: int

    @property
    def place(self) -> tuple[slice, slice]:
        """Where it lies among all cells."""
        return (
            slice(self.top, self.top + self.rows),
            slice(self.left, self.left + self.columns),
        )


def inside(level: int, part: Tile | None) -> tuple[slice, slice] | None:
    """Where the details of some cells lie in a level's plane."""
    if part is None:
        return None
    side = 2 << LEVELS - level
    rows, columns = (slice(place.start * side, place.stop * side) for place in part.place)
    return rows, columns


def tiles_of(whole: Tile, most: tuple[int, int]) -> list[Tile]:
    """``whole`` in tiles of at most ``most`` rows and columns, nearly alike in size."""
    found = []
    down, across = -(-whole.rows // most[0]), -(-whole.columns // most[1])
    for y in range(down):
        top, bottom = whole.rows * y // down, whole.rows * (y + 1) // down
        for x in range(across):
            left, right = whole.columns * x // across, whole.columns * (x + 1) // across
            place = whole.top + top, whole.left + left
            found.append(Tile(*place, bottom - top, right - left))
    return found


def take(split: Split, units: Units, tile: Tile) -> Floats:
    """The cells of a tile, float32 [192, rows, columns], in units."""
    cells = np.empty((COEFFICIENTS, tile.rows, tile.columns), np.float32)
    for channel, low in enumerate(split.low):
        cells[channel] = low[tile.place] / units.low[channel]
    _each_band(split, units, tile, cells, back=False)
    return cells


def put(split: Split, units: Units, tile: Tile, cells: Floats) -> None:
    """Cells of a tile back to their places, out of units."""
    for channel, low in enumerate(split.low):
        low[tile.place] = cells[channel] * units.low[channel]
    _each_band(split, units, tile, cells, back=True)


def _each_band(split: Split, units: Units, tile: Tile, cells: Floats, *, back: bool) -> None:
    nothing = units.visited[:0]
    for channel in range(CHANNELS):
        for level in range(1, LEVELS + 1):
            side = 1 << LEVELS - level
            plane = split.fine[channel][level - 1]
            for orient, (down, right) in enumerate(DETAILS):
                first = _FIRST[level] + (channel * ORIENTS + orient) * side * side
                _moved(
                    cells[first : first + side * side],
                    plane[down::2, right::2],
                    tile.top,
                    tile.left,
                    side,
                    units.fine[channel, level - 1, orient],
                    units.visited if units.band == (channel, level - 1, orient) else nothing,
                    back,
                )


@compiled
def _moved(
    cells: Floats,
    band: Plane,
    top: int,
    left: int,
    side: int,
    units: Floats,
    visited: NDArray[np.uint8],
    back: bool,
) -> None:
    """A band's share of cells [side * side, rows, columns], taken, or put back."""
    rows, columns = cells.shape[1], cells.shape[2]
    partial = visited.shape[0] > 0
    for i in range(side):
        for y in range(rows):
            row = (top + y) * side + i
            for j in range(side):
                n = i * side + j
                if row >= band.shape[0]:
                    if not back:
                        for x in range(columns):
                            cells[n, y, x] = np.float32(0)
                    continue
                unit = units[0]
                inverse = np.float32(1) / unit
                for x in range(columns):
                    column = (left + x) * side + j
                    if column >= band.shape[1]:
                        if not back:
                            cells[n, y, x] = np.float32(0)
                        continue
                    if partial:
                        unit = units[visited[row // BLOCK, column // BLOCK]]
                        inverse = np.float32(1) / unit
                    if back:
                        band[row, column] = cells[n, y, x] * unit
                    else:
                        cells[n, y, x] = band[row, column] * inverse
