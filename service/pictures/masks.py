"""The pixels of a BMP with bit fields, as bands of 8 bits a channel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.pictures.layout import Masks

ROWS_AT_ONCE_BYTES = 2**20


class MaskRows:
    """A BMP of 16 or 32 bits a pixel, each channel where its mask is."""

    def __init__(self, body: bytes, masks: Masks, size: tuple[int, int]) -> None:
        """``body`` is the whole file, ``size`` its width and height."""
        self.size, self._masks = size, masks
        row_bytes = (size[0] * masks.bits + 31) // 32 * 4
        raw = np.frombuffer(body, np.uint8, row_bytes * size[1], masks.offset)
        self._rows = raw.reshape(size[1], row_bytes)
        if masks.is_upwards:
            self._rows = self._rows[::-1]
        # programs that know of no alpha leave its bits at 0 everywhere: that is an opaque picture
        self._has_alpha = bool(masks.alpha) and self._any_alpha()

    def band(self, top: int, bottom: int) -> Image.Image:
        """These rows, RGB or RGBa."""
        masks, pixels = self._masks, self._pixels(top, bottom)
        wanted = [masks.red, masks.green, masks.blue, *([masks.alpha] if self._has_alpha else [])]
        channels = np.dstack([_channel(pixels, mask) for mask in wanted])
        picture = Image.fromarray(channels)
        return picture.convert("RGBa") if self._has_alpha else picture

    def _pixels(self, top: int, bottom: int) -> NDArray[np.unsignedinteger[Any]]:
        rows: NDArray[np.unsignedinteger[Any]] = np.ascontiguousarray(self._rows[top:bottom]).view(
            f"<u{self._masks.bits // 8}"
        )
        return rows[:, : self.size[0]]

    def _any_alpha(self) -> bool:
        step = max(1, ROWS_AT_ONCE_BYTES // self._rows.shape[1])
        return any(
            (self._pixels(top, top + step) & self._masks.alpha).any()
            for top in range(0, self.size[1], step)
        )


def _channel(pixels: NDArray[np.unsignedinteger[Any]], mask: int) -> NDArray[np.uint8]:
    """0..255 of the bits under a mask, all of them being white; 0 of a mask without bits."""
    if not mask:
        return np.zeros(pixels.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    values = (pixels.astype(np.uint32) & np.uint32(mask)) >> np.uint32(shift)
    levels: NDArray[np.uint8] = np.rint(values * (255 / (mask >> shift))).astype(np.uint8)
    return levels
