"""The queue: turns are fair whatever comes, what is counted is what waits."""

from __future__ import annotations

import asyncio
import math

from hypothesis import given
from hypothesis import strategies as st

from service.inference.queue import Queue, Submit

REQUESTS = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=12), min_size=1, max_size=6)


def queued(requests: list[list[int]], loop: asyncio.AbstractEventLoop) -> Queue[int, int]:
    """A submit for each list of costs; items are their costs, of one shape."""
    queue: Queue[int, int] = Queue()
    for costs in requests:
        shapes = [0] * len(costs)
        queue.add(Submit(costs, costs, shapes, math.inf, math.inf, 0.0, loop.create_future()))
    return queue


@given(requests=REQUESTS, sizes=st.lists(st.sampled_from([1, 2, 4, 8]), min_size=1))
def test_nobody_has_two_turns_while_another_waits_for_one(
    requests: list[list[int]], sizes: list[int]
) -> None:
    with asyncio.Runner() as runner:
        queue = queued(requests, runner.get_loop())
    submits = list(queue)
    step = 0
    while queue:
        size = sizes[step % len(sizes)]
        step += 1
        before = {submit: submit.sent for submit in submits}
        waiting = [submit for submit in submits if submit.left]
        choice = queue.choose(size, math.inf, 0.0) or queue.choose(1, math.inf, 0.0)
        assert choice is not None
        parts = queue.cut(choice)
        assert choice.cost == sum(sum(part.items) for part in parts)
        assert queue.depth == sum(submit.left for submit in submits)
        assert queue.cost == sum(submit.cost_left for submit in submits)
        served = {submit: submit.sent - before[submit] for submit in waiting}
        behind = [submit for submit in waiting if submit.left]
        assert max(served.values()) - min([served[s] for s in behind], default=1 << 9) <= 1
        # over all batches too: whoever waited all along had as many turns, but one
        assert len({submit.sent for submit in behind}) <= 2
        if behind:
            assert max(s.sent for s in behind) - min(s.sent for s in behind) <= 1


@given(requests=REQUESTS, limit=st.integers(1, 40), size=st.sampled_from([1, 2, 4, 8]))
def test_a_choice_is_as_many_as_were_asked_for_within_the_cost(
    requests: list[list[int]], limit: int, size: int
) -> None:
    with asyncio.Runner() as runner:
        queue = queued(requests, runner.get_loop())
    choice = queue.choose(size, limit, 0.0)
    if choice is None:
        assert size > 1
        return
    assert sum(choice.counts.values()) == size
    assert size == 1 or choice.cost <= limit
