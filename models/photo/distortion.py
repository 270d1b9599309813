"""What errors cost: squared error and MS-SSIM, weighed so that both fall alike with rate.

    D = (1 - a) 3 MSE + a 3500 (1 - MS-SSIM)

MS-SSIM as ``service.quality.ms_ssim`` has it (Wang et al. 2003): means over windows and channels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from service.quality import windows
from service.quality.ms_ssim import SCALE_WEIGHTS, SIGMA, WINDOW

STRUCTURE = 3500.0
"""1 - MS-SSIM times so much falls with rate as 3 MSE does, from .05 to 2 bits a pixel."""
TOGETHER = 46
FAR = 512.0
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2


def distortion(photo: Tensor, shown: Tensor, structure: float) -> Tensor:
    """D [N] of float [N, 3, H, W] in 0..255; ``structure`` is a."""
    squared = 3 * (photo - shown).square().mean((1, 2, 3))
    within = shown.clamp(-FAR, 255 + FAR)  # further off, squares in float32 leave no variance
    return (1 - structure) * squared + structure * STRUCTURE * (1 - ms_ssim(photo, within))


def ms_ssim(photo: Tensor, shown: Tensor) -> Tensor:
    """[N] for float [N, 3, H, W], sides divisible by 16 and over 160."""
    product = photo.new_ones(photo.shape[:2])
    x, y = photo, shown
    for scale, weight in enumerate(SCALE_WEIGHTS):
        if scale:
            x, y = functional.avg_pool2d(x, 2), functional.avg_pool2d(y, 2)
        light, contrast = _statistics(x, y)
        last = scale == len(SCALE_WEIGHTS) - 1
        term = (light * contrast if last else contrast).mean((2, 3))
        product = product * term.clamp(min=1e-4) ** weight
    return product.mean(1)


def _statistics(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    count = len(x)
    blurred = _Blur.apply(torch.cat((x, y, x * x + y * y, x * y)))
    mx, my, squares, both = blurred.split(count)
    light = (2 * mx * my + _C1) / (mx * mx + my * my + _C1)
    return light, (2 * (both - mx * my) + _C2) / (squares - mx * mx - my * my + _C2)


class _Blur(torch.autograd.Function):
    """Whole windows: [N, 3, H, W] -> [N, 3, H - 10, W - 10]. A window reads the same both ways."""

    @staticmethod
    def forward(_: Any, planes: Tensor) -> Tensor:
        """As the service does; on a device as products with bands of taps."""
        if planes.device.type != "cpu":
            return _products(planes)
        return windowed(windows.inside, planes)

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:
        """Blurred again, with zeros around."""
        (gradient,) = gradients
        if gradient.device.type == "cpu":
            return windowed(windows.outside, gradient)
        around = WINDOW - 1
        return _products(functional.pad(gradient, (around, around, around, around)))


def windowed(of: Callable[[windows.Planes], windows.Planes], planes: Tensor) -> Tensor:
    """What a function of ``service.quality.windows`` makes of float32 [N, C, H, W] on the host."""
    found = of(planes.detach().flatten(0, 1).contiguous().numpy())
    return torch.from_numpy(found).unflatten(0, planes.shape[:2])


def _products(planes: Tensor) -> Tensor:
    high, wide = planes.shape[-2:]
    turned = torch.cat(
        [
            _band(last - first, planes.device) @ planes[..., first : last + WINDOW - 1, :]
            for first, last in _parts(high)
        ],
        -2,
    )
    parts = [
        turned[..., first : last + WINDOW - 1] @ _band(last - first, planes.device).T
        for first, last in _parts(wide)
    ]
    return torch.cat(parts, -1)


def _parts(length: int) -> list[tuple[int, int]]:
    """Where windows begin that are taken together: a band of taps is mostly zeros."""
    windows = length - WINDOW + 1
    return [(first, min(first + TOGETHER, windows)) for first in range(0, windows, TOGETHER)]


@cache
def _band(windows: int, device: torch.device) -> Tensor:
    """[windows, windows + 10]."""
    taps = torch.exp(-0.5 * (torch.arange(WINDOW) - WINDOW // 2) ** 2 / SIGMA**2)
    rows = torch.zeros(windows, windows + WINDOW - 1)
    for n in range(windows):
        rows[n, n : n + WINDOW] = taps / taps.sum()
    return rows.to(device)
