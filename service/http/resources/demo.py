"""/demo/compare: what other formats make of a photo in few bytes, for the page at /.

Only with ``PREFIXEL_DEMO=1``: it encodes a thumbnail some two hundred times, or a photo about a
hundred, in one of the few picture threads, and its queue is bounded as that of uploads is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.errors import ParameterError
from service.http.jobs.comparison import compare_photo, compare_thumb
from service.http.jobs.picture_threads import in_picture_thread, open_picture
from service.http.protocol.body import read_upload
from service.http.protocol.reply import JSON, json_body
from service.http.request.admission import require_upload_token, upload_slot
from service.http.request.client import while_connected
from service.pictures import Picture, sniff
from service.serving.services import services_of

router = APIRouter(include_in_schema=False)


@router.post("/demo/compare/thumb")
async def thumb(request: Request) -> Response:
    """The thumbnail itself and, by format, each size that is better than all smaller ones."""
    return await _compare(request, (), "thumb", compare_thumb)


@router.post("/demo/compare/photo")
async def photo(request: Request) -> Response:
    """The same of the photo. Raises ParameterError where no codec of photos is loaded."""
    codecs = services_of(request).codecs
    names = [name for name, codec in codecs.items() if codec.kind == "photo"]
    if not names:
        raise ParameterError("kind", "no codec of photos is loaded here", "thumb")
    return await _compare(request, names[:1], "photo", compare_photo)


async def _compare(
    request: Request,
    codecs: list[str] | tuple[()],
    kind: Literal["thumb", "photo"],
    made: Callable[..., dict[str, object]],
) -> Response:
    require_upload_token(request)
    with upload_slot(request, codecs):
        data = await read_upload(request)
        sniff(data)

        async def work() -> dict[str, object]:
            picture: Picture
            with await open_picture(request, data, codecs) as picture:
                return await in_picture_thread(request, made, picture.pixels(kind))

        content = await while_connected(request, work())
    return Response(
        json_body(content), media_type=JSON.decode(), headers={"Cache-Control": "no-store"}
    )
