"""Requests in, batches out: one bounded queue in front of one network.

    submit -> queue (counted in pictures and cost) -> batch of 1, 2, 4, ... 64 -> worker thread

Pictures of all submits take turns, one each, so that a large request does not hold up a small one.

The event loop owns the queue and decides; the thread computes; nothing is shared between them but
one batch and its results. A batch is sent off when the thread is free and

    full    the queue fills the largest batch, in pictures or in cost,
    delay   the oldest submit has waited ``max_delay_ms``, or
    idle    nothing is there to wait for: a single submit is queued, or the batcher drains.

A batch has a fixed size, so that the runtime plans once for each: what waits is cut into the
largest size that it fills, and the rest goes next (33 pictures are 32 + 1). Never is one padded.
Pictures of one batch have one shape, and more than one cost no more together than ``batch_cost``:
photos go one or a few at a time.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

from service.due import Due
from service.errors import (
    DeadlineError,
    DeviceMemoryError,
    DrainingError,
    InferenceError,
    PrefixelError,
    QueueFullError,
)
from service.inference.estimate import RunTime
from service.inference.hooks import Drop, Hooks, Reason
from service.inference.queue import Choice, Part, Queue, Submit
from service.inference.worker import ComputeThread, Done, Failed

logger = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

SIZES = (64, 32, 16, 8, 4, 2, 1)


def _one(_: object) -> int:
    """All pictures cost the same and have the same shape."""
    return 1


class Batcher(Generic[T, R]):
    """Batches for one network. Every method belongs to the event loop that called ``start``.

    ``run`` gets 1, 2, 4, ... or ``max_batch`` items and gives as many results, in their order; it
    is called in one thread of this batcher's own. It must not fail for one bad item: what it
    raises is told to everyone in the batch, so items are checked before they are submitted.
    """

    def __init__(
        self,
        network: str,
        run: Callable[[list[T]], list[R]],
        *,
        max_batch: int,
        max_delay_ms: float,
        queue_limit: int,
        cost: Callable[[T], int] = _one,
        shape: Callable[[T], Hashable] = _one,
        batch_cost: float = math.inf,
        queue_cost: float = math.inf,
        unit_seconds: float = math.inf,
        on_event: Hooks | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """``network`` names it in hooks and errors; ``clock`` gives seconds, for durations.

        ``cost`` is what an item costs, 1 or more in any unit, ``shape`` what those of one batch
        have in common. ``queue_limit`` bounds the pictures that wait, ``queue_cost`` their cost
        (one submit may wait whatever it costs). ``unit_seconds`` is about what a unit of cost
        takes, where that is known.

        Raises ValueError for a ``max_batch`` that is no fixed size, or a bound below its least.
        """
        if max_batch not in SIZES:
            raise ValueError(f"max_batch is 1, 2, 4, ... or 64, not {max_batch}")
        if queue_limit < 1 or max_delay_ms < 0:
            raise ValueError(f"queue_limit {queue_limit} < 1 or max_delay_ms {max_delay_ms} < 0")
        self.network = network
        self._run = run
        self._sizes = tuple(size for size in SIZES if size <= max_batch)
        self._max_delay = max_delay_ms / 1000
        self._queue_limit, self._queue_cost = queue_limit, queue_cost
        self._cost, self._shape, self._batch_cost = cost, shape, batch_cost
        self._hooks = on_event or Hooks()
        self._clock = clock
        self._run_time = RunTime(unit_seconds)
        self._queue: Queue[T, R] = Queue()
        self._running: list[Part[T, R]] = []
        self._draining = False
        self._death: BaseException | None = None
        self._wakeup: asyncio.Future[bool] | None = None
        self._worker: ComputeThread[list[T], list[R]] | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def depth(self) -> int:
        """Pictures that wait; those in the running batch do not count."""
        return self._queue.depth

    @property
    def full(self) -> bool:
        """Whether another picture would be refused, whatever it costs."""
        return self._queue.depth >= self._queue_limit or self._queue.cost >= self._queue_cost

    @property
    def alive(self) -> bool:
        """Started, and neither its thread nor its task has died. One that drained has not died."""
        if self._task is None or self._worker is None or self._death is not None:
            return False
        return self._draining or (self._worker.alive and not self._task.done())

    def seconds(self, cost: int) -> float:
        """What a batch of such a cost will take, by those that ran; 0 while none has."""
        return self._run_time.seconds(cost)

    def start(self) -> None:
        """Start the thread and the task that feeds it; again: nothing happens.

        Raises RuntimeError outside an event loop, or when it was stopped before it ever started.
        """
        if self._task is not None:
            return
        if self._draining:
            raise RuntimeError(f"the batcher of {self.network!r} was stopped")
        name = f"prefixel-{self.network}"
        self._worker = ComputeThread(name, self._compute, self._worker_ended, self._clock)
        self._task = asyncio.get_running_loop().create_task(self._feed(self._worker), name=name)
        self._task.add_done_callback(self._feed_ended)

    async def submit(self, items: Sequence[T], deadline: float | Due) -> list[R]:
        """Results of ``items``, in their order; ``deadline`` is a time of the event loop's clock,
        which may be put off while they wait.

        Cancelling this drops the pictures that were not sent off yet. Submits take turns picture
        by picture, in the order of their arrival. Raises QueueFullError when they do not fit into
        the queue (then none was queued), DrainingError, DeadlineError as soon as the deadline
        passes or cannot be met, InferenceError or DeviceMemoryError when a batch with one of them
        failed, InferenceError when the batcher is dead, and RuntimeError when it was not started.
        """
        costs = tuple(map(self._cost, items))
        self._admit(len(items), sum(costs))
        if not items:
            return []
        loop = asyncio.get_running_loop()
        due = deadline if isinstance(deadline, Due) else Due(deadline)
        patience = due.at - loop.time()
        if patience <= 0:
            self._hooks.dropped(self.network, len(items), "deadline")
            raise DeadlineError
        shapes = tuple(map(self._shape, items))
        submit: Submit[T, R] = Submit(
            tuple(items), costs, shapes, due.at, patience, self._clock(), loop.create_future()
        )
        timer = loop.call_at(due.at, self._expire, submit)

        def put_off(at: float) -> None:
            nonlocal timer
            timer.cancel()
            timer = loop.call_at(at, self._expire, submit)
            submit.patience += at - submit.deadline
            submit.deadline = at

        try:
            self._queue.add(submit)
            self._changed()
            with due.followed(put_off):
                return await submit.future
        finally:
            timer.cancel()
            if submit.left:
                self._drop(submit, "client")

    async def drain(self) -> None:
        """Take no more work, finish what was accepted, end the thread; again: waits as well.

        Cancelling this leaves the rest running; ``stop`` then fails it.
        """
        self._draining = True
        self._wake()
        if self._task is not None:
            await asyncio.wait((self._task,))

    def stop(self) -> None:
        """Take no more work and fail what was accepted (DrainingError); again: nothing happens.

        The thread ends after the batch that it is in; its results are dropped.
        """
        self._draining = True
        if self._task is not None:
            self._task.cancel()

    # -- the queue ---------------------------------------------------------------------------

    def _admit(self, pictures: int, cost: int) -> None:
        if self._draining:
            raise DrainingError
        if self._task is None:
            raise RuntimeError(f"the batcher of {self.network!r} was not started")
        if not self.alive:
            raise self._failure(self._death)
        depth = self._queue.depth
        if depth + pictures > self._queue_limit:
            raise QueueFullError(
                f"{depth} pictures wait already; {pictures} more would pass the limit"
                f" of {self._queue_limit}"
            )
        if depth and self._queue.cost + cost > self._queue_cost:
            raise QueueFullError(f"{depth} pictures wait already, as much work as may")

    def _changed(self) -> None:
        """The queue grew or shrank."""
        # What changes the feeder's mind: the first submit, one alone, or a full batch.
        if len(self._queue) <= 1 or self._fills_a_batch:
            self._wake()
        self._hooks.depth(self.network, self._queue.depth)

    @property
    def _fills_a_batch(self) -> bool:
        return self._queue.depth >= self._sizes[0] or self._queue.cost >= self._batch_cost

    def _expire(self, submit: Submit[T, R]) -> None:
        """Its deadline is lost. What of it waits will not run, and what runs is for nobody."""
        submit.fail(DeadlineError())
        self._drop(submit, "deadline")

    def _drop(self, submit: Submit[T, R], reason: Drop) -> None:
        pictures = self._queue.remove(submit)
        if pictures:
            self._changed()
            self._hooks.dropped(self.network, pictures, reason)

    def _wake(self) -> None:
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(True)

    async def _woken(self, within: float | None = None) -> bool:
        """Wait until ``_wake`` is called; False when ``within`` seconds pass first."""
        loop = asyncio.get_running_loop()
        wakeup: asyncio.Future[bool] = loop.create_future()
        self._wakeup = wakeup
        timer = None if within is None else loop.call_later(within, _timeout, wakeup)
        try:
            return await wakeup
        finally:
            if timer is not None:
                timer.cancel()

    # -- the feeder --------------------------------------------------------------------------

    async def _feed(self, worker: ComputeThread[list[T], list[R]]) -> None:
        while (reason := await self._due()) is not None:
            await self._serve(worker, reason)

    async def _serve(self, worker: ComputeThread[list[T], list[R]], reason: Reason) -> None:
        """One batch. A frame of its own: nothing keeps pictures alive while nothing is to do."""
        parts, cost = self._take()
        if not parts:
            return
        pictures = sum(len(part.items) for part in parts)
        self._hooks.dispatched(self.network, pictures, reason)
        for part in parts:
            if part.first:
                self._hooks.waited(self.network, self._clock() - part.submit.queued_at)
        outcome = await worker.call([item for part in parts for item in part.items])
        if isinstance(outcome, Failed):
            self._fail(parts, outcome.error)
        else:
            self._deliver(parts, cost, outcome)
        self._running = []

    async def _due(self) -> Reason | None:
        """Wait until a batch should be sent off; None when it drains and nothing is left."""
        while True:
            if not self._queue:
                if self._draining:
                    return None
                await self._woken()
            elif self._fills_a_batch:
                return "full"
            elif len(self._queue) == 1 or self._draining:
                return "idle"
            else:
                oldest = min(submit.queued_at for submit in self._queue)
                rest = oldest + self._max_delay - self._clock()
                if rest <= 0 or not await self._woken(rest):
                    return "delay"

    def _take(self) -> tuple[list[Part[T, R]], int]:
        """The next batch in turn order and its cost; drops whom it could only serve too late."""
        for submit in [submit for submit in self._queue if submit.future.done()]:
            self._drop(submit, "client")
        now = asyncio.get_running_loop().time()
        choices = (self._in_time(size, now) for size in self._sizes)
        choice = next((choice for choice in choices if choice), None)
        # It keeps the thread busy until ``finish``, so whose deadline lies before that cannot be
        # met, in this batch or after.
        finish = math.inf if choice is None else now + self._run_time.seconds(choice.cost)
        late = [submit for submit in self._queue if submit.deadline < finish]
        seconds = self._run_time.seconds
        if any(seconds(submit.next_cost) > submit.patience for submit in late):
            self._run_time.doubt()
        for submit in late:
            self._expire(submit)
        if choice is None:
            return [], 0
        self._running = self._queue.cut(choice)
        self._changed()
        return self._running, choice.cost

    def _in_time(self, size: int, now: float) -> Choice[T, R] | None:
        """The next ``size`` pictures that can wait until all of them have run."""
        if size == 1:
            for submit in self._queue:
                if submit.deadline >= now + self._run_time.seconds(submit.next_cost):
                    return Choice({submit: 1}, submit.next_cost)
            return None
        finish = now
        while choice := self._queue.choose(size, self._batch_cost, finish):
            finish = now + self._run_time.seconds(choice.cost)
            if all(submit.deadline >= finish for submit in choice.counts):
                return choice
        return None

    def _compute(self, items: list[T]) -> list[R]:
        """In the thread."""
        results = self._run(items)
        if len(results) != len(items):
            raise ValueError(f"{len(items)} items gave {len(results)} results")
        return results

    # -- what comes of a batch ---------------------------------------------------------------

    def _deliver(self, batch: list[Part[T, R]], cost: int, done: Done[list[R]]) -> None:
        begin = 0
        for part in batch:
            end = begin + len(part.items)
            part.deliver(done.answer[begin:end])
            begin = end
        self._run_time.add(cost, done.seconds)
        self._hooks.ran(self.network, begin, done.seconds)

    def _fail(self, batch: list[Part[T, R]], error: BaseException | None) -> None:
        for part in batch:
            part.submit.fail(self._failure(error))
            if self._queue.remove(part.submit):
                self._changed()

    def _failure(self, cause: BaseException | None) -> PrefixelError:
        """An error of its own for each waiter: raising one adds to its traceback."""
        error: PrefixelError = InferenceError(f"the network {self.network!r} failed")
        if isinstance(cause, DeviceMemoryError):
            error = DeviceMemoryError(cause.detail)
        error.__cause__ = cause
        return error

    def _worker_ended(self, error: BaseException | None) -> None:
        if error is not None and self._task is not None:
            self._death = error
            self._task.cancel()

    def _feed_ended(self, task: asyncio.Task[None]) -> None:
        """Nobody may wait for a feeder that is gone, whatever ended it."""
        if self._worker is not None:
            self._worker.close()
        if not task.cancelled():
            self._death = task.exception()
        if self._death is not None:
            logger.error("the batcher of %r died", self.network, exc_info=self._death)
        left = [part.submit for part in self._running] + list(self._queue)
        self._running = []
        for submit in left:
            self._queue.remove(submit)
            error = DrainingError() if self._death is None else self._failure(self._death)
            submit.fail(error)
        self._changed()


def _timeout(wakeup: asyncio.Future[bool]) -> None:
    if not wakeup.done():
        wakeup.set_result(False)
