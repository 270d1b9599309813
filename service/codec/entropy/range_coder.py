"""A range coder in bytes whose decoder knows, at any cut, exactly which symbols were decided.

    low, range   the stream as a number lies in [low, low + range); a symbol narrows it to its share
    decoder      keeps the number minus low twice: as if the missing bytes were all 00, and all FF

A symbol is decided when both fall into the same share: then so does every continuation. The decoder
stops at the first symbol for which they do not, so a prefix holds what its bits pin down and not a
symbol more or less. Source of the scheme: Martin 1979 (range coding), here with 32 bits of range,
16 of probability, and a carry that is added to the bytes already written.

Frequencies are integers of at least 1 that sum to ``TOTAL``; a symbol's share starts where those
before it end. The last symbol takes the remainder of the division: put the likeliest there.
All values are integers under 2**41, so plain Python, numba and JavaScript's numbers (after the
product of two 16-bit factors, under 2**53) agree. A coder's state is a tuple that every call takes
and gives back: compiled, it stays in registers, which is three times as fast as an array.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.jit import compiled

PRECISION = 16
TOTAL = 1 << PRECISION
HALF = TOTAL // 2
UNDECIDED = -1
MARGIN = 6
"""A symbol takes at most 2 bytes, the end at most 3."""
_WHOLE = 1 << 32
_LEAST = 1 << 24

Bytes = NDArray[np.uint8]
Encoder = tuple[int, int, int]
"""low, range, bytes written."""
Decoder = tuple[int, int, int, int]
"""Number minus low with a tail of 00, the same with a tail of FF, range, bytes taken."""


def new_encoder() -> Encoder:
    """Before the first symbol."""
    return 0, _WHOLE, 0


@compiled
def full(encoder: Encoder, out: Bytes) -> bool:
    """Whether ``out`` may not hold another symbol and the end: ``MARGIN`` bytes are for these."""
    return bool(encoder[2] + MARGIN > len(out))


@compiled
def put(encoder: Encoder, out: Bytes, start: int, frequency: int) -> Encoder:
    """Code the symbol whose share is ``start .. start + frequency`` of ``TOTAL``.

    Only while the encoder is not ``full``: a carry needs every byte before it.
    """
    low, width, written = encoder
    share = width >> PRECISION
    before = share * start
    low += before
    width = width - before if start + frequency == TOTAL else share * frequency
    if low >= _WHOLE:
        low -= _WHOLE
        _carry(out, written)
    while width < _LEAST:
        out[written] = low >> 24
        written += 1
        low = (low & (_LEAST - 1)) << 8
        width <<= 8
    return low, width, written


@compiled
def _carry(out: Bytes, written: int) -> None:
    """Add one to the number that the bytes so far spell."""
    at = written - 1
    while out[at] == 255:
        out[at] = 0
        at -= 1
    out[at] += 1


@compiled
def finish(encoder: Encoder, out: Bytes) -> int:
    """Write the fewest bytes after which every symbol is decided; the length of the stream.

    A full encoder writes nothing: its stream is cut ``MARGIN`` bytes before the end of ``out``.
    """
    low, width, written = encoder
    if written + MARGIN > len(out):
        return len(out) - MARGIN
    top = low + width
    if width == _WHOLE and written == 0:
        return 0
    count = 1
    while True:
        unit = 1 << (32 - 8 * count)
        value = (low + unit - 1) // unit * unit
        if value + unit <= top:
            break
        count += 1
    if value >= _WHOLE:
        value -= _WHOLE
        _carry(out, written)
    for _ in range(count):
        out[written] = value >> 24
        written += 1
        value = (value & (_LEAST - 1)) << 8
    return written


def new_decoder() -> Decoder:
    """Before the first byte."""
    return 0, 0, _WHOLE, 0


@compiled
def begin(decoder: Decoder, data: Bytes, limit: int) -> Decoder:
    """Take the first four bytes of the prefix ``data[:limit]``, or what stands in for them."""
    low, high, _, taken = refilled((decoder[0], decoder[1], 1, decoder[3]), data, limit)
    low, high, _, taken = refilled((low, high, _LEAST - 1, taken), data, limit)
    return low, high, _WHOLE, taken


@compiled
def get_bit(decoder: Decoder, first: int) -> tuple[int, Decoder]:
    """The next symbol of the frequencies ``first``, the rest: 0, 1, or ``UNDECIDED``.

    ``refilled`` must follow; an undecided symbol leaves the state as it was.
    """
    low, high, width, taken = decoder
    start = (width >> PRECISION) * first
    if low >= start:
        return 1, (low - start, high - start, width - start, taken)
    if high < start:
        return 0, (low, high, start, taken)
    return UNDECIDED, decoder


@compiled
def get_sign(decoder: Decoder, each: int) -> tuple[int, Decoder]:
    """The next symbol of the frequencies ``each``, ``each``, the rest: 0, 1, 2 or ``UNDECIDED``.

    ``refilled`` must follow; an undecided symbol leaves the state as it was.
    """
    low, high, width, taken = decoder
    share = (width >> PRECISION) * each
    start = 2 * share
    if low >= start:
        return 2, (low - start, high - start, width - start, taken)
    if high < share:
        return 0, (low, high, share, taken)
    if low >= share and high < start:
        return 1, (low - share, high - share, share, taken)
    return UNDECIDED, decoder


@compiled
def refilled(decoder: Decoder, data: Bytes, limit: int) -> Decoder:
    """The state with as many bytes taken as the next symbol needs."""
    low, high, width, taken = decoder
    while width < _LEAST:
        smallest, largest = 0, 255
        if taken < limit:
            smallest = largest = int(data[taken])
        low, high = low << 8 | smallest, high << 8 | largest
        width <<= 8
        taken += 1
    return low, high, width, taken


@compiled
def extended(decoder: Decoder, data: Bytes, limit: int, longer: int) -> Decoder:
    """The state after the same symbols, had the prefix had ``longer`` bytes instead of ``limit``.

    So one pass tells of every prefix what it decides: the tails are replaced by the bytes.
    """
    low, high, width, taken = decoder
    for at in range(limit, min(longer, taken)):
        unit = 1 << 8 * (taken - 1 - at)
        low += unit * int(data[at])
        high -= unit * (255 - int(data[at]))
    return low, high, width, taken
