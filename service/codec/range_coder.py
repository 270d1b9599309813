"""A range coder in bytes whose decoder knows, at any cut, exactly which symbols were decided.

    low, range   the stream as a number lies in [low, low + range); a symbol narrows it to its share
    decoder      keeps the number minus low twice: as if the missing bytes were all 00, and all FF

A symbol is decided when both fall into the same share: then so does every continuation. The decoder
stops at the first symbol for which they do not, so a prefix holds what its bits pin down and not a
symbol more or less. Source of the scheme: Martin 1979 (range coding), here with 32 bits of range,
16 of probability, and a carry that is added to the bytes already written.

Frequencies are integers of at least 1 that sum to ``TOTAL``; a table holds them as cumulative rows
``0 .. TOTAL``. The last symbol takes the remainder of the division: put the likeliest there.
All state is int64, all values stay under 2**41, so plain Python, numba and JavaScript's numbers
(after the product of two 16-bit factors, under 2**53) agree.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.codec.compiled import compiled

PRECISION = 16
TOTAL = 1 << PRECISION
UNDECIDED = -1
MARGIN = 6
"""A symbol takes at most 2 bytes, the end at most 3."""
_WHOLE = 1 << 32
_LEAST = 1 << 24

Bytes = NDArray[np.uint8]
State = NDArray[np.int64]
Cumulative = NDArray[np.int32]


def new_encoder() -> State:
    """low, range, bytes written."""
    return np.array([0, _WHOLE, 0], np.int64)


@compiled
def full(encoder: State, out: Bytes) -> bool:
    """Whether ``out`` may not hold another symbol and the end: ``MARGIN`` bytes are for these."""
    return bool(encoder[2] + MARGIN > len(out))


@compiled
def put(encoder: State, out: Bytes, start: int, frequency: int) -> None:
    """Code the symbol whose share is ``start .. start + frequency`` of ``TOTAL``.

    Only while the encoder is not ``full``: a carry needs every byte before it.
    """
    share = encoder[1] >> PRECISION
    low = encoder[0] + share * start
    width = share * frequency
    if start + frequency == TOTAL:
        width = encoder[1] - share * start
    written = encoder[2]
    if low >= _WHOLE:
        low -= _WHOLE
        _carry(out, written)
    while width < _LEAST:
        out[written] = low >> 24
        written += 1
        low = (low & (_LEAST - 1)) << 8
        width <<= 8
    encoder[0], encoder[1], encoder[2] = low, width, written


@compiled
def _carry(out: Bytes, written: int) -> None:
    """Add one to the number that the bytes so far spell."""
    at = written - 1
    while out[at] == 255:
        out[at] = 0
        at -= 1
    out[at] += 1


@compiled
def finish(encoder: State, out: Bytes) -> int:
    """Write the fewest bytes after which every symbol is decided; the length of the stream.

    A full encoder writes nothing: its stream is cut ``MARGIN`` bytes before the end of ``out``.
    """
    if encoder[2] + MARGIN > len(out):
        return len(out) - MARGIN
    low, top = encoder[0], encoder[0] + encoder[1]
    written = encoder[2]
    if encoder[1] == _WHOLE and written == 0:
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
    encoder[2] = written
    return int(written)


def new_decoder() -> State:
    """Number minus low with a tail of 00, the same with a tail of FF, range, bytes taken."""
    return np.array([0, 0, _WHOLE, 0], np.int64)


@compiled
def begin(decoder: State, data: Bytes) -> None:
    """Take the first four bytes, or what stands in for them."""
    for _ in range(4):
        _take(decoder, data)
    decoder[2] = _WHOLE


@compiled
def _take(decoder: State, data: Bytes) -> None:
    taken = decoder[3]
    smallest, largest = 0, 255
    if taken < len(data):
        smallest = largest = int(data[taken])
    decoder[0] = decoder[0] << 8 | smallest
    decoder[1] = decoder[1] << 8 | largest
    decoder[2] <<= 8
    decoder[3] = taken + 1


@compiled
def get(decoder: State, data: Bytes, cumulative: Cumulative) -> int:
    """The next symbol of a table row ``0 .. TOTAL``, or ``UNDECIDED`` (and no state changes)."""
    share = decoder[2] >> PRECISION
    last = len(cumulative) - 2
    symbol = 0
    while symbol < last and decoder[1] >= share * cumulative[symbol + 1]:
        symbol += 1
    start = share * cumulative[symbol]
    if decoder[0] < start:
        return UNDECIDED
    width = share * (cumulative[symbol + 1] - cumulative[symbol])
    if symbol == last:
        width = decoder[2] - start
    decoder[0] -= start
    decoder[1] -= start
    decoder[2] = width
    while decoder[2] < _LEAST:
        _take(decoder, data)
    return symbol
