"""``python -m models.training.session.probe``: which modes work on this device, and how fast.

Each mode that is not plain runs in a process of its own: one that fails may leave its process
unusable. The last line that a child prints is its figures.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

import torch

from models.training.session import stepping
from models.training.session.pictures import Pictures
from models.training.session.problems import CodecProblem
from models.training.session.runs import RUNS, Phase
from models.training.session.trainer import Trainer

SECONDS = 3.0


def smooth(name: str, device: str, batch: int, bf16: bool) -> CodecProblem:
    """The problem of a run, on soft colours."""
    [recipe] = (one for one in RUNS if one.name == name)
    coarse = torch.rand(64, 3, 4, 4) * 255
    planes = torch.nn.functional.interpolate(coarse, size=(recipe.crop,) * 2, mode="bilinear")
    shown = planes.byte().permute(0, 2, 3, 1).contiguous()
    return CodecProblem(recipe, Pictures("photos", shown, shown, device), batch, device, bf16)


def warm_up(device: str, bf16: bool) -> None:
    """Compile and load what the steps of all runs need, so that no run's time goes for it."""
    for name in ("gru-dssim", "lstm-scaling"):
        problem = smooth(name, device, 4, bf16)
        with stepping.plain():
            problem.enter(Phase(1.0, 2, False))
        problem.loss().backward()
    stepping.synchronize(device)


def measured(mode: str, device: str, batch: int, bf16: bool = True) -> dict[str, float]:
    """Pictures a second of GRU steps. Raises FloatingPointError where the loss does not fall."""
    torch.manual_seed(1)
    if mode.startswith("compiled"):
        stepping.fuse_cells()
    problem = smooth("gru-dssim", device, batch, bf16)
    trainer = Trainer(problem.model, problem.loss, device)
    with stepping.plain():
        problem.enter(Phase(1.0, 16 if device != "cpu" else 2, False))
    trainer.prepare(1e-3)
    began = time.monotonic()
    step, warm = trainer.step, 1
    if mode.endswith("graph"):
        step, warm = stepping.captured(step)
    else:
        step()
    trainer.steps = warm
    stepping.synchronize(device)
    ready = time.monotonic() - began
    first = trainer.mean_loss()
    trainer.prepare(1e-3)
    steps, taken = stepping.rate(step, device, SECONDS)
    trainer.steps += taken
    loss = trainer.mean_loss()
    if not 0 < loss < (first if taken > 20 else 10):
        raise FloatingPointError(f"after {taken} steps a loss of {loss}, at first {first}")
    memory = torch.cuda.max_memory_reserved() / 1e9 if device != "cpu" else 0.0
    return {"pictures": steps * batch, "ready": ready, "loss": loss, "gigabytes": memory}


def fastest(device: str, seconds: float, modes: tuple[str, ...], batch: int = 128) -> str:
    """Try each mode in a process, for at most so many seconds together; prints what they do."""
    best, found, end = "eager", 0.0, time.monotonic() + seconds
    for mode in modes:
        command = [
            sys.executable,
            "-m",
            "models.training.session.probe",
            "--device",
            device,
            "--batch",
            str(batch),
        ]
        left = end - time.monotonic()
        try:
            child = subprocess.run(
                [*command, mode], capture_output=True, text=True, timeout=max(1, left), check=False
            )
        except subprocess.TimeoutExpired:
            print(f"mode {mode}: not ready after {left:.0f} s", flush=True)
            continue
        if child.returncode:
            print(f"mode {mode} does not work here: {child.stderr[-600:]}", flush=True)
            continue
        figures = json.loads(child.stdout.splitlines()[-1])
        print(f"mode {mode}: {figures}", flush=True)
        if figures["pictures"] > found:
            best, found = mode, figures["pictures"]
    return best


def main() -> None:
    """One mode, here, or all, each in a process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", nargs="?", choices=stepping.MODES)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--seconds", type=float, default=150, help="for all modes together")
    options = parser.parse_args()
    if options.mode:
        print(json.dumps(measured(options.mode, options.device, options.batch)))
    else:
        print("fastest:", fastest(options.device, options.seconds, stepping.MODES, options.batch))


if __name__ == "__main__":
    main()
