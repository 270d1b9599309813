"""Whether a JPEG's picture is whole, where libjpeg would paint what lacks grey and say nothing.

A picture is whole if what follows its data does not change it. So a doubtful one is decoded with
and without some noise before its end marker: where coefficients lack, the noise is read as such.
"""

from __future__ import annotations

import zlib
from io import BytesIO

from PIL import Image

from service.errors import BrokenPictureError

END = b"\xff\xd9"
NOISE = bytes((170 + index * 89) % 251 for index in range(512))
"""Without FF, which would be a marker; long enough for several blocks. Begins with 10101010: a
flat picture's codes are single zeros, and what is to be told from them must begin with a one."""

MIDDLE = frozenset((127, 128))
"""A block of no coefficients; 127 where an Adobe CMYK is inverted."""

LAST_BYTES = 32
"""Without these a picture lacks some blocks, unless it ends before them."""

NOTHING, MIDDLE_GREY = -1, -2
"""What is no checksum: data that is not painted, a picture without any other shade."""

CHECK_DECODES = 6
"""Most decodes that a check takes, and the one that follows it."""

BAND_ROWS = 64


def ends_in_grey(picture: Image.Image) -> bool:
    """Whether the last block may have had no data: its samples are all in the middle."""
    corner = picture.getpixel((picture.width - 1, picture.height - 1))
    return MIDDLE.issuperset(corner if isinstance(corner, tuple) else (corner,))


def check_whole(body: bytes, draft: tuple[int, int] | None, is_closed: bool) -> None:
    """Raises BrokenPictureError for a JPEG (with its end marker) that ends before its picture.

    Zeros before the marker are what files that were cut are often filled up with: they belong to
    the picture only where it needs every one of them. Where the marker was missing (``is_closed``
    is false) the picture must need the last of its data: else that data may be anything's.
    Decodes up to CHECK_DECODES times less one, one after another.
    """
    whole = body.removesuffix(END)
    data = _without_filling(whole)
    painted = _pixels(data, draft)
    if painted == _pixels(data + NOISE, draft):
        if is_closed or painted != _pixels(data[:-LAST_BYTES] + NOISE, draft):
            return
    elif len(data) < len(whole):
        painted = _pixels(whole, draft)
        # a picture of middle grey is what is painted of no data: nothing of it can lack
        if painted in (_pixels(whole + NOISE, draft), MIDDLE_GREY) and (
            painted == MIDDLE_GREY or painted != _pixels(whole[:-1] + NOISE, draft)
        ):
            return
    raise BrokenPictureError("a JPEG that ends before its picture does")


def _without_filling(data: bytes) -> bytes:
    """Scan data without zeros or FF at its end, of which FF 00 is a byte of data."""
    kept = data.rstrip(b"\0")
    if not kept.endswith(b"\xff"):
        return kept
    return kept + b"\0" if len(kept) < len(data) else kept.rstrip(b"\xff")


def _pixels(data: bytes, draft: tuple[int, int] | None) -> int:
    """A checksum of what is painted of data without its end marker; MIDDLE_GREY if that is all."""
    with Image.open(BytesIO(data + END), formats=["JPEG"]) as picture:
        if draft:
            picture.draft(None, draft)
        try:
            picture.load()
        except OSError:
            return NOTHING
        width, height = picture.size
        found, is_grey = 0, True
        for top in range(0, height, BAND_ROWS):
            pixels = picture.crop((0, top, width, min(height, top + BAND_ROWS))).tobytes()
            found = zlib.crc32(pixels, found)
            is_grey = is_grey and MIDDLE.issuperset(pixels)
    return MIDDLE_GREY if is_grey else found
