"""D and its slope through the synthesis, forward and backward written out: a graph for the service.

The service has no autograd. The network is convolutions and rectifiers, D is squared error and
block SSIM: both are differentiated by hand here, and held to autograd by a test.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.prefixel.networks import MIDDLE, SCALE, Correction
from service.codec.geometry import THUMB_SIDE

BLOCK = 8
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


class Gradient(nn.Module):
    """D = ``weight`` * squared error (range 1) + 1 - SSIM of what a synthesis makes of a prefix."""

    def __init__(self, synthesis: Correction) -> None:
        super().__init__()
        self.synthesis = synthesis

    def forward(
        self, painted: Tensor, known: Tensor, target: Tensor, weight: Tensor
    ) -> tuple[Tensor, Tensor]:
        """D [N], and its slope along every sample of ``painted``: float [N, 32, 32, 3].

        ``painted`` and ``target`` float [N, 32, 32, 3], ``known`` float [N, 18], ``weight`` [N].
        """
        net = self.synthesis
        last, told = len(net.convs) - 1, net.tell(known)
        planes = functional.pixel_unshuffle(_planes((painted - MIDDLE) / SCALE), 2)
        before = [net.layer(0, planes, told)]
        h = torch.relu(before[0])
        for n in range(1, last):
            before.append(net.layer(n, h, told))
            h = h + torch.relu(before[n])
        mixed = []
        for block in net.blocks:
            mixed.append(block.mixed(h, told))
            h = h + block.narrow(torch.relu(mixed[-1]))
        found = functional.pixel_shuffle(net.layer(last, h, told), 2)
        shown = _planes(painted) + SCALE * found
        distortion, slope = distortion_of(_planes(target), shown, weight)
        back = _through(net.convs[last], functional.pixel_unshuffle(SCALE * slope, 2))
        for block, middle in zip(reversed(net.blocks), reversed(mixed), strict=True):
            inside = _rectified(_through(block.narrow, back), middle) * block.gain(told)
            back = back + _through(block.around, _through(block.widen, inside))
        for n in range(last - 1, 0, -1):
            back = back + _through(net.convs[n], _rectified(back, before[n]))
        back = _through(net.convs[0], _rectified(back, before[0]))
        slope = slope + functional.pixel_shuffle(back, 2) / SCALE
        return distortion, slope.permute(0, 2, 3, 1)


def _rectified(slope: Tensor, before: Tensor) -> Tensor:
    """Back through a rectifier that was given ``before``."""
    return slope * (before > 0)


def _through(conv: nn.Module, slope: Tensor) -> Tensor:
    """Back through a convolution: one with its kernel turned around."""
    assert isinstance(conv, nn.Conv2d)
    turned = conv.weight.flip(2, 3) if conv.kernel_size != (1, 1) else conv.weight
    if conv.groups == 1:
        turned = turned.transpose(0, 1)
    return functional.conv2d(slope, turned, padding=conv.padding, groups=conv.groups)


def distortion_of(target: Tensor, shown: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """D [N] of planes [N, 3, 32, 32], and its slope along every sample of ``shown``."""
    x, y = _blocks(target), _blocks(shown)
    samples = 3 * THUMB_SIDE * THUMB_SIDE
    squared = (shown - target).square().mean(dim=(1, 2, 3)) / 255**2
    mean_x, mean_y = _mean(x), _mean(y)
    off_x, off_y = x - mean_x, y - mean_y
    light, contrast = 2 * mean_x * mean_y + C1, 2 * _mean(off_x * off_y) + C2
    light_norm = mean_x.square() + mean_y.square() + C1
    contrast_norm = _mean(off_x.square()) + _mean(off_y.square()) + C2
    ssim = light * contrast / (light_norm * contrast_norm)
    along = (
        mean_x * contrast / (light_norm * contrast_norm)
        + light * off_x / (light_norm * contrast_norm)
        - ssim * mean_y / light_norm
        - ssim * off_y / contrast_norm
    ) * (2 / samples)
    slope = weight[:, None, None, None] * 2 * (shown - target) / (255**2 * samples)
    slope = slope - along.reshape(shown.shape)
    return weight * squared + 1 - ssim.mean(dim=(1, 2, 3, 4, 5)), slope


def _planes(picture: Tensor) -> Tensor:
    return picture.permute(0, 3, 1, 2)


def _blocks(planes: Tensor) -> Tensor:
    n, channels, height, width = planes.shape
    return planes.reshape(n, channels, height // BLOCK, BLOCK, width // BLOCK, BLOCK)


def _mean(blocks: Tensor) -> Tensor:
    return blocks.mean(dim=(3, 5), keepdim=True)
