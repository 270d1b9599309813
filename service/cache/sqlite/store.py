"""Streams in a SQLite file: one machine, any number of processes, and nothing lost at a restart."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from service.cache.failures import OnFailure, ignore_failure, kind_of
from service.cache.sqlite import file
from service.cache.sqlite.file import prepare
from service.cache.sqlite.worker import SqliteThread
from service.cache.store import STREAM_HEAD_BYTES, Found, Key, OnEvent, Part, ignore
from service.errors import CacheUnavailableError, ConfigurationError

T = TypeVar("T")

# length() reads no stream, substr() all of it: a long one is opened as a blob, which reads a part.
_SHORT_BYTES = 16 * 1024
_READ = f"""
    SELECT CASE WHEN length(stream) <= {_SHORT_BYTES}
           THEN coalesce(CAST(substr(stream, ?, ?) AS BLOB), x'') END,
           length(stream), CAST(digest AS BLOB), rowid,
           CASE WHEN length(stream) <= {_SHORT_BYTES}
           THEN coalesce(CAST(substr(stream, 1, {STREAM_HEAD_BYTES}) AS BLOB), x'') END
    FROM entries WHERE image_id = ? AND codec = ? AND expires > ? AND length(digest) = 32
"""
_META = "SELECT meta FROM entries WHERE image_id = ? AND codec = ? AND expires > ?"
# A row without a digest has no stream: what an upload replaces, as one that has expired.
_PUT = """
    INSERT INTO entries (image_id, codec, expires, digest, stream, meta)
    VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET expires = excluded.expires, digest = excluded.digest,
                              stream = excluded.stream, meta = excluded.meta
    WHERE length(entries.digest) != 32 OR entries.expires <= ?
"""
_NOTE = """
    INSERT INTO entries (image_id, codec, expires, digest, stream, meta)
    VALUES (?, ?, ?, x'', x'', ?)
    ON CONFLICT DO UPDATE SET meta = excluded.meta,
                              expires = iif(codec = '', excluded.expires, expires)
"""
_PURGE = """
    DELETE FROM entries WHERE rowid IN
    (SELECT rowid FROM entries WHERE expires <= ? ORDER BY expires LIMIT ?)
