"""A photo stream being read: what is decided so far, and where it goes on with more bytes."""

from __future__ import annotations

import numpy as np

from service.codec.photo.bitplane_coder import READ, Fixed, Models, scan
from service.codec.photo.known import NO_COUNTS, NO_PRICE, Known
from service.codec.photo.order import Grid

_LIMIT = 8
_NO_VALUES = np.zeros(1, np.int32)


class Parse(Known):
    """Holds what the prefixes of one payload decide, from the shortest to the longest."""

    def __init__(
        self, grid: Grid, models: Models, fixed: Fixed, stream: bytes, header_bytes: int
    ) -> None:
        """``models`` adapt: hand in a copy."""
        super().__init__(grid)
        self._models, self._fixed = models, fixed
        self._data = np.frombuffer(bytearray(stream), np.uint8)[header_bytes:]
        self._header_bytes = header_bytes

    def advance(self, cut_bytes: int) -> int:
        """Take the stream up to a cut, no shorter than the last; symbols decided so far."""
        limit = max(0, min(cut_bytes - self._header_bytes, len(self._data)))
        return scan(
            READ,
            self.grid,
            self._models,
            self._fixed,
            _NO_VALUES,
            self.known,
            self.negative,
            self._active,
            self._state,
            self._data,
            limit,
            NO_PRICE,
            NO_COUNTS,
        )

    def reach(self, cut_bytes: int) -> int:
        """As ``advance``."""
        self.advance(cut_bytes)
        return min(cut_bytes, self._header_bytes + len(self._data))

    @property
    def ended(self) -> bool:
        """Whether all was read."""
        return bool(self._state[_LIMIT] == len(self._data))

    @property
    def complete(self) -> bool:
        """Whether every pass is told."""
        return self.passes_done == len(self.grid.passes)
