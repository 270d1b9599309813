"""What is known of a picture before a single pixel is decoded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Header:
    """A picture that passed every check on its header.

    ``width`` and ``height`` are as stored, before orientation. ``body`` is the file rebuilt from
    the parts that were checked: the decoder sees no other byte of the upload. ``pixel_bytes`` is
    the memory that decoding takes for each pixel, ``fixed_bytes`` what it takes besides.
    ``orientation`` is EXIF's 1..8. ``black`` and ``white`` are the samples that stand for them
    where samples are deeper than 8 bits; equal when the samples themselves must tell.
    ``scalable``: the decoder can paint it at 1/2, 1/4 or 1/8 for less (JPEG).
    """

    format: str
    width: int
    height: int
    body: bytes
    pixel_bytes: float
    fixed_bytes: int = 0
    orientation: int = 1
    profile: bytes = b""
    black: float = 0.0
    white: float = 65535.0
    scalable: bool = False
