"""What a decoder knows of each coefficient where a stream is cut, as tensors.

    passes       of a size stand in one static order (``service.codec.photo.order``)
    cut          so many whole passes, and of the next so many blocks
    significance the plane down to which a coefficient is known to be zero, or was found
    refinement   the plane down to which one is known that was found above; the same or one higher

So a state is two planes a coefficient, whatever the picture is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.codec.photo.order import (
    BLOCK,
    COLUMNS,
    DEEPEST,
    END,
    FIRST,
    LEVEL,
    OCTAVE,
    ORIENT,
    PLANES,
    ROWS,
    TOP,
    grid_of,
)
from service.codec.photo.tables import Stored
from service.codec.photo.transform import steps_of

Planes = NDArray[np.int64]


class Known(NamedTuple):
    """Of one level: float32 [N, 3, 3, h, w], or [N, 3, 1, h, w] of the low-pass picture.

    ``found``, ``refined``: 2**plane of both kinds; ``first``: mean place in its cell of one found
    at the plane of significance; ``means``: three of one found above, magnitudes 1, 2 and 3, more.
    """

    found: Tensor
    refined: Tensor
    first: Tensor
    means: tuple[Tensor, Tensor, Tensor]


class States:
    """A size and an order's weights: steps, passes, and what is known after so many of them."""

    def __init__(self, stored: Stored, order: int, side: int | tuple[int, int]) -> None:
        height, width = (side, side) if isinstance(side, int) else side
        self.grid = grid_of(height, width, stored.slopes[order], stored.usual)
        self.steps = steps_of(stored, order, self.grid)
        self.levels = int(self.grid.bands[0, LEVEL])
        bands = len(self.grid.bands)
        sizes = torch.from_numpy(self.steps.sizes)
        self.low_step = sizes[:, 0, None, None]
        self.detail_steps = [self._of_level(sizes, n)[..., None, None] for n in self._finest_first]
        self.means = torch.from_numpy(self.steps.means)  # [3, B, planes, 3]
        reached = np.empty((len(self.grid.passes) + 1, 3, bands, 2), np.int64)
        reached[0] = (TOP + self.grid.bands[:, LEVEL] + 1)[:, None]
        for n, (channel, band, plane, kind) in enumerate(self.grid.passes.tolist()):
            reached[n + 1] = reached[n]
            reached[n + 1, channel, band, kind] = plane
        self.reached = reached
        step = float(stored.step[0]) / 256
        self.exchange = step**2 * 2.0 ** (_slopes(self.grid.bands, self.grid.passes, stored, order))

    @property
    def _finest_first(self) -> range:
        return range(1, self.levels + 1)

    def _of_level(self, table: Tensor, level: int) -> Tensor:
        """Columns of a table [3, B, ..] that are details of a level: [3, 3, ..]."""
        first = 1 + 3 * (self.levels - level)
        return table[:, first : first + 3]

    def planes(self, cuts: list[tuple[int, float]]) -> list[Planes]:
        """int64 [N, 3, 3, h, w, 2] of levels 1 .., last [N, 3, 1, h, w, 2] of the low-pass picture.

        A cut is so many whole passes, and the share of the next one's blocks.
        """
        bands = self.grid.bands
        made = []
        for level in (*self._finest_first, 0):
            first, count = (1 + 3 * (self.levels - level), 3) if level else (0, 1)
            size = tuple(bands[first, [ROWS, COLUMNS]])
            maps = np.empty((len(cuts), 3, count, *size, 2), np.int64)
            for n, (whole, share) in enumerate(cuts):
                maps[n] = self.reached[whole, :, first : first + count, None, None]
                if whole == len(self.grid.passes):
                    continue
                channel, band, plane, kind = self.grid.passes[whole].tolist()
                if first <= band < first + count:
                    blocks = self.grid.blocks[bands[band, FIRST] : bands[band, END]]
                    part = maps[n, channel, band - first, ..., kind]
                    for top, left in blocks[: int(share * len(blocks))].tolist():
                        part[top : top + BLOCK, left : left + BLOCK] = plane
            made.append(maps)
        return made

    def known(self, planes: list[Planes]) -> list[Known]:
        """The states of ``planes`` as the quantiser wants them."""
        made = []
        for level, maps in zip((*self._finest_first, 0), planes, strict=True):
            means = self._of_level(self.means, level) if level else self.means[:, :1]
            depth = means.shape[2]
            flat = means.reshape(-1, 3).T.contiguous()  # [3, 3 * 3 * planes]
            band = torch.arange(means.shape[0] * means.shape[1]) * depth
            place = band.reshape(1, *means.shape[:2], 1, 1)
            found, refined = torch.from_numpy(maps).unbind(-1)
            at_found = place + found.clamp(max=depth - 1)
            at_refined = place + refined.clamp(max=depth - 1)
            one, two, more = (column[at_refined] for column in flat)
            made.append(
                Known(
                    torch.exp2(found.float()),
                    torch.exp2(refined.float()),
                    flat[0][at_found],
                    (one, two, more),
                )
            )
        return made


def magnitudes(sizes: Tensor, known: Known) -> Tensor:
    """Magnitudes in steps -> the means of the cells that a state leaves, in steps; no gradient."""
    cell = torch.floor(sizes / known.refined)
    one, two, more = known.means
    place = torch.where(cell < 2, one, torch.where(cell < 4, two, more))
    older = (cell + place) * known.refined
    shown = torch.where(sizes < 2 * known.found, (1 + known.first) * known.found, older)
    return torch.where(sizes < known.found, torch.zeros_like(shown), shown)


def _slopes(
    bands: NDArray[np.int32], passes: NDArray[np.int32], stored: Stored, order: int
) -> NDArray[np.float64]:
    """log2 of the squared error that a bit of each pass saves, in steps; never rising."""
    channel, band, plane, kind = passes.T
    level, orient = bands[band, LEVEL], bands[band, ORIENT]
    deeper = np.where(orient == 0, level - DEEPEST, np.maximum(level - DEEPEST, 0))
    at = np.clip(plane - deeper, 0, PLANES - 1)
    row = np.where(orient == 0, DEEPEST - 1, np.minimum(level, DEEPEST) - 1)
    slope = stored.slopes[order][channel, orient, row, at, kind] / OCTAVE + 2 * (plane - at)
    return np.minimum.accumulate(slope.astype(np.float64))
