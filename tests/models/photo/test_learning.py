"""Tables counted from photos: what is in them, and that streams are shorter for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.photo import learning
from service.codec.photo import bitplane_coder, encoder, tables
from service.codec.photo.cells import Split
from service.codec.photo.order import DEEPEST, PLANES
from service.codec.photo.prices import scan_prices
from service.codec.photo.threads import Threads
from tests.support.photos import crops


@pytest.fixture(scope="module")
def tiles() -> list[np.ndarray]:
    return [np.asarray(c) for c in crops(8, seed=5, size_range=(256, 256))]


@pytest.fixture(scope="module")
def made(tiles):
    return learning.make(tiles[:6], sampled=3)


def test_colour_axes_are_orthonormal_and_begin_with_light(made) -> None:
    axes = made.colours / 2**14
    assert np.allclose(axes @ axes.T, np.eye(3), atol=2e-4)
    assert (axes[0] > 0.3).all()


def test_each_level_is_about_twice_as_large(made) -> None:
    light = made.usual[0, 1].astype(int)
    assert (np.diff(light) >= 0).all()
    assert light[DEEPEST - 1] - light[0] >= 4


def test_slopes_fall_from_plane_to_plane(made) -> None:
    for order in range(len(tables.ORDERS)):
        for channel in range(3):
            for orient, level in [(0, DEEPEST - 1), *((o, n) for o in (1, 2, 3) for n in range(6))]:
                first = made.slopes[order, channel, orient, level, :, 0]
                assert (np.diff(first) >= 0).all()
                assert first[PLANES - 1] - first[2] > 64 * (PLANES - 6)


def bits(stored, tiles) -> float:
    found = learning.quantised(stored, 0, tiles)
    fixed = tables.fixed_of(stored)
    return sum(
        scan_prices(found.grid, tables.models_of(stored), fixed, values, bitplane_coder.PRICE)[
            :, 0
        ].sum()
        for values in found.values
    )


def test_counted_tables_make_shorter_streams(made, tiles) -> None:
    """Of photos that were not counted; what was not counted is the tables of the start."""
    blank = learning.start(tiles[:6])
    before = replace(made, logits=blank.logits, seen=blank.seen, mixing=blank.mixing)
    assert bits(made, tiles[6:]) < 0.97 * bits(before, tiles[6:])


def test_tables_survive_their_file(made, tmp_path) -> None:
    made.write(tmp_path / "tables.npz")
    again = tables.read(tmp_path / "tables.npz")
    for name, value in vars(made).items():
        assert np.array_equal(value, getattr(again, name))


def test_weighted_orders_have_larger_steps_at_the_finest_level(made) -> None:
    default, psnr, eyes = made.scales.astype(int)
    assert (default[:, 1] > psnr[:, 1]).all()
    assert (eyes[:, 1] > default[:, 1]).all()


class Brighter:
    """In place of an analysis network: details twice as large, or as they are."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def run(self, split: Split, *_: object) -> None:
        for fine in split.fine:
            for level in fine:
                level *= self.factor

    def analyse(self, tile, grid, steps) -> Split:
        return encoder.analysed(tile, grid, steps, Threads(1), self)  # type: ignore[arg-type]


def test_tables_are_counted_again_over_what_an_analysis_makes(made, tiles) -> None:
    plain = learning.quantised(made, 0, tiles[:2])
    same = learning.quantised(made, 0, tiles[:2], Brighter(1).analyse)
    for one, other in zip(plain.values, same.values, strict=True):
        assert (one == other).all()
    once, again = (
        learning.again(made, tiles[:3], Brighter(factor).analyse, sampled=2) for factor in (1, 2)
    )
    assert (again.colours == made.colours).all()
    assert (again.scales == made.scales).all()
    fine = again.usual[:, 1:, :3].astype(int) - once.usual[:, 1:, :3]
    assert 0.7 < fine.mean() < 1.7
