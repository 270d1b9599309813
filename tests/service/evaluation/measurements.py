"""Measurements made up from formulas, for tests of what is printed of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.evaluation.measure.measuring import Measured


def measured(
    name: str,
    payload_bytes: list[list[int]],
    ssim: list[list[float]],
    *,
    header_bytes: int = 2,
    own_size: bool = False,
) -> Measured:
    """I pictures at S settings; PSNR is 30 times SSIM."""
    payload: NDArray[np.int64] = np.array(payload_bytes, np.int64)
    scores = np.array(ssim, float)
    return Measured(
        name,
        f"the {name}",
        "1",
        "its headers",
        own_size,
        payload,
        payload + header_bytes,
        {"ssim": scores, "psnr": 30 * scores},
    )


def straight(
    name: str, start: float, slope: float, pictures: int = 3, header_bytes: int = 2
) -> Measured:
    """SSIM is ``start + slope * log2(bytes)`` of the payload, at 8, 9 ... 300 bytes."""
    sizes = np.arange(8, 301)
    scores = start + slope * np.log2(sizes)
    return measured(
        name,
        [sizes.tolist()] * pictures,
        [(scores + 0.001 * row).tolist() for row in range(pictures)],
        header_bytes=header_bytes,
    )
