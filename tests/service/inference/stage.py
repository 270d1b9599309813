"""A batcher before a network that a test holds in its hand, on a clock of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from service.inference import Batcher
from tests.service.inference.manual import Events, ManualLoop, Network, play

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
