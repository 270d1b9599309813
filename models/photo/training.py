"""Training of both networks on the states that cuts of streams really have.

A batch is analysed once and cut at several places each, drawn evenly in the logarithm of the rate;
the loss of a cut is

    log(D + exchange * bits a pixel)

with the exchange at which the stream buys error at that cut, so that all rates weigh alike. A
share of D's relative slopes may be those of SSIMULACRA2's errors, which fall with rate as D does
(from .05 to 1.6 bits a pixel, log by log: -.58 to -1.63, and D -.77 to -1.66).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.photo import perceived
from models.photo.coding import Coding
from models.photo.distortion import distortion
from models.photo.lengths import integers, prices
from models.photo.networks import LEVELS, SHAPES, Networks, Shape
from models.photo.rate import Rate
from models.photo.states import States
from models.training import photos
from models.training.loop import Plan, Run
from service.codec.photo.tables import Stored

COUNTED = 24
"""Crops whose mean length says at which rate each pass begins."""
ORDER = 0
LEAST_ERROR = 1e-2
"""Of a flat crop, which has none: rounding can bring its 1 - MS-SSIM below 0."""


@dataclass(frozen=True, kw_only=True)
class PhotoPlan(Plan):
    """``cuts`` of each crop, between two rates; ``structure`` is the share of MS-SSIM in D;
    ``rate_weight`` weighs bits; ``perceived`` is the share of D's slopes that SSIMULACRA2's errors
    take over."""

    cuts: int = 2
    lowest_bpp: float = 0.05
    highest_bpp: float = 2.2
    structure: float = 0.7
    perceived: float = 0.0
    rate_weight: float = 1.0


class Trained(Networks):
    """The networks and the model of the rate that they learn from, which no codec needs."""

    def __init__(self, shape: Shape, levels: int) -> None:
        super().__init__(shape)
        self.rate = Rate(levels)


class PhotoRun(Run):
    """Both networks in a folder."""

    plan: PhotoPlan
    model: Trained
    averaged: Trained
    save_every = 180.0
    """Seconds between checkpoints, besides those of measurements."""

    def use(self, stored: Stored, tiles: Tensor) -> None:
        """Cut with these tables; ``tiles`` uint8 [N, H, W, 3] say at which rates passes begin."""
        self.stored, self.saved = stored, time.monotonic()
        on_host = Coding(States(stored, ORDER, self.plan.crop))
        counted = torch.Generator().manual_seed(0)
        crops = draw(tiles, COUNTED, counted, side=self.plan.crop)
        with torch.no_grad():
            found = on_host.analysed(crops.permute(0, 3, 1, 2).float(), None)
        states = on_host.states
        each = [prices(integers(found, states, n), states, stored) for n in range(COUNTED)]
        bits = np.mean(each, axis=0) / self.plan.crop**2
        self.rates: NDArray[np.float64] = np.concatenate(([0.0], np.cumsum(bits)))
        self.states = States(stored, ORDER, self.plan.crop, self.device)
        self.coding = Coding(self.states)

    def save(self) -> None:
        """As the base does, and remember when."""
        super().save()
        self.saved = time.monotonic()

    def step(self, photos: Tensor) -> float:
        """One batch."""
        crops = self.draw(photos, self.plan.batch, self.generator)
        loss = self.descend(self.loss_of(crops.permute(0, 3, 1, 2).float()))
        if time.monotonic() - self.saved > self.save_every:
            self.save()
        return loss

    def loss_of(self, photo: Tensor) -> Tensor:
        """Of float [N, 3, H, W] in 0..255."""
        plan, coding = self.plan, self.coding
        coded = coding.analysed(photo, self.model).repeated(plan.cuts)
        cuts = self.cuts(len(photo) * plan.cuts)
        planes = self.states.planes(cuts)
        shown = coding.shown(coded, planes)
        painted = coding.painted(shown, planes, self.model)
        wanted = photo.repeat_interleave(plan.cuts, 0)
        d = distortion(wanted, painted, plan.structure).clamp(min=LEAST_ERROR)
        if plan.perceived:
            apart = perceived.errors(photo, painted).clamp(min=LEAST_ERROR).log() - d.log()
            d = d * torch.exp(plan.perceived * (apart - apart.detach()))
        bits = self.model.rate(coded.details, shown.details, planes) / photo[0, 0].numel()
        exchange = torch.tensor([self.states.exchange[whole] for whole, _ in cuts])
        exchange = exchange.to(bits)
        return torch.log(d + plan.rate_weight * exchange * bits).mean()

    def cuts(self, count: int) -> list[tuple[int, float]]:
        """Places in the stream, evenly in the logarithm of the rate."""
        drawn = torch.rand(count, generator=self.generator).double().numpy()
        lowest, highest = self.plan.lowest_bpp, min(self.plan.highest_bpp, self.rates[-2])
        rates = lowest * (highest / lowest) ** drawn
        whole = np.searchsorted(self.rates, rates, side="right") - 1
        shares = (rates - self.rates[whole]) / (self.rates[whole + 1] - self.rates[whole])
        return list(zip(whole.tolist(), shares.tolist(), strict=True))


def run_of(
    plan: PhotoPlan,
    folder: Path,
    stored: Stored,
    tiles: Tensor,
    measure: Callable[[nn.Module], dict[str, float]],
    device: str = "cpu",
) -> PhotoRun:
    """A run that is ready to begin, in its folder; ``measure`` says how good its averages are."""
    run = PhotoRun(
        plan,
        Trained(SHAPES[plan.config], LEVELS),
        folder,
        lambda model, _: measure(model),
        device,
        draw=partial(draw, side=plan.crop),
    )
    run.use(stored, tiles)
    return run


def draw(stored: Tensor, batch: int, generator: torch.Generator, *, side: int) -> Tensor:
    """Random crops, flipped and transposed half of the time: uint8 [batch, side, side, 3]."""
    crops = photos.random_crops(stored, batch, generator, side=side)
    turned = (torch.rand(batch, generator=generator) < 0.5).to(crops.device, non_blocking=True)
    return torch.where(turned[:, None, None, None], crops.transpose(1, 2), crops)
