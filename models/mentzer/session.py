"""One run after another on one device, within so many minutes; what comes out, packed small.

A run takes its share of the time that is left, so one that fails gives its time to the others. Its
weights are kept as soon as it ends: ``OUT/NAME.npz``, and ``OUT/NAME.csv`` with its rounds of
validation; at the end all of them go into ``OUT/mentzer-N.tar.gz`` beside the
tables.
"""

from __future__ import annotations

import tarfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from models.mentzer import comparison, exact, measuring, starting
from models.mentzer.comparison import Row
from models.mentzer.runs import Phase, Run
from models.mentzer.timed import Clock, Options, Timed
from models.training import kept
from models.training.loop import log_row
from models.zoo.mentzer2018.autoencoder import Config
from models.zoo.mentzer2018.codec import Codec

RESERVED = 0.04
"""Share of the minutes for what comes before, between and after the trainings."""
COLUMNS = ("ms_ssim", "psnr", "uniform", "zeroth", "previous", "context", "masked", "exact")
"""``exact``: what integer tables take in place of the context model, counted for each network."""
EXACT_TILES = 96
ARCHIVE_BYTES = 14_000_000


@dataclass(frozen=True)
class Session:
    """Where it runs, on what, and with what: tiles and photos uint8 [N, H, W, 3] on the device."""

    options: Options
    widths: Config
    tiles: Tensor
    photos: Tensor
    out: Path
    start: Path | None = None
    clock: Clock = time.monotonic

    def all(self, runs: Sequence[Run], seconds: float) -> list[Row]:
        """Train each; rows of the table, one a run and importance map that came to an end."""
        end = self.clock() + seconds * (1 - RESERVED)
        rows: list[Row] = []
        self.out.mkdir(parents=True, exist_ok=True)
        self.warm()
        for index, run in enumerate(runs):
            left = end - self.clock()
            share = run.parts / sum(other.parts for other in runs[index:])
            if left * share < 1:
                print(f"{run.name}: no time is left", flush=True)
                continue
            try:
                rows += self.one(run, left * share)
            except Exception:
                print(f"{run.name} failed:\n{traceback.format_exc()}", flush=True)
        self.tell(rows)
        self.pack()
        return rows

    def tell(self, rows: Sequence[Row]) -> None:
        """The table, and what it says of the paper's claims: printed and kept."""
        text = f"{table(rows)}\n{comparison.compared(rows)}"
        (self.out / "table.md").write_text(text)
        comparison.write(rows, self.out / "table.csv")
        print(text, flush=True)

    def one(self, run: Run, seconds: float) -> list[Row]:
        """Train, keep and measure one run."""
        torch.manual_seed(self.options.seed)
        config = replace(self.widths, bottleneck=run.channels, heads=run.heads)
        trained = Timed(run, Codec(config), self.options, self.clock)
        before = self.begin(run, trained.model)
        end = self.clock() + seconds
        each = forward_gmac(trained.model, self.options.crop)
        for index, phase in enumerate(run.phases):
            parts = sum(other.share for other in run.phases[index:])
            lasts = (end - self.clock()) * phase.share / parts
            trained.train(self.tiles, phase, lasts, lambda *seen, p=phase: self.note(run, p, *seen))
        gmac = round(sum(each[what] * n for what, n in trained.samples.items()), 1)
        history = {
            "run": asdict(run),
            "config": asdict(config),
            "options": asdict(self.options),
            "samples": trained.samples,
            "seconds": round(trained.seconds, 1),
            "gmac": gmac,
            "before": before,
        }
        return self.keep(run, trained, history)

    def again(self, runs: Sequence[Run], start: Path) -> list[Row]:
        """Networks of an earlier session with statistics estimated anew: kept and measured."""
        rows: list[Row] = []
        self.out.mkdir(parents=True, exist_ok=True)
        for run in runs:
            earlier = start / f"{run.name}.npz"
            model = Codec(Config(**kept.history(earlier)["config"]))
            model.load_state_dict(kept.read(earlier))
            trained = Timed(run, model, self.options, self.clock)
            trained.settle(self.tiles)
            rows += self.keep(run, trained, dict(kept.history(earlier)))
        self.tell(rows)
        return rows

    def keep(self, run: Run, trained: Timed, history: dict[str, object]) -> list[Row]:
        """Keep the average, and measure what is kept; each map of several by its own statistics."""
        model = trained.averaged.eval()
        path = self.out / f"{run.name}.npz"
        kept.pack(model.state_dict(), history, path)
        model.load_state_dict(kept.read(path))
        rows: list[Row] = []
        for head in range(max(1, run.heads)):
            if run.heads > 1:
                trained.settle(self.tiles, head)
            tables = measuring.counted(model, self.tiles[: measuring.COUNTED], head)
            found = measuring.figures(model, self.photos, tables, head)
            stored = exact.tables_of(model, self.tiles[-EXACT_TILES:], head)
            found["exact"] = exact.bits_a_pixel(model, stored, self.photos, head)
            name = f"{run.name}/{head + 1}" if run.heads > 1 else run.name
            row: Row = {"run": name, **{column: found[column] for column in COLUMNS}}
            worked: Row = {name: float(str(history[name])) for name in ("seconds", "gmac")}
            rows.append(row | worked)
            print(rows[-1], flush=True)
        return rows

    def begin(self, run: Run, model: Codec) -> dict[str, Any] | None:
        """New weights, an earlier session's of that run, or those of the run that it begins from.

        Returns the history of what is not new. Raises FileNotFoundError where the run that it
        begins from is neither in this session nor in the earlier one.
        """
        folders = [folder for folder in (self.out, self.start) if folder]
        if self.start and (earlier := self.start / f"{run.name}.npz").exists():
            model.load_state_dict(kept.read(earlier))
            return history_of(earlier)
        if run.begins:
            paths = [folder / f"{run.begins}.npz" for folder in folders]
            paths = [path for path in paths if path.exists()]
            if not paths:
                raise FileNotFoundError(f"{run.name} begins from {run.begins}, which is not there")
            model.load_state_dict(kept.read(paths[0]))
            before = history_of(paths[0])
            aimed = before["run"] | {
                "phases": tuple(Phase(**phase) for phase in before["run"]["phases"])
            }
            starting.aim(model, run, Run(**aimed))
            return before
        starting.aim(model, run)
        return None

    def note(self, run: Run, phase: Phase, model: Codec, seen: int, passed: float) -> None:
        """A round of validation: a row of the run's log."""
        row = {"phase": float(run.phases.index(phase)), "samples": float(seen), "passed": passed}
        found = measuring.figures(model, self.photos, head=max(0, run.heads - 1))
        log_row(self.out / f"{run.name}.csv", row | found)

    def warm(self) -> None:
        """Let the device choose its kernels, at nobody's expense."""
        run = Run("warming up", "", 0, target_bpp=0.3)
        widths = replace(self.widths, bottleneck=run.channels, heads=run.heads)
        trained = Timed(run, Codec(widths), self.options)
        trained.prepare("all")
        began = self.clock()
        for step in range(4):
            trained.step(trained.draw(self.tiles), "all", 0.5, step).tolist()
            print(f"step {step}: {self.clock() - began:.2f} s", flush=True)
        measuring.figures(trained.model.eval(), self.photos)

    def pack(self) -> None:
        """Runs' files into archives of at most ``ARCHIVE_BYTES``, but for a file that is larger."""
        logs = (path for path in self.out.glob("*.csv") if path.name != "table.csv")
        loose = sorted([*self.out.glob("*.npz"), *logs])
        packs: list[list[Path]] = [[]]
        for path in loose:
            size = sum(other.stat().st_size for other in packs[-1])
            if packs[-1] and size + path.stat().st_size > ARCHIVE_BYTES:
                packs.append([])
            packs[-1].append(path)
        for number, paths in enumerate(packs):
            with tarfile.open(self.out / f"mentzer-{number}.tar.gz", "w:gz") as archive:
                for path in paths:
                    archive.add(path, path.name)
        for path in loose:
            path.unlink()


