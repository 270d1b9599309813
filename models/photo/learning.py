"""Counts the tables of `photo` over tiles: sizes, probabilities, mixing, order, means of cells.

    colours, usual    of the tiles at weight 1
    models            two rounds plane by plane, then one in the default order, as streams have it
    slopes            squared error a bit of each pass, for each order's weights
    centroids         mean place of a magnitude in its cell, for each order's weights

Everything is counted or averaged; nothing is optimised. No picture that reports are made of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.photo.probabilities import with_counts
from service.codec.photo import bitplane_coder, transform
from service.codec.photo.bitplane_coder import (
    CONTEXTS,
    FINE,
    FLAGS,
    LEARN,
    MODELS,
    SETS,
    SIGN_INPUTS,
    SIGNS,
    STRETCH_LIMIT,
    WIDE_CONTEXTS,
    WIDE_SIGN_SIZES,
    WIDE_SIGNS,
    WIDE_SIZES,
)
from service.codec.photo.cells import Split
from service.codec.photo.order import (
    DEEPEST,
    GROUPS,
    KIND_OF,
    LEVEL,
    OCTAVE,
    OFFSET,
    ORIENT,
    ORIENTS,
    PLANES,
    ROWS,
    STRIDE,
    TOP,
    Grid,
    grid_of,
)
from service.codec.photo.prices import scan_prices
from service.codec.photo.tables import (
    ORDERS,
    UNKNOWN,
    WIDE_ROW,
    Stored,
    Wide,
    fixed_of,
    fresh,
    models_of,
)
from service.codec.photo.transform import Steps

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
Analyse = Callable[[Pixels, Grid, Steps], Split]
"""What is coded in place of a tile's coefficients."""
DEFAULT = ORDERS.index("default")
STEP = 2.8
"""Of weight 1, in units of a pixel: the finest plane leaves over 42 dB in every order."""
SCALES = {
    "default": (1, 1.4, 1.1, 1, 0.9, 0.9, 0.9),
    "psnr": (1, 1, 1, 1, 1, 1, 1),
    "eyes": (1, 1.88, 1.2, 0.8, 0.64, 0.8, 0.8),
}
"""Weights of the low-pass band and of levels 1, 2 ..: a larger one is known less precisely."""
CHROMA = {"default": (1, 1, 1), "psnr": (1, 1, 1), "eyes": (1, 1, 1)}
TRUSTED_BITS = 200
"""A pass that cost fewer, over all tiles, is judged together with its plane."""
SYMBOLS = CONTEXTS + FLAGS + 1 + SIGNS + FINE


@dataclass(frozen=True)
class Tiles:
    """Quantised tiles of one size and one order's weights: int32 [N, 3 K] on ``grid``."""

    grid: Grid
    values: tuple[NDArray[np.int32], ...]


def colours_of(tiles: Sequence[Pixels]) -> Floats:
    """Axes [3, 3] along which neighbouring pixels differ most: orthonormal rows, in R, G, B."""
    steps = np.concatenate([np.diff(t.astype(np.float64), axis=1).reshape(-1, 3) for t in tiles])
    axes = np.linalg.eigh(np.cov(steps.T))[1][:, ::-1].T
    return axes * np.sign(axes[:, [0]])


def squash_table() -> NDArray[np.uint16]:
    """65536 times the logistic function of x / 256, at least 1, for |x| <= STRETCH_LIMIT."""
    x = np.arange(-STRETCH_LIMIT, STRETCH_LIMIT + 1) / 256
    return np.clip(np.rint(65536 / (1 + np.exp(-x))), 1, 65535).astype(np.uint16)


def start(tiles: Sequence[Pixels]) -> Stored:
    """Tables that know colours alone: every probability at its default, planes one by one."""
    logits = np.full((GROUPS, SYMBOLS), 128 - 40, np.uint8)  # about .03
    logits[:, CONTEXTS + FLAGS + 1 :] = 128
    by_plane = np.broadcast_to(
        (np.arange(PLANES) * 2 * OCTAVE)[:, None] + np.array([OCTAVE, 0]),
        (len(ORDERS), 3, 4, DEEPEST, PLANES, 2),
    )
    scales = [np.outer(CHROMA[name], SCALES[name]) for name in ORDERS]
    return Stored(
        colours=np.rint(colours_of(tiles) * 2**14).astype(np.int16),
        step=np.array([round(STEP * 256)], np.uint16),
        scales=np.rint(np.stack(scales) * 256).astype(np.uint16),
        slopes=by_plane.astype(np.int16),
        usual=np.zeros((3, ORIENTS, DEEPEST), np.int8),
        squash=squash_table(),
        logits=logits,
        seen=np.zeros((GROUPS, SYMBOLS), np.uint8),
        mixing=np.full((GROUPS, SETS, MODELS), round(0.3 * 4096), np.int16),
        centroids=np.full((len(ORDERS), GROUPS, 3), 115, np.uint8),
    )


