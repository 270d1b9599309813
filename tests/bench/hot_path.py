"""Cached ``thumb.pxl?bytes=64`` under load, beside a bare Starlette route on the same Redis.

    python -m tests.bench.hot_path [--seconds 10] [--rounds 3]

Starts Redis, the service (the tests' codec, all defaults, logging into a file) and a Starlette
application of one route that answers 64 bytes with one GETRANGE; then wrk, 16 connections, on both
by turns. ``cpu`` is the processor time of the server's process for one request: it says the same
on a busy machine. Needs redis-server and wrk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx
import psutil
import redis.asyncio
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.photos import encoded
from tests.support.redis_server import RedisServer, free_port

CONNECTIONS = 16
BUDGET_BYTES = 64
PEER_KEY = "peer"
START_SECONDS = 30.0
T = TypeVar("T")
MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True)
class Load:
    """What wrk saw: requests a second, latencies in ms, answers that were not 2xx."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    errors: int


@dataclass(frozen=True)
class Target:
    """A server under test: where it is asked, and its process."""

    url: str
    process: psutil.Process

    @property
    def cpu_seconds(self) -> float:
        """Processor time so far, all threads."""
        times = self.process.cpu_times()
        return times.user + times.system


def load(target: Target, seconds: int) -> Load:
    """Run wrk once."""
    before = target.cpu_seconds
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", target.url]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (rate,) = re.findall(r"Requests/sec:\s+([\d.]+)", text)
    found = dict(re.findall(r"^\s+(50|99)%\s+([\d.]+\w+)", text, re.MULTILINE))
    (count,) = re.findall(r"(\d+) requests in", text)
    cpu_us = (target.cpu_seconds - before) / int(count) * 1e6
    errors = re.findall(r"Non-2xx or 3xx responses: (\d+)", text)
    return Load(
        float(rate), _ms(found["50"]), _ms(found["99"]), cpu_us, int(errors[0]) if errors else 0
    )


def _ms(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(\w+)", text).groups()  # type: ignore[union-attr]
    return float(number) * MILLISECONDS[unit]


def peer(redis_url: str, port: int) -> None:
    """The bare route; runs until it is killed."""
    client = redis.asyncio.Redis.from_url(redis_url)

    async def read(_request: Request) -> Response:
        data = await client.getrange(PEER_KEY, 0, BUDGET_BYTES - 1)
        return Response(data, media_type="application/octet-stream")

    app = Starlette(routes=[Route("/{id}/thumb", read)])
    uvicorn.run(
        app, port=port, loop="uvloop", http="httptools", access_log=False, log_level="error"
    )


@contextmanager
def started(command: Sequence[str], log: Path, **environment: str) -> Iterator[psutil.Process]:
    """A process that logs into a file, and is stopped afterwards."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stderr=file, env={**os.environ, **environment})
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(START_SECONDS)


def until(find: Callable[[], T | None], log: Path) -> T:
    """What ``find`` finds at last. Raises RuntimeError with the log."""
    due = time.monotonic() + START_SECONDS
    while time.monotonic() < due:
        found = find()
        if found is not None:
            return found
        time.sleep(0.1)
    raise RuntimeError(log.read_text())


@contextmanager
def starlette(redis_url: str, log: Path) -> Iterator[Target]:
    """The peer."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/x/thumb"

    def answers() -> bool | None:
        try:
            return httpx.get(url).is_success
        except httpx.TransportError:
            return None

    command = [sys.executable, "-m", "tests.bench.hot_path", "--peer", redis_url, str(port)]
    with started(command, log) as process:
        until(answers, log)
        yield Target(url, process)


@contextmanager
def prefixel(redis_url: str, log: Path) -> Iterator[Target]:
    """The service, with nothing set but Redis, and one photo in it."""

    def port() -> int | None:
        for line in log.read_text().splitlines():
            if '"listening"' in line:
                return int(json.loads(line)["port"])
        return None

    command = [sys.executable, "-m", "tests.support.serve"]
    with started(command, log, PREFIXEL_REDIS_URL=redis_url) as process:
        base = f"http://127.0.0.1:{until(port, log)}/v1/images"
        photo = httpx.post(base, content=encoded("jpeg")).json()
        yield Target(f"{base}/{photo['id']}/thumb.pxl?bytes={BUDGET_BYTES}", process)


async def prepare(redis_url: str) -> None:
    """The peer's 64 bytes."""
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        await client.set(PEER_KEY, bytes(range(256)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of one run of wrk")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each; the median counts")
    parser.add_argument("--peer", nargs=2, metavar=("REDIS", "PORT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.peer:
        peer(chosen.peer[0], int(chosen.peer[1]))
        return 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(RedisServer())
        asyncio.run(prepare(server.url))
        bare = stack.enter_context(starlette(server.url, folder / "peer.log"))
        ours = stack.enter_context(prefixel(server.url, folder / "service.log"))
        runs: dict[str, list[Load]] = {"starlette": [], "prefixel": []}
        for _ in range(chosen.rounds):
            runs["starlette"].append(load(bare, chosen.seconds))
            runs["prefixel"].append(load(ours, chosen.seconds))
    _print(runs, chosen.seconds)
    return 0


def _print(runs: dict[str, list[Load]], seconds: int) -> None:
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, ", end="")
    print(f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}")
    print(f"wrk -c{CONNECTIONS} -d{seconds}s, median of {len(runs['prefixel'])} runs\n")
    print("| route | req/s | p50 ms | p99 ms | cpu µs | errors |")
    print("|---|---|---|---|---|---|")
    rates = {}
    for name, found in runs.items():
        rates[name] = statistics.median(one.rate for one in found)
        p50, p99, cpu = (
            statistics.median(getattr(one, field) for one in found)
            for field in ("p50_ms", "p99_ms", "cpu_us")
        )
        errors = sum(one.errors for one in found)
        print(f"| {name} | {rates[name]:.0f} | {p50:.2f} | {p99:.2f} | {cpu:.0f} | {errors} |")
    print(f"\nratio {rates['prefixel'] / rates['starlette']:.2f}")


if __name__ == "__main__":
    sys.exit(main())
