"""A thread with a SQLite connection of its own, and a bounded line in front of it."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from service.errors import CacheUnavailableError

T = TypeVar("T")

BUSY_SECONDS = 1.0
_WAITING_LIMIT = 256
_LOG_BYTES = 16 * 2**20


class SqliteThread:
    """Runs work on one connection, in the order it came; belongs to one event loop."""

    def __init__(self, name: str, path: Path, limit_bytes: int) -> None:
        """Nothing is opened before the first work."""
        self._path = path
        self._limit_bytes = limit_bytes
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self.load = 0

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What ``work`` returns. It is dropped when its caller is cancelled before its turn.

        Raises CacheUnavailableError when too much waits already, and what ``work`` raises.
        """
        if self._closed:
            raise CacheUnavailableError("the cache is closed")
        if self.load >= _WAITING_LIMIT:
            raise CacheUnavailableError("too many commands wait for the cache already")
        self.load += 1
        future = asyncio.get_running_loop().run_in_executor(self._executor, self._work, work)
        future.add_done_callback(self._done)
        return await future

    async def close(self) -> None:
        """Finish what waits, close the connection, end the thread."""
        if self._closed:
            return
        self._closed = True
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._executor, self._close)
        self._executor.shutdown(wait=False)

    def _work(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            self._connection = connect(self._path, self._limit_bytes)
        return work(self._connection)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _done(self, _future: asyncio.Future[T]) -> None:
        self.load -= 1


def connect(path: Path, limit_bytes: int) -> sqlite3.Connection:
    """A connection in autocommit mode until ``with``, bounded in time and in size on disk.

    Raises sqlite3.Error.
    """
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level="IMMEDIATE")
    try:
        _enter_log_mode(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute(f"PRAGMA max_page_count = {max(1, limit_bytes // page_bytes)}")
    except BaseException:
        connection.close()
        raise
    return connection


def _enter_log_mode(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log; processes that start together take turns.

    The switch wants the file for itself and reports "busy" at once, whatever the timeout says.
    """
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return
