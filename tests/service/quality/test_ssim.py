"""The evaluation's figures agree with second implementations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.quality.psnr import PSNR_CEILING_DB, psnr
from service.quality.ssim import block_ssim

Batch = NDArray[np.uint8]


def pair(n: int, height: int, width: int, noise: float, seed: int) -> tuple[Batch, Batch]:
    """A batch with some structure, and the same with noise."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 200, width)[None, None, :, None] * rng.random((n, height, 1, 3))
    a = np.clip(ramp + rng.normal(30, 15, (n, height, width, 3)), 0, 255).astype(np.uint8)
    b = np.clip(a + rng.normal(0, noise, a.shape), 0, 255).astype(np.uint8)
    return a, b


def plain_block_ssim(a: Batch, b: Batch) -> float:
    """The definition, block by block, in loops."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = []
    for top in range(0, a.shape[0] // 8 * 8, 8):
        for left in range(0, a.shape[1] // 8 * 8, 8):
            for channel in range(3):
                x = a[top : top + 8, left : left + 8, channel].astype(np.float64).ravel()
                y = b[top : top + 8, left : left + 8, channel].astype(np.float64).ravel()
                covariance = np.mean((x - x.mean()) * (y - y.mean()))
                light = (2 * x.mean() * y.mean() + c1) / (x.mean() ** 2 + y.mean() ** 2 + c1)
                found.append(light * (2 * covariance + c2) / (x.var() + y.var() + c2))
    return float(np.mean(found))


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 48), (35, 41), (8, 8), (256, 384)])
@pytest.mark.parametrize("noise", [0.5, 10, 80])
def test_block_ssim_is_its_definition(height: int, width: int, noise: float) -> None:
    a, b = pair(3, height, width, noise, seed=height)
    expected = [plain_block_ssim(x, y) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(block_ssim(a, b), expected, rtol=0, atol=1e-12)


def test_block_ssim_agrees_with_a_sliding_window_read_at_the_blocks() -> None:
    uniform_filter = pytest.importorskip("scipy.ndimage").uniform_filter
    a, b = pair(4, 32, 64, 12, seed=5)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean over each 8x8 window; of an even window scipy's centre is its fifth sample."""
        return np.asarray(uniform_filter(values, size=(1, 8, 8, 1)))[:, 4::8, 4::8]

    x, y = a.astype(np.float64), b.astype(np.float64)
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    blocks = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    np.testing.assert_allclose(block_ssim(a, b), blocks.mean(axis=(1, 2, 3)), rtol=0, atol=1e-6)


def test_psnr_agrees_with_scikit_image() -> None:
    peak_signal_noise_ratio = pytest.importorskip("skimage.metrics").peak_signal_noise_ratio
    a, b = pair(5, 40, 32, 9, seed=1)
    expected = [peak_signal_noise_ratio(x, y, data_range=255) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(psnr(a, b), expected, rtol=0, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 70), seed=st.integers(0, 99))
def test_a_picture_scores_the_same_in_any_batch(n: int, seed: int) -> None:
    a, b = pair(n, 32, 32, 20, seed)
    for metric in (block_ssim, psnr):
        alone = np.concatenate([metric(a[i : i + 1], b[i : i + 1]) for i in range(n)])
        np.testing.assert_array_equal(metric(a, b), alone)


def test_equal_pictures_score_one_and_the_ceiling() -> None:
    a, _ = pair(2, 32, 32, 1, seed=0)
    np.testing.assert_array_equal(block_ssim(a, a), 1.0)
    np.testing.assert_array_equal(psnr(a, a), PSNR_CEILING_DB)


def test_black_against_white_is_as_bad_as_it_gets() -> None:
    black = np.zeros((1, 32, 32, 3), np.uint8)
    assert psnr(black, black + np.uint8(255))[0] == 0
    assert 0 < block_ssim(black, black + np.uint8(255))[0] < 1e-3


def test_an_empty_batch_scores_nothing() -> None:
    none = np.zeros((0, 32, 32, 3), np.uint8)
    assert block_ssim(none, none).shape == psnr(none, none).shape == (0,)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (np.zeros((1, 32, 32, 3), np.uint8), np.zeros((1, 32, 24, 3), np.uint8)),
        (np.zeros((32, 32, 3), np.uint8), np.zeros((32, 32, 3), np.uint8)),
        (np.zeros((1, 32, 32, 3), np.float32), np.zeros((1, 32, 32, 3), np.float32)),
        (np.zeros((1, 32, 32, 4), np.uint8), np.zeros((1, 32, 32, 4), np.uint8)),
    ],
)
def test_what_are_not_two_batches_of_pictures_is_refused(a: Batch, b: Batch) -> None:
    for metric in (block_ssim, psnr):
        with pytest.raises(ValueError, match="not"):
            metric(a, b)


def test_a_picture_without_a_whole_block_is_refused() -> None:
    with pytest.raises(ValueError, match="no 8x8 block"):
        block_ssim(np.zeros((1, 7, 32, 3), np.uint8), np.zeros((1, 7, 32, 3), np.uint8))
