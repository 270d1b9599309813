"""A prefix becomes a raster: decoded in a batch, painted in a thread, equal ones at once."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from service.codec.geometry import THUMB, Size
from service.codec.header import parse_header
from service.errors import CodecError, ParameterError
from service.http.jobs.picture_threads import in_paint_thread
from service.http.request.client import while_connected
from service.http.request.deadline import shared
from service.http.request.timing import submit
from service.inference.work_limit import Work
from service.pictures import Frame, paint, paint_photo
from service.pictures.frame import USUAL_SIDE
from service.pictures.raster_encode import PAINT_COST, PAINT_PIXEL_BYTES, Output, box
from service.pictures.sniff import instead_of_stream
from service.serving.services import ToDecode, services_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from service.codec.interface import Codec
    from service.serving.services import Services

MEDIA_TYPES: dict[Output, str] = {
    "webp": "image/webp",
    "png": "image/png",
    "jpg": "image/jpeg",
    "avif": "image/avif",
}


def painter_of(services: Services, stream: bytes) -> Codec:
    """The codec that reads a stream. Raises CodecError when its header says of none that does."""
    try:
        wire_id = parse_header(stream).wire_id
        for codec in services.codecs.values():
            if codec.wire_id == wire_id:
                codec.header(stream)
                return codec
        raise CodecError(f"no codec of wire id {wire_id} is loaded here")
    except CodecError as error:
        raise instead_of_stream(stream, error) from error


async def raster(request: Request, stream: bytes, output: Output, size: int | None) -> bytes:
    """``stream``, any prefix, painted; with ``size`` in the aspect of its header.

    Dropped when every client that asks for it has left, or had to be told 504. Raises CodecError
    before anything is queued, QueueFullError, DeadlineError, DrainingError, InferenceError,
    ClientGoneError.
    """
    services = services_of(request)
    codec = painter_of(services, stream)
    aspect = codec.header(stream).aspect
    job = ToDecode(stream, None, THUMB, THUMB)

    async def make() -> bytes:
        with services.rasters.admitted(_work(codec, job, _shown(size, aspect), output)):
            [rgb] = await submit(request, services.decoders[codec.name], [job])
            return await in_paint_thread(
                request, paint, rgb, output, size=size, aspect=None if size is None else aspect
            )

    key = ("raster", stream, output, size)
    return await while_connected(request, shared(request, key, make))


async def photo_raster(
    request: Request, prefix: bytes, output: Output, frame: Frame, quality: int | None
) -> bytes:
    """A photo's ``prefix`` as a file; decoded at the least resolution that the frame needs.

    Dropped and raising as ``raster`` does.
    """
    services = services_of(request)
    codec = painter_of(services, prefix)
    own = codec.header(prefix).size or THUMB
    for name, side in frame.sides.items():
        check_size(services, name, side)
    usual = max(services.settings.raster_sizes, default=USUAL_SIDE)
    placed = frame.placed(own, min(USUAL_SIDE, usual))
    # what is decoded is halved as long as that leaves enough
    job = ToDecode(prefix, placed.side, own.within(2 * placed.side), own)

    async def make() -> bytes:
        with services.rasters.admitted(_work(codec, job, placed.shown, output)):
            [rgb] = await submit(request, services.decoders[codec.name], [job])
            return await in_paint_thread(request, paint_photo, rgb, output, placed, quality)

    key = ("photo", hashlib.sha256(prefix).digest(), output, placed, quality)
    return await while_connected(request, shared(request, key, make))


def check_size(services: Services, name: str, side: int | None) -> None:
    """Hold a side that was asked for against those that are served. Raises ParameterError."""
    allowed = services.settings.raster_sizes
    if side is not None and allowed and side not in allowed:
        words = ", ".join(map(str, sorted(allowed)))
        raise ParameterError(name, f"'{name}' of {side} is not served here", words)


def _work(codec: Codec, job: ToDecode, shown: Size, output: Output) -> Work:
    """Of a raster, from its prefix to its file; a codec decodes one picture after the other."""
    decoding = job.painted, len(job.prefix), job.own
    return Work(
        codec.cost(*decoding) + shown.pixels * PAINT_COST[output],
        3 * job.painted.pixels + shown.pixels * PAINT_PIXEL_BYTES + len(job.prefix),
        codec.memory(*decoding),
        codec.name,
    )


def _shown(size: int | None, aspect: float) -> Size:
    """A thumbnail's raster."""
    return THUMB if size is None else Size(*box(size, aspect))
