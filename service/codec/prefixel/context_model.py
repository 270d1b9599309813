"""The parse of the embedded codec: coefficients digit by digit, the most useful digit first.

    entry        (kind, coefficient, plane), all of them in one static order
    kind 0       is |q| >= 2^plane, and with which sign?       while the coefficient is zero so far
    kind 1       the bit of |q| at this plane                  once it is not
    escape       larger than the first plane holds? (no photo of the training set is; a drawing may)
    class        how the coefficient's usual size compares with the plane: picks the table
    energy       what is known of the neighbours against what they usually are: picks the context

Integers alone. A symbol that the prefix does not decide ends the parse; the coefficients then hold
what was decided. Here are the rules as learning needs them; ``bitplane_coder`` parses.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.codec.entropy.jit import compiled
from service.codec.entropy.range_coder import TOTAL
from service.codec.geometry import THUMB_SIDE

COEFFICIENTS = 3 * THUMB_SIDE * THUMB_SIDE
SIGNIFICANCE, REFINEMENT = 0, 1
USUAL_ENERGY = 16
"""Energy of a coefficient of which nothing is known."""

Ints = NDArray[np.int32]


class Tables(NamedTuple):
    """What steers the parse: integer arrays, C-contiguous.

    ``order`` int32 [E, 3]: kind, coefficient, plane. ``classes`` int32 [3072]: class at plane 0;
    at plane p it is ``PLANE_CLASSES * p`` less. ``groups`` int32 [3072]: which tables.
    ``neighbours`` int32 [3072, K]: coefficients, or 3072 for none; ``weights`` int32 [3072, K].
    ``contexts`` int32 [energy]: energy sum >> ENERGY_SHIFT to a context.
    ``significance`` int32 [G, C, R, 4] cumulative +, -, 0; ``refinement`` int32 [G, C, 2, 3]
    cumulative 1, 0 for a first and a later refinement. ``zero``, ``nonzero`` int32 [G, C]:
    energy of a coefficient after kind 0. ``escape`` int32 [3]: cumulative yes, no.
    ``tops`` int32 [3072]: its first plane.
    """

    order: Ints
    classes: Ints
    groups: Ints
    neighbours: Ints
    weights: Ints
    contexts: Ints
    significance: Ints
    refinement: Ints
    zero: Ints
    nonzero: Ints
    escape: Ints
    tops: Ints


PLANE_CLASSES = 4
ENERGY_SHIFT = 5
LAST_PLANE = 11
"""No coefficient has a bit above this plane."""


class Known(NamedTuple):
    """What a parse found of each coefficient.

    ``cells`` int16 [..., 3072]: magnitude in units of 2^plane, with its sign. ``plane`` int8
    [..., 3072]: the last plane decided; tops + 1 where none was, more than that inside an escape.
    """

    cells: NDArray[np.int16]
    plane: NDArray[np.int8]


@compiled
def known_before(tables: Tables, coefficient: int, plane: int, magnitude: int) -> int:
    """What is known of a magnitude before its symbol at a plane, in units of the plane above.

    An entry is asked if it is of kind 1 where this is more than 0, of kind 0 where it is 0.
    """
    return int(magnitude >> (plane + 1)) if plane < tables.tops[coefficient] else 0


@compiled
def context_of(tables: Tables, energy: Ints, coefficient: int, before: int) -> int:
    """Context, in the tables, of a symbol of a coefficient whose magnitude is ``before`` so far."""
    return min(before - 1, 1) if before > 0 else neighbour_context(tables, energy, coefficient)


@compiled
def frequency_of(tables: Tables, group: int, size: int, context: int, before: int, now: int) -> int:
    """Frequency of the symbol that leads from ``before`` to ``now``, in units of its plane.

    Out of zero it is that of one sign. ``group``, ``size`` (the class), ``context``: the table's.
    """
    if before > 0:
        one = tables.refinement[group, size, context, 1]
        return int(one if now & 1 else TOTAL - one)
    sign = tables.significance[group, size, context, 1]
    return int(sign if now > 0 else TOTAL - 2 * sign)


@compiled
def energy_after(tables: Tables, group: int, size: int, now: int) -> int:
    """Energy of a coefficient after kind 0, by the group and class it had."""
    return int(tables.nonzero[group, size] if now > 0 else tables.zero[group, size])


@compiled
def neighbour_context(tables: Tables, energy: Ints, coefficient: int) -> int:
    """Context in the tables that the neighbours of a coefficient choose."""
    total = 0
    for k in range(tables.neighbours.shape[1]):
        total += tables.weights[coefficient, k] * energy[tables.neighbours[coefficient, k]]
    return int(tables.contexts[min(total >> ENERGY_SHIFT, len(tables.contexts) - 1)])


@compiled
def class_at(tables: Tables, coefficient: int, plane: int) -> int:
    """Class of a coefficient at a plane, within the tables."""
    found = tables.classes[coefficient] - PLANE_CLASSES * plane
    return int(min(max(found, 0), tables.zero.shape[1] - 1))
