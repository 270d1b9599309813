"""JPEG XL: libjxl, a bare code stream."""

from __future__ import annotations

from functools import partial

import numpy as np

from service.evaluation.baselines.base import Baseline, Parts, Pixels

EFFORT = 9
_SIGNATURE = b"\xff\x0a"
_SIZE_BITS = (9, 13, 18, 30)


def split(data: bytes) -> Parts:
    """What follows the signature, the size header and the image metadata.

    Raises ValueError for a container, or for metadata that are not the defaults.
    """
    if data[:2] != _SIGNATURE:
        raise ValueError("not a bare JPEG XL code stream")
    bits = int.from_bytes(data[2:20], "little")
    at = 0

    def take(count: int) -> int:
        nonlocal at
        value = bits >> at & ((1 << count) - 1)
        at += count
        return value

    small = take(1)
    take(5 if small else _SIZE_BITS[take(2)])  # height
    if take(3) == 0:  # no fixed ratio: a width too
        take(5 if small else _SIZE_BITS[take(2)])
    if not take(1) or not take(1):
        raise ValueError("a JPEG XL with metadata of its own")
    end = 2 + -(-at // 8)
    return Parts(data[:end], data[end:], b"")


def encode(effort: int, rgb: Pixels, setting: float) -> bytes:
    """A bare code stream of uint8 [H, W, 3] at a distance of 25 less the setting."""
    import imagecodecs

    encoded = imagecodecs.jpegxl_encode(
        np.ascontiguousarray(rgb),
        distance=25.0 - setting,
        effort=effort,
        usecontainer=False,
        numthreads=1,
    )
    return bytes(encoded)


def _decode(data: bytes, size: tuple[int, int]) -> Pixels:
    import imagecodecs

    rgb = np.asarray(imagecodecs.jpegxl_decode(data, numthreads=1), dtype=np.uint8)
    if rgb.shape[:2] != size:
        raise ValueError(f"the file holds {rgb.shape[:2]} pixels, not {size}")
    return rgb


def _version() -> str:
    import imagecodecs

    libraries = dict(part.rsplit("-", 1) for part in imagecodecs.version().split(", "))
    return f"imagecodecs {imagecodecs.__version__} (libjxl {libraries.get('libjxl', 'unknown')})"


JPEGXL = Baseline(
    name="jxl",
    title="JPEG XL",
    settings=tuple(round(25.0 - float(d), 3) for d in np.geomspace(25, 0.5, 48)),
    encode=partial(encode, EFFORT),
    decode=_decode,
    split=split,
    stripped="frame (header, table of contents, sections): no signature, size, image metadata",
    version=_version,
)
