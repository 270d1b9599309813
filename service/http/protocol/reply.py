"""An answer and how it goes out: whole, or in pieces as they are read."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.errors import ClientGoneError, PrefixelError
from service.http.request.client import until_gone
from service.http.request.context import context_in

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

JSON = b"application/json"
Header = tuple[bytes, bytes]
Headers = tuple[Header, ...]


@dataclass(frozen=True, slots=True)
class Pieces:
    """A body of ``length`` bytes; ``read`` begins to give them, and may raise PrefixelError."""

    length: int
    read: Callable[[], AsyncGenerator[bytes]]

    def __len__(self) -> int:
        return self.length


Body = bytes | Pieces


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: what goes on the wire, prepared. To HEAD it says the length and sends no body."""

    status: int
    headers: Headers
    body: Body = b""
    has_length: bool = True
    """Whether Content-Length is sent; not with 204 and 304."""

    async def to(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Send it as the answer to a request; how many bytes of the body went out.

        Pieces are read when the client has taken those before, but for what a buffer holds. Where
        it leaves, or they cannot be read, the answer ends early and the context says why.
        """
        headers = list(self.headers)
        if self.has_length:
            headers.append((b"content-length", b"%d" % len(self.body)))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        if isinstance(self.body, bytes) or scope["method"] == "HEAD":
            body = b"" if scope["method"] == "HEAD" else self.body
            await send({"type": "http.response.body", "body": body})
            return len(body)
        return await _send_pieces(self.body, scope, receive, send)


async def _send_pieces(body: Pieces, scope: Scope, receive: Receive, send: Send) -> int:
    gone = asyncio.ensure_future(until_gone(receive))
    sent = 0
    try:
        async with contextlib.aclosing(body.read()) as pieces:
            async for piece in pieces:
                length = len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                del piece
                # This sends nothing: it waits until there is room, before more is read.
                await send({"type": "http.response.body", "body": b"", "more_body": True})
                if gone.done():
                    raise ClientGoneError
                sent += length
                # A store in memory makes nobody wait: others have their turn all the same.
                await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})
    except PrefixelError as error:
        # Less came than Content-Length says, so the server closes and the client knows.
        context_in(scope).error = error.slug
    finally:
        gone.cancel()
    return sent


def json_body(content: object) -> bytes:
    """Compact JSON. Raises ValueError for a number that JSON does not have."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
