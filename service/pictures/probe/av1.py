"""How many pixels an AV1 still makes its decoder paint (AV1 bitstream, section 5)."""

from __future__ import annotations

from service.errors import BrokenPictureError
from service.pictures.limits import check_parts, cut, unpack
from service.pictures.probe.bits import Bits

SEQUENCE_HEADER, FRAME_HEADER, FRAME = 1, 3, 6
UNTOLD = 2, 2
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
    return _sequence(header)[:2]


def colour_codes(data: bytes) -> tuple[int, int]:
    """Primaries and transfer of the first sequence header as H.273 numbers them; 2 if not told."""
    at = 0
    while at < len(data):
        (head,) = unpack(">B", data, at)
        at += 1 + (head >> 2 & 1)
        length, at = _leb128(data, at) if head >> 1 & 1 else (len(data) - at, at)
        if head >> 3 & 15 == SEQUENCE_HEADER:
            try:
                return _colours(*_sequence(cut(data, at, min(length, SEQUENCE_BYTES)))[2:])
            except BrokenPictureError:
                return UNTOLD
        at += length
    return UNTOLD


def _sequence(header: bytes) -> tuple[int, int, Bits, int, bool]:
    """Largest width and height; what follows, the profile, and whether the header is reduced."""
    bits = Bits(header)
    profile = bits.take(3)
    bits.take(1)  # still picture
    is_reduced = bool(bits.take(1))
    if is_reduced:
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
    return bits.take(width_bits) + 1, bits.take(height_bits) + 1, bits, profile, is_reduced


def _colours(bits: Bits, profile: int, is_reduced: bool) -> tuple[int, int]:
    """What the colour configuration tells (5.5.1 behind the sizes, and 5.5.2)."""
    if not is_reduced and bits.take(1):  # frame ids
        bits.take(7)
    bits.take(3)
    if not is_reduced:
        bits.take(4)
        has_order_hint = bits.take(1)
        if has_order_hint:
            bits.take(2)
        # a flag that is absent is chosen frame by frame, and then so is the next
        screen_content = 2 if bits.take(1) else bits.take(1)
        if screen_content and not bits.take(1):
            bits.take(1)
        if has_order_hint:
            bits.take(3)
    bits.take(3)
    if bits.take(1) and profile == 2:  # high bit depth
        bits.take(1)
    if profile != 1:
        bits.take(1)  # monochrome
    return (bits.take(8), bits.take(8)) if bits.take(1) else UNTOLD
