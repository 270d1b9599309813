"""Why a store could not answer: a kind for the metric, and a log line once a minute a kind."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import Literal, Protocol

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ConnectionError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

FailureKind = Literal[
    "authentication",
    "busy",
    "connection",
    "corrupt",
    "full",
    "loading",
    "out-of-memory",
    "read-only",
    "refused",
    "replaced",
    "timeout",
    "wrong-type",
]
OnFailure = Callable[[FailureKind, str], None]
"""Told the kind and what the backend said."""
QUIET_SECONDS = 60.0


def ignore_failure(_kind: FailureKind, _cause: str) -> None:
    """Listener for stores that nobody watches."""


# The first that holds: the library derives some of these from others. A Redis before 7 hides what
# a script met behind a text of its own, which the code is in.
_REDIS: tuple[tuple[type[Exception], str, FailureKind], ...] = (
    (BusyLoadingError, "", "loading"),
    (AuthenticationError, "", "authentication"),
    (AuthorizationError, "", "authentication"),
    (NoPermissionError, "", "authentication"),
    (OutOfMemoryError, "OOM", "out-of-memory"),
    (ReadOnlyError, "READONLY", "read-only"),
    (RedisTimeoutError, "", "timeout"),
    (ConnectionError, "", "connection"),
)
_SQLITE: dict[int, FailureKind] = {
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_READONLY: "read-only",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
}


def kind_of(error: Exception) -> FailureKind:
    """Of what Redis, SQLite or the system raised."""
    if isinstance(error.__cause__, RedisError | TimeoutError):
        return kind_of(error.__cause__)  # why a connection that many share was given up
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, RedisError):
        if str(error).startswith("WRONGTYPE"):
            return "wrong-type"
        return next(
            (
                kind
                for known, code, kind in _REDIS
                if isinstance(error, known) or (code and f" -{code} " in str(error))
            ),
            "refused",
        )
    if isinstance(error, sqlite3.Error):
        # extended codes have the plain one in their lowest byte
        return _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "refused")
    return "connection"


class _Log(Protocol):
    def event(
        self, event: str, level: Literal["info", "warning"] = ..., **members: object
    ) -> None: ...


class FailureLog:
    """A listener that logs each kind at most once a minute, with how many there were since."""

    def __init__(
        self,
        log: _Log,
        count: Callable[[FailureKind], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``count`` is told every failure."""
        self._log = log
        self._count = count
        self._clock = clock
        self._said: dict[FailureKind, float] = {}
        self._unsaid: dict[FailureKind, int] = {}
        self._last: tuple[FailureKind, str] | None = None

    def failed(self, kind: FailureKind, cause: str) -> None:
        """A store failed."""
        self._count(kind)
        self._last = (kind, cause)
        now = self._clock()
        since = self._said.get(kind)
        if since is not None and now - since < QUIET_SECONDS:
            self._unsaid[kind] = self._unsaid.get(kind, 0) + 1
            return
        self._said[kind] = now
        unsaid = self._unsaid.pop(kind, 0)
        self._log.event("cache-failure", "warning", kind=kind, cause=cause, unsaid=unsaid)

    def breaker(self, *, is_open: bool) -> None:
        """A circuit breaker opened, because of the last failure, or closed."""
        if is_open:
            kind, cause = self._last or ("connection", "")
            self._log.event("cache-breaker", "warning", state="open", kind=kind, cause=cause)
        else:
            self._log.event("cache-breaker", "info", state="closed")
