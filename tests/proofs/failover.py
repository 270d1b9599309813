"""A replica is promoted behind an address that stays: when uploads are kept again.

    python -m tests.proofs.failover [--seconds 6]

Primary and replica behind a TCP proxy, as a managed Redis has them. The roles are exchanged and new
connections go to the new primary, while those that are open stay with the old one, which answers
every write with READONLY. Uploads and reads come all along.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from dataclasses import dataclass
from itertools import count

from service.bench.connection import Connection, Endpoint
from service.bench.photos import variant
from tests.proofs.claims import Claims, heading, percentile
from tests.support.photos import encoded
from tests.support.redis_server import RedisServer
from tests.support.server import eventually, running_service
from tests.support.tcp_proxy import TcpProxy

LIMIT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Upload:
    """When it was sent, in seconds from the failover on, and whether it was kept."""

    at: float
    status: int
    stored: bool


def replicate(primary: RedisServer, replica: RedisServer) -> None:
    """Make ``replica`` one, and wait until it has everything."""
    replica.ask("REPLICAOF", "127.0.0.1", primary.port)
    eventually(lambda: b"master_link_status:up" in replica.ask("INFO", "replication"), 20)


async def prove(seconds: float) -> Claims:
    """One failover under uploads and reads."""
    claims, photo, numbers = Claims(), encoded("jpeg"), count()
    options = ("--repl-diskless-sync-delay", "0")
    with (
        RedisServer(options) as old,
        RedisServer(options) as new,
        TcpProxy(old.port) as proxy,
        running_service(PREFIXEL_REDIS_URL=proxy.url) as server,
    ):
        replicate(old, new)
        endpoint = Endpoint.of(server.url)
        uploads: list[Upload] = []
        reads: list[int] = []
        begin, stop = time.monotonic(), asyncio.Event()

        async def upload() -> str:
            body = variant(photo, next(numbers))
            at = time.monotonic()
            async with Connection(endpoint, keep=True) as connection:
                answer = await connection.ask(endpoint.request("POST", "/v1/images", body))
            document = json.loads(answer.body)
            uploads.append(Upload(at, answer.status, bool(document.get("stored"))))
            return str(document.get("id"))

        async def uploading() -> None:
            while not stop.is_set():
                await upload()
                await asyncio.sleep(0.02)

        known = await upload()

        async def reading() -> None:
            path = f"/v1/images/{known}/thumb.pxl?bytes=64"
            async with Connection(endpoint) as connection:
                while not stop.is_set():
                    answer = await connection.ask(endpoint.request("GET", path))
                    reads.append(answer.status)
                    await asyncio.sleep(0.005)

        tasks = [asyncio.create_task(one()) for one in (uploading, uploading, reading)]
        await asyncio.sleep(1)
        new.ask("REPLICAOF", "NO", "ONE")
        old.ask("REPLICAOF", "127.0.0.1", new.port)
        proxy.target = new.port
        begin = time.monotonic()
        await asyncio.sleep(seconds)
        stop.set()
        await asyncio.gather(*tasks)
        connections = proxy.accepted
    later = [one for one in uploads if one.at >= begin]
    lost = [one.at - begin for one in later if not one.stored]
    calm = [one for one in uploads if one.at < begin - 0.2]
    back = max(lost, default=0.0)
    claims.claim(all(one.stored for one in calm), "before, uploads are kept", f"{len(calm)}")
    claims.claim(
        back < LIMIT_SECONDS and any(one.stored for one in later),
        f"writes are back within {LIMIT_SECONDS:g} s",
        f"the last that was not kept came {back:.2f} s after the failover; "
        f"{len(lost)} of {len(later)} were not kept, median {percentile(lost, 50):.2f} s",
    )
    claims.claim(
        {one.status for one in uploads} == {201},
        "every upload is answered",
        f"{len(uploads)} uploads",
    )
    claims.claim(set(reads) == {200}, "no read fails", f"{len(reads)} reads: {set(reads)}")
    claims.claim(connections < 40, "no storm of connections", f"{connections} in all")
    return claims


def main() -> int:
    """Print the claims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6, help="after the failover")
    chosen = parser.parse_args()
    heading("Failover behind a stable address")
    return asyncio.run(prove(chosen.seconds)).end()


if __name__ == "__main__":
    sys.exit(main())
