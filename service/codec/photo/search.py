"""Coefficients chosen through the synthesis network: what an encoder does with more time.

    repeat   leave of the coefficients what three cuts would, paint each, take the slope of its
             errors back through network and transform, add what bits cost, take a step
    keep     what was analysed, or what came out, whichever is better at the cuts

Errors are D, squared error and MS-SSIM, a part of whose relative slopes are SSIMULACRA2's. The
details of a cell move; levels under it stay. A decoder notices nothing. Source of the idea:
iterative refinement at encoding (Campos et al. 2019); steps as in Adam (Kingma and Ba 2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.codec.interface import Effort
from service.codec.photo import encoder, transform, wavelet
from service.codec.photo.cells import LEVELS, Split, Tile, Units, put, take, tiles_of
from service.codec.photo.left import left, priced, truncated
from service.codec.photo.networks import CellNetwork
from service.codec.photo.order import FIRST, ORIENTS, Grid, Ints
from service.codec.photo.precision import Place, Precision, begins, precision_of, told_of, units_of
from service.codec.photo.prices import scan_prices
from service.codec.photo.tables import Tables, exchange, fresh
from service.codec.photo.threads import Threads
from service.codec.photo.transform import DETAILS, MIDDLE, Steps, band_of
from service.codec.photo.wavelet import Plane
from service.codec.pixels import Pixels
from service.inference import Session
from service.quality.ms_ssim import MS_SSIM_SIDE
from service.quality.slopes import Weights, ms_ssim_slope, seen_slope
from service.quality.windows import Planes

EFFORTS: tuple[Effort, ...] = ("default", "high", "best")
ROUNDS = {"high": 8, "best": 36}
"""Steps of each effort."""
CUTS_BPP = (0.15, 0.4, 1.2)
STRUCTURE, SEEN = 0.85, 0.1
"""Shares of MS-SSIM in D, and of SSIMULACRA2's errors in its relative slopes."""
STRUCTURE_WEIGHT = 3500.0
"""1 - MS-SSIM times so much falls with rate as 3 times the mean squared error does."""
LEAST_ERROR = 1e-2
MOVE = {"high": 0.01, "best": 0.005}
"""Length of a step, in ``reach``; over the second half it comes down to nothing."""
REACH, REACH_OF_SIZE = 4.0, 0.1
"""A coefficient's reach: so many steps, and such a share of itself."""
MOMENTUM, MOMENTUM_OF_SQUARES = 0.9, 0.95
DAMPING = 0.7
"""Of the usual slope, added to each one's own: what hardly matters at these cuts, and may at
others, moves less."""
TILE = 64, 96
"""Cells whose slopes are taken through the network together."""
HALO = 16
"""Cells around them that their slopes depend on: what blocks see, there and back."""
MEMORY = 520
"""Bytes a pixel, at the most, of each cut that is judged at a time."""
COST = 10000
"""Of a step, about, in nanoseconds of one core a pixel."""
SMALLEST_SIDE = MS_SSIM_SIDE + 15


class Aim(NamedTuple):
    """Of which size and order a stream is, and the tables that it is coded with."""

    grid: Grid
    steps: Steps
    tables: Tables
    order: int


class SearchTable(NamedTuple):
    """What the search knows of rates and of eyes.

    ``rate`` float32 [3, 9, 6]: by level, band and neighbours, weights of the scale of a Laplacian
    (``left.priced``). ``seen`` float32 [3, 6, 2, 3]: SSIMULACRA2's.
    """

    rate: NDArray[np.float32]
    seen: Weights


def rounds(effort: Effort) -> int:
    """Steps of an effort."""
    return ROUNDS.get(effort, 0)


def read(path: Path) -> SearchTable:
    """From the file that the manifest names."""
    with np.load(path, allow_pickle=False) as found:
        return SearchTable(*(found[name].astype(np.float32) for name in SearchTable._fields))


