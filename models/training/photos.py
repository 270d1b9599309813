"""Tiles of photos in, random crops out; and those tiles that are hardest to compress."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

SIDE = 256
VALIDATION_SIDE = 64
HARD_SIDE = 32
HARD_SHARE = 100 / 880
"""Toderici et al. 2016 keep 100 of the 880 whole tiles of a picture of 1280x720."""

Pixels = NDArray[np.uint8]


def load(folder: Path) -> tuple[Tensor, Tensor]:
    """Tiles to train on, uint8 [N, 256, 256, 3], and crops to validate with, [M, 64, 64, 3].

    Shards ``photos-train*.npz`` hold ``blob`` (encoded tiles end to end) and ``offsets``; the crops
    are the middles of ``photos-validation/*.png``, or of every 20th tile, which is then held back.
    Raises FileNotFoundError where there are no shards, ValueError for a tile of another size.
    """
    tiles = load_tiles(folder)
    held = sorted((folder / "photos-validation").glob("*.png"))
    if held:
        return tiles, torch.from_numpy(np.stack([middle(opened(path)) for path in held]))
    validation = np.stack([middle(tile) for tile in tiles[::20].numpy()])
    return tiles[torch.arange(len(tiles)) % 20 != 0], torch.from_numpy(validation)


def load_tiles(folder: Path) -> Tensor:
    """All tiles of ``photos-train*.npz``, uint8 [N, 256, 256, 3]; raises as ``load`` does."""
    shards = sorted(folder.glob("photos-train*.npz"))
    if not shards:
        raise FileNotFoundError(f"{folder} holds no photos-train*.npz")
    return torch.from_numpy(np.concatenate([_tiles(shard) for shard in shards]))


def load_high_entropy(folder: Path) -> tuple[Tensor, Tensor]:
    """The same, but of each tile only the 32x32 parts that PNG compresses worst: [K, 32, 32, 3]."""
    tiles, validation = load(folder)
    hard = np.concatenate([high_entropy(tile) for tile in tiles.numpy()])
    return torch.from_numpy(hard), validation


def high_entropy(picture: Pixels, share: float = HARD_SHARE) -> Pixels:
    """The share of a picture's 32x32 tiles whose PNG is largest: uint8 [K, 32, 32, 3], K >= 1.

    Source: Toderici et al. 2016, section 5.1. All tiles have one size, so the largest PNG is the
    worst ratio.
    """
    rows, columns = picture.shape[0] // HARD_SIDE, picture.shape[1] // HARD_SIDE
    whole = picture[: rows * HARD_SIDE, : columns * HARD_SIDE]
    tiles = whole.reshape(rows, HARD_SIDE, columns, HARD_SIDE, 3).swapaxes(1, 2)
    tiles = tiles.reshape(-1, HARD_SIDE, HARD_SIDE, 3)
    sizes = [png_bytes(tile) for tile in tiles]
    kept = max(1, round(share * len(tiles)))
    return tiles[np.sort(np.argsort(sizes, kind="stable")[-kept:])]


def png_bytes(tile: Pixels) -> int:
    """Length of a picture's PNG."""
    body = io.BytesIO()
    Image.fromarray(tile).save(body, "png")
    return body.tell()


def random_crops(stored: Tensor, batch: int, generator: torch.Generator, *, side: int) -> Tensor:
    """Random crops of stored pictures, flipped half of the time: uint8 [batch, side, side, 3].

    They lie where ``stored`` lies. ``generator`` is of the host or of that device, where nothing
    waits for it.
    """
    high, wide = stored.shape[1:3]
    if side > min(high, wide):
        raise ValueError(f"no crop of {side} pixels in pictures of {wide}x{high}")

    def draw(bound: int) -> Tensor:
        return torch.randint(bound, (batch,), generator=generator, device=generator.device)

    inside = torch.arange(side, device=generator.device)
    rows = draw(high - side + 1)[:, None] + inside
    columns = draw(wide - side + 1)[:, None] + inside
    columns = torch.where(draw(2)[:, None] == 1, columns.flip(1), columns)
    at = draw(len(stored))[:, None, None], rows[:, :, None], columns[:, None, :]
    return stored[tuple(part.to(stored.device, non_blocking=True) for part in at)]


def middle(picture: Pixels, side: int = VALIDATION_SIDE) -> Pixels:
    """The square in the middle."""
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    return picture[top : top + side, left : left + side]


def opened(source: Path | io.BytesIO) -> Pixels:
    """The pixels of a picture file, uint8 [H, W, 3]."""
    with Image.open(source) as picture:
        return np.asarray(picture.convert("RGB"))


def _tiles(shard: Path) -> Pixels:
    with np.load(shard) as z:
        blob, offsets = z["blob"], z["offsets"]
    tiles = np.empty((len(offsets) - 1, SIDE, SIDE, 3), np.uint8)
    for tile, (start, end) in zip(tiles, pairwise(offsets), strict=True):
        found = opened(io.BytesIO(blob[start:end].tobytes()))
        if found.shape != tile.shape:
            raise ValueError(f"{shard.name}: a tile of {found.shape[:2]}, not {tile.shape[:2]}")
        tile[:] = found
    return tiles
