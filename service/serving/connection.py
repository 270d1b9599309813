"""One connection, with every wait on it bounded; uvicorn itself bounds only the idle keep-alive.

headers      ``header_timeout_seconds`` from the first byte (or the connection) on, 64 KiB
body         in ``body.py``; what comes after an early answer is let go by for 5 s
answer       ``write_timeout_seconds`` for a client that stops reading; what it does not take is
             held up to ``UNTAKEN_BYTES`` and one more piece
pipeline     ``PIPELINE`` requests wait, or what one ``SLICE_BYTES`` holds; then nothing is read
follow-ups   start ``TURN_FOLLOW_UPS`` a turn of the loop, all connections together
bodies       are read on ``TURN_BODIES`` a turn, wanted or let go by, all connections together
a turn       what is dear to parse goes ``TURN_SLICES`` at a time, so that others have their turn
number       ``crowd.py``: of all together, and of one client
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT, FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.serving.answer import AnswerTransport
from service.serving.crowd import FAREWELLS
from service.serving.turns import TURN_BODIES, TURN_FOLLOW_UPS, Turns

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application
    from uvicorn.config import Config
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
    from uvicorn.server import ServerState

    from service.serving.crowd import Crowd, Refusal
    from service.settings import Settings

Step = Callable[[], None]
REQUEST_HEADERS_LIMIT = 64 * 1024
LINGER_SECONDS = 5.0
FAREWELL_SECONDS = 1.0
STOPPING_SECONDS = 1.0
PIPELINE = 4
SLICE_BYTES = 256
UNTAKEN_BYTES = 4 * 1024
TURN_SLICES = 16
TURN_LINES = 256
LINE_END, HEAD_END = b"\r\n", b"\r\n\r\n"
"""Each head, header and chunk has one of its own; the parser takes no other line ends."""


def _refusal(status: str, retry: str = "") -> bytes:
    return (
        f"HTTP/1.1 {status}\r\n{retry}cache-control: no-store\r\n"
        "content-length: 0\r\nconnection: close\r\n\r\n"
    ).encode()


HEADERS_LATE = _refusal("408 Request Timeout")
HEADERS_LONG = _refusal("431 Request Header Fields Too Large")
REFUSALS: dict[Refusal, bytes] = {
    "connections": _refusal("503 Service Unavailable", "retry-after: 1\r\n"),
    "client-share": _refusal("429 Too Many Requests", "retry-after: 1\r\n"),
}


def bounded(settings: Settings, everyone: Crowd) -> type[asyncio.Protocol]:
    """The protocol class for uvicorn's ``http`` setting, with these settings' bounds."""

    class Connection(BoundedConnection):
        header_timeout_seconds = settings.header_timeout_seconds
        write_timeout_seconds = settings.write_timeout_seconds
        crowd = everyone
        follow_ups = Turns(TURN_FOLLOW_UPS)
        bodies = Turns(TURN_BODIES)

    return Connection


class _Flow(FlowControl):
    """Reads on when it is its turn.

    And nothing while it is held, though a request asks for its body, or is answered.
    """

    def __init__(self, transport: asyncio.Transport, take_turn: Callable[[Step], None]) -> None:
        super().__init__(transport)
        self.is_held = False
        self._take_turn = take_turn
        self._waits = False

    def pause_reading(self) -> None:
        self._waits = False
        super().pause_reading()

    def resume_reading(self) -> None:
        if self.read_paused and not self.is_held and not self._waits:
            self._waits = True
            self._take_turn(self._resume)

    def _resume(self) -> None:
        if self._waits and not self.is_held and not self._transport.is_closing():
            super().resume_reading()
        self._waits = False


class BoundedConnection(HttpToolsProtocol):
    """Timers run only while something is late: a request that comes whole starts none."""

    header_timeout_seconds: float
    write_timeout_seconds: float
    crowd: Crowd
    follow_ups: Turns
    bodies: Turns
    flow: _Flow

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
        self._refused = self._lingers = False
        self._unread = b""
        self._read_on_soon: asyncio.Handle | None = None
        self._body_bytes = self._fed_body_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, if there is room; its first headers are awaited from now on."""
        super().connection_made(transport)
        self.flow = _Flow(transport, partial(self.bodies.add, self.loop))
        transport.set_write_buffer_limits(UNTAKEN_BYTES)
        refusal = self.crowd.enter(self, self._host)
        if refusal is None:
            self._await(self.header_timeout_seconds, HEADERS_LATE)
        elif self.crowd.farewells < FAREWELLS:
            self.crowd.farewells += 1
            self._lingers = True
            self._refuse(REFUSALS[refusal])
        else:
            self.transport.write(REFUSALS[refusal])
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let the timers go with it."""
        self._at_ease()
        self.crowd.leave(self, self._host)
        self.crowd.farewells -= self._lingers
        if self._write_patience is not None:
            self._write_patience.cancel()
        self._unread = b""
        if self._read_on_soon is not None:
            self._read_on_soon.cancel()
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Feed the parser; begin to wait only if that left headers half read."""
        if self._refused:
            return
        if self.flow.is_held:
            self._unread += data  # the transport had read it already
        elif len(data) > SLICE_BYTES and self._is_dear(data):
            self._unread = data
            self._read_on()
        else:
            self._feed(data)
        if self._in_body and not self._in_headers and self.cycle.response_complete:
            # Nobody wants this body, so nobody holds it back: the transport reads 8 MB in a turn.
            self.flow.pause_reading()
            self._resume()

    def _read_on(self) -> None:
        """Feed what was kept back, a slice at a time, while the pipeline takes more.

        The parser cannot be stopped within what it is given, and a request costs 2 kB once it is
        parsed, but a hundredth of that as bytes.
        """
        if self._read_on_soon is not None:
            self._read_on_soon.cancel()
            self._read_on_soon = None
        kept, begin = self._unread, 0
        for _ in range(TURN_SLICES):
            if begin >= len(kept) or self._is_crowded() or self.transport.is_closing():
                break
            end = begin + max(SLICE_BYTES, self._body_left())
            self._feed(kept[begin:end])
            begin = end
        self._unread = b"" if self.transport.is_closing() else kept[begin:]
        was_held, self.flow.is_held = self.flow.is_held, bool(self._unread) or self._is_crowded()
        if self._unread and not self._is_crowded():
            self._read_on_soon = self.loop.call_soon(self._read_on)
        if self.flow.is_held:
            self.flow.pause_reading()
        elif was_held:
            self._resume()

    def _resume(self) -> None:
        if not self.transport.is_closing() and len(self.cycle.body) <= HIGH_WATER_LIMIT:
            self.flow.resume_reading()

    def _is_crowded(self) -> bool:
        return len(self.pipeline) >= PIPELINE

    def _is_dear(self, data: bytes) -> bool:
        """Whether the parser may call us back for this more often than a turn should hold."""
        if self._body_left() >= len(data):
            return False
        return data.count(HEAD_END) > PIPELINE or data.count(LINE_END) > TURN_LINES

    def _body_left(self) -> int:
        """Bytes of a body that are yet to come, where its length is known: no request in them."""
        if self._in_headers or not self._in_body:
            return 0
        length = dict(self.cycle.scope["headers"]).get(b"content-length", b"0")
        return int(length) - self._body_bytes

    def _feed(self, data: bytes) -> None:
        self._fed_body_bytes = 0
        super().data_received(data)
        if self._in_headers and not self.transport.is_closing():
            # the end of a body may come with it, which is no header of the next request
            self._header_bytes += len(data) - self._fed_body_bytes
            if self._header_bytes > REQUEST_HEADERS_LIMIT:
                self._refuse(HEADERS_LONG)
            elif self._patience is None:
                self._await(self.header_timeout_seconds, HEADERS_LATE)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_headers = self._in_body = True
        self._header_bytes = self._body_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its headers are here."""
        self._in_headers = False
        self._at_ease()
        super().on_headers_complete()
        if self._is_crowded():
            self.flow.is_held = True
        if self._stopping:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A part of its body is here."""
        self._body_bytes += len(body)
        self._fed_body_bytes += len(body)
        super().on_body(body)

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
        if self.pipeline and not self.transport.is_closing():
            pipeline, self.pipeline = self.pipeline, deque()  # it would start the next at once
            super().on_response_complete()
            self.pipeline = pipeline
            self._unset_keepalive_if_required()
            self.follow_ups.add(self.loop, self.start_next)
        else:
            super().on_response_complete()
            if self.flow.is_held:
                self._read_on()
        if self._in_body and not self.transport.is_closing():
            self._await(LINGER_SECONDS, b"")

    def start_next(self) -> None:
        """Start the next pipelined request, if the client is still there."""
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        if self.flow.is_held:
            self._read_on()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if cycle.scope["method"] != "HEAD":  # whose answer is a head
            cycle.transport = AnswerTransport(cycle.transport)  # type: ignore[assignment]
        super()._start_asgi_task(cycle, app)

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

    @property
    def _host(self) -> str | None:
        return self.client[0] if self.client else None

    @property
    def idle_since(self) -> float | None:
        """In the loop's time; None before its first request and while one is here."""
        is_idle = self.cycle is not None and self.cycle.response_complete and not self._in_headers
        return self._idle_since if is_idle and not self.transport.is_closing() else None

    def make_room(self) -> None:
        """Close it, though the client could go on."""
        self.transport.close()
