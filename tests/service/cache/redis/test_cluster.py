"""A Redis Cluster: keys of one image together, and a node that dies takes only its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from service.cache import Key, RedisStore
from service.cache.store import Event
from service.errors import CacheUnavailableError
from tests.service.cache.conftest import TIMEOUT_MS, redis_store
from tests.support.redis_server import RedisServer, redis_cluster

pytestmark = pytest.mark.anyio
KEYS = [Key(f"image-{i}", "a") for i in range(30)]


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[RedisServer]]:
    with redis_cluster() as servers:
        yield servers


@pytest.fixture
async def store(nodes: list[RedisServer], events: list[Event]) -> AsyncIterator[RedisStore]:
    made = redis_store(
        f"redis+cluster://127.0.0.1:{nodes[0].port}", events, breaker_failures=10_000
    )
    yield made
    await made.close()


async def outcomes(store: RedisStore) -> list[str]:
    async def read(key: Key) -> str:
        try:
            return "miss" if await store.read(key, 0, 3) is None else "hit"
        except CacheUnavailableError:
            return "unavailable"

    return [await read(key) for key in KEYS]


async def test_all_keys_of_an_image_lie_on_one_node_and_images_on_all(
    nodes: list[RedisServer], store: RedisStore
) -> None:
    for key in KEYS:
        await store.put(key, b"stream", b"meta")
        owners = [n for n in nodes if f"{{{key.image_id}}}".encode() in n.ask("KEYS", "*")]
        assert len(owners) == 1
    assert all(node.ask("DBSIZE") != b":0\r\n" for node in nodes)
    assert all(prefix is not None for prefix in await store.many(KEYS, 3))


async def test_a_slot_that_moved_is_followed(nodes: list[RedisServer], store: RedisStore) -> None:
    await store.put(KEYS[0], b"stream", b"meta")
    await store.delete(KEYS[0].image_id)
    slot = int(nodes[0].ask("CLUSTER", "KEYSLOT", "image-0")[1:])
    ids = [node.ask("CLUSTER", "MYID").split(b"\r\n")[1] for node in nodes]
    (owner,) = [i for i, n in enumerate(nodes) if not n.ask("GET", "{image-0}").startswith(b"-")]
    other = (owner + 1) % len(nodes)
    for order in ([other, owner], [owner, other]):  # there, and back for the next test
        target = order[0]
        for i in (*order, *(i for i in range(len(nodes)) if i not in order)):
            nodes[i].ask("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
        nodes[target].ask("CLUSTER", "BUMPEPOCH")
        await store.put(KEYS[0], b"moved", b"meta")
        prefix = await store.read(KEYS[0])
        assert prefix is not None
        assert prefix.data == b"moved"
        await store.delete(KEYS[0].image_id)


async def test_a_paused_node_costs_its_own_images_the_timeout_and_others_nothing_for_long(
    nodes: list[RedisServer], store: RedisStore
) -> None:
    for key in KEYS:
        await store.put(key, b"stream", b"meta")
    nodes[2].pause()
    begun = time.perf_counter()
    during = await outcomes(store)
    nodes[2].resume()
    lost = during.count("unavailable")
    assert 0 < lost < len(KEYS)
    assert set(during) == {"hit", "unavailable"}
    # At most the bound of a whole operation each, topology included.
    assert time.perf_counter() - begun < (lost + 2) * 4 * TIMEOUT_MS / 1000
    await recovered(store, "hit")


async def test_cancelled_calls_leave_connections_that_others_can_use(
    nodes: list[RedisServer], store: RedisStore
) -> None:
    for _ in range(50):
        calls = [asyncio.create_task(store.many(KEYS[:9], 3)) for _ in range(8)]
        await asyncio.sleep(0.001)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert set(await outcomes(store)) == {"hit"}


async def test_a_dead_node_takes_its_own_images_and_comes_back_empty(
    nodes: list[RedisServer], store: RedisStore
) -> None:
    before = await outcomes(store)
    nodes[1].kill()
    await asyncio.sleep(0.1)
    reads = [await outcomes(store) for _ in range(3)]  # a busy machine may be late for one
    lost = [set(of_key) == {"unavailable"} for of_key in zip(*reads, strict=True)]
    assert {outcome for read in reads for outcome in read} == {"hit", "unavailable"}
    assert any(lost)
    assert not all(lost)
    nodes[1].start()
    await recovered(store, "miss")
    after = await outcomes(store)
    assert before.count("hit") == len(KEYS)
    assert [a == "miss" for a in after] == lost


async def test_of_60_ids_a_dead_node_and_a_key_of_a_wrong_type_take_their_own_alone(
    nodes: list[RedisServer], events: list[Event]
) -> None:
    """Time and again, also when the dead node's breaker is open; the first seed is the dead one."""
    seeds = ",".join(f"127.0.0.1:{node.port}" for node in reversed(nodes))
    store = redis_store(f"redis+cluster://{seeds}", events, breaker_seconds=60, timeout_ms=2000)
    keys = [Key(f"sixty-{i}", "a") for i in range(60)]
    for key in keys:
        await store.put(key, b"stream", b"")
    dead = nodes[2]
    owned = dead.ask("KEYS", "*")
    lost = {i for i, key in enumerate(keys) if f"{{{key.image_id}}}".encode() in owned}
    strange = next(i for i in range(60) if i not in lost)
    for node in nodes[:2]:
        node.ask("DEL", f"px:{{sixty-{strange}}}:a")
        node.ask("LPUSH", f"px:{{sixty-{strange}}}:a", "x")
    assert [part is None for part in await store.many(keys, 3)].count(True) == 1
    dead.kill()
    try:
        for _ in range(12):
            found = await store.many(keys, 3)
            failed = {i for i, part in enumerate(found) if isinstance(part, CacheUnavailableError)}
            assert failed == lost
            assert [i for i, part in enumerate(found) if part is None] == [strange]
        assert events.count("breaker_open") == 1
        for i in set(range(5)) - lost | {strange}:
            assert (await store.read(keys[i], 0, 3) is None) == (i == strange)
        assert await store.put(keys[strange], b"stream", b"") is True
        late = redis_store(f"redis+cluster://{seeds}", [], timeout_ms=2000)
        assert await late.read(keys[strange], 0, 3) is not None
        await late.close()
    finally:
        await store.close()
        dead.start()
        again = redis_store(f"redis+cluster://127.0.0.1:{nodes[0].port}", [], breaker_failures=9999)
        await recovered(again, "miss")
        await again.close()


async def recovered(store: RedisStore, kind: str) -> None:
    """Return when every key is answered again, with some of ``kind``."""
    end = time.monotonic() + 20
    while True:
        now = await outcomes(store)
        if "unavailable" not in now and kind in now:
            return
        assert time.monotonic() < end, now
        await asyncio.sleep(0.2)
