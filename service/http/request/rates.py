"""How many requests a second one client, or one token, may send: ``PREFIXEL_RATE_LIMIT``.

A request whose token holds counts for the token alone: its holders may come from many addresses,
and behind one address may be many of them. All else, wrong tokens too, counts for the client.
Counted in each process by itself, as a virtual schedule (GCRA, ITU-T I.371): one number a client.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from service.errors import RateLimitError
from service.http.request.addresses import Clients
from service.http.request.admission import bearer, holds

if TYPE_CHECKING:
    from starlette.types import Scope

    from service.settings import Settings

REMEMBERED = 65_536
FREE = frozenset(("/livez", "/readyz", "/metrics"))
"""Whoever watches the service is not a client of it."""


class Schedule:
    """When each one's next request is due, at ``rate`` a second, ``burst`` of them at once."""

    def __init__(
        self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval = 1 / rate
        self._tolerance = (burst - 1) * self._interval
        self._clock = clock
        self._due: OrderedDict[str, float] = OrderedDict()

    def take(self, who: str) -> float:
        """Count a request of theirs; the seconds that it comes too early, or 0 and it counts."""
        now = self._clock()
        due = max(self._due.get(who, now), now)
        early = due - now - self._tolerance
        if early > 0:
            return early
        self._due[who] = due + self._interval
        self._due.move_to_end(who)
        if len(self._due) > REMEMBERED:
            self._due.popitem(last=False)
        return 0.0


class Rates:
    """The bound on a request, by its token or its client."""

    def __init__(self, settings: Settings) -> None:
        """``settings.rate_limit`` is more than 0."""
        self._tokens = (*settings.upload_tokens, *settings.delete_tokens)
        self._clients = Clients(settings.trusted_proxies)
        self._schedule = Schedule(settings.rate_limit, settings.rate_burst)
        self._limit = settings.rate_limit

    def check(self, scope: Scope) -> None:
        """Count a request. Raises RateLimitError when it is one too many."""
        who = None if scope["path"] in FREE else self._who(scope)
        if who is None:
            return
        early = self._schedule.take(who)
        if early > 0:
            raise RateLimitError(f"{self._limit:g} requests a second are served", early)

    def _who(self, scope: Scope) -> str | None:
        if self._tokens:
            given = next((v for name, v in scope["headers"] if name == b"authorization"), b"")
            token = bearer(given.decode("latin-1"))
            if token is not None and holds(token, self._tokens):
                return f"token {token!r}"
        return self._clients.of(scope)
