"""``prefixel evaluate --codec photo`` from a folder to its page, on two small photos."""

from __future__ import annotations

import csv
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.cli.evaluate_photos import make_plan
from service.cli.main import main, parser
from service.codec.photo.codec import PhotoCodec
from service.codec.registry import load_newest
from service.errors import ConfigurationError
from service.evaluation.data.pictures import squash
from service.evaluation.measure.metrics import METRICS
from service.evaluation.photos.measures import find_measures, score
from service.evaluation.photos.measuring import TARGETS, Points
from service.evaluation.photos.rates import clipped, rate_of
from service.inference import Runtime
from service.quality.psnr import psnr
from service.settings import packaged_artifacts
from tests.support.photos import free_photos

for needed in ("bjontegaard", "matplotlib", "imagecodecs", "scipy", "ssimulacra2"):
    pytest.importorskip(needed)

ASKED = ["--orders", "psnr,default", "--baselines", "webp,jpeg-opt", "--steps", "5"]
SIDE = 176


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("photos")
    for name in ("astronaut", "coffee"):
        crop = free_photos()[name][50 : 50 + SIDE, 100 : 100 + SIDE + 9]
        Image.fromarray(crop).save(data / f"{name}.png")
    return data


@pytest.fixture(scope="module")
def out(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    assert (
        main(["evaluate", "--codec", "photo", "--data", str(folder), "--out", str(out), *ASKED])
        == 0
    )
    return out


@pytest.fixture(scope="module")
def rows(out: Path) -> list[dict[str, str]]:
    with (out / "photos.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def photo() -> PhotoCodec:
    codec = load_newest(packaged_artifacts(), ["photo"], Runtime("cpu", 1))["photo"]
    assert isinstance(codec, PhotoCodec)
    return codec


def original(folder: Path, name: str) -> np.ndarray:
    return np.asarray(Image.open(folder / name))


def test_our_cells_are_prefixes_of_real_bytes(folder, rows, photo) -> None:
    picture = original(folder, "coffee.png")
    stream = photo.stream(picture, "psnr")
    mine = [row for row in rows if row["codec"] == "psnr" and row["photo"] == "coffee.png"]
    assert [float(row["setting"]) for row in mine] == list(TARGETS)
    for row in mine:
        wanted = round(float(row["setting"]) * picture[..., 0].size / 8)
        length = min(max(photo.minimum_bytes, wanted), len(stream))
        assert float(row["bpp"]) == pytest.approx(length * 8 / picture[..., 0].size, rel=1e-5)
        shown = photo.decode([stream[:length]])[0]
        assert float(row["psnr"]) == pytest.approx(psnr(picture[None], shown[None])[0], rel=1e-5)


def test_a_baselines_cells_are_whole_files(folder, rows) -> None:
    picture = original(folder, "astronaut.png")
    row = next(
        row
        for row in rows
        if (row["codec"], row["photo"], row["setting"]) == ("webp", "astronaut.png", "60")
    )
    file = BytesIO()
    Image.fromarray(picture).save(file, "WEBP", quality=60, method=6)
    shown = np.asarray(Image.open(file).convert("RGB"))
    assert float(row["bpp"]) == pytest.approx(
        len(file.getvalue()) * 8 / picture[..., 0].size, rel=1e-5
    )
    assert float(row["psnr"]) == pytest.approx(psnr(picture[None], shown[None])[0], rel=1e-5)
    assert float(row["ms-ssim"]) == pytest.approx(
        METRICS["ms-ssim"].score(picture[None], shown[None])[0], rel=1e-5
    )


def test_the_page_prints_the_means_of_the_cells(out, rows) -> None:
    page = (out / "photos.md").read_text()
    mean = np.mean(
        [float(r["psnr"]) for r in rows if (r["codec"], r["setting"]) == ("psnr", "0.25")]
    )
    line = next(line for line in page.splitlines() if line.startswith("| photo, psnr |"))
    assert line.split("|")[2 + TARGETS.index(0.25)].strip() == f"{mean:.2f}"
    assert "libjpeg" in page
    assert "Order: psnr" in page
    assert (out / "photos.png").stat().st_size > 10_000


def test_a_page_names_no_folder(folder, out) -> None:
    for name in ("photos.md", "photos.csv"):
        text = (out / name).read_text()
        assert str(folder) not in text
        assert str(out) not in text


def test_the_small_table_compares_with_the_thumbnail_scaled_up(folder, out, photo) -> None:
    thumbs = load_newest(packaged_artifacts(), ["prefixel"], Runtime("cpu", 1))["prefixel"]
    scores = []
    for name in ("astronaut.png", "coffee.png"):
        picture = original(folder, name)
        height, width = picture.shape[:2]
        stream = thumbs.encode([squash(picture, 32)], [width / height])[0].stream[:512]
        scaled = Image.fromarray(thumbs.decode([stream])[0]).resize(
            (width, height), Image.Resampling.BICUBIC
        )
        prefix = photo.decode([photo.stream(picture, "psnr")[:512]])[0]
        scores.append([psnr(picture[None], np.asarray(x)[None])[0] for x in (scaled, prefix)])
    thumbnail, own = np.mean(scores, axis=0)
    page = (out / "photos.md").read_text().splitlines()
    line = next(line for line in page if line.startswith("| 512 |"))
    assert [cell.strip() for cell in line.split("|")[2:4]] == [f"{thumbnail:.2f}", f"{own:.2f}"]


def test_a_second_run_reads_the_cache_and_prints_the_same(folder, out, monkeypatch) -> None:
    before = (out / "photos.md").read_bytes()
    monkeypatch.setattr("service.evaluation.photos.run.measure_files", None)
    monkeypatch.setattr("service.evaluation.photos.run.measure_stream", None)
    main(["evaluate", "--codec", "photo", "--data", str(folder), "--out", str(out), *ASKED])
    assert (out / "photos.md").read_bytes() == before


@pytest.mark.parametrize(
    "wrong",
    [["--orders", "best"], ["--baselines", "gif"], ["--steps", "1"], ["--full"], ["--orders", ""]],
)
def test_wrong_use_is_said(folder, wrong) -> None:
    told = parser().parse_args(["evaluate", "--codec", "photo", "--data", str(folder), *wrong])
    with pytest.raises(ConfigurationError):
        make_plan(told)


def test_ssimulacra2_is_measured_only_when_asked_for() -> None:
    wanted = np.ascontiguousarray(free_photos()["coffee"][:64, :72])
    noise = np.random.default_rng(5).integers(-30, 31, wanted.shape)
    shown = np.clip(wanted + noise, 0, 255).astype(np.uint8)
    asked = find_measures(64, ssimulacra2=True)
    assert [one.name for one in asked] == ["psnr", "ssim", "ssimulacra2"]
    assert len(find_measures(161, ssimulacra2=False)) == 3
    assert score(asked, wanted, wanted)[-1] == pytest.approx(100)
    assert score(asked, wanted, shown)[-1] < 60


def curve(name: str, bpp: list[list[float]], scores: list[list[float]]) -> Points:
    return Points(name, name, tuple(bpp[0]), np.array(bpp), np.array(scores)[..., None])


def test_a_rate_is_of_the_span_alone() -> None:
    """Half the rate within the span, ten times the rate outside: only the inside counts."""
    rates = np.geomspace(0.01, 4, 40)
    anchor = 30 + 5 * np.log2(rates)
    outside = (rates < 0.09) | (rates > 2)
    test = np.where(outside, rates * 10, rates / 2)
    order = np.argsort(test)
    found = rate_of(
        curve("anchor", [rates.tolist()], [anchor.tolist()]),
        curve("test", [test[order].tolist()], [anchor[order].tolist()]),
        0,
        METRICS["psnr"],
        (0.1, 0.9),
    )
    assert found.mean_curve == pytest.approx(-50, abs=1)
    assert (found.per_photo, found.photos) == (pytest.approx(found.mean_curve), 1)


def test_a_stream_that_ended_is_not_extrapolated() -> None:
    rates, quality = clipped(np.array([0.05, 0.2, 0.5, 0.5]), np.array([1.0, 2, 3, 3]), (0.1, 1.8))
    assert rates.tolist() == [0.1, 0.2, 0.5]
    assert 1 < quality[0] < 2
    assert quality[-1] == 3


def test_photos_without_common_quality_are_left_out_of_their_mean() -> None:
    bpp = [[0.1, 0.2, 0.4, 0.8]] * 2
    anchor = curve("anchor", bpp, [[20.0, 25, 30, 35]] * 2)
    test = curve("test", bpp, [[20.0, 25, 30, 35], [60.0, 65, 70, 75]])
    found = rate_of(anchor, test, 0, METRICS["psnr"], (0.1, 1.8))
    assert (found.per_photo, found.photos) == (pytest.approx(0), 1)
