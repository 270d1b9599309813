"""Checks a BMP: its size, its palette, and that its pixels are all there."""

from __future__ import annotations

from service.errors import BrokenPictureError, PictureTooLargeError
from service.pictures.limits import Limits, cut, unpack
from service.pictures.probe.header import Header

HEADERS = (12, 40, 52, 56, 64, 108, 124)
RAW, RLE8, RLE4, BITFIELDS = range(4)
RLE_LIMIT = 2**20
"""Most bytes, and most pixels, of runs: each costs Pillow up to a microsecond of plain Python."""


def check(data: bytes, limits: Limits) -> Header:
    """Read the one header that a BMP has. Raises PictureError and nothing else."""
    offset, header_bytes = unpack("<II", data, 10)
    if header_bytes not in HEADERS:
        raise BrokenPictureError(f"a BMP with a header of {header_bytes} bytes")
    if header_bytes == 12:
        width, height, _, depth = unpack("<HHHH", data, 18)
        compression, colours = RAW, 0
    else:
        width, height, _, depth, compression = unpack("<iiHHI", data, 18)
        (colours,) = unpack("<I", data, 46)
    height = abs(height)
    pixels = limits.check_pixels(width, height)
    if depth not in (1, 2, 4, 8, 16, 24, 32) or compression > BITFIELDS:
        raise BrokenPictureError("a BMP of a depth or a compression that is not decoded")
    if depth <= 8 and colours > 1 << depth:
        raise BrokenPictureError(f"a BMP with {colours} colours in {depth} bits")
    cut(data, 14, header_bytes - 4)
    if compression in (RLE8, RLE4):
        if max(len(data) - offset, pixels) > RLE_LIMIT:
            raise PictureTooLargeError(
                f"a run-length BMP of {len(data)} bytes, {pixels} pixels; the limit is {RLE_LIMIT}",
                limit=RLE_LIMIT,
            )
    else:
        cut(data, offset, (width * depth + 31) // 32 * 4 * height)
    is_run_length = compression in (RLE8, RLE4)
    return Header(
        format="bmp",
        width=width,
        height=height,
        body=data,
        pixel_bytes=1 + 2 * is_run_length if depth <= 8 else 4,
    )
