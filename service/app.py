"""Builds the application: its lifespan, the border, the routers; nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from service.codec.interface import Codec
from service.codec.registry import encoding_of, load_codecs
from service.http.protocol import problems
from service.http.request.addresses import Clients
from service.http.request.middleware import RequestMiddleware
from service.http.request.rates import Rates
from service.http.resources import codecs as codecs_
from service.http.resources import (
    demo,
    images,
    kit,
    openapi,
    operations,
    rasters,
    stateless,
    streams,
    thumbs,
)
from service.inference import Runtime
from service.observability.logs import LogWriter
from service.observability.metrics import Metrics
from service.serving.lifespan import running
from service.serving.services import Lifecycle
from service.settings import Settings

RESOURCES = (
    *streams.RESOURCES,  # the hot path: routes are tried in this order
    *rasters.RESOURCES,
    *thumbs.RESOURCES,
    *images.RESOURCES,
    *stateless.RESOURCES,
    *codecs_.RESOURCES,
)

GIVEN_DEVICE = "given"
"""What is said of codecs that a caller brings."""


def create_app(
    settings: Settings,
    *,
    codecs: Mapping[str, Codec] | None = None,
    log: LogWriter | None = None,
    lifecycle: Lifecycle | None = None,
) -> FastAPI:
    """The ASGI application; its lifespan fills ``app.state.services``.

    ``codecs`` stand in for those that the artifacts hold, ``lifecycle`` is moved forward by the
    server that runs the application, ``log`` is started and closed by its caller. The lifespan
    raises StartupError when a setting or an artifact is wrong.
    """
    metrics = Metrics()
    log = log or LogWriter(settings.log_level)
    lifecycle = lifecycle or Lifecycle()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if codecs is None:
            app.state.device, loaded = await run_in_threadpool(_load, settings)
        else:
            app.state.device, loaded = GIVEN_DEVICE, codecs
        metrics.build(version("prefixel"), app.state.device)
        async with running(settings, loaded, metrics, log, lifecycle) as services:
            app.state.services = services
            yield

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.router.routes.extend(RESOURCES)
    app.include_router(operations.router(metrics=settings.metrics_port is None))
    app.include_router(openapi.router)
    app.router.routes.extend(kit.resources(demo=settings.demo))
    if settings.demo:
        app.include_router(demo.router)
    problems.install(app)
    app.openapi = openapi.build(app)  # type: ignore[method-assign]
    app.add_middleware(
        RequestMiddleware,
        metrics=metrics,
        log=log,
        origins=settings.cors_origins,
        lifecycle=lifecycle,
        clients=Clients(settings.trusted_proxies),
        rates=Rates(settings) if settings.rate_limit else None,
    )
    return app


def real_app(settings: Settings, log: LogWriter, lifecycle: Lifecycle) -> FastAPI:
    """The application with the codecs of the artifacts."""
    return create_app(settings, log=log, lifecycle=lifecycle)


def _load(settings: Settings) -> tuple[str, Mapping[str, Codec]]:
    """Where networks run, and the codecs."""
    runtime = Runtime(settings.device, settings.inference_threads)
    how = encoding_of(settings)
    return runtime.device, load_codecs(settings.artifacts(), settings.codecs, runtime, how)