@dataclass
class Cut:
    """A cut of the stream that is judged: what is known there, whatever the details are.

    ``low`` and ``parents`` are the low-pass picture of level 3 and the details of level 4 there, of
    each channel; the latter in steps. ``bits`` of all that does not move.
    """

    known: Precision
    exchange: float
    low: list[Plane]
    parents: list[list[Plane]]
    bits: float = 0.0


class Search:
    """Of one artifact. Thread-safe."""

    def __init__(self, gradient: Session, table: SearchTable, synthesis: CellNetwork) -> None:
        """``gradient`` takes ``cells``, ``told``, ``slope``; gives the slope ``along`` cells."""
        self._gradient, self._table, self._synthesis = gradient, table, synthesis

    def refined(
        self,
        picture: Pixels,
        split: Split,
        aim: Aim,
        threads: Threads,
        effort: Effort,
    ) -> Split:
        """Better details for uint8 [H, W, 3] that was analysed as ``split``, which stays.

        A picture with a side under ``SMALLEST_SIDE`` is left as it is.
        """
        if min(picture.shape[:2]) < SMALLEST_SIDE:
            return split
        target = np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32)
        cuts = self._cuts(split, aim, threads)
        found = split.copy()
        steps = _Steps(found, aim, MOVE[effort], rounds(effort))
        first = last = 0.0
        for n in range(rounds(effort) + 1):
            judged = threads.each(lambda cut: self._judged(target, found, cut, aim), cuts)
            last = sum(loss for loss, _ in judged)
            if n == 0:
                first = last
            if n < rounds(effort):
                steps.take([slopes for _, slopes in judged])
        return found if last < first else split

    def _cuts(self, split: Split, aim: Aim, threads: Threads) -> list[Cut]:
        grid, steps, tables, order = aim
        values, _ = encoder.quantised_cells(split, grid, steps, threads)
        bits = scan_prices(grid, fresh(tables.models), tables.fixed, values)[:, 0].cumsum()
        pixels = split.fine[0][0].size
        found = []
        for bpp in CUTS_BPP:
            passes = int(np.searchsorted(bits, bpp * pixels, side="right"))
            if not 0 < passes < len(grid.passes):
                continue
            band = int(grid.passes[passes, 1])
            known = precision_of(grid, Place(passes, int(grid.bands[band, FIRST])))
            if not begins(known, grid, self._synthesis.first_plane):
                continue
            low, parents = _deep(values, known, grid, steps, split.low[0].shape)
            price = exchange(tables.stored, order, grid, passes)
            cut = Cut(known, price, low, parents)
            cut.bits = float(bits[passes - 1]) - self._left(split, cut, grid, steps)[-1]
            found.append(cut)
        return found

    def _judged(
        self, target: Planes, split: Split, cut: Cut, aim: Aim
    ) -> tuple[float, list[list[Plane]]]:
        """The loss at a cut, log(D + exchange * bits a pixel), and its slope along the details."""
        grid, steps = aim.grid, aim.steps
        shown, gains, costs, bits = self._left(split, cut, grid, steps)
        units = units_of(cut.known, grid, steps)
        told = told_of(cut.known, grid)
        corrected = shown.copy()
        self._synthesis.run(corrected, units, _ALONE, told)
        d, slope = self._distortion(target, _painted(corrected, steps))
        slopes = _through_transform(slope, steps)
        self._through_network(slopes, shown, units, told)
        bits_a_pixel = (cut.bits + bits) / target[0].size
        loss = d + cut.exchange * bits_a_pixel
        share = np.float32(1 / loss)
        each_bit = np.float32(cut.exchange / target[0].size / loss)
        for channel in range(3):
            for level in range(LEVELS):
                along = slopes.fine[channel][level]
                along *= gains[channel][level]
                along *= share
                along += each_bit * costs[channel][level]
        return float(np.log(loss)), slopes.fine

    def _left(
        self, split: Split, cut: Cut, grid: Grid, steps: Steps
    ) -> tuple[Split, list[list[Plane]], list[list[Plane]], float]:
        """What a cut leaves, by how much that grows with each detail, what bits grow by; bits."""
        shown = Split([plane.copy() for plane in cut.low], [])
        gains, costs, bits = [], [], 0.0
        for channel in range(3):
            fine = [np.zeros_like(level) for level in split.fine[channel]]
            gain, cost = ([np.zeros_like(level) for level in fine] for _ in range(2))
            shown.fine.append(fine)
            gains.append(gain)
            costs.append(cost)
            for level in range(LEVELS, 0, -1):
                first = band_of(grid, level)
                for orient, (down, right) in enumerate(DETAILS):
                    band = first + orient
                    place = slice(down, None, 2), slice(right, None, 2)
                    values = split.fine[channel][level - 1][place]
                    step = float(steps.sizes[channel, band])
                    found, refined = (int(p) for p in cut.known.planes[channel, band])
                    means = steps.means[channel, band]
                    mine = fine[level - 1][place]
                    left(values, step, found, refined, means, mine, gain[level - 1][place])
                    if level == LEVELS:
                        parent, parent_step = cut.parents[channel][orient], 1.0
                    else:
                        above = band_of(grid, level + 1) + orient
                        parent = fine[level][place]
                        parent_step = float(steps.sizes[channel, above])
                    before = np.zeros(mine.shape, np.float32)
                    for other in range(channel):
                        theirs = shown.fine[other][level - 1][place]
                        before += np.abs(theirs) / np.float32(steps.sizes[other, band])
                    weights = self._table.rate[level - 1, channel * ORIENTS + orient]
                    bits += priced(
                        values, step, mine, parent, parent_step, before, found, refined, weights,
                        cost[level - 1][place],
                    )  # fmt: skip
        return shown, gains, costs, bits

    def _distortion(self, target: Planes, shown: Planes) -> tuple[float, Planes]:
        """D, and the slope of the loss that stands for it, along float32 [3, H, W]."""
        off = shown - target
        pixels = np.float32(target[0].size)
        squared = float(np.square(off, dtype=np.float32).sum(dtype=np.float64)) / float(pixels)
        similar, along = ms_ssim_slope(target, shown)
        seen, along_seen = seen_slope(target, shown, self._table.seen)
        d = (1 - STRUCTURE) * squared + STRUCTURE * STRUCTURE_WEIGHT * (1 - similar)
        d = max(d, LEAST_ERROR)
        slope = off * ((1 - STRUCTURE) * 2 / pixels)
        slope -= np.float32(STRUCTURE * STRUCTURE_WEIGHT) * along
        slope *= np.float32(1 - SEEN)
        slope += np.float32(SEEN * d / max(seen, LEAST_ERROR)) * along_seen
        return d, slope

    def _through_network(self, slopes: Split, shown: Split, units: Units, told: Planes) -> None:
        """Slopes along corrected details become slopes along known ones, in their place."""
        whole = Tile(0, 0, *shown.low[0].shape)
        turned = _inverse(units)
        given = slopes.copy()
        for tile in tiles_of(whole, TILE):
            wide = _around(tile, whole)
            cells = take(shown, units, wide)[None]
            slope = take(given, turned, wide)[None]
            found = self._gradient.run({"cells": cells, "told": told, "slope": slope})["along"][0]
            top, left_ = tile.top - wide.top, tile.left - wide.left
            inside = found[:, top : top + tile.rows, left_ : left_ + tile.columns]
            put(slopes, turned, tile, np.ascontiguousarray(inside))


