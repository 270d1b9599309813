"""The papers' tables of the recurrent codecs: areas, rates that are never under, what is asked."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from service.cli import evaluate_recurrent
from service.codec import artifact
from service.codec.recurrent.full_resolution import FullResolutionCodec
from service.errors import ConfigurationError
from service.evaluation.photos import recurrent
from service.evaluation.photos.measuring import Points
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.support.photos import crops


def points(rates: list[float], scores: list[tuple[float, float, float]]) -> Points:
    return Points("one", "one", tuple(rates), np.array([rates]), np.array([scores]))


def test_the_area_of_a_level_curve_is_its_height_times_the_rates() -> None:
    rates = [n / 8 for n in range(1, 17)]
    found = recurrent.areas(points(rates, [(32.0, 0.9, 0.99)] * 16))
    assert found == pytest.approx([32 * 1.875, 10 * 1.875, 20 * 1.875])


def test_a_rate_is_the_nearest_that_is_not_under_the_target() -> None:
    files = points([0.3, 0.6, 0.9], [(20, 0.5, 0.6), (24, 0.6, 0.7), (28, 0.7, 0.8)])
    assert recurrent._at_least(files, 0.5)[0] == 24
    assert recurrent._at_least(files, 0.6)[0] == 24
    assert recurrent._at_least(files, 2.0)[0] == 28, "the largest, where none is as large"


def test_the_tables_hold_what_the_codec_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """With two settings of JPEG and one other codec, so that it is quick."""
    monkeypatch.setattr(recurrent, "QUALITIES", (20, 60, 80, 95))
    monkeypatch.setattr(recurrent, "OTHERS", ("webp",))
    monkeypatch.setattr(recurrent, "OTHER_SETTINGS", 4)
    opened = artifact.read(packaged_artifacts() / "gru-entropy")
    codec = FullResolutionCodec(opened, Runtime("cpu", 1), 2**24)
    picture = recurrent.middle(np.asarray(crops(1, seed=2, size_range=(200, 200))[0]), 176)
    entry = recurrent.Entry(codec, 19.9, opened.manifest.kmac_per_pixel)
    seen: list[tuple[str, int, float, tuple[int, ...]]] = []
    text = recurrent.evaluate_recurrent(
        [entry], [picture], lambda _: None, lambda *of: seen.append((*of[:3], of[3].shape))
    )
    assert seen == [("gru-entropy", 0, bpp, picture.shape) for bpp in recurrent.TARGETS]
    levels = codec.encode([picture], [1.0])[0].levels
    assert levels
    [row] = [line for line in text.splitlines() if line.startswith("| `gru-entropy` | 19.9 | 543")]
    for iteration in (4, 8, 16):
        assert f"{levels[iteration - 1].psnr:.2f}" in row
    assert "| printed: Baseline (L1) |  | 59.42 | 19.06 | 32.96 |" in text
    assert "WebP" in text


def test_names_of_other_codecs_are_another_evaluation() -> None:
    folder = packaged_artifacts()
    assert evaluate_recurrent.are_recurrent(folder, ("gru-entropy", "gru-thumbs"))
    for names in ((), ("all",), ("gru-entropy", "prefixel"), ("nonesuch",)):
        assert not evaluate_recurrent.are_recurrent(folder, names)


def test_pictures_must_hold_five_scales(tmp_path: Path) -> None:
    crops(1, seed=2, size_range=(100, 100))[0].save(tmp_path / "small.png")
    asked = Namespace(
        data=tmp_path, skip=0, first=None, crop=None, codec=("gru-entropy",), out=tmp_path
    )
    with pytest.raises(ConfigurationError, match="161"):
        evaluate_recurrent.run(asked, packaged_artifacts())
