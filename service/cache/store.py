"""What every store can do, and the values that cross its border."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from service.errors import CacheUnavailableError

Event = Literal["hit", "miss", "error", "corrupt", "breaker_open", "breaker_closed"]
"""What a store tells its metrics: one ``hit`` or ``miss`` for each key that was read, ``error`` for
each call that ended in CacheUnavailableError, ``corrupt`` (before its ``miss``) for each value that
was there but not whole, and for each that a reader reported."""

OnEvent = Callable[[Event], None]


def ignore(_event: Event) -> None:
    """Listener for stores that nobody measures."""


@dataclass(frozen=True, slots=True)
class Key:
    """One codec's stream of one image; ``codec`` is empty for the image's own document."""

    image_id: str
    codec: str


STREAM_HEAD_BYTES = 2


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of a stream, and what the whole of it is.

    ``total_bytes`` is the length and ``digest`` the SHA-256 (32 bytes) of the whole stream. Where
    ``data`` is all of it, the store has held it against ``digest``. ``head`` are the first
    ``STREAM_HEAD_BYTES`` of the stream, wherever ``data`` begins: they say which codec reads it.
    """

    data: bytes
    total_bytes: int
    digest: bytes
    head: bytes

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

    async def put(self, key: Key, stream: bytes, meta: bytes) -> bool:
        """Keep ``stream`` and what is known of it under ``key``, unless a stream is kept there.

        Whether it is kept now. What lies there and is not whole, as far as can be told without
        reading all of it, is replaced.
        """
        ...

    async def note(self, key: Key, meta: bytes) -> None:
        """Keep ``meta`` under ``key`` instead of what was known there; its stream stays as it is.

        So an image's own document is kept, which has no stream.
        """
        ...

    async def drop(self, key: Key, digest: bytes) -> None:
        """Drop the stream of that hash, and no other that has come into its place."""
        ...

    def report(self, cause: str) -> None:
        """Tell of something kept that its reader found damaged: it is counted, and logged."""
        ...

    async def read(self, key: Key, start: int = 0, stop: int | None = None) -> Part | None:
        """Bytes ``start`` to ``stop`` (None: to the end), as slicing does; only they are fetched.

        None when nothing is kept there. ``0 <= start <= stop``.
        """
        ...

    async def meta(self, key: Key) -> bytes | None:
        """What was put beside the stream, or noted, or None when nothing is kept there."""
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
