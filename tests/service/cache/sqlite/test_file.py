"""What happens to the file: deleted, replaced, damaged, read by others, larger than the disk."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from service.cache import Key, SqliteStore
from service.cache.sqlite import file
from service.errors import CacheUnavailableError, ConfigurationError

pytestmark = pytest.mark.anyio
TTL = 600
KEY = Key("an-image", "a")
SECRET = b"nobody should find this " * 10
Failures = list[tuple[str, str]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "streams.db"


@pytest.fixture
def failures() -> Failures:
    return []


def opened(path: Path, failures: Failures, **options: int) -> SqliteStore:
    return SqliteStore(
        path, TTL, on_failure=lambda kind, cause: failures.append((kind, cause)), **options
    )


@pytest.fixture
async def store(path: Path, failures: Failures) -> AsyncIterator[SqliteStore]:
    made = opened(path, failures)
    await made.put(KEY, b"stream", b"meta")
    assert await made.read(KEY) is not None
    yield made
    await made.close()


@pytest.mark.parametrize("left", [(), ("-wal", "-shm")], ids=["all of it", "the file alone"])
async def test_a_file_that_is_deleted_is_made_anew_at_the_next_write(
    store: SqliteStore, path: Path, failures: Failures, left: tuple[str, ...]
) -> None:
    for suffix in {"", "-wal", "-shm"} - set(left):
        path.with_name(path.name + suffix).unlink()
    assert await store.put(KEY, b"again", b"meta") is True
    assert failures == [("replaced", "streams.db was deleted; opened anew")]
    for _ in range(4):  # each of its readers
        part = await store.read(KEY)
        assert part is not None
        assert part.data == b"again"
    other = opened(path, failures)
    assert await other.read(KEY) is not None
    await other.close()


async def test_a_file_that_is_replaced_is_the_one_that_is_written(
    store: SqliteStore, path: Path, tmp_path: Path, failures: Failures
) -> None:
    other = opened(tmp_path / "other.db", failures)
    await other.put(Key("other", "a"), b"theirs", b"")
    await other.close()
    (tmp_path / "other.db").replace(path)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink()
    await store.put(Key("new", "a"), b"ours", b"")
    found = await store.many([KEY, Key("other", "a"), Key("new", "a")], 9)
    assert [part and part.data for part in found] == [None, b"theirs", b"ours"]
    assert {kind for kind, _ in failures} == {"replaced"}


async def test_nobody_else_may_read_it(store: SqliteStore, path: Path, failures: Failures) -> None:
    def modes() -> set[int]:
        return {stat.S_IMODE(one.stat().st_mode) for one in path.parent.glob("streams.db*")}

    assert modes() == {0o600}
    await store.close()
    publish(path)
    again = opened(path, failures)
    await again.put(Key("other", "a"), b"", b"")
    assert modes() == {0o600}
    await again.close()


async def test_what_is_deleted_is_not_left_in_the_file(store: SqliteStore, path: Path) -> None:
    await store.put(Key("secret", "a"), SECRET, SECRET)
    assert await store.delete("secret") is True
    await store.close()
    assert SECRET[:24] not in content(path)


def publish(path: Path) -> None:
    """As an earlier version made it."""
    path.chmod(0o644)


def content(path: Path) -> bytes:
    return path.read_bytes()


def fill(filler: Path) -> None:
    """What is left of a disk."""
    with contextlib.suppress(OSError), filler.open("wb", 0) as rest:
        while True:
            rest.write(bytes(4096))


async def filled(path: Path, failures: Failures) -> None:
    store = opened(path, failures)
    for n in range(200):
        await store.put(Key(f"image-{n}", "a"), os.urandom(1000), b"meta")
    await store.close()


def damaged(path: Path, how: str) -> bytes:
    data = bytearray(path.read_bytes())
    if how == "zeros":
        data[:4096] = bytes(4096)
    elif how == "cut":
        del data[len(data) // 2 :]
    else:
        data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    return bytes(data)


@pytest.mark.parametrize("checked_bytes", [2**26, 0], ids=["checked", "read row by row"])
@pytest.mark.parametrize("how", ["zeros", "rubbish", "cut"])
async def test_a_damaged_file_is_set_aside_at_the_start(
    path: Path,
    failures: Failures,
    how: str,
    checked_bytes: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(file, "_CHECKED_BYTES", checked_bytes)
    await filled(path, failures)
    data = damaged(path, how)
    store = opened(path, failures)
    [(kind, cause)] = failures
    [aside] = path.parent.glob("streams.db.damaged-*")
    assert (kind, aside.name in cause) == ("corrupt", True)
    assert aside.read_bytes() == data
    assert await store.put(KEY, b"stream", b"") is True
    assert await store.read(KEY) is not None
    await store.close()
    await opened(path, failures).close()
    assert len(failures) == 1


async def test_a_file_that_is_well_stays_and_a_check_ends_in_time(
    path: Path, failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(path, failures)
    monkeypatch.setattr(file, "_CHECKED_BYTES", 0)
    monkeypatch.setattr(file, "_STEPS", 1)
    for seconds in (1.0, 0.0):
        monkeypatch.setattr(file, "CHECK_SECONDS", seconds)
        begun = time.monotonic()
        store = opened(path, failures)
        assert time.monotonic() - begun < 5
        assert await store.read(Key("image-7", "a")) is not None
        await store.close()
    assert failures == []
    assert not [*path.parent.glob("*damaged*")]


async def test_another_programs_file_is_never_set_aside(path: Path, failures: Failures) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE photos (photo BLOB)")
    connection.close()
    data = damaged(path, "rubbish")
    with pytest.raises(ConfigurationError):
        opened(path, failures)
    assert content(path)[100:] == data[100:]


async def test_the_log_is_cut_after_long_streams(store: SqliteStore, path: Path) -> None:
    log = path.with_name("streams.db-wal")
    for n in range(3):
        await store.put(Key(f"long-{n}", "a"), os.urandom(12 * 2**20), b"")
    for n in range(3):
        await store.put(Key(f"short-{n}", "a"), b"short", b"")
    assert log.stat().st_size <= file.LOG_BYTES


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Of 8 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if mount is None or subprocess.run([mount, *options], check=False).returncode:
        pytest.skip("no right to mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_full_disk_makes_room_and_recovers(small_disk: Path, failures: Failures) -> None:
    store = opened(small_disk / "streams.db", failures)
    kept = 0
    for n in range(400):
        try:
            kept += await store.put(Key(f"image-{n}", "a"), os.urandom(50_000), b"")
        except CacheUnavailableError:
            continue
    assert kept > 390
    assert await store.read(Key("image-399", "a")) is not None
    filler = small_disk / "filler"
    fill(filler)
    for n in range(20):  # the disk is full of another's data
        with contextlib.suppress(CacheUnavailableError):
            await store.put(Key(f"more-{n}", "a"), os.urandom(50_000), b"")
    filler.unlink()
    assert await store.put(Key("after", "a"), os.urandom(50_000), b"") is True
    await store.close()
