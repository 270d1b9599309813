"""Checks a PNG; keeps the chunks that paint, drops text, animation and what is unknown."""

from __future__ import annotations

import zlib

from service.errors import BrokenPictureError
from service.pictures.colour_space import ColourSpace, coded_colour, measured_colour
from service.pictures.exif import orientation
from service.pictures.limits import Limits, check_parts, cut, unpack
from service.pictures.probe.header import Header

SIGNATURE = b"\x89PNG\r\n\x1a\n"
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
BEFORE_PIXELS = frozenset((b"tRNS", b"iCCP", b"eXIf", b"cICP", b"sRGB", b"gAMA", b"cHRM"))
"""Chunks that mean something; behind the pixels they come too late, as browsers have it."""

ADAM7_BYTES = 64
"""More than the filter bytes of an interlaced picture that has hardly any pixels."""

PIECE_BYTES = 2**16
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
    painted: list[bytes | memoryview] = []
    at, parts, is_cut = 8, 0, False
    while at + 8 <= len(data):
        parts += 1
        check_parts(parts, "chunks")
        length, kind = unpack(">I4s", data, at)
        end = at + 12 + length
        if kind == b"IEND":
            break
        if kind == b"IDAT" and end <= len(data):
            _verify(data, at, length, kind)
            painted.append(memoryview(data)[at:end])
        elif kind == b"IDAT":
            rest = data[at + 8 : at + 8 + length]
            painted.append(_chunk(kind, rest))
            is_cut = True
        elif kind == b"PLTE" and colour == 3:
            kept[kind] = _verify(data, at, length, kind)
        elif kind in BEFORE_PIXELS and not painted and end <= len(data):
            kept.setdefault(kind, cut(data, at + 8, length))
        at = end
    if not painted:
        raise BrokenPictureError("a PNG without pixels")

    row_bytes = 1 + (width * depth * CHANNELS[colour] + 7) // 8
    if sum(map(len, painted)) * DEFLATE_RATIO < row_bytes * height:
        raise BrokenPictureError("a PNG whose data cannot hold its pixels")
    if is_cut:
        _check_end(painted, 2 * row_bytes * height + ADAM7_BYTES)
    if colour == 3 and b"PLTE" not in kept:
        raise BrokenPictureError("a PNG with palette colours and no palette")
    chunks = [_chunk(b"IHDR", head)]
    if colour == 3:
        chunks.append(_chunk(b"PLTE", kept[b"PLTE"]))
    if colour == 3 and 1 <= len(kept.get(b"tRNS", b"")) <= 256:
        chunks.append(_chunk(b"tRNS", kept[b"tRNS"]))
    clear = _clear(colour, depth, kept.get(b"tRNS", b""))
    is_twice = bool(clear) and depth == 16 and colour == 2
    return Header(
        format="png",
        width=width,
        height=height,
        body=b"".join((SIGNATURE, *chunks, *painted, _chunk(b"IEND", b""))),
        pixel_bytes=_pixel_bytes(colour, depth) * (1 + is_twice),
        clear=clear,
        clear_bits=max(8, depth),
        orientation=orientation(kept.get(b"eXIf", b"")),
        profile=b"" if _is_coded(kept) else _profile(kept, limits.profile_limit_bytes),
        colour=_colour(kept),
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


def _check_end(chunks: list[bytes | memoryview], limit_bytes: int) -> None:
    """Raises BrokenPictureError where the cut data of IDAT chunks lacks more than its checksum.

    Without checksums, only a deflate stream that comes to its end is known to be what it was.
    ``limit_bytes`` bounds what is inflated, and thrown away, to learn that.
    """
    inflate, left, head = zlib.decompressobj(-zlib.MAX_WBITS), limit_bytes, 2
    for chunk in chunks:
        body = bytes(chunk[8:-4])
        body, head = body[head:], max(0, head - len(body))
        while body and left > 0 and not inflate.eof:
            try:
                left -= len(inflate.decompress(body, min(left, PIECE_BYTES)))
            except zlib.error as error:
                raise BrokenPictureError("a PNG whose data is damaged") from error
            body = inflate.unconsumed_tail
    if not inflate.eof:
        raise BrokenPictureError("a PNG that ends before its pixels do")


def _chunk(kind: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(kind))
    return len(body).to_bytes(4, "big") + kind + body + checksum.to_bytes(4, "big")


def _clear(colour: int, depth: int, chunk: bytes) -> tuple[int, ...]:
    """The transparent grey or RGB of a tRNS chunk, as the decoder paints it at this depth.

    Pillow brings greys of 2 and 4 bits to 8, and leaves the chunk's number as it is.
    """
    count = {0: 1, 2: 3}.get(colour, 0)
    if not count or len(chunk) != 2 * count:
        return ()
    factor = 255 // ((1 << depth) - 1) if depth in (2, 4) else 1
    samples = unpack(f">{count}H", chunk, 0)
    return tuple((sample & (1 << depth) - 1) * factor for sample in samples)


def _is_coded(kept: dict[bytes, bytes]) -> bool:
    """Whether cICP names the colours, which then goes before every other chunk."""
    code = kept.get(b"cICP", b"")
    return len(code) == 4 and code[2] == 0


def _colour(kept: dict[bytes, bytes]) -> ColourSpace | None:
    """What cICP says, else cHRM and gAMA (PNG, third edition, 11.3.2); none is sRGB."""
    if _is_coded(kept):
        primaries, transfer, _, is_full_range = kept[b"cICP"]
        return coded_colour(primaries, transfer, is_full_range != 0)
    gamma = kept.get(b"gAMA", b"")
    if b"sRGB" in kept or len(gamma) != 4:
        return None
    where = kept.get(b"cHRM", b"")
    points = (
        tuple(number / 100_000 for number in unpack(">8I", where, 0)) if len(where) == 32 else ()
    )
    return measured_colour(int.from_bytes(gamma, "big") / 100_000, points)


def _pixel_bytes(colour: int, depth: int) -> int:
    """Bytes of a pixel in Pillow's memory."""
    if colour in (0, 3):
        return 2 if depth == 16 else 1
    return 4


def _profile(kept: dict[bytes, bytes], limit_bytes: int) -> bytes:
    """The inflated ICC profile; empty when it is broken, or longer than the limit."""
    _, _, rest = kept.get(b"iCCP", b"").partition(b"\0")
    if rest[:1] != b"\0":
        return b""
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(rest[1:], limit_bytes + 1)
    except zlib.error:
        return b""
    return profile if len(profile) <= limit_bytes else b""
