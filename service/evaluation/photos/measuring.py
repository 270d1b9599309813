"""Bytes and scores of one photo after another, of ours at targets and of others at settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.codec.geometry import Size
from service.codec.interface import Codec
from service.codec.pixels import Pixels
from service.evaluation.baselines import Baseline
from service.evaluation.data.pictures import squash
from service.evaluation.measure.metrics import METRICS, Metric
from service.evaluation.photos.measures import score
from service.quality.psnr import psnr

Floats = NDArray[np.float64]
TARGETS = (0.02, 0.05, 0.1, 0.15, 0.25, 0.4, 0.6, 0.9, 1.3, 1.8)
"""Bits a pixel."""
SMALL_BYTES = (256, 512, 1024)
SMALL_MEASURES = ("psnr", "ssim")


class PhotoStreams(Protocol):
    """What is asked of the codec `photo`."""

    minimum_bytes: int

    def stream(self, picture: Pixels, order: str | None = None) -> bytes:
        """The whole stream of a photo."""

    def decode_cuts(self, stream: bytes, cuts: Sequence[int]) -> Iterator[Pixels]:
        """Prefixes, painted."""


@dataclass(frozen=True)
class Points:
    """One codec over ``N`` photos: ``bpp`` [N, P] ascending, ``scores`` [N, P, measures]."""

    name: str
    title: str
    settings: tuple[float, ...]
    bpp: Floats
    scores: Floats


def measure_stream(
    codec: PhotoStreams, stream: bytes, picture: Pixels, measures: Sequence[Metric]
) -> tuple[list[int], list[list[float]]]:
    """Bytes and scores at ``TARGETS``; past its end a stream counts with its own bytes."""
    pixels = picture.shape[0] * picture.shape[1]
    wanted = (max(codec.minimum_bytes, round(target * pixels / 8)) for target in TARGETS)
    cuts = [min(cut, len(stream)) for cut in wanted]
    shown = codec.decode_cuts(stream, cuts)
    return cuts, [score(measures, picture, one) for one in shown]


def measure_files(
    baseline: Baseline, picture: Pixels, measures: Sequence[Metric]
) -> tuple[list[int], list[list[float]]]:
    """Bytes of whole files and scores at the baseline's settings."""
    files = [baseline.encode(picture, setting) for setting in baseline.settings]
    size = picture.shape[0], picture.shape[1]
    shown = (baseline.decode(file, size) for file in files)
    return [len(file) for file in files], [score(measures, picture, one) for one in shown]


def measure_steps(codec: PhotoStreams, stream: bytes, picture: Pixels, count: int) -> Floats:
    """PSNR at ``count`` lengths on a geometric grid from the shortest prefix to the whole."""
    cuts = np.geomspace(min(codec.minimum_bytes, len(stream)), len(stream), count).round()
    shown = codec.decode_cuts(stream, cuts.astype(int).tolist())
    return np.array([psnr(picture[None], one[None])[0] for one in shown])


def measure_small(
    codec: PhotoStreams, stream: bytes, thumbnails: Codec, picture: Pixels
) -> list[list[list[float]]]:
    """PSNR and SSIM at full size [SMALL_BYTES, 2 (the thumbnail scaled up, the photo), 2]."""
    measures = [METRICS[name] for name in SMALL_MEASURES]
    size = Size.of(picture)
    assert thumbnails.picture_size is not None
    small = squash(picture, thumbnails.picture_size)
    whole = thumbnails.encode([small], [size.aspect])[0].stream
    painted = thumbnails.decode([whole[:length] for length in SMALL_BYTES])
    cuts = [min(length, len(stream)) for length in SMALL_BYTES]
    pairs = zip(painted, codec.decode_cuts(stream, cuts), strict=True)
    return [
        [score(measures, picture, scaled_up(thumb, size)), score(measures, picture, photo)]
        for thumb, photo in pairs
    ]


def scaled_up(rgb: Pixels, size: Size) -> Pixels:
    """Bicubic, uint8 [H, W, 3]."""
    wanted = size.width, size.height
    return np.asarray(Image.fromarray(rgb).resize(wanted, Image.Resampling.BICUBIC))
