"""Who learns from what, what is measured, and that a session ends in time with what it has."""

from __future__ import annotations

import itertools
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.mentzer import losses, measuring, runs, starting
from models.mentzer.session import Session, history_of
from models.mentzer.timed import Options, Timed
from models.training import kept
from models.zoo.mentzer2018 import rate
from models.zoo.mentzer2018.autoencoder import Config
from models.zoo.mentzer2018.codec import Codec

TINY = Config(first=4, width=8, groups=1, bottleneck=6, heads=1, context=4)
OPTIONS = Options("cpu", batch=1, narrow=False, clip=1e9)


def pictures(count: int, side: int) -> Tensor:
    """Smooth ones: ramps with a little noise."""
    generator = torch.Generator().manual_seed(1)
    ramp = torch.linspace(30, 220, side)
    noise = torch.randn(count, side, side, 3, generator=generator) * 8
    return (ramp[:, None, None] / 2 + ramp[None, :, None] / 2 + noise).clamp(0, 255).byte()


def timed(run: runs.Run) -> Timed:
    torch.manual_seed(2)
    config = replace(TINY, heads=run.heads, bottleneck=run.channels)
    trained = Timed(run, Codec(config), OPTIONS)
    trained.prepare("all")
    return trained


@pytest.mark.parametrize("masked", [True, False])
def test_the_context_model_learns_all_bits_and_the_autoencoder_those_it_pays_for(
    masked: bool,
) -> None:
    run = runs.Run("x", "x", 1, channels=6, target_bpp=0.01, masked=masked)
    trained, again = timed(run), timed(run)
    tiles = pictures(1, 176)
    photo = trained.draw(tiles)
    trained.step(photo, "all", passed=0.5, steps=1)

    model = again.model
    shown, coded, bits = model(photo)
    soft = rate.soft(bits, coded.symbols, coded.soft)
    paid = (soft * coded.mask if masked else soft).mean()
    loss = losses.distortion(model, photo, shown)[0]
    loss = loss + losses.BETA * (paid - rate.a_symbol(0.01, 6)).clamp(min=0)
    parameters = model.picture_parameters()
    due = torch.autograd.grad(loss, parameters, retain_graph=True)
    close(due, [p.grad for p in trained.model.picture_parameters()])
    context = list(model.context.parameters())
    due = torch.autograd.grad(rate.of_symbols(bits, coded.symbols).mean(), context)
    close(due, [p.grad for p in trained.model.context.parameters()])


@pytest.mark.parametrize("learns", ["all", "picture", "context"])
def test_a_step_stays_on_its_device_and_never_waits_for_it(learns: runs.Learns) -> None:
    trained = timed(runs.Run("x", "x", 1, channels=6, heads=2, target_bpp=0.1))
    for model in (trained.model, trained.averaged):
        model.to("meta")  # nothing can be read from there, nor mixed with the host's
    trained.prepare(learns)
    told = trained.step(torch.empty(1, 3, 176, 176, device="meta"), learns, 0.5, steps=1)
    assert told.device.type == "meta"


def close(due: tuple[Tensor, ...], found: list[Tensor | None]) -> None:
    assert len(due) == len(found)
    for one, other in zip(due, found, strict=True):
        assert other is not None
        assert torch.allclose(one, other, rtol=1e-3, atol=1e-4 * float(one.abs().max()) + 1e-7)


def test_each_map_aims_at_its_part_of_the_target() -> None:
    run = runs.Run("x", "x", 1, channels=8, heads=5, target_bpp=0.5)
    aims = [run.target(head) for head in range(5)]
    assert aims == pytest.approx([rate.a_symbol(bpp / 10, 8) for bpp in range(1, 6)])
    assert runs.Run("x", "x", 1, channels=8).target(0) is None


@torch.no_grad()
def test_a_map_starts_where_its_target_is_a_little_exceeded() -> None:
    low = runs.Run("low", "x", 1, channels=32, target_bpp=0.2)
    high = replace(low, name="high", target_bpp=0.4)
    torch.manual_seed(4)
    model = Codec(replace(TINY, bottleneck=32))
    photo = measuring.planes(pictures(8, 64))
    shares = []
    for run, before in ((low, None), (high, low)):
        starting.aim(model, run, before)
        shares.append(float(model.code(model.encoder(photo)).mask.mean()))
    over = starting.OVER / starting.BITS
    assert shares == pytest.approx([over * rate.a_symbol(t, 32) for t in (0.2, 0.4)], rel=0.2)


def test_the_scan_is_channels_then_rows_then_columns() -> None:
    symbols = torch.arange(12).view(1, 2, 2, 3)
    line, before = measuring.scan(symbols, symbols.new_full((1, 1), 7))
    assert line[0].tolist() == list(range(12))
    assert before[0].tolist() == [7, *range(11)]


