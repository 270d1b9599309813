"""Training of the two networks on really truncated streams, tables counted anew in between.

A picture is analysed, transformed and cut at a few random lengths; the synthesis paints each cut.
The synthesis learns from D / D0 with

    D  = 30 (1 + (bytes / 150)^2) * squared error (range 1) + 1 - SSIM
    D0 = what D usually is at that length

and the analysis from D plus the bits that a coefficient costs, at the exchange rate at which D
falls with length: a prefix's length is fixed, so what one coefficient spends another lacks. Both go
through the rounding as if its jump out of zero were spread over one cell (``prefixes``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.artifact_io import weights
from models.prefixel.closed_form.learning import Floats, colour_axes, learn_tables
from models.prefixel.networks import Networks
from models.training import data
from models.training.loop import Plan, Run
from service.codec.geometry import THUMB_SIDE
from service.codec.header import HEADER_BYTES
from service.codec.prefixel import tables as prefixel_tables
from service.codec.prefixel.codec import coefficients
from service.codec.prefixel.context_model import COEFFICIENTS
from service.codec.prefixel.rate_model import Truncator, through_rounding
from service.codec.prefixel.reconstruction import DCT, MIDDLE, axes
from service.codec.prefixel.tables import Stored
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim

UNIT_CLASS = 24
SHORTEST, LONGEST = 11.0, 560.0
FOCUS, FOCUSED = (45.0, 270.0), 0.6
"""Of the lengths in training so many are between those; the rest are anywhere."""
SCORED_BYTES = (64, 128, 256)
TABLES = "tables.npz"
RESOLUTION = 16
"""Steps and means of the tables are in 16ths."""


@dataclass(frozen=True, kw_only=True)
class EmbeddedPlan(Plan):
    """``recounts``: shares of the schedule at which tables are learned anew from
    ``recount_thumbnails``; ``weighted``: steps then follow what errors cost; ``squared_weight``
    and ``ssim_weight`` make D; ``rate_weight`` weighs bits; ``step`` is the finest cell in levels;
    ``cuts`` lengths a picture; ``anchor`` holds the analysed picture to the photo (squared, range
    1), for neither D nor bits mind its scale once the tables are learned anew. With
    ``freeze_analysis`` the synthesis learns alone; one that is ``anew`` is not taken over."""

    step: float = 8.0
    recounts: tuple[float, ...] = (0.2, 0.5, 0.75)
    recount_thumbnails: int = 16_000
    weighted: bool = True
    squared_weight: float = 30.0
    ssim_weight: float = 1.0
    rate_weight: float = 1.0
    cuts: int = 2
    anchor: float = 10.0
    freeze_analysis: bool = False
    anew: bool = False


class Painter(nn.Module):
    """The float side of one set of tables: transform and inverse, differentiable."""

    def __init__(self, stored: Stored) -> None:
        super().__init__()
        as_tensor = torch.from_numpy
        self.dct = as_tensor(DCT)
        self.colours = as_tensor(axes(stored))
        self.steps = as_tensor(stored.steps.astype(np.float32) / RESOLUTION)
        self.means = as_tensor(stored.means.astype(np.float32) / RESOLUTION)

    def in_steps(self, picture: Tensor) -> Tensor:
        """Float [N, 32, 32, 3] -> [N, 3072]."""
        turned = ((picture - MIDDLE) @ self.colours.T).permute(0, 3, 1, 2)
        raw = (self.dct @ turned @ self.dct.T).reshape(len(picture), COEFFICIENTS)
        return (raw - self.means) / self.steps

    def picture(self, cells: Tensor) -> Tensor:
        """[N, 3072] in steps -> float [N, 32, 32, 3], unclipped."""
        planes = (cells * self.steps + self.means).reshape(-1, 3, THUMB_SIDE, THUMB_SIDE)
        turned = self.dct.T @ planes @ self.dct
        return turned.permute(0, 2, 3, 1) @ self.colours + MIDDLE


class DistortionRateFit:
    """How D falls with bytes: 1 / D = at_zero + per_byte * bytes, fitted as training goes."""

    def __init__(self) -> None:
        self.at_zero, self.per_byte = 0.4, 0.039  # of the closed form
        self.edges = torch.logspace(math.log10(SHORTEST), math.log10(LONGEST), 13)[1:-1]
        self.sums = torch.zeros(12, 3, dtype=torch.float64)

    def distortion(self, payload_bytes: Tensor) -> Tensor:
        """D to expect."""
        return 1 / (self.at_zero + self.per_byte * payload_bytes)

    def learn(self, payload_bytes: Tensor, distortion: Tensor) -> None:
        """Take the D [N] of so many bytes [N] in; the last thousand batches count."""
        row = torch.stack([torch.ones_like(distortion), payload_bytes, distortion], 1).double()
        self.sums *= 0.999
        self.sums.index_add_(0, torch.bucketize(payload_bytes, self.edges), row)
        count, length, total = self.sums.T
        if count.min() < 200:
            return
        length, inverse = length / count, count / total
        weight = inverse**-2
        mean_l = (weight * length).sum() / weight.sum()
        mean_i = (weight * inverse).sum() / weight.sum()
        apart = length - mean_l
        self.per_byte = float(
            (weight * apart * (inverse - mean_i)).sum() / (weight * apart**2).sum()
        )
        self.at_zero = float(mean_i - self.per_byte * mean_l)


class EmbeddedRun(Run):
    """Both networks and the tables between them, in a folder."""

    plan: EmbeddedPlan
    model: Networks
    averaged: Networks
    fit: DistortionRateFit

    def use(self, stored: Stored) -> None:
        """Cut and paint with these tables from now on."""
        self.stored, self.truncator, self.painter = stored, Truncator(stored), Painter(stored)
        self.fit = DistortionRateFit()

    def save(self) -> None:
        """Tables first, then the checkpoint."""
        self.stored.write(self.folder / TABLES)
        super().save()

    def resume(self) -> bool:
        """As the base does, with the tables."""
        found = super().resume()
        if found:
            self.use(prefixel_tables.read(self.folder / TABLES))
        return found

    def begin(self, photos: Tensor) -> None:
        """Tables of the photos as they are."""
        thumbnails = self._thumbnails(photos)
        colours = colour_axes(thumbnails)
        steps = np.full(COEFFICIENTS, round(RESOLUTION * self.plan.step), np.uint16)
        self.use(learn_tables(coefficients(thumbnails, colours), colours, steps))

    def take_over(self, folder: Path) -> None:
        """Networks and tables of a run or an artifact; counters and schedule start anew.

        Blocks that it lacks begin as nothing, and so does a synthesis that is ``anew``. Raises
        ValueError where other weights are missing.
        """
        checkpoint = folder / "checkpoint.pt"
        if checkpoint.exists():
            state = torch.load(checkpoint, map_location="cpu", weights_only=True)["averaged"]
        else:
            halves = [name for name, _ in self.model.named_children()]
            state = {
                f"{half}.{name}": weight
                for half in halves
                for name, weight in weights.read_module(folder / f"{half}.onnx").items()
            }
        fresh = self.model.state_dict()
        if self.plan.anew:
            state = {name: value for name, value in state.items() if "synthesis." not in name}
        for name in fresh.keys() - state.keys():
            if ".blocks." not in name and not (self.plan.anew and "synthesis." in name):
                raise ValueError(f"{folder} has no {name}")
        self.start_from(fresh | state)
        self.use(prefixel_tables.read(folder / TABLES))

    def step(self, photos: Tensor) -> float:
        """One batch; recounts tables where the plan says so."""
        before = self.samples
        rgb = data.random_thumbnails(photos, self.plan.batch, self.generator)
        self.adam.zero_grad()
        loss = self._gradients(rgb.float())
        nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.clip)
        for group in self.adam.param_groups:
            group["lr"] = self.rate()
        self.adam.step()
        self.samples += self.plan.batch
        self._average()
        marks = [share * self.plan.samples for share in self.plan.recounts]
        if any(before < mark <= self.samples for mark in marks):
            self.recount(photos)
        return loss

    def _gradients(self, target: Tensor) -> float:
        """Gradients of a batch, float [N, 32, 32, 3]; its mean D / D0."""
        plan, painter = self.plan, self.painter
        n, m = len(target), plan.cuts
        if self.model.analysis is not None:
            self.model.analysis.requires_grad_(not plan.freeze_analysis)
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.bf16):
            analysed = self.model.analysed(target)
        values = painter.in_steps(analysed.float())
        lengths = self.lengths(n).sort(dim=1).values
        cut = self.truncator.cut(values.detach().numpy(), lengths.double().numpy())
        cells = torch.from_numpy(cut.cells).requires_grad_(values.requires_grad)
        painted = painter.picture(cells.reshape(n * m, COEFFICIENTS))
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.bf16):
            shown = self.model.painted(painted, torch.from_numpy(cut.known).reshape(n * m, -1))
        flat = lengths.reshape(-1)
        distortion = self.distortion(target.repeat_interleave(m, 0), shown.float(), flat)
        loss = distortion / self.fit.distortion(flat)
        self.fit.learn(flat, distortion.detach())
        loss.mean().backward()
        if cells.grad is not None:
            slope = self.fit.per_byte * distortion.detach().reshape(n, m, 1) / 8 / (n * m)
            multiplier = np.asarray(plan.rate_weight * slope[..., 0].numpy(), np.float32)
            follow = through_rounding(values.detach().numpy(), cut, cells.grad.numpy(), multiplier)
            drift = ((analysed.float() - target) / 255).square().mean()
            both = [values, plan.anchor * drift]
            torch.autograd.backward(both, [torch.from_numpy(follow), None])
        return float(loss.detach().mean())

    def lengths(self, count: int) -> Tensor:
        """Payload bytes to cut at, [count, cuts]; their logarithms are spread evenly."""
        at, focused = torch.rand(2, count, self.plan.cuts, generator=self.generator)
        within = focused < FOCUSED
        shortest = torch.where(within, FOCUS[0], SHORTEST)
        longest = torch.where(within, FOCUS[1], LONGEST)
        return shortest * (longest / shortest) ** at

    def distortion(self, target: Tensor, shown: Tensor, payload_bytes: Tensor) -> Tensor:
        """D of each picture: float [N, 32, 32, 3] twice, lengths [N] -> [N]."""
        squared = ((shown - target) / 255).square().mean(dim=(1, 2, 3))
        ssim = picture_ssim(target.permute(0, 3, 1, 2), shown.permute(0, 3, 1, 2))
        weight = self.plan.squared_weight * (1 + (payload_bytes / 150).square())
        return weight * squared + self.plan.ssim_weight * (1 - ssim)

    def recount(self, photos: Tensor) -> None:
        """Learn the tables anew from pictures as they are analysed now."""
        thumbnails = torch.from_numpy(self._thumbnails(photos))
        steps = self.stored.steps
        if self.plan.weighted:
            steps = self.weighted_steps(thumbnails[:2048])
        raw = coefficients(self._analysed(thumbnails), axes(self.stored))
        self.use(learn_tables(raw, axes(self.stored), steps))

    @torch.no_grad()
    def _analysed(self, thumbnails: Tensor) -> Floats:
        parts = [self.averaged.analysed(part.float()) for part in thumbnails.split(256)]
        return np.asarray(torch.cat(parts).numpy(), np.float32)

    def _thumbnails(self, photos: Tensor) -> NDArray[np.uint8]:
        generator = torch.Generator().manual_seed(self.plan.seed + 1)
        count = -(-self.plan.recount_thumbnails // 32)
        parts = [data.random_thumbnails(photos, 32, generator) for _ in range(count)]
        return np.asarray(torch.cat(parts).numpy())

    def weighted_steps(self, thumbnails: Tensor) -> NDArray[np.uint16]:
        """Finer steps where an error costs more: uint16 [3072].

        What a coefficient's error e costs is taken from gradients g of D through the synthesis:
        E[-g e] / E[e^2], pooled over a channel's frequencies of about equal row + column.
        """
        gain, error = np.zeros(COEFFICIENTS), np.zeros(COEFFICIENTS)
        for length in (32.0, 64.0, 128.0, 220.0):
            for part in thumbnails.split(256):
                target = part.float()
                with torch.no_grad():
                    cells = self.painter.in_steps(self.averaged.analysed(target))
                lengths = np.full((len(part), 1), length)
                cut = self.truncator.cut(cells.numpy(), lengths)
                coded = torch.from_numpy(cut.cells[:, 0]).requires_grad_()
                shown = self.averaged.painted(
                    self.painter.picture(coded), torch.from_numpy(cut.known[:, 0])
                )
                reference = float(self.fit.distortion(torch.tensor(length)))
                cost = self.distortion(target, shown, torch.full((len(target),), length))
                (cost.sum() / reference).backward()
                assert coded.grad is not None
                off = (cells - coded.detach()) * self.painter.steps
                gain -= (coded.grad / self.painter.steps * off).sum(0).double().numpy()
                error += off.square().sum(0).double().numpy()
        return steps_of(gain, error, self.plan.step)


def steps_of(
    gain: NDArray[np.float64], error: NDArray[np.float64], step: float
) -> NDArray[np.uint16]:
    """Steps from sums of what errors cost and of their squares [3072]; ``step`` is their mean."""
    channel, row, column = np.indices((3, THUMB_SIDE, THUMB_SIDE)).reshape(3, -1)
    band = np.minimum(row + column, 32) + 33 * channel
    total = np.bincount(band, gain, 99), np.bincount(band, error, 99)
    smooth = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9
    pooled = [
        np.stack([np.convolve(np.pad(t, 2, "edge"), smooth, "valid") for t in s.reshape(3, 33)])
        for s in total
    ]
    weight = np.maximum(pooled[0] / pooled[1], 1e-9).reshape(-1)[band]
    share = error / error.sum()
    weight /= np.exp((share * np.log(weight)).sum())
    factor = np.clip(weight, 0.1, 6.0) ** -0.5
    return np.asarray(np.rint(RESOLUTION * step * factor), np.uint16)


def picture_ssim(a: Tensor, b: Tensor) -> Tensor:
    """``losses.block_ssim`` a picture: [N, C, H, W] in levels -> [N]."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2

    def mean(planes: Tensor) -> Tensor:
        return functional.avg_pool2d(planes, 8)

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mean_a * mean_a, mean(b * b) - mean_b * mean_b
    covariance = mean(a * b) - mean_a * mean_b
    light = (2 * mean_a * mean_b + c1) / (mean_a * mean_a + mean_b * mean_b + c1)
    return (light * (2 * covariance + c2) / (var_a + var_b + c2)).mean(dim=(1, 2, 3))


