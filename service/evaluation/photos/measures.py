"""What a painted photo is measured by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from service.codec.pixels import Pixels
from service.evaluation.measure.metrics import METRICS, Batch, Metric

MEASURES = ("psnr", "ssim", "ms-ssim")


def find_measures(least_side: int, *, ssimulacra2: bool) -> list[Metric]:
    """PSNR, block SSIM, MS-SSIM where the shortest side allows it, SSIMULACRA2 when asked for."""
    found = [METRICS[name] for name in MEASURES if METRICS[name].least_side <= least_side]
    return found + [SSIMULACRA2] * ssimulacra2


def score(measures: Sequence[Metric], wanted: Pixels, shown: Pixels) -> list[float]:
    """Of one pair, uint8 [H, W, 3]."""
    return [float(measure.score(wanted[None], shown[None])[0]) for measure in measures]


def _ssimulacra2(wanted: Batch, shown: Batch) -> NDArray[np.float64]:
    import ssimulacra2

    compute: Callable[[BytesIO, BytesIO], float] = ssimulacra2.compute_ssimulacra2
    pairs = zip(wanted, shown, strict=True)
    return np.array([compute(_file(a), _file(b)) for a, b in pairs], np.float64)


def _file(rgb: Pixels) -> BytesIO:
    out = BytesIO()
    Image.fromarray(rgb).save(out, "PNG", compress_level=0)
    out.seek(0)
    return out


SSIMULACRA2 = Metric("ssimulacra2", "SSIMULACRA2", _ssimulacra2, True, 8)
"""Interpolated on its own scale, as decibels are."""
