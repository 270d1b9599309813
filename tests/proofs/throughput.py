"""Cached reads from one worker beside a bare Starlette route, on the same Redis in the same run.

    python -m tests.proofs.throughput [--seconds 10] [--rounds 3] [--requests 100000]

The goal on two cores: 2,500 requests/s, p99 under 40 ms at 16 connections, 0.6 of the bare route;
and memory flat over 100,000 requests. ``tests.bench.hot_path`` holds the servers and the load
(wrk). Rates mean something on a machine that does nothing else: the load is printed.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.bench import hot_path
from tests.bench.hot_path import Load, Target
from tests.proofs.claims import Claims, heading, table
from tests.proofs.watching import metrics
from tests.support.redis_server import RedisServer

RATE = 2500.0
P99_MS = 40.0
RATIO = 0.6
GROWTH_MIB = 8.0
SLICE_SECONDS = 4


def memory(target: Target, requests: int) -> tuple[list[tuple[int, float]], int]:
    """(requests so far, resident MiB) until so many were made; and how many failed."""
    seen, done, failed = [(0, target.process.memory_info().rss / 2**20)], 0, 0
    while done < requests:
        found = hot_path.load(target, SLICE_SECONDS)
        done += int(found.rate * SLICE_SECONDS)
        failed += found.errors
        seen.append((done, target.process.memory_info().rss / 2**20))
    return seen, failed


def prove(seconds: int, rounds: int, requests: int) -> Claims:
    """Measure by turns, then look at the memory."""
    claims = Claims()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(RedisServer())
        asyncio.run(hot_path.prepare(redis.url))
        bare = stack.enter_context(hot_path.starlette(redis.url, folder / "peer.log"))
        ours = stack.enter_context(hot_path.prefixel(redis.url, folder / "service.log"))
        runs: dict[str, list[Load]] = {"starlette": [], "prefixel": []}
        for _ in range(rounds):
            runs["starlette"].append(hot_path.load(bare, seconds))
            runs["prefixel"].append(hot_path.load(ours, seconds))
        seen, failed = memory(ours, requests)
        found_metrics = metrics(ours.url[: ours.url.index("/v1/")])
    middle = {
        name: {
            field: statistics.median(getattr(one, field) for one in found)
            for field in ("rate", "p50_ms", "p99_ms", "cpu_us")
        }
        for name, found in runs.items()
    }
    table(
        ("route", "req/s", "p50 ms", "p99 ms", "cpu µs a request", "errors"),
        [
            (
                name,
                f"{figures['rate']:.0f}",
                f"{figures['p50_ms']:.2f}",
                f"{figures['p99_ms']:.2f}",
                f"{figures['cpu_us']:.0f}",
                sum(one.errors for one in runs[name]),
            )
            for name, figures in middle.items()
        ],
    )
    table(("requests", "resident MiB"), [(count, f"{mib:.1f}") for count, mib in seen])
    found = middle["prefixel"]
    ratio = found["rate"] / middle["starlette"]["rate"]
    warm = next(mib for count, mib in seen if count >= requests / 10)
    errors = failed + sum(one.errors for one in runs["prefixel"])
    claims.claim(found["rate"] >= RATE, f">= {RATE:.0f} requests/s", f"{found['rate']:.0f}")
    claims.claim(found["p99_ms"] < P99_MS, f"p99 < {P99_MS:.0f} ms", f"{found['p99_ms']:.2f} ms")
    claims.claim(ratio >= RATIO, f">= {RATIO} of the bare route", f"{ratio:.2f}")
    refused = {
        name: int(value)
        for name, value in found_metrics.items()
        if name.startswith("prefixel_rejected_total") or name.endswith("{result=error}")
    }
    claims.claim(errors == 0, "every answer is good", f"{errors} were not; {refused}")
    claims.claim(
        seen[-1][1] - warm <= GROWTH_MIB,
        f"memory flat over {seen[-1][0]} requests",
        f"{warm:.1f} MiB after the first tenth, {seen[-1][1]:.1f} at the end",
    )
    return claims


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="of one run of wrk")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each; the median counts")
    parser.add_argument("--requests", type=int, default=100_000, help="for the memory")
    chosen = parser.parse_args()
    heading("Throughput")
    return prove(chosen.seconds, chosen.rounds, chosen.requests).end()


if __name__ == "__main__":
    sys.exit(main())
