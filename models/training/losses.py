"""What the pictures of all iterations cost: squared error, and its mixtures with 1 - SSIM."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

DATA_RANGE = 1.8
Loss = Callable[[Tensor, Tensor], Tensor]


def block_ssim(a: Tensor, b: Tensor, data_range: float = DATA_RANGE) -> Tensor:
    """SSIM of 8x8 blocks, each channel alone, one statistic a block: mean over [N, C, H, W]."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean = lambda t: functional.avg_pool2d(t, 8)  # noqa: E731
    mean_a, mean_b = mean(a), mean(b)
    var_a = mean(a * a) - mean_a * mean_a
    var_b = mean(b * b) - mean_b * mean_b
    covariance = mean(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + c1) / (mean_a * mean_a + mean_b * mean_b + c1)
    return (luminance * (2 * covariance + c2) / (var_a + var_b + c2)).mean()


def squared(x: Tensor, picture: Tensor) -> Tensor:
    """Toderici et al. 2015: mean squared residual in [-0.9, 0.9]."""
    return functional.mse_loss(picture, x)


def mixed(x: Tensor, picture: Tensor) -> Tensor:
    """Squared error and a tenth of 1 - SSIM: about equal at 22 dB and SSIM .8."""
    return squared(x, picture) + 0.1 * (1 - block_ssim(x + 0.9, picture + 0.9))


def structural(x: Tensor, picture: Tensor) -> Tensor:
    """Squared error and three tenths of 1 - SSIM, for the last part of a training."""
    return squared(x, picture) + 0.3 * (1 - block_ssim(x + 0.9, picture + 0.9))


LOSSES: dict[str, Loss] = {"squared": squared, "mixed": mixed, "structural": structural}


def over_iterations(
    loss: Loss, x: Tensor, pictures: list[Tensor], relative: bool = False
) -> Tensor:
    """Unweighted mean over the iterations, as the paper sums them.

    With ``relative`` each counts in parts of what it is now, so that the last ones, which have
    little left to take away, learn as much as the first.
    """
    found = torch.stack([loss(x, picture.float()) for picture in pictures])
    return (found / found.detach()).mean() if relative else found.mean()
