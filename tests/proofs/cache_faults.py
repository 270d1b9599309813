"""The cache is broken in every way that it fails in: what others notice, what is said, what heals.

    python -m tests.proofs.cache_faults

A Redis Cluster loses a master under load, and one key is of a wrong type, among 60 ids of a page;
each kind of failure has its log line and its count; damaged values heal; a SQLite file is deleted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from redis import Redis

from service.bench.photos import variant
from service.codec.container import State, unpack
from tests.proofs.claims import Claims, heading
from tests.support.photos import encoded
from tests.support.redis_server import RedisServer, free_port, redis_cluster
from tests.support.server import Server, eventually, running_service

IDS = 60
READERS = 8
PATIENT_MS = 1000
"""So that what others notice is the fault, and not a busy machine."""
PHOTO = encoded("jpeg")
TIMEOUT_SECONDS = 30
NOTE_OF_NOTHING = b"\x08prefixel\x00\x01\x02"


def upload(client: httpx.Client, number: int) -> Any:
    """The document of a new photo."""
    answer = client.post("/v1/images", content=variant(PHOTO, number))
    answer.raise_for_status()
    return answer.json()


def client_of(server: Server) -> httpx.Client:
    """One connection."""
    return httpx.Client(base_url=server.url, timeout=TIMEOUT_SECONDS)


def page(client: httpx.Client, ids: Sequence[str]) -> list[State]:
    """What became of each id."""
    answer = client.get(f"/v1/thumbs?ids={','.join(ids)}&bytes=64")
    return [entry.state for entry in unpack(answer.content)]


def stream_key(id: str) -> str:
    """Of the default codec."""
    return f"px:{{{id}}}:prefixel"


def errors(client: httpx.Client) -> Counter[str]:
    """``prefixel_cache_errors_total`` by kind."""
    lines = client.get("/metrics").text.splitlines()
    start = 'prefixel_cache_errors_total{kind="'
    found = (line.removeprefix(start).split('"} ') for line in lines if line.startswith(start))
    return Counter({kind: int(float(count)) for kind, count in found})


async def reads(url: str, paths: Sequence[str], seconds: float) -> Counter[int]:
    """Statuses of single streams, read by some readers all along."""
    seen: Counter[int] = Counter()
    end = asyncio.get_running_loop().time() + seconds

    async def read(client: httpx.AsyncClient, first: int) -> None:
        at = first
        while asyncio.get_running_loop().time() < end:
            seen[(await client.get(paths[at % len(paths)])).status_code] += 1
            at += 1

    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT_SECONDS) as client:
        await asyncio.gather(*(read(client, n * 7) for n in range(READERS)))
    return seen


def cluster(claims: Claims, seconds: float) -> None:
    """A master is killed, and one key of the others' is somebody else's list."""
    with redis_cluster() as nodes:
        seeds = ",".join(f"127.0.0.1:{node.port}" for node in reversed(nodes))
        with (
            running_service(
                PREFIXEL_REDIS_URL=f"redis+cluster://{seeds}",
                PREFIXEL_REDIS_TIMEOUT_MS=PATIENT_MS,
            ) as server,
            client_of(server) as client,
        ):
            ids = [upload(client, n)["id"] for n in range(IDS)]
            dead = nodes[2]
            owned = dead.ask("KEYS", "*")
            lost = {id for id in ids if id.encode() in owned}
            strange = next(id for id in ids if id not in lost)
            for node in nodes[:2]:
                node.ask("DEL", stream_key(strange))
                node.ask("LPUSH", stream_key(strange), "x")
            expected = {
                id: State.UNAVAILABLE
                if id in lost
                else State.UNKNOWN
                if id == strange
                else State.OK
                for id in ids
            }
            dead.kill()
            others = [f"/v1/images/{id}/thumb.pxl?bytes=64" for id in ids if id not in lost]
            others.remove(f"/v1/images/{strange}/thumb.pxl?bytes=64")
            pages = Counter(page(client, ids) == list(expected.values()) for _ in range(20))
            claims.claim(
                pages[True] == 20,
                "of 60 ids a dead master's and one of a wrong type fail alone",
                f"{len(lost)} unavailable, 1 unknown, {IDS - len(lost) - 1} ok;"
                f" {pages[True]} of 20 pages were exactly that",
            )
            seen = asyncio.run(reads(server.url, others, seconds))
            claims.claim(set(seen) == {200}, "nobody else's read fails", f"{dict(seen)}")
            statuses = {
                id: client.get(f"/v1/images/{id}/thumb.pxl?bytes=64").status_code
                for id in (strange, next(iter(lost)))
            }
            claims.claim(
                list(statuses.values()) == [404, 503],
                "the wrong type is 404, the dead master's 503",
                f"{list(statuses.values())}",
            )
            number = ids.index(strange)
            healed = upload(client, number)
            claims.claim(
                healed["stored"] and page(client, [strange]) == [State.OK],
                "and the next upload heals the wrong type",
                f"stored: {healed['stored']}",
            )
            kinds = {line["kind"] for line in server.events("cache-failure")}
            claims.claim(
                kinds >= {"connection", "wrong-type"},
                "both are said",
                f"{sorted(kinds)}, {dict(errors(client))}",
            )


def kinds(claims: Claims) -> None:
    """Each kind of failure of a Redis server, one after the other, each on a service of its own."""

    def spoil(redis: RedisServer, id: str) -> None:
        key = stream_key(id)
        stop = int(redis.ask("STRLEN", key)[1:-2]) - 1
        redis.ask("SETRANGE", key, stop, b"!")

    def retype(redis: RedisServer, id: str) -> None:
        redis.ask("DEL", stream_key(id))
        redis.ask("LPUSH", stream_key(id), "x")

    def fill(redis: RedisServer, _: str) -> None:
        redis.ask("CONFIG", "SET", "maxmemory", "1")

    def lock(redis: RedisServer, _: str) -> None:
        redis.ask("CONFIG", "SET", "requirepass", "secret")
        with Redis(port=redis.port, password="secret") as known:
            known.client_kill_filter(_type="normal", skipme=True)

    def demote(redis: RedisServer, _: str) -> None:
        redis.ask("REPLICAOF", "127.0.0.1", free_port())

    def away(redis: RedisServer, _: str) -> None:
        redis.kill()

    def hang(redis: RedisServer, _: str) -> None:
        redis.pause()

    def reload(redis: RedisServer, _: str) -> None:
        for number in range(8000):
            other.ask("SET", number, "x" * 100)
        redis.ask("CONFIG", "SET", "key-load-delay", 300)
        redis.ask("CONFIG", "SET", "loading-process-events-interval-bytes", 1024)
        redis.ask("REPLICAOF", "127.0.0.1", other.port)
        eventually(lambda: redis.ask("GET", "x").startswith(b"-LOADING"), 10)

    def orphan(redis: RedisServer, _: str) -> None:
        redis.ask("CONFIG", "SET", "min-replicas-to-write", 1)

    faults: dict[str, Callable[[RedisServer, str], None]] = {
        "authentication": lock,
        "connection": away,
        "corrupt": spoil,
        "loading": reload,
        "out-of-memory": fill,
        "read-only": demote,
        "refused": orphan,
        "timeout": hang,
        "wrong-type": retype,
    }
    for kind, fault in faults.items():
        with (
            RedisServer(("--repl-diskless-sync-delay", "0")) as other,
            RedisServer() as redis,
            running_service(PREFIXEL_REDIS_URL=redis.url) as server,
            client_of(server) as client,
        ):
            id = upload(client, 0)["id"]
            fault(redis, id)
            before = {client.get(f"/v1/images/{id}/thumb.pxl").status_code for _ in range(8)}
            stored = upload(client, 1)["stored"]
            line = _said(server, kind)
            count = errors(client)[kind]
            opened = [one["state"] for one in server.events("cache-breaker")]
            claims.claim(
                count > 0 and 500 not in before,
                f"{kind} is said and counted",
                f"{line['cause']!r}, {count} counted, reads {sorted(before)},"
                f" upload stored: {stored}, breaker {opened}",
            )
            if kind == "timeout":
                redis.resume()


def _said(server: Server, kind: str) -> dict[str, Any]:
    """The first log line of that kind, which may be on its way."""

    def lines() -> list[dict[str, Any]]:
        return [one for one in server.events("cache-failure") if one["kind"] == kind]

    eventually(lambda: bool(lines()), 10)
    return lines()[0]


def damage(claims: Claims) -> None:
    """Notes and streams in Redis are overwritten; reads stay clean and the next upload heals."""
    with (
        RedisServer() as redis,
        running_service(PREFIXEL_REDIS_URL=redis.url) as server,
        client_of(server) as client,
    ):
        rubbish = (
            b"",
            b"x",
            b"\xff" * 60,
            b'[{"a": NaN}]',
            b"[" * 60_000,
            b"\x08prefixel\x00\x01\x02",
        )
        statuses: Counter[int] = Counter()
        healed = 0
        for number, value in enumerate(rubbish):
            image = upload(client, number)
            path = f"/v1/images/{image['id']}"
            redis.ask("SET", f"px:{{{image['id']}}}.notes", value)
            for url in (
                path,
                f"{path}/thumb.pxl?ssim=0.6",
                f"{path}/thumb.webp",
                f"{path}/thumb.pxl",
            ):
                statuses[client.get(url).status_code] += 1
            healed += upload(client, number) == image == client.get(path).json()
        claims.claim(
            not any(status >= 500 for status in statuses) and healed == len(rubbish),
            "damaged notes are absent and the next upload brings them back, the stream as it was",
            f"{dict(statuses)}, {healed} of {len(rubbish)} healed, {dict(errors(client))}",
        )
        image = upload(client, 100)
        entry = image["codecs"]["prefixel"]
        for found_by in ("read", "upload"):
            redis.ask("SETRANGE", stream_key(image["id"]), 36 + entry["bytes"] - 1, b"?")
            prefix = client.get(f"{entry['urls']['pxl']}&bytes=64").status_code
            whole = client.get(entry["urls"]["pxl"]).status_code if found_by == "read" else 404
            again = client.post("/v1/images", content=variant(PHOTO, 100))
            last = client.get(entry["urls"]["pxl"]).status_code
            claims.claim(
                (prefix, whole, again.status_code, last) == (200, 404, 201, 200),
                f"a damaged tail is found by the next {found_by} of the whole and made anew",
                f"prefix {prefix}, whole {whole}, upload {again.status_code}, then {last}",
            )


def deleted_file(claims: Claims) -> None:
    """The SQLite file is deleted under the service, and another time it is found damaged."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "streams.db"
        with running_service(PREFIXEL_STORE_PATH=str(path)) as server, client_of(server) as client:
            first = upload(client, 0)
            path.unlink()
            second = upload(client, 1)
            with contextlib.closing(sqlite3.connect(path)) as connection:
                [rows] = connection.execute("SELECT count(*) FROM entries").fetchone()
            statuses = [
                client.get(f"/v1/images/{image['id']}/thumb.pxl").status_code
                for image in (first, second)
            ]
            claims.claim(
                second["stored"] and rows > 0 and statuses == [404, 200],
                "a deleted file is made anew at the next write",
                f"stored: {second['stored']}, {rows} rows in it, reads {statuses},"
                f" mode {path.stat().st_mode & 0o777:o}; {_causes(server)}",
            )
        data = bytearray(path.read_bytes())
        data[4096:] = b"\xaa" * (len(data) - 4096)
        path.write_bytes(data)
        with running_service(PREFIXEL_STORE_PATH=str(path)) as server, client_of(server) as client:
            kept = [one.name for one in Path(folder).glob("*.damaged-*")]
            claims.claim(
                upload(client, 1)["stored"] and len(kept) == 1,
                "a damaged one is set aside at the start",
                f"{kept}; {_causes(server)}",
            )


