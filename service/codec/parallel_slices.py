"""A batch cut into slices that several threads work on at once.

For loops that are compiled and release the interpreter lock, and for networks that compute in the
thread that calls them.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

LEAST = 4
"""A stretch of fewer pictures costs more to hand over than it saves."""


class ParallelSlices:
    """``threads`` of them at most. Thread-safe."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, "prefixel-codec")

    def run(self, work: Callable[[slice], None], count: int, most: int = 2**16) -> None:
        """Call ``work`` with slices that together are ``0 .. count``; raises what it raises.

        A slice has ``most`` at most: what a thread's cache holds is read sooner.
        """
        slices = max(1, min(self._threads, count // LEAST), -(-count // most))
        if slices == 1:
            work(slice(0, count))
            return
        bounds = [count * n // slices for n in range(slices + 1)]
        list(self._pool.map(work, [slice(*pair) for pair in pairwise(bounds)]))
