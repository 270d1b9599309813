"""How many connections may be open: of all together, and of one client, so that others come in.

Past its bound the longest idle one makes room; where none is idle the new one hears why.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from service.http.request.addresses import Clients
    from service.observability.logs import LogWriter
    from service.observability.metrics import Metrics

Refusal = Literal["connections", "client-share"]
OnRefused = Callable[[Refusal], None]
FAREWELLS = 32
"""So many refused connections stay open until their client has read why; others do not wait."""
QUIET_SECONDS = 60.0


class Guest(Protocol):
    """An open connection."""

    @property
    def idle_since(self) -> float | None:
        """Since when it waits for another request; None while it does not."""
        ...

    def make_room(self) -> None:
        """Close it."""
        ...


def ignore(_refusal: Refusal) -> None:
    """Nobody watches."""


class Crowd:
    """All open connections of a process, and those of each client."""

    def __init__(
        self,
        limit: int,
        client_share: float,
        clients: Clients,
        on_refused: OnRefused = ignore,
    ) -> None:
        """``client_share`` is the part of ``limit`` that one client may have."""
        self.limit = limit
        self._client_limit = math.ceil(limit * client_share)
        self._clients = clients
        self._on_refused = on_refused
        self._guests: set[Guest] = set()
        self._by_client: dict[str, set[Guest]] = {}
        self.farewells = 0

    def enter(self, guest: Guest, host: str | None) -> Refusal | None:
        """Count a connection from this address; or why it is not taken."""
        client = None if host is None else self._clients.at(host)
        own = self._by_client.get(client, set()) if client is not None else set()
        refusal: Refusal | None = None
        if len(own) >= self._client_limit and not _make_room(own):
            refusal = "client-share"
        elif len(self._guests) >= self.limit and not _make_room(self._guests):
            refusal = "connections"
        if refusal is not None:
            self._on_refused(refusal)
            return refusal
        self._guests.add(guest)
        if client is not None:
            own.add(guest)
            self._by_client[client] = own
        return None

    def leave(self, guest: Guest, host: str | None) -> None:
        """It is closed; nothing happens for one that was refused."""
        self._guests.discard(guest)
        client = None if host is None else self._clients.at(host)
        if client is not None and (own := self._by_client.get(client)) is not None:
            own.discard(guest)
            if not own:
                del self._by_client[client]


def _make_room(guests: Collection[Guest]) -> bool:
    idle = [(guest.idle_since, guest) for guest in guests]
    waiting = [(since, guest) for since, guest in idle if since is not None]
    if not waiting:
        return False
    min(waiting, key=lambda one: one[0])[1].make_room()
    return True


def telling(log: LogWriter, metrics: Metrics, limit: int) -> OnRefused:
    """Counts refusals, and says them in the log once a minute."""
    counts: dict[Refusal, int] = {}
    quiet_until: dict[Refusal, float] = {}

    def refused(refusal: Refusal) -> None:
        metrics.rejected(refusal)
        counts[refusal] = counts.get(refusal, 0) + 1
        now = time.monotonic()
        if now >= quiet_until.get(refusal, 0.0):
            quiet_until[refusal] = now + QUIET_SECONDS
            log.event(
                "connections-refused",
                "warning",
                reason=refusal,
                refused=counts.pop(refusal),
                connections_limit=limit,
            )

    return refused
