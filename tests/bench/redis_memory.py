"""What an image takes in Redis, by ``MEMORY USAGE``: ``python -m tests.bench.redis_memory``.

Thumbnails of free photos, encoded and measured by the shipped codec; each is kept as the service
keeps it, and as version 0.1 kept it, five keys an image. Means over all images, in bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import platform
from collections import defaultdict
from collections.abc import Iterator

import hiredis
import numpy as np
from redis import Redis

from service.cache import Key, RedisStore
from service.cache.breaker import Breaker
from service.cache.redis.opening import open_client
from service.cache.redis.value import pack
from service.codec.interface import Codec, Encoded, measured
from service.codec.registry import load_newest
from service.http.jobs.documents import DOCUMENT, image_id
from service.http.jobs.facts import Facts, ImageFacts, facts_of, write_facts, write_image
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.support.photos import crops
from tests.support.redis_server import RedisServer

TTL_SECONDS = 2_592_000
BATCH = 64
OWN = ImageFacts(4032, 3024, "jpeg")


def streams(codec: Codec, count: int) -> Iterator[Encoded]:
    """Of as many thumbnails, measured."""
    for at in range(0, count, BATCH):
        drawn = crops(min(BATCH, count - at), seed=at)
        pictures = [np.asarray(crop.resize((32, 32))) for crop in drawn]
        yield from measured(codec, pictures, codec.encode(pictures, [1.0] * len(pictures)))


def old_layout(redis: Redis, id: str, facts: Facts, stream: bytes) -> None:
    """As version 0.1 wrote it."""
    levels = [[one.bytes, one.ssim, one.psnr, one.msssim] for one in facts.levels]
    told = json.dumps([facts.v, facts.version, facts.total_bytes, levels, [32, 32, 32, 32]])
    own = json.dumps([OWN.width, OWN.height, OWN.format])
    for codec, value, meta in (("prefixel", stream, told), ("", b"", own)):
        redis.sadd(f"px:{{{id}}}", codec)
        redis.expire(f"px:{{{id}}}", TTL_SECONDS)
        redis.set(f"px:{{{id}}}:{codec}:meta", meta, ex=TTL_SECONDS)
        redis.set(f"px:{{{id}}}:{codec}", pack(value), ex=TTL_SECONDS)


def usage(redis: Redis) -> dict[str, float]:
    """Bytes of all keys, by what follows the id."""
    found: dict[str, float] = defaultdict(float)
    keys = list(redis.scan_iter(count=1000))
    for at in range(0, len(keys), 1000):
        pipeline = redis.pipeline(transaction=False)
        part = keys[at : at + 1000]
        for key in part:
            pipeline.memory_usage(key, samples=0)
        for key, size in zip(part, pipeline.execute(), strict=True):
            found[key.decode().partition("}")[2]] += size
    return found


async def fill(new: RedisServer, old: Redis, count: int) -> float:
    """Keep them in both; the mean length of a stream."""
    codec = load_newest(packaged_artifacts(), ["prefixel"], Runtime("cpu"))["prefixel"]
    client = open_client(new.url, 10_000, 4, lambda: Breaker(5, 1.0))
    store, total = RedisStore(client, TTL_SECONDS), 0
    for number, encoded in enumerate(streams(codec, count)):
        id = image_id(b"", (255, 255, 255), b"%d" % number)
        v = hashlib.sha256(encoded.stream).digest()[:4].hex()
        facts = facts_of(codec, encoded, v)
        await store.put(Key(id, "prefixel"), encoded.stream, write_facts(facts))
        await store.note(Key(id, DOCUMENT), write_image(OWN))
        old_layout(old, id, facts, encoded.stream)
        total += len(encoded.stream)
    await store.close()
    return total / count


def table(name: str, redis: Redis, count: int) -> None:
    """One layout, key by key."""
    found = usage(redis)
    used = redis.info("memory")["used_memory_dataset"] / count
    for suffix, size in sorted(found.items()):
        print(f"| {name} | `px:{{id}}{suffix}` | {size / count:,.0f} | |")
    keys, total = redis.dbsize() / count, sum(found.values()) / count
    print(f"| {name} | {keys:g} keys together | **{total:,.0f}** | {used:,.0f} |")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    count = parser.parse_args().images
    with RedisServer() as new, RedisServer() as before:
        clients = [Redis(port=server.port) for server in (new, before)]
        mean = asyncio.run(fill(new, clients[1], count))
        version = clients[0].info("server")["redis_version"]
        print(f"Redis {version}, {platform.machine()}, hiredis {hiredis.__version__}")
        print(f"{count:,} images, streams of {mean:.0f} bytes on average\n")
        print("| layout | key | `MEMORY USAGE`, bytes an image | `used_memory_dataset` / images |")
        print("|---|---|---|---|")
        for name, redis in zip(("0.1", "now"), reversed(clients), strict=True):
            table(name, redis, count)


if __name__ == "__main__":
    main()
