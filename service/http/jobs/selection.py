"""Which prefix of a stored stream a request means: by budget, by quality, by the stream's name."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from service.cache import Key, Part
from service.codec.header import HEADER_BYTES
from service.codec.interface import Level
from service.errors import NotEncodedError, ParameterError, StreamGoneError, UnknownImageError
from service.http.jobs.documents import DOCUMENT, Facts, ForeignMetaError, read_facts
from service.http.protocol.queries import BYTES_AT_MOST, CODEC, PSNR, SSIM, V, is_image_id, known
from service.http.request.context import context_in

if TYPE_CHECKING:
    from starlette.types import Scope

    from service.serving.services import Services

PREFIX_PARAMETERS = known(BYTES_AT_MOST, SSIM, PSNR, CODEC, V)


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters that name a prefix, in the order of precedence: the shortest one wins."""

    bytes: int | None = None
    ssim: float | None = None
    psnr: float | None = None
    codec: str = ""
    v: str = ""

    @property
    def whole(self) -> bool:
        """Whether the whole stream is meant, so that a Range applies."""
        return self.bytes is None and self.ssim is None and self.psnr is None


@dataclass(frozen=True, slots=True)
class Selected:
    """What was read of the prefix that is meant, and how long that is.

    ``level`` is what was measured of it, where quality was asked.
    """

    key: Key
    part: Part
    length: int
    level: Level | None = None


async def select(
    scope: Scope, services: Services, asked: Asked, start: int = 0, stop: int | None = None
) -> Selected:
    """Read bytes ``start`` to ``stop`` of the prefix that is meant (None: to its end).

    Without a quality it takes one read of the store. Raises ParameterError,
    UnknownImageError, NotEncodedError, StreamGoneError, CacheUnavailableError.
    """
    image_id: str = scope["path_params"]["id"]
    if not is_image_id(image_id):
        raise UnknownImageError("an id is 26 characters a-z and 2-7")
    key = Key(image_id, asked.codec or services.settings.default_codec)
    if asked.bytes is not None:
        check_budget(services, key.codec, asked.bytes)
    begin = time.perf_counter()
    try:
        if asked.ssim is None and asked.psnr is None:
            part = await _read(services, key, asked.v, start, _least(stop, asked.bytes))
            length = _least(part.total_bytes, asked.bytes)
            assert length is not None
            return Selected(key, part, length)
        return await _select_by_quality(services, key, asked, start, stop)
    finally:
        seconds = time.perf_counter() - begin
        context_in(scope).spans.append(("cache", seconds))
        services.metrics.span("cache", seconds)


def quality_headers(asked: Asked, selected: Selected) -> tuple[tuple[bytes, bytes], ...]:
    """What was measured of the prefix, as far as it was asked for."""
    level = selected.level
    if level is None:
        return ()
    headers: list[tuple[bytes, bytes]] = []
    if asked.ssim is not None:
        headers.append((b"prefixel-ssim", b"%.4f" % level.ssim))
    if asked.psnr is not None:
        headers.append((b"prefixel-psnr", b"%.2f" % level.psnr))
    return tuple(headers)


def check_budget(services: Services, codec: str, budget_bytes: int) -> None:
    """Refuse a budget that cannot hold a picture. Raises ParameterError."""
    loaded = services.codecs.get(codec)
    minimum = HEADER_BYTES if loaded is None else loaded.minimum_bytes
    if budget_bytes < minimum:
        raise ParameterError(
            "bytes", f"{budget_bytes} bytes hold no picture of '{codec}'", f"{minimum} or more"
        )
    services.metrics.budget(budget_bytes)


def _least(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


async def _read(services: Services, key: Key, v: str, start: int, stop: int | None) -> Part:
    part = await services.store.read(key, start, stop)
    if part is None:
        raise await _missing(services, key, v)
    if v and part.v != v:
        raise StreamGoneError("another stream is in its place; drop what you have and start over")
    return part


async def _missing(services: Services, key: Key, v: str) -> Exception:
    """What it means that a stream is not there."""
    if await services.store.meta(Key(key.image_id, DOCUMENT)) is None:
        return UnknownImageError("no image under this id; upload it")
    if v:
        return StreamGoneError("that stream has left the cache; upload the image again")
    return NotEncodedError(f"'{key.codec}' is not kept for this image; upload it with ?codecs=")


async def _select_by_quality(
    services: Services, key: Key, asked: Asked, start: int, stop: int | None
) -> Selected:
    meta = await services.store.meta(key)
    if meta is None:
        raise await _missing(services, key, asked.v)
    try:
        facts = read_facts(meta)
    except ForeignMetaError as foreign:
        raise StreamGoneError("its levels cannot be read; upload the image again") from foreign
    wanted = max(_reaching(facts, "ssim", asked.ssim), _reaching(facts, "psnr", asked.psnr))
    if asked.bytes is not None:
        wanted = min(wanted, asked.bytes)
    part = await _read(services, key, asked.v, start, _least(stop, wanted))
    if part.v != facts.v:
        raise StreamGoneError("the stream was replaced just now; ask again")
    length = min(wanted, part.total_bytes)
    return Selected(key, part, length, _level_of(facts, length))


def _reaching(facts: Facts, quality: Literal["ssim", "psnr"], wanted: float | None) -> int:
    """The shortest measured length that has the quality; none: the whole; not asked: 0."""
    if wanted is None:
        return 0
    for level in facts.levels:
        if getattr(level, quality) >= wanted:
            return level.bytes
    return facts.total_bytes


def _level_of(facts: Facts, length: int) -> Level | None:
    """What was measured of the longest prefix that is not longer than this one."""
    return next((level for level in reversed(facts.levels) if level.bytes <= length), None)
