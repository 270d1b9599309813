"""A circuit breaker: a backend that keeps failing is left alone for a while.

closed --failures in a row--> open --seconds--> half open: one probe
  ^                            ^                    |
  +--------- it answers -------|--------------------+
                               +----- it fails -----+
"""

from __future__ import annotations

import time
from collections.abc import Callable

from service.cache.store import OnEvent, ignore
from service.errors import CacheUnavailableError

PROBE = -1
"""The ticket of the one call that tries an open breaker's backend."""


class BreakerOpenError(CacheUnavailableError):
    """The backend was not asked at all."""


class Breaker:
    """Opens after ``failures`` in a row, for ``seconds``; belongs to one event loop.

    In a row is one after the other: calls that were under way together when one of them failed
    are one failure, else a single hiccup under load would open it.

    Each ``admit`` is followed by exactly one of ``answered``, ``failed`` and ``left``, which is
    handed the ticket that ``admit`` returned.
    """

    def __init__(
        self,
        failures: int,
        seconds: float,
        on_event: OnEvent = ignore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = failures
        self._seconds = seconds
        self._on_event = on_event
        self._clock = clock
        self._failures = 0
        # A ticket says after how many failures its call began; failures from before do not count.
        self._ticket = 0
        self._open_until: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether calls are refused, but for a probe."""
        return self._open_until is not None

    def admit(self) -> int:
        """Let a call, or a probe, through. Raises BreakerOpenError at once, or not at all."""
        if self._open_until is None:
            return self._ticket
        if self._probing or self._clock() < self._open_until:
            raise BreakerOpenError("the cache has failed repeatedly and is left to recover")
        self._probing = True
        return PROBE

    def answered(self, ticket: int) -> None:
        """The backend answered, be it with an error: there is nothing to be protected from."""
        self._failures = 0
        if ticket == PROBE:
            self._probing = False
        if self._open_until is not None:
            self._open_until = None
            self._on_event("breaker_closed")

    def failed(self, ticket: int) -> None:
        """The backend did not answer."""
        if ticket == PROBE:
            self._probing = False
            self._open_until = self._clock() + self._seconds
        elif self._open_until is None and ticket == self._ticket:
            self._ticket += 1
            self._failures += 1
            if self._failures >= self._limit:
                self._open_until = self._clock() + self._seconds
                self._on_event("breaker_open")

    def left(self, ticket: int) -> None:
        """The caller went away before an answer: that says nothing, but frees the probe."""
        if ticket == PROBE:
            self._probing = False

    def retire(self) -> None:
        """The backend is gone for good: nothing is open any more."""
        self.answered(self._ticket)
