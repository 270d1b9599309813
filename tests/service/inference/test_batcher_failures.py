"""What every waiter is told when a batch fails, and how a batcher starts, drains and stops."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest

from service.errors import DrainingError, InferenceError
from service.inference import Batcher, Hooks
from tests.service.inference.manual import Network, advance, play, turns
from tests.service.inference.stage import LATER, Stage, staged

# -- failures ----------------------------------------------------------------------------------


@staged
async def test_a_batch_that_fails_tells_every_waiter_and_the_next_one_runs(stage: Stage) -> None:
    tasks = [stage.submit(1), stage.submit(2)]
    await advance(0.002)
    assert await stage.network.begun() == [1, 2]
    fault = ValueError("secret weights at 0xdeadbeef")
    stage.network.end(fault)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [InferenceError, InferenceError]
    assert outcomes[0] is not outcomes[1]
    for outcome in outcomes:
        assert isinstance(outcome, InferenceError)
        assert outcome.__cause__ is fault
        assert "secret" not in str(outcome)
        assert "secret" not in outcome.detail
    assert stage.batcher.alive
    task = stage.submit(3)
    await stage.network.begun()
    stage.network.end()
    assert await task == [30]


@pytest.mark.parametrize("fault", [StopIteration(), MemoryError(), TimeoutError()])
def test_whatever_a_network_raises_is_told(fault: Exception) -> None:
    @staged
    async def body(stage: Stage) -> None:
        task = stage.submit(1)
        await stage.network.begun()
        stage.network.end(fault)
        with pytest.raises(InferenceError) as told:
            await task
        assert told.value.__cause__ is fault
        assert stage.batcher.alive

    body()


@pytest.mark.parametrize("results", [[], [1], [1, 2, 3]])
def test_a_wrong_number_of_results_is_a_failure(results: list[int]) -> None:
    @staged
    async def body(stage: Stage) -> None:
        task = stage.submit(1, 2)
        await stage.network.begun()
        stage.network.end(results)
        with pytest.raises(InferenceError) as told:
            await task
        assert f"2 items gave {len(results)} results" in str(told.value.__cause__)

    body()


@staged(max_batch=2)
async def test_a_submit_over_many_batches_fails_once_and_its_rest_does_not_run(
    stage: Stage,
) -> None:
    fails = stage.submit(*range(6))
    assert await stage.network.begun() == [0, 1]
    stage.network.end()
    assert await stage.network.begun() == [2, 3]
    stays = stage.submit(7)
    stage.network.end(ValueError())
    with pytest.raises(InferenceError):
        await fails
    assert await stage.network.begun() == [7]
    stage.network.end()
    assert await stays == [70]
    assert stage.batcher.depth == 0
    assert stage.events.dropped == []


@staged(max_batch=1)
async def test_a_dead_thread_fails_everyone_at_once_and_is_seen(stage: Stage) -> None:
    assert stage.batcher.alive
    running = await stage.hold()
    waiting = stage.submit(1)
    await turns()
    fault = SystemExit("the thread is gone")
    stage.network.end(fault)
    for task in (running, waiting):
        with pytest.raises(InferenceError) as told:
            await task
        assert told.value.__cause__ is fault
    assert not stage.batcher.alive
    assert stage.batcher.depth == 0
    with pytest.raises(InferenceError):
        await stage.batcher.submit([2], LATER)
    await stage.batcher.drain()
    assert not stage.batcher.alive


def test_a_crash_of_the_task_fails_everyone_at_once_and_is_seen() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        network, fault = Network(), ZeroDivisionError()

        def raising(*_: object) -> None:
            raise fault

        hooks = replace(Hooks(), dispatched=raising)
        batcher = Batcher(
            "net", network, max_batch=1, max_delay_ms=2, queue_limit=9, on_event=hooks
        )
        batcher.start()
        tasks = [loop.create_task(batcher.submit([item], LATER)) for item in range(3)]
        for task in tasks:
            with pytest.raises(InferenceError) as told:
                await task
            assert told.value.__cause__ is fault
        assert not batcher.alive
        assert batcher.depth == 0
        with pytest.raises(InferenceError):
            await batcher.submit([1], LATER)

    play(main)


# -- life --------------------------------------------------------------------------------------


@staged
async def test_everything_is_computed_in_one_thread_that_is_not_the_loops(stage: Stage) -> None:
    for item in range(3):
        task = stage.submit(item)
        await stage.network.begun()
        stage.network.end()
        await task
    assert len(stage.network.threads) == 1
    assert threading.get_ident() not in stage.network.threads


@staged
async def test_draining_refuses_new_work_and_finishes_what_was_accepted(stage: Stage) -> None:
    running = await stage.hold()
    waiting = [stage.submit(1), stage.submit(2)]
    await turns()
    drain = stage.loop.create_task(stage.batcher.drain())
    await turns()
    with pytest.raises(DrainingError):
        await stage.batcher.submit([3], LATER)
    assert stage.batcher.alive
    stage.network.end()
    # No time passes: who drains has nobody to wait for.
    assert await stage.network.begun() == [1, 2]
    assert not drain.done()
    stage.network.end()
    await drain
    assert await asyncio.gather(running, *waiting) == [[-10], [10], [20]]
    assert stage.batcher.alive
    assert stage.batcher.depth == 0


def batcher_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "prefixel-lives"]


def test_starting_draining_and_stopping_twice_is_the_same_as_once() -> None:
    async def main() -> None:
        batcher: Batcher[int, int] = Batcher(
            "lives", list, max_batch=1, max_delay_ms=0, queue_limit=1
        )
        assert not batcher.alive
        with pytest.raises(RuntimeError, match="not started"):
            await batcher.submit([1], LATER)
        batcher.start()
        batcher.start()
        assert batcher.alive
        (thread,) = batcher_threads()
        assert await batcher.submit([1], LATER) == [1]
        await asyncio.gather(batcher.drain(), batcher.drain())
        await batcher.drain()
        batcher.stop()
        batcher.stop()
        batcher.start()
        with pytest.raises(DrainingError):
            await batcher.submit([1], LATER)
        thread.join(10)
        assert batcher_threads() == []

    play(main)


def test_one_that_was_stopped_before_it_started_does_not_start() -> None:
    async def main() -> None:
        batcher: Batcher[int, int] = Batcher(
            "lives", list, max_batch=1, max_delay_ms=0, queue_limit=1
        )
        batcher.stop()
        await batcher.drain()
        with pytest.raises(RuntimeError, match="stopped"):
            batcher.start()
        assert batcher_threads() == []

    play(main)


@staged
async def test_stopping_fails_what_a_drain_could_not_finish(stage: Stage) -> None:
    running = await stage.hold()
    waiting = stage.submit(1)
    await turns()
    drain = stage.loop.create_task(asyncio.wait_for(stage.batcher.drain(), 1))
    await advance(1.1)
    with pytest.raises(TimeoutError):
        await drain
    stage.batcher.stop()
    outcomes = await asyncio.gather(running, waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DrainingError, DrainingError]
    assert stage.batcher.depth == 0
    stage.network.end()
    await turns()
    assert stage.network.batches == [[-1]]


@staged
async def test_hooks_tell_depth_and_durations(stage: Stage) -> None:
    task = stage.submit(1, 2, 3)
    for _ in range(2):
        await stage.network.begun()
        await advance(0.25)
        stage.network.end()
    await task
    assert stage.events.depths == [3, 1, 0]
    assert stage.events.ran == [(2, 0.25), (1, 0.25)]
    assert stage.events.waited == [0.0]
    assert stage.events.dropped == []


@pytest.mark.parametrize(
    ("max_batch", "max_delay_ms", "queue_limit"),
    [(0, 1, 1), (3, 1, 1), (128, 1, 1), (1, -1, 1), (1, 1, 0)],
)
def test_bounds_that_make_no_sense_are_refused(
    max_batch: int, max_delay_ms: float, queue_limit: int
) -> None:
    with pytest.raises(ValueError, match=r"max_batch|queue_limit"):
        Batcher(
            "net",
            list,
            max_batch=max_batch,
            max_delay_ms=max_delay_ms,
            queue_limit=queue_limit,
        )
