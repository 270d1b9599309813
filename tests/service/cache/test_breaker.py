"""When the breaker opens, whom it lets through, and when it closes."""

from __future__ import annotations

import pytest

from service.cache.breaker import PROBE, Breaker
from service.cache.store import Event
from service.errors import CacheUnavailableError
from tests.service.cache.conftest import Clock


@pytest.fixture
def breaker(clock: Clock, events: list[Event]) -> Breaker:
    return Breaker(3, 2.0, events.append, clock)


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.failed(breaker.admit())


def test_it_opens_at_the_last_of_so_many_failures_in_a_row(
    breaker: Breaker, events: list[Event]
) -> None:
    fail(breaker, 2)
    assert not breaker.is_open
    fail(breaker, 1)
    assert breaker.is_open
    assert events == ["breaker_open"]
    with pytest.raises(CacheUnavailableError):
        breaker.admit()


def test_an_answer_in_between_starts_the_count_again(breaker: Breaker) -> None:
    for _ in range(10):
        fail(breaker, 2)
        breaker.answered(breaker.admit())
    assert not breaker.is_open


def test_calls_that_were_under_way_together_fail_as_one(breaker: Breaker) -> None:
    for _ in range(2):
        together = [breaker.admit() for _ in range(100)]
        for ticket in together:
            breaker.failed(ticket)
    assert not breaker.is_open
    fail(breaker, 1)
    assert breaker.is_open


def test_after_its_time_one_probe_goes_through_and_the_others_wait(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, 3)
    clock.now += 1.99
    with pytest.raises(CacheUnavailableError):
        breaker.admit()
    clock.now += 0.02
    assert breaker.admit() == PROBE
    with pytest.raises(CacheUnavailableError):
        breaker.admit()


def test_a_probe_that_is_answered_closes_it(
    breaker: Breaker, clock: Clock, events: list[Event]
) -> None:
    fail(breaker, 3)
    clock.now += 2
    breaker.answered(breaker.admit())
    assert events == ["breaker_open", "breaker_closed"]
    fail(breaker, 2)
    assert breaker.admit() != PROBE


def test_a_probe_that_fails_opens_it_for_as_long_again(
    breaker: Breaker, clock: Clock, events: list[Event]
) -> None:
    fail(breaker, 3)
    clock.now += 2
    breaker.failed(breaker.admit())
    clock.now += 1.99
    with pytest.raises(CacheUnavailableError):
        breaker.admit()
    clock.now += 0.02
    assert breaker.admit() == PROBE
    assert events == ["breaker_open"]


def test_a_probe_whose_caller_left_makes_room_for_another(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 2
    breaker.left(breaker.admit())
    assert breaker.admit() == PROBE


def test_failures_of_calls_from_before_the_opening_do_not_prolong_it(
    breaker: Breaker, clock: Clock
) -> None:
    early = [breaker.admit() for _ in range(5)]
    fail(breaker, 3)
    clock.now += 1.9
    for ticket in early:
        breaker.failed(ticket)
    clock.now += 0.1
    assert breaker.admit() == PROBE
