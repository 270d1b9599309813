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
from tests.proofs.watching import real_service, watching
from tests.support.photos import encoded
from tests.support.redis_server import RedisServer

CONNECTIONS = 8
SETTLE_SECONDS = 0.2
"""What is sent around a change belongs to no phase."""

RECOVER_SECONDS = 10.0
WARM = 3
"""Answers of each kind before the first phase."""


async def prove(seconds: float) -> Claims:
    """Phase after phase."""
    claims, photo, numbers = Claims(), encoded("jpeg"), count()
    with RedisServer() as redis, real_service(PREFIXEL_REDIS_URL=redis.url) as server:
        endpoint = Endpoint.of(server.url)

        def upload() -> bytes:
            return endpoint.request("POST", "/v1/images", variant(photo, next(numbers)))

        async def put_in() -> str:
            """The id of a photo that the cache keeps; waits until the breaker lets it."""
            async with (
                Connection(endpoint, keep=True) as connection,
                asyncio.timeout(RECOVER_SECONDS),
            ):
                while True:
                    document = json.loads((await connection.ask(upload())).body)
                    if document["stored"]:
                        return str(document["id"])
                    await asyncio.sleep(0.1)

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
        async with Connection(endpoint, keep=True) as connection:
            for make in kinds.values():  # a first answer is slow, beside others that are loading
                for _ in range(WARM):
                    await connection.ask(make())
        seen: list[Seen] = []
        stop = asyncio.Event()
        phases: list[tuple[str, float, float]] = []
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
                begin = time.perf_counter() + SETTLE_SECONDS
                await asyncio.sleep(seconds)
                phases.append((name, begin, time.perf_counter()))
            known[0] = await put_in()
            begin = time.perf_counter() + SETTLE_SECONDS
            await asyncio.sleep(seconds / 2 + SETTLE_SECONDS)
            phases.append(("afterwards", begin, time.perf_counter()))
            stop.set()
            await load
    by_phase = {
        name: [one for one in seen if begin <= one.at and one.at + one.seconds <= end]
        for name, begin, end in phases
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
    words = [(one.kind, one.status, one.words) for one in wrong[:3]]
    claims.claim(
        not wrong,
        "no 500 and no lost answer",
        f"{len(seen)} requests, {len(wrong)} wrong {words}",
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
    calm = [one for name in ("up", "afterwards") for one in by_phase[name]]
    refused = [(one.kind, one.words) for one in calm if one.status not in (200, 201)]
    claims.claim(
        not refused,
        "before and afterwards every request is answered",
        f"{len(calm)} requests: {statuses(calm)} {refused[:3]}",
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
