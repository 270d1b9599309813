"""Two kinds of load: a closed loop that asks again when answered, an open one that does not wait.

In the open loop requests arrive at random (Poisson), and a latency counts from the moment at which
its request was meant to be sent, whether or not a connection was free: a server that stalls does
not get to slow its own measurement down (coordinated omission). Timers have a resolution of 1 ms;
what they are late by counts as latency.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from service.bench.connection import Connection, Endpoint

MakeRequest = Callable[[int], bytes]
"""The n-th request, whole."""

PATIENCE_SECONDS = 30.0
"""How long an answer is waited for."""


@dataclass(slots=True)
class Outcome:
    """What came of a load; latencies in seconds, of answers under 400 only, ascending at the end.

    ``failures`` are requests without an answer: refused, cut, or not answered in time.
    ``client_busy`` is the share of a core that this client used.
    """

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: int = 0
    seconds: float = 0.0
    client_busy: float = 0.0

    @property
    def rate(self) -> float:
        """Answers under 400, a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    @property
    def errors(self) -> int:
        """Requests that were answered with 400 or more, or not at all."""
        return self.failures + sum(count for status, count in self.statuses.items() if status > 399)

    def percentile(self, percent: float) -> float:
        """Seconds under which so many percent of the latencies lie; nan without any."""
        if not self.latencies:
            return float("nan")
        index = min(len(self.latencies) - 1, int(len(self.latencies) * percent / 100))
        return self.latencies[index]

    async def ask(self, connection: Connection, request: bytes, since: float) -> None:
        """Ask and note what comes; ``since`` is when the latency begins (``time.perf_counter``)."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await connection.ask(request)
        except (OSError, TimeoutError):
            self.failures += 1
            connection.close()
            return
        self.statuses[answer.status] += 1
        if answer.status < 400:
            self.latencies.append(time.perf_counter() - since)


class _Timed:
    """Fills in ``seconds`` and ``client_busy``, and sorts."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def __enter__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        outcome = self._outcome
        outcome.seconds = time.perf_counter() - self._wall
        outcome.client_busy = (time.process_time() - self._processor) / outcome.seconds
        outcome.latencies.sort()


async def closed_loop(
    endpoint: Endpoint, make: MakeRequest, *, connections: int, seconds: float
) -> Outcome:
    """``connections`` clients, each of which asks again as soon as it was answered."""
    outcome = Outcome()
    numbers = iter(range(2**62))
    end = time.perf_counter() + seconds

    async def client() -> None:
        async with Connection(endpoint) as connection:
            while time.perf_counter() < end:
                failures = outcome.failures
                await outcome.ask(connection, make(next(numbers)), time.perf_counter())
                if outcome.failures > failures:
                    await asyncio.sleep(0.01)  # nobody is there: no busy loop

    with _Timed(outcome):
        await asyncio.gather(*(client() for _ in range(connections)))
    return outcome


def arrivals(rate: float, seconds: float, seed: int) -> Iterator[float]:
    """Moments of a Poisson process of ``rate`` a second, within ``seconds``."""
    draw = random.Random(seed)
    at = draw.expovariate(rate)
    while at < seconds:
        yield at
        at += draw.expovariate(rate)


async def open_loop(
    endpoint: Endpoint,
    make: MakeRequest,
    *,
    rate: float,
    seconds: float,
    connections: int,
    seed: int = 0,
) -> Outcome:
    """Requests at random moments, ``rate`` a second, on at most ``connections`` connections.

    An arrival that finds all of them taken waits for one, and its latency already counts. The
    connection that was used last is taken first, so that only as many are opened as are needed.
    """
    outcome = Outcome()
    pool = [Connection(endpoint) for _ in range(connections)]
    free, waiting = pool.copy(), deque[tuple[int, float]]()
    running: set[asyncio.Task[None]] = set()

    async def serve(connection: Connection, number: int, since: float) -> None:
        while True:
            await outcome.ask(connection, make(number), since)
            if not waiting:
                free.append(connection)
                return
            number, since = waiting.popleft()

    def arrive(number: int, since: float) -> None:
        if not free:
            waiting.append((number, since))
            return
        task = asyncio.get_running_loop().create_task(serve(free.pop(), number, since))
        running.add(task)
        task.add_done_callback(running.discard)

    with _Timed(outcome):
        begin = time.perf_counter()
        for number, at in enumerate(arrivals(rate, seconds, seed)):
            if (rest := begin + at - time.perf_counter()) > 0:
                await asyncio.sleep(rest)
            arrive(number, begin + at)
        while running:
            await asyncio.wait(running)
    for connection in pool:
        connection.close()
    return outcome
