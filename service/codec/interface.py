"""What the rest of the house knows of a codec, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from service.codec.header import HEADER_BYTES, StreamHeader, parse_header
from service.errors import CodecError

Pixels = NDArray[np.uint8]
"""RGB, uint8, [H, W, 3]."""

Effort = Literal["default", "high", "best"]
"""How much an encoder does for its streams, where a codec leaves it the choice."""


@dataclass(frozen=True, slots=True)
class Level:
    """The quality of one prefix, measured while encoding.

    ``bytes`` is the length of the prefix, header included; ``ssim`` is the mean over 8x8 blocks
    and channels; ``psnr`` is in dB over RGB.
    """

    bytes: int
    ssim: float
    psnr: float


@dataclass(frozen=True, slots=True)
class Encoded:
    """One picture's whole stream and what its prefixes are worth (ascending in bytes)."""

    stream: bytes
    levels: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a stream: what it is for, where it starts, how long it is, in bytes."""

    label: str
    offset_bytes: int
    length_bytes: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a stream says of itself, without painting it."""

    codec: str
    wire_id: int
    version: int
    aspect: float
    total_bytes: int
    complete: bool
    chunks: tuple[Chunk, ...]
    facts: dict[str, object] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        codec: Format,
        header: StreamHeader,
        stream: bytes,
        payload: Sequence[Chunk],
        *,
        complete: bool,
        facts: Mapping[str, object],
    ) -> Inspection:
        """What there is to say of a stream of ``codec``; chunks of no bytes are left out."""
        chunks = (Chunk("header", 0, HEADER_BYTES), *payload)
        return cls(
            codec=codec.name,
            wire_id=codec.wire_id,
            version=codec.version,
            aspect=header.aspect,
            total_bytes=len(stream),
            complete=complete,
            chunks=tuple(chunk for chunk in chunks if chunk.length_bytes),
            facts=dict(facts),
        )


class Format(Protocol):
    """What a stream's header is held against; ``maximum_bytes`` is the longest stream."""

    name: str
    wire_id: int
    version: int
    maximum_bytes: int


class Codec(Format, Protocol):
    """A codec family with its weights loaded. Thread-safe: two threads may call it at once.

    ``picture_size`` is the side of the square pictures it codes, in pixels; ``minimum_bytes`` the
    shortest prefix that it decodes (header included).
    """

    minimum_bytes: int
    picture_size: int

    def encode(self, pictures: Pixels, aspects: Sequence[float]) -> list[Encoded]:
        """Encode uint8 [N, H, W, 3]; ``aspects`` are the originals' width / height."""
        ...

    def streams(self, pictures: Pixels, aspects: Sequence[float]) -> list[bytes]:
        """The streams of ``encode``, where nobody asks what their prefixes are worth."""
        ...

    def decode(self, streams: Sequence[bytes]) -> list[Pixels]:
        """Paint any prefixes that have their header. Raises CodecError, and nothing else."""
        ...

    def inspect(self, stream: bytes) -> Inspection:
        """Read a stream's structure. Raises CodecError, and nothing else."""
        ...


def header_of(codec: Format, stream: bytes) -> StreamHeader:
    """The header of a prefix that this codec may decode. Raises CodecError for any other."""
    header = parse_header(stream)
    if (header.wire_id, header.version) != (codec.wire_id, codec.version):
        raise CodecError(
            f"wire id {header.wire_id} version {header.version} is not {codec.name} "
            f"(wire id {codec.wire_id} version {codec.version})"
        )
    if len(stream) > codec.maximum_bytes:
        raise CodecError(
            f"{len(stream)} bytes are more than a whole stream of {codec.name} has "
            f"({codec.maximum_bytes})"
        )
    return header
