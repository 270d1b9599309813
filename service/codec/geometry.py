"""Sizes of pictures, and the only home of the sides that a stream may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.codec.pixels import Pixels

THUMB_SIDE = 32
"""Thumbnails are squares of this side: shrunk photos, squashed; the header keeps their aspect."""

PHOTO_SIDES = range(1, 2**14)
"""Sides of a photo, in pixels; WebP and JPEG hold as much."""

PHOTO_SIDE = 4096
"""The longest that uploads may be shrunk to."""

PHOTO_PIXELS = PHOTO_SIDE * PHOTO_SIDE
"""Most pixels of a photo: a header cannot ask for more than this."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels, 1 or more."""

    width: int
    height: int

    @classmethod
    def of(cls, picture: Pixels) -> Size:
        """That of [H, W, 3]."""
        return cls(picture.shape[1], picture.shape[0])

    @property
    def pixels(self) -> int:
        """Width x height."""
        return self.width * self.height

    @property
    def aspect(self) -> float:
        """Width / height."""
        return self.width / self.height

    @property
    def is_photo(self) -> bool:
        """Whether a photo stream may have it."""
        sides = self.width in PHOTO_SIDES and self.height in PHOTO_SIDES
        return sides and self.pixels <= PHOTO_PIXELS

    def within(self, side: int) -> Size:
        """The largest of this shape whose long side is at most ``side``; never a larger one."""
        longest = max(self.width, self.height)
        if longest <= side:
            return self
        return Size(
            max(1, round(self.width * side / longest)), max(1, round(self.height * side / longest))
        )


THUMB = Size(THUMB_SIDE, THUMB_SIDE)
