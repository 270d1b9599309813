"""The header of a photo stream: what says how large the picture is and in which order it is told.

bytes 0, 1   as in every stream: wire id, version, aspect
byte 2       oon00000   order (2 bits), networks (from version 2 on); the rest 0
then         width, height: seven bits a byte, low ones first, the top bit says that one follows
"""

from __future__ import annotations

from typing import NamedTuple

from service.codec.geometry import PHOTO_PIXELS, PHOTO_SIDES, Size
from service.codec.header import HEADER_BYTES as COMMON_BYTES
from service.codec.header import aspect_code, pack_header
from service.codec.photo.tables import ORDERS
from service.codec.varint import pack_varint, read_varint
from service.errors import CodecError

SIDE_BYTES = 2
LONGEST_BYTES = COMMON_BYTES + 1 + 2 * SIDE_BYTES
_ORDER_SHIFT = 6


_NETWORKS = 1 << 5
NETWORKS_SIDE = 64
"""Pixels: the short side that a picture has at least whose stream has networks."""


class PhotoHeader(NamedTuple):
    """What a header says; ``length_bytes`` is its own. ``networks``: whether the stream has any."""

    size: Size
    order: int
    networks: bool
    length_bytes: int


def may_have_networks(size: Size) -> bool:
    """Whether a picture is large enough: its cells then have a level below them, and neighbours."""
    return min(size.width, size.height) >= NETWORKS_SIDE


def pack(wire_id: int, version: int, size: Size, order: int, networks: bool = False) -> bytes:
    """The header. Raises ValueError for a size that a photo may not have."""
    if not size.is_photo:
        raise ValueError(_limits(size))
    if networks and not may_have_networks(size):
        raise ValueError(_too_small(size))
    common = pack_header(wire_id, version, size.aspect)
    sides = pack_varint(size.width) + pack_varint(size.height)
    return common + bytes((order << _ORDER_SHIFT | (_NETWORKS if networks else 0),)) + sides


def parse(stream: bytes, networks: bool = False) -> PhotoHeader:
    """The header of a stream whose two common bytes hold; ``networks``: its version may have some.

    Raises CodecError, and nothing else.
    """
    if len(stream) <= COMMON_BYTES:
        raise CodecError("the stream ends within its header")
    flags = stream[COMMON_BYTES]
    order = flags >> _ORDER_SHIFT
    reserved = (1 << _ORDER_SHIFT) - 1 & ~(_NETWORKS if networks else 0)
    if order >= len(ORDERS) or flags & reserved:
        raise CodecError(f"flags of {flags:#04x} are not of this version")
    width, at = _read_number(stream, COMMON_BYTES + 1)
    height, at = _read_number(stream, at)
    size = Size(width, height)
    if not size.is_photo:
        raise CodecError(_limits(size))
    if aspect_code(size.aspect) != stream[1] >> 1:
        raise CodecError(f"{width}x{height} has another aspect than the header's second byte says")
    has_networks = bool(flags & _NETWORKS)
    if has_networks and not may_have_networks(size):
        raise CodecError(_too_small(size))
    return PhotoHeader(size, order, has_networks, at)


def _too_small(size: Size) -> str:
    return f"{size.width}x{size.height}: with networks a side has {NETWORKS_SIDE} pixels or more"


def _limits(size: Size) -> str:
    return (
        f"{size.width}x{size.height}: sides are {PHOTO_SIDES.start} to {PHOTO_SIDES.stop - 1},"
        f" pixels at most {PHOTO_PIXELS}"
    )


def _read_number(stream: bytes, at: int) -> tuple[int, int]:
    """A number and where the next byte is; its shortest spelling alone."""
    try:
        return read_varint(stream, at, SIDE_BYTES)
    except EOFError as short:
        raise CodecError("the stream ends within its header") from short
    except ValueError as odd:
        raise CodecError("a number of the header is not spelt in its shortest way") from odd
