"""The stores under test, on real backends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from service.cache import MemoryStore, RedisStore, SqliteStore, Store
from service.cache.breaker import Breaker
from service.cache.redis.opening import open_client
from service.cache.store import Event
from tests.support.redis_server import RedisServer, redis_cluster

TIMEOUT_MS = 400.0
"""For tests of a Redis that is away: short to wait for, long for a busy machine."""
PATIENT_MS = 10_000.0
"""For tests of everything else."""


class Clock:
    """Time that a test moves, in seconds."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """What the service runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def events() -> list[Event]:
    """What the store under test told its metrics."""
    return []


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A server for tests that leave it well."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def cluster_url() -> Iterator[str]:
    """A cluster of three, for tests that leave it well."""
    with redis_cluster() as servers:
        yield f"redis+cluster://127.0.0.1:{servers[0].port}"


def breaker() -> Breaker:
    """One for tests that are not about it."""
    return Breaker(5, 2.0)


def redis_store(
    url: str,
    events: list[Event],
    *,
    timeout_ms: float = TIMEOUT_MS,
    connections: int = 32,
    breaker_failures: int = 5,
    breaker_seconds: float = 0.5,
) -> RedisStore:
    """A store on the server at ``url``; whoever asks for it closes it."""
    return RedisStore(
        open_client(
            url,
            timeout_ms,
            connections,
            lambda: Breaker(breaker_failures, breaker_seconds, events.append),
        ),
        ttl_seconds=600,
        codecs=("known",),
        on_event=events.append,
    )


@pytest.fixture(params=["memory", "sqlite", "redis", "cluster"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, events: list[Event]
) -> AsyncIterator[Store]:
    """Each store, empty (Redis: but for the ids of other tests)."""
    made: Store
    if request.param == "memory":
        made = MemoryStore(2**20, events.append)
    elif request.param == "sqlite":
        made = SqliteStore(tmp_path / "streams.db", 600, on_event=events.append)
    elif request.param == "redis":
        made = redis_store(
            request.getfixturevalue("redis_server").url, events, timeout_ms=PATIENT_MS
        )
    else:
        made = redis_store(request.getfixturevalue("cluster_url"), events, timeout_ms=PATIENT_MS)
    yield made
    await made.close()
