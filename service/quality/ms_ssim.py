"""SSIM with a sliding Gaussian window, on one scale and on five."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

WINDOW = 11
SIGMA = 1.5
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
MS_SSIM_SIDE = (WINDOW - 1) * 2 ** (len(SCALE_WEIGHTS) - 1) + 1
"""Shortest side, in pixels, that leaves a whole window on the fifth scale: 161."""

_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2


def standard_ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    """SSIM of Wang et al. 2004 over RGB: float64 [N] for two uint8 [N, H, W, 3].

    Gaussian window (sigma 1.5, 11 taps), statistics over the window, the mean over all windows
    that lie inside and over the channels; as scikit-image computes it.
    """
    from skimage import metrics

    similarity: Callable[..., float] = metrics.structural_similarity
    return np.array(
        [
            similarity(
                x,
                y,
                data_range=255,
                channel_axis=2,
                gaussian_weights=True,
                sigma=SIGMA,
                use_sample_covariance=False,
            )
            for x, y in zip(a, b, strict=True)
        ],
        dtype=np.float64,
    )


def ms_ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    """MS-SSIM of Wang et al. 2003 over RGB: float64 [N] for two uint8 [N, H, W, 3].

    Five scales, each the 2x2 mean of the one before (an odd last row or column is repeated); the
    product is taken for each channel, then the mean over channels. Negative contrast counts as 0.
    Raises ValueError for a side under ``MS_SSIM_SIDE``.
    """
    if a.shape != b.shape or a.ndim != 4:
        raise ValueError(f"two batches [N, H, W, 3] of one shape, not {a.shape} and {b.shape}")
    if min(a.shape[1:3]) < MS_SSIM_SIDE:
        raise ValueError(f"MS-SSIM needs {MS_SSIM_SIDE} pixels a side, not {a.shape[1:3]}")
    return np.array([_ms_ssim(x, y) for x, y in zip(a, b, strict=True)], dtype=np.float64)


def _ms_ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Of one pair [H, W, 3]."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    product = np.ones(3)
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            x, y = _halve(x), _halve(y)
        light, contrast = _statistics(x, y)
        last = scale == len(SCALE_WEIGHTS) - 1
        term = (light * contrast if last else contrast).mean(axis=(0, 1))
        product *= np.maximum(term, 0) ** weight
    return float(product.mean())


def _statistics(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Luminance term, and contrast times structure, of every whole window [H-10, W-10, 3]."""
    mx, my = _blur(x), _blur(y)
    vx, vy, cov = _blur(x * x) - mx * mx, _blur(y * y) - my * my, _blur(x * y) - mx * my
    light = (2 * mx * my + _C1) / (mx * mx + my * my + _C1)
    return light, (2 * cov + _C2) / (vx + vy + _C2)


def _blur(values: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.ndimage import correlate1d

    taps = np.exp(-0.5 * (np.arange(WINDOW) - WINDOW // 2) ** 2 / SIGMA**2)
    taps /= taps.sum()
    edge = slice(WINDOW // 2, -(WINDOW // 2))
    rows = correlate1d(values, taps, axis=0)[edge]
    return np.asarray(correlate1d(rows, taps, axis=1)[:, edge], dtype=np.float64)


def _halve(values: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width = values.shape[:2]
    even = np.pad(values, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
