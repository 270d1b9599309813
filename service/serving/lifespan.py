"""Starts the services of an application, wired to its metrics, and ends them in order."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain

from service.cache import Event, SingleFlight, build_store
from service.cache.failures import FailureLog
from service.codec.interface import Codec, Kind, Size
from service.codec.versions import every_version
from service.errors import ConfigurationError
from service.http.jobs.picture_threads import BoundedExecutor
from service.http.protocol.queries import BYTES
from service.http.request.addresses import Clients
from service.inference.runtime import usable_cores
from service.inference.work_limit import WorkLimit
from service.observability.logs import LogWriter
from service.observability.metrics import Metrics
from service.pictures import Limits, Opener
from service.pictures.isolated.pool import DecoderPool, Reason
from service.pictures.opening import made_here
from service.serving.batchers import SECOND, decoder, encoder
from service.serving.forecast import Forecast
from service.serving.intake import Intake
from service.serving.services import Lifecycle, Services
from service.settings import Settings

SHA_DIGITS = 12
PHOTO = "photo"
OPENED_PIXEL_BYTES = 6
"""Of a photo that is as large as it may stay: as it was decoded, and upright."""


@asynccontextmanager
async def running(
    settings: Settings,
    codecs: Mapping[str, Codec],
    metrics: Metrics,
    log: LogWriter,
    lifecycle: Lifecycle,
) -> AsyncIterator[Services]:
    """The services, started; afterwards the batchers finish what they hold and the store closes.

    Raises ConfigurationError when the settings do not fit the codecs or the store.
    """
    upload_codecs = _upload_codecs(settings, codecs)
    for name, codec in codecs.items():
        if codec.maximum_bytes not in BYTES:
            raise ConfigurationError(
                f"'{name}' makes streams of {codec.maximum_bytes} bytes; the longest here are"
                f" {BYTES.stop - 1}"
            )
    failures = FailureLog(log, metrics.cache_error)

    def on_event(event: Event) -> None:
        metrics.cache_event(event)
        if event in ("breaker_open", "breaker_closed"):
            failures.breaker(is_open=event == "breaker_open")

    picture_threads = settings.picture_threads or usable_cores()
    decoders = _decoders(settings, picture_threads, metrics, log)
    encoders = {name: encoder(codec, settings, metrics) for name, codec in codecs.items()}
    services = Services(
        settings=settings,
        codecs=codecs,
        encoders=encoders,
        decoders={name: decoder(codec, settings, metrics) for name, codec in codecs.items()},
        defaults=_defaults(settings, codecs, upload_codecs),
        upload_codecs=upload_codecs,
        store=build_store(
            settings,
            on_event,
            tuple(codecs),
            [name for name, codec in codecs.items() if codec.kind == "photo"],
            failures.failed,
        ),
        single_flight=SingleFlight(),
        opener=Opener(
            Limits(
                pixel_limit=settings.pixel_limit,
                scan_limit=settings.scan_limit,
                decode_memory_bytes=picture_memory(settings, codecs),
                memory_wait_seconds=settings.deadline_seconds,
            ),
            made_here if decoders is None else decoders.decode,
        ),
        picture_executor=BoundedExecutor("picture", picture_threads, settings.queue_limit),
        paint_executor=BoundedExecutor("paint", picture_threads, settings.queue_limit),
        rasters=WorkLimit(round(settings.raster_seconds * SECOND), settings.raster_memory_bytes),
        forecasts={
            name: Forecast(
                codec, encoders[name].seconds, settings.photo_side, settings.deadline_seconds
            )
            for name, codec in codecs.items()
            if codec.kind == "photo"
        },
        metrics=metrics,
        log=log,
        uploads=Intake(settings.uploads_limit, settings.body_memory_bytes, settings.client_share),
        public_bodies=Intake(
            settings.public_bodies_limit, settings.public_body_memory_bytes, settings.client_share
        ),
        clients=Clients(settings.trusted_proxies),
        lifecycle=lifecycle,
    )
    for codec in chain.from_iterable(map(every_version, codecs.values())):
        sha = codec.artifact_sha256
        metrics.artifact(codec.name, codec.version, sha[:SHA_DIGITS] if sha else "none")
    try:
        for batcher in services.batchers:
            batcher.start()
        yield services
        for batcher in services.batchers:
            await batcher.drain()
    finally:
        for batcher in services.batchers:
            batcher.stop()
        for executor in (services.picture_executor, services.paint_executor):
            executor.shutdown(wait=False, cancel_futures=True)
        if decoders is not None:
            decoders.close()
        await services.store.close()


def _decoders(
    settings: Settings, processes: int, metrics: Metrics, log: LogWriter
) -> DecoderPool | None:
    """Processes to decode uploads in, where that is set.

    One may take all the processor time that there is until the deadline: decoders have threads.
    """
    if settings.decoder == "thread":
        return None

    def died(reason: Reason, code: int, format: str) -> None:
        metrics.decoder_died(reason)
        log.event("decoder-died", "warning", reason=reason, exit_code=code, format=format)

    cpu_seconds = math.ceil(settings.deadline_seconds * usable_cores())
    return DecoderPool(processes, cpu_seconds, died)


def _upload_codecs(settings: Settings, codecs: Mapping[str, Codec]) -> tuple[str, ...]:
    """Codecs of uploads that name none. Raises ConfigurationError for one that is not loaded."""
    asked = [("PREFIXEL_DEFAULT_CODEC", settings.default_codec)]
    asked += (("PREFIXEL_DEFAULT_CODECS", name) for name in settings.default_codecs)
    for setting, name in asked:
        if name not in codecs:
            loaded = ", ".join(sorted(codecs)) or "none"
            raise ConfigurationError(f"{setting} is '{name}'; loaded are: {loaded}")
    if codecs[settings.default_codec].kind != "thumb":
        raise ConfigurationError(
            f"PREFIXEL_DEFAULT_CODEC is '{settings.default_codec}', a codec of photos;"
            " PREFIXEL_DEFAULT_CODECS names those of uploads"
        )
    if settings.default_codecs:
        return tuple(dict.fromkeys(settings.default_codecs))
    return (settings.default_codec, *((PHOTO,) if PHOTO in codecs else ()))


def _defaults(
    settings: Settings, codecs: Mapping[str, Codec], upload_codecs: Sequence[str]
) -> dict[Kind, str]:
    """For photos the first that uploads make, else the first there is; or none."""
    defaults: dict[Kind, str] = {"thumb": settings.default_codec}
    for name in (*upload_codecs, *sorted(codecs)):
        if codecs[name].kind == "photo":
            defaults.setdefault("photo", name)
    return defaults


def picture_memory(settings: Settings, codecs: Mapping[str, Codec]) -> int:
    """Bytes for the pictures that are open: the budget, less what encoding one photo takes.

    A codec encodes one batch at a time, so that is set aside once, and never waited for by a
    picture that others wait for. Raises ConfigurationError when the largest photo does not fit.
    """
    largest = Size(settings.photo_side, settings.photo_side)
    photos = [codec for codec in codecs.values() if codec.kind == "photo"]
    left = settings.decode_memory_bytes - sum(codec.memory(largest) for codec in photos)
    opened = OPENED_PIXEL_BYTES * largest.pixels
    if photos and left < opened:
        needed = settings.decode_memory_bytes - left + opened
        raise ConfigurationError(
            f"PREFIXEL_PHOTO_SIDE is {settings.photo_side}, and one photo of that side takes"
            f" {needed} bytes; PREFIXEL_DECODE_MEMORY_BYTES is {settings.decode_memory_bytes}"
        )
    return left
