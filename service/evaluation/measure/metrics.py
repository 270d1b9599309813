"""The measures of quality that the evaluation knows, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.errors import ConfigurationError
from service.quality.ms_ssim import MS_SSIM_SIDE, ms_ssim, standard_ssim
from service.quality.psnr import PSNR_CEILING_DB, psnr
from service.quality.ssim import block_ssim

Batch = NDArray[np.uint8]


@dataclass(frozen=True)
class Metric:
    """``score`` takes originals and results, uint8 [N, H, W, 3], and gives float64 [N].

    ``in_decibels`` says whether the scores are; ``least_side`` is the shortest side, in pixels,
    that it can measure. ``both_ways`` prints -10 log10(1 - score) beside a mean score.
    """

    name: str
    title: str
    score: Callable[[Batch, Batch], NDArray[np.float64]]
    in_decibels: bool
    least_side: int
    both_ways: bool = False

    def text(self, value: float) -> str:
        """A score as tables print it: 0.768 as ``.768``, 21.77 dB as ``21.77``."""
        if self.in_decibels:
            return f"{value:.2f}"
        plain = f"{value:.3f}".removeprefix("0")
        return f"{plain} = {self.decibels(np.array(value)):.2f} dB" if self.both_ways else plain

    def gain_text(self, value: float) -> str:
        """A difference of scores with its sign: ``+.041``, ``−0.31``."""
        sign = "−" if round(value, 2 if self.in_decibels else 3) < 0 else "+"
        plain = f"{abs(value):.2f}" if self.in_decibels else f"{abs(value):.3f}".removeprefix("0")
        return sign + plain

    def decibels(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores in dB: as they are, or -10 log10(1 - score)."""
        if self.in_decibels:
            return values
        floor = 10.0 ** (-PSNR_CEILING_DB / 10)
        return np.asarray(-10 * np.log10(np.maximum(1 - values, floor)), dtype=np.float64)


METRICS = {
    metric.name: metric
    for metric in (
        Metric("ssim", "SSIM (8x8 blocks)", block_ssim, False, 8),
        Metric("psnr", "PSNR (RGB, dB)", psnr, True, 1),
        Metric("standard-ssim", "SSIM (Gaussian window)", standard_ssim, False, 11),
        Metric("ms-ssim", "MS-SSIM", ms_ssim, False, MS_SSIM_SIDE, both_ways=True),
    )
}


def find_metrics(names: Sequence[str], least_side: int) -> list[Metric]:
    """Metrics in the order asked for; ``least_side`` is the shortest side of the pictures.

    Raises ConfigurationError for a name that there is not, or pictures too small for it.
    """
    for name in names:
        if name not in METRICS:
            raise ConfigurationError(f"no metric {name!r}; there are {', '.join(METRICS)}")
        if METRICS[name].least_side > least_side:
            raise ConfigurationError(
                f"{name} needs {METRICS[name].least_side} pixels a side; a picture has {least_side}"
            )
    return [METRICS[name] for name in dict.fromkeys(names)]
