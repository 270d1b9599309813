"""What the bench uploads: JPEGs that differ from each other, so that none is known already."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

SOI = b"\xff\xd8"
SIZE = (1024, 768)
OCTAVES = 7
QUALITY = 85


def synthetic_photo(seed: int = 0) -> bytes:
    """A JPEG of 1024x768 whose spectrum falls off as a photo's does (noise at every octave)."""
    draw = np.random.default_rng(seed)
    width, height = SIZE
    total = np.zeros((height, width, 3), np.float32)
    for octave in range(1, OCTAVES + 1):
        cells = draw.uniform(-1, 1, (3 * 2**octave // 4 + 1, 2**octave, 3)).astype(np.float32)
        planes = [
            np.asarray(Image.fromarray(cells[..., channel]).resize(SIZE, Image.Resampling.BICUBIC))
            for channel in range(3)
        ]
        total += np.stack(planes, -1) / octave
    total = 128 + 60 * total / total.std()
    body = BytesIO()
    Image.fromarray(total.clip(0, 255).astype(np.uint8)).save(body, "JPEG", quality=QUALITY)
    return body.getvalue()


def different(jpeg: bytes, count: int) -> list[bytes]:
    """``count`` JPEGs of different pictures: the given one, then it shifted sideways.

    Equal work asked for at the same time is done once by the service; these are all different.
    Raises ValueError for what Pillow does not open.
    """
    try:
        with Image.open(BytesIO(jpeg)) as photo:
            pixels = np.asarray(photo.convert("RGB"))
    except OSError as wrong:
        raise ValueError("the photo is not one that Pillow opens") from wrong
    found = [jpeg]
    for number in range(1, count):
        body = BytesIO()
        shifted = np.roll(pixels, number * pixels.shape[1] // count, axis=1)
        Image.fromarray(shifted).save(body, "JPEG", quality=QUALITY)
        found.append(body.getvalue())
    return found


def variant(jpeg: bytes, number: int) -> bytes:
    """The same picture as another file: with a comment that holds ``number`` (under 2^64).

    Raises ValueError for what is no JPEG.
    """
    if not jpeg.startswith(SOI):
        raise ValueError("the bench uploads JPEGs only")
    return SOI + b"\xff\xfe\x00\x0a" + number.to_bytes(8, "big") + jpeg[2:]
