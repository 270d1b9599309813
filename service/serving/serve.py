"""Serves an application on an open socket, from before its start until it has drained."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI

    from service.observability.logs import LogWriter
    from service.observability.metrics import Metrics
    from service.serving.services import Lifecycle
    from service.settings import Settings

    AppMaker = Callable[[Settings, LogWriter, Lifecycle], FastAPI]


def serve(
    settings: Settings,
    listener: socket.socket,
    make_app: AppMaker,
    *,
    metrics_listener: socket.socket | None = None,
    on_ready: Callable[[Metrics], None] = lambda _metrics: None,
    others_listen: Callable[[], bool] = lambda: False,
) -> int:
    """Serve on an open socket until SIGTERM or SIGINT; 0.

    ``metrics_listener`` is where this process serves /metrics apart, ``on_ready`` is called before
    the first request is taken, ``others_listen`` is of ``DrainingServer``. Raises StartupError.
    """
    import uvloop

    from service.observability.logs import LogWriter, install

    log = LogWriter(settings.log_level)
    log.start()
    install(log)
    try:
        uvloop.run(
            _serve(settings, listener, make_app, log, metrics_listener, on_ready, others_listen)
        )
    finally:
        log.close()
        listener.close()
    return 0


async def _serve(
    settings: Settings,
    listener: socket.socket,
    make_app: AppMaker,
    log: LogWriter,
    metrics_listener: socket.socket | None,
    on_ready: Callable[[Metrics], None],
    others_listen: Callable[[], bool],
) -> None:
    from service.observability.exporter import metrics_on
    from service.serving.crowd import Crowd, telling
    from service.serving.open_files import connections_limit
    from service.serving.server import DrainingServer
    from service.serving.services import Lifecycle
    from service.settings import unknown_variables

    for name, meant in sorted(unknown_variables(os.environ).items()):
        log.event("unknown-setting", "warning", variable=name, perhaps=meant)
    lifecycle = Lifecycle()
    app = make_app(settings, log, lifecycle)
    async with app.router.lifespan_context(app):
        services = app.state.services
        with metrics_on(metrics_listener, services.metrics) as scraped:
            limit = connections_limit(settings)
            if limit < settings.connections_limit:
                log.event(
                    "connections-limited",
                    "warning",
                    asked=settings.connections_limit,
                    connections_limit=limit,
                    cause="ulimit -n",
                )
            crowd = Crowd(
                limit,
                settings.client_share,
                services.clients,
                telling(log, services.metrics, limit),
            )
            host, port = listener.getsockname()[:2]
            log.event(
                "listening",
                host=host,
                port=port,
                metrics_port=scraped or port,
                connections_limit=limit,
            )
            on_ready(services.metrics)
            server = DrainingServer(app, settings, lifecycle, crowd, others_listen)
            await server.serve([listener])
    log.event("stopped")