@torch.no_grad()
def test_tables_are_probabilities_and_what_repeats_costs_less_after_itself() -> None:
    torch.manual_seed(3)
    model = Codec(TINY).eval()
    tables = measuring.counted(model, pictures(3, 64))
    assert float((2.0**-tables.zeroth).sum()) == pytest.approx(1, abs=1e-4)
    assert (2.0**-tables.previous).sum(1).tolist() == pytest.approx([1] * 6, abs=1e-4)
    found = measuring.figures(model, pictures(2, 176), tables)
    assert found["uniform"] == pytest.approx(6 * 2.585 / 64, abs=1e-3)
    assert found["previous"] < found["zeroth"] < found["uniform"]
    assert found["masked"] < found["context"]


def test_a_session_keeps_what_ends_tells_what_fails_and_stops_in_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = runs.Run("first", "x", 1, channels=6, target_bpp=0.1)
    after = replace(first, name="after", heads=0, target_bpp=None, phases=runs.AFTERWARDS)
    more = replace(first, name="more", begins="first", heads=1)
    lost = replace(first, name="lost", begins="nobody")
    ticks = itertools.count()
    given = pictures(4, 176), pictures(1, 176)
    session = Session(OPTIONS, TINY, *given, tmp_path, clock=lambda: float(next(ticks)))
    rows = session.all([first, lost, after, more], seconds=60)
    assert 40 < next(ticks) < 80
    assert [row["run"] for row in rows] == ["first", "after", "more"]
    assert "lost begins from nobody" in capsys.readouterr().out
    assert {path.name for path in tmp_path.iterdir()} == {
        "mentzer-0.tar.gz",
        "table.md",
        "table.csv",
    }
    with tarfile.open(tmp_path / "mentzer-0.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    weights = kept.read(tmp_path / "after.npz")
    Codec(Config(**kept.history(tmp_path / "after.npz")["config"])).load_state_dict(weights)
    again = replace(session, out=tmp_path / "again", start=tmp_path)
    again.all([more], seconds=20)
    with tarfile.open(tmp_path / "again" / "mentzer-0.tar.gz") as archive:
        archive.extractall(tmp_path / "again", filter="data")
    history = history_of(tmp_path / "again" / "more.npz")
    names = []
    while history:
        names.append(history["run"]["name"])
        history = history["before"]
    assert names == ["more", "more", "first"]
    assert (tmp_path / "first.csv").read_text().startswith("phase,samples,passed,ms_ssim")


@torch.no_grad()
def test_a_training_ends_with_statistics_of_its_average() -> None:
    trained = timed(runs.Run("x", "x", 1, channels=6, target_bpp=0.1))
    ticks = itertools.count()
    trained.clock = lambda: float(next(ticks))
    tiles = pictures(1, 176)
    with torch.enable_grad():
        trained.train(tiles, runs.TOGETHER[0], 8, lambda *_: None)
    photo = trained.draw(tiles)
    used = trained.averaged.encoder(photo)
    of_batch = trained.averaged.encoder.train()(photo)  # all are one tile, flipped or not
    assert float((used - of_batch).abs().mean()) < 0.1 * float(of_batch.std())


def test_statistics_of_an_earlier_session_are_estimated_anew(tmp_path: Path) -> None:
    run = runs.Run("first", "x", 1, channels=6, heads=2, target_bpp=0.1)
    ticks = itertools.count()
    given = pictures(4, 176), pictures(1, 176)
    session = Session(OPTIONS, TINY, *given, tmp_path, clock=lambda: float(next(ticks)))
    trained = timed(run)
    trained.averaged.encoder.first.norm.running_mean.fill_(7)
    history = {"run": {}, "config": vars(trained.model.config), "seconds": 3, "gmac": 4}
    session.keep(run, trained, history)
    (tmp_path / "before").mkdir()
    (tmp_path / "first.npz").rename(tmp_path / "before" / "first.npz")
    rows = session.again([run], tmp_path / "before")
    assert [(row["run"], row["gmac"]) for row in rows] == [("first/1", 4), ("first/2", 4)]
    mean = kept.read(tmp_path / "first.npz")["encoder.first.norm.running_mean"]
    assert float(mean.abs().max()) < 3


def test_letters_and_names_choose_runs() -> None:
    assert [run.letter for run in runs.chosen("g,b")] == ["b", "g", "g", "g"]
    assert [run.name for run in runs.chosen("joint-50,b")] == ["joint", "joint-50"]
    with pytest.raises(ValueError, match="no run z"):
        runs.chosen("b,z")
