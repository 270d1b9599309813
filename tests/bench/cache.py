"""What a cached read costs, beside the bare library: ``python -m tests.bench.cache``.

Each row is the first 64 bytes of a 258-byte stream, by so many callers at once; microseconds a
read, on the clock and of this process's CPU, the best of some rounds in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import uvloop
from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from service.cache import Key, MemoryStore, RedisStore, SqliteStore, Store
from service.cache.breaker import Breaker
from service.cache.redis.opening import open_client
from tests.support.redis_server import RedisServer, redis_cluster

KEY = Key("b" * 26, "conv-lstm")
STREAM = bytes(258)
PREFIX_BYTES = 64
HEAD_BYTES = 36
TIMEOUT_SECONDS = 1.0
CONNECTIONS = 32
CALLERS = (1, 16, 64)

Read = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Cost:
    """Microseconds a read."""

    wall_us: float
    cpu_us: float


async def cost(read: Read, callers: int, reads: int) -> Cost:
    """Of ``reads`` reads by ``callers`` tasks, each one after the other."""

    async def call() -> None:
        for _ in range(reads // callers):
            await read()

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(call() for _ in range(callers)))
    scale = 1e6 / (reads // callers * callers)
    return Cost((time.perf_counter() - wall) * scale, (time.process_time() - cpu) * scale)


def bare(pool: ConnectionPool) -> Read:
    """GETRANGE through the library's client."""
    client = Redis.from_pool(pool)
    name = f"px:{{{KEY.image_id}}}:{KEY.codec}"
    return lambda: client.getrange(name, 0, HEAD_BYTES + PREFIX_BYTES - 1)


def redis_store(url: str) -> RedisStore:
    """The store as the service builds it."""
    client = open_client(url, TIMEOUT_SECONDS * 1000, CONNECTIONS, lambda: Breaker(5, 2.0))
    return RedisStore(client, 600)


async def measure(urls: dict[str, str], folder: Path, reads: int, rounds: int) -> None:
    """Print the table."""
    options = {
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": TIMEOUT_SECONDS,
        "socket_connect_timeout": TIMEOUT_SECONDS,
        "max_connections": max(CONNECTIONS, *CALLERS),
    }
    blocking = BlockingConnectionPool.from_url(
        urls["redis"], timeout=TIMEOUT_SECONDS, **{**options, "max_connections": CONNECTIONS}
    )
    stores: dict[str, Store] = {
        "RedisStore.read": redis_store(urls["redis"]),
        "RedisStore.read, cluster": redis_store(urls["cluster"]),
        "SqliteStore.read": SqliteStore(folder / "streams.db", 600),
        "MemoryStore.read": MemoryStore(2**20),
    }
    rows: dict[str, Read] = {
        "redis.asyncio getrange, pool": bare(ConnectionPool.from_url(urls["redis"], **options)),
        "redis.asyncio getrange, blocking pool": bare(blocking),
    }
    for name, store in stores.items():
        await store.put(KEY, STREAM, b"")
        rows[name] = lambda store=store: store.read(KEY, 0, PREFIX_BYTES)  # type: ignore[misc]
    print(f"{'':40}" + "".join(f"{f'{n} callers':>20}" for n in CALLERS))
    print(f"{'':40}" + f"{'wall us':>12}{'cpu':>8}" * len(CALLERS))
    best: dict[tuple[str, int], Cost] = {}
    for _ in range(rounds):
        for name, read in rows.items():
            for callers in CALLERS:
                now = await cost(read, callers, reads)
                old = best.get((name, callers), now)
                best[name, callers] = Cost(
                    min(now.wall_us, old.wall_us), min(now.cpu_us, old.cpu_us)
                )
    for name in rows:
        costs = (best[name, callers] for callers in CALLERS)
        print(f"{name:40}" + "".join(f"{c.wall_us:12.1f}{c.cpu_us:8.1f}" for c in costs))
    for store in stores.values():
        await store.close()


def main() -> None:
    """Start the servers, print the machine and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reads", type=int, default=4000, help="reads a cell and round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, of which the best counts")
    arguments = parser.parse_args()
    packages = ", ".join(f"{name} {version(name)}" for name in ("redis", "hiredis", "uvloop"))
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(packages)
    with (
        RedisServer() as server,
        redis_cluster() as nodes,
        tempfile.TemporaryDirectory() as folder,
    ):
        urls = {"redis": server.url, "cluster": f"redis+cluster://127.0.0.1:{nodes[0].port}"}
        uvloop.run(measure(urls, Path(folder), arguments.reads, arguments.rounds))


if __name__ == "__main__":
    main()
