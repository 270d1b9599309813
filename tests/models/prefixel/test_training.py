"""The networks around the embedded codec: slopes, training."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from models.prefixel import training
from models.prefixel.gradient import Gradient
from models.prefixel.networks import Correction, Networks, Shape
from models.prefixel.training import (
    DistortionRateFit,
    EmbeddedPlan,
    picture_ssim,
    steps_of,
)
from service.codec.prefixel import encoder_rdo
from service.codec.prefixel.context_model import COEFFICIENTS
from service.codec.prefixel.reconstruction import PRECISIONS
from service.codec.prefixel.tables import Stored
from service.quality.ssim import block_ssim
from tests.models.prefixel.small import PLAN, TINY, photos, run, scrambled, weights


def test_an_untrained_correction_is_the_identity(thumbnails: np.ndarray) -> None:
    photo = torch.from_numpy(thumbnails).float()
    known = torch.rand(len(photo), PRECISIONS) * 5
    model = Networks(TINY)
    with torch.no_grad():
        assert torch.equal(model.painted(photo, known), photo)
        assert torch.equal(model.analysed(photo), photo)
        scrambled(model.synthesis)
        assert float((model.painted(photo, known) - photo).abs().mean()) > 1
        assert not torch.equal(model.painted(photo, known), model.painted(photo, known + 1))


@pytest.mark.parametrize("known", [0, PRECISIONS])
def test_the_gradient_written_out_is_autograds(thumbnails: np.ndarray, known: int) -> None:
    network = scrambled(Correction(Shape(6, 2, 2), known)).double()
    target = torch.from_numpy(thumbnails).double()
    generator = torch.Generator().manual_seed(2)
    painted = target + 12 * torch.randn(target.shape, generator=generator, dtype=torch.float64)
    precise = torch.rand(len(target), known, generator=generator, dtype=torch.float64) * 5
    weight = torch.linspace(20, 90, len(target), dtype=torch.float64)
    painted.requires_grad_()
    shown = network(painted, precise if known else None)
    squared = ((shown - target) / 255).square().mean(dim=(1, 2, 3))
    ssim = picture_ssim(target.permute(0, 3, 1, 2), shown.permute(0, 3, 1, 2))
    expected = weight * squared + 1 - ssim
    expected.sum().backward()
    assert painted.grad is not None
    with torch.no_grad():
        found = Gradient(network)(painted, precise if known else None, target, weight)
    torch.testing.assert_close(found[0], expected.detach(), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(found[1], painted.grad, rtol=1e-4, atol=1e-9)
    assert float(found[1].abs().min(dim=0).values.max()) > 0


def test_the_training_and_the_search_judge_alike(tmp_path: Path, thumbnails: np.ndarray) -> None:
    target = torch.from_numpy(
        np.repeat(thumbnails[:1], len(encoder_rdo.OPERATING_POINTS.payloads), axis=0)
    ).float()
    shown = target.roll(1, 2)
    lengths = torch.from_numpy(encoder_rdo.OPERATING_POINTS.payloads)
    found = run(tmp_path).distortion(target, shown, lengths)
    squared = float(((shown - target) / 255).square().mean())
    a, b = target.byte().numpy(), shown.byte().numpy()
    by_search = encoder_rdo.OPERATING_POINTS.weights * squared + 1 - block_ssim(a, b)
    np.testing.assert_allclose(found.numpy(), by_search, rtol=0.02)


def test_the_ssim_of_the_training_is_the_evaluations(thumbnails: np.ndarray) -> None:
    other = np.roll(thumbnails, 1, axis=1)
    planes = [torch.from_numpy(p).float().permute(0, 3, 1, 2) for p in (thumbnails, other)]
    np.testing.assert_allclose(
        picture_ssim(*planes).numpy(), block_ssim(thumbnails, other), atol=2e-5
    )


def test_painting_is_the_inverse_of_the_transform(tmp_path: Path, thumbnails: np.ndarray) -> None:
    one = run(tmp_path)
    one.begin(photos())
    picture = torch.from_numpy(thumbnails).float()
    cells = one.painter.in_steps(picture)
    torch.testing.assert_close(one.painter.picture(cells), picture, atol=0.05, rtol=0)


def same_tables(a: Stored, b: Stored) -> bool:
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Stored))


def test_a_run_trains_recounts_and_resumes_where_it_stopped(tmp_path: Path) -> None:
    pictures = photos()
    first = run(tmp_path)
    assert not first.resume()
    first.begin(pictures)
    start, tables = weights(first), first.stored
    for _ in range(2):
        assert np.isfinite(first.step(pictures))
    assert same_tables(first.stored, tables)
    first.step(pictures)  # 24 of 48 thumbnails
    # blocks begin as nothing: their inner weights move at the third step
    moved = [
        float((p.detach() - q.detach()).abs().max())
        for p, q in zip(first.model.parameters(), Networks(TINY).parameters(), strict=True)
    ]
    assert min(moved) > 0, "a weight that nothing teaches"
    assert not same_tables(first.stored, tables)
    assert not np.array_equal(first.stored.steps, tables.steps)
    first.save()
    second = run(tmp_path)
    assert second.resume()
    assert second.samples == first.samples == 24
    assert same_tables(second.stored, first.stored)
    assert torch.equal(weights(second), weights(first))
    assert not torch.equal(weights(second), start)
    assert second.step(pictures) == first.step(pictures)
    assert torch.equal(weights(second), weights(first))


def test_a_run_that_takes_over_has_networks_and_tables_but_its_own_schedule(tmp_path: Path) -> None:
    pictures = photos()
    first = run(tmp_path / "first")
    first.begin(pictures)
    first.step(pictures)
    first.save()
    second = run(tmp_path / "second")
    second.take_over(tmp_path / "first")
    assert second.samples == 0
    assert same_tables(second.stored, first.stored)
    averaged = torch.cat([p.detach().flatten() for p in first.averaged.parameters()])
    assert torch.equal(weights(second), averaged)


def test_what_is_anew_begins_as_nothing_and_all_else_must_be_there(tmp_path: Path) -> None:
    pictures = photos()
    first = run(tmp_path / "first")
    first.begin(pictures)
    first.step(pictures)
    first.save()
    begun = run(tmp_path / "anew", EmbeddedPlan(**{**vars(PLAN), "anew": True}))
    begun.take_over(tmp_path / "first")
    photo, known = pictures[:2, ::2, ::2].float(), torch.ones(2, PRECISIONS)
    with torch.no_grad():
        assert torch.equal(begun.model.painted(photo, known), photo)
        taken = begun.model.analysed(photo)
        assert torch.equal(taken, first.averaged.analysed(photo))
        assert not torch.equal(taken, photo)
    state = torch.load(tmp_path / "first" / "checkpoint.pt", weights_only=True)
    for name in [name for name in state["averaged"] if name.startswith("analysis.blocks")]:
        del state["averaged"][name]  # a network of before there were blocks
    torch.save(state, tmp_path / "first" / "checkpoint.pt")
    run(tmp_path / "grown").take_over(tmp_path / "first")
    del state["averaged"]["analysis.convs.0.weight"]
    torch.save(state, tmp_path / "first" / "checkpoint.pt")
    with pytest.raises(ValueError, match=r"has no analysis\.convs\.0\.weight"):
        run(tmp_path / "short").take_over(tmp_path / "first")


def test_only_the_analysis_minds_what_bits_cost(tmp_path: Path) -> None:
    pictures = photos()
    found = []
    for rate_weight in (0.0, 4.0):
        one = run(
            tmp_path / str(rate_weight), EmbeddedPlan(**{**vars(PLAN), "rate_weight": rate_weight})
        )
        one.begin(pictures)
        one.model.zero_grad()
        one._gradients(pictures[:8, ::2, ::2].float())
        found.append(
            [
                p.grad
                for p in (one.model.synthesis.convs[-1].weight, one.model.analysis.convs[-1].weight)
            ]
        )
    assert torch.equal(found[0][0], found[1][0])
    assert not torch.equal(found[0][1], found[1][1])


def test_the_expected_distortion_is_fitted_to_what_is_seen() -> None:
    slope = DistortionRateFit()
    generator = torch.Generator().manual_seed(3)
    before = slope.distortion(torch.tensor(100.0))
    slope.learn(torch.full((50,), 20.0), torch.full((50,), 3.0))
    assert slope.distortion(torch.tensor(100.0)) == before  # too few to say
    slope = DistortionRateFit()
    ratio = np.log(training.LONGEST / training.SHORTEST)
    for _ in range(40):
        lengths = training.SHORTEST * (ratio * torch.rand(200, generator=generator)).exp()
        noise = 1 + 0.3 * (torch.rand(200, generator=generator) - 0.5)
        slope.learn(lengths, noise / (0.9 + 0.02 * lengths))
    assert slope.at_zero == pytest.approx(0.9, abs=0.06)
    assert slope.per_byte == pytest.approx(0.02, rel=0.03)


def test_steps_are_finer_where_errors_cost_more() -> None:
    channel, row, column = np.indices((3, 32, 32)).reshape(3, -1)
    error = np.ones(COEFFICIENTS)
    np.testing.assert_array_equal(steps_of(error, error, 8.0), 128)
    np.testing.assert_array_equal(steps_of(7 * error, error, 8.0), 128)  # no scale of its own
    gain = np.where(channel == 1, 2.0, 1.0)
    found = steps_of(gain, error, 8.0)
    one, other = found[channel == 1], found[channel == 0]
    assert one.max() < 128 < other.min()
    assert other[0] / one[0] == pytest.approx(np.sqrt(2), rel=0.02)
    assert np.log(found / 128).mean() == pytest.approx(0, abs=0.01)
    wild = steps_of(np.where(row + column == 3, 1e6, -1.0), error, 8.0)
    assert 128 / np.sqrt(6) - 1 <= wild.min() < wild.max() <= 128 * np.sqrt(10) + 1
