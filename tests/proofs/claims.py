"""What proofs print: PASS and FAIL lines with their figures, and the exit code."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from service.bench.report import machine


@dataclass
class Claims:
    """Claims of one proof; each is printed as it is made."""

    failed: list[str] = field(default_factory=list)

    def claim(self, holds: bool, what: str, figures: str) -> None:
        """Print whether it holds, and what was measured."""
        print(f"{'PASS' if holds else 'FAIL'}  {what}: {figures}", flush=True)
        if not holds:
            self.failed.append(f"{what}: {figures}")

    def end(self) -> int:
        """The exit code: 1 when a claim failed."""
        print("FAIL" if self.failed else "PASS")
        return 1 if self.failed else 0


def heading(title: str) -> None:
    """What is shown, and on what."""
    where = machine()
    print(f"{title}\n{where['processor']}, {where['cores']} cores, load {os.getloadavg()[0]:.1f}")
    print(", ".join(f"{name} {number}" for name, number in where["versions"].items()) + "\n")


def table(head: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """Print Markdown."""
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")
    print(flush=True)


def percentile(values: list[float], percent: float) -> float:
    """Of values in any order; nan without any."""
    if not values:
        return float("nan")
    return sorted(values)[min(len(values) - 1, int(len(values) * percent / 100))]
