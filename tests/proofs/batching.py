"""What batches are worth: uploads a second at 32 clients, with max_batch 64 and 1.

    python -m tests.proofs.batching [--seconds 8] [--clients 32]

The goal is three times as many; where it is less the table says why: how long a picture is in the
network alone and in a batch, and what else an upload spends time on, span by span from /metrics.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass
from itertools import count

from service.bench.connection import Endpoint
from service.bench.load import closed_loop
from service.bench.photos import variant
from tests.proofs.claims import Claims, heading, table
from tests.proofs.watching import metrics, real_service
from tests.support.codec import DEFAULT
from tests.support.photos import encoded

GOAL = 3.0
SPANS = ("queue", "picture", "network", "cache")
NAME = "prefixel_span_duration_seconds"


@dataclass(frozen=True)
class Measured:
    """Uploads a second; a picture's mean seconds in each span (network: its share of a batch)."""

    rate: float
    p99_ms: float
    errors: int
    mean_batch: float
    spans: dict[str, float]
    busy: float
    """Share of the wall time in which the network computed."""


async def measure(max_batch: int, clients: int, seconds: float, threads: int) -> Measured:
    """A service of its own under a closed loop of uploads of different pictures."""
    photo, numbers = encoded("jpeg"), count()
    with real_service(PREFIXEL_MAX_BATCH=max_batch, PREFIXEL_INFERENCE_THREADS=threads) as server:
        endpoint = Endpoint.of(server.url)

        def upload(_number: int) -> bytes:
            return endpoint.request("POST", "/v1/images", variant(photo, next(numbers)))

        await closed_loop(endpoint, upload, connections=clients, seconds=1)
        before = metrics(server.url)
        outcome = await closed_loop(endpoint, upload, connections=clients, seconds=seconds)
        after = metrics(server.url)

    def grown(name: str) -> float:
        return after.get(name, 0.0) - before.get(name, 0.0)

    pictures = grown(f"prefixel_pictures_total{{codec={DEFAULT}}}")
    batches = grown(f"prefixel_batch_size_count{{network={DEFAULT}-encode}}")
    return Measured(
        outcome.rate,
        1000 * outcome.percentile(99),
        outcome.errors,
        pictures / batches,
        {span: grown(f"{NAME}_sum{{span={span}}}") / pictures for span in SPANS},
        grown(f"{NAME}_sum{{span=network}}") / outcome.seconds,
    )


async def prove(seconds: float, clients: int, threads: int) -> Claims:
    """Both, in turn."""
    claims = Claims()
    found = {
        max_batch: await measure(max_batch, clients, seconds, threads) for max_batch in (1, 64)
    }
    table(
        (
            "max_batch",
            "uploads/s",
            "p99 ms",
            "mean batch",
            *(f"{span} ms" for span in SPANS),
            "network busy",
            "errors",
        ),
        [
            (
                max_batch,
                f"{one.rate:.1f}",
                f"{one.p99_ms:.0f}",
                f"{one.mean_batch:.1f}",
                *(f"{1000 * one.spans[span]:.2f}" for span in SPANS),
                f"{one.busy:.0%}",
                one.errors,
            )
            for max_batch, one in found.items()
        ],
    )
    single, batched = found[1], found[64]
    ratio = batched.rate / single.rate
    errors = single.errors + batched.errors
    claims.claim(errors == 0, "every upload is taken", f"{errors} errors")
    words = f"{ratio:.2f} times the uploads/s of max_batch=1"
    if ratio >= GOAL:
        claims.claim(True, f"batches are worth {GOAL:g} times", words)
    else:
        alone, shared = (1000 * one.spans["network"] for one in (single, batched))
        print(
            f"NOTE  {words}, short of {GOAL:g}. A picture takes {alone:.2f} ms of the network alone"
            f" and {shared:.2f} ms in a batch of {batched.mean_batch:.0f}, {alone / shared:.2f}"
            f" times less; the network computes {batched.busy:.0%} of the time with batches and"
            f" {single.busy:.0%} without"
        )
    claims.claim(ratio > 1, "batches are worth something", words)
    return claims


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument(
        "--threads", type=int, default=0, help="of the network; 0: as many as cores"
    )
    chosen = parser.parse_args()
    heading("Batching")
    return asyncio.run(prove(chosen.seconds, chosen.clients, chosen.threads)).end()


if __name__ == "__main__":
    sys.exit(main())
