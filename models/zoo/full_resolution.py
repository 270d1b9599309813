"""Every system for pictures of any size, by name; an iteration spends 1/8 bit a pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from models.zoo.johnston2017 import codec as johnston2017
from models.zoo.toderici2016 import codec as toderici2016

BUDGETS = {"0.5": 4, "1": 8, "2": 16}
"""Iterations that spend so many bits a pixel, nominally."""


@dataclass(frozen=True)
class System:
    """A paper's network; loss, data and signs are a training's (``models.training``)."""

    paper: str
    configs: Mapping[str, Any]
    build: Callable[[Any], nn.Module]
    budgets: Mapping[str, int]


def _of_2016(cell: str, reconstruction: str, encoder_cell: str | None = None) -> System:
    return System(
        "Toderici et al. 2016, Full Resolution Image Compression with Recurrent Neural Networks",
        toderici2016.configs(cell, reconstruction, encoder_cell),
        toderici2016.Codec,
        BUDGETS,
    )


def _of_2017(priming: int = 0, diffusion: int = 0) -> System:
    return System(
        "Johnston et al. 2017, Improved Lossy Image Compression with Priming and Spatially "
        "Adaptive Bit Rates for Recurrent Networks",
        johnston2017.configs(priming, diffusion),
        johnston2017.Codec,
        BUDGETS,
    )


SYSTEMS = {
    "lstm-scaling": _of_2016("lstm", "scaling"),
    "lstm-one-shot": _of_2016("lstm", "one-shot"),
    "gru-one-shot": _of_2016("gru", "one-shot"),
    "gru-additive": _of_2016("gru", "additive"),
    "residual-gru-one-shot": _of_2016("residual-gru", "one-shot"),
    "associative-lstm-one-shot": _of_2016("associative-lstm", "one-shot", encoder_cell="lstm"),
    "gru": _of_2017(),
    "gru-prime": _of_2017(priming=3),
    "gru-diffusion-1": _of_2017(diffusion=1),
    "gru-diffusion-2": _of_2017(diffusion=2),
    "gru-diffusion-3": _of_2017(diffusion=3),
}
