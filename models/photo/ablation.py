"""What each part of the networks around `photo` is worth: variants trained anew on equal crops.

    python -m models.photo ablate --data DIR --out DIR --minutes M [--samples N] [--at-once K]

Each variant has a folder in OUT and goes on where it stopped; one that is done leaves its weights
(NAME.npz) and its figures (NAME.json). ``ablation.csv`` and ``ablation.md`` have all that are done,
in per cent of bytes at equal quality against the closed form on photos-validation.
"""

from __future__ import annotations

import csv
import json
import multiprocessing
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from models.photo import validation
from models.photo.networks import COEFFICIENTS, LEVELS, SHAPES, TOLD
from models.photo.training import ORDER, PhotoPlan, Trained, run_of
from models.photo.validation import BUDGETS_BPP, MEASURES, Validation, percent
from models.training import compute, kept, photos
from service.codec.photo import tables
from service.evaluation.measure.costs import machine
from service.evaluation.report.tables import markdown

ONE_RATE_BPP = (0.1, 0.25, 1.0)
"""Rates of models that are trained for one; of ``validation.BUDGETS_BPP``."""
CELLS = 16
"""A side, of the picture by which multiplications are counted."""
PAGE, FIGURES = "ablation.md", "ablation.csv"
TITLES = {"psnr": "PSNR", "ms_ssim": "MS-SSIM", "ssimulacra2": "SSIMULACRA2's errors"}


@dataclass(frozen=True)
class Variant:
    """A row: its title, and what it changes of the plan."""

    title: str
    changes: Mapping[str, Any] = field(default_factory=dict)


VARIANTS = {
    "full": Variant("as the codec is"),
    "no-analysis": Variant("synthesis alone", {"config": "no-analysis"}),
    "no-synthesis": Variant("analysis alone", {"config": "no-synthesis"}),
    "blind": Variant("the synthesis is not told how precisely", {"config": "blind"}),
    "additive": Variant("no gains", {"config": "additive"}),
    "squared": Variant("loss: squared error alone", {"structure": 0.0, "perceived": 0.0}),
    "structure": Variant("loss: without SSIMULACRA2's errors", {"perceived": 0.0}),
    "half": Variant("half the channels", {"config": "half"}),
    "quarter": Variant("a quarter of the channels", {"config": "quarter"}),
    **{
        f"only-{bpp}": Variant(
            f"trained for {bpp} bits a pixel alone", {"lowest_bpp": bpp, "highest_bpp": bpp}
        )
        for bpp in ONE_RATE_BPP
    },
}
PARTS = ("full", "no-analysis", "no-synthesis", "blind", "additive", "squared", "structure")
SIZES = ("full", "half", "quarter")


@dataclass(frozen=True)
class Ablation:
    """What all variants share: ``plan`` is that of ``full``; ``stored`` are the tables' file."""

    plan: PhotoPlan
    data: Path
    out: Path
    stored: Path
    device: str = "cpu"
    threads: int = 1

    def train(self, name: str, until: float) -> str:
        """Train a variant until it is done, or ``time.time()`` is ``until``; its name."""
        torch.set_num_threads(self.threads)
        plan = replace(self.plan, **VARIANTS[name].changes)
        torch.manual_seed(plan.seed)
        tiles = photos.load_tiles(self.data)
        stored = tables.read(self.stored)
        run = run_of(plan, self.out / name, stored, tiles, lambda _: {}, self.device)
        run.resume()
        if run.samples < plan.samples:
            minutes = (until - time.time()) / 60
            run.train(tiles.to(self.device), tiles[:0], minutes, float("inf"))
        return name

    def settle(self, name: str, against: Validation) -> bool:
        """Measure a variant that is done, keep weights and figures, drop the rest; if it is."""
        folder = self.out / name
        if not (folder / "checkpoint.pt").exists():
            return False
        state = torch.load(folder / "checkpoint.pt", map_location="cpu", weights_only=True)
        if state["samples"] < self.plan.samples:
            return False
        model = Trained(SHAPES[state["plan"]["config"]], LEVELS)
        model.load_state_dict(state["averaged"])
        model.to(self.device)
        kept.write(folder, self.out / f"{name}.npz")
        row = {"crops": state["samples"], "seconds": round(state["seconds"])}
        row |= cost_of(model) | rates_of(model, against)
        (self.out / f"{name}.json").write_text(json.dumps(row, indent=1) + "\n")
        shutil.rmtree(folder)
        return True