def measured(run: EmbeddedRun) -> Callable[[nn.Module, Tensor], dict[str, float]]:
    """``prefix_scores`` with the tables that the run has by then."""

    def measure(model: nn.Module, thumbnails: Tensor) -> dict[str, float]:
        assert isinstance(model, Networks)
        return prefix_scores(model, run.truncator, run.painter, thumbnails)

    return measure


@torch.no_grad()
def prefix_scores(
    model: Networks, truncator: Truncator, painter: Painter, thumbnails: Tensor
) -> dict[str, float]:
    """SSIM and PSNR of prefixes of 62, 126 and 254 payload bytes, by ideal lengths.

    Of uint8 [N, 32, 32, 3]; ``ssim_64`` .. ``psnr_256``, named by whole bytes.
    """
    cells = painter.in_steps(model.analysed(thumbnails.float()))
    figures: dict[str, float] = {}
    for length in SCORED_BYTES:
        payload = np.full((len(cells), 1), float(length - HEADER_BYTES))
        cut = truncator.cut(cells.numpy(), payload)
        painted = painter.picture(torch.from_numpy(cut.cells[:, 0]))
        shown = model.painted(painted, torch.from_numpy(cut.known[:, 0]))
        rgb = shown.round().clamp(0, 255).byte().numpy()
        figures[f"ssim_{length}"] = float(block_ssim(thumbnails.numpy(), rgb).mean())
        figures[f"psnr_{length}"] = float(psnr(thumbnails.numpy(), rgb).mean())
    return figures
