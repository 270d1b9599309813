"""Redis that lies, refuses, stalls, dies and comes back: what the store makes of it."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest

from service.cache import Key, RedisStore
from service.cache.protocol import Event
from service.cache.value import HEAD_BYTES, pack
from service.errors import CacheUnavailableError
from tests.service.cache.conftest import TIMEOUT_MS, redis_store
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.anyio
TIMEOUT = TIMEOUT_MS / 1000
KEY = Key("an-image", "conv-lstm")
VALUE = "px:{an-image}:conv-lstm"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A server of the test's own, to be mistreated."""
    with RedisServer() as started:
        yield started


@pytest.fixture
async def store(server: RedisServer, events: list[Event]) -> AsyncIterator[RedisStore]:
    made = redis_store(server.url, events)
    yield made
    await made.close()


async def seconds_to_fail(store: RedisStore, key: Key = KEY) -> float:
    begun = time.perf_counter()
    with pytest.raises(CacheUnavailableError):
        await store.prefix(key, 64)
    return time.perf_counter() - begun


# What lies in Redis


async def test_only_the_bytes_asked_for_cross_the_wire(
    server: RedisServer, store: RedisStore
) -> None:
    await store.put(KEY, bytes(100_000), b"")
    await store.prefix(KEY, 64)
    before = server.ask("INFO", "stats")
    for _ in range(100):
        await store.prefix(KEY, 64)
    after = server.ask("INFO", "stats")
    sent = [int(reply.split(b"total_net_output_bytes:")[1].split()[0]) for reply in (before, after)]
    assert sent[1] - sent[0] < 100 * (64 + HEAD_BYTES + 10) + len(before) + 100


@pytest.mark.parametrize("n", [16, None])
@pytest.mark.parametrize(
    "value",
    [
        pack(bytes(64))[:20],
        pack(bytes(64))[:-50],
        pack(b"")[:4] + b"\x01" * 32 + b"more than it says",
        b"not ours at all",
    ],
    ids=["cut in its head", "cut in its stream", "longer than it says", "rubbish"],
)
async def test_a_value_that_is_not_whole_is_absent_and_counted(
    server: RedisServer, store: RedisStore, events: list[Event], value: bytes, n: int | None
) -> None:
    server.ask("SET", VALUE, value)
    assert await store.prefix(KEY, n) is None
    assert await store.many([KEY], 16) == [None]
    assert events == ["corrupt", "miss", "corrupt", "miss"]


async def test_a_whole_read_verifies_the_hash(
    server: RedisServer, store: RedisStore, events: list[Event]
) -> None:
    await store.put(KEY, bytes(64), b"")
    server.ask("SETRANGE", VALUE, HEAD_BYTES + 10, b"!")
    assert await store.prefix(KEY, None) is None
    assert await store.prefix(KEY, 64) is None
    assert events == ["corrupt", "miss", "corrupt", "miss"]


async def test_every_key_expires_and_reading_does_not_prolong_it(
    server: RedisServer, store: RedisStore
) -> None:
    await store.put(KEY, b"stream", b"meta")
    keys = {VALUE, f"{VALUE}:meta", "px:{an-image}"}
    for key in keys:
        assert 590 < int(server.ask("TTL", key)[1:]) <= 600
        server.ask("EXPIRE", key, 100)
    await store.prefix(KEY, 64)
    await store.meta(KEY)
    assert all(int(server.ask("TTL", key)[1:]) <= 100 for key in keys)
    assert server.ask("DBSIZE") == b":3\r\n"


async def test_deletion_leaves_no_key_at_all(server: RedisServer, store: RedisStore) -> None:
    for codec in ("", "known", "unknown"):
        await store.put(Key("an-image", codec), b"stream", b"meta")
    assert await store.delete("an-image") is True
    assert server.ask("DBSIZE") == b":0\r\n"


async def test_deletion_finds_known_codecs_even_when_the_set_of_them_was_evicted(
    server: RedisServer, store: RedisStore
) -> None:
    await store.put(Key("an-image", "known"), b"stream", b"meta")
    server.ask("DEL", "px:{an-image}")
    assert await store.delete("an-image") is True
    assert server.ask("DBSIZE") == b":0\r\n"


# Redis refuses


async def test_a_full_redis_refuses_puts_and_reads_go_on(
    server: RedisServer, store: RedisStore, events: list[Event]
) -> None:
    await store.put(KEY, b"stream", b"meta")
    server.ask("CONFIG", "SET", "maxmemory", 1)
    for _ in range(10):
        with pytest.raises(CacheUnavailableError):
            await store.put(Key("another", "a"), b"stream", b"meta")
    assert await store.prefix(KEY, 64) is not None
    assert "breaker_open" not in events


async def test_a_wrong_password_is_unavailable(server: RedisServer, events: list[Event]) -> None:
    server.ask("CONFIG", "SET", "requirepass", "secret")
    wrong = redis_store(server.url.replace("//", "//:wrong@"), events)
    right = redis_store(server.url.replace("//", "//:secret@"), events)
    try:
        await seconds_to_fail(wrong)
        await right.put(KEY, b"stream", b"")
        assert await right.prefix(KEY, 3) is not None
    finally:
        await wrong.close()
        await right.close()


