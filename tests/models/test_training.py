"""The trainer: data, losses, resuming, stopping."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models.training import compute, curve, data, losses
from models.training.loop import Plan, Run, log_row, measured_at
from models.zoo.conv_lstm import Config, ConvLSTMCodec
from service.quality.ssim import block_ssim
from tests.support.photos import crops

PLAN = Plan("conv-lstm", "tiny", samples=96, iterations=2, batch=8, warmup=8, bf16=False)


def photos() -> torch.Tensor:
    return torch.from_numpy(np.stack([np.asarray(c.resize((64, 64))) for c in crops(8, seed=3)]))


def run(folder: Path, plan: Plan = PLAN) -> Run:
    torch.manual_seed(plan.seed)
    return Run(plan, ConvLSTMCodec(Config((4, 6, 8))), folder, measured_at({"32": 2}))


def weights(one: Run) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in one.model.parameters()])


def test_training_lowers_the_loss_and_logs_it(tmp_path: Path) -> None:
    pictures = photos()
    one = run(tmp_path, replace(PLAN, samples=480))
    first = one.step(pictures)
    one.train(pictures, data.to_thumbnails(pictures), max_minutes=2, every=1e9)
    assert one.samples == 480
    with (tmp_path / "log.csv").open() as file:
        row = list(csv.DictReader(file))[-1]
    assert float(row["loss"]) < 0.8 * first
    assert float(row["samples"]) == 480
    assert float(row["gmac"]) == pytest.approx(480 * one.gmac_each, abs=0.06)
    curve.plot(tmp_path / "log.csv", tmp_path / "curve.svg")
    assert (tmp_path / "curve.svg").stat().st_size > 1000


def test_a_log_keeps_the_columns_it_began_with(tmp_path: Path) -> None:
    log_row(tmp_path / "log.csv", {"samples": 1.0, "loss": 0.5})
    log_row(tmp_path / "log.csv", {"samples": 2.0, "loss": 0.25, "gmac": 7.0})
    assert (tmp_path / "log.csv").read_text().split() == ["samples,loss", "1.0,0.5", "2.0,0.25"]


def test_multiplications_are_counted_over_both_halves_and_all_iterations() -> None:
    model = ConvLSTMCodec(Config((4, 6, 8)))
    once = compute.macs(model, 1)
    rgb = 32 * 32 * 4 * 3  # the last layer alone: 1x1, 4 to 3 channels
    assert once > rgb
    assert compute.macs(model, 3) == 3 * once


def test_a_resumed_run_knows_its_weights_counters_and_data_order(tmp_path: Path) -> None:
    pictures = photos()
    first = run(tmp_path)
    first.step(pictures)
    first.save()
    second = run(tmp_path)
    assert second.resume()
    assert second.samples == first.samples == 8
    assert torch.equal(weights(first), weights(second))
    assert torch.equal(first.generator.get_state(), second.generator.get_state())
    torch.manual_seed(9)
    one = first.step(pictures)
    torch.manual_seed(9)
    assert second.step(pictures) == one
    assert torch.equal(weights(first), weights(second))


def test_another_plan_does_not_resume_a_run(tmp_path: Path) -> None:
    run(tmp_path).save()
    with pytest.raises(ValueError, match="another plan"):
        run(tmp_path, replace(PLAN, rate=0.5)).resume()


def test_a_run_stops_when_its_minutes_are_over(tmp_path: Path) -> None:
    pictures = photos()
    one = run(tmp_path, replace(PLAN, samples=10**9))
    one.train(pictures, data.to_thumbnails(pictures), max_minutes=0.02, every=1e9)
    assert 0 < one.samples < 10**6
    assert one.checkpoint.exists()


def test_a_loss_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    one = run(tmp_path)
    with pytest.raises(FloatingPointError):
        one.report(data.to_thumbnails(photos()), [float("nan")])


def test_the_rate_warms_up_and_falls(tmp_path: Path) -> None:
    one = run(tmp_path, replace(PLAN, samples=1000, warmup=100))
    rates = []
    for one.samples in range(0, 1001, 50):
        rates.append(one.rate())
    assert rates[0] < rates[2] <= PLAN.rate
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert rates[-1] == pytest.approx(PLAN.rate * PLAN.final_rate)


def test_relative_iterations_count_alike_whatever_they_cost() -> None:
    x = torch.zeros(1, 3, 8, 8)
    pictures = [torch.full_like(x, 0.5).requires_grad_(), torch.full_like(x, 0.1).requires_grad_()]
    pulls = []
    for relative in (False, True):
        loss = losses.over_iterations(losses.squared, x, pictures, relative)
        grads = torch.autograd.grad(loss, pictures)
        pulls.append([float((g * p).sum()) for g, p in zip(grads, pictures, strict=True)])
    assert pulls[0][0] == pytest.approx(25 * pulls[0][1])
    assert pulls[1][0] == pytest.approx(pulls[1][1])


def test_the_losses_ssim_is_the_evaluations() -> None:
    a = data.to_thumbnails(photos())
    b = (a.int() + torch.randint(-20, 20, a.shape)).clamp(0, 255).byte()
    ours = losses.block_ssim(data.to_network(a) + 0.9, data.to_network(b) + 0.9)
    assert float(ours) == pytest.approx(block_ssim(a.numpy(), b.numpy()).mean(), abs=1e-5)


def test_thumbnails_survive_the_way_to_the_network_and_back() -> None:
    rgb = data.to_thumbnails(photos())
    assert torch.equal(data.to_rgb(data.to_network(rgb)), rgb)
    assert float(data.to_network(rgb).abs().max()) <= 0.9 + 1e-6


def test_random_thumbnails_are_repeatable_and_of_the_photos() -> None:
    pictures = photos()
    draw = [
        data.random_thumbnails(pictures, 16, torch.Generator().manual_seed(4)) for _ in range(2)
    ]
    assert torch.equal(*draw)
    assert draw[0].shape == (16, 32, 32, 3)
    assert draw[0].dtype == torch.uint8
    assert abs(float(draw[0].float().mean() - pictures.float().mean())) < 40


def test_a_folder_of_pictures_serves_as_data(tmp_path: Path) -> None:
    for n, crop in enumerate(crops(21, seed=2)):
        crop.save(tmp_path / f"{n:02}.png")
    training, validation = data.load(tmp_path)
    assert training.shape == (19, 64, 64, 3)
    assert validation.shape == (2, 32, 32, 3)
    with pytest.raises(FileNotFoundError):
        data.load_training(tmp_path / "00.png")


def test_shards_are_read(tmp_path: Path) -> None:
    blobs = []
    for n, crop in enumerate(crops(3, seed=8)):
        path = tmp_path / f"{n}.webp"
        crop.resize((64, 64), Image.Resampling.LANCZOS).save(path, lossless=True)
        blobs.append(path.read_bytes())
        path.unlink()
    ends = np.cumsum([0, *map(len, blobs)])
    np.savez(
        tmp_path / "x-train-0.npz", offsets=ends, blob=np.frombuffer(b"".join(blobs), np.uint8)
    )
    thumbs = np.zeros((2, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "x-validation.npz", rgb=thumbs)
    training, validation = data.load(tmp_path)
    assert training.shape == (3, 64, 64, 3)
    assert torch.equal(validation, torch.from_numpy(thumbs))


@pytest.mark.parametrize("side", [40, 47, 64])
def test_thumbnails_are_resized_as_pillow_does(side: int) -> None:
    """Lanczos, the filter of the service. Pillow rounds and clips in between: pale pictures."""
    pale = [c.point([64 + v // 2 for v in range(256)] * 3) for c in crops(8, seed=11)]
    found = [c.resize((side, side)) for c in pale]
    ours = data.to_thumbnails(torch.from_numpy(np.stack([np.asarray(p) for p in found])))
    theirs = np.stack([np.asarray(p.resize((32, 32), Image.Resampling.LANCZOS)) for p in found])
    other = np.stack([np.asarray(p.resize((32, 32), Image.Resampling.BICUBIC)) for p in found])
    off = np.abs(ours.numpy().astype(int) - theirs)
    assert off.max() <= 1
    assert off.mean() < 0.2 < np.abs(ours.numpy().astype(int) - other).mean()
