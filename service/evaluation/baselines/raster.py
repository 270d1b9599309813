"""Writing and reading pictures with Pillow, for the baselines that it carries."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image, ImageFile, features
from PIL import __version__ as pillow_version

from service.evaluation.baselines.base import Pixels

FILE_BYTES = 4096
"""Of a file of hardly any pixels."""


def write(rgb: Pixels, format: str, **options: object) -> bytes:
    """The whole file that Pillow's plugin ``format`` makes of uint8 [H, W, 3]."""
    # a JPEG with tables of its own must fit in one block, and noise takes over a byte a pixel
    ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, rgb.size + FILE_BYTES)
    out = BytesIO()
    Image.fromarray(rgb).save(out, format, **options)
    return out.getvalue()


def read(data: bytes, size: tuple[int, int]) -> Pixels:
    """uint8 [H, W, 3] of a file. Raises ValueError when it is not of ``size`` (height, width)."""
    with Image.open(BytesIO(data)) as picture:
        rgb = np.asarray(picture.convert("RGB"))
    if rgb.shape[:2] != size:
        raise ValueError(f"the file holds {rgb.shape[:2]} pixels, not {size}")
    return rgb


def version(feature: str) -> str:
    """The library behind a feature of Pillow, as ``Pillow 12.0 (webp 1.6.0)``."""
    return f"Pillow {pillow_version} ({feature} {features.version(feature)})"
