"""JPEG: libjpeg-turbo, with its standard tables or tables made for the picture."""

from __future__ import annotations

from functools import partial

from PIL import features

from service.evaluation.baselines import raster
from service.evaluation.baselines.base import Baseline, Parts, Pixels

_SOS = b"\xff\xda"
_EOI = b"\xff\xd9"


def split(data: bytes) -> Parts:
    """Entropy-coded data between the (only) scan's header and the end marker.

    Raises ValueError for a file that is not a sequential JPEG of one scan.
    """
    at = 2
    while data[at : at + 2] != _SOS:
        if data[at : at + 1] != b"\xff":
            raise ValueError("not a JPEG of one scan")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    if data[-2:] != _EOI or _SOS in data[at:]:
        raise ValueError("not a JPEG of one scan")
    return Parts(data[:at], data[at:-2], _EOI)


def _encode(subsampling: str, optimize: bool, rgb: Pixels, setting: float) -> bytes:
    return raster.write(
        rgb, "JPEG", quality=int(setting), subsampling=subsampling, optimize=optimize
    )


def _version() -> str:
    turbo = features.version("libjpeg_turbo")
    return f"{raster.version('jpg')}, libjpeg-turbo {turbo}"


def _baseline(name: str, subsampling: str, optimize: bool) -> Baseline:
    tables = "tables for the picture" if optimize else "standard tables"
    return Baseline(
        name=name,
        title=f"JPEG {subsampling}, {tables}",
        settings=tuple(range(101)),
        encode=partial(_encode, subsampling, optimize),
        decode=raster.read,
        split=split,
        stripped="scan data only: no markers, quantisation or Huffman tables, headers, end marker"
        + (" (the picture's own Huffman tables are not counted, to its advantage)" * optimize),
        version=_version,
        variant=optimize or subsampling != "4:2:0",
    )


JPEG = (
    _baseline("jpeg", "4:2:0", False),
    _baseline("jpeg-opt", "4:2:0", True),
    _baseline("jpeg-444", "4:4:4", False),
    _baseline("jpeg-444-opt", "4:4:4", True),
)
