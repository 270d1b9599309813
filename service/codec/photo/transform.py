"""From pixels to integers and back: colour axes, wavelet, steps. Floats: they paint, nothing more.

    analyse      uint8 RGB -> three colour planes -> bands -> magnitudes in steps, rounded down
    synthesise   what is known of each magnitude -> its mean -> bands -> planes -> uint8 RGB

A band lies in ``values`` and ``known`` with a border of zeros (``order.Grid``). Channels are worked
on one after the other, or side by side: a channel's plane is the only picture in floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.jit import compiled
from service.codec.geometry import Size
from service.codec.photo import wavelet
from service.codec.photo.order import (
    BORDER,
    COLUMNS,
    DEEPEST,
    KIND_OF,
    LEVEL,
    LOWEST_RANK,
    OFFSET,
    ORIENT,
    ORIENTS,
    RANKS,
    ROWS,
    STRIDE,
    TOP,
    Grid,
    Ints,
    sizes_of,
)
from service.codec.photo.tables import Stored
from service.codec.photo.wavelet import Plane
from service.codec.pixels import Pixels

Small = NDArray[np.int8]
MIDDLE = np.float32(128)
LAST_PLANES = 6
"""Planes over which an encoder knows what each pass takes from the squared error."""
DETAILS = ((0, 1), (1, 0), (1, 1))
"""Where the bands of a level lie among its samples: first row and column of every second one."""


class Steps(NamedTuple):
    """What paints, for one size and order.

    ``sizes`` float32 [3, B]: the step of each band. ``means`` float32 [3, B, planes, 3]: where in a
    cell its mean lies, by plane and for magnitudes 1, 2 and 3, more. ``axes`` float32 [3, 3].
    ``networks``: whether they stand between the coefficients and what is coded of them.
    """

    sizes: NDArray[np.float32]
    means: NDArray[np.float32]
    axes: NDArray[np.float32]
    networks: bool = False


def band_of(grid: Grid, level: int) -> int:
    """The first of a level's three bands."""
    return 1 + 3 * (int(grid.bands[0, LEVEL]) - level)


def steps_of(stored: Stored, order: int, grid: Grid, networks: bool = False) -> Steps:
    """The painting tables of an order for a grid."""
    level, orient = grid.bands[:, LEVEL], grid.bands[:, ORIENT]
    column = np.where(orient == 0, 0, np.minimum(level, DEEPEST))
    step = float(stored.step[0]) / 256
    sizes = stored.scales[order][:, column].astype(np.float32) / 256 * step
    planes = np.arange(TOP + int(level[0]) + 1)
    kinds = np.array(KIND_OF)[orient]
    deeper = np.maximum(level - DEEPEST, 0)
    usual = stored.usual[:, kinds, np.clip(level, 1, DEEPEST) - 1] + deeper
    rank = np.clip(planes - usual[..., None] - LOWEST_RANK, 0, RANKS - 1)
    group = (np.arange(3)[:, None, None] * ORIENTS + kinds[:, None]) * RANKS + rank
    means = stored.centroids[order][group].astype(np.float32) / np.float32(256)
    axes = stored.colours.astype(np.float32) / np.float32(2**14)
    return Steps(sizes, means, axes, networks)


def analyse(
    picture: Pixels, grid: Grid, steps: Steps, channel: int, values: Ints, finer: int = 1
) -> NDArray[np.float64]:
    """Write a channel's integers into ``values`` [coefficients]; what its passes are worth.

    ``picture`` uint8 [H, W, 3]. Returned float64 [B, LAST_PLANES + 1, 2]: by how much the squared
    error of pixels falls at each plane, significance and refinement; last, what remains, and the
    largest magnitude. A step that is so many times ``finer`` makes larger integers.
    """
    return quantise((), project(picture, steps, channel), grid, steps, channel, values, finer)


def project(picture: Pixels, steps: Steps, channel: int) -> Plane:
    """A colour axis of uint8 [H, W, 3]: float32 [H, W], its middle 0."""
    plane = np.empty(picture.shape[:2], np.float32)
    _project(picture, steps.axes[channel], plane)
    return plane


