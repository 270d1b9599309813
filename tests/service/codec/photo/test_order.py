"""Geometry: every coefficient has one place, one block, one turn in each plane."""

from __future__ import annotations

import numpy as np
import pytest

from service.codec.geometry import Size
from service.codec.photo import order
from service.codec.photo.codec import PhotoCodec
from service.codec.photo.order import BLOCK, BORDER

SIZES = [(1, 1), (1, 300), (300, 1), (7, 5), (8, 8), (9, 130), (64, 64), (517, 389)]


@pytest.mark.parametrize("size", SIZES)
def test_bands_hold_every_coefficient_once(photo: PhotoCodec, size: tuple[int, int]) -> None:
    height, width = size
    grid, _ = photo.geometry(Size(width, height), 0)
    used = np.zeros(grid.coefficients, int)
    for band in grid.bands:
        offset, stride, rows, columns = band[2:6]
        for y in range(rows):
            start = offset + (y + BORDER) * stride + BORDER
            used[start : start + columns] += 1
    assert used.sum() == height * width
    assert used.max() == 1


@pytest.mark.parametrize("size", SIZES)
def test_blocks_cover_a_band_once(photo: PhotoCodec, size: tuple[int, int]) -> None:
    grid, _ = photo.geometry(Size(size[1], size[0]), 0)
    for band in grid.bands:
        blocks = grid.blocks[band[order.FIRST] : band[order.END]]
        cover = np.zeros((-(-band[order.ROWS] // BLOCK), -(-band[order.COLUMNS] // BLOCK)), int)
        cover[blocks[:, 0] // BLOCK, blocks[:, 1] // BLOCK] += 1
        assert len(blocks) == cover.size
        assert (cover == 1).all()


def test_a_long_pass_is_dispersed(photo: PhotoCodec) -> None:
    """After a quarter of its blocks every quarter of the band has had some."""
    grid, _ = photo.geometry(Size(1024, 1024), 0)
    band = grid.bands[-1]
    blocks = grid.blocks[band[order.FIRST] : band[order.END]]
    early = blocks[: len(blocks) // 4] // (band[order.ROWS] // 2)
    assert len({tuple(part) for part in early}) == 4


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("size", [(7, 5), (64, 64), (517, 389), (4096, 4096)])
def test_each_band_is_told_from_its_first_plane_down(
    photo: PhotoCodec, size: tuple[int, int], number: int
) -> None:
    grid, _ = photo.geometry(Size(size[1], size[0]), number)
    turns: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for channel, band, plane, kind in grid.passes.tolist():
        turns.setdefault((channel, band), []).append((plane, kind))
    assert len(turns) == 3 * len(grid.bands)
    for (_, band), own in turns.items():
        first = order.TOP + int(grid.bands[band, order.LEVEL])
        assert own == [(p, k) for p in range(first, -1, -1) for k in (0, 1)]


def test_more_levels_go_on_as_the_deepest(photo: PhotoCodec) -> None:
    """A band a level deeper has its planes two octaves of error earlier, and the same tables."""
    grid, _ = photo.geometry(Size(4096, 4096), 0)
    turn = {tuple(one[:3]): n for n, one in enumerate(grid.passes.tolist()) if one[3] == 0}
    bands = {(int(b[0]), int(b[1])): n for n, b in enumerate(grid.bands)}
    for level in range(7, 10):
        for plane in range(3, 12):
            here = turn[0, bands[level, 3], plane]
            there = turn[0, bands[level + 1, 3], plane + 1]
            assert there < here
            assert grid.groups[here] == grid.groups[there]
