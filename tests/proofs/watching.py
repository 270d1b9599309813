"""Looking at a service from outside: its metrics, its memory, its health."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import psutil
from prometheus_client.parser import text_string_to_metric_families

from service.bench.connection import Connection, Endpoint
from tests.support.codec import DEFAULT
from tests.support.server import REAL, Server, running_service


def real_service(**environment: str | float) -> contextlib.AbstractContextManager[Server]:
    """``prefixel serve`` with the default codec alone, so that figures are of that one."""
    return running_service(REAL, PREFIXEL_CODECS=DEFAULT, **environment)


def metrics(url: str) -> dict[str, float]:
    """``name{label=value,...}`` -> value, as /metrics says now."""
    text = httpx.get(f"{url}/metrics").raise_for_status().text
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
    return found


def rss_mib(server: Server) -> float:
    """Resident memory of a service and its workers."""
    root = psutil.Process(server.process.pid)
    total = sum(one.memory_info().rss for one in (root, *root.children(recursive=True)))
    return float(total / 2**20)


@dataclass
class Watch:
    """What was seen while watching; ``health`` counts (path, status), 0 for no answer."""

    health: Counter[tuple[str, int]] = field(default_factory=Counter)
    slowest_seconds: float = 0.0
    rss_mib: list[float] = field(default_factory=list)

    @property
    def is_healthy(self) -> bool:
        """Every probe was answered with 200."""
        return bool(self.health) and {status for _, status in self.health} == {200}


@contextlib.asynccontextmanager
async def watching(server: Server, *, every_seconds: float = 0.2) -> AsyncIterator[Watch]:
    """Ask /livez and /readyz, and look at the memory, again and again while inside."""
    watch = Watch()
    endpoint = Endpoint.of(server.url)

    async def look() -> None:
        while True:
            for path in ("/livez", "/readyz"):
                begin = time.perf_counter()
                try:
                    # a new connection, as a kubelet opens one
                    async with Connection(endpoint) as connection, asyncio.timeout(10):
                        status = (await connection.ask(endpoint.request("GET", path))).status
                except (OSError, TimeoutError):
                    status = 0
                finally:  # one that has no answer yet when the watching ends was slow too
                    took = time.perf_counter() - begin
                    watch.slowest_seconds = max(watch.slowest_seconds, took)
                watch.health[path, status] += 1
            watch.rss_mib.append(rss_mib(server))
            await asyncio.sleep(every_seconds)

    task = asyncio.create_task(look())
    try:
        yield watch
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
