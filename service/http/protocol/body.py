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
from service.http.request.admission import check_length
from service.http.request.context import context_of
from service.serving.services import services_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

JOIN_BYTES = 2**20


async def read_upload(request: Request) -> bytes:
    """The picture or stream that was sent: the body itself, or a multipart form's ``file``.

    Counts what it holds against ``body_memory_bytes`` until the ``body_slot`` around it ends.
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
    services, context = services_of(request), context_of(request)
    check_length(request, services.settings)
    count = 0
    seconds = services.settings.body_timeout_seconds
    due = context.started + seconds
    more = True
    while more:
        try:
            async with asyncio.timeout_at(due):
                message = await request.receive()
        except TimeoutError as late:
            raise BodyTimeoutError(f"the body was not here after {seconds:g} s") from late
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        chunk = message.get("body", b"")
        count += len(chunk)
        if count > limit_bytes:
            raise BodyTooLargeError(f"a body has at most {limit_bytes} bytes")
        services.intake.hold(len(chunk))
        context.held_bytes += len(chunk)
        more = message.get("more_body", False)
        if chunk:
            yield chunk
    context.body_complete = time.monotonic()


async def _read_form(request: Request, boundary: bytes) -> bytes:
    form = Form(boundary)
    async for chunk in _chunks(request, services_of(request).settings.body_limit_bytes):
        async with services_of(request).intake.parsing:
            form.feed(chunk)
            await asyncio.sleep(0)
    return await _joined(form.result())
