"""A decoded picture as bands of rows of 8 bits a channel, wherever its samples come from."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

AS_THEY_ARE = frozenset(("L", "RGB", "CMYK", "LAB", "La", "RGBa"))
PREMULTIPLIED = {"LA": "La", "RGBA": "RGBa"}
DEEP_WHITE = 65535


class Rows(Protocol):
    """What ``shrink`` reads a picture from."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        ...

    def band(self, top: int, bottom: int) -> Image.Image:
        """These rows, in one mode of AS_THEY_ARE that is the same for all bands."""
        ...


class PillowRows:
    """A picture that Pillow decoded, of any mode it has for formats other than TIFF."""

    def __init__(self, picture: Image.Image, clear: tuple[int, ...] = ()) -> None:
        """``clear`` is the sample or the RGB that is transparent, as the picture holds it."""
        self._picture = picture
        key = picture.info.get("transparency")
        if picture.mode == "L" and isinstance(key, int):
            clear = clear or (key,)
        self._clear = clear
        self.size = picture.size

    def band(self, top: int, bottom: int) -> Image.Image:
        """These rows; palettes, deep samples and alpha are converted here."""
        band = self._picture.crop((0, top, self.size[0], bottom))
        if self._clear:
            return with_clear(_as_they_are(band), np.asarray(band), self._clear)
        # a palette's transparent colours are in the picture's metadata, which a crop drops
        if band.mode == "P" and "transparency" in self._picture.info:
            band.info["transparency"] = self._picture.info["transparency"]
            return band.convert("RGBA").convert("RGBa")
        return _as_they_are(band)


class DeepRgbRows:
    """RGB of 16 bits a channel with one transparent colour, from its upper and its lower bytes."""

    def __init__(self, upper: Image.Image, lower: Image.Image, clear: tuple[int, ...]) -> None:
        """Both pictures are RGB; ``clear`` is of 16 bits a channel."""
        self._upper, self._lower, self._clear = upper, lower, clear
        self.size = upper.size

    def band(self, top: int, bottom: int) -> Image.Image:
        """These rows, RGBa."""
        place = (0, top, self.size[0], bottom)
        upper = self._upper.crop(place)
        samples = np.asarray(upper).astype(np.uint16) << 8
        samples |= np.asarray(self._lower.crop(place))
        return with_clear(upper, samples, self._clear)


class PlacedRows:
    """A picture on a canvas that it does not cover, or that cuts it; the rest is clear."""

    def __init__(self, rows: Rows, size: tuple[int, int], place: tuple[int, int]) -> None:
        """``place`` is where the picture's left top corner lies on the canvas of ``size``."""
        self._rows, self._place = rows, place
        self.size = size
        left, top = place
        across, down = rows.size
        self._covers = left <= 0 and top <= 0 and left + across >= size[0] and top + down >= size[1]

    def band(self, top: int, bottom: int) -> Image.Image:
        """These rows of the canvas: as the picture's where that covers it, else with alpha."""
        left, down = self._place
        first = min(max(top - down, 0), self._rows.size[1])
        last = min(max(bottom - down, 0), self._rows.size[1])
        # without rows of its own, a band still has to have the picture's mode
        has_rows = first < last
        inner = self._rows.band(first, last) if has_rows else self._rows.band(0, 1)
        mode = inner.mode
        if not self._covers and mode not in PREMULTIPLIED.values():
            mode = "La" if mode == "L" else "RGBa"
        canvas = Image.new(mode, (self.size[0], bottom - top))
        if has_rows:
            canvas.paste(_with_alpha(inner, mode), (left, first + down - top))
        return canvas


def _with_alpha(band: Image.Image, mode: str) -> Image.Image:
    """An opaque band in a premultiplied mode; any other as it is."""
    if band.mode == mode:
        return band
    straight = "LA" if mode == "La" else "RGBA"
    return band.convert(straight[:-1]).convert(straight).convert(mode)


def with_clear(
    band: Image.Image, samples: NDArray[np.generic], clear: tuple[int, ...]
) -> Image.Image:
    """A band of mode L or RGB, premultiplied; clear where its samples, [H, W(, 3)], are those."""
    hit = samples == np.array(clear, samples.dtype) if len(clear) > 1 else samples == clear[0]
    if hit.ndim == 3:
        hit = hit.all(axis=2)
    band.putalpha(Image.fromarray(np.where(hit, 0, 255).astype(np.uint8)))
    return band.convert(PREMULTIPLIED[band.mode])


def _as_they_are(band: Image.Image) -> Image.Image:
    """A band in one of the modes AS_THEY_ARE."""
    if band.mode.startswith("I"):
        levels = np.asarray(band).astype(np.float32) * np.float32(255 / DEEP_WHITE)
        return Image.fromarray(np.rint(levels.clip(0, 255)).astype(np.uint8))
    if band.mode == "P":
        band = band.convert(band.palette.mode if band.palette else "RGB")
    elif band.mode == "1":
        band = band.convert("L")
    elif band.mode == "PA":
        band = band.convert("RGBA")
    if band.mode in PREMULTIPLIED:
        return band.convert(PREMULTIPLIED[band.mode])
    return band if band.mode in AS_THEY_ARE else band.convert("RGB")