def ablate(one: Ablation, names: Sequence[str], minutes: float, at_once: int) -> None:
    """Train what is not done yet, ``at_once`` variants side by side, in so many minutes."""
    until = time.time() + 60 * minutes
    one.out.mkdir(parents=True, exist_ok=True)
    left = [name for name in names if not (one.out / f"{name}.json").exists()]
    pictures = validation.load(one.data)
    against = Validation(tables.read(one.stored), ORDER, pictures, one.device)
    for name in _trained(one, left, until, at_once):
        done = one.settle(name, against)
        print(f"{name}: {'done' if done else 'goes on with the next call'}", flush=True)
        write(one.out)


def _trained(one: Ablation, names: Sequence[str], until: float, at_once: int) -> Iterator[str]:
    if at_once == 1:
        for name in names:
            if time.time() < until:
                yield one.train(name, until)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(at_once, spawn) as pool:
        for ready in as_completed([pool.submit(one.train, name, until) for name in names]):
            yield ready.result()


def cost_of(model: Trained) -> dict[str, float]:
    """Weights of the synthesis, and thousands of multiplications that it takes a pixel."""
    if not model.shape.synthesis:
        return {"weights": 0, "kmac": 0}
    network = model.synthesis
    weight = next(network.parameters())
    given = weight.new_zeros(1, COEFFICIENTS, CELLS, CELLS), weight.new_zeros(1, TOLD)
    with torch.no_grad():
        macs = compute.of(lambda: network(*given))
    return {
        "weights": sum(p.numel() for p in network.parameters()),
        "kmac": macs / 1e3 / (8 * CELLS) ** 2,
    }


def rates_of(model: Trained, against: Validation) -> dict[str, float]:
    """Per cent of the closed form's bytes at equal quality, at each rate and over all."""
    found = against.qualities(model, BUDGETS_BPP)
    row: dict[str, float] = {}
    for column, measure in enumerate(MEASURES):
        apart = against.apart(found[:, column], column)
        row[measure] = percent(float(apart.mean()))
        row |= {f"{measure}_{b}": percent(a) for b, a in zip(BUDGETS_BPP, apart, strict=True)}
    return row


def write(out: Path) -> None:
    """The CSV and the page of all variants that are done."""
    rows = {
        name: json.loads((out / f"{name}.json").read_text())
        for name in VARIANTS
        if (out / f"{name}.json").exists()
    }
    if not rows:
        return
    with (out / FIGURES).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["variant", *next(iter(rows.values()))])
        for name, row in rows.items():
            writer.writerow([name, *(f"{value:.6g}" for value in row.values())])
    (out / PAGE).write_text(page(rows))


def page(rows: Mapping[str, Mapping[str, float]]) -> str:
    """Three tables in Markdown, of what is done."""
    crops = {int(row["crops"]) for row in rows.values()}
    blocks = [
        "# What each part of the networks for photos is worth",
        f"Each trained anew on {' or '.join(f'{n:,}' for n in sorted(crops))} crops, the same for"
        " all; per cent of bytes at equal quality against the closed form, whose tables price them"
        f" (less is better). {machine()}. Printed by `python -m models.photo ablate`.",
        "## Parts",
        _table(rows, PARTS, ("seconds",)),
        "## Size",
        "Of both networks; kMAC a pixel and weights are the synthesis'.",
        _table(rows, SIZES, ("kmac", "weights", "seconds")),
        "## One model for all rates, against one for each",
        _rates_table(rows),
    ]
    return "\n\n".join(blocks) + "\n"


def _table(
    rows: Mapping[str, Mapping[str, float]], names: Sequence[str], more: Sequence[str]
) -> str:
    lines = [
        [VARIANTS[name].title]
        + [f"{rows[name][column]:,.4g}" for column in more]
        + [_signed(rows[name][measure]) for measure in MEASURES]
        for name in names
        if name in rows
    ]
    return markdown(["", *more, *(TITLES[measure] for measure in MEASURES)], lines)


def _rates_table(rows: Mapping[str, Mapping[str, float]]) -> str:
    lines = []
    for bpp in ONE_RATE_BPP:
        pair = rows.get("full"), rows.get(f"only-{bpp}")
        if pair[0] and pair[1]:
            line = [f"{bpp}"]
            for measure in MEASURES:
                line += [_signed(row[f"{measure}_{bpp}"]) for row in pair if row]
            lines.append(line)
    head = ["bits a pixel"]
    for measure in MEASURES:
        head += [f"{TITLES[measure]}, all rates", "this rate alone"]
    return markdown(head, lines)


def _signed(per_cent: float) -> str:
    return f"{per_cent:+.1f} %".replace("-", "−")
