"""/v1/images: upload a photo, read what is known of it, delete it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from service.cache import Key
from service.codec.header import pack_header
from service.codec.interface import Codec, Encoded
from service.errors import (
    BodyError,
    BodyTimeoutError,
    BodyTooLargeError,
    BrokenPictureError,
    CacheUnavailableError,
    CodecError,
    DeadlineError,
    DrainingError,
    ParameterError,
    PictureTooLargeError,
    QueueFullError,
    UnauthorizedError,
    UnknownImageError,
    UnsupportedPictureError,
)
from service.http.jobs.documents import (
    DOCUMENT,
    SCHEMA,
    Image,
    Kept,
    document,
    facts_of,
    image_id,
    load_image,
    write_facts,
    write_image,
)
from service.http.jobs.picture_threads import open_picture
from service.http.protocol.body import read_upload
from service.http.protocol.conditional import none_match, strong_etag
from service.http.protocol.queries import BACKGROUND, CODECS, INLINE, is_image_id, known, read_query
from service.http.protocol.resource import (
    JSON,
    Operation,
    Reply,
    Resource,
    answer,
    endpoint,
    json_body,
    upload_body,
)
from service.http.request.admission import body_slot, require_delete_token, require_upload_token
from service.http.request.client import while_connected
from service.http.request.timing import span, submit
from service.pictures import Picture, sniff
from service.serving.services import Services, ToEncode, services_of

WHITE = (255, 255, 255)
UPLOAD_PARAMETERS = known(BACKGROUND, CODECS, INLINE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One upload: its id and its options."""

    id: str
    codecs: tuple[str, ...]
    background: tuple[int, int, int]
    inline: bool


@dataclass(frozen=True, slots=True)
class Made:
    """What became of an upload: whether work was done, and whether the cache keeps it."""

    image: Image
    is_new: bool
    stored: bool


async def upload(request: Request) -> Reply:
    """Take a photo in; the same photo with the same options always has the same id."""
    require_upload_token(request)
    query = read_query(request.scope["query_string"], UPLOAD_PARAMETERS)
    services = services_of(request)
    codecs = query.get("codecs", (services.settings.default_codec,))
    for name in codecs:
        if name not in services.codecs:
            loaded = ", ".join(services.codecs)
            raise ParameterError("codecs", f"'{name}' is not a codec here", loaded)
    with body_slot(request, [services.encoders[name] for name in codecs]):
        data = await read_upload(request)
        sniff(data)
        background = query.get("background", WHITE)
        key = services.settings.id_key.get_secret_value().encode()
        id = await asyncio.to_thread(image_id, key, background, data)
        wanted = Wanted(id, codecs, background, query.get("inline", False))
        made = await while_connected(
            request, services.single_flight.run(wanted, lambda: _make(request, wanted, data))
        )
    inline = wanted.inline or not made.stored
    content = document(made.image, request.scope["root_path"], stored=made.stored, inline=inline)
    headers = (
        (b"content-type", JSON),
        (b"cache-control", b"no-store"),
        (b"location", f"{request.scope['root_path']}/v1/images/{id}".encode()),
    )
    return Reply(201 if made.is_new else 200, headers, json_body(content))


async def _make(request: Request, wanted: Wanted, data: bytes) -> Made:
    """Encode what the store does not keep yet, and put it there if that can be done."""
    services = services_of(request)
    image = None
    with contextlib.suppress(CacheUnavailableError), span(request, "cache"):
        image = await load_image(
            services.store, wanted.id, wanted.codecs, with_streams=wanted.inline
        )
    there = {
        name: kept
        for name, kept in ({} if image is None else image.streams).items()
        if _is_read(services.codecs[name], kept)
    }
    missing = [name for name in wanted.codecs if name not in there]
    if image is not None and not missing:
        return Made(image, is_new=False, stored=True)
    picture = await open_picture(request, data, background=wanted.background)
    made: dict[str, Encoded] = {}
    for name in missing:
        [made[name]] = await submit(
            request, services.encoders[name], [ToEncode(picture, measured=True)]
        )
    fresh = {name: _kept(encoded) for name, encoded in made.items()}
    image = Image(
        wanted.id,
        picture.width,
        picture.height,
        picture.format,
        {name: fresh.get(name) or there[name] for name in wanted.codecs},
    )
    with span(request, "cache"):
        stored = await _store(services, wanted.id, picture, fresh)
    return Made(image, is_new=True, stored=stored)


def _is_read(codec: Codec, kept: Kept) -> bool:
    """Whether a stream of its version is one that the codec here still paints."""
    if kept.facts.version == codec.version:
        return True
    try:
        codec.inspect(pack_header(codec.wire_id, kept.facts.version, 1.0))
    except CodecError:
        return False
    return True


def _kept(encoded: Encoded) -> Kept:
    v = hashlib.sha256(encoded.stream).digest()[:4].hex()
    return Kept(facts_of(encoded, v), encoded.stream)


async def _store(services: Services, id: str, picture: Picture, fresh: Mapping[str, Kept]) -> bool:
    """Keep it; the document comes last, so that it promises nothing. Whether it was kept."""
    try:
        for name, kept in fresh.items():
            assert kept.stream is not None
            await services.store.put(Key(id, name), kept.stream, write_facts(kept.facts))
        await services.store.put(Key(id, DOCUMENT), b"", write_image(picture))
    except CacheUnavailableError:
        return False
    return True


async def read(request: Request) -> Reply:
    """What is known of an image, and where its streams are."""
    read_query(request.scope["query_string"], {})
    services = services_of(request)
    id = _id(request)
    with span(request, "cache"):
        image = await load_image(services.store, id, sorted(services.codecs))
    if image is None or not image.streams:
        raise UnknownImageError("no image under this id; upload it")
    body = json_body(document(image, request.scope["root_path"]))
    etag = strong_etag(hashlib.sha256(body).digest())
    headers = ((b"etag", etag), (b"cache-control", b"no-cache"))
    if none_match(request.headers.get("if-none-match", "").encode("latin-1"), etag):
        return Reply(304, headers, has_length=False)
    return Reply(200, (*headers, (b"content-type", JSON)), body)


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
        raise UnknownImageError("an id is 26 characters a-z and 2-7")
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
                    200: answer("Known already; no work was done", _JSON, schema=SCHEMA),
                    201: answer("Encoded", _JSON, schema=SCHEMA),
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
                {200: answer("The document", _JSON, schema=SCHEMA), 304: answer("Not modified")},
                (ParameterError, UnknownImageError, CacheUnavailableError),
            ),
            "DELETE": Operation(
                endpoint(delete),
                "Delete an image",
                {204: answer("Gone from the cache")},
                (ParameterError, UnauthorizedError, UnknownImageError, CacheUnavailableError),
                needs_token=True,
            ),
        },
    ),
)
