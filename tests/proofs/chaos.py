"""Redis is killed, started again, paused and resumed under load: no 500, uploads go on.

    python -m tests.proofs.chaos [--seconds 4]        of each phase

Uploads (always of new photos), cached reads and stateless calls come all along on 8 connections.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable
from itertools import count

from service.bench.connection import Connection, Endpoint
from service.bench.photos import variant
from tests.proofs.claims import Claims, heading, percentile, table
from tests.proofs.traffic import Seen, statuses, steady
from tests.proofs.watching import watching
from tests.support.photos import encoded
from tests.support.redis_server import RedisServer
from tests.support.server import REAL, running_service

CONNECTIONS = 8
SETTLE_SECONDS = 0.2
"""What a phase begins with is counted to the phase before: requests that were on their way."""


async def prove(seconds: float) -> Claims:
    """Phase after phase."""
    claims, photo, numbers = Claims(), encoded("jpeg"), count()
    with RedisServer() as redis, running_service(REAL, PREFIXEL_REDIS_URL=redis.url) as server:
        endpoint = Endpoint.of(server.url)

        def upload() -> bytes:
            return endpoint.request("POST", "/v1/images", variant(photo, next(numbers)))

        async def put_in() -> str:
            async with Connection(endpoint, keep=True) as connection:
                return str(json.loads((await connection.ask(upload())).body)["id"])

        known = [await put_in()]
        async with Connection(endpoint, keep=True) as connection:
            stream = (await connection.ask(endpoint.request("POST", "/v1/encode", photo))).body
        kinds: dict[str, Callable[[], bytes]] = {
            "upload": upload,
            "read": lambda: endpoint.request("GET", f"/v1/images/{known[0]}/thumb.pxl?bytes=64"),
            "raster": lambda: endpoint.request("GET", f"/v1/images/{known[0]}/thumb.webp"),
            "thumbs": lambda: endpoint.request("GET", f"/v1/thumbs?ids={known[0]}&bytes=64"),
            "encode": lambda: endpoint.request("POST", "/v1/encode?bytes=64", photo),
            "decode": lambda: endpoint.request("POST", "/v1/decode", stream),
        }
        seen: list[Seen] = []
        stop = asyncio.Event()
        phases: list[tuple[str, float]] = []
        load = asyncio.create_task(
            steady(endpoint, kinds, CONNECTIONS, stop, seen, pause_seconds=0.01)
        )
        async with watching(server) as watch:
            for name, do in (
                ("up", None),
                ("killed", redis.kill),
                ("started", redis.start),
                ("paused", redis.pause),
                ("resumed", redis.resume),
            ):
                if do is not None:
                    await asyncio.to_thread(do)
                phases.append((name, time.perf_counter() + SETTLE_SECONDS))
                if name == "started":
                    known[0] = await put_in()  # Redis forgot all; its breaker may still be open
                await asyncio.sleep(seconds)
            known[0] = await put_in()
            phases.append(("afterwards", time.perf_counter() + SETTLE_SECONDS))
            await asyncio.sleep(seconds / 2)
            stop.set()
            await load
    ends = [begin for _, begin in phases[1:]] + [float("inf")]
    by_phase = {
        name: [one for one in seen if begin <= one.at < end]
        for (name, begin), end in zip(phases, ends, strict=True)
    }
    table(
        ("phase", *kinds, "p99 s", "longest s"),
        [
            (
                name,
                *(
                    ", ".join(f"{code}: {n}" for code, n in statuses(part).items())
                    for kind in kinds
                    for part in [[one for one in found if one.kind == kind]]
                ),
                f"{percentile([one.seconds for one in found], 99):.3f}",
                f"{max((one.seconds for one in found), default=0):.3f}",
            )
            for name, found in by_phase.items()
        ],
    )
    wrong = [one for one in seen if one.status <= 0 or (one.status >= 500 and one.status != 503)]
    claims.claim(
        not wrong,
        "no 500 and no lost answer",
        f"{len(seen)} requests, {len(wrong)} wrong {[(o.kind, o.status, o.words) for o in wrong[:3]]}",
    )
    working = [one for one in seen if one.kind in ("upload", "encode", "decode")]
    claims.claim(
        {one.status for one in working} <= {200, 201},
        "uploads and stateless calls work throughout",
        f"{len(working)} requests: {statuses(working)}",
    )
    down = [one for name in ("killed", "paused") for one in by_phase[name] if one.kind == "read"]
    claims.claim(
        {one.status for one in down} == {503} and all(one.has_retry_after for one in down),
        "a read that cannot be answered is 503 with Retry-After, not 404",
        f"{statuses(down)}",
    )
    reads = [one for one in by_phase["afterwards"] if one.kind in ("read", "raster", "thumbs")]
    claims.claim(
        {one.status for one in reads} == {200}, "afterwards all is as before", f"{statuses(reads)}"
    )
    claims.claim(
        watch.is_healthy,
        "health stays green",
        f"{dict(watch.health)}, slowest {watch.slowest_seconds:.2f} s",
    )
    return claims


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="of a phase")
    chosen = parser.parse_args()
    heading("Redis in trouble")
    return asyncio.run(prove(chosen.seconds)).end()


if __name__ == "__main__":
    sys.exit(main())
