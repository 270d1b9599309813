"""The one thread that computes for an event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

J = TypeVar("J")
A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Done(Generic[A]):
    """A job's answer, and the seconds it took."""

    answer: A
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """What a job raised."""

    error: Exception


class ComputeThread(Generic[J, A]):
    """Runs ``work(job)`` in a daemon thread, one job after the other.

    What ``work`` raises is an answer (``Failed``), so the thread lives on; but a SystemExit, a
    KeyboardInterrupt or the like ends it. ``on_end`` is called in the event loop when the thread
    has ended: with what ended it, or None after ``close``. A call that is still open then is
    never answered: ``on_end`` must end whoever awaits it.
    """

    def __init__(
        self,
        name: str,
        work: Callable[[J], A],
        on_end: Callable[[BaseException | None], None],
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """``clock`` gives seconds and is read in the thread."""
        self._work = work
        self._on_end = on_end
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[tuple[J, asyncio.Future[Done[A] | Failed]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """The thread runs."""
        return self._thread.is_alive()

    async def call(self, job: J) -> Done[A] | Failed:
        """Run one job. Cancelling this does not stop the job; its answer is then dropped."""
        future: asyncio.Future[Done[A] | Failed] = self._loop.create_future()
        self._jobs.put((job, future))
        return await future

    def close(self) -> None:
        """The thread ends once the jobs that it has are done."""
        self._jobs.put(None)

    def _main(self) -> None:
        end: BaseException | None = None
        try:
            while self._next():
                pass
        except BaseException as error:  # whatever ends this thread must be told, or waiters hang
            end = error
        self._post(self._on_end, end)

    def _next(self) -> bool:
        """One job. A frame of its own: nothing keeps a batch alive while the thread is idle."""
        entry = self._jobs.get()
        if entry is None:
            return False
        job, future = entry
        outcome: Done[A] | Failed
        started = self._clock()
        try:
            outcome = Done(self._work(job), self._clock() - started)
        except Exception as error:
            outcome = Failed(error)
        self._post(_settle, future, outcome)
        return True

    def _post(self, callback: Callable[..., None], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(callback, *args)


def _settle(future: asyncio.Future[Done[A] | Failed], outcome: Done[A] | Failed) -> None:
    if not future.done():
        future.set_result(outcome)
