"""/metrics on a port of its own, away from the public one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from service.errors import ConfigurationError
from service.observability.metrics import Metrics


@contextmanager
def metrics_on_port(port: int | None, metrics: Metrics) -> Iterator[int | None]:
    """Serve ``metrics`` on every address while inside; yields the port (None: not at all).

    Raises ConfigurationError when the port is taken.
    """
    if port is None:
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

    try:
        server = ThreadingHTTPServer(("", port), Handler)
    except OSError as taken:
        raise ConfigurationError(
            f"cannot listen on PREFIXEL_METRICS_PORT {port}: {taken}"
        ) from taken
    server.daemon_threads = True
    Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
