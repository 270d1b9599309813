"""Falls and rises from level to level are counted."""

from __future__ import annotations

import numpy as np
import pytest

from service.evaluation.measure.measuring import Measured
from service.evaluation.measure.metrics import METRICS
from service.evaluation.measure.progressive import level_ends, levels_table, progress_of
from tests.support.codec import GreyCodec


def measured(scores: list[list[float]], lengths: list[int]) -> Measured:
    sizes = np.tile(lengths, (len(scores), 1))
    return Measured("x", "x", "1", "", False, sizes - 2, sizes, {"ssim": np.array(scores)})


def test_gains_are_between_levels_alone() -> None:
    scores = [[0.1, 0.0, 0.5, 0.6], [0.1, 0.9, 0.3, 0.2], [0.2, 0.0, 0.2, 0.8]]
    found = progress_of(measured(scores, [18, 20, 34, 50]), [18, 34, 50], "ssim")
    assert found.steps == 2
    assert found.least_gain == pytest.approx(0.2)
    assert found.rising_share == pytest.approx(4 / 6)
    assert found.always_share == pytest.approx(2 / 3)


def test_a_mean_that_falls_is_found_where_it_falls() -> None:
    found = progress_of(
        measured([[0.1, 0.5, 0.4, 0.9]], [18, 34, 50, 66]), [18, 34, 50, 66], "ssim"
    )
    assert found.least_gain == pytest.approx(-0.1)
    assert found.at_bytes == 34
    assert found.always_share == 0


def test_one_level_is_too_few() -> None:
    with pytest.raises(ValueError, match="1 levels"):
        progress_of(measured([[0.1, 0.2]], [18, 34]), [18], "ssim")


def test_the_levels_of_a_codec() -> None:
    ends = level_ends(GreyCodec(), np.zeros((32, 32, 3), np.uint8))
    assert ends == list(range(18, 259, 16))


def test_the_table_of_levels_has_every_mean_and_where_it_rises() -> None:
    scores = [[0.1, 0.5, 0.6], [0.1, 0.3, 0.2]]
    deep = progress_of(measured(scores, [18, 34, 50]), [18, 34, 50], "ssim")
    flat = progress_of(measured([[0.1, 0.3]], [18, 34]), [18, 34], "ssim")
    metric = METRICS["ssim"]
    table = levels_table([("deep", metric, deep), ("flat", metric, flat)]).splitlines()
    assert table[2] == "| 1 | .100 at 18 B | .100 at 18 B |"
    assert table[3] == "| 2 | .400 at 34 B, 100.0 % | .300 at 34 B, 100.0 % |"
    assert table[4] == "| 3 | .400 at 50 B, 50.0 % |  |"
