"""What prefixes of given lengths would show, and how a change of the coefficients would change it.

For encoders and for training: ideal code lengths in place of a range coder, coefficients as floats,
and slopes that go through the rounding.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.jit import compiled
from service.codec.entropy.range_coder import TOTAL
from service.codec.prefixel.context_model import (
    COEFFICIENTS,
    PLANE_CLASSES,
    REFINEMENT,
    USUAL_ENERGY,
    Ints,
    Tables,
    class_at,
    context_of,
    energy_after,
    frequency_of,
)
from service.codec.prefixel.reconstruction import PRECISIONS, Floats, bands
from service.codec.prefixel.tables import Stored, for_parse

END_BITS = 2.8
"""What a cut costs in the mean: a prefix of n bytes decides about 8 n - END_BITS bits."""
COST_UNIT = 4096
"""Costs are counted in fractions of a bit."""
OUT_OF_ZERO = 1.45
"""About where the first cell of a magnitude is painted, in cells."""
WINDOW = 0.5
"""Over how much of a cell the jump out of zero is spread."""


def cost_table() -> Ints:
    """What a frequency costs, in 4096ths of a bit: int32 [65537]."""
    frequency = np.maximum(np.arange(TOTAL + 1), 1)
    return np.asarray(np.rint(COST_UNIT * (16 - np.log2(frequency))), np.int32)


class Prefixes(NamedTuple):
    """Of N pictures at M lengths each.

    ``cells`` float32 [N, M, 3072]: coefficients in steps, each at its cell's mean, 0 where
    nothing is known. ``known`` float32 [N, M, 18]. ``gain`` float32 [N, M, 3072]: by how much
    ``cells`` follow a coefficient, and ``rate``, by how many bits a step the stream grows with
    its magnitude, both smoothed: the jump out of zero at the last plane is spread evenly over
    ``WINDOW`` of a cell. ``middle``: from ``cells`` to the middle of the jump, in steps, 0
    elsewhere.
    """

    cells: Floats
    known: Floats
    gain: Floats
    rate: Floats
    middle: Floats


class TruncationTables(NamedTuple):
    """What a cut is made with: the parse's tables, and what cells hold.

    ``centroids`` float32 [G, C, 3] in cells. ``cost`` as ``cost_table`` has it. ``bands`` int32
    [3072].
    """

    tables: Tables
    centroids: Floats
    cost: Ints
    bands: Ints


class Decided(NamedTuple):
    """What was decided of each coefficient so far, int32 [3072].

    ``magnitude`` in units of 2^plane; ``plane``, tops + 1 where nothing was; ``jump``: by how much
    more it would have cost, or did, to leave zero at that plane, in 4096ths of a bit.
    """

    magnitude: Ints
    plane: Ints
    jump: Ints


class Truncator:
    """Cuts streams of one set of tables."""

    def __init__(self, stored: Stored) -> None:
        self.tables = for_parse(stored)
        self.centroids = (stored.centroids / np.float32(256)).astype(np.float32)
        self.cost = cost_table()
        self.bands = bands()
        self.share = (1 / np.bincount(self.bands, minlength=PRECISIONS)).astype(np.float32)

    def cut(self, values: Floats, payload_bytes: NDArray[np.float64]) -> Prefixes:
        """Float coefficients [N, 3072] in steps, ascending lengths [N, M] -> prefixes.

        Raises ValueError for other shapes: compiled code would not notice.
        """
        n, m = payload_bytes.shape
        if values.shape != (n, COEFFICIENTS):
            raise ValueError(f"coefficients {list(values.shape)} for lengths {[n, m]}")
        limits = np.rint((8 * payload_bytes - END_BITS) * COST_UNIT).astype(np.int64)
        widths = (COEFFICIENTS, PRECISIONS, COEFFICIENTS, COEFFICIENTS, COEFFICIENTS)
        found = Prefixes(*(np.zeros((n, m, width), np.float32) for width in widths))
        given = TruncationTables(self.tables, self.centroids, self.cost, self.bands)
        _cut(given, values, limits, found)
        return found._replace(known=found.known * self.share)


def through_rounding(values: Floats, cut: Prefixes, slopes: Floats, multiplier: Floats) -> Floats:
    """Gradient [N, 3072] of the smoothed loss where ``slopes`` [N, M, 3072] are those of the cells.

    Slopes at 0 and at the first cell are those of a parabola: its curvature, the same for all
    coefficients of a prefix (their steps see to that), carries them to the middle of the jump.
    ``multiplier`` [N, M] is Lagrange's: what a bit counts against D.
    """
    off = (cut.cells - values[:, None]) * (cut.gain > 0)
    squares = np.maximum((off * off).sum(-1, keepdims=True), 1e-9)
    curvature = np.maximum((slopes * off).sum(-1, keepdims=True) / squares, 0)
    followed = cut.gain * (slopes + curvature * cut.middle)
    paid = multiplier[..., None] * cut.rate * np.sign(values)[:, None]
    return np.asarray((followed + paid).sum(axis=1), np.float32)


@compiled
def _cut(
    given: TruncationTables, values: Floats, limits: NDArray[np.int64], prefixes: Prefixes
) -> None:
    """Fill ``prefixes`` for values [N, 3072] and limits [N, M] in 4096ths of a bit."""
    tables, cost = given.tables, given.cost
    for n in range(len(values)):
        magnitude = np.zeros(COEFFICIENTS, np.int32)
        plane_of = tables.tops + np.int32(1)
        jump = np.zeros(COEFFICIENTS, np.int32)
        decided = Decided(magnitude, plane_of, jump)
        energy = np.full(COEFFICIENTS + 1, USUAL_ENERGY, np.int32)
        spent = 0
        at_limit = 0
        for entry in range(len(tables.order)):
            kind = tables.order[entry, 0]
            at = tables.order[entry, 1]
            plane = tables.order[entry, 2]
            before = magnitude[at]
            if (before > 0) != (kind == REFINEMENT) or plane_of[at] != plane + 1:
                continue
            now = int(abs(values[n, at])) >> plane
            group, size = tables.groups[at], class_at(tables, at, plane)
            context = context_of(tables, energy, at, before)
            bits = cost[frequency_of(tables, group, size, context, before, now)]
            if plane == tables.tops[at] and now > 0:
                above = 0
                while now >> (above + 1) > 0:
                    above += 1
                bits += above * (cost[tables.escape[1]] + COST_UNIT)
                bits += cost[tables.escape[2] - tables.escape[1]]
            while at_limit < limits.shape[1] and spent + bits > limits[n, at_limit]:
                _snapshot(given, values[n], decided, _one(prefixes, n, at_limit))
                at_limit += 1
            if at_limit == limits.shape[1]:
                break
            spent += bits
            if kind != REFINEMENT:
                out_of_zero = cost[frequency_of(tables, group, size, context, 0, 1)]
                jump[at] = out_of_zero - cost[frequency_of(tables, group, size, context, 0, 0)]
                energy[at] = energy_after(tables, group, size, now)
            magnitude[at] = now
            plane_of[at] = plane
        while at_limit < limits.shape[1]:
            _snapshot(given, values[n], decided, _one(prefixes, n, at_limit))
            at_limit += 1


@compiled
def _one(prefixes: Prefixes, n: int, m: int) -> Prefixes:
    """The prefix of one picture at one length, without the two leading axes."""
    return Prefixes(
        prefixes.cells[n, m],
        prefixes.known[n, m],
        prefixes.gain[n, m],
        prefixes.rate[n, m],
        prefixes.middle[n, m],
    )


@compiled
def _snapshot(given: TruncationTables, values: Floats, decided: Decided, prefix: Prefixes) -> None:
    """Fill ``prefix`` with what was decided of the values [3072]."""
    tables, centroids = given.tables, given.centroids
    for at in range(COEFFICIENTS):
        plane = decided.plane[at]
        prefix.known[given.bands[at]] += plane
        if plane > tables.tops[at]:
            continue
        m = decided.magnitude[at]
        unit = 1 << plane
        size = abs(values[at]) / unit
        jumping = 1 - WINDOW / 2 <= size < 1 + WINDOW / 2
        if jumping:
            prefix.gain[at] = OUT_OF_ZERO / WINDOW
            prefix.rate[at] = max(decided.jump[at], 0) / (COST_UNIT * unit * WINDOW)
        elif size > 1:
            prefix.gain[at] = 1.0
            prefix.rate[at] = 1 / (size * unit * np.log(2.0))
        painted = 0.0
        if m > 0:
            found = tables.classes[at] - PLANE_CLASSES * plane
            cell_class = min(max(found, 0), centroids.shape[1] - 1)
            painted = (m + centroids[tables.groups[at], cell_class, min(m, 3) - 1]) * unit
        sign = 1.0 if values[at] > 0 else -1.0
        prefix.cells[at] = sign * painted
        if jumping:
            prefix.middle[at] = sign * (OUT_OF_ZERO / 2 * unit - painted)
