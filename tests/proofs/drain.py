"""SIGTERM under load: whatever was accepted is answered, and well.

    python -m tests.proofs.drain [--connections 32] [--times 3]

Uploads and stateless calls come on a half of the kept connections, reads on the others; each
client opens a new one when its own was closed, until nobody listens any more. A request fails when
it was sent on a connection that had been accepted and gets no answer, or one that is none of 2xx.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from itertools import count

from service.bench.connection import Connection, Endpoint
from service.bench.photos import variant
from tests.proofs.claims import Claims, heading, table
from tests.proofs.traffic import REFUSED, Seen, ask, statuses, steady
from tests.proofs.watching import real_service
from tests.support.photos import encoded

LOAD_SECONDS = 1.5
GRACE_SECONDS = 1.0
DRAIN_SECONDS = 20.0


async def once(connections: int) -> tuple[list[Seen], float, float, int]:
    """All requests, when SIGTERM came, how long it took to end, and the exit code."""
    photo, numbers = encoded("jpeg"), count()
    with real_service(
        PREFIXEL_DRAIN_GRACE_SECONDS=GRACE_SECONDS, PREFIXEL_DRAIN_SECONDS=DRAIN_SECONDS
    ) as server:
        endpoint = Endpoint.of(server.url)

        def upload() -> bytes:
            return endpoint.request("POST", "/v1/images", variant(photo, next(numbers)))

        async with Connection(endpoint, keep=True) as connection:
            known = json.loads((await connection.ask(upload())).body)["id"]
            read = endpoint.request("GET", f"/v1/images/{known}/thumb.pxl?bytes=64")
            encode = endpoint.request("POST", "/v1/encode?bytes=64", photo)
            work, reads = {"upload": upload, "encode": lambda: encode}, {"read": lambda: read}
            seen: list[Seen] = []
            load = asyncio.gather(
                *(
                    steady(endpoint, kinds, connections // 2, asyncio.Event(), seen)
                    for kinds in (work, reads)
                )
            )
            await asyncio.sleep(LOAD_SECONDS)
            last = asyncio.create_task(ask(connection, "upload", upload(), seen))
            await asyncio.sleep(0)  # it is sent: one at least is under way
            told = time.perf_counter()
            server.terminate()
            await asyncio.gather(load, last)
        code = await asyncio.to_thread(server.wait, GRACE_SECONDS + DRAIN_SECONDS + 10)
        return seen, told, time.perf_counter() - told, code


async def prove(connections: int, times: int) -> Claims:
    """Again and again."""
    claims, rows, failed, took, codes = Claims(), [], [], [], []
    for number in range(times):
        seen, told, seconds, code = await once(connections)
        after = [one for one in seen if one.at >= told and one.status != REFUSED]
        under_way = [one for one in seen if one.at < told <= one.at + one.seconds]
        bad = [one for one in seen if one.status != REFUSED and not 200 <= one.status < 300]
        failed += bad
        took.append(seconds)
        codes.append(code)
        refused = sum(one.status == REFUSED for one in seen)
        rows.append(
            (
                number + 1,
                len(seen) - refused,
                len(under_way),
                len(after),
                len(bad),
                f"{seconds:.1f}",
            )
        )
    head = ("run", "answered", "under way at SIGTERM", "sent after it", "failed", "s to the end")
    table(head, [*rows])
    claims.claim(
        not failed,
        "no accepted request fails",
        f"{len(failed)}: {statuses(failed)} {[(one.kind, one.words) for one in failed[:3]]}",
    )
    claims.claim(
        all(row[2] and row[3] for row in rows),
        "it was under load when SIGTERM came, and requests came after it",
        "see the table",
    )
    claims.claim(
        codes == [0] * times and max(took) <= GRACE_SECONDS + DRAIN_SECONDS,
        f"it ends with 0 within {GRACE_SECONDS + DRAIN_SECONDS:g} s",
        f"codes {codes}, at most {max(took):.1f} s",
    )
    return claims


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--times", type=int, default=3)
    chosen = parser.parse_args()
    heading("SIGTERM under load")
    return asyncio.run(prove(chosen.connections, chosen.times)).end()


if __name__ == "__main__":
    sys.exit(main())
