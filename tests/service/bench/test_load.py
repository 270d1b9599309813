"""Loads measure what they say: an open loop does not let a stalled server hide its stall."""

from __future__ import annotations

import asyncio
import itertools
import statistics

import pytest

from service.bench.connection import Endpoint
from service.bench.load import arrivals, closed_loop, open_loop
from tests.service.bench.servers import OK, serving

STALL_SECONDS = 0.5


class Stalling:
    """Answers at once, but for one stall of everything that begins with a request's number."""

    def __init__(self, at: int) -> None:
        self._number = itertools.count()
        self._at = at
        self._free = asyncio.Event()
        self._free.set()

    async def __call__(self, _head: bytes, writer: asyncio.StreamWriter) -> None:
        if next(self._number) == self._at:
            self._free.clear()
            asyncio.get_running_loop().call_later(STALL_SECONDS, self._free.set)
        await self._free.wait()
        writer.write(OK)


def request(endpoint: Endpoint):
    whole = endpoint.request("GET", "/")
    return lambda _number: whole


def test_arrivals_are_poisson_of_the_rate_and_repeat_with_their_seed():
    found = list(arrivals(500, 40, seed=3))
    assert found == list(arrivals(500, 40, seed=3)) != list(arrivals(500, 40, seed=4))
    gaps = [after - before for before, after in itertools.pairwise(found)]
    assert statistics.mean(gaps) == pytest.approx(1 / 500, rel=0.05)
    assert statistics.stdev(gaps) == pytest.approx(1 / 500, rel=0.05)  # exponential: as its mean
    assert max(found) < 40


def test_every_request_that_meets_a_stall_is_late_in_an_open_loop():
    """On one connection only one request is on the wire while it stalls; the others wait unsent."""

    async def main():
        async with serving(Stalling(at=20)) as endpoint:
            return await open_loop(
                endpoint, request(endpoint), rate=200, seconds=1.5, connections=1
            )

    outcome = asyncio.run(main())
    assert outcome.errors == 0
    assert len(outcome.latencies) == len(list(arrivals(200, 1.5, 0)))
    late = [one for one in outcome.latencies if one > 0.05]
    assert len(late) > 0.5 * 200 * STALL_SECONDS
    assert outcome.percentile(100) == pytest.approx(STALL_SECONDS, abs=0.2)


def test_a_closed_loop_asks_again_when_answered_and_no_earlier():
    busy = most = 0

    async def answer(_head: bytes, writer: asyncio.StreamWriter) -> None:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.02)
        busy -= 1
        writer.write(OK)

    async def main():
        async with serving(answer) as endpoint:
            return await closed_loop(endpoint, request(endpoint), connections=4, seconds=0.5)

    outcome = asyncio.run(main())
    assert most == 4
    assert outcome.latencies[0] >= 0.019
    assert outcome.statuses.total() == len(outcome.latencies)


def test_refusals_and_broken_connections_are_errors_and_no_latencies():
    numbers = itertools.count()

    async def answer(_head: bytes, writer: asyncio.StreamWriter) -> None:
        match next(numbers) % 3:
            case 0:
                writer.write(OK)
            case 1:
                writer.write(OK.replace(b"200 OK", b"503 No"))
            case _:
                writer.close()

    async def main():
        async with serving(answer) as endpoint:
            return await closed_loop(endpoint, request(endpoint), connections=1, seconds=0.3)

    outcome = asyncio.run(main())
    assert outcome.statuses[200] == len(outcome.latencies) > 0
    assert outcome.failures > 0
    assert outcome.errors == outcome.statuses[503] + outcome.failures


def test_nobody_there_is_a_failure_and_no_crash():
    outcome = asyncio.run(
        closed_loop(Endpoint("127.0.0.1", 1), lambda _: b"", connections=2, seconds=0.1)
    )
    assert outcome.failures > 0
    assert outcome.rate == 0
