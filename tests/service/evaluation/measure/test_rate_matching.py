"""The paper's rule, and reading a curve between its points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.evaluation.measure.rate_matching import at_exactly, nearest_not_under

rates_lists = st.lists(st.integers(1, 300), min_size=1, max_size=40)
targets = st.integers(1, 320)


def chosen(rates: list[int], target: float) -> tuple[int, bool, bool]:
    choice = nearest_not_under(np.array([rates], float), np.array([float(target)]))
    return int(choice.index[0]), bool(choice.over[0]), bool(choice.under[0])


@given(rates_lists, targets)
def test_the_choice_is_the_cheapest_that_is_not_under(rates: list[int], target: int) -> None:
    index, over, under = chosen(rates, target)
    enough = [rate for rate in rates if rate >= target]
    assert rates[index] == (min(enough) if enough else max(rates))
    assert under == (not enough)
    assert over == all(rate > target for rate in rates)


@given(rates_lists, targets)
def test_of_equal_rates_the_better_setting_is_taken(rates: list[int], target: int) -> None:
    index, _, _ = chosen(rates, target)
    assert rates[index] not in rates[index + 1 :]


@given(rates_lists, targets, targets)
def test_a_larger_target_never_chooses_less(rates: list[int], one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert rates[chosen(rates, low)[0]] <= rates[chosen(rates, high)[0]]


@given(st.lists(rates_lists, min_size=1, max_size=5), targets)
def test_pictures_are_chosen_for_one_by_one(rows: list[list[int]], target: int) -> None:
    longest = max(map(len, rows))
    padded = np.array([[row[0]] * (longest - len(row)) + row for row in rows], float)
    together = nearest_not_under(padded, np.full(len(rows), float(target)))
    for row, index in zip(padded, together.index, strict=True):
        assert row[index] == row[chosen([int(rate) for rate in row], target)[0]]


@given(st.lists(st.integers(1, 300), min_size=2, max_size=20, unique=True), targets)
def test_between_settings_the_score_is_linear(rates: list[int], target: int) -> None:
    """On a curve that is a straight line interpolation gives the line back."""
    scores = [3 * rate + 7 for rate in rates]
    found = at_exactly(
        np.array([rates], float), np.array([scores], float), np.array([target * 1.0])
    )
    if target < min(rates):
        assert np.isnan(found[0])
    else:
        assert found[0] == pytest.approx(3 * min(target, max(rates)) + 7)


def test_settings_out_of_order_and_of_equal_rate() -> None:
    rates = np.array([[60.0, 50.0, 50.0, 80.0]])
    scores = np.array([[2.0, 1.0, 4.0, 10.0]])
    assert at_exactly(rates, scores, np.array([50.0]))[0] == 4  # the later of the two at 50
    assert at_exactly(rates, scores, np.array([55.0]))[0] == 3
    assert at_exactly(rates, scores, np.array([90.0]))[0] == 10  # what it cannot spend it keeps
    assert np.isnan(at_exactly(rates, scores, np.array([49.0]))[0])
