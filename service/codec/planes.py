"""The parse of the embedded codec: coefficients digit by digit, the most useful digit first.

    entry        (kind, coefficient, plane), all of them in one static order
    kind 0       is |q| >= 2^plane, and with which sign?       while the coefficient is zero so far
    kind 1       the bit of |q| at this plane                  once it is not
    escape       larger than the first plane holds? (no photo of the training set is; a drawing may)
    class        how the coefficient's usual size compares with the plane: picks the table
    activity     what is known of the neighbours against what they usually are: picks the row

Integers alone: every array that comes in or goes out has an integer dtype. A symbol that the prefix
does not decide ends the parse; the coefficients then hold what was decided.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.codec import range_coder
from service.codec.compiled import compiled
from service.codec.range_coder import TOTAL, UNDECIDED, begin, full, get, put

COEFFICIENTS = 3 * 32 * 32
SIGNIFICANCE, REFINEMENT = 0, 1
USUAL = 16
"""Activity of a coefficient of which nothing is known."""

Ints = NDArray[np.int32]


class Tables(NamedTuple):
    """What steers the parse: integer arrays, C-contiguous.

    ``order`` int32 [E, 3]: kind, coefficient, plane. ``classes`` int32 [3072]: class at plane 0;
    at plane p it is ``PLANE_CLASSES * p`` less. ``groups`` int32 [3072]: which tables.
    ``neighbours`` int32 [3072, K]: coefficients, or 3072 for none; ``weights`` int32 [3072, K].
    ``rows`` int32 [activity]: activity sum >> ACTIVITY_SHIFT to a row.
    ``significance`` int32 [G, C, R, 4] cumulative +, -, 0; ``refinement`` int32 [G, C, 2, 3]
    cumulative 1, 0 for a first and a later refinement. ``zero``, ``nonzero`` int32 [G, C]:
    activity of a coefficient after kind 0. ``escape`` int32 [3]: cumulative yes, no.
    ``tops`` int32 [3072]: its first plane.
    """

    order: Ints
    classes: Ints
    groups: Ints
    neighbours: Ints
    weights: Ints
    rows: Ints
    significance: Ints
    refinement: Ints
    zero: Ints
    nonzero: Ints
    escape: Ints
    tops: Ints


PLANE_CLASSES = 4
ACTIVITY_SHIFT = 5
LAST_PLANE = 11
"""No coefficient has a bit above this plane."""
HALF = TOTAL // 2
HALVES = np.array([0, HALF, TOTAL], np.int32)


class Known(NamedTuple):
    """What a parse found of each coefficient.

    ``magnitude`` int32 [3072] in units of 2^plane, ``sign`` int32 of -1, 0, +1, ``plane`` int32:
    the last plane decided; tops + 1 where none was, more than that inside an escape.
    """

    magnitude: Ints
    sign: Ints
    plane: Ints


def nothing_known(tables: Tables) -> Known:
    """Before the first symbol."""
    zeros = np.zeros(COEFFICIENTS, np.int32)
    return Known(zeros, zeros.copy(), tables.tops + np.int32(1))


def encode(tables: Tables, values: Ints, room_bytes: int) -> bytes:
    """Code integers [3072] into at most ``room_bytes``."""
    out = np.zeros(room_bytes + range_coder.MARGIN, np.uint8)
    length = write_symbols(tables, values, range_coder.new_encoder(), out)
    return out[:length].tobytes()


def decode(tables: Tables, payload: bytes) -> tuple[Known, int]:
    """What a prefix decides, and how many symbols that is."""
    known = nothing_known(tables)
    data = np.frombuffer(payload, np.uint8)
    symbols = read_symbols(tables, data, range_coder.new_decoder(), known)
    return known, symbols


@compiled
def activity_row(tables: Tables, activity: Ints, coefficient: int) -> int:
    """Row of the tables that the neighbours of a coefficient choose."""
    total = 0
    for k in range(tables.neighbours.shape[1]):
        total += tables.weights[coefficient, k] * activity[tables.neighbours[coefficient, k]]
    return int(tables.rows[min(total >> ACTIVITY_SHIFT, len(tables.rows) - 1)])


@compiled
def class_at(tables: Tables, coefficient: int, plane: int) -> int:
    """Class of a coefficient at a plane, within the tables."""
    found = tables.classes[coefficient] - PLANE_CLASSES * plane
    return int(min(max(found, 0), tables.zero.shape[1] - 1))


@compiled
def write_symbols(
    tables: Tables, values: Ints, encoder: range_coder.State, out: range_coder.Bytes
) -> int:
    """Code entry after entry until ``out`` is full; the length of the stream."""
    activity = np.full(COEFFICIENTS + 1, USUAL, np.int32)
    for entry in range(len(tables.order)):
        kind = tables.order[entry, 0]
        at = tables.order[entry, 1]
        plane = tables.order[entry, 2]
        magnitude = abs(values[at])
        before = magnitude >> (plane + 1) if plane < tables.tops[at] else 0
        if (before > 0) != (kind == REFINEMENT):
            continue
        group, size = tables.groups[at], class_at(tables, at, plane)
        if kind == REFINEMENT:
            symbol = 1 - (magnitude >> plane & 1)
            row = tables.refinement[group, size, min(before - 1, 1)]
        else:
            symbol = 2
            row = tables.significance[group, size, activity_row(tables, activity, at)]
            activity[at] = tables.zero[group, size]
            if magnitude >> plane > 0:
                symbol = 0 if values[at] > 0 else 1
                activity[at] = tables.nonzero[group, size]
        put(encoder, out, row[symbol], row[symbol + 1] - row[symbol])
        if symbol != 2 and kind == SIGNIFICANCE and plane == tables.tops[at]:
            _put_escape(tables.escape, encoder, out, magnitude, plane)
        if full(encoder, out):
            break
    return range_coder.finish(encoder, out)


@compiled
def read_symbols(
    tables: Tables, data: range_coder.Bytes, decoder: range_coder.State, known: Known
) -> int:
    """Fill ``known`` with what ``data`` decides; the number of symbols."""
    activity = np.full(COEFFICIENTS + 1, USUAL, np.int32)
    begin(decoder, data)
    symbols = 0
    for entry in range(len(tables.order)):
        kind = tables.order[entry, 0]
        at = tables.order[entry, 1]
        plane = tables.order[entry, 2]
        before = known.magnitude[at]
        if (before > 0) != (kind == REFINEMENT) or known.plane[at] != plane + 1:
            continue
        group, size = tables.groups[at], class_at(tables, at, plane)
        if kind == REFINEMENT:
            symbol = get(decoder, data, tables.refinement[group, size, min(before - 1, 1)])
            if symbol == UNDECIDED:
                break
            known.magnitude[at] = before << 1 | 1 - symbol
        else:
            row = activity_row(tables, activity, at)
            symbol = get(decoder, data, tables.significance[group, size, row])
            if symbol == UNDECIDED:
                break
            activity[at] = tables.zero[group, size]
            if symbol != 2:
                known.magnitude[at] = 1
                known.sign[at] = 1 - 2 * symbol
                activity[at] = tables.nonzero[group, size]
        known.plane[at] = plane
        symbols += 1
        if symbol != 2 and kind == SIGNIFICANCE and plane == tables.tops[at]:
            more, decided = _get_escape(tables.escape, decoder, data, known, at)
            symbols += more
            if not decided:
                break
    return symbols


@compiled
def _put_escape(
    escape: Ints,
    encoder: range_coder.State,
    out: range_coder.Bytes,
    magnitude: int,
    plane: int,
) -> None:
    """A 1 for every plane above the first one that the magnitude reaches, a 0, then its bits."""
    above = 0
    while plane + above < LAST_PLANE and not full(encoder, out):
        if magnitude >> (plane + above + 1) == 0:
            put(encoder, out, escape[1], escape[2] - escape[1])
            break
        put(encoder, out, 0, escape[1])
        above += 1
    while above > 0 and not full(encoder, out):
        above -= 1
        put(encoder, out, HALF * (1 - (magnitude >> (plane + above) & 1)), HALF)


@compiled
def _get_escape(
    escape: Ints,
    decoder: range_coder.State,
    data: range_coder.Bytes,
    known: Known,
    at: int,
) -> tuple[int, bool]:
    """The same read into ``known``: the number of symbols, and whether all were decided."""
    first = known.plane[at]
    symbols = 0
    while known.plane[at] < LAST_PLANE:
        symbol = get(decoder, data, escape)
        if symbol == UNDECIDED:
            return symbols, False
        symbols += 1
        if symbol == 1:
            break
        known.plane[at] += 1
    while known.plane[at] > first:
        symbol = get(decoder, data, HALVES)
        if symbol == UNDECIDED:
            return symbols, False
        symbols += 1
        known.magnitude[at] = known.magnitude[at] << 1 | 1 - symbol
        known.plane[at] -= 1
    return symbols, True
