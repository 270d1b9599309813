"""The peer: an application that makes and serves WebP thumbnails with Pillow, and nothing more.

    python -m service.bench.peer PORT

It runs under the same server as the service (``service.serving.server``: uvicorn, uvloop,
httptools), with as many picture threads, and keeps its thumbnails in a dict. What it has no
counterpart for (budgets, validators, digests, limits, metrics, logs) it does not do: it is the
floor.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import TYPE_CHECKING

import uvloop
from PIL import Image
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from service.codec.geometry import THUMB_SIDE
from service.inference.runtime import usable_cores
from service.serving.server import DrainingServer, listen
from service.serving.services import Lifecycle
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

QUALITY = 50


def thumbnail(data: bytes) -> bytes:
    """A photo's WebP of 32x32."""
    with Image.open(BytesIO(data)) as photo:
        photo.draft("RGB", (4 * THUMB_SIDE, 4 * THUMB_SIDE))
        small = photo.convert("RGB").resize((THUMB_SIDE, THUMB_SIDE), Image.Resampling.LANCZOS)
    body = BytesIO()
    small.save(body, "WEBP", quality=QUALITY)
    return body.getvalue()


def repaint(data: bytes) -> bytes:
    """A WebP as PNG."""
    body = BytesIO()
    with Image.open(BytesIO(data)) as small:
        small.save(body, "PNG")
    return body.getvalue()


def application(threads: int) -> Starlette:
    """The routes; pictures are computed in ``threads`` threads."""
    kept: dict[str, bytes] = {}
    executor = ThreadPoolExecutor(threads)

    async def compute(request: Request, work: Callable[[bytes], bytes]) -> bytes:
        data = await request.body()
        return await asyncio.get_running_loop().run_in_executor(executor, work, data)

    async def upload(request: Request) -> Response:
        made = await compute(request, thumbnail)
        id = hashlib.sha256(await request.body()).hexdigest()[:26]
        kept[id] = made
        return JSONResponse({"id": id, "bytes": len(made)}, 201)

    async def read(request: Request) -> Response:
        found = kept.get(request.path_params["id"])
        if found is None:
            return PlainTextResponse("unknown", 404)
        return Response(found, media_type="image/webp")

    async def many(request: Request) -> Response:
        found = [kept.get(id, b"") for id in request.query_params["ids"].split(",")]
        return Response(b"".join(len(one).to_bytes(2, "big") + one for one in found))

    async def encode(request: Request) -> Response:
        return Response(await compute(request, thumbnail), media_type="image/webp")

    async def decode(request: Request) -> Response:
        return Response(await compute(request, repaint), media_type="image/png")

    return Starlette(
        routes=[
            Route("/images", upload, methods=["POST"]),
            Route("/images/{id}/thumb.webp", read),
            Route("/thumbs", many),
            Route("/encode", encode, methods=["POST"]),
            Route("/decode", decode, methods=["POST"]),
        ]
    )


def main(port: int) -> None:
    """Serve on the loopback until told to stop."""
    settings = Settings()
    listener = listen("127.0.0.1", port)
    threads = settings.picture_threads or usable_cores()
    server = DrainingServer(application(threads), settings, Lifecycle())
    uvloop.run(server.serve([listener]))


if __name__ == "__main__":
    main(int(sys.argv[1]))