def quantise(
    split: Sequence[Plane],
    plane: Plane,
    grid: Grid,
    steps: Steps,
    channel: int,
    values: Ints,
    finer: int = 1,
) -> NDArray[np.float64]:
    """As ``analyse``, of a plane of which ``split`` are the finest levels, each interleaved."""
    gains = np.zeros((len(grid.bands), LAST_PLANES + 1, 2))
    bands = grid.bands.tolist()

    def one(part: Plane, band: int) -> None:
        _quantise(
            part,
            float(steps.sizes[channel, band]),
            steps.means[channel, band],
            values,
            bands[band][OFFSET],
            bands[band][STRIDE],
            finer * ((2 << TOP + bands[band][LEVEL]) - 1),
            gains[band],
        )

    for level in range(1, bands[0][LEVEL] + 1):
        if level <= len(split):
            details = split[level - 1]
        else:
            wavelet.forward(plane)
            details, plane = plane, np.ascontiguousarray(plane[::2, ::2])
        first = band_of(grid, level)
        for band, (down, right) in enumerate(DETAILS, first):
            one(details[down::2, right::2], band)
    one(plane, 0)
    return gains


def synthesise(
    known: Ints, negative: Small, grid: Grid, steps: Steps, channel: int, shape: tuple[int, int]
) -> Plane:
    """A channel's plane from ``known`` and ``negative`` [coefficients]: float32, its own middle 0.

    ``shape`` is the height and width of the photo, or of it after some splits: then the plane is
    that low-pass picture, in the units of pixels.
    """
    bands = grid.bands.tolist()
    plane = np.empty((bands[0][ROWS], bands[0][COLUMNS]), np.float32)
    _fill(plane, known, negative, steps, channel, 0, bands[0])
    level = bands[0][LEVEL]
    while plane.shape != shape:
        assert level >= 1
        larger = details(known, negative, grid, steps, channel, level)
        plane, level = joined(plane, larger), level - 1
    return plane


def details(
    known: Ints,
    negative: Small,
    grid: Grid,
    steps: Steps,
    channel: int,
    level: int,
    inside: tuple[slice, slice] | None = None,
) -> Plane:
    """A level's details in their places, interleaved: the low-pass ones are not written yet.

    All of them, or those ``inside``, which begins at even places and reaches over no edge.
    """
    bands = grid.bands.tolist()
    first = band_of(grid, level)
    across, down_ = bands[first], bands[first + 1]
    shape = across[ROWS] + down_[ROWS], across[COLUMNS] + down_[COLUMNS]
    top, left = 0, 0
    if inside is not None:
        shape = inside[0].stop - inside[0].start, inside[1].stop - inside[1].start
        top, left = inside[0].start // 2, inside[1].start // 2
    plane = np.empty(shape, np.float32)
    for band, (down, right) in enumerate(DETAILS, first):
        part, row = plane[down::2, right::2], list(bands[band])
        row[OFFSET] += top * row[STRIDE] + left
        _fill(part, known, negative, steps, channel, band, row)
    return plane


def joined(low: Plane, level: Plane) -> Plane:
    """One level undone, in the place of its details."""
    level[::2, ::2] = low
    wavelet.inverse(level)
    return level


def low_pass(picture: Pixels, steps: Steps, splits: int) -> Pixels:
    """A picture after so many splits: what a whole stream would paint there."""
    planes = []
    for channel in range(3):
        plane = project(picture, steps, channel)
        for _ in range(splits):
            wavelet.forward(plane)
            plane = np.ascontiguousarray(plane[::2, ::2])
        planes.append(plane)
    return to_rgb(planes, steps, gain_of(Size.of(picture), splits))


def gain_of(size: Size, splits: int) -> float:
    """What a still picture's samples are multiplied by: sqrt 2 for each side that was halved."""
    halvings = 0
    for height, width in sizes_of(size.height, size.width, splits)[:-1]:
        halvings += (height > 1) + (width > 1)
    return float(2 ** (halvings / 2))


