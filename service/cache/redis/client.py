"""Commands to one Redis server or to a cluster, bounded in time, connections and waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import urlsplit

import hiredis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.connection import ConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ConnectionError,
    MasterDownError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
)

from service.cache.redis.connection import Line, Reply
from service.errors import CacheUnavailableError, ConfigurationError

T = TypeVar("T")
P = TypeVar("P")
Command = tuple[bytes | str | int, ...]

# Its stub says a tuple of exactly one element.
_pack = cast(Callable[[Command], bytes], hiredis.pack_command)

# Sixteen connections' worth of HTTP fit into one line and one write; a second line is opened when
# so many wait on the first that its replies, not its writes, are what takes long.
_COMMANDS_PER_LINE = 32
# So old is a connection at least that is left because its server is of no use: while nobody is
# promoted yet, every new one finds the same.
_ANEW_SECONDS = 0.5
# A cluster's first command reads the topology too, and one that moved is sent again.
_CLUSTER_ROUNDS = 4


class Client(Protocol):
    """Raises RedisError or OSError when Redis cannot answer, CacheUnavailableError when as many
    commands wait already as may.
    """

    async def call(self, *command: bytes | str | int) -> Reply:
        """The reply to one command. Raises ResponseError when Redis refuses it."""
        ...

    async def batch(self, commands: Sequence[Command]) -> list[Reply]:
        """The replies to all, sent at once; a refused one is a ResponseError in its place.

        Commands whose keys share a hash slot run in their order.
        """
        ...

    async def transaction(self, commands: Sequence[Command]) -> list[Reply]:
        """The replies to all, sent at once, with no other client's command in between.

        All keys share a hash slot. Raises ResponseError when Redis refuses one of them.
        """
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


class ServerClient:
    """One server, over at most ``connections`` lines, the next opened when the others are busy."""

    def __init__(self, url: str, timeout_ms: float, connections: int) -> None:
        """``url`` is redis://, rediss:// or unix://. Raises ValueError when it is malformed."""
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

    async def transaction(self, commands: Sequence[Command]) -> list[Reply]:
        """The replies to all, in one write."""
        *_, replies = await self.batch((("MULTI",), *commands, ("EXEC",)))
        if isinstance(replies, RedisError):
            raise replies
        assert isinstance(replies, list)
        return replies

    async def close(self) -> None:
        """Disconnect."""
        lines = self._lines + self._left
        self._lines, self._left = [], []
        await asyncio.gather(*(line.close() for line in lines))

    async def _send(self, packed: bytes, commands: int) -> list[Reply]:
        replies = await self._line().send(packed, commands)
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
            if line.load < _COMMANDS_PER_LINE:
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


class ClusterClient:
    """A Redis Cluster through the library's own client.

    Commands run in tasks of their own, which a cancelled caller leaves behind: at most
    ``connections`` at a time, each bounded by the timeouts of its sockets.
    """

    def __init__(self, url: str, timeout_ms: float, connections: int) -> None:
        """``url`` is redis:// or rediss:// of any node. Raises ValueError when it is malformed."""
        self._seconds = timeout_ms / 1000
        self._cluster = RedisCluster.from_url(
            url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=self._seconds,
            socket_connect_timeout=self._seconds,
            max_connections=connections,
            require_full_coverage=False,
        )
        self._turns = asyncio.Semaphore(connections)
        self._waiting_limit = connections * _COMMANDS_PER_LINE
        self._waiting = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    async def call(self, *command: bytes | str | int) -> Reply:
        """The reply to one command. Raises ResponseError when Redis refuses it."""
        return await self._finish(self._call, command)

    async def batch(self, commands: Sequence[Command]) -> list[Reply]:
        """The replies to all, one pipeline a node; a refused one is in its place."""
        return await self._finish(self._batch, commands)

    async def transaction(self, commands: Sequence[Command]) -> list[Reply]:
        """The replies to all, from the node of their slot."""
        return await self._finish(self._transaction, commands)

    async def close(self) -> None:
        """Disconnect."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._cluster.aclose()

    async def _call(self, command: Command) -> Reply:
        await self._cluster.initialize()
        reply: Reply = await self._cluster.execute_command(*command)
        return reply

    async def _batch(self, commands: Sequence[Command]) -> list[Reply]:
        await self._cluster.initialize()
        pipeline = self._cluster.pipeline()
        for command in commands:
            pipeline.execute_command(*command)
        replies: list[Reply] = await pipeline.execute(raise_on_error=False)
        return replies

    async def _transaction(self, commands: Sequence[Command]) -> list[Reply]:
        await self._cluster.initialize()
        pipeline = self._cluster.pipeline(transaction=True)
        for command in commands:
            pipeline.execute_command(*command)
        replies: list[Reply] = await pipeline.execute()
        return replies

    async def _finish(self, work: Callable[[P], Coroutine[Any, Any, T]], given: P) -> T:
        if self._waiting >= self._waiting_limit:
            raise CacheUnavailableError("too many commands wait for the cache already")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._turns.acquire()
        finally:
            self._waiting -= 1
        task = asyncio.create_task(work(given))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        seconds = self._seconds * _CLUSTER_ROUNDS
        done, _ = await asyncio.wait((task,), timeout=seconds)
        if not done or task.cancelled():
            raise TimeoutError(f"no reply in {seconds * 1000:.0f} ms")
        try:
            return task.result()
        except RedisClusterException as error:  # no node answers; not one of the library's own tree
            raise ConnectionError(str(error)) from error

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._turns.release()
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()


def open_client(url: str, timeout_ms: float, connections: int) -> Client:
    """A client of ``url``; nothing is connected yet.

    The scheme is redis, rediss (TLS) or unix for one server, redis+cluster or rediss+cluster for a
    cluster. Raises ConfigurationError, which never repeats the URL: it may hold a password.
    """
    scheme = urlsplit(url).scheme
    server, plus, cluster = scheme.partition("+")
    try:
        if server in ("redis", "rediss", "unix") and not plus:
            return ServerClient(url, timeout_ms, connections)
        if server in ("redis", "rediss") and cluster == "cluster":
            return ClusterClient(server + url[len(scheme) :], timeout_ms, connections)
    except (ValueError, RedisError, RedisClusterException) as error:
        raise ConfigurationError("the Redis URL is malformed") from error
    raise ConfigurationError(
        f"a Redis URL begins with redis://, rediss://, unix:// or redis+cluster://, not {scheme!r}"
    )
