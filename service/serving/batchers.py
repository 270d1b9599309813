"""Each codec's two batchers, with a thread each: what a picture costs there, what a batch holds."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from service.codec.interface import Codec, Encoded, Pixels, Size, measured
from service.inference import Batcher, Hooks
from service.observability.metrics import Metrics
from service.serving.services import ToDecode, ToEncode
from service.settings import Settings

PHOTO_BATCH_COST = 50_000_000
"""Photos of a batch cost at most 50 ms of one core together: it is soon another request's turn."""

SECOND = 1_000_000_000
"""In the unit of ``Codec.cost``."""

T = TypeVar("T")
R = TypeVar("R")
Ran = Callable[[str, int, float], None]


def encoder(codec: Codec, settings: Settings, metrics: Metrics) -> Batcher[ToEncode, Encoded]:
    """Pictures to streams, with their levels where a job asks for them."""

    def encode(jobs: list[ToEncode]) -> list[Encoded]:
        return encoded(codec, jobs)

    def ran(network: str, pictures: int, seconds: float) -> None:
        metrics.ran(network, pictures, seconds)
        metrics.encoded(codec.name, pictures)

    def cost(job: ToEncode) -> int:
        return codec.cost(Size.of(job.picture.pixels(codec.kind)))

    return _batcher(codec, "encode", encode, cost, lambda _: None, settings, _hooks(metrics, ran))


def encoded(codec: Codec, jobs: list[ToEncode]) -> list[Encoded]:
    """One batch, in its order; levels are measured where a job asks for them.

    A stream that a job brings along has none where it is of another size than the picture's now.
    """
    rgb = [job.picture.pixels(codec.kind) for job in jobs]
    made = [Encoded(job.stream or b"", ()) for job in jobs]
    new = [n for n, job in enumerate(jobs) if job.stream is None]
    if new:
        fresh = codec.encode([rgb[n] for n in new], [jobs[n].picture.aspect for n in new])
        for n, one in zip(new, fresh, strict=True):
            made[n] = one
    for n, job in enumerate(jobs):
        size = codec.header(job.stream).size if job.stream else None
        if job.stream and size in (None, codec.coded_size(Size.of(rgb[n]))):
            made[n] = Encoded(job.stream)
    asked = [n for n, job in enumerate(jobs) if job.measured]
    levels = measured(codec, [rgb[n] for n in asked], [made[n] for n in asked])
    for n, one in zip(asked, levels, strict=True):
        made[n] = one
    return made


def decoder(codec: Codec, settings: Settings, metrics: Metrics) -> Batcher[ToDecode, Pixels]:
    """Prefixes to pictures; those of one batch are wanted at one size."""

    def decode(jobs: list[ToDecode]) -> list[Pixels]:
        return codec.decode([job.prefix for job in jobs], jobs[0].size)

    def cost(job: ToDecode) -> int:
        return codec.cost(job.painted, len(job.prefix), job.own)

    def size(job: ToDecode) -> int | None:
        return job.size

    return _batcher(codec, "decode", decode, cost, size, settings, _hooks(metrics, metrics.ran))


def _batcher(
    codec: Codec,
    work: str,
    run: Callable[[list[T]], list[R]],
    cost: Callable[[T], int],
    shape: Callable[[T], object],
    settings: Settings,
    hooks: Hooks,
) -> Batcher[T, R]:
    return Batcher(
        f"{codec.name}-{work}",
        run,
        max_batch=settings.max_batch,
        max_delay_ms=settings.max_delay_ms,
        queue_limit=settings.queue_limit,
        cost=cost,
        shape=shape,
        # thumbnails of a batch are computed together, however long each of them takes
        batch_cost=math.inf if codec.kind == "thumb" else PHOTO_BATCH_COST,
        queue_cost=settings.queue_seconds * SECOND,
        unit_seconds=1 / SECOND,
        on_event=hooks,
    )


def _hooks(metrics: Metrics, ran: Ran) -> Hooks:
    return Hooks(
        depth=metrics.queue_depth,
        dispatched=metrics.dispatched,
        dropped=metrics.dropped,
        waited=metrics.waited,
        ran=ran,
    )
