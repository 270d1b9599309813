"""What is decided from a request's headers, before its body is read: token, length, room.

An endpoint that takes a body calls, first of all::

    require_upload_token(request)
    with body_slot(request, batchers) as _:
        data = await read_upload(request)
        ...                                   # the whole work, inside

and one that deletes calls ``require_delete_token(request)``.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from service.errors import (
    BodyTooLargeError,
    ParameterError,
    QueueFullError,
    UnauthorizedError,
)
from service.http.context import context_of
from service.services import services_of

if TYPE_CHECKING:
    from pydantic import SecretStr
    from starlette.requests import Request

    from service.inference import Batcher
    from service.settings import Settings


class Intake:
    """Counts the bodies that are being received or worked on, and the bytes they hold."""

    def __init__(self, uploads_limit: int, memory_bytes: int) -> None:
        self._uploads_limit = uploads_limit
        self._memory_bytes = memory_bytes
        self.uploads = 0
        self.held_bytes = 0
        self.parsing = asyncio.Semaphore(1)
        """One chunk of a form is parsed in a turn of the loop, however many are here."""

    def enter(self) -> None:
        """Take a place. Raises QueueFullError when all are taken, or the memory is."""
        if self.uploads >= self._uploads_limit:
            raise QueueFullError(f"{self.uploads} uploads are being worked on already")
        if self.held_bytes >= self._memory_bytes:
            raise QueueFullError(f"uploads in work hold {self.held_bytes} bytes already")
        self.uploads += 1

    def hold(self, count: int) -> None:
        """Count ``count`` more bytes. Raises QueueFullError when that is more than may be held."""
        if self.held_bytes + count > self._memory_bytes:
            raise QueueFullError(f"uploads in work hold {self.held_bytes} bytes already")
        self.held_bytes += count

    def leave(self, held_bytes: int) -> None:
        """Give the place and its bytes back."""
        self.uploads -= 1
        self.held_bytes -= held_bytes


def require_upload_token(request: Request) -> None:
    """Let pass whoever holds an upload token; everyone, when no tokens are set.

    Raises UnauthorizedError.
    """
    tokens = services_of(request).settings.upload_tokens
    if tokens:
        _require(request, tokens)


def require_delete_token(request: Request) -> None:
    """Let pass whoever holds a delete token; nobody, when no tokens are set.

    Raises UnauthorizedError.
    """
    _require(request, services_of(request).settings.delete_tokens)


def _require(request: Request, tokens: Iterable[SecretStr]) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    candidate = given.strip().encode()
    if scheme.lower() != "bearer":
        raise UnauthorizedError("send a token as 'Authorization: Bearer <token>'")
    matches = [
        hmac.compare_digest(candidate, token.get_secret_value().encode()) for token in tokens
    ]
    if not any(matches):
        raise UnauthorizedError("the token that came does not hold here")


@contextmanager
def body_slot(request: Request, batchers: Iterable[Batcher[Any, Any]]) -> Iterator[None]:
    """A place for one body and the work on it; ``batchers`` are those the work will wait for.

    Raises BodyTooLargeError, QueueFullError, ParameterError, all without reading the body.
    """
    services = services_of(request)
    check_length(request, services.settings)
    for batcher in batchers:
        if batcher.depth >= services.settings.queue_limit:
            raise QueueFullError(f"{batcher.depth} pictures wait already")
    context = context_of(request)
    services.intake.enter()
    try:
        yield
    finally:
        services.intake.leave(context.held_bytes)
        context.held_bytes = 0


def check_length(request: Request, settings: Settings) -> None:
    """Hold Content-Length against the limit. Raises BodyTooLargeError, ParameterError."""
    text = request.headers.get("content-length")
    if text is None:
        return
    if not (text.isascii() and text.isdigit()):
        raise ParameterError("Content-Length", "Content-Length is not a number")
    if len(text) > 18 or int(text) > settings.body_limit_bytes:
        raise BodyTooLargeError(f"a body has at most {settings.body_limit_bytes} bytes")
