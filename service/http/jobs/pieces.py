"""A stream's body: whole where it is short, else in pieces that are read as they go out."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from service.cache import Part
from service.errors import CacheUnavailableError, StreamGoneError
from service.http.jobs.stored import drop_damaged
from service.http.protocol.reply import Body, Pieces
from service.http.protocol.representation import DIGESTED_BYTES

if TYPE_CHECKING:
    from service.cache import Key
    from service.http.jobs.selection import Selected
    from service.serving.services import Services

AT_ONCE_BYTES = DIGESTED_BYTES
"""Bodies that are known to be no longer are read whole before the answer begins."""
RETRY_SECONDS = (0.1, 0.5, 2.0)
"""An answer that has begun can only be cut, so it waits for a cache that cannot answer now."""
PIECE_BYTES = 16 * 1024
"""With all else that it takes to send one, a client that does not read holds less than 64 KiB."""


def first_bytes(count: int | None) -> int:
    """How many of ``count`` bytes (None: nobody knows) are read before the answer begins."""
    return count if count is not None and count <= AT_ONCE_BYTES else PIECE_BYTES


def body_of(services: Services, selected: Selected, start: int, end: int) -> Body:
    """Bytes ``start`` to ``end`` of a stream, of which ``selected`` holds those up to a point."""
    key, part = selected.key, selected.part
    data = part.data
    if len(data) == end - start:
        return data
    whole = Part(b"", part.total_bytes, part.digest, part.head)
    # Taken from here when it goes out, so that a client that does not read holds no more of it.
    first = [data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)]
    return Pieces(end - start, lambda: _pieces(services, key, whole, first, start, end))


async def _pieces(
    services: Services, key: Key, whole: Part, first: list[bytes], start: int, end: int
) -> AsyncGenerator[bytes]:
    """Raises StreamGoneError where another stream has come into its place, or its hash is wrong;
    CacheUnavailableError.

    The last piece of a whole stream is held back until the hash is known to be right, so that no
    client takes a damaged stream for a whole one.
    """
    hashed = hashlib.sha256() if end - start == whole.total_bytes else None
    at = start
    while at < end:
        if first:
            data = first.pop(0)
        else:
            more = await _read(services, key, at, min(at + PIECE_BYTES, end))
            if more is None or more.digest != whole.digest:
                raise StreamGoneError("the stream left the cache while it was sent")
            data = more.data
        at += len(data)
        if hashed is not None:
            hashed.update(data)
            if at == end and hashed.digest() != whole.digest:
                with contextlib.suppress(CacheUnavailableError):
                    await drop_damaged(services.store, key, whole.digest)
                raise StreamGoneError("the stream in the cache is damaged")
        yield data


async def _read(services: Services, key: Key, start: int, stop: int) -> Part | None:
    began = time.perf_counter()
    try:
        for seconds in RETRY_SECONDS:
            try:
                return await services.store.read(key, start, stop)
            except CacheUnavailableError:
                await asyncio.sleep(seconds)
        return await services.store.read(key, start, stop)
    finally:
        services.metrics.span("cache", time.perf_counter() - began)
