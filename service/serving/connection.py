"""One connection, with every wait on it bounded; uvicorn itself bounds only the idle keep-alive.

headers      ``header_timeout_seconds`` from the first byte (or the connection) on, 64 KiB
body         in ``body.py``; what comes after an early answer is let go by for 5 s
answer       ``write_timeout_seconds`` for a client that stops reading
number       ``connections_limit``: the longest idle one makes room, else the new one leaves
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

    from service.settings import Settings

REQUEST_HEADERS_LIMIT = 64 * 1024
LINGER_SECONDS = 5.0
FAREWELL_SECONDS = 1.0
STOPPING_SECONDS = 1.0


def _refusal(status: str, retry: str = "") -> bytes:
    return (
        f"HTTP/1.1 {status}\r\n{retry}cache-control: no-store\r\n"
        "content-length: 0\r\nconnection: close\r\n\r\n"
    ).encode()


HEADERS_LATE = _refusal("408 Request Timeout")
HEADERS_LONG = _refusal("431 Request Header Fields Too Large")
CROWDED = _refusal("503 Service Unavailable", "retry-after: 1\r\n")


def bounded(settings: Settings) -> type[asyncio.Protocol]:
    """The protocol class for uvicorn's ``http`` setting, with these settings' bounds."""

    class Connection(BoundedConnection):
        header_timeout_seconds = settings.header_timeout_seconds
        write_timeout_seconds = settings.write_timeout_seconds
        connections_limit = settings.connections_limit

    return Connection


class BoundedConnection(HttpToolsProtocol):
    """Timers run only while something is late: a request that comes whole starts none."""

    header_timeout_seconds: float
    write_timeout_seconds: float
    connections_limit: int

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._in_headers = False
        self._in_body = False
        self._header_bytes = 0
        self._patience: asyncio.TimerHandle | None = None
        self._write_patience: asyncio.TimerHandle | None = None
        self._idle_since = self.loop.time()
        self._stopping = False
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, if there is room; its first headers are awaited from now on."""
        super().connection_made(transport)
        if len(self.connections) > self.connections_limit and not self._make_room():
            self.transport.write(CROWDED)
            self.transport.close()
            return
        self._await(self.header_timeout_seconds, HEADERS_LATE)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the timers go with it."""
        self._at_ease()
        if self._write_patience is not None:
            self._write_patience.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; begin to wait only if that left headers half read."""
        if self._refused:
            return
        super().data_received(data)
        if self._in_headers and not self.transport.is_closing():
            self._header_bytes += len(data)
            if self._header_bytes > REQUEST_HEADERS_LIMIT:
                self._refuse(HEADERS_LONG)
            elif self._patience is None:
                self._await(self.header_timeout_seconds, HEADERS_LATE)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_headers = self._in_body = True
        self._header_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its headers are here."""
        self._in_headers = False
        self._at_ease()
        super().on_headers_complete()
        if self._stopping:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """Its body is here."""
        self._in_body = False
        self._at_ease()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It has been answered; the rest of an unread body may come, but not for ever.

        Closing at once instead would reset the connection, and the answer with it.
        """
        self._idle_since = self.loop.time()
        super().on_response_complete()
        if self._in_body and not self.transport.is_closing():
            self._await(LINGER_SECONDS, b"")

    def pause_writing(self) -> None:
        """The client does not read; it has until the timer ends."""
        super().pause_writing()
        self._write_patience = self.loop.call_later(
            self.write_timeout_seconds, self.transport.abort
        )

    def resume_writing(self) -> None:
        """The client reads again."""
        if self._write_patience is not None:
            self._write_patience.cancel()
            self._write_patience = None
        super().resume_writing()

    def shutdown(self) -> None:
        """Close when idle; a request that has begun, or is about to, is still answered."""
        self._stopping = True
        if self.cycle is None and not self._in_headers:
            self._await(STOPPING_SECONDS, b"")
        elif not self._in_headers:
            super().shutdown()

    def _await(self, seconds: float, farewell: bytes) -> None:
        self._at_ease()
        self._patience = self.loop.call_later(seconds, self._refuse, farewell)

    def _at_ease(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _refuse(self, farewell: bytes) -> None:
        """Say it and close; what the client still sends is let go by, lest it reset the answer."""
        self._at_ease()
        if self.transport.is_closing():
            return
        if farewell is HEADERS_LATE and self._is_busy():
            self._await(self.header_timeout_seconds, farewell)
            return
        if not farewell or self._refused or self._is_busy():
            self.transport.close()
            return
        self._refused = True
        self.transport.write(farewell)
        self.transport.write_eof()
        self._await(FAREWELL_SECONDS, b"")

    def _is_busy(self) -> bool:
        """An earlier request of this connection is still being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _make_room(self) -> bool:
        idle = [
            other
            for other in cast("set[BoundedConnection]", self.connections)
            if other.cycle is not None
            and other.cycle.response_complete
            and not other._in_headers
            and not other.transport.is_closing()
        ]
        if not idle:
            return False
        min(idle, key=lambda other: other._idle_since).transport.close()
        return True
