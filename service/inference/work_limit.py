"""Bounds on work that is under way or waits, where it is more than one queue's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from service.errors import QueueFullError


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """What one piece takes: cost, as of ``Codec.cost``, bytes that it holds to its end, and bytes
    while its turn lasts at ``where``, which takes one after the other."""

    cost: int
    held_bytes: int
    turn_bytes: int = 0
    where: str = ""


class WorkLimit:
    """Counts cost and memory of what was admitted. It belongs to one event loop.

    What comes alone is admitted whatever it costs, so that no limit refuses it for ever.
    """

    def __init__(self, cost: int, memory_bytes: int) -> None:
        """The most of both at the same time."""
        self._cost, self._memory_bytes = cost, memory_bytes
        self._works: list[Work] = []

    @contextmanager
    def admitted(self, work: Work) -> Iterator[None]:
        """While the work lasts. Raises QueueFullError when there is too much already."""
        works = [*self._works, work]
        cost = sum(one.cost for one in works)
        if self._works and (cost > self._cost or _memory_bytes(works) > self._memory_bytes):
            raise QueueFullError(f"{len(self._works)} pictures are being painted, as much as may")
        self._works.append(work)
        try:
            yield
        finally:
            self._works.remove(work)


def _memory_bytes(works: Sequence[Work]) -> int:
    """All that is held, and of each place the turn that takes most."""
    turns: dict[str, int] = {}
    for work in works:
        turns[work.where] = max(work.turn_bytes, turns.get(work.where, 0))
    return sum(work.held_bytes for work in works) + sum(turns.values())
