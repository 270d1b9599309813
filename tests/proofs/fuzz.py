"""Damaged uploads of every format and damaged streams, over HTTP: only 2xx and 4xx.

    python -m tests.proofs.fuzz [--uploads 10000] [--streams 10000] [--seed 1]

A case is known by its number and the seed. ``tests.fuzz.pictures`` throws the same damage at the
decoder alone, where a crash can be told from all else.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import Progress

from service.bench.connection import Connection, Endpoint
from tests.fuzz.mutate import mutate
from tests.fuzz.pictures import case, known_formats
from tests.proofs.claims import Claims, heading, table
from tests.proofs.watching import real_service, rss_mib
from tests.support.photos import crops, encoded
from tests.support.server import Server

CONNECTIONS = 6
SAMPLES = 20
GROWTH_MIB = 48.0
STREAM_LIMIT = 1024
Case = tuple[str, bytes]
"""What it is (a format, "stream"), and the whole request."""


@dataclass
class Found:
    """Statuses by what was sent; failures by case number."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    resident_mib: list[float] = field(default_factory=list)


def upload_case(endpoint: Endpoint, seed: int, number: int) -> Case:
    """A damaged photo, to one of the paths that take photos, raw or in a form."""
    format, data = case(seed, number, known_formats())
    draw = random.Random(f"upload/{seed}/{number}")
    path = draw.choice(("/v1/images", "/v1/images?inline=1", "/v1/encode?bytes=64"))
    headers: tuple[str, ...] = ()
    if draw.random() < 0.2:
        headers = ("Content-Type: multipart/form-data; boundary=edge",)
        top = b'--edge\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
        data = top + data + b"\r\n--edge--\r\n"
    return format, endpoint.request("POST", path, data, headers)


def stream_case(endpoint: Endpoint, seeds: list[bytes], seed: int, number: int) -> Case:
    """A damaged stream, to be painted."""
    draw = random.Random(f"stream/{seed}/{number}")
    data = mutate(seeds, draw)[:STREAM_LIMIT]
    query = draw.choice(("", "?format=webp", "?format=jpg&size=64", "?size=512"))
    return "stream", endpoint.request("POST", f"/v1/decode{query}", data)


async def throw(
    server: Server, make: Callable[[int], Case], cases: int, found: Found, progress: Progress
) -> None:
    """Ask them all; memory is looked at twenty times."""
    endpoint, numbers = Endpoint.of(server.url), iter(range(cases))
    task = progress.add_task("cases", total=cases)
    step = max(1, cases // SAMPLES)

    async def client() -> None:
        async with Connection(endpoint, keep=True) as connection:
            for number in numbers:
                kind, request = make(number)
                try:
                    async with asyncio.timeout(60):
                        answer = await connection.ask(request)
                except (OSError, TimeoutError) as broken:
                    connection.close()
                    found.failures.append(f"{kind} {number}: {broken!r}")
                    continue
                found.answers[kind, answer.status] += 1
                if not 200 <= answer.status < 300 and not 400 <= answer.status < 500:
                    found.failures.append(f"{kind} {number}: {answer.status} {answer.body[:200]!r}")
                progress.advance(task)
                if number % step == 0:
                    found.resident_mib.append(rss_mib(server))

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))


async def real_streams(endpoint: Endpoint) -> list[bytes]:
    """Streams of photos, and prefixes of them."""
    found = []
    async with Connection(endpoint, keep=True) as connection:
        for crop in crops(8, seed=5):
            request = endpoint.request("POST", "/v1/encode", encoded("png", crop))
            whole = (await connection.ask(request)).body
            found += [whole, whole[:64], whole[:2]]
    return found


def prove(uploads: int, streams: int, seed: int) -> Claims:
    """Uploads, then streams, at one service."""
    claims, found = Claims(), Found()
    console = Console(stderr=True)
    with (
        real_service() as server,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        endpoint = Endpoint.of(server.url)
        seeds = asyncio.run(real_streams(endpoint))
        asyncio.run(
            throw(server, lambda n: upload_case(endpoint, seed, n), uploads, found, progress)
        )
        first = len(found.resident_mib)
        asyncio.run(
            throw(server, lambda n: stream_case(endpoint, seeds, seed, n), streams, found, progress)
        )
        is_alive = server.process.poll() is None
        healthy = asyncio.run(real_streams(endpoint)) == seeds
        logged = server.events("unhandled")
    codes = sorted({status for _, status in found.answers})
    kinds = [*known_formats(), "stream"]
    rows = [(kind, *(found.answers[kind, status] for status in codes)) for kind in kinds]
    table(("what", *map(str, codes)), [*rows])
    resident = found.resident_mib
    print("resident MiB: " + " ".join(f"{mib:.0f}" for mib in resident) + "\n")
    claims.claim(
        not found.failures and found.answers.total() == uploads + streams,
        "only 2xx and 4xx",
        f"{found.answers.total()} cases, {len(found.failures)} failures {found.failures[:5]}",
    )
    claims.claim(
        is_alive and healthy and not logged,
        "the worker lives and paints as before",
        f"alive {is_alive}, same streams {healthy}, unhandled exceptions {len(logged)}",
    )
    for what, part in (("uploads", resident[:first]), ("streams", resident[first:])):
        warm = part[len(part) // 4 :]
        claims.claim(
            warm[-1] - warm[0] <= GROWTH_MIB,
            f"memory flat over the last three quarters of the {what}",
            f"{warm[0]:.0f} -> {warm[-1]:.0f} MiB, most {max(warm):.0f}",
        )
    return claims


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=10_000)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    heading(f"Fuzz, seed {chosen.seed}")
    return prove(chosen.uploads, chosen.streams, chosen.seed).end()


if __name__ == "__main__":
    sys.exit(main())
