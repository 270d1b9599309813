"""Where a request's time goes: spans into the metrics and into ``Server-Timing``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from service.http.context import Context, context_of
from service.observability.metrics import Span
from service.services import services_of

if TYPE_CHECKING:
    from starlette.requests import Request


@contextmanager
def span(request: Request, name: Span) -> Iterator[None]:
    """Time what runs inside; an exception is timed too."""
    begin = time.perf_counter()
    try:
        yield
    finally:
        add_span(request, name, time.perf_counter() - begin)


def add_span(request: Request, name: Span, seconds: float) -> None:
    """Note a time that was measured elsewhere, or on a path where a context manager costs."""
    context_of(request).spans.append((name, seconds))
    services_of(request).metrics.span(name, seconds)


def server_timing(context: Context) -> bytes:
    """Value of ``Server-Timing``: each span's sum, in ms, in the order of first appearance."""
    sums: dict[str, float] = {}
    for name, seconds in context.spans:
        sums[name] = sums.get(name, 0.0) + seconds
    return ", ".join(f"{name};dur={1000 * total:.2f}" for name, total in sums.items()).encode()
