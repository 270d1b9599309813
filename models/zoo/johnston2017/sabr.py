"""Spatially adaptive bit rates: Johnston et al. 2017, section 3.4. No network, nothing trained.

Each tile of 16x16 pixels gets the fewest iterations that make it good enough; the bits of those
that it does not get are 0 for the decoder, neither -1 nor +1. A map of the numbers goes first.

Our reading: a tile's quality is met when the WORST of its four 8x8 parts has a mean absolute error
of at most the threshold, which is found by bisection, so that tiles get the wanted iterations in
the mean. No tile gets less than half of them, rounded up, nor more than 1.2 times as many.
"""

from __future__ import annotations

import math
import zlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.zoo.toderici2016.network import TILE

PART = 8
ROUNDS = 30

Floats = NDArray[np.float64]
Steps = NDArray[np.uint8]


def worst_parts(x: Tensor, pictures: list[Tensor]) -> Tensor:
    """Errors of tiles: [N, 3, H, W] and the picture after each of T iterations -> [T, N, h, w]."""
    errors = []
    for picture in pictures:
        parts = functional.avg_pool2d((x - picture).abs().mean(1, keepdim=True), PART)
        errors.append(functional.max_pool2d(parts, TILE // PART)[:, 0])
    return torch.stack(errors)


def bounds(wanted: float, iterations: int) -> tuple[int, int]:
    """Fewest and most iterations of a tile where the mean is to be ``wanted``."""
    return math.ceil(0.5 * wanted), min(iterations, math.ceil(1.2 * wanted))


def fewest(errors: Floats, threshold: float, wanted: float) -> Steps:
    """Iterations of each tile, [h, w], that bring its error, [T, h, w], to the threshold."""
    good = errors <= threshold
    first = np.where(good.any(axis=0), good.argmax(axis=0) + 1, len(errors))
    return first.clip(*bounds(wanted, len(errors))).astype(np.uint8)


def allocate(errors: Floats, wanted: float) -> Steps:
    """Iterations of each tile, [h, w]: their mean is at most ``wanted``, as near as thresholds go.

    Raises ValueError unless 1 <= wanted <= T.
    """
    if not 1 <= wanted <= len(errors):
        raise ValueError(f"{wanted} iterations of {len(errors)}")
    low, high = 0.0, float(errors.max())
    for _ in range(ROUNDS):
        middle = (low + high) / 2
        if fewest(errors, middle, wanted).mean() <= wanted:
            high = middle
        else:
            low = middle
    return fewest(errors, high, wanted)


def without(codes: list[Tensor], steps: Tensor) -> list[Tensor]:
    """Bits [N, 32, h, w] of each iteration, 0 where a tile, [N, h, w], does not get it."""
    return [bits * (steps > t)[:, None] for t, bits in enumerate(codes)]


def map_bytes(steps: Steps, lowest: int) -> bytes:
    """The map, row after row, as the paper sends it: deflated, here without gzip's header."""
    deflate = zlib.compressobj(9, wbits=-15)
    return deflate.compress((steps - np.uint8(lowest)).tobytes()) + deflate.flush()


def map_of(data: bytes, lowest: int, height: int, width: int) -> Steps:
    """The map that was sent. Raises ValueError where it is not one of this size."""
    try:
        flat = np.frombuffer(zlib.decompress(data, wbits=-15), np.uint8)
    except zlib.error as error:
        raise ValueError(f"the map does not inflate: {error}") from error
    if flat.size != height * width:
        raise ValueError(f"a map of {flat.size} tiles, not {height * width}")
    return (flat + np.uint8(lowest)).reshape(height, width)
