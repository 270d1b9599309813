"""A real network behind the batcher, asked by many tasks at once, in asyncio's debug mode."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable

import numpy as np
import pytest
import uvloop
from numpy.typing import NDArray

from service.errors import DeadlineError, InferenceError
from service.inference import Batcher, Runtime
from tests.service.inference.graphs import WEIGHTS, affine, lookup
from tests.service.inference.manual import Events, play

Row = NDArray[np.float32]

LOOPS = pytest.mark.parametrize(
    "loop_factory", [asyncio.SelectorEventLoop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


def rows_through(model: bytes) -> Callable[[list[Row]], list[Row]]:
    session = Runtime("cpu", threads=1).session(model)
    return lambda rows: list(session.run({"x": np.stack(rows)})["y"])


@LOOPS
def test_every_task_gets_its_own_result(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def main() -> None:
        loop, events, chance = asyncio.get_running_loop(), Events(), random.Random(7)
        batcher: Batcher[Row, Row] = Batcher(
            "affine",
            rows_through(affine()),
            max_batch=16,
            max_delay_ms=1,
            queue_limit=4096,
            on_event=events.hooks,
        )
        batcher.start()

        async def ask(task: int) -> int:
            for turn in range(10):
                rows = [
                    np.full(4, 10 * task + turn + row, np.float32)
                    for row in range(chance.randint(1, 4))
                ]
                if chance.random() < 0.1:  # a client that leaves
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(batcher.submit(rows, loop.time() + 60), 1e-9)
                    continue
                results = await batcher.submit(rows, loop.time() + 60)
                np.testing.assert_array_equal(results, np.stack(rows) @ WEIGHTS + 1)
            return task

        assert await asyncio.gather(*map(ask, range(100))) == list(range(100))
        await batcher.drain()
        assert batcher.depth == 0
        assert {size for size, _ in events.dispatched} <= {1, 2, 4, 8, 16}
        assert max(size for size, _ in events.dispatched) == 16

    play(main, loop_factory)


@LOOPS
def test_a_network_that_fails_harms_its_own_batch_alone(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    session = Runtime("cpu", threads=1).session(lookup())
    row = np.arange(50, dtype=np.float32)

    def run(indices: list[int]) -> list[float]:
        return [float(y) for y in session.run({"row": row, "index": np.array(indices)})["y"]]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        batcher = Batcher("lookup", run, max_batch=1, max_delay_ms=0, queue_limit=4096)
        batcher.start()
        asked = [batcher.submit([index], loop.time() + 60) for index in range(100)]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        assert outcomes[:50] == [[float(index)] for index in range(50)]
        assert {type(outcome) for outcome in outcomes[50:]} == {InferenceError}
        assert batcher.alive
        await batcher.drain()

    play(main, loop_factory)


@LOOPS
def test_deadlines_hold_in_real_time(
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        network_may_end = threading.Event()

        def run(items: list[int]) -> list[int]:
            network_may_end.wait(30)
            return items

        batcher = Batcher("slow", run, max_batch=1, max_delay_ms=0, queue_limit=9)
        batcher.start()
        running = loop.create_task(batcher.submit([1], loop.time() + 60))
        with pytest.raises(DeadlineError):
            await batcher.submit([2], loop.time() + 0.02)
        assert not running.done()
        network_may_end.set()
        assert await running == [1]
        await batcher.drain()

    play(main, loop_factory)
