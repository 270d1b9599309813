"""Uploads that take long to decode, against readers of painted thumbnails.

    python -m tests.proofs.painting [--uploads 60] [--seconds 15]

PNGs of 64 megapixels come on so many connections at once, each connection sending another as soon
as it is answered, while eight clients read ``thumb.webp``, each time of another length or size, so
that every read is decoded and painted. A reader waits for processor time, never for a picture.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import struct
import sys
from collections.abc import Callable
from itertools import count

from service.bench.connection import Connection, Endpoint
from tests.proofs.claims import Claims, heading, percentile, table
from tests.proofs.traffic import Seen, statuses, steady
from tests.proofs.watching import real_service
from tests.support.photos import encoded, plain_png

SIDE = 8000
READERS = 8
READ_LIMIT_SECONDS = 2.0


async def load(uploads: int, seconds: float) -> tuple[list[Seen], list[Seen]]:
    """Reads and uploads; the reads end while uploads still come."""
    png, numbers, turns = plain_png(SIDE), count(), count()
    with real_service() as server:
        endpoint = Endpoint.of(server.url)
        async with Connection(endpoint, keep=True) as connection:
            answer = await connection.ask(endpoint.request("POST", "/v1/images", encoded("jpeg")))
            known = json.loads(answer.body)["id"]

        def upload() -> bytes:
            return endpoint.request("POST", "/v1/images", png + struct.pack(">I", next(numbers)))

        def read() -> bytes:
            turn = next(turns)
            query = f"bytes={24 + turn % 40}&size={33 + turn // 40}"
            return endpoint.request("GET", f"/v1/images/{known}/thumb.webp?{query}")

        async def run(kinds: dict[str, Callable[[], bytes]], clients: int) -> list[Seen]:
            seen: list[Seen] = []
            stop = asyncio.Event()
            asyncio.get_running_loop().call_later(seconds, stop.set)
            await steady(endpoint, kinds, clients, stop, seen)
            return seen

        uploading = asyncio.create_task(run({"upload": upload}, uploads))
        await asyncio.sleep(1)
        reads = await run({"read": read}, READERS)
        return reads, await uploading


async def prove(uploads: int, seconds: float) -> Claims:
    """Under that load, what readers and uploads are told."""
    claims = Claims()
    reads, sent = await load(uploads, seconds)
    rows: list[tuple[object, ...]] = []
    for kind, seen in (("thumb.webp", reads), ("upload of 64 megapixels", sent)):
        took = [one.seconds for one in seen]
        rows.append(
            (kind, len(seen), statuses(seen), f"{percentile(took, 50):.2f}", f"{max(took):.2f}")
        )
    table(("what", "requests", "by status", "p50 s", "longest s"), rows)
    claims.claim(
        set(statuses(reads)) == {200}, "every read is painted", f"{statuses(reads)} of {len(reads)}"
    )
    slowest = percentile([one.seconds for one in reads], 99)
    claims.claim(
        slowest < READ_LIMIT_SECONDS,
        f"readers wait less than {READ_LIMIT_SECONDS:g} s (p99)",
        f"{slowest:.2f} s",
    )
    claims.claim(
        set(statuses(sent)) <= {201, 503, 504} and statuses(sent).get(201, 0) > 0,
        "uploads are done, or told that they are too many",
        str(statuses(sent)),
    )
    return claims


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uploads", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=15.0)
    chosen = parser.parse_args()
    heading("Readers beside uploads of 64 megapixels")
    return asyncio.run(prove(chosen.uploads, chosen.seconds)).end()


if __name__ == "__main__":
    sys.exit(main())
