"""Damaged photo streams, headers that promise 16 megapixels, pictures of odd sizes.

    python -m tests.proofs.photos_hostile [--cases 5000] [--seed 1]

Mutations are thrown at the codec in this process, then at a service over HTTP; 64 connections ask
for pictures of headers while another client reads thumbnails; sizes at the edges go the whole way.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import sys
import time
from collections import Counter

import numpy as np
import psutil
from PIL import Image
from rich.console import Console
from rich.progress import Progress

from service.bench.connection import Answer, Connection, Endpoint
from service.bench.load import Outcome, open_loop
from service.codec.geometry import Size
from service.codec.interface import Codec
from service.codec.photo.codec import PhotoCodec
from service.codec.photo.header import may_have_networks, pack
from service.codec.registry import load_codec
from service.errors import CodecError
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.fuzz.mutate import mutate
from tests.proofs.claims import Claims, heading
from tests.proofs.fuzz import Found, throw
from tests.proofs.traffic import LOST, Seen, ask, statuses
from tests.proofs.watching import rss_mib, watching
from tests.support.photos import crops, encoded, mosaic
from tests.support.server import REAL, Server, running_service

GROWTH_MIB = 128.0
SECONDS = 8.0
CONNECTIONS = 64
VICTIM_RATE, VICTIM_P99_SECONDS = 100, 0.25
SIZES = (Size(1, 1), Size(1, 4096), Size(4096, 1), Size(7, 5), Size(4096, 4096))
QUERIES = ("", "?format=webp", "?format=jpg&size=64", "?size=512&bytes=900")


def codec_of_photos() -> PhotoCodec:
    """The shipped one."""
    codec = load_codec(packaged_artifacts() / "photo", Runtime("cpu", threads=1))
    assert isinstance(codec, PhotoCodec)
    return codec


def seeds_of(codec: PhotoCodec) -> list[bytes]:
    """Streams of photos in each order, prefixes of them, and shapes at the edges."""
    found = []
    for number, crop in enumerate(crops(9, seed=5, size_range=(8, 300))):
        order = ("default", "psnr", "eyes")[number % 3]
        photo = np.asarray(crop)
        may = codec.has_networks and may_have_networks(Size.of(photo))
        whole = codec.stream(photo, order, networks=may and number % 2 == 0)
        found += [whole, whole[: len(whole) // 7], whole[:20]]
    return found


def in_process(claims: Claims, codec: Codec, seeds: list[bytes], cases: int, seed: int) -> None:
    """Each mutation inspected and painted: a picture of the header's size, or a CodecError."""
    seen = Counter[str]()
    slowest, before = 0.0, psutil.Process().memory_info().rss / 2**20
    failures: list[str] = []
    for number in range(cases):
        draw = random.Random(f"photo/{seed}/{number}")
        data, began = mutate(seeds, draw), time.perf_counter()
        try:
            codec.header(data)
            (shown,) = codec.decode([data], size=draw.choice((None, 40)))
            codec.inspect(data)
        except CodecError:
            seen["refused"] += 1
        except Exception as error:  # the claim: there is no other kind
            failures.append(f"{number}: {error!r}")
        else:
            seen["painted"] += 1
            if shown.ndim != 3 or shown.dtype != np.uint8:
                failures.append(f"{number}: {shown.shape}")
        slowest = max(slowest, time.perf_counter() - began)
    after = psutil.Process().memory_info().rss / 2**20
    claims.claim(
        not failures and seen.total() == cases,
        f"{cases} mutated streams in process: a picture or a CodecError",
        f"{dict(seen)}, slowest {slowest:.2f} s, {before:.0f} -> {after:.0f} MiB {failures[:5]}",
    )