def quantised(
    stored: Stored, order: int, tiles: Sequence[Pixels], analyse: Analyse | None = None
) -> Tiles:
    """The integers that streams of ``order`` would spell of each tile."""
    grid = grid_of(*tiles[0].shape[:2], stored.slopes[order], stored.usual)
    steps = transform.steps_of(stored, order, grid)
    return Tiles(grid, tuple(_integers(tile, grid, steps, analyse) for tile in tiles))


def _integers(
    tile: Pixels, grid: Grid, steps: Steps, analyse: Analyse | None, finer: int = 1
) -> NDArray[np.int32]:
    """A tile in steps, or in steps that are so many times ``finer``."""
    split = analyse(tile, grid, steps) if analyse else None
    steps = steps._replace(sizes=steps.sizes / finer)
    values = np.zeros(3 * grid.coefficients, np.int32)
    for channel in range(3):
        part = values[grid.of(channel)]
        if split is None:
            transform.analyse(tile, grid, steps, channel, part, finer)
        else:
            fine, low = split.fine[channel], split.low[channel]
            transform.quantise(fine, low, grid, steps, channel, part, finer)
    return values


def usual_of(tiles: Tiles) -> NDArray[np.int8]:
    """log2 of the mean magnitude of each band, rounded; half a step stands for zero."""
    grid = tiles.grid
    found = np.zeros((3, ORIENTS, DEEPEST))
    count = np.zeros((3, ORIENTS, DEEPEST))
    for band in grid.bands:
        at = (KIND_OF[band[ORIENT]], max(band[LEVEL], 1) - 1)
        for channel in range(3):
            for values in tiles.values:
                part = _part(grid, values, band, channel)
                found[channel][at] += (np.abs(part) + (part != 0) * 0.5).sum()
                count[channel][at] += band[ROWS] * (band[STRIDE] - 4)
    mean = np.log2(np.maximum(found / np.maximum(count, 1), 2.0**-4))
    for level in range(DEEPEST):  # the low-pass band is met at the deepest level alone
        mean[:, 0, level] = mean[:, 0, DEEPEST - 1] - (DEEPEST - 1 - level)
    return np.rint(mean).astype(np.int8)


def learned(stored: Stored, tiles: Tiles, rounds: int) -> Stored:
    """Probabilities and mixing weights after ``rounds`` over the tiles.

    Weights of wide tables are the mean of what the last round's later half ends tiles with.
    """
    fixed = fixed_of(stored)
    first = models_of(stored)
    weights, sign_weights = first.weights, first.sign_weights
    symbols = first.mixed.shape[1] + FLAGS + 1 + first.signs.shape[1] + FINE
    for _ in range(rounds):
        counts = np.zeros((GROUPS, symbols, 2), np.int64)
        if stored.wide:
            weights, sign_weights = first.weights.copy(), first.sign_weights.copy()
        ends: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
        for n, values in enumerate(tiles.values):
            models = models_of(stored)._replace(weights=weights, sign_weights=sign_weights)
            scan_prices(tiles.grid, models, fixed, values, LEARN, counts)
            if n >= len(tiles.values) // 2:
                ends.append((weights.copy(), sign_weights.copy()))
        stored = with_counts(stored, counts)
    if not stored.wide:
        return replace(stored, mixing=_rounded(weights))
    mean, sign_mean = (
        np.rint(np.mean(part, 0)).astype(np.int32) for part in zip(*ends, strict=True)
    )
    wide = stored.wide._replace(sign_mixing=_rounded(sign_mean))
    return replace(stored, mixing=_rounded(mean), wide=wide)


def _rounded(weights: NDArray[np.int32]) -> NDArray[np.int16]:
    return np.clip((weights + 8) >> 4, -(2**15), 2**15 - 1).astype(np.int16)


