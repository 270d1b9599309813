"""The estimate of a batch's duration: exact on a line, quick to follow, never negative."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.inference.estimate import MEMORY_BATCHES, RunTime

SIZES = st.sampled_from([1, 2, 4, 8, 16, 32, 64])


@given(
    a=st.floats(0, 1),
    b=st.floats(0, 1),
    sizes=st.lists(SIZES, min_size=2, max_size=40).filter(lambda sizes: len(set(sizes)) > 1),
    asked=SIZES,
)
def test_batches_on_a_line_give_that_line(a: float, b: float, sizes: list[int], asked: int) -> None:
    run_time = RunTime()
    for size in sizes:
        run_time.add(size, a * size + b)
    assert run_time.seconds(asked) == pytest.approx(a * asked + b, rel=1e-4, abs=1e-5)


@given(st.lists(st.tuples(SIZES, st.floats(0, 100)), max_size=60), SIZES)
def test_an_estimate_is_never_negative_and_grows_with_the_batch(
    batches: list[tuple[int, float]], asked: int
) -> None:
    run_time = RunTime()
    for pictures, seconds in batches:
        run_time.add(pictures, seconds)
    assert 0 <= run_time.seconds(asked) <= run_time.seconds(2 * asked)


def test_a_line_that_starts_below_zero_is_bent_to_start_at_it() -> None:
    run_time = RunTime()
    run_time.add(2, 0.0)
    run_time.add(4, 1.0)
    assert 0 < run_time.seconds(1) < run_time.seconds(4) < 1


def test_nothing_is_refused_before_the_first_batch() -> None:
    assert RunTime().seconds(64) == 0


def test_one_size_alone_is_taken_as_proportional() -> None:
    run_time = RunTime()
    for _ in range(100):
        run_time.add(4, 0.2)
    assert run_time.seconds(4) == pytest.approx(0.2)
    assert run_time.seconds(64) == pytest.approx(3.2)


def test_a_machine_that_changes_is_followed() -> None:
    run_time = RunTime()
    for _ in range(100):
        for size in (1, 8):
            run_time.add(size, 0.1 * size)
    for _ in range(3 * MEMORY_BATCHES):
        for size in (1, 8):
            run_time.add(size, 0.01 * size + 0.02)
    assert run_time.seconds(8) == pytest.approx(0.1, rel=0.05)
    assert run_time.seconds(1) == pytest.approx(0.03, rel=0.05)


def test_doubt_halves_the_estimate() -> None:
    run_time = RunTime()
    run_time.add(1, 1.0)
    run_time.add(2, 1.5)
    run_time.doubt()
    assert run_time.seconds(2) == pytest.approx(0.75)


def test_small_pictures_do_not_say_that_a_large_one_takes_for_ever():
    """Ten icons took 20 ms each; a photo of 16 megapixels costs a million times as much."""
    found = RunTime(unit_seconds=1e-9)
    for _ in range(10):
        found.add(700, 0.02)
    assert found.seconds(700) == pytest.approx(0.02)
    assert found.seconds(11_700_000_000) < 25
    found.add(2_000_000_000, 2.4)
    assert found.seconds(11_700_000_000) == pytest.approx(14, rel=0.5)
    assert RunTime().seconds(5) == 0
