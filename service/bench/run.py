"""A whole bench: starts what it must, measures every route, gives the rows."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import uvloop

from service.bench.load import Outcome, closed_loop, open_loop
from service.bench.report import Row
from service.bench.routes import Target, prepare_peer, prepare_service
from service.bench.servers import PEER, SERVICE, started

WARM_UP_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class BenchPlan:
    """What to measure. ``url`` None: a service of our own; ``rate`` None: ``share`` of what the
    service's closed loop reached; ``photo`` is a JPEG.
    """

    photo: bytes
    routes: tuple[str, ...]
    url: str | None = None
    token: str = ""
    connections: int = 16
    open_connections: int = 256
    seconds: float = 3.0
    rate: float | None = None
    share: float = 0.5
    peer: bool = True
    seed: int = 0

    @property
    def steps(self) -> int:
        """Loads that will be made."""
        return len(self.routes) * (4 if self.peer else 2)


@dataclass(frozen=True, slots=True)
class Measured:
    """All rows, and what the servers said of themselves, by their names."""

    rows: list[Row]
    about: dict[str, str]


def bench(plan: BenchPlan, on_step: Callable[[str], None]) -> Measured:
    """Measure; ``on_step`` is called before each load with what it is.

    Raises StartError, RefusedError, OSError, ValueError (a URL that is none).
    """
    with ExitStack() as servers:
        url = plan.url or servers.enter_context(started(SERVICE))
        peer_url = servers.enter_context(started(PEER)) if plan.peer else None
        return uvloop.run(_bench(plan, url, peer_url, on_step))


async def _bench(
    plan: BenchPlan, url: str, peer_url: str | None, on_step: Callable[[str], None]
) -> Measured:
    first = time.time_ns() if plan.url else 0  # a service that runs knows the last bench's photos
    targets = [await prepare_service(url, plan.photo, token=plan.token, first_number=first)]
    if peer_url is not None:
        targets.append(await prepare_peer(peer_url, plan.photo))
    rows: list[Row] = []
    for route in plan.routes:
        rate = plan.rate
        for target in targets:
            on_step(f"{route}, closed loop, {target.name}")
            outcome = await _closed(plan, target, route)
            rate = rate or max(1.0, plan.share * outcome.rate)
            rows.append(Row(route, f"closed, {plan.connections}", target.name, outcome))
        for target in targets:
            on_step(f"{route}, open loop, {target.name}")
            outcome = await _open(plan, target, route, rate or 1.0)
            rows.append(Row(route, f"open, {rate:.0f}/s", target.name, outcome))
    return Measured(rows, {target.name: target.about for target in targets})


async def _closed(plan: BenchPlan, target: Target, route: str) -> Outcome:
    make = target.requests[route]
    for seconds in (WARM_UP_SECONDS, plan.seconds):
        outcome = await closed_loop(
            target.endpoint, make, connections=plan.connections, seconds=seconds
        )
    return outcome


async def _open(plan: BenchPlan, target: Target, route: str, rate: float) -> Outcome:
    return await open_loop(
        target.endpoint,
        target.requests[route],
        rate=rate,
        seconds=plan.seconds,
        connections=plan.open_connections,
        seed=plan.seed,
    )
