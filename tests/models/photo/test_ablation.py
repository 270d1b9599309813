"""The ablation of photos' networks: a variant lacks what it says, is trained once, is kept."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.photo import __main__ as command
from models.photo import ablation, training, validation
from models.photo.ablation import VARIANTS, Variant
from models.photo.networks import COEFFICIENTS, LOW, SHAPES, TOLD, Networks, Shape
from models.photo.training import PhotoPlan, run_of
from models.training import kept
from service.codec.photo.tables import Stored
from tests.models.photo.conftest import SIDE, Pixels
from tests.support.photos import crops

TINY = SHAPES["tiny"]


@pytest.fixture(autouse=True)
def _little_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "COUNTED", 3)
    monkeypatch.setattr(validation, "MORE_BPP", ())


def _networks(shape: Shape) -> Networks:
    """With weights that do something."""
    torch.manual_seed(3)
    made = Networks(shape)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made


@pytest.mark.parametrize("name", [*ablation.PARTS[:5], "tiny"])
@torch.no_grad()
def test_a_variant_goes_without_what_its_name_says(name: str) -> None:
    shape = replace(SHAPES[name], width=TINY.width, wide=TINY.wide, blocks=TINY.blocks)
    networks = _networks(shape)
    cells, told = torch.randn(1, COEFFICIENTS, 4, 5), torch.randn(2, 1, TOLD)
    coded = networks.analysed(cells)
    first, second = (networks.known(cells, one) for one in told)
    assert torch.equal(coded, cells) is (name == "no-analysis")
    assert torch.equal(first, cells) is (name == "no-synthesis")
    assert torch.equal(first, second) is (name in ("blind", "no-synthesis"))
    gain = networks.synthesis(cells, told[0])[1]
    assert bool((gain == 1).all()) is (name == "additive")
    assert (gain[:, :LOW] == 1).all()


def test_a_model_for_one_rate_sees_cuts_there_alone(
    stored: Stored, pictures: list[Pixels], tmp_path: Path
) -> None:
    tiles = torch.from_numpy(np.stack(pictures))
    plan = PhotoPlan("photo", "tiny", 64, 1, batch=2, bf16=False, channels_last=False, crop=SIDE)
    places = []
    for name in ("full", "only-0.25"):
        changes = VARIANTS[name].changes
        run = run_of(replace(plan, **changes), tmp_path / name, stored, tiles, lambda _: {})
        places.append({run.rates[whole] for whole, _ in run.cuts(50)})
    assert min(places[0]) < 0.1 < 1 < max(places[0])
    (only,) = places[1]
    assert 0.2 < only < 0.25


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tiles to train on, one photo to measure with."""
    folder = tmp_path_factory.mktemp("photos")
    pictures = [crop.resize((256, 256)) for crop in crops(4, seed=4, size_range=(200, 250))]
    files = []
    for picture in pictures[:3]:
        body = io.BytesIO()
        picture.save(body, "png")
        files.append(body.getvalue())
    blob = np.frombuffer(b"".join(files), np.uint8)
    np.savez(folder / "photos-train-0.npz", blob=blob, offsets=np.cumsum([0, *map(len, files)]))
    (folder / "photos-validation").mkdir()
    Image.fromarray(np.asarray(pictures[3])).save(folder / "photos-validation" / "a.png")
    return folder


def _ablate(
    data: Path, out: Path, monkeypatch: pytest.MonkeyPatch, minutes: str, *more: str
) -> None:
    given = ["--data", str(data), "--out", str(out), "--minutes", minutes, "--samples", "4"]
    own = ["--batch", "2", "--threads", "1", "--device", "cpu", *more]
    monkeypatch.setattr(sys, "argv", ["x", "ablate", *given, *own])
    command.main()


def test_variants_are_trained_once_measured_and_kept(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = {"config": "tiny"}
    small = {
        "full": Variant("as the codec is", tiny),
        "squared": Variant("squared", tiny | {"structure": 0.0, "perceived": 0.0}),
        "only-0.1": Variant("one rate", tiny | {"lowest_bpp": 0.1, "highest_bpp": 0.1}),
    }
    monkeypatch.setattr(ablation, "VARIANTS", small)
    out = tmp_path / "out"
    _ablate(data, out, monkeypatch, "0", "--variants", "full")
    assert not (out / "full.json").exists()
    assert not (out / ablation.PAGE).exists()
    _ablate(data, out, monkeypatch, "9", "--variants", "full,squared,only-0.1")
    kept_row = (out / "full.json").read_text()
    assert json.loads(kept_row)["crops"] == 4
    assert set(kept.read(out / "full.npz")) == set(kept.read(out / "squared.npz"))
    assert not (out / "full").exists(), "a finished training leaves no checkpoint"
    with (out / ablation.FIGURES).open() as file:
        rows = {row["variant"]: row for row in csv.DictReader(file)}
    assert list(rows) == list(small)
    assert len({row["ms_ssim"] for row in rows.values()}) == 3
    page = (out / ablation.PAGE).read_text()
    assert "| as the codec is |" in page
    assert "| 0.1 |" in page
    assert "| 0.25 |" not in page, "no model of that rate alone is there"
    monkeypatch.setattr(ablation, "run_of", None)
    _ablate(data, out, monkeypatch, "9", "--variants", "full,squared")
    assert (out / "full.json").read_text() == kept_row, "a finished variant was trained again"
    with pytest.raises(SystemExit, match="no variant nonesuch"):
        _ablate(data, out, monkeypatch, "9", "--variants", "nonesuch")
