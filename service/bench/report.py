"""The table of a bench: what was measured, on what, and by what."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from service.bench.load import Outcome

PACKAGES = ("prefixel", "uvicorn", "starlette", "onnxruntime", "onnxruntime-gpu", "pillow")
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Row:
    """One route of one server under one kind of load."""

    route: str
    loop: str
    server: str
    outcome: Outcome

    def figures(self) -> dict[str, Any]:
        """For JSON: rates a second, latencies in ms (null without any answer)."""
        outcome = self.outcome
        latencies = {
            f"p{percent}_ms": None
            if not outcome.latencies
            else round(1000 * outcome.percentile(percent), 3)
            for percent in PERCENTILES
        }
        return {
            "route": self.route,
            "loop": self.loop,
            "server": self.server,
            "requests_per_second": round(outcome.rate, 2),
            **latencies,
            "statuses": {str(status): n for status, n in sorted(outcome.statuses.items())},
            "unanswered": outcome.failures,
            "seconds": round(outcome.seconds, 3),
            "client_busy": round(outcome.client_busy, 3),
        }


def machine() -> dict[str, Any]:
    """Processor, cores, load, and the versions of what was measured."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue  # of the two runtimes only one is installed
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": round(os.getloadavg()[0], 2),
        "versions": versions,
    }


def table(rows: list[Row]) -> str:
    """Markdown, a line for each row."""
    head = ("route", "loop", "server", "req/s", "p50 ms", "p95 ms", "p99 ms", "errors", "client")
    lines = [head, ("---", "---", "---", *["--:"] * 6)]
    for row in rows:
        outcome = row.outcome
        cells = [f"{1000 * outcome.percentile(percent):.2f}" for percent in PERCENTILES]
        lines.append(
            (
                row.route,
                row.loop,
                row.server,
                f"{outcome.rate:.1f}",
                *cells,
                str(outcome.errors),
                f"{outcome.client_busy:.0%}",
            )
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
