"""The batcher's promises: what is sent off when, how large, and how much may wait."""

from __future__ import annotations

import asyncio

import pytest

from service.errors import QueueFullError
from service.inference import Batcher
from tests.service.inference.manual import Events, advance, play, turns
from tests.service.inference.stage import LATER, Stage, staged

# -- when a batch is sent off, and how large ---------------------------------------------------


@staged
async def test_a_lone_request_is_sent_off_without_any_wait(stage: Stage) -> None:
    task = stage.submit(7)
    assert await stage.network.begun() == [7]
    stage.network.end()
    assert await task == [70]
    assert stage.events.dispatched == [(1, "idle")]
    assert stage.events.waited == [0.0]


@staged
async def test_a_lone_request_of_many_pictures_is_not_delayed_either(stage: Stage) -> None:
    task = stage.submit(*range(5))
    for expected in ([0, 1, 2, 3], [4]):
        assert await stage.network.begun() == expected
        stage.network.end()
    assert await task == [0, 10, 20, 30, 40]
    assert stage.events.dispatched == [(4, "idle"), (1, "idle")]


@staged(max_batch=4)
async def test_a_full_batch_is_sent_off_at_once(stage: Stage) -> None:
    tasks = [stage.submit(item) for item in range(4)]
    assert await stage.network.begun() == [0, 1, 2, 3]
    assert stage.events.dispatched == [(4, "full")]
    stage.network.end()
    assert await asyncio.gather(*tasks) == [[0], [10], [20], [30]]


@staged(max_batch=4)
async def test_a_batch_that_fills_while_it_waits_is_sent_off(stage: Stage) -> None:
    tasks = [stage.submit(item) for item in range(2)]
    await advance(0.001)
    assert stage.events.dispatched == []
    tasks += [stage.submit(item) for item in (2, 3)]
    assert await stage.network.begun() == [0, 1, 2, 3]
    assert stage.events.dispatched == [(4, "full")]


@staged
async def test_some_wait_for_more_but_the_oldest_no_longer_than_the_delay(stage: Stage) -> None:
    tasks = [stage.submit(1), stage.submit(2)]
    await advance(0.0015)
    tasks += [stage.submit(3), stage.submit(4)]
    await advance(0.0004)
    assert stage.events.dispatched == []
    await advance(0.0002)
    assert await stage.network.begun() == [1, 2, 3, 4]
    assert stage.events.dispatched == [(4, "delay")]
    assert stage.events.waited == pytest.approx([0.0021, 0.0021, 0.0006, 0.0006])
    stage.network.end()
    assert await asyncio.gather(*tasks) == [[10], [20], [30], [40]]


@staged
async def test_one_whose_companions_left_waits_no_more(stage: Stage) -> None:
    stays, leaves = stage.submit(1), stage.submit(2)
    await turns()
    assert stage.events.dispatched == []
    leaves.cancel()
    assert await stage.network.begun() == [1]
    stage.network.end()
    assert await stays == [10]


@staged
async def test_what_waited_during_a_run_goes_next_without_another_delay(stage: Stage) -> None:
    held = await stage.hold()
    tasks = [stage.submit(1), stage.submit(2)]
    await advance(0.5)
    stage.network.end()
    assert await held == [-10]
    assert await stage.network.begun() == [1, 2]
    assert stage.events.dispatched[-1] == (2, "delay")
    stage.network.end()
    await asyncio.gather(*tasks)


