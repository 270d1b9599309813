"""An answer's head and the first bytes of its body in one write: each is a system call."""

from __future__ import annotations

import asyncio

CONTINUE = b"HTTP/1.1 100 "


class AnswerTransport:
    """What uvicorn writes one answer to, one that has a body: it writes the head on its own."""

    __slots__ = ("_has_begun", "_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self._has_begun = False

    def write(self, data: bytes) -> None:
        """Keep the head until what follows it is here; a body of no bytes follows too."""
        if self._head:
            data, self._head = self._head + data, b""
        elif not self._has_begun and not data.startswith(CONTINUE):
            self._head, self._has_begun = data, True
            return
        self._transport.write(data)

    def close(self) -> None:
        """After what was kept."""
        if self._head:
            self.write(b"")
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether the connection is."""
        return self._transport.is_closing()