def over_http(claims: Claims, server: Server, seeds: list[bytes], cases: int, seed: int) -> None:
    """The same to /v1/decode."""
    endpoint, found = Endpoint.of(server.url), Found()

    def make(number: int) -> tuple[str, bytes]:
        draw = random.Random(f"http/{seed}/{number}")
        path = f"/v1/decode{draw.choice(QUERIES)}"
        return "photo", endpoint.request("POST", path, mutate(seeds, draw))

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        asyncio.run(throw(server, make, cases, found, progress))
    warm = found.resident_mib[len(found.resident_mib) // 4 :]
    claims.claim(
        not found.failures and found.answers.total() == cases,
        f"{cases} mutated streams over HTTP: only 2xx and 4xx",
        f"{dict(sorted((s, n) for (_, s), n in found.answers.items()))} {found.failures[:5]}",
    )
    claims.claim(
        warm[-1] - warm[0] <= GROWTH_MIB and not server.events("unhandled"),
        "memory flat over the last three quarters, nothing unhandled",
        f"{warm[0]:.0f} -> {warm[-1]:.0f} MiB, most {max(warm):.0f}",
    )


async def bombs(claims: Claims, server: Server) -> None:
    """Headers of 16 megapixels and a few bytes, asked for by many at once."""
    endpoint, codec = Endpoint.of(server.url), codec_of_photos()
    head = pack(codec.wire_id, codec.version, Size(4096, 4096), 0, codec.has_networks)
    async with Connection(endpoint, keep=True) as connection:
        answer = await connection.ask(endpoint.request("POST", "/v1/images", encoded("jpeg")))
        found = json.loads(answer.body)["id"]
    thumb = endpoint.request("GET", f"/v1/images/{found}/thumb.pxl?bytes=64")

    async def victim() -> Outcome:
        return await open_loop(
            endpoint, lambda _: thumb, rate=VICTIM_RATE, seconds=SECONDS, connections=64
        )

    alone = await victim()
    seen, end = list[Seen](), time.perf_counter() + SECONDS

    async def attacker(number: int) -> None:
        draw = random.Random(number)
        async with Connection(endpoint, keep=True) as connection:
            while time.perf_counter() < end:
                query = f"?format={draw.choice(('webp', 'png', 'jpg'))}&size={4096 - number}"
                body = head + draw.randbytes(8)
                await ask(
                    connection, "", endpoint.request("POST", f"/v1/decode{query}", body), seen
                )
                await asyncio.sleep(0.05)

    before = rss_mib(server)
    async with watching(server) as watch:
        attack = asyncio.gather(*(attacker(number) for number in range(CONNECTIONS)))
        beside = await victim()
        await attack
    codes = statuses(seen)
    claims.claim(
        all(status < 500 or status == 503 for status in codes) and LOST not in codes,
        f"{CONNECTIONS} connections that ask for 16 megapixels: 2xx, 4xx, 503",
        f"{codes}, longest {max(one.seconds for one in seen):.1f} s",
    )
    claims.claim(
        beside.percentile(99) <= VICTIM_P99_SECONDS and not beside.errors,
        f"64-byte reads beside them have a p99 of at most {1000 * VICTIM_P99_SECONDS:.0f} ms",
        f"{1000 * alone.percentile(99):.1f} ms alone, {1000 * beside.percentile(99):.1f} beside;"
        f" memory {before:.0f} MiB before, at most {max(watch.rss_mib):.0f}",
    )


async def edges(claims: Claims, server: Server) -> None:
    """Upload, stream, prefix, raster."""
    endpoint, rows = Endpoint.of(server.url), list[tuple[Size, bool, str]]()
    async with Connection(endpoint, keep=True) as connection:

        async def get(path: str) -> Answer:
            return await connection.ask(endpoint.request("GET", path))

        for size in SIZES:
            picture = mosaic(max(size.width, size.height))[: size.height, : size.width]
            file, began = io.BytesIO(), time.perf_counter()
            Image.fromarray(picture).save(file, "PNG", compress_level=1)
            path = "/v1/images?codecs=photo"
            answer = await connection.ask(endpoint.request("POST", path, file.getvalue()))
            took = time.perf_counter() - began
            if answer.status != 201:
                rows.append((size, False, f"{answer.status} {answer.body[:200]!r}"))
                continue
            image = f"/v1/images/{json.loads(answer.body)['id']}"
            whole = await get(f"{image}/photo.pxl")
            cut = await get(f"{image}/photo.pxl?bytes=200")
            raster = await get(f"{image}/photo.webp?bytes=2000")
            shown = Image.open(io.BytesIO(raster.body)).size if raster.status == 200 else None
            asked = size.within(2048)  # without a size, a raster's long side is at most that
            fits = (
                whole.status == cut.status == 200
                and cut.body == whole.body[:200]
                and shown == (asked.width, asked.height)
            )
            rows.append((size, fits, f"{whole.length} bytes, {shown}, {took:.1f} s"))
    claims.claim(
        all(row[1] for row in rows),
        "sizes at the edges go the whole way",
        "; ".join(f"{size.width}x{size.height}: {words}" for size, _, words in rows),
    )


def prove(cases: int, seed: int) -> Claims:
    """All of it at one service, which takes photos of 16 megapixels."""
    claims = Claims()
    codec = codec_of_photos()
    seeds = seeds_of(codec)
    in_process(claims, codec, seeds, cases, seed)
    with running_service(
        REAL,
        PREFIXEL_PHOTO_SIDE=4096,
        PREFIXEL_DEADLINE_SECONDS=60,
        PREFIXEL_DECODE_MEMORY_BYTES=2**31,
    ) as server:
        over_http(claims, server, seeds, cases, seed)
        asyncio.run(bombs(claims, server))
        asyncio.run(edges(claims, server))
    return claims


def main() -> int:
    """Print the claims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    heading(f"Hostile photos, seed {chosen.seed}")
    return prove(chosen.cases, chosen.seed).end()


if __name__ == "__main__":
    sys.exit(main())
