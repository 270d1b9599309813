"""The settings choose the store, and what contradicts itself is said at the start."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from service.cache import Key, MemoryStore, RedisStore, SqliteStore, build_store
from service.cache.redis.client import ServerClient
from service.cache.redis.cluster import ClusterClient, seeds_of
from service.cache.redis.opening import open_client
from service.errors import CacheUnavailableError, ConfigurationError
from service.settings import Settings
from tests.service.cache.conftest import breaker
from tests.support.redis_server import free_port

pytestmark = pytest.mark.anyio


async def test_without_any_setting_streams_are_kept_in_memory() -> None:
    assert isinstance(build_store(Settings()), MemoryStore)


async def test_a_path_is_sqlite_and_a_url_is_redis_that_need_not_be_there(tmp_path: Path) -> None:
    on_disk = build_store(Settings(store_path=tmp_path / "streams.db"))
    remote = build_store(Settings(redis_url="redis://127.0.0.1:1"))
    assert isinstance(on_disk, SqliteStore)
    assert isinstance(remote, RedisStore)
    assert await remote.health() is False
    await on_disk.close()
    await remote.close()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://host:6379/2", ServerClient),
        ("rediss://user:secret@host", ServerClient),
        ("unix:///run/redis.sock", ServerClient),
        ("redis+cluster://host:7000", ClusterClient),
        ("rediss+cluster://:secret@host:7000", ClusterClient),
        ("redis+cluster://user:a,b@host:7000,other:7001,[::1]", ClusterClient),
    ],
)
async def test_the_scheme_says_one_server_or_a_cluster(url: str, kind: type) -> None:
    client = open_client(url, 50, 8, breaker)
    assert isinstance(client, kind)
    await client.close()


@pytest.mark.parametrize(
    "url",
    [
        "redis://:secret@host:port",
        "redis+cluster://:secret@host/3",
        "redis+cluster://:secret@host,",
        "redis+cluster://:secret@host:7000,other:port",
        "redis://:secret@host?socket_timeout=soon",
    ],
)
async def test_a_url_that_is_none_is_said_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        build_store(Settings(redis_url=url))
    assert "secret" not in str(raised.value)


def test_the_nodes_of_a_cluster_are_named_with_commas() -> None:
    url = urlsplit("redis://user:a,b@one:7000,two,[::1]:7002/0")
    assert seeds_of(url) == [("one", 7000), ("two", 6379), ("::1", 7002)]


async def test_two_stores_at_once_contradict_each_other(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not both"):
        build_store(Settings(redis_url="redis://host", store_path=tmp_path / "streams.db"))


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
async def test_every_operation_without_a_server_is_unavailable(scheme: str) -> None:
    store = build_store(Settings(redis_url=f"{scheme}://127.0.0.1:{free_port()}"))
    key = Key("an-image", "a")
    for operation in (
        store.put(key, b"stream", b""),
        store.read(key, 0, 64),
        store.meta(key),
        store.many([key], 64),
        store.delete("an-image"),
    ):
        with pytest.raises(CacheUnavailableError):
            await operation
    await store.close()
