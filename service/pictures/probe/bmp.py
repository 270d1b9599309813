"""Checks a BMP: its size, its palette, its masks, and that its pixels are all there."""

from __future__ import annotations

from service.errors import BrokenPictureError, PictureTooLargeError
from service.pictures.layout import Masks
from service.pictures.limits import Limits, cut, unpack
from service.pictures.probe.header import Header

HEADERS = (12, 40, 52, 56, 64, 108, 124)
RAW, RLE8, RLE4, BITFIELDS = range(4)
ALPHA_BITFIELDS = 6
RLE_LIMIT = 2**20
"""Most bytes, and most pixels, of runs: each costs Pillow up to a microsecond of plain Python."""


def check(data: bytes, limits: Limits) -> Header:
    """Read the one header that a BMP has. Raises PictureError and nothing else."""
    offset, header_bytes = unpack("<II", data, 10)
    if header_bytes not in HEADERS:
        raise BrokenPictureError(f"a BMP with a header of {header_bytes} bytes")
    if header_bytes == 12:
        width, signed_height, _, depth = unpack("<HHHH", data, 18)
        compression, colours = RAW, 0
    else:
        width, signed_height, _, depth, compression = unpack("<iiHHI", data, 18)
        (colours,) = unpack("<I", data, 46)
    height = abs(signed_height)
    pixels = limits.check_pixels(width, height)
    if depth not in (1, 4, 8, 16, 24, 32):
        raise BrokenPictureError(f"a BMP of {depth} bits a pixel")
    if compression not in (RAW, RLE8, RLE4, BITFIELDS, ALPHA_BITFIELDS):
        raise BrokenPictureError(f"a BMP of compression {compression}, which is not decoded")
    cut(data, 14, header_bytes - 4)
    body = data
    if depth <= 8 and colours > 1 << depth:
        # more than the pixels can name: the rest of the palette is never used
        body = data[:46] + (1 << depth).to_bytes(4, "little") + data[50:]
    is_run_length = compression in (RLE8, RLE4)
    if is_run_length:
        if max(len(data) - offset, pixels) > RLE_LIMIT:
            raise PictureTooLargeError(
                f"a run-length BMP of {len(data)} bytes, {pixels} pixels; the limit is {RLE_LIMIT}",
                limit=RLE_LIMIT,
            )
    else:
        cut(data, offset, (width * depth + 31) // 32 * 4 * height)
    masks = None
    if compression in (BITFIELDS, ALPHA_BITFIELDS):
        if depth not in (16, 32):
            raise BrokenPictureError(f"a BMP with masks in {depth} bits a pixel")
        has_alpha = compression == ALPHA_BITFIELDS or header_bytes >= 56
        if header_bytes == 64:
            raise BrokenPictureError("a BMP of OS/2 with masks")
        found = unpack("<IIII" if has_alpha else "<III", data, 54)
        red, green, blue, alpha = map(_mask, (*found, 0)[:4])
        masks = Masks(depth, red, green, blue, alpha, offset, is_upwards=signed_height > 0)
    return Header(
        format="bmp",
        width=width,
        height=height,
        body=body,
        pixel_bytes=0 if masks else 1 + 2 * is_run_length if depth <= 8 else 4,
        layout=masks,
    )


def _mask(mask: int) -> int:
    """A mask as it is. Raises BrokenPictureError when its bits are not next to each other."""
    lowest = mask & -mask
    if mask & (mask + lowest):
        raise BrokenPictureError(f"a BMP whose mask {mask:08x} has gaps")
    return mask
