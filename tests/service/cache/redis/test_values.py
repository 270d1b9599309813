"""What lies in Redis: how much of it is sent, when it is not ours, when it goes."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from service.cache import Key, RedisStore
from service.cache.redis.value import HEAD_BYTES, pack
from service.cache.store import Event
from tests.service.cache.redis.conftest import KEY, NOTES, VALUE
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.anyio


async def test_only_the_bytes_asked_for_cross_the_wire(
    server: RedisServer, store: RedisStore
) -> None:
    await store.put(KEY, bytes(100_000), b"")
    await store.read(KEY, 0, 64)
    before = server.ask("INFO", "stats")
    for _ in range(100):
        await store.read(KEY, 0, 64)
    after = server.ask("INFO", "stats")
    sent = [int(reply.split(b"total_net_output_bytes:")[1].split()[0]) for reply in (before, after)]
    assert sent[1] - sent[0] < 100 * (64 + HEAD_BYTES + 10) + len(before) + 100


async def test_a_range_in_the_middle_of_a_long_stream_is_one_write_and_its_bytes_alone(
    server: RedisServer, store: RedisStore
) -> None:
    await store.put(KEY, bytes(800_000), b"")
    await store.read(KEY, 400_000, 404_000)
    before = server.ask("INFO", "stats")
    for _ in range(100):
        await store.read(KEY, 400_000, 404_000)
    after = server.ask("INFO", "stats")
    sent = [int(reply.split(b"total_net_output_bytes:")[1].split()[0]) for reply in (before, after)]
    # +OK, +QUEUED twice, and the lengths of what EXEC answers
    assert sent[1] - sent[0] < 100 * (4_000 + HEAD_BYTES + 60) + len(before) + 100
    turns = [int(reply.split(b"total_reads_processed:")[1].split()[0]) for reply in (before, after)]
    assert turns[1] - turns[0] < 110


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
async def test_a_value_that_is_not_whole_is_absent_and_counted_and_healed_by_a_put(
    server: RedisServer, store: RedisStore, events: list[Event], value: bytes, n: int | None
) -> None:
    server.ask("SET", VALUE, value)
    assert await store.read(KEY, 0, n) is None
    assert await store.many([KEY], 16) == [None]
    assert events == ["corrupt", "miss", "corrupt", "miss"]
    assert await store.put(KEY, bytes(64), b"") is True
    assert await store.read(KEY, 0, n) is not None


async def test_a_whole_read_verifies_the_hash_and_drops_what_has_another(
    server: RedisServer, store: RedisStore, events: list[Event]
) -> None:
    await store.put(KEY, bytes(64), b"")
    server.ask("SETRANGE", VALUE, HEAD_BYTES + 10, b"!")
    assert await store.read(KEY, 0, 63) is not None
    assert await store.read(KEY) is None
    assert events == ["hit", "corrupt", "miss"]
    assert await store.read(KEY, 0, 63) is None
    assert await store.put(KEY, bytes(64), b"") is True
    assert await store.read(KEY) is not None


async def test_every_key_expires_and_reading_does_not_prolong_it(
    server: RedisServer, store: RedisStore
) -> None:
    await store.put(KEY, b"stream", b"meta")
    keys = {VALUE, NOTES}
    for key in keys:
        assert 590 < int(server.ask("TTL", key)[1:]) <= 600
        server.ask("EXPIRE", key, 100)
    await store.read(KEY, 0, 64)
    await store.meta(KEY)
    assert all(int(server.ask("TTL", key)[1:]) <= 100 for key in keys)
    assert server.ask("DBSIZE") == b":2\r\n"


async def test_deletion_leaves_no_key_at_all(server: RedisServer, store: RedisStore) -> None:
    for codec in ("known", "unknown"):
        await store.put(Key("an-image", codec), b"stream", b"meta")
    await store.note(Key("an-image", ""), b"document")
    assert await store.delete("an-image") is True
    assert server.ask("DBSIZE") == b":0\r\n"


async def test_deletion_finds_known_codecs_even_when_the_notes_were_evicted(
    server: RedisServer, store: RedisStore
) -> None:
    await store.put(Key("an-image", "known"), b"stream", b"meta")
    server.ask("DEL", NOTES)
    assert await store.delete("an-image") is True
    assert server.ask("DBSIZE") == b":0\r\n"


async def test_one_key_of_a_wrong_type_among_many_is_absent_alone_and_healed_by_a_put(
    server: RedisServer, store: RedisStore, events: list[Event]
) -> None:
    keys = [Key(f"image-{i}", "a") for i in range(60)]
    for key in keys:
        await store.put(key, bytes(64), b"")
    server.ask("DEL", "px:{image-7}:a")
    server.ask("LPUSH", "px:{image-7}:a", "x")
    found = await store.many(keys, 16)
    assert [i for i, part in enumerate(found) if part is None] == [7]
    assert events.count("hit") == 59
    assert events.count("corrupt") == events.count("miss") == 1
    await store.put(keys[7], bytes(64), b"")
    assert None not in await store.many(keys, 16)


async def test_a_stream_that_is_whole_is_not_put_again_but_its_note_may_be(
    server: RedisServer, store: RedisStore
) -> None:
    assert await store.put(KEY, b"first", b"one") is True
    assert await store.put(KEY, b"second", b"two") is False
    part = await store.read(KEY)
    assert part is not None
    assert (part.data, await store.meta(KEY)) == (b"first", b"one")
    await store.note(KEY, b"three")
    assert await store.meta(KEY) == b"three"


@pytest.mark.parametrize("damage", [b"x", b"\x05short", b"\xff" * 40, None])
async def test_damaged_notes_are_absent_and_the_next_one_replaces_them(
    server: RedisServer, store: RedisStore, damage: bytes | None
) -> None:
    await store.put(KEY, b"stream", b"meta")
    if damage is None:
        server.ask("DEL", NOTES)
        server.ask("LPUSH", NOTES, "x")
    else:
        server.ask("SET", NOTES, damage)
    assert await store.meta(KEY) is None
    await store.note(KEY, b"again")
    assert await store.meta(KEY) == b"again"
    assert await store.delete("an-image") is True
    assert server.ask("DBSIZE") == b":0\r\n"


async def test_what_the_version_before_wrote_is_read_and_deleted(
    server: RedisServer, store: RedisStore
) -> None:
    for codec, stream, meta in (("", b"", b"document"), ("old", b"stream", b"facts")):
        server.ask("SADD", "px:{an-image}", codec)
        server.ask("SET", f"px:{{an-image}}:{codec}:meta", meta)
        server.ask("SET", f"px:{{an-image}}:{codec}", pack(stream))
    part = await store.read(Key("an-image", "old"))
    assert part is not None
    assert part.data == b"stream"
    assert await store.meta(Key("an-image", "")) == b"document"
    assert await store.meta(Key("an-image", "old")) == b"facts"
    await store.put(KEY, b"new", b"its facts")
    await store.note(Key("an-image", ""), b"newer")
    assert await store.meta(Key("an-image", "")) == b"newer"
    assert await store.meta(Key("an-image", "old")) == b"facts"
    assert await store.delete("an-image") is True
    assert server.ask("DBSIZE") == b":0\r\n"


async def test_notes_of_many_writers_at_once_are_all_kept(store: RedisStore) -> None:
    keys = [Key("an-image", f"codec-{n}") for n in range(40)]
    await asyncio.gather(*(store.put(key, b"stream", key.codec.encode()) for key in keys))
    assert [await store.meta(key) for key in keys] == [key.codec.encode() for key in keys]


async def test_another_stream_that_came_into_its_place_is_not_dropped(store: RedisStore) -> None:
    await store.put(KEY, b"first", b"")
    await store.drop(KEY, hashlib.sha256(b"second").digest())
    assert await store.read(KEY) is not None
    await store.drop(KEY, hashlib.sha256(b"first").digest())
    assert await store.read(KEY) is None


@pytest.mark.parametrize("start", [0, 300])
async def test_a_key_of_a_wrong_type_is_absent_for_a_single_read(
    server: RedisServer, store: RedisStore, events: list[Event], start: int
) -> None:
    server.ask("LPUSH", VALUE, "x")
    for _ in range(10):
        assert await store.read(KEY, start, start + 16) is None
    assert events == ["corrupt", "miss"] * 10
    assert await store.put(KEY, bytes(400), b"") is True
    assert await store.read(KEY, start, start + 16) is not None
