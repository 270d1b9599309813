"""Errors that a search asks for: their values, and slopes against differences."""

from __future__ import annotations

import numpy as np
import pytest

from service.quality.ms_ssim import ms_ssim
from service.quality.slopes import ms_ssim_slope, seen_slope
from service.quality.windows import doubled, halved, inside, outside
from tests.support.photos import mosaic

WEIGHTS = np.random.default_rng(5).random((3, 6, 2, 3), np.float32)


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray]:
    """A photo of odd sides and a worse one, float32 [3, H, W]."""
    photo = mosaic(512)[:177, :191].transpose(2, 0, 1).astype(np.float32)
    noise = np.random.default_rng(1).standard_normal(photo.shape).astype(np.float32)
    return np.ascontiguousarray(photo), photo * np.float32(0.9) + 12 + 5 * noise


def test_the_value_is_that_of_ms_ssim(pair) -> None:
    photo, shown = (np.ascontiguousarray(one[:, :176, :176]) for one in pair)
    shown = np.clip(np.rint(shown), 0, 255)
    theirs = ms_ssim(*(one.transpose(1, 2, 0)[None].astype(np.uint8) for one in (photo, shown)))
    assert ms_ssim_slope(photo, shown)[0] == pytest.approx(theirs[0], abs=1e-5)


def test_equal_pictures_have_no_errors(pair) -> None:
    assert ms_ssim_slope(pair[0], pair[0])[0] == pytest.approx(1, abs=1e-6)
    assert seen_slope(pair[0], pair[0], WEIGHTS)[0] == pytest.approx(0, abs=1e-2)


@pytest.mark.parametrize("which", ["similar", "seen"])
def test_slopes_foretell_differences(pair, which: str) -> None:
    photo, shown = pair
    draw = np.random.default_rng(2)

    def judged(picture: np.ndarray) -> tuple[float, np.ndarray]:
        if which == "similar":
            return ms_ssim_slope(photo, picture)
        return seen_slope(photo, picture, WEIGHTS)

    _, slope = judged(shown)
    for direction in (slope / np.abs(slope).max(), draw.standard_normal(shown.shape)):
        step = (0.2 * direction).astype(np.float32)
        grown = (judged(shown + step)[0] - judged(shown - step)[0]) / 2
        told = float((slope * step).sum(dtype=np.float64))
        assert grown == pytest.approx(told, rel=0.03, abs=2e-4 * abs(judged(shown)[0]))


def test_ways_back_are_transposes() -> None:
    draw = np.random.default_rng(3)
    x = draw.standard_normal((2, 23, 30), np.float32)
    for forth, back in ((inside, outside), (halved, lambda slope: doubled(slope, x))):
        found = forth(x)
        slope = draw.standard_normal(found.shape, np.float32)
        assert (found * slope).sum() == pytest.approx((x * back(slope)).sum(), rel=1e-3, abs=1e-3)
