"""The parse of the embedded codec as the processor likes it: tables packed, pictures in batches.

    entries      in their order, each one integer: coefficient, stage it waits for, table
    stage        of a coefficient: the last plane decided, + ``NONZERO`` once it is not zero
    sums         activity of each coefficient's neighbours, brought up to date where one changes
    cuts         one pass tells what each of several prefixes of a stream decides

The rules are those of ``planes`` (FORMAT.md); here they are 30 us for a prefix of 64 bytes. Tables
fit the first cache together, which is worth a factor of two. Integers alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.codec.compiled import compiled
from service.codec.embedded_tables import OFFSETS, SIDE
from service.codec.planes import (
    ACTIVITY_SHIFT,
    COEFFICIENTS,
    LAST_PLANE,
    PLANE_CLASSES,
    REFINEMENT,
    USUAL,
    Ints,
    Known,
    Tables,
)
from service.codec.range_coder import (
    HALF,
    MARGIN,
    TOTAL,
    UNDECIDED,
    Bytes,
    Decoder,
    Encoder,
    begin,
    extended,
    finish,
    full,
    get_bit,
    get_sign,
    new_decoder,
    new_encoder,
    put,
    refilled,
)

BORDER = 2
"""A neighbour is at most so many rows or columns away."""
_ROW = SIDE + 2 * BORDER
_CHANNEL = _ROW * _ROW
_INDEX_BITS, _STAGE_BITS = 12, 5
_INDEX, _STAGE = (1 << _INDEX_BITS) - 1, (1 << _STAGE_BITS) - 1
_TABLE = _INDEX_BITS + _STAGE_BITS
_PLANE, NONZERO = 15, 16

ZERO = 2
"""The symbol of kind 0 that is neither + nor -."""
NOTHING, RISING, FALLING = 0, 1, 2
"""States of an escape."""

Cells = NDArray[np.int16]
Planes = NDArray[np.int8]
Counts = NDArray[np.int64]


class Walk(NamedTuple):
    """What steers the parse, packed; ``T`` tables are the classes of all groups.

    ``entries`` int32 [E]: coefficient, stage it waits for, table. ``plus`` uint16 [T, R]:
    frequency of + and of -; ``one`` uint16 [T, 2]; ``zero``, ``nonzero`` uint8 [T]: activities
    after kind 0. ``escape``: frequency of yes. ``rows`` uint8. ``reach``, ``weights`` int32
    [3, 14]: where in the sums a coefficient of the channel counts, and how much. ``sums`` int32
    [3 * 36 * 36]: while nothing is known. ``tops`` int8 [3072].
    """

    entries: Ints
    plus: NDArray[np.uint16]
    one: NDArray[np.uint16]
    zero: Bytes
    nonzero: Bytes
    escape: int
    rows: Bytes
    reach: Ints
    weights: Ints
    sums: Ints
    tops: Planes


def walk_of(tables: Tables) -> Walk:
    """Pack the tables."""
    classes, rows = tables.significance.shape[1:3]
    kind, at, plane = tables.order.T
    size = np.clip(tables.classes[at] - PLANE_CLASSES * plane, 0, classes - 1)
    table = tables.groups[at] * classes + size
    stage = (plane + 1) | np.where(kind == REFINEMENT, NONZERO, 0)
    channel_weights = tables.weights[:: SIDE * SIDE]
    reach, weights = _reach(channel_weights)
    sums = np.repeat(USUAL * channel_weights.sum(axis=1), _CHANNEL)
    return Walk(
        entries=(at | stage << _INDEX_BITS | table << _TABLE).astype(np.int32),
        plus=tables.significance[..., 1].reshape(-1, rows).astype(np.uint16),
        one=tables.refinement[..., 1].reshape(-1, 2).astype(np.uint16),
        zero=tables.zero.reshape(-1).astype(np.uint8),
        nonzero=tables.nonzero.reshape(-1).astype(np.uint8),
        escape=int(tables.escape[1]),
        rows=tables.rows.astype(np.uint8),
        reach=reach,
        weights=weights,
        sums=sums.astype(np.int32),
        tops=tables.tops.astype(np.int8),
    )


def _reach(weights: Ints) -> tuple[Ints, Ints]:
    """By channel [3, 14]: who has a coefficient as a neighbour, from there, with what weight."""
    inside = len(OFFSETS)
    reach, counted = np.zeros((2, *weights.shape), np.int32)
    reach[:, :inside] = [-(down * _ROW + right) for down, right in OFFSETS]
    counted[:, :inside] = weights[:, :inside]
    for channel in range(3):
        for k in (1, 2):  # the neighbour in channel + k of whoever is in channel - k
            other = (channel - k) % 3
            reach[channel, inside + k - 1] = (other - channel) * _CHANNEL
            counted[channel, inside + k - 1] = weights[other, inside + k - 1]
    return reach, counted


def encode(walk: Walk, values: Ints, room_bytes: int) -> list[bytes]:
    """Code integers [N, 3072] into at most ``room_bytes`` each."""
    out = np.zeros((len(values), room_bytes + MARGIN), np.uint8)
    lengths = np.zeros(len(values), np.int64)
    write_batch(walk, values, new_encoder(), out, lengths)
    return [row[:length].tobytes() for row, length in zip(out, lengths, strict=True)]


def decode(walk: Walk, payloads: Sequence[bytes]) -> tuple[Known, Counts]:
    """What prefixes decide: Known [N, 3072], and how many symbols that is, int64 [N]."""
    cuts = np.array([[len(payload)] for payload in payloads], np.int64).reshape(-1, 1)
    known, symbols = decode_cuts(walk, payloads, cuts)
    return Known(known.cells[:, 0], known.plane[:, 0]), symbols[:, 0]


def decode_cuts(walk: Walk, payloads: Sequence[bytes], cuts: Counts) -> tuple[Known, Counts]:
    """What the prefixes of lengths ``cuts`` int64 [N, M], ascending, decide: Known [N, M, 3072].

    Each payload is parsed once. A cut past its end is its end. Symbols are int64 [N, M].
    """
    lengths = np.array([len(payload) for payload in payloads], np.int64)
    width = int(lengths.max(initial=1))
    joined = b"".join(payload.ljust(width, b"\0") for payload in payloads)
    data = np.frombuffer(joined, np.uint8).reshape(len(payloads), width)
    shape = (*cuts.shape, COEFFICIENTS)
    known = Known(np.empty(shape, np.int16), np.empty(shape, np.int8))
    symbols = np.empty(cuts.shape, np.int64)
    cuts = np.minimum(cuts, lengths[:, None])
    read_batch(walk, data, cuts, new_decoder(), known.cells, known.plane, symbols)
    return known, symbols


def is_complete(walk: Walk, known: Known) -> bool:
    """Whether Known [1, 3072] has a symbol for every entry that waits for one."""
    at, waits = walk.entries & _INDEX, walk.entries >> _INDEX_BITS & _STAGE
    stage = (known.plane[0] & _PLANE) + np.where(known.cells[0] != 0, NONZERO, 0)
    return not bool((stage[at] == waits).any())


@compiled
def write_batch(walk: Walk, values: Ints, encoder: Encoder, out: Bytes, lengths: Counts) -> None:
    """Code values [N, 3072] into ``out`` [N, room], each from the state ``encoder``."""
    for n in range(len(values)):
        lengths[n] = _write(walk, values[n], encoder, out[n])


@compiled
def read_batch(
    walk: Walk,
    data: Bytes,
    cuts: Counts,
    decoder: Decoder,
    cells: Cells,
    plane: Planes,
    symbols: Counts,
) -> None:
    """Parse ``data`` [N, bytes] from the state ``decoder`` at ``cuts`` [N, M]."""
    for n in range(len(data)):
        _read(walk, data[n], cuts[n], decoder, cells[n], plane[n], symbols[n])


@compiled
def _site(at: int) -> int:
    """Where a coefficient's sum is: channels have a border."""
    channel, row, column = at >> 10, at >> 5 & 31, at & 31
    return channel * _CHANNEL + (row + BORDER) * _ROW + column + BORDER


