"""What the rest of the house knows of a codec, and nothing more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from service.codec.geometry import Size
from service.codec.header import StreamHeader, parse_header
from service.codec.pixels import Pixels
from service.errors import CodecError

__all__ = [
    "KMAC_COST",
    "Chunk",
    "Codec",
    "Effort",
    "Encoded",
    "Format",
    "Inspection",
    "Kind",
    "Level",
    "Pixels",
    "Size",
    "StreamHeader",
    "header_of",
    "is_newer",
    "is_readable",
    "measured",
]

Kind = Literal["thumb", "photo"]
"""Thumbnails are squares of one side, photos have any size."""

Effort = Literal["default", "high", "best"]
"""How much an encoder does for its streams, where a codec leaves it the choice."""

KMAC_COST = 40
"""Cost of a thousand multiplications and additions: ``evaluate --speed`` of the shipped networks
gives 30 to 50 ns of one core, with all that is around them."""


@dataclass(frozen=True, slots=True)
class Level:
    """The quality of one prefix.

    ``bytes`` is the length of the prefix, header included; ``ssim`` is the mean over 8x8 blocks
    and channels; ``psnr`` is in dB over RGB; ``msssim`` is None where it was not measured (a
    picture under 161 pixels has none).
    """

    bytes: int
    ssim: float
    psnr: float
    msssim: float | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """One picture's whole stream and what its prefixes are worth (ascending in bytes).

    ``levels`` is None where encoding did not tell: ``Codec.measure`` does, or ``measured``.
    """

    stream: bytes
    levels: tuple[Level, ...] | None = None


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
        chunks = (Chunk("header", 0, header.length_bytes), *payload)
        return cls(
            codec=codec.name,
            wire_id=codec.wire_id,
            version=header.version,
            aspect=header.aspect,
            total_bytes=len(stream),
            complete=complete,
            chunks=tuple(chunk for chunk in chunks if chunk.length_bytes),
            facts=dict(facts),
        )


class Format(Protocol):
    """What a stream's header is held against.

    ``version`` is the one that is written, ``readable_versions`` are those that are painted;
    ``maximum_bytes`` is the longest stream of ``version``.
    """

    name: str
    wire_id: int
    version: int
    readable_versions: frozenset[int]
    maximum_bytes: int


class Codec(Format, Protocol):
    """A codec family with its weights loaded. Thread-safe: two threads may call it at once.

    ``picture_size`` is the side of the squares that a codec of thumbnails codes, in pixels; None
    for photos. ``minimum_bytes`` is the shortest prefix that it decodes (the longest header).
    ``efforts`` are those it knows, ``effort`` is what streams are made with unless a call says
    otherwise. ``artifact_sha256`` names the artifact; None for a codec that was made in code.
    """

    kind: Kind
    minimum_bytes: int
    picture_size: int | None
    efforts: tuple[Effort, ...]
    effort: Effort
    artifact_sha256: str | None

    def header(self, prefix: bytes) -> StreamHeader:
        """The header of a prefix that this codec may decode; no payload is parsed.

        Raises CodecError for any other, so that ``decode`` has nothing left to refuse.
        """
        ...

    def cost(self, size: Size, prefix_bytes: int | None = None, of: Size | None = None) -> int:
        """What one picture costs, about in nanoseconds of one core, 1 or more.

        Of encoding a picture of ``size``; with ``prefix_bytes``, of decoding a prefix of that
        length to that size, which is a lower resolution of a picture ``of`` another where that is
        given. Costs order and bound work, no timer is set by them.
        """
        ...

    def memory(self, size: Size, prefix_bytes: int | None = None, of: Size | None = None) -> int:
        """Bytes that a picture takes at the peak of its work, its own pixels not counted.

        Of encoding and measuring one of ``size``, or of decoding, told as ``cost`` is. Of
        thumbnails 0: a batch of them is small beside one photo.
        """
        ...

    def coded_size(self, size: Size) -> Size:
        """That at which a picture of ``size`` is coded: one that costs too much is shrunk."""
        ...

    def encode(
        self,
        pictures: Sequence[Pixels],
        aspects: Sequence[float],
        effort: Effort | None = None,
    ) -> list[Encoded]:
        """Whole streams of uint8 [H, W, 3] each; those of a codec of photos may differ in size.

        ``aspects`` are the originals' width / height: a thumbnail is squashed, and its header
        says how much. Photos have the aspect of their own pixels, whatever is given.
        """
        ...

    def measure(
        self, pictures: Sequence[Pixels], streams: Sequence[bytes]
    ) -> list[tuple[Level, ...]]:
        """What prefixes of these pictures' streams are worth, ascending; the last is the whole."""
        ...

    def measured_size(self, size: Size) -> Size:
        """The resolution at which ``measure`` compares a picture of ``size``."""
        ...

    def decode(self, prefixes: Sequence[bytes], size: int | None = None) -> list[Pixels]:
        """Paint any prefixes that have their header. Raises CodecError, and nothing else.

        ``size`` is the long side that is wanted, in pixels: what comes has at least that, or all
        that the picture has. None: the picture's own size.
        """
        ...

    def decode_cuts(self, stream: bytes, cuts: Sequence[int]) -> Iterator[Pixels]:
        """Paint the prefixes of ``cuts`` bytes, ascending, one after the other.

        The stream is parsed once, and pictures are made as they are asked for. A cut past the
        end is the whole. Raises CodecError, and nothing else.
        """
        ...

    def inspect(self, stream: bytes) -> Inspection:
        """Read a stream's structure. Raises CodecError, and nothing else."""
        ...


def header_of(codec: Format, stream: bytes) -> StreamHeader:
    """The two bytes of a prefix that this codec may decode. Raises CodecError for any other."""
    header = parse_header(stream)
    if header.wire_id != codec.wire_id or header.version not in codec.readable_versions:
        versions = ", ".join(map(str, sorted(codec.readable_versions)))
        raise CodecError(
            f"wire id {header.wire_id} version {header.version} is not {codec.name} "
            f"(wire id {codec.wire_id} version {versions})"
        )
    if len(stream) > codec.maximum_bytes:
        raise CodecError(
            f"{len(stream)} bytes are more than a whole stream of {codec.name} has "
            f"({codec.maximum_bytes})"
        )
    return header


def is_newer(codec: Format, head: bytes) -> bool:
    """Whether a stream that begins with ``head`` is of a later version than any that is read."""
    if not head or head[0] >> 3 != codec.wire_id:
        return False
    return head[0] & 7 > max(codec.readable_versions)


def is_readable(codec: Format, head: bytes) -> bool:
    """Whether a stream that begins with ``head`` is one of this codec's."""
    return bool(head) and head[0] >> 3 == codec.wire_id and head[0] & 7 in codec.readable_versions


def measured(codec: Codec, pictures: Sequence[Pixels], made: Sequence[Encoded]) -> list[Encoded]:
    """The same streams with levels; those that encoding told of are not measured again."""
    without = [n for n, one in enumerate(made) if one.levels is None]
    found = list(made)
    if without:
        streams = [made[n].stream for n in without]
        levels = codec.measure([pictures[n] for n in without], streams)
        for n, mine in zip(without, levels, strict=True):
            found[n] = replace(made[n], levels=mine)
    return found
