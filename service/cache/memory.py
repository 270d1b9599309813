"""The embedded store: least recently used images leave first, and every byte is counted."""

from __future__ import annotations

import hashlib
import sys
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from service.cache.failures import OnFailure, ignore_failure
from service.cache.store import STREAM_HEAD_BYTES, Found, Key, OnEvent, Part, ignore
from service.errors import CacheUnavailableError

# What CPython takes beside the strings and bytes themselves, measured with tracemalloc (a test
# holds the sum against it): an image is a slot of the ordered dict, an object and a dict of codecs;
# an entry is an object, and the allocator's rounding to 16 bytes.
_IMAGE_BYTES = 340
_ENTRY_BYTES = 72


@dataclass(slots=True, frozen=True)
class _Entry:
    stream: bytes
    meta: bytes
    digest: bytes

    @property
    def cost_bytes(self) -> int:
        return _ENTRY_BYTES + sum(map(sys.getsizeof, (self.stream, self.meta, self.digest)))


_NOTHING = _Entry(b"", b"", b"")
"""No stream, which has no hash."""


@dataclass(slots=True)
class _Image:
    cost_bytes: int
    entries: dict[str, _Entry] = field(default_factory=dict)


class MemoryStore:
    """At most ``limit_bytes`` in this process; belongs to one event loop.

    An image's document and streams age and leave together, so that no document names a stream
    that was pushed out by another.
    """

    name = "memory"

    def __init__(
        self,
        limit_bytes: int,
        on_event: OnEvent = ignore,
        on_failure: OnFailure = ignore_failure,
    ) -> None:
        self._limit_bytes = limit_bytes
        self._on_event = on_event
        self._on_failure = on_failure
        self._images: OrderedDict[str, _Image] = OrderedDict()
        self._bytes = 0

    @property
    def cost_bytes(self) -> int:
        """What all that is kept takes, in bytes, overhead counted."""
        return self._bytes

    async def put(self, key: Key, stream: bytes, meta: bytes) -> bool:
        """Keep it unless one is there, pushing out what was not used for longest.

        Raises CacheUnavailableError when the image alone is over the limit; what was known of it
        stays as it was.
        """
        image = self._images.get(key.image_id)
        if image is not None and image.entries.get(key.codec, _NOTHING).digest:
            return False
        self._keep(key, _Entry(bytes(stream), bytes(meta), hashlib.sha256(stream).digest()))
        return True

    async def note(self, key: Key, meta: bytes) -> None:
        """Keep it beside the stream that is there. Raises CacheUnavailableError as ``put`` does."""
        image = self._images.get(key.image_id)
        kept = _NOTHING if image is None else image.entries.get(key.codec, _NOTHING)
        self._keep(key, replace(kept, meta=bytes(meta)))

    async def drop(self, key: Key, digest: bytes) -> None:
        """Drop the stream of that hash."""
        image = self._images.get(key.image_id)
        entry = None if image is None else image.entries.get(key.codec)
        if image is None or entry is None or entry.digest != digest:
            return
        del image.entries[key.codec]
        image.cost_bytes -= entry.cost_bytes
        self._bytes -= entry.cost_bytes

    def report(self, cause: str) -> None:
        """Count what was found damaged, and tell why."""
        self._on_event("corrupt")
        self._on_failure("corrupt", cause)

    def _keep(self, key: Key, entry: _Entry) -> None:
        image = self._images.get(key.image_id)
        kept_bytes = (
            _IMAGE_BYTES + sys.getsizeof(key.image_id) if image is None else image.cost_bytes
        )
        old = None if image is None else image.entries.get(key.codec)
        cost_bytes = kept_bytes + entry.cost_bytes - (0 if old is None else old.cost_bytes)
        if cost_bytes > self._limit_bytes:
            self._on_event("error")
            raise CacheUnavailableError(
                f"{cost_bytes} bytes do not fit into a cache of {self._limit_bytes}"
            )
        if image is None:
            image = self._images[key.image_id] = _Image(0)
        self._bytes += cost_bytes - image.cost_bytes
        image.cost_bytes = cost_bytes
        image.entries[key.codec] = entry
        self._images.move_to_end(key.image_id)
        while self._bytes > self._limit_bytes:
            self._bytes -= self._images.popitem(last=False)[1].cost_bytes

    async def read(self, key: Key, start: int = 0, stop: int | None = None) -> Part | None:
        """Bytes ``start`` to ``stop`` (None: to the end), or None when nothing is kept there."""
        return _cut(self._find(key, is_stream=True), start, stop)

    async def meta(self, key: Key) -> bytes | None:
        """What was put beside the stream, or None when nothing is kept there."""
        entry = self._find(key)
        return None if entry is None else entry.meta

    async def many(self, keys: Sequence[Key], n: int) -> list[Found]:
        """The first ``n`` bytes of each, in the order of ``keys``."""
        return [_cut(self._find(key, is_stream=True), 0, n) for key in keys]

    async def delete(self, image_id: str) -> bool:
        """Drop the image's document and all its streams; whether anything was there."""
        image = self._images.pop(image_id, None)
        if image is None:
            return False
        self._bytes -= image.cost_bytes
        return True

    async def health(self) -> bool:
        """Always well."""
        return True

    async def close(self) -> None:
        """Forget everything."""
        self._images.clear()
        self._bytes = 0

    def _find(self, key: Key, *, is_stream: bool = False) -> _Entry | None:
        image = self._images.get(key.image_id)
        entry = None if image is None else image.entries.get(key.codec)
        if entry is None or (is_stream and not entry.digest):
            self._on_event("miss")
            return None
        self._images.move_to_end(key.image_id)
        self._on_event("hit")
        return entry


def _cut(entry: _Entry | None, start: int, stop: int | None) -> Part | None:
    if entry is None:
        return None
    head = entry.stream[:STREAM_HEAD_BYTES]
    return Part(entry.stream[start:stop], len(entry.stream), entry.digest, head)
