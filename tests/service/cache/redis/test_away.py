"""Redis stalls, dies and comes back: nobody waits long, late replies reach nobody."""

from __future__ import annotations

import asyncio
import time

import pytest

from service.cache import Key, RedisStore
from service.cache.store import Event
from service.errors import CacheUnavailableError
from tests.service.cache.conftest import redis_store
from tests.service.cache.redis.conftest import KEY, TIMEOUT, seconds_to_fail
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.anyio


async def test_a_redis_that_was_never_there_is_unavailable_at_once_and_may_come_later(
    server: RedisServer, store: RedisStore
) -> None:
    server.kill()
    assert await seconds_to_fail(store) < TIMEOUT / 2
    assert await store.health() is False
    server.start()
    assert await store.health() is True
    await store.put(KEY, b"stream", b"")
    assert await store.read(KEY, 0, 3) is not None


async def test_every_operation_of_a_dead_redis_is_unavailable_and_counted_once(
    server: RedisServer, events: list[Event]
) -> None:
    store = redis_store(server.url, events, breaker_failures=100)
    server.kill()
    for operation in (
        store.put(KEY, b"stream", b""),
        store.read(KEY, 0, 64),
        store.read(KEY),
        store.meta(KEY),
        store.many([KEY, KEY], 64),
        store.delete("an-image"),
    ):
        with pytest.raises(CacheUnavailableError):
            await operation
    assert events == ["error"] * 6
    await store.close()


async def test_a_paused_redis_is_unavailable_after_about_the_timeout_then_at_once(
    server: RedisServer, events: list[Event]
) -> None:
    store = redis_store(server.url, events, breaker_failures=3)
    await store.put(KEY, b"stream", b"")
    server.pause()
    for _ in range(3):
        assert TIMEOUT * 0.9 < await seconds_to_fail(store) < TIMEOUT * 3
    assert events.count("breaker_open") == 1
    for _ in range(50):
        assert await seconds_to_fail(store) < TIMEOUT / 2
    server.resume()
    await asyncio.sleep(0.6)  # breaker_seconds
    assert await store.read(KEY, 0, 64) is not None
    assert events[-2:] == ["breaker_closed", "hit"]
    await store.close()


async def test_callers_of_a_paused_redis_wait_together_and_not_one_after_the_other(
    server: RedisServer, store: RedisStore
) -> None:
    await store.put(KEY, b"stream", b"")
    server.pause()
    begun = time.perf_counter()
    waiting = [seconds_to_fail(store) for _ in range(300)]
    await asyncio.gather(*waiting)
    assert time.perf_counter() - begun < TIMEOUT * len(waiting) / 15
    server.resume()


async def test_a_hiccup_costs_those_who_waited_too_long_and_neither_the_others_nor_the_connection(
    server: RedisServer, store: RedisStore, events: list[Event]
) -> None:
    await store.put(KEY, b"stream", b"")
    connected = server.ask("INFO", "stats").split(b"total_connections_received:")[1].split()[0]
    server.pause()
    early = [asyncio.create_task(store.read(KEY, 0, 3)) for _ in range(20)]
    await asyncio.sleep(TIMEOUT * 0.8)
    late = [asyncio.create_task(store.read(KEY, 0, 3)) for _ in range(5)]
    await asyncio.sleep(TIMEOUT * 0.6)
    server.resume()
    results = await asyncio.gather(*early, return_exceptions=True)
    assert {type(result) for result in results} == {CacheUnavailableError}
    assert None not in await asyncio.gather(*late)
    assert "breaker_open" not in events
    again = server.ask("INFO", "stats").split(b"total_connections_received:")[1].split()[0]
    assert int(again) - int(connected) == 1  # this question's own


async def test_a_write_that_a_paused_redis_does_not_take_holds_up_nobody_afterwards(
    server: RedisServer, store: RedisStore
) -> None:
    before = len(asyncio.all_tasks())
    await store.put(KEY, b"stream", b"")
    server.pause()
    with pytest.raises(CacheUnavailableError):
        await store.put(Key("large", "a"), bytes(32 * 2**20), b"")
    await asyncio.sleep(TIMEOUT * 1.5)  # the connection is given up, and nobody writes to it
    assert len(asyncio.all_tasks()) == before
    server.resume()
    prefix = await store.read(KEY, 0, 64)
    assert prefix is not None
    assert prefix.data == b"stream"


async def test_late_replies_of_a_paused_redis_reach_nobody(
    server: RedisServer, store: RedisStore
) -> None:
    keys = [Key(str(i), "a") for i in range(4)]
    for i, key in enumerate(keys):
        await store.put(key, b"%d" % i, b"")
    server.pause()
    await seconds_to_fail(store, keys[0])
    server.resume()
    for i, key in enumerate(keys[1:], 1):
        prefix = await store.read(key)
        assert prefix is not None
        assert prefix.data == b"%d" % i


async def test_after_a_restart_reads_are_misses_again_without_an_error_when_idle(
    server: RedisServer, store: RedisStore, events: list[Event]
) -> None:
    await store.put(KEY, b"stream", b"")
    server.kill()
    server.start()
    await asyncio.sleep(0.05)  # the reader sees the end of the old connection
    assert await store.read(KEY, 0, 64) is None
    assert "error" not in events


async def test_kill_pause_and_restart_under_load_end_in_answers_or_unavailable(
    server: RedisServer, events: list[Event]
) -> None:
    store = redis_store(server.url, events, timeout_ms=50, breaker_seconds=0.1)
    await store.put(KEY, b"stream", b"meta")
    stop, outcomes = False, {"answered": 0, "unavailable": 0}

    async def client() -> None:
        while not stop:
            try:
                await store.read(KEY, 0, 3)
                await store.many([KEY, Key("x", "y")], 3)
                await store.put(KEY, b"stream", b"meta")
                outcomes["answered"] += 1
            except CacheUnavailableError:
                outcomes["unavailable"] += 1
                await asyncio.sleep(0.005)

    clients = [asyncio.create_task(client()) for _ in range(8)]
    await asyncio.sleep(0.2)
    for _ in range(2):
        server.pause()
        await asyncio.sleep(0.2)
        server.resume()
        await asyncio.sleep(0.2)
        server.kill()
        await asyncio.sleep(0.2)
        server.start()
        await asyncio.sleep(0.3)
    outcomes["answered"] = 0
    await asyncio.sleep(0.2)
    stop = True
    await asyncio.gather(*clients)
    assert outcomes["answered"] > 0
    assert outcomes["unavailable"] > 0
    await store.close()
