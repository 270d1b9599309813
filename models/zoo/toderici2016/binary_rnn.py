"""BinaryRNN, the entropy model of Toderici et al. 2016, section 4: how likely is each bit +1?

Trained on the bits of a finished codec. In an iteration the 32 bits of a position are predicted
together, from the positions above and to the left and from all bits of earlier iterations:

    u = tanh(W_7x7 b), raster-masked;  v = tanh(W_3x3 s)               (baseline: figure 4)
    a line LSTM over [u, v], whose earlier time is the row above        -> P(b = +1)
    s = a 1x1 LSTM over iterations, of what two 3x3 convolutions make of all bits of one  (figure 5)

It is floating point: what it says differs in the last bits from machine to machine, and with it
what an arithmetic decoder reads. It measures and codes in one process, and is never served.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.zoo.layers import ConvLSTM, State, lstm
from models.zoo.toderici2016.cells import start_weights
from models.zoo.toderici2016.network import BITS

CLIP = 0.999


@dataclass(frozen=True)
class Config:
    """Width of the layers, and predictors: each iteration's own (the paper's), or one for all."""

    width: int = 64
    predictors: int = 16


CONFIGS = {"paper": Config(), "small": Config(predictors=1)}


class MaskedConv(nn.Conv2d):
    """A convolution that sees the rows above, and of its own row what is left of the centre.

    With ``centre`` the centre too. Kernels of one row see that row alone.
    """

    mask: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: tuple[int, int], centre: bool) -> None:
        rows, columns = kernel
        super().__init__(inputs, outputs, kernel, padding=(rows // 2, columns // 2))
        place = torch.arange(rows * columns).view(kernel)
        middle = rows // 2 * columns + columns // 2
        seen = place <= middle if centre else place < middle
        self.register_buffer("mask", seen.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] -> [N, outputs, H, W]."""
        return functional.conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class LineLSTM(nn.Module):
    """An LSTM down the rows: i, f, o, g = W_1x3 x (masked) + U_1x3 h of the row above."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.of_input = MaskedConv(inputs, 4 * width, (1, 3), centre=True)
        self.of_hidden = nn.Conv2d(width, 4 * width, (1, 3), padding=(0, 1), bias=False)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """[N, inputs, H, W] -> [N, width, H, W] and the state after the last row."""
        gates = self.of_input(x)
        zero = x.new_zeros(len(x), self.width, 1, x.shape[3])
        h, c = state or (zero, zero)
        rows = []
        for row in gates.split(1, dim=2):
            h, c = lstm(row + self.of_hidden(h), c)
            rows.append(h)
        return torch.cat(rows, dim=2), (h, c)


class Predictor(nn.Module):
    """Bits of one iteration and the state of the earlier ones -> their expectations."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.of_bits = MaskedConv(BITS, width, (7, 7), centre=False)
        self.of_past = nn.Conv2d(BITS, width, 3, padding=1)
        self.lines = LineLSTM(2 * width, width)
        self.hidden = nn.Conv2d(width, width, 1)
        self.project = nn.Conv2d(width, BITS, 1)

    def forward(self, bits: Tensor, past: Tensor) -> Tensor:
        """[N, 32, h, w] twice -> E b, [N, 32, h, w] in [-0.999, 0.999]."""
        return self.expect(torch.tanh(self.of_bits(bits)), torch.tanh(self.of_past(past)))[0]

    def expect(self, u: Tensor, v: Tensor, above: State | None = None) -> tuple[Tensor, State]:
        """Rows of u and v, [N, width, h, w] -> E b of their bits and the state below them."""
        x, state = self.lines(torch.cat([u, v], dim=1), above)  # [N, width, h, w]
        x = torch.tanh(self.hidden(x))
        return torch.tanh(self.project(x)).clamp(-CLIP, CLIP), state


class Past(nn.Module):
    """What the iterations so far say of the next: its states pass from one to the other."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(BITS, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, BITS, 3, padding=1)
        self.lstm = ConvLSTM(BITS, width, stride=1, kernel=1)
        self.hidden = nn.Conv2d(width, width, 1)
        self.project = nn.Conv2d(width, BITS, 1)

    def start(self, bits: Tensor) -> State:
        """Zero states for bits [N, 32, h, w]."""
        shape = len(bits), *self.lstm.state_shape(*bits.shape[2:])
        return bits.new_zeros(shape), bits.new_zeros(shape)

    def forward(self, bits: Tensor, state: State) -> tuple[Tensor, State]:
        """All bits of an iteration -> [N, 32, h, w] for the next one, and the state."""
        x = torch.tanh(self.conv2(torch.tanh(self.conv1(bits))))
        state = self.lstm(x, state)
        return torch.tanh(self.project(torch.tanh(self.hidden(state[0])))), state


class BinaryRNN(nn.Module):
    """Expectations of all bits of all iterations."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.predictors = nn.ModuleList(Predictor(config.width) for _ in range(config.predictors))
        self.past = Past(config.width)
        start_weights(self)

    def predictor(self, iteration: int) -> Predictor:
        """The one of an iteration, from 0."""
        return cast(Predictor, self.predictors[min(iteration, len(self.predictors) - 1)])

    def forward(self, codes: list[Tensor]) -> list[Tensor]:
        """Bits [N, 32, h, w] of each iteration -> E b, of the same shapes."""
        past, state = torch.zeros_like(codes[0]), self.past.start(codes[0])
        expected = []
        for iteration, bits in enumerate(codes):
            expected.append(self.predictor(iteration)(bits, past))
            past, state = self.past(bits, state)
        return expected


def bits_spent(codes: Tensor, expected: Tensor) -> Tensor:
    """The ideal length of each bit, -log2 P(b), from b and E b of any one shape."""
    return -torch.log2((1 + codes * expected) / 2)
