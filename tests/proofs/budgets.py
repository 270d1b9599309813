"""No answer is longer than its budget: every N from the codec's minimum to the whole stream.

    python -m tests.proofs.budgets [--pictures 200]

Pictures are crops of free photos, in all upload formats in turn. Beside its length, the body of
each answer is held against the whole stream: a prefix is those very bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from service.bench.connection import Connection, Endpoint
from tests.proofs.claims import Claims, heading, table
from tests.proofs.watching import real_service
from tests.support.codec import DEFAULT
from tests.support.photos import FORMATS, uploads

CONNECTIONS = 8


@dataclass
class Found:
    """What came back, by format."""

    pictures: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    wrong: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    lengths: set[int] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)


async def ask_all(url: str, pictures: list[tuple[str, bytes]]) -> Found:
    """Every budget of every picture."""
    endpoint, found, left = Endpoint.of(url), Found(), iter(pictures)
    async with Connection(endpoint, keep=True) as connection:
        about = json.loads((await connection.ask(endpoint.request("GET", "/v1/codecs"))).body)
    [codec] = [one for one in about["codecs"] if one["name"] == DEFAULT]

    async def client() -> None:
        async with Connection(endpoint, keep=True) as connection:
            for format, data in left:
                await one_picture(connection, format, data)

    async def one_picture(connection: Connection, format: str, data: bytes) -> None:
        answer = await connection.ask(endpoint.request("POST", "/v1/images", data))
        if answer.status != 201:
            found.wrong[format].append(f"upload: {answer.status} {answer.body[:100]!r}")
            return
        document = json.loads(answer.body)
        path = f"/v1/images/{document['id']}/thumb.pxl"
        found.pictures[format] += 1
        found.ids.add(document["id"])
        whole = (await connection.ask(endpoint.request("GET", path))).body
        found.lengths.add(len(whole))
        for budget in range(codec["minimum_bytes"], len(whole) + 2):
            answer = await connection.ask(endpoint.request("GET", f"{path}?bytes={budget}"))
            found.answers[format] += 1
            length = int(answer.headers.get("content-length", -1))
            if not (
                answer.status == 200
                and 0 < length <= budget
                and length == min(budget, len(whole))
                and answer.body == whole[:budget]
            ):
                found.wrong[format].append(f"N={budget}: {answer.status}, {length} bytes")

    await asyncio.gather(*(client() for _ in range(CONNECTIONS)))
    return found


def prove(pictures: int) -> Claims:
    """Ask for everything."""
    claims = Claims()
    with real_service(PREFIXEL_LOG_LEVEL="info") as server:
        found = asyncio.run(ask_all(server.url, uploads(pictures)))
    rows = [
        (format, found.pictures[format], found.answers[format], len(found.wrong[format]))
        for format in FORMATS
    ]
    table(("format", "pictures", "answers", "wrong"), [*rows])
    wrong = [f"{format} {words}" for format, words_ in found.wrong.items() for words in words_]
    claims.claim(len(found.ids) == pictures, "different pictures", str(len(found.ids)))
    claims.claim(
        all(found.pictures[format] for format in FORMATS),
        "formats",
        ", ".join(found.pictures),
    )
    claims.claim(
        not wrong and found.answers.total() > 0,
        "Content-Length <= N, and the bytes are the stream's",
        f"{found.answers.total()} answers, streams of {sorted(found.lengths)} bytes, "
        f"{len(wrong)} wrong {wrong[:3]}",
    )
    return claims


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=200)
    chosen = parser.parse_args()
    heading("Budgets")
    return prove(chosen.pictures).end()


if __name__ == "__main__":
    sys.exit(main())
