"""Reads the first directory of a TIFF or BigTIFF of either byte order, and writes plain ones."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

from service.errors import BrokenPictureError, PictureTooLargeError
from service.pictures.limits import check_parts, cut, unpack

NUMBERS = {1: "B", 3: "H", 4: "I", 5: "2I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q"}
"""Type -> layout of the whole numbers of one value; a rational is two."""

ENTRIES_LIMIT = 4096
VALUES_LIMIT = 3 * 65_536
"""Most numbers in one tag: the colour map of 16 bits has that many."""

SHORT, LONG = 3, 4


@dataclass(frozen=True, slots=True)
class Directory:
    """The entries of a page that are asked for, as stored, and how to read them."""

    data: bytes
    order: Literal["<", ">"]
    entries: dict[int, tuple[int, int, int]]
    """Tag -> type, count, where its values begin."""

    def values(self, tag: int, default: tuple[int, ...]) -> tuple[int, ...]:
        """A tag's whole numbers, all of them; the default when it is absent.

        Raises BrokenPictureError for what is no number or not all there, PictureTooLargeError.
        """
        if tag not in self.entries:
            return default
        kind, count, at = self.entries[tag]
        if kind not in NUMBERS or count == 0:
            raise BrokenPictureError(f"a TIFF whose tag {tag} is not a number")
        if count > VALUES_LIMIT:
            raise PictureTooLargeError(f"a TIFF of {count} values in tag {tag}")
        layout = NUMBERS[kind]
        # without an order's alignment, "HHH" and "3H" are the same
        repeated = f"{count}{layout}" if len(layout) == 1 else layout * count
        return unpack(self.order + repeated, self.data, at)

    def value(self, tag: int, default: int) -> int:
        """The one number of a tag. Raises BrokenPictureError when it has several that differ."""
        found = self.values(tag, (default,))
        if len(set(found)) > 1:
            raise BrokenPictureError(f"a TIFF of {len(found)} values in tag {tag}, which has one")
        return found[0]

    def metadata(self, tag: int) -> tuple[int, ...]:
        """The numbers of a tag that does not paint; none when they are odd in any way."""
        try:
            return self.values(tag, ())
        except (BrokenPictureError, PictureTooLargeError):
            return ()

    def raw(self, tag: int, limit: int) -> bytes:
        """The bytes of a tag of bytes; empty when absent, elsewhere or longer than ``limit``."""
        if tag not in self.entries:
            return b""
        kind, count, at = self.entries[tag]
        if kind not in (1, 7) or count > limit or at + count > len(self.data):
            return b""
        return self.data[at : at + count]


def first_page(data: bytes) -> Directory:
    """The entries of the first directory. Raises PictureError and nothing else."""
    order: Literal["<", ">"] = "<" if data[:2] == b"II" else ">"
    is_big = unpack(order + "H", data, 2)[0] == 43
    if is_big and unpack(order + "HH", data, 4) != (8, 0):
        raise BrokenPictureError("a BigTIFF whose offsets are not of 8 bytes")
    (start,) = unpack(order + ("Q" if is_big else "I"), data, 8 if is_big else 4)
    (count,) = unpack(order + ("Q" if is_big else "H"), data, start)
    at, length, inline = (start + 8, 20, 8) if is_big else (start + 2, 12, 4)
    if count > ENTRIES_LIMIT:
        raise PictureTooLargeError(f"a TIFF of {count} tags; the limit is {ENTRIES_LIMIT}")
    entries: dict[int, tuple[int, int, int]] = {}
    for at_entry in range(at, at + count * length, length):
        entry = cut(data, at_entry, length)
        tag, kind, values = unpack(order + ("HHQ" if is_big else "HHI"), entry, 0)
        at_values = at_entry + length - inline
        if values * _value_bytes(kind) > inline:
            (at_values,) = unpack(order + ("Q" if is_big else "I"), data, at_values)
        entries.setdefault(tag, (kind, values, at_values))
    return Directory(data, order, entries)


def _value_bytes(kind: int) -> int:
    return struct.calcsize("<" + NUMBERS[kind]) if kind in NUMBERS else {12: 8}.get(kind, 1)


def rebuilt(data: bytes, pages: list[dict[int, tuple[int, ...] | bytes]]) -> bytes:
    """The file with the directories ``pages`` at its end, and no other: classic, little-endian.

    The bytes of the pixels stay where they are. Numbers become LONG, bytes UNDEFINED; what the
    first eight bytes were is lost to the decoder.
    """
    parts = [b"II*\0", b"", data[8:]]
    at = len(data) + len(data) % 2
    parts.append(bytes(at - len(data)))
    parts[1] = at.to_bytes(4, "little")
    for index, page in enumerate(pages):
        check_parts(len(page), "tags")
        start = at + 2 + 12 * len(page) + 4
        entries, long = [], b""
        for tag in sorted(page):
            values = page[tag]
            if isinstance(values, bytes):
                kind, count, body = 7, len(values), values
            else:
                kind = LONG if max(values) > 0xFFFF else SHORT
                count = len(values)
                body = struct.pack(f"<{count}{NUMBERS[kind]}", *values)
            if len(body) > 4:
                place = (start + len(long)).to_bytes(4, "little")
                long += body + bytes(len(body) % 2)
            else:
                place = body.ljust(4, b"\0")
            entries.append(struct.pack("<HHI", tag, kind, count) + place)
        following = start + len(long) if index + 1 < len(pages) else 0
        parts += [len(page).to_bytes(2, "little"), *entries, following.to_bytes(4, "little"), long]
        at = following
    return b"".join(parts)
