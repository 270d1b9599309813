"""Whether a grid or a drift of colours is seen where there is one, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from service.evaluation.studies import photo_grid
from service.evaluation.studies.photo_grid import OURS, PEERS, RATES_BPP
from tests.support.photos import free_photos

PHOTO = free_photos()["coffee"][:160, :240]


def blocks(photo: np.ndarray) -> np.ndarray:
    means = photo.reshape(20, 8, 30, 8, 3).mean((1, 3), keepdims=True)
    return np.broadcast_to(means, (20, 8, 30, 8, 3)).reshape(photo.shape).astype(np.uint8)


def test_blocks_are_a_grid_and_noise_is_none() -> None:
    grid = photo_grid.by_place(blocks(PHOTO), PHOTO)
    assert grid[0] > 1
    assert grid[1:].max() < 1e-9
    dark = photo_grid.by_place(PHOTO // 2, PHOTO)
    assert dark.max() / dark.min() < 1.05


def test_the_longest_file_that_is_short_enough_is_taken() -> None:
    assert photo_grid.under(lambda quality: bytes(10 * quality + 5), 437) == bytes(435)
    assert photo_grid.under(lambda quality: bytes(10 * quality + 5), 4) is None


def test_the_table_says_what_was_measured() -> None:
    same = dict.fromkeys((*OURS, *PEERS), PHOTO)
    off = PHOTO.astype(int) + np.array([2, 0, -1])
    coloured = off.clip(0, 255).astype(np.uint8)
    rows = [same | {"closed form": coloured, "JPEG": None} for _ in RATES_BPP]
    lines = photo_grid.report([PHOTO], [rows]).splitlines()[2:]
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    cells = {(bpp, name): rest for bpp, name, *rest in table}
    assert cells["0.1", "networks"] == ["1.000", "+0.00, +0.00, +0.00", "0.00"]
    red, _, blue = (float(v.replace("−", "-")) for v in cells["0.25", "closed form"][1].split(","))
    assert red == pytest.approx(2, abs=0.2)
    assert blue == pytest.approx(-1, abs=0.2)
    assert cells["0.5", "JPEG"] == ["–"] * 3


def test_crops_stand_side_by_side() -> None:
    row = dict.fromkeys((*OURS, *PEERS), PHOTO // 2) | {"JPEG": None}
    found = np.asarray(photo_grid.sheet(PHOTO, [row, row]))
    assert found.shape == (2 * 2 * 160, 2 * 5 * 192, 3)
    middle = PHOTO[:, 24:216]
    assert (found[:320:2, :384:2] == middle).all()
    assert (found[320::2, 384:768:2] == middle // 2).all()
    assert (found[:, 4 * 384 :] == 128).all()
