"""What is known of one request while it runs; made by the border, kept in its ASGI scope."""

from __future__ import annotations

import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from service.due import Due
    from service.serving.intake import Place

SCOPE_KEY = "prefixel.context"


@dataclass(slots=True)
class Context:
    """One request: its id, when it came, when its body was here, where its time went.

    Times are seconds of ``time.monotonic``, which is the clock of the event loop.
    """

    request_id: str
    started: float = field(default_factory=time.monotonic)
    body_complete: float | None = None
    spans: list[tuple[str, float]] = field(default_factory=list)
    """(span, seconds) in the order in which they ended."""
    due: Due | None = None
    """Of the work that it began, where others may have joined that: see ``deadline``."""
    place: Place | None = None
    """Its body's, while that is in work."""
    error: str = ""
    """Slug of the problem it ended with; empty when it went well."""


def context_in(scope: MutableMapping[str, Any]) -> Context:
    """The context of a scope; made on the spot where no border runs (a bare test application)."""
    context = scope.get(SCOPE_KEY)
    if context is None:
        context = scope[SCOPE_KEY] = Context("")
    assert isinstance(context, Context)
    return context


def context_of(connection: HTTPConnection) -> Context:
    """The context of the request that is being answered."""
    return context_in(connection.scope)
