"""How many pixels an AV1 still makes its decoder paint (AV1 bitstream, section 5)."""

from __future__ import annotations

from service.errors import BrokenPictureError
from service.pictures.limits import check_parts, cut, unpack
from service.pictures.probe.bits import Bits

SEQUENCE_HEADER, FRAME_HEADER, FRAME = 1, 3, 6
SEQUENCE_BYTES = 512
"""More than a sequence header has up to its sizes: 32 operating points of 11 bytes."""


def painted_pixels(data: bytes) -> int:
    """Largest size in any sequence header, times the frames. Raises PictureError and no other."""
    at, parts, frames, pixels = 0, 0, 0, 0
    while at < len(data):
        parts += 1
        check_parts(parts, "AV1 units")
        (head,) = unpack(">B", data, at)
        at += 1 + (head >> 2 & 1)
        if head >> 1 & 1:
            length, at = _leb128(data, at)
        else:
            length = len(data) - at
        kind = head >> 3 & 15
        if kind == SEQUENCE_HEADER:
            width, height = _size(cut(data, at, min(length, SEQUENCE_BYTES)))
            pixels = max(pixels, width * height)
        frames += kind in (FRAME_HEADER, FRAME)
        at += length
    if not pixels:
        raise BrokenPictureError("an AV1 picture without a sequence header")
    return pixels * max(frames, 1)


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """A little-endian base-128 number of at most 8 bytes, and where it ends."""
    value = 0
    for index in range(8):
        (byte,) = unpack(">B", data, at + index)
        value |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            return value, at + index + 1
    raise BrokenPictureError("an AV1 unit with an endless length")


def _size(header: bytes) -> tuple[int, int]:
    """Largest frame width and height of a sequence header (5.5.1)."""
    bits = Bits(header)
    bits.take(4)  # profile, still picture
    if bits.take(1):  # reduced header
        bits.take(5)
    else:
        delay_bits = 0
        if bits.take(1):  # timing
            bits.take(64)
            if bits.take(1):
                bits.golomb()
            if bits.take(1):  # decoder model
                delay_bits = bits.take(5) + 1
                bits.take(42)
        has_display_delay = bits.take(1)
        for _ in range(bits.take(5) + 1):  # operating points
            bits.take(12)
            if bits.take(5) > 7:
                bits.take(1)
            if delay_bits and bits.take(1):
                bits.take(2 * delay_bits + 1)
            if has_display_delay and bits.take(1):
                bits.take(4)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width_bits) + 1, bits.take(height_bits) + 1
