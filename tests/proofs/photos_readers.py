"""Clients that ask for a long stream and stop reading: what each holds, and who else notices.

    python -m tests.proofs.photos_readers [--clients 200]

The streams lie in a real Redis, as an upload would have put them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import socket
import sys
import time

from service.bench.connection import Connection, Endpoint
from service.cache import Key, RedisStore
from service.cache.breaker import Breaker
from service.cache.redis.opening import open_client
from tests.proofs.claims import Claims, heading
from tests.proofs.watching import metrics, rss_mib, watching
from tests.support.raw import head
from tests.support.redis_server import RedisServer
from tests.support.server import Server, running_service

ID = "a" * 26
STREAM_BYTES = 800_000
HELD_BYTES = 64 * 1024
LEAVE_SECONDS = 10
PATH = f"/v1/images/{ID}/thumb.pxl?codec=long"
GONE = "prefixel_client_gone_total"
PIECES = "prefixel_span_duration_seconds_count{span=cache}"


async def put(url: str, stream: bytes) -> None:
    """As the service puts it."""
    store = RedisStore(open_client(url, 5000, 4, lambda: Breaker(5, 2.0)), 600)
    await store.put(Key(ID, "long"), stream, b"")
    await store.close()


def dial(server: Server) -> socket.socket:
    """A client with little room of its own, that has been answered once."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", server.port))
    sock.sendall(head("GET", PATH + "&bytes=64"))
    sock.recv(4096)
    return sock


async def prove(clients: int) -> Claims:
    """Hold, look, read, leave."""
    claims = Claims()
    stream = random.Random(1).randbytes(STREAM_BYTES)
    with (
        RedisServer() as redis,
        running_service(PREFIXEL_REDIS_URL=redis.url, PREFIXEL_REDIS_TIMEOUT_MS=5000) as server,
        contextlib.ExitStack() as stack,
    ):
        await put(redis.url, stream)
        endpoint = Endpoint.of(server.url)
        ask = endpoint.request("GET", PATH)
        async with Connection(endpoint) as one:
            for _ in range(20):  # what the first ones cost is not what each costs
                assert (await one.ask(ask)).status == 200
        sockets = [stack.enter_context(dial(server)) for _ in range(clients)]
        reads, before = metrics(server.url)[PIECES], rss_mib(server)
        for sock in sockets:
            sock.sendall(head("GET", PATH))
        async with watching(server) as watch, Connection(endpoint, keep=True) as other:
            await asyncio.sleep(3)
            held = (rss_mib(server) - before) * 2**20 / clients
            pieces = (metrics(server.url)[PIECES] - reads) / clients
            began = time.perf_counter()
            whole = await other.ask(ask)
            seconds = time.perf_counter() - began
            for sock in sockets:
                sock.close()
            began = time.perf_counter()
            gone = 0.0
            while gone < clients and time.perf_counter() - began < LEAVE_SECONDS:
                await asyncio.sleep(0.1)
                gone = (await asyncio.to_thread(metrics, server.url)).get(GONE, 0)
            noticed = time.perf_counter() - began
    claims.claim(
        held <= HELD_BYTES,
        f"each of {clients} that stopped reading {STREAM_BYTES} bytes holds at most {HELD_BYTES}",
        f"{held:.0f} bytes each, after {pieces:.1f} reads of the cache each",
    )
    claims.claim(
        (whole.status, whole.body) == (200, stream),
        "another one reads its stream meanwhile",
        f"{whole.status}, {len(whole.body)} bytes in {1000 * seconds:.0f} ms",
    )
    claims.claim(
        watch.is_healthy, "probes are answered", f"slowest {1000 * watch.slowest_seconds:.0f} ms"
    )
    claims.claim(
        gone == clients, "those who left are noticed", f"{gone:.0f} of {clients} in {noticed:.1f} s"
    )
    return claims


def main() -> int:
    """Print the claims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=200)
    chosen = parser.parse_args()
    heading("Long streams that nobody reads")
    return asyncio.run(prove(chosen.clients)).end()


if __name__ == "__main__":
    sys.exit(main())
