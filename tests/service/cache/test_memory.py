"""The memory store holds its bound, by an account that is true."""

from __future__ import annotations

import gc
import os
import tracemalloc

import pytest

from service.cache import Key, MemoryStore
from service.cache.store import Event
from service.errors import CacheUnavailableError

pytestmark = pytest.mark.anyio


def key(i: int, codec: str = "conv-lstm") -> Key:
    return Key(f"{i:026d}", codec)


@pytest.mark.parametrize("images", [300, 1000])
@pytest.mark.parametrize("codecs", [("",), ("", "conv-lstm"), ("", "a", "b", "c")])
@pytest.mark.parametrize("stream_bytes", [64, 300])
async def test_the_account_is_within_a_fifth_of_what_python_allocates(
    images: int, codecs: tuple[str, ...], stream_bytes: int
) -> None:
    gc.collect()
    tracemalloc.start()
    try:
        store = MemoryStore(2**30)
        before = tracemalloc.get_traced_memory()[0]
        for i in range(images):
            for codec in codecs:
                await store.put(key(i, codec), os.urandom(stream_bytes), os.urandom(200))
        gc.collect()
        real = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert 0.8 * real <= store.cost_bytes <= 1.2 * real


async def test_the_bound_holds_at_every_put_and_the_oldest_leave_first() -> None:
    store = MemoryStore(100_000)
    for i in range(1000):
        await store.put(key(i), bytes(100 + i % 200), b"meta")
        assert store.cost_bytes <= 100_000
    kept = [i for i in range(1000) if await store.read(key(i), 0, 1) is not None]
    assert kept == list(range(1000 - len(kept), 1000))
    assert len(kept) > 50


async def test_what_is_read_stays_and_what_is_not_leaves() -> None:
    store = MemoryStore(100_000)
    for i in range(1000):
        await store.put(key(i), bytes(200), b"")
        assert await store.read(key(0), 0, 16) is not None
    assert await store.read(key(1), 0, 16) is None


async def test_the_account_returns_to_nothing_when_everything_is_gone() -> None:
    store = MemoryStore(2**20)
    for i in range(20):
        for codec in ("", "a"):
            await store.put(key(i, codec), b"x" * i, b"meta")
            await store.put(key(i, codec), b"longer" * i, b"another meta")
    for i in range(20):
        await store.delete(key(i).image_id)
    assert store.cost_bytes == 0


async def test_putting_the_same_again_costs_nothing_more() -> None:
    store = MemoryStore(2**20)
    await store.put(key(1), b"stream", b"meta")
    once = store.cost_bytes
    for _ in range(100):
        await store.put(key(1), b"stream", b"meta")
    assert store.cost_bytes == once


async def test_an_image_over_the_whole_bound_is_refused_and_pushes_nobody_out(
    events: list[Event],
) -> None:
    store = MemoryStore(10_000, events.append)
    await store.put(key(1), b"small", b"")
    with pytest.raises(CacheUnavailableError):
        await store.put(key(2), bytes(10_000), b"")
    with pytest.raises(CacheUnavailableError):
        await store.put(key(1, "b"), bytes(10_000), b"")
    assert await store.read(key(1), 0, 5) is not None
    assert await store.read(key(2), 0, 5) is None
    assert events == ["error", "error", "hit", "miss"]


async def test_a_callers_buffer_can_change_afterwards() -> None:
    store, buffer = MemoryStore(2**20), bytearray(b"stream")
    await store.put(key(1), buffer, b"")
    buffer[:] = b"######"
    prefix = await store.read(key(1))
    assert prefix is not None
    assert prefix.data == b"stream"
