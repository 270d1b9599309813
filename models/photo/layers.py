"""Two convolutions with quick gradients on a processor: 1x1 as a product, depthwise by shifts."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.photo import kernels
from models.photo.kernels import REACH


class Pointwise(nn.Conv2d):
    """A 1x1 convolution: the weights' matrix times [N, C, h w]."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, h, w] -> [N, outputs, h, w]."""
        if x.is_cuda:
            return super().forward(x)
        weight = self.weight[:, :, 0, 0].expand(len(x), -1, -1)
        bias = self.get_parameter("bias")[None, :, None]
        return torch.baddbmm(bias, weight, x.flatten(2)).unflatten(2, x.shape[2:])


class Depthwise(nn.Conv2d):
    """A convolution of each channel with its own 5x5 kernel, zeros around it."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, REACH, padding=REACH // 2, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, h, w] -> [N, C, h, w]."""
        if x.is_cuda:
            return super().forward(x)
        found: Tensor = _Depthwise.apply(x, self.weight)
        return found + self.get_parameter("bias")[:, None, None]


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        """As ``conv2d`` does."""
        ctx.save_for_backward(x, weight)
        return functional.conv2d(x, weight, padding=weight.shape[-1] // 2, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        """The same convolution with turned kernels; the sums of all taps in one walk."""
        x, weight = ctx.saved_tensors
        (gradient,) = gradients
        gradient = gradient.contiguous()
        half = weight.shape[-1] // 2
        of_x = functional.conv2d(gradient, weight.flip(2, 3), padding=half, groups=len(weight))
        of_weight = torch.empty_like(weight)
        kernels.taps(x.detach().contiguous().numpy(), gradient.numpy(), of_weight.numpy())
        return of_x, of_weight
