"""A decoded picture of any mode -> a small square of 8 bits a channel, Lanczos filtered.

A large picture is first averaged over whole boxes of pixels (Pillow's ``reducing_gap``), in bands
of rows, so that no second picture of the full size is ever made: modes, palettes and deep samples
are converted one band at a time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GAP = 8
"""Boxes leave this many times the wanted side for Lanczos; tests/bench/pictures.py compares."""

BAND_PIXELS = 2**18
BAND_PIXEL_BYTES = 32
"""Memory that a pixel of a band takes while it is converted: a few float copies of it."""

FACTOR_LIMIT = 128
"""Pillow divides a box's sum by multiplying with 2**24 // area; up to here that is exact enough."""

AS_THEY_ARE = frozenset(("L", "RGB", "CMYK", "LAB", "La", "RGBa"))
PREMULTIPLIED = {"LA": "La", "RGBA": "RGBa"}


def shrink(picture: Image.Image, size: int, black: float, white: float) -> Image.Image:
    """Squash to ``size`` x ``size``; mode L, RGB, CMYK, LAB, or premultiplied La, RGBa.

    ``black`` and ``white`` are the samples of modes I;16, I and F that stand for them; equal when
    the samples must tell: then 0 is black, and white is 1 or the largest sample over it.
    """
    if black == white:
        low, high = _range(picture)
        black, white = 0.0, max(1.0, high) if low < high else 1.0
    width, height = picture.size
    across, down = (min(FACTOR_LIMIT, max(1, side // (size * GAP))) for side in picture.size)
    rows = band_rows(width, down)
    small: Image.Image | None = None
    for top in range(0, height, rows):
        band = picture.crop((0, top, width, min(height, top + rows)))
        band = _eight_bits(band, picture.info, black, white).reduce((across, down))
        if small is None:
            small = Image.new(band.mode, (-(-width // across), -(-height // down)))
        small.paste(band, (0, top // down))
    if small is None:
        raise ValueError("a picture without rows")
    box = (0.0, 0.0, width / across, height / down)
    return small.resize((size, size), Image.Resampling.LANCZOS, box)


def band_rows(width: int, down: int) -> int:
    """Rows of a band: a whole number of boxes of ``down`` rows, and one at least."""
    return max(1, BAND_PIXELS // (width * down)) * down


def _range(picture: Image.Image) -> tuple[float, float]:
    """Smallest and largest sample of a single deep channel; 0 and 1 for other modes."""
    if picture.mode not in ("F", "I"):
        return 0.0, 1.0
    low, high = picture.getextrema()
    if not isinstance(low, (int, float)) or not isinstance(high, (int, float)):
        return 0.0, 1.0
    return (float(low), float(high)) if np.isfinite(high) else (0.0, 1.0)


def _eight_bits(
    band: Image.Image, info: dict[str | tuple[int, int], object], black: float, white: float
) -> Image.Image:
    """A band in one of the modes AS_THEY_ARE."""
    if band.mode in ("I", "F") or band.mode.startswith("I;16"):
        return _from_levels(band, info.get("transparency"), black, white)
    if "transparency" in info and band.mode in ("1", "L", "P", "RGB"):
        band.info["transparency"] = info["transparency"]
        band = band.convert("RGBA")
    elif band.mode == "P":
        band = band.convert(band.palette.mode if band.palette else "RGB")
    elif band.mode == "1":
        band = band.convert("L")
    elif band.mode == "PA":
        band = band.convert("RGBA")
    if band.mode in PREMULTIPLIED:
        return band.convert(PREMULTIPLIED[band.mode])
    return band if band.mode in AS_THEY_ARE else band.convert("RGB")


def _from_levels(band: Image.Image, key: object, black: float, white: float) -> Image.Image:
    """One deep channel as L; as La where one of its samples is the transparent one."""
    samples: NDArray[np.generic] = np.asarray(band)
    if white == 2**32 - 1 or black == 2**32 - 1:
        samples = samples.view(np.uint32)
    with np.errstate(all="ignore"):
        levels = (samples.astype(np.float64) - black) * (255 / (white - black))
    np.nan_to_num(levels, copy=False)
    grey = Image.fromarray(np.rint(levels.clip(0, 255)).astype(np.uint8))
    if not isinstance(key, int):
        return grey
    opaque = Image.fromarray(np.where(samples == key, 0, 255).astype(np.uint8))
    return Image.merge("LA", (grey, opaque)).convert("La")
