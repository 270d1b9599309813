"""Equal work is done once, for whoever still wants it, and then forgotten."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from service.cache import SingleFlight
from service.due import Due
from service.errors import DeadlineError, UnavailableError

pytestmark = pytest.mark.anyio


class Work:
    """Counts how often it was begun and given up; finishes when it is let."""

    def __init__(self, result: object = b"stream") -> None:
        self.begun = 0
        self.cancelled = 0
        self.result = result
        self.may_finish = asyncio.Event()

    async def __call__(self, _due: Due) -> object:
        self.begun += 1
        try:
            await self.may_finish.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.fixture
async def unhandled() -> list[dict[str, Any]]:
    """What reached the event loop's exception handler; a test asserts that it is empty."""
    seen: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: seen.append(context))
    return seen


async def start(flights: SingleFlight, work: Work, count: int) -> list[asyncio.Task[object]]:
    waiters = [asyncio.create_task(flights.run("key", work)) for _ in range(count)]
    await asyncio.sleep(0.01)
    return waiters


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)
    gc.collect(1)  # what is this test's own is young
    await asyncio.sleep(0)


async def test_concurrent_calls_share_one_work_and_its_result() -> None:
    flights, work = SingleFlight(), Work()
    waiters = await start(flights, work, 10)
    work.may_finish.set()
    assert await asyncio.gather(*waiters) == [b"stream"] * 10
    assert work.begun == 1
    assert len(flights) == 0


async def test_different_keys_do_not_wait_for_each_other() -> None:
    flights, slow, quick = SingleFlight(), Work(), Work(b"quick")
    waiters = await start(flights, slow, 1)
    quick.may_finish.set()
    assert await flights.run("other", quick) == b"quick"
    slow.may_finish.set()
    await asyncio.gather(*waiters)


async def test_a_later_call_does_the_work_again() -> None:
    flights, work = SingleFlight(), Work()
    work.may_finish.set()
    await flights.run("key", work)
    await flights.run("key", work)
    assert work.begun == 2


async def test_the_work_survives_the_caller_who_began_it() -> None:
    flights, work = SingleFlight(), Work()
    leader, *others = await start(flights, work, 3)
    leader.cancel()
    await settle()
    assert leader.cancelled()
    work.may_finish.set()
    assert await asyncio.gather(*others) == [b"stream"] * 2
    assert (work.begun, work.cancelled) == (1, 0)


async def test_a_failure_reaches_every_waiter_and_is_not_remembered() -> None:
    flights, work = SingleFlight(), Work(ValueError("broken"))
    waiters = await start(flights, work, 3)
    work.may_finish.set()
    results = await asyncio.gather(*waiters, return_exceptions=True)
    assert [str(result) for result in results] == ["broken"] * 3
    work.result = b"better"
    assert await flights.run("key", work) == b"better"


async def test_a_call_in_the_turn_of_the_failure_begins_anew() -> None:
    flights, work, again = SingleFlight(), Work(ValueError("broken")), Work(b"better")
    again.may_finish.set()
    late: list[asyncio.Task[object]] = []

    async def fail(due: Due) -> object:
        try:
            return await work(due)
        finally:
            late.append(asyncio.create_task(flights.run("key", again)))

    first = asyncio.create_task(flights.run("key", fail))
    await asyncio.sleep(0.01)
    work.may_finish.set()
    with pytest.raises(ValueError, match="broken"):
        await first
    assert await late[0] == b"better"


async def test_the_work_is_cancelled_when_the_last_waiter_leaves() -> None:
    flights, work = SingleFlight(), Work()
    waiters = await start(flights, work, 3)
    for waiter in waiters[:2]:
        waiter.cancel()
    await settle()
    assert work.cancelled == 0
    waiters[2].cancel()
    await settle()
    assert work.cancelled == 1
    assert len(flights) == 0


async def test_a_caller_who_comes_while_abandoned_work_ends_gets_work_of_its_own() -> None:
    flights, work = SingleFlight(), Work()
    (waiter,) = await start(flights, work, 1)
    waiter.cancel()
    await asyncio.sleep(0)
    work.may_finish.set()
    assert await flights.run("key", work) == b"stream"
    assert work.begun == 2


async def test_work_that_cancels_itself_is_unavailable_and_not_a_cancellation() -> None:
    async def give_up(_due: Due) -> bytes:
        raise asyncio.CancelledError

    with pytest.raises(UnavailableError):
        await SingleFlight().run("key", give_up)


async def test_a_failure_in_the_turn_in_which_the_last_waiter_leaves_is_not_unhandled(
    unhandled: list[dict[str, Any]],
) -> None:
    waiters: list[asyncio.Task[None]] = []

    async def fail(_due: Due) -> None:
        await asyncio.sleep(0)
        waiters[0].cancel()
        raise ValueError("broken")

    waiters.append(asyncio.create_task(SingleFlight().run("key", fail)))
    await asyncio.wait(waiters)
    assert waiters.pop().cancelled()
    await settle()
    assert unhandled == []


async def test_nothing_unhandled_is_left_behind(unhandled: list[dict[str, Any]]) -> None:
    flights = SingleFlight()
    for result in (b"fine", ValueError("broken")):
        for leave in range(4):
            work = Work(result)
            waiters = await start(flights, work, 3)
            for waiter in waiters[:leave]:
                waiter.cancel()
            work.may_finish.set()
            await asyncio.gather(*waiters, return_exceptions=True)
            del waiters, work
            await settle()
    assert unhandled == []


async def test_whoever_came_first_may_be_too_late_and_the_others_get_the_work() -> None:
    flights, work = SingleFlight(), Work()
    now = asyncio.get_running_loop().time()
    first = asyncio.create_task(flights.run("key", work, now + 0.05))
    await asyncio.sleep(0)
    second = asyncio.create_task(flights.run("key", work, now + 60))
    with pytest.raises(DeadlineError):
        await first
    work.may_finish.set()
    assert await second == b"stream"
    assert (work.begun, work.cancelled) == (1, 0)


async def test_whoever_joins_may_be_too_late_and_the_first_gets_the_work() -> None:
    flights, work = SingleFlight(), Work()
    now = asyncio.get_running_loop().time()
    first = asyncio.create_task(flights.run("key", work, now + 60))
    await asyncio.sleep(0)
    with pytest.raises(DeadlineError):
        await flights.run("key", work, now + 0.05)
    work.may_finish.set()
    assert await first == b"stream"
    assert (work.begun, work.cancelled) == (1, 0)


async def test_the_work_is_due_when_the_last_of_those_who_wait_is() -> None:
    flights, seen = SingleFlight(), []
    may_finish = asyncio.Event()

    async def work(due: Due) -> float:
        with due.followed(seen.append):
            await may_finish.wait()
        return due.at

    now = asyncio.get_running_loop().time()
    waiters = []
    for seconds in (10, 30, 20):
        waiters.append(asyncio.create_task(flights.run("key", work, now + seconds)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    may_finish.set()
    assert await asyncio.gather(*waiters) == [now + 30] * 3
    assert seen == [now + 30]


async def test_whoever_is_due_last_waits_for_what_the_work_itself_says() -> None:
    """It ends itself then, and knows better why."""

    async def work(due: Due) -> bytes:
        await asyncio.sleep(0.1)
        raise ValueError("late")

    now = asyncio.get_running_loop().time()
    with pytest.raises(ValueError, match="late"):
        await SingleFlight().run("key", work, now + 0.05)
