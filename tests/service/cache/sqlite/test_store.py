"""The SQLite file: kept over restarts, shared by processes, bounded in time and size."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from service.cache import Key, SqliteStore
from service.cache.sqlite.file import SCHEMA_VERSION
from service.cache.store import Event
from service.errors import CacheUnavailableError, ConfigurationError
from tests.service.cache.conftest import Clock

pytestmark = pytest.mark.anyio
TTL = 600
KEY = Key("an-image", "conv-lstm")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "streams.db"


@pytest.fixture
async def store(path: Path, events: list[Event], clock: Clock) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(path, TTL, on_event=events.append, clock=clock)
    yield made
    await made.close()


def key(i: int) -> Key:
    return Key(f"image-{i}", "a")


def rows(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])
    finally:
        connection.close()


async def test_streams_survive_a_restart(path: Path) -> None:
    store = SqliteStore(path, TTL)
    await store.put(KEY, b"stream", b"meta")
    await store.close()
    again = SqliteStore(path, TTL)
    prefix = await again.read(KEY, 0, 3)
    assert prefix is not None
    assert (prefix.data, prefix.total_bytes, await again.meta(KEY)) == (b"str", 6, b"meta")
    await again.close()


def size(path: Path) -> int:
    return path.stat().st_size


def spoil(path: Path) -> None:
    path.write_bytes(os.urandom(size(path)))


WRITER = """
import asyncio, sys
from pathlib import Path
from service.cache import Key, SqliteStore

async def main(path, name, count):
    store = SqliteStore(Path(path), 600)
    i = 0
    while i != int(count):
        await store.put(Key(f"{name}-{i}", "a"), f"{name}-{i}".encode(), b"meta")
        i += 1
        print(i, flush=True)
    await store.close()

