"""Ideal code lengths in place of a range coder: they cut where it does, slopes go through."""

from __future__ import annotations

import numpy as np
import pytest

from service.codec.prefixel import bitplane_coder
from service.codec.prefixel.codec import EmbeddedCodec, coefficients, in_steps, whole_steps
from service.codec.prefixel.context_model import COEFFICIENTS, PLANE_CLASSES
from service.codec.prefixel.rate_model import (
    END_BITS,
    OUT_OF_ZERO,
    WINDOW,
    Prefixes,
    Truncator,
    through_rounding,
)
from service.codec.prefixel.reconstruction import axes, bands, precision
from tests.support.photos import crops

LENGTHS = (3, 7, 14, 30, 62, 94, 126, 158)


@pytest.fixture(scope="module")
def truncator(prefixel: EmbeddedCodec) -> Truncator:
    return Truncator(prefixel.stored)


@pytest.fixture(scope="module")
def values(prefixel: EmbeddedCodec) -> np.ndarray:
    pictures = np.stack([np.asarray(crop.resize((32, 32))) for crop in crops(12, seed=5)])
    stored = prefixel.stored
    return in_steps(stored, coefficients(pictures, axes(stored)))


def decided(known: np.ndarray) -> np.ndarray:
    """Sum of the planes that are left: it falls by one with every symbol."""
    return np.rint((known * np.bincount(bands())).sum(axis=-1)).astype(int)


def ideal_lengths(truncator: Truncator, values: np.ndarray, left: np.ndarray) -> np.ndarray:
    """The shortest lengths in bytes after which so few planes are ``left`` [N, M]: bisected."""
    low, high = np.zeros(left.shape), np.full(left.shape, 400.0)
    for _ in range(26):
        middle = (low + high) / 2
        enough = decided(truncator.cut(values, middle).known) <= left
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return high


def shown(truncator: Truncator, cells: np.ndarray, plane: np.ndarray) -> np.ndarray:
    """Integers of a parse as float cells, each at its mean, in steps."""
    tables, size = truncator.tables, np.abs(cells).astype(np.int64)
    found = np.clip(tables.classes - PLANE_CLASSES * plane, 0, truncator.centroids.shape[1] - 1)
    mean = truncator.centroids[tables.groups, found, np.clip(size, 1, 3) - 1]
    return np.sign(cells) * np.where(size > 0, size + mean, 0) * 2.0**plane


@pytest.fixture(scope="module")
def parsed(prefixel: EmbeddedCodec, values: np.ndarray) -> bitplane_coder.Known:
    """What the range coder's prefixes of these lengths really decide."""
    payloads = bitplane_coder.encode(prefixel.packed, whole_steps(values), 400)
    assert min(map(len, payloads)) > LENGTHS[-1]
    cuts = np.tile(np.array(LENGTHS, np.int64), (len(values), 1))
    return bitplane_coder.decode_cuts(prefixel.packed, payloads, cuts)[0]


def left_of(parsed: bitplane_coder.Known) -> np.ndarray:
    return parsed.plane.astype(int).sum(axis=-1)


def test_a_cut_shows_what_as_many_symbols_of_the_real_stream_show(
    truncator, values, parsed
) -> None:
    left = left_of(parsed)
    cut = truncator.cut(values, ideal_lengths(truncator, values, left))
    same = decided(cut.known) == left
    assert same.mean() > 0.97  # symbols that cost nothing come together
    np.testing.assert_allclose(
        cut.cells[same], shown(truncator, parsed.cells, parsed.plane)[same], rtol=1e-6
    )
    for n, m in np.argwhere(same):
        known = bitplane_coder.Known(parsed.cells[n, m][None], parsed.plane[n, m][None])
        np.testing.assert_allclose(cut.known[n, m], precision(known)[0], rtol=1e-5)
    assert (np.abs(cut.cells[:, -1]) > 0).sum(axis=1).min() > 50


def test_ideal_lengths_are_the_real_ones_but_for_a_few_bits(truncator, values, parsed) -> None:
    left = left_of(parsed)
    between = [ideal_lengths(truncator, values, left - more) for more in (0, 1)]
    off = 8 * (np.mean(between, axis=0) - LENGTHS)
    assert abs(off.mean()) < 0.6
    assert np.abs(off).max() < 16 + END_BITS  # what the rarest symbol costs, and where it falls
    assert off.std() > 0.5  # a real prefix ends where a byte does, not where a symbol does


def test_a_longer_cut_knows_more_and_shows_it_closer(truncator, values) -> None:
    cut = truncator.cut(values, np.tile(np.array(LENGTHS, float), (len(values), 1)))
    assert (np.diff(decided(cut.known), axis=1) < 0).all()
    error = ((cut.cells - values[:, None]) ** 2).sum(axis=-1)
    assert (np.diff(error, axis=1) < 0).all()
    alone = truncator.cut(values[3:4], np.array([[float(LENGTHS[4])]]))
    np.testing.assert_array_equal(alone.cells[0, 0], cut.cells[3, 4])


def test_nothing_is_known_of_an_empty_prefix(truncator, values) -> None:
    cut = truncator.cut(values[:1], np.zeros((1, 1)))
    assert decided(cut.known) == (truncator.tables.tops + 1).sum()
    for part in (cut.cells, cut.gain, cut.rate, cut.middle):
        assert not part.any()


