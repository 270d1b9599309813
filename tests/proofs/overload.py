"""Ten times more uploads than the service can do: what it takes is in time, the rest hears no.

    python -m tests.proofs.overload [--seconds 15] [--times 10]

Arrivals are Poisson and do not wait for answers. Health is asked, and memory looked at, all along.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from itertools import count

from service.bench.connection import Endpoint
from service.bench.load import closed_loop
from service.bench.photos import variant
from service.settings import Settings
from tests.proofs.claims import Claims, heading, percentile, table
from tests.proofs.traffic import flood, statuses
from tests.proofs.watching import metrics, real_service, rss_mib, watching
from tests.support.photos import encoded

AT_ONCE_SECONDS = 0.5
HEALTH_SECONDS = 2.0
GROWTH_MIB = 256.0


async def prove(seconds: float, times: float, able_seconds: float = 4) -> Claims:
    """Measure what it can do for ``able_seconds``, then ask for more."""
    claims, photo, numbers = Claims(), encoded("jpeg"), count()
    deadline = Settings().deadline_seconds
    with real_service() as server:
        endpoint = Endpoint.of(server.url)

        def upload() -> bytes:
            return endpoint.request("POST", "/v1/images", variant(photo, next(numbers)))

        for able_for in (able_seconds / 4, able_seconds):
            able = await closed_loop(endpoint, lambda _: upload(), connections=32, seconds=able_for)
        before = rss_mib(server)
        async with watching(server) as watch:
            seen = await flood(endpoint, upload, times * able.rate, seconds)
        after = rss_mib(server)
        again = await closed_loop(endpoint, lambda _: upload(), connections=8, seconds=1)
        found = metrics(server.url)
    good = [one.seconds for one in seen if one.status < 400]
    refused = [one for one in seen if one.status == 503]
    waits = [one.seconds for one in refused]
    offered = len(seen) / seconds
    print(f"capacity {able.rate:.1f} uploads/s, offered {offered:.1f}/s for {seconds:g} s\n")
    table(
        ("answer", "requests", "p50 s", "p99 s", "longest s"),
        [
            (status, len(took), *(f"{percentile(took, p):.3f}" for p in (50, 99, 100)))
            for status in statuses(seen)
            for took in [[one.seconds for one in seen if one.status == status]]
        ],
    )
    claims.claim(
        offered >= 0.9 * times * able.rate, f"{times:g} times the capacity", f"{offered:.0f}/s"
    )
    others = {status: n for status, n in statuses(seen).items() if status not in (200, 201, 503)}
    claims.claim(not others, "only 201 and 503", f"others: {others}")
    claims.claim(
        max(good, default=0) <= deadline,
        f"what is accepted keeps its deadline of {deadline:g} s",
        f"{len(good)} accepted ({len(good) / seconds:.1f}/s), longest {max(good, default=0):.2f} s",
    )
    claims.claim(
        bool(refused) and all(one.has_retry_after for one in refused),
        "every 503 has Retry-After",
        f"{sum(one.has_retry_after for one in refused)} of {len(refused)}",
    )
    claims.claim(
        percentile(waits, 99) <= AT_ONCE_SECONDS,
        "503 comes at once",
        f"p50 {percentile(waits, 50):.3f} s, p99 {percentile(waits, 99):.3f} s",
    )
    claims.claim(
        watch.is_healthy and watch.slowest_seconds <= HEALTH_SECONDS,
        "health stays green",
        f"{dict(watch.health)}, slowest {watch.slowest_seconds:.2f} s",
    )
    claims.claim(
        max(watch.rss_mib) - before <= GROWTH_MIB,
        f"memory grows no more than {GROWTH_MIB:.0f} MiB",
        f"{before:.0f} MiB before, at most {max(watch.rss_mib):.0f}, {after:.0f} after",
    )
    claims.claim(
        again.errors == 0 and again.rate > 0,
        "afterwards all is taken again",
        f"{again.rate:.1f} uploads/s, {again.errors} errors",
    )
    rejected = found.get("prefixel_rejected_total{reason=queue-full}", 0)
    claims.claim(rejected == len(refused), "rejected_total counts them", f"{rejected:.0f}")
    return claims


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--times", type=float, default=10)
    chosen = parser.parse_args()
    heading("Overload")
    return asyncio.run(prove(chosen.seconds, chosen.times)).end()


if __name__ == "__main__":
    sys.exit(main())
