"""Many prefixes in one body: CONTAINER.md, written and read.

    "PXLC"  version (1)  count  entry ...
    entry   state (0 ok, 1 unknown, 2 unavailable); after 0 only: v (4)  total  length  bytes

``count``, ``total`` and ``length`` are varints: 7 bits a byte, the lowest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from service.codec.varint import pack_varint, read_varint
from service.errors import CodecError

MAGIC = b"PXLC"
VERSION = 1
V_BYTES = 4


class State(IntEnum):
    """What became of one id."""

    OK = 0
    UNKNOWN = 1
    UNAVAILABLE = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """One prefix; but for an entry that is OK all else is empty.

    ``v`` is the first 4 bytes of the whole stream's SHA-256, ``total_bytes`` its length.
    """

    state: State
    v: bytes = b""
    total_bytes: int = 0
    data: bytes = b""


UNKNOWN = Entry(State.UNKNOWN)
UNAVAILABLE = Entry(State.UNAVAILABLE)


def pack(entries: Sequence[Entry]) -> bytes:
    """The container. Raises ValueError for an entry that is not one."""
    return b"".join((MAGIC, bytes((VERSION,)), pack_varint(len(entries)), *map(_entry, entries)))


def _entry(entry: Entry) -> bytes:
    if entry.state is not State.OK:
        return bytes((entry.state,))
    if len(entry.v) != V_BYTES or len(entry.data) > entry.total_bytes:
        raise ValueError(f"v has {V_BYTES} bytes, and a prefix is not longer than its stream")
    return b"".join(
        (
            bytes((entry.state,)),
            entry.v,
            pack_varint(entry.total_bytes),
            pack_varint(len(entry.data)),
            entry.data,
        )
    )


def unpack(body: bytes) -> tuple[Entry, ...]:
    """The entries of a container. Raises CodecError, and nothing else."""
    reader = _Reader(body)
    if reader.take(len(MAGIC), "the magic") != MAGIC:
        raise CodecError("a container begins with PXLC")
    version = reader.take(1, "the version")[0]
    if version != VERSION:
        raise CodecError(f"container version {version} is not {VERSION}")
    count = reader.varint("the count")
    if count > reader.left_bytes:
        raise CodecError(f"{count} entries do not fit into {reader.left_bytes} bytes")
    entries = tuple(reader.entries(count))
    if reader.left_bytes:
        raise CodecError(f"{reader.left_bytes} bytes follow the last entry")
    return entries


class _Reader:
    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    @property
    def left_bytes(self) -> int:
        return len(self._body) - self._at

    def take(self, count: int, what: str) -> bytes:
        if count > self.left_bytes:
            raise CodecError(f"the container ends within {what}")
        self._at += count
        return self._body[self._at - count : self._at]

    def varint(self, what: str) -> int:
        try:
            number, self._at = read_varint(self._body, self._at)
        except EOFError as short:
            raise CodecError(f"the container ends within {what}") from short
        except ValueError as odd:
            raise CodecError(f"{what} is {odd}") from odd
        return number

    def entries(self, count: int) -> Iterable[Entry]:
        for _ in range(count):
            code = self.take(1, "a state")[0]
            if code not in tuple(State):
                raise CodecError(f"{code} is not a state")
            if code != State.OK:
                yield Entry(State(code))
                continue
            v = self.take(V_BYTES, "a v")
            total_bytes, length = self.varint("a total"), self.varint("a length")
            if length > total_bytes:
                raise CodecError(f"a prefix of {length} bytes of a stream of {total_bytes}")
            yield Entry(State.OK, v, total_bytes, self.take(length, "a prefix"))
