"""Photos and thumbnails at one worker: ranges, reads beside reads, uploads beside uploads.

    python -m tests.proofs.photos_serving [--seconds 5] [--stores redis,memory,sqlite]

On each store: ranges of 4 kB of photos a second; 64-byte reads of thumbnails at a fixed rate, alone
and beside 50 MB/s of photos (read by a process of its own); thumbnails uploaded alone and beside
photos that are encoded; and on the first store 100 uploads of 12 megapixels at once.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from multiprocessing.queues import SimpleQueue
from pathlib import Path

from PIL import Image

from service.bench.connection import Connection, Endpoint
from service.bench.load import closed_loop, open_loop
from service.bench.photos import variant
from service.settings import Settings
from tests.proofs.claims import Claims, heading, percentile, table
from tests.proofs.traffic import Seen, ask, statuses
from tests.proofs.watching import rss_mib, watching
from tests.support.photos import crops, encoded, mosaic
from tests.support.redis_server import RedisServer
from tests.support.server import REAL, Server, running_service

RANGES_A_SECOND = 2500
RANGE_BYTES = 4096
READS_A_SECOND, READ_BYTES = 500, 64
PHOTO_BYTES_A_SECOND = 50e6
READ_TIMES, UPLOAD_TIMES = 2, 3
THUMBNAILS, PHOTOS = 60, 4
FLOOD, FLOOD_MIB, AT_ONCE_SECONDS = 100, 1.5e9 / 2**20, 1.0
UPLOAD_SIDES = 4000, 3000
ROUNDS = 3


def photo() -> bytes:
    """A JPEG of 12 megapixels with the detail of photos."""
    width, height = UPLOAD_SIDES
    body = io.BytesIO()
    Image.fromarray(mosaic(width)[:height]).save(body, "JPEG", quality=90)
    return body.getvalue()


@contextlib.contextmanager
def service_on(store: str) -> Iterator[Server]:
    """One worker with the default codecs."""
    with contextlib.ExitStack() as stack:
        environment: dict[str, str] = {}
        if store == "redis":
            environment["PREFIXEL_REDIS_URL"] = stack.enter_context(RedisServer()).url
        elif store == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            environment["PREFIXEL_STORE_PATH"] = str(Path(folder) / "streams.sqlite")
        yield stack.enter_context(running_service(REAL, **environment))


async def uploaded(endpoint: Endpoint, file: bytes) -> tuple[str, int]:
    """The id, and the bytes of the photo's stream."""
    async with Connection(endpoint, keep=True) as connection:
        answer = await connection.ask(endpoint.request("POST", "/v1/images", file))
        assert answer.status in (200, 201), answer
        found = json.loads(answer.body)["id"]
        whole = await connection.ask(endpoint.request("GET", f"/v1/images/{found}/photo.pxl"))
        assert whole.status == 200, whole
    return found, whole.length


async def ranges(
    claims: Claims, endpoint: Endpoint, ids: list[tuple[str, int]], seconds: float
) -> None:
    """Whoever reads a photo on, 4 kB at a time."""
    draw = random.Random(1)

    def make(_: int) -> bytes:
        found, length = draw.choice(ids)
        start = draw.randrange(max(1, length - RANGE_BYTES))
        last = start + RANGE_BYTES - 1
        line = f"Range: bytes={start}-{last}"
        return endpoint.request("GET", f"/v1/images/{found}/photo.pxl", headers=(line,))

    made = iter([make(0) for _ in range(20_000)] * 20)
    rounds = [
        await closed_loop(endpoint, lambda _: next(made), connections=16, seconds=seconds)
        for _ in range(ROUNDS)
    ]
    best = max(rounds, key=lambda one: one.rate)
    claims.claim(
        best.rate >= RANGES_A_SECOND and not best.errors,
        f"ranges of {RANGE_BYTES} bytes at {RANGES_A_SECOND}/s",
        f"{best.rate:.0f}/s (p50 {1000 * best.percentile(50):.1f} ms, p99"
        f" {1000 * best.percentile(99):.1f}), all rounds"
        f" {' '.join(f'{one.rate:.0f}' for one in rounds)}, client {best.client_busy:.0%}",
    )


