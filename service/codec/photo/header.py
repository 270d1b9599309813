"""The header of a photo stream: what says how large the picture is and in which order it is told.

bytes 0, 1   as in every stream: wire id, version, aspect
byte 2       oonm0000   order (2 bits), networks, importance map; the rest 0
then         width, height: seven bits a byte, low ones first, the top bit says that more follow
"""

from __future__ import annotations

from dataclasses import dataclass

from service.codec.header import HEADER_BYTES as COMMON_BYTES
from service.codec.header import aspect_code, pack_header, parse_header
from service.codec.photo.tables import ORDERS
from service.errors import CodecError

PIXELS_LIMIT = 2**24
SIDE_LIMIT = 2**16 - 1
LONGEST_BYTES = COMMON_BYTES + 1 + 3 + 3
_ORDER_SHIFT = 6


@dataclass(frozen=True, slots=True)
class PhotoHeader:
    """Width and height in pixels, the index of the order, and how many bytes said so."""

    width: int
    height: int
    order: int
    length_bytes: int


def pack(wire_id: int, version: int, width: int, height: int, order: int) -> bytes:
    """The header. Raises ValueError for a size over the limits."""
    if not (
        0 < width <= SIDE_LIMIT and 0 < height <= SIDE_LIMIT and width * height <= PIXELS_LIMIT
    ):
        raise ValueError(
            f"{width}x{height}: sides are 1 to {SIDE_LIMIT}, pixels at most {PIXELS_LIMIT}"
        )
    return (
        pack_header(wire_id, version, width / height)
        + bytes((order << _ORDER_SHIFT,))
        + _varint(width)
        + _varint(height)
    )


def parse(stream: bytes) -> PhotoHeader:
    """Read what follows the two common bytes. Raises CodecError, and nothing else."""
    parse_header(stream)
    if len(stream) <= COMMON_BYTES:
        raise CodecError("the stream ends within its header")
    flags = stream[COMMON_BYTES]
    order = flags >> _ORDER_SHIFT
    if order >= len(ORDERS) or flags & (1 << _ORDER_SHIFT) - 1:
        raise CodecError(f"flags of {flags:#04x} are not of this version")
    width, at = _read_varint(stream, COMMON_BYTES + 1)
    height, at = _read_varint(stream, at)
    if not (
        0 < width <= SIDE_LIMIT and 0 < height <= SIDE_LIMIT and width * height <= PIXELS_LIMIT
    ):
        raise CodecError(
            f"the header says {width}x{height}: sides are 1 to {SIDE_LIMIT}, pixels at most "
            f"{PIXELS_LIMIT}"
        )
    if aspect_code(width / height) != stream[1] >> 1:
        raise CodecError(f"{width}x{height} has another aspect than the header's second byte")
    return PhotoHeader(width, height, order, at)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes((*out, value))


def _read_varint(stream: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in (0, 7, 14):
        if at >= len(stream):
            raise CodecError("the stream ends within its header")
        byte = stream[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            if shift and byte == 0:
                raise CodecError("a number of the header has bytes to spare")
            return value, at
    raise CodecError("a number of the header is longer than three bytes")