def to_rgb(planes: list[Plane], steps: Steps, gain: float = 1.0) -> Pixels:
    """Three planes of one shape, larger by ``gain`` than pixels -> uint8 [H, W, 3]."""
    picture = np.empty((*planes[0].shape, 3), np.uint8)
    axes = steps.axes / np.float32(gain)
    _mix(planes[0], planes[1], planes[2], axes, picture)
    return picture


def _fill(
    out: Plane,
    known: Ints,
    negative: Small,
    steps: Steps,
    channel: int,
    band: int,
    row: list[int],
) -> None:
    _dequantise(
        out,
        known,
        negative,
        row[OFFSET],
        row[STRIDE],
        float(steps.sizes[channel, band]),
        steps.means[channel, band],
    )


@compiled
def _project(picture: Pixels, axis: NDArray[np.float32], plane: Plane) -> None:
    """A colour axis of every pixel, 128 being its middle."""
    red, green, blue = axis[0], axis[1], axis[2]
    middle = MIDDLE * (red + green + blue)
    for y in range(plane.shape[0]):
        for x in range(plane.shape[1]):
            plane[y, x] = (
                red * np.float32(picture[y, x, 0])
                + green * np.float32(picture[y, x, 1])
                + blue * np.float32(picture[y, x, 2])
                - middle
            )


@compiled
def _mix(
    first: Plane, second: Plane, third: Plane, axes: NDArray[np.float32], picture: Pixels
) -> None:
    """Pixels of three colour axes, rounded and clipped."""
    half = np.float32(128.5)
    top = np.float32(255)
    for y in range(picture.shape[0]):
        for x in range(picture.shape[1]):
            for c in range(3):
                value = (
                    axes[0, c] * first[y, x]
                    + axes[1, c] * second[y, x]
                    + axes[2, c] * third[y, x]
                    + half
                )
                picture[y, x, c] = np.uint8(min(max(value, np.float32(0)), top))


@compiled
def _quantise(
    band: Plane,
    step: float,
    means: Plane,
    values: Ints,
    offset: int,
    stride: int,
    largest: int,
    gains: NDArray[np.float64],
) -> None:
    """Magnitudes in steps, rounded down, signed; and what the last planes take from the error."""
    scale = np.float32(1 / step)
    square = step * step
    for y in range(band.shape[0]):
        at = offset + (y + BORDER) * stride + BORDER
        for x in range(band.shape[1]):
            value = band[y, x] * scale
            size = abs(value)
            whole = min(int(size), largest)
            values[at + x] = whole if value >= 0 else -whole
            gains[LAST_PLANES, 1] = max(gains[LAST_PLANES, 1], whole)
            if whole == 0:
                gains[LAST_PLANES, 0] += size * size * square
                continue
            before = 0.0
            for plane in range(LAST_PLANES, -1, -1):
                cell = whole >> plane
                if cell == 0:
                    continue
                age = 0 if cell == 1 else (1 if cell < 4 else 2)
                high = min(plane, means.shape[0] - 1)
                error = size - (cell + means[high, age]) * (1 << plane)
                error *= error
                if plane < LAST_PLANES:
                    if cell == 1:
                        gains[plane, 0] += (size * size - error) * square
                    else:
                        gains[plane, 1] += (before - error) * square
                before = error
            gains[LAST_PLANES, 0] += before * square


@compiled
def _dequantise(
    out: Plane,
    known: Ints,
    negative: Small,
    offset: int,
    stride: int,
    step: float,
    means: Plane,
) -> None:
    """Each coefficient at the mean of what is known of it."""
    size = np.float32(step)
    for y in range(out.shape[0]):
        at = offset + (y + BORDER) * stride + BORDER
        for x in range(out.shape[1]):
            middle = known[at + x]
            if middle == 0:
                out[y, x] = np.float32(0)
                continue
            unit = middle & -middle
            plane = 0
            while unit >> plane > 1:
                plane += 1
            cell = middle >> (plane + 1)
            age = 0 if cell == 1 else (1 if cell < 4 else 2)
            value = (np.float32(cell) + means[plane, age]) * np.float32(unit) * size
            out[y, x] = -value if negative[at + x] else value
