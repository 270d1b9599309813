"""/v1/images: upload a photo, read what is known of it, delete it."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from service.errors import (
    BodyError,
    BodyTimeoutError,
    BodyTooLargeError,
    BrokenPictureError,
    CacheUnavailableError,
    ClientShareError,
    DeadlineError,
    DeletionOffError,
    DrainingError,
    ParameterError,
    PictureTooLargeError,
    QueueFullError,
    StreamGoneError,
    UnauthorizedError,
    UnknownImageError,
    UnsupportedPictureError,
)
from service.http.jobs.documents import (
    SCHEMA,
    document,
    image_id,
)
from service.http.jobs.stored import load_image
from service.http.jobs.upload import UploadJob, encode_upload
from service.http.protocol.body import read_upload
from service.http.protocol.queries import (
    BACKGROUND,
    CODECS,
    INLINE,
    is_image_id,
    known,
    read_query,
    shown,
)
from service.http.protocol.reply import JSON, Reply, json_body
from service.http.protocol.representation import answer, represent
from service.http.protocol.resource import (
    Operation,
    Resource,
    described_answer,
    endpoint,
    upload_body,
)
from service.http.protocol.spelling import read_spelled
from service.http.request.admission import require_delete_token, require_upload_token, upload_slot
from service.http.request.client import while_connected
from service.http.request.deadline import shared
from service.http.request.timing import span
from service.pictures import sniff
from service.serving.services import services_of

WHITE = (255, 255, 255)
UPLOAD_PARAMETERS = known(BACKGROUND, CODECS, INLINE)


async def upload(request: Request) -> Reply:
    """Take a photo in; the same photo with the same options always has the same id."""
    require_upload_token(request)
    query = read_query(request.scope["query_string"], UPLOAD_PARAMETERS)
    services = services_of(request)
    codecs = query.get("codecs", services.upload_codecs)
    for name in codecs:
        if name not in services.codecs:
            loaded = ", ".join(services.codecs)
            raise ParameterError("codecs", f"'{name}' is not a codec here", loaded)
    with upload_slot(request, codecs):
        data = await read_upload(request)
        sniff(data)
        background = query.get("background", WHITE)
        key = services.settings.id_key.get_secret_value().encode()
        id = await asyncio.to_thread(image_id, key, background, data)
        limit = services.settings.inline_limit_bytes
        inline_bytes = limit if query.get("inline", False) else 0
        wanted = UploadJob(id, codecs, background)
        made = await while_connected(
            request,
            shared(request, wanted, lambda: encode_upload(request, wanted, data)),
        )
    content = document(
        made.image,
        services.codecs,
        request.scope["root_path"],
        sign_key=services.settings.sign_key.get_secret_value().encode(),
        stored=made.stored,
        inline_bytes=inline_bytes if made.stored else limit,
    )
    headers = (
        (b"content-type", JSON),
        (b"cache-control", b"no-store"),
        (b"location", f"{request.scope['root_path']}/v1/images/{id}".encode()),
    )
    return Reply(201 if made.is_new else 200, headers, json_body(content))


async def read(request: Request) -> Reply:
    """What is known of an image, and where its streams are."""
    read_spelled(request.scope["query_string"], {})
    services = services_of(request)
    id = _id(request)
    with span(request, "cache"):
        image = await load_image(services.store, services.codecs, id)
    if image is None or not image.streams:
        raise UnknownImageError("no image under this id; upload it")
    sign_key = services.settings.sign_key.get_secret_value().encode()
    root = request.scope["root_path"]
    body = json_body(document(image, services.codecs, root, sign_key=sign_key))
    common = ((b"cache-control", b"no-cache"),)
    return answer(request.scope, represent(body, common, ((b"content-type", JSON),)), body)


async def delete(request: Request) -> Reply:
    """Drop an image and all its streams from the cache."""
    require_delete_token(request)
    read_query(request.scope["query_string"], {})
    if not await services_of(request).store.delete(_id(request)):
        raise UnknownImageError("no image under this id")
    return Reply(204, ((b"cache-control", b"no-store"),), has_length=False)


def _id(request: Request) -> str:
    id: str = request.path_params["id"]
    if not is_image_id(id):
        raise UnknownImageError(f"an id is 26 characters a-z and 2-7, not {shown(id)}")
    return id


_JSON = JSON.decode()
RESOURCES = (
    Resource(
        "/v1/images",
        "images",
        {
            "POST": Operation(
                endpoint(upload),
                "Upload a photo",
                {
                    200: described_answer("Known already; no work was done", _JSON, schema=SCHEMA),
                    201: described_answer("Encoded", _JSON, schema=SCHEMA),
                },
                (
                    ParameterError,
                    BodyError,
                    UnauthorizedError,
                    BodyTimeoutError,
                    BodyTooLargeError,
                    UnsupportedPictureError,
                    BrokenPictureError,
                    PictureTooLargeError,
                    ClientShareError,
                    QueueFullError,
                    DrainingError,
                    DeadlineError,
                ),
                UPLOAD_PARAMETERS,
                upload_body("image/*", "The photo: JPEG, PNG, WebP, AVIF, GIF, TIFF, BMP or HEIC"),
                needs_token=True,
            )
        },
    ),
    Resource(
        "/v1/images/{id}",
        "images",
        {
            "GET": Operation(
                endpoint(read),
                "What is known of an image",
                {
                    200: described_answer("The document", _JSON, schema=SCHEMA),
                    304: described_answer("Not modified"),
                },
                (ParameterError, UnknownImageError, StreamGoneError, CacheUnavailableError),
            ),
            "DELETE": Operation(
                endpoint(delete),
                "Delete an image",
                {204: described_answer("Gone from the cache")},
                (
                    ParameterError,
                    UnauthorizedError,
                    DeletionOffError,
                    UnknownImageError,
                    CacheUnavailableError,
                ),
                needs_token=True,
            ),
        },
    ),
)
