"""What an upload makes: a picture, a stream for each codec that has none yet, and what is kept."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from service.cache import Key
from service.codec.interface import Encoded
from service.errors import CacheUnavailableError
from service.http.jobs.documents import (
    DOCUMENT,
    Image,
    StoredStream,
    facts_of,
    load_image,
    write_facts,
    write_image,
)
from service.http.jobs.picture_threads import open_picture
from service.http.request.timing import span, submit
from service.pictures import Picture
from service.serving.services import Services, ToEncode, services_of


@dataclass(frozen=True, slots=True)
class UploadJob:
    """One upload: its id and its options."""

    id: str
    codecs: tuple[str, ...]
    background: tuple[int, int, int]
    inline: bool


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What became of an upload: whether work was done, and whether the cache keeps it."""

    image: Image
    is_new: bool
    stored: bool


async def encode_upload(request: Request, wanted: UploadJob, data: bytes) -> UploadResult:
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
        if kept.facts.version in services.codecs[name].readable_versions
    }
    missing = [name for name in wanted.codecs if name not in there]
    if image is not None and not missing:
        return UploadResult(image, is_new=False, stored=True)
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
    return UploadResult(image, is_new=True, stored=stored)


def _kept(encoded: Encoded) -> StoredStream:
    v = hashlib.sha256(encoded.stream).digest()[:4].hex()
    return StoredStream(facts_of(encoded, v), encoded.stream)


async def _store(
    services: Services, id: str, picture: Picture, fresh: Mapping[str, StoredStream]
) -> bool:
    """Keep it; the document comes last, so that it promises nothing. Whether it was kept."""
    try:
        for name, kept in fresh.items():
            assert kept.stream is not None
            await services.store.put(Key(id, name), kept.stream, write_facts(kept.facts))
        await services.store.put(Key(id, DOCUMENT), b"", write_image(picture))
    except CacheUnavailableError:
        return False
    return True
