"""Where importance maps start: a little over their targets, so that rate chooses what to mask.

A map has a gradient only where its edge lies, a channel at a time; one that starts far from its
target spends the training on the way.
"""

from __future__ import annotations

import math

import torch

from models.mentzer.runs import Run
from models.zoo.mentzer2018.codec import Codec

BITS = 1.7
"""What a symbol that is not masked costs, about."""
OVER = 1.3
MOST = 0.95


def level(run: Run, head: int) -> float:
    """The map before its sigmoid, where so many channels are used as the target asks for."""
    target = run.target(head)
    share = MOST if target is None else min(MOST, OVER * target / BITS)
    return math.log(share / (1 - share))


@torch.no_grad()
def aim(model: Codec, run: Run, before: Run | None = None) -> None:
    """Move the maps of new weights to where they start, or those of another run by the difference.

    Both runs have as many maps.
    """
    for head in range(run.heads):
        moved = level(run, head) - (level(before, head) if before else 0.0)
        model.encoder.bottleneck.norm.bias[head] += moved