def widened(stored: Stored) -> Stored:
    """Tables of the same pictures for streams with networks, before anything is counted."""
    mixing = np.full((GROUPS, SETS, len(WIDE_SIZES) + 1), round(1.5 / len(WIDE_SIZES) * 4096))
    mixing[..., -1] = 0
    sign_mixing = np.zeros((GROUPS, SIGN_INPUTS))
    sign_mixing[:, : len(WIDE_SIGN_SIZES)] = round(1.3 / len(WIDE_SIGN_SIZES) * 4096)
    wide = Wide(
        shared=np.full((ORIENTS, WIDE_CONTEXTS), UNKNOWN, np.uint8),
        levels=np.full((GROUPS, len(WIDE_SIZES)), UNKNOWN - 40, np.uint8),
        signs=np.full((3 * ORIENTS, WIDE_SIGNS), UNKNOWN, np.uint8),
        sign_mixing=sign_mixing.astype(np.int16),
    )
    row = np.full((GROUPS, WIDE_ROW), UNKNOWN, np.uint8)
    return replace(stored, logits=row, seen=0 * row, mixing=mixing.astype(np.int16), wide=wide)


def centroids_of(tiles: Tiles, raw: Sequence[tuple[Floats, ...]]) -> NDArray[np.uint8]:
    """Mean place in its cell of each magnitude, uint8 [G, 3]; ``raw`` are magnitudes in steps."""
    total = np.zeros((GROUPS, 3))
    count = np.zeros((GROUPS, 3))
    grid = tiles.grid
    groups = {tuple(p[:3]): g for p, g in zip(grid.passes.tolist(), grid.groups, strict=True)}
    for (channel, band, plane), group in groups.items():
        size = np.concatenate([tile[channel][band] for tile in raw])
        size = size[size >= 2.0**plane] / 2.0**plane
        cell = np.floor(size)
        for age, chosen in enumerate((cell == 1, (cell == 2) | (cell == 3), cell >= 4)):
            total[group, age] += (size - cell)[chosen].sum()
            count[group, age] += chosen.sum()
    return np.rint(256 * (total + 0.46 * 20) / (count + 20)).astype(np.uint8)


def slopes_of(
    stored: Stored, tiles: Tiles, raw: Sequence[tuple[Floats, ...]], centroids: NDArray[np.uint8]
) -> NDArray[np.int16]:
    """log2 of squared error a bit of each pass in 64ths, int16 [3, 4, DEEPEST, PLANES, 2]."""
    grid = tiles.grid
    fixed, models = fixed_of(stored), models_of(stored)
    bits = np.zeros((3, 4, DEEPEST, PLANES, 2))
    gain = np.zeros((3, 4, DEEPEST, PLANES, 2))
    channel, band, plane, kind = grid.passes.T
    place = (
        channel,
        grid.bands[band, ORIENT],
        np.maximum(grid.bands[band, LEVEL], 1) - 1,
        np.minimum(plane, PLANES - 1),
        kind,
    )
    for values in tiles.values:
        price = scan_prices(grid, fresh(models), fixed, values, bitplane_coder.PRICE)
        np.add.at(bits, place, price[:, 0])
    groups = {tuple(p[:3]): g for p, g in zip(grid.passes.tolist(), grid.groups, strict=True)}
    means = centroids / 256
    for channel_ in range(3):
        for number, row in enumerate(grid.bands):
            size = np.concatenate([tile[channel_][number] for tile in raw])
            size = size[size >= 1]
            before = size**2
            at = (channel_, row[ORIENT], max(row[LEVEL], 1) - 1)
            for plane_ in range(min(TOP + int(row[LEVEL]), PLANES - 1), -1, -1):
                cell = np.floor(size / 2.0**plane_)
                age = np.where(cell == 1, 0, np.where(cell < 4, 1, 2))
                mean = means[groups[channel_, number, plane_]][age]
                after = np.where(cell > 0, (size - (cell + mean) * 2.0**plane_) ** 2, before)
                gain[at][plane_, 0] += (before - after)[cell == 1].sum()
                gain[at][plane_, 1] += (before - after)[cell > 1].sum()
                before = after
    slopes = np.zeros((3, 4, DEEPEST, PLANES, 2), np.int16)
    for at in np.ndindex(3, 4, DEEPEST):
        if gain[at].sum() > 0:
            slopes[at] = _chain(bits[at], gain[at])
    return slopes