def test_an_escape_costs_what_the_real_stream_pays_for_it(prefixel, truncator) -> None:
    """One coefficient is as large as can be, far more than its first plane holds."""
    (at,) = np.flatnonzero(truncator.tables.tops == 4)[:1]
    lengths = []
    for size in (1, 255):
        values = np.zeros((1, COEFFICIENTS), np.float32)
        values[0, at] = size * 16 + 0.5
        (payload,) = bitplane_coder.encode(prefixel.packed, whole_steps(values), 400)
        cuts = np.arange(1, len(payload) + 1)[None]
        known, _ = bitplane_coder.decode_cuts(prefixel.packed, [payload], cuts)
        cells, plane = known.cells[0, :, at], known.plane[0, :, at].astype(int)
        holds = (plane <= 4) & (cells >> np.maximum(4 - plane, 0) == size)
        assert holds.any()
        found = int(np.argmax(holds))
        left = known.plane[:, found].astype(int).sum(axis=-1, keepdims=True)
        ideal = float(ideal_lengths(truncator, values, left)[0, 0])
        assert cuts[0, found] - 2 < ideal < cuts[0, found] + 1
        lengths.append(ideal)
    assert lengths[1] > lengths[0] + 4


def test_slopes_are_where_a_coefficient_is_known_and_moves_its_cell(truncator) -> None:
    at = int(truncator.tables.order[0, 1])
    sizes = np.arange(0, 3, 1 / 64, dtype=np.float32)
    top = int(truncator.tables.tops[at])
    one = np.zeros((len(sizes), COEFFICIENTS), np.float32)
    one[:, at] = -sizes * 2**top
    first = ideal_lengths(
        truncator, one, np.full((len(sizes), 1), (truncator.tables.tops + 1).sum() - 1)
    )
    cut = truncator.cut(one, first)
    gain, middle = cut.gain[:, 0, at], cut.middle[:, 0, at]
    outside, jump = sizes < 1 - WINDOW / 2, np.abs(sizes - 1) < WINDOW / 2 - 1e-3
    assert not gain[outside].any()
    np.testing.assert_allclose(gain[jump], OUT_OF_ZERO / WINDOW)
    np.testing.assert_array_equal(gain[sizes > 1 + WINDOW / 2], 1)
    to = cut.cells[:, 0, at] + middle
    np.testing.assert_allclose(to[jump], -OUT_OF_ZERO / 2 * 2**top, rtol=1e-6)
    assert not middle[~jump & (sizes != 0.75)].any()
    assert (cut.rate[:, 0, at][jump] > 0).all()
    assert not cut.rate[:, 0, at][outside].any()


def prefix(cells: list[float], gain: list[float], rate: list[float], middle: list[float]):
    """One picture at one length, of a few coefficients."""
    parts = [np.array([[p]], np.float32) for p in (cells, gain, rate, middle)]
    return Prefixes(parts[0], np.zeros((1, 1, 18), np.float32), *parts[1:])


def through(values, cut, slopes, multiplier=0.0) -> np.ndarray:
    arrays = [np.array(a, np.float32) for a in ([values], [[slopes]], [[multiplier]])]
    return through_rounding(arrays[0], cut, arrays[1], arrays[2])[0]


def test_a_slope_follows_the_gain_where_there_is_no_jump() -> None:
    cut = prefix([2.4, 0, -1.5], [1, 0, 1], [0, 0, 0], [0, 0, 0])
    np.testing.assert_allclose(through([2.0, 0.3, -1.7], cut, [0.5, 7, -0.25]), [0.5, 0, -0.25])


def test_bits_are_paid_by_magnitude() -> None:
    cut = prefix([2.4, -2.4, 0], [1, 1, 0], [0.5, 0.25, 0], [0, 0, 0])
    np.testing.assert_allclose(through([2.0, -2.0, 0.1], cut, [0, 0, 0], 3.0), [1.5, -0.75, 0])


def test_at_the_jump_the_slope_is_that_of_the_parabola_in_its_middle() -> None:
    """Where the loss is c/2 (cell - value)^2, it is c (middle - value) times the gain."""
    c, values = 6.0, np.array([0.9, -1.1, 2.2, 0.2])
    cells, gain = np.array([0, -1.4, 2.5, 0]), np.array([2.9, 2.9, 1, 0])
    middle = np.array([0.725, 0.675, 0, 0])
    cut = prefix(list(cells), gain, [0] * 4, list(middle))
    found = through(values, cut, c * (cells - values))
    np.testing.assert_allclose(found, gain * c * (cells + middle - values), rtol=1e-5)
    assert found[0] < 0  # a zero that the loss would rather have at 0.9 is pushed out


def test_a_loss_that_bends_down_is_taken_as_straight() -> None:
    cut = prefix([0, 2.5], [2.9, 1], [0, 0], [0.725, 0])
    off = np.array([0 - 0.9, 2.5 - 2.2])
    np.testing.assert_allclose(through([0.9, 2.2], cut, -off), [2.9 * 0.9, -0.3], rtol=1e-5)


def test_slopes_of_all_lengths_add_up() -> None:
    one = prefix([2.4, 0.0], [1, 0], [0.5, 0], [0, 0])
    two = prefix([2.2, 1.4], [1, 2.9], [0.5, 1], [0, -0.7])
    both = Prefixes(*(np.concatenate(pair, axis=1) for pair in zip(one, two, strict=True)))
    values, slopes = np.array([[2.0, 0.8]], np.float32), np.float32([[[0.3, 0.1], [0.2, -0.4]]])
    multiplier = np.array([[0.1, 0.2]], np.float32)
    found = through_rounding(values, both, slopes, multiplier)
    parts = [
        through(values[0], p, slopes[0, k], multiplier[0, k]) for k, p in enumerate((one, two))
    ]
    np.testing.assert_allclose(found[0], parts[0] + parts[1], rtol=1e-5)
    assert np.abs(parts[0]).sum() > 0


def test_lengths_for_other_pictures_are_refused(truncator: Truncator, values: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"\[12, 3072\] for lengths \[4, 2\]"):
        truncator.cut(values, np.full((4, 2), 30.0))
