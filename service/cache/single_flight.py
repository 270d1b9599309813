"""Equal work at the same time is done once, and each who waits for it has a deadline of his own."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from service.due import Due
from service.errors import DeadlineError, UnavailableError

T = TypeVar("T")
LONG_SECONDS = 86_400.0
"""A loop's timer takes no later time."""


@dataclass(slots=True)
class _Flight:
    due: Due
    task: asyncio.Task[Any]
    waiters: int = 0


class SingleFlight:
    """Shares the result of concurrent work under one key; remembers nothing afterwards.

    Callers that use one key must agree on the type of its result.
    """

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight] = {}

    def __len__(self) -> int:
        """Number of works in flight."""
        return len(self._flights)

    async def run(
        self, key: Hashable, make: Callable[[Due], Awaitable[T]], deadline: float = math.inf
    ) -> T:
        """The result of ``make(due)``, or of an equal call's that is under way.

        What it raises reaches every waiter. It runs in a task of its own, so it survives the
        cancellation of whoever came first; when the last waiter has left it is cancelled.
        ``deadline`` is this waiter's, in the loop's time; the work is due when the last of them
        is, and ends itself then. Raises DeadlineError when this one passes and others wait longer,
        UnavailableError when the work cancels itself.
        """
        flight = self._flights.get(key)
        if flight is None or flight.task.done():
            due = Due(deadline)
            flight = _Flight(due, asyncio.create_task(_call(make, due)))
            self._flights[key] = flight
        flight.due.put_off(deadline)
        flight.waiters += 1
        try:
            await _wait(flight, deadline)
        finally:
            flight.waiters -= 1
            if flight.task.done() or not flight.waiters:
                self._forget(key, flight)
        if not flight.task.done():
            raise DeadlineError
        if flight.task.cancelled():
            raise UnavailableError("the work was cancelled before it was done")
        result: T = flight.task.result()
        return result

    def _forget(self, key: Hashable, flight: _Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        if flight.task.done():
            # A failure that its last waiter no longer asks for is not an unhandled one.
            if not flight.task.cancelled():
                flight.task.exception()
        else:
            flight.task.cancel()
            flight.task.add_done_callback(_look)


async def _wait(flight: _Flight, deadline: float) -> None:
    """Until the work is done, or the deadline of this waiter has passed but not the others'."""
    loop = asyncio.get_running_loop()
    late: asyncio.Future[None] = loop.create_future()

    def pass_by() -> None:
        if flight.due.at > deadline and not late.done():
            late.set_result(None)

    timer = loop.call_at(min(deadline, loop.time() + LONG_SECONDS), pass_by)
    try:
        await asyncio.wait((flight.task, late), return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()


def _look(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


async def _call(make: Callable[[Due], Awaitable[T]], due: Due) -> T:
    return await make(due)