def _chain(bits: Floats, gain: Floats) -> NDArray[np.int16]:
    """Slopes [PLANES, 2] of one band that fall from its first pass to its last.

    Neighbours that rise are judged together; planes that no tile reached lie two octaves apart.
    """
    pooled: list[tuple[float, float, list[tuple[int, int]]]] = []
    for plane in range(PLANES - 1, -1, -1):
        if gain[plane].sum() <= 0 or bits[plane].sum() < TRUSTED_BITS:
            continue
        parts = [(bits[plane, k], gain[plane, k], [(plane, k)]) for k in (0, 1)]
        if min(bits[plane]) < TRUSTED_BITS:
            parts = [(bits[plane].sum(), gain[plane].sum(), [(plane, 0), (plane, 1)])]
        for part in parts:
            pooled.append(part)
            while len(pooled) > 1 and pooled[-1][1] * pooled[-2][0] > pooled[-2][1] * pooled[-1][0]:
                last, before = pooled.pop(), pooled.pop()
                pooled.append((before[0] + last[0], before[1] + last[1], before[2] + last[2]))
    slopes = np.full((PLANES, 2), np.nan)
    for spent, won, places in pooled:
        for n, place in enumerate(places):
            slopes[place] = OCTAVE * math.log2(won / spent) - n
    if not pooled:  # too few tiles: all planes together, as if at the plane that won most
        most = int(gain.sum(1).argmax())
        slopes[most] = OCTAVE * math.log2(gain.sum() / max(bits.sum(), 1)) - np.array([0, 1])
    known = np.flatnonzero(~np.isnan(slopes[:, 0]))
    for plane in range(known[0] + 1, PLANES):
        if np.isnan(slopes[plane, 0]):  # no tile told enough of it
            slopes[plane] = slopes[plane - 1] + 2 * OCTAVE
    for plane in range(known[0] - 1, -1, -1):
        slopes[plane] = slopes[plane + 1] - 2 * OCTAVE
    return np.rint(slopes).astype(np.int16)


def raw_magnitudes(
    stored: Stored, order: int, tiles: Sequence[Pixels], analyse: Analyse | None = None
) -> list[tuple[Floats, ...]]:
    """Magnitudes in steps before rounding, by tile, channel and band."""
    grid = grid_of(*tiles[0].shape[:2], stored.slopes[order], stored.usual)
    steps = transform.steps_of(stored, order, grid)
    finest = 1024  # integers of a step so many times smaller are the floats
    made = []
    for tile in tiles:
        values = _integers(tile, grid, steps, analyse, finest)
        channels = []
        for channel in range(3):
            own = values[grid.of(channel)]
            channels.append([np.abs(_band(own, band)).ravel() / finest for band in grid.bands])
        made.append(tuple(channels))
    return made


def _part(
    grid: Grid, values: NDArray[np.int32], band: NDArray[np.int32], channel: int
) -> NDArray[np.int32]:
    start = channel * grid.coefficients
    return _band(values[start : start + grid.coefficients], band)


def _band(values: NDArray[np.int32], band: NDArray[np.int32]) -> NDArray[np.int32]:
    stride, rows = band[STRIDE], band[ROWS]
    first = band[OFFSET]
    return values[first : first + stride * (rows + 4)].reshape(-1, stride)[2:-2, 2:-2]


def make(tiles: Sequence[Pixels], sampled: int = 150) -> Stored:
    """All tables, counted over tiles of one size; slopes and centroids over the first of them."""
    stored = start(tiles)
    psnr = ORDERS.index("psnr")
    stored = replace(stored, usual=usual_of(quantised(stored, psnr, tiles)))
    stored = learned(stored, quantised(stored, psnr, tiles), 2)
    stored = ordered(stored, tiles[:sampled])
    return learned(stored, quantised(stored, DEFAULT, tiles), 2)


def again(stored: Stored, tiles: Sequence[Pixels], analyse: Analyse, sampled: int = 100) -> Stored:
    """Wide tables, counted over what an analysis network makes of tiles of one size.

    Colours, steps and weights stay: the network was trained with them.
    """
    counted = quantised(stored, DEFAULT, tiles, analyse)
    stored = replace(stored, usual=usual_of(counted))
    stored = learned(stored, quantised(stored, DEFAULT, tiles, analyse), 1)
    stored = ordered(stored, tiles[:sampled], analyse)
    return learned(widened(stored), quantised(stored, DEFAULT, tiles, analyse), 2)


def ordered(stored: Stored, tiles: Sequence[Pixels], analyse: Analyse | None = None) -> Stored:
    """With means of cells and slopes of the passes, for each order's weights."""
    slopes, centroids = stored.slopes.copy(), stored.centroids.copy()
    for order in range(len(ORDERS)):
        raw = raw_magnitudes(stored, order, tiles, analyse)
        quant = quantised(stored, order, tiles, analyse)
        centroids[order] = centroids_of(quant, raw)
        slopes[order] = slopes_of(stored, quant, raw, centroids[order])
    return replace(stored, slopes=slopes, centroids=centroids)
