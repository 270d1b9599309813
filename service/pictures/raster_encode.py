"""RGB -> WebP, PNG or JPEG, at any size up to 512, with no metadata."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Literal, get_args

import numpy as np
from PIL import Image

from service.codec.interface import Pixels
from service.errors import ParameterError

Output = Literal["webp", "png", "jpg"]
OUTPUTS: tuple[str, ...] = get_args(Output)
SIZES = range(1, 513)

OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "webp": ("WEBP", {"quality": 90, "method": 4}),
    "png": ("PNG", {}),
    # 4:4:4, because a thumbnail's colours are as fine as its shapes
    "jpg": ("JPEG", {"quality": 90, "subsampling": 0, "optimize": True}),
}
"""Output -> Pillow's name and options. 90: the codec's own loss stays the larger one."""


def paint(
    rgb: Pixels, format: Output, *, size: int | None = None, aspect: float | None = None
) -> bytes:
    """``rgb``, uint8 [H, W, 3], as a file.

    ``size`` is the longest side of the result in pixels, 1..512; None leaves the picture as it is.
    ``aspect`` is the width / height to stretch it to, its own unless given; it needs ``size``.
    Raises ParameterError for a format or a size that there is not.
    """
    if format not in OUTPUTS:
        raise ParameterError("format", f"no output {format!r}", ", ".join(OUTPUTS))
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"a picture is uint8 [H, W, 3], not {rgb.dtype} {rgb.shape}")
    picture = Image.fromarray(rgb)
    if size is not None:
        if size not in SIZES:
            bounds = f"{SIZES.start}..{SIZES.stop - 1}"
            raise ParameterError("size", f"a size of {size} is not in {bounds}", bounds)
        shape = picture.width / picture.height if aspect is None else aspect
        picture = picture.resize(box(size, shape), Image.Resampling.LANCZOS)
    name, options = OPTIONS[format]
    body = BytesIO()
    picture.save(body, name, **options)
    return body.getvalue()


def box(size: int, aspect: float) -> tuple[int, int]:
    """Width and height of longest side ``size`` and nearest to ``aspect``; neither is under 1."""
    if aspect >= 1:
        return size, max(1, round(size / aspect))
    return max(1, round(size * aspect)), size
