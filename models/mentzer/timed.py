"""A training that lasts so many seconds: its schedule follows the clock, a step never waits.

What a step computes stays on the device; losses are summed there and read every few seconds. The
processor runs at most ``AHEAD`` steps before the device, so that the clock is the device's too.
"""

from __future__ import annotations

import math
import random
import time
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.mentzer import losses, statistics
from models.mentzer.runs import Learns, Phase, Run
from models.training.photos import random_crops
from models.zoo.mentzer2018 import rate
from models.zoo.mentzer2018.autoencoder import BatchNorm
from models.zoo.mentzer2018.codec import Codec

AHEAD = 4
SPOKEN_SECONDS = 10.0
WARM, BEGIN = 0.03, 0.1
"""Shares of a phase: the rate rises; the squared error fades."""
FINAL_RATE = 0.01


@dataclass(frozen=True)
class Options:
    """What all runs of a session share. ``narrow``: bfloat16 in the convolutions."""

    device: str
    batch: int = 48
    crop: int = 176
    rate: float = 4e-3
    clip: float = 50.0
    average: float = 0.998
    narrow: bool = True
    seed: int = 1


Clock = Callable[[], float]
"""Seconds since some time."""
Report = Callable[[Codec, int, float], None]
"""Averaged network, crops seen, share of the phase: a round of validation."""


