"""Who is dropped: waiters that left, deadlines that passed or cannot be met."""

from __future__ import annotations

import asyncio

import pytest

from service.due import Due
from service.errors import DeadlineError
from tests.service.inference.manual import advance, turns
from tests.service.inference.stage import Stage, staged

# -- who is dropped ----------------------------------------------------------------------------


@staged
async def test_pictures_whose_waiter_left_do_not_run(stage: Stage) -> None:
    await stage.hold()
    stays, leaves, last = stage.submit(1), stage.submit(2, 3), stage.submit(4)
    await turns()
    leaves.cancel()
    await turns()
    assert leaves.cancelled()
    await advance(0.01)
    stage.network.end()
    assert await stage.network.begun() == [1, 4]
    stage.network.end()
    assert await asyncio.gather(stays, last) == [[10], [40]]
    assert stage.events.dropped == [(2, "client")]


@staged
async def test_a_waiter_that_leaves_in_the_very_turn_of_the_dispatch_is_dropped(
    stage: Stage,
) -> None:
    leaves = stage.submit(1)
    # It is queued and wakes the feeder in the next turn, and is cancelled in that same turn: the
    # feeder sees it before its own task does.
    stage.loop.call_soon(leaves.cancel)
    await turns()
    assert leaves.cancelled()
    assert stage.events.dispatched == []
    assert stage.events.dropped == [(1, "client")]


@staged(max_batch=2)
async def test_the_rest_of_a_cancelled_submit_does_not_run(stage: Stage) -> None:
    leaves = stage.submit(1, 2, 3)
    assert await stage.network.begun() == [1, 2]
    stays = stage.submit(4)
    leaves.cancel()
    await turns()
    stage.network.end()
    assert await stage.network.begun() == [4]
    stage.network.end()
    assert await stays == [40]
    assert stage.events.dropped == [(1, "client")]


@staged(max_batch=2)
async def test_a_result_never_lands_on_a_waiter_that_left(stage: Stage) -> None:
    leaves, stays = stage.submit(1), stage.submit(2)
    assert await stage.network.begun() == [1, 2]
    leaves.cancel()
    await turns()
    assert leaves.cancelled()
    stage.network.end()
    assert await stays == [20]
    assert stage.batcher.alive


@staged
async def test_a_deadline_that_is_over_is_refused_at_once(stage: Stage) -> None:
    with pytest.raises(DeadlineError):
        await stage.batcher.submit([1], stage.loop.now)
    assert stage.network.batches == []
    assert stage.events.dropped == [(1, "deadline")]


@staged
async def test_a_deadline_is_told_when_it_passes_though_the_network_hangs(stage: Stage) -> None:
    held = await stage.hold()
    task = stage.submit(1, 2, deadline=stage.loop.now + 1)
    await advance(0.9)
    assert not task.done()
    await advance(0.2)
    with pytest.raises(DeadlineError):
        await task
    assert stage.batcher.depth == 0
    stage.network.end()
    await held
    await turns()
    assert stage.network.batches == [[-1]]
    assert stage.events.dropped == [(2, "deadline")]


@staged
async def test_a_deadline_may_be_put_off_while_its_pictures_wait(stage: Stage) -> None:
    held, due = await stage.hold(), Due(stage.loop.now + 1)
    task = stage.loop.create_task(stage.batcher.submit([1], due))
    await advance(0.9)
    due.put_off(stage.loop.now + 2)
    due.put_off(stage.loop.now + 1)  # never brought forward
    await advance(1.9)
    assert not task.done()
    await advance(0.2)
    with pytest.raises(DeadlineError):
        await task
    stage.network.end()
    await held
    assert stage.events.dropped == [(1, "deadline")]


@staged
async def test_a_deadline_that_passes_during_its_run_is_told_then(stage: Stage) -> None:
    task = stage.submit(1, deadline=stage.loop.now + 1)
    await stage.network.begun()
    await advance(1)
    with pytest.raises(DeadlineError):
        await task
    stage.network.end()
    await turns()
    assert stage.batcher.alive
    assert stage.events.dropped == []


