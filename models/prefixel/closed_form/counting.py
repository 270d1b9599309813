"""Passes over quantised training pictures: what cells hold, and which symbols the parse meets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.jit import compiled
from service.codec.prefixel.context_model import (
    COEFFICIENTS,
    LAST_PLANE,
    REFINEMENT,
    USUAL_ENERGY,
    Ints,
    Tables,
    class_at,
    context_of,
    energy_after,
    frequency_of,
    known_before,
)

Floats = NDArray[np.float32]
Sums = NDArray[np.float64]


@compiled
def cell_sums(
    values: Floats, usual: Floats, tables: Tables, significance: Sums, refinement: Sums, cells: Sums
) -> None:
    """Sums over float coefficients [N, 3072] in steps, by group and class.

    ``significance`` [G, C, 5]: asked, nonzero, |x| where nonzero (in 2^plane), |x| / usual where
    zero, the same where nonzero. ``refinement`` [G, C, 2, 4]: zeros, ones, |x| of zeros, of ones.
    ``cells`` [G, C, 3, 2]: number, |x| - m for magnitudes 1, 2, more.
    """
    for n in range(len(values)):
        for at in range(COEFFICIENTS):
            size = abs(values[n, at])
            group = tables.groups[at]
            for plane in range(tables.tops[at], -1, -1):
                scaled = size / (1 << plane)
                m = int(min(scaled, 1 << LAST_PLANE))
                c = class_at(tables, at, plane)
                before = m >> 1
                if before == 0 or plane == tables.tops[at]:
                    cell = significance[group, c]
                    cell[0] += 1
                    if m:
                        cell[1] += 1
                        cell[2] += scaled
                        cell[4] += size / usual[at]
                    else:
                        cell[3] += size / usual[at]
                else:
                    part = refinement[group, c, min(before - 1, 1)]
                    part[m & 1] += 1
                    part[2 + (m & 1)] += scaled - 2 * before
                if m:
                    k = min(m, 3) - 1
                    cells[group, c, k, 0] += 1
                    cells[group, c, k, 1] += scaled - m


@compiled
def symbol_counts(
    tables: Tables,
    values: Ints,
    cost: Ints,
    limit: int,
    significance: NDArray[np.int64],
    refinement: NDArray[np.int64],
) -> int:
    """Count the symbols of one picture [3072] as the parse meets them; its bits in 1/4096.

    ``cost`` int32 [65537] is what a frequency costs; counting stops at ``limit``. ``significance``
    [G, C, R, 2]: zero, nonzero; ``refinement`` [G, C, 2, 2]: zero, one.
    """
    energy = np.full(COEFFICIENTS + 1, USUAL_ENERGY, np.int32)
    spent = 0
    for entry in range(len(tables.order)):
        kind = tables.order[entry, 0]
        at = tables.order[entry, 1]
        plane = tables.order[entry, 2]
        magnitude = abs(values[at])
        before = known_before(tables, at, plane, magnitude)
        if (before > 0) != (kind == REFINEMENT):
            continue
        group, size = tables.groups[at], class_at(tables, at, plane)
        now = magnitude >> plane
        context = context_of(tables, energy, at, before)
        spent += cost[frequency_of(tables, group, size, context, before, now)]
        if kind == REFINEMENT:
            refinement[group, size, context, now & 1] += 1
        else:
            significance[group, size, context, min(now, 1)] += 1
            energy[at] = energy_after(tables, group, size, now)
        if spent > limit:
            break
    return spent