def history_of(weights: Path) -> dict[str, Any]:
    """How weights came to be; under ``before`` the same of those that they began from, or None."""
    told = kept.history(weights)
    if "before" not in told:  # kept when a run began from another alone
        begins = told["run"]["begins"]
        told["before"] = history_of(weights.with_stem(begins)) if begins else None
    return told


def forward_gmac(model: Codec, side: int) -> dict[str, float]:
    """Multiplications of a crop in each kind of phase, forward alone, in thousands of millions."""
    device = next(model.parameters()).device
    photo = torch.zeros(1, 3, side, side, device=device)
    model.eval()

    def count(work: str) -> float:
        with FlopCounterMode(display=False) as counter:
            found = model.encoder(photo)
            values = model.code(found).values
            if work != "context":
                model.decoder(values)
            if work != "picture":
                model.bits(values)
        return float(counter.get_total_flops()) / 2e9

    return {work: count(work) for work in ("picture", "context", "all")}


def table(rows: Sequence[Row]) -> str:
    """Markdown: a row a network, bits a pixel by each entropy model."""
    names = ("run", *COLUMNS, "seconds", "gmac")
    lines = ["| " + " | ".join(names) + " |", "|-" * len(names) + "|"]
    for row in rows:
        cells = [str(row["run"])]
        cells += [f"{row[n]:.{5 if n == 'ms_ssim' else 3}f}" for n in COLUMNS]
        cells += [f"{row['seconds']:.0f}", f"{row['gmac']:,.0f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
