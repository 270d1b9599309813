"""The border: one pure ASGI class around the routers, for what every answer needs.

Request id, CORS, ``Server-Timing``, the request's metric, its log line, and the 500 of an exception
that nothing else knew. One class, because each layer costs every request a call and a closure.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

from service.errors import ClientGoneError, PrefixelError, RateLimitError, TransferCodingError
from service.http.protocol.problems import problem_answer
from service.http.request.context import SCOPE_KEY, Context
from service.http.request.timing import server_timing
from service.observability.logs import quote, request_id, timestamp

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from service.http.request.addresses import Clients
    from service.http.request.rates import Rates
    from service.observability.logs import Level, LogWriter
    from service.observability.metrics import Metrics
    from service.serving.services import Lifecycle

METHODS = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS"})
SANE_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
ASKED_HEADERS = b"Authorization, Content-Type, If-None-Match, If-Range, Range, X-Request-ID"
PREFLIGHT_SECONDS = 86400
CLIENT_CLOSED = 499
QUIET_ROUTES = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked every few seconds by machines: no news."""
Header = tuple[bytes, bytes]


class RequestMiddleware:
    """While the process is stopping, each answer ends its connection, so that clients move on."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        log: LogWriter,
        origins: Sequence[str],
        lifecycle: Lifecycle,
        clients: Clients,
        rates: Rates | None = None,
    ) -> None:
        self.app = app
        self._metrics = metrics
        self._log = log
        self._lifecycle = lifecycle
        self._rates = rates
        self._clients = clients
        self._logged = [level for level in ("info", "debug") if log.takes(level)]
        self._id_prefix = os.urandom(5).hex()
        self._ids = count()
        self._cors = Cors(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (anything that is not HTTP goes through untouched)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        origin, own_id, coding = b"", "", b""
        for name, value in scope["headers"]:
            if name == b"origin":
                origin = value
            elif name == b"x-request-id" and SANE_ID.fullmatch(value):
                own_id = value.decode()
            elif name == b"transfer-encoding" and value.strip().lower() != b"chunked":
                coding = value
        context = Context(own_id or f"{self._id_prefix}{next(self._ids):08x}")
        scope[SCOPE_KEY] = context
        request_id.set(context.request_id)
        status = sent = 0

        async def send_on(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = self._headers(message.get("headers", ()), context, origin)
            else:
                sent += len(message.get("body", b""))
            await send(message)

        try:
            if scope["method"] == "OPTIONS" and origin:
                await self._cors.preflight(send_on)
            else:
                if coding:
                    raise TransferCodingError("a body is sent as it is, or chunked and no more")
                if self._rates is not None:
                    self._rates.check(scope)
                await self.app(scope, receive, send_on)
        except (RateLimitError, TransferCodingError) as refused:
            self._metrics.rejected(refused.slug)
            await problem_answer(refused, context)(scope, receive, send_on)
        except Exception as error:
            context.error = PrefixelError.slug
            self._log.exception("unhandled", error)
            if not status:
                await problem_answer(PrefixelError("something went wrong here"), context)(
                    scope, receive, send_on
                )
        finally:
            self._finish(scope, context, status or CLIENT_CLOSED, sent)

    def _headers(self, headers: Sequence[Header], context: Context, origin: bytes) -> list[Header]:
        out = [
            *headers,
            (b"x-request-id", context.request_id.encode()),
            (b"x-content-type-options", b"nosniff"),
            *self._cors.headers(origin),
        ]
        if context.spans and not _is_immutable(headers):
            out.append((b"server-timing", server_timing(context)))
            out += self._cors.timing(origin)
        if self._lifecycle.stopping:
            out.append((b"connection", b"close"))
        return out

    def _finish(self, scope: Scope, context: Context, status: int, sent: int) -> None:
        seconds = time.monotonic() - context.started
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.request(route, method, status, seconds)
        if context.error == ClientGoneError.slug:
            self._metrics.client_gone()
        level: Level = "debug" if route in QUIET_ROUTES else "info"
        if level in self._logged:
            self._log.put(
                f'{{"time": "{timestamp(time.time())}", "level": "{level}", "event": "request",'
                f' "request_id": "{context.request_id}",'
                f' "client": "{self._clients.address_of(scope)}", "method": "{method}",'
                f' "route": "{route}", "path": {quote(scope["path"][:200])}, "status": {status},'
                f' "seconds": {seconds:.6f}, "sent_bytes": {sent}, "error": "{context.error}"}}'
            )


def _is_immutable(headers: Sequence[Header]) -> bool:
    return any(name == b"cache-control" and b"immutable" in value for name, value in headers)


class Cors:
    """Cross-origin headers. No credentials are ever allowed, so ``*`` may expose every header."""

    def __init__(self, origins: Sequence[str]) -> None:
        self._everyone = "*" in origins
        self._origins = frozenset(origin.encode() for origin in origins)
        self._expose = (b"access-control-expose-headers", b"*")

    def headers(self, origin: bytes) -> tuple[Header, ...]:
        """For any answer. A list of origins makes answers vary on Origin; ``*`` does not."""
        if self._everyone:
            return _EVERYONE
        if not self._origins:
            return ()
        if origin not in self._origins:
            return ((b"vary", b"Origin"),)
        return ((b"vary", b"Origin"), (b"access-control-allow-origin", origin), self._expose)

    def timing(self, origin: bytes) -> tuple[Header, ...]:
        """Who may read ``Server-Timing``: the same origins."""
        if self._everyone:
            return ((b"timing-allow-origin", b"*"),)
        return ((b"timing-allow-origin", origin),) if origin in self._origins else ()

    async def preflight(self, send: Send) -> None:
        """Answer a page that asks whether it may; ``headers`` says so or not."""
        headers = [
            (b"access-control-allow-methods", b"GET, HEAD, POST, DELETE"),
            (b"access-control-allow-headers", ASKED_HEADERS),
            (b"access-control-max-age", str(PREFLIGHT_SECONDS).encode()),
        ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


_EVERYONE = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"*"),
)