asyncio.run(main(*sys.argv[1:]))
"""


@contextmanager
def writing(path: Path, name: str, count: int) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that puts ``count`` streams (-1: no end) and prints after each."""
    command = [sys.executable, "-c", WRITER, str(path), name, str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        try:
            yield writer
        finally:
            writer.kill()


async def test_several_processes_start_together_and_write_and_read_one_file(path: Path) -> None:
    with ExitStack() as stack:
        writers = [stack.enter_context(writing(path, f"w{i}", 100)) for i in range(3)]
        for writer in writers:
            assert await asyncio.to_thread(writer.wait, 60) == 0
    store = SqliteStore(path, TTL)
    keys = [Key(f"w{i}-{j}", "a") for i in range(3) for j in range(100)]
    found = await store.many(keys, 100)
    assert [None if p is None else p.data.decode() for p in found] == [k.image_id for k in keys]
    await store.close()


async def test_a_process_killed_while_writing_loses_nothing_it_had_put(path: Path) -> None:
    with writing(path, "w", -1) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if line == b"200\n":
                break
    store = SqliteStore(path, TTL)
    assert None not in await store.many([Key(f"w-{i}", "a") for i in range(200)], 100)
    await store.close()


async def test_what_expired_is_not_served(store: SqliteStore, clock: Clock) -> None:
    await store.put(KEY, b"stream", b"meta")
    clock.now += TTL - 1
    assert await store.read(KEY, 0, 3) is not None
    clock.now += 1
    assert await store.read(KEY, 0, 3) is None
    assert await store.meta(KEY) is None
    assert await store.many([KEY], 3) == [None]
    assert await store.delete(KEY.image_id) is False


async def test_what_expired_leaves_the_file_a_few_rows_a_put(
    store: SqliteStore, path: Path, clock: Clock
) -> None:
    for i in range(40):
        await store.put(key(i), b"stream", b"meta")
    clock.now += TTL
    left = []
    for i in range(100, 106):
        await store.put(key(i), b"stream", b"meta")
        left.append(rows(path))
    assert left == [33, 26, 19, 12, 5, 6]


async def test_a_full_file_stays_under_its_bound_and_the_oldest_make_room(
    path: Path, clock: Clock
) -> None:
    limit_bytes = 2**20
    store = SqliteStore(path, TTL, limit_bytes, clock=clock)
    for i in range(1000):
        clock.now += 0.01
        await store.put(key(i), bytes(4000), b"meta")
        assert size(path) <= limit_bytes
    kept = [i for i in range(1000) if await store.read(key(i), 0, 1) is not None]
    assert kept == list(range(1000 - len(kept), 1000))
    assert len(kept) > 50
    with pytest.raises(CacheUnavailableError):
        await store.put(KEY, bytes(2 * limit_bytes), b"")
    await store.put(KEY, b"stream", b"")
    assert await store.read(KEY, 0, 1) is not None
    await store.close()


async def test_a_stream_that_changed_on_disk_is_absent_and_counted(
    store: SqliteStore, path: Path, events: list[Event]
) -> None:
    await store.put(KEY, b"stream", b"meta")
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE entries SET stream = ?", (b"Stream",))
    connection.close()
    assert await store.read(KEY) is None
    assert events == ["corrupt", "miss"]


async def test_a_file_that_turns_to_rubbish_is_unavailable(
    store: SqliteStore, path: Path, events: list[Event]
) -> None:
    spoil(path)  # the store opens it at its first use
    with pytest.raises(CacheUnavailableError):
        await store.put(KEY, b"stream", b"meta")
    assert await store.health() is False
    assert events == ["error", "error"]


async def test_another_programs_lock_is_unavailable_after_a_bounded_wait_and_reads_go_on(
    store: SqliteStore, path: Path
) -> None:
    await store.put(KEY, b"stream", b"meta")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    begun = time.monotonic()
    put = asyncio.create_task(store.put(KEY, b"new", b"meta"))
    await asyncio.sleep(0.1)
    assert await store.read(KEY, 0, 3) is not None
    assert not put.done()
    with pytest.raises(CacheUnavailableError):
        await put
    assert time.monotonic() - begun < 10
    other.execute("ROLLBACK")
    other.close()
    await store.put(KEY, b"new", b"meta")


async def test_waiting_work_and_threads_are_bounded_and_the_loop_runs_on(
    store: SqliteStore, path: Path
) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    puts = [asyncio.create_task(store.put(key(i), b"", b"")) for i in range(300)]
    await asyncio.sleep(0.05)
    refused = [put for put in puts if put.done()]
    assert len(refused) == 300 - 256
    assert all(isinstance(put.exception(), CacheUnavailableError) for put in refused)
    assert sum(thread.name.startswith("store-") for thread in threading.enumerate()) <= 3
    for put in puts[1:]:
        put.cancel()
    other.execute("ROLLBACK")
    other.close()
    await puts[0]
    await store.put(KEY, b"stream", b"")
    assert rows(path) == 2


@pytest.mark.parametrize(
    "statement",
    [
        f"PRAGMA user_version = {SCHEMA_VERSION + 1}",
        "PRAGMA application_id = 1",
        "CREATE TABLE entries (photo BLOB)",
    ],
)
async def test_a_file_of_another_version_or_program_is_left_alone(
    path: Path, statement: str
) -> None:
    if "user_version" in statement:
        await SqliteStore(path, TTL).close()
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.close()
    with pytest.raises(ConfigurationError, match="is not a store of version"):
        SqliteStore(path, TTL)


async def test_a_path_that_cannot_be_a_file_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        SqliteStore(tmp_path / "no-folder" / "streams.db", TTL)
    (tmp_path / "text").write_text("not a database " * 100)
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        SqliteStore(tmp_path / "text", TTL)


async def test_a_closed_store_is_unavailable(path: Path) -> None:
    store = SqliteStore(path, TTL)
    await store.put(KEY, b"stream", b"")
    await store.close()
    with pytest.raises(CacheUnavailableError):
        await store.read(KEY, 0, 3)
    await store.close()
