"""What a cut leaves of coefficients that may still move, and how it changes with them.

    left        real coefficients of a band -> what is decoded of them, and its slope over a cell
    priced      what they cost, as Laplacians whose scale neighbours foretell, and its slope
    truncated   integers -> what a parse would have decided of them

``models.photo.kernels`` has the first two for training, held to these by a test.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.jit import compiled, inlined
from service.codec.photo.order import BORDER, OFFSET, ROWS, STRIDE, Grid, Ints
from service.codec.photo.transform import Small
from service.codec.photo.wavelet import Plane

LEAST_SCALE = 0.08
"""What was found against all odds costs about nine bits: the scan's tables are no surer."""


@inlined
def magnitude_left(size: float, found: int, refined: int, means: Plane) -> float:
    """What a cut leaves of one, both in steps; ``means`` [planes, 3]."""
    if size < np.float32(1 << found):
        return 0.0
    plane = refined if size >= np.float32(2 << found) else found
    unit = np.float32(1 << plane)
    cell = int(size / unit)
    age = 0 if cell < 2 else (1 if cell < 4 else 2)
    mean = float(means[min(plane, len(means) - 1), age])
    return (cell + mean) * float(unit)


@compiled
def left(
    values: Plane, step: float, found: int, refined: int, means: Plane, shown: Plane, slopes: Plane
) -> None:
    """Write what is left of a band's ``values`` into ``shown``, and its slope over a cell.

    The band is known down to the plane ``found`` for what was zero, ``refined`` for the rest.
    """
    scale = np.float32(1 / step)
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            value = values[y, x] * scale
            size = abs(value)
            here = magnitude_left(size, found, refined, means) * step
            shown[y, x] = here if value > 0 else -here
            near = size < np.float32(2 << found)
            half = np.float32(1 << (found if near else refined)) / 2
            above = magnitude_left(size + half, found, refined, means)
            below = size - half
            if below > 0:
                above -= magnitude_left(below, found, refined, means)
            else:
                above += magnitude_left(-below, found, refined, means)
            slopes[y, x] = above / (2 * half)


@compiled
def priced(
    values: Plane,
    step: float,
    shown: Plane,
    parent: Plane,
    parent_step: float,
    before: Plane,
    found: int,
    refined: int,
    weights: NDArray[np.float32],
    slopes: Plane,
) -> float:
    """Bits of a band, and into ``slopes`` what they grow by with each value.

    ``shown`` and ``parent``: what is left of it and of the band above; ``before`` of the channels
    before, in steps; ``weights`` [6]: constant, left, above, both diagonals, parent, before.
    """
    unit = np.float32(1) / np.float32(1 << found)
    own, higher = unit / np.float32(step), unit / np.float32(parent_step)
    high, wide = values.shape
    nats = 1 / math.log(2)
    total = 0.0
    for y in range(high):
        for x in range(wide):
            scale = LEAST_SCALE + weights[0]
            if x:
                scale += weights[1] * abs(shown[y, x - 1]) * own
            if y:
                beside = 0.0
                if x:
                    beside += abs(shown[y - 1, x - 1])
                if x + 1 < wide:
                    beside += abs(shown[y - 1, x + 1])
                scale += (weights[2] * abs(shown[y - 1, x]) + weights[3] * beside) * own
            row = min(y >> 1, parent.shape[0] - 1)
            column = min(x >> 1, parent.shape[1] - 1)
            scale += weights[4] * abs(parent[row, column]) * higher
            scale += weights[5] * before[y, x] * unit
            inverse = 1 / scale
            value = values[y, x] * own
            size = abs(value)
            tail, half = math.exp(-inverse), math.exp(-inverse / 2)
            if size < 0.5:
                slope = 0.0
            elif size < 1.5:
                slope = math.log(2 / (1 - tail)) + inverse / 2 + math.log(1 - half)
            else:
                slope = inverse
            slopes[y, x] = (slope if value > 0 else -slope) * own * nats
            cell = int(size)
            if cell:
                total += (math.log(2 / (1 - tail)) + (cell - 0.5) * inverse) * nats
                if cell > 1 and refined > found:
                    total -= 1
            else:
                total -= math.log(1 - half) * nats
    return total


def truncated(values: Ints, planes: NDArray[np.int16], grid: Grid) -> tuple[Ints, Small]:
    """``Parse.known`` and ``Parse.negative`` where ``planes`` [3, B, 2] are what is known."""
    known = np.zeros_like(values)
    for channel in range(len(planes)):
        for band, row in enumerate(grid.bands):
            first = channel * grid.coefficients + row[OFFSET]
            part = slice(first, first + row[STRIDE] * (row[ROWS] + 2 * BORDER))
            size = np.abs(values[part])
            found, refined = planes[channel, band].tolist()
            plane = np.where(size < 2 << found, found, refined)
            interval = (size >> plane << plane + 1) + (1 << plane)
            known[part] = np.where(size < 1 << found, 0, interval)
    return known, (values < 0).astype(np.int8)
