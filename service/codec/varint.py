"""Whole numbers of any length: seven bits a byte, the low ones first, the top bit: one follows."""

from __future__ import annotations

NUMBERS = range(2**32)
MOST_BYTES = 5


def pack_varint(number: int) -> bytes:
    """In its shortest form. Raises ValueError for a number that is not in ``NUMBERS``."""
    if number not in NUMBERS:
        raise ValueError(f"{number} is not in 0..{NUMBERS.stop - 1}")
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data: bytes, at: int, most_bytes: int = MOST_BYTES) -> tuple[int, int]:
    """The number at a place, and the place behind it.

    Raises EOFError where the data ends within it, ValueError for one that is not in its shortest
    form, longer than ``most_bytes`` or not in ``NUMBERS``.
    """
    number = 0
    for index in range(most_bytes):
        if at + index >= len(data):
            raise EOFError("the data ends within a number")
        byte = data[at + index]
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            if (index and not byte) or number not in NUMBERS:
                break
            return number, at + index + 1
    raise ValueError("not a number in its shortest form, under 2^32")
