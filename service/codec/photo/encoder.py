"""A photo -> integers, with or without the analysis network, and how many passes are written."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.codec.photo import transform, wavelet
from service.codec.photo.cells import CHANNELS, LEVELS, Split, Units
from service.codec.photo.networks import CellNetwork
from service.codec.photo.order import ORIENTS, Grid, Ints
from service.codec.photo.threads import Threads
from service.codec.photo.transform import Steps, band_of
from service.codec.photo.wavelet import Plane
from service.codec.pixels import Pixels

GOOD_PSNR = 42.0
"""dB: a stream ends once its picture is so close, or at ``bits_a_pixel``."""


def quantised(picture: Pixels, grid: Grid, steps: Steps, threads: Threads) -> tuple[Ints, Ints]:
    """The integers of uint8 [H, W, 3], and the passes until it is good enough."""
    values = np.zeros(3 * grid.coefficients, np.int32)

    def one(channel: int) -> NDArray[np.float64]:
        return transform.analyse(picture, grid, steps, channel, values[grid.of(channel)])

    gains = np.stack(threads.each_channel(one))
    return values, grid.passes[: passes_needed(grid.passes, gains, picture.size)]


def quantised_cells(
    split: Split, grid: Grid, steps: Steps, threads: Threads, last_plane: int = 0
) -> tuple[Ints, Ints]:
    """As ``quantised``, of what was analysed; passes end before ``last_plane`` is passed."""
    values = np.zeros(3 * grid.coefficients, np.int32)

    def one(channel: int) -> NDArray[np.float64]:
        fine, low = split.fine[channel], split.low[channel].copy()
        return transform.quantise(fine, low, grid, steps, channel, values[grid.of(channel)])

    gains = np.stack(threads.each_channel(one))
    needed = passes_needed(grid.passes, gains, 3 * split.fine[0][0].size)
    finer = np.flatnonzero(grid.passes[:needed, 2] < last_plane)
    return values, grid.passes[: int(finer[0]) if len(finer) else needed]


def analysed(
    picture: Pixels, grid: Grid, steps: Steps, threads: Threads, network: CellNetwork
) -> Split:
    """What is coded in place of a picture's coefficients, the three finest levels apart."""

    def one(channel: int) -> tuple[Plane, list[Plane]]:
        plane, fine = transform.project(picture, steps, channel), []
        for _ in range(LEVELS):
            wavelet.forward(plane)
            fine.append(plane)
            plane = np.ascontiguousarray(plane[::2, ::2])
        return plane, fine

    low, fine = zip(*threads.each_channel(one), strict=True)
    split = Split(list(low), list(fine))
    network.run(split, steps_as_units(grid, steps), threads)
    return split


def steps_as_units(grid: Grid, steps: Steps) -> Units:
    """What the analysis network counts coefficients in."""
    fine = np.empty((CHANNELS, LEVELS, ORIENTS, 2), np.float32)
    for level in range(1, LEVELS + 1):
        first = band_of(grid, level)
        fine[:, level - 1] = steps.sizes[:, first : first + ORIENTS, None]
    return Units(steps.sizes[:, 0].copy(), fine)


def passes_needed(passes: Ints, gains: NDArray[np.float64], samples: int) -> int:
    """How many passes leave ``GOOD_PSNR``; ``gains`` [3, B, LAST_PLANES + 1, 2]."""
    channel, band, plane, kind = passes.T
    late = plane < transform.LAST_PLANES
    won = np.where(late, gains[channel, band, np.minimum(plane, transform.LAST_PLANES), kind], 0)
    largest = gains[channel, band, transform.LAST_PLANES, 1]
    won[~late & (largest >= 2.0 ** (plane + kind))] = np.inf  # what no picture does without
    left = gains[:, :, transform.LAST_PLANES, 0].sum() + won[::-1].cumsum()[::-1]
    target = 255**2 / 10 ** (GOOD_PSNR / 10) * samples
    needed = np.flatnonzero(left > target)  # before that pass, so much is left
    return int(needed[-1]) + 1 if len(needed) else 0
