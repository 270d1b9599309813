"""Stop working for a client that has left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

from service.errors import ClientGoneError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive

T = TypeVar("T")


async def while_connected(request: Request, awaitable: Awaitable[T]) -> T:
    """Await it while the client stays; call it only when the body has been read whole.

    When the client closes its connection the work is cancelled and awaited (so that it has let go
    of what it held), then ClientGoneError is raised: 499, in the log and the metric only.
    """
    work = asyncio.ensure_future(awaitable)
    gone = asyncio.ensure_future(until_gone(request.receive))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        gone.result()
        raise ClientGoneError
    finally:
        gone.cancel()
        if not work.done():
            work.cancel()
            await asyncio.wait((work,))


async def until_gone(receive: Receive) -> None:
    """Wait until the client has closed its connection, or has its whole answer."""
    while (await receive())["type"] != "http.disconnect":
        pass
