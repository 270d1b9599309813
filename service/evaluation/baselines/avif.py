"""AVIF: libavif with libaom's still-picture tuning."""

from __future__ import annotations

from functools import partial

from service.evaluation.baselines import raster
from service.evaluation.baselines.base import Baseline, Parts, Pixels

SPEED = 4
_TEMPORAL_DELIMITER = 2
_SEQUENCE_HEADER = 1


def split(data: bytes) -> Parts:
    """The media data box's content. Raises ValueError when there is not exactly one, at the end."""
    at = 0
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if kind == b"mdat" and at + length == len(data):
            return Parts(data[: at + 8], data[at + 8 :], b"")
        if length < 8:
            break
        at += length
    raise ValueError("not an AVIF whose last box is its media data")


def split_frame(data: bytes) -> Parts:
    """The same without the temporal delimiter and the sequence header in front of the frame.

    Raises ValueError when the media data are not open bitstream units with lengths.
    """
    head, payload, tail = split(data)
    at = 0
    while payload[at] >> 3 & 15 in (_TEMPORAL_DELIMITER, _SEQUENCE_HEADER):
        if payload[at] & 0b110 != 0b010 or payload[at + 1] > 127:
            raise ValueError("not a short unit with a length field")
        at += 2 + payload[at + 1]
    return Parts(head + payload[:at], payload[at:], tail)


def encode(subsampling: str, speed: int, rgb: Pixels, setting: float) -> bytes:
    """The whole file of uint8 [H, W, 3] at a quality of 0..100, with libaom's default tune."""
    return raster.write(rgb, "AVIF", quality=int(setting), subsampling=subsampling, speed=speed)


def _baseline(name: str, subsampling: str, frame_only: bool) -> Baseline:
    return Baseline(
        name=name,
        title=f"AVIF {subsampling}" + ", frame unit only" * frame_only,
        settings=tuple(range(5, 101, 3)),
        encode=partial(encode, subsampling, SPEED),
        decode=raster.read,
        split=split_frame if frame_only else split,
        stripped="the frame unit: no boxes, temporal delimiter, sequence header (12 bytes here)"
        if frame_only
        else "content of mdat: no boxes, but with the sequence header",
        version=partial(raster.version, "avif"),
        variant=frame_only,
    )


AVIF = (
    _baseline("avif", "4:4:4", False),
    _baseline("avif-420", "4:2:0", False),
    _baseline("avif-frame", "4:4:4", True),
    _baseline("avif-420-frame", "4:2:0", True),
)
