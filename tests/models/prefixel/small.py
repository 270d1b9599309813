"""A small network of the embedded codec, and a run that trains it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from models.prefixel.networks import Config, Correction, Networks, Shape
from models.prefixel.training import (
    EmbeddedPlan,
    EmbeddedRun,
)
from tests.support.photos import crops

TINY = Config(Shape(6, 1, 1), Shape(5, 1, 1))
PLAN = EmbeddedPlan(
    system="prefixel",
    config="tiny",
    samples=48,
    iterations=1,
    batch=8,
    warmup=8,
    bf16=False,
    recounts=(0.5,),
    recount_thumbnails=96,
)


def photos(count: int = 24) -> torch.Tensor:
    found = [np.asarray(c.resize((64, 64))) for c in crops(count, seed=3)]
    return torch.from_numpy(np.stack(found))


def scrambled(network: Correction, seed: int = 1) -> Correction:
    """With random weights in every layer, a correction of some levels."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(0.1 * torch.randn(weight.shape, generator=generator))
    return network


def run(folder: Path, plan: EmbeddedPlan = PLAN) -> EmbeddedRun:
    torch.manual_seed(plan.seed)
    return EmbeddedRun(plan, Networks(TINY), folder, lambda model, rgb: {})


def weights(one: EmbeddedRun) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in one.model.parameters()])
