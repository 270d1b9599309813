"""One budget of memory for all pictures, from when they are decoded until they are encoded."""

from __future__ import annotations

import time
from collections import deque
from threading import Condition
from types import TracebackType
from typing import Self

from service.errors import PictureTooLargeError, QueueFullError


class Lease:
    """A share of a budget. Thread-safe; a context manager that gives it back."""

    def __init__(self, budget: MemoryBudget, share_bytes: int) -> None:
        """A share that was taken already; ``MemoryBudget.hold`` makes them."""
        self._budget = budget
        self._held_bytes = share_bytes

    @property
    def held_bytes(self) -> int:
        """What has not been given back."""
        return self._held_bytes

    def shrink(self, to_bytes: int) -> None:
        """Give back all but so much; one that holds no more than that stays as it is."""
        with self._budget.changed:
            freed = max(0, self._held_bytes - to_bytes)
            self._held_bytes -= freed
            self._budget.give_back(freed)

    def release(self) -> None:
        """Give back everything; again: nothing happens."""
        self.shrink(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()


class MemoryBudget:
    """Hands out shares of a fixed number of bytes, first come first served. Thread-safe."""

    def __init__(self, total_bytes: int, wait_seconds: float) -> None:
        """``wait_seconds`` is how long a share may be waited for."""
        self._total = total_bytes
        self._free = total_bytes
        self._wait_seconds = wait_seconds
        self.changed = Condition()
        """Held while shares change hands."""
        self._waiting: deque[object] = deque()

    @property
    def free_bytes(self) -> int:
        """What is not handed out."""
        return self._free

    def hold(self, share_bytes: int) -> Lease:
        """Take a share, once it is free.

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
        return Lease(self, share_bytes)

    def give_back(self, share_bytes: int) -> None:
        """For leases, which hold ``changed``."""
        self._free += share_bytes
        self.changed.notify_all()

    def _acquire(self, share_bytes: int) -> None:
        # A queue, so that a large picture is not overtaken for ever by small ones.
        place = object()
        deadline = time.monotonic() + self._wait_seconds
        with self.changed:
            self._waiting.append(place)
            try:
                while self._waiting[0] is not place or self._free < share_bytes:
                    if not self.changed.wait(deadline - time.monotonic()):
                        raise QueueFullError(
                            f"no memory to decode in became free in {self._wait_seconds:g} s"
                        )
                self._free -= share_bytes
            finally:
                self._waiting.remove(place)
                self.changed.notify_all()
