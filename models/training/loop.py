"""The training loop: any zoo model, resumable, one progress line, a log that becomes a curve."""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.training import compute, data, losses
from models.zoo.layers import Binarizer, StepBinarizer
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim

Draw = Callable[[Tensor, int, torch.Generator], Tensor]


@dataclass(frozen=True)
class Plan:
    """One run. ``samples`` is the length of the schedule, in pictures; the rest is per step.

    With ``signs`` bits are the signs that inference takes, not drawn. ``pictures`` names what is
    trained on (``sources``), ``crop`` is its side.
    """

    system: str
    config: str
    samples: int
    iterations: int
    batch: int = 32
    rate: float = 3e-3
    final_rate: float = 0.02
    warmup: int = 10_000
    clip: float = 1.0
    loss: str = "squared"
    relative: bool = False
    signs: bool = False
    average: float = 0.999
    bf16: bool = True
    pictures: str = "thumbnails"
    crop: int = data.SIDE
    channels_last: bool = True
    seed: int = 1


class Run:
    """A model, its moving average, Adam and its counters, in a folder.

    ``measure(model, thumbnails)`` returns the figures of a validation round by name;
    ``draw(photos, batch, generator)`` what a step learns from, uint8 [batch, crop, crop, 3].
    """

    def __init__(
        self,
        plan: Plan,
        model: nn.Module,
        folder: Path,
        measure: Callable[[nn.Module, Tensor], dict[str, float]],
        device: str = "cpu",
        draw: Draw = data.random_thumbnails,
    ) -> None:
        self.plan, self.folder, self.device, self.measure = plan, folder, device, measure
        self.draw = draw
        self.layout = torch.channels_last if plan.channels_last else torch.contiguous_format
        self.model = model.to(device, memory_format=self.layout)  # type: ignore[call-overload]
        self.loss = losses.LOSSES[plan.loss]()
        if isinstance(self.loss, nn.Module):
            self.loss.to(device)
        self.gmac_each = compute.macs(self.model, plan.iterations, plan.crop) / 1e9
        torch.manual_seed(plan.seed)
        for layer in self.model.modules():
            if isinstance(layer, (Binarizer, StepBinarizer)):
                layer.drawn = not plan.signs
        self.averaged = deepcopy(self.model)
        on_device = device.startswith("cuda")
        self.adam = torch.optim.Adam(self.model.parameters(), plan.rate, fused=on_device)
        self.generator = torch.Generator().manual_seed(plan.seed)
        self.samples, self.seconds = 0, 0.0
        self.spent = 0.0
        """Of the time of a schedule by time."""
        self._loss: Tensor | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def checkpoint(self) -> Path:
        """Where the run is resumed from."""
        return self.folder / "checkpoint.pt"

    def save(self) -> None:
        """Write the checkpoint beside the old one, then replace it."""
        state = {
            "plan": asdict(self.plan),
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "adam": self.adam.state_dict(),
            "generator": self.generator.get_state(),
            "samples": self.samples,
            "seconds": self.seconds,
            "loss": self.loss.state_dict() if isinstance(self.loss, nn.Module) else {},
        }
        fresh = self.checkpoint.with_suffix(".new")
        torch.save(state, fresh)
        fresh.replace(self.checkpoint)
        (self.folder / "plan.json").write_text(json.dumps(asdict(self.plan), indent=1) + "\n")

    def resume(self) -> bool:
        """Continue where the checkpoint of the same plan stopped; False when there is none."""
        if not self.checkpoint.exists():
            return False
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        if type(self.plan)(**state["plan"]) != self.plan:  # options that came later: as by default
            raise ValueError(f"{self.checkpoint} belongs to another plan; choose another --out")
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self.adam.load_state_dict(state["adam"])
        self.generator.set_state(state["generator"].cpu())
        if isinstance(self.loss, nn.Module):
            self.loss.load_state_dict(state["loss"])
        self.samples, self.seconds = state["samples"], state["seconds"]
        return True

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Take the weights of another run or of an artifact; counters and schedule start anew."""
        for model in (self.model, self.averaged):
            model.load_state_dict(weights)

    def rate(self) -> float:
        """Linear warm-up, then a cosine down to ``final_rate`` of the peak."""
        plan = self.plan
        warm = min(1.0, (self.samples + plan.batch) / plan.warmup)
        done = min(1.0, max(self.spent, self.samples / plan.samples))
        cosine = (1 + math.cos(math.pi * done)) / 2
        return plan.rate * warm * (plan.final_rate + (1 - plan.final_rate) * cosine)

    def step(self, photos: Tensor) -> float:
        """One batch; returns its loss."""
        plan = self.plan
        rgb = self.draw(photos, plan.batch, self.generator)
        x = data.to_network(rgb).to(self.device, memory_format=self.layout)
        kind = "cuda" if self.device.startswith("cuda") else "cpu"
        with torch.autocast(kind, torch.bfloat16) if plan.bf16 else nullcontext():
            pictures, _ = self.model(x, plan.iterations)
        loss = losses.over_iterations(self.loss, x, pictures, plan.relative)
        return self.descend(loss)

    def descend(self, loss: Tensor) -> float:
        """One step of Adam down a batch's loss; the average follows.

        Returns that loss, on a device the one before: so nothing waits for it. A gradient that is
        not finite counts as none.
        """
        self.adam.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.clip)
        is_broken = ~torch.isfinite(norm)
        for parameter in self.model.parameters():
            if parameter.grad is not None:
                parameter.grad.masked_fill_(is_broken, 0)
        for group in self.adam.param_groups:
            group["lr"] = self.rate()
        self.adam.step()
        self.samples += self.plan.batch
        self._average()
        loss = loss.detach()
        told = self._loss if loss.is_cuda and self._loss is not None else loss
        self._loss = loss
        return float(told)

    def _average(self) -> None:
        steps = self.samples / self.plan.batch
        keep = min(self.plan.average, (1 + steps) / (10 + steps))
        floats: tuple[list[Tensor], list[Tensor]] = [], []
        with torch.no_grad():
            for mean, now in zip(
                self.averaged.state_dict().values(), self.model.state_dict().values(), strict=True
            ):
                if mean.dtype.is_floating_point:
                    floats[0].append(mean)
                    floats[1].append(now)
                else:
                    mean.copy_(now)
            torch._foreach_lerp_(*floats, 1 - keep)

    def train(
        self,
        photos: Tensor,
        validation: Tensor,
        max_minutes: float,
        every: float,
        *,
        timed: bool = False,
    ) -> None:
        """Until the plan's samples are seen or ``max_minutes`` passed.

        Measures, logs and saves every ``every`` seconds. Time in which the process was stopped
        (a step over ten seconds) does not count as training. With ``timed`` the rate has come down
        when the minutes are over.
        """
        start = time.monotonic()
        end = start + 60 * max_minutes
        last, window = time.monotonic(), []
        while self.samples < self.plan.samples and time.monotonic() < end:
            began = time.monotonic()
            self.spent = (began - start) / (end - start) if timed else 0.0
            window.append(self.step(photos))
            took = time.monotonic() - began
            self.seconds += took if took < 10 else 0.0
            if time.monotonic() - last > every:
                self.report(validation, window)
                last, window = time.monotonic(), []
        self.save()  # a last measurement takes long, and may be cut off
        self.report(validation, window)

    def report(self, validation: Tensor, window: list[float]) -> None:
        """One progress line, one row of the log, a checkpoint.

        ``gmac`` is what was computed so far, forward: thumbnails times multiplications of one.
        """
        if not all(math.isfinite(value) for value in window):
            raise FloatingPointError(f"the loss is not finite after {self.samples} thumbnails")
        row = {
            "samples": float(self.samples),
            "seconds": round(self.seconds, 1),
            "rate": self.rate(),
            "loss": float(np.mean(window)) if window else math.nan,
            **self.measure(self.averaged, validation),
            "gmac": round(self.samples * self.gmac_each, 1),
        }
        log_row(self.folder / "log.csv", row)
        print(" ".join(f"{name} {value:.5g}" for name, value in row.items()), flush=True)
        self.save()


def log_row(log: Path, row: dict[str, float]) -> None:
    """Append a row; a log keeps the columns that it began with."""
    columns = list(row)
    if log.exists():
        with log.open(newline="") as file:
            columns = next(csv.reader(file))
    with log.open("a", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        if file.tell() == 0:
            writer.writeheader()
        writer.writerow(row)


def measured_at(
    budgets: dict[str, int], device: str = "cpu"
) -> Callable[[nn.Module, Tensor], dict[str, float]]:
    """SSIM and PSNR after so many iterations, for models that return every iteration's picture."""

    @torch.no_grad()
    def measure(model: nn.Module, thumbnails: Tensor) -> dict[str, float]:
        model.eval()
        pictures, _ = model(data.to_network(thumbnails).to(device), max(budgets.values()))
        model.train()
        figures: dict[str, float] = {}
        for name, iteration in budgets.items():
            painted = data.to_rgb(pictures[iteration - 1].cpu()).numpy()
            figures[f"ssim_{name}"] = float(block_ssim(thumbnails.numpy(), painted).mean())
            figures[f"psnr_{name}"] = float(psnr(thumbnails.numpy(), painted).mean())
        return figures

    return measure
