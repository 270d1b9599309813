"""What is decided from a request's headers, before its body is read: token, length, room.

An endpoint that takes a body calls, first of all::

    require_upload_token(request)
    with upload_slot(request, codecs):        # public_slot where no token is asked for
        data = await read_upload(request)
        ...                                   # the whole work, inside

and one that deletes calls ``require_delete_token(request)``.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from service.errors import (
    BodyTooLargeError,
    DeletionOffError,
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
    from service.serving.intake import Intake, Place
    from service.settings import Settings


def require_upload_token(request: Request) -> None:
    """Let pass whoever holds an upload token; everyone, when no tokens are set.

    Raises UnauthorizedError.
    """
    tokens = services_of(request).settings.upload_tokens
    if tokens:
        _require(request, tokens)


def require_delete_token(request: Request) -> None:
    """Let pass whoever holds a delete token.

    Raises UnauthorizedError, or DeletionOffError where no tokens are set.
    """
    tokens = services_of(request).settings.delete_tokens
    if not tokens:
        raise DeletionOffError("holders of PREFIXEL_DELETE_TOKENS may delete, and it is not set")
    _require(request, tokens)


def _require(request: Request, tokens: Iterable[SecretStr]) -> None:
    token = bearer(request.headers.get("authorization", ""))
    if token is None:
        raise UnauthorizedError("send a token as 'Authorization: Bearer <token>'")
    if not holds(token, tokens):
        raise UnauthorizedError("the token that came does not hold here")


def bearer(authorization: str) -> str | None:
    """The token in an ``Authorization`` header; None where that is of another scheme."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def holds(token: str, tokens: Iterable[SecretStr]) -> bool:
    """Whether it is one of them; how long that takes says nothing of them."""
    candidate = token.encode()
    matches = [hmac.compare_digest(candidate, one.get_secret_value().encode()) for one in tokens]
    return any(matches)


@contextmanager
def upload_slot(request: Request, codecs: Iterable[str]) -> Iterator[None]:
    """A place for one upload and the work on it; ``codecs`` are those that will encode it.

    Raises BodyTooLargeError, QueueFullError, ClientShareError, ParameterError, all without reading
    the body.
    """
    services = services_of(request)
    encoders = [services.encoders[name] for name in codecs]
    with ExitStack() as held:
        held.enter_context(_slot(request, services.uploads, encoders))
        length = request.headers.get("content-length")
        for name in codecs:
            if name in services.forecasts:
                forecast = services.forecasts[name]
                held.enter_context(forecast.expected(None if length is None else int(length)))
        yield


def public_slot(
    request: Request, batchers: Iterable[Batcher[Any, Any]]
) -> AbstractContextManager[None]:
    """The same for a body of whom no token is asked: none that an upload waits for."""
    return _slot(request, services_of(request).public_bodies, batchers)


def place_of(request: Request) -> Place:
    """The place that the slot around this took."""
    place = context_of(request).place
    assert place is not None, "a body is read inside of a slot"
    return place


@contextmanager
def _slot(
    request: Request, intake: Intake, batchers: Iterable[Batcher[Any, Any]]
) -> Iterator[None]:
    services = services_of(request)
    check_length(request, services.settings)
    for batcher in batchers:
        if batcher.full:
            raise QueueFullError(f"{batcher.depth} pictures wait already")
    context = context_of(request)
    context.place = intake.enter(services.clients.of(request.scope))
    try:
        yield
    finally:
        context.place.leave()
        context.place = None


def check_length(request: Request, settings: Settings) -> None:
    """Hold Content-Length against the limit. Raises BodyTooLargeError, ParameterError."""
    text = request.headers.get("content-length")
    if text is None:
        return
    if not (text.isascii() and text.isdigit()):
        raise ParameterError("Content-Length", "Content-Length is not a number")
    if len(text) > 18 or int(text) > settings.body_limit_bytes:
        raise BodyTooLargeError(f"a body has at most {settings.body_limit_bytes} bytes")
