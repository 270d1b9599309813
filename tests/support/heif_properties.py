"""Adds a property to the primary picture of an AVIF or HEIC that libavif or libheif wrote."""

from __future__ import annotations

import struct

from service.pictures.probe.boxes import Box, boxes

ESSENTIAL = 0x80


def clap(size: tuple[int, int], window: tuple[int, int, int, int], denominator: int = 1) -> bytes:
    """The box that crops ``size`` to left, top, width, height (ISO/IEC 14496-12, 12.1.4)."""
    left, top, width, height = window
    # offsets of the middle, in halves of a pixel
    right = 2 * left + width - size[0]
    down = 2 * top + height - size[1]
    d = denominator
    return struct.pack(">I4s8i", 40, b"clap", width * d, d, height * d, d, right, 2, down, 2)


def turned(quarters: int) -> bytes:
    """The box that turns by quarters, anticlockwise."""
    return struct.pack(">I4sB", 9, b"irot", quarters)


def with_properties(file: bytes, *added: bytes) -> bytes:
    """The file with more properties of its first item, in this order."""
    for box in added:
        file = _with_property(file, box)
    return file


def _with_property(file: bytes, added: bytes) -> bytes:
    meta = _find(boxes(file, 0, len(file)), b"meta")
    inside = list(boxes(file, meta.start + 4, meta.end))
    iprp, iloc = (_find(inside, kind) for kind in (b"iprp", b"iloc"))
    parts = list(boxes(file, iprp.start, iprp.end))
    ipco, ipma = (_find(parts, kind) for kind in (b"ipco", b"ipma"))
    count = len(list(boxes(file, ipco.start, ipco.end)))
    uses_at = ipma.start + 8 + 2
    body = bytearray(file)
    body[uses_at] += 1
    end = uses_at + 1 + file[uses_at]
    use = bytes((count + 1 | ESSENTIAL,))
    body[end:end] = use
    body[ipco.end : ipco.end] = added
    for box, grown in (
        (ipco, len(added)),
        (ipma, 1),
        (iprp, len(added) + 1),
        (meta, len(added) + 1),
    ):
        at = box.at + (len(added) if box is ipma else 0)
        (length,) = struct.unpack_from(">I", body, at)
        struct.pack_into(">I", body, at, length + grown)
    _move(body, iloc, len(added) + 1, iloc.at > iprp.at)
    return bytes(body)


def _move(body: bytearray, iloc: Box, by: int, is_behind: bool) -> None:
    """Every item lies so many bytes further on."""
    start = iloc.start + (by if is_behind else 0)
    version, sizes, more = struct.unpack_from(">B3xBB", body, start)
    base, index = more >> 4, more & 15 if version else 0
    assert sizes == 0x44
    assert base in (0, 4)
    (items,) = struct.unpack_from(">H", body, start + 6)
    at = start + 8
    for _ in range(items):
        # an item whose construction is not 0 lies in idat
        method = struct.unpack_from(">H", body, at + 2)[0] & 15 if version else 0
        at += 2 + (2 if version else 0) + 2 + base
        (extents,) = struct.unpack_from(">H", body, at)
        at += 2
        for _ in range(extents):
            at += index
            (offset,) = struct.unpack_from(">I", body, at)
            struct.pack_into(">I", body, at, offset + (by if method == 0 else 0))
            at += 8


def _find(among, kind: bytes) -> Box:
    return next(box for box in among if box.kind == kind)
