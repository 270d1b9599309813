"""The networks around `photo`: ``python -m models.photo train|speed|measure|ablate --data DIR ..``

train     both networks, or goes on where a folder's checkpoint stopped
speed     what a crop of each configuration computes and takes
measure   the closed form, and networks against it, on photos-validation at equal bytes
ablate    variants that lack a part, trained anew on equal crops and measured
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import fields
from pathlib import Path

import torch

from models.photo import ablation, stages, validation
from models.photo.networks import LEVELS, SHAPES
from models.photo.training import ORDER, PhotoPlan, Trained, run_of
from models.training import curve, kept, photos
from service.codec.photo import search, tables
from service.settings import packaged_artifacts

MEASURES = ("psnr", "ms_ssim", "rate")
FIXED = {
    "system": "photo",
    "iterations": 1,
    "bf16": False,
    "channels_last": False,
    "pictures": "photos",
}
WHOLE = {"batch": 4, "crop": 192, "warmup": 400, "seed": 1, "cuts": 2}
PARTS = {
    "rate": 2e-3,
    "final_rate": 0.02,
    "average": 0.999,
    "clip": 1.0,
    "structure": 0.7,
    "perceived": 0.0,
    "rate_weight": 1.0,
}

ABLATED = {"rate": 1.5e-3, "warmup": 1600, "perceived": 0.3}
"""As the networks that are served were trained."""


def arguments() -> argparse.Namespace:
    """The command line; fields of PhotoPlan that are worth turning are options."""
    parser = argparse.ArgumentParser(
        prog="python -m models.photo",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("train", "speed", "measure", "ablate"):
        add = commands.add_parser(command).add_argument
        add("--data", type=Path, required=True, help="photos-train*.npz, photos-validation/*.png")
        add(
            "--tables",
            type=Path,
            default=packaged_artifacts() / "photo.1" / "tables.npz",
            help="the closed form's (default: those of the artifact)",
        )
        add("--threads", type=int, default=torch.get_num_threads())
        if command in ("train", "measure"):
            add("--config", choices=sorted(SHAPES), default="full")
            add(
                "--start-from",
                type=Path,
                help="weights that models.training.kept wrote (.npz), or the folder of an artifact",
            )
        if command == "speed":
            add("--steps", type=int, default=6)
        if command in ("train", "ablate"):
            add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
        if command == "ablate":
            add("--out", type=Path, required=True, help="folder of variants, figures and page")
            add("--minutes", type=float, required=True, help="of training; resume later")
            add("--samples", type=int, default=16_000, help="crops of each (%(default)s)")
            add("--batch", type=int, default=16, help="(%(default)s)")
            add("--at-once", type=int, default=1, help="variants side by side (%(default)s)")
            add("--variants", default=",".join(ablation.VARIANTS), help="(%(default)s)")
        if command == "train":
            add("--out", type=Path, required=True, help="folder of checkpoint, log, curve")
            add("--samples", type=int, required=True, help="crops of the schedule")
            add("--max-minutes", type=float, default=1e9, help="stop after; resume later")
            add("--timed", action="store_true", help="the rate comes down with the minutes")
            add("--every", type=float, default=1200, help="seconds between measurements")
            add("--save-every", type=float, default=180, help="seconds between checkpoints")
            for name, default in (WHOLE | PARTS).items():
                kind = int if name in WHOLE else float
                add("--" + name.replace("_", "-"), type=kind, default=default, help="%(default)s")
    return parser.parse_args()


def main() -> None:
    """Do what the first word says."""
    options = arguments()
    torch.set_num_threads(options.threads)
    commands = {"train": train, "speed": speed, "measure": measure, "ablate": ablate}
    commands[options.command](options)


def train(options: argparse.Namespace) -> None:
    """Begin, resume or start, train, plot."""
    given = vars(options) | FIXED
    names = [f.name for f in fields(PhotoPlan) if f.name in given]
    plan = PhotoPlan(**{name: given[name] for name in names})
    torch.manual_seed(plan.seed)
    tiles = photos.load_tiles(options.data)
    against = _validation(options, options.device)
    stored = tables.read(options.tables)
    run = run_of(plan, options.out, stored, tiles, against.figures, options.device)
    run.save_every = options.save_every
    if not run.resume() and options.start_from:
        run.start_from(weights_of(options.start_from))
    counts = {
        name: sum(p.numel() for p in part.parameters()) for name, part in run.model.named_children()
    }
    print(f"{plan.config}: weights {counts}, from crop {run.samples} to {plan.samples}", flush=True)
    run.train(
        tiles.to(options.device),
        against.pictures,
        options.max_minutes,
        options.every,
        timed=options.timed,
    )
    curve.plot(options.out / "log.csv", options.out / "curve.svg", MEASURES, "crops")


def weights_of(start: Path) -> dict[str, torch.Tensor]:
    """Of kept weights, or of what an artifact serves."""
    if not start.is_dir():
        return kept.read(start)
    rate = torch.from_numpy(search.read(start / "search.npz").rate)
    return stages.read(start) | {"rate.weights": rate.expm1().log()}


def speed(options: argparse.Namespace) -> None:
    """A table: configuration, thousands of multiplications a pixel, weights, seconds a crop."""
    tiles = photos.load_tiles(options.data)
    print("| networks | kMAC a pixel, each | weights of the synthesis | CPU s a crop | crops a s |")
    print("|-|-|-|-|-|")
    for config in ("full", "narrow"):
        plan = PhotoPlan(config=config, samples=1, **FIXED, **WHOLE, **PARTS)
        with tempfile.TemporaryDirectory() as folder:
            stored = tables.read(options.tables)
            run = run_of(plan, Path(folder), stored, tiles, lambda _: {})
            run.step(tiles)
            busy, began = time.process_time(), time.monotonic()
            for _ in range(options.steps):
                run.step(tiles)
            crops = options.steps * plan.batch
            busy, took = (time.process_time() - busy) / crops, (time.monotonic() - began) / crops
        weights = sum(p.numel() for p in run.model.synthesis.parameters())
        kmac = run.gmac_each * 1e6 / plan.crop**2 / 2
        print(f"| {config} | {kmac:.2f} | {weights} | {busy:.3f} | {1 / took:.2f} |", flush=True)


def measure(options: argparse.Namespace) -> None:
    """The closed form's qualities; with ``--start-from`` those of networks against it."""
    against = _validation(options)
    print("| bits a pixel | PSNR | MS-SSIM, dB | SSIMULACRA2's errors, dB |\n|-|-|-|-|")
    for budget, found in zip(against.budgets, against.closed, strict=True):
        print(f"| {budget} | " + " | ".join(f"{value:.2f}" for value in found) + " |")
    if options.start_from:
        model = Trained(SHAPES[options.config], LEVELS)
        model.load_state_dict(weights_of(options.start_from))
        for name, value in against.figures(model).items():
            print(f"{name} {value:.3f}")


def ablate(options: argparse.Namespace) -> None:
    """Train and measure variants."""
    names = [word for word in options.variants.split(",") if word]
    if unknown := set(names) - set(ablation.VARIANTS):
        raise SystemExit(f"no variant {', '.join(sorted(unknown))}")
    own = {"samples": options.samples, "batch": options.batch}
    plan = PhotoPlan(config="full", **FIXED, **WHOLE | PARTS | ABLATED | own)
    places = options.data, options.out, options.tables
    one = ablation.Ablation(plan, *places, options.device, options.threads)
    ablation.ablate(one, names, options.minutes, options.at_once)


def _validation(options: argparse.Namespace, device: str = "cpu") -> validation.Validation:
    pictures = validation.load(options.data)
    return validation.Validation(tables.read(options.tables), ORDER, pictures, device)


if __name__ == "__main__":
    main()
