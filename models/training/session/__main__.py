"""``python -m models.training.session --data DIR --out DIR --minutes M``: every training, in time.

The minutes are shared by the runs of ``runs.py`` as their shares say; what one leaves over the
others have. A run that fails says why, and the next begins. After each, everything so far lies in
``--out`` as one archive in pieces: ``cat session.tar.* | tar x`` gives a log and a kept file a run.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from models.artifact_io import weights
from models.training import kept
from models.training.session import pictures, probe, results, stepping
from models.training.session.pictures import Pictures
from models.training.session.problems import CodecProblem, EntropyProblem, Problem, build
from models.training.session.runs import RUNS, Recipe
from models.training.session.timed import Outcome, Timed
from service.codec import artifact

LAST_SECONDS = 2.0
"""Kept free at the end: the last archive."""
CPU_BATCH = 2


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m models.training.session",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of shards")
    parser.add_argument("--out", type=Path, required=True, help="folder of the archive")
    parser.add_argument("--minutes", type=float, required=True, help="all in all, from the start")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--only", help="runs, with commas between them")
    parser.add_argument("--work", type=Path, help="folder of logs and kept files; else a new one")
    parser.add_argument(
        "--mode",
        choices=("auto", *stepping.MODES),
        default="auto",
        help="how a step is run; auto tries them first",
    )
    parser.add_argument("--probe-seconds", type=float, default=75, help="for that, at most")
    parser.add_argument("--batch", type=int, help=f"of every run; on a CPU {CPU_BATCH}")
    parser.add_argument("--no-bf16", action="store_true", help="TF32 in its place, as on a CPU")
    parser.add_argument("--memory", type=float, help="of the device's, the share to take at most")
    parser.add_argument("--keep-mb", type=float, default=56, help="bytes of the archive, in 10^6")
    parser.add_argument("--iterations", type=int, help="at most so many: to try things quickly")
    parser.add_argument("--measured", type=int, help="pictures of a measurement; on a CPU 2")
    return parser.parse_args()


def shortened(recipe: Recipe, most: int) -> Recipe:
    """With at most so many iterations."""
    phases = tuple(p._replace(iterations=min(p.iterations, most)) for p in recipe.phases)
    return replace(recipe, phases=phases)


class Session:
    """The runs, what they left, and the clock."""

    def __init__(self, options: argparse.Namespace, began: float) -> None:
        self.end = began + 60 * options.minutes - LAST_SECONDS
        self.device: str = options.device
        self.on_cpu = self.device == "cpu"
        self.options = options
        chosen = options.only.split(",") if options.only else [one.name for one in RUNS]
        unknown = set(chosen) - {one.name for one in RUNS}
        if unknown:
            raise SystemExit(f"no such run: {', '.join(sorted(unknown))}")
        most = options.iterations or 16
        self.runs = [shortened(one, most) for one in RUNS if one.name in chosen]
        self.done: dict[str, Outcome] = {}
        self.folder: Path = options.work or Path(tempfile.mkdtemp(prefix="session-"))
        self.mode: str = "eager" if self.on_cpu and options.mode == "auto" else options.mode
        self.bf16: bool = not (self.on_cpu or options.no_bf16)

    def load(self) -> None:
        """Pictures, once, then the device, then the mode."""
        measured = self.options.measured or (CPU_BATCH if self.on_cpu else None)
        kinds = {one.pictures for one in self.runs}
        with ThreadPoolExecutor(1) as beside:
            tried = beside.submit(self.tried)
            found = pictures.load(self.options.data, kinds, measured)
            self.mode = tried.result()
        if self.options.memory and not self.on_cpu:
            torch.cuda.set_per_process_memory_fraction(self.options.memory)
        self.pictures = {
            kind: Pictures(kind, stored, validation, self.device)
            for kind, (stored, validation) in found.items()
        }
        if self.mode.startswith("compiled"):
            stepping.fuse_cells()
        if not self.on_cpu:
            probe.warm_up(self.device, self.bf16)

    def tried(self) -> str:
        """The mode that was asked for, or the fastest."""
        if self.mode != "auto":
            return self.mode
        return probe.fastest(self.device, self.options.probe_seconds, ("graph", "compiled-graph"))

    def all(self) -> None:
        """Every run, whatever becomes of the others."""
        left = sum(one.share for one in self.runs)
        for recipe in self.runs:
            seconds = (self.end - time.monotonic()) * recipe.share / left
            left -= recipe.share
            began = time.monotonic()
            try:
                self.done[recipe.name] = self.one(recipe, seconds)
            except Exception as error:  # the next run begins, whatever this one had
                traceback.print_exc()
                self.done[recipe.name] = Outcome(
                    recipe.name, seconds=time.monotonic() - began, words=f"failed: {error!r:.80}"
                )
            self.free()
            self.pack()

    def one(self, recipe: Recipe, seconds: float) -> Outcome:
        """A run; with half the batch and half the rate where the device's memory is too small."""
        end = time.monotonic() + seconds
        batch = self.options.batch or (CPU_BATCH if self.on_cpu else recipe.batch)
        mode = self.mode
        while True:
            try:
                return self.timed(recipe, end - time.monotonic(), batch, mode).run()
            except torch.OutOfMemoryError:
                if batch == 1:
                    raise
                batch, recipe = batch // 2, replace(recipe, rate=recipe.rate / 2**0.5)
                print(f"  {recipe.name}: memory is short, a batch of {batch}", flush=True)
            except FloatingPointError:
                raise
            except RuntimeError:
                if mode == "eager":
                    raise
                traceback.print_exc()
                print(f"  {recipe.name}: {mode} failed, eager from here", flush=True)
                mode = self.mode = "eager"
                with suppress(Exception):
                    stepping.mend_chance(self.device)
            self.free()

    def timed(self, recipe: Recipe, seconds: float, batch: int, mode: str) -> Timed:
        """What the recipe says, ready to run."""
        torch.manual_seed(1)
        began = time.monotonic()
        shown = self.pictures[recipe.pictures]
        problem: Problem
        if recipe.codec:
            codec = build(recipe, self.device)
            codec.load_state_dict(self.weights_of((recipe.codec, *recipe.start_from)))
            with stepping.plain():
                problem = EntropyProblem(recipe, codec, shown, batch, self.device)
        else:
            problem = CodecProblem(recipe, shown, batch, self.device, self.bf16)
        target = None
        if recipe.equal and (earlier := self.done.get(recipe.equal[1])) and earlier.samples:
            target = recipe.equal[0], float(getattr(earlier, recipe.equal[0]))
        print(
            f"{recipe.name}: {seconds:.1f} s{f', or {target[1]:.0f} {target[0]}' if target else ''}"
            f", a batch of {batch}, {mode}",
            flush=True,
        )
        left = seconds - (time.monotonic() - began)
        one = Timed(recipe, problem, left, self.device, mode, batch, self.folder / recipe.name)
        one.target = target
        if recipe.start_from and not recipe.codec:
            one.start_from(self.weights_of(recipe.start_from))
        return one

    def weights_of(self, places: tuple[str, ...]) -> dict[str, Tensor]:
        """Of the first place that has any: a run of this session, a kept file, an artifact."""
        for place in places:
            outcome = self.done.get(place)
            if outcome and outcome.weights:
                print(f"  begins with the run {place}", flush=True)
                return outcome.weights
            if place.endswith(".npz") and Path(place).exists():
                print(f"  begins with {place}", flush=True)
                return kept.read(Path(place))
            if Path(place, artifact.MANIFEST).exists():
                print(f"  begins with {place}", flush=True)
                return weights.read(Path(place))
        raise FileNotFoundError(f"none of {', '.join(places)}")

    def free(self) -> None:
        """Give back what the last run held."""
        gc.collect()
        if not self.on_cpu:
            torch.cuda.empty_cache()

    def pack(self) -> None:
        """The archive of everything so far."""
        (self.folder / "table.md").write_text(results.table(list(self.done.values())) + "\n")
        limit = round(self.options.keep_mb * 1e6)
        names = [one.name for one in self.runs]
        for name in results.pack(self.folder, self.options.out, names, limit):
            print(f"  left out of the archive, which is full: {name}", flush=True)


def main() -> None:
    """Load, probe, run, print."""
    began = time.monotonic()
    session = Session(arguments(), began)
    session.folder.mkdir(parents=True, exist_ok=True)
    session.load()
    print(f"ready after {time.monotonic() - began:.1f} s, mode {session.mode}", flush=True)
    session.all()
    print(results.table(list(session.done.values())))
    print(f"{time.monotonic() - began:.1f} s in all; {session.folder}")


if __name__ == "__main__":
    main()
