"""How many connections and commands there may be, and callers who leave."""

from __future__ import annotations

import asyncio
import time
import uuid

import pytest

from service.cache import Key, RedisStore
from service.cache.store import Event
from service.errors import CacheUnavailableError
from tests.service.cache.conftest import redis_store
from tests.service.cache.redis.conftest import KEY, TIMEOUT, seconds_to_fail
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.anyio


async def test_connections_and_waiting_commands_are_bounded(
    server: RedisServer, events: list[Event]
) -> None:
    store = redis_store(server.url, events, connections=2, breaker_failures=1000)
    await store.put(KEY, b"stream", b"")
    server.pause()
    begun = time.perf_counter()
    reads = [asyncio.create_task(store.read(KEY, 0, 3)) for _ in range(200)]
    done, waiting = await asyncio.wait(reads, timeout=TIMEOUT / 4)
    assert 0 < len(waiting) <= 64
    assert len(done) + len(waiting) == 200
    assert all(isinstance(read.exception(), CacheUnavailableError) for read in done)
    await asyncio.gather(*reads, return_exceptions=True)
    assert time.perf_counter() - begun < 2 * TIMEOUT
    server.resume()
    clients = server.ask("CLIENT", "LIST").count(b"name=")
    assert clients <= 2 + 2 + 1  # two new ones, two that are closing, and the one that asks
    assert await store.read(KEY, 0, 3) is not None
    await store.close()


async def test_one_connection_serves_what_ordinary_load_asks(
    server: RedisServer, store: RedisStore
) -> None:
    await store.put(KEY, b"stream", b"")
    for _ in range(20):
        await asyncio.gather(*(store.read(KEY, 0, 3) for _ in range(16)))
    assert server.ask("CLIENT", "LIST").count(b"name=") == 2


async def test_cancelling_whoever_began_to_connect_disturbs_nobody(
    server: RedisServer, store: RedisStore
) -> None:
    first = asyncio.create_task(store.read(KEY, 0, 3))
    second = asyncio.create_task(store.read(KEY, 0, 3))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    assert await second is None
    assert first.cancelled()


async def test_a_cancelled_probe_lets_the_next_one_through(
    server: RedisServer, events: list[Event]
) -> None:
    store = redis_store(server.url, events, breaker_failures=1, breaker_seconds=0.05)
    await store.put(KEY, b"stream", b"")
    server.pause()
    await seconds_to_fail(store)
    await asyncio.sleep(0.06)
    probe = asyncio.create_task(store.read(KEY, 0, 3))
    await asyncio.sleep(0.01)
    probe.cancel()
    server.resume()
    await asyncio.sleep(0.05)
    assert await store.read(KEY, 0, 3) is not None
    await store.close()


async def test_closing_tells_those_who_wait(server: RedisServer, store: RedisStore) -> None:
    await store.put(KEY, b"stream", b"")
    server.pause()
    reads = [asyncio.create_task(store.read(KEY, 0, 3)) for _ in range(3)]
    await asyncio.sleep(0.02)
    await store.close()
    results = await asyncio.gather(*reads, return_exceptions=True)
    assert [type(result) for result in results] == [CacheUnavailableError] * 3
    server.resume()


async def test_a_loop_that_was_held_up_does_not_take_replies_for_late(
    redis_server: RedisServer, events: list[Event]
) -> None:
    store = redis_store(redis_server.url, events, timeout_ms=100)
    key = Key(uuid.uuid4().hex, "a")
    await store.put(key, b"stream", b"")
    for _ in range(2):
        held = asyncio.create_task(store.read(key, 0, 3))
        for _ in range(3):  # by then the command has been sent
            await asyncio.sleep(0)
        time.sleep(0.5)  # noqa: ASYNC251 - the loop is held up on purpose
        assert await held is not None
        await asyncio.sleep(0.01)
    assert "error" not in events
    await store.close()
