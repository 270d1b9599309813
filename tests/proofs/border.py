"""One client without a token against the loop and the memory of the whole service.

    python -m tests.proofs.border [--seconds 6]

Forms that are dear to parse, from 1 and from 32 connections, each sending one body of 30 MiB: how
long the event loop stands still, and what a reader of a cached thumbnail waits meanwhile. Then 300
connections that send 64 kB of pipelined requests each and never read: memory, and /livez.

"Computes" is processor time of the loop's thread, "stands" is the clock's: where attackers and the
service share two cores, the second holds the attackers' work too.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from collections.abc import Callable

import httpx

from service.bench.connection import Connection, Endpoint
from tests.proofs.claims import Claims, heading, percentile, table
from tests.proofs.watching import rss_mib, watching
from tests.support.photos import encoded
from tests.support.raw import head
from tests.support.server import Server, running_service

BODY_BYTES = 30 * 2**20
PAUSE_LIMIT_SECONDS = 0.02
MEMORY_LIMIT_MIB = 100.0
PROBE_LIMIT_SECONDS = 5.0
PART = b"--x\r\n" + b"a:b\r\n" * 8 + b"\r\n\r\n"
FILE = b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
SEMICOLONS = b"--x\r\n" + b"Content-Disposition: form-data" + b";" * 3000 + b"\r\n\r\n\r\n"


def repeated(begin: bytes, unit: bytes) -> bytes:
    """``begin`` and as many of ``unit`` as fit into a body."""
    return begin + unit * ((BODY_BYTES - len(begin)) // len(unit))


FORMS: dict[str, Callable[[], bytes]] = {
    "parts of eight headers": lambda: repeated(b"", PART),
    "boundaries that are none": lambda: repeated(FILE, b"\r\n--xy"),
    "half boundaries": lambda: repeated(FILE, b"\r\n--"),
    "white space after a boundary": lambda: repeated(b"--x", b" "),
    "white space before values": lambda: repeated(b"--x\r\n", b"a:" + b" " * 4000 + b"\r\n"),
    "dispositions of semicolons": lambda: repeated(b"", SEMICOLONS),
    "a preamble without end": lambda: repeated(b"", b"\r\n--y"),
}


async def send_form(server: Server, body: bytes) -> bytes:
    """Send it whole, or until the service has had enough; the status line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    line = b""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(20):
            writer.write(
                head(
                    "POST",
                    "/v1/decode",
                    "Content-Type: multipart/form-data; boundary=x",
                    f"Content-Length: {len(body)}",
                )
            )
            for begin in range(0, len(body), 2**18):
                writer.write(body[begin : begin + 2**18])
                await writer.drain()
            line = await reader.readline()
    writer.close()
    return line[:12]


async def read_thumbs(endpoint: Endpoint, path: str, stop: asyncio.Event) -> list[float]:
    """Seconds that each read took."""
    took = []
    async with Connection(endpoint) as connection:
        while not stop.is_set():
            begin = time.perf_counter()
            answer = await connection.ask(endpoint.request("GET", path))
            took.append(time.perf_counter() - begin)
            assert answer.status == 200
            await asyncio.sleep(0.005)
    return took


async def attack(
    server: Server, path: str, body: bytes, clients: int, seconds: float
) -> tuple[dict[str, float], list[float], set[bytes]]:
    """(longest pauses of the loop, what reads took, answers of the attack)."""
    endpoint, stop = Endpoint.of(server.url), asyncio.Event()
    reading = asyncio.create_task(read_thumbs(endpoint, path, stop))
    async with httpx.AsyncClient(timeout=120) as client:
        watching = asyncio.create_task(client.get(f"{server.url}/test/loop?seconds={seconds}"))
        await asyncio.sleep(0.2)
        lines = await asyncio.gather(*(send_form(server, body) for _ in range(clients)))
        pauses = (await watching).json()
    stop.set()
    return pauses, await reading, set(lines)


async def prove_forms(claims: Claims, seconds: float) -> None:
    """Every form, from one connection and from 32."""
    rows: list[tuple[object, ...]] = []
    worst = 0.0
    with running_service(PREFIXEL_DEADLINE_SECONDS=60, PREFIXEL_BODY_TIMEOUT_SECONDS=60) as server:
        async with httpx.AsyncClient(timeout=60) as client:
            answer = await client.post(f"{server.url}/v1/images", content=encoded("jpeg"))
        upload = answer.json()
        path = f"/v1/images/{upload['id']}/thumb.pxl?bytes=64"
        for clients in (1, 32):
            for name, make in {"nothing": lambda: b"", **FORMS}.items():
                body = make()
                senders = clients if body else 0
                pauses, took, lines = await attack(server, path, body, senders, seconds)
                # Nobody attacks in the first row: that is what the machine itself does.
                computing = pauses["worst_computing_seconds"]
                worst = max(worst, computing) if body else worst
                rows.append(
                    (
                        name,
                        senders,
                        f"{1e3 * computing:.1f}",
                        f"{1e3 * pauses['worst_seconds']:.1f}",
                        f"{1e3 * percentile(took, 99):.1f}",
                        f"{1e3 * max(took):.1f}",
                        b", ".join(sorted(lines)).decode(),
                    )
                )
    table(
        (
            "form",
            "clients",
            "loop computes ms",
            "loop stands ms",
            "p99 ms",
            "longest ms",
            "answers",
        ),
        rows,
    )
    claims.claim(
        worst <= PAUSE_LIMIT_SECONDS,
        "no form makes the loop compute for more than 20 ms between two turns of others",
        f"{1e3 * worst:.1f} ms",
    )


async def highest_rss(server: Server, seconds: float) -> float:
    """MiB, looked at all along; from here, since the service may be too busy to be asked."""
    highest, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        highest = max(highest, rss_mib(server))
        await asyncio.sleep(0.1)
    return highest


async def prove_pipelines(claims: Claims, clients: int, seconds: float) -> None:
    """Requests without end from clients that never read."""
    unit = b"GET / HTTP/1.1\r\n\r\n"
    with running_service() as server:
        before = rss_mib(server)
        writers = []
        async with watching(server) as watch:
            for _ in range(clients):
                _, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
                writer.write(unit * (64_000 // len(unit)))
                writers.append(writer)
            peak = await highest_rss(server, seconds)
        for writer in writers:
            writer.transport.abort()
        await asyncio.sleep(2)
        after = rss_mib(server)
    claims.claim(
        peak - before < MEMORY_LIMIT_MIB,
        f"{clients} clients that pipeline and never read hold little",
        f"{before:.0f} MiB before, {peak:.0f} at most",
    )
    claims.claim(
        after - before < MEMORY_LIMIT_MIB / 2, "it comes back", f"{after:.0f} MiB afterwards"
    )
    claims.claim(
        watch.is_healthy and watch.slowest_seconds < PROBE_LIMIT_SECONDS,
        f"/livez and /readyz answer meanwhile, within {PROBE_LIMIT_SECONDS:g} s",
        f"{dict(watch.health)}, slowest {watch.slowest_seconds:.2f} s",
    )


def main() -> int:
    """Print the table and the claims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6, help="of each attack")
    parser.add_argument("--clients", type=int, default=300, help="that pipeline")
    parser.add_argument("--pipelines-only", action="store_true")
    chosen = parser.parse_args()
    heading("One client against all")
    claims = Claims()
    asyncio.run(prove_pipelines(claims, chosen.clients, chosen.seconds))
    if not chosen.pipelines_only:
        asyncio.run(prove_forms(claims, chosen.seconds))
    return claims.end()


if __name__ == "__main__":
    sys.exit(main())
