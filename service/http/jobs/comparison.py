"""What other formats make of a picture in few bytes: the candidates that /demo/compare answers."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from PIL import Image

from service.evaluation.baselines import raster
from service.evaluation.baselines.avif import AVIF
from service.evaluation.baselines.base import Baseline, Pixels
from service.evaluation.baselines.jpeg import JPEG
from service.evaluation.baselines.placeholders import PLACEHOLDERS
from service.evaluation.baselines.webp import WEBP
from service.pictures import paint
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim

LONGEST_BYTES = 512
"""Of thumbnails, but for the smallest."""
LONGEST_PHOTO_BYTES = 96 * 1024
PHOTO_SIDE = 640
"""Long side that photos are compared at, in pixels."""
SETTINGS = 34
"""Most settings that are tried of a format, evenly over its scale."""
QUALITIES = (3, 8, 14, 22, 32, 44, 56, 70, 82, 92)
SCALES = (1, 2, 4, 8)
"""What a photo's sides are divided by before it is encoded: small files are small pictures."""
NEEDS = {"blurhash": "blurhash", "thumbhash": "thumbhash"}
"""Packages of the extra ``demo``, by the format that needs them."""
THUMB_NOTE = (
    "Each is the best that its encoder has within the bytes, held against the thumbnail of 32 x 32"
    " pixels. Of WebP, AVIF and JPEG only the coded picture counts, without headers, to their"
    " advantage."
)
PHOTO_NOTE = (
    f"Whole files, at most {PHOTO_SIDE} pixels a side, each the best that its encoder has within"
    " the bytes, shrunk first where that looks better (AVIF at speed 8). The browser enlarges it"
    " again."
)


@dataclass(frozen=True, slots=True)
class Format:
    """A baseline under the name that people know."""

    title: str
    baseline: Baseline


@dataclass(frozen=True, slots=True)
class PhotoFormat:
    """A format of files: Pillow's name, its options, its media type."""

    name: str
    title: str
    plugin: str
    options: dict[str, object]
    media_type: str


def _named(baselines: Sequence[Baseline], name: str) -> Baseline:
    return next(one for one in baselines if one.name == name)


FORMATS = (
    Format("AVIF", _named(AVIF, "avif")),
    Format("WebP", WEBP),
    Format("JPEG", _named(JPEG, "jpeg")),
    Format("BlurHash", _named(PLACEHOLDERS, "blurhash")),
    Format("ThumbHash", _named(PLACEHOLDERS, "thumbhash")),
)
_AVIF_OPTIONS: dict[str, object] = {"speed": 8, "subsampling": "4:2:0", "max_threads": 1}
PHOTO_FORMATS = (
    PhotoFormat("avif", "AVIF", "AVIF", _AVIF_OPTIONS, "image/avif"),
    PhotoFormat("webp", "WebP", "WEBP", {"method": 4}, "image/webp"),
    PhotoFormat("jpeg", "JPEG", "JPEG", {"optimize": True, "progressive": True}, "image/jpeg"),
)


@dataclass(frozen=True, slots=True)
class Tried:
    """One file: what counts of it, all of it, what it shows (uint8 [H, W, 3]), what is sent."""

    counted_bytes: int
    file_bytes: int
    shown: Pixels
    sent: bytes


def compare_thumb(pixels: Pixels) -> dict[str, object]:
    """The answer for a thumbnail, uint8 [32, 32, 3]; pictures are PNG in base64."""
    formats = [
        _entry(one.baseline.name, one.title, "image/png", candidates(one.baseline, pixels))
        for one in FORMATS
        if one.baseline.name not in NEEDS or find_spec(NEEDS[one.baseline.name])
    ]
    return _answer(pixels, formats, THUMB_NOTE)


def compare_photo(pixels: Pixels) -> dict[str, object]:
    """The answer for a photo, uint8 [H, W, 3], shrunk to PHOTO_SIDE; pictures are whole files."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((PHOTO_SIDE, PHOTO_SIDE), Image.Resampling.LANCZOS)
    rgb = np.asarray(picture)
    formats = [
        _entry(one.name, one.title, one.media_type, photo_candidates(one, rgb))
        for one in PHOTO_FORMATS
    ]
    return _answer(rgb, formats, PHOTO_NOTE)


def candidates(baseline: Baseline, pixels: Pixels) -> list[dict[str, object]]:
    """What the format can be, ascending in bytes and in SSIM.

    ``pixels`` is uint8 [32, 32, 3]. The smallest is there always, others up to LONGEST_BYTES.
    """
    settings = baseline.settings
    picked = sorted({round(n) for n in np.linspace(0, len(settings) - 1, SETTINGS)})

    def made(setting: float) -> Tried:
        data = baseline.encode(pixels, setting)
        shown = baseline.decode(data, pixels.shape[:2])
        return Tried(len(baseline.split(data).payload), len(data), shown, paint(shown, "png"))

    return _best(pixels, (made(settings[n]) for n in picked), LONGEST_BYTES)


def photo_candidates(format: PhotoFormat, rgb: Pixels) -> list[dict[str, object]]:
    """The same of a photo, uint8 [H, W, 3], at each quality and scale, up to 96 KiB."""
    height, width = rgb.shape[:2]
    picture = Image.fromarray(rgb)

    def tried() -> Iterable[Tried]:
        for scale in reversed(SCALES):
            sides = max(1, width // scale), max(1, height // scale)
            small = np.asarray(picture.resize(sides, Image.Resampling.LANCZOS))
            for quality in QUALITIES[:: 1 if scale == 1 else 2]:
                data = raster.write(small, format.plugin, quality=quality, **format.options)
                shown = Image.fromarray(raster.read(data, small.shape[:2]))
                large = np.asarray(shown.resize((width, height), Image.Resampling.BICUBIC))
                yield Tried(len(data), len(data), large, data)

    return _best(rgb, tried(), LONGEST_PHOTO_BYTES)


def _best(pixels: Pixels, tried: Iterable[Tried], longest: int) -> list[dict[str, object]]:
    """Those that are better than all smaller ones; of what is too long only the smallest."""
    scored: dict[int, tuple[float, Tried]] = {}
    for one in tried:
        if scored and one.counted_bytes > longest:
            continue
        ssim = float(block_ssim(pixels[None], one.shown[None])[0])
        if ssim > scored.get(one.counted_bytes, (-1.0, one))[0]:
            scored[one.counted_bytes] = ssim, one
    kept: list[dict[str, object]] = []
    highest = -1.0
    for length in sorted(scored):
        ssim, one = scored[length]
        if ssim <= highest:
            continue
        highest = ssim
        kept.append(
            {
                "bytes": length,
                "file_bytes": one.file_bytes,
                "ssim": round(ssim, 4),
                "psnr": round(float(psnr(pixels[None], one.shown[None])[0]), 2),
                "picture": base64.b64encode(one.sent).decode(),
            }
        )
    return kept


def _entry(
    name: str, title: str, media_type: str, found: list[dict[str, object]]
) -> dict[str, object]:
    return {"name": name, "title": title, "media_type": media_type, "candidates": found}


def _answer(pixels: Pixels, formats: list[dict[str, object]], note: str) -> dict[str, object]:
    height, width = pixels.shape[:2]
    png = base64.b64encode(raster.write(pixels, "PNG", compress_level=3)).decode()
    return {
        "reference": png,
        "width": width,
        "height": height,
        "note": note,
        "formats": formats,
    }