def read_photos(
    url: str, ids: list[tuple[str, int]], seconds: float, told: SimpleQueue[tuple[float, int]]
) -> None:
    """Whole photos, ``PHOTO_BYTES_A_SECOND`` of them; says how many bytes came a second."""
    endpoint = Endpoint.of(url)
    each = sum(length for _, length in ids) / len(ids)
    asks = [endpoint.request("GET", f"/v1/images/{found}/photo.pxl") for found, _ in ids]
    outcome = asyncio.run(
        open_loop(
            endpoint,
            lambda n: asks[n % len(asks)],
            rate=PHOTO_BYTES_A_SECOND / each,
            seconds=seconds,
            connections=64,
        )
    )
    told.put((outcome.rate * each, outcome.errors))


async def reads(claims: Claims, url: str, ids: list[tuple[str, int]], seconds: float) -> None:
    """64 bytes of thumbnails, alone and beside photos."""
    endpoint = Endpoint.of(url)
    asks = [
        endpoint.request("GET", f"/v1/images/{found}/thumb.pxl?bytes={READ_BYTES}")
        for found, _ in ids
    ]

    async def p99(seed: int) -> float:
        outcome = await open_loop(
            endpoint,
            lambda n: asks[n % len(asks)],
            rate=READS_A_SECOND,
            seconds=seconds,
            connections=64,
            seed=seed,
        )
        assert not outcome.errors, outcome.statuses
        return outcome.percentile(99)

    await p99(0)
    rows = []
    context = multiprocessing.get_context("spawn")
    for seed in range(ROUNDS):
        alone = await p99(seed)
        told: SimpleQueue[tuple[float, int]] = context.SimpleQueue()
        reader = context.Process(target=read_photos, args=(url, ids, seconds + 2, told))
        reader.start()
        await asyncio.sleep(1.5)  # until it has started
        beside = await p99(seed)
        rate, errors = await asyncio.to_thread(told.get)
        await asyncio.to_thread(reader.join)
        rows.append((alone, beside, rate, errors))
    alone, beside, rate, errors = min(rows, key=lambda row: row[1] / row[0])
    claims.claim(
        beside <= READ_TIMES * alone and rate >= 0.9 * PHOTO_BYTES_A_SECOND and not errors,
        f"{READ_BYTES}-byte reads at {READS_A_SECOND}/s beside {PHOTO_BYTES_A_SECOND / 1e6:g} MB/s"
        f" keep p99 under {READ_TIMES} times alone",
        f"p99 {1000 * alone:.2f} ms alone, {1000 * beside:.2f} beside {rate / 1e6:.1f} MB/s;"
        f" all rounds {', '.join(f'{1000 * a:.2f} {1000 * b:.2f}' for a, b, _, _ in rows)}",
    )


async def uploads(claims: Claims, endpoint: Endpoint, large: bytes, numbers: Iterator[int]) -> None:
    """A page of thumbnails uploaded, alone and beside photos."""
    small = [encoded("jpeg", crop) for crop in crops(THUMBNAILS, seed=3)]

    async def one(path: str, file: bytes, seen: list[Seen]) -> None:
        async with Connection(endpoint, keep=True) as connection:
            await ask(
                connection, "", endpoint.request("POST", path, variant(file, next(numbers))), seen
            )

    async def page() -> list[float]:
        seen: list[Seen] = []
        for file in small:
            await one("/v1/images?codecs=prefixel", file, seen)
        assert set(statuses(seen)) <= {200, 201}, statuses(seen)
        return [answer.seconds for answer in seen]

    await page()
    alone = min([percentile(await page(), 99) for _ in range(ROUNDS)])
    encoding: list[Seen] = []
    photos = [
        asyncio.create_task(one("/v1/images?codecs=photo", large, encoding)) for _ in range(PHOTOS)
    ]
    await asyncio.sleep(0.5)
    beside: list[float] = []
    while not all(task.done() for task in photos):
        beside += await page()
    await asyncio.gather(*photos)
    p99 = percentile(beside, 99)
    claims.claim(
        p99 <= UPLOAD_TIMES * alone and set(statuses(encoding)) <= {201, 503},
        f"{THUMBNAILS} thumbnails uploaded beside {PHOTOS} photos: p99 at most {UPLOAD_TIMES} times"
        " alone",
        f"p99 {1000 * alone:.1f} ms alone, {1000 * p99:.1f} beside, over {len(beside)} uploads"
        f" (p50 {1000 * percentile(beside, 50):.1f}); photos {statuses(encoding)},"
        f" longest {max(answer.seconds for answer in encoding):.1f} s",
    )


