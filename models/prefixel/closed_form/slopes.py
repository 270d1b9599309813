"""How much squared error a symbol takes away for a bit, with what it opens pooled in.

Symbols of a coefficient form a tree: a zero opens the next plane's significance, a nonzero its
refinements. A cheap coarse symbol inherits the slope of what it opens, as on a concave hull
(Chou, Lookabaugh and Gray 1989), so that what is worth most per bit can be coded first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.codec.prefixel.context_model import PLANE_CLASSES

Sums = NDArray[np.float64]
TINY = 1e-12


@dataclass(frozen=True)
class Node:
    """A symbol with the descendants that raise its slope: error taken away in 4^plane, and bits."""

    gain: float
    bits: float

    @property
    def slope(self) -> float:
        """Error a bit."""
        return self.gain / self.bits


def pooled(significance: Sums, refinement: Sums) -> tuple[Sums, Sums]:
    """Slopes [C] of significance and of first refinements, in 4^plane a bit, of one group.

    ``significance`` [C, 5] and ``refinement`` [C, 2, 4] as ``counting.cell_sums`` has them.
    """
    classes = len(significance)
    zero: dict[int, Node] = {}
    first: dict[int, Node] = {}
    later: dict[int, Node] = {}
    for c in range(classes - 1, -1, -1):
        below = c + PLANE_CLASSES
        for part, store in ((1, later), (0, first)):
            gain, bits = _refined(refinement[c, part])
            finer = ((1.0, later[below]),) if below in later else ()
            store[c] = merged(gain, bits, finer)
        asked, nonzero, size = significance[c, :3]
        q = (nonzero + 0.5 * 2.0**-10) / (asked + 2.0**-10)
        q = min(max(q, 1e-7), 1 - 1e-7)
        mean = size / nonzero if nonzero else 1.4
        bits = _entropy(q) + q
        opened = ((1 - q, zero[below]), (q, first[below])) if below in zero else ()
        zero[c] = merged(q * mean**2, bits, opened)
    return (
        np.array([zero[c].slope for c in range(classes)]),
        np.array([first[c].slope for c in range(classes)]),
    )


def merged(
    gain: float, bits: float, children: tuple[tuple[float, Node], ...], narrower: int = 2
) -> Node:
    """Take children one plane below in, the steepest first, while they raise the slope.

    ``children`` come with how often they are met; their cells are ``narrower`` times narrower.
    What a child itself has left out is less steep than the child, and stays out.
    """
    below = [Node(p * node.gain / narrower**2, p * node.bits) for p, node in children]
    for node in sorted(below, key=lambda node: -node.slope):
        if node.slope * bits <= gain:
            break
        gain, bits = gain + node.gain, bits + node.bits
    return Node(gain, bits)


def _refined(sums: Sums) -> tuple[float, float]:
    zeros, ones, size_0, size_1 = sums
    if min(zeros, ones) < 50:
        return 0.25, 1.0
    q = ones / (zeros + ones)
    apart = size_1 / ones - size_0 / zeros
    return q * (1 - q) * apart**2, _entropy(q)


def _entropy(q: float) -> float:
    return float(-q * np.log2(max(q, TINY)) - (1 - q) * np.log2(max(1 - q, TINY)))
