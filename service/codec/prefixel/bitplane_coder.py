"""The parse of the embedded codec as the processor likes it: tables packed, pictures in batches.

    entries      in their order, each one integer: coefficient, stage it waits for, table
    stage        of a coefficient: the last plane decided, + ``NONZERO`` once it is not zero
    energy       of all coefficients in a picture with a border: neighbours lie at fixed distances
    cuts         one pass tells what each of several prefixes of a stream decides

The rules are those of ``context_model`` (FORMAT.md). Tables fit the first cache together, which is
worth a factor of two; what the encoder can know beforehand, it finds without a branch. Integers
alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.jit import compiled
from service.codec.entropy.range_coder import (
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
from service.codec.geometry import THUMB_SIDE
from service.codec.prefixel.context_model import (
    COEFFICIENTS,
    ENERGY_SHIFT,
    LAST_PLANE,
    PLANE_CLASSES,
    REFINEMENT,
    USUAL_ENERGY,
    Ints,
    Known,
    Tables,
)
from service.codec.prefixel.tables import MOST_TABLES, OFFSETS

BORDER = 2
"""A neighbour is at most so many rows or columns away."""
_ROW = THUMB_SIDE + 2 * BORDER
_PLACE = 8
"""Room for a place's energies: its three channels', then the first two's again."""
_NEAR = (*(_PLACE * (down * _ROW + right) for down, right in OFFSETS), 1, 2)
"""How far a coefficient's neighbours are: within its channel, then the two other channels' own."""
_INDEX_BITS, _STAGE_BITS = 12, 5
_INDEX, _STAGE = (1 << _INDEX_BITS) - 1, (1 << _STAGE_BITS) - 1
_TABLE = _INDEX_BITS + _STAGE_BITS
_TABLES = MOST_TABLES - 1
"""A mask that changes nothing, but tells the compiler that no index of a table is negative."""
_PLANE, NONZERO = 15, 16

_PLANES = np.array([m.bit_length() for m in range(1 << (LAST_PLANE + 1))], np.int32)
"""How many planes a magnitude has."""
ZERO = 2
"""The symbol of kind 0 that is neither + nor -."""
NOTHING, RISING, FALLING = 0, 1, 2
"""States of an escape."""

Cells = NDArray[np.int16]
Planes = NDArray[np.int8]
Counts = NDArray[np.int64]


class PackedTables(NamedTuple):
    """What steers the parse, packed; ``T`` tables are the classes of all groups.

    ``entries`` int32 [E]: coefficient, stage it waits for, table. ``plus`` uint16 [T, R]:
    frequency of + and of -; ``one`` uint16 [T, 2]; ``zero``, ``nonzero`` uint8 [T]: energies
    after kind 0. ``escape``: frequency of yes. ``contexts`` uint8. ``weights`` int64 [3, 14] by
    channel and neighbour. ``tops`` int8 [3072].
    """

    entries: Ints
    plus: NDArray[np.uint16]
    one: NDArray[np.uint16]
    zero: Bytes
    nonzero: Bytes
    escape: int
    contexts: Bytes
    weights: Counts
    tops: Planes


def pack_tables(tables: Tables) -> PackedTables:
    """Pack the tables."""
    classes, rows = tables.significance.shape[1:3]
    kind, at, plane = tables.order.T
    size = np.clip(tables.classes[at] - PLANE_CLASSES * plane, 0, classes - 1)
    table = tables.groups[at] * classes + size
    stage = (plane + 1) | np.where(kind == REFINEMENT, NONZERO, 0)
    return PackedTables(
        entries=(at | stage << _INDEX_BITS | table << _TABLE).astype(np.int32),
        plus=tables.significance[..., 1].reshape(-1, rows).astype(np.uint16),
        one=tables.refinement[..., 1].reshape(-1, 2).astype(np.uint16),
        zero=tables.zero.reshape(-1).astype(np.uint8),
        nonzero=tables.nonzero.reshape(-1).astype(np.uint8),
        escape=int(tables.escape[1]),
        contexts=tables.contexts.astype(np.uint8),
        weights=tables.weights[:: THUMB_SIDE * THUMB_SIDE].astype(np.int64),
        tops=tables.tops.astype(np.int8),
    )


