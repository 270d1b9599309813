"""What the batcher itself costs: submits through a network that does nothing.

    python -m tests.bench.batcher [--pictures 20000] [--loop uvloop|asyncio]

Prints, for 1, 32 and 256 clients that each wait for their answer before they ask again: time on
the wall and on the processor (loop and thread together) for each submit of one picture, and the
mean batch. ``thread`` is the floor: the same hand-over to a thread and back, without a batcher.
A delay of 0 ms shows the overhead; 2 ms, the default, adds the wait that fills batches.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import uvloop

from service.inference import Batcher, Hooks

CLIENTS = (1, 32, 256)


@dataclass
class Cost:
    """Microseconds for each submit."""

    wall: float
    processor: float


@dataclass
class Sizes:
    """Batches that were sent off."""

    sizes: list[int] = field(default_factory=list)

    @property
    def mean(self) -> float:
        return sum(self.sizes) / len(self.sizes)


async def measure(ask: Callable[[], Awaitable[object]], clients: int, pictures: int) -> Cost:
    """``clients`` tasks ask one picture after the other until ``pictures`` have been asked."""

    async def client() -> None:
        for _ in range(pictures // clients):
            await ask()

    wall, processor = time.perf_counter(), time.process_time()
    await asyncio.gather(*(client() for _ in range(clients)))
    asked = pictures // clients * clients
    return Cost(
        (time.perf_counter() - wall) / asked * 1e6, (time.process_time() - processor) / asked * 1e6
    )


async def batched(clients: int, pictures: int, max_delay_ms: float) -> tuple[Cost, float]:
    """Cost of a submit, and the mean batch."""
    sizes = Sizes()
    batcher: Batcher[int, int] = Batcher(
        "nothing",
        list,
        max_batch=64,
        max_delay_ms=max_delay_ms,
        queue_limit=512,
        on_event=Hooks(dispatched=lambda _, size, __: sizes.sizes.append(size)),
    )
    batcher.start()
    loop = asyncio.get_running_loop()

    async def ask() -> None:
        await batcher.submit((0,), loop.time() + 10)

    await measure(ask, clients, pictures // 10)
    sizes.sizes.clear()
    cost = await measure(ask, clients, pictures)
    await batcher.drain()
    return cost, sizes.mean


async def handed_over(clients: int, pictures: int) -> Cost:
    """Cost of a call in another thread, by the standard library."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as thread:

        async def ask() -> None:
            await loop.run_in_executor(thread, int)

        await measure(ask, clients, pictures // 10)
        return await measure(ask, clients, pictures)


async def main(pictures: int) -> None:
    """Print the table."""
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores,", end=" ")
    print(f"load {os.getloadavg()[0]:.1f}, Python {platform.python_version()},", end=" ")
    print(f"{type(asyncio.get_running_loop()).__module__}")
    print(f"{'clients':>8} {'what':>12} {'wall us':>9} {'processor us':>13} {'mean batch':>11}")
    for clients in CLIENTS:
        floor = await handed_over(clients, pictures)
        print(f"{clients:8} {'thread':>12} {floor.wall:9.1f} {floor.processor:13.1f} {1:11.1f}")
        for delay in (0.0, 2.0):
            cost, mean = await batched(clients, pictures, delay)
            name = f"delay {delay:g} ms"
            print(f"{clients:8} {name:>12} {cost.wall:9.1f} {cost.processor:13.1f} {mean:11.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What the batcher itself costs.")
    parser.add_argument("--pictures", type=int, default=20_000, help="submits a row")
    parser.add_argument("--loop", choices=["uvloop", "asyncio"], default="uvloop")
    given = parser.parse_args()
    factory = uvloop.new_event_loop if given.loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main(given.pictures))