class Timed:
    """A network, its average and its counters."""

    def __init__(
        self, run: Run, model: Codec, options: Options, clock: Clock = time.monotonic
    ) -> None:
        self.run, self.options, self.clock = run, options, clock
        self.model = model.to(options.device)
        for half in (model.encoder, model.decoder):
            half.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.averaged = deepcopy(self.model)
        self.generator = torch.Generator(options.device).manual_seed(options.seed)
        self.heads = random.Random(options.seed)
        self.samples: dict[Learns, int] = {}
        self.seconds = 0.0

    def train(self, tiles: Tensor, phase: Phase, seconds: float, report: Report) -> None:
        """One phase, for so long; then the network is its own average.

        ``report`` is called at each quarter, in its time, and at the end. Raises
        FloatingPointError where a loss is not finite.
        """
        began, quarter = self.clock(), 1
        spoken, window = began, torch.zeros(4, device=self.options.device)
        self.prepare(phase.learns)
        events: deque[torch.cuda.Event] = deque()
        steps, spoken_at = 0, 0
        while (passed := (self.clock() - began) / seconds) < 1:
            window += self.step(self.draw(tiles), phase.learns, passed, steps)
            steps += 1
            self.throttle(events)
            now = self.clock()
            if now - spoken > SPOKEN_SECONDS:
                self.say(phase, passed, window / (steps - spoken_at))
                spoken, spoken_at = now, steps
                window.zero_()
            if passed > quarter / 4:
                report(self.averaged.eval(), steps * self.options.batch, passed)
                quarter += 1
        self.samples[phase.learns] = steps * self.options.batch
        if steps > spoken_at:
            self.say(phase, 1.0, window / (steps - spoken_at))
        if phase.learns != "context":
            self.settle(tiles)
        self.seconds += self.clock() - began
        report(self.averaged.eval(), steps * self.options.batch, 1.0)
        self.model.load_state_dict(self.averaged.state_dict())

    def settle(self, tiles: Tensor, head: int | None = None) -> None:
        """Give the average statistics of its own: of one importance map, or of all in turns."""
        drawn = (self.draw(tiles) for _ in range(statistics.BATCHES))
        statistics.estimate(self.averaged, drawn, head)

    def prepare(self, learns: Learns) -> None:
        """Adam, what is averaged, and which statistics move."""
        context = list(self.model.context.parameters())
        groups = {
            "picture": [self.model.picture_parameters()],
            "context": [context],
            "all": [self.model.picture_parameters(), context],
        }[learns]
        cuda = self.options.device.startswith("cuda")
        self.adam = torch.optim.Adam(
            [{"params": group} for group in groups], self.options.rate, fused=cuda
        )
        self.model.train()
        if learns == "context":
            self.freeze()
        self.averaged.load_state_dict(self.model.state_dict())
        pairs = zip(
            self.averaged.state_dict().values(), self.model.state_dict().values(), strict=True
        )
        self.means, self.now = map(list, zip(*pairs, strict=True))

    def freeze(self) -> None:
        """What is normalised is what is used: statistics stand still."""
        for layer in self.model.modules():
            if isinstance(layer, BatchNorm):
                layer.eval()

    def draw(self, tiles: Tensor) -> Tensor:
        """A batch of crops, float [N, 3, H, W] in 0..255."""
        side, count = self.options.crop, self.options.batch
        return random_crops(tiles, count, self.generator, side=side).permute(0, 3, 1, 2).float()

    def step(self, photo: Tensor, learns: Learns, passed: float, steps: int) -> Tensor:
        """One batch; returns d, bits a symbol paid for and spent, and the gradient's norm
        (the autoencoder's, where it learns)."""
        options, model, run = self.options, self.model, self.run
        kind = "cuda" if options.device.startswith("cuda") else "cpu"
        narrow = torch.autocast(kind, torch.bfloat16) if options.narrow else nullcontext()
        head = self.heads.randrange(run.heads) if run.heads else 0
        self.adam.zero_grad(set_to_none=True)
        zero = photo.new_zeros(())
        if learns == "context":
            with torch.no_grad(), narrow:
                found = model.encoder(photo)
            _, spent = losses.bits_of(model, model.code(found, head), narrow, run.masked)
            spent.backward()
            told = [zero, zero, spent]
        else:
            coded, shown = losses.of_pictures(model, photo, narrow, head)
            d, squared = losses.distortion(model, photo, shown)
            paid = spent = zero
            if learns == "all":
                paid, spent = losses.bits_of(model, coded, narrow, run.masked)
            costs = losses.Costs(d, squared, paid, spent)
            loss = costs.of_picture(run.target(head), max(0.0, 1 - passed / BEGIN))
            joint = learns == "all"
            loss.backward(inputs=model.picture_parameters(), retain_graph=joint)
            if joint:
                spent.backward(inputs=list(model.context.parameters()))
            told = [d, paid, spent]
        for group in reversed(self.adam.param_groups):
            norm = nn.utils.clip_grad_norm_(group["params"], options.clip)
            group["lr"] = self.learning_rate(passed)
        self.adam.step()
        self.average(steps)
        return torch.stack([value.detach() for value in (*told, norm)])

    def learning_rate(self, passed: float) -> float:
        """Linear warm-up, then a cosine to a hundredth, by the share of time that passed."""
        warm = min(1.0, (passed + 1e-3) / WARM)
        cosine = (1 + math.cos(math.pi * passed)) / 2
        return self.options.rate * warm * (FINAL_RATE + (1 - FINAL_RATE) * cosine)

    @torch.no_grad()
    def average(self, steps: int) -> None:
        """The average follows, statistics too; early ones are soon forgotten."""
        keep = min(self.options.average, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(self.means, self.now, 1 - keep)

    def throttle(self, events: deque[torch.cuda.Event]) -> None:
        """Wait until the device has done the step of ``AHEAD`` steps ago."""
        if not self.options.device.startswith("cuda"):
            return
        event = torch.cuda.Event()
        event.record()
        events.append(event)
        if len(events) > AHEAD:
            events.popleft().synchronize()

    def say(self, phase: Phase, passed: float, means: Tensor) -> None:
        """A line of progress."""
        values = means.tolist()
        if not all(map(math.isfinite, values)):
            raise FloatingPointError(f"{self.run.name}: a loss is not finite: {values}")
        d, paid, spent, norm = values
        to_bpp = rate.a_pixel(1, self.run.channels)
        print(
            f"{self.run.name} {phase.learns} {passed:.2f} d {d:.3f} paid {paid * to_bpp:.4f} "
            f"spent {spent * to_bpp:.4f} bpp norm {norm:.3g} rate {self.learning_rate(passed):.2g}",
            flush=True,
        )
