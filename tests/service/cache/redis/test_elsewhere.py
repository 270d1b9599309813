"""A connection that is of no use any more is left for a new one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from redis.exceptions import ConnectionError as Broken
from redis.exceptions import ResponseError

from service.cache import Key, RedisStore
from service.cache.redis.client import ServerClient
from service.cache.redis.opening import open_client
from service.cache.store import Event
from service.errors import CacheUnavailableError
from tests.service.cache.conftest import PATIENT_MS, breaker, redis_store
from tests.service.cache.redis.conftest import KEY, VALUE
from tests.support.redis_server import RedisServer
from tests.support.server import eventually
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.anyio
PATIENCE_SECONDS = 3.0


@pytest.fixture
def pair() -> Iterator[tuple[RedisServer, RedisServer]]:
    """A primary and its replica."""
    with ExitStack() as stack:
        options = ("--repl-diskless-sync-delay", "0")
        first, second = (stack.enter_context(RedisServer(options)) for _ in range(2))
        second.ask("REPLICAOF", "127.0.0.1", first.port)
        eventually(lambda: b"master_link_status:up" in second.ask("INFO", "replication"), 20)
        yield first, second


async def test_a_replica_promoted_behind_a_stable_address_is_written_to(
    pair: tuple[RedisServer, RedisServer], events: list[Event]
) -> None:
    old, new = pair
    with TcpProxy(old.port) as proxy:
        store = redis_store(proxy.url, events, timeout_ms=PATIENT_MS)
        await store.put(KEY, b"stream", b"")
        eventually(lambda: new.ask("EXISTS", VALUE) == b":1\r\n")
        new.ask("REPLICAOF", "NO", "ONE")
        old.ask("REPLICAOF", "127.0.0.1", new.port)
        for _ in range(5):  # a replica is no reason not to read
            with pytest.raises(CacheUnavailableError):
                await store.put(Key("another", "a"), b"stream", b"")
            assert await store.read(KEY, 0, 3) is not None
        proxy.target = new.port
        await kept(store)
        assert new.ask("EXISTS", "px:{kept}.notes") == b":1\r\n"
        assert proxy.accepted < 10
        await store.close()


async def kept(store: RedisStore) -> None:
    """Put until one is kept. Fails when none is for too long."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with contextlib.suppress(CacheUnavailableError):
                await store.put(Key("kept", "a"), b"stream", b"")
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("command", "setting"),
    [
        (("SET", "a", "b"), ("min-replicas-to-write", 1)),
        (("GET", "a"), ("replica-serve-stale-data", "no")),
    ],
    ids=["NOREPLICAS", "MASTERDOWN"],
)
async def test_a_server_without_its_peers_is_left_and_other_replies_still_come(
    command: tuple[str, ...], setting: tuple[str, str | int]
) -> None:
    with RedisServer() as server, TcpProxy(server.port) as proxy:
        client = open_client(proxy.url, PATIENT_MS, 4, breaker)
        assert isinstance(client, ServerClient)
        await client.call("PING")
        await asyncio.sleep(0.6)
        if command[0] == "GET":
            server.ask("REPLICAOF", "127.0.0.1", 1)
        server.ask("CONFIG", "SET", *setting)
        asked = [client.call("PING"), client.batch([command, command]), client.call("PING")]
        replies = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(one, ResponseError) for one in replies[1])
        if command[0] == "SET":  # a replica without its primary answers no PING either
            assert replies[::2] == [b"PONG", b"PONG"]
        assert proxy.accepted == 1
        with pytest.raises(ResponseError):
            await client.call(*command)
        assert proxy.accepted == 2
        eventually(lambda: server.ask("CLIENT", "LIST").count(b"name=") <= 2)
        await client.close()


async def test_a_connection_that_lost_its_authentication_is_made_anew(
    server: RedisServer, events: list[Event]
) -> None:
    server.ask("CONFIG", "SET", "requirepass", "secret")
    client = open_client(server.url.replace("//", "//:secret@"), PATIENT_MS, 1, breaker)
    await client.call("SET", "a", "b")
    await client.call("RESET")
    with pytest.raises(Broken):
        await client.call("GET", "a")
    assert await client.call("GET", "a") == b"b"
    await client.close()
