"""Which of a codec's settings answers a target, and what it would score at exactly that rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """``index`` int [I] of the setting chosen for each picture; the rest are bool [I].

    ``over``: even the smallest setting is over the target. ``under``: even the largest is under.
    """

    index: NDArray[np.intp]
    over: NDArray[np.bool_]
    under: NDArray[np.bool_]


def nearest_not_under(rates: Floats, targets: Floats) -> Choice:
    """For each picture the setting whose rate is nearest its target but never under it.

    ``rates`` [I, S] with settings in ascending quality, ``targets`` [I] (Toderici et al. 2015,
    Table 1). Of equal rates the better setting is taken. Where all settings stay under the target
    the largest is taken; where all are over it, the smallest.
    """
    reach = rates >= targets[:, None]
    distance = np.where(reach, rates, np.inf)
    under = ~reach.any(axis=1)
    distance[under] = -rates[under]
    last_of_equals = distance.shape[1] - 1 - np.argmin(distance[:, ::-1], axis=1)
    over = np.asarray(rates.min(axis=1) > targets)
    return Choice(last_of_equals.astype(np.intp), over, np.asarray(under))


def at_exactly(rates: Floats, scores: Floats, targets: Floats) -> Floats:
    """Score [I] at exactly the target rate, linear between each picture's neighbouring settings.

    NaN where even a picture's smallest setting is over the target: nothing is extrapolated. Where
    even the largest is under it, the largest scores: the rest of the budget stays unspent. Of
    equal rates the better setting counts.
    """
    found = np.full(len(rates), np.nan)
    for picture, (rate, score, target) in enumerate(zip(rates, scores, targets, strict=True)):
        # A stable sort of the reversed settings leads each run of equal rates with the best one.
        kept, first = np.unique(rate[::-1], return_index=True)
        if kept[0] <= target:
            found[picture] = np.interp(target, kept, score[::-1][first])
    return found
