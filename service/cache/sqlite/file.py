"""The file that a store lies in: made private, checked at the start, set aside when damaged."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from service.errors import ConfigurationError

SCHEMA_VERSION = 1
BUSY_SECONDS = 1.0
CHECK_SECONDS = 1.0
"""A check takes no longer; what it has not found by then is found when it is read."""
_CHECKED_BYTES = 64 * 2**20
"""A larger file is only read row by row: SQLite's own check cannot be ended half-way."""
_STEPS = 1000
"""Of SQLite's machine, between looks at the clock."""
LOG_BYTES = 2**20
"""The write-ahead log goes into the file when it is longer, and is cut to so much."""
_RESERVE_BYTES = 8 * 2**20
"""Of the disk, or a quarter of a small one: where less is free the file grows no more, so that
the log has room, without which nothing could be deleted either."""
_APPLICATION_ID = 0x50784C31  # "PxL1": this file is ours, whatever its name says
_SCHEMA = f"""
    CREATE TABLE entries (
        image_id TEXT NOT NULL,
        codec    TEXT NOT NULL,
        expires  REAL NOT NULL,  -- seconds of the system's clock
        digest   BLOB NOT NULL,  -- SHA-256 of the stream, empty where there is none
        stream   BLOB NOT NULL,
        meta     BLOB NOT NULL,
        PRIMARY KEY (image_id, codec)
    );
    CREATE INDEX entries_by_expiry ON entries (expires);
    PRAGMA application_id = {_APPLICATION_ID};
    PRAGMA user_version = {SCHEMA_VERSION};
"""
_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_APPLICATION = slice(68, 72)
_BESIDE = ("-wal", "-shm")
_DAMAGED = frozenset((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_IOERR))


@dataclass(frozen=True, slots=True)
class Identity:
    """Which file lies under a path."""

    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Identity | None:
        """None where there is no file."""
        try:
            found = path.stat()
        except OSError:
            return None
        return cls(found.st_dev, found.st_ino)


def prepare(path: Path, limit_bytes: int) -> str:
    """Make the file and its tables, unless another process has; what was said of a damaged one.

    A damaged file is kept under another name. Raises sqlite3.Error, OSError, or
    ConfigurationError for a file that is not ours.
    """
    said = ""
    with _alone_in(path.parent):
        if path.exists() and (wrong := _damage(path)):
            said = f"{path.name} is damaged ({wrong}), and kept as {_set_aside(path)}"
        if not path.exists():
            _create(path)
    _make_private(path)
    connection = connect(path, limit_bytes)
    try:
        _make_tables(connection, path)
    finally:
        connection.close()
    return said


def connect(path: Path, limit_bytes: int) -> sqlite3.Connection:
    """A connection in autocommit mode until ``with``, bounded in time and in size on disk.

    Raises sqlite3.Error.
    """
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level="IMMEDIATE")
    try:
        _enter_log_mode(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_BYTES // page_bytes}")
        bound(connection, limit_bytes)
    except BaseException:
        connection.close()
        raise
    return connection


def bound(connection: sqlite3.Connection, limit_bytes: int) -> None:
    """Let the file grow to so many bytes."""
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    connection.execute(f"PRAGMA max_page_count = {max(1, limit_bytes // page_bytes)}")


def size(connection: sqlite3.Connection) -> int:
    """Of the file, in bytes, with what is in its log."""
    (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    return int(pages * page_bytes)


def empty_log(connection: sqlite3.Connection) -> None:
    """Bring all of it into the file, as far as readers let, and give its room back."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def is_disk_full(path: Path) -> bool:
    """Whether no more is free than the log may need."""
    try:
        disk = shutil.disk_usage(path.parent)
    except OSError:
        return False
    return disk.free < min(_RESERVE_BYTES, disk.total // 4)


def _make_tables(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if (application, version, tables) == (0, 0, 0):
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
    elif (application, version) != (_APPLICATION_ID, SCHEMA_VERSION):
        raise ConfigurationError(
            f"{path} is not a store of version {SCHEMA_VERSION}; move it or set another path"
        )
    connection.execute("COMMIT")


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Processes that start together take turns."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _create(path: Path) -> None:
    """An empty file of ours alone; what a deleted one left beside it would be taken for its log."""
    for suffix in _BESIDE:
        _beside(path, suffix).unlink(missing_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _make_private(path: Path) -> None:
    """Also what an earlier version made for everybody to read."""
    for one in (path, *(_beside(path, suffix) for suffix in _BESIDE)):
        with contextlib.suppress(FileNotFoundError, PermissionError):
            one.chmod(0o600)


def _damage(path: Path) -> str:
    """What is wrong with a file of ours, or nothing. Another program's is not looked at."""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header:
        return ""
    if not any(header):
        return "it begins with zeros"
    if not header.startswith(_MAGIC) or header[_APPLICATION] != _APPLICATION_ID.to_bytes(4):
        return ""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
    end = time.monotonic() + CHECK_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        if path.stat().st_size <= _CHECKED_BYTES:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            return "" if found == "ok" else str(found)
        for query in ("SELECT sum(expires) FROM entries", "SELECT count(digest) FROM entries"):
            connection.execute(query).fetchone()
    except sqlite3.DatabaseError as error:
        return str(error) if error.sqlite_errorcode & 0xFF in _DAMAGED else ""
    finally:
        connection.close()
    return ""


def _set_aside(path: Path) -> str:
    """Rename it, and what belongs to it; its new name."""
    now = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    name = f"{path.name}.damaged-{now}"
    for suffix in ("", *_BESIDE):
        with contextlib.suppress(FileNotFoundError):
            _beside(path, suffix).rename(path.with_name(name + suffix))
    return name


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


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
