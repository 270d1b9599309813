"""Photos cut at many lengths: what is measured, and that falls and their passes are found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from service.codec.photo.codec import PhotoCodec
from service.codec.registry import load_newest
from service.evaluation.data.pictures import Pictures
from service.evaluation.measure.caching import ResultCache
from service.evaluation.studies import photo_prefixes
from service.evaluation.studies.photo_prefixes import MEASURES, Prefixes
from service.inference import Runtime
from service.quality.psnr import psnr
from service.settings import packaged_artifacts
from tests.support.photos import free_photos

COUNT = 12


@pytest.fixture(scope="module")
def codec() -> PhotoCodec:
    codec = load_newest(packaged_artifacts(), ["photo"], Runtime("cpu", 1))["photo"]
    assert isinstance(codec, PhotoCodec)
    return codec


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    crops = [free_photos()[name][60:240, 80:280] for name in ("astronaut", "coffee")]
    return Pictures(("a", "b"), tuple(np.ascontiguousarray(crop) for crop in crops))


@pytest.fixture(scope="module")
def found(
    codec: PhotoCodec, pictures: Pictures, tmp_path_factory: pytest.TempPathFactory
) -> Prefixes:
    cache = ResultCache(tmp_path_factory.mktemp("cache"))
    return photo_prefixes.measure(codec, pictures, COUNT, cache)


def test_each_length_is_a_prefix_that_is_painted(
    codec: PhotoCodec, pictures: Pictures, found: Prefixes
) -> None:
    for n, picture in enumerate(pictures.rgb):
        stream = codec.stream(picture)
        assert found.lengths[n, -1] == len(stream)
        assert (np.diff(found.lengths[n]) > 0).all()
        shown = codec.decode([stream[: found.lengths[n, 8]]])[0]
        assert found.scores[n, 8, 0] == pytest.approx(psnr(picture[None], shown[None])[0])
        closed = codec.decode([codec.stream(picture, networks=False)[:512]])[0]
        assert found.closed[n, 1, 0] == pytest.approx(psnr(picture[None], closed[None])[0])
    assert not found.corrected[:, 0].any()
    assert found.corrected[:, -1].all()


def test_what_is_cached_is_not_measured_again(
    codec: PhotoCodec, pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = photo_prefixes.measure(codec, pictures[:1], 3, ResultCache(tmp_path))
    monkeypatch.setattr(photo_prefixes, "_one", lambda *_: pytest.fail("measured again"))
    again = photo_prefixes.measure(codec, pictures[:1], 3, ResultCache(tmp_path))
    np.testing.assert_array_equal(first.scores, again.scores)


def test_a_fall_is_told_with_its_passes(found: Prefixes) -> None:
    scores = np.sort(found.scores, axis=1)
    calm = photo_prefixes.report(replace(found, scores=scores))
    assert "No mean falls by more than 0.01 dB" in calm
    assert f"0 of {COUNT - 1}" in calm
    scores[:, 9, 0] -= 5
    fallen = photo_prefixes.report(replace(found, scores=scores))
    line = next(line for line in fallen.splitlines() if line.startswith("- PSNR"))
    assert line.count("plane") >= 1
    assert "level" in line
    step = np.diff(scores[..., 0].mean(0)).min()
    assert "smallest step" in fallen
    assert photo_prefixes.signed(step) in fallen


def test_where_the_synthesis_begins_is_told(found: Prefixes) -> None:
    first = int(found.corrected[0].argmax())
    assert photo_prefixes.told_between(found, 0, first - 1).startswith("the synthesis begins")
    assert "begins" not in photo_prefixes.told_between(found, 0, first)


def test_short_prefixes_stand_beside_the_closed_form(found: Prefixes) -> None:
    row = next(
        line for line in photo_prefixes.report(found).splitlines() if line.startswith("| 512 |")
    )
    cells = [cell.strip() for cell in row.split("|")[2:-1]]
    ours, closed = found.short[:, 1, 0], found.closed[:, 1, 0]
    assert cells[:3] == [
        f"{ours.mean():.3f}",
        f"{closed.mean():.3f}",
        f"{(ours >= closed).sum()} of 2",
    ]
    assert len(cells) == 3 * len(MEASURES)
