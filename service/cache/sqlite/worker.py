"""A thread with a SQLite connection of its own, and a bounded line in front of it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from service.cache.failures import OnFailure
from service.cache.sqlite.file import Identity, connect, prepare
from service.errors import CacheUnavailableError

T = TypeVar("T")

_WAITING_LIMIT = 256


class SqliteThread:
    """Runs work on one connection, in the order it came; belongs to one event loop.

    Before each work it looks whether the path still leads to the file that it has open, so that
    nothing is kept in a file that nobody finds: one that was deleted is made anew.
    """

    def __init__(self, name: str, path: Path, limit_bytes: int, on_failure: OnFailure) -> None:
        """Of a file that is prepared; nothing is opened before the first work."""
        self._path = path
        self._limit_bytes = limit_bytes
        self._on_failure = on_failure
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connection: sqlite3.Connection | None = None
        self._expected = Identity.of(path)
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
        loop = asyncio.get_running_loop()

        def tell(cause: str) -> None:
            loop.call_soon_threadsafe(self._on_failure, "replaced", cause)

        future = loop.run_in_executor(self._executor, self._work, work, tell)
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

    def _work(self, work: Callable[[sqlite3.Connection], T], tell: Callable[[str], None]) -> T:
        found = Identity.of(self._path)
        if found != self._expected:
            tell(f"{self._path.name} was {'replaced' if found else 'deleted'}; opened anew")
            self._close()
            if said := prepare(self._path, self._limit_bytes):
                tell(said)
            self._expected = Identity.of(self._path)
        if self._connection is None:
            self._connection = connect(self._path, self._limit_bytes)
        return work(self._connection)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _done(self, _future: asyncio.Future[T]) -> None:
        self.load -= 1
