"""Every system that can be trained, by name: how it is built and at which iterations it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from models.zoo import conv_lstm


@dataclass(frozen=True)
class System:
    """A paper's system; ``budgets`` are the iterations that spend 64 and 128 bytes."""

    paper: str
    section: str
    wire_id: int
    configs: Mapping[str, Any]
    build: Callable[[Any], nn.Module]
    budgets: Mapping[str, int]


SYSTEMS = {
    "conv-lstm": System(
        paper="Toderici et al. 2015, Variable Rate Image Compression with "
        "Recurrent Neural Networks",
        section="3.6",
        wire_id=1,
        configs=conv_lstm.CONFIGS,
        build=conv_lstm.ConvLSTMCodec,
        budgets={"64": 4, "128": 8},
    ),
}
