"""How many pixels an HEVC still makes its decoder paint (ITU-T H.265, sections 7.3 and 8.3)."""

from __future__ import annotations

from service.errors import BrokenPictureError
from service.pictures.limits import check_parts, cut, unpack
from service.pictures.probe.bits import Bits

LAST_SLICE, PARAMETER_SET = 31, 33
SET_BYTES = 512
"""More than the part of a sequence parameter set up to its sizes."""


def painted_pixels(config: bytes, data: bytes) -> int:
    """Largest size in any parameter set, times the pictures. Raises PictureError and no other.

    ``config`` is the body of an hvcC box, ``data`` the picture's NAL units with their lengths.
    """
    pixels = max((_set_pixels(unit) for unit in _configured(config)), default=0)
    (length_bytes,) = unpack(">B", config, 21)
    length_bytes = (length_bytes & 3) + 1
    at, parts, pictures = 0, 0, 0
    while at < len(data):
        parts += 1
        check_parts(parts, "HEVC units")
        length = int.from_bytes(cut(data, at, length_bytes), "big")
        at += length_bytes
        head = cut(data, at, min(length, SET_BYTES))
        cut(data, at, length)
        pixels = max(pixels, _set_pixels(head))
        is_slice = len(head) > 2 and head[0] >> 1 & 63 <= LAST_SLICE
        pictures += is_slice and head[2] >> 7
        at += length
    if not pixels:
        raise BrokenPictureError("an HEVC picture without a parameter set")
    return pixels * max(pictures, 1)


def _configured(config: bytes) -> list[bytes]:
    """The NAL units of an hvcC box (ISO/IEC 14496-15, 8.3.2.1)."""
    (arrays,) = unpack(">B", config, 22)
    at, found = 23, []
    for _ in range(arrays):
        (units,) = unpack(">H", config, at + 1)
        at += 3
        for _ in range(units):
            (length,) = unpack(">H", config, at)
            found.append(cut(config, at + 2, length))
            check_parts(len(found), "HEVC parameter sets")
            at += 2 + length
    return found


def _set_pixels(unit: bytes) -> int:
    """Width x height of a sequence parameter set; 0 for a unit of another kind (7.3.2.2)."""
    if len(unit) < 3 or unit[0] >> 1 & 63 != PARAMETER_SET:
        return 0
    bits = Bits(unit[2:SET_BYTES].replace(b"\0\0\3", b"\0\0"))
    bits.take(4)
    layers = bits.take(3)
    bits.take(1 + 96)  # nesting, general profile and level
    if layers:
        present = [(bits.take(1), bits.take(1)) for _ in range(layers)]
        bits.take(2 * (8 - layers))
        for has_profile, has_level in present:
            bits.take(88 * has_profile + 8 * has_level)
    bits.golomb()
    if bits.golomb() == 3:
        bits.take(1)
    return bits.golomb() * bits.golomb()
