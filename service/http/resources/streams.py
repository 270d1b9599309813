"""/v1/images/{id}/thumb.pxl, photo.pxl: a stream or its prefix. The hot path: nothing twice."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from service.errors import (
    CacheUnavailableError,
    NotEncodedError,
    ParameterError,
    RangeError,
    StreamGoneError,
    UnknownImageError,
)
from service.http.jobs.pieces import AT_ONCE_BYTES, body_of, first_bytes
from service.http.jobs.selection import PREFIX_PARAMETERS, Asked, Selected, quality_headers, select
from service.http.protocol.conditional import prefix_etag, strong_etag
from service.http.protocol.reply import Header, Reply
from service.http.protocol.representation import Conditions, Representation
from service.http.protocol.resource import Operation, Resource, described_answer
from service.http.protocol.spelling import read_spelled

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from service.codec.interface import Kind
    from service.serving.services import Services

MEDIA_TYPE = "application/vnd.prefixel"
_TYPE: Header = (b"content-type", MEDIA_TYPE.encode())
_IMMUTABLE: Header = (b"cache-control", b"public, max-age=31536000, immutable, no-transform")
_FRESH: Header = (
    b"cache-control",
    b"public, max-age=300, stale-while-revalidate=86400, no-transform",
)


def stream_of(kind: Kind) -> ASGIApp:
    """What answers GET and HEAD for streams of a kind."""
    parameters = PREFIX_PARAMETERS[kind]

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        services: Services = scope["app"].state.services
        steps = services.settings.bytes_steps
        asked = Asked(kind, **read_spelled(scope["query_string"], parameters, steps))
        conditions = Conditions.of(scope)
        if asked.whole:
            reply = await _whole(scope, services, asked, conditions)
        else:
            reply = await _prefix(scope, services, asked, conditions)
        sent = await reply.to(scope, receive, send)
        if sent:
            services.metrics.sent(sent)

    return stream


async def _prefix(scope: Scope, services: Services, asked: Asked, conditions: Conditions) -> Reply:
    """A prefix is a representation of its own: its own ETag and digests, and no ranges."""
    stop = AT_ONCE_BYTES if asked.needs_facts else first_bytes(asked.bytes)
    selected = await select(scope, services, asked, 0, stop)
    part, length = selected.part, selected.length
    if length == part.total_bytes:
        digest: bytes | None = part.digest
    else:
        digest = hashlib.sha256(part.data).digest() if len(part.data) == length else None
    etag = prefix_etag(part.v, length)
    representation = _representation(asked, selected, etag, digest, has_ranges=False)
    if representation.is_fresh(conditions):
        return representation.unmodified()
    return representation.whole(scope, body_of(services, selected, 0, length))


async def _whole(scope: Scope, services: Services, asked: Asked, conditions: Conditions) -> Reply:
    """The whole stream, or one range of it; only what is sent is read from the store."""
    is_sent = scope["method"] == "GET"
    begin, stop = (0, None) if conditions.range is None else conditions.range.guess
    count = first_bytes(None if stop is None else stop - begin) if is_sent else 0
    selected = await select(scope, services, asked, begin, begin + count)
    part = selected.part
    etag = strong_etag(part.digest)
    representation = _representation(asked, selected, etag, part.digest, has_ranges=True)
    if representation.is_fresh(conditions):
        return representation.unmodified()
    found = representation.part(conditions, part.total_bytes)
    start, end = (0, part.total_bytes) if found is None else found
    if is_sent and (begin != start or not part.data):
        selected = await select(scope, services, asked, start, start + first_bytes(end - start))
        if selected.part.digest != part.digest:
            raise StreamGoneError("the stream was replaced just now; ask again")
    body = body_of(services, selected, start, end)
    if found is None:
        return representation.whole(scope, body)
    return representation.partial(body, start, part.total_bytes)


def _representation(
    asked: Asked, selected: Selected, etag: bytes, digest: bytes | None, *, has_ranges: bool
) -> Representation:
    common = (
        _IMMUTABLE if asked.v else _FRESH,
        (b"prefixel-stream", selected.part.v.encode()),
        *quality_headers(asked, selected),
    )
    content = (_TYPE, (b"prefixel-bytes", b"%d" % selected.length))
    return Representation(etag, digest, common, content, has_ranges)


def _resource(kind: Kind) -> Resource:
    return Resource(
        f"/v1/images/{{id}}/{kind}.pxl",
        "streams",
        {
            "GET": Operation(
                stream_of(kind),
                f"The stream of a {kind} or its prefix",
                {
                    200: described_answer(
                        "The stream, or the prefix that was asked for", MEDIA_TYPE
                    ),
                    206: described_answer("The range of the whole stream", MEDIA_TYPE),
                    304: described_answer("If-None-Match names it"),
                },
                (
                    ParameterError,
                    UnknownImageError,
                    NotEncodedError,
                    StreamGoneError,
                    RangeError,
                    CacheUnavailableError,
                ),
                PREFIX_PARAMETERS[kind],
            )
        },
    )


RESOURCES = (_resource("thumb"), _resource("photo"))
