"""What is known of an image and of its streams, as it lies in the store: packed, and never trusted.

    image     1  width height  format
    stream    2  v (4)  version (1)  bytes  width height  measured width height
              levels: how many, then of each: bytes more than the last, SSIM, PSNR, MS-SSIM

Numbers are those of ``service.codec.varint``. A quality is in
ten thousandths, doubled, its sign in the lowest bit, plus one; 0 where there is none. The format is
the rest, in ASCII.

Version 0.1 wrote JSON, which is read for one more release.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from service.codec.geometry import THUMB, THUMB_SIDE, Size
from service.codec.header import VERSIONS
from service.codec.interface import Codec, Encoded, Level
from service.codec.varint import pack_varint, read_varint
from service.http.protocol.queries import PSNR_LIMIT

T = TypeVar("T")

DIGITS = 4
_SCALE = 10_000
_IMAGE, _STREAM = b"\x01", b"\x02"
_V_BYTES = 4
_MOST_LEVELS = 256
_MOST_BYTES = 2**32 - 1
_MOST_SIDE = 2**31 - 1
_OLD_BYTES = 65_536


class ForeignMetaError(ValueError):
    """What lies beside a stream is damaged, or was written by something else."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one stream; ``levels`` ascend in bytes.

    ``size`` is what the codec was given, ``measured`` the resolution that levels are of.
    """

    v: str
    version: int
    total_bytes: int
    levels: tuple[Level, ...]
    size: Size = THUMB
    measured: Size = THUMB


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """The upright original's size, in pixels, and format."""

    width: int
    height: int
    format: str


def facts_of(codec: Codec, encoded: Encoded, v: str) -> Facts:
    """The facts of a stream; a PSNR beyond the bound (no loss) is the bound."""
    levels = tuple(
        Level(
            one.bytes,
            round(one.ssim, DIGITS),
            round(min(one.psnr, PSNR_LIMIT), DIGITS),
            None if one.msssim is None else round(one.msssim, DIGITS),
        )
        for one in encoded.levels or ()
    )
    header = codec.header(encoded.stream)
    size = header.size or THUMB
    return Facts(v, header.version, len(encoded.stream), levels, size, codec.measured_size(size))


def write_image(image: ImageFacts) -> bytes:
    """For ``Store.note`` under the key of the document."""
    return _IMAGE + _numbers((image.width, image.height)) + image.format.encode("ascii")


def write_facts(facts: Facts) -> bytes:
    """For ``Store.put``, beside the stream."""
    size, measured = facts.size, facts.measured
    numbers = [facts.total_bytes, size.width, size.height, measured.width, measured.height]
    numbers.append(len(facts.levels))
    before = 0
    for level in facts.levels:
        numbers.append(level.bytes - before)
        numbers += (_stored(quality) for quality in (level.ssim, level.psnr, level.msssim))
        before = level.bytes
    return _STREAM + bytes.fromhex(facts.v) + bytes((facts.version,)) + _numbers(numbers)


def read_image(meta: bytes) -> ImageFacts:
    """What ``write_image`` wrote. Raises ForeignMetaError."""
    if meta[:1] == _IMAGE:
        reader = _Reader(meta, 1)
        width, height, format = reader.number(), reader.number(), reader.rest()
    else:
        width, height, format = _old(_OLD_IMAGE, meta)
    sides_hold = 0 < width <= _MOST_SIDE and 0 < height <= _MOST_SIDE
    if not (sides_hold and 0 < len(format) <= 16 and format.isascii() and format.isalnum()):
        raise ForeignMetaError("not the facts of an image")
    return ImageFacts(width, height, format)


