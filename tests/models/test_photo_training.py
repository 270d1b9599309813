"""Training on photos: which tiles, what they cost, and that a run goes on where it stopped."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.training import __main__ as command
from models.training import data, kept, losses, photos, sources
from models.training.loop import Plan, Run
from models.zoo.johnston2017.codec import Codec, Config
from models.zoo.toderici2016.network import Widths
from tests.support.photos import crops

TINY = Widths((3, 4, 4, 6), (5, 4, 4, 4, 4))
PLAN = Plan(
    "gru", "tiny", 64, 2, batch=4, warmup=4, bf16=False, loss="dssim", pictures="photos", crop=32
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shard of 21 tiles of 256x256."""
    tiles = []
    for crop in crops(21, seed=4):
        body = io.BytesIO()
        crop.resize((256, 256)).save(body, "png")
        tiles.append(body.getvalue())
    made = tmp_path_factory.mktemp("photos")
    ends = np.cumsum([0, *map(len, tiles)])
    blob = np.frombuffer(b"".join(tiles), np.uint8)
    np.savez(made / "photos-train-0.npz", blob=blob, offsets=ends)
    return made


def test_shards_are_tiles_and_every_20th_validates(folder: Path) -> None:
    tiles, validation = photos.load(folder)
    assert tiles.shape == (19, 256, 256, 3)
    assert validation.shape == (2, 64, 64, 3)
    first = np.asarray(crops(21, seed=4)[0].resize((256, 256)))
    np.testing.assert_array_equal(validation[0].numpy(), first[96:160, 96:160])


def test_pictures_of_their_own_validate_where_there_are_some(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "photos-train-0.npz").symlink_to(folder / "photos-train-0.npz")
    (tmp_path / "photos-validation").mkdir()
    other = crops(1, seed=9, size_range=(100, 140))[0]
    other.save(tmp_path / "photos-validation" / "a.png")
    tiles, validation = photos.load(tmp_path)
    assert len(tiles) == 21
    np.testing.assert_array_equal(validation[0].numpy(), photos.middle(np.asarray(other)))


def test_no_shards_and_tiles_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"photos-train"):
        photos.load(tmp_path)
    body = io.BytesIO()
    crops(1)[0].resize((64, 64)).save(body, "png")
    blob = np.frombuffer(body.getvalue(), np.uint8)
    np.savez(tmp_path / "photos-train-0.npz", blob=blob, offsets=[0, len(blob)])
    with pytest.raises(ValueError, match=r"\(64, 64\)"):
        photos.load(tmp_path)


def test_high_entropy_tiles_are_those_that_png_compresses_worst() -> None:
    """Noise in some tiles of a picture without any: those are found, and nothing else."""
    noise = np.random.default_rng(1)
    picture = np.full((256, 256, 3), 90, np.uint8)
    noisy = [(0, 3), (2, 2), (5, 7), (7, 0)]
    for row, column in noisy:
        tile = picture[32 * row : 32 * row + 32, 32 * column : 32 * column + 32]
        tile[:] = noise.integers(0, 256, tile.shape)
    expected = np.stack(
        [picture[32 * r : 32 * r + 32, 32 * c : 32 * c + 32] for r, c in sorted(noisy)]
    )
    np.testing.assert_array_equal(photos.high_entropy(picture, share=4 / 64), expected)
    assert len(photos.high_entropy(picture)) == round(64 * 100 / 880)
    assert len(photos.high_entropy(picture[:40, :40])) == 1


def test_what_is_dropped_has_a_smaller_png_than_what_is_kept(folder: Path) -> None:
    tiles, _ = photos.load(folder)
    hard, validation = photos.load_high_entropy(folder)
    assert len(hard) == 7 * len(tiles)
    assert len(validation) == 2
    kept = {tile.tobytes() for tile in hard[:7].numpy()}
    first = tiles[0].numpy().reshape(8, 32, 8, 32, 3).swapaxes(1, 2).reshape(64, 32, 32, 3)
    sizes = {tile.tobytes(): photos.png_bytes(tile) for tile in first}
    assert kept <= sizes.keys()
    assert max(s for t, s in sizes.items() if t not in kept) <= min(sizes[t] for t in kept)


def test_crops_are_of_the_photos_repeatable_and_flipped_at_times() -> None:
    stored = torch.arange(2 * 8 * 9).reshape(2, 8, 9, 1).expand(-1, -1, -1, 3).byte()
    draws = [
        photos.random_crops(stored, 64, torch.Generator().manual_seed(2), side=4) for _ in range(2)
    ]
    assert torch.equal(*draws)
    steps = draws[0][..., 0].int().diff(dim=2)
    across = steps.flatten(1)
    assert ((across == 1).all(1) | (across == -1).all(1)).all()
    assert 10 < int((across == 1).all(1).sum()) < 54
    assert (draws[0][..., 0].int().diff(dim=1) == 9).all()
    with pytest.raises(ValueError, match="no crop of 9 pixels in pictures of 9x8"):
        photos.random_crops(stored, 1, torch.Generator(), side=9)
    with pytest.raises(ValueError, match="32, not 64"):
        sources.thumbnails(stored, 1, torch.Generator(), side=64)


