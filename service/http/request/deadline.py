"""When a request's time is over: ``deadline_seconds`` after its body is here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

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


async def within_deadline(request: Request, awaitable: Awaitable[T]) -> T:
    """Await it, but no longer than the deadline. Raises DeadlineError."""
    limit = services_of(request).settings.deadline_seconds
    try:
        async with asyncio.timeout_at(deadline_of(request)):
            return await awaitable
    except TimeoutError as late:
        raise DeadlineError(
            f"the answer was not ready {limit:g} s after the body was here"
        ) from late