def encode(tables: PackedTables, values: Ints, room_bytes: int) -> list[bytes]:
    """Code integers [N, 3072] into at most ``room_bytes`` each."""
    out = np.zeros((len(values), room_bytes + MARGIN), np.uint8)
    lengths = np.zeros(len(values), np.int64)
    write_batch(tables, values, new_encoder(), out, lengths)
    return [row[:length].tobytes() for row, length in zip(out, lengths, strict=True)]


def decode(tables: PackedTables, payloads: Sequence[bytes]) -> tuple[Known, Counts]:
    """What prefixes decide: Known [N, 3072], and how many symbols that is, int64 [N]."""
    cuts = np.array([[len(payload)] for payload in payloads], np.int64).reshape(-1, 1)
    known, symbols = decode_cuts(tables, payloads, cuts)
    return Known(known.cells[:, 0], known.plane[:, 0]), symbols[:, 0]


def decode_cuts(
    tables: PackedTables, payloads: Sequence[bytes], cuts: Counts
) -> tuple[Known, Counts]:
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
    read_batch(tables, data, cuts, new_decoder(), known.cells, known.plane, symbols)
    return known, symbols


def is_complete(tables: PackedTables, known: Known) -> bool:
    """Whether Known [1, 3072] has a symbol for every entry that waits for one."""
    at, waits = tables.entries & _INDEX, tables.entries >> _INDEX_BITS & _STAGE
    stage = (known.plane[0] & _PLANE) + np.where(known.cells[0] != 0, NONZERO, 0)
    return not bool((stage[at] == waits).any())


@compiled
def write_batch(
    tables: PackedTables, values: Ints, encoder: Encoder, out: Bytes, lengths: Counts
) -> None:
    """Code values [N, 3072] into ``out`` [N, room], each from the state ``encoder``."""
    for n in range(len(values)):
        lengths[n] = _write(tables, values[n], encoder, out[n])


@compiled
def read_batch(
    tables: PackedTables,
    data: Bytes,
    cuts: Counts,
    decoder: Decoder,
    cells: Cells,
    plane: Planes,
    symbols: Counts,
) -> None:
    """Parse ``data`` [N, bytes] from the state ``decoder`` at ``cuts`` [N, M]."""
    for n in range(len(data)):
        _read(tables, data[n], cuts[n], decoder, cells[n], plane[n], symbols[n])


@compiled
def _site(at: int) -> int:
    """Where a coefficient's energy is, within ``_usual``."""
    channel, row, column = at >> 10, at >> 5 & 31, at & 31
    return ((row + BORDER) * _ROW + column + BORDER) * _PLACE + channel


@compiled
def _usual() -> Bytes:
    """Energies while nothing is known: uint8, a place for each pixel and those of the border."""
    return np.full(_ROW * _ROW * _PLACE, USUAL_ENERGY, np.uint8)


@compiled
def _context(tables: PackedTables, energy: Bytes, site: int, channel: int) -> int:
    """Context in the tables that the neighbours of a coefficient choose."""
    total = 0
    for k in range(len(_NEAR)):
        total += tables.weights[channel, k] * int(energy[site + _NEAR[k]])
    return int(tables.contexts[min(total >> ENERGY_SHIFT, len(tables.contexts) - 1)])


@compiled
def _stages(tops: Planes, values: Ints) -> Ints:
    """Of each coefficient the stages in which an entry asks for it: int32 [3072], bits."""
    stages = np.empty(COEFFICIENTS, np.int32)
    for at in range(COEFFICIENTS):
        first = int(tops[at]) + 1
        planes = int(_PLANES[min(abs(values[at]), len(_PLANES) - 1)])
        last = min(max(planes, 1), first)  # of the stages in which it is zero so far
        stages[at] = (2 << first) - (1 << last) | (1 << last) - 2 << NONZERO
    return stages


