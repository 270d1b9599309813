"""Bjontegaard rate differences between two curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_POINTS = 12


@dataclass(frozen=True)
class RateDifference:
    """How much more rate (percent; negative: less) a test curve takes for the same quality.

    ``overlap`` is the share of both curves' range of quality that they have in common, over which
    the difference is the mean; ``low`` and ``high`` are its ends in dB; ``points`` how many each
    curve gave.
    """

    percent: float
    overlap: float
    low: float
    high: float
    points: tuple[int, int]


def rate_difference(
    anchor_rates: NDArray[np.float64],
    anchor_decibels: NDArray[np.float64],
    rates: NDArray[np.float64],
    decibels: NDArray[np.float64],
    least_points: int = LEAST_POINTS,
) -> RateDifference:
    """Bjontegaard's rate difference (VCEG-M33), piecewise cubic as JCT-VC computes it (PCHIP).

    Rates ascend; quality is in dB. A point that does not improve on all before it is left out.
    Raises ValueError when a curve has fewer than ``least_points`` left, or nothing overlaps.
    """
    import bjontegaard

    anchor = rising(anchor_rates, anchor_decibels)
    test = rising(rates, decibels)
    points = len(anchor[0]), len(test[0])
    if min(points) < least_points:
        raise ValueError(f"{min(points)} points; {least_points} are needed")
    low, high = max(anchor[1][0], test[1][0]), min(anchor[1][-1], test[1][-1])
    if low >= high:
        raise ValueError("the curves do not overlap")
    whole = max(anchor[1][-1], test[1][-1]) - min(anchor[1][0], test[1][0])
    percent = bjontegaard.bd_rate(
        *anchor, *test, method="pchip", require_matching_points=False, min_overlap=0
    )
    return RateDifference(
        float(percent), float((high - low) / whole), float(low), float(high), points
    )


def rising(
    rates: NDArray[np.float64], decibels: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The points, in order of rate, that are better than all that cost less."""
    order = np.argsort(rates, kind="stable")
    rates, decibels = rates[order], decibels[order]
    best_before = np.concatenate([[-np.inf], np.maximum.accumulate(decibels)[:-1]])
    dearer = np.concatenate([[True], np.diff(rates) > 0])
    kept = (decibels > best_before) & dearer
    return rates[kept], decibels[kept]