def locked_and_full(claims: Claims) -> None:
    """Another process holds the SQLite file; and a file lies on a disk without room."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "streams.db"
        with running_service(PREFIXEL_STORE_PATH=str(path)) as server, client_of(server) as client:
            upload(client, 0)
            with contextlib.closing(sqlite3.connect(path)) as holder:
                holder.execute("BEGIN EXCLUSIVE")
                held = upload(client, 1)["stored"]
            line, count = _said(server, "busy"), errors(client)["busy"]
            claims.claim(
                count > 0,
                "busy is said and counted",
                f"{line['cause']!r}, {count} counted, upload stored: {held}",
            )
        small = Path(folder) / "small"
        small.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)]
        if subprocess.run(mount, check=False, capture_output=True).returncode:
            print("SKIP: full: only root mounts a small disk")
            return
        try:
            store = str(small / "streams.db")
            with running_service(PREFIXEL_STORE_PATH=store) as server, client_of(server) as client:
                rng = np.random.default_rng(0)
                noise = rng.integers(0, 256, (400, 32, 32, 3), dtype=np.uint8)

                def kept(pictures: NDArray[np.uint8]) -> int:
                    answers = [client.post("/v1/images", content=_png(one)) for one in pictures]
                    return sum(answer.json()["stored"] for answer in answers)

                alone = kept(noise[:300])
                with contextlib.suppress(OSError):
                    (small / "of others").write_bytes(bytes(1 << 20))
                beside = kept(noise[300:])
                said = server.events("cache-failure")
                claims.claim(
                    alone + beside == len(noise) or any(one["kind"] == "full" for one in said),
                    "on a disk without room the oldest make room, or full is said",
                    f"{alone} of 300 stored on 256 kB, {beside} of 100 after others took the rest;"
                    f" {said}",
                )
        finally:
            subprocess.run(["umount", str(small)], check=True)


def _png(picture: NDArray[np.uint8]) -> bytes:
    body = BytesIO()
    Image.fromarray(picture).save(body, "png")
    return body.getvalue()


def _causes(server: Server) -> list[str]:
    return [f"{one['kind']}: {one['cause']}" for one in server.events("cache-failure")]


def prove(seconds: float) -> Claims:
    """All of them."""
    claims = Claims()
    cluster(claims, seconds)
    kinds(claims)
    locked_and_full(claims)
    damage(claims)
    deleted_file(claims)
    return claims


def main() -> int:
    """Print the claims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4, help="of reads beside a dead master")
    chosen = parser.parse_args()
    heading("Faults of the cache")
    return prove(chosen.seconds).end()


if __name__ == "__main__":
    sys.exit(main())
