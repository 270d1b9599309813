"""Requests of several kinds at once, each answer noted one by one."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.bench.connection import Connection, Endpoint
from service.bench.load import arrivals

WAIT_SECONDS = 60.0
REFUSED = -1
"""Status of a request for which no connection could be opened: nobody accepted it."""

LOST = 0
"""Status of a request that was sent and got no answer."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One request: its kind, its answer, how long it took, when it was sent (both seconds)."""

    kind: str
    status: int
    seconds: float
    at: float
    has_retry_after: bool = False
    words: str = ""


def statuses(seen: list[Seen]) -> dict[int, int]:
    """How often each, in their order."""
    return dict(sorted(Counter(one.status for one in seen).items()))


async def ask(connection: Connection, kind: str, request: bytes, seen: list[Seen]) -> Seen:
    """Ask once and note it."""
    at = time.perf_counter()
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            answer = await connection.ask(request)
    except (OSError, TimeoutError) as broken:
        connection.close()
        status = REFUSED if isinstance(broken, ConnectionRefusedError) else LOST
        one = Seen(kind, status, time.perf_counter() - at, at, words=repr(broken))
    else:
        words = "" if answer.status < 400 else answer.body[:300].decode("latin-1")
        one = Seen(
            kind,
            answer.status,
            time.perf_counter() - at,
            at,
            "retry-after" in answer.headers,
            words,
        )
    seen.append(one)
    return one


async def steady(
    endpoint: Endpoint,
    kinds: Mapping[str, Callable[[], bytes]],
    connections: int,
    stop: asyncio.Event,
    seen: list[Seen],
    *,
    pause_seconds: float = 0.0,
) -> None:
    """``connections`` clients ask the kinds in turn until ``stop`` is set, or nobody is there."""
    names = list(kinds)

    async def client(offset: int) -> None:
        turn = offset
        async with Connection(endpoint, keep=True) as connection:
            while not stop.is_set():
                kind = names[turn % len(names)]
                turn += 1
                one = await ask(connection, kind, kinds[kind](), seen)
                if one.status == REFUSED:
                    return
                await asyncio.sleep(pause_seconds)

    await asyncio.gather(*(client(offset) for offset in range(connections)))


async def flood(
    endpoint: Endpoint, make: Callable[[], bytes], rate: float, seconds: float, seed: int = 0
) -> list[Seen]:
    """Poisson arrivals of one kind; each has a connection at once, however many that takes."""
    seen: list[Seen] = []
    free: list[Connection] = []
    running: set[asyncio.Task[None]] = set()

    async def one() -> None:
        connection = free.pop() if free else Connection(endpoint, keep=True)
        await ask(connection, "", make(), seen)
        free.append(connection)

    begin = time.perf_counter()
    for at in arrivals(rate, seconds, seed):
        if (rest := begin + at - time.perf_counter()) > 0:
            await asyncio.sleep(rest)
        task = asyncio.create_task(one())
        running.add(task)
        task.add_done_callback(running.discard)
    while running:
        await asyncio.wait(running)
    for connection in free:
        connection.close()
    return seen
