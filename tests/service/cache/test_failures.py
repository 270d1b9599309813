"""Every kind of failure has its name, its count, and a line of the log once a minute."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from service.cache import Key, RedisStore, SqliteStore
from service.cache.failures import QUIET_SECONDS, FailureLog
from service.cache.redis.opening import open_client
from service.cache.redis.value import pack
from service.errors import CacheUnavailableError
from tests.service.cache.conftest import Clock, breaker
from tests.support.redis_server import RedisServer, free_port

pytestmark = pytest.mark.anyio
KEY = Key("an-image", "a")


class Lines(list[dict[str, object]]):
    """A log that keeps its lines."""

    def event(self, event: str, level: str = "info", **members: object) -> None:
        self.append({"event": event, "level": level, **members})


async def failures_of(
    url: str, *, timeout_ms: float = 5000, commands: int = 1, put: bool = False
) -> list[tuple[str, str]]:
    """What a store says that is asked so often."""
    found: list[tuple[str, str]] = []
    store = RedisStore(
        open_client(url, timeout_ms, 4, breaker),
        600,
        on_failure=lambda kind, cause: found.append((kind, cause)),
    )
    for _ in range(commands):
        with contextlib.suppress(CacheUnavailableError):
            await (store.put(KEY, bytes(1000), b"") if put else store.read(KEY, 0, 64))
    await store.close()
    return found


async def test_what_redis_refuses_has_its_kind_and_its_cause() -> None:
    with RedisServer() as server:
        server.ask("SET", "px:{an-image}:a", pack(bytes(64))[:50])
        assert [kind for kind, _ in await failures_of(server.url)] == ["corrupt"]
        server.ask("DEL", "px:{an-image}:a")
        server.ask("LPUSH", "px:{an-image}:a", "x")
        [(kind, cause)] = await failures_of(server.url)
        assert kind == "wrong-type"
        assert "WRONGTYPE" in cause
        server.ask("DEL", "px:{an-image}:a")
        server.ask("CONFIG", "SET", "maxmemory", "1")
        assert {kind for kind, _ in await failures_of(server.url, put=True)} == {"out-of-memory"}
        server.ask("CONFIG", "SET", "maxmemory", "0")
        server.ask("REPLICAOF", "127.0.0.1", free_port())
        assert {kind for kind, _ in await failures_of(server.url, put=True)} == {"read-only"}
        server.ask("REPLICAOF", "NO", "ONE")
        server.pause()
        assert {kind for kind, _ in await failures_of(server.url, timeout_ms=50)} == {"timeout"}
        server.resume()
        server.ask("CONFIG", "SET", "requirepass", "secret")
        assert {kind for kind, _ in await failures_of(server.url)} == {"authentication"}


async def test_a_redis_that_is_not_there_is_a_connection_that_failed() -> None:
    url = f"redis://127.0.0.1:{free_port()}"
    assert [kind for kind, _ in await failures_of(url)] == ["connection"]


async def test_a_damaged_file_is_said_to_be_one(tmp_path: Path) -> None:
    found: list[str] = []
    path = tmp_path / "streams.db"
    store = SqliteStore(path, 600, on_failure=lambda kind, _: found.append(kind))
    await store.put(KEY, bytes(1000), b"")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE entries SET stream = zeroblob(999) || x'01'")
    connection.close()
    assert await store.read(KEY) is None
    assert found == ["corrupt"]
    await store.close()


def test_a_kind_is_logged_once_a_minute_with_how_many_were_not_said() -> None:
    clock, lines, counted = Clock(), Lines(), []
    log = FailureLog(lines, counted.append, clock)
    for _ in range(5):
        log.failed("timeout", "no reply in 50 ms")
    log.failed("full", "disk")
    log.breaker(is_open=True)
    clock.now += QUIET_SECONDS
    log.failed("timeout", "no reply in 50 ms")
    log.breaker(is_open=False)
    assert len(counted) == 7
    assert [(line.get("kind"), line.get("unsaid"), line.get("state")) for line in lines] == [
        ("timeout", 0, None),
        ("full", 0, None),
        ("full", None, "open"),
        ("timeout", 4, None),
        (None, None, "closed"),
    ]
