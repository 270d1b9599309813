"""The service with the tests' codec, and a few routes that only tests need; a program.

python -m tests.support.serve     (PREFIXEL_* as usual; TEST_CODEC_DELAY_SECONDS,
                                   TEST_CODEC_GATE, TEST_PHOTO_DELAY_SECONDS, TEST_POISON,
                                   TEST_VERSIONS: of each codec, the last encodes)
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import Response

from service.app import create_app
from service.codec.interface import Codec
from service.codec.versions import VersionedCodec
from service.http.jobs.picture_threads import open_picture
from service.http.protocol.body import read_upload
from service.http.request.admission import require_delete_token, require_upload_token, upload_slot
from service.http.request.client import while_connected
from service.http.request.timing import span, submit
from service.observability.exporter import listen_for_metrics
from service.observability.logs import LogWriter
from service.serving.serve import serve
from service.serving.server import listen
from service.serving.services import Lifecycle, ToEncode, services_of
from service.settings import Settings, read_settings
from tests.support.codec import GreyCodec, RawPhotoCodec

router = APIRouter(prefix="/test", include_in_schema=False)


@router.post("/length")
async def length(request: Request) -> dict[str, int]:
    """How long the upload was; with all that admission asks."""
    require_upload_token(request)
    with upload_slot(request, services_of(request).encoders):
        return {"length": len(await read_upload(request))}


@router.post("/encode")
async def encode(request: Request) -> Response:
    """A whole upload without the cache, as the real endpoints do it."""
    services = services_of(request)
    batcher = services.encoders[services.settings.default_codec]
    with upload_slot(request, [services.settings.default_codec]):
        data = await read_upload(request)

        async def work() -> bytes:
            with await open_picture(request, data) as picture:
                (encoded,) = await submit(request, batcher, [ToEncode(picture, measured=False)])
            return encoded.stream

        return Response(await while_connected(request, work()))


@router.delete("/thing")
async def delete(request: Request) -> Response:
    """Needs a delete token."""
    require_delete_token(request)
    return Response(status_code=204)


@router.get("/sleep")
async def sleep(request: Request, seconds: float = Query(ge=0, le=60)) -> Response:
    """Takes its time, while the client stays."""
    with span(request, "cache"):
        await while_connected(request, asyncio.sleep(seconds))
    return Response("slept")


@router.get("/patient")
async def patient(seconds: float = Query(ge=0, le=60)) -> Response:
    """Takes its time, and looks at nothing."""
    await asyncio.sleep(seconds)
    return Response("slept")


@router.get("/immutable")
async def immutable(request: Request) -> Response:
    """An immutable answer that has a span."""
    with span(request, "cache"):
        return Response("x", headers={"Cache-Control": "public, max-age=31536000, immutable"})


@router.get("/large")
async def large(size: int = Query(ge=0, le=2**28)) -> Response:
    """More than any socket's buffer holds."""
    return Response(bytes(size))


@router.get("/fail")
async def fail() -> Response:
    """An exception that nobody knows."""
    raise RuntimeError("a secret of the house")


@router.post("/kill-worker")
async def kill_worker(request: Request) -> Response:
    """End the first network's worker, as a crash of its feeder would."""
    batcher = next(iter(services_of(request).encoders.values()))
    assert batcher._task is not None
    batcher._task.cancel()
    return Response(status_code=204)


@router.get("/loop")
async def loop(seconds: float = Query(ge=0, le=60)) -> dict[str, float]:
    """The longest times that the event loop did not turn: on the clock, and computing.

    The second is what the service did; the first holds what a busy machine added.
    """
    worst, computed, end = 0.0, 0.0, time.monotonic() + seconds
    before, computed_before = time.monotonic(), time.thread_time()
    while before < end:
        await asyncio.sleep(0.001)
        now, computed_now = time.monotonic(), time.thread_time()
        worst = max(worst, now - before - 0.001)
        computed = max(computed, computed_now - computed_before)
        before, computed_before = now, computed_now
    return {"worst_seconds": worst, "worst_computing_seconds": computed}


def make_app(settings: Settings, log: LogWriter, lifecycle: Lifecycle) -> FastAPI:
    """The application, with the tests' codecs and routes."""
    gate = os.environ.get("TEST_CODEC_GATE")
    grey = GreyCodec(
        delay_seconds=float(os.environ.get("TEST_CODEC_DELAY_SECONDS", "0")),
        gate=Path(gate) if gate else None,
        poison="TEST_POISON" in os.environ,
    )
    numbers = [int(word) for word in os.environ.get("TEST_VERSIONS", "0").split(",")]
    codecs: dict[str, Codec] = {}
    photo = RawPhotoCodec(delay_seconds=float(os.environ.get("TEST_PHOTO_DELAY_SECONDS", "0")))
    for one in (grey, photo):
        versions = [replace(one, version=n, readable_versions=frozenset((n,))) for n in numbers]
        codecs[one.name] = versions[0] if len(versions) == 1 else VersionedCodec(versions)
    app = create_app(settings, codecs=codecs, log=log, lifecycle=lifecycle)
    app.include_router(router)
    return app


def main() -> int:
    """Serve until told to stop; 0."""
    settings = read_settings()
    scraped = listen_for_metrics(settings.metrics_port)
    return serve(settings, listen("127.0.0.1", 0), make_app, metrics_listener=scraped)


if __name__ == "__main__":
    sys.exit(main())
