"""What a decoder knows of each coefficient where a stream is cut.

    passes       of a size stand in one static order (``service.codec.photo.order``)
    cut          so many whole passes, and of the next so many blocks
    significance the plane down to which a coefficient is known to be zero, or was found
    refinement   the plane down to which one is known that was found above; the same or one higher

So a state is two planes a coefficient, whatever the picture is.
"""

from __future__ import annotations

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


class States:
    """A size and an order's weights: steps, passes, and what is known after so many of them.

    Tensors lie on ``device``.
    """

    def __init__(
        self, stored: Stored, order: int, side: int | tuple[int, int], device: str = "cpu"
    ) -> None:
        self.device = device
        height, width = (side, side) if isinstance(side, int) else side
        self.grid = grid_of(height, width, stored.slopes[order], stored.usual)
        self.steps = steps_of(stored, order, self.grid)
        self.levels = int(self.grid.bands[0, LEVEL])
        bands = len(self.grid.bands)
        sizes = torch.from_numpy(self.steps.sizes)
        self.low_step = sizes[:, 0, None, None].to(device)
        self.detail_steps = [
            self._of_level(sizes, n)[..., None, None].to(device) for n in self._finest_first
        ]
        self.means = [
            part.flatten(0, 1).contiguous().to(device)
            for part in (
                self._of_level(torch.from_numpy(self.steps.means), n)
                for n in (*self._finest_first, 0)
            )
        ]
        reached = np.empty((len(self.grid.passes) + 1, 3, bands, 2), np.int8)
        reached[0] = (TOP + self.grid.bands[:, LEVEL] + 1)[:, None]
        for n, (channel, band, plane, kind) in enumerate(self.grid.passes.tolist()):
            reached[n + 1] = reached[n]
            reached[n + 1, channel, band, kind] = plane
        self.reached = torch.from_numpy(reached).to(device)
        nothing = np.zeros((1, 4), np.int32)
        self.next = torch.from_numpy(np.concatenate((self.grid.passes, nothing))).to(device)
        self.ranks = [self._ranks(n).to(device) for n in (*self._finest_first, 0)]
        step = float(stored.step[0]) / 256
        self.exchange = step**2 * 2.0 ** (_slopes(self.grid.bands, self.grid.passes, stored, order))

    @property
    def _finest_first(self) -> range:
        return range(1, self.levels + 1)

    def _of_level(self, table: Tensor, level: int) -> Tensor:
        """Columns of a table [3, B, ..] that are details of a level, or the low-pass picture."""
        first, count = self._bands_of(level)
        return table[:, first : first + count]

    def _bands_of(self, level: int) -> tuple[int, int]:
        """The first band of a level, and how many it has; 0 is the low-pass picture."""
        return (1 + 3 * (self.levels - level), 3) if level else (0, 1)

    def _ranks(self, level: int) -> Tensor:
        """When a pass visits the block of each coefficient of a level: int32 [bands, h, w]."""
        first, count = self._bands_of(level)
        ranks = np.empty((count, *self.grid.bands[first, [ROWS, COLUMNS]]), np.int32)
        for part, band in zip(ranks, self.grid.bands[first : first + count], strict=True):
            blocks = self.grid.blocks[band[FIRST] : band[END]]
            for rank, (top, left) in enumerate(blocks.tolist()):
                part[top : top + BLOCK, left : left + BLOCK] = rank
        return torch.from_numpy(ranks)

    def planes(self, cuts: list[tuple[int, float]]) -> list[Tensor]:
        """int8 [N, 3, 3, h, w, 2] of levels 1 .., last [N, 3, 1, h, w, 2] of the low-pass picture.

        A cut is so many whole passes, and the share of the next one's blocks.
        """
        whole = torch.tensor([n for n, _ in cuts], device=self.device)
        share = torch.tensor([s for _, s in cuts], device=self.device, dtype=torch.float64)
        reached = self.reached[whole]  # [N, 3, B, 2]
        channel, band, plane, kind = self.next[whole].T
        bands = torch.from_numpy(self.grid.bands).to(self.device)
        blocks = (bands[band, END] - bands[band, FIRST]).where(whole < len(self.next) - 1, 0)
        told = (share * blocks).int()
        here = torch.zeros_like(reached, dtype=torch.bool)
        here[torch.arange(len(cuts), device=self.device), channel, band, kind] = True
        made = []
        for level, ranks in zip((*self._finest_first, 0), self.ranks, strict=True):
            first, count = self._bands_of(level)
            known, part = (
                table[:, :, first : first + count, None, None] for table in (reached, here)
            )
            visited = (ranks < told[:, None, None, None])[:, None, ..., None]
            under = plane.to(torch.int8)[:, None, None, None, None, None]
            made.append(torch.where(part & visited, under, known))
        return made


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
