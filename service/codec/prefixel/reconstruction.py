"""From what a parse found to a picture: means, the inverse transform, and how precise it all is.

Floats are used here, after the parse; nothing of it goes back into it. Zeros cost nothing: a
frequency is added where it is not zero, a row of frequencies where it holds any.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.jit import compiled
from service.codec.geometry import THUMB_SIDE
from service.codec.interface import Pixels
from service.codec.prefixel.context_model import PLANE_CLASSES, Known
from service.codec.prefixel.tables import Stored

MIDDLE = 128
BANDS = (2, 4, 7, 12, 20)
"""Rows + columns at which the bands of ``precision`` begin, after the first."""
PRECISIONS = 3 * (len(BANDS) + 1)
Floats = NDArray[np.float32]


class Dequantiser(NamedTuple):
    """The painting side of the tables.

    ``sizes``, ``groups`` int32 [3072]; ``centroids`` float32 [G, C, 3] in cells; ``steps``,
    ``means`` float32 [3072] in levels; ``basis`` float32 [32, 32], a row a frequency; ``colours``
    float32 [3, 3], an axis a row.
    """

    sizes: NDArray[np.int32]
    groups: NDArray[np.int32]
    centroids: Floats
    steps: Floats
    means: Floats
    basis: Floats
    colours: Floats


def dequantiser_of(stored: Stored) -> Dequantiser:
    """The integers of the file in their units."""
    return Dequantiser(
        sizes=stored.sizes.astype(np.int32),
        groups=stored.groups.astype(np.int32),
        centroids=np.asarray(stored.centroids / np.float32(256), np.float32),
        steps=np.asarray(stored.steps / np.float32(16), np.float32),
        means=np.asarray(stored.means / np.float32(16), np.float32),
        basis=DCT,
        colours=axes(stored),
    )


def axes(stored: Stored) -> Floats:
    """The three colours of the transform, in rows: float [3, 3], orthonormal."""
    return np.asarray(stored.colours / np.float32(2**14), np.float32)


def closed_form(dequantiser: Dequantiser, known: Known) -> Floats:
    """Each coefficient at its mean given ``known`` [N, 3072]: float RGB [N, 32, 32, 3], unclipped.

    FORMAT.md, "Painting" of the embedded codec.
    """
    out = np.empty((len(known.cells), THUMB_SIDE, THUMB_SIDE, 3), np.float32)
    _paint(dequantiser, known.cells, known.plane, out)
    return out


def from_cells(dequantiser: Dequantiser, cells: Floats) -> Floats:
    """Coefficients [N, 3072] in steps from their means: float RGB [N, 32, 32, 3], unclipped."""
    planes = (cells * dequantiser.steps + dequantiser.means).reshape(-1, 3, THUMB_SIDE, THUMB_SIDE)
    turned = (dequantiser.basis.T @ planes @ dequantiser.basis).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(turned @ dequantiser.colours + np.float32(MIDDLE))


def precision(known: Known) -> Floats:
    """How precisely each channel's bands are known: float [N, 18], 6 bands a channel.

    The mean of ``known.plane`` over the coefficients of the band (``bands``).
    """
    in_bands = known.plane[:, _BY_BAND]
    sums = np.add.reduceat(in_bands, _STARTS, axis=1, dtype=np.int32)
    return np.asarray(sums / _COUNTS, np.float32)


def bands() -> NDArray[np.int32]:
    """Which of the 18 numbers of ``precision`` a coefficient belongs to: int32 [3072]."""
    channel, row, column = np.indices((3, THUMB_SIDE, THUMB_SIDE)).reshape(3, -1)
    found = PRECISIONS // 3 * channel + np.digitize(row + column, BANDS)
    return np.asarray(found, np.int32)


def to_rgb(painted: Floats) -> Pixels:
    """float [N, H, W, 3] -> uint8."""
    return np.asarray(np.rint(painted).clip(0, 255), np.uint8)


def _dct() -> Floats:
    """Orthonormal DCT-II of 32 samples: a row a frequency."""
    k, x = np.indices((THUMB_SIDE, THUMB_SIDE))
    basis = np.cos(np.pi * (2 * x + 1) * k / (2 * THUMB_SIDE)) * np.sqrt(2 / THUMB_SIDE)
    basis[0] /= np.sqrt(2)
    return np.asarray(basis, np.float32)


DCT = _dct()
_BY_BAND = np.argsort(bands(), kind="stable")
_COUNTS = np.bincount(bands(), minlength=PRECISIONS).astype(np.float32)
_STARTS = np.concatenate([[0], np.cumsum(_COUNTS[:-1])]).astype(np.intp)


@compiled
def _paint(
    dequantiser: Dequantiser, cells: NDArray[np.int16], planes: NDArray[np.int8], out: Floats
) -> None:
    """Paint pictures one after the other."""
    sizes, groups, centroids = dequantiser.sizes, dequantiser.groups, dequantiser.centroids
    steps, means = dequantiser.steps, dequantiser.means
    basis, colours = dequantiser.basis, dequantiser.colours
    last = centroids.shape[1] - 1
    side = len(basis)
    line = np.empty(side, np.float32)
    channels = np.empty((3, side, side), np.float32)
    for n in range(len(cells)):
        channels[:] = 0
        for first in range(0, len(steps), side):
            line[:] = 0
            empty = True
            for column in range(side):
                at = first + column
                value = means[at]
                cell = np.float32(cells[n, at])
                if cell != 0:
                    plane = int(planes[n, at])
                    size = min(max(sizes[at] - PLANE_CLASSES * plane, 0), last)
                    inside = centroids[groups[at], size, min(int(abs(cell)), 3) - 1]
                    width = steps[at] * np.float32(1 << plane)
                    value += width * (cell + inside if cell > 0 else cell - inside)
                if value != 0:
                    empty = False
                    _add(line, value, basis[column])
            if not empty:
                row = first // side % side
                for y in range(side):
                    _add(channels[first // (side * side), y], basis[row, y], line)
        for y in range(side):
            for x in range(side):
                for b in range(3):
                    value = np.float32(MIDDLE)
                    for channel in range(3):
                        value += channels[channel, y, x] * colours[channel, b]
                    out[n, y, x, b] = value


@compiled
def _add(line: Floats, weight: float, other: Floats) -> None:
    for x in range(len(line)):
        line[x] += weight * other[x]
