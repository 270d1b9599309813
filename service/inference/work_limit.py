"""Bounds on work that is under way or waits, where it is more than one queue's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import QueueFullError


class WorkLimit:
    """Counts cost and memory of what was admitted. It belongs to one event loop.

    What comes alone is admitted whatever it costs, so that no limit refuses it for ever.
    """

    def __init__(self, cost: int, memory_bytes: int) -> None:
        """The most of both at the same time; cost is that of ``Codec.cost``."""
        self._most = (cost, memory_bytes)
        self._held = (0, 0)
        self._count = 0

    @contextmanager
    def admitted(self, cost: int, memory_bytes: int) -> Iterator[None]:
        """While the work lasts. Raises QueueFullError when there is too much already."""
        held = (self._held[0] + cost, self._held[1] + memory_bytes)
        if self._count and (held[0] > self._most[0] or held[1] > self._most[1]):
            raise QueueFullError(f"{self._count} pictures are being painted, as much as may")
        self._held = held
        self._count += 1
        try:
            yield
        finally:
            self._held = (self._held[0] - cost, self._held[1] - memory_bytes)
            self._count -= 1
