"""Pictures are opened, and rasters painted, in threads apart; what waits for them is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from service.errors import QueueFullError
from service.http.request.context import context_of
from service.http.request.deadline import due_of, within_deadline
from service.http.request.timing import span
from service.serving.services import services_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from service.due import Due
    from service.observability.logs import LogWriter
    from service.pictures import Opener, Picture

P = ParamSpec("P")
T = TypeVar("T")


class BoundedExecutor(ThreadPoolExecutor):
    """``submit`` (and so ``run_in_executor``) raises QueueFullError when too much waits."""

    def __init__(self, name: str, threads: int, waiting_limit: int) -> None:
        super().__init__(threads, thread_name_prefix=name)
        self._waiting_limit = waiting_limit

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run it in a thread; a caller that cancels before its turn takes no thread."""
        waiting = self._work_queue.qsize()
        if waiting >= self._waiting_limit:
            raise QueueFullError(f"{waiting} pictures wait for a thread already")
        return super().submit(function, *args, **kwargs)


async def open_picture(
    request: Request,
    data: bytes,
    codecs: Iterable[str] = (),
    *,
    background: tuple[int, int, int] = (255, 255, 255),
) -> Picture:
    """``opener.open`` in a thread, within the deadline, logged before it begins.

    With a photo where one of ``codecs`` needs it. Whoever gets the picture releases its memory
    (``with``); one that comes too late is released.

    Raises QueueFullError, DeadlineError, and what ``Opener.open`` raises.
    """
    services = services_of(request)
    request_id = context_of(request).request_id
    needs_photo = any(services.codecs[name].kind == "photo" for name in codecs)
    call = services.picture_executor.submit(
        _open,
        services.opener,
        data,
        background,
        services.settings.photo_side if needs_photo else None,
        services.log,
        request_id,
        due_of(request),
    )
    try:
        with span(request, "picture"):
            return await within_deadline(request, asyncio.wrap_future(call))
    except BaseException:
        call.add_done_callback(_release)
        raise


def _release(call: Future[Picture]) -> None:
    """In the thread that opened it, or at once: nobody waits for this picture any more."""
    if not call.cancelled() and call.exception() is None:
        call.result().release()


def _open(
    opener: Opener,
    data: bytes,
    background: tuple[int, int, int],
    photo_side: int | None,
    log: LogWriter,
    request_id: str,
    due: Due,
) -> Picture:
    log.event_now("picture", request_id=request_id, picture_bytes=len(data))
    return opener.open(data, background=background, photo_side=photo_side, due=lambda: due.at)


async def in_picture_thread(
    request: Request, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Any other work on an upload's pixels in the same threads, within the deadline."""
    return await _in(services_of(request).picture_executor, request, function, *args, **kwargs)


async def in_paint_thread(
    request: Request, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Painting of a raster, in threads where no upload is decoded, within the deadline."""
    return await _in(services_of(request).paint_executor, request, function, *args, **kwargs)


async def _in(
    executor: ThreadPoolExecutor,
    request: Request,
    function: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    call = executor.submit(function, *args, **kwargs)
    with span(request, "picture"):
        return await within_deadline(request, asyncio.wrap_future(call))
