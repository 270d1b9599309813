"""A codec's threads: the channels of a picture, or tiles of it, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")
CHANNELS = range(3)


class Threads:
    """``count`` of them; one is the caller's own."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._pool = ThreadPoolExecutor(count, "prefixel-photo")
        self._several = count > 1

    def beside(self, work: Callable[[], T]) -> Callable[[], T]:
        """Begin ``work`` beside what the caller does next; what is returned waits for its end."""
        if self._several:
            return self._pool.submit(work).result
        return work

    def each_channel(self, work: Callable[[int], T]) -> list[T]:
        """What ``work`` makes of each channel."""
        return self.each(work, CHANNELS)

    def each(self, work: Callable[[S], T], items: Iterable[S]) -> list[T]:
        """What ``work`` makes of each; raises what it raises."""
        if self._several:
            return list(self._pool.map(work, items))
        return [work(item) for item in items]
