"""Loops of training that tensors would walk through forty times: cells of a state, bits and slopes.

Machine code on one thread, float32; a picture of 192x192 has 110,592 coefficients a cut.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.jit import compiled
from service.codec.photo.left import LEAST_SCALE, magnitude_left

Floats = NDArray[np.float32]
Bytes = NDArray[np.int8]
SCALES = 6
"""Weights of a band's scale: constant, left, above, both diagonals, parent, channels before."""
ORIENTS = 3
REACH = 5
"""Side of the depthwise kernels."""


@compiled
def magnitudes(values: Floats, planes: Bytes, means: Floats, shown: Floats, slopes: Floats) -> None:
    """What a state leaves of ``values``, in steps, signed, into ``shown``; all [N, R, h, w].

    ``planes`` int8 [N, R, h, w, 2]: down to which a coefficient was looked for, and refined.
    ``means`` [R, planes, 3]: where in a cell its mean lies, for magnitudes 1, 2 and 3, more.
    ``slopes``: by how much ``shown`` grows with a value, over a cell around it. So what is far from
    being found is told nothing: the slope of the identity would tell it to grow.
    """
    pictures, bands, high, wide = values.shape
    for n in range(pictures):
        for r in range(bands):
            for y in range(high):
                for x in range(wide):
                    value = values[n, r, y, x]
                    size = abs(value)
                    found, refined = planes[n, r, y, x, 0], planes[n, r, y, x, 1]
                    here = magnitude_left(size, found, refined, means[r])
                    shown[n, r, y, x] = here if value > 0 else -here
                    near = size < np.float32(2 << found)
                    half = np.float32(1 << (found if near else refined)) / 2
                    above = magnitude_left(size + half, found, refined, means[r])
                    below = size - half
                    if below > 0:
                        above -= magnitude_left(below, found, refined, means[r])
                    else:
                        above += magnitude_left(-below, found, refined, means[r])
                    slopes[n, r, y, x] = above / (2 * half)


@compiled
def bits(
    values: Floats,
    shown: Floats,
    parent: Floats,
    planes: Bytes,
    weights: Floats,
    of_values: Floats,
    of_weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Bits [N] of one level's details, and their slopes (``rate``).

    ``values``, ``shown`` [N, 9, h, w]; ``parent`` [N, 9, h / 2, w / 2], or nothing in each;
    ``weights`` [9, SCALES], positive. Written: ``of_values`` like ``values``, how bits grow over a
    cell around each, and ``of_weights`` [N, 9, SCALES], derivatives.
    """
    pictures, bands, high, wide = values.shape
    total = np.zeros(pictures)
    parts = np.zeros(SCALES)
    parts[0] = 1
    nats = 1 / math.log(2)
    for n in range(pictures):
        for r in range(bands):
            for y in range(high):
                for x in range(wide):
                    found = planes[n, r, y, x, 0]
                    unit = np.float32(1) / np.float32(1 << found)
                    parts[1] = abs(shown[n, r, y, x - 1]) * unit if x else 0.0
                    parts[2] = abs(shown[n, r, y - 1, x]) * unit if y else 0.0
                    beside = 0.0
                    if y and x:
                        beside += abs(shown[n, r, y - 1, x - 1])
                    if y and x + 1 < wide:
                        beside += abs(shown[n, r, y - 1, x + 1])
                    parts[3] = beside * unit
                    parts[4] = abs(parent[n, r, y >> 1, x >> 1]) * unit if parent.size else 0.0
                    before = 0.0
                    for other in range(r - ORIENTS, -1, -ORIENTS):
                        before += abs(shown[n, other, y, x])
                    parts[5] = before * unit
                    scale = LEAST_SCALE
                    for k in range(SCALES):
                        scale += weights[r, k] * parts[k]
                    inverse = 1 / scale

                    value = values[n, r, y, x]
                    size = abs(value) * unit
                    tail = math.exp(-inverse)
                    half = math.exp(-inverse / 2)
                    if size < 0.5:
                        slope = 0.0
                    elif size < 1.5:
                        slope = math.log(2 / (1 - tail)) + inverse / 2 + math.log(1 - half)
                    else:
                        slope = inverse
                    of_values[n, r, y, x] = (slope if value > 0 else -slope) * unit * nats

                    cell = int(size)
                    if cell:
                        cost = math.log(2 / (1 - tail)) + (cell - 0.5) * inverse
                        by_inverse = cell - 0.5 - tail / (1 - tail)
                    else:
                        cost = -math.log(1 - half)
                        by_inverse = -half / 2 / (1 - half)
                    total[n] += cost * nats
                    by_scale = -inverse * inverse * by_inverse * nats
                    for k in range(SCALES):
                        of_weights[n, r, k] += by_scale * parts[k]
                    if cell > 1 and planes[n, r, y, x, 1] > found:
                        total[n] -= 1
    return total


@compiled
def taps(x: Floats, gradient: Floats, of_weight: Floats) -> None:
    """What a depthwise kernel's taps are told: ``x``, ``gradient`` [N, C, h, w] -> [C, 1, 5, 5]."""
    pictures, channels, high, wide = x.shape
    half = REACH // 2
    sums = np.zeros((REACH, REACH, wide), np.float32)  # a column each: adds of a row side by side
    around = np.zeros((high + 2 * half, wide + 2 * half), np.float32)
    for c in range(channels):
        sums[:] = 0
        for n in range(pictures):
            for y in range(high):
                for i in range(wide):
                    around[half + y, half + i] = x[n, c, y, i]
            for row in range(REACH):
                for y in range(high):
                    for i in range(wide):
                        told = gradient[n, c, y, i]
                        for column in range(REACH):  # a number that is known: unrolled
                            sums[row, column, i] += told * around[y + row, i + column]
        for row in range(REACH):
            for column in range(REACH):
                of_weight[c, 0, row, column] = sums[row, column].sum()
