"""Bodies that do not come, and clients that leave: they cost time, and nothing else.

    python -m tests.proofs.rude [--clients 1000]

Clients that leave: one batch holds the network while all others send their photos, a half of them
whole (they wait in the queue), a half in part. Then every socket is closed, before the next batch
could be sent off; so not one of these pictures may be encoded. The codec is the tests' own, which
takes as long as it is told.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import struct
import sys
import time
from itertools import count

import httpx

from service.bench.connection import Connection, Endpoint
from service.bench.photos import variant
from tests.proofs.claims import Claims, heading
from tests.proofs.watching import metrics, rss_mib, watching
from tests.support.codec import DEFAULT
from tests.support.photos import encoded
from tests.support.raw import head
from tests.support.server import Server, eventually, running_service

BODY_SECONDS = 2.0
ABORT = struct.pack("ii", 1, 0)
ENCODED = f"prefixel_pictures_total{{codec={DEFAULT}}}"
DROPPED = "prefixel_dropped_pictures_total{reason=client}"
GONE = "prefixel_client_gone_total"
DEPTH = f"prefixel_queue_depth{{network={DEFAULT}-encode}}"


def dial(server: Server) -> socket.socket:
    """A connection to the service."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


async def slow_bodies(
    claims: Claims, clients: int, rounds: int = 3, seconds: float = BODY_SECONDS
) -> None:
    """As many slow bodies as there are places, again and again."""
    with running_service(
        PREFIXEL_BODY_TIMEOUT_SECONDS=seconds, PREFIXEL_UPLOADS_LIMIT=clients
    ) as server:
        endpoint, photo = Endpoint.of(server.url), encoded("jpeg")
        before, waits, answers, busy = rss_mib(server), [], [], []

        async def slow() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            begin = time.perf_counter()
            writer.write(head("POST", "/v1/images", "Content-Length: 1000000") + photo[:100])

            async def trickle() -> None:
                while True:
                    await asyncio.sleep(0.2)
                    writer.write(b"x")

            task = asyncio.create_task(trickle())
            answers.append((await reader.readline()).decode("latin-1").split()[1])
            waits.append(time.perf_counter() - begin)
            task.cancel()
            writer.close()

        async with watching(server) as watch, Connection(endpoint) as other:
            for _ in range(rounds):
                held = [asyncio.create_task(slow()) for _ in range(clients)]
                await asyncio.sleep(seconds / 2)
                full = await other.ask(endpoint.request("POST", "/v1/images", photo))
                read = await other.ask(endpoint.request("GET", "/v1/codecs"))
                busy.append((full.status, read.status))
                await asyncio.gather(*held)
                free = await other.ask(endpoint.request("POST", "/v1/images", photo))
                busy.append((free.status, read.status))
        after = rss_mib(server)
    claims.claim(
        set(answers) == {"408"} and len(answers) == clients * rounds,
        f"slow bodies time out after {seconds:g} s",
        f"{len(answers)} of {clients * rounds}, after {min(waits):.2f} to {max(waits):.2f} s",
    )
    claims.claim(
        busy[0::2] == [(503, 200)] * rounds and all(code in (200, 201) for code, _ in busy[1::2]),
        "while they hold every place others hear 503, then their places are free",
        f"{busy}",
    )
    claims.claim(
        watch.is_healthy and after - before < 32,
        "nothing is held",
        f"health {dict(watch.health)}, {before:.0f} MiB before, {after:.0f} after",
    )


def leavers(claims: Claims, clients: int, hold_seconds: float) -> None:
    """Nothing of theirs is computed; the first batch holds the network for so long."""
    numbers, photo = count(), encoded("jpeg")
    whole = clients // 2
    with running_service(
        TEST_CODEC_DELAY_SECONDS=hold_seconds,
        PREFIXEL_UPLOADS_LIMIT=2 * clients,
        PREFIXEL_QUEUE_LIMIT=2 * clients,
        PREFIXEL_DEADLINE_SECONDS=120,
        PREFIXEL_BODY_TIMEOUT_SECONDS=120,
    ) as server:

        def depth() -> float:
            return metrics(server.url).get(DEPTH, 0.0)

        def send(share: float) -> socket.socket:
            body = variant(photo, next(numbers))
            sock = dial(server)
            request = head("POST", "/v1/images", f"Content-Length: {len(body)}") + body
            sock.sendall(request[: int(len(request) * share)])
            return sock

        holder = send(1)
        eventually(lambda: metrics(server.url).get("prefixel_batch_dispatch_total{reason=idle}"))
        began = time.monotonic()
        sockets = [send(1) for _ in range(whole)] + [send(0.7) for _ in range(clients - whole)]
        eventually(lambda: depth() == whole, hold_seconds)
        for sock in sockets:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
            sock.close()
        eventually(lambda: depth() == 0, hold_seconds)
        closed_after = time.monotonic() - began
        answer = holder.recv(65536)
        holder.close()
        answered_after = time.monotonic() - began
        eventually(lambda: metrics(server.url).get(GONE, 0) == clients, 10)
        found = metrics(server.url)
        later = httpx.post(f"{server.url}/v1/images", content=photo, timeout=60)
        still = metrics(server.url)[ENCODED]
    claims.claim(
        closed_after < answered_after and b" 201 " in answer[:20],
        "all had left before the network was free",
        f"{clients} closed after {closed_after:.1f} s, it was after {answered_after:.1f} s",
    )
    claims.claim(
        found[ENCODED] == 1, "no picture of theirs is encoded", f"{found[ENCODED]:.0f} encoded"
    )
    claims.claim(
        found.get(DROPPED) == whole,
        "those in the queue are dropped",
        f"{found.get(DROPPED, 0):.0f} of {whole}",
    )
    claims.claim(found[GONE] == clients, GONE, f"{found[GONE]:.0f} of {clients}")
    claims.claim(
        later.status_code == 201 and still == 2,
        "the service goes on",
        f"{later.status_code}, {still:.0f} encoded",
    )


def prove(clients: int) -> Claims:
    """Both."""
    claims = Claims()
    asyncio.run(slow_bodies(claims, min(clients, 64)))
    leavers(claims, clients, hold_seconds=12)
    return claims


def main() -> int:
    """Print the claims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    chosen = parser.parse_args()
    heading("Slow and gone")
    return prove(chosen.clients).end()


if __name__ == "__main__":
    sys.exit(main())
