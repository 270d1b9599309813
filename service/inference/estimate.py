"""How long a batch takes: a line through the last batches, the newest weighing most."""

from __future__ import annotations

import math

MEMORY_BATCHES = 16
"""A batch weighs 1/e once this many more have run: a machine that changes is followed."""

REACH = 4
"""The line is believed up to so many times the largest cost that ran lately."""

SLACK = 2
"""Beyond that, a unit of cost takes at most so many times what it is said to take."""


class RunTime:
    """Fit of ``seconds = a * cost + b`` (a, b >= 0) over the batches that ran.

    Weighted least squares over running sums, so that a batch costs the same few additions
    however many have run. Not thread-safe.
    """

    def __init__(self, unit_seconds: float = math.inf) -> None:
        """``unit_seconds`` is about what a unit of cost takes, where that is known: what a few
        small pictures took says little of one that is a thousand times larger.
        """
        self._unit_seconds = unit_seconds
        self._largest = 0.0
        self._keep = 1 - 1 / MEMORY_BATCHES
        self._weight = 0.0
        self._n = 0.0
        self._t = 0.0
        self._nn = 0.0
        self._nt = 0.0

    def add(self, cost: int, seconds: float) -> None:
        """A batch of such a cost (1 or more) took so long."""
        keep = self._keep
        self._largest = max(cost, keep * self._largest)
        self._weight = keep * self._weight + 1
        self._n = keep * self._n + cost
        self._t = keep * self._t + seconds
        self._nn = keep * self._nn + cost * cost
        self._nt = keep * self._nt + cost * seconds

    def seconds(self, cost: int) -> float:
        """What a batch of such a cost will take; 0 while none has run."""
        a, b = self._line()
        near = min(cost, REACH * self._largest)
        return a * near + b + min(a, SLACK * self._unit_seconds) * (cost - near)

    def doubt(self) -> None:
        """Halve the estimate.

        Whoever lets an estimate stop every batch calls this. An estimate that keeps everything
        from running is never put right by a run, so one stall would refuse work for ever.
        """
        self._t /= 2
        self._nt /= 2

    def _line(self) -> tuple[float, float]:
        if self._weight == 0:
            return 0.0, 0.0
        spread = self._weight * self._nn - self._n * self._n
        if spread <= 1e-9 * self._weight * self._nn:
            # One cost alone says nothing of b; a line through the origin is the careful guess
            # for larger batches.
            return self._nt / self._nn, 0.0
        a = (self._weight * self._nt - self._n * self._t) / spread
        b = (self._t - a * self._n) / self._weight
        if a < 0:
            return 0.0, self._t / self._weight
        if b < 0:
            return self._nt / self._nn, 0.0
        return a, b
