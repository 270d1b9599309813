"""Processes that crash or are replaced under load: how many requests fail, and whose.

    python -m tests.proofs.crashes

kill -SEGV of a worker, one of two and the only one; of all of them eight times in a row; SIGHUP
with two and with one; kill -SEGV of a decoder process (``PREFIXEL_DECODER=process``) while it has a
picture. Reads of a cached stream, uploads and stateless calls come on kept connections meanwhile;
a request fails when its connection breaks before the answer, or when that is none of 2xx. When a
worker crashes, what it had in hand is lost and nothing else is: connections wait for the next one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import struct
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from service.bench.connection import Connection, Endpoint
from service.bench.photos import variant
from tests.proofs.claims import Claims, heading, percentile, table
from tests.proofs.traffic import Seen, statuses, steady
from tests.proofs.watching import metrics
from tests.support.codec import DEFAULT
from tests.support.photos import encoded, plain_png
from tests.support.server import REAL, Server, eventually, running_service

CONNECTIONS = 12
START_SECONDS = 60.0
BURST = 8
SLOW_SIDE = 6000


@dataclass
class Run:
    """A service under load, and what its clients saw."""

    server: Server
    seen: list[Seen] = field(default_factory=list)

    @property
    def workers(self) -> list[int]:
        """Processes that serve."""
        return [one.pid for one in psutil.Process(self.server.process.pid).children()]

    @property
    def failed(self) -> list[Seen]:
        """None of 2xx."""
        return [one for one in self.seen if not 200 <= one.status < 300]

    async def event(self, name: str, times: int = 1) -> None:
        """Wait for lines of the log."""
        await asyncio.to_thread(
            eventually, lambda: len(self.server.events(name)) >= times, START_SECONDS
        )

    def row(self, what: str) -> tuple[object, ...]:
        """For the table."""
        took = [one.seconds for one in self.seen]
        return (
            what,
            len(self.seen),
            len(self.failed),
            statuses(self.failed),
            f"{percentile(took, 99):.2f}",
            f"{max(took):.1f}",
        )


@asynccontextmanager
async def loaded(workers: int, **settings: str | float) -> AsyncIterator[Run]:
    """Under load while inside; afterwards ``seen`` is whole."""
    photo, numbers = encoded("jpeg"), count()
    with (
        TemporaryDirectory(prefix="prefixel-crashes-") as folder,
        running_service(
            REAL,
            *("--workers", str(workers)),
            PREFIXEL_CODECS=DEFAULT,
            PREFIXEL_STORE_PATH=str(Path(folder) / "streams.db"),
            PREFIXEL_DRAIN_GRACE_SECONDS=1,
            **settings,
        ) as server,
    ):
        run = Run(server)
        await run.event("listening", workers)
        endpoint = Endpoint.of(server.url)
        async with Connection(endpoint, keep=True) as connection:
            answer = await connection.ask(endpoint.request("POST", "/v1/images", photo))
            known = json.loads(answer.body)["id"]
        read = endpoint.request("GET", f"/v1/images/{known}/thumb.pxl?bytes=64")
        encode = endpoint.request("POST", "/v1/encode?bytes=64", photo)
        kinds: Mapping[str, Callable[[], bytes]] = {
            "read": lambda: read,
            "upload": lambda: endpoint.request("POST", "/v1/images", variant(photo, next(numbers))),
            "encode": lambda: encode,
        }
        stop = asyncio.Event()
        load = asyncio.create_task(
            steady(endpoint, kinds, CONNECTIONS, stop, run.seen, pause_seconds=0.02)
        )
        await asyncio.sleep(1)
        try:
            yield run
            await asyncio.sleep(1)
        finally:
            stop.set()
            await load


async def crash(workers: int, claims: Claims) -> tuple[object, ...]:
    """One worker."""
    async with loaded(workers) as run:
        os.kill(run.workers[0], signal.SIGSEGV)
        began = time.perf_counter()
        await run.event("listening", workers + 1)
        back = time.perf_counter() - began
        told = metrics(run.server.url)["prefixel_worker_restarts_total"]
    lost = [one for one in run.failed if one.status == 0]
    claims.claim(
        len(lost) == len(run.failed) <= CONNECTIONS and told == 1,
        f"a crash of one of {workers} loses what it had in hand, and nothing else",
        f"{len(run.failed)} of {len(run.seen)} requests failed, on {CONNECTIONS} connections;"
        f" ready again after {back:.1f} s, prefixel_worker_restarts_total {told:g}",
    )
    return run.row(f"kill -SEGV of one worker of {workers}")


async def burst(claims: Claims) -> tuple[object, ...]:
    """All workers, again and again, as soon as one is there."""
    async with loaded(2) as run:
        for _ in range(BURST):
            for pid in run.workers:
                os.kill(pid, signal.SIGSEGV)
            await asyncio.to_thread(eventually, lambda: bool(run.workers), START_SECONDS)
        before = len(run.server.events("listening"))
        await run.event("listening", before + 2)
        alive = run.server.process.poll() is None
    claims.claim(
        alive and run.seen[-1].status < 300,
        f"{BURST} times all workers in a row do not end the service",
        f"{len(run.server.events('worker-died'))} deaths, {len(run.failed)} requests failed,"
        f" last answer {run.seen[-1].status}",
    )
    return run.row(f"kill -SEGV of both workers, {BURST} times in a row")


async def replace(workers: int, claims: Claims) -> tuple[object, ...]:
    """SIGHUP."""
    async with loaded(workers) as run:
        before = set(run.workers)
        run.server.process.send_signal(signal.SIGHUP)
        await run.event("reloaded")
        after = set(run.workers)
    claims.claim(
        not run.failed and len(after) == workers and not after & before,
        f"SIGHUP replaces {workers}, and no request fails",
        f"{len(run.failed)} of {len(run.seen)} failed"
        f" {[(one.kind, one.words) for one in run.failed[:2]]}",
    )
    return run.row(f"SIGHUP, {workers} worker{'s' if workers > 1 else ''}")


async def decoder(claims: Claims) -> tuple[object, ...]:
    """The process that has one slow upload."""
    png = plain_png(SLOW_SIDE)
    async with loaded(1, PREFIXEL_DECODER="process") as run:
        endpoint = Endpoint.of(run.server.url)
        (worker,) = run.workers
        decoders = psutil.Process(worker).children()

        async def slow(number: int) -> tuple[int, str]:
            async with Connection(endpoint, keep=True) as connection:
                body = png + struct.pack(">I", number)
                answer = await connection.ask(endpoint.request("POST", "/v1/images", body))
                return answer.status, json.loads(answer.body).get("detail", "")

        def used(process: psutil.Process) -> float:
            return float(sum(process.cpu_times()[:2]))

        async def busiest() -> tuple[float, psutil.Process]:
            """By what it computed in a while: small pictures take milliseconds."""
            before = [used(one) for one in decoders]
            await asyncio.sleep(0.2)
            return max(
                ((used(one) - was, one) for one, was in zip(decoders, before, strict=True)),
                key=lambda found: found[0],
            )

        upload = asyncio.create_task(slow(1))
        for number in range(2, 10):
            seconds, busy = await busiest()
            if seconds > 0.1:
                break
            if upload.done():
                upload = asyncio.create_task(slow(number))
        busy.send_signal(signal.SIGSEGV)
        status, words = await upload
        again = await slow(0)
        deaths = metrics(run.server.url)
    claims.claim(
        status == 422 and again[0] == 201 and not run.failed,
        "a decoder's crash refuses the one upload, and nobody else notices",
        f"that upload {status} ({words}), the same again {again[0]}; {len(run.failed)} of"
        f" {len(run.seen)} others failed; decoder_deaths_total"
        f" {deaths.get('prefixel_decoder_deaths_total{reason=crashed}', 0):g}",
    )
    return run.row("kill -SEGV of a decoder process")


async def prove() -> Claims:
    """One after the other."""
    claims, rows = Claims(), []
    for workers in (2, 1):
        rows.append(await crash(workers, claims))
    rows.append(await burst(claims))
    for workers in (2, 1):
        rows.append(await replace(workers, claims))
    rows.append(await decoder(claims))
    print()
    table(("what", "requests", "failed", "of them by status (0: cut)", "p99 s", "longest s"), rows)
    return claims


def main() -> int:
    """Print the table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    heading("Processes that crash or are replaced under load")
    return asyncio.run(prove()).end()


if __name__ == "__main__":
    sys.exit(main())
