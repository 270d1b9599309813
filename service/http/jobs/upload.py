"""What an upload makes: a picture, a stream for each codec that has none yet, and what is kept."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from service.cache import Key
from service.codec.interface import Codec, Encoded
from service.errors import CacheUnavailableError
from service.http.jobs.documents import DOCUMENT, Image, StoredStream
from service.http.jobs.facts import ImageFacts, facts_of, write_facts, write_image
from service.http.jobs.picture_threads import open_picture
from service.http.jobs.stored import NOTHING, Survey, survey
from service.http.request.timing import span, submit
from service.serving.services import Services, ToEncode, services_of


@dataclass(frozen=True, slots=True)
class UploadJob:
    """One upload: its id and its options."""

    id: str
    codecs: tuple[str, ...]
    background: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class UploadResult:
    """What became of an upload: whether work was done, and whether the cache keeps it."""

    image: Image
    is_new: bool
    stored: bool


async def encode_upload(request: Request, wanted: UploadJob, data: bytes) -> UploadResult:
    """Encode what the store does not keep yet, and put it there if that can be done.

    A stream that can be read is never replaced, so that its ``?v=`` stays; where only its facts are
    lost it is measured again. One that a later version of this service made stays as well: what is
    encoded then is not kept.
    """
    services = services_of(request)
    found = NOTHING
    with contextlib.suppress(CacheUnavailableError), span(request, "cache"):
        found = await survey(services.store, services.codecs, wanted.id, wanted.codecs)
    missing = [name for name in wanted.codecs if name not in found.streams]
    if found.image is not None and not missing:
        image = _image(wanted, found.image, found.streams)
        return UploadResult(image, is_new=False, stored=True)
    made: dict[str, StoredStream] = {}
    with await open_picture(request, data, missing, background=wanted.background) as picture:
        for name in missing:
            job = ToEncode(picture, measured=True, stream=found.unknown.get(name))
            [encoded] = await submit(request, services.encoders[name], [job])
            made[name] = _kept(services.codecs[name], encoded)
    own = ImageFacts(picture.width, picture.height, picture.format)
    kept: dict[str, StoredStream] = {}
    with contextlib.suppress(CacheUnavailableError), span(request, "cache"):
        kept = await _keep(services, wanted, own, made, found)
    streams = {**found.streams, **made, **kept}
    image = _image(wanted, own, {name: streams[name] for name in wanted.codecs})
    return UploadResult(image, is_new=True, stored=made.keys() <= kept.keys())


def _image(wanted: UploadJob, own: ImageFacts, streams: Mapping[str, StoredStream]) -> Image:
    return Image(wanted.id, own.width, own.height, own.format, streams)


def _kept(codec: Codec, encoded: Encoded) -> StoredStream:
    v = hashlib.sha256(encoded.stream).digest()[:4].hex()
    return StoredStream(facts_of(codec, encoded, v), encoded.stream)


async def _keep(
    services: Services,
    wanted: UploadJob,
    own: ImageFacts,
    made: Mapping[str, StoredStream],
    found: Survey,
) -> dict[str, StoredStream]:
    """What the store keeps now of what was made, or in its place.

    The image's own facts come last, so that they promise nothing. Raises CacheUnavailableError.
    """
    store, kept = services.store, {}
    for name, one in made.items():
        key, facts = Key(wanted.id, name), write_facts(one.facts)
        assert one.stream is not None
        if name in found.newer:
            continue
        if name in found.unknown:
            await store.note(key, facts)
            kept[name] = one
        elif await store.put(key, one.stream, facts):
            kept[name] = one
        else:  # another upload was here meanwhile: what it has put stays
            theirs = await survey(store, services.codecs, wanted.id, (name,))
            kept.update(theirs.streams)
    await store.note(Key(wanted.id, DOCUMENT), write_image(own))
    return kept
