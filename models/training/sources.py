"""What there is to train on, by name: how a folder is read, and what a step draws from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from models.training import data, photos


class Draw(Protocol):
    """Stored pictures -> uint8 [batch, side, side, 3]."""

    def __call__(
        self, stored: Tensor, batch: int, generator: torch.Generator, *, side: int
    ) -> Tensor:
        """Draw a batch."""
        ...


@dataclass(frozen=True)
class Source:
    """``load`` returns pictures to train on and to validate with, uint8 [N, H, W, 3]."""

    load: Callable[[Path], tuple[Tensor, Tensor]]
    draw: Draw


def thumbnails(
    stored: Tensor, batch: int, generator: torch.Generator, *, side: int = data.SIDE
) -> Tensor:
    """``data.random_thumbnails``, which have one size."""
    if side != data.SIDE:
        raise ValueError(f"thumbnails have a side of {data.SIDE}, not {side}")
    return data.random_thumbnails(stored, batch, generator)


SOURCES = {
    "thumbnails": Source(data.load, thumbnails),
    "photos": Source(photos.load, photos.random_crops),
    "high-entropy": Source(photos.load_high_entropy, photos.random_crops),
}
