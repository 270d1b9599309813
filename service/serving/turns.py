"""What many connections want at once goes a few a turn of the loop, so that others have theirs.

Else 300 clients that pipeline make a turn of 300 requests, and a probe, which takes several turns
from connecting to its answer, waits for seconds; and 32 bodies a turn of 32 reads of 256 kB.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

TURN_FOLLOW_UPS = 8
TURN_BODIES = 4


class Turns:
    """Waiting steps, of all connections together; the first in, the first out."""

    def __init__(self, a_turn: int) -> None:
        """``a_turn`` of them go in one turn."""
        self._a_turn = a_turn
        self._waiting: deque[Callable[[], None]] = deque()

    def add(self, loop: asyncio.AbstractEventLoop, step: Callable[[], None]) -> None:
        """Call it in a turn to come."""
        self._waiting.append(step)
        if len(self._waiting) == 1:
            loop.call_soon(self._take, loop)

    def _take(self, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(min(self._a_turn, len(self._waiting))):
            self._waiting.popleft()()
        if self._waiting:
            loop.call_soon(self._take, loop)
