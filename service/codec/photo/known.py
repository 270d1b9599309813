"""What is known of a photo's integers at a place of its stream, whether it is read or written."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from service.codec.photo.bitplane_coder import STATE
from service.codec.photo.order import Grid, Ints
from service.codec.photo.precision import Place

NO_PRICE = np.zeros((1, 2))
NO_COUNTS = np.zeros((1, 1, 2), np.int64)
_WHOLE = 1 << 32
_WIDTH, _PASS, _BLOCK = 2, 4, 6


class Known(ABC):
    """Where the scan stands. Not to be shared between threads.

    ``known`` int32 [3 K]: twice the middle of the interval in which a magnitude lies, in steps; 0
    while it is zero so far. ``negative`` int8 [3 K].
    """

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.known: Ints = np.zeros(3 * grid.coefficients, np.int32)
        self.negative = np.zeros(3 * grid.coefficients, np.int8)
        self._active = np.zeros(3 * grid.flags, np.int8)
        self._state: NDArray[np.int64] = np.zeros(STATE, np.int64)
        self._state[_WIDTH] = _WHOLE

    @property
    @abstractmethod
    def ended(self) -> bool:
        """Whether there are no more bytes."""

    @abstractmethod
    def reach(self, cut_bytes: int) -> int:
        """Go on until what is known is what a prefix of so many bytes tells, or to the end.

        The bytes that do: the cut, or all that there are.
        """

    @property
    def passes_done(self) -> int:
        """How many passes are told whole."""
        return int(self._state[_PASS])

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.passes_done, int(self._state[_BLOCK]))
