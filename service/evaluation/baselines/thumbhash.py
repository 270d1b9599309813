"""ThumbHash: the encoder of the package ``thumbhash``, and a decoder of opaque hashes.

The packages that decode either paint wrongly or want a Pillow of years ago. Layout, low bits first:
24 bits of luminance DC (6), P DC (6), Q DC (6), luminance scale (5) and whether there is alpha (1);
16 bits of the shorter side's luminance components (3), P scale (6), Q scale (6) and whether it is
landscape (1); then the AC coefficients in 4 bits each: luminance, P, Q.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.evaluation.baselines.base import Pixels

LONGEST_SIDE = 32
ENCODER_SIDE = 100
LONG_COMPONENTS = 7
CHROMA_GAIN = 1.25
Floats = NDArray[np.float64]


def encode(rgb: Pixels) -> bytes:
    """The hash of uint8 [H, W, 3], which is first made no larger than the encoder takes."""
    from thumbhash import rgba_to_thumb_hash

    picture = Image.fromarray(rgb)
    picture.thumbnail((ENCODER_SIDE, ENCODER_SIDE))
    rgba = list(picture.convert("RGBA").tobytes())
    return bytes(rgba_to_thumb_hash(picture.width, picture.height, rgba))


def decode(data: bytes) -> Pixels:
    """The picture of an opaque hash, its longest side 32. Raises ValueError for one with alpha."""
    first, second = int.from_bytes(data[:3], "little"), int.from_bytes(data[3:5], "little")
    if first >> 23:
        raise ValueError("the hash has alpha")
    short, is_landscape = second & 7, bool(second >> 15)
    across, down = (LONG_COMPONENTS, short) if is_landscape else (short, LONG_COMPONENTS)
    ratio = across / down
    width = round(LONGEST_SIDE * min(1.0, ratio))
    height = round(LONGEST_SIDE / max(1.0, ratio))
    nibbles = np.frombuffer(data[5:], np.uint8)
    values = np.stack((nibbles & 15, nibbles >> 4), -1).ravel() / 7.5 - 1
    planes, at = [], 0
    for dc, scale, nx, ny in (
        ((first & 63) / 63, (first >> 18 & 31) / 31, max(3, across), max(3, down)),
        ((first >> 6 & 63) / 31.5 - 1, CHROMA_GAIN * (second >> 3 & 63) / 63, 3, 3),
        ((first >> 12 & 63) / 31.5 - 1, CHROMA_GAIN * (second >> 9 & 63) / 63, 3, 3),
    ):
        places = _places(nx, ny)
        ac = scale * values[at : at + len(places)]
        at += len(places)
        planes.append(dc + _transform(ac, places, width, height))
    light, p, q = planes
    blue = light - 2 / 3 * p
    red = (3 * light - blue + q) / 2
    rgb = np.stack((red, red - q, blue), -1)
    return (255 * rgb).round().clip(0, 255).astype(np.uint8)


def _places(nx: int, ny: int) -> list[tuple[int, int]]:
    """(horizontal, vertical) frequency of each AC coefficient: a triangle without its DC."""
    return [(x, y) for y in range(ny) for x in range(nx) if (x or y) and x * ny < nx * (ny - y)]


def _transform(ac: Floats, places: list[tuple[int, int]], width: int, height: int) -> Floats:
    """The sum of cosines [height, width]."""
    columns, rows = np.arange(width) + 0.5, np.arange(height) + 0.5
    plane = np.zeros((height, width))
    for value, (x, y) in zip(ac, places, strict=True):
        down, along = np.cos(np.pi / height * rows * y), np.cos(np.pi / width * columns * x)
        plane += 2 * value * down[:, None] * along
    return plane
