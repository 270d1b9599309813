"""What a picture's header says, format by format, checked before a decoder sees a byte."""

from __future__ import annotations

from service.pictures.limits import Limits
from service.pictures.probe import bmp, gif, heif, jpeg, png, tiff, webp
from service.pictures.probe.header import Header

_CHECKS = {
    "jpeg": jpeg.check,
    "png": png.check,
    "webp": webp.check,
    "gif": gif.check,
    "tiff": tiff.check,
    "bmp": bmp.check,
}


def read_header(format: str, data: bytes, limits: Limits) -> Header:
    """Check ``data`` as the format that ``sniff`` told. Raises PictureError and nothing else."""
    if format in ("avif", "heic"):
        return heif.check(data, limits, format)
    return _CHECKS[format](data, limits)


__all__ = ["Header", "read_header"]