class _Steps:
    """Steps over all details, each as far as its reach allows."""

    def __init__(self, split: Split, aim: Aim, move: float, count: int) -> None:
        self._split, self._move, self._count, self._n = split, move, count, 0
        self._first = [[np.zeros_like(level) for level in fine] for fine in split.fine]
        self._second = [[np.zeros_like(level) for level in fine] for fine in split.fine]
        self._details = sum(level.size for fine in split.fine for level in fine)
        self._reach = []
        for channel, fine in enumerate(split.fine):
            reach = [np.float32(REACH_OF_SIZE) * np.abs(level) for level in fine]
            for level in range(1, LEVELS + 1):
                for band, (down, right) in enumerate(DETAILS, band_of(aim.grid, level)):
                    own = reach[level - 1][down::2, right::2]
                    own += np.float32(REACH * aim.steps.sizes[channel, band])
            self._reach.append(reach)

    def take(self, slopes: list[list[list[Plane]]]) -> None:
        """One step along the sum of what cuts say."""
        self._n += 1
        move = self._move * min(1.0, 2 * (self._count - self._n + 1) / self._count)
        b1, b2 = np.float32(MOMENTUM), np.float32(MOMENTUM_OF_SQUARES)
        fair1, fair2 = 1 - MOMENTUM**self._n, 1 - MOMENTUM_OF_SQUARES**self._n
        squares = 0.0
        for channel, fine in enumerate(self._split.fine):
            for level in range(len(fine)):
                slope = sum(one[channel][level] for one in slopes) * self._reach[channel][level]
                first, second = self._first[channel][level], self._second[channel][level]
                first *= b1
                first += (1 - b1) * slope
                second *= b2
                second += (1 - b2) * slope * slope
                squares += float(second.sum(dtype=np.float64))
        usual = DAMPING * np.sqrt(squares / self._details / fair2) + 1e-8
        for channel, fine in enumerate(self._split.fine):
            for level, values in enumerate(fine):
                first, second = self._first[channel][level], self._second[channel][level]
                root = np.sqrt(second / np.float32(fair2)) + np.float32(usual)
                far = np.float32(move * (1 + DAMPING) / fair1)
                values -= far * self._reach[channel][level] * first / root


