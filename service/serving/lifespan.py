"""Starts the services of an application, wired to its metrics, and ends them in order."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from service.cache import SingleFlight, build_store
from service.codec.interface import Codec
from service.errors import ConfigurationError
from service.http.jobs.picture_threads import BoundedExecutor
from service.observability.logs import LogWriter
from service.observability.metrics import Metrics
from service.pictures import Limits, Opener
from service.serving.batchers import decoder, encoder
from service.serving.intake import Intake
from service.serving.services import Lifecycle, Services
from service.settings import Settings

SHA_DIGITS = 12


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
    if settings.default_codec not in codecs:
        raise ConfigurationError(
            f"PREFIXEL_DEFAULT_CODEC is '{settings.default_codec}'; loaded are:"
            f" {', '.join(sorted(codecs)) or 'none'}"
        )
    services = Services(
        settings=settings,
        codecs=codecs,
        encoders={name: encoder(codec, settings, metrics) for name, codec in codecs.items()},
        decoders={name: decoder(codec, settings, metrics) for name, codec in codecs.items()},
        store=build_store(settings, metrics.cache_event, tuple(codecs)),
        single_flight=SingleFlight(),
        opener=Opener(
            Limits(
                pixel_limit=settings.pixel_limit,
                scan_limit=settings.scan_limit,
                decode_memory_bytes=settings.decode_memory_bytes,
                memory_wait_seconds=settings.deadline_seconds,
            )
        ),
        picture_executor=BoundedExecutor(settings.picture_threads, settings.queue_limit),
        metrics=metrics,
        log=log,
        intake=Intake(settings.uploads_limit, settings.body_memory_bytes),
        lifecycle=lifecycle,
    )
    for codec in codecs.values():
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
        services.picture_executor.shutdown(wait=False, cancel_futures=True)
        await services.store.close()
