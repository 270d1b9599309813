"""Checks a GIF; keeps its first frame on a screen of its own, drops all other blocks before it."""

from __future__ import annotations

from struct import pack

from service.errors import BrokenPictureError
from service.pictures.limits import Limits, check_parts, cut, unpack
from service.pictures.probe.header import Header

EXTENSION, IMAGE, TRAILER = 0x21, 0x2C, 0x3B
GRAPHIC_CONTROL = 0xF9


def check(data: bytes, limits: Limits) -> Header:
    """Walk the blocks up to the first frame. Raises PictureError and nothing else."""
    width, height, flags = unpack("<HHB", data, 6)
    if width and height:
        limits.check_pixels(width, height)
    screen = cut(data, 0, 13 + _palette_bytes(flags))
    at, parts, control = len(screen), 0, b""
    while True:
        (kind,) = unpack("<B", data, at)
        if kind == IMAGE:
            break
        if kind != EXTENSION:
            raise BrokenPictureError("a GIF without a frame")
        (label,) = unpack("<B", data, at + 1)
        end = at + 2
        while (length := unpack("<B", data, end)[0]) != 0:
            parts += 1
            check_parts(parts, "blocks before the first frame")
            end += 1 + length
        if label == GRAPHIC_CONTROL and end == at + 7:
            control = data[at : end + 1]
        at = end + 1
    left, top, across, down, flags = unpack("<HHHHB", data, at + 1)
    if across == 0 or down == 0:
        raise BrokenPictureError("a GIF whose first frame has no pixels")
    # a frame may reach over the screen, which may be of no size: the canvas grows to hold it
    width, height = max(width, left + across), max(height, top + down)
    limits.check_pixels(width, height)
    palette = _palette_bytes(flags)
    cut(data, at + 10, palette + 1)
    size = pack("<HH", across, down)
    frame = data[at : at + 1] + bytes(4) + size + data[at + 9 :]
    return Header(
        format="gif",
        width=width,
        height=height,
        # what the frame does not cover is clear, which Pillow leaves to the palette's first colour
        body=b"".join((screen[:6], size, screen[10:], control, frame)),
        coded=(across, down),
        place=(left, top),
        pixel_bytes=2,
    )


def _palette_bytes(flags: int) -> int:
    """Length of the palette that follows, from the flags of a screen or a frame."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
