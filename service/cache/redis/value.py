"""How a stream lies in Redis: its length and hash in front, so that one read gives all three.

bytes 0..3    length of the whole stream, big-endian
bytes 4..35   SHA-256 of the whole stream
bytes 36..    the stream
"""

from __future__ import annotations

import hashlib
import struct

from service.cache.store import Part

_HEAD = struct.Struct(">I32s")
HEAD_BYTES = _HEAD.size


class CorruptValueError(ValueError):
    """A value is there, and it is not what was put."""


def pack(stream: bytes) -> bytes:
    """The value of a stream of less than 4 GiB."""
    return _HEAD.pack(len(stream), hashlib.sha256(stream).digest()) + stream


def unpack(head: bytes, data: bytes, start: int, stop: int | None) -> Part | None:
    """Read the first ``HEAD_BYTES`` of a value, and what came of bytes ``start`` to ``stop``
    (None: to the end) of its stream.

    An empty answer is how Redis says that there is no such key: None. Raises CorruptValueError
    when the length is not the promised one or, where the whole stream is there, the hash is not.
    """
    if not head:
        return None
    if len(head) < HEAD_BYTES:
        raise CorruptValueError(f"a value of {len(head)} bytes has no head of {HEAD_BYTES}")
    total_bytes, digest = _HEAD.unpack(head)
    expected_bytes = len(range(total_bytes)[start:stop])
    if len(data) != expected_bytes:
        raise CorruptValueError(f"{len(data)} bytes of a stream where {expected_bytes} should be")
    if expected_bytes == total_bytes and hashlib.sha256(data).digest() != digest:
        raise CorruptValueError("the stream's hash is not the one in its head")
    return Part(data, total_bytes, digest)
