"""SSIMULACRA2 (Sneyers 2022) as a loss: its weighted sum of errors, before it becomes a score.

    XYB, six scales (halved in linear light), means and fourth norms over a scale of
    1 - SSIM, edges that were added, edges that were lost; each weighed as the metric does

Windows at a border are the picture mirrored, where the metric takes zeros above and below.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from models.photo.distortion import windowed
from service.quality import windows

ABSORBED = (
    (0.30, 0.622, 0.078),
    (0.23, 0.692, 0.078),
    (0.24342268925, 0.20476744424, 0.55180986651),
)
"""Rows: how much of linear R, G, B each cone takes (JPEG XL's opsin matrix)."""
BIAS = 0.0037930732552754493
C2 = 0.0009
SCALES, LEAST_SIDE = 6, 8
SIGMA, REACH = 1.5, 5
NORM_FLOOR = 1e-20


def errors(photo: Tensor, shown: Tensor) -> Tensor:
    """[N] of ``shown``, float [N, 3, H, W] in 0..255; 100 less 10 e^.63 is the score.

    ``photo`` float [N / k, 3, H, W]: each stands beside k that are shown.
    """
    weighed, times = weights(photo.device), len(shown) // len(photo)
    x, y = (_linear(part) for part in (photo, shown))
    total = photo.new_zeros(len(shown))
    for scale in range(SCALES):
        if min(x.shape[-2:]) < LEAST_SIDE:
            break
        if scale:
            x, y = functional.avg_pool2d(x, 2), functional.avg_pool2d(y, 2)
        terms = _terms(_xyb(x).repeat_interleave(times, 0), _xyb(y))
        norms = torch.stack([torch.stack(_norms(term), -1) for term in terms], -1)  # [N, 3, 2, 3]
        total = total + (norms * weighed[:, scale]).sum((1, 2, 3))
    raw = 0.9562382616834844 * total
    return 2.326765642916932 * raw - 0.020884521182843837 * raw**2 + 6.248496625763138e-05 * raw**3


def score(error: Tensor) -> Tensor:
    """SSIMULACRA2 of ``errors``."""
    return 100 - 10 * error.clamp(min=0) ** 0.6276336467831387


@cache
def weights(device: torch.device) -> Tensor:
    """The metric's own, from its package: by channel, scale, norm (mean, fourth), kind of error."""
    from ssimulacra2 import ssimulacra2 as metric

    return torch.tensor(metric.weights, dtype=torch.float32, device=device).view(3, SCALES, 2, 3)


def _linear(photo: Tensor) -> Tensor:
    """sRGB in 0..255 -> linear light in 0..1."""
    rgb = photo.clamp(0, 255) / 255
    return torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb.clamp(min=0.04) + 0.055) / 1.055) ** 2.4)


def _xyb(linear: Tensor) -> Tensor:
    mixed = torch.einsum("kc,nchw->nkhw", linear.new_tensor(ABSORBED), linear) + BIAS
    long, middle, short = ((mixed ** (1 / 3)) - BIAS ** (1 / 3)).unbind(1)
    x, y = (long - middle) / 2, (long + middle) / 2
    return torch.stack((14 * x + 0.42, y + 0.01, short - y + 0.55), 1)


def _terms(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Errors at each place, [N, 3, h, w]: of structure, edges added, edges lost."""
    mx, my, xx, yy, xy = _Blur.apply(torch.cat((x, y, x * x, y * y, x * y))).chunk(5)
    alike = (1 - (mx - my) ** 2) * (2 * (xy - mx * my) + C2)
    structure = 1 - alike / (xx - mx * mx + yy - my * my + C2)
    edges = (1 + (y - my).abs()) / (1 + (x - mx).abs()) - 1
    return structure.clamp(min=0), edges.clamp(min=0), (-edges).clamp(min=0)


def _norms(term: Tensor) -> tuple[Tensor, Tensor]:
    fourth = term.square().square()
    return term.mean((2, 3)), (fourth.mean((2, 3)) + NORM_FLOOR) ** 0.25


class _Blur(torch.autograd.Function):
    """A window around each sample: [N, C, H, W] -> the same. A mirror reads the same both ways."""

    @staticmethod
    def forward(_: Any, planes: Tensor) -> Tensor:
        """As the service does; on a device as products."""
        if planes.device.type == "cpu":
            return windowed(windows.mirrored, planes)
        high, wide = planes.shape[-2:]
        return _blur(high, planes.device) @ planes @ _blur(wide, planes.device).T

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:
        """Blurred again."""
        return _Blur.forward(None, gradients[0])


@cache
def _blur(length: int, device: torch.device) -> Tensor:
    """A Gaussian's taps around each place, mirrored at the ends: [length, length]."""
    taps = torch.exp(-0.5 * (torch.arange(-REACH, REACH + 1) / SIGMA) ** 2)
    rows = torch.zeros(length, length)
    for n in range(length):
        for tap, at in zip(taps / taps.sum(), range(n - REACH, n + REACH + 1), strict=True):
            mirrored = -1 - at if at < 0 else min(at, 2 * length - 1 - at)
            rows[n, mirrored] += tap
    return rows.to(device)
