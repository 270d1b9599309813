"""Bit-planes against trit-planes, and nothing else: no networks, no contexts.

Coefficients of the closed form, cut at planes whose cells are ``base`` times narrower each. The
cell of zero is twice as wide at every plane. A symbol says in which of the ``base`` parts of its
cell a coefficient lies, and the sign where that is no longer zero's. Symbols are ordered as the
codec orders its own, by squared error a bit with what they open pooled in (``slopes``), cost their
ideal code length by static tables, and a prefix is painted at the means of its cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.prefixel.closed_form.learning import GROUPS, colour_axes, group_map
from models.prefixel.closed_form.slopes import Node, merged
from service.codec.entropy.jit import compiled
from service.codec.interface import Pixels
from service.codec.prefixel.codec import coefficients
from service.codec.prefixel.context_model import COEFFICIENTS, Ints
from service.codec.prefixel.rate_model import END_BITS
from service.codec.prefixel.reconstruction import DCT, MIDDLE, Floats, to_rgb

FINEST = 6.0
"""Width of the narrowest cell, in levels; a search for the best phase multiplies it."""
PHASES = 4
CLASSES_A_PLANE = {2: 4, 3: 6}
"""Sizes of coefficients are told apart this finely: about a quarter of an octave."""
SMALLEST, CLASSES = 64, 128
"""Class of a coefficient whose usual size is one cell; all of them."""
ZERO, NONZERO = 0, 1
Sums = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """What training coefficients said, for one base and one finest cell (``step``, in levels).

    ``classes``, ``groups`` int32 [3072]. ``bits`` float64 [G, C, 2, base]: cost of a digit of a
    coefficient zero so far (its sign included) and of one that is not. ``inside`` float64
    [G, C, 3]: place in a cell for magnitudes 1, 2, more. ``order`` int32 [E, 3]: state,
    coefficient, plane.
    """

    base: int
    step: float
    planes: int
    means: Floats
    classes: Ints
    groups: Ints
    bits: Sums
    inside: Sums
    order: Ints

    def cut(self, raw: Floats, payload_bytes: Sequence[int]) -> Floats:
        """Coefficients [N, 3072] as prefixes tell them: float [N, M, 3072]."""
        largest = self.base**self.planes - 1
        values = np.clip((raw - self.means) / np.float32(self.step), -largest, largest)
        limits = np.array([8 * length - END_BITS for length in payload_bytes])
        cells = np.zeros((len(raw), len(limits), COEFFICIENTS), np.float32)
        per = CLASSES_A_PLANE[self.base]
        _cut(
            *(self.order, self.classes, self.groups, self.bits, self.inside),
            *(values, limits, self.base, per, self.planes, cells),
        )
        return self.means + np.float32(self.step) * cells


def learn(raw: Floats, base: int, step: float) -> Model:
    """The model of training coefficients [N, 3072]."""
    means = raw.mean(axis=0)
    values = (raw - means) / np.float32(step)
    usual = np.maximum(np.abs(values).mean(axis=0), 1e-3)
    planes = int(np.ceil(np.log(np.abs(values).max() + 1) / np.log(base)))
    per = CLASSES_A_PLANE[base]
    classes = np.rint(per * np.log(usual) / np.log(base)).astype(np.int32) + SMALLEST
    classes, groups = classes.clip(0, CLASSES - 1), group_map().astype(np.int32)
    counts, sums = (np.zeros((GROUPS, CLASSES, 2, base)) for _ in range(2))
    cells = np.zeros((GROUPS, CLASSES, 3, 2))
    _count(values, classes, groups, base, per, planes, counts, sums, cells)
    chances = counts + 0.5 * np.array([8.0, *[1.0] * (base - 1)])
    chances /= chances.sum(axis=-1, keepdims=True)
    bits = -np.log2(chances)
    bits[:, :, ZERO, 1:] += 1  # the sign
    inside = (cells[..., 1] + 20 * 0.45) / (cells[..., 0] + 20)
    slopes = _slopes(counts, sums, chances, bits, base)
    order = _order(slopes, classes, groups, base, planes)
    return Model(base, step, planes, means, classes, groups, bits, inside, order)


def compare(
    training: Pixels, tuning: Pixels, pictures: Pixels, payload_bytes: Sequence[int]
) -> dict[int, Pixels]:
    """By base (2 and 3), what prefixes of pictures [N, 32, 32, 3] show: [N, M, 32, 32, 3].

    Of each base the finest cell counts that does best on ``tuning``: planes may lie well or badly.
    """
    colours = colour_axes(training)
    learned_of, tuned_on, raw = (coefficients(p, colours) for p in (training, tuning, pictures))
    found = {}
    for base in CLASSES_A_PLANE:
        models = [learn(learned_of, base, FINEST * base ** (n / PHASES)) for n in range(PHASES)]
        errors = [
            np.log(np.square(m.cut(tuned_on, payload_bytes) - tuned_on[:, None]).mean((0, 2))).sum()
            for m in models
        ]
        cells = models[int(np.argmin(errors))].cut(raw, payload_bytes)
        found[base] = painted(cells.reshape(-1, COEFFICIENTS), colours).reshape(
            *cells.shape[:2], *pictures.shape[1:]
        )
    return found


def painted(raw: Floats, colours: Floats) -> Pixels:
    """Coefficients [N, 3072] -> uint8 [N, 32, 32, 3]."""
    planes = raw.reshape(-1, 3, len(DCT), len(DCT))
    turned = (DCT.T @ planes @ DCT).transpose(0, 2, 3, 1)
    return to_rgb(np.asarray(turned @ colours + np.float32(MIDDLE), np.float32))


def _slopes(counts: Sums, sums: Sums, chances: Sums, bits: Sums, base: int) -> Sums:
    """Pooled squared error a bit, in squares of a cell: [2, G, C]."""
    per = CLASSES_A_PLANE[base]
    mean = sums / np.maximum(counts, 1)
    mean = np.where(counts >= 50, mean, np.arange(base) + 0.45)
    spent = (chances * bits).sum(axis=-1)
    gains = (chances * np.square(mean)).sum(axis=-1)  # zero is painted at 0
    gains[..., ZERO] -= chances[:, :, ZERO, 0] * np.square(mean[:, :, ZERO, 0])
    gains[..., NONZERO] -= np.square((chances * mean).sum(axis=-1)[..., NONZERO])
    slopes = np.empty((2, GROUPS, CLASSES))
    for group in range(GROUPS):
        nodes: tuple[dict[int, Node], dict[int, Node]] = ({}, {})
        for c in range(CLASSES - 1, -1, -1):
            below, stays = c + per, chances[group, c, ZERO, 0]
            opened: dict[int, tuple[tuple[float, Node], ...]] = {ZERO: (), NONZERO: ()}
            if below < CLASSES:
                zero, nonzero = (nodes[state][below] for state in (ZERO, NONZERO))
                opened = {
                    ZERO: ((stays, zero), (1 - stays, nonzero)),
                    NONZERO: ((1.0, nonzero),),
                }
            for state in (ZERO, NONZERO):
                own = gains[group, c, state], spent[group, c, state]
                nodes[state][c] = merged(*own, opened[state], narrower=base)
                slopes[state, group, c] = nodes[state][c].slope
    return slopes


def _order(slopes: Sums, classes: Ints, groups: Ints, base: int, planes: int) -> Ints:
    """Entries, the steepest first; none before what it needs, as in the codec."""
    everything = np.arange(COEFFICIENTS, dtype=np.int32)
    ceiling = np.full((2, COEFFICIENTS), np.inf)
    entries, keys = [], []
    for plane in range(planes - 1, -1, -1):
        size = np.maximum(classes - CLASSES_A_PLANE[base] * plane, 0)
        key = slopes[:, groups, size] * float(base) ** (2 * plane)
        key[NONZERO] = np.minimum(key[NONZERO], ceiling.min(axis=0))
        key[ZERO] = np.minimum(key[ZERO], ceiling[ZERO])
        states = (ZERO,) if plane == planes - 1 else (ZERO, NONZERO)
        for state in states:
            ceiling[state] = key[state]
            columns = np.full_like(everything, state), everything, np.full_like(everything, plane)
            entries.append(np.stack(columns, axis=1))
            keys.append(key[state])
    order = np.argsort(-np.concatenate(keys), kind="stable")
    return np.ascontiguousarray(np.concatenate(entries)[order])


@compiled
def _count(
    values: Floats,
    classes: Ints,
    groups: Ints,
    base: int,
    per: int,
    planes: int,
    counts: Sums,
    sums: Sums,
    cells: Sums,
) -> None:
    """Digits and where coefficients lie: in their cell before the digit, and after it."""
    for n in range(len(values)):
        for at in range(COEFFICIENTS):
            size = abs(values[n, at])
            whole, unit = int(size), base ** (planes - 1)
            for plane in range(planes - 1, -1, -1):
                m = whole // unit
                before = m // base
                c = max(classes[at] - per * plane, 0)
                state, digit = (1 if before else 0), m - base * before
                counts[groups[at], c, state, digit] += 1
                sums[groups[at], c, state, digit] += size / unit - base * before
                if m:
                    cells[groups[at], c, min(m, 3) - 1, 0] += 1
                    cells[groups[at], c, min(m, 3) - 1, 1] += size / unit - m
                unit //= base


@compiled
def _cut(
    order: Ints,
    classes: Ints,
    groups: Ints,
    bits: Sums,
    inside: Sums,
    values: Floats,
    limits: Sums,
    base: int,
    per: int,
    planes: int,
    cells: Floats,
) -> None:
    """Digits in their order until the bits are spent, for each limit; ``cells`` in steps."""
    units = np.empty(planes, np.int64)
    for plane in range(planes):
        units[plane] = base**plane
    for n in range(len(values)):
        plane_of = np.full(COEFFICIENTS, planes, np.int32)
        spent, at_limit, entry = 0.0, 0, 0
        while at_limit < len(limits):
            cost = np.inf
            if entry < len(order):
                state, at, plane = order[entry]
                whole = int(abs(values[n, at]))
                before = whole // units[plane] // base
                if (before > 0) != (state == 1):
                    entry += 1
                    continue
                c = max(classes[at] - per * plane, 0)
                cost = bits[groups[at], c, state, whole // units[plane] - base * before]
            if spent + cost <= limits[at_limit]:
                spent += cost
                plane_of[at] = plane
                entry += 1
                continue
            for i in range(COEFFICIENTS):
                if plane_of[i] < planes:
                    unit = units[plane_of[i]]
                    m = int(abs(values[n, i])) // unit
                    if m > 0:
                        c = max(classes[i] - per * plane_of[i], 0)
                        size = (m + inside[groups[i], c, min(m, 3) - 1]) * unit
                        cells[n, at_limit, i] = size if values[n, i] > 0 else -size
            at_limit += 1