@pytest.mark.parametrize("pictures", [1, 2, 3, 7, 31, 33, 63, 64, 65, 100, 129])
def test_pictures_are_cut_into_fixed_sizes_and_never_padded(pictures: int) -> None:
    async def main() -> None:
        sizes: list[int] = []

        def run(items: list[int]) -> list[int]:
            sizes.append(len(items))
            return items

        batcher = Batcher("net", run, max_batch=64, max_delay_ms=2, queue_limit=512)
        batcher.start()
        assert await batcher.submit(range(pictures), LATER) == list(range(pictures))
        await batcher.drain()
        rest = [2**bit for bit in reversed(range(6)) if pictures % 64 & 2**bit]
        assert sizes == [64] * (pictures // 64) + rest

    play(main)


@staged(max_batch=8)
async def test_the_largest_batch_is_a_bound(stage: Stage) -> None:
    task = stage.submit(*range(20))
    for size in (8, 8, 4):
        assert len(await stage.network.begun()) == size
        stage.network.end()
    assert await task == [10 * item for item in range(20)]


@staged(max_batch=2)
async def test_submits_take_turns_picture_by_picture(stage: Stage) -> None:
    await stage.hold()
    tasks = [stage.submit(0, 1, 2), stage.submit(3), stage.submit(4, 5)]
    await turns()
    stage.network.end()
    for expected in ([0, 3], [4, 1], [5, 2]):
        assert await stage.network.begun() == expected
        stage.network.end()
    assert await asyncio.gather(*tasks) == [[0, 10, 20], [30], [40, 50]]


@staged(max_batch=4)
async def test_a_large_request_does_not_hold_up_a_small_one(stage: Stage) -> None:
    await stage.hold()
    large = stage.submit(*range(100))
    await turns()
    small = stage.submit(200)
    await turns()
    stage.network.end()
    assert await stage.network.begun() == [200, 0, 1, 2]
    stage.network.end()
    assert await small == [2000]
    assert not large.done()


# -- what costs more or has another shape -------------------------------------------------------


@staged(cost=abs, batch_cost=10)
async def test_a_batch_costs_no_more_than_its_bound_unless_it_is_one_picture(stage: Stage) -> None:
    await stage.hold()
    tasks = [stage.submit(item) for item in (4, 4, 4, 30, 5, 5)]
    await turns()
    stage.network.end()
    for expected in ([4, 4], [4], [30], [5, 5]):
        assert await stage.network.begun() == expected
        stage.network.end()
    await asyncio.gather(*tasks)


@staged(cost=abs, batch_cost=10)
async def test_a_batch_that_is_full_in_cost_is_sent_off_at_once(stage: Stage) -> None:
    tasks = [stage.submit(5), stage.submit(6)]
    await turns()
    assert stage.events.dispatched == [(1, "full")]
    assert await stage.network.begun() == [5]
    stage.network.end()
    assert await stage.network.begun() == [6]
    stage.network.end()
    await asyncio.gather(*tasks)


@staged(shape=lambda item: item % 10)
async def test_a_batch_has_one_shape_and_results_keep_their_order(stage: Stage) -> None:
    await stage.hold()
    tasks = [stage.submit(11, 12, 21), stage.submit(31), stage.submit(22)]
    await turns()
    await advance(1)
    stage.network.end()
    for expected in ([11, 31], [22, 12], [21]):
        assert sorted(await stage.network.begun()) == sorted(expected)
        stage.network.end()
    assert await asyncio.gather(*tasks) == [[110, 120, 210], [310], [220]]


@staged(cost=abs, queue_cost=10)
async def test_the_queue_is_bounded_in_cost(stage: Stage) -> None:
    await stage.hold()
    tasks = [stage.submit(30)]  # alone, whatever it costs
    await turns()
    assert stage.batcher.full
    with pytest.raises(QueueFullError, match="as much work as may"):
        await stage.batcher.submit([1], LATER)
    tasks[0].cancel()
    await turns()
    assert not stage.batcher.full
    tasks += [stage.submit(3), stage.submit(7)]
    await turns()
    with pytest.raises(QueueFullError):
        await stage.batcher.submit([1], LATER)


@staged
async def test_nothing_in_is_nothing_out(stage: Stage) -> None:
    assert await stage.batcher.submit([], LATER) == []
    assert stage.events == Events()


# -- the bound ---------------------------------------------------------------------------------


@staged(queue_limit=8)
async def test_the_queue_is_bounded_in_pictures_and_says_so_at_once(stage: Stage) -> None:
    await stage.hold()
    tasks = [stage.submit(*range(5))]
    await turns()
    assert stage.batcher.depth == 5
    with pytest.raises(QueueFullError, match="limit of 8"):
        await stage.batcher.submit([1, 2, 3, 4], LATER)
    assert stage.batcher.depth == 5
    tasks.append(stage.submit(5, 6, 7))
    await turns()
    assert stage.batcher.depth == 8
    with pytest.raises(QueueFullError):
        await stage.batcher.submit([1], LATER)
    assert stage.events.depths[-1] == 8


@staged(queue_limit=2)
async def test_the_running_batch_takes_no_place_in_the_queue(stage: Stage) -> None:
    await stage.hold()
    assert stage.batcher.depth == 0
    tasks = [stage.submit(1), stage.submit(2)]
    await turns()
    assert [task.done() for task in tasks] == [False, False]


@staged(queue_limit=2)
async def test_whoever_leaves_frees_the_place_at_once(stage: Stage) -> None:
    await stage.hold()
    for _ in range(50):
        task = stage.submit(1, 2)
        await turns()
        task.cancel()
        await asyncio.wait((task,))
        assert stage.batcher.depth == 0
    assert stage.events.dropped == [(2, "client")] * 50
