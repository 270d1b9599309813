"""How a stream lies in Redis: its length and hash in front, so that one read gives all three.

bytes 0..3    length of the whole stream, big-endian
bytes 4..35   SHA-256 of the whole stream
bytes 36..    the stream
"""

from __future__ import annotations

import hashlib
import struct

from service.cache.store import Prefix

_HEAD = struct.Struct(">I32s")
HEAD_BYTES = _HEAD.size


class CorruptValueError(ValueError):
    """A value is there, and it is not what was put."""


def pack(stream: bytes) -> bytes:
    """The value of a stream of less than 4 GiB."""
    return _HEAD.pack(len(stream), hashlib.sha256(stream).digest()) + stream


def unpack(value: bytes, n: int | None) -> Prefix | None:
    """Read what asking for ``HEAD_BYTES + n`` bytes of a value (None: all) answered.

    An empty answer is how Redis says that there is no such key: None. Raises CorruptValueError
    when the length is not the promised one or, where the whole stream is there, the hash is not.
    """
    if not value:
        return None
    if len(value) < HEAD_BYTES:
        raise CorruptValueError(f"a value of {len(value)} bytes has no head of {HEAD_BYTES}")
    total_bytes, digest = _HEAD.unpack_from(value)
    data = value[HEAD_BYTES:]
    expected_bytes = total_bytes if n is None else min(n, total_bytes)
    if len(data) != expected_bytes:
        raise CorruptValueError(f"{len(data)} bytes of a stream where {expected_bytes} should be")
    if expected_bytes == total_bytes and hashlib.sha256(data).digest() != digest:
        raise CorruptValueError("the stream's hash is not the one in its head")
    return Prefix(data, total_bytes, digest)
