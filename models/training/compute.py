"""What a system computes: multiplications, counted by running it once."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

SIDE = 32


def macs(model: nn.Module, iterations: int, side: int = SIDE, channels: int = 3) -> float:
    """Multiplications of both halves for one picture and so many steps, forward only.

    Training costs about three times as many: the gradients of inputs and of weights come on top.
    """
    parameter = next(model.parameters())
    with torch.no_grad():
        return of(lambda: model(parameter.new_zeros(1, channels, side, side), iterations))


def of(work: Callable[[], object]) -> float:
    """Multiplications of whatever is called."""
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops()) / 2
