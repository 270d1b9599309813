"""Training the networks around `photo`: its loss, its gradients, and that a run goes on."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.photo import kernels
from models.photo.distortion import distortion, ms_ssim
from models.photo.layers import Depthwise, Pointwise
from models.photo.lengths import integers, prices
from models.photo.networks import LEVELS, SHAPES
from models.photo.rate import Rate
from models.photo.training import ORDER, PhotoPlan, PhotoRun, Trained, draw
from models.photo.validation import Validation
from service.codec.photo.tables import Stored
from service.quality import ms_ssim as served
from tests.models.photo.conftest import SIDE, Pixels

PLAN = PhotoPlan(
    "photo", "tiny", 64, 1, batch=2, warmup=4, bf16=False, channels_last=False, crop=SIDE, rate=1e-2
)


@pytest.fixture(scope="module")
def tiles(pictures: list[Pixels]) -> torch.Tensor:
    return torch.from_numpy(np.stack(pictures))


def _run(folder: Path, stored: Stored, tiles: torch.Tensor, plan: PhotoPlan = PLAN) -> PhotoRun:
    torch.manual_seed(plan.seed)
    run = PhotoRun(
        plan,
        Trained(SHAPES["tiny"], LEVELS),
        folder,
        lambda *_: {},
        draw=lambda t, batch, generator: draw(t, batch, generator, side=SIDE),
    )
    run.use(stored, tiles)
    return run


def test_ms_ssim_is_that_of_the_service(tiles: torch.Tensor) -> None:
    other = (tiles.float() * 0.9 + 10 * torch.randn(tiles.shape)).clamp(0, 255).to(torch.uint8)
    found = ms_ssim(tiles.permute(0, 3, 1, 2).float(), other.permute(0, 3, 1, 2).float())
    np.testing.assert_allclose(found, served.ms_ssim(tiles.numpy(), other.numpy()), atol=2e-4)


def test_the_distortions_gradient_is_its_slope(tiles: torch.Tensor) -> None:
    photo = tiles[:1].permute(0, 3, 1, 2).double()
    shown = (photo + 5 * torch.randn(photo.shape, dtype=torch.float64)).requires_grad_()
    way = photo - photo.mean((2, 3), keepdim=True)  # one that changes the distortion much
    (slope,) = torch.autograd.grad(distortion(photo.float(), shown.float(), 0.7).sum(), shown)
    step = 0.005
    with torch.no_grad():
        ahead, back = (
            distortion(photo.float(), (shown + s * way).float(), 0.7) for s in (step, -step)
        )
    assert float((slope * way).sum()) == pytest.approx(float((ahead - back) / (2 * step)), rel=0.03)


@pytest.mark.parametrize("layer", [Depthwise(6), Pointwise(6, 4)], ids=["depthwise", "pointwise"])
def test_quick_convolutions_are_convolutions(layer: torch.nn.Conv2d) -> None:
    x = torch.randn(2, 6, 9, 3, requires_grad=True)
    leaves = [x, *layer.parameters()]
    found, plain = layer(x), torch.nn.Conv2d.forward(layer, x)
    torch.testing.assert_close(found, plain, atol=1e-5, rtol=1e-5)
    way = torch.randn(found.shape)
    for mine, theirs in zip(
        torch.autograd.grad(found, leaves, way),
        torch.autograd.grad(plain, leaves, way),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("scale", [0.1, 0.7, 3.0])
def test_all_cells_of_a_scale_share_one_probability(scale: float) -> None:
    """Magnitudes in the middle of each folded cell, their shares of 1 sum to 1."""
    values = np.arange(0.0, 40.0, dtype=np.float32)
    values[1:] += 0.5
    bits = [_one(float(v), 0, 0, scale)[0] for v in values]
    shares = np.exp2(-np.array(bits))
    assert shares[0] + 2 * shares[1:].sum() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("value", [-9.3, -1.6, 0.3, 1.2, 5.5])
def test_slopes_of_bits_are_those_of_bits(value: float) -> None:
    bits, slope, by_scale = _one(value, 0, 1, 0.8)
    step = 1e-2
    ahead, back = _one(value, 0, 1, 0.8 + step)[0], _one(value, 0, 1, 0.8 - step)[0]
    assert by_scale == pytest.approx((ahead - back) / (2 * step), rel=0.02, abs=1e-3)
    assert bits > 0
    assert slope * value >= 0  # a larger one costs more
    if abs(value) > 2:
        assert abs(slope) == pytest.approx(1 / 0.8 / math.log(2), rel=1e-3)


@pytest.mark.parametrize(("found", "refined"), [(0, 0), (2, 2), (1, 2)])
def test_slopes_add_up_to_what_they_are_slopes_of(found: int, refined: int) -> None:
    """From nothing to far: of what is shown, and of its bits."""
    count, far = 6400, 64.0
    values = np.zeros((1, 9, 1, count), np.float32)
    values[0, 0, 0] = (np.arange(count) + 0.5) * far / count
    planes = np.empty((*values.shape, 2), np.int8)
    planes[..., 0], planes[..., 1] = found, refined
    shown, slopes = np.empty_like(values), np.empty_like(values)
    kernels.magnitudes(values, planes, np.full((9, 8, 3), 0.5, np.float32), shown, slopes)
    assert slopes[0, 0, 0].sum() * far / count == pytest.approx(shown[0, 0, 0, -1], abs=4)
    assert (slopes[0, 0, 0, values[0, 0, 0] < 2**found / 2] == 0).all()
    bits = [_one(float(v), found, refined, 0.8) for v in np.linspace(0.02, far, 1600)]
    total = sum(slope for _, slope, _ in bits) * far / 1600
    refinement = bits[-1][0] + (1 if refined > found else 0)  # a bit less, while it waits
    assert total == pytest.approx(refinement - bits[0][0], rel=0.04)


def test_a_coefficient_that_waits_for_refinement_costs_a_bit_less() -> None:
    assert _one(9.0, 1, 1, 1.0)[0] - _one(9.0, 1, 2, 1.0)[0] == pytest.approx(1)
    assert _one(2.5, 1, 1, 1.0)[0] == _one(2.5, 1, 2, 1.0)[0]  # just found: nothing to refine


def test_bits_are_near_what_the_scan_charges(
    stored: Stored, tiles: torch.Tensor, tmp_path: Path
) -> None:
    run = _run(tmp_path, stored, tiles)
    coded = run.coding.analysed(tiles[:1].permute(0, 3, 1, 2).float(), None)
    each = prices(integers(coded, run.states, 0), run.states, stored)
    for bpp in (0.3, 1.2):
        whole = int(np.searchsorted(run.rates, bpp))
        planes = run.states.planes([(whole, 0.0)])
        shown = run.coding.shown(coded, planes)
        found = float(Rate(LEVELS)(coded.details, shown.details, planes).detach())
        assert 0.8 < found / each[:whole].sum() < 1.6


def test_a_run_learns_and_goes_on_where_it_stopped(
    stored: Stored, tiles: torch.Tensor, tmp_path: Path
) -> None:
    run = _run(tmp_path / "one", stored, tiles)
    torch.manual_seed(7)
    losses = [run.step(tiles) for _ in range(4)]
    assert all(map(math.isfinite, losses))
    run.save()
    after = run.step(tiles)
    again = _run(tmp_path / "one", stored, tiles)
    assert again.resume()
    assert again.samples == 8
    assert again.step(tiles) == pytest.approx(after, rel=1e-4)
    with pytest.raises(ValueError, match="another plan"):
        _run(tmp_path / "one", stored, tiles, replace(PLAN, structure=0.5)).resume()
    for name, weight in run.model.named_parameters():
        assert weight.grad is not None, name


def test_validation_of_untrained_networks_is_the_closed_form(
    stored: Stored, tiles: torch.Tensor
) -> None:
    against = Validation(stored, ORDER, tiles[:2])
    figures = against.figures(Trained(SHAPES["tiny"], LEVELS))
    assert figures["rate_psnr"] == pytest.approx(0, abs=0.2)
    assert figures["rate_ms_ssim"] == pytest.approx(0, abs=0.2)
    assert figures["psnr_0.1"] < figures["psnr_1.0"]
    assert against.against(against.closed[:4, 0] * 0 + 99, 0) < 0  # better pictures save bytes


def _one(value: float, found: int, refined: int, scale: float) -> tuple[float, float, float]:
    """Bits of one coefficient without neighbours; slopes by it and by the constant."""
    shape = (1, 9, 1, 1)
    values = np.zeros(shape, np.float32)
    values[0, 0] = value
    planes = np.empty((*shape, 2), np.int8)
    planes[..., 0], planes[..., 1] = found, refined
    weights = np.zeros((9, kernels.SCALES), np.float32)
    weights[:, 0] = scale - kernels.LEAST_SCALE
    of_values, of_weights = np.zeros(shape, np.float32), np.zeros((1, 9, kernels.SCALES))
    parent = np.zeros((1, 9, 0, 0), np.float32)
    arguments = (np.zeros(shape, np.float32), parent, planes, weights, of_values, of_weights)
    one = float(kernels.bits(values, *arguments)[0])
    slopes = float(of_values[0, 0, 0, 0]), float(of_weights[0, 0, 0])
    values[0, 0] = 0
    others = float(kernels.bits(values, *arguments)[0]) * 8 / 9
    return one - others, *slopes
