"""One run: a schedule over minutes, or up to as much as another run saw, whichever ends first."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from torch import Tensor

from models.training import kept
from models.training.loop import log_row
from models.training.session import stepping
from models.training.session.problems import Problem
from models.training.session.runs import Phase, Recipe
from models.training.session.trainer import Trainer, rate_at

RESERVE, RESERVE_A_WEIGHT = 0.5, 1e-7
"""Seconds of a run beside its steps and its last measurement: writing what is kept."""
Figures = dict[str, float]


@dataclass
class Outcome:
    """What a run came to. ``weights`` are the averaged ones as they are kept."""

    name: str
    samples: int = 0
    seconds: float = 0.0
    gmac: float = 0.0
    first: Figures = field(default_factory=dict)
    last: Figures = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)
    words: str = "done"


class Timed:
    """Trains a problem for ``seconds``, counted from when this is made.

    ``target`` is where it ends before: ("samples" or "gmac", how many). ``every`` are the seconds
    between rows of the log beside those of the phases.
    """

    def __init__(
        self,
        recipe: Recipe,
        problem: Problem,
        seconds: float,
        device: str,
        mode: str,
        batch: int,
        folder: Path,
        target: tuple[str, float] | None = None,
        every: float = 60.0,
    ) -> None:
        self.recipe, self.problem, self.device, self.mode = recipe, problem, device, mode
        self.batch, self.folder, self.target, self.every = batch, folder, target, every
        self.began, self.seconds = time.monotonic(), seconds
        self.trainer = Trainer(problem.model, problem.loss, device)
        self.outcome = Outcome(recipe.name)
        self.measuring = 0.0
        count = sum(p.numel() for p in problem.model.parameters())
        self.reserve = RESERVE + RESERVE_A_WEIGHT * count
        folder.mkdir(parents=True, exist_ok=True)

    def start_from(self, weights: dict[str, Tensor]) -> None:
        """Begin with these."""
        self.problem.model.load_state_dict(weights)
        self.trainer.averaged.load_state_dict(weights)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def progress(self) -> float:
        """From 0 to 1, by the clock or by what is to be seen."""
        for_steps = max(1e-6, self.seconds - self.reserve - 1.1 * self.measuring)
        done = self.elapsed / for_steps
        if self.target:
            what, wanted = self.target
            done = max(done, getattr(self.outcome, what) / wanted)
        return done

    def run(self) -> Outcome:
        """All phases; at least one step. The log, and what is kept, lie in the folder."""
        self.outcome.first = self.report(0.0)
        for phase in self.recipe.phases:
            if self.progress() < phase.until or not self.trainer.steps:
                self.phase(phase)
        averaged = {n: w.cpu() for n, w in self.trainer.averaged.state_dict().items()}
        self.outcome.weights = kept.unpacked(kept.arrays(averaged, self.recipe.bits))
        self.trainer.averaged.load_state_dict(self.outcome.weights)  # as they are kept
        self.outcome.last = self.report(1.0)
        seen = {"samples": self.outcome.samples, "gmac": round(self.outcome.gmac, 1)}
        history = {"plan": self.plan(), "last": {**seen, **self.outcome.last}}
        kept.pack(averaged, history, self.folder.with_suffix(".npz"), self.recipe.bits)
        self.outcome.seconds = self.elapsed
        return self.outcome

    def plan(self) -> dict[str, object]:
        """What the kept file says of its training."""
        return {**asdict(self.recipe), "batch": self.batch, "seconds": round(self.seconds, 1)}

    def phase(self, phase: Phase) -> None:
        """Until its part of the run is over, and at least one step."""
        with stepping.plain():
            gmac_each = self.problem.enter(phase)

        def counted(steps: int) -> None:
            self.trainer.steps += steps
            self.outcome.samples += steps * self.batch
            self.outcome.gmac += steps * self.batch * gmac_each

        step: Callable[[], None] = self.trainer.step
        self.trainer.prepare(rate_at(self.progress(), self.recipe.rate))
        if self.mode.endswith("graph"):
            step, warm = stepping.captured(step)
            counted(warm)
        pace, reported = stepping.Pace(self.device), time.monotonic()
        while True:
            self.trainer.prepare(rate_at(self.progress(), self.recipe.rate))
            pace.after(step)
            counted(1)
            if self.progress() >= phase.until:
                break
            if time.monotonic() - reported > self.every:
                self.report(self.progress())
                reported = time.monotonic()
        pace.finish()
        if phase is not self.recipe.phases[-1]:
            self.report(self.progress())

    def report(self, progress: float) -> Figures:
        """Measure the averaged weights: a row of the log, a line."""
        stepping.synchronize(self.device)
        began = time.monotonic()
        loss = self.trainer.mean_loss()
        with stepping.plain():
            figures = self.problem.measure(self.trainer.averaged)
        self.measuring = time.monotonic() - began
        row = {
            "samples": float(self.outcome.samples),
            "seconds": round(self.elapsed, 2),
            "gmac": round(self.outcome.gmac, 1),
            "rate": rate_at(progress, self.recipe.rate),
            "loss": loss,
            **figures,
        }
        log_row(self.folder / "log.csv", row)
        shown = {k: v for k, v in row.items() if not k.startswith("psnr_after")}
        words = " ".join(f"{name} {value:.5g}" for name, value in shown.items())
        print(f"  {self.recipe.name}: {words}", flush=True)
        return figures
