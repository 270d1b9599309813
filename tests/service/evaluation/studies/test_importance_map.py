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


def test_a_page_shows_others_where_they_have_all_photos_and_a_small_plot(tmp_path) -> None:
    mine = {"a": [(0.1, 0.5), (0.3, 0.7)]}
    rows = "codec,photo,bpp,ms-ssim\nwebp,a,.05,.4\nwebp,a,.4,.9\nwebp,b,.1,.2\nother,a,.1,.2\n"
    (tmp_path / "points.csv").write_text(rows)
    others = importance_map.read(tmp_path / "points.csv")
    curves = importance_map.beside(mine, others)
    assert curves == {"`importance-map`": mine, "WebP": {"a": [(0.05, 0.4), (0.4, 0.9)]}}
    assert importance_map.beside({**mine, "c": mine["a"]}, others).keys() == {"`importance-map`"}
    importance_map.plot(curves, tmp_path / "plot.svg")
    drawn = (tmp_path / "plot.svg").read_text()
    assert ">WebP</text>" in drawn
    assert len(drawn) < 30_000
    text = importance_map.page({"some": importance_map.table(curves)}, "plot.svg", {"some": 1})
    assert "## `some`, 1 photos" in text
    assert "(plot.svg)" in text
