"""What a device computes is what the compiled loops compute."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.photo import distortion, elementwise, kernels, perceived
from models.photo.rate import START
from service.quality.ms_ssim import WINDOW


def _coefficients() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Values over all cells, states of all kinds, means of cells."""
    values = torch.randn(2, 9, 6, 8) * torch.exp2(torch.rand(2, 9, 6, 8) * 9 - 3)
    found = torch.randint(0, 6, values.shape, dtype=torch.int8)
    planes = torch.stack((found, found + torch.randint(0, 2, values.shape, dtype=torch.int8)), -1)
    return values, planes, torch.rand(9, 4, 3)


def test_magnitudes_and_slopes() -> None:
    torch.manual_seed(1)
    values, planes, means = _coefficients()
    shown, slopes = torch.empty_like(values), torch.empty_like(values)
    given = (part.numpy() for part in (values, planes, means, shown, slopes))
    kernels.magnitudes(*given)
    found = elementwise.magnitudes(values, planes, means)
    torch.testing.assert_close(found[0], shown)
    torch.testing.assert_close(found[1], slopes)
    assert np.unique(np.sign(shown.numpy())).size == 3


def test_bits_and_slopes() -> None:
    torch.manual_seed(2)
    values, planes, means = _coefficients()
    shown, _ = elementwise.magnitudes(values, planes, means)
    weights = torch.tensor(START).repeat(9, 1) * torch.rand(9, 6)
    for parent in (torch.randn(2, 9, 3, 4), torch.empty(2, 9, 0, 0)):
        of_values = torch.empty_like(values)
        of_weights = torch.zeros(2, 9, 6, dtype=torch.float64)
        given = (values, shown, parent, planes, weights, of_values, of_weights)
        total = kernels.bits(*(part.numpy() for part in given))
        found = elementwise.bits(values, shown, parent, planes, weights)
        torch.testing.assert_close(found[0].double(), torch.from_numpy(total), rtol=1e-4, atol=1e-2)
        torch.testing.assert_close(found[1], of_values, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(found[2].double(), of_weights, rtol=2e-3, atol=2e-2)


@pytest.mark.parametrize("sides", [(8, 8), (21, 12), (70, 100)])
def test_windows_and_their_slopes(sides: tuple[int, int]) -> None:
    torch.manual_seed(3)
    planes = torch.randn(2, 3, *sides, requires_grad=True)
    dense = [perceived._blur(side, planes.device) for side in sides]
    pairs = [(perceived._Blur.apply(planes), dense[0] @ planes @ dense[1].T)]
    if min(sides) > WINDOW:
        pairs.append((distortion._Blur.apply(planes), distortion._products(planes)))
    for found, expected in pairs:
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
        way = torch.randn(found.shape)
        slopes = (torch.autograd.grad(one, planes, way)[0] for one in (found, expected))
        torch.testing.assert_close(*slopes, atol=1e-5, rtol=1e-5)
