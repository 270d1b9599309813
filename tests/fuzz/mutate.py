"""Deterministic damage: flips, cuts, splices, edited numbers, repeated and lost stretches."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Sequence

EDGES = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Numbers that lengths, counts and sizes break on."""

HEAD_BYTES = 400
"""Where most of a file's structure lies."""


def _place(draw: random.Random, data: bytearray) -> int:
    """An index, half of the time in the head."""
    end = min(len(data), HEAD_BYTES) if draw.random() < 0.5 else len(data)
    return draw.randrange(max(1, end))


def _flip(draw: random.Random, data: bytearray, _: bytes) -> None:
    for _unused in range(draw.choice((1, 1, 2, 8, 32))):
        if data:
            data[_place(draw, data)] ^= 1 << draw.randrange(8)


def _cut(draw: random.Random, data: bytearray, _: bytes) -> None:
    del data[_place(draw, data) :]


def _lose(draw: random.Random, data: bytearray, _: bytes) -> None:
    at = _place(draw, data)
    del data[at : at + draw.choice((1, 2, 4, 16, 256))]


def _repeat(draw: random.Random, data: bytearray, _: bytes) -> None:
    at, length = _place(draw, data), draw.choice((1, 4, 12, 64, 512))
    data[at:at] = bytes(data[at : at + length]) * draw.choice((1, 2, 40))


def _splice(draw: random.Random, data: bytearray, other: bytes) -> None:
    at = draw.randrange(max(1, len(other)))
    data[_place(draw, data) :] = other[at:]


def _overwrite(draw: random.Random, data: bytearray, other: bytes) -> None:
    at, start = _place(draw, data), draw.randrange(max(1, len(other)))
    patch = other[start : start + draw.choice((4, 16, 64))]
    data[at : at + len(patch)] = patch


def _number(draw: random.Random, data: bytearray, _: bytes) -> None:
    at, width = _place(draw, data), draw.choice((1, 2, 4))
    value = draw.choice(EDGES) & (1 << 8 * width) - 1
    data[at : at + width] = value.to_bytes(width, draw.choice(("little", "big")))


def _blank(draw: random.Random, data: bytearray, _: bytes) -> None:
    at, length = _place(draw, data), draw.choice((2, 8, 64, 1024))
    data[at : at + length] = bytes((draw.choice((0, 0xFF)),)) * len(data[at : at + length])


MUTATIONS: tuple[Callable[[random.Random, bytearray, bytes], None], ...] = (
    _flip,
    _flip,
    _cut,
    _lose,
    _repeat,
    _splice,
    _overwrite,
    _number,
    _number,
    _blank,
)


def mutate(seeds: Sequence[bytes], draw: random.Random) -> bytes:
    """One of ``seeds``, damaged one to four times with parts of another; never over 1 MiB."""
    data, other = bytearray(draw.choice(seeds)), draw.choice(seeds)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 4))):
        draw.choice(MUTATIONS)(draw, data, other)
    # checksums would hide every other kind of damage to a PNG
    if draw.random() < 0.7 and data[:4] == b"\x89PNG":
        _mend_png(data)
    return bytes(data[: 2**20])


def _mend_png(data: bytearray) -> None:
    """Make the checksums of the chunks right again, as far as the lengths lead."""
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            return
        struct.pack_into(">I", data, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4
