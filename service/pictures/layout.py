"""How samples lie in bytes, for pictures whose decoder unpacks bytes and no more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SampleKind = Literal["unsigned", "signed", "float"]
Alpha = Literal["none", "associated", "unassociated"]
Meaning = Literal["grey", "inverted", "rgb", "palette", "cmyk", "ycbcr", "lab", "icclab"]


@dataclass(frozen=True, slots=True)
class YCbCr:
    """Luma pixels of one chroma sample, across and down; luma weights; black and white codes."""

    across: int = 1
    down: int = 1
    weights: tuple[float, float, float] = (0.299, 0.587, 0.114)
    codes: tuple[float, float, float, float, float, float] = (0, 255, 128, 255, 128, 255)


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of a TIFF (TIFF 6.0, sections 3 to 23), whose pages are its planes.

    ``samples`` is how many a pixel has, of ``bits`` each, in one plane or in as many.
    ``predictor`` is 1 (none), 2 (differences) or 3 (differences of the bytes of floats), undone
    over ``tile_width`` pixels at a time. ``palette`` is uint8 [colours, 3], row by row.
    """

    order: Literal["<", ">"]
    bits: int
    kind: SampleKind
    samples: int
    is_planar: bool
    meaning: Meaning
    alpha: Alpha
    alpha_at: int
    predictor: int
    tile_width: int
    palette: bytes = b""
    ycbcr: YCbCr = YCbCr()

    @property
    def plane_samples(self) -> int:
        """Samples of a pixel in one plane."""
        return 1 if self.is_planar else self.samples

    def row_bytes(self, width: int) -> int:
        """Bytes of a row of ``width`` pixels in one plane; of ``ycbcr.down`` rows if subsampled."""
        if self.ycbcr.across * self.ycbcr.down > 1:
            return -(-width // self.ycbcr.across) * (self.ycbcr.across * self.ycbcr.down + 2)
        return (width * self.bits * self.plane_samples + 7) // 8

    def stored_rows(self, height: int) -> int:
        """Rows in the sense of ``row_bytes``."""
        return -(-height // self.ycbcr.down)


@dataclass(frozen=True, slots=True)
class Masks:
    """The bit fields of a BMP's pixels of 16 or 32 bits; an alpha of no bits is opaque."""

    bits: int
    red: int
    green: int
    blue: int
    alpha: int
    offset: int
    is_upwards: bool
