"""What a batcher tells whoever counts: plain callbacks, so that it knows of no metrics library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Reason = Literal["full", "delay", "idle"]
"""Why a batch was sent off: it was full; its oldest picture had waited long enough; or there was
nothing to wait for (one submit alone, or a queue that drains)."""

Drop = Literal["client", "deadline"]
"""Why pictures left the queue without a run: their waiter left, or their deadline was lost."""


def _ignore(*_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Callbacks, called in the event loop; they must be quick and must not raise.

    One that raises while a batch is sent off or told ends the batcher (``alive`` turns False).
    """

    depth: Callable[[str, int], None] = _ignore
    """(network, pictures that wait), after each change."""
    dispatched: Callable[[str, int, Reason], None] = _ignore
    """(network, pictures in the batch, why now), as it is sent off."""
    dropped: Callable[[str, int, Drop], None] = _ignore
    """(network, pictures, why), for pictures that will never run."""
    waited: Callable[[str, float], None] = _ignore
    """(network, seconds in the queue), once a submit, when its first picture is sent off."""
    ran: Callable[[str, int, float], None] = _ignore
    """(network, pictures, seconds), for each batch that succeeded."""
