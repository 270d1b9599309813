"""Streams made and painted in this process, by the installed codecs."""

from __future__ import annotations

import io
import os
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.codec.header import parse_header
from service.codec.registry import encoding_of, load_codecs, names_by_wire_id
from service.errors import CodecError, ParameterError
from service.inference import Runtime
from service.pictures import Limits, Opener
from service.settings import read_settings

if TYPE_CHECKING:
    from service.codec.interface import Codec

Photo = str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8]
"""A file's path, a file's bytes, a picture, or uint8 [H, W, 3]."""


def encode(
    photo: Photo, *, bytes: int | None = None, bpp: float | None = None, codec: str = ""
) -> bytes:
    """The stream of a photo, or the longest prefix of at most ``bytes`` or ``bpp`` bits a pixel.

    ``codec`` is "prefixel" (thumbnails, the default), "photo" or another that is installed. Files
    are opened as the service opens them: upright, opaque, sRGB, shrunk to PREFIXEL_PHOTO_SIDE.
    Raises ParameterError for a budget without a picture, ConfigurationError for no such codec,
    PictureError for what is not a picture, OSError for a file that cannot be read.
    """
    settings = read_settings()
    chosen = _codec(codec or settings.default_codec)
    is_photo = chosen.kind == "photo"
    with opener().open(
        read(photo), photo_side=settings.photo_side if is_photo else None
    ) as picture:
        [encoded] = chosen.encode([picture.pixels(chosen.kind)], [picture.aspect])
    size = chosen.header(encoded.stream).size
    budgets = [] if bytes is None else [bytes]
    if bpp is not None:
        if size is None:
            raise ParameterError("bpp", f"{chosen.name} makes thumbnails, which have bytes alone")
        budgets.append(int(bpp * size.pixels / 8))
    budget = min(budgets, default=len(encoded.stream))
    if budget < chosen.minimum_bytes:
        raise ParameterError("bytes", f"{chosen.name} needs {chosen.minimum_bytes} bytes or more")
    return encoded.stream[:budget]


def decode(stream: bytes, *, size: int | None = None) -> NDArray[np.uint8]:
    """What any prefix of a stream paints: uint8 [H, W, 3].

    A photo has its own size, or with ``size`` the smallest that the codec paints with at least that
    long side. Raises CodecError for what is no stream of an installed codec.
    """
    settings, wire_id = read_settings(), parse_header(stream).wire_id
    name = names_by_wire_id(settings.artifacts(), settings.codecs).get(wire_id)
    if name is None:
        raise CodecError(f"no codec of wire id {wire_id} is installed")
    [rgb] = _codec(name).decode([stream], size)
    return rgb


def read(photo: Photo) -> bytes:
    """The bytes of a file. Raises OSError, ValueError for an array of another shape."""
    if isinstance(photo, bytes):
        return photo
    if isinstance(photo, (str, os.PathLike)):
        return Path(photo).read_bytes()
    if isinstance(photo, np.ndarray):
        if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
            raise ValueError(f"an array is uint8 [H, W, 3], not {photo.dtype} {photo.shape}")
        photo = Image.fromarray(photo)
    body = io.BytesIO()
    photo.save(body, "PNG", compress_level=1)
    return body.getvalue()


@lru_cache(1)
def opener() -> Opener:
    """What opens photos, within the environment's limits."""
    settings = read_settings()
    return Opener(
        Limits(
            pixel_limit=settings.pixel_limit,
            scan_limit=settings.scan_limit,
            decode_memory_bytes=settings.decode_memory_bytes,
        )
    )


@lru_cache
def _codec(name: str) -> Codec:
    settings = read_settings()
    runtime = Runtime(settings.device, settings.inference_threads)
    how = encoding_of(settings)
    return load_codecs(settings.artifacts(), [name], runtime, how)[name]
