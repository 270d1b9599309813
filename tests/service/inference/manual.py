"""A clock that moves when told and a network that computes when told: batches without luck."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, TypeVar

from service.inference import Drop, Hooks, Reason

A = TypeVar("A")


class ManualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still until a test moves it."""

    now = 1000.0

    def time(self) -> float:
        return self.now


def play(main: Callable[[], Coroutine[Any, Any, A]], loop_factory: Any = ManualLoop) -> A:
    """Run a test in asyncio's debug mode; fails when the loop was told of an exception.

    Those are the ones that nobody retrieved, and those that a callback raised: a result that
    lands on a cancelled future among them.
    """
    complaints: list[dict[str, Any]] = []

    async def watched() -> A:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        result = await main()
        await turns()
        return result

    gc.freeze()  # what was there before needs no look: the collection below stays quick
    try:
        with asyncio.Runner(debug=True, loop_factory=loop_factory) as runner:
            result = runner.run(watched())
            gc.collect()
            runner.run(asyncio.sleep(0))
    finally:
        gc.unfreeze()
    assert complaints == []
    return result


async def turns(count: int = 10) -> None:
    """Let everything run that can."""
    for _ in range(count):
        await asyncio.sleep(0)


async def advance(seconds: float) -> None:
    """Move the time on and let what was due run."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ManualLoop)
    await turns()
    loop.now += seconds
    await turns()


class Network:
    """A network (ten times its input) that begins at once, but ends only when ``end`` is called."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[int] = set()
        self._loop = asyncio.get_running_loop()
        self._begun: asyncio.Queue[list[int]] = asyncio.Queue()
        self._ends: SimpleQueue[BaseException | list[int] | None] = SimpleQueue()

    def __call__(self, items: list[int]) -> list[int]:
        self.threads.add(threading.get_ident())
        self.batches.append(list(items))
        self._loop.call_soon_threadsafe(self._begun.put_nowait, list(items))
        end = self._ends.get()
        if isinstance(end, BaseException):
            raise end
        return [10 * item for item in items] if end is None else end

    async def begun(self) -> list[int]:
        """The next batch that began."""
        return await self._begun.get()

    def end(self, outcome: BaseException | list[int] | None = None) -> None:
        """Let a batch end: with its results, with these, or with an exception."""
        self._ends.put(outcome)


@dataclass
class Events:
    """Everything a batcher's hooks said."""

    depths: list[int] = field(default_factory=list)
    dispatched: list[tuple[int, Reason]] = field(default_factory=list)
    dropped: list[tuple[int, Drop]] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    ran: list[tuple[int, float]] = field(default_factory=list)

    @property
    def hooks(self) -> Hooks:
        return Hooks(
            depth=lambda _, pictures: self.depths.append(pictures),
            dispatched=lambda _, pictures, why: self.dispatched.append((pictures, why)),
            dropped=lambda _, pictures, why: self.dropped.append((pictures, why)),
            waited=lambda _, seconds: self.waited.append(seconds),
            ran=lambda _, pictures, seconds: self.ran.append((pictures, seconds)),
        )
