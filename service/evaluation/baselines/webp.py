"""WebP: libwebp, lossy, at its slowest method."""

from __future__ import annotations

from functools import partial

from service.evaluation.baselines import raster
from service.evaluation.baselines.base import Baseline, Parts, Pixels

_HEADERS_BYTES = 12 + 8 + 10  # RIFF, the chunk's name and length, the key frame's header


def split(data: bytes) -> Parts:
    """The two partitions of the key frame. Raises ValueError for another kind of WebP."""
    if data[:4] != b"RIFF" or data[8:16] != b"WEBPVP8 " or data[23:26] != b"\x9d\x01\x2a":
        raise ValueError("not a simple lossy WebP")
    end = 20 + int.from_bytes(data[16:20], "little")
    return Parts(data[:_HEADERS_BYTES], data[_HEADERS_BYTES:end], data[end:])


def _encode(rgb: Pixels, setting: float) -> bytes:
    return raster.write(rgb, "WEBP", quality=int(setting), method=6)


WEBP = Baseline(
    name="webp",
    title="WebP",
    settings=tuple(range(101)),
    encode=_encode,
    decode=raster.read,
    split=split,
    stripped="VP8 partitions only: no RIFF, chunk and frame headers (30 bytes)",
    version=partial(raster.version, "webp"),
)
