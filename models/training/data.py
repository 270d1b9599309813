"""Photos in, random 32x32 thumbnails out: crops, flips, one antialiased resize."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

STORED_SIDE = 64
SMALLEST_CROP = 40
SIDE = 32
PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".tif", ".tiff"}


def load_training(folder: Path) -> Tensor:
    """All training photos of a folder as uint8 [N, 64, 64, 3].

    Shards ``*train*.npz`` hold ``blob`` (encoded pictures end to end) and ``offsets``; those of
    larger tiles, ``photos-*``, are left alone. Without shards every picture file below the folder
    is squashed to 64x64. Raises FileNotFoundError when there is neither.
    """
    shards = [s for s in sorted(folder.glob("*train*.npz")) if not s.name.startswith("photos-")]
    pictures = list(_from_shards(shards) if shards else _from_files(folder))
    if not pictures:
        raise FileNotFoundError(f"{folder} holds neither *train*.npz shards nor pictures")
    return torch.from_numpy(np.stack(pictures))


def load_validation(folder: Path) -> Tensor:
    """Validation thumbnails as uint8 [N, 32, 32, 3], from ``*validation*.npz`` (``rgb``).

    A folder of pictures has none: the training command then holds every 20th photo back.
    """
    (shard,) = sorted(folder.glob("*validation*.npz"))
    return torch.from_numpy(np.load(shard)["rgb"])


def load(folder: Path) -> tuple[Tensor, Tensor]:
    """Training photos [N, 64, 64, 3] and validation thumbnails [M, 32, 32, 3], both uint8."""
    photos = load_training(folder)
    if any(folder.glob("*validation*.npz")):
        return photos, load_validation(folder)
    held = torch.zeros(len(photos), dtype=torch.bool)
    held[::20] = True
    return photos[~held], to_thumbnails(photos[held])


def digest(*arrays: Tensor) -> str:
    """SHA-256 of the pixels: how a manifest names data that it does not publish."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(array.contiguous().numpy().tobytes())
    return total.hexdigest()


def random_thumbnails(photos: Tensor, batch: int, generator: torch.Generator) -> Tensor:
    """Random crops of 40 to 64 pixels, flipped half of the time: uint8 [batch, 32, 32, 3]."""

    def draw(high: int, count: int) -> Tensor:
        return torch.randint(high, (count,), generator=generator)

    side = SMALLEST_CROP + int(draw(STORED_SIDE - SMALLEST_CROP + 1, 1))
    inside = torch.arange(side)
    rows = draw(STORED_SIDE - side + 1, batch)[:, None] + inside
    columns = draw(STORED_SIDE - side + 1, batch)[:, None] + inside
    flip = draw(2, batch).bool()
    columns[flip] = columns[flip].flip(1)
    which = draw(len(photos), batch)
    return to_thumbnails(photos[which[:, None, None], rows[:, :, None], columns[:, None, :]])


def to_thumbnails(photos: Tensor) -> Tensor:
    """uint8 [N, S, S, 3] -> uint8 [N, 32, 32, 3], by the filter that the service resizes with."""
    weights = lanczos(photos.shape[1])
    planes = photos.permute(0, 3, 1, 2).float()
    small = weights @ planes @ weights.T
    return small.round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous()


@cache
def lanczos(side: int) -> Tensor:
    """Lanczos resize as a matrix, antialiased, of three lobes: float [32, side]."""
    scale = side / SIDE
    centre = (torch.arange(SIDE, dtype=torch.float64)[:, None] + 0.5) * scale
    off = (torch.arange(side, dtype=torch.float64) + 0.5 - centre) / scale
    weights = torch.sinc(off) * torch.sinc(off / 3) * (off.abs() < 3)
    return (weights / weights.sum(dim=1, keepdim=True)).float()


def to_network(rgb: Tensor) -> Tensor:
    """uint8 [N, H, W, 3] -> float [N, 3, H, W] in [-0.9, 0.9], the papers' range."""
    return rgb.permute(0, 3, 1, 2).float() * (1.8 / 255) - 0.9


def to_rgb(planes: Tensor) -> Tensor:
    """float [N, 3, H, W] in the papers' range -> uint8 [N, H, W, 3]."""
    return ((planes.float() + 0.9) * (255 / 1.8)).round().clamp(0, 255).byte().permute(0, 2, 3, 1)


def _from_shards(shards: list[Path]) -> Iterator[np.ndarray]:
    for shard in shards:
        with np.load(shard) as z:
            blob, offsets = z["blob"], z["offsets"]
        for start, end in pairwise(offsets):
            yield _squashed(io.BytesIO(blob[start:end].tobytes()))


def _from_files(folder: Path) -> Iterator[np.ndarray]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in PICTURE_SUFFIXES:
            yield _squashed(path)


def _squashed(source: Path | io.BytesIO) -> np.ndarray:
    with Image.open(source) as picture:
        rgb = picture.convert("RGB")
        if rgb.size != (STORED_SIDE, STORED_SIDE):
            rgb = rgb.resize((STORED_SIDE, STORED_SIDE), Image.Resampling.LANCZOS)
        return np.asarray(rgb)
