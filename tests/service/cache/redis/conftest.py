"""A Redis of the test's own, to be mistreated: what the store makes of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

import pytest

from service.cache import Key, RedisStore
from service.cache.store import Event
from service.errors import CacheUnavailableError
from tests.service.cache.conftest import TIMEOUT_MS, redis_store
from tests.support.redis_server import RedisServer

TIMEOUT = TIMEOUT_MS / 1000
KEY = Key("an-image", "conv-lstm")
VALUE = "px:{an-image}:conv-lstm"
NOTES = "px:{an-image}.notes"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server of the test's own, to be mistreated."""
    with RedisServer() as started:
        yield started


@pytest.fixture
async def store(server: RedisServer, events: list[Event]) -> AsyncIterator[RedisStore]:
    """A store on that server."""
    made = redis_store(server.url, events)
    yield made
    await made.close()


async def seconds_to_fail(store: RedisStore, key: Key = KEY) -> float:
    """How long a read takes that must find the cache unavailable."""
    begun = time.perf_counter()
    with pytest.raises(CacheUnavailableError):
        await store.read(key, 0, 64)
    return time.perf_counter() - begun
