"""Tables learned from statistics: they fit what the parse does, and each part earns its bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.prefixel.closed_form import counting, learning, slopes
from service.codec.prefixel import bitplane_coder
from service.codec.prefixel import codec as prefixel_codec
from service.codec.prefixel import tables as prefixel_tables
from service.codec.prefixel.bitplane_coder import pack_tables
from service.codec.prefixel.tables import Stored
from tests.support.photos import crops


@pytest.fixture(scope="module")
def thumbnails() -> np.ndarray:
    return np.stack([np.asarray(c.resize((32, 32))) for c in crops(400, seed=3)])


@pytest.fixture(scope="module")
def learned(thumbnails: np.ndarray) -> Stored:
    return learning.learn(thumbnails, step=8, rounds=1)


def test_learned_tables_are_ones_that_a_codec_reads(learned: Stored, tmp_path: Path) -> None:
    learned.write(tmp_path / "tables.npz")
    again = prefixel_tables.read(tmp_path / "tables.npz")
    np.testing.assert_array_equal(again.significance, learned.significance)
    assert (tmp_path / "tables.npz").stat().st_size < 60_000


def test_counted_bits_are_the_bits_of_the_stream(learned: Stored, thumbnails: np.ndarray) -> None:
    tables = prefixel_tables.for_parse(learned)
    for values in prefixel_codec.quantise(learned, thumbnails[:6]):
        counts = np.zeros((*learned.significance.shape, 2), np.int64)
        ones = np.zeros((*learned.refinement.shape, 2), np.int64)
        unlimited = 2**40
        spent = counting.symbol_counts(
            tables, values, learning.cost_table(), unlimited, counts, ones
        )
        written = 8 * len(bitplane_coder.encode(pack_tables(tables), values[None], 20_000)[0])
        bits = spent / learning.COST_UNIT
        escapes = 200  # what escapes cost is not counted
        assert bits * 0.999 - 1 <= written <= bits * 1.003 + 16 + escapes


def test_counting_stops_at_its_limit(learned: Stored, thumbnails: np.ndarray) -> None:
    tables = prefixel_tables.for_parse(learned)
    (values,) = prefixel_codec.quantise(learned, thumbnails[:1])
    counts = np.zeros((*learned.significance.shape, 2), np.int64)
    ones = np.zeros((*learned.refinement.shape, 2), np.int64)
    limit = 100 * learning.COST_UNIT
    spent = counting.symbol_counts(tables, values, learning.cost_table(), limit, counts, ones)
    assert limit < spent < limit + 20 * learning.COST_UNIT


def test_what_neighbours_tell_saves_bytes(learned: Stored, thumbnails: np.ndarray) -> None:
    values = prefixel_codec.quantise(learned, thumbnails)

    def total(stored: Stored) -> int:
        tables = prefixel_tables.for_parse(stored)
        return sum(map(len, bitplane_coder.encode(pack_tables(tables), values, 4000)))

    flat = Stored(**{**vars(learned), "rows": np.full_like(learned.rows, 8)})
    assert total(learned) < 0.99 * total(learning.with_counts(flat, values))


def test_a_cheap_coarse_symbol_inherits_the_slope_of_what_it_opens() -> None:
    significance = np.zeros((8, 5))
    significance[:, 0] = 1000
    significance[0, 1:3] = 1, 1.4  # rare at the coarse plane: hardly a gain of its own
    significance[4, 1:3] = 900, 1300  # a plane below nearly all are nonzero
    nothing = np.zeros((8, 2, 4))
    zero, _ = slopes.pooled(significance, nothing)
    significance[4, 1:3] = 1, 1.4
    alone, _ = slopes.pooled(significance, nothing)
    assert zero[0] > 2 * alone[0]


def test_colours_are_turned_and_not_stretched(learned: Stored) -> None:
    axes = prefixel_codec.axes(learned)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=2e-4)
    assert (axes[0] > 0.3).all()