def test_thumbnails_are_not_made_of_the_photos_shards(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        data.load_training(folder)


def test_the_structure_weighted_loss_is_the_papers() -> None:
    """Block by block and channel by channel, in plain Python."""
    torch.manual_seed(3)
    x, picture = (torch.rand(2, 3, 16, 24) * 1.8 - 0.9 for _ in range(2))
    loss = losses.StructureWeighted()
    weighted, structures = [], []
    for n in range(2):
        for c in range(3):
            for top in (0, 8):
                for left in (0, 8, 16):
                    a = x[n, c, top : top + 8, left : left + 8].double() + 0.9
                    b = picture[n, c, top : top + 8, left : left + 8].double() + 0.9
                    c1, c2 = (0.01 * 1.8) ** 2, (0.03 * 1.8) ** 2
                    covariance = ((a - a.mean()) * (b - b.mean())).mean()
                    ssim = (2 * a.mean() * b.mean() + c1) * (2 * covariance + c2)
                    ssim /= a.mean() ** 2 + b.mean() ** 2 + c1
                    ssim /= a.var(correction=0) + b.var(correction=0) + c2
                    structures.append((1 - ssim) / 2)
                    weighted.append(structures[-1] * (a - b).abs().mean())
    average = torch.stack(structures).mean()
    expected = torch.stack(weighted).mean() / average
    assert float(loss(x, picture)) == pytest.approx(float(expected), rel=1e-4)
    assert float(loss.average) == pytest.approx(float(average), rel=1e-4)
    loss(x, x)  # its S is 0: the average moves by a hundredth
    assert float(loss.average) == pytest.approx(0.99 * float(average), rel=1e-4)


def test_no_gradient_passes_the_weight() -> None:
    x, picture = torch.zeros(1, 1, 8, 8), torch.full((1, 1, 8, 8), 0.5, requires_grad=True)
    loss = losses.StructureWeighted()
    loss(x, picture).backward()  # one block: its weight is 1
    torch.testing.assert_close(picture.grad, torch.full_like(picture, 1 / 64))


def test_a_resumed_run_knows_the_average_of_its_loss(tmp_path: Path) -> None:
    torch.manual_seed(1)
    stored = torch.from_numpy(np.stack([np.asarray(c.resize((64, 64))) for c in crops(8)]))

    def run() -> Run:
        def draw(pictures: torch.Tensor, batch: int, g: torch.Generator) -> torch.Tensor:
            return photos.random_crops(pictures, batch, g, side=32)

        return Run(PLAN, Codec(Config(TINY)), tmp_path, lambda *_: {}, draw=draw)

    first = run()
    for _ in range(3):
        first.step(stored)
    first.save()
    second = run()
    assert second.resume()
    found = []
    for one in (first, second):
        torch.manual_seed(9)
        found.append(one.step(stored))
    assert found[0] == found[1]
    assert isinstance(first.loss, losses.StructureWeighted)
    assert isinstance(second.loss, losses.StructureWeighted)
    assert float(first.loss.average) == float(second.loss.average) > 0


def test_the_command_trains_on_photos_and_on_hard_tiles(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(command.SYSTEMS["gru"].configs, "tiny", Config(TINY))
    begin = tmp_path / "photos"
    for pictures, crop, more in (
        ("photos", "64", []),
        ("high-entropy", "32", ["--start-from", str(begin)]),
    ):
        words = ["gru", "--config", "tiny", "--data", str(folder), "--no-bf16", "--threads", "1"]
        words += ["--pictures", pictures, "--crop", crop, "--loss", "dssim", "--samples", "8"]
        words += ["--out", str(tmp_path / pictures), "--batch", "4", "--iterations", "4", *more]
        monkeypatch.setattr(sys, "argv", ["x", *words])
        command.main()
        log = (tmp_path / pictures / "log.csv").read_text().splitlines()
        assert "psnr_0.5" in log[0]
        assert "psnr_2" not in log[0], "measured after more iterations than were trained"
        assert len(log) == 2


def test_a_kept_run_is_small_and_training_goes_on_from_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(PLAN, Codec(Config(TINY)), tmp_path / "run", lambda *_: {"psnr": 20.0})
    run.report(torch.empty(0), [1.0])
    file = tmp_path / "tiny.npz"
    monkeypatch.setattr(sys, "argv", ["x", str(tmp_path / "run"), str(file)])
    kept.main()
    weights = command.weights_of(file)
    for name, weight in run.averaged.state_dict().items():
        torch.testing.assert_close(weights[name], weight, rtol=2**-8, atol=1e-6)
    Codec(Config(TINY)).load_state_dict(weights)
    with np.load(file) as z:
        history = json.loads(str(z["history"]))
    assert history["plan"]["system"] == "gru"
    assert history["last"]["psnr"] == "20.0"


def test_tiles_opened_from_files_are_rgb(tmp_path: Path) -> None:
    Image.new("L", (100, 100), 7).save(tmp_path / "grey.png")
    assert photos.opened(tmp_path / "grey.png").shape == (100, 100, 3)
