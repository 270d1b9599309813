"""Photos that ship inside test dependencies, crops of them, and uploads in every format."""

from __future__ import annotations

import os
import struct
import zlib
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

PLUGINS = {
    "jpeg": "JPEG",
    "png": "PNG",
    "webp": "WEBP",
    "avif": "AVIF",
    "gif": "GIF",
    "tiff": "TIFF",
    "bmp": "BMP",
    "heic": "HEIF",
}
FORMATS = tuple(PLUGINS)
"""Every format an upload may have; heic needs the ``heif`` extra."""

PACKAGED = {
    "skimage/data": ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg",
                     "hubble_deep_field.jpg"),
    "sklearn/datasets/images": ("china.jpg", "flower.jpg"),
}  # fmt: skip
"""Colour photos in the wheels of scikit-image (public domain or CC0) and scikit-learn (CC BY)."""


@cache
def free_photos() -> dict[str, NDArray[np.uint8]]:
    """Natural colour photos, uint8 [H, W, 3], read-only; the smallest is 300 x 451.

    Nothing is downloaded. Nor are the packages imported, which takes a second and a half.
    """
    found = {}
    for folder, files in PACKAGED.items():
        package, _, inside = folder.partition("/")
        spec = find_spec(package)
        assert spec is not None, f"{package} is not installed"
        assert spec.origin is not None
        for file in files:
            with Image.open(Path(spec.origin).parent / inside / file) as picture:
                photo = np.array(picture)
            photo.setflags(write=False)
            found[Path(file).stem] = photo
    return found


@cache
def mosaic(side: int) -> NDArray[np.uint8]:
    """Free photos side by side, uint8 [side, side, 3]: of any size, with the detail of photos."""
    tiles = [photo[:300, :450] for photo in free_photos().values() if photo.shape[1] >= 450]
    across, down = -(-side // 450), -(-side // 300)
    lines = [
        np.concatenate([tiles[(3 * y + x) % len(tiles)] for x in range(across)], 1)
        for y in range(down)
    ]
    return np.ascontiguousarray(np.concatenate(lines)[:side, :side])


def crops(count: int, seed: int = 0, size_range: tuple[int, int] = (64, 256)) -> list[Image.Image]:
    """``count`` RGB crops at random places; each side is drawn from ``size_range`` inclusive."""
    draw = np.random.default_rng(seed)
    photos = list(free_photos().values())
    found = []
    for index in range(count):
        photo = photos[index % len(photos)]
        height, width = (
            min(side, int(draw.integers(size_range[0], size_range[1] + 1)))
            for side in photo.shape[:2]
        )
        top = int(draw.integers(photo.shape[0] - height + 1))
        left = int(draw.integers(photo.shape[1] - width + 1))
        found.append(Image.fromarray(photo[top : top + height, left : left + width]))
    return found


def encoded(format: str, picture: Image.Image | None = None, **options: Any) -> bytes:
    """An upload in one of FORMATS; ``picture`` is a crop of 96 x 64 unless given.

    ``options`` go to Pillow's save. Skips the test when heic is asked for and cannot be made.
    """
    if format == "heic":
        if find_spec("pillow_heif") is None and "CI" not in os.environ:
            pytest.skip("pillow-heif is not installed")
        import pillow_heif

        pillow_heif.register_heif_opener()
    if picture is None:
        picture = crops(1, seed=7, size_range=(96, 96))[0].crop((0, 0, 96, 64))
    body = BytesIO()
    picture.save(body, PLUGINS[format], **options)
    return body.getvalue()


def uploads(count: int, seed: int = 0) -> list[tuple[str, bytes]]:
    """``count`` (format, bytes) of different crops, going round all formats that can be made."""
    formats = FORMATS if find_spec("pillow_heif") else FORMATS[:-1]
    return [
        (formats[index % len(formats)], encoded(formats[index % len(formats)], crop))
        for index, crop in enumerate(crops(count, seed))
    ]


def plain_png(side: int) -> bytes:
    """A square of one colour: 8,000 a side are 190 kB, and take more than a second of a core."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checked = name + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(side * (1 + 3 * side)), 6)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)
