"""A burst of deaths costs seconds; only a minute without any process that is ready is hopeless."""

from __future__ import annotations

from service.serving.pace import HOPELESS_SECONDS, LONGEST_SECONDS, WINDOW_SECONDS, Pace


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_first_death_of_each_process_costs_nothing_and_later_ones_seconds() -> None:
    pace = Pace(4, Clock())
    assert [pace.died() for _ in range(4)] == [0.0] * 4
    later = [pace.died() for _ in range(100)]
    assert later == sorted(later)
    assert later[0] > 0
    assert later[-1] == LONGEST_SECONDS


def test_deaths_are_forgotten_by_time() -> None:
    clock = Clock()
    pace = Pace(1, clock)
    for _ in range(20):
        pace.died()
    clock.now += WINDOW_SECONDS + 1
    assert pace.died() == 0.0


def test_no_number_of_deaths_is_hopeless_and_a_minute_without_any_that_is_ready_is() -> None:
    clock = Clock()
    pace = Pace(2, clock)
    for _ in range(1000):
        pace.died()
        assert not pace.is_hopeless
    clock.now += HOPELESS_SECONDS + 1
    assert pace.is_hopeless
    pace.saw_ready()
    assert not pace.is_hopeless
