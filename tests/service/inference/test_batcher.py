"""The batcher's promises: what is sent off when, what is not, and what every waiter is told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from service.errors import DeadlineError, DrainingError, InferenceError, QueueFullError
from service.inference import Batcher, Hooks
from tests.service.inference.manual import Events, ManualLoop, Network, advance, play, turns

LATER = 10_000.0
"""A deadline that no test reaches."""


@dataclass
class Stage:
    """A started batcher before a network that the test holds in its hand."""

    batcher: Batcher[int, int]
    network: Network
    events: Events
    loop: ManualLoop
    tasks: list[asyncio.Task[list[int]]] = field(default_factory=list)

    def submit(self, *items: int, deadline: float = LATER) -> asyncio.Task[list[int]]:
        task = self.loop.create_task(self.batcher.submit(items, deadline))
        self.tasks.append(task)
        return task

    async def hold(self, item: int = -1) -> asyncio.Task[list[int]]:
        """Keep the network busy with one picture until the test ends that batch."""
        task = self.submit(item)
        assert await self.network.begun() == [item]
        return task


def staged(
    test: Callable[[Stage], Awaitable[None]] | None = None, **options: Any
) -> Callable[..., Any]:
    """Run a test on a stage; whatever it leaves open is ended by ``stop``."""

    def decorate(body: Callable[[Stage], Awaitable[None]]) -> Callable[[], None]:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, ManualLoop)
            network, events = Network(), Events()
            settings = {"max_batch": 64, "max_delay_ms": 2.0, "queue_limit": 512} | options
            batcher: Batcher[int, int] = Batcher(
                "net", network, on_event=events.hooks, clock=loop.time, **settings
            )
            batcher.start()
            stage = Stage(batcher, network, events, loop)
            try:
                await body(stage)
            finally:
                batcher.stop()
                network.end(RuntimeError("the test is over"))
                await asyncio.gather(*stage.tasks, return_exceptions=True)

        def test_function() -> None:
            play(main)

        test_function.__name__ = body.__name__
        return test_function

    return decorate if test is None else decorate(test)


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
async def test_submits_are_served_in_their_order(stage: Stage) -> None:
    await stage.hold()
    tasks = [stage.submit(0, 1, 2), stage.submit(3), stage.submit(4, 5)]
    await turns()
    stage.network.end()
    for expected in ([0, 1], [2, 3], [4, 5]):
        assert await stage.network.begun() == expected
        stage.network.end()
    assert await asyncio.gather(*tasks) == [[0, 10, 20], [30], [40, 50]]


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
    leaves, stays = stage.submit(1, 2, 3), stage.submit(4)
    assert await stage.network.begun() == [1, 2]
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
    fails, stays = stage.submit(*range(5)), stage.submit(5)
    assert await stage.network.begun() == [0, 1]
    stage.network.end()
    assert await stage.network.begun() == [2, 3]
    stage.network.end(ValueError())
    with pytest.raises(InferenceError):
        await fails
    assert await stage.network.begun() == [5]
    stage.network.end()
    assert await stays == [50]
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
