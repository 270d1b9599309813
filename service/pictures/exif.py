"""Reads the orientation out of EXIF, and nothing else."""

from __future__ import annotations

import struct

ORIENTATION_TAG = 0x0112
ENTRIES_LIMIT = 1024
UPRIGHT = 1


def orientation(exif: bytes) -> int:
    """1..8 as TIFF 6.0 numbers them; 1 when it is absent or the metadata is broken.

    Metadata never makes a picture unusable, so this raises nothing.
    """
    if exif[:6] == b"Exif\0\0":
        exif = exif[6:]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for index in range(min(count, ENTRIES_LIMIT)):
            tag, kind, length, value = struct.unpack_from(
                order + "HHIH", exif, start + 2 + 12 * index
            )
            if tag == ORIENTATION_TAG:
                is_one_short = kind == 3 and length == 1
                return value if is_one_short and 1 <= value <= 8 else UPRIGHT
    except struct.error:
        return UPRIGHT
    return UPRIGHT