def _deep(
    values: Ints, known: Precision, grid: Grid, steps: Steps, shape: tuple[int, int]
) -> tuple[list[Plane], list[list[Plane]]]:
    """Of a cut the low-pass picture of level 3, and the details of level 4 in steps."""
    decided, negative = truncated(values, known.planes, grid)
    low, parents = [], []
    above = LEVELS + 1
    for channel in range(3):
        part = grid.of(channel)
        own = decided[part], negative[part]
        low.append(np.ascontiguousarray(transform.synthesise(*own, grid, steps, channel, shape)))
        details = transform.details(*own, grid, steps, channel, above)
        parents.append(
            [
                details[down::2, right::2] / steps.sizes[channel, band]
                for band, (down, right) in enumerate(DETAILS, band_of(grid, above))
            ]
        )
    return low, parents


def _painted(split: Split, steps: Steps) -> Planes:
    """RGB float32 [3, H, W], neither rounded nor clipped; ``split`` is used up."""
    planes = []
    for plane, fine in zip(split.low, split.fine, strict=True):
        for level in reversed(fine):
            plane = transform.joined(plane, level)
        planes.append(plane)
    return np.tensordot(steps.axes.T, np.stack(planes), 1) + MIDDLE


def _through_transform(slope: Planes, steps: Steps) -> Split:
    """Slopes along RGB as those along coefficients."""
    low, fine = [], []
    for plane in np.tensordot(steps.axes, slope, 1):
        levels = []
        for _ in range(LEVELS):
            plane = wavelet.transposed(plane)
            levels.append(plane)
            plane = np.ascontiguousarray(plane[::2, ::2])
        low.append(plane)
        fine.append(levels)
    return Split(low, fine)


def _inverse(units: Units) -> Units:
    """Those of slopes."""
    one = np.float32(1)
    return Units(one / units.low, one / units.fine)


def _around(tile: Tile, whole: Tile) -> Tile:
    """With the cells that its slopes depend on."""
    top, left_ = max(0, tile.top - HALO), max(0, tile.left - HALO)
    bottom = min(whole.rows, tile.top + tile.rows + HALO)
    right = min(whole.columns, tile.left + tile.columns + HALO)
    return Tile(top, left_, bottom - top, right - left_)


_ALONE = Threads(1)
