"""How precisely each coefficient of a photo is known where its stream is cut.

    place          so many passes are told whole, and of the next one so many blocks
    significance   the plane down to which a coefficient is known to be zero, or was found
    refinement     the plane down to which one is known that was found above

A block in which the parse stopped counts as not visited. So all this is a function of the place
and of the grid, whatever the picture is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.codec.photo.cells import CHANNELS, LEVELS, Floats, Units
from service.codec.photo.order import (
    BLOCK,
    COLUMNS,
    END,
    FIRST,
    LEVEL,
    ORIENTS,
    ROWS,
    SIGNIFICANCE,
    TOP,
    Grid,
)
from service.codec.photo.transform import Steps, band_of

TOLD = CHANNELS * (ORIENTS * LEVELS + 1)
"""Numbers that say how precisely a whole picture is known: each band of a cell, the level below."""


class Place(NamedTuple):
    """Where a parse stands: passes that are done, and the next one's block in ``Grid.blocks``."""

    passes: int
    block: int


class Precision(NamedTuple):
    """What a place knows.

    ``planes`` int16 [3, B, 2]: by channel, band and kind, before the pass that is under way.
    ``under_way``: that one's channel, band, plane and kind; None at the end. ``visited`` uint8
    [h, w]: its blocks that are done. ``share``: the part of its coefficients that lies in them.
    """

    planes: NDArray[np.int16]
    under_way: tuple[int, int, int, int] | None
    visited: NDArray[np.uint8]
    share: float


def precision_of(grid: Grid, place: Place) -> Precision:
    """What is known at a place."""
    planes = np.empty((CHANNELS, len(grid.bands), 2), np.int16)
    planes[:] = (TOP + grid.bands[:, LEVEL] + 1)[:, None]
    channels, bands, down_to, kinds = grid.passes[: place.passes].T
    planes[channels, bands, kinds] = down_to  # the last one of a band is its lowest
    if place.passes == len(grid.passes):
        return Precision(planes, None, np.zeros((1, 1), np.uint8), 0.0)
    channel, band, plane, kind = grid.passes[place.passes].tolist()
    row = grid.bands[band]
    visited = np.zeros((-(-row[ROWS] // BLOCK), -(-row[COLUMNS] // BLOCK)), np.uint8)
    top, left = grid.blocks[row[FIRST] : max(place.block, row[FIRST])].T
    assert place.block <= row[END]
    visited[top // BLOCK, left // BLOCK] = 1
    high = np.minimum(row[ROWS] - top, BLOCK)
    wide = np.minimum(row[COLUMNS] - left, BLOCK)
    share = float((high * wide).sum() / max(1, row[ROWS] * row[COLUMNS]))
    return Precision(planes, (channel, band, plane, kind), visited, share)


def begins(known: Precision, grid: Grid, first_plane: int) -> bool:
    """Whether the first channel's level 3 is known down to a plane: then the synthesis is used."""
    first = band_of(grid, LEVELS)
    deepest = known.planes[0, first : first + ORIENTS, SIGNIFICANCE].max()
    return bool(deepest <= first_plane)


def units_of(known: Precision, grid: Grid, steps: Steps) -> Units:
    """What a cell's coefficients are counted in: the interval in which each was looked for."""
    found = np.exp2(known.planes[:, :, SIGNIFICANCE].astype(np.float32))
    fine = np.empty((CHANNELS, LEVELS, ORIENTS, 2), np.float32)
    for level in range(1, LEVELS + 1):
        bands = slice(band_of(grid, level), band_of(grid, level) + ORIENTS)
        fine[:, level - 1] = (found * steps.sizes)[:, bands, None]
    below = slice(band_of(grid, LEVELS + 1), band_of(grid, LEVELS + 1) + ORIENTS)
    at_deep = found[:, below].astype(np.float64)
    band, visited = (-1, 0, 0), known.visited
    if known.under_way is not None and known.under_way[3] == SIGNIFICANCE:
        channel, number, plane, _ = known.under_way
        level, orient = (
            int(grid.bands[number, LEVEL]),
            number - band_of(grid, int(grid.bands[number, LEVEL])),
        )
        unit = float(2**plane)
        if number and level <= LEVELS:
            band = (channel, level - 1, orient)
            fine[channel, level - 1, orient, 1] = unit * steps.sizes[channel, number]
        elif number and level == LEVELS + 1:
            at_deep[channel, orient] += known.share * (unit - at_deep[channel, orient])
    low = at_deep.mean(1).astype(np.float32) * steps.sizes[:, 0]
    return Units(low, fine, band, visited)


def told_of(known: Precision, grid: Grid) -> Floats:
    """The mean plane of each band of a cell and of the level below, float32 [1, TOLD].

    Both kinds count half; about in -1 .. 2.
    """
    planes = known.planes.astype(np.float64)
    if known.under_way is not None:
        channel, band, plane, kind = known.under_way
        planes[channel, band, kind] += known.share * (plane - planes[channel, band, kind])
    mean = planes.mean(2)
    parts = []
    for level in range(1, LEVELS + 2):
        first = band_of(grid, level)
        parts.append(mean[:, first : first + ORIENTS])
    told = [part.ravel() for part in parts[:LEVELS]] + [parts[LEVELS].mean(1)]
    return ((np.concatenate(told) - 3) / 4).astype(np.float32)[None]
