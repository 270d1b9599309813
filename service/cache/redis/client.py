"""Commands to a Redis server, bounded in time, connections and waiting, behind a breaker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import hiredis
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import MasterDownError, ReadOnlyError, RedisError, ResponseError

from service.cache.breaker import Breaker
from service.cache.redis.connection import Line, Reply
from service.errors import CacheUnavailableError

Command = tuple[bytes | str | int, ...]

# Its stub says a tuple of exactly one element.
_pack = cast(Callable[[Command], bytes], hiredis.pack_command)

# Sixteen connections' worth of HTTP fit into one line and one write; a second line is opened when
# so many wait on the first that its replies, not its writes, are what takes long.
COMMANDS_PER_LINE = 32
# So old is a connection at least that is left because its server is of no use: while nobody is
# promoted yet, every new one finds the same.
_ANEW_SECONDS = 0.5


class Client(Protocol):
    """Raises RedisError or OSError when Redis cannot answer, CacheUnavailableError when as many
    commands wait already as may, BreakerOpenError while a server is left to recover.
    """

    async def call(self, *command: bytes | str | int) -> Reply:
        """The reply to one command. Raises ResponseError when Redis refuses it."""
        ...

    async def batch(self, commands: Sequence[Command]) -> list[Reply]:
        """The replies to all, sent at once; a refused one is a ResponseError in its place.

        Commands whose keys share a hash slot run in their order. Of a cluster, what a node could
        not be asked is any of the errors above, in its place.
        """
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


class ServerClient:
    """One server, over at most ``connections`` lines, the next opened when the others are busy."""

    def __init__(self, url: str, timeout_ms: float, connections: int, breaker: Breaker) -> None:
        """``url`` is redis://, rediss:// or unix://. Raises ValueError when it is malformed."""
        self._breaker = breaker
        # The library's pool reads the URL and makes connections; it never hands one out. RESP2: a
        # line wants no messages that answer nothing. No timeouts of its own: the line has its own.
        self._pool = ConnectionPool.from_url(
            url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=None,
            socket_connect_timeout=None,
        )
        self._timeout_seconds = timeout_ms / 1000
        self._connections = connections
        self._lines: list[Line] = []
        self._left: list[Line] = []

    async def call(self, *command: bytes | str | int) -> Reply:
        """The reply to one command. Raises ResponseError when Redis refuses it."""
        (reply,) = await self._send(_pack(command), 1)
        if isinstance(reply, RedisError):
            raise reply
        return reply

    async def batch(self, commands: Sequence[Command]) -> list[Reply]:
        """The replies to all, in one write; a refused one is a ResponseError in its place."""
        return await self._send(b"".join(map(_pack, commands)), len(commands))

    async def close(self) -> None:
        """Disconnect."""
        lines = self._lines + self._left
        self._lines, self._left = [], []
        await asyncio.gather(*(line.close() for line in lines))

    async def _send(self, packed: bytes, commands: int) -> list[Reply]:
        ticket = self._breaker.admit()
        try:
            replies = await self._line().send(packed, commands)
        except (RedisError, OSError):
            self._breaker.failed(ticket)
            raise
        except BaseException:
            self._breaker.left(ticket)
            raise
        self._breaker.answered(ticket)
        for reply in replies:
            if isinstance(reply, ResponseError) and _is_elsewhere(reply):
                self._leave_lines()
                break
        return replies

    def _leave_lines(self) -> None:
        """Connect anew, so that a stable address leads to whoever is the primary now.

        Who waits for a reply on what is left still gets it.
        """
        old = [line for line in self._lines if line.age() >= _ANEW_SECONDS]
        self._lines = [line for line in self._lines if line not in old]
        for line in old:
            line.leave()
        self._left = [line for line in self._left + old if line.load]

    def _line(self) -> Line:
        for line in self._lines:
            if line.load < COMMANDS_PER_LINE:
                return line
        if len(self._lines) + sum(line.load > 0 for line in self._left) >= self._connections:
            raise CacheUnavailableError("too many commands wait for the cache already")
        line = Line(self._pool.make_connection, self._timeout_seconds)
        self._lines.append(line)
        return line


def _is_elsewhere(refusal: ResponseError) -> bool:
    """Whether this server says that it is not, or no longer, the one to be asked.

    A replica that takes no writes or has lost its primary; a primary that has lost its replicas
    (and is perhaps replaced). What the library takes for a ConnectionError (NOAUTH, WRONGPASS,
    LOADING, too many clients) has broken the connection already.
    """
    if isinstance(refusal, ReadOnlyError | MasterDownError):
        return True
    # a Redis before 7 hides what a script met behind a text of its own
    return str(refusal).startswith("NOREPLICAS") or any(
        f" -{code} " in str(refusal) for code in ("READONLY", "NOREPLICAS")
    )
