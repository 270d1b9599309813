"""Photos and thumbnails apart: neither pushes the other out, and an image is still one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.cache import Key, Store, build_store
from service.cache.by_kind import StoreByKind
from service.errors import CacheUnavailableError, ConfigurationError
from service.settings import Settings
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.anyio
LIMIT = 2**20
CODECS = ("thumb", "photo")


def image(number: int) -> str:
    return f"image-{number}"


def settings(kind: str, folder: Path, request: pytest.FixtureRequest) -> Settings:
    """Small bounds, and the two Redis servers that the test may fill."""
    if kind == "memory":
        return Settings(memory_bytes=LIMIT, photo_memory_bytes=LIMIT)
    if kind == "sqlite":
        return Settings(
            store_path=folder / "streams.db",
            store_limit_bytes=LIMIT,
            photo_store_limit_bytes=LIMIT,
        )
    thumbs, photos = request.getfixturevalue("two_servers")
    return Settings(redis_url=thumbs.url, photo_redis_url=photos.url, redis_timeout_ms=5000)


@pytest.fixture(scope="module")
def two_servers():
    options = ("--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lfu")
    with RedisServer(options) as thumbs, RedisServer(options) as photos:
        yield thumbs, photos


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    made = build_store(
        settings(request.param, tmp_path, request), codecs=CODECS, photo_codecs=["photo"]
    )
    yield made
    await made.close()


async def test_photos_without_end_push_out_photos_and_no_thumbnail(store: Store) -> None:
    for number in range(50):
        await store.put(Key(image(number), "thumb"), bytes(300), b"meta")
        await store.note(Key(image(number), ""), b"document")
    for number in range(50):
        await store.put(Key(image(number), "photo"), bytes(200_000), b"meta")
    thumbs = await store.many([Key(image(number), "thumb") for number in range(50)], 64)
    assert None not in thumbs
    photos = await store.many([Key(image(number), "photo") for number in range(50)], 64)
    assert None in photos
    assert photos[-1] is not None
    for number in range(50):
        assert await store.meta(Key(image(number), "")) == b"document"


async def test_thumbnails_without_end_push_out_no_photo_and_its_document_stays(
    store: Store,
) -> None:
    await store.put(Key(image(0), "photo"), bytes(100_000), b"meta")
    await store.note(Key(image(0), ""), b"document")
    for number in range(1, 6000):
        await store.put(Key(image(number), "thumb"), bytes(900), b"")
    assert await store.meta(Key(image(0), "")) == b"document"
    part = await store.read(Key(image(0), "photo"), 50_000, 50_010)
    assert part is not None
    assert part.data == bytes(10)


async def test_an_image_goes_with_all_that_is_kept_of_it(store: Store) -> None:
    keys = [Key("one", codec) for codec in ("thumb", "photo", "")]
    for key in keys:
        await store.put(key, b"stream", b"meta")
    found = await store.many([keys[1], keys[0], Key("two", "photo"), keys[1]], 3)
    assert [part and part.data for part in found] == [b"str", b"str", None, b"str"]
    assert await store.delete("one") is True
    for key in keys:
        assert await store.read(key) is None
        assert await store.meta(key) is None
    assert await store.delete("one") is False


async def test_photos_that_are_away_leave_thumbnails_alone(tmp_path: Path) -> None:
    with RedisServer() as server:
        url = "redis://127.0.0.1:1"
        made = build_store(
            Settings(redis_url=server.url, photo_redis_url=url, redis_timeout_ms=5000),
            codecs=CODECS,
            photo_codecs=["photo"],
        )
        key = Key("one", "thumb")
        await made.put(key, b"stream", b"")
        for _ in range(10):  # past the photos' breaker
            with pytest.raises(CacheUnavailableError):
                await made.read(Key("one", "photo"), 0, 64)
            assert await made.read(key, 0, 64) is not None
        with pytest.raises(CacheUnavailableError):
            await made.delete("one")
        assert await made.read(key, 0, 64) is None
        assert await made.health() is False
        await made.close()


async def test_without_a_codec_of_photos_there_is_one_store() -> None:
    assert not isinstance(build_store(Settings(), codecs=CODECS), StoreByKind)


async def test_a_redis_for_photos_alone_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="PREFIXEL_REDIS_URL"):
        build_store(Settings(photo_redis_url="redis://127.0.0.1:1"))
