"""Random submits, cancellations, deadlines, failures and times: what holds whatever happens."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from service.errors import DeadlineError, InferenceError, QueueFullError
from service.inference import Batcher
from tests.service.inference.manual import Events, ManualLoop, Network, advance, play, turns

QUEUE_LIMIT = 24
QUEUE_COST, BATCH_COST = 60, 20


def cost(item: int) -> int:
    """Most are small, one in seven costs more than a batch may."""
    return 25 if item % 7 == 3 else 1 + item % 5


def shape(item: int) -> int:
    """Two of them, in stretches and mixed."""
    return item // 3 % 2


Step = tuple[str, int | float]
STEPS = st.one_of(
    st.tuples(st.just("submit"), st.integers(1, 9)),
    st.tuples(st.just("submit until"), st.integers(0, 30)),  # ms from now, for 2 pictures
    st.tuples(st.just("cancel"), st.integers(0, 40)),  # which of the submits so far
    st.tuples(st.just("advance"), st.sampled_from([0.5, 1, 2, 10])),  # ms
    st.tuples(st.just("end"), st.just(0)),
    st.tuples(st.just("fail"), st.just(0)),
    st.tuples(st.just("miscount"), st.just(0)),
    st.tuples(st.just("turns"), st.just(10)),
)


@dataclass
class Waiter:
    """One submit and what may come of it."""

    items: list[int]
    task: asyncio.Task[list[int]]
    has_deadline: bool
    cancelled: bool = False
    left_before: int = 0
    """How many of its items had been sent off when it was cancelled."""


class Story:
    """Plays steps against a batcher, and notes what must hold in the end."""

    def __init__(self, max_batch: int) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, ManualLoop)
        self.loop = loop
        self.max_batch = max_batch
        self.network = Network()
        self.events = Events()
        self.waiters: list[Waiter] = []
        self.failed: set[int] = set()
        self.told = asyncio.Event()
        """A batch succeeded and its waiters know."""
        self.begun = 0
        self.ended = 0
        self.batcher: Batcher[int, int] = Batcher(
            "net",
            self.network,
            max_batch=max_batch,
            max_delay_ms=2,
            queue_limit=QUEUE_LIMIT,
            cost=cost,
            shape=shape,
            batch_cost=BATCH_COST,
            queue_cost=QUEUE_COST,
            on_event=replace(self.events.hooks, ran=lambda *_: self.told.set()),
            clock=loop.time,
        )
        self.batcher.start()

    @property
    def sent(self) -> set[int]:
        return {item for batch in self.network.batches for item in batch}

    async def catch_up(self) -> None:
        """Wait until the thread has begun what was sent off."""
        await turns(6)
        while self.begun < len(self.events.dispatched):
            await self.network.begun()
            self.begun += 1
            await turns(6)

    async def step(self, step: Step) -> None:
        match step:
            case ("submit", int(pictures)):
                self.submit(pictures, 1e6)
            case ("submit until", int(milliseconds)):
                self.submit(2, milliseconds / 1000)
            case ("cancel", int(index)) if self.waiters:
                waiter = self.waiters[index % len(self.waiters)]
                if waiter.task.cancel():
                    waiter.cancelled = True
                    waiter.left_before = len(self.sent & set(waiter.items))
            case ("advance", milliseconds):
                await self.catch_up()
                await advance(float(milliseconds) / 1000)
                await self.catch_up()
            case ("turns", _):
                await self.catch_up()
            case ("end" | "fail" | "miscount" as how, _):
                await self.catch_up()
                await self.end(how)
            case _:
                pass

    async def end(self, how: str) -> None:
        """Let the running batch end, if there is one, and its waiters be told."""
        if self.ended == self.begun:
            return
        batch = set(self.network.batches[self.ended])
        self.told.clear()
        self.ended += 1
        if how == "end":
            self.network.end()
            await self.told.wait()
        else:
            self.failed |= batch
            self.network.end(ValueError() if how == "fail" else [])
            await asyncio.wait(
                [waiter.task for waiter in self.waiters if batch & set(waiter.items)]
            )
        await self.catch_up()

    def submit(self, pictures: int, seconds: float) -> None:
        first = sum(len(waiter.items) for waiter in self.waiters)
        items = list(range(first, first + pictures))
        work = self.batcher.submit(items, self.loop.now + seconds)
        self.waiters.append(Waiter(items, self.loop.create_task(work), seconds < 1e6))

    async def close(self) -> None:
        """Finish everything."""
        drain = self.loop.create_task(self.batcher.drain())
        while not drain.done():
            await self.catch_up()
            await self.end("end")
            await asyncio.sleep(0)
        await drain

    def check(self) -> None:
        batches = self.network.batches
        sizes = {2**bit for bit in range(7) if 2**bit <= self.max_batch}
        assert {len(batch) for batch in batches} <= sizes
        order = [item for batch in batches for item in batch]
        assert len(order) == len(set(order)), "pictures ran twice"
        for batch in batches:
            assert len({shape(item) for item in batch}) == 1
            assert len(batch) == 1 or sum(map(cost, batch)) <= BATCH_COST
        for waiter in self.waiters:
            mine = [item for item in order if item in waiter.items]
            assert mine == waiter.items[: len(mine)], "a request's pictures ran out of order"
        assert self.batcher.depth == 0
        assert self.events.depths[-1:] in ([], [0])
        assert all(0 <= depth <= QUEUE_LIMIT for depth in self.events.depths)
        assert [size for size, _ in self.events.dispatched] == [len(batch) for batch in batches]
        assert self.batcher.alive
        for waiter in self.waiters:
            self.check_outcome(waiter)

    def check_outcome(self, waiter: Waiter) -> None:
        items, task = set(waiter.items), waiter.task
        assert task.done(), "a waiter was told nothing"
        if waiter.cancelled:
            assert len(items & self.sent) == waiter.left_before, "a picture ran for nobody"
        if task.cancelled():
            assert waiter.cancelled
        elif (error := task.exception()) is None:
            assert task.result() == [10 * item for item in waiter.items]
            assert items <= self.sent
            assert not items & self.failed
        elif isinstance(error, InferenceError):
            assert items & self.failed
        elif isinstance(error, QueueFullError):
            assert not items & self.sent
        else:
            assert isinstance(error, DeadlineError)
            assert waiter.has_deadline


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(STEPS, max_size=40), max_batch=st.sampled_from([1, 4, 16]))
def test_every_waiter_is_told_one_true_thing(steps: list[Step], max_batch: int) -> None:
    async def main() -> None:
        story = Story(max_batch)
        for step in steps:
            await story.step(step)
        await story.close()
        story.check()

    play(main)
