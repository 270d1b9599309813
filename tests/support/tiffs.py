"""TIFFs written tag by tag, for what writers of files do not offer."""

from __future__ import annotations

import struct
import zlib

RATIONAL_TAGS = frozenset((529, 532))
NUMBERS = {"lzw": 5, "deflate": 8, "packbits": 32773, "none": 1}


def tiff_file(
    order: str,
    width: int,
    height: int,
    rows: list[bytes],
    rows_a_strip: int,
    compression: str = "none",
    tags: dict[int, tuple[int, ...]] | None = None,
    **kinds: int,
) -> bytes:
    """A grey picture of strips, in byte order ``<`` or ``>``; ``tags`` replace or add.

    ``kinds`` are ``t274=7``: the type of a tag that should have another. Numbers of rationals
    come as tops and bottoms.
    """
    strips = [
        _packed(b"".join(rows[start : start + rows_a_strip]), compression)
        for start in range(0, len(rows), rows_a_strip)
    ]
    starts = [8]
    for strip in strips:
        starts.append(starts[-1] + len(strip))
    entries: dict[int, tuple[int, ...]] = {
        256: (width,), 257: (height,), 258: (8,), 259: (NUMBERS[compression],), 262: (1,),
        273: tuple(starts[:-1]), 277: (1,), 278: (rows_a_strip,), 279: tuple(map(len, strips)),
    } | (tags or {})  # fmt: skip
    at = starts[-1] + starts[-1] % 2
    end = at + 2 + 12 * len(entries) + 4
    directory, long = struct.pack(order + "H", len(entries)), b""
    for tag in sorted(entries):
        values = entries[tag]
        kind = kinds.get(f"t{tag}", 5 if tag in RATIONAL_TAGS else 4 if max(values) > 65535 else 3)
        layout = {1: "B", 3: "H", 4: "I", 5: "I", 7: "B"}[kind]
        body = struct.pack(f"{order}{len(values)}{layout}", *values)
        directory += struct.pack(order + "HHI", tag, kind, len(values) // (1 + (kind == 5)))
        if len(body) > 4:
            directory += struct.pack(order + "I", end + len(long))
            long += body + bytes(len(body) % 2)
        else:
            directory += body.ljust(4, b"\0")
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(order + "I", at)
    padding = bytes(at - starts[-1])
    return b"".join((head, *strips, padding, directory, bytes(4), long))


def _packed(data: bytes, compression: str) -> bytes:
    if compression == "none":
        return data
    if compression == "deflate":
        return zlib.compress(data)
    import imagecodecs

    encoder = {"lzw": imagecodecs.lzw_encode, "packbits": imagecodecs.packbits_encode}
    return bytes(encoder[compression](data))
