"""The items of an ISO base media file (ISO/IEC 14496-12, 23008-12): what AVIF and HEIC are in."""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from service.errors import BrokenPictureError, PictureTooLargeError
from service.pictures.limits import check_parts, cut, unpack

ITEMS_LIMIT = 4096
"""Most items in a file; a phone's grid has about a hundred."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box: where it starts, and where its body lies."""

    kind: bytes
    at: int
    start: int
    end: int


@dataclass(slots=True)
class Item:
    """One item: its coding, its bytes' places in the file, its properties."""

    kind: bytes = b""
    method: int = 0
    extents: list[tuple[int, int]] = field(default_factory=list)
    properties: list[Box] = field(default_factory=list)


@dataclass(slots=True)
class Items:
    """The meta box. ``made_of`` and ``aids`` are the references dimg and auxl, by target."""

    primary: int = 0
    items: defaultdict[int, Item] = field(default_factory=lambda: defaultdict(Item))
    made_of: dict[int, tuple[int, ...]] = field(default_factory=dict)
    aids: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    idat: Box | None = None
    metadata: list[int] = field(default_factory=list)
    """Where the kinds of items are written that are EXIF or XMP."""

    def data(self, file: bytes, number: int) -> bytes:
        """The bytes of an item. Raises BrokenPictureError when they are not all there."""
        item = self.items[number]
        if item.method > 1 or (item.method == 1 and self.idat is None):
            raise BrokenPictureError("an item whose bytes are made of other items")
        base = self.idat.start if item.method == 1 and self.idat else 0
        return b"".join(cut(file, base + offset, length) for offset, length in item.extents)


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes between two places. Raises BrokenPictureError for one that reaches further."""
    count = 0
    while start + 8 <= end:
        count += 1
        check_parts(count, "boxes")
        length, kind = unpack(">I4s", data, start)
        head = 8
        if length == 1:
            (length,) = unpack(">Q", data, start + 8)
            head = 16
        elif length == 0:
            length = end - start
        if length < head or start + length > end:
            raise BrokenPictureError("a box that reaches over the one around it")
        yield Box(kind, start, start + head, start + length)
        start += length


def read_items(data: bytes, meta: Box) -> Items:
    """Everything the meta box says of its items. Raises PictureError and nothing else."""
    found = Items()
    for box in boxes(data, meta.start + 4, meta.end):
        if box.kind == b"pitm":
            (found.primary,) = unpack(">H" if data[box.start] == 0 else ">I", data, box.start + 4)
        elif box.kind == b"iinf":
            _read_kinds(data, box, found)
        elif box.kind == b"iloc":
            _read_places(data, box, found)
        elif box.kind == b"iprp":
            _read_properties(data, box, found)
        elif box.kind == b"iref":
            _read_references(data, box, found)
        elif box.kind == b"idat":
            found.idat = box
        if len(found.items) > ITEMS_LIMIT:
            raise PictureTooLargeError(f"more than {ITEMS_LIMIT} items", limit=ITEMS_LIMIT)
    promised = sum(length for item in found.items.values() for _, length in item.extents)
    if promised > 2 * len(data):
        raise PictureTooLargeError(f"items of {promised} bytes in a file of {len(data)}")
    return found


def _read_kinds(data: bytes, box: Box, found: Items) -> None:
    (version,) = unpack(">B", data, box.start)
    for entry in boxes(data, box.start + (6 if version == 0 else 8), box.end):
        if entry.kind == b"infe":
            (kind_version,) = unpack(">B", data, entry.start)
            layout = ">I2x4s" if kind_version == 3 else ">H2x4s"
            number, kind = unpack(layout, data, entry.start + 4)
            found.items[number].kind = kind
            if kind in (b"Exif", b"mime"):
                found.metadata.append(entry.start + struct.calcsize(layout))


def _read_places(data: bytes, box: Box, found: Items) -> None:
    version, sizes, more_sizes = unpack(">B3xBB", data, box.start)
    offset_bytes, length_bytes = sizes >> 4, sizes & 15
    base_bytes, index_bytes = more_sizes >> 4, more_sizes & 15 if version else 0
    wide = version == 2
    (count,) = unpack(">I" if wide else ">H", data, box.start + 6)
    at, parts = box.start + (10 if wide else 8), 0
    for _ in range(count):
        (number,) = unpack(">I" if wide else ">H", data, at)
        at += 4 if wide else 2
        method = 0
        if version:
            method = unpack(">H", data, at)[0] & 15
            at += 2
        base = int.from_bytes(cut(data, at + 2, base_bytes), "big")
        (extents,) = unpack(">H", data, at + 2 + base_bytes)
        at += 4 + base_bytes
        item = found.items[number]
        item.method = method
        for _ in range(extents):
            parts += 1
            check_parts(parts, "extents")
            at += index_bytes
            offset = int.from_bytes(cut(data, at, offset_bytes), "big")
            length = int.from_bytes(cut(data, at + offset_bytes, length_bytes), "big")
            at += offset_bytes + length_bytes
            item.extents.append((base + offset, length or len(data)))
        check_parts(len(found.items), "items")


def _read_properties(data: bytes, box: Box, found: Items) -> None:
    shared: list[Box] = []
    for child in boxes(data, box.start, box.end):
        if child.kind == b"ipco":
            shared = list(boxes(data, child.start, child.end))
        elif child.kind == b"ipma":
            _associate(data, child, shared, found)


def _associate(data: bytes, box: Box, shared: list[Box], found: Items) -> None:
    version, flags, count = unpack(">B2xBI", data, box.start)
    at, parts = box.start + 8, 0
    layout, width = (">H", 2) if flags & 1 else (">B", 1)
    mask = 0x7FFF if flags & 1 else 0x7F
    for _ in range(count):
        (number,) = unpack(">H" if version == 0 else ">I", data, at)
        at += 2 if version == 0 else 4
        (uses,) = unpack(">B", data, at)
        at += 1
        for _ in range(uses):
            parts += 1
            check_parts(parts, "properties")
            index = unpack(layout, data, at)[0] & mask
            at += width
            if 1 <= index <= len(shared):
                found.items[number].properties.append(shared[index - 1])
        check_parts(len(found.items), "items")


def _read_references(data: bytes, box: Box, found: Items) -> None:
    (version,) = unpack(">B", data, box.start)
    layout, width = (">I", 4) if version else (">H", 2)
    parts = 0
    for child in boxes(data, box.start + 4, box.end):
        (source,) = unpack(layout, data, child.start)
        (count,) = unpack(">H", data, child.start + width)
        parts += count
        check_parts(parts, "references")
        raw = cut(data, child.start + width + 2, count * width)
        targets = tuple(
            int.from_bytes(raw[at : at + width], "big") for at in range(0, len(raw), width)
        )
        if child.kind == b"dimg":
            found.made_of[source] = targets
        elif child.kind == b"auxl":
            for target in targets:
                found.aids[target].append(source)
