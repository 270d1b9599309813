"""/v1/images/{id}/thumb.webp, .png and .jpg: a prefix of a stored stream, painted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request

from service.errors import (
    CacheUnavailableError,
    CodecError,
    DeadlineError,
    DrainingError,
    NotEncodedError,
    ParameterError,
    QueueFullError,
    StreamGoneError,
    UnknownImageError,
)
from service.http.jobs.raster_jobs import MEDIA_TYPES, raster
from service.http.jobs.selection import PREFIX_PARAMETERS, Asked, quality_headers, select
from service.http.protocol.queries import SIZE, read_query
from service.http.protocol.reply import Header, Reply
from service.http.protocol.representation import answer, represent
from service.http.protocol.resource import (
    Endpoint,
    Operation,
    Resource,
    described_answer,
    endpoint,
)
from service.serving.services import services_of

if TYPE_CHECKING:
    from service.pictures.raster_encode import Output

PARAMETERS = {**PREFIX_PARAMETERS, SIZE.name: SIZE}
_DAY: Header = (b"cache-control", b"public, max-age=86400, no-transform")


def reader(output: Output) -> Endpoint:
    """The endpoint of one output."""
    content_type = MEDIA_TYPES[output].encode()

    async def read(request: Request) -> Reply:
        query = read_query(request.scope["query_string"], PARAMETERS)
        size = query.pop("size", None)
        asked = Asked(**query)
        selected = await select(request.scope, services_of(request), asked)
        stream = selected.part.data
        try:
            body = await raster(request, stream, output, size)
        except CodecError as foreign:
            raise StreamGoneError(
                "the stream was made by a codec that is no longer here; upload the image again"
            ) from foreign
        common = (
            _DAY,
            (b"prefixel-stream", selected.part.v.encode()),
            (b"prefixel-bytes", b"%d" % len(stream)),
            *quality_headers(asked, selected),
        )
        content = ((b"content-type", content_type),)
        painted = represent(body, common, content, has_ranges=False)
        return answer(request.scope, painted, body)

    return read


def _resource(output: Output) -> Resource:
    responses = {
        200: described_answer("The picture", MEDIA_TYPES[output]),
        304: described_answer("If-None-Match names it"),
    }
    errors = (
        ParameterError,
        UnknownImageError,
        NotEncodedError,
        StreamGoneError,
        QueueFullError,
        DrainingError,
        CacheUnavailableError,
        DeadlineError,
    )
    return Resource(
        f"/v1/images/{{id}}/thumb.{output}",
        "rasters",
        {
            "GET": Operation(
                endpoint(reader(output)),
                f"A prefix, painted as {output}",
                responses,
                errors,
                PARAMETERS,
            )
        },
    )


RESOURCES = (_resource("webp"), _resource("png"), _resource("jpg"))
