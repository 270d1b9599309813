"""SSIM with a sliding Gaussian window, on one scale and on five."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.jit import compiled

WINDOW = 11
SIGMA = 1.5
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
MS_SSIM_SIDE = (WINDOW - 1) * 2 ** (len(SCALE_WEIGHTS) - 1) + 1
"""Shortest side, in pixels, that leaves a whole window on the fifth scale: 161."""

C1 = (0.01 * 255) ** 2
C2 = (0.03 * 255) ** 2


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
    x, y = (np.ascontiguousarray(one.transpose(2, 0, 1), np.float32) for one in (a, b))
    product = np.ones(3)
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            x, y = _halve(x), _halve(y)
        last = scale == len(SCALE_WEIGHTS) - 1
        terms = [_mean_term(p, q, TAPS, last) for p, q in zip(x, y, strict=True)]
        product *= np.maximum(terms, 0) ** weight
    return float(product.mean())


TAPS = np.exp(-0.5 * (np.arange(WINDOW) - WINDOW // 2) ** 2 / SIGMA**2)
TAPS = (TAPS / TAPS.sum()).astype(np.float32)


@compiled
def _mean_term(
    x: NDArray[np.float32], y: NDArray[np.float32], taps: NDArray[np.float32], light: bool
) -> float:
    """Mean over every whole window of contrast times structure, with ``light`` times luminance.

    Five rows of sums at a time: x, y, their squares together, their product.
    """
    height, width = x.shape
    size = len(taps)
    c1, c2 = np.float32(C1), np.float32(C2)
    down = np.empty((4, width), np.float32)
    total = 0.0
    for row in range(height - size + 1):
        down[:] = 0
        for k in range(size):
            tap = taps[k]
            for c in range(width):
                p, q = x[row + k, c] - np.float32(128), y[row + k, c] - np.float32(128)
                down[0, c] += tap * p
                down[1, c] += tap * q
                down[2, c] += tap * (p * p + q * q)
                down[3, c] += tap * p * q
        for c in range(width - size + 1):
            mx = my = squares = product = np.float32(0)
            for k in range(size):
                mx += taps[k] * down[0, c + k]
                my += taps[k] * down[1, c + k]
                squares += taps[k] * down[2, c + k]
                product += taps[k] * down[3, c + k]
            both = mx * my
            means = mx * mx + my * my
            term = (2 * (product - both) + c2) / (squares - means + c2)
            if light:
                mx += np.float32(128)
                my += np.float32(128)
                term *= (2 * mx * my + c1) / (mx * mx + my * my + c1)
            total += float(term)
    return float(total / ((height - size + 1) * (width - size + 1)))


def _halve(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """The 2x2 mean of [3, H, W]."""
    height, width = planes.shape[1:]
    even = np.pad(planes, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    halved: NDArray[np.float32] = (
        even[:, ::2, ::2] + even[:, 1::2, ::2] + even[:, ::2, 1::2] + even[:, 1::2, 1::2]
    ) * np.float32(0.25)
    return halved
