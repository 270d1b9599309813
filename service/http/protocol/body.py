"""A request's body, bounded in bytes and in time: raw, or the ``file`` of a multipart form."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.errors import (
    BodyError,
    BodyTimeoutError,
    BodyTooLargeError,
    ClientGoneError,
    ParameterError,
)
from service.http.request.admission import check_length
from service.http.request.context import context_of
from service.serving.services import services_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

FIELD = "file"
PART_HEADERS = 8
PART_HEADER_BYTES = 4096


async def read_upload(request: Request) -> bytes:
    """The picture or stream that was sent: the body itself, or a multipart form's ``file``.

    Counts what it holds against ``body_memory_bytes`` until the ``body_slot`` around it ends.
    Raises BodyTooLargeError (as soon as Content-Length or the count says so), BodyTimeoutError,
    ClientGoneError, QueueFullError, BodyError (a form that does not parse), ParameterError (empty).
    """
    content_type, options = parse_options_header(request.headers.get("content-type", ""))
    if content_type == b"multipart/form-data":
        boundary = options.get(b"boundary", b"")
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
    return b"".join([chunk async for chunk in _chunks(request, limit_bytes)])


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


class _Form:
    """Collects one field of a multipart form and lets all else go by."""

    def __init__(self, boundary: bytes) -> None:
        self._name, self._value = bytearray(), bytearray()
        self._wanted = False
        self._found = 0
        self.ended = False
        self.parts: list[bytes] = []
        self.parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._part_begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_part_data": self._part_data,
                "on_end": self._end,
            },
            max_header_count=PART_HEADERS,
            max_header_size=PART_HEADER_BYTES,
        )

    def _part_begin(self) -> None:
        self._wanted = False

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            if options.get(b"name") == FIELD.encode():
                self._wanted = True
                self._found += 1
                if self._found > 1:
                    raise ParameterError(FIELD, f"a form has one field '{FIELD}'", "exactly one")
        self._name.clear()
        self._value.clear()

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._wanted:
            self.parts.append(data[start:end])

    def _end(self) -> None:
        self.ended = True

    def result(self) -> bytes:
        """What the field held."""
        if not self.ended:
            raise BodyError("the multipart body ends early")
        if not self._found:
            raise ParameterError(FIELD, f"the form has no field '{FIELD}'", "exactly one")
        return b"".join(self.parts)


async def _read_form(request: Request, boundary: bytes) -> bytes:
    form = _Form(boundary)
    async for chunk in _chunks(request, services_of(request).settings.body_limit_bytes):
        try:
            form.parser.write(chunk)
        except FormParserError as broken:
            raise BodyError("the multipart body does not parse") from broken
    return form.result()
