"""RGB -> WebP, PNG, JPEG or AVIF, at any size, with no metadata."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image

from service.codec.interface import Pixels
from service.errors import ParameterError
from service.pictures.frame import WHOLE, Placed

Output = Literal["webp", "png", "jpg", "avif"]
PHOTO_OUTPUTS: tuple[Output, ...] = get_args(Output)
OUTPUTS: tuple[Output, ...] = ("webp", "png", "jpg")
"""Those that a thumbnail has URLs for."""
SIZES = range(1, 513)

OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "webp": ("WEBP", {"quality": 90, "method": 4}),
    "png": ("PNG", {}),
    # 4:4:4, because a thumbnail's colours are as fine as its shapes
    "jpg": ("JPEG", {"quality": 90, "subsampling": 0, "optimize": True}),
    "avif": ("AVIF", {"quality": 90, "speed": 8, "subsampling": "4:4:4"}),
}
"""Output -> Pillow's name and options. 90: the codec's own loss stays the larger one."""
PHOTO_OPTIONS: dict[Output, tuple[str, dict[str, Any]]] = {
    "webp": ("WEBP", {"quality": 85, "method": 3}),
    "png": ("PNG", {"compress_level": 3}),
    "jpg": ("JPEG", {"quality": 88, "subsampling": "4:2:0", "optimize": True}),
    "avif": ("AVIF", {"quality": 75, "speed": 8, "max_threads": 1}),
}
"""For photos, where time and bytes count for more."""
PAINT_COST: dict[Output, int] = {"webp": 300, "png": 600, "jpg": 100, "avif": 700}
"""Nanoseconds of one core a pixel, resizing included, of pictures from 1 to 3 megapixels."""
PAINT_PIXEL_BYTES = 8
"""Memory of a pixel of the result while it is painted: as Pillow holds it, and its file."""


def paint(
    rgb: Pixels, format: Output, *, size: int | None = None, aspect: float | None = None
) -> bytes:
    """``rgb``, uint8 [H, W, 3], as a file.

    ``size`` is the longest side of the result in pixels, 1..512; None leaves the picture as it is.
    ``aspect`` is the width / height to stretch it to, its own unless given; it needs ``size``.
    Raises ParameterError for a format or a size that there is not.
    """
    if format not in OPTIONS:
        raise ParameterError("format", f"no output {format!r}", ", ".join(OPTIONS))
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"a picture is uint8 [H, W, 3], not {rgb.dtype} {rgb.shape}")
    picture = Image.fromarray(rgb)
    if size is not None:
        if size not in SIZES:
            bounds = f"{SIZES.start}..{SIZES.stop - 1}"
            raise ParameterError("size", f"a size of {size} is not in {bounds}", bounds)
        shape = picture.width / picture.height if aspect is None else aspect
        picture = picture.resize(box(size, shape), Image.Resampling.LANCZOS)
    return _saved(picture, *OPTIONS[format])


def paint_photo(rgb: Pixels, format: Output, placed: Placed, quality: int | None = None) -> bytes:
    """The part of ``rgb``, uint8 [H, W, 3], that ``placed`` shows, as a file.

    ``quality`` is 1..100, the format's own scale; PNG has none.
    """
    height, width = rgb.shape[:2]
    left, top, right, bottom = placed.region
    picture = Image.fromarray(rgb)
    shown = (placed.shown.width, placed.shown.height)
    if placed.region != WHOLE or shown != picture.size:
        box = (left * width, top * height, right * width, bottom * height)
        picture = picture.resize(shown, Image.Resampling.LANCZOS, box)
    name, options = PHOTO_OPTIONS[format]
    if quality is not None and "quality" in options:
        options = {**options, "quality": quality}
    return _saved(picture, name, options)


def _saved(picture: Image.Image, name: str, options: dict[str, Any]) -> bytes:
    body = BytesIO()
    picture.save(body, name, **options)
    return body.getvalue()


def box(size: int, aspect: float) -> tuple[int, int]:
    """Width and height of longest side ``size`` and nearest to ``aspect``; neither is under 1."""
    if aspect >= 1:
        return size, max(1, round(size / aspect))
    return max(1, round(size * aspect)), size
