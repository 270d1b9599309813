"""Redis answers, and refuses: full, the wrong password, somebody else's value."""

from __future__ import annotations

import pytest

from service.cache import Key, RedisStore
from service.cache.store import Event
from service.errors import CacheUnavailableError
from tests.service.cache.conftest import redis_store
from tests.service.cache.redis.conftest import KEY, seconds_to_fail
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.anyio


async def test_a_full_redis_refuses_puts_and_reads_go_on(
    server: RedisServer, store: RedisStore, events: list[Event]
) -> None:
    await store.put(KEY, b"stream", b"meta")
    server.ask("CONFIG", "SET", "maxmemory", 1)
    for _ in range(10):
        with pytest.raises(CacheUnavailableError):
            await store.put(Key("another", "a"), b"stream", b"meta")
    assert await store.read(KEY, 0, 64) is not None
    assert "breaker_open" not in events


async def test_a_wrong_password_is_unavailable(server: RedisServer, events: list[Event]) -> None:
    server.ask("CONFIG", "SET", "requirepass", "secret")
    wrong = redis_store(server.url.replace("//", "//:wrong@"), events)
    right = redis_store(server.url.replace("//", "//:secret@"), events)
    try:
        await seconds_to_fail(wrong)
        await right.put(KEY, b"stream", b"")
        assert await right.read(KEY, 0, 3) is not None
    finally:
        await wrong.close()
        await right.close()
