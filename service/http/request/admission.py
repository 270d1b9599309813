"""What is decided from a request's headers, before its body is read: token, length, room.

An endpoint that takes a body calls, first of all::

    require_upload_token(request)
    with body_slot(request, batchers) as _:
        data = await read_upload(request)
        ...                                   # the whole work, inside

and one that deletes calls ``require_delete_token(request)``.
"""

from __future__ import annotations

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
from service.http.request.context import context_of
from service.serving.services import services_of

if TYPE_CHECKING:
    from pydantic import SecretStr
    from starlette.requests import Request

    from service.inference import Batcher
    from service.settings import Settings


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
        if batcher.full:
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
