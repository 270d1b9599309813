"""ParallelSlices of a batch: each index once, in several threads where there is enough to do."""

from __future__ import annotations

import threading

import pytest

from service.codec.parallel_slices import LEAST, ParallelSlices


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, LEAST, 2 * LEAST, 65])
def test_every_index_is_worked_on_once(threads: int, count: int) -> None:
    seen: list[int] = []
    ParallelSlices(threads).run(lambda part: seen.extend(range(count)[part]), count)
    assert sorted(seen) == list(range(count))


@pytest.mark.parametrize(("count", "most"), [(1, 1), (7, 1), (64, 8), (65, 8), (9, 100)])
def test_a_stretch_is_no_longer_than_asked(count: int, most: int) -> None:
    seen: list[slice] = []
    ParallelSlices(2).run(seen.append, count, most)
    assert sorted(i for part in seen for i in range(count)[part]) == list(range(count))
    assert max(part.stop - part.start for part in seen) <= most


def test_two_slices_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)  # breaks where one waits for the other to end
    ParallelSlices(2).run(lambda part: both.wait() and None, 2 * LEAST)


def test_a_failure_is_raised() -> None:
    def fail(part: slice) -> None:
        if part.start:
            raise ValueError("the second stretch")

    with pytest.raises(ValueError, match="the second stretch"):
        ParallelSlices(2).run(fail, 2 * LEAST)
