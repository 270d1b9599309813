"""How an image lies in Redis: each stream in a string of its own, all else packed in one.

A stream's length and hash are in front, so that one read gives all three:

    bytes 0..3    length of the whole stream, big-endian
    bytes 4..35   SHA-256 of the whole stream
    bytes 36..    the stream

What is known of an image and its streams are notes, one after the other:

    length of the name (1), the name of a codec (none: the image's own document),
    length of the note (2, big-endian), the note
"""

from __future__ import annotations

import hashlib
import struct

from service.cache.store import STREAM_HEAD_BYTES, Part

_HEAD = struct.Struct(">I32s")
HEAD_BYTES = _HEAD.size
FRONT_BYTES = HEAD_BYTES + STREAM_HEAD_BYTES
"""What is read of each value, whatever is asked for."""
NOTE_BYTES = 2**16 - 1
"""The longest note."""


class CorruptValueError(ValueError):
    """A value is there, and it is not what was put; ``digest`` is the hash that it claims."""

    def __init__(self, what: str, digest: bytes = b"") -> None:
        super().__init__(what)
        self.digest = digest


def pack(stream: bytes) -> bytes:
    """The value of a stream of less than 4 GiB."""
    return _HEAD.pack(len(stream), hashlib.sha256(stream).digest()) + stream


def unpack(front: bytes, data: bytes, start: int, stop: int | None) -> Part | None:
    """Read the first ``FRONT_BYTES`` of a value, and what came of bytes ``start`` to ``stop``
    (None: to the end) of its stream.

    An empty answer is how Redis says that there is no such key: None. Raises CorruptValueError
    when the length is not the promised one or, where the whole stream is there, the hash is not.
    """
    if not front:
        return None
    if len(front) < HEAD_BYTES:
        raise CorruptValueError(f"a value of {len(front)} bytes has no head of {HEAD_BYTES}")
    total_bytes, digest = _HEAD.unpack_from(front)
    expected_bytes = len(range(total_bytes)[start:stop])
    if len(data) != expected_bytes:
        raise CorruptValueError(f"{len(data)} bytes of a stream where {expected_bytes} should be")
    if expected_bytes == total_bytes and hashlib.sha256(data).digest() != digest:
        raise CorruptValueError("the stream's hash is not the one in its head", digest)
    return Part(data, total_bytes, digest, front[HEAD_BYTES:FRONT_BYTES])


def unpack_notes(packed: bytes) -> dict[str, bytes]:
    """Notes by codec. Raises CorruptValueError."""
    notes: dict[str, bytes] = {}
    at = 0
    while at < len(packed):
        name_end = at + 1 + packed[at]
        begin = name_end + 2
        end = begin + int.from_bytes(packed[name_end:begin])
        if begin > len(packed) or end > len(packed):
            raise CorruptValueError("notes of an image end within one")
        try:
            name = packed[at + 1 : name_end].decode("ascii")
        except UnicodeDecodeError as wrong:
            raise CorruptValueError("notes of an image have no names") from wrong
        notes[name] = packed[begin:end]
        at = end
    return notes
