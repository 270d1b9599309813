"""How many bodies may be in work at once, and how many bytes they may hold together."""

from __future__ import annotations

import asyncio

from service.errors import QueueFullError


class Intake:
    """Counts the bodies that are being received or worked on, and the bytes they hold."""

    def __init__(self, uploads_limit: int, memory_bytes: int) -> None:
        self._uploads_limit = uploads_limit
        self._memory_bytes = memory_bytes
        self.uploads = 0
        self.held_bytes = 0
        self.parsing = asyncio.Semaphore(1)
        """One chunk of a form is parsed in a turn of the loop, however many are here."""

    def enter(self) -> None:
        """Take a place. Raises QueueFullError when all are taken, or the memory is."""
        if self.uploads >= self._uploads_limit:
            raise QueueFullError(f"{self.uploads} uploads are being worked on already")
        if self.held_bytes >= self._memory_bytes:
            raise QueueFullError(f"uploads in work hold {self.held_bytes} bytes already")
        self.uploads += 1

    def hold(self, count: int) -> None:
        """Count ``count`` more bytes. Raises QueueFullError when that is more than may be held."""
        if self.held_bytes + count > self._memory_bytes:
            raise QueueFullError(f"uploads in work hold {self.held_bytes} bytes already")
        self.held_bytes += count

    def leave(self, held_bytes: int) -> None:
        """Give the place and its bytes back."""
        self.uploads -= 1
        self.held_bytes -= held_bytes