@compiled
def _asked(tables: PackedTables, values: Ints) -> Ints:
    """The entries that are asked, int32; no branch, because none could learn which ones."""
    stages = _stages(tables.tops, values)
    asked = np.empty(len(tables.entries), np.int32)
    count = 0
    for entry in tables.entries:
        packed = int(entry)
        asked[count] = packed
        count += int(stages[packed & _INDEX]) >> (packed >> _INDEX_BITS & _STAGE) & 1
    return asked[:count]


@compiled
def _write(tables: PackedTables, values: Ints, encoder: Encoder, out: Bytes) -> int:
    """Code entry after entry until ``out`` is full; the length of the stream."""
    plus, one, tops = tables.plus, tables.one, tables.tops
    zero, nonzero = tables.zero, tables.nonzero
    energy = _usual()
    for entry in _asked(tables, values):
        packed = int(entry)
        at = packed & _INDEX
        waits = packed >> _INDEX_BITS & _STAGE
        table = packed >> _TABLE & _TABLES
        plane = (waits & _PLANE) - 1
        value = int(values[at])
        now = abs(value) >> plane
        start = 0
        if waits & NONZERO:
            share = int(one[table, 0 if now < 4 else 1])
            if now & 1 == 0:
                start, share = share, TOTAL - share
        else:
            site = _site(at)
            share = int(plus[table, _context(tables, energy, site, at >> 10)])
            if now == 0:
                start, share = 2 * share, TOTAL - 2 * share
                energy[site] = energy[site + 3] = zero[table]
            else:
                start = 0 if value > 0 else share
                energy[site] = energy[site + 3] = nonzero[table]
        encoder = put(encoder, out, start, share)
        if now > 0 and plane == tops[at]:
            encoder = _put_escape(tables.escape, encoder, out, abs(value), plane)
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
    tables: PackedTables,
    data: Bytes,
    cuts: Counts,
    decoder: Decoder,
    cells: Cells,
    plane: Planes,
    symbols: Counts,
) -> None:
    """Parse one payload; at each cut, note what it decides."""
    entries, plus, one, tops = tables.entries, tables.plus, tables.one, tables.tops
    zero, nonzero = tables.zero, tables.nonzero
    energy = _usual()
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
        table = packed >> _TABLE & _TABLES
        site = _site(at)
        if escape != NOTHING:
            frequency = tables.escape if escape == RISING else HALF
            symbol, decoder = get_bit(decoder, frequency)
        elif waits & NONZERO:
            frequency = int(one[table, 0 if abs(found[at]) == 1 else 1])
            symbol, decoder = get_bit(decoder, frequency)
        else:
            frequency = int(plus[table, _context(tables, energy, site, at >> 10)])
            symbol, decoder = get_sign(decoder, frequency)
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
        if symbol == ZERO:
            stage[at] -= 1
            energy[site] = energy[site + 3] = zero[table]
        elif escape == RISING:
            if symbol == 0:
                stage[at] += 1
            if symbol == 1 or stage[at] & _PLANE == LAST_PLANE:
                escape = FALLING
        elif escape == FALLING or waits & NONZERO:
            found[at] = 2 * found[at] + (1 - symbol) * (1 if found[at] > 0 else -1)
            stage[at] -= 1
        else:
            found[at] = 1 - 2 * symbol
            stage[at] += NONZERO - 1
            energy[site] = energy[site + 3] = nonzero[table]
            if stage[at] & _PLANE == tops[at] < LAST_PLANE:
                escape = RISING
        if escape == FALLING and stage[at] & _PLANE == tops[at]:
            escape = NOTHING
        if escape == NOTHING:
            entry += 1
    for rest in range(cut, len(cuts)):
        cells[rest], plane[rest], symbols[rest] = found, stage & _PLANE, decided
