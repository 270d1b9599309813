"""The search through a synthesis: a stand-in for its network, D and slope written out in NumPy."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from service.codec.prefixel import bitplane_coder
from service.codec.prefixel.codec import EmbeddedCodec, coefficients, in_steps, whole_steps
from service.codec.prefixel.encoder_rdo import (
    BATCH,
    OPERATING_POINTS,
    SINGLE_STEP,
    SINGLE_STEP_MOVE,
    RateDistortionSearch,
)
from service.codec.prefixel.rate_model import Truncator
from service.codec.prefixel.reconstruction import axes, closed_form, from_cells
from tests.support.photos import crops

ROUNDS = 16
LENGTHS = len(OPERATING_POINTS.payloads)


class Squared:
    """``gradient`` of a synthesis that changes nothing: D is the weighted squared error alone.

    ``each_call`` is added to D with every call. Keeps what it was given last.
    """

    def __init__(self, each_call: float = 0.0) -> None:
        self.each_call, self.calls = each_call, 0

    def run(self, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.given, self.calls = given, self.calls + 1
        off = given["painted"] - given["target"]
        weight = given["weight"] / (255**2 * off[0].size)
        distortion = weight * (off * off).reshape(len(off), -1).sum(axis=1)
        distortion += self.each_call * self.calls
        slope = 2 * weight[:, None, None, None] * off
        return {"distortion": distortion.astype(np.float32), "slope": slope.astype(np.float32)}


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.stack([np.asarray(crop.resize((32, 32))) for crop in crops(BATCH + 3, seed=9)])


@pytest.fixture(scope="module")
def values(prefixel: EmbeddedCodec, pictures: np.ndarray) -> np.ndarray:
    """A start that is worth a search: coefficients a little off those of the photos."""
    plain = in_steps(prefixel.stored, coefficients(pictures, axes(prefixel.stored)))
    draw = np.random.default_rng(3)
    return np.asarray(plain + draw.normal(0, 0.9, plain.shape), np.float32)


@pytest.fixture(scope="module")
def found(prefixel: EmbeddedCodec, pictures: np.ndarray, values: np.ndarray) -> np.ndarray:
    return RateDistortionSearch(prefixel.stored, Squared()).refined(pictures, values, ROUNDS)


def judged(search: RateDistortionSearch, pictures: np.ndarray, values: np.ndarray):
    target = np.repeat(pictures.astype(np.float32), len(OPERATING_POINTS.payloads), axis=0)
    return search._measured(values, target, OPERATING_POINTS, search._gradient)


def test_prefixes_come_out_better_in_the_searchs_measure(prefixel, pictures, values, found) -> None:
    search = RateDistortionSearch(prefixel.stored, Squared())
    before, after = (judged(search, pictures, v)[0] for v in (values, found))
    assert (after <= before).all()
    assert after.mean() < 0.98 * before.mean()


def test_prefixes_of_real_streams_come_out_better(prefixel, pictures, values, found) -> None:
    """The same by the range coder, at the lengths that count: D is the squared error here."""
    cuts = np.tile(OPERATING_POINTS.payloads.astype(np.int64), (len(values), 1))
    errors = []
    for some in (values, found):
        payloads = bitplane_coder.encode(prefixel.packed, whole_steps(some), 300)
        known, _ = bitplane_coder.decode_cuts(prefixel.packed, payloads, cuts)
        shown = [
            closed_form(
                prefixel.dequantiser, bitplane_coder.Known(known.cells[:, k], known.plane[:, k])
            )
            for k in range(len(OPERATING_POINTS.payloads))
        ]
        errors.append([((one - pictures) ** 2).mean() for one in shown])
    assert (np.array(errors[1]) < errors[0]).mean() >= 0.6
    assert np.mean(np.log(errors[1])) < np.mean(np.log(errors[0])) - 0.01


def test_a_search_that_finds_only_worse_returns_what_it_was_given(
    prefixel, pictures, values
) -> None:
    gradient = Squared(each_call=1.0)
    search = RateDistortionSearch(prefixel.stored, gradient)
    np.testing.assert_array_equal(search.refined(pictures[:3], values[:3], 4), values[:3])
    assert gradient.calls == 5


def test_no_rounds_change_nothing(prefixel, pictures, values) -> None:
    gradient = Squared()
    found = RateDistortionSearch(prefixel.stored, gradient).refined(pictures[:2], values[:2], 0)
    np.testing.assert_array_equal(found, values[:2])
    assert gradient.calls == 0


def test_the_same_pictures_come_out_the_same(prefixel, pictures, values, found) -> None:
    again = RateDistortionSearch(prefixel.stored, Squared()).refined(pictures, values, ROUNDS)
    np.testing.assert_array_equal(again, found)
    assert np.abs(found - values).max() > 0.1


def test_a_picture_comes_out_the_same_alone_and_in_batches(
    prefixel, pictures, values, found
) -> None:
    search = RateDistortionSearch(prefixel.stored, Squared())
    for n in (0, BATCH - 1, BATCH, BATCH + 2):
        alone = search.refined(pictures[n : n + 1], values[n : n + 1], ROUNDS)[0]
        np.testing.assert_allclose(alone, found[n], atol=1e-3)


def test_every_length_is_held_to_its_own_picture_and_weight(prefixel, pictures, values) -> None:
    gradient = Squared()
    search = RateDistortionSearch(prefixel.stored, gradient)
    judged(search, pictures[:3], values[:3])
    assert gradient.calls == 1
    search.refined(pictures[:3], values[:3], 1)
    given = SimpleNamespace(**gradient.given)
    assert given.painted.shape == given.target.shape == (3 * LENGTHS, 32, 32, 3)
    assert given.known.shape == (3 * LENGTHS, 18)
    np.testing.assert_array_equal(given.target[LENGTHS], pictures[1])
    np.testing.assert_array_equal(given.target[2 * LENGTHS - 1], pictures[1])
    np.testing.assert_array_equal(given.weight, np.tile(OPERATING_POINTS.weights, 3))
    off = np.abs(given.painted - given.target).reshape(3, LENGTHS, -1).mean(axis=-1)
    assert (off[:, 0] > off[:, -1]).all()  # the shortest first


def test_one_step_is_judged_once_and_is_better_where_it_is(prefixel, pictures, values) -> None:
    many, one = Squared(), Squared()
    search = RateDistortionSearch(prefixel.stored, many, one_step=one)
    found = search.single_step(pictures, values)
    assert (many.calls, one.calls) == (0, 1)
    steps = np.sqrt(np.square(found - values).sum(axis=1))
    np.testing.assert_allclose(steps, SINGLE_STEP_MOVE, rtol=1e-4)
    lengths = np.tile(SINGLE_STEP.payloads, (len(values), 1))
    errors = []
    for some in (values, found):
        cells = Truncator(prefixel.stored).cut(some, lengths).cells[:, 0]
        errors.append(np.square(from_cells(prefixel.dequantiser, cells) - pictures).mean())
    assert errors[1] < errors[0]
    alone = search.single_step(pictures[3:4], values[3:4])[0]
    np.testing.assert_allclose(alone, found[3], atol=1e-4)


def test_a_search_may_judge_one_length_alone(prefixel, pictures, values) -> None:
    """It then does better there than a search that minds all lengths, and worse elsewhere."""
    some, start = pictures[:8], values[:8]
    everywhere = RateDistortionSearch(prefixel.stored, Squared())
    alone = RateDistortionSearch(prefixel.stored, Squared(), OPERATING_POINTS.only(62))
    errors = {}
    for name, search in (("all", everywhere), ("one", alone)):
        found = search.refined(some, start, ROUNDS)
        cut = Truncator(prefixel.stored).cut(found, np.tile([62.0, 254.0], (len(found), 1)))
        for k, length in enumerate((62, 254)):
            off = from_cells(prefixel.dequantiser, cut.cells[:, k]) - some
            errors[name, length] = (off * off).mean()
    assert errors["one", 62] < errors["all", 62]
    assert errors["one", 254] > errors["all", 254]
    with pytest.raises(ValueError, match="63"):
        OPERATING_POINTS.only(63)


def test_slopes_along_samples_become_slopes_along_coefficients(prefixel, values) -> None:
    search, draw = RateDistortionSearch(prefixel.stored, Squared()), np.random.default_rng(4)
    slope = draw.normal(size=(2, 32, 32, 3)).astype(np.float32)
    move = draw.normal(size=(2, values.shape[1])).astype(np.float32)
    moved = from_cells(prefixel.dequantiser, values[:2] + move)
    moved -= from_cells(prefixel.dequantiser, values[:2])
    along = (search._transformed(slope) * move).sum(axis=1)
    np.testing.assert_allclose((slope * moved).sum(axis=(1, 2, 3)), along, rtol=1e-2)


def test_the_picture_of_cells_is_the_transforms_inverse(prefixel, pictures) -> None:
    values = in_steps(prefixel.stored, coefficients(pictures, axes(prefixel.stored)))
    shown = from_cells(prefixel.dequantiser, values)
    np.testing.assert_allclose(shown, pictures, atol=0.05)
