"""What is known of a picture before a single pixel is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.pictures.colour_space import ColourSpace
    from service.pictures.layout import Masks, Samples


@dataclass(frozen=True, slots=True)
class Header:
    """A picture that passed every check on its header.

    ``width`` and ``height`` are those of the canvas that is shown, before orientation. ``body`` is
    the file rebuilt from the parts that were checked: the decoder sees no other byte of the upload.
    ``coded`` is the width and height that the decoder will make of it, where they are not the
    canvas'; ``place`` is where its left top corner then lies on the canvas: positive where a frame
    does not cover it, negative where it is cropped.
    ``pixel_bytes`` is the memory that decoding takes for each coded pixel, ``fixed_bytes`` what it
    takes besides.
    ``orientation`` is EXIF's 1..8. ``profile`` is ICC; ``colour`` is what else tells the colours.
    ``clear`` is the sample or the three that are transparent, as the decoder paints them, but for
    RGB of 16 bits (``clear_bits``), of which it paints the upper 8 only.
    ``layout`` is how the samples lie where the decoder unpacks bytes and no more.
    ``scalable``: the decoder can paint it at 1/2, 1/4 or 1/8 for less (JPEG).
    ``is_doubtful``: it must be seen to be whole, and ``is_closed`` says whether its end is marked
    (JPEG); ``is_checkable``: it may be checked after decoding too, if it then looks cut.
    """

    format: str
    width: int
    height: int
    body: bytes
    pixel_bytes: float
    fixed_bytes: int = 0
    coded: tuple[int, int] | None = None
    place: tuple[int, int] = (0, 0)
    orientation: int = 1
    profile: bytes = b""
    colour: ColourSpace | None = None
    clear: tuple[int, ...] = ()
    clear_bits: int = 8
    layout: Samples | Masks | None = None
    scalable: bool = False
    is_doubtful: bool = False
    is_closed: bool = True
    is_checkable: bool = False

    @property
    def coded_size(self) -> tuple[int, int]:
        """Width and height that the decoder makes."""
        return self.coded or (self.width, self.height)