async def flood(claims: Claims, server: Server, large: bytes, numbers: Iterator[int]) -> None:
    """Far more photos at once than there is memory or time for."""
    endpoint = Endpoint.of(server.url)
    seen: list[Seen] = []
    files = [variant(large, next(numbers)) for _ in range(FLOOD)]
    before = rss_mib(server)

    async def one(file: bytes) -> None:
        async with Connection(endpoint, keep=True) as connection:
            await ask(connection, "", endpoint.request("POST", "/v1/images", file), seen)

    async with watching(server) as watch:
        await asyncio.gather(*(one(file) for file in files))
    table(
        ("answer", "requests", "p50 s", "p99 s", "longest s"),
        [
            (status, len(took), *(f"{percentile(took, p):.2f}" for p in (50, 99, 100)))
            for status in statuses(seen)
            for took in [[answer.seconds for answer in seen if answer.status == status]]
        ],
    )
    good = [answer.seconds for answer in seen if answer.status == 201]
    refused = [answer.seconds for answer in seen if answer.status == 503]
    deadline = Settings().deadline_seconds
    claims.claim(
        len(good) + len(refused) == FLOOD and bool(good) and max(good) <= deadline,
        f"{FLOOD} uploads of 12 megapixels at once: accepted in time, the rest 503",
        f"{len(good)} accepted, longest {max(good, default=0):.1f} s of {deadline:g};"
        f" {statuses(seen)}",
    )
    claims.claim(
        percentile(refused, 99) <= AT_ONCE_SECONDS,
        "503 at once",
        f"p50 {percentile(refused, 50):.2f} s, p99 {percentile(refused, 99):.2f} s",
    )
    claims.claim(
        max(watch.rss_mib) <= FLOOD_MIB,
        f"the process stays under {FLOOD_MIB:.0f} MiB",
        f"{before:.0f} before, at most {max(watch.rss_mib):.0f}",
    )
    claims.claim(
        watch.is_healthy, "probes are answered", f"slowest {1000 * watch.slowest_seconds:.0f} ms"
    )


async def prove(store: str, seconds: float, large: bytes, is_flooded: bool) -> Claims:
    """All of it on one store."""
    claims, numbers = Claims(), count(time.time_ns())
    print(f"\n{store}")
    with service_on(store) as server:
        endpoint = Endpoint.of(server.url)
        ids = [await uploaded(endpoint, variant(large, next(numbers))) for _ in range(PHOTOS)]
        print(f"streams of {', '.join(str(length) for _, length in ids)} bytes")
        await ranges(claims, endpoint, ids, seconds)
        await reads(claims, server.url, ids, seconds)
        await uploads(claims, endpoint, large, numbers)
        if is_flooded:
            await flood(claims, server, large, numbers)
    return claims


def main() -> int:
    """Print the claims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--stores", default="redis,memory,sqlite")
    chosen = parser.parse_args()
    heading("Photos served")
    stores, large = chosen.stores.split(","), photo()
    failed = Claims()
    for store in stores:
        claims = asyncio.run(prove(store, chosen.seconds, large, store == stores[0]))
        failed.failed += claims.failed
    return failed.end()


if __name__ == "__main__":
    sys.exit(main())
