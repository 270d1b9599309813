"""Lifting: undone exactly, nearly orthonormal, still where a picture is still."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.codec.photo import wavelet

SIDES = st.integers(1, 70)


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, st.integers(0, 2**32 - 1))
def test_synthesis_undoes_analysis_at_any_size(rows: int, columns: int, seed: int) -> None:
    picture = np.random.default_rng(seed).normal(0, 50, (rows, columns)).astype(np.float32)
    plane = picture.copy()
    wavelet.forward(plane)
    wavelet.inverse(plane)
    assert np.abs(plane - picture).max() < 1e-3


@pytest.mark.parametrize("shape", [(64, 64), (33, 47), (1, 40), (40, 1)])
def test_a_still_picture_has_no_detail(shape: tuple[int, int]) -> None:
    plane = np.full(shape, 100, np.float32)
    wavelet.forward(plane)
    detail = plane.copy()
    detail[::2, ::2] = 0
    assert np.abs(detail).max() < 1e-3
    gain = 2.0 if min(shape) > 1 else np.sqrt(2)
    assert np.allclose(plane[::2, ::2], 100 * gain, rtol=1e-3)


@pytest.mark.parametrize("place", [(32, 32), (32, 33), (33, 32), (33, 33)])
def test_an_error_of_a_coefficient_is_about_as_large_in_pixels(place: tuple[int, int]) -> None:
    plane = np.zeros((64, 64), np.float32)
    plane[place] = 1
    wavelet.inverse(plane)
    assert np.linalg.norm(plane) == pytest.approx(1, abs=0.05)


def test_python_and_machine_code_lift_alike() -> None:
    picture = np.random.default_rng(3).normal(0, 50, (19, 22)).astype(np.float32)
    fast, slow = picture.copy(), picture.copy()
    wavelet.forward(fast)
    from tests.support.uncompiled import uncompiled

    uncompiled(wavelet.forward)(slow)
    assert np.allclose(fast, slow, atol=1e-3)
