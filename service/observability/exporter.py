"""/metrics on a port of its own, away from the public one."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

from service.errors import ConfigurationError

if TYPE_CHECKING:
    from service.observability.metrics import Metrics


def listen_for_metrics(port: int | None) -> socket.socket | None:
    """A socket on every address (port 0: a free one; None: none).

    It does not block, so that processes may share it. Raises ConfigurationError when it is taken.
    """
    if port is None:
        return None
    try:
        listener = socket.create_server(("", port))
    except OSError as taken:
        raise ConfigurationError(
            f"cannot listen on PREFIXEL_METRICS_PORT {port}: {taken}"
        ) from taken
    listener.setblocking(False)
    return listener


@contextmanager
def metrics_on(listener: socket.socket | None, metrics: Metrics) -> Iterator[int | None]:
    """Serve ``metrics`` there while inside, then close it; yields the port (None: not at all)."""
    if listener is None:
        yield None
        return

    class Handler(BaseHTTPRequestHandler):
        timeout = 5.0

        def do_GET(self) -> None:
            found = self.path.partition("?")[0] == "/metrics"
            body = metrics.render() if found else b"only /metrics is served here\n"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", metrics.content_type if found else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a scrape every few seconds is no news."""

    address = listener.getsockname()
    server = ThreadingHTTPServer(address, Handler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.daemon_threads = True
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    try:
        yield int(address[1])
    finally:
        server.shutdown()
        server.server_close()
