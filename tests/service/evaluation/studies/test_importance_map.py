"""The paper's rule for curves: straight lines within a photo's own points, nothing beyond."""

from __future__ import annotations

import numpy as np
import pytest

from service.evaluation.studies import importance_map


def test_photos_are_averaged_at_rates_that_all_of_them_reach() -> None:
    points = {"a": [(0.4, 0.9), (0.1, 0.6)], "b": [(0.2, 0.8), (0.6, 1.0)]}
    assert importance_map.averaged(points, 0.3) == pytest.approx(np.mean([0.8, 0.85]))
    assert importance_map.averaged(points, 0.15) is None
    assert importance_map.averaged(points, 0.5) is None


def test_a_table_has_what_is_printed_beside_what_was_measured() -> None:
    points = {"one": {"a": [(0.1, 0.5), (0.3, 0.7)]}}
    rows = importance_map.table(points).splitlines()
    assert rows[2].startswith("| one | .5000 | .5500 | .6000 |")
    assert rows[-1].startswith("| the paper, Kodak, printed | – | .9366 |")
