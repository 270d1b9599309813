"""The session: it draws and steps on the device, shares its minutes, and survives a bad run."""

from __future__ import annotations

import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from models.training import data, kept, losses
from models.training.session import __main__ as session
from models.training.session import pictures, problems, results, stepping
from models.training.session.pictures import Pictures
from models.training.session.runs import RUNS, Phase, Recipe
from models.training.session.timed import Outcome, Timed
from models.training.session.trainer import Trainer, rate_at
from models.zoo import full_resolution
from models.zoo.toderici2016.network import Widths
from tests.support.photos import crops

SHORT = (Phase(0.5, 1, False), Phase(1.0, 2, True))
NARROW = Widths((3, 4, 4, 6), (5, 4, 4, 4, 4))
TINY = Recipe(
    "tiny", "fc-lstm-bitwise", "grey", 1.0, batch=4, loss="squared", rate=5e-3, phases=SHORT
)


@pytest.fixture
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Full-resolution systems of few channels."""
    narrow = {
        name: replace(system, configs={"small": replace(system.configs["small"], widths=NARROW)})
        for name, system in full_resolution.SYSTEMS.items()
    }
    monkeypatch.setattr(problems, "SYSTEMS", {**problems.SYSTEMS, **narrow})


def stored(count: int = 8, side: int = 64) -> Tensor:
    return torch.from_numpy(
        np.stack([np.asarray(crop.resize((side, side))) for crop in crops(count, seed=3)])
    )


def grey() -> Pictures:
    return Pictures("grey", stored(), data.to_thumbnails(stored()), "cpu")


def timed(folder: Path, recipe: Recipe = TINY, seconds: float = 0.6, **options: object) -> Timed:
    problem = problems.CodecProblem(recipe, grey(), recipe.batch, "cpu", bf16=False)
    return Timed(recipe, problem, seconds, "cpu", "eager", recipe.batch, folder / "tiny", **options)  # type: ignore[arg-type]


def test_the_matrix_of_a_crop_shrinks_it_as_the_training_data_does() -> None:
    one = stored(1)
    planes = one.permute(0, 3, 1, 2).float()
    for side, y, x in ((40, 24, 3), (57, 0, 7), (64, 0, 0)):
        of_rows, of_columns = (pictures._all_crops()[64 - side, first] for first in (y, x))
        small = (of_rows @ planes @ of_columns.T).round().clamp(0, 255).permute(0, 2, 3, 1)
        expected = data.to_thumbnails(one[:, y : y + side, x : x + side])
        assert int((small - expected.float()).abs().max()) <= 1


def test_drawn_thumbnails_are_shrunk_crops_and_their_mirrors() -> None:
    one = stored(1)
    torch.manual_seed(5)
    drawn = data.to_rgb(Pictures("thumbnails", one, one[:, :32, :32], "cpu").draw(8, 32))
    red, kinds = one[0, :, :, 0].float(), set()
    for picture in drawn[..., 0].float():
        found = []
        for smaller in range(25):
            matrices = pictures._all_crops()[smaller, : smaller + 1]
            crops_of_side = torch.einsum("ayi,ij,bxj->abyx", matrices, red, matrices)
            for kind, wanted in (("as it is", picture), ("mirrored", picture.flip(1))):
                off = (crops_of_side.round().clamp(0, 255) - wanted).abs().amax(dim=(2, 3)).min()
                found.append((float(off), kind))
        assert min(found)[0] <= 1
        kinds.add(min(found)[1])
    assert len(kinds) == 2


def test_drawn_crops_are_parts_of_the_tiles_and_their_mirrors() -> None:
    tile = torch.arange(48 * 48 * 3).remainder(251).byte().view(1, 48, 48, 3)
    torch.manual_seed(2)
    found = data.to_rgb(Pictures("photos", tile, tile, "cpu").draw(12, 32))
    places = {
        bytes(part.numpy().tobytes()): kind
        for y in range(17)
        for x in range(17)
        for kind, part in (
            ("as it is", tile[0, y : y + 32, x : x + 32]),
            ("mirrored", tile[0, y : y + 32, x : x + 32].flip(1).contiguous()),
        )
    }
    assert {places[picture.contiguous().numpy().tobytes()] for picture in found} == {
        "as it is",
        "mirrored",
    }


def test_a_run_learns_ends_in_time_and_keeps_what_it_measured(tmp_path: Path) -> None:
    one = timed(tmp_path, seconds=60, target=("samples", 240.0))
    outcome = one.run()
    assert outcome.last["psnr_16"] > outcome.first["psnr_16"] + 0.3
    again = problems.build(TINY, "cpu")
    again.load_state_dict(kept.read(tmp_path / "tiny.npz"))
    assert one.problem.measure(again) == outcome.last
    rows = (tmp_path / "tiny" / "log.csv").read_text().splitlines()
    assert len(rows) == 1 + 3  # before, between the phases, after
    assert outcome.samples == one.trainer.steps * TINY.batch


def test_a_run_ends_when_its_seconds_are_over(tmp_path: Path) -> None:
    outcome = timed(tmp_path, seconds=2.0).run()
    assert outcome.samples
    assert outcome.seconds < 6  # a phase may begin one more step, on a machine that is busy


def test_a_run_ends_where_the_one_that_it_is_held_against_ended(tmp_path: Path) -> None:
    outcome = timed(tmp_path, seconds=60, target=("samples", 24.0)).run()
    assert outcome.samples == 24


def test_a_step_with_a_broken_gradient_changes_no_weight() -> None:
    torch.manual_seed(1)
    layer = nn.Linear(3, 2)
    factor = 1.0
    one = Trainer(layer, lambda: layer(torch.ones(3)).sum() * factor, "cpu")
    one.prepare(0.1)
    one.step()
    before = [w.detach().clone() for w in (*one.weights, *one.means)]
    one.steps, factor = 2, float("nan")
    one.step()
    for weight, mean, was in zip(one.weights, one.means, before, strict=False):
        assert torch.equal(weight, was)
        assert torch.isfinite(mean).all()
    assert np.isfinite(one.mean_loss())
    one.step()
    one.steps = 3
    with pytest.raises(FloatingPointError, match="last 1 steps"):
        one.mean_loss()


def test_the_trainer_is_adam_with_a_clipped_gradient() -> None:
    torch.manual_seed(1)
    ours = nn.Linear(3, 2)
    theirs = nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(5, 3)
    one = Trainer(ours, lambda: 9 * ours(x).square().mean(), "cpu")
    adam = torch.optim.Adam(theirs.parameters())
    for rate in (0.1, 0.03):
        one.prepare(rate)
        one.step()
        adam.param_groups[0]["lr"] = rate
        adam.zero_grad()
        (9 * theirs(x).square().mean()).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(theirs.parameters(), 1.0)
        adam.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    assert not torch.equal(one.means[0], ours.weight)


@pytest.mark.usefixtures("_narrow")
def test_all_iterations_at_once_cost_what_they_cost_one_by_one() -> None:
    recipe = replace(TINY, system="gru", pictures="photos", loss="absolute", batch=2)
    tiles = stored(2)
    problem = problems.CodecProblem(
        recipe, Pictures("photos", tiles, tiles, "cpu"), 2, "cpu", False
    )
    problem.enter(Phase(1.0, 2, True))
    torch.manual_seed(7)
    found = problem.loss()
    torch.manual_seed(7)
    x = problem.pictures.draw(2, 32)
    expected = losses.over_iterations(losses.absolute, x, problem.model(x, 2)[0])
    torch.testing.assert_close(found, expected)


@pytest.mark.usefixtures("_narrow")
def test_half_precision_layers_give_nearly_the_same_loss() -> None:
    """Whichever cell: states, gates and gains of mixed kinds must fit together."""
    tiles = stored(1)
    shown = Pictures("photos", tiles, tiles, "cpu")
    for system in ("gru", "residual-gru-one-shot", "lstm-scaling", "associative-lstm-one-shot"):
        found = []
        for bf16 in (False, True):
            torch.manual_seed(3)
            recipe = replace(TINY, system=system, loss="dssim", batch=1)
            problem = problems.CodecProblem(recipe, shown, 1, "cpu", bf16)
            problem.enter(Phase(1.0, 2, True))
            loss = problem.loss()
            loss.backward()  # type: ignore[no-untyped-call]
            assert loss.dtype == torch.float32
            found.append(float(loss.detach()))
        assert found[1] == pytest.approx(found[0], rel=0.1)


def test_the_rate_warms_up_and_falls() -> None:
    rates = [rate_at(done / 100, 1.0) for done in range(101)]
    assert rates[0] < 0.1 < 0.9 < max(rates) <= 1
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] == pytest.approx(0.02)


@pytest.mark.parametrize(("bits", "close"), [(16, 2e-3), (8, 1e-2), (6, 3e-2), (5, 5e-2)])
def test_kept_weights_come_back_in_fewer_bits(tmp_path: Path, bits: int, close: float) -> None:
    torch.manual_seed(1)
    weights = {"a.weight": torch.randn(6, 5, 3, 3) * torch.logspace(-3, 1, 6)[:, None, None, None]}
    weights["a.bias"] = torch.randn(6)
    kept.pack(weights, {"plan": 1}, tmp_path / "x.npz", bits)
    again = kept.read(tmp_path / "x.npz")
    assert again.keys() == weights.keys()
    for row, was in zip(again["a.weight"], weights["a.weight"], strict=True):
        assert float((row - was).abs().max()) <= close * float(was.abs().max())


def test_the_archive_comes_in_pieces_and_leaves_out_the_least_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "PIECE_BYTES", 20_000)
    work, out = tmp_path / "work", tmp_path / "out"
    (work / "b").mkdir(parents=True)
    (work / "b" / "log.csv").write_text("x\n")
    for name in "ab":
        (work / f"{name}.npz").write_bytes(np.random.default_rng(1).bytes(30_000))
    assert results.pack(work, out, ["b", "a"], 100_000) == []
    assert len(list(out.iterdir())) > 2
    assert results.pack(work, out, ["b", "a"], 50_000) == ["a.npz"]
    assert max(piece.stat().st_size for piece in out.iterdir()) <= 20_000
    joined = tmp_path / "joined.tar"
    joined.write_bytes(b"".join(piece.read_bytes() for piece in sorted(out.iterdir())))
    with tarfile.open(joined) as archive:
        assert sorted(archive.getnames()) == ["b.npz", "b/log.csv"]


def test_runs_begin_with_earlier_ones_and_are_held_against_them() -> None:
    names: list[str] = []
    for recipe in RUNS:
        assert recipe.name not in names
        before = [*recipe.start_from, recipe.equal and recipe.equal[1], recipe.codec]
        for place in (place for place in before if place):
            assert place in names or Path(place).exists(), f"{recipe.name}: {place}"
        assert recipe.phases[-1].until == 1
        assert recipe.system in problems.SYSTEMS
        names.append(recipe.name)


def shards(folder: Path) -> Path:
    """Two tiles of 256x256, four thumbnails, and what is held back of each."""
    for name, side, count in (("photos-train-0", 256, 2), ("thumbs-train-0", 64, 4)):
        blobs = []
        for crop in crops(count, seed=side):
            crop.resize((side, side), Image.Resampling.LANCZOS).save(folder / "x.png")
            blobs.append((folder / "x.png").read_bytes())
        (folder / "x.png").unlink()
        ends = np.cumsum([0, *map(len, blobs)])
        np.savez(
            folder / f"{name}.npz", offsets=ends, blob=np.frombuffer(b"".join(blobs), np.uint8)
        )
    np.savez(folder / "thumbs-validation.npz", rgb=np.full((2, 32, 32, 3), 90, np.uint8))
    (folder / "photos-validation").mkdir()
    for crop in crops(1, seed=4):
        crop.resize((160, 160)).save(folder / "photos-validation" / "one.png")
    return folder


def test_pictures_of_every_kind_are_read_once(tmp_path: Path) -> None:
    found = pictures.load(shards(tmp_path), {"photos", "high-entropy", "thumbnails", "grey"}, 1)
    assert found["photos"][0].shape == (2, 256, 256, 3)
    assert found["photos"][1].shape == (1, 128, 128, 3)
    assert found["high-entropy"][0].shape == (14, 32, 32, 3)
    assert found["thumbnails"][0].shape == (4, 64, 64, 3)
    assert Pictures("grey", *found["grey"], "cpu").draw(3, 32).shape == (3, 1, 32, 32)


def test_a_session_goes_on_after_a_run_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = replace(TINY, name="broken", start_from=("nowhere.npz",))
    monkeypatch.setattr(session, "RUNS", (broken, TINY))
    monkeypatch.setattr(
        "sys.argv",
        ["session", "--data", str(shards(tmp_path)), "--out", str(tmp_path / "out")]  # noqa: RUF005
        + ["--work", str(tmp_path / "work"), "--device", "cpu", "--minutes", "0.08"],
    )
    session.main()
    shown = capsys.readouterr()
    assert "FileNotFoundError: none of nowhere.npz" in shown.err
    assert "| broken | 0 |" in shown.out
    assert "| done |" in shown.out
    joined = subprocess.run(
        ["tar", "tf", str(tmp_path / "out" / "session.tar.00")], capture_output=True, check=True
    )
    assert sorted(joined.stdout.decode().split()) == ["table.md", "tiny.npz", "tiny/log.csv"]


def test_a_mode_that_fails_gives_way_to_plain_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuses(step: stepping.Step) -> tuple[stepping.Step, int]:
        step()
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(stepping, "captured", refuses)
    monkeypatch.setattr(session, "RUNS", (TINY, replace(TINY, name="next")))
    monkeypatch.setattr(
        "sys.argv",
        ["session", "--data", str(shards(tmp_path)), "--out", str(tmp_path / "out")]  # noqa: RUF005
        + ["--device", "cpu", "--minutes", "0.08", "--mode", "graph"],
    )
    session.main()
    shown = capsys.readouterr().out
    assert shown.count("tiny: graph failed, eager from here") == 1
    assert "next: graph" not in shown
    assert shown.count("| done |") == 2


@pytest.mark.usefixtures("_narrow")
def test_an_entropy_model_learns_a_codecs_bits(tmp_path: Path) -> None:
    recipe = next(one for one in RUNS if one.codec)
    recipe = replace(recipe, crop=64, batch=4, phases=(Phase(1.0, 1, True),))
    tiles = stored(4)
    shown = Pictures("photos", tiles, tiles[:2], "cpu")
    torch.manual_seed(1)
    codec = problems.build(recipe, "cpu")
    problem = problems.EntropyProblem(recipe, codec, shown, 4, "cpu")
    target = "samples", 80.0
    outcome = Timed(recipe, problem, 60, "cpu", "eager", 4, tmp_path / "bits", target).run()
    assert outcome.last["saved_2"] > outcome.first["saved_2"] + 0.005


def test_areas_are_those_under_the_last_line(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    steps = [f"psnr_after_{n}" for n in range(1, 17)]
    rows = [",".join(["gmac", *steps]), ",".join(["1"] + ["9"] * 16), ",".join(["7"] + ["32"] * 16)]
    (tmp_path / "a" / "log.csv").write_text("\n".join(rows) + "\n")
    assert "| a | 60.00 | 32.00 | 7 |" in results.areas(tmp_path)


def test_a_table_has_a_line_a_run() -> None:
    done = Outcome("a", 100, 4.0, 12.0, {"ssim_2": 0.5, "psnr_2": 20.0}, {"psnr_2": 21.0})
    assert "| a | 100 | 4.0 | 25 | 12 | ssim_2 0.5000 psnr_2 20.0000 |" in results.table([done])
