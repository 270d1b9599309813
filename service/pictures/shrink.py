"""Rows of any picture -> a smaller one of 8 bits a channel, Lanczos filtered.

A large picture is first averaged over whole boxes of pixels (Pillow's ``reducing_gap``), in bands
of rows, so that no second picture of the full size is ever made: modes, palettes and deep samples
are converted one band at a time.
"""

from __future__ import annotations

from PIL import Image

from service.pictures.rows import Rows

GAP = 8
"""Boxes leave this many times the wanted side for Lanczos; tests/bench/pictures.py compares."""
PHOTO_GAP = 2
"""The same for photos, where 8 times their sides would be more memory than the upload's."""

BAND_PIXELS = 2**18
BAND_PIXEL_BYTES = 32
"""Memory that a pixel of a band takes while it is converted: a few float copies of it."""

FACTOR_LIMIT = 128
"""Pillow divides a box's sum by multiplying with 2**24 // area; up to here that is exact enough."""


def shrink(rows: Rows, size: tuple[int, int], gap: int = GAP) -> Image.Image:
    """Squash to this width and height; mode L, RGB, CMYK, LAB, or premultiplied La, RGBa."""
    width, height = rows.size
    across, down = boxes(rows.size, size, gap)
    step = band_rows(width, down)
    small: Image.Image | None = None
    for top in range(0, height, step):
        band = rows.band(top, min(height, top + step)).reduce((across, down))
        if small is None:
            small = Image.new(band.mode, (-(-width // across), -(-height // down)))
        small.paste(band, (0, top // down))
    if small is None:
        raise ValueError("a picture without rows")
    box = (0.0, 0.0, width / across, height / down)
    return small.resize(size, Image.Resampling.LANCZOS, box)


def boxes(size: tuple[int, int], wanted: tuple[int, int], gap: int) -> tuple[int, int]:
    """Pixels of a box across and down, which leave ``gap`` times the wanted sides or more."""
    across, down = (max(1, side // (least * gap)) for side, least in zip(size, wanted, strict=True))
    return min(FACTOR_LIMIT, across), min(FACTOR_LIMIT, down)


def band_rows(width: int, down: int) -> int:
    """Rows of a band: a whole number of boxes of ``down`` rows, and one at least."""
    return max(1, BAND_PIXELS // (width * down)) * down
