"""/v1/encode and /v1/decode: a photo to a stream and back; nothing is kept, no cache is asked."""

from __future__ import annotations

import hashlib

from starlette.requests import Request

from service.codec.header import truncate
from service.errors import (
    BodyError,
    BodyTimeoutError,
    BodyTooLargeError,
    BrokenPictureError,
    ClientShareError,
    CodecError,
    DeadlineError,
    DrainingError,
    ParameterError,
    PictureTooLargeError,
    QueueFullError,
    UnauthorizedError,
    UnsupportedPictureError,
)
from service.http.jobs.picture_threads import open_picture
from service.http.jobs.raster_jobs import (
    MEDIA_TYPES,
    check_size,
    painter_of,
    photo_raster,
    raster,
)
from service.http.jobs.selection import check_budget
from service.http.protocol.body import read_upload
from service.http.protocol.queries import (
    BACKGROUND,
    BYTES_AT_MOST,
    CODEC,
    DECODE_SIZE,
    FIT,
    FORMAT,
    HEIGHT,
    QUALITY,
    SIZES,
    WIDTH,
    known,
    read_query,
)
from service.http.protocol.reply import Reply
from service.http.protocol.representation import unnamed
from service.http.protocol.resource import (
    Operation,
    Resource,
    described_answer,
    endpoint,
    upload_body,
)
from service.http.request.admission import public_slot, require_upload_token, upload_slot
from service.http.request.client import while_connected
from service.http.request.timing import submit
from service.http.resources.streams import MEDIA_TYPE
from service.pictures import Frame, sniff
from service.serving.services import Services, ToEncode, services_of

WHITE = (255, 255, 255)
ENCODE_PARAMETERS = known(BYTES_AT_MOST, CODEC, BACKGROUND)
DECODE_PARAMETERS = known(FORMAT, WIDTH, HEIGHT, DECODE_SIZE, FIT, QUALITY)
_NO_STORE = (b"cache-control", b"no-store, no-transform")


async def encode(request: Request) -> Reply:
    """A photo's stream, cut to the budget."""
    require_upload_token(request)
    query = read_query(request.scope["query_string"], ENCODE_PARAMETERS)
    services = services_of(request)
    codec = query.get("codec", services.settings.default_codec)
    if codec not in services.codecs:
        loaded = ", ".join(services.codecs)
        raise ParameterError("codec", f"'{codec}' is not a codec here", loaded)
    budget_bytes = query.get("bytes")
    if budget_bytes is not None:
        check_budget(services, codec, budget_bytes)

    async def work(data: bytes) -> bytes:
        background = query.get("background", WHITE)
        with await open_picture(request, data, (codec,), background=background) as picture:
            job = ToEncode(picture, measured=False)
            [encoded] = await submit(request, services.encoders[codec], [job])
        return encoded.stream

    with upload_slot(request, (codec,)):
        data = await read_upload(request)
        sniff(data)
        stream = await while_connected(request, work(data))
    sent = stream if budget_bytes is None else truncate(stream, budget_bytes)
    headers = (
        (b"content-type", MEDIA_TYPE.encode()),
        (b"prefixel-stream", hashlib.sha256(stream).digest()[:4].hex().encode()),
        (b"prefixel-bytes", b"%d" % len(sent)),
    )
    services.metrics.sent(len(sent))
    return unnamed(sent, (*headers, _NO_STORE))


async def decode(request: Request) -> Reply:
    """A stream, or any prefix of one, painted; its header says by which codec."""
    query = read_query(request.scope["query_string"], DECODE_PARAMETERS)
    output = query.pop("format", "png")
    quality = query.pop("quality", None)
    if quality is not None and output == "png":
        raise ParameterError("quality", "PNG has no quality", "absent")
    frame = Frame(**query)
    services = services_of(request)
    with public_slot(request, services.decoders.values()):
        stream = await read_upload(request)
        if painter_of(services, stream).kind == "photo":
            body = await photo_raster(request, stream, output, frame, quality)
        else:
            _check_thumb(services, frame, quality)
            body = await raster(request, stream, output, frame.size)
    headers = (
        (b"content-type", MEDIA_TYPES[output].encode()),
        (b"prefixel-bytes", b"%d" % len(stream)),
    )
    return unnamed(body, (*headers, _NO_STORE))


def _check_thumb(services: Services, frame: Frame, quality: int | None) -> None:
    """Refuse what only photos have. Raises ParameterError."""
    for name in ("width", "height", "quality"):
        if name in frame.sides or (name == "quality" and quality is not None):
            raise ParameterError(name, f"'{name}' is for photos; this is a thumbnail", "absent")
    if frame.size is not None and frame.size not in SIZES:
        bounds = f"{SIZES.start} to {SIZES.stop - 1}"
        raise ParameterError("size", f"a thumbnail's 'size' is {bounds}", bounds)
    check_size(services, "size", frame.size)


_BODY_ERRORS = (
    ParameterError,
    BodyError,
    BodyTimeoutError,
    BodyTooLargeError,
    ClientShareError,
    QueueFullError,
    DrainingError,
    DeadlineError,
)
RESOURCES = (
    Resource(
        "/v1/encode",
        "stateless",
        {
            "POST": Operation(
                endpoint(encode),
                "A photo to a stream; nothing is kept",
                {200: described_answer("The stream, cut to the budget", MEDIA_TYPE)},
                (
                    *_BODY_ERRORS,
                    UnauthorizedError,
                    UnsupportedPictureError,
                    BrokenPictureError,
                    PictureTooLargeError,
                ),
                ENCODE_PARAMETERS,
                upload_body("image/*", "The photo: JPEG, PNG, WebP, AVIF, GIF, TIFF, BMP or HEIC"),
                needs_token=True,
            )
        },
    ),
    Resource(
        "/v1/decode",
        "stateless",
        {
            "POST": Operation(
                endpoint(decode),
                "A stream to a picture; nothing is kept",
                {200: described_answer("The picture", *MEDIA_TYPES.values())},
                (*_BODY_ERRORS, CodecError),
                DECODE_PARAMETERS,
                upload_body(MEDIA_TYPE, "A stream or any prefix of one"),
            )
        },
    ),
)
