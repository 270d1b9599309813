"""Equal work at the same time is done once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from service.errors import UnavailableError

T = TypeVar("T")


@dataclass(slots=True)
class _Flight:
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

    async def run(self, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
        """The result of ``make()``, or of an equal call's that is under way.

        What it raises reaches every waiter. It runs in a task of its own, so it survives the
        cancellation of whoever came first; when the last waiter has left it is cancelled. Raises
        UnavailableError when the work cancels itself.
        """
        flight = self._flights.get(key)
        if flight is None or flight.task.done():
            flight = _Flight(asyncio.create_task(_call(make)))
            self._flights[key] = flight
        flight.waiters += 1
        try:
            await asyncio.wait((flight.task,))
        finally:
            flight.waiters -= 1
            if flight.task.done() or not flight.waiters:
                self._forget(key, flight)
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


def _look(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


async def _call(make: Callable[[], Awaitable[T]]) -> T:
    return await make()
