"""Checks a WebP; keeps its still picture, or the first frame of its animation."""

from __future__ import annotations

from collections.abc import Iterator

from service.errors import BrokenPictureError
from service.pictures.exif import orientation
from service.pictures.limits import Limits, check_parts, cut, unpack
from service.pictures.probe.header import Header

ALPHA_FLAG, ANIMATION_FLAG = 0x10, 0x02
PIXEL_BYTES = 18
"""The demuxer's canvas twice, a copy, Pillow's own: 4 bytes each; and what is decoded into them."""


def check(data: bytes, limits: Limits) -> Header:
    """Walk the chunks up to the first frame. Raises PictureError and nothing else."""
    (riff_bytes,) = unpack("<I", data, 4)
    end = min(len(data), 8 + riff_bytes)
    chunks = _chunks(data, 12, end)
    kind, body = next(chunks, (b"", b""))
    if kind in (b"VP8 ", b"VP8L"):
        width, height = _frame_size(kind, body)
        limits.check_pixels(width, height)
        return _header(width, height, _chunk(kind, body))
    if kind != b"VP8X":
        raise BrokenPictureError("a WebP that begins with neither a picture nor a header")

    flags, *canvas = unpack("<B3x3s3s", body, 0)
    width, height = (int.from_bytes(side, "little") + 1 for side in canvas)
    limits.check_pixels(width, height)
    found: dict[bytes, bytes] = {}
    wanted = b"ANMF" if flags & ANIMATION_FLAG else b"VP8"
    for kind, body in chunks:
        found.setdefault(b"VP8" if kind in (b"VP8 ", b"VP8L") else kind, _chunk(kind, body))
    if wanted not in found:
        raise BrokenPictureError("a WebP without a picture")
    profile, exif = (found.get(kind, b"")[8:] for kind in (b"ICCP", b"EXIF"))
    head = bytes((flags & (ALPHA_FLAG | ANIMATION_FLAG), 0, 0, 0)) + canvas[0] + canvas[1]
    picture = found[wanted]
    if wanted == b"ANMF":
        parts = [_chunk(b"ANIM", bytes(6)), _first_frame(picture[8:], width, height)]
    else:
        if _frame_size(picture[:4], picture[8:]) != (width, height):
            raise BrokenPictureError("a WebP whose picture is not as large as its canvas")
        alpha = found.get(b"ALPH", b"") if picture[:4] == b"VP8 " else b""
        parts = [alpha, picture]
    return _header(
        width,
        height,
        b"".join((_chunk(b"VP8X", head), *parts)),
        orientation(exif),
        profile if len(profile) <= limits.profile_limit_bytes else b"",
    )


def _header(
    width: int, height: int, chunks: bytes, orientation: int = 1, profile: bytes = b""
) -> Header:
    return Header(
        format="webp",
        width=width,
        height=height,
        body=b"RIFF" + (len(chunks) + 4).to_bytes(4, "little") + b"WEBP" + chunks,
        pixel_bytes=PIXEL_BYTES,
        orientation=orientation,
        profile=profile,
    )


def _chunks(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Kind and body of each chunk; the last may lack its padding."""
    parts = 0
    while at + 8 <= end:
        parts += 1
        check_parts(parts, "chunks")
        kind, length = unpack("<4sI", data, at)
        yield kind, cut(data, at + 8, length)
        at += 8 + length + length % 2


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)


def _first_frame(body: bytes, width: int, height: int) -> bytes:
    """An ANMF chunk that holds its picture and its alpha only, and lies inside the canvas."""
    left, top, across, down = (int.from_bytes(cut(body, at, 3), "little") for at in (0, 3, 6, 9))
    across, down = across + 1, down + 1
    if 2 * left + across > width or 2 * top + down > height:
        raise BrokenPictureError("a WebP whose first frame reaches over its canvas")
    kept = [cut(body, 0, 16)]
    for kind, inner in _chunks(body, 16, len(body)):
        if kind == b"ALPH" and len(kept) == 1:
            kept.append(_chunk(kind, inner))
        elif kind in (b"VP8 ", b"VP8L"):
            if _frame_size(kind, inner) != (across, down):
                raise BrokenPictureError("a WebP whose first frame is not as large as it says")
            return _chunk(b"ANMF", b"".join((*kept, _chunk(kind, inner))))
    raise BrokenPictureError("a WebP whose first frame is empty")


def _frame_size(kind: bytes, body: bytes) -> tuple[int, int]:
    """Width and height in the bitstream itself (RFC 9649, sections 2.5 and 2.6)."""
    if kind == b"VP8 ":
        tag, start, width, height = unpack("<B2x3sHH", body, 0)
        if tag & 1 or start != b"\x9d\x01\x2a":
            raise BrokenPictureError("a WebP whose lossy picture does not begin as one")
        return width & 0x3FFF, height & 0x3FFF
    signature, bits = unpack("<BI", body, 0)
    if signature != 0x2F:
        raise BrokenPictureError("a WebP whose lossless picture does not begin as one")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
