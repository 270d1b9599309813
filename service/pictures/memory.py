"""One budget of memory for all pictures that are being decoded at the same time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

from service.errors import PictureTooLargeError, QueueFullError


class MemoryBudget:
    """Hands out shares of a fixed number of bytes, first come first served. Thread-safe."""

    def __init__(self, total_bytes: int, wait_seconds: float) -> None:
        """``wait_seconds`` is how long a share may be waited for."""
        self._total = total_bytes
        self._free = total_bytes
        self._wait_seconds = wait_seconds
        self._changed = Condition()
        self._waiting: deque[object] = deque()

    @property
    def free_bytes(self) -> int:
        """What is not handed out."""
        return self._free

    @contextmanager
    def hold(self, share_bytes: int) -> Iterator[None]:
        """Hold a share while the block runs.

        Raises PictureTooLargeError for a share over the whole budget, QueueFullError when it did
        not become free in time.
        """
        if share_bytes > self._total:
            raise PictureTooLargeError(
                f"decoding would take {share_bytes} bytes of memory; the limit is {self._total}",
                memory_bytes=share_bytes,
                limit=self._total,
            )
        self._acquire(share_bytes)
        try:
            yield
        finally:
            with self._changed:
                self._free += share_bytes
                self._changed.notify_all()

    def _acquire(self, share_bytes: int) -> None:
        # A queue, so that a large picture is not overtaken for ever by small ones.
        place = object()
        deadline = time.monotonic() + self._wait_seconds
        with self._changed:
            self._waiting.append(place)
            try:
                while self._waiting[0] is not place or self._free < share_bytes:
                    if not self._changed.wait(deadline - time.monotonic()):
                        raise QueueFullError(
                            f"no memory to decode in became free in {self._wait_seconds:g} s"
                        )
                self._free -= share_bytes
            finally:
                self._waiting.remove(place)
                self._changed.notify_all()
