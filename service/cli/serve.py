"""``prefixel serve``: the service, in one process or several."""

from __future__ import annotations

import argparse
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from service.errors import ConfigurationError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from service.observability.logs import LogWriter
    from service.services import Lifecycle
    from service.settings import Settings

    AppMaker = Callable[[Settings, LogWriter, Lifecycle], FastAPI]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "serve",
        help="serve over HTTP",
        description="Serve over HTTP. Everything else is set by PREFIXEL_* in the environment;"
        " 'prefixel tables settings' lists it.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port, 0: a free one (%(default)s)")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes; more than one need Redis or SQLite"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop. Raises ConfigurationError."""
    from service.settings import read_settings

    settings = read_settings()
    if arguments.workers < 1:
        raise ConfigurationError(f"--workers is 1 or more, not {arguments.workers}")
    if arguments.workers > 1:
        return _serve_many(settings, arguments)
    return serve(settings, _listen(arguments), real_app, metrics_port=settings.metrics_port)


def _serve_many(settings: Settings, arguments: argparse.Namespace) -> int:
    if settings.redis_url is None and settings.store_path is None:
        raise ConfigurationError(
            f"--workers {arguments.workers} needs a cache that processes can share: set"
            " PREFIXEL_REDIS_URL or PREFIXEL_STORE_PATH (the in-process cache belongs to one"
            " process, so an upload to one would be unknown to the others)"
        )
    from service.http.workers import supervise

    return supervise(settings, _listen(arguments), arguments.workers)


def _listen(arguments: argparse.Namespace) -> socket.socket:
    from service.http.server import listen

    try:
        return listen(arguments.host, arguments.port)
    except (OSError, OverflowError) as wrong:
        raise ConfigurationError(
            f"cannot listen on {arguments.host} port {arguments.port}: {wrong}"
        ) from wrong


def real_app(settings: Settings, log: LogWriter, lifecycle: Lifecycle) -> FastAPI:
    """The application with the codecs of the artifacts."""
    from service.app import create_app

    return create_app(settings, log=log, lifecycle=lifecycle)


def serve(
    settings: Settings,
    listener: socket.socket,
    make_app: AppMaker,
    *,
    metrics_port: int | None = None,
    on_ready: Callable[[], None] = lambda: None,
) -> int:
    """Serve on an open socket until SIGTERM or SIGINT; 0.

    ``metrics_port`` is where this process serves /metrics apart, ``on_ready`` is called before the
    first request is taken. Raises StartupError.
    """
    import uvloop

    from service.observability.logs import LogWriter, install

    log = LogWriter(settings.log_level)
    log.start()
    install(log)
    try:
        uvloop.run(_serve(settings, listener, make_app, log, metrics_port, on_ready))
    finally:
        log.close()
        listener.close()
    return 0


async def _serve(
    settings: Settings,
    listener: socket.socket,
    make_app: AppMaker,
    log: LogWriter,
    metrics_port: int | None,
    on_ready: Callable[[], None],
) -> None:
    from service.http.server import DrainingServer
    from service.observability.exporter import metrics_on_port
    from service.services import Lifecycle

    lifecycle = Lifecycle()
    app = make_app(settings, log, lifecycle)
    async with app.router.lifespan_context(app):
        with metrics_on_port(metrics_port, app.state.services.metrics) as scraped:
            host, port = listener.getsockname()[:2]
            log.event("listening", host=host, port=port, metrics_port=scraped or port)
            on_ready()
            await DrainingServer(app, settings, lifecycle).serve([listener])
    log.event("stopped")
