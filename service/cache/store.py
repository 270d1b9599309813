"""What every store can do, and the values that cross its border."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from service.errors import CacheUnavailableError

Event = Literal["hit", "miss", "error", "corrupt", "breaker_open", "breaker_closed"]
"""What a store tells its metrics: one ``hit`` or ``miss`` for each key that was read, ``error`` for
each call that ended in CacheUnavailableError, ``corrupt`` (before its ``miss``) for each value that
was there but not whole."""

OnEvent = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """Listener for stores that nobody measures."""


@dataclass(frozen=True, slots=True)
class Key:
    """One codec's stream of one image; ``codec`` is empty for the image's own document."""

    image_id: str
    codec: str


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of a stream, and what the whole of it is.

    ``total_bytes`` is the length and ``digest`` the SHA-256 (32 bytes) of the whole stream. Where
    ``data`` is all of it, the store has held it against ``digest``.
    """

    data: bytes
    total_bytes: int
    digest: bytes

    @property
    def v(self) -> str:
        """The stream's name in ``?v=``: the first 8 hex digits of its hash."""
        return self.digest[:4].hex()


Found = Part | CacheUnavailableError | None
"""What became of one key of several: CacheUnavailableError where it alone cannot be answered."""


class Store(Protocol):
    """Keeps streams for a while. Every method but ``health`` and ``close`` may raise
    CacheUnavailableError, and nothing else, when the backend cannot answer.
    """

    name: str

    async def put(self, key: Key, stream: bytes, meta: bytes) -> None:
        """Keep ``stream`` and what is known of it under ``key``, instead of what was there."""
        ...

    async def read(self, key: Key, start: int = 0, stop: int | None = None) -> Part | None:
        """Bytes ``start`` to ``stop`` (None: to the end), as slicing does; only they are fetched.

        None when nothing is kept there. ``0 <= start <= stop``.
        """
        ...

    async def meta(self, key: Key) -> bytes | None:
        """What was put beside the stream, or None when nothing is kept there."""
        ...

    async def many(self, keys: Sequence[Key], n: int) -> list[Found]:
        """The first ``n`` bytes of each, in the order of ``keys``; each fails alone."""
        ...

    async def delete(self, image_id: str) -> bool:
        """Drop the image's document and all its streams; whether anything was there."""
        ...

    async def health(self) -> bool:
        """Whether the backend answers now."""
        ...

    async def close(self) -> None:
        """Let go of connections, threads and files."""
        ...
