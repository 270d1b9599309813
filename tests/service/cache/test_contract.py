"""What every store promises, held against all of them."""

from __future__ import annotations

import asyncio
import hashlib
import random
import uuid
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.cache import Key, Part, Store
from service.cache.store import Event

pytestmark = pytest.mark.anyio
STREAM = bytes(range(256)) + b"\x00\xff"


def fresh(codec: str = "conv-lstm") -> Key:
    return Key(uuid.uuid4().hex, codec)


@pytest.mark.parametrize("n", [1, 2, 64, 257, 258, 259, 100_000, None])
async def test_a_prefix_is_the_first_bytes_with_the_length_and_hash_of_the_whole(
    store: Store, n: int | None
) -> None:
    key = fresh()
    await store.put(key, STREAM, b"meta")
    prefix = await store.read(key, 0, n)
    assert prefix is not None
    assert prefix.data == STREAM[:n]
    assert prefix.total_bytes == len(STREAM)
    assert prefix.digest == hashlib.sha256(STREAM).digest()
    assert prefix.v == hashlib.sha256(STREAM).hexdigest()[:8]


LONG = random.Random(2).randbytes(100_000)
POSITIONS = st.integers(0, 300) | st.integers(0, len(LONG) + 300)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(length=POSITIONS, start=POSITIONS, count=st.none() | POSITIONS)
async def test_any_range_of_any_stream_is_what_slicing_gives(
    store: Store, length: int, start: int, count: int | None
) -> None:
    key, stream = fresh(), LONG[:length]
    await store.put(key, stream, b"")
    stop = None if count is None else start + count
    part = await store.read(key, start, stop)
    assert part == Part(
        stream[start:stop], len(stream), hashlib.sha256(stream).digest(), stream[:2]
    )


async def test_what_was_never_put_is_none_and_not_an_error(store: Store) -> None:
    key = fresh()
    assert await store.read(key, 0, 64) is None
    assert await store.read(key) is None
    assert await store.read(key, 100_000, 200_000) is None
    assert await store.meta(key) is None
    assert await store.many([key, fresh()], 64) == [None, None]
    assert await store.delete(key.image_id) is False


async def test_meta_comes_back_whole_whatever_bytes_it_holds(store: Store) -> None:
    key, meta = fresh(), b"\r\n\x00{}" * 1000
    await store.put(key, STREAM, meta)
    assert await store.meta(key) == meta


async def test_an_image_document_is_a_note_without_a_stream(store: Store) -> None:
    key = fresh("")
    for document in (b'{"id": 1}', b"another"):
        await store.note(key, document)
        assert await store.meta(key) == document
    assert await store.read(key, 0, 64) is None


async def test_a_note_stands_before_the_stream_and_after_it(store: Store) -> None:
    key = fresh()
    await store.note(key, b"alone")
    assert await store.read(key) is None
    assert await store.put(key, STREAM, b"with the stream") is True
    assert await store.meta(key) == b"with the stream"
    await store.note(key, b"later")
    part = await store.read(key)
    assert part is not None
    assert (part.data, await store.meta(key)) == (STREAM, b"later")


async def test_a_stream_is_dropped_by_its_hash_and_no_other(store: Store) -> None:
    key = fresh()
    await store.put(key, STREAM, b"")
    await store.drop(key, bytes(32))
    assert await store.read(key) is not None
    await store.drop(key, hashlib.sha256(STREAM).digest())
    assert await store.read(key) is None
    assert await store.put(key, b"another", b"") is True


async def test_codecs_of_one_image_are_kept_apart(store: Store) -> None:
    one, two = fresh("a"), fresh("b")
    two = Key(one.image_id, "b")
    await store.put(one, b"one", b"1")
    await store.put(two, b"two!", b"2")
    first, second = await store.read(one), await store.read(two)
    assert first is not None
    assert second is not None
    assert (first.data, second.data) == (b"one", b"two!")
    assert (await store.meta(one), await store.meta(two)) == (b"1", b"2")


async def test_a_second_put_leaves_the_first_and_says_so(store: Store) -> None:
    key = fresh()
    assert await store.put(key, b"a longer stream", b"old") is True
    assert await store.put(key, b"short", b"new") is False
    prefix = await store.read(key)
    assert prefix is not None
    assert (prefix.data, prefix.total_bytes) == (b"a longer stream", 15)
    assert await store.meta(key) == b"old"


