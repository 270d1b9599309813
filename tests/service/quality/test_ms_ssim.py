"""SSIM with Gaussian windows agrees with second implementations."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from service.errors import ConfigurationError
from service.evaluation.measure.metrics import METRICS, find_metrics
from service.quality.ms_ssim import MS_SSIM_SIDE, ms_ssim, standard_ssim
from tests.support.photos import free_photos

pytest.importorskip("skimage")
pytest.importorskip("scipy")

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def noisy(photo: NDArray[np.uint8], spread: float, seed: int) -> NDArray[np.uint8]:
    """The photo darker, with noise: every term of SSIM is far from one."""
    noise = np.random.default_rng(seed).normal(-20, spread, photo.shape)
    return np.clip(0.8 * photo + noise, 0, 255).astype(np.uint8)


def windows(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Mean SSIM and mean contrast-structure of one channel, by two-dimensional convolution."""
    from scipy.signal import convolve2d

    axis = np.arange(-5, 6)
    window = np.exp(-(axis[:, None] ** 2 + axis[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(convolve2d(values, window, mode="valid"))

    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mx, my = mean(x), mean(y)
    covariance = mean(x * y) - mx * my
    structure = (2 * covariance + c2) / (mean(x * x) - mx**2 + mean(y * y) - my**2 + c2)
    light = (2 * mx * my + c1) / (mx**2 + my**2 + c1)
    return float((light * structure).mean()), float(structure.mean())


@pytest.mark.parametrize("spread", [2, 25])
def test_standard_ssim_agrees_with_plain_convolution(spread: float) -> None:
    photo = free_photos()["coffee"][40:104, 100:180]
    other = noisy(photo, spread, seed=3)
    expected = np.mean(
        [windows(photo[..., c].astype(float), other[..., c].astype(float))[0] for c in range(3)]
    )
    assert standard_ssim(photo[None], other[None])[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("height", "width"), [(161, 161), (176, 208), (163, 190)])
def test_ms_ssim_agrees_with_plain_convolution(height: int, width: int) -> None:
    photo = free_photos()["chelsea"][:height, :width]
    other = noisy(photo, 20, seed=4)
    expected = []
    for channel in range(3):
        x, y = photo[..., channel].astype(float), other[..., channel].astype(float)
        product = 1.0
        for scale, weight in enumerate(WEIGHTS):
            both, structure = windows(x, y)
            product *= (both if scale == 4 else structure) ** weight
            x, y = halved(x), halved(y)
        expected.append(product)
    assert ms_ssim(photo[None], other[None])[0] == pytest.approx(np.mean(expected), abs=1e-6)


def halved(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of 2x2, the odd last row and column repeated."""
    from skimage.transform import downscale_local_mean

    even = np.pad(x, ((0, x.shape[0] % 2), (0, x.shape[1] % 2)), mode="edge")
    return np.asarray(downscale_local_mean(even, (2, 2)))


def test_equal_pictures_score_one() -> None:
    photo = free_photos()["flower"][None, :200, :200]
    assert standard_ssim(photo, photo)[0] == pytest.approx(1)
    assert ms_ssim(photo, photo)[0] == pytest.approx(1)


def test_ms_ssim_refuses_a_picture_too_small_for_five_scales() -> None:
    small = np.zeros((1, MS_SSIM_SIDE - 1, 400, 3), np.uint8)
    with pytest.raises(ValueError, match="161"):
        ms_ssim(small, small)
    with pytest.raises(ConfigurationError, match="161"):
        find_metrics(["ssim", "ms-ssim"], least_side=160)
    assert [metric.name for metric in find_metrics(["ms-ssim"], least_side=161)] == ["ms-ssim"]


def test_scores_in_decibels() -> None:
    scores = np.array([0.0, 0.9, 0.99, 1.0])
    np.testing.assert_allclose(METRICS["ssim"].decibels(scores), [0, 10, 20, 100])
    np.testing.assert_array_equal(METRICS["psnr"].decibels(scores), scores)


def test_scores_as_they_are_printed() -> None:
    assert METRICS["ssim"].text(0.7678) == ".768"
    assert METRICS["psnr"].text(21.7704) == "21.77"
    assert METRICS["ms-ssim"].text(0.9) == ".900 = 10.00 dB"


def test_an_unknown_metric_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="'vmaf'"):
        find_metrics(["vmaf"], least_side=32)
