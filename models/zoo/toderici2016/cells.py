"""The recurrent cells of Toderici et al. 2016, convolutional: LSTM, associative LSTM, GRU, its kin.

W is a convolution of the input, which alone may have a stride; U one of the state. All act on
[N, C, H, W]. Every cell takes its input and its states and returns its output and the new states.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from models.zoo.layers import lstm

RESIDUAL = 0.1
"""What the residual GRU's shortcuts count: its alpha_h and alpha_x."""


class Cell(nn.Module):
    """Convolutions of input and state, and how many states [N, width, H, W] there are."""

    states = 1
    gates = 1.0

    def __init__(self, inputs: int, width: int, kernel: int, stride: int, hidden: int) -> None:
        super().__init__()
        self.width, self.stride, self.hidden = width, stride, hidden
        outputs = round(self.gates * width)
        self.of_input = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)

    def of_state(self, outputs: int) -> nn.Conv2d:
        """A convolution of the state, without bias: the input's has one."""
        return nn.Conv2d(self.width, outputs, self.hidden, 1, self.hidden // 2, bias=False)

    def start(self, batch: int, height: int, width: int) -> list[Tensor]:
        """Zero states for an input of this height and width, as the layer will write them."""
        shape = batch, self.width, height // self.stride, width // self.stride
        weight = self.of_input.weight
        kind = weight.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype
        last = weight.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if last else torch.contiguous_format
        zeros = weight.new_zeros(shape, dtype=dtype).contiguous(memory_format=layout)
        return [zeros] * self.states


class LSTM(Cell):
    """i, f, o = sigmoid, g = tanh of W x + U h;  c' = f c + i g;  h' = o tanh(c')."""

    states, gates = 2, 4.0

    def __init__(self, inputs: int, width: int, kernel: int, stride: int, hidden: int) -> None:
        super().__init__(inputs, width, kernel, stride, hidden)
        self.of_hidden = self.of_state(4 * width)

    def forward(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Output h' and the states h', c'."""
        h, c = states
        h, c = lstm(self.of_input(x) + self.of_hidden(h), c)
        return h, [h, c]


class AssociativeLSTM(Cell):
    """The LSTM whose memory is complex, written and read at keys; half its width each Re and Im.

    Real gates f, i, o (sigmoid), complex keys r_i, r_o and value u, each bound(W x + U h), then
    c' = f c + r_i (i u);  h' = o bound(r_o c'). It is meant for decoders.
    """

    states, gates = 2, 4.5

    def __init__(self, inputs: int, width: int, kernel: int, stride: int, hidden: int) -> None:
        super().__init__(inputs, width, kernel, stride, hidden)
        self.of_hidden = self.of_state(round(4.5 * width))

    def forward(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Output h' and the states h', c'; both hold Re, then Im."""
        h, c = states
        half = self.width // 2
        parts = (self.of_input(x) + self.of_hidden(h)).split([3 * half] + 3 * [self.width], dim=1)
        f, i, o = torch.sigmoid(parts[0]).chunk(3, dim=1)  # each [N, width / 2, H, W]
        read_at, write_at, value = (bound(part) for part in parts[1:])  # each [N, width, H, W]
        c = both(f) * c + times(write_at, both(i) * value)
        h = both(o) * bound(times(read_at, c))
        return h, [h, c]


class GRU(Cell):
    """z, r = sigmoid(W x + U h);  h' = (1 - z) h + z tanh(W x + U (r h))."""

    gates = 3.0

    def __init__(self, inputs: int, width: int, kernel: int, stride: int, hidden: int) -> None:
        super().__init__(inputs, width, kernel, stride, hidden)
        self.of_hidden = self.of_state(2 * width)
        self.of_reset = self.of_state(width)

    def forward(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Output and state h'."""
        (h,) = states
        gates, candidate = self.of_input(x).split([2 * self.width, self.width], dim=1)
        z, kept = gru_gates(gates, self.of_hidden(h), h)
        h = gru_state(candidate, self.of_reset(kept), z, h)
        return h, [h]


class ResidualGRU(GRU):
    """h'' = h' + alpha_h W_h h, the state; its output is h'' + alpha_x W_ox x."""

    def __init__(self, inputs: int, width: int, kernel: int, stride: int, hidden: int) -> None:
        super().__init__(inputs, width, kernel, stride, hidden)
        self.past = self.of_state(width)
        self.around = nn.Conv2d(inputs, width, kernel, stride, kernel // 2, bias=False)

    def forward(self, x: Tensor, states: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Output and state h''."""
        h, _ = super().forward(x, states)
        h = h + RESIDUAL * self.past(states[0])
        return h + RESIDUAL * self.around(x), [h]


def gru_gates(of_input: Tensor, of_hidden: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """W x and U h, [N, 2C, H, W], and h -> z and r h, [N, C, H, W]."""
    z, r = torch.sigmoid(of_input + of_hidden).chunk(2, dim=1)
    return z, r * h


def gru_state(of_input: Tensor, of_reset: Tensor, z: Tensor, h: Tensor) -> Tensor:
    """W x, U (r h), z and h, all [N, C, H, W] -> h'."""
    return torch.lerp(h, torch.tanh(of_input + of_reset), z)


def both(real: Tensor) -> Tensor:
    """A real factor [N, C, H, W] for Re and Im: [N, 2C, H, W]."""
    return torch.cat([real, real], dim=1)


def times(a: Tensor, b: Tensor) -> Tensor:
    """The product of complex numbers that lie as Re, then Im, along the channels."""
    (a_re, a_im), (b_re, b_im) = a.chunk(2, dim=1), b.chunk(2, dim=1)
    return torch.cat([a_re * b_re - a_im * b_im, a_re * b_im + a_im * b_re], dim=1)


def bound(z: Tensor) -> Tensor:
    """z / max(1, |z|) of complex numbers that lie as Re, then Im, along the channels."""
    re, im = z.chunk(2, dim=1)
    return z * both((re * re + im * im).clamp(min=1).rsqrt())


def start_weights(model: nn.Module) -> None:
    """Kernels of variance 1 / inputs, so that a signal keeps its size from layer to layer."""
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            limit = math.sqrt(3 / layer.weight[0].numel())
            nn.init.uniform_(layer.weight, -limit, limit)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    for layer in model.modules():
        if isinstance(layer, (LSTM, AssociativeLSTM)):
            start_biases(layer)


@torch.no_grad()
def start_biases(layer: LSTM | AssociativeLSTM) -> None:
    """Forget gates start open, so that gradients reach the first iterations; keys start near 1.

    What an associative memory shows is a product of two keys and a value: of three small numbers
    in every layer, if nothing is added to the keys.
    """
    bias, width = layer.of_input.bias, layer.width
    assert bias is not None
    if isinstance(layer, LSTM):
        bias[width : 2 * width] = 1
        return
    gates, read_at, write_at, _ = bias.split([3 * width // 2] + 3 * [width])
    for part in (gates, read_at, write_at):
        part[: width // 2] = 1  # f of the gates, Re of the keys


CELLS: dict[str, type[Cell]] = {
    "lstm": LSTM,
    "associative-lstm": AssociativeLSTM,
    "gru": GRU,
    "residual-gru": ResidualGRU,
}
