"""Pictures as arrays. Apart from their sizes, which the command line reads without NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.codec.geometry import THUMB_SIDE

Pixels = NDArray[np.uint8]
"""RGB, uint8, [H, W, 3]."""


def thumbnails(pictures: Sequence[Pixels], aspects: Sequence[float]) -> Pixels:
    """Thumbnails as one array, uint8 [N, 32, 32, 3]. Raises ValueError for anything else."""
    shape = (THUMB_SIDE, THUMB_SIDE, 3)
    wrong = [p for p in pictures if p.shape != shape or p.dtype != np.uint8]
    if wrong or len(pictures) != len(aspects):
        found = f"{wrong[0].dtype} {list(wrong[0].shape)}" if wrong else f"{len(pictures)} pictures"
        raise ValueError(
            f"a picture is uint8 {list(shape)} and has one of the aspects, not {found} and"
            f" {len(aspects)} aspects"
        )
    return np.stack(pictures) if len(pictures) else np.empty((0, *shape), np.uint8)
