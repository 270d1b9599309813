"""Many bodies and many connections of one client: others come through, and it hears why not.

    python -m tests.proofs.crowding

128 requests without a token trickle into every route that asks for none, while a holder of a token
uploads; 128 uploads of one address trickle, where no tokens are asked for, while another address
uploads; three times as many connections come as ``ulimit -n`` allows; and one client asks without
end where ``PREFIXEL_RATE_LIMIT`` is set.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import httpx

from service.bench.photos import variant
from tests.proofs.claims import Claims, heading, percentile, table
from tests.proofs.watching import watching
from tests.support.photos import encoded
from tests.support.raw import head
from tests.support.server import FAKE, Server, running_service

TRICKLERS = 128
TRICKLE_SECONDS = 1.0
UPLOADS = 40
OPEN_FILES = 256
CONNECTIONS = 3 * OPEN_FILES
ATTACKER, VICTIM = "127.0.0.2", "127.0.0.3"
Answers = Counter[str]


async def trickle(server: Server, path: str, source: str, answers: Answers) -> None:
    """One body, a byte now and then, until it is answered; then the next."""
    while True:
        with suppress(OSError, TimeoutError):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", server.port, local_addr=(source, 0)
            )
            writer.write(head("POST", path, "Content-Length: 100000"))
            line = asyncio.ensure_future(reader.readline())
            try:
                while not line.done():
                    writer.write(b"x")
                    await asyncio.wait((line,), timeout=TRICKLE_SECONDS)
                answers[line.result().decode()[9:12] or "cut"] += 1
            finally:
                line.cancel()
                writer.close()
        await asyncio.sleep(0.1)


@asynccontextmanager
async def trickling(
    server: Server, paths: Sequence[str], source: str = "127.0.0.1"
) -> AsyncIterator[Answers]:
    """As many as there are places; what they hear is counted."""
    answers: Answers = Counter()
    tasks = [
        asyncio.create_task(trickle(server, paths[n % len(paths)], source, answers))
        for n in range(TRICKLERS)
    ]
    await asyncio.sleep(2)
    try:
        yield answers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def upload(
    server: Server, headers: Mapping[str, str], source: str
) -> tuple[Counter[int], list[float]]:
    """Statuses and seconds of a victim's uploads, one after the other."""
    statuses: Counter[int] = Counter()
    took, photo = [], encoded("jpeg")
    transport = httpx.AsyncHTTPTransport(local_address=source)
    async with httpx.AsyncClient(transport=transport, timeout=30) as client:
        for n in range(UPLOADS):
            begin = time.perf_counter()
            answer = await client.post(
                server.url + "/v1/images", content=variant(photo, n), headers=headers
            )
            took.append(time.perf_counter() - begin)
            statuses[answer.status_code] += 1
            await asyncio.sleep(0.05)
    return statuses, took


def post_first(server: Server, headers: Mapping[str, str]) -> int:
    """What the first upload of a process imports is not the attack's doing."""
    photo = encoded("png")
    return httpx.post(server.url + "/v1/images", content=photo, headers=headers).status_code


async def prove_bodies(claims: Claims) -> None:
    """Both kinds of trickling."""
    rows = []
    token = {"Authorization": "Bearer held"}
    public = ("/v1/decode", "/v1/thumbs")
    cases = (
        ("nobody", {"PREFIXEL_UPLOAD_TOKENS": "held"}, (), token, "127.0.0.1"),
        ("without a token", {"PREFIXEL_UPLOAD_TOKENS": "held"}, public, token, "127.0.0.1"),
        ("one address", {"PREFIXEL_TRUSTED_PROXIES": "none"}, ("/v1/images",), {}, ATTACKER),
    )
    for name, environment, paths, headers, source in cases:
        victim = VICTIM if source == ATTACKER else "127.0.0.1"
        with running_service(**environment) as server:
            first = await asyncio.to_thread(post_first, server, headers)
            assert first == 201, first
            if paths:
                async with trickling(server, paths, source) as answers:
                    statuses, took = await upload(server, headers, victim)
            else:
                answers = Counter()
                statuses, took = await upload(server, headers, victim)
        rows.append(
            (
                name,
                dict(answers),
                dict(statuses),
                f"{1e3 * percentile(took, 50):.0f}",
                f"{1e3 * percentile(took, 99):.0f}",
            )
        )
        claims.claim(
            set(statuses) <= {200, 201},
            f"every upload of the victim is taken while {name} trickles",
            f"{dict(statuses)}",
        )
    table(("who trickles", "hears", "the victim hears", "p50 ms", "p99 ms"), rows)


async def first_status(server: Server) -> str:
    """Of a connection that asks at once and stays, or why it was cut."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head("GET", "/test/patient?seconds=3"))
        async with asyncio.timeout(20):
            line = await reader.readline()
        writer.close()
    except OSError as error:
        return type(error).__name__
    return line.decode()[9:12] or "cut"


async def prove_open_files(claims: Claims) -> None:
    """More connections than files may be open, all of them busy."""
    with running_service(("prlimit", f"--nofile={OPEN_FILES}", *FAKE)) as server:
        limit = server.first("listening")["connections_limit"]
        said = server.events("connections-limited")
        answers = Counter(await asyncio.gather(*(first_status(server) for _ in range(CONNECTIONS))))
        async with httpx.AsyncClient(timeout=10) as client:
            alive = (await client.get(server.url + "/livez")).status_code
        refused = server.events("connections-refused")
    claims.claim(bool(said), f"ulimit -n {OPEN_FILES}: said at the start", f"{limit} connections")
    claims.claim(
        answers["200"] >= limit and set(answers) <= {"200", "503"},
        f"of {CONNECTIONS} busy connections the surplus hears 503, nobody is reset",
        f"{dict(answers)}",
    )
    claims.claim(
        len(refused) == 1 and alive == 200,
        "one line of the log says it, and the service answers afterwards",
        f"{len(refused)} line, /livez {alive}",
    )


async def prove_rates(claims: Claims) -> None:
    """One client without end, another now and then."""
    limits = {"PREFIXEL_RATE_LIMIT": 20, "PREFIXEL_RATE_BURST": 20}
    with running_service(PREFIXEL_TRUSTED_PROXIES="none", **limits) as server:
        heard: dict[str, Counter[int]] = {ATTACKER: Counter(), VICTIM: Counter()}

        async def ask(source: str, pause: float) -> None:
            transport = httpx.AsyncHTTPTransport(local_address=source)
            async with httpx.AsyncClient(transport=transport) as client:
                while time.monotonic() < end:
                    answer = await client.get(server.url + "/v1/codecs")
                    heard[source][answer.status_code] += 1
                    if answer.status_code == 429:
                        assert answer.headers["retry-after"] == "1"
                    await asyncio.sleep(pause)

        end = time.monotonic() + 5
        async with watching(server) as watch:
            await asyncio.gather(*(ask(ATTACKER, 0) for _ in range(8)), ask(VICTIM, 0.1))
    greedy, other = heard[ATTACKER], heard[VICTIM]
    claims.claim(
        greedy[200] <= 125 and greedy[429] > 0 and set(other) == {200} and watch.is_healthy,
        "20 requests a second for 5 s: the rest hears 429 with Retry-After, others nothing of it",
        f"{dict(greedy)}; another client {dict(other)}",
    )


def main() -> int:
    """Print the tables."""
    heading("Crowding")
    claims = Claims()
    asyncio.run(prove_bodies(claims))
    asyncio.run(prove_open_files(claims))
    asyncio.run(prove_rates(claims))
    return claims.end()


if __name__ == "__main__":
    sys.exit(main())