@compiled
def _spread(sums: Ints, at: int, difference: int, reach: Ints, weights: Ints) -> None:
    """The activity of a coefficient changes by ``difference``."""
    site, channel = _site(at), at >> 10
    for k in range(reach.shape[1]):
        sums[site + reach[channel, k]] += weights[channel, k] * difference


@compiled
def _write(walk: Walk, values: Ints, encoder: Encoder, out: Bytes) -> int:
    """Code entry after entry until ``out`` is full; the length of the stream."""
    plus, one, zero, nonzero = walk.plus, walk.one, walk.zero, walk.nonzero
    rows, reach, weights, tops = walk.rows, walk.reach, walk.weights, walk.tops
    sums = walk.sums.copy()
    activity = np.full(COEFFICIENTS, USUAL, np.uint8)
    stage = tops + np.int8(1)
    for entry in walk.entries:
        packed = int(entry)
        at = packed & _INDEX
        waits = packed >> _INDEX_BITS & _STAGE
        if stage[at] != waits:
            continue
        table = packed >> _TABLE
        plane = (waits & _PLANE) - 1
        magnitude = abs(int(values[at]))
        stage[at] -= 1
        if waits & NONZERO:
            frequency = int(one[table, 0 if magnitude >> plane < 4 else 1])
            if magnitude >> plane & 1:
                encoder = put(encoder, out, 0, frequency)
            else:
                encoder = put(encoder, out, frequency, TOTAL - frequency)
        else:
            row = rows[min(sums[_site(at)] >> ACTIVITY_SHIFT, len(rows) - 1)]
            frequency = int(plus[table, row])
            if magnitude >> plane == 0:
                encoder = put(encoder, out, 2 * frequency, TOTAL - 2 * frequency)
                new = int(zero[table])
            else:
                encoder = put(encoder, out, 0 if values[at] > 0 else frequency, frequency)
                new = int(nonzero[table])
                stage[at] += NONZERO
                if plane == tops[at]:
                    encoder = _put_escape(walk.escape, encoder, out, magnitude, plane)
            if new != activity[at]:
                _spread(sums, at, new - int(activity[at]), reach, weights)
                activity[at] = new
        if full(encoder, out):
            break
    return min(finish(encoder, out), len(out) - MARGIN)