async def test_of_many_puts_at_once_one_is_kept(store: Store) -> None:
    key = fresh()
    puts = (store.put(key, b"%d" % n, b"%d" % n) for n in range(20))
    kept = await asyncio.gather(*puts)
    assert kept.count(True) == 1
    part = await store.read(key)
    assert part is not None
    assert part.data == await store.meta(key) == b"%d" % kept.index(True)


async def test_many_keeps_the_order_asked_for_and_answers_each(store: Store) -> None:
    keys = [fresh() for _ in range(256)]
    streams = [random.Random(i).randbytes(i) for i in range(256)]
    for i, key in enumerate(keys):
        if i % 3:
            await store.put(key, streams[i], b"")
    asked = [*keys[::-1], keys[1], keys[1]]
    found = await store.many(asked, 48)
    expected = [s[:48] if i % 3 else None for i, s in enumerate(streams)]
    assert [None if p is None else p.data for p in found] == [
        *expected[::-1],
        expected[1],
        expected[1],
    ]
    assert await store.many([], 48) == []


async def test_deletion_takes_the_document_and_every_codec_and_nothing_else(store: Store) -> None:
    other = fresh()
    document = fresh("")
    keys = [document, *(Key(document.image_id, c) for c in ("known", "of-another-version"))]
    for key in [*keys[1:], other]:
        await store.put(key, STREAM, b"meta")
    await store.note(document, b"document")
    assert await store.delete(document.image_id) is True
    for key in keys:
        assert await store.read(key, 0, 64) is None
        assert await store.meta(key) is None
    assert await store.read(other, 0, 64) is not None
    assert await store.delete(document.image_id) is False


async def test_each_key_read_is_one_hit_or_one_miss(store: Store, events: list[Event]) -> None:
    key, gone = fresh(), fresh()
    await store.put(key, STREAM, b"meta")
    await store.read(key, 0, 64)
    await store.read(gone, 0, 64)
    await store.many([key, gone, key], 64)
    await store.meta(gone)
    assert events == ["hit", "miss", "hit", "miss", "hit", "miss"]


async def test_a_megabyte_goes_in_and_out(store: Store) -> None:
    key, stream = fresh(), random.Random(1).randbytes(900_000)
    await store.put(key, stream, b"")
    prefix = await store.read(key)
    assert prefix is not None
    assert prefix.data == stream


async def test_a_cancelled_read_leaves_nothing_for_the_next_one(store: Store) -> None:
    keys = [fresh() for _ in range(20)]
    for i, key in enumerate(keys):
        await store.put(key, b"%d" % i, b"")
    tries = random.Random(5)
    for _ in range(100):
        reads = [asyncio.create_task(store.read(key)) for key in keys]
        leaving = tries.sample(range(20), 10)
        for _ in range(tries.randrange(4)):
            await asyncio.sleep(0)
        for i in leaving:
            reads[i].cancel()
        results = await asyncio.gather(*reads, return_exceptions=True)
        for i, prefix in enumerate(results):
            if not isinstance(prefix, asyncio.CancelledError):
                assert not isinstance(prefix, BaseException)
                assert prefix is not None
                assert prefix.data == b"%d" % i
            else:
                assert i in leaving


async def test_readers_see_one_of_the_streams_that_writers_put_and_never_a_mixture(
    store: Store,
) -> None:
    key = fresh()
    streams = [bytes([i]) * (500 + i) for i in range(30)]
    await store.put(key, streams[0], b"")

    async def write() -> None:
        for before, stream in pairwise(streams):
            await store.drop(key, hashlib.sha256(before).digest())
            await store.put(key, stream, b"")

    async def read() -> None:
        for start in (0, 300) * 30:
            part = await store.read(key, start, start + 40)
            if part is None:
                continue  # between two of them
            (whole,) = [s for s in streams if len(s) == part.total_bytes]
            assert part.data == whole[start : start + 40]
            assert part.digest == hashlib.sha256(whole).digest()

    await asyncio.gather(write(), read(), read())


async def test_a_store_that_answers_is_healthy(store: Store) -> None:
    assert await store.health() is True
