"""Adam, the clipped gradient and the moving average of the weights, without waiting for the device.

Everything that a step changes lies on the device: rates, counters, sums of losses. A step whose
gradient is not finite changes no weight, and is counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn

FINAL_RATE = 0.02
WARM_UP_SHARE = 0.04


def rate_at(progress: float, peak: float) -> float:
    """Linear warm-up, then a cosine down to a fiftieth, over progress from 0 to 1."""
    warm = min(1.0, (progress + 1e-3) / WARM_UP_SHARE)
    cosine = (1 + math.cos(math.pi * min(1.0, progress))) / 2
    return peak * warm * (FINAL_RATE + (1 - FINAL_RATE) * cosine)


class Trainer:
    """``loss`` draws a batch and returns its loss, a float32 scalar on the device."""

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[], Tensor],
        device: str,
        clip: float = 1.0,
        average: float = 0.995,
    ) -> None:
        self.model, self.loss, self.clip, self.longest = model, loss, clip, average
        self.averaged = deepcopy(model)
        self.weights: list[Tensor] = list(model.parameters())
        self.means: list[Tensor] = list(self.averaged.parameters())
        self.rate, self.follow, self.broken, self.total, self.skipped = (
            torch.zeros((), device=device) for _ in range(5)
        )
        self.adam = torch.optim.Adam(
            self.weights, self.rate, fused=True, capturable=device.startswith("cuda")
        )
        self.adam.param_groups[0]["lr"] = self.rate  # this very tensor: ``prepare`` fills it
        self.adam.found_inf = self.broken  # type: ignore[attr-defined]  # 1: leave the weights
        self.steps = self.reported = 0

    def prepare(self, rate: float) -> None:
        """The numbers of the next steps, which a captured step reads."""
        self.rate.fill_(rate)
        self.follow.fill_(1 - min(self.longest, (1 + self.steps) / (10 + self.steps)))

    def step(self) -> None:
        """One step; whoever calls it, or replays it, adds to ``steps``."""
        self.adam.zero_grad(set_to_none=True)
        loss = self.loss()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.weights, self.clip)
        self.broken.copy_(~torch.isfinite(norm))
        self.adam.step()
        with torch.no_grad():
            off = list(torch._foreach_sub(self.weights, self.means))
            torch._foreach_mul_(off, self.follow)
            torch._foreach_add_(self.means, off)
            self.total.add_(torch.nan_to_num(loss.detach(), 0.0, 0.0, 0.0))
            self.skipped.add_(self.broken)

    def mean_loss(self) -> float:
        """Of the steps since this was last asked: waits for the device.

        Raises FloatingPointError where every one of them was broken.
        """
        taken, self.reported = self.steps - self.reported, self.steps
        total, skipped = float(self.total), float(self.skipped)
        self.total.zero_()
        self.skipped.zero_()
        if taken and skipped >= taken:
            raise FloatingPointError(f"no gradient of the last {taken} steps was finite")
        return total / (taken - skipped) if taken else math.nan
