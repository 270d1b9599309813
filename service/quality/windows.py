"""Means over Gaussian windows of planes, 11x11 of sigma 1.5, and the way back for slopes.

inside      whole windows only: [K, H, W] -> [K, H - 10, W - 10], as MS-SSIM has them
outside     its transpose: what each sample is told by the windows it lies in
mirrored    a window for each sample, the picture going on as in a mirror: [K, H, W] -> the same
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.jit import compiled
from service.quality.ms_ssim import TAPS, WINDOW

Planes = NDArray[np.float32]
HALF = WINDOW // 2


def inside(planes: Planes) -> Planes:
    """Means over whole windows."""
    k, height, width = planes.shape
    found = np.empty((k, height - 2 * HALF, width - 2 * HALF), np.float32)
    for plane, out in zip(planes, found, strict=True):
        _inside(plane, TAPS, out)
    return found


def outside(slopes: Planes) -> Planes:
    """Slopes along means, [K, H - 10, W - 10], as slopes along samples: [K, H, W]."""
    around = 2 * HALF
    return inside(np.pad(slopes, ((0, 0), (around, around), (around, around))))


def mirrored(planes: Planes) -> Planes:
    """Means over a window around each sample."""
    return inside(np.pad(planes, ((0, 0), (HALF, HALF), (HALF, HALF)), mode="symmetric"))


def halved(planes: Planes) -> Planes:
    """Means of 2x2, an odd last row or column left out: [K, H, W] -> [K, H / 2, W / 2]."""
    _, height, width = planes.shape
    even = planes[:, : height // 2 * 2, : width // 2 * 2]
    pairs = even[:, ::2] + even[:, 1::2]
    found: Planes = (pairs[:, :, ::2] + pairs[:, :, 1::2]) * np.float32(0.25)
    return found


def doubled(slopes: Planes, like: Planes) -> Planes:
    """The transpose of ``halved``: slopes along means as slopes along samples like ``like``."""
    found = np.zeros_like(like)
    high, wide = (2 * length for length in slopes.shape[1:])
    found[:, :high, :wide] = slopes.repeat(2, axis=1).repeat(2, axis=2) * np.float32(0.25)
    return found


@compiled
def _inside(
    plane: NDArray[np.float32], taps: NDArray[np.float32], out: NDArray[np.float32]
) -> None:
    width = plane.shape[1]
    down = np.empty(width, np.float32)
    for row in range(out.shape[0]):
        for c in range(width):
            total = np.float32(0)
            for k in range(WINDOW):  # a number that is known: unrolled, columns side by side
                total += taps[k] * plane[row + k, c]
            down[c] = total
        for c in range(out.shape[1]):
            total = np.float32(0)
            for k in range(WINDOW):
                total += taps[k] * down[c + k]
            out[row, c] = total
