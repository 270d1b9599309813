"""uvicorn with a SIGTERM of our own: finish what was begun, and lose nothing on the way.

first SIGTERM   /readyz is 503; for ``drain_grace_seconds`` requests are still taken, each
                answer closing its connection, so that balancers and clients move on
then            no new connection is begun, those that wait are taken, listening ends; work in
                flight has ``drain_seconds``
first SIGINT    the same without the grace
second signal   the process exits at once; within ``ONE_SIGNAL_SECONDS`` it is the first one still,
                which a process manager sends to every process, and the supervisor sends on
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import math
import os
import signal
import socket
import struct
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from service.http.request.addresses import Clients
from service.serving.connection import bounded
from service.serving.crowd import Crowd
from service.serving.services import Lifecycle

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from service.settings import Settings

BACKLOG = 2048
UNSENT_BYTES = 128 * 1024
ONE_SIGNAL_SECONDS = 0.5
HANDSHAKE_SECONDS = 0.1
"""What a connection that has been begun has to be complete, before listening ends."""

SO_ATTACH_FILTER = 26  # Linux; the module socket does not name it
BEGINS_NO_CONNECTION = (
    (0x30, 0, 0, 13),  # A = the flags of the TCP header
    (0x54, 0, 0, 0x12),  # A &= SYN | ACK
    (0x15, 0, 1, 0x02),  # SYN alone?
    (0x06, 0, 0, 0),  # then drop it
    (0x06, 0, 0, 0xFFFFFFFF),  # else take it
)
"""A classic BPF program: operation, jumps, operand."""


class DrainingServer(uvicorn.Server):
    """Serves an application whose lifespan somebody else holds."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        lifecycle: Lifecycle,
        crowd: Crowd | None = None,
        others_listen: Callable[[], bool] = lambda: False,
    ) -> None:
        """``crowd`` counts the connections; without one nobody is told of those refused.

        ``others_listen`` says, when this one stops, whether other processes go on listening on the
        same sockets.
        """
        if crowd is None:
            clients = Clients(settings.trusted_proxies)
            crowd = Crowd(settings.connections_limit, settings.client_share, clients)
        super().__init__(
            uvicorn.Config(
                app,
                http=bounded(settings, crowd),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=math.ceil(settings.keep_alive_seconds),
                timeout_graceful_shutdown=math.ceil(settings.drain_seconds),
            )
        )
        self._grace_seconds = settings.drain_grace_seconds
        self._lifecycle = lifecycle
        self._others_listen = others_listen
        self._told: float | None = None
        self._drain: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT while serving; the exit code stays the caller's affair."""
        loop = asyncio.get_running_loop()

        def on_signal(number: int, _frame: FrameType | None) -> None:
            now = time.monotonic()
            if self._told is not None:
                if now - self._told > ONE_SIGNAL_SECONDS:
                    os._exit(128 + number)
                return
            self._told = now
            grace = self._grace_seconds if number == signal.SIGTERM else 0.0
            loop.call_soon_threadsafe(self.stop, grace)

        numbers = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def stop(self, grace_seconds: float) -> None:
        """Begin to stop: ``serve`` returns when the grace is over and the work is done."""
        if self._drain is None:
            self._drain = asyncio.get_running_loop().create_task(self._stop(grace_seconds))

    async def _stop(self, grace_seconds: float) -> None:
        self._lifecycle.stopping = True
        await asyncio.sleep(grace_seconds)
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; what has been loaded by now stays, and is not looked through for garbage again.

        A full collection walks every object there is, modules and models included. That stops the
        process for 40 to 80 ms, some times a second under load: longer than Redis is waited for.
        """
        gc.collect()
        gc.freeze()
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, but take what the kernel had accepted for us: it would be reset."""
        spares = [one.dup() for one in sockets or []]
        if not self._others_listen():
            # else who connects between the last accept and the close would be reset
            for spare in spares:
                begin_no_more(spare)
            await asyncio.sleep(HANDSHAKE_SECONDS)
        for server in self.servers:
            server.close()
        for spare in spares:
            spare.setblocking(False)
            with spare, contextlib.suppress(BlockingIOError):
                while True:
                    await self._take(spare.accept()[0])
        await super().shutdown(sockets)

    async def _take(self, accepted: socket.socket) -> None:
        def connection() -> asyncio.Protocol:
            return self.config.http_protocol_class(  # type: ignore[call-arg]
                config=self.config,
                server_state=self.server_state,
                app_state=self.lifespan.state,
            )

        await asyncio.get_running_loop().connect_accepted_socket(connection, accepted)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket (port 0: a free one). Raises OSError.

    The kernel may hold megabytes for a client that does not read, and takes answers for sent that
    are not. Past ``UNSENT_BYTES`` it takes no more; what is under way to the client is not bounded.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):
        # Accepted connections have it from their listener.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
    return listener


def begin_no_more(listener: socket.socket) -> None:
    """Let no new connection begin, while those that have begun can still be accepted.

    The kernel has no word for it, so the listener is given a filter that drops what would begin
    one: its client tries again after a second, and is then refused, or is taken by another service
    on the same port. Where there are no such filters, nothing is done.
    """
    program = struct.pack("=" + "HBBI" * len(BEGINS_NO_CONNECTION), *sum(BEGINS_NO_CONNECTION, ()))
    held = ctypes.create_string_buffer(program, len(program))
    filtered = struct.pack("HP", len(BEGINS_NO_CONNECTION), ctypes.addressof(held))
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filtered)
