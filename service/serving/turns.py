"""Pipelined requests take turns behind everybody's first ones, over all connections."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

TURN_FOLLOW_UPS = 8


class Follower(Protocol):
    """A connection with pipelined requests that wait."""

    loop: asyncio.AbstractEventLoop

    def start_next(self) -> None:
        """Start the next of them, if its client is still there."""
        ...


class FollowUps:
    """Connections whose next pipelined request waits for its turn, behind everybody's first ones.

    Else 300 clients that pipeline make a turn of 300 requests, and a probe, which takes several
    turns from connecting to its answer, waits for seconds.
    """

    def __init__(self) -> None:
        self._waiting: deque[Follower] = deque()

    def add(self, connection: Follower) -> None:
        """Start its next request in a turn to come."""
        self._waiting.append(connection)
        if len(self._waiting) == 1:
            connection.loop.call_soon(self._start_some, connection.loop)

    def _start_some(self, loop: asyncio.AbstractEventLoop) -> None:
        for _ in range(min(TURN_FOLLOW_UPS, len(self._waiting))):
            self._waiting.popleft().start_next()
        if self._waiting:
            loop.call_soon(self._start_some, loop)
