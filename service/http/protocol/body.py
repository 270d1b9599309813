"""A request's body, bounded in bytes and in time: raw, or the ``file`` of a multipart form."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from service.errors import (
    BodyError,
    BodyTimeoutError,
    BodyTooLargeError,
    ClientGoneError,
    ParameterError,
)
from service.http.protocol.form import FIELD, Form, options_of
from service.http.request.admission import check_length, place_of
from service.http.request.context import context_of
from service.serving.services import services_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from service.settings import Settings

JOIN_BYTES = 2**20
SLOW_START_SECONDS = 5.0
"""From then on a body keeps up ``body_minimum_rate``, counted from its request on."""


async def read_upload(request: Request) -> bytes:
    """The picture or stream that was sent: the body itself, or a multipart form's ``file``.

    Counts what it holds in the place of the slot around it (``admission``), until that ends.
    Raises BodyTooLargeError (as soon as Content-Length or the count says so), BodyTimeoutError,
    ClientGoneError, QueueFullError, BodyError (a form that does not parse), ParameterError (empty).
    """
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() == "multipart/form-data":
        boundary = options_of(content_type).get(b"boundary", b"")
        if not 1 <= len(boundary) <= 70:
            raise BodyError("a multipart body names its boundary, of 1 to 70 characters")
        data = await _read_form(request, boundary)
    else:
        data = await read_body(request, services_of(request).settings.body_limit_bytes)
    if not data:
        raise ParameterError(FIELD, "the body is empty", "1 byte or more")
    return data


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The whole body, of at most ``limit_bytes``; for JSON too. Raises as ``read_upload`` does."""
    return await _joined([chunk async for chunk in _chunks(request, limit_bytes)])


async def _joined(pieces: list[bytes]) -> bytes:
    """Long ones in a thread: 30 MiB take 10 ms, for which the join lets go of the lock there."""
    if sum(map(len, pieces)) < JOIN_BYTES:
        return b"".join(pieces)
    return await asyncio.to_thread(b"".join, pieces)


async def _chunks(request: Request, limit_bytes: int) -> AsyncIterator[bytes]:
    settings, context = services_of(request).settings, context_of(request)
    check_length(request, settings)
    count = 0
    more = True
    while more:
        try:
            async with asyncio.timeout_at(context.started + _patience(settings, count)):
                message = await request.receive()
        except TimeoutError as late:
            raise BodyTimeoutError(_lateness(settings, count)) from late
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        count += len(chunk)
        if count > limit_bytes:
            raise BodyTooLargeError(f"a body has at most {limit_bytes} bytes")
        place_of(request).hold(len(chunk))
        more = message.get("more_body", False)
        if chunk:
            yield chunk
    context.body_complete = time.monotonic()


def _patience(settings: Settings, count: int) -> float:
    """Seconds from the request on in which more than ``count`` bytes of its body must be here."""
    if not settings.body_minimum_rate:
        return settings.body_timeout_seconds
    kept_up = SLOW_START_SECONDS + count / settings.body_minimum_rate
    return min(settings.body_timeout_seconds, kept_up)


def _lateness(settings: Settings, count: int) -> str:
    seconds = _patience(settings, count)
    if seconds < settings.body_timeout_seconds:
        return (
            f"the body came slower than {settings.body_minimum_rate} bytes a second:"
            f" {count} were here after {seconds:g} s"
        )
    return f"the body was not here after {seconds:g} s"


async def _read_form(request: Request, boundary: bytes) -> bytes:
    form = Form(boundary)
    async for chunk in _chunks(request, services_of(request).settings.body_limit_bytes):
        async with place_of(request).intake.parsing:
            form.feed(chunk)
            await asyncio.sleep(0)
    return await _joined(form.result())
