"""Bjontegaard differences agree with published ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.evaluation.measure.rate_difference import rate_difference, rising

pytest.importorskip("bjontegaard")

Points = list[tuple[float, float]]

# Rate and PSNR of two sequences, with the differences that the JCT-VC's tables give (JCTVC-E137).
PUBLISHED = [
    (
        [
            (108048.8736, 43.6471),
            (61279.976, 40.3953),
            (33905.6656, 37.247),
            (18883.6928, 34.2911),
        ],
        [
            (108061.2784, 43.6768),
            (61299.9936, 40.4232),
            (33928.7472, 37.2761),
            (18910.912, 34.3147),
        ],
        -0.465215420752807,
    ),
    (
        [(40433.8848, 37.5761), (7622.7456, 35.3756), (2394.488, 33.8977), (1017.6184, 32.0603)],
        [(40370.12, 37.5982), (7587.0024, 35.4025), (2390.0944, 33.9194), (1017.0984, 32.0822)],
        -1.8779823450567612,
    ),
]


def arrays(points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.array([p[0] for p in points]), np.array([p[1] for p in points])


@pytest.mark.parametrize(("anchor", "test", "percent"), PUBLISHED)
def test_published_pairs(anchor: Points, test: Points, percent: float) -> None:
    found = rate_difference(*arrays(anchor), *arrays(test), least_points=4)
    assert found.percent == pytest.approx(percent, abs=1e-9)
    assert found.overlap > 0.99
    assert found.points == (4, 4)


def curve(scale: float = 1.0, low: float = 20, high: float = 40) -> tuple[NDArray[np.float64], ...]:
    quality = np.linspace(low, high, 15)
    return scale * 2 ** (quality / 4), quality


@given(st.floats(0.2, 5))
def test_a_curve_at_a_multiple_of_the_rate_differs_by_that(scale: float) -> None:
    found = rate_difference(*curve(), *curve(scale))
    assert found.percent == pytest.approx(100 * (scale - 1), abs=1e-6)
    assert found.overlap == pytest.approx(1)


def test_the_difference_is_over_the_common_range_alone() -> None:
    found = rate_difference(*curve(low=20, high=35), *curve(2.0, low=30, high=40))
    assert found.percent == pytest.approx(100, abs=1e-6)
    assert (found.low, found.high, found.overlap) == (30, 35, 0.25)


def test_curves_apart_have_no_difference() -> None:
    with pytest.raises(ValueError, match="overlap"):
        rate_difference(*curve(low=10, high=20), *curve(low=21, high=30))


def test_too_few_points_are_refused() -> None:
    rates, quality = curve()
    with pytest.raises(ValueError, match="11 points; 12"):
        rate_difference(rates[:11], quality[:11], rates, quality)
    with pytest.raises(ValueError, match="0 points"):
        rate_difference(np.array([]), np.array([]), rates, quality)


@given(st.lists(st.tuples(st.integers(1, 99), st.integers(0, 50)), min_size=1, max_size=30))
def test_what_is_left_of_a_curve_rises_and_is_its_best(points: list[tuple[int, int]]) -> None:
    rates, quality = rising(*arrays([(float(r), float(q)) for r, q in points]))
    assert (np.diff(rates) > 0).all()
    assert (np.diff(quality) > 0).all()
    assert rates[0] == min(r for r, _ in points)