async def learn(stage: Stage, seconds: float, batches: int = 1) -> None:
    """Let the batcher see that one picture takes so long."""
    for _ in range(batches):
        task = stage.submit(0)
        await stage.network.begun()
        await advance(seconds)
        stage.network.end()
        await task
    await turns()


@staged
async def test_a_deadline_that_cannot_be_met_is_told_before_the_batch_runs(stage: Stage) -> None:
    await learn(stage, seconds=1.0)
    with pytest.raises(DeadlineError):
        await stage.batcher.submit([1], stage.loop.now + 0.9)
    assert stage.network.batches == [[0]]
    assert stage.events.dropped == [(1, "deadline")]


@staged
async def test_a_deadline_that_can_be_met_is(stage: Stage) -> None:
    await learn(stage, seconds=1.0)
    task = stage.submit(1, deadline=stage.loop.now + 1.1)
    await stage.network.begun()
    stage.network.end()
    assert await task == [10]


@staged
async def test_those_that_would_be_late_make_way_for_those_in_time(stage: Stage) -> None:
    await learn(stage, seconds=1.0)
    held = await stage.hold()
    late = stage.submit(1, deadline=stage.loop.now + 1.5)
    stays = [stage.submit(2), stage.submit(3)]
    await advance(1)
    stage.network.end()
    await held
    assert await stage.network.begun() == [2, 3]
    with pytest.raises(DeadlineError):
        await late
    stage.network.end()
    assert await asyncio.gather(*stays) == [[20], [30]]


@staged
async def test_a_smaller_batch_runs_where_the_larger_would_be_late(stage: Stage) -> None:
    await learn(stage, seconds=1.0)
    soon = stage.loop.now + 2.5
    tasks = [stage.submit(item, deadline=soon) for item in range(4)]
    await advance(0.002)
    # Four would take 4 s, two take 2 s: two are in time, and then nobody else can be.
    assert await stage.network.begun() == [0, 1]
    await advance(2)
    stage.network.end()
    assert await asyncio.gather(*tasks[:2]) == [[0], [10]]
    for task in tasks[2:]:
        with pytest.raises(DeadlineError):
            await task
    assert stage.network.batches[1:] == [[0, 1]]


@staged(cost=abs)
async def test_what_costs_too_much_for_its_deadline_makes_way_for_what_does_not(
    stage: Stage,
) -> None:
    held = await stage.hold()
    soon = stage.loop.now + 6
    photo, small = stage.submit(10, deadline=soon), stage.submit(2, deadline=soon)
    await advance(1)
    stage.network.end()
    await held
    assert await stage.network.begun() == [2]
    await advance(2)
    stage.network.end()
    assert await small == [20]
    with pytest.raises(DeadlineError):
        await photo


@staged
async def test_one_stall_does_not_refuse_work_for_ever(stage: Stage) -> None:
    await learn(stage, seconds=60.0)
    refused = 0
    while True:
        task = stage.submit(1, deadline=stage.loop.now + 10)
        await turns(30)
        if not task.done():
            break
        assert isinstance(task.exception(), DeadlineError)
        refused += 1
        assert refused < 10
    assert await stage.network.begun() == [1]
    stage.network.end()
    assert await task == [10]
    assert refused == 3  # 60 s, 30 s, 15 s; 7.5 s fits


@staged
async def test_a_timeout_of_the_waiter_at_its_deadline_counts_as_deadline(stage: Stage) -> None:
    await stage.hold()
    deadline = stage.loop.now + 1

    async def wait() -> None:
        async with asyncio.timeout_at(deadline):
            await stage.batcher.submit([1], deadline)

    task = stage.loop.create_task(wait())
    await advance(1)
    assert isinstance(task.exception(), TimeoutError | DeadlineError)
    assert stage.events.dropped == [(1, "deadline")]
