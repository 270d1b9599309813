"""Block SSIM of batches of pictures, quick enough to be measured while encoding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.quality.batches import PEAK, check, parts

BLOCK = 8

_C1 = (0.01 * PEAK) ** 2
_C2 = (0.03 * PEAK) ** 2


def block_ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    """SSIM as Toderici et al. 2015 measure it (section 4): float64 [N] for two uint8 [N, H, W, 3].

    One statistic for each 8x8 block and colour channel, no Gaussian window, the mean over all.
    The paper does not say by what a block's squared deviations are divided; here it is the number
    of pixels (64), not one less. Rows and columns past the last whole block do not count.
    Raises ValueError when the shapes differ, are not pictures, or hold no whole block.
    """
    check(a, b)
    height, width = a.shape[1] // BLOCK * BLOCK, a.shape[2] // BLOCK * BLOCK
    if not height or not width:
        raise ValueError(f"{a.shape[1]}x{a.shape[2]} pixels hold no {BLOCK}x{BLOCK} block")
    out = np.empty(len(a))
    for part in parts(a):
        x, y = a[part, :height, :width], b[part, :height, :width]
        out[part] = _block_map(x, y).reshape(len(x), -1).mean(axis=1)
    return out


def _block_map(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    """SSIM of each block and channel, in rows of blocks.

    The sums of 64 bytes, or of their products, are integers under 2**24: float32 holds them
    exactly in any order, so the result is the same on every machine.
    """
    width = a.shape[2]
    x = a.reshape(-1, BLOCK, width * 3).astype(np.float32)
    y = b.reshape(-1, BLOCK, width * 3).astype(np.float32)
    columns = np.empty((4, len(x), width * 3), np.float32)
    np.add.reduce(x, axis=1, out=columns[0])
    np.add.reduce(y, axis=1, out=columns[1])
    np.einsum("nij,nij->nj", x, y, out=columns[2])
    np.einsum("nij,nij->nj", x, x, out=columns[3])
    columns[3] += np.einsum("nij,nij->nj", y, y)
    sums = np.einsum("nwic->nwc", columns.reshape(-1, width // BLOCK, BLOCK, 3))
    means = sums.reshape(4, -1).astype(np.float64) / BLOCK**2  # of a, b, ab, a² + b²
    product = means[0] * means[1]
    squares = means[0] ** 2 + means[1] ** 2
    structure = (2 * (means[2] - product) + _C2) / (means[3] - squares + _C2)
    return np.asarray((2 * product + _C1) / (squares + _C1) * structure, dtype=np.float64).reshape(
        len(x), -1
    )
