"""What the pictures of all iterations cost: squared or absolute error, alone or with SSIM."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

DATA_RANGE = 1.8
Loss = Callable[[Tensor, Tensor], Tensor]


def block_ssim(a: Tensor, b: Tensor, data_range: float = DATA_RANGE) -> Tensor:
    """SSIM of 8x8 blocks, each channel alone, one statistic a block: mean over [N, C, H, W]."""
    return block_map(a, b, data_range).mean()


def block_map(a: Tensor, b: Tensor, data_range: float = DATA_RANGE) -> Tensor:
    """That statistic of each block: [N, C, H, W] -> [N, C, H / 8, W / 8]."""
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean = lambda t: functional.avg_pool2d(t, 8)  # noqa: E731
    mean_a, mean_b = mean(a), mean(b)
    var_a = mean(a * a) - mean_a * mean_a
    var_b = mean(b * b) - mean_b * mean_b
    covariance = mean(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + c1) / (mean_a * mean_a + mean_b * mean_b + c1)
    return luminance * (2 * covariance + c2) / (var_a + var_b + c2)


def squared(x: Tensor, picture: Tensor) -> Tensor:
    """Toderici et al. 2015: mean squared residual in [-0.9, 0.9]."""
    return functional.mse_loss(picture, x)


def mixed(x: Tensor, picture: Tensor) -> Tensor:
    """Squared error and a tenth of 1 - SSIM: about equal at 22 dB and SSIM .8."""
    return squared(x, picture) + 0.1 * (1 - block_ssim(x + 0.9, picture + 0.9))


def structural(x: Tensor, picture: Tensor) -> Tensor:
    """Squared error and three tenths of 1 - SSIM, for the last part of a training."""
    return squared(x, picture) + 0.3 * (1 - block_ssim(x + 0.9, picture + 0.9))


def absolute(x: Tensor, picture: Tensor) -> Tensor:
    """Toderici et al. 2016: mean absolute residual in [-0.9, 0.9]."""
    return functional.l1_loss(picture, x)


class StructureWeighted(nn.Module):
    """Johnston et al. 2017, section 3.1: the absolute residual of an 8x8 block times S / mean S.

    S = (1 - SSIM) / 2 of the block and channel; mean S is a moving average that forgets a hundredth
    at each call and starts at the first. No gradient passes the weight.
    """

    KEEP = 0.99
    average: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("average", torch.zeros(()))

    def forward(self, x: Tensor, picture: Tensor) -> Tensor:
        """[N, C, H, W] twice, in [-0.9, 0.9] -> the loss."""
        with torch.no_grad():
            s = (1 - block_map(x + 0.9, picture + 0.9)) / 2  # [N, C, H / 8, W / 8]
            mean = s.mean()
            self.average.copy_(torch.where(self.average == 0, mean, self.average))  # no waiting
            self.average.lerp_(mean, 1 - self.KEEP)
            weight = s / self.average
        return (weight * functional.avg_pool2d((x - picture).abs(), 8)).mean()


LOSSES: dict[str, Callable[[], Loss]] = {
    "squared": lambda: squared,
    "mixed": lambda: mixed,
    "structural": lambda: structural,
    "absolute": lambda: absolute,
    "dssim": StructureWeighted,
}
"""What makes each loss; one that keeps an average is a module, and a checkpoint holds its state."""


def over_iterations(
    loss: Loss, x: Tensor, pictures: list[Tensor], relative: bool = False
) -> Tensor:
    """Unweighted mean over the iterations, as the paper sums them.

    With ``relative`` each counts in parts of what it is now, so that the last ones, which have
    little left to take away, learn as much as the first.
    """
    found = torch.stack([loss(x, picture.float()) for picture in pictures])
    return (found / found.detach()).mean() if relative else found.mean()
