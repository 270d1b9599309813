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
NOISE = bytes((17 + index * 89) % 251 for index in range(512))
"""Without FF, which would be a marker; long enough for several blocks of noise."""

MIDDLE = frozenset((127, 128))
"""A block of no coefficients; 127 where an Adobe CMYK is inverted."""

BAND_ROWS = 64


def ends_in_grey(picture: Image.Image) -> bool:
    """Whether the last block may have had no data: its samples are all in the middle."""
    corner = picture.getpixel((picture.width - 1, picture.height - 1))
    return MIDDLE.issuperset(corner if isinstance(corner, tuple) else (corner,))


def check_whole(body: bytes, draft: tuple[int, int] | None) -> None:
    """Raises BrokenPictureError for a JPEG (with its end marker) that ends before its picture.

    Zeros before the marker are what files that were cut are often filled up with: they belong to
    the picture only where it needs every one of them. Decodes up to five times, one after another.
    """
    whole = body.removesuffix(END)
    data = whole.rstrip(b"\0\xff")
    if _pixels(data, draft) == _pixels(data + NOISE, draft):
        return
    if len(data) < len(whole):
        painted = _pixels(whole, draft)
        if painted == _pixels(whole + NOISE, draft) != _pixels(whole[:-1], draft):
            return
    raise BrokenPictureError("a JPEG that ends before its picture does")


def _pixels(data: bytes, draft: tuple[int, int] | None) -> int:
    """A checksum of what is painted of data without its end marker."""
    with Image.open(BytesIO(data + END), formats=["JPEG"]) as picture:
        if draft:
            picture.draft(None, draft)
        picture.load()
        width, height = picture.size
        found = 0
        for top in range(0, height, BAND_ROWS):
            band = picture.crop((0, top, width, min(height, top + BAND_ROWS)))
            found = zlib.crc32(band.tobytes(), found)
    return found
