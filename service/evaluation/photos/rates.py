"""Bjontegaard rates of photos: by the mean curve, and the mean over photos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.evaluation.measure.metrics import Metric
from service.evaluation.measure.rate_difference import rate_difference, rising
from service.evaluation.photos.measuring import Points

Floats = NDArray[np.float64]
LEAST_POINTS = 4
"""Of a cubic."""


@dataclass(frozen=True)
class Rate:
    """Percent of rate more than the anchor for the same quality (negative: less).

    ``mean_curve`` compares the means of all photos at each setting; ``per_photo`` is the mean of
    the photos' own differences, over ``photos`` of them. None where curves do not overlap.
    """

    mean_curve: float | None
    per_photo: float | None
    photos: int


def rate_of(
    anchor: Points, test: Points, at: int, measure: Metric, span: tuple[float, float]
) -> Rate:
    """Of scores ``[..., at]``; ``span`` are the bits a pixel that both curves are clipped to."""

    def difference(first: tuple[Floats, Floats], second: tuple[Floats, Floats]) -> float | None:
        try:
            pair = *clipped(*first, span), *clipped(*second, span)
            return rate_difference(*pair, least_points=LEAST_POINTS).percent
        except ValueError:  # too few points, or no quality in common
            return None

    def mean(points: Points) -> tuple[Floats, Floats]:
        return points.bpp.mean(0), measure.decibels(points.scores[..., at].mean(0))

    def own(points: Points, photo: int) -> tuple[Floats, Floats]:
        return points.bpp[photo], measure.decibels(points.scores[photo, :, at])

    each = [difference(own(anchor, i), own(test, i)) for i in range(len(anchor.bpp))]
    found = [percent for percent in each if percent is not None]
    return Rate(
        difference(mean(anchor), mean(test)), float(np.mean(found)) if found else None, len(found)
    )


def clipped(rates: Floats, quality: Floats, span: tuple[float, float]) -> tuple[Floats, Floats]:
    """The part of a curve within ``span``, its ends interpolated (PCHIP over log rate).

    Nothing is extrapolated: a curve that ends earlier keeps its own end.
    """
    rates, quality = rising(rates, quality)
    inside = (rates >= span[0]) & (rates <= span[1])
    ends = [end for end in span if rates[0] < end < rates[-1] and end not in rates]
    if not ends:
        return rates[inside], quality[inside]
    wanted = np.sort(np.concatenate([rates[inside], ends]))
    return wanted, quality_at(rates, quality, wanted)


def quality_at(rates: Floats, quality: Floats, wanted: Floats) -> Floats:
    """A curve between its points (PCHIP over log rate); NaN outside them."""
    from scipy.interpolate import PchipInterpolator

    if len(rates) < 2:
        return np.where(np.isclose(wanted, rates[0]), quality[0], np.nan)
    curve = PchipInterpolator(np.log(rates), quality, extrapolate=False)
    return np.asarray(curve(np.log(wanted)), np.float64)
