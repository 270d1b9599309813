"""How soon a process that died is started again, and when that has no sense any more: by time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 60.0
FIRST_SECONDS = 0.1
LONGEST_SECONDS = 5.0
HOPELESS_SECONDS = 60.0


class Pace:
    """Deaths of the last minute make the next start wait, twice as long a round of all processes.

    So a burst costs seconds, and never ends the service; what dies again and again is started every
    few seconds. It is hopeless when for ``HOPELESS_SECONDS`` none of the processes was ready.
    """

    def __init__(self, processes: int, clock: Callable[[], float] = time.monotonic) -> None:
        """``processes`` are how many run side by side."""
        self._processes = processes
        self._clock = clock
        self._deaths: deque[float] = deque()
        self._last_ready = clock()

    def saw_ready(self) -> None:
        """A process is ready, or was until now."""
        self._last_ready = self._clock()

    def died(self) -> float:
        """A process died; the seconds to wait before it is started again."""
        now = self._clock()
        self._deaths.append(now)
        while self._deaths[0] < now - WINDOW_SECONDS:
            self._deaths.popleft()
        rounds = (len(self._deaths) - 1) // self._processes
        return min(LONGEST_SECONDS, FIRST_SECONDS * (2.0 ** min(rounds, 10) - 1))

    @property
    def is_hopeless(self) -> bool:
        """Ask it when a process died and none is ready."""
        return self._clock() - self._last_ready > HOPELESS_SECONDS
