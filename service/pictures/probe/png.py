"""Checks a PNG; keeps the chunks that paint, drops text, animation and what is unknown."""

from __future__ import annotations

import zlib

from service.errors import BrokenPictureError
from service.pictures.exif import orientation
from service.pictures.limits import Limits, check_parts, cut, unpack
from service.pictures.probe.header import Header

SIGNATURE = b"\x89PNG\r\n\x1a\n"
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEFLATE_RATIO = 1032
"""Most bytes that one byte of a deflate stream can stand for."""


def check(data: bytes, limits: Limits) -> Header:
    """Walk the chunks of a PNG. Raises PictureError and nothing else."""
    head = _head(data)
    width, height, depth, colour, compression, filters, interlace = unpack(">IIBBBBB", head, 0)
    limits.check_pixels(width, height)
    if depth not in DEPTHS.get(colour, ()) or compression or filters or interlace > 1:
        raise BrokenPictureError("a PNG whose header names a kind of picture that does not exist")

    kept: dict[bytes, bytes] = {}
    painted: list[memoryview] = []
    at, parts = 8, 0
    while at < len(data):
        parts += 1
        check_parts(parts, "chunks")
        length, kind = unpack(">I4s", data, at)
        if kind == b"IEND":
            break
        if kind == b"IDAT":
            _verify(data, at, length, kind)
            painted.append(memoryview(data)[at : at + 12 + length])
        elif kind == b"PLTE":
            kept[kind] = _verify(data, at, length, kind)
        elif kind in (b"tRNS", b"iCCP", b"eXIf"):
            kept.setdefault(kind, cut(data, at + 8, length))
        at += 12 + length
    else:
        raise BrokenPictureError("a PNG without its last chunk")

    row_bytes = 1 + (width * depth * CHANNELS[colour] + 7) // 8
    if sum(map(len, painted)) * DEFLATE_RATIO < row_bytes * height:
        raise BrokenPictureError("a PNG whose data cannot hold its pixels")
    if colour == 3 and b"PLTE" not in kept:
        raise BrokenPictureError("a PNG with palette colours and no palette")
    chunks = [_chunk(b"IHDR", head)]
    if colour == 3:
        chunks.append(_chunk(b"PLTE", kept[b"PLTE"]))
    if b"tRNS" in kept and _fits(colour, len(kept[b"tRNS"])):
        chunks.append(_chunk(b"tRNS", kept[b"tRNS"]))
    return Header(
        format="png",
        width=width,
        height=height,
        body=b"".join((SIGNATURE, *chunks, *painted, _chunk(b"IEND", b""))),
        pixel_bytes=_pixel_bytes(colour, depth),
        orientation=orientation(kept.get(b"eXIf", b"")),
        profile=_profile(kept.get(b"iCCP", b""), limits.profile_limit_bytes),
    )


def _head(data: bytes) -> bytes:
    """The 13 bytes of IHDR, which must come first."""
    length, kind = unpack(">I4s", data, 8)
    if kind != b"IHDR" or length != 13:
        raise BrokenPictureError("a PNG that does not begin with its header")
    return _verify(data, 8, length, kind)


def _verify(data: bytes, at: int, length: int, kind: bytes) -> bytes:
    """The body of a chunk that paints. Raises BrokenPictureError when its checksum is wrong."""
    body = cut(data, at + 8, length)
    (checksum,) = unpack(">I", data, at + 8 + length)
    if zlib.crc32(body, zlib.crc32(kind)) != checksum:
        raise BrokenPictureError(f"a PNG whose {kind.decode()} chunk has a wrong checksum")
    return body


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(kind))
    return len(body).to_bytes(4, "big") + kind + body + checksum.to_bytes(4, "big")


def _fits(colour: int, length: int) -> bool:
    """Whether a tRNS chunk of this length belongs to this kind of picture."""
    return {0: length == 2, 2: length == 6, 3: 1 <= length <= 256}.get(colour, False)


def _pixel_bytes(colour: int, depth: int) -> int:
    """Bytes of a pixel in Pillow's memory."""
    if colour in (0, 3):
        return 2 if depth == 16 else 1
    return 4


def _profile(chunk: bytes, limit_bytes: int) -> bytes:
    """The inflated ICC profile; empty when it is broken, or longer than the limit."""
    _, _, rest = chunk.partition(b"\0")
    if rest[:1] != b"\0":
        return b""
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(rest[1:], limit_bytes + 1)
    except zlib.error:
        return b""
    return profile if len(profile) <= limit_bytes else b""
