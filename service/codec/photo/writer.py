"""A photo stream being written: its bytes, and what a prefix of those so far tells."""

from __future__ import annotations

import numpy as np

from service.codec.entropy.range_coder import MARGIN
from service.codec.photo.bitplane_coder import WRITE, scan
from service.codec.photo.known import NO_COUNTS, NO_PRICE, Known
from service.codec.photo.order import Grid, Ints
from service.codec.photo.tables import Tables, fresh


class Writer(Known):
    """Writes the first ``passes`` of a grid's into so many bytes at most.

    ``stream`` is the whole stream, once ``reach`` came to its end.
    """

    def __init__(
        self, grid: Grid, passes: Ints, tables: Tables, values: Ints, head: bytes, room_bytes: int
    ) -> None:
        """``values`` int32 [3 K], signed; ``head`` stands before the payload."""
        super().__init__(grid)
        self._passes = grid._replace(passes=passes)
        self._models, self._fixed = fresh(tables.models), tables.fixed
        self._values, self._head, self._room = values, head, room_bytes
        self._out = np.zeros(room_bytes + MARGIN, np.uint8)
        self.most_bytes = len(head) + room_bytes
        self.stream: bytes | None = None

    def reach(self, cut_bytes: int) -> int:
        """To a byte: which of them the next symbol ends in is not known yet."""
        cut = cut_bytes - len(self._head)
        if self.stream is None:
            length = scan(
                WRITE,
                self._passes,
                self._models,
                self._fixed,
                self._values,
                self.known,
                self.negative,
                self._active,
                self._state,
                self._out,
                cut if cut < self._room else self._room + 2,
                NO_PRICE,
                NO_COUNTS,
            )
            if length >= 0:
                self.stream = self._head + self._out[:length].tobytes()
        return cut_bytes if self.stream is None else len(self.stream)

    @property
    def ended(self) -> bool:
        """Whether ``stream`` is there."""
        return self.stream is not None

    def whole(self) -> bytes:
        """Write to the end: the stream."""
        self.reach(self.most_bytes)
        assert self.stream is not None
        return self.stream
