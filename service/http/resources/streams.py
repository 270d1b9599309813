"""/v1/images/{id}/thumb.pxl: a stream or its prefix. The hot path, so nothing is done twice."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from service.cache import Part
from service.errors import (
    CacheUnavailableError,
    NotEncodedError,
    ParameterError,
    RangeError,
    StreamGoneError,
    UnknownImageError,
)
from service.http.jobs.selection import PREFIX_PARAMETERS, Asked, Selected, quality_headers, select
from service.http.protocol.conditional import (
    EMPTY_DIGEST,
    digest_field,
    if_range,
    none_match,
    parse_range,
    strong_etag,
)
from service.http.protocol.queries import read_query
from service.http.protocol.resource import Header, Operation, Reply, Resource, described_answer

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from service.serving.services import Services

MEDIA_TYPE = "application/vnd.prefixel"
_TYPE: Header = (b"content-type", MEDIA_TYPE.encode())
_IMMUTABLE: Header = (b"cache-control", b"public, max-age=31536000, immutable, no-transform")
_FRESH: Header = (
    b"cache-control",
    b"public, max-age=300, stale-while-revalidate=86400, no-transform",
)
_RANGES: Header = (b"accept-ranges", b"bytes")
_NO_RANGES: Header = (b"accept-ranges", b"none")
_CONDITIONS = frozenset((b"range", b"if-range", b"if-none-match"))


async def stream(scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer GET and HEAD."""
    services: Services = scope["app"].state.services
    asked = Asked(**read_query(scope["query_string"], PREFIX_PARAMETERS))
    conditions: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in _CONDITIONS:
            # several lines are one list; for a Range that is a form that is ignored
            conditions[name] = conditions[name] + b"," + value if name in conditions else value
    if asked.whole:
        reply = await _whole(scope, services, asked, conditions)
    else:
        reply = await _prefix(scope, services, asked, conditions)
    if scope["method"] == "GET" and reply.body:
        services.metrics.sent(len(reply.body))
    await reply.to(scope["method"], send)


async def _prefix(
    scope: Scope, services: Services, asked: Asked, conditions: dict[bytes, bytes]
) -> Reply:
    """A prefix is a representation of its own: its own ETag and digests, and no ranges."""
    selected = await select(scope, services, asked)
    data = selected.part.data
    digest = hashlib.sha256(data).digest()
    common = _common(asked, selected, digest, _NO_RANGES)
    if _is_unmodified(conditions, digest):
        return Reply(304, common, has_length=False)
    return _found(scope, common, digest, data)


async def _whole(
    scope: Scope, services: Services, asked: Asked, conditions: dict[bytes, bytes]
) -> Reply:
    """The whole stream, or one range of it; only what is sent is read from the store."""
    wanted = None
    if b"range" in conditions and scope["method"] == "GET":
        wanted = parse_range(conditions[b"range"])
    begin, stop = (0, None) if wanted is None else wanted.guess
    selected = await select(scope, services, asked, begin, stop)
    part = selected.part
    common = _common(asked, selected, part.digest, _RANGES)
    if _is_unmodified(conditions, part.digest):
        return Reply(304, common, has_length=False)
    if wanted is None or not _range_holds(conditions, part):
        if len(part.data) < part.total_bytes:
            selected = await select(scope, services, asked)
            part = selected.part
            common = _common(asked, selected, part.digest, _RANGES)
        return _found(scope, common, part.digest, part.data)
    start, end = wanted.within(part.total_bytes)
    data = part.data
    if (start, len(data)) != (begin, end - start):
        data = (await select(scope, services, asked, start, end)).part.data
    headers = (
        *common,
        _TYPE,
        (b"content-range", b"bytes %d-%d/%d" % (start, end - 1, part.total_bytes)),
        (b"repr-digest", digest_field(part.digest)),
        (b"content-digest", digest_field(hashlib.sha256(data).digest())),
    )
    return Reply(206, headers, data)


def _common(asked: Asked, selected: Selected, digest: bytes, ranges: Header) -> tuple[Header, ...]:
    """What 200, 206 and 304 have in common; ``digest`` is the representation's."""
    return (
        (b"etag", strong_etag(digest)),
        _IMMUTABLE if asked.v else _FRESH,
        ranges,
        (b"prefixel-stream", selected.part.v.encode()),
        *quality_headers(asked, selected),
    )


def _is_unmodified(conditions: dict[bytes, bytes], digest: bytes) -> bool:
    value = conditions.get(b"if-none-match")
    return value is not None and none_match(value, strong_etag(digest))


def _range_holds(conditions: dict[bytes, bytes], part: Part) -> bool:
    value = conditions.get(b"if-range")
    return value is None or if_range(value, strong_etag(part.digest))


def _found(scope: Scope, common: tuple[Header, ...], digest: bytes, data: bytes) -> Reply:
    field = digest_field(digest)
    # to HEAD no content is sent, and that is what Content-Digest speaks of (RFC 9530, B.2)
    content = digest_field(EMPTY_DIGEST) if scope["method"] == "HEAD" else field
    headers = (
        *common,
        _TYPE,
        (b"prefixel-bytes", b"%d" % len(data)),
        (b"repr-digest", field),
        (b"content-digest", content),
    )
    return Reply(200, headers, data)


RESOURCES = (
    Resource(
        "/v1/images/{id}/thumb.pxl",
        "streams",
        {
            "GET": Operation(
                stream,
                "A stream or its prefix",
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
                PREFIX_PARAMETERS,
            )
        },
    ),
)