@compiled
def _put_escape(escape: int, encoder: Encoder, out: Bytes, magnitude: int, plane: int) -> Encoder:
    """A 1 for every plane above the first one that the magnitude reaches, a 0, then its bits."""
    above = 0
    while plane + above < LAST_PLANE and not full(encoder, out):
        if magnitude >> (plane + above + 1) == 0:
            encoder = put(encoder, out, escape, TOTAL - escape)
            break
        encoder = put(encoder, out, 0, escape)
        above += 1
    while above > 0 and not full(encoder, out):
        above -= 1
        encoder = put(encoder, out, HALF * (1 - (magnitude >> (plane + above) & 1)), HALF)
    return encoder


@compiled
def _read(
    walk: Walk,
    data: Bytes,
    cuts: Counts,
    decoder: Decoder,
    cells: Cells,
    plane: Planes,
    symbols: Counts,
) -> None:
    """Parse one payload; at each cut, note what it decides."""
    entries, plus, one, zero, nonzero = walk.entries, walk.plus, walk.one, walk.zero, walk.nonzero
    rows, reach, weights, tops = walk.rows, walk.reach, walk.weights, walk.tops
    sums = walk.sums.copy()
    activity = np.full(COEFFICIENTS, USUAL, np.uint8)
    stage = tops + np.int8(1)
    found = np.zeros(COEFFICIENTS, np.int16)
    entry, escape, decided, cut = 0, NOTHING, 0, 0
    limit = cuts[0]
    decoder = begin(decoder, data, limit)
    while entry < len(entries):
        packed = int(entries[entry])
        at = packed & _INDEX
        waits = packed >> _INDEX_BITS & _STAGE
        if stage[at] != waits and escape == NOTHING:
            entry += 1
            continue
        table = packed >> _TABLE
        if escape != NOTHING:
            frequency = walk.escape if escape == RISING else HALF
            symbol, decoder = get_bit(decoder, frequency)
        elif waits & NONZERO:
            frequency = int(one[table, 0 if abs(found[at]) == 1 else 1])
            symbol, decoder = get_bit(decoder, frequency)
        else:
            row = rows[min(sums[_site(at)] >> ACTIVITY_SHIFT, len(rows) - 1)]
            symbol, decoder = get_sign(decoder, int(plus[table, row]))
        if symbol == UNDECIDED:
            cells[cut], plane[cut], symbols[cut] = found, stage & _PLANE, decided
            cut += 1
            if cut == len(cuts):
                return
            decoder = extended(decoder, data, limit, cuts[cut])
            limit = cuts[cut]
            continue
        decided += 1
        decoder = refilled(decoder, data, limit)
        if escape == RISING:
            if symbol == 0:
                stage[at] += 1
            if symbol == 1 or stage[at] & _PLANE == LAST_PLANE:
                escape = FALLING
        elif escape == FALLING or waits & NONZERO:
            found[at] = 2 * found[at] + (1 - symbol) * (1 if found[at] > 0 else -1)
            stage[at] -= 1
        else:
            stage[at] -= 1
            new = int(zero[table])
            if symbol != ZERO:
                found[at] = 1 - 2 * symbol
                stage[at] += NONZERO
                new = int(nonzero[table])
                if stage[at] & _PLANE == tops[at] < LAST_PLANE:
                    escape = RISING
            if new != activity[at]:
                _spread(sums, at, new - int(activity[at]), reach, weights)
                activity[at] = new
        if escape == FALLING and stage[at] & _PLANE == tops[at]:
            escape = NOTHING
        if escape == NOTHING:
            entry += 1
    for rest in range(cut, len(cuts)):
        cells[rest], plane[rest], symbols[rest] = found, stage & _PLANE, decided