def read_facts(meta: bytes) -> Facts:
    """What ``write_facts`` wrote. Raises ForeignMetaError."""
    facts = _read_packed(meta) if meta[:1] == _STREAM else _read_old(meta)
    ends = [0, *(level.bytes for level in facts.levels), facts.total_bytes + 1]
    if not all(one < other for one, other in pairwise(ends)):
        raise ForeignMetaError("levels of a stream do not ascend to its end")
    for level in facts.levels:
        ssims = (level.ssim, 0 if level.msssim is None else level.msssim)
        if not (0 <= level.psnr <= PSNR_LIMIT and all(-1 <= one <= 1 for one in ssims)):
            raise ForeignMetaError("a level of a stream is no quality")
    if facts.version not in VERSIONS or not 0 < facts.total_bytes <= _MOST_BYTES:
        raise ForeignMetaError("not the facts of a stream")
    for size in (facts.size, facts.measured):
        if not size.is_photo:
            raise ForeignMetaError(f"{size.width}x{size.height} is no size of a picture")
    return facts


def _read_packed(meta: bytes) -> Facts:
    v, reader = meta[1 : 1 + _V_BYTES], _Reader(meta, 2 + _V_BYTES)
    if reader.at > len(meta):
        raise ForeignMetaError("the facts of a stream end early")
    total_bytes, *sides = (reader.number() for _ in range(5))
    count, before, levels = reader.number(), 0, []
    if count > _MOST_LEVELS:
        raise ForeignMetaError(f"{count} levels are too many")
    for _ in range(count):
        before += reader.number()
        ssim, psnr, msssim = reader.quality(), reader.quality(), reader.quality()
        if ssim is None or psnr is None:
            raise ForeignMetaError("a level has no quality")
        levels.append(Level(before, ssim, psnr, msssim))
    if reader.rest():
        raise ForeignMetaError("something follows the facts of a stream")
    width, height, *measured = sides
    version = meta[1 + _V_BYTES]
    return Facts(v.hex(), version, total_bytes, tuple(levels), Size(width, height), Size(*measured))


class _Reader:
    def __init__(self, meta: bytes, at: int) -> None:
        self._meta, self.at = meta, at

    def number(self) -> int:
        try:
            value, self.at = read_varint(self._meta, self.at)
        except (EOFError, ValueError) as odd:
            raise ForeignMetaError(str(odd)) from odd
        return value

    def quality(self) -> float | None:
        stored = self.number()
        if not stored:
            return None
        value = stored - 1
        return (-(value >> 1) if value & 1 else value >> 1) / _SCALE

    def rest(self) -> str:
        rest, self.at = self._meta[self.at :], len(self._meta)
        return rest.decode("ascii", "replace")


def _stored(quality: float | None) -> int:
    if quality is None:
        return 0
    value = round(quality * _SCALE)
    return (2 * abs(value) | (value < 0)) + 1


def _numbers(values: Iterable[int]) -> bytes:
    return b"".join(map(pack_varint, values))


_Finite = Annotated[float, Field(allow_inf_nan=False)]
_OldLevel = tuple[int, _Finite, _Finite, _Finite | None]
_OldLevels = Annotated[list[_OldLevel], Field(max_length=_MOST_LEVELS)]
_Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]
_Old = tuple[_Hex, int, int, _OldLevels, tuple[int, int, int, int]]
_Oldest = tuple[_Hex, int, int, _OldLevels]
_OLD_FACTS: TypeAdapter[_Old | _Oldest] = TypeAdapter(_Old | _Oldest)
_OLD_IMAGE: TypeAdapter[tuple[int, int, str]] = TypeAdapter(tuple[int, int, str])


def _read_old(meta: bytes) -> Facts:
    v, version, total_bytes, levels, *rest = _old(_OLD_FACTS, meta)
    width, height, *measured = rest[0] if rest else (THUMB_SIDE,) * 4
    worth = tuple(Level(*level) for level in levels)
    return Facts(v, version, total_bytes, worth, Size(width, height), Size(*measured))


def _old(shape: TypeAdapter[T], meta: bytes) -> T:
    try:
        if len(meta) > _OLD_BYTES:
            raise ForeignMetaError(f"{len(meta)} bytes are no facts")
        return shape.validate_json(meta, strict=True)
    except ValidationError as foreign:
        raise ForeignMetaError("not what this service wrote") from foreign
