"""Uploads of every kind a format has: modes, depths, compressions, animation, metadata."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from tests.support.photos import crops, encoded


def photo(width: int = 96, height: int = 64, seed: int = 7) -> Image.Image:
    """An RGB crop of exactly this size."""
    side = max(width, height)
    return crops(1, seed, (side, side))[0].crop((0, 0, width, height))


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def with_alpha(picture: Image.Image) -> Image.Image:
    """The picture fading from clear to opaque, left to right."""
    fade = np.linspace(0, 255, picture.width).astype(np.uint8)
    faded = picture.convert("RGB")
    faded.putalpha(Image.fromarray(np.tile(fade, (picture.height, 1))))
    return faded


def exif(orientation: int) -> bytes:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags.tobytes()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, colour: int, rows: bytes, *more: bytes) -> bytes:
    """A PNG from its raw rows (each begins with its filter byte); ``more`` goes before IDAT."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"".join((
        b"\x89PNG\r\n\x1a\n",
        png_chunk(b"IHDR", head),
        *more,
        png_chunk(b"IDAT", zlib.compress(rows)),
        png_chunk(b"IEND", b""),
    ))  # fmt: skip


def rle8_bmp(width: int, height: int) -> bytes:
    """A BMP of runs: each row one run of its own grey."""
    palette = b"".join(bytes((grey, grey, grey, 0)) for grey in range(256))
    rows = b"".join(bytes((width, row % 256, 0, 0)) for row in range(height)) + b"\0\1"
    offset = 14 + 40 + len(palette)
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(rows), 0, 0, 256, 0)
    return struct.pack("<2sIHHI", b"BM", offset + len(rows), 0, 0, offset) + head + palette + rows


@cache
def variants(format: str) -> dict[str, bytes]:
    """Name -> upload; every one of them opens."""
    rgb = photo()
    grey, rgba, palette = rgb.convert("L"), with_alpha(rgb), rgb.quantize(64)
    frames = [photo(seed=seed) for seed in range(3)]
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    made: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "jpeg": {
            "baseline": (rgb, {}),
            "progressive": (rgb, {"progressive": True}),
            "444-restarts": (rgb, {"subsampling": 0, "restart_marker_blocks": 4}),
            "grey": (grey, {}),
            "cmyk": (rgb.convert("CMYK"), {}),
            "metadata": (rgb, {"exif": exif(6), "icc_profile": srgb_profile(), "comment": b"hi"}),
        },
        "png": {
            "rgb": (rgb, {}),
            "rgba": (rgba, {}),
            "grey-alpha": (rgba.convert("LA"), {}),
            "palette": (palette, {"transparency": 3}),
            "bilevel": (grey.convert("1"), {}),
            "deep": (deep, {}),
            "metadata": (rgb, {"exif": exif(3), "icc_profile": srgb_profile()}),
            "animated": (frames[0], {"save_all": True, "append_images": frames[1:]}),
        },
        "webp": {
            "lossy": (rgb, {}),
            "lossless": (rgba, {"lossless": True}),
            "alpha": (rgba, {}),
            "metadata": (rgb, {"exif": exif(8), "icc_profile": srgb_profile()}),
            "animated": (frames[0], {"save_all": True, "append_images": frames[1:]}),
        },
        "avif": {
            "plain": (rgb, {"speed": 9}),
            "alpha": (rgba, {"speed": 9}),
            "444": (rgb, {"speed": 9, "subsampling": "4:4:4"}),
            "metadata": (rgb, {"speed": 9, "exif": exif(6), "icc_profile": srgb_profile()}),
            "sequence": (frames[0], {"speed": 9, "save_all": True, "append_images": frames[1:]}),
        },
        "gif": {
            "plain": (palette, {}),
            "clear": (palette, {"transparency": 5}),
            "animated": (frames[0], {"save_all": True, "append_images": frames[1:]}),
            "comment": (palette, {"comment": b"x" * 700}),
        },
        "tiff": {
            "raw": (rgb, {}),
            "lzw": (rgb, {"compression": "tiff_lzw"}),
            "deflate-alpha": (rgba, {"compression": "tiff_adobe_deflate"}),
            "jpeg": (rgb, {"compression": "jpeg"}),
            "packbits-palette": (palette, {"compression": "packbits"}),
            "fax": (grey.convert("1"), {"compression": "group4"}),
            "deep": (deep, {}),
            "float": (Image.fromarray(np.asarray(grey, dtype=np.float32) / 255), {}),
            "cmyk": (rgb.convert("CMYK"), {"compression": "tiff_lzw"}),
            "pages": (frames[0], {"save_all": True, "append_images": frames[1:]}),
            "big": (rgb, {"big_tiff": True}),
            "metadata": (rgb, {"icc_profile": srgb_profile(), "tiffinfo": {274: 6}}),
        },
        "bmp": {
            "rgb": (rgb, {}),
            "palette": (palette, {}),
            "bilevel": (grey.convert("1"), {}),
            "alpha": (rgba, {}),
        },
        "heic": {
            "plain": (rgb, {}),
            "alpha": (rgba, {}),
            "metadata": (rgb, {"exif": exif(6), "icc_profile": srgb_profile()}),
            "several": (frames[0], {"save_all": True, "append_images": frames[1:]}),
        },
    }[format]
    found = {name: encoded(format, picture, **options) for name, (picture, options) in made.items()}
    if format == "bmp":
        found["runs"] = rle8_bmp(96, 64)
    if format == "heic":
        found["tiles"] = heic_tiles(photo(200, 136), 64)
    return found


def heic_tiles(picture: Image.Image, tile_size: int) -> bytes:
    """A HEIC made of a grid of tiles, as phones write them."""
    import pillow_heif

    body = BytesIO()
    pillow_heif.from_pillow(picture).save(body, quality=60, tile_size=tile_size)
    return body.getvalue()
