"""Layers that the systems share: binarizer, (de)convolutional LSTM, a layer for each step.

Source: Toderici et al. 2015, "Variable Rate Image Compression with Recurrent Neural Networks",
sections 3.2 (binarizer), 3.4 (LSTM) and 3.6 (convolutional and deconvolutional LSTM).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

State = tuple[Tensor, Tensor]
"""h and c, each [N, C, H, W]."""
DECIDED = 6.0
"""How much larger than usual an LSTM's projection to bits starts: what comes out of it is small, a
bit drawn from a tanh near 0 is noise, and a decoder learns little from noise (``fc-lstm`` stays on
a plateau). Autoencoders lose by it: their bits are decided too soon."""


class Binarizer(nn.Module):
    """Tanh of a 1x1 convolution, then one bit an output: equations 3 and 4.

    Training draws +1 with probability (1 + x) / 2, else -1, and the gradient passes the draw
    unchanged. Inference takes the sign, sign(0) being +1; training does where it is not ``drawn``.
    """

    drawn = True

    def __init__(self, channels: int, bits: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(channels, bits, 1)
        with torch.no_grad():
            self.project.weight.mul_(DECIDED)

    def forward(self, features: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, bits, H, W] of -1 and +1."""
        return binary(self.project(features), self.training, self.drawn)


def binary(projected: Tensor, training: bool, drawn: bool) -> Tensor:
    """Equations 3 and 4 on what a binarizer projected: -1 and +1 of the same shape."""
    x = torch.tanh(projected.float())
    if not training:
        return torch.where(x < 0, -1.0, 1.0)
    plus = torch.rand_like(x) < (1 + x) / 2 if drawn else x >= 0
    hard = 2 * plus.float() - 1  # torch.where would copy its numbers to the device, and wait
    return x + (hard - x).detach()


class StepBinarizer(nn.Module):
    """A binarizer whose projection may differ from step to step."""

    drawn = True

    def __init__(self, stages: int, channels: int, bits: int) -> None:
        super().__init__()
        self.project = StepConv(stages, channels, bits, 1)

    def forward(self, features: Tensor, step: Tensor) -> Tensor:
        """[N, C, H, W] and the step [N, 1] -> [N, bits, H, W] of -1 and +1."""
        return binary(self.project(features, step), self.training, self.drawn)


class StepConv(nn.Module):
    """``stages`` convolutions of one shape (or transposed ones), of which a step uses its own.

    With one stage every step shares it. Their weights lie in one array, the step picks a slice: so
    one graph serves all steps. Glorot's start, as all of them are followed by a tanh.
    """

    def __init__(
        self,
        stages: int,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        transposed: bool = False,
    ) -> None:
        super().__init__()
        self.stages, self.stride, self.padding = stages, stride, kernel // 2
        self.transposed = transposed
        first, second = (inputs, outputs) if transposed else (outputs, inputs)
        self.shape = first, second, kernel, kernel
        stack = (stages, math.prod(self.shape)) if stages > 1 else self.shape
        bound = math.sqrt(6 / ((inputs + outputs) * kernel * kernel))
        if transposed:
            bound *= stride  # every output meets only a part of the kernel
        self.weight = nn.Parameter(torch.empty(stack).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros((stages, outputs) if stages > 1 else (outputs,)))

    def forward(self, x: Tensor, step: Tensor) -> Tensor:
        """[N, inputs, H, W] and the step [N, 1], the same for all -> [N, outputs, H', W']."""
        weight: Tensor = self.weight
        bias: Tensor = self.bias
        if self.stages > 1:
            index = step[0].long()
            weight = weight.index_select(0, index).view(self.shape)
            bias = bias.index_select(0, index).view(-1)
        if self.transposed:
            return functional.conv_transpose2d(
                x, weight, bias, self.stride, self.padding, output_padding=self.stride - 1
            )
        return functional.conv2d(x, weight, bias, self.stride, self.padding)


class ConvLSTM(nn.Module):
    """Equations 13 and 6: gates from conv(input, stride) + conv(h, stride 1) + b."""

    def __init__(self, inputs: int, width: int, stride: int, kernel: int = 3) -> None:
        super().__init__()
        self.width, self.stride = width, stride
        self.of_input = nn.Conv2d(inputs, 4 * width, kernel, stride, kernel // 2)
        self.of_hidden = nn.Conv2d(width, 4 * width, kernel, 1, kernel // 2, bias=False)
        forget_bias_one(self.of_input, width)

    def state_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Shape of h and of c for an input of this size."""
        return self.width, height // self.stride, width // self.stride

    def forward(self, x: Tensor, state: State) -> State:
        """[N, C, H, W] -> state at [N, width, H / stride, W / stride]; the output is its h."""
        return lstm(self.of_input(x) + self.of_hidden(state[0]), state[1])


class DeconvLSTM(nn.Module):
    """Equation 14: gates from transposed conv(input, stride) + conv(h, stride 1) + b."""

    def __init__(self, inputs: int, width: int, stride: int, kernel: int = 3) -> None:
        super().__init__()
        self.width, self.stride = width, stride
        self.of_input = nn.ConvTranspose2d(
            inputs, 4 * width, kernel, stride, kernel // 2, output_padding=stride - 1
        )
        self.of_hidden = nn.Conv2d(width, 4 * width, kernel, 1, kernel // 2, bias=False)
        forget_bias_one(self.of_input, width)

    def state_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Shape of h and of c for an input of this size."""
        return self.width, height * self.stride, width * self.stride

    def forward(self, x: Tensor, state: State) -> State:
        """[N, C, H, W] -> state at [N, width, H * stride, W * stride]; the output is its h."""
        return lstm(self.of_input(x) + self.of_hidden(state[0]), state[1])


def lstm(gates: Tensor, c: Tensor) -> State:
    """Equation 6: [N, 4C, H, W] in the order i, f, o, g and the old c -> the new h and c."""
    i, f, o, g = gates.chunk(4, dim=1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def forget_bias_one(layer: nn.Conv2d | nn.ConvTranspose2d, width: int) -> None:
    """Start with open forget gates, so that gradients reach the first iterations."""
    assert layer.bias is not None
    with torch.no_grad():
        layer.bias.zero_()
        layer.bias[width : 2 * width] = 1.0
