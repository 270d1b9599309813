"""The papers' tables of weights: areas, orderings, and what adaptive bit rates save."""

from __future__ import annotations

from itertools import accumulate

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from models.training.data import to_network
from models.training.session import papers
from models.training.session.papers import ITERATIONS, Seen

SIDE = 176
"""The least whole tiles that MS-SSIM measures."""


class Halving(torch.nn.Module):
    """Each iteration that a tile gets makes its error smaller by a third; tiles are not alike."""

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        hard = torch.rand(1, 1, SIDE // 16, SIDE // 16, generator=torch.Generator().manual_seed(1))
        noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(2)) - 0.5
        self.x, self.error = x, noise * functional.interpolate(hard.square(), scale_factor=16.0)

    def decode(self, codes: list[Tensor]) -> list[Tensor]:
        told = accumulate(bits.abs().mean(1, keepdim=True) for bits in codes)
        return [
            self.x + self.error * 0.67 ** functional.interpolate(n, scale_factor=16.0) for n in told
        ]


def photo() -> np.ndarray:
    return np.random.default_rng(3).integers(60, 200, (SIDE, SIDE, 3), dtype=np.uint8)


def seen(model: Halving, original: np.ndarray) -> Seen:
    codes = torch.ones(ITERATIONS, 1, 32, SIDE // 16, SIDE // 16)
    pictures = model.decode(list(codes))
    return Seen(codes, np.stack([papers.scores_of([original], one) for one in pictures]))


def test_adaptive_rates_save_where_tiles_are_unlike_and_their_map_is_counted() -> None:
    original = photo()
    model = Halving(to_network(torch.from_numpy(original[None])))
    rows = papers.adaptive(model, seen(model, original), [original])
    assert [row[0] for row in rows] == ["4", "8", "12"]
    for row in rows:
        assert float(row[1]) > 0.9 * int(row[0]) / 8
        assert float(row[5].rstrip("%")) > 0, "of PSNR"


def test_areas_are_over_the_nominal_rates_and_orderings_hold_in_all_measures() -> None:
    def constant(values: list[float]) -> Seen:
        return Seen(torch.zeros(0), np.tile(np.array(values), (ITERATIONS, 2, 1)))

    low, high = constant([30, 0.9, 0.99]), constant([31, 0.99, 0.999])
    assert papers.areas(low) == pytest.approx([1.875 * 30, 1.875 * 10, 1.875 * 20])
    mixed = constant([31, 0.8, 0.999])
    found = {"gru-l1": low, "gru-dssim": high, "gru-prime": low, "gru-best": mixed}
    words = [line.split("|")[-2].strip() for line in papers.orderings(found).splitlines()[2:]]
    assert words == ["shown", "not shown", "in part"]
    table = papers.area_table({"gru-l1": low}, {"gru-l1": 12_300})
    assert "| `gru-l1` | 12.3 | 56.25 | 18.75 | 37.50 | 30.00 |" in table
    assert "| printed: Baseline (L1) |  | 59.42 | 19.06 | 32.96 |  |" in table
