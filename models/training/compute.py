"""What a system computes: multiplications, counted by running it once."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

SIDE = 32


def macs(model: nn.Module, iterations: int, side: int = SIDE, channels: int = 3) -> float:
    """Multiplications of both halves for one picture and so many steps, forward only.

    Training costs about three times as many: the gradients of inputs and of weights come on top.
    """
    parameter = next(model.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(parameter.new_zeros(1, channels, side, side), iterations)
    return float(counter.get_total_flops()) / 2
