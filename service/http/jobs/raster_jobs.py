"""A prefix becomes a raster: decoded in a batch, painted in a thread, equal ones at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.codec.geometry import THUMB
from service.codec.header import StreamHeader, parse_header
from service.errors import CodecError
from service.http.jobs.picture_threads import in_picture_thread
from service.http.request.client import while_connected
from service.http.request.timing import submit
from service.pictures import paint
from service.serving.services import ToDecode, services_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from service.codec.interface import Codec
    from service.pictures.painting import Output
    from service.serving.services import Services

MEDIA_TYPES: dict[str, str] = {"webp": "image/webp", "png": "image/png", "jpg": "image/jpeg"}


def painter_of(services: Services, stream: bytes) -> Codec:
    """The codec that a stream's header names. Raises CodecError when it is not loaded here."""
    wire_id = parse_header(stream).wire_id
    for codec in services.codecs.values():
        if codec.wire_id == wire_id:
            return codec
    raise CodecError(f"no codec of wire id {wire_id} is loaded here")


async def raster(request: Request, stream: bytes, output: Output, size: int | None) -> bytes:
    """``stream``, any prefix, painted; with ``size`` in the aspect of its header.

    Dropped when every client that asks for it has left. The deadline is that of whoever asked
    first. Raises CodecError before anything is queued, QueueFullError, DeadlineError,
    DrainingError, InferenceError, ClientGoneError.
    """
    services = services_of(request)
    codec = painter_of(services, stream)
    header = codec.header(stream)
    aspect = header.aspect
    job = _job(stream, header, size)

    async def make() -> bytes:
        [rgb] = await submit(request, services.decoders[codec.name], [job])
        return await in_picture_thread(
            request, paint, rgb, output, size=size, aspect=None if size is None else aspect
        )

    key = ("raster", stream, output, size)
    return await while_connected(request, services.single_flight.run(key, make))


def _job(stream: bytes, header: StreamHeader, size: int | None) -> ToDecode:
    """Thumbnails are painted at their one size whatever is wanted; photos no larger than that."""
    if header.size is None:
        return ToDecode(stream, None, THUMB)
    return ToDecode(stream, size, header.size if size is None else header.size.within(size))
