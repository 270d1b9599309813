"""Assigned and fixed steps are compared at the same bytes."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest

from service.codec.recurrent.adaptive_patches import PatchCodec, Quality
from service.codec.registry import load_newest
from service.evaluation.studies import adaptive_patches
from service.evaluation.studies.adaptive_patches import Spent
from service.inference import Runtime
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim
from service.settings import packaged_artifacts
from tests.support.photos import crops


@pytest.fixture(scope="module")
def codec() -> PatchCodec:
    found = load_newest(packaged_artifacts(), ["fc-lstm"], Runtime("cpu", 1))["fc-lstm"]
    assert isinstance(found, PatchCodec)
    return found


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.stack([np.asarray(crop.resize((32, 32))) for crop in crops(12, seed=5)])


def test_between_two_steps_the_fixed_assignment_is_interpolated() -> None:
    curve = [Spent(16, 0.5, 0.3, 20.0), Spent(32, 0.7, 0.4, 22.0)]
    found = adaptive_patches.at(20, curve)
    assert astuple(found) == pytest.approx((20, 0.55, 0.325, 20.5))
    assert adaptive_patches.at(40, curve) == curve[-1]


def test_the_fixed_curve_is_what_the_steps_paint(codec: PatchCodec, pictures: np.ndarray) -> None:
    curve = adaptive_patches.fixed(codec, pictures)
    assert [point.payload for point in curve] == list(range(16, 129, 16))
    levels = [e.levels for e in codec.encode(pictures, [1.0] * 12)]
    for t, point in enumerate(curve):
        assert point.ssim == pytest.approx(np.mean([mine[t].ssim for mine in levels]), abs=1e-3)
        assert point.worst < point.ssim


@pytest.mark.parametrize("quality", [psnr, block_ssim])
def test_a_higher_target_costs_more_and_paints_better(
    codec: PatchCodec, pictures: np.ndarray, quality: Quality
) -> None:
    name = "psnr" if quality is psnr else "ssim"
    low, high = (
        adaptive_patches.assigned(codec, pictures, target, quality)
        for target in adaptive_patches.TARGETS[name][1:4:2]
    )
    assert low.payload < high.payload <= 131
    assert low.ssim < high.ssim
    assert low.psnr < high.psnr
