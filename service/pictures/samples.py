"""The samples of a TIFF, unpacked to bytes by libtiff and read by numpy, as bands of 8 bits.

libtiff, as Pillow calls it, swaps bytes and undoes predictors as its own idea of the picture wants
it, and Pillow knows some combinations of order, depth and layout only, a few of them wrongly. So
it gets each plane as grey bytes, and everything that the samples mean is done here, once for all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.pictures.layout import Samples, YCbCr

PIECE_PIXELS = 2**15
"""Pixels that are converted at a time."""

COLOURS = {"rgb": 3, "cmyk": 4, "ycbcr": 3, "lab": 3, "icclab": 3}
"""Meaning -> samples that are colour; 1 for all others."""

Levels = NDArray[np.float32]


class SampleRows:
    """A TIFF by its planes, each a picture of mode L whose pixels are the plane's bytes."""

    def __init__(self, planes: list[Image.Image], layout: Samples, size: tuple[int, int]) -> None:
        """``size`` is the picture's width and height."""
        self._planes, self._layout, self.size = planes, layout, size
        self._channels = _channels(layout)
        self._white = _white(layout)
        if layout.kind == "float":
            self._white = max(1.0, self._largest())

    def band(self, top: int, bottom: int) -> Image.Image:
        """These rows in mode L, RGB, CMYK, LAB, La or RGBa."""
        down = self._layout.ycbcr.down
        step = max(1, PIECE_PIXELS // (self.size[0] * down)) * down
        shape = (bottom - top, self.size[0], self._channels)
        pixels: NDArray[np.uint8] = np.empty(shape, np.uint8)
        # where chroma is shared by rows, a piece begins with a whole unit
        for first in range(top // down * down, bottom, step):
            last = min(bottom, first + step)
            piece = self._eight_bits(first, last)
            pixels[max(0, first - top) : last - top] = piece[max(0, top - first) :]
        return _picture(pixels, self._layout)

    def _samples(self, top: int, bottom: int) -> NDArray[np.generic]:
        """[rows, width, samples] in native order, as the file means them before any scaling."""
        found = []
        for plane in self._planes:
            raw = np.asarray(plane.crop((0, top, plane.size[0], bottom)))
            found.append(_unpacked(raw, self._layout, self.size[0]))
        return found[0] if len(found) == 1 else np.concatenate(found, axis=2)

    def _largest(self) -> float:
        """The largest colour sample that is a number, over the whole picture; 0 when none is."""
        colours = COLOURS.get(self._layout.meaning, 1)
        step, largest = max(1, PIECE_PIXELS // self.size[0]), 0.0
        for top in range(0, self.size[1], step):
            samples = self._samples(top, min(self.size[1], top + step))[:, :, :colours]
            finite = samples[np.isfinite(samples)]
            if finite.size:
                largest = max(largest, float(finite.max()))
        return largest

    def _eight_bits(self, top: int, bottom: int) -> NDArray[np.uint8]:
        """[rows, width, channels], colour and then alpha, channels as ``_picture`` wants them."""
        layout = self._layout
        if layout.ycbcr.across * layout.ycbcr.down > 1:
            return self._subsampled(top, bottom)
        samples = self._samples(top, bottom)
        colours = COLOURS.get(layout.meaning, 1)
        colour: NDArray[np.uint8]
        if layout.meaning == "palette":
            palette = np.frombuffer(layout.palette, np.uint8).reshape(-1, 3)
            colour = palette.take(samples[:, :, 0].astype(np.intp), axis=0, mode="clip")
        elif layout.meaning in ("lab", "icclab"):
            colour = _lab(samples[:, :, :3], layout)
        elif layout.meaning == "ycbcr":
            colour = _rgb(samples[:, :, :3].astype(np.float32), layout.ycbcr)
        else:
            colour = self._scaled(samples[:, :, :colours])
            if layout.meaning == "inverted":
                colour = 255 - colour
        if layout.alpha == "none":
            return colour
        alpha = self._scaled(samples[:, :, layout.alpha_at : layout.alpha_at + 1], 1.0)
        return np.concatenate((colour, alpha), axis=2)

    def _scaled(self, samples: NDArray[np.generic], float_white: float = 0.0) -> NDArray[np.uint8]:
        """0..255 of samples between 0 and white; what is no number is 0."""
        layout = self._layout
        if layout.kind == "unsigned" and layout.bits == 8:
            return samples.astype(np.uint8, copy=False)
        white = float_white if float_white and layout.kind == "float" else self._white
        # 16 bits and a scale are exact enough in single precision
        with np.errstate(all="ignore"):
            levels: NDArray[np.floating[Any]] = samples.astype(
                np.float32 if layout.bits <= 16 else np.float64
            )
            levels *= 255 / white
            if layout.kind == "float":
                np.nan_to_num(levels, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
            return _rounded(levels)

    def _subsampled(self, top: int, bottom: int) -> NDArray[np.uint8]:
        """RGB of units of luma and one pair of chroma (TIFF 6.0, section 21)."""
        unit, width = self._layout.ycbcr, self.size[0]
        (plane,) = self._planes
        first, last = top // unit.down, -(-bottom // unit.down)
        raw = np.asarray(plane.crop((0, first, plane.size[0], last)))
        units = raw.reshape(last - first, -1, unit.across * unit.down + 2)
        luma = units[:, :, :-2].reshape(last - first, -1, unit.down, unit.across)
        lines = luma.swapaxes(1, 2).reshape((last - first) * unit.down, -1)
        chroma = units[:, :, -2:].repeat(unit.down, axis=0).repeat(unit.across, axis=1)
        whole = np.dstack((lines, chroma))[: bottom - top, :width]
        return _rgb(whole.astype(np.float32), unit)


def piece_bytes(layout: Samples, width: int) -> int:
    """Memory of a piece while it is converted: its bytes, numbers and levels, a few copies each."""
    unpacked = layout.bits if layout.bits % 8 else 4 * layout.bits // 8
    return max(PIECE_PIXELS, width * layout.ycbcr.down) * layout.samples * (unpacked + 32)


def _channels(layout: Samples) -> int:
    """Channels of the bands: colours, and the alpha."""
    colours = 3 if layout.meaning == "palette" else COLOURS.get(layout.meaning, 1)
    return colours + (layout.alpha != "none")


def _white(layout: Samples) -> float:
    """The sample that stands for white, of whole numbers."""
    bits = layout.bits - 1 if layout.kind == "signed" else layout.bits
    return float(max(1, 2**bits - 1))


def _unpacked(raw: NDArray[np.uint8], layout: Samples, width: int) -> NDArray[np.generic]:
    """Rows of bytes -> [rows, width, samples of the plane], native, predictor undone."""
    rows, samples = len(raw), layout.plane_samples
    size = layout.bits // 8
    if layout.bits % 8 or layout.bits == 24:
        return _small(raw, layout, width)
    if layout.predictor == 3:
        raw = _undone_bytes(raw, size, samples, layout.tile_width)[:, : width * samples * size]
        raw = np.ascontiguousarray(raw)
        order = ">"
    else:
        order = layout.order
    numbers = raw.view(f"{order}u{size}").astype(f"u{size}").reshape(rows, width, samples)
    if layout.predictor == 2:
        for start in range(0, width, layout.tile_width):
            tile = numbers[:, start : start + layout.tile_width]
            np.add.accumulate(tile, axis=1, out=tile, dtype=tile.dtype)
    kind = {"unsigned": "u", "signed": "i", "float": "f"}[layout.kind]
    return numbers.view(f"{kind}{size}")


def _small(raw: NDArray[np.uint8], layout: Samples, width: int) -> NDArray[np.generic]:
    """Samples of any other number of bits: packed without gaps, most significant bit first."""
    count = width * layout.plane_samples
    if layout.bits == 24:
        parts = raw.reshape(len(raw), count, 3).astype(np.uint32)
        first, last = (0, 2) if layout.order == ">" else (2, 0)
        numbers = parts[:, :, first] << 16 | parts[:, :, 1] << 8 | parts[:, :, last]
    else:
        bits = np.unpackbits(raw, axis=1, count=count * layout.bits)
        bits = bits.reshape(len(raw), count, layout.bits)
        numbers = np.zeros(bits.shape[:2], np.uint32)
        for place in range(layout.bits):
            numbers = numbers << 1 | bits[:, :, place]
    found = numbers.reshape(len(raw), width, layout.plane_samples)
    if layout.kind == "signed":
        top = np.int64(1) << layout.bits
        return np.where(found >> (layout.bits - 1) & 1, found - top, found.astype(np.int64))
    return found


def _undone_bytes(
    raw: NDArray[np.uint8], size: int, samples: int, tile_width: int
) -> NDArray[np.uint8]:
    """Floats, most significant byte first, of predictor 3 (Adobe's TIFF Technical Note 3)."""
    tiles = []
    for start in range(0, raw.shape[1], tile_width * samples * size):
        tile = raw[:, start : start + tile_width * samples * size]
        stepped = tile.reshape(len(tile), -1, samples)
        summed = np.add.accumulate(stepped, axis=1, dtype=np.uint8).reshape(len(tile), size, -1)
        tiles.append(summed.swapaxes(1, 2).reshape(len(tile), -1))
    return np.concatenate(tiles, axis=1)


def _rounded(levels: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """To the nearest of 0..255; changes ``levels``."""
    levels.clip(0, 255, out=levels)
    levels += 0.5
    return levels.astype(np.uint8)


def _lab(samples: NDArray[np.generic], layout: Samples) -> NDArray[np.uint8]:
    """L in 0..255, a and b around 128, of 8 or 16 bits a sample."""
    numbers = samples.astype(np.float32)
    offset = 0.0
    if layout.meaning == "lab":
        # a and b are signed whatever the tag of the sample format says
        half = float(2 ** (layout.bits - 1))
        signed = numbers[:, :, 1:]
        numbers[:, :, 1:] = np.where(signed >= half, signed - 2 * half, signed)
        offset = 128.0
    white = float(2**layout.bits - 1)
    if layout.meaning == "icclab" and layout.bits == 16:
        white = 65280.0  # ICC's 16 bits: L* 100 is FF00
    numbers[:, :, 0] *= 255 / white
    numbers[:, :, 1:] = numbers[:, :, 1:] / 2 ** (layout.bits - 8) + offset
    return _rounded(numbers)


def _rgb(samples: Levels, how: YCbCr) -> NDArray[np.uint8]:
    """RGB of Y, Cb, Cr by their weights and their codes of black and white."""
    red, green, blue = how.weights
    dark, bright, *chroma = how.codes
    y = (samples[:, :, 0] - dark) * (255 / (bright - dark))
    cb = (samples[:, :, 1] - chroma[0]) * (127 / (chroma[1] - chroma[0]))
    cr = (samples[:, :, 2] - chroma[2]) * (127 / (chroma[3] - chroma[2]))
    r = y + cr * (2 - 2 * red)
    b = y + cb * (2 - 2 * blue)
    g = (y - red * r - blue * b) / green
    return _rounded(np.dstack((r, g, b)))


def _picture(pixels: NDArray[np.uint8], layout: Samples) -> Image.Image:
    """[rows, width, channels] as one of Pillow's modes, alpha premultiplied."""
    height, width, channels = pixels.shape
    if layout.meaning in ("lab", "icclab"):
        stored = pixels.copy()
        stored[:, :, 1:] ^= 128  # Pillow's raw mode is that of files: a and b are signed
        return Image.frombytes("LAB", (width, height), stored)
    if layout.meaning == "cmyk":
        return Image.frombytes("CMYK", (width, height), pixels)
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    if layout.alpha == "associated":
        mode = {"LA": "La", "RGBA": "RGBa"}[mode]
    picture = Image.frombytes(mode, (width, height), pixels)
    return picture.convert(mode[:-1] + "a") if layout.alpha == "unassociated" else picture
