"""When a request's time is over: ``deadline_seconds`` after its body is here.

Work that others may join is due when the last of them is (``shared``), so it does not end with the
request that began it; whoever waits for it has a deadline of his own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import TYPE_CHECKING, TypeVar

from service.due import Due
from service.errors import DeadlineError
from service.http.request.context import context_of
from service.serving.services import services_of

if TYPE_CHECKING:
    from starlette.requests import Request

T = TypeVar("T")


def deadline_of(request: Request) -> float:
    """Event-loop time at which the answer is too late; without a body, counted from its start."""
    context = context_of(request)
    begin = context.started if context.body_complete is None else context.body_complete
    return begin + services_of(request).settings.deadline_seconds


def due_of(request: Request) -> Due:
    """When the work of this request is due: at its deadline, or that of the last who joined it."""
    return context_of(request).due or Due(deadline_of(request))


async def shared(request: Request, key: Hashable, make: Callable[[], Awaitable[T]]) -> T:
    """``make()``, or the result of equal work that is under way, within the request's deadline.

    Raises DeadlineError, and what the work raises.
    """

    def begin(due: Due) -> Awaitable[T]:
        context_of(request).due = due
        return make()

    return await services_of(request).single_flight.run(key, begin, deadline_of(request))


async def within_deadline(request: Request, awaitable: Awaitable[T]) -> T:
    """Await it until it is due, and no longer. Raises DeadlineError."""
    limit = services_of(request).settings.deadline_seconds
    due = due_of(request)
    try:
        async with asyncio.timeout_at(due.at) as timeout:
            with due.followed(timeout.reschedule):
                return await awaitable
    except TimeoutError as late:
        raise DeadlineError(
            f"the answer was not ready {limit:g} s after the body was here"
        ) from late
