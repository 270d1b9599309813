"""A stream's body: whole where it is short, else in pieces that are read as they go out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from service.errors import StreamGoneError
from service.http.protocol.reply import Body, Pieces
from service.http.protocol.representation import DIGESTED_BYTES

if TYPE_CHECKING:
    from service.http.jobs.selection import Selected
    from service.serving.services import Services

AT_ONCE_BYTES = DIGESTED_BYTES
"""What is read before an answer begins; longer bodies come in pieces."""
PIECE_BYTES = 48 * 1024
"""With what the connection still holds when the next is read, at most 64 KiB."""


def body_of(services: Services, selected: Selected, start: int, end: int) -> Body:
    """Bytes ``start`` to ``end`` of a stream, of which ``selected`` holds those up to a point."""
    data = selected.part.data
    if len(data) == end - start:
        return data
    return Pieces(end - start, lambda: _pieces(services, selected, start, end))


async def _pieces(
    services: Services, selected: Selected, start: int, end: int
) -> AsyncGenerator[bytes]:
    """Raises StreamGoneError where another stream has come into its place, or its hash is wrong.

    The last piece of a whole stream is held back until the hash is known to be right, so that no
    client takes a damaged stream for a whole one.
    """
    part = selected.part
    hashed = hashlib.sha256(part.data) if end - start == part.total_bytes else None
    at = start + len(part.data)
    yield part.data
    while at < end:
        began = time.perf_counter()
        more = await services.store.read(selected.key, at, min(at + PIECE_BYTES, end))
        services.metrics.span("cache", time.perf_counter() - began)
        if more is None or more.digest != part.digest:
            raise StreamGoneError("the stream left the cache while it was sent")
        at += len(more.data)
        if hashed is not None:
            hashed.update(more.data)
            if at == end and hashed.digest() != part.digest:
                raise StreamGoneError("the stream in the cache is damaged")
        yield more.data
