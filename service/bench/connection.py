"""A client that is not the bottleneck: HTTP/1.1 on a bare asyncio transport, parsed in C.

It does what a load generator needs and nothing else: one request at a time on a connection that
is kept, the answer's status, length and (where asked for) headers and body. What it costs is
in the table of every bench (column 'client').
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import TracebackType
from typing import cast
from urllib.parse import urlsplit

import httptools


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a service listens, and what stands before its paths."""

    host: str
    port: int
    root: str = ""

    @classmethod
    def of(cls, url: str) -> Endpoint:
        """Of ``http://host[:port][/root]``. Raises ValueError for anything else."""
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"a URL is http://host[:port][/root], not {url!r}")
        return cls(parts.hostname, parts.port or 80, parts.path.rstrip("/"))

    def request(
        self, method: str, path: str, body: bytes = b"", headers: tuple[str, ...] = ()
    ) -> bytes:
        """A whole request, ready to be written; ``headers`` are lines."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = [f"{method} {self.root}{path} HTTP/1.1", f"Host: {host}:{self.port}", *headers]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass(slots=True)
class Answer:
    """One answer: status and length in bytes; headers (lower case) and body only if kept."""

    status: int = 0
    length: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class _Reader:
    """Callbacks of the parser."""

    def __init__(self) -> None:
        self.answer = Answer()
        self.keep_alive = True
        self.done: asyncio.Future[Answer] | None = None
        self.parser = httptools.HttpResponseParser(self)

    def on_body(self, data: bytes) -> None:
        self.answer.length += len(data)

    def on_message_complete(self) -> None:
        self.answer.status = self.parser.get_status_code()
        self.keep_alive = self.parser.should_keep_alive()  # true only while the message is read
        if self.done is not None and not self.done.done():
            self.done.set_result(self.answer)


class _KeepingReader(_Reader):
    def on_header(self, name: bytes, value: bytes) -> None:
        self.answer.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, data: bytes) -> None:
        super().on_body(data)
        self.answer.body += data


class Connection(asyncio.Protocol):
    """One connection, opened when it is first used and again after it was closed.

    ``keep`` says whether answers keep their headers and bodies. An async context manager.
    """

    def __init__(self, endpoint: Endpoint, *, keep: bool = False) -> None:
        self._endpoint = endpoint
        self._make_reader: type[_Reader] = _KeepingReader if keep else _Reader
        self._transport: asyncio.Transport | None = None
        self._reader = self._make_reader()

    async def ask(self, request: bytes) -> Answer:
        """Send a request, wait for its answer. Raises OSError when the connection breaks."""
        if self._transport is None or self._transport.is_closing():
            await self._open()
        loop = asyncio.get_running_loop()
        reader = self._reader
        reader.answer = Answer()
        reader.done = loop.create_future()
        cast("asyncio.Transport", self._transport).write(request)
        try:
            answer = await reader.done
        except asyncio.CancelledError:
            self.close()
            raise
        if not reader.keep_alive:
            self.close()
        return answer

    def close(self) -> None:
        """Close it, whatever is under way."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    async def _open(self) -> None:
        self._reader = self._make_reader()
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_connection(
            lambda: self, self._endpoint.host, self._endpoint.port
        )

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        try:
            self._reader.parser.feed_data(data)
        except httptools.HttpParserError as wrong:
            self._break(ConnectionError(f"the answer does not parse: {wrong}"))
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        self._break(ConnectionError(str(exc) if exc else "closed before the answer was whole"))

    def _break(self, error: ConnectionError) -> None:
        done = self._reader.done
        if done is not None and not done.done():
            done.set_exception(error)

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
