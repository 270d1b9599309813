"""A photo stream being read: what is decided so far, and where it goes on with more bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.codec.photo.bitplane_coder import READ, STATE, Fixed, Models, scan
from service.codec.photo.order import Grid, Ints
from service.codec.photo.precision import Place

_NO_VALUES = np.zeros(1, np.int32)
_NO_PRICE = np.zeros((1, 2))
_NO_COUNTS = np.zeros((1, 1, 2), np.int64)
_WHOLE = 1 << 32
_WIDTH = 2


class Parse:
    """Holds what the prefixes of one payload decide, from the shortest to the longest.

    ``known`` int32 [3 K]: twice the middle of the interval in which a magnitude lies, in steps; 0
    while it is zero so far. ``negative`` int8 [3 K]. Not to be shared between threads.
    """

    def __init__(
        self, grid: Grid, models: Models, fixed: Fixed, stream: bytes, header_bytes: int
    ) -> None:
        """``models`` adapt: hand in a copy."""
        self.grid = grid
        self.known: Ints = np.zeros(3 * grid.coefficients, np.int32)
        self.negative = np.zeros(3 * grid.coefficients, np.int8)
        self._active = np.zeros(3 * grid.flags, np.int8)
        self._models, self._fixed = models, fixed
        self._data = np.frombuffer(bytearray(stream), np.uint8)[header_bytes:]
        self._header_bytes = header_bytes
        self._state: NDArray[np.int64] = np.zeros(STATE, np.int64)
        self._state[_WIDTH] = _WHOLE

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
            _NO_PRICE,
            _NO_COUNTS,
        )

    @property
    def passes_done(self) -> int:
        """How many passes are decided whole."""
        return int(self._state[4])

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.passes_done, int(self._state[6]))

    @property
    def complete(self) -> bool:
        """Whether every pass is."""
        return self.passes_done == len(self.grid.passes)
