"""The bounds on a picture, and how one that is over them is refused."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from service.errors import BrokenPictureError, PictureTooLargeError

PARTS_LIMIT = 65_536
"""Most segments, chunks, boxes or tiles that a header walk visits: each costs a microsecond."""

FILLING_LIMIT = 32
FILLINGS = (bytes(FILLING_LIMIT), b"\xff" * FILLING_LIMIT)
"""What no encoder ends compressed data with, and what cut files are often filled up with."""

WORK_FACTOR = 16
"""Most pixels a progressive picture may paint over all its scans, in units of the pixel limit."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one picture, and all pictures together, may cost.

    ``pixel_limit`` bounds width x height, ``scan_limit`` the scans of a JPEG,
    ``decode_memory_bytes`` the memory of all pictures being decoded at once,
    ``memory_wait_seconds`` how long one waits for its share of it, and
    ``profile_limit_bytes`` the colour profiles that are honoured; longer ones are ignored.
    """

    pixel_limit: int = 64_000_000
    scan_limit: int = 64
    decode_memory_bytes: int = 512 * 2**20
    memory_wait_seconds: float = 10.0
    profile_limit_bytes: int = 4 * 2**20

    def check_pixels(self, width: int, height: int) -> int:
        """Width x height. Raises BrokenPictureError for none, PictureTooLargeError for too many."""
        if width <= 0 or height <= 0:
            raise BrokenPictureError(f"a picture of {width} x {height} has no pixels")
        pixels = width * height
        if pixels > self.pixel_limit:
            raise PictureTooLargeError(
                f"{width} x {height} are {pixels} pixels; the limit is {self.pixel_limit}",
                pixels=pixels,
                limit=self.pixel_limit,
            )
        return pixels


def check_parts(count: int, what: str) -> None:
    """Raises PictureTooLargeError when a walk has met more than PARTS_LIMIT of ``what``."""
    if count > PARTS_LIMIT:
        raise PictureTooLargeError(f"more than {PARTS_LIMIT} {what}", limit=PARTS_LIMIT)


def unpack(layout: str, data: bytes, offset: int) -> tuple[Any, ...]:
    """``struct.unpack_from`` whose only error is BrokenPictureError."""
    if offset < 0 or offset + struct.calcsize(layout) > len(data):
        raise BrokenPictureError(f"the file ends before byte {offset + struct.calcsize(layout)}")
    return struct.unpack_from(layout, data, offset)


def cut(data: bytes, start: int, length: int) -> bytes:
    """``length`` bytes from ``start``. Raises BrokenPictureError when they are not all there."""
    if start < 0 or length < 0 or start + length > len(data):
        raise BrokenPictureError(f"the file ends before byte {start + length}")
    return data[start : start + length]


def check_unfilled(data: bytes, what: str) -> None:
    """Raises BrokenPictureError for compressed data that ends in nothing but 0 or 255."""
    if len(data) > FILLING_LIMIT and data[-FILLING_LIMIT:] in FILLINGS:
        raise BrokenPictureError(f"{what} that was cut: all its data ends in is filling")
