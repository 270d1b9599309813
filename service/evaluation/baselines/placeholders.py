"""BlurHash and ThumbHash: placeholders of one size, for context."""

from __future__ import annotations

from importlib.metadata import version

import numpy as np
from PIL import Image

from service.evaluation.baselines import thumbhash
from service.evaluation.baselines.base import Baseline, Parts, Pixels

_COMPONENTS = (4, 3)


def _whole(data: bytes) -> Parts:
    return Parts(b"", data, b"")


def _blurhash(rgb: Pixels, _: float) -> bytes:
    import blurhash

    x, y = _COMPONENTS
    return str(blurhash.encode(rgb.tolist(), components_x=x, components_y=y)).encode("ascii")


def _paint_blurhash(data: bytes, size: tuple[int, int]) -> Pixels:
    import blurhash

    return np.asarray(blurhash.decode(data.decode("ascii"), size[1], size[0]), dtype=np.uint8)


def _thumbhash(rgb: Pixels, _: float) -> bytes:
    return thumbhash.encode(rgb)


def _paint_thumbhash(data: bytes, size: tuple[int, int]) -> Pixels:
    pixels = thumbhash.decode(data)
    if pixels.shape[:2] == size:
        return pixels
    picture = Image.fromarray(pixels)
    return np.asarray(picture.resize((size[1], size[0]), Image.Resampling.BICUBIC))


PLACEHOLDERS = (
    Baseline(
        name="blurhash",
        title=f"BlurHash {_COMPONENTS[0]}x{_COMPONENTS[1]}",
        settings=(0,),
        encode=_blurhash,
        decode=_paint_blurhash,
        split=_whole,
        stripped="all of it: its characters",
        version=lambda: f"blurhash {version('blurhash')}",
        own_size=True,
    ),
    Baseline(
        name="thumbhash",
        title="ThumbHash",
        settings=(0,),
        encode=_thumbhash,
        decode=_paint_thumbhash,
        split=_whole,
        stripped="all of it: its bytes",
        version=lambda: f"thumbhash {version('thumbhash')}",
        own_size=True,
    ),
)
