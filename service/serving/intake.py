"""Bodies in work: how many at once, how many bytes they hold together, and one client's share.

Uploads have an intake, and the routes that ask for no token have another, so that nobody without a
token keeps those out who hold one.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter

from service.errors import ClientShareError, QueueFullError


class Intake:
    """Counts the bodies that are being received or worked on, and the bytes they hold."""

    def __init__(self, bodies_limit: int, memory_bytes: int, client_share: float = 1.0) -> None:
        """``client_share`` is the part of ``bodies_limit`` that one client may take."""
        self._bodies_limit = bodies_limit
        self._memory_bytes = memory_bytes
        self._client_limit = math.ceil(bodies_limit * client_share)
        self._by_client: Counter[str] = Counter()
        self.bodies = 0
        self.held_bytes = 0
        self.parsing = asyncio.Semaphore(1)
        """One chunk of a form is parsed in a turn of the loop, however many are here."""

    def enter(self, client: str | None = None) -> Place:
        """Take a place, for a client that is known or for somebody.

        Raises QueueFullError when all are taken, or the memory is, ClientShareError when this
        client has its share.
        """
        if self.bodies >= self._bodies_limit:
            raise QueueFullError(f"{self.bodies} bodies are being worked on already")
        if self.held_bytes >= self._memory_bytes:
            raise QueueFullError(f"bodies in work hold {self.held_bytes} bytes already")
        if client is not None:
            if self._by_client[client] >= self._client_limit:
                raise ClientShareError(
                    f"one client may have {self._client_limit} bodies in work; wait for an answer"
                )
            self._by_client[client] += 1
        self.bodies += 1
        return Place(self, client)

    def hold(self, count: int) -> None:
        """Count ``count`` more bytes. Raises QueueFullError when that is more than may be held."""
        if self.held_bytes + count > self._memory_bytes:
            raise QueueFullError(f"bodies in work hold {self.held_bytes} bytes already")
        self.held_bytes += count

    def leave(self, client: str | None, held_bytes: int) -> None:
        """Give a place and its bytes back."""
        self.bodies -= 1
        self.held_bytes -= held_bytes
        if client is not None:
            self._by_client[client] -= 1
            if not self._by_client[client]:
                del self._by_client[client]


class Place:
    """One body's, until ``leave``."""

    def __init__(self, intake: Intake, client: str | None) -> None:
        self.intake = intake
        self._client = client
        self._held_bytes = 0

    def hold(self, count: int) -> None:
        """Count ``count`` more bytes of this body. Raises QueueFullError."""
        self.intake.hold(count)
        self._held_bytes += count

    def leave(self) -> None:
        """Give it back, with the bytes that it held."""
        self.intake.leave(self._client, self._held_bytes)
