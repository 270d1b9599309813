"""The ablation: rows are trained once, scored, kept; bits against trits is a fair simulation."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from models.prefixel import ablation, ablation_page, trits
from models.prefixel.ablation_page import PAGE, Line
from models.prefixel.closed_form.learning import colour_axes
from models.prefixel.networks import CONFIGS, Config, Shape
from service.codec.prefixel.codec import coefficients
from tests.support.photos import crops

TINY = Config(Shape(6, 1, 1), Shape(5, 1, 1))
BLIND = Config(Shape(6, 1, 1), Shape(5, 1), precision=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for n, crop in enumerate(crops(20, seed=2)):
        crop.resize((64, 64)).save(folder / f"{n:02}.png")
    held = np.stack([np.asarray(c.resize((32, 32))) for c in crops(4, seed=4)])
    tuned = np.repeat(held[:1], ablation.TUNING, axis=0)
    np.savez(folder / "x-validation.npz", rgb=np.concatenate([tuned, held]))
    return folder


def run(data: Path, out: Path, rows: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONFIGS, "small", TINY)
    monkeypatch.setitem(CONFIGS, "blind", BLIND)
    given = ["--data", str(data), "--out", str(out), "--rows", rows, "--samples", "64"]
    sizes = ["--counted", "96", "--searched", "2", "--threads", "1", "--no-bf16"]
    monkeypatch.setattr(sys, "argv", ["x", *given, *sizes])
    ablation.main()


def test_rows_are_trained_once_scored_and_kept(data: Path, tmp_path: Path, monkeypatch) -> None:
    run(data, tmp_path, "small,weights,closed-form", monkeypatch)
    log = (tmp_path / "small" / "log.csv").read_text()
    (small,), (plain,) = (ablation_page.kept(tmp_path, row) for row in ("small", "closed-form"))
    run(data, tmp_path, "small,blind", monkeypatch)
    assert (tmp_path / "small" / "log.csv").read_text() == log, "a finished row was trained again"
    assert ablation_page.kept(tmp_path, "small") == [small]
    (blind,) = ablation_page.kept(tmp_path, "blind")
    assert small.more["thumbnails"] == blind.more["thumbnails"] == "64"
    whole, rounded = ablation_page.kept(tmp_path, "weights")
    assert whole.scores == small.scores
    assert rounded.scores == pytest.approx(small.scores, rel=0.01)
    assert len({str(line.scores) for line in (small, plain, blind, rounded)}) == 4
    for line in (small, plain, blind, rounded):
        assert 0.2 < line.scores["ssim_64"] < line.scores["ssim_128"] < line.scores["ssim_256"] < 1
    page = (tmp_path / PAGE).read_text()
    for line in (plain, small, blind):  # the rows of both calls
        assert (
            f"| {line.title} | {line.more['thumbnails']} | {line.scores['ssim_64']:.4f} /" in page
        )


def test_context_earns_its_bytes_and_effort_its_time(data: Path, tmp_path, monkeypatch) -> None:
    run(data, tmp_path, "shipped,context,efforts", monkeypatch)
    (shipped,) = ablation_page.kept(tmp_path, "shipped")
    counted, blind = ablation_page.kept(tmp_path, "context")
    assert counted.scores["psnr_64"] > blind.scores["psnr_64"]
    assert shipped.scores["ssim_64"] > 0.6
    efforts = ablation_page.kept(tmp_path, "efforts")
    assert [line.title.split()[0] for line in efforts] == ["default", "high", "best"]
    assert len({str(line.scores) for line in efforts}) == 3
    page = (tmp_path / PAGE).read_text()
    assert "default (2 thumbnails)" in page
    assert "Size of the synthesis" not in page


def test_a_kept_row_comes_back_as_it_was(tmp_path: Path) -> None:
    line = Line("some", {f"{m}_{n}": n / 1000 for m in ("ssim", "psnr") for n in (64, 128, 256)})
    ablation_page.keep(tmp_path, "trits", [line])
    assert ablation_page.kept(tmp_path, "trits") == [line]
    assert ablation_page.kept(tmp_path, "blind") == []


@pytest.fixture(scope="module")
def raw() -> np.ndarray:
    rgb = np.stack([np.asarray(crop.resize((32, 32))) for crop in crops(200, seed=3)])
    return coefficients(rgb, colour_axes(rgb))


@pytest.fixture(scope="module", params=[2, 3])
def model(request: pytest.FixtureRequest, raw: np.ndarray) -> trits.Model:
    return trits.learn(raw, request.param, 8.0)


def test_a_digit_comes_after_what_it_needs(model: trits.Model) -> None:
    place = np.full((2, trits.COEFFICIENTS, model.planes + 1), -1)
    place[tuple(model.order.T)] = np.arange(len(model.order))
    zero, nonzero = place[:, :, : model.planes]
    assert (zero >= 0).all()
    assert (np.diff(zero, axis=1) < 0).all()  # the higher plane first
    below = nonzero[:, :-1]
    assert (below > zero[:, 1:]).all()
    assert (np.diff(below, axis=1) < 0).all()


def test_chances_are_whole(model: trits.Model) -> None:
    bits = model.bits.copy()
    bits[:, :, trits.ZERO, 1:] -= 1
    np.testing.assert_allclose((2.0**-bits).sum(axis=-1), 1)


def test_prefixes_hold_what_their_bits_pay_for(model: trits.Model, raw: np.ndarray) -> None:
    """Digit by digit for one picture, in plain Python."""
    length, base, per = 40, model.base, trits.CLASSES_A_PLANE[model.base]
    values = (raw[0] - model.means) / np.float32(model.step)
    whole = np.abs(values).astype(int)
    spent, planes = 0.0, np.full(trits.COEFFICIENTS, model.planes)
    for state, at, plane in model.order.tolist():
        m = whole[at] // base**plane
        if (m // base > 0) == (state == trits.NONZERO):
            c = max(model.classes[at] - per * plane, 0)
            spent += model.bits[model.groups[at], c, state, m % base]
            if spent > 8 * length - trits.END_BITS:
                break
            planes[at] = plane
    expected = whole // base**planes
    found = (model.cut(raw[:1], [length])[0, 0] - model.means) / model.step
    assert (expected > 0).sum() > 5
    np.testing.assert_array_equal(np.floor(np.abs(found) / base**planes + 1e-4), expected)
    np.testing.assert_array_equal(np.sign(found), np.sign(values) * (expected > 0))


def test_more_bytes_are_nearer_and_all_bytes_within_a_cell(model, raw: np.ndarray) -> None:
    cut = model.cut(raw[:8], [20, 60, 200, 100_000])
    errors = np.square(cut - raw[:8, None]).mean(axis=2)
    assert (np.diff(errors, axis=1) < 0).all()
    assert np.abs(cut[:, -1] - raw[:8]).max() < model.step * 1.001


def test_bits_and_trits_are_painted_and_about_as_good() -> None:
    rgb = np.stack([np.asarray(crop.resize((32, 32))) for crop in crops(300, seed=5)])
    found = trits.compare(rgb[:200], rgb[200:240], rgb[240:], [62, 254])
    worth = {b: ablation.psnr(rgb[240:], shown[:, 1]).mean() for b, shown in found.items()}
    assert set(worth) == {2, 3}
    assert worth[2] != worth[3]
    assert worth[2] == pytest.approx(worth[3], abs=1.5)
    assert min(worth.values()) > 20
