"""``python -m models.photo train --data DIR --tables FILE --out DIR``: train both networks."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

import torch

from models.photo import validation
from models.photo.networks import LEVELS, SHAPES
from models.photo.training import ORDER, PhotoPlan, PhotoRun, Trained, draw
from models.training import curve, kept, photos
from service.codec.photo import tables

MEASURES = ("psnr", "ms_ssim", "rate")


def arguments() -> argparse.Namespace:
    """The command line; fields of PhotoPlan that are worth turning are options."""
    defaults = {f.name: f.default for f in fields(PhotoPlan)}
    parser = argparse.ArgumentParser(prog="python -m models.photo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("train", help="train, or go on with, the networks").add_argument
    add("--data", type=Path, required=True, help="folder of photos-train*.npz, photos-validation")
    add("--tables", type=Path, required=True, help="the closed form's tables (.npz)")
    add("--out", type=Path, required=True, help="folder of checkpoint, log, curve")
    add("--config", choices=sorted(SHAPES), default="full")
    add("--samples", type=int, required=True, help="crops of the schedule")
    add("--start-from", type=Path, help="weights that models.training.kept wrote (.npz)")
    add("--max-minutes", type=float, default=1e9, help="stop after; resume later")
    add("--every", type=float, default=540, help="seconds between measurements")
    add("--save-every", type=float, default=180, help="seconds between checkpoints")
    add("--threads", type=int, default=torch.get_num_threads())
    own: dict[str, float] = {
        "rate": 2e-3, "batch": 4, "crop": 192, "warmup": 400, "average": 0.999, "final_rate": 0.02,
        "clip": 1.0, "seed": 1, "cuts": 2, "structure": 0.7, "rate_weight": 1.0,
    }  # fmt: skip
    for name, default in own.items():
        kind = type(defaults.get(name, default)) if name in defaults else type(default)
        kind = type(default) if kind.__name__ == "_MISSING_TYPE" else kind
        add("--" + name.replace("_", "-"), type=kind, default=default, help="default %(default)s")
    return parser.parse_args()


def main() -> None:
    """Begin, resume or start, train, plot."""
    options = arguments()
    torch.set_num_threads(options.threads)
    given = vars(options) | {
        "system": "photo", "iterations": 1, "bf16": False, "channels_last": False,
        "pictures": "photos",
    }  # fmt: skip
    names = [f.name for f in fields(PhotoPlan) if f.name in given]
    plan = PhotoPlan(**{name: given[name] for name in names})
    torch.manual_seed(plan.seed)
    stored = tables.read(options.tables)
    tiles = photos.load_tiles(options.data)
    against = validation.Validation(stored, ORDER, validation.load(options.data))
    run = PhotoRun(
        plan,
        Trained(SHAPES[plan.config], LEVELS),
        options.out,
        lambda model, _: against.figures(model),
        draw=lambda stored, batch, generator: draw(stored, batch, generator, side=plan.crop),
    )
    run.save_every = options.save_every
    run.use(stored, tiles)
    if not run.resume() and options.start_from:
        run.start_from(kept.read(options.start_from))
    counts = {
        name: sum(p.numel() for p in part.parameters()) for name, part in run.model.named_children()
    }
    print(f"{plan.config}: weights {counts}, from crop {run.samples} to {plan.samples}", flush=True)
    run.train(tiles, against.pictures, options.max_minutes, options.every)
    curve.plot(options.out / "log.csv", options.out / "curve.svg", MEASURES, "crops")


if __name__ == "__main__":
    main()
