"""Where a request's time goes: spans into the metrics and into ``Server-Timing``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from service.http.request.context import Context, context_of
from service.http.request.deadline import due_of
from service.observability.metrics import Span
from service.serving.services import services_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from service.inference import Batcher

T = TypeVar("T")
R = TypeVar("R")


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


async def submit(request: Request, batcher: Batcher[T, R], items: Sequence[T]) -> list[R]:
    """``batcher.submit``, due when the request's work is; raises what it raises.

    ``Server-Timing`` gets the whole wait as ``network``; the metrics get queue and network apart,
    from the batcher itself.
    """
    begin = time.perf_counter()
    try:
        return await batcher.submit(items, due_of(request))
    finally:
        context_of(request).spans.append(("network", time.perf_counter() - begin))


def server_timing(context: Context) -> bytes:
    """Value of ``Server-Timing``: each span's sum, in ms, in the order of first appearance."""
    sums: dict[str, float] = {}
    for name, seconds in context.spans:
        sums[name] = sums.get(name, 0.0) + seconds
    return ", ".join(f"{name};dur={1000 * total:.2f}" for name, total in sums.items()).encode()
