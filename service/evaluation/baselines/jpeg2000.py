"""JPEG 2000: OpenJPEG, the irreversible wavelet with the colour transform."""

from __future__ import annotations

from functools import partial

from service.evaluation.baselines import raster
from service.evaluation.baselines.base import Baseline, Parts, Pixels

_SOD = b"\xff\x93"
_EOC = b"\xff\xd9"
_HALF_DECIBELS = tuple(half / 2 for half in range(12 * 2, 50 * 2 + 1))


def split(data: bytes) -> Parts:
    """The packets of the only tile. Raises ValueError where they cannot be found."""
    box = data.find(b"jp2c")
    at = box + 4
    if box < 0 or data[at : at + 2] != b"\xff\x4f" or data[-2:] != _EOC:
        raise ValueError("not a JP2 file with its code stream last")
    at += 2
    while data[at : at + 2] != _SOD:  # marker segments of the main and the tile header
        if data[at : at + 1] != b"\xff":
            raise ValueError("a damaged JPEG 2000 header")
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return Parts(data[: at + 2], data[at + 2 : -2], _EOC)


def _encode(resolutions: int, rgb: Pixels, setting: float) -> bytes:
    return raster.write(
        rgb,
        "JPEG2000",
        quality_mode="dB",
        quality_layers=[setting],
        irreversible=True,
        mct=1,
        num_resolutions=resolutions,
    )


def _baseline(name: str, resolutions: int) -> Baseline:
    return Baseline(
        name=name,
        title=f"JPEG 2000, {resolutions} resolutions",
        settings=_HALF_DECIBELS,
        encode=partial(_encode, resolutions),
        decode=raster.read,
        split=split,
        stripped="packets only: the bytes after SOD, without boxes, main and tile header, EOC",
        version=partial(raster.version, "jpg_2000"),
        variant=resolutions != 4,
    )


JPEG2000 = (_baseline("jpeg2000", 4), _baseline("jpeg2000-3", 3))
