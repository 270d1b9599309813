"""Spatially adaptive bit rates: what each tile gets, and what its decoder sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.zoo.johnston2017 import sabr
from models.zoo.johnston2017.codec import Codec, Config
from models.zoo.toderici2016.network import Widths

TINY = Widths((3, 4, 4, 6), (5, 4, 4, 4, 4))


def falling(seed: int, shape: tuple[int, int] = (6, 9), iterations: int = 16) -> np.ndarray:
    """Errors [T, h, w] that fall from tile to tile at their own pace."""
    draw = np.random.default_rng(seed)
    return (
        draw.uniform(0.2, 1, shape)
        * draw.uniform(0.7, 0.99, shape) ** (np.arange(iterations)[:, None, None])
    )


def test_a_tile_is_as_bad_as_its_worst_eight_by_eight() -> None:
    x, picture = torch.zeros(1, 3, 32, 16), torch.zeros(1, 3, 32, 16)
    picture[0, :, 8:16, :8] = 0.5  # one part of the upper tile
    picture[0, :, 16:, :] = 0.25  # all of the lower one
    picture[0, 1, 16:, :] = -1
    errors = sabr.worst_parts(x, [picture, x])
    torch.testing.assert_close(errors[0, 0], torch.tensor([[0.5], [0.5]]))
    assert not errors[1].any()


@pytest.mark.parametrize(
    ("wanted", "expected"), [(1, (1, 2)), (4, (2, 5)), (5, (3, 6)), (8, (4, 10)), (16, (8, 16))]
)
def test_bounds_are_half_and_six_fifths_rounded_up(wanted: int, expected: tuple) -> None:
    assert sabr.bounds(wanted, 16) == expected


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), wanted=st.floats(1, 16))
def test_every_tile_gets_the_fewest_that_one_threshold_asks_for(seed: int, wanted: float) -> None:
    errors = falling(seed)
    steps = sabr.allocate(errors, wanted)
    low, high = sabr.bounds(wanted, 16)
    assert low <= steps.min() <= steps.max() <= high
    reached = np.take_along_axis(errors, steps[None].astype(int) - 1, axis=0)[0]
    before = np.take_along_axis(errors, np.maximum(steps[None].astype(int) - 2, 0), axis=0)[0]
    free = (steps > low) & (steps < high)
    threshold = max(reached[steps < high].max(initial=0), 0)
    assert (before[free] > threshold).all(), "a tile had been good enough an iteration earlier"
    if low < wanted:
        assert steps.mean() <= wanted + 1e-9
        assert steps.mean() > min(wanted, errors.shape[0]) - 1


def test_more_iterations_cannot_be_wanted_than_there_are() -> None:
    for wanted in (0.5, 17):
        with pytest.raises(ValueError, match="of 16"):
            sabr.allocate(falling(1), wanted)


def test_missing_bits_are_zero_and_the_decoder_lives_with_them() -> None:
    torch.manual_seed(3)
    codec = Codec(Config(TINY)).eval()
    x = torch.rand(1, 3, 64, 48) * 1.8 - 0.9
    with torch.no_grad():
        pictures, codes = codec(x, 4)
        steps = torch.full((1, 4, 3), 4)
        torch.testing.assert_close(codec.decode(sabr.without(codes, steps)), pictures)
        steps[0, 1, 2] = 2
        cut = sabr.without(codes, steps)
        shown = codec.decode(cut)
    for t, (bits, kept) in enumerate(zip(codes, cut, strict=True)):
        differ = (bits != kept).any(dim=1)[0]
        assert differ.nonzero().tolist() == ([] if t < 2 else [[1, 2]])
    assert not cut[3][0, :, 1, 2].any()
    assert torch.equal(shown[1], pictures[1])
    assert not torch.equal(shown[3], pictures[3])


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000), wanted=st.sampled_from([1, 3, 8, 16]))
def test_a_map_comes_back_from_its_bytes(seed: int, wanted: int) -> None:
    steps = sabr.allocate(falling(seed), wanted)
    low, _ = sabr.bounds(wanted, 16)
    sent = sabr.map_bytes(steps, low)
    np.testing.assert_array_equal(sabr.map_of(sent, low, *steps.shape), steps)
    with pytest.raises(ValueError, match="54 tiles, not 63"):
        sabr.map_of(sent, low, 7, 9)
    with pytest.raises(ValueError, match="inflate"):
        sabr.map_of(b"\xff" + sent, low, *steps.shape)
