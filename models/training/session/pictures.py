"""Pictures that lie on the device, and random parts of them that are drawn there.

Nothing here waits for the device or has a shape that chance decides: a step can be captured.
"""

from __future__ import annotations

import multiprocessing
import os
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.training import data, photos
from models.zoo.fc_lstm_bitwise import grey

VALIDATION_SIDE = 128
NUMBER_OF_CROPS = data.STORED_SIDE - data.SMALLEST_CROP + 1
_tiles: np.ndarray | None = None
"""What forked processes read."""


class Pictures:
    """``draw`` and ``validation`` give [N, 3, H, W] in [-0.9, 0.9], on the device.

    ``stored`` are uint8 [N, H, W, 3]: of thumbnails 64x64, of which ``draw`` shrinks crops.
    """

    def __init__(self, kind: str, stored: Tensor, validation: Tensor, device: str) -> None:
        self.kind, self.stored = kind, stored.to(device)
        self.validation_rgb = validation.to(device)
        self.shrinking = _all_crops().to(device) if self.squashed else None

    @property
    def squashed(self) -> bool:
        """Whether a picture is a crop that was shrunk."""
        return self.kind in ("thumbnails", "grey")

    @property
    def validation(self) -> Tensor:
        """What a run is measured on."""
        return self._as_kind(data.to_network(self.validation_rgb))

    def draw(self, batch: int, side: int) -> Tensor:
        """Random crops, flipped half of the time."""
        planes = self._thumbnails(batch) if self.shrinking is not None else self._crops(batch, side)
        return self._as_kind(planes)

    def _as_kind(self, planes: Tensor) -> Tensor:
        return grey(planes) if self.kind == "grey" else planes

    def _below(self, bound: int, batch: int) -> Tensor:
        return torch.randint(bound, (batch,), device=self.stored.device)

    def _flips(self, batch: int) -> Tensor:
        return self._below(2, batch).bool()

    def _crops(self, batch: int, side: int) -> Tensor:
        high, wide = self.stored.shape[1:3]
        inside = torch.arange(side, device=self.stored.device)
        rows = self._below(high - side + 1, batch)[:, None] + inside
        columns = torch.where(self._flips(batch)[:, None], inside.flip(0), inside)
        columns = columns + self._below(wide - side + 1, batch)[:, None]
        which = self._below(len(self.stored), batch)
        rgb = self.stored[which[:, None, None], rows[:, :, None], columns[:, None, :]]
        return data.to_network(rgb)

    def _thumbnails(self, batch: int) -> Tensor:
        """As ``data.random_thumbnails``, but each crop has a size of its own."""
        assert self.shrinking is not None
        smaller = self._below(NUMBER_OF_CROPS, batch)  # how many crops of this size fit, less one

        def matrix() -> Tensor:
            chance = torch.rand(batch, device=self.stored.device)
            first = (chance * (smaller + 1)).long().clamp(max=NUMBER_OF_CROPS - 1)
            return self.shrinking[smaller, first]  # type: ignore[index]  # [batch, 32, 64]

        vertical, horizontal = matrix()[:, None], matrix()
        horizontal = torch.where(self._flips(batch)[:, None, None], horizontal.flip(1), horizontal)[
            :, None
        ]
        whole = self.stored[self._below(len(self.stored), batch)].permute(0, 3, 1, 2).float()
        small = (vertical @ whole @ horizontal.mT).round().clamp(0, 255)
        return small * (1.8 / 255) - 0.9


@cache
def _all_crops() -> Tensor:
    """Lanczos of the crop of side 64 - s that begins at f, zero around it: [s, f, 32, 64]."""
    table = torch.zeros(NUMBER_OF_CROPS, NUMBER_OF_CROPS, data.SIDE, data.STORED_SIDE)
    for smaller in range(NUMBER_OF_CROPS):
        side = data.STORED_SIDE - smaller
        for first in range(smaller + 1):
            table[smaller, first, :, first : first + side] = data.lanczos(side)
    return table


def load(folder: Path, kinds: set[str], measured: int | None) -> dict[str, tuple[Tensor, Tensor]]:
    """Stored pictures and those to validate with, at most ``measured``, of each kind that is asked
    for. Uses all cores, in processes: call it before the device is touched."""
    found = {}
    if kinds & {"thumbnails", "grey"}:
        stored, validation = data.load(folder)
        for kind in kinds & {"thumbnails", "grey"}:
            found[kind] = stored, validation[: measured or 300]
    if kinds & {"photos", "high-entropy"}:
        tiles, validation = _tiles_and_middles(folder)
        if "photos" in kinds:
            found["photos"] = tiles, validation[:measured]
        if "high-entropy" in kinds:
            found["high-entropy"] = _high_entropy(tiles), validation[:measured]
    return found


def _tiles_and_middles(folder: Path) -> tuple[Tensor, Tensor]:
    held = sorted((folder / "photos-validation").glob("*.png"))
    if not held:
        return photos.load(folder)
    middles = [photos.middle(photos.opened(path), VALIDATION_SIDE) for path in held]
    return photos.load_tiles(folder), torch.from_numpy(np.stack(middles))


def _high_entropy(tiles: Tensor) -> Tensor:
    global _tiles
    _tiles = tiles.numpy()
    try:
        with multiprocessing.get_context("fork").Pool(len(os.sched_getaffinity(0))) as pool:
            hard = pool.map(_hard_parts, range(len(tiles)), chunksize=16)
    finally:
        _tiles = None
    return torch.from_numpy(np.concatenate(hard))


def _hard_parts(number: int) -> np.ndarray:
    assert _tiles is not None
    return photos.high_entropy(_tiles[number])
