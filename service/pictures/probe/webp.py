"""Checks a WebP; keeps its still picture, or the first frame of its animation."""

from __future__ import annotations

from collections.abc import Iterator

from service.errors import BrokenPictureError
from service.pictures.exif import orientation
from service.pictures.limits import Limits, check_parts, check_unfilled, cut, unpack
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
        return _header((width, height), (width, height), (0, 0), _chunk(kind, body))
    if kind != b"VP8X":
        raise BrokenPictureError("a WebP that begins with neither a picture nor a header")

    flags, *canvas = unpack("<B3x3s3s", body, 0)
    width, height = (int.from_bytes(side, "little") + 1 for side in canvas)
    limits.check_pixels(width, height)
    found: dict[bytes, bytes] = {}
    wanted = b"ANMF" if flags & ANIMATION_FLAG else b"VP8"
    try:
        for kind, body in chunks:
            found.setdefault(b"VP8" if kind in (b"VP8 ", b"VP8L") else kind, _chunk(kind, body))
    except BrokenPictureError:
        # cut short behind the picture, which is whole, or before: then there is none
        if wanted not in found:
            raise
    if wanted not in found:
        raise BrokenPictureError("a WebP without a picture")
    profile, exif = (found.get(kind, b"")[8:] for kind in (b"ICCP", b"EXIF"))
    if wanted == b"ANMF":
        coded, place, picture = _first_frame(found[wanted][8:])
        if place[0] + coded[0] > width or place[1] + coded[1] > height:
            raise BrokenPictureError("a WebP whose first frame reaches over its canvas")
    else:
        coded, place, picture = (width, height), (0, 0), found[wanted]
        if _frame_size(picture[:4], picture[8:]) != coded:
            raise BrokenPictureError("a WebP whose picture is not as large as its canvas")
        alpha = found.get(b"ALPH", b"") if picture[:4] == b"VP8 " else b""
        head = bytes((flags & ALPHA_FLAG, 0, 0, 0)) + canvas[0] + canvas[1]
        picture = b"".join((_chunk(b"VP8X", head), alpha, picture))
    return _header(
        (width, height),
        coded,
        place,
        picture,
        orientation(exif),
        profile if len(profile) <= limits.profile_limit_bytes else b"",
    )


def _header(
    size: tuple[int, int],
    coded: tuple[int, int],
    place: tuple[int, int],
    chunks: bytes,
    orientation: int = 1,
    profile: bytes = b"",
) -> Header:
    return Header(
        format="webp",
        width=size[0],
        height=size[1],
        body=b"RIFF" + (len(chunks) + 4).to_bytes(4, "little") + b"WEBP" + chunks,
        coded=coded,
        place=place,
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


def _first_frame(body: bytes) -> tuple[tuple[int, int], tuple[int, int], bytes]:
    """Size, place and chunks of an ANMF chunk's picture, as a still of its own.

    The canvas around it is clear, whatever the animation's background and flags say: decoders
    that paint a canvas without the flag of alpha leave it black.
    """
    left, top, *sides = (int.from_bytes(cut(body, at, 3), "little") for at in (0, 3, 6, 9))
    across, down = (side + 1 for side in sides)
    alpha = b""
    for kind, inner in _chunks(body, 16, len(body)):
        if kind == b"ALPH":
            alpha = alpha or _chunk(kind, inner)
        elif kind in (b"VP8 ", b"VP8L"):
            if _frame_size(kind, inner) != (across, down):
                raise BrokenPictureError("a WebP whose first frame is not as large as it says")
            picture = _chunk(kind, inner)
            if alpha and kind == b"VP8 ":
                head = bytes((ALPHA_FLAG, 0, 0, 0)) + cut(body, 6, 6)
                picture = b"".join((_chunk(b"VP8X", head), alpha, picture))
            return (across, down), (2 * left, 2 * top), picture
    raise BrokenPictureError("a WebP whose first frame is empty")


def _frame_size(kind: bytes, body: bytes) -> tuple[int, int]:
    """Width and height in the bitstream itself (RFC 9649, sections 2.5 and 2.6)."""
    check_unfilled(body, "a WebP")
    if kind == b"VP8 ":
        tag, start, width, height = unpack("<B2x3sHH", body, 0)
        if tag & 1 or start != b"\x9d\x01\x2a":
            raise BrokenPictureError("a WebP whose lossy picture does not begin as one")
        return width & 0x3FFF, height & 0x3FFF
    signature, bits = unpack("<BI", body, 0)
    if signature != 0x2F:
        raise BrokenPictureError("a WebP whose lossless picture does not begin as one")
    return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
