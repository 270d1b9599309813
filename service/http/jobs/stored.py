"""What the store keeps of an image, held against hashes, versions and facts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.cache import Key, Part, Store
from service.codec.interface import Codec, is_newer, is_readable
from service.errors import CacheUnavailableError, StreamGoneError
from service.http.jobs.documents import DOCUMENT, Image, StoredStream
from service.http.jobs.facts import Facts, ForeignMetaError, ImageFacts, read_facts, read_image

_PIECE_BYTES = 64 * 1024
"""Of a stream that is held against its hash: the event loop is held up by no more than this."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What an upload finds of the codecs that it asks for, each stream whole and as its hash says.

    ``image`` is None where the image's own facts are gone. ``unknown`` are streams that can be read
    here and of which nothing is known, ``newer`` the codecs whose streams another version of this
    service made, which are left alone. Of all others there is nothing.
    """

    image: ImageFacts | None
    streams: Mapping[str, StoredStream]
    unknown: Mapping[str, bytes]
    newer: frozenset[str]


NOTHING = Survey(None, {}, {}, frozenset())


async def survey(
    store: Store, codecs: Mapping[str, Codec], id: str, names: Sequence[str]
) -> Survey:
    """Read all that is kept of an image and these codecs.

    What is damaged, or of an older version than any that is read here, is dropped. Raises
    CacheUnavailableError.
    """
    streams, unknown, newer = {}, {}, set()
    for name in names:
        key, codec = Key(id, name), codecs[name]
        part = await whole(store, key)
        if part is None:
            continue
        if is_newer(codec, part.head):
            newer.add(name)
        elif not is_readable(codec, part.head):
            await store.drop(key, part.digest)
        elif (facts := await facts_of(store, key, part)) is None:
            unknown[name] = part.data
        else:
            streams[name] = StoredStream(facts, part.data)
    return Survey(await image_facts(store, id), streams, unknown, frozenset(newer))


async def whole(store: Store, key: Key) -> Part | None:
    """A whole stream that is what its hash says, or None; a damaged one is dropped.

    Raises CacheUnavailableError.
    """
    first = await store.read(key, 0, _PIECE_BYTES)
    if first is None or len(first.data) == first.total_bytes:
        return first  # the store has held it against its hash
    hashed, pieces, at = hashlib.sha256(first.data), [first.data], len(first.data)
    while at < first.total_bytes:
        more = await store.read(key, at, at + _PIECE_BYTES)
        if more is None or more.digest != first.digest:
            return None
        hashed.update(more.data)
        pieces.append(more.data)
        at += len(more.data)
    if hashed.digest() != first.digest:
        await drop_damaged(store, key, first.digest)
        return None
    return Part(b"".join(pieces), first.total_bytes, first.digest, first.head)


async def drop_damaged(store: Store, key: Key, digest: bytes) -> None:
    """A stream was found to have another hash than ``digest``, which it claims."""
    store.report("the stream's hash is not the one beside it")
    await store.drop(key, digest)


async def image_facts(store: Store, id: str) -> ImageFacts | None:
    """An image's own facts, or None where there are none that hold."""
    meta = await store.meta(Key(id, DOCUMENT))
    try:
        return None if meta is None else read_image(meta)
    except ForeignMetaError as damaged:
        store.report(str(damaged))
        return None


async def facts_of(store: Store, key: Key, part: Part) -> Facts | None:
    """The facts of this very stream, or None where there are none that hold."""
    meta = await store.meta(key)
    try:
        facts = None if meta is None else read_facts(meta)
    except ForeignMetaError as damaged:
        store.report(str(damaged))
        return None
    if facts is None or (facts.v, facts.total_bytes) != (part.v, part.total_bytes):
        return None
    return facts


async def load_image(store: Store, codecs: Mapping[str, Codec], id: str) -> Image | None:
    """What the store keeps of an image; None when it knows nothing of it. No stream comes with it.

    Raises CacheUnavailableError, and StreamGoneError where all that is kept is of later versions.
    """
    own = await image_facts(store, id)
    if own is None:
        return None
    names = sorted(codecs)
    parts = await store.many([Key(id, name) for name in names], 0)
    streams, newer = {}, False
    for name, part in zip(names, parts, strict=True):
        if isinstance(part, CacheUnavailableError):
            raise part
        if part is None:
            continue
        if is_newer(codecs[name], part.head):
            newer = True
        elif (facts := await facts_of(store, Key(id, name), part)) is not None:
            streams[name] = StoredStream(facts, None)
    if newer and not streams:
        raise StreamGoneError("the image is of a later version of this service; ask again")
    return Image(id, own.width, own.height, own.format, streams)
