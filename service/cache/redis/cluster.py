"""Commands to a Redis Cluster: each node is asked, waited for and left alone for itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import SplitResult, urlsplit, urlunsplit

from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ConnectionError,
    RedisClusterException,
    RedisError,
    ResponseError,
    SlotNotCoveredError,
)

from service.cache.breaker import Breaker
from service.cache.redis.client import COMMANDS_PER_LINE, Command
from service.cache.redis.connection import Reply
from service.errors import CacheUnavailableError

T = TypeVar("T")

# A cluster's first command reads the topology too, and one that moved is sent again.
_ROUNDS = 4
# The topology is read no more often: each time it takes the loop some milliseconds.
_REFRESH_SECONDS = 1.0
_DEFAULT_PORT = 6379
ANY = ""
"""In the place of a node's name: for what any can answer, and until the nodes are known."""


@dataclass(slots=True)
class _Node:
    breaker: Breaker
    turns: asyncio.Semaphore
    waiting: int = 0


class ClusterClient:
    """A Redis Cluster through the library's own client.

    What goes to one node is one pipeline, in a task of its own, which a cancelled caller leaves
    behind: at most ``connections`` a node at a time, each bounded by the timeouts of its sockets.
    A node that fails has the topology read again, beside what others are asked.
    """

    def __init__(
        self, url: str, timeout_ms: float, connections: int, new_breaker: Callable[[], Breaker]
    ) -> None:
        """``url`` is redis:// or rediss:// of any nodes, with commas between them.

        Raises ValueError when it is malformed.
        """
        self._seconds = timeout_ms / 1000
        self._connections = connections
        self._new_breaker = new_breaker
        parts = urlsplit(url)
        (first_host, first_port), *others = seeds_of(parts)
        user, at, _ = parts.netloc.rpartition("@")
        host = f"[{first_host}]" if ":" in first_host else first_host
        self._cluster = RedisCluster.from_url(
            urlunsplit(parts._replace(netloc=f"{user}{at}{host}:{first_port}")),
            startup_nodes=[ClusterNode(*other) for other in others],
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=self._seconds,
            socket_connect_timeout=self._seconds,
            max_connections=connections,
            require_full_coverage=False,
        )
        self._nodes: dict[str, _Node] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._refresh_from = 0.0

    async def call(self, *command: bytes | str | int) -> Reply:
        """The reply to one command. Raises ResponseError when Redis refuses it."""
        (reply,) = await self.batch((command,))
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def batch(self, commands: Sequence[Command]) -> list[Reply]:
        """The replies to all, one pipeline a node; what failed is an error in its place."""
        await self._found()
        by_node: dict[str, list[int]] = {}
        for place, command in enumerate(commands):
            by_node.setdefault(self._name_of(command), []).append(place)
        parts = [[commands[place] for place in places] for places in by_node.values()]
        answers = await asyncio.gather(*map(self._part, by_node, parts))
        replies: list[Reply] = [None] * len(commands)
        for places, answer in zip(by_node.values(), answers, strict=True):
            for place, reply in zip(places, answer, strict=True):
                replies[place] = reply
        return replies

    async def close(self) -> None:
        """Disconnect."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._cluster.aclose()

    async def _found(self) -> None:
        """Read the topology, where nobody has yet."""
        if not self._cluster.get_nodes():
            await self._guarded(ANY, self._cluster.initialize)

    def _name_of(self, command: Command) -> str:
        """The node that has a command's key."""
        if len(command) == 1:
            return ANY
        key = command[3] if command[0] == "EVAL" else command[1]
        try:
            slot = self._cluster.keyslot(key)
            return self._cluster.nodes_manager.get_node_from_slot(slot).name
        except (SlotNotCoveredError, KeyError):
            return ANY

    async def _part(self, name: str, commands: Sequence[Command]) -> list[Reply]:
        """Of one node; where it cannot be asked, the error for each."""
        try:
            return await self._guarded(name, lambda: self._pipeline(commands))
        except (RedisError, OSError, CacheUnavailableError) as error:
            return [error] * len(commands)

    async def _pipeline(self, commands: Sequence[Command]) -> list[Reply]:
        if len(commands[0]) == 1:
            return [await self._cluster.execute_command(*commands[0])]
        pipeline = self._cluster.pipeline()
        for command in commands:
            pipeline.execute_command(*command)
        replies: list[Reply] = await pipeline.execute(raise_on_error=False)
        broken = next((reply for reply in replies if _is_broken(reply)), None)
        if isinstance(broken, Exception):
            raise broken
        return replies

    async def _guarded(self, name: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        node = self._nodes.get(name)
        if node is None:
            turns = asyncio.Semaphore(self._connections)
            node = self._nodes[name] = _Node(self._new_breaker(), turns)
        ticket = node.breaker.admit()
        try:
            answer = await self._finish(node, work)
        except ResponseError:
            node.breaker.answered(ticket)
            raise
        except (RedisError, OSError):
            node.breaker.failed(ticket)
            if self._cluster.get_nodes():
                self._refresh(name)
            raise
        except BaseException:
            node.breaker.left(ticket)
            raise
        node.breaker.answered(ticket)
        return answer

    async def _finish(self, node: _Node, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if node.waiting >= self._connections * COMMANDS_PER_LINE:
            raise CacheUnavailableError("too many commands wait for the cache already")
        node.waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                await node.turns.acquire()
        finally:
            node.waiting -= 1
        task = asyncio.create_task(work())
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._done(done, node.turns))
        seconds = self._seconds * _ROUNDS
        done, _ = await asyncio.wait((task,), timeout=seconds)
        if not done or task.cancelled():
            raise TimeoutError(f"no reply in {seconds * 1000:.0f} ms")
        try:
            return task.result()
        except RedisClusterException as error:  # no node answers; not one of the library's own tree
            raise ConnectionError(str(error)) from error

    def _refresh(self, failed: str) -> None:
        """Ask the others who has the slots now; what is asked meanwhile goes where it went."""
        now = asyncio.get_running_loop().time()
        if now >= self._refresh_from:
            self._refresh_from = now + _REFRESH_SECONDS
            task = asyncio.create_task(self._read_topology(failed))
            self._tasks.add(task)
            task.add_done_callback(self._done)

    async def _read_topology(self, failed: str) -> None:
        manager = self._cluster.nodes_manager
        await manager.initialize(last_failed_node_name=failed or None)
        gone = self._nodes.keys() - {node.name for node in self._cluster.get_nodes()} - {ANY}
        for name in gone:
            self._nodes.pop(name).breaker.retire()

    def _done(self, task: asyncio.Task[Any], turns: asyncio.Semaphore | None = None) -> None:
        if turns is not None:
            turns.release()
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()


def seeds_of(parts: SplitResult) -> list[tuple[str, int]]:
    """Host and port of each node that a URL names. Raises ValueError."""
    named = parts.netloc.rpartition("@")[2].split(",")
    seeds = [urlsplit(f"//{one}") for one in named]
    if not all(seed.hostname for seed in seeds):
        raise ValueError("a node of the cluster has no host")
    return [(str(seed.hostname), seed.port or _DEFAULT_PORT) for seed in seeds]


def _is_broken(reply: Reply) -> bool:
    """Whether a reply is that of a connection that broke, not of a server that refuses."""
    return isinstance(reply, RedisError | OSError) and not isinstance(reply, ResponseError)