async def test_somebody_elses_list_under_our_key_is_unavailable_for_that_key_alone(
    server: RedisServer, store: RedisStore, events: list[Event]
) -> None:
    server.ask("RPUSH", VALUE, "x")
    for _ in range(10):
        await seconds_to_fail(store)
    assert await store.prefix(Key("another", "a"), 64) is None
    assert "breaker_open" not in events


# Redis is away


async def test_a_redis_that_was_never_there_is_unavailable_at_once_and_may_come_later(
    server: RedisServer, store: RedisStore
) -> None:
    server.kill()
    assert await seconds_to_fail(store) < TIMEOUT / 2
    assert await store.health() is False
    server.start()
    assert await store.health() is True
    await store.put(KEY, b"stream", b"")
    assert await store.prefix(KEY, 3) is not None


async def test_every_operation_of_a_dead_redis_is_unavailable_and_counted_once(
    server: RedisServer, events: list[Event]
) -> None:
    store = redis_store(server.url, events, breaker_failures=100)
    server.kill()
    for operation in (
        store.put(KEY, b"stream", b""),
        store.prefix(KEY, 64),
        store.prefix(KEY, None),
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
    assert await store.prefix(KEY, 64) is not None
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
    assert time.perf_counter() - begun < TIMEOUT * 3
    server.resume()


async def test_a_hiccup_costs_those_who_waited_too_long_and_neither_the_others_nor_the_connection(
    server: RedisServer, store: RedisStore, events: list[Event]
) -> None:
    await store.put(KEY, b"stream", b"")
    connected = server.ask("INFO", "stats").split(b"total_connections_received:")[1].split()[0]
    server.pause()
    early = [asyncio.create_task(store.prefix(KEY, 3)) for _ in range(20)]
    await asyncio.sleep(TIMEOUT * 0.8)
    late = [asyncio.create_task(store.prefix(KEY, 3)) for _ in range(5)]
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
    prefix = await store.prefix(KEY, 64)
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
        prefix = await store.prefix(key, None)
        assert prefix is not None
        assert prefix.data == b"%d" % i


async def test_after_a_restart_reads_are_misses_again_without_an_error_when_idle(
    server: RedisServer, store: RedisStore, events: list[Event]
) -> None:
    await store.put(KEY, b"stream", b"")
    server.kill()
    server.start()
    await asyncio.sleep(0.05)  # the reader sees the end of the old connection
    assert await store.prefix(KEY, 64) is None
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
                await store.prefix(KEY, 3)
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


# Bounds, and callers who leave


async def test_connections_and_waiting_commands_are_bounded(
    server: RedisServer, events: list[Event]
) -> None:
    store = redis_store(server.url, events, connections=2, breaker_failures=1000)
    await store.put(KEY, b"stream", b"")
    server.pause()
    begun = time.perf_counter()
    reads = [asyncio.create_task(store.prefix(KEY, 3)) for _ in range(200)]
    done, waiting = await asyncio.wait(reads, timeout=TIMEOUT / 4)
    assert 0 < len(waiting) <= 64
    assert len(done) + len(waiting) == 200
    assert all(isinstance(read.exception(), CacheUnavailableError) for read in done)
    await asyncio.gather(*reads, return_exceptions=True)
    assert time.perf_counter() - begun < 2 * TIMEOUT
    server.resume()
    clients = server.ask("CLIENT", "LIST").count(b"name=")
    assert clients <= 2 + 2 + 1  # two new ones, two that are closing, and the one that asks
    assert await store.prefix(KEY, 3) is not None
    await store.close()


async def test_one_connection_serves_what_ordinary_load_asks(
    server: RedisServer, store: RedisStore
) -> None:
    await store.put(KEY, b"stream", b"")
    for _ in range(20):
        await asyncio.gather(*(store.prefix(KEY, 3) for _ in range(16)))
    assert server.ask("CLIENT", "LIST").count(b"name=") == 2


async def test_cancelling_whoever_began_to_connect_disturbs_nobody(
    server: RedisServer, store: RedisStore
) -> None:
    first = asyncio.create_task(store.prefix(KEY, 3))
    second = asyncio.create_task(store.prefix(KEY, 3))
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
    probe = asyncio.create_task(store.prefix(KEY, 3))
    await asyncio.sleep(0.01)
    probe.cancel()
    server.resume()
    await asyncio.sleep(0.05)
    assert await store.prefix(KEY, 3) is not None
    await store.close()


async def test_closing_tells_those_who_wait(server: RedisServer, store: RedisStore) -> None:
    await store.put(KEY, b"stream", b"")
    server.pause()
    reads = [asyncio.create_task(store.prefix(KEY, 3)) for _ in range(3)]
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
        held = asyncio.create_task(store.prefix(key, 3))
        for _ in range(3):  # by then the command has been sent
            await asyncio.sleep(0)
        time.sleep(0.5)  # noqa: ASYNC251 - the loop is held up on purpose
        assert await held is not None
        await asyncio.sleep(0.01)
    assert "error" not in events
    await store.close()
