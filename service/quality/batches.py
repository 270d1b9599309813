"""What every measure asks of two batches of pictures, and how it goes through them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

PEAK = 255.0
_BATCH_SAMPLES = 64 * 32 * 32 * 3  # what is worked on at once stays in the processor's cache


def parts(pictures: NDArray[np.uint8]) -> list[slice]:
    """Slices of a batch [N, H, W, 3] that are worked on at once."""
    step = max(1, _BATCH_SAMPLES // max(1, pictures[0].size)) if len(pictures) else 1
    return [slice(start, start + step) for start in range(0, len(pictures), step)]


def check(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> None:
    """Raises ValueError unless both are uint8 [N, H, W, 3] of one shape."""
    if a.shape != b.shape or a.ndim != 4 or a.shape[3] != 3:
        raise ValueError(f"two batches [N, H, W, 3] of one shape, not {a.shape} and {b.shape}")
    if a.dtype != np.uint8 or b.dtype != np.uint8:
        raise ValueError(f"pictures are uint8, not {a.dtype} and {b.dtype}")
