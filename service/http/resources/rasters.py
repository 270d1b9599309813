"""/v1/images/{id}/thumb.webp and the like, photo.webp: a prefix of a stored stream, painted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from starlette.requests import Request

from service.errors import (
    CacheUnavailableError,
    CodecError,
    DeadlineError,
    DrainingError,
    NotEncodedError,
    ParameterError,
    QueueFullError,
    SignatureError,
    StreamGoneError,
    UnknownImageError,
)
from service.http.jobs.raster_jobs import MEDIA_TYPES, check_size, photo_raster, raster
from service.http.jobs.selection import (
    PREFIX_PARAMETERS,
    Asked,
    Selected,
    quality_headers,
    select,
)
from service.http.protocol.queries import (
    FIT,
    HEIGHT,
    PHOTO_SIZE,
    QUALITY,
    SIZE,
    WIDTH,
    Parameters,
    known,
)
from service.http.protocol.reply import Header, Reply
from service.http.protocol.representation import answer, represent
from service.http.protocol.resource import (
    Endpoint,
    Operation,
    Resource,
    described_answer,
    endpoint,
)
from service.http.protocol.spelling import OtherSpelling, read_spelled
from service.http.request.signature import signed, without_signature
from service.pictures import OUTPUTS, PHOTO_OUTPUTS, Frame
from service.serving.services import services_of

if TYPE_CHECKING:
    from service.codec.interface import Kind
    from service.pictures.raster_encode import Output

THUMB_PARAMETERS = {**PREFIX_PARAMETERS["thumb"], **known(SIZE)}
FRAME = known(WIDTH, HEIGHT, PHOTO_SIZE, FIT)
_DAY: Header = (b"cache-control", b"public, max-age=86400, no-transform")


def photo_parameters(output: Output) -> Parameters:
    """Those of one output: PNG has no quality."""
    quality = {} if output == "png" else known(QUALITY)
    return {**PREFIX_PARAMETERS["photo"], **FRAME, **quality}


def thumb(output: Output) -> Endpoint:
    """The endpoint of one output of thumbnails."""

    async def read(request: Request) -> Reply:
        query = _read(request, "thumb", output, THUMB_PARAMETERS)
        size = query.pop("size", None)
        check_size(services_of(request), "size", size)
        asked = Asked("thumb", **query)
        selected = await select(request.scope, services_of(request), asked)
        with gone_with_its_codec():
            body = await raster(request, selected.part.data, output, size)
        return _reply(request, asked, selected, output, body)

    return read


def photo(output: Output) -> Endpoint:
    """The endpoint of one output of photos."""
    parameters = photo_parameters(output)

    async def read(request: Request) -> Reply:
        query = _read(request, "photo", output, parameters)
        frame = Frame(**{name: query.pop(name) for name in FRAME if name in query})
        quality = query.pop("quality", None)
        asked = Asked("photo", **query)
        selected = await select(request.scope, services_of(request), asked)
        with gone_with_its_codec():
            body = await photo_raster(request, selected.part.data, output, frame, quality)
        return _reply(request, asked, selected, output, body)

    return read


def _read(request: Request, kind: Kind, output: Output, parameters: Parameters) -> dict[str, Any]:
    """The query, once its signature was seen to hold; another spelling of it is signed anew.

    Raises SignatureError, ParameterError, OtherSpelling.
    """
    settings = services_of(request).settings
    key = settings.sign_key.get_secret_value().encode()
    path = f"/v1/images/{request.path_params['id']}/{kind}.{output}"
    query = without_signature(key, path, request.scope["query_string"])
    try:
        return read_spelled(query, parameters, settings.bytes_steps)
    except OtherSpelling as other:
        raise OtherSpelling(signed(key, path, other.canonical)) from other


@contextmanager
def gone_with_its_codec() -> Iterator[None]:
    """A stored stream that no codec paints any more."""
    try:
        yield
    except CodecError as foreign:
        raise StreamGoneError(
            "the stream was made by a codec that is no longer here; upload the image again"
        ) from foreign


def _reply(
    request: Request, asked: Asked, selected: Selected, output: Output, body: bytes
) -> Reply:
    common = (
        _DAY,
        (b"prefixel-stream", selected.part.v.encode()),
        (b"prefixel-bytes", b"%d" % selected.length),
        *quality_headers(asked, selected),
    )
    content = ((b"content-type", MEDIA_TYPES[output].encode()),)
    painted = represent(body, common, content, has_ranges=False)
    return answer(request.scope, painted, body)


def _resource(kind: Kind, output: Output) -> Resource:
    read = {"thumb": thumb, "photo": photo}[kind](output)
    parameters = {"thumb": THUMB_PARAMETERS, "photo": photo_parameters(output)}[kind]
    responses = {
        200: described_answer("The picture", MEDIA_TYPES[output]),
        304: described_answer("If-None-Match names it"),
    }
    errors = (
        ParameterError,
        SignatureError,
        UnknownImageError,
        NotEncodedError,
        StreamGoneError,
        QueueFullError,
        DrainingError,
        CacheUnavailableError,
        DeadlineError,
    )
    return Resource(
        f"/v1/images/{{id}}/{kind}.{output}",
        "rasters",
        {
            "GET": Operation(
                endpoint(read),
                f"A prefix of a {kind}, painted as {output}",
                responses,
                errors,
                parameters,
            )
        },
    )


RESOURCES = (
    *(_resource("thumb", output) for output in OUTPUTS),
    *(_resource("photo", output) for output in PHOTO_OUTPUTS),
)
