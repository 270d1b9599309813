"""Peak signal-to-noise ratio of batches of pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.quality.batches import PEAK, check, parts

PSNR_CEILING_DB = 100.0


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Peak signal-to-noise ratio in dB over RGB: float64 [N] for two uint8 [N, H, W, 3].

    Equal pictures have ``PSNR_CEILING_DB``, so that a mean over pictures stays finite.
    Raises ValueError when the shapes differ or are not pictures.
    """
    check(a, b)
    squared = np.empty(len(a))
    for part in parts(a):
        difference = a[part].astype(np.int16) - b[part]
        flat = difference.reshape(len(difference), -1).astype(np.float32)
        squared[part] = np.einsum("ij,ij->i", flat, flat, dtype=np.float64, casting="same_kind")
    samples = a[0].size if len(a) else 1
    floor = samples * PEAK**2 * 10.0 ** (-PSNR_CEILING_DB / 10)
    decibels = 10 * np.log10(samples * PEAK**2 / np.maximum(squared, floor))
    return np.asarray(decibels, dtype=np.float64)