"""
_WHOLE = 2**31 - 1

# A put adds one row, so taking up to eight that expired keeps ahead without ever taking long.
_PURGED_ROWS = 8
# When the file is full, the oldest make room in steps, each twice the one before; a stream that is
# larger than all of these together does not fit.
_EVICTIONS = 8
_READERS = 2


class SqliteStore:
    """At most ``limit_bytes`` on disk, each entry for ``ttl_seconds``; belongs to one event loop.

    One thread writes and two read. The write-ahead log is not forced to the disk at each put: what
    was put survives the process, and a loss of power costs the last puts, never the file.
    """

    name = "sqlite"

    def __init__(
        self,
        path: Path,
        ttl_seconds: int,
        limit_bytes: int = 4 * 2**30,
        on_event: OnEvent = ignore,
        clock: Callable[[], float] = time.time,
        on_failure: OnFailure = ignore_failure,
    ) -> None:
        """Open or make the file. Raises ConfigurationError when it cannot be, or is not ours."""
        self._ttl_seconds = ttl_seconds
        self._on_event = on_event
        self._on_failure = on_failure
        self._clock = clock
        self._path, self._limit_bytes, self._is_bound = path, limit_bytes, False
        try:
            if said := prepare(path, limit_bytes):
                on_failure("corrupt", said)
        except (sqlite3.Error, OSError) as error:
            raise ConfigurationError(f"{path} cannot be opened as a store: {error}") from error
        self._writer = SqliteThread("store-write", path, limit_bytes, on_failure)
        self._readers = [
            SqliteThread(f"store-read-{i}", path, limit_bytes, on_failure) for i in range(_READERS)
        ]

    async def put(self, key: Key, stream: bytes, meta: bytes) -> bool:
        """Keep it for ``ttl_seconds``, unless a stream is there.

        When the file is full, what was put first makes room.
        """
        now = self._clock()
        digest = hashlib.sha256(stream).digest()
        row = (key.image_id, key.codec, now + self._ttl_seconds, digest, stream, meta, now)
        return await self._write(_PUT, row, len(stream) + len(meta)) > 0

    async def note(self, key: Key, meta: bytes) -> None:
        """Keep it beside the stream that is there."""
        row = (key.image_id, key.codec, self._clock() + self._ttl_seconds, meta)
        await self._write(_NOTE, row, len(meta))

    async def drop(self, key: Key, digest: bytes) -> None:
        """Drop the stream of that hash."""
        row = (key.image_id, key.codec, digest)
        query = "DELETE FROM entries WHERE image_id = ? AND codec = ? AND digest = ?"
        await self._write(query, row, 0)

    def report(self, cause: str) -> None:
        """Count what was found damaged, and tell why."""
        self._on_event("corrupt")
        self._on_failure("corrupt", cause)

    async def _write(self, query: str, row: tuple[object, ...], size: int) -> int:
        """Rows that it changed."""
        now = self._clock()

        def write(connection: sqlite3.Connection) -> int:
            self._bound(connection)
            for attempt in range(_EVICTIONS):
                try:
                    with connection:
                        connection.execute(_PURGE, (now, _PURGED_ROWS))
                        return connection.execute(query, row).rowcount
                except sqlite3.OperationalError as error:
                    if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                        raise
                    if file.is_disk_full(self._path):
                        file.empty_log(connection)
                    with connection:
                        connection.execute(_PURGE, (float("inf"), _PURGED_ROWS << attempt))
            raise CacheUnavailableError(f"{size} bytes do not fit into the store")

        return await self._ask(self._writer, write)

    def _bound(self, connection: sqlite3.Connection) -> None:
        """A disk that is full is as a file that is: the oldest make room."""
        if file.is_disk_full(self._path):
            self._is_bound = True
            file.bound(connection, min(self._limit_bytes, file.size(connection)))
        elif self._is_bound:
            self._is_bound = False
            file.bound(connection, self._limit_bytes)

    async def read(self, key: Key, start: int = 0, stop: int | None = None) -> Part | None:
        """Bytes ``start`` to ``stop`` (None: to the end), or None when nothing whole is there."""
        (part,) = await self._parts((key,), start, _WHOLE if stop is None else stop)
        return part

    async def meta(self, key: Key) -> bytes | None:
        """What was put beside the stream, or None when nothing is kept there."""
        query = (key.image_id, key.codec, self._clock())
        row = await self._ask(self._reader(), lambda c: c.execute(_META, query).fetchone())
        self._on_event("miss" if row is None else "hit")
        return None if row is None else bytes(row[0])

    async def many(self, keys: Sequence[Key], n: int) -> list[Found]:
        """The first ``n`` bytes of each, in the order of ``keys``."""
        return [*await self._parts(keys, 0, n)] if keys else []

    async def delete(self, image_id: str) -> bool:
        """Drop the image's document and all its streams; whether anything was there."""
        now = self._clock()

        def erase(connection: sqlite3.Connection) -> bool:
            with connection:
                connection.execute(
                    "DELETE FROM entries WHERE image_id = ? AND expires <= ?", (image_id, now)
                )
                alive = connection.execute("DELETE FROM entries WHERE image_id = ?", (image_id,))
            return alive.rowcount > 0

        return await self._ask(self._writer, erase)

    async def health(self) -> bool:
        """Whether the file can be read now."""
        try:
            await self._ask(self._reader(), lambda c: c.execute(_META, ("", "", 0.0)).fetchone())
        except CacheUnavailableError:
            return False
        return True

    async def close(self) -> None:
        """Finish what was begun and close the file."""
        for worker in (self._writer, *self._readers):
            await worker.close()

    def _reader(self) -> SqliteThread:
        return min(self._readers, key=lambda worker: worker.load)

    async def _ask(self, worker: SqliteThread, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await worker.run(work)
        except CacheUnavailableError as busy:
            self._on_event("error")
            self._on_failure("busy", busy.detail)
            raise
        except (sqlite3.Error, OSError) as error:
            self._on_event("error")
            self._on_failure(kind_of(error), str(error))
            raise CacheUnavailableError from error

    async def _parts(self, keys: Sequence[Key], start: int, stop: int) -> list[Part | None]:
        now = self._clock()

        def read(connection: sqlite3.Connection) -> list[Part | None]:
            # A row that was read is still the same one when its blob is opened.
            with connection:
                connection.execute("BEGIN")
                return [_read(connection, key, start, stop, now) for key in keys]

        found = await self._ask(self._reader(), read)
        return [await self._checked(key, part) for key, part in zip(keys, found, strict=True)]

    async def _checked(self, key: Key, part: Part | None) -> Part | None:
        damaged = (
            part is not None
            and len(part.data) == part.total_bytes
            and hashlib.sha256(part.data).digest() != part.digest
        )
        if part is None or not damaged:
            self._on_event("miss" if part is None else "hit")
            return part
        self.report("the stream's hash is not the one beside it")
        self._on_event("miss")
        with contextlib.suppress(CacheUnavailableError):
            await self.drop(key, part.digest)
        return None


def _read(
    connection: sqlite3.Connection, key: Key, start: int, stop: int, now: float
) -> Part | None:
    query = (start + 1, stop - start, key.image_id, key.codec, now)
    row = connection.execute(_READ, query).fetchone()
    if row is None:
        return None
    data, total_bytes, digest, rowid, head = row
    if data is None:
        with connection.blobopen("entries", "stream", rowid, readonly=True) as blob:
            data, head = blob[start : min(stop, total_bytes)], blob[:STREAM_HEAD_BYTES]
    return Part(bytes(data), total_bytes, bytes(digest), bytes(head))
