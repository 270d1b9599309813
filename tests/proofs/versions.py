"""Two versions of every codec on one Redis, while the later one is rolled out.

    python -m tests.proofs.versions [--photos 24]

Two processes: one has the shipped artifacts alone, one has another version of each beside them.
What either answers for the other's streams, and what becomes of streams that both make at once.
"""

from __future__ import annotations

import argparse
import base64
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from service.bench.photos import variant
from service.codec.container import UNAVAILABLE, unpack
from tests.proofs.claims import Claims, heading
from tests.support.photos import encoded
from tests.support.redis_server import RedisServer
from tests.support.server import FAKE, REAL, running_service
from tests.support.versions import two_versions

SHIPPED = ("prefixel", "photo")
TIMEOUT_SECONDS = 60
PATIENT = {"PREFIXEL_REDIS_TIMEOUT_MS": 2000, "PREFIXEL_PHOTO_REDIS_TIMEOUT_MS": 2000}
"""A busy machine is no reason for a stream not to be kept."""


@contextmanager
def real_servers(redis: str) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """The service itself: with the shipped artifacts, and with a later version beside each."""
    with tempfile.TemporaryDirectory() as folder:
        both, old = Path(folder) / "both", Path(folder) / "old"
        old.mkdir()
        for name in SHIPPED:
            two_versions(name, both)
            [earlier] = both.glob(f"{name}.*")
            (old / name).symlink_to(earlier)
        with (
            running_service(
                REAL, PREFIXEL_REDIS_URL=redis, PREFIXEL_ARTIFACTS_PATH=str(old), **PATIENT
            ) as first,
            running_service(
                REAL, PREFIXEL_REDIS_URL=redis, PREFIXEL_ARTIFACTS_PATH=str(both), **PATIENT
            ) as second,
            httpx.Client(base_url=first.url, timeout=TIMEOUT_SECONDS) as one,
            httpx.Client(base_url=second.url, timeout=TIMEOUT_SECONDS) as other,
        ):
            yield one, other


@contextmanager
def small_servers(redis: str) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """The same with the tests' codecs."""
    with (
        running_service(FAKE, PREFIXEL_REDIS_URL=redis, TEST_VERSIONS="1", **PATIENT) as first,
        running_service(FAKE, PREFIXEL_REDIS_URL=redis, TEST_VERSIONS="1,2", **PATIENT) as second,
        httpx.Client(base_url=first.url, timeout=TIMEOUT_SECONDS) as one,
        httpx.Client(base_url=second.url, timeout=TIMEOUT_SECONDS) as other,
    ):
        yield one, other


def prove(
    old: httpx.Client, new: httpx.Client, redis: RedisServer, codecs: Sequence[str], photos: int
) -> Claims:
    """All claims; ``codecs`` are a codec of thumbnails and one of photos."""
    claims, photo = Claims(), encoded("jpeg")
    asked = {"codecs": ",".join(codecs)}

    def upload(client: httpx.Client, number: int) -> Any:
        answer = client.post("/v1/images", params=asked, content=variant(photo, number))
        answer.raise_for_status()
        return answer.json()

    def entries(document: Any) -> list[Any]:
        return [document["codecs"][codec] for codec in codecs]

    def urls(document: Any) -> list[str]:
        return [url for entry in entries(document) for url in entry["urls"].values()]

    first = upload(old, 0)
    before = [entry["version"] for entry in entries(first)]
    answers = [new.get(url) for url in urls(first)]
    claims.claim(
        all(answer.status_code == 200 for answer in answers),
        "the new server reads and paints what the old one made",
        f"{len(answers)} URLs, versions {before}, {Counter(one.status_code for one in answers)}",
    )
    again = upload(new, 0)
    claims.claim(
        again == first and upload(old, 0) == first,
        "and an upload to the new one leaves it, so that ?v= stays",
        ", ".join(entry["v"] for entry in entries(again)),
    )
    second = upload(new, 1)
    after = [entry["version"] for entry in entries(second)]
    claims.claim(
        all(one == other + 1 for one, other in zip(after, before, strict=True)),
        "the new server encodes the later version",
        f"versions {after}",
    )
    document = f"/v1/images/{second['id']}"
    streams = [entry["urls"]["pxl"] for entry in entries(second)]
    reads = [document, *urls(second), *(f"{url}&bytes=64" for url in streams)]
    refused = [old.get(url) for url in reads]
    refused += [old.get(url, headers={"range": "bytes=20-40"}) for url in streams]
    kinds = {(one.status_code, one.json().get("type")) for one in refused}
    claims.claim(
        kinds == {(404, "urn:prefixel:problem:stream-gone")},
        "the old server says stream-gone of it",
        f"{len(refused)} requests: {kinds}",
    )
    many = old.get("/v1/thumbs", params={"ids": second["id"], "bytes": 64, "codec": codecs[0]})
    claims.claim(unpack(many.content) == (UNAVAILABLE,), "and unavailable among many", "1 id")
    mine = upload(old, 1)
    claims.claim(
        mine["stored"] is False and [entry["version"] for entry in entries(mine)] == before,
        "its upload is not kept, with the streams inline",
        f"versions {[entry['version'] for entry in entries(mine)]}",
    )
    inline = [base64.b64decode(entry["stream"]) for entry in entries(mine)]
    painted = [client.post("/v1/decode", content=one) for one in inline for client in (old, new)]
    claims.claim(
        all(answer.status_code == 200 for answer in painted),
        "which both decode",
        f"{len(inline)} streams",
    )
    claims.claim(
        upload(new, 1) == second and all(new.get(url).status_code == 200 for url in urls(second)),
        "and every URL of the new server's document still holds",
        f"{len(urls(second))} URLs",
    )
    with ThreadPoolExecutor(8) as pool:
        numbers = [n for n in range(2, 2 + photos) for _ in range(2)]
        clients = [old, new] * photos
        documents = list(pool.map(upload, clients, numbers))
    wrong, kept = 0, 0
    for one in documents:
        if not one["stored"]:
            continue
        kept += 1
        wrong += any(new.get(entry["urls"]["pxl"]).status_code != 200 for entry in entries(one))
    claims.claim(
        wrong == 0 and kept >= photos,
        "of photos that both encode at once, no URL that was handed out as stored is lost",
        f"{photos} photos, {kept} of {len(documents)} answers stored, {wrong} lost",
    )
    versions = [entry["version"] for one in documents if one["stored"] for entry in entries(one)]
    claims.claim(
        True,
        "who was first",
        f"{versions.count(before[0])} streams of the old version,"
        f" {versions.count(after[0])} of the new; {redis.ask('DBSIZE')[1:-2].decode()} keys",
    )
    return claims


def main() -> int:
    """Print the claims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=24, help="encoded by both at once")
    chosen = parser.parse_args()
    heading("Two versions of the codecs on one cache")
    with RedisServer() as redis, real_servers(redis.url) as (old, new):
        return prove(old, new, redis, SHIPPED, chosen.photos).end()


if __name__ == "__main__":
    sys.exit(main())
