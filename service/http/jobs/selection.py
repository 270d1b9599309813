"""Which prefix of a stored stream a request means: by budget, by quality, by the stream's name."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from service.cache import Key, Part
from service.codec.header import HEADER_BYTES
from service.codec.interface import Kind, Level, is_newer
from service.errors import NotEncodedError, ParameterError, StreamGoneError, UnknownImageError
from service.http.jobs.documents import DOCUMENT
from service.http.jobs.facts import Facts, ForeignMetaError, read_facts
from service.http.protocol.queries import (
    BPP,
    BYTES_AT_MOST,
    CODEC,
    MSSSIM,
    PSNR,
    SSIM,
    Parameters,
    V,
    is_image_id,
    known,
    shown,
)
from service.http.request.context import context_in

if TYPE_CHECKING:
    from starlette.types import Scope

    from service.serving.services import Services

Quality = Literal["ssim", "psnr", "msssim"]
QUALITIES: tuple[Quality, ...] = get_args(Quality)
PREFIX_PARAMETERS: dict[Kind, Parameters] = {
    "thumb": known(BYTES_AT_MOST, SSIM, PSNR, CODEC, V),
    "photo": known(BYTES_AT_MOST, BPP, SSIM, PSNR, MSSSIM, CODEC, V),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters that name a prefix of a stream of ``kind``.

    Of a budget and a quality the shorter prefix wins, of two qualities the longer.
    """

    kind: Kind
    bytes: int | None = None
    bpp: float | None = None
    ssim: float | None = None
    psnr: float | None = None
    msssim: float | None = None
    codec: str = ""
    v: str = ""

    @property
    def whole(self) -> bool:
        """Whether the whole stream is meant, so that a Range applies."""
        return self.bytes is None and not self.needs_facts

    @property
    def needs_facts(self) -> bool:
        """Whether the prefix is named by what was found out about the stream."""
        return self.bpp is not None or self.asks_quality

    @property
    def asks_quality(self) -> bool:
        """Whether a quality is asked for."""
        return self.ssim is not None or self.psnr is not None or self.msssim is not None


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
        raise UnknownImageError(f"an id is 26 characters a-z and 2-7, not {shown(image_id)}")
    key = Key(image_id, codec_for(services, asked.kind, asked.codec))
    if asked.bytes is not None:
        check_budget(services, key.codec, asked.bytes)
    begin = time.perf_counter()
    try:
        if not asked.needs_facts:
            part = await _read(services, key, asked.v, start, _least(stop, asked.bytes))
            length = _least(part.total_bytes, asked.bytes)
            assert length is not None
            return Selected(key, part, length)
        return await _select_by_facts(services, key, asked, start, stop)
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
    if asked.msssim is not None and level.msssim is not None:
        headers.append((b"prefixel-msssim", b"%.4f" % level.msssim))
    return tuple(headers)


def codec_for(services: Services, kind: Kind, name: str) -> str:
    """The codec of a request for a thumbnail or a photo; ``name`` may be empty.

    Raises ParameterError for one of the other kind, NotEncodedError where there is none.
    """
    if not name:
        try:
            return services.defaults[kind]
        except KeyError as none:
            raise NotEncodedError("no codec of photos is loaded here") from none
    loaded = services.codecs.get(name)
    if loaded is not None and loaded.kind != kind:
        fitting = ", ".join(codec.name for codec in services.codecs.values() if codec.kind == kind)
        raise ParameterError(
            "codec", f"'{name}' is a codec of {loaded.kind}s, and this is a {kind}", fitting
        )
    return name


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
    codec = services.codecs.get(key.codec)
    if codec is not None and is_newer(codec, part.head):
        raise StreamGoneError("the stream is of a later version of this service; ask again")
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


async def _select_by_facts(
    services: Services, key: Key, asked: Asked, start: int, stop: int | None
) -> Selected:
    meta = await services.store.meta(key)
    if meta is None:
        raise await _missing(services, key, asked.v)
    try:
        facts = read_facts(meta)
    except ForeignMetaError as foreign:
        services.store.report(str(foreign))
        raise StreamGoneError("its levels cannot be read; upload the image again") from foreign
    wanted = facts.total_bytes
    if asked.asks_quality:
        wanted = max(_reaching(facts, quality, getattr(asked, quality)) for quality in QUALITIES)
    if asked.bytes is not None:
        wanted = min(wanted, asked.bytes)
    if asked.bpp is not None:
        wanted = min(wanted, _bytes_at(services, key.codec, facts, asked.bpp))
    part = await _read(services, key, asked.v, start, _least(stop, wanted))
    if part.v != facts.v:
        raise StreamGoneError("the stream was replaced just now; ask again")
    length = min(wanted, part.total_bytes)
    return Selected(key, part, length, _level_of(facts, length))


def _bytes_at(services: Services, codec: str, facts: Facts, bpp: float) -> int:
    """How many bytes these bits a pixel are. Raises ParameterError."""
    budget_bytes = int(bpp * facts.size.pixels / 8)
    loaded = services.codecs.get(codec)
    minimum = HEADER_BYTES if loaded is None else loaded.minimum_bytes
    if budget_bytes < minimum:
        least = minimum * 8 / facts.size.pixels
        raise ParameterError(
            "bpp", f"{bpp:g} bits a pixel are {budget_bytes} bytes here", f"{least:.2g} or more"
        )
    services.metrics.budget(budget_bytes)
    return budget_bytes


def _reaching(facts: Facts, quality: Quality, wanted: float | None) -> int:
    """The shortest measured length that has the quality; none: the whole; not asked: 0.

    Raises ParameterError for one that was not measured.
    """
    if wanted is None:
        return 0
    if quality == "msssim" and all(level.msssim is None for level in facts.levels):
        from service.quality.ms_ssim import MS_SSIM_SIDE  # brings the compiler

        raise ParameterError(
            "msssim", f"a photo under {MS_SSIM_SIDE} pixels a side has no MS-SSIM", "absent"
        )
    for level in facts.levels:
        if (getattr(level, quality) or 0) >= wanted:
            return level.bytes
    return facts.total_bytes


def _level_of(facts: Facts, length: int) -> Level | None:
    """What was measured of the longest prefix that is not longer than this one."""
    return next((level for level in reversed(facts.levels) if level.bytes <= length), None)
