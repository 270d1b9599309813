"""One connection to Redis that many callers share: written together, answered in order.

A pool hands a connection to one caller at a time, which costs two system calls, a lock and a
timer a command, and a caller that is cancelled half-way has to throw its connection away. Here the
commands of one turn of the event loop leave in one write and a reader task hands the replies out
in the order asked, so the cost a command is a fraction (``tests/bench/cache.py`` prints both), and
a cancelled caller leaves nothing behind: the reader takes its reply and drops it. Connecting, TLS,
authentication and parsing are the library's.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from redis.exceptions import ConnectionError, RedisError, ResponseError

Reply = object
"""What Redis answered: bytes, int, list, None; in a batch also a ResponseError."""


class Wire(Protocol):
    """All that a line asks of the library's connections."""

    @property
    def is_connected(self) -> bool:
        """Whether there is a socket."""
        ...

    async def connect(self) -> None:
        """Connect, and say who we are."""
        ...

    async def disconnect(self, nowait: bool = False) -> None:
        """Close the socket."""
        ...

    async def send_packed_command(
        self, command: Iterable[bytes], check_health: bool = True
    ) -> None:
        """Write it all."""
        ...

    async def read_response(self) -> Reply:
        """The next reply; a refusal is raised as a ResponseError and leaves the connection well."""
        ...


# A loop that was held up finds a reply and its deadline passed in the same turn. So nobody is told
# that there is no reply before the loop has looked at the socket, fed the parser and run the
# reader, each a turn of its own (and one to spare).
_TURNS = 4
# A hiccup is not worth connecting anew, and whoever asked late in it is still answered in time.
# After so many timeouts without a reply the connection is given up.
_GIVE_UP = 2.0


class Line:
    """A connection made when it is needed, and again after it broke; belongs to one event loop."""

    def __init__(self, connect: Callable[[], Wire], timeout_seconds: float) -> None:
        """``connect`` makes an unconnected connection that has no timeouts of its own.

        ``timeout_seconds`` bounds the connecting and each command.
        """
        self._connect = connect
        self._timeout = timeout_seconds
        self._connection: Wire | None = None
        self._opening: asyncio.Task[None] | None = None
        self._reader: asyncio.Task[None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._timer: asyncio.Handle | None = None
        self._outbox: list[bytes] = []
        # Who waits, in order: whose replies, how many, since when (loop time).
        self._waiting: deque[tuple[asyncio.Future[list[Reply]], int, float]] = deque()
        self._since = math.inf
        self._leaving = False
        self.load = 0

    def age(self) -> float:
        """Seconds since it was connected; less than any number while it is not."""
        if self._connection is None:
            return -math.inf
        return asyncio.get_running_loop().time() - self._since

    def leave(self) -> None:
        """Disconnect as soon as nobody waits any more; not to be sent on from now on."""
        self._leaving = True
        if not self.load:
            self._break(ConnectionError("the connection was left"))

    async def send(self, packed: bytes, commands: int) -> list[Reply]:
        """The replies to that many packed commands; a refused one is a ResponseError in its place.

        Raises ConnectionError when the connection breaks, for all its callers, and TimeoutError
        when it cannot be made or does not answer in time.
        """
        self.load += 1
        try:
            if self._connection is None:
                await self._open()
            loop = asyncio.get_running_loop()
            now = loop.time()
            future: asyncio.Future[list[Reply]] = loop.create_future()
            self._waiting.append((future, commands, now))
            self._outbox.append(packed)
            if self._writer is None:
                self._writer = loop.create_task(self._write())
            if self._timer is None:
                self._timer = loop.call_at(now + self._timeout, self._watch)
            return await future
        finally:
            self.load -= 1
            if self._leaving:
                self.leave()

    async def close(self) -> None:
        """Disconnect; whoever waits gets a ConnectionError."""
        tasks = [task for task in (self._opening, self._writer, self._reader) if task is not None]
        self._break(ConnectionError("the connection was closed"))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _open(self) -> None:
        # In a task of its own: the connection is for everyone, whoever asked for it first.
        if self._opening is None:
            self._opening = asyncio.create_task(self._make())
            self._opening.add_done_callback(self._opened)
        opening = self._opening
        await asyncio.wait((opening,))
        if not opening.cancelled():
            opening.result()
        if self._connection is None:
            raise ConnectionError("the connection was closed as soon as it was made")

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening = None
        if not task.cancelled():
            task.exception()

    async def _make(self) -> None:
        connection = self._connect()
        try:
            async with asyncio.timeout(self._timeout):
                await connection.connect()
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        self._connection = connection
        self._since = asyncio.get_running_loop().time()
        self._reader = asyncio.create_task(self._read(connection))

    async def _write(self) -> None:
        try:
            # What is asked for while this write drains leaves with the next.
            while self._outbox and (connection := self._connection) is not None:
                # A disconnected connection would connect by itself, and its replies be misread.
                if not connection.is_connected:
                    raise ConnectionError("the connection was closed")
                packed, self._outbox = self._outbox, []
                await connection.send_packed_command(packed, check_health=False)
        except (RedisError, OSError) as error:
            self._break(error)
        finally:
            if self._writer is asyncio.current_task():
                self._writer = None

    async def _read(self, connection: Wire) -> None:
        error: Exception = ConnectionError("the connection was closed")
        replies: list[Reply] = []
        try:
            while True:
                try:
                    reply: Reply = await connection.read_response()
                except ResponseError as refusal:
                    reply = refusal
                if not self._waiting:
                    raise ConnectionError("Redis said something that nobody asked for")
                future, commands, _ = self._waiting[0]
                replies.append(reply)
                if len(replies) == commands:
                    self._waiting.popleft()
                    if not future.done():
                        future.set_result(replies)
                    replies = []
        except (RedisError, OSError) as broken:
            error = broken
        finally:
            if self._connection is connection:
                self._reader = None
                self._break(error)
            await connection.disconnect(nowait=True)

    def _watch(self, turns: int = _TURNS) -> None:
        """Tell who has waited for too long, and give the connection up when nothing comes at all.

        The overdue keep their place in the line: their replies may come yet, and are dropped.
        """
        self._timer = None
        if not self._waiting:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        waits_since = (since for future, _, since in self._waiting if not future.done())
        due = next(waits_since, math.inf) + self._timeout
        given_up = self._waiting[0][2] + self._timeout * _GIVE_UP
        if now < min(due, given_up):
            self._timer = loop.call_at(min(due, given_up), self._watch)
        elif turns:
            self._timer = loop.call_soon(self._watch, turns - 1)
        elif now < given_up:
            self._expire(now - self._timeout)
            self._timer = loop.call_soon(self._watch)
        else:
            self._break(TimeoutError(self._late()))

    def _expire(self, asked_until: float) -> None:
        for future, _, since in self._waiting:
            if since > asked_until:
                break
            if not future.done():
                future.set_exception(TimeoutError(self._late()))

    def _late(self) -> str:
        return f"no reply in {self._timeout * 1000:.0f} ms"

    def _break(self, error: Exception) -> None:
        """Forget the connection and tell everyone; the next caller makes a new one."""
        self._connection = None
        # The writer may wait for a peer that reads no more; it must not hold up the next one.
        for task in (self._reader, self._writer):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        self._reader = self._writer = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._outbox = []
        waiting, self._waiting = self._waiting, deque()
        for future, _, _ in waiting:
            if not future.done():
                broken = ConnectionError(str(error))
                broken.__cause__ = error
                future.set_exception(broken)
