"""Pictures that are no photos: drawn, coded in the better form, beside files of equal bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from service.cli import evaluate_photos
from service.cli.main import main, parser
from service.codec.photo.codec import PhotoCodec
from service.codec.registry import load_newest
from service.evaluation.data.drawn_photos import HEIGHT, KINDS, WIDTH, drawn_photos
from service.evaluation.data.pictures import Pictures
from service.evaluation.measure.caching import ResultCache
from service.evaluation.photos import kinds
from service.evaluation.photos.baselines import find_photo_baselines
from service.evaluation.photos.kinds import Kinds, KindsPlan
from service.evaluation.photos.measures import find_measures
from service.evaluation.studies.by_category import kinds_of
from service.inference import Runtime
from service.quality.psnr import psnr
from service.settings import packaged_artifacts
from tests.support.photos import free_photos

for needed in ("imagecodecs", "scipy"):
    pytest.importorskip(needed)


@pytest.fixture(scope="module")
def drawn() -> Pictures:
    return drawn_photos(each=3)


def test_drawn_pictures_are_the_same_for_a_seed_and_differ(drawn: Pictures) -> None:
    assert drawn.digest == drawn_photos(each=3).digest
    assert drawn.digest != drawn_photos(each=3, seed=2).digest
    assert set(kinds_of(drawn.names)) == set(KINDS)
    assert all(one.shape == (HEIGHT, WIDTH, 3) and one.dtype == np.uint8 for one in drawn.rgb)
    assert len({one.tobytes() for one in drawn.rgb}) == len(drawn)
    assert all(one.std() > 1 for one in drawn.rgb)


@pytest.fixture(scope="module")
def plan(drawn: Pictures, tmp_path_factory: pytest.TempPathFactory) -> KindsPlan:
    """Noise, and a photo that stands for another kind."""
    codec = load_newest(packaged_artifacts(), ["photo"], Runtime("cpu", 1))["photo"]
    assert isinstance(codec, PhotoCodec)
    noise = drawn.rgb[drawn.names.index("noise/00")][:180, :200]
    coffee = free_photos()["coffee"][60:240, 80:280]
    both = tuple(map(np.ascontiguousarray, (coffee, noise)))
    pictures = Pictures(("other/a", "noise/a"), both)
    return KindsPlan(
        codec,
        "known",
        find_photo_baselines(["webp", "jpeg-opt"]),
        pictures,
        find_measures(pictures.least_side, ssimulacra2=False),
        tmp_path_factory.mktemp("out"),
        ResultCache(tmp_path_factory.mktemp("cache")),
        "a command",
    )


@pytest.fixture(scope="module")
def found(plan: KindsPlan) -> Kinds:
    return kinds.measure_kinds(plan, Console(quiet=True))


def test_a_stream_is_cut_at_the_bytes_of_the_file(plan: KindsPlan, found: Kinds) -> None:
    picture, webp = plan.pictures.rgb[0], plan.baselines[0]
    file = webp.encode(picture, kinds.SETTINGS[1])
    stream = plan.codec.stream(picture)
    assert found.spent[0, 0, 1] == len(file)
    assert found.cut[0, 0, 1] == min(len(file), len(stream))
    shown = plan.codec.decode([stream[: len(file)]])[0]
    assert found.ours[0, 0, 1, 0] == pytest.approx(psnr(picture[None], shown[None])[0])
    size = picture.shape[0], picture.shape[1]
    theirs = webp.decode(file, size)
    assert found.theirs[0, 0, 1, 0] == pytest.approx(psnr(picture[None], theirs[None])[0])


def test_the_form_is_that_of_the_header(plan: KindsPlan, found: Kinds) -> None:
    for n, picture in enumerate(plan.pictures.rgb):
        facts = plan.codec.inspect(plan.codec.stream(picture)).facts
        assert bool(found.networks[n]) is facts["networks"]
        bits = round(kinds.FORM_BPP * picture[..., 0].size / 8)
        for form in (False, True):
            shown = plan.codec.decode([plan.codec.stream(picture, networks=form)[:bits]])[0]
            expected = psnr(picture[None], shown[None])[0]
            assert found.forms[n, int(form), 0] == pytest.approx(expected)
    assert found.networks[0]
    assert found.rather[0]


def test_the_page_says_which_have_networks_and_what_is_worse(plan: KindsPlan, found: Kinds) -> None:
    mixed = replace(found, networks=np.array([True, False]), rather=np.array([False, False]))
    page = kinds.page_of(plan, mixed)
    assert "| noise | 0 of 1 | 1 of 1 |" in page
    assert "| other | 1 of 1 | 0 of 1 |" in page
    assert "With networks: other/a." in page
    better = kinds.page_of(plan, replace(found, ours=found.theirs + 0.002, cut=found.spent))
    assert "**" not in better
    assert "ours" not in better.split("## Against")[2].split("|", 1)[1]
    under, cut = found.theirs.copy(), found.spent.copy()
    under[1, 0, :, 0] -= (1, 2, 3)
    cut[1, 0, 2] //= 2
    worse = kinds.page_of(plan, replace(found, ours=under, cut=cut)).split("## Against")
    assert "**−3.00**" in worse[1]
    assert worse[1].count("; ours") == 1
    assert "**" not in worse[2], "of the other baseline"


def test_a_second_run_reads_the_cache(plan: KindsPlan, found: Kinds, monkeypatch) -> None:
    monkeypatch.setattr(kinds, "_measured", lambda *_: pytest.fail("measured again"))
    page = kinds.evaluate_kinds(plan, Console(quiet=True), "page")
    assert (plan.out / "page.md").read_text() == page == kinds.page_of(plan, found)


def test_the_command_takes_drawn_pictures(tmp_path: Path, monkeypatch, capsys) -> None:
    asked = ["evaluate", "--codec", "photo", "--kind", "other", "--first", "2"]
    plan = evaluate_photos.make_kinds_plan(parser().parse_args(asked))
    assert plan.pictures.digest == drawn_photos()[:2].digest
    assert plan.command == "prefixel evaluate --codec photo --kind other --first 2"
    monkeypatch.setattr(kinds, "evaluate_kinds", lambda plan, console, name: f"{name}\n")
    assert main([*asked, "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "photos-other-kinds\n"
